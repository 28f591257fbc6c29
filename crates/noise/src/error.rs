//! Errors of schedules, processes and samplers, and of the tensors handed to them.

use tch::{Device, Kind, TchError};

/// Every way in which this crate refuses its input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// A number lies outside the range in which it means something.
    #[error("`{name}` is {value}; it must lie in {low}..={high}")]
    OutOfRange {
        /// The parameter, as the configuration spells it.
        name: &'static str,
        /// The value given.
        value: f64,
        /// Smallest legal value.
        low: f64,
        /// Largest legal value.
        high: f64,
    },

    /// The number of diffusion steps is zero or too large to tabulate.
    #[error("`steps` is {steps}; it must lie in 1..={max} (schedule \"none\" has no steps)")]
    Steps {
        /// The number given.
        steps: usize,
        /// Largest legal number.
        max: usize,
    },

    /// The two ends of a schedule are the wrong way round.
    #[error("`beta_start` is {start} and `beta_end` is {end}; the start must not exceed the end")]
    BetaOrder {
        /// β of the first step.
        start: f64,
        /// β of the last step.
        end: f64,
    },

    /// A β, listed or scaled, is not a fraction of the variance.
    #[error("beta of step {t} is {value}; it must lie in 0..=1")]
    Beta {
        /// Diffusion step, from 1.
        t: usize,
        /// The value given, or its product with the scale.
        value: f64,
    },

    /// The chosen kind needs a key that is absent.
    #[error("`{key}` is missing; {kind} needs it")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The kind of schedule or sampler that needs it.
        kind: &'static str,
    },

    /// A key has no meaning for the chosen kind.
    #[error("`{key}` has no meaning for {kind}")]
    UnusedKey {
        /// The key.
        key: &'static str,
        /// The kind that does not read it.
        kind: &'static str,
    },

    /// A key contradicts another choice, for example the shape of the noise.
    #[error("`{key}` is {value}, which {with} does not allow; {remedy}")]
    Contradiction {
        /// The key.
        key: &'static str,
        /// Its value, as written.
        value: String,
        /// The other choice.
        with: String,
        /// The remedy: a line for the config.
        remedy: &'static str,
    },

    /// `steps` and the length of `betas` contradict each other.
    #[error("`steps` is {steps}, but `betas` lists {betas} values")]
    StepsDisagree {
        /// Value of `steps`.
        steps: usize,
        /// Length of `betas`.
        betas: usize,
    },

    /// Dividing by the signal amplifies the noise beyond what a float can carry beside `x_0`.
    #[error(
        "step {t} keeps {snr_db:.0} dB of signal, below the {min_db} dB that normalization \
         \"signal\" can restore; re-inject, or use \"variance\""
    )]
    TooLittleSignal {
        /// First offending diffusion step.
        t: usize,
        /// Its signal-to-noise ratio in decibels.
        snr_db: f64,
        /// The limit in decibels.
        min_db: f64,
    },

    /// A step distribution has nothing left to draw.
    #[error("no diffusion step has signal left to be weighted by ({sampler})")]
    NothingToDraw {
        /// The sampler that found no step.
        sampler: &'static str,
    },

    /// A step distribution and a process differ in their number of steps.
    #[error("the step distribution covers 0..={found}, the process 0..={expected}")]
    StepsMismatch {
        /// T of the process.
        expected: usize,
        /// T of the distribution.
        found: usize,
    },

    /// A diffusion step lies outside the schedule.
    #[error("diffusion step {t} lies outside 0..={steps}")]
    StepOutOfRange {
        /// The step given, whole or real-valued.
        t: f64,
        /// T.
        steps: usize,
    },

    /// A tensor has the wrong shape.
    #[error("`{tensor}` has shape {found:?}; {expected}")]
    Shape {
        /// The argument.
        tensor: &'static str,
        /// Its shape.
        found: Vec<i64>,
        /// The expectation, in words.
        expected: String,
    },

    /// A tensor has the wrong element kind.
    #[error("`{tensor}` is {found:?}; expected {expected:?}")]
    Kind {
        /// The argument.
        tensor: &'static str,
        /// Its kind.
        found: Kind,
        /// The expected kind.
        expected: Kind,
    },

    /// The element kind is not one that noise is computed in.
    #[error("noise is computed in Float, Double or BFloat16, not in {0:?}")]
    UnsupportedKind(Kind),

    /// A tensor lies on another device than the tables.
    #[error("`{tensor}` is on {found:?}; the tables are on {expected:?}")]
    Device {
        /// The argument.
        tensor: &'static str,
        /// Where it lies.
        found: Device,
        /// Where it should lie.
        expected: Device,
    },

    /// libtorch failed, for example because memory ran out.
    #[error(transparent)]
    Tch(#[from] TchError),
}

/// `value`, if it lies in `low..=high`; NaN does not.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<f64, NoiseError> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(NoiseError::OutOfRange { name, value, low, high })
    }
}
