//! `noise = "auto"`: the candidates, the choice and its cost; an interrupted search ends like a whole one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evaluate::evaluate_run;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use record::NoiseSearch;
use train::{
    Config, Control, Progress, RunOptions, RunProgress, SearchProgress, TrainError, plan, prepare,
};

/// The whole process shares the generator of libtorch, so that trainings take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes one series as `data.csv`.
fn write(folder: &Path, values: impl IntoIterator<Item = f64>) {
    let mut text = String::from("row,x\n");
    for (row, value) in values.into_iter().enumerate() {
        let _ = writeln!(text, "{row},{value}");
    }
    fs::write(folder.join("data.csv"), text).unwrap();
}

fn config(folder: &Path, data: &str, rest: &str) -> Config {
    let text = format!(
        "seed = 5\n[data]\npath = \"{}\"\ntime = \"row\"\n{data}\n{rest}",
        folder.join("data.csv").display()
    );
    Config::parse(&text, "test", &["noise=auto".to_owned()]).unwrap()
}

/// Trains in `run`, interrupted after every `stops` steps of search or training; returns the steps of each.
fn train(config: &Config, run: &Path, stops: usize) -> [usize; 2] {
    let mut steps = [0, 0];
    loop {
        let before = steps[0] + steps[1];
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop)).save_every(Duration::MAX);
        let mut observe = |progress: RunProgress| {
            match progress {
                RunProgress::Search(SearchProgress::Step { .. }) => steps[0] += 1,
                RunProgress::Fit(Progress::Step { .. }) => steps[1] += 1,
                _ => return,
            }
            stop.store(steps[0] + steps[1] - before == stops, Ordering::Relaxed);
        };
        let training = prepare(config, run, RunOptions::default()).unwrap();
        match training.run(&control, &mut observe) {
            Ok(_) => return steps,
            Err(TrainError::Interrupted { .. } | TrainError::InterruptedSearch { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(steps[0] + steps[1] < 100_000, "it never ends");
    }
}

fn search(run: &Path) -> NoiseSearch {
    serde_json::from_slice(&fs::read(run.join("noise.json")).unwrap()).unwrap()
}

fn chosen(run: &Path) -> String {
    search(run).chosen.unwrap().candidate
}

/// A small model with a short search.
const SMALL: &str = r#"
[model]
kind = "KIND"
latent = 2
hidden = 8
dropout = 0.1
[objective]
likelihood = "gaussian"
kl_weight = { schedule = "linear", steps = 20 }
crps_weight = 0.0
[train]
epochs = 8
batch_size = 16
learning_rate = 0.01
learning_rate_schedule = "cosine"
ema_decay = 0.9
warmup_steps = 5
validation_samples = 5
ridge_start = true
choose_instance_norm = false
steps_per_epoch = 0
weight_decay = 0.0
patience = 10
"#;
const WINDOWS: &str = "context = 8\nhorizon = 4";

fn wave(rows: usize) -> impl Iterator<Item = f64> {
    (0..rows).map(|row| (row as f64 / 3.0).sin() + 0.3 * (row as f64 * 1.7).sin())
}

/// The files that a run leaves, without those that hold times.
fn left_behind(run: &Path) -> Vec<Vec<u8>> {
    ["noise.json", "model.safetensors", "metrics.jsonl", "config.toml"]
        .map(|file| fs::read(run.join(file)).unwrap())
        .into()
}

#[test]
fn a_search_resumes_bit_for_bit() {
    let _turn = turn();
    for kind in ["conditional", "autoencode"] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), wave(160));
        let config = config(folder.path(), WINDOWS, &SMALL.replace("KIND", kind));
        let planned = plan(&config, &folder.path().join("whole"), RunOptions::default()).unwrap();
        let whole = folder.path().join("whole");
        let [searched, trained] = train(&config, &whole, usize::MAX);
        assert_eq!(searched, planned.search_steps, "{kind}");
        assert!(searched <= planned.steps && trained <= planned.steps, "{kind}: over the budget");
        let noise = search(&whole);
        let of_trials: usize = noise.trials.iter().map(|trial| trial.steps).sum();
        assert_eq!((of_trials, noise.trials.len()), (searched, 12), "{kind}");
        assert!(noise.trials.iter().all(|trial| trial.score.is_some()), "{noise:?}");
        assert!(noise.trials.iter().any(|trial| trial.rung == 3 && trial.candidate == "none"));
        let expected = left_behind(&whole);
        for stops in [1, 7] {
            let run = folder.path().join(format!("stops-{stops}"));
            let [again, rest] = train(&config, &run, stops);
            // No step is trained twice, because each is saved and each trial continues.
            assert_eq!([again, rest], [searched, trained], "{kind}, every {stops} steps");
            assert!(left_behind(&run) == expected, "{kind}, stopped every {stops} steps");
            assert!(!run.join("search").exists());
        }
        // A search that is killed before its last two trials are written repeats them.
        let run = folder.path().join("killed");
        fs::create_dir(&run).unwrap();
        let open = NoiseSearch { trials: noise.trials[..10].to_vec(), chosen: None, ..noise };
        fs::write(run.join("noise.json"), serde_json::to_vec(&open).unwrap()).unwrap();
        fs::copy(whole.join("config.toml"), run.join("config.toml")).unwrap();
        assert!(train(&config, &run, usize::MAX)[0] < searched);
        assert!(left_behind(&run) == expected, "{kind}, killed");
    }
}

/// Oracle: the same training with the chosen table in its config.
#[test]
fn the_chosen_noise_is_trained_as_if_it_were_given() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), wave(160));
    let auto = config(folder.path(), WINDOWS, &SMALL.replace("KIND", "conditional"));
    let (run, given) = (folder.path().join("auto"), folder.path().join("given"));
    train(&auto, &run, usize::MAX);
    // The record of the choice is rewritten, so that each candidate is the chosen one once.
    for candidate in train::candidates() {
        let mut noise = search(&run);
        let choice = noise.chosen.as_mut().unwrap();
        choice.candidate = candidate.name.to_owned();
        choice.noise = serde_json::to_value(&candidate.noise).unwrap();
        for folder in [&run, &given] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir(folder).unwrap();
        }
        fs::write(run.join("noise.json"), serde_json::to_vec(&noise).unwrap()).unwrap();
        fs::write(run.join("config.toml"), auto.to_toml().unwrap()).unwrap();
        assert_eq!(train(&auto, &run, usize::MAX)[0], 0);
        let fixed = Config { noise: train::Noise::Fixed(candidate.noise), ..auto.clone() };
        train(&fixed, &given, usize::MAX);
        let weights = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
        assert!(weights(&run) == weights(&given), "{}", candidate.name);
        let scores = |run: &Path| {
            let evaluation = evaluate_run(run, RunOptions::default()).unwrap();
            (evaluation.forecasters[0].clone(), evaluation.noise)
        };
        assert_eq!(scores(&run), scores(&given), "{}", candidate.name);
    }
    let info = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(info.contains("noise: both-3, chosen in"), "{info}");
}

/// Other test rows change the hash of the file, and not a bit of the search.
#[test]
fn test_rows_do_not_choose() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let data = format!("{WINDOWS}\nsplit = {{ rows = [100, 30, 30] }}");
    let config = config(folder.path(), &data, &SMALL.replace("KIND", "conditional"));
    let mut found = ["as they are", "noise", "huge"].map(|kind| {
        let mut generator = StdRng::seed_from_u64(1);
        let rows = wave(160).enumerate().map(|(row, value)| match (row < 130, kind) {
            (true, _) | (_, "as they are") => value,
            (_, "noise") => generator.sample(StandardNormal),
            _ => 1e6 + row as f64,
        });
        write(folder.path(), rows);
        let run = folder.path().join(kind);
        train(&config, &run, usize::MAX);
        search(&run)
    });
    for other in 1..3 {
        assert_ne!(found[0].data, found[other].data, "another file");
        found[other].data = found[0].data.clone();
        assert_eq!(found[0], found[other]);
    }
    // The test can fail: one validation row changes the scores.
    write(folder.path(), wave(160).enumerate().map(|(k, v)| if k == 129 { v + 0.1 } else { v }));
    let run = folder.path().join("validation");
    train(&config, &run, usize::MAX);
    assert_ne!(search(&run).trials, found[0].trials);
}

/// A search on other data, of another version, or altered is refused.
#[test]
fn another_search_is_refused() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), wave(160));
    let config = config(folder.path(), WINDOWS, &SMALL.replace("KIND", "conditional"));
    let run = folder.path().join("run");
    let start = |config: &Config| {
        let control = Control::new(Arc::new(AtomicBool::new(true)));
        prepare(config, &run, RunOptions::default())?.run(&control, &mut |_| {}).map(drop)
    };
    let error = start(&config).unwrap_err();
    assert_eq!(error.exit_code(), 75);
    let expected = "after step 1 of candidate `plain`, in rung 1";
    assert!(error.to_string().contains(expected), "{error}");
    let other = Config { seed: 6, ..config.clone() };
    assert!(start(&other).unwrap_err().to_string().contains("another config"));
    let file = run.join("noise.json");
    let sealed = fs::read_to_string(&file).unwrap();
    // Without its seal, as an earlier version wrote it, so that its content is looked at.
    let seal = sealed.lines().nth(1).unwrap();
    assert!(seal.contains("sha256"), "{seal}");
    let whole = sealed.replacen(&format!("{seal}\n"), "", 1);
    for (from, to, expected) in [
        ("\"version\": 2", "\"version\": 9", "is of version 9"),
        ("\"data\": \"", "\"data\": \"0", "on other data"),
        ("\"candidates\": 7", "\"candidates\": 8", "of another search"),
        ("\"budget\": 1.0", "\"budget\": 2.0", "of another search"),
        ("\"rungs\"", "\"runs\"", "missing field `rungs`"),
    ] {
        assert!(whole.contains(from), "{whole}");
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let error = start(&config).unwrap_err();
        assert_eq!(error.exit_code(), 65, "{error}");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("noise.json"), "{text}");
    }
    fs::write(&file, whole).unwrap();
    assert_eq!(start(&config).unwrap_err().exit_code(), 75);
    let tiny = Config { train: train::TrainConfig { epochs: 1, ..config.train.clone() }, ..config };
    let error = plan(&tiny, &folder.path().join("tiny"), RunOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("`noise.auto.budget = 1`"), "{error}");
}

/// Twenty training windows of white noise, many passes over them, and the last weights are kept: without added noise
/// a network memorizes them.
#[test]
fn noise_is_chosen_where_nothing_else_keeps_from_overfitting() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let mut generator = StdRng::seed_from_u64(2);
    write(folder.path(), (0..400).map(|_| generator.sample::<f64, _>(StandardNormal)));
    let data = "context = 8\nhorizon = 4\nsplit = { rows = [31, 300, 60] }";
    let rest = r#"
[model]
kind = "conditional"
latent = 2
hidden = 64
instance_norm = false
dropout = 0.0
[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0
[train]
ridge_start = false
choose_instance_norm = false
learning_rate_schedule = "constant"
weight_decay = 0.0
ema_decay = 0.0
patience = 10
epochs = 6
steps_per_epoch = 200
batch_size = 20
learning_rate = 0.003
keep = "last"
validation_samples = 20
"#;
    let run = folder.path().join("run");
    train(&config(folder.path(), data, rest), &run, usize::MAX);
    let found = search(&run);
    assert_ne!(chosen(&run), "none", "{}", found.sentence());
}

/// A thousand windows of a wave that is determined by its past: noise can only blur it.
#[test]
fn no_noise_is_chosen_where_there_is_nothing_to_learn_by_heart() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), (0..1400).map(|row| (f64::from(row) / 3.0).sin()));
    let rest = r#"
[model]
kind = "conditional"
latent = 2
hidden = 32
instance_norm = false
dropout = 0.0
[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0
[train]
ridge_start = false
choose_instance_norm = false
learning_rate_schedule = "constant"
weight_decay = 0.0
ema_decay = 0.0
patience = 10
epochs = 6
steps_per_epoch = 200
batch_size = 32
learning_rate = 0.003
validation_samples = 20
"#;
    let run = folder.path().join("run");
    train(&config(folder.path(), WINDOWS, rest), &run, usize::MAX);
    let found = search(&run);
    assert_eq!(chosen(&run), "none", "{}", found.sentence());
    let difference = found.chosen.unwrap().difference.unwrap();
    assert!(difference.low > 0.0, "noise hurts, by more than chance: {difference:?}");
}
