//! Every kind × backbone × layout: shapes, gradients, batch sizes, seeds.

use objective::Family;
use tch::{Kind, Tensor};
use vae::{Channels, Draw, Inputs, ModelKind, Scale, Shape, VaeError};

use crate::support::*;

#[test]
fn shapes_are_as_documented() {
    for config in combinations() {
        for shape in [FULL, Shape::new(10, 5, 3)] {
            let name = format!("{config:?} {shape:?}");
            let Built { model, .. } = build(&config, Family::Gaussian, shape);
            let batch = 4;
            let steps = if config.kind == ModelKind::Autoencode { 10 } else { 5 };
            let dims = if config.channels == Channels::Joint { 3 } else { 9 };
            let groups = if config.kind == ModelKind::Hierarchical { 2 } else { 1 };
            assert_eq!((model.latent_dims(), model.groups()), (dims, groups), "{name}");

            let (x, y) = (inputs(shape, batch), target(shape, batch));
            let pass = model.forward(&x, Some(&y), true).unwrap();
            assert_eq!(pass.likelihood.shape(), [batch, steps, 3], "{name}");
            assert_eq!(pass.latents.len() as i64, groups, "{name}");
            for latent in &pass.latents {
                assert_eq!(latent.sample.size(), [batch, dims], "{name}");
                assert_eq!(latent.kl_per_dim().unwrap().size(), [batch, dims], "{name}");
            }
            assert_eq!(pass.kl().unwrap().size(), [batch], "{name}");

            let many = model.forward_with(&x, Some(&y), Draw::Many(6), false).unwrap();
            assert_eq!(many.likelihood.shape(), [6, batch, steps, 3], "{name}");
            assert!(many.latents.iter().all(|l| l.sample.size() == [6, batch, dims]), "{name}");

            let draws = model.sample(&x, 7).unwrap();
            assert_eq!(draws.size(), [7, batch, steps, 3], "{name}");
            assert!(bool::try_from(draws.isfinite().all()).unwrap(), "{name}");

            let z = model.encode(&x, None).unwrap();
            assert_eq!(z.size(), [batch, groups * dims], "{name}");
            assert_eq!(model.encode(&x, Some(&y)).unwrap().size(), z.size(), "{name}");
            let z = z.unsqueeze(0).repeat([2, 1, 1]);
            assert_eq!(model.decode(&z, &x).unwrap().shape(), [2, batch, steps, 3], "{name}");
        }
    }
}

/// Every parameter has a gradient: one without would not be trained.
#[test]
fn gradients_reach_every_parameter() {
    let scales = [Scale::Predicted, Scale::Global, Scale::PerStep, Scale::Fixed(0.5)];
    for (i, mut config) in combinations().enumerate() {
        config.scale = scales[i % scales.len()];
        let family = [Family::Gaussian, Family::Laplace, Family::StudentT][i % 3];
        let Built { store, model } = build(&config, family, FULL);
        let (x, y) = (inputs(FULL, 6), target(FULL, 6));
        let pass = model.forward(&x, Some(&y), true).unwrap();
        let autoencode = config.kind == ModelKind::Autoencode;
        let observed = if autoencode { x.context.narrow(2, 0, 3) } else { y };
        let log_prob = pass.likelihood.log_prob(&observed).unwrap().sum(Kind::Float);
        (pass.kl().unwrap().sum(Kind::Float) - log_prob).backward();
        for (name, parameter) in store.variables() {
            let gradient = parameter.grad();
            assert!(gradient.defined(), "{name} of {config:?} is not in the graph");
            let largest = gradient.abs().max().double_value(&[]);
            assert!(largest > 0.0 && largest.is_finite(), "{name} of {config:?}: {largest}");
        }
    }
}

/// Examples do not see each other, and nothing remembers the batch size.
#[test]
fn an_example_is_the_same_alone_and_in_a_batch() {
    for config in combinations() {
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y, noise) = (inputs(FULL, 5), target(FULL, 5), noise(&model, 5));
        let together = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        let one = |tensor: &Tensor| tensor.narrow(0, 3, 1);
        let alone = Inputs {
            context: one(&x.context),
            future: x.future.as_ref().map(one),
            seasonal: None,
            level: x.level.as_ref().map(one),
        };
        let noise: Vec<_> = noise.iter().map(one).collect();
        let pass = model.forward_with(&alone, Some(&one(&y)), Draw::Given(&noise), false).unwrap();
        assert!(gap(&one(together.likelihood.loc()), pass.likelihood.loc()) < 1e-5, "{config:?}");
        assert!(gap(&one(&together.kl().unwrap()), &pass.kl().unwrap()) < 1e-4, "{config:?}");
    }
}

/// Encoding and decoding by hand is the pass at the posterior means, that is, without noise.
#[test]
fn decoding_the_encoding_is_the_pass_without_noise() {
    for mut config in combinations() {
        config.groups = 3;
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y, noise) = (inputs(FULL, 4), target(FULL, 4), noise(&model, 4));
        let silence: Vec<_> = noise.iter().map(Tensor::zeros_like).collect();
        let pass = model.forward_with(&x, Some(&y), Draw::Given(&silence), false).unwrap();
        let by_hand = model.decode(&model.encode(&x, Some(&y)).unwrap(), &x).unwrap();
        assert!(gap(pass.likelihood.loc(), by_hand.loc()) < 1e-6, "{config:?}");
        let noisy = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        assert!(gap(noisy.likelihood.loc(), by_hand.loc()) > 1e-6, "{config:?}");
    }
}

/// A group of the ladder depends on the draws above it, and on none below.
#[test]
fn a_group_depends_on_the_draws_above_it() {
    for mut config in combinations().filter(|c| c.kind == ModelKind::Hierarchical) {
        config.groups = 3;
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y, mut noise) = (inputs(FULL, 4), target(FULL, 4), noise(&model, 4));
        let before = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        noise[1] = &noise[1] + 1.0;
        let after = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        for group in 0..3 {
            let (a, b) = (&before.latents[group], &after.latents[group]);
            let prior =
                |latent: &vae::Latent| latent.prior.as_ref().unwrap().mean().shallow_clone();
            let moved = [gap(&prior(a), &prior(b)), gap(a.posterior.mean(), b.posterior.mean())];
            assert!(
                moved.iter().all(|&m| (m > 0.0) == (group == 2)),
                "{group} {moved:?} {config:?}"
            );
        }
    }
}

/// A leading sample axis is the same computation, sample by sample.
#[test]
fn several_samples_are_several_passes() {
    for config in combinations() {
        let Built { model, .. } = build(&config, Family::Gaussian, FULL);
        let (x, y) = (inputs(FULL, 2), target(FULL, 2));
        let noise: Vec<_> =
            (0..model.groups()).map(|_| randn(&[3, 2, model.latent_dims()])).collect();
        let many = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        let (loc, kl) = (many.likelihood.mean(), many.kl().unwrap());
        for k in 0..3 {
            let noise: Vec<_> = noise.iter().map(|n| n.get(k)).collect();
            let pass = model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
            assert!(gap(&loc.get(k), pass.likelihood.loc()) < 1e-5, "{config:?}");
            // The first group's divergence needs no draw and has no sample axis.
            let kl = if kl.dim() == 1 { kl.shallow_clone() } else { kl.get(k) };
            assert!(gap(&kl, &pass.kl().unwrap()) < 1e-4, "{config:?}");
        }
    }
}

/// The variables of a model depend on its config alone, and its draws on the generator.
#[test]
fn names_are_stable_and_weights_can_be_copied() {
    for config in combinations() {
        let first = build(&config, Family::Gaussian, FULL);
        let mut second = build(&config, Family::Gaussian, FULL);
        second.store.copy(&first.store).unwrap();
        let (x, y, noise) = (inputs(FULL, 3), target(FULL, 3), noise(&first.model, 3));
        let a = first.model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        let b = second.model.forward_with(&x, Some(&y), Draw::Given(&noise), false).unwrap();
        assert_eq!(gap(a.likelihood.loc(), b.likelihood.loc()), 0.0, "{config:?}");
        let duplicated = first.store.variables().into_keys().find(|name| name.contains("__"));
        assert_eq!(duplicated, None, "two parameters of one name");
    }
}

#[test]
fn unfit_tensors_are_refused_by_name() {
    let config = small(ModelKind::Conditional, vae::BackboneKind::Mlp, Channels::Independent);
    let Built { model, .. } = build(&config, Family::Gaussian, FULL);
    let (x, y) = (inputs(FULL, 4), target(FULL, 4));
    let refuse = |x: &Inputs, y: Option<&Tensor>| model.forward(x, y, false).unwrap_err();

    let short = Inputs { context: x.context.narrow(1, 0, 9), ..x.clone() };
    assert!(matches!(refuse(&short, Some(&y)), VaeError::Shape { tensor: "context", .. }));
    let flat = Inputs { context: x.context.flatten(0, -1), ..x.clone() };
    assert!(matches!(refuse(&flat, Some(&y)), VaeError::Shape { tensor: "context", .. }));
    let double = Inputs { context: x.context.to_kind(Kind::Double), ..x.clone() };
    assert!(matches!(refuse(&double, Some(&y)), VaeError::Type { tensor: "context", .. }));
    let blind = Inputs { future: None, ..x.clone() };
    assert!(matches!(refuse(&blind, Some(&y)), VaeError::Missing { tensor: "future", .. }));
    let levels = Inputs { level: Some(randn(&[3])), ..x.clone() };
    assert!(matches!(refuse(&levels, Some(&y)), VaeError::Shape { tensor: "level", .. }));
    assert!(matches!(refuse(&x, None), VaeError::Missing { tensor: "target", .. }));
    let fewer = y.narrow(0, 0, 3);
    assert!(matches!(refuse(&x, Some(&fewer)), VaeError::Shape { tensor: "target", .. }));

    let z = model.encode(&x, None).unwrap();
    let narrow = model.decode(&z.narrow(1, 0, 8), &x).unwrap_err();
    assert!(matches!(narrow, VaeError::Shape { tensor: "z", .. }));
    assert!(matches!(model.sample(&x, 0).unwrap_err(), VaeError::Size { key: "samples", .. }));
    assert!(matches!(model.generate(3).unwrap_err(), VaeError::Unsupported { .. }));
    let few = model.forward_with(&x, Some(&y), Draw::Given(&[]), false).unwrap_err();
    assert!(matches!(few, VaeError::Missing { tensor: "noise", .. }));
    let odd = model.forward_with(&x, Some(&y), Draw::Given(&[randn(&[4, 8])]), false).unwrap_err();
    assert!(matches!(odd, VaeError::Shape { tensor: "noise", .. }));
    let unfit = model.instance(&x.context, None).unwrap_err();
    assert!(matches!(unfit, VaeError::Shape { tensor: "targets", .. }));
}
