//! What a network's file says of itself.

use std::collections::{BTreeMap, BTreeSet};

use gaitd_core::ladder::{Answers, NetworkFacts, OutputFacts, Precision, ValueFacts};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Length;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto, tensor_proto, type_proto};

/// Operators that only hand values on, so that what is before them says what they are.
const HANDING_ON: [&str; 6] = ["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"];

/// Operators of networks in 8 bits or fewer.
const QUANTISED: [&str; 3] = ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"];

/// The facts of `graph`.
pub(super) fn of(graph: &mut GraphProto) -> NetworkFacts {
    let inputs = super::open_inputs(graph).map(value).collect();
    let output = |it: &ValueInfoProto| OutputFacts { value: value(it), holds: end(graph, &it.name) };
    let outputs = graph.output.iter().map(output).collect();
    let mut operators = BTreeMap::new();
    count(graph, &mut operators);
    let (mut weights, mut half) = (BTreeSet::new(), false);
    // what is handed out is only looked at
    let looked_at = super::tensors(graph, &mut |tensor| {
        half |= tensor.data_type == tensor_proto::DataType::Float16 as i32;
        if tensor.data_location == Some(tensor_proto::DataLocation::External as i32) {
            let location = tensor.external_data.iter().find(|entry| entry.key == "location");
            weights.extend(location.map(|entry| super::bounds::plain(&entry.value).to_owned()));
        }
        Ok(())
    });
    debug_assert!(looked_at.is_ok(), "nothing of it fails");
    let quantised = operators.keys().any(|name| QUANTISED.contains(&name.as_str()) || name.starts_with("QLinear"));
    let precision = match (quantised, half) {
        (true, _) => Precision::Quantised,
        (false, true) => Precision::Half,
        (false, false) => Precision::Single,
    };
    NetworkFacts { inputs, outputs, operators, weights: weights.into_iter().collect(), precision }
}

fn value(value: &ValueInfoProto) -> ValueFacts {
    let tensor = match value.r#type.as_ref().and_then(|it| it.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => Some(tensor),
        _ => None,
    };
    let length = |axis: &Option<Length>| match axis {
        Some(Length::DimValue(length)) => usize::try_from(*length).ok().filter(|length| *length > 0),
        _ => None,
    };
    ValueFacts {
        name: value.name.clone(),
        data_type: tensor.map_or("no tensor", |tensor| data_type(tensor.elem_type)).to_owned(),
        shape: tensor
            .and_then(|tensor| tensor.shape.as_ref())
            .map(|shape| shape.dim.iter().map(|axis| length(&axis.value)).collect()),
    }
}

/// The name of a `TensorProto.DataType`.
fn data_type(number: i32) -> &'static str {
    match number {
        1 => "float32",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        8 => "string",
        9 => "bool",
        10 => "float16",
        11 => "float64",
        12 => "uint32",
        13 => "uint64",
        16 => "bfloat16",
        _ => "another type",
    }
}

/// What the operators that make the value `name` make of any numbers.
fn end(graph: &GraphProto, name: &str) -> Option<Answers> {
    let mut node = maker(graph, name)?;
    let mut logarithm = false;
    // no chain is longer than the graph, even where it bites its own tail
    for _ in 0..graph.node.len() {
        match node.op_type.as_str() {
            "LogSoftmax" if !logarithm => return Some(Answers::LogProbabilities),
            "Softmax" => return Some(if logarithm { Answers::LogProbabilities } else { Answers::Probabilities }),
            "Log" if !logarithm => logarithm = true,
            handing_on if HANDING_ON.contains(&handing_on) => {}
            _ => return None,
        }
        node = maker(graph, node.input.first()?)?;
    }
    None
}

fn maker<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|output| output == name))
}

fn count(graph: &GraphProto, operators: &mut BTreeMap<String, usize>) {
    for node in &graph.node {
        *operators.entry(node.op_type.clone()).or_default() += 1;
        let inner = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        inner.for_each(|graph| count(graph, operators));
    }
}
