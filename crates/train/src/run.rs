//! Run directories: training a config in one, and loading a finished run.

use std::path::Path;
use std::time::Instant;

use baseline::{Baseline, Rule};
use feed::{Batch, DeviceChoice, DevicePanel, Part, Selection, Source, device_name};
use files::Lock;
use record::{
    DataInfo, Divergence, Known, Limits, RecordError, RunDirectory, RunInfo, Status, WindowCounts,
};
use tch::Device;

use crate::checkpoint::Checkpoint;
use crate::choose::{SearchProgress, instance_helps, resolve, search};
use crate::config::{Config, ConfigError, Keep, Noise};
use crate::control::Control;
use crate::error::TrainError;
use crate::fit::{Progress, fit};
use crate::forecaster::Forecaster;
use crate::initialize::{self, Start};
use crate::job::Job;
use crate::memory::need;
use crate::ranks::check_start;
use crate::refit::{Chosen, Goal, refit};
use crate::shape::shape;
use crate::tensors::load_store;
use crate::validate::validation_crps;

/// The device and the threads to compute with, which are not part of the config.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// The device.
    pub device: DeviceChoice,
    /// Number of CPU threads; `None` takes it from the environment (`OMP_NUM_THREADS`), or else one.
    pub threads: Option<usize>,
}

/// Version of the libtorch that this program is built against.
const LIBTORCH: &str = "2.11.0";

/// A progress report of a run.
#[derive(Debug)]
pub enum RunProgress<'a> {
    /// Progress of the search for a noise.
    Search(SearchProgress<'a>),
    /// Progress of the training.
    Fit(Progress<'a>),
    /// A step of the second training, on all rows, is done.
    Refit {
        /// Number of its finished steps.
        done: usize,
        /// Total number of its steps.
        of: usize,
    },
}

/// Reads and prepares the data that a config names.
///
/// # Errors
/// As [`Source::load`].
pub fn load(config: &Config, device: Device) -> Result<Source, TrainError> {
    Ok(Source::load(&config.data, selection(config), device)?)
}

pub(crate) fn selection(config: &Config) -> Selection {
    let Config { train, evaluate, .. } = config;
    Selection { season: evaluate.season, validation_stride: train.validation_stride }
}

/// The config with the length of its training in numbers, after a check that the data have everything it needs.
///
/// # Errors
/// [`TrainError::NoValidation`].
pub(crate) fn resolved(config: &Config, source: &Source) -> Result<Config, TrainError> {
    let train = config.train.resolved(source.windows(Part::Train).count());
    if source.windows(Part::Validation).count() == 0 {
        let missing = |what, remedy| Err(TrainError::NoValidation { what, remedy });
        if config.noise.fixed().is_none() {
            return missing("the noise", "name one, as in `noise = { schedule = \"none\" }`");
        }
        if train.keep != Keep::Last {
            return missing("the best epoch", "keep the last one: `train.keep = \"last\"`");
        }
    }
    Ok(Config { train, ..config.clone() })
}

/// A training that is ready to start or to continue, and holds the lock of its directory.
#[derive(Debug)]
pub struct Training {
    /// With the length of the training in numbers.
    config: Config,
    source: Source,
    /// The rows of a refit, if they were given and are not to be read again.
    panel: Option<data::Panel>,
    directory: RunDirectory,
    threads: usize,
    done: Option<RunInfo>,
    checkpoint: Option<Checkpoint>,
    lock: Lock,
}

/// Reads the data, checks that there is something to train on, and makes the run directory.
///
/// A directory with a finished run of the same config is left as it is, see [`Training::already_done`]. An interrupted
/// run continues from its checkpoint, see [`Training::checkpoint`].
///
/// # Errors
/// [`ConfigError::OtherRun`] if the directory holds a run of another config, [`RecordError::Locked`] if
/// another process trains in it, [`RecordError::Refused`] if its checkpoint is damaged.
pub fn prepare(config: &Config, path: &Path, options: RunOptions) -> Result<Training, TrainError> {
    let source = load(config, options.device.resolve()?)?;
    prepare_source(config, source, path, options)
}

/// As [`prepare`], with rows that were read, with the calendar features of `config`.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_panel(
    config: &Config,
    panel: data::Panel,
    path: &Path,
    options: RunOptions,
) -> Result<Training, TrainError> {
    let device = options.device.resolve()?;
    let source = Source::of_panel(&config.data, selection(config), panel.clone(), device)?;
    let training = prepare_source(config, source, path, options)?;
    Ok(Training { panel: Some(panel), ..training })
}

fn prepare_source(
    config: &Config,
    source: Source,
    path: &Path,
    options: RunOptions,
) -> Result<Training, TrainError> {
    let threads = set_threads(options.threads);
    let directory = RunDirectory::create(path)?;
    let lock = directory.lock()?;
    let asked = config.to_toml()?;
    if directory.begun() && is_of_another(config, &directory)? {
        return Err(ConfigError::OtherRun { path: path.to_owned() }.into());
    }
    let info = directory.info().exists().then(|| directory.read_info()).transpose()?;
    let refits = config.train.refit && config.model.kind != vae::ModelKind::Autoencode;
    let whole = |info: &RunInfo| {
        let refitted = match &info.refit {
            Some(refit) => refit.diverged.is_some() || directory.refit_weights().exists(),
            None => !refits,
        };
        info.status == Status::Done
            && info.data.fingerprint == source.fingerprint()
            && directory.weights().exists()
            && refitted
            && (config.noise.fixed().is_some() || directory.noise().exists())
    };
    let done = info.filter(whole);
    let mut checkpoint = None;
    let resolved = resolved(config, &source)?;
    if done.is_none() {
        checkpoint = Checkpoint::read(&directory.checkpoint(), source.fingerprint())?;
        // A run may be continued from its own `config.toml`, which is not what was asked for.
        if !directory.begun() || !directory.asked().exists() {
            directory.write_asked(&asked)?;
            directory.write_config(&asked)?;
        }
    }
    let config = resolved;
    Ok(Training { config, source, panel: None, directory, threads, done, checkpoint, lock })
}

/// Whether the directory has a different config: one that is neither what was asked for nor, with what was chosen, its
/// `config.toml`. A key that one of the two leaves out has its default, and a run may be refitted later.
pub(crate) fn is_of_another(config: &Config, directory: &RunDirectory) -> Result<bool, TrainError> {
    if !directory.config().exists() {
        return Ok(false);
    }
    let parsed = |text: &str| {
        let mut config = Config::parse(text, "a config of the run", &[]).ok()?;
        config.train.refit = false;
        Some(config)
    };
    // Our config goes through text too, so that both have the same form.
    let ours = parsed(&config.to_toml()?);
    let same = |text: &str| ours.is_some() && parsed(text) == ours;
    let asked = directory.read_asked()?;
    Ok(!same(&directory.read_config()?) && !asked.is_some_and(|asked| same(&asked)))
}

impl Training {
    /// The run, if this directory holds a finished one of this config.
    pub fn already_done(&self) -> Option<&RunInfo> {
        self.done.as_ref()
    }

    /// The checkpoint that training continues from, if it was interrupted before.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Number of CPU threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The number of CPU threads that trained up to the checkpoint, if it is another one.
    pub fn other_threads(&self) -> Option<usize> {
        self.checkpoint.as_ref()?.threads().filter(|before| *before != self.threads)
    }

    /// The data.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The config, with the length of the training in numbers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A summary in two lines of the training to come.
    pub fn summary(&self) -> String {
        describe(&self.config, &self.source, self.threads)
    }

    /// Trains, and leaves a finished run directory.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`], [`TrainError::InterruptedSearch`], [`TrainError::Diverged`],
    /// [`TrainError::Record`], or an error of libtorch.
    pub fn run(
        self,
        control: &Control,
        observe: &mut dyn FnMut(RunProgress),
    ) -> Result<RunInfo, TrainError> {
        let started = Instant::now();
        let Training { mut config, source, panel, directory, threads, checkpoint, lock, .. } = self;
        let _span = tracing::info_span!("run", directory = %directory.path().display()).entered();
        let before = checkpoint.as_ref().map_or(0.0, Checkpoint::seconds);
        check_start(control, &config, &source, checkpoint.as_ref().map(Checkpoint::step))?;
        need(&config, &source)?;
        // An unfinished run has no run.json.
        directory.remove_results()?;
        let chooses = config.train.choose_instance_norm;
        let instance_norm = if chooses { instance_helps(&config, &source)? } else { None };
        if let Some(on) = instance_norm {
            config.model.instance_norm = on;
            config.train.choose_instance_norm = false;
        }
        directory.write_config(&config.to_toml()?)?;
        let search = match config.noise {
            Noise::Fixed(_) => None,
            Noise::Auto(auto) => {
                let mut report = |progress: SearchProgress| observe(RunProgress::Search(progress));
                Some(search(&config, &source, auto, &directory, control, &mut report)?)
            }
        };
        if let Some(search) = &search {
            config = resolve(search, &config, &directory)?;
        }
        let device = source.panel().device();
        let Start { mut forecaster, strength, limits } = initialize::start(&config, &source, None)?;
        let naive_crps = naive_crps(&config, &source, &forecaster)?;
        let job = Job { config: &config, source: &source, naive_crps, run: &directory };
        let mut report = |progress: Progress| observe(RunProgress::Fit(progress));
        let fitted = fit(&job, &mut forecaster, checkpoint, control, &mut report)?;
        let refits = config.train.refit && !forecaster.autoencodes() && fitted.diverged.is_none();
        drop(forecaster);
        let refit = match refits {
            false => None,
            true => {
                let panel = match panel {
                    Some(panel) => panel,
                    None => data::read(&config.data, Path::new(""))?,
                };
                let whole = Source::whole(&config.data, selection(&config), panel, device)?;
                let [part, all] =
                    [&source, &whole].map(|source| source.windows(Part::Train).count());
                let goal = Goal::new(&config, &fitted, part, all);
                let chosen = Chosen { config: &config, strength, goal };
                let of = goal.steps;
                let mut step = |done| observe(RunProgress::Refit { done, of });
                Some(refit(&chosen, &whole, &directory, control, &mut step)?)
            }
        };
        let info = RunInfo {
            version: RunInfo::VERSION,
            status: if fitted.diverged.is_some() { Status::Diverged } else { Status::Done },
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
            limits: Some(limits),
            refit,
            checksums: directory.checksums()?,
            updates: Vec::new(),
        };
        let saved = directory.weights().exists();
        if saved {
            directory.write_known(&Known::new(source.known_rows().to_vec()))?;
            directory.write_info(&info)?;
            directory.remove_refit()?;
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

/// The description of the data in `run.json`.
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
        "{name}: {rows} rows, {series} series, {} {}; windows {} → {}: {} train, {} validation, {} test\n\
         {:?} with {:?} backbone, noise {}; device {}, {}, {} threads, seed {}",
        channels.len(),
        if channels.len() == 1 { "channel" } else { "channels" },
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

/// The validation CRPS of seasonal naive, or of the last value if no season fits in the context, which is the reference
/// for the skill. `None` if the model makes no forecasts, or if gaps leave nothing to fit.
pub(crate) fn naive_crps(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
) -> Result<Option<f64>, TrainError> {
    if forecaster.autoencodes() || source.windows(Part::Validation).count() == 0 {
        return Ok(None);
    }
    let mut fitted = Baseline::fit_all(source, &[Rule::naive(source)], config.seed)?;
    let Some((_, Some(baseline))) = fitted.pop() else { return Ok(None) };
    let samples = config.train.validation_samples as i64;
    let mut draw = |batch: &Batch| Ok(baseline.sample(batch, samples)?);
    validation_crps(config, source, forecaster, &mut draw)
}

/// A finished run that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The directory of the run.
    pub directory: RunDirectory,
    /// The config that the run was started with.
    pub asked: Config,
    /// The same config with the noise, the instance normalization and the length of the training that were chosen.
    pub config: Config,
    /// The record in `run.json`.
    pub info: RunInfo,
}

impl Loaded {
    /// Reads the finished run in the directory `path`.
    ///
    /// # Errors
    /// [`TrainError::Config`] or [`TrainError::Record`] if a file is missing or invalid.
    pub fn open(path: &Path) -> Result<Loaded, TrainError> {
        let directory = RunDirectory::open(path)?;
        let file = directory.config();
        let text = directory.read_config()?;
        let written = Config::parse(&text, &file.display().to_string(), &[])?;
        let asked = match directory.read_asked()? {
            Some(text) => Config::parse(&text, &directory.asked().display().to_string(), &[])?,
            None => written.clone(),
        };
        let info = directory.read_info()?;
        let mut config = match (&written.noise, directory.read_search()?) {
            (Noise::Fixed(_), _) => written,
            (Noise::Auto(_), Some(search)) => resolve(&search, &written, &directory)?,
            (Noise::Auto(_), None) => {
                let hint = format!("train again: `ballast train --run {}`", path.display());
                return Err(RecordError::Missing { path: directory.noise(), hint }.into());
            }
        };
        if let Some(on) = info.instance_norm {
            config.model.instance_norm = on;
        }
        Ok(Loaded { directory, asked, config, info })
    }

    /// Checks that `source` holds the data that the run was trained on.
    ///
    /// # Errors
    /// [`TrainError::Record`] if it does not.
    pub fn check_data(&self, source: &Source) -> Result<(), TrainError> {
        if source.fingerprint() == self.info.data.fingerprint {
            return Ok(());
        }
        Err(RecordError::Refused {
            path: self.directory.path().to_owned(),
            reason: format!("{} is not the data it was trained on", source.name()),
            hint: "train again on the new data, or restore the old file".to_owned(),
        }
        .into())
    }

    /// The forecaster with the weights of the run that have seen the training rows alone.
    ///
    /// # Errors
    /// [`TrainError::Record`] if the weights do not fit the config.
    pub fn forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        self.with_weights(&self.directory.weights(), self.info.limits.as_ref(), panel)
    }

    /// The forecaster with the weights of the last epoch.
    ///
    /// # Errors
    /// [`TrainError::Record`] if the run did not keep them.
    pub fn last_forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        let path = self.directory.last_weights();
        if !path.exists() {
            let hint = "train with `train.keep = \"both\"`".to_owned();
            return Err(RecordError::Missing { path, hint }.into());
        }
        self.with_weights(&path, self.info.limits.as_ref(), panel)
    }

    /// The forecaster with the weights in `path`; runs of earlier versions have no limits.
    pub(crate) fn with_weights(
        &self,
        path: &Path,
        limits: Option<&Limits>,
        panel: &DevicePanel,
    ) -> Result<Forecaster, TrainError> {
        let forecaster = Forecaster::new(&self.config, shape(panel), panel.device())?;
        let expected = self.info.checksums.get(&self.directory.name(path));
        load_store(path, expected.map(String::as_str), forecaster.store())?;
        match limits {
            Some(limits)
                if limits.low.len() as i64 != panel.columns().targets
                    || limits.high.len() != limits.low.len() =>
            {
                let (path, reason) =
                    (self.directory.info(), "its limits are not those of its channels".to_owned());
                let hint = "the file was altered or damaged; restore a copy of it".to_owned();
                Err(RecordError::Refused { path, reason, hint }.into())
            }
            Some(limits) => forecaster.with_limits(limits),
            None => Ok(forecaster),
        }
    }
}

/// Sets the number of CPU threads and returns it: `asked` if given, otherwise `OMP_NUM_THREADS`, otherwise one, which
/// is best for small models.
pub fn set_threads(asked: Option<usize>) -> usize {
    let environment = || std::env::var("OMP_NUM_THREADS").ok()?.parse().ok();
    let threads = asked.or_else(environment).unwrap_or(1).max(1);
    tch::set_num_threads(threads as i32);
    threads
}
