//! The group of processes that run one command, and how such a command ends.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::Error;
use ballast::feed::DeviceChoice;
use ballast::train::{ProcessGroup, TorchExtError, TrainError};
use serde_json::json;

use crate::args::TogetherArgs;
use crate::launch::{Place, launcher};

static GROUP: OnceLock<Arc<ProcessGroup>> = OnceLock::new();
static LOCAL_RANK: OnceLock<usize> = OnceLock::new();

/// Meets the other processes, if there are any. All but the first rank are silent from then on.
pub(crate) fn join(args: &TogetherArgs) -> Result<(), Error> {
    let variables = |name: &str| env::var(name).ok();
    let Some(place) = launcher(args.distributed, &parent(), &variables).place(&variables)? else {
        return Ok(());
    };
    let Place { rank, world, local_rank, meeting } = place;
    let group = ProcessGroup::meet(&meeting, rank, world, args.distributed_timeout);
    let group = group.map_err(TrainError::from)?;
    if rank > 0 {
        terminal::mute();
    }
    let _ = (LOCAL_RANK.set(local_rank), GROUP.set(Arc::new(group)));
    Ok(())
}

/// The command line of the parent process; nothing where there is no /proc.
fn parent() -> String {
    let path = format!("/proc/{}/cmdline", std::os::unix::process::parent_id());
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}

/// The processes that this one works with.
pub(crate) fn group() -> Option<Arc<ProcessGroup>> {
    GROUP.get().cloned()
}

/// Whether this process is the one that prints and writes.
pub(crate) fn is_first() -> bool {
    GROUP.get().is_none_or(|group| group.rank() == 0)
}

/// A device for each process of a machine: the one of its local rank, unless only one is visible or another is named.
pub(crate) fn device(asked: DeviceChoice) -> DeviceChoice {
    match LOCAL_RANK.get() {
        Some(&local_rank) => asked.of_local_rank(local_rank),
        None => asked,
    }
}

/// Ends the use of the group.
pub(crate) fn leave() {
    if let Some(group) = GROUP.get() {
        group.leave();
    }
}

/// The end of a process with an error: a message for the user or none, and an exit code.
pub(crate) enum Ending {
    /// The message, with the rank if it is not the first.
    Say(String, u8),
    /// Another process said it.
    Silent(u8),
}

/// Time that the other ranks leave the first one to tell of an error that all have.
const FIRST_ALONE: Duration = Duration::from_millis(500);

/// Settles with the other processes who tells of an error: the first that failed for a reason of its own, or else the
/// lowest rank that is left.
pub(crate) fn ending(error: &Error, message: String, code: u8) -> Ending {
    let Some(group) = GROUP.get() else { return Ending::Say(message, code) };
    let of_peers = error.chain().find_map(|cause| match cause.downcast_ref::<TrainError>() {
        Some(TrainError::Extension(TorchExtError::Peers { speaks, .. })) => Some(*speaks),
        _ => None,
    });
    let ending = match of_peers {
        None => of_own(group, message, code),
        Some(speaks) => match (code_of(group.reported()), speaks) {
            (Some(code), _) => Ending::Silent(code),
            (None, true) => Ending::Say(message + LOST, code),
            (None, false) => Ending::Silent(code),
        },
    };
    group.leave();
    ending
}

const LOST: &str =
    "\n  hint: the last checkpoint is whole; start all processes again to continue from it";

/// The ending of a process that fails for a reason of its own, which others may have too.
fn of_own(group: &ProcessGroup, message: String, code: u8) -> Ending {
    let rank = group.rank();
    let end = Instant::now() + FIRST_ALONE;
    while rank > 0 && Instant::now() < end {
        if code_of(group.reported()).is_some() {
            return Ending::Silent(code);
        }
        sleep(FIRST_ALONE / 20);
    }
    match (group.report(&code.to_string()), rank) {
        (false, _) => Ending::Silent(code),
        (true, 0) => Ending::Say(message, code),
        (true, rank) => Ending::Say(format!("rank {rank}: {message}"), code),
    }
}

/// The exit code that a process left for the others.
fn code_of(report: Option<String>) -> Option<u8> {
    report?.rsplit(' ').next()?.parse().ok()
}

/// Tells torchrun why this process failed, where it asks for that: the file that it names, in its form.
pub(crate) fn tell_torchrun(message: &str, code: u8) {
    let Some(path) = env::var_os("TORCHELASTIC_ERROR_FILE") else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let extra = json!({ "py_callstack": message, "timestamp": now.to_string() });
    let content =
        json!({ "message": { "message": message, "errorCode": code, "extraInfo": extra } });
    if let Err(error) = fs::write(&path, content.to_string()) {
        tracing::debug!(%error, path = %Path::new(&path).display(), "torchrun's file of errors");
    }
}

/// A note that explains exit code 75 to a user of torchrun.
pub(crate) fn hint_of_torchrun(code: u8) -> &'static str {
    match code == 75 && env::var_os("TORCHELASTIC_RUN_ID").is_some() {
        true => {
            "\n  note: torchrun reports every exit code but 0 as a failure; this one means saved, so leave `--max-restarts` at 0"
        }
        false => "",
    }
}
