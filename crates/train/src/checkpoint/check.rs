//! Whether the counters of a checkpoint can be those of a training.

use super::Note;

/// Validations of the initial weights and during the first epoch.
const MOST_EARLY: usize = 4;

/// The length of a training.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Optimizer steps of an epoch.
    pub(crate) per_epoch: usize,
    /// Optimizer steps of all epochs.
    pub(crate) steps: usize,
}

impl Extent {
    /// The fault of a checkpoint that no training of this length leaves.
    pub(super) fn fault(self, note: &Note) -> Option<String> {
        self.of_position(note).or_else(|| of_selection(note)).or_else(|| of_history(note))
    }

    fn of_position(self, note: &Note) -> Option<String> {
        let Extent { per_epoch, steps } = self;
        let at = &note.position;
        let counted =
            at.epochs.checked_mul(per_epoch).and_then(|before| before.checked_add(at.done));
        if at.step > steps {
            return Some(format!("is at step {} of a training of {steps}", at.step));
        }
        if at.done > per_epoch {
            return Some(format!("is at step {} of an epoch of {per_epoch}", at.done));
        }
        if counted != Some(at.step) {
            return Some(format!(
                "is at step {}, which is not step {} after {} epochs of {per_epoch}",
                at.step, at.done, at.epochs
            ));
        }
        if at.skipped > at.step || !(at.seconds >= 0.0 && at.seconds.is_finite()) {
            return Some("has counters that no training has".to_owned());
        }
        note.tally.fault(at.step, at.done).map(|fault| format!("its sums are wrong: {fault}"))
    }
}

/// The weights that were selected, against the position.
fn of_selection(note: &Note) -> Option<String> {
    let at = &note.position;
    let impossible = match at.selected {
        true => at.best_step > at.step || at.best_epoch > at.epochs,
        false => at.best_step > 0 || at.best_epoch > 0,
    };
    impossible.then(|| {
        format!(
            "selected epoch {}, step {}, and is at step {}",
            at.best_epoch, at.best_step, at.step
        )
    })
}

/// The lines of `metrics.jsonl`, against the position.
fn of_history(note: &Note) -> Option<String> {
    let (at, lines) = (&note.position, &note.history);
    let sorted = lines.is_sorted_by_key(|line| (line.epoch, line.step));
    let inside = lines.iter().all(|line| line.epoch <= at.epochs && line.step <= at.step);
    if !sorted || !inside || lines.len() > at.epochs.saturating_add(MOST_EARLY) {
        return Some("has epochs that the training has not reached".to_owned());
    }
    let best = |line: &record::Epoch| (line.epoch, line.step) == (at.best_epoch, at.best_step);
    let known = !at.selected || lines.iter().any(best);
    (!known).then(|| format!("selected epoch {}, which it does not know", at.best_epoch))
}
