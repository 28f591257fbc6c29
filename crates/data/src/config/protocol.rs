//! Published benchmark protocols: borders, strides and window counts that make scores comparable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scale::{Ddof, ScaleConfig, ScaleKind, ScalePer};
use crate::error::DataError;

/// A published protocol.
///
/// Those of ProbTS (microsoft/ProbTS at 66f826c) evaluate every 96th row and count
/// `ceil((rows − horizon) / 96)` windows; `stocks` is the protocol of D-Va (CIKM 2023), per ticker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// ETTh1, ETTh2: 12, 4 and 4 months of 30 days; 24 → 24, or 96 → 96, 192, 336, 720.
    Ett,
    /// Exchange rates, long horizons: 96 → 96, 192, 336, 720.
    Exchange,
    /// Exchange rates, the first 6221 rows: 30 → 30 in five consecutive windows.
    ExchangeShort,
    /// Influenza-like illness: 36 → 24, 36, 48, 60.
    Ili,
    /// Daily stock returns: 10 → 10, 20 → 20, 40 → 40, 60 → 60.
    Stocks,
}

/// The rules of a protocol for one series, as row ranges from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Ends of training, validation and test rows.
    pub(crate) borders: [usize; 3],
    /// Rows the scaler is fitted on, from the start.
    pub(crate) scaler_rows: usize,
    /// The first training target lies at least this many rows after context rows.
    pub(crate) lags: usize,
    /// Rows between validation and test windows.
    pub(crate) stride: usize,
    /// Whether a last window that ends exactly at the border is left out.
    pub(crate) drop_exact: bool,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Protocol; 5] = [
        Protocol::Ett,
        Protocol::Exchange,
        Protocol::ExchangeShort,
        Protocol::Ili,
        Protocol::Stocks,
    ];

    /// The name used in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Ett => "ett",
            Protocol::Exchange => "exchange",
            Protocol::ExchangeShort => "exchange-short",
            Protocol::Ili => "ili",
            Protocol::Stocks => "stocks",
        }
    }

    /// Context and horizon of the published cells.
    pub fn cells(self) -> &'static [(usize, usize)] {
        match self {
            Protocol::Ett => &[(24, 24), (96, 96), (96, 192), (96, 336), (96, 720)],
            Protocol::Exchange => &[(96, 96), (96, 192), (96, 336), (96, 720)],
            Protocol::ExchangeShort => &[(30, 30)],
            Protocol::Ili => &[(36, 24), (36, 36), (36, 48), (36, 60)],
            Protocol::Stocks => &[(10, 10), (20, 20), (40, 40), (60, 60)],
        }
    }

    /// The scaler the published numbers were made with.
    pub fn scale(self) -> ScaleConfig {
        let ddof = match self {
            Protocol::Stocks => Ddof::Population,
            _ => Ddof::Unbiased,
        };
        ScaleConfig { kind: ScaleKind::Standard, per: ScalePer::Series, ddof }
    }

    /// Borders for a series of `rows` rows.
    pub(crate) fn rules(self, rows: usize, series: &str) -> Result<Rules, DataError> {
        let share = |f: f64| (rows as f64 * f) as usize; // as in the original: truncated
        let too_few = |needed| DataError::TooFewRows {
            series: series.to_owned(),
            rows,
            needed,
            remedy: "the protocol's borders are fixed; use the benchmark's own file, or another `split`",
        };
        let rules = |borders: [usize; 3], lags| Rules {
            borders,
            scaler_rows: borders[0],
            lags,
            stride: 96,
            drop_exact: true,
        };
        let needed = match self {
            Protocol::Ett => 14_400,
            Protocol::ExchangeShort => 6_221,
            Protocol::Exchange | Protocol::Ili | Protocol::Stocks => 10,
        };
        if rows < needed {
            return Err(too_few(needed));
        }
        Ok(match self {
            Protocol::Ett => rules([8_640, 11_520, 14_400], 168),
            Protocol::Exchange => rules([share(0.7), rows - share(0.2), rows], 2),
            Protocol::Ili => rules([share(0.7), rows - share(0.2), rows], 1),
            Protocol::ExchangeShort => Rules {
                borders: [5_921, 6_071, 6_221],
                scaler_rows: 6_071,
                lags: 2,
                stride: 30,
                drop_exact: false,
            },
            Protocol::Stocks => {
                let (train, validation, test) = (share(0.7), share(0.1), share(0.2));
                Rules {
                    borders: [train, train + validation, train + validation + test],
                    scaler_rows: train,
                    lags: 0,
                    stride: 1,
                    drop_exact: false,
                }
            }
        })
    }
}
