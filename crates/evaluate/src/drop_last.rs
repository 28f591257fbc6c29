//! Squared errors of mean forecasts under the protocol `stocks`, as its authors count them: on the windows that
//! D-Va's loader keeps, beside those on all windows.

use record::{DropLast, PointError};
use stats::{Pairing, mean_of_finite};

use crate::table::{Measure, ScoreTable};

/// Windows per batch of D-Va's loader, which drops the last incomplete batch of each series.
const BATCH: usize = 16;

/// A record without forecasters yet. `places[w]` is the series of window `w`; the windows of a series are adjacent.
pub(crate) fn begin(places: &[usize]) -> DropLast {
    let kept = kept(places).iter().filter(|kept| **kept).count();
    DropLast { batch: BATCH, kept, forecasters: Vec::new() }
}

/// Mean squared errors of one forecaster, from the column `measure` of its table.
pub(crate) fn point_error(
    name: &str,
    table: &ScoreTable,
    measure: Measure,
    places: &[usize],
    pairing: &Pairing,
) -> PointError {
    let kept = kept(places);
    let (errors, zero) = (table.column(measure), table.column(Measure::ZeroError));
    let over = |all: bool| over_series(errors.iter().copied(), places, |i| all || kept[i]);
    let to_zero = errors.iter().zip(zero).map(|(error, zero)| error - zero).collect();
    PointError {
        name: name.to_owned(),
        kept: over(false),
        all: over(true),
        to_zero: pairing.difference(&[to_zero]),
    }
}

/// Whether each window lies in a whole batch of its series.
fn kept(places: &[usize]) -> Vec<bool> {
    let series = places.chunk_by(|a, b| a == b);
    series
        .flat_map(|windows| (0..windows.len()).map(|i| i < windows.len() / BATCH * BATCH))
        .collect()
}

/// The mean over series of their means over the windows that `keep` selects; NaN without such windows.
fn over_series(
    values: impl Iterator<Item = f64>,
    places: &[usize],
    keep: impl Fn(usize) -> bool,
) -> f64 {
    let values: Vec<f64> =
        values.enumerate().map(|(i, v)| if keep(i) { v } else { f64::NAN }).collect();
    let mut rest = values.as_slice();
    let each = places.chunk_by(|a, b| a == b).filter_map(|windows| {
        let (series, after) = rest.split_at(windows.len());
        rest = after;
        mean_of_finite(series.iter().copied())
    });
    mean_of_finite(each.collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: counts and means by hand. Series of 33, 16 and 5 windows keep 32, 16 and none.
    #[test]
    fn whole_batches_of_each_series_are_kept() {
        let places = [vec![0; 33], vec![2; 16], vec![1; 5]].concat();
        let kept = kept(&places);
        let expected = [vec![true; 32], vec![false], vec![true; 16], vec![false; 5]].concat();
        assert_eq!(kept, expected);
        let values =
            || [vec![1.0; 32], vec![34.0], vec![3.0; 16], vec![8.0; 5]].concat().into_iter();
        assert_eq!(over_series(values(), &places, |i| kept[i]), 2.0);
        // (66/33 + 3 + 8) / 3
        assert_eq!(over_series(values(), &places, |_| true), 13.0 / 3.0);
        assert!(over_series(values(), &places, |_| false).is_nan());
    }

    /// Oracle: D-Va's loader on the published cells keeps 128, 128, 112 and 80 of 142, 132, 112 and 92 windows.
    #[test]
    fn the_published_counts_are_kept() {
        for (windows, expected) in [(142, 128), (132, 128), (112, 112), (111, 96), (92, 80)] {
            assert_eq!(begin(&vec![7; windows]).kept, expected);
        }
    }
}
