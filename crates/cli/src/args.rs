//! Arguments of the command line.

use std::path::PathBuf;
use std::time::Duration;

use ballast::feed::DeviceChoice;
use clap::{Parser, Subcommand};
use jiff::{Span, SpanRelativeTo};
use tracing_subscriber::EnvFilter;

use crate::launch::Launcher;

/// Forecasts small, noisy time series with classical methods and a variational autoencoder, weighed by past rows.
#[derive(Debug, Parser)]
#[command(name = "ballast", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Filter of the log on stderr, e.g. `debug` or `train=trace` [default: $RUST_LOG, else warn].
    #[arg(long, global = true, value_name = "FILTER", value_parser = filter)]
    pub(crate) log: Option<EnvFilter>,
}

/// A length of time such as `30s`, `90m` or `1d 12h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    Duration::try_from(duration.map_err(|error| error.to_string())?)
        .map_err(|_| format!("`{text}` is negative; give a duration, e.g. 30s or 10m"))
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

const EXIT_CODES: &str = "Exit codes: 0 done, 2 usage or config, 3 diverged, 65 bad data, \
66 no such file, 69 device or libtorch missing or out of memory, 70 our bug, 74 disk, \
75 saved, run the same command again";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model from a config, or continue where it was interrupted.
    Train(Train),
    /// Train a finished run on newer rows of its table, from the weights that it has.
    Update(Update),
    /// Score a trained run on its test split, beside the baselines.
    Evaluate(Evaluate),
    /// Measure how much the latent variables of a trained run know at each diffusion step.
    Features(Features),
    /// Forecast the rows that follow a table: choose, fit and forecast in one command, or forecast with a trained run.
    Forecast(Forecast),
    /// Forecast known rows of a table from past origins, and score every member beside the pool.
    Backtest(Backtest),
    /// Write the network of a run as one file that other programs run: ONNX, TorchScript, or weights in safetensors.
    Export(Export),
    /// Show what a noise schedule does to a signal.
    Noise(Noise),
    /// Check a data file, or fetch a public one.
    Data(Data),
    /// Write a commented config for a data file.
    Init(Init),
    /// Help with writing configs.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Shares the work of one command out to several processes.
#[derive(Debug, clap::Args)]
pub(crate) struct TogetherArgs {
    /// Work together with the other processes that this launcher started [default: torchrun if it is the parent
    /// process, else off].
    #[arg(long, value_name = "LAUNCHER")]
    pub(crate) distributed: Option<Launcher>,
    /// Maximum time to wait for another process, e.g. 30s or 10m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) distributed_timeout: Duration,
}

impl Command {
    /// The options of a command that several processes can share.
    pub(crate) fn together(&self) -> Option<&TogetherArgs> {
        match self {
            Command::Train(args) => Some(&args.together),
            Command::Update(args) => Some(&args.together),
            Command::Evaluate(args) => Some(&args.together),
            Command::Forecast(args) => Some(&args.together),
            Command::Backtest(args) => Some(&args.together),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of configs, with which editors complete and check them.
    Schema,
}

/// Starts a training, continues one that was interrupted, or reports that it is done; the same command does all
/// three. The loss is minus the evidence lower bound plus `objective.crps_weight`, by default 5, times the CRPS of
/// forecasts.
#[derive(Debug, clap::Args)]
pub(crate) struct Train {
    /// The config, a TOML file [default: the one in the run directory].
    #[arg(required_unless_present = "run")]
    pub(crate) config: Option<PathBuf>,
    /// Change one key of the config, e.g. `train.epochs=20`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The run directory [default: runs/CONFIG/seed-N]; with several seeds the folder of their directories.
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// Seed of the training, instead of `seed` in the config; several, such as 1,2,3, are trained one after the other, or
    /// shared out to the processes of a launcher.
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub(crate) seed: Vec<u64>,
    /// CPU threads; small models run best on one [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Time between checkpoints, e.g. 30s or 10m.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(crate) save_every: Duration,
    /// Save and exit with code 75 after this time, e.g. 90m; run the command again to continue.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_time: Option<Duration>,
    /// Write no TensorBoard event files.
    #[arg(long)]
    pub(crate) no_events: bool,
    /// Check everything, count windows, parameters and memory, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) together: TogetherArgs,
}

/// Trains the weights that forecast on the rows of a newer table; the weights to score stay. A table without new rows
/// changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// The run directory.
    pub(crate) run: PathBuf,
    /// The newer table: the rows of the training first, and new ones after them.
    #[arg(long, value_name = "CSV")]
    pub(crate) input: PathBuf,
    /// Change how the file is read, such as `data.time_format=%d.%m.%Y`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// CPU threads; small models run best on one [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Time between checkpoints, e.g. 30s or 10m.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(crate) save_every: Duration,
    /// Save and exit with code 75 after this time, e.g. 90m; run the command again to continue.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_time: Option<Duration>,
    #[command(flatten)]
    pub(crate) together: TogetherArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Evaluate {
    /// The run directory, or several trained ones of one config and different seeds.
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Also score test windows N rows apart; 1 scores every test window.
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<std::num::NonZeroUsize>,
    /// Also write the truth and the samples of the model, to be scored elsewhere.
    #[arg(long, value_name = "SAFETENSORS")]
    pub(crate) dump: Option<PathBuf>,
    /// Score the weights of the last epoch, which `train.keep = "both"` keeps, and write to the subfolder `last`.
    #[arg(long)]
    pub(crate) last: bool,
    /// The folder to write to [default: the run directory, or the folder that holds all of them].
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// CPU threads [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) together: TogetherArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Features {
    /// The run directory; `features.json` is written there.
    pub(crate) run: PathBuf,
    /// Number of diffusion steps to measure, evenly spaced from the first to the last.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) steps: u16,
    /// Noise the windows with the `[noise]` table of this file, e.g. the config of another run, instead of the run's
    /// own.
    #[arg(long, value_name = "TOML")]
    pub(crate) process: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Forecast {
    /// A table to forecast, or a run: the directory that an earlier forecast kept, or that of a trained network.
    #[arg(value_name = "FILE|RUN")]
    pub(crate) source: PathBuf,
    /// With a run: the rows to forecast from, with the columns that the run was fitted to.
    #[arg(long, value_name = "CSV")]
    pub(crate) input: Option<PathBuf>,
    /// Where to write the forecast: one row per step, with quantiles of each channel; Parquet if the name ends in
    /// `.parquet` [default: FILE-forecast.csv in the current folder].
    #[arg(long, value_name = "CSV|PARQUET")]
    pub(crate) output: Option<PathBuf>,
    /// Form of the forecast and its sample paths; a name given with `--output` has the ending that goes with it [default:
    /// by the ending of the output, else csv].
    #[arg(long)]
    pub(crate) format: Option<TableFormat>,
    /// Where to write the page with a fan chart of each series [default: FILE-forecast.html in the current folder].
    #[arg(long, value_name = "HTML|SVG")]
    pub(crate) picture: Option<PathBuf>,
    /// Levels of the quantiles, such as 0.1,0.5,0.9 [default: 0.05,0.1,0.25,0.5,0.75,0.9,0.95, or those of the run].
    #[arg(long, value_name = "P,…", value_delimiter = ',', value_parser = level)]
    pub(crate) levels: Vec<f64>,
    /// Also write this many sample paths, to the output with `-samples` added to its name.
    #[arg(long, value_name = "N")]
    pub(crate) samples: Option<u32>,
    /// Forecast with one member alone, such as `network` or `ETS`, instead of the pool.
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,
    /// Forecast from this many origins, the last one at the end of the table; everything is fitted before the first.
    #[arg(long, value_name = "K", conflicts_with = "input", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) origins: Option<u16>,
    /// Rows between origins [default: the horizon].
    #[arg(long, value_name = "N", requires = "origins")]
    pub(crate) stride: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Seed of the training and of the samples [default: 1, or that of the run].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) together: TogetherArgs,
}

/// A form of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TableFormat {
    Csv,
    Parquet,
}

/// The lengths of windows.
#[derive(Debug, clap::Args)]
pub(crate) struct LengthArgs {
    /// Number of rows to forecast [default: one natural season].
    #[arg(long, value_name = "H")]
    pub(crate) horizon: Option<usize>,
    /// Number of rows that the network looks back over [default: a few seasons].
    #[arg(long, value_name = "L")]
    pub(crate) context: Option<usize>,
}

/// The columns of a table, and its times.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// Column to forecast; may be repeated [default: every numeric column].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Vec<String>,
    /// The column that names the series of a long table [default: detected].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// The column of times; repeat it to join several columns, such as a date and an hour [default: detected].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time: Vec<String>,
    /// Format of the times, such as `%d/%m/%Y` [default: detected].
    #[arg(long)]
    pub(crate) time_format: Option<String>,
    /// Time step, such as `1d`, `business-day` or `month` [default: detected].
    #[arg(long)]
    pub(crate) frequency: Option<String>,
}

/// A table, and how to fit the members to it.
#[derive(Debug, clap::Args)]
pub(crate) struct TableArgs {
    #[command(flatten)]
    pub(crate) lengths: LengthArgs,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Rows per season; 1 for none [default: those of the time step].
    #[arg(long, value_name = "M")]
    pub(crate) season: Option<usize>,
    /// Leave the network out, and combine the classical methods alone.
    #[arg(long)]
    pub(crate) without_network: bool,
    /// Change one key of the network's config, or of how the file is read, such as `data.time_format=%d.%m.%Y`; may be
    /// repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The run directory that is kept [default: runs/FILE-HASH].
    #[arg(long, value_name = "DIR")]
    pub(crate) run: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// CPU threads of the network [default: $OMP_NUM_THREADS, else 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Backtest {
    /// A table whose last rows are forecast, or a config, a TOML file, that names one and describes the network.
    #[arg(value_name = "FILE|CONFIG")]
    pub(crate) file: PathBuf,
    /// Number of origins; the horizon of the last one ends with the table.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) folds: u16,
    /// Instead of `--folds`: forecast from the first of the last N rows on, while a whole horizon is left.
    #[arg(long, value_name = "N", conflicts_with = "folds")]
    pub(crate) rows: Option<usize>,
    /// Rows between origins [default: the horizon].
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<std::num::NonZeroUsize>,
    /// Fit everything again before each origin, instead of once before the first.
    #[arg(long)]
    pub(crate) refit: bool,
    /// Where to write the scores of every origin, step and member.
    #[arg(long, value_name = "CSV")]
    pub(crate) output: Option<PathBuf>,
    /// Where to write scores by forecaster, fold and step, and weights.
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Option<PathBuf>,
    /// Where to write the page with forecasts beside what came, and scores by step [default: FILE-backtest.html in the
    /// current folder]; with the ending `.svg` the first chart alone.
    #[arg(long, value_name = "HTML|SVG")]
    pub(crate) picture: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Seed of the training and of the samples.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) together: TogetherArgs,
}

/// A level of a quantile.
fn level(text: &str) -> Result<f64, String> {
    let level: f64 =
        text.trim().parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    match (0.005..=0.995).contains(&level) {
        true => Ok(level),
        false => Err("a level is from 0.005 to 0.995".to_owned()),
    }
}

/// Writes the network of a run with everything around it: rows in the units of the table go in, samples and quantiles in
/// these units come out, for any number of windows. The noise of the samples is an input, so that the same input gives the
/// same forecast. The command prints the inputs and outputs; docs/export.md explains them.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The run directory, of a trained network or of an earlier forecast, whose network is written without the other
    /// members.
    pub(crate) run: PathBuf,
    /// Form of the file: `onnx` and `torchscript` hold the whole forecast, `safetensors` the weights, config and scaler.
    #[arg(long)]
    pub(crate) format: ExportFormat,
    /// Where to write it; an older file is replaced [default: RUN.onnx, RUN.pt or RUN.safetensors in the current folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Levels of the quantiles, such as 0.1,0.5,0.9 [default: 0.05,0.1,0.25,0.5,0.75,0.9,0.95, or those of the run].
    #[arg(long, value_name = "P,…", value_delimiter = ',', value_parser = level)]
    pub(crate) levels: Vec<f64>,
}

/// A form of file that `ballast export` writes.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    Onnx,
    Torchscript,
    Safetensors,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Noise {
    /// The config with the `[noise]` table to show; the figure uses a window of its data.
    pub(crate) config: PathBuf,
    /// Change one key of the config; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print every step as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also draw a figure as SVG.
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
    /// Report how a file was understood, and propose a split and lengths.
    Check {
        /// A CSV or Parquet file, or a folder of them.
        file: PathBuf,
        #[command(flatten)]
        reading: ReadingArgs,
        /// Set one key of how the file is read, such as `data.unsorted="sort"`; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Download a public benchmark set into the cache, after showing its license and citation.
    Fetch {
        /// Name of the set; without it, list the sets.
        name: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The data file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) lengths: LengthArgs,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Set one key of the config, such as `data.unsorted="sort"`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Where to write the config [default: FILE with the ending .toml].
    #[arg(long, value_name = "TOML")]
    pub(crate) output: Option<PathBuf>,
}
