//! Forecasters that fit in seconds: what every model has to beat.
//!
//! Three kinds, all in standardized units and asked in the same way:
//!
//! - a point forecast plus residuals: whole blocks `[H, C]` of the errors it made on training windows,
//!   drawn with replacement, so that samples keep the dependence between steps and channels;
//! - climatology: whole blocks of the training rows themselves;
//! - laws of volatility, whose paths are simulated.
//!
//! Everything is fitted on training rows and chosen on validation windows; what looks further back than
//! the context sees rows before the origin only. Formulas and sources: `docs/math/baselines.md`.

mod climatology;
mod ets;
mod garch;
mod history;
mod minimize;
mod residual;
mod ridge;
mod volatility;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use history::{History, SeriesRows};

use crate::batch::{Batch, Rows};
use crate::error::TrainError;
use climatology::Climatology;
use ets::Ets;
use residual::{Point, WithResiduals};
use ridge::Ridge;
pub(crate) use ridge::{RIDGE_STRENGTHS, penalized};
use volatility::Volatility;

/// At most so many training values make up a kernel estimate.
const MAX_COMPONENTS: usize = 200;

/// About so many validation windows decide between fits.
const MAX_SCORED: i64 = 200;

/// How a baseline forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// The last value of the context, repeated, plus residuals.
    LastValue,
    /// The value one season earlier, repeated, plus residuals; the season has to fit in the context.
    SeasonalNaive,
    /// The line through the first and the last value of the context, plus residuals.
    Drift,
    /// Blocks of the training rows of the same series.
    Climatology,
    /// The same, of those that start at the same phase of the season.
    SeasonalClimatology,
    /// One closed-form ridge regression from context to horizon, shared over channels, on windows
    /// scaled by their own mean and standard deviation, plus residuals.
    Ridge,
    /// Exponential smoothing, fitted to each series and channel, plus residuals.
    Ets,
    /// Returns of constant mean and variance, normal.
    ConstantGaussian,
    /// Returns of constant mean and variance, Student's t.
    ConstantStudentT,
    /// Exponentially weighted variance with the decay .94 of RiskMetrics, normal.
    Ewma,
    /// The same with the likeliest decay.
    EwmaFitted,
    /// GARCH(1,1) with Student's t innovations.
    Garch,
}

impl Rule {
    /// The name in tables.
    pub fn name(self, season: Option<usize>) -> String {
        let season = season.map_or("none".to_owned(), |season| season.to_string());
        match self {
            Rule::LastValue => "last value".to_owned(),
            Rule::SeasonalNaive => format!("seasonal naive ({season})"),
            Rule::Drift => "drift".to_owned(),
            Rule::Climatology => "climatology".to_owned(),
            Rule::SeasonalClimatology => format!("climatology ({season})"),
            Rule::Ridge => "ridge".to_owned(),
            Rule::Ets => "ETS".to_owned(),
            Rule::ConstantGaussian => "constant Gaussian".to_owned(),
            Rule::ConstantStudentT => "constant Student-t".to_owned(),
            Rule::Ewma => "EWMA (.94)".to_owned(),
            Rule::EwmaFitted => "EWMA (fitted)".to_owned(),
            Rule::Garch => "GARCH(1,1)-t".to_owned(),
        }
    }
}

/// Some windows that a forecast is asked for, and where they lie.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What a model sees of them; a target in it is looked at by densities only.
    pub batch: &'a Batch,
    /// The rows at which their contexts start, `[B]`, i64.
    pub starts: &'a Tensor,
}

impl Asked<'_> {
    /// The context `[B, L, C]` with its gaps filled.
    fn context(&self) -> Result<Tensor, TrainError> {
        self.batch.filled_context()
    }
}

/// Windows to fit or choose on.
#[derive(Debug)]
pub struct Pairs {
    /// `[N, L, C]`, gaps filled.
    context: Tensor,
    /// `[N, H, C]`, NaN where missing.
    target: Tensor,
    /// `[N]`.
    starts: Tensor,
    /// The context alone, as a forecaster is asked.
    batch: Batch,
}

impl Pairs {
    /// The windows whose contexts start at rows `starts`, `[N]`, i64.
    ///
    /// # Errors
    /// As [`Rows::gather`].
    pub fn new(rows: &Rows, starts: &Tensor) -> Result<Pairs, TrainError> {
        let batch = rows.gather(starts)?;
        let missing = batch.target_observed.as_ref().map(|mask| mask.f_eq(0.0)).transpose()?;
        let target = match missing {
            Some(missing) => batch.target.f_masked_fill(&missing, f64::NAN)?,
            None => batch.target.shallow_clone(),
        };
        Ok(Pairs::of(batch.filled_context()?, target, starts.shallow_clone()))
    }

    fn of(context: Tensor, target: Tensor, starts: Tensor) -> Pairs {
        let batch = Batch {
            context: context.shallow_clone(),
            extras: None,
            future: None,
            target: target.shallow_clone(),
            context_observed: None,
            target_observed: None,
        };
        Pairs { context, target, starts, batch }
    }

    /// Every `stride`-th window.
    fn every(&self, stride: i64) -> Result<Pairs, TrainError> {
        let on = (Kind::Int64, self.context.device());
        let kept = Tensor::f_arange_start_step(0, self.context.size()[0], stride, on)?;
        let pick = |tensor: &Tensor| tensor.f_index_select(0, &kept);
        Ok(Pairs::of(pick(&self.context)?, pick(&self.target)?, pick(&self.starts)?))
    }

    /// The squared correlation between the means of context and target of a window, within channels: how much the
    /// level of what comes follows the level of what was. Zero where nothing varies.
    pub(crate) fn persistence(&self) -> Result<f64, TrainError> {
        let level = |values: &Tensor| {
            values.f_to_kind(Kind::Double)?.f_nanmean([1_i64].as_slice(), false, Kind::Double)
        };
        let (before, after) = (level(&self.context)?, level(&self.target)?);
        let seen = after.f_isfinite()?.f_to_kind(Kind::Double)?;
        let over = [0_i64];
        let sum = |values: Tensor| {
            (values * &seen).f_sum_dim_intlist(over.as_slice(), true, Kind::Double)
        };
        let after = after.f_nan_to_num(0.0, None::<f64>, None::<f64>)?;
        let count =
            seen.f_sum_dim_intlist(over.as_slice(), true, Kind::Double)?.f_clamp_min(1.0)?;
        let centered = |values: &Tensor| -> Result<Tensor, TrainError> {
            Ok(values - sum(values.shallow_clone())? / &count)
        };
        let (before, after) = (centered(&before)?, centered(&after)?);
        let total = |values: Tensor| sum(values)?.f_sum(Kind::Double)?.f_double_value(&[]);
        let (both, one, other) =
            (total(&before * &after)?, total(before.f_square()?)?, total(after.f_square()?)?);
        let scale = one * other;
        Ok(if scale > 0.0 { both * both / scale } else { 0.0 })
    }

    /// About [`MAX_SCORED`] of them, evenly spaced.
    fn some(&self) -> Result<Pairs, TrainError> {
        self.every((self.context.size()[0] / MAX_SCORED).max(1))
    }

    fn asked(&self) -> Asked<'_> {
        Asked { batch: &self.batch, starts: &self.starts }
    }
}

/// What baselines are fitted on.
#[derive(Debug)]
pub struct Material<'a> {
    /// All rows on the device.
    pub rows: &'a Rows,
    /// All rows again, in f64, by series.
    pub history: &'a History,
    /// Training windows.
    pub train: &'a Pairs,
    /// Validation windows, to choose on.
    pub validation: &'a Pairs,
    /// Rows per season.
    pub season: Option<usize>,
}

/// A fitted baseline.
#[derive(Debug)]
pub struct Baseline(Fitted);

#[derive(Debug)]
enum Fitted {
    Residual(WithResiduals),
    Climatology(Climatology),
    Volatility(Volatility),
}

impl Baseline {
    /// Fits `rule` on training rows; the ridge strength, and how residuals are taken, are chosen on
    /// validation windows. `None` where there is nothing to fit: no season that the rule could repeat, a
    /// channel without one whole window, a series with fewer than 30 training values.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails, such as for want of memory.
    pub fn fit(rule: Rule, material: &Material) -> Result<Option<Baseline>, TrainError> {
        let Material { rows, history, train, validation, season } = *material;
        let (_, context, _) = train.context.size3()?;
        let horizon = train.target.size()[1];
        let length = context as usize;
        let season = season.filter(|season| *season > 1);
        let volatility = |kind| {
            let fitted = Volatility::fit(kind, history, length, horizon);
            Ok(fitted.map(|fitted| Baseline(Fitted::Volatility(fitted))))
        };
        let climatology = |season| -> Result<Option<Baseline>, TrainError> {
            let fitted = Climatology::fit(history, rows, length, season)?;
            Ok(fitted.map(|fitted| Baseline(Fitted::Climatology(fitted))))
        };
        let point = match rule {
            Rule::LastValue => Some(Point::Repeat { rows: 1, horizon }),
            Rule::SeasonalNaive => season
                .filter(|season| *season <= length)
                .map(|season| Point::Repeat { rows: season as i64, horizon }),
            Rule::Drift => (context > 1).then_some(Point::Drift { horizon }),
            Rule::Ridge => Ridge::fit(train, validation, true)?.map(Point::Ridge),
            Rule::Ets => Ets::fit(history, season, length, horizon as usize).map(Point::Ets),
            Rule::Climatology => return climatology(1),
            Rule::SeasonalClimatology => {
                let Some(season) = season else { return Ok(None) };
                return climatology(season);
            }
            Rule::ConstantGaussian => return volatility(garch::Kind::ConstantGaussian),
            Rule::ConstantStudentT => return volatility(garch::Kind::ConstantStudentT),
            Rule::Ewma => return volatility(garch::Kind::Ewma),
            Rule::EwmaFitted => return volatility(garch::Kind::EwmaFitted),
            Rule::Garch => return volatility(garch::Kind::Garch),
        };
        let Some(point) = point else { return Ok(None) };
        Baseline::around(point, train, validation)
    }

    /// Ridge regression of windows relative to their own mean and standard deviation ([`Rule::Ridge`]), or as they are.
    ///
    /// # Errors
    /// As [`Baseline::fit`].
    pub(crate) fn ridge(
        train: &Pairs,
        validation: &Pairs,
        instance: bool,
    ) -> Result<Option<Baseline>, TrainError> {
        match Ridge::fit(train, validation, instance)? {
            Some(ridge) => Baseline::around(Point::Ridge(ridge), train, validation),
            None => Ok(None),
        }
    }

    fn around(
        point: Point,
        train: &Pairs,
        validation: &Pairs,
    ) -> Result<Option<Baseline>, TrainError> {
        let fitted = WithResiduals::fit(point, train, validation)?;
        Ok(fitted.map(|fitted| Baseline(Fitted::Residual(fitted))))
    }

    /// Fair CRPS of each window, standardized; NaN where nothing was observed. `None` for laws of other kinds than
    /// residuals.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub(crate) fn crps(&self, windows: &Pairs) -> Result<Option<Vec<f64>>, TrainError> {
        let Fitted::Residual(fitted) = &self.0 else { return Ok(None) };
        Ok(Some(Vec::try_from(fitted.scores(windows)?.f_to(tch::Device::Cpu)?)?))
    }

    /// Samples `[S, B, H, C]`, drawn from torch's generator.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn sample(&self, asked: &Asked, samples: i64) -> Result<Tensor, TrainError> {
        match &self.0 {
            Fitted::Residual(fitted) => fitted.sample(asked, samples),
            Fitted::Climatology(fitted) => fitted.sample(asked, samples),
            Fitted::Volatility(fitted) => fitted.sample(asked, samples),
        }
    }

    /// The mean of the law that is sampled, `[B, H, C]`.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn mean(&self, asked: &Asked) -> Result<Tensor, TrainError> {
        match &self.0 {
            Fitted::Residual(fitted) => fitted.mean(asked),
            Fitted::Climatology(fitted) => fitted.mean(asked),
            Fitted::Volatility(fitted) => fitted.mean(asked),
        }
    }

    /// The log density of each element of the batch's target, `[B, H, C]`, in nats: of volatility laws
    /// their own, as a mean over `draws` paths, of the others a kernel estimate from training values.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn log_density(&self, asked: &Asked, draws: i64) -> Result<Tensor, TrainError> {
        match &self.0 {
            Fitted::Residual(fitted) => fitted.log_density(asked),
            Fitted::Climatology(fitted) => fitted.log_density(asked),
            Fitted::Volatility(fitted) => fitted.log_density(asked, draws),
        }
    }
}

/// At most `most` evenly spaced items.
fn thinned<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let kept = all.len().min(most);
    (0..kept).map(move |i| &all[i * all.len() / kept])
}

#[cfg(test)]
mod tests;
