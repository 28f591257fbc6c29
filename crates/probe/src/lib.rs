//! Information in the latent variables of a trained model, over the diffusion steps.
//!
//! At each of several steps the test windows are noised and encoded. A linear map then predicts the clean future and
//! the clean context from the features. Beside its scores are the information in nats that the posterior has about its
//! window, and the KL divergence of the posterior from the prior. [`features_run`] measures a finished run and writes
//! `features.json`. Derivations: `docs/math/features.md`.
//!
//! ```
//! use train::{Config, Device, Forecaster, load, shape};
//!
//! let text = "data = { source = 'seattle-weather', targets = ['temp_max'], context = 14, horizon = 7 }
//!             model = { kind = 'predict', hidden = 8, latent = 2 }
//!             noise = { schedule = 'linear', steps = 10 }";
//! let config = Config::parse(text, "an example", &[])?;
//! let source = load(&config, Device::Cpu)?;
//! let untrained = Forecaster::new(&config, shape(source.panel()), Device::Cpu)?;
//!
//! let found = probe::features(&source, &config, &untrained, None, 3)?;
//! let steps: Vec<usize> = found.steps.iter().map(|step| step.t).collect();
//! assert_eq!(steps, [0, 5, 10]);
//! // Two numbers explain less of a context of fourteen values than the context itself.
//! let clean = &found.steps[0];
//! assert!(clean.probe_context.r2 < clean.raw_context.r2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod features;
mod information;
mod linear;
mod windows;

pub use features::{FeaturesOptions, features, features_run};
