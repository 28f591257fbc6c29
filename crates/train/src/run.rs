//! What the command line does: train a config into a directory, evaluate a directory.

use std::path::Path;
use std::time::Instant;

use data::Pipeline;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::baseline::Asked;
use crate::batch::{Batch, Rows};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError, Noise};
use crate::control::Control;
use crate::device::{DeviceChoice, device_name};
use crate::error::TrainError;
use crate::evaluate::naive_baseline;
use crate::files::{RunDirectory, read_json, read_text, write_json, write_text};
use crate::fit::{Divergence, Fitted, Job, Progress, fit};
use crate::forecaster::Forecaster;
use crate::lock::RunLock;
use crate::search::{NoiseSearch, search};
use crate::source::{Part, Source};
use crate::start;
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

/// A training that is ready to start or to go on, and alone in its directory.
#[derive(Debug)]
pub struct Training {
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
    let source = Source::load(config, device)?;
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
    Ok(Training { source, directory, threads, done, checkpoint, lock })
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
        describe(&self.source, self.threads)
    }

    /// Trains, and leaves a finished run directory.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`], [`TrainError::InterruptedSearch`], [`TrainError::Diverged`], [`TrainError::Write`],
    /// or libtorch's own.
    pub fn run(
        self,
        control: &Control,
        observe: &mut dyn FnMut(Progress),
    ) -> Result<RunInfo, TrainError> {
        let started = Instant::now();
        let Training { mut source, directory, threads, checkpoint, lock, .. } = self;
        let _span = tracing::info_span!("run", directory = %directory.path().display()).entered();
        let before = checkpoint.as_ref().map_or(0.0, Checkpoint::seconds);
        // A run that is not finished has no run.json.
        remove(&directory)?;
        let chooses = source.config().train.choose_instance_norm;
        let instance_norm = if chooses { start::instance_helps(&source)? } else { None };
        if let Some(on) = instance_norm {
            source.set_instance_norm(on);
        }
        let asked = source.config();
        let search = match asked.noise {
            Noise::Fixed(_) => None,
            Noise::Auto(auto) => Some(search(&source, auto, &directory, control, observe)?),
        };
        let resolved =
            search.as_ref().map(|search| search.resolve(asked, &directory)).transpose()?;
        let config = resolved.as_ref().unwrap_or(asked);
        let device = source.rows().device();
        let mut forecaster = start::forecaster(&source, config)?;
        let naive = naive(&source, &forecaster)?;
        let job = Job {
            config,
            rows: source.rows(),
            train: source.starts(Part::Train),
            validation: source.starts(Part::Validation),
            channels: source.channels(),
            fingerprint: source.fingerprint(),
            naive_crps: naive.map(|naive| naive.1),
            run: &directory,
        };
        let fitted = fit(&job, &mut forecaster, checkpoint, control, observe)?;
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
            data: source.info(),
            masked: source.rows().masked(),
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

/// Data, windows, model and device in two lines.
pub(crate) fn describe(source: &Source, threads: usize) -> String {
    let config = source.config();
    let DataInfo { name, rows, series, channels, windows, .. } = source.info();
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
        device_name(source.rows().device()),
        config.train.precision.name(source.rows().device()),
        threads,
        config.seed,
    )
}

/// Forgets what an earlier, unfinished run left beside its checkpoint.
fn remove(directory: &RunDirectory) -> Result<(), TrainError> {
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

/// Name and validation CRPS of what skill is relative to: seasonal naive, or the last value where no
/// season fits the context. `None` for a model of contexts, or where gaps leave nothing to fit.
fn naive(source: &Source, forecaster: &Forecaster) -> Result<Option<(String, f64)>, TrainError> {
    if forecaster.autoencodes() {
        return Ok(None);
    }
    let Some((name, baseline)) = naive_baseline(source)? else { return Ok(None) };
    let config = source.config();
    let samples = config.train.validation_samples as i64;
    let mut draw =
        |batch: &Batch, starts: &Tensor| baseline.sample(&Asked { batch, starts }, samples);
    let (rows, windows) = (source.rows(), source.starts(Part::Validation));
    let crps = validation_crps(config, rows, windows, forecaster, &mut draw)?;
    Ok(crps.map(|crps| (name, crps)))
}

/// A finished run, loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) directory: RunDirectory,
    /// As `config.toml` says.
    pub(crate) asked: Config,
    /// The same with what was chosen: the noise, instance normalisation.
    pub(crate) config: Config,
    pub(crate) info: RunInfo,
}

impl Loaded {
    pub(crate) fn open(path: &Path) -> Result<Loaded, TrainError> {
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
    pub(crate) fn check_data(&self, source: &Source) -> Result<(), TrainError> {
        if source.fingerprint() == self.info.data.fingerprint {
            return Ok(());
        }
        Err(TrainError::Run {
            path: self.directory.path().to_owned(),
            reason: format!("{} is not the data it was trained on", source.info().name),
            hint: "train again on the new data, or bring the old file back".to_owned(),
        })
    }

    /// The forecaster with the weights of the run.
    pub(crate) fn forecaster(&self, rows: &Rows) -> Result<Forecaster, TrainError> {
        self.with_weights(&self.directory.weights(), rows)
    }

    /// The forecaster with the weights of the last epoch.
    pub(crate) fn last_forecaster(&self, rows: &Rows) -> Result<Forecaster, TrainError> {
        let path = self.directory.last_weights();
        if !path.exists() {
            let hint = "train with `train.keep = \"both\"`".to_owned();
            return Err(TrainError::Missing { path, hint });
        }
        self.with_weights(&path, rows)
    }

    fn with_weights(&self, path: &Path, rows: &Rows) -> Result<Forecaster, TrainError> {
        let forecaster = Forecaster::new(&self.config, rows.shape(), rows.device())?;
        load_store(path, forecaster.store())?;
        Ok(forecaster)
    }
}

/// One thread unless told otherwise: small models run best so.
pub(crate) fn set_threads(asked: Option<usize>) -> usize {
    let environment = || std::env::var("OMP_NUM_THREADS").ok()?.parse().ok();
    let threads = asked.or_else(environment).unwrap_or(1).max(1);
    tch::set_num_threads(threads as i32);
    threads
}
