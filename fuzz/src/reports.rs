//! The files of a run as a laboratory reads them. The last two bytes of an input are not used.

use std::fmt::Debug;

use record::{RecordError, RunDirectory};
use serde::Serialize;

use crate::targets::{LONGEST_MESSAGE, folder, write};

/// Any bytes as each of the files; what is read is written again and read again as the same.
pub(crate) fn reports(input: &[u8]) {
    let Some((content, _)) = input.split_last_chunk::<2>() else { return };
    let (run, again) = (RunDirectory::at(&folder()), RunDirectory::at(&folder().join("again")));
    for old in [run.info(), again.path().to_owned()] {
        // With it, other files would have to be those that it knows.
        let _ = std::fs::remove_file(&old).or_else(|_| std::fs::remove_dir_all(&old));
    }
    std::fs::create_dir(again.path()).unwrap();
    let _ = write("metrics.jsonl", content);
    let epochs =
        twice(run.read_epochs(), |value| again.write_epochs(value), || again.read_epochs());
    drop(epochs);
    let _ = write("run.json", content);
    twice(run.read_info(), |value| again.write_info(value), || again.read_info());
    let _ = write("rows.json", content);
    twice(some(run.read_known()), |value| again.write_known(value), || some(again.read_known()));
    let _ = write("features.json", content);
    twice(run.read_features(), |value| again.write_features(value), || again.read_features());
    let _ = write("noise.json", content);
    let search = || some(again.read_search());
    if let Some(search) = twice(some(run.read_search()), |value| again.write_search(value), search)
    {
        assert!(!search.sentence().is_empty());
    }
    let _ = write("evaluation.json", content);
    let evaluation = || again.read_evaluation();
    if let Some(read) =
        twice(run.read_evaluation(), |value| again.write_evaluation(value), evaluation)
    {
        assert!(read.model().is_some(), "an evaluation has a model");
        assert!(!format!("{:?}", read.pairing()).is_empty());
        let _ = (read.health.kl(), read.health.active());
    }
    let path = write("scores.csv", content);
    let copy = again.scores(None);
    let rows = |rows: &Vec<record::WindowRow>| record::write_rows(&copy, rows.iter().cloned());
    twice(record::read_rows(&path), rows, || record::read_rows(&copy));
}

/// The file is there: it was written just now.
fn some<T>(read: Result<Option<T>, RecordError>) -> Result<T, RecordError> {
    read.map(|value| value.expect("the file is there"))
}

/// A value that was read, after it was written and read once more.
fn twice<T: Serialize + Debug>(
    read: Result<T, RecordError>,
    write: impl FnOnce(&T) -> Result<(), RecordError>,
    again: impl FnOnce() -> Result<T, RecordError>,
) -> Option<T> {
    let value = match read {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.exit_code(), 65, "{error}");
            assert!(error.to_string().len() < LONGEST_MESSAGE);
            return None;
        }
    };
    write(&value).expect("what was read can be written");
    let text = |value: &T| serde_json::to_string(value).expect("plain data");
    assert_eq!(text(&again().expect("what was written is read")), text(&value));
    Some(value)
}
