//! The graph as TorchScript: libtorch records it while it runs.

use tch::{CModule, Device, Tensor, no_grad};
use train::TrainError;

use crate::graph::{Binary, Dim, Graph, Kind, Node, Numbers, Op, Reduction, Unary, Value};

/// The graph up to its first output, the samples, recorded: a recording has one output.
///
/// # Errors
/// [`TrainError::Feed`] if libtorch fails.
pub(crate) fn traced(graph: &Graph) -> Result<CModule, TrainError> {
    let program = Program::new(graph)?;
    let example = example(graph)?;
    // Once without recording: an error within it would leave libtorch in the middle.
    let samples = graph.outputs[..1].to_vec();
    no_grad(|| program.run(&example, &samples))?;
    let mut failed = None;
    let mut run = |inputs: &[Tensor]| match no_grad(|| program.run(inputs, &samples)) {
        Ok(outputs) => outputs,
        Err(error) => {
            failed = Some(error);
            Vec::new()
        }
    };
    let module = CModule::create_by_tracing("Forecast", "forward", &example, &mut run);
    match failed {
        Some(error) => Err(error),
        None => Ok(module?),
    }
}

/// A graph with its constants as tensors.
pub(crate) struct Program<'a> {
    graph: &'a Graph,
    constants: Vec<Option<Tensor>>,
}

impl<'a> Program<'a> {
    pub(crate) fn new(graph: &'a Graph) -> Result<Program<'a>, TrainError> {
        let constants = graph.nodes.iter().map(|node| match &node.op {
            Op::Constant(numbers) => tensor(numbers, node).map(Some),
            _ => Ok(None),
        });
        Ok(Program { graph, constants: constants.collect::<Result<_, _>>()? })
    }

    /// Some values for these inputs, which are in the order of the graph.
    pub(crate) fn run(
        &self,
        inputs: &[Tensor],
        wanted: &[Value],
    ) -> Result<Vec<Tensor>, TrainError> {
        let last = wanted.iter().map(|value| value.0 + 1).max().unwrap_or(0);
        let mut values: Vec<Tensor> = Vec::with_capacity(last);
        for (index, node) in self.graph.nodes[..last].iter().enumerate() {
            let at = |input: usize| &values[node.inputs[input].0];
            let value = match (&node.op, &self.constants[index]) {
                (_, Some(constant)) => constant.shallow_clone(),
                (Op::Input, _) => {
                    let place = self.graph.inputs.iter().position(|input| input.0 == index);
                    inputs[place.unwrap_or_default()].shallow_clone()
                }
                (Op::Concat { axis }, _) => {
                    let parts: Vec<&Tensor> =
                        node.inputs.iter().map(|input| &values[input.0]).collect();
                    Tensor::f_cat(&parts, *axis as i64)?
                }
                (Op::Gru { layers }, _) => {
                    let weights: Vec<&Tensor> =
                        node.inputs[2..].iter().map(|input| &values[input.0]).collect();
                    let layers = *layers as i64;
                    let (_, last) =
                        at(0).f_gru(at(1), &weights, true, layers, 0.0, false, false, true)?;
                    last.f_select(0, layers - 1)?
                }
                (Op::Unary(how), _) => unary(*how, at(0))?,
                (Op::Binary(how), _) => binary(*how, at(0), at(1))?,
                (Op::Where, _) => at(1).f_where_self(at(0), at(2))?,
                (Op::MatMul, _) => at(0).f_matmul(at(1))?,
                (Op::LayerNorm, _) => {
                    let width = node.shape.last().map_or(1, |dim| dim.known());
                    at(0).f_layer_norm([width], Some(at(1)), Some(at(2)), 1e-5, true)?
                }
                (Op::Conv { dilation, padding }, _) => at(0)
                    .f_constant_pad_nd([*padding, 0])?
                    .f_conv1d(at(1), Some(at(2)), 1, 0, *dilation, 1)?,
                (Op::Take, _) => at(0).f_index_select(0, at(1))?,
                (op, _) => of_one(op, node, at(0))?,
            };
            values.push(value);
        }
        Ok(wanted.iter().map(|output| values[output.0].shallow_clone()).collect())
    }
}

/// Operations on the axes of one tensor.
fn of_one(op: &Op, node: &Node, input: &Tensor) -> Result<Tensor, TrainError> {
    Ok(match op {
        Op::Cast => input.f_to_kind(kind(node.kind))?,
        Op::Transpose(order) => {
            let order: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
            input.f_permute(order.as_slice())?
        }
        &Op::Slice { axis, from, length } => input.f_narrow(axis as i64, from, length)?,
        &Op::Select { axis, index } => input.f_select(axis as i64, index)?,
        &Op::Flatten { from, to } => input.f_flatten(from as i64, to as i64)?,
        Op::Unflatten { axis, sizes } => input.f_unflatten(*axis as i64, sizes.as_slice())?,
        &Op::Unsqueeze { axis } => input.f_unsqueeze(axis as i64)?,
        &Op::Repeat { axis, times } => {
            let sizes: Vec<i64> =
                (0..node.shape.len()).map(|at| if at == axis { times } else { -1 }).collect();
            input.f_expand(sizes.as_slice(), false)?
        }
        &Op::Reduce { how, axis } => {
            let along = [axis as i64];
            match how {
                Reduction::Sum => {
                    input.f_sum_dim_intlist(Some(along.as_slice()), true, input.kind())?
                }
                Reduction::Mean => input.f_mean_dim(Some(along.as_slice()), true, None)?,
                Reduction::Min => input.f_amin(along.as_slice(), true)?,
                Reduction::Max => input.f_amax(along.as_slice(), true)?,
            }
        }
        Op::Softmax => input.f_softmax(-1, input.kind())?,
        &Op::CumSum { axis } => input.f_cumsum(axis as i64, input.kind())?,
        Op::Sort => input.f_sort(0, false)?.0,
        // Not by its size, which would be recorded as a number.
        Op::Count => {
            let first = input.f_flatten(1, -1)?.f_select(1, 0)?;
            first.f_ones_like()?.f_sum(tch::Kind::Double)?
        }
        Op::ZerosLike => input.f_zeros_like()?,
        other => unreachable!("{other:?} has its own branch"),
    })
}

fn unary(how: Unary, input: &Tensor) -> Result<Tensor, TrainError> {
    Ok(match how {
        Unary::Abs => input.f_abs()?,
        Unary::Cos => input.f_cos()?,
        Unary::Exp => input.f_exp()?,
        Unary::Floor => input.f_floor()?,
        Unary::IsNan => input.f_isnan()?,
        Unary::Log => input.f_log()?,
        Unary::Neg => input.f_neg()?,
        Unary::Not => input.f_logical_not()?,
        Unary::Sigmoid => input.f_sigmoid()?,
        Unary::Sign => input.f_sign()?,
        Unary::Sin => input.f_sin()?,
        Unary::Sqrt => input.f_sqrt()?,
        Unary::Tanh => input.f_tanh()?,
    })
}

fn binary(how: Binary, left: &Tensor, right: &Tensor) -> Result<Tensor, TrainError> {
    Ok(match how {
        Binary::Add => left.f_add(right)?,
        Binary::Sub => left.f_sub(right)?,
        Binary::Mul => left.f_mul(right)?,
        Binary::Div => left.f_div(right)?,
        Binary::Max => left.f_maximum(right)?,
        Binary::Min => left.f_minimum(right)?,
        Binary::Greater => left.f_gt_tensor(right)?,
        Binary::Equal => left.f_eq_tensor(right)?,
        Binary::FloorDiv => left.f_floor_divide(right)?,
        Binary::Mod => left.f_remainder_tensor(right)?,
    })
}

/// Inputs of two windows and three samples, with every number one.
fn example(graph: &Graph) -> Result<Vec<Tensor>, TrainError> {
    let ones = |&input: &Value| {
        let node = graph.node(input);
        let sizes: Vec<i64> = node
            .shape
            .iter()
            .map(|dim| match dim {
                Dim::Known(length) => *length,
                Dim::Batch => 2,
                Dim::Samples => 3,
                Dim::Rows(rows) => 2 * rows,
            })
            .collect();
        Ok(Tensor::f_ones(sizes.as_slice(), (kind(node.kind), Device::Cpu))?)
    };
    graph.inputs.iter().map(ones).collect()
}

fn tensor(numbers: &Numbers, node: &Node) -> Result<Tensor, TrainError> {
    let flat = match numbers {
        Numbers::F32(numbers) => Tensor::f_from_slice(numbers)?,
        Numbers::F64(numbers) => Tensor::f_from_slice(numbers)?,
        Numbers::I64(numbers) => Tensor::f_from_slice(numbers)?,
    };
    let sizes: Vec<i64> = node.shape.iter().map(|dim| dim.known()).collect();
    Ok(flat.f_view(sizes.as_slice())?)
}

fn kind(kind: Kind) -> tch::Kind {
    match kind {
        Kind::F32 => tch::Kind::Float,
        Kind::F64 => tch::Kind::Double,
        Kind::I64 => tch::Kind::Int64,
        Kind::Bool => tch::Kind::Bool,
    }
}
