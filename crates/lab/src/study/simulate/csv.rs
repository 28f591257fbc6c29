//! A series as a file that `ballast` reads.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jiff::ToSpan;
use jiff::civil::{Date, date};

/// The date of the first row.
const FIRST: Date = date(2000, 1, 1);
/// The last row is of 9999-12-31, the last date that there is.
const MAX_ROWS: usize = 2_921_940;

/// Writes `date,value` with a day per row from 2000-01-01 on; the file appears whole or not at all.
///
/// Values have the digits that reading needs to give the same number again.
///
/// # Errors
/// More rows than dates; a value that is not a finite number; errors of the file system.
pub(in crate::study) fn write(path: &Path, series: &[f64]) -> Result<()> {
    let shown = path.display();
    if series.len() > MAX_ROWS {
        bail!("{shown}: {} rows, but dates end after {MAX_ROWS}; simulate fewer", series.len());
    }
    if let Some((row, value)) = series.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        bail!("{shown}: row {row} is {value}, not a finite number");
    }
    let lines = |file: &mut dyn Write| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["date", "value"])?;
        let dates = FIRST.series(1.day());
        for (date, value) in dates.zip(series) {
            table.write_record([date.to_string(), value.to_string()])?;
        }
        table.flush()
    };
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| files::replace(path, lines))
        .with_context(|| format!("writing {shown}"))
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
        std::fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file/series.csv");
        assert!(error(&path, &[1.0]).starts_with(&format!("writing {}: ", path.display())));
        assert!(error(&path, &[1.0, f64::NAN]).ends_with("row 1 is NaN, not a finite number"));
        let rows = error(&path, &vec![0.0; MAX_ROWS + 1]);
        assert!(rows.ends_with("2921941 rows, but dates end after 2921940; simulate fewer"));
    }
}
