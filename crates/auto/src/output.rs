//! A pooled forecast as the table that is written.

use classical::Method;
use pool::Quantiles;
use record::{Forecast, RecordError, SeriesForecast};
use train::TrainError;

use crate::fit::{Fitted, UnitForecast};
use crate::names::NETWORK;
use crate::table::Table;

/// The form of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Levels of the quantiles, ascending, each in (0, 1).
    pub levels: Vec<f64>,
    /// Number of sample paths; 0 for none.
    pub samples: usize,
    /// The member that forecasts by itself; the pool without one.
    pub member: Option<String>,
}

impl Default for Form {
    fn default() -> Form {
        Form { levels: vec![0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95], samples: 0, member: None }
    }
}

/// Forecasts the horizon after the known rows of a table, and after earlier rows, each a list of ends per series.
///
/// # Errors
/// As [`Fitted::forecast`]; [`RecordError::Refused`] if no series can be forecast; [`TrainError::Config`] if there is no
/// such member.
pub fn forecast(
    fitted: &mut Fitted,
    table: &Table,
    origins: &[Vec<usize>],
    form: &Form,
) -> Result<Forecast, TrainError> {
    let member = form.member.as_deref();
    let member = member.map(|name| place(fitted.members(), name, "is no member of this pool"));
    let member = member.transpose()?;
    let panel = &table.panel;
    let reading = panel.reading();
    let channels = panel.channels();
    let time_column = match reading.time_columns() {
        [only] => only.clone(),
        _ => "time".to_owned(),
    };
    let mut forecast = Forecast {
        time_column,
        time_zone: panel.time_zone(),
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
        let mut units = fitted.forecast(table, ends)?;
        if let Some(member) = member {
            units.iter_mut().for_each(|unit| fitted.leave(unit, member));
        }
        for of_series in units.chunks(forecast.channels.len().max(1)) {
            let Some(series) = series(fitted, table, of_series, ends, form)? else {
                let name = panel.series()[of_series[0].series].name().to_owned();
                let reason = match &form.member {
                    Some(member) => format!("`{member}` cannot be fitted to its rows"),
                    None => "no method can be fitted to its rows".to_owned(),
                };
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
        ([], Some(first)) => Err(none(table, first, form)),
        _ => Ok(forecast),
    }
}

/// Checks that a member has a name that some pool has: fitting takes time.
///
/// # Errors
/// [`TrainError::Config`], which lists the names.
pub fn check_member(name: &str) -> Result<(), TrainError> {
    let methods = Method::ALL.into_iter().map(|method| method.name().to_owned());
    let members: Vec<String> = methods.chain([NETWORK.to_owned()]).collect();
    place(&members, name, "is no member of any pool").map(|_| ())
}

/// The place of a member among others.
fn place(members: &[String], name: &str, fault: &str) -> Result<usize, TrainError> {
    members.iter().position(|member| member == name).ok_or_else(|| {
        let names: Vec<String> = members.iter().map(|member| format!("`{member}`")).collect();
        let error = train::ConfigError::Invalid {
            origin: "--member".to_owned(),
            message: format!("`{name}` {fault}"),
            hint: Some(format!("the members are {}", names.join(", "))),
        };
        error.into()
    })
}

/// The error for a table without a series that can be forecast.
fn none(table: &Table, first: &data::LeftOut, form: &Form) -> TrainError {
    let data::LeftOut { series, reason } = first;
    let rows = table.known.iter().copied().max().unwrap_or(0);
    let reason = format!(
        "no series can be forecast: `{series}`, {reason}; the longest one has {rows} row{}",
        if rows == 1 { "" } else { "s" }
    );
    let hint = match form.member {
        Some(_) => "leave out `--member`".to_owned(),
        None => "give more rows with a value".to_owned(),
    };
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
    for unit in units.iter().filter(|_| form.samples > 0) {
        let Some(paths) = fitted.paths(unit, form.samples) else {
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
