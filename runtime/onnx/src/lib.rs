//! What gaitd itself reads of ONNX files: the messages that say what is computed, constants, and attributes, none of which
//! may be left unread. What the graph means is up to the backends.

#![forbid(unsafe_code)]

mod attributes;
mod constant;
mod message;

pub use attributes::Attributes;
pub use constant::Values;
pub use message::{Attribute, Constant, Graph, Model, Node, Value};

use prost::Message;

/// `TensorProto.DataType.FLOAT`
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType.INT64`
pub const INT64: i32 = 7;

/// What is wrong with a file, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OnnxError(pub String);

/// The graph in `onnx`, the bytes of a file.
///
/// # Errors
/// When it is not ONNX, or holds no graph.
pub fn graph(onnx: &[u8]) -> Result<Graph, OnnxError> {
    let model = Model::decode(onnx).map_err(|error| OnnxError(format!("not an ONNX file: {error}")))?;
    model.graph.ok_or_else(|| OnnxError("there is no graph in it".to_owned()))
}

impl Graph {
    /// The names of the one input that is no constant, and of the one output.
    ///
    /// # Errors
    /// When there are none, or more.
    pub fn ends(&self) -> Result<(&str, &str), OnnxError> {
        let is_constant = |name: &str| self.constants.iter().any(|constant| constant.name == name);
        let mut inputs = self.inputs.iter().filter(|value| !is_constant(&value.name));
        match (inputs.next(), inputs.next(), self.outputs.as_slice()) {
            (Some(input), None, [output]) => Ok((&input.name, &output.name)),
            _ => Err(OnnxError("it must have one input and one output".to_owned())),
        }
    }
}

impl Node {
    /// The name of the one result.
    ///
    /// # Errors
    /// When there are more, or the operator is not one of ONNX's own.
    pub fn result(&self) -> Result<&str, OnnxError> {
        match self.outputs.as_slice() {
            [result] if matches!(&*self.domain, "" | "ai.onnx") => Ok(result),
            _ => Err(OnnxError("gaitd knows only operators of the domain ai.onnx, with one result".to_owned())),
        }
    }
}
