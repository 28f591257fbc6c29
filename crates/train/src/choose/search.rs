//! `noise = "auto"`: the noise of a training, chosen on validation windows within a budget of steps.
//!
//! The search is successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): seven noises are trained for a short
//! while, the better ones for three times as long, and finally the best one beside no noise at all. All trainings have
//! the same initial weights and the same order of windows, and their step sizes and KL weights go through the full
//! schedule ([`Rung`]). The score is the one that selects epochs, on the same validation windows and for the weights
//! that `train.keep` keeps: the CRPS, or for `autoencode` the negative bound.
//!
//! The best noise is chosen over no noise if its score in the last rung is better by more than the standard error of
//! the paired difference ([`stats::Difference`]). The best of seven on these very windows owes about one standard error
//! to luck, whereas no noise was not selected.
//!
//! The search never reads test windows. `noise.json` holds its finished trials, and `search/` the one in progress.

use std::fs;

use feed::{Part, Source};
use noise::NoiseConfig;
use record::{Chosen, Fitted, NoiseSearch, RecordError, RunDirectory, Rung, Trial};
use stats::Pairing;
use tch::no_grad;

use crate::checkpoint::Checkpoint;
use crate::config::{AutoNoise, Config, Noise};
use crate::control::Control;
use crate::error::TrainError;
use crate::fit::{Progress, fit};
use crate::initialize;
use crate::job::Job;
use crate::validate::{scored_windows, window_scores};

use super::budget::{rungs, shortened, total};
use super::candidates::{self, Candidate, NONE, candidates};

/// A progress report of a search.
#[derive(Debug)]
pub enum SearchProgress<'a> {
    /// A step of one of its trainings is done.
    Step {
        /// Number of finished steps of the search.
        done: usize,
        /// Total number of steps of all its trainings.
        of: usize,
    },
    /// Another trial is done, the last one in the record.
    Trial(&'a NoiseSearch),
    /// The noise is chosen.
    Chosen(&'a NoiseSearch),
}

/// The config with the noise that a search has chosen.
///
/// # Errors
/// [`TrainError::Record`] if no noise was chosen yet, or the chosen one is invalid.
pub(crate) fn resolve(
    search: &NoiseSearch,
    config: &Config,
    directory: &RunDirectory,
) -> Result<Config, TrainError> {
    let open = || refused(directory, "holds an unfinished search".to_owned());
    let chosen = search.chosen.as_ref().ok_or_else(open)?;
    let noise: NoiseConfig = serde_json::from_value(chosen.noise.clone())
        .map_err(|error| refused(directory, format!("its chosen noise is invalid ({error})")))?;
    Ok(Config { noise: Noise::Fixed(noise), ..config.clone() })
}

/// The candidates that are trained in a rung, counted from 1: the best of the previous rung, in the order of
/// `candidates()`. The last rung also has the candidate without noise.
fn entrants(search: &NoiseSearch, rung: usize) -> Vec<Candidate> {
    let mut names: Vec<&str> = match rung {
        1 => candidates::names().filter(|name| *name != NONE).collect(),
        _ => {
            let mut before: Vec<&Trial> =
                search.trials.iter().filter(|trial| trial.rung == rung - 1).collect();
            let score = |trial: &Trial| trial.score.unwrap_or(f64::INFINITY);
            before.sort_by(|a, b| score(a).total_cmp(&score(b)));
            before.truncate(search.rungs[rung - 2].keeps);
            before.into_iter().map(|trial| trial.candidate.as_str()).collect()
        }
    };
    if rung == search.rungs.len() {
        names.push(NONE);
    }
    candidates().into_iter().filter(|candidate| names.contains(&candidate.name)).collect()
}

/// The choice after the last rung.
fn choose(search: &NoiseSearch, pairing: &Pairing) -> Chosen {
    let last = search.rungs.len();
    let entrants = entrants(search, last);
    let rival = entrants.iter().find(|candidate| candidate.name != NONE);
    let rival = rival.map_or(NONE, |candidate| candidate.name);
    let windows = |name| search.trial(last, name).map_or(&[][..], |trial| &trial.windows);
    let value = |score: &Option<f64>| score.unwrap_or(f64::NAN);
    let pairs = windows(rival).iter().zip(windows(NONE));
    let difference =
        pairing.difference(&[pairs.map(|(ours, none)| value(ours) - value(none)).collect()]);
    let score = |name| search.trial(last, name).and_then(|trial| trial.score);
    let better = match (score(rival), score(NONE)) {
        (Some(_), Some(_)) => difference.is_some_and(|d| d.mean + d.error < 0.0),
        (rival, none) => rival.is_some() && none.is_none(),
    };
    let name = if better { rival } else { NONE };
    let noise = candidates().into_iter().find(|candidate| candidate.name == name);
    let noise = noise.map(|candidate| candidate.noise).unwrap_or_default();
    Chosen {
        candidate: name.to_owned(),
        noise: serde_json::to_value(noise).expect("a noise is plain data"),
        steps: search.trials.iter().map(|trial| trial.steps).sum(),
        rival: rival.to_owned(),
        difference,
    }
}

/// Runs a search, or continues one, and returns it finished.
///
/// # Errors
/// [`TrainError::InterruptedSearch`] if `control` stopped it, [`TrainError::Budget`] if there are too few steps for all
/// candidates, [`TrainError::Record`] if `noise.json` belongs to another search.
pub(crate) fn search(
    config: &Config,
    source: &Source,
    auto: AutoNoise,
    directory: &RunDirectory,
    control: &Control,
    observe: &mut dyn FnMut(SearchProgress),
) -> Result<NoiseSearch, TrainError> {
    let mut search = begin(config, source, auto, directory)?;
    let of = total(&search.rungs);
    if search.chosen.is_none() {
        directory.write_search(&search)?;
        for (index, rung) in search.rungs.clone().into_iter().enumerate() {
            for candidate in entrants(&search, index + 1) {
                if search.trial(index + 1, candidate.name).is_some() {
                    continue;
                }
                let before: usize = search.trials.iter().map(|trial| trial.steps).sum();
                let mut watch = |steps| observe(SearchProgress::Step { done: before + steps, of });
                let place = TrialSetup { config, source, directory, rung: index + 1 };
                let mut trial = place.train(&rung, &candidate, control, &mut watch)?;
                if index + 1 < search.rungs.len() {
                    trial.windows.clear(); // only the last rung is compared window by window
                }
                search.trials.push(trial);
                directory.write_search(&search)?;
                place.clear()?;
                observe(SearchProgress::Trial(&search));
            }
        }
        search.chosen = Some(choose(&search, &source.pairing(&scored_windows(source))?));
        directory.write_search(&search)?;
    }
    observe(SearchProgress::Chosen(&search));
    Ok(search)
}

/// The search in `noise.json`, or a new one.
fn begin(
    config: &Config,
    source: &Source,
    auto: AutoNoise,
    directory: &RunDirectory,
) -> Result<NoiseSearch, TrainError> {
    let table = &config.train;
    let per_epoch = table.steps_of_epoch(source.windows(Part::Train).count());
    let rungs = rungs(auto.budget, table, per_epoch)?;
    let training_steps = table.epochs * per_epoch;
    let autoencodes = config.model.kind == vae::ModelKind::Autoencode;
    let new = NoiseSearch {
        version: NoiseSearch::VERSION,
        data: source.fingerprint().to_owned(),
        training_steps,
        budget: auto.budget,
        rungs,
        score: if autoencodes { "negative bound" } else { "crps" }.to_owned(),
        trials: Vec::new(),
        chosen: None,
    };
    let Some(kept) = directory.read_search()? else { return Ok(new) };
    if kept.data != new.data {
        return Err(refused(directory, "belongs to a search on other data".to_owned()));
    }
    let bare = NoiseSearch { trials: Vec::new(), chosen: None, ..kept.clone() };
    let named = |trial: &Trial| candidates::names().any(|name| name == trial.candidate);
    if bare != new || !kept.trials.iter().all(named) {
        return Err(refused(
            directory,
            "is the record of another search than the config asks for".to_owned(),
        ));
    }
    Ok(kept)
}

/// The config, the data and the directory of a trial.
struct TrialSetup<'a> {
    config: &'a Config,
    source: &'a Source,
    directory: &'a RunDirectory,
    /// Number of the rung, from 1.
    rung: usize,
}

impl TrialSetup<'_> {
    /// Trains a candidate, or continues its training, and scores it.
    fn train(
        &self,
        rung: &Rung,
        candidate: &Candidate,
        control: &Control,
        watch: &mut dyn FnMut(usize),
    ) -> Result<Trial, TrainError> {
        let TrialSetup { config: whole, source, directory, rung: number } = *self;
        let name = candidate.name;
        let _span = tracing::info_span!("trial", rung = number, candidate = name).entered();
        let per_epoch = whole.train.steps_of_epoch(source.windows(Part::Train).count());
        let (config, pace) = shortened(rung, whole, candidate, per_epoch);
        let run = directory.create_in(&directory.search().join(format!("{number}-{name}")))?;
        let checkpoint = Checkpoint::read(&run.checkpoint(), source.fingerprint())?;
        let forecaster = initialize::forecaster(&config, source)?;
        let mut forecaster = forecaster.with_pace(pace);
        let job = Job { config: &config, source, naive_crps: None, run: &run };
        let mut steps = checkpoint.as_ref().map_or(0, Checkpoint::step);
        let mut step = |progress: Progress| {
            if let Progress::Step { .. } = progress {
                steps += 1;
                watch(steps);
            }
        };
        let control = control.clone().write_events(false);
        let fitted = fit(&job, &mut forecaster, checkpoint, &control, &mut step);
        let fitted = fitted.map_err(|error| match error {
            TrainError::Interrupted { step, .. } => {
                TrainError::InterruptedSearch { candidate: name, rung: number, step }
            }
            other => other,
        })?;
        let Fitted { steps, diverged, .. } = fitted;
        let windows = match diverged {
            None => no_grad(|| window_scores(&job, &forecaster, control.group()))?,
            Some(_) => Vec::new(),
        };
        let score = stats::mean_of_finite(windows.iter().copied());
        tracing::debug!(steps, score, "scored");
        let windows = windows.into_iter().map(|score| score.is_finite().then_some(score)).collect();
        Ok(Trial { rung: number, candidate: name.to_owned(), steps, score, windows })
    }

    /// Removes the files of the training, whose result has been written.
    fn clear(&self) -> Result<(), TrainError> {
        let path = self.directory.search();
        Ok(fs::remove_dir_all(&path).map_err(RecordError::writing(&path))?)
    }
}

fn refused(directory: &RunDirectory, reason: String) -> TrainError {
    let hint = "run `ballast train` with the config and data that the search began with, or train again in another directory";
    RecordError::Refused { path: directory.noise(), reason, hint: hint.to_owned() }.into()
}
