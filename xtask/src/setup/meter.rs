//! Progress of one long step: a bar on a terminal, otherwise occasional lines.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::disk::megabytes;

/// Longest time without a line in a log.
const SILENCE: Duration = Duration::from_secs(10);

/// The progress of one long step.
pub(super) struct Meter {
    label: String,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    spoke: Instant,
}

impl Meter {
    /// A step that is announced.
    pub(super) fn new(label: String, total: u64) -> Meter {
        let meter = Meter::quiet(label, total);
        if meter.bar.is_none() {
            eprintln!("{} ({})", meter.label, megabytes(total));
        }
        meter
    }

    /// A step that appears in a log only if it takes long.
    pub(super) fn quiet(label: String, total: u64) -> Meter {
        let bar = stderr().is_terminal().then(|| bar(&label, total));
        Meter { label, total, done: 0, bar, spoke: Instant::now() }
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.set(self.done + bytes);
    }

    pub(super) fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.spoke.elapsed() >= SILENCE {
            let percent = 100 * done / self.total.max(1);
            eprintln!("{}: {percent} % of {}", self.label, megabytes(self.total));
            self.spoke = Instant::now();
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta:>4}",
    )
    .expect("our template is well formed");
    let bar = ProgressBar::new(total).with_style(style).with_message(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
