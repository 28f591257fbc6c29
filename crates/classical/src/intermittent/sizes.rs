//! The law of the values above zero.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, Gamma, Poisson};

use super::RATES;

/// Whole sizes below this number are smoothed by a law, and phases with fewer take in their neighbors.
const FEW: usize = 30;

/// The sizes seen so far.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// Row and size, the oldest first.
    known: Vec<(usize, f64)>,
    rate: f64,
    /// Whether all are whole numbers.
    whole: bool,
}

impl Sizes {
    /// The rate under which an exponential law with the mean so far gives the sizes the largest likelihood.
    pub(crate) fn fit(known: Vec<(usize, f64)>) -> Sizes {
        let whole = known.iter().all(|(_, size)| size.fract() == 0.0);
        let scale = known.iter().map(|(_, size)| *size).fold(f64::MIN_POSITIVE, f64::max);
        let score = |rate: f64| {
            let (mut sum, mut weight, mut score) = (0.0, 0.0, 0.0);
            for (_, size) in &known {
                let size = size / scale;
                if weight > 0.0 {
                    let mean = f64::max(sum / weight, 1e-12);
                    score -= mean.ln() + size / mean;
                }
                sum = sum * (1.0 - rate) + size;
                weight = weight * (1.0 - rate) + 1.0;
            }
            score
        };
        let first = (0.0, score(0.0));
        let others = RATES[1..].iter().map(|&rate| (rate, score(rate)));
        // A rate is one more unknown.
        let (rate, _) =
            others.fold(first, |best, other| if other.1 > best.1 + 1.0 { other } else { best });
        Sizes { known, rate, whole }
    }

    pub(crate) fn push(&mut self, row: usize, size: f64) {
        self.whole &= size.fract() == 0.0;
        self.known.push((row, size));
    }

    /// The law of the size at one row, from the sizes of its phase and as few neighboring ones as needed.
    pub(crate) fn law(&self, row: usize, season: usize) -> Law {
        let distance = |other: usize| {
            let apart = other.abs_diff(row) % season;
            apart.min(season - apart)
        };
        let count =
            |reach| self.known.iter().filter(|(other, _)| distance(*other) <= reach).count();
        let reach = (0..season).find(|&reach| count(reach) >= FEW).unwrap_or(season);
        let last = self.known.len().saturating_sub(1);
        let age = |at: usize| (last - at).min(10_000) as i32;
        let weighted = self
            .known
            .iter()
            .enumerate()
            .filter(|(_, (other, _))| distance(*other) <= reach)
            .map(|(at, (_, size))| (*size, (1.0 - self.rate).powi(age(at))))
            .collect();
        Law::of(weighted, self.whole)
    }
}

/// How a size is drawn.
#[derive(Debug, Clone)]
pub(crate) enum Law {
    /// No size is known.
    Nothing,
    /// One of the known sizes, each with the sum of the weights up to it.
    Known(Vec<(f64, f64)>),
    /// One plus a count with this mean, which is itself drawn where a law is given.
    Count(f64, Option<Gamma<f64>>),
}

impl Law {
    /// Few whole sizes follow one plus a negative binomial, or Poisson, count with their weighted mean and variance;
    /// others their empirical law.
    fn of(weighted: Vec<(f64, f64)>, whole: bool) -> Law {
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        if weighted.is_empty() {
            return Law::Nothing;
        }
        let moment = |power: i32| -> f64 {
            let terms = weighted.iter().map(|(size, weight)| weight * (size - 1.0).powi(power));
            terms.sum::<f64>() / total
        };
        let (mean, square) = (moment(1), moment(2));
        let smooth =
            whole && weighted.len() < FEW && mean > 0.0 && mean < 1e9 && square.is_finite();
        if !smooth {
            let mut sum = 0.0;
            let cumulative = weighted.into_iter().map(|(size, weight)| {
                sum += weight;
                (size, sum)
            });
            return Law::Known(cumulative.collect());
        }
        // Negative binomial: a Poisson count whose mean is drawn from a gamma law of this shape.
        let excess = square - mean * mean - mean;
        let mixture = Gamma::new(mean * mean / excess, excess / mean);
        Law::Count(mean, mixture.ok().filter(|_| excess > 1e-9))
    }

    pub(crate) fn draw(&self, rng: &mut dyn RngCore) -> f64 {
        match self {
            Law::Nothing => 0.0,
            Law::Known(known) => {
                let (last, total) = known.last().copied().unwrap_or((0.0, 0.0));
                let point = total * rng.random::<f64>();
                let at = known.partition_point(|(_, sum)| *sum <= point);
                known.get(at).map_or(last, |(size, _)| *size)
            }
            Law::Count(mean, mixture) => {
                let mean = mixture.as_ref().map_or(*mean, |mixture| mixture.sample(rng));
                1.0 + Poisson::new(mean).map_or(0.0, |law| law.sample(rng))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn few_whole_sizes_keep_their_mean_and_variance() {
        const COUNT: usize = 40_000;
        let sizes = [1.0, 2.0, 2.0, 9.0, 4.0, 1.0, 6.0];
        let known: Vec<(usize, f64)> = sizes.into_iter().enumerate().collect();
        let law = Sizes { known, rate: 0.0, whole: true }.law(9, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> = (0..COUNT).map(|_| law.draw(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / COUNT as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / COUNT as f64;
        // Mean 25 / 7, variance 143 / 7 - (25 / 7)² = 7.67; standard errors 0.014 and about 0.11.
        assert!((mean - 25.0 / 7.0).abs() < 0.06, "{mean}");
        assert!((variance - 7.673).abs() < 0.5, "{variance}");
        assert!(draws.iter().all(|draw| draw.fract() == 0.0 && *draw >= 1.0));
    }

    #[test]
    fn sizes_of_the_same_phase_come_first() {
        let known = (0..200).map(|row| (row, if row % 2 == 0 { 5.5 } else { 1.5 })).collect();
        let sizes = Sizes::fit(known);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!((0..50).all(|_| sizes.law(300, 2).draw(&mut rng) == 5.5));
        assert!((0..50).all(|_| sizes.law(301, 2).draw(&mut rng) == 1.5));
        assert_eq!(Sizes::fit(vec![]).law(3, 1).draw(&mut rng), 0.0);
    }
}
