//! The `[noise]` table of a configuration file, as written and as checked.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::{NoiseError, in_range};
use crate::reinjection::{MAX_STRENGTH, Normalization, Reinjection};
use crate::sampler::StepDistribution;
use crate::schedule::{MAX_STEPS, Schedule};

/// The `[noise]` table as written; every key has a default, and an unknown key is an error.
///
/// It becomes a [`NoiseConfig`] or an error: `NoiseConfig::try_from(table)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseTable {
    /// Shape of the schedule; default `"linear"`.
    pub schedule: ScheduleKind,
    /// T, `1..=1_000_000`; default 100, or the length of `betas`. Ignored by `"none"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub steps: Option<usize>,
    /// β of the first step, `0..=1`; default 1e-4. Read by linear, quadratic, sigmoid.
    #[schemars(range(min = 0, max = 1))]
    pub beta_start: f64,
    /// β of the last step, `beta_start..=1`; default 0.1. Read by linear, quadratic, sigmoid, and
    /// by constant as the β of every step.
    #[schemars(range(min = 0, max = 1))]
    pub beta_end: f64,
    /// `β_1, …, β_T` of `"custom"`, each in `0..=1`; an error beside any other schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1_000_000), inner(range(min = 0, max = 1)))]
    pub betas: Option<Vec<f64>>,
    /// How the input window is noised.
    pub input: InputTable,
    /// How the target window is noised, at the same step.
    pub target: TargetTable,
    /// Which steps training draws.
    pub sampler: SamplerTable,
}

/// Which formula gives `β_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// β rises along a line: [`Schedule::linear`].
    #[default]
    Linear,
    /// √β rises along a line: [`Schedule::quadratic`].
    Quadratic,
    /// β is `beta_end` at every step: [`Schedule::constant`].
    Constant,
    /// ᾱ falls along a squared cosine: [`Schedule::cosine`].
    Cosine,
    /// β rises along a logistic curve: [`Schedule::sigmoid`].
    Sigmoid,
    /// `β_t = 1/(T − t + 1)`: [`Schedule::jsd`].
    Jsd,
    /// β as listed in `betas`: [`Schedule::custom`].
    Custom,
    /// No noise, `T = 0`: [`Schedule::clean`].
    #[serde(rename = "none")]
    Clean,
}

/// `input = { reinject, normalization }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputTable {
    /// `λ_x`, `0..=1e6`; default 1.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: f64,
    /// Default `"variance"`.
    pub normalization: Normalization,
}

/// `target = { scale, reinject, normalization, likelihood }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetTable {
    /// `κ ≥ 0` in `β^y_t = κ β_t ≤ 1`; default 0.1.
    #[schemars(range(min = 0))]
    pub scale: f64,
    /// `λ_y`, `0..=1e6`; default 1.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: f64,
    /// Default `"signal"`: noised targets keep their mean, so `"direct"` is unbiased and noised
    /// likelihoods stay in the units of the target.
    pub normalization: Normalization,
    /// Default `"noise-aware"`.
    pub likelihood: TargetLikelihood,
}

/// What the decoder's distribution of the clean target is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetLikelihood {
    /// The noised target, under the distribution that noise makes of the decoder's.
    #[default]
    NoiseAware,
    /// The noised target as if it were clean.
    Direct,
}

/// `sampler = { kind, clean, … }`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerTable {
    /// Default `"uniform"`.
    pub kind: SamplerKind,
    /// `p(t = 0)`, `0..=1`; default 0.
    #[schemars(range(min = 0, max = 1))]
    pub clean: f64,
    /// Exponent of `"low-noise"`, `0..=1000`; default 1 there, an error elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub power: Option<f64>,
    /// Range of `"snr-uniform"`; default `[-20, 40]` there, an error elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "pair")]
    pub range_db: Option<[f64; 2]>,
    /// λ of `"push-forward"`; default 1 there, an error elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: Option<f64>,
    /// λ of `"push-forward"` for the target; default `reinject` there, an error elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub target_reinject: Option<f64>,
}

/// How steps are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Every step alike: [`StepDistribution::uniform`].
    #[default]
    Uniform,
    /// Steps with more signal more often: [`StepDistribution::low_noise`] of the input process.
    LowNoise,
    /// Every decibel alike: [`StepDistribution::snr_uniform`] of the input process.
    SnrUniform,
    /// The control: real-valued steps distributed as `τ(t)` of a given λ, `t` uniform.
    ///
    /// Exact, because the schedules are replaced by [`Reinjection::equivalent_schedule`] and `t`
    /// stays a whole step. Set `input.reinject` and `target.reinject` to 0 beside it.
    PushForward,
}

/// A checked `[noise]` table with everything it describes built.
///
/// ```
/// let noise: noise::NoiseConfig = toml::from_str(
///     r#"
///     schedule = "cosine"
///     steps = 50
///     input = { reinject = 1.0 }
///     target = { scale = 0.1, likelihood = "direct" }
///     "#,
/// )?;
/// assert_eq!(noise.input().steps(), 50);
/// assert!(toml::from_str::<noise::NoiseConfig>("stepz = 50").is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "NoiseTable", into = "NoiseTable")]
pub struct NoiseConfig {
    table: NoiseTable,
    input: Reinjection,
    target: Reinjection,
    sampler: StepDistribution,
}

impl NoiseConfig {
    /// The table with its defaults filled in, as it is written back.
    pub fn table(&self) -> &NoiseTable {
        &self.table
    }

    /// T; 0 for `schedule = "none"`.
    pub fn steps(&self) -> usize {
        self.input.steps()
    }

    /// How the input window is noised.
    pub fn input(&self) -> &Reinjection {
        &self.input
    }

    /// How the target window is noised, at the same steps.
    pub fn target(&self) -> &Reinjection {
        &self.target
    }

    /// Which steps training draws.
    pub fn sampler(&self) -> &StepDistribution {
        &self.sampler
    }

    /// What the decoder's distribution is compared with.
    pub fn likelihood(&self) -> TargetLikelihood {
        self.table.target.likelihood
    }
}

impl TryFrom<NoiseTable> for NoiseConfig {
    type Error = NoiseError;

    fn try_from(mut table: NoiseTable) -> Result<Self, NoiseError> {
        table.check_ranges()?;
        table.sampler.fill()?;
        let schedule = table.build_schedule()?;
        let mut target = schedule.scaled(table.target.scale)?;
        let mut input = schedule;
        let sampler = &table.sampler;
        if let (Some(lambda), Some(target_lambda)) = (sampler.reinject, sampler.target_reinject) {
            input = push_forward(input, lambda)?;
            target = push_forward(target, target_lambda)?;
        }
        let input = Reinjection::new(input, table.input.reinject, table.input.normalization)?;
        let target = Reinjection::new(target, table.target.reinject, table.target.normalization)?;
        Ok(NoiseConfig { sampler: table.sampler.build(&input)?, table, input, target })
    }
}

impl From<NoiseConfig> for NoiseTable {
    fn from(config: NoiseConfig) -> Self {
        config.table
    }
}

impl Default for NoiseConfig {
    fn default() -> Self {
        NoiseTable::default().try_into().expect("the defaults are legal; a test builds them")
    }
}

impl Default for NoiseTable {
    fn default() -> Self {
        NoiseTable {
            schedule: ScheduleKind::Linear,
            steps: None,
            beta_start: 1e-4,
            beta_end: 0.1,
            betas: None,
            input: InputTable::default(),
            target: TargetTable::default(),
            sampler: SamplerTable::default(),
        }
    }
}

impl Default for InputTable {
    fn default() -> Self {
        InputTable { reinject: 1.0, normalization: Normalization::Variance }
    }
}

impl Default for TargetTable {
    fn default() -> Self {
        TargetTable {
            scale: 0.1,
            reinject: 1.0,
            normalization: Normalization::Signal,
            likelihood: TargetLikelihood::NoiseAware,
        }
    }
}

impl NoiseTable {
    /// Every number by itself, whether or not the chosen schedule and sampler read it.
    fn check_ranges(&self) -> Result<(), NoiseError> {
        let NoiseTable { input, target, sampler, .. } = self;
        let lambda = |given: Option<f64>| given.unwrap_or(1.0);
        for (key, value, low, high) in [
            ("noise.steps", self.steps.map_or(1.0, |steps| steps as f64), 1.0, MAX_STEPS as f64),
            ("noise.beta_start", self.beta_start, 0.0, 1.0),
            ("noise.beta_end", self.beta_end, 0.0, 1.0),
            ("noise.input.reinject", input.reinject, 0.0, MAX_STRENGTH),
            ("noise.target.reinject", target.reinject, 0.0, MAX_STRENGTH),
            ("noise.target.scale", target.scale, 0.0, f64::MAX),
            ("noise.sampler.clean", sampler.clean, 0.0, 1.0),
            ("noise.sampler.power", sampler.power.unwrap_or(1.0), 0.0, 1000.0),
            ("noise.sampler.reinject", lambda(sampler.reinject), 0.0, MAX_STRENGTH),
            ("noise.sampler.target_reinject", lambda(sampler.target_reinject), 0.0, MAX_STRENGTH),
        ] {
            in_range(key, value, low, high)?;
        }
        if let Some([low, high]) = sampler.range_db {
            in_range("noise.sampler.range_db[0]", low, -f64::MAX, f64::MAX)?;
            in_range("noise.sampler.range_db[1]", high, low.next_up(), f64::MAX)?;
        }
        Ok(())
    }

    /// Fills in `steps`, and builds the schedule of the input.
    fn build_schedule(&mut self) -> Result<Schedule, NoiseError> {
        if self.schedule == ScheduleKind::Custom {
            let kind = "schedule \"custom\"";
            let betas =
                (self.betas.as_ref()).ok_or(NoiseError::MissingKey { key: "noise.betas", kind })?;
            let steps = *self.steps.get_or_insert(betas.len());
            if steps != betas.len() {
                return Err(NoiseError::StepsDisagree { steps, betas: betas.len() });
            }
            return Schedule::custom(betas);
        }
        if self.betas.is_some() {
            let kind = "any schedule but \"custom\"";
            return Err(NoiseError::UnusedKey { key: "noise.betas", kind });
        }
        let (steps, start, end) = (*self.steps.get_or_insert(100), self.beta_start, self.beta_end);
        match self.schedule {
            ScheduleKind::Linear => Schedule::linear(steps, start, end),
            ScheduleKind::Quadratic => Schedule::quadratic(steps, start, end),
            ScheduleKind::Sigmoid => Schedule::sigmoid(steps, start, end),
            ScheduleKind::Constant => Schedule::constant(steps, end),
            ScheduleKind::Cosine => Schedule::cosine(steps),
            ScheduleKind::Jsd => Schedule::jsd(steps),
            ScheduleKind::Custom | ScheduleKind::Clean => Ok(Schedule::clean()),
        }
    }
}

impl SamplerTable {
    /// Fills in the keys of the chosen kind and refuses those of the others.
    fn fill(&mut self) -> Result<(), NoiseError> {
        let unused = |used: bool, given: bool, key: &'static str| match (used, given) {
            (false, true) => Err(NoiseError::UnusedKey { key, kind: "this kind of sampler" }),
            _ => Ok(()),
        };
        let pushes = self.kind == SamplerKind::PushForward;
        unused(self.kind == SamplerKind::LowNoise, self.power.is_some(), "noise.sampler.power")?;
        unused(
            self.kind == SamplerKind::SnrUniform,
            self.range_db.is_some(),
            "noise.sampler.range_db",
        )?;
        unused(pushes, self.reinject.is_some(), "noise.sampler.reinject")?;
        unused(pushes, self.target_reinject.is_some(), "noise.sampler.target_reinject")?;
        match self.kind {
            SamplerKind::Uniform => {}
            SamplerKind::LowNoise => _ = self.power.get_or_insert(1.0),
            SamplerKind::SnrUniform => _ = self.range_db.get_or_insert([-20.0, 40.0]),
            SamplerKind::PushForward => {
                let lambda = *self.reinject.get_or_insert(1.0);
                self.target_reinject.get_or_insert(lambda);
            }
        }
        Ok(())
    }

    fn build(&self, input: &Reinjection) -> Result<StepDistribution, NoiseError> {
        let steps = match (self.power, self.range_db) {
            (Some(power), _) => StepDistribution::low_noise(input, power),
            (_, Some([low, high])) => StepDistribution::snr_uniform(input, low, high),
            _ => Ok(StepDistribution::uniform(input)),
        }?;
        steps.with_clean_fraction(self.clean)
    }
}

/// Exactly two numbers; the `toml` crate would overlook a third.
fn pair<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let numbers = Vec::<f64>::deserialize(deserializer)?;
    let length = numbers.len();
    let pair = numbers.try_into();
    pair.map(Some).map_err(|_| de::Error::invalid_length(length, &"two numbers, low and high"))
}

fn push_forward(schedule: Schedule, strength: f64) -> Result<Schedule, NoiseError> {
    Ok(Reinjection::new(schedule, strength, Normalization::Variance)?.equivalent_schedule())
}
