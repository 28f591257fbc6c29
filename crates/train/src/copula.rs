//! Correlated residuals: a copula fitted to the training windows, after training.

use feed::{Part, Stream, seed};
use tch::{Kind, Tensor, no_grad};
use vae::Residuals;

use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::job::Job;

/// Maximum number of training windows, evenly spaced, in the fit.
const MAX_WINDOWS: i64 = 2000;
/// Minimum eigenvalue of a correlation matrix.
const MIN_EIGENVALUE: f64 = 1e-3;

/// Sums of products of normal scores.
struct Products {
    sum: Tensor,
    /// Number of products in each sum.
    count: Tensor,
}

/// Fits the copula of a model with correlated residuals; other models stay as they are.
///
/// ```text
/// g = Φ⁻¹(F(y | z, x)),  z from q(z | x, y):    R_T[s, t] = corr(g_{s,c}, g_{t,c}),    R_C[c, d] = corr(g_{t,c}, g_{t,d})
/// ```
///
/// Each correlation is estimated over windows and the other axis. Both matrices are shrunk to the identity by
///
/// ```text
/// δ = Σ_{i≠j} (1 − r_ij²)²/n / Σ_{i≠j} r_ij²,        n = windows / H,
/// ```
///
/// at most 1, and at least what makes them positive definite. Windows that overlap count as those that do not.
///
/// # References
/// Schäfer & Strimmer (2005), Statistical Applications in Genetics and Molecular Biology 4, article 32, table 1, with
/// the large-sample variance of a correlation.
///
/// # Errors
/// If the windows do not fit the model, or libtorch fails.
pub(crate) fn fit(job: &Job, forecaster: &Forecaster) -> Result<(), TrainError> {
    if forecaster.model().config().residuals == Residuals::Independent || forecaster.autoencodes() {
        return Ok(());
    }
    no_grad(|| {
        seed(job.config.seed, Stream::Validation);
        let mut sums: Option<[Products; 2]> = None;
        let windows = job.source.windows(Part::Train).at_most(MAX_WINDOWS);
        for batch in windows.batches(job.source.panel(), 256) {
            let batch = batch?;
            let scores = forecaster.normal_scores(&batch)?;
            let seen = match &batch.target_observed {
                Some(observed) => observed.f_to_kind(Kind::Double)?,
                None => scores.f_ones_like()?,
            };
            let scores = scores.f_where_self(&seen.f_not_equal(0.0)?, &scores.f_zeros_like()?)?;
            let here = [products(&scores, &seen, 1)?, products(&scores, &seen, 2)?];
            sums = Some(match sums {
                None => here,
                Some([steps, channels]) => {
                    let [more_steps, more_channels] = here;
                    [steps.plus(more_steps), channels.plus(more_channels)]
                }
            });
        }
        let Some([steps, channels]) = sums else { return Ok(()) };
        // Products of one window, and of windows that overlap, are not independent.
        let [count, horizon] = [&channels, &steps].map(|products| products.sum.size()[0] as f64);
        let (steps, channels) =
            (steps.correlation(count * horizon)?, channels.correlation(horizon * horizon)?);
        tracing::debug!(neighbors = ?neighbors(&steps), "correlation of residuals");
        Ok(forecaster.model().set_copula(&steps, &channels)?)
    })
}

/// Products of scores `[B, T, C]` between the places of one axis, summed over the other axes.
fn products(scores: &Tensor, seen: &Tensor, axis: i64) -> Result<Products, TrainError> {
    let flat = |tensor: &Tensor| -> Result<Tensor, TrainError> {
        Ok(tensor.f_movedim_int(axis, 0)?.f_flatten(1, 2)?)
    };
    let (scores, seen) = (flat(scores)?, flat(seen)?);
    Ok(Products { sum: scores.f_matmul(&scores.f_tr()?)?, count: seen.f_matmul(&seen.f_tr()?)? })
}

impl Products {
    fn plus(self, other: Products) -> Products {
        Products { sum: self.sum + other.sum, count: self.count + other.count }
    }

    /// The shrunk correlations; `apart` products count as one independent one.
    fn correlation(self, apart: f64) -> Result<Tensor, TrainError> {
        let independent = self.count.f_div_scalar(apart)?.f_clamp_min(1.0)?;
        let covariance = self.sum / self.count.f_clamp_min(1.0)?;
        let spread = covariance.f_diagonal(0, 0, 1)?.f_clamp_min(1e-12)?.f_sqrt()?;
        let mut correlation = covariance / spread.f_outer(&spread)?;
        let _ = correlation.f_fill_diagonal_(1.0, false)?;
        let identity = Tensor::f_eye(spread.numel() as i64, (Kind::Double, spread.device()))?;
        let least = correlation.f_linalg_eigvalsh("L")?.f_min()?.f_double_value(&[])?;
        let enough = ((MIN_EIGENVALUE - least) / (1.0 - least).max(MIN_EIGENVALUE)).clamp(0.0, 1.0);
        let share = shrinkage(&(&correlation - &identity), &independent)?.max(enough);
        Ok(correlation * (1.0 - share) + identity * share)
    }
}

/// The share δ by which correlations with zeros on the diagonal are shrunk.
fn shrinkage(correlations: &Tensor, independent: &Tensor) -> Result<f64, TrainError> {
    let total = |tensor: Tensor| tensor.f_sum(Kind::Double)?.f_double_value(&[]);
    let squares = correlations.f_square()?;
    // The diagonal is known.
    let variances =
        (squares.f_neg()? + 1.0).f_square()?.f_div(independent)?.f_fill_diagonal_(0.0, false)?;
    let (variance, square) = (total(variances)?, total(squares)?);
    Ok(if square > 0.0 { (variance / square).min(1.0) } else { 1.0 })
}

/// The mean correlation of neighboring steps.
fn neighbors(steps: &Tensor) -> Option<f64> {
    let mean = steps.f_diagonal(1, 0, 1).ok()?.f_mean(Kind::Double).ok()?;
    mean.f_double_value(&[]).ok()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

    /// Oracle: the variance of correlations of simulated pairs over their squares, within 5 standard errors.
    #[test]
    fn correlations_are_shrunk_by_their_relative_variance() {
        tch::manual_seed(8);
        let (truth, pairs, repeats) = (0.6, 200, 4000);
        let x = Tensor::randn([repeats, pairs], F64);
        let y =
            &x * truth + Tensor::randn([repeats, pairs], F64) * (1.0_f64 - truth * truth).sqrt();
        let mean = |values: Tensor| values.mean_dim([1_i64].as_slice(), false, Kind::Double);
        let found = mean(&x * &y) / (mean(x.square()) * mean(y.square())).sqrt();
        let squares = (found - truth).square();
        let error = squares.std(true).double_value(&[]) / (repeats as f64).sqrt();
        let variance = squares.mean(Kind::Double).double_value(&[]);

        let correlations = Tensor::from_slice(&[0.0, truth, truth, 0.0]).view([2, 2]);
        let independent = Tensor::full([2, 2], pairs as f64, F64);
        let share = shrinkage(&correlations, &independent).unwrap();
        let gap = (share * truth * truth - variance).abs();
        // The formula leaves out terms of order 1/n².
        assert!(gap < 5.0 * error + variance / 50.0, "{share} {variance} ± {error}");
        assert!(error < 0.05 * variance, "{error} {variance}");
        // Nothing but chance: all of it goes.
        assert_eq!(shrinkage(&correlations.zeros_like(), &independent).unwrap(), 1.0);
    }
}
