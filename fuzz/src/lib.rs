//! Fuzz targets: functions that take any bytes and panic where a promise is broken.
//!
//! Each reads whole files, through the public functions, and must end in a value or in a typed error. Both
//! `cargo xtask fuzz` and libFuzzer drive them.

mod event_file;
pub mod mutate;
mod reports;
mod seeds;
mod targets;
#[cfg(feature = "train")]
mod training;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Valid inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something to it, beside those for all targets.
    pub words: fn() -> Vec<String>,
    /// Bytes of its longest input: small ones are fast, and find as much.
    pub longest: usize,
    /// Executions in the gate: a few seconds of them.
    pub few: u64,
}

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds, words: Vec::new, longest: 4_000, few: 20_000 }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("table", targets::table, || seeds::of("table")),
    target("time", targets::time, || seeds::of("time")),
    target("number", targets::number, || seeds::of("number")),
    target("check", targets::check, || seeds::of("table")),
    target("pipeline", targets::pipeline, || seeds::of("pipeline")),
    target("stored", targets::stored, seeds::stored),
    #[cfg(feature = "parquet")]
    target("parquet", targets::parquet, seeds::parquet),
    Target { longest: 8_000, ..target("reports", reports::reports, || seeds::of("reports")) },
    Target {
        words: event_file::words,
        ..target("events", event_file::events, || seeds::of("events"))
    },
    #[cfg(feature = "train")]
    Target { words: training::words, ..target("config", training::config, training::configs) },
    #[cfg(feature = "train")]
    Target {
        words: training::extremes,
        few: 2_000,
        ..target("checkpoint", training::checkpoint, training::notes)
    },
    #[cfg(feature = "train")]
    Target {
        words: training::extremes,
        longest: 24_000,
        few: 2_000,
        ..target("run", training::run, training::runs)
    },
];
