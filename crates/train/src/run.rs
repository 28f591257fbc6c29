//! What the command line does: train a config into a directory, evaluate a directory.

use std::path::Path;
use std::time::Instant;

use baseline::{Baseline, Rule};
use data::Pipeline;
use feed::{Batch, DeviceChoice, DevicePanel, Part, Selection, Source, device_name};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError, Noise};
use crate::control::Control;
use crate::error::TrainError;
use crate::files::{RunDirectory, read_json, read_text, write_json, write_text};
use crate::fit::{Divergence, Fitted, Progress, fit};
use crate::forecaster::Forecaster;
use crate::job::Job;
use crate::lock::RunLock;
use crate::search::{NoiseSearch, SearchProgress, search};
use crate::shape::shape;
use crate::start::{self, instance_helps};
use crate::tensors::load_store;
use crate::validate::validation_crps;

/// Where and how to compute; not part of what is computed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// The device.
    pub device: DeviceChoice,
    /// CPU threads; as the environment says (`OMP_NUM_THREADS`), else one, where absent.
    pub threads: Option<usize>,
}

/// What stands in `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Of this format.
    pub version: u32,
    /// `done`, or `diverged` with the best weights before; the file is written last.
    pub status: String,
    /// The seed.
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// What the networks computed in: `f32` or `bf16`.
    pub precision: String,
    /// Version of this crate.
    pub ballast: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// With `noise = "auto"` what was chosen, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
    /// With `train.choose_instance_norm` what was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_norm: Option<bool>,
    /// How training ended.
    #[serde(flatten)]
    pub fitted: Fitted,
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// What was trained on.
    pub data: DataInfo,
    /// Whether the data had gaps, so that the model is told of them.
    pub masked: bool,
    /// How the data was prepared, with the scaler fitted on the training rows.
    pub pipeline: Pipeline,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// File or bundled source.
    pub name: String,
    /// SHA-256 of what was read.
    pub fingerprint: String,
    /// Rows of all series.
    pub rows: usize,
    /// Series.
    pub series: usize,
    /// Names of the channels that are forecast.
    pub channels: Vec<String>,
    /// Windows of each part.
    pub windows: WindowCounts,
}

/// Windows of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowCounts {
    /// To train on.
    pub train: i64,
    /// To select on.
    pub validation: i64,
    /// To score on.
    pub test: i64,
}

/// Of `run.json`.
const VERSION: u32 = 1;
const DONE: &str = "done";
const DIVERGED: &str = "diverged";

/// The libtorch this is built against.
const LIBTORCH: &str = "2.11.0";

/// A report of a run while it goes on.
#[derive(Debug)]
pub enum RunProgress<'a> {
    /// Of the search for a noise.
    Search(SearchProgress<'a>),
    /// Of the training.
    Fit(Progress<'a>),
}

/// Reads and prepares the data that a config names.
///
/// # Errors
/// As [`Source::load`].
pub fn load(config: &Config, device: Device) -> Result<Source, TrainError> {
    let selection = Selection {
        season: config.evaluate.season,
        validation_stride: config.train.validation_stride,
    };
    Ok(Source::load(&config.data, selection, device)?)
}

/// A training that is ready to start or to go on, and alone in its directory.
#[derive(Debug)]
pub struct Training {
    config: Config,
    source: Source,
    directory: RunDirectory,
    threads: usize,
    done: Option<RunInfo>,
    checkpoint: Option<Checkpoint>,
    lock: RunLock,
}

/// Reads the data, checks that there is something to train on, and makes the run directory.
///
/// A directory that holds a finished run of the same config is left as it is, see
/// [`Training::already_done`]; one that holds an interrupted run goes on from its checkpoint, see
/// [`Training::checkpoint`].
///
/// # Errors
/// [`ConfigError::OtherRun`] if the directory holds a run of another config, [`TrainError::Locked`] if
/// another process trains in it, [`TrainError::Run`] if its checkpoint is damaged.
pub fn prepare(config: &Config, path: &Path, options: RunOptions) -> Result<Training, TrainError> {
    let device = options.device.resolve()?;
    let threads = set_threads(options.threads);
    let source = load(config, device)?;
    let directory = RunDirectory::create(path)?;
    let lock = RunLock::acquire(directory.lock())?;
    let resolved = config.to_toml()?;
    if begun(&directory) && is_of_another(config, &directory)? {
        return Err(ConfigError::OtherRun { path: path.to_owned() }.into());
    }
    let info: Option<RunInfo> =
        directory.info().exists().then(|| read_info(&directory)).transpose()?;
    let whole = |info: &RunInfo| {
        info.status == DONE
            && info.data.fingerprint == source.fingerprint()
            && directory.weights().exists()
            && (config.noise.fixed().is_some() || directory.noise().exists())
    };
    let done = info.filter(whole);
    let mut checkpoint = None;
    if done.is_none() {
        checkpoint = Checkpoint::read(&directory.checkpoint(), source.fingerprint())?;
        write_text(&directory.config(), &resolved)?;
    }
    let config = config.clone();
    Ok(Training { config, source, directory, threads, done, checkpoint, lock })
}

/// Whether something was trained in the directory, and it would be lost with the config.
pub(crate) fn begun(directory: &RunDirectory) -> bool {
    [directory.info(), directory.checkpoint(), directory.noise()].iter().any(|file| file.exists())
}

/// The record of a finished run, of the version that we write.
fn read_info(directory: &RunDirectory) -> Result<RunInfo, TrainError> {
    let path = directory.info();
    let kept: serde_json::Value = read_json(&path)?;
    if kept["version"] != VERSION {
        return Err(TrainError::Run {
            path,
            reason: format!("is of version {}, and this is version {VERSION}", kept["version"]),
            hint: "use the `ballast` that wrote it, or train anew in another directory".to_owned(),
        });
    }
    read_json(&path)
}

/// Whether the directory has a config, and it says something else: keys that one of them leaves out have
/// their defaults.
pub(crate) fn is_of_another(config: &Config, directory: &RunDirectory) -> Result<bool, TrainError> {
    if !directory.config().exists() {
        return Ok(false);
    }
    let text = read_text(&directory.config())?;
    let written = Config::parse(&text, &directory.config().display().to_string(), &[]);
    // Through the same text, where a path that is not UTF-8 would be an error.
    let ours = Config::parse(&config.to_toml()?, "the config", &[])?;
    Ok(written.ok().as_ref() != Some(&ours))
}

impl Training {
    /// The run, if this very config was trained here before.
    pub fn already_done(&self) -> Option<&RunInfo> {
        self.done.as_ref()
    }

    /// The checkpoint that training goes on from, if it was interrupted here before.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The data.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is about to be trained, in two lines.
    pub fn summary(&self) -> String {
        describe(&self.config, &self.source, self.threads)
    }

    /// Trains, and leaves a finished run directory.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`], [`TrainError::InterruptedSearch`], [`TrainError::Diverged`], [`TrainError::Write`],
    /// or libtorch's own.
    pub fn run(
        self,
        control: &Control,
        observe: &mut dyn FnMut(RunProgress),
    ) -> Result<RunInfo, TrainError> {
        let started = Instant::now();
        let Training { mut config, source, directory, threads, checkpoint, lock, .. } = self;
        let _span = tracing::info_span!("run", directory = %directory.path().display()).entered();
        let before = checkpoint.as_ref().map_or(0.0, Checkpoint::seconds);
        // A run that is not finished has no run.json.
        forget_unfinished(&directory)?;
        let chooses = config.train.choose_instance_norm;
        let instance_norm = if chooses { instance_helps(&config, &source)? } else { None };
        if let Some(on) = instance_norm {
            config.model.instance_norm = on;
        }
        let search = match config.noise {
            Noise::Fixed(_) => None,
            Noise::Auto(auto) => {
                let mut report = |progress: SearchProgress| observe(RunProgress::Search(progress));
                Some(search(&config, &source, auto, &directory, control, &mut report)?)
            }
        };
        if let Some(search) = &search {
            config = search.resolve(&config, &directory)?;
        }
        let device = source.panel().device();
        let mut forecaster = start::forecaster(&config, &source)?;
        let naive_crps = naive_crps(&config, &source, &forecaster)?;
        let job = Job { config: &config, source: &source, naive_crps, run: &directory };
        let mut report = |progress: Progress| observe(RunProgress::Fit(progress));
        let fitted = fit(&job, &mut forecaster, checkpoint, control, &mut report)?;
        let info = RunInfo {
            version: VERSION,
            status: if fitted.diverged.is_some() { DIVERGED } else { DONE }.to_owned(),
            seed: config.seed,
            device: device_name(device),
            threads,
            precision: config.train.precision.name(device).to_owned(),
            ballast: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: LIBTORCH.to_owned(),
            noise: search.map(|search| search.sentence()),
            instance_norm,
            fitted,
            wall_seconds: before + started.elapsed().as_secs_f64(),
            data: data_info(&source),
            masked: source.panel().masked(),
            pipeline: source.pipeline().clone(),
        };
        let saved = info.fitted.best_epoch > 0;
        if saved {
            write_json(&directory.info(), &info)?;
        }
        drop(lock);
        match info.fitted.diverged.clone() {
            None => Ok(info),
            Some(Divergence { epoch, step, what }) => {
                Err(TrainError::Diverged { epoch, step, what, saved })
            }
        }
    }
}

/// The data of a run, as `run.json` has it.
pub fn data_info(source: &Source) -> DataInfo {
    DataInfo {
        name: source.name(),
        fingerprint: source.fingerprint().to_owned(),
        rows: source.rows(),
        series: source.series_names().len(),
        channels: source.channels().to_vec(),
        windows: WindowCounts {
            train: source.windows(Part::Train).count(),
            validation: source.windows(Part::Validation).count(),
            test: source.windows(Part::Test).count(),
        },
    }
}

/// Data, windows, model and device in two lines.
pub(crate) fn describe(config: &Config, source: &Source, threads: usize) -> String {
    let DataInfo { name, rows, series, channels, windows, .. } = data_info(source);
    format!(
        "{name}: {rows} rows, {series} series, {} channels; windows {} → {}: {} train, {} validation, {} test\n\
         {:?} with {:?} backbone, noise {}; device {}, {}, {} threads, seed {}",
        channels.len(),
        config.data.context,
        config.data.horizon,
        windows.train,
        windows.validation,
        windows.test,
        config.model.kind,
        config.model.backbone,
        config.noise,
        device_name(source.panel().device()),
        config.train.precision.name(source.panel().device()),
        threads,
        config.seed,
    )
}

/// Removes the files that an earlier, unfinished run left beside its checkpoint.
fn forget_unfinished(directory: &RunDirectory) -> Result<(), TrainError> {
    let scores = std::fs::read_dir(directory.path()).into_iter().flatten().flatten();
    let scores = scores.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("scores") && name.ends_with(".csv")
    });
    let files = [
        directory.info(),
        directory.evaluation(),
        directory.features(),
        directory.weights(),
        directory.last_weights(),
    ];
    for path in files.into_iter().chain(scores) {
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrainError::Write { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The validation CRPS that skill is relative to: of seasonal naive, or of the last value where no season fits the
/// context. `None` for a model of contexts, or where gaps leave nothing to fit.
fn naive_crps(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
) -> Result<Option<f64>, TrainError> {
    if forecaster.autoencodes() {
        return Ok(None);
    }
    let mut fitted = Baseline::fit_all(source, &[Rule::naive(source)], config.seed)?;
    let Some((_, Some(baseline))) = fitted.pop() else { return Ok(None) };
    let samples = config.train.validation_samples as i64;
    let mut draw = |batch: &Batch| Ok(baseline.sample(batch, samples)?);
    validation_crps(config, source, forecaster, &mut draw)
}

/// A finished run, loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Its directory.
    pub directory: RunDirectory,
    /// As `config.toml` says.
    pub asked: Config,
    /// The same with what was chosen: the noise, instance normalization.
    pub config: Config,
    /// Its record.
    pub info: RunInfo,
}

impl Loaded {
    /// Reads what a finished run left in the directory `path`.
    ///
    /// # Errors
    /// [`TrainError::Missing`] or [`TrainError::Run`].
    pub fn open(path: &Path) -> Result<Loaded, TrainError> {
        let directory = RunDirectory::open(path)?;
        let file = directory.config();
        let text = read_text(&file)?;
        let asked = Config::parse(&text, &file.display().to_string(), &[])?;
        let info = read_info(&directory)?;
        let mut config = match (&asked.noise, NoiseSearch::read(&directory)?) {
            (Noise::Fixed(_), _) => asked.clone(),
            (Noise::Auto(_), Some(search)) => search.resolve(&asked, &directory)?,
            (Noise::Auto(_), None) => {
                let hint = format!("train again: `ballast train --run {}`", path.display());
                return Err(TrainError::Missing { path: directory.noise(), hint });
            }
        };
        if let Some(on) = info.instance_norm {
            config.model.instance_norm = on;
        }
        Ok(Loaded { directory, asked, config, info })
    }

    /// Whether `source` is the data that was trained on.
    ///
    /// # Errors
    /// [`TrainError::Run`] if it is not.
    pub fn check_data(&self, source: &Source) -> Result<(), TrainError> {
        if source.fingerprint() == self.info.data.fingerprint {
            return Ok(());
        }
        Err(TrainError::Run {
            path: self.directory.path().to_owned(),
            reason: format!("{} is not the data it was trained on", source.name()),
            hint: "train again on the new data, or bring the old file back".to_owned(),
        })
    }

    /// The forecaster with the weights of the run.
    ///
    /// # Errors
    /// [`TrainError::Run`] if they do not fit the config.
    pub fn forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        self.with_weights(&self.directory.weights(), panel)
    }

    /// The forecaster with the weights of the last epoch.
    ///
    /// # Errors
    /// [`TrainError::Missing`] if the run did not keep them.
    pub fn last_forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        let path = self.directory.last_weights();
        if !path.exists() {
            let hint = "train with `train.keep = \"both\"`".to_owned();
            return Err(TrainError::Missing { path, hint });
        }
        self.with_weights(&path, panel)
    }

    fn with_weights(&self, path: &Path, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        let forecaster = Forecaster::new(&self.config, shape(panel), panel.device())?;
        load_store(path, forecaster.store())?;
        Ok(forecaster)
    }
}

/// Sets the number of CPU threads and returns it: `asked`, else `OMP_NUM_THREADS`, else one, with which small models
/// run best.
pub fn set_threads(asked: Option<usize>) -> usize {
    let environment = || std::env::var("OMP_NUM_THREADS").ok()?.parse().ok();
    let threads = asked.or_else(environment).unwrap_or(1).max(1);
    tch::set_num_threads(threads as i32);
    threads
}
