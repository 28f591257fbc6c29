//! The description of a chart.

use crate::axis::Kind;
use crate::color::Color;
use crate::marks::{ErrorBars, Mark, Shape};

/// A chart under construction; [`Chart::render`] turns it into SVG.
///
/// Marks are drawn in the order they are added. Those with a name get an entry in the legend,
/// a row above the plot that never covers data; marks of the same name share entry and color.
/// [`color`](Chart::color) and [`dashed`](Chart::dashed) change the mark added last.
///
/// Nothing here fails: where sequences differ in length, the surplus is ignored, and a value that
/// is not finite (or not positive on a logarithmic axis) leaves a gap.
#[derive(Debug, Clone)]
pub struct Chart {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) marks: Vec<Mark>,
}

#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) range: Option<(f64, f64)>,
}

impl Chart {
    /// An empty chart of 440 × 300 units; small, so that its text stays legible on a phone.
    pub fn new(title: impl Into<String>) -> Self {
        let axis = || Axis { label: String::new(), kind: Kind::Linear, range: None };
        Chart {
            title: title.into(),
            description: None,
            id: None,
            width: 440.0,
            height: 300.0,
            x: axis(),
            y: axis(),
            marks: Vec::new(),
        }
    }

    /// Sets the text alternative; the default lists axes and marks.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Sets the prefix of the identifiers inside the SVG. The default is a hash of the content, so
    /// only a page that shows the same chart twice needs another.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Size in SVG units, clamped to 200..=4000; text is 12 to 15 units high. The chart grows
    /// taller where title and legend would leave no room for the plot.
    pub fn size(mut self, width: f64, height: f64) -> Self {
        let sane = |v: f64| if v.is_finite() { v.clamp(200.0, 4000.0) } else { 300.0 };
        (self.width, self.height) = (sane(width), sane(height));
        self
    }

    /// Label of the x axis, with its unit.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x.label = label.into();
        self
    }

    /// Label of the y axis, with its unit.
    pub fn y(mut self, label: impl Into<String>) -> Self {
        self.y.label = label.into();
        self
    }

    /// Makes the x axis logarithmic.
    pub fn x_log(mut self) -> Self {
        self.x.kind = Kind::Log;
        self
    }

    /// Makes the y axis logarithmic.
    pub fn y_log(mut self) -> Self {
        self.y.kind = Kind::Log;
        self
    }

    /// Fixes the ends of the x axis; marks beyond are cut off.
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x.range = Some((low, high));
        self
    }

    /// Fixes the ends of the y axis; marks beyond are cut off.
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y.range = Some((low, high));
        self
    }

    /// Names along the x axis; item `i` lies at x = `i`, in a slot of its own.
    pub fn x_categories<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.x.kind = Kind::Categories(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Names along the y axis, first on top; item `i` lies at y = `i`.
    pub fn y_categories<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.y.kind = Kind::Categories(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Ordered labels such as dates along the x axis; item `i` lies at x = `i`, and labels that
    /// do not fit are left out.
    pub fn x_sequence<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.x.kind = Kind::Sequence(labels.into_iter().map(Into::into).collect());
        self
    }

    /// A line through the points.
    pub fn line(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        self.mark(name, Shape::Line(pairs(xs, ys)))
    }

    /// A line of steps: the value at `xs[i]` holds until `xs[i + 1]`.
    pub fn step(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        self.mark(name, Shape::Step(pairs(xs, ys)))
    }

    /// A translucent band between `low` and `high`; several nested ones make a fan.
    pub fn band(self, name: impl Into<String>, xs: &[f64], low: &[f64], high: &[f64]) -> Self {
        let band = xs.iter().zip(low).zip(high).map(|((x, low), high)| (*x, *low, *high));
        self.mark(name, Shape::Band(band.collect()))
    }

    /// Points, with a shape for each color.
    pub fn points(self, name: impl Into<String>, xs: &[f64], ys: &[f64]) -> Self {
        self.mark(name, Shape::Points { at: pairs(xs, ys), error: ErrorBars::None })
    }

    /// Points with horizontal error bars, `xs[i] ± errors[i]`; no bar where the error is NaN.
    pub fn points_error_x(
        self,
        name: impl Into<String>,
        xs: &[f64],
        ys: &[f64],
        errors: &[f64],
    ) -> Self {
        let error = ErrorBars::X(errors.to_vec());
        self.mark(name, Shape::Points { at: pairs(xs, ys), error })
    }

    /// Points with vertical error bars, `ys[i] ± errors[i]`; no bar where the error is NaN.
    pub fn points_error_y(
        self,
        name: impl Into<String>,
        xs: &[f64],
        ys: &[f64],
        errors: &[f64],
    ) -> Self {
        let error = ErrorBars::Y(errors.to_vec());
        self.mark(name, Shape::Points { at: pairs(xs, ys), error })
    }

    /// Bars from zero, centered on `xs` and as wide as 0.8 of their smallest distance (or 0.8).
    pub fn bars(self, name: impl Into<String>, xs: &[f64], heights: &[f64]) -> Self {
        let mut sorted: Vec<f64> = xs.iter().copied().filter(|x| x.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let gaps = sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0);
        let half = 0.4 * gaps.reduce(f64::min).unwrap_or(1.0);
        let bars = xs.iter().zip(heights).map(|(x, height)| (x - half, x + half, *height));
        self.mark(name, Shape::Bars(bars.collect()))
    }

    /// A histogram: bar `i` spans `edges[i]..edges[i + 1]`, so there is one more edge than heights.
    pub fn histogram(self, name: impl Into<String>, edges: &[f64], heights: &[f64]) -> Self {
        let bars = edges.windows(2).zip(heights).map(|(edge, height)| (edge[0], edge[1], *height));
        self.mark(name, Shape::Bars(bars.collect()))
    }

    /// A horizontal reference line.
    pub fn horizontal_rule(self, name: impl Into<String>, y: f64) -> Self {
        self.mark(name, Shape::HorizontalRule(y)).color(Color::Muted).dashed()
    }

    /// A vertical reference line.
    pub fn vertical_rule(self, name: impl Into<String>, x: f64) -> Self {
        self.mark(name, Shape::VerticalRule(x)).color(Color::Muted).dashed()
    }

    /// Colors the mark added last.
    pub fn color(mut self, color: Color) -> Self {
        if let Some(mark) = self.marks.last_mut() {
            mark.color = Some(color);
        }
        self
    }

    /// Dashes the line added last.
    pub fn dashed(mut self) -> Self {
        if let Some(mark) = self.marks.last_mut() {
            mark.dashed = true;
        }
        self
    }

    fn mark(mut self, name: impl Into<String>, shape: Shape) -> Self {
        self.marks.push(Mark { name: name.into(), shape, color: None, dashed: false });
        self
    }
}

fn pairs(xs: &[f64], ys: &[f64]) -> Vec<(f64, f64)> {
    xs.iter().copied().zip(ys.iter().copied()).collect()
}
