//! Progress of a training: a table and a bar on a terminal, JSON lines elsewhere.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use ballast::record::{Epoch, Fitted, NoiseSearch, RunDirectory, RunInfo, Trial};
use ballast::train::{Config, Progress, RunProgress, SearchProgress, Training};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::hints::from_here;
use crate::together;
use terminal::{count, note, print};

/// Shows the progress of a training. The training continues even if nobody can read it.
pub(crate) struct Display<'a> {
    config: &'a Config,
    /// Number of epochs if nothing stops the training early.
    epochs: usize,
    shown: Shown,
    clock: Clock,
}

enum Shown {
    /// On a terminal.
    Table { bar: ProgressBar, lines: usize },
    /// Where stdout is not a terminal.
    Json,
}

/// Throughput since the last epoch.
struct Clock {
    since: Instant,
    windows: usize,
}

impl Clock {
    fn start() -> Clock {
        Clock { since: Instant::now(), windows: 0 }
    }
}

const HEADER: &str = "epoch      loss  reconstruction        KL  weight  active  train CRPS  validation    skill  learning rate";
/// Epochs between two headers.
const PAGE: usize = 25;

impl<'a> Display<'a> {
    pub(crate) fn new(config: &'a Config) -> Display<'a> {
        let shown = if std::io::stdout().is_terminal() && together::is_first() {
            let template = "{bar:30} {pos}/{len} steps  {msg}  {elapsed} + at most {eta}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            Shown::Table { bar: ProgressBar::new(0).with_style(style), lines: 0 }
        } else {
            Shown::Json
        };
        Display { config, epochs: config.train.epochs, shown, clock: Clock::start() }
    }

    pub(crate) fn already_done(&self, directory: &Path, done: &RunInfo) {
        let best = done.fitted.best_epoch;
        self.say(
            || format!("already trained: {} ({})", directory.display(), self::best(done)),
            || json!({ "event": "already-done", "run": directory, "best_epoch": best }),
        );
    }

    pub(crate) fn start(&mut self, training: &Training, directory: &Path) {
        self.clock.since = Instant::now();
        self.epochs = training.config().train.epochs;
        let summary = training.summary();
        let resumed = training.checkpoint().map(|checkpoint| checkpoint.step());
        let from = resumed.map_or(String::new(), |step| format!("\ncontinues after step {step}"));
        if let Some(before) = training.other_threads() {
            note(format_args!(
                "warning: {before} threads trained up to the checkpoint, and {} go on; sums are rounded in another order, \
                 so that the result may differ in the last digits from that of a training on {before}",
                training.threads()
            ));
        }
        let doubts = training.source().doubts();
        let doubtful: String = doubts.iter().map(|doubt| format!("\ndoubtful: {doubt}")).collect();
        self.say(
            || from_here(&format!("{summary}{doubtful}{from}")),
            || {
                json!({
                    "event": "start",
                    "run": directory,
                    "data": ballast::train::data_info(training.source()),
                    "summary": summary,
                    "doubtful": doubts,
                    "continues_after_step": resumed,
                    "threads": training.threads(),
                    "threads_before": training.other_threads(),
                })
            },
        );
    }

    pub(crate) fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Fit(Progress::Step { epoch, done, of, windows }) => {
                self.clock.windows += windows;
                self.step(*epoch, *done, *of);
            }
            RunProgress::Fit(Progress::Epoch(epoch, _)) => self.epoch(epoch),
            RunProgress::Search(SearchProgress::Step { done, of }) => {
                if let Shown::Table { bar, .. } = &self.shown {
                    bar.set_length(*of as u64);
                    bar.set_position(*done as u64);
                }
            }
            RunProgress::Refit { done, of } => {
                if let Shown::Table { bar, .. } = &self.shown {
                    bar.set_length(*of as u64);
                    bar.set_position(*done as u64);
                    bar.set_message("on all rows");
                }
            }
            RunProgress::Search(SearchProgress::Trial(search)) => self.trial(search),
            RunProgress::Search(SearchProgress::Chosen(search)) => self.chosen(search),
        }
    }

    fn step(&self, epoch: usize, done: usize, of: usize) {
        let Shown::Table { bar, .. } = &self.shown else { return };
        bar.set_position(((epoch - 1) * of + done) as u64);
        if bar.length() == Some(0) {
            bar.set_length((of * self.epochs) as u64);
            bar.reset_eta(); // the steps of an earlier start took no time in this one
        }
    }

    /// Shows the last trial of a search for a noise.
    fn trial(&self, search: &NoiseSearch) {
        let Some(Trial { rung, candidate, steps, score, .. }) = search.trials.last() else {
            return;
        };
        self.say(
            || {
                let score = score.map_or("diverged".to_owned(), |score| format!("{score:.4}"));
                format!("noise, rung {rung}: {candidate:<10} {steps:>6} steps  {score}")
            },
            || {
                json!({
                    "event": "trial",
                    "rung": rung,
                    "candidate": candidate,
                    "steps": steps,
                    "score": score,
                })
            },
        );
    }

    fn chosen(&mut self, search: &NoiseSearch) {
        let text = search.sentence();
        let chosen = search.chosen.as_ref();
        self.say(|| text.clone(), || json!({ "event": "noise", "chosen": chosen, "text": text }));
        if let Shown::Table { bar, .. } = &self.shown {
            bar.set_length(0); // the first step of the training sets it
            bar.reset();
        }
        self.clock = Clock::start();
    }

    fn epoch(&mut self, epoch: &Epoch) {
        let seconds = self.clock.since.elapsed().as_secs_f64();
        let windows_per_second = self.clock.windows as f64 / seconds;
        let left = self.epochs.saturating_sub(epoch.epoch) as f64 * seconds;
        self.clock = Clock::start();
        let header = matches!(self.shown, Shown::Table { lines, .. } if lines.is_multiple_of(PAGE));
        self.say(
            || {
                format!(
                    "{}{}",
                    if header { format!("{HEADER}\n") } else { String::new() },
                    line(epoch)
                )
            },
            || {
                let mut fields = json!(epoch);
                fields["event"] = json!("epoch");
                fields["windows_per_second"] = json!(windows_per_second.round());
                fields["seconds_left_at_most"] = json!(left.round());
                fields
            },
        );
        if let Shown::Table { bar, lines } = &mut self.shown {
            bar.set_message(format!("{windows_per_second:.0} windows/s"));
            *lines += 1;
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Shown::Table { bar, .. } = &self.shown {
            bar.finish_and_clear();
        }
    }

    pub(crate) fn done(&self, directory: &Path, info: &RunInfo) {
        let fitted = &info.fitted;
        self.say(
            || summary(self.config, directory, info),
            || json!({ "event": "done", "run": directory, "fitted": fitted }),
        );
        warn_of_skill(directory);
    }

    fn say(&self, text: impl FnOnce() -> String, event: impl FnOnce() -> Value) {
        // A reader that has gone, or a full disk, does not stop a training.
        let _ = match &self.shown {
            Shown::Table { bar, .. } => bar.suspend(|| print(text())),
            Shown::Json => print(event()),
        };
    }
}

/// Warns of a network that did worse than the naive forecast on validation windows.
pub(crate) fn warn_of_skill(directory: &Path) {
    if let Some(skill) = skill(directory).filter(|skill| *skill < 0.0) {
        note(format_args!(
            "warning: on the validation windows the CRPS is {:.1} % worse than that of the naive forecast; \
             do not rely on this model",
            -skill
        ));
    }
}

/// Skill of the weights that were selected, in percent of the naive forecast's CRPS, by the metrics of the run.
fn skill(directory: &Path) -> Option<f64> {
    let epochs = RunDirectory::open(directory).ok()?.read_epochs().ok()?;
    epochs.iter().rfind(|epoch| epoch.best)?.skill
}

/// How a training ended, and the next command.
fn summary(config: &Config, directory: &Path, info: &RunInfo) -> String {
    let fitted = &info.fitted;
    let mut text = match config.train.keep {
        ballast::train::Keep::Last if !fitted.best_validation.is_finite() => {
            format!("{}, without validation", count(fitted.epochs, "epoch"))
        }
        _ => format!("{}: {}", best(info), score(config, info)),
    };
    if fitted.skipped > 0 {
        text += &format!("\n{} steps were skipped because they were not finite", fitted.skipped);
    }
    if config.train.keep == ballast::train::Keep::Last {
        text += "\nkept the weights of the last epoch, as `train.keep` says";
    }
    if let Some(refit) = &info.refit {
        text += &match &refit.diverged {
            None => format!(
                "\nfitted again on all {} rows in {} steps, to forecast",
                refit.rows, refit.steps
            ),
            Some(divergence) => format!(
                "\nthe fit on all rows diverged at step {}, so that these weights forecast",
                divergence.step
            ),
        };
    }
    text += &format!("\nwritten to {}", directory.display());
    if config.model.kind != ballast::train::ModelKind::Autoencode {
        text += &format!("\nnext: ballast evaluate {}", directory.display());
    }
    text
}

/// The place of the selected weights in the training.
fn best(info: &RunInfo) -> String {
    let Fitted { best_epoch, best_step, epochs, steps, .. } = info.fitted;
    match (best_epoch, best_step) {
        (0, 0) => "the start, before the first step, was best".to_owned(),
        (0, step) => format!("best after step {step} of {steps}"),
        (epoch, _) => format!("best epoch {epoch} of {epochs}"),
    }
}

/// The score that selected the weights, in words.
fn score(config: &Config, info: &RunInfo) -> String {
    if config.model.kind == ballast::train::ModelKind::Autoencode {
        format!("validation bound {:.3} nats", -info.fitted.best_validation)
    } else {
        format!("validation CRPS {:.4} (standardized)", info.fitted.best_validation)
    }
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
