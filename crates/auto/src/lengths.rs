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

/// The prior of members by name where no past forecast could be tried: equal, but for the naive method. On cuts of 5 to 20
/// rows of the small series no method is far from the others on average, and the naive one is the worst.
pub(crate) fn prior(members: &[String]) -> Vec<f64> {
    let naive = Method::SeasonalNaive.name();
    members.iter().map(|member| if member == naive { 0.5 } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naive_method_counts_half_where_nothing_was_tried() {
        let members = ["seasonal naive", "ETS", "network"].map(str::to_owned);
        assert_eq!(prior(&members), [0.5, 1.0, 1.0]);
    }

    #[test]
    fn large_panels_take_cheap_methods() {
        assert_eq!(methods(1, 5000), Method::ALL);
        assert!(!methods(3000, 72).contains(&Method::Arima));
        assert!(methods(3000, 72).contains(&Method::SeasonalNaive));
    }
}
