//! A training that is stopped and continued gives the same bits as one that runs through.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use train::{Config, Control, Progress, RunOptions, RunProgress, TrainError, prepare};

/// Trainings take turns, since the generator of libtorch belongs to the process.
static TURN: Mutex<()> = Mutex::new(());

fn data(folder: &Path) {
    let mut text = String::from("day,a,b\n");
    for row in 0..160 {
        let x = f64::from(row);
        let wave = (x / 3.0).sin() + 0.3 * (x * 1.7).sin();
        let _ = writeln!(text, "{row},{wave},{}", 0.5 * wave + (x * 2.3).cos());
    }
    fs::write(folder.join("data.csv"), text).unwrap();
}

/// The config of a plain training; `table` overrides its keys.
fn plain(table: &str) -> String {
    let keys = [
        "ridge_start = false",
        "choose_instance_norm = false",
        "steps_per_epoch = 0",
        "learning_rate_schedule = \"constant\"",
        "weight_decay = 0.0",
        "ema_decay = 0.0",
        "patience = 10",
    ];
    let overridden =
        |line: &&str| table.lines().any(|other| other.split(' ').next() == line.split(' ').next());
    let rest: Vec<&str> = keys.into_iter().filter(|line| !overridden(line)).collect();
    format!("{table}\n{}", rest.join("\n"))
}

fn config(folder: &Path, kind: &str, train: &str) -> Config {
    let text = format!(
        r#"
seed = 3
[data]
path = "{}"
time = "day"
context = 8
horizon = 4
[noise]
schedule = "linear"
steps = 20
beta_end = 0.2
[model]
kind = "{kind}"
latent = 2
hidden = 8
dropout = 0.1
[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0
[train]
batch_size = 16
learning_rate = 0.01
validation_samples = 5
{}
"#,
        folder.join("data.csv").display(),
        plain(train)
    );
    Config::parse(&text, "test", &[]).unwrap()
}

/// Trains in `run`, stops after every `stops` steps, and continues with fresh state, as a new process would.
fn train(config: &Config, run: &Path, stops: usize) -> usize {
    let mut starts = 0;
    loop {
        starts += 1;
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop)).save_every(Duration::MAX);
        let mut steps = 0;
        let mut observe = |progress: RunProgress| {
            if let RunProgress::Fit(Progress::Step { .. }) | RunProgress::Refit { .. } = progress {
                steps += 1;
                stop.store(steps == stops, Ordering::Relaxed);
            }
        };
        let training = prepare(config, run, RunOptions::default()).unwrap();
        assert_eq!(training.checkpoint().is_some(), starts > 1);
        match training.run(&control, &mut observe) {
            Ok(_) => return starts,
            Err(TrainError::Interrupted { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(starts < 1000, "it never ends");
    }
}

/// Weights, those of the refit too, metrics, and the checkpoint without its seconds.
fn left_behind(run: &Path) -> Vec<Vec<u8>> {
    let files = ["model.safetensors", "metrics.jsonl", "config.toml", "asked.toml"];
    let mut left: Vec<Vec<u8>> =
        files.iter().map(|file| fs::read(run.join(file)).unwrap()).collect();
    left.extend(fs::read(run.join("refit.safetensors")));
    assert!(!run.join("refit").exists(), "the state of a refit that has ended");
    let checkpoint = fs::read(run.join("checkpoint.safetensors")).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&checkpoint).unwrap();
    left.push(checkpoint[header + 8..].to_vec());
    let note = &metadata.metadata().as_ref().unwrap()["ballast"];
    let mut note: serde_json::Value = serde_json::from_str(note).unwrap();
    assert!(note["position"]["seconds"].take().as_f64().unwrap() > 0.0);
    assert_eq!(note["sha256"].take().as_str().unwrap().len(), 64);
    left.push(note.to_string().into_bytes());
    left
}

fn compare(kind: &str, train_table: &str, stops: &[usize]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let config = config(folder.path(), kind, train_table);
    let whole = folder.path().join("whole");
    assert_eq!(train(&config, &whole, usize::MAX), 1);
    let expected = left_behind(&whole);
    let refits = kind != "autoencode" && !train_table.contains("refit = false");
    assert_eq!(whole.join("refit.safetensors").exists(), refits);
    for &stops in stops {
        let run = folder.path().join(format!("stops-{stops}"));
        assert!(train(&config, &run, stops) > 1);
        assert!(left_behind(&run) == expected, "{kind}, stopped every {stops} steps");
        assert!(!run.join("lock").exists());
    }
}

const ALL: &str = r#"
epochs = 3
ema_decay = 0.9
learning_rate_schedule = "cosine"
warmup_steps = 5
ridge_start = true
weight_decay = 0.5
"#;

#[test]
fn every_kind_resumes_bit_for_bit() {
    for kind in ["autoencode", "predict", "conditional", "hierarchical"] {
        compare(kind, ALL, &[1, 5]);
    }
}

/// Early stopping, step decay, and epochs that are not one pass over the windows.
#[test]
fn early_stopping_resumes_bit_for_bit() {
    let train = "epochs = 12\npatience = 2\nsteps_per_epoch = 9\n\
        learning_rate_schedule = { step = { every = 2, factor = 0.5 } }";
    compare("conditional", train, &[4, 9, 10]);
    compare("conditional", &format!("{train}\nkeep = \"last\""), &[7]);
}

/// A training whose length follows from its windows, and which is validated before its first epoch ends.
#[test]
fn early_validations_resume_bit_for_bit() {
    compare("conditional", "epochs = 0\nmax_steps = 40\nsteps_per_epoch = 9", &[1, 5]);
    compare("predict", "epochs = 2\nvalidate_early = true\nsteps_per_epoch = 9", &[4, 11]);
}

const SEAL: files::Seal = files::Seal::after("\\\"sha256\\\":\\\"");

fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    SEAL.close(&mut bytes);
    bytes
}

/// A checkpoint with another value, as JSON, at the end of a path in its note.
fn with_note(whole: &[u8], path: &str, value: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&whole[8..8 + length]).unwrap();
    let text = header["__metadata__"]["ballast"].as_str().unwrap().to_owned();
    let old: serde_json::Value = serde_json::from_str(&text).unwrap();
    let at = format!("/{}", path.replace('.', "/"));
    let mut new = old.clone();
    *new.pointer_mut(&at).expect(path) = serde_json::from_str(value).unwrap();
    // The order of the keys decides where the seal is.
    let mut keys: Vec<String> = Vec::new();
    for key in ["format", "version", "sha256"] {
        keys.push(format!(
            "{}:{}",
            serde_json::json!(key),
            new.as_object_mut().unwrap().remove(key).unwrap()
        ));
    }
    let rest = new.to_string();
    let note = format!("{{{},{}", keys.join(","), &rest[1..]);
    header["__metadata__"]["ballast"] = note.into();
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, &whole[8 + length..]].concat()
}

/// Counters that no training of 3 epochs of 7 steps has after its first step.
const IMPOSSIBLE: [(&str, &str, &str); 17] = [
    ("position.step", "18446744073709551615", "of a training of 21"),
    ("position.step", "2", "is at step 2, which is not step 1 after 0 epochs of 7"),
    ("position.epochs", "18446744073709551615", "after 18446744073709551615 epochs"),
    ("position.epochs", "3", "after 3 epochs"),
    ("position.done", "18446744073709551615", "of an epoch of 7"),
    ("position.best_epoch", "7", "selected epoch 7"),
    ("position.best_step", "1", "selected epoch 0, step 1, and is at step 1"),
    ("position.selected", "true", "selected epoch 0, which it does not know"),
    ("position.skipped", "18446744073709551615", "counters that no training has"),
    ("position.seconds", "-1", "counters that no training has"),
    ("tally.steps", "18446744073709551615", "steps at step 1"),
    ("tally.windows", "9223372036854775807", "9223372036854775807 windows"),
    ("tally.windows", "-5", "-5 windows"),
    ("tally.streak", "18446744073709551615", "in a row"),
    ("tally.worst", "{\"length\":99,\"first\":7}", "in a row"),
    ("tally.worst", "{\"length\":1,\"first\":18446744073709551615}", "in a row"),
    ("layout", "[[\"w\",[0,9223372036854775807]]]", "where the config asks for"),
];

/// A stopped training whose state is not finite has nothing to go on from, and says so.
#[test]
fn a_state_that_is_not_finite_is_not_called_saved() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let run = folder.path().join("run");
    let config = config(folder.path(), "conditional", "epochs = 3\nclip_norm = 0");
    let mut wild = config.clone();
    wild.train.learning_rate = 1e39;
    for refit in [false, true] {
        wild.train.refit = refit;
        let training = prepare(&wild, &run, RunOptions::default()).unwrap();
        let control = Control::new(Arc::new(AtomicBool::new(true)));
        let error = training.run(&control, &mut |_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.to_string().contains("the state of the optimizer is not finite"), "{error}");
        assert!(!run.join("checkpoint.safetensors").exists());
    }
}

/// Stops at random moments, most of them in the middle of a validation, which is then done again.
#[test]
fn interrupted_validations_resume_bit_for_bit() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let table = "epochs = 0\nmax_steps = 6\nsteps_per_epoch = 6\nema_decay = 0.9";
    let mut config = config(folder.path(), "conditional", table);
    config.train.validation_samples = 3000;
    let whole = folder.path().join("whole");
    train(&config, &whole, usize::MAX);
    let run = folder.path().join("run");
    let (mut validating, mut pause) = (0, 1);
    loop {
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop)).save_every(Duration::MAX);
        let alarm = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(pause));
            stop.store(true, Ordering::Relaxed);
        });
        let mut stepped = false;
        let training = prepare(&config, &run, RunOptions::default()).unwrap();
        let from = training.checkpoint().map(|checkpoint| checkpoint.step());
        let ended = training.run(&control, &mut |progress| {
            stepped |= matches!(progress, RunProgress::Fit(Progress::Step { .. }));
        });
        alarm.join().unwrap();
        match ended {
            Ok(_) => break,
            Err(TrainError::Interrupted { step, .. }) => {
                // No step was taken, so that it can only have been a validation.
                validating += usize::from(from == Some(step) && !stepped);
            }
            Err(error) => panic!("{error}"),
        }
        pause += pause / 4 + 1;
    }
    assert!(validating > 0, "no validation was interrupted");
    assert!(left_behind(&run) == left_behind(&whole));
}

/// A training refuses to continue from a checkpoint that was damaged or altered in any of these ways.
#[test]
fn an_altered_checkpoint_is_refused_with_its_reason() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let run = folder.path().join("run");
    let config = config(folder.path(), "conditional", "epochs = 3");
    let stop = Arc::new(AtomicBool::new(true));
    let saves = || Control::new(Arc::clone(&stop));
    let start = |config: &Config| {
        prepare(config, &run, RunOptions::default())?.run(&saves(), &mut |_| {}).map(drop)
    };
    let interrupted = start(&config).unwrap_err();
    assert_eq!(interrupted.exit_code(), 75, "{interrupted}");
    let path = run.join("checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    // With its seal closed again, as somebody would who means it.
    let refused = |bytes: &[u8], expected: &str| {
        let bytes = sealed(bytes);
        fs::write(&path, &bytes).unwrap();
        let error = start(&config).unwrap_err();
        assert_eq!(error.exit_code(), 65, "{error}");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("checkpoint.safetensors"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "it is left for whoever wants to look");
    };
    refused(&whole[..whole.len() / 2], "is not a complete safetensors file");
    refused(&whole[..5], "is not a complete safetensors file");
    refused(b"", "is not a complete safetensors file");
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "the header keeps its length");
        let from = from.as_bytes();
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        let mut altered = whole.clone();
        altered[at..at + from.len()].copy_from_slice(to.as_bytes());
        altered
    };
    refused(&text(r#"\"version\":2"#, r#"\"version\":9"#), "of version 9");
    refused(&text("ballast checkpoint", "bullish checkpoint"), "bullish checkpoint");
    refused(&text("encoder", "encoded"), "encoded");
    refused(&text(r#"\"done\":1"#, r#"\"done\":9"#), "at step 9 of an epoch of 7");
    refused(&text(r#""dtype":"U8""#, r#""dtype":"I8""#), "has the unsupported type I8");
    let generator = whole.len() - 5056;
    let mut torn = whole.clone();
    torn[generator..].fill(0x5a);
    refused(&torn, "its `generator`");
    for (key, value, expected) in IMPOSSIBLE {
        refused(&with_note(&whole, key, value), expected);
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 4;
    fs::write(&path, &flipped).unwrap();
    let error = start(&config).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    assert!(error.to_string().contains("its SHA-256 is not that"), "{error}");
    fs::write(&path, &whole).unwrap();
    let more = folder.path().join("data.csv");
    let rows = fs::read_to_string(&more).unwrap();
    fs::write(&more, rows + "160,0.5,0.5\n").unwrap();
    let error = start(&config).unwrap_err();
    assert!(error.to_string().contains("on other data"), "{error}");
}
