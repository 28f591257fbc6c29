//! One stream of random numbers per use (decision 0004).

/// A use of torch's generator. Each has its own stream, so that, say, another number of validation samples
/// does not change the training.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Initial weights.
    Weights,
    /// Order, noise and latent draws of one epoch.
    Epoch(usize),
    /// The rest of an epoch from a step on, on a device that cannot continue the generator of another.
    Step(usize),
    /// Draws while training that change no weight, each use from the start of the stream: validation samples, which
    /// are therefore the same every epoch, the fit of correlated residuals, pictures of forecasts, and the choice of
    /// instance normalization.
    Validation,
    /// Draws after training, each use from the start of the stream: samples of an evaluation, the health of latent
    /// variables, the residuals of baselines, and forecasts of new rows.
    Evaluation,
    /// Noise of the windows that features are read from.
    Features,
}

/// Seeds torch's generator for one use of a run with the seed `seed`.
pub fn seed(seed: u64, stream: Stream) {
    let stream = match stream {
        Stream::Weights => 1,
        Stream::Validation => 2,
        Stream::Evaluation => 3,
        Stream::Features => 4,
        Stream::Epoch(epoch) => 16 + epoch as u64,
        Stream::Step(step) => (1 << 40) + step as u64,
    };
    // The finalizer of SplitMix64 (Steele et al. 2014): neighboring seeds give unrelated streams.
    let mut mixed = seed.wrapping_add(stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    tch::manual_seed((mixed ^ (mixed >> 31)) as i64);
}
