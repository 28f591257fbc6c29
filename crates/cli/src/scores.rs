//! Scores of a pool and its members in plain text.

use ballast::auto::Score;

use crate::table::Table;

/// The meaning of the columns of [`lines`].
pub(crate) const LEGEND: &str = "CRPS over the mean of |y|; difference: CRPS minus that of the pool ± its standard error,\n\
     * if its 95 % interval excludes zero; 80 %: share of the truth inside the 80 % intervals";

/// Columns by fold or by step at most.
const MOST: usize = 8;

/// One line for each forecaster.
pub(crate) fn lines(scores: &[Score]) -> Vec<String> {
    let mut table = Table::new(["", "CRPS", "80 %", "windows", "difference"]).ragged();
    for score in scores {
        let difference = score.difference.map_or(String::new(), |difference| {
            let star = if difference.decided { " *" } else { "" };
            format!("{:+.4} ± {:.4}{star}", difference.mean, difference.error)
        });
        table.row([
            score.forecaster.clone(),
            cell(Some(score.crps)),
            percent(Some(score.coverage_80)),
            score.windows.to_string(),
            difference,
        ]);
    }
    table.lines()
}

/// The CRPS by fold and by step, and the coverage of the pool by step.
pub(crate) fn details(scores: &[Score]) -> Vec<String> {
    let Some(first) = scores.first() else { return Vec::new() };
    let (folds, steps) = (first.by_fold.len(), first.by_step.len());
    let mut lines = Vec::new();
    let mut table = |name: &str, count: usize, of: &dyn Fn(&Score) -> &[Option<f64>]| {
        let ranges = ranges(count);
        if ranges.len() < 2 {
            return;
        }
        let labels = ranges.iter().map(label);
        let heads = std::iter::once(format!("CRPS by {name}")).chain(labels);
        let mut table = Table::new(heads);
        for score in scores {
            let cells = ranges.iter().map(|range| cell(mean(&of(score)[range.clone()])));
            table.row(std::iter::once(score.forecaster.clone()).chain(cells));
        }
        if name == "step" {
            let shares = &first.coverage_by_step;
            let cells = ranges.iter().map(|range| percent(mean(&shares[range.clone()])));
            table.row(std::iter::once("80 % of the pool".to_owned()).chain(cells));
        }
        lines.push(String::new());
        lines.extend(table.lines());
    };
    table("fold", folds, &|score| &score.by_fold);
    table("step", steps, &|score| &score.by_step);
    lines
}

/// `count` places in at most [`MOST`] ranges of one length, but for the last.
fn ranges(count: usize) -> Vec<std::ops::Range<usize>> {
    let length = count.div_ceil(MOST).max(1);
    (0..count).step_by(length).map(|start| start..(start + length).min(count)).collect()
}

fn label(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        1 => range.end.to_string(),
        _ => format!("{}–{}", range.start + 1, range.end),
    }
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

fn cell(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or("–".to_owned(), |value| format!("{value:.4}"))
}

fn percent(share: Option<f64>) -> String {
    let share = share.filter(|share| share.is_finite());
    share.map_or("–".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_steps_share_columns() {
        assert_eq!(ranges(3), [0..1, 1..2, 2..3]);
        let found = ranges(20);
        assert_eq!((found.len(), found[0].clone(), found[6].clone()), (7, 0..3, 18..20));
        assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(ranges(0).is_empty());
        assert_eq!((label(&(4..5)), label(&(4..7))), ("5".to_owned(), "5–7".to_owned()));
    }
}
