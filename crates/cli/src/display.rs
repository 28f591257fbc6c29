//! What a training shows: a table and a bar on a terminal, JSON lines elsewhere.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use train::{
    Config, Epoch, NoiseSearch, Progress, RunInfo, RunProgress, SearchProgress, Training, Trial,
};

use crate::train_command::score;

pub(crate) struct Display<'a> {
    config: &'a Config,
    /// Absent where stdout is not a terminal.
    bar: Option<ProgressBar>,
    clock: Clock,
    lines: usize,
}

/// Throughput since the last epoch.
struct Clock {
    since: Instant,
    windows: usize,
}

const HEADER: &str = "epoch      loss  reconstruction        KL  weight  active  train CRPS  validation    skill  learning rate";
/// The header comes again after so many epochs.
const PAGE: usize = 25;

impl<'a> Display<'a> {
    pub(crate) fn new(config: &'a Config) -> Display<'a> {
        let bar = std::io::stdout().is_terminal().then(|| {
            let template = "{bar:30} {pos}/{len} steps  {msg}  {elapsed} + at most {eta}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Display { config, bar, clock: Clock { since: Instant::now(), windows: 0 }, lines: 0 }
    }

    pub(crate) fn already_done(&self, directory: &Path, done: &RunInfo) {
        let best = done.fitted.best_epoch;
        let text = format!("already trained: {} (best epoch {best})", directory.display());
        self.say(
            &text,
            || json!({ "event": "already-done", "run": directory, "best_epoch": best }),
        );
    }

    pub(crate) fn start(&mut self, training: &Training, directory: &Path) {
        self.clock.since = Instant::now();
        let summary = training.summary();
        let resumed = training.checkpoint().map(|checkpoint| checkpoint.step());
        let from = resumed.map_or(String::new(), |step| format!("\ncontinues after step {step}"));
        self.say(&format!("{summary}{from}"), || {
            json!({
                "event": "start",
                "run": directory,
                "data": train::data_info(training.source()),
                "summary": summary,
                "continues_after_step": resumed,
            })
        });
    }

    pub(crate) fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Fit(Progress::Step { epoch, done, of, windows }) => {
                self.clock.windows += windows;
                if let Some(bar) = &self.bar {
                    bar.set_position(((epoch - 1) * of + done) as u64);
                    if bar.length() == Some(0) {
                        bar.set_length((of * self.config.train.epochs) as u64);
                        bar.reset_eta(); // what an earlier start did took none of our time
                    }
                }
            }
            RunProgress::Fit(Progress::Epoch(epoch, _)) => self.epoch(epoch),
            RunProgress::Search(SearchProgress::Step { done, of }) => {
                if let Some(bar) = &self.bar {
                    bar.set_length(*of as u64);
                    bar.set_position(*done as u64);
                }
            }
            RunProgress::Search(SearchProgress::Trial(search)) => self.trial(search),
            RunProgress::Search(SearchProgress::Chosen(search)) => self.chosen(search),
        }
    }

    /// The last trial of a search for a noise.
    fn trial(&self, search: &NoiseSearch) {
        let Some(Trial { rung, candidate, steps, score, .. }) = search.trials.last() else {
            return;
        };
        match &self.bar {
            Some(bar) => bar.suspend(|| {
                let score = score.map_or("diverged".to_owned(), |score| format!("{score:.4}"));
                print(&format!("noise, rung {rung}: {candidate:<10} {steps:>6} steps  {score}"));
            }),
            None => {
                let mut fields = json!({ "event": "trial", "rung": rung, "candidate": candidate });
                fields["steps"] = json!(steps);
                fields["score"] = json!(score);
                print(&fields.to_string());
            }
        }
    }

    fn chosen(&mut self, search: &NoiseSearch) {
        let text = search.sentence();
        match &self.bar {
            Some(bar) => {
                bar.suspend(|| print(&text));
                bar.set_length(0); // for the training, whose first step sets it
                bar.reset();
            }
            None => {
                let chosen = search.chosen.as_ref();
                print(&json!({ "event": "noise", "chosen": chosen, "text": text }).to_string());
            }
        }
        self.clock = Clock { since: Instant::now(), windows: 0 };
    }

    fn epoch(&mut self, epoch: &Epoch) {
        let seconds = self.clock.since.elapsed().as_secs_f64();
        let windows_per_second = self.clock.windows as f64 / seconds;
        let left = self.config.train.epochs.saturating_sub(epoch.epoch) as f64 * seconds;
        self.clock = Clock { since: Instant::now(), windows: 0 };
        match &self.bar {
            Some(bar) => {
                bar.suspend(|| {
                    if self.lines.is_multiple_of(PAGE) {
                        print(HEADER);
                    }
                    print(&line(epoch));
                });
                bar.set_message(format!("{windows_per_second:.0} windows/s"));
            }
            None => {
                let mut fields = json!(epoch);
                fields["event"] = json!("epoch");
                fields["windows_per_second"] = json!(windows_per_second.round());
                fields["seconds_left_at_most"] = json!(left.round());
                print(&fields.to_string());
            }
        }
        self.lines += 1;
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    pub(crate) fn done(&self, directory: &Path, info: &RunInfo) {
        let fitted = &info.fitted;
        let mut text = format!(
            "best epoch {} of {}: {}",
            fitted.best_epoch,
            fitted.epochs,
            score(self.config, info)
        );
        if fitted.skipped > 0 {
            text += &format!("\n{} steps were not finite and left out", fitted.skipped);
        }
        if self.config.train.keep == train::Keep::Last {
            text += "\nkept the last epoch, as `train.keep` says";
        }
        text += &format!("\nwritten to {}", directory.display());
        if self.config.model.kind != train::ModelKind::Autoencode {
            text += &format!("\nnext: ballast evaluate {}", directory.display());
        }
        self.say(&text, || json!({ "event": "done", "run": directory, "fitted": fitted }));
    }

    fn say(&self, text: &str, event: impl FnOnce() -> serde_json::Value) {
        match self.bar {
            Some(_) => print(text),
            None => print(&event().to_string()),
        }
    }
}

/// Prints a line. A training goes on if nobody can read what it says.
fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// A row under [`HEADER`].
fn line(epoch: &Epoch) -> String {
    let active: Vec<String> = epoch.active_units.iter().map(ToString::to_string).collect();
    let skill = epoch.skill.map_or(String::new(), |skill| format!("{skill:+.1} %"));
    let skipped = match epoch.skipped {
        0 => String::new(),
        steps => format!("  {steps} steps not finite"),
    };
    format!(
        "{:>5} {:>9.3} {:>15.3} {:>9.3} {:>7.3} {:>7} {:>11.4} {:>10.4}{} {:>8} {:>14.2e}{skipped}",
        epoch.epoch,
        epoch.loss,
        epoch.reconstruction,
        epoch.kl,
        epoch.kl_weight,
        active.join("+"),
        epoch.train_crps,
        epoch.validation_crps,
        if epoch.best { "*" } else { " " },
        skill,
        epoch.learning_rate,
    )
}
