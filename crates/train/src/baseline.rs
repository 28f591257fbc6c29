//! Forecasters that fit in seconds: what every model has to beat.
//!
//! Each makes a point forecast and adds residuals: whole blocks `[H, C]` of the errors it made on
//! training windows, drawn with replacement, so that its samples keep the dependence between steps
//! and channels. Errors are taken as they are or relative to the window's own scale, whichever scores
//! better on the validation windows. Everything is in standardized units.

use tch::{Kind, Tensor};

use crate::error::TrainError;
use crate::score::mean_crps;

/// Ridge strengths tried; the one with the least squared error on the validation windows is kept.
const RIDGE_STRENGTHS: [f64; 6] = [0.1, 1.0, 10.0, 100.0, 1e3, 1e4];
/// The least scale of a window, in units of the training standard deviation.
const SCALE_FLOOR: f64 = 0.1;
/// At most so many residual blocks are kept, evenly spaced over the training windows.
const MAX_BLOCKS: i64 = 10_000;
/// About so many validation windows and samples decide how residuals are taken.
const MAX_SCORED: i64 = 200;
const SCORED_SAMPLES: i64 = 50;

/// How a baseline makes its point forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The last value of the context, repeated.
    LastValue,
    /// The value one season earlier, repeated. The season is in rows and fits in the context.
    SeasonalNaive(usize),
    /// One closed-form ridge regression from context to horizon, shared over channels, on windows
    /// scaled by their own mean and standard deviation.
    Ridge,
}

impl Rule {
    /// The name in tables.
    pub fn name(self) -> String {
        match self {
            Rule::LastValue => "last value".to_owned(),
            Rule::SeasonalNaive(season) => format!("seasonal naive ({season})"),
            Rule::Ridge => "ridge".to_owned(),
        }
    }
}

/// Context `[N, L, C]` and target `[N, H, C]` of some windows.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    /// `[N, L, C]`, nothing missing.
    pub context: &'a Tensor,
    /// `[N, H, C]`, NaN where missing.
    pub target: &'a Tensor,
}

/// A fitted baseline.
#[derive(Debug)]
pub struct Baseline {
    point: Point,
    residuals: Residuals,
    /// Whether the residuals are relative to the scale of their window.
    relative: bool,
}

/// Errors made on training windows.
#[derive(Debug)]
enum Residuals {
    /// Whole blocks, `[M, H, C]`.
    Joint(Tensor),
    /// Per channel, `[M_c, H]`: where gaps leave no block whole in all channels.
    Channels(Vec<Tensor>),
}

impl Residuals {
    /// From errors `[N, H, C]`, NaN where nothing was observed; `None` if a channel has no whole block.
    fn new(errors: &Tensor) -> Result<Option<Residuals>, TrainError> {
        let finite = errors.f_isfinite()?;
        let whole = finite.f_flatten(1, 2)?.f_all_dim(1, false)?;
        let joint = errors.f_index(&[Some(whole)])?;
        if joint.size()[0] > 0 {
            return Ok(Some(Residuals::Joint(joint)));
        }
        let channels = (0..errors.size()[2]).map(|channel| -> Result<Tensor, TrainError> {
            let whole = finite.f_select(2, channel)?.f_all_dim(1, false)?;
            Ok(errors.f_select(2, channel)?.f_index(&[Some(whole)])?)
        });
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        let complete = channels.iter().all(|blocks| blocks.size()[0] > 0);
        Ok(complete.then_some(Residuals::Channels(channels)))
    }

    /// `count` blocks drawn with replacement, `[count, H, C]`.
    fn draw(&self, count: i64) -> Result<Tensor, TrainError> {
        let pick = |blocks: &Tensor| -> Result<Tensor, TrainError> {
            let on = (Kind::Int64, blocks.device());
            Ok(blocks.f_index_select(0, &Tensor::f_randint(blocks.size()[0], [count], on)?)?)
        };
        match self {
            Residuals::Joint(blocks) => pick(blocks),
            Residuals::Channels(channels) => {
                let drawn = channels.iter().map(pick).collect::<Result<Vec<_>, _>>()?;
                Ok(Tensor::f_stack(&drawn, 2)?)
            }
        }
    }
}

/// A point forecaster.
#[derive(Debug)]
struct Point {
    rule: Rule,
    horizon: i64,
    /// `[L + 1, H]`, the last row the intercept; only for ridge.
    coefficients: Option<Tensor>,
}

impl Baseline {
    /// Fits `rule` on training windows; the ridge strength, and how residuals are taken, are chosen on
    /// validation windows. `None` where gaps leave nothing to fit: a channel without one whole window.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails, such as for want of memory.
    pub fn fit(
        rule: Rule,
        train: Pairs,
        validation: Pairs,
    ) -> Result<Option<Baseline>, TrainError> {
        let horizon = train.target.size()[1];
        let coefficients = match rule {
            Rule::Ridge => match ridge(train, validation)? {
                None => return Ok(None),
                found => found,
            },
            Rule::LastValue | Rule::SeasonalNaive(_) => None,
        };
        let point = Point { rule, horizon, coefficients };
        let count = train.context.size()[0];
        let stride = ((count + MAX_BLOCKS - 1) / MAX_BLOCKS).max(1);
        let on = (Kind::Int64, train.context.device());
        let kept = Tensor::f_arange_start_step(0, count, stride, on)?;
        let context = train.context.f_index_select(0, &kept)?;
        let errors = train.target.f_index_select(0, &kept)? - point.forecast(&context)?;
        let scaled = &errors / window_moments(&context)?.1;
        let (Some(errors), Some(scaled)) = (Residuals::new(&errors)?, Residuals::new(&scaled)?)
        else {
            return Ok(None);
        };
        let mut baseline = Baseline { point, residuals: errors, relative: false };
        let absolute_score = baseline.score(validation)?;
        let errors = std::mem::replace(&mut baseline.residuals, scaled);
        baseline.relative = true;
        if baseline.score(validation)? < absolute_score {
            return Ok(Some(baseline));
        }
        Ok(Some(Baseline { residuals: errors, relative: false, ..baseline }))
    }

    /// Fair CRPS on some windows, thinned to what a choice needs.
    fn score(&self, windows: Pairs) -> Result<f64, TrainError> {
        let count = windows.context.size()[0];
        let stride = (count / MAX_SCORED).max(1);
        let on = (Kind::Int64, windows.context.device());
        let kept = Tensor::f_arange_start_step(0, count, stride, on)?;
        let samples = self.sample(&windows.context.f_index_select(0, &kept)?, SCORED_SAMPLES)?;
        let truth = windows.target.f_index_select(0, &kept)?;
        let observed = truth.f_isfinite()?;
        mean_crps(&samples, &truth.f_nan_to_num(0.0, None::<f64>, None::<f64>)?, Some(&observed))
    }

    /// Samples `[S, B, H, C]` after contexts `[B, L, C]`: the point forecast plus residual blocks
    /// drawn from torch's generator.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn sample(&self, context: &Tensor, samples: i64) -> Result<Tensor, TrainError> {
        let (batch, _, channels) = context.size3()?;
        let errors = self.residuals.draw(samples * batch)?;
        let errors = errors.f_view([samples, batch, self.point.horizon, channels])?;
        let errors = if self.relative { errors * window_moments(context)?.1 } else { errors };
        Ok(errors + self.point.forecast(context)?)
    }
}

impl Point {
    /// `[B, L, C]` → `[B, H, C]`.
    fn forecast(&self, context: &Tensor) -> Result<Tensor, TrainError> {
        let length = context.size()[1];
        let tiled = |season: i64| -> Result<Tensor, TrainError> {
            let last = context.f_narrow(1, length - season, season)?;
            let repeats = (self.horizon + season - 1) / season;
            Ok(last.f_repeat([1, repeats, 1])?.f_narrow(1, 0, self.horizon)?)
        };
        match (self.rule, &self.coefficients) {
            (Rule::Ridge, Some(coefficients)) => {
                let (mean, scale) = window_moments(context)?;
                let inputs = design(&((context - &mean) / &scale))?;
                Ok(inputs.f_matmul(coefficients)?.f_transpose(1, 2)? * scale + mean)
            }
            (Rule::SeasonalNaive(season), _) => tiled((season as i64).clamp(1, length)),
            (Rule::LastValue | Rule::Ridge, _) => tiled(1),
        }
    }
}

/// Mean and floored standard deviation over the context, `[B, 1, C]` each.
fn window_moments(context: &Tensor) -> Result<(Tensor, Tensor), TrainError> {
    let kind = context.kind();
    let mean = context.f_mean_dim(1_i64, true, kind)?;
    let variance = (context - &mean).f_square()?.f_mean_dim(1_i64, true, kind)?;
    Ok((mean, variance.f_sqrt()?.f_clamp_min(SCALE_FLOOR)?))
}

/// `[N, L, C]` → `[N, C, L + 1]`: one row per channel, a one at its end for the intercept.
fn design(context: &Tensor) -> Result<Tensor, TrainError> {
    let rows = context.f_transpose(1, 2)?;
    let ones = rows.f_narrow(2, 0, 1)?.f_ones_like()?;
    Ok(Tensor::f_cat(&[rows, ones], 2)?)
}

/// Inputs `[M, L + 1]` and outputs `[M, H]` of the regression, one row per window and channel, in
/// f64; rows with a missing output are left out.
fn regression(pairs: Pairs) -> Result<(Tensor, Tensor), TrainError> {
    let (mean, scale) = window_moments(pairs.context)?;
    let inputs = design(&((pairs.context - &mean) / &scale))?.f_flatten(0, 1)?;
    let outputs = ((pairs.target - &mean) / &scale).f_transpose(1, 2)?.f_flatten(0, 1)?;
    let whole = outputs.f_isfinite()?.f_all_dim(1, false)?;
    let pick = |rows: Tensor| rows.f_index(&[Some(&whole)])?.f_to_kind(Kind::Double);
    Ok((pick(inputs)?, pick(outputs)?))
}

/// `W = (XᵀX + λ D)⁻¹ XᵀY` with `D` the identity but for the intercept, `λ` chosen on validation.
/// `None` if no row is whole.
fn ridge(train: Pairs, validation: Pairs) -> Result<Option<Tensor>, TrainError> {
    let (inputs, outputs) = regression(train)?;
    if inputs.size()[0] == 0 {
        return Ok(None);
    }
    let (held_in, held_out) = regression(validation)?;
    let gram = inputs.f_tr()?.f_matmul(&inputs)?;
    let moment = inputs.f_tr()?.f_matmul(&outputs)?;
    let penalty = Tensor::f_ones([gram.size()[0]], (Kind::Double, gram.device()))?;
    let _ = penalty.f_narrow(0, penalty.size()[0] - 1, 1)?.f_fill_(0.0)?;
    let penalty = penalty.f_diag(0)?;
    let mut best: Option<(f64, Tensor)> = None;
    for strength in RIDGE_STRENGTHS {
        let coefficients = Tensor::f_linalg_solve(&(&gram + &penalty * strength), &moment, true)?;
        let error = (held_in.f_matmul(&coefficients)? - &held_out).f_square()?;
        let error = error.f_mean(Kind::Double)?.f_double_value(&[])?;
        tracing::debug!(strength, error, "ridge");
        // No validation rows give NaN, which the first strength wins and no later one beats.
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, coefficients));
        }
    }
    let (_, coefficients) = best.expect("at least one ridge strength is tried");
    Ok(Some(coefficients.f_to_kind(Kind::Float)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn random(size: [i64; 3]) -> Tensor {
        Tensor::randn(size, (Kind::Float, Device::Cpu))
    }

    /// Law: on targets that are an exact linear map of the scaled context, ridge finds the map.
    #[test]
    fn ridge_recovers_a_linear_map() {
        tch::manual_seed(1);
        let context = random([400, 12, 2]);
        let target = |context: &Tensor| {
            context.narrow(1, 8, 3) * 0.5
                + context.narrow(1, 0, 3) * 0.25
                + context.mean_dim(1_i64, true, Kind::Float) * 0.25
        };
        let (train, held) = (target(&context), random([100, 12, 2]));
        let held_target = target(&held);
        let baseline = Baseline::fit(
            Rule::Ridge,
            Pairs { context: &context, target: &train },
            Pairs { context: &held, target: &held_target },
        )
        .unwrap()
        .unwrap();
        let error = (baseline.point.forecast(&held).unwrap() - &held_target).abs().max();
        assert!(error.double_value(&[]) < 2e-3, "{error:?}");
    }

    /// Oracle: a context that counts 0, 1, 2, …, so that each rule's forecast is known by heart.
    #[test]
    fn naive_rules_repeat_what_they_say() {
        let count = Tensor::arange(7, (Kind::Float, Device::Cpu)).view([1, 7, 1]);
        let forecast = |rule| {
            let point = Point { rule, horizon: 5, coefficients: None };
            Vec::<f32>::try_from(point.forecast(&count).unwrap().flatten(0, -1)).unwrap()
        };
        assert_eq!(forecast(Rule::LastValue), [6.0; 5]);
        assert_eq!(forecast(Rule::SeasonalNaive(3)), [4.0, 5.0, 6.0, 4.0, 5.0]);
    }

    /// Distribution: with errors of unit variance the samples have unit variance around the point.
    #[test]
    fn samples_spread_like_training_errors() {
        tch::manual_seed(2);
        let context = random([4000, 3, 1]);
        let target = context.narrow(1, 2, 1) + random([4000, 2, 1]);
        let pairs = Pairs { context: &context, target: &target };
        let baseline = Baseline::fit(Rule::LastValue, pairs, pairs).unwrap().unwrap();
        let samples = baseline.sample(&context.narrow(0, 0, 50), 400).unwrap();
        let errors = samples - context.narrow(0, 0, 50).narrow(1, 2, 1);
        assert_eq!(errors.size(), [400, 50, 2, 1]);
        // 4000 residual blocks of 2 errors: the standard error of their variance is √(2/8000).
        let z = (errors.var(true).double_value(&[]) - 1.0) / (2.0_f64 / 8000.0).sqrt();
        assert!(z.abs() < 5.0, "{z}");
    }

    /// Errors that grow with the window's scale are learned as relative ones, others as they are.
    #[test]
    fn residuals_are_taken_as_validation_prefers() {
        tch::manual_seed(4);
        let scale = random([3000, 1, 1]).exp();
        let context = random([3000, 16, 1]) * &scale;
        let last = context.narrow(1, 15, 1);
        for relative in [true, false] {
            let noise = random([3000, 2, 1]);
            let target = &last + if relative { noise * &scale } else { noise };
            let pairs = Pairs { context: &context, target: &target };
            let baseline = Baseline::fit(Rule::LastValue, pairs, pairs).unwrap().unwrap();
            assert_eq!(baseline.relative, relative);
        }
    }

    #[test]
    fn windows_with_missing_targets_give_no_residuals() {
        tch::manual_seed(3);
        let context = random([10, 3, 1]);
        let target = random([10, 2, 1]);
        let _ = target.narrow(0, 4, 1).fill_(f64::NAN);
        let pairs = Pairs { context: &context, target: &target };
        for rule in [Rule::LastValue, Rule::Ridge] {
            let baseline = Baseline::fit(rule, pairs, pairs).unwrap().unwrap();
            let Residuals::Joint(blocks) = &baseline.residuals else { panic!("{rule:?}") };
            assert_eq!(blocks.size()[0], 9);
            assert_eq!(blocks.isfinite().all().int64_value(&[]), 1);
        }
    }

    /// Channels observed on different days: no block is whole, and each channel keeps its own.
    #[test]
    fn channels_with_gaps_of_their_own_have_residuals_of_their_own() {
        tch::manual_seed(5);
        let context = random([40, 3, 2]);
        let mut target = random([40, 2, 2]);
        let _ = target.narrow(0, 0, 20).narrow(2, 0, 1).fill_(f64::NAN);
        let _ = target.narrow(0, 20, 20).narrow(2, 1, 1).fill_(f64::NAN);
        let pairs = Pairs { context: &context, target: &target };
        for rule in [Rule::LastValue, Rule::Ridge] {
            let baseline = Baseline::fit(rule, pairs, pairs).unwrap().unwrap();
            let samples = baseline.sample(&context, 10).unwrap();
            assert_eq!(samples.isfinite().all().int64_value(&[]), 1);
        }
        let _ = target.fill_(f64::NAN);
        let nothing = Pairs { context: &context, target: &target };
        assert!(Baseline::fit(Rule::LastValue, nothing, nothing).unwrap().is_none());
        assert!(Baseline::fit(Rule::Ridge, nothing, nothing).unwrap().is_none());
    }
}
