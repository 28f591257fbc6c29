//! Laws for all legal parameters, the borders included.

use noise::{Normalization, Reinjection, Schedule, StepDistribution};
use proptest::prelude::*;

/// β with its borders: 0, 1, tiny, and anything between.
fn beta() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => Just(0.0),
        1 => Just(1.0),
        1 => Just(f64::MIN_POSITIVE),
        2 => (-12.0..0.0_f64).prop_map(|e| 10_f64.powf(e)),
        5 => 0.0..1.0_f64,
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let steps = prop_oneof![1 => Just(1_usize), 1 => Just(2), 6 => 3..400_usize];
    (0..7, steps, beta(), beta(), prop::collection::vec(beta(), 1..40)).prop_map(
        |(kind, steps, a, b, betas)| {
            let (start, end) = (a.min(b), a.max(b));
            match kind {
                0 => Schedule::linear(steps, start, end),
                1 => Schedule::quadratic(steps, start, end),
                2 => Schedule::sigmoid(steps, start, end),
                3 => Schedule::constant(steps, a),
                4 => Schedule::cosine(steps),
                5 => Schedule::jsd(steps),
                _ => Schedule::custom(&betas),
            }
            .expect("every combination is legal")
        },
    )
}

fn strength() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => Just(0.0),
        1 => Just(1.0),
        1 => Just(f64::MIN_POSITIVE),
        1 => Just(noise::MAX_STRENGTH),
        4 => (-6.0..6.0_f64).prop_map(|e| 10_f64.powf(e)),
        4 => 0.0..3.0_f64,
    ]
}

fn variance(schedule: Schedule, strength: f64) -> Reinjection {
    Reinjection::new(schedule, strength, Normalization::Variance).expect("legal")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_are_complete_monotone_and_never_nan(schedule in schedule(), kappa in 0.0..=1.0_f64) {
        for schedule in [schedule.scaled(kappa).unwrap(), schedule] {
            let length = schedule.steps() + 1;
            let tables = [
                schedule.beta(), schedule.alpha(), schedule.alpha_bar(),
                schedule.noise_variance(), schedule.snr(), schedule.log_snr(),
            ];
            for table in tables {
                prop_assert_eq!(table.len(), length);
                prop_assert!(table.iter().all(|v| !v.is_nan()));
            }
            prop_assert_eq!(schedule.beta()[0], 0.0);
            prop_assert_eq!(schedule.alpha_bar()[0], 1.0);
            prop_assert_eq!(schedule.snr()[0], f64::INFINITY);
            for t in 1..length {
                let (beta, before, now) =
                    (schedule.beta()[t], schedule.alpha_bar()[t - 1], schedule.alpha_bar()[t]);
                prop_assert!((0.0..=1.0).contains(&beta) && (0.0..=1.0).contains(&now));
                prop_assert!(now <= before && schedule.log_snr()[t] <= schedule.log_snr()[t - 1]);
                if beta > 1e-12 && before > 1e-280 {
                    prop_assert!(now < before, "ᾱ stands still at {} despite β = {}", t, beta);
                }
                if beta == 1.0 {
                    prop_assert_eq!((now, schedule.snr()[t]), (0.0, 0.0));
                }
                prop_assert!((now + schedule.noise_variance()[t] - 1.0).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn reinjection_keeps_its_promises(schedule in schedule(), lambda in strength()) {
        let process = variance(schedule, lambda);
        let schedule = process.schedule();
        let step = process.equivalent_step();
        for t in 0..=process.steps() {
            let moves = schedule.beta()[t] > 1e-9 && schedule.alpha_bar()[t - 1] > 1e-280;
            prop_assert!(lambda > 0.0 || !moves || step[t] == t as f64);
            let (signal, std) = (process.signal()[t], process.std()[t]);
            let values = [
                signal, std, process.snr()[t], process.log_snr()[t],
                process.equivalent_alpha_bar()[t], step[t],
            ];
            prop_assert!(values.iter().all(|v| !v.is_nan()), "{:?}", values);
            prop_assert!((signal * signal + std * std - 1.0).abs() < 1e-14);
            prop_assert!(process.snr()[t] >= lambda * lambda * (1.0 - 1e-14));
            prop_assert!(process.log_snr()[t] >= schedule.log_snr()[t] - 1e-12);
            prop_assert!(step[t] <= t as f64 && step[t] >= 0.0);
            prop_assert!(t == 0 || step[t] >= step[t - 1] - 1e-9);
            // The theorem, coefficient by coefficient.
            let alpha_bar = schedule.alpha_bar_at(step[t]).unwrap();
            prop_assert!((alpha_bar - signal * signal).abs() < 1e-12);
            prop_assert!((process.equivalent_alpha_bar()[t] - signal * signal).abs() < 1e-14);
        }
        prop_assert_eq!((process.signal()[0], process.std()[0], step[0]), (1.0, 0.0, 0.0));
    }

    #[test]
    fn normalizations_share_one_ratio(schedule in schedule(), lambda in 1e-3..100.0_f64) {
        let of = |normalization| Reinjection::new(schedule.clone(), lambda, normalization).unwrap();
        let (none, signal) = (of(Normalization::None), of(Normalization::Signal));
        let variance = of(Normalization::Variance);
        for t in 0..=schedule.steps() {
            prop_assert!((none.signal()[t] - schedule.alpha_bar()[t].sqrt() - lambda).abs() <= 1e-15 * (1.0 + lambda));
            prop_assert_eq!(none.std()[t], schedule.noise_variance()[t].sqrt());
            prop_assert_eq!(signal.signal()[t], 1.0);
            for process in [&none, &signal, &variance] {
                let inverse = (process.std()[t] / process.signal()[t]).powi(2);
                if inverse > 1e-300 {
                    prop_assert!((inverse * none.snr()[t] - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    /// With λ = 1 the angle is halved: cos²(θ/2) = (1 + cos θ)/2.
    #[test]
    fn the_rule_of_the_note_halves_the_angle(schedule in schedule()) {
        let process = variance(schedule, 1.0);
        for (t, alpha_bar) in process.schedule().alpha_bar().iter().enumerate() {
            let expected = 0.5 * (1.0 + alpha_bar.sqrt());
            prop_assert!((process.equivalent_alpha_bar()[t] - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn more_reinjection_is_less_noise_and_in_the_limit_none(
        schedule in schedule(), lambda in 0.0..10.0_f64, more in 0.01..10.0_f64,
    ) {
        let (weak, strong) = (variance(schedule.clone(), lambda), variance(schedule.clone(), lambda + more));
        let limit = variance(schedule, noise::MAX_STRENGTH);
        for t in 0..=weak.steps() {
            prop_assert!(strong.equivalent_step()[t] <= weak.equivalent_step()[t] * (1.0 + 1e-12));
            let rest = 1.0 - limit.equivalent_alpha_bar()[t];
            prop_assert!(rest <= noise::MAX_STRENGTH.powi(-2));
        }
    }

    #[test]
    fn the_original_step_inverts_the_equivalent_one(schedule in schedule(), lambda in 0.0..20.0_f64) {
        let process = variance(schedule, lambda);
        let schedule = process.schedule();
        for t in 1..=process.steps() {
            let next = schedule.beta().get(t + 1).copied().unwrap_or(1.0);
            let well_posed = schedule.beta()[t].min(next) >= 1e-4 && schedule.beta()[t] < 1.0
                && (1e-3..1.0 - 1e-6).contains(&schedule.alpha_bar()[t]);
            if well_posed {
                let back = process.original_step(process.equivalent_step()[t]).unwrap();
                prop_assert!((back - t as f64).abs() < 1e-6, "{} instead of {}", back, t);
            }
        }
    }

    #[test]
    fn the_control_has_the_same_coefficients(schedule in schedule(), lambda in strength()) {
        let process = variance(schedule, lambda);
        let control = Reinjection::plain(process.equivalent_schedule());
        for t in 0..=process.steps() {
            prop_assert!((control.signal()[t] - process.signal()[t]).abs() < 1e-14);
            prop_assert!((control.std()[t] - process.std()[t]).abs() < 1e-14);
        }
        prop_assert!(control.schedule().beta().iter().all(|b| (0.0..=1.0).contains(b)));
    }

    #[test]
    fn between_the_steps_alpha_bar_falls_from_one_to_the_next(schedule in schedule(), at in 0.0..1.0_f64) {
        for t in 0..schedule.steps() {
            let middle = schedule.alpha_bar_at(t as f64 + at).unwrap();
            let (high, low) = (schedule.alpha_bar()[t], schedule.alpha_bar()[t + 1]);
            prop_assert!(middle <= high * (1.0 + 1e-12) && middle >= low * (1.0 - 1e-12));
        }
        prop_assert_eq!(schedule.alpha_bar_at(schedule.steps() as f64).unwrap(),
            schedule.alpha_bar()[schedule.steps()]);
    }

    #[test]
    fn step_distributions_are_distributions(
        schedule in schedule(), lambda in strength(), power in 0.0..1000.0_f64,
        low in -60.0..20.0_f64, width in 0.1..90.0_f64, clean in 0.0..=1.0_f64,
    ) {
        let process = variance(schedule, lambda);
        let candidates = [
            Ok(StepDistribution::uniform(&process)),
            StepDistribution::low_noise(&process, power),
            StepDistribution::snr_uniform(&process, low, low + width),
        ];
        for distribution in candidates.into_iter().flatten() {
            prop_assert_eq!(distribution.probabilities()[0], 0.0);
            let distribution = distribution.with_clean_fraction(clean).unwrap();
            let p = distribution.probabilities();
            prop_assert_eq!(p.len(), process.steps() + 1);
            prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!((p[0] - clean).abs() < 1e-15);
        }
    }
}
