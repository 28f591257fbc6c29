//! `ballast noise`.

use anyhow::{Context, Error};
use ballast::feed::Part;
use ballast::noise::{FarEnd, Reinjection, StepRow, Verdict, rows};
use ballast::record::RecordError;
use ballast::train::{Config, TrainError};

use crate::args::Noise;
use crate::table::Table;
use terminal::{leave_stdout_to, note, print};

pub(crate) fn run(args: Noise) -> Result<(), Error> {
    leave_stdout_to([args.figure.as_deref()]);
    let config = Config::load(&args.config, &args.set).map_err(TrainError::from)?;
    let Some(noise) = config.noise.fixed() else {
        return list_candidates(args.json || args.figure.is_some());
    };
    let verdict = Verdict::new(noise.input(), noise.sampler())?;
    if args.json {
        print(serde_json::to_string_pretty(&rows(noise.input()))?)?;
    } else {
        print(format_args!("{}\n\n{verdict}", table(noise)))?;
        if noise.shape().is_coherent() {
            print(FarEnd::new(noise))?;
        }
    }
    if let Some(path) = args.figure {
        let svg = ballast::noise::figure(noise, &window(&config)?)?;
        ballast::files::write_text(&path, &svg)
            .map_err(RecordError::writing(&path))
            .context("drawing the figure")?;
        note(format_args!("figure written to {}", path.display()));
    }
    Ok(())
}

/// Lists the candidates of `noise = "auto"`, unless JSON or a figure is asked for: these describe a single noise.
fn list_candidates(single_noise_wanted: bool) -> Result<(), Error> {
    if single_noise_wanted {
        return Err(TrainError::NoiseUndecided.into());
    }
    print("noise = \"auto\": training chooses one of these on validation windows\n")?;
    let headings = ["", "λ_x", "λ_y", "clean", "least SNR of inputs and targets"];
    let mut table = Table::new(headings).ragged();
    let decibels = |process: &ballast::noise::Reinjection| match process.snr_db().last() {
        Some(least) if least.is_finite() => format!("{least:.1} dB"),
        _ => "clean".to_owned(),
    };
    for ballast::train::Candidate { name, noise } in ballast::train::candidates() {
        table.row([
            name.to_owned(),
            noise.input().strength().to_string(),
            noise.target().strength().to_string(),
            noise.table().sampler.clean.to_string(),
            format!("{}, {}", decibels(noise.input()), decibels(noise.target())),
        ]);
    }
    Ok(print(table.lines().join("\n"))?)
}

/// Maximum steps printed; `--json` prints them all.
const MAX_ROWS: usize = 20;

fn table(noise: &ballast::noise::NoiseConfig) -> String {
    let rows = rows(noise.input());
    let plain = Reinjection::plain(noise.input().schedule().clone());
    let ratios = plain.snr_db().zip(noise.input().snr_db());
    let stride = rows.len().div_ceil(MAX_ROWS).max(1);
    let last = rows.len() - 1;
    let mut table =
        Table::new(["t", "beta", "alpha_bar", "SNR dB", "reinjected", "alpha_bar(τ)", "τ"]);
    let decibels = |db: f64| match db {
        f64::INFINITY => "clean".to_owned(),
        f64::NEG_INFINITY => "none".to_owned(),
        db => format!("{db:.1}"),
    };
    let shown = |row: &StepRow| row.t.is_multiple_of(stride) || row.t == last;
    for (row, (snr, reinjected)) in rows.iter().zip(ratios).filter(|(row, _)| shown(row)) {
        table.row([
            row.t.to_string(),
            format!("{:.6}", row.beta),
            format!("{:.6}", row.alpha_bar),
            decibels(snr),
            decibels(reinjected),
            format!("{:.6}", row.equivalent_alpha_bar),
            format!("{:.2}", row.equivalent_step),
        ]);
    }
    table.lines().join("\n")
}

/// The first training context of the first target, standardized.
fn window(config: &Config) -> Result<Vec<f64>, Error> {
    let source = ballast::train::load(config, ballast::train::Device::Cpu)?;
    Ok(source.first_context(Part::Train)?)
}
