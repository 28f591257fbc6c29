//! The graph as ONNX.

mod gru;
mod proto;

use std::collections::HashSet;

use prost::Message;

use crate::description::{Description, Line};
use crate::graph::{Binary, Dim, Graph, Kind, Node, Numbers, Op, Reduction, Unary, Value};
use proto::{Attribute, Dimension, Entry, Length, OperatorSet, TensorType, ValueInfo};

/// Version of the standard operators.
pub const OPSET: i64 = 17;
/// Version of the format, that of ONNX 1.12, the first with these operators.
pub const IR_VERSION: i64 = 8;

/// The bytes of an ONNX file.
pub(crate) fn encode(graph: &Graph, description: &Description) -> Vec<u8> {
    let mut writer = Writer { graph, nodes: Vec::new(), initializers: Vec::new(), named: 0 };
    let used = graph.used();
    (0..used.len()).filter(|&value| used[value]).for_each(|value| writer.write(Value(value)));
    writer.leave_out_unused();
    let info = |values: &[Value], lines: &[Line]| -> Vec<ValueInfo> {
        let info = |(value, line): (&Value, &Line)| value_info(graph.node(*value), line);
        values.iter().zip(lines).map(info).collect()
    };
    let graph = proto::Graph {
        name: "forecast".to_owned(),
        input: info(&graph.inputs, &description.inputs),
        output: info(&graph.outputs, &description.outputs),
        node: writer.nodes,
        initializer: writer.initializers,
    };
    let metadata = description.metadata().into_iter().map(|(key, value)| Entry { key, value });
    let model = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "ballast".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata.collect(),
    };
    model.encode_to_vec()
}

/// The operations of a file under construction.
struct Writer<'a> {
    graph: &'a Graph,
    nodes: Vec<proto::Node>,
    initializers: Vec<proto::Tensor>,
    /// Number of values that have no place in the graph.
    named: usize,
}

impl Writer<'_> {
    fn node(&self, value: Value) -> &Node {
        self.graph.node(value)
    }

    /// The name of a value: weights and constants that are used twice have one more.
    fn name(&self, value: Value) -> String {
        let node = self.node(value);
        match node.op {
            Op::Constant(_) => format!("{}.{}", node.name, value.0),
            _ => node.name.clone(),
        }
    }

    fn names(&self, values: &[Value]) -> Vec<String> {
        values.iter().map(|&value| self.name(value)).collect()
    }

    /// An operation whose result has no name of its own; returns the one it gets.
    fn inner(&mut self, op: &str, inputs: &[String], attributes: Vec<Attribute>) -> String {
        self.named += 1;
        let name = format!("i{}", self.named);
        self.push(op, inputs, std::slice::from_ref(&name), attributes);
        name
    }

    fn push(&mut self, op: &str, inputs: &[String], outputs: &[String], attribute: Vec<Attribute>) {
        let (input, output) = (inputs.to_vec(), outputs.to_vec());
        self.nodes.push(proto::Node { input, output, op_type: op.to_owned(), attribute });
    }

    /// A constant of whole numbers.
    fn whole(&mut self, numbers: Vec<i64>, dims: &[i64]) -> String {
        self.named += 1;
        self.initializer(format!("i{}", self.named), &Numbers::I64(numbers), dims)
    }

    fn initializer(&mut self, name: String, numbers: &Numbers, dims: &[i64]) -> String {
        let (kind, raw_data) = match numbers {
            Numbers::F32(numbers) => {
                (Kind::F32, numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
            Numbers::F64(numbers) => {
                (Kind::F64, numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
            Numbers::I64(numbers) => {
                (Kind::I64, numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
        };
        let (dims, data_type) = (dims.to_vec(), data_type(kind));
        self.initializers.push(proto::Tensor { dims, data_type, name: name.clone(), raw_data });
        name
    }

    /// Removes constants that went into others, as the weights of a GRU do.
    fn leave_out_unused(&mut self) {
        let used: HashSet<&String> = self.nodes.iter().flat_map(|node| &node.input).collect();
        self.initializers.retain(|tensor| used.contains(&tensor.name));
    }

    fn write(&mut self, value: Value) {
        let node = self.node(value).clone();
        let (inputs, out) = (self.names(&node.inputs), self.name(value));
        let first = inputs.first().cloned().unwrap_or_default();
        let one = |writer: &mut Self, op: &str, attributes| {
            writer.push(op, &inputs, std::slice::from_ref(&out), attributes);
        };
        match &node.op {
            Op::Input => {}
            Op::Constant(numbers) => {
                let dims: Vec<i64> = node.shape.iter().map(|dim| dim.known()).collect();
                self.initializer(out, numbers, &dims);
            }
            Op::Unary(how) => one(self, unary(*how), Vec::new()),
            Op::Binary(Binary::FloorDiv) => {
                let rest = self.inner("Mod", &inputs, Vec::new());
                let whole = self.inner("Sub", &[first, rest], Vec::new());
                self.push("Div", &[whole, inputs[1].clone()], &[out], Vec::new());
            }
            Op::Binary(how) => one(self, binary(*how), Vec::new()),
            Op::Where => one(self, "Where", Vec::new()),
            Op::MatMul => one(self, "MatMul", Vec::new()),
            Op::Cast => one(self, "Cast", vec![integer("to", data_type(node.kind).into())]),
            Op::Transpose(order) => {
                let order = order.iter().map(|&axis| axis as i64).collect();
                one(self, "Transpose", vec![integers("perm", order)]);
            }
            &Op::Slice { axis, from, length } => {
                let [from, to, axis] =
                    [from, from + length, axis as i64].map(|number| self.whole(vec![number], &[1]));
                self.push("Slice", &[first, from, to, axis], &[out], Vec::new());
            }
            &Op::Select { axis, index } => {
                let index = self.whole(vec![index], &[]);
                let axis = vec![integer("axis", axis as i64)];
                self.push("Gather", &[first, index], &[out], axis);
            }
            &Op::Concat { axis } => one(self, "Concat", vec![integer("axis", axis as i64)]),
            Op::Flatten { .. } | Op::Unflatten { .. } => {
                let before = self.node(node.inputs[0]).shape.clone();
                let shape = reshaped(&before, &node.shape);
                let dims = [shape.len() as i64];
                let shape = self.whole(shape, &dims);
                self.push("Reshape", &[first, shape], &[out], Vec::new());
            }
            &Op::Unsqueeze { axis } => {
                let axis = self.whole(vec![axis as i64], &[1]);
                self.push("Unsqueeze", &[first, axis], &[out], Vec::new());
            }
            &Op::Repeat { axis, times } => {
                let rank = node.shape.len();
                let sizes = (0..rank).map(|at| if at == axis { times } else { 1 }).collect();
                let sizes = self.whole(sizes, &[rank as i64]);
                self.push("Expand", &[first, sizes], &[out], Vec::new());
            }
            &Op::Reduce { how, axis } => self.reduce(how, axis as i64, first, out),
            Op::Softmax => one(self, "Softmax", vec![integer("axis", -1)]),
            Op::LayerNorm => {
                let epsilon = Attribute {
                    name: "epsilon".to_owned(),
                    f: Some(1e-5),
                    r#type: 1,
                    ..Attribute::default()
                };
                one(self, "LayerNormalization", vec![integer("axis", -1), epsilon]);
            }
            &Op::Conv { dilation, padding } => {
                let attributes =
                    vec![integers("dilations", vec![dilation]), integers("pads", vec![padding, 0])];
                one(self, "Conv", attributes);
            }
            &Op::Gru { layers } => self.gru(&node, layers, out),
            &Op::CumSum { axis } => {
                let axis = self.whole(vec![axis as i64], &[]);
                self.push("CumSum", &[first, axis], &[out], Vec::new());
            }
            Op::Sort => {
                let length = self.inner("Shape", &inputs, vec![integer("end", 1)]);
                let attributes =
                    vec![integer("axis", 0), integer("largest", 0), integer("sorted", 1)];
                self.named += 1;
                let places = format!("i{}", self.named);
                self.push("TopK", &[first, length], &[out, places], attributes);
            }
            Op::Count => {
                let length = self.inner("Shape", &[first], vec![integer("end", 1)]);
                let zero = self.whole(vec![0], &[]);
                let length = self.inner("Gather", &[length, zero], vec![integer("axis", 0)]);
                let to = vec![integer("to", data_type(node.kind).into())];
                self.push("Cast", &[length], &[out], to);
            }
            Op::Take => one(self, "Gather", vec![integer("axis", 0)]),
            Op::ZerosLike => {
                let shape = self.inner("Shape", &[first], Vec::new());
                self.push("ConstantOfShape", &[shape], &[out], Vec::new()); // of f32
            }
        }
    }

    fn reduce(&mut self, how: Reduction, axis: i64, input: String, out: String) {
        let keep = integer("keepdims", 1);
        if how == Reduction::Sum {
            let axis = self.whole(vec![axis], &[1]);
            return self.push("ReduceSum", &[input, axis], &[out], vec![keep]);
        }
        let op = match how {
            Reduction::Mean => "ReduceMean",
            Reduction::Min => "ReduceMin",
            Reduction::Max | Reduction::Sum => "ReduceMax",
        };
        self.push(op, &[input], &[out], vec![integers("axes", vec![axis]), keep]);
    }
}

fn unary(how: Unary) -> &'static str {
    match how {
        Unary::Abs => "Abs",
        Unary::Cos => "Cos",
        Unary::Exp => "Exp",
        Unary::Floor => "Floor",
        Unary::IsNan => "IsNaN",
        Unary::Log => "Log",
        Unary::Neg => "Neg",
        Unary::Not => "Not",
        Unary::Sigmoid => "Sigmoid",
        Unary::Sign => "Sign",
        Unary::Sin => "Sin",
        Unary::Sqrt => "Sqrt",
        Unary::Tanh => "Tanh",
    }
}

fn binary(how: Binary) -> &'static str {
    match how {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div | Binary::FloorDiv => "Div",
        Binary::Max => "Max",
        Binary::Min => "Min",
        Binary::Greater => "Greater",
        Binary::Equal => "Equal",
        Binary::Mod => "Mod",
    }
}

/// The second input of `Reshape`: 0 keeps a free axis at its place, −1 stands for one that moves.
fn reshaped(before: &[Dim], after: &[Dim]) -> Vec<i64> {
    let place = |(axis, dim): (usize, &Dim)| match dim {
        Dim::Known(length) => *length,
        free if before.get(axis) == Some(free) => 0,
        _ => -1,
    };
    after.iter().enumerate().map(place).collect()
}

fn value_info(node: &Node, line: &Line) -> ValueInfo {
    let name = |name: &str| Some(Length::Name(name.to_owned()));
    let dimension = |dim: &Dim| Dimension {
        length: match dim {
            Dim::Known(length) => Some(Length::Value(*length)),
            Dim::Batch => name("batch"),
            Dim::Samples => name("samples"),
            Dim::Rows(_) => None,
        },
    };
    let shape = Some(proto::Shape { dim: node.shape.iter().map(dimension).collect() });
    let tensor_type = Some(TensorType { elem_type: data_type(node.kind), shape });
    ValueInfo {
        name: node.name.clone(),
        r#type: Some(proto::Type { tensor_type }),
        doc_string: line.meaning.clone(),
    }
}

fn data_type(kind: Kind) -> i32 {
    match kind {
        Kind::F32 => 1,
        Kind::I64 => 7,
        Kind::Bool => 9,
        Kind::F64 => 11,
    }
}

fn integer(name: &str, number: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(number), r#type: 2, ..Attribute::default() }
}

fn integers(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { name: name.to_owned(), ints, r#type: 7, ..Attribute::default() }
}
