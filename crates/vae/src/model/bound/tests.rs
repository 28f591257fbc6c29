use super::*;
use tch::nn::VarStore;
use tch::{Device, Kind};

use crate::{Channels, ModelConfig, ModelKind, Shape};

struct Case {
    store: VarStore,
    model: Model,
    context: Tensor,
    target: Tensor,
    values: Tensor,
    noise: (Tensor, Tensor),
    observed: Tensor,
}

impl Case {
    fn new(kind: ModelKind, channels: Channels) -> Case {
        let mut store = VarStore::new(Device::Cpu);
        let config = ModelConfig {
            kind,
            channels,
            hidden: 12,
            latent: 3,
            dropout: 0.0,
            ..Default::default()
        };
        let shape = Shape::new(6, 4, 3);
        let model = Model::new(&store.root(), &config, Family::Gaussian, shape).unwrap();
        store.double();
        // Away from the start, where posterior and prior agree.
        for mut parameter in store.trainable_variables() {
            tch::no_grad(|| drop(parameter.f_add_(&(parameter.randn_like() * 0.3)).unwrap()));
        }
        let randn = |size: &[i64]| Tensor::randn(size, (Kind::Double, Device::Cpu));
        let steps = if kind == ModelKind::Autoencode { 6 } else { 4 };
        let signal = randn(&[5, 1, 1]).sigmoid();
        let std = (signal.square() * -1.0 + 1.0).sqrt();
        Case {
            context: randn(&[5, 6, 3]),
            target: randn(&[5, 4, 3]),
            values: randn(&[5, steps, 3]),
            noise: (signal, std),
            observed: randn(&[5, steps, 3]).gt(-0.5).to_kind(Kind::Double),
            store,
            model,
        }
    }

    /// Both terms from the general path, and the divergence of each dimension.
    fn general(&self, noise: &[Tensor], noised: bool, masked: bool) -> [Tensor; 2] {
        let inputs = Inputs::new(self.context.shallow_clone());
        let pass = self.model.forward_given(&inputs, Some(&self.target), noise, true).unwrap();
        let (signal, std) = &self.noise;
        let log_prob = match noised {
            true => pass.likelihood.log_prob_noised(&self.values, signal, std).unwrap(),
            false => pass.likelihood.log_prob(&self.values).unwrap(),
        };
        let observed = masked.then(|| self.observed.not_equal(0.0));
        let sum = objective::elbo::sum_over_target(&log_prob, observed.as_ref()).unwrap();
        [sum, pass.kl().unwrap()]
    }

    fn gradients(&self, terms: &[Tensor; 2]) -> Vec<Tensor> {
        let of = self.parameters();
        let loss = (&terms[1] * 0.7 - &terms[0]).mean(Kind::Double);
        Tensor::run_backward(&[loss], &of, false, false)
    }

    /// Those that every loss depends on.
    fn parameters(&self) -> Vec<Tensor> {
        let variables: std::collections::BTreeMap<_, _> =
            self.store.variables().into_iter().collect();
        variables.into_values().collect()
    }
}

/// Oracle: the general path at the noise that the same seed draws, in f64; values and all gradients.
/// Other tests draw from the generator too, so the noise that was drawn is found by trying again.
#[test]
fn the_terms_are_those_of_the_general_path() {
    use ModelKind::{Autoencode, Conditional, Hierarchical, Predict};
    for kind in [Autoencode, Conditional, Hierarchical, Predict] {
        for channels in [Channels::Joint, Channels::Independent] {
            for (noised, masked) in [(false, false), (true, false), (false, true), (true, true)] {
                let case = Case::new(kind, channels);
                let inputs = Inputs::new(case.context.shallow_clone());
                let (signal, std) = &case.noise;
                let observation = Observation {
                    values: &case.values,
                    noise: noised.then_some((signal, std)),
                    observed: masked.then_some(&case.observed),
                };
                let draw = || {
                    tch::manual_seed(11);
                    case.model.bound(&inputs, Some(&case.target), observation, true)
                };
                let size = [5, case.model.latent_dims()];
                let agrees = (0..20).any(|_| {
                    let found = draw().unwrap().unwrap();
                    tch::manual_seed(11);
                    let noise: Vec<Tensor> = (0..case.model.groups())
                        .map(|_| Tensor::randn(size, (Kind::Double, Device::Cpu)))
                        .collect();
                    let expected = case.general(&noise, noised, masked);
                    let found = [found.log_likelihood, found.kl];
                    let close = |a: &Tensor, b: &Tensor| a.allclose(b, 1e-11, 1e-11, false);
                    found.iter().zip(&expected).all(|(a, b)| close(a, b))
                        && (case.gradients(&found).iter())
                            .zip(&case.gradients(&expected))
                            .all(|(a, b)| close(a, b))
                });
                assert!(agrees, "{kind:?} {channels:?} {noised} {masked}");
            }
        }
    }
}

#[test]
fn other_laws_take_the_general_path() {
    for (family, scale) in
        [(Family::Laplace, Scale::Predicted), (Family::Gaussian, Scale::Fixed(1.0))]
    {
        let store = VarStore::new(Device::Cpu);
        let config = ModelConfig { scale, latent: 8, hidden: 4, ..Default::default() };
        let model = Model::new(&store.root(), &config, family, Shape::new(6, 4, 3)).unwrap();
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let (inputs, target) = (Inputs::new(zeros(&[5, 6, 3])), zeros(&[5, 4, 3]));
        let observation = Observation { values: &target, noise: None, observed: None };
        assert!(model.bound(&inputs, Some(&target), observation, true).unwrap().is_none());
    }
}
