//! Names of values and of nodes.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};
use tract_onnx::tract_core::internal::*;

/// What messages call `node`: its name, or that of an output.
pub(super) fn of(node: &NodeProto) -> &str {
    let mut names = [&node.name].into_iter().chain(&node.output);
    names.find(|name| !name.is_empty()).map_or("without a name", String::as_str)
}

/// Refuses values that two nodes make, of which tract would take one, and takes names away that several nodes have, which
/// is allowed.
pub(super) fn check(graph: &mut GraphProto) -> TractResult<()> {
    let mut values: HashSet<String> = HashSet::new();
    let mut constants = HashSet::new();
    let mut once = |name: &str, makes: &str| {
        if !name.is_empty() && !values.insert(name.to_owned()) {
            bail!("{makes} makes the value {name:?} again: export the network again");
        }
        Ok(())
    };
    graph.input.iter().try_for_each(|input| once(&input.name, "an input"))?;
    for constant in &graph.initializer {
        let also_input = graph.input.iter().any(|input| input.name == constant.name);
        if !constants.insert(&constant.name) || !also_input {
            once(&constant.name, "a constant")?;
        }
    }
    for node in &graph.node {
        let makes = format!("{} {}", node.op_type, of(node));
        node.output.iter().try_for_each(|output| once(output, &makes))?;
    }
    let mut nodes = HashSet::new();
    for node in &mut graph.node {
        let of_a_value = values.contains(&node.name) && node.output.first() != Some(&node.name);
        if of_a_value || !nodes.insert(node.name.clone()) {
            node.name.clear();
        }
        let inner = |it: &mut tract_onnx::pb::AttributeProto| it.g.iter_mut().chain(&mut it.graphs).try_for_each(check);
        node.attribute.iter_mut().try_for_each(inner)?;
    }
    Ok(())
}
