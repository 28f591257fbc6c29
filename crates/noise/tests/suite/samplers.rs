//! Step distributions and the draws made from them.

use noise::{Normalization, Reinjection, Schedule, StepDistribution, StepSampler};
use tch::{Device, Kind};

fn process(schedule: Schedule, strength: f64) -> Reinjection {
    Reinjection::new(schedule, strength, Normalization::Variance).unwrap()
}

/// χ² of 400,000 draws against the probabilities; at most 5 standard deviations above its mean.
#[test]
fn draws_follow_the_probabilities() {
    let draws = 400_000;
    let destroying = process(Schedule::linear(30, 1e-3, 1.0).unwrap(), 0.0);
    let reinjected = process(Schedule::cosine(30).unwrap(), 1.0);
    let clean = process(Schedule::clean(), 1.0);
    let distributions = [
        StepDistribution::uniform(&destroying),
        StepDistribution::uniform(&reinjected).with_clean_fraction(0.25).unwrap(),
        StepDistribution::low_noise(&destroying, 0.5).unwrap().with_clean_fraction(0.1).unwrap(),
        StepDistribution::low_noise(&reinjected, 3.0).unwrap(),
        StepDistribution::snr_uniform(&destroying, -20.0, 20.0).unwrap(),
        StepDistribution::uniform(&reinjected).with_clean_fraction(1.0).unwrap(),
        StepDistribution::uniform(&clean),
    ];
    for (i, distribution) in distributions.iter().enumerate() {
        let t = StepSampler::new(distribution, Device::Cpu).unwrap().sample(draws).unwrap();
        assert_eq!((t.kind(), t.size()), (Kind::Int64, vec![draws]));
        let last = distribution.steps() as i64;
        let counts = Vec::<i64>::try_from(t.bincount::<tch::Tensor>(None, last + 1)).unwrap();
        assert_eq!(counts.len() as i64, last + 1, "a step beyond T was drawn");
        let (mut chi, mut cells) = (0.0, 0.0_f64);
        for (t, (&count, p)) in counts.iter().zip(distribution.probabilities()).enumerate() {
            let expected = p * draws as f64;
            if expected < 5.0 {
                assert!(count < 30, "distribution {i}: step {t} drawn {count} times, p = {p:e}");
                assert!(*p > 0.0 || count == 0, "distribution {i}: impossible step {t} drawn");
            } else {
                chi += (count as f64 - expected).powi(2) / expected;
                cells += 1.0;
            }
        }
        let freedom = (cells - 1.0).max(1.0);
        let z = (chi - freedom) / (2.0 * freedom).sqrt();
        assert!(z < 5.0, "distribution {i}: χ² {z:.1} standard deviations above its mean");
    }
}

/// Oracle: jsd has ᾱ_t = 1 − t/T, so p(t) ∝ (T − t)^power.
#[test]
fn low_noise_weights_are_powers_of_the_signal() {
    let jsd = process(Schedule::jsd(5).unwrap(), 0.0);
    let p = StepDistribution::low_noise(&jsd, 2.0).unwrap();
    for (t, weight) in [0.0, 16.0, 9.0, 4.0, 1.0, 0.0].into_iter().enumerate() {
        assert!((p.probabilities()[t] - weight / 30.0).abs() < 1e-15);
    }
    assert_eq!(StepDistribution::low_noise(&jsd, 0.0).unwrap(), StepDistribution::uniform(&jsd));
}

/// Oracle: a geometric schedule of ratios has cells of equal length, so inner steps weigh alike.
#[test]
fn snr_uniform_gives_each_decibel_the_same_mass() {
    // SNR = 10, 1, 1/10, 1/100 (10, 0, −10, −20 dB) has ᾱ = SNR/(1 + SNR).
    let alpha_bar = [1.0, 10.0 / 11.0, 0.5, 1.0 / 11.0, 1.0 / 101.0];
    let betas: Vec<f64> = alpha_bar.windows(2).map(|pair| 1.0 - pair[1] / pair[0]).collect();
    let process = process(Schedule::custom(&betas).unwrap(), 0.0);
    let expect = |low, high, expected: [f64; 5]| {
        let p = StepDistribution::snr_uniform(&process, low, high).unwrap();
        for (t, expected) in expected.into_iter().enumerate() {
            assert!(
                (p.probabilities()[t] - expected).abs() < 1e-12,
                "{low}..{high}, t = {t}: {p:?}"
            );
        }
    };
    expect(-60.0, 60.0, [0.0, 5.0 / 30.0, 10.0 / 30.0, 10.0 / 30.0, 5.0 / 30.0]);
    expect(-10.0, 60.0, [0.0, 5.0 / 20.0, 10.0 / 20.0, 5.0 / 20.0, 0.0]);
    expect(-3.0, 4.0, [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert!(StepDistribution::snr_uniform(&process, 20.0, 30.0).is_err());
}

#[test]
fn infinite_ratios_neither_break_nor_attract_the_draws() {
    // β_1 = 0 leaves step 1 clean (∞ dB); the last step destroys everything (−∞ dB).
    let process = process(Schedule::custom(&[0.0, 0.5, 1.0]).unwrap(), 0.0);
    let p = StepDistribution::snr_uniform(&process, -20.0, 40.0).unwrap();
    assert_eq!(p.probabilities(), [0.0, 0.0, 1.0, 0.0]);
    let p = StepDistribution::low_noise(&process, 1.0).unwrap();
    assert_eq!(p.probabilities(), [0.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]);
    let destroyed = self::process(Schedule::custom(&[1.0]).unwrap(), 0.0);
    assert!(StepDistribution::low_noise(&destroyed, 1.0).is_err());
    assert!(StepDistribution::snr_uniform(&destroyed, -20.0, 40.0).is_err());
    let single = self::process(Schedule::custom(&[0.5]).unwrap(), 0.0);
    let p = StepDistribution::snr_uniform(&single, -20.0, 40.0).unwrap();
    assert_eq!(p.probabilities(), [0.0, 1.0]);
}

#[test]
fn parameters_are_refused_just_past_their_borders() {
    let process = process(Schedule::cosine(10).unwrap(), 1.0);
    assert!(StepDistribution::low_noise(&process, 1000.0).is_ok());
    for power in [-1e-9, 1000.1, f64::NAN] {
        assert!(StepDistribution::low_noise(&process, power).is_err(), "{power}");
    }
    for (low, high) in [(0.0, 0.0), (1.0, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
        assert!(StepDistribution::snr_uniform(&process, low, high).is_err(), "{low}..{high}");
    }
    let uniform = StepDistribution::uniform(&process);
    for fraction in [-1e-9, 1.0 + 1e-9, f64::NAN] {
        assert!(uniform.clone().with_clean_fraction(fraction).is_err(), "{fraction}");
    }
    let clean = uniform.with_clean_fraction(1.0).unwrap();
    assert!(clean.clone().with_clean_fraction(1.0).is_ok());
    assert!(clean.clone().with_clean_fraction(0.5).is_err());
    assert!(StepSampler::new(&clean, Device::Cpu).unwrap().sample(-1).is_err());
}
