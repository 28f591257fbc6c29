//! One stream of random numbers per use (decision 0004).

/// A use of torch's generator. Each use has its own stream, so that changing the number of validation samples, for
/// example, does not change the training.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Initial weights.
    Weights,
    /// Order of windows, noise and latent draws of one epoch.
    Epoch(usize),
    /// The rest of an epoch after a step, on a device that cannot continue the generator of the previous device.
    Step(usize),
    /// Draws during training that change no weight: validation samples, the fit of correlated residuals, pictures of
    /// forecasts, and the choice of instance normalization. Each use starts at the beginning of the stream, so that the
    /// validation samples are the same in every epoch.
    Validation,
    /// Draws after training: samples of an evaluation, the health of latent variables, the residuals of baselines, and
    /// forecasts of new rows. Each use starts at the beginning of the stream.
    Evaluation,
    /// Noise of the windows that features are read from.
    Features,
}

/// Seeds torch's generator for one use in a run whose seed is `seed`.
pub fn seed(seed: u64, stream: Stream) {
    seed_batch(seed, stream, 0);
}

/// Seeds torch's generator for one batch of a use, so that its draws do not depend on who drew for the batches before
/// it. Batch 0 begins the stream, as [`seed()`] does.
pub fn seed_batch(seed: u64, stream: Stream, batch: usize) {
    let stream = match stream {
        Stream::Weights => 1,
        Stream::Validation => 2,
        Stream::Evaluation => 3,
        Stream::Features => 4,
        Stream::Epoch(epoch) => 16 + epoch as u64,
        Stream::Step(step) => (1 << 40) + step as u64,
    };
    let stream = stream + ((batch as u64) << 48);
    // The finalizer of SplitMix64 (Steele et al. 2014): neighboring seeds give unrelated streams.
    let mut mixed = seed.wrapping_add(stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    tch::manual_seed((mixed ^ (mixed >> 31)) as i64);
}
