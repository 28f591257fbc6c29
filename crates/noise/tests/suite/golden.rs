//! Twelve digits of every table against `golden/generate.py` (mpmath, 60 digits).

use noise::{Normalization, Reinjection, Schedule};

const DIGITS: f64 = 1e-12;

/// Rows of a golden file without its header.
fn read(file: &str) -> Vec<Vec<String>> {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the golden files are checked in");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn number(cell: &str) -> f64 {
    cell.parse().expect("a number")
}

/// The schedule that columns 0 to 3 name.
fn schedule(row: &[String]) -> Schedule {
    let (steps, start, end) = (number(&row[1]) as usize, number(&row[2]), number(&row[3]));
    match row[0].as_str() {
        "linear" => Schedule::linear(steps, start, end),
        "quadratic" => Schedule::quadratic(steps, start, end),
        "sigmoid" => Schedule::sigmoid(steps, start, end),
        "constant" => Schedule::constant(steps, end),
        "cosine" => Schedule::cosine(steps),
        "jsd" => Schedule::jsd(steps),
        "custom" => Schedule::custom(&[0.5, 0.0, 0.25, 1.0, 0.125]),
        other => panic!("unknown schedule {other}"),
    }
    .expect("legal parameters")
}

/// Relative agreement; below f64's normal range absolute.
fn assert_close(found: f64, expected: f64, what: &str) {
    let close = found == expected || (found - expected).abs() <= DIGITS * expected.abs() + 1e-300;
    assert!(close, "{what}: {found:e} instead of {expected:e}");
}

#[test]
fn schedules_agree_to_twelve_digits() {
    let rows = read("schedules.csv");
    assert!(rows.len() > 100);
    for row in rows {
        let (schedule, t) = (schedule(&row), number(&row[4]) as usize);
        let tables = [
            ("beta", schedule.beta()),
            ("alpha_bar", schedule.alpha_bar()),
            ("noise_variance", schedule.noise_variance()),
            ("snr", schedule.snr()),
            ("log_snr", schedule.log_snr()),
        ];
        for ((name, table), expected) in tables.into_iter().zip(&row[5..]) {
            // ln SNR crosses zero: there its digits are those of SNR, hence of 1 + |ln SNR|.
            let shift = if name == "log_snr" { 1.0_f64.copysign(table[t]) } else { 0.0 };
            let what = format!("{name} of {:?}", &row[..5]);
            assert_close(table[t] + shift, number(expected) + shift, &what);
        }
        assert_eq!(schedule.alpha()[t], 1.0 - schedule.beta()[t]);
    }
}

#[test]
fn reinjection_agrees_to_twelve_digits() {
    let rows = read("reinjection.csv");
    assert!(rows.len() > 700);
    for row in rows {
        let (schedule, t, strength) = (schedule(&row), number(&row[4]) as usize, number(&row[5]));
        let process = Reinjection::new(schedule, strength, Normalization::Variance).unwrap();
        let tables = [
            ("signal", process.signal()),
            ("std", process.std()),
            ("snr", process.snr()),
            ("equivalent_alpha_bar", process.equivalent_alpha_bar()),
            ("equivalent_step", process.equivalent_step()),
        ];
        for ((name, table), expected) in tables.into_iter().zip(&row[6..]) {
            assert_close(table[t], number(expected), &format!("{name} of {:?}", &row[..6]));
        }
    }
}
