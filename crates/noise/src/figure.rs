//! The effect of a `[noise]` table on a window, drawn as one SVG.

use std::fmt::Write as _;

use chart::{Chart, Color};
use tch::{Device, Kind, Tensor};

use crate::config::NoiseConfig;
use crate::density::ImpliedDensity;
use crate::diffusion::Diffuser;
use crate::error::NoiseError;
use crate::reinjection::Reinjection;
use crate::report::snapshot_steps;

/// Draws `ᾱ_t`, the signal-to-noise ratio in dB and the implied density of plain steps, then `window` at
/// `t = 0, T/4, T/2, T`, without and with the re-injection of the input: five charts as one SVG.
///
/// `window` is one channel, standardized. The noise of the windows is drawn from a fixed seed. A coherent noise depends on
/// the other windows too, so that only the first three charts are drawn.
///
/// # Errors
/// Only libtorch's own.
pub fn figure(config: &NoiseConfig, window: &[f64]) -> Result<String, NoiseError> {
    let process = config.input();
    let plain = Reinjection::plain(process.schedule().clone());
    let name = format!("λ = {}", process.strength());
    let mut charts =
        vec![alpha_bar(process, &name), signal_to_noise(process, &name), implied_density(config)?];
    if !config.shape().is_coherent() {
        charts.push(windows("One window, plain", &plain, window)?);
        charts.push(windows(&format!("The same window, {name}"), process, window)?);
    }
    Ok(grid(&charts))
}

fn steps(process: &Reinjection) -> Vec<f64> {
    (0..=process.steps()).map(|t| t as f64).collect()
}

fn alpha_bar(process: &Reinjection, name: &str) -> Chart {
    let t = steps(process);
    Chart::new("Share of signal in the variance")
        .x("diffusion step t")
        .y("ᾱ")
        .y_range(0.0, 1.0)
        .line("plain", &t, process.schedule().alpha_bar())
        .line(name, &t, process.equivalent_alpha_bar())
}

fn signal_to_noise(process: &Reinjection, name: &str) -> Chart {
    let plain = Reinjection::plain(process.schedule().clone());
    let (before, after): (Vec<f64>, Vec<f64>) =
        (plain.snr_db().collect(), process.snr_db().collect());
    // Step 0 is infinite and a signal below −60 dB is gone: neither should set the scale.
    Chart::new("Signal to noise")
        .x("diffusion step t")
        .y("SNR (dB)")
        .y_range(-60.0, 60.0)
        .line("plain", &steps(process), &before)
        .line(name, &steps(process), &after)
        .horizontal_rule("lost below −20 dB", -20.0)
}

fn implied_density(config: &NoiseConfig) -> Result<Chart, NoiseError> {
    let implied = ImpliedDensity::new(config.input(), config.sampler())?;
    let bars = implied.histogram(40);
    let edges: Vec<f64> =
        bars.iter().map(|bar| bar.from).chain(bars.last().map(|bar| bar.to)).collect();
    let density: Vec<f64> = bars.iter().map(|bar| bar.density).collect();
    Ok(Chart::new("Plain steps it amounts to")
        .x("equivalent step τ")
        .y("density")
        .histogram("implied", &edges, &density)
        .horizontal_rule("uniform", 1.0 / config.steps().max(1) as f64))
}

/// The window at `t = 0, T/4, T/2, T`, each with its own noise.
fn windows(title: &str, process: &Reinjection, window: &[f64]) -> Result<Chart, NoiseError> {
    tch::manual_seed(7);
    let diffuser = Diffuser::new(process, Device::Cpu, Kind::Double)?;
    let time: Vec<f64> = (0..window.len()).map(|i| i as f64).collect();
    let shown = snapshot_steps(process.steps());
    let mut chart = Chart::new(title).x("time").y("standardized value");
    // The cleanest is drawn last and stays readable.
    for (i, &t) in shown.iter().enumerate().rev() {
        let x0 = Tensor::from_slice(window).unsqueeze(0);
        let xt = diffuser.apply_drawn(&x0, &Tensor::from_slice(&[t as i64]))?;
        let values = Vec::<f64>::try_from(xt.squeeze())?;
        let color = [Color::Ink, Color::Blue, Color::Orange, Color::Muted][i];
        chart = chart.line(format!("t = {t}"), &time, &values).color(color);
    }
    Ok(chart)
}

/// Several charts as one SVG.
fn grid(charts: &[Chart]) -> String {
    const COLUMNS: usize = 3;
    let (width, height) = (450, 340);
    let rows = charts.len().div_ceil(COLUMNS);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\">\n",
        width * COLUMNS,
        height * rows
    );
    for (i, chart) in charts.iter().enumerate() {
        let (x, y) = (i % COLUMNS * width, i / COLUMNS * height);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">\n{}</g>", chart.render());
    }
    svg + "</svg>\n"
}
