//! Initial weights: random ones, with a linear skip from ridge regression if the config asks for it.

use std::cell::RefCell;

use baseline::{RIDGE_STRENGTHS, penalized};
use feed::{Batch, FeedError, Part, Source, Stream, WindowSet, seed};
use record::Limits;
use tch::{Device, Kind, Tensor, no_grad};
use vae::ModelKind;

use crate::config::Config;
use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::shape::shape;

/// A forecaster with its initial weights.
pub(crate) struct Start {
    pub(crate) forecaster: Forecaster,
    /// Strength of the ridge regression in the linear skip; `None` without one.
    pub(crate) strength: Option<f64>,
    /// Limits of its forecasts.
    pub(crate) limits: Limits,
}

/// A forecaster for a training of `config` with its initial weights. They are needed even if a checkpoint replaces
/// them, since weight decay pulls towards them.
///
/// # Errors
/// As [`Forecaster::new`], or an error of libtorch.
pub(crate) fn forecaster(config: &Config, source: &Source) -> Result<Forecaster, TrainError> {
    Ok(start(config, source, None)?.forecaster)
}

/// As [`forecaster`]. The ridge regression has the given strength, or else chooses one.
///
/// # Errors
/// As [`forecaster`].
pub(crate) fn start(
    config: &Config,
    source: &Source,
    strength: Option<f64>,
) -> Result<Start, TrainError> {
    seed(config.seed, Stream::Weights);
    let forecaster = Forecaster::new(config, shape(source.panel()), source.panel().device())?;
    let strength =
        if config.train.ridge_start { from_ridge(source, &forecaster, strength)? } else { None };
    let limits = limits(source, &forecaster)?;
    let forecaster = forecaster.with_limits(&limits)?;
    Ok(Start { forecaster, strength, limits })
}

/// Windows per batch.
const AT_ONCE: i64 = 256;
/// Maximum number of validation windows that choose the penalty.
const MAX_VALIDATION: i64 = 1024;

/// The smallest and largest value of each channel in the contexts and targets of the training windows, in units of the
/// window. A value that was not observed counts as zero, the center of the window.
///
/// # Errors
/// [`TrainError::Feed`] if libtorch fails.
pub(crate) fn limits(source: &Source, forecaster: &Forecaster) -> Result<Limits, TrainError> {
    no_grad(|| {
        let panel = source.panel();
        let train = source.windows(Part::Train).at_most(panel.fitted_at_most());
        let mut range: Option<[Tensor; 2]> = None;
        for batch in train.batches(panel, AT_ONCE) {
            let (_, context, target) = forecaster.relative(&batch?)?;
            let all = Tensor::f_cat(&[context, target], 1)?;
            let over = [0_i64, 1];
            let (low, high) =
                (all.f_amin(over.as_slice(), false)?, all.f_amax(over.as_slice(), false)?);
            range = Some(match range {
                None => [low, high],
                Some([lowest, highest]) => [lowest.f_minimum(&low)?, highest.f_maximum(&high)?],
            });
        }
        let host = |values: &Tensor| -> Result<Vec<f64>, TrainError> {
            Ok(Vec::try_from(values.f_to_kind(Kind::Double)?.f_to(Device::Cpu)?)?)
        };
        let [low, high] = range.expect("a source has training windows");
        Ok(Limits { low: host(&low)?, high: host(&high)? })
    })
}

/// Sets the linear skip of a fresh model to the ridge regression from context to horizon. It is fitted on the clean
/// training windows in the units of the model. Its penalty has the strength `given`, or else the best of several on the
/// validation windows; without any, a model of the first four fifths of the training windows chooses on the rest.
/// Returns the strength.
///
/// The model stays as it is if it has no skip, or if the data have no complete window.
///
/// # Errors
/// [`TrainError::Feed`] if libtorch fails.
fn from_ridge(
    source: &Source,
    forecaster: &Forecaster,
    given: Option<f64>,
) -> Result<Option<f64>, TrainError> {
    let model = forecaster.model().config();
    if !model.linear_skip || model.kind == ModelKind::Autoencode {
        return Ok(None);
    }
    no_grad(|| {
        let most = source.panel().fitted_at_most();
        let train = source.windows(Part::Train).at_most(most);
        let Some(equations) = Equations::of(source, &train, forecaster)? else { return Ok(None) };
        let validation = source.windows(Part::Validation).at_most(MAX_VALIDATION);
        let (coefficients, strength) = match given {
            Some(strength) => equations.solve(&[strength], &[])?,
            None if validation.count() > 0 => {
                equations.solve(&RIDGE_STRENGTHS, &rows(source, &validation, forecaster)?)?
            }
            None => {
                let [before, after] = source.divided_train(BEFORE)?;
                let after = after.at_most(MAX_VALIDATION);
                let strength = match Equations::of(source, &before.at_most(most), forecaster)? {
                    Some(part) if after.count() > 0 => {
                        part.solve(&RIDGE_STRENGTHS, &rows(source, &after, forecaster)?)?.1
                    }
                    _ => UNCHOSEN,
                };
                equations.solve(&[strength], &[])?
            }
        };
        let count = equations.inputs();
        let weight = coefficients.f_narrow(0, 0, count)?.f_tr()?;
        let bias = coefficients.f_select(0, count)?;
        forecaster.model().set_linear_skip(&weight, &bias)?;
        Ok(Some(strength))
    })
}

/// Share of the training windows on which a penalty is fitted that the others choose.
const BEFORE: f64 = 0.8;
/// Strength of the penalty where no window can choose one.
const UNCHOSEN: f64 = 100.0;

/// The normal equations of a ridge regression: `XᵀX` and `XᵀY`.
struct Equations {
    gram: Tensor,
    moment: Tensor,
}

impl Equations {
    /// Those of `windows`; `None` if none of them is complete.
    fn of(
        source: &Source,
        windows: &WindowSet,
        forecaster: &Forecaster,
    ) -> Result<Option<Equations>, TrainError> {
        if windows.count() == 0 {
            return Ok(None);
        }
        let batches = windows.batches(source.panel(), AT_ONCE);
        let (gram, moment) = normal_equations(batches, forecaster)?;
        let equations = Equations { gram, moment };
        // The diagonal entry of the intercept counts the rows.
        let last = equations.inputs();
        let none = equations.gram.f_double_value(&[last, last])? == 0.0;
        Ok(if none { None } else { Some(equations) })
    }

    /// Number of inputs, without the intercept.
    fn inputs(&self) -> i64 {
        self.gram.size()[0] - 1
    }

    /// The coefficients for the strength with the smallest mean squared error on the rows of `held`, and that strength;
    /// the first one if there are no rows.
    fn solve(
        &self,
        strengths: &[f64],
        held: &[(Tensor, Tensor)],
    ) -> Result<(Tensor, f64), TrainError> {
        let errors = RefCell::new(Vec::new());
        let error = |coefficients: &Tensor| -> Result<f64, TrainError> {
            let (mut sum, mut numbers) = (0.0, 0);
            for (inputs, outputs) in held {
                let error = (inputs.f_matmul(coefficients)? - outputs).f_square()?;
                sum += error.f_sum(Kind::Double)?.f_double_value(&[])?;
                numbers += outputs.numel();
            }
            errors.borrow_mut().push(sum / numbers as f64);
            Ok(sum / numbers as f64)
        };
        let coefficients = penalized(&self.gram, &self.moment, strengths, error)?;
        let errors = errors.into_inner();
        // The choice of `penalized`: the first of the smallest, and NaN is never smaller.
        let best =
            (1..errors.len()).fold(0, |best, at| if errors[at] < errors[best] { at } else { best });
        Ok((coefficients, strengths[best]))
    }
}

/// The rows of the regression of some windows, batch by batch.
fn rows(
    source: &Source,
    windows: &WindowSet,
    forecaster: &Forecaster,
) -> Result<Vec<(Tensor, Tensor)>, TrainError> {
    let batches = windows.batches(source.panel(), AT_ONCE);
    batches.map(|batch| regression(forecaster, &batch?)).collect()
}

/// `XᵀX` and `XᵀY` over the training windows, summed batch by batch.
fn normal_equations(
    batches: impl Iterator<Item = Result<Batch, FeedError>>,
    forecaster: &Forecaster,
) -> Result<(Tensor, Tensor), TrainError> {
    let mut sums: Option<(Tensor, Tensor)> = None;
    for batch in batches {
        let (inputs, outputs) = regression(forecaster, &batch?)?;
        let transposed = inputs.f_tr()?;
        let (gram, moment) = (transposed.f_matmul(&inputs)?, transposed.f_matmul(&outputs)?);
        sums = Some(match sums {
            None => (gram, moment),
            Some((a, b)) => (a + gram, b + moment),
        });
    }
    Ok(sums.expect("a source has training windows"))
}

/// Inputs `[M, L + 1]`, which end with a one, and outputs `[M, H]`, in f64 and in the units of the model: one row per
/// window and channel with a completely observed target.
fn regression(forecaster: &Forecaster, batch: &Batch) -> Result<(Tensor, Tensor), TrainError> {
    let (context, target) = forecaster.skipped_over(batch)?;
    let by_channel = |values: Tensor| -> Result<Tensor, TrainError> {
        Ok(values.f_transpose(1, 2)?.f_flatten(0, 1)?.f_to_kind(Kind::Double)?)
    };
    let (inputs, outputs) = (by_channel(context)?, by_channel(target)?);
    let ones = inputs.f_narrow(1, 0, 1)?.f_ones_like()?;
    let inputs = Tensor::f_cat(&[&inputs, &ones], 1)?;
    let Some(observed) = &batch.target_observed else { return Ok((inputs, outputs)) };
    let whole = by_channel(observed.shallow_clone())?.f_not_equal(0.0)?.f_all_dim(1, false)?;
    let pick = |rows: &Tensor| rows.f_index(&[Some(&whole)]);
    Ok((pick(&inputs)?, pick(&outputs)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Inputs, which end with a one, and outputs of all windows of a part, by slicing and arithmetic.
    fn by_hand(source: &Source, part: Part, last: bool) -> (Tensor, Tensor) {
        let first_rows = source.windows(part).at_most(10_000).first_rows().unwrap();
        let batch = source.panel().gather(&first_rows).unwrap();
        let (x, y) = (batch.context.to_kind(Kind::Double), batch.target.to_kind(Kind::Double));
        let mean = x.mean_dim(1, true, Kind::Double);
        let scale = x.std_dim(1, false, true).clamp_min(0.1);
        let center = if last { x.narrow(1, -1, 1) } else { mean };
        let rows = |values: Tensor| ((values - &center) / &scale).transpose(1, 2).flatten(0, 1);
        let (x, y) = (rows(x), rows(y));
        let ones = x.narrow(1, 0, 1).ones_like();
        (Tensor::cat(&[x, ones], 1), y)
    }

    /// Oracle: another solver of least squares, with the penalty as rows of the design and the strength of the smallest
    /// validation error.
    #[test]
    fn the_skip_starts_as_ridge_regression() {
        for last in [false, true] {
            let center = if last { "last" } else { "mean" };
            let text = format!(
                "[data]\nsource = \"seattle-weather\"\ncontext = 9\nhorizon = 3\n\
                targets = [\"temp_max\", \"wind\"]\n[noise]\nschedule = \"none\"\n\
                [model]\nlatent = 8\ninstance_center = \"{center}\"\n"
            );
            let config = Config::parse(&text, "test", &[]).unwrap();
            let source = crate::run::load(&config, Device::Cpu).unwrap();
            let forecaster = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
            let strength = from_ridge(&source, &forecaster, None).unwrap();

            let (x, y) = by_hand(&source, Part::Train, last);
            let (held_x, held_y) = by_hand(&source, Part::Validation, last);
            let penalty = Tensor::eye(10, (Kind::Double, Device::Cpu)).narrow(0, 0, 9);
            let candidates = [0.1f64, 1.0, 10.0, 100.0, 1e3, 1e4].map(|strength| {
                let design = Tensor::cat(&[&x, &(&penalty * strength.sqrt())], 0);
                let padded =
                    Tensor::cat(&[&y, &Tensor::zeros([9, 3], (Kind::Double, Device::Cpu))], 0);
                let found = design.linalg_lstsq(&padded, None, "gelsd").0;
                let error = (held_x.matmul(&found) - &held_y).square().mean(Kind::Double);
                (error.double_value(&[]), found, strength)
            });
            let best = candidates.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();

            let variables = forecaster.store().variables();
            let weight = variables["skip.weight"].to_kind(Kind::Double).tr();
            let bias = variables["skip.bias"].to_kind(Kind::Double).unsqueeze(0);
            let gap = (Tensor::cat(&[weight, bias], 0) - &best.1).abs().max().double_value(&[]);
            assert!(gap < 5e-4, "{center}: {gap}");
            assert_eq!(strength, Some(best.2));
            // The same strength again gives the same weights.
            let again = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
            assert_eq!(from_ridge(&source, &again, strength).unwrap(), strength);
            assert_eq!(again.store().variables()["skip.weight"], variables["skip.weight"]);
        }
    }
}
