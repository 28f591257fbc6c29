//! A volatility that switches between two regimes, and its Hamilton filter.

use serde::Deserialize;

use super::draw::Draws;
use super::predictive::{Predictive, log_joint, log_sum};
use super::{Hidden, check, check_std};

/// Noise whose scale follows a hidden two-state Markov chain.
///
/// ```text
/// y_t = σ_{S_t} ε_t        ε_t ~ N(0, 1),  P(S_{t+1} = i | S_t = i) = p_i
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Stated")]
pub(in crate::study) struct Switching {
    stds: [f64; 2],
    stay: [f64; 2],
}

/// The process as a plan states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    /// `σ_0`, `σ_1`
    stds: [f64; 2],
    /// `p_0`, `p_1`
    stay: [f64; 2],
}

impl TryFrom<Stated> for Switching {
    type Error = String;

    fn try_from(Stated { stds, stay }: Stated) -> Result<Switching, String> {
        for (i, std) in stds.into_iter().enumerate() {
            check_std(&format!("stds[{i}]"), std)?;
        }
        for (i, stay) in stay.into_iter().enumerate() {
            let rule = "a probability between 0 and 1, and neither of them";
            check(stay > 0.0 && stay < 1.0, &format!("stay[{i}]"), stay, rule)?;
        }
        Ok(Switching { stds, stay })
    }
}

impl Switching {
    pub(super) fn simulate(&self, rows: usize, draws: &mut Draws) -> Vec<f64> {
        let mut state = usize::from(draws.uniform() >= self.stationary()[0]);
        let mut value = |_| {
            let value = self.stds[state] * draws.normal();
            let stays = draws.uniform() < self.stay[state];
            state = if stays { state } else { 1 - state };
            value
        };
        (0..rows).map(&mut value).collect()
    }
}

/// The filter of the regime's probabilities.
///
/// # References
/// Hamilton (1989), DOI 10.2307/1912559.
impl Hidden for Switching {
    /// `P(S_t = 0)` and `P(S_t = 1)`
    type Belief = [f64; 2];

    fn stationary(&self) -> [f64; 2] {
        let leave = self.stay.map(|stay| 1.0 - stay);
        [leave[1], leave[0]].map(|other| other / (leave[0] + leave[1]))
    }

    fn observe(&self, belief: [f64; 2], _row: usize, value: f64) -> [f64; 2] {
        let joint = log_joint(belief, self.stds, value);
        let evidence = log_sum(joint);
        joint.map(|joint| libm::exp(joint - evidence))
    }

    fn advance(&self, belief: [f64; 2]) -> [f64; 2] {
        let first = belief[0] * self.stay[0] + belief[1] * (1.0 - self.stay[1]);
        let second = belief[0] * (1.0 - self.stay[0]) + belief[1] * self.stay[1];
        [first, second]
    }

    fn predict(&self, belief: [f64; 2], _row: usize) -> Predictive {
        Predictive::ScaleMixture { weights: belief, stds: self.stds }
    }
}
