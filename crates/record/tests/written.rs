//! Files as the version before this crate wrote them: every key is read, and written again.

use std::fs;
use std::path::{Path, PathBuf};

use record::{
    Feature, ForecasterKind, ProcessOrigin, RecordError, RunDirectory, Status, read_rows,
};
use serde::Serialize;
use serde_json::{Map, Value};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/written")
}

fn written() -> RunDirectory {
    RunDirectory::at(&folder())
}

/// The value as it would be written, beside the content of the file that it was read from.
fn both(value: &impl Serialize, file: &str) -> (Value, Value) {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    (serde_json::to_value(value).unwrap(), serde_json::from_str(&text).unwrap())
}

#[test]
fn every_key_of_run_json_is_kept() {
    let info = written().read_info().unwrap();
    assert_eq!((info.status, info.seed, info.fitted.best_epoch), (Status::Done, 1, 8));
    assert!(info.pipeline.scaler().affine(0, 1).unwrap().spread > 0.0);
    let (ours, mut theirs) = both(&info, "run.json");
    theirs["best_step"] = 0.into(); // the run is of a version without it
    assert_eq!(ours, theirs);
}

#[test]
fn every_key_of_noise_json_is_kept() {
    let search = written().read_search().unwrap().unwrap();
    assert_eq!(search.trial(2, &search.trials[0].candidate), Some(&search.trials[0]));
    let rival = &search.chosen.as_ref().unwrap().rival;
    assert!(search.sentence().contains(&format!(" of {rival} ")), "{}", search.sentence());
    let (ours, theirs) = both(&search, "noise.json");
    assert_eq!(ours, theirs);
}

#[test]
fn every_key_of_metrics_jsonl_is_kept() {
    let epochs = written().read_epochs().unwrap();
    assert!(epochs.len() == 2 && epochs[1].loss.is_nan());
    let text = fs::read_to_string(folder().join("metrics.jsonl")).unwrap();
    for (epoch, line) in epochs.iter().zip(text.lines()) {
        let theirs: Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_value(epoch).unwrap(), theirs);
    }
}

#[test]
fn every_key_of_features_json_is_kept() {
    let features = written().read_features().unwrap();
    assert_eq!((features.feature, features.noise), (Feature::PriorMean, ProcessOrigin::Own));
    let (ours, theirs) = both(&features, "features.json");
    assert_eq!(ours, theirs);
}

#[test]
fn every_key_of_evaluation_json_is_kept() {
    let evaluation = written().read_evaluation().unwrap();
    assert_eq!(evaluation.of(ForecasterKind::Baseline).count(), 1);
    assert_eq!(evaluation.model().unwrap().name, "ballast");
    // Series of one and of three windows that end together, four windows at three times.
    assert_eq!(evaluation.pairing().ranks(), [2, 0, 1, 2]);
    let (mut ours, theirs) = both(&evaluation, "evaluation.json");
    let added = ours.as_object_mut().and_then(|keys: &mut Map<String, Value>| {
        Some((keys.remove("stride")?, keys.remove("origins")?))
    });
    assert_eq!(added, Some((Value::Null, Value::Array(Vec::new()))));
    assert_eq!(ours, theirs);
}

#[test]
fn every_column_of_scores_csv_is_kept() {
    let path = folder().join("scores.csv");
    let rows = read_rows(&path).unwrap();
    assert_eq!((rows.len(), rows[1].window), (2, 1));
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("scores.csv");
    record::write_rows(&again, rows).unwrap();
    let [ours, theirs] = [&again, &path].map(|file| fs::read_to_string(file).unwrap());
    assert_eq!(ours.lines().next(), theirs.lines().next());
    assert_eq!(read_rows(&again).unwrap(), read_rows(&path).unwrap());
}

/// Changes a file and returns the error of reading it.
fn altered<T: std::fmt::Debug>(
    file: &str,
    change: impl Fn(&str) -> String,
    read: impl Fn(&RunDirectory) -> Result<T, RecordError>,
) -> String {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path()).unwrap();
    let text = fs::read_to_string(written().path().join(file)).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    fs::write(run.path().join(file), changed).unwrap();
    let error = read(&run).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    error.to_string()
}

#[test]
fn other_versions_and_damaged_files_are_refused() {
    let version = |text: &str| text.replacen("\"version\": 1", "\"version\": 9", 1);
    let said = altered("run.json", version, RunDirectory::read_info);
    assert!(said.contains("run.json: is of version 9, and this is version 1"), "{said}");
    let said =
        altered("run.json", |text| text.replace("\"done\"", "\"dome\""), RunDirectory::read_info);
    assert!(said.contains("unknown variant `dome`") && said.contains("hint"), "{said}");
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let said = altered("evaluation.json", half, RunDirectory::read_evaluation);
    assert!(said.contains("line ") && said.contains("column "), "{said}");
    let said = altered("metrics.jsonl", half, RunDirectory::read_epochs);
    assert!(said.contains("line 1: "), "{said}");
}

/// A file of the right type may still contradict itself.
#[test]
fn evaluations_that_contradict_themselves_are_refused() {
    let baseline = |text: &str| text.replace("\"kind\": \"model\"", "\"kind\": \"baseline\"");
    let fewer = |text: &str| text.replacen("\"windows\": 4", "\"windows\": 5", 1);
    let times = |text: &str| text.replacen("\"times\": [", "\"times\": [\"one more\",", 1);
    let curve = |text: &str| text.replacen("\"t\": [", "\"t\": [7,", 1);
    let levels = |text: &str| text.replacen("\"observed\": [", "\"observed\": [0.5,", 1);
    let origins = |text: &str| text.replacen("\"context\"", "\"origins\": [0], \"context\"", 1);
    type Case<'a> = (&'a dyn Fn(&str) -> String, &'a str);
    let cases: [Case; 6] = [
        (&baseline, "`forecasters` has 0 models instead of one"),
        (&fewer, "has 5 windows but 4 `window_crps`"),
        (&times, "differ in length"),
        (&curve, "the parts of `noise` differ in length"),
        (&levels, "levels and observed differ in length"),
        (&origins, "`origins` are not those of the test windows"),
    ];
    for (change, expected) in cases {
        let said = altered("evaluation.json", change, RunDirectory::read_evaluation);
        assert!(said.contains(expected), "{said}");
    }
}
