//! Variational autoencoders over windows of a time series.
//!
//! A [`Model`] turns a prepared context (and, in training, a target) into latent variables and a
//! likelihood; the caller decides what to do with them. It knows no noise schedule, no data
//! set and no optimizer. Four kinds ([`ModelKind`]), five backbones ([`BackboneKind`]), channels
//! joint or independent ([`Channels`]), three families of likelihood ([`objective::Family`]) with
//! fixed, learned or predicted scale ([`Scale`]), in any combination. Derivations: `docs/math/vae.md`.
//!
//! A training loop by hand, and forecasts from it:
//!
//! ```
//! use objective::Family;
//! use tch::nn::{Adam, OptimizerConfig, VarStore};
//! use tch::{Device, Kind, Tensor, no_grad};
//! use vae::{Inputs, Model, ModelConfig, Shape};
//!
//! let store = VarStore::new(Device::Cpu);
//! let config = ModelConfig { hidden: 16, latent: 2, ..ModelConfig::default() };
//! let model = Model::new(&store.root(), &config, Family::Gaussian, Shape::new(12, 4, 1))?;
//! let mut adam = Adam::default().build(&store, 1e-2)?;
//!
//! // Sine waves of random phase, 16 steps each: 12 of context and 4 to forecast.
//! let phase = Tensor::rand([64, 1], (Kind::Float, Device::Cpu)) * 6.28;
//! let waves = (Tensor::arange(16, (Kind::Float, Device::Cpu)) * 0.5 + phase).sin().unsqueeze(-1);
//! let (context, target) = (waves.narrow(1, 0, 12), waves.narrow(1, 12, 4));
//! let instance = model.instance(&context, None)?;
//! let inputs = Inputs::new(instance.apply(&context)?);
//! let target = instance.apply(&target)?;
//!
//! let mut bounds = Vec::new();
//! for _ in 0..50 {
//!     let pass = model.forward(&inputs, Some(&target), true)?;
//!     let log_prob = pass.likelihood.log_prob(&target)?.flatten(1, 2).sum_dim_intlist(1, false, None);
//!     let elbo = (log_prob - pass.kl()?).mean(None); // nats per window
//!     adam.backward_step(&-&elbo);
//!     bounds.push(elbo.double_value(&[]));
//! }
//! assert!(bounds[49] > bounds[0]);
//!
//! let samples = no_grad(|| model.sample(&inputs, 100))?; // [100, 64, 4, 1]
//! let forecast = instance.invert(&samples)?;
//! assert_eq!(forecast.size(), [100, 64, 4, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backbone;
mod config;
mod decoder;
mod encoder;
mod error;
mod health;
mod inputs;
mod instance;
mod kind;
mod latent;
mod layer;
mod model;

pub use config::{BackboneKind, Center, Channels, Location, ModelConfig, Residuals, Scale};
pub use error::{Result, VaeError};
pub use health::{ACTIVE_VARIANCE, Bounds, Finding, GroupHealth, Health, HealthMeter, LOOSE_NATS};
pub use inputs::{Inputs, Observation, Shape};
pub use instance::Instance;
pub use kind::ModelKind;
pub use latent::{Draw, Latent};
pub use model::{Model, Pass, Terms};
