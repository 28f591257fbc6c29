//! Lines and bands over time, on a transparent background.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};

use crate::EventError;
use crate::picture::{LONGEST_SIDE, Picture, check_size};

/// Time in steps, and a value.
pub(crate) type Point = (f64, f64);

/// Pixels, and the map from times and values to them.
pub(crate) struct Canvas {
    pixels: Pixmap,
    /// The width of a line in pixels.
    pen: f32,
    steps: f64,
    low: f64,
    high: f64,
}

impl Canvas {
    /// An empty canvas of `steps` steps, whose height covers all finite `values`.
    pub(crate) fn new(
        width: u32,
        height: u32,
        steps: usize,
        values: impl Iterator<Item = f64>,
    ) -> Result<Canvas, EventError> {
        check_size(width, height)?;
        let pixels = Pixmap::new(width, height).ok_or(EventError::Size {
            width,
            height,
            most: LONGEST_SIDE,
        })?;
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        // A flat line lies in the middle.
        let (low, high) = match low < high {
            true => (low, high),
            false if low == high => (low - low.abs().max(1.0), high + high.abs().max(1.0)),
            false => (-1.0, 1.0),
        };
        let pen = (height as f32 / 100.0).clamp(1.5, 6.0);
        Ok(Canvas { pixels, pen, steps: steps.max(1) as f64, low, high })
    }

    /// A line through the points; its width is in units of the pen.
    pub(crate) fn line(&mut self, points: &[Point], color: [u8; 3], pens: f32) {
        if let Some(path) = self.path(&widen_single(points), false) {
            let stroke = Stroke {
                width: pens * self.pen,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            self.stroke(&path, &stroke, color);
        }
    }

    /// The area between two lines over the same times.
    pub(crate) fn band(&mut self, lower: &[Point], upper: &[Point], color: [u8; 3], opacity: f32) {
        let mut outline = widen_single(lower);
        outline.extend(widen_single(upper).into_iter().rev());
        if let Some(path) = self.path(&outline, true) {
            let paint = paint(color, opacity);
            let all = Transform::identity();
            self.pixels.fill_path(&path, &paint, FillRule::Winding, all, None);
        }
    }

    /// A dashed line from top to bottom.
    pub(crate) fn divider(&mut self, time: f64, color: [u8; 3]) {
        let (height, x) = (self.pixels.height() as f32, self.x(time));
        let mut path = PathBuilder::new();
        path.move_to(x, 0.0);
        path.line_to(x, height);
        if let Some(path) = path.finish() {
            let dash = StrokeDash::new(vec![2.0 * self.pen, 2.0 * self.pen], 0.0);
            self.stroke(&path, &Stroke { width: 0.5 * self.pen, dash, ..Stroke::default() }, color);
        }
    }

    pub(crate) fn into_picture(self) -> Result<Picture, EventError> {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        Picture::from_rgba(width, height, &self.pixels.take_demultiplied())
    }

    fn stroke(&mut self, path: &Path, stroke: &Stroke, color: [u8; 3]) {
        self.pixels.stroke_path(path, &paint(color, 1.0), stroke, Transform::identity(), None);
    }

    fn path(&self, points: &[Point], closed: bool) -> Option<Path> {
        let mut path = PathBuilder::new();
        for (k, &(time, value)) in points.iter().enumerate() {
            let (x, y) = (self.x(time), self.y(value));
            if k == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        if closed {
            path.close();
        }
        path.finish()
    }

    /// Steps divide the width equally; a point lies in the middle of its step.
    fn x(&self, time: f64) -> f32 {
        ((time + 0.5) / self.steps * f64::from(self.pixels.width())) as f32
    }

    /// The largest value at the top, with room for the pen.
    fn y(&self, value: f64) -> f32 {
        // Halved, because the difference of two finite numbers may be infinite.
        let share = (0.5 * value - 0.5 * self.low) / (0.5 * self.high - 0.5 * self.low);
        let margin = 2.0 * f64::from(self.pen);
        let room = (f64::from(self.pixels.height()) - 2.0 * margin).max(0.0);
        (margin + (1.0 - share) * room) as f32
    }
}

/// A single point becomes a line across most of its step, since a path of one point draws nothing.
fn widen_single(points: &[Point]) -> Vec<Point> {
    match *points {
        [(time, value)] => vec![(time - 0.4, value), (time + 0.4, value)],
        _ => points.to_vec(),
    }
}

fn paint(color: [u8; 3], opacity: f32) -> Paint<'static> {
    let [red, green, blue] = color;
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, (255.0 * opacity).round() as u8);
    paint
}
