//! The training loop.

use std::time::Instant;

use feed::{Part, Stream, WindowSet, seed};
use record::{Divergence, Epoch, Fitted};
use tch::{Kind, Tensor};

use crate::checkpoint::{Checkpoint, Extent, save};
use crate::config::{Config, Keep};
use crate::control::Control;
use crate::copula;
use crate::diagnose::diagnose;
use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::job::Job;
use crate::metrics::{Means, SYNC_EVERY};
use crate::ranks::{Wishes, begin_together, check_weights, gradient};
use crate::state::{Position, State};
use crate::tensorboard::Board;
use crate::tensors::save_store;
use crate::validate::{Held, validate};

/// A progress report of a training.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step is done.
    Step {
        /// Epoch, from 1.
        epoch: usize,
        /// Number of finished steps of the epoch.
        done: usize,
        /// Number of steps per epoch.
        of: usize,
        /// Number of windows in the batch.
        windows: usize,
    },
    /// A validation is done; the forecaster has the weights that were validated. Those before the end of the first
    /// epoch have the number 0.
    Epoch(&'a Epoch, &'a Forecaster),
}

/// Trains `forecaster`, continuing from `checkpoint` if there is one. The weights with the best validation score, or
/// the last ones if the config says so, end up in `forecaster` and in the run directory.
///
/// With `train.validate_early` the initial weights and some of the first epoch are candidates too, and the best epoch
/// may be 0. These validations have no effect on the steps.
///
/// A training that diverges to numbers that are not finite stops and sets [`Fitted::diverged`]; the best weights before
/// that are kept.
///
/// # Errors
/// [`TrainError::Interrupted`] if `control` stopped the training, whose checkpoint is then saved;
/// [`TrainError::Record`]; or an error of libtorch.
pub fn fit(
    job: &Job,
    forecaster: &mut Forecaster,
    checkpoint: Option<Checkpoint>,
    control: &Control,
    observe: &mut dyn FnMut(Progress),
) -> Result<Fitted, TrainError> {
    let train = job.source.windows(Part::Train);
    let table = &job.config.train.resolved(train.count());
    let config = &Config { train: table.clone(), ..job.config.clone() };
    let job = &Job { config, ..*job };
    let Job { source, run, .. } = *job;
    let mut state = State::new(config, forecaster)?;
    let per_epoch = table.steps_of_epoch(train.count());
    let extent = Extent { per_epoch, steps: table.epochs * per_epoch };
    let resumed = checkpoint.map(|checkpoint| checkpoint.restore(&mut state, extent));
    let mut resumed = resumed.transpose()?;
    let mut checkpointer = Checkpointer::new(job, control, &state);
    run.write_epochs(&state.history)?;
    let done = state.history.last().map(|line| line.step);
    let board = control.events().then(|| Board::open(job, done)).transpose()?;
    let mut watch = Watch { job, control, board, observe };
    let mut diverged = None;
    begin_together(control, &state)?;
    if table.validate_early && state.position.step == 0 {
        let seen = watch.look(forecaster, &mut state, per_epoch);
        seen.or_else(|error| checkpointer.stopped(error, &mut state))?;
    }

    while diverged.is_none() && state.goes_on(table) {
        let epoch = state.position.epochs + 1;
        let _span = tracing::info_span!("epoch", epoch).entered();
        seed(config.seed, Stream::Epoch(epoch));
        let batches = batches(train, table.batch_size as i64, table.steps_per_epoch)?;
        if let Some(resumed) = resumed.take() {
            resumed.restore_generator(config.seed, &state, batches.len())?;
        }
        let early = if epoch == 1 { table.early_steps(batches.len()) } else { Vec::new() };
        // A training that was interrupted there has still to validate.
        if early.contains(&state.position.done) && !state.validated() {
            let seen = watch.look(forecaster, &mut state, per_epoch);
            seen.or_else(|error| checkpointer.stopped(error, &mut state))?;
        }
        for indices in batches.iter().skip(state.position.done) {
            let _span = tracing::trace_span!("step", step = state.position.step).entered();
            let batch = source.panel().gather(&train.first_rows_of(indices)?)?;
            let (place, wishes) = (state.position.step, checkpointer.wishes());
            let (terms, agreed) = gradient(forecaster, &mut state, &batch, place, control, wishes)?;
            let rate = table.learning_rate_at(state.position.step, batches.len());
            let windows = indices.size()[0];
            state.step(&terms, rate, windows)?;
            let (done, of, windows) = (state.position.done, batches.len(), windows as usize);
            (watch.observe)(Progress::Step { epoch, done, of, windows });
            if early.contains(&done) {
                let seen = watch.look(forecaster, &mut state, of);
                seen.or_else(|error| checkpointer.stopped(error, &mut state))?;
            }
            checkpointer.save_if_due(&mut state, agreed)?;
            // The check comes at fixed steps, so that it does not depend on when checkpoints are saved.
            if state.position.step.is_multiple_of(SYNC_EVERY) && state.is_stuck()? {
                break;
            }
        }
        if state.is_stuck()? {
            diverged = Some(diagnosis(job, forecaster, &state, &batches)?);
            break;
        }
        let finite = watch.validate(forecaster, &mut state, epoch, batches.len());
        if !finite.or_else(|error| checkpointer.stopped(error, &mut state))? {
            let (step, what) = (state.position.step, "validation forecast".to_owned());
            diverged = Some(Divergence { epoch, step, what });
            break;
        }
        state.end_epoch();
        if state.goes_on(table) && control.group().is_none() {
            checkpointer.save_if_due(&mut state, None)?;
        }
    }
    // A training that had ended before has its checkpoint.
    if diverged.is_none() && resumed.is_none() {
        state.tally.settle()?;
        checkpointer.save(&mut state)?;
    }
    finish(job, forecaster, &mut state, diverged)
}

/// Validates a training, and reports it to everyone concerned.
struct Watch<'a> {
    job: &'a Job<'a>,
    control: &'a Control,
    board: Option<Board>,
    observe: &'a mut dyn FnMut(Progress),
}

impl Watch<'_> {
    /// Validates before the end of the first epoch, and leaves the random generator as it was. Weights that do not
    /// forecast finite numbers are no candidate.
    ///
    /// # Errors
    /// As [`Watch::validate`].
    fn look(
        &mut self,
        forecaster: &Forecaster,
        state: &mut State,
        per_epoch: usize,
    ) -> Result<(), TrainError> {
        let generator = torch_ext::generator_state(state.device())?;
        state.tally.settle()?;
        let finite = self.validate(forecaster, state, 0, per_epoch);
        torch_ext::set_generator_state(state.device(), &generator)?;
        if !finite? {
            tracing::warn!(step = state.position.step, "no candidate: a forecast is not finite");
        }
        Ok(())
    }

    /// Validates the weights to keep and adds a line for `epoch`; `false` if a forecast is not finite.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`], the state as it was before.
    fn validate(
        &mut self,
        forecaster: &Forecaster,
        state: &mut State,
        epoch: usize,
        per_epoch: usize,
    ) -> Result<bool, TrainError> {
        let Watch { job, control, board, observe } = self;
        state.with_average(|state| {
            let Some(held) = validate(job, forecaster, state.position.step, control)? else {
                return Ok(false);
            };
            let mut line = line(job, forecaster, state, &held, per_epoch);
            line.epoch = epoch;
            // A model that makes no forecasts is selected by its bound, whatever its current KL weight is.
            let score = if forecaster.autoencodes() { -held.bound } else { held.crps };
            let held_out = job.source.windows(Part::Validation).count() > 0;
            state.select(&mut line, held_out.then_some(score));
            job.run.append_epoch(&line)?;
            if let Some(board) = board {
                board.epoch(job, forecaster, &line, &held)?;
            }
            observe(Progress::Epoch(&line, forecaster));
            Ok(true)
        })
    }
}

/// The line of a validation, but for its epoch.
fn line(job: &Job, forecaster: &Forecaster, state: &State, held: &Held, per_epoch: usize) -> Epoch {
    let Means { loss, reconstruction, kl, skipped } = state.tally.means();
    let last = state.position.step.saturating_sub(1);
    Epoch {
        epoch: 0,
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
    }
}

/// The term that was not finite, and its first step; the skipped steps did not change the weights of `state`.
pub(crate) fn diagnosis(
    job: &Job,
    forecaster: &Forecaster,
    state: &State,
    batches: &[Tensor],
) -> Result<Divergence, TrainError> {
    let last = &batches[state.position.done - 1];
    let first_rows = job.source.windows(Part::Train).first_rows_of(last)?;
    let batch = job.source.panel().gather(&first_rows)?;
    let culprit = diagnose(forecaster, &batch, state.flat.gradients())?;
    let channel = culprit.channel.and_then(|channel| job.source.channels().get(channel));
    let what = match channel {
        Some(channel) => format!("{} of channel `{channel}`", culprit.term),
        None => culprit.term.to_owned(),
    };
    let step = state.tally.worst().first;
    Ok(Divergence { epoch: state.position.epochs + 1, step, what })
}

/// Puts the weights to keep into the forecaster and the run directory.
fn finish(
    job: &Job,
    forecaster: &Forecaster,
    state: &mut State,
    diverged: Option<Divergence>,
) -> Result<Fitted, TrainError> {
    let keep = job.config.train.keep;
    if keep == Keep::Both && diverged.is_none() {
        state.set_weights(&state.weights().copy())?;
        copula::fit(job, forecaster)?;
        save_store(&job.run.last_weights(), forecaster.store())?;
    }
    let keeps_last = keep == Keep::Last && diverged.is_none();
    let kept = if keeps_last { Some(state.weights()) } else { state.best.as_ref() };
    if let Some(kept) = kept {
        state.set_weights(&kept.copy())?;
        copula::fit(job, forecaster)?;
        save_store(&job.run.weights(), forecaster.store())?;
    }
    let Position { epochs, best_epoch, best_step, best_score, step, skipped, selected, .. } =
        state.position;
    Ok(Fitted {
        epochs,
        best_epoch,
        best_step,
        best_validation: if selected { best_score } else { f64::NAN },
        steps: step,
        skipped: skipped + state.tally.means().skipped,
        parameters: state.flat.len(),
        diverged,
    })
}

/// Saves checkpoints when they are due.
pub(crate) struct Checkpointer<'a> {
    job: &'a Job<'a>,
    control: &'a Control,
    /// Seconds of training in earlier processes.
    before: f64,
    started: Instant,
    saved: Instant,
}

impl<'a> Checkpointer<'a> {
    pub(crate) fn new(job: &'a Job<'a>, control: &'a Control, state: &State) -> Checkpointer<'a> {
        let now = Instant::now();
        Checkpointer { job, control, before: state.position.seconds, started: now, saved: now }
    }

    /// The wishes of this process. The first rank decides when checkpoints are due.
    pub(crate) fn wishes(&self) -> Wishes {
        let first = self.control.group().is_none_or(|group| group.rank() == 0);
        Wishes { stop: self.control.stops(), save: first && self.control.save_is_due(self.saved) }
    }

    /// Saves if a checkpoint is due or the training is to stop, which several ranks have agreed on; an error stops it, see
    /// [`Checkpointer::stop`].
    pub(crate) fn save_if_due(
        &mut self,
        state: &mut State,
        agreed: Option<Wishes>,
    ) -> Result<(), TrainError> {
        let Wishes { stop, save } = agreed.unwrap_or_else(|| self.wishes());
        if stop {
            return Err(self.stop(state)?);
        }
        if save {
            self.save(state)?;
        }
        Ok(())
    }

    /// Saves where a validation was interrupted, which the next start does again; other errors stay.
    fn stopped<T>(&mut self, error: TrainError, state: &mut State) -> Result<T, TrainError> {
        match error {
            TrainError::Interrupted { .. } => Err(self.stop(state)?),
            error => Err(error),
        }
    }

    /// Saves, and returns the error that stops the training: [`TrainError::Interrupted`] or, if the state is not finite
    /// and was not saved, [`TrainError::Diverged`]. To go on from an earlier checkpoint would lead to the same state.
    fn stop(&mut self, state: &mut State) -> Result<TrainError, TrainError> {
        let (epoch, step) = (state.position.epochs + 1, state.position.step);
        Ok(match self.save(state)? {
            true => TrainError::Interrupted { epoch, step },
            false => {
                let what = "state of the optimizer".to_owned();
                TrainError::Diverged { epoch, step, what, saved: false }
            }
        })
    }

    /// Saves; `false` if the state is not finite, and the checkpoint before is left.
    pub(crate) fn save(&mut self, state: &mut State) -> Result<bool, TrainError> {
        state.position.seconds = self.before + self.started.elapsed().as_secs_f64();
        let saved = save(&self.job.run.checkpoint(), state, self.job.source.fingerprint())?;
        tracing::debug!(step = state.position.step, saved, "checkpoint");
        check_weights(self.control, state)?;
        self.saved = Instant::now();
        Ok(saved)
    }
}

/// The windows of an epoch in random order, cut into batches. The last batch may be smaller, and no window is dropped.
/// With `steps > 0` there are exactly `steps` batches, which start over when the windows run out.
pub(crate) fn batches(
    train: &WindowSet,
    size: i64,
    steps: usize,
) -> Result<Vec<Tensor>, TrainError> {
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
