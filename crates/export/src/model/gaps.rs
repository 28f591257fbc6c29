//! Missing values, as a forecast treats them.

use data::Fill;

use crate::graph::{Binary, Dim, Graph, Kind, Numbers, Unary, Value};

/// Direction in which a gap looks for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Before,
    After,
}

/// Values without the gaps that `fill` closes, `[B, N, W]` in f64, of a network that is not told of gaps. A gap takes the
/// last value before it, or else the next one, or with `interpolate` one between the two; with `error` it stays.
pub(super) fn filled(graph: &mut Graph, values: Value, fill: Fill) -> Value {
    let before = |graph: &mut Graph| carried(graph, values, From::Before);
    match fill {
        Fill::Error => values,
        Fill::Zero => {
            let (missing, zero) = (graph.unary(Unary::IsNan, values), graph.number(0.0, values));
            graph.choose(missing, zero, values)
        }
        Fill::Mask | Fill::Forward => {
            let before = before(graph);
            carried(graph, before, From::After)
        }
        Fill::Interpolate => interpolated(graph, values),
    }
}

/// The last value up to each row that is there; NaN before the first.
pub(super) fn last_known(graph: &mut Graph, values: Value) -> Value {
    carried(graph, values, From::Before)
}

/// Gaps closed from one side, in as many steps as the window has binary digits.
fn carried(graph: &mut Graph, values: Value, from: From) -> Value {
    let rows = graph.shape(values)[1].known();
    let (mut values, mut distance) = (values, 1);
    while distance < rows {
        let moved = shifted(graph, values, from, distance);
        let missing = graph.unary(Unary::IsNan, values);
        values = graph.choose(missing, moved, values);
        distance *= 2;
    }
    values
}

/// Rows moved by `distance`; the rows at the end that this leaves free keep their values.
fn shifted(graph: &mut Graph, values: Value, from: From, distance: i64) -> Value {
    let rows = graph.shape(values)[1].known();
    match from {
        From::Before => {
            let kept = graph.slice(values, 1, 0, distance);
            let moved = graph.slice(values, 1, 0, rows - distance);
            graph.concat(&[kept, moved], 1)
        }
        From::After => {
            let moved = graph.slice(values, 1, distance, rows - distance);
            let kept = graph.slice(values, 1, rows - distance, distance);
            graph.concat(&[moved, kept], 1)
        }
    }
}

/// Values on the line between the neighbors of a gap, rounded to f32; at an end the only neighbor.
fn interpolated(graph: &mut Graph, values: Value) -> Value {
    let rows = graph.shape(values)[1].known();
    let missing = graph.unary(Unary::IsNan, values);
    let count = (0..rows).map(|row| row as f64).collect();
    let count = graph.constant(Numbers::F64(count), &[rows, 1]);
    let nothing = graph.number(f64::NAN, values);
    let place = graph.choose(missing, nothing, count);
    let [(from, start), (to, end)] = [From::Before, From::After]
        .map(|side| (carried(graph, values, side), carried(graph, place, side)));
    let (rise, run) = (graph.sub(to, from), graph.sub(end, start));
    let here = graph.sub(count, start);
    let share = graph.div(here, run);
    let part = graph.mul(share, rise);
    let line = graph.add(from, part);
    let single = graph.cast(line, Kind::F32);
    let line = graph.cast(single, Kind::F64);
    let [after, before] = [to, from].map(|side| graph.unary(Unary::IsNan, side));
    let line = graph.choose(after, from, line);
    let line = graph.choose(before, to, line);
    graph.choose(missing, line, values)
}

/// Products up to each place of an axis, in as many steps as it has binary digits.
pub(super) fn cumulative_product(graph: &mut Graph, factors: Value, axis: usize) -> Value {
    let length = graph.shape(factors)[axis].known();
    let (mut products, mut distance) = (factors, 1);
    while distance < length {
        let first = graph.slice(products, axis, 0, distance);
        let before = graph.slice(products, axis, 0, length - distance);
        let after = graph.slice(products, axis, distance, length - distance);
        let longer = graph.binary(Binary::Mul, after, before);
        products = graph.concat(&[first, longer], axis);
        distance *= 2;
    }
    debug_assert_eq!(graph.shape(products)[axis], Dim::Known(length));
    products
}
