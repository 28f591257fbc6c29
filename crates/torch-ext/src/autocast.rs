//! Regions of autocast.

use tch::{Device, Kind};

use crate::error::Result;
use crate::ffi::{self, Surroundings};

/// Runs `body`; on this device, operations that gain by it, matrix products above all, compute in `kind`.
///
/// With `enabled = false` they compute in the kind of their arguments, even within another region.
/// The state from before is restored when `body` returns or panics. Weights that were cast
/// are kept until the outermost region ends. Other threads are not affected, but a backward pass
/// runs in the kinds of its forward pass, on whichever thread.
///
/// # Errors
/// [`crate::TorchExtError::Kind`] if `kind` is neither `Half` nor `BFloat16`, and
/// [`crate::TorchExtError::NoSuchDevice`] if the device is not there. `body` has then not run.
pub fn autocast<T>(
    device: Device,
    kind: Kind,
    enabled: bool,
    body: impl FnOnce() -> T,
) -> Result<T> {
    let before = ffi::autocast_enter(device, kind, enabled)?;
    let region = Region { device, before };
    let result = body();
    drop(region);
    Ok(result)
}

/// A region, which ends when this is dropped.
struct Region {
    device: Device,
    before: Surroundings,
}

impl Drop for Region {
    fn drop(&mut self) {
        // It fails only for a device that is not there, and this one was there on entry.
        let left = ffi::autocast_leave(self.device, self.before);
        debug_assert!(left.is_ok(), "{left:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TorchExtError;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use tch::Tensor;

    const CPU: Device = Device::Cpu;

    fn kind_of_product() -> Kind {
        let x = Tensor::ones([4, 4], (Kind::Float, CPU));
        x.matmul(&x).kind()
    }

    #[test]
    fn a_region_has_its_kind_and_what_is_around_it_keeps_its_own() {
        assert_eq!(kind_of_product(), Kind::Float);
        autocast(CPU, Kind::BFloat16, true, || {
            assert_eq!(kind_of_product(), Kind::BFloat16);
            let inner = autocast(CPU, Kind::BFloat16, false, kind_of_product).unwrap();
            assert_eq!(inner, Kind::Float);
            let inner = autocast(CPU, Kind::Half, true, kind_of_product).unwrap();
            assert_eq!(inner, Kind::Half);
            assert_eq!(kind_of_product(), Kind::BFloat16);
        })
        .unwrap();
        assert_eq!(kind_of_product(), Kind::Float);
    }

    #[test]
    fn a_panic_within_ends_the_region() {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            autocast(CPU, Kind::BFloat16, true, || {
                assert_eq!(kind_of_product(), Kind::BFloat16);
                panic!("as planned");
            })
        }));
        assert!(caught.is_err());
        assert_eq!(kind_of_product(), Kind::Float);
    }

    /// A cache that outlived its region would keep the weight from before the update.
    #[test]
    fn a_weight_that_changed_between_regions_is_cast_again() {
        let mut weight = Tensor::ones([4, 4], (Kind::Float, CPU)).set_requires_grad(true);
        let x = Tensor::ones([4, 4], (Kind::Float, CPU));
        for value in [1.0, 2.0] {
            tch::no_grad(|| drop(weight.fill_(value)));
            let product = autocast(CPU, Kind::BFloat16, true, || x.matmul(&weight)).unwrap();
            assert_eq!(product.double_value(&[0, 0]), 4.0 * value);
        }
    }

    #[test]
    fn wrong_kinds_and_absent_devices_are_refused_before_the_body_runs() {
        let run = |device, kind| autocast(device, kind, true, || unreachable!()).unwrap_err();
        assert!(matches!(run(CPU, Kind::Int), TorchExtError::Kind { found: Kind::Int, .. }));
        let error = run(Device::Cuda(99), Kind::BFloat16);
        assert!(matches!(error, TorchExtError::NoSuchDevice { .. }), "{error}");
    }
}
