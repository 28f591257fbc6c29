//! Recurrent layers, whose gates ONNX has in another order than libtorch.

use crate::graph::{Node, Numbers, Op, Value};

use super::{Writer, integer};

impl Writer<'_> {
    /// Layers of gated recurrent units; the result is the last state of the last one, `[N, H]`.
    pub(super) fn gru(&mut self, node: &Node, layers: usize, out: String) {
        let [sequence, start] = [0, 1].map(|at| self.name(node.inputs[at]));
        let hidden = self.node(node.inputs[1]).shape[2].known();
        let order = vec![super::integers("perm", vec![1, 0, 2])];
        let mut steps = self.inner("Transpose", &[sequence], order);
        let zero = self.whole(vec![0], &[1]);
        let one = self.whole(vec![1], &[1]);
        for layer in 0..layers {
            let of = |part: usize| node.inputs[2 + 4 * layer + part];
            let [input, recurrent] =
                [0, 1].map(|part| self.gates(&[of(part)], hidden, layer, part));
            let bias = self.gates(&[of(2), of(3)], hidden, layer, 2);
            let [from, to] = [layer as i64, layer as i64 + 1].map(|at| self.whole(vec![at], &[1]));
            let first = self.inner("Slice", &[start.clone(), from, to, zero.clone()], Vec::new());
            let inputs = [steps, input, recurrent, bias, String::new(), first];
            let attributes =
                vec![integer("hidden_size", hidden), integer("linear_before_reset", 1)];
            let [all, last] = ["all", "last"].map(|part| format!("encoder.gru{layer}.{part}"));
            self.push("GRU", &inputs, &[all.clone(), last.clone()], attributes);
            if layer + 1 == layers {
                return self.push("Squeeze", &[last, zero], &[out], Vec::new());
            }
            steps = self.inner("Squeeze", &[all, one.clone()], Vec::new());
        }
    }

    /// Parameters of three gates with those of the second one first, side by side: `[1, 3H, ..]` or, of biases, `[1, 6H]`.
    fn gates(&mut self, values: &[Value], hidden: i64, layer: usize, part: usize) -> String {
        let mut numbers = Vec::new();
        for &value in values {
            let Op::Constant(Numbers::F32(own)) = &self.node(value).op else {
                unreachable!("parameters are constants")
            };
            let (reset, rest) = own.split_at(own.len() / 3);
            let (update, new) = rest.split_at(own.len() / 3);
            numbers.extend([update, reset, new].concat());
        }
        let gates = 3 * hidden * values.len() as i64;
        let mut dims = vec![1, gates];
        let width = numbers.len() as i64 / gates;
        dims.extend((part < 2).then_some(width));
        let name = format!("encoder.gru{layer}.{}", ["W", "R", "B"][part]);
        self.initializer(name, &Numbers::F32(numbers), &dims)
    }
}
