//! Configs, checkpoints and run directories, which `train` reads. The last two bytes of an input choose the settings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed::{Part, Selection, Source};
use serde_json::Value;
use train::{Config, Control, Device, Loaded, RunOptions, TrainError, Training, prepare_panel};

use crate::targets::{LONGEST_MESSAGE, NEXT, folder, halves};

/// A training of a few steps.
const CONFIG: &str = "data = { path = 'fuzz.csv', context = 2, horizon = 1 }
    noise = { schedule = 'linear', steps = 2 }
    model = { hidden = 2, latent = 1 }
    train = { epochs = 2, steps_per_epoch = 2, batch_size = 4, validation_samples = 2, choose_instance_norm = false, ridge_start = false }";

/// The keys and words of configs, from their schema.
pub(crate) fn words() -> Vec<String> {
    fn collect(schema: &Value, words: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    words.extend(properties.keys().cloned());
                }
                let named = ["enum", "const", "default"].iter().filter_map(|key| object.get(*key));
                words.extend(named.map(ToString::to_string));
                object.values().for_each(|value| collect(value, words));
            }
            Value::Array(array) => array.iter().for_each(|value| collect(value, words)),
            _ => {}
        }
    }
    let mut words = BTreeSet::new();
    collect(&serde_json::to_value(train::schema()).expect("a schema is JSON"), &mut words);
    words.into_iter().collect()
}

/// Configs of the repository, and lines of `--set` after them.
pub(crate) fn configs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files =
        vec![root.join("configs/seattle-weather.toml"), root.join("configs/hierarchical.toml")];
    let corpus = std::fs::read_dir(root.join("fuzz/corpus/config")).expect("the corpus is there");
    files.extend(corpus.map(|entry| entry.unwrap().path()));
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Any text as a config, and lines after it as `--set`: what is read is written and read again as itself.
pub(crate) fn config(input: &[u8]) {
    let Some((content, _)) = input.split_last_chunk::<2>() else { return };
    let (text, sets) = halves(content);
    let text = String::from_utf8_lossy(text);
    let sets: Vec<String> = match sets.len() == content.len() {
        true => Vec::new(),
        false => String::from_utf8_lossy(sets).lines().map(str::to_owned).collect(),
    };
    match Config::parse(&text, "fuzz.toml", &sets) {
        Ok(config) => {
            let written = config.to_toml().expect("a config is TOML");
            let again =
                Config::parse(&written, "again.toml", &[]).expect("what was written is read");
            assert_eq!(again, config, "a config is read as itself");
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

fn panel(config: &Config) -> data::Panel {
    let mut table = "time,y\n".to_owned();
    for day in 1..=24 {
        table += &format!("2012-01-{day:02},{}\n", (day * 7 % 11) as f64 / 2.0);
    }
    data::read_bytes(table.as_bytes(), &config.data).expect("a plain table")
}

fn base() -> Config {
    Config::parse(CONFIG, "fuzz", &[]).expect("a legal config")
}

fn prepared(config: &Config, path: &Path) -> Result<Training, TrainError> {
    prepare_panel(config, panel(&base()), path, RunOptions::default())
}

/// Trains in a directory, one step only if `stop`.
fn trained(training: Training, stop: bool) -> Result<(), TrainError> {
    let control = Control::default().write_events(false).save_every(Duration::MAX);
    let control = if stop { control.max_time(Duration::ZERO) } else { control };
    training.run(&control, &mut |_| {}).map(drop)
}

/// An error that a damaged file leads to: never one that says "this is a bug".
fn expected(error: &TrainError) {
    assert!([2, 3, 65, 66, 69, 75].contains(&error.exit_code()), "{}: {error}", error.exit_code());
    assert!(error.to_string().len() < LONGEST_MESSAGE);
}

/// A fresh folder of this thread.
fn fresh(name: &str) -> PathBuf {
    let path = folder().join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

/// The directories that a training leaves after each of its steps, the last one finished.
fn stages() -> Vec<Vec<(String, Vec<u8>)>> {
    let path = fresh("stages");
    let mut stages = Vec::new();
    loop {
        let done = trained(prepared(&base(), &path).expect("a training starts"), true);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                files.push((name, std::fs::read(entry.path()).unwrap()));
            }
        }
        files.sort();
        stages.push(files);
        match done {
            Ok(()) => return stages,
            Err(TrainError::Interrupted { .. }) => assert!(stages.len() < 100, "it goes on"),
            Err(error) => panic!("{error}"),
        }
    }
}

const CHECKPOINT: &str = "checkpoint.safetensors";

/// The header of a safetensors file, and its tensors.
fn parts(file: &[u8]) -> (Value, &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().expect("a header's length");
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).expect("a header"), tensors)
}

/// The checkpoint of a stage.
fn saved(stage: &[(String, Vec<u8>)]) -> Option<&[u8]> {
    stage.iter().find(|(name, _)| name == CHECKPOINT).map(|(_, file)| file.as_slice())
}

/// The notes of the checkpoints of a training, and of each the parts without the names of parameters, which are most of it.
/// The wall time, which differs between repetitions, is one second.
pub(crate) fn notes() -> Vec<Vec<u8>> {
    let note = |stage: &Vec<_>| {
        let mut note = note(&parts(saved(stage)?).0);
        note["position"]["seconds"] = 1.0.into();
        let mut counters = note.clone();
        let parts = counters.as_object_mut().expect("a note is an object");
        parts.retain(|_, part| part.is_object() || part.is_array());
        parts.remove("layout");
        parts.values_mut().for_each(shorten);
        Some([note, counters].map(|part| part.to_string().into_bytes()))
    };
    let mut notes: Vec<_> = stages().iter().filter_map(note).flatten().collect();
    notes.sort();
    notes.dedup();
    notes
}

/// Rounds numbers, so that most digits are those of counters.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Number(number) if number.is_f64() => *value = 0.5.into(),
        _ => {}
    }
}

/// The note in the header of a checkpoint, without a checksum, which would refuse all changes alike.
fn note(header: &Value) -> Value {
    let note = header["__metadata__"]["ballast"].as_str().expect("a note");
    let mut note: Value = serde_json::from_str(note).expect("JSON");
    note.as_object_mut().expect("a note is an object").remove("sha256");
    note
}

/// Numbers at which counters end.
pub(crate) fn extremes() -> Vec<String> {
    let numbers =
        ["18446744073709551615", "18446744073709551614", "9223372036854775807", "-1", "0", "null"];
    numbers.map(str::to_owned).to_vec()
}

/// Any bytes as the note of a checkpoint, or a part of one, from which a training goes on for a step, or to its end.
pub(crate) fn checkpoint(input: &[u8]) {
    thread_local! {
        static SAVED: Vec<u8> = saved(stages().last().unwrap()).expect("a checkpoint").to_vec();
    }
    let Some((content, &[first, _])) = input.split_last_chunk() else { return };
    let file = SAVED.with(|saved| {
        let (mut header, tensors) = parts(saved);
        let text = match serde_json::from_slice(content) {
            Ok(Value::Object(parts)) if !parts.contains_key("format") => {
                let mut note = note(&header);
                note.as_object_mut().expect("a note is an object").extend(parts);
                note.to_string()
            }
            _ => String::from_utf8_lossy(content).into_owned(),
        };
        header["__metadata__"]["ballast"] = text.into();
        let mut header = header.to_string();
        header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
    });
    let path = fresh("checkpoint");
    std::fs::write(path.join(CHECKPOINT), file).unwrap();
    let done = prepared(&base(), &path).and_then(|training| trained(training, first % 64 != 63));
    if let Err(error) = done {
        expected(&error);
    }
}

/// A file of a run without checksums.
fn unsealed(name: &str, content: &[u8]) -> Vec<u8> {
    let text = || String::from_utf8_lossy(content);
    match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("json") => {
            let mut value: Value = serde_json::from_slice(content).expect("JSON");
            let fields = value.as_object_mut().expect("an object");
            fields.retain(|key, _| !["sha256", "checksums"].contains(&key.as_str()));
            value.to_string().into_bytes()
        }
        Some("toml") => {
            let text = text();
            let lines = text.lines().filter(|line| !line.starts_with("# sha256"));
            lines.map(|line| format!("{line}\n")).collect::<String>().into_bytes()
        }
        Some("safetensors") => {
            let (key, other) = (b"\\\"sha256\\\"", b"\\\"sha25_\\\"");
            let mut bytes = content.to_vec();
            if let Some(at) = bytes.windows(key.len()).position(|window| window == key) {
                bytes[at..at + key.len()].copy_from_slice(other);
            }
            bytes
        }
        _ => content.to_vec(),
    }
}

/// The directories of a training, file by file, with their checksums and without.
pub(crate) fn runs() -> Vec<Vec<u8>> {
    let stages = stages();
    let whole = [stages.first(), stages.get(stages.len() / 2), stages.last()];
    let joined = |stage: &Vec<(String, Vec<u8>)>, sealed: bool| {
        let file = |(name, file): &(String, Vec<u8>)| {
            let file = if sealed { file.clone() } else { unsealed(name, file) };
            [name.as_bytes(), b"\n", &file].concat()
        };
        stage.iter().map(file).collect::<Vec<_>>().join(NEXT)
    };
    let whole = || whole.into_iter().flatten();
    let sealed = whole().map(|stage| joined(stage, true));
    sealed.chain(whole().map(|stage| joined(stage, false))).collect()
}

/// Any files as a run directory: loaded, asked for a forecast, and trained in again.
pub(crate) fn run(input: &[u8]) {
    let Some((mut content, &[first, _])) = input.split_last_chunk() else { return };
    let path = fresh("run");
    while !content.is_empty() {
        let end = content.windows(NEXT.len()).position(|window| window == NEXT);
        let part = &content[..end.unwrap_or(content.len())];
        content = end.map_or(&[], |end| &content[end + NEXT.len()..]);
        let Some(line) = part.iter().position(|&byte| byte == b'\n') else { continue };
        let name = String::from_utf8_lossy(&part[..line]).replace(['/', '\0'], "");
        let _ = std::fs::write(path.join(name), &part[line + 1..]);
    }
    match Loaded::open(&path).and_then(|loaded| forecast(&loaded)) {
        Ok(()) => {}
        Err(error) => expected(&error),
    }
    let again = prepared(&base(), &path).and_then(|training| match training.already_done() {
        Some(_) => Ok(()),
        None => trained(training, first % 64 != 63),
    });
    if let Err(error) = again {
        expected(&error);
    }
}

/// Forecasts test windows with both kinds of weights.
fn forecast(loaded: &Loaded) -> Result<(), TrainError> {
    let Config { data, train, evaluate, .. } = &loaded.config;
    let selection =
        Selection { season: evaluate.season, validation_stride: train.validation_stride };
    let source = Source::of_panel(data, selection, panel(&base()), Device::Cpu)?;
    loaded.check_data(&source)?;
    let rows = source.windows(Part::Test).at_most(2).first_rows()?;
    let batch = source.panel().gather(&rows)?;
    for fit in [loaded.honest(), loaded.latest()] {
        let samples = fit.forecaster(source.panel())?.sample(&batch, 2)?;
        drop(source.to_original(&samples, &rows)?);
    }
    Ok(())
}
