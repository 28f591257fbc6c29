//! From a rule to a fitted baseline.

use feed::{Batch, DevicePanel, History, Part, Source, Stream, seed};
use tch::{Tensor, no_grad};

use crate::climatology::Climatology;
use crate::error::Result;
use crate::ets::Ets;
use crate::examples::Examples;
use crate::garch::Kind;
use crate::law::Law;
use crate::point::{Drift, Point, Repeat};
use crate::residual::WithResiduals;
use crate::ridge::Ridge;
use crate::rule::Rule;
use crate::volatility::Volatility;

/// The data that baselines are fitted on.
#[derive(Debug)]
pub struct FitData<'a> {
    /// All rows on the device.
    pub panel: &'a DevicePanel,
    /// All rows again, in f64, by series.
    pub history: &'a History,
    /// Training windows.
    pub train: &'a Examples,
    /// Validation windows, to choose on.
    pub validation: &'a Examples,
    /// Rows per season.
    pub season: Option<usize>,
}

/// A fitted baseline.
#[derive(Debug)]
pub struct Baseline(pub(crate) Fitted);

#[derive(Debug)]
pub(crate) enum Fitted {
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
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails, such as for want of memory.
    pub fn fit(rule: Rule, data: &FitData) -> Result<Option<Baseline>> {
        let FitData { panel, history, train, validation, season } = *data;
        let (_, context, _) = train.context().size3()?;
        let horizon = train.target().size()[1];
        let length = context as usize;
        let season = season.filter(|season| *season > 1);
        let climatology = |season| -> Result<Option<Baseline>> {
            let fitted = Climatology::fit(history, panel, length, season)?;
            Ok(fitted.map(|fitted| Baseline(Fitted::Climatology(fitted))))
        };
        let volatility = |kind| {
            let fitted = Volatility::fit(kind, history, length, horizon);
            Ok(fitted.map(|fitted| Baseline(Fitted::Volatility(fitted))))
        };
        let with_residuals = |point: Option<Box<dyn Point>>| -> Result<Option<Baseline>> {
            let Some(point) = point else { return Ok(None) };
            let fitted = WithResiduals::fit(point, train, validation)?;
            Ok(fitted.map(|fitted| Baseline(Fitted::Residual(fitted))))
        };
        match rule {
            Rule::LastValue => with_residuals(Some(Box::new(Repeat { rows: 1, horizon }))),
            Rule::SeasonalNaive => {
                let fitting = season.filter(|season| *season <= length);
                with_residuals(fitting.map(|rows| boxed(Repeat { rows: rows as i64, horizon })))
            }
            Rule::Drift => with_residuals((context > 1).then(|| boxed(Drift { horizon }))),
            Rule::Ridge => with_residuals(Ridge::fit(train, validation, true)?.map(boxed)),
            Rule::Ets => {
                let fitted = Ets::fit(history, season, length, horizon as usize);
                with_residuals(fitted.map(boxed))
            }
            Rule::Climatology => climatology(1),
            Rule::SeasonalClimatology => match season {
                Some(season) => climatology(season),
                None => Ok(None),
            },
            Rule::ConstantGaussian => volatility(Kind::ConstantGaussian),
            Rule::ConstantStudentT => volatility(Kind::ConstantStudentT),
            Rule::Ewma => volatility(Kind::Ewma),
            Rule::EwmaFitted => volatility(Kind::EwmaFitted),
            Rule::Garch => volatility(Kind::Garch),
        }
    }

    /// Fits each of `rules` to the training windows of `source`, with its name in tables; `None` beside those that
    /// cannot be fitted.
    ///
    /// # Errors
    /// As [`Baseline::fit`].
    pub fn fit_all(
        source: &Source,
        rules: &[Rule],
        run_seed: u64,
    ) -> Result<Vec<(String, Option<Baseline>)>> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let panel = source.panel();
        let most = panel.fitted_at_most();
        let examples = |part| Examples::new(panel, &source.windows(part).at_most(most));
        let (train, validation) = (examples(Part::Train)?, examples(Part::Validation)?);
        let (history, season) = (source.history(), source.season());
        let data =
            FitData { panel, history: &history, train: &train, validation: &validation, season };
        let fit = |rule: &Rule| {
            // Its own draws decide how residuals are taken: the same whatever was fitted before.
            seed(run_seed, Stream::Evaluation);
            Ok((rule.name(season), Baseline::fit(*rule, &data)?))
        };
        no_grad(|| rules.iter().map(fit).collect())
    }

    /// Samples `[S, B, H, C]`, drawn from torch's generator.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails.
    pub fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor> {
        self.law().sample(batch, samples)
    }

    /// The mean of the law that is sampled, `[B, H, C]`.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails.
    pub fn mean(&self, batch: &Batch) -> Result<Tensor> {
        self.law().mean(batch)
    }

    /// The log density of each element of the batch's target, `[B, H, C]`, in nats: of volatility laws
    /// their own, as a mean over `draws` paths, of the others a kernel estimate from training values.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails.
    pub fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor> {
        self.law().log_density(batch, draws)
    }

    fn law(&self) -> &dyn Law {
        match &self.0 {
            Fitted::Residual(fitted) => fitted,
            Fitted::Climatology(fitted) => fitted,
            Fitted::Volatility(fitted) => fitted,
        }
    }
}

fn boxed(point: impl Point + 'static) -> Box<dyn Point> {
    Box::new(point)
}

/// Fair CRPS on each of the `validation` windows, standardized, of ridge regression fitted on `train`; NaN where
/// nothing was observed. Windows are relative to their own mean and standard deviation with `instance`, else as they
/// are. `None` where gaps leave nothing to fit.
///
/// # Errors
/// As [`Baseline::fit`].
pub fn ridge_crps(
    train: &Examples,
    validation: &Examples,
    instance: bool,
) -> Result<Option<Vec<f64>>> {
    let Some(ridge) = Ridge::fit(train, validation, instance)? else { return Ok(None) };
    let fitted = WithResiduals::fit(boxed(ridge), train, validation)?;
    let scores = fitted.map(|fitted| fitted.scores(validation)).transpose()?;
    let host = |scores: Tensor| Ok(Vec::try_from(scores.f_to(tch::Device::Cpu)?)?);
    scores.map(host).transpose()
}
