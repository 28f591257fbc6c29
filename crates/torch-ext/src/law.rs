//! Laws and targets, as the fused kernels take them.

use tch::Tensor;

/// The law that a draw is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Prior<'a> {
    /// Means and raw log standard deviations, side by side.
    pub parameters: &'a Tensor,
    /// Whether the parameters of the drawn law are differences from these.
    pub relative: bool,
}

/// A family of laws with a location and a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// `N(m, σ²)`.
    Gaussian,
    /// Density `e^{−|y − m|/σ} / 2σ`.
    Laplace,
}

/// An observation whose density is taken.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The values, noised where `noise` is given, `[B, G, M]`; finite also where missing.
    pub values: &'a Tensor,
    /// Signal and standard deviation of the noise in each window, `[B]`; for Gaussian laws only.
    pub noise: Option<(&'a Tensor, &'a Tensor)>,
    /// Mask of the values, `[B, G, M]`, 0 where one is missing.
    pub observed: Option<&'a Tensor>,
}

/// Parameters of the laws of a clean target.
#[derive(Debug, Clone, Copy)]
pub struct Laws<'a> {
    /// Locations and raw log scales side by side, `[B, G, 2M]`; of draws `[S, B, G, 2M]`.
    pub parameters: &'a Tensor,
    /// An offset of the locations, `[B, G, M]`.
    pub offset: Option<&'a Tensor>,
    /// Bound of the log scales.
    pub bound: f64,
}
