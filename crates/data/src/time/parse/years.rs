//! Two numbers, one of which is a year: weeks and seasons.

use super::digits::six_digits;
use super::scan::Scan;
use super::words::iso_week;
use super::{Parsed, YEARS, at_midnight};

/// `201205`, `2012-05`, `2012/5`, `05/2012`: the fifth ISO week of 2012.
pub(super) fn year_and_week(cell: &[u8]) -> Option<Parsed> {
    if let Some((year, week)) = six_digits(cell).filter(|_| cell.get(4) != Some(&b'.')) {
        return iso_week(year, week, 1);
    }
    let mut s = Scan { rest: cell };
    let first = s.digits(1, 4)?;
    s.one_of(b"-/ ")?;
    let second = s.digits(1, 4)?;
    let year_first = cell.get(4).is_some_and(|sign| !sign.is_ascii_digit());
    let (year, week) = if year_first { (first, second) } else { (second, first) };
    (s.rest.is_empty() && (1800..=2200).contains(&year)).then(|| iso_week(year, week, 1))?
}

/// `2012/13`, `2012-13`, `2012/2013`, `2012-2013`: two years, one after the other.
pub(super) fn season(cell: &[u8]) -> Option<Parsed> {
    let mut s = Scan { rest: cell };
    let first = s.digits(4, 4).filter(|year| YEARS.contains(year))?;
    s.one_of(b"/-")?;
    let second = match s.rest.len() {
        2 => first - first % 100 + s.digits(2, 2)? + if first % 100 == 99 { 100 } else { 0 },
        _ => s.digits(4, 4)?,
    };
    (s.rest.is_empty() && second == first + 1).then(|| at_midnight(first, 1, 1))?
}
