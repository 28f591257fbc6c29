//! A forecaster that is one of several, each with its probability.

use rand::seq::SliceRandom;
use rand::{Rng, RngCore};

use crate::{Forecaster, Paths};

/// Parts with their weights, which need not sum to 1.
#[derive(Debug)]
pub(crate) struct Mixture {
    parts: Vec<(f64, Box<dyn Forecaster>)>,
}

impl Mixture {
    /// The forecaster of the parts, weighted by Akaike's criterion; parts below 2 % of the best are left out.
    ///
    /// ```text
    /// w_i ∝ exp(−(c_i − c_min) / 4)
    /// ```
    ///
    /// The weights of the reference have 2 for 4. They hold where one part is true; where none is, and the errors of a
    /// part depend on each other, differences of the criterion are too large, so they are halved.
    ///
    /// `None` without a part whose criterion is finite.
    ///
    /// # References
    /// Burnham & Anderson (2002), *Model Selection and Multimodel Inference*, section 2.9.
    pub(crate) fn of_criteria(parts: Vec<(f64, Box<dyn Forecaster>)>) -> Option<Mixture> {
        let least =
            parts.iter().map(|part| part.0).filter(|c| c.is_finite()).fold(f64::MAX, f64::min);
        let weighted = parts.into_iter().map(|(c, part)| ((0.25 * (least - c)).exp(), part));
        let parts: Vec<_> = weighted.filter(|(weight, _)| *weight > 0.02).collect();
        (!parts.is_empty()).then_some(Mixture { parts })
    }
}

impl Forecaster for Mixture {
    fn observe(&mut self, value: f64) {
        self.parts.iter_mut().for_each(|(_, part)| part.observe(value));
    }

    /// Each part draws its share of the paths, rounded at random; the paths come in random order.
    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let total: f64 = self.parts.iter().map(|(weight, _)| weight).sum();
        let offset: f64 = rng.random();
        let (mut drawn, mut sum, mut rows) = (0, 0.0, Vec::new());
        let mut parts = Vec::new();
        for (index, (weight, part)) in self.parts.iter().enumerate() {
            sum += weight / total;
            let until = (sum * count as f64 + offset).floor() as usize;
            let until =
                if index + 1 == self.parts.len() { count } else { until.clamp(drawn, count) };
            parts.push(part.paths(horizon, until - drawn, rng));
            rows.extend((0..until - drawn).map(|path| (index, path)));
            drawn = until;
        }
        rows.shuffle(rng);
        let mut rows = rows.into_iter();
        Paths::draw(horizon, count, |path| {
            if let Some((index, row)) = rows.next() {
                path.copy_from_slice(parts[index].row(row));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[derive(Debug)]
    struct Constant(f64);

    impl Forecaster for Constant {
        fn observe(&mut self, value: f64) {
            self.0 = value;
        }

        fn paths(&self, horizon: usize, count: usize, _: &mut dyn RngCore) -> Paths {
            Paths::draw(horizon, count, |path| path.fill(self.0))
        }
    }

    /// Oracle: weights by hand: exp(−ln 3) = 1/3 of the best, so a quarter of the paths.
    #[test]
    fn parts_have_their_share_of_the_paths() {
        let parts: Vec<(f64, Box<dyn Forecaster>)> = vec![
            (7.0, Box::new(Constant(1.0))),
            (7.0 + 4.0 * 3.0_f64.ln(), Box::new(Constant(2.0))),
            (50.0, Box::new(Constant(3.0))),
            (f64::NAN, Box::new(Constant(4.0))),
        ];
        let mixture = Mixture::of_criteria(parts).unwrap();
        let paths = mixture.paths(2, 400, &mut ChaCha8Rng::seed_from_u64(1));
        let second = paths.iter().filter(|path| *path == [2.0, 2.0]).count();
        assert!((99..=101).contains(&second), "{second}");
        assert_eq!(paths.iter().filter(|path| *path == [1.0, 1.0]).count(), 400 - second);
        let first: usize = paths.iter().take(200).filter(|path| path[0] == 2.0).count();
        assert!((30..70).contains(&first), "the order is not random: {first}");
    }
}
