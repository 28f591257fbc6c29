//! The model: one interface over the four kinds.

mod copula;
mod direct;
mod forecast;
mod ladder;
mod terms;

use objective::{Family, Likelihood};
use tch::nn::Path;
use tch::{Tensor, no_grad};

use crate::decoder::Decoder;
use crate::encoder::{Encoder, Statics};
use crate::error::Result;
use crate::inputs::Expected;
use crate::latent::per_row;
use crate::layer::{Linear, part, whole};
use crate::{
    Center, Channels, Draw, Inputs, Instance, Latent, ModelConfig, ModelKind, Residuals, Shape,
    VaeError,
};

use copula::Copula;
use direct::Direct;
use ladder::Ladder;
pub use terms::Terms;

/// A variational autoencoder over windows, of any kind, backbone and likelihood.
///
/// Parameters live in the [`tch::nn::VarStore`] behind the path it was built on, under stable names
/// (`encoder.layer0.targets_weight`, `decoder.head.bias`, …).
///
/// At the start posterior and prior are close to `N(0, I)`, and the scale to one, or to the fixed scale. The location
/// is close to zero, which with instance normalization is the center of the window. Without that, `linear_skip` moves
/// it to the mean of the context.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    family: Family,
    shape: Shape,
    encoder: Encoder,
    core: Core,
    decoder: Decoder,
    skip: Option<Linear>,
    copula: Option<Copula>,
}

/// The part that differs between the kinds.
#[derive(Debug)]
enum Core {
    Direct(Direct),
    Ladder(Ladder),
}

/// A window as the networks see it.
struct Encoded {
    statics: Statics,
    features: Tensor,
    /// Examples, `B`.
    batch: i64,
}

/// One pass through a model: its beliefs about the latent variables, and about the target given them.
#[derive(Debug)]
pub struct Pass {
    /// The groups of latent variables, from the top down; a single one except for `hierarchical`.
    pub latents: Vec<Latent>,
    /// The likelihood of the clean target given the draws, over `[.., B, T, C]`.
    pub likelihood: Likelihood,
}

impl Pass {
    /// The divergence of all groups per example, in nats: `Σ_l KL[q(z_l | z_{<l}, ·) ‖ p(z_l | z_{<l}, ·)]`.
    ///
    /// # Shapes
    /// Returns `[.., B]`.
    ///
    /// # Errors
    /// As [`Latent::kl_per_dim`].
    pub fn kl(&self) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for latent in &self.latents {
            let kl = latent.kl_per_dim()?;
            let kl = kl.f_sum_dim_intlist(Some([-1i64].as_slice()), false, kl.kind())?;
            sum = Some(match sum {
                None => kl,
                Some(sum) => sum.f_add(&kl)?,
            });
        }
        Ok(sum.expect("every model has a latent group"))
    }

    /// Log importance weights `log p(y | z) + Σ_l [log p(z_l | z_{<l}, x̃) − log q(z_l | z_{<l}, ·)]`, in nats; with
    /// `landing` at posteriors whose parameters take no gradient.
    ///
    /// # Shapes
    /// `log_likelihood`: `[.., B]`, which is `log p(y | z)` of each draw. Returns the same shape.
    ///
    /// # Errors
    /// As [`Latent::log_ratio`], or if the shapes do not fit.
    pub fn log_weights(&self, log_likelihood: &Tensor, landing: bool) -> Result<Tensor> {
        let mut weights = log_likelihood.shallow_clone();
        for latent in &self.latents {
            weights = weights.f_add(&latent.log_ratio(landing)?)?;
        }
        Ok(weights)
    }
}

impl Model {
    /// Builds a model with fresh parameters from torch's generator.
    ///
    /// # Errors
    /// [`VaeError::Config`] or [`VaeError::Size`] for a value out of its range.
    pub fn new(path: &Path, config: &ModelConfig, family: Family, shape: Shape) -> Result<Model> {
        config.validate()?;
        shape.validate()?;
        let autoencode = config.kind == ModelKind::Autoencode;
        let steps = if autoencode { shape.context } else { shape.horizon };
        let encoder = Encoder::new(path, config, &shape)?;
        let features = encoder.features;
        let per_row = if config.channels == Channels::Joint { shape.channels } else { 1 };
        let (core, inputs) = match config.kind {
            ModelKind::Autoencode | ModelKind::Predict => {
                let mut inputs = vec![part("latent", config.latent)];
                inputs.extend(encoder.exogenous_parts(config));
                (Core::Direct(Direct::new(path, config, features)?), inputs)
            }
            ModelKind::Conditional | ModelKind::Hierarchical => {
                let hierarchical = config.kind == ModelKind::Hierarchical;
                let groups = if hierarchical { config.groups } else { 1 };
                let inputs =
                    vec![part("latent", groups * config.latent), part("features", features)];
                let ladder = Ladder::new(path, config, features, shape.horizon * per_row)?;
                (Core::Ladder(ladder), inputs)
            }
        };
        let sizes = [steps, shape.channels];
        let decoder = Decoder::new(&(path / "decoder"), config, family, &inputs, sizes)?;
        let skip = if config.linear_skip && !autoencode {
            let seen = [part("context", shape.context + shape.seasonal)];
            let skip = Linear::new(&(path / "skip"), &seen, steps, 1.0)?;
            // Relative to the last value, zero is the last value.
            let last = config.instance_norm && config.instance_center == Center::Last;
            let weight = if last { 0.0 } else { 1.0 / shape.context as f64 };
            let _ = no_grad(|| {
                let _ = skip.weight().shallow_clone().f_fill_(0.0)?;
                skip.weight().f_narrow(1, 0, shape.context)?.f_fill_(weight)
            })?;
            Some(skip)
        } else {
            None
        };
        let copula = match config.residuals {
            Residuals::Independent => None,
            Residuals::Correlated => Some(Copula::new(&(path / "copula"), steps, shape.channels)?),
        };
        let config = config.clone();
        Ok(Model { config, family, shape, encoder, core, decoder, skip, copula })
    }

    /// The config that the model was built with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The family of its likelihood.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The sizes that the model was built for.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of latent groups.
    pub fn groups(&self) -> i64 {
        if self.config.kind == ModelKind::Hierarchical { self.config.groups } else { 1 }
    }

    /// Dimensions of each latent group per example, `D`.
    pub fn latent_dims(&self) -> i64 {
        self.rows() * self.config.latent
    }

    /// Instance normalization of a clean, standardized context, or the identity where it is off.
    ///
    /// # Shapes
    /// `targets`: `[B, L, C]`; `observed`: the same, nonzero where a value was observed.
    ///
    /// # Errors
    /// [`VaeError::Shape`] if they do not have these shapes.
    pub fn instance(&self, targets: &Tensor, observed: Option<&Tensor>) -> Result<Instance> {
        let batch = targets.size().first().copied().unwrap_or(0);
        let expected = [batch, self.shape.context, self.shape.channels];
        for (name, tensor) in [("targets", Some(targets)), ("observed", observed)] {
            let Some(tensor) = tensor else { continue };
            let found = tensor.size();
            if found != expected {
                let expected = format!("{expected:?}");
                return Err(VaeError::Shape { tensor: name, expected, found });
            }
        }
        if self.config.instance_norm {
            let ModelConfig { instance_center, instance_floor, .. } = self.config;
            Instance::fit(targets, observed, instance_center, instance_floor)
        } else {
            Instance::identity(targets)
        }
    }

    /// One pass with one draw of the latent variables from torch's generator.
    ///
    /// `autoencode` and `predict` draw from `q(z | x̃)` and ignore the target; `conditional` and
    /// `hierarchical` draw from posteriors that see it. The likelihood is over the clean horizon
    /// `[B, H, C]`, or the clean window `[B, L, C]` for `autoencode`.
    ///
    /// # Shapes
    /// `target`: the noised `ỹ`, `[B, H, C]`.
    ///
    /// # Errors
    /// [`VaeError::Shape`], [`VaeError::Type`] or [`VaeError::Missing`] for unfit tensors.
    pub fn forward(&self, inputs: &Inputs, target: Option<&Tensor>, train: bool) -> Result<Pass> {
        self.forward_with(inputs, target, Draw::One, train)
    }

    /// As [`Model::forward`], with another way to draw; [`Draw::Many`] adds a leading axis `K`, for importance
    /// weighting.
    ///
    /// # Errors
    /// As [`Model::forward`]; [`VaeError::Size`] for fewer than one sample, [`VaeError::Missing`] for too few
    /// tensors of noise.
    pub fn forward_with(
        &self,
        inputs: &Inputs,
        target: Option<&Tensor>,
        draw: Draw,
        train: bool,
    ) -> Result<Pass> {
        draw.check(self.groups(), self.config.kind)?;
        let encoded = self.encoded(inputs, train)?;
        let (latents, rows) = match &self.core {
            Core::Direct(direct) => {
                let (latent, rows) = direct.posterior(&encoded.features, draw)?;
                (vec![latent], vec![rows])
            }
            Core::Ladder(ladder) => {
                let target = self.evidence(target, encoded.batch)?;
                ladder.posterior(&encoded.features, &target, draw, train)?
            }
        };
        let likelihood = self.likelihood(inputs, &encoded, &rows, train)?;
        Ok(Pass { latents, likelihood })
    }

    /// Sets the dependence of residuals, for `residuals = "correlated"`: correlations of their normal scores
    /// `Φ⁻¹(F(y))` between the steps and between the channels. The correlation of two values is the product of the two.
    ///
    /// # Shapes
    /// `steps`: `[T, T]`, `channels`: `[C, C]`, positive definite with ones on the diagonal.
    ///
    /// # Errors
    /// [`VaeError::Unsupported`] for independent residuals, [`VaeError::Shape`] for other shapes,
    /// [`VaeError::Torch`] for a matrix that is not positive definite.
    pub fn set_copula(&self, steps: &Tensor, channels: &Tensor) -> Result<()> {
        match &self.copula {
            Some(copula) => copula.set(steps, channels),
            None => {
                let (action, kind) =
                    ("correlate residuals, which its config makes independent", self.config.kind);
                Err(VaeError::Unsupported { action, kind })
            }
        }
    }

    /// The posterior mean of `z` as features: of all groups, side by side.
    ///
    /// With a learned prior and no target it is the mean of the prior, as known at forecast time.
    ///
    /// # Shapes
    /// Returns `[B, groups · D]`.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn encode(&self, inputs: &Inputs, target: Option<&Tensor>) -> Result<Tensor> {
        let Encoded { features, batch, .. } = self.encoded(inputs, false)?;
        let rows = match (&self.core, target) {
            (Core::Direct(direct), _) => vec![direct.posterior(&features, Draw::Mean)?.1],
            (Core::Ladder(ladder), None) => ladder.prior(&features, Draw::Mean, false)?,
            (Core::Ladder(ladder), Some(_)) => {
                ladder.posterior(&features, &self.evidence(target, batch)?, Draw::Mean, false)?.1
            }
        };
        let flat =
            rows.iter().map(|z| z.f_flatten(-2, -1)).collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Tensor::f_cat(&flat, -1)?)
    }

    /// The likelihood at given latent variables.
    ///
    /// # Shapes
    /// `z`: `[.., B, groups · D]`, as [`Model::encode`] returns it; the likelihood is over `[.., B, T, C]`.
    ///
    /// # Errors
    /// [`VaeError::Shape`], [`VaeError::Type`] or [`VaeError::Missing`] for unfit tensors.
    pub fn decode(&self, z: &Tensor, inputs: &Inputs) -> Result<Likelihood> {
        let encoded = self.encoded(inputs, false)?;
        let (groups, dims, batch) = (self.groups(), self.latent_dims(), encoded.batch);
        if !z.size().ends_with(&[batch, groups * dims]) {
            let expected = format!("[.., {batch}, {}]", groups * dims);
            return Err(VaeError::Shape { tensor: "z", expected, found: z.size() });
        }
        self.expected().number("z", z)?;
        let rows = z
            .f_chunk(groups, -1)?
            .iter()
            .map(|z| per_row(&z.f_contiguous()?, self.rows()))
            .collect::<Result<Vec<_>>>()?;
        self.likelihood(inputs, &encoded, &rows, false)
    }

    /// Draws new windows, first `z ~ N(0, I)`, then `x_0`; for `autoencode` only.
    ///
    /// # Shapes
    /// Returns `[S, L, C]`.
    ///
    /// # Errors
    /// [`VaeError::Unsupported`] for the other kinds, [`VaeError::Size`] for fewer than one sample.
    pub fn generate(&self, samples: i64) -> Result<Tensor> {
        Draw::Many(samples).check(1, self.config.kind)?;
        if self.config.kind != ModelKind::Autoencode {
            let (action, kind) = ("generate windows without a context", self.config.kind);
            return Err(VaeError::Unsupported { action, kind });
        }
        let expected = self.expected();
        let options = (expected.kind, expected.device);
        let z = Tensor::f_randn([samples, self.rows(), self.config.latent], options)?;
        let Shape { context, channels, extras, .. } = self.shape;
        let empty = Inputs::new(Tensor::f_zeros([1, context, channels + extras], options)?);
        let statics = self.encoder.statics(&empty)?;
        let mut inputs = vec![&z];
        inputs.extend(statics.exogenous());
        Ok(self.decoder.forward(&inputs, None, false)?.sample()?)
    }

    /// The linear skip, weight `[H, L + S]` and bias `[H]`, if the model has one.
    pub fn linear_skip(&self) -> Option<(&Tensor, &Tensor)> {
        self.skip.as_ref().map(|skip| (skip.weight(), skip.bias()))
    }

    /// Starts the linear skip from a given map, such as a ridge regression.
    ///
    /// # Shapes
    /// `weight`: `[H, L + S]`, `bias`: `[H]`.
    ///
    /// # Errors
    /// [`VaeError::Unsupported`] without a skip, [`VaeError::Shape`] for other shapes.
    pub fn set_linear_skip(&self, weight: &Tensor, bias: &Tensor) -> Result<()> {
        let Some(skip) = &self.skip else {
            let (action, kind) = ("set a linear skip, because it has none", self.config.kind);
            return Err(VaeError::Unsupported { action, kind });
        };
        let Shape { context, horizon, seasonal, .. } = self.shape;
        self.expected().tensor("weight", weight, &[horizon, context + seasonal])?;
        self.expected().tensor("bias", bias, &[horizon])?;
        no_grad(|| {
            skip.weight().shallow_clone().copy_(weight);
            skip.bias().shallow_clone().copy_(bias);
        });
        Ok(())
    }

    /// Checks the inputs and encodes them.
    fn encoded(&self, inputs: &Inputs, train: bool) -> Result<Encoded> {
        let batch = self.expected().inputs(inputs)?;
        let statics = self.encoder.statics(inputs)?;
        let features = self.encoder.features(inputs, &statics, train)?;
        Ok(Encoded { statics, features, batch })
    }

    /// The likelihood at draws per row, `[.., B, G, Z]` for each group.
    fn likelihood(
        &self,
        inputs: &Inputs,
        encoded: &Encoded,
        rows: &[Tensor],
        train: bool,
    ) -> Result<Likelihood> {
        let skip = self.skipped(inputs)?.map(|skip| skip.f_transpose(1, 2)).transpose()?;
        let latent = joined(rows)?;
        self.decoder.forward(&self.parts(&latent, encoded), skip.as_ref(), train)
    }

    /// The inputs of the decoder, given the draws of all groups.
    fn parts<'a>(&self, latent: &'a Tensor, encoded: &'a Encoded) -> Vec<&'a Tensor> {
        let mut parts = vec![latent];
        match &self.core {
            Core::Direct(_) => parts.extend(encoded.statics.exogenous()),
            Core::Ladder(_) => parts.push(&encoded.features),
        }
        parts
    }

    /// The linear skip, `[B, C, T]`.
    fn skipped(&self, inputs: &Inputs) -> Result<Option<Tensor>> {
        let Some(skip) = &self.skip else { return Ok(None) };
        let targets = inputs.context.f_narrow(2, 0, self.shape.channels)?.f_transpose(1, 2)?;
        if self.shape.seasonal == 0 {
            return Ok(Some(whole(skip.forward(&[&targets])?)?));
        }
        let missing = VaeError::Missing { tensor: "seasonal", kind: self.config.kind };
        let terms = inputs.seasonal.as_ref().ok_or(missing)?.f_unsqueeze(1)?;
        let terms = terms.f_expand([-1, self.shape.channels, -1], false)?;
        Ok(Some(whole(skip.forward(&[&Tensor::f_cat(&[targets, terms], 2)?])?)?))
    }

    /// The target that the posteriors of a ladder see, as rows, `[B, G, H · c]`.
    fn evidence(&self, target: Option<&Tensor>, batch: i64) -> Result<Tensor> {
        let missing = VaeError::Missing { tensor: "target", kind: self.config.kind };
        let target = target.ok_or(missing)?;
        self.expected().target(target, batch)?;
        self.decoder.as_rows(target)
    }

    /// Rows per example: `G`.
    fn rows(&self) -> i64 {
        if self.config.channels == Channels::Joint { 1 } else { self.shape.channels }
    }

    fn expected(&self) -> Expected {
        // Read from a parameter each time, because the caller may change the store's number type.
        let parameter = self.decoder.parameter();
        let (kind, device) = (parameter.kind(), parameter.device());
        Expected { shape: self.shape, model: self.config.kind, kind, device }
    }
}

/// Draws of all groups side by side.
fn joined(rows: &[Tensor]) -> Result<Tensor> {
    Ok(match rows {
        [one] => one.shallow_clone(),
        many => Tensor::f_cat(many, -1)?,
    })
}
