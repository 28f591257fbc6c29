//! Exponentiated gradient descent of the quantile loss over the simplex.

use crate::quantiles::loss;

/// A weighted sum of quantile losses of a convex combination of members.
///
/// ```text
/// f(w) = Σ_i share_i · 2 (τ_i − [e_i < 0]) e_i        e_i = − Σ_m w_m d_im,  d_im = (Q_m − y) / scale
/// ```
#[derive(Debug, Default)]
pub(crate) struct Problem {
    pub(crate) members: usize,
    /// `[term][member]`: forecast minus truth, in units of the scale.
    pub(crate) differences: Vec<f64>,
    /// Level and share of each term.
    pub(crate) terms: Vec<(f64, f64)>,
}

/// Where the descent ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Optimum {
    pub(crate) weights: Vec<f64>,
    /// Loss without the penalty.
    pub(crate) loss: f64,
    /// A bound on how far loss and penalty together lie above their minimum.
    pub(crate) gap: f64,
}

/// Iterations at most, and the gap relative to the objective at the start that ends them.
const ITERATIONS: usize = 300;
const TOLERANCE: f64 = 1e-4;

impl Problem {
    /// The loss at `weights`, its subgradient in `slope`.
    pub(crate) fn value(&self, weights: &[f64], slope: &mut [f64]) -> f64 {
        slope.fill(0.0);
        let mut sum = 0.0;
        for (row, (level, share)) in self.differences.chunks(self.members.max(1)).zip(&self.terms) {
            let error: f64 = -row.iter().zip(weights).map(|(d, w)| d * w).sum::<f64>();
            sum += share * loss(error, *level);
            let side = if error < 0.0 { level - 1.0 } else { *level };
            for (part, d) in slope.iter_mut().zip(row) {
                *part -= 2.0 * share * side * d;
            }
        }
        sum
    }

    /// The minimum of `f(w) + penalty · KL(w ‖ prior)` over weights that are zero where the prior is.
    ///
    /// ```text
    /// log w ← (log w + η (penalty · log prior − ∇f)) / (1 + η · penalty) + const
    /// ```
    ///
    /// which is a mirror step that treats the penalty exactly. η doubles after a step that lowers the objective and
    /// halves until one does; at a kink, where no subgradient step may, η shrinks as 1/√k and the best point is kept.
    /// The gap is certified by planes below the loss: `f(v) ≥ f(w) + ∇f(w)·(v − w)`, whose sum with the penalty has
    /// its minimum in closed form.
    ///
    /// # References
    /// Kivinen & Warmuth (1997), Information and Computation 132, 1–63; Duchi, Shalev-Shwartz, Singer & Tewari (2010),
    /// Conference on Learning Theory 23, 14–26.
    pub(crate) fn minimize(&self, prior: &[f64], penalty: f64) -> Optimum {
        let mut search = Search::new(self, prior, penalty);
        for iteration in 0..ITERATIONS {
            if search.gap() <= TOLERANCE * search.start {
                break;
            }
            search.step(iteration);
        }
        let loss = self.value(&search.best, &mut vec![0.0; self.members]);
        Optimum { gap: search.gap().max(0.0), weights: search.best, loss }
    }
}

struct Search<'a> {
    problem: &'a Problem,
    prior: &'a [f64],
    penalty: f64,
    weights: Vec<f64>,
    slope: Vec<f64>,
    objective: f64,
    rate: f64,
    start: f64,
    best: Vec<f64>,
    lowest: f64,
    bound: f64,
    /// Sum of the planes so far: constant, slope, count.
    planes: (f64, Vec<f64>, f64),
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, prior: &'a [f64], penalty: f64) -> Search<'a> {
        let mut slope = vec![0.0; problem.members];
        let objective = problem.value(prior, &mut slope);
        let range = range(&slope, prior);
        let mut search = Search {
            problem,
            prior,
            penalty,
            weights: prior.to_vec(),
            objective,
            rate: if range > 0.0 { 1.0 / range } else { 1.0 },
            start: objective,
            best: prior.to_vec(),
            lowest: objective,
            bound: f64::NEG_INFINITY,
            planes: (0.0, vec![0.0; problem.members], 0.0),
            slope,
        };
        search.note_plane(objective);
        search
    }

    fn gap(&self) -> f64 {
        self.lowest - self.bound
    }

    /// One mirror step with a line search.
    fn step(&mut self, iteration: usize) {
        let mut slope = vec![0.0; self.slope.len()];
        let mut rate = self.rate * 2.0;
        for attempt in 0..12 {
            let weights = self.moved(rate);
            let loss = self.problem.value(&weights, &mut slope);
            let objective = loss + self.penalty * divergence(&weights, self.prior);
            if objective < self.objective || attempt == 11 {
                self.rate = rate;
                return self.accept(weights, &slope, loss, objective);
            }
            rate /= 2.0;
            if attempt == 10 {
                rate = self.rate / (1.0 + iteration as f64).sqrt();
            }
        }
    }

    fn accept(&mut self, weights: Vec<f64>, slope: &[f64], loss: f64, objective: f64) {
        self.weights = weights;
        self.slope.copy_from_slice(slope);
        self.objective = objective;
        if objective < self.lowest {
            self.lowest = objective;
            self.best.clone_from(&self.weights);
        }
        self.note_plane(loss);
    }

    fn moved(&self, rate: f64) -> Vec<f64> {
        let logs = self.weights.iter().zip(self.prior).zip(&self.slope).map(|((w, p), g)| {
            let pull = if self.penalty > 0.0 { self.penalty * p.ln() } else { 0.0 };
            (w.max(1e-300).ln() + rate * (pull - g)) / (1.0 + rate * self.penalty)
        });
        let kept =
            logs.zip(self.prior).map(|(log, p)| if *p > 0.0 { log } else { f64::NEG_INFINITY });
        softmax(&kept.collect::<Vec<f64>>())
    }

    /// Raises the bound by the plane at the current point, and by the mean of all planes.
    fn note_plane(&mut self, loss: f64) {
        let constant = loss - dot(&self.slope, &self.weights);
        self.planes.0 += constant;
        self.planes.1.iter_mut().zip(&self.slope).for_each(|(sum, g)| *sum += g);
        self.planes.2 += 1.0;
        let count = self.planes.2;
        let mean: Vec<f64> = self.planes.1.iter().map(|sum| sum / count).collect();
        let single = constant + self.lowest_on(&self.slope);
        let all = self.planes.0 / count + self.lowest_on(&mean);
        self.bound = self.bound.max(single).max(all);
    }

    /// The minimum of `slope · w + penalty · KL(w ‖ prior)`.
    fn lowest_on(&self, slope: &[f64]) -> f64 {
        let kept = || slope.iter().zip(self.prior).filter(|(_, p)| **p > 0.0);
        let least = kept().map(|(g, _)| *g).fold(f64::INFINITY, f64::min);
        if self.penalty <= 0.0 {
            return least;
        }
        let sum: f64 = kept().map(|(g, p)| p * (-(g - least) / self.penalty).exp()).sum();
        least - self.penalty * sum.ln()
    }
}

/// The Kullback–Leibler divergence `Σ w log(w / p)` in nats.
pub(crate) fn divergence(weights: &[f64], prior: &[f64]) -> f64 {
    let terms = weights.iter().zip(prior).filter(|(w, p)| **w > 0.0 && **p > 0.0);
    terms.map(|(w, p)| w * (w / p).ln()).sum()
}

fn softmax(logs: &[f64]) -> Vec<f64> {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let parts: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
    let total: f64 = parts.iter().sum();
    parts.iter().map(|part| part / total).collect()
}

fn range(slope: &[f64], prior: &[f64]) -> f64 {
    let kept = || slope.iter().zip(prior).filter(|(_, p)| **p > 0.0).map(|(g, _)| *g);
    kept().fold(f64::NEG_INFINITY, f64::max) - kept().fold(f64::INFINITY, f64::min)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(seed: u64, members: usize, terms: usize) -> Problem {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut problem = Problem { members, ..Problem::default() };
        for term in 0..terms {
            let level = (1 + term % 19) as f64 / 20.0;
            problem.terms.push((level, 1.0 / terms as f64));
            let shock: f64 = rng.random_range(-2.0..2.0);
            for member in 0..members {
                let own: f64 = rng.random_range(-1.0..1.0);
                let bias = member as f64 * 0.3;
                problem.differences.push(level - 0.5 + shock + bias + (2.0 - member as f64) * own);
            }
        }
        problem
    }

    fn objective(problem: &Problem, weights: &[f64], prior: &[f64], penalty: f64) -> f64 {
        let loss = problem.value(weights, &mut vec![0.0; problem.members]);
        loss + penalty * divergence(weights, prior)
    }

    /// Oracle: the least objective on a fine grid of the simplex.
    #[test]
    fn the_optimum_is_that_of_a_fine_grid() {
        let prior = [0.5, 0.3, 0.2];
        for (seed, terms) in [(1, 41), (2, 400), (3, 2000)] {
            let problem = random(seed, 3, terms);
            for penalty in [0.0, 0.003, 0.1] {
                let found = problem.minimize(&prior, penalty);
                let ours = objective(&problem, &found.weights, &prior, penalty);
                let cells = 100;
                let mut least = f64::INFINITY;
                for a in 0..=cells {
                    for b in 0..=cells - a {
                        let weights = [a, b, cells - a - b].map(|part| part as f64 / cells as f64);
                        least = least.min(objective(&problem, &weights, &prior, penalty));
                    }
                }
                let start = objective(&problem, &prior, &prior, penalty);
                assert!(ours <= least + 1e-3 * start, "{seed} {penalty}: {ours} {least} {found:?}");
                assert!(ours - found.gap <= least + 1e-12, "the bound is one: {found:?} {least}");
                assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }

    /// Oracle: finite differences away from kinks.
    #[test]
    fn the_slope_is_that_of_finite_differences() {
        let problem = random(5, 3, 300);
        let at = [0.2, 0.5, 0.3];
        let mut slope = vec![0.0; 3];
        problem.value(&at, &mut slope);
        for member in 0..3 {
            let moved = |by: f64| {
                let mut weights = at;
                weights[member] += by;
                problem.value(&weights, &mut [0.0; 3])
            };
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((slope[member] - expected).abs() < 1e-3, "{slope:?} {expected}");
        }
    }

    #[test]
    fn a_certified_gap_is_small() {
        let problem = random(7, 3, 2000);
        let prior = [1.0 / 3.0; 3];
        let start = objective(&problem, &prior, &prior, 0.0);
        for penalty in [0.01, 0.1, 1.0] {
            let found = problem.minimize(&prior, penalty);
            assert!(found.gap <= 2e-3 * start, "{penalty}: {found:?}");
        }
    }

    /// Oracle: by hand, `0.9 log(0.9/0.5) + 0.1 log(0.1/0.5)`.
    #[test]
    fn the_divergence_is_that_by_hand() {
        let expected = 0.9 * 1.8_f64.ln() + 0.1 * 0.2_f64.ln();
        assert!((divergence(&[0.9, 0.1], &[0.5, 0.5]) - expected).abs() < 1e-15);
        assert_eq!(divergence(&[1.0, 0.0], &[1.0, 0.0]), 0.0);
    }
}
