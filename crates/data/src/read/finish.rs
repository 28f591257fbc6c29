//! When all rows are there: which columns are channels, which rows belong together.
//!
//! **Which columns are channels.** A column named in `targets` or covariates must hold numbers: the first
//! cell that does not is an error. When `targets` is not given, every column not used otherwise is looked
//! at as a whole: a channel when all of its cells that are not missing are numbers; text, and left out,
//! when at most half of them are; in between, the column means to be numeric and its first bad cell is
//! an error. No column is dropped silently: those left out are listed in the notes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::builder::Builder;
use super::columns::{Unit, names_series, unit_of};
use super::roles::Roles;
use super::table::{Bad, Cells, Table, bad_cell};
use crate::error::{BadCell, DataError, Hint};
use crate::number::{self, Style};
use crate::reading::{Reading, TimeReading};
use crate::text::Count;
use crate::time::column::Times;

impl Builder<'_> {
    /// Decides which columns are channels, groups rows by series and fixes the reading of the time column.
    pub(crate) fn finish(
        mut self,
        locate: &dyn Fn(&Bad) -> u64,
        dialect: Option<(u8, Style)>,
    ) -> Result<Table, DataError> {
        let style = dialect.map_or_else(Style::default, |(_, style)| style);
        let Some(mut roles) = self.roles.take() else {
            return Err(DataError::Empty { path: PathBuf::new(), header: false });
        };
        let text_columns = self.decide_channels(&mut roles, locate, style)?;
        if dialect.is_some() && self.config.decimal.is_none() && self.config.thousands.is_none() {
            self.refuse_either_point(&roles, dialect)?;
        }
        let times = self.rows.times.take();
        let origin = self.group(&roles);
        self.rows.values.shrink_to_fit();
        let config = self.config;
        let ranges: Vec<_> = self.groups.series.iter().map(|s| s.rows.clone()).collect();
        let lines = &self.rows.lines;
        let read = |column: crate::time::column::TimeColumn| {
            column.finish(origin.as_deref(), &ranges).map_err(|two| {
                let path = self.files.first().cloned().unwrap_or_default();
                if !roles.companions.is_empty() {
                    return DataError::SplitTime { path, columns: roles.companions.clone() };
                }
                DataError::Ambiguous {
                    path,
                    line: lines.line(two.row),
                    header: roles.time.join(" and "),
                    cell: two.cell,
                    first: two.first,
                    second: two.second,
                    remedy: "set `time_format = \"%d/%m/%Y\"` or `time_format = \"%m/%d/%Y\"` under [data]",
                }
            })
        };
        let times = times.map(read).transpose()?;
        self.doubts.extend(times.iter().flat_map(|times| times.doubts.iter().cloned()));
        let reading = Reading {
            delimiter: dialect.map(|(delimiter, _)| char::from(delimiter)),
            numbers: dialect.map(|(_, style)| style),
            time: times.as_ref().map(|Times { written, offset, like, .. }| TimeReading {
                columns: roles.time.clone(),
                written: written.clone(),
                offset: *offset,
                example: like.clone(),
            }),
            id: config.id.clone(),
            units: dialect.map(|_| self.units(&roles)),
        };
        if let (Some(before), Some(now)) =
            (self.trained.and_then(|trained| trained.units.as_ref()), &reading.units)
        {
            self.refuse_other_unit(&roles, before, now)?;
        }
        let first = |column: &(String, bool)| column.0.clone();
        if self.rows.trailing > 0 {
            let count = Count(self.rows.trailing, "row");
            self.notes
                .push(format!("{count} with an empty cell beyond the header: it is left out"));
        }
        Ok(Table {
            files: self.files,
            channels: roles.channels,
            targets: roles.targets,
            values: self.rows.values,
            exact: self.rows.exact,
            times,
            series: self.groups.series,
            notes: self.notes,
            doubts: self.doubts,
            reading,
            companions: roles.companions,
            only_id: text_columns
                .iter()
                .find(|(name, once)| *once && names_series(name))
                .map(first),
            text_columns: text_columns.iter().map(first).collect(),
            lines: self.rows.lines,
            origin,
        })
    }

    /// Keeps the columns that are channels; returns those left out because they hold text, and whether it is one text
    /// in all rows.
    fn decide_channels(
        &mut self,
        roles: &mut Roles,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<Vec<(String, bool)>, DataError> {
        let mut kept = Vec::new();
        let mut texts = Vec::new();
        let trials = if roles.trial { roles.targets } else { 0 };
        for slot in 0..self.rows.width {
            let (name, cells) = (roles.channels[slot].clone(), &self.rows.cells[slot]);
            let good = self.rows.count - cells.missing - cells.bad;
            if slot >= trials {
                kept.push(slot);
            } else if good == 0 && cells.bad == 0 {
                self.notes.push(format!("column `{name}` has no value in any row: left out"));
                continue;
            } else if good - cells.truth <= cells.bad + cells.truth && cells.bad > 0 {
                if let Some(bad) = &cells.first_bad
                    && good == 0
                    && let Some(hint) = self.foreign(&bad.cell, style)
                {
                    let error = bad_cell(&self.files[bad.file], bad, locate(bad), style);
                    return Err(match error {
                        DataError::BadCell(cell) => {
                            DataError::BadCell(Box::new(BadCell { hint, ..*cell }))
                        }
                        other => other,
                    });
                }
                let one_text = cells.changes == 0 && cells.missing == 0;
                let may_tell_time = cells.labels_rows(self.rows.count)
                    || (unit_of(&name).is_some_and(|unit| unit != Unit::Vague) && !one_text);
                if let Some(bad) = &cells.first_bad
                    && may_tell_time
                    && roles.time.is_empty()
                    && self.config.time.is_none()
                {
                    self.doubts.push(format!(
                        "column `{name}` (`{}`) may tell the time, but no form reads it: rows are numbered; set \
                         `time = \"{name}\"` and `time_format = \"…\"`, or a time of several columns, \
                         `time = [\"…\", \"…\"]`",
                        bad.cell
                    ));
                }
                self.notes.push(format!("column `{name}` is text: left out"));
                texts.push((name, one_text));
                continue;
            } else if let Some(bad) = &cells.first_bad {
                return Err(bad_cell(&self.files[bad.file], bad, locate(bad), style));
            } else if cells.truth == good {
                self.notes.push(format!(
                    "column `{name}` is true or false: left out; name it among the covariates or targets to use it as 1 and 0"
                ));
                continue;
            } else if self.numbers_rows(roles, slot) || self.runs_evenly(roles, slot) {
                self.notes.push(format!(
                    "column `{name}` numbers the rows: left out; name it as `time`, or in `targets` to forecast it"
                ));
                continue;
            } else {
                kept.push(slot);
            }
            self.check_marks(&roles.channels[slot], slot, good, locate, style)?;
        }
        if !roles.trial {
            return self.check_observed(roles).map(|()| texts);
        }
        if !kept.iter().any(|&slot| slot < trials) {
            return Err(self.no_numbers(roles, locate, style));
        }
        if kept.len() < self.rows.width {
            self.keep(&kept);
            roles.targets -= roles.channels.len() - kept.len();
            roles.channels = kept.iter().map(|&slot| roles.channels[slot].clone()).collect();
        }
        self.check_observed(roles).map(|()| texts)
    }

    /// The hint for the first cell of a column of numbers that are written as those of the table are not.
    fn foreign(&self, cell: &str, style: Style) -> Option<Hint> {
        let decimals = self.rows.decimals.iter().any(|counts| counts & !1 != 0);
        match number::hint(cell, style) {
            Hint::DecimalComma { rewritten } | Hint::DecimalPoint { rewritten } if decimals => {
                Some(Hint::OtherColumns { rewritten })
            }
            hint @ (Hint::DecimalComma { .. }
            | Hint::DecimalPoint { .. }
            | Hint::Either { .. }
            | Hint::Thousands { .. }) => Some(hint),
            _ => None,
        }
    }

    /// Notes amounts and multiples; refuses percent or truth among other numbers.
    fn check_marks(
        &mut self,
        name: &str,
        slot: usize,
        good: usize,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<(), DataError> {
        let cells = &self.rows.cells[slot];
        let Some(example) = cells.first_marked.clone() else { return Ok(()) };
        if let Some(bad) = cells.other_unit.as_ref().or(cells.first_unit.as_ref())
            && ![cells.percent, cells.truth, cells.units].contains(&good)
        {
            return Err(bad_cell(&self.files[bad.file], bad, locate(bad), style));
        }
        let mut how = match cells {
            Cells { percent: 1.., .. } => "are read as percent, without the sign".into(),
            Cells { truth: 1.., .. } => "are read as 1 and 0".into(),
            Cells { unit: Some(unit), .. } => format!("are read without their unit, `{unit}`"),
            Cells { scaled: 1.., .. } => String::new(),
            _ => "are read as negative".into(),
        };
        if cells.scaled > 0 {
            how += if how.is_empty() { "" } else { ", and " };
            how += "are read as thousands (K), millions (M) or billions (B)";
        }
        self.doubts.push(format!("cells such as `{example}` in column `{name}` {how}"));
        Ok(())
    }

    /// The channels with a unit, by name.
    fn units(&self, roles: &Roles) -> BTreeMap<String, String> {
        let channels = roles.channels.iter().zip(&self.rows.cells);
        let units = channels.filter_map(|(name, cells)| Some((name.clone(), cells.unit()?.into())));
        units.collect()
    }

    /// Numbers in another unit than those of the training data would be wrong without a word.
    fn refuse_other_unit(
        &self,
        roles: &Roles,
        before: &BTreeMap<String, String>,
        now: &BTreeMap<String, String>,
    ) -> Result<(), DataError> {
        let width = self.rows.width;
        for (slot, name) in roles.channels.iter().enumerate() {
            let seen = || self.rows.values.iter().skip(slot).step_by(width).any(|v| !v.is_nan());
            if before.get(name) != now.get(name) && seen() {
                return Err(DataError::UnitChanged {
                    path: self.files.first().cloned().unwrap_or_default(),
                    header: name.clone(),
                    found: now.get(name).cloned(),
                    expected: before.get(name).cloned(),
                });
            }
        }
        Ok(())
    }

    /// Whether a column that may be a row index is one: whole numbers that ascend or descend, or for names that
    /// say less, by one in every row.
    fn numbers_rows(&self, roles: &Roles, slot: usize) -> bool {
        let Some((_, certain)) =
            roles.indices.iter().find(|(name, _)| *name == roles.channels[slot])
        else {
            return false;
        };
        let width = self.rows.width;
        if width < 2 {
            return false;
        }
        let all: Vec<f32> = self.rows.values.iter().skip(slot).step_by(width).copied().collect();
        if !all.iter().all(|v| v.fract() == 0.0) {
            return false;
        }
        let steps = |holds: &dyn Fn(f32) -> bool| {
            let count = all.windows(2).filter(|w| holds(w[1] - w[0])).count();
            count + self.groups.series.len() >= all.len() // a new series may start again
        };
        match certain {
            true => steps(&|d| d > 0.0) || steps(&|d| d < 0.0),
            false => {
                all.len() > 2 && steps(&|d| d == 1.0) && matches!(all.first(), Some(0.0 | 1.0))
            }
        }
    }

    /// Whether the first column of a table without times goes up from 0 or from one step by that step in every row, as a time would.
    fn runs_evenly(&self, roles: &Roles, slot: usize) -> bool {
        let width = self.rows.width;
        if slot != 0
            || !roles.first_is_target
            || !roles.time.is_empty()
            || width < 2
            || self.rows.count < 10
        {
            return false;
        }
        let all: Vec<f64> = self.rows.values.iter().step_by(width).map(|&v| f64::from(v)).collect();
        let step = (all[all.len() - 1] - all[0]) / (all.len() - 1) as f64;
        let starts = step > 0.0 && (0.0..=1.5 * step).contains(&all[0]); // a meter reading does not
        starts && all.windows(2).all(|w| (w[1] - w[0] - step).abs() <= 0.05 * step)
    }

    fn keep(&mut self, kept: &[usize]) {
        let (width, rows) = (self.rows.width, self.rows.count);
        fn compact<T: Copy>(values: &mut Vec<T>, kept: &[usize], width: usize, rows: usize) {
            for row in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    values[row * kept.len() + to] = values[row * width + from];
                }
            }
            values.truncate(rows * kept.len());
        }
        compact(&mut self.rows.values, kept, width, rows);
        if let Some(exact) = &mut self.rows.exact {
            compact(exact, kept, width, rows);
        }
        self.rows.cells = kept.iter().map(|&slot| self.rows.cells[slot].clone()).collect();
        self.rows.decimals = kept.iter().map(|&slot| self.rows.decimals[slot]).collect();
        self.rows.width = kept.len();
    }

    /// Asks about a column such as `979`, `1.317`: every point in it has three digits after it and one to three
    /// before it, so that it may stand between thousands.
    fn refuse_either_point(
        &self,
        roles: &Roles,
        dialect: Option<(u8, Style)>,
    ) -> Result<(), DataError> {
        const THREE: u8 = 1 << 3;
        let Some((delimiter, style)) = dialect.filter(|(_, style)| style.thousands.is_none())
        else {
            return Ok(());
        };
        let width = self.rows.width;
        for (slot, decimals) in self.rows.decimals.iter().enumerate() {
            let values = || self.rows.values.iter().skip(slot).step_by(width).enumerate();
            let seen = || values().filter(|(_, v)| !v.is_nan());
            // A table that separates cells by semicolons comes from where the point stands between thousands.
            let mixed =
                *decimals == THREE | 1 && seen().any(|(_, v)| v.fract() == 0.0 && v.abs() >= 100.0);
            let foreign = *decimals == THREE && (delimiter == b';' || style.decimal == b',');
            if !(mixed || foreign) || seen().any(|(_, v)| v.abs() >= 1000.0) {
                continue;
            }
            if seen().any(|(_, v)| v.fract() != 0.0 && v.abs() < 1.0) {
                continue; // `0.317` cannot be thousands
            }
            let Some((row, value)) = seen().find(|(_, v)| v.fract() != 0.0) else { continue };
            let sign = char::from(style.decimal);
            return Err(DataError::Ambiguous {
                path: self.files.first().cloned().unwrap_or_default(),
                line: self.rows.lines.line(row),
                header: roles.channels[slot].clone(),
                cell: format!("{value:.3}").replace('.', &sign.to_string()),
                first: format!("{value:.3}"),
                second: format!("{:.0}", value * 1000.0),
                remedy: match sign {
                    ',' => "set `decimal = \",\"` or `thousands = \",\"` under [data]",
                    _ => "set `decimal = \".\"` or `thousands = \".\"` under [data]",
                },
            });
        }
        Ok(())
    }

    /// The error of a table without a channel: the first bad cell of a column with some numbers, if there is one.
    fn no_numbers(&self, roles: &Roles, locate: &dyn Fn(&Bad) -> u64, style: Style) -> DataError {
        let cells = || self.rows.cells.iter().take(roles.targets);
        let some = |c: &&Cells| c.missing + c.bad < self.rows.count;
        if let Some(bad) = cells().find(some).and_then(|c| c.first_bad.as_ref()) {
            return bad_cell(&self.files[bad.file], bad, locate(bad), style);
        }
        let example = cells().find_map(|c| c.first_bad.clone());
        if let Some(bad) = &example
            && !matches!(number::hint(&bad.cell, style), Hint::Marker { .. } | Hint::Unknown)
        {
            return bad_cell(&self.files[bad.file], bad, locate(bad), style);
        }
        DataError::NoNumbers {
            path: self.files.first().cloned().unwrap_or_default(),
            example: example.map(|bad| (bad.line, bad.header, bad.cell)),
            available: roles.time.iter().chain(&roles.id).chain(&roles.channels).cloned().collect(),
        }
    }

    /// Every channel needs a value somewhere.
    fn check_observed(&self, roles: &Roles) -> Result<(), DataError> {
        let width = self.rows.width;
        let mut empty: Vec<usize> = (0..width).collect();
        for row in self.rows.values.chunks_exact(width.max(1)) {
            if empty.is_empty() {
                return Ok(());
            }
            empty.retain(|&slot| row[slot].is_nan());
        }
        match empty.first() {
            Some(&slot) => Err(DataError::EmptyColumn {
                path: self.files.first().cloned().unwrap_or_default(),
                header: roles.channels[slot].clone(),
            }),
            None => Ok(()),
        }
    }

    /// Brings the rows of each series together, keeping their order; returns where each row was.
    fn group(&mut self, roles: &Roles) -> Option<Vec<u32>> {
        let groups = &mut self.groups;
        roles.id.as_ref()?;
        let mut next = 0;
        let mut starts = Vec::new();
        let counts = counts(&groups.of_row, groups.series.len());
        for (series, count) in groups.series.iter_mut().zip(counts) {
            series.rows = next..next + count;
            starts.push(next);
            next += count;
        }
        if groups.of_row.is_sorted() {
            return None;
        }
        let mut origin = vec![0u32; self.rows.count];
        for (row, &series) in groups.of_row.iter().enumerate() {
            let to = &mut starts[series as usize];
            origin[*to] = row as u32;
            *to += 1;
        }
        let width = self.rows.width;
        self.rows.values = permuted(&self.rows.values, &origin, width);
        self.rows.exact = self.rows.exact.take().map(|exact| permuted(&exact, &origin, width));
        Some(origin)
    }
}

/// The rows of a buffer in the order of `origin`.
fn permuted<T: Copy>(values: &[T], origin: &[u32], width: usize) -> Vec<T> {
    let rows = origin.iter().map(|&row| row as usize);
    rows.flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
}

fn counts(series_of_row: &[u32], series: usize) -> Vec<usize> {
    let mut counts = vec![0; series];
    for &s in series_of_row {
        counts[s as usize] += 1;
    }
    counts
}
