//! The model's outputs, against values that are known independently.

use objective::Family;
use tch::{Device, Kind, Tensor, no_grad};
use vae::{BackboneKind, Channels, Draw, Inputs, ModelConfig, ModelKind, Residuals, Scale, Shape};

use crate::support::*;

fn set_zero(built: &Built, names: &str) {
    let variables = built.store.variables();
    let mut matched = variables.iter().filter(|(name, _)| name.starts_with(names)).peekable();
    assert!(matched.peek().is_some(), "no parameter is named {names}…");
    for (_, parameter) in matched {
        let _ = no_grad(|| parameter.shallow_clone().zero_());
    }
}

/// Oracle: with the decoder silenced, the mean is `A x + b` channel by channel, whatever `z` is.
#[test]
fn the_skip_is_the_linear_map_it_claims_to_be() {
    for config in combinations().filter(|config| config.kind != ModelKind::Autoencode) {
        let built = build(&config, Family::Gaussian, FULL);
        set_zero(&built, "decoder.head");
        let (weight, bias) = (randn(&[5, 10]), randn(&[5]));
        built.model.set_linear_skip(&weight, &bias).unwrap();
        let x = inputs(FULL, 4);
        let found = built.model.predict_likelihood(&x, 2, false).unwrap();
        let targets = x.context.narrow(2, 0, 3);
        let expected = weight.matmul(&targets) + bias.unsqueeze(1);
        let gap = gap(&found.mean(), &expected.unsqueeze(0));
        assert!(gap < 1e-5, "{config:?}: {gap}");
        let fresh = build(&config, Family::Gaussian, FULL);
        set_zero(&fresh, "decoder.head");
        let mean = targets.mean_dim(Some([1i64].as_slice()), true, Kind::Float);
        let found = fresh.model.predict_likelihood(&x, 1, false).unwrap().mean();
        assert!((found - mean.unsqueeze(0)).abs().max().double_value(&[]) < 1e-5);
    }
}

/// Oracle: seasonal terms add `D s` to every channel, and a fresh model does not use them.
#[test]
fn the_skip_sees_seasonal_terms() {
    let shape = Shape { seasonal: 4, ..FULL };
    for config in combinations().filter(|config| config.kind != ModelKind::Autoencode) {
        let built = build(&config, Family::Gaussian, shape);
        set_zero(&built, "decoder.head");
        let (x, terms) = (inputs(shape, 3), randn(&[3, 4]));
        let mean = |terms: &Tensor| {
            let x = x.clone().with_seasonal(terms.shallow_clone());
            built.model.predict_likelihood(&x, 1, false).unwrap().mean()
        };
        assert_eq!(gap(&mean(&terms), &mean(&terms.zeros_like())), 0.0);
        let (weight, bias) = (randn(&[5, 14]), randn(&[5]));
        built.model.set_linear_skip(&weight, &bias).unwrap();
        let added = mean(&terms) - mean(&terms.zeros_like());
        let expected = terms.matmul(&weight.narrow(1, 10, 4).tr()).view([1, 3, 5, 1]);
        assert!(gap(&added, &expected.expand([1, 3, 5, 3], false)) < 1e-5, "{config:?}");
        let without = built.model.predict_likelihood(&x, 1, false).unwrap_err();
        assert!(without.to_string().contains("seasonal"), "{without}");
    }
}

#[test]
fn without_a_skip_a_silenced_decoder_says_zero() {
    for config in combinations() {
        let built = build(&ModelConfig { linear_skip: false, ..config }, Family::Laplace, FULL);
        assert!(built.model.linear_skip().is_none());
        set_zero(&built, "decoder.head");
        let law = built.model.predict_likelihood(&inputs(FULL, 2), 2, false).unwrap();
        assert_eq!(law.loc().abs().max().double_value(&[]), 0.0);
        assert_eq!(law.log_scale().abs().max().double_value(&[]), 0.0);
    }
}

/// The start that the documentation promises, for unit-variance windows.
#[test]
fn a_fresh_model_is_near_the_prior_and_unit_scale() {
    for config in combinations() {
        // Wide enough for the laws of large numbers that the start relies on.
        let config = ModelConfig { hidden: 64, latent: 16, channel_embedding: 8, ..config };
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y) = (inputs(FULL, 64), target(FULL, 64));
        let pass = model.forward(&x, Some(&y), false).unwrap();
        let dims = (model.latent_dims() * model.groups()) as f64;
        let kl = pass.kl().unwrap().mean(Kind::Float).double_value(&[]) / dims;
        assert!((0.0..0.05).contains(&kl), "{kl} nats per dimension: {config:?}");
        for latent in &pass.latents {
            let posterior = &latent.posterior;
            let gaussians = [Some(posterior), latent.prior.as_ref()];
            for gaussian in gaussians.into_iter().flatten() {
                assert!(gaussian.mean().square().mean(Kind::Float).double_value(&[]) < 0.05);
                assert!(gaussian.log_std().square().mean(Kind::Float).double_value(&[]) < 0.05);
            }
        }
        let log_scale = pass.likelihood.log_scale().square().mean(Kind::Float).double_value(&[]);
        assert!(log_scale < 0.05, "{log_scale}: {config:?}");
    }
}

/// Residual parametrization: a posterior that adds nothing *is* the prior, group by group.
#[test]
fn a_posterior_without_a_residual_is_the_prior() {
    for backbone in BACKBONES {
        let config = small(ModelKind::Hierarchical, backbone, Channels::Independent);
        let built = build(&ModelConfig { groups: 3, ..config }, Family::Gaussian, FULL);
        // Priors far from N(0, I), so that agreement is not that of two zeros.
        for (name, parameter) in built.store.variables() {
            if name.starts_with("prior") {
                let _ = no_grad(|| parameter.shallow_clone().normal_(0.0, 1.0));
            }
        }
        let (x, y) = (inputs(FULL, 4), target(FULL, 4));
        let kl = |built: &Built| {
            built.model.forward(&x, Some(&y), false).unwrap().kl().unwrap().abs().max()
        };
        assert!(kl(&built).double_value(&[]) > 1e-3, "{backbone:?}");
        for group in 0..3 {
            set_zero(&built, &format!("posterior{group}"));
        }
        assert_eq!(kl(&built).double_value(&[]), 0.0, "{backbone:?}");
    }
}

/// The level reaches every network when it should and none when it should not; absent means clean.
#[test]
fn the_level_matters_only_when_conditioned_on() {
    for mut config in combinations() {
        for on in [true, false] {
            config.noise_conditioning = on;
            let Built { model, .. } = build(&config, Family::Gaussian, FULL);
            let (x, y, noise) = (inputs(FULL, 4), target(FULL, 4), noise(&model, 4));
            let with = |level: Option<Tensor>| {
                let x = Inputs { level, ..x.clone() };
                let pass = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
                pass.latents[0].posterior.mean().shallow_clone()
            };
            let level = x.level.as_ref().unwrap();
            let (clean, noised) = (with(Some(level.zeros_like())), with(Some(level + 1.0)));
            assert_eq!(gap(&clean, &noised) > 1e-6, on, "{config:?}");
            assert_eq!(gap(&clean, &with(None)), 0.0, "{config:?}");
        }
    }
}

/// Independent channels share weights and nothing else: no window sees another's values.
#[test]
fn independent_channels_do_not_see_each_other() {
    let shape = Shape { extras: 0, ..FULL };
    for config in combinations() {
        let Built { model, .. } = build(&config, Family::Gaussian, shape);
        let (x, y, noise) = (inputs(shape, 4), target(shape, 4), noise(&model, 4));
        let loc = |context: Tensor, y: &Tensor| {
            let x = Inputs { context, ..x.clone() };
            let pass = model.forward_with(&x, Some(y), Draw::Given(&noise), false).unwrap();
            pass.likelihood.loc().shallow_clone()
        };
        let bump = |tensor: &Tensor| {
            let bumped = tensor.copy();
            let _ = bumped.narrow(2, 1, 1).g_add_(&randn(&[1]).abs_().g_add_scalar(1.0));
            bumped
        };
        let before = loc(x.context.shallow_clone(), &y);
        let after = loc(bump(&x.context), &bump(&y));
        let moved = |channel| gap(&before.narrow(2, channel, 1), &after.narrow(2, channel, 1));
        assert!(moved(1) > 1e-5, "{config:?}");
        // A joint model carries channel 1 to the others through z or through the decoder.
        let joint = config.channels == Channels::Joint;
        assert_eq!(moved(0) > 1e-7, joint, "{config:?}: {}", moved(0));
        assert_eq!(moved(2) > 1e-7, joint, "{config:?}: {}", moved(2));
    }
}

/// Without an embedding nothing tells the channels apart: permuted windows, permuted forecasts.
#[test]
fn without_an_embedding_channels_are_interchangeable() {
    let order = Tensor::from_slice(&[2i64, 0, 1]);
    for mut config in combinations().filter(|c| c.channels == Channels::Independent) {
        for embedding in [0, 2] {
            config.channel_embedding = embedding;
            let Built { model, .. } = build(&config, Family::Gaussian, Shape { extras: 0, ..FULL });
            let x = inputs(Shape { extras: 0, ..FULL }, 4);
            let permuted = Inputs { context: x.context.index_select(2, &order), ..x.clone() };
            let mean = |x: &Inputs| {
                let z = model.encode(x, None).unwrap();
                model.decode(&z, x).unwrap().mean()
            };
            let moved = gap(&mean(&x).index_select(2, &order), &mean(&permuted));
            assert_eq!(moved < 1e-5, embedding == 0, "{config:?}: {moved}");
        }
    }
}

/// Oracle: a model without activations is Gaussian, so its forecasts have moments in closed form:
/// `E y = f(E z)` and `Cov y = W Var(z) Wᵀ + v`, with `W` read off the decoder at unit vectors.
#[test]
fn forecasts_have_the_moments_of_prior_and_likelihood() {
    let shape = Shape::new(4, 2, 1);
    for kind in [ModelKind::Predict, ModelKind::Conditional] {
        let config = ModelConfig {
            scale: Scale::Fixed(0.3),
            ..small(kind, BackboneKind::Linear, Channels::Joint)
        };
        let built = build(&config, Family::Gaussian, shape);
        // Strong weights, so that the latent moves the forecast by more than the noise does.
        for (name, parameter) in built.store.variables() {
            if name.starts_with("prior0")
                || name.starts_with("posterior.")
                || name.starts_with("decoder")
            {
                let _ = no_grad(|| parameter.shallow_clone().normal_(0.0, 0.5));
            }
        }
        let (x, y) = (inputs(shape, 1), target(shape, 1));
        let pass = built.model.forward(&x, Some(&y), false).unwrap();
        let latent = &pass.latents[0];
        let source = latent.prior.as_ref().unwrap_or(&latent.posterior);
        let loc = |z: &Tensor| built.model.decode(z, &x).unwrap().mean().flatten(0, -1);
        let origin = loc(&Tensor::zeros([1, 3], (Kind::Float, Device::Cpu)));
        let columns: Vec<_> = (0..3)
            .map(|i| {
                let unit = Tensor::zeros([1, 3], (Kind::Float, Device::Cpu));
                let _ = unit.narrow(1, i, 1).fill_(1.0);
                loc(&unit) - &origin
            })
            .collect();
        let w = Tensor::stack(&columns, 1).to_kind(Kind::Double);
        let variance = source.variance().flatten(0, -1).to_kind(Kind::Double);
        let mean = origin + w.to_kind(Kind::Float).matmul(&source.mean().flatten(0, -1));
        let covariance =
            (&w * variance).matmul(&w.tr()) + Tensor::eye(2, (Kind::Double, Device::Cpu)) * 0.09;

        let n = 40_000;
        let draws = built.model.sample(&x, n).unwrap().view([n, 2]).to_kind(Kind::Double);
        let along = Some([0i64].as_slice());
        let found_mean = draws.mean_dim(along, false, Kind::Double);
        let centered = &draws - &found_mean;
        let found = centered.tr().matmul(&centered) / n as f64;
        let count = n as f64;
        let std = |i: i64| covariance.double_value(&[i, i]).sqrt();
        for i in 0..2 {
            let z =
                (found_mean.double_value(&[i]) - mean.double_value(&[i])) / (std(i) / count.sqrt());
            assert!(z.abs() < 5.0, "{kind:?}: mean {i} is {z:.1} standard errors off");
            for j in 0..2 {
                // Var of a sample covariance of Gaussians: (σ_ii σ_jj + σ_ij²) / n.
                let sij = covariance.double_value(&[i, j]);
                let error = ((std(i) * std(j)).powi(2) + sij * sij).sqrt() / count.sqrt();
                let z = (found.double_value(&[i, j]) - sij) / error;
                assert!(z.abs() < 5.0, "{kind:?}: covariance {i}{j} is {z:.1} standard errors off");
            }
        }
    }
}

/// A likelihood converted from instance units along with its target changes by `Σ ln scale` only.
#[test]
fn an_inverted_likelihood_scores_inverted_values() {
    let config = small(ModelKind::Conditional, BackboneKind::Mlp, Channels::Independent);
    let shape = Shape { extras: 0, future: 0, ..FULL };
    for family in [Family::Gaussian, Family::Laplace, Family::StudentT] {
        let Built { model, .. } = build(&config, family, shape);
        let raw = randn(&[4, 10, 3]) * 3.0 + 7.0;
        let instance = model.instance(&raw, None).unwrap();
        let x = Inputs::new(instance.apply(&raw).unwrap());
        let law = model.predict_likelihood(&x, 3, false).unwrap();
        let y = randn(&[4, 5, 3]);
        let back = instance.invert_likelihood(&law).unwrap();
        let found = back.log_prob(&instance.invert(&y).unwrap()).unwrap();
        let expected = law.log_prob(&y).unwrap() - instance.scale.log();
        assert!(gap(&found, &expected) < 1e-4, "{family:?}");
    }
    let off = build(&ModelConfig { instance_norm: false, ..config }, Family::Gaussian, shape);
    let raw = randn(&[4, 10, 3]);
    let instance = off.model.instance(&raw, None).unwrap();
    assert_eq!(gap(&instance.apply(&raw).unwrap(), &raw), 0.0);
    assert_eq!(gap(&instance.invert(&raw).unwrap(), &raw), 0.0);
}

/// Oracle: a decoder without activations draws from `N(b, W Wᵀ + σ² I)`, whose standard errors are known.
#[test]
fn generated_windows_have_the_covariance_of_the_decoder() {
    let shape = Shape::new(3, 1, 1);
    let config = small(ModelKind::Autoencode, BackboneKind::Linear, Channels::Joint);
    let built = build(&ModelConfig { scale: Scale::Fixed(0.5), ..config }, Family::Gaussian, shape);
    let variables = built.store.variables();
    let (weight, bias) = (&variables["decoder.head.weight"], &variables["decoder.head.bias"]);
    let _ = no_grad(|| (weight.shallow_clone().normal_(0.0, 1.0), bias.shallow_clone().fill_(2.0)));
    let covariance =
        weight.matmul(&weight.tr()) + Tensor::eye(3, (Kind::Float, Device::Cpu)) * 0.25;

    let n = 40_000;
    let draws = built.model.generate(n).unwrap();
    assert_eq!(draws.size(), [n, 3, 1]);
    let centered = draws.squeeze_dim(-1) - 2.0;
    let found = centered.tr().matmul(&centered) / n as f64;
    let at = |i: i64, j: i64| covariance.double_value(&[i, j]);
    for i in 0..3 {
        let mean = centered.select(1, i).mean(Kind::Double).double_value(&[]);
        let z = mean / (at(i, i) / n as f64).sqrt();
        assert!(z.abs() < 5.0, "mean {i} is {z:.1} standard errors off");
        for j in 0..3 {
            let error = ((at(i, i) * at(j, j) + at(i, j).powi(2)) / n as f64).sqrt();
            let z = (found.double_value(&[i, j]) - at(i, j)) / error;
            assert!(z.abs() < 5.0, "covariance {i}{j} is {z:.1} standard errors off");
        }
    }
    for channels in LAYOUTS {
        let config = small(ModelKind::Autoencode, BackboneKind::Conv, channels);
        let Built { model, .. } = build(&config, Family::Laplace, FULL);
        assert_eq!(model.generate(6).unwrap().size(), [6, 10, 3]);
    }
}

/// Dropout acts in training and nowhere else.
#[test]
fn dropout_is_for_training() {
    for backbone in BACKBONES {
        let config = small(ModelKind::Conditional, backbone, Channels::Independent);
        let config = ModelConfig { dropout: 0.5, ..config };
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y, noise) = (inputs(FULL, 4), target(FULL, 4), noise(&model, 4));
        let loc = |train| {
            let pass = model.forward_with(&x, Some(&y), Draw::Given(&noise), train).unwrap();
            pass.likelihood.loc().shallow_clone()
        };
        assert_eq!(gap(&loc(false), &loc(false)), 0.0, "{backbone:?}");
        assert!(gap(&loc(true), &loc(true)) > 0.0, "{backbone:?}");
    }
}

/// The `[model]` table as a user writes it: defaults, errors, and writing it back.
#[test]
fn the_config_reads_and_writes_toml() {
    let text = r#"
        kind = "hierarchical"
        backbone = "patch"
        latent = 4
        channels = "joint"
        scale = { fixed = 0.5 }
    "#;
    let config: ModelConfig = toml::from_str(text).unwrap();
    let expected = ModelConfig {
        kind: ModelKind::Hierarchical,
        backbone: BackboneKind::Patch,
        latent: 4,
        channels: Channels::Joint,
        scale: Scale::Fixed(0.5),
        ..ModelConfig::default()
    };
    assert_eq!(config, expected);
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<ModelConfig>(&written).unwrap(), expected);
    for scale in ["global", "per-step", "predicted"] {
        toml::from_str::<ModelConfig>(&format!("scale = \"{scale}\"")).unwrap();
    }
    let unknown = toml::from_str::<ModelConfig>("latents = 4").unwrap_err();
    assert!(unknown.to_string().contains("unknown field `latents`"), "{unknown}");
}

/// Oracle: the rank correlation of a Gaussian copula, `6/π · asin(ρ/2)`, of samples of a fixed law; each value by
/// itself keeps its law, so its mean absolute deviation is that of independent draws.
#[test]
fn residuals_follow_the_copula() {
    let shape = Shape::new(6, 2, 2);
    let config = ModelConfig {
        kind: ModelKind::Conditional,
        latent: 1,
        hidden: 4,
        instance_norm: false,
        residuals: Residuals::Correlated,
        scale: Scale::Fixed(1.0),
        dropout: 0.0,
        ..ModelConfig::default()
    };
    let matrix = |rho: f64| Tensor::from_slice(&[1.0, rho, rho, 1.0]).view([2, 2]);
    for family in [Family::Gaussian, Family::Laplace] {
        tch::manual_seed(11);
        let built = build(&config, family, shape);
        // Nothing depends on z, so all dependence comes from the copula.
        for (name, variable) in built.store.variables() {
            if name.starts_with("decoder") {
                let _ = no_grad(|| variable.shallow_clone().zero_());
            }
        }
        let inputs = Inputs::new(Tensor::zeros([1, 6, 2], (Kind::Float, Device::Cpu)));
        let samples = 40_000;
        let ranks =
            |tensor: &Tensor| tensor.argsort(0, false).argsort(0, false).to_kind(Kind::Double);
        let spearman = |drawn: &Tensor, a: (i64, i64), b: (i64, i64)| {
            let at = |(t, c): (i64, i64)| ranks(&drawn.select(3, c).select(2, t).squeeze_dim(1));
            let (a, b) = (at(a), at(b));
            let center = (samples - 1) as f64 / 2.0;
            let product = ((a - center) * (b - center)).mean(Kind::Double).double_value(&[]);
            product / ((samples * samples - 1) as f64 / 12.0)
        };
        let error = 1.0 / (samples as f64).sqrt();
        let drawn = built.model.sample(&inputs, samples).unwrap();
        assert!(spearman(&drawn, (0, 0), (1, 0)).abs() < 6.0 * error, "independent until told");
        built.model.set_copula(&matrix(0.8), &matrix(-0.5)).unwrap();
        let drawn = built.model.sample(&inputs, samples).unwrap();
        let expected = |rho: f64| 6.0 / std::f64::consts::PI * (rho / 2.0_f64).asin();
        for (a, b, rho) in [((0, 0), (1, 0), 0.8), ((0, 0), (0, 1), -0.5), ((0, 1), (1, 0), -0.4)] {
            let found = spearman(&drawn, a, b);
            assert!((found - expected(rho)).abs() < 6.0 * error, "{family:?} {rho}: {found}");
        }
        let deviation = drawn.select(3, 1).select(2, 1).abs().mean(Kind::Double).double_value(&[]);
        let truth =
            if family == Family::Laplace { 1.0 } else { (2.0 / std::f64::consts::PI).sqrt() };
        assert!((deviation - truth).abs() < 6.0 * error, "{family:?}: {deviation}");
    }
    let independent = ModelConfig { residuals: Residuals::Independent, ..config };
    let refused =
        build(&independent, Family::Gaussian, shape).model.set_copula(&matrix(0.1), &matrix(0.1));
    assert!(refused.unwrap_err().to_string().contains("correlate residuals"));
}
