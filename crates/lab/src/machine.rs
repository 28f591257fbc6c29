//! Where and when an experiment was run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// The machine and the code; what cannot be found out is left out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: Option<String>,
    pub(crate) threads: usize,
    pub(crate) memory_gib: Option<f64>,
    pub(crate) system: Option<String>,
    pub(crate) compiler: Option<String>,
    /// Short commit, with `-dirty` where files differ from it.
    pub(crate) commit: Option<String>,
    /// `YYYY-MM-DD HH:MM UTC`.
    pub(crate) written: String,
}

pub(crate) fn describe(root: &Path) -> Machine {
    Machine {
        processor: field("/proc/cpuinfo", "model name", ':'),
        threads: available_parallelism().map_or(1, usize::from),
        memory_gib: field("/proc/meminfo", "MemTotal", ':')
            .and_then(|kib| kib.split_whitespace().next()?.parse::<f64>().ok())
            .map(|kib| kib / f64::from(1 << 20)),
        system: field("/etc/os-release", "PRETTY_NAME", '='),
        compiler: output(root, "rustc", &["--version"]),
        commit: output(root, "git", &["describe", "--always", "--dirty", "--exclude", "*"]),
        written: Timestamp::now()
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
    }
}

/// The value of the first line `key SEPARATOR value`.
fn field(file: &str, key: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
}

fn output(root: &Path, program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

impl Machine {
    /// Processor, threads and memory in a phrase.
    pub(crate) fn hardware(&self) -> String {
        let processor = self.processor.as_deref().unwrap_or("unknown processor");
        let memory = self.memory_gib.map_or(String::new(), |gib| format!(", {gib:.1} GiB"));
        format!("{processor}, {} threads{memory}", self.threads)
    }

    /// Name and value of everything worth knowing, for a list of facts.
    pub(crate) fn facts(&self) -> Vec<(String, String)> {
        [
            ("commit", self.commit.clone()),
            ("compiler", self.compiler.clone()),
            ("machine", Some(self.hardware())),
            ("system", self.system.clone()),
            ("written", Some(self.written.clone())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}
