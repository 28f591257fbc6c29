//! The rules by which baselines forecast.

use feed::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a baseline forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The last value of the context, repeated, plus residuals.
    LastValue,
    /// The value one season earlier, repeated, plus residuals; the season has to fit in the context.
    SeasonalNaive,
    /// The line through the first and the last value of the context, plus residuals.
    Drift,
    /// Blocks of the training rows of the same series.
    Climatology,
    /// Blocks of the training rows of the same series that start at the same phase of the season.
    SeasonalClimatology,
    /// One closed-form ridge regression from context to horizon, shared by all channels, on windows standardized by
    /// their own mean and standard deviation, plus residuals.
    Ridge,
    /// Exponential smoothing, fitted to each series and channel, plus residuals.
    Ets,
    /// Normal returns of constant mean and variance.
    ConstantGaussian,
    /// Student's t returns of constant mean and variance.
    ConstantStudentT,
    /// Normal returns whose variance is exponentially weighted, with the decay .94 of RiskMetrics.
    Ewma,
    /// Normal returns whose variance is exponentially weighted, with the decay of maximum likelihood.
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

    /// The rules that suit the data: last value, seasonal naive if the season fits in the context, drift, climatology
    /// and ridge; for returns also constant Student-t, EWMA and GARCH.
    pub fn defaults(source: &Source) -> Vec<Rule> {
        let mut rules = vec![Rule::LastValue];
        match fitting_season(source) {
            Some(_) => rules.push(Rule::SeasonalNaive),
            None => tracing::warn!(
                season = ?source.season(),
                "no seasonal naive baseline: the season does not fit"
            ),
        }
        if source.config().context > 1 {
            rules.push(Rule::Drift);
        }
        rules.extend([Rule::Climatology, Rule::Ridge]);
        if source.returns() {
            rules.extend([Rule::ConstantStudentT, Rule::Ewma, Rule::Garch]);
        }
        rules
    }

    /// The reference for the skill of a model: seasonal naive, or the last value if no season fits in the context.
    pub fn naive(source: &Source) -> Rule {
        match fitting_season(source) {
            Some(_) => Rule::SeasonalNaive,
            None => Rule::LastValue,
        }
    }
}

/// The season, if it spans several rows and fits in a context.
fn fitting_season(source: &Source) -> Option<usize> {
    source.season().filter(|season| 1 < *season && *season <= source.config().context)
}
