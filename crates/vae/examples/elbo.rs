//! The evidence lower bound, measured where everything is known in closed form: it is tight exactly at the true
//! posterior, and it decomposes in two ways.
//!
//! ```text
//! bound = E_q[log p(x | z)] − KL[q(z) ‖ p(z)] = log p(x) − KL[q(z) ‖ p(z | x)]
//! ```
//!
//! `cargo run -p vae --example elbo`: data from a linear Gaussian model; a VAE with a linear decoder before and
//! after training, and its trained decoder with the exact posterior. Means in nats per window.
#![allow(clippy::print_stdout, reason = "an example")]

use objective::ppca::Ppca;
use objective::{DiagonalGaussian, Family, Gaussian};
use tch::nn::{Adam, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor, no_grad};
use vae::{
    BackboneKind, Channels, Inputs, Model, ModelConfig, ModelKind, Observation, Scale, Shape,
};

const WINDOWS: i64 = 1000;
const STEPS: i64 = 8;
const LATENT: i64 = 2;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    tch::manual_seed(1);
    tch::set_num_threads(1);
    let options = (Kind::Double, Device::Cpu);
    let truth =
        Ppca::new(Tensor::randn([STEPS, LATENT], options), Tensor::randn([STEPS], options), 0.25)?;
    let x = truth.sample(WINDOWS)?;
    let config = ModelConfig {
        kind: ModelKind::Autoencode,
        backbone: BackboneKind::Linear,
        channels: Channels::Joint,
        latent: LATENT,
        scale: Scale::Global,
        instance_norm: false,
        ..ModelConfig::default()
    };
    let store = VarStore::new(Device::Cpu);
    let model = Model::new(&store.root(), &config, Family::Gaussian, Shape::new(STEPS, 1, 1))?;

    println!(
        "{:22}{:>10}{:>10}{:>10}{:>12}{:>12}",
        "q", "E log p", "KL prior", "bound", "evidence", "KL posterior"
    );
    let (decoder, q) = read(&store, &model, &x)?;
    row("fresh encoder", &decoder, &q.into(), &x)?;
    train(&store, &model, &x)?;
    let (decoder, q) = read(&store, &model, &x)?;
    row("trained encoder", &decoder, &q.into(), &x)?;
    row("exact posterior", &decoder, &decoder.posterior(&x)?.into(), &x)?;
    let best = Ppca::fit(&x, LATENT)?.log_evidence(&x)?;
    println!("best evidence of any linear decoder: {:.4}", mean(&best));
    Ok(())
}

/// Both decompositions of the bound; they agree to rounding, or this panics.
fn row(name: &str, decoder: &Ppca, q: &Gaussian, x: &Tensor) -> Result<()> {
    let (reconstruction, kl) = (decoder.expected_log_likelihood(q, x)?, q.kl_to_standard());
    let (evidence, gap) = (decoder.log_evidence(x)?, q.kl(&decoder.posterior(x)?)?);
    let bound = &reconstruction - &kl;
    assert!((&bound - (&evidence - &gap)).abs().max().double_value(&[]) < 1e-9);
    let [a, b, c, d, e] = [&reconstruction, &kl, &bound, &evidence, &gap].map(mean);
    println!("{name:22}{a:10.4}{b:10.4}{c:10.4}{d:12.4}{e:12.4}");
    Ok(())
}

/// The model's decoder as a linear Gaussian model, and its posterior of each window, in f64.
fn read(store: &VarStore, model: &Model, x: &Tensor) -> Result<(Ppca, DiagonalGaussian)> {
    let _guard = tch::no_grad_guard();
    let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
    let pass = model.forward(&Inputs::new(windows(x)), None, false)?;
    let posterior = &pass.latents[0].posterior;
    let q = DiagonalGaussian::new(double(posterior.mean()), double(posterior.log_std()))?;
    let variables = store.variables();
    let weight = double(&variables["decoder.head.weight"]);
    let variance = pass.likelihood.variance().double_value(&[0, 0, 0]);
    Ok((Ppca::new(weight, double(&variables["decoder.head.bias"]), variance)?, q))
}

fn train(store: &VarStore, model: &Model, x: &Tensor) -> Result<()> {
    let (mut adam, windows) = (Adam::default().build(store, 3e-2)?, windows(x));
    for step in 0..600 {
        adam.set_lr(3e-2 * 1e-2f64.powf(f64::from(step) / 600.0));
        let observation = Observation { values: &windows, noise: None, observed: None };
        let inputs = Inputs::new(windows.shallow_clone());
        let terms = model.terms(&inputs, None, observation, true)?;
        let kl = terms.kl_groups[0].sum_dim_intlist(-1, false, None);
        adam.backward_step(&(kl - terms.log_likelihood).mean(None));
    }
    Ok(())
}

fn windows(x: &Tensor) -> Tensor {
    no_grad(|| x.to_kind(Kind::Float).unsqueeze(-1))
}

fn mean(nats: &Tensor) -> f64 {
    nats.mean(Kind::Double).double_value(&[])
}
