//! Tables as people have them, and what is right for each: times and numbers that a guess would read wrong.

mod files;
mod later;
mod neighbors;
mod numbers;
mod times;
mod units;
mod written;

use std::fmt::Write;

use data::Panel;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Span, ToSpan};
use proptest::prelude::*;

use crate::support::{Folder, load_with, message, read, read_with};

/// `count` dates `step` apart.
fn dates(start: Date, count: i64, step: impl Fn(i64) -> Span) -> Vec<Date> {
    (0..count).map(|i| start.checked_add(step(i)).unwrap()).collect()
}

fn months(count: i64) -> Vec<Date> {
    dates(date(2010, 1, 1), count, |i| i.months())
}

/// A table of times, each written by `show`, and values that go up by a half.
fn table<T>(
    header: &str,
    delimiter: char,
    times: &[T],
    mut show: impl FnMut(&T) -> String,
) -> String {
    times.iter().enumerate().fold(format!("{header}\n"), |mut text, (i, time)| {
        writeln!(text, "{}{delimiter}{}", show(time), i / 2).unwrap();
        text
    })
}

fn step(panel: &Panel) -> String {
    panel.frequency().to_string()
}

fn first_and_last(panel: &Panel) -> [String; 2] {
    [panel.time(0).unwrap(), panel.time(panel.rows() - 1).unwrap()]
}

/// The times after the table, as a model with horizon 3 forecasts them.
fn ahead(content: &str, keys: &str) -> Vec<String> {
    let split = "context = 4\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }\n";
    let pipeline = load_with(content, &format!("{split}{keys}")).unwrap().pipeline;
    let folder = Folder::new();
    let input = pipeline.forecast_input(&folder.write("t.csv", content)).unwrap();
    input.times(0).unwrap()
}
