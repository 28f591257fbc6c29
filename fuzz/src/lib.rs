//! Fuzz targets of `data`: functions that take any bytes and panic where a promise is broken.
//!
//! Each reads whole files, through the public functions, and must end in data or in a `DataError`. Both
//! `cargo xtask fuzz` and libFuzzer drive them.

pub mod mutate;
mod seeds;
mod targets;

/// One target.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Valid inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "table", run: targets::table, seeds: || seeds::of("table") },
    Target { name: "time", run: targets::time, seeds: || seeds::of("time") },
    Target { name: "number", run: targets::number, seeds: || seeds::of("number") },
    Target { name: "check", run: targets::check, seeds: || seeds::of("table") },
    Target { name: "pipeline", run: targets::pipeline, seeds: || seeds::of("pipeline") },
    Target { name: "stored", run: targets::stored, seeds: seeds::stored },
    #[cfg(feature = "parquet")]
    Target { name: "parquet", run: targets::parquet, seeds: seeds::parquet },
];
