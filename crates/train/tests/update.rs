//! Updates of a finished run with newer rows.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use feed::{Part, Selection, Source, Stream, seed};
use tch::{Device, Kind, Tensor};
use train::{
    AdamW, Config, Control, Flat, Loaded, RunOptions, TrainError, Updated, prepare, update,
};

/// Tests take turns, since the generator of libtorch belongs to the process.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a table with the rows from `first` to `last`; the value of row `revised` is not what it was.
fn table(path: &Path, rows: std::ops::Range<usize>, revised: Option<usize>) -> PathBuf {
    let mut text = String::from("day,a\n");
    for row in rows {
        let x = row as f64;
        let value = (x / 3.0).sin() + 0.3 * (x * 1.7).sin();
        let value = if revised == Some(row) { value + 0.5 } else { value };
        let _ = writeln!(text, "{row},{value}");
    }
    fs::write(path, text).unwrap();
    path.to_owned()
}

/// A finished run on 160 rows, and its config.
fn run(folder: &Path, train: &str) -> (Config, PathBuf) {
    let data = table(&folder.join("data.csv"), 0..160, None);
    let text = format!(
        "seed = 3\n[data]\npath = \"{}\"\ncontext = 8\nhorizon = 4\n[noise]\nschedule = \"none\"\n\
        [model]\nhidden = 8\n[objective]\nkl_weight = 1.0\n\
        [train]\nbatch_size = 16\nvalidation_samples = 10\nchoose_instance_norm = false\n{train}\n",
        data.display()
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let path = folder.join("run");
    let training = prepare(&config, &path, RunOptions::default()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    (config, path)
}

/// A copy of the files of a run.
fn copy(run: &Path, to: &str) -> PathBuf {
    let other = run.with_file_name(to);
    fs::create_dir(&other).unwrap();
    for entry in fs::read_dir(run).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
    }
    other
}

fn updated(run: &Path, input: &Path) -> Result<Updated, TrainError> {
    let mut observe = |done, of| assert!(done <= of);
    update(run, input, &[], RunOptions::default(), &Control::default(), &mut observe)
}

fn weights(run: &Path, file: &str) -> Vec<u8> {
    fs::read(run.join(file)).unwrap()
}

const LAST: &str =
    "epochs = 2\nsteps_per_epoch = 10\nkeep = \"last\"\nlearning_rate_schedule = \"constant\"";

#[test]
fn newer_rows_go_into_the_weights_that_forecast() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run(folder.path(), LAST);
    let [again, without_rows] = ["again", "without-rows"].map(|name| copy(&run, name));
    fs::remove_file(without_rows.join("rows.json")).unwrap();
    let old = [weights(&run, "model.safetensors"), weights(&run, "refit.safetensors")];
    let scaler = Loaded::open(&run).unwrap().latest().pipeline().scaler().clone();
    let newer = table(&folder.path().join("newer.csv"), 0..200, Some(10));

    let found = updated(&run, &newer).unwrap();
    assert_eq!((found.added.len(), found.revised, found.known), (1, 1, 160));
    let added = &found.added[0];
    assert_eq!((added.rows, &*added.first, &*added.last), (40, "160", "199"));
    let update = found.update.unwrap();
    assert_eq!((update.rows_before, update.rows, update.windows), (160, 200, 189));
    // Oracle: by hand. 20 steps over 101 windows are 29.5 over all 149: 30. Of 189 windows 40 are new: 30 · 40 / 149 is 8,
    // and a pass takes 189 / 16, that is 12.
    assert_eq!((update.added_windows, update.steps, update.filled), (40, 12, 0));
    let scores = update.scores.unwrap();
    assert!(scores.before > 0.0 && scores.after > 0.0 && scores.naive > 0.0, "{scores:?}");
    assert_eq!(scores.windows, 40);

    let new = weights(&run, "updates/1/model.safetensors");
    assert_ne!(new, old[1]);
    assert_eq!(weights(&run, "model.safetensors"), old[0]);
    assert_eq!(weights(&run, "refit.safetensors"), old[1]);
    let loaded = Loaded::open(&run).unwrap();
    assert_eq!(loaded.latest().refitted_on(), Some(200));
    assert_eq!(loaded.honest().refitted_on(), None);
    assert_eq!(*loaded.latest().pipeline().scaler(), scaler);

    // The same again on a copy, and on a run that did not record its rows.
    for other in [again, without_rows] {
        updated(&other, &newer).unwrap();
        assert_eq!(weights(&other, "updates/1/model.safetensors"), new);
        let read = |run| Loaded::open(run).unwrap().info.updates;
        assert_eq!(read(&other), read(&run));
    }
    // The same rows once more change nothing.
    let before = weights(&run, "run.json");
    let nothing = updated(&run, &newer).unwrap();
    assert_eq!((nothing.update, nothing.revised, nothing.known), (None, 0, 200));
    assert_eq!(weights(&run, "run.json"), before);
    // A second update starts from the first, in place of which it is kept.
    let newest = table(&folder.path().join("newest.csv"), 0..203, Some(10));
    let found = updated(&run, &newest).unwrap();
    assert_eq!((found.added[0].rows, found.revised), (3, 0));
    assert!(!run.join("updates/1").exists() && run.join("updates/2/model.safetensors").exists());
    assert_eq!(Loaded::open(&run).unwrap().latest().refitted_on(), Some(203));
    // Training again forgets the updates.
    let text = fs::read_to_string(run.join("config.toml")).unwrap();
    let config = Config::parse(&text, "test", &[]).unwrap();
    fs::remove_file(run.join("refit.safetensors")).unwrap();
    let training = prepare(&config, &run, RunOptions::default()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    assert!(Loaded::open(&run).unwrap().info.updates.is_empty() && !run.join("updates").exists());
}

/// Oracle: a loop by hand that goes on from the weights of the refit, on a table that is scaled by hand.
#[test]
fn an_update_is_a_training_that_goes_on() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (config, path) = run(folder.path(), &format!("{LAST}\nema_decay = 0.0"));
    let newer = table(&folder.path().join("data.csv"), 0..200, None);
    let run = Loaded::open(&path).unwrap();
    let affine = run.latest().pipeline().scaler().affine(0, 0).unwrap();
    let whole = data::DataConfig {
        split: data::SplitConfig::Fractions { train: 1.0, validation: 0.0, test: 0.0 },
        scale: data::ScaleConfig { kind: data::ScaleKind::None, ..Default::default() },
        ..config.data.clone()
    };
    let raw = Source::load(&whole, Selection::default(), Device::Cpu).unwrap();
    let forecaster = run.latest().forecaster(raw.panel()).unwrap();
    let flat = Flat::new(forecaster.store()).unwrap();
    let mut optimizer = AdamW::new(&flat, &config.train).unwrap();
    let mut left = 12;
    seed(3 + (1 << 32), Stream::Epoch(1));
    let order = Tensor::randperm(raw.windows(Part::Train).count(), (Kind::Int64, Device::Cpu));
    for indices in order.split(16, 0) {
        let first_rows = raw.windows(Part::Train).first_rows_of(&indices).unwrap();
        let mut batch = raw.panel().gather(&first_rows).unwrap();
        for values in [&mut batch.context, &mut batch.target] {
            let scaled = (values.to_kind(Kind::Double) - affine.center) / affine.spread;
            *values = scaled.to_kind(Kind::Float);
        }
        flat.zero_gradients();
        let terms = forecaster.training_terms(&batch, 0).unwrap();
        terms.loss.backward();
        let _norm = optimizer.step(&flat, &terms.loss, config.train.learning_rate).unwrap();
        left -= 1;
    }
    assert_eq!(left, 0);
    updated(&path, &newer).unwrap();
    let run = Loaded::open(&path).unwrap();
    let found = Flat::new(run.latest().forecaster(raw.panel()).unwrap().store()).unwrap();
    assert_eq!(found.parameters(), flat.parameters());
}

/// A stop after each step, and an interrupted update on other rows in between, change no bit.
#[test]
fn an_interrupted_update_goes_on() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run(folder.path(), LAST);
    let other = copy(&run, "other");
    let newer = table(&folder.path().join("newer.csv"), 0..200, None);
    let more = table(&folder.path().join("more.csv"), 0..210, None);
    updated(&run, &newer).unwrap();
    let stopping = |input: &Path| {
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop));
        let mut observe = |_, _| stop.store(true, Ordering::Relaxed);
        update(&other, input, &[], RunOptions::default(), &control, &mut observe)
    };
    let mut stops = 0;
    while let Err(error) = stopping(&newer) {
        assert_eq!(error.exit_code(), 75, "{error}");
        assert_eq!(Loaded::open(&other).unwrap().latest().refitted_on(), Some(160));
        stops += 1;
        if stops == 5 {
            stopping(&more).unwrap_err();
        }
    }
    assert_eq!(stops, 12);
    let file = "updates/1/model.safetensors";
    assert_eq!(weights(&run, file), weights(&other, file));
    assert_eq!(fs::read_dir(other.join("updates/1")).unwrap().count(), 2);
}

/// Without a refit the honest weights go on; they stay as they are.
#[test]
fn a_run_without_a_refit_can_be_updated() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run(folder.path(), &format!("{LAST}\nrefit = false"));
    let honest = weights(&run, "model.safetensors");
    let newer = table(&folder.path().join("newer.csv"), 0..162, None);
    let update = updated(&run, &newer).unwrap().update.unwrap();
    assert_eq!((update.rows, update.added_windows, update.steps), (162, 2, 10));
    assert_eq!(weights(&run, "model.safetensors"), honest);
    assert_ne!(weights(&run, "updates/1/model.safetensors"), honest);
    assert_eq!(Loaded::open(&run).unwrap().latest().refitted_on(), Some(162));
}

#[test]
fn other_tables_are_refused() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = run(folder.path(), LAST);
    let input = folder.path().join("newer.csv");
    let before = weights(&run, "run.json");
    let refused = |run: &Path, words: &str| {
        let error = updated(run, &input).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 65, "{text}");
        assert!(text.contains(words) && text.contains("hint: "), "{text}");
    };
    table(&input, 0..150, None);
    refused(&run, "has 150 rows, and the model knows 160");
    table(&input, 20..200, None);
    refused(&run, "is at 20, and in the training it was at 0");
    fs::write(&input, "day,b\n0,1\n1,2\n2,3\n").unwrap();
    refused(&run, "`a`");
    fs::write(&input, "day,a\n0,1\n1,x\n2,3\n").unwrap();
    refused(&run, "x");
    fs::remove_file(&input).unwrap();
    assert_eq!(updated(&run, &input).unwrap_err().exit_code(), 66);
    table(&input, 0..160, Some(4));
    let nothing = updated(&run, &input).unwrap();
    assert!(nothing.update.is_none() && nothing.added.is_empty());
    assert_eq!((nothing.revised, nothing.known), (1, 160));
    let set = ["data.horizon=3".to_owned()];
    let (options, control) = (RunOptions::default(), Control::default());
    let error = update(&run, &input, &set, options, &control, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert_eq!(weights(&run, "run.json"), before);
    assert!(!run.join("updates").exists());
    assert_eq!(updated(&folder.path().join("none"), &input).unwrap_err().exit_code(), 66);
}
