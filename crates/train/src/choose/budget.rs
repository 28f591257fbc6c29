//! The steps of a search, and their distribution over its rungs.

use record::Rung;

use crate::config::{Config, LearningRateSchedule, Noise, TrainConfig};
use crate::error::TrainError;

use super::candidates::{Candidate, NONE, names};

/// Ratio of the steps per candidate between a rung and the previous one.
const GROWTH: usize = 3;

/// Rungs that together take at most `budget · training` optimizer steps. No training of a rung is longer than one of
/// `table` with `per_epoch` steps per epoch.
///
/// ```text
/// noises     7 → 3 → 1, and no noise joins the last rung
/// steps      u, 3u, 9u,     u = ⌊budget · training / 34⌋,     7 + 3·3 + 2·9 = 34
/// ```
pub(crate) fn rungs(
    budget: f64,
    table: &TrainConfig,
    per_epoch: usize,
) -> Result<Vec<Rung>, TrainError> {
    let training = table.epochs * per_epoch;
    let mut entering = names().filter(|name| *name != NONE).count();
    let mut shape = Vec::new();
    while entering > 1 {
        shape.push((entering, entering / 2));
        entering /= 2;
    }
    shape.push((2, 1));
    let weight = |rung: usize| GROWTH.pow(rung as u32);
    let all: usize = shape.iter().enumerate().map(|(k, (count, _))| count * weight(k)).sum();
    let unit = (budget * training as f64 / all as f64) as usize;
    if unit == 0 {
        return Err(TrainError::Budget { budget, training, least: all });
    }
    let rung = |(k, (candidates, keeps)): (usize, (usize, usize))| {
        let steps = (unit * weight(k)).min(training);
        // Epochs in proportion give validation its share of the time, and each step size its share of the epochs.
        let sizes = step_sizes(table);
        let shares = steps as f64 / (per_epoch * sizes) as f64;
        let epochs = (shares.round().max(1.0) as usize * sizes).min(steps);
        Rung { candidates, keeps, epochs, steps: steps / epochs * epochs }
    };
    Ok(shape.into_iter().enumerate().map(rung).collect())
}

/// A training of `config` in the steps of a rung, and the number of steps of the full training that each of its steps
/// stands for. Step size, warm-up and KL weight go through their full schedules.
pub(crate) fn shortened(
    rung: &Rung,
    config: &Config,
    candidate: &Candidate,
    per_epoch: usize,
) -> (Config, f64) {
    let table = &config.train;
    let pace = (table.epochs * per_epoch) as f64 / rung.steps as f64;
    let schedule = match table.learning_rate_schedule {
        LearningRateSchedule::Step { factor, .. } => {
            let every = (rung.epochs / step_sizes(table)).max(1);
            LearningRateSchedule::Step { every, factor }
        }
        other => other,
    };
    let train = TrainConfig {
        epochs: rung.epochs,
        steps_per_epoch: rung.steps / rung.epochs,
        warmup_steps: (table.warmup_steps as f64 / pace).round() as usize,
        learning_rate_schedule: schedule,
        patience: 0,
        validate_early: false,
        ..table.clone()
    };
    let noise = Noise::Fixed(candidate.noise.clone());
    (Config { noise, train, ..config.clone() }, pace)
}

/// Number of step sizes that a training decays through, each for the same number of epochs.
fn step_sizes(table: &TrainConfig) -> usize {
    match table.learning_rate_schedule {
        LearningRateSchedule::Step { every, .. } => table.epochs.div_ceil(every),
        _ => 1,
    }
}

/// Total number of optimizer steps of all rungs.
pub(crate) fn total(rungs: &[Rung]) -> usize {
    rungs.iter().map(|rung| rung.candidates * rung.steps).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(epochs: usize) -> TrainConfig {
        TrainConfig { epochs, steps_per_epoch: 0, ..TrainConfig::default() }
    }

    /// Oracle: the steps by hand, and the upper bound for many budgets and lengths.
    #[test]
    fn the_budget_is_kept_to() {
        let found = rungs(1.0, &table(25), 100).unwrap();
        let by_hand = [(7, 3, 1, 73), (3, 1, 2, 218), (2, 1, 7, 651)]
            .map(|(candidates, keeps, epochs, steps)| Rung { candidates, keeps, epochs, steps });
        assert_eq!(found, by_hand);
        for (epochs, per_epoch) in [(1, 34), (3, 100), (60, 7), (17, 53)] {
            for budget in [0.05, 0.3, 1.0, 2.5, 10.0] {
                let training = epochs * per_epoch;
                let Ok(found) = rungs(budget, &table(epochs), per_epoch) else {
                    assert!(budget * (training as f64) < 34.0);
                    continue;
                };
                assert!(total(&found) as f64 <= budget * training as f64, "{found:?}");
                for Rung { epochs, steps, .. } in found {
                    assert!(steps > 0 && steps <= training && steps % epochs == 0);
                }
            }
        }
        let error = rungs(0.5, &table(6), 10).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(
            text.contains("`noise.auto.budget = 0.5` allows 30 of 60") && text.contains("0.567"),
            "{text}"
        );
    }

    /// Oracle: at the same share of a training, the step size is that of the full training.
    #[test]
    fn a_short_training_goes_through_the_whole_schedule() {
        let data = "[data]\nsource = \"seattle-weather\"\ncontext = 28\nhorizon = 7\n";
        for schedule in ["\"cosine\"", "{ step = { every = 5, factor = 0.5 } }"] {
            let train = format!(
                "[train]\nepochs = 20\nsteps_per_epoch = 0\nwarmup_steps = 200\nlearning_rate_schedule = {schedule}\n"
            );
            let config = Config::parse(&format!("{data}{train}"), "test", &[]).unwrap();
            let rung = *rungs(1.7, &config.train, 100).unwrap().last().unwrap();
            let candidate = &crate::choose::candidates()[0];
            let (short, pace) = shortened(&rung, &config, candidate, 100);
            assert_eq!(short.train.epochs * short.train.steps_per_epoch, rung.steps);
            assert!((pace * rung.steps as f64 - 2000.0).abs() < 1e-9);
            for share in [0.02, 0.05, 0.13, 0.3, 0.6, 0.8, 0.98] {
                let whole = config.train.learning_rate_at((share * 2000.0) as usize, 100);
                let step = (share * rung.steps as f64) as usize;
                let found = short.train.learning_rate_at(step, short.train.steps_per_epoch);
                assert!((found / whole - 1.0).abs() < 0.05, "{schedule} {share}: {found} {whole}");
            }
        }
    }
}
