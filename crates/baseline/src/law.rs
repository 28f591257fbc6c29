//! A fitted law of what follows a window.

use std::fmt::Debug;

use feed::Batch;
use tch::Tensor;

use crate::error::Result;

/// A fitted forecaster of windows, in standardized units.
///
/// A target in the batch is looked at by densities only.
pub(crate) trait Law: Debug {
    /// Samples `[S, B, H, C]`, drawn from torch's generator.
    fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor>;

    /// The mean of the law that is sampled, `[B, H, C]`.
    fn mean(&self, batch: &Batch) -> Result<Tensor>;

    /// The log density of each element of the target, `[B, H, C]`, in nats; laws without a closed form average over
    /// `draws` paths.
    fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor>;
}

/// The most training values that make up a kernel estimate.
pub(crate) const MAX_COMPONENTS: usize = 200;

/// The most numbers of a density that are worked on at once.
pub(crate) const NUMBERS: i64 = 1 << 19;
