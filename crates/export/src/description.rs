//! The meaning of inputs and outputs, in words and as JSON.

use serde_json::{Value as Json, json};
use train::TrainError;

use crate::graph::{Dim, Graph, Kind, Shape};
use crate::input::Of;
use crate::parts::Parts;

impl Of {
    fn meaning(self, parts: &Parts) -> Result<String, TrainError> {
        let rows = parts.rows();
        Ok(match self {
            Of::Context => format!(
                "the last {rows} rows of the table, NaN where a cell is empty; columns {}",
                listed(&context_columns(parts))
            ),
            Of::Future => format!(
                "the same rows and those of the horizon; columns {}",
                listed(&parts.data().future_covariates)
            ),
            Of::Time => format!(
                "clock times of the same rows and those of the horizon{}, in microseconds since 1970",
                match &parts.data().time_zone {
                    Some(zone) => format!(" in {zone}"),
                    None => String::new(),
                }
            ),
            Of::Series => format!(
                "the number of each series, from 0: {}",
                listed(parts.pipeline.scaler().series())
            ),
            Of::Statics => format!("what does not change: {}", listed(&static_columns(parts))),
            Of::LatentNoise => "standard normal draws for the latent variables".to_owned(),
            Of::ValueNoise => "standard normal draws for the values".to_owned(),
            Of::ChiSquare => {
                let freedom = parts.degrees_of_freedom()?.unwrap_or_default();
                let freedom: Vec<String> =
                    freedom.iter().map(|number| format!("{number:.6}")).collect();
                format!(
                    "chi-squared draws for the values; degrees of freedom by channel {}",
                    listed(&freedom)
                )
            }
        })
    }
}

/// One line about an input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Number type and shape, such as `float64 [batch, 28, 4]`.
    pub form: String,
    /// Its meaning.
    pub meaning: String,
}

/// Inputs, outputs, and what else a user has to know.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) inputs: Vec<Line>,
    pub(crate) outputs: Vec<Line>,
    facts: Vec<(&'static str, Json)>,
}

impl Description {
    pub(crate) fn new(
        parts: &Parts,
        inputs: &[Of],
        graph: &Graph,
    ) -> Result<Description, TrainError> {
        let form = |value| form(graph.node(value).kind, &graph.node(value).shape);
        let inputs = inputs.iter().zip(&graph.inputs).map(|(of, &value)| {
            let (name, meaning) = (of.name().to_owned(), of.meaning(parts)?);
            Ok(Line { name, form: form(value), meaning })
        });
        let described = if parts.autoencodes() { "the window itself" } else { "the forecast" };
        let meanings = [
            format!("draws of {described}, in the units of the table"),
            "their quantiles, which are numpy.quantile(samples, levels, axis=0)".to_owned(),
        ];
        let outputs = graph.outputs.iter().zip(meanings).map(|(&value, meaning)| Line {
            name: graph.node(value).name.clone(),
            form: form(value),
            meaning,
        });
        Ok(Description {
            inputs: inputs.collect::<Result<_, TrainError>>()?,
            outputs: outputs.collect(),
            facts: facts(parts)?,
        })
    }

    /// Everything, as JSON text by key.
    pub(crate) fn metadata(&self) -> Vec<(String, String)> {
        let mut facts: Vec<(String, String)> =
            self.facts.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
        facts.push(("inputs".to_owned(), described(&self.inputs).to_string()));
        facts.push(("outputs".to_owned(), described(&self.outputs).to_string()));
        facts
    }
}

/// Lines as JSON: name, form and meaning of each.
pub(crate) fn described(lines: &[Line]) -> Json {
    let line = |Line { name, form, meaning }: &Line| json!([name, form, meaning]);
    lines.iter().map(line).collect()
}

fn facts(parts: &Parts) -> Result<Vec<(&'static str, Json)>, TrainError> {
    let names = parts.pipeline.channels();
    let shape = parts.shape();
    let model = parts.model();
    let mut facts = vec![
        ("ballast", json!(env!("CARGO_PKG_VERSION"))),
        ("channels", json!(names.names()[names.targets()])),
        ("context", json!(shape.context)),
        ("context_columns", json!(context_columns(parts))),
        ("horizon", json!(shape.horizon)),
        ("levels", json!(parts.levels)),
        ("frequency", json!(parts.pipeline.frequency().to_string())),
        ("kind", json!(model.kind)),
        ("backbone", json!(model.backbone)),
        ("likelihood", json!(parts.family())),
    ];
    let lists = [
        ("future_columns", parts.data().future_covariates.clone()),
        ("static_columns", static_columns(parts)),
        ("series", parts.pipeline.scaler().series().to_vec()),
    ];
    facts.extend(
        lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(key, list)| (key, json!(list))),
    );
    if let Some(freedom) = parts.degrees_of_freedom()? {
        facts.push(("degrees_of_freedom", json!(freedom)));
    }
    Ok(facts)
}

/// Columns of the table in `context`: targets, past covariates, both sides of each spread.
fn context_columns(parts: &Parts) -> Vec<String> {
    let names = parts.pipeline.channels();
    let data = parts.data();
    let targets = names.names()[names.targets()].iter();
    let others = data.past_covariates.iter().chain(data.spreads.as_flattened());
    targets.chain(others).cloned().collect()
}

fn static_columns(parts: &Parts) -> Vec<String> {
    parts.pipeline.static_columns().into_iter().map(|(name, _)| name).collect()
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len() > SHOWN {
        true => format!("{}, … ({} in all)", shown.join(", "), names.len()),
        false => shown.join(", "),
    }
}

/// Number type and shape as NumPy names them.
fn form(kind: Kind, shape: &Shape) -> String {
    let kind = match kind {
        Kind::F32 => "float32",
        Kind::F64 => "float64",
        Kind::I64 => "int64",
        Kind::Bool => "bool",
    };
    let dims: Vec<String> = shape
        .iter()
        .map(|dim| match dim {
            Dim::Known(length) => length.to_string(),
            Dim::Batch => "batch".to_owned(),
            Dim::Samples => "samples".to_owned(),
            Dim::Rows(rows) => format!("{rows}·batch"),
        })
        .collect();
    format!("{kind} [{}]", dims.join(", "))
}
