//! Processor seconds of a job's child processes: what the clock says depends on what else is running.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const FILE: &str = "cost.json";
const MOST_BYTES: u64 = 1 << 20;

/// User and system time of the child processes, over all attempts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// By `ballast` command.
    cpu_seconds: BTreeMap<String, f64>,
    /// Attempts begun, and those whose end we saw.
    begun: u32,
    ended: u32,
}

impl Cost {
    /// The cost of the job in a folder; none for a folder without the file.
    pub(crate) fn read(folder: &Path) -> Cost {
        files::read_json(&folder.join(FILE), MOST_BYTES).unwrap_or_default()
    }

    /// Notes in the folder that an attempt begins.
    pub(crate) fn begin(folder: &Path) -> Result<Cost> {
        let mut cost = Cost::read(folder);
        cost.begun += 1;
        cost.write(folder)?;
        Ok(cost)
    }

    pub(crate) fn add(&mut self, command: &str, time: Duration) {
        *self.cpu_seconds.entry(command.to_owned()).or_default() += time.as_secs_f64();
    }

    /// Notes that the attempt has ended.
    pub(crate) fn end(&mut self, folder: &Path) -> Result<()> {
        self.ended += 1;
        self.write(folder)
    }

    /// The seconds of one command; `None` where they were not measured whole, as an attempt was killed
    /// together with us.
    pub(crate) fn of(&self, command: &str) -> Option<f64> {
        let whole = self.begun == self.ended;
        self.cpu_seconds.get(command).copied().filter(|_| whole)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        files::replace_json(&path, self).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_add_up_unless_one_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Cost::read(folder.path()).of("train"), None);
        for seconds in [2, 3] {
            let mut cost = Cost::begin(folder.path()).unwrap();
            assert_eq!(Cost::read(folder.path()).of("train"), None, "not ended");
            cost.add("train", Duration::from_secs(seconds));
            cost.end(folder.path()).unwrap();
        }
        assert_eq!(Cost::read(folder.path()).of("train"), Some(5.0));
        assert_eq!(Cost::read(folder.path()).of("evaluate"), None);
        Cost::begin(folder.path()).unwrap(); // and killed
        let mut cost = Cost::begin(folder.path()).unwrap();
        cost.add("train", Duration::from_secs(1));
        cost.end(folder.path()).unwrap();
        assert_eq!(Cost::read(folder.path()).of("train"), None, "one attempt is not known");
    }
}
