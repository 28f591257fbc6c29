//! The metrics of a training as TensorBoard event files, with histograms of the latent variables and
//! pictures of forecasts.

use events::{EventError, EventWriter, Fan, Histogram, LEVELS, Summary};
use feed::{Part, Stream, seed};
use objective::score::quantiles;
use record::{Epoch, RecordError};
use tch::{Kind, Tensor, no_grad};

use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::job::Job;
use crate::validate::{Held, LatentSample};

/// Number of validation windows, evenly spaced, that are pictured each time the model improves.
const PICTURES: i64 = 3;
const SAMPLES: i64 = 200;
const SIZE: (u32, u32) = (640, 240);

/// The event file of one process of a training.
#[derive(Debug)]
pub(crate) struct Board(EventWriter);

impl Board {
    /// Starts a file. It discards the steps after `done` in earlier files, or without it all of their steps.
    pub(crate) fn open(job: &Job, done: Option<usize>) -> Result<Board, TrainError> {
        let folder = job.run.create_in(&job.run.events())?.path().to_owned();
        let writer = match done {
            None => EventWriter::create(&folder),
            Some(done) => EventWriter::resume(&folder, done as i64 + 1),
        };
        Ok(Board(writer.map_err(failed)?))
    }

    /// Writes the results of an epoch.
    pub(crate) fn epoch(
        &mut self,
        job: &Job,
        forecaster: &Forecaster,
        line: &Epoch,
        held: &Held,
    ) -> Result<(), TrainError> {
        let mut summary = Summary::now(line.step as i64);
        for (tag, value) in [
            ("train/loss", line.loss),
            ("train/reconstruction", line.reconstruction),
            ("train/kl", line.kl),
            ("train/kl_weight", line.kl_weight),
            ("train/learning_rate", line.learning_rate),
            ("train/skipped_steps", line.skipped as f64),
            ("train/crps", line.train_crps),
            ("validation/loss", line.validation_loss),
            ("validation/crps", line.validation_crps),
        ] {
            summary.scalar(tag, value);
        }
        if let Some(skill) = line.skill {
            summary.scalar("validation/skill", skill);
        }
        let groups = line.active_units.iter().zip(&held.latents).enumerate();
        for (group, (active, LatentSample { means, stds })) in groups {
            summary.scalar(&format!("latent/{group}/active_units"), *active as f64);
            summary.histogram(&format!("latent/{group}/posterior_mean"), &Histogram::of(means));
            summary.histogram(&format!("latent/{group}/posterior_std"), &Histogram::of(stds));
        }
        if line.best && !forecaster.autoencodes() {
            match no_grad(|| pictures(job, forecaster, &mut summary)) {
                // Validation found its own draws finite, but these are other draws.
                Err(TrainError::Objective(error)) => tracing::warn!(%error, "no pictures"),
                drawn => drawn?,
            }
        }
        self.0.write(&summary).and_then(|()| self.0.flush()).map_err(failed)
    }
}

/// Pictures of forecasts: the first channel of some validation windows, in standardized units.
fn pictures(job: &Job, forecaster: &Forecaster, summary: &mut Summary) -> Result<(), TrainError> {
    seed(job.config.seed, Stream::Validation);
    let windows = job.source.windows(Part::Validation).at_most(PICTURES);
    let batch = job.source.panel().gather(&windows.first_rows()?)?;
    let samples = forecaster.sample(&batch, SAMPLES)?;
    let quantiles = quantiles(&samples, &LEVELS)?.f_select(-1, 0)?; // [7, B, H]
    let (context, truth) = (batch.context.f_select(-1, 0)?, batch.target.f_select(-1, 0)?);
    for window in 0..context.size()[0] {
        let (context, truth) = (row(&context, window)?, row(&truth, window)?);
        let steps = quantiles.f_select(1, window)?.f_tr()?;
        let steps = row(&steps.f_contiguous()?.f_view([1, -1])?, 0)?;
        let mut of_step = vec![[0.0; LEVELS.len()]; truth.len()];
        for (into, from) in of_step.iter_mut().zip(steps.chunks_exact(LEVELS.len())) {
            into.copy_from_slice(from);
        }
        let fan = Fan { context: &context, truth: &truth, quantiles: &of_step };
        let picture = fan.draw(SIZE.0, SIZE.1).map_err(failed)?;
        summary.image(&format!("forecast/{}/{window}", job.source.channels()[0]), &picture);
    }
    Ok(())
}

fn row(values: &Tensor, index: i64) -> Result<Vec<f64>, TrainError> {
    Ok(Vec::try_from(values.f_get(index)?.f_contiguous()?.f_to_kind(Kind::Double)?)?)
}

fn failed(error: EventError) -> TrainError {
    match error {
        EventError::Io { path, source } => RecordError::Write { path, source }.into(),
        // Other errors concern the size of the picture, which is fixed here.
        other => RecordError::writing("events".as_ref())(std::io::Error::other(other)).into(),
    }
}
