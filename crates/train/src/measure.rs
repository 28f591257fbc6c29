//! The steps of a training one by one, for programs that measure them.

use feed::{Batch, Part, Source, Stream, seed};
use tch::Tensor;

use crate::config::Config;
use crate::error::TrainError;
use crate::fit::batches;
use crate::flat::Flat;
use crate::forecaster::{Forecaster, Terms};
use crate::initialize;
use crate::metrics::SYNC_EVERY;
use crate::state::State;

/// A training whose steps are taken one by one. They are those of [`fit`](crate::fit()), without validations,
/// checkpoints and files.
#[derive(Debug)]
pub struct Steps {
    config: Config,
    source: Source,
    forecaster: Forecaster,
    state: State,
    batches: Vec<Tensor>,
    epochs: usize,
}

impl Steps {
    /// A training at its initial weights.
    ///
    /// # Errors
    /// As [`Forecaster::new`], or an error of libtorch.
    pub fn new(config: &Config, source: Source) -> Result<Steps, TrainError> {
        let train = config.train.resolved(source.windows(Part::Train).count());
        let config = Config { train, ..config.clone() };
        let forecaster = initialize::start(&config, &source, None)?.forecaster;
        let state = State::new(&config, &forecaster)?;
        Ok(Steps { config, source, forecaster, state, batches: Vec::new(), epochs: 0 })
    }

    /// The data.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The forecaster that is trained.
    pub fn forecaster(&self) -> &Forecaster {
        &self.forecaster
    }

    /// Its parameters and their gradients.
    pub fn flat(&self) -> &Flat {
        &self.state.flat
    }

    /// The next batch of training windows in random order.
    ///
    /// # Errors
    /// [`TrainError::Feed`] if libtorch fails.
    pub fn batch(&mut self) -> Result<Batch, TrainError> {
        let train = self.source.windows(Part::Train);
        loop {
            if let Some(indices) = self.batches.pop() {
                return Ok(self.source.panel().gather(&train.first_rows_of(&indices)?)?);
            }
            self.epochs += 1;
            seed(self.config.seed, Stream::Epoch(self.epochs));
            let size = self.config.train.batch_size as i64;
            self.batches = batches(train, size, 0)?;
            // A smaller last batch would make steps unequal.
            let whole = |indices: &Tensor| indices.size()[0] == size;
            if self.batches.iter().any(whole) {
                self.batches.retain(whole);
            }
            self.batches.reverse(); // they are taken from the end
        }
    }

    /// The forward and the backward pass: gradients are added to those of [`Steps::flat`].
    ///
    /// # Errors
    /// As [`Forecaster::training_terms`].
    pub fn passes(&self, batch: &Batch) -> Result<Terms, TrainError> {
        let terms = self.forecaster.training_terms(batch, self.state.position.step)?;
        terms.loss.f_backward()?;
        Ok(terms.detached())
    }

    /// The rest of the step: optimizer, sums of the epoch, average of the weights. Waits for the device now and then, as
    /// the training does.
    ///
    /// # Errors
    /// An error of libtorch.
    pub fn update(&mut self, terms: &Terms, windows: i64) -> Result<(), TrainError> {
        let per_epoch = self.config.train.steps_per_epoch.max(1);
        let rate = self.config.train.learning_rate_at(self.state.position.step, per_epoch);
        self.state.step(terms, rate, windows)?;
        self.state.flat.zero_gradients();
        if self.state.position.step.is_multiple_of(SYNC_EVERY) {
            self.state.is_stuck()?;
        }
        Ok(())
    }

    /// Puts a batch into the units of its windows, and noises it as a step does if `noised`; drops the result.
    ///
    /// # Errors
    /// As [`Forecaster::training_terms`].
    pub fn units(&self, batch: &Batch, noised: bool) -> Result<(), TrainError> {
        self.forecaster.units_alone(batch, noised)
    }
}
