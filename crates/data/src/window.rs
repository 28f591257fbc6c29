//! Windows: context and horizon as ranges of rows, never copied.
//!
//! A window is `context + horizon` rows that follow one another in the buffer. Its targets, the horizon,
//! lie within one part of one series; its context may reach back over the part's border, because what lay
//! before is known when the forecast is made. Ten million windows cost a few numbers per series.

use std::ops::Range;

use crate::error::DataError;
use crate::panel::Panel;
use crate::split::Split;

/// Windows of one part: for each series a first start, a stride and a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    context: usize,
    horizon: usize,
    segments: Vec<Segment>,
    /// Windows in this segment and all before it.
    ends: Vec<usize>,
}

/// Evenly spaced windows of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Index of the series.
    pub series: usize,
    /// Row of the buffer at which the first window's context starts.
    pub first: usize,
    /// Rows from one window to the next.
    pub stride: usize,
    /// How many windows.
    pub count: usize,
}

/// The windows of the three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartWindows {
    /// Every start (stride 1).
    pub train: Windows,
    /// Every `stride`-th.
    pub validation: Windows,
    /// Every `stride`-th.
    pub test: Windows,
}

impl Windows {
    /// Windows from segments, those without a window left out.
    pub(crate) fn new(
        context: usize,
        horizon: usize,
        segments: impl Iterator<Item = Segment>,
    ) -> Self {
        let segments: Vec<Segment> = segments.filter(|s| s.count > 0).collect();
        let ends = segments
            .iter()
            .scan(0, |end, s| {
                *end += s.count;
                Some(*end)
            })
            .collect();
        Windows { context, horizon, segments, ends }
    }

    /// Rows of the context.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Rows of the horizon.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there are no windows.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The segments, in the order of the buffer.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The row of the buffer at which window `i` starts: the first row of its context.
    pub fn start(&self, i: usize) -> Option<usize> {
        let (segment, offset) = self.find(i)?;
        Some(segment.first + offset * segment.stride)
    }

    /// The row of the buffer at which the horizon of window `i` starts.
    pub fn origin(&self, i: usize) -> Option<usize> {
        Some(self.start(i)? + self.context)
    }

    /// The series of window `i`.
    pub fn series(&self, i: usize) -> Option<usize> {
        Some(self.find(i)?.0.series)
    }

    /// The rows of the horizon of window `i`.
    pub fn targets(&self, i: usize) -> Option<Range<usize>> {
        let origin = self.origin(i)?;
        Some(origin..origin + self.horizon)
    }

    /// The starts of all windows, in order.
    pub fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        self.segments.iter().flat_map(|s| (0..s.count).map(|k| s.first + k * s.stride))
    }

    /// The same windows, the last few left out so that their number is a multiple of `batch`
    /// (D-Va scores whole batches only).
    pub fn whole_batches(&self, batch: usize) -> Windows {
        let mut left = self.len() - self.len().checked_rem(batch).unwrap_or(0);
        let cut = self.segments.iter().map(|s| {
            let count = s.count.min(left);
            left -= count;
            Segment { count, ..*s }
        });
        Windows::new(self.context, self.horizon, cut)
    }

    /// Every `stride`-th window of each series, to look at fewer.
    ///
    /// # Errors
    /// [`DataError::Config`] if `stride` is 0.
    pub fn thinned(&self, stride: usize) -> Result<Windows, DataError> {
        if stride == 0 {
            let (value, expected) = ("0".into(), "a number of rows from 1".into());
            return Err(DataError::Config { key: "stride", value, expected });
        }
        let thin = |s: &Segment| Segment {
            stride: s.stride * stride,
            count: s.count.div_ceil(stride),
            ..*s
        };
        Ok(Windows::new(self.context, self.horizon, self.segments.iter().map(thin)))
    }

    fn find(&self, i: usize) -> Option<(&Segment, usize)> {
        let s = self.ends.partition_point(|&end| end <= i);
        let segment = self.segments.get(s)?;
        Some((segment, i + segment.count - self.ends[s]))
    }
}

impl PartWindows {
    /// Places windows in the parts of `split`; `lost` first rows of every series hold no values
    /// (differences lose one).
    ///
    /// # Errors
    /// [`DataError::NoWindows`] where a part has rows and none of its series has a window.
    pub(crate) fn new(
        context: usize,
        horizon: usize,
        panel: &Panel,
        split: &Split,
        lost: usize,
    ) -> Result<PartWindows, DataError> {
        let place =
            |pick: &dyn Fn(usize) -> Range<usize>, history: usize, stride: usize, drop: bool| {
                let segments = panel.series.iter().enumerate().map(|(series, s)| {
                    let part = pick(series);
                    let earliest = (s.rows.start + lost + history).max(part.start);
                    let count = count(part.end.saturating_sub(earliest), horizon, stride, drop);
                    Segment { series, first: earliest.saturating_sub(context), stride, count }
                });
                Windows::new(context, horizon, segments)
            };
        let train = |s: usize| {
            // The context of a training window lies in the training rows too.
            let rows = split.parts[s].train.clone();
            (rows.start + context + split.lags).min(rows.end)..rows.end
        };
        let (stride, drop) = (split.stride, split.drop_exact);
        let windows = PartWindows {
            train: place(&train, context + split.lags, 1, false),
            validation: place(&|s| split.parts[s].validation.clone(), context, stride, drop),
            test: place(&|s| split.parts[s].test.clone(), context, stride, drop),
        };
        let check = |part, windows: &Windows, pick: &dyn Fn(usize) -> Range<usize>, needed| {
            let rows = (0..panel.series.len()).map(|s| pick(s).len()).max().unwrap_or(0);
            if windows.is_empty() && rows > 0 {
                return Err(DataError::NoWindows { part, rows, needed, context, horizon });
            }
            Ok(())
        };
        let all = context + horizon + split.lags + lost;
        check("training", &windows.train, &|s| split.parts[s].train.clone(), all)?;
        check("validation", &windows.validation, &|s| split.parts[s].validation.clone(), horizon)?;
        check("test", &windows.test, &|s| split.parts[s].test.clone(), horizon)?;
        Ok(windows)
    }
}

/// Horizons in `rows` rows, one every `stride`: `⌊(rows − horizon) / stride⌋ + 1`, or with `drop` the
/// ProbTS count `⌈(rows − horizon) / stride⌉`, which leaves out one that ends exactly at the border.
fn count(rows: usize, horizon: usize, stride: usize, drop: bool) -> usize {
    match rows.checked_sub(horizon) {
        None => 0,
        Some(free) if drop => free.div_ceil(stride),
        Some(free) => free / stride + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: indexing and iterating give the same windows, and `find` inverts the counts.
        #[test]
        fn index_and_iteration_agree(
            counts in proptest::collection::vec((0usize..40, 1usize..5, 0usize..30), 0..8), batch in 0usize..9,
        ) {
            let mut first = 0;
            let segments: Vec<Segment> = counts
                .iter()
                .enumerate()
                .map(|(series, &(count, stride, gap))| {
                    let segment = Segment { series, first: first + gap, stride, count };
                    first = segment.first + count * stride;
                    segment
                })
                .collect();
            let windows = Windows::new(3, 2, segments.into_iter());
            let indexed: Vec<usize> = (0..windows.len()).map(|i| windows.start(i).unwrap()).collect();
            prop_assert_eq!(&indexed, &windows.starts().collect::<Vec<_>>());
            prop_assert!(indexed.is_sorted());
            prop_assert_eq!(windows.start(windows.len()), None);
            let whole = windows.whole_batches(batch);
            let kept = windows.len() - windows.len().checked_rem(batch).unwrap_or(0);
            prop_assert_eq!(whole.starts().collect::<Vec<_>>(), &indexed[..kept]);
        }

        /// Oracle: counting starts one by one.
        #[test]
        fn counts_match_enumeration(rows in 0usize..200, horizon in 1usize..50, stride in 1usize..40) {
            let fits = |origin: usize| origin + horizon <= rows;
            let all = (0..rows).step_by(stride).filter(|&o| fits(o)).count();
            prop_assert_eq!(count(rows, horizon, stride, false), all);
            let strict = (0..rows).step_by(stride).filter(|&o| o + horizon < rows).count();
            prop_assert_eq!(count(rows, horizon, stride, true), strict);
        }
    }
}
