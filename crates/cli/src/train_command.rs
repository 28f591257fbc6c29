//! `ballast train`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use indicatif::{ProgressBar, ProgressStyle};
use train::{Config, Epoch, Progress, RunOptions, TrainError};

use crate::args::Train;

pub(crate) fn run(args: Train) -> Result<(), Error> {
    let mut overrides = args.set;
    overrides.extend(args.seed.map(|seed| format!("seed={seed}")));
    let config = Config::load(&args.config, &overrides).map_err(TrainError::from)?;
    let directory = args.run.unwrap_or_else(|| default_run(&args.config, config.seed));
    let options = RunOptions { device: args.device, threads: args.threads };

    let mut display = Display::new(config.train.epochs);
    let started = train::prepare(&config, &directory, options)?;
    if let Some(done) = started.already_done() {
        println!(
            "already trained: {} (best epoch {})",
            directory.display(),
            done.fitted.best_epoch
        );
        return Ok(());
    }
    println!("{}", started.summary());
    let info = started.run(&mut |progress| display.show(&progress)).context("training")?;
    display.finish();
    let autoencodes = config.model.kind == train::ModelKind::Autoencode;
    let fitted = &info.fitted;
    let score = if autoencodes {
        format!("validation bound {:.3} nats", -fitted.best_validation)
    } else {
        format!("validation CRPS {:.4} (standardized)", fitted.best_validation)
    };
    println!("best epoch {} of {}: {score}", fitted.best_epoch, fitted.epochs);
    if config.train.keep == train::Keep::Last {
        println!("kept the last epoch, as `train.keep` says");
    }
    println!("written to {}", directory.display());
    if !autoencodes {
        println!("next: ballast evaluate {}", directory.display());
    }
    Ok(())
}

/// `runs/CONFIG/seed-N`.
fn default_run(config: &Path, seed: u64) -> PathBuf {
    let name = config.file_stem().unwrap_or_default();
    Path::new("runs").join(name).join(format!("seed-{seed}"))
}

/// A progress bar on a terminal, a line per epoch elsewhere.
struct Display {
    bar: Option<ProgressBar>,
    epochs: usize,
}

impl Display {
    fn new(epochs: usize) -> Display {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed} + {eta}]")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Display { bar, epochs }
    }

    fn show(&mut self, progress: &Progress) {
        match (progress, &self.bar) {
            (Progress::Step { epoch, done, of }, Some(bar)) => {
                bar.set_length((of * self.epochs) as u64);
                bar.set_position(((epoch - 1) * of + done) as u64);
            }
            (Progress::Epoch(epoch, _), Some(bar)) => bar.set_message(line(epoch)),
            (Progress::Epoch(epoch, _), None) => println!("{}", line(epoch)),
            (_, None) => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(epoch: &Epoch) -> String {
    format!(
        "epoch {:>3}  loss {:>8.3}  reconstruction {:>8.3}  KL {:>6.3}  validation CRPS {:.4}{}",
        epoch.epoch,
        epoch.loss,
        epoch.reconstruction,
        epoch.kl,
        epoch.validation_crps,
        if epoch.best { " *" } else { "" },
    )
}
