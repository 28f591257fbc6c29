//! A submission: jobs handed to Slurm together, in the folder `runs/NAME/slurm/N`.
//!
//! ```text
//! jobs.json        the jobs, by content, and which of them are tasks
//! job-A.sh         the script of array A; job-A-I.log is what its task I says
//! submitted.json   the arrays' numbers at Slurm
//! failed-T.json    why task T failed: written by the task
//! cut-T.json       in which step task T was stopped without a saved state
//! reported-T       the end of task T was reported, so that the next call tries it again
//! collected        nothing of it is left in the queue, and all has been reported
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::ended::Failure;
use super::super::job::Job;
use super::queue::States;

/// The largest of our own files that is read.
const MOST_BYTES: u64 = 1 << 30;

/// `jobs.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct List {
    /// `OMP_NUM_THREADS`.
    pub(crate) threads: String,
    /// All jobs of the experiment, since they need others by their place.
    pub(crate) jobs: Vec<Job>,
    /// The places of those that were submitted: task T is job `tasks[T]`.
    pub(crate) tasks: Vec<usize>,
}

/// A job array that Slurm took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Submitted {
    /// Its number at Slurm.
    pub(crate) id: String,
    pub(crate) script: String,
    /// Its first task in the list, and how many they are.
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// The arrays that it starts after.
    pub(crate) after: Vec<String>,
}

/// A submission's folder and what is in it.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Relative to the workspace.
    pub(crate) shown: String,
    pub(crate) folder: PathBuf,
    pub(crate) list: List,
    pub(crate) arrays: Vec<Submitted>,
}

fn base(name: &str) -> String {
    format!("runs/{name}/slurm")
}

/// The numbers of the submissions there are, the oldest first.
fn numbers(root: &Path, name: &str) -> Vec<u32> {
    let entries = fs::read_dir(root.join(base(name))).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

impl Submission {
    /// Submissions that may have something left in the queue or to report, the oldest first.
    pub(crate) fn open(root: &Path, name: &str) -> Result<Vec<Submission>> {
        let open = |number: u32| {
            let shown = format!("{}/{number}", base(name));
            let folder = root.join(&shown);
            // Without `submitted.json` nothing of it ever reached Slurm.
            if folder.join("collected").exists() || !folder.join("submitted.json").exists() {
                return None;
            }
            let read = || {
                let list = read(&folder.join("jobs.json"))?;
                let arrays = read(&folder.join("submitted.json"))?;
                Ok(Submission { shown, folder, list, arrays })
            };
            Some(read())
        };
        numbers(root, name).into_iter().filter_map(open).collect()
    }

    /// A new one, with its list written.
    pub(crate) fn create(root: &Path, name: &str, list: List) -> Result<Submission> {
        let number = numbers(root, name).last().map_or(1, |last| last + 1);
        let shown = format!("{}/{number}", base(name));
        let folder = root.join(&shown);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        write(&folder.join("jobs.json"), &list)?;
        Ok(Submission { shown, folder, list, arrays: Vec::new() })
    }

    /// Notes an array that Slurm took.
    pub(crate) fn took(&mut self, array: Submitted) -> Result<()> {
        self.arrays.push(array);
        write(&self.folder.join("submitted.json"), &self.arrays)
    }

    /// The array of a task; none if it was never submitted.
    pub(crate) fn array(&self, task: usize) -> Option<&Submitted> {
        self.arrays.iter().find(|array| (array.first..array.first + array.count).contains(&task))
    }

    /// A task as Slurm calls it.
    pub(crate) fn id(&self, task: usize) -> Option<String> {
        self.array(task).map(|array| format!("{}_{}", array.id, task - array.first))
    }

    pub(crate) fn is_alive(&self, task: usize, states: &States) -> bool {
        self.id(task).and_then(|id| states.get(&id)).is_some_and(super::queue::State::alive)
    }

    pub(crate) fn any_alive(&self, states: &States) -> bool {
        (0..self.list.tasks.len()).any(|task| self.is_alive(task, states))
    }

    /// The file with a task's own output, relative to the workspace.
    pub(crate) fn log(&self, task: usize) -> Option<String> {
        let array = self.array(task)?;
        let stem = array.script.strip_suffix(".sh").unwrap_or(&array.script);
        Some(format!("{}/{stem}-{}.log", self.shown, task - array.first))
    }

    pub(crate) fn failure(&self, task: usize) -> Option<Failure> {
        read(&failed(&self.folder, task)).ok()
    }

    pub(crate) fn was_reported(&self, task: usize) -> bool {
        self.folder.join(format!("reported-{task}")).exists()
    }

    pub(crate) fn report(&self, task: usize) -> Result<()> {
        self.mark(&format!("reported-{task}"))
    }

    pub(crate) fn collected(&self) -> Result<()> {
        self.mark("collected")
    }

    fn mark(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, "").with_context(|| format!("writing {}", path.display()))
    }
}

/// Where a task says why it failed.
pub(crate) fn failed(folder: &Path, task: usize) -> PathBuf {
    folder.join(format!("failed-{task}.json"))
}

/// Where a task notes a step that it has to do again from its start.
pub(crate) fn cut(folder: &Path, task: usize) -> PathBuf {
    folder.join(format!("cut-{task}.json"))
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    files::read_json(path, MOST_BYTES).with_context(|| format!("reading {}", path.display()))
}

/// Whole or not at all: others look at it meanwhile.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    files::replace_json(path, value).with_context(|| format!("writing {}", path.display()))
}
