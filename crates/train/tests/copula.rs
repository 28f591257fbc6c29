//! Correlated residuals beside a latent variable that carries dependence itself.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use feed::{DevicePanel, Stream, seed};
use tch::{Device, Kind, Tensor, no_grad};
use train::{Config, Control, Loaded, RunOptions, prepare};

const ROWS: usize = 6000;
const HORIZON: i64 = 8;

/// A random walk with standard normal steps.
fn walk(path: &Path) -> Vec<f64> {
    tch::manual_seed(11);
    let steps = Tensor::randn([ROWS as i64], (Kind::Double, Device::Cpu));
    let values = Vec::<f64>::try_from(steps.cumsum(0, Kind::Double)).unwrap();
    let mut text = String::from("row,a\n");
    for (row, value) in values.iter().enumerate() {
        let _ = writeln!(text, "{row},{value}");
    }
    fs::write(path, text).unwrap();
    values
}

/// The correlation of the first with the last step of forecasts, each relative to the mean of its window.
fn correlation(folder: &Path, latent: i64) -> f64 {
    let text = format!(
        "seed = 2\n[data]\npath = \"{}\"\ncontext = 8\nhorizon = {HORIZON}\n[noise]\nschedule = \"none\"\n\
        [model]\nhidden = 32\ndropout = 0\nlatent = {latent}\ninstance_center = \"last\"\ninstance_floor = 1.0\n\
        residuals = \"correlated\"\n[objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = 0\n\
        [train]\nepochs = 40\nsteps_per_epoch = 150\nbatch_size = 64\nlearning_rate = 0.002\nrefit = false\n\
        choose_instance_norm = false\n",
        folder.join("walk.csv").display()
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let run = folder.join(format!("latent-{latent}"));
    let training = prepare(&config, &run, RunOptions::default()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    let loaded = Loaded::open(&run).unwrap();
    let fit = loaded.honest();
    let prepared = data::prepare(&config.data, data::read(&config.data, folder).unwrap()).unwrap();
    let panel = DevicePanel::of(&prepared.panel, &config.data, Device::Cpu).unwrap();
    let forecaster = fit.forecaster(&panel).unwrap();
    seed(1, Stream::Evaluation);
    no_grad(|| {
        let starts =
            Tensor::arange_start_step(0, ROWS as i64 - 16, 100, (Kind::Int64, Device::Cpu));
        let drawn = forecaster.sample(&panel.gather(&starts).unwrap(), 2000).unwrap();
        let centered = &drawn - drawn.mean_dim([0_i64].as_slice(), true, None);
        let [first, last] = [0, HORIZON - 1].map(|step| centered.select(2, step));
        let mean = |product: Tensor| product.mean(Kind::Double).double_value(&[]);
        mean(&first * &last) / (mean(first.square()) * mean(last.square())).sqrt()
    })
}

/// Closed form: steps 1 and 8 of a random walk have the correlation `1/√8`, whether the latent variable carries the
/// dependence or the residuals do.
#[test]
fn dependence_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    walk(&folder.path().join("walk.csv"));
    let mut worst = 0.0_f64;
    for latent in [1, 4, 16] {
        let found = correlation(folder.path(), latent);
        let expected = 1.0 / 8f64.sqrt();
        worst = worst.max((found - expected).abs());
    }
    assert!(worst < 0.03, "{worst}");
}
