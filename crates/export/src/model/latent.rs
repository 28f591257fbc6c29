//! Latent variables, drawn as at forecast time.

use train::TrainError;
use vae::ModelKind;

use super::Builder;
use super::encoder::Encoded;
use super::layer::{Part, soft_bound};
use crate::graph::{Dim, Kind, Unary, Value};
use crate::input::Of;

impl Builder<'_> {
    /// Draws of all groups per row, side by side: `[S, B, G, groups · Z]`.
    pub(super) fn latents(&mut self, encoded: &Encoded) -> Result<Value, TrainError> {
        let model = self.parts.model();
        let groups = self.parts.forecaster.model().groups();
        let each = self.parts.forecaster.model().latent_dims();
        let shape = vec![Dim::Samples, Dim::Batch, Dim::Known(groups * each)];
        let noise = self.input(Of::LatentNoise, Kind::F32, shape);
        let (mut state, mut draws) = (encoded.features, Vec::new());
        for group in 0..groups {
            let own = self.graph.slice(noise, 2, group * each, each);
            let (path, name) = match model.kind {
                ModelKind::Autoencode | ModelKind::Predict => ("posterior".to_owned(), "features"),
                ModelKind::Conditional | ModelKind::Hierarchical => {
                    (format!("prior{group}"), "state")
                }
            };
            let parameters = self.linear(&path, &[(name, Some(state))])?;
            let draw = self.draw(parameters, own);
            if group + 1 < groups {
                let seen: [Part; 2] = [("latent", Some(draw)), ("state", Some(state))];
                let change = self.layer(&format!("update{group}"), &seen)?;
                state = self.graph.add(state, change);
            }
            draws.push(draw);
        }
        let axis = 3;
        Ok(self.graph.concat(&draws, axis))
    }

    /// `mean + exp(bounded log std) · noise` per row.
    fn draw(&mut self, parameters: Value, noise: Value) -> Value {
        let (latent, groups) = (self.parts.model().latent, self.parts.groups());
        let graph = &mut self.graph;
        let last = graph.shape(parameters).len() - 1;
        let mean = graph.slice(parameters, last, 0, latent);
        let raw = graph.slice(parameters, last, latent, latent);
        let log_std = soft_bound(graph, raw);
        let std = graph.unary(Unary::Exp, log_std);
        let noise = graph.unflatten(noise, 2, &[groups, latent]);
        let scaled = graph.mul(noise, std);
        graph.add(scaled, mean)
    }
}
