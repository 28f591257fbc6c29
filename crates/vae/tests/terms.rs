//! The terms of the bound in one pass, against distributions that crate `objective` draws and scores.
//!
//! Both ways take the same random numbers from torch's one generator, so this is a program of its own whose tests take
//! turns.

use std::sync::Mutex;

use objective::Family;
use objective::elbo::sum_over_target;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use vae::{Channels, Inputs, Model, ModelConfig, ModelKind, Observation, Scale, Shape};

const KINDS: [ModelKind; 4] =
    [ModelKind::Autoencode, ModelKind::Predict, ModelKind::Conditional, ModelKind::Hierarchical];
const FAMILIES: [Family; 3] = [Family::Gaussian, Family::Laplace, Family::StudentT];

/// Whoever holds it draws alone.
static GENERATOR: Mutex<()> = Mutex::new(());

struct Case {
    store: VarStore,
    model: Model,
    inputs: Inputs,
    target: Tensor,
    values: Tensor,
    noise: (Tensor, Tensor),
    observed: Tensor,
}

impl Case {
    fn new(config: &ModelConfig, family: Family, number: Kind) -> Case {
        let _turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut store = VarStore::new(Device::Cpu);
        let config = ModelConfig { hidden: 12, latent: 3, dropout: 0.1, ..config.clone() };
        let model = Model::new(&store.root(), &config, family, Shape::new(6, 4, 3)).unwrap();
        if number == Kind::Double {
            store.double();
        }
        // Away from the start, where posterior and prior agree.
        for mut parameter in store.trainable_variables() {
            tch::no_grad(|| drop(parameter.f_add_(&(parameter.randn_like() * 0.3)).unwrap()));
        }
        let randn = |size: &[i64]| Tensor::randn(size, (number, Device::Cpu));
        let steps = if config.kind == ModelKind::Autoencode { 6 } else { 4 };
        let signal = randn(&[5, 1, 1]).sigmoid();
        let std = (signal.square() * -1.0 + 1.0).sqrt();
        Case {
            inputs: Inputs::new(randn(&[5, 6, 3])),
            target: randn(&[5, 4, 3]),
            values: randn(&[5, steps, 3]),
            noise: (signal, std),
            observed: randn(&[5, steps, 3]).gt(-0.5).to_kind(number),
            store,
            model,
        }
    }

    fn terms(&self, noised: bool, masked: bool) -> Vec<Tensor> {
        let (signal, std) = &self.noise;
        let observation = Observation {
            values: &self.values,
            noise: noised.then_some((signal, std)),
            observed: masked.then_some(&self.observed),
        };
        let terms = self.model.terms(&self.inputs, Some(&self.target), observation, true).unwrap();
        [terms.log_likelihood].into_iter().chain(terms.kl_groups).collect()
    }

    /// The same terms from the distributions of crate `objective`.
    fn by_distributions(&self, noised: bool, masked: bool) -> Vec<Tensor> {
        let pass = self.model.forward(&self.inputs, Some(&self.target), true).unwrap();
        let (signal, std) = &self.noise;
        let log_prob = match noised {
            true => pass.likelihood.log_prob_noised(&self.values, signal, std).unwrap(),
            false => pass.likelihood.log_prob(&self.values).unwrap(),
        };
        let observed = masked.then(|| self.observed.not_equal(0.0));
        let sum = sum_over_target(&log_prob, observed.as_ref()).unwrap();
        let groups = pass.latents.iter().map(|latent| latent.kl_per_dim().unwrap());
        [sum].into_iter().chain(groups).collect()
    }

    /// The terms, and the gradients of the loss that they make.
    fn with_gradients(&self, terms: Vec<Tensor>) -> Vec<Tensor> {
        let number = terms[0].kind();
        let kl = terms[1..].iter().map(|kl| kl.sum(number)).reduce(|a, b| a + b).unwrap();
        let loss = kl * 0.7 - terms[0].sum(number);
        let variables: std::collections::BTreeMap<_, _> =
            self.store.variables().into_iter().collect();
        let of: Vec<Tensor> = variables.into_values().collect();
        let gradients = Tensor::run_backward(&[loss], &of, false, false);
        terms.into_iter().chain(gradients).collect()
    }

    /// Whether both ways agree at the same random numbers.
    fn agrees(
        &self,
        noised: bool,
        masked: bool,
        alike: impl Fn(usize, &Tensor, &Tensor) -> bool,
    ) -> bool {
        let _turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tch::manual_seed(11);
        let found = self.terms(noised, masked);
        tch::manual_seed(11);
        let expected = self.by_distributions(noised, masked);
        let (found, expected) = (self.with_gradients(found), self.with_gradients(expected));
        found.len() == expected.len()
            && found.iter().zip(&expected).enumerate().all(|(i, (a, b))| alike(i, a, b))
    }
}

/// Oracle: distributions, drawn and scored by crate `objective`, in f64; values and all gradients.
#[test]
fn the_terms_are_those_of_the_distributions() {
    for kind in KINDS {
        for (family, scale) in [
            (Family::Gaussian, Scale::Predicted),
            (Family::Gaussian, Scale::PerStep),
            (Family::Laplace, Scale::Predicted),
            (Family::StudentT, Scale::Predicted),
        ] {
            for channels in [Channels::Joint, Channels::Independent] {
                for (noised, masked) in [(false, false), (true, false), (false, true), (true, true)]
                {
                    let config = ModelConfig { kind, channels, scale, ..Default::default() };
                    let case = Case::new(&config, family, Kind::Double);
                    let close = |_, a: &Tensor, b: &Tensor| a.allclose(b, 1e-10, 1e-10, false);
                    let agrees = case.agrees(noised, masked, close);
                    assert!(agrees, "{family:?} {scale:?} {kind:?} {channels:?} {noised} {masked}");
                }
            }
        }
    }
}

/// In f32 the two ways give the same bits, so that a training may be repeated by either; Gaussian and Laplace laws of
/// predicted scale have a kernel of their own, which rounds differently.
#[test]
fn the_terms_have_the_bits_of_the_distributions() {
    for kind in KINDS {
        for family in FAMILIES {
            for channels in [Channels::Joint, Channels::Independent] {
                let config = ModelConfig { kind, channels, ..Default::default() };
                let case = Case::new(&config, family, Kind::Float);
                let same = |i: usize, a: &Tensor, b: &Tensor| match family {
                    Family::Gaussian | Family::Laplace
                        if i == 0 || i > case.model.groups() as usize =>
                    {
                        (a - b).abs().max().double_value(&[])
                            < 1e-4 * (1.0 + b.abs().max().double_value(&[]))
                    }
                    Family::Gaussian | Family::Laplace | Family::StudentT => a == b,
                };
                assert!(case.agrees(false, true, same), "{family:?} {kind:?} {channels:?}");
            }
        }
    }
}

/// Oracle: the score of samples that crate `objective` draws. Both estimate the same numbers, with errors below
/// `2 σ/√S`, and the gradients of their sums agree in the mean, whose tails are heavy for Student's t.
#[test]
fn scores_of_forecasts_are_those_of_samples() {
    let count = 20_000;
    for family in FAMILIES {
        for channels in [Channels::Joint, Channels::Independent] {
            let config = ModelConfig { channels, ..Default::default() };
            let case = Case::new(&config, family, Kind::Float);
            let Case { model, inputs, values, .. } = &case;
            let _turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            tch::manual_seed(12);
            let found = model.forecast_crps(inputs, values, count, false).unwrap();
            let law = model.predict_likelihood(inputs, count, false).unwrap();
            let samples = law.sample().unwrap();
            let expected = objective::score::crps_loss(&samples, values).unwrap();
            let spread = samples.std_dim(Some([0_i64].as_slice()), true, false);
            assert_eq!(found.size(), values.size());
            let errors = (&found - &expected) / (spread * (2.0 / (count as f64).sqrt()));
            let worst = errors.abs().max().double_value(&[]);
            assert!(worst < 4.0, "{family:?} {channels:?}: {worst:.1} errors");

            let of: Vec<Tensor> = case.store.trainable_variables();
            let slopes =
                |crps: &Tensor| Tensor::run_backward(&[crps.sum(Kind::Float)], &of, false, false);
            for (a, b) in slopes(&found).iter().zip(slopes(&expected)) {
                if !a.defined() {
                    assert!(!b.defined());
                    continue;
                }
                let gap = (a - &b).norm() / (b.norm() + 1.0);
                let gap = gap.double_value(&[]);
                assert!(gap < 0.1, "{family:?} {channels:?}: a gradient is {gap:.3} off");
            }
        }
    }
}
