//! The time column while it is read: every way to read it that all cells so far allow, and the choice among
//! them once all are there.
//!
//! **Which reading.** Cells rule out most. Of those left, one under which the steps are regular *as a
//! calendar* (hours, days, weeks, business days, months, quarters) wins over those under which they are not;
//! where two are regular, or none is, the caller is asked.

mod choose;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::choose::{decimal_years, regularity};
use super::Clock;
use super::civil;
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
                "all times of a column must be written alike; set `time_format = \"…\"` under [data] for a form of your own, and remove lines that are not rows of the table"
            }
            Refused::Changed => {
                "the times of the training data were written so; write these alike, or set `time_format = \"…\"` for this file"
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
            let mut candidates = Written::candidates(text);
            let months = [Written::YearFirst, Written::MonthYear];
            if !self.hints.weeks && candidates.iter().any(|w| months.contains(w)) {
                candidates.retain(|w| *w != Written::YearWeek); // `2012-05` is a month
            }
            self.alive = candidates.into_iter().map(|w| (w, Vec::new())).collect();
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
        if self.alive.iter().any(|(written, _)| *written == Written::Year) {
            self.alive.retain(|(written, _)| *written != Written::DecimalYear);
        }
        for (written, values) in &mut self.alive {
            *values = place(std::mem::take(values));
            if *written == Written::DecimalYear {
                *values = decimal_years(values, series);
            }
        }
        let mut doubts = Vec::new();
        let chosen = self.choose(series, &mut doubts)?;
        let like = self.like.unwrap_or_default();
        if like.contains("FY") {
            doubts.push(format!(
                "fiscal periods such as `{like}` are read as those of the calendar year of that name"
            ));
        }
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
                         times, one a local day; set `time_zone = \"…\"` under [data] to name the zone"
                    ));
                    Offset::Local
                } else {
                    Offset::Changing
                }
            }
        };
        Ok(Times { written, values, offset, like, doubts })
    }
}

/// Whether numbers without a name that says so behave as times: dates in digits, decimal years, seconds of our time
/// or days of a spreadsheet, at regular steps.
pub(crate) fn behaves_as_time(cells: &[&str]) -> bool {
    const FEW: usize = 8;
    use Written::{
        Compact, CompactHour, DecimalYear, Epoch, Ordinal, Spreadsheet, YearMonth, YearWeek,
    };
    let mut column = TimeColumn::new(None, false, Hints::default());
    let rows = 0..cells.len();
    if rows.end < FEW || cells.iter().any(|cell| column.push(cell.as_bytes()).is_err()) {
        return false;
    }
    let series = std::slice::from_ref(&rows);
    let Ok(Times { written, values, .. }) = column.finish(None, series) else { return false };
    let (first, last) = (values.iter().min(), values.iter().max());
    let ours = |micros: &i64| (20 * 365 * civil::DAY..80 * 365 * civil::DAY).contains(micros);
    let plausible = match written {
        Compact | CompactHour | DecimalYear | Ordinal | Spreadsheet | YearMonth | YearWeek => true,
        Epoch(_) => first.is_some_and(ours) && last.is_some_and(ours),
        _ => false,
    };
    let distinct = values.windows(2).filter(|w| w[0] != w[1]).count() >= FEW - 1;
    plausible && distinct && regularity(&values, series, &Clock::Civil) > 0
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
