//! Draws the effect of a `[noise]` table on a window, as one SVG.
//!
//! ```text
//! cargo run -p noise --example figure -- OUT.svg [CONFIG.toml [SERIES.csv]]
//! ```
//!
//! `CONFIG.toml` holds the keys of the `[noise]` table (default: a linear schedule). The figure shows the
//! first 96 values of the last column of `SERIES.csv`; without it, a generated daily cycle.

use noise::{NoiseConfig, NoiseTable, ScheduleKind, Verdict, figure};

const LENGTH: usize = 96;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: figure OUT.svg [CONFIG.toml [SERIES.csv]]")?;
    let config: NoiseConfig = match arguments.next() {
        Some(path) => toml::from_str(&std::fs::read_to_string(path)?)?,
        None => NoiseTable::new(ScheduleKind::Linear).try_into()?,
    };
    let window = match arguments.next() {
        Some(path) => last_column(&std::fs::read_to_string(path)?)?,
        None => daily_cycle(),
    };
    std::fs::write(&out, figure(&config, &window)?)?;
    say(&Verdict::new(config.input(), config.sampler())?.to_string());
    Ok(())
}

/// The first values of the last column, standardized.
fn last_column(csv: &str) -> Result<Vec<f64>, std::num::ParseFloatError> {
    let cells = csv.lines().skip(1).take(LENGTH).filter_map(|line| line.rsplit(',').next());
    Ok(standardize(cells.map(|cell| cell.trim().parse()).collect::<Result<_, _>>()?))
}

fn daily_cycle() -> Vec<f64> {
    let turn = |i: usize, hours: f64| (i as f64 * std::f64::consts::TAU / hours).sin();
    standardize((0..LENGTH).map(|i| turn(i, 24.0) + 0.4 * turn(i, 8.0) + 0.01 * i as f64).collect())
}

fn standardize(values: Vec<f64>) -> Vec<f64> {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    values.iter().map(|value| (value - mean) / variance.sqrt().max(1e-12)).collect()
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn say(line: &str) {
    println!("{line}");
}
