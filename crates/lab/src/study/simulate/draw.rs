//! Random numbers that are the same on every platform.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of independent draws.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64) -> Draws {
        Draws(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform on `[0, 1)`, a multiple of `2⁻⁵³`.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box & Muller (1958).
    ///
    /// ```text
    /// √(−2 ln(1 − u)) · cos(2π v)        u, v uniform on [0, 1)
    /// ```
    ///
    /// Not by `rand_distr`: its samplers call the platform's `exp` and `ln`.
    pub(super) fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * libm::log(1.0 - u)).sqrt() * libm::cos(TAU * v)
    }
}
