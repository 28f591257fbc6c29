//! Numbers as a reader wants them: as many digits as they deserve, and a true minus sign.

/// Four significant digits: `0.3512`, `12.35`, `1234`.
pub(crate) fn plain(value: f64) -> String {
    minus(&format!("{value:.*}", decimals(value)))
}

/// A score with five decimals where it is small: `0.2173`, `0.00683`.
pub(crate) fn score(value: f64) -> String {
    minus(&format!("{value:.*}", score_decimals(value)))
}

/// A score and its standard error, with the same decimals.
pub(crate) fn score_with_error(value: f64, error: Option<f64>) -> String {
    let error = error.map_or(String::new(), |e| format!(" ± {e:.*}", score_decimals(value)));
    score(value) + &error
}

fn score_decimals(value: f64) -> usize {
    if value.abs() < 0.1 { 5 } else { 4 }
}

/// A 95 % interval: `−0.0055 to −0.0007`.
pub(crate) fn interval(low: f64, high: f64, error: f64) -> String {
    let digits = difference_decimals(error);
    format!("{} to {}", minus(&format!("{low:+.digits$}")), minus(&format!("{high:+.digits$}")))
}

/// A value and its spread or error with the same decimals: `0.3512 ± 0.0041`.
pub(crate) fn with_error(value: f64, error: Option<f64>) -> String {
    let digits = decimals(value);
    match error {
        Some(error) => minus(&format!("{value:.digits$} ± {error:.digits$}")),
        None => plain(value),
    }
}

/// A difference with its standard error, which decides the decimals: `+0.0031 ± 0.0012`.
pub(crate) fn difference(value: f64, error: f64) -> String {
    let digits = difference_decimals(error);
    minus(&format!("{value:+.digits$} ± {error:.digits$}"))
}

fn difference_decimals(error: f64) -> usize {
    let magnitude = if error > 1e-12 { error.log10().floor() as i32 } else { -3 };
    (1 - magnitude).clamp(1, 6) as usize
}

/// A share in percent: `79.4`.
pub(crate) fn percent(share: f64) -> String {
    minus(&format!("{:.1}", 100.0 * share))
}

/// Seconds for people: `8 s`, `2 min 05 s`, `1 h 03 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) if seconds < 9.95 => format!("{seconds:.1} s"),
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

fn decimals(value: f64) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 4;
    }
    // 0.3512 has four decimals, 12.35 two; smaller ones stay at four unless they would vanish.
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude >= -3 {
        (3 - magnitude).clamp(0, 4) as usize
    } else {
        (2 - magnitude).min(8) as usize
    }
}

fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_deserve() {
        let shown = [0.35124, 12.3456, 1234.5, 0.0, -0.5, 0.0123, 0.00123, 0.99999].map(plain);
        assert_eq!(
            shown,
            ["0.3512", "12.35", "1234", "0.0000", "−0.5000", "0.0123", "0.0012", "1.0000"]
        );
        assert_eq!(with_error(12.3456, Some(0.126)), "12.35 ± 0.13");
        assert_eq!(difference(-0.00312, 0.00119), "−0.0031 ± 0.0012");
        assert_eq!(difference(0.0005, 0.00003), "+0.000500 ± 0.000030");
        assert_eq!(difference(0.25, 0.0), "+0.2500 ± 0.0000");
        assert_eq!(percent(0.7944), "79.4");
        assert_eq!([0.21734, 0.006834].map(score), ["0.2173", "0.00683"]);
        assert_eq!(score_with_error(0.006834, Some(0.000049)), "0.00683 ± 0.00005");
        assert_eq!(interval(-0.0055, 0.0007, 0.0012), "−0.0055 to +0.0007");
        assert_eq!(
            [3.21, 42.0, 125.0, 3780.0].map(duration),
            ["3.2 s", "42 s", "2 min 05 s", "1 h 03 min"]
        );
    }
}
