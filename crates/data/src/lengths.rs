//! Lengths that a series allows: how many rows to look back over, how many to forecast, which calendar features.
//!
//! `data check`, `init` and the forecast of a bare table all follow these rules.

use crate::config::CalendarFeature;
use crate::panel::Panel;
use crate::time::Frequency;
use crate::time::civil::DAY;

/// Cycles that a calendar feature needs before anything can be learned from it.
const CYCLES: usize = 3;

/// Rows to look back over.
///
/// ```text
/// L = 2 m                               two of the shortest season m, or one below six of them
/// L = 4 m                               where the rows hold at least fifty
/// L = M + 5 m, a multiple of m          where the rows hold at least eight of a longer season M
/// L = rows / 6 within 4 … max(12, H)    without a season
/// ```
///
/// `rows` are those of the longest series, `seasons` the rows of each season, the shortest first
/// ([`Frequency::seasons`]). A network that sees whole seasons finds the phase by itself; one that sees half a season
/// more than two does not do better, and has fewer windows. Longer contexts pay only with many rows.
///
/// ```
/// assert_eq!(data::lengths::context(144, 12, &[12]), 24);
/// assert_eq!(data::lengths::context(7305, 30, &[7, 365]), 406);
/// ```
pub fn context(rows: usize, horizon: usize, seasons: &[usize]) -> usize {
    let bare = (rows / 6).clamp(4, horizon.max(12));
    let Some(&short) = seasons.first().filter(|season| **season > 0) else { return bare };
    let holds = |count: usize, season: usize| count.saturating_mul(season) <= rows;
    let long = seasons.iter().skip(1).rev().find(|season| holds(8, **season));
    match long {
        Some(&long) => (long + 5 * short).div_ceil(short) * short,
        None if holds(50, short) => 4 * short,
        None if holds(6, short) => 2 * short,
        None if holds(3, short) => short,
        None => bare,
    }
}

/// The context of [`context`], shortened where `room` training rows before the last horizon leave too few windows: to
/// two thirds of them at most, and to whole seasons where one fits.
pub(crate) fn shortened(context: usize, room: usize, seasons: &[usize]) -> usize {
    let most = (room * 2 / 3).max(1);
    match seasons.first() {
        _ if context <= most => context,
        Some(&season) if (1..=most).contains(&season) => most / season * season,
        _ => most,
    }
}

/// Rows to forecast where nobody says how many: one of the shortest season, 12 without one, a tenth of the rows at
/// most.
pub fn horizon(rows: usize, seasons: &[usize]) -> usize {
    seasons.first().copied().unwrap_or(12).clamp(1, (rows / 10).max(1))
}

/// Calendar features that mean something at the time step of `panel`, and of which `rows` rows hold three cycles: the
/// hour below a day, the day of the week and of the year up to a day. None of rows without dates; months and weeks are
/// told by their place in the context.
pub fn calendar(panel: &Panel, rows: usize) -> Vec<CalendarFeature> {
    if panel.is_dated() { at_step(panel.frequency(), rows) } else { Vec::new() }
}

/// Calendar features that tell the phase of the season at the time step of `panel`, of which `rows` rows hold three
/// cycles: those of [`calendar`], and the month of months and quarters. Weeks have none: a year of them takes more terms
/// than short series can fit.
pub fn seasonal(panel: &Panel, rows: usize) -> Vec<CalendarFeature> {
    match panel.frequency() {
        Frequency::Months(step @ 1..12, _) if 12 % step == 0 => {
            let cycles = rows / CYCLES >= 12 / step as usize;
            if cycles && panel.is_dated() { vec![CalendarFeature::Month] } else { Vec::new() }
        }
        _ => calendar(panel, rows),
    }
}

fn at_step(step: Frequency, rows: usize) -> Vec<CalendarFeature> {
    let day = match step {
        Frequency::Micros(step) if (1..=DAY).contains(&step) => (DAY / step) as usize,
        Frequency::Days(1) | Frequency::Weekdays(_) => 1,
        _ => return Vec::new(),
    };
    let cycles = |days: usize| rows / CYCLES >= days.saturating_mul(day);
    let mut features = Vec::new();
    features.extend((day > 1 && cycles(1)).then_some(CalendarFeature::Hour));
    features.extend(cycles(7).then_some(CalendarFeature::Weekday));
    features.extend(cycles(365).then_some(CalendarFeature::DayOfYear));
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Oracle: the formula by hand.
    #[test]
    fn contexts_are_whole_seasons() {
        assert_eq!(context(144, 12, &[12]), 24);
        assert_eq!(context(72, 12, &[12]), 24);
        assert_eq!(context(71, 12, &[12]), 12);
        assert_eq!(context(36, 12, &[12]), 12);
        assert_eq!(context(35, 12, &[12]), 5);
        assert_eq!(context(2920, 30, &[7, 365]), 406);
        assert_eq!(context(2919, 28, &[7, 365]), 28);
        assert_eq!(context(724, 28, &[7, 365]), 28);
        assert_eq!(context(349, 28, &[7]), 14);
        assert_eq!(context(103, 13, &[52]), 13);
        assert_eq!(context(30, 4, &[]), 5);
        assert_eq!(context(0, 4, &[]), 4);
    }

    #[test]
    fn a_short_part_shortens_the_context() {
        assert_eq!(shortened(24, 36, &[12]), 24);
        assert_eq!(shortened(24, 35, &[12]), 12);
        assert_eq!(shortened(12, 17, &[12]), 11);
        assert_eq!(shortened(12, 0, &[]), 1);
        assert_eq!(horizon(1461, &[7, 365]), 7);
        assert_eq!(horizon(103, &[52]), 10);
        assert_eq!(horizon(9, &[]), 1);
    }

    #[test]
    fn features_need_three_cycles() {
        use CalendarFeature::{DayOfYear, Hour, Weekday};
        let hours = Frequency::Micros(DAY / 24);
        assert_eq!(at_step(hours, 71), []);
        assert_eq!(at_step(hours, 72), [Hour]);
        assert_eq!(at_step(hours, 3 * 168), [Hour, Weekday]);
        assert_eq!(at_step(Frequency::Days(1), 1094), [Weekday]);
        assert_eq!(at_step(Frequency::Days(1), 1095), [Weekday, DayOfYear]);
        assert_eq!(at_step(Frequency::Micros(DAY + DAY / 2), usize::MAX), []);
        assert_eq!(at_step(Frequency::Days(7), usize::MAX), []);
    }

    #[test]
    fn months_and_quarters_have_a_phase() {
        let features = |step: &str, rows: usize| {
            let mut text = String::from("date,a\n");
            for row in 0..rows {
                text += &match step {
                    "month" => format!("{}-{:02}-01,{row}\n", 1990 + row / 12, row % 12 + 1),
                    "quarter" => format!("{}-{:02}-01,{row}\n", 1990 + row / 4, row % 4 * 3 + 1),
                    _ => format!("{},{row}\n", 1900 + row),
                };
            }
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.csv"), text).unwrap();
            let config = crate::DataConfig::new("a.csv", 2, 1);
            seasonal(&crate::read(&config, folder.path()).unwrap(), rows)
        };
        assert_eq!(features("month", 35), []);
        assert_eq!(features("month", 36), [CalendarFeature::Month]);
        assert_eq!(features("quarter", 11), []);
        assert_eq!(features("quarter", 12), [CalendarFeature::Month]);
        assert_eq!(features("year", 60), []);
    }

    proptest! {
        /// Law: any lengths give some rows; with a season that the rows hold three times, whole ones.
        #[test]
        fn contexts_are_positive(
            rows in any::<u32>(), horizon in 1usize..1_000_000, short in 0usize..100_000, times in 2usize..60,
        ) {
            let (rows, seasons) = (rows as usize, [short, short * times]);
            let found = context(rows, horizon, &seasons);
            prop_assert!(found > 0);
            prop_assert!(short == 0 || rows < 3 * short || found.is_multiple_of(short));
            let less = shortened(found, rows / 9, &seasons);
            prop_assert!((1..=found).contains(&less));
        }
    }
}
