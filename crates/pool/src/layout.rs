//! Where past forecasts start.

/// Origins of past forecasts in the last part of the known rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// First rows of the targets, rising.
    pub origins: Vec<usize>,
    /// Steps forecast from each, fewer than asked for where the rows leave no room for all.
    pub horizon: usize,
    /// How many of these horizons have no row in common.
    pub disjoint: usize,
}

/// Shares of the known rows that folds take from the end: as a rule, and at most for the sake of two horizons.
const SHARES: [f64; 2] = [0.2, 0.4];

impl Layout {
    /// [`Layout::within`] the last fifth of `rows`; more, up to two fifths, where that is less than two horizons. A horizon
    /// that is too long for two fifths is cut to a fifth of the rows, so that at least its first steps are tried.
    ///
    /// A longer part would hold more folds, but of forecasters that knew fewer rows than those which forecast in the
    /// end, and weights that do well for the former are not those of the latter.
    pub fn rolling(rows: usize, horizon: usize, seasons: &[usize], most: usize) -> Layout {
        let of = |horizon: usize| {
            let two = 2.0 * horizon as f64 / rows.max(1) as f64;
            let share = two.clamp(SHARES[0], SHARES[1]);
            Layout::within(share, rows, horizon, seasons, most)
        };
        let whole = of(horizon);
        let fifth = (SHARES[0] * rows as f64) as usize;
        match whole.origins.is_empty() && (1..horizon).contains(&fifth) {
            true => of(fifth),
            false => whole,
        }
    }

    /// At most `most` origins within the last `share` of `rows`, the last one a horizon before the end.
    ///
    /// ```text
    /// first ≥ max((1 − share) rows, 2 seasons + 4, horizon)        spacing ≥ max(1, horizon / 4)
    /// ```
    ///
    /// `season` is the longest season that repeats at least three times. Without room for one fold there is none.
    pub fn within(
        share: f64,
        rows: usize,
        horizon: usize,
        seasons: &[usize],
        most: usize,
    ) -> Layout {
        let repeated = seasons.iter().filter(|season| 3 * **season <= rows);
        let season = repeated.copied().max().unwrap_or(1);
        let known = rows - (share.clamp(0.0, 1.0) * rows as f64).floor() as usize;
        let first = known.max(2 * season + 4).max(horizon);
        let none = Layout { origins: Vec::new(), horizon, disjoint: 0 };
        if horizon == 0 || most == 0 || first + horizon > rows {
            return none;
        }
        let room = rows - horizon - first;
        let count = most.min(room / (horizon / 4).max(1) + 1);
        // From the last one back, evenly spread over the room.
        let back = |k: usize| (k * room).checked_div(count - 1).unwrap_or(0);
        let origins: Vec<usize> = (0..count).rev().map(|k| rows - horizon - back(k)).collect();
        let disjoint = disjoint(&origins, horizon);
        Layout { origins, horizon, disjoint }
    }
}

/// The most targets that can be taken without a common row, the earliest first.
fn disjoint(origins: &[usize], horizon: usize) -> usize {
    let mut free = 0;
    origins.iter().fold(0, |count, origin| {
        if *origin < free {
            return count;
        }
        free = origin + horizon;
        count + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_end_a_horizon_before_the_end() {
        let found = Layout::within(0.4, 100, 10, &[12], 12);
        assert_eq!(found.origins[..5], [60, 63, 66, 69, 71]);
        // By hand: 60, 71 and 82.
        assert_eq!((found.origins.len(), found.disjoint), (12, 3));
        let found = Layout::within(0.4, 1000, 10, &[], 5);
        assert_eq!(found.origins, [600, 698, 795, 893, 990]);
        assert_eq!(found.disjoint, 5);
        assert_eq!(Layout::rolling(1000, 10, &[], 12).origins[0], 800);
        // Two horizons of a short series.
        assert_eq!(Layout::rolling(100, 15, &[], 12).origins[0], 70);
        assert_eq!(Layout::rolling(100, 30, &[], 12).origins[0], 60);
    }

    #[test]
    fn short_series_have_no_folds() {
        for (rows, horizon) in [(0, 1), (5, 3), (3, 0), (6, 15)] {
            assert_eq!(
                Layout::rolling(rows, horizon, &[12], 8).origins,
                [0; 0],
                "{rows} {horizon}"
            );
        }
        // Two seasons and a few rows stay for the fit.
        let found = Layout::rolling(40, 6, &[12], 8);
        assert!(found.origins[0] >= 28 && found.origins.last() == Some(&34), "{found:?}");
    }

    #[test]
    fn long_horizons_are_cut() {
        let found = Layout::rolling(120, 400, &[12], 12);
        assert_eq!((found.horizon, found.origins[0], found.disjoint), (24, 72, 2));
        assert_eq!(found.origins.last(), Some(&96));
        assert_eq!(Layout::rolling(120, 48, &[12], 12).horizon, 48);
    }

    /// Law: all origins leave a horizon, rise, and are at most as many as asked for.
    #[test]
    fn layouts_hold_their_promises() {
        for rows in 0..150 {
            for horizon in [1, 3, 12, 30] {
                for most in [1, 2, 8] {
                    let found = Layout::rolling(rows, horizon, &[7, 24], most);
                    assert!(found.origins.len() <= most);
                    assert!(found.origins.windows(2).all(|pair| pair[0] < pair[1]));
                    assert!(found.horizon <= horizon);
                    assert!(found.origins.iter().all(|origin| origin + found.horizon <= rows));
                    assert!(found.disjoint <= found.origins.len());
                    assert_eq!(found.origins.is_empty(), found.disjoint == 0);
                }
            }
        }
    }
}
