//! Noise as augmentation in a hand-written loop: a linear forecaster of a noisy AR(1) series.
//!
//! ```text
//! cargo run -p noise --example augment
//! ```
//!
//! With 40 windows of 32 values the least-squares fit overfits. The same loop is run on clean
//! windows, on plainly diffused ones, and with the clean signal added back.

use noise::{
    Diffuser, NoiseError, Normalization, Reinjection, Schedule, StepDistribution, StepSampler,
};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor};

const CONTEXT: i64 = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tch::manual_seed(7);
    let train = windows(40);
    let test = windows(4000);
    let schedule = || Schedule::linear(100, 1e-4, 0.1);
    let arms = [
        ("clean", Reinjection::plain(Schedule::clean())),
        ("diffused", Reinjection::plain(schedule()?)),
        ("diffused, λ = 1", Reinjection::new(schedule()?, 1.0, Normalization::Variance)?),
        ("diffused, λ = 3", Reinjection::new(schedule()?, 3.0, Normalization::Variance)?),
    ];
    report(&format!("{:18} train   test   (mean squared error; least possible 1)", "windows"));
    for (name, process) in arms {
        let (train, test) = fit(&process, &train, &test)?;
        report(&format!("{name:18} {train:5.3}  {test:5.3}"));
    }
    Ok(())
}

/// Fits a linear map on noised windows; errors on clean ones.
fn fit(
    process: &Reinjection,
    (x0, y0): &(Tensor, Tensor),
    test: &(Tensor, Tensor),
) -> Result<(f64, f64), NoiseError> {
    let diffuser = Diffuser::new(process, Device::Cpu, Kind::Float)?;
    let sampler = StepSampler::new(&StepDistribution::uniform(process), Device::Cpu)?;
    let variables = nn::VarStore::new(Device::Cpu);
    let model = nn::linear(variables.root(), CONTEXT, 1, Default::default());
    let mut optimizer = nn::Adam::default().build(&variables, 1e-2)?;
    for _ in 0..1500 {
        let t = sampler.sample(x0.size()[0])?; // a new step and new noise every time
        let xt = diffuser.apply_drawn(x0, &t)?;
        optimizer.backward_step(&model.forward(&xt).mse_loss(y0, tch::Reduction::Mean));
    }
    let error = |(x, y): &(Tensor, Tensor)| -> Result<f64, NoiseError> {
        let forecast = model.forward(&diffuser.clean(x)?); // inference: the same transformation, t = 0
        Ok(forecast.mse_loss(y, tch::Reduction::Mean).double_value(&[]))
    };
    Ok((error(&(x0.shallow_clone(), y0.shallow_clone()))?, error(test)?))
}

/// Windows of `x_i = 0.8 x_{i−1} + ε_i` and the value after each; no forecast beats variance 1.
fn windows(count: i64) -> (Tensor, Tensor) {
    let noise = Tensor::randn([count, CONTEXT + 1], (Kind::Float, Device::Cpu));
    let mut columns = vec![noise.narrow(1, 0, 1) / 0.6]; // the stationary standard deviation
    for i in 1..=CONTEXT {
        let next = &columns[i as usize - 1] * 0.8 + noise.narrow(1, i, 1);
        columns.push(next);
    }
    let series = Tensor::cat(&columns, 1);
    (series.narrow(1, 0, CONTEXT) * 0.6, series.narrow(1, CONTEXT, 1))
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn report(line: &str) {
    println!("{line}");
}
