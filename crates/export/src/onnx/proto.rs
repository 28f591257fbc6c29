//! The parts of ONNX's protocol buffer messages that we write, with their field numbers.
//!
//! Source: `onnx.proto` of ONNX 1.23. Fields that the checker asks for by presence are optional here.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(int64, tag = 1)]
    pub(super) ir_version: i64,
    #[prost(string, tag = 2)]
    pub(super) producer_name: String,
    #[prost(string, tag = 3)]
    pub(super) producer_version: String,
    #[prost(message, optional, tag = 7)]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = 8)]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = 14)]
    pub(super) metadata_props: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = 1)]
    pub(super) domain: String,
    #[prost(int64, tag = 2)]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, tag = 1)]
    pub(super) key: String,
    #[prost(string, tag = 2)]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = 1)]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = 2)]
    pub(super) name: String,
    #[prost(message, repeated, tag = 5)]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = 11)]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = 12)]
    pub(super) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = 1)]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = 2)]
    pub(super) output: Vec<String>,
    #[prost(string, tag = 4)]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = 5)]
    pub(super) attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = 1)]
    pub(super) name: String,
    #[prost(float, optional, tag = 2)]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = 3)]
    pub(super) i: Option<i64>,
    #[prost(int64, repeated, tag = 8)]
    pub(super) ints: Vec<i64>,
    /// 1 is a float, 2 a whole number, 7 a list of whole numbers.
    #[prost(int32, tag = 20)]
    pub(super) r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = 1)]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = 2)]
    pub(super) data_type: i32,
    #[prost(string, tag = 8)]
    pub(super) name: String,
    /// Little-endian numbers.
    #[prost(bytes = "vec", tag = 9)]
    pub(super) raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = 1)]
    pub(super) name: String,
    #[prost(message, optional, tag = 2)]
    pub(super) r#type: Option<Type>,
    #[prost(string, tag = 3)]
    pub(super) doc_string: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = 1)]
    pub(super) tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = 1)]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = 2)]
    pub(super) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = 1)]
    pub(super) dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    #[prost(oneof = "Length", tags = "1, 2")]
    pub(super) length: Option<Length>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Length {
    #[prost(int64, tag = 1)]
    Value(i64),
    #[prost(string, tag = 2)]
    Name(String),
}
