//! What gaitd reads of an ONNX file: the messages of `onnx.proto` with their field numbers, without the fields that
//! say nothing of what is computed. Protocol Buffers skip what a reader does not know.

use prost::Message;

/// `ModelProto`
#[derive(Clone, Message)]
pub struct Model {
    /// What is computed.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
}

/// `GraphProto`; its nodes stand after those that they need.
#[derive(Clone, Message)]
pub struct Graph {
    /// Operations.
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    /// Weights, shapes and bounds.
    #[prost(message, repeated, tag = "5")]
    pub constants: Vec<Constant>,
    /// Older writers name the constants here too.
    #[prost(message, repeated, tag = "11")]
    pub inputs: Vec<Value>,
    /// What comes out.
    #[prost(message, repeated, tag = "12")]
    pub outputs: Vec<Value>,
}

/// `NodeProto`
#[derive(Clone, Message)]
pub struct Node {
    /// Names of what goes in.
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    /// Names of what comes out.
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    /// `op_type`.
    #[prost(string, tag = "4")]
    pub operator: String,
    /// Settings.
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
    /// Whose operator it is; ONNX's own where it is empty.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// `AttributeProto`, of which one field counts; which one goes with the name.
#[derive(Clone, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// `f`.
    #[prost(float, tag = "2")]
    pub float: f32,
    /// `i`.
    #[prost(int64, tag = "3")]
    pub integer: i64,
    /// `s`.
    #[prost(bytes = "vec", tag = "4")]
    pub text: Vec<u8>,
    /// `ints`, or `int64_data`.
    #[prost(int64, repeated, tag = "8")]
    pub integers: Vec<i64>,
}

/// `ValueInfoProto`
#[derive(Clone, Message)]
pub struct Value {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `TensorProto`
#[derive(Clone, Message)]
pub struct Constant {
    /// `dims`.
    #[prost(int64, repeated, tag = "1")]
    pub shape: Vec<i64>,
    /// `data_type`.
    #[prost(int32, tag = "2")]
    pub kind: i32,
    /// `float_data`.
    #[prost(float, repeated, tag = "4")]
    pub floats: Vec<f32>,
    /// `ints`, or `int64_data`.
    #[prost(int64, repeated, tag = "7")]
    pub integers: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Little-endian, in place of `floats` or `integers`.
    #[prost(bytes = "vec", tag = "9")]
    pub raw: Vec<u8>,
}
