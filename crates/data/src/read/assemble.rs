//! A table as read → a panel: rows in order, gaps inserted, calendar features beside the channels.

use std::path::Path;

use super::table::{RawSeries, Table};
use crate::calendar;
use crate::config::{CalendarFeature, DataConfig, Fill};
use crate::error::DataError;
use crate::fill;
use crate::finding::{Finding, FindingKind};
use crate::panel::{Channels, Panel, Series};
use crate::reading::Reading;
use crate::statics::{self, Encoder, Statics};
use crate::time::column::{Offset, Times};
use crate::time::order::{Arranged, Origin, Policy, Slot, arrange};
use crate::time::{self, Clock, Frequency, Timeline};

/// The parts of a trained model that a new table is read with.
#[derive(Clone, Copy)]
pub(crate) struct Trained<'a> {
    pub(crate) frequency: Frequency,
    pub(crate) encoders: &'a [Encoder],
    pub(crate) reading: Option<&'a Reading>,
}

pub(crate) fn assemble(table: Table, config: &DataConfig, path: &Path) -> Result<Panel, DataError> {
    assemble_with(table, config, path, None)
}

/// As [`assemble`], with the step, the encoders and the reading of a trained model.
pub(crate) fn assemble_with(
    mut table: Table,
    config: &DataConfig,
    path: &Path,
    trained: Option<Trained<'_>>,
) -> Result<Panel, DataError> {
    let expected = trained.map(|trained| trained.frequency);
    if config.fill == Fill::Error && trained.is_none() {
        refuse_missing(&table)?;
    }
    if let (Some(trained), Some(times)) = (trained.and_then(|t| t.reading), &table.times) {
        refuse_other_offset(trained, times, config, path)?;
    }
    let clock = clock(table.times.as_ref(), config)?;
    let mut findings = Vec::new();
    let arranged = order(&mut table, config, &clock, expected, &mut findings)?;
    let fatal = |f: &Finding| !f.is_note() || (config.fill == Fill::Error && is_gap(f));
    if findings.iter().any(fatal) {
        let repeats =
            |f: &Finding| matches!(f.kind, FindingKind::Duplicate { clock_change: false, .. });
        if findings.iter().any(repeats) && !table.companions.is_empty() {
            return Err(DataError::SplitTime {
                path: path.to_path_buf(),
                columns: table.companions,
            });
        }
        findings.retain(fatal);
        return Err(DataError::Timeline { path: path.to_path_buf(), findings });
    }
    let frequency = common(&arranged, expected);
    let width = table.channels.len();
    let values = std::mem::take(&mut table.values);
    let mut values = apply(values, &table.series, &arranged, width);
    let mut exact = table.exact.take().map(|exact| apply(exact, &table.series, &arranged, width));
    let past = config.past_covariates.len() + config.spreads.len();
    let first = table.targets + config.past_covariates.len();
    if let Some(exact) = exact.as_mut().filter(|_| !config.spreads.is_empty()) {
        *exact = spread(exact, &mut table.channels, first, config.spreads.len());
        values = exact.iter().map(|&value| value as f32).collect();
    }
    let (series, rows) = place(&table, arranged);
    let encoders = trained.map(|trained| trained.encoders);
    let (statics, encoders) = static_covariates(&table, config, encoders);
    let names = std::mem::take(&mut table.channels);
    let future = config.future_covariates.len();
    let channels = Channels { names, targets: table.targets, past, future };
    debug_assert_eq!(values.len(), rows * channels.len());
    let mut panel = Panel {
        path: path.to_path_buf(),
        exact: exact.map(|exact| exact_targets(&exact, &channels)),
        values,
        observed: None,
        channels,
        series,
        statics,
        encoders,
        frequency,
        clock,
        reading: table.reading,
        findings,
        notes: table.notes,
        doubts: bounded(table.doubts),
    };
    fill::finite_spreads(&panel, first..first + config.spreads.len())?;
    if config.fill == Fill::Zero {
        fill::zero(&mut panel);
    }
    add_calendar(&mut panel, &config.calendar)?;
    mark_observed(&mut panel);
    Ok(panel)
}

/// The targets alone, `[rows, targets]`.
fn exact_targets(exact: &[f64], channels: &Channels) -> Vec<f64> {
    let rows = exact.chunks_exact(channels.len().max(1));
    rows.flat_map(|row| &row[..channels.targets]).copied().collect()
}

/// Times with an offset from UTC where those of the training data had none, or the other way round: they would
/// be hours apart without a word.
fn refuse_other_offset(
    trained: &Reading,
    times: &Times,
    config: &DataConfig,
    path: &Path,
) -> Result<(), DataError> {
    let Some(before) = &trained.time else { return Ok(()) };
    let words = |there: bool| match there {
        true => "with an offset from UTC".to_owned(),
        false => "without an offset from UTC".to_owned(),
    };
    let (was, is) = (before.offset.is_there(), times.offset.is_there());
    if was == is || config.time_zone.is_some() || times.values.is_empty() {
        return Ok(()); // in a zone of its own either is an instant
    }
    Err(DataError::ReadingChanged {
        path: path.to_path_buf(),
        what: "times",
        found: words(is),
        expected: words(was),
        key: "time_zone",
    })
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
    let own = times.map_or(Clock::Index, Times::clock);
    Ok(if own.is_dated() { zone.unwrap_or(own) } else { own })
}

/// Orders every series and brings them to one step.
fn order(
    table: &mut Table,
    config: &DataConfig,
    clock: &Clock,
    expected: Option<Frequency>,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Arranged>, DataError> {
    let Some(times) = table.times.take() else {
        let frequency = Frequency::Index(1);
        let timeline = || Timeline::Grid { start: 0, frequency };
        let numbered = || Arranged { slots: None, timeline: timeline(), frequency };
        return Ok(table.series.iter().map(|_| numbered()).collect());
    };
    let stated = config.frequency.as_deref().map(str::parse::<Frequency>).transpose()?;
    let each = by_series(table, times, clock);
    let policy = Policy {
        unsorted: config.unsorted,
        duplicates: config.duplicates,
        frequency: stated,
        stated: stated.is_some(),
        clock,
    };
    let ordering = Ordering { table, policy: &policy };
    if stated.is_some() {
        let all = each.iter().enumerate();
        return Ok(all.map(|(s, times)| ordering.arrange(s, times, stated, findings)).collect());
    }
    // The longest series sets the step; a shorter one may show too little of it (a week of business
    // days looks daily), so it only has to fit.
    let longest =
        (0..each.len()).max_by_key(|&s| (each[s].len(), std::cmp::Reverse(s))).unwrap_or(0);
    let common = expected.unwrap_or_else(|| {
        ordering.arrange(longest, &each[longest], None, &mut Vec::new()).frequency
    });
    let mut all = Vec::with_capacity(each.len());
    for (s, times) in each.into_iter().enumerate() {
        let mut own = Vec::new();
        let arranged = ordering.arrange(s, &times, Some(common), &mut own);
        if own.iter().any(is_wrong_step)
            && let Some(found) = ordering.own_step(s, &times, common)
        {
            if expected.is_some() {
                return Err(ordering.frequency_changed(s, found, common));
            }
            own = vec![ordering.differs(s, found, common)];
        }
        findings.append(&mut own);
        all.push(arranged);
    }
    Ok(all)
}

/// The times of each series; clock times as instants where a zone is set.
fn by_series(table: &Table, times: Times, clock: &Clock) -> Vec<Vec<i64>> {
    let naive = !times.offset.is_there() || times.offset == Offset::Local;
    let mut rest = times.values;
    let mut each: Vec<Vec<i64>> = Vec::with_capacity(table.series.len());
    for series in table.series.iter().rev() {
        let mut own = match series.rows.start {
            0 => std::mem::take(&mut rest), // `split_off(0)` would copy
            start => rest.split_off(start),
        };
        if let (true, Clock::Zoned(zone)) = (naive, clock) {
            time::to_instants(zone, &mut own);
        }
        each.push(own);
    }
    each.reverse();
    each
}

fn is_wrong_step(finding: &Finding) -> bool {
    use FindingKind::{MixedFrequency, OffGrid, Sparse};
    matches!(finding.kind, OffGrid { .. } | Sparse { .. } | MixedFrequency { .. })
}

/// The series of a table on their way into order.
struct Ordering<'a> {
    table: &'a Table,
    policy: &'a Policy<'a>,
}

impl Ordering<'_> {
    /// Orders series `s`, with a step to assume or its own.
    fn arrange(
        &self,
        s: usize,
        times: &[i64],
        frequency: Option<Frequency>,
        findings: &mut Vec<Finding>,
    ) -> Arranged {
        let series = &self.table.series[s];
        let line = |row: usize| self.table.line(series.rows.start + row);
        let path = self.table.files[series.file].clone();
        let policy = Policy { frequency, ..*self.policy };
        arrange(times, &policy, &Origin { path, series: &series.name, line: &line }, findings)
    }

    /// The step of a series that does not have the common one, if it has one at all.
    fn own_step(&self, s: usize, times: &[i64], common: Frequency) -> Option<Frequency> {
        let mut findings = Vec::new();
        let own = self.arrange(s, times, None, &mut findings).frequency;
        (own != common && !findings.iter().any(is_wrong_step)).then_some(own)
    }

    fn frequency_changed(&self, s: usize, found: Frequency, expected: Frequency) -> DataError {
        let series = &self.table.series[s];
        DataError::FrequencyChanged {
            path: self.table.files[series.file].clone(),
            series: series.name.clone(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    fn differs(&self, s: usize, found: Frequency, expected: Frequency) -> Finding {
        let series = &self.table.series[s];
        let (frequency, expected) = (found.to_string(), expected.to_string());
        Finding {
            path: self.table.files[series.file].clone(),
            series: series.name.clone(),
            row: 1,
            line: self.table.line(series.rows.start),
            kind: FindingKind::SeriesDiffers { frequency, expected },
        }
    }
}

fn common(arranged: &[Arranged], expected: Option<Frequency>) -> Frequency {
    expected
        .or_else(|| arranged.iter().map(|a| a.frequency).find(|f| *f != Frequency::Irregular))
        .unwrap_or(Frequency::Irregular)
}

/// A number of the buffer, in single or double precision.
trait Number: Copy {
    const MISSING: Self;
    fn wide(self) -> f64;
    fn narrow(value: f64) -> Self;
}

impl Number for f32 {
    const MISSING: f32 = f32::NAN;
    fn wide(self) -> f64 {
        self.into()
    }
    fn narrow(value: f64) -> f32 {
        value as f32
    }
}

impl Number for f64 {
    const MISSING: f64 = f64::NAN;
    fn wide(self) -> f64 {
        self
    }
    fn narrow(value: f64) -> f64 {
        value
    }
}

/// The buffer with rows ordered, joined and inserted; the one read, untouched, where nothing moves.
fn apply<T: Number>(
    read: Vec<T>,
    series: &[RawSeries],
    arranged: &[Arranged],
    width: usize,
) -> Vec<T> {
    if arranged.iter().all(|a| a.slots.is_none()) {
        return read;
    }
    let mut values = Vec::new();
    for (series, arranged) in series.iter().zip(arranged) {
        let row = |r: usize| {
            let at = (series.rows.start + r) * width;
            &read[at..at + width]
        };
        let Some(slots) = &arranged.slots else {
            values.extend_from_slice(&read[series.rows.start * width..series.rows.end * width]);
            continue;
        };
        for slot in slots {
            match slot {
                Slot::Row(r) => values.extend_from_slice(row(*r)),
                Slot::Missing => values.extend(std::iter::repeat_n(T::MISSING, width)),
                Slot::Mean(rows) => values.extend((0..width).map(|c| {
                    let seen = || rows.iter().map(|&r| row(r)[c].wide()).filter(|v| !v.is_nan());
                    T::narrow(seen().sum::<f64>() / seen().count() as f64) // 0/0 = NaN: none observed
                })),
            }
        }
    }
    values
}

/// Puts differences in place of `count` pairs of channels from channel `first` on.
fn spread(values: &[f64], names: &mut Vec<String>, first: usize, count: usize) -> Vec<f64> {
    let (width, end) = (names.len(), first + 2 * count);
    let mut out = Vec::with_capacity(values.len() / width * (width - count));
    for row in values.chunks_exact(width) {
        out.extend_from_slice(&row[..first]);
        out.extend(row[first..end].chunks_exact(2).map(|pair| pair[0] - pair[1]));
        out.extend_from_slice(&row[end..]);
    }
    let pairs = names[first..end].chunks_exact(2).map(|pair| format!("{} - {}", pair[0], pair[1]));
    let pairs: Vec<String> = pairs.collect();
    names.splice(first..end, pairs);
    out
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
) -> (Statics, Vec<Encoder>) {
    let rows: Vec<&[String]> = table.series.iter().map(|s| s.statics.as_slice()).collect();
    let encoders = match encoders {
        Some(fitted) => fitted.to_vec(),
        None => {
            let column = |k: usize| rows.iter().map(|r| r[k].as_str()).collect::<Vec<_>>();
            let names = config.static_covariates.iter().enumerate();
            names.map(|(k, name)| Encoder::fit(name, &column(k))).collect()
        }
    };
    (statics::encode(&encoders, &rows), encoders)
}

/// Doubts that are told one by one.
const MOST_DOUBTS: usize = 12;

/// The first doubts, and the number of others.
fn bounded(mut doubts: Vec<String>) -> Vec<String> {
    let more = doubts.len().saturating_sub(MOST_DOUBTS);
    if more > 0 {
        doubts.truncate(MOST_DOUBTS);
        doubts.push(format!("and {more} more"));
    }
    doubts
}

/// Widens every row by the calendar features of its time.
pub(crate) fn add_calendar(
    panel: &mut Panel,
    features: &[CalendarFeature],
) -> Result<(), DataError> {
    if features.is_empty() {
        return Ok(());
    }
    calendar::check_dated("calendar", features, &panel.clock)?;
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
