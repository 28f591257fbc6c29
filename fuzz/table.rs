//! Any bytes as a CSV file.

#![no_main]

use data::{DataConfig, Duplicates, Fill, ScaleConfig, ScaleKind, Transform, Unsorted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, content)) = input.split_first() else { return };
    let bit = |n: u8| choice >> n & 1 == 1;
    let mut config = DataConfig::new("fuzz.csv", 2, 1);
    config.header = !bit(0);
    if bit(1) {
        config.unsorted = Unsorted::Sort;
        config.duplicates = Duplicates::Mean;
    }
    config.fill = if bit(2) { Fill::Interpolate } else { Fill::Mask };
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
    match data::read_bytes(content, &config) {
        Ok(panel) => {
            let (cells, mask) = (panel.values().len(), panel.observed().map(<[bool]>::len));
            assert_eq!(cells, panel.rows() * panel.channels().len());
            assert!(mask.is_none_or(|m| m == cells));
            assert!(panel.values().iter().all(|v| !v.is_infinite()), "no infinity passes");
            let hidden = |i: usize| panel.observed().is_some_and(|o| !o[i]);
            assert!(panel.values().iter().enumerate().all(|(i, v)| v.is_nan() == hidden(i)));
            if panel.rows() > 0 {
                assert!(!panel.time(panel.rows() - 1).unwrap().is_empty());
            }
            if let Ok(prepared) = data::prepare(&config, panel) {
                let last = prepared.windows.test.len().saturating_sub(1);
                if let Some(rows) = prepared.windows.test.targets(last) {
                    assert!(rows.end <= prepared.panel.rows());
                }
            }
        }
        Err(error) => assert!(error.to_string().len() < 20_000),
    }
});
