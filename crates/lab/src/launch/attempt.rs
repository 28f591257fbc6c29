//! One attempt at a job: its child processes in order, their log, their cost, and the marks in its folder.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use files::Lock;
use rustix::process::{Pid, Signal, kill_process};
use wait4::Wait4 as _;

use super::cost::Cost;
use super::fingerprint::{Fingerprint, Match, is_finished};
use super::job::{Job, Stage};

/// Where attempts are made, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempts<'a> {
    pub(crate) root: &'a Path,
    pub(crate) executable: &'a Path,
    /// `OMP_NUM_THREADS` of the children.
    pub(crate) threads: &'a str,
    /// All of the list, since jobs need others by their place in it.
    pub(crate) jobs: &'a [Job],
    /// The only GPU that the children see; what the environment says without.
    pub(crate) gpu: Option<usize>,
    /// A lock that the children hold with us, and go on holding where they outlive us.
    pub(crate) lock: Option<&'a Lock>,
}

impl Attempts<'_> {
    pub(crate) fn folder(&self, job: &Job) -> PathBuf {
        self.root.join(&job.shown)
    }

    /// The ingredients of a job's results, by content.
    pub(crate) fn fingerprint(&self, job: &Job) -> Fingerprint {
        let runs: Vec<PathBuf> =
            job.after.iter().map(|run| self.folder(&self.jobs[*run])).collect();
        job.fingerprint.with_weights(runs.iter().map(PathBuf::as_path))
    }

    /// Compares the finished run of a job, if there is one, with the run that is wanted.
    pub(crate) fn compare(&self, job: &Job) -> Match {
        let folder = self.folder(job);
        if !is_finished(&folder) {
            return Match::Different; // spares reading the weights that the job needs
        }
        self.fingerprint(job).compare(&folder)
    }

    /// Removes what is in the job's folder, unless the job goes on from there.
    pub(crate) fn clear(&self, job: &Job) -> Result<()> {
        let folder = self.folder(job);
        // An evaluation starts over each time, and so does a backtest.
        let trains = matches!(job.stage, Stage::Train | Stage::Both);
        let continues = trains && self.fingerprint(job).continues(&folder);
        if folder.exists() && !continues {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("removing {}", folder.display()))?;
        }
        Ok(())
    }

    /// Does a job; `read` checks what it left before it counts as finished. An error is [`Stopped`] where
    /// the same attempt may go on later. A config, data or an executable that changed since the job was planned are an error,
    /// also where they change meanwhile.
    pub(crate) fn make<T>(
        &self,
        job: &Job,
        stop: &Stop,
        read: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let (folder, fingerprint) = (self.folder(job), self.fingerprint(job));
        let unchanged = || job.fingerprint.verify(self.root, &job.config, self.executable);
        unchanged()?; // it may have waited for days
        self.clear(job)?;
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        fingerprint.begin(&folder)?;
        let path = folder.join("log.txt");
        let mut log = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        let mut cost = Cost::begin(&folder)?;
        for args in &job.steps {
            writeln!(log, "$ ballast {}", args.join(" ")).context("writing log.txt")?;
            let mut command = Command::new(self.executable);
            command
                .args(args)
                .current_dir(self.root)
                .env("OMP_NUM_THREADS", self.threads)
                .stdin(self.stdin()?)
                .stdout(log.try_clone().context("opening log.txt twice")?)
                .stderr(log.try_clone().context("opening log.txt twice")?);
            if let Some(gpu) = self.gpu {
                command.env("CUDA_VISIBLE_DEVICES", gpu.to_string());
            }
            let Some(child) = stop.start(&mut command)? else {
                cost.end(&folder)?;
                return Err(Stopped::before(args).into());
            };
            let ended = child
                .wait4()
                .with_context(|| format!("waiting for {}", self.executable.display()))?;
            let asked = stop.ended();
            cost.add(&args[0], ended.rusage.utime + ended.rusage.stime);
            if !ended.status.success() {
                cost.end(&folder)?;
                let how = format!("`ballast {}` {}", args[0], how_it_ended(ended.status));
                let saved = ended.status.code() == Some(SAVED);
                if saved || asked {
                    return Err(Stopped { step: args[0].clone(), saved, how }.into());
                }
                bail!(how);
            }
        }
        cost.end(&folder)?;
        unchanged()?;
        let finished = read(&folder)?;
        fingerprint.write(&folder)?;
        Ok(finished)
    }

    /// Nothing to read: the lock, whose file ends here.
    fn stdin(&self) -> Result<Stdio> {
        let Some(lock) = self.lock else { return Ok(Stdio::null()) };
        Ok(lock.file().try_clone().context("handing on the lock of the experiment")?.into())
    }
}

/// The exit code of `ballast` that asks for the same command again.
pub(crate) const SAVED: i32 = 75;

/// An attempt that ended early and can go on: the child saved its state, or we were asked to stop.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The command of `ballast` that it stopped in.
    pub(crate) step: String,
    /// Whether that command goes on where it was; else it starts over.
    pub(crate) saved: bool,
    how: String,
}

impl Stopped {
    fn before(args: &[String]) -> Stopped {
        let how = format!("asked to stop before `ballast {}`", args[0]);
        Stopped { step: args[0].clone(), saved: true, how }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)
    }
}

impl std::error::Error for Stopped {}

/// Asks an attempt to stop: its child gets `SIGTERM`, and no further one is started.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    stop: bool,
    child: Option<Pid>,
}

impl Stop {
    pub(crate) fn ask(&self) {
        let mut asked = self.0.lock().expect("no panic inside");
        asked.stop = true;
        if let Some(child) = asked.child {
            let _ = kill_process(child, Signal::TERM); // it may have just ended
        }
    }

    fn start(&self, command: &mut Command) -> Result<Option<Child>> {
        let mut asked = self.0.lock().expect("no panic inside");
        if asked.stop {
            return Ok(None);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("starting {program}"))?;
        asked.child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Some(child))
    }

    /// Notes that the child has ended; says whether it had been asked to.
    fn ended(&self) -> bool {
        let mut asked = self.0.lock().expect("no panic inside");
        asked.child = None;
        asked.stop
    }
}

/// The end of a child in words, by the exit codes that `ballast` documents.
fn how_it_ended(status: ExitStatus) -> String {
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
        SAVED => ": stopped early, its state is saved",
        _ => "",
    };
    format!("ended with exit code {code}{meaning}")
}

/// The last lines of a log that are not empty.
pub(crate) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}
