//! A forecast in the forms of files.

use std::fs;
use std::path::Path;

use record::RecordError;
use tch::{Tensor, no_grad};
use train::TrainError;

use crate::description::Description;
use crate::graph::Graph;
use crate::parts::Parts;
use crate::torchscript::Program;
use crate::{model, onnx, torchscript};

/// The graph of a forecast, and the meaning of its inputs and outputs.
#[derive(Debug)]
pub struct Exported {
    graph: Graph,
    pub(crate) description: Description,
}

impl Exported {
    /// The forecast of a network.
    ///
    /// # Errors
    /// [`TrainError::NoiseUndecided`] for a config whose noise has not been chosen; an error of libtorch.
    pub fn of(parts: &Parts) -> Result<Exported, TrainError> {
        let (graph, inputs) = model::graph(parts)?;
        Ok(Exported { description: Description::new(parts, &inputs, &graph)?, graph })
    }

    /// The bytes of an ONNX file.
    pub fn onnx(&self) -> Vec<u8> {
        onnx::encode(&self.graph, &self.description)
    }

    /// Runs the graph with libtorch: samples and quantiles for inputs in the order of the graph.
    ///
    /// # Errors
    /// An error of libtorch, such as one for inputs of other shapes.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, TrainError> {
        no_grad(|| Program::new(&self.graph)?.run(inputs, &self.graph.outputs))
    }

    /// The bytes of a TorchScript file that is to be written to `path`.
    ///
    /// # Errors
    /// An error of libtorch, or of the folder for temporary files.
    pub fn torchscript(&self, path: &Path) -> Result<Vec<u8>, TrainError> {
        let module = torchscript::traced(&self.graph)?;
        // libtorch writes files only.
        let folder = tempfile::tempdir().map_err(RecordError::writing(path))?;
        let file = folder.path().join("forecast.pt");
        module.save(&file)?;
        Ok(fs::read(&file).map_err(RecordError::writing(path))?)
    }
}
