//! Scores of forecasts by their quantiles.

use super::{Columns, LEVELS, Line};

/// Scores of one forecaster on one data file; NaN or infinite where there is nothing to divide by.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Score {
    /// Mean over columns of the quantile loss at 19 levels over the mean of |y|.
    pub(crate) crps: f64,
    /// Share of the truth between the quantiles .10 and .90.
    pub(crate) coverage: f64,
    /// Quantile loss at nine deciles over the sum of |y|, all columns together.
    pub(crate) wql: f64,
    /// Absolute error of the median over the naive error of the rows known.
    pub(crate) mase: f64,
    /// Quantile loss at nine deciles over the naive error of the rows known.
    pub(crate) scaled: f64,
}

/// Scores of forecasts whose channels are those of the data.
///
/// ```text
/// ℓ_p(y, q) = 2 max(p (y − q), (p − 1)(y − q))
/// crps   = mean_c  Σ_i mean_p ℓ_p(y_i, q_ip) / Σ_i |y_i|        p = .05, .10, …, .95
/// wql    = Σ_i mean_p ℓ_p(y_i, q_ip) / Σ_i |y_i|                p = .1, .2, …, .9
/// scaled = mean_i  mean_p ℓ_p(y_i, q_ip) / s_i                  s = mean |x_t − x_{t−m}| before the origin
/// mase   = mean_i  |y_i − q_i,.5| / s_i
/// ```
///
/// # References
/// Gneiting & Raftery (2007), JASA 102, 359–378, section 6.1; Hyndman & Koehler (2006), International Journal of
/// Forecasting 22, 679–688.
pub(crate) fn score(lines: &[Line], data: &Columns, season: usize) -> Score {
    let all: Vec<usize> = (0..LEVELS).collect();
    let deciles: Vec<usize> = (1..LEVELS).step_by(2).collect();
    let of_channel = |channel: usize| {
        let lines = lines.iter().filter(move |line| line.channel == channel);
        relative(lines, &all)
    };
    let crps: Vec<f64> = (0..data.names.len()).map(of_channel).collect();
    let inside = |line: &&Line| (line.quantiles[1]..=line.quantiles[17]).contains(&line.truth);
    let mut scales = std::collections::BTreeMap::new();
    let (mut mase, mut scaled) = (0.0, 0.0);
    for line in lines {
        let scale = *scales
            .entry((line.channel, line.known))
            .or_insert_with(|| data.naive_error(line.channel, line.known, season));
        mase += loss(line, &[LEVELS / 2]) / scale;
        scaled += loss(line, &deciles) / scale;
    }
    let count = lines.len() as f64;
    Score {
        crps: stats::mean(&crps),
        coverage: lines.iter().filter(inside).count() as f64 / count,
        wql: relative(lines.iter(), &deciles),
        mase: mase / count,
        scaled: scaled / count,
    }
}

/// The loss of some lines over the sum of |y|.
fn relative<'a>(lines: impl Iterator<Item = &'a Line>, levels: &[usize]) -> f64 {
    let add = |(above, below), line: &Line| (above + loss(line, levels), below + line.truth.abs());
    let (above, below) = lines.fold((0.0, 0.0), add);
    above / below
}

/// The mean quantile loss of a line over some of its levels.
fn loss(line: &Line, levels: &[usize]) -> f64 {
    let of_level = |level: &usize| {
        let p = (level + 1) as f64 / (LEVELS + 1) as f64;
        let error = line.truth - line.quantiles[*level];
        2.0 * (p * error).max((p - 1.0) * error)
    };
    levels.iter().map(of_level).sum::<f64>() / levels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: numpy 2, with the formulas of the reference scorers for small series and for births written out on arrays
    /// `[window, step, column]`; scales by hand: 2 and 7/3, 4 and 14/3.
    #[test]
    fn scores_are_those_of_the_reference_scorers() {
        let column = |text: &str| text.split(' ').map(|v| v.parse().unwrap()).collect();
        let values = vec![column("0 2 3 -1 4 2"), column("6 10 10 20 30 5")];
        let data = Columns { names: vec!["a".to_owned(), "b".to_owned()], values };
        let centers = [[2.5, 0.5, 4.25, 2.0], [12.0, 18.0, 22.0, 6.0]];
        let widths = [[0.25, 0.125, 0.5, 0.0], [0.5, 0.25, 1.5, 0.75]];
        let line = |channel: usize, row: usize| Line {
            channel,
            known: 2 + row / 2 * 2,
            step: row % 2 + 1,
            truth: data.values[channel][2 + row],
            quantiles: std::array::from_fn(|k| {
                centers[channel][row] + widths[channel][row] * (k as f64 - 9.0)
            }),
        };
        let lines: Vec<Line> = (0..2)
            .flat_map(|channel| (0..4).map(move |row| (channel, row)))
            .map(|(c, r)| line(c, r))
            .collect();
        let found = score(&lines, &data, 1);
        for (name, found, expected) in [
            ("crps", found.crps, 0.192_484_817_813_765_2),
            ("coverage", found.coverage, 0.875),
            ("wql", found.wql, 0.157_407_407_407_407_4),
            ("scaled", found.scaled, 0.412_202_380_952_380_93),
            ("mase", found.mase, 0.504_464_285_714_285_7),
        ] {
            assert!((found - expected).abs() < 1e-12, "{name}: {found} is not {expected}");
        }
    }
}
