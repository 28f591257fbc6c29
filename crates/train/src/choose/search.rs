//! `noise = "auto"`: the noise of a training, chosen on validation windows within a budget of steps.
//!
//! Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): seven noises are trained for a short while, the
//! better ones for three times as long, and the best at last beside no noise at all. All see the same initial weights
//! and the same order of windows, and their step sizes and KL weights go through the whole schedule of the training
//! ([`Rung`]). A score is what selects epochs too, over the same validation windows and of the weights that
//! `train.keep` keeps: CRPS, or for `autoencode` the negative bound.
//!
//! The noise replaces no noise where it scores better in the last rung by more than the standard error of the paired
//! difference ([`stats::Difference`]). It is the best of seven on these very windows, and the luck of that is about one
//! standard error; no noise was not selected.
//!
//! Test windows are never looked at. What is finished stands in `noise.json`, and what is under way in `search/`.

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

/// A report of a search while it goes on.
#[derive(Debug)]
pub enum SearchProgress<'a> {
    /// A step of one of its trainings is done.
    Step {
        /// Steps of the search that are done.
        done: usize,
        /// Steps of all its trainings.
        of: usize,
    },
    /// The last trial so far is done.
    Trial(&'a NoiseSearch),
    /// The noise is chosen.
    Chosen(&'a NoiseSearch),
}

/// The config with the noise that a search has chosen.
///
/// # Errors
/// [`TrainError::Record`] if none was chosen yet, or it is no noise.
pub(crate) fn resolve(
    search: &NoiseSearch,
    config: &Config,
    directory: &RunDirectory,
) -> Result<Config, TrainError> {
    let open = || refused(directory, "holds a search that was not finished".to_owned());
    let chosen = search.chosen.as_ref().ok_or_else(open)?;
    let noise: NoiseConfig = serde_json::from_value(chosen.noise.clone())
        .map_err(|error| refused(directory, format!("its choice is no noise ({error})")))?;
    Ok(Config { noise: Noise::Fixed(noise), ..config.clone() })
}

/// The candidates that are trained in a rung, from 1: the best of the one before, in the order of the candidates;
/// no noise in the last.
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

/// The choice, when the last rung is done.
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

/// Searches, or goes on with a search, and returns it finished.
///
/// # Errors
/// [`TrainError::InterruptedSearch`] where `control` stopped it, [`TrainError::Budget`] if there are too few steps for
/// all candidates, [`TrainError::Record`] if `noise.json` is of another search.
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
                let place = Place { config, source, directory, rung: index + 1 };
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

/// The search as `noise.json` has it, or a new one.
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
        return Err(refused(directory, "is of a search on other data".to_owned()));
    }
    let bare = NoiseSearch { trials: Vec::new(), chosen: None, ..kept.clone() };
    let named = |trial: &Trial| candidates::names().any(|name| name == trial.candidate);
    if bare != new || !kept.trials.iter().all(named) {
        return Err(refused(directory, "is of another search than the config asks for".to_owned()));
    }
    Ok(kept)
}

/// Where and on what a candidate is trained.
struct Place<'a> {
    config: &'a Config,
    source: &'a Source,
    directory: &'a RunDirectory,
    /// From 1.
    rung: usize,
}

impl Place<'_> {
    /// Trains a candidate, or goes on with it, and scores it.
    fn train(
        &self,
        rung: &Rung,
        candidate: &Candidate,
        control: &Control,
        watch: &mut dyn FnMut(usize),
    ) -> Result<Trial, TrainError> {
        let Place { config: whole, source, directory, rung: number } = *self;
        let name = candidate.name;
        let _span = tracing::info_span!("trial", rung = number, candidate = name).entered();
        let per_epoch = whole.train.steps_of_epoch(source.windows(Part::Train).count());
        let (config, pace) = shortened(rung, whole, candidate, per_epoch);
        let run = RunDirectory::create(&directory.search().join(format!("{number}-{name}")))?;
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
            None => no_grad(|| window_scores(&job, &forecaster))?,
            Some(_) => Vec::new(),
        };
        let score = stats::mean_of_finite(windows.iter().copied());
        tracing::debug!(steps, score, "scored");
        let windows = windows.into_iter().map(|score| score.is_finite().then_some(score)).collect();
        Ok(Trial { rung: number, candidate: name.to_owned(), steps, score, windows })
    }

    /// Forgets the training, whose result is written.
    fn clear(&self) -> Result<(), TrainError> {
        let path = self.directory.search();
        Ok(fs::remove_dir_all(&path).map_err(RecordError::writing(&path))?)
    }
}

fn refused(directory: &RunDirectory, reason: String) -> TrainError {
    let hint = "run `ballast train` with the config and data it was begun with, or train again in another directory";
    RecordError::Refused { path: directory.noise(), reason, hint: hint.to_owned() }.into()
}
