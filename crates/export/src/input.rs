//! The inputs that a forecast can have.

/// The meaning of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Context,
    Future,
    Time,
    Series,
    Statics,
    LatentNoise,
    ValueNoise,
    ChiSquare,
}

impl Of {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Of::Context => "context",
            Of::Future => "future",
            Of::Time => "time",
            Of::Series => "series",
            Of::Statics => "static",
            Of::LatentNoise => "latent_noise",
            Of::ValueNoise => "value_noise",
            Of::ChiSquare => "chi_square",
        }
    }
}
