//! Knowledge of the latent variables of a trained model, over the diffusion steps.
//!
//! For each of some steps the test windows are noised, encoded, and the features read by a linear map: of the clean
//! future, of the clean context; beside them the information in nats that the posterior carries about its window, and
//! the KL that it pays. [`features_run`] measures a finished run and writes `features.json`. Derivations:
//! `docs/math/features.md`.
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
//! // Two numbers cannot tell more of a context of fourteen than the context itself.
//! let clean = &found.steps[0];
//! assert!(clean.probe_context.r2 < clean.raw_context.r2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod features;
mod information;
mod linear;
mod windows;

pub use features::{FeaturesOptions, features, features_run};
