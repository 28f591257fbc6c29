//! Event files, read back by an independent decoder.

#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the journeys")]
mod decoder;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use decoder::{Datum, events};
use events::{EventError, EventWriter, Histogram, Picture, Summary};

fn read(path: &Path) -> Vec<decoder::Event> {
    events(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::resume(&folder.path().join("a/b"), 41).unwrap();
    let picture = Picture::from_rgba(2, 1, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    let mut summary = Summary::at(42, UNIX_EPOCH + Duration::from_millis(1500));
    summary.scalar("loss", 0.1).scalar("none", f64::NAN).image("picture", &picture);
    summary.histogram("latent", &Histogram::of(&[1.0_f32, 4.0]));
    writer.write(&summary).unwrap();
    assert_eq!(read(writer.path()).len(), 2, "not before it is flushed");
    writer.flush().unwrap();

    let read = read(writer.path());
    assert_eq!(read.len(), 3);
    assert_eq!((read[0].file_version.as_str(), read[0].step), ("brain.Event:2", 0));
    assert!(read[0].wall_time > 1.7e9, "seconds since 1970");
    assert_eq!((read[1].session, read[1].step), (1, 41));
    assert_eq!((read[2].wall_time, read[2].step), (1.5, 42));
    let values = &read[2].values;
    assert_eq!(values[0], ("loss".to_owned(), Datum::Scalar(0.1)));
    assert!(matches!(values[1].1, Datum::Scalar(value) if value.is_nan()));
    assert_eq!(values[2].1, Datum::Image(2, 1, picture.png().to_vec()));
    let Datum::Histogram(moments, limits, counts) = &values[3].1 else { panic!("{values:?}") };
    assert_eq!(moments, &[1.0, 4.0, 2.0, 5.0, 17.0]);
    assert!((limits[0] - 1.1).abs() < 1e-12 && limits[29] == 4.0 && limits.len() == 30);
    assert_eq!((counts[0], counts[29], counts.iter().sum::<f64>()), (1.0, 1.0, 2.0));
}

/// A long training does not gather events without end.
#[test]
fn a_mebibyte_is_written_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path()).unwrap();
    let tag = "x".repeat(1 << 16);
    for step in 0..20 {
        writer.write(Summary::now(step).scalar(&tag, 1.0)).unwrap();
    }
    let written = read(writer.path()).len();
    assert!((16..22).contains(&written), "{written}");
    let path = writer.path().to_owned();
    drop(writer);
    assert_eq!(read(&path).len(), 22);
}

/// The marker of the child process below.
const CHILD: &str = "BALLAST_TEST_SHORT_FILE";

/// Where the system stops a write in the middle, the file still ends with a whole event, and takes more.
/// In a child process, since the limit on the size of files is one of a process.
#[test]
fn a_write_cut_short_leaves_whole_events() {
    if let Some(folder) = env::var_os(CHILD) {
        return fill(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    // 16 blocks of 512 bytes; without the signal that goes with it, the write fails instead.
    // Through a pipe: the limit is also on a file that this test may be printing to.
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 16; trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_write_cut_short_leaves_whole_events"])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let steps: Vec<i64> = read(&files[0]).iter().map(|event| event.step).collect();
    assert_eq!(steps, [0, 0, 1, 3]);
}

fn fill(folder: &Path) {
    let mut writer = EventWriter::create(folder).unwrap();
    let mut write = |step: i64, tag: usize| -> Result<(), EventError> {
        writer.write(Summary::now(step).scalar(&"x".repeat(tag), 1.0))?;
        writer.flush()
    };
    write(1, 100).unwrap();
    let error = write(2, 100_000).unwrap_err();
    assert!(error.to_string().contains("events.out.tfevents."), "{error}");
    write(3, 100).unwrap();
}
