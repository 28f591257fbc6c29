//! The end of a cell: its scores and whether its target is met, or the reason why there are none.

use std::path::PathBuf;

use serde::Serialize;

use super::result::Scored;
use super::verdict::Check;
use crate::outcome::Outcome;

/// A cell and how it ended.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    /// Index into the cells of the plan.
    pub(super) cell: usize,
    /// The commands of its runs, as one would type them.
    pub(super) commands: Vec<String>,
    pub(super) state: State,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Scored {
        scored: Box<Scored>,
        checks: Vec<Check>,
    },
    /// A file is missing; with a remedy.
    NotRun {
        missing: PathBuf,
        remedy: String,
    },
    /// Neither asked for nor finished before.
    NotChosen,
    Failed(Vec<String>),
}

impl Ended {
    pub(super) fn scored(&self) -> Option<&Scored> {
        match &self.state {
            State::Scored { scored, .. } => Some(scored),
            _ => None,
        }
    }

    /// The state in one or two words.
    pub(super) fn word(&self) -> &'static str {
        match &self.state {
            State::Scored { checks, .. } => answer(checks).target(),
            State::NotRun { .. } | State::NotChosen => "not run",
            State::Failed(_) => "failed",
        }
    }

    /// Whether the target is met.
    pub(super) fn answer(&self) -> Outcome {
        match &self.state {
            State::Scored { checks, .. } => answer(checks),
            State::NotRun { .. } | State::NotChosen => Outcome::Unknown,
            State::Failed(_) => Outcome::No,
        }
    }

    /// The numbers that decide, or the reason why there are none, as one line of text.
    pub(super) fn sentence(&self) -> String {
        match &self.state {
            State::Scored { checks, .. } => {
                // Conditions that are missed come first.
                let mut sorted: Vec<&Check> = checks.iter().collect();
                sorted.sort_by_key(|check| check.outcome);
                let texts: Vec<String> = match sorted.as_slice() {
                    [only] => vec![only.text.clone()],
                    several => several
                        .iter()
                        .map(|check| format!("{}: {}", check.outcome.target(), check.text))
                        .collect(),
                };
                texts.join("; ")
            }
            State::NotRun { missing, remedy } => format!("{} missing; {remedy}", missing.display()),
            State::NotChosen => "left out by `--only`".to_owned(),
            State::Failed(reasons) => reasons.join("; "),
        }
    }
}

fn answer(checks: &[Check]) -> Outcome {
    Outcome::all(checks.iter().map(|check| check.outcome))
}
