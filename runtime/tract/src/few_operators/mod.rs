//! From a network's file to tract's graph.
//!
//! The networks that the trainer writes are made of a few [operators]. tract's own reader knows two hundred, which no linker
//! can tell from those that are used: a program without it is smaller by a quarter.

mod operators;

use std::collections::HashMap;

use gaitd_onnx::{Constant, Node, Values};
use tract_core::internal::*;

#[cfg(not(feature = "onnx"))]
use crate::wanted::Wanted;

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
    let graph = gaitd_onnx::graph(onnx)?;
    let mut reader = Reader { model: TypedModel::default(), values: HashMap::new() };
    for constant in &graph.constants {
        let value = tensor(constant).with_context(|| format!("constant {}", constant.name))?;
        let outlet = reader.model.add_const(&*constant.name, value)?;
        reader.values.insert(&constant.name, outlet);
    }
    let (window, logits) = graph.ends()?;
    let source = reader.model.add_source(window, f32::fact(input))?;
    reader.values.insert(window, source);
    for node in &graph.nodes {
        let name = node.outputs.first().map_or("", String::as_str);
        reader.node(name, node).with_context(|| format!("{} {name}", node.operator))?;
    }
    let output = reader.value(logits)?;
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
        node.result()?;
        let inputs = node.inputs.iter().map(|input| self.value(input)).collect::<TractResult<TVec<_>>>()?;
        let outlet = operators::wire(&mut self.model, name, node, &inputs)?;
        self.values.insert(name, outlet);
        Ok(())
    }
}

fn tensor(constant: &Constant) -> TractResult<Tensor> {
    let shape = constant.lengths()?;
    match constant.values()? {
        Values::Floats(values) => Tensor::from_shape(&shape, &values),
        Values::Integers(values) => Tensor::from_shape(&shape, &values),
    }
}

#[cfg(test)]
mod tests;
