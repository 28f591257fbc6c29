//! Scores of whole windows by the conventions of the ProbTS benchmark (`microsoft/ProbTS` at 66f826c):
//! steps and channels are pooled inside a window, and the caller averages windows with equal weight.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::quantile::{inside, loss_of_errors, quantiles_of_sorted, rows};
use super::sorted::crps_of_sorted;
use super::{PairEstimator, SortedSamples, check_pairing, check_samples};
use crate::error::{ObjectiveError, Result, wrong_shape};

/// The quantile levels of the benchmark, `k/20`.
pub const LEVELS: [f64; 19] = [
    0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85,
    0.9, 0.95,
];

/// The scores of one window.
///
/// Sums and means run over the observed steps and channels of the window; `q̂` is the sample quantile.
/// A window whose truth is zero throughout has no relative scores: they are NaN or infinite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowScores {
    /// The number of observed elements.
    pub observed: u64,
    /// `mean_q Σ 2|(q̂ − y)(1[y ≤ q̂] − q)| / Σ|y|` over [`LEVELS`].
    pub crps: f64,
    /// The CRPS of the samples' empirical law, over all levels, divided by `Σ|y|`. The benchmark does not report it.
    pub crps_samples: f64,
    /// `Σ|y − median| / Σ|y|`, also called ND.
    pub nmae: f64,
    /// `mean (y − sample mean)²`, in the squared unit of the target.
    pub mse: f64,
    /// `mean |y − median|`, in the unit of the target.
    pub mae: f64,
    /// `√mse / mean|y|`.
    pub nrmse: f64,
    /// `mean_q |share of y < q̂ − q|`.
    pub mae_coverage: f64,
    /// The share of `y < q̂` at each of [`LEVELS`].
    pub coverage_below: Vec<f64>,
    /// The share of `y` in the central 50 % interval, ends included.
    pub coverage_50: f64,
    /// The share of `y` in the central 80 % interval, ends included.
    pub coverage_80: f64,
    /// The share of `y` in the central 90 % interval, ends included.
    pub coverage_90: f64,
    /// The mean width of the central 90 % interval, in the unit of the target: a measure of sharpness.
    pub width_90: f64,
}

/// The scores of each window.
///
/// # Shapes
/// `samples`: `[S, N, H, C]`, or `[S, H, C]` for one window; `truth`: `[N, H, C]` or `[H, C]`, original
/// units; `observed`: boolean, the shape of `truth`. Unobserved truth may be NaN.
///
/// # Errors
/// If the shapes do not fit, a sample or an observed truth is not finite.
pub fn window_scores(
    samples: &Tensor,
    truth: &Tensor,
    observed: Option<&Tensor>,
) -> Result<Vec<WindowScores>> {
    check_pairing(samples, truth)?;
    SortedSamples::new(samples)?.window_scores(truth, observed)
}

impl SortedSamples {
    /// As [`window_scores`].
    ///
    /// # Errors
    /// If the shapes do not fit or an observed truth is not finite.
    pub fn window_scores(
        &self,
        truth: &Tensor,
        observed: Option<&Tensor>,
    ) -> Result<Vec<WindowScores>> {
        check_pairing(self.samples(), truth)?;
        let Windows { samples, truth, observed } = Windows::new(self.samples(), truth, observed)?;
        scores_of_windows(&samples, &truth, &observed)
    }
}

/// The scores of sorted samples `[S, N, H, C]` against truth `[N, H, C]` with its mask.
fn scores_of_windows(
    sorted: &Tensor,
    truth: &Tensor,
    observed: &Tensor,
) -> Result<Vec<WindowScores>> {
    let weight = observed.to_kind(Kind::Double); // [N, H, C]
    let pooled = |values: &Tensor| {
        (values * &weight).sum_dim_intlist([-2i64, -1].as_slice(), false, None::<Kind>)
    };
    let count = pooled(&truth.ones_like());
    let magnitude = pooled(&truth.abs());

    let levels = quantiles_of_sorted(sorted, &LEVELS)?; // [19, N, H, C]
    let average = |losses: Tensor| losses.mean_dim([0i64].as_slice(), false, None::<Kind>);
    let quantile_loss = average(loss_of_errors(&(truth - &levels), &LEVELS));
    let below = pooled(&levels.gt_tensor(truth).to_kind(Kind::Double)) / &count; // [19, N]
    let deviation = average((&below - rows(&LEVELS, &below)).abs());
    let median_error = pooled(&(truth - levels.get(MEDIAN)).abs());
    let mean_error = truth - sorted.mean_dim([0i64].as_slice(), false, None::<Kind>);
    let mse = pooled(&mean_error.square()) / &count;
    let pairs = PairEstimator::Plain.pairs(sorted.size()[0])?;
    let interval =
        |low: i64, high: i64| pooled(&inside(truth, &levels.get(low), &levels.get(high))) / &count;

    let crps = to_vec(&(pooled(&quantile_loss) / &magnitude));
    let crps_samples = to_vec(&(pooled(&crps_of_sorted(&(sorted - truth), pairs)) / &magnitude));
    let nmae = to_vec(&(&median_error / &magnitude));
    let mae = to_vec(&(median_error / &count));
    let nrmse = to_vec(&(mse.sqrt() * &count / &magnitude));
    let mse = to_vec(&mse);
    let mae_coverage = to_vec(&deviation);
    let [coverage_50, coverage_80, coverage_90] =
        [interval(4, 14), interval(1, 17), interval(0, 18)].map(|inside| to_vec(&inside));
    let width_90 = to_vec(&(pooled(&(levels.get(18) - levels.get(0))) / &count));
    let below = to_vec(&below.transpose(0, 1).contiguous());
    let scores = to_vec(&count).into_iter().enumerate().map(|(n, count)| WindowScores {
        observed: count as u64,
        crps: crps[n],
        crps_samples: crps_samples[n],
        nmae: nmae[n],
        mse: mse[n],
        mae: mae[n],
        nrmse: nrmse[n],
        mae_coverage: mae_coverage[n],
        coverage_below: below[n * LEVELS.len()..(n + 1) * LEVELS.len()].to_vec(),
        coverage_50: coverage_50[n],
        coverage_80: coverage_80[n],
        coverage_90: coverage_90[n],
        width_90: width_90[n],
    });
    Ok(scores.collect())
}

/// The scores of each window after samples and truth are summed over channels ("CRPS-Sum").
///
/// A step with a channel missing has no sum and is left out.
///
/// # Shapes
/// As [`window_scores`].
///
/// # Errors
/// As [`window_scores`].
pub fn window_scores_sum(
    samples: &Tensor,
    truth: &Tensor,
    observed: Option<&Tensor>,
) -> Result<Vec<WindowScores>> {
    let Windows { samples, truth, observed } = Windows::new(samples, truth, observed)?;
    let summed = |tensor: &Tensor| tensor.sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>);
    window_scores(&summed(&samples), &summed(&truth), Some(&observed.all_dim(-1, true)))
}

/// Index of the median in [`LEVELS`].
const MEDIAN: i64 = 9;

/// Checked arguments: f64, with a window axis, unobserved truth set to zero.
struct Windows {
    samples: Tensor,
    truth: Tensor,
    observed: Tensor,
}

impl Windows {
    fn new(samples: &Tensor, truth: &Tensor, observed: Option<&Tensor>) -> Result<Self> {
        let (mut samples, mut truth) = check_samples(samples, truth)?;
        let mut observed = match observed {
            None => truth.ones_like().to_kind(Kind::Bool),
            Some(mask) if mask.kind() == Kind::Bool && mask.size() == truth.size() => {
                mask.to_device(truth.device())
            }
            Some(mask) => {
                return Err(wrong_shape("observed", mask, format!("boolean {:?}", truth.size())));
            }
        };
        match truth.dim() {
            2 => {
                samples = samples.unsqueeze(1);
                truth = truth.unsqueeze(0);
                observed = observed.unsqueeze(0);
            }
            3 => {}
            _ => return Err(wrong_shape("truth", &truth, "[N, H, C] or [H, C]")),
        }
        let lost = truth.isfinite().logical_not().logical_and(&observed);
        let count = lost.sum(Kind::Int64).int64_value(&[]);
        if count > 0 {
            return Err(ObjectiveError::NotFinite { what: "truth", count });
        }
        let truth = truth.f_masked_fill(&observed.logical_not(), 0.0)?;
        Ok(Self { samples, truth, observed })
    }
}

fn to_vec(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.flatten(0, -1)).expect("a flat f64 tensor becomes a vector")
}
