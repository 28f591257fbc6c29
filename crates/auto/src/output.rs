//! A pooled forecast as the table that is written.

use pool::Quantiles;
use record::{Forecast, RecordError, SeriesForecast};
use train::TrainError;

use crate::fit::{Fitted, UnitForecast};
use crate::table::Table;

/// The form of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Levels of the quantiles, ascending, each in (0, 1).
    pub levels: Vec<f64>,
    /// Number of sample paths; 0 for none.
    pub samples: usize,
}

impl Default for Form {
    fn default() -> Form {
        Form { levels: vec![0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95], samples: 0 }
    }
}

/// Forecasts the horizon after the known rows of a table, and after earlier rows, each a list of ends per series.
///
/// # Errors
/// As [`Fitted::forecast`]; [`RecordError::Refused`] if no series can be forecast.
pub fn forecast(
    fitted: &mut Fitted,
    table: &Table,
    origins: &[Vec<usize>],
    form: &Form,
) -> Result<Forecast, TrainError> {
    let panel = &table.panel;
    let reading = panel.reading();
    let channels = panel.channels();
    let time_column = match reading.time_columns() {
        [only] => only.clone(),
        _ => "time".to_owned(),
    };
    let mut forecast = Forecast {
        time_column,
        series_column: reading.id_column().unwrap_or("series").to_owned(),
        named: reading.id_column().is_some() || panel.series().len() > 1,
        channels: channels.names()[channels.targets()].to_vec(),
        levels: form.levels.clone(),
        ..Forecast::default()
    };
    for (series, _) in panel.series().iter().zip(&table.known).filter(|(_, known)| **known == 0) {
        let (series, reason) = (series.name().to_owned(), "it has no value".to_owned());
        forecast.left_out.push(data::LeftOut { series, reason });
    }
    for ends in origins {
        let units = fitted.forecast(table, ends)?;
        for of_series in units.chunks(forecast.channels.len().max(1)) {
            // Series without a row at this origin are not among the units.
            let first = of_series[0].series * forecast.channels.len();
            let Some(series) = series(fitted, table, first, of_series, ends, form)? else {
                let name = panel.series()[of_series[0].series].name().to_owned();
                let reason = "no method can be fitted to its rows".to_owned();
                let left_out = data::LeftOut { series: name, reason };
                if !forecast.left_out.contains(&left_out) {
                    forecast.left_out.push(left_out);
                }
                continue;
            };
            let origin =
                (origins.len() > 1).then(|| origin(table, &of_series[0], ends)).transpose()?;
            forecast.series.push(SeriesForecast { origin, ..series });
        }
    }
    match (forecast.series.as_slice(), forecast.left_out.first()) {
        ([], Some(first)) => Err(none(table, first)),
        _ => Ok(forecast),
    }
}

/// The error for a table without a series that can be forecast.
fn none(table: &Table, first: &data::LeftOut) -> TrainError {
    let data::LeftOut { series, reason } = first;
    let rows = table.known.iter().copied().max().unwrap_or(0);
    let reason = format!(
        "no series can be forecast: `{series}`, {reason}; the longest one has {rows} row{}",
        if rows == 1 { "" } else { "s" }
    );
    let hint = "give more rows with a value".to_owned();
    RecordError::Refused { path: table.path().to_owned(), reason, hint }.into()
}

/// The time of the last known row.
fn origin(table: &Table, unit: &UnitForecast, ends: &[usize]) -> Result<String, TrainError> {
    let row = table.panel.series()[unit.series].rows().start + ends[unit.series] - 1;
    Ok(table.panel.time(row)?)
}

/// The forecast of one series from those of its channels; `None` if one of them has none.
fn series(
    fitted: &Fitted,
    table: &Table,
    first: usize,
    units: &[UnitForecast],
    ends: &[usize],
    form: &Form,
) -> Result<Option<SeriesForecast>, TrainError> {
    let horizon = table.horizon();
    let Some(pooled) = units.iter().map(|unit| unit.pooled.as_ref()).collect::<Option<Vec<_>>>()
    else {
        return Ok(None);
    };
    let mut samples = vec![vec![Vec::new(); horizon]; form.samples];
    for (offset, unit) in units.iter().enumerate().filter(|_| form.samples > 0) {
        let Some(paths) = fitted.paths(first + offset, &unit.members, form.samples) else {
            return Ok(None);
        };
        for (sample, path) in samples.iter_mut().zip(paths.iter()) {
            sample.iter_mut().zip(path).for_each(|(step, value)| step.push(*value));
        }
    }
    let series = units[0].series;
    let by_step = |of: &dyn Fn(&Quantiles, usize) -> Vec<f64>| -> Vec<Vec<Vec<f64>>> {
        (0..horizon).map(|step| pooled.iter().map(|q| of(q, step)).collect()).collect()
    };
    let quantiles =
        by_step(&|q, step| form.levels.iter().map(|level| q.at(step, *level)).collect());
    let mean = (0..horizon).map(|step| pooled.iter().map(|q| q.mean(step)).collect()).collect();
    let name = table.panel.series()[series].name().to_owned();
    let times = table.panel.times_after(series, ends[series], horizon)?;
    Ok(Some(SeriesForecast { name, origin: None, times, mean, quantiles, samples }))
}
