//! From rows in the units of the table to a standardized window.

use data::{Affine, Fill, Transform};
use train::TrainError;

use super::{Builder, calendar, gaps};
use crate::graph::{Binary, Dim, Kind, Numbers, Unary, Value};
use crate::input::Of;

/// A window as the networks see it, before it is made relative to itself.
pub(super) struct Window {
    /// Standardized targets, zero where missing, `[B, L, C]`.
    pub(super) context: Value,
    /// One where a target was observed, if the network is told, `[B, L, C]`.
    pub(super) observed: Option<Value>,
    /// `[B, L, E]`.
    pub(super) extras: Option<Value>,
    /// `[B, H, F]`.
    pub(super) future: Option<Value>,
    /// `[B, S]`.
    pub(super) seasonal: Option<Value>,
    /// Targets before their transform, `[B, N, C]` in f64.
    pub(super) levels: Value,
    /// Numbers of the series, `[B]`, where their scales differ.
    pub(super) series: Option<Value>,
}

/// Columns of the table that are inputs.
struct Columns {
    /// Targets, `[B, N, C]` in f64.
    targets: Value,
    /// Past covariates in f64.
    past: Vec<Value>,
    /// Future covariates, `[B, N + H, F]` in f64.
    future: Option<Value>,
    /// Calendar features, `[B, N + H, 2·features]` in f32.
    calendar: Option<Value>,
}

impl Builder<'_> {
    pub(super) fn window(&mut self) -> Result<Window, TrainError> {
        let rows = self.parts.rows();
        let names = self.parts.pipeline.channels();
        let Columns { targets, past, future, calendar } = self.columns();
        let covariates = self.parts.pipeline.channels().len() - names.targets().len();
        let ahead = |graph: &mut crate::graph::Graph, value: Option<Value>, from, length| {
            let value = value?;
            let part = graph.slice(value, 1, from, length);
            Some(graph.cast(part, Kind::F64))
        };
        let horizon = self.parts.shape().horizon;
        let graph = &mut self.graph;
        let mut all = vec![targets];
        all.extend(past);
        all.extend(ahead(graph, future, 0, rows));
        all.extend(ahead(graph, calendar, 0, rows));
        let raw = graph.concat(&all, 2);
        let fill = self.parts.data().fill;
        let raw = match self.parts.masked && fill != Fill::Zero {
            true => raw,
            false => gaps::filled(graph, raw, fill),
        };
        let series = self.series();
        let raw = match self.unseen(series, 0, names.len()) {
            None => raw,
            Some(unseen) => {
                let nothing = self.graph.number(f64::NAN, raw);
                self.graph.choose(unseen, nothing, raw)
            }
        };
        let graph = &mut self.graph;
        let levels = graph.slice(raw, 2, 0, names.targets().len() as i64);
        let transformed = self.transformed(levels);
        let (context, rest) = (self.parts.shape().context, covariates as i64);
        let graph = &mut self.graph;
        let mut columns = vec![transformed];
        if rest > 0 {
            let others = graph.slice(raw, 2, names.targets().len() as i64, rest);
            let others = graph.slice(others, 1, rows - context, context);
            columns.push(graph.cast(others, Kind::F32));
        }
        let values = graph.concat(&columns, 2);
        let observed = self.observed(values, levels);
        let scaled = self.scaled(values, series, 0)?;
        let scaled = self.hidden(scaled, observed, series, 0);
        let graph = &mut self.graph;
        let mut known = Vec::new();
        known.extend(ahead(graph, future, rows, horizon));
        known.extend(ahead(graph, calendar, rows, horizon));
        let future = match known.as_slice() {
            [] => None,
            known => {
                let first = names.known_ahead().start;
                let known = graph.concat(known, 2);
                let known = graph.cast(known, Kind::F32);
                let scaled = self.scaled(known, series, first)?;
                Some(self.hidden(scaled, None, series, first))
            }
        };
        let targets = names.targets().len() as i64;
        let extras = self.extras(scaled, observed);
        let context = self.graph.slice(scaled, 2, 0, targets);
        let observed = observed.map(|observed| {
            let observed = self.graph.slice(observed, 2, 0, targets);
            self.graph.cast(observed, Kind::F32)
        });
        let seasonal = self.seasonal();
        Ok(Window { context, observed, extras, future, seasonal, levels, series })
    }

    /// An input, with the words by which users know it.
    pub(super) fn input(&mut self, of: Of, kind: Kind, shape: Vec<Dim>) -> Value {
        let value = self.graph.input(of.name(), kind, shape);
        self.inputs.push(of);
        value
    }

    /// An input that was declared before.
    fn given(&self, of: &Of) -> Option<Value> {
        let at = self.inputs.iter().position(|input| input == of)?;
        Some(self.graph.inputs[at])
    }

    fn columns(&mut self) -> Columns {
        let data = self.parts.data();
        let names = self.parts.pipeline.channels();
        let (rows, horizon) = (self.parts.rows(), self.parts.shape().horizon);
        let (targets, past) = (names.targets().len() as i64, data.past_covariates.len() as i64);
        let pairs = data.spreads.len() as i64;
        let shape = vec![Dim::Batch, Dim::Known(rows), Dim::Known(targets + past + 2 * pairs)];
        let all = self.input(Of::Context, Kind::F64, shape);
        let ahead = |columns| vec![Dim::Batch, Dim::Known(rows + horizon), Dim::Known(columns)];
        let future = data.future_covariates.len() as i64;
        let future = (future > 0).then(|| self.input(Of::Future, Kind::F64, ahead(future)));
        if !data.calendar.is_empty() || !data.seasonal.is_empty() {
            let shape = vec![Dim::Batch, Dim::Known(rows + horizon)];
            self.input(Of::Time, Kind::I64, shape);
        }
        let time = self.given(&Of::Time);
        let calendar = match (time, data.calendar.as_slice()) {
            (None, _) | (_, []) => None,
            (Some(time), features) => Some(calendar::features(&mut self.graph, time, features)),
        };
        let graph = &mut self.graph;
        let mut others = Vec::new();
        if past > 0 {
            others.push(graph.slice(all, 2, targets, past));
        }
        for pair in 0..pairs {
            let [high, low] =
                [0, 1].map(|side| graph.slice(all, 2, targets + past + 2 * pair + side, 1));
            others.push(graph.sub(high, low));
        }
        Columns { targets: graph.slice(all, 2, 0, targets), past: others, future, calendar }
    }

    /// Targets as the network is trained on them, `[B, L, C]` in f32.
    fn transformed(&mut self, levels: Value) -> Value {
        let rows = self.parts.rows();
        let transform = self.parts.data().transform;
        let graph = &mut self.graph;
        match transform {
            Transform::None => graph.cast(levels, Kind::F32),
            Transform::Log => {
                let single = graph.cast(levels, Kind::F32);
                graph.unary(Unary::Log, single)
            }
            Transform::Difference | Transform::Return => {
                let before = graph.slice(levels, 1, 0, rows - 1);
                let now = graph.slice(levels, 1, 1, rows - 1);
                let change = match transform {
                    Transform::Return => {
                        let ratio = graph.div(now, before);
                        graph.with(Binary::Sub, ratio, 1.0)
                    }
                    _ => graph.sub(now, before),
                };
                graph.cast(change, Kind::F32)
            }
        }
    }

    /// Whether each value was observed, `[B, L, W]`, if the network is told. The logarithm of a negative number is no gap:
    /// its forecast is NaN.
    fn observed(&mut self, values: Value, levels: Value) -> Option<Value> {
        let (targets, width) = {
            let names = self.parts.pipeline.channels();
            (names.targets().len() as i64, names.len() as i64)
        };
        let log = self.parts.data().transform == Transform::Log;
        if !self.parts.masked {
            return None;
        }
        let graph = &mut self.graph;
        let missing = |graph: &mut crate::graph::Graph, value| {
            let missing = graph.unary(Unary::IsNan, value);
            graph.unary(Unary::Not, missing)
        };
        if !log {
            return Some(missing(graph, values));
        }
        let mut parts = vec![missing(graph, levels)];
        if width > targets {
            let others = graph.slice(values, 2, targets, width - targets);
            parts.push(missing(graph, others));
        }
        Some(graph.concat(&parts, 2))
    }

    fn series(&mut self) -> Option<Value> {
        let several = self.parts.pipeline.scaler().series().len() > 1;
        several.then(|| self.input(Of::Series, Kind::I64, vec![Dim::Batch]))
    }

    /// A number per series and channel, as `[B, 1, W]` by the numbers of the series, or `[W]` where one is for all.
    pub(super) fn by_series(
        &mut self,
        series: Option<Value>,
        numbers: Vec<f64>,
        width: usize,
    ) -> Value {
        let rows = numbers.len() / width;
        match series {
            None => self.graph.constant(Numbers::F64(numbers), &[width as i64]),
            Some(series) => {
                let table =
                    self.graph.constant(Numbers::F64(numbers), &[rows as i64, width as i64]);
                let own = self.graph.take(table, series);
                self.graph.unsqueeze(own, 1)
            }
        }
    }

    /// Center and spread of `width` channels from channel `first` on.
    pub(super) fn affine(
        &mut self,
        series: Option<Value>,
        first: usize,
        width: usize,
    ) -> Result<[Value; 2], TrainError> {
        let scaler = self.parts.pipeline.scaler();
        let (mut centers, mut spreads) = (Vec::new(), Vec::new());
        for series in 0..scaler.series().len().max(1) {
            for channel in first..first + width {
                let Affine { center, spread } = scaler.affine(series, channel)?;
                centers.push(center);
                spreads.push(spread);
            }
        }
        Ok([centers, spreads].map(|numbers| self.by_series(series, numbers, width)))
    }

    /// Standardized values of channels from `first` on, in f32.
    fn scaled(
        &mut self,
        values: Value,
        series: Option<Value>,
        first: usize,
    ) -> Result<Value, TrainError> {
        let width = self.graph.shape(values)[2].known() as usize;
        let [center, spread] = self.affine(series, first, width)?;
        let graph = &mut self.graph;
        let values = graph.cast(values, Kind::F64);
        let centered = graph.sub(values, center);
        let scaled = graph.div(centered, spread);
        Ok(graph.cast(scaled, Kind::F32))
    }

    /// Zero in place of what was not observed, and of the channels of a series that training never saw.
    fn hidden(
        &mut self,
        values: Value,
        observed: Option<Value>,
        series: Option<Value>,
        first: usize,
    ) -> Value {
        let zero = self.graph.number(0.0, values);
        let shown = match observed {
            None => values,
            Some(observed) => self.graph.choose(observed, values, zero),
        };
        let width = self.graph.shape(values)[2].known() as usize;
        match self.unseen(series, first, width) {
            None => shown,
            Some(unseen) => self.graph.choose(unseen, zero, shown),
        }
    }

    /// Whether a series has channels that training never saw; `None` if no series has.
    pub(super) fn unseen(
        &mut self,
        series: Option<Value>,
        first: usize,
        width: usize,
    ) -> Option<Value> {
        let scaler = self.parts.pipeline.scaler();
        let count = scaler.series().len().max(1);
        let mut unseen = vec![0.0; count * width];
        let inside = scaler
            .unseen()
            .iter()
            .filter(|(of, channel)| *of < count && (first..first + width).contains(channel));
        inside.for_each(|(of, channel)| unseen[of * width + channel - first] = 1.0);
        if unseen.iter().all(|unseen| *unseen == 0.0) {
            return None;
        }
        let unseen = self.by_series(series, unseen, width);
        let half = self.graph.number(0.5, unseen);
        Some(self.graph.binary(Binary::Greater, unseen, half))
    }

    /// Covariates, the mask of all columns if the network is told of gaps, and values per series, `[B, L, E]`.
    fn extras(&mut self, scaled: Value, observed: Option<Value>) -> Option<Value> {
        let names = self.parts.pipeline.channels();
        let (targets, width) = (names.targets().len() as i64, names.len() as i64);
        let context = self.parts.shape().context;
        let mut extras = Vec::new();
        if width > targets {
            extras.push(self.graph.slice(scaled, 2, targets, width - targets));
        }
        if let Some(observed) = observed {
            let mask = self.graph.cast(observed, Kind::F32);
            extras.push(mask);
        }
        let statics = self.parts.pipeline.static_columns();
        if !statics.is_empty() {
            let width = statics.len() as i64;
            let given = self.input(Of::Statics, Kind::F64, vec![Dim::Batch, Dim::Known(width)]);
            let numbers = |number: fn(&Affine) -> f64| {
                Numbers::F64(statics.iter().map(|(_, affine)| number(affine)).collect())
            };
            let graph = &mut self.graph;
            let center = graph.constant(numbers(|affine| affine.center), &[width]);
            let spread = graph.constant(numbers(|affine| affine.spread), &[width]);
            let centered = graph.sub(given, center);
            let scaled = graph.div(centered, spread);
            let scaled = graph.cast(scaled, Kind::F32);
            let row = graph.unsqueeze(scaled, 1);
            extras.push(graph.repeat(row, 1, context));
        }
        (!extras.is_empty()).then(|| self.graph.concat(&extras, 2))
    }

    /// The Fourier terms of the first row of the horizon.
    fn seasonal(&mut self) -> Option<Value> {
        let features = self.parts.data().seasonal.as_slice();
        let time = self.given(&Of::Time).filter(|_| !features.is_empty())?;
        let first = self.graph.select(time, 1, self.parts.rows());
        Some(calendar::terms(&mut self.graph, first, features))
    }
}
