//! A description as a page of text.

use std::fmt;

use super::{Description, Proposal};
use crate::config::SplitConfig;
use crate::text::Count;

/// Rows of a list shown before "and n more".
const MOST: usize = 12;

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        let series = self.series.len();
        let many = if series == 1 { "series" } else { "series, one after another" };
        let (rows, channels) = (Count(self.rows, "row"), Count(self.channels.len(), "channel"));
        writeln!(f, "  {rows} in {series} {many}, {channels}")?;
        write!(f, "  time step {}", self.frequency)?;
        match self.season {
            Some(season) => writeln!(f, ", natural cycle of {}", Count(season, "row"))?,
            None => writeln!(f)?,
        }
        writeln!(f, "  understood: {}", self.reading)?;
        match self.doubts.is_empty() {
            true => writeln!(f, "  doubtful: nothing")?,
            false => writeln!(f, "  doubtful: {}", self.doubts.join("; "))?,
        }
        if let Some(time) = &self.time {
            writeln!(
                f,
                "  times repeat: several columns tell the time together; set `time = {time:?}`"
            )?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "  column `{id}` is taken to name the series; set `id = {id:?}`")?;
        }
        self.write_series(f)?;
        self.write_channels(f)?;
        for remark in self.findings.iter().take(MOST) {
            writeln!(f, "\n{}\n  hint: {}", remark.finding, remark.remedy)?;
        }
        more(f, self.findings.len())?;
        for note in self.notes.iter().take(MOST) {
            writeln!(f, "\nnote: {note}")?;
        }
        more(f, self.notes.len())?;
        match &self.proposal {
            Some(proposal) => proposal.write(f, self),
            None => writeln!(
                f,
                "\nToo few rows for training, validation and test windows of any length.\n  \
                 hint: `ballast forecast FILE` uses methods that need fewer rows"
            ),
        }
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    match count.saturating_sub(MOST) {
        0 => Ok(()),
        rest => writeln!(f, "  … and {rest} more"),
    }
}

impl Description {
    fn write_series(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nseries")?;
        let width =
            self.series.iter().take(MOST).map(|s| s.name.chars().count()).max().unwrap_or(0);
        for s in self.series.iter().take(MOST) {
            write!(f, "  {:width$}  {:>8} rows  {} to {}", s.name, s.rows, s.from, s.to)?;
            match s.missing {
                0 => writeln!(f)?,
                missing => writeln!(f, "  {} missing", Count(missing, "cell"))?,
            }
        }
        more(f, self.series.len())
    }

    fn write_channels(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nchannels")?;
        let width =
            self.channels.iter().take(MOST).map(|c| c.name.chars().count()).max().unwrap_or(0);
        writeln!(
            f,
            "  {:width$}  {:16}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}",
            "", "role", "least", "mean", "std", "greatest", "missing"
        )?;
        for c in self.channels.iter().take(MOST) {
            let [least, mean, std, greatest] = [c.least, c.mean, c.std, c.greatest].map(short);
            writeln!(
                f,
                "  {:width$}  {:16}  {least:>10}  {mean:>10}  {std:>10}  {greatest:>10}  {:>8}",
                c.name, c.role, c.missing
            )?;
        }
        more(f, self.channels.len())?;
        for c in &self.channels {
            for suspicion in &c.suspicions {
                writeln!(f, "  ! `{}` {suspicion}", c.name)?;
            }
        }
        Ok(())
    }
}

/// Four significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".into()
    } else if (1e-3..1e6).contains(&magnitude) {
        let digits = (3 - magnitude.log10().floor() as i32).max(0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

impl Proposal {
    fn write(&self, f: &mut fmt::Formatter<'_>, of: &Description) -> fmt::Result {
        let Proposal { context, horizon, .. } = self;
        let targets = of.channels.iter().filter(|c| c.role == "target").count();
        writeln!(f, "\nproposal\n  context = {context}\n  horizon = {horizon}")?;
        match self.split {
            SplitConfig::Fractions { train, validation, test } => writeln!(
                f,
                "  split = {{ train = {train}, validation = {validation}, test = {test} }}"
            )?,
            SplitConfig::Last([validation, test]) => {
                writeln!(f, "  split = {{ last = [{validation}, {test}] }}")?;
            }
            _ => {}
        }
        if !self.calendar.is_empty() {
            let names: Vec<&str> = self.calendar.iter().map(|feature| feature.name()).collect();
            writeln!(f, "  calendar = {names:?}")?;
        }
        writeln!(
            f,
            "\nA model then sees {} of {} and forecasts {} of {targets}: \
             {}, of which {} share no target; {} validation and {}. `ballast init` writes this.",
            Count(*context, "row"),
            Count(of.channels.len(), "channel"),
            Count(*horizon, "row"),
            Count(self.train_windows, "training window"),
            self.disjoint_windows,
            self.validation_windows,
            Count(self.test_windows, "test window")
        )?;
        if self.disjoint_windows < 100 {
            writeln!(
                f,
                "That is little evidence for a network alone: `ballast forecast FILE` weighs it against methods that \
                 need fewer rows."
            )?;
        }
        Ok(())
    }
}
