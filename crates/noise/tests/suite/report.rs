//! The output of `ballast noise`.

use noise::{
    Normalization, Reinjection, Schedule, StepDistribution, Verdict, rows, snapshot_steps,
};

fn process(schedule: Schedule, strength: f64) -> Reinjection {
    Reinjection::new(schedule, strength, Normalization::Variance).unwrap()
}

fn verdict(process: &Reinjection) -> String {
    Verdict::new(process, &StepDistribution::uniform(process)).unwrap().to_string()
}

#[test]
fn rows_carry_the_promised_keys_and_no_nan() {
    let rows = rows(&process(Schedule::jsd(4).unwrap(), 1.0));
    let json: Vec<serde_json::Value> =
        serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
    assert_eq!(json.len(), 5);
    // Step 2 of 4: ᾱ = 1/2, SNR 1, SNR̃ = (√½ + 1)²/½ = 3 + 2√2, ᾱ_τ = (1 + √½)/2.
    let root = 0.5_f64.sqrt();
    let expected = [
        ("t", 2.0),
        ("beta", 1.0 / 3.0),
        ("alpha_bar", 0.5),
        ("snr", 1.0),
        ("snr_reinjected", 3.0 + 4.0 * root),
        ("equivalent_alpha_bar", (1.0 + root) / 2.0),
    ];
    for (key, value) in expected {
        assert!((json[2][key].as_f64().unwrap() - value).abs() < 1e-14, "{key}");
    }
    assert!(json[0]["snr"].is_null() && json[0]["snr_reinjected"].is_null());
    assert_eq!(json[4]["snr"], 0.0);
}

#[test]
fn the_verdict_answers_in_one_sentence() {
    // SNR < 1/100 exactly where 1 − t/T < 1/101, hence at the last step of 100 and the last 99 of 10,000.
    assert_eq!(
        verdict(&process(Schedule::jsd(100).unwrap(), 1.0)),
        "1 of 100 steps carries less than −20 dB of signal; with λ = 1 none does"
    );
    assert_eq!(
        verdict(&process(Schedule::jsd(10_000).unwrap(), 0.05)),
        "1 % of steps carry less than −20 dB of signal; with λ = 0.05 under 1 % do"
    );
    assert_eq!(
        verdict(&process(Schedule::constant(100, 1e-3).unwrap(), 1.0)),
        "no step carries less than −20 dB of signal"
    );
    assert_eq!(verdict(&process(Schedule::clean(), 1.0)), "there is no noise: T = 0");
    assert_eq!(
        verdict(&process(Schedule::constant(100, 1.0).unwrap(), 0.0)),
        "100 % of steps carry less than −20 dB of signal"
    );
}

#[test]
fn a_sampler_that_avoids_lost_steps_is_given_credit() {
    let process = process(Schedule::linear(1000, 1e-4, 1.0).unwrap(), 0.0);
    let steps = StepDistribution::low_noise(&process, 2.0).unwrap();
    let verdict = Verdict::new(&process, &steps).unwrap();
    assert!(verdict.to_string().starts_with("91 % of steps carry less"), "{verdict}");
    assert!(
        verdict.to_string().ends_with("; the sampler draws them 0.0 % of the time"),
        "{verdict}"
    );
    let other = self::process(Schedule::jsd(3).unwrap(), 0.0);
    assert!(Verdict::new(&other, &steps).is_err());
}

#[test]
fn snapshots_are_the_quarters() {
    assert_eq!(snapshot_steps(100), [0, 25, 50, 100]);
    assert_eq!(snapshot_steps(1), [0, 1]);
    assert_eq!(snapshot_steps(0), [0]);
}
