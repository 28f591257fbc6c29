//! Scaling: statistics of training rows, applied everywhere. Only a fitted [`Scaler`] transforms.
//!
//! ```text
//! scaled = (x − center) / spread,     x = center + spread · scaled
//! ```
//!
//! | kind | center | spread |
//! |---|---|---|
//! | `standard` | mean | standard deviation, divisor `n − ddof` |
//! | `robust` | median | interquartile range / 1.349 |
//! | `max-abs` | 0 | largest absolute value |
//! | `none` | 0 | 1 |
//!
//! **Floor.** A channel that does not vary in the training rows, up to the rounding of 32-bit numbers, has
//! spread 1: dividing by next to nothing would blow up its first change.

use serde::{Deserialize, Serialize};

use crate::config::{Ddof, ScaleConfig, ScaleKind, ScalePer};
use crate::error::DataError;
use crate::panel::Panel;
use crate::split::Split;

/// Interquartile range of the unit Gaussian, `2 Φ⁻¹(3/4)`.
const GAUSSIAN_IQR: f64 = 1.348_979_500_392_163_4;
/// Spread over magnitude below which a channel is constant: a few roundings of `f32`.
const CONSTANT: f64 = 1e-6;

/// Center and spread of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// Subtracted.
    pub center: f64,
    /// Divided by; positive.
    pub spread: f64,
}

impl Affine {
    const IDENTITY: Affine = Affine { center: 0.0, spread: 1.0 };

    fn floored(center: f64, spread: f64) -> Affine {
        let varies = spread > CONSTANT * center.abs() && spread > f64::MIN_POSITIVE;
        Affine { center, spread: if varies { spread } else { 1.0 } }
    }

    fn scale(self, x: f32) -> f32 {
        ((f64::from(x) - self.center) / self.spread) as f32
    }

    fn unscale(self, x: f32) -> f32 {
        (f64::from(x) * self.spread + self.center) as f32
    }
}

/// Statistics fitted on training rows; saved with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    config: ScaleConfig,
    channels: Vec<String>,
    /// Names of the series with statistics of their own; empty when all share one set.
    series: Vec<String>,
    /// Row-major `[series or 1, channels]`.
    affine: Vec<Affine>,
    /// Series and channels without a value in the rows it was fitted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<(usize, usize)>,
}

impl Scaler {
    /// Fits on the scaler rows of `split`, over observed cells; calendar features keep their values.
    pub fn fit(config: ScaleConfig, panel: &Panel, split: &Split) -> Scaler {
        let width = panel.channels.len();
        let mut affine = Vec::new();
        let per = match config.kind {
            ScaleKind::None => ScalePer::All, // it fits any series
            _ => config.per,
        };
        let groups: Vec<Vec<usize>> = match per {
            ScalePer::Series => (0..panel.series.len()).map(|s| vec![s]).collect(),
            ScalePer::All => vec![(0..panel.series.len()).collect()],
        };
        let mut unseen = Vec::new();
        for group in &groups {
            let ranges: Vec<_> = group.iter().map(|&s| split.parts[s].scaler.clone()).collect();
            let calendar = panel.channels.calendar().start;
            affine.extend((0..width).map(|channel| {
                if channel >= calendar {
                    return Affine::IDENTITY;
                }
                let values = || {
                    let rows = ranges.iter().flat_map(|r| r.clone());
                    let seen = rows.filter(|&row| panel.is_observed(row, channel));
                    seen.map(|row| f64::from(panel.values[row * width + channel]))
                };
                if values().next().is_none() {
                    unseen.extend(group.iter().map(|&series| (series, channel)));
                }
                statistics(config, values)
            }));
        }
        let series = match per {
            ScalePer::Series => panel.series.iter().map(|s| s.name.clone()).collect(),
            ScalePer::All => Vec::new(),
        };
        Scaler { config, channels: panel.channels.names.clone(), series, affine, unseen }
    }

    /// Center and spread of a channel of a series.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such series or channel.
    pub fn affine(&self, series: usize, channel: usize) -> Result<Affine, DataError> {
        let width = self.channels.len();
        if channel >= width {
            return Err(DataError::OutOfRange { what: "channel", index: channel, count: width });
        }
        let row = if self.series.is_empty() { 0 } else { series };
        let out = DataError::OutOfRange { what: "series", index: series, count: self.series.len() };
        self.affine.get(row * width + channel).copied().ok_or(out)
    }

    /// Names of the series with statistics of their own; empty when all share one set.
    pub fn series(&self) -> &[String] {
        &self.series
    }

    /// Series and channels without a value in the rows it was fitted on: their values stay as they are.
    pub fn unseen(&self) -> &[(usize, usize)] {
        &self.unseen
    }

    /// Whether a channel of the series with these statistics is among them.
    pub(crate) fn is_unseen(&self, series: usize, channel: usize) -> bool {
        self.unseen.contains(&(series, channel))
    }

    /// Index of the statistics for a series of this name; a model of one series takes any single series.
    pub(crate) fn index_of(&self, name: &str, only_one: bool) -> Option<usize> {
        if self.series.is_empty() || (only_one && self.series.len() == 1) {
            return Some(0);
        }
        self.series.iter().position(|s| s == name)
    }

    /// Whether it has a usable scale for each of these channels.
    pub(crate) fn fits(&self, channels: &[String]) -> bool {
        let usable = |a: &Affine| a.center.is_finite() && a.spread.is_finite() && a.spread > 0.0;
        self.channels == channels
            && self.affine.len() == self.series.len().max(1) * channels.len()
            && self.affine.iter().all(usable)
    }

    /// Scales a panel in place; `index[s]` are the statistics of its series `s`.
    pub(crate) fn scale(&self, panel: &mut Panel, index: &[usize]) {
        let width = self.channels.len();
        let series = panel.series.iter().map(|s| s.rows.clone());
        for (rows, &i) in series.zip(index) {
            let row = if self.series.is_empty() { 0 } else { i };
            let affine = &self.affine[row * width..(row + 1) * width];
            for values in panel.values[rows.start * width..rows.end * width].chunks_exact_mut(width)
            {
                for (value, affine) in values.iter_mut().zip(affine) {
                    *value = affine.scale(*value);
                }
            }
        }
    }

    /// Brings scaled values of one channel of a series back to original units (before any transform).
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such series or channel.
    pub fn unscale(
        &self,
        series: usize,
        channel: usize,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        let affine = self.affine(series, channel)?;
        values.iter_mut().for_each(|v| *v = affine.unscale(*v));
        Ok(())
    }

    /// How this scaler was configured.
    pub fn config(&self) -> ScaleConfig {
        self.config
    }
}

fn statistics<I: Iterator<Item = f64>>(config: ScaleConfig, values: impl Fn() -> I) -> Affine {
    let n = values().count();
    if n == 0 {
        return Affine::IDENTITY;
    }
    match config.kind {
        ScaleKind::None => Affine::IDENTITY,
        ScaleKind::Standard => {
            let mean = values().sum::<f64>() / n as f64;
            let squares: f64 = values().map(|x| (x - mean) * (x - mean)).sum();
            let divisor = n - usize::from(config.ddof == Ddof::Unbiased);
            let variance = if divisor == 0 { 0.0 } else { squares / divisor as f64 };
            Affine::floored(mean, variance.sqrt())
        }
        ScaleKind::Robust => {
            let mut sorted: Vec<f64> = values().collect();
            sorted.sort_by(f64::total_cmp);
            let spread = (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / GAUSSIAN_IQR;
            Affine::floored(quantile(&sorted, 0.5), spread)
        }
        ScaleKind::MaxAbs => Affine::floored(0.0, values().fold(0.0, |m, x| x.abs().max(m))),
    }
}

/// Linear interpolation at `q (n − 1)`, numpy's default.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + share * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ScaleKind, ddof: Ddof, values: &[f64]) -> Affine {
        let config = ScaleConfig { kind, per: ScalePer::Series, ddof };
        statistics(config, || values.iter().copied())
    }

    /// Oracle: numbers small enough for paper.
    #[test]
    fn statistics_match_their_definitions() {
        let x = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]; // mean 5, squares sum to 32
        let standard = of(ScaleKind::Standard, Ddof::Population, &x);
        assert_eq!(standard, Affine { center: 5.0, spread: 2.0 });
        let unbiased = of(ScaleKind::Standard, Ddof::Unbiased, &x);
        assert!((unbiased.spread - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        let robust = of(ScaleKind::Robust, Ddof::Unbiased, &x); // quartiles 4, 4.5, 5.5
        assert_eq!(robust.center, 4.5);
        assert!((robust.spread - 1.5 / 1.348_979_500_392_163_4).abs() < 1e-15);
        assert_eq!(
            of(ScaleKind::MaxAbs, Ddof::Unbiased, &[-3.0, 2.0]),
            Affine { center: 0.0, spread: 3.0 }
        );
    }

    /// Oracle: the quartile of the Gaussian, `Φ⁻¹(3/4) = 0.674489750196081743`, to 18 digits in the literature.
    #[test]
    fn the_interquartile_range_of_a_gaussian_is_right() {
        assert!((GAUSSIAN_IQR - 2.0 * 0.674_489_750_196_081_7).abs() < 1e-15);
    }

    #[test]
    fn constant_channels_get_spread_one() {
        for kind in [ScaleKind::Standard, ScaleKind::Robust] {
            assert_eq!(of(kind, Ddof::Unbiased, &[0.1_f32.into(); 9]).spread, 1.0);
            assert_eq!(of(kind, Ddof::Unbiased, &[1e9, 1e9 + 64.0]).spread, 1.0);
            assert_eq!(of(kind, Ddof::Unbiased, &[3.0]).spread, 1.0);
        }
        assert_eq!(of(ScaleKind::MaxAbs, Ddof::Unbiased, &[0.0, 0.0]).spread, 1.0);
        let small = of(ScaleKind::Standard, Ddof::Population, &[1e-12, 3e-12]);
        assert!((small.spread - 1e-12).abs() < 1e-24, "small but varying is not constant");
    }
}
