//! Means of an hourly table by day or by week, without the first and the last, which may be torn.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use serde::{Deserialize, Serialize};

/// The length of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Period {
    Day,
    /// Named by its last day, a Sunday.
    Week,
}

/// Names of the columns, and for each period its day and the means.
#[derive(Debug, PartialEq)]
pub(super) struct Means {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<(Date, Vec<f64>)>,
}

impl Period {
    fn of(self, day: Date) -> Result<Date> {
        Ok(match self {
            Period::Day => day,
            Period::Week => {
                let past = i64::from(day.weekday().since(Weekday::Sunday));
                day.checked_add(((7 - past) % 7).days())?
            }
        })
    }
}

/// Means of every column but the first, which is the time. Rows of one period have to follow each other.
pub(super) fn means(path: &Path, period: Period) -> Result<Means> {
    let mut reader = csv::Reader::from_path(path)?;
    let names: Vec<String> = reader.headers()?.iter().skip(1).map(str::to_owned).collect();
    let mut sums: Vec<(Date, usize, Vec<f64>)> = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let (record, line) = (record?, number + 2);
        let time = record.get(0).unwrap_or_default();
        let time: DateTime = time.parse().with_context(|| format!("line {line}: `{time}`"))?;
        let day = period.of(time.date())?;
        let values = record.iter().skip(1).map(|text| text.trim().parse::<f64>());
        let values: Vec<f64> =
            values.collect::<Result<_, _>>().with_context(|| format!("line {line}"))?;
        match sums.last_mut() {
            Some((last, count, sum)) if *last == day => {
                *count += 1;
                sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
            }
            last => {
                let ordered = last.is_none_or(|(last, ..)| *last < day);
                ensure!(ordered, "line {line}: {time} comes after a later time");
                sums.push((day, 1, values));
            }
        }
    }
    let whole = sums.len().saturating_sub(1);
    let rows = sums.into_iter().take(whole).skip(1).map(|(day, count, sum)| {
        (day, sum.into_iter().map(|value| value / count as f64).collect())
    });
    Ok(Means { names, rows: rows.collect() })
}

/// Writes the means, unless the file says so already: runs of other tasks may be reading it.
pub(super) fn write(path: &Path, Means { names, rows }: &Means) -> Result<()> {
    let mut text = format!("date,{}\n", names.join(","));
    for (day, values) in rows {
        let values: Vec<String> = values.iter().map(f64::to_string).collect();
        text += &format!("{day},{}\n", values.join(","));
    }
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    files::write_text(path, &text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand; 2016-07-03 is a Sunday.
    #[test]
    fn torn_ends_are_dropped_and_weeks_end_on_sunday() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hourly.csv");
        let mut text = "date,a,b\n".to_owned();
        for day in 1..=12 {
            for hour in [0, 12] {
                text += &format!("2016-07-{day:02} {hour:02}:00:00,{day},{hour}\n");
            }
        }
        std::fs::write(&path, text).unwrap();
        let days = means(&path, Period::Day).unwrap();
        assert_eq!((days.rows.len(), &days.rows[0].1), (10, &vec![2.0, 6.0]));
        let weeks = means(&path, Period::Week).unwrap();
        // Fri to Sun, Mon 4 to Sun 10, Mon and Tue.
        assert_eq!(weeks.rows, [(Date::constant(2016, 7, 10), vec![7.0, 6.0])]);
        let out = folder.path().join("data/week.csv");
        write(&out, &weeks).unwrap();
        assert_eq!(std::fs::read_to_string(out).unwrap(), "date,a,b\n2016-07-10,7,6\n");
        std::fs::write(&path, "date,a\n2016-07-02,1\n2016-07-01,1\n").unwrap();
        let error = means(&path, Period::Day).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
