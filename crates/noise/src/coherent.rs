//! Coherent noise: windows diffused towards other windows of their kind, context and target together.
//!
//! ```text
//! w̃_t = m + (a_t (w − m) + s_t e)/c_t,      a_t = √ᾱ_t + λ,  s_t = √(1 − ᾱ_t),  c_t = √(a_t² + s_t²)
//! ```
//!
//! `m` is the mean window and `e` has mean zero and the covariance of the windows, so `w̃_t` has their mean and covariance
//! at every step: `docs/math/noise.md`, section 8.

use tch::{Device, Kind, Tensor};

use crate::config::NoiseConfig;
use crate::diffusion::Diffuser;
use crate::error::NoiseError;
use crate::marginals::Marginals;
use crate::shape::{NoiseShape, NoiseSpace};

/// A batch of windows, and what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    /// Context and target together, `[B, W, C]`, standardized.
    pub values: &'a Tensor,
    /// Mask, `[B, W, C]`, 0 where a value is missing; the value there is not read, and may be NaN.
    pub observed: Option<&'a Tensor>,
    /// Numbers that stay as they are and that windows depend on, such as the time of the year at the origin, `[B, K]`.
    pub known: Option<&'a Tensor>,
}

impl<'a> Windows<'a> {
    /// Windows without gaps, of which nothing else is known.
    pub fn new(values: &'a Tensor) -> Windows<'a> {
        Windows { values, observed: None, known: None }
    }
}

/// Coherent noise on one device, for batches of one kind.
///
/// Nothing here waits for the device, and nothing is kept between batches: mean, covariance and distributions are those of
/// the batch, unless [`Coherent::with_marginals`] fixed the latter.
///
/// ```
/// use noise::{Coherent, NoiseConfig, StepSampler, Windows};
/// use tch::{Device, Kind, Tensor};
///
/// let noise: NoiseConfig =
///     toml::from_str("schedule = 'linear'\nshape = 'gaussian'\nspace = 'normal-scores'")?;
/// let coherent = Coherent::new(&noise, Device::Cpu, Kind::Float)?;
/// let steps = StepSampler::new(noise.sampler(), Device::Cpu)?;
///
/// let windows = Tensor::randn([64, 35, 4], (Kind::Float, Device::Cpu)); // context and target
/// let noised = coherent.apply_drawn(Windows::new(&windows), &steps.sample(64)?)?;
/// let (x, y) = (noised.narrow(1, 0, 28), noised.narrow(1, 28, 7));
/// # assert_eq!((x.size(), y.size()), (vec![64, 28, 4], vec![64, 7, 4]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Coherent {
    diffuser: Diffuser,
    shape: NoiseShape,
    space: NoiseSpace,
    marginals: Option<Marginals>,
}

/// Fewest windows per known number for which its effect on windows is taken out.
const WINDOWS_PER_NUMBER: i64 = 4;
/// Ridge of that regression, relative to the variance of a known number.
const RIDGE: f64 = 1e-3;

impl Coherent {
    /// Copies the coefficients of a noise to `device`, for windows of `kind`.
    ///
    /// # Errors
    /// [`NoiseError::Contradiction`] for the shape `"white"`, which is that of [`Diffuser`];
    /// [`NoiseError::UnsupportedKind`] unless `kind` is `Float` or `Double`.
    pub fn new(noise: &NoiseConfig, device: Device, kind: Kind) -> Result<Self, NoiseError> {
        if !noise.shape().is_coherent() {
            return Err(NoiseError::Contradiction {
                key: "noise.shape",
                value: "\"white\"".to_owned(),
                with: "`Coherent`".to_owned(),
                remedy: "choose \"gaussian\" or \"window\", or use `Diffuser`",
            });
        }
        if kind == Kind::BFloat16 {
            return Err(NoiseError::UnsupportedKind(kind));
        }
        Ok(Coherent {
            diffuser: Diffuser::new(noise.input(), device, kind)?,
            shape: noise.shape(),
            space: noise.space(),
            marginals: None,
        })
    }

    /// The same with fixed distributions of the channels, for example of all training windows, instead of those of each
    /// batch. Read only in normal scores.
    pub fn with_marginals(self, marginals: Marginals) -> Self {
        Coherent { marginals: Some(marginals), ..self }
    }

    /// Noises windows with a draw of libtorch's generator. A window whose step has no noise (`t = 0`), and a missing
    /// value, come back bit for bit.
    ///
    /// # Shapes
    /// `windows`: as [`Windows`]; `t`: `[B]`, `Int64`. Returns `[B, W, C]`.
    ///
    /// # Errors
    /// Shapes, kinds or devices that do not fit; as [`Diffuser::apply`] for `t`.
    pub fn apply_drawn(&self, windows: Windows, t: &Tensor) -> Result<Tensor, NoiseError> {
        check(windows, t)?;
        let (signal, std) =
            (self.by_window(self.diffuser.signal_at(t)?)?, self.diffuser.std_at(t)?);
        let keeps = std.f_eq(0.0)?; // [B, 1, 1]
        let std = self.by_window(std)?;
        let observed = windows.observed.map(|mask| mask.f_not_equal(0.0)).transpose()?;
        let seen = match &observed {
            Some(observed) => Some(channels_first(observed)?),
            None => None,
        };
        let values = hide(channels_first(windows.values)?, seen.as_ref())?;
        let noised = match self.space {
            NoiseSpace::Raw => self.mixed(&values, seen.as_ref(), windows.known, &signal, &std)?,
            NoiseSpace::NormalScores => {
                let size = values.size();
                let flat = values.f_view([size[0], -1])?;
                let mask = seen.as_ref().map(|seen| seen.f_view([size[0], -1])).transpose()?;
                // One share for all steps of a window, so that a dry spell stays one.
                let on = (values.kind(), values.device());
                let ties = Tensor::f_rand([size[0], size[1], 1], on)?.f_expand(&size, false)?;
                let ties = ties.f_reshape([size[0], -1])?;
                let own;
                let (marginals, scores) = match &self.marginals {
                    Some(fixed) => (fixed, fixed.scores(&flat, Some(&ties))?),
                    None => {
                        own = Marginals::fit(&flat, mask.as_ref())?;
                        let scores = own.own_scores(&flat, &ties)?;
                        (&own, scores)
                    }
                };
                let scores = hide(scores.f_view(size.as_slice())?, seen.as_ref())?;
                let noised = self.mixed(&scores, seen.as_ref(), windows.known, &signal, &std)?;
                marginals.values(&noised.f_view([size[0], -1])?)?.f_view(size.as_slice())?
            }
        };
        let noised = noised.f_permute([1, 2, 0])?;
        let keeps = match &observed {
            Some(observed) => observed.f_logical_not()?.f_logical_or(&keeps)?,
            None => keeps,
        };
        Ok(windows.values.f_where_self(&keeps, &noised)?)
    }

    /// `m + (a u + s e)/c` with `u = v − m`, in the units of `values` `[C, B, W]`.
    fn mixed(
        &self,
        values: &Tensor,
        seen: Option<&Tensor>,
        known: Option<&Tensor>,
        signal: &Tensor,
        std: &Tensor,
    ) -> Result<Tensor, NoiseError> {
        let (mean, own) = around_mean(values, seen, known)?;
        let mix = |other: &Tensor| own.f_mul(signal)?.f_addcmul_(other, std);
        let mixed = match self.shape {
            NoiseShape::White | NoiseShape::Gaussian => mix(&combinations(&own, seen)?)?,
            NoiseShape::Window => {
                let partner = partners(&own)?;
                let mixed = mix(&own.f_index_select(1, &partner)?)?;
                match seen {
                    // Without a partner's value the window's own stays as it is, which keeps its law.
                    Some(seen) => mixed.f_where_self(&seen.f_index_select(1, &partner)?, &own)?,
                    None => mixed,
                }
            }
        };
        Ok(mixed.f_add(&mean)?)
    }

    /// `[B, 1, 1]` as `[1, B, 1]`.
    fn by_window(&self, coefficient: Tensor) -> Result<Tensor, NoiseError> {
        Ok(coefficient.f_view([1, -1, 1])?)
    }
}

/// The mean window, and windows relative to it, zero where missing. With known numbers, the mean is their least-squares
/// fit.
fn around_mean(
    values: &Tensor,
    seen: Option<&Tensor>,
    known: Option<&Tensor>,
) -> Result<(Tensor, Tensor), NoiseError> {
    let along = Some([1_i64].as_slice());
    let mean = match seen {
        None => values.f_mean_dim(along, true, None)?,
        Some(seen) => values.f_sum_dim_intlist(along, true, values.kind())? / &seen_count(seen)?,
    };
    let own = hide(values.f_sub(&mean)?, seen)?;
    let Some(known) = known else { return Ok((mean, own)) };
    let (batch, numbers) = known.size2()?;
    if numbers == 0 || batch < WINDOWS_PER_NUMBER * (numbers + 1) {
        return Ok((mean, own));
    }
    let fit = explained(&own, known)?;
    let own = hide(own.f_sub(&fit)?, seen)?;
    Ok((mean.f_add(&fit)?, own))
}

/// The least-squares fit of windows `[C, B, W]` by known numbers `[B, K]`.
fn explained(own: &Tensor, known: &Tensor) -> Result<Tensor, NoiseError> {
    let along = Some([0_i64].as_slice());
    let known = known.f_to_kind(own.kind())?.f_nan_to_num(0.0, 0.0, 0.0)?;
    let known = known.f_sub(&known.f_mean_dim(along, true, None)?)?;
    let spread = known.f_square()?.f_mean_dim(along, true, None)?.f_sqrt()?.f_clamp_min(1e-6)?;
    let known = known.f_div(&spread)?;
    let (batch, numbers) = known.size2()?;
    let transposed = known.f_tr()?;
    let ridge = Tensor::f_eye(numbers, (known.kind(), known.device()))? * (RIDGE * batch as f64);
    let gram = transposed.f_matmul(&known)?.f_add(&ridge)?;
    // Without a check of errors, which would wait for the device: the ridge keeps the matrix regular.
    let map = Tensor::f_linalg_solve_ex(&gram, &transposed, true, false)?.0;
    Ok(known.f_matmul(&map.f_matmul(own)?)?)
}

/// `G u/√B`: a random combination of the batch for each window, one over steps and channels. Where windows have gaps, `B`
/// is the number that have a value there.
fn combinations(own: &Tensor, seen: Option<&Tensor>) -> Result<Tensor, NoiseError> {
    let batch = own.size()[1];
    let draw = Tensor::f_randn([batch, batch], (own.kind(), own.device()))?;
    let scale = 1.0 / (batch as f64).sqrt();
    Ok(match seen {
        None => (draw * scale).f_matmul(own)?,
        Some(seen) => draw.f_matmul(own)?.f_div(&seen_count(seen)?.f_sqrt()?)?,
    })
}

/// The index of another window of the batch for each window, itself included: `P(self) = 1/B` makes the covariance exact.
fn partners(own: &Tensor) -> Result<Tensor, NoiseError> {
    let batch = own.size()[1];
    Ok(Tensor::f_randint(batch, [batch], (Kind::Int64, own.device()))?)
}

/// Windows that have a value, at least one, `[C, 1, W]`.
fn seen_count(seen: &Tensor) -> Result<Tensor, NoiseError> {
    let along = Some([1_i64].as_slice());
    Ok(seen.f_sum_dim_intlist(along, true, Kind::Float)?.f_clamp_min(1.0)?)
}

/// `[B, W, C]` as `[C, B, W]`, contiguous.
fn channels_first(windows: &Tensor) -> Result<Tensor, NoiseError> {
    Ok(windows.f_permute([2, 0, 1])?.f_contiguous()?)
}

/// `values`, with zero where nothing was seen.
fn hide(values: Tensor, seen: Option<&Tensor>) -> Result<Tensor, NoiseError> {
    Ok(match seen {
        // `where` and not a product: a missing value may be NaN.
        Some(seen) => values.f_where_self(seen, &values.f_zeros_like()?)?,
        None => values,
    })
}

fn check(windows: Windows, t: &Tensor) -> Result<(), NoiseError> {
    let Windows { values, observed, known } = windows;
    let found = values.size();
    let fault =
        |tensor, found, expected: String| Err(NoiseError::Shape { tensor, found, expected });
    if found.len() != 3 || found.contains(&0) {
        return fault("values", found, "expected windows `[B, W, C]`, at least one".to_owned());
    }
    if let Some(observed) = observed.filter(|observed| observed.size() != found) {
        return fault("observed", observed.size(), format!("expected that of `values`, {found:?}"));
    }
    let rows = |known: &&Tensor| known.dim() != 2 || known.size()[0] != found[0];
    if let Some(known) = known.filter(rows) {
        let expected = format!("expected a row of numbers per window, `[{}, K]`", found[0]);
        return fault("known", known.size(), expected);
    }
    if t.size() != found[..1] {
        let expected = format!("expected one step per window of `values`, {found:?}");
        return fault("t", t.size(), expected);
    }
    Ok(())
}
