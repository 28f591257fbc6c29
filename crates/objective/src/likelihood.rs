//! Likelihoods of a target: elementwise Gaussian, Laplace and Student-t laws, of the clean target or of a
//! noised one.
//!
//! A noised target is `ỹ = a·y + s·ε` with standard normal `ε`; its density under the model is the
//! convolution of the law of `a·y` with `N(0, s²)`. It is exact for the Gaussian and the Laplace law and a
//! quadrature for Student's t. Derivations: `docs/math/objective.md`, section 2.
//!
//! Each law is a file beside this one that implements [`StandardLaw`]; a new law is such a file, a variant of
//! [`Family`] and of [`Law`] here, and its parameters in the decoder of crate `vae`.

mod gaussian;
mod laplace;
mod noised;
mod student_t;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::{ObjectiveError, Result, broadcast_shape, check_float, check_pair, check_range};
use gaussian::Gaussian;
use laplace::Laplace;
use student_t::StudentT;

/// A location-scale family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Scale is the standard deviation.
    Gaussian,
    /// Scale `b` is the mean absolute deviation; the variance is `2b²`.
    Laplace,
    /// Scale and more than two degrees of freedom, so that the variance exists.
    StudentT,
}

/// A law with location 0 and scale 1; `r` is `(y − loc)/scale`.
trait StandardLaw {
    /// The standard deviation of `scale·X`.
    fn std(&self, scale: Tensor) -> Tensor;

    /// The log density of `X` at `r`, in nats.
    fn log_density(&self, r: &Tensor) -> Tensor;

    /// The log density of `exp(log_scale)·X` at `residual`, in nats.
    fn scaled_log_density(&self, residual: &Tensor, log_scale: &Tensor) -> Tensor {
        self.log_density(&(residual * (-log_scale).exp())) - log_scale
    }

    /// The log density of `exp(log_scale)·X + noise_std·ε` at `residual`, in nats; `log_scale` is that of the
    /// noised target, `ln(a·scale)`, and −∞ where `a = 0`.
    fn noised_log_density(
        &self,
        residual: &Tensor,
        log_scale: &Tensor,
        noise_std: &Tensor,
    ) -> Tensor;

    /// The distribution function of `X` at `r`.
    fn cdf(&self, r: &Tensor) -> Tensor;

    /// The CRPS of `X` at `r`.
    fn crps(&self, r: &Tensor) -> Tensor;

    /// Draws of `X` from libtorch's generator.
    fn draw(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor>;

    /// Draws of `X` with the dependence of `normals`, each of which is standard normal.
    fn of_normals(&self, normals: &Tensor) -> Result<Tensor>;
}

/// A family with its parameters besides location and scale.
#[derive(Debug)]
enum Law {
    Gaussian,
    Laplace,
    StudentT(StudentT),
}

impl Law {
    fn standard(&self) -> &dyn StandardLaw {
        match self {
            Law::Gaussian => &Gaussian,
            Law::Laplace => &Laplace,
            Law::StudentT(law) => law,
        }
    }

    fn shallow_clone(&self) -> Law {
        match self {
            Law::Gaussian => Law::Gaussian,
            Law::Laplace => Law::Laplace,
            Law::StudentT(StudentT { log_excess_df }) => {
                Law::StudentT(StudentT { log_excess_df: log_excess_df.shallow_clone() })
            }
        }
    }
}

/// Independent laws of the elements of a target.
///
/// Parameters broadcast against each other: a scale may be fixed or learned for all (`[1]`), per step
/// (`[H, 1]`), per step and channel (`[H, C]`) or predicted (`[..., H, C]`).
///
/// ```
/// use objective::Likelihood;
/// use tch::Tensor;
///
/// let law = Likelihood::gaussian(Tensor::from_slice(&[0.0, 1.0]), Tensor::from_slice(&[0.0]))?;
/// let log_prob = law.log_prob(&Tensor::from_slice(&[0.0, 1.0]))?;
/// assert!((log_prob.double_value(&[0]) + 0.918_938_533_204_672_8).abs() < 1e-15); // −½ ln 2π
/// # Ok::<(), objective::ObjectiveError>(())
/// ```
#[derive(Debug)]
pub struct Likelihood {
    loc: Tensor,
    log_scale: Tensor,
    law: Law,
    shape: Vec<i64>,
}

impl Likelihood {
    /// Gaussian laws `N(loc, exp(2·log_scale))`.
    ///
    /// # Shapes
    /// `loc`, `log_scale`: broadcast together, typically to `[..., H, C]`.
    ///
    /// # Errors
    /// If they do not broadcast, differ in kind or device, or are not floating point.
    pub fn gaussian(loc: Tensor, log_scale: Tensor) -> Result<Self> {
        Self::new(Law::Gaussian, loc, log_scale)
    }

    /// Laplace laws with density `exp(−|y − loc|/b) / 2b`, `b = exp(log_scale)`.
    ///
    /// # Shapes
    /// As [`Self::gaussian`].
    ///
    /// # Errors
    /// As [`Self::gaussian`].
    pub fn laplace(loc: Tensor, log_scale: Tensor) -> Result<Self> {
        Self::new(Law::Laplace, loc, log_scale)
    }

    /// Laws of `loc + exp(log_scale)·T` with `T` Student's t of `ν = 2 + exp(log_excess_df)` degrees of
    /// freedom, so that the variance exists for every parameter value.
    ///
    /// # Shapes
    /// All three broadcast together, typically to `[..., H, C]`.
    ///
    /// # Errors
    /// As [`Self::gaussian`].
    pub fn student_t(loc: Tensor, log_scale: Tensor, log_excess_df: Tensor) -> Result<Self> {
        Self::new(Law::StudentT(StudentT { log_excess_df }), loc, log_scale)
    }

    fn new(law: Law, loc: Tensor, log_scale: Tensor) -> Result<Self> {
        check_float("loc", &loc)?;
        let mut shape = check_pair(("loc", &loc), ("log_scale", &log_scale))?;
        if let Law::StudentT(StudentT { log_excess_df }) = &law {
            check_pair(("loc", &loc), ("log_excess_df", log_excess_df))?;
            shape = broadcast_shape(&shape, &log_excess_df.size()).ok_or_else(|| {
                ObjectiveError::Broadcast {
                    left_name: "log_scale",
                    left: log_scale.size(),
                    right_name: "log_excess_df",
                    right: log_excess_df.size(),
                }
            })?;
        }
        Ok(Self { loc, log_scale, law, shape })
    }

    /// The family.
    pub fn family(&self) -> Family {
        match self.law {
            Law::Gaussian => Family::Gaussian,
            Law::Laplace => Family::Laplace,
            Law::StudentT(_) => Family::StudentT,
        }
    }

    /// The location, as given.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The logarithm of the scale, as given.
    pub fn log_scale(&self) -> &Tensor {
        &self.log_scale
    }

    /// The degrees of freedom `ν > 2`, if the family has them.
    pub fn df(&self) -> Option<Tensor> {
        match &self.law {
            Law::StudentT(law) => Some(law.df()),
            Law::Gaussian | Law::Laplace => None,
        }
    }

    /// The shape that the parameters broadcast to.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// The mean, which is the location; of the full shape.
    pub fn mean(&self) -> Tensor {
        self.loc.expand(self.shape.as_slice(), false)
    }

    /// The standard deviation (`σ`, `√2·b`, `σ√(ν/(ν−2))`); of the full shape.
    pub fn std(&self) -> Tensor {
        let std = self.law.standard().std(self.log_scale.exp());
        std.expand(self.shape.as_slice(), false)
    }

    /// The variance; of the full shape.
    pub fn variance(&self) -> Tensor {
        self.std().square()
    }

    /// The log density of each element of a clean target, in nats.
    ///
    /// ```text
    /// Gaussian   −½r² − ln σ − ½ ln 2π                                   r = (y − m)/scale
    /// Laplace    −|r| − ln b − ln 2
    /// Student-t  −½(ν+1) ln(1 + r²/ν) − ln σ − ½ ln πν + ln Γ((ν+1)/2) − ln Γ(ν/2)
    /// ```
    ///
    /// # Shapes
    /// `y`: broadcasts with the parameters; the result has the broadcast shape.
    ///
    /// # Errors
    /// If `y` does not broadcast, or differs in kind or device.
    pub fn log_prob(&self, y: &Tensor) -> Result<Tensor> {
        self.check("y", y)?;
        Ok(self.law.standard().scaled_log_density(&(y - &self.loc), &self.log_scale))
    }

    /// The log density of each element of a noised target `ỹ = signal·y + noise_std·ε`, in nats.
    ///
    /// ```text
    /// Gaussian   N( a m, a² v + s² ), exact
    /// Laplace    the normal-Laplace density, exact
    /// Student-t  ∫ N( a m, a² σ²/w + s² ) Gamma(w; ν/2, ν/2) dw by quadrature
    /// ```
    ///
    /// `loc` and `log_scale` stay those of the *clean* target. Where `noise_std = 0` the result is
    /// `log_prob(ỹ/a) − ln a`.
    ///
    /// # Shapes
    /// `y_tilde`, `signal`, `noise_std`: broadcast with the parameters; `[B, 1, 1]` is one diffusion step
    /// per window. `signal ≥ 0` and `noise_std ≥ 0`, not both zero; this is not checked, because
    /// reading them would wait for the device.
    ///
    /// # Errors
    /// If the shapes do not broadcast, or kinds or devices differ.
    ///
    /// # References
    /// Gaussian: `docs/math/objective.md`, section 2. Laplace: Reed (2006), *The normal-Laplace distribution*.
    /// Student-t as a scale mixture: Andrews & Mallows (1974).
    pub fn log_prob_noised(
        &self,
        y_tilde: &Tensor,
        signal: &Tensor,
        noise_std: &Tensor,
    ) -> Result<Tensor> {
        self.check("y_tilde", y_tilde)?;
        self.check("signal", signal)?;
        self.check("noise_std", noise_std)?;
        check_pair(("y_tilde", y_tilde), ("signal", signal))?;
        check_pair(("y_tilde", y_tilde), ("noise_std", noise_std))?;
        check_pair(("signal", signal), ("noise_std", noise_std))?;
        let residual = y_tilde.f_addcmul(&signal.f_neg()?, &self.loc)?;
        let log_scale = signal.log() + &self.log_scale;
        Ok(self.law.standard().noised_log_density(&residual, &log_scale, noise_std))
    }

    /// Noise of the standardized family (location 0, scale 1) for [`Self::sample_with`], from libtorch's
    /// generator.
    ///
    /// For Student's t it depends on, and is differentiable in, the degrees of freedom.
    ///
    /// # Shapes
    /// `count` draws: `[count, ...]` before the full shape.
    ///
    /// # Errors
    /// If `count` is negative or memory runs out.
    pub fn standard_noise(&self, count: i64) -> Result<Tensor> {
        check_range("count", count as f64, "[0, ∞)", count >= 0)?;
        let shape: Vec<i64> = std::iter::once(count).chain(self.shape.iter().copied()).collect();
        self.standard_noise_of(&shape)
    }

    /// As [`Self::standard_noise`], of any shape whose last axes fit those of the family's own parameters, such as the
    /// degrees of freedom of each channel.
    ///
    /// # Errors
    /// If the shape does not fit or memory runs out.
    pub fn standard_noise_of(&self, shape: &[i64]) -> Result<Tensor> {
        self.law.standard().draw(shape, (self.loc.kind(), self.loc.device()))
    }

    /// Standardized noise of the family with the dependence of `normals`, each of which is standard normal. It has
    /// their Gaussian copula, except for Student's t, whose scale is drawn for each element separately.
    ///
    /// ```text
    /// Gaussian   g
    /// Laplace    F⁻¹(Φ(g)) = −sign(g) ln erfc(|g|/√2)
    /// Student-t  g √(ν/χ²_ν)
    /// ```
    ///
    /// # Shapes
    /// `normals`: the full shape, with any axes before it. Returns the shape of `normals`.
    ///
    /// # Errors
    /// If `normals` does not broadcast, or differs in kind or device.
    pub fn noise_like(&self, normals: &Tensor) -> Result<Tensor> {
        self.check("normals", normals)?;
        self.law.standard().of_normals(normals)
    }

    /// The reparameterized draw `loc + scale·noise` for noise of the standardized family.
    ///
    /// # Shapes
    /// `noise`: broadcasts with the parameters.
    ///
    /// # Errors
    /// If `noise` does not broadcast, or differs in kind or device.
    pub fn sample_with(&self, noise: &Tensor) -> Result<Tensor> {
        self.check("noise", noise)?;
        Ok(&self.loc + self.log_scale.exp() * noise)
    }

    /// One reparameterized draw of the full shape.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn sample(&self) -> Result<Tensor> {
        Ok(self.samples(1)?.squeeze_dim(0))
    }

    /// `count` reparameterized draws, `[count, ...]`.
    ///
    /// # Errors
    /// If `count` is negative or memory runs out.
    pub fn samples(&self, count: i64) -> Result<Tensor> {
        self.sample_with(&self.standard_noise(count)?)
    }

    /// The law of `scale·Y + shift`, for instance to undo a normalization.
    ///
    /// # Shapes
    /// `scale`, `shift`: broadcast with the parameters; `scale ≠ 0` (its sign does not matter to a
    /// symmetric law's scale).
    ///
    /// # Errors
    /// If they do not broadcast, or differ in kind or device.
    pub fn affine(&self, scale: &Tensor, shift: &Tensor) -> Result<Self> {
        self.check("scale", scale)?;
        self.check("shift", shift)?;
        check_pair(("scale", scale), ("shift", shift))?;
        Self::new(
            self.law.shallow_clone(),
            &self.loc * scale + shift,
            &self.log_scale + scale.abs().log(),
        )
    }

    /// The distribution function at each element: the probability integral transform of `y`.
    ///
    /// # Shapes
    /// `y`: broadcasts with the parameters.
    ///
    /// # Errors
    /// If `y` does not broadcast, or differs in kind or device.
    pub fn cdf(&self, y: &Tensor) -> Result<Tensor> {
        self.check("y", y)?;
        let r = (y - &self.loc) * (-&self.log_scale).exp();
        Ok(self.law.standard().cdf(&r))
    }

    /// The continuous ranked probability score of each element, in the unit of `y`; smaller is better.
    ///
    /// ```text
    /// CRPS(F, y) = ∫ (F(x) − 1[y ≤ x])² dx = E|Y − y| − ½ E|Y − Y'|,    r = (y − m)/scale
    /// Gaussian   σ ( r (2Φ(r) − 1) + 2φ(r) − 1/√π )
    /// Laplace    b ( |r| + e^{−|r|} − ¾ )
    /// Student-t  σ ( r (2F(r) − 1) + 2 f(r) (ν + r²)/(ν − 1) − 2√ν/(ν − 1) · B(½, ν − ½)/B(½, ν/2)² )
    /// ```
    ///
    /// # Shapes
    /// `y`: broadcasts with the parameters.
    ///
    /// # Errors
    /// If `y` does not broadcast, or differs in kind or device.
    ///
    /// # References
    /// Definition: Gneiting & Raftery (2007), eq. 20 and 21. Closed forms: Jordan, Krüger & Lerch (2019),
    /// appendix A, doi:10.18637/jss.v090.i12.
    pub fn crps(&self, y: &Tensor) -> Result<Tensor> {
        self.check("y", y)?;
        let r = (y - &self.loc) * (-&self.log_scale).exp();
        Ok(self.law.standard().crps(&r) * self.log_scale.exp())
    }

    fn check(&self, what: &'static str, tensor: &Tensor) -> Result<()> {
        check_pair((what, tensor), ("loc", &self.loc))?;
        if broadcast_shape(&tensor.size(), &self.shape).is_none() {
            return Err(ObjectiveError::Broadcast {
                left_name: what,
                left: tensor.size(),
                right_name: "the parameters",
                right: self.shape.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
