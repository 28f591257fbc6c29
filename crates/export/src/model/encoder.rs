//! The encoder, from a window to features.

use train::TrainError;
use vae::Channels;

use super::Builder;
use super::layer::Part;
use super::window::Window;
use crate::graph::{Binary, Value};

/// A window as latent variables and decoder see it.
pub(super) struct Encoded {
    /// `[B, G, features]`.
    pub(super) features: Value,
    /// Static inputs that do not describe the window, each broadcasting to `[B, G, size]`.
    pub(super) exogenous: Vec<Part<'static>>,
    /// The linear skip, `[B, T, C]`.
    pub(super) skip: Option<Value>,
}

/// Windows as rows, as in crate `vae`.
pub(super) struct Rows {
    /// `[B, 1, L, C]` or `[B, C, L, 1]`.
    pub(super) targets: Value,
    /// `[B, 1, L, E]`.
    pub(super) extras: Option<Value>,
    /// Static inputs, each broadcasting to `[B, G, size]`.
    pub(super) statics: Vec<Part<'static>>,
}

impl Builder<'_> {
    pub(super) fn encoded(
        &mut self,
        window: &Window,
        relative: Value,
    ) -> Result<Encoded, TrainError> {
        let model = self.parts.model();
        let context = match self.input_signal {
            1.0 => relative,
            signal => self.graph.with(Binary::Mul, relative, signal),
        };
        let exogenous = self.exogenous(window)?;
        let mut statics = exogenous.clone();
        if model.noise_conditioning {
            statics.push(("level", None)); // clean, which is level zero
        }
        let targets = match model.channels {
            Channels::Joint => self.graph.unsqueeze(context, 1),
            Channels::Independent => {
                let rows = self.graph.transpose(context, &[0, 2, 1]);
                self.graph.unsqueeze(rows, 3)
            }
        };
        let extras = window.extras.map(|extras| self.graph.unsqueeze(extras, 1));
        let features = self.backbone(&Rows { targets, extras, statics })?;
        let skip = self.skip(context, window)?;
        Ok(Encoded { features, exogenous, skip })
    }

    fn exogenous(&mut self, window: &Window) -> Result<Vec<Part<'static>>, TrainError> {
        let model = self.parts.model();
        let mut exogenous = Vec::new();
        if model.channels == Channels::Independent && model.channel_embedding > 0 {
            exogenous.push(("channel", Some(self.constant("channel.embedding")?)));
        }
        if let Some(future) = window.future.filter(|_| !self.parts.autoencodes()) {
            let flat = self.graph.flatten(future, 1, 2);
            let flat = self.graph.unsqueeze(flat, 1);
            exogenous.push(("future", Some(self.linear("future", &[("future", Some(flat))])?)));
        }
        Ok(exogenous)
    }

    fn skip(&mut self, context: Value, window: &Window) -> Result<Option<Value>, TrainError> {
        if !self.parts.model().linear_skip || self.parts.autoencodes() {
            return Ok(None);
        }
        let channels = self.parts.shape().channels;
        let mut seen = vec![self.graph.transpose(context, &[0, 2, 1])];
        if let Some(terms) = window.seasonal {
            let terms = self.graph.unsqueeze(terms, 1);
            seen.push(self.graph.repeat(terms, 1, channels));
        }
        let seen = self.graph.concat(&seen, 2);
        let skip = self.linear("skip", &[("context", Some(seen))])?;
        Ok(Some(self.graph.transpose(skip, &[0, 2, 1])))
    }
}
