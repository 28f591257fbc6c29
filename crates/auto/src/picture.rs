//! A fan chart of a forecast behind the history of its series.

use chart::{Chart, Color, escape};
use record::{Forecast, SeriesForecast};

use crate::report::{Report, list};
use crate::table::Table;

/// Seasons of history in a picture, or this many horizons without a season.
const SHOWN: usize = 4;

/// A self-contained SVG of the forecast of one channel of one series: the last rows, the median, and a band between
/// the outermost and the next levels.
pub fn picture(
    table: &Table,
    forecast: &Forecast,
    series: &SeriesForecast,
    channel: usize,
) -> String {
    let index =
        table.panel.series().iter().position(|other| other.name() == series.name).unwrap_or(0);
    let mut values = table.panel.target(index, channel);
    values.truncate(table.known.get(index).copied().unwrap_or(0));
    let horizon = series.times.len();
    let season = table.seasons.first().copied().unwrap_or(horizon).max(horizon);
    let shown = values.len().min((SHOWN * season).max(24));
    let first = values.len() - shown;
    let start = table.panel.series().get(index).map_or(0, |series| series.rows().start);
    let past = (first..values.len()).map(|row| table.panel.time(start + row).unwrap_or_default());
    let times = short(past.chain(series.times.iter().cloned()).collect());
    let xs: Vec<f64> = (0..times.len()).map(|x| x as f64).collect();
    // The fan opens at the last known value.
    let last = values.last().copied().filter(|value| value.is_finite());
    let ahead = &xs[shown - usize::from(last.is_some())..];
    let joined = |values: &mut dyn Iterator<Item = f64>| last.into_iter().chain(values).collect();
    let at = |level: usize| -> Vec<f64> {
        joined(&mut series.quantiles.iter().map(|step| step[channel][level]))
    };
    let name = &forecast.channels[channel];
    let title = if forecast.named { format!("{name}, {}", series.name) } else { name.clone() };
    let mut chart = Chart::new(title).size(720.0, 320.0).x_sequence(times);
    let pairs = (0..forecast.levels.len() / 2).map(|low| (low, forecast.levels.len() - 1 - low));
    let share = |(low, high)| 100.0 * (forecast.levels[high] - forecast.levels[low]);
    let label = intervals(&pairs.clone().rev().map(share).collect::<Vec<f64>>());
    for (low, high) in pairs {
        chart = chart.band(&label, ahead, &at(low), &at(high)).color(Color::Blue);
    }
    let median = forecast.levels.iter().position(|level| (level - 0.5).abs() < 1e-9);
    let (label, center) = match median {
        Some(level) => ("median", at(level)),
        None => ("mean", joined(&mut series.mean.iter().map(|step| step[channel]))),
    };
    chart
        .line("known", &xs[..shown], &values[first..])
        .color(Color::Muted)
        .line(label, ahead, &center)
        .color(Color::Blue)
        .render()
}

/// `50, 80 and 90 % intervals`.
pub(crate) fn intervals(shares: &[f64]) -> String {
    let shares: Vec<String> = shares.iter().map(|share| format!("{share:.0}")).collect();
    let noun = if shares.len() == 1 { "interval" } else { "intervals" };
    format!("{} % {noun}", list(&shares))
}

/// Times without what is the same in all of them by their step: seconds, the time of day, the first of a month, January.
pub(crate) fn short(mut times: Vec<String>) -> Vec<String> {
    for (length, ending) in [(19, ":00"), (16, " 00:00"), (10, "-01"), (7, "-01")] {
        if times.iter().all(|time| time.len() == length && time.ends_with(ending)) {
            times.iter_mut().for_each(|time| time.truncate(length - ending.len()));
        }
    }
    times
}

/// An HTML page that loads nothing: the report, and the charts below it.
pub fn page(report: &Report, charts: &[String]) -> String {
    let warnings: String = report
        .warnings
        .iter()
        .map(|warning| format!("<p><strong>Warning:</strong> {}</p>\n", escape(warning)))
        .collect();
    let text = format!("{} {} {}", report.found, report.rests_on, report.past);
    html("Forecast", &format!("<p>{}</p>\n{warnings}{}", escape(&text), charts.join("\n")))
}

/// A page that loads nothing.
pub(crate) fn html(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>:root {{ color-scheme: light dark }} body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; \
         margin: 2rem auto; padding: 0 1rem }} svg {{ width: 100%; height: auto }} table {{ border-spacing: .8rem 0; font-size: .9em }} \
         td {{ text-align: right; white-space: nowrap }} th {{ text-align: left }} th:first-child {{ white-space: nowrap }}</style>\n{body}\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_they_must_be() {
        let of = |times: &[&str]| short(times.iter().map(|time| (*time).to_owned()).collect());
        assert_eq!(
            of(&["2024-01-01 00:00:00", "2024-01-02 00:00:00"]),
            ["2024-01-01", "2024-01-02"]
        );
        assert_eq!(of(&["2024-01-01 00:00:00", "2024-01-01 01:00:00"])[1], "2024-01-01 01:00");
        assert_eq!(of(&["2024-01-01", "2024-02-01"]), ["2024-01", "2024-02"]);
        assert_eq!(of(&["2024-01-01", "2025-01-01"]), ["2024", "2025"]);
        assert_eq!(of(&["2024-01-01 00:00:00", "2024-02-01 00:00:00"])[1], "2024-02");
        assert_eq!(of(&["2024-01-01 00:00:30"])[0], "2024-01-01 00:00:30");
        assert_eq!(intervals(&[50.0, 80.0, 90.0]), "50, 80 and 90 % intervals");
    }
}
