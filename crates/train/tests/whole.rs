//! The candidates of a selection, the refit on all rows, and the files that say what was chosen.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use feed::Part;
use record::RunInfo;
use tch::Device;
use train::{Config, Control, Loaded, RunOptions, TrainError, load, prepare};

/// Tests take turns, since the generator of libtorch belongs to the process.
static TURN: Mutex<()> = Mutex::new(());

/// A table of `rows` rows, and a config for it with some lines of its tables `[data]`, `[model]` and `[train]`.
fn config(folder: &Path, rows: usize, [data, model, train]: [&str; 3]) -> Config {
    let mut text = String::from("day,a\n");
    for row in 0..rows {
        let x = row as f64;
        let _ = writeln!(text, "{row},{}", (x / 3.0).sin() + 0.3 * (x * 1.7).sin());
    }
    fs::write(folder.join("data.csv"), text).unwrap();
    let text = format!(
        "seed = 3\n[data]\npath = \"{}\"\ncontext = 8\nhorizon = 4\n{data}\n[noise]\nschedule = \"none\"\n\
        [model]\nhidden = 8\n{model}\n[objective]\nkl_weight = 1.0\n\
        [train]\nbatch_size = 16\nvalidation_samples = 10\n{train}\n",
        folder.join("data.csv").display()
    );
    Config::parse(&text, "test", &[]).unwrap()
}

fn train(config: &Config, run: &Path) -> Result<RunInfo, TrainError> {
    prepare(config, run, RunOptions::default())?.run(&Control::default(), &mut |_| {})
}

/// Steps that make everything worse leave the start as the best: it is kept, and the refit is the start on all rows.
#[test]
fn the_start_is_a_candidate() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let lines = "epochs = 2\nsteps_per_epoch = 8\nlearning_rate = 1.0\nema_decay = 0.0\n\
        validate_early = true";
    let config = config(folder.path(), 160, ["", "", lines]);
    let run = folder.path().join("run");
    let info = train(&config, &run).unwrap();
    assert_eq!((info.fitted.best_epoch, info.fitted.best_step), (0, 0));
    assert_eq!((info.fitted.epochs, info.fitted.steps), (2, 16));
    let refit = info.refit.as_ref().unwrap();
    assert_eq!((refit.steps, refit.rows), (0, 160));
    let loaded = Loaded::open(&run).unwrap();
    assert_eq!(loaded.directory.read_epochs().unwrap().len(), 1 + 3 + 2);
    let best = &loaded.directory.read_epochs().unwrap()[0];
    assert!(best.best && best.epoch == 0 && best.step == 0);
    assert_eq!(best.validation_crps, info.fitted.best_validation);
    // Oracle: the start of a training that keeps its last weights after no step that matters.
    let mut still = config.clone();
    (still.train.epochs, still.train.steps_per_epoch) = (1, 1);
    (still.train.learning_rate, still.train.keep) = (1e-60, train::Keep::Last);
    let other = folder.path().join("still");
    train(&still, &other).unwrap();
    for weights in ["model.safetensors", "refit.safetensors"] {
        assert_eq!(fs::read(run.join(weights)).unwrap(), fs::read(other.join(weights)).unwrap());
    }
}

/// Early validations have no effect on the steps.
#[test]
fn early_validations_change_no_step() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let weights = |early: bool| {
        let lines = format!(
            "epochs = 2\nsteps_per_epoch = 8\nkeep = \"both\"\nrefit = false\nvalidate_early = {early}"
        );
        let config = config(folder.path(), 160, ["", "", &lines]);
        let run = folder.path().join(format!("early-{early}"));
        let info = train(&config, &run).unwrap();
        assert!(info.refit.is_none() && !run.join("refit.safetensors").exists());
        fs::read(run.join("last.safetensors")).unwrap()
    };
    assert_eq!(weights(true), weights(false));
}

/// Oracle: a training on all rows, of the same number of steps; it has the same bits, and its scaler the same numbers.
#[test]
fn a_refit_is_a_training_on_all_rows() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let lines = |steps: usize| {
        format!(
            "epochs = 1\nsteps_per_epoch = {steps}\nkeep = \"last\"\nridge_start = false\nchoose_instance_norm = false\n\
            learning_rate_schedule = \"constant\""
        )
    };
    // Of 160 rows, 112 train: 101 windows; all rows have 149. 20 steps become 29.5, that is 30.
    let part = config(folder.path(), 160, ["", "", &lines(20)]);
    let all = ["split = { train = 1.0, validation = 0, test = 0 }", "", &lines(30)];
    let all = config(folder.path(), 160, all);
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (first, second) = (train(&part, &one).unwrap(), train(&all, &other).unwrap());
    let refit = first.refit.unwrap();
    assert_eq!((refit.steps, refit.windows), (30, 149));
    assert_eq!(refit.pipeline.scaler(), second.pipeline.scaler());
    assert_eq!(refit.limits, second.limits);
    assert_ne!(first.pipeline.scaler(), second.pipeline.scaler());
    let read = |path: &Path, file| fs::read(path.join(file)).unwrap();
    assert_eq!(read(&one, "refit.safetensors"), read(&other, "model.safetensors"));
    // Without other parts the refit is the training again.
    assert_eq!(read(&other, "refit.safetensors"), read(&other, "model.safetensors"));
    // A test part may be missing alone.
    let rows = config(folder.path(), 160, ["split = { rows = [130, 30, 0] }", "", "epochs = 1"]);
    train(&rows, &folder.path().join("rows")).unwrap();
}

#[test]
fn a_selection_needs_validation_windows() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let all = "split = { train = 1.0, validation = 0, test = 0 }";
    let config = config(folder.path(), 60, [all, "", ""]);
    let error = prepare(&config, &folder.path().join("run"), RunOptions::default()).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    let text = error.to_string();
    assert!(text.contains("there are none") && text.contains("train.keep = \"last\""), "{text}");
    let source = load(&config, Device::Cpu).unwrap();
    let error = source.required(Part::Test).unwrap_err().to_string();
    assert!(error.contains("the test part is empty"), "{error}");
}

/// `config.toml` has the length and the normalization that were chosen, and gives the same weights; both it and what
/// was asked for name the same run.
#[test]
fn the_written_config_reproduces_the_run() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    // Whole waves: the level of a context says nothing, and windows without normalization are easier to forecast.
    let config = config(folder.path(), 400, ["", "", "max_steps = 20"]);
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let info = train(&config, &one).unwrap();
    let written = Config::load(&one.join("config.toml"), &[]).unwrap();
    assert_eq!((written.train.epochs, written.train.steps_per_epoch), (20, 1));
    assert_eq!(Some(written.model.instance_norm), info.instance_norm);
    assert!(written.train.validate_early && !written.train.choose_instance_norm);
    train(&written, &other).unwrap();
    for weights in ["model.safetensors", "refit.safetensors", "config.toml", "metrics.jsonl"] {
        assert_eq!(fs::read(one.join(weights)).unwrap(), fs::read(other.join(weights)).unwrap());
    }
    let done = |config: &Config, run: &Path| {
        prepare(config, run, RunOptions::default()).map(|run| run.already_done().is_some())
    };
    assert!(done(&config, &one).unwrap() && done(&written, &one).unwrap());
    let another = Config { seed: 4, ..config.clone() };
    assert_eq!(done(&another, &one).unwrap_err().exit_code(), 2);
    let run = Loaded::open(&one).unwrap();
    assert!(run.asked == config && run.config == written);
}
