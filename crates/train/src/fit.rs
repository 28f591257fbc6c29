//! The training loop.

use std::io::Write;

use objective::ObjectiveError;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::batch::{Rows, Starts};
use crate::config::{Config, Keep};
use crate::error::TrainError;
use crate::files::{RunDirectory, write_atomically};
use crate::flat::Flat;
use crate::forecaster::{Forecaster, Terms};
use crate::optimizer::AdamW;
use crate::score::window_crps;
use crate::source::Part;

/// One line of `metrics.jsonl`: an epoch. Holds no wall time, so that a repeated run writes the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub step: usize,
    /// Mean over the epoch of what is minimised, nats per window.
    pub loss: f64,
    /// Mean over the epoch of `log p(ỹ | z)`, nats per window.
    pub reconstruction: f64,
    /// Mean over the epoch of the KL term, nats per window, unweighted.
    pub kl: f64,
    /// Weight of the KL term at the end of the epoch.
    pub kl_weight: f64,
    /// Step size of the last step.
    pub learning_rate: f64,
    /// The same loss on clean validation windows.
    pub validation_loss: f64,
    /// Fair CRPS on validation windows, standardized units; what selects the weights, but for
    /// `autoencode`, which the validation loss selects.
    pub validation_crps: f64,
    /// Whether this is the best epoch so far.
    pub best: bool,
}

/// How a training ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Epochs trained.
    pub epochs: usize,
    /// Epoch with the best validation score, whose weights were kept unless the config keeps the last.
    pub best_epoch: usize,
    /// Its validation score.
    pub best_validation: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// Trainable parameters.
    pub parameters: usize,
    /// Where training left the finite numbers, if it did.
    pub diverged: Option<Divergence>,
}

/// Where training left the finite numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimizer steps by then.
    pub step: usize,
    /// The term that was not finite.
    pub what: String,
}

/// What an observer is told while training runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A batch is done: steps of this epoch so far, and in all.
    Step {
        /// Epoch, from 1.
        epoch: usize,
        /// Steps of this epoch that are done.
        done: usize,
        /// Steps of an epoch.
        of: usize,
    },
    /// An epoch is done, with the forecaster as it then is.
    Epoch(&'a Epoch, &'a Forecaster),
}

/// Trains `forecaster` and leaves the weights of the best epoch, or the last where the config says so,
/// in it and in the run directory.
///
/// Training that leaves the finite numbers stops and says so in [`Fitted::diverged`]; the best weights
/// before that are kept.
///
/// # Errors
/// [`TrainError::Write`], or libtorch's own.
pub fn fit(
    config: &Config,
    forecaster: &mut Forecaster,
    rows: &Rows,
    train: &Starts,
    validation: &Starts,
    run: &RunDirectory,
    observe: &mut dyn FnMut(Progress),
) -> Result<Fitted, TrainError> {
    let flat = Flat::new(forecaster.store())?;
    let table = &config.train;
    let mut optimizer = AdamW::new(&flat, table.weight_decay, table.clip_norm);
    let mut metrics = Metrics::create(run)?;
    let mut fitted = Fitted { parameters: flat.len(), ..Fitted::default() };
    let mut best: Option<Tensor> = None;

    for epoch in 1..=table.epochs {
        seed(config.seed, Stream::Epoch(epoch));
        let batches = batches(train, table.batch_size as i64, table.steps_per_epoch)?;
        let (mut sums, mut learning_rate) = (Sums::default(), 0.0);
        for (done, indices) in batches.iter().enumerate() {
            let batch = rows.gather(&train.rows(indices)?)?;
            flat.zero_gradients();
            let terms = forecaster.training_terms(&batch, fitted.steps)?;
            terms.loss.f_backward()?;
            learning_rate = table.learning_rate_at(fitted.steps, table.epochs * batches.len());
            optimizer.step(&flat, learning_rate)?;
            sums.add(&terms, indices.size()[0])?;
            fitted.steps += 1;
            observe(Progress::Step { epoch, done: done + 1, of: batches.len() });
        }
        let mut line = sums.epoch(epoch, fitted.steps, learning_rate)?;
        let held = match validate(config, forecaster, rows, validation, fitted.steps) {
            // Weights that the last step spoiled show first in the samples.
            Err(TrainError::Objective(ObjectiveError::NotFinite { .. })) => None,
            held => Some(held?),
        };
        fitted.diverged = line.divergence(held.is_none());
        let Some(held) = held.filter(|_| fitted.diverged.is_none()) else { break };
        (line.validation_loss, line.validation_crps) = (held.loss, held.crps);
        fitted.epochs = epoch;
        // A model that forecasts nothing is selected by its bound, whatever its KL weight is by now.
        let score = if forecaster.autoencodes() { -held.bound } else { held.crps };
        if best.is_none() || score < fitted.best_validation {
            line.best = true;
            (fitted.best_epoch, fitted.best_validation) = (epoch, score);
            best = Some(flat.parameters().copy());
        }
        if line.best || table.keep == Keep::Last {
            save(forecaster, run)?;
        }
        metrics.append(&line)?;
        observe(Progress::Epoch(&line, forecaster));
        let selects = table.keep == Keep::Best && table.patience > 0;
        if selects && epoch - fitted.best_epoch >= table.patience {
            break;
        }
    }
    if let (Some(best), Keep::Best) = (best, table.keep) {
        no_grad(|| flat.parameters().shallow_clone().f_copy_(&best).map(drop))?;
    }
    Ok(fitted)
}

/// What the generator is used for next. Each use has its own stream, so that, say, another number
/// of validation samples does not change the training.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Initial weights.
    Weights,
    /// Order, noise and latent draws of one epoch.
    Epoch(usize),
    /// Validation samples: the same every epoch, so that epochs are compared on common draws.
    Validation,
    /// Samples of an evaluation.
    Evaluation,
}

/// Seeds torch's generator for one use.
pub(crate) fn seed(seed: u64, stream: Stream) {
    let stream = match stream {
        Stream::Weights => 1,
        Stream::Validation => 2,
        Stream::Evaluation => 3,
        Stream::Epoch(epoch) => 16 + epoch as u64,
    };
    // SplitMix64's finaliser (Steele et al. 2014): neighbouring seeds give unrelated streams.
    let mut mixed = seed.wrapping_add(stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    tch::manual_seed((mixed ^ (mixed >> 31)) as i64);
}

/// The windows of an epoch in random order, cut into batches; the last may be smaller, none is
/// dropped. With `steps > 0` only so many batches, starting over where the windows run out.
fn batches(train: &Starts, size: i64, steps: usize) -> Result<Vec<Tensor>, TrainError> {
    let on = (Kind::Int64, train.device());
    let mut batches = Vec::new();
    loop {
        let order = Tensor::f_randperm(train.count(), on)?;
        batches.extend(order.f_split(size, 0)?);
        if steps == 0 {
            return Ok(batches);
        }
        if batches.len() >= steps {
            batches.truncate(steps);
            return Ok(batches);
        }
    }
}

/// Means over validation windows, clean.
struct Held {
    loss: f64,
    /// `log p(y | z) − KL`, nats per window.
    bound: f64,
    crps: f64,
}

/// Loss, bound and fair CRPS on clean validation windows, in batches; windows in which nothing was
/// observed have no CRPS and do not count for it.
fn validate(
    config: &Config,
    forecaster: &Forecaster,
    rows: &Rows,
    validation: &Starts,
    step: usize,
) -> Result<Held, TrainError> {
    seed(config.seed, Stream::Validation);
    let samples = config.train.validation_samples as i64;
    no_grad(|| {
        let (mut loss, mut bound, mut windows) = (0.0, 0.0, 0.0);
        let (mut crps, mut scored) = (0.0, 0.0);
        let at_once = rows.scored_at_once(samples);
        for indices in validation.evenly(MAX_VALIDATION)?.f_split(at_once, 0)? {
            let batch = rows.gather(&validation.rows(&indices)?)?;
            let count = indices.size()[0] as f64;
            let terms = forecaster.clean_terms(&batch, step)?;
            loss += count * terms.loss.f_double_value(&[])?;
            bound += count * (&terms.reconstruction - &terms.kl).f_double_value(&[])?;
            windows += count;
            let drawn = forecaster.sample(&batch, samples)?;
            let (truth, observed) = forecaster.truth(&batch);
            let scores = Vec::<f64>::try_from(window_crps(&drawn, truth, observed)?)?;
            for score in scores.into_iter().filter(|score| score.is_finite()) {
                crps += score;
                scored += 1.0;
            }
        }
        if scored == 0.0 {
            return Err(TrainError::NothingObserved { part: Part::Validation.name() });
        }
        Ok(Held { loss: loss / windows, bound: bound / windows, crps: crps / scored })
    })
}

/// At most so many validation windows, evenly spaced, are scored each epoch.
const MAX_VALIDATION: i64 = 1024;

fn save(forecaster: &Forecaster, run: &RunDirectory) -> Result<(), TrainError> {
    write_atomically(&run.weights(), |path| {
        forecaster.store().save(path).map_err(std::io::Error::other)
    })
}

/// Sums of the terms over an epoch, on the device.
#[derive(Debug, Default)]
struct Sums {
    /// `[3]`: loss, reconstruction, KL, each times the windows of its batch.
    terms: Option<Tensor>,
    windows: i64,
    kl_weight: f64,
}

impl Sums {
    fn add(&mut self, terms: &Terms, windows: i64) -> Result<(), TrainError> {
        let Terms { loss, reconstruction, kl, kl_weight } = terms;
        let stacked = Tensor::f_stack(&[&loss.detach(), reconstruction, kl], 0)? * windows;
        self.terms = Some(match self.terms.take() {
            Some(sum) => sum + stacked,
            None => stacked,
        });
        self.windows += windows;
        self.kl_weight = *kl_weight;
        Ok(())
    }

    /// The one place of an epoch where the loop waits for the device.
    fn epoch(self, epoch: usize, step: usize, learning_rate: f64) -> Result<Epoch, TrainError> {
        let sums = self.terms.map(Vec::<f32>::try_from).transpose()?.unwrap_or(vec![f32::NAN; 3]);
        let mean = |index: usize| f64::from(sums[index]) / self.windows as f64;
        Ok(Epoch {
            epoch,
            step,
            loss: mean(0),
            reconstruction: mean(1),
            kl: mean(2),
            kl_weight: self.kl_weight,
            learning_rate,
            validation_loss: f64::NAN,
            validation_crps: f64::NAN,
            best: false,
        })
    }
}

impl Epoch {
    fn divergence(&self, no_forecast: bool) -> Option<Divergence> {
        let terms = [("KL", self.kl), ("reconstruction", self.reconstruction), ("loss", self.loss)];
        let term = terms.into_iter().find(|(_, value)| !value.is_finite()).map(|(what, _)| what);
        let what = term.or_else(|| no_forecast.then_some("validation forecast"))?;
        Some(Divergence { epoch: self.epoch, step: self.step, what: what.to_owned() })
    }
}

/// `metrics.jsonl`, one line an epoch as it ends.
struct Metrics {
    path: std::path::PathBuf,
    file: std::fs::File,
}

impl Metrics {
    fn create(run: &RunDirectory) -> Result<Metrics, TrainError> {
        let path = run.metrics();
        let file = std::fs::File::create(&path)
            .map_err(|source| TrainError::Write { path: path.clone(), source })?;
        Ok(Metrics { path, file })
    }

    fn append(&mut self, epoch: &Epoch) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(epoch).expect("an epoch is plain numbers");
        line.push(b'\n');
        let failed = |source| TrainError::Write { path: self.path.clone(), source };
        self.file.write_all(&line).map_err(failed)
    }
}
