//! The weights of a finished run, and their forecasts at any origin.

use data::Pipeline;
use feed::{DevicePanel, FeedError, Source, Stream, seed};
use record::Refit;
use tch::{Device, Tensor, no_grad};

use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::run::{Loaded, load, load_whole};

/// One of the two sets of weights of a run, see [`Loaded::honest`] and [`Loaded::latest`].
#[derive(Debug, Clone, Copy)]
pub struct Fit<'a> {
    pub(crate) run: &'a Loaded,
    pub(crate) refit: Option<&'a Refit>,
}

impl Loaded {
    /// The weights to forecast with: those of the refit, if the run has one.
    pub fn latest(&self) -> Fit<'_> {
        match &self.info.refit {
            Some(refit) if refit.diverged.is_none() => Fit { run: self, refit: Some(refit) },
            _ => self.honest(),
        }
    }

    /// The weights that have seen the training rows alone, which are those to score.
    pub fn honest(&self) -> Fit<'_> {
        Fit { run: self, refit: None }
    }
}

impl<'a> Fit<'a> {
    /// Number of rows that the weights were fitted on, if they are those of a refit.
    pub fn refitted_on(&self) -> Option<usize> {
        self.refit.map(|refit| refit.rows)
    }

    /// The preparation of the data that goes with the weights.
    pub fn pipeline(&self) -> &'a Pipeline {
        self.refit.map_or(&self.run.info.pipeline, |refit| &refit.pipeline)
    }

    /// Whether the model is told of gaps.
    pub fn masked(&self) -> bool {
        self.refit.map_or(self.run.info.masked, |refit| refit.masked)
    }

    /// The forecaster with these weights.
    ///
    /// # Errors
    /// [`TrainError::Record`] if the weights do not fit the config.
    pub fn forecaster(&self, panel: &DevicePanel) -> Result<Forecaster, TrainError> {
        match self.refit {
            None => self.run.forecaster(panel),
            Some(refit) => {
                let path = self.run.directory.refit_weights();
                self.run.with_weights(&path, refit.limits.as_ref(), panel)
            }
        }
    }

    /// The data of the run as these weights see them, scaled by the rows that they were fitted on.
    ///
    /// # Errors
    /// As [`Source::load`], and [`TrainError::Record`] if the data are not those of the training.
    pub fn source(&self, device: Device) -> Result<Source, TrainError> {
        let source = match self.refit {
            None => load(&self.run.config, device)?,
            Some(_) => load_whole(&self.run.config, device)?,
        };
        self.run.check_data(&source)?;
        Ok(source)
    }

    /// The data of the run and the forecaster with these weights.
    ///
    /// # Errors
    /// As [`Fit::source`] and [`Fit::forecaster`].
    pub fn replay(&self, device: Device) -> Result<Replay, TrainError> {
        let source = self.source(device)?;
        let forecaster = self.forecaster(source.panel())?;
        Ok(Replay { source, forecaster })
    }
}

/// The data of a run and a forecaster, for forecasts at origins within the data.
///
/// ```no_run
/// use train::{Device, Loaded};
///
/// let run = Loaded::open("runs/load/seed-1".as_ref())?;
/// let replay = run.latest().replay(Device::Cpu)?;
/// let origins = [200, 212, 224]; // first rows to forecast, as rows of the panel
/// let context = run.config.data.context as i64;
/// let samples = replay.forecast_at(&origins.map(|origin| origin - context), 100, 1)?; // [100, 3, H, C]
/// # Ok::<(), train::TrainError>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    /// The data.
    pub source: Source,
    /// The forecaster.
    pub forecaster: Forecaster,
}

impl Replay {
    /// Samples of the forecasts for the windows that start at `first_rows`, in original units.
    ///
    /// The windows are forecast in one stream of random numbers that starts at `draw`, some at a time; the same
    /// arguments give the same samples.
    ///
    /// # Shapes
    /// `first_rows`: `[B]`, rows of the panel where contexts start; a context and a horizon must lie within one series.
    /// Returns `[S, B, H, C]` on the CPU.
    ///
    /// # Errors
    /// [`TrainError::Feed`] if there is no such window, [`TrainError::NoForecast`] for `autoencode`.
    pub fn forecast_at(
        &self,
        first_rows: &[i64],
        samples: i64,
        draw: u64,
    ) -> Result<Tensor, TrainError> {
        forecast_at(&self.source, &self.forecaster, first_rows, samples, draw)
    }
}

/// As [`Replay::forecast_at`], for a forecaster and a source that fit together.
///
/// # Errors
/// As [`Replay::forecast_at`].
pub fn forecast_at(
    source: &Source,
    forecaster: &Forecaster,
    first_rows: &[i64],
    samples: i64,
    draw: u64,
) -> Result<Tensor, TrainError> {
    if forecaster.autoencodes() {
        return Err(TrainError::NoForecast);
    }
    source.check_windows(first_rows)?;
    let panel = source.panel();
    seed(draw, Stream::Evaluation);
    let at_once = panel.scored_at_once(samples) as usize;
    let batches = first_rows.chunks(at_once).map(|rows| -> Result<Tensor, TrainError> {
        let rows = Tensor::f_from_slice(rows)?.f_to(panel.device())?;
        let drawn = no_grad(|| forecaster.sample(&panel.gather(&rows)?, samples))?;
        Ok(source.to_original(&drawn, &rows)?)
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    if batches.is_empty() {
        let feed::Columns { horizon, targets, .. } = panel.columns();
        return Ok(Tensor::f_zeros([samples, 0, horizon, targets], tch::kind::FLOAT_CPU)?);
    }
    Ok(Tensor::f_cat(&batches, 1).map_err(FeedError::from)?)
}
