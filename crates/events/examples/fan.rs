//! Draws a forecast of a noisy wave: `cargo run -p events --example fan -- fan.png`.

use std::{env, error, f64::consts::TAU, fs};

use events::{Fan, LEVELS};

fn main() -> Result<(), Box<dyn error::Error>> {
    let path = env::args().nth(1).ok_or("which file shall I write?")?;
    let wave = |k: usize| (TAU * k as f64 / 12.0).sin() + 0.35 * (TAU * k as f64 / 2.3).sin();
    let context: Vec<f64> = (0..36).map(wave).collect();
    let truth: Vec<f64> = (36..48).map(wave).collect();
    let quantiles: Vec<[f64; 7]> = (0..12)
        .map(|k| {
            let (mean, std) = ((TAU * (36 + k) as f64 / 12.0).sin(), 0.3 + 0.03 * k as f64);
            // Of a logistic distribution of this standard deviation.
            LEVELS.map(|p| mean + std * (p / (1.0 - p)).ln() * 3.0_f64.sqrt() / (0.5 * TAU))
        })
        .collect();
    let fan = Fan { context: &context, truth: &truth, quantiles: &quantiles };
    Ok(fs::write(path, fan.draw(640, 240)?.png())?)
}
