//! When all rows are there: which columns are channels, which rows belong together.
//!
//! **Which columns are channels.** A column named in `targets` or covariates must hold numbers: the first
//! cell that does not is an error. When `targets` is not given, every column not used otherwise is looked
//! at as a whole: a channel when all of its cells that are not missing are numbers; text, and left out,
//! when at most half of them are; in between, the column means to be numeric and its first bad cell is
//! an error. No column is dropped silently: those left out are listed in the notes.

use super::builder::Builder;
use super::table::{Bad, Table, Trial, bad_cell};
use crate::error::DataError;
use crate::number::Style;
use crate::time::column::Times;

impl Builder<'_> {
    /// Decides trial columns, groups rows by series and fixes the reading of the time column.
    pub(crate) fn finish(
        mut self,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<Table, DataError> {
        self.decide_trials(locate, style)?;
        let origin = self.group();
        self.values.shrink_to_fit();
        let mut table = Table {
            files: self.files,
            channels: self.channels,
            targets: self.targets,
            values: self.values,
            times: None,
            series: self.series,
            notes: self.notes,
            text_columns: self.text_columns,
            lines: self.lines,
            origin,
        };
        if let Some(column) = self.times {
            let times = column.finish().map_err(|two| DataError::Ambiguous {
                path: table.files.first().cloned().unwrap_or_default(),
                line: table.lines.line(two.row),
                header: self.time_name.clone().unwrap_or_default(),
                cell: two.cell,
                first: two.first,
                second: two.second,
                remedy: "set `time_format` under [data], such as \"%d/%m/%Y\" or \"%m/%d/%Y\"",
            })?;
            table.times = Some(match &table.origin {
                Some(origin) => Times {
                    values: origin.iter().map(|&row| times.values[row as usize]).collect(),
                    ..times
                },
                None => times,
            });
        }
        Ok(table)
    }

    fn decide_trials(
        &mut self,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<(), DataError> {
        let mut kept = Vec::new();
        for (slot, trial) in self.trials.iter().enumerate() {
            let name = &self.channels[slot];
            let good = self.good(trial);
            match trial {
                Trial { bad: 0, .. } if good == 0 => {
                    self.notes.push(format!("column `{name}` has no value in any row: left out"));
                }
                Trial { bad: 0, .. } => kept.push(slot),
                Trial { bad, .. } if good <= *bad => {
                    self.notes.push(format!("column `{name}` is text: left out"));
                    self.text_columns.push(name.clone());
                }
                Trial { first_bad: Some(bad), .. } => {
                    return Err(bad_cell(&self.files[bad.file], bad, locate(bad), style));
                }
                Trial { first_bad: None, .. } => kept.push(slot),
            }
        }
        if self.config.targets.is_some() {
            return self.check_observed();
        }
        if kept.is_empty() {
            return Err(self.no_numbers(locate, style));
        }
        if kept.len() < self.targets {
            kept.extend(self.targets..self.width);
            let (width, rows) = (self.width, self.rows);
            for row in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    self.values[row * kept.len() + to] = self.values[row * width + from];
                }
            }
            self.values.truncate(rows * kept.len());
            self.targets -= width - kept.len();
            self.channels = kept.iter().map(|&slot| self.channels[slot].clone()).collect();
            self.width = kept.len();
        }
        self.check_observed()
    }

    /// Cells of a column that are numbers.
    fn good(&self, trial: &Trial) -> usize {
        self.rows - trial.missing - trial.bad
    }

    /// A column with some numbers meant to be one; else there is none.
    fn no_numbers(&self, locate: &dyn Fn(&Bad) -> u64, style: Style) -> DataError {
        let mixed =
            self.trials.iter().find(|t| self.good(t) > 0).and_then(|t| t.first_bad.as_ref());
        if let Some(bad) = mixed {
            return bad_cell(&self.files[bad.file], bad, locate(bad), style);
        }
        let example = self.trials.iter().find_map(|t| t.first_bad.clone());
        DataError::NoNumbers {
            path: self.files.first().cloned().unwrap_or_default(),
            example: example.map(|bad| (bad.line, bad.header, bad.cell)),
            available: self.channels.clone(),
        }
    }

    /// Every channel needs a value somewhere.
    fn check_observed(&self) -> Result<(), DataError> {
        let mut empty: Vec<usize> = (0..self.width).collect();
        for row in self.values.chunks_exact(self.width.max(1)) {
            if empty.is_empty() {
                return Ok(());
            }
            empty.retain(|&slot| row[slot].is_nan());
        }
        match empty.first() {
            Some(&slot) => Err(DataError::EmptyColumn {
                path: self.files.first().cloned().unwrap_or_default(),
                header: self.channels[slot].clone(),
            }),
            None => Ok(()),
        }
    }

    /// Brings the rows of each series together, keeping their order; returns where each row was.
    fn group(&mut self) -> Option<Vec<u32>> {
        if self.series_of_row.is_sorted() {
            if self.id_name.is_some() {
                let mut start = 0;
                for (s, count) in
                    counts(&self.series_of_row, self.series.len()).into_iter().enumerate()
                {
                    self.series[s].rows = start..start + count;
                    start += count;
                }
            }
            return None;
        }
        let mut next = 0;
        let mut starts = Vec::new();
        let counts = counts(&self.series_of_row, self.series.len());
        for (series, count) in self.series.iter_mut().zip(counts) {
            series.rows = next..next + count;
            starts.push(next);
            next += count;
        }
        let mut origin = vec![0u32; self.rows];
        let mut values = vec![0.0f32; self.values.len()];
        for (row, &series) in self.series_of_row.iter().enumerate() {
            let to = &mut starts[series as usize];
            origin[*to] = row as u32;
            values[*to * self.width..(*to + 1) * self.width]
                .copy_from_slice(&self.values[row * self.width..(row + 1) * self.width]);
            *to += 1;
        }
        self.values = values;
        Some(origin)
    }
}

fn counts(series_of_row: &[u32], series: usize) -> Vec<usize> {
    let mut counts = vec![0; series];
    for &s in series_of_row {
        counts[s as usize] += 1;
    }
    counts
}
