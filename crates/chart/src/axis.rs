//! Axes: from values to pixels, and ticks at round numbers.

/// The kind of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Linear,
    Log,
    /// Item `i` lies at `i`; every label is shown, each in a slot of its own.
    Categories(Vec<String>),
    /// Item `i` lies at `i`; only every `n`-th label is shown, so that they fit.
    Sequence(Vec<String>),
}

/// Values beyond this are treated as not finite, because their differences would overflow.
const LARGEST: f64 = 1e150;

/// A position with its label; the position is in transformed units, see [`Scale`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// An affine map from (possibly logarithmic) values to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Covers `values`, with a margin unless `range` fixes the ends.
    pub(crate) fn fit(
        kind: &Kind,
        values: impl Iterator<Item = f64>,
        range: Option<(f64, f64)>,
        tight: bool,
    ) -> Self {
        let log = *kind == Kind::Log;
        let scale = |low, high| Scale { log, low, high, from: 0.0, to: 1.0 };
        match kind {
            Kind::Categories(labels) => return scale(-0.5, labels.len().max(1) as f64 - 0.5),
            Kind::Sequence(labels) if labels.len() > 1 => {
                return scale(0.0, labels.len() as f64 - 1.0);
            }
            Kind::Sequence(_) => return scale(-0.5, 0.5),
            Kind::Linear | Kind::Log => {}
        }
        let unit = scale(0.0, 1.0);
        let mut ends: Option<(f64, f64)> = None;
        for value in values.filter_map(|value| unit.transform(value)) {
            let (low, high) = ends.unwrap_or((value, value));
            ends = Some((low.min(value), high.max(value)));
        }
        if let Some((a, b)) = range
            && let (Some(a), Some(b)) = (unit.transform(a), unit.transform(b))
            && a < b
        {
            let (low, high) = widen(a, b);
            return scale(low, high);
        }
        let (low, high) = ends.unwrap_or((0.0, 1.0));
        let (low, high) = widen(low, high);
        let air = if tight { 0.0 } else { 0.05 * (high - low) };
        // The margin does not take a scale of positive numbers below zero.
        let floor = if low >= 0.0 && !log { 0.0 } else { f64::NEG_INFINITY };
        scale((low - air).max(floor), high + air)
    }

    /// The same scale onto the pixels `from..to`.
    pub(crate) fn onto(self, from: f64, to: f64) -> Self {
        Scale { from, to, ..self }
    }

    /// The value on the axis; `None` for NaN, ±∞ and the logarithm of a number that is not positive.
    pub(crate) fn transform(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        (value.is_finite() && value.abs() <= LARGEST).then_some(value)
    }

    /// The pixel of a value, which may lie outside the range, but not so far that geometry overflows.
    pub(crate) fn pixel(&self, value: f64) -> Option<f64> {
        self.transform(value).map(|at| self.place(at).clamp(-1e7, 1e7))
    }

    /// The pixel of a transformed value.
    pub(crate) fn place(&self, at: f64) -> f64 {
        self.from + (at - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The ends of the range in pixels, smaller first.
    pub(crate) fn pixels(&self) -> (f64, f64) {
        (self.from.min(self.to), self.from.max(self.to))
    }

    /// The pixel of zero, or of the nearer end where zero is out of range.
    pub(crate) fn base(&self) -> f64 {
        if self.log { self.from } else { self.place(0.0_f64.clamp(self.low, self.high)) }
    }

    /// Ends of the range in the units of the data.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let undo = |at: f64| if self.log { 10_f64.powf(at) } else { at };
        (undo(self.low), undo(self.high))
    }

    /// Ticks inside the range, at most about `count` of them.
    pub(crate) fn ticks(&self, count: usize) -> Vec<Tick> {
        if self.log && self.high - self.low >= 1.0 {
            return self.decades(count);
        }
        if self.log {
            let (low, high) = self.ends();
            let linear = Scale { log: false, low, high, from: 0.0, to: 1.0 };
            let ticks = linear.ticks(count).into_iter();
            return ticks
                .filter_map(|tick| Some(Tick { at: self.transform(tick.at)?, label: tick.label }))
                .filter(|tick| tick.at >= self.low && tick.at <= self.high)
                .collect();
        }
        let step = nice_step(self.high - self.low, count);
        let slack = step * 1e-6;
        let largest = self.low.abs().max(self.high.abs());
        let first = ((self.low - slack) / step).ceil();
        (0..=2 * count.max(1))
            .map(|i| (first + i as f64) * step)
            .take_while(|at| *at <= self.high + slack)
            .map(|at| Tick { at: at.clamp(self.low, self.high), label: decimal(at, step, largest) })
            .collect()
    }

    fn decades(&self, count: usize) -> Vec<Tick> {
        let (first, last) = ((self.low - 1e-9).ceil() as i32, (self.high + 1e-9).floor() as i32);
        let decades = (last - first + 1).max(1) as usize;
        let stride = decades.div_ceil(count.max(1)).max(1);
        let fine: &[f64] = if decades * 3 <= count { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for exponent in (first - 1..=last).filter(|e| e.rem_euclid(stride as i32) == 0) {
            for mantissa in fine {
                let at = f64::from(exponent) + mantissa.log10();
                if at >= self.low - 1e-9 && at <= self.high + 1e-9 {
                    let label = power_of_ten(*mantissa, exponent);
                    ticks.push(Tick { at: at.clamp(self.low, self.high), label });
                }
            }
        }
        ticks
    }
}

/// Room around a single value, and around values that differ only by rounding.
fn widen(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-9 && high > low {
        return (low, high);
    }
    let half = if size == 0.0 { 0.5 } else { size * 0.05 };
    (low - half, high + half)
}

/// The smallest of 1, 2, 2.5 or 5 times a power of ten that gives at most `count` steps.
fn nice_step(span: f64, count: usize) -> f64 {
    let raw = span / count.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|m| m * power >= raw * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * power
}

/// The label of a tick, with the decimals that `step` needs and a true minus sign. Where the `largest`
/// number of the axis is long, all its labels share one power of ten.
fn decimal(value: f64, step: f64, largest: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    if largest >= 1e6 || step < 1e-5 {
        let exponent = largest.log10().floor() as i32;
        let step_exponent = step.log10().floor() as i32;
        let digits = (exponent - step_exponent + 1).clamp(0, 12) as usize;
        return minus(&trim(&format!("{:.digits$}", value / 10_f64.powi(exponent))))
            + &format!("×10{}", superscript(exponent));
    }
    let digits = (0..=8).find(|d| {
        let scaled = step * 10_f64.powi(*d);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    });
    minus(&format!("{value:.*}", digits.unwrap_or(8) as usize))
}

fn power_of_ten(mantissa: f64, exponent: i32) -> String {
    match exponent {
        0..=4 => format!("{}", mantissa * 10_f64.powi(exponent)),
        -3..=-1 => format!("{:.*}", -exponent as usize, mantissa * 10_f64.powi(exponent)),
        _ if mantissa == 1.0 => format!("10{}", superscript(exponent)),
        _ => format!("{mantissa}×10{}", superscript(exponent)),
    }
}

/// A number for a tooltip or description: four significant digits.
pub(crate) fn brief(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&value.abs()) {
        return minus(&format!("{value:.3e}"));
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 8) as usize;
    minus(&trim(&format!("{value:.digits$}")))
}

fn trim(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

fn superscript(exponent: i32) -> String {
    let raise = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32('⁰' as u32 + c as u32 - '0' as u32).unwrap_or(c),
    };
    exponent.to_string().chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: &Kind, low: f64, high: f64, count: usize) -> Vec<String> {
        let scale = Scale::fit(kind, [low, high].into_iter(), Some((low, high)), true);
        scale.ticks(count).into_iter().map(|tick| tick.label).collect()
    }

    /// Oracle: the ticks that a person would draw.
    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&Kind::Linear, 0.0, 1.0, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Kind::Linear, 0.0, 1.0, 4), ["0", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(labels(&Kind::Linear, -20.0, 40.0, 4), ["−20", "0", "20", "40"]);
        assert_eq!(
            labels(&Kind::Linear, 0.34, 0.36, 4),
            ["0.340", "0.345", "0.350", "0.355", "0.360"]
        );
        assert_eq!(labels(&Kind::Linear, 0.0, 3e6, 3), ["0", "1×10⁶", "2×10⁶", "3×10⁶"]);
        assert_eq!(labels(&Kind::Linear, 0.0, 4e-7, 2), ["0", "2×10⁻⁷", "4×10⁻⁷"]);
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(labels(&Kind::Log, 1e-3, 1e2, 8), ["0.001", "0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(&Kind::Log, 1.0, 100.0, 9), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(labels(&Kind::Log, 1e-12, 1e6, 4), ["10⁻¹⁰", "10⁻⁵", "1", "10⁵"]);
        // Less than a decade: round numbers, placed logarithmically.
        assert_eq!(labels(&Kind::Log, 2.0, 6.0, 4), ["2", "3", "4", "5", "6"]);
    }

    #[test]
    fn a_constant_gets_room_and_no_division_by_zero() {
        for value in [0.0, 3.0, -1e140, 1e-300] {
            let scale = Scale::fit(&Kind::Linear, [value, value].into_iter(), None, false);
            let pixel = scale.onto(0.0, 100.0).pixel(value);
            assert!(pixel.is_some_and(|p| (0.0..=100.0).contains(&p)), "{value}: {pixel:?}");
        }
    }

    #[test]
    fn a_value_off_the_axis_has_no_pixel() {
        let scale = Scale::fit(&Kind::Log, [1.0, 10.0].into_iter(), None, true).onto(0.0, 100.0);
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            assert_eq!(scale.pixel(value), None);
        }
        assert!((scale.pixel(10_f64.sqrt()).unwrap() - 50.0).abs() < 1e-9);
    }
}
