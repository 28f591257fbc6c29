//! A table as read → a panel: rows in order, gaps inserted, calendar features beside the channels.

use std::path::Path;

use super::table::Table;
use crate::calendar;
use crate::config::{CalendarFeature, DataConfig, Fill};
use crate::error::DataError;
use crate::finding::{Finding, FindingKind};
use crate::panel::{Channels, Panel, Series};
use crate::statics::{self, Encoder, Statics};
use crate::time::column::Times;
use crate::time::order::{Arranged, Origin, Policy, Slot, arrange};
use crate::time::parse::Written;
use crate::time::{self, Clock, Frequency, Timeline};

pub(crate) fn assemble(table: Table, config: &DataConfig, path: &Path) -> Result<Panel, DataError> {
    assemble_with(table, config, path, None, None)
}

/// As [`assemble`], with the step and the static encoders of a trained model.
pub(crate) fn assemble_with(
    mut table: Table,
    config: &DataConfig,
    path: &Path,
    expected: Option<Frequency>,
    encoders: Option<&[Encoder]>,
) -> Result<Panel, DataError> {
    if config.fill == Fill::Error && expected.is_none() {
        refuse_missing(&table)?;
    }
    let clock = clock(table.times.as_ref(), config)?;
    let stated = config.frequency.as_deref().map(str::parse::<Frequency>).transpose()?;
    let mut findings = Vec::new();
    let arranged = order(&mut table, config, &clock, stated, expected, &mut findings)?;
    let fatal = |f: &Finding| !f.is_note() || (config.fill == Fill::Error && is_gap(f));
    if findings.iter().any(fatal) {
        findings.retain(fatal);
        return Err(DataError::Timeline { path: path.to_path_buf(), findings });
    }
    let frequency = common(&arranged, expected);
    let width = table.channels.len();
    let values = apply(&mut table, &arranged, width);
    let past = config.past_covariates.len() + config.spreads.len();
    let first = table.targets + config.past_covariates.len();
    let values = spread(values, &mut table.channels, first, config.spreads.len());
    let width = table.channels.len();
    let (series, rows) = place(&table, arranged);
    let (statics, encoders) = static_covariates(&table, config, encoders, path)?;
    let names = std::mem::take(&mut table.channels);
    let future = config.future_covariates.len();
    let channels = Channels { names, targets: table.targets, past, future };
    let mut panel = Panel {
        path: path.to_path_buf(),
        values,
        observed: None,
        channels,
        series,
        statics,
        encoders,
        frequency,
        clock,
        findings,
        notes: table.notes,
    };
    debug_assert_eq!(panel.values.len(), rows * width);
    add_calendar(&mut panel, &config.calendar)?;
    mark_observed(&mut panel);
    Ok(panel)
}

fn is_gap(finding: &Finding) -> bool {
    matches!(finding.kind, FindingKind::Gap { .. })
}

fn refuse_missing(table: &Table) -> Result<(), DataError> {
    let width = table.channels.len();
    let missing = table.values.iter().filter(|v| v.is_nan()).count();
    let Some(cell) = table.values.iter().position(|v| v.is_nan()) else { return Ok(()) };
    let (row, channel) = (cell / width, cell % width);
    let series = &table.series[table.series.partition_point(|s| s.rows.end <= row)];
    Err(DataError::MissingValue {
        path: table.files[series.file].clone(),
        line: table.line(row),
        header: table.channels[channel].clone(),
        series: series.name.clone(),
        missing,
    })
}

fn clock(times: Option<&Times>, config: &DataConfig) -> Result<Clock, DataError> {
    let zone = config.time_zone.as_deref().map(Clock::in_zone).transpose()?;
    Ok(match times {
        None => Clock::Index,
        Some(times) if times.written == Written::Index => Clock::Index,
        Some(times) if times.has_offset => zone.unwrap_or(Clock::Zoned(jiff::tz::TimeZone::UTC)),
        Some(_) => zone.unwrap_or(Clock::Civil),
    })
}

/// Orders every series and brings them to one step.
fn order(
    table: &mut Table,
    config: &DataConfig,
    clock: &Clock,
    stated: Option<Frequency>,
    expected: Option<Frequency>,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Arranged>, DataError> {
    let Some(times) = table.times.take() else {
        let timeline = || Timeline::Grid { start: 0, frequency: Frequency::Index(1) };
        let numbered =
            || Arranged { slots: None, timeline: timeline(), frequency: Frequency::Index(1) };
        return Ok(table.series.iter().map(|_| numbered()).collect());
    };
    let naive = !times.has_offset;
    let mut rest = times.values;
    let mut each: Vec<Vec<i64>> = Vec::with_capacity(table.series.len());
    for series in table.series.iter().rev() {
        let mut own = match series.rows.start {
            0 => std::mem::take(&mut rest), // `split_off(0)` would copy
            start => rest.split_off(start),
        };
        if let (true, Clock::Zoned(zone)) = (naive, clock) {
            let mut before = None;
            for time in &mut own {
                *time = time::to_instant(zone, *time, before).unwrap_or(*time);
                before = Some(*time);
            }
        }
        each.push(own);
    }
    each.reverse();
    let policy = Policy {
        unsorted: config.unsorted,
        duplicates: config.duplicates,
        frequency: stated,
        stated: stated.is_some(),
        clock,
    };
    let run = |s: usize, times: &[i64], policy: &Policy<'_>, findings: &mut Vec<Finding>| {
        let series = &table.series[s];
        let line = |row: usize| table.line(series.rows.start + row);
        let path = table.files[series.file].clone();
        arrange(times, policy, &Origin { path, series: &series.name, line: &line }, findings)
    };
    if stated.is_some() {
        return Ok(each.iter().enumerate().map(|(s, t)| run(s, t, &policy, findings)).collect());
    }
    // The longest series sets the step; a shorter one may show too little of it (a week of business
    // days looks daily), so it only has to fit.
    let longest =
        (0..each.len()).max_by_key(|&s| (each[s].len(), std::cmp::Reverse(s))).unwrap_or(0);
    let common = match expected {
        Some(frequency) => frequency,
        None => run(longest, &each[longest], &policy, &mut Vec::new()).frequency,
    };
    let mut all = Vec::with_capacity(each.len());
    for (s, times) in each.into_iter().enumerate() {
        let mut own = Vec::new();
        let fitted = Policy { frequency: Some(common), ..policy };
        let arranged = run(s, &times, &fitted, &mut own);
        let wrong_step = |f: &Finding| {
            use FindingKind::{MixedFrequency, OffGrid, Sparse};
            matches!(f.kind, OffGrid { .. } | Sparse { .. } | MixedFrequency { .. })
        };
        if own.iter().any(wrong_step) {
            let mut free = Vec::new();
            let own_step = run(s, &times, &policy, &mut free).frequency;
            if own_step != common && !free.iter().any(wrong_step) {
                let series = &table.series[s];
                let (path, name) = (table.files[series.file].clone(), series.name.clone());
                let (found, expected_step) = (own_step.to_string(), common.to_string());
                if expected.is_some() {
                    let expected = expected_step;
                    return Err(DataError::FrequencyChanged {
                        path,
                        series: name,
                        found,
                        expected,
                    });
                }
                findings.push(Finding {
                    path,
                    series: name,
                    row: 1,
                    line: table.line(series.rows.start),
                    kind: FindingKind::SeriesDiffers { frequency: found, expected: expected_step },
                });
                all.push(arranged);
                continue;
            }
        }
        findings.append(&mut own);
        all.push(arranged);
    }
    Ok(all)
}

fn common(arranged: &[Arranged], expected: Option<Frequency>) -> Frequency {
    expected
        .or_else(|| arranged.iter().map(|a| a.frequency).find(|f| *f != Frequency::Irregular))
        .unwrap_or(Frequency::Irregular)
}

/// The buffer with rows ordered, joined and inserted; the one read, untouched, where nothing moves.
fn apply(table: &mut Table, arranged: &[Arranged], width: usize) -> Vec<f32> {
    if arranged.iter().all(|a| a.slots.is_none()) {
        return std::mem::take(&mut table.values);
    }
    let mut values = Vec::new();
    for (series, arranged) in table.series.iter().zip(arranged) {
        let row = |r: usize| {
            let at = (series.rows.start + r) * width;
            &table.values[at..at + width]
        };
        let Some(slots) = &arranged.slots else {
            values.extend_from_slice(
                &table.values[series.rows.start * width..series.rows.end * width],
            );
            continue;
        };
        for slot in slots {
            match slot {
                Slot::Row(r) => values.extend_from_slice(row(*r)),
                Slot::Missing => values.extend(std::iter::repeat_n(f32::NAN, width)),
                Slot::Mean(rows) => values.extend((0..width).map(|c| {
                    let seen =
                        || rows.iter().map(|&r| f64::from(row(r)[c])).filter(|v| !v.is_nan());
                    (seen().sum::<f64>() / seen().count() as f64) as f32 // 0/0 = NaN: none observed
                })),
            }
        }
    }
    values
}

/// Puts differences in place of `count` pairs of channels from channel `first` on.
fn spread(values: Vec<f32>, names: &mut Vec<String>, first: usize, count: usize) -> Vec<f32> {
    if count == 0 {
        return values;
    }
    let (width, end) = (names.len(), first + 2 * count);
    let row = |row: &[f32]| {
        let differences = row[first..end].chunks_exact(2).map(|pair| pair[0] - pair[1]);
        row[..first].iter().copied().chain(differences).chain(row[end..].iter().copied()).collect()
    };
    let values = values.chunks_exact(width).flat_map::<Vec<f32>, _>(row).collect();
    let pairs = names[first..end].chunks_exact(2).map(|pair| format!("{} - {}", pair[0], pair[1]));
    let pairs: Vec<String> = pairs.collect();
    names.splice(first..end, pairs);
    values
}

fn place(table: &Table, arranged: Vec<Arranged>) -> (Vec<Series>, usize) {
    let mut next = 0;
    let series = table.series.iter().zip(arranged).map(|(series, arranged)| {
        let rows = arranged.slots.as_ref().map_or(series.rows.len(), Vec::len);
        let start = next;
        next += rows;
        Series { name: series.name.clone(), rows: start..next, timeline: arranged.timeline }
    });
    let series: Vec<Series> = series.collect();
    (series, next)
}

fn static_covariates(
    table: &Table,
    config: &DataConfig,
    encoders: Option<&[Encoder]>,
    path: &Path,
) -> Result<(Statics, Vec<Encoder>), DataError> {
    let rows: Vec<&[String]> = table.series.iter().map(|s| s.statics.as_slice()).collect();
    let encoders = match encoders {
        Some(fitted) => fitted.to_vec(),
        None => {
            let column = |k: usize| rows.iter().map(|r| r[k].as_str()).collect::<Vec<_>>();
            let names = config.static_covariates.iter().enumerate();
            names.map(|(k, name)| Encoder::fit(name, &column(k))).collect()
        }
    };
    Ok((statics::encode(&encoders, &rows, path)?, encoders))
}

/// Widens every row by the calendar features of its time.
pub(crate) fn add_calendar(
    panel: &mut Panel,
    features: &[CalendarFeature],
) -> Result<(), DataError> {
    if features.is_empty() {
        return Ok(());
    }
    if panel.clock == Clock::Index {
        return Err(DataError::Config {
            key: "calendar",
            value: format!("{:?}", features.iter().map(|f| f.name()).collect::<Vec<_>>()),
            expected: "a time column with dates; rows here are numbered".into(),
        });
    }
    let (old, extra) = (panel.channels.len(), 2 * features.len());
    let width = old + extra;
    let mut values = vec![0.0; panel.rows() * width];
    for series in &panel.series {
        for (i, row) in series.rows.clone().enumerate() {
            let out = &mut values[row * width..(row + 1) * width];
            out[..old].copy_from_slice(&panel.values[row * old..(row + 1) * old]);
            let time = series.timeline.at(i, &panel.clock).unwrap_or(0);
            calendar::write(features, time, &panel.clock, &mut out[old..]);
        }
    }
    panel.values = values;
    panel.channels.names.extend(features.iter().flat_map(|f| f.channels()));
    Ok(())
}

fn mark_observed(panel: &mut Panel) {
    if panel.values.iter().any(|v| v.is_nan()) {
        panel.observed = Some(panel.values.iter().map(|v| !v.is_nan()).collect());
    }
}
