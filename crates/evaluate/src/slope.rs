//! The slope of the truth on the mean forecast: 1 if forecasts are as large as they should be, above 1 if too small.

use tch::{Kind, Tensor};
use train::TrainError;

/// Sums over `[B, H]` of 1, `f`, `y`, `f²` and `f y`, with mean forecast `f` and truth `y`: `[5, C]`.
///
/// The mean of S samples scatters about the mean of their law, which would flatten the slope; `f²` is estimated without
/// bias by the square of the mean less `s²/S`, with the variance `s²` of the samples.
pub(crate) fn moments(
    samples: &Tensor,
    truth: &Tensor,
    weight: &Tensor,
) -> Result<Tensor, TrainError> {
    let forecast = samples.f_mean_dim(0_i64, false, Kind::Double)?;
    // An unobserved value may be NaN, and a weight of zero times NaN is NaN.
    let truth = truth
        .f_to_kind(Kind::Double)?
        .f_where_self(&weight.f_not_equal(0.0)?, &weight.f_zeros_like()?)?;
    let draws = samples.size()[0] as f64;
    // Two passes are faster: libtorch's own variance goes through the values one by one.
    let squares = (samples.f_to_kind(Kind::Double)? - &forecast).f_square_()?;
    let squares = squares.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?;
    let scatter = squares / ((draws - 1.0) * draws);
    let (square, product) = (forecast.f_square()? - scatter, &forecast * &truth);
    let each = [&forecast.f_ones_like()?, &forecast, &truth, &square, &product];
    let sum = |values: &&Tensor| {
        (*values * weight).f_sum_dim_intlist([0_i64, 1].as_slice(), false, Kind::Double)
    };
    Ok(Tensor::f_stack(&each.iter().map(sum).collect::<Result<Vec<_>, _>>()?, 0)?)
}

/// `Σ_c S_fy / Σ_c S_ff` of [`moments`], each centered within its channel; NaN for constant forecasts.
pub(crate) fn slope(moments: &Tensor) -> Result<f64, TrainError> {
    let [count, f, y, ff, fy] = [0, 1, 2, 3, 4].map(|row| moments.f_get(row));
    let (count, f, y) = (count?.f_clamp_min(1.0)?, f?, y?);
    let total = |tensor: Tensor| tensor.f_sum(Kind::Double)?.f_double_value(&[]);
    let (product, square) = (total(fy? - &f * &y / &count)?, total(ff? - f.f_square()? / &count)?);
    // With a constant forecast only the rounding error of its square is left.
    let least = 1e-9 * total(moments.f_get(3)?)?;
    Ok(if square > least { product / square } else { f64::NAN })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Oracle: least squares with one intercept per channel, by another solver; unobserved values do not count.
    #[test]
    fn the_slope_is_that_of_least_squares() {
        tch::manual_seed(3);
        let on = (Kind::Double, Device::Cpu);
        let forecast = Tensor::randn([40, 3, 2], on);
        let truth = &forecast * 1.7
            + Tensor::from_slice(&[5.0, -2.0])
            + Tensor::randn([40, 3, 2], on) * 0.3;
        let weight = Tensor::ones([40, 3, 2], on);
        let _ = weight.narrow(0, 0, 4).fill_(0.0);
        let holed = truth.where_self(&weight.not_equal(0.0), &Tensor::from(f64::NAN));
        let samples = Tensor::stack(&[&forecast, &forecast], 0);
        let found = slope(&moments(&samples, &holed, &weight).unwrap()).unwrap();

        let (f, y) =
            (forecast.narrow(0, 4, 36).flatten(0, 1), truth.narrow(0, 4, 36).flatten(0, 1));
        let rows = |channel: i64| {
            let of = |other: i64| Tensor::full([108, 1], f64::from(channel == other), on);
            Tensor::cat(&[f.narrow(1, channel, 1), of(0), of(1)], 1)
        };
        let design = Tensor::cat(&[rows(0), rows(1)], 0);
        let target = Tensor::cat(&[y.narrow(1, 0, 1), y.narrow(1, 1, 1)], 0);
        let expected = design.linalg_lstsq(&target, None, "gelsd").0.double_value(&[0, 0]);
        assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        assert!((found - 1.7).abs() < 0.2);
        let flat = slope(&moments(&samples.zeros_like(), &holed, &weight).unwrap()).unwrap();
        assert!(flat.is_nan());
    }

    /// Eight samples as wide as three times the forecasts: their means alone give a slope of `1.7/(1 + 9/8) = .8`.
    #[test]
    fn the_scatter_of_samples_does_not_flatten_it() {
        tch::manual_seed(4);
        let on = (Kind::Double, Device::Cpu);
        let forecast = Tensor::randn([20_000, 3, 2], on);
        let truth = &forecast * 1.7;
        let samples = &forecast + Tensor::randn([8, 20_000, 3, 2], on) * 3.0;
        let found = slope(&moments(&samples, &truth, &truth.ones_like()).unwrap()).unwrap();
        assert!((found - 1.7).abs() < 0.05, "{found}");
    }
}
