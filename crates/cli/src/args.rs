//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use train::DeviceChoice;

/// Forecasts of small, noisy time series by a variational autoencoder trained on diffused data.
#[derive(Debug, Parser)]
#[command(name = "ballast", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What to log to stderr, such as `debug` or `train=trace` [default: $RUST_LOG, else warn].
    #[arg(long, global = true, value_name = "FILTER", value_parser = filter)]
    pub(crate) log: Option<EnvFilter>,
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

const EXIT_CODES: &str = "Exit codes: 0 done, 2 usage or config, 3 diverged, 65 bad data, \
66 no such file, 69 device or libtorch missing, or out of memory, 70 our bug, 74 disk, 75 saved: run the same command again";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model from a config, or continue where it was interrupted.
    Train(Train),
    /// Score a trained run on its test split, beside the baselines.
    Evaluate(Evaluate),
    /// Measure what the latent variables of a trained run know, over the diffusion steps.
    Features(Features),
    /// Forecast what follows the last rows of a CSV.
    Forecast(Forecast),
    /// Show what a noise schedule does to a signal.
    Noise(Noise),
    /// Look at a data file, or fetch a public one.
    Data(Data),
    /// Write a commented config for a data file.
    Init(Init),
    /// Help with writing configs.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of configs, for editors that complete and check.
    Schema,
}

/// Starts a training, continues one that was interrupted, or says that it is done: the same command
/// each time.
#[derive(Debug, clap::Args)]
pub(crate) struct Train {
    /// The config, a TOML file [default: the one in the run directory].
    #[arg(required_unless_present = "run")]
    pub(crate) config: Option<PathBuf>,
    /// Change one key of it, such as `train.epochs=20`; may be given often.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The run directory [default: runs/CONFIG/seed-N].
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// Overrides `seed` of the config.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// CPU threads; small models run best on one [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Save a checkpoint when so long has passed since the last one, such as 30s or 10m.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) save_every: humantime::Duration,
    /// After so long save and end with exit code 75, such as 90m; the same command continues.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_time: Option<humantime::Duration>,
    /// Write no TensorBoard event files.
    #[arg(long)]
    pub(crate) no_events: bool,
    /// Check everything, count windows, parameters and memory, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Evaluate {
    /// The run directory; or several, of one config and different seeds.
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Also score a test window every N rows; 1 for all of them.
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<std::num::NonZeroUsize>,
    /// Write truth and samples of the model, for anyone to score again.
    #[arg(long, value_name = "SAFETENSORS")]
    pub(crate) dump: Option<PathBuf>,
    /// Score the weights of the last epoch, which `train.keep = "both"` leaves, and write to `last` in the folder.
    #[arg(long)]
    pub(crate) last: bool,
    /// The folder to write to [default: the run directory, or the one that holds all of them].
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// CPU threads [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Features {
    /// The run directory; `features.json` is written there.
    pub(crate) run: PathBuf,
    /// How many diffusion steps to look at, evenly spaced from the first to the last.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) steps: u16,
    /// Noise the windows by the `[noise]` of this file, such as the config of another run, and not by the
    /// run's own.
    #[arg(long, value_name = "TOML")]
    pub(crate) process: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Forecast {
    /// The run directory.
    pub(crate) run: PathBuf,
    /// The rows to forecast from, with the columns the run was trained on.
    #[arg(long, value_name = "CSV")]
    pub(crate) input: PathBuf,
    /// Where to write the forecast: one row per step, quantiles per channel.
    #[arg(long, value_name = "CSV")]
    pub(crate) output: PathBuf,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// Decides the samples.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Noise {
    /// A config; its `[noise]` table is shown, on a window of its data.
    pub(crate) config: PathBuf,
    /// Change one key of it; may be given often.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print every step as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also draw the figure, as SVG.
    #[arg(long, value_name = "SVG")]
    pub(crate) figure: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Say what was understood of a file, and propose splits and lengths.
    Check {
        /// A CSV or Parquet file, or a folder of them.
        file: PathBuf,
        /// For machines.
        #[arg(long)]
        json: bool,
    },
    /// Download a public benchmark set into the cache, licence and citation first.
    Fetch {
        /// The name of the set; leave it out for a list.
        name: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The data file.
    pub(crate) file: PathBuf,
    /// The column to forecast; may be given often [default: every numeric column].
    #[arg(long)]
    pub(crate) target: Vec<String>,
    /// Rows to forecast [default: one natural cycle].
    #[arg(long)]
    pub(crate) horizon: Option<usize>,
    /// Rows a forecast sees [default: a few cycles].
    #[arg(long)]
    pub(crate) context: Option<usize>,
    /// The column of times [default: found].
    #[arg(long)]
    pub(crate) time: Option<String>,
    /// The column that names the series of a long table.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Where to write the config [default: FILE's name with .toml, beside it].
    #[arg(long, value_name = "TOML")]
    pub(crate) output: Option<PathBuf>,
}
