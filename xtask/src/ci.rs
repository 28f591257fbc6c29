//! `cargo xtask ci`: every check that a change must pass before it is merged, cheapest first.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::workspace::{Workspace, run};
use crate::{doc, fuzz, licenses, lint, setup, test, tidy};

/// Run every check of the gate: format, tidy, clippy, tests, documentation, a tiny experiment
#[derive(clap::Args)]
pub(crate) struct Ci {
    /// Leave out the tests, if they have just been run
    #[arg(long)]
    skip_tests: bool,
}

type Check = fn(&Workspace) -> Result<()>;

impl Ci {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let mut checks: Vec<(&str, Check)> = vec![
            ("format", lint::format),
            ("tidy", tidy::check),
            ("licenses", licenses::check),
            ("setup", |workspace| setup::ensure(workspace, None).map(drop)),
            ("clippy", lint::clippy),
        ];
        if !self.skip_tests {
            checks.push(("test", test::all));
        }
        checks.push(("fuzz", fuzz::short));
        checks.push(("doc", |workspace| doc::build(workspace, false)));
        if workspace.root.join("configs/experiments/smoke.toml").is_file() {
            checks.push(("experiment", smoke));
        }
        let mut times = Vec::new();
        let done = checks.into_iter().try_for_each(|(name, check)| {
            eprintln!("\n== {name}");
            let started = Instant::now();
            let done = check(workspace);
            times.push((name, started.elapsed(), done.is_ok()));
            done
        });
        eprint!("\n{}", table(&times));
        done
    }
}

/// Runs a tiny experiment to its end, through cargo, because the tests may have replaced this binary.
fn smoke(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(["run", "--quiet", "--package", "xtask", "--", "experiment", "smoke"]))
}

fn table(times: &[(&str, Duration, bool)]) -> String {
    let row = |(name, time, passed): &(&str, Duration, bool)| {
        let verdict = if *passed { "ok" } else { "FAILED" };
        format!("{name:<10} {:>7.1} s  {verdict}\n", time.as_secs_f64())
    };
    times.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_every_check_with_its_time() {
        let times =
            [("format", Duration::from_millis(1_250), true), ("tidy", Duration::ZERO, false)];
        assert_eq!(table(&times), "format         1.2 s  ok\ntidy           0.0 s  FAILED\n");
    }
}
