//! Times as forecast files write them, read back.

use super::civil::{DAY, HOUR, MINUTE, SECOND, days_at};

/// A time as a forecast file writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WrittenTime {
    /// The number of a row.
    Number(i64),
    /// Seconds of the table's own.
    Seconds(f64),
    /// Days since 1970.
    Date(i64),
    /// Microseconds of clock time since 1970, in no zone.
    Clock(i64),
    /// Microseconds since 1970 in UTC, of a time that was written with its offset.
    Instant(i64),
}

impl WrittenTime {
    /// Reads `17`, `12.5`, `2024-03-31`, `2024-03-31 02:00:00.25` or `2024-03-31 02:00:00+01:00`; `None` for any other text.
    pub fn read(text: &str) -> Option<WrittenTime> {
        if let Ok(number) = text.parse() {
            return Some(WrittenTime::Number(number));
        }
        if let Ok(seconds) = text.parse::<f64>() {
            return seconds.is_finite().then_some(WrittenTime::Seconds(seconds));
        }
        let (date, time) = match text.split_once(' ') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.splitn(3, '-').map(whole);
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let days = days_at(year, month, day)?;
        let Some(time) = time else { return Some(WrittenTime::Date(days)) };
        let (time, offset) = match time.find(['+', '-']) {
            Some(at) => (&time[..at], Some(&time[at..])),
            None => (time, None),
        };
        let micros = days * DAY + within(time)?;
        Some(match offset {
            None => WrittenTime::Clock(micros),
            Some(offset) => {
                let (sign, clock) = offset.split_at(1);
                let size = within(&format!("{clock}:00"))?;
                let ahead = if sign == "-" { -size } else { size };
                WrittenTime::Instant(micros - ahead)
            }
        })
    }
}

/// Microseconds of `HH:MM:SS` or `HH:MM:SS.ffffff`.
fn within(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':').map(whole);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fraction = match fraction {
        "" => 0,
        digits => whole(&format!("{digits:0<6}")[..6])?,
    };
    Some(hours * HOUR + minutes * MINUTE + seconds * SECOND + fraction)
}

fn whole(digits: &str) -> Option<i64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    /// Oracle: what a clock shows, from before 1970 until a leap day.
    #[test]
    fn what_clocks_show_is_read_back() {
        let zoned = Clock::in_zone("America/St_Johns").unwrap();
        for time in [-62_135_596_800_000_000, -1, 0, 951_782_400_000_000, 1_709_208_000_250_000] {
            let (clock, instant) = (Clock::Civil.show_with(time, true), zoned.show(time));
            assert_eq!(WrittenTime::read(&clock), Some(WrittenTime::Clock(time)), "{clock}");
            // Offsets are shown in whole minutes, which those of early years were not.
            if time >= 0 {
                assert_eq!(
                    WrittenTime::read(&instant),
                    Some(WrittenTime::Instant(time)),
                    "{instant}"
                );
            }
        }
        let date = Clock::Civil.show(19_782 * DAY);
        assert_eq!(
            (date.as_str(), WrittenTime::read(&date)),
            ("2024-02-29", Some(WrittenTime::Date(19_782)))
        );
        assert_eq!(WrittenTime::read(&Clock::Index.show(-7)), Some(WrittenTime::Number(-7)));
        assert_eq!(
            WrittenTime::read(&Clock::Elapsed.show(5_990_000)),
            Some(WrittenTime::Seconds(5.99))
        );
        for other in ["", "2024-02-30", "monday", "2024-02-29 7 o'clock", "NaN"] {
            assert_eq!(WrittenTime::read(other), None, "{other}");
        }
    }
}
