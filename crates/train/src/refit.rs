//! The second training of a run: the selected one again, on all rows.

use feed::{Part, Source, Stream, seed};
use record::{Fitted, Refit, RunDirectory};

use crate::checkpoint::{Checkpoint, Extent};
use crate::config::{Config, Keep};
use crate::control::Control;
use crate::copula;
use crate::error::TrainError;
use crate::fit::{Checkpointer, batches, diagnosis};
use crate::forecaster::Forecaster;
use crate::initialize::{self, Start};
use crate::job::Job;
use crate::metrics::SYNC_EVERY;
use crate::ranks::{begin_together, gradient};
use crate::state::State;
use crate::tensors::save_store;

/// The number of steps of a second training, and its pace.
///
/// ```text
/// stretch = windows of all rows / training windows        steps = round(stretch · selected steps)
/// ```
///
/// Step size and KL weight at step `k` are those of the first training at step `k / stretch`, so that the second one
/// stops at the selected point of the schedules. It makes as many passes over its windows as the first one did, if a
/// batch is smaller than either set of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goal {
    pub(crate) steps: usize,
    stretch: f64,
    /// Steps per epoch of the first training.
    per_epoch: usize,
}

impl Goal {
    /// `config` is that of the first training, with its length in numbers, which had `windows` of the `all` windows.
    pub(crate) fn new(config: &Config, fitted: &Fitted, windows: i64, all: i64) -> Goal {
        let selected = selected(config, fitted);
        let stretch = all as f64 / windows as f64;
        let steps = (selected as f64 * stretch).round() as usize;
        let steps = if selected > 0 { steps.max(1) } else { 0 };
        Goal { steps, stretch, per_epoch: config.train.steps_of_epoch(windows) }
    }

    /// The step of the first training that corresponds to a step of the second.
    fn before(&self, step: usize) -> usize {
        (step as f64 / self.stretch) as usize
    }

    /// Steps per epoch of the second training.
    fn per_epoch(&self) -> usize {
        ((self.per_epoch as f64 * self.stretch).round() as usize).max(1)
    }
}

/// Number of steps of the first training up to the weights that it selected.
pub(crate) fn selected(config: &Config, fitted: &Fitted) -> usize {
    match config.train.keep {
        Keep::Last => fitted.steps,
        Keep::Best | Keep::Both => fitted.best_step,
    }
}

/// The way through a training without validation.
pub(crate) struct Course<'a> {
    /// Number of steps.
    pub(crate) steps: usize,
    /// Steps per epoch; 0 for one pass over the windows.
    pub(crate) per_epoch: usize,
    /// Seed of the order of the windows, and of all draws.
    pub(crate) seed: u64,
    /// Step size of a step, and its place in the schedule of the KL weight.
    pub(crate) at: &'a dyn Fn(usize) -> (f64, usize),
}

/// The choices of the first training that the second takes over.
pub(crate) struct Chosen<'a> {
    /// The config, with everything that was chosen and its length in numbers.
    pub(crate) config: &'a Config,
    /// Strength of the ridge regression in the linear skip.
    pub(crate) strength: Option<f64>,
    pub(crate) goal: Goal,
}

/// Trains on all windows of `source`, or continues, and leaves the weights in the directory of the run.
///
/// # Errors
/// As [`crate::fit()`].
pub(crate) fn refit(
    chosen: &Chosen,
    source: &Source,
    directory: &RunDirectory,
    control: &Control,
    observe: &mut dyn FnMut(usize),
) -> Result<Refit, TrainError> {
    let Chosen { config, strength, goal } = *chosen;
    let run = directory.create_in(&directory.refit())?;
    let checkpoint = Checkpoint::read(&run.checkpoint(), source.fingerprint())?;
    let Start { forecaster, limits, .. } = initialize::start(config, source, strength)?;
    let forecaster = forecaster.with_pace(1.0 / goal.stretch);
    let job = Job { config, source, naive_crps: None, run: &run };
    let mut state = State::new(config, &forecaster)?;
    let at = |step| (config.train.learning_rate_at(goal.before(step), goal.per_epoch), step);
    let (steps, per_epoch) = (goal.steps, goal.per_epoch());
    let course = Course { steps, per_epoch, seed: config.seed, at: &at };
    let diverged = train(&job, &forecaster, &mut state, &course, checkpoint, control, observe)?;
    if diverged.is_none() {
        state.set_weights(&state.weights().copy())?;
        copula::fit(&job, &forecaster)?;
        save_store(&directory.refit_weights(), forecaster.store())?;
    }
    Ok(Refit {
        rows: source.fitted_rows(),
        windows: source.windows(Part::Train).count(),
        steps: state.position.step,
        masked: source.panel().masked(),
        pipeline: source.pipeline().clone(),
        limits: Some(limits),
        diverged,
    })
}

/// Takes the steps that are left.
pub(crate) fn train(
    job: &Job,
    forecaster: &Forecaster,
    state: &mut State,
    course: &Course,
    checkpoint: Option<Checkpoint>,
    control: &Control,
    observe: &mut dyn FnMut(usize),
) -> Result<Option<record::Divergence>, TrainError> {
    let Job { config, source, .. } = *job;
    let (table, windows) = (&config.train, source.windows(Part::Train));
    let per_epoch = match course.per_epoch {
        0 => (windows.count() as usize).div_ceil(table.batch_size),
        steps => steps,
    };
    let extent = Extent { per_epoch, steps: course.steps };
    let resumed = checkpoint.map(|checkpoint| checkpoint.restore(state, extent));
    let mut resumed = resumed.transpose()?;
    let mut checkpointer = Checkpointer::new(job, control, state);
    begin_together(control, state)?;
    while state.position.step < course.steps {
        let epoch = state.position.epochs + 1;
        let _span = tracing::info_span!("refit", epoch).entered();
        seed(course.seed, Stream::Epoch(epoch));
        let batches = batches(windows, table.batch_size as i64, course.per_epoch)?;
        if let Some(resumed) = resumed.take() {
            resumed.restore_generator(course.seed, state, batches.len())?;
        }
        for indices in batches.iter().skip(state.position.done) {
            if state.position.step == course.steps {
                break;
            }
            let batch = source.panel().gather(&windows.first_rows_of(indices)?)?;
            let (rate, place) = (course.at)(state.position.step);
            let wishes = checkpointer.wishes();
            let (terms, agreed) = gradient(forecaster, state, &batch, place, control, wishes)?;
            state.step(&terms, rate, indices.size()[0])?;
            observe(state.position.step);
            checkpointer.save_if_due(state, agreed)?;
            if state.position.step.is_multiple_of(SYNC_EVERY) && state.is_stuck()? {
                break;
            }
        }
        if state.is_stuck()? {
            return diagnosis(job, forecaster, state, &batches).map(Some);
        }
        if state.position.done == batches.len() {
            state.end_epoch();
        }
    }
    // A training that had ended before has its checkpoint.
    if resumed.is_none() {
        state.tally.settle()?;
        checkpointer.save(state)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;

    /// Oracle: by hand. 60 of 90 windows make a stretch of 1.5.
    #[test]
    fn steps_grow_with_the_windows() {
        let data = data::DataConfig::new("a", 2, 1);
        let train = TrainConfig { epochs: 5, steps_per_epoch: 10, ..TrainConfig::default() };
        let mut config = Config { train, ..Config::new(data) };
        let fitted = Fitted { best_step: 20, steps: 50, ..Fitted::default() };
        let goal = Goal::new(&config, &fitted, 60, 90);
        assert_eq!((goal.steps, goal.per_epoch(), goal.before(29)), (30, 15, 19));
        let start = Fitted { best_step: 0, ..fitted.clone() };
        assert_eq!(Goal::new(&config, &start, 60, 90).steps, 0);
        config.train.keep = Keep::Last;
        assert_eq!(Goal::new(&config, &fitted, 60, 90).steps, 75);
        assert_eq!(
            Goal::new(&config, &fitted, 90, 90),
            Goal { steps: 50, stretch: 1.0, per_epoch: 10 }
        );
    }
}
