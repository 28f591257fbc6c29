//! The events of one step.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::message::{Datum, Event, Image, Value, Values, What};
use crate::{Histogram, Picture};

/// Tags and their values at one step and one time. A tag such as `train/loss` is in the group `train`.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    step: i64,
    wall_time: f64,
    values: Vec<Value>,
}

impl Summary {
    /// An empty summary of a step, at this moment.
    pub fn now(step: i64) -> Summary {
        Summary::at(step, SystemTime::now())
    }

    /// An empty summary of a step, at a given moment.
    pub fn at(step: i64, time: SystemTime) -> Summary {
        Summary { step, wall_time: seconds(time), values: Vec::new() }
    }

    /// Adds a number, which is stored in single precision; TensorBoard shows NaN and infinities as such.
    pub fn scalar(&mut self, tag: &str, value: f64) -> &mut Summary {
        self.push(tag, Datum::Scalar(value as f32))
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, tag: &str, histogram: &Histogram) -> &mut Summary {
        self.push(tag, Datum::Histogram(histogram.message()))
    }

    /// Adds a picture.
    pub fn image(&mut self, tag: &str, picture: &Picture) -> &mut Summary {
        let [width, height] = [picture.width(), picture.height()].map(u32::cast_signed);
        let encoded = picture.png().to_vec();
        self.push(tag, Datum::Image(Image { height, width, colorspace: 4, encoded }))
    }

    fn push(&mut self, tag: &str, datum: Datum) -> &mut Summary {
        self.values.push(Value { tag: tag.to_owned(), datum: Some(datum) });
        self
    }

    pub(crate) fn event(&self) -> Event {
        let what = What::Summary(Values { value: self.values.clone() });
        Event { wall_time: self.wall_time, step: self.step, what: Some(what) }
    }
}

/// Seconds since 1970; 0 if the clock is set to an earlier time.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
