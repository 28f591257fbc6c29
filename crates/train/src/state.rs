//! Where a training stands: what a step changes, and what a checkpoint holds.

use record::Epoch;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, no_grad};

use crate::average::Average;
use crate::config::{Config, TrainConfig};
use crate::error::TrainError;
use crate::flat::Flat;
use crate::forecaster::{Forecaster, Terms};
use crate::metrics::Tally;
use crate::optimizer::AdamW;

/// A training between two steps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) flat: Flat,
    pub(crate) optimizer: AdamW,
    /// The averaged weights, where the config asks for them.
    pub(crate) average: Option<Average>,
    /// The weights of the best epoch so far.
    pub(crate) best: Option<Tensor>,
    pub(crate) position: Position,
    /// The epoch under way.
    pub(crate) tally: Tally,
    /// The epochs behind.
    pub(crate) history: Vec<Epoch>,
}

/// Counters of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epochs that are done.
    pub(crate) epochs: usize,
    /// Steps that are done of the epoch under way.
    pub(crate) done: usize,
    /// Steps in all, skipped ones too.
    pub(crate) step: usize,
    /// The epoch with the best validation score; 0 before the first.
    pub(crate) best_epoch: usize,
    #[serde(with = "record::or_null")]
    pub(crate) best_score: f64,
    /// Skipped steps of the epochs behind.
    pub(crate) skipped: usize,
    /// Wall time so far; the only thing here that a repeated run does not repeat.
    pub(crate) seconds: f64,
}

/// Number of steps in a row that are not finite at which a training ends.
const MOST_SKIPPED: usize = 10;

impl State {
    /// At step 0, with the weights that `forecaster` has.
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

    /// One optimizer step down the gradient of `terms`, of a batch of `windows` windows. A gradient or
    /// loss that is not finite changes no weight. Never waits for the device.
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

    /// Whether too many steps in a row were not finite to hope for the next; waits for the device.
    pub(crate) fn is_stuck(&mut self) -> Result<bool, TrainError> {
        self.tally.settle()?;
        Ok(self.tally.worst().length >= MOST_SKIPPED)
    }

    /// The weights to validate and to keep: the average where there is one.
    pub(crate) fn weights(&self) -> &Tensor {
        self.average.as_ref().map_or(self.flat.parameters(), Average::weights)
    }

    /// Does `work` with the average in the model, where there is one; afterwards the model has the weights again that
    /// training goes on with.
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

    /// Ends the epoch under way with its line; `score` is what selects, the lower the better.
    pub(crate) fn end_epoch(&mut self, line: &mut Epoch, score: f64) {
        let Position { best_epoch, best_score, .. } = self.position;
        self.position.epochs += 1;
        self.position.done = 0;
        self.position.skipped += line.skipped;
        self.tally.next_epoch();
        // Anything is better than a score that is no number.
        line.best = best_epoch == 0 || score < best_score || best_score.is_nan();
        if line.best {
            (self.position.best_epoch, self.position.best_score) = (self.position.epochs, score);
            self.best = Some(self.weights().copy());
        }
        self.history.push(line.clone());
    }

    /// Whether there is an epoch left to train.
    pub(crate) fn goes_on(&self, config: &TrainConfig) -> bool {
        let Position { epochs, best_epoch, .. } = self.position;
        let selects = config.keep != crate::config::Keep::Last && config.patience > 0;
        epochs < config.epochs && !(selects && epochs - best_epoch >= config.patience)
    }
}
