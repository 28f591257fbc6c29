//! Counts of values in intervals.

use crate::message::HistogramProto;

/// Intervals of a histogram, as many as TensorBoard itself uses.
const BUCKETS: u32 = 30;

/// Counts of values in thirty equal intervals between the least and the largest.
///
/// Values that are not finite are left out, and their number is kept.
///
/// ```
/// let histogram = events::Histogram::of(&[1.0, 2.0, f64::NAN]);
/// assert_eq!((histogram.count(), histogram.left_out()), (2, 1));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
    limits: Vec<f64>,
    counts: Vec<u64>,
    left_out: u64,
}

impl Histogram {
    /// Counts the values, `f32` or `f64`.
    pub fn of<T: Copy + Into<f64>>(values: &[T]) -> Histogram {
        let all = || values.iter().map(|&value| value.into());
        let finite = || all().filter(|value: &f64| value.is_finite());
        let count = finite().count() as u64;
        let left_out = values.len() as u64 - count;
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut sum_squares) = (0.0, 0.0);
        for value in finite() {
            (min, max) = (min.min(value), max.max(value));
            sum += value;
            sum_squares += value * value;
        }
        if count == 0 {
            (min, max) = (0.0, 0.0);
        }
        let limits = limits(min, max);
        let mut counts = vec![0; limits.len()];
        for value in finite() {
            // Each interval holds its lower border, and the last one its upper border too.
            let bucket = limits.partition_point(|&limit| limit <= value);
            counts[bucket.min(limits.len() - 1)] += 1;
        }
        Histogram { min, max, sum, sum_squares, limits, counts, left_out }
    }

    /// Number of finite values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of values left out, infinite or not a number.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(crate) fn message(&self) -> HistogramProto {
        HistogramProto {
            min: self.min,
            max: self.max,
            num: self.count() as f64,
            sum: self.sum,
            sum_squares: self.sum_squares,
            bucket_limit: self.limits.clone(),
            bucket: self.counts.iter().map(|&count| count as f64).collect(),
        }
    }
}

/// The upper borders; only one where all values are equal.
fn limits(min: f64, max: f64) -> Vec<f64> {
    if min == max {
        return vec![max];
    }
    // A weighted mean of the ends, because their difference may be infinite.
    let border = |k: u32| {
        let share = f64::from(k) / f64::from(BUCKETS);
        min * (1.0 - share) + max * share
    };
    (1..BUCKETS).map(border).chain([max]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Oracle: sums by hand; values at the middle of each of the thirty intervals of [0, 30].
    #[test]
    fn sums_and_counts_are_those_of_the_values() {
        let mut values: Vec<f64> = (0..30).map(|k| f64::from(k) + 0.5).collect();
        values.extend([0.0, 30.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        let histogram = Histogram::of(&values);
        assert_eq!((histogram.count(), histogram.left_out()), (32, 3));
        let message = histogram.message();
        assert_eq!((message.min, message.max), (0.0, 30.0));
        assert_eq!(message.sum, 480.0); // 435 + 15, and 30
        // Σ (k + ½)² = Σ k² + Σ k + 30/4 = 8555 + 435 + 7.5
        assert_eq!(message.sum_squares, 8_997.5 + 900.0);
        let mut expected = [1.0; 30];
        (expected[0], expected[29]) = (2.0, 2.0);
        assert_eq!(message.bucket, expected);
    }

    #[test]
    fn one_value_and_no_value_are_one_interval() {
        let same = Histogram::of(&[2.5_f32; 7]).message();
        assert_eq!((same.bucket_limit, same.bucket), (vec![2.5], vec![7.0]));
        let none = Histogram::of(&[f32::NAN]);
        assert_eq!((none.count(), none.left_out()), (0, 1));
        let none = none.message();
        assert_eq!((none.min, none.max, none.num), (0.0, 0.0, 0.0));
        assert_eq!((none.bucket_limit, none.bucket), (vec![0.0], vec![0.0]));
    }

    proptest! {
        /// Laws: no value is lost, borders rise, and each interval counts the values between its borders.
        #[test]
        fn every_value_is_in_the_interval_it_lies_in(
            values in prop::collection::vec(prop::num::f64::ANY, 0..60)
        ) {
            let histogram = Histogram::of(&values);
            prop_assert_eq!(histogram.count() + histogram.left_out(), values.len() as u64);
            prop_assert!(histogram.limits.is_sorted());
            let last = histogram.limits.len() - 1;
            for (k, &upper) in histogram.limits.iter().enumerate() {
                let lower = if k == 0 { f64::MIN } else { histogram.limits[k - 1] };
                let inside = |v: f64| v >= lower && (v < upper || (k == last && v <= upper));
                let count = values.iter().filter(|&&v| v.is_finite() && inside(v)).count();
                prop_assert_eq!(histogram.counts[k], count as u64, "interval {} of {:?}", k, histogram);
            }
        }
    }
}
