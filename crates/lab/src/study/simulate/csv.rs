//! A series as a file that `ballast` reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The last row is of 9999-12-31, the last date of four-digit years.
const MAX_ROWS: usize = 2_921_940;

/// Writes `date,value` with a day per row from 2000-01-01 on; the file appears whole or not at all.
///
/// Values have the digits that reading needs to give the same number again.
///
/// # Errors
/// More rows than dates; a value that is no number; what the file system says.
pub(in crate::study) fn write(path: &Path, series: &[f64]) -> Result<()> {
    let shown = path.display();
    if series.len() > MAX_ROWS {
        bail!("{shown}: {} rows, but dates end after {MAX_ROWS}; simulate fewer", series.len());
    }
    let mut text = "date,value\n".to_owned();
    let mut date = Date { year: 2000, month: 1, day: 1 };
    for (row, value) in series.iter().enumerate() {
        if !value.is_finite() {
            bail!("{shown}: row {row} is {value}, which is no number");
        }
        let Date { year, month, day } = date;
        let _ = writeln!(text, "{year}-{month:02}-{day:02},{value}");
        date = date.next();
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("writing {shown}"))
}

/// Of the Gregorian calendar.
#[derive(Debug, Clone, Copy)]
struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    fn next(self) -> Date {
        let Date { year, month, day } = self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (month, day) {
            (12, 31) => Date { year: year + 1, month: 1, day: 1 },
            (_, day) if day == days => Date { year, month: month + 1, day: 1 },
            _ => Date { year, month, day: day + 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(series: &[f64]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.csv");
        fs::write(&path, "older").unwrap();
        write(&path, series).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the part file stayed");
        fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect()
    }

    /// Oracle: a leap day in 2000 and 2400 and none in 2100, and 146097 days in 400 years.
    #[test]
    fn rows_are_days_of_the_calendar() {
        let lines = lines(&vec![0.5; MAX_ROWS]);
        assert_eq!(lines[0], "date,value");
        for (row, date) in [
            (0, "2000-01-01"),
            (59, "2000-02-29"),
            (60, "2000-03-01"),
            (365, "2000-12-31"),
            (366, "2001-01-01"),
            (366 + 59, "2001-03-01"),
            (36_525 + 58, "2100-02-28"),
            (36_525 + 59, "2100-03-01"),
            (146_097, "2400-01-01"),
            (146_097 + 59, "2400-02-29"),
            (20 * 146_097 - 1, "9999-12-31"),
        ] {
            assert_eq!(lines[row + 1], format!("{date},0.5"));
        }
        assert_eq!(lines.len(), MAX_ROWS + 1);
    }

    #[test]
    fn values_are_read_back_to_the_last_bit() {
        let values = [0.1 + 0.2, -1.0 / 3.0, -0.0, 5e-324, f64::MAX, 1e-7, 123_456_789.012_345_6];
        for (line, value) in lines(&values)[1..].iter().zip(values) {
            let read: f64 = line.split_once(',').unwrap().1.parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path, series: &[f64]| format!("{:#}", write(path, series).unwrap_err());
        let path = folder.path().join("no/series.csv");
        assert!(error(&path, &[1.0]).starts_with(&format!("writing {}: ", path.display())));
        assert!(error(&path, &[1.0, f64::NAN]).ends_with("row 1 is NaN, which is no number"));
        let rows = error(&path, &vec![0.0; MAX_ROWS + 1]);
        assert!(rows.ends_with("2921941 rows, but dates end after 2921940; simulate fewer"));
    }
}
