//! `ballast train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Error};
use ballast::record::{RecordError, RunDirectory};
use ballast::train::{Config, Control, Mirror, ProcessGroup, RunOptions, TrainError};

use crate::args::Train;
use crate::display::Display;
use crate::signals;
use crate::together;
use terminal::{count, print};

pub(crate) fn run(args: Train) -> Result<(), Error> {
    let group = together::group();
    let ([] | [_]) = args.seed.as_slice() else {
        // Each process trains some of the seeds by itself.
        let (rank, world) = group.map_or((0, 1), |group| (group.rank(), group.world()));
        let own = args.seed.iter().enumerate().filter(|(index, _)| index % world == rank);
        let stop = signals::stop()?;
        for (_, seed) in own {
            one(&args, Some(*seed), None, &stop)?;
        }
        return Ok(());
    };
    one(&args, args.seed.first().copied(), group, &signals::stop()?)
}

/// Trains with one seed.
fn one(
    args: &Train,
    seed: Option<u64>,
    group: Option<Arc<ProcessGroup>>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Error> {
    let mut overrides = args.set.clone();
    overrides.extend(seed.map(|seed| format!("seed={seed}")));
    let several = args.seed.len() > 1;
    let file = config_file(args.config.as_deref(), args.run.as_deref())?;
    let config = Config::load(&file, &overrides).map_err(TrainError::from)?;
    let directory = match &args.run {
        Some(run) if several => run.join(format!("seed-{}", config.seed)),
        Some(run) => run.clone(),
        None => default_run(&file, config.seed),
    };
    let device = together::device(args.device);
    let options = RunOptions { device, threads: args.threads.map(usize::from) };
    if args.dry_run {
        return dry_run(&config, &directory, options);
    }
    let mut control = Control::new(Arc::clone(stop))
        .save_every(args.save_every)
        .write_events(!args.no_events)
        .with_group(group);
    if let Some(time) = args.max_time {
        control = control.max_time(time);
    }
    let mut display = Display::new(&config);
    let mirror = Mirror::new(control.group(), &directory)?;
    let training = ballast::train::prepare(&config, mirror.path(), options)?;
    if let Some(done) = training.already_done() {
        display.already_done(&directory, done);
        return Ok(());
    }
    display.start(&training, &directory);
    let trained = training.run(&control, &mut |progress| display.show(&progress));
    display.finish();
    let info = trained.context("training")?;
    display.done(&directory, &info);
    Ok(())
}

/// The config that was named, or else the one in the run directory.
fn config_file(config: Option<&Path>, run: Option<&Path>) -> Result<PathBuf, RecordError> {
    match (config, run) {
        (Some(config), _) => Ok(config.to_owned()),
        (None, Some(run)) if run.join("config.toml").exists() => {
            RunDirectory::at(run).read_config()?; // which refuses an altered one
            Ok(run.join("config.toml"))
        }
        (None, run) => Err(RecordError::Missing {
            path: run.unwrap_or(Path::new("")).join("config.toml"),
            hint: "no run was started there: name a config, `ballast train CONFIG --run DIR`"
                .to_owned(),
        }),
    }
}

/// `runs/CONFIG/seed-N`.
fn default_run(config: &Path, seed: u64) -> PathBuf {
    let name = config.file_stem().unwrap_or_default();
    Path::new("runs").join(name).join(format!("seed-{seed}"))
}

fn dry_run(config: &Config, directory: &Path, options: RunOptions) -> Result<(), Error> {
    let plan = ballast::train::plan(config, directory, options)?;
    let mebibytes = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    print(&plan.summary)?;
    print(format_args!(
        "{} parameters, {} with gradients, moments and kept copies; peak memory {}",
        plan.parameters,
        mebibytes(plan.state_bytes),
        plan.peak_bytes.map_or("unknown".to_owned(), mebibytes),
    ))?;
    if plan.search_steps > 0 {
        let share = plan.search_steps as f64 / plan.steps as f64;
        print(format_args!(
            "a search for a noise comes first: {} steps, {share:.2} of the training",
            plan.search_steps
        ))?;
    }
    print(format_args!(
        "{} of {}, {} in all; the first step took {:.0} ms",
        count(plan.epochs, "epoch"),
        count(plan.steps_per_epoch, "step"),
        count(plan.steps, "step"),
        1e3 * plan.step_seconds
    ))?;
    Ok(print(format_args!(
        "Dry run, nothing written. A real run would write to {}.",
        directory.display()
    ))?)
}
