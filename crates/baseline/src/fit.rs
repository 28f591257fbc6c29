//! Fitting a baseline by its rule.

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
    /// All rows in f64 on the host, by series.
    pub history: &'a History,
    /// Training windows.
    pub train: &'a Examples,
    /// Validation windows, on which settings are chosen.
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
    /// Fits `rule` on training rows. Validation windows choose the ridge strength, and whether residuals are relative
    /// to the scale of their window.
    ///
    /// `None` if there is nothing to fit: for example, the rule needs a season and has none that fits, a channel has no
    /// training window without gaps, or a series has fewer than 30 training values.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails, for example because memory runs out.
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

    /// Fits each of `rules` to the training windows of `source`, and returns it with its name in tables; `None` stands
    /// for a rule that cannot be fitted.
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
            // Each rule starts its own stream, so that its draws do not depend on the rules before it.
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

    /// The mean of the law that [`Baseline::sample`] draws from, `[B, H, C]`.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails.
    pub fn mean(&self, batch: &Batch) -> Result<Tensor> {
        self.law().mean(batch)
    }

    /// The log density of each element of the target, `[B, H, C]`, in nats. Volatility models average their own density
    /// over `draws` paths; the other baselines use a kernel estimate from training values.
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

/// Fair CRPS of ridge regression fitted on `train`, for each of the `validation` windows, in standardized units; NaN
/// where nothing was observed. With `instance`, windows are standardized by their own mean and standard deviation.
/// `None` if gaps leave nothing to fit.
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
