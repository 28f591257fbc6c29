//! Normal scores: each channel through its own distribution to a standard normal one, and back.
//!
//! ```text
//! z = Φ⁻¹((r + ½)/n)         r = rank of the value among the n sorted ones, from 0
//! x = X(n Φ(z) − ½)          X(r) = sorted value of rank r, linear between ranks, constant beyond the ends
//! ```
//!
//! **Ties.** Values that occur `m` times have the ranks `r, …, r + m − 1`, and any of them leads back to the same value.
//! Which one is the caller's choice, a share of the way from the first to the last: one half is the mean rank, and a
//! random share makes the scores of a variable with atoms exactly normal (the randomized probability integral transform:
//! Brockwell 2007, Statistics & Probability Letters 77). A variable with a mass at zero, such as rain, then is a
//! normal one that is cut off below: noise moves it within the atom, and out of it, as often as into it.

use tch::{Device, Kind, Tensor};

use crate::error::NoiseError;

/// The distribution of each channel: `C` lists of sorted values on one device.
///
/// ```
/// use noise::Marginals;
/// use tch::Tensor;
///
/// let values = Tensor::from_slice(&[3.0, 0.0, 0.0, 1.0]).view([1, 4]);
/// let marginals = Marginals::fit(&values, None)?;
/// let z = marginals.scores(&values, None)?; // mean ranks 3, ½, ½, 2 of 0, …, 3
/// assert!((z.double_value(&[0, 1]) + 0.6745).abs() < 1e-4); // Φ⁻¹((½ + ½)/4)
/// assert!(marginals.values(&z)?.allclose(&values, 1e-12, 1e-12, false));
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug)]
pub struct Marginals {
    /// `[C, N]`, ascending; infinite after the last observed value.
    sorted: Tensor,
    /// Observed values of each channel, at least 1, `[C, 1]`.
    count: Tensor,
    /// The same as an index of the last one.
    last: Tensor,
}

impl Marginals {
    /// The distribution of `values`, over observed ones only where a mask is given; never waits for the device.
    ///
    /// # Shapes
    /// `values`, `observed`: `[C, N]`; `observed` is a boolean tensor.
    ///
    /// # Errors
    /// [`NoiseError::Shape`] for other dimensions or no values, [`NoiseError::Kind`] for another kind of mask.
    pub fn fit(values: &Tensor, observed: Option<&Tensor>) -> Result<Marginals, NoiseError> {
        table(values, "values")?;
        let Some(observed) = observed else {
            let [channels, length] = [values.size()[0], values.size()[1]];
            let on = |kind| (kind, values.device());
            return Ok(Marginals {
                sorted: values.f_sort(1, false)?.0,
                count: Tensor::f_full([channels, 1], length, on(values.kind()))?,
                last: Tensor::f_full([channels, 1], length - 1, on(Kind::Int64))?,
            });
        };
        if observed.kind() != Kind::Bool {
            let found = observed.kind();
            return Err(NoiseError::Kind { tensor: "observed", found, expected: Kind::Bool });
        }
        let beyond = values.f_full_like(f64::INFINITY)?;
        let along = Some([1_i64].as_slice());
        let count = observed.f_sum_dim_intlist(along, true, Kind::Int64)?.f_clamp_min(1)?;
        Ok(Marginals {
            sorted: values.f_where_self(observed, &beyond)?.f_sort(1, false)?.0,
            last: count.f_sub_scalar(1)?,
            count: count.f_to_kind(values.kind())?,
        })
    }

    /// At most `knots` values per channel, evenly spaced in rank: a table that is cheaper to search, with the ends kept.
    ///
    /// # Errors
    /// [`NoiseError::OutOfRange`] for fewer than two knots.
    pub fn thinned(&self, knots: i64) -> Result<Marginals, NoiseError> {
        crate::error::in_range("knots", knots as f64, 2.0, f64::MAX)?;
        if self.sorted.size()[1] <= knots {
            return Ok(Marginals {
                sorted: self.sorted.shallow_clone(),
                count: self.count.shallow_clone(),
                last: self.last.shallow_clone(),
            });
        }
        let on = (Kind::Double, self.device());
        let share = Tensor::f_linspace(0.0, 1.0, knots, on)?.f_unsqueeze(0)?;
        let rank =
            (share * self.last.f_to_kind(Kind::Double)?).f_round()?.f_to_kind(Kind::Int64)?;
        let sorted = self.sorted.f_gather(1, &rank, false)?.f_contiguous()?;
        let count = self.count.f_full_like(knots as f64)?;
        Ok(Marginals { sorted, count, last: self.last.f_full_like(knots - 1)? })
    }

    /// The device of the tables.
    pub fn device(&self) -> Device {
        self.sorted.device()
    }

    /// Normal scores `Φ⁻¹((r + ½)/n)` of values; between two sorted ones `r` is linear, and beyond the ends it is that of
    /// the end.
    ///
    /// `ties`, in `[0, 1)` and one half unless given, says where among equal values a value ranks.
    ///
    /// # Shapes
    /// `values`: `[C, M]`; `ties` broadcasts to it. Returns `[C, M]`.
    ///
    /// # Errors
    /// [`NoiseError::Shape`] for other dimensions; libtorch's own for other kinds or devices.
    pub fn scores(&self, values: &Tensor, ties: Option<&Tensor>) -> Result<Tensor, NoiseError> {
        table(values, "values")?;
        let (below, through) = self.bracket(values)?;
        // Not a knot: `through` is the first knot above.
        let left = below.f_sub_scalar(1)?.f_clamp_min(0)?;
        let right = below.f_minimum(&self.last)?;
        let (low, high) = (self.at(&left)?, self.at(&right)?);
        let share = (values - &low).f_div(&(high - low))?;
        let share = share.f_nan_to_num(0.0, 0.0, 0.0)?.f_clamp(0.0, 1.0)?;
        let between = share.f_add(&left)?;
        let own = self.rank_among(&below, &through, ties)?;
        let rank = own.f_where_self(&through.f_greater_tensor(&below)?, &between)?;
        self.score_of(rank)
    }

    /// [`Marginals::scores`] of the very values that the distribution was fitted to, which are all knots.
    pub(crate) fn own_scores(&self, values: &Tensor, ties: &Tensor) -> Result<Tensor, NoiseError> {
        let (below, through) = self.bracket(values)?;
        let rank = self.rank_among(&below, &through, Some(ties))?;
        // A missing value stands at a number that is no knot.
        self.score_of(rank.f_clamp_min(0.0)?.f_minimum(&self.last)?)
    }

    /// Values of normal scores; the inverse of [`Marginals::scores`].
    ///
    /// # Shapes
    /// `scores`: `[C, M]`. Returns the same.
    ///
    /// # Errors
    /// As [`Marginals::scores`].
    pub fn values(&self, scores: &Tensor) -> Result<Tensor, NoiseError> {
        table(scores, "scores")?;
        let rank = scores.f_special_ndtr()?.f_mul_(&self.count)?.f_sub_scalar_(0.5)?;
        let rank = rank.f_nan_to_num(0.0, 0.0, 0.0)?.f_clamp_min(0.0)?;
        let left = rank.f_to_kind(Kind::Int64)?.f_minimum(&self.last)?;
        let right = left.f_add_scalar(1)?.f_minimum(&self.last)?;
        let share = rank.f_sub(&left)?.f_clamp_max(1.0)?;
        let low = self.at(&left)?;
        let step = self.at(&right)?.f_sub(&low)?;
        Ok(low.f_addcmul(&step, &share)?)
    }

    /// The number of sorted values below each value, and not above it.
    fn bracket(&self, values: &Tensor) -> Result<(Tensor, Tensor), NoiseError> {
        let values = values.f_contiguous()?;
        let search = |right: bool| {
            let side = if right { "right" } else { "left" };
            values.f_searchsorted(&self.sorted, false, right, side, None::<Tensor>)
        };
        Ok((search(false)?, search(true)?))
    }

    /// The rank of a value that occurs `through − below` times.
    fn rank_among(
        &self,
        below: &Tensor,
        through: &Tensor,
        ties: Option<&Tensor>,
    ) -> Result<Tensor, NoiseError> {
        let others = (through - below).f_sub_scalar_(1)?;
        let mut others = match ties {
            Some(ties) => others.f_mul(ties)?,
            None => others.f_to_kind(self.sorted.kind())? * 0.5,
        };
        Ok(others.f_add_(below)?)
    }

    fn score_of(&self, rank: Tensor) -> Result<Tensor, NoiseError> {
        Ok(rank.f_add_scalar(0.5)?.f_div(&self.count)?.f_special_ndtri()?)
    }

    fn at(&self, rank: &Tensor) -> Result<Tensor, NoiseError> {
        Ok(self.sorted.f_gather(1, rank, false)?)
    }
}

/// Fails unless `tensor` is a table with a column.
fn table(tensor: &Tensor, name: &'static str) -> Result<(), NoiseError> {
    let found = tensor.size();
    if found.len() == 2 && found[1] > 0 {
        return Ok(());
    }
    let expected = "expected channels and at least one value, `[C, N]`".to_owned();
    Err(NoiseError::Shape { tensor: name, found, expected })
}
