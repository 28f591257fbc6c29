//! Windows of one part of the data with their noise, whose draw is the same at every diffusion step.

use feed::{Batch, DevicePanel, WindowSet};
use noise::{Diffuser, NoiseConfig};
use tch::{Device, Kind, Tensor};
use train::{Forecaster, TrainError, inputs};
use vae::{HealthMeter, Inputs, ModelKind};

use crate::information::Gaussians;

/// Windows that go through the model at once.
const AT_ONCE: i64 = 512;

/// The noise processes of contexts and targets, on the device.
#[derive(Debug)]
pub(crate) struct Process {
    input: Diffuser,
    target: Diffuser,
}

impl Process {
    pub(crate) fn new(noise: &NoiseConfig, device: Device) -> Result<Process, TrainError> {
        Ok(Process {
            input: Diffuser::new(noise.input(), device, Kind::Float)?,
            target: Diffuser::new(noise.target(), device, Kind::Float)?,
        })
    }
}

/// Whole windows of one part, with noise drawn once.
#[derive(Debug)]
pub(crate) struct NoisedWindows {
    chunks: Vec<Chunk>,
    /// First row of each window.
    pub(crate) first_rows: Vec<i64>,
}

#[derive(Debug)]
struct Chunk {
    batch: Batch,
    /// Clean context relative to its window, as is `target`.
    context: Tensor,
    target: Tensor,
    noise: Tensor,
    target_noise: Tensor,
    /// Further draws of the noise of contexts.
    more: Vec<Tensor>,
}

/// Features of windows at one diffusion step, beside the noised windows themselves.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// `[N, D]`, f64 on the CPU.
    pub(crate) features: Tensor,
    /// `[N, L · C]`.
    pub(crate) raw: Tensor,
}

impl NoisedWindows {
    /// Gathers those of `windows` that are wholly observed, with `more` further draws of noise.
    ///
    /// Noise is drawn on the CPU from torch's generator, so that it is the same on every device and for every model.
    pub(crate) fn gather(
        forecaster: &Forecaster,
        panel: &DevicePanel,
        windows: &WindowSet,
        more: usize,
    ) -> Result<NoisedWindows, TrainError> {
        let mut chunks = Vec::new();
        let mut kept = Vec::new();
        for batch in windows.batches(panel, AT_ONCE) {
            let batch = batch?;
            let batch = match whole(&batch)? {
                None => batch,
                Some(whole) => panel.gather(&batch.first_rows.f_masked_select(&whole)?)?,
            };
            if batch.first_rows.numel() == 0 {
                continue;
            }
            kept.extend(Vec::<i64>::try_from(batch.first_rows.f_to_device(Device::Cpu)?)?);
            let (_, context, target) = forecaster.relative(&batch)?;
            let draw = |like: &Tensor| {
                Tensor::f_randn(like.size(), (Kind::Float, Device::Cpu))?.f_to_device(like.device())
            };
            let (noise, target_noise) = (draw(&context)?, draw(&target)?);
            let more = (0..more).map(|_| draw(&context)).collect::<Result<_, _>>()?;
            chunks.push(Chunk { batch, context, target, noise, target_noise, more });
        }
        Ok(NoisedWindows { chunks, first_rows: kept })
    }

    /// Number of windows.
    pub(crate) fn count(&self) -> usize {
        self.first_rows.len()
    }

    /// Clean futures `[N, H · C]` and contexts `[N, L · C]`, relative to their windows.
    pub(crate) fn truth(&self) -> Result<(Tensor, Tensor), TrainError> {
        Ok((
            flat(self.chunks.iter().map(|chunk| &chunk.target))?,
            flat(self.chunks.iter().map(|chunk| &chunk.context))?,
        ))
    }

    /// Features and noised contexts at step `t`.
    pub(crate) fn encode(
        &self,
        forecaster: &Forecaster,
        process: &Process,
        t: usize,
    ) -> Result<Encoded, TrainError> {
        let (mut features, mut raw) = (Vec::new(), Vec::new());
        for chunk in &self.chunks {
            let (context, inputs) = chunk.noised(process, t, &chunk.noise)?;
            features.push(forecaster.computed(|| forecaster.model().encode(&inputs, None))?);
            raw.push(context);
        }
        Ok(Encoded { features: flat(features.iter())?, raw: flat(raw.iter())? })
    }

    /// Health of the latent groups at step `t`, with the target noised as in training; and the posterior, if it sees
    /// the context alone.
    pub(crate) fn latents(
        &self,
        forecaster: &Forecaster,
        process: &Process,
        t: usize,
    ) -> Result<(vae::Health, Option<Gaussians>), TrainError> {
        let mut meter = HealthMeter::new();
        let (mut means, mut log_stds) = (Vec::new(), Vec::new());
        for chunk in &self.chunks {
            let (_, inputs) = chunk.noised(process, t, &chunk.noise)?;
            let steps = chunk.steps(t)?;
            let target = process.target.apply(&chunk.target, &steps, &chunk.target_noise)?;
            let pass = forecaster
                .computed(|| forecaster.model().forward(&inputs, Some(&target), false))?;
            meter.add(&pass.latents)?;
            let first = &pass.latents[0].posterior;
            means.push(first.mean().shallow_clone());
            log_stds.push(first.log_std().shallow_clone());
        }
        let posterior = match sees_context_alone(forecaster) {
            true => {
                Some(Gaussians::new(&Tensor::f_cat(&means, 0)?, &Tensor::f_cat(&log_stds, 0)?)?)
            }
            false => None,
        };
        Ok((meter.report()?, posterior))
    }

    /// Posteriors at step `t` under each of the further draws of noise.
    pub(crate) fn other_posteriors(
        &self,
        forecaster: &Forecaster,
        process: &Process,
        t: usize,
    ) -> Result<Vec<Gaussians>, TrainError> {
        let draws = self.chunks.first().map_or(0, |chunk| chunk.more.len());
        let draw = |draw: usize| -> Result<Gaussians, TrainError> {
            let (mut means, mut log_stds) = (Vec::new(), Vec::new());
            for chunk in &self.chunks {
                let (_, inputs) = chunk.noised(process, t, &chunk.more[draw])?;
                let pass =
                    forecaster.computed(|| forecaster.model().forward(&inputs, None, false))?;
                means.push(pass.latents[0].posterior.mean().shallow_clone());
                log_stds.push(pass.latents[0].posterior.log_std().shallow_clone());
            }
            Gaussians::new(&Tensor::f_cat(&means, 0)?, &Tensor::f_cat(&log_stds, 0)?)
        };
        (0..draws).map(draw).collect()
    }
}

impl Chunk {
    /// Step `t` for every window, `[B]`.
    fn steps(&self, t: usize) -> Result<Tensor, TrainError> {
        let on = (Kind::Int64, self.context.device());
        Ok(Tensor::f_full([self.context.size()[0]], t as i64, on)?)
    }

    /// The context at step `t`, and the inputs of the model that contain it.
    fn noised(
        &self,
        process: &Process,
        t: usize,
        noise: &Tensor,
    ) -> Result<(Tensor, Inputs), TrainError> {
        let steps = self.steps(t)?;
        let context = process.input.apply(&self.context, &steps, noise)?;
        let level = process.input.std_at(&steps)?.f_view([-1])?;
        let inputs = inputs(&self.batch, context.shallow_clone(), Some(level))?;
        Ok((context, inputs))
    }
}

/// Whether the posterior of the model is `q(z | x̃)`, a function of the context alone.
pub(crate) fn sees_context_alone(forecaster: &Forecaster) -> bool {
    matches!(forecaster.model().config().kind, ModelKind::Autoencode | ModelKind::Predict)
}

/// Whether each window is wholly observed, `[B]`; `None` if all data is.
fn whole(batch: &Batch) -> Result<Option<Tensor>, TrainError> {
    let mut all: Option<Tensor> = None;
    for mask in [&batch.context_observed, &batch.target_observed].into_iter().flatten() {
        let whole = mask.f_not_equal(0.0)?.f_flatten(1, 2)?.f_all_dim(1, false)?;
        all = Some(match all {
            None => whole,
            Some(other) => other.f_logical_and(&whole)?,
        });
    }
    Ok(all)
}

/// `[B, …]` tensors as rows of one table, f64 on the CPU.
fn flat<'a>(parts: impl Iterator<Item = &'a Tensor>) -> Result<Tensor, TrainError> {
    let rows = parts
        .map(|part| part.f_flatten(1, -1)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_cat(&rows, 0)?)
}
