//! The methods that are worth their time on a table.

use classical::Method;

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
    fn large_panels_take_cheap_methods() {
        assert_eq!(methods(1, 5000), Method::ALL);
        assert!(!methods(3000, 72).contains(&Method::Arima));
        assert!(methods(3000, 72).contains(&Method::SeasonalNaive));
    }
}
