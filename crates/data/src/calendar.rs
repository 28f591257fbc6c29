//! Calendar features: where a row lies in the day, week or year, as points on a circle.
//!
//! ```text
//! (sin 2πφ, cos 2πφ),   φ = position in the cycle, in [0, 1)
//! ```

use std::f64::consts::TAU;

use crate::config::CalendarFeature;
use crate::error::DataError;
use crate::panel::Panel;
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

/// Most pairs of a sine and a cosine that tell the phases of one feature apart.
const MOST_TERMS: usize = 6;

impl CalendarFeature {
    /// Pairs of a sine and a cosine among [`Panel::fourier_terms`]: half of the steps of the cycle, at most six.
    pub fn pairs(self) -> usize {
        match self {
            CalendarFeature::Weekday => 3,
            CalendarFeature::Hour
            | CalendarFeature::Month
            | CalendarFeature::DayOfMonth
            | CalendarFeature::DayOfYear => MOST_TERMS,
        }
    }
}

impl Panel {
    /// Fourier terms of every row, row-major `[R, S]`, with `S` sines and cosines in all.
    ///
    /// ```text
    /// sin(2π k φ) / √K, cos(2π k φ) / √K,    k = 1 … K for each feature
    /// ```
    ///
    /// Where `K` is half of the steps of the cycle they are seasonal dummies, less their mean, turned in space: a ridge
    /// penalty on either is the same.
    ///
    /// # Errors
    /// [`DataError::Config`] if its rows are numbered and have no dates.
    pub fn fourier_terms(&self, features: &[CalendarFeature]) -> Result<Vec<f32>, DataError> {
        if !features.is_empty() {
            check_dated("seasonal", features, &self.clock)?;
        }
        let mut values = Vec::new();
        for series in &self.series {
            for row in 0..series.rows.len() {
                let civil = self.clock.to_civil(series.timeline.at(row, &self.clock).unwrap_or(0));
                for feature in features {
                    let terms = feature.pairs();
                    let scale = (terms as f64).sqrt().recip();
                    for k in 1..=terms {
                        let (sin, cos) = (TAU * k as f64 * feature.phase(civil)).sin_cos();
                        values.extend([(scale * sin) as f32, (scale * cos) as f32]);
                    }
                }
            }
        }
        Ok(values)
    }
}

/// Refuses calendar features of rows that are numbered.
pub(crate) fn check_dated(
    key: &'static str,
    features: &[CalendarFeature],
    clock: &Clock,
) -> Result<(), DataError> {
    if clock.is_dated() {
        return Ok(());
    }
    Err(DataError::Config {
        key,
        value: format!("{:?}", features.iter().map(|f| f.name()).collect::<Vec<_>>()),
        expected: "a time column with dates; rows here are numbered".into(),
    })
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

    /// Law: over whole cycles the terms of months are orthogonal, of one size, and tell the twelve months apart.
    #[test]
    fn fourier_terms_are_seasonal_dummies() {
        let mut text = String::from("date,a\n");
        for month in 0..24 {
            text += &format!("{}-{:02}-01,{month}\n", 2000 + month / 12, month % 12 + 1);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("months.csv");
        std::fs::write(&path, text).unwrap();
        let config = crate::DataConfig::new(&path, 4, 2);
        let panel = crate::read(&config, folder.path()).unwrap();
        let terms = panel.fourier_terms(&[CalendarFeature::Month]).unwrap();
        let row = |row: usize| &terms[12 * row..12 * (row + 1)];
        assert_eq!(terms.len(), 24 * 12);
        for (one, other) in (0..12).flat_map(|one| (0..12).map(move |other| (one, other))) {
            // Dummies less their mean have 1 − 1/12 and −1/12. The last cosine, which alternates, counts twice.
            let product: f32 = row(one).iter().zip(row(other)).map(|(a, b)| a * b).sum();
            let alternating = if (one + other) % 2 == 0 { 1.0 } else { -1.0 };
            let expected = f64::from(u8::from(one == other)) - 1.0 / 12.0 + alternating / 12.0;
            assert!(
                (product - expected as f32).abs() < 1e-5,
                "{one} {other}: {product} {expected}"
            );
            assert_eq!(row(one), row(one + 12));
        }
        let numbered = "row,a\n0,1\n1,2\n2,3\n3,5\n";
        std::fs::write(&path, numbered).unwrap();
        let panel = crate::read(&config, folder.path()).unwrap();
        let error = panel.fourier_terms(&[CalendarFeature::Month]).unwrap_err().to_string();
        assert!(error.contains("seasonal") && error.contains("dates"), "{error}");
    }

    #[test]
    fn the_zone_shifts_the_hour() {
        let mut out = [0.0; 2];
        let tokyo = Clock::in_zone("Asia/Tokyo").unwrap();
        write(&[CalendarFeature::Hour], 15_000 * DAY + 21 * HOUR, &tokyo, &mut out); // 06:00 in Tokyo
        assert!((out[0] - 1.0).abs() < 1e-6, "{out:?}");
    }
}
