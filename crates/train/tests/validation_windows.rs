//! The number of validation windows that select the weights.

use std::fmt::Write;
use std::fs;

use feed::Part;
use train::{Config, Device, load};

/// Validation windows of a table of `rows` rows under a protocol that tests every 96th window.
fn windows(protocol: &str, rows: usize, horizon: usize, stride: usize) -> (i64, i64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    let mut text = String::from("t,a\n");
    for row in 0..rows {
        let _ = writeln!(text, "{row},{}", (row as f64 / 5.0).sin());
    }
    fs::write(&path, text).unwrap();
    let text = format!(
        "[data]\npath = '{}'\ncontext = 12\nhorizon = {horizon}\nsplit = {{ protocol = '{protocol}' }}\n\
        [noise]\nschedule = \"none\"\n[train]\nvalidation_stride = {stride}\n",
        path.display()
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let source = load(&config, Device::Cpu).unwrap();
    (source.windows(Part::Validation).count(), source.windows(Part::Test).count())
}

/// Oracle: counting by hand. With 3000 rows, the first 70 % train and the last 20 % test; 300 rows validate.
#[test]
fn a_divisor_of_the_stride_leaves_a_hundred_windows() {
    // Every 3rd row would leave (300 − 96) / 3 + 1 = 69; every 2nd is the first divisor of 96 with 100 or more.
    assert_eq!(windows("exchange", 3000, 96, 0), (103, 6));
    // Even a window at every row gives fewer than 100: 97 − 60 + 1, where the protocol has one.
    assert_eq!(windows("ili", 966, 60, 0).0, 38);
    // 12000 rows have enough by the protocol: ⌈(12000 − 24) / 96⌉.
    assert_eq!(windows("exchange", 120_000, 24, 0).0, 125);
}

#[test]
fn a_stride_that_is_asked_for_is_kept() {
    assert_eq!(windows("exchange", 3000, 96, 96).0, 3);
    // 288 rows validate: the protocol leaves out the third window, which ends at the border.
    assert_eq!(windows("exchange", 2876, 96, 96).0, 2);
    assert_eq!(windows("exchange", 3000, 96, 10).0, 21);
}
