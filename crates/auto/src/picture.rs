//! A fan chart of a forecast behind the history of its series.

use chart::{Chart, Color, escape};
use record::{Forecast, SeriesForecast};

use crate::report::Report;
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
    let times: Vec<String> = past.chain(series.times.iter().cloned()).collect();
    let xs: Vec<f64> = (0..times.len()).map(|x| x as f64).collect();
    let ahead = &xs[shown..];
    let at = |level: usize| -> Vec<f64> {
        series.quantiles.iter().map(|step| step[channel][level]).collect()
    };
    let name = &forecast.channels[channel];
    let title = if forecast.named { format!("{name}, {}", series.name) } else { name.clone() };
    let mut chart = Chart::new(title).size(720.0, 320.0).x_sequence(times).y(name);
    for low in 0..forecast.levels.len() / 2 {
        let high = forecast.levels.len() - 1 - low;
        let share = 100.0 * (forecast.levels[high] - forecast.levels[low]);
        let label = format!("{share:.0} % interval");
        chart = chart.band(label, ahead, &at(low), &at(high)).color(Color::Blue);
    }
    let median = forecast.levels.iter().position(|level| (level - 0.5).abs() < 1e-9);
    let (label, center) = match median {
        Some(level) => ("median", at(level)),
        None => ("mean", series.mean.iter().map(|step| step[channel]).collect()),
    };
    chart
        .line("known", &xs[..shown], &values[first..])
        .color(Color::Muted)
        .line(label, ahead, &center)
        .color(Color::Blue)
        .render()
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
         margin: 2rem auto; padding: 0 1rem }} svg {{ width: 100%; height: auto }} table {{ border-spacing: 1rem 0 }} \
         td {{ text-align: right }} th {{ text-align: left }}</style>\n{body}\n</html>\n"
    )
}
