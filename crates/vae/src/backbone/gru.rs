//! Gated recurrent units over the steps of a window.

use tch::Tensor;
use tch::nn::{Init, Path};

use super::{Rows, Sizes, activation};
use crate::ModelConfig;
use crate::error::Result;
use crate::layer::{Activation, Linear, dropped_ones};

/// A stack of GRU layers; the features are the last state of the last layer.
///
/// The static inputs `s` of a row set the first state, `h_0 = tanh(W s + b)`.
/// Weights are uniform within `±1/√hidden`.
///
/// # References
/// Cho et al. (2014), eq. 5 to 8, arXiv:1406.1078; the reset gate acts after the recurrent map.
#[derive(Debug)]
pub(crate) struct Gru {
    weights: Vec<Tensor>,
    start: Option<Linear>,
    hidden: i64,
    layers: i64,
    activation: Activation,
}

impl Gru {
    pub(super) fn new(path: &Path, config: &ModelConfig, sizes: &Sizes) -> Result<Gru> {
        let (hidden, layers) = (config.hidden, config.layers);
        let bound = 1.0 / (hidden as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let mut weights = Vec::new();
        for layer in 0..layers {
            let inputs = if layer == 0 { sizes.targets + sizes.extras } else { hidden };
            // The order and the names are those of torch.nn.GRU.
            weights.push(path.f_var(
                &format!("weight_ih_l{layer}"),
                &[3 * hidden, inputs],
                init,
            )?);
            weights.push(path.f_var(
                &format!("weight_hh_l{layer}"),
                &[3 * hidden, hidden],
                init,
            )?);
            weights.push(path.f_var(&format!("bias_ih_l{layer}"), &[3 * hidden], init)?);
            weights.push(path.f_var(&format!("bias_hh_l{layer}"), &[3 * hidden], init)?);
        }
        let start = match sizes.statics.as_slice() {
            [] => None,
            statics => Some(Linear::new(&path.sub("start"), statics, layers * hidden, 1.0)?),
        };
        Ok(Gru { weights, start, hidden, layers, activation: activation(config) })
    }

    pub(super) fn forward(&self, rows: &Rows, statics: &[&Tensor], train: bool) -> Result<Tensor> {
        let [batch, groups] = rows.lead();
        let input = rows.folded()?;
        let folded = [self.layers, batch * groups, self.hidden];
        let start = match &self.start {
            None => Tensor::f_zeros(folded, (input.kind(), input.device()))?,
            Some(start) => start
                .forward(statics)?
                .f_tanh()?
                .f_expand([batch, groups, self.layers * self.hidden], false)?
                .f_reshape([batch * groups, self.layers, self.hidden])?
                .f_transpose(0, 1)?
                .f_contiguous()?,
        };
        let dropout = if self.layers > 1 { self.activation.dropout } else { 0.0 };
        let last = match (train && dropout > 0.0, torch_ext::share()) {
            (true, Some(_)) => self.by_layers(input, &start, dropout)?,
            _ => {
                let (_, last) = torch_ext::gru(&input, &start, &self.weights, dropout, train)?;
                last.f_select(0, self.layers - 1)?
            }
        };
        self.activation.drop(last.f_view([batch, groups, self.hidden])?, train)
    }

    /// The last state of the last layer, with dropout between the layers for the rows that are here of a batch.
    fn by_layers(&self, input: Tensor, start: &Tensor, dropout: f64) -> Result<Tensor> {
        let size = [input.size()[1], input.size()[0], self.hidden];
        let mut sequence = input;
        let mut layers = self.weights.chunks(4).zip(0..self.layers).peekable();
        while let Some((weights, layer)) = layers.next() {
            let start = start.f_narrow(0, layer, 1)?;
            let (output, last) = torch_ext::gru(&sequence, &start, weights, 0.0, true)?;
            if layers.peek().is_none() {
                return Ok(last.f_select(0, 0)?);
            }
            let factors = dropped_ones(&size, 2, dropout, &output)?;
            sequence = output.f_mul(&factors.f_transpose(0, 1)?)?;
        }
        unreachable!("a model has at least one layer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::tests::{rows, sizes};
    use crate::layer::part;
    use tch::Device;
    use tch::nn::VarStore;

    /// Oracle: the recursion written out, `n = tanh(W x + r ∘ (U h))`, `h ← (1 − u) n + u h`.
    #[test]
    fn the_last_state_is_that_of_the_recursion() {
        let store = VarStore::new(Device::Cpu);
        let config = ModelConfig { hidden: 4, layers: 2, dropout: 0.0, ..ModelConfig::default() };
        let sizes = Sizes { statics: vec![part("level", 1)], ..sizes(6, 1, 2) };
        let gru = Gru::new(&store.root(), &config, &sizes).unwrap();
        let rows = rows(&[5, 3, 6, 1], Some(&[5, 1, 6, 2]));
        let level = Tensor::randn([5, 1, 1], (tch::Kind::Float, Device::Cpu));
        let found = gru.forward(&rows, &[&level], false).unwrap();

        let start = gru.start.as_ref().unwrap();
        let start = start.forward(&[&level]).unwrap().tanh().expand([5, 3, 8], false);
        let extras = rows.extras.as_ref().unwrap().expand([5, 3, 6, 2], false);
        let mut sequence: Vec<Tensor> =
            Tensor::cat(&[rows.targets, extras], -1).unbind(2).into_iter().collect();
        for layer in 0..2 {
            let [w, u, b, c] = &gru.weights[4 * layer..4 * layer + 4] else { unreachable!() };
            let mut state = start.narrow(2, 4 * layer as i64, 4);
            for value in &mut sequence {
                let input = (value.matmul(&w.tr()) + b).chunk(3, -1);
                let recurrent = (state.matmul(&u.tr()) + c).chunk(3, -1);
                let reset = (&input[0] + &recurrent[0]).sigmoid();
                let update = (&input[1] + &recurrent[1]).sigmoid();
                let new = (&input[2] + reset * &recurrent[2]).tanh();
                state = (-&update + 1.0) * new + update * state;
                *value = state.shallow_clone();
            }
        }
        let gap = (found - sequence.last().unwrap()).abs().max().double_value(&[]);
        assert!(gap < 1e-5, "{gap}");
    }
}
