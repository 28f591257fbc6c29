//! `lab experiment-job`: one task of an array, on the node that Slurm chose.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use terminal::note;

use super::super::attempt::{Attempts, SAVED, Stop, Stopped};
use super::super::ended::Failure;
use super::super::fingerprint::Match;
use super::super::job::Job;
use super::queue;
use super::submission::{List, cut, failed, read, write};

/// Requeues allowed per task; one that needs more is not progressing.
const RESTARTS: u32 = 100;

/// Do one job of a list: what the scripts of `--launcher slurm` call
#[derive(Debug, clap::Args)]
pub struct ExperimentJob {
    /// jobs.json of a submission
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Its task
    #[arg(long, value_name = "N")]
    index: usize,
    /// The executable `ballast`
    #[arg(long, value_name = "FILE")]
    ballast: PathBuf,
}

/// The end of the task.
enum End {
    Finished,
    /// Stopped, and to go on later.
    Stopped(Stopped),
    Failed(Failure),
}

impl ExperimentJob {
    /// In the folder that it is started in, the checkout. Whatever goes wrong is left in a file.
    pub fn run(self) -> ExitCode {
        let folder = self.list.parent().unwrap_or(Path::new(".")).to_owned();
        let end = self.attempt().and_then(|end| match end {
            End::Stopped(stopped) => self.again(&folder, stopped),
            end => Ok(end),
        });
        let failure = match end {
            Ok(End::Finished) => return ExitCode::SUCCESS,
            Ok(End::Stopped(_)) => return ExitCode::from(SAVED as u8),
            Ok(End::Failed(failure)) => failure,
            Err(error) => Failure { reason: format!("{error:#}"), tail: vec![] },
        };
        note(format_args!("error: {}", failure.reason));
        failure.tail.iter().for_each(|line| note(format_args!("    {line}")));
        if let Err(error) = write(&failed(&folder, self.index), &failure) {
            note(format_args!("error: {error:#}"));
        }
        ExitCode::FAILURE
    }

    fn attempt(&self) -> Result<End> {
        let List { threads, jobs, tasks } = read(&self.list)?;
        let root = env::current_dir().context("finding the current folder")?;
        let job = tasks.get(self.index).and_then(|place| jobs.get(*place));
        let job = job.with_context(|| format!("{} has no such task", self.list.display()))?;
        let (executable, threads) = (&self.ballast, threads.as_str());
        let jobs = &jobs;
        let attempts = Attempts { root: &root, executable, threads, jobs, gpu: None, lock: None };
        note(&job.shown);
        let folder = attempts.folder(job);
        // Slurm may start a task again that had just finished.
        if attempts.compare(job) == Match::Same && job.check(&folder).is_ok() {
            return Ok(End::Finished);
        }
        let missing = |earlier: &&usize| attempts.compare(&jobs[**earlier]) == Match::Different;
        let missing = job.after.iter().filter(missing).count();
        if missing > 0 {
            return Ok(End::Failed(Failure::needs(missing)));
        }
        let stop = listen()?;
        Ok(end(&attempts, job, &stop))
    }

    /// Goes back into the queue.
    fn again(&self, folder: &Path, stopped: Stopped) -> Result<End> {
        let fail = |why: &str| {
            let reason = format!("{stopped}; {why}");
            Ok(End::Failed(Failure { reason, tail: vec![] }))
        };
        let restarts = env::var("SLURM_RESTART_COUNT").ok().and_then(|count| count.parse().ok());
        if restarts.unwrap_or(0) >= RESTARTS {
            return fail("it was begun 100 times and makes no progress: raise --time-limit");
        }
        // A command that saves nothing gets one more chance, with all of the time for itself.
        let cut = cut(folder, self.index);
        if !stopped.saved {
            if read::<String>(&cut).is_ok_and(|step| step == stopped.step) {
                return fail("it needs longer than --time-limit allows and cannot save its state");
            }
            write(&cut, &stopped.step)?;
        }
        let (Ok(array), Ok(task)) =
            (env::var("SLURM_ARRAY_JOB_ID"), env::var("SLURM_ARRAY_TASK_ID"))
        else {
            return fail("it runs outside of Slurm, which would start it again");
        };
        let id = format!("{array}_{task}");
        // One that was cancelled is signaled too, and to put it back would bring it to life again.
        let state = queue::states()?.remove(&id).map(|state| state.state);
        if state.as_deref() != Some("RUNNING") {
            let state = state.as_deref().unwrap_or("gone");
            note(format_args!(
                "{stopped}; not put back into the queue, since Slurm calls the task {state}"
            ));
            return Ok(End::Stopped(stopped));
        }
        note(format_args!("{stopped}; back into the queue"));
        queue::requeue(&id)
            .with_context(|| format!("{stopped}; putting it back into the queue"))?;
        Ok(End::Stopped(stopped))
    }
}

fn end(attempts: &Attempts, job: &Job, stop: &Stop) -> End {
    match attempts.make(job, stop, |folder| job.check(folder)) {
        Ok(()) => End::Finished,
        Err(error) => match error.downcast::<Stopped>() {
            Ok(stopped) => End::Stopped(stopped),
            Err(error) => End::Failed(Failure::new(&error, &attempts.folder(job))),
        },
    }
}

/// Passes signals on to the attempt.
fn listen() -> Result<Arc<Stop>> {
    let stop = Arc::new(Stop::default());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).context("listening to signals")?;
    let asked = Arc::clone(&stop);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(|_| asked.ask()))
        .context("listening to signals")?;
    Ok(stop)
}
