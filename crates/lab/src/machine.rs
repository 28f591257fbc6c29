//! Where and when an experiment was run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// The machine and the code; what cannot be found out is left out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) processor: Option<String>,
    pub(super) threads: usize,
    pub(super) memory_gib: Option<f64>,
    pub(super) system: Option<String>,
    pub(super) compiler: Option<String>,
    /// Short commit, with `-dirty` where files differ from it.
    pub(super) commit: Option<String>,
    /// `YYYY-MM-DD HH:MM UTC`.
    pub(super) written: String,
}

pub(super) fn describe(root: &Path) -> Machine {
    Machine {
        processor: field("/proc/cpuinfo", "model name", ':'),
        threads: available_parallelism().map_or(1, usize::from),
        memory_gib: field("/proc/meminfo", "MemTotal", ':')
            .and_then(|kib| kib.split_whitespace().next()?.parse::<f64>().ok())
            .map(|kib| kib / f64::from(1 << 20)),
        system: field("/etc/os-release", "PRETTY_NAME", '='),
        compiler: output(root, "rustc", &["--version"]),
        commit: output(root, "git", &["describe", "--always", "--dirty", "--exclude", "*"]),
        written: utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())),
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

/// Seconds since 1970 as a date (Hinnant, "chrono-compatible low-level date algorithms").
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // months since March
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: `date --utc --date=@N`.
    #[test]
    fn seconds_become_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_825_600), "2000-02-29 12:00 UTC");
        assert_eq!(utc(1_767_225_599), "2025-12-31 23:59 UTC");
    }
}
