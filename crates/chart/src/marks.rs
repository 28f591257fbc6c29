//! The marks of a chart, in data units.

use crate::Color;

/// A mark drawn in the plot.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) color: Option<Color>,
    pub(crate) dashed: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Line(Vec<(f64, f64)>),
    /// The value at `x_i` holds until `x_{i+1}`.
    Step(Vec<(f64, f64)>),
    /// `(x, low, high)`.
    Band(Vec<(f64, f64, f64)>),
    Points {
        at: Vec<(f64, f64)>,
        error: ErrorBars,
    },
    /// `(left, right, height)`.
    Bars(Vec<(f64, f64, f64)>),
    HorizontalRule(f64),
    VerticalRule(f64),
}

#[derive(Debug, Clone, Default)]
pub(crate) enum ErrorBars {
    #[default]
    None,
    X(Vec<f64>),
    Y(Vec<f64>),
}

impl Shape {
    /// Every x that the axis has to cover.
    pub(crate) fn xs(&self) -> Vec<f64> {
        match self {
            Shape::Line(at) | Shape::Step(at) => finite_pairs(at).map(|p| p.0).collect(),
            Shape::Band(at) => at.iter().map(|p| p.0).collect(),
            Shape::Points { at, error } => {
                let errors = if let ErrorBars::X(errors) = error { errors.as_slice() } else { &[] };
                with_errors(at.iter().map(|p| p.0), errors)
            }
            Shape::Bars(bars) => bars.iter().flat_map(|b| [b.0, b.1]).collect(),
            Shape::VerticalRule(x) => vec![*x],
            Shape::HorizontalRule(_) => Vec::new(),
        }
    }

    /// Every y that the axis has to cover; for bars also zero, where they start.
    pub(crate) fn ys(&self) -> Vec<f64> {
        match self {
            Shape::Line(at) | Shape::Step(at) => finite_pairs(at).map(|p| p.1).collect(),
            Shape::Band(at) => at.iter().flat_map(|p| [p.1, p.2]).collect(),
            Shape::Points { at, error } => {
                let errors = if let ErrorBars::Y(errors) = error { errors.as_slice() } else { &[] };
                with_errors(at.iter().map(|p| p.1), errors)
            }
            Shape::Bars(bars) => bars.iter().flat_map(|b| [0.0, b.2]).collect(),
            Shape::HorizontalRule(y) => vec![*y],
            Shape::VerticalRule(_) => Vec::new(),
        }
    }

    /// Its name in the automatic description.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Shape::Line(_) | Shape::Step(_) => "line",
            Shape::Band(_) => "band",
            Shape::Points { .. } => "points",
            Shape::Bars(_) => "bars",
            Shape::HorizontalRule(_) => "horizontal rule",
            Shape::VerticalRule(_) => "vertical rule",
        }
    }
}

fn finite_pairs(at: &[(f64, f64)]) -> impl Iterator<Item = &(f64, f64)> {
    at.iter().filter(|p| p.0.is_finite() && p.1.is_finite())
}

fn with_errors(values: impl Iterator<Item = f64>, errors: &[f64]) -> Vec<f64> {
    let finite = |e: &f64| if e.is_finite() { e.abs() } else { 0.0 };
    values
        .enumerate()
        .flat_map(|(i, v)| {
            let error = errors.get(i).map_or(0.0, finite);
            [v - error, v + error]
        })
        .collect()
}
