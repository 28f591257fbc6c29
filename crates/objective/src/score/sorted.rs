//! Samples sorted once, from which every score of single elements is computed.

use tch::{Device, Kind, Tensor};

use super::{PairEstimator, check_finite, check_pairing};
use crate::error::{ObjectiveError, Result, check_float, check_range, wrong_shape};

/// Finite samples `[S, ...]` in ascending order along the first axis.
///
/// Sorting takes most of the time of a score, so several scores should share one sort.
#[derive(Debug)]
pub struct SortedSamples {
    ascending: Tensor,
}

impl SortedSamples {
    /// Sorts samples.
    ///
    /// # Shapes
    /// `samples`: `[S, ...]`, S ≥ 1, in any order.
    ///
    /// # Errors
    /// If there is no sample, one is not finite, or they are not floating point.
    pub fn new(samples: &Tensor) -> Result<Self> {
        if !on_kernels(samples) {
            check(samples)?;
            return Ok(Self { ascending: samples.detach().f_sort(0, false)?.0 });
        }
        check_some(samples)?;
        let (ascending, missing) = torch_ext::sorted(&samples.detach())?;
        match missing {
            0 => Ok(Self { ascending }),
            count => Err(ObjectiveError::NotFinite { what: "samples", count }),
        }
    }

    /// Takes samples that are in ascending order already, such as sorted ones after an increasing map.
    ///
    /// # Shapes
    /// `samples`: `[S, ...]`, S ≥ 1.
    ///
    /// # Errors
    /// As [`Self::new`], and if they are not in ascending order.
    pub fn from_ascending(samples: &Tensor) -> Result<Self> {
        check(samples)?;
        if samples.size()[0] > 1 && samples.numel() > 0 {
            let step = samples.f_diff(1, 0, None::<Tensor>, None::<Tensor>)?;
            let least = step.min().double_value(&[]);
            check_range("least step of sorted samples", least, "[0, ∞)", least >= 0.0)?;
        }
        Ok(Self { ascending: samples.detach() })
    }

    /// The samples in ascending order, `[S, ...]`, of the kind they came in.
    pub fn samples(&self) -> &Tensor {
        &self.ascending
    }

    /// As [`super::crps`].
    ///
    /// # Errors
    /// If the shapes do not fit, or `S < 2` for [`PairEstimator::Fair`].
    pub fn crps(&self, truth: &Tensor, pairs: PairEstimator) -> Result<Tensor> {
        check_pairing(&self.ascending, truth)?;
        let divisor = pairs.pairs(self.ascending.size()[0])?;
        if on_kernels(&self.ascending) {
            let truth = truth.detach().f_to_kind(Kind::Double)?;
            return Ok(torch_ext::sorted_crps(&self.ascending, &truth, divisor)?);
        }
        // Subtracting the truth first changes no difference, and avoids cancellation at large offsets.
        let errors = self.ascending.to_kind(Kind::Double) - truth.detach().to_kind(Kind::Double);
        Ok(crps_of_sorted(&errors, divisor))
    }

    /// As [`super::pit`].
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn pit(&self, truth: &Tensor) -> Result<Tensor> {
        check_pairing(&self.ascending, truth)?;
        let share =
            |condition: Tensor| condition.sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
        let below = share(self.ascending.lt_tensor(truth));
        let equal = share(self.ascending.eq_tensor(truth));
        Ok((below + equal * 0.5 + 0.5) / (self.ascending.size()[0] + 1) as f64)
    }
}

/// Whether the kernels of `torch_ext` take these samples.
pub(super) fn on_kernels(samples: &Tensor) -> bool {
    samples.device() == Device::Cpu && matches!(samples.kind(), Kind::Float | Kind::Double)
}

fn check(samples: &Tensor) -> Result<()> {
    check_some(samples)?;
    check_finite(samples)
}

fn check_some(samples: &Tensor) -> Result<()> {
    check_float("samples", samples)?;
    if samples.size().first().is_none_or(|&count| count == 0) {
        return Err(wrong_shape("samples", samples, "[S, ...] with S ≥ 1"));
    }
    Ok(())
}

/// The CRPS from sorted errors `x_(i) − y`, `[S, ...]` in f64.
fn crps_of_sorted(sorted: &Tensor, divisor: f64) -> Tensor {
    let count = sorted.size()[0];
    let ranks = Tensor::arange_start(1, count + 1, (Kind::Double, sorted.device()));
    let weights = ranks * 2.0 - (count + 1) as f64;
    let spread = sorted.movedim_int(0, -1).matmul(&weights);
    sorted.abs().mean_dim([0i64].as_slice(), false, None::<Kind>) - spread / divisor
}
