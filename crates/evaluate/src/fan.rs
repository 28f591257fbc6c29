//! Data for the pictures of an evaluation: fans of a few forecasts, and the noise of the training.

use feed::{Part, Source};
use objective::score::quantiles;
use record::{Fan, NoiseCurve};
use tch::{Kind, Tensor};
use train::TrainError;

use crate::entrant::Entrant;

/// Levels of the bands of a fan.
const FAN_LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Fans of the windows at the 10th, 50th and 90th percentile of the CRPS, each in the channel with the median score.
pub(crate) fn fans(
    source: &Source,
    forecaster: &Entrant,
    window_crps: &[Option<f64>],
) -> Result<Vec<Fan>, TrainError> {
    let scored = window_crps.iter().enumerate();
    let mut order: Vec<(usize, f64)> =
        scored.filter_map(|(window, crps)| Some((window, (*crps)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = |share: f64| order[((order.len() - 1) as f64 * share).round() as usize];
    [("good", 0.1), ("median", 0.5), ("bad", 0.9)]
        .into_iter()
        .map(|(label, share)| fan(source, forecaster, label, at(share)))
        .collect()
}

fn fan(
    source: &Source,
    forecaster: &Entrant,
    label: &str,
    (window, crps): (usize, f64),
) -> Result<Fan, TrainError> {
    let index = Tensor::f_from_slice(&[window as i64])?.f_to(source.panel().device())?;
    let rows = source.windows(Part::Test).first_rows_of(&index)?;
    let batch = source.panel().gather(&rows)?;
    let standardized = forecaster.sample(&batch, 1000)?;
    let channel = middle_channel(&standardized, &batch.target)?;
    let column = |values: &Tensor| -> Result<Vec<f64>, TrainError> {
        let values = values.f_select(-1, channel)?.f_contiguous()?.f_view([-1])?;
        Ok(Vec::try_from(values.f_to_kind(Kind::Double)?)?)
    };
    let samples = source.to_original(&standardized, &rows)?;
    let quantiles = quantiles(&samples, &FAN_LEVELS)?;
    let start = rows.f_int64_value(&[0])? as usize;
    Ok(Fan {
        label: label.to_owned(),
        window,
        channel: source.channels()[channel as usize].clone(),
        times: source.times(start)?,
        context: column(&source.contexts(&rows)?)?,
        target: column(&source.truth(&rows)?)?,
        levels: FAN_LEVELS.to_vec(),
        quantiles: (0..FAN_LEVELS.len() as i64)
            .map(|level| column(&quantiles.f_get(level)?))
            .collect::<Result<_, _>>()?,
        crps,
    })
}

/// The channel with the median CRPS in one window `[S, 1, H, C]`.
fn middle_channel(samples: &Tensor, target: &Tensor) -> Result<i64, TrainError> {
    let crps = objective::score::crps(samples, target, objective::score::PairEstimator::Fair)?;
    let per_channel = crps.f_mean_dim([0_i64, 1].as_slice(), false, Kind::Double)?;
    let order = per_channel.f_argsort(0, false)?;
    Ok(order.f_int64_value(&[(order.numel() as i64 - 1) / 2])?)
}

/// Signal-to-noise ratio of contexts over the diffusion steps, plain and re-injected.
pub(crate) fn noise_curve(noise: &noise::NoiseConfig) -> NoiseCurve {
    let decibels = |process: &noise::Reinjection| -> Vec<Option<f64>> {
        process.snr_db().map(|db| db.is_finite().then_some(db)).collect()
    };
    let process = noise.input();
    NoiseCurve {
        steps: process.steps(),
        t: (0..=process.steps()).collect(),
        snr_db: decibels(&noise::Reinjection::plain(process.schedule().clone())),
        snr_reinjected_db: decibels(process),
    }
}
