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
    let refused = |bytes: &[u8], expected: &str| {
        fs::write(&path, bytes).unwrap();
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
    fs::write(&path, &whole).unwrap();
    let more = folder.path().join("data.csv");
    let rows = fs::read_to_string(&more).unwrap();
    fs::write(&more, rows + "160,0.5,0.5\n").unwrap();
    let error = start(&config).unwrap_err();
    assert!(error.to_string().contains("on other data"), "{error}");
}
