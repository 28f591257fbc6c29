//! The `[noise]` table of a configuration file, as written and as checked.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::{NoiseError, in_range};
use crate::reinjection::{MAX_STRENGTH, Normalization, Reinjection};
use crate::sampler::StepDistribution;
use crate::schedule::{MAX_STEPS, Schedule};
use crate::shape::{NoiseShape, NoiseSpace};

/// Largest size of a signal-to-noise ratio of the sampler, in decibels: beyond it floats of 32 bits have run out.
const MAX_DB: f64 = 1000.0;

/// The `[noise]` table as written. It names its schedule; every other key has a default, and an unknown key is an
/// error.
///
/// It becomes a [`NoiseConfig`] or an error: `NoiseConfig::try_from(table)`. The default is no noise; a schedule named
/// without more re-injects the clean input and the clean target, each with strength 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseTable {
    /// Shape of the noise schedule.
    pub schedule: ScheduleKind,
    /// Number of diffusion steps; 100, or the length of `betas`, unless given. Not read by `"none"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub steps: Option<usize>,
    /// β of the first step, read by linear, quadratic and sigmoid.
    #[serde(default = "beta_start")]
    #[schemars(range(min = 0, max = 1))]
    pub beta_start: f64,
    /// β of the last step, at least `beta_start`; with `"constant"` of every step. Read by linear, quadratic, sigmoid
    /// and constant.
    #[serde(default = "beta_end")]
    #[schemars(range(min = 0, max = 1))]
    pub beta_end: f64,
    /// `β_1, …, β_T` of the schedule `"custom"`; an error beside any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1_000_000), inner(range(min = 0, max = 1)))]
    pub betas: Option<Vec<f64>>,
    /// Law of the noise. The shapes other than `"white"` noise context and target as one window, with the strength
    /// `input.reinject`, so that the target fits the context; they read no key of `target`.
    #[serde(default)]
    pub shape: NoiseShape,
    /// Units in which windows and noise are added.
    #[serde(default)]
    pub space: NoiseSpace,
    /// Noise of the input window.
    #[serde(default)]
    pub input: InputTable,
    /// Noise of the target window, at the same step.
    #[serde(default)]
    pub target: TargetTable,
    /// Distribution of the steps that training draws.
    #[serde(default)]
    pub sampler: SamplerTable,
}

fn beta_start() -> f64 {
    1e-4
}

fn beta_end() -> f64 {
    0.1
}

/// Formula of `β_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// β rises along a line: [`Schedule::linear`].
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
    /// Strength `λ_x` of the clean input added back, `x_t + λ_x x_0`; 0 is plain diffusion.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: f64,
    /// Divisor of the sum.
    pub normalization: Normalization,
}

/// `target = { scale, reinject, normalization, likelihood }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetTable {
    /// Share `κ` of the input's β that the target has, `β^y_t = κ β_t ≤ 1`; 0 leaves the target clean.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub scale: f64,
    /// Strength `λ_y` of the clean target added back, `y_t + λ_y y_0`.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: f64,
    /// Divisor of the sum. With `"signal"` noised targets keep their mean, so `"direct"` is unbiased and noised
    /// likelihoods stay in the units of the target.
    pub normalization: Normalization,
    /// Law of the noised target that the decoder is trained with.
    pub likelihood: TargetLikelihood,
}

/// Law of the noised target that the decoder is trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetLikelihood {
    /// The decoder's distribution of the clean target, noised as the target was.
    #[default]
    NoiseAware,
    /// The decoder's distribution itself, as if the target were clean.
    Direct,
}

/// `sampler = { kind, clean, … }`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerTable {
    /// Distribution of the step.
    pub kind: SamplerKind,
    /// Share of windows that stay clean, `p(t = 0)`.
    #[schemars(range(min = 0, max = 1))]
    pub clean: f64,
    /// Exponent of `"low-noise"`; 1 unless given, an error with another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub power: Option<f64>,
    /// Decibels from and to of `"snr-uniform"`; `[-20, 40]` unless given, an error with another kind.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "pair")]
    #[schemars(inner(range(min = -1000, max = 1000)))]
    pub range_db: Option<[f64; 2]>,
    /// λ of `"push-forward"`; 1 unless given, an error with another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reinject: Option<f64>,
    /// λ of `"push-forward"` for the target; `reinject` unless given, an error with another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub target_reinject: Option<f64>,
}

/// Distribution of the diffusion step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Every step equally likely: [`StepDistribution::uniform`].
    #[default]
    Uniform,
    /// In favor of steps with more signal: [`StepDistribution::low_noise`] of the input process.
    LowNoise,
    /// Every decibel equally likely: [`StepDistribution::snr_uniform`] of the input process.
    SnrUniform,
    /// The control of an experiment: plain diffusion at the equivalent steps `τ(t)` of a given λ.
    ///
    /// Exact, because `t` stays whole and uniform, and [`Reinjection::equivalent_schedule`] replaces
    /// both schedules. Set `input.reinject` and `target.reinject` to 0 beside it.
    PushForward,
}

/// A checked `[noise]` table, with the processes and the sampler that it describes.
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
    /// The table with its defaults filled in.
    pub fn table(&self) -> &NoiseTable {
        &self.table
    }

    /// T; 0 for `schedule = "none"`.
    pub fn steps(&self) -> usize {
        self.input.steps()
    }

    /// The noise of the input window.
    pub fn input(&self) -> &Reinjection {
        &self.input
    }

    /// The noise of the target window, at the same steps.
    pub fn target(&self) -> &Reinjection {
        &self.target
    }

    /// The distribution of the steps that training draws.
    pub fn sampler(&self) -> &StepDistribution {
        &self.sampler
    }

    /// Law of the noise.
    pub fn shape(&self) -> NoiseShape {
        self.table.shape
    }

    /// Units in which windows and noise are added.
    pub fn space(&self) -> NoiseSpace {
        self.table.space
    }

    /// Law of the noised target that the decoder is trained with.
    pub fn likelihood(&self) -> TargetLikelihood {
        self.table.target.likelihood
    }
}

impl TryFrom<NoiseTable> for NoiseConfig {
    type Error = NoiseError;

    fn try_from(mut table: NoiseTable) -> Result<Self, NoiseError> {
        table.check_ranges()?;
        resolve_shape(&mut table)?;
        let sampling = table.sampler.resolve()?;
        let mut input = table.build_schedule()?;
        let mut target = input.scaled(table.target.scale)?;
        if let Sampling::PushForward { reinject, target_reinject } = sampling {
            input = push_forward(input, reinject)?;
            target = push_forward(target, target_reinject)?;
        }
        let input = Reinjection::new(input, table.input.reinject, table.input.normalization)?;
        let target = Reinjection::new(target, table.target.reinject, table.target.normalization)?;
        let sampler = sampling.over(&input)?.with_clean_fraction(table.sampler.clean)?;
        Ok(NoiseConfig { table, input, target, sampler })
    }
}

/// Refuses keys that contradict the shape, and writes the process of a coherent target into `table`: it is that of the
/// input, and its likelihood is direct.
///
/// # Errors
/// [`NoiseError::Contradiction`].
fn resolve_shape(table: &mut NoiseTable) -> Result<(), NoiseError> {
    let shape = table.shape;
    let refuse = |key, value: String, remedy| {
        let with = format!("`noise.shape = \"{shape}\"`");
        Err(NoiseError::Contradiction { key, value, with, remedy })
    };
    if !shape.is_coherent() {
        return match table.space {
            NoiseSpace::Raw => Ok(()),
            space => refuse(
                "noise.space",
                format!("{space:?}", space = space.to_string()),
                "set `noise.shape = \"gaussian\"`, or leave `noise.space` out",
            ),
        };
    }
    if table.input.normalization != Normalization::Variance {
        let value = format!("{:?}", table.input.normalization).to_lowercase();
        let remedy = "leave `normalization` out: noised windows keep the covariance of windows";
        return refuse("noise.input.normalization", format!("\"{value}\""), remedy);
    }
    let strength = table.input.reinject;
    if let Some(target) = table.sampler.target_reinject
        && target != table.sampler.reinject.unwrap_or(1.0)
    {
        let remedy = "leave it out: context and target are noised as one window";
        return refuse("noise.sampler.target_reinject", target.to_string(), remedy);
    }
    let whole = TargetTable {
        scale: 1.0,
        reinject: strength,
        normalization: Normalization::Variance,
        likelihood: TargetLikelihood::Direct,
    };
    let written = table.target;
    let left_out = TargetTable::default();
    let remedy = "leave `noise.target` out: context and target are noised as one window, with the strength \
                  `noise.input.reinject`";
    if written.scale != left_out.scale && written.scale != whole.scale {
        return refuse("noise.target.scale", written.scale.to_string(), remedy);
    }
    if written.reinject != left_out.reinject && written.reinject != whole.reinject {
        return refuse("noise.target.reinject", written.reinject.to_string(), remedy);
    }
    if written.normalization == Normalization::None {
        return refuse("noise.target.normalization", "\"none\"".to_owned(), remedy);
    }
    table.target = whole;
    Ok(())
}

impl From<NoiseConfig> for NoiseTable {
    fn from(config: NoiseConfig) -> Self {
        config.table
    }
}

/// No noise.
impl Default for NoiseConfig {
    fn default() -> Self {
        NoiseTable::default().try_into().expect("the defaults are legal; a test builds them")
    }
}

/// No noise.
impl Default for NoiseTable {
    fn default() -> Self {
        NoiseTable::new(ScheduleKind::Clean)
    }
}

impl NoiseTable {
    /// The table that names a schedule and leaves out every other key.
    pub fn new(schedule: ScheduleKind) -> Self {
        NoiseTable {
            schedule,
            steps: None,
            beta_start: beta_start(),
            beta_end: beta_end(),
            betas: None,
            shape: NoiseShape::White,
            space: NoiseSpace::Raw,
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
    /// Checks each number by itself, even if the chosen schedule and sampler do not read it.
    fn check_ranges(&self) -> Result<(), NoiseError> {
        let NoiseTable { input, target, sampler, .. } = self;
        let lambda = |given: Option<f64>| given.unwrap_or(1.0);
        for (key, value, low, high) in [
            ("noise.steps", self.steps.map_or(1.0, |steps| steps as f64), 1.0, MAX_STEPS as f64),
            ("noise.beta_start", self.beta_start, 0.0, 1.0),
            ("noise.beta_end", self.beta_end, 0.0, 1.0),
            ("noise.input.reinject", input.reinject, 0.0, MAX_STRENGTH),
            ("noise.target.reinject", target.reinject, 0.0, MAX_STRENGTH),
            ("noise.target.scale", target.scale, 0.0, MAX_STRENGTH),
            ("noise.sampler.clean", sampler.clean, 0.0, 1.0),
            ("noise.sampler.power", sampler.power.unwrap_or(1.0), 0.0, 1000.0),
            ("noise.sampler.reinject", lambda(sampler.reinject), 0.0, MAX_STRENGTH),
            ("noise.sampler.target_reinject", lambda(sampler.target_reinject), 0.0, MAX_STRENGTH),
        ] {
            in_range(key, value, low, high)?;
        }
        if let Some([low, high]) = sampler.range_db {
            in_range("noise.sampler.range_db[0]", low, -MAX_DB, MAX_DB)?;
            in_range("noise.sampler.range_db[1]", high, low.next_up(), MAX_DB)?;
        }
        Ok(())
    }

    /// Fills in `steps`, and builds the schedule of the input.
    fn build_schedule(&mut self) -> Result<Schedule, NoiseError> {
        let steps = *self.steps.get_or_insert(self.betas.as_ref().map_or(100, Vec::len));
        let (start, end) = (self.beta_start, self.beta_end);
        match (self.schedule, &self.betas) {
            (ScheduleKind::Custom, None) => {
                let kind = "schedule \"custom\"";
                Err(NoiseError::MissingKey { key: "noise.betas", kind })
            }
            (ScheduleKind::Custom, Some(betas)) if betas.len() != steps => {
                Err(NoiseError::StepsDisagree { steps, betas: betas.len() })
            }
            (ScheduleKind::Custom, Some(betas)) => Schedule::custom(betas),
            (_, Some(_)) => {
                let kind = "any schedule but \"custom\"";
                Err(NoiseError::UnusedKey { key: "noise.betas", kind })
            }
            (ScheduleKind::Linear, None) => Schedule::linear(steps, start, end),
            (ScheduleKind::Quadratic, None) => Schedule::quadratic(steps, start, end),
            (ScheduleKind::Sigmoid, None) => Schedule::sigmoid(steps, start, end),
            (ScheduleKind::Constant, None) => Schedule::constant(steps, end),
            (ScheduleKind::Cosine, None) => Schedule::cosine(steps),
            (ScheduleKind::Jsd, None) => Schedule::jsd(steps),
            (ScheduleKind::Clean, None) => Ok(Schedule::clean()),
        }
    }
}

impl SamplerTable {
    /// Fills in the keys of the chosen kind and refuses those of the others.
    fn resolve(&mut self) -> Result<Sampling, NoiseError> {
        use SamplerKind::{LowNoise, PushForward, SnrUniform, Uniform};
        for (key, given, kind) in [
            ("noise.sampler.power", self.power.is_some(), LowNoise),
            ("noise.sampler.range_db", self.range_db.is_some(), SnrUniform),
            ("noise.sampler.reinject", self.reinject.is_some(), PushForward),
            ("noise.sampler.target_reinject", self.target_reinject.is_some(), PushForward),
        ] {
            if given && self.kind != kind {
                return Err(NoiseError::UnusedKey { key, kind: "this kind of sampler" });
            }
        }
        Ok(match self.kind {
            Uniform => Sampling::Uniform,
            LowNoise => Sampling::LowNoise { power: *self.power.get_or_insert(1.0) },
            SnrUniform => {
                Sampling::SnrUniform { range_db: *self.range_db.get_or_insert([-20.0, 40.0]) }
            }
            PushForward => {
                let reinject = *self.reinject.get_or_insert(1.0);
                let target_reinject = *self.target_reinject.get_or_insert(reinject);
                Sampling::PushForward { reinject, target_reinject }
            }
        })
    }
}

/// A [`SamplerTable`] with its defaults, and only the keys that its kind reads.
#[derive(Clone, Copy)]
enum Sampling {
    Uniform,
    LowNoise { power: f64 },
    SnrUniform { range_db: [f64; 2] },
    PushForward { reinject: f64, target_reinject: f64 },
}

impl Sampling {
    fn over(self, input: &Reinjection) -> Result<StepDistribution, NoiseError> {
        match self {
            Sampling::Uniform | Sampling::PushForward { .. } => {
                Ok(StepDistribution::uniform(input))
            }
            Sampling::LowNoise { power } => StepDistribution::low_noise(input, power),
            Sampling::SnrUniform { range_db: [low, high] } => {
                StepDistribution::snr_uniform(input, low, high)
            }
        }
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
