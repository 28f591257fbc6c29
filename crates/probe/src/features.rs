//! Features of a trained model over the diffusion steps: the content of `features.json`.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use feed::{Columns, Part, Source, Stream, WindowSet, seed};
use noise::{NoiseConfig, NoiseError, Reinjection};
use record::{Feature, Features, ProcessOrigin, StepFeatures, WindowCounts};
use stats::Pairing;
use tch::{Device, Kind, Tensor, no_grad};
use train::{Config, Forecaster, Loaded, Noise, RunOptions, TrainError, load, set_threads};
use vae::{GroupHealth, ModelKind};

use crate::information::{self, Gaussians, possible};
use crate::linear::{self, Parts, Reader};
use crate::windows::{NoisedWindows, Process, sees_context_alone};

/// Diffusion steps and noise of a measurement.
#[derive(Debug, Clone)]
pub struct FeaturesOptions {
    /// Number of diffusion steps to measure, evenly spaced from the first to the last; at least 2, at most all.
    pub steps: usize,
    /// TOML file with the `[noise]` table to use instead of the run's own, so that several runs read the same
    /// inputs; see [`Noise::load`].
    pub process: Option<PathBuf>,
}

impl Default for FeaturesOptions {
    fn default() -> Self {
        FeaturesOptions { steps: 11, process: None }
    }
}

/// Measures a finished run, and writes `features.json` into it.
///
/// # Errors
/// If the run is damaged, or its data changed since the training; [`TrainError::TooFewWindows`];
/// [`TrainError::Config`] if the process cannot be read.
pub fn features_run(
    path: &Path,
    options: RunOptions,
    asked: &FeaturesOptions,
) -> Result<(Features, PathBuf), TrainError> {
    let device = options.device.resolve()?;
    set_threads(options.threads);
    let run = Loaded::open(path)?;
    let process = match &asked.process {
        Some(file) => Some(decided(&Noise::load(file)?)?),
        None => None,
    };
    let source = load(&run.config, device)?;
    run.check_data(&source)?;
    let forecaster = run.forecaster(source.panel())?;
    let features = features(&source, &run.config, &forecaster, process, asked.steps)?;
    run.directory.write_features(&features)?;
    Ok((features, run.directory.features()))
}

fn decided(noise: &Noise) -> Result<NoiseConfig, TrainError> {
    noise.fixed().cloned().ok_or(TrainError::NoiseUndecided)
}

/// Fails for noise of another shape than white, whose effect on a window depends on the other windows.
fn check_shape(noise: &NoiseConfig) -> Result<(), TrainError> {
    if !noise.shape().is_coherent() {
        return Ok(());
    }
    Err(NoiseError::Contradiction {
        key: "noise.shape",
        value: format!("\"{}\"", noise.shape()),
        with: "the measurement of features".to_owned(),
        remedy: "measure with white noise: give `--process` a file whose `[noise]` table has no `shape`",
    }
    .into())
}

/// Measures a forecaster that was trained on the training part of `source`. The noise is `process` if given, else the
/// noise of `config`.
///
/// # Errors
/// [`TrainError::TooFewWindows`]; [`TrainError::NoiseUndecided`] if the noise of `config` is still to be chosen.
pub fn features(
    source: &Source,
    config: &Config,
    forecaster: &Forecaster,
    process: Option<NoiseConfig>,
    steps: usize,
) -> Result<Features, TrainError> {
    no_grad(|| {
        let noise = if process.is_some() { ProcessOrigin::File } else { ProcessOrigin::Own };
        let process = match process {
            Some(process) => process,
            None => decided(&config.noise)?,
        };
        check_shape(&process)?;
        seed(config.seed, Stream::Features);
        let study = Study::new(source, forecaster, &process)?;
        let steps = evenly(process.steps(), steps);
        let steps = steps.into_iter().map(|t| study.step(process.input(), t));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let has_posterior = sees_context_alone(forecaster);
        let reason = "mutual information: the posterior sees the target, not the context alone";
        let [train, validation, test] = [&study.train, &study.validation, &study.test];
        let count = |windows: &NoisedWindows| windows.count() as i64;
        Ok(Features {
            version: Features::VERSION,
            kind: name(config.model.kind),
            feature: if has_posterior { Feature::PosteriorMean } else { Feature::PriorMean },
            dimensions: (forecaster.model().groups() * forecaster.model().latent_dims()) as usize,
            seed: config.seed,
            noise,
            steps,
            windows: WindowCounts {
                train: count(train),
                validation: count(validation),
                test: count(test),
            },
            left_out: if has_posterior { Vec::new() } else { vec![reason.to_owned()] },
            process: serde_json::to_value(process).expect("a noise is plain data"),
        })
    })
}

/// The name of a kind of model in configs.
fn name(kind: ModelKind) -> String {
    let name = serde_json::to_value(kind).expect("a kind is a word");
    name.as_str().unwrap_or_default().to_owned()
}

/// `count` steps from 0 to `last`, evenly spaced and rounded to whole numbers.
fn evenly(last: usize, count: usize) -> Vec<usize> {
    let gaps = count.clamp(2, last.max(1) + 1) - 1;
    let mut steps: Vec<usize> = (0..=gaps).map(|k| (k * last + gaps / 2) / gaps).collect();
    steps.dedup();
    steps
}

/// Maximum values of training windows to fit on.
const MAX_TRAIN_VALUES: i64 = 8 << 20;
/// Maximum training windows to fit on.
const MAX_TRAIN: i64 = 4096;
/// Maximum validation windows, which choose the penalty.
const MAX_VALIDATION: i64 = 512;
/// Maximum test windows to score.
const MAX_TEST: i64 = 1024;
/// Further draws of noise per test window, which separate the effect of noise on a posterior from that of the window.
const DRAWS: usize = 8;
/// Minimum windows of each part: three to fit on, one to choose the penalty, three to estimate an error.
const LEAST: [(Part, usize); 3] = [(Part::Train, 3), (Part::Validation, 1), (Part::Test, 3)];

/// Everything that is the same at all steps.
struct Study<'a> {
    forecaster: &'a Forecaster,
    process: Process,
    train: NoisedWindows,
    validation: NoisedWindows,
    test: NoisedWindows,
    futures: Parts,
    contexts: Parts,
    /// Dependence of the errors over futures, and of those over contexts, which overlap for longer.
    pairings: [Pairing; 2],
    /// Standard normal, `[N, D]`: one draw of `z` per test window.
    draw: Tensor,
}

impl<'a> Study<'a> {
    fn new(
        source: &Source,
        forecaster: &'a Forecaster,
        process: &NoiseConfig,
    ) -> Result<Study<'a>, TrainError> {
        let panel = source.panel();
        let Columns { context, horizon, targets, .. } = panel.columns();
        let values = (context + horizon) * targets;
        let fitted = (MAX_TRAIN_VALUES / values).clamp(200, MAX_TRAIN);
        let draws = if sees_context_alone(forecaster) { DRAWS } else { 0 };
        // A held-out window starts at every row, because a protocol with few windows leaves little to measure on.
        let held_out = |part| source.windows_every(part, 1);
        let gather =
            |windows: WindowSet, draws| NoisedWindows::gather(forecaster, panel, &windows, draws);
        let train = gather(source.windows(Part::Train).at_most(fitted), 0)?;
        let validation = held_out(Part::Validation)?.at_most(MAX_VALIDATION.min(fitted));
        let validation = gather(validation, 0)?;
        let test = gather(held_out(Part::Test)?.at_most(MAX_TEST.min(fitted)), draws)?;
        for ((part, least), windows) in LEAST.into_iter().zip([&train, &validation, &test]) {
            if windows.count() < least {
                let (part, found) = (part.name(), windows.count());
                return Err(TrainError::TooFewWindows { part, found, least });
            }
        }
        let [(y, x), (y_held, x_held), (y_test, x_test)] =
            [train.truth()?, validation.truth()?, test.truth()?];
        let dims = forecaster.model().latent_dims();
        let over = |rows: i64| source.pairing_of(&test.first_rows, 1, rows as usize);
        Ok(Study {
            pairings: [over(horizon)?, over(context)?],
            draw: Tensor::f_randn([test.count() as i64, dims], (Kind::Double, Device::Cpu))?,
            forecaster,
            process: Process::new(process, panel.device())?,
            train,
            validation,
            test,
            futures: Parts { train: y, validation: y_held, test: y_test },
            contexts: Parts { train: x, validation: x_held, test: x_test },
        })
    }

    fn step(&self, process: &Reinjection, t: usize) -> Result<StepFeatures, TrainError> {
        let _span = tracing::debug_span!("features", t).entered();
        let encode = |windows: &NoisedWindows| windows.encode(self.forecaster, &self.process, t);
        let [train, validation, test] =
            [encode(&self.train)?, encode(&self.validation)?, encode(&self.test)?];
        let features = Reader::new(&Parts {
            train: train.features,
            validation: validation.features,
            test: test.features,
        })?;
        let raw =
            Reader::new(&Parts { train: train.raw, validation: validation.raw, test: test.raw })?;
        let (health, posterior) = self.test.latents(self.forecaster, &self.process, t)?;
        let information = match &posterior {
            Some(posterior) => {
                Some(self.mutual_information(posterior, process.std()[t] > 0.0, t)?)
            }
            None => None,
        };
        let [of_future, of_context] = &self.pairings;
        let (probe_future, each) = features.probe(&self.futures, of_future)?;
        Ok(StepFeatures {
            t,
            alpha_bar_equivalent: process.equivalent_alpha_bar()[t],
            snr_db: process.snr_db().nth(t).filter(|decibels| decibels.is_finite()),
            probe_future,
            probe_context: features.probe(&self.contexts, of_context)?.0,
            raw_future: raw.probe(&self.futures, of_future)?.0,
            raw_context: raw.probe(&self.contexts, of_context)?.0,
            probe_information: linear::information(&each),
            mutual_information: information.map(|[clean, _]| clean.nats),
            mutual_information_error: information.map(|[clean, _]| clean.error),
            mutual_information_noised: information.map(|[_, noised]| noised.nats),
            mutual_information_limit: information.map(|_| (self.test.count() as f64).ln()),
            possible_information: possible(process.snr()[t]),
            kl: health.kl(),
            active_units: health.groups.iter().map(GroupHealth::active_units).collect(),
            kl_per_dim: health.groups.into_iter().map(|group| group.kl_per_dim).collect(),
        })
    }

    /// Information about the clean window, and about the noised window.
    fn mutual_information(
        &self,
        posterior: &Gaussians,
        noisy: bool,
        t: usize,
    ) -> Result<[information::Nats; 2], TrainError> {
        let z = posterior.draw(&self.draw)?;
        let noised = posterior.information(&z)?;
        if !noisy {
            return Ok([noised, noised]);
        }
        let others = self.test.other_posteriors(self.forecaster, &self.process, t)?;
        Ok([Gaussians::over_noise(&others)?.information(&z)?, noised])
    }
}
