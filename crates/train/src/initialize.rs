//! Initial weights: random, or better: the linear skip as ridge regression fits it.

use baseline::{RIDGE_STRENGTHS, penalized};
use feed::{Batch, FeedError, Part, Source, Stream, seed};
use tch::{Kind, Tensor, no_grad};
use vae::ModelKind;

use crate::config::Config;
use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::shape::shape;

/// A forecaster for a training of `config`, with the weights it starts from: those of step 0 even where a checkpoint brings
/// its own, since weight decay remembers the start.
///
/// # Errors
/// As [`Forecaster::new`], or libtorch's own.
pub(crate) fn forecaster(config: &Config, source: &Source) -> Result<Forecaster, TrainError> {
    seed(config.seed, Stream::Weights);
    let forecaster = Forecaster::new(config, shape(source.panel()), source.panel().device())?;
    if config.train.ridge_start {
        from_ridge(source, &forecaster)?;
    }
    Ok(forecaster)
}

/// Windows whose regression is worked on at once.
const AT_ONCE: i64 = 256;
/// The most validation windows that choose the penalty.
const MAX_VALIDATION: i64 = 1024;

/// Sets the linear skip of a fresh model to the ridge regression from context to horizon, fitted on the clean
/// training windows in the model's own units, its penalty chosen on the validation windows.
///
/// A model without a skip, or data without a whole window, is left as it is.
///
/// # Errors
/// [`TrainError::Torch`] if libtorch fails.
fn from_ridge(source: &Source, forecaster: &Forecaster) -> Result<(), TrainError> {
    let model = forecaster.model().config();
    if !model.linear_skip || model.kind == ModelKind::Autoencode {
        return Ok(());
    }
    no_grad(|| {
        let panel = source.panel();
        let train = source.windows(Part::Train).at_most(panel.fitted_at_most());
        let (gram, moment) = normal_equations(train.batches(panel, AT_ONCE), forecaster)?;
        // The intercept's own entry counts the rows.
        let count = gram.size()[0] - 1;
        if gram.f_double_value(&[count, count])? == 0.0 {
            return Ok(());
        }
        let held = source.windows(Part::Validation).at_most(MAX_VALIDATION);
        let held: Vec<_> = held
            .batches(panel, AT_ONCE)
            .map(|batch| regression(forecaster, &batch?))
            .collect::<Result<_, TrainError>>()?;
        let coefficients = penalized(
            &gram,
            &moment,
            &RIDGE_STRENGTHS,
            |coefficients| -> Result<f64, TrainError> {
                let (mut sum, mut numbers) = (0.0, 0);
                for (inputs, outputs) in &held {
                    let error = (inputs.f_matmul(coefficients)? - outputs).f_square()?;
                    sum += error.f_sum(Kind::Double)?.f_double_value(&[])?;
                    numbers += outputs.numel();
                }
                Ok(sum / numbers as f64)
            },
        )?;
        let weight = coefficients.f_narrow(0, 0, count)?.f_tr()?;
        let bias = coefficients.f_select(0, count)?;
        Ok(forecaster.model().set_linear_skip(&weight, &bias)?)
    })
}

/// `XᵀX` and `XᵀY` over the training windows, a batch at a time.
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

/// Inputs `[M, L + 1]`, a one at their end, and outputs `[M, H]`: one row per window and channel whose
/// horizon was wholly observed, in f64 and in the units of the model.
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
    use tch::Device;

    /// Inputs with a one at their end, and outputs, of all windows of a part: by slicing and arithmetic.
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

    /// Oracle: least squares by another solver with the penalty as rows of the design, the strength by the
    /// least validation error.
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
            from_ridge(&source, &forecaster).unwrap();

            let (x, y) = by_hand(&source, Part::Train, last);
            let (held_x, held_y) = by_hand(&source, Part::Validation, last);
            let penalty = Tensor::eye(10, (Kind::Double, Device::Cpu)).narrow(0, 0, 9);
            let candidates = [0.1f64, 1.0, 10.0, 100.0, 1e3, 1e4].map(|strength| {
                let design = Tensor::cat(&[&x, &(&penalty * strength.sqrt())], 0);
                let padded =
                    Tensor::cat(&[&y, &Tensor::zeros([9, 3], (Kind::Double, Device::Cpu))], 0);
                let found = design.linalg_lstsq(&padded, None, "gelsd").0;
                let error = (held_x.matmul(&found) - &held_y).square().mean(Kind::Double);
                (error.double_value(&[]), found)
            });
            let best = candidates.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();

            let variables = forecaster.store().variables();
            let weight = variables["skip.weight"].to_kind(Kind::Double).tr();
            let bias = variables["skip.bias"].to_kind(Kind::Double).unsqueeze(0);
            let gap = (Tensor::cat(&[weight, bias], 0) - &best.1).abs().max().double_value(&[]);
            assert!(gap < 5e-4, "{center}: {gap}");
        }
    }
}
