//! The `[train]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_COUNT;

/// The `[train]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Whether the linear skip starts as the ridge regression of the training windows.
    pub ridge_start: bool,
    /// Whether `model.instance_norm` is chosen before training, unless it is given. Normalization is turned off if the
    /// level of a horizon does not follow the level of its context, as with returns, and ridge regression has a clearly
    /// smaller CRPS without it, both on three or more validation horizons that do not overlap and within the training
    /// rows.
    pub choose_instance_norm: bool,
    /// Passes over the windows, or groups of `steps_per_epoch` steps; 0 to choose by their number. See
    /// `TrainConfig::resolved` for the rule.
    #[schemars(range(max = MAX_COUNT))]
    pub epochs: usize,
    /// Maximum number of optimizer steps if `epochs` is 0.
    #[schemars(range(min = 1, max = MAX_COUNT))]
    pub max_steps: usize,
    /// Whether to validate at the start and several times in the first epoch too, so that the ridge start is a
    /// candidate. Off by default if `epochs` is given.
    pub validate_early: bool,
    /// Whether the selected training is repeated on all rows, for the weights that forecast. They have seen the rows of
    /// validation and test too, and `ballast evaluate` scores those that have not.
    pub refit: bool,
    /// Windows per optimizer step.
    #[schemars(range(min = 1, max = MAX_COUNT))]
    pub batch_size: usize,
    /// Optimizer steps per epoch; 0 for one whole pass.
    #[schemars(range(max = MAX_COUNT))]
    pub steps_per_epoch: usize,
    /// Step size of AdamW.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Schedule of the step size over the training.
    pub learning_rate_schedule: LearningRateSchedule,
    /// Number of optimizer steps over which the step size rises from zero.
    #[schemars(range(max = MAX_COUNT))]
    pub warmup_steps: usize,
    /// Decoupled weight decay of matrices towards zero, and of a linear skip towards its ridge start.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// Whether vectors (biases, norms) decay too.
    pub decay_vectors: bool,
    /// Decay of the moving average of the weights, which validation and the result use; 0 for none.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub ema_decay: f64,
    /// Precision of the networks.
    pub precision: Precision,
    /// Largest norm of the gradient; 0 for no clipping.
    #[schemars(range(min = 0))]
    pub clip_norm: f64,
    /// Epochs without a better validation score before training stops; 0 to never stop early. `keep = "last"` ignores
    /// this key.
    #[schemars(range(max = MAX_COUNT))]
    pub patience: usize,
    /// Forecast samples per validation window.
    #[schemars(range(min = 2, max = MAX_COUNT))]
    pub validation_samples: usize,
    /// Rows between neighboring validation windows; 0 to take the stride of the test windows. If that gives fewer than
    /// 100 validation windows, 0 takes the largest divisor of that stride that gives 100, or else 1.
    #[schemars(range(max = MAX_COUNT))]
    pub validation_stride: usize,
    /// Weights to keep.
    pub keep: Keep,
}

/// Precision of the networks; parameters, likelihood, KL divergence and gradients stay f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// bf16 on CUDA, f32 elsewhere.
    Auto,
    /// 32 bits.
    F32,
    /// Matrix products in bfloat16 (autocast).
    Bf16,
}

impl Precision {
    /// Number type of the networks on `device`; `None` for f32.
    pub(crate) fn half(self, device: tch::Device) -> Option<tch::Kind> {
        match self {
            Precision::Auto => device.is_cuda().then_some(tch::Kind::BFloat16),
            Precision::F32 => None,
            Precision::Bf16 => Some(tch::Kind::BFloat16),
        }
    }

    /// The name of the precision on `device`, as in `run.json`.
    pub(crate) fn name(self, device: tch::Device) -> &'static str {
        if self.half(device).is_some() { "bf16" } else { "f32" }
    }
}

/// Weights of a training to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The weights of the epoch with the best validation score.
    Best,
    /// The weights of the last epoch, which is training without selection.
    Last,
    /// The weights of the best epoch, and in `last.safetensors` those of the last one.
    Both,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            ridge_start: true,
            choose_instance_norm: true,
            epochs: 0,
            max_steps: 2500,
            validate_early: true,
            refit: true,
            batch_size: 64,
            steps_per_epoch: 100,
            learning_rate: 1e-3,
            learning_rate_schedule: LearningRateSchedule::Cosine,
            warmup_steps: 0,
            weight_decay: 1.0,
            decay_vectors: false,
            ema_decay: 0.995,
            precision: Precision::Auto,
            clip_norm: 1.0,
            patience: 0,
            validation_samples: 30,
            validation_stride: 0,
            keep: Keep::Best,
        }
    }
}

/// Schedule of the step size over the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LearningRateSchedule {
    /// The same step size throughout.
    Constant,
    /// Half a cosine, down to zero at the last step of the last epoch.
    Cosine,
    /// Multiplication by `factor` after every `every` epochs.
    Step {
        /// Epochs between two changes.
        #[schemars(range(min = 1, max = MAX_COUNT))]
        every: usize,
        /// Factor of the step size.
        #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
        factor: f64,
    },
}

/// Number of epochs of a training whose length follows from the number of windows.
const EPOCHS: usize = 25;
/// Training windows up to which [`LEAST_STEPS`] are enough.
const FEW_WINDOWS: f64 = 150.0;
/// Optimizer steps of the shortest such training.
const LEAST_STEPS: f64 = 50.0;

impl TrainConfig {
    /// The same training with its length in numbers, over `windows` training windows. It changes a table with
    /// `epochs = 0` only.
    ///
    /// ```text
    /// steps = min(max(50, 50 · (windows / 150)^1.5), max_steps)
    /// ```
    ///
    /// That is 50 steps for up to 150 windows and 2500 for 2036 or more. They make up 25 epochs, or more if
    /// `steps_per_epoch` is smaller; the last epoch may add a few steps.
    #[must_use]
    pub fn resolved(&self, windows: i64) -> TrainConfig {
        if self.epochs > 0 {
            return self.clone();
        }
        let grown = LEAST_STEPS * (windows as f64 / FEW_WINDOWS).powf(1.5);
        let steps = (grown.max(LEAST_STEPS).round() as usize).min(self.max_steps).max(1);
        let most = if self.steps_per_epoch == 0 { steps } else { self.steps_per_epoch };
        let per_epoch = steps.div_ceil(EPOCHS).min(most);
        TrainConfig {
            epochs: steps.div_ceil(per_epoch),
            steps_per_epoch: per_epoch,
            ..self.clone()
        }
    }

    /// The steps of the first epoch, of `per_epoch` steps, after which to validate: an eighth, a quarter and a half of
    /// it, besides its end.
    pub(crate) fn early_steps(&self, per_epoch: usize) -> Vec<usize> {
        let shares = if self.validate_early { &[8, 4, 2][..] } else { &[] };
        let mut steps: Vec<usize> = shares.iter().map(|share| per_epoch / share).collect();
        steps.dedup();
        steps.retain(|&step| step > 0 && step < per_epoch);
        steps
    }

    /// Optimizer steps of an epoch over `windows` training windows.
    pub(crate) fn steps_of_epoch(&self, windows: i64) -> usize {
        match self.steps_per_epoch {
            0 => (windows as usize).div_ceil(self.batch_size),
            steps => steps,
        }
    }

    /// The step size of an optimizer step, from 0, where an epoch has `per_epoch` of them.
    pub fn learning_rate_at(&self, step: usize, per_epoch: usize) -> f64 {
        let per_epoch = per_epoch.max(1);
        let share = (step as f64 / (self.epochs * per_epoch) as f64).min(1.0);
        let decay = match self.learning_rate_schedule {
            LearningRateSchedule::Constant => 1.0,
            LearningRateSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
            LearningRateSchedule::Step { every, factor } => {
                factor.powi((step / per_epoch / every.max(1)) as i32)
            }
        };
        let warmup = match self.warmup_steps {
            0 => 1.0,
            steps => ((step + 1) as f64 / steps as f64).min(1.0),
        };
        self.learning_rate * decay * warmup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: steps by hand; 50 · (600 / 150)^1.5 = 50 · 8.
    #[test]
    fn the_length_follows_from_the_windows() {
        let of = |windows, table: &TrainConfig| {
            let TrainConfig { epochs, steps_per_epoch, .. } = table.resolved(windows);
            (epochs, steps_per_epoch)
        };
        let table = TrainConfig::default();
        for (windows, expected) in
            [(0, (25, 2)), (1, (25, 2)), (150, (25, 2)), (600, (25, 16)), (2036, (25, 100))]
        {
            assert_eq!(of(windows, &table), expected, "{windows}");
        }
        assert_eq!(of(1_000_000, &table), (25, 100));
        assert_eq!(of(10_000, &TrainConfig { max_steps: 10_000, ..table.clone() }), (100, 100));
        assert_eq!(of(600, &TrainConfig { max_steps: 7, ..table.clone() }), (7, 1));
        assert_eq!(of(600, &TrainConfig { steps_per_epoch: 0, ..table.clone() }), (25, 16));
        assert_eq!(of(600, &TrainConfig { steps_per_epoch: 5, ..table.clone() }), (80, 5));
        let given = TrainConfig { epochs: 3, steps_per_epoch: 0, ..table };
        assert_eq!(given.resolved(600), given);
    }

    #[test]
    fn the_first_epoch_is_validated_early() {
        let table = TrainConfig::default();
        for (per_epoch, expected) in [
            (1, vec![]),
            (2, vec![1]),
            (4, vec![1, 2]),
            (16, vec![2, 4, 8]),
            (100, vec![12, 25, 50]),
        ] {
            assert_eq!(table.early_steps(per_epoch), expected);
        }
        let late = TrainConfig { validate_early: false, ..table };
        assert!(late.early_steps(100).is_empty());
    }

    /// Oracle: the cosine at its start, middle and end, the steps by hand, and the warm-up at its middle.
    #[test]
    fn learning_rates_rise_and_fall() {
        let of = |learning_rate_schedule| TrainConfig {
            epochs: 10,
            learning_rate: 2.0,
            learning_rate_schedule,
            ..TrainConfig::default()
        };
        let cosine = of(LearningRateSchedule::Cosine);
        for (step, expected) in [(0, 2.0), (50, 1.0), (100, 0.0), (200, 0.0)] {
            assert!((cosine.learning_rate_at(step, 10) - expected).abs() < 1e-12, "{step}");
        }
        let steps = of(LearningRateSchedule::Step { every: 2, factor: 0.5 });
        for (step, expected) in [(0, 2.0), (19, 2.0), (20, 1.0), (39, 1.0), (40, 0.5)] {
            assert_eq!(steps.learning_rate_at(step, 10), expected, "{step}");
        }
        let table = TrainConfig { warmup_steps: 10, ..of(LearningRateSchedule::Constant) };
        for (step, expected) in [(4, 1.0), (9, 2.0), (99, 2.0)] {
            assert!((table.learning_rate_at(step, 10) - expected).abs() < 1e-12, "{step}");
        }
    }
}
