//! What comparisons have to be, computed once more from the prepared files and in another way.

use std::f64::consts::FRAC_PI_2;

use serde_json::Value;

use super::scene::Study;

/// A mean, its standard error and its degrees of freedom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) mean: f64,
    pub(super) error: f64,
    pub(super) freedom: f64,
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation, from all pairs: `Σ_ij (v_i − v_j)² / 2n(n − 1)`.
pub(super) fn std(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let pairs = values.iter().flat_map(|a| values.iter().map(move |b| (a - b).powi(2)));
    (pairs.sum::<f64>() / (2.0 * n * (n - 1.0))).sqrt()
}

/// Of one number per seed.
pub(super) fn of_seeds(values: &[f64]) -> Found {
    let n = values.len() as f64;
    Found { mean: mean(values), error: std(values) / n.sqrt(), freedom: n - 1.0 }
}

/// Of `[seed][window]`, whose neighbors `overlap` apart share rows: Bartlett's kernel as a quadratic form
/// `Σ_ij K(|i − j|) e_i e_j`, which reaches twice as far.
pub(super) fn of_windows(values: &[Vec<f64>], overlap: usize) -> Found {
    let windows = values[0].len();
    let seeds = of_seeds(&values.iter().map(|seed| mean(seed)).collect::<Vec<_>>());
    let average: Vec<f64> = (0..windows)
        .map(|w| mean(&values.iter().map(|seed| seed[w]).collect::<Vec<_>>()))
        .collect();
    // At least the fewest windows m with 100 (m/2)^{9/2} ≥ n; twice that, but at most a quarter of all.
    let least = (1..).find(|m| 100.0 * (f64::from(*m) / 2.0).powf(4.5) >= windows as f64).unwrap();
    let reach = ((2 * overlap.max(least as usize)).min(windows / 4) + 1) as f64;
    let mut form = 0.0;
    for (i, a) in average.iter().enumerate() {
        for (j, b) in average.iter().enumerate() {
            let kernel = (1.0 - i.abs_diff(j) as f64 / reach).max(0.0);
            form += kernel * (a - seeds.mean) * (b - seeds.mean);
        }
    }
    let n = windows as f64;
    let (of_seeds, of_windows) = (seeds.error.powi(2), form / (n * (n - 1.0)));
    let square = of_seeds + of_windows;
    let inverse =
        (of_seeds / square).powi(2) / seeds.freedom + (of_windows / square).powi(2) / (n - 1.0);
    Found { mean: seeds.mean, error: square.sqrt(), freedom: 1.0 / inverse }
}

impl Found {
    pub(super) fn over(self, unit: f64) -> Found {
        Found { mean: self.mean / unit, error: self.error / unit, ..self }
    }

    pub(super) fn less(self, other: Found) -> Found {
        let square = self.error.powi(2) + other.error.powi(2);
        let inverse = (self.error.powi(2) / square).powi(2) / self.freedom
            + (other.error.powi(2) / square).powi(2) / other.freedom;
        Found { mean: self.mean - other.mean, error: square.sqrt(), freedom: 1.0 / inverse }
    }

    /// P(|T| ≥ |mean| / error).
    pub(super) fn two_sided(self) -> f64 {
        2.0 * upper_tail((self.mean / self.error).abs(), self.freedom)
    }

    /// The larger p-value of the two one-sided tests against ± margin.
    pub(super) fn of_equality(self, margin: f64) -> f64 {
        let below = upper_tail((self.mean + margin) / self.error, self.freedom);
        let above = upper_tail((margin - self.mean) / self.error, self.freedom);
        below.max(above)
    }
}

/// P(T ≥ t) of Student's t: with `t = √ν tan θ` the density is `cos^{ν−1} θ`; Simpson's rule.
pub(super) fn upper_tail(t: f64, freedom: f64) -> f64 {
    let integral = |from: f64, to: f64| {
        let steps = 20_000;
        let width = (to - from) / f64::from(steps);
        let value = |i: i32| {
            let weight = if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
            weight * (from + width * f64::from(i)).cos().max(0.0).powf(freedom - 1.0)
        };
        (0..=steps).map(value).sum::<f64>() * width / 3.0
    };
    // Beyond, nothing is left of many degrees of freedom.
    let end = FRAC_PI_2.min(60.0 / freedom.sqrt());
    let at = (t / freedom.sqrt()).atan().clamp(-end, end);
    integral(at, end) / (2.0 * integral(0.0, end))
}

/// Holm's, by its definition: reject `p_j` while all smaller ones times how many are left are rejected.
pub(super) fn holm(p: &[f64]) -> Vec<f64> {
    let times = |value: f64| p.iter().filter(|other| **other >= value).count() as f64 * value;
    let adjusted = |value: &f64| {
        let smaller = p.iter().filter(|other| *other <= value);
        smaller.map(|other| times(*other)).fold(0.0, f64::max).min(1.0)
    };
    p.iter().map(adjusted).collect()
}

/// A number of a run, by its path: of the chosen weights, or of the last ones.
pub(super) fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path}"))
}

pub(super) fn list(value: &Value, path: &str) -> Vec<f64> {
    let all = value.pointer(path).and_then(Value::as_array).unwrap();
    all.iter().map(|value| value.as_f64().unwrap()).collect()
}

const TEST: &str = "/forecasters/0/test";
const TRAIN: &str = "/forecasters/0/train/crps_standardized";

/// The difference of two arms in a cell by a measure of the plan, over these seeds, and the values per seed.
pub(super) fn difference(
    study: &Study,
    cell: &str,
    [arm, than]: [&str; 2],
    measure: &str,
    seeds: &[u64],
    overlap: usize,
) -> (Found, Vec<f64>) {
    let file = match measure {
        "test-end" | "gap-end" => "last/evaluation.json",
        "features-clean" | "features-noisy" => "features.json",
        _ => "evaluation.json",
    };
    let read = |arm: &str, seed: u64| study.prepared(cell, arm, seed, file);
    let windows = |arm: &str, seed: u64| {
        let value = read(arm, seed);
        let train = if measure == "gap-end" { number(&value, TRAIN) } else { 0.0 };
        let all = list(&value, &format!("{TEST}/window_crps"));
        all.iter().map(|crps| crps - train).collect::<Vec<f64>>()
    };
    let one = |arm: &str, seed: u64| match measure {
        "log-score" => number(&read(arm, seed), &format!("{TEST}/log_score")),
        "shrinkage" => (number(&read(arm, seed), &format!("{TEST}/slope")) - 1.0).abs(),
        "features-clean" => number(&read(arm, seed), "/steps/0/probe_future/r2"),
        "features-noisy" => number(&read(arm, seed), "/steps/2/probe_future/r2"),
        _ => mean(&windows(arm, seed)),
    };
    let each: Vec<f64> = seeds.iter().map(|seed| one(arm, *seed) - one(than, *seed)).collect();
    let found = if matches!(measure, "test" | "test-end" | "gap-end") {
        let of_seed = |seed: &u64| {
            let (a, b) = (windows(arm, *seed), windows(than, *seed));
            a.iter().zip(&b).map(|(a, b)| a - b).collect()
        };
        of_windows(&seeds.iter().map(of_seed).collect::<Vec<_>>(), overlap)
    } else {
        of_seeds(&each)
    };
    (found, each)
}

/// What effects of a measure are relative to: the mean score of the arm without noise.
pub(super) fn unit(study: &Study, cell: &str, measure: &str, seeds: &[u64]) -> f64 {
    let file = match measure {
        "test" | "gap-end" => "evaluation.json",
        "test-end" => "last/evaluation.json",
        _ => return 1.0,
    };
    let score = |seed: &u64| {
        number(&study.prepared(cell, "none", *seed, file), &format!("{TEST}/crps_standardized"))
    };
    mean(&seeds.iter().map(score).collect::<Vec<_>>())
}

/// Oracle: P(T_4 > 2.776445) = .025; Cauchy's `½ − atan(t)/π`; the normal 1.959964.
#[test]
fn the_tail_is_students() {
    assert!((upper_tail(2.776_445, 4.0) - 0.025).abs() < 1e-7);
    assert!((upper_tail(3.0, 1.0) - (0.5 - 3.0_f64.atan() / std::f64::consts::PI)).abs() < 1e-9);
    assert!((upper_tail(1.959_964, 1e7) - 0.025).abs() < 1e-6);
    assert!((upper_tail(-1.0, 3.0) - 1.0 + upper_tail(1.0, 3.0)).abs() < 1e-9);
}
