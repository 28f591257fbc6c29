//! The user's own Python package client, with its index, mirror, proxy and certificates.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, PipeReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::meter::Meter;
use super::pins::Wheel;

/// Programs that may be pip, in the order they are tried. `-I` keeps Python from importing a `pip.py` of the current
/// folder; a pip that only the user's own packages hold is found by its script.
const CANDIDATES: [&[&str]; 5] = [
    &["python3", "-I", "-m", "pip"],
    &["python", "-I", "-m", "pip"],
    &["pip3"],
    &["pip"],
    // uv does not fetch wheels itself, but can run pip.
    &["uv", "tool", "run", "pip"],
];

/// A pip that works.
#[derive(Debug)]
pub(super) struct Client<'a> {
    words: &'static [&'static str],
    path: &'a OsStr,
}

impl Client<'_> {
    /// The first candidate on `path` that answers.
    pub(super) fn find(path: &OsStr) -> Result<Client<'_>> {
        CANDIDATES.into_iter().map(|words| Client { words, path }).find(Client::answers).context(
            "libtorch is fetched with pip, and there is none here; either install it \
                 (`apt install python3-pip`, `dnf install python3-pip`, or uv), \
                 or set LIBTORCH to a libtorch 2.11.0 that you have",
        )
    }

    fn answers(&self) -> bool {
        let output = self.command().arg("--version").stdin(Stdio::null()).output();
        // The pip of Python 2 does not know the options below.
        output.is_ok_and(|output| {
            let version = String::from_utf8_lossy(&output.stdout);
            output.status.success() && !version.contains("(python 2")
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.words[0]);
        command.args(&self.words[1..]).env("PATH", self.path);
        command
    }

    /// Fetches one wheel into the empty folder `work`. The client inherits `lock`, which is held until the
    /// client ends, even if it outlives us.
    pub(super) fn fetch(
        &self,
        wheel: &Wheel,
        work: &Path,
        lock: &File,
        mut meter: Meter,
    ) -> Result<()> {
        let requirements = work.join("requirements.txt");
        let hash = &wheel.sha256;
        fs::write(&requirements, format!("{} --hash=sha256:{hash}\n", wheel.requirement()))?;
        // Through a pipe, because a full disk would swallow pip's message about it.
        let (output, input) = io::pipe()?;
        let mut child = self
            .command()
            .args(["download", "--no-deps", "--only-binary=:all:", "--require-hashes"])
            .args(["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"])
            .args(["--platform", wheel.platform()])
            .args(["--quiet", "--no-input", "--progress-bar", "off", "--no-cache-dir"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(&requirements)
            .arg("--dest")
            .arg(work)
            // Its unfinished file then lies on the disk whose room we checked, and we remove it.
            .env("TMPDIR", work)
            .stdin(lock.try_clone()?)
            .stdout(input.try_clone()?)
            .stderr(input)
            .spawn()
            .with_context(|| format!("starting {}", self.words.join(" ")))?;
        let said = thread::spawn(move || read_all(output));
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // pip copies the finished wheel, so for a moment there are two.
            meter.set(size(work).min(wheel.bytes));
            thread::sleep(Duration::from_millis(100));
        };
        drop(meter);
        if status.success() {
            return Ok(());
        }
        let said = said.join().unwrap_or_default();
        // ENOSPC and EDQUOT, in the words of Python or of the system.
        let full = ["Errno 28", "Errno 122", "No space left on device", "Disk quota exceeded"];
        if full.iter().any(|sign| said.contains(sign)) {
            return Err(io::Error::from(ErrorKind::StorageFull).into());
        }
        bail!(
            "{} could not fetch {} ({status}); it said:\n{}\n\
             run the command again to go on from here, or set LIBTORCH to a libtorch 2.11.0 that \
             you have",
            self.words.join(" "),
            wheel.requirement(),
            last_lines(&said, 12),
        )
    }
}

fn read_all(mut output: PipeReader) -> String {
    let mut said = Vec::new();
    let _ = output.read_to_end(&mut said); // on an error, the part read so far is shown
    String::from_utf8_lossy(&said).into_owned()
}

/// Bytes in a folder to which another process is writing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(there) if there.is_dir() => size(&entry.path()),
            Ok(there) => there.len(),
            Err(_) => 0, // it is gone already
        })
        .sum()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(count);
    lines[from..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
