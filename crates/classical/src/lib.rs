//! Classical forecasters of single series, in f64 and without tensors.
//!
//! Each method is fitted once to the known rows of one series, in original units. The fitted forecaster then follows
//! further rows with its parameters fixed ([`Forecaster::observe`]), and draws sample paths of the rows ahead
//! ([`Forecaster::paths`]). Missing rows are NaN.
//!
//! ```
//! use classical::{Method, Past};
//! use rand::SeedableRng;
//!
//! let sales: Vec<f64> = (0..60).map(|month| 100.0 + f64::from(month) + f64::from(month % 12)).collect();
//! let past = Past { values: &sales, seasons: &[12] };
//! let naive = Method::SeasonalNaive.fit(&past).expect("five seasons are enough");
//! let paths = naive.paths(12, 200, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
//! assert_eq!(paths.iter().count(), 200);
//! assert_eq!(paths.iter().next().unwrap().len(), 12);
//! ```

mod adjust;
mod arima;
mod climatology;
mod descend;
mod ets;
mod fourier;
mod gaps;
mod intermittent;
mod linear;
mod mixture;
mod naive;
mod ridge;
mod scale;
mod season;
pub mod support;
mod theta;

use std::fmt::Debug;

use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The known rows of one series.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Values in original units and in order of time; NaN where missing.
    pub values: &'a [f64],
    /// Rows per season, each above 1, the shortest first; empty for a series without a season.
    pub seasons: &'a [usize],
}

impl Past<'_> {
    /// The shortest season; 1 where there is none.
    pub fn season(&self) -> usize {
        self.seasons.first().copied().unwrap_or(1)
    }

    /// The number of observed rows.
    pub fn observed(&self) -> usize {
        self.values.iter().filter(|value| value.is_finite()).count()
    }
}

/// A forecaster fitted to one series.
pub trait Forecaster: Debug + Send {
    /// Moves the origin on by one row with the parameters fixed. A missing row is NaN.
    fn observe(&mut self, value: f64);

    /// Draws `count` sample paths of the `horizon` rows after the origin, in original units.
    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths;
}

/// Sample paths of the rows ahead, `[path][step]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths {
    horizon: usize,
    values: Vec<f64>,
}

impl Paths {
    /// Paths from a function that fills one of them.
    pub fn draw(horizon: usize, count: usize, mut fill: impl FnMut(&mut [f64])) -> Paths {
        let mut values = vec![0.0; horizon * count];
        values.chunks_mut(horizon.max(1)).for_each(&mut fill);
        Paths { horizon, values }
    }

    /// The number of steps of each path.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// The paths.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(self.horizon.max(1))
    }

    /// One path.
    pub(crate) fn row(&self, path: usize) -> &[f64] {
        &self.values[path * self.horizon..(path + 1) * self.horizon]
    }

    /// The values of one step over all paths.
    pub fn step(&self, step: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(step).step_by(self.horizon.max(1)).copied()
    }
}

/// A classical method.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The value one season earlier plus the drift per season; without a season the last value plus the drift.
    SeasonalNaive,
    /// The values of the same phase of the season.
    Climatology,
    /// Exponential smoothing, its form chosen by Akaike's corrected criterion.
    Ets,
    /// The optimized Theta method.
    Theta,
    /// Seasonal ARIMA, its orders chosen by Akaike's corrected criterion.
    Arima,
    /// Ridge regression of every step ahead on lags and seasons.
    Ridge,
    /// Counts with many zeros: occurrence and size.
    Intermittent,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 7] = [
        Method::SeasonalNaive,
        Method::Climatology,
        Method::Ets,
        Method::Theta,
        Method::Arima,
        Method::Ridge,
        Method::Intermittent,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Method::SeasonalNaive => "seasonal naive",
            Method::Climatology => "climatology",
            Method::Ets => "ETS",
            Method::Theta => "Theta",
            Method::Arima => "ARIMA",
            Method::Ridge => "ridge",
            Method::Intermittent => "intermittent",
        }
    }

    /// Fits the method to the known rows; `None` where they are too few for it or not of its kind.
    pub fn fit(self, past: &Past) -> Option<Box<dyn Forecaster>> {
        match self {
            Method::SeasonalNaive => naive::fit(past),
            Method::Climatology => climatology::fit(past),
            Method::Ets => ets::fit(past),
            Method::Theta => theta::fit(past),
            Method::Arima => arima::fit(past),
            Method::Ridge => ridge::fit(past),
            Method::Intermittent => intermittent::fit(past),
        }
    }
}
