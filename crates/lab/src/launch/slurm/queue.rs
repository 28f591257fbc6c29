//! The few commands of Slurm that we use.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

/// The state of a task of an array, as Slurm reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// As `squeue` spells it, such as `RUNNING`.
    pub(crate) state: String,
    /// Why it waits.
    pub(crate) reason: String,
}

impl State {
    /// Whether it may still come to a result.
    pub(crate) fn alive(&self) -> bool {
        // All others are ends: COMPLETED, CANCELLED, FAILED, TIMEOUT, NODE_FAIL, OUT_OF_MEMORY, ...
        const ALIVE: [&str; 14] = [
            "PENDING",
            "RUNNING",
            "COMPLETING",
            "CONFIGURING",
            "SUSPENDED",
            "STOPPED",
            "SIGNALING",
            "STAGE_OUT",
            "RESIZING",
            "REQUEUED",
            "REQUEUE_FED",
            "REQUEUE_HOLD",
            "RESV_DEL_HOLD",
            "SPECIAL_EXIT",
        ];
        ALIVE.contains(&self.state.as_str())
    }
}

/// By `ARRAY_INDEX`, the tasks of this user that Slurm still knows.
pub(crate) type States = BTreeMap<String, State>;

/// Submits a script to start when the arrays in `after` have ended, however; returns the array's number.
pub(crate) fn sbatch(root: &Path, script: &str, after: &[String]) -> Result<String> {
    let mut command = Command::new("sbatch");
    command.current_dir(root).arg("--parsable");
    if !after.is_empty() {
        command.arg(format!("--dependency=afterany:{}", after.join(":")));
    }
    let said = output(command.arg(script))?;
    // `NUMBER` or `NUMBER;CLUSTER`, perhaps after lines of a site's own.
    let last = said.lines().next_back().unwrap_or_default();
    let number = last.split(';').next().unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("sbatch said `{}` where the number of a job was expected", said.trim());
    }
    Ok(number.to_owned())
}

/// Where all tasks of this user are, ended ones as long as Slurm remembers them.
pub(crate) fn states() -> Result<States> {
    let mut command = Command::new("squeue");
    command.args(["--me", "--array", "--noheader", "--states=all", "--format=%F_%K|%T|%r"]);
    Ok(parse(&output(&mut command)?))
}

fn parse(said: &str) -> States {
    let line = |line: &str| {
        let mut fields = line.trim().split('|').map(str::to_owned);
        let (task, state) = (fields.next()?, fields.next()?);
        Some((task, State { state, reason: fields.next().unwrap_or_default() }))
    };
    said.lines().filter_map(line).collect()
}

/// Puts a running task back into the queue; this ends its processes.
pub(crate) fn requeue(task: &str) -> Result<()> {
    output(Command::new("scontrol").args(["requeue", task])).map(drop)
}

/// The number of tasks that one array may have.
pub(crate) fn longest_array() -> Result<usize> {
    let said = output(Command::new("scontrol").args(["show", "config"]))?;
    let line = said.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize"));
    let value = line.and_then(|rest| rest.trim_start_matches([' ', '=']).trim().parse().ok());
    // It is one more than the largest index; 1001 is Slurm's default.
    Ok(value.unwrap_or(1001_usize).saturating_sub(1).max(1))
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "there is no `{program}` on PATH; run this where Slurm's commands are (a login node, \
             `module load slurm`), or leave out `--launcher slurm`"
        ),
        _ => anyhow!(error).context(format!("starting {program}")),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = if said.is_empty() { output.status.to_string() } else { said.join("; ") };
        bail!("{program} refused: {said}");
    }
    String::from_utf8(output.stdout).with_context(|| format!("reading what {program} said"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_read_line_by_line() {
        let states = parse("17_0|RUNNING|None\n17_1|CANCELLED|None\n9_N/A|PENDING|Resources\n\n");
        assert_eq!(states.len(), 3);
        assert!(states["17_0"].alive() && !states["17_1"].alive());
        let waiting = State { state: "PENDING".to_owned(), reason: "Resources".to_owned() };
        assert_eq!(states["9_N/A"], waiting);
    }

    #[test]
    fn a_command_that_is_missing_or_refuses_is_one_message() {
        let missing = output(&mut Command::new("no-such-sbatch")).expect_err("none").to_string();
        assert!(missing.starts_with("there is no `no-such-sbatch` on PATH; "), "{missing}");
        let refused =
            output(Command::new("sh").args(["-c", "echo 'sbatch: error: no' >&2; exit 1"]));
        assert_eq!(refused.expect_err("exit 1").to_string(), "sh refused: sbatch: error: no");
    }
}
