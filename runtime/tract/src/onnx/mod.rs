//! From a network's file to tract's graph, by tract's own reader of ONNX.
//!
//! What a file claims is held against bounds before tract sees it; see [`bounds`].

mod bounded;
mod bounds;
#[cfg(test)]
mod cases;
mod facts;
mod half;
mod names;
mod operators;
mod recurrent;
mod weight;

use std::collections::HashMap;

use gaitd_core::ladder::NetworkFacts;
use prost::Message;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Length};
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, TensorShapeProto, ValueInfoProto, tensor_proto, type_proto};
use tract_onnx::prelude::{Framework, InferenceModelExt};
use tract_onnx::tract_core::internal::*;

use crate::wanted::{Input, Wanted};

/// `TensorProto.DataType` of the floating-point numbers that an input may hold: 32 and 64 bits.
const FLOATS: [i32; 2] = [1, 11];

const NO_GRAPH: &str = "there is no graph in it";

fn decode(onnx: &[u8]) -> TractResult<ModelProto> {
    bounds::check_weight(onnx)?;
    ModelProto::decode(onnx).context("not an ONNX file")
}

/// Reads the network in `onnx`, of which `wanted` is wanted.
///
/// # Errors
/// When it is not ONNX, exceeds a bound, has an operator that tract lacks, or does not have what is wanted.
pub(super) fn read(onnx: &[u8], wanted: &Wanted<'_>) -> TractResult<TypedModel> {
    read_with(onnx, wanted.weights, |graph| {
        choose_output(graph, wanted.output)?;
        choose_inputs(graph, &wanted.inputs)
    })
}

/// Reads the network in `onnx`, whose weights in other files are `weights`, as it is when `choose` has chosen its inputs,
/// their shapes and its outputs.
fn read_with(
    onnx: &[u8],
    weights: &HashMap<String, Vec<u8>>,
    choose: impl FnOnce(&mut GraphProto) -> TractResult<()>,
) -> TractResult<TypedModel> {
    let mut file = decode(onnx)?;
    bounds::check(file.graph.as_ref().context(NO_GRAPH)?, weights)?;
    operators::check(&file)?;
    let graph = file.graph.as_mut().context(NO_GRAPH)?;
    names::check(graph)?;
    tensors(graph, &mut |tensor| fetch(tensor, weights))?;
    half::widen(graph)?;
    choose(graph)?;
    let mut model = bounded::reader().model_for_proto_model(&file)?.into_typed()?;
    recurrent::begin_anew(&mut model);
    bounds::check_values(&model)?;
    bounds::check_work(&model)?;
    Ok(model)
}

/// What the network in `onnx` says of itself.
///
/// # Errors
/// When it is not ONNX, or has an operator that gaitd does not run.
pub(super) fn facts(onnx: &[u8]) -> TractResult<NetworkFacts> {
    let mut file = decode(onnx)?;
    operators::check(&file)?;
    Ok(facts::of(file.graph.as_mut().context(NO_GRAPH)?))
}

/// Hands each constant of `graph` and of the graphs within it to `each`.
fn tensors(graph: &mut GraphProto, each: &mut dyn FnMut(&mut TensorProto) -> TractResult<()>) -> TractResult<()> {
    graph.initializer.iter_mut().try_for_each(&mut *each)?;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(&mut *each)?;
        attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(|graph| tensors(graph, each))?;
    }
    Ok(())
}

/// Brings the values of `tensor` from the file that holds them into it.
fn fetch(tensor: &mut TensorProto, weights: &HashMap<String, Vec<u8>>) -> TractResult<()> {
    if tensor.data_location == Some(tensor_proto::DataLocation::External as i32) {
        tensor.raw_data = bounds::external(tensor, weights)?.to_vec();
        tensor.data_location = None;
        tensor.external_data.clear();
    }
    Ok(())
}

/// Leaves the output that is wanted.
fn choose_output(graph: &mut GraphProto, wanted: Option<&str>) -> TractResult<()> {
    let names: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    match wanted {
        Some(wanted) if !names.iter().any(|name| name == wanted) => {
            bail!("it has no output {wanted:?}; it has {}", names.join(", "))
        }
        None if names.len() != 1 => bail!("name one of its outputs: {}", names.join(", ")),
        Some(wanted) => graph.output.retain(|output| output.name == wanted),
        None => {}
    }
    Ok(())
}

/// The inputs of `graph` that no constant fills.
fn open_inputs(graph: &GraphProto) -> impl Iterator<Item = &ValueInfoProto> {
    let filled = |name: &str| graph.initializer.iter().any(|constant| constant.name == name);
    graph.input.iter().filter(move |input| !filled(&input.name))
}

/// Puts the inputs that are wanted into their order and their shapes.
fn choose_inputs(graph: &mut GraphProto, wanted: &[Input<'_>]) -> TractResult<()> {
    let open: Vec<ValueInfoProto> = open_inputs(graph).cloned().collect();
    let names = || open.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
    if open.len() != wanted.len() {
        bail!(
            "it has {} inputs ({}), and {} are filled: name each with its channels; gaitd keeps no state from one window \
             to the next, so an input that is to hold one cannot be filled",
            open.len(),
            names(),
            wanted.len()
        );
    }
    let mut inputs = Vec::with_capacity(wanted.len());
    for (place, wanted) in wanted.iter().enumerate() {
        let found = wanted.name.map_or(open.get(place), |name| open.iter().find(|input| input.name == name));
        let name = wanted.name.unwrap_or_default();
        let mut input = found.with_context(|| format!("it has no input {name:?}; it has {}", names()))?.clone();
        shape(&mut input, &wanted.shape)?;
        inputs.push(input);
    }
    graph.input = inputs;
    Ok(())
}

/// Gives `input` the lengths `wanted`, which its own must allow.
fn shape(input: &mut ValueInfoProto, wanted: &[usize]) -> TractResult<()> {
    let name = &input.name;
    let value = input.r#type.as_mut().and_then(|it| it.value.as_mut());
    let Some(type_proto::Value::TensorType(tensor)) = value else { bail!("its input {name} is no tensor") };
    if !FLOATS.contains(&tensor.elem_type) {
        bail!(
            "its input {name} is of the data type {}, and gaitd fills floating-point numbers: export it with a float input",
            tensor.elem_type
        );
    }
    let own = tensor.shape.get_or_insert_default();
    let fits = |(own, wanted): (&Dimension, &usize)| match own.value {
        Some(Length::DimValue(length)) => length <= 0 || usize::try_from(length) == Ok(*wanted),
        _ => true,
    };
    if !own.dim.is_empty() && (own.dim.len() != wanted.len() || !own.dim.iter().zip(wanted).all(fits)) {
        let lengths = own.dim.iter().map(|axis| match &axis.value {
            Some(Length::DimValue(length)) => length.to_string(),
            Some(Length::DimParam(name)) => name.clone(),
            None => "?".to_owned(),
        });
        bail!(
            "its input {name} has the shape [{}], and the manifest's layout, channels and window need {wanted:?}",
            lengths.collect::<Vec<_>>().join(", ")
        );
    }
    let axis = |length: &usize| Dimension {
        value: Some(Length::DimValue(i64::try_from(*length).unwrap_or(i64::MAX))),
        ..Dimension::default()
    };
    *own = TensorShapeProto { dim: wanted.iter().map(axis).collect() };
    Ok(())
}
