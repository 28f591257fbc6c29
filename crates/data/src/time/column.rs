//! The time column while it is read: every way to read it that all cells so far allow, and the choice among
//! them once all are there.
//!
//! **Which reading.** Cells rule out most. Of those left, one under which the steps are regular *as a
//! calendar* (hours, days, weeks, business days, months, quarters) wins over those under which they are not;
//! where two are regular, or none is, the caller is asked.

use std::ops::Range;

use super::Clock;
use super::civil::{DAY, date_at, date_of, days_of};
use super::frequency::{Frequency, is_rare};
use super::order::Spacing;
use super::parse::{Parsed, Written};

/// Why a cell cannot join the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No form reads it.
    Unreadable,
    /// It is not written as the times of the training data were.
    Changed,
    /// It carries an offset from UTC and the cells before do not, or the other way round.
    OffsetMixed,
    /// It is empty.
    Missing,
}

impl Refused {
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Refused::Unreadable => {
                "all times of a column must be written alike; set `time_format` under [data] for a form of your own"
            }
            Refused::Changed => {
                "the times of the training data were written so; write these alike, or set `time_format` for this file"
            }
            Refused::OffsetMixed => {
                "some times carry an offset from UTC and some do not; write all of them one way"
            }
            Refused::Missing => "every row needs a time; fill it in or remove the row",
        }
    }
}

/// Knowledge about a column besides its cells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints {
    /// Its name speaks of weeks.
    pub(crate) weeks: bool,
    /// Its name speaks of months or periods.
    pub(crate) months: bool,
    /// Its name speaks of dates.
    pub(crate) dates: bool,
    /// Its name speaks of years.
    pub(crate) years: bool,
    /// A zone is set, in which instants will be shown.
    pub(crate) zone: bool,
}

/// The distance of times from UTC, as the cells say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Offset {
    /// Nothing: clock times.
    None,
    /// One offset, in seconds east of UTC.
    Fixed(i32),
    /// Offsets that change with the clock; the local times are what is regular.
    Local,
    /// Offsets that change; the instants are what is regular.
    Changing,
}

impl Offset {
    /// Whether each time carried one.
    pub(crate) fn is_there(self) -> bool {
        self != Offset::None
    }
}

/// Times of one column under each reading still possible.
#[derive(Debug)]
pub(crate) struct TimeColumn {
    alive: Vec<(Written, Vec<i64>)>,
    hints: Hints,
    has_offset: Option<bool>,
    /// Rows from which on another offset holds, and that offset in microseconds.
    offsets: Vec<(usize, i64)>,
    started: bool,
    /// The reading is that of the training data.
    trained: bool,
    like: Option<String>,
    /// The first row whose readings differ, and its cell.
    differs: Option<(usize, String)>,
}

/// A column that can be read two ways: a row that shows it, its cell, both readings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TwoReadings {
    pub(crate) row: usize,
    pub(crate) cell: String,
    pub(crate) first: String,
    pub(crate) second: String,
}

/// A column that is read one way.
#[derive(Debug)]
pub(crate) struct Times {
    pub(crate) written: Written,
    pub(crate) values: Vec<i64>,
    pub(crate) offset: Offset,
    /// A cell as an example of how the column is written.
    pub(crate) like: String,
    /// Doubts about the reading, and how they were decided.
    pub(crate) doubts: Vec<String>,
}

impl Times {
    /// The clock its values count on, where no zone is set.
    pub(crate) fn clock(&self) -> Clock {
        match (&self.written, self.offset) {
            (Written::Index, _) => Clock::Index,
            (Written::Seconds, _) => Clock::Elapsed,
            (_, Offset::None | Offset::Local) => Clock::Civil,
            (_, Offset::Fixed(seconds)) => Clock::Zoned(
                jiff::tz::Offset::from_seconds(seconds)
                    .map_or(jiff::tz::TimeZone::UTC, jiff::tz::TimeZone::fixed),
            ),
            (_, Offset::Changing) => Clock::Zoned(jiff::tz::TimeZone::UTC),
        }
    }
}

impl TimeColumn {
    /// A column read as `written`, or by whatever form fits all of its cells.
    pub(crate) fn new(written: Option<Written>, trained: bool, hints: Hints) -> Self {
        let started = written.is_some();
        TimeColumn {
            alive: written.into_iter().map(|written| (written, Vec::new())).collect(),
            hints,
            has_offset: None,
            offsets: Vec::new(),
            started,
            trained,
            like: None,
            differs: None,
        }
    }

    /// A cell read before, or the training data's form, to show what the column looks like.
    pub(crate) fn like(&self) -> Option<String> {
        self.like
            .clone()
            .or_else(|| self.trained.then(|| self.alive.first().map(|(w, _)| w.name()))?)
    }

    pub(crate) fn push(&mut self, cell: &[u8]) -> Result<(), Refused> {
        if !self.started {
            let text = String::from_utf8_lossy(cell);
            let text = text.trim();
            if text.is_empty() {
                return Err(Refused::Missing);
            }
            self.alive = Written::candidates(text).into_iter().map(|w| (w, Vec::new())).collect();
            self.started = true;
        }
        if let [(written, values)] = self.alive.as_mut_slice()
            && let Some(parsed) = written.parse(cell)
        {
            if self.has_offset.is_some_and(|had| had != parsed.offset.is_some()) {
                return Err(Refused::OffsetMixed);
            }
            if self.has_offset.is_none() {
                self.has_offset = Some(parsed.offset.is_some());
                self.like = Some(String::from_utf8_lossy(cell).trim().to_owned());
            }
            let row = values.len();
            values.push(parsed.value);
            self.note_offset(row, parsed);
            return Ok(());
        }
        self.push_among_many(cell)
    }

    fn note_offset(&mut self, row: usize, parsed: Parsed) {
        if let Some(offset) = parsed.offset
            && self.offsets.last().is_none_or(|&(_, last)| last != offset)
        {
            self.offsets.push((row, offset));
        }
    }

    fn push_among_many(&mut self, cell: &[u8]) -> Result<(), Refused> {
        let parsed: Vec<_> = self.alive.iter().map(|(written, _)| written.parse(cell)).collect();
        let consistent = |parsed: &Parsed, w: &Written| {
            w.is_number() || self.has_offset.is_none_or(|had| had == parsed.offset.is_some())
        };
        let keep: Vec<bool> = parsed
            .iter()
            .zip(&self.alive)
            .map(|(p, (w, _))| p.is_some_and(|p| consistent(&p, w)))
            .collect();
        if !keep.contains(&true) {
            return Err(if cell.trim_ascii().is_empty() {
                Refused::Missing
            } else if parsed.iter().any(Option::is_some) {
                Refused::OffsetMixed
            } else if self.trained {
                Refused::Changed
            } else {
                Refused::Unreadable
            });
        }
        let mut keep_it = keep.iter();
        self.alive.retain(|_| keep_it.next() == Some(&true));
        let values: Vec<Parsed> =
            parsed.iter().zip(&keep).filter(|(_, k)| **k).filter_map(|(p, _)| *p).collect();
        for ((written, times), parsed) in self.alive.iter_mut().zip(&values) {
            times.push(parsed.value);
            if !written.is_number() {
                self.has_offset = Some(parsed.offset.is_some());
            }
        }
        let row = self.alive[0].1.len() - 1;
        self.note_offset(row, values[0]);
        let text = || String::from_utf8_lossy(cell).trim().to_owned();
        if self.differs.is_none() && values.iter().any(|other| other.value != values[0].value) {
            self.differs = Some((row, text()));
        }
        self.like.get_or_insert_with(text);
        Ok(())
    }

    /// The one reading, or two that stay possible. `origin` says where each row was in the file, and `series`
    /// which rows belong together.
    pub(crate) fn finish(
        mut self,
        origin: Option<&[u32]>,
        series: &[Range<usize>],
    ) -> Result<Times, TwoReadings> {
        let rows = self.alive.first().map_or(0, |(_, values)| values.len());
        let offsets = (self.offsets.len() > 1).then(|| per_row(&self.offsets, rows));
        let place = |values: Vec<i64>| match origin {
            Some(origin) => origin.iter().map(|&row| values[row as usize]).collect(),
            None => values,
        };
        let offsets = offsets.map(place);
        for (written, values) in &mut self.alive {
            *values = place(std::mem::take(values));
            if *written == Written::DecimalYear {
                *values = decimal_years(values, series);
            }
        }
        let mut doubts = Vec::new();
        let chosen = self.choose(series, &mut doubts)?;
        let like = self.like.unwrap_or_default();
        let Some((written, mut values)) = chosen.map(|i| self.alive.swap_remove(i)) else {
            let (written, offset) = (Written::Index, Offset::None);
            return Ok(Times { written, values: Vec::new(), offset, like, doubts });
        };
        values.shrink_to_fit();
        let has_offset = match written {
            Written::Epoch(_) => true,
            ref other if other.is_number() => false,
            _ => self.has_offset.unwrap_or(false),
        };
        let offset = match (has_offset, offsets) {
            (false, _) => Offset::None,
            (true, None) => Offset::Fixed(
                self.offsets.first().map_or(0, |(_, micros)| (micros / 1_000_000) as i32),
            ),
            (true, Some(_)) if self.hints.zone => Offset::Changing,
            (true, Some(offsets)) => {
                let local: Vec<i64> = values.iter().zip(&offsets).map(|(v, o)| v + o).collect();
                if regularity(&local, series, &Clock::Civil)
                    > regularity(&values, series, &Clock::Civil)
                {
                    values = local;
                    doubts.push(format!(
                        "times such as `{like}` carry an offset from UTC that changes with the clock: read as local \
                         times, one a local day; set `time_zone` under [data] to name the zone"
                    ));
                    Offset::Local
                } else {
                    Offset::Changing
                }
            }
        };
        Ok(Times { written, values, offset, like, doubts })
    }

    /// Position of the reading to take.
    fn choose(
        &self,
        series: &[Range<usize>],
        doubts: &mut Vec<String>,
    ) -> Result<Option<usize>, TwoReadings> {
        if self.alive.len() < 2 {
            return Ok((!self.alive.is_empty()).then_some(0));
        }
        if !self.alive.iter().any(|(written, _)| written.is_number()) {
            return self.choose_order(series, doubts).map(Some);
        }
        let level = |i: usize| {
            let (written, values) = &self.alive[i];
            let clock = if *written == Written::Index { Clock::Index } else { Clock::Civil };
            regularity(values, series, &clock)
        };
        let position = |wanted: &Written| self.alive.iter().position(|(w, _)| w == wanted);
        let fits = |i: usize| {
            let hints = self.hints;
            match &self.alive[i].0 {
                // Ten digits are seconds only where those are regular and hours are not.
                Written::CompactHour => {
                    level(i) > 0
                        || position(&Written::Epoch(1_000_000_000)).is_none_or(|e| level(e) == 0)
                }
                Written::YearMonth => {
                    !(hints.weeks && position(&Written::YearWeek).is_some())
                        && (hints.months || level(i) > 0)
                }
                Written::YearWeek => hints.weeks || level(i) > 0,
                Written::DecimalYear => hints.years || level(i) > 0,
                Written::Spreadsheet => {
                    hints.dates || (position(&Written::Index).is_none() && level(i) > 0)
                }
                _ => true,
            }
        };
        let chosen = (0..self.alive.len()).find(|&i| fits(i)).unwrap_or(self.alive.len() - 1);
        let written = &self.alive[chosen].0;
        let cell = self.like.as_deref().unwrap_or_default();
        if !matches!(written, Written::Index | Written::Year | Written::Compact | Written::Epoch(_))
        {
            let time = self.alive[chosen].1.first().map_or(String::new(), |&t| match written {
                Written::Seconds => Clock::Elapsed.show(t),
                _ => Clock::Civil.show(t),
            });
            doubts.push(format!("times such as `{cell}` are read as {}: {time}", written.name()));
        }
        Ok(Some(chosen))
    }

    /// Of several orders of day, month and year, the only one that gives regular steps.
    fn choose_order(
        &self,
        series: &[Range<usize>],
        doubts: &mut Vec<String>,
    ) -> Result<usize, TwoReadings> {
        let Some((row, cell)) = &self.differs else { return Ok(0) };
        let levels: Vec<u8> =
            self.alive.iter().map(|(_, times)| regularity(times, series, &Clock::Civil)).collect();
        let regular: Vec<usize> = (0..levels.len()).filter(|&i| levels[i] > 0).collect();
        let shown = |i: usize| {
            let parsed = self.alive[i].0.parse(cell.as_bytes());
            parsed.map_or(String::new(), |p| Clock::Civil.show(p.value))
        };
        // Points between day, month and year are written day first.
        let pointed = |i: usize| cell.contains('.') && self.alive[i].0 == Written::DayFirst;
        let regular = match (0..self.alive.len()).find(|&i| pointed(i)) {
            Some(day_first) if regular.is_empty() || regular.contains(&day_first) => {
                vec![day_first]
            }
            _ => regular,
        };
        match regular[..] {
            [only] => {
                doubts.push(format!(
                    "`{cell}` is read {}, as {}, by which the steps are regular",
                    self.alive[only].0.name(),
                    shown(only)
                ));
                Ok(only)
            }
            _ => {
                let among = if regular.len() > 1 { regular } else { (0..levels.len()).collect() };
                let other =
                    among.iter().find(|&&i| shown(i) != shown(among[0])).unwrap_or(&among[1]);
                let (first, second) = (shown(among[0]), shown(*other));
                Err(TwoReadings { row: *row, cell: cell.clone(), first, second })
            }
        }
    }
}

/// The offset of each row, from the rows at which it changes.
fn per_row(changes: &[(usize, i64)], rows: usize) -> Vec<i64> {
    let ends = changes.iter().skip(1).map(|&(row, _)| row).chain([rows]);
    changes
        .iter()
        .zip(ends)
        .flat_map(|(&(row, offset), end)| std::iter::repeat_n(offset, end - row))
        .collect()
}

/// How regular times are: 2 without an exception, 1 with a few gaps or odd rows, 0 not at all.
fn regularity(times: &[i64], series: &[Range<usize>], clock: &Clock) -> u8 {
    const SERIES: usize = 50;
    const ROWS: usize = 20_000;
    let (mut odd, mut missing, mut rows) = (0, 0u64, 0);
    for range in series.iter().take(SERIES) {
        let mut own = times[range.start..range.end.min(range.start + ROWS)].to_vec();
        let falls = own.windows(2).filter(|w| w[1] < w[0]).count();
        let rises = own.windows(2).filter(|w| w[1] > w[0]).count();
        if falls > 0 && rises > 0 && falls.min(rises) * 20 > own.len() {
            return 0; // in no order at all
        }
        own.sort_unstable();
        own.dedup();
        if own.len() < 2 {
            continue;
        }
        let frequency = Frequency::infer(&own, clock);
        let spacing = Spacing::of(&own, frequency, clock);
        odd += frequency.odd_rows(&own, clock).len().max(spacing.off_grid().div_ceil(2));
        missing = missing.saturating_add(spacing.missing());
        rows += own.len();
        if frequency == Frequency::Irregular || spacing.changes() {
            return 0;
        }
    }
    match (odd, missing) {
        (0, 0) => 2,
        _ if is_rare(odd, rows) && missing.saturating_mul(10) <= rows as u64 => 1,
        _ => 0,
    }
}

/// Millionths of years as times: the first of a month, or where those do not fit, days.
fn decimal_years(values: &[i64], series: &[Range<usize>]) -> Vec<i64> {
    const YEAR: i64 = 1_000_000;
    let months = |value: i64| {
        // Two decimals of a month's start fall short of it by up to a twentieth of a month.
        let month = (value.rem_euclid(YEAR) as f64 * 12.0 / YEAR as f64 + 0.06).floor() as i64;
        let date = date_of(value.div_euclid(YEAR), month.min(11) + 1, 1);
        date.map_or(0, |date| days_of(date) * DAY)
    };
    let days = |value: i64| {
        let start = date_of(value.div_euclid(YEAR), 1, 1).map_or(0, days_of);
        let length = f64::from(date_at(start).days_in_year());
        (start + (value.rem_euclid(YEAR) as f64 * length / YEAR as f64 + 0.1).floor() as i64) * DAY
    };
    let monthly: Vec<i64> = values.iter().map(|&value| months(value)).collect();
    let distinct =
        monthly.windows(2).zip(values.windows(2)).all(|(m, v)| m[0] != m[1] || v[0] == v[1]);
    match distinct && regularity(&monthly, series, &Clock::Civil) > 0 {
        true => monthly,
        false => values.iter().map(|&value| days(value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<TimeColumn, (usize, Refused)> {
        named(cells, Hints::default())
    }

    fn named(cells: &[&str], hints: Hints) -> Result<TimeColumn, (usize, Refused)> {
        let mut column = TimeColumn::new(None, false, hints);
        for (i, cell) in cells.iter().enumerate() {
            column.push(cell.as_bytes()).map_err(|e| (i, e))?;
        }
        Ok(column)
    }

    fn times(cells: &[&str]) -> Result<Times, TwoReadings> {
        let all = 0..cells.len();
        read(cells).unwrap().finish(None, &[all])
    }

    /// `{}` in `form` is replaced by 1 to `count`.
    fn numbered(form: &str, count: usize) -> Vec<String> {
        (1..=count).map(|i| form.replace("{}", &i.to_string())).collect()
    }

    fn strs(cells: &[String]) -> Vec<&str> {
        cells.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_later_cell_settles_day_and_month() {
        let read = times(&["01/02/2012", "02/02/2012", "13/02/2012"]).unwrap();
        assert_eq!(read.written, Written::DayFirst);
        assert_eq!(read.values.len(), 3);
        assert_eq!(times(&["01/02/2012", "01/13/2012"]).unwrap().written, Written::MonthFirst);
        assert_eq!(
            times(&["19-12-30", "19-12-31", "20-01-01"]).unwrap().written,
            Written::ShortYearFirst
        );
    }

    #[test]
    fn the_order_that_gives_a_regular_calendar_wins() {
        // The firsts of 13 months; day first they would be twelve days and one a year later.
        let mut months = numbered("{}/1/2012", 12);
        months.push("1/1/2013".into());
        assert_eq!(times(&strs(&months)).unwrap().written, Written::MonthFirst);
        let german: Vec<String> = months
            .iter()
            .map(|m| m.replacen('/', ".", 2))
            .map(|m| {
                let parts: Vec<&str> = m.split('.').collect();
                format!("{}.{}.{}", parts[1], parts[0], parts[2])
            })
            .collect();
        assert_eq!(times(&strs(&german)).unwrap().written, Written::DayFirst);
        let quarters = ["1/1/2010", "4/1/2010", "7/1/2010", "10/1/2010", "1/1/2011", "4/1/2011"];
        assert_eq!(times(&quarters).unwrap().written, Written::MonthFirst);
        // Two days of hours, early in March and in August.
        let hours: Vec<String> =
            (0..48).map(|h| format!("0{}/03/2022 {:02}:00", 8 + h / 24, h % 24)).collect();
        assert_eq!(times(&strs(&hours)).unwrap().written, Written::DayFirst);
        // Business days of a week and a half.
        let days = [3, 4, 5, 6, 7, 10, 11, 12].map(|d| format!("{d:02}.01.2022"));
        assert_eq!(times(&strs(&days)).unwrap().written, Written::DayFirst);
        let newest_first: Vec<&str> = months.iter().rev().map(String::as_str).collect();
        assert_eq!(times(&newest_first).unwrap().written, Written::MonthFirst);
    }

    #[test]
    fn what_stays_ambiguous_is_said() {
        let two = times(&["02/02/2012", "01/02/2012", "03/04/2012"]).unwrap_err();
        let (cell, first, second) = ("01/02/2012".into(), "2012-02-01".into(), "2012-01-02".into());
        assert_eq!(two, TwoReadings { row: 1, cell, first, second });
        // Twelve days of January, or the firsts of twelve months: both are regular.
        assert!(times(&strs(&numbered("{}/1/2012", 12))).is_err());
        assert!(times(&["7/1/2010", "7/1/2011", "7/1/2012"]).is_err());
    }

    #[test]
    fn refusals_say_why() {
        assert_eq!(read(&["2012-01-01", "soon"]).unwrap_err(), (1, Refused::Unreadable));
        assert_eq!(read(&["2012-01-01", ""]).unwrap_err(), (1, Refused::Missing));
        assert_eq!(
            read(&["2012-01-01T00:00Z", "2012-01-01T01:00"]).unwrap_err(),
            (1, Refused::OffsetMixed)
        );
    }

    #[test]
    fn numbers_are_rows_years_dates_or_seconds() {
        let written = |cells: &[&str]| times(cells).unwrap().written;
        assert_eq!(written(&["0", "1", "2"]), Written::Index);
        assert_eq!(written(&["2010", "2011", "2012"]), Written::Year);
        assert_eq!(written(&["2010.0", "2011.0", "2012.0"]), Written::Year);
        assert_eq!(written(&["1328002215", "1328005815"]), Written::Epoch(1_000_000_000));
        assert_eq!(written(&["2019010122", "2019010123", "2019010200"]), Written::CompactHour);
        assert_eq!(written(&["2199", "2200", "2201"]), Written::Index);
        assert_eq!(written(&["201011", "201012", "201101"]), Written::YearMonth);
        assert_eq!(written(&["201551", "201552", "201553", "201601"]), Written::YearWeek);
        assert_eq!(written(&["0.00", "0.01", "0.02"]), Written::Seconds);
        assert_eq!(written(&["43830", "43831", "43832"]), Written::Index);
        assert_eq!(written(&["43831.5", "43831.75", "43832"]), Written::Spreadsheet);
        let dated = named(&["43830", "43831"], Hints { dates: true, ..Hints::default() }).unwrap();
        assert_eq!(
            dated.finish(None, std::slice::from_ref(&(0..2))).unwrap().written,
            Written::Spreadsheet
        );
        let weeks =
            named(&["201501", "201502"], Hints { weeks: true, ..Hints::default() }).unwrap();
        assert_eq!(
            weeks.finish(None, std::slice::from_ref(&(0..2))).unwrap().written,
            Written::YearWeek
        );
    }

    #[test]
    fn decimal_years_are_months_or_days() {
        let shown = |cells: &[&str]| -> Vec<String> {
            times(cells).unwrap().values.iter().map(|&t| Clock::Civil.show(t)).collect()
        };
        let months = ["1949-01-01", "1949-02-01", "1949-03-01"];
        assert_eq!(shown(&["1949.0", "1949.08333333333", "1949.16666666667"]), months);
        assert_eq!(shown(&["1949.00", "1949.08", "1949.17"]), months);
        assert_eq!(shown(&["1949.0417", "1949.1250", "1949.2083"]), months); // the middles of the months
        assert_eq!(
            shown(&["1960.25", "1960.5", "1960.75"]),
            ["1960-04-01", "1960-07-01", "1960-10-01"]
        );
        assert_eq!(
            shown(&["2010.00274", "2010.00548", "2010.00822"]),
            ["2010-01-02", "2010-01-03", "2010-01-04"]
        );
    }

    #[test]
    fn changing_offsets_are_local_days_or_instants() {
        let day = |d: &str, offset: &str| format!("2022-03-{d} 00:00+0{offset}:00");
        let days: Vec<String> = (20..=27)
            .map(|d| day(&d.to_string(), "1"))
            .chain((28..=31).map(|d| day(&d.to_string(), "2")))
            .collect();
        let read = times(&strs(&days)).unwrap();
        assert_eq!(
            (read.offset, Clock::Civil.show(read.values[11]).as_str()),
            (Offset::Local, "2022-03-31")
        );
        let hours = [
            "2022-03-27 00:00+01:00",
            "2022-03-27 01:00+01:00",
            "2022-03-27 03:00+02:00",
            "2022-03-27 04:00+02:00",
        ];
        assert_eq!(times(&hours).unwrap().offset, Offset::Changing);
        assert_eq!(times(&["2022-03-27 00:00+01:00"]).unwrap().offset, Offset::Fixed(3600));
    }
}
