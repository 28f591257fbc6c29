//! A forecast as a picture: context, truth and quantiles.

use crate::EventError;
use crate::canvas::{Canvas, Point};
use crate::picture::Picture;

/// The levels of the quantiles of a [`Fan`]: bands of 90, 80 and 50 % around the median.
pub const LEVELS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// Red, green, blue; a test measures their contrast on light and dark backgrounds.
const MEDIAN: [u8; 3] = [0x1a, 0x85, 0xd6];
const TRUTH: [u8; 3] = [0xdb, 0x5a, 0x0b];
const CONTEXT: [u8; 3] = [0x80, 0x80, 0x80];
/// The opacity of each of the three bands, which overlap.
const BAND: f32 = 0.16;

/// Context, truth and forecast of one channel, all in the same unit.
///
/// The context is gray, the median and the bands of 50, 80 and 90 % are blue, the truth is orange. The
/// background is transparent. A step with a value that is not finite leaves a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fan<'a> {
    /// The values before the forecast, `[L]`, or only the last of them.
    pub context: &'a [f64],
    /// The values that were forecast, `[H]`, as far as they are known.
    pub truth: &'a [f64],
    /// Quantiles at [`LEVELS`] of each step, `[H]`.
    pub quantiles: &'a [[f64; 7]],
}

impl Fan<'_> {
    /// Draws the picture; the values fill its height.
    ///
    /// # Errors
    /// [`EventError::Size`] for a side of 0 or beyond 8192 pixels.
    pub fn draw(&self, width: u32, height: u32) -> Result<Picture, EventError> {
        let now = self.context.len();
        let steps = now + self.quantiles.len().max(self.truth.len());
        let lines = self.context.iter().chain(self.truth);
        let values = lines.chain(self.quantiles.iter().flatten()).copied();
        let mut canvas = Canvas::new(width, height, steps, values)?;
        canvas.divider(now as f64 - 0.5, CONTEXT);

        let expected: Vec<(usize, [f64; 7])> =
            self.quantiles.iter().enumerate().map(|(k, at)| (now + k, *at)).collect();
        let whole = |at: &(usize, [f64; 7])| at.1.iter().all(|value| value.is_finite());
        let runs = || expected.chunk_by(|a, b| whole(a) && whole(b)).filter(|run| whole(&run[0]));
        let edge = |run: &[(usize, [f64; 7])], level: usize| -> Vec<Point> {
            run.iter().map(|&(time, at)| (time as f64, at[level])).collect()
        };
        for level in 0..3 {
            for run in runs() {
                canvas.band(&edge(run, level), &edge(run, 6 - level), MEDIAN, BAND);
            }
        }
        for run in finite(0, self.context) {
            canvas.line(&run, CONTEXT, 1.0);
        }
        for run in runs() {
            canvas.line(&edge(run, 3), MEDIAN, 1.6);
        }
        // The truth starts at the last value of the context.
        let before = &self.context[now.saturating_sub(1)..];
        if !self.truth.is_empty() {
            for run in finite(now - before.len(), &[before, self.truth].concat()) {
                canvas.line(&run, TRUTH, 1.0);
            }
        }
        canvas.into_picture()
    }
}

/// The runs of finite values, as points; the first value lies at time `from`.
fn finite(from: usize, values: &[f64]) -> Vec<Vec<Point>> {
    let points: Vec<Point> =
        values.iter().enumerate().map(|(k, &value)| ((from + k) as f64, value)).collect();
    let runs = points.split(|(_, value)| !value.is_finite());
    runs.filter(|run| !run.is_empty()).map(<[Point]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of WCAG 2.1: relative luminances `(L₁ + 0.05)/(L₂ + 0.05)`; 3 is asked of graphics.
    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let luminance = |color: [u8; 3]| {
            let linear = color.map(|byte| {
                let s = f64::from(byte) / 255.0;
                if s <= 0.04045 { s / 12.92 } else { ((s + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn colors_are_legible_on_light_and_dark() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        // White, and the gray behind TensorBoard's cards in its dark mode.
        for ground in [[255; 3], [0x30; 3]] {
            for color in [MEDIAN, TRUTH, CONTEXT] {
                assert!(contrast(color, ground) >= 3.0, "{color:x?} on {ground:x?}");
            }
        }
    }

    fn pixels(fan: &Fan, width: u32, height: u32) -> Vec<[u8; 4]> {
        let picture = fan.draw(width, height).unwrap();
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(picture.png())).read_info().unwrap();
        let mut read = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut read).unwrap();
        read.as_chunks::<4>().0.to_vec()
    }

    const STEPS: [[f64; 7]; 4] = [[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]; 4];

    /// Oracle: in the column of the third step of the horizon, a band of opacity 0.16 laid `n` times has
    /// opacity `1 − 0.84ⁿ`; from the edge to the median n rises from 1 to 3.
    #[test]
    fn bands_lie_over_each_other() {
        let fan = Fan { context: &[0.0; 4], truth: &[], quantiles: &STEPS };
        let (width, height) = (800, 400);
        let all = pixels(&fan, width, height);
        let column = 6 * width / 8 + width / 16;
        let opacities: Vec<u8> =
            (0..height / 2).map(|row| all[(row * width + column) as usize][3]).collect();
        let mut seen = opacities.clone();
        seen.dedup();
        for layers in 1..=3 {
            let expected = 255.0 * (1.0 - 0.84_f64.powi(layers));
            let there = seen.iter().any(|&a| (f64::from(a) - expected).abs() <= 2.0);
            assert!(there, "no {layers} layers ({expected}) in {seen:?}");
        }
        assert!(opacities.is_sorted(), "{seen:?}");
        assert_eq!((seen[0], seen[seen.len() - 1]), (0, 255), "outside, and the median");
    }

    /// Whether a pixel has this color, but for rounding and the softened edges.
    fn holds(fan: &Fan, color: [u8; 3]) -> bool {
        let near = |pixel: &[u8; 4]| (0..3).all(|k| pixel[k].abs_diff(color[k]) <= 2);
        pixels(fan, 320, 320).iter().any(|pixel| pixel[3] > 250 && near(pixel))
    }

    #[test]
    fn each_part_is_drawn_where_it_is_given() {
        let all = Fan { context: &[1.0, 2.0], truth: &[2.5, 2.0, 1.0], quantiles: &STEPS };
        assert!([CONTEXT, TRUTH, MEDIAN].iter().all(|&color| holds(&all, color)));
        assert!(!holds(&Fan { truth: &[], ..all }, TRUTH));
        assert!(!holds(&Fan { quantiles: &[], ..all }, MEDIAN));
        assert!(!holds(&Fan { context: &[], ..all }, CONTEXT));
        let one = Fan { context: &[], truth: &[1.0], quantiles: &STEPS[..1] };
        assert!(holds(&one, MEDIAN) && holds(&one, TRUTH), "a horizon of one step");
    }

    #[test]
    fn nothing_and_infinities_are_drawn_without_a_panic() {
        let wild = [f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, 0.0, f64::MIN_POSITIVE, f64::MAX];
        for values in [&[][..], &[f64::NAN], &wild] {
            for quantiles in [&[][..], &[[f64::NAN; 7]], &[wild, [f64::MAX; 7], [0.0; 7]]] {
                for (width, height) in [(1, 1), (7, 300), (300, 7)] {
                    let fan = Fan { context: values, truth: values, quantiles };
                    fan.draw(width, height).unwrap();
                }
            }
        }
        let empty = Fan { context: &[], truth: &[], quantiles: &[] };
        assert!(matches!(empty.draw(0, 5), Err(EventError::Size { .. })));
    }
}
