//! One training by several processes, which gives the weights of one process up to rounding.
//!
//! Every rank draws the windows, the noise and all other random numbers of the whole batch, and computes its share of the
//! windows. The sum of their gradients is that of the batch, and so all ranks take the same step.

mod mirror;

use feed::{Batch, Source};
use tch::{Tensor, no_grad};

pub use mirror::Mirror;

use crate::config::Config;
use crate::control::Control;
use crate::error::TrainError;
use crate::forecaster::{Forecaster, Terms};
use crate::metrics::SYNC_EVERY;
use crate::part::Part;
use crate::state::State;

/// Wishes of single ranks that all must follow together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// To save and stop.
    pub(crate) stop: bool,
    /// To save a checkpoint.
    pub(crate) save: bool,
}

/// Puts the gradient of the loss on a batch into `state`, and returns the terms of the loss. With several ranks also the
/// wishes that they follow after this step: those of any of them, read at each step on the CPU, and at every
/// [`SYNC_EVERY`]th step where reading waits for the device.
///
/// # Errors
/// As [`Forecaster::training_terms`]; [`TrainError::Extension`] if a rank is lost.
pub(crate) fn gradient(
    forecaster: &Forecaster,
    state: &mut State,
    batch: &Batch,
    place: usize,
    control: &Control,
    wishes: Wishes,
) -> Result<(Terms, Option<Wishes>), TrainError> {
    state.flat.zero_gradients();
    let Some(group) = control.group() else {
        let terms = forecaster.training_terms(batch, place)?;
        terms.loss.f_backward()?;
        return Ok((terms, None));
    };
    let part = Part::new(group, batch.windows());
    let weight = part.weight();
    let own = forecaster.terms_of_part(batch, place, part)?;
    // A rank that repeats the window of another adds nothing.
    let mut numbers = Tensor::f_zeros([3], (tch::Kind::Float, state.device()))?;
    if weight > 0.0 {
        (&own.loss * weight).f_backward()?;
        let terms = [&own.loss, &own.reconstruction, &own.kl];
        numbers = no_grad(|| Tensor::f_stack(&terms, 0)?.f_mul_scalar(weight))?;
    }
    let asked = [wishes.stop, wishes.save].map(|asked| if asked { 1.0_f32 } else { 0.0 });
    let asked = Tensor::f_from_slice(&asked)?.f_to(state.device())?;
    let beside = state.flat.beside();
    no_grad(|| beside.shallow_clone().f_copy_(&Tensor::f_cat(&[numbers, asked], 0)?))?;
    group.sum(state.flat.exchanged())?;
    let of = |place| -> Result<Tensor, TrainError> { Ok(beside.f_get(place)?.copy()) };
    let terms =
        Terms { loss: of(0)?, reconstruction: of(1)?, kl: of(2)?, kl_weight: own.kl_weight };
    let read =
        state.device() == tch::Device::Cpu || (state.position.step + 1).is_multiple_of(SYNC_EVERY);
    let mut agreed = Wishes::default();
    if read {
        let asked = Vec::<f32>::try_from(beside.f_narrow(0, 3, 2)?)?;
        agreed = Wishes { stop: asked[0] > 0.0, save: asked[1] > 0.0 };
    }
    Ok((terms, Some(agreed)))
}

/// Gives all ranks the weights of the first, which may have come from other hardware.
pub(crate) fn begin_together(control: &Control, state: &State) -> Result<(), TrainError> {
    let Some(group) = control.group() else { return Ok(()) };
    no_grad(|| group.broadcast(state.flat.parameters(), 0))?;
    Ok(())
}

/// Checks that all ranks have the same bits of a state.
///
/// # Errors
/// [`TrainError::RanksDiffer`].
pub(crate) fn check_weights(control: &Control, state: &State) -> Result<(), TrainError> {
    if control.group().is_none() {
        return Ok(());
    }
    let bytes = Vec::<f32>::try_from(state.flat.parameters().f_to(tch::Device::Cpu)?)?;
    let bytes: Vec<u8> = bytes.iter().flat_map(|number| number.to_le_bytes()).collect();
    check_same(control, "weights", &files::sha256_of(bytes.as_slice()).unwrap_or_default())
}

/// Checks that a text is the same on all ranks.
///
/// # Errors
/// [`TrainError::RanksDiffer`].
pub(crate) fn check_same(
    control: &Control,
    what: &'static str,
    text: &str,
) -> Result<(), TrainError> {
    let Some(group) = control.group() else { return Ok(()) };
    let all = group.gather_bytes(text.as_bytes())?;
    match all.iter().position(|other| *other != all[0]) {
        Some(rank) => Err(TrainError::RanksDiffer { rank, what }),
        None => Ok(()),
    }
}

/// Checks that all ranks start the same training.
///
/// # Errors
/// [`TrainError::RanksDiffer`].
pub(crate) fn check_start(
    control: &Control,
    config: &Config,
    source: &Source,
    step: Option<usize>,
) -> Result<(), TrainError> {
    if control.group().is_none() {
        return Ok(());
    }
    check_same(control, "code", env!("CARGO_PKG_VERSION"))?;
    if let (Some(group), tch::Device::Cuda(_)) = (control.group(), source.panel().device())
        && !group.join_gpus()?
    {
        tracing::warn!("without NCCL: gradients go through the memory of the CPU");
    }
    // The first rank's path to the data is a matter of its machine.
    let data = data::DataConfig { path: None, ..config.data.clone() };
    let config = Config { data, ..config.clone() };
    check_same(control, "config", &config.to_toml()?)?;
    check_same(control, "data", source.fingerprint())?;
    check_same(control, "checkpoints", &format!("{step:?}"))
}
