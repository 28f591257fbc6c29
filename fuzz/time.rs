//! Any lines as a time column.

#![no_main]

use std::fmt::Write;

use data::{CalendarFeature, DataConfig, Unsorted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let mut table = String::from("time,y\n");
    for (i, line) in text.lines().enumerate() {
        writeln!(table, "\"{}\",{i}", line.replace('"', "")).unwrap();
    }
    let mut config = DataConfig::new("fuzz.csv", 1, 1);
    config.time = Some("time".into());
    config.unsorted = Unsorted::Sort;
    config.frequency = input.first().is_some_and(|b| b % 2 == 1).then(|| "irregular".into());
    config.time_zone = input.last().is_some_and(|b| b % 2 == 1).then(|| "America/New_York".into());
    config.calendar = vec![CalendarFeature::Hour, CalendarFeature::DayOfYear];
    if let Ok(panel) = data::read_bytes(table.as_bytes(), &config) {
        for row in [0, panel.rows().saturating_sub(1)] {
            assert!(!panel.time(row).unwrap().is_empty());
        }
        for row in panel.values().chunks_exact(panel.channels().len()) {
            assert!(row[1..].iter().all(|v| (-1.0..=1.0).contains(v)), "{row:?}");
        }
    }
});
