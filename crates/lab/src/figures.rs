//! Figures that several kinds of experiment show.

use chart::{Chart, Color};
use jiff::civil::DateTime;
use record::{Calibration, Fan};

use crate::number::plain;
use crate::page::Figure;

/// A forecast of one window: intervals and median beside the truth, after some of the context.
pub(crate) fn fan(fan: &Fan) -> Figure {
    let horizon = fan.target.len();
    let skipped = fan.context.len().saturating_sub(4 * horizon);
    let times: Vec<String> = fan.times[skipped..].iter().map(|time| short(time)).collect();
    let mut seen = fan.context[skipped..].to_vec();
    let first = seen.len();
    let xs: Vec<f64> = (0..first + horizon).map(|i| i as f64).collect();
    seen.extend(&fan.target);
    let ahead = &xs[first..];
    let dated = fan.times.last().is_some_and(|time| date(time).is_some());
    let year = fan.times.last().and_then(|time| time.get(..4)).unwrap_or("");
    let mut chart = Chart::new(format!("A {} window", fan.label))
        .id(format!("fan-{}", fan.label))
        .x(if dated { year } else { "time" })
        .y(format!("{}, original units", fan.channel))
        .x_sequence(times);
    let levels = fan.levels.len();
    for inner in 0..levels / 2 {
        let outer = levels - 1 - inner;
        let share = 100.0 * (fan.levels[outer] - fan.levels[inner]);
        let name = format!("{share:.0} % interval");
        chart = chart
            .band(name, ahead, &fan.quantiles[inner], &fan.quantiles[outer])
            .color(if inner == 0 { Color::Sky } else { Color::Blue });
    }
    if levels % 2 == 1 {
        chart = chart.line("median", ahead, &fan.quantiles[levels / 2]).color(Color::Blue);
    }
    chart = chart.line("truth", &xs, &seen).color(Color::Ink);
    chart = chart.vertical_rule("", first as f64 - 0.5);
    let (window, crps) = (fan.window, plain(fan.crps));
    Figure {
        svg: chart.render(),
        caption: format!(
            "Test window {window}, standardized CRPS {crps}. The rule marks the start of the forecast."
        ),
    }
}

fn date(time: &str) -> Option<DateTime> {
    // A date alone is midnight.
    time.parse().ok().or_else(|| Some(time.get(..10)?.parse::<jiff::civil::Date>().ok()?.into()))
}

/// `2015-01-05 06:00` as `5 Jan 06:00`; anything else as it is.
fn short(time: &str) -> String {
    let Some(date) = date(time) else { return time.to_owned() };
    let clock = if date.time() == jiff::civil::Time::midnight() { "" } else { " %H:%M" };
    date.strftime(&format!("%-d %b{clock}")).to_string()
}

/// An empty chart of nominal against observed probability, with its diagonal.
pub(crate) fn calibration_chart(title: &str) -> Chart {
    Chart::new(title)
        .size(440.0, 440.0)
        .x("quantile level")
        .y("share of the truth below it")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0)
        .line("perfect", &[0.0, 1.0], &[0.0, 1.0])
        .color(Color::Muted)
        .dashed()
}

/// Levels and mean observed shares of several runs. Kept runs of other code may have other levels than the first;
/// they are left out.
pub(crate) fn mean_calibration<'a>(
    curves: impl Iterator<Item = &'a Calibration>,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let curves: Vec<&Calibration> = curves.collect();
    let levels = curves.first()?.levels.clone();
    let same: Vec<_> = curves.iter().filter(|curve| curve.levels == levels).collect();
    let at = |level| stats::mean(&same.iter().map(|c| c.observed[level]).collect::<Vec<_>>());
    let observed = (0..levels.len()).map(at).collect();
    Some((levels, observed))
}

/// The mean over runs of a value at each epoch, as far as every run has the epoch and a value.
pub(crate) fn over_epochs(
    runs: &[&[record::Epoch]],
    value: impl Fn(&record::Epoch) -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let shortest = runs.iter().map(|epochs| epochs.len()).min().unwrap_or(0);
    let at = |place: usize| {
        let values: Vec<f64> = runs.iter().map(|epochs| value(&epochs[place])).collect();
        let mean = stats::mean(&values);
        mean.is_finite().then_some((runs[0][place].epoch as f64, mean))
    };
    (0..shortest).filter_map(at).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_short() {
        for (time, expected) in [
            ("2015-01-05", "5 Jan"),
            ("2015-11-25T06:00:00", "25 Nov 06:00"),
            ("2015-11-25 06:30", "25 Nov 06:30"),
            ("2015-11-25 00:00:00", "25 Nov"),
            ("1042", "1042"),
        ] {
            assert_eq!(short(time), expected);
        }
    }
}
