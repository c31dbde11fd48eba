//! From a network's file to tract's graph.
//!
//! The networks that the trainer writes are made of a few [operators]. tract's own reader knows two hundred, which no linker
//! can tell from those that are used: a program without it is smaller by a quarter.

mod attributes;
mod message;
mod operators;

use std::collections::HashMap;

use prost::Message;
use tract_core::internal::*;

#[cfg(not(feature = "onnx"))]
use crate::wanted::Wanted;
use message::{Constant, FLOAT, INT64, Model, Node};

/// Reads the network in `onnx`, of which `wanted` is wanted.
///
/// # Errors
/// When it is not ONNX, or has anything that gaitd does not know.
#[cfg(not(feature = "onnx"))]
pub(super) fn read(onnx: &[u8], wanted: &Wanted<'_>) -> TractResult<TypedModel> {
    let [input] = wanted.inputs.as_slice() else {
        bail!("this gaitd is built without the feature `onnx`, and reads networks with one input only");
    };
    if wanted.output.is_some() {
        bail!("this gaitd is built without the feature `onnx`, and reads networks with one output only");
    }
    read_one(onnx, &input.shape)
}

/// Reads the network in `onnx`, whose one input has the shape `input`.
fn read_one(onnx: &[u8], input: &[usize]) -> TractResult<TypedModel> {
    let file = Model::decode(onnx).context("not an ONNX file")?;
    let graph = file.graph.context("there is no graph in it")?;
    let mut reader = Reader { model: TypedModel::default(), values: HashMap::new() };
    for constant in &graph.constants {
        let value = tensor(constant).with_context(|| format!("constant {}", constant.name))?;
        let outlet = reader.model.add_const(&*constant.name, value)?;
        reader.values.insert(&constant.name, outlet);
    }
    let is_constant = |name| graph.constants.iter().any(|constant| constant.name == name);
    let mut inputs = graph.inputs.iter().filter(|value| !is_constant(&*value.name));
    let (Some(window), None, [logits]) = (inputs.next(), inputs.next(), graph.outputs.as_slice()) else {
        bail!("it must have one input and one output");
    };
    let source = reader.model.add_source(&*window.name, f32::fact(input))?;
    reader.values.insert(&window.name, source);
    for node in &graph.nodes {
        let name = node.outputs.first().map_or("", String::as_str);
        reader.node(name, node).with_context(|| format!("{} {name}", node.operator))?;
    }
    let output = reader.value(&logits.name)?;
    reader.model.select_output_outlets(&[output])?;
    Ok(reader.model)
}

/// A graph in the making.
struct Reader<'a> {
    model: TypedModel,
    values: HashMap<&'a str, OutletId>,
}

impl<'a> Reader<'a> {
    fn value(&self, name: &str) -> TractResult<OutletId> {
        self.values.get(name).copied().with_context(|| format!("nothing before it is named {name}"))
    }

    /// Adds `node`, whose result is `name`.
    fn node(&mut self, name: &'a str, node: &'a Node) -> TractResult<()> {
        if !matches!(&*node.domain, "" | "ai.onnx") || node.outputs.len() != 1 {
            bail!("gaitd knows only operators of the domain ai.onnx, with one result");
        }
        let inputs = node.inputs.iter().map(|input| self.value(input)).collect::<TractResult<TVec<_>>>()?;
        let outlet = operators::wire(&mut self.model, name, node, &inputs)?;
        self.values.insert(name, outlet);
        Ok(())
    }
}

fn tensor(constant: &Constant) -> TractResult<Tensor> {
    let shape = constant.shape.iter().map(|&length| Ok(usize::try_from(length)?)).collect::<TractResult<TVec<_>>>()?;
    match constant.kind {
        FLOAT => {
            let raw = constant.raw.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            filled(&shape, constant.floats.iter().copied().chain(raw).collect())
        }
        INT64 => {
            let raw = constant.raw.as_chunks().0.iter().copied().map(i64::from_le_bytes);
            filled(&shape, constant.integers.iter().copied().chain(raw).collect())
        }
        kind => bail!("it is of data type {kind}; gaitd knows 1 (float) and 7 (int64)"),
    }
}

fn filled<T: Datum + Copy>(shape: &[usize], values: Vec<T>) -> TractResult<Tensor> {
    let expected = shape.iter().try_fold(1_usize, |length, &axis| length.checked_mul(axis));
    if expected != Some(values.len()) {
        bail!("its shape is {shape:?}, and it has {} values; gaitd reads no values from other files", values.len());
    }
    Tensor::from_shape(shape, &values)
}

#[cfg(test)]
mod tests;
