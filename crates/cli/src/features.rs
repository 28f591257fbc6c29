//! `ballast features`.

use anyhow::Error;
use train::{Features, FeaturesOptions, Probe, RunOptions, StepFeatures};

use crate::args;

pub(crate) fn run(args: args::Features) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: None };
    let asked = FeaturesOptions { steps: usize::from(args.steps), process: args.process };
    let (found, file) = train::features_run(&args.run, options, &asked)?;
    println!("{}", table(&found));
    for left_out in &found.left_out {
        println!("note: left out: {left_out}");
    }
    println!("written to {}", file.display());
    Ok(())
}

fn table(found: &Features) -> String {
    let Features { feature, dimensions, windows, .. } = found;
    let mut lines = vec![
        format!(
            "{feature}, {dimensions} dimensions; {} test windows, {} to fit on",
            windows.test, windows.train
        ),
        "R² of a linear reader, from the features and from the noised window itself; nats"
            .to_owned(),
        format!(
            "{:>6} {:>7}  {:>15} {:>7}  {:>15} {:>7}  {:>6} {:>8} {:>7} {:>7}",
            "t",
            "SNR dB",
            "future",
            "window",
            "context",
            "window",
            "I(z;x)",
            "possible",
            "KL",
            "active"
        ),
    ];
    lines.extend(found.steps.iter().map(line));
    let limit = found.steps.first().and_then(|step| step.mutual_information_limit);
    lines.extend(limit.map(|limit| {
        format!(
            "I(z;x): which of the test windows it is, so at most {limit:.2}; possible: per value, were it white"
        )
    }));
    lines.join("\n")
}

fn line(step: &StepFeatures) -> String {
    let optional =
        |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let active: Vec<String> = step.active_units.iter().map(ToString::to_string).collect();
    let decibels = match step.snr_db {
        Some(decibels) => format!("{decibels:.1}"),
        None if step.alpha_bar_equivalent > 0.0 => "clean".to_owned(),
        None => "none".to_owned(),
    };
    format!(
        "{:>6} {decibels:>7}  {:>15} {:>7}  {:>15} {:>7}  {:>6} {:>8} {:>7.2} {:>7}",
        step.t,
        with_error(step.probe_future),
        alone(step.raw_future),
        with_error(step.probe_context),
        alone(step.raw_context),
        optional(step.mutual_information),
        optional(step.possible_information),
        step.kl,
        active.join("+"),
    )
}

fn alone(probe: Probe) -> String {
    probe.r2.map_or("–".to_owned(), |r2| format!("{r2:.3}"))
}

fn with_error(probe: Probe) -> String {
    match probe.error {
        Some(error) => format!("{} ± {error:.3}", alone(probe)),
        None => alone(probe),
    }
}
