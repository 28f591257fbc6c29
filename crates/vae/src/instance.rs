//! Instance normalization: every window relative to its own level and spread.

use objective::Likelihood;
use tch::{Kind, Tensor};

use crate::Center;
use crate::error::Result;

/// Level and floored standard deviation of each window and channel, and the map they define.
///
/// ```text
/// u = (x − center) / scale,    center = mean or last value,    scale = max(std, floor)
/// ```
///
/// Computed on the clean context and applied to context and target before any noise is added, so
/// that the strength of the noise is relative to the window. The floor matters: without it, a context
/// that happens to be flat would turn an ordinary horizon into thousands of standard deviations.
///
/// # References
/// Kim et al. (2022), eq. 1 and 4, "Reversible instance normalization", without the learned affine map.
#[derive(Debug)]
pub struct Instance {
    /// Level of each window, `[B, 1, C]`, in standardized units.
    pub center: Tensor,
    /// Floored standard deviation of each window, `[B, 1, C]`, in standardized units.
    pub scale: Tensor,
    identity: bool,
}

impl Instance {
    /// Statistics of `targets [B, L, C]`, over observed values only where a mask is given.
    ///
    /// A channel without a single observed value is left as it is (center 0, scale 1).
    pub(crate) fn fit(
        targets: &Tensor,
        observed: Option<&Tensor>,
        center: Center,
        floor: f64,
    ) -> Result<Instance> {
        let along = Some([1i64].as_slice());
        let Some(observed) = observed else {
            // Two passes are faster: libtorch's own variance goes through the values one by one.
            let mean = targets.f_mean_dim(along, true, None)?;
            let variance = targets.f_sub(&mean)?.f_square_()?.f_mean_dim(along, true, None)?;
            let scale = variance.f_sqrt()?.f_clamp_min(floor)?;
            let center = match center {
                Center::Mean => mean,
                Center::Last => targets.f_narrow(1, -1, 1)?,
            };
            return Ok(Instance { center, scale, identity: false });
        };
        // `where` and not a product: a missing value may be stored as NaN.
        let observed = observed.f_not_equal(0.0)?;
        let keep = |values: &Tensor| values.f_where_self(&observed, &values.f_zeros_like()?);
        let count = observed.f_sum_dim_intlist(along, true, targets.kind())?;
        let safe_count = count.f_clamp_min(1.0)?;
        let mean = keep(targets)?.f_sum_dim_intlist(along, true, targets.kind())? / &safe_count;
        let centered = keep(&(targets - &mean))?;
        let variance =
            centered.f_square()?.f_sum_dim_intlist(along, true, targets.kind())? / &safe_count;
        let scale = variance.f_sqrt()?.f_clamp_min(floor)?;
        let scale = scale.f_where_self(&count.f_greater(0.0)?, &scale.f_ones_like()?)?;
        let center = match center {
            Center::Mean => mean,
            Center::Last => {
                // The running count first reaches its maximum at the last observed value.
                let seen = observed.f_cumsum(1, Kind::Int64)?;
                let last = seen.f_argmax(1, true)?;
                keep(targets)?.f_gather(1, &last, false)?
            }
        };
        Ok(Instance { center, scale, identity: false })
    }

    /// The map that changes nothing, for `targets [B, L, C]`.
    pub(crate) fn identity(targets: &Tensor) -> Result<Instance> {
        let size = targets.size();
        let options = (targets.kind(), targets.device());
        let center = Tensor::f_zeros([size[0], 1, size[2]], options)?;
        let scale = Tensor::f_ones([size[0], 1, size[2]], options)?;
        Ok(Instance { center, scale, identity: true })
    }

    /// The map of `count` examples from `first` on.
    ///
    /// # Errors
    /// [`crate::VaeError::Torch`] if there are fewer.
    pub fn part(&self, first: i64, count: i64) -> Result<Instance> {
        Ok(Instance {
            center: self.center.f_narrow(0, first, count)?,
            scale: self.scale.f_narrow(0, first, count)?,
            identity: self.identity,
        })
    }

    /// Converts standardized values to instance units.
    ///
    /// # Shapes
    /// `values`: `[.., B, T, C]` for any `T`. Returns the same shape.
    ///
    /// # Errors
    /// [`crate::VaeError::Torch`] if the shapes do not broadcast.
    pub fn apply(&self, values: &Tensor) -> Result<Tensor> {
        if self.identity {
            return Ok(values.shallow_clone());
        }
        Ok(values.f_sub(&self.center)?.f_div_(&self.scale)?)
    }

    /// Converts values in instance units back to standardized ones.
    ///
    /// # Shapes
    /// `values`: `[.., B, T, C]`, samples first. Returns the same shape.
    ///
    /// # Errors
    /// [`crate::VaeError::Torch`] if the shapes do not broadcast.
    pub fn invert(&self, values: &Tensor) -> Result<Tensor> {
        if self.identity {
            return Ok(values.shallow_clone());
        }
        Ok(values.f_mul(&self.scale)?.f_add(&self.center)?)
    }

    /// Converts a likelihood in instance units to one of standardized values.
    ///
    /// The density is divided by the scale: its logarithm differs by `−Σ ln scale`.
    ///
    /// # Errors
    /// [`crate::VaeError::Objective`] if the shapes do not broadcast.
    pub fn invert_likelihood(&self, likelihood: &Likelihood) -> Result<Likelihood> {
        Ok(likelihood.affine(&self.scale, &self.center)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn windows() -> Tensor {
        let base = Tensor::randn([5, 24, 3], (Kind::Double, Device::Cpu));
        base * 3.0 + 10.0
    }

    /// Oracle: after the map every window has mean 0 and mean square 1, and the inverse undoes it.
    #[test]
    fn windows_are_standardized_and_come_back() {
        let x = windows();
        let instance = Instance::fit(&x, None, Center::Mean, 0.1).unwrap();
        let u = instance.apply(&x).unwrap();
        let along = Some([1i64].as_slice());
        assert!(u.mean_dim(along, false, Kind::Double).abs().max().double_value(&[]) < 1e-12);
        let square = u.square().mean_dim(along, false, Kind::Double);
        assert!((square - 1.0).abs().max().double_value(&[]) < 1e-12);
        let samples = u.unsqueeze(0).repeat([4, 1, 1, 1]);
        let back = instance.invert(&samples).unwrap();
        assert!((back - x.unsqueeze(0)).abs().max().double_value(&[]) < 1e-12);
    }

    #[test]
    fn a_flat_window_is_divided_by_the_floor() {
        let flat = Tensor::full([2, 24, 3], 5.0, (Kind::Float, Device::Cpu));
        let instance = Instance::fit(&flat, None, Center::Mean, 0.1).unwrap();
        let far = instance.apply(&(&flat + 1.0)).unwrap();
        assert!((far - 10.0).abs().max().double_value(&[]) < 1e-4);
    }

    /// Oracle: the statistics of the observed values alone; unseen channels pass unchanged.
    #[test]
    fn missing_values_do_not_count() {
        let x = windows();
        let observed = Tensor::ones([5, 24, 3], (Kind::Double, Device::Cpu));
        let _ = observed.narrow(1, 6, 18).narrow(2, 0, 1).fill_(0.0);
        let _ = observed.narrow(2, 2, 1).fill_(0.0);
        let holes = x.where_self(&observed.not_equal(0.0), &Tensor::from(f64::NAN));
        let found = Instance::fit(&holes, Some(&observed), Center::Mean, 0.1).unwrap();
        let expected = Instance::fit(&x.narrow(1, 0, 6), None, Center::Mean, 0.1).unwrap();
        let gap = |a: &Tensor, b: &Tensor, channel: i64| {
            (a - b).narrow(2, channel, 1).abs().max().double_value(&[])
        };
        assert!(gap(&found.center, &expected.center, 0) < 1e-12);
        assert!(gap(&found.scale, &expected.scale, 0) < 1e-12);
        assert_eq!(found.center.narrow(2, 2, 1).abs().max().double_value(&[]), 0.0);
        assert_eq!(found.scale.narrow(2, 2, 1).max().double_value(&[]), 1.0);
    }

    /// Oracle: the last value of a whole window; the value picked by hand where the last ones are missing, and
    /// zero where all are. The spread is that of the window either way.
    #[test]
    fn the_last_observed_value_can_be_the_center() {
        let x = windows();
        let found = Instance::fit(&x, None, Center::Last, 0.1).unwrap();
        let mean = Instance::fit(&x, None, Center::Mean, 0.1).unwrap();
        assert_eq!(found.center, x.narrow(1, 23, 1));
        assert_eq!(found.scale, mean.scale);
        let observed = x.ones_like();
        let _ = observed.narrow(1, 20, 4).narrow(2, 1, 1).fill_(0.0);
        let _ = observed.narrow(2, 2, 1).fill_(0.0);
        let holes = x.where_self(&observed.not_equal(0.0), &Tensor::from(f64::NAN));
        let found = Instance::fit(&holes, Some(&observed), Center::Last, 0.1).unwrap();
        let channel = |tensor: &Tensor, channel: i64| tensor.narrow(2, channel, 1);
        assert_eq!(channel(&found.center, 0), channel(&x.narrow(1, 23, 1), 0));
        assert_eq!(channel(&found.center, 1), channel(&x.narrow(1, 19, 1), 1));
        assert_eq!(channel(&found.center, 2).abs().max().double_value(&[]), 0.0);
    }
}
