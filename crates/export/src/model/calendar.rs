//! Calendar features from times, as crate `data` computes them.
//!
//! Days are converted to dates by whole numbers: H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.

use std::f64::consts::TAU;

use data::CalendarFeature;

use crate::graph::{Binary, Graph, Kind, Numbers, Unary, Value};

/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// Parts of a date that features are made of, whole numbers from zero.
struct Date {
    day_of_month: Value,
    days_in_month: Value,
    month: Value,
    day_of_year: Value,
    days_in_year: Value,
}

/// Sines and cosines of the features, `[.., 2·features]` in f32, of times `[..]` in microseconds.
pub(super) fn features(graph: &mut Graph, times: Value, features: &[CalendarFeature]) -> Value {
    let mut columns = Vec::new();
    for &feature in features {
        let phase = phase(graph, times, feature);
        columns.extend(pair(graph, phase, 1, 1.0));
    }
    stacked(graph, &columns)
}

/// The Fourier terms of the features, `[.., S]` in f32.
pub(super) fn terms(graph: &mut Graph, times: Value, features: &[CalendarFeature]) -> Value {
    let mut columns = Vec::new();
    for &feature in features {
        let phase = phase(graph, times, feature);
        let scale = (feature.pairs() as f64).sqrt().recip();
        for k in 1..=feature.pairs() {
            columns.extend(pair(graph, phase, k, scale));
        }
    }
    stacked(graph, &columns)
}

/// `scale · sin(2π k φ)` and the cosine.
fn pair(graph: &mut Graph, phase: Value, k: usize, scale: f64) -> [Value; 2] {
    let angle = graph.with(Binary::Mul, phase, TAU * k as f64);
    [Unary::Sin, Unary::Cos].map(|wave| {
        let value = graph.unary(wave, angle);
        let value = graph.with(Binary::Mul, value, scale);
        graph.cast(value, Kind::F32)
    })
}

/// Columns as a new last axis.
fn stacked(graph: &mut Graph, columns: &[Value]) -> Value {
    let rank = graph.shape(columns[0]).len();
    let columns: Vec<Value> = columns.iter().map(|&column| graph.unsqueeze(column, rank)).collect();
    graph.concat(&columns, rank)
}

/// The position in the cycle, in [0, 1), in f64.
fn phase(graph: &mut Graph, times: Value, feature: CalendarFeature) -> Value {
    let day = graph.with(Binary::FloorDiv, times, DAY);
    match feature {
        CalendarFeature::Hour => {
            let within = graph.with(Binary::Mod, times, DAY);
            let within = graph.cast(within, Kind::F64);
            graph.with(Binary::Div, within, DAY)
        }
        CalendarFeature::Weekday => {
            // 1 January 1970 was a Thursday.
            let shifted = graph.with(Binary::Add, day, 3.0);
            let weekday = graph.with(Binary::Mod, shifted, 7.0);
            let weekday = graph.cast(weekday, Kind::F64);
            graph.with(Binary::Div, weekday, 7.0)
        }
        CalendarFeature::DayOfMonth => {
            let Date { day_of_month, days_in_month, .. } = date(graph, day);
            ratio(graph, day_of_month, days_in_month)
        }
        CalendarFeature::Month => {
            let month = date(graph, day).month;
            let month = graph.cast(month, Kind::F64);
            graph.with(Binary::Div, month, 12.0)
        }
        CalendarFeature::DayOfYear => {
            let Date { day_of_year, days_in_year, .. } = date(graph, day);
            ratio(graph, day_of_year, days_in_year)
        }
    }
}

fn ratio(graph: &mut Graph, part: Value, whole: Value) -> Value {
    let (part, whole) = (graph.cast(part, Kind::F64), graph.cast(whole, Kind::F64));
    graph.div(part, whole)
}

/// The date of a day since 1970.
fn date(graph: &mut Graph, day: Value) -> Date {
    use Binary::{Add, FloorDiv, Mod, Mul, Sub};
    // Eras of 400 years and years both begin on 1 March.
    let shifted = graph.with(Add, day, 719_468.0);
    let day_of_era = graph.with(Mod, shifted, 146_097.0);
    let leaps = [1460.0, 36_524.0, 146_096.0].map(|days| graph.with(FloorDiv, day_of_era, days));
    let without = graph.sub(day_of_era, leaps[0]);
    let without = graph.add(without, leaps[1]);
    let without = graph.sub(without, leaps[2]);
    let year = graph.with(FloorDiv, without, 365.0);
    let days = graph.with(Mul, year, 365.0);
    let fourths = graph.with(FloorDiv, year, 4.0);
    let hundredths = graph.with(FloorDiv, year, 100.0);
    let before = graph.add(days, fourths);
    let before = graph.sub(before, hundredths);
    let since_march = graph.sub(day_of_era, before);
    // Months from March, by five-month blocks of 153 days.
    let five = graph.with(Mul, since_march, 5.0);
    let five = graph.with(Add, five, 2.0);
    let from_march = graph.with(FloorDiv, five, 153.0);
    let first = graph.with(Mul, from_march, 153.0);
    let first = graph.with(Add, first, 2.0);
    let first = graph.with(FloorDiv, first, 5.0);
    let day_of_month = graph.sub(since_march, first);
    let month = graph.with(Add, from_march, 2.0);
    let month = graph.with(Mod, month, 12.0);
    // January and February belong to the year after.
    let ten = graph.number(9.0, from_march);
    let early = graph.binary(Binary::Greater, from_march, ten);
    let early = graph.cast(early, Kind::I64);
    let year = graph.add(year, early);
    let leap = leap(graph, year);
    let in_spring = graph.add(since_march, leap);
    let in_spring = graph.with(Add, in_spring, 59.0);
    let in_winter = graph.with(Sub, since_march, 306.0);
    let difference = graph.sub(in_winter, in_spring);
    let difference = graph.mul(early, difference);
    let day_of_year = graph.add(in_spring, difference);
    let days_in_year = graph.with(Add, leap, 365.0);
    let days_in_month = days_in_month(graph, month, leap);
    Date { day_of_month, days_in_month, month, day_of_year, days_in_year }
}

/// One where a year of its era is a leap year.
fn leap(graph: &mut Graph, year: Value) -> Value {
    let [fourth, hundredth, era] = [4.0, 100.0, 400.0].map(|years| {
        let rest = graph.with(Binary::Mod, year, years);
        let zero = graph.number(0.0, rest);
        let divides = graph.binary(Binary::Equal, rest, zero);
        graph.cast(divides, Kind::I64)
    });
    let leap = graph.sub(fourth, hundredth);
    graph.add(leap, era)
}

fn days_in_month(graph: &mut Graph, month: Value, leap: Value) -> Value {
    let days = vec![31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let table = graph.constant(Numbers::I64(days), &[12]);
    let one = graph.number(1.0, month);
    let february = graph.binary(Binary::Equal, month, one);
    let february = graph.cast(february, Kind::I64);
    // A sum over the months instead of a lookup, since months may have two axes.
    let rank = graph.shape(month).len();
    let (wide, numbers) = (graph.unsqueeze(month, rank), (0..12).collect());
    let numbers = graph.constant(Numbers::I64(numbers), &[12]);
    let this = graph.binary(Binary::Equal, wide, numbers);
    let this = graph.cast(this, Kind::I64);
    let days = graph.mul(this, table);
    let days = graph.reduce(crate::graph::Reduction::Sum, days, rank);
    let days = graph.select(days, rank, 0);
    let more = graph.mul(february, leap);
    graph.add(days, more)
}
