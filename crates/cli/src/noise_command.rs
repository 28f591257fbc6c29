//! `ballast noise`.

use anyhow::{Context, Error};
use feed::Part;
use noise::{Verdict, rows};
use train::{Config, TrainError};

use crate::args::Noise;

pub(crate) fn run(args: Noise) -> Result<(), Error> {
    let config = Config::load(&args.config, &args.set).map_err(TrainError::from)?;
    let Some(noise) = config.noise.fixed() else {
        return choices(args.json || args.figure.is_some());
    };
    let verdict = Verdict::new(noise.input(), noise.sampler())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows(noise.input()))?);
    } else {
        println!("{}\n\n{verdict}", table(noise));
    }
    if let Some(path) = args.figure {
        let svg = noise::figure(noise, &window(&config)?)?;
        train::write_text(&path, &svg).context("drawing")?;
        eprintln!("drawn to {}", path.display());
    }
    Ok(())
}

/// What `noise = "auto"` chooses from; more can be said of one noise only.
fn choices(of_one: bool) -> Result<(), Error> {
    if of_one {
        return Err(TrainError::NoiseUndecided.into());
    }
    println!("noise = \"auto\": training chooses one of these on validation windows\n");
    println!(
        "{:<12} {:>5} {:>5} {:>6}  least SNR of inputs and targets",
        "", "λ_x", "λ_y", "clean"
    );
    let decibels = |process: &noise::Reinjection| match process.snr_db().last() {
        Some(least) if least.is_finite() => format!("{least:.1} dB"),
        _ => "clean".to_owned(),
    };
    for train::Candidate { name, noise } in train::candidates() {
        println!(
            "{name:<12} {:>5} {:>5} {:>6}  {}, {}",
            noise.input().strength(),
            noise.target().strength(),
            noise.table().sampler.clean,
            decibels(noise.input()),
            decibels(noise.target()),
        );
    }
    Ok(())
}

/// At most this many steps are printed; `--json` has them all.
const SHOWN: usize = 20;

fn table(noise: &noise::NoiseConfig) -> String {
    let rows = rows(noise.input());
    let stride = rows.len().div_ceil(SHOWN).max(1);
    let last = rows.len() - 1;
    let mut lines = vec![format!(
        "{:>6} {:>10} {:>10} {:>10} {:>12} {:>12} {:>10}",
        "t", "beta", "alpha_bar", "SNR dB", "reinjected", "alpha_bar(τ)", "τ"
    )];
    let decibels = |snr: f64| match snr {
        _ if snr.is_infinite() => "clean".to_owned(),
        _ if snr == 0.0 => "none".to_owned(),
        snr => format!("{:.1}", 10.0 * snr.log10()),
    };
    for row in rows.iter().filter(|row| row.t % stride == 0 || row.t == last) {
        lines.push(format!(
            "{:>6} {:>10.6} {:>10.6} {:>10} {:>12} {:>12.6} {:>10.2}",
            row.t,
            row.beta,
            row.alpha_bar,
            decibels(row.snr),
            decibels(row.snr_reinjected),
            row.equivalent_alpha_bar,
            row.equivalent_step,
        ));
    }
    lines.join("\n")
}

/// The first training context of the first target, standardized.
fn window(config: &Config) -> Result<Vec<f64>, Error> {
    let source = train::load(config, train::Device::Cpu)?;
    Ok(source.first_context(Part::Train)?)
}
