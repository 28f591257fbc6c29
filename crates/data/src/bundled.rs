//! Data that comes with the crate; provenance and license in `bundled/README.md`.

use crate::error::DataError;

/// Daily weather of Seattle, 2012 to 2015 (NOAA, public domain).
pub const SEATTLE_WEATHER: &[u8] = include_bytes!("../bundled/seattle-weather.csv");

/// Names that `source` accepts.
pub const NAMES: [&str; 1] = ["seattle-weather"];

pub(crate) fn find(name: &str) -> Result<&'static [u8], DataError> {
    match name {
        "seattle-weather" => Ok(SEATTLE_WEATHER),
        _ => Err(DataError::Config {
            key: "source",
            value: format!("{name:?}"),
            expected: format!("a bundled data set ({}), or `path` for a file", NAMES.join(", ")),
        }),
    }
}
