//! Parameters and gradients as views of two flat vectors.
//!
//! An optimizer step, a clip or an average is then one operation on one tensor, no matter how many layers a model has.

use std::collections::BTreeMap;

use tch::{Tensor, nn, no_grad};

use crate::error::TrainError;

/// The trainable parameters of a [`nn::VarStore`] in one vector: first those of two or more dimensions (weights,
/// embeddings), then the vectors (biases, norms), each group in the order of names.
///
/// ```text
/// parameters = [ W_1 | W_2 | … | b_1 | … ]        gradients = [ ∂W_1 | ∂W_2 | … | ∂b_1 | … ]
/// ```
///
/// After construction each variable of the store is a view of `parameters`, and its `.grad()` a view of `gradients`,
/// into which `backward` accumulates in place.
#[derive(Debug)]
pub struct Flat {
    parameters: Tensor,
    /// The gradients, and after them some numbers that are exchanged with them.
    exchanged: Tensor,
    gradients: Tensor,
    matrices: usize,
    layout: Vec<(String, Vec<i64>)>,
}

/// Number of numbers that several processes exchange with the gradients.
const BESIDE: i64 = 5;

impl Flat {
    /// Moves the variables of `store` into one vector; names and values stay as they are.
    ///
    /// # Errors
    /// [`TrainError::Feed`] if libtorch fails to allocate.
    pub fn new(store: &nn::VarStore) -> Result<Flat, TrainError> {
        let variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
        let trainable = variables.into_iter().filter(|(_, variable)| variable.requires_grad());
        let (matrices, vectors): (Vec<_>, Vec<_>) =
            trainable.partition(|(_, variable)| variable.dim() > 1);
        let numbers = matrices.iter().map(|(_, matrix)| matrix.numel()).sum();
        let (layout, variables): (Vec<_>, Vec<Tensor>) = matrices
            .into_iter()
            .chain(vectors)
            .map(|(name, variable)| ((name, variable.size()), variable))
            .unzip();
        let parameters = no_grad(|| {
            let pieces: Vec<Tensor> = variables.iter().map(|v| v.detach().reshape([-1])).collect();
            Tensor::f_cat(&pieces, 0)
        })?;
        let length = parameters.size()[0];
        let exchanged =
            parameters.f_new_zeros([length + BESIDE], (parameters.kind(), parameters.device()))?;
        let gradients = exchanged.f_narrow(0, 0, length)?;
        // One backward pass through all parameters creates every `.grad()`, so that it can be made a view of the flat
        // vector. A parameter that the model never uses then has a zero gradient.
        let sums: Vec<Tensor> =
            variables.iter().map(|v| v.f_sum(v.kind())).collect::<Result<_, _>>()?;
        Tensor::f_stack(&sums, 0)?.f_sum(parameters.kind())?.f_backward()?;
        let mut offset = 0;
        for mut variable in variables {
            let length = variable.numel() as i64;
            let size = variable.size();
            let mut gradient = variable.f_grad()?;
            no_grad(|| {
                variable.set_data(&parameters.narrow(0, offset, length).view(size.as_slice()));
                gradient.set_data(&gradients.narrow(0, offset, length).view(size.as_slice()));
            });
            offset += length;
        }
        Ok(Flat { parameters, exchanged, gradients, matrices: numbers, layout })
    }

    /// All parameters, `[P]`.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// All gradients, `[P]`, since they were last set to zero.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Gradients and the numbers beside them, `[P + 5]`, in one piece of memory.
    pub(crate) fn exchanged(&self) -> &Tensor {
        &self.exchanged
    }

    /// The numbers beside the gradients, `[5]`.
    pub(crate) fn beside(&self) -> Tensor {
        self.exchanged.narrow(0, self.len() as i64, BESIDE)
    }

    /// The number of parameters that belong to matrices, which come first; the others belong to vectors.
    pub fn matrices(&self) -> usize {
        self.matrices
    }

    /// The name and shape of each variable, in the order of the vector.
    pub fn layout(&self) -> &[(String, Vec<i64>)] {
        &self.layout
    }

    /// A view of the parameters of one variable, `[n]`.
    pub fn view(&self, name: &str) -> Option<Tensor> {
        let mut offset = 0;
        for (other, size) in &self.layout {
            let length = size.iter().product::<i64>();
            if other == name {
                return Some(self.parameters.narrow(0, offset, length));
            }
            offset += length;
        }
        None
    }

    /// The number of trainable parameters.
    pub fn len(&self) -> usize {
        self.parameters.numel()
    }

    /// Whether there is nothing to train.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets all gradients to zero.
    pub fn zero_gradients(&self) {
        let _ = self.gradients.shallow_clone().zero_();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, nn::Module};

    /// Oracle: the `.grad()` of tch for an identical store that was never flattened.
    #[test]
    fn gradients_land_in_the_flat_vector() {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = nn::linear(store.root() / "layer", 3, 2, Default::default());
        let unused = (store.root() / "never").ones("used", &[2]);
        let x = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);

        let flat = Flat::new(&store).unwrap();
        assert_eq!(flat.len(), 3 * 2 + 2 + 2);
        assert_eq!(flat.matrices(), 3 * 2);
        let names: Vec<&str> = flat.layout().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["layer.weight", "layer.bias", "never.used"]);
        for round in 0..2 {
            flat.zero_gradients();
            layer.forward(&x).square().sum(Kind::Float).backward();
            // ∂Σ(Wx+b)²/∂b = 2 Σ_batch (Wx+b); the order is layer.weight, layer.bias, never.used.
            let expected = layer.forward(&x).detach().sum_dim_intlist(0, false, Kind::Float) * 2.0;
            let got = flat.gradients().narrow(0, 6, 2);
            assert!(got.allclose(&expected, 1e-5, 1e-6, false), "round {round}");
            assert_eq!(Vec::<f32>::try_from(flat.gradients().narrow(0, 8, 2)).unwrap(), [0.0; 2]);
        }
        // The layer reads the values written to the flat vector.
        let _ = no_grad(|| flat.parameters().shallow_clone().fill_(0.0));
        assert_eq!(layer.forward(&x).abs().sum(Kind::Float).double_value(&[]), 0.0);
        assert_eq!(unused.sum(Kind::Float).double_value(&[]), 0.0);
    }
}
