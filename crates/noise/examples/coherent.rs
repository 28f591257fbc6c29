//! Coherent noise in a hand-written loop: forecasters of skewed windows, of which there are few.
//!
//! ```text
//! cargo run -p noise --example coherent
//! ```
//!
//! Three hundred windows of 32 values and the eight after them. White noise on the context is ridge regression, which is
//! what a linear forecaster lacks. Coherent noise leaves least squares as it is, and keeps a network from learning windows
//! by heart.

use noise::{Coherent, Diffuser, NoiseConfig, NoiseError, StepSampler, Windows};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

const CONTEXT: i64 = 32;
const HORIZON: i64 = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tch::manual_seed(7);
    let (train, test) = (windows(300), windows(4000));
    report(&format!("{:32} linear  network   (mean squared error on other windows)", "noise"));
    for (name, text) in [
        ("none", "schedule = 'none'"),
        ("white on the context, λ = 1", "schedule = 'linear'"),
        ("window, λ = 1", "schedule = 'linear'\nshape = 'window'"),
        ("gaussian, λ = 1", "schedule = 'linear'\nshape = 'gaussian'"),
        (
            "gaussian, normal scores, λ = 1",
            "schedule = 'linear'\nshape = 'gaussian'\nspace = 'normal-scores'",
        ),
        (
            "gaussian, normal scores, λ = 0",
            "schedule = 'linear'\nshape = 'gaussian'\nspace = 'normal-scores'\ninput = { reinject = 0 }",
        ),
    ] {
        let noise: NoiseConfig = toml::from_str(text)?;
        let errors = [false, true].map(|deep| match noise.shape().is_coherent() {
            true => coherent(&noise, deep, &train, &test),
            false => white(&noise, deep, &train, &test),
        });
        let [linear, network] = errors;
        report(&format!("{name:32} {:.3}   {:.3}", linear?, network?));
    }
    Ok(())
}

/// The loop that a user writes: one call noises context and target together.
fn coherent(
    noise: &NoiseConfig,
    deep: bool,
    train: &Tensor,
    test: &Tensor,
) -> Result<f64, NoiseError> {
    let noise_of = Coherent::new(noise, Device::Cpu, Kind::Float)?;
    let steps = StepSampler::new(noise.sampler(), Device::Cpu)?;
    fit(deep, train, test, |batch| {
        let t = steps.sample(batch.size()[0])?;
        noise_of.apply_drawn(Windows::new(batch), &t)
    })
}

/// White noise on the context alone.
fn white(
    noise: &NoiseConfig,
    deep: bool,
    train: &Tensor,
    test: &Tensor,
) -> Result<f64, NoiseError> {
    let diffuser = Diffuser::new(noise.input(), Device::Cpu, Kind::Float)?;
    let steps = StepSampler::new(noise.sampler(), Device::Cpu)?;
    fit(deep, train, test, |batch| {
        let t = steps.sample(batch.size()[0])?;
        let context = diffuser.apply_drawn(&batch.narrow(1, 0, CONTEXT), &t)?;
        Ok(Tensor::cat(&[&context, &batch.narrow(1, CONTEXT, HORIZON)], 1))
    })
}

/// Trains on what `noised` makes of a batch; the error is that on clean windows of `test`.
fn fit(
    deep: bool,
    train: &Tensor,
    test: &Tensor,
    noised: impl Fn(&Tensor) -> Result<Tensor, NoiseError>,
) -> Result<f64, NoiseError> {
    tch::manual_seed(11);
    let variables = nn::VarStore::new(Device::Cpu);
    let root = variables.root();
    let model = if deep {
        nn::seq()
            .add(nn::linear(&root / 0, CONTEXT, 128, Default::default()))
            .add_fn(Tensor::relu)
            .add(nn::linear(&root / 1, 128, HORIZON, Default::default()))
    } else {
        nn::seq().add(nn::linear(&root / 0, CONTEXT, HORIZON, Default::default()))
    };
    let mut optimizer = nn::Adam::default().build(&variables, 3e-3)?;
    for _ in 0..1000 {
        let rows = Tensor::randint(train.size()[0], [64], (Kind::Int64, Device::Cpu));
        optimizer.backward_step(&loss(&model, &noised(&train.index_select(0, &rows))?));
    }
    Ok(loss(&model, test).double_value(&[]))
}

/// Mean squared error of the forecasts from the first steps of `windows` `[B, L + H, 1]`.
fn loss(model: &nn::Sequential, windows: &Tensor) -> Tensor {
    let windows = windows.squeeze_dim(2);
    let forecast = model.forward(&windows.narrow(1, 0, CONTEXT));
    forecast.mse_loss(&windows.narrow(1, CONTEXT, HORIZON), Reduction::Mean)
}

/// Exponentials of an autoregression, relative to their mean, `[count, L + H, 1]`.
fn windows(count: i64) -> Tensor {
    let shocks = Tensor::randn([count, CONTEXT + HORIZON], (Kind::Float, Device::Cpu));
    let mut steps = vec![shocks.narrow(1, 0, 1)];
    for i in 1..CONTEXT + HORIZON {
        let next = &steps[i as usize - 1] * 0.9 + shocks.narrow(1, i, 1) * 0.19_f64.sqrt();
        steps.push(next);
    }
    ((Tensor::cat(&steps, 1) * 0.7).exp() - 1.28).unsqueeze(2)
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn report(line: &str) {
    println!("{line}");
}
