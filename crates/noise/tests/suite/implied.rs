//! The implied density of plain steps: closed forms, quadrature, and a million draws.

use noise::{ImpliedDensity, Normalization, Reinjection, Schedule, StepDistribution};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn variance(schedule: Schedule, strength: f64) -> Reinjection {
    Reinjection::new(schedule, strength, Normalization::Variance).unwrap()
}

/// One draw of a continuous step from `p`, its mass spread over `(t − 1, t]`, and its equivalent
/// share of signal, from the definitions alone.
fn draw(rng: &mut StdRng, process: &Reinjection, p: &[f64]) -> f64 {
    let mut u: f64 = rng.random();
    let mut t = 0;
    while t + 1 < p.len() && u >= p[t] {
        u -= p[t];
        t += 1;
    }
    let real = if t == 0 { 0.0 } else { (t - 1) as f64 + (u / p[t]).min(1.0) };
    let alpha_bar = process.schedule().alpha_bar_at(real).unwrap();
    let a = alpha_bar.sqrt() + process.strength();
    a * a / (a * a + 1.0 - alpha_bar)
}

/// χ² of `draws` against the histogram, in standard deviations from its mean.
fn chi_squared(process: &Reinjection, steps: &StepDistribution, draws: usize, seed: u64) -> f64 {
    const BINS: usize = 40;
    let implied = ImpliedDensity::new(process, steps).unwrap();
    let bars = implied.histogram(BINS);
    // A bar is found by the share of signal at its right edge, which falls from bar to bar.
    let edges: Vec<f64> =
        bars.iter().map(|bar| process.schedule().alpha_bar_at(bar.to).unwrap()).collect();
    let mut counts = [0_usize; BINS];
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..draws {
        let share = draw(&mut rng, process, steps.probabilities());
        counts[edges.partition_point(|&edge| edge > share * (1.0 + 1e-12)).min(BINS - 1)] += 1;
    }
    let (mut chi, mut cells) = (0.0, 0.0);
    for (bar, &count) in bars.iter().zip(&counts) {
        let expected = bar.mass * draws as f64;
        if expected < 5.0 {
            assert!(count < 30, "{count} draws where {expected:.2} were promised, {bar:?}");
        } else {
            chi += (count as f64 - expected).powi(2) / expected;
            cells += 1.0;
        }
    }
    assert!(cells >= 3.0, "too few bars are filled to test anything");
    let freedom: f64 = cells - 1.0;
    (chi - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn a_million_draws_fill_the_histogram() {
    let process = variance(Schedule::linear(100, 1e-4, 0.1).unwrap(), 1.0);
    let z = chi_squared(&process, &StepDistribution::uniform(&process), 1_000_000, 1);
    assert!(z < 5.0, "χ² is {z:.1} standard deviations above its mean");
}

#[test]
fn draws_fill_the_histogram_for_every_schedule_strength_and_sampler() {
    let schedules = [
        Schedule::linear(40, 0.0, 1.0).unwrap(),
        Schedule::quadratic(60, 1e-4, 0.2).unwrap(),
        Schedule::sigmoid(50, 1e-4, 0.1).unwrap(),
        Schedule::constant(30, 0.05).unwrap(),
        Schedule::cosine(50).unwrap(),
        Schedule::jsd(20).unwrap(),
    ];
    for (i, schedule) in schedules.into_iter().enumerate() {
        for (j, strength) in [0.0, 0.2, 1.0, 2.0].into_iter().enumerate() {
            let process = variance(schedule.clone(), strength);
            let samplers = [
                StepDistribution::uniform(&process).with_clean_fraction(0.2).unwrap(),
                StepDistribution::low_noise(&process, 2.0).unwrap(),
            ];
            for (k, steps) in samplers.iter().enumerate() {
                let z = chi_squared(&process, steps, 30_000, (100 * i + 10 * j + k) as u64);
                assert!(z < 5.5, "schedule {i}, λ = {strength}, sampler {k}: {z:.1}");
            }
        }
    }
}

/// Oracle: ᾱ_t = 1 − t/T and λ = 1 give τ/T = (1 − √(1 − t/T))/2, so p = 4 (1 − 2τ/T)/T.
#[test]
fn jsd_with_the_rule_of_the_note_is_a_triangle() {
    let steps = 64.0;
    let process = variance(Schedule::jsd(64).unwrap(), 1.0);
    let uniform = StepDistribution::uniform(&process);
    let implied = ImpliedDensity::new(&process, &uniform).unwrap();
    assert!((implied.support_end() - 32.0).abs() < 1e-12);
    for tau in [0.01, 0.5, 7.3, 16.0, 24.9, 31.0] {
        let u: f64 = tau / steps;
        // The schedule's ᾱ between steps is log-linear, 1 − τ/T only at whole steps: compare there.
        let whole = tau.fract() == 0.0;
        let cumulative = 1.0 - (1.0 - 2.0 * u).powi(2);
        let tolerance = if whole { 2e-4 } else { 2e-3 };
        assert!((implied.cumulative(tau) - cumulative).abs() < tolerance, "F({tau})");
    }
    let bars = implied.histogram(16); // four steps each, so the shape between the steps averages out
    for bar in &bars[..8] {
        let u = (bar.from + bar.to) / 2.0 / steps;
        assert!((bar.density * steps - 4.0 * (1.0 - 2.0 * u)).abs() < 0.02, "{bar:?}");
    }
    assert!(bars[8..].iter().all(|bar| bar.mass.abs() < 1e-12));
}

/// Oracle: ᾱ_t = e^{−ct} and λ = 1 give e^{−cτ} = (1 + e^{−ct/2})/2, so p = 4/(T (2 − e^{cτ})):
/// the mass piles up at the *noisy* end ln 2/c, although every step became less noisy.
#[test]
fn a_constant_schedule_piles_up_at_the_end_of_its_support() {
    let (beta, steps) = (0.08_f64, 200);
    let rate = -(-beta).ln_1p();
    let process = variance(Schedule::constant(steps, beta).unwrap(), 1.0);
    let uniform = StepDistribution::uniform(&process);
    let implied = ImpliedDensity::new(&process, &uniform).unwrap();
    let mut before = 0.0;
    for i in 1..80 {
        let tau = i as f64 * 0.1;
        let expected = 4.0 / (steps as f64 * (2.0 - (rate * tau).exp()));
        assert!((implied.density(tau) / expected - 1.0).abs() < 1e-10, "p({tau})");
        assert!(implied.density(tau) > before);
        before = implied.density(tau);
        let t = -2.0 / rate * (2.0 * (-rate * tau).exp() - 1.0).ln();
        assert!((implied.cumulative(tau) - t / steps as f64).abs() < 1e-10, "F({tau})");
    }
    assert!(implied.support_end() < 2_f64.ln() / rate);
}

/// Oracle: Simpson's rule over each step interval of the density gives the distribution function.
#[test]
fn the_density_integrates_to_the_distribution_function() {
    for schedule in [Schedule::cosine(30).unwrap(), Schedule::linear(30, 0.01, 0.3).unwrap()] {
        for strength in [0.0, 0.3, 1.0, 3.0] {
            let process = variance(schedule.clone(), strength);
            let steps = StepDistribution::low_noise(&process, 1.0).unwrap();
            let implied = ImpliedDensity::new(&process, &steps).unwrap();
            // The density jumps where τ or t(τ) is whole: integrate between those places.
            let mut cuts: Vec<f64> = (0..=30).map(f64::from).collect();
            cuts.extend(process.equivalent_step());
            cuts.retain(|&cut| cut <= implied.support_end());
            cuts.sort_by(f64::total_cmp);
            for pair in cuts.windows(2).filter(|pair| pair[1] - pair[0] > 1e-6) {
                let (a, b) = (pair[0], pair[1]);
                let (edge, panels) = (1e-9 * (b - a), 2048);
                let width = (b - a - 2.0 * edge) / panels as f64;
                let sum: f64 = (0..=panels)
                    .map(|i| {
                        let weight = match i {
                            0 => 1.0,
                            i if i == panels => 1.0,
                            i if i % 2 == 1 => 4.0,
                            _ => 2.0,
                        };
                        weight * implied.density(a + edge + i as f64 * width)
                    })
                    .sum();
                let mass = implied.cumulative(b) - implied.cumulative(a);
                let found = sum * width / 3.0;
                assert!((found - mass).abs() < 1e-7, "λ = {strength}, {a}..{b}: {found} ≠ {mass}");
            }
        }
    }
}

/// Near τ = 0 the density is (1 + λ)² times that of plain steps: dℓ_t/dℓ_τ → (1 + λ)².
#[test]
fn low_noise_steps_gain_the_square_of_one_plus_lambda() {
    for strength in [0.5, 1.0, 4.0] {
        let process = variance(Schedule::constant(100, 1e-3).unwrap(), strength);
        let uniform = StepDistribution::uniform(&process);
        let implied = ImpliedDensity::new(&process, &uniform).unwrap();
        let gain = implied.density(1e-6) * 100.0;
        assert!((gain - (1.0 + strength) * (1.0 + strength)).abs() < 1e-4, "{gain}");
    }
}

/// The corollary: every level of noise is exceeded no more often than without re-injection.
#[test]
fn reinjection_shifts_mass_to_low_noise() {
    for schedule in [Schedule::cosine(40).unwrap(), Schedule::constant(40, 0.1).unwrap()] {
        let process = variance(schedule, 1.0);
        let uniform = StepDistribution::uniform(&process);
        let implied = ImpliedDensity::new(&process, &uniform).unwrap();
        for i in 1..400 {
            let tau = i as f64 * 0.1;
            assert!(implied.cumulative(tau) >= tau / 40.0 - 1e-12, "F({tau})");
        }
    }
}

#[test]
fn borders_and_degenerate_processes() {
    let clean = variance(Schedule::clean(), 1.0);
    let steps = StepDistribution::uniform(&clean);
    let implied = ImpliedDensity::new(&clean, &steps).unwrap();
    assert!(implied.histogram(10).is_empty());
    assert_eq!((implied.cumulative(-0.1), implied.cumulative(0.0)), (0.0, 1.0));
    let ten = variance(Schedule::jsd(10).unwrap(), 0.0);
    assert!(ImpliedDensity::new(&ten, &steps).is_err());
    let uniform = StepDistribution::uniform(&ten).with_clean_fraction(0.5).unwrap();
    let implied = ImpliedDensity::new(&ten, &uniform).unwrap();
    assert!(implied.histogram(0).is_empty());
    assert!((implied.cumulative(0.0) - 0.5).abs() < 1e-15);
    assert_eq!(implied.density(f64::NAN), 0.0);
    assert!((implied.atoms().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-15);
}
