//! The training loop.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::batch::{Rows, Starts};
use crate::checkpoint::{Checkpoint, save};
use crate::config::{Config, Keep};
use crate::control::Control;
use crate::copula;
use crate::diagnose::diagnose;
use crate::error::TrainError;
use crate::files::RunDirectory;
use crate::forecaster::Forecaster;
use crate::metrics::{Epoch, Means, Metrics};
use crate::search::NoiseSearch;
use crate::state::{Position, State};
use crate::tensorboard::Board;
use crate::tensors::save_store;
use crate::validate::{Held, validate};

/// What is trained on, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The whole config.
    pub config: &'a Config,
    /// All rows.
    pub rows: &'a Rows,
    /// Windows to train on.
    pub train: &'a Starts,
    /// Windows to select on.
    pub validation: &'a Starts,
    /// Names of the channels, for messages.
    pub channels: &'a [String],
    /// SHA-256 of the data: a checkpoint belongs to it.
    pub fingerprint: &'a str,
    /// Validation CRPS of seasonal naive, to which the skill is relative.
    pub naive_crps: Option<f64>,
    /// Where to write.
    pub run: &'a RunDirectory,
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
    /// Steps that were left out since loss or gradient was not finite.
    pub skipped: usize,
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
    /// The first optimizer step of those that were not finite, from 1.
    pub step: usize,
    /// The term that was not finite, and the channel where it is that of one.
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
        /// Windows of the batch.
        windows: usize,
    },
    /// An epoch is done, with the forecaster as it then is.
    Epoch(&'a Epoch, &'a Forecaster),
    /// A step of a search for a noise is done: steps so far, and in all.
    Search {
        /// Steps of the search that are done.
        done: usize,
        /// Steps of all its trainings.
        of: usize,
    },
    /// The last training of a search so far is done.
    Trial(&'a NoiseSearch),
    /// The noise is chosen.
    Noise(&'a NoiseSearch),
}

/// After so many steps the loop reads what they left, and so waits for the device.
const LOOKS_EVERY: usize = 32;

/// Trains `forecaster`, from `checkpoint` on if there is one, and leaves the weights of the best epoch,
/// or the last where the config says so, in it and in the run directory.
///
/// Training that leaves the finite numbers stops and says so in [`Fitted::diverged`]; the best weights
/// before that are kept.
///
/// # Errors
/// [`TrainError::Interrupted`] where `control` stopped it, its checkpoint saved; [`TrainError::Write`],
/// or libtorch's own.
pub fn fit(
    job: &Job,
    forecaster: &mut Forecaster,
    checkpoint: Option<Checkpoint>,
    control: &Control,
    observe: &mut dyn FnMut(Progress),
) -> Result<Fitted, TrainError> {
    let Job { config, rows, train, run, .. } = *job;
    let table = &config.train;
    let mut state = State::new(config, forecaster)?;
    let mut resumed = checkpoint.map(|checkpoint| checkpoint.restore(&mut state)).transpose()?;
    let mut keeper = Keeper::new(job, control, &state);
    let mut metrics = Metrics::create(run, &state.history)?;
    let done = state.history.last().map_or(0, |line| line.step);
    let mut board = control.events().then(|| Board::open(job, done)).transpose()?;
    let mut diverged = None;

    while diverged.is_none() && state.goes_on(table) {
        let epoch = state.position.epochs + 1;
        let _span = tracing::info_span!("epoch", epoch).entered();
        seed(config.seed, Stream::Epoch(epoch));
        let batches = batches(train, table.batch_size as i64, table.steps_per_epoch)?;
        if let Some(resumed) = resumed.take() {
            resumed.wake(config.seed, &state, batches.len())?;
        }
        for indices in batches.iter().skip(state.position.done) {
            let _span = tracing::trace_span!("step", step = state.position.step).entered();
            let batch = rows.gather(&train.rows(indices)?)?;
            state.flat.zero_gradients();
            let terms = forecaster.training_terms(&batch, state.position.step)?;
            terms.loss.f_backward()?;
            let rate = table.learning_rate_at(state.position.step, batches.len());
            let windows = indices.size()[0];
            state.step(&terms, rate, windows)?;
            let (done, of, windows) = (state.position.done, batches.len(), windows as usize);
            observe(Progress::Step { epoch, done, of, windows });
            keeper.after_step(&mut state)?;
            // At fixed steps, so that when something was saved does not decide.
            if state.position.step.is_multiple_of(LOOKS_EVERY) && state.is_stuck()? {
                break;
            }
        }
        if state.is_stuck()? {
            diverged = Some(diagnosis(job, forecaster, &state, &batches)?);
            break;
        }
        let own = state.lend_average()?;
        match validate(job, forecaster, state.position.step)? {
            Some(held) => {
                let line = end_epoch(job, forecaster, &mut state, &held, batches.len());
                metrics.append(&line)?;
                if let Some(board) = &mut board {
                    board.epoch(job, forecaster, &line, &held)?;
                }
                observe(Progress::Epoch(&line, forecaster));
            }
            None => {
                let (step, what) = (state.position.step, "validation forecast".to_owned());
                diverged = Some(Divergence { epoch, step, what });
            }
        }
        state.take_back(own)?;
        if diverged.is_none() && state.goes_on(table) {
            keeper.after_step(&mut state)?;
        }
    }
    finish(job, forecaster, &mut state, &mut keeper, diverged)
}

/// Closes the epoch under way and makes its line.
fn end_epoch(
    job: &Job,
    forecaster: &Forecaster,
    state: &mut State,
    held: &Held,
    per_epoch: usize,
) -> Epoch {
    let Means { loss, reconstruction, kl, skipped } = state.tally.means();
    let last = state.position.step.saturating_sub(1);
    // A model that forecasts nothing is selected by its bound, whatever its KL weight is by now.
    let score = if forecaster.autoencodes() { -held.bound } else { held.crps };
    let mut line = Epoch {
        epoch: state.position.epochs + 1,
        step: state.position.step,
        loss,
        reconstruction,
        kl,
        kl_weight: forecaster.kl_weight(last),
        learning_rate: job.config.train.learning_rate_at(last, per_epoch),
        skipped,
        active_units: held.active_units.clone(),
        validation_loss: held.loss,
        train_crps: held.train_crps,
        validation_crps: held.crps,
        skill: job.naive_crps.map(|naive| 100.0 * (1.0 - held.crps / naive)),
        best: false,
    };
    state.end_epoch(&mut line, score);
    line
}

/// What was not finite, and from which step on; `state` has the weights that those steps did not change.
fn diagnosis(
    job: &Job,
    forecaster: &Forecaster,
    state: &State,
    batches: &[Tensor],
) -> Result<Divergence, TrainError> {
    let last = &batches[state.position.done - 1];
    let batch = job.rows.gather(&job.train.rows(last)?)?;
    let culprit = diagnose(forecaster, &batch, state.flat.gradients())?;
    let channel = culprit.channel.and_then(|channel| job.channels.get(channel));
    let what = match channel {
        Some(channel) => format!("{} of channel `{channel}`", culprit.term),
        None => culprit.term.to_owned(),
    };
    let step = state.tally.worst().first;
    Ok(Divergence { epoch: state.position.epochs + 1, step, what })
}

/// Leaves the weights to keep in the forecaster and in the run directory.
fn finish(
    job: &Job,
    forecaster: &Forecaster,
    state: &mut State,
    keeper: &mut Keeper,
    diverged: Option<Divergence>,
) -> Result<Fitted, TrainError> {
    if diverged.is_none() {
        state.tally.settle()?;
        keeper.save(state)?;
    }
    let keep = job.config.train.keep;
    if keep == Keep::Both && diverged.is_none() {
        state.set_weights(&state.weights().copy())?;
        copula::fit(job.config.seed, job.rows, job.train, forecaster)?;
        save_store(&job.run.last_weights(), forecaster.store())?;
    }
    let keeps_last = keep == Keep::Last && diverged.is_none();
    let kept = if keeps_last { Some(state.weights()) } else { state.best.as_ref() };
    if let Some(kept) = kept {
        state.set_weights(&kept.copy())?;
        copula::fit(job.config.seed, job.rows, job.train, forecaster)?;
        save_store(&job.run.weights(), forecaster.store())?;
    }
    let Position { epochs, best_epoch, best_score, step, skipped, .. } = state.position;
    Ok(Fitted {
        epochs,
        best_epoch,
        best_validation: best_score,
        steps: step,
        skipped: skipped + state.tally.means().skipped,
        parameters: state.flat.len(),
        diverged,
    })
}

/// Saves where it is time to.
struct Keeper<'a> {
    job: &'a Job<'a>,
    control: &'a Control,
    /// Seconds of training before this start.
    before: f64,
    started: Instant,
    saved: Instant,
}

impl<'a> Keeper<'a> {
    fn new(job: &'a Job<'a>, control: &'a Control, state: &State) -> Keeper<'a> {
        let now = Instant::now();
        Keeper { job, control, before: state.position.seconds, started: now, saved: now }
    }

    fn after_step(&mut self, state: &mut State) -> Result<(), TrainError> {
        let stops = self.control.stops();
        if stops || self.control.save_is_due(self.saved) {
            self.save(state)?;
        }
        let Position { epochs, step, .. } = state.position;
        if stops { Err(TrainError::Interrupted { epoch: epochs + 1, step }) } else { Ok(()) }
    }

    fn save(&mut self, state: &mut State) -> Result<(), TrainError> {
        state.position.seconds = self.before + self.started.elapsed().as_secs_f64();
        save(&self.job.run.checkpoint(), state, self.job.fingerprint)?;
        tracing::debug!(step = state.position.step, "saved");
        self.saved = Instant::now();
        Ok(())
    }
}

/// What the generator is used for next. Each use has its own stream, so that, say, another number
/// of validation samples does not change the training.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Initial weights.
    Weights,
    /// Order, noise and latent draws of one epoch.
    Epoch(usize),
    /// The rest of an epoch from a step on, on a device that cannot go on with the generator of another.
    Step(usize),
    /// Validation samples: the same every epoch, so that epochs are compared on common draws.
    Validation,
    /// Samples of an evaluation.
    Evaluation,
    /// Noise of the windows that features are read from.
    Features,
}

/// Seeds torch's generator for one use.
pub(crate) fn seed(seed: u64, stream: Stream) {
    let stream = match stream {
        Stream::Weights => 1,
        Stream::Validation => 2,
        Stream::Evaluation => 3,
        Stream::Features => 4,
        Stream::Epoch(epoch) => 16 + epoch as u64,
        Stream::Step(step) => (1 << 40) + step as u64,
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
