//! The noises to choose from.

use noise::{InputTable, NoiseConfig, NoiseTable, SamplerTable, ScheduleKind, TargetTable};
use record::NoiseSearch;

/// A noise and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// As it stands in `noise.json`.
    pub name: &'static str,
    /// What it does.
    pub noise: NoiseConfig,
}

/// The candidate that is there to the end.
pub(crate) const NONE: &str = NoiseSearch::NONE;

/// No noise, and seven kinds of it from heavy to light: all `T = 100`, linear `β`, variance-normalized inputs,
/// and a clean target but for the two that noise it (`κ = 0.1`, `λ_y = 1`, noise-aware).
///
/// | name | |
/// |---|---|
/// | `none` | every window as it is |
/// | `plain` | plain diffusion of x, `λ_x = 0` |
/// | `mild` | the same with `β` to 0.02 instead of 0.1 |
/// | `half-clean` | `x_t + x_0`, and half of all windows clean |
/// | `reinject-1` | `x_t + x_0` |
/// | `reinject-3` | `x_t + 3 x_0` |
/// | `both-1` | `x_t + x_0` and `y_t + y_0`: a `[noise]` table that names the schedule alone |
/// | `both-3` | `x_t + 3 x_0` and `y_t + y_0` |
pub fn candidates() -> Vec<Candidate> {
    let of = |name, table: NoiseTable| Candidate {
        name,
        noise: table.try_into().expect("the candidates are legal; a test builds them"),
    };
    let linear = || NoiseTable::new(ScheduleKind::Linear);
    let inputs = |reinject| NoiseTable {
        input: InputTable { reinject, ..InputTable::default() },
        target: TargetTable { scale: 0.0, ..TargetTable::default() },
        ..linear()
    };
    let half = SamplerTable { clean: 0.5, ..SamplerTable::default() };
    let three = InputTable { reinject: 3.0, ..InputTable::default() };
    vec![
        of(NONE, NoiseTable::default()),
        of("plain", inputs(0.0)),
        of("mild", NoiseTable { beta_end: 0.02, ..inputs(0.0) }),
        of("half-clean", NoiseTable { sampler: half, ..inputs(1.0) }),
        of("reinject-1", inputs(1.0)),
        of("reinject-3", inputs(3.0)),
        of("both-1", linear()),
        of("both-3", NoiseTable { input: three, ..linear() }),
    ]
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    candidates().into_iter().map(|candidate| candidate.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: what the table above says of each, in signal-to-noise ratios at the last step: `ᾱ_T` of
    /// β to 0.1 is below 1 %, and `λ` bounds the ratio from below by `λ²`.
    #[test]
    fn candidates_are_what_they_say() {
        let all = candidates();
        let snr = |name: &str, target: bool| {
            let noise = &all.iter().find(|candidate| candidate.name == name).unwrap().noise;
            let process = if target { noise.target() } else { noise.input() };
            process.log_snr().last().unwrap().exp()
        };
        assert!(snr("none", false).is_infinite() && all[0].noise.steps() == 0);
        assert!(snr("plain", false) < 0.01);
        assert!((0.4..0.7).contains(&snr("mild", false)));
        for (name, least) in [("half-clean", 1.0), ("reinject-1", 1.0), ("reinject-3", 9.0)] {
            assert!((least..1.2 * least).contains(&snr(name, false)), "{name}");
            assert!(snr(name, true).is_infinite(), "{name}");
        }
        for (name, least) in [("both-1", 1.0), ("both-3", 9.0)] {
            assert!((least..1.2 * least).contains(&snr(name, false)), "{name}");
            assert!(snr(name, true) < 20.0, "{name}");
        }
        assert_eq!(all[3].noise.sampler().probabilities()[0], 0.5);
        assert_eq!(all[0].noise, NoiseConfig::default());
        assert_eq!(all[6].noise, NoiseTable::new(ScheduleKind::Linear).try_into().unwrap());
    }
}
