//! The quantity that a decoder describes, and its units relative to the window.

use feed::Batch;
use tch::Tensor;

use super::Prepared;
use crate::error::TrainError;

/// The quantity that the decoder describes. `signal` is `a^y_0`, the factor by which noising multiplies a target at
/// step 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// The clean context, for `autoencode`.
    Context,
    /// The clean target behind the noised one.
    Clean { signal: f64 },
    /// The noised target itself, which at step 0 is the target times `signal`.
    Noised { signal: f64 },
}

/// Signal and standard deviation of the noise, each `[B, 1, 1]`.
pub(super) type Noise<'a> = (&'a Tensor, &'a Tensor);

impl Target {
    /// The truth in standardized units, and where it was observed.
    pub(super) fn truth(self, batch: &Batch) -> (&Tensor, Option<&Tensor>) {
        match self {
            Target::Context => (&batch.context, batch.context_observed.as_ref()),
            Target::Clean { .. } | Target::Noised { .. } => {
                (&batch.target, batch.target_observed.as_ref())
            }
        }
    }

    /// The truth in the units of the decoder, for a batch that was prepared without noise.
    pub(super) fn clean(self, batch: &Batch, prepared: &Prepared) -> Result<Tensor, TrainError> {
        Ok(match self {
            Target::Context => prepared.instance.apply(&batch.context)?,
            Target::Clean { signal } => &prepared.target / signal,
            Target::Noised { .. } => prepared.target.shallow_clone(),
        })
    }

    /// The values that the likelihood scores, and their noise if the likelihood has to account for it.
    pub(super) fn scored<'a>(
        self,
        batch: &Batch,
        prepared: &'a Prepared,
    ) -> Result<(Tensor, Option<Noise<'a>>), TrainError> {
        Ok(match (self, &prepared.noise) {
            (Target::Clean { .. }, Some((signal, std))) => {
                (prepared.target.shallow_clone(), Some((signal, std)))
            }
            (Target::Context | Target::Clean { .. } | Target::Noised { .. }, _) => {
                (self.clean(batch, prepared)?, None)
            }
        })
    }

    /// Converts values of the decoder to the units of the window.
    pub(super) fn to_window(self, values: Tensor) -> Tensor {
        match self {
            Target::Noised { signal } if signal != 1.0 => values / signal,
            Target::Context | Target::Clean { .. } | Target::Noised { .. } => values,
        }
    }

    /// The inverse of [`Target::to_window`].
    pub(super) fn of_window(self, values: Tensor) -> Tensor {
        match self {
            Target::Noised { signal } if signal != 1.0 => values * signal,
            Target::Context | Target::Clean { .. } | Target::Noised { .. } => values,
        }
    }

    /// The logarithm of the derivative of [`Target::of_window`]: the log density of a value of the window is that of
    /// the decoder's value plus this.
    pub(super) fn log_jacobian(self) -> f64 {
        match self {
            Target::Noised { signal } => signal.ln(),
            Target::Context | Target::Clean { .. } => 0.0,
        }
    }
}
