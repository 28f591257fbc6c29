//! `--launcher slurm`: the jobs as arrays of Slurm, whose results are found in the files they leave.
//!
//! A call submits the jobs that are neither finished nor in the queue, waits, and collects. A task leaves the
//! same files as a job that runs here; Slurm is asked only which tasks it still knows.

mod queue;
mod script;
mod submission;
mod submit;
mod task;

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use queue::States;
use script::{Extra, TimeLimit};
use submission::Submission;
pub use task::ExperimentJob;
use terminal::{note, print};

use super::attempt::{Attempts, last_lines};
use super::cost::Cost;
use super::ended::{Ended, Failure, Origin, Product};
use super::fingerprint::Match;

/// Where the runs are made
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Launcher {
    /// Here, `--jobs` at a time
    Local,
    /// In job arrays of Slurm, `--jobs` tasks at a time
    Slurm,
}

/// The options of the launcher.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Where the runs are made
    #[arg(long, value_enum, default_value = "local")]
    launcher: Launcher,
    /// Slurm: time for one task; a training that needs longer is saved and requeued [default: 02:00:00]
    #[arg(long, value_name = "TIME")]
    time_limit: Option<TimeLimit>,
    /// Slurm: another option of sbatch, such as partition=gpu or account=me; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    slurm_option: Vec<Extra>,
    /// Slurm: submit and return; the same command collects later
    #[arg(long)]
    no_wait: bool,
    /// Slurm: seconds between two polls of the folders
    #[arg(long, hide = true, default_value = "5", value_name = "SECONDS")]
    poll: f64,
}

impl Flags {
    pub(crate) fn slurm(&self) -> Result<Option<Slurm>> {
        if self.launcher == Launcher::Local {
            if self.time_limit.is_some() || !self.slurm_option.is_empty() || self.no_wait {
                bail!("--time-limit, --slurm-option and --no-wait are for `--launcher slurm`");
            }
            return Ok(None);
        }
        let time_limit = match &self.time_limit {
            Some(limit) => limit.clone(),
            None => "02:00:00".parse()?,
        };
        let lab = env::current_exe().context("finding this executable")?;
        let poll = Duration::try_from_secs_f64(self.poll).context("--poll")?;
        let (extra, wait) = (self.slurm_option.clone(), !self.no_wait);
        Ok(Some(Slurm { lab, time_limit, extra, wait, poll }))
    }
}

/// The way in which jobs are handed to Slurm.
#[derive(Debug, Clone)]
pub(crate) struct Slurm {
    /// The executable that tasks run.
    lab: PathBuf,
    time_limit: TimeLimit,
    extra: Vec<Extra>,
    wait: bool,
    poll: Duration,
}

/// Polls without a result until a task that Slurm has forgotten counts as lost: files may be seen late.
const POLLS_UNTIL_LOST: u32 = 6;

/// A job that is in the queue, or was when last heard of.
struct Waiting {
    job: usize,
    /// Which of the open submissions, and which task of it.
    submission: usize,
    task: usize,
    gone: Option<Instant>,
}

/// The jobs of an experiment while Slurm has them.
struct Watch<'a, T> {
    slurm: &'a Slurm,
    attempts: &'a Attempts<'a>,
    submissions: Vec<Submission>,
    ended: Vec<Option<Ended<T>>>,
    waiting: Vec<Waiting>,
    /// Ended tasks without success, whose end is still to be reported.
    failed: Vec<(usize, usize)>,
    total: usize,
}

impl Slurm {
    /// Submits what of `queue` is not submitted, and collects all of it; nothing where it is not awaited.
    pub(crate) fn conduct<T: Product>(
        &self,
        name: &str,
        attempts: &Attempts,
        (jobs, fresh): (usize, bool),
        ended: Vec<Option<Ended<T>>>,
        queue: VecDeque<usize>,
    ) -> Result<Option<Vec<Option<Ended<T>>>>> {
        let submissions = Submission::open(attempts.root, name)?;
        let mut queue = Vec::from(queue);
        if queue.is_empty() && submissions.is_empty() {
            return Ok(Some(ended));
        }
        let states = queue::states()?;
        let total = attempts.jobs.iter().filter(|job| job.wanted).count();
        let (waiting, failed) = (Vec::new(), Vec::new());
        let mut watch = Watch { slurm: self, attempts, submissions, ended, waiting, failed, total };
        queue = watch.find_submitted(queue, &states, fresh)?;
        queue = watch.leave_out_hopeless(queue);
        if !queue.is_empty() {
            watch.submit(name, queue, jobs)?;
        }
        watch.collect(name)
    }
}

/// Fails if Slurm has tasks of this experiment: both would write into the same folders.
pub(crate) fn ensure_idle(root: &Path, name: &str) -> Result<()> {
    let submissions = Submission::open(root, name)?;
    if submissions.is_empty() {
        return Ok(());
    }
    // Where Slurm is out of reach, the user has to know.
    let Ok(states) = queue::states() else { return Ok(()) };
    let alive = submissions.iter().find(|submission| submission.any_alive(&states));
    if let Some(submission) = alive {
        bail!(
            "this experiment has tasks in Slurm's queue ({}): collect them with `--launcher slurm`, or \
             cancel them: scancel {}",
            submission.shown,
            ids(&submission.arrays).join(" ")
        );
    }
    Ok(())
}

fn ids(arrays: &[submission::Submitted]) -> Vec<&str> {
    arrays.iter().map(|array| array.id.as_str()).collect()
}

impl<T: Product> Watch<'_, T> {
    /// Those of the queue that no earlier call has submitted, or whose end it has reported.
    fn find_submitted(
        &mut self,
        queue: Vec<usize>,
        states: &States,
        fresh: bool,
    ) -> Result<Vec<usize>> {
        let mut latest: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (at, submission) in self.submissions.iter().enumerate() {
            for (task, place) in submission.list.tasks.iter().enumerate() {
                if submission.array(task).is_some() {
                    latest.insert(&submission.list.jobs[*place].shown, (at, task));
                }
            }
        }
        let mut left = Vec::new();
        for index in queue {
            let job = &self.attempts.jobs[index];
            let Some(&(at, task)) = latest.get(job.shown.as_str()) else {
                left.push(index);
                continue;
            };
            let submission = &self.submissions[at];
            let alive = submission.is_alive(task, states);
            let earlier = &submission.list.jobs[submission.list.tasks[task]];
            let same = earlier.fingerprint == job.fingerprint && earlier.steps == job.steps;
            if alive && (fresh || !same) {
                let id = submission.id(task).unwrap_or_default();
                let why = if same { "by an earlier call" } else { "from another config or code" };
                bail!(
                    "{} is being made by task {id} of Slurm, {why}; first scancel {id}",
                    job.shown
                );
            }
            if alive || (same && !fresh && !submission.was_reported(task)) {
                self.waiting.push(Waiting { job: index, submission: at, task, gone: None });
            } else {
                left.push(index);
            }
        }
        Ok(left)
    }

    /// Ends what needs a run that failed; returns the rest.
    fn leave_out_hopeless(&mut self, queue: Vec<usize>) -> Vec<usize> {
        let mut left = Vec::new();
        for index in queue {
            let failed = self.failed_before(index);
            if failed > 0 {
                self.end(index, Err(Failure::needs(failed)));
            } else {
                left.push(index);
            }
        }
        left
    }

    fn failed_before(&self, index: usize) -> usize {
        let failed = |run: &&usize| self.ended[**run].as_ref().is_some_and(|r| r.outcome.is_err());
        self.attempts.jobs[index].after.iter().filter(failed).count()
    }

    fn end(&mut self, index: usize, outcome: Result<T, Failure>) {
        let job = &self.attempts.jobs[index];
        let result = match &outcome {
            Ok(finished) => finished.headline(),
            Err(failure) => format!("FAILED: {}", failure.reason),
        };
        let cost = Cost::read(&self.attempts.folder(job));
        self.ended[index] = Some(Ended { origin: Origin::New, cost, outcome });
        let wanted = |(job, run): &(&super::job::Job, &Option<_>)| job.wanted && run.is_some();
        let ended = self.attempts.jobs.iter().zip(&self.ended).filter(wanted).count();
        note(format_args!("[{ended:>2}/{}] {}   {result}", self.total, job.label));
    }

    /// Looks until every job has ended; without waiting, until it is known which have.
    fn collect(mut self, name: &str) -> Result<Option<Vec<Option<Ended<T>>>>> {
        let mut said = String::new();
        let states = loop {
            // First the queue, then the files: what ends in between is found in these.
            let states = queue::states();
            match &states {
                Ok(states) => self.say(states, &mut said),
                Err(error) if said != "?" => {
                    note(format_args!("{error:#}; looking at the folders meanwhile"));
                    said = "?".to_owned();
                }
                Err(_) => {}
            }
            self.look(states.as_ref().ok());
            let unsure = self.waiting.iter().any(|waiting| waiting.gone.is_some());
            let enough = !self.slurm.wait && !unsure && states.is_ok();
            if self.waiting.is_empty() || enough {
                break states.unwrap_or_default();
            }
            thread::sleep(self.slurm.poll);
        };
        if !self.waiting.is_empty() {
            let ended = self.total - self.waiting.len();
            print(format_args!(
                "{} of {} runs are in Slurm's queue, {ended} have ended; collect them by the same command",
                self.waiting.len(),
                self.total
            ))?;
            return Ok(None);
        }
        for (submission, task) in &self.failed {
            self.submissions[*submission].report(*task)?;
        }
        for submission in Submission::open(self.attempts.root, name)? {
            if !submission.any_alive(&states) {
                submission.collected()?;
            }
        }
        Ok(Some(self.ended))
    }

    /// Takes what has ended out of those waited for.
    fn look(&mut self, states: Option<&States>) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            let job = &self.attempts.jobs[waiting.job];
            let ready = job.after.iter().all(|earlier| self.ended[*earlier].is_some());
            match ready.then(|| self.outcome(&mut waiting, states)).flatten() {
                Some(outcome) => {
                    if outcome.is_err() {
                        self.failed.push((waiting.submission, waiting.task));
                    }
                    self.end(waiting.job, outcome);
                }
                None => self.waiting.push(waiting),
            }
        }
    }

    /// The end of a job whose predecessors have ended; `None` while it may still come.
    fn outcome(
        &self,
        waiting: &mut Waiting,
        states: Option<&States>,
    ) -> Option<Result<T, Failure>> {
        let job = &self.attempts.jobs[waiting.job];
        let folder = self.attempts.folder(job);
        if self.attempts.compare(job) == Match::Same {
            return Some(T::read(job, &folder).map_err(|error| Failure::new(&error, &folder)));
        }
        let submission = &self.submissions[waiting.submission];
        if let Some(failure) = submission.failure(waiting.task) {
            return Some(Err(failure));
        }
        let states = states?;
        if submission.is_alive(waiting.task, states) {
            waiting.gone = None;
            return None;
        }
        let since = waiting.gone.get_or_insert_with(Instant::now);
        if since.elapsed() < POLLS_UNTIL_LOST * self.slurm.poll {
            return None;
        }
        let id = submission.id(waiting.task).unwrap_or_default();
        let state = states.get(&id).map_or(String::new(), |state| format!(" ({})", state.state));
        let log = submission.log(waiting.task).unwrap_or_default();
        let tail = last_lines(&self.attempts.root.join(&log), 8);
        let hint = if tail.is_empty() {
            "; nor is there a log: is this folder shared with the nodes?".to_owned()
        } else {
            format!("; its log: {log}")
        };
        let reason = format!("task {id} of Slurm has ended{state} without a result{hint}");
        Some(Err(Failure { reason, tail }))
    }

    /// One line where the queue has changed.
    fn say(&self, states: &States, said: &mut String) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for waiting in &self.waiting {
            let id = self.submissions[waiting.submission].id(waiting.task).unwrap_or_default();
            let Some(state) = states.get(&id).filter(|state| state.alive()) else { continue };
            let mut words = state.state.to_lowercase();
            if state.state == "PENDING" && state.reason != "None" {
                words += &format!(" ({})", state.reason);
            }
            *counts.entry(words).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(words, n)| format!("{n} {words}")).collect();
        let line = counts.join(", ");
        if !line.is_empty() && line != *said {
            note(format_args!("Slurm: {line}"));
        }
        *said = line;
    }
}
