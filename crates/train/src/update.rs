//! More training of a finished run, on a table with newer rows.

mod score;

use std::path::Path;

use data::{AddedRows, Continuation, Fill, KnownRows, LeftOut};
use feed::{Part, Source};
use record::{Divergence, Known, RecordError, RunDirectory, Update};
use tch::Device;

use crate::checkpoint::Checkpoint;
use crate::control::Control;
use crate::copula;
use crate::error::TrainError;
use crate::fitted::Fit;
use crate::forecaster::Forecaster;
use crate::initialize;
use crate::job::Job;
use crate::refit::{Course, selected, train};
use crate::run::{Loaded, RunOptions, load, selection, set_threads};
use crate::state::State;
use crate::tensors::save_store;

/// Smallest step size of an update, as a share of `train.learning_rate`.
const LEAST_RATE: f64 = 0.1;

/// The outcome of [`update()`].
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// The record of the update; `None` if no row was added, and nothing was changed.
    pub update: Option<Update>,
    /// The rows that the table adds to each series.
    pub added: Vec<AddedRows>,
    /// Number of earlier rows whose values are different in the table.
    pub revised: usize,
    /// Number of earlier rows, of all series.
    pub known: usize,
    /// Series of the table that the model does not know.
    pub left_out: Vec<LeftOut>,
}

/// Trains the weights that forecast, [`Loaded::latest`], on the rows of `input`, which begins with the rows that the run
/// knows and adds some. The new weights take their place; those of [`Loaded::honest`] stay. The table is read as the
/// training data were; each `data.KEY=VALUE` in `set` names a key of [`data::Pipeline::READING_KEYS`] that differs in it.
///
/// With `S` steps over `W` windows in the training on all rows, or up to the selected weights if there was none, the
/// update takes
///
/// ```text
/// steps = max(round(S · A / W), min(S, ⌈N / batch⌉))
/// ```
///
/// over all `N` windows of the table, `A` of which have a target in the added rows: those that the training on all rows
/// would have taken more, and at least one pass. The step size is the one at which the selected training ended, or a tenth
/// of `train.learning_rate` if that is more; the KL weight is that of the same step. Moments and the moving average start
/// afresh, and where weight decay pulls the linear skip towards its start, this is the old one. The scaler stays that of
/// the old weights, since they are in its units.
///
/// The same call gives the same bits, also if it was interrupted and made again. `observe` is told the number of finished
/// steps, and of all.
///
/// # Errors
/// [`TrainError::Feed`] with [`data::DataError::NotContinued`] if the table is another one, and the file's own faults;
/// [`TrainError::Interrupted`]; [`TrainError::Diverged`], which leaves the old weights; [`TrainError::NoForecast`] for
/// `autoencode`; [`TrainError::Record`], also if another process trains in the directory.
pub fn update(
    path: &Path,
    input: &Path,
    set: &[String],
    options: RunOptions,
    control: &Control,
    observe: &mut dyn FnMut(usize, usize),
) -> Result<Updated, TrainError> {
    let device = options.device.resolve()?;
    set_threads(options.threads);
    let _lock = RunDirectory::open(path)?.lock()?;
    let run = Loaded::open(path)?;
    if run.config.model.kind == vae::ModelKind::Autoencode {
        return Err(TrainError::NoForecast);
    }
    let fit = run.latest();
    let pipeline = fit.rereading(set)?;
    let continuation = pipeline.continuation(input, &known_rows(&run)?);
    let found = continuation.map_err(|error| fit.other_reading(error))?;
    let mut updated = Updated {
        update: None,
        added: found.added.clone(),
        revised: found.revised,
        known: found.known.iter().sum(),
        left_out: found.left_out.clone(),
    };
    if !found.added.is_empty() {
        let newer = Newer::new(&fit, found, device)?;
        let update = newer.train(&run, &fit, input, control, observe)?;
        updated.update = Some(update);
    }
    Ok(updated)
}

/// The rows that the latest weights of a run have seen. A run of an earlier version did not record them, and its data must
/// be there still.
fn known_rows(run: &Loaded) -> Result<Vec<KnownRows>, TrainError> {
    let directory = match run.info.updates.len() {
        0 => &run.directory,
        number => &run.directory.update(number),
    };
    if let Some(known) = directory.read_known()? {
        return Ok(known.series);
    }
    if !run.info.updates.is_empty() {
        let hint = "the run was altered or damaged; restore a copy of it".to_owned();
        return Err(RecordError::Missing { path: directory.known(), hint }.into());
    }
    let source = load(&run.config, Device::Cpu)?;
    run.check_data(&source)?;
    Ok(source.known_rows().to_vec())
}

/// A table with newer rows, ready to train on.
struct Newer {
    source: Source,
    /// The known rows alone.
    before: Source,
    /// Number of known rows of each series.
    known: Vec<usize>,
    revised: usize,
    filled: usize,
}

impl Newer {
    fn new(fit: &Fit, found: Continuation, device: Device) -> Result<Newer, TrainError> {
        let pipeline = fit.pipeline();
        let fills = matches!(pipeline.config().fill, Fill::Forward | Fill::Interpolate);
        // A row that such a filling leaves is no gap to the model, but there is nothing to learn from it.
        let masks = fit.masked() || fills;
        let selection = selection(&fit.run.config);
        let place = |panel| -> Result<(Source, usize), TrainError> {
            let (prepared, filled) = pipeline.prepare(panel, masks)?;
            Ok((Source::of_prepared(prepared, selection, masks, device)?, filled))
        };
        let (before, _) = place(found.panel.until(&found.known, 0)?)?;
        let (source, filled) = place(found.panel)?;
        Ok(Newer { source, before, known: found.known, revised: found.revised, filled })
    }

    fn train(
        &self,
        run: &Loaded,
        fit: &Fit,
        input: &Path,
        control: &Control,
        observe: &mut dyn FnMut(usize, usize),
    ) -> Result<Update, TrainError> {
        let Newer { source, known, .. } = self;
        let config = &run.config;
        let number = run.info.updates.len() + 1;
        let place = run.directory.create_in(run.directory.update(number).path())?;
        // An interrupted update on other rows does not go on from here.
        let state_of = format!("state-{}", source.fingerprint().get(..8).unwrap_or_default());
        let working = place.create_in(&place.path().join(state_of))?;
        let checkpoint = Checkpoint::read(&working.checkpoint(), source.fingerprint())?;

        let old = fit.forecaster(source.panel())?;
        let forecaster = fit.forecaster(source.panel())?;
        let limits = initialize::limits(source, &forecaster)?;
        let forecaster = forecaster.with_limits(&limits)?;
        let added = source.windows_after(known)?;
        let pace = Pace::of(run);
        let all = source.windows(Part::Train).count();
        let steps = pace.steps(added.count(), all, config.train.batch_size);
        let at = |_| (pace.rate, pace.place);
        let seed = config.seed.wrapping_add((number as u64) << 32);
        let course = Course { steps, per_epoch: 0, seed, at: &at };
        let job = Job { config, source, naive_crps: None, run: &working };
        let mut state = State::new(config, &forecaster)?;
        let mut report = |done| observe(done, steps);
        let ended =
            train(&job, &forecaster, &mut state, &course, checkpoint, control, &mut report)?;
        if let Some(Divergence { epoch, step, what }) = ended {
            return Err(TrainError::Diverged { epoch, step, what, saved: true });
        }
        state.set_weights(&state.weights().copy())?;
        copula::fit(&job, &forecaster)?;
        let update = Update {
            input: input.display().to_string(),
            fingerprint: source.fingerprint().to_owned(),
            rows_before: known.iter().sum(),
            rows: source.rows(),
            revised: self.revised,
            filled: self.filled,
            windows: all,
            added_windows: added.count(),
            steps: state.position.step,
            learning_rate: pace.rate,
            limits,
            scores: self.scores(run, [&old, &forecaster], &added)?,
        };
        record(run, &place, &forecaster, source, &update)?;
        Ok(update)
    }
}

/// Leaves the weights of an update in the run. They count once `run.json` names them, which comes last.
fn record(
    run: &Loaded,
    place: &RunDirectory,
    forecaster: &Forecaster,
    source: &Source,
    update: &Update,
) -> Result<(), TrainError> {
    save_store(&place.weights(), forecaster.store())?;
    place.write_known(&Known::new(source.known_rows().to_vec()))?;
    let mut info = run.info.clone();
    info.updates.push(update.clone());
    info.checksums.retain(|name, _| !name.starts_with("updates/"));
    let sum = files::sha256(&place.weights()).map_err(RecordError::reading(&place.weights()))?;
    info.checksums.insert(run.directory.name(&place.weights()), sum);
    run.directory.write_info(&info)?;
    Ok(run.directory.keep_update(info.updates.len())?)
}

/// The pace of the training on all rows, at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pace {
    /// Steps of that training.
    steps: usize,
    /// Its windows.
    windows: i64,
    /// Step size.
    rate: f64,
    /// Place in the schedule of the KL weight.
    place: usize,
}

impl Pace {
    fn of(run: &Loaded) -> Pace {
        let first = run.info.data.windows.train;
        let table = run.config.train.resolved(first);
        let selected = selected(&run.config, &run.info.fitted);
        let place = selected.saturating_sub(1);
        let rate = table.learning_rate_at(place, table.steps_of_epoch(first));
        let rate = rate.max(LEAST_RATE * table.learning_rate);
        let (steps, windows) = match &run.info.refit {
            Some(refit) if refit.diverged.is_none() => (refit.steps, refit.windows),
            _ => (selected, first),
        };
        Pace { steps, windows, rate, place }
    }

    /// Number of steps over `all` windows of which `added` have a new target.
    fn steps(&self, added: i64, all: i64, batch_size: usize) -> usize {
        let passes = self.steps as f64 * added as f64 / self.windows.max(1) as f64;
        (passes.round() as usize).max(self.steps.min((all as usize).div_ceil(batch_size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand. 30 steps over 149 windows of a batch of 16: 75 more windows take 15.1 steps, a single one takes a
    /// pass over 150.
    #[test]
    fn steps_follow_from_the_added_windows() {
        let pace = Pace { steps: 30, windows: 149, rate: 1e-3, place: 29 };
        assert_eq!(pace.steps(75, 224, 16), 15);
        assert_eq!(pace.steps(1, 150, 16), 10);
        assert_eq!(pace.steps(298, 447, 16), 60);
        assert_eq!(pace.steps(1, 15_000, 16), 30);
        assert_eq!(Pace { steps: 0, ..pace }.steps(75, 224, 16), 0);
    }
}
