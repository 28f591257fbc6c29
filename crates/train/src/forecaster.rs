//! The combination of model, noise and objective, which is trained and then forecasts.

mod coherent;
mod crps;
mod draws;
mod prepared;
mod target;

use feed::Batch;
use noise::{Coherent, Diffuser, StepSampler, TargetLikelihood};
use objective::elbo::{Elbo, FreeBits, KlWeight, sum_over_target};
use record::Limits;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use torch_ext::{Share, with_share};
use vae::{Draw, Instance, Latent, Model, ModelKind, Observation, Pass, Shape};

use crate::config::Config;
use crate::error::TrainError;
use crate::limits::Bound;
use crate::memory::keep_freed;
use crate::part::Part;
use draws::ByDraws;
pub use prepared::inputs;
use prepared::{Prepared, hide};
use target::Target;

/// A model with its training noise and its objective.
#[derive(Debug)]
pub struct Forecaster {
    store: VarStore,
    model: Model,
    input: Diffuser,
    target: Diffuser,
    /// Noise of whole windows, which takes the place of `input` and `target`.
    coherent: Option<Coherent>,
    /// The quantity that the decoder describes.
    described: Target,
    steps: Option<StepSampler>,
    kl_weight: KlWeight,
    /// Steps of the KL weight schedule per optimizer step.
    pace: f64,
    free_bits: FreeBits,
    /// How the bound is estimated by draws; `None` for the closed form of the KL divergence.
    draws: Option<ByDraws>,
    /// Weight of the CRPS of forecasts, and the number of forecasts per window.
    crps: Option<(f64, i64)>,
    /// Number type of the networks; `None` for f32.
    half: Option<Kind>,
    /// Limits of forecasts; a forecaster that was not trained has none.
    bound: Option<Bound>,
}

/// Results of one pass through a batch: means over its windows in nats, on the device.
#[derive(Debug)]
pub struct Terms {
    /// The loss to minimize: `−log p(ỹ | z) + kl_weight · KL + crps_weight · CRPS`, or `−L_K + crps_weight · CRPS` with
    /// the importance-weighted bound of K draws.
    pub loss: Tensor,
    /// `log p(ỹ | z)`.
    pub reconstruction: Tensor,
    /// KL from posterior to prior, unweighted.
    pub kl: Tensor,
    /// The weight of the KL.
    pub kl_weight: f64,
}

impl Terms {
    /// The same without the graph behind them.
    pub(crate) fn detached(self) -> Terms {
        Terms { loss: self.loss.detach(), ..self }
    }
}

impl Forecaster {
    /// A forecaster with initial weights drawn from torch's generator.
    ///
    /// # Errors
    /// If the model or the noise cannot be built from the config; [`TrainError::NoiseUndecided`] if the noise has not
    /// been chosen yet.
    pub fn new(config: &Config, shape: Shape, device: Device) -> Result<Forecaster, TrainError> {
        keep_freed();
        let store = VarStore::new(device);
        let family = config.objective.likelihood;
        let model = Model::new(&store.root(), &config.model, family, shape)?;
        let noise = config.noise.fixed().ok_or(TrainError::NoiseUndecided)?;
        let steps = match noise.steps() {
            0 => None,
            _ => Some(StepSampler::new(noise.sampler(), device)?),
        };
        let signal = noise.target().signal()[0];
        let described = match noise.likelihood() {
            _ if config.model.kind == ModelKind::Autoencode => Target::Context,
            TargetLikelihood::NoiseAware => Target::Clean { signal },
            TargetLikelihood::Direct => Target::Noised { signal },
        };
        Ok(Forecaster {
            store,
            model,
            input: Diffuser::new(noise.input(), device, Kind::Float)?,
            target: Diffuser::new(noise.target(), device, Kind::Float)?,
            coherent: match noise.shape().is_coherent() {
                true => Some(Coherent::new(noise, device, Kind::Float)?),
                false => None,
            },
            described,
            steps,
            kl_weight: config.objective.kl_weight,
            pace: 1.0,
            free_bits: config.objective.free_bits,
            draws: config.objective.by_draws().then(|| ByDraws::new(&config.objective)),
            crps: match config.objective.crps_weight {
                0.0 => None,
                weight => Some((weight, config.objective.crps_samples as i64)),
            },
            half: config.train.precision.half(device),
            bound: None,
        })
    }

    /// The forecaster whose samples and means stay within limits.
    pub(crate) fn with_limits(self, limits: &Limits) -> Result<Forecaster, TrainError> {
        let bound = match self.described {
            Target::Context => None,
            Target::Clean { .. } | Target::Noised { .. } => {
                Some(Bound::new(limits, self.store.device())?)
            }
        };
        Ok(Forecaster { bound, ..self })
    }

    /// The forecaster without limits.
    #[cfg(test)]
    pub(crate) fn without_limits(self) -> Forecaster {
        Forecaster { bound: None, ..self }
    }

    /// The forecaster of a shorter training, whose KL weight follows its schedule `pace` times as fast.
    pub(crate) fn with_pace(self, pace: f64) -> Forecaster {
        Forecaster { pace, ..self }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The variables, which the optimizer changes and checkpoints save.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// The variables, mutable so that weights can be loaded.
    pub fn store_mut(&mut self) -> &mut VarStore {
        &mut self.store
    }

    /// Whether the model describes its context instead of the target.
    pub fn autoencodes(&self) -> bool {
        self.model.config().kind == ModelKind::Autoencode
    }

    /// The truth that [`Forecaster::sample`] forecasts, and where it was observed: the target, or for `autoencode` the
    /// context.
    pub fn truth<'a>(&self, batch: &'a Batch) -> (&'a Tensor, Option<&'a Tensor>) {
        self.described.truth(batch)
    }

    /// The loss on a noised batch at an optimizer step, with gradients.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn training_terms(&self, batch: &Batch, step: usize) -> Result<Terms, TrainError> {
        let prepared = self.prepare(batch, true)?;
        self.terms(batch, &prepared, step, None)
    }

    /// The terms of the windows of a part of the batch, whose mean over all parts are [`Forecaster::training_terms`].
    ///
    /// The whole batch is noised, because windows are noised with the help of others.
    pub(crate) fn terms_of_part(
        &self,
        batch: &Batch,
        step: usize,
        part: Part,
    ) -> Result<Terms, TrainError> {
        let prepared = self.prepare(batch, true)?;
        let Share { first, count, .. } = part.share;
        let (batch, prepared) = (batch.part(first, count)?, prepared.part(first, count)?);
        with_share(Some(part.share), || self.terms(&batch, &prepared, step, Some(part)))
    }

    fn terms(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        step: usize,
        part: Option<Part>,
    ) -> Result<Terms, TrainError> {
        let mut terms = match self.draws {
            Some(by_draws) => self.bound_by_draws(by_draws, batch, prepared)?,
            None => self.bound_in_closed_form(batch, prepared, step, part)?,
        };
        if let Some((weight, samples)) = self.crps {
            terms.loss += self.forecast_crps(batch, prepared, samples)? * weight;
        }
        Ok(terms)
    }

    /// The terms of one draw, with the KL divergence as a formula.
    fn bound_in_closed_form(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        step: usize,
        part: Option<Part>,
    ) -> Result<Terms, TrainError> {
        let (values, noise) = self.described.scored(batch, prepared)?;
        let (_, observed) = self.truth(batch);
        let observation = Observation { values: &values, noise, observed };
        let Prepared { inputs, target, .. } = prepared;
        let terms = self.computed(|| self.model.terms(inputs, Some(target), observation, true))?;
        self.weigh(terms.log_likelihood, terms.kl_groups, step, part)
    }

    /// Puts a batch into the units of its windows, and noises it if `noised`, to measure how long that takes.
    pub(crate) fn units_alone(&self, batch: &Batch, noised: bool) -> Result<(), TrainError> {
        self.prepare(batch, noised).map(drop)
    }

    /// One noised pass in training mode, with gradients: the latent groups, and the log density of each element of the
    /// target.
    pub(crate) fn training_pass(&self, batch: &Batch) -> Result<(Vec<Latent>, Tensor), TrainError> {
        let prepared = self.prepare(batch, true)?;
        self.pass(batch, &prepared, true)
    }

    /// The loss on the clean batch at an optimizer step, and its latent groups.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn clean_terms(
        &self,
        batch: &Batch,
        step: usize,
    ) -> Result<(Terms, Vec<Latent>), TrainError> {
        let prepared = self.prepare(batch, false)?;
        let (latents, log_prob) = self.pass(batch, &prepared, false)?;
        let reconstruction = self.summed(batch, &log_prob)?;
        Ok((self.weigh(reconstruction, kl_of(&latents)?, step, None)?, latents))
    }

    /// `log p(y | z) − KL` of each clean window, `[B]`, in nats.
    pub(crate) fn clean_bounds(&self, batch: &Batch) -> Result<Tensor, TrainError> {
        let prepared = self.prepare(batch, false)?;
        let (latents, log_prob) = self.pass(batch, &prepared, false)?;
        let reconstruction = self.summed(batch, &log_prob)?;
        Ok(Elbo::new(reconstruction, kl_of(&latents)?, 1.0, FreeBits::None)?.bound())
    }

    /// The weight of the KL term at an optimizer step.
    pub fn kl_weight(&self, step: usize) -> f64 {
        self.kl_weight.at((step as f64 * self.pace) as u64)
    }

    /// One pass through the clean batch, and the log density of each element of the clean target under its likelihood.
    /// `draws`, if given, adds a leading axis of draws of the latent variables.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn clean_pass(
        &self,
        batch: &Batch,
        draws: Option<i64>,
    ) -> Result<(Pass, Tensor), TrainError> {
        let prepared = self.prepare(batch, false)?;
        let Prepared { inputs, target, .. } = &prepared;
        let draw = draws.map_or(Draw::One, Draw::Many);
        let pass = self.computed(|| self.model.forward_with(inputs, Some(target), draw, false))?;
        let log_prob = pass.likelihood.log_prob(&self.described.clean(batch, &prepared)?)?;
        Ok((pass, log_prob))
    }

    /// Samples of the target, `[S, B, H, C]`, or for `autoencode` of the context, `[S, B, L, C]`, in standardized
    /// units. Those of a trained forecaster stay within limits, see the crate's documentation.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor, TrainError> {
        let prepared = self.prepare(batch, false)?;
        let drawn = self.computed(|| self.model.sample(&prepared.inputs, samples))?;
        self.bounded(batch, &prepared.instance, self.described.to_window(drawn))
    }

    /// Forecasts in units of the window as standardized values within the limits.
    fn bounded(
        &self,
        batch: &Batch,
        instance: &Instance,
        values: Tensor,
    ) -> Result<Tensor, TrainError> {
        let values = match &self.bound {
            None => values,
            Some(bound) => {
                let context = instance.apply(&batch.context)?;
                bound.apply(&values, &hide(context, batch.context_observed.as_ref())?)?
            }
        };
        Ok(instance.invert(&values)?)
    }

    /// The mean forecast, `[B, H, C]`, in standardized units. It averages the means of the decoder over `draws` of the
    /// latent variables, and so lacks the noise that a mean of samples has.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn mean(&self, batch: &Batch, draws: i64) -> Result<Tensor, TrainError> {
        let Prepared { instance, inputs, .. } = self.prepare(batch, false)?;
        let likelihood = self.computed(|| self.model.predict_likelihood(&inputs, draws, false))?;
        let mean = likelihood.mean();
        // A likelihood that does not depend on the latent variables has no axis of draws.
        let mean = match mean.dim() {
            4 => mean.f_mean_dim([0_i64].as_slice(), false, Kind::Float)?,
            _ => mean,
        };
        self.bounded(batch, &instance, self.described.to_window(mean))
    }

    /// The log density of each element of the target, `[B, H, C]`, in nats and standardized units, under the mixture
    /// over `draws` of the latent variables. It is that of the law without limits, which is the same within them.
    ///
    /// ```text
    /// p(y | x) ≈ 1/S Σ_s p(y | z_s, x),    z_s as at forecast time
    /// ```
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor, TrainError> {
        let prepared = self.prepare(batch, false)?;
        let Prepared { instance, inputs, .. } = &prepared;
        let likelihood = self.computed(|| self.model.predict_likelihood(inputs, draws, false))?;
        let truth = self.described.clean(batch, &prepared)?;
        let mixture = likelihood.log_prob(&truth)?.f_logsumexp([0_i64].as_slice(), false)?;
        let mixture = mixture.f_to_kind(Kind::Double)?;
        Ok(mixture - instance.scale.f_log()? + self.described.log_jacobian() - (draws as f64).ln())
    }

    /// `Φ⁻¹(F(y | z, x))` of each element of the target, `[B, H, C]` in f64, at one draw of `z` from its posterior.
    ///
    /// Given `z` from the prior, the scores would hold the dependence that `z` itself makes, and a forecast, which draws
    /// `z` too, would have it twice.
    pub(crate) fn normal_scores(&self, batch: &Batch) -> Result<Tensor, TrainError> {
        let prepared = self.prepare(batch, false)?;
        let Prepared { inputs, target, .. } = &prepared;
        let Pass { likelihood, .. } =
            self.computed(|| self.model.forward(inputs, Some(target), false))?;
        let truth = self.described.clean(batch, &prepared)?;
        let level = likelihood.cdf(&truth)?.f_to_kind(Kind::Double)?;
        // The clamp is about as close to zero and one as f32 can represent probabilities.
        let level = level.f_clamp(1e-6, 1.0 - 1e-6)?.f_special_ndtri()?;
        Ok(level.f_expand_as(&truth)?)
    }

    /// Input and desired output of the linear skip: the clean context with the seasonal terms, `[B, L + S, C]`, and the
    /// target `[B, H, C]` in the units of the decoder.
    pub(crate) fn skipped_over(&self, batch: &Batch) -> Result<(Tensor, Tensor), TrainError> {
        let prepared = self.prepare(batch, false)?;
        let target = self.described.clean(batch, &prepared)?;
        let channels = target.size()[2];
        let context = prepared.inputs.context.f_narrow(2, 0, channels)?;
        let Some(terms) = &batch.seasonal else { return Ok((context, target)) };
        let terms = terms.f_unsqueeze(2)?.f_expand([-1, -1, channels], false)?;
        Ok((Tensor::f_cat(&[context, terms], 1)?, target))
    }

    /// Runs `networks` in the precision of the config.
    ///
    /// # Errors
    /// Any error of `networks`, or one of libtorch.
    pub fn computed<T>(&self, networks: impl FnOnce() -> vae::Result<T>) -> Result<T, TrainError> {
        Ok(match self.half {
            None => networks()?,
            Some(kind) => torch_ext::autocast(self.store.device(), kind, true, networks)??,
        })
    }

    fn pass(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        train: bool,
    ) -> Result<(Vec<Latent>, Tensor), TrainError> {
        let (Pass { latents, .. }, log_prob) = self.passed(batch, prepared, Draw::One, train)?;
        Ok((latents, log_prob))
    }

    /// One pass, and the log density of each element of what the likelihood scores.
    fn passed(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        draw: Draw,
        train: bool,
    ) -> Result<(Pass, Tensor), TrainError> {
        let Prepared { inputs, target, .. } = prepared;
        let pass = self.computed(|| self.model.forward_with(inputs, Some(target), draw, train))?;
        let (values, noise) = self.described.scored(batch, prepared)?;
        let log_prob = match noise {
            Some((signal, std)) => pass.likelihood.log_prob_noised(&values, signal, std)?,
            None => pass.likelihood.log_prob(&values)?,
        };
        Ok((pass, log_prob))
    }

    /// The log density summed over the observed values, `[B]`.
    fn summed(&self, batch: &Batch, log_prob: &Tensor) -> Result<Tensor, TrainError> {
        let (_, observed) = self.truth(batch);
        let observed = observed.map(|mask| mask.f_not_equal(0.0)).transpose()?;
        Ok(sum_over_target(log_prob, observed.as_ref())?)
    }

    /// The terms of a batch, with the KL weight and the free bits of an optimizer step.
    fn weigh(
        &self,
        reconstruction: Tensor,
        kl_groups: Vec<Tensor>,
        step: usize,
        part: Option<Part>,
    ) -> Result<Terms, TrainError> {
        let (weight, free_bits) = (self.kl_weight(step), self.free_bits);
        let elbo = match part {
            None => Elbo::new(reconstruction, kl_groups, weight, free_bits)?,
            Some(part) => {
                let means = free_bits.batch_means(&kl_groups);
                let means: Vec<Tensor> =
                    means.iter().map(|mean| part.mean(mean)).collect::<Result<_, _>>()?;
                Elbo::of_part(reconstruction, kl_groups, weight, free_bits, &means)?
            }
        };
        Ok(Terms {
            loss: elbo.loss(),
            reconstruction: elbo.reconstruction.detach().f_mean(Kind::Float)?,
            kl: elbo.kl.detach().f_mean(Kind::Float)?,
            kl_weight: elbo.kl_weight,
        })
    }
}

/// The KL divergence of each latent group, by dimension.
fn kl_of(latents: &[Latent]) -> Result<Vec<Tensor>, TrainError> {
    Ok(latents.iter().map(Latent::kl_per_dim).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
