//! Runs every arm × seed that is not finished, each as two child processes.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::fingerprint::{Fingerprint, Fingerprints, Match};
use super::number::duration;
use super::plan::Plan;
use super::read::Finished;

/// What the user chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) jobs: usize,
    pub(super) fresh: bool,
    pub(super) keep_runs: bool,
}

/// One arm with one seed, and how it ended.
#[derive(Debug)]
pub(super) struct Run {
    /// Index into the plan's arms.
    pub(super) arm: usize,
    pub(super) seed: u64,
    /// `runs/NAME/ARM/seed-N`.
    pub(super) shown: String,
    /// What reproduces it, to be typed in the workspace.
    pub(super) commands: [String; 2],
    pub(super) origin: Origin,
    pub(super) outcome: Result<Finished, Failure>,
}

/// Whether a run is from this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Origin {
    New,
    /// Finished before, from the same config, data and code.
    Reused,
    /// Finished before, by other code.
    OtherCode,
}

/// Why a run has no result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// The last lines of its log.
    pub(super) tail: Vec<String>,
}

/// A run that is planned.
struct Job {
    arm: usize,
    seed: u64,
    label: String,
    folder: PathBuf,
    shown: String,
    train: Vec<String>,
    evaluate: Vec<String>,
    fingerprint: Fingerprint,
}

/// Everything needed to conduct an experiment.
pub(super) struct Runner<'a> {
    root: &'a Path,
    executable: &'a Path,
    options: Options,
    threads: String,
    jobs: Vec<Job>,
    // Held until the runs are done: two of us would remove each other's directories.
    _lock: File,
}

impl<'a> Runner<'a> {
    /// Plans the runs, seed by seed, so that an early look compares all arms.
    pub(super) fn new(
        root: &'a Path,
        plan: &Plan,
        executable: &'a Path,
        options: Options,
    ) -> Result<Self> {
        let lock = lock(&root.join("runs").join(&plan.name))?;
        // One thread per run: small models gain nothing from more, and results repeat.
        let threads = std::env::var("OMP_NUM_THREADS").unwrap_or_else(|_| "1".to_owned());
        let mut fingerprints = Fingerprints::new(plan, executable)?;
        let mut jobs = Vec::new();
        for &seed in &plan.seeds {
            for (index, arm) in plan.arms.iter().enumerate() {
                let shown = format!("runs/{}/{}/seed-{seed}", plan.name, arm.name);
                let device = plan.device.iter().flat_map(|d| ["--device".to_owned(), d.clone()]);
                let mut train = vec!["train".to_owned(), plan.base.display().to_string()];
                for (key, value) in &arm.set {
                    train.extend(["--set".to_owned(), format!("{key}={value}")]);
                }
                let words = ["--seed", &seed.to_string(), "--run", &shown, "--no-events"];
                train.extend(words.map(str::to_owned));
                train.extend(device.clone());
                let mut evaluate = vec!["evaluate".to_owned(), shown.clone()];
                evaluate.extend(device);
                let fingerprint = fingerprints.of(root, plan, arm, seed, &threads);
                let (folder, label) = (root.join(&shown), arm.label.clone());
                jobs.push(Job {
                    arm: index,
                    seed,
                    label,
                    folder,
                    shown,
                    train,
                    evaluate,
                    fingerprint,
                });
            }
        }
        Ok(Runner { root, executable, options, threads, jobs, _lock: lock })
    }

    /// Runs what has to be run; the result is in planned order and holds failures too.
    pub(super) fn run(self) -> Result<Vec<Run>> {
        let total = self.jobs.len();
        let mut done: Vec<Option<Run>> = self.jobs.iter().map(|job| self.reuse(job)).collect();
        let missing: VecDeque<usize> = (0..total).filter(|i| done[*i].is_none()).collect();
        let reused = total - missing.len();
        if reused > 0 {
            let other = done.iter().flatten().filter(|run| run.origin == Origin::OtherCode).count();
            let note = if other > 0 {
                format!(", {other} of them from other code")
            } else {
                String::new()
            };
            eprintln!("{reused} of {total} runs are finished{note}");
        }
        let progress = Progress::new(total, reused, missing.len(), self.options.jobs);
        let workers = self.options.jobs.min(missing.len());
        let (queue, done_here) = (Mutex::new(missing), Mutex::new(&mut done));
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(index) = { queue.lock().expect("no panic inside").pop_front() } {
                        let job = &self.jobs[index];
                        progress.started(job);
                        let started = Instant::now();
                        let run = self.execute(job);
                        progress.finished(job, &run, started.elapsed());
                        done_here.lock().expect("no panic inside")[index] = Some(run);
                    }
                });
            }
        });
        progress.bar.finish_and_clear();
        Ok(done.into_iter().flatten().collect())
    }

    /// The finished run of a job, if there is one and it may be used.
    fn reuse(&self, job: &Job) -> Option<Run> {
        if self.options.fresh {
            return None;
        }
        let origin = match job.fingerprint.compare(&job.folder) {
            Match::Same => Origin::Reused,
            Match::OtherCode if self.options.keep_runs => Origin::OtherCode,
            Match::OtherCode | Match::Different => return None,
        };
        let finished = Finished::read(&job.folder, job.seed).ok()?;
        Some(self.outcome(job, origin, Ok(finished)))
    }

    fn outcome(&self, job: &Job, origin: Origin, outcome: Result<Finished, Failure>) -> Run {
        let command = |args: &[String]| {
            let quoted: Vec<String> = args.iter().map(|arg| quote(arg)).collect();
            format!("ballast {}", quoted.join(" "))
        };
        Run {
            arm: job.arm,
            seed: job.seed,
            shown: job.shown.clone(),
            commands: [command(&job.train), command(&job.evaluate)],
            origin,
            outcome,
        }
    }

    fn execute(&self, job: &Job) -> Run {
        let outcome = self.attempt(job).map_err(|error| Failure {
            reason: format!("{error:#}"),
            tail: last_lines(&job.folder.join("log.txt"), 8),
        });
        self.outcome(job, Origin::New, outcome)
    }

    fn attempt(&self, job: &Job) -> Result<Finished> {
        let folder = &job.folder;
        if folder.exists() && !job.fingerprint.continues(folder) {
            fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        job.fingerprint.begin(folder)?;
        let path = folder.join("log.txt");
        let mut log = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        for args in [&job.train, &job.evaluate] {
            writeln!(log, "$ ballast {}", args.join(" ")).context("writing log.txt")?;
            let status = Command::new(self.executable)
                .args(args)
                .current_dir(self.root)
                .env("OMP_NUM_THREADS", &self.threads)
                .stdin(Stdio::null())
                .stdout(log.try_clone().context("opening log.txt twice")?)
                .stderr(log.try_clone().context("opening log.txt twice")?)
                .status()
                .with_context(|| format!("starting {}", self.executable.display()))?;
            if !status.success() {
                bail!("`ballast {}` {}", args[0], ended(status));
            }
        }
        let finished = Finished::read(folder, job.seed)?;
        job.fingerprint.write(folder)?;
        Ok(finished)
    }
}

/// Takes the experiment's folder for this process alone; the system frees it however we end.
fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join(".lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("this experiment is running already, from another terminal")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
    }
}

/// How a child ended, by the exit codes that `ballast` documents.
fn ended(status: ExitStatus) -> String {
    let Some(code) = status.code() else {
        return format!("was killed ({status})");
    };
    let meaning = match code {
        2 => ": usage or config",
        3 => ": training diverged",
        65 => ": bad data",
        66 => ": no such file",
        69 => ": device or libtorch missing",
        70 => ": a bug of ours",
        74 => ": disk",
        75 => ": stopped early, its state is saved",
        _ => "",
    };
    format!("ended with exit code {code}{meaning}")
}

fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// An argument as a POSIX shell wants it.
fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
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
        self.bar.set_message(format!("{}, seed {}", job.label, job.seed));
    }

    fn finished(&self, job: &Job, run: &Run, took: Duration) {
        let mut state = self.state.lock().expect("no panic inside");
        state.finished += 1;
        state.left -= 1;
        state.spent += took;
        state.executed += 1;
        let result = match &run.outcome {
            Ok(finished) => format!("test CRPS {:.4}", finished.model().test.crps),
            Err(failure) => format!("FAILED: {}", failure.reason),
        };
        let mean = state.spent.as_secs_f64() / f64::from(state.executed);
        let left = mean * (state.left as f64 / self.jobs as f64).ceil();
        let left =
            if state.left > 0 { format!("   {} left", duration(left)) } else { String::new() };
        let line = format!(
            "[{:>2}/{}] {:<32} seed {}   {:>8}   {result}{left}",
            state.finished,
            self.total,
            job.label,
            job.seed,
            duration(took.as_secs_f64()),
        );
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quote("noise.steps=50"), "noise.steps=50");
        assert_eq!(quote(r#"noise.schedule="none""#), r#"'noise.schedule="none"'"#);
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
