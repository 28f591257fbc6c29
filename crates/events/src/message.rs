//! The parts of TensorFlow's protocol buffer messages that we write, with their field numbers.
//!
//! Source: `event.proto`, `summary.proto` and `histogram.proto` of TensorBoard 2.21, `tensorboard/compat/proto`.

use prost::{Message, Oneof};

/// One record of an event file.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = 1)]
    pub(crate) wall_time: f64,
    #[prost(int64, tag = 2)]
    pub(crate) step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub(crate) what: Option<What>,
}

/// The content of an event.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum What {
    #[prost(string, tag = 3)]
    FileVersion(String),
    #[prost(message, tag = 5)]
    Summary(Values),
    #[prost(message, tag = 7)]
    SessionLog(SessionLog),
}

/// TensorFlow's `Summary`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Values {
    #[prost(message, repeated, tag = 1)]
    pub(crate) value: Vec<Value>,
}

/// A tag and its value.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(string, tag = 1)]
    pub(crate) tag: String,
    #[prost(oneof = "Datum", tags = "2, 4, 5")]
    pub(crate) datum: Option<Datum>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Datum {
    #[prost(float, tag = 2)]
    Scalar(f32),
    #[prost(message, tag = 4)]
    Image(Image),
    #[prost(message, tag = 5)]
    Histogram(HistogramProto),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Image {
    #[prost(int32, tag = 1)]
    pub(crate) height: i32,
    #[prost(int32, tag = 2)]
    pub(crate) width: i32,
    /// 4 is RGBA.
    #[prost(int32, tag = 3)]
    pub(crate) colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = 4)]
    pub(crate) encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistogramProto {
    #[prost(double, tag = 1)]
    pub(crate) min: f64,
    #[prost(double, tag = 2)]
    pub(crate) max: f64,
    #[prost(double, tag = 3)]
    pub(crate) num: f64,
    #[prost(double, tag = 4)]
    pub(crate) sum: f64,
    #[prost(double, tag = 5)]
    pub(crate) sum_squares: f64,
    /// Upper borders, rising.
    #[prost(double, repeated, tag = 6)]
    pub(crate) bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = 7)]
    pub(crate) bucket: Vec<f64>,
}

/// The start of a process; TensorBoard then discards the events of earlier files from this step on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SessionLog {
    /// 1 is START.
    #[prost(int32, tag = 1)]
    pub(crate) status: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the bytes, derived from the rules of the encoding. A key is `field << 3 | wire type`; wire types
    /// are 0 varint, 1 eight bytes, 2 counted bytes, 5 four bytes.
    #[test]
    fn a_scalar_event_has_the_bytes_of_the_encoding() {
        let value = Value { tag: "a/b".into(), datum: Some(Datum::Scalar(0.5)) };
        let what = What::Summary(Values { value: vec![value] });
        let event = Event { wall_time: 1.5, step: 300, what: Some(what) };
        let expected: &[u8] = &[
            0x09, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, // field 1, double 1.5 = 0x3FF8 << 48
            0x10, 0xAC, 0x02, // field 2, varint 300 = 0b10_0101100
            0x2A, 0x0C, // field 5, twelve bytes: the summary
            0x0A, 0x0A, // field 1, ten bytes: the value
            0x0A, 0x03, b'a', b'/', b'b', // field 1: the tag
            0x15, 0, 0, 0, 0x3F, // field 2, float 0.5 = 0x3F000000
        ];
        assert_eq!(event.encode_to_vec(), expected);
    }

    /// Oracle: as above; −1 is a varint of ten bytes, because it is first widened to 64 bits.
    #[test]
    fn a_start_of_a_session_has_the_bytes_of_the_encoding() {
        let what = Some(What::SessionLog(SessionLog { status: 1 }));
        let mut expected = vec![0x10];
        expected.extend([0xFF; 9]);
        expected.extend([0x01, 0x3A, 0x02, 0x08, 0x01]);
        assert_eq!(Event { wall_time: 0.0, step: -1, what }.encode_to_vec(), expected);
    }
}
