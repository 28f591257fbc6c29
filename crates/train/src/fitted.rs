//! The weights of a finished run.

use data::Pipeline;
use feed::DevicePanel;
use record::{Limits, Refit, Update};

use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::run::Loaded;

/// One of the sets of weights of a run, see [`Loaded::honest`] and [`Loaded::latest`].
#[derive(Debug, Clone, Copy)]
pub struct Fit<'a> {
    pub(crate) run: &'a Loaded,
    /// The training on all rows that the weights are from.
    pub(crate) refit: Option<&'a Refit>,
    /// The update of these weights, and its number from 1.
    pub(crate) update: Option<(usize, &'a Update)>,
}

impl Loaded {
    /// The weights to forecast with: those of the last update, else of the refit, else [`Loaded::honest`].
    pub fn latest(&self) -> Fit<'_> {
        let refit = self.info.refit.as_ref().filter(|refit| refit.diverged.is_none());
        let number = self.info.updates.len();
        let update = self.info.updates.last().map(|update| (number, update));
        Fit { run: self, refit, update }
    }

    /// The weights that have seen the rows of the training and no later ones: those of the refit, else
    /// [`Loaded::honest`].
    pub fn refitted(&self) -> Fit<'_> {
        Fit { update: None, ..self.latest() }
    }

    /// The weights that have seen the training rows alone, which are those to score.
    pub fn honest(&self) -> Fit<'_> {
        Fit { run: self, refit: None, update: None }
    }
}

impl<'a> Fit<'a> {
    /// Number of rows that the weights were fitted on, if they are those of a refit or an update.
    pub fn refitted_on(&self) -> Option<usize> {
        self.update.map(|(_, update)| update.rows).or(self.refit.map(|refit| refit.rows))
    }

    /// The preparation of the data that goes with the weights.
    pub fn pipeline(&self) -> &'a Pipeline {
        self.refit.map_or(&self.run.info.pipeline, |refit| &refit.pipeline)
    }

    /// Whether the model is told of gaps.
    pub fn masked(&self) -> bool {
        self.refit.map_or(self.run.info.masked, |refit| refit.masked)
    }

    /// Limits of the forecasts; runs of earlier versions have none.
    pub fn limits(&self) -> Option<&'a Limits> {
        match (self.update, self.refit) {
            (Some((_, update)), _) => Some(&update.limits),
            (None, Some(refit)) => refit.limits.as_ref(),
            (None, None) => self.run.info.limits.as_ref(),
        }
    }

    /// The forecaster with these weights.
    ///
    /// # Errors
    /// [`TrainError::Record`] if the weights do not fit the config.
    pub fn forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        let directory = &self.run.directory;
        let weights = match (self.update, self.refit) {
            (Some((number, _)), _) => directory.update(number).weights(),
            (None, Some(_)) => directory.refit_weights(),
            (None, None) => directory.weights(),
        };
        self.run.with_weights(&weights, self.limits(), panel)
    }
}
