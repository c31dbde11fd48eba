//! Recurrent operators: RNN, LSTM and GRU.

use tract_onnx::pb::{AttributeProto, GraphProto};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::gru_seq::GruSeq;
use tract_onnx::tract_core::ops::scan::Scan;

/// Refuses what tract (0.23) reads over, and so would answer wrongly: time run backwards alone, other activations, clipping,
/// coupled gates.
pub(super) fn check(graph: &GraphProto) -> TractResult<()> {
    for node in &graph.node {
        let activations: &[&str] = match &*node.op_type {
            "RNN" => &["Tanh"],
            "LSTM" => &["Sigmoid", "Tanh", "Tanh"],
            "GRU" => &["Sigmoid", "Tanh"],
            _ => &[],
        };
        for attribute in node.attribute.iter().filter(|_| !activations.is_empty()) {
            if !usual(attribute, activations) {
                bail!(
                    "gaitd runs no {} with another {} than the usual (node {}); export the network without it",
                    node.op_type,
                    attribute.name,
                    node.name
                );
            }
        }
        let inner = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        inner.into_iter().try_for_each(check)?;
    }
    Ok(())
}

/// Whether tract does what `attribute` of an operator with these `activations` says.
fn usual(attribute: &AttributeProto, activations: &[&str]) -> bool {
    match &*attribute.name {
        "direction" => attribute.s != b"reverse",
        // once for each direction
        "activations" => attribute.strings.iter().zip(activations.iter().cycle()).all(|(own, it)| own == it.as_bytes()),
        "clip" => false,
        "input_forget" => attribute.i == 0,
        _ => true,
    }
}

/// Lets recurrent operators begin anew with each window: unless told otherwise, they go on where the last run ended.
pub(super) fn begin_anew(model: &mut TypedModel) {
    for node in &mut model.nodes {
        if let Some(scan) = node.op_as_mut::<Scan>() {
            scan.reset_every_turn = true;
        }
        if let Some(gru) = node.op_as_mut::<GruSeq>() {
            gru.reset_every_turn = true;
        }
    }
}
