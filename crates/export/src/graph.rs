//! A forecast as a graph of operations on tensors whose number of windows and of samples is free.
//!
//! Every operation has one result, whose number type and shape are known when it is added. `onnx` writes the graph, and
//! `torchscript` runs it while libtorch records: no operation asks for the size of a free axis.

mod shape;

pub(crate) use shape::{Dim, Kind, Shape};

/// The result of an operation, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(pub(crate) usize);

/// An operation.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Input,
    Constant(Numbers),
    Unary(Unary),
    Binary(Binary),
    /// `condition`, then the values where it holds and where it does not.
    Where,
    MatMul,
    Cast,
    Transpose(Vec<usize>),
    Slice {
        axis: usize,
        from: i64,
        length: i64,
    },
    /// One entry of an axis, which disappears.
    Select {
        axis: usize,
        index: i64,
    },
    Concat {
        axis: usize,
    },
    /// Joins the axes from the first to the last.
    Flatten {
        from: usize,
        to: usize,
    },
    /// Divides one axis into several; one of `sizes` may be −1.
    Unflatten {
        axis: usize,
        sizes: Vec<i64>,
    },
    Unsqueeze {
        axis: usize,
    },
    /// Repeats an axis of length one.
    Repeat {
        axis: usize,
        times: i64,
    },
    /// A reduction that keeps its axis, with length one.
    Reduce {
        how: Reduction,
        axis: usize,
    },
    /// Over the last axis.
    Softmax,
    /// Over the last axis; the inputs are values, gain and offset.
    LayerNorm,
    /// Causal convolution `[N, C, L] → [N, O, L]`; the inputs are values, weight and bias.
    Conv {
        dilation: i64,
        padding: i64,
    },
    /// The last state of the last layer, `[N, H]`; the inputs are the sequence `[N, L, I]`, the first states
    /// `[layers, N, H]`, and four weights a layer.
    Gru {
        layers: usize,
    },
    /// Sums up to each place of an axis.
    CumSum {
        axis: usize,
    },
    /// Sorts along the first axis, smallest first.
    Sort,
    /// Length of the first axis, a number in f64.
    Count,
    /// Entries of the first axis by their numbers.
    Take,
    ZerosLike,
}

/// A function of each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Abs,
    Cos,
    Exp,
    Floor,
    IsNan,
    Log,
    Neg,
    Not,
    Sigmoid,
    Sign,
    Sin,
    Sqrt,
    Tanh,
}

/// A function of two numbers, whose shapes broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    Greater,
    Equal,
    /// Of whole numbers, rounded down.
    FloorDiv,
    /// Of whole numbers, never negative.
    Mod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Sum,
    Mean,
    Min,
    Max,
}

/// Numbers that are part of the graph, in row-major order.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

/// An operation with its inputs, and what is known of its result.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Value>,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) name: String,
}

/// Operations in the order in which they can be run.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
}

impl Graph {
    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    pub(crate) fn shape(&self, value: Value) -> &[Dim] {
        &self.node(value).shape
    }

    fn push(&mut self, op: Op, inputs: &[Value], kind: Kind, shape: Shape) -> Value {
        let name = format!("v{}", self.nodes.len());
        self.nodes.push(Node { op, inputs: inputs.to_vec(), kind, shape, name });
        Value(self.nodes.len() - 1)
    }

    /// Whether an output depends on each node.
    pub(crate) fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.nodes.len()];
        self.outputs.iter().for_each(|output| used[output.0] = true);
        // Nodes come after their inputs.
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if used[index] {
                node.inputs.iter().for_each(|input| used[input.0] = true);
            }
        }
        used
    }

    /// An input of the whole graph.
    pub(crate) fn input(&mut self, name: &str, kind: Kind, shape: Shape) -> Value {
        let value = self.push(Op::Input, &[], kind, shape);
        self.nodes[value.0].name = name.to_owned();
        self.inputs.push(value);
        value
    }

    /// Makes a value an output of the whole graph.
    pub(crate) fn output(&mut self, name: &str, value: Value) {
        self.nodes[value.0].name = name.to_owned();
        self.outputs.push(value);
    }

    pub(crate) fn constant(&mut self, numbers: Numbers, shape: &[i64]) -> Value {
        let kind = match &numbers {
            Numbers::F32(_) => Kind::F32,
            Numbers::F64(_) => Kind::F64,
            Numbers::I64(_) => Kind::I64,
        };
        let shape = shape.iter().map(|&length| Dim::Known(length)).collect();
        self.push(Op::Constant(numbers), &[], kind, shape)
    }

    /// A constant under the name of a parameter.
    pub(crate) fn weight(&mut self, name: &str, numbers: Vec<f32>, shape: &[i64]) -> Value {
        let value = self.constant(Numbers::F32(numbers), shape);
        self.nodes[value.0].name = name.to_owned();
        value
    }

    /// A single number of the type of `like`.
    pub(crate) fn number(&mut self, number: f64, like: Value) -> Value {
        let numbers = match self.node(like).kind {
            Kind::F32 => Numbers::F32(vec![number as f32]),
            Kind::F64 => Numbers::F64(vec![number]),
            Kind::I64 | Kind::Bool => Numbers::I64(vec![number as i64]),
        };
        self.constant(numbers, &[])
    }

    pub(crate) fn unary(&mut self, how: Unary, input: Value) -> Value {
        let Node { kind, shape, .. } = self.node(input).clone();
        let kind = if how == Unary::IsNan { Kind::Bool } else { kind };
        self.push(Op::Unary(how), &[input], kind, shape)
    }

    pub(crate) fn binary(&mut self, how: Binary, left: Value, right: Value) -> Value {
        let (a, b) = (self.node(left), self.node(right));
        assert_eq!(a.kind, b.kind, "{how:?} of one number type");
        let shape = shape::broadcast(&a.shape, &b.shape);
        let kind = if matches!(how, Binary::Greater | Binary::Equal) { Kind::Bool } else { a.kind };
        self.push(Op::Binary(how), &[left, right], kind, shape)
    }

    /// A function of a value and one number.
    pub(crate) fn with(&mut self, how: Binary, left: Value, number: f64) -> Value {
        let number = self.number(number, left);
        self.binary(how, left, number)
    }

    pub(crate) fn add(&mut self, left: Value, right: Value) -> Value {
        self.binary(Binary::Add, left, right)
    }

    pub(crate) fn sub(&mut self, left: Value, right: Value) -> Value {
        self.binary(Binary::Sub, left, right)
    }

    pub(crate) fn mul(&mut self, left: Value, right: Value) -> Value {
        self.binary(Binary::Mul, left, right)
    }

    pub(crate) fn div(&mut self, left: Value, right: Value) -> Value {
        self.binary(Binary::Div, left, right)
    }

    /// `yes` where `condition` holds, else `no`.
    pub(crate) fn choose(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        let (kind, other) = (self.node(yes).kind, self.node(no).kind);
        assert_eq!((kind, self.node(condition).kind), (other, Kind::Bool), "a choice of one type");
        let either = shape::broadcast(self.shape(yes), self.shape(no));
        let shape = shape::broadcast(self.shape(condition), &either);
        self.push(Op::Where, &[condition, yes, no], kind, shape)
    }

    pub(crate) fn matmul(&mut self, left: Value, right: Value) -> Value {
        let (a, b) = (self.shape(left), self.shape(right));
        let shape = shape::product(a, b);
        self.push(Op::MatMul, &[left, right], self.node(left).kind, shape)
    }

    pub(crate) fn cast(&mut self, input: Value, kind: Kind) -> Value {
        if self.node(input).kind == kind {
            return input;
        }
        let shape = self.shape(input).to_vec();
        self.push(Op::Cast, &[input], kind, shape)
    }

    pub(crate) fn transpose(&mut self, input: Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|&axis| self.shape(input)[axis]).collect();
        self.same(Op::Transpose(order.to_vec()), input, shape)
    }

    pub(crate) fn slice(&mut self, input: Value, axis: usize, from: i64, length: i64) -> Value {
        let mut shape = self.shape(input).to_vec();
        if shape[axis] == Dim::Known(length) {
            return input;
        }
        shape[axis] = Dim::Known(length);
        self.same(Op::Slice { axis, from, length }, input, shape)
    }

    pub(crate) fn select(&mut self, input: Value, axis: usize, index: i64) -> Value {
        let mut shape = self.shape(input).to_vec();
        shape.remove(axis);
        self.same(Op::Select { axis, index }, input, shape)
    }

    pub(crate) fn concat(&mut self, inputs: &[Value], axis: usize) -> Value {
        if let [only] = inputs {
            return *only;
        }
        let mut shape = self.shape(inputs[0]).to_vec();
        let length = inputs.iter().map(|&input| self.shape(input)[axis].known()).sum();
        shape[axis] = Dim::Known(length);
        self.push(Op::Concat { axis }, inputs, self.node(inputs[0]).kind, shape)
    }

    pub(crate) fn flatten(&mut self, input: Value, from: usize, to: usize) -> Value {
        let shape = shape::flattened(self.shape(input), from, to);
        self.same(Op::Flatten { from, to }, input, shape)
    }

    pub(crate) fn unflatten(&mut self, input: Value, axis: usize, sizes: &[i64]) -> Value {
        let shape = shape::unflattened(self.shape(input), axis, sizes);
        self.same(Op::Unflatten { axis, sizes: sizes.to_vec() }, input, shape)
    }

    pub(crate) fn unsqueeze(&mut self, input: Value, axis: usize) -> Value {
        let mut shape = self.shape(input).to_vec();
        shape.insert(axis, Dim::Known(1));
        self.same(Op::Unsqueeze { axis }, input, shape)
    }

    /// Repeats an axis of length one.
    pub(crate) fn repeat(&mut self, input: Value, axis: usize, times: i64) -> Value {
        let mut shape = self.shape(input).to_vec();
        if shape[axis] == Dim::Known(times) {
            return input;
        }
        shape[axis] = Dim::Known(times);
        self.same(Op::Repeat { axis, times }, input, shape)
    }

    pub(crate) fn reduce(&mut self, how: Reduction, input: Value, axis: usize) -> Value {
        let mut shape = self.shape(input).to_vec();
        shape[axis] = Dim::Known(1);
        self.same(Op::Reduce { how, axis }, input, shape)
    }

    pub(crate) fn softmax(&mut self, input: Value) -> Value {
        let shape = self.shape(input).to_vec();
        self.same(Op::Softmax, input, shape)
    }

    pub(crate) fn layer_norm(&mut self, input: Value, gain: Value, offset: Value) -> Value {
        let shape = self.shape(input).to_vec();
        self.push(Op::LayerNorm, &[input, gain, offset], Kind::F32, shape)
    }

    pub(crate) fn conv(
        &mut self,
        [input, weight, bias]: [Value; 3],
        dilation: i64,
        padding: i64,
    ) -> Value {
        let mut shape = self.shape(input).to_vec();
        shape[1] = self.shape(weight)[0];
        self.push(Op::Conv { dilation, padding }, &[input, weight, bias], Kind::F32, shape)
    }

    pub(crate) fn gru(&mut self, input: Value, start: Value, weights: &[Value]) -> Value {
        let (states, sequence) = (self.shape(start), self.shape(input));
        let shape = vec![sequence[0], states[2]];
        let inputs = [&[input, start], weights].concat();
        self.push(Op::Gru { layers: weights.len() / 4 }, &inputs, Kind::F32, shape)
    }

    pub(crate) fn cumsum(&mut self, input: Value, axis: usize) -> Value {
        let shape = self.shape(input).to_vec();
        self.same(Op::CumSum { axis }, input, shape)
    }

    pub(crate) fn sort(&mut self, input: Value) -> Value {
        let shape = self.shape(input).to_vec();
        self.same(Op::Sort, input, shape)
    }

    pub(crate) fn count(&mut self, input: Value) -> Value {
        self.push(Op::Count, &[input], Kind::F64, Vec::new())
    }

    /// Entries of the first axis of `input`; `indices` are whole numbers with one axis.
    pub(crate) fn take(&mut self, input: Value, indices: Value) -> Value {
        let mut shape = self.shape(input).to_vec();
        shape[0] = self.shape(indices)[0];
        self.push(Op::Take, &[input, indices], self.node(input).kind, shape)
    }

    pub(crate) fn zeros_like(&mut self, input: Value) -> Value {
        let shape = self.shape(input).to_vec();
        self.same(Op::ZerosLike, input, shape)
    }

    fn same(&mut self, op: Op, input: Value, shape: Shape) -> Value {
        self.push(op, &[input], self.node(input).kind, shape)
    }
}
