//! The plan of the ring: its tasks and their targets.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::resample::Period;
use crate::plan::{Kind, PlanFile};

/// The question, and the tasks that answer it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) question: String,
    pub(super) notes: Vec<String>,
    pub(super) seeds: Vec<u64>,
    pub(super) tasks: Vec<TaskPlan>,
}

/// One task: the last `windows` horizons of a file, one after the other.
#[derive(Debug, Clone)]
pub(super) struct TaskPlan {
    /// Also the folder.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) source: Source,
    pub(super) horizon: usize,
    pub(super) windows: usize,
    /// Of the naive error that scales scores, and of the seasonal naive yardstick.
    pub(super) season: usize,
    /// The task in published.csv.
    pub(super) published: Option<String>,
    pub(super) target: Target,
}

/// The rows of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Source {
    /// In the folder of `--data`.
    File(PathBuf),
    /// Means of the hourly table of `--ett`.
    Every(Period),
}

/// The score that is judged, and the most that it may be.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    /// The weighted quantile loss.
    Wql(f64),
    /// The scaled quantile loss relative to that of the seasonal naive forecast.
    OfNaive(f64),
}

impl Plan {
    pub(super) fn read(file: &PlanFile) -> Result<Plan> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(rename = "kind")]
            _kind: Kind,
            title: String,
            question: String,
            notes: Vec<String>,
            seeds: Spanned<Vec<u64>>,
            task: Vec<TaskTable>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct TaskTable {
            name: Spanned<String>,
            label: String,
            source: Source,
            horizon: usize,
            windows: usize,
            season: usize,
            published: Option<String>,
            target: Target,
        }
        let Table { title, question, notes, seeds, task, .. } = file.parse()?;
        let seeds = file.seeds(&seeds, 1)?;
        file.names("task", task.iter().map(|task| &task.name))?;
        let mut tasks = Vec::new();
        for TaskTable { name, label, source, horizon, windows, season, published, target } in task {
            if horizon == 0 || windows == 0 || season == 0 {
                let message = "`horizon`, `windows` and `season` are at least 1";
                return Err(file.at(name.span(), message));
            }
            let name = name.into_inner();
            tasks.push(TaskPlan {
                name,
                label,
                source,
                horizon,
                windows,
                season,
                published,
                target,
            });
        }
        Ok(Plan { title, question, notes, seeds, tasks })
    }
}
