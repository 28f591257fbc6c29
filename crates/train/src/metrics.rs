//! The sums of an epoch, from which its line in `metrics.jsonl` is computed.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::error::TrainError;
use crate::forecaster::Terms;

/// Number of steps skipped in a row at which a training ends.
pub(crate) const MOST_SKIPPED: usize = 10;
/// Steps between synchronizations: the loop reads back the losses and checks for divergence.
pub(crate) const SYNC_EVERY: usize = 32;
/// Largest number of windows that the sums of an epoch can be over.
const MOST_WINDOWS: i64 = 1 << 53;

/// The sums over the steps of an epoch.
///
/// Each step leaves one small tensor on the device, and [`Tally::settle`] reads them all at once. This is the only
/// place where the loop waits for the device, and the time at which it does so has no effect on the sums. A step whose
/// loss or gradient is not finite counts as skipped and adds nothing to the other sums.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sums: Sums,
    /// Steps not read yet: loss, reconstruction, KL and norm of the gradient, `[4]`, and the number of windows.
    pending: Vec<(Tensor, i64)>,
}

/// The sums themselves, which checkpoints save.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    loss: f64,
    reconstruction: f64,
    kl: f64,
    windows: i64,
    skipped: usize,
    /// Number of steps read, in all epochs.
    steps: usize,
    /// Current number of skipped steps in a row, across epochs.
    streak: usize,
    worst: Streak,
}

/// Skipped steps in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Streak {
    /// Number of steps.
    pub(crate) length: usize,
    /// Number of the first step, from 1.
    pub(crate) first: usize,
}

/// The means of an epoch per window, and its skipped steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Means {
    pub(crate) loss: f64,
    pub(crate) reconstruction: f64,
    pub(crate) kl: f64,
    pub(crate) skipped: usize,
}

impl Tally {
    /// Adds a step of `windows` windows whose gradient has the norm `norm`, a scalar on the device.
    pub(crate) fn add(
        &mut self,
        terms: &Terms,
        norm: &Tensor,
        windows: i64,
    ) -> Result<(), TrainError> {
        let step =
            no_grad(|| Tensor::f_stack(&[&terms.loss, &terms.reconstruction, &terms.kl, norm], 0))?;
        self.pending.push((step, windows));
        Ok(())
    }

    /// Reads the steps not read yet; waits for the device.
    pub(crate) fn settle(&mut self) -> Result<(), TrainError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let steps: Vec<&Tensor> = self.pending.iter().map(|(step, _)| step).collect();
        let stacked = Tensor::f_stack(&steps, 0)?.f_view([-1])?.f_to_kind(Kind::Double)?;
        let values = Vec::<f64>::try_from(stacked.f_to(Device::Cpu)?)?;
        let sums = &mut self.sums;
        for (step, (_, windows)) in values.chunks_exact(4).zip(self.pending.drain(..)) {
            let [loss, reconstruction, kl, norm] = [step[0], step[1], step[2], step[3]];
            sums.steps += 1;
            // The loss is computed from the other two, so it is not finite if one of them is not.
            if !(loss + norm).is_finite() {
                sums.skipped += 1;
                sums.streak += 1;
                if sums.streak > sums.worst.length {
                    let first = sums.steps + 1 - sums.streak;
                    sums.worst = Streak { length: sums.streak, first };
                }
                continue;
            }
            sums.streak = 0;
            sums.windows += windows;
            sums.loss += loss * windows as f64;
            sums.reconstruction += reconstruction * windows as f64;
            sums.kl += kl * windows as f64;
        }
        Ok(())
    }

    /// The longest streak of skipped steps among all steps read.
    pub(crate) fn worst(&self) -> Streak {
        self.sums.worst
    }

    /// Means over the windows; NaN if every step was skipped.
    pub(crate) fn means(&self) -> Means {
        let Sums { loss, reconstruction, kl, windows, skipped, .. } = self.sums;
        let mean = |sum: f64| sum / windows as f64;
        Means { loss: mean(loss), reconstruction: mean(reconstruction), kl: mean(kl), skipped }
    }

    /// The fault of sums that no training has after `step` steps, `done` of them in the current epoch, when all were read.
    pub(crate) fn fault(&self, step: usize, done: usize) -> Option<String> {
        let Sums { loss, reconstruction, kl, windows, skipped, steps, streak, worst } = self.sums;
        if steps != step {
            return Some(format!("{steps} steps at step {step}"));
        }
        if !(loss + reconstruction + kl).is_finite() || !(0..=MOST_WINDOWS).contains(&windows) {
            return Some(format!("{windows} windows with a loss of {loss}"));
        }
        let end = worst.first.checked_add(worst.length).is_some_and(|end| end <= steps + 1);
        let begun = worst.length == 0 || worst.first > 0;
        if skipped > done || streak > worst.length || !end || !begun {
            return Some(format!("{skipped} steps skipped, {streak} in a row, at most {worst:?}"));
        }
        // Such a training ends before the epoch does.
        (worst.length >= MOST_SKIPPED && done == 0).then(|| format!("{worst:?} steps skipped"))
    }

    /// Resets the sums for the next epoch, but keeps the streaks of skipped steps.
    pub(crate) fn next_epoch(&mut self) {
        let Sums { steps, streak, worst, .. } = self.sums;
        self.sums = Sums { steps, streak, worst, ..Sums::default() };
    }
}

impl Serialize for Tally {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        debug_assert!(self.pending.is_empty(), "settled before it is saved");
        self.sums.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Tally, D::Error> {
        Ok(Tally { sums: Sums::deserialize(deserializer)?, pending: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(loss: f64) -> Terms {
        let scalar = |value: f64| Tensor::from(value).to_kind(Kind::Float);
        Terms {
            loss: scalar(loss),
            reconstruction: scalar(-loss),
            kl: scalar(2.0 * loss),
            kl_weight: 1.0,
        }
    }

    /// Oracle: sums by hand; a step that is not finite does not change the means.
    #[test]
    fn a_skipped_step_counts_for_nothing() {
        let mut tally = Tally::default();
        let (fine, torn) = (Tensor::from(1.0_f32), Tensor::from(f32::NAN));
        tally.add(&terms(1.0), &fine, 3).unwrap();
        tally.add(&terms(f64::NAN), &fine, 3).unwrap();
        tally.add(&terms(1.0), &torn, 3).unwrap();
        tally.settle().unwrap();
        assert_eq!(tally.worst(), Streak { length: 2, first: 2 });
        tally.add(&terms(5.0), &fine, 1).unwrap();
        tally.settle().unwrap();
        assert_eq!(tally.sums.streak, 0);
        assert_eq!(tally.worst().length, 2, "the longest streak is kept");
        let means = tally.means();
        assert_eq!(means, Means { loss: 2.0, reconstruction: -2.0, kl: 4.0, skipped: 2 });
        for _ in 0..2 {
            tally.add(&terms(f64::INFINITY), &fine, 3).unwrap();
        }
        tally.settle().unwrap();
        tally.next_epoch();
        assert!(tally.means().loss.is_nan());
        tally.add(&terms(1.0), &torn, 3).unwrap();
        tally.settle().unwrap();
        assert_eq!(
            tally.worst(),
            Streak { length: 3, first: 5 },
            "a streak continues across epochs"
        );
        tally.next_epoch();
        tally.add(&terms(4.0), &fine, 2).unwrap();
        tally.settle().unwrap();
        assert_eq!((tally.means().loss, tally.means().skipped), (4.0, 0));
    }

    /// The sums are the same bit for bit, no matter when the steps are read.
    #[test]
    fn settling_often_or_seldom_is_the_same() {
        let fine = Tensor::from(1.0_f32);
        let (mut often, mut seldom) = (Tally::default(), Tally::default());
        for step in 0..100 {
            let terms = terms(1.0 / (3.0 + f64::from(step)));
            often.add(&terms, &fine, 7).unwrap();
            often.settle().unwrap();
            seldom.add(&terms, &fine, 7).unwrap();
        }
        seldom.settle().unwrap();
        assert_eq!(often.sums, seldom.sums);
        let text = serde_json::to_string(&often).unwrap();
        let read: Tally = serde_json::from_str(&text).unwrap();
        assert_eq!(read.sums, often.sums);
    }
}
