//! Lengths that a series allows: the context of the network, and the methods that are worth their time.

use classical::Method;

/// Rows to look back over.
///
/// ```text
/// L = 2 m                               two of the shortest season, or one below six of them
/// L = M + 5 m, a multiple of m          where the rows hold at least eight of a longer season M
/// L = rows / 6 within 4 … max(12, H)    without a season
/// ```
///
/// `rows` are those of the longest series that the network is trained on. A network that sees whole seasons finds the
/// phase by itself; one that sees half a season more than two does not do better, and has fewer windows.
pub(crate) fn context(rows: usize, horizon: usize, seasons: &[usize]) -> usize {
    let Some(&short) = seasons.first() else {
        return (rows / 6).clamp(4, horizon.max(12));
    };
    let long = seasons.iter().skip(1).rev().find(|season| 8 * **season <= rows);
    match long {
        Some(&long) => (long + 5 * short).div_ceil(short) * short,
        None if rows >= 6 * short => 2 * short,
        None if rows >= 3 * short => short,
        None => (rows / 6).clamp(4, horizon.max(12)),
    }
}

/// The largest number of series times rows for which each method is fitted: the cost of a fit grows with both, and a
/// panel of thousands of series has to be done in seconds.
const MOST_CELLS: [(Method, usize); 7] = [
    (Method::SeasonalNaive, usize::MAX),
    (Method::Climatology, usize::MAX),
    (Method::Intermittent, usize::MAX),
    (Method::Theta, 400_000),
    (Method::Ets, 60_000),
    (Method::Ridge, 60_000),
    (Method::Arima, 60_000),
];

/// The methods for `units` series and channels of `rows` rows.
pub(crate) fn methods(units: usize, rows: usize) -> Vec<Method> {
    let cells = units.saturating_mul(rows);
    let affordable = |method: &Method| {
        MOST_CELLS.iter().any(|(other, most)| other == method && (units < 4 || cells <= *most))
    };
    Method::ALL.into_iter().filter(affordable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_whole_seasons() {
        assert_eq!(context(144, 12, &[12]), 24);
        assert_eq!(context(60, 12, &[12]), 12);
        assert_eq!(context(7305, 30, &[7, 365]), 406);
        assert_eq!(context(724, 28, &[7, 365]), 14);
        assert_eq!(context(103, 13, &[52]), 13);
        assert_eq!(context(30, 4, &[]), 5);
    }

    #[test]
    fn large_panels_take_cheap_methods() {
        assert_eq!(methods(1, 5000), Method::ALL);
        assert!(!methods(3000, 72).contains(&Method::Arima));
        assert!(methods(3000, 72).contains(&Method::SeasonalNaive));
    }
}
