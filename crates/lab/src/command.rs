//! The command line of the laboratory.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::arms::Arms;
use crate::benchmarks::{self, Benchmarks};
use crate::experiment::{Experiment, conduct};
use crate::launch::{self, Options, quote};
use crate::places::Places;
use crate::plan::{Kind, PlanFile};
use crate::ring::{self, Ring};
use crate::small::{self, Small};
use crate::study::{self, Study};
use crate::workspace;

/// An experiment and how to run it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment: configs/experiments/NAME.toml, such as benchmarks, study, small or ring
    #[arg(default_value = "quickstart")]
    name: String,
    /// Runs side by side, one process and one thread each
    #[arg(long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
    /// Share N GPUs among the jobs, each process seeing one of them; with --device cuda
    #[arg(long, value_name = "N")]
    gpus: Option<NonZeroUsize>,
    /// Run everything again, finished or not
    #[arg(long, conflicts_with = "keep_runs")]
    fresh: bool,
    /// Reuse finished runs of the same config and data although the code has changed since
    #[arg(long)]
    keep_runs: bool,
    /// All but arms: the folder that holds the data sets
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Benchmarks, small and ring: run these cells, series or tasks only; others count if they are finished
    #[arg(long, value_name = "CELL", num_args = 1..)]
    only: Vec<String>,
    /// Benchmarks, small and ring: the first N seeds only
    #[arg(long, value_name = "N")]
    seeds: Option<NonZeroUsize>,
    /// Benchmarks: also write docs/benchmarks.md; small and ring write their page also with --only
    #[arg(long)]
    write_docs: bool,
    /// The study: how much of it to run [default: small]
    #[arg(long, value_name = "small|full")]
    budget: Option<String>,
    /// The study: the device, such as cuda [default: cpu]
    #[arg(long)]
    device: Option<String>,
    /// Ring: ETTh1.csv, of which it makes daily and weekly means
    #[arg(long, value_name = "FILE")]
    ett: Option<PathBuf>,
    /// Ring: also backtests that fit again at each origin
    #[arg(long)]
    refit: bool,
    #[command(flatten)]
    launch: launch::Flags,
}

impl Args {
    /// Runs the experiment. Plan and options come before anything slow, so that a typing error shows at once.
    ///
    /// # Errors
    /// A plan or options that are wrong; a failed build; failed runs, after the report on the others.
    pub fn run(self, root: &Path) -> Result<()> {
        let options = Options {
            jobs: self.jobs.get(),
            gpus: self.gpus.map(NonZeroUsize::get),
            fresh: self.fresh,
            keep_runs: self.keep_runs,
            slurm: self.launch.slurm()?,
        };
        let file = PlanFile::read(root, &self.name)?;
        let kind = file.kind()?;
        self.check(kind)?;
        match kind {
            Kind::Arms => start(root, options, Arms::new(root, file)?),
            Kind::Benchmarks => {
                let places = Places::new(self.data.as_deref())?;
                let seeds = self.seeds.map(NonZeroUsize::get);
                let choice = benchmarks::Choice {
                    places,
                    only: self.only,
                    seeds,
                    write_docs: self.write_docs,
                };
                start(root, options, Benchmarks::new(root, file, choice)?)
            }
            Kind::Study => {
                let choice = study::Choice {
                    budget: self.budget.unwrap_or_else(|| "small".to_owned()),
                    places: Places::new(self.data.as_deref())?,
                    device: self.device,
                    command: typed(std::env::args()),
                };
                start(root, options, Study::new(root, file, choice)?)
            }
            Kind::Small => {
                let choice = small::Choice {
                    folder: self.folder()?,
                    only: self.only,
                    seeds: self.seeds.map(NonZeroUsize::get),
                    write_docs: self.write_docs,
                };
                start(root, options, Small::new(&file, choice)?)
            }
            Kind::Ring => {
                let choice = ring::Choice {
                    folder: self.folder()?,
                    ett: self.ett.map(std::path::absolute).transpose()?,
                    only: self.only,
                    seeds: self.seeds.map(NonZeroUsize::get),
                    refit: self.refit,
                    write_docs: self.write_docs,
                };
                start(root, options, Ring::new(&file, choice)?)
            }
        }
    }

    /// The folder of `--data`, which has to be named.
    fn folder(&self) -> Result<PathBuf> {
        let folder =
            self.data.as_ref().context("name the folder that holds the data: --data DIR")?;
        ensure!(folder.is_dir(), "--data {}: no such folder", folder.display());
        std::path::absolute(folder).context("the folder of --data")
    }

    /// Refuses options that mean nothing to a kind of experiment.
    fn check(&self, kind: Kind) -> Result<()> {
        use Kind::{Benchmarks, Ring, Small, Study};
        let options: [(&str, bool, &[Kind]); 8] = [
            ("--data", self.data.is_some(), &[Benchmarks, Study, Small, Ring]),
            ("--only", !self.only.is_empty(), &[Benchmarks, Small, Ring]),
            ("--seeds", self.seeds.is_some(), &[Benchmarks, Small, Ring]),
            ("--write-docs", self.write_docs, &[Benchmarks, Small, Ring]),
            ("--ett", self.ett.is_some(), &[Ring]),
            ("--refit", self.refit, &[Ring]),
            ("--budget", self.budget.is_some(), &[Study]),
            ("--device", self.device.is_some(), &[Study]),
        ];
        for (option, given, kinds) in options {
            if given && !kinds.contains(&kind) {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.phrase()).collect();
                bail!(
                    "{option} is for {}; `{}` is {}",
                    names.join(" and "),
                    self.name,
                    kind.phrase()
                );
            }
        }
        Ok(())
    }
}

fn start(root: &Path, options: Options, experiment: impl Experiment) -> Result<()> {
    conduct(root, &workspace::ballast(root)?, options, experiment)
}

/// The command line as it is to be typed again. Folders become DIR, as others have them elsewhere.
fn typed(arguments: impl Iterator<Item = String>) -> String {
    let mut after_data = false;
    let words = arguments.skip(1).map(|word| {
        let folder = std::mem::replace(&mut after_data, word == "--data");
        match word.strip_prefix("--data=") {
            Some(_) => "--data=DIR".to_owned(),
            None if folder => "DIR".to_owned(),
            None => quote(&word),
        }
    });
    format!("cargo xtask experiment {}", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn options_of_another_kind_are_refused() {
        let check = |line: &str, kind| {
            let line = Line::parse_from(format!("lab trial {line}").split_whitespace());
            line.args.check(kind).map_err(|error| error.to_string())
        };
        assert_eq!(check("--jobs 2 --gpus 2", Kind::Arms), Ok(()));
        assert_eq!(check("--only a b --seeds 1 --data d --write-docs", Kind::Benchmarks), Ok(()));
        assert_eq!(check("--data d --only a --seeds 1", Kind::Small), Ok(()));
        assert_eq!(check("--data d --ett e --refit", Kind::Ring), Ok(()));
        assert!(check("--refit", Kind::Small).is_err());
        assert_eq!(check("--budget full --device cuda --data d", Kind::Study), Ok(()));
        let refused = check("--data d", Kind::Arms).unwrap_err();
        assert_eq!(
            refused,
            "--data is for benchmarks and the study and small series and the ring; \
             `trial` is an experiment of arms"
        );
        assert!(
            check("--seeds 2", Kind::Study)
                .unwrap_err()
                .starts_with("--seeds is for benchmarks and")
        );
        assert!(check("--write-docs", Kind::Study).is_err());
        assert!(check("--device cuda", Kind::Benchmarks).is_err());
    }

    #[test]
    fn the_command_line_can_be_typed_again_elsewhere() {
        let line = ["lab", "study", "--data", "/a b/c", "--budget", "full"].map(str::to_owned);
        let expected = "cargo xtask experiment study --data DIR --budget full";
        assert_eq!(typed(line.into_iter()), expected);
    }
}
