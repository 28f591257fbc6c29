//! Does every job that is not finished, several at a time, each in child processes.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use files::{Lock, LockError};
use indicatif::{ProgressBar, ProgressStyle};
use terminal::note;

use super::attempt::{Attempts, Stop};
use super::cost::Cost;
use super::ended::{Ended, Failure, Origin, Product};
use super::fingerprint::Match;
use super::job::{Job, Jobs, Stage};
use super::slurm::{self, Slurm};
use crate::number::duration;

/// The options of all kinds of experiment.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) jobs: usize,
    /// GPUs shared by the jobs: each worker sees one of them.
    pub(crate) gpus: Option<usize>,
    pub(crate) fresh: bool,
    pub(crate) keep_runs: bool,
    /// Hands the jobs over instead of running them here.
    pub(crate) slurm: Option<Slurm>,
}

/// The jobs in planned order, and their ends: failures too, and `None` for a job that is neither finished nor
/// wanted.
pub(crate) type Ran<T> = (Vec<Job>, Vec<Option<Ended<T>>>);

/// Everything needed to do the jobs of an experiment.
pub(crate) struct Runner<'a> {
    root: &'a Path,
    name: String,
    executable: &'a Path,
    options: Options,
    threads: String,
    jobs: Vec<Job>,
    // Held until the runs are done: two of us would remove each other's directories.
    lock: Lock,
}

/// Jobs that are still to do, and those that have ended.
struct Progressing<T> {
    queue: VecDeque<usize>,
    ended: Vec<Option<Ended<T>>>,
}

impl<'a> Runner<'a> {
    /// Takes the jobs over, and the experiment's folder `runs/NAME` for this process alone.
    pub(crate) fn new(
        root: &'a Path,
        name: &str,
        jobs: Jobs<'a>,
        options: Options,
    ) -> Result<Self> {
        let lock = lock(&root.join("runs").join(name))?;
        let Jobs { executable, threads, list: jobs, .. } = jobs;
        let name = name.to_owned();
        Ok(Runner { root, name, executable, options, threads, jobs, lock })
    }

    /// Does the jobs; nothing where they were left in a queue.
    pub(crate) fn run<T: Product>(self) -> Result<Option<Ran<T>>> {
        let (ended, queue) = self.queue();
        let ended = match &self.options.slurm {
            Some(slurm) => {
                let ended = slurm.conduct(
                    &self.name,
                    &self.attempts(),
                    (self.options.jobs, self.options.fresh),
                    ended,
                    queue,
                )?;
                let Some(ended) = ended else { return Ok(None) };
                ended
            }
            None => {
                slurm::ensure_idle(self.root, &self.name)?;
                self.work(ended, queue)
            }
        };
        Ok(Some((self.jobs, ended)))
    }

    /// Jobs that ended before, and those to be done, in an order in which each comes after those it needs.
    fn queue<T: Product>(&self) -> (Vec<Option<Ended<T>>>, VecDeque<usize>) {
        let mut ended: Vec<Option<Ended<T>>> = Vec::new();
        for job in &self.jobs {
            let ready = job.after.iter().all(|earlier| ended[*earlier].is_some());
            ended.push(if ready { self.reuse(job) } else { None });
        }
        let mut queue = VecDeque::new();
        for (index, job) in self.jobs.iter().enumerate() {
            let will_end = |earlier: &usize| ended[*earlier].is_some() || queue.contains(earlier);
            if ended[index].is_none() && job.wanted && job.after.iter().all(will_end) {
                queue.push_back(index);
            }
        }
        let total = self.jobs.iter().filter(|job| job.wanted).count();
        let reused = total - queue.len();
        if reused > 0 {
            let finished = self.jobs.iter().zip(&ended).filter(|(job, _)| job.wanted);
            let other = finished.filter_map(|(_, run)| run.as_ref());
            let other = other.filter(|run| run.origin == Origin::OtherCode).count();
            let note = if other > 0 {
                format!(", {other} of them from other code")
            } else {
                String::new()
            };
            terminal::note(format_args!("{reused} of {total} runs are finished{note}"));
        }
        (ended, queue)
    }

    /// Does what is in the queue, several at a time.
    fn work<T: Product>(
        &self,
        ended: Vec<Option<Ended<T>>>,
        queue: VecDeque<usize>,
    ) -> Vec<Option<Ended<T>>> {
        let total = self.jobs.iter().filter(|job| job.wanted).count();
        let progress = Progress::new(total, total - queue.len(), queue.len(), self.options.jobs);
        let workers = self.options.jobs.min(queue.len());
        let (state, changed) = (Mutex::new(Progressing { queue, ended }), Condvar::new());
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let gpu = self.options.gpus.map(|gpus| worker % gpus);
                let (state, changed, progress) = (&state, &changed, &progress);
                scope.spawn(move || {
                    while let Some(index) = self.next(state, changed) {
                        let job = &self.jobs[index];
                        progress.started(job);
                        let started = Instant::now();
                        // The runs it reads may have come out as they were.
                        let run = self.reuse(job).unwrap_or_else(|| self.execute(job, gpu));
                        progress.finished(job, &run, started.elapsed());
                        state.lock().expect("no panic inside").ended[index] = Some(run);
                        changed.notify_all();
                    }
                });
            }
        });
        progress.bar.finish_and_clear();
        state.into_inner().expect("no panic inside").ended
    }

    /// The first job in the queue whose predecessors have ended; waits for one where there is none.
    fn next<T>(&self, state: &Mutex<Progressing<T>>, changed: &Condvar) -> Option<usize> {
        let mut state = state.lock().expect("no panic inside");
        loop {
            let Progressing { queue, ended } = &mut *state;
            let blocked = |job: &Job| job.after.iter().any(|earlier| ended[*earlier].is_none());
            let ready = queue.iter().position(|i| !blocked(&self.jobs[*i]));
            if let Some(place) = ready {
                let index = queue.remove(place)?;
                let failed = |earlier: &&usize| {
                    ended[**earlier].as_ref().is_some_and(|run| run.outcome.is_err())
                };
                let failed = self.jobs[index].after.iter().filter(failed).count();
                if failed == 0 {
                    return Some(index);
                }
                let outcome = Err(Failure::needs(failed));
                ended[index] = Some(Ended { origin: Origin::New, cost: Cost::default(), outcome });
            } else if queue.is_empty() {
                return None;
            } else {
                state = changed.wait(state).expect("no panic inside");
            }
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        let Runner { root, executable, threads, jobs, lock, .. } = self;
        Attempts { root, executable, threads, jobs, gpu: None, lock: Some(lock) }
    }

    /// The finished run of a job, if there is one and it may be used.
    fn reuse<T: Product>(&self, job: &Job) -> Option<Ended<T>> {
        if self.options.fresh {
            return None;
        }
        let folder = self.root.join(&job.shown);
        // Evaluations are quick to repeat: scores are always those of the code at hand.
        let keep = self.options.keep_runs && job.stage != Stage::Evaluate;
        let origin = match self.attempts().compare(job) {
            Match::Same => Origin::Reused,
            Match::OtherCode if keep => Origin::OtherCode,
            Match::OtherCode | Match::Different => return None,
        };
        let finished = T::read(job, &folder).ok()?;
        Some(Ended { origin, cost: Cost::read(&folder), outcome: Ok(finished) })
    }

    fn execute<T: Product>(&self, job: &Job, gpu: Option<usize>) -> Ended<T> {
        let folder = self.root.join(&job.shown);
        let outcome = Attempts { gpu, ..self.attempts() }
            .make(job, &Stop::default(), |folder| T::read(job, folder))
            .map_err(|error| Failure::new(&error, &folder));
        Ended { origin: Origin::New, cost: Cost::read(&folder), outcome }
    }
}

/// Takes the experiment's folder for this process alone; the system frees it however we end, once our children have ended
/// too. Those of a call that was killed are waited for: they write into the directories that we need.
fn lock(folder: &Path) -> Result<Lock> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join(".lock");
    match Lock::acquire(&path) {
        Err(LockError::Held { owner, .. }) if is_gone(&owner) => {
            note(format_args!(
                "waiting for the runs of an earlier call that was killed ({owner}) to end"
            ));
            Ok(Lock::wait(&path, |_| {})?)
        }
        Err(LockError::Held { owner, .. }) => {
            bail!("this experiment is running already, from another terminal ({owner})")
        }
        taken => Ok(taken?),
    }
}

/// Whether the owner of a lock was a process of this machine that has ended.
fn is_gone(owner: &str) -> bool {
    let here = rustix::system::uname();
    let process = owner
        .split_once(", process ")
        .filter(|(host, _)| *host == here.nodename().to_string_lossy());
    process.is_some_and(|(_, id)| {
        id.parse::<u32>().is_ok_and(|id| !Path::new(&format!("/proc/{id}")).exists())
    })
}

/// One line per finished run; on a terminal also a last line with what is running.
struct Progress {
    bar: ProgressBar,
    total: usize,
    jobs: usize,
    state: Mutex<State>,
}

struct State {
    finished: usize,
    left: usize,
    spent: Duration,
    executed: u32,
}

impl Progress {
    fn new(total: usize, finished: usize, left: usize, jobs: usize) -> Self {
        let bar = if left > 0 { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        let state = State { finished, left, spent: Duration::ZERO, executed: 0 };
        Progress { bar, total, jobs, state: Mutex::new(state) }
    }

    fn started(&self, job: &Job) {
        self.bar.set_message(job.label.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    fn finished<T: Product>(&self, job: &Job, run: &Ended<T>, took: Duration) {
        let mut state = self.state.lock().expect("no panic inside");
        state.finished += 1;
        state.left -= 1;
        state.spent += took;
        state.executed += 1;
        let result = match &run.outcome {
            Ok(finished) => finished.headline(),
            Err(failure) => format!("FAILED: {}", failure.reason),
        };
        let mean = state.spent.as_secs_f64() / f64::from(state.executed);
        let left = mean * (state.left as f64 / self.jobs as f64).ceil();
        let left =
            if state.left > 0 { format!("   {} left", duration(left)) } else { String::new() };
        let line = format!(
            "[{:>2}/{}] {}   {:>8}   {result}{left}",
            state.finished,
            self.total,
            job.label,
            duration(took.as_secs_f64()),
        );
        self.bar.suspend(|| note(&line));
    }
}
