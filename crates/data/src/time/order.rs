//! Puts the rows of a series in order of time and on their grid, and says what stood in the way.

use std::borrow::Cow;
use std::path::PathBuf;

use super::civil::{DAY, Date, HOUR, split_day, weekday};
use super::{Clock, Frequency, Timeline};
use crate::config::{Duplicates, Unsorted};
use crate::finding::{Finding, FindingKind};

/// How to treat what is out of order.
pub(crate) struct Policy<'a> {
    pub(crate) unsorted: Unsorted,
    pub(crate) duplicates: Duplicates,
    /// The step to assume; inferred when `None`.
    pub(crate) frequency: Option<Frequency>,
    /// Whether the configuration states the step: then weekdays without a row are gaps.
    pub(crate) stated: bool,
    pub(crate) clock: &'a Clock,
}

/// What one row of the ordered series is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A row of the file, counted from the series' first.
    Row(usize),
    /// Several rows of one time, to be averaged.
    Mean(Vec<usize>),
    /// No row.
    Missing,
}

/// A series in order.
#[derive(Debug)]
pub(crate) struct Arranged {
    /// `None` when the rows can stay as they are.
    pub(crate) slots: Option<Vec<Slot>>,
    pub(crate) timeline: Timeline,
    pub(crate) frequency: Frequency,
}

/// Where the series comes from, for findings.
pub(crate) struct Origin<'a> {
    pub(crate) path: PathBuf,
    pub(crate) series: &'a str,
    /// Line of a row, counted from the series' first.
    pub(crate) line: &'a dyn Fn(usize) -> u64,
}

impl Origin<'_> {
    fn finding(&self, row: usize, kind: FindingKind) -> Finding {
        Finding {
            path: self.path.clone(),
            series: self.series.to_owned(),
            row: row + 1,
            line: (self.line)(row),
            kind,
        }
    }
}

/// Orders one series; faults and notes go to `findings`.
pub(crate) fn arrange(
    times: &[i64],
    policy: &Policy<'_>,
    origin: &Origin<'_>,
    findings: &mut Vec<Finding>,
) -> Arranged {
    let ascending = times.windows(2).all(|w| w[0] < w[1]);
    let (times, slots) = if ascending {
        (Cow::Borrowed(times), None)
    } else {
        let (times, slots) = sort_and_merge(times, policy, origin, findings);
        (Cow::Owned(times), Some(slots))
    };
    let frequency = policy.frequency.unwrap_or_else(|| Frequency::infer(&times, policy.clock));
    if frequency == Frequency::Irregular {
        return Arranged { slots, timeline: Timeline::Listed(times.into_owned()), frequency };
    }
    let row_of = |i: usize| match slots.as_ref().map(|s| &s[i]) {
        Some(Slot::Row(row)) => *row,
        Some(Slot::Mean(rows)) => rows[0],
        Some(Slot::Missing) | None => i,
    };
    let spacing = Spacing::of(&times, frequency, policy.clock);
    spacing.report(&times, policy, frequency, origin, &row_of, findings);
    if spacing.holidays(&times, policy, frequency) {
        return Arranged { slots, timeline: Timeline::Listed(times.into_owned()), frequency };
    }
    if spacing.gaps.is_empty() || spacing.is_faulty(times.len()) {
        let timeline = Timeline::Grid { start: times.first().copied().unwrap_or(0), frequency };
        return Arranged { slots, timeline, frequency };
    }
    let slots = spread(&times, slots, &spacing.gaps);
    let timeline = Timeline::Grid { start: times[0], frequency };
    Arranged { slots: Some(slots), timeline, frequency }
}

/// Sorts and joins equal times as the policy says; reports what the policy forbids.
fn sort_and_merge(
    times: &[i64],
    policy: &Policy<'_>,
    origin: &Origin<'_>,
    findings: &mut Vec<Finding>,
) -> (Vec<i64>, Vec<Slot>) {
    let show = |t: i64| policy.clock.show(t);
    let backwards = |i: &usize| times[*i] < times[*i - 1];
    if policy.unsorted == Unsorted::Error
        && let Some(row) = (1..times.len()).find(backwards)
    {
        let count = (1..times.len()).filter(backwards).count();
        let kind =
            FindingKind::Unsorted { time: show(times[row]), before: show(times[row - 1]), count };
        findings.push(origin.finding(row, kind));
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&i| times[i]); // stable: equal times keep the file's order
    let (mut unique, mut slots) = (Vec::new(), Vec::new());
    let (mut extra, mut first_extra) = (0, None);
    for group in order.chunk_by(|&a, &b| times[a] == times[b]) {
        let (first, last) = (group[0], group[group.len() - 1]);
        if group.len() > 1 {
            extra += group.len() - 1;
            first_extra.get_or_insert(group[1]);
        }
        unique.push(times[first]);
        slots.push(match policy.duplicates {
            Duplicates::Mean if group.len() > 1 => Slot::Mean(group.to_vec()),
            Duplicates::Last => Slot::Row(last),
            Duplicates::Error | Duplicates::First | Duplicates::Mean => Slot::Row(first),
        });
    }
    if let (Duplicates::Error, Some(row)) = (policy.duplicates, first_extra) {
        let kind = FindingKind::Duplicate {
            time: show(times[row]),
            count: extra,
            clock_change: is_clock_change(times[row], policy.clock),
        };
        findings.push(origin.finding(row, kind));
    }
    (unique, slots)
}

/// The steps between neighboring rows that are not exactly one.
#[derive(Default)]
struct Spacing {
    /// (row after the gap, rows missing)
    gaps: Vec<(usize, u64)>,
    missing: u64,
    off_grid: Vec<usize>,
    /// A run of equal steps that are not the common one: its first row and its step in time units.
    change: Option<(usize, i64)>,
}

impl Spacing {
    fn of(times: &[i64], frequency: Frequency, clock: &Clock) -> Spacing {
        let mut spacing = Spacing::default();
        let long_run = (times.len() / 50).max(8);
        let (mut run, mut run_step) = (0, 0);
        for row in 1..times.len() {
            let step = times[row].saturating_sub(times[row - 1]);
            let uniform = match (frequency, clock) {
                (Frequency::Micros(s) | Frequency::Index(s), _) => s == step,
                (Frequency::Days(days), Clock::Civil) => days.checked_mul(DAY) == Some(step),
                _ => false,
            };
            let steps =
                if uniform { Some(1) } else { frequency.steps(times[row - 1], times[row], clock) };
            match steps {
                Some(1) => {
                    run = 0;
                    continue;
                }
                Some(n) if n > 1 => {
                    spacing.gaps.push((row, n as u64 - 1));
                    spacing.missing = spacing.missing.saturating_add(n as u64 - 1);
                }
                _ => spacing.off_grid.push(row),
            }
            run = if step == run_step { run + 1 } else { 1 };
            run_step = step;
            if run >= long_run && spacing.change.is_none() {
                spacing.change = Some((row + 1 - run, step));
            }
        }
        spacing
    }

    fn is_faulty(&self, present: usize) -> bool {
        !self.off_grid.is_empty() || self.change.is_some() || self.is_sparse(present)
    }

    fn is_sparse(&self, present: usize) -> bool {
        self.missing > present.max(24) as u64
    }

    /// Inferred business days with a few weekdays missing: days without trading, not gaps.
    fn holidays(&self, times: &[i64], policy: &Policy<'_>, frequency: Frequency) -> bool {
        !policy.stated
            && frequency == Frequency::BusinessDays
            && !self.gaps.is_empty()
            && self.off_grid.is_empty()
            && self.gaps.iter().all(|&(_, missing)| missing <= 5)
            && self.missing * 10 <= times.len() as u64
    }

    fn report(
        &self,
        times: &[i64],
        policy: &Policy<'_>,
        frequency: Frequency,
        origin: &Origin<'_>,
        row_of: &dyn Fn(usize) -> usize,
        findings: &mut Vec<Finding>,
    ) {
        let show = |t: i64| policy.clock.show(t);
        let mut push = |i: usize, kind| findings.push(origin.finding(row_of(i), kind));
        if self.holidays(times, policy, frequency) {
            return push(self.gaps[0].0, FindingKind::Holidays { count: self.missing });
        }
        if let Some((row, step)) = self.change {
            let other = Frequency::infer(&times[row - 1..(row + 8).min(times.len())], policy.clock);
            let other =
                if matches!(policy.clock, Clock::Index) { Frequency::Index(step) } else { other };
            let (frequency, other) = (frequency.to_string(), other.to_string());
            return push(row, FindingKind::MixedFrequency { frequency, other });
        }
        if let Some(&row) = self.off_grid.first() {
            let (time, count) = (show(times[row]), self.off_grid.len());
            push(row, FindingKind::OffGrid { time, frequency: frequency.to_string(), count });
        }
        let present = times.len();
        if self.is_sparse(present) {
            let frequency = frequency.to_string();
            let kind = FindingKind::Sparse { frequency, present, missing: self.missing };
            return push(self.gaps[0].0, kind);
        }
        if let Some(&(row, missing)) = self.gaps.first() {
            let clock_change = times[row].saturating_sub(times[row - 1]) <= 2 * HOUR
                && self.gaps.iter().all(|&(r, _)| is_clock_change(times[r], policy.clock));
            let kind = FindingKind::Gap {
                after: show(times[row - 1]),
                before: show(times[row]),
                missing,
                gaps: self.gaps.len(),
                all_missing: self.missing,
                clock_change,
            };
            push(row, kind);
        }
    }
}

/// Inserts a missing slot for every step without a row.
fn spread(times: &[i64], slots: Option<Vec<Slot>>, gaps: &[(usize, u64)]) -> Vec<Slot> {
    let present = slots.unwrap_or_else(|| (0..times.len()).map(Slot::Row).collect());
    let mut gaps = gaps.iter().peekable();
    let mut out = Vec::new();
    for (row, slot) in present.into_iter().enumerate() {
        if let Some((_, missing)) = gaps.next_if(|&&(r, _)| r == row) {
            out.extend((0..*missing).map(|_| Slot::Missing));
        }
        out.push(slot);
    }
    out
}

/// Whether a clock time without a zone looks like the hour that clocks change: a Sunday night in the
/// months in which most countries do.
fn is_clock_change(time: i64, clock: &Clock) -> bool {
    if !matches!(clock, Clock::Civil) {
        return false;
    }
    let (day, within) = split_day(time);
    let month = Date::from_days(day).month;
    weekday(day) == 6
        && matches!(month, 3 | 4 | 9 | 10 | 11)
        && within <= 4 * HOUR
        && time % DAY != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(times: &[i64], policy: &Policy<'_>) -> (Arranged, Vec<Finding>) {
        let line = |row: usize| row as u64 + 2;
        let origin = Origin { path: "t.csv".into(), series: "t", line: &line };
        let mut findings = Vec::new();
        (arrange(times, policy, &origin, &mut findings), findings)
    }

    fn policy(clock: &Clock) -> Policy<'_> {
        Policy {
            unsorted: Unsorted::Error,
            duplicates: Duplicates::Error,
            frequency: None,
            stated: false,
            clock,
        }
    }

    #[test]
    fn gaps_become_missing_rows() {
        let clock = Clock::Index;
        let (arranged, findings) = run(&[1, 2, 5, 6], &policy(&clock));
        use Slot::{Missing, Row};
        assert_eq!(arranged.slots.unwrap(), [Row(0), Row(1), Missing, Missing, Row(2), Row(3)]);
        assert_eq!(arranged.timeline.at(4, &clock), Some(5));
        assert_eq!(
            findings[0].to_string(),
            "t.csv:4:1: series `t`, row 3: 2 rows missing between 2 and 5 (2 rows in 1 gaps)"
        );
        assert!(findings[0].is_note());
    }

    #[test]
    fn order_and_repetition_are_reported_or_mended() {
        let clock = Clock::Index;
        let times = [1, 3, 2, 3, 4];
        let (_, findings) = run(&times, &policy(&clock));
        assert_eq!(findings.len(), 2);
        assert!(matches!(findings[0].kind, FindingKind::Unsorted { count: 1, .. }));
        assert!(matches!(findings[1].kind, FindingKind::Duplicate { count: 1, .. }));
        assert_eq!((findings[0].row, findings[0].line, findings[1].row), (3, 4, 4));
        let mend =
            Policy { unsorted: Unsorted::Sort, duplicates: Duplicates::Mean, ..policy(&clock) };
        let (arranged, findings) = run(&times, &mend);
        assert!(findings.is_empty());
        use Slot::{Mean, Row};
        assert_eq!(arranged.slots.unwrap(), [Row(0), Row(2), Mean(vec![1, 3]), Row(4)]);
    }

    #[test]
    fn a_lasting_change_of_step_is_no_gap() {
        let mut times: Vec<i64> = (0..100).collect();
        times.extend((0..40).map(|i| 104 + 5 * i));
        let clock = Clock::Index;
        let (_, findings) = run(&times, &policy(&clock));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].kind,
            FindingKind::MixedFrequency { frequency: "index".into(), other: "5 index".into() }
        );
        assert_eq!(findings[0].row, 101);
        assert!(!findings[0].is_note());
    }

    #[test]
    fn one_wild_time_is_not_a_billion_missing_rows() {
        let clock = Clock::Index;
        let (arranged, findings) = run(&[1, 2, 3, 4_000_000_000], &policy(&clock));
        assert!(matches!(findings[0].kind, FindingKind::Sparse { .. }));
        assert!(arranged.slots.is_none());
    }

    #[test]
    fn holidays_stay_out_unless_the_step_is_stated() {
        // Thursday, Friday, Monday … with one Wednesday left out.
        let all: Vec<i64> = (15_340..15_440).filter(|&d| weekday(d) < 5).collect();
        let times: Vec<i64> = all.iter().filter(|&&d| d != 15_370).map(|d| d * DAY).collect();
        assert_eq!(times.len(), all.len() - 1);
        let (arranged, findings) = run(&times, &policy(&Clock::Civil));
        assert_eq!(arranged.frequency, Frequency::BusinessDays);
        assert!(matches!(arranged.timeline, Timeline::Listed(_)));
        assert_eq!(findings[0].kind, FindingKind::Holidays { count: 1 });
        let stated = Policy {
            frequency: Some(Frequency::BusinessDays),
            stated: true,
            ..policy(&Clock::Civil)
        };
        let (arranged, findings) = run(&times, &stated);
        assert_eq!(arranged.slots.unwrap().len(), all.len());
        assert!(matches!(findings[0].kind, FindingKind::Gap { missing: 1, .. }));
    }
}
