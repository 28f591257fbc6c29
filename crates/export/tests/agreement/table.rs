//! Tables with known numbers.

use std::fmt::Write;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Rows of one series.
pub(crate) struct Rows {
    /// The name of the series.
    pub(crate) name: &'static str,
    /// Clock times in microseconds since 1970.
    pub(crate) times: Vec<i64>,
    /// `[rows][columns]`; NaN where a cell is empty.
    pub(crate) values: Vec<Vec<f64>>,
}

/// Columns of numbers, by name.
pub(crate) struct Table {
    /// The names.
    pub(crate) columns: Vec<&'static str>,
    /// One for each series.
    pub(crate) series: Vec<Rows>,
}

/// Rows of each series.
const ROWS: usize = 200;

/// A table of these columns, whose levels lie far from zero and far from each other; positive. Every `step` hours from
/// 16 December 1967, or 2019 where the last row has to be after a leap day.
pub(crate) fn table(
    columns: &[&'static str],
    series: &[&'static str],
    step: i64,
    gaps: bool,
    early: bool,
) -> Table {
    let start = if early { -746 } else { 18_246 } * 24 * HOUR;
    let rows = |(of, &name): (usize, &&'static str)| {
        let cell = |row: usize, column: usize| {
            let (x, k) = (row as f64, (column + 3 * of) as f64);
            let wave = (x * (0.37 + 0.11 * k)).sin() + 0.4 * (x * x * 0.013 + k).sin();
            let gap = gaps && (row * 7 + column * 5 + of) % 13 == 3;
            match gap {
                true => f64::NAN,
                false => 100.0 + 10.0 * k + 0.1 * x + 8.0 * wave,
            }
        };
        let values = (0..ROWS).map(|row| (0..columns.len()).map(|c| cell(row, c)).collect());
        let times = (0..ROWS as i64).map(|row| start + row * step * HOUR);
        Rows { name, times: times.collect(), values: values.collect() }
    };
    Table { columns: columns.to_vec(), series: series.iter().enumerate().map(rows).collect() }
}

impl Table {
    /// The first `rows` rows as CSV, and `ahead` more whose columns before `known` are empty.
    pub(crate) fn csv(&self, rows: usize, ahead: usize, known: usize, statics: bool) -> String {
        let panel = self.series.len() > 1;
        let shop = if panel { "shop," } else { "" };
        let mut text = format!("date,{shop}{}", self.columns.join(","));
        text += if statics { ",area,region\n" } else { "\n" };
        for (of, series) in self.series.iter().enumerate() {
            for row in 0..rows + ahead {
                text += &written(series.times[row]);
                if panel {
                    let _ = write!(text, ",{}", series.name);
                }
                for (column, value) in series.values[row].iter().enumerate() {
                    let seen = !value.is_nan() && (row < rows || column >= known);
                    let _ = if seen { write!(text, ",{value}") } else { write!(text, ",") };
                }
                let (area, region) = statics_of(of);
                let _ = match statics {
                    true => writeln!(text, ",{area},{region}"),
                    false => writeln!(text),
                };
            }
        }
        text
    }
}

/// The static covariates of a series.
pub(crate) fn statics_of(series: usize) -> (f64, &'static str) {
    (3.0 + 2.5 * series as f64, ["north", "south"][series % 2])
}

/// Oracle for the calendar of the graph: days counted month by month.
fn written(time: i64) -> String {
    let (mut day, hour) = (time.div_euclid(24 * HOUR), time.rem_euclid(24 * HOUR) / HOUR);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while day < 0 {
        year -= 1;
        day += 365 + i64::from(leap(year));
    }
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02} {hour:02}:00", month + 1, day + 1)
}
