//! Puts the rows of a series in order of time and on their grid, and says what stood in the way.

use std::borrow::Cow;
use std::path::PathBuf;

use super::civil::{DAY, HOUR, date_at, split_day, weekday};
use super::frequency::is_rare;
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

/// The source of one row of the ordered series.
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
    let frequency = match policy.frequency {
        Some(frequency) => frequency.anchored(&times, policy.clock),
        None => Frequency::infer(&times, policy.clock),
    };
    if frequency == Frequency::Irregular {
        return Arranged { slots, timeline: Timeline::Listed(times.into_owned()), frequency };
    }
    let row_of = |i: usize| match slots.as_ref().map(|s| &s[i]) {
        Some(Slot::Row(row)) => *row,
        Some(Slot::Mean(rows)) => rows[0],
        Some(Slot::Missing) | None => i,
    };
    let spacing = Spacing::of(&times, frequency, policy.clock);
    let odd = spacing.exceptions(&times, frequency, policy.clock);
    let report = Report { times: &times, policy, frequency, origin, row_of: &row_of };
    if let Some((odd, regular)) = odd {
        report.odd(&odd, findings);
        // The odd rows keep their times; each stands for the regular row that it replaces.
        report.gaps(&regular, findings);
        return with_gaps(&times, slots, &regular, frequency, policy);
    }
    report.gaps(&spacing, findings);
    if spacing.is_holidays(times.len(), policy, frequency) {
        return Arranged { slots, timeline: Timeline::Listed(times.into_owned()), frequency };
    }
    if spacing.gaps.is_empty() || spacing.is_faulty(times.len(), policy) {
        let timeline = Timeline::Grid { start: times.first().copied().unwrap_or(0), frequency };
        return Arranged { slots, timeline, frequency };
    }
    let slots = spread(times.len(), slots, &spacing.gaps);
    let timeline = Timeline::Grid { start: times[0], frequency };
    Arranged { slots: Some(slots), timeline, frequency }
}

/// A series with odd rows: its times are listed, those of the inserted rows among them.
fn with_gaps(
    times: &[i64],
    slots: Option<Vec<Slot>>,
    spacing: &Spacing,
    frequency: Frequency,
    policy: &Policy<'_>,
) -> Arranged {
    if spacing.gaps.is_empty() || spacing.is_holidays(times.len(), policy, frequency) {
        return Arranged { slots, timeline: Timeline::Listed(times.to_vec()), frequency };
    }
    let slots = spread(times.len(), slots, &spacing.gaps);
    let mut given = times.iter();
    let mut listed: Vec<i64> = Vec::with_capacity(slots.len());
    for slot in &slots {
        let after = listed.last().map(|&last| frequency.advance(last, 1, policy.clock));
        let time = if *slot == Slot::Missing { after } else { given.next().copied() };
        listed.extend(time);
    }
    Arranged { slots: Some(slots), timeline: Timeline::Listed(listed), frequency }
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
#[derive(Debug, Default)]
pub(super) struct Spacing {
    /// (row after the gap, rows missing)
    gaps: Vec<(usize, u64)>,
    missing: u64,
    off_grid: Vec<usize>,
    /// A run of equal steps that are not the common one: its first row and its step in time units.
    change: Option<(usize, i64)>,
}

impl Spacing {
    pub(super) fn of(times: &[i64], frequency: Frequency, clock: &Clock) -> Spacing {
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

    /// Rows missing between others.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Rows that are no whole number of steps after the row before.
    pub(super) fn off_grid(&self) -> usize {
        self.off_grid.len()
    }

    /// Whether the step changes for good.
    pub(super) fn changes(&self) -> bool {
        self.change.is_some()
    }

    /// A few rows of many on days of their own, such as a session on a Saturday, and the spacing without them.
    fn exceptions(
        &self,
        times: &[i64],
        frequency: Frequency,
        clock: &Clock,
    ) -> Option<(Vec<usize>, Spacing)> {
        if self.off_grid.is_empty() {
            return None;
        }
        let odd = frequency.odd_rows(times, clock);
        if odd.is_empty() || !is_rare(odd.len(), times.len()) {
            return None;
        }
        let kept: Vec<usize> =
            (0..times.len()).filter(|row| odd.binary_search(row).is_err()).collect();
        let regular: Vec<i64> = kept.iter().map(|&row| times[row]).collect();
        let mut spacing = Spacing::of(&regular, frequency, clock);
        if !spacing.off_grid.is_empty() || spacing.change.is_some() {
            return None;
        }
        // Rows are counted among all again, and an odd row in a gap stands for one that is missing.
        for (row, missing) in &mut spacing.gaps {
            let between = (kept[*row - 1] + 1..kept[*row]).len() as u64;
            *missing = missing.saturating_sub(between);
            *row = kept[*row];
        }
        spacing.gaps.retain(|&(_, missing)| missing > 0);
        spacing.missing = spacing.gaps.iter().map(|&(_, missing)| missing).sum();
        Some((odd, spacing))
    }

    fn is_faulty(&self, present: usize, policy: &Policy<'_>) -> bool {
        !self.off_grid.is_empty() || self.change.is_some() || self.is_sparse(present, policy)
    }

    /// Whether more rows are missing than a step that was only inferred justifies, or than memory holds.
    fn is_sparse(&self, present: usize, policy: &Policy<'_>) -> bool {
        let most = if policy.stated { 1000 * present.max(24) } else { present.max(24) };
        self.missing > most as u64
    }

    /// Inferred days of the week with a few of them missing: days without trading, not gaps.
    fn is_holidays(&self, rows: usize, policy: &Policy<'_>, frequency: Frequency) -> bool {
        !policy.stated
            && matches!(frequency, Frequency::Weekdays(_))
            && !self.gaps.is_empty()
            && self.off_grid.is_empty()
            && self.gaps.iter().all(|&(_, missing)| missing <= 5)
            && self.missing * 10 <= rows as u64
    }
}

/// The facts that findings about one series are made of.
struct Report<'a> {
    times: &'a [i64],
    policy: &'a Policy<'a>,
    frequency: Frequency,
    origin: &'a Origin<'a>,
    /// The row in the file of a row in order.
    row_of: &'a dyn Fn(usize) -> usize,
}

impl Report<'_> {
    fn push(&self, row: usize, kind: FindingKind, findings: &mut Vec<Finding>) {
        findings.push(self.origin.finding((self.row_of)(row), kind));
    }

    fn show(&self, row: usize) -> String {
        self.policy.clock.show(self.times[row])
    }

    fn odd(&self, odd: &[usize], findings: &mut Vec<Finding>) {
        let (time, count) = (self.show(odd[0]), odd.len());
        let kind = FindingKind::OddRows { time, frequency: self.frequency.to_string(), count };
        self.push(odd[0], kind, findings);
    }

    fn gaps(&self, spacing: &Spacing, findings: &mut Vec<Finding>) {
        let (times, clock) = (self.times, self.policy.clock);
        let frequency = self.frequency.to_string();
        if spacing.is_holidays(times.len(), self.policy, self.frequency) {
            let kind = FindingKind::Holidays { count: spacing.missing };
            return self.push(spacing.gaps[0].0, kind, findings);
        }
        if let Some((row, step)) = spacing.change {
            let other = match clock {
                Clock::Index => Frequency::Index(step),
                _ => Frequency::infer(&times[row - 1..(row + 8).min(times.len())], clock),
            };
            let kind = FindingKind::MixedFrequency { frequency, other: other.to_string() };
            return self.push(row, kind, findings);
        }
        if let Some(&row) = spacing.off_grid.first() {
            let (time, count) = (self.show(row), spacing.off_grid.len());
            let kind = FindingKind::OffGrid { time, frequency: frequency.clone(), count };
            self.push(row, kind, findings);
        }
        if spacing.is_sparse(times.len(), self.policy) {
            let (present, missing) = (times.len(), spacing.missing);
            let kind = FindingKind::Sparse { frequency, present, missing };
            return self.push(spacing.gaps[0].0, kind, findings);
        }
        if let Some(&(row, missing)) = spacing.gaps.first() {
            let clock_change = times[row].saturating_sub(times[row - 1]) <= 2 * HOUR
                && spacing.gaps.iter().all(|&(r, _)| is_clock_change(times[r], clock));
            let kind = FindingKind::Gap {
                after: self.show(row - 1),
                before: self.show(row),
                missing,
                gaps: spacing.gaps.len(),
                all_missing: spacing.missing,
                clock_change,
            };
            self.push(row, kind, findings);
        }
    }
}

/// Inserts a missing slot for every step without a row.
fn spread(rows: usize, slots: Option<Vec<Slot>>, gaps: &[(usize, u64)]) -> Vec<Slot> {
    let present = slots.unwrap_or_else(|| (0..rows).map(Slot::Row).collect());
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
    let month = date_at(day).month();
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
            "t.csv:4:1: series `t`, row 3: 2 rows missing between 2 and 5 (2 rows in 1 gap)"
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
        assert_eq!(arranged.frequency, Frequency::BUSINESS_DAYS);
        assert!(matches!(arranged.timeline, Timeline::Listed(_)));
        assert_eq!(findings[0].kind, FindingKind::Holidays { count: 1 });
        let stated = Policy {
            frequency: Some(Frequency::BUSINESS_DAYS),
            stated: true,
            ..policy(&Clock::Civil)
        };
        let (arranged, findings) = run(&times, &stated);
        assert_eq!(arranged.slots.unwrap().len(), all.len());
        assert!(matches!(findings[0].kind, FindingKind::Gap { missing: 1, .. }));
    }
}
