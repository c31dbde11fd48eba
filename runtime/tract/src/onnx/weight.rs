//! What decoding a file takes, from its bytes. Protocol Buffers write an empty message with two bytes, and its reader keeps
//! some hundred for it.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorShapeProto, TrainingInfoProto, TypeProto,
    ValueInfoProto, tensor_shape_proto,
};
use tract_onnx::tract_core::internal::*;

/// Messages of `onnx.proto`, as far as they hold others.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Type,
    TensorType,
    Shape,
    Annotation,
    Training,
    Function,
}

/// What a field holds.
enum Field {
    /// A message with others in it, of so many bytes.
    Holds(Message, usize),
    /// Anything else, of so many bytes.
    Leaf(usize),
    /// Numbers of 8 bytes, each written with one at least.
    Numbers,
}

use Field::{Holds, Leaf, Numbers};

impl Message {
    fn field(self, tag: u32) -> Field {
        let entry = Leaf(size_of::<StringStringEntryProto>());
        match (self, tag) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => {
                Holds(Self::Graph, size_of::<GraphProto>())
            }
            (Self::Model, 20) => Holds(Self::Training, size_of::<TrainingInfoProto>()),
            (Self::Model, 25) => Holds(Self::Function, size_of::<FunctionProto>()),
            (Self::Model, 8) | (Self::Function, 9) => Leaf(size_of::<OperatorSetIdProto>()),
            (Self::Graph, 1) | (Self::Function, 7) => Holds(Self::Node, size_of::<NodeProto>()),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => {
                Holds(Self::Tensor, size_of::<TensorProto>())
            }
            (Self::Graph, 11..=13) => Holds(Self::Value, size_of::<ValueInfoProto>()),
            (Self::Graph, 14) => Holds(Self::Annotation, size_of::<TensorAnnotation>()),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Holds(Self::Sparse, size_of::<SparseTensorProto>()),
            (Self::Node, 5) | (Self::Function, 11) => Holds(Self::Attribute, size_of::<AttributeProto>()),
            (Self::Attribute, 14 | 15) | (Self::Value, 2) => Holds(Self::Type, size_of::<TypeProto>()),
            (Self::Type, 1) => Holds(Self::TensorType, size_of::<TypeProto>()),
            (Self::TensorType, 2) => Holds(Self::Shape, size_of::<TensorShapeProto>()),
            (Self::Shape, 1) => Leaf(size_of::<tensor_shape_proto::Dimension>()),
            (Self::Model, 14) | (Self::Tensor, 13) | (Self::Annotation, 2) | (Self::Training, 3 | 4) => entry,
            (Self::Tensor, 1 | 5 | 7 | 11) | (Self::Attribute, 8) | (Self::Sparse, 3) => Numbers,
            _ => Leaf(size_of::<String>()),
        }
    }
}

/// Messages within messages, at most: what the decoder allows.
const DEEPEST: usize = 100;

/// About how many bytes decoding `onnx` takes, and at most a little more than `most`.
///
/// # Errors
/// When it is no Protocol Buffers message, or one that is nested too deeply.
pub(super) fn of(onnx: &[u8], most: u64) -> TractResult<u64> {
    let mut all = 0;
    add(Message::Model, onnx, most, 0, &mut all)?;
    Ok(all)
}

fn add(message: Message, mut bytes: &[u8], most: u64, depth: usize, all: &mut u64) -> TractResult<()> {
    if depth > DEEPEST {
        bail!("it holds messages within messages within {DEEPEST} messages");
    }
    while bytes.has_remaining() && *all <= most {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes)?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => decode_varint(&mut bytes)?,
            WireType::StartGroup | WireType::EndGroup => bail!("it holds a group"),
        };
        let cut = || format!("a field says that it has {length} bytes, and {} are left", bytes.len());
        let (field, rest) = bytes.split_at_checked(usize::try_from(length)?).with_context(cut)?;
        bytes = rest;
        *all += match message.field(tag) {
            Holds(inner, size) => {
                add(inner, field, most, depth + 1, all)?;
                size as u64
            }
            Leaf(size) => size as u64 + length,
            Numbers => 8 + 8 * length,
        };
    }
    Ok(())
}
