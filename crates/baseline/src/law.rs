//! The interface of fitted baselines: the law of the target of a window.

use std::fmt::Debug;

use feed::Batch;
use tch::Tensor;

use crate::error::Result;

/// A fitted forecaster of windows, in standardized units.
///
/// Only densities read the target of the batch.
pub(crate) trait Law: Debug {
    /// Samples `[S, B, H, C]`, drawn from torch's generator.
    fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor>;

    /// The mean of the law that [`Law::sample`] draws from, `[B, H, C]`.
    fn mean(&self, batch: &Batch) -> Result<Tensor>;

    /// The log density of each element of the target, `[B, H, C]`, in nats; laws without a closed form average the
    /// density over `draws` paths.
    fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor>;
}

/// Maximum number of training values in a kernel estimate.
pub(crate) const MAX_COMPONENTS: usize = 200;

/// Maximum number of elements in an intermediate tensor of a density.
pub(crate) const NUMBERS: i64 = 1 << 19;
