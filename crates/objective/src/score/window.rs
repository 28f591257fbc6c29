//! Scores of whole windows by the conventions of the ProbTS benchmark (`microsoft/ProbTS` at 66f826c):
//! steps and channels are pooled inside a window, and the caller averages windows with equal weight.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{SortedSamples, check_pairing};
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

/// The scores of sorted samples `[S, N, H, C]` against truth `[N, H, C]` with its mask. They come from the CPU, where
/// scores are needed in the end.
fn scores_of_windows(
    sorted: &Tensor,
    truth: &Tensor,
    observed: &Tensor,
) -> Result<Vec<WindowScores>> {
    let (count, windows) = (sorted.size()[0], truth.size()[0]);
    let cpu = |tensor: &Tensor, size: &[i64]| tensor.f_to(Device::Cpu)?.f_reshape(size);
    let elements = truth.size()[1] * truth.size()[2];
    let sums = torch_ext::window_sums(
        &cpu(sorted, &[count, windows, elements])?,
        &cpu(truth, &[windows, elements])?,
        &cpu(observed, &[windows, elements])?,
    )?;
    let numbers =
        |tensor: &Tensor| Ok::<_, ObjectiveError>(Vec::<f64>::try_from(tensor.f_contiguous()?)?);
    let (observed, magnitude) = (numbers(&sums.observed)?, numbers(&sums.magnitude)?);
    let (loss, crps) = (numbers(&sums.quantile_loss)?, numbers(&sums.crps)?);
    let (median, square) = (numbers(&sums.median_error)?, numbers(&sums.squared_error)?);
    let (width, below) = (numbers(&sums.width_90)?, numbers(&sums.below.f_reshape([-1])?)?);
    let [half, eighty, ninety] = sums.inside.each_ref().map(numbers);
    let (half, eighty, ninety) = (half?, eighty?, ninety?);
    let score = |n: usize| {
        let (count, magnitude) = (observed[n], magnitude[n]);
        let mse = square[n] / count;
        let coverage_below: Vec<f64> =
            below[n * LEVELS.len()..][..LEVELS.len()].iter().map(|below| below / count).collect();
        let off = coverage_below.iter().zip(LEVELS).map(|(share, level)| (share - level).abs());
        WindowScores {
            observed: count as u64,
            crps: loss[n] / magnitude,
            crps_samples: crps[n] / magnitude,
            nmae: median[n] / magnitude,
            mse,
            mae: median[n] / count,
            nrmse: mse.sqrt() * count / magnitude,
            mae_coverage: off.sum::<f64>() / LEVELS.len() as f64,
            coverage_below,
            coverage_50: half[n] / count,
            coverage_80: eighty[n] / count,
            coverage_90: ninety[n] / count,
            width_90: width[n] / count,
        }
    };
    Ok((0..windows as usize).map(score).collect())
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
    let summed = |tensor: &Tensor| tensor.sum_dim_intlist([-1i64].as_slice(), true, Kind::Double);
    window_scores(&summed(&samples), &summed(&truth), Some(&observed.all_dim(-1, true)))
}

/// Checked arguments: with a window axis, the truth in f64 and zero where unobserved.
struct Windows {
    samples: Tensor,
    truth: Tensor,
    observed: Tensor,
}

impl Windows {
    fn new(samples: &Tensor, truth: &Tensor, observed: Option<&Tensor>) -> Result<Self> {
        check_pairing(samples, truth)?;
        let samples = samples.detach();
        let mut samples = match samples.kind() {
            Kind::Float | Kind::Double => samples,
            _ => samples.f_to_kind(Kind::Double)?,
        };
        let mut truth = truth.detach().f_to_kind(Kind::Double)?;
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
