//! The event file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use prost::Message;

use crate::EventError;
use crate::message::{Event, SessionLog, What};
use crate::record;
use crate::summary::{Summary, seconds};

/// Start of the names of all event files.
const PREFIX: &str = "events.out.tfevents.";

/// Bytes gathered before they are written without a call of `flush`.
const BUFFER: usize = 1 << 20;

/// Appends events to a new file of a folder; TensorBoard reads all files of a folder as one run.
///
/// Events are gathered until [`EventWriter::flush`] is called, a mebibyte is full, or the writer is dropped.
/// If writing fails, the gathered events are lost and the file is cut after its last whole event, so that
/// later ones can be read.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
    gathered: Vec<u8>,
    /// Length of the file up to its last whole event, in bytes.
    whole: u64,
}

impl EventWriter {
    /// Creates a file for a new run, and the folder if it is missing. TensorBoard forgets the events of
    /// earlier files in the folder.
    ///
    /// The file's name sorts after those of existing event files, whatever the clock says, because
    /// TensorBoard reads files in that order.
    ///
    /// # Errors
    /// [`EventError::Io`] if the folder or the file cannot be created.
    pub fn create(folder: &Path) -> Result<EventWriter, EventError> {
        EventWriter::resume(folder, 0)
    }

    /// As [`EventWriter::create`], for a run that continues at `step`: TensorBoard forgets the events of
    /// earlier files from this step on.
    ///
    /// # Errors
    /// As [`EventWriter::create`].
    pub fn resume(folder: &Path, step: i64) -> Result<EventWriter, EventError> {
        const START: i32 = 1;
        let (file, path) = open(folder)?;
        let mut writer = EventWriter { file, path, gathered: Vec::new(), whole: 0 };
        writer.push(0, What::FileVersion("brain.Event:2".to_owned()))?;
        // Written for new runs too: TensorBoard recognizes a restart only by the second of these.
        writer.push(step, What::SessionLog(SessionLog { status: START }))?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a summary.
    ///
    /// # Errors
    /// As [`EventWriter::flush`], which is called when a mebibyte is full.
    pub fn write(&mut self, summary: &Summary) -> Result<(), EventError> {
        self.append(&summary.event())
    }

    /// Writes the gathered events, so that TensorBoard sees them.
    ///
    /// # Errors
    /// [`EventError::Io`], for instance if the disk is full.
    pub fn flush(&mut self) -> Result<(), EventError> {
        let bytes = self.gathered.len() as u64;
        let written = self.file.write_all(&self.gathered);
        self.gathered.clear();
        written.map_err(|source| {
            // Half a record would hide all that follow. The first error says more than one of this call.
            let _ = self.file.set_len(self.whole);
            EventError::Io { path: self.path.clone(), source }
        })?;
        self.whole += bytes;
        Ok(())
    }

    fn push(&mut self, step: i64, what: What) -> Result<(), EventError> {
        let wall_time = seconds(SystemTime::now());
        self.append(&Event { wall_time, step, what: Some(what) })
    }

    fn append(&mut self, event: &Event) -> Result<(), EventError> {
        record::append(&mut self.gathered, &event.encode_to_vec());
        if self.gathered.len() >= BUFFER { self.flush() } else { Ok(()) }
    }
}

impl Drop for EventWriter {
    fn drop(&mut self) {
        let _ = self.flush(); // a caller who needs the error calls `flush` first
    }
}

/// Opens a new file whose name sorts after the others.
fn open(folder: &Path) -> Result<(File, PathBuf), EventError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| EventError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut second = seconds(SystemTime::now()) as u64;
    loop {
        if let Some(latest) = latest(folder).map_err(failed(folder))? {
            second = second.max(latest + 1);
        }
        if second > LATEST {
            let reason =
                format!("an event file of the second {LATEST} leaves no later name; remove it");
            return Err(failed(folder)(io::Error::other(reason)));
        }
        let name = format!("{PREFIX}{second:010}.{}.{}", host(), process::id());
        let path = folder.join(name);
        // Appending: after a truncation, the next write begins at the new end.
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // another thread's
            Err(error) => return Err(failed(&path)(error)),
        }
    }
}

/// The last second that a name can hold: more digits would sort before fewer.
const LATEST: u64 = 9_999_999_999;

/// The largest number of seconds in the names of the event files of a folder. A name with another number of digits is
/// not one of ours, nor of TensorFlow.
fn latest(folder: &Path) -> io::Result<Option<u64>> {
    let mut latest = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let seconds = name.to_str().and_then(|name| {
            let (seconds, _) = name.strip_prefix(PREFIX)?.split_once('.')?;
            let ours = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
            ours.then(|| seconds.parse().ok()).flatten()
        });
        latest = latest.max(seconds);
    }
    Ok(latest)
}

/// The name of this machine, without characters that a file name should not have.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().filter(plain).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the device on which every write fails because it is full.
    #[test]
    fn a_full_disk_is_an_error_with_the_path() {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let mut writer = EventWriter { file, path, gathered: Vec::new(), whole: 0 };
        writer.write(Summary::now(1).scalar("a", 1.0)).unwrap();
        let error = writer.flush().unwrap_err();
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
        let EventError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        writer.flush().unwrap(); // nothing is left to fail
        writer.write(Summary::now(1).scalar("a", 1.0)).unwrap(); // and dropping it does not panic
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_with_the_path() {
        let error = EventWriter::create(Path::new("/dev/null/events")).unwrap_err();
        assert!(error.to_string().starts_with("/dev/null/events: "), "{error}");
    }

    /// Names that leave no later one, or that no clock gives: neither a wait without end nor a name that sorts before others.
    #[test]
    fn a_name_beyond_all_clocks_is_an_error_or_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for second in ["18446744073709551615", "10000000000", "-1", "+999999999"] {
            fs::write(folder.path().join(format!("{PREFIX}{second}.elsewhere.1")), "").unwrap();
        }
        for _ in 0..2 {
            EventWriter::create(folder.path()).unwrap();
        }
        fs::write(folder.path().join(format!("{PREFIX}9999999999.elsewhere.1")), "").unwrap();
        let error = EventWriter::create(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("leaves no later name; remove it"), "{error}");
    }

    #[test]
    fn names_sort_in_the_order_of_creation() {
        let folder = tempfile::tempdir().unwrap();
        let later = format!("{PREFIX}9999999998.elsewhere.1");
        let names = |writer: &EventWriter| {
            writer.path().file_name().unwrap().to_string_lossy().into_owned()
        };
        let first = names(&EventWriter::create(folder.path()).unwrap());
        let second = names(&EventWriter::create(folder.path()).unwrap());
        fs::write(folder.path().join(&later), "").unwrap();
        fs::write(folder.path().join("events.out.tfevents.notes"), "").unwrap();
        let third = names(&EventWriter::create(folder.path()).unwrap());
        assert!(
            first < second && second < later && later < third,
            "{first:?} {second:?} {third:?}"
        );
    }
}
