//! Random numbers by place.

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::ffi;
use crate::share::{draw_share, places};

/// Draws of the standard Laplace law, density `½ e^{−|x|}`.
///
/// On the CPU and in f32 each number is a function of a key and of its place in the tensor, by the generator Philox
/// 4x32-10, so that any number of threads gives the same bits. The key is the one thing that is taken from torch's
/// generator, whose state decides everything. Elsewhere it is the difference of two exponentials of torch.
///
/// # Shapes
/// Numbers of one row lie in the last two axes of `size`, rows along the others.
///
/// # Errors
/// [`TorchExtError::Torch`](crate::TorchExtError::Torch) if memory runs out.
///
/// # References
/// Salmon, Moraes, Dror & Shaw (2011), *Parallel random numbers: as easy as 1, 2, 3*, section 3.3.
pub fn laplace(size: &[i64], options: (Kind, Device)) -> Result<Tensor> {
    if options != (Kind::Float, Device::Cpu) {
        let differences = |size: &[i64]| {
            let mut draws = Tensor::f_empty([&[2], size].concat(), options)?;
            let draws = draws.f_exponential_(1.0)?;
            draws.f_get(0)?.f_sub(&draws.f_get(1)?)
        };
        return Ok(draw_share(size, 3.min(size.len()), differences)?);
    }
    let (rows, row) = size.split_at(size.len().saturating_sub(2));
    let draws = Tensor::f_empty([rows.iter().product(), row.iter().product::<i64>()], options)?;
    ffi::laplace(&draws, places(rows.last().copied().unwrap_or(1), 1))?;
    Ok(draws.f_view(size)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the known answer of Random123, the authors' implementation, for counter and key 0; and places: a narrower
    /// row has the same numbers, another row and another key have others.
    #[test]
    fn bits_are_those_of_philox() {
        let wide = ffi::random_bits(0, 150, 2);
        assert_eq!(
            [0, 16, 32, 48].map(|lane| wide[lane]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(ffi::random_bits(0, 70, 2)[..], [&wide[..70], &wide[150..220]].concat());
        assert_ne!(wide[..64], wide[64..128]);
        assert_ne!(wide[..64], ffi::random_bits(1 << 40, 64, 1));
    }

    /// Oracle: mean 0, mean size 1, mean square 2, mean fourth power 24, and the share beyond 3, with their standard
    /// errors; independent of the neighbors in row and column.
    #[test]
    fn laplace_draws_follow_their_law() {
        tch::manual_seed(3);
        let (rows, width) = (3000_i64, 100_i64);
        let x = laplace(&[rows, 5, width / 5], (Kind::Float, Device::Cpu)).unwrap();
        let x = x.to_kind(Kind::Double).view([rows, width]);
        let count = (rows * width) as f64;
        let near = |name: &str, values: &Tensor, mean: f64, variance: f64| {
            let error =
                (values.mean(Kind::Double).double_value(&[]) - mean) / (variance / count).sqrt();
            assert!(error.abs() < 4.0, "{name}: {error:.1} standard errors");
        };
        near("mean", &x, 0.0, 2.0);
        near("size", &x.abs(), 1.0, 1.0);
        near("square", &x.square(), 2.0, 20.0);
        near("fourth power", &x.square().square(), 24.0, 40_320.0 - 576.0);
        let beyond = (-3.0_f64).exp() / 2.0;
        near("beyond", &x.gt(3.0).to_kind(Kind::Double), beyond, beyond * (1.0 - beyond));
        near("rows", &(x.narrow(0, 1, rows - 1) * x.narrow(0, 0, rows - 1)), 0.0, 4.0);
        near("columns", &(x.narrow(1, 1, width - 1) * x.narrow(1, 0, width - 1)), 0.0, 4.0);
    }

    #[test]
    fn any_shape_will_do() {
        for size in [&[][..], &[3], &[0, 4], &[2, 0], &[2, 3, 4, 5]] {
            for kind in [Kind::Float, Kind::Double] {
                let draws = laplace(size, (kind, Device::Cpu)).unwrap();
                assert_eq!((draws.size(), draws.kind()), (size.to_vec(), kind));
            }
        }
    }
}
