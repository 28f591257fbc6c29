//! `ballast noise`.

use anyhow::{Context, Error};
use noise::{Verdict, rows};
use train::{Config, Part, Source, TrainError};

use crate::args::Noise;

pub(crate) fn run(args: Noise) -> Result<(), Error> {
    let config = Config::load(&args.config, &args.set).map_err(TrainError::from)?;
    let verdict = Verdict::new(config.noise.input(), config.noise.sampler())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows(config.noise.input()))?);
    } else {
        println!("{}\n\n{verdict}", table(&config.noise));
    }
    if let Some(path) = args.figure {
        let svg = noise::figure(&config.noise, &window(&config)?)?;
        train::write_text(&path, &svg).context("drawing")?;
        eprintln!("drawn to {}", path.display());
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
    let source = Source::load(config, train::Device::Cpu)?;
    Ok(source.first_context(Part::Train)?)
}
