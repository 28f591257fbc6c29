//! Marks drawn into the plot and cut off at its edges.

use std::fmt::Write as _;

use super::layout::Layout;
use crate::axis::brief;
use crate::color::{Color, paint};
use crate::marks::{ErrorBars, Mark, Shape};
use crate::svg::{escape, number, points};

type Point = (f64, f64);

/// Draws one mark.
pub(super) fn mark(mark: &Mark, color: Color, layout: &Layout, out: &mut String) {
    match &mark.shape {
        Shape::Line(at) => {
            let pixels = at.iter().map(|p| pixel(layout, *p)).collect::<Vec<_>>();
            line(&pixels, mark, color, layout, out);
        }
        Shape::Step(at) => {
            let mut pixels: Vec<Option<Point>> = Vec::new();
            for p in at {
                let next = pixel(layout, *p);
                if let (Some(next), Some(Some(last))) = (next, pixels.last()) {
                    pixels.push(Some((next.0, last.1)));
                }
                pixels.push(next);
            }
            line(&pixels, mark, color, layout, out);
        }
        Shape::Band(at) => band(at, color, layout, out),
        Shape::Points { at, error } => {
            let _ = writeln!(out, "<g>");
            for (i, p) in at.iter().enumerate() {
                point(*p, i, error, mark, color, layout, out);
            }
            let _ = writeln!(out, "</g>");
        }
        Shape::Bars(bars) => {
            for bar_at in bars {
                bar(*bar_at, mark, color, layout, out);
            }
        }
        Shape::HorizontalRule(y) => {
            if let Some(y) = layout.y.pixel(*y) {
                line(&[Some((layout.left, y)), Some((layout.right, y))], mark, color, layout, out);
            }
        }
        Shape::VerticalRule(x) => {
            if let Some(x) = layout.x.pixel(*x) {
                line(&[Some((x, layout.top)), Some((x, layout.bottom))], mark, color, layout, out);
            }
        }
    }
}

/// Draws the swatch of a legend entry, 20 wide, around the height `y`.
pub(super) fn swatch(mark: &Mark, color: Color, x: f64, y: f64, out: &mut String) {
    match &mark.shape {
        Shape::Line(_) | Shape::Step(_) | Shape::HorizontalRule(_) | Shape::VerticalRule(_) => {
            polyline(&[(x, y), (x + 20.0, y)], mark, color, out);
        }
        Shape::Band(_) | Shape::Bars(_) => {
            let _ = writeln!(
                out,
                "<rect {} fill-opacity=\"{}\" x=\"{}\" y=\"{}\" width=\"20\" height=\"10\"/>",
                paint(color, true),
                if matches!(mark.shape, Shape::Band(_)) { BAND_OPACITY + 0.1 } else { BAR_OPACITY },
                number(x),
                number(y - 5.0),
            );
        }
        Shape::Points { .. } => symbol((x + 10.0, y), color, out),
    }
}

const BAND_OPACITY: f64 = 0.25;
const BAR_OPACITY: f64 = 0.85;

fn pixel(layout: &Layout, (x, y): Point) -> Option<Point> {
    Some((layout.x.pixel(x)?, layout.y.pixel(y)?))
}

fn inside(layout: &Layout, (x, y): Point) -> bool {
    let slack = 1e-6;
    x >= layout.left - slack
        && x <= layout.right + slack
        && y >= layout.top - slack
        && y <= layout.bottom + slack
}

/// One polyline per stretch without a gap that lies inside the plot.
fn line(pixels: &[Option<Point>], mark: &Mark, color: Color, layout: &Layout, out: &mut String) {
    for run in pixels.split(Option::is_none) {
        let run: Vec<Point> = run.iter().copied().flatten().collect();
        // A value between two gaps would be invisible as a line of one point.
        if let [alone] = run.as_slice()
            && inside(layout, *alone)
        {
            symbol(*alone, color, out);
        }
        let mut stretch: Vec<Point> = Vec::new();
        for pair in run.windows(2) {
            let Some((from, to)) = clip(pair[0], pair[1], layout) else { continue };
            if stretch.last() != Some(&from) {
                polyline(&stretch, mark, color, out);
                stretch = vec![from];
            }
            stretch.push(to);
        }
        polyline(&stretch, mark, color, out);
    }
}

/// The part of a segment inside the plot (Liang & Barsky 1984).
fn clip(a: Point, b: Point, layout: &Layout) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    let edges = [
        (-dx, a.0 - layout.left),
        (dx, layout.right - a.0),
        (-dy, a.1 - layout.top),
        (dy, layout.bottom - a.1),
    ];
    for (p, q) in edges {
        if p == 0.0 {
            if q < -1e-6 {
                return None;
            }
        } else if p < 0.0 {
            enter = enter.max(q / p);
        } else {
            leave = leave.min(q / p);
        }
    }
    let at = |f: f64| (f.mul_add(dx, a.0), f.mul_add(dy, a.1));
    let from = if enter == 0.0 { a } else { at(enter) };
    let to = if leave == 1.0 { b } else { at(leave) };
    (enter <= leave).then_some((from, to))
}

fn polyline(stretch: &[Point], mark: &Mark, color: Color, out: &mut String) {
    if stretch.is_empty() {
        return;
    }
    let dash = if mark.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    let thin = matches!(mark.shape, Shape::HorizontalRule(_) | Shape::VerticalRule(_));
    let _ = writeln!(
        out,
        "<polyline {} stroke-width=\"{}\" stroke-linejoin=\"round\"{dash} points=\"{}\"/>",
        paint(color, false),
        if thin { 1.25 } else { 2.0 },
        points(stretch),
    );
}

/// One polygon per unbroken stretch; its edges are cut where they leave the plot vertically.
fn band(at: &[(f64, f64, f64)], color: Color, layout: &Layout, out: &mut String) {
    let mut stretch: Vec<(f64, f64, f64)> = Vec::new();
    let mut finish = |stretch: &mut Vec<(f64, f64, f64)>| {
        if stretch.len() > 1 {
            let upper = stretch.iter().map(|p| (p.0, p.2));
            let lower = stretch.iter().rev().map(|p| (p.0, p.1));
            let polygon: Vec<Point> = upper.chain(lower).collect();
            let _ = writeln!(
                out,
                "<polygon {} fill-opacity=\"{BAND_OPACITY}\" points=\"{}\"/>",
                paint(color, true),
                points(&polygon),
            );
        }
        stretch.clear();
    };
    for (x, low, high) in at {
        let low = layout.y.pixel(*low).map(|y| y.clamp(layout.top, layout.bottom));
        let high = layout.y.pixel(*high).map(|y| y.clamp(layout.top, layout.bottom));
        match (layout.x.pixel(*x), low, high) {
            (Some(x), Some(low), Some(high)) if inside(layout, (x, low)) => {
                stretch.push((x, low, high));
            }
            _ => finish(&mut stretch),
        }
    }
    finish(&mut stretch);
}

fn point(
    at: Point,
    index: usize,
    error: &ErrorBars,
    mark: &Mark,
    color: Color,
    layout: &Layout,
    out: &mut String,
) {
    let Some(center) = pixel(layout, at).filter(|p| inside(layout, *p)) else { return };
    let (errors, horizontal) = match error {
        ErrorBars::None => (&[][..], false),
        ErrorBars::X(errors) => (errors.as_slice(), true),
        ErrorBars::Y(errors) => (errors.as_slice(), false),
    };
    let size = errors.get(index).copied().filter(|e| e.is_finite() && *e != 0.0).map(f64::abs);
    let value = if horizontal { at.0 } else { at.1 };
    let mut tip = format!("{} ", mark.name).trim_start().to_owned() + &brief(value);
    if let Some(size) = size {
        error_bar(at, size, horizontal, color, layout, out);
        let _ = write!(tip, " ± {}", brief(size));
    }
    let _ = write!(out, "<g><title>{}</title>", escape(&tip));
    symbol(center, color, out);
    let _ = writeln!(out, "</g>");
}

/// A bar with caps, cut at the plot's edge, where it has no cap.
fn error_bar(
    at: Point,
    size: f64,
    horizontal: bool,
    color: Color,
    layout: &Layout,
    out: &mut String,
) {
    let scale = if horizontal { layout.x } else { layout.y };
    let value = if horizontal { at.0 } else { at.1 };
    let Some((cx, cy)) = pixel(layout, at) else { return };
    let (low, high) = scale.pixels();
    // A logarithmic axis has no place for value − size ≤ 0: the bar runs to the edge.
    let ends = [value - size, value + size].map(|v| scale.pixel(v).unwrap_or(scale.base()));
    let mut path = String::new();
    let mut segment = |a: Point, b: Point| {
        let ends = [a.0, a.1, b.0, b.1].map(number);
        let _ = write!(path, "M{},{}L{},{}", ends[0], ends[1], ends[2], ends[3]);
    };
    let place = |along: f64, across: f64| {
        if horizontal { (along, cy + across) } else { (cx + across, along) }
    };
    segment(place(ends[0].clamp(low, high), 0.0), place(ends[1].clamp(low, high), 0.0));
    for end in ends.into_iter().filter(|end| (low..=high).contains(end)) {
        segment(place(end, -4.0), place(end, 4.0));
    }
    let _ = writeln!(out, "<path {} stroke-width=\"1.5\" d=\"{path}\"/>", paint(color, false));
}

/// Circle, square, triangle or diamond: shapes distinguish marks where color does not.
fn symbol(center: Point, color: Color, out: &mut String) {
    let (x, y) = center;
    let corners: &[Point] = match color {
        Color::Vermillion | Color::Sky => &[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)],
        Color::Green | Color::Ink => &[(0.0, -5.5), (5.0, 4.0), (-5.0, 4.0)],
        Color::Purple | Color::Orange => &[(0.0, -5.5), (5.5, 0.0), (0.0, 5.5), (-5.5, 0.0)],
        Color::Blue | Color::Muted => &[],
    };
    let paint = paint(color, true);
    let _ = if corners.is_empty() {
        write!(out, "<circle {paint} cx=\"{}\" cy=\"{}\" r=\"4.5\"/>", number(x), number(y))
    } else {
        let moved: Vec<Point> = corners.iter().map(|c| (x + c.0, y + c.1)).collect();
        write!(out, "<polygon {paint} points=\"{}\"/>", points(&moved))
    };
}

fn bar(
    (left, right, height): (f64, f64, f64),
    mark: &Mark,
    color: Color,
    layout: &Layout,
    out: &mut String,
) {
    let ends = (layout.x.pixel(left), layout.x.pixel(right), layout.y.pixel(height));
    let (Some(a), Some(b), Some(y)) = ends else { return };
    let (a, b) = (a.clamp(layout.left, layout.right), b.clamp(layout.left, layout.right));
    let (foot, y) = (layout.y.base(), y.clamp(layout.top, layout.bottom));
    let tip = format!("{} {}", mark.name, brief(height));
    let _ = writeln!(
        out,
        "<rect {} fill-opacity=\"{BAR_OPACITY}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">\
         <title>{}</title></rect>",
        paint(color, true),
        number(a.min(b)),
        number(y.min(foot)),
        number((b - a).abs()),
        number((y - foot).abs()),
        escape(tip.trim_start()),
    );
}
