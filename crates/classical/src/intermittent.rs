//! Counts with many zeros: whether there is demand, and how much.

use rand::{Rng, RngCore};
use rand_distr::{Distribution, Gamma, Poisson};

use crate::{Forecaster, Past, Paths};

/// Fewest observed rows.
const LEAST: usize = 12;
/// Smallest share of zeros.
const ZEROS: f64 = 0.25;
/// Rates at which the probability and the size follow the rows.
const RATES: [f64; 7] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3];
/// Weight of the common probability in that of each phase, in rows.
const PRIOR: f64 = 2.0;
/// Whole sizes below this number are smoothed by a law.
const FEW: usize = 30;

/// Fits the probability of demand, which follows the rows as Teunter, Syntetos and Babai (2011) propose,
///
/// ```text
/// p_t = p_{t-1} + α (o_t - p_{t-1}),   o_t = 1 if y_t > 0 else 0
/// ```
///
/// and the law of sizes: the known ones, each weighing `(1 - β)` to the power of its age among them. A probability per
/// phase of the season is used where it raises the likelihood by more than Schwarz's criterion asks. `None` where a row
/// is negative or less than a quarter of the rows is zero.
pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let known: Vec<(usize, f64)> =
        past.values.iter().copied().enumerate().filter(|(_, value)| value.is_finite()).collect();
    let zeros = known.iter().filter(|(_, value)| *value == 0.0).count();
    let refused = known.len() < LEAST
        || known.iter().any(|(_, value)| *value < 0.0)
        || (zeros as f64) < ZEROS * known.len() as f64;
    if refused {
        return None;
    }
    let season = past.season();
    let plain = Occurrence::fit(&known, 1);
    let phased = (season > 1 && known.len() >= 3 * season).then(|| Occurrence::fit(&known, season));
    let asked = 0.5 * (season as f64 - 1.0) * (known.len() as f64).ln();
    let occurrence = phased.filter(|phased| phased.score - plain.score > asked).unwrap_or(plain);
    let sizes =
        Sizes::fit(known.iter().map(|(_, value)| *value).filter(|value| *value > 0.0).collect());
    Some(Box::new(Intermittent { occurrence, sizes, time: past.values.len() }))
}

/// A fitted intermittent series.
#[derive(Debug, Clone)]
struct Intermittent {
    occurrence: Occurrence,
    sizes: Sizes,
    time: usize,
}

/// The probability of a value above zero, one per phase.
#[derive(Debug, Clone)]
struct Occurrence {
    probabilities: Vec<f64>,
    rate: f64,
    /// Log-likelihood of the known rows, each given those before it.
    score: f64,
}

impl Occurrence {
    /// The rate with the largest likelihood. Each phase starts from its share, drawn toward the common one.
    fn fit(known: &[(usize, f64)], season: usize) -> Occurrence {
        let share = |rows: &mut dyn Iterator<Item = f64>, prior: f64, weight: f64| {
            let (some, all) = rows.fold((prior * weight, weight), |(some, all), value| {
                (some + f64::from(u8::from(value > 0.0)), all + 1.0)
            });
            some / all
        };
        let common = share(&mut known.iter().map(|(_, value)| *value), 0.5, 1.0);
        let start: Vec<f64> = (0..season)
            .map(|phase| {
                let rows = known.iter().filter(|(row, _)| row % season == phase);
                share(&mut rows.map(|(_, value)| *value), common, PRIOR)
            })
            .collect();
        let run = |&rate: &f64| {
            let mut occurrence = Occurrence { probabilities: start.clone(), rate, score: 0.0 };
            for &(row, value) in known {
                let probability = occurrence.at(row);
                let of = if value > 0.0 { probability } else { 1.0 - probability };
                occurrence.score += of.max(1e-6).ln();
                occurrence.follow(row, value);
            }
            occurrence
        };
        let first = run(&0.0);
        RATES[1..].iter().map(run).fold(first, |best, other| {
            // A rate is one more unknown.
            if other.score > best.score + 1.0 { other } else { best }
        })
    }

    fn at(&self, row: usize) -> f64 {
        self.probabilities[row % self.probabilities.len()]
    }

    fn follow(&mut self, row: usize, value: f64) {
        let phase = row % self.probabilities.len();
        let occurred = f64::from(u8::from(value > 0.0));
        self.probabilities[phase] += self.rate * (occurred - self.probabilities[phase]);
    }
}

/// The law of the values above zero.
#[derive(Debug, Clone)]
struct Sizes {
    /// Known sizes, the oldest first.
    known: Vec<f64>,
    rate: f64,
    /// Whether all are whole numbers.
    whole: bool,
}

impl Sizes {
    /// The rate under which an exponential law with the mean so far gives the sizes the largest likelihood.
    fn fit(known: Vec<f64>) -> Sizes {
        let whole = known.iter().all(|size| size.fract() == 0.0);
        let scale = known.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let score = |rate: f64| {
            let (mut sum, mut weight, mut score) = (0.0, 0.0, 0.0);
            for size in &known {
                let size = size / scale;
                if weight > 0.0 {
                    let mean: f64 = sum / weight;
                    score -= mean.max(1e-12).ln() + size / mean.max(1e-12);
                }
                sum = sum * (1.0 - rate) + size;
                weight = weight * (1.0 - rate) + 1.0;
            }
            score
        };
        let first = (0.0, score(0.0));
        let (rate, _) = RATES[1..]
            .iter()
            .map(|&rate| (rate, score(rate)))
            .fold(first, |best, other| if other.1 > best.1 + 1.0 { other } else { best });
        Sizes { known, rate, whole }
    }

    /// Sums of the weights up to each size.
    fn cumulative(&self) -> Vec<f64> {
        let count = self.known.len();
        let weight = |at: usize| (1.0 - self.rate).powi((count - 1 - at).min(10_000) as i32);
        let mut sum = 0.0;
        (0..count)
            .map(|at| {
                sum += weight(at);
                sum
            })
            .collect()
    }

    /// Law from which sizes are drawn: few whole ones follow one plus a negative binomial, or Poisson, count with their
    /// mean and variance.
    fn law(&self) -> Law {
        let cumulative = self.cumulative();
        let Some(total) = cumulative.last().copied() else {
            return Law::Nothing;
        };
        if !self.whole || self.known.len() >= FEW {
            return Law::Known(cumulative);
        }
        let weights =
            cumulative.iter().zip(std::iter::once(&0.0).chain(&cumulative)).map(|(a, b)| a - b);
        let moment = |power: i32| -> f64 {
            let values = self.known.iter().zip(weights.clone());
            values.map(|(size, weight)| weight * (size - 1.0).powi(power)).sum::<f64>() / total
        };
        let (mean, square) = (moment(1), moment(2));
        let excess = square - mean * mean - mean;
        if !(mean > 0.0 && mean < 1e9 && excess.is_finite()) {
            return Law::Known(cumulative);
        }
        // Negative binomial: a Poisson count whose mean is drawn from a gamma law of this shape.
        let mixture =
            Gamma::new(mean * mean / excess, excess / mean).ok().filter(|_| excess > 1e-9);
        Law::Count(mean, mixture)
    }
}

/// How a size is drawn.
enum Law {
    /// No size is known.
    Nothing,
    /// One of the known sizes, by cumulative weights.
    Known(Vec<f64>),
    /// One plus a count with this mean, which is itself drawn where a law is given.
    Count(f64, Option<Gamma<f64>>),
}

impl Law {
    fn draw(&self, known: &[f64], rng: &mut dyn RngCore) -> f64 {
        match self {
            Law::Nothing => 0.0,
            Law::Known(cumulative) => {
                let total = cumulative.last().copied().unwrap_or(0.0);
                let point = total * rng.random::<f64>();
                let at = cumulative.partition_point(|sum| *sum <= point);
                known[at.min(known.len() - 1)]
            }
            Law::Count(mean, mixture) => {
                let mean = mixture.as_ref().map_or(*mean, |mixture| mixture.sample(rng));
                1.0 + Poisson::new(mean).map_or(0.0, |law| law.sample(rng))
            }
        }
    }
}

impl Forecaster for Intermittent {
    fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.occurrence.follow(self.time, value);
            if value > 0.0 {
                self.sizes.known.push(value);
                self.sizes.whole &= value.fract() == 0.0;
            }
        }
        self.time += 1;
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let law = self.sizes.law();
        Paths::draw(horizon, count, |path| {
            for (step, out) in path.iter_mut().enumerate() {
                let some = rng.random::<f64>() < self.occurrence.at(self.time + step);
                *out = if some { law.draw(&self.sizes.known, rng) } else { 0.0 };
            }
        })
    }
}
