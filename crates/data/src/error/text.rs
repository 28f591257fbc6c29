//! Parts of messages.

use std::fmt;

use crate::finding::Finding;

/// A cell made fit for one line: control characters escaped, long text cut.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 60;
        for (i, c) in self.0.chars().enumerate() {
            match c {
                _ if i == LONGEST => return f.write_str("…"),
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

pub(super) struct Suggest<'a>(pub(super) &'a Option<String>);

impl fmt::Display for Suggest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, ", did you mean `{name}`?"))
    }
}

pub(super) struct Unit<'a>(pub(super) &'a Option<String>);

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(unit) => write!(f, "the unit `{}`", Shown(unit)),
            None => f.write_str("no unit"),
        }
    }
}

pub(super) struct Like<'a>(pub(super) &'a Option<String>);

impl fmt::Display for Like<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |cell| write!(f, " of the form `{}`", Shown(cell)))
    }
}

pub(super) struct Example<'a>(pub(super) &'a Option<(u64, String, String)>);

impl fmt::Display for Example<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |(line, header, cell)| {
            write!(f, "; line {line} has `{}` in column `{}`", Shown(cell), Shown(header))
        })
    }
}

/// Names in backquotes, cut after a dozen.
pub(super) struct Listed<'a>(pub(super) &'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 12;
        for (i, name) in self.0.iter().take(MOST).enumerate() {
            write!(f, "{}`{}`", if i == 0 { "" } else { ", " }, Shown(name))?;
        }
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Names in quotes, with something between them.
pub(super) struct Joined<'a>(pub(super) &'a [String], pub(super) char, pub(super) &'static str);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Joined(names, quote, between) = self;
        for (i, name) in names.iter().enumerate() {
            write!(f, "{}{quote}{}{quote}", if i == 0 { "" } else { between }, Shown(name))?;
        }
        Ok(())
    }
}

pub(super) struct Difference<'a>(pub(super) &'a Option<String>, pub(super) &'a Option<String>);

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(missing), _) => write!(f, "column `{}` is missing", Shown(missing)),
            (None, Some(extra)) => write!(f, "column `{}` is in this file only", Shown(extra)),
            (None, None) => f.write_str("columns differ"),
        }
    }
}

/// The remedy for a row of another length than the header: its line, its cells, whether a quote is open.
pub(super) struct Ragged(pub(super) u64, pub(super) usize, pub(super) bool);

impl fmt::Display for Ragged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ragged(.., true) => {
                f.write_str("a quote opened on this line is closed only lines later, or never")
            }
            Ragged(line @ 2..20, 2.., _) => write!(
                f,
                "set `skip_rows = {}` under [data] if the table begins on this line; check the delimiter, and quote cells that contain it",
                line - 1
            ),
            Ragged(..20, 1, _) => f.write_str(
                "set `skip_rows = …` under [data] if the table begins further down; else remove the line, or check the delimiter",
            ),
            Ragged(_, 1, _) => f.write_str(
                "remove the line if it is not a row of the table; check the delimiter, and quote cells that contain it",
            ),
            _ => f.write_str("check the delimiter, and quote cells that contain it"),
        }
    }
}

pub(super) struct TimelineText<'a>(pub(super) &'a std::path::Path, pub(super) &'a [Finding]);

impl fmt::Display for TimelineText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 5;
        for (i, finding) in self.1.iter().take(MOST).enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}\n  hint: {}", finding.remedy())?;
        }
        match self.1.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more findings in {}", self.0.display()),
        }
    }
}
