//! The state of a training, which steps change and checkpoints hold.

use record::Epoch;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, no_grad};

use crate::average::Average;
use crate::config::{Config, TrainConfig};
use crate::error::TrainError;
use crate::flat::Flat;
use crate::forecaster::{Forecaster, Terms};
use crate::metrics::{MOST_SKIPPED, Tally};
use crate::optimizer::AdamW;

/// The state of a training between two steps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) flat: Flat,
    pub(crate) optimizer: AdamW,
    /// The averaged weights, if the config asks for them.
    pub(crate) average: Option<Average>,
    /// The weights with the best validation score so far.
    pub(crate) best: Option<Tensor>,
    pub(crate) position: Position,
    /// The sums of the current epoch.
    pub(crate) tally: Tally,
    /// The finished epochs.
    pub(crate) history: Vec<Epoch>,
}

/// Counters of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Number of finished epochs.
    pub(crate) epochs: usize,
    /// Number of finished steps of the current epoch.
    pub(crate) done: usize,
    /// Number of finished steps of all epochs, including skipped ones.
    pub(crate) step: usize,
    /// Whether a validation has selected weights.
    #[serde(default)]
    pub(crate) selected: bool,
    /// Number of finished epochs at the best validation score.
    pub(crate) best_epoch: usize,
    /// Number of finished steps at the best validation score.
    #[serde(default)]
    pub(crate) best_step: usize,
    #[serde(with = "record::or_null")]
    pub(crate) best_score: f64,
    /// Number of skipped steps in finished epochs.
    pub(crate) skipped: usize,
    /// Wall time so far in seconds, the only field that differs between repetitions of a run.
    pub(crate) seconds: f64,
}

impl State {
    /// The state at step 0, with the weights of `forecaster`.
    pub(crate) fn new(config: &Config, forecaster: &Forecaster) -> Result<State, TrainError> {
        let flat = Flat::new(forecaster.store())?;
        let TrainConfig { ema_decay, .. } = config.train;
        Ok(State {
            optimizer: AdamW::new(&flat, &config.train)?,
            average: (ema_decay > 0.0).then(|| Average::new(&flat, ema_decay)),
            best: None,
            position: Position::default(),
            tally: Tally::default(),
            history: Vec::new(),
            flat,
        })
    }

    pub(crate) fn device(&self) -> Device {
        self.flat.parameters().device()
    }

    /// Takes one optimizer step down the gradient of `terms`, which come from a batch of `windows` windows. A loss or
    /// gradient that is not finite changes no weight. Never waits for the device.
    pub(crate) fn step(
        &mut self,
        terms: &Terms,
        learning_rate: f64,
        windows: i64,
    ) -> Result<(), TrainError> {
        let norm = self.optimizer.step(&self.flat, &terms.loss, learning_rate)?;
        self.tally.add(terms, &norm, windows)?;
        self.position.step += 1;
        self.position.done += 1;
        match &mut self.average {
            Some(average) => average.update(&self.flat, self.position.step),
            None => Ok(()),
        }
    }

    /// Whether the number of steps skipped in a row has reached its limit, which ends the training; waits for the device.
    pub(crate) fn is_stuck(&mut self) -> Result<bool, TrainError> {
        self.tally.settle()?;
        Ok(self.tally.worst().length >= MOST_SKIPPED)
    }

    /// The weights to validate and to keep: the average if there is one.
    pub(crate) fn weights(&self) -> &Tensor {
        self.average.as_ref().map_or(self.flat.parameters(), Average::weights)
    }

    /// Runs `work` with the averaged weights in the model, if there are any, and then puts the weights of the training
    /// back.
    pub(crate) fn with_average<T>(
        &mut self,
        work: impl FnOnce(&mut State) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        let Some(average) = &self.average else { return work(self) };
        let own = self.flat.parameters().copy();
        self.set_weights(average.weights())?;
        let done = work(self);
        self.set_weights(&own)?;
        done
    }

    /// Puts `weights` into the model.
    pub(crate) fn set_weights(&self, weights: &Tensor) -> Result<(), TrainError> {
        no_grad(|| self.flat.parameters().shallow_clone().f_copy_(weights))?;
        Ok(())
    }

    /// Selects the current weights if their validation `score` is the lowest so far; `None` stands for no validation.
    pub(crate) fn select(&mut self, line: &mut Epoch, score: Option<f64>) {
        if let Some(score) = score {
            let Position { selected, best_score, .. } = self.position;
            // Any score is better than NaN.
            line.best = !selected || score < best_score || best_score.is_nan();
            if line.best {
                let (best_epoch, best_step) = (line.epoch, line.step);
                self.position = Position {
                    selected: true,
                    best_epoch,
                    best_step,
                    best_score: score,
                    ..self.position
                };
                self.best = Some(self.weights().copy());
            }
        }
        self.history.push(line.clone());
    }

    /// Whether the weights of the current step were validated.
    pub(crate) fn validated(&self) -> bool {
        self.history.last().is_some_and(|line| line.step == self.position.step)
    }

    /// Ends the current epoch.
    pub(crate) fn end_epoch(&mut self) {
        self.position.epochs += 1;
        self.position.done = 0;
        self.position.skipped += self.tally.means().skipped;
        self.tally.next_epoch();
    }

    /// Whether another epoch is to be trained.
    pub(crate) fn goes_on(&self, config: &TrainConfig) -> bool {
        let Position { epochs, best_epoch, .. } = self.position;
        let selects = config.keep != crate::config::Keep::Last && config.patience > 0;
        epochs < config.epochs && !(selects && epochs - best_epoch >= config.patience)
    }
}
