//! One forecaster on some windows: every score of every window, and their means.

use feed::{Source, Stream, WindowSet, seed};
use objective::score::{
    LEVELS, PairEstimator, SortedSamples, WindowScores, energy_score, mean, over_observed,
    window_scores_sum,
};
use record::{Calibration, Coverage, Scores, SeriesScores};
use stats::mean_of_finite;
use tch::{Device, Kind, Tensor};
use train::{Config, TrainError};

use crate::entrant::Entrant;
use crate::slope::{moments, slope};

/// Samples scored at once: buffers that stay in the cache, and that the allocator keeps.
const NUMBERS: i64 = 1 << 19;
/// Bars of the PIT histogram.
pub(crate) const PIT_BARS: usize = 20;

/// The scores of one window; NaN where it has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowScore {
    pub(crate) relative: WindowScores,
    pub(crate) crps_sum: f64,
    pub(crate) crps_standardized: f64,
    pub(crate) log_score: f64,
    pub(crate) energy: f64,
    pub(crate) step_sum: f64,
    pub(crate) channel_sum: f64,
    /// Squared error of the stated mean, and of zero, standardized; on returns only.
    pub(crate) point: f64,
    pub(crate) zero: f64,
}

/// Everything that scoring one forecaster gives.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) windows: Vec<WindowScore>,
    by_step: Vec<Option<f64>>,
    by_channel: Vec<Option<f64>>,
    pit: Vec<f64>,
    slope: f64,
}

/// Sums over windows by step, by channel and by place, with the weight of each.
struct Sums {
    crps: Tensor,
    weight: Tensor,
    pit: Tensor,
    moments: Tensor,
}

/// How much is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Single elements, from sorted samples.
    Elements,
    /// Densities and joint scores too.
    All,
}

/// Scores the forecasts of `windows`, in batches; `keep` sees truth and samples of each batch in original units,
/// `[B, H, C]` and `[S, B, H, C]`.
pub(crate) fn score(
    config: &Config,
    source: &Source,
    entrant: &Entrant,
    windows: &WindowSet,
    depth: Depth,
    keep: &mut dyn FnMut(&Tensor, &Tensor) -> Result<(), TrainError>,
) -> Result<Measured, TrainError> {
    seed(config.seed, Stream::Evaluation);
    let samples = config.evaluate.samples as i64;
    let numbers_each = samples * (config.data.horizon * source.channels().len()) as i64;
    let at_once = (NUMBERS / numbers_each.max(1)).clamp(1, 512);
    let mut scored = Vec::new();
    let mut sums: Option<Sums> = None;
    for batch in windows.batches(source.panel(), at_once) {
        let batch = batch?;
        let (rows, count) = (&batch.first_rows, batch.first_rows.numel());
        let drawn = entrant.sample(&batch, samples)?;
        let density = match depth {
            Depth::Elements => batch.target.f_full_like(f64::NAN)?,
            Depth::All => entrant.log_density(&batch, samples)?,
        };
        let square =
            |errors: Tensor| over_observed(&errors.f_square()?, batch.target_observed.as_ref());
        let (point, zero) = match depth {
            Depth::All if source.returns() => {
                let mean = entrant.mean(&batch, samples)?;
                let errors = [&batch.target - mean, batch.target.shallow_clone()].map(square);
                let [point, zero] = errors;
                (numbers(&point?)?, numbers(&zero?)?)
            }
            _ => (vec![f64::NAN; count], vec![f64::NAN; count]),
        };
        let sorted = SortedSamples::new(&drawn)?;
        let crps = sorted.crps(&batch.target, PairEstimator::Fair)?;
        let weight = match &batch.target_observed {
            Some(observed) => observed.f_to_kind(Kind::Double)?,
            None => crps.f_ones_like()?,
        };
        let here = Sums {
            crps: (&crps * &weight).f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?,
            weight: weight.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?,
            pit: histogram(&sorted.pit(&batch.target)?, &weight)?,
            moments: moments(&drawn, &batch.target, &weight)?,
        };
        sums = Some(match sums {
            None => here,
            Some(sums) => Sums {
                crps: sums.crps + here.crps,
                weight: sums.weight + here.weight,
                pit: sums.pit + here.pit,
                moments: sums.moments + here.moments,
            },
        });
        let joint = match depth {
            Depth::Elements => Joint::none(count),
            Depth::All => Joint::new(&drawn, &batch.target, &crps, &weight)?,
        };
        let original = source.to_original(&drawn, rows)?;
        let ordered = match source.elementwise() {
            true => SortedSamples::from_ascending(&source.to_original(sorted.samples(), rows)?)?,
            false => SortedSamples::new(&original)?,
        };
        let truth = source.truth(rows)?;
        keep(&truth, &original)?;
        let mask = batch.target_observed.as_ref();
        let mask = mask.map(|mask| mask.f_not_equal(0.0)?.f_to(Device::Cpu)).transpose()?;
        let relative = ordered.window_scores(&truth, mask.as_ref())?;
        let summed = match source.channels().len() {
            1 => vec![f64::NAN; relative.len()],
            _ => {
                let summed = window_scores_sum(&original, &truth, mask.as_ref())?;
                summed.into_iter().map(|window| window.crps).collect()
            }
        };
        let standardized = numbers(&over_observed(&crps, Some(&weight))?)?;
        let log_scores = numbers(&over_observed(&density, Some(&weight))?)?;
        for (i, (relative, crps_sum)) in relative.into_iter().zip(summed).enumerate() {
            scored.push(WindowScore {
                relative,
                crps_sum,
                crps_standardized: standardized[i],
                log_score: log_scores[i],
                energy: joint.energy[i],
                step_sum: joint.step_sum[i],
                channel_sum: joint.channel_sum[i],
                point: point[i],
                zero: zero[i],
            });
        }
    }
    let Some(Sums { crps, weight, pit, moments }) = sums else {
        return Err(TrainError::NothingObserved { part: "test" });
    };
    let along = |axis: i64| -> Result<Vec<Option<f64>>, TrainError> {
        let sum =
            |tensor: &Tensor| tensor.f_sum_dim_intlist([axis].as_slice(), false, Kind::Double);
        let means = numbers(&(sum(&crps)? / sum(&weight)?))?;
        Ok(means.into_iter().map(finite).collect())
    };
    let total = weight.f_sum(Kind::Double)?.f_double_value(&[])?;
    let pit = numbers(&pit)?.into_iter().map(|count| count / total).collect();
    let slope = slope(&moments)?;
    Ok(Measured { windows: scored, by_step: along(1)?, by_channel: along(0)?, pit, slope })
}

/// Scores that see dependence, `[B]` each.
struct Joint {
    energy: Vec<f64>,
    step_sum: Vec<f64>,
    channel_sum: Vec<f64>,
}

impl Joint {
    fn none(windows: usize) -> Joint {
        let nothing = || vec![f64::NAN; windows];
        Joint { energy: nothing(), step_sum: nothing(), channel_sum: nothing() }
    }

    /// Of standardized samples `[S, B, H, C]` and their elementwise fair CRPS; `weight` is 1 where the truth
    /// was observed.
    fn new(
        samples: &Tensor,
        truth: &Tensor,
        crps: &Tensor,
        weight: &Tensor,
    ) -> Result<Joint, TrainError> {
        // What was not observed is no difference.
        let hide = |tensor: &Tensor| Ok::<_, TrainError>(tensor.f_to_kind(Kind::Double)? * weight);
        let (drawn, happened) = (hide(samples)?, hide(truth)?);
        let energy = energy_score(&drawn, &happened, PairEstimator::Fair)?;
        let nothing = weight.f_sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double)?;
        let energy = energy.f_masked_fill(&nothing.f_eq(0.0)?, f64::NAN)?;
        // Axes of the truth; samples have one before them.
        let sum = |over: i64| -> Result<Vec<f64>, TrainError> {
            if truth.size()[over as usize] == 1 {
                return numbers(&over_observed(crps, Some(weight))?); // the sum of one
            }
            let total = |tensor: &Tensor, axis: i64| {
                tensor.f_sum_dim_intlist([axis].as_slice(), true, Kind::Double)
            };
            let sorted = SortedSamples::new(&total(&drawn, over + 1)?)?;
            let crps = sorted.crps(&total(&happened, over)?, PairEstimator::Fair)?;
            numbers(&over_observed(&crps, Some(&weight.f_amin([over].as_slice(), true)?))?)
        };
        Ok(Joint { energy: numbers(&energy)?, step_sum: sum(1)?, channel_sum: sum(2)? })
    }
}

/// Weights of the values in [0, 1] in each of 20 equal parts.
fn histogram(places: &Tensor, weight: &Tensor) -> Result<Tensor, TrainError> {
    let bar = (places * PIT_BARS as f64).f_floor()?.f_clamp(0.0, PIT_BARS as f64 - 1.0)?;
    let bar = bar.f_to_kind(Kind::Int64)?.f_reshape([-1])?;
    Ok(bar.f_bincount(Some(weight.f_reshape([-1])?), PIT_BARS as i64)?)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, TrainError> {
    Ok(Vec::try_from(tensor.f_to(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1])?)?)
}

/// `None` for NaN and infinities, which JSON has no word for.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl Measured {
    /// Means over windows; `places` says which series each window is of, by its index in `names`.
    pub(crate) fn summarize(
        &self,
        part: &'static str,
        names: &[&str],
        places: &[usize],
    ) -> Result<(Scores, Calibration), TrainError> {
        let relative: Vec<WindowScores> =
            self.windows.iter().map(|window| window.relative.clone()).collect();
        let means = mean(&relative).ok_or(TrainError::NothingObserved { part })?;
        let all = |value: fn(&WindowScore) -> f64| mean_of_finite(self.windows.iter().map(value));
        // One window without a density leaves the mean without a meaning.
        let seen = |window: &&WindowScore| window.crps_standardized.is_finite();
        let dense = self.windows.iter().filter(seen).all(|window| window.log_score.is_finite());
        let scores = Scores {
            windows: self.windows.len(),
            crps: means.crps,
            nmae: means.nmae,
            mae: means.mae,
            mse: means.mse,
            nrmse: means.nrmse,
            coverage: Coverage {
                half: means.coverage_50,
                eighty: means.coverage_80,
                ninety: means.coverage_90,
            },
            mae_coverage: means.mae_coverage,
            width_90: means.width_90,
            crps_sum: all(|window| window.crps_sum),
            crps_standardized: all(|window| window.crps_standardized)
                .ok_or(TrainError::NothingObserved { part })?,
            window_crps: self.windows.iter().map(|w| finite(w.crps_standardized)).collect(),
            log_score: all(|window| window.log_score).filter(|_| dense),
            slope: finite(self.slope),
            energy: all(|window| window.energy),
            crps_of_step_sum: all(|window| window.step_sum),
            crps_of_channel_sum: all(|window| window.channel_sum),
            by_step: self.by_step.clone(),
            by_channel: self.by_channel.clone(),
            by_series: if names.len() > 1 { self.by_series(names, places) } else { Vec::new() },
            zero_windows: relative.iter().filter(|w| w.observed > 0 && !w.crps.is_finite()).count(),
        };
        let (levels, observed) = (LEVELS.to_vec(), means.coverage_below);
        Ok((scores, Calibration { levels, observed, pit: self.pit.clone() }))
    }

    fn by_series(&self, names: &[&str], places: &[usize]) -> Vec<SeriesScores> {
        let of_series = |series: usize| {
            let mine = || {
                let windows = self.windows.iter().zip(places);
                windows.filter(move |(_, place)| **place == series).map(|(window, _)| window)
            };
            SeriesScores {
                name: names[series].to_owned(),
                windows: mine().filter(|window| window.relative.observed > 0).count(),
                crps: mean_of_finite(mine().map(|window| window.relative.crps)),
                mse: mean_of_finite(mine().map(|window| window.relative.mse)),
                crps_standardized: mean_of_finite(mine().map(|window| window.crps_standardized)),
                log_score: mean_of_finite(mine().map(|window| window.log_score)),
            }
        };
        (0..names.len()).map(of_series).filter(|series| series.windows > 0).collect()
    }

    /// The mean of several measurements of the same windows, window by window.
    pub(crate) fn mean_of(all: &[Measured]) -> Option<Measured> {
        let first = all.first()?;
        let over = |value: &dyn Fn(&Measured) -> f64| {
            all.iter().map(value).sum::<f64>() / all.len() as f64
        };
        let optional = |value: &dyn Fn(&Measured) -> Option<f64>| {
            finite(over(&|measured| value(measured).unwrap_or(f64::NAN)))
        };
        let windows = (0..first.windows.len()).map(|i| {
            let of = |value: &dyn Fn(&WindowScore) -> f64| over(&|m| value(&m.windows[i]));
            let mut relative = first.windows[i].relative.clone();
            relative.crps = of(&|w| w.relative.crps);
            relative.crps_samples = of(&|w| w.relative.crps_samples);
            relative.nmae = of(&|w| w.relative.nmae);
            relative.mse = of(&|w| w.relative.mse);
            relative.mae = of(&|w| w.relative.mae);
            relative.nrmse = of(&|w| w.relative.nrmse);
            relative.mae_coverage = of(&|w| w.relative.mae_coverage);
            relative.coverage_50 = of(&|w| w.relative.coverage_50);
            relative.coverage_80 = of(&|w| w.relative.coverage_80);
            relative.coverage_90 = of(&|w| w.relative.coverage_90);
            relative.width_90 = of(&|w| w.relative.width_90);
            for level in 0..relative.coverage_below.len() {
                relative.coverage_below[level] = of(&|w| w.relative.coverage_below[level]);
            }
            WindowScore {
                crps_sum: of(&|w| w.crps_sum),
                crps_standardized: of(&|w| w.crps_standardized),
                log_score: of(&|w| w.log_score),
                energy: of(&|w| w.energy),
                step_sum: of(&|w| w.step_sum),
                channel_sum: of(&|w| w.channel_sum),
                point: of(&|w| w.point),
                zero: of(&|w| w.zero),
                relative,
            }
        });
        let places = |pick: fn(&Measured) -> &Vec<Option<f64>>| -> Vec<Option<f64>> {
            (0..pick(first).len()).map(|i| optional(&|m| pick(m)[i])).collect()
        };
        Some(Measured {
            windows: windows.collect(),
            by_step: places(|m| &m.by_step),
            by_channel: places(|m| &m.by_channel),
            pit: (0..first.pit.len()).map(|bar| over(&|m| m.pit[bar])).collect(),
            slope: over(&|m| m.slope),
        })
    }
}
