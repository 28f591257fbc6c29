//! Checkpoints: one safetensors file, from which a training continues bit for bit.
//!
//! Its tensors are `parameters`, `first` and `second` (moments), `steps`, `average`, `best`, and `generator`, the state
//! of the device's random generator. The header holds the counters, the sums of the current epoch and the lines of
//! `metrics.jsonl` as JSON.

mod check;

use std::collections::BTreeMap;
use std::path::Path;

use feed::{Stream, device_name, seed};
use files::Seal;
use record::{Epoch, RecordError};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::TrainError;
use crate::metrics::Tally;
use crate::state::{Position, State};
use crate::tensors::{self, refused};

pub(crate) use check::Extent;

const FORMAT: &str = "ballast checkpoint";
const VERSION: u32 = 2;

/// A checkpoint that was read, from the same data as its training.
#[derive(Debug)]
pub struct Checkpoint {
    note: Note,
    tensors: BTreeMap<String, Tensor>,
    path: std::path::PathBuf,
}

/// The JSON text beside the tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    format: String,
    version: u32,
    /// SHA-256 of the file, with zeros in this place; earlier versions did not write it.
    #[serde(default)]
    sha256: String,
    /// SHA-256 of the data.
    data: String,
    /// `cpu` or `cuda:N`.
    device: String,
    /// CPU threads; earlier versions did not write them.
    #[serde(default)]
    threads: Option<usize>,
    /// Names and shapes of the parameters, in the order of the flat vectors.
    layout: Vec<(String, Vec<i64>)>,
    position: Position,
    tally: Tally,
    history: Vec<Epoch>,
}

/// The fields of [`Note`] that tell its format and version.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// Writes `state` atomically; waits for the device. A state that is not finite is not written, since the previous
/// checkpoint is worth more; the result is then `false`.
///
/// # Errors
/// [`TrainError::Record`], which leaves the previous checkpoint intact.
pub(crate) fn save(path: &Path, state: &mut State, data: &str) -> Result<bool, TrainError> {
    let Some(bytes) = contents(path, state, data)? else { return Ok(false) };
    files::replace(path, |file| file.write_all(&bytes)).map_err(RecordError::writing(path))?;
    Ok(true)
}

/// The bytes of a checkpoint; `None` if the state is not finite.
pub(crate) fn contents(
    path: &Path,
    state: &mut State,
    data: &str,
) -> Result<Option<Vec<u8>>, TrainError> {
    state.tally.settle()?;
    let generator = torch_ext::generator_state(state.device())?;
    let note = Note {
        format: FORMAT.to_owned(),
        version: VERSION,
        sha256: Seal::OPEN.to_owned(),
        data: data.to_owned(),
        device: device_name(state.device()),
        threads: Some(tch::get_num_threads().max(1) as usize),
        layout: state.flat.layout().to_vec(),
        position: state.position.clone(),
        tally: std::mem::take(&mut state.tally),
        history: state.history.clone(),
    };
    let text = serde_json::to_string(&note).expect("a note is plain data");
    state.tally = note.tally;
    let [first, second, steps] = state.optimizer.state();
    let mut tensors = BTreeMap::new();
    for (name, tensor) in [
        ("parameters", Some(state.flat.parameters())),
        ("first", Some(first)),
        ("second", Some(second)),
        ("steps", Some(steps)),
        ("average", state.average.as_ref().map(crate::average::Average::weights)),
        ("best", state.best.as_ref()),
        ("generator", Some(&generator)),
    ] {
        tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor.detach())));
    }
    for (name, tensor) in &tensors {
        if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            tracing::warn!(name, "checkpoint not saved: a tensor is not finite");
            return Ok(None);
        }
    }
    tensors::sealed(path, &tensors, Some(text)).map(Some)
}

impl Checkpoint {
    /// Reads the checkpoint at `path`; `None` if there is none.
    ///
    /// # Errors
    /// [`TrainError::Record`] if it is damaged, has another version, or belongs to other data than `data`.
    pub(crate) fn read(path: &Path, data: &str) -> Result<Option<Checkpoint>, TrainError> {
        if !path.exists() {
            return Ok(None);
        }
        let contents = tensors::read(path, None)?;
        let none = || refused(path, "is not a checkpoint of a training".to_owned());
        let text = contents.note.ok_or_else(none)?;
        let kind: Kind = serde_json::from_str(&text).map_err(|_| none())?;
        if kind.format != FORMAT || kind.version != VERSION {
            return Err(RecordError::Refused {
                path: path.to_owned(),
                reason: format!(
                    "is a {} of version {}, and this is version {VERSION}",
                    kind.format, kind.version
                ),
                hint:
                    "continue with the `ballast` that wrote it, or train again in another directory"
                        .to_owned(),
            }
            .into());
        }
        let mut note: Note = serde_json::from_str(&text)
            .map_err(|error| refused(path, format!("its header is damaged ({error})")))?;
        if note.data != data {
            return Err(RecordError::Refused {
                path: path.to_owned(),
                reason: "belongs to a training on other data".to_owned(),
                hint: "restore the old data, or train again in another directory".to_owned(),
            }
            .into());
        }
        let Note { position, history, .. } = &mut note;
        if position.best_epoch > 0 && !position.selected {
            // Earlier versions did not write these two.
            let best = history.iter().find(|line| line.epoch == position.best_epoch);
            (position.selected, position.best_step) = (true, best.map_or(0, |line| line.step));
        }
        Ok(Some(Checkpoint { note, tensors: contents.tensors, path: path.to_owned() }))
    }

    /// Number of finished optimizer steps.
    pub fn step(&self) -> usize {
        self.note.position.step
    }

    /// Number of finished epochs.
    pub fn epochs(&self) -> usize {
        self.note.position.epochs
    }

    /// Number of CPU threads of the training before, if it was recorded.
    pub fn threads(&self) -> Option<usize> {
        self.note.threads
    }

    /// Seconds of training before the checkpoint.
    pub(crate) fn seconds(&self) -> f64 {
        self.note.position.seconds
    }

    /// Restores `state` from the checkpoint, except for the random generator, which [`Resumed::restore_generator`]
    /// restores.
    ///
    /// # Errors
    /// [`TrainError::Record`] if it does not fit the model, the length of the training, or itself.
    pub(crate) fn restore(
        mut self,
        state: &mut State,
        extent: Extent,
    ) -> Result<Resumed, TrainError> {
        if let Some(fault) = extent.fault(&self.note) {
            return Err(refused(&self.path, fault));
        }
        let Note { layout, device, .. } = &self.note;
        for (saved, ours) in layout.iter().zip(state.flat.layout()) {
            if saved != ours {
                let ((is, shape), (should, size)) = (saved, ours);
                let reason =
                    format!("has `{is}` {shape:?} where the config asks for `{should}` {size:?}");
                return Err(refused(&self.path, reason));
            }
        }
        if layout.len() != state.flat.layout().len() {
            return Err(refused(
                &self.path,
                "has more or fewer parameters than the config asks for".to_owned(),
            ));
        }
        let same_generator = kind(device) == kind(&device_name(state.device()));
        let size = [state.flat.len() as i64];
        let on = state.device();
        let mut take = |name: &str, size: &[i64]| self.take(name, size, on);
        let parameters = take("parameters", &size)?;
        let (first, second) = (take("first", &size)?, take("second", &size)?);
        let steps = take("steps", &[])?;
        state.set_weights(&parameters)?;
        state.optimizer.restore([&first, &second, &steps])?;
        if let Some(average) = &mut state.average {
            average.set_weights(&take("average", &size)?)?;
        }
        if self.note.position.selected {
            state.best = Some(self.take("best", &size, on)?);
        }
        let generator = self.tensors.remove("generator");
        let generator =
            generator.ok_or_else(|| refused(&self.path, "has no `generator`".to_owned()))?;
        let fits =
            |ours: Tensor| ours.size() == generator.size() && ours.kind() == generator.kind();
        if same_generator && !fits(torch_ext::generator_state(on)?) {
            return Err(refused(
                &self.path,
                "its `generator` is not a state of a random generator".to_owned(),
            ));
        }
        let path = self.path;
        (state.position, state.tally, state.history) =
            (self.note.position, self.note.tally, self.note.history);
        Ok(Resumed { generator: same_generator.then_some(generator), path })
    }

    fn take(&mut self, name: &str, size: &[i64], device: Device) -> Result<Tensor, TrainError> {
        let tensor = self.tensors.remove(name);
        let tensor = tensor.ok_or_else(|| refused(&self.path, format!("has no `{name}`")))?;
        if tensor.size() != size {
            let reason =
                format!("`{name}` is {:?}, but the config asks for {size:?}", tensor.size());
            return Err(refused(&self.path, reason));
        }
        Ok(tensor.f_to(device)?)
    }
}

/// The part of a checkpoint that is restored after the order of the current epoch has been drawn again.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// State of the random generator; `None` on another kind of device, whose generator is different.
    generator: Option<Tensor>,
    path: std::path::PathBuf,
}

impl Resumed {
    /// Restores the state of the random generator, after the order of the current epoch of `steps` steps has been drawn
    /// again.
    pub(crate) fn restore_generator(
        self,
        base: u64,
        state: &State,
        steps: usize,
    ) -> Result<(), TrainError> {
        let done = state.position.done;
        if done > steps {
            return Err(refused(&self.path, format!("is at step {done} of an epoch of {steps}")));
        }
        if done == 0 {
            return Ok(()); // between two epochs: the next one starts its own stream
        }
        match self.generator {
            Some(generator) => {
                let restored = torch_ext::set_generator_state(state.device(), &generator);
                restored
                    .map_err(|error| refused(&self.path, format!("its `generator`: {error}")))?;
            }
            None => {
                tracing::warn!(
                    "continuing on another kind of device, with another order of windows and other draws"
                );
                seed(base, Stream::Step(state.position.step));
            }
        }
        Ok(())
    }
}

fn kind(device: &str) -> &str {
    device.split(':').next().unwrap_or(device)
}
