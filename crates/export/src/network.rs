//! The network of a run, and the files that it becomes.

use std::collections::BTreeMap;
use std::path::Path;

use data::Pipeline;
use feed::{Columns, DevicePanel};
use record::RecordError;
use serde_json::json;
use tch::{Device, Tensor};
use train::{Fit, Forecaster, Loaded, TrainError};

use crate::description::{Line, described};
use crate::exported::Exported;
use crate::parts::Parts;

/// A form of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The forecast as an ONNX graph.
    Onnx,
    /// The forecast as a TorchScript module.
    TorchScript,
    /// The weights alone, with all that is needed to use them.
    Safetensors,
}

impl Format {
    /// The usual ending of a file.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::TorchScript => "pt",
            Format::Safetensors => "safetensors",
        }
    }
}

/// The network of a run, with the weights that forecast.
#[derive(Debug)]
pub struct Network {
    run: Loaded,
    forecaster: Forecaster,
    levels: Vec<f64>,
    exported: Exported,
}

impl Network {
    /// Reads the run in the directory `path`; quantiles of its forecasts are at `levels`, in rising order.
    ///
    /// # Errors
    /// [`TrainError::Config`] or [`TrainError::Record`] if a file is missing or invalid.
    pub fn open(path: &Path, levels: &[f64]) -> Result<Network, TrainError> {
        let run = Loaded::open(path)?;
        let fit = run.latest();
        let forecaster = fit.forecaster(&empty(fit.pipeline(), fit.masked())?)?;
        let exported = Exported::of(&parts(&run, &fit, &forecaster, levels))?;
        Ok(Network { forecaster, levels: levels.to_vec(), exported, run })
    }

    /// The run.
    pub fn run(&self) -> &Loaded {
        &self.run
    }

    /// The inputs of the forecast.
    pub fn inputs(&self) -> &[Line] {
        &self.exported.description.inputs
    }

    /// Its outputs.
    pub fn outputs(&self) -> &[Line] {
        &self.exported.description.outputs
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// [`TrainError::Record`] if it cannot be written; an older file is then intact.
    pub fn write(&self, format: Format, path: &Path) -> Result<(), TrainError> {
        let bytes = match format {
            Format::Onnx => small(self.exported.onnx(), path)?,
            Format::TorchScript => self.exported.torchscript(path)?,
            Format::Safetensors => self.weights(path)?,
        };
        let written = files::write(path, |file| file.write_all(&bytes));
        Ok(written.map_err(RecordError::writing(path))?)
    }

    /// The weights under the names that they have in the run, with config, scaler and limits beside them.
    fn weights(&self, path: &Path) -> Result<Vec<u8>, TrainError> {
        let fit = self.run.latest();
        let note = json!({
            "format": "ballast weights",
            "config": self.run.config.to_toml()?,
            "pipeline": fit.pipeline(),
            "masked": fit.masked(),
            "limits": fit.limits(),
            "shape": self.forecaster.model().shape(),
            "levels": self.levels,
            "inputs": described(self.inputs()),
            "outputs": described(self.outputs()),
        });
        let tensors: BTreeMap<String, Tensor> =
            self.forecaster.store().variables().into_iter().collect();
        train::serialized(path, &tensors, Some(note.to_string()))
    }
}

/// Refuses a file that no reader of protocol buffers takes.
fn small(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, TrainError> {
    match i32::try_from(bytes.len()) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(RecordError::Refused {
            path: path.to_owned(),
            reason: "would be an ONNX file of more than 2 GiB, which none can be".to_owned(),
            hint: "choose `--format torchscript`, or train with a smaller `model.hidden`"
                .to_owned(),
        }
        .into()),
    }
}

fn parts<'a>(
    run: &'a Loaded,
    fit: &Fit<'a>,
    forecaster: &'a Forecaster,
    levels: &'a [f64],
) -> Parts<'a> {
    Parts {
        config: &run.config,
        forecaster,
        pipeline: fit.pipeline(),
        masked: fit.masked(),
        limits: fit.limits(),
        levels,
    }
}

/// One window of zeros, for the sizes of a network.
fn empty(pipeline: &Pipeline, masked: bool) -> Result<DevicePanel, TrainError> {
    let (channels, config) = (pipeline.channels(), pipeline.config());
    let columns = Columns {
        context: config.context as i64,
        horizon: config.horizon as i64,
        targets: channels.targets().len() as i64,
        past: channels.past_covariates().len() as i64,
        future: channels.known_ahead().len() as i64,
    };
    let rows = config.context + config.horizon;
    let cells = rows * channels.len();
    let observed = masked.then(|| vec![true; cells]);
    let panel = DevicePanel::new(&vec![0.0; cells], observed.as_deref(), columns, Device::Cpu)?;
    let terms: usize = config.seasonal.iter().map(|feature| 2 * feature.pairs()).sum();
    let panel = match terms {
        0 => panel,
        _ => panel.with_seasonal(&vec![0.0; rows * terms])?,
    };
    Ok(match pipeline.static_columns().len() {
        0 => panel,
        statics => panel.with_values_per_series(&[rows as i64], &vec![0.0; statics])?,
    })
}
