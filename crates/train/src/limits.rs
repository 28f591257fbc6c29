//! Limits of forecasts: none leaves the range that training and its own window make plausible.

use record::Limits;
use tch::{Device, Kind, Tensor};

use crate::error::TrainError;

/// Width of the region on each side where values pass unchanged, in widths of the range.
const REACH: f64 = 0.5;
/// Minimum of this width in units of the window, for a series that does not vary.
const LEAST_REACH: f64 = 1.0;

/// A soft bound on forecasts in units of the window.
///
/// ```text
/// lo = min(low, smallest value of the context)      hi = max(high, largest value of the context)
/// r = max((hi − lo) / 2, 1)
/// y ↦ y                                    if lo − r ≤ y ≤ hi + r
/// y ↦ hi + r + r · tanh((y − hi − r) / r)  above, likewise below
/// ```
///
/// `low` and `high` are the [`Limits`] of the training windows. The map increases, so that quantiles stay in order; it
/// has slope one where it begins to bend, and its values stay within `2r` of `[lo, hi]`. Values between pass bit for
/// bit. A number that is not finite becomes NaN.
#[derive(Debug)]
pub(crate) struct Bound {
    /// `[1, 1, C]`.
    low: Tensor,
    /// `[1, 1, C]`.
    high: Tensor,
}

impl Bound {
    pub(crate) fn new(limits: &Limits, device: Device) -> Result<Bound, TrainError> {
        let place = |values: &[f64]| -> Result<Tensor, TrainError> {
            let values = Tensor::f_from_slice(values)?.f_to_kind(Kind::Float)?;
            Ok(values.f_view([1, 1, -1])?.f_to(device)?)
        };
        Ok(Bound { low: place(&limits.low)?, high: place(&limits.high)? })
    }

    /// # Shapes
    /// `values`: `[.., B, H, C]`; `context`: `[B, L, C]`, both in units of the window.
    pub(crate) fn apply(&self, values: &Tensor, context: &Tensor) -> Result<Tensor, TrainError> {
        let along = [1_i64];
        let low = self.low.f_minimum(&context.f_amin(along.as_slice(), true)?)?;
        let high = self.high.f_maximum(&context.f_amax(along.as_slice(), true)?)?;
        let reach = ((&high - &low) * REACH).f_clamp_min(LEAST_REACH)?;
        let inside = values.f_clamp_tensor(Some(low - &reach), Some(high + &reach))?;
        let excess = (values - &inside).f_div_(&reach)?.f_tanh_()?.f_mul_(&reach)?;
        // The last term is zero, or NaN if the value is not finite.
        Ok((inside + excess) + values * 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::forecaster::Forecaster;
    use crate::initialize;
    use feed::{Batch, Part, Source, Stream, seed};
    use tch::no_grad;

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([1, -1, 1])
    }

    /// Oracle: the formula in f64, value by value; it increases, and does nothing between its borders.
    #[test]
    fn values_bend_outside_of_the_range() {
        for (low, high, context, lo, hi) in [
            (-1.0, 3.0, [0.0, 1.0], -1.0, 3.0),
            (-1.0, 3.0, [-6.0, 1.0], -6.0, 3.0),
            (0.0, 0.0, [0.0, 0.0], 0.0, 0.0),
            (-1.0, 1.0, [0.0, 40.0], -1.0, 40.0),
        ] {
            let limits = Limits { low: vec![low], high: vec![high] };
            let bound = Bound::new(&limits, Device::Cpu).unwrap();
            let values: Vec<f32> = (-4000..4000_i16).map(|i| f32::from(i) * 0.1).collect();
            let bent = bound.apply(&row(&values), &row(&context)).unwrap();
            let bent = Vec::<f32>::try_from(bent.view([-1])).unwrap();
            let r = f64::max((hi - lo) / 2.0, 1.0);
            for (&value, &bent) in values.iter().zip(&bent) {
                let y = f64::from(value);
                let expected = if y > hi + r {
                    hi + r + r * ((y - hi - r) / r).tanh()
                } else if y < lo - r {
                    lo - r - r * ((lo - r - y) / r).tanh()
                } else {
                    assert_eq!(value, bent);
                    y
                };
                assert!((f64::from(bent) - expected).abs() < 1e-4 * (1.0 + r), "{y}: {bent}");
            }
            assert!(bent.is_sorted(), "quantiles stay in order");
            let torn = bound.apply(&row(&[f32::INFINITY, f32::NAN, 1e30]), &row(&context)).unwrap();
            let torn = Vec::<f32>::try_from(torn.view([-1])).unwrap();
            assert!(
                torn[0].is_nan() && torn[1].is_nan() && f64::from(torn[2]) <= hi + 2.0 * r + 1e-3
            );
        }
    }

    /// A forecaster of the bundled data whose skip and head are `factor` times as large as they should be.
    fn exploding(instance_norm: bool, factor: f64) -> (Source, Forecaster, Limits) {
        let text = format!(
            "[data]\nsource = \"seattle-weather\"\ncontext = 12\nhorizon = 4\ntargets = [\"temp_max\"]\n\
            [model]\nhidden = 8\ninstance_norm = {instance_norm}\n"
        );
        let config = Config::parse(&text, "test", &[]).unwrap();
        let source = crate::run::load(&config, Device::Cpu).unwrap();
        let start = initialize::start(&config, &source, None).unwrap();
        no_grad(|| {
            for (name, mut variable) in start.forecaster.store().variables() {
                if name.starts_with("skip") || name.starts_with("decoder.head") {
                    let _ = variable.f_mul_scalar_(factor).unwrap();
                }
            }
        });
        (source, start.forecaster, start.limits)
    }

    fn batch(context: &[f32]) -> Batch {
        Batch {
            first_rows: Tensor::from_slice(&[0_i64]),
            context: row(context),
            extras: None,
            future: None,
            seasonal: None,
            target: Tensor::zeros([1, 4, 1], (Kind::Float, Device::Cpu)),
            context_observed: None,
            target_observed: None,
        }
    }

    /// Property: whatever the weights, forecasts of scaled, shifted, spiky and flat windows stay within the range of
    /// training and window, widened by itself on both sides.
    #[test]
    fn no_forecast_explodes() {
        let wave: Vec<f32> = (0..12_i16).map(|i| (f32::from(i) * 0.7).sin()).collect();
        let of = |scale: f32, shift: f32| wave.iter().map(|x| x * scale + shift).collect();
        let mut windows: Vec<Vec<f32>> = Vec::new();
        for scale in [1e-6, 0.01, 1.0, 30.0, 1e4] {
            windows.extend([0.0, -3.0, 50.0, 1e4].map(|shift| of(scale, shift)));
        }
        for (at, spike) in [(0, 20.0), (5, -300.0), (11, 1e4)] {
            let mut window = wave.clone();
            window[at] = spike;
            windows.push(window);
        }
        windows.extend([0.0_f32, 0.3, -40.0].map(|level| vec![level; 12]));
        for instance_norm in [true, false] {
            let (_, forecaster, Limits { low, high }) = exploding(instance_norm, 1e3);
            for window in &windows {
                let x: Vec<f64> = window.iter().map(|x| f64::from(*x)).collect();
                let mean = x.iter().sum::<f64>() / 12.0;
                let std = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 12.0).sqrt();
                let (center, scale) = if instance_norm { (mean, std.max(0.1)) } else { (0.0, 1.0) };
                let u = x.iter().map(|x| (x - center) / scale);
                let (lo, hi) = (u.clone().fold(low[0], f64::min), u.fold(high[0], f64::max));
                let widened = f64::max(hi - lo, 2.0);
                let least = center + scale * (lo - widened);
                let most = center + scale * (hi + widened);
                let slack = 1e-4 * (most - least) + 1e-6 * center.abs();
                seed(1, Stream::Evaluation);
                let batch = batch(window);
                let samples = no_grad(|| forecaster.sample(&batch, 200)).unwrap();
                let mean = no_grad(|| forecaster.mean(&batch, 20)).unwrap();
                for forecast in [samples, mean] {
                    let (min, max) =
                        (forecast.min().double_value(&[]), forecast.max().double_value(&[]));
                    assert!(min >= least - slack && max <= most + slack, "{min} {max} {window:?}");
                }
            }
        }
    }

    /// Ordinary forecasts are the same bit for bit with and without limits.
    #[test]
    fn ordinary_forecasts_do_not_change() {
        for instance_norm in [true, false] {
            let (source, forecaster, limits) = exploding(instance_norm, 1.0);
            let windows = source.windows(Part::Validation).first_rows().unwrap();
            let batch = source.panel().gather(&windows).unwrap();
            let draw = |forecaster: &Forecaster| {
                seed(1, Stream::Evaluation);
                no_grad(|| forecaster.sample(&batch, 30)).unwrap()
            };
            let (instance, _, _) = forecaster.relative(&batch).unwrap();
            // Each window has at least the room that the training windows have by themselves.
            let (low, high) = (limits.low[0], limits.high[0]);
            let reach = f64::max((high - low) / 2.0, 1.0) - 1e-3;
            // The generator belongs to the process: a test beside this one may draw from it in between, and then the
            // two draws have nothing in common.
            let mut forecaster = Some(forecaster);
            let same = (0..50).any(|_| {
                let limited = forecaster.take().unwrap();
                let bounded = draw(&limited);
                let unlimited = limited.without_limits();
                let free = draw(&unlimited);
                forecaster = Some(unlimited.with_limits(&limits).unwrap());
                let relative = instance.apply(&free).unwrap();
                let inside = relative.ge(low - reach).logical_and(&relative.le(high + reach));
                assert!(inside.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]) > 0.99);
                bounded.masked_select(&inside) == free.masked_select(&inside)
            });
            assert!(same);
        }
    }
}
