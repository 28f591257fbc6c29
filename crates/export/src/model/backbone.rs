//! The backbones of crate `vae`.

use train::TrainError;
use vae::BackboneKind;

use super::Builder;
use super::encoder::Rows;
use super::layer::Part;
use crate::graph::{Binary, Reduction, Unary, Value};

impl Builder<'_> {
    /// Features of the window, `[B, G, features]`.
    pub(super) fn backbone(&mut self, rows: &Rows) -> Result<Value, TrainError> {
        match self.parts.model().backbone {
            BackboneKind::Linear => self.mlp(rows, 1),
            BackboneKind::Mlp => self.mlp(rows, self.parts.model().layers),
            BackboneKind::Gru => self.gru(rows),
            BackboneKind::Conv => self.conv(rows),
            BackboneKind::Patch => self.patch(rows),
        }
    }

    fn mlp(&mut self, rows: &Rows, depth: i64) -> Result<Value, TrainError> {
        let flat = |builder: &mut Self, value| builder.graph.flatten(value, 2, 3);
        let mut inputs: Vec<Part> = vec![("targets", Some(flat(self, rows.targets)))];
        if let Some(extras) = rows.extras {
            inputs.push(("extras", Some(flat(self, extras))));
        }
        inputs.extend(&rows.statics);
        let mut hidden = self.layer("encoder.layer0", &inputs)?;
        for i in 1..depth {
            hidden = self.layer(&format!("encoder.layer{i}"), &[("hidden", Some(hidden))])?;
        }
        Ok(hidden)
    }

    fn gru(&mut self, rows: &Rows) -> Result<Value, TrainError> {
        let (hidden, layers) = (self.parts.model().hidden, self.parts.model().layers);
        let groups = self.parts.groups();
        let graph = &mut self.graph;
        let mut steps = vec![rows.targets];
        if let Some(extras) = rows.extras {
            steps.push(graph.repeat(extras, 1, groups));
        }
        let steps = graph.concat(&steps, 3);
        let steps = graph.flatten(steps, 0, 1);
        // Zeros for each row of each window, to which first states broadcast.
        let first = graph.select(rows.targets, 2, 0);
        let first = graph.slice(first, 2, 0, 1);
        let zeros = graph.zeros_like(first);
        let width = layers * hidden;
        let start = match rows.statics.as_slice() {
            [] => graph.repeat(zeros, 2, width),
            statics => {
                let affine = self.linear("encoder.start", statics)?;
                let states = self.graph.unary(Unary::Tanh, affine);
                self.graph.add(states, zeros)
            }
        };
        let graph = &mut self.graph;
        let start = graph.flatten(start, 0, 1);
        let start = graph.unflatten(start, 1, &[layers, hidden]);
        let start = graph.transpose(start, &[1, 0, 2]);
        let mut weights = Vec::new();
        for layer in 0..layers {
            for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
                weights.push(self.constant(&format!("encoder.{name}_l{layer}"))?);
            }
        }
        let last = self.graph.gru(steps, start, &weights);
        Ok(self.graph.unflatten(last, 0, &[-1, groups]))
    }

    fn conv(&mut self, rows: &Rows) -> Result<Value, TrainError> {
        let (kernel, layers) = (self.parts.model().kernel, self.parts.model().layers);
        let (context, groups) = (self.parts.shape().context, self.parts.groups());
        let embedded = self.embedded(rows.targets, rows.extras, &rows.statics)?;
        let steps = self.graph.flatten(embedded, 0, 1);
        let mut hidden = self.graph.transpose(steps, &[0, 2, 1]);
        for i in 0..layers {
            let dilation = (1_i64 << i.min(40)).min(context);
            let weight = self.constant(&format!("encoder.block{i}.weight"))?;
            let bias = self.constant(&format!("encoder.block{i}.bias"))?;
            let padding = (kernel - 1) * dilation;
            let out = self.graph.conv([hidden, weight, bias], dilation, padding);
            let out = self.activated(out);
            hidden = self.graph.add(hidden, out);
        }
        let graph = &mut self.graph;
        let last = graph.select(hidden, 2, context - 1);
        let mean = graph.reduce(Reduction::Mean, hidden, 2);
        let mean = graph.select(mean, 2, 0);
        let features = graph.concat(&[last, mean], 1);
        Ok(graph.unflatten(features, 0, &[-1, groups]))
    }

    /// Steps or patches as vectors, `[B, G, steps, hidden]`.
    fn embedded(
        &mut self,
        targets: Value,
        extras: Option<Value>,
        statics: &[Part],
    ) -> Result<Value, TrainError> {
        let mut inputs: Vec<Part> = vec![("targets", Some(targets))];
        if let Some(extras) = extras {
            inputs.push(("extras", Some(extras)));
        }
        for &(name, value) in statics {
            let value = value.map(|value| {
                let axis = self.graph.shape(value).len() - 1;
                self.graph.unsqueeze(value, axis)
            });
            inputs.push((name, value));
        }
        self.linear("encoder.embed", &inputs)
    }

    fn patch(&mut self, rows: &Rows) -> Result<Value, TrainError> {
        let (layers, groups) = (self.parts.model().layers, self.parts.groups());
        let targets = self.cut(rows.targets);
        let extras = rows.extras.map(|extras| self.cut(extras));
        let embedded = self.embedded(targets, extras, &rows.statics)?;
        let position = self.constant("encoder.position")?;
        let embedded = self.graph.add(embedded, position);
        let mut tokens = self.graph.flatten(embedded, 0, 1);
        for i in 0..layers {
            tokens = self.block(&format!("encoder.block{i}"), tokens)?;
        }
        let normed = self.normed("encoder.norm", tokens)?;
        let flat = self.graph.flatten(normed, 1, 2);
        let flat = self.graph.unflatten(flat, 0, &[-1, groups]);
        self.layer("encoder.out", &[("patches", Some(flat))])
    }

    /// `[B, G, L, w]` to `[B, G, patches, patch · w]`; the window is filled up on the left with its first value.
    fn cut(&mut self, window: Value) -> Value {
        let patch = self.parts.model().patch;
        let graph = &mut self.graph;
        let length = graph.shape(window)[2].known();
        let patches = (length + patch - 1) / patch;
        let mut parts = vec![window];
        if patches * patch > length {
            let first = graph.slice(window, 2, 0, 1);
            parts.insert(0, graph.repeat(first, 2, patches * patch - length));
        }
        let whole = graph.concat(&parts, 2);
        let divided = graph.unflatten(whole, 2, &[patches, patch]);
        graph.flatten(divided, 3, 4)
    }

    /// A block of attention and a hidden layer over tokens `[N, patches, hidden]`.
    fn block(&mut self, path: &str, tokens: Value) -> Result<Value, TrainError> {
        let (heads, hidden) = (self.parts.model().heads, self.parts.model().hidden);
        let normed = self.normed(&format!("{path}.attention_norm"), tokens)?;
        let all = self.linear(&format!("{path}.query_key_value"), &[("hidden", Some(normed))])?;
        let graph = &mut self.graph;
        let [query, key, value] = [0, 1, 2].map(|part| {
            let part = graph.slice(all, 2, part * hidden, hidden);
            let split = graph.unflatten(part, 2, &[heads, hidden / heads]);
            graph.transpose(split, &[0, 2, 1, 3])
        });
        let turned = graph.transpose(key, &[0, 1, 3, 2]);
        let scores = graph.matmul(query, turned);
        let root = ((hidden / heads) as f64).sqrt();
        let scores = graph.with(Binary::Div, scores, root);
        let weights = graph.softmax(scores);
        let attended = graph.matmul(weights, value);
        let attended = graph.transpose(attended, &[0, 2, 1, 3]);
        let attended = graph.flatten(attended, 2, 3);
        let branch =
            self.linear(&format!("{path}.attention_out"), &[("hidden", Some(attended))])?;
        let tokens = self.graph.add(tokens, branch);
        let normed = self.normed(&format!("{path}.mlp_norm"), tokens)?;
        let inner = self.layer(&format!("{path}.mlp_in"), &[("hidden", Some(normed))])?;
        let branch = self.linear(&format!("{path}.mlp_out"), &[("hidden", Some(inner))])?;
        Ok(self.graph.add(tokens, branch))
    }

    fn normed(&mut self, path: &str, input: Value) -> Result<Value, TrainError> {
        let gain = self.constant(&format!("{path}.gain"))?;
        let offset = self.constant(&format!("{path}.offset"))?;
        Ok(self.graph.layer_norm(input, gain, offset))
    }
}
