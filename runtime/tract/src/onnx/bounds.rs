//! What a file may claim: so many nodes, so many values, values where they are said to be. A file of a few bytes can ask for
//! more memory than there is, and tract would try.

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, TensorProto, tensor_proto};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::scan::{Scan, iteration_count};

use super::weight;
use crate::executor::macs;

/// What is allowed; a fuzzer, which looks for wrong ways and not for long ones, is allowed less.
#[expect(unexpected_cfgs, reason = "cargo-fuzz sets it")]
const fn usual(usual: u64, fuzzed: u64) -> u64 {
    if cfg!(fuzzing) { fuzzed } else { usual }
}

/// The most nodes of a network, those of graphs within it included. The time that tract takes grows with their third power.
const MOST_NODES: u64 = usual(3_000, 100);

/// The most values of one tensor: 256 MiB of float32.
pub(super) const MOST_VALUES: u64 = usual(1 << 26, 1 << 14);

/// The most bytes of all values, and of the file decoded.
const MOST_BYTES: u64 = usual(1 << 30, 1 << 24);

/// The most multiply-accumulates of one window, and the most nodes that one window runs, those of loops each time.
const MOST_MACS: u64 = usual(1 << 32, 1 << 20);
const MOST_STEPS: u64 = usual(1 << 23, 1 << 12);

/// Graphs within graphs, at most.
const DEEPEST: usize = 16;

/// Refuses a file that takes too much memory to decode.
pub(super) fn check_weight(onnx: &[u8]) -> TractResult<()> {
    let weight = weight::of(onnx, MOST_BYTES).context("not an ONNX file")?;
    if weight > MOST_BYTES {
        bail!("it takes more than {} MiB to decode", MOST_BYTES >> 20);
    }
    Ok(())
}

/// Refuses what is too large, weights that are not numbers, and values that are not where they are said to be.
pub(super) fn check(graph: &GraphProto, weights: &HashMap<String, Vec<u8>>) -> TractResult<()> {
    let mut nodes = 0;
    check_graph(graph, weights, &mut nodes, 0)
}

fn check_graph(
    graph: &GraphProto,
    weights: &HashMap<String, Vec<u8>>,
    nodes: &mut u64,
    depth: usize,
) -> TractResult<()> {
    *nodes += graph.node.len() as u64;
    if *nodes > MOST_NODES || depth > DEEPEST {
        bail!("it has more than {MOST_NODES} nodes, or graphs within graphs within {DEEPEST} graphs");
    }
    let constant =
        |tensor: &TensorProto| check_tensor(tensor, weights).with_context(|| format!("weights {}", tensor.name));
    graph.initializer.iter().try_for_each(constant)?;
    for node in &graph.node {
        for attribute in &node.attribute {
            attribute.t.iter().chain(&attribute.tensors).try_for_each(constant)?;
            let mut inner = attribute.g.iter().chain(&attribute.graphs);
            inner.try_for_each(|graph| check_graph(graph, weights, nodes, depth + 1))?;
        }
    }
    Ok(())
}

/// Bytes of one value of a data type, where it has a size.
fn size(data_type: i32) -> Option<usize> {
    Some(match data_type {
        2 | 3 | 9 => 1,
        4 | 5 | 10 | 16 => 2,
        1 | 6 | 12 => 4,
        7 | 11 | 13 => 8,
        _ => return None,
    })
}

fn check_tensor(tensor: &TensorProto, weights: &HashMap<String, Vec<u8>>) -> TractResult<()> {
    let volume = tensor.dims.iter().try_fold(1_u64, |all, &length| all.checked_mul(u64::try_from(length).ok()?));
    let Some(volume) = volume.filter(|it| *it <= MOST_VALUES) else {
        bail!("the shape {:?} has more than {MOST_VALUES} values, or a negative length", tensor.dims);
    };
    let elsewhere = tensor.data_location == Some(tensor_proto::DataLocation::External as i32);
    let raw = if elsewhere { external(tensor, weights)? } else { &tensor.raw_data };
    if let Some(size) = size(tensor.data_type)
        && (elsewhere || !raw.is_empty())
        && raw.len() as u64 != volume * size as u64
    {
        bail!("the shape {:?} needs {} bytes, and there are {}", tensor.dims, volume * size as u64, raw.len());
    }
    let single = raw.as_chunks().0.iter().copied().map(f32::from_le_bytes);
    let none = match tensor.data_type {
        1 => tensor.float_data.iter().copied().chain(single).any(f32::is_nan),
        10 => raw.as_chunks().0.iter().any(|bytes| f16::from_le_bytes(*bytes).is_nan()),
        11 => raw
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(f64::from_le_bytes)
            .chain(tensor.double_data.iter().copied())
            .any(f64::is_nan),
        _ => false,
    };
    if none {
        bail!("some are not numbers (NaN): train or export the network again");
    }
    Ok(())
}

/// The file at `location`, of which `./` in front says nothing.
pub(super) fn plain(location: &str) -> &str {
    location.trim_start_matches("./")
}

/// The values of `tensor`, which stand in one of the files `weights`.
///
/// # Errors
/// When the manifest lists no such file, or it is too short.
pub(super) fn external<'a>(tensor: &TensorProto, weights: &'a HashMap<String, Vec<u8>>) -> TractResult<&'a [u8]> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let location = entry("location").context("they stand in a file without a name")?;
    let file = weights.get(plain(location)).with_context(|| {
        format!("they stand in the file {location:?}, which the manifest does not list among the network's weights")
    })?;
    // what is too large for this processor is beyond the end of every file
    let number = |key: &str| -> TractResult<Option<usize>> {
        let number =
            entry(key).map(str::parse::<u64>).transpose().with_context(|| format!("their {key} is no number"))?;
        Ok(number.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    };
    let (start, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let end = length.map_or(Some(file.len()), |length| start.checked_add(length));
    end.and_then(|end| file.get(start..end)).with_context(|| {
        format!("they stand in bytes {start} to {end:?} of {location:?}, which has {}: it is cut short", file.len())
    })
}

/// Refuses a network whose values would take too much memory.
pub(super) fn check_values(model: &TypedModel) -> TractResult<()> {
    let mut all = 0_u64;
    for value in model.nodes.iter().flat_map(|node| &node.outputs) {
        let bytes = value.fact.mem_size().to_i64().map(i64::unsigned_abs);
        all = all.saturating_add(bytes.unwrap_or(0));
    }
    if all > MOST_BYTES {
        bail!("its values take {} MiB, and {} are allowed", all >> 20, MOST_BYTES >> 20);
    }
    Ok(())
}

/// Refuses a network that one window would keep busy for too long.
pub(super) fn check_work(model: &TypedModel) -> TractResult<()> {
    let (macs, steps) = (macs(model)?, steps(model)?);
    if macs > MOST_MACS || steps > MOST_STEPS {
        bail!(
            "a window takes {macs} multiply-accumulates and {steps} operations, and {MOST_MACS} and {MOST_STEPS} are allowed"
        );
    }
    Ok(())
}

/// How many nodes one run of `model` runs, those of loops each time.
fn steps(model: &TypedModel) -> TractResult<u64> {
    let mut all = model.nodes.len() as u64;
    for node in &model.nodes {
        if let Some(scan) = node.op_as::<Scan>() {
            let runs = iteration_count(&scan.input_mapping, &model.node_input_facts(node.id)?);
            let runs = runs.and_then(|runs| runs.to_i64().ok()).unwrap_or(1).unsigned_abs();
            all = all.saturating_add(runs.saturating_mul(steps(&scan.body)?));
        }
    }
    Ok(all)
}
