//! The targets. The last two bytes of an input choose the settings, the bytes before them are the content.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use data::{
    CalendarFeature, DataConfig, Duplicates, Fill, Init, Panel, Pipeline, ScaleConfig, ScaleKind,
    Transform, Unsorted,
};

/// The longest message that a user should see.
pub(crate) const LONGEST_MESSAGE: usize = 20_000;

/// The line between two tables of one input.
pub(crate) const NEXT: &[u8] = b"\n===\n";

/// The content, and a configuration from the last two bytes.
fn settings(input: &[u8]) -> Option<(&[u8], DataConfig, u8)> {
    let (content, &[first, second]) = input.split_last_chunk()?;
    let bit = |n: u8| first >> n & 1 == 1;
    let mut config = DataConfig::new("fuzz.csv", 2, 1);
    config.header = second % 8 != 7;
    if bit(0) {
        config.unsorted = Unsorted::Sort;
        config.duplicates = Duplicates::Mean;
    }
    config.fill =
        [Fill::Mask, Fill::Interpolate, Fill::Zero, Fill::Forward][usize::from(first >> 1 & 3)];
    config.transform = match (bit(3), bit(4)) {
        (false, false) => Transform::None,
        (false, true) => Transform::Log,
        (true, false) => Transform::Difference,
        (true, true) => Transform::Return,
    };
    if bit(5) {
        config.id = Some("id".into());
    }
    if bit(6) {
        config.time_zone = Some("Europe/Berlin".into());
    }
    if bit(7) {
        config.scale = ScaleConfig { kind: ScaleKind::Robust, ..ScaleConfig::default() };
    }
    let steps = ["1d", "month", "business-day", "irregular", "quarter", "1h"];
    config.frequency = steps.get(usize::from(second >> 3 & 15)).map(|&step| step.to_owned());
    if second % 8 == 3 {
        config.calendar = vec![CalendarFeature::Hour, CalendarFeature::DayOfYear];
    }
    Some((content, config, second))
}

/// Any bytes as a CSV file: read, prepared for training, and taken back to original units.
pub(crate) fn table(input: &[u8]) {
    let Some((content, config, _)) = settings(input) else { return };
    match data::read_bytes(content, &config) {
        Ok(panel) => {
            consistent(&panel);
            let Ok(prepared) = data::prepare(&config, panel) else { return };
            let last = prepared.windows.test.len().saturating_sub(1);
            if let Some(rows) = prepared.windows.test.targets(last) {
                assert!(rows.end <= prepared.panel.rows(), "targets lie in the panel");
            }
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

fn consistent(panel: &Panel) {
    let (cells, mask) = (panel.values().len(), panel.observed().map(<[bool]>::len));
    assert_eq!(cells, panel.rows() * panel.channels().len());
    assert!(mask.is_none_or(|m| m == cells), "a mask for every cell");
    assert!(panel.values().iter().all(|v| !v.is_infinite()), "no infinity passes");
    let hidden = |i: usize| panel.observed().is_some_and(|o| !o[i]);
    assert!(
        panel.values().iter().enumerate().all(|(i, v)| v.is_nan() == hidden(i)),
        "NaN is hidden"
    );
    for row in [0, panel.rows().saturating_sub(1)] {
        assert!(panel.rows() == 0 || !panel.time(row).unwrap().is_empty());
    }
    assert!(!panel.reading().describe().is_empty());
}

/// Any lines as a column of a table with a second one.
fn column(content: &[u8], name: &str, other: &str) -> String {
    let text = String::from_utf8_lossy(content);
    let mut table = format!("{other},{name}\n");
    for (i, line) in text.lines().enumerate() {
        writeln!(table, "{i},\"{}\"", line.replace('"', "")).unwrap();
    }
    table
}

/// Any lines as a time column.
pub(crate) fn time(input: &[u8]) {
    let Some((content, mut config, _)) = settings(input) else { return };
    let table = column(content, "time", "y");
    config.header = true;
    config.id = None;
    config.time = Some("time".into());
    config.calendar = vec![CalendarFeature::Hour, CalendarFeature::DayOfYear];
    match data::read_bytes(table.as_bytes(), &config) {
        Ok(panel) => {
            for row in [0, panel.rows().saturating_sub(1)] {
                assert!(!panel.time(row).unwrap().is_empty());
            }
            for row in panel.values().chunks_exact(panel.channels().len()) {
                assert!(row[1..].iter().all(|v| (-1.0..=1.0).contains(v)), "{row:?}");
            }
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

/// Any lines as a column of numbers, with or without their signs given.
pub(crate) fn number(input: &[u8]) {
    let Some((content, mut config, second)) = settings(input) else { return };
    let table = column(content, "y", "row");
    config.header = true;
    config.id = None;
    config.frequency = None;
    config.calendar = Vec::new();
    config.time = Some("row".into());
    (config.decimal, config.thousands) = match second % 8 {
        0 => (Some('.'), None),
        1 => (Some(','), None),
        2 => (Some('.'), Some(',')),
        3 => (Some(','), Some('.')),
        4 => (Some('.'), Some(' ')),
        _ => (None, None),
    };
    match data::read_bytes(table.as_bytes(), &config) {
        Ok(panel) => {
            consistent(&panel);
            let _ = data::prepare(&config, panel); // either way, without a panic
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

/// Any bytes as a file to describe and to propose a configuration for; what is proposed is taken.
pub(crate) fn check(input: &[u8]) {
    let Some((content, mut config, second)) = settings(input) else { return };
    let file = write("check.csv", content);
    config.path = Some(file);
    let base = Path::new("");
    match data::check(&config, base) {
        Ok(description) => drop(serde_json::to_string(&description).unwrap()),
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
    let lengths = if second % 2 == 0 { (None, None) } else { (Some(1), Some(2)) };
    let wishes = Init { data: config, horizon: lengths.0, context: lengths.1 };
    if let Ok(initial) = data::init(&wishes, base) {
        initial.config.validate().expect("a proposed configuration is valid");
        let _ = data::load(&initial.config, base);
    }
}

/// A table to train on, and a new one to forecast: the pipeline goes through JSON on its way.
pub(crate) fn pipeline(input: &[u8]) {
    let Some((content, config, _)) = settings(input) else { return };
    let (old, new) = halves(content);
    let Some(json) = train(old, &config) else { return };
    let pipeline: Pipeline = serde_json::from_slice(&json).expect("a stored pipeline is read");
    forecast(&pipeline, new);
    forecast(&pipeline, old);
}

/// A stored pipeline, as any bytes, and a new table to forecast.
pub(crate) fn stored(input: &[u8]) {
    let (json, new) = halves(input);
    if let Ok(pipeline) = serde_json::from_slice(json) {
        forecast(&pipeline, new);
    }
}

/// The JSON of the pipeline that `old` is trained with.
pub(crate) fn train(old: &[u8], config: &DataConfig) -> Option<Vec<u8>> {
    let panel = data::read_bytes(old, config).ok()?;
    let prepared = data::prepare(config, panel).ok()?;
    serde_json::to_vec(&prepared.pipeline).ok()
}

fn forecast(pipeline: &Pipeline, new: &[u8]) {
    let file = write("new.csv", new);
    match pipeline.forecast_input(&file) {
        Ok(input) => {
            let (horizon, targets) =
                (pipeline.config().horizon, pipeline.channels().targets().len());
            for series in 0..input.panel.series().len() {
                assert_eq!(input.times(series).unwrap().len(), horizon);
                let mut values = vec![0.5; horizon * targets];
                let _ = input.to_original(series, &mut values);
            }
            for window in 0..input.windows.len() {
                assert!(input.windows.origin(window).unwrap() + horizon <= input.panel.rows());
            }
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

/// Any bytes as a Parquet file.
#[cfg(feature = "parquet")]
pub(crate) fn parquet(input: &[u8]) {
    let Some((content, mut config, _)) = settings(input) else { return };
    config.path = Some(write("fuzz.parquet", content));
    config.format = data::Format::Parquet;
    match data::read(&config, Path::new("")) {
        Ok(panel) => {
            consistent(&panel);
            let _ = data::prepare(&config, panel); // either way, without a panic
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE),
    }
}

/// The parts before and after the line [`NEXT`].
pub(crate) fn halves(content: &[u8]) -> (&[u8], &[u8]) {
    let at = content.windows(NEXT.len()).position(|window| window == NEXT);
    at.map_or((content, content), |at| (&content[..at], &content[at + NEXT.len()..]))
}

/// A file of this thread.
pub(crate) fn write(name: &str, content: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// A folder of this thread, in memory where the system has such a folder.
pub(crate) fn folder() -> PathBuf {
    thread_local! {
        static FOLDER: tempfile::TempDir = {
            let memory = Path::new("/dev/shm");
            let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
            tempfile::tempdir_in(folder).unwrap()
        };
    }
    FOLDER.with(|folder| folder.path().to_owned())
}
