//! Cuts the jobs into arrays, writes their scripts and submits them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use terminal::print;

use super::super::ended::Product;
use super::super::job::Job;
use super::queue;
use super::script::Array;
use super::submission::{List, Submission, Submitted};
use super::{Waiting, Watch, ids};

/// Consecutive tasks that become one array.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// Places in the list of jobs.
    jobs: Vec<usize>,
    cuda: bool,
    /// Whether it goes on with the part before it, which was too long.
    continued: bool,
}

/// Jobs that need no other of them first, then those that need these, and so on; with and without a GPU
/// apart, and no part longer than `longest`.
fn parts(jobs: &[Job], chosen: &[usize], longest: usize) -> Vec<Part> {
    let mut level: BTreeMap<usize, usize> = BTreeMap::new();
    let mut groups: BTreeMap<(usize, bool), Vec<usize>> = BTreeMap::new();
    for &index in chosen {
        let after = jobs[index].after.iter().filter_map(|earlier| level.get(earlier)).max();
        let mine = after.map_or(0, |level| level + 1);
        level.insert(index, mine);
        let cuda = jobs[index].fingerprint.device().is_some_and(|d| d.starts_with("cuda"));
        groups.entry((mine, cuda)).or_default().push(index);
    }
    let mut parts = Vec::new();
    for ((_, cuda), group) in groups {
        for (number, jobs) in group.chunks(longest).enumerate() {
            parts.push(Part { jobs: jobs.to_vec(), cuda, continued: number > 0 });
        }
    }
    parts
}

impl<T: Product> Watch<'_, T> {
    /// Submits the jobs at these places, none of which needs a later one.
    pub(crate) fn submit(&mut self, name: &str, chosen: Vec<usize>, at_once: usize) -> Result<()> {
        let parts = parts(self.attempts.jobs, &chosen, queue::longest_array()?);
        let tasks = parts.iter().flat_map(|part| part.jobs.iter().copied()).collect();
        let (threads, jobs) = (self.attempts.threads.to_owned(), self.attempts.jobs.to_vec());
        // Leftovers of an earlier attempt would pass for the result.
        chosen.iter().try_for_each(|job| self.attempts.clear(&jobs[*job]))?;
        let list = List { threads, jobs, tasks };
        let submission = Submission::create(self.attempts.root, name, list)?;
        let at = self.submissions.len();
        self.submissions.push(submission);
        let mut first = 0;
        for (number, part) in parts.iter().enumerate() {
            self.write_script(name, part, (number + 1, first), at_once)?;
            first += part.jobs.len();
        }
        first = 0;
        for (number, part) in parts.iter().enumerate() {
            let script = format!("job-{}.sh", number + 1);
            let path = format!("{}/{script}", self.submissions[at].shown);
            let after = self.before(part);
            let id = queue::sbatch(self.attempts.root, &path, &after)
                .with_context(|| self.refused(&path))?;
            let count = part.jobs.len();
            self.submissions[at].took(Submitted { id, script, first, count, after })?;
            for (task, job) in (first..).zip(&part.jobs) {
                self.waiting.push(Waiting { job: *job, submission: at, task, gone: None });
            }
            first += count;
        }
        // In planned order, so that whatever others need is looked at first.
        self.waiting.sort_by_key(|waiting| waiting.job);
        self.announce()
    }

    fn write_script(
        &self,
        name: &str,
        part: &Part,
        (number, first): (usize, usize),
        jobs: usize,
    ) -> Result<()> {
        let submission = &self.submissions[self.submissions.len() - 1];
        let array = Array {
            name,
            folder: &submission.shown,
            number,
            first,
            count: part.jobs.len(),
            jobs,
            cuda: part.cuda,
            threads: self.attempts.threads,
            time_limit: &self.slurm.time_limit,
            extra: &self.slurm.extra,
        };
        let (root, ballast) = (self.attempts.root, self.attempts.executable);
        let path = submission.folder.join(format!("job-{number}.sh"));
        fs::write(&path, array.script(root, &self.slurm.lab, ballast)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// The arrays that have to end before a part may start.
    fn before(&self, part: &Part) -> Vec<String> {
        let needs = |job: &usize| self.attempts.jobs[*job].after.iter();
        let needed: Vec<&usize> = part.jobs.iter().flat_map(needs).collect();
        let waited = self.waiting.iter().filter(|waiting| needed.contains(&&waiting.job));
        let array =
            |w: &Waiting| self.submissions[w.submission].array(w.task).map(|a| a.id.clone());
        let mut before: Vec<String> = waited.filter_map(array).collect();
        if part.continued {
            let last = self.submissions.last().and_then(|submission| submission.arrays.last());
            before.extend(last.map(|array| array.id.clone()));
        }
        before.sort();
        before.dedup();
        before
    }

    fn refused(&self, script: &str) -> String {
        let arrays = self.submissions.last().map_or(&[][..], |submission| &submission.arrays[..]);
        if arrays.is_empty() {
            return format!("submitting {script}");
        }
        let ids = ids(arrays).join(" ");
        format!("submitting {script} (submitted before it, and left in the queue: {ids})")
    }

    /// Prints the arrays that were submitted, and how to watch and cancel them.
    fn announce(&self) -> Result<()> {
        let Some(submission) = self.submissions.last() else { return Ok(()) };
        let array = |array: &Submitted| {
            let after = match &array.after[..] {
                [] => String::new(),
                after => format!(", after {}", after.join(", ")),
            };
            let tasks = if array.count == 1 { "task" } else { "tasks" };
            format!("array {} ({} {tasks}{after})", array.id, array.count)
        };
        let arrays: Vec<String> = submission.arrays.iter().map(array).collect();
        let ids = ids(&submission.arrays);
        print(format_args!("submitted to Slurm: {}", arrays.join(", ")))?;
        print(format_args!("  watch:  squeue --jobs={}", ids.join(",")))?;
        print(format_args!("  cancel: scancel {}", ids.join(" ")))?;
        print(format_args!("  scripts and logs: {}", submission.shown))?;
        Ok(())
    }
}
