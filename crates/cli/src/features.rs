//! `ballast features`.

use anyhow::Error;
use ballast::probe::FeaturesOptions;
use ballast::record::{Features, Probe, StepFeatures};
use ballast::train::RunOptions;

use crate::args;
use crate::table::Table;
use terminal::print;

pub(crate) fn run(args: args::Features) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: None };
    let asked = FeaturesOptions { steps: usize::from(args.steps), process: args.process };
    let (found, file) = ballast::probe::features_run(&args.run, options, &asked)?;
    print(table(&found))?;
    for left_out in &found.left_out {
        print(format_args!("note: left out: {left_out}"))?;
    }
    Ok(print(format_args!("written to {}", file.display()))?)
}

fn table(found: &Features) -> String {
    let Features { feature, dimensions, windows, .. } = found;
    let mut lines = vec![
        format!(
            "{feature}, {dimensions} dimensions; {} test windows, {} windows to fit on",
            windows.test, windows.train
        ),
        "R² of a linear reader of the features, and of the noised window itself; information in nats"
            .to_owned(),
    ];
    let mut table = Table::new([
        "t", "SNR dB", "future", "window", "context", "window", "I(z;x)", "possible", "KL",
        "active",
    ]);
    for step in &found.steps {
        table.row(row(step));
    }
    lines.extend(table.lines());
    let limit = found.steps.first().and_then(|step| step.mutual_information_limit);
    lines.extend(limit.map(|limit| {
        format!(
            "I(z;x) is at most ln N = {limit:.2}; \"possible\" is the capacity per value for a white signal"
        )
    }));
    lines.join("\n")
}

fn row(step: &StepFeatures) -> [String; 10] {
    let optional =
        |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let active: Vec<String> = step.active_units.iter().map(ToString::to_string).collect();
    let decibels = match step.snr_db {
        Some(decibels) => format!("{decibels:.1}"),
        None if step.alpha_bar_equivalent > 0.0 => "clean".to_owned(),
        None => "none".to_owned(),
    };
    [
        step.t.to_string(),
        decibels,
        with_error(step.probe_future),
        r_squared(step.raw_future),
        with_error(step.probe_context),
        r_squared(step.raw_context),
        optional(step.mutual_information),
        optional(step.possible_information),
        format!("{:.2}", step.kl),
        active.join("+"),
    ]
}

fn r_squared(probe: Probe) -> String {
    probe.r2.map_or("–".to_owned(), |r2| format!("{r2:.3}"))
}

fn with_error(probe: Probe) -> String {
    match probe.error {
        Some(error) => format!("{} ± {error:.3}", r_squared(probe)),
        None => r_squared(probe),
    }
}
