//! The most likely parameters and first states of a form.

use super::filter::{self, Gradient, State, Tape};
use super::form::{Form, Kind, Trend, Weights};
use crate::descend::descend;
use crate::season;

/// Seasons above this keep their first states from the decomposition.
const SEARCHED: usize = 24;

/// Steps of the search.
const STEPS: usize = 80;

/// Rows that give the first level and slope.
const FIRST: usize = 10;

/// Losses that differ less belong to the same maximum.
const SAME: f64 = 0.05;

/// Weights α, β and γ / (1 − α) from which the search may start, once with a calm season and once with a moving one:
/// the likelihood often has a maximum of either kind.
const STARTS: [&[(f64, f64, f64)]; 2] = [
    &[(0.1, 0.01, 0.1), (0.3, 0.05, 0.1), (0.6, 0.05, 0.2), (0.6, 0.3, 0.1), (0.9, 0.1, 0.05)],
    &[(0.1, 0.01, 0.6), (0.3, 0.05, 0.4), (0.3, 0.05, 0.8)],
];

/// The first state of a form by decomposition: seasonal indices, and a line through the first rows without them.
pub(super) fn first(form: Form, season: usize, values: &[f64]) -> Option<State> {
    let multiplied = form.season == Kind::Multiplicative;
    let indices = match form.season {
        Kind::None => vec![if multiplied { 1.0 } else { 0.0 }],
        _ => season::indices(values, season, multiplied)?,
    };
    let size = indices.len();
    let off = |(row, value): (usize, &f64)| {
        let index = indices[row % size];
        (row as f64 + 1.0, if multiplied { value / index } else { value - index })
    };
    let rows = values.iter().enumerate().map(off).filter(|(_, value)| value.is_finite());
    let rows: Vec<(f64, f64)> = rows.take(FIRST.max(size)).collect();
    let count = rows.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| rows.iter().map(of).sum::<f64>() / count;
    let (time, center) = (mean(|row| row.0), mean(|row| row.1));
    let spread: f64 = rows.iter().map(|row| (row.0 - time).powi(2)).sum();
    let product: f64 = rows.iter().map(|row| (row.0 - time) * (row.1 - center)).sum();
    let slope = if form.has_trend() && spread > 0.0 { product / spread } else { 0.0 };
    let mut level = center - slope * time;
    if (form.relative || multiplied) && level <= 0.0 {
        level = 0.5 * center;
    }
    Some(State { level, slope, season: indices, next: 0 })
}

/// The parameters as one vector: unbounded weights, level, slope, and all seasonal states but the last.
struct Vector {
    form: Form,
    searched: bool,
    base: State,
}

impl Vector {
    fn pack(&self, weights: Weights) -> Vec<f64> {
        let mut x = self.form.unbounded(weights);
        x.push(self.base.level);
        if self.form.has_trend() {
            x.push(self.base.slope);
        }
        if self.searched {
            x.extend(&self.base.season[..self.base.season.len() - 1]);
        }
        x
    }

    fn unpack(&self, x: &[f64], state: &mut State) -> Weights {
        let mut rest = x[self.form.weights()..].iter();
        state.level = *rest.next().unwrap_or(&0.0);
        if self.form.has_trend() {
            state.slope = *rest.next().unwrap_or(&0.0);
        }
        if self.searched {
            let size = state.season.len();
            let total = if self.form.season == Kind::Multiplicative { size as f64 } else { 0.0 };
            let mut sum = 0.0;
            for (index, value) in state.season.iter_mut().zip(rest) {
                *index = *value;
                sum += value;
            }
            state.season[size - 1] = total - sum;
        }
        self.form.bounded(&x[..self.form.weights()])
    }

    fn chain(&self, x: &[f64], by: &Gradient, out: &mut [f64]) {
        let count = self.form.weights();
        self.form.chain(&x[..count], by.weights, &mut out[..count]);
        let mut rest = out[count..].iter_mut();
        let mut put = |value: f64| {
            if let Some(slot) = rest.next() {
                *slot = value;
            }
        };
        put(by.level);
        if self.form.has_trend() {
            put(by.slope);
        }
        if self.searched {
            let last = by.season[by.season.len() - 1];
            by.season[..by.season.len() - 1].iter().for_each(|value| put(value - last));
        }
    }
}

/// Weights and first states of a form at the maxima of the likelihood, and the loss there, from each kind of start.
pub(super) fn fit(form: Form, season: usize, values: &[f64]) -> Vec<(Weights, State, f64)> {
    let Some(base) = first(form, season, values) else { return Vec::new() };
    let searched = form.has_season() && base.season.len() <= SEARCHED;
    let vector = Vector { form, searched, base };
    let mut state = vector.base.clone();
    let mut tape = Tape::default();
    let mut gradient = Gradient::default();
    let mut loss = |x: &[f64], out: &mut [f64]| {
        let weights = vector.unpack(x, &mut state);
        let found = tape.loss(form, weights, &state, values, &mut gradient);
        if found.is_finite() {
            vector.chain(x, &gradient, out);
        }
        found
    };
    let starts = if form.has_season() { &STARTS[..] } else { &STARTS[..1] };
    let mut found: Vec<(Weights, State, f64)> = Vec::new();
    for group in starts {
        let Some(weights) = start(form, &vector.base, values, group) else { continue };
        let (x, value) = descend(&mut loss, &vector.pack(weights), STEPS);
        let mut state = vector.base.clone();
        let weights = vector.unpack(&x, &mut state);
        if value < f64::MAX && found.iter().all(|other| (other.2 - value).abs() > SAME) {
            found.push((weights, state, value));
        }
    }
    found
}

/// The likeliest of the starts; `None` where none has a finite loss.
fn start(form: Form, base: &State, values: &[f64], group: &[(f64, f64, f64)]) -> Option<Weights> {
    let weights = group.iter().map(|(alpha, beta, gamma)| Weights {
        alpha: *alpha,
        beta: if form.has_trend() { *beta } else { 0.0 },
        gamma: if form.has_season() { gamma * (1.0 - alpha) } else { 0.0 },
        phi: match form.trend {
            Trend::None => 0.0,
            Trend::Additive => 1.0,
            Trend::Damped => 0.95,
        },
    });
    weights
        .map(|weights| (weights, filter::run(form, weights, base, values).loss))
        .filter(|(_, loss)| loss.is_finite())
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(weights, _)| weights)
}
