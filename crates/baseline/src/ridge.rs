//! Ridge regression from the scaled context to the scaled horizon, shared by all channels.

use feed::Batch;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::examples::Examples;
use crate::point::Point;

/// Ridge strengths `λ` to try; the one with the smallest squared error on the validation windows is kept.
pub const RIDGE_STRENGTHS: [f64; 6] = [0.1, 1.0, 10.0, 100.0, 1e3, 1e4];
/// Minimum scale of a window, in units of the training standard deviation.
const SCALE_FLOOR: f64 = 0.1;

/// A fitted ridge regression.
#[derive(Debug)]
pub(crate) struct Ridge {
    /// `[L + 1, H]`; the last row is the intercept.
    coefficients: Tensor,
    /// Whether windows are standardized by their own mean and standard deviation.
    instance: bool,
}

impl Ridge {
    /// Solves `W = (XᵀX + λ D)⁻¹ XᵀY`, where `D` is the identity except for a zero at the intercept, and `λ` is chosen
    /// on the validation windows. `None` if gaps leave no complete target.
    pub(crate) fn fit(
        train: &Examples,
        validation: &Examples,
        instance: bool,
    ) -> Result<Option<Ridge>> {
        let coefficients = ridge(train, validation, instance)?;
        Ok(coefficients.map(|coefficients| Ridge { coefficients, instance }))
    }
}

impl Point for Ridge {
    fn forecast(&self, batch: &Batch) -> Result<Tensor> {
        let context = batch.filled_context()?;
        let (mean, scale) = moments(&context, self.instance)?;
        let inputs = design(&((&context - &mean) / &scale))?;
        Ok(inputs.f_matmul(&self.coefficients)?.f_transpose(1, 2)? * scale + mean)
    }
}

/// [`window_moments`] with `instance`; otherwise a mean of zero and a scale of one, which change nothing.
fn moments(context: &Tensor, instance: bool) -> Result<(Tensor, Tensor)> {
    if instance {
        return window_moments(context);
    }
    let zero = context.f_narrow(1, 0, 1)?.f_zeros_like()?;
    let one = zero.f_ones_like()?;
    Ok((zero, one))
}

/// Mean and floored standard deviation over the context, `[B, 1, C]` each.
pub(crate) fn window_moments(context: &Tensor) -> Result<(Tensor, Tensor)> {
    let kind = context.kind();
    let mean = context.f_mean_dim(1_i64, true, kind)?;
    let variance = (context - &mean).f_square()?.f_mean_dim(1_i64, true, kind)?;
    Ok((mean, variance.f_sqrt()?.f_clamp_min(SCALE_FLOOR)?))
}

/// The design matrix, `[N, L, C]` → `[N, C, L + 1]`: one row per channel, with a one at its end for the intercept.
fn design(context: &Tensor) -> Result<Tensor> {
    let rows = context.f_transpose(1, 2)?;
    let ones = rows.f_narrow(2, 0, 1)?.f_ones_like()?;
    Ok(Tensor::f_cat(&[rows, ones], 2)?)
}

/// Inputs `[M, L + 1]` and outputs `[M, H]` of the regression in f64, one row per window and channel; rows with a
/// missing output are left out.
fn regression(examples: &Examples, instance: bool) -> Result<(Tensor, Tensor)> {
    let (mean, scale) = moments(examples.context(), instance)?;
    let inputs = design(&((examples.context() - &mean) / &scale))?.f_flatten(0, 1)?;
    let outputs = ((examples.target() - &mean) / &scale).f_transpose(1, 2)?.f_flatten(0, 1)?;
    let whole = outputs.f_isfinite()?.f_all_dim(1, false)?;
    let pick = |rows: Tensor| rows.f_index(&[Some(&whole)])?.f_to_kind(Kind::Double);
    Ok((pick(inputs)?, pick(outputs)?))
}

fn ridge(train: &Examples, validation: &Examples, instance: bool) -> Result<Option<Tensor>> {
    let (inputs, outputs) = regression(train, instance)?;
    if inputs.size()[0] == 0 {
        return Ok(None);
    }
    let (held_in, held_out) = regression(validation, instance)?;
    let gram = inputs.f_tr()?.f_matmul(&inputs)?;
    let moment = inputs.f_tr()?.f_matmul(&outputs)?;
    let coefficients =
        penalized(&gram, &moment, &RIDGE_STRENGTHS, |coefficients| -> Result<f64> {
            let error = (held_in.f_matmul(coefficients)? - &held_out).f_square()?;
            Ok(error.f_mean(Kind::Double)?.f_double_value(&[])?)
        })?;
    Ok(Some(coefficients))
}

/// The coefficients `(XᵀX + λ D)⁻¹ XᵀY` in f32, for the `λ` among `strengths` with the smallest validation `error`.
/// `D` is the identity except for a zero at the intercept, which comes last.
///
/// # Errors
/// Any error of `error`, or one of libtorch.
pub fn penalized<E: From<tch::TchError>>(
    gram: &Tensor,
    moment: &Tensor,
    strengths: &[f64],
    error: impl Fn(&Tensor) -> Result<f64, E>,
) -> Result<Tensor, E> {
    let penalty = Tensor::f_ones([gram.size()[0]], (Kind::Double, gram.device()))?;
    let _ = penalty.f_narrow(0, penalty.size()[0] - 1, 1)?.f_fill_(0.0)?;
    let penalty = penalty.f_diag(0)?;
    let mut best: Option<(f64, Tensor)> = None;
    for &strength in strengths {
        let coefficients = Tensor::f_linalg_solve(&(gram + &penalty * strength), moment, true)?;
        let error = error(&coefficients)?;
        tracing::debug!(strength, error, "ridge");
        // Without validation rows every error is NaN, and the first strength is kept.
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, coefficients));
        }
    }
    let (_, coefficients) = best.expect("at least one ridge strength is tried");
    Ok(coefficients.f_to_kind(Kind::Float)?)
}
