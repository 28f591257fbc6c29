//! The layout of a chart, and its SVG.

mod draw;
mod layout;

use std::fmt::Write as _;

use crate::axis::{Kind, brief};
use crate::builder::{Axis, Chart};
use crate::color::{Color, light_grid, light_surface, paint, style_sheet};
use crate::marks::{Mark, Shape};
use crate::svg::{content_id, escape, number, safe_id};
use layout::{Layout, SMALL, TITLE};

impl Chart {
    /// The chart as one `<svg>` element: inline it, or save it as a file.
    pub fn render(&self) -> String {
        let layout = Layout::of(self);
        let mut body = String::new();
        self.write_frame(&layout, &mut body);
        for (index, mark) in self.marks.iter().enumerate() {
            draw::mark(mark, self.color_of(index), &layout, &mut body);
        }
        if self.marks.iter().all(|mark| mark.shape.xs().is_empty() || mark.shape.ys().is_empty()) {
            let (x, y) = (layout.left + layout.right, layout.top + layout.bottom);
            write_text(&mut body, "quiet", "middle", (x / 2.0, y / 2.0), SMALL, "no data");
        }
        let description = self.description.clone().unwrap_or_else(|| self.describe(&layout));
        let id = match &self.id {
            Some(id) => safe_id(id),
            None => content_id(&format!("{}{description}{body}", self.title)),
        };
        let (width, height) = (number(self.width), number(layout.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\" \
             font-family=\"system-ui, 'Segoe UI', Roboto, Arial, sans-serif\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-description\">{}</desc>\n\
             <style>{}</style>\n\
             <rect class=\"surface\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n\
             {body}</svg>\n",
            escape(&self.title),
            escape(&description),
            style_sheet(),
            light_surface(),
        )
    }

    /// The color of a mark: its own, that of an earlier mark of the same name, or the next of the cycle.
    fn color_of(&self, index: usize) -> Color {
        let mark = &self.marks[index];
        let namesake = |m: &&Mark| !mark.name.is_empty() && m.name == mark.name;
        if let Some(color) = mark.color {
            return color;
        }
        match self.marks[..index].iter().position(|m| namesake(&m)) {
            Some(first) => self.color_of(first),
            None => {
                let mut seen: Vec<&str> = Vec::new();
                for earlier in self.marks[..index].iter().filter(|m| m.color.is_none()) {
                    if earlier.name.is_empty() || !seen.contains(&earlier.name.as_str()) {
                        seen.push(&earlier.name);
                    }
                }
                Color::nth(seen.len())
            }
        }
    }

    /// Marks with an entry in the legend, each name once.
    fn legend(&self) -> Vec<usize> {
        let named = |index: &usize| {
            let name = &self.marks[*index].name;
            !name.is_empty() && !self.marks[..*index].iter().any(|earlier| earlier.name == *name)
        };
        (0..self.marks.len()).filter(named).collect()
    }

    fn write_frame(&self, layout: &Layout, out: &mut String) {
        for (line, y) in &layout.title {
            let _ = writeln!(
                out,
                "<text class=\"ink\" fill=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{TITLE}\" \
                 font-weight=\"600\">{}</text>",
                Color::Ink.light(),
                number(layout::MARGIN),
                number(*y),
                escape(line),
            );
        }
        for entry in &layout.legend {
            let color = self.color_of(entry.mark);
            draw::swatch(&self.marks[entry.mark], color, entry.x, entry.y, out);
            let at = (entry.x + layout::SWATCH, entry.y + 4.0);
            write_text(out, "ink", "start", at, SMALL, &entry.text);
        }
        self.write_y_axis(layout, out);
        self.write_x_axis(layout, out);
    }

    fn write_y_axis(&self, layout: &Layout, out: &mut String) {
        let categories = matches!(self.y.kind, Kind::Categories(_));
        for tick in &layout.y_ticks {
            let y = tick.pixel;
            grid_line(out, (layout.left, y), (layout.right, y));
            let spread = 0.5 * (tick.lines.len() as f64 - 1.0) * layout::LINE;
            for (i, line) in tick.lines.iter().enumerate() {
                let at = (layout.left - 8.0, y - spread + i as f64 * layout::LINE + 4.0);
                let class = if categories { "ink" } else { "quiet" };
                write_text(out, class, "end", at, SMALL, line);
            }
        }
        if let Some(at) = layout.y_label {
            write_text(out, "quiet", "start", at, SMALL, &layout.y_text);
        }
    }

    fn write_x_axis(&self, layout: &Layout, out: &mut String) {
        let bottom = layout.bottom;
        let _ = writeln!(
            out,
            "<line {} stroke-width=\"1\" x1=\"{}\" y1=\"{b}\" x2=\"{}\" y2=\"{b}\"/>",
            paint(Color::Muted, false),
            number(layout.left),
            number(layout.right),
            b = number(bottom),
        );
        for tick in &layout.x_ticks {
            let x = number(tick.pixel);
            let _ = writeln!(
                out,
                "<line {} stroke-width=\"1\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/>",
                paint(Color::Muted, false),
                number(bottom),
                number(bottom + 4.0),
            );
            for (i, line) in tick.lines.iter().enumerate() {
                let at = (tick.pixel, bottom + 17.0 + i as f64 * layout::LINE);
                write_text(out, "quiet", "middle", at, SMALL, line);
            }
        }
        if let Some(at) = layout.x_label {
            write_text(out, "quiet", "middle", at, SMALL, &layout.x_text);
        }
    }

    /// The axes with their ranges, then every named mark.
    fn describe(&self, layout: &Layout) -> String {
        let axis = |name: &str, axis: &Axis, (low, high): (f64, f64)| {
            let label = if axis.label.is_empty() { "no label" } else { &axis.label };
            match &axis.kind {
                Kind::Categories(labels) => format!("{name} axis: {}. ", labels.join(", ")),
                Kind::Sequence(labels) => {
                    let ends = (labels.first(), labels.last());
                    let (Some(first), Some(last)) = ends else { return String::new() };
                    format!("{name} axis: {label}, from {first} to {last}. ")
                }
                Kind::Linear | Kind::Log => {
                    let log = if axis.kind == Kind::Log { ", logarithmic" } else { "" };
                    format!("{name} axis: {label}, {} to {}{log}. ", brief(low), brief(high))
                }
            }
        };
        let mut text = axis("x", &self.x, layout.x.ends()) + &axis("y", &self.y, layout.y.ends());
        for index in self.legend() {
            let mark = &self.marks[index];
            let _ = write!(text, "{}: {}", mark.name, mark.shape.noun());
            let ys: Vec<f64> = mark.shape.ys().into_iter().filter(|y| y.is_finite()).collect();
            let (low, high) = (
                ys.iter().copied().fold(f64::INFINITY, f64::min),
                ys.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            );
            if low <= high && !matches!(self.y.kind, Kind::Categories(_)) {
                let _ = match mark.shape {
                    Shape::HorizontalRule(y) => write!(text, " at {}", brief(y)),
                    _ => write!(text, " from {} to {}", brief(low), brief(high)),
                };
            }
            text.push_str(". ");
        }
        text.trim_end().to_owned()
    }
}

fn grid_line(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        out,
        "<line class=\"grid\" stroke=\"{}\" stroke-width=\"1\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        light_grid(),
        number(from.0),
        number(from.1),
        number(to.0),
        number(to.1),
    );
}

fn write_text(out: &mut String, class: &str, anchor: &str, at: (f64, f64), size: f64, text: &str) {
    let color = if class == "ink" { Color::Ink } else { Color::Muted };
    let _ = writeln!(
        out,
        "<text class=\"{class}\" fill=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{size}\" \
         text-anchor=\"{anchor}\">{}</text>",
        color.light(),
        number(at.0),
        number(at.1),
        escape(text),
    );
}
