//! Calendar features: where a row lies in the day, week or year, as points on a circle.
//!
//! ```text
//! (sin 2πφ, cos 2πφ),   φ = position in the cycle, in [0, 1)
//! ```

use std::f64::consts::TAU;

use crate::config::CalendarFeature;
use crate::time::Clock;
use crate::time::civil::{DAY, date_at, split_day, weekday};

impl CalendarFeature {
    /// Names of the two channels.
    pub(crate) fn channels(self) -> [String; 2] {
        [format!("{}.sin", self.name()), format!("{}.cos", self.name())]
    }

    /// Position in the cycle, in [0, 1), of a clock time in microseconds.
    fn phase(self, civil: i64) -> f64 {
        let (day, within) = split_day(civil);
        let date = date_at(day);
        match self {
            CalendarFeature::Hour => within as f64 / DAY as f64,
            CalendarFeature::Weekday => weekday(day) as f64 / 7.0,
            CalendarFeature::DayOfMonth => {
                f64::from(date.day() - 1) / f64::from(date.days_in_month())
            }
            CalendarFeature::Month => f64::from(date.month() - 1) / 12.0,
            CalendarFeature::DayOfYear => {
                f64::from(date.day_of_year() - 1) / f64::from(date.days_in_year())
            }
        }
    }
}

/// Writes the sines and cosines of `features` at `time` into `out`, two numbers a feature.
pub(crate) fn write(features: &[CalendarFeature], time: i64, clock: &Clock, out: &mut [f32]) {
    let civil = clock.to_civil(time);
    for (feature, pair) in features.iter().zip(out.chunks_exact_mut(2)) {
        let (sin, cos) = (TAU * feature.phase(civil)).sin_cos();
        (pair[0], pair[1]) = (sin as f32, cos as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::civil::{HOUR, date_of, days_of};

    /// Oracle: quarter turns of each cycle, whose sine and cosine are known by heart.
    #[test]
    fn quarter_turns_are_where_the_calendar_says() {
        let at = |year, month, day, hour| {
            days_of(date_of(year, month, day).unwrap()) * DAY + hour * HOUR
        };
        let cases = [
            (CalendarFeature::Hour, at(2012, 5, 1, 6), [1.0, 0.0]),
            (CalendarFeature::Hour, at(2012, 5, 1, 12), [0.0, -1.0]),
            (CalendarFeature::Weekday, at(2012, 1, 2, 5), [0.0, 1.0]), // a Monday
            (CalendarFeature::Month, at(2012, 4, 9, 0), [1.0, 0.0]),
            (CalendarFeature::Month, at(2012, 10, 9, 0), [-1.0, 0.0]),
            (CalendarFeature::DayOfMonth, at(2012, 4, 16, 0), [0.0, -1.0]), // day 16 of 30
            (CalendarFeature::DayOfYear, at(2013, 1, 1, 9), [0.0, 1.0]),
            (CalendarFeature::DayOfYear, at(2012, 7, 2, 0), [0.0, -1.0]), // day 184 of 366
        ];
        for (feature, time, expected) in cases {
            let mut out = [0.0; 2];
            write(&[feature], time, &Clock::Civil, &mut out);
            let close = out.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6);
            assert!(close, "{feature:?} at {time}: {out:?}");
        }
    }

    #[test]
    fn the_zone_shifts_the_hour() {
        let mut out = [0.0; 2];
        let tokyo = Clock::in_zone("Asia/Tokyo").unwrap();
        write(&[CalendarFeature::Hour], 15_000 * DAY + 21 * HOUR, &tokyo, &mut out); // 06:00 in Tokyo
        assert!((out[0] - 1.0).abs() < 1e-6, "{out:?}");
    }
}
