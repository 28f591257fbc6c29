//! Training reaches known optima: plain loops against closed forms.

use objective::ppca::{Ppca, principal_cosines};
use objective::{DiagonalGaussian, Family};
use tch::nn::OptimizerConfig;
use tch::{Device, Kind, Tensor, nn, no_grad};
use vae::{
    BackboneKind, Channels, Inputs, Model, ModelConfig, ModelKind, Observation, Scale, Shape,
};

use crate::support::*;

fn plain(kind: ModelKind, backbone: BackboneKind) -> ModelConfig {
    ModelConfig {
        kind,
        backbone,
        channels: Channels::Joint,
        instance_norm: false,
        linear_skip: false,
        hidden: 16,
        scale: Scale::Global,
        latent: 8,
        dropout: 0.0,
        ..ModelConfig::default()
    }
}

/// ELBO in nats per example, one draw of `z` each.
fn elbo(model: &Model, inputs: &Inputs, target: &Tensor) -> Tensor {
    let pass = model.forward(inputs, Some(target), true).unwrap();
    let log_prob = pass.likelihood.log_prob(target).unwrap();
    let log_prob = log_prob.sum_dim_intlist(Some([-2i64, -1].as_slice()), false, None);
    (log_prob - pass.kl().unwrap()).mean(None)
}

/// Full-batch Adam whose rate falls to a hundredth over the second half, so that no step noise is left.
fn train(built: &Built, inputs: &Inputs, target: &Tensor, steps: i64, rate: f64) {
    // Two threads that wait for each other every few microseconds lose more time than they gain.
    tch::set_num_threads(1);
    let mut adam = nn::Adam::default().build(&built.store, rate).unwrap();
    for step in 0..steps {
        adam.set_lr(rate * 1e-2f64.powf((2.0 * step as f64 / steps as f64 - 1.0).max(0.0)));
        adam.backward_step(&-elbo(&built.model, inputs, target));
    }
}

/// Mean ELBO over many draws, in f64, and its standard error: the draws are independent of each other.
fn evaluate(built: &Built, inputs: &Inputs, target: &Tensor) -> (f64, f64) {
    let draws = 200;
    let elbos = (0..draws).map(|_| elbo(&built.model, inputs, target).double_value(&[]));
    let elbos = Tensor::from_slice(&tch::no_grad(|| elbos.collect::<Vec<_>>()));
    let error = elbos.std(true).double_value(&[]) / f64::from(draws).sqrt();
    (elbos.mean(None).double_value(&[]), error)
}

/// The ELBO of a VAE with a linear decoder has the evidence of the best probabilistic PCA as its
/// maximum (Lucas et al. 2019): its posterior is diagonal once `W` has orthogonal columns.
#[test]
fn a_linear_autoencoder_becomes_probabilistic_pca() {
    let (n, dimension, latent) = (1000, 8, 2);
    let options = (Kind::Double, Device::Cpu);
    let (directions, _) =
        Tensor::linalg_qr(&Tensor::randn([dimension, latent], options), "reduced");
    // Two directions of standard deviation 2 and 1 in noise of ½.
    let weights = directions * Tensor::from_slice(&[2.0f64, 1.0]);
    let truth = Ppca::new(weights, Tensor::randn([dimension], options), 0.25).unwrap();
    let x = truth.sample(n).unwrap();
    let best = Ppca::fit(&x, latent).unwrap();
    let evidence = best.log_evidence(&x).unwrap().mean(Kind::Double).double_value(&[]);

    let config = ModelConfig { latent, ..plain(ModelKind::Autoencode, BackboneKind::Linear) };
    let built = build(&config, Family::Gaussian, Shape::new(dimension, 1, 1));
    let windows = x.to_kind(Kind::Float).unsqueeze(-1);
    let inputs = Inputs::new(windows.shallow_clone());
    train(&built, &inputs, &windows, 700, 3e-2);

    let (elbo, error) = evaluate(&built, &inputs, &windows);
    let gap = evidence - elbo;
    assert!(error < 0.005, "{error}");
    assert!(
        (-6.0 * error..0.02 + 6.0 * error).contains(&gap),
        "{gap:.4} ± {error:.4} nats from log evidence {evidence:.3}"
    );
    let weights = built.store.variables()["decoder.head.weight"].to_kind(Kind::Double);
    let cosines = principal_cosines(&weights, best.weights()).unwrap();
    assert!(cosines.min().double_value(&[]) > 0.9999, "{cosines:?}");
}

/// Oracle: the bound in closed form. Given `q` and a linear decoder, `E_q[log p(x | z)] − KL[q ‖ p]` needs no draws; the
/// terms of one draw each have it as their mean over 400 000 windows, to a hundredth of a nat. And it lies
/// `KL[q ‖ p(z | x)]` below the log evidence.
#[test]
fn the_bound_has_its_closed_form() {
    let (n, dimension, latent) = (400_000, 8, 2);
    let config = ModelConfig { latent, ..plain(ModelKind::Autoencode, BackboneKind::Linear) };
    let built = build(&config, Family::Gaussian, Shape::new(dimension, 1, 1));
    for variable in built.store.trainable_variables() {
        let _ = no_grad(|| variable.shallow_clone().normal_(0.0, 0.15));
    }
    let windows = randn(&[n, dimension, 1]);
    let inputs = Inputs::new(windows.shallow_clone());
    let _guard = tch::no_grad_guard();
    let observation = Observation { values: &windows, noise: None, observed: None };
    let terms = built.model.terms(&inputs, None, observation, false).unwrap();
    let kl = terms.kl_groups[0].sum_dim_intlist(Some([-1i64].as_slice()), false, None);
    let drawn = (terms.log_likelihood - kl).to_kind(Kind::Double);

    let variables = built.store.variables();
    let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
    let pass = built.model.forward(&inputs, None, false).unwrap();
    let variance = pass.likelihood.variance().double_value(&[0, 0, 0]);
    let (weight, bias) = (&variables["decoder.head.weight"], &variables["decoder.head.bias"]);
    let decoder = Ppca::new(double(weight), double(bias), variance).unwrap();
    let posterior = &pass.latents[0].posterior;
    let q = DiagonalGaussian::new(double(posterior.mean()), double(posterior.log_std())).unwrap();
    let x = double(&windows.squeeze_dim(-1));
    let exact = decoder.expected_log_likelihood(&q, &x).unwrap() - q.kl_to_standard();

    let gap = drawn - &exact;
    let error = gap.std(true).double_value(&[]) / (n as f64).sqrt();
    let gap = gap.mean(Kind::Double).double_value(&[]);
    assert!(error < 0.0025, "{error}");
    assert!(gap.abs() < 4.0 * error, "{gap} ± {error}");
    let loss = decoder.log_evidence(&x).unwrap() - exact;
    let divergence = q.kl(&decoder.posterior(&x).unwrap()).unwrap();
    assert!((loss - divergence).abs().max().double_value(&[]) < 1e-6);
}

/// `y = A x + B u + noise` with hidden `u ~ N(0, 1)`: `y | x ~ N(A x, B Bᵀ + s² I)` exactly, and a
/// conditional model without activations can reach its density, on examples it has not seen.
#[test]
fn a_conditional_bound_reaches_the_conditional_density() {
    let (n, context, horizon, noise) = (1000, 4, 3, 0.5);
    let options = (Kind::Double, Device::Cpu);
    let (a, b) = (Tensor::randn([horizon, context], options), Tensor::randn([horizon, 1], options));
    let truth = Ppca::new(b, Tensor::zeros([horizon], options), noise * noise).unwrap();
    let draw = |n: i64| {
        let (x, residual) = (Tensor::randn([n, context], options), truth.sample(n).unwrap());
        let density = truth.log_evidence(&residual).unwrap().mean(Kind::Double).double_value(&[]);
        let y = x.matmul(&a.tr()) + residual;
        let float = |tensor: &Tensor| tensor.to_kind(Kind::Float).unsqueeze(-1);
        (Inputs::new(float(&x)), float(&y), density)
    };
    let (inputs, target, _) = draw(n);
    let (unseen, unseen_target, density) = draw(4 * n);
    for kind in [ModelKind::Conditional, ModelKind::Hierarchical] {
        let config = ModelConfig { latent: 1, ..plain(kind, BackboneKind::Linear) };
        let built = build(&config, Family::Gaussian, Shape::new(context, horizon, 1));
        train(&built, &inputs, &target, 700, 3e-2);
        let gap = density - evaluate(&built, &unseen, &unseen_target).0;
        // About 25 weights learned from n examples cost 25 / 2n = 0.013 nats; less than none but
        // for sampling error would break the bound.
        assert!((-0.015..0.05).contains(&gap), "{kind:?}: {gap:.4} nats below {density:.3}");
    }
}
