//! Scores of one forecaster on a set of windows.

use feed::{Batch, Source, Stream, WindowSet, seed_batch};
use objective::score::{
    PairEstimator, SortedSamples, WindowScores, energy_score, over_observed, window_scores_sum,
};
use tch::{Device, Kind, Tensor};
use train::{Config, ProcessGroup, TrainError, share_out};

use crate::entrant::Entrant;
use crate::slope::{moments, slope};
use crate::table::{Measure, ScoreTable};

/// Maximum sampled values scored at once, so that buffers stay in the cache and the allocator reuses them.
const MAX_VALUES: i64 = 1 << 19;
/// Bars of the PIT histogram.
const PIT_BARS: usize = 20;

/// The extent of a scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Scores of single values, from sorted samples.
    Elements,
    /// Also log densities and joint scores.
    All,
}

/// A measure, and where it is in the scores of a window.
type Column = (Measure, fn(&WindowScores) -> f64);

/// The scores of a window in original units, as the benchmark defines them.
const RELATIVE: [Column; 10] = [
    (Measure::Crps, |window| window.crps),
    (Measure::Nmae, |window| window.nmae),
    (Measure::Mae, |window| window.mae),
    (Measure::Mse, |window| window.mse),
    (Measure::Nrmse, |window| window.nrmse),
    (Measure::MaeCoverage, |window| window.mae_coverage),
    (Measure::Coverage50, |window| window.coverage_50),
    (Measure::Coverage80, |window| window.coverage_80),
    (Measure::Coverage90, |window| window.coverage_90),
    (Measure::Width90, |window| window.width_90),
];

/// Receives truth `[B, H, C]` and samples `[S, B, H, C]` of each batch in original units.
pub(crate) type Keep<'a> = &'a mut dyn FnMut(&Tensor, &Tensor) -> Result<(), TrainError>;

/// The forecasts to score.
#[derive(Clone, Copy)]
pub(crate) struct Scoring<'a> {
    pub(crate) config: &'a Config,
    pub(crate) source: &'a Source,
    pub(crate) entrant: &'a Entrant<'a>,
    pub(crate) depth: Depth,
}

impl Scoring<'_> {
    /// Scores the forecasts of `windows`, in batches that the processes of `group` share. Each batch draws from a stream
    /// of its own, so that the scores do not depend on their number.
    pub(crate) fn score(
        &self,
        windows: &WindowSet,
        group: Option<&ProcessGroup>,
        mut keep: Option<Keep>,
    ) -> Result<ScoreTable, TrainError> {
        let Scoring { config, source, .. } = *self;
        let [horizon, channels] = [config.data.horizon as i64, source.channels().len() as i64];
        let numbers_each = config.evaluate.samples as i64 * horizon * channels;
        let at_once = (MAX_VALUES / numbers_each.max(1)).clamp(1, 512);
        let count = windows.batch_count(at_once);
        let parts = share_out(group, count, |index| {
            let batch = windows.batch(source.panel(), at_once, index)?;
            seed_batch(config.seed, Stream::Evaluation, index);
            let (part, sums) = self.score_batch(&batch, &mut keep)?;
            Ok([part.numbers(), sums.numbers()?].concat())
        })?;
        let mut numbers = parts.into_iter();
        let (mut table, mut sums) = (ScoreTable::new(), None::<Sums>);
        for _ in 0..count {
            table.append(ScoreTable::read(&mut numbers));
            let here = Sums::read(&mut numbers, [horizon, channels])?;
            sums = Some(match sums {
                None => here,
                Some(sums) => sums.plus(here),
            });
        }
        let sums = sums.ok_or(TrainError::NothingObserved { part: "test" })?;
        sums.finish(&mut table)?;
        Ok(table)
    }

    fn score_batch(
        &self,
        batch: &Batch,
        keep: &mut Option<Keep>,
    ) -> Result<(ScoreTable, Sums), TrainError> {
        let Scoring { config, source, entrant, depth } = *self;
        let samples = config.evaluate.samples as i64;
        let mut table = ScoreTable::new();
        let drawn = entrant.sample(batch, samples)?;
        let sorted = SortedSamples::new(&drawn)?;
        let crps = sorted.crps(&batch.target, PairEstimator::Fair)?;
        let weight = match &batch.target_observed {
            Some(observed) => observed.f_to_kind(Kind::Double)?,
            None => crps.f_ones_like()?,
        };
        table.add(Measure::CrpsStandardized, numbers(&over_observed(&crps, Some(&weight))?)?);
        if depth == Depth::All {
            add_densities(&mut table, entrant, batch, samples, &weight)?;
            if source.returns() {
                add_point_errors(&mut table, entrant, batch, samples)?;
            }
            add_joint_scores(&mut table, &drawn, &batch.target, &crps, &weight)?;
        }
        let sums = Sums::of(&sorted, &drawn, &batch.target, &crps, &weight)?;
        let truth = add_relative_scores(&mut table, source, &sorted, &drawn, batch)?;
        if let Some(keep) = keep {
            keep(&truth, &source.to_original(&drawn, &batch.first_rows)?)?;
        }
        Ok((table, sums))
    }
}

/// Adds the log density of the target, averaged over the observed values of each window.
fn add_densities(
    table: &mut ScoreTable,
    entrant: &Entrant,
    batch: &Batch,
    samples: i64,
    weight: &Tensor,
) -> Result<(), TrainError> {
    let density = entrant.log_density(batch, samples)?;
    table.add(Measure::LogScore, numbers(&over_observed(&density, Some(weight))?)?);
    Ok(())
}

/// Adds the squared errors of the mean forecast, and of a forecast of zero.
fn add_point_errors(
    table: &mut ScoreTable,
    entrant: &Entrant,
    batch: &Batch,
    samples: i64,
) -> Result<(), TrainError> {
    let mean = entrant.mean(batch, samples)?;
    let square = |errors: Tensor| -> Result<Vec<f64>, TrainError> {
        numbers(&over_observed(&errors.f_square()?, batch.target_observed.as_ref())?)
    };
    table.add(Measure::PointError, square(&batch.target - mean)?);
    table.add(Measure::ZeroError, square(batch.target.shallow_clone())?);
    Ok(())
}

/// Adds scores of the joint law, from standardized samples `[S, B, H, C]` and their elementwise fair CRPS; `weight` is
/// 1 where the truth was observed, else 0.
fn add_joint_scores(
    table: &mut ScoreTable,
    samples: &Tensor,
    truth: &Tensor,
    crps: &Tensor,
    weight: &Tensor,
) -> Result<(), TrainError> {
    // An unobserved value is zero in truth and samples, so that it adds nothing to a distance.
    let hide = |tensor: &Tensor| Ok::<_, TrainError>(tensor.f_to_kind(Kind::Double)? * weight);
    let (masked_samples, masked_truth) = (hide(samples)?, hide(truth)?);
    let energy = energy_score(&masked_samples, &masked_truth, PairEstimator::Fair)?;
    let observed = weight.f_sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double)?;
    let energy = energy.f_masked_fill(&observed.f_eq(0.0)?, f64::NAN)?;
    table.add(Measure::Energy, numbers(&energy)?);
    // Axes of the truth; samples have one before them.
    for (measure, over) in [(Measure::StepSum, 1), (Measure::ChannelSum, 2)] {
        if truth.size()[over as usize] == 1 {
            table.add(measure, numbers(&over_observed(crps, Some(weight))?)?); // the sum of one
            continue;
        }
        let total = |tensor: &Tensor, axis: i64| {
            tensor.f_sum_dim_intlist([axis].as_slice(), true, Kind::Double)
        };
        let sorted = SortedSamples::new(&total(&masked_samples, over + 1)?)?;
        let crps = sorted.crps(&total(&masked_truth, over)?, PairEstimator::Fair)?;
        let whole = weight.f_amin([over].as_slice(), true)?;
        table.add(measure, numbers(&over_observed(&crps, Some(&whole))?)?);
    }
    Ok(())
}

/// Adds the scores in original units and ends the batch. Returns its truth in these units.
fn add_relative_scores(
    table: &mut ScoreTable,
    source: &Source,
    sorted: &SortedSamples,
    drawn: &Tensor,
    batch: &Batch,
) -> Result<Tensor, TrainError> {
    let rows = &batch.first_rows;
    let ordered = match source.elementwise() {
        true => SortedSamples::from_ascending(&source.to_original(sorted.samples(), rows)?)?,
        false => SortedSamples::new(&source.to_original(drawn, rows)?)?,
    };
    let truth = source.truth(rows)?;
    let mask = batch.target_observed.as_ref();
    let mask = mask.map(|mask| mask.f_not_equal(0.0)?.f_to(Device::Cpu)).transpose()?;
    let relative = ordered.window_scores(&truth, mask.as_ref())?;
    for (measure, of) in RELATIVE {
        table.add(measure, relative.iter().map(of));
    }
    if source.channels().len() > 1 {
        let original = source.to_original(drawn, rows)?;
        let summed = window_scores_sum(&original, &truth, mask.as_ref())?;
        table.add(Measure::CrpsSum, summed.iter().map(|window| window.crps));
    }
    for window in &relative {
        table.add_below(&window.coverage_below);
    }
    table.end_batch(relative.iter().map(|window| window.observed));
    Ok(truth)
}

/// Sums over windows: CRPS and weight `[H, C]`, the PIT histogram `[20]`, and [`moments`] `[5, C]`.
struct Sums {
    crps: Tensor,
    weight: Tensor,
    pit: Tensor,
    moments: Tensor,
}

impl Sums {
    /// The sums over one batch.
    fn of(
        sorted: &SortedSamples,
        drawn: &Tensor,
        target: &Tensor,
        crps: &Tensor,
        weight: &Tensor,
    ) -> Result<Sums, TrainError> {
        Ok(Sums {
            crps: (crps * weight).f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?,
            weight: weight.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?,
            pit: histogram(&sorted.pit(target)?, weight)?,
            moments: moments(drawn, target, weight)?,
        })
    }

    /// As numbers, for [`Sums::read`].
    fn numbers(&self) -> Result<Vec<f64>, TrainError> {
        let parts = [&self.crps, &self.weight, &self.pit, &self.moments].map(numbers);
        Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Takes the sums of one batch from the front of `numbers`.
    fn read(
        numbers: &mut impl Iterator<Item = f64>,
        [horizon, channels]: [i64; 2],
    ) -> Result<Sums, TrainError> {
        let mut take = |size: &[i64]| {
            let count = size.iter().product::<i64>() as usize;
            let some: Vec<f64> = numbers.take(count).collect();
            Tensor::f_from_slice(&some)?.f_view(size)
        };
        let size = [horizon, channels];
        Ok(Sums {
            crps: take(&size)?,
            weight: take(&size)?,
            pit: take(&[PIT_BARS as i64])?,
            moments: take(&[5, channels])?,
        })
    }

    fn plus(self, other: Sums) -> Sums {
        Sums {
            crps: self.crps + other.crps,
            weight: self.weight + other.weight,
            pit: self.pit + other.pit,
            moments: self.moments + other.moments,
        }
    }

    /// Divides by the weights, and puts the means over all windows into `table`.
    fn finish(self, table: &mut ScoreTable) -> Result<(), TrainError> {
        let Sums { crps, weight, pit, moments } = self;
        let along = |axis: i64| -> Result<Vec<f64>, TrainError> {
            let sum =
                |tensor: &Tensor| tensor.f_sum_dim_intlist([axis].as_slice(), false, Kind::Double);
            numbers(&(sum(&crps)? / sum(&weight)?))
        };
        let total = weight.f_sum(Kind::Double)?.f_double_value(&[])?;
        table.pit = numbers(&pit)?.into_iter().map(|count| count / total).collect();
        table.slope = vec![slope(&moments)?];
        (table.by_step, table.by_channel) = (along(1)?, along(0)?);
        Ok(())
    }
}

/// Sum of the weights in each of 20 equal parts of [0, 1].
fn histogram(places: &Tensor, weight: &Tensor) -> Result<Tensor, TrainError> {
    let bar = (places * PIT_BARS as f64).f_floor()?.f_clamp(0.0, PIT_BARS as f64 - 1.0)?;
    let bar = bar.f_to_kind(Kind::Int64)?.f_reshape([-1])?;
    Ok(bar.f_bincount(Some(weight.f_reshape([-1])?), PIT_BARS as i64)?)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, TrainError> {
    Ok(Vec::try_from(tensor.f_to(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1])?)?)
}
