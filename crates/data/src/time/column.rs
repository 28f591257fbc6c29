//! The time column while it is read: every way to read it that all cells so far allow.

use super::civil::Date;
use super::parse::Written;

/// Why a cell cannot join the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No form reads it.
    Unreadable,
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
            Refused::OffsetMixed => {
                "some times carry an offset from UTC and some do not; write all of them one way"
            }
            Refused::Missing => "every row needs a time; fill it in or remove the row",
        }
    }
}

/// Times of one column under each reading still possible.
#[derive(Debug)]
pub(crate) struct TimeColumn {
    alive: Vec<(Written, Vec<i64>)>,
    has_offset: Option<bool>,
    started: bool,
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
    pub(crate) has_offset: bool,
}

impl TimeColumn {
    /// A column read by `pattern`, or by whatever form fits all of its cells.
    pub(crate) fn new(pattern: Option<&str>) -> Self {
        let alive =
            pattern.map(|p| (Written::Pattern(p.to_owned()), Vec::new())).into_iter().collect();
        TimeColumn {
            alive,
            has_offset: None,
            started: pattern.is_some(),
            like: None,
            differs: None,
        }
    }

    /// A cell read before, to show what the column looks like.
    pub(crate) fn like(&self) -> Option<String> {
        self.like.clone()
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
            if self.has_offset.is_some_and(|had| had != parsed.has_offset) {
                return Err(Refused::OffsetMixed);
            }
            if self.has_offset.is_none() {
                self.has_offset = Some(parsed.has_offset);
                self.like = Some(String::from_utf8_lossy(cell).trim().to_owned());
            }
            values.push(parsed.value);
            return Ok(());
        }
        self.push_among_many(cell)
    }

    fn push_among_many(&mut self, cell: &[u8]) -> Result<(), Refused> {
        let parsed: Vec<_> = self.alive.iter().map(|(written, _)| written.parse(cell)).collect();
        let consistent = |has: bool, w: &Written| {
            self.has_offset.is_none_or(|had| had == has) || matches!(w, Written::Epoch(_))
        };
        let keep: Vec<bool> = parsed
            .iter()
            .zip(&self.alive)
            .map(|(p, (w, _))| p.is_some_and(|p| consistent(p.has_offset, w)))
            .collect();
        if !keep.contains(&true) {
            return Err(if cell.trim_ascii().is_empty() {
                Refused::Missing
            } else if parsed.iter().any(Option::is_some) {
                Refused::OffsetMixed
            } else {
                Refused::Unreadable
            });
        }
        let mut keep_it = keep.iter();
        self.alive.retain(|_| keep_it.next() == Some(&true));
        let values = parsed.iter().zip(&keep).filter(|(_, k)| **k).filter_map(|(p, _)| *p);
        for ((written, times), parsed) in self.alive.iter_mut().zip(values) {
            times.push(parsed.value);
            if !matches!(written, Written::Epoch(_) | Written::Index) {
                self.has_offset = Some(parsed.has_offset);
            }
        }
        if let [(_, first), (_, second)] = self.alive.as_slice()
            && self.differs.is_none()
            && first.last() != second.last()
        {
            self.differs = Some((first.len() - 1, String::from_utf8_lossy(cell).trim().to_owned()));
        }
        if self.like.is_none() {
            self.like = Some(String::from_utf8_lossy(cell).trim().to_owned());
        }
        Ok(())
    }

    /// The one reading, or the two that stay possible.
    pub(crate) fn finish(mut self) -> Result<Times, TwoReadings> {
        let both = [Written::DayFirst, Written::MonthFirst];
        if self.alive.len() == 2 && self.alive.iter().all(|(w, _)| both.contains(w)) {
            let regular: Vec<bool> = self.alive.iter().map(|(_, t)| is_regular(t)).collect();
            match regular[..] {
                [true, false] => self.alive.truncate(1),
                [false, true] => drop(self.alive.remove(0)),
                _ => {
                    let (first, second) = (&self.alive[0].1, &self.alive[1].1);
                    if let Some((row, cell)) = self.differs {
                        let (first, second) = (date_text(first[row]), date_text(second[row]));
                        return Err(TwoReadings { row, cell, first, second });
                    }
                }
            }
        }
        let has_offset = self.has_offset;
        let Some((written, mut values)) = self.alive.into_iter().next() else {
            return Ok(Times { written: Written::Index, values: Vec::new(), has_offset: false });
        };
        values.shrink_to_fit();
        let has_offset = match written {
            Written::Epoch(_) => true,
            Written::Index => false,
            _ => has_offset.unwrap_or(false),
        };
        Ok(Times { written, values, has_offset })
    }
}

/// Steps that never change their sign, and whose least is also the most common.
fn is_regular(times: &[i64]) -> bool {
    let steps: Vec<i64> =
        times.windows(2).map(|w| w[1].saturating_sub(w[0])).filter(|&s| s != 0).collect();
    let Some(&least) = steps.iter().min() else { return false };
    least > 0 && steps.iter().filter(|&&s| s == least).count() * 2 > steps.len()
}

fn date_text(micros: i64) -> String {
    let date = Date::from_days(micros.div_euclid(super::civil::DAY));
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<TimeColumn, (usize, Refused)> {
        let mut column = TimeColumn::new(None);
        for (i, cell) in cells.iter().enumerate() {
            column.push(cell.as_bytes()).map_err(|e| (i, e))?;
        }
        Ok(column)
    }

    #[test]
    fn a_later_cell_settles_day_and_month() {
        let times = read(&["01/02/2012", "02/02/2012", "13/02/2012"]).unwrap().finish().unwrap();
        assert_eq!(times.written, Written::DayFirst);
        assert_eq!(times.values.len(), 3);
        let times = read(&["01/02/2012", "01/13/2012"]).unwrap().finish().unwrap();
        assert_eq!(times.written, Written::MonthFirst);
    }

    #[test]
    fn regular_spacing_settles_day_and_month() {
        // Twelve daily rows: as month-first they would be the firsts of twelve months, spaced 28 to 31 days.
        let cells: Vec<String> = (1..=9).map(|d| format!("0{d}/03/2012")).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        assert_eq!(read(&cells).unwrap().finish().unwrap().written, Written::DayFirst);
    }

    #[test]
    fn what_stays_ambiguous_is_said() {
        let two = read(&["02/02/2012", "01/02/2012", "03/04/2012"]).unwrap().finish().unwrap_err();
        let (cell, first, second) = ("01/02/2012".into(), "2012-02-01".into(), "2012-01-02".into());
        assert_eq!(two, TwoReadings { row: 1, cell, first, second });
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
    fn integers_are_rows_years_or_seconds() {
        let written = |cells: &[&str]| read(cells).unwrap().finish().unwrap().written;
        assert_eq!(written(&["0", "1", "2"]), Written::Index);
        assert_eq!(written(&["2010", "2011", "2012"]), Written::Year);
        assert_eq!(written(&["1328002215", "1328005815"]), Written::Epoch(1_000_000_000));
        assert_eq!(written(&["2199", "2200", "2201"]), Written::Index);
    }
}
