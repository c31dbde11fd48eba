//! Networks of half precision, computed in single precision: most of the processors that gaitd is for have no faster way to
//! compute with 16 bits, and tract does not run each of its operators with them.

use tract_onnx::pb::{GraphProto, TensorProto, ValueInfoProto, type_proto};
use tract_onnx::tract_core::internal::*;

/// `TensorProto.DataType.FLOAT` and `FLOAT16`.
const SINGLE: i32 = 1;
const HALF: i32 = 10;

/// Makes every number of half precision in `graph`, and in the graphs within it, one of single precision.
pub(super) fn widen(graph: &mut GraphProto) -> TractResult<()> {
    super::tensors(graph, &mut |tensor| {
        widen_tensor(tensor);
        Ok(())
    })?;
    widen_types(graph);
    Ok(())
}

fn widen_tensor(tensor: &mut TensorProto) {
    if tensor.data_type != HALF {
        return;
    }
    let raw = tensor.raw_data.as_chunks().0.iter().copied().map(u16::from_le_bytes);
    // where they are no bytes they stand in the lower half of integers
    let bits = raw.chain(tensor.int32_data.iter().map(|&bits| bits as u16));
    tensor.float_data = bits.map(|bits| f16::from_bits(bits).to_f32()).collect();
    tensor.data_type = SINGLE;
    tensor.raw_data.clear();
    tensor.int32_data.clear();
}

fn widen_types(graph: &mut GraphProto) {
    graph.input.iter_mut().chain(&mut graph.output).for_each(widen_value);
    for node in &mut graph.node {
        let casts = node.op_type == "Cast";
        for attribute in &mut node.attribute {
            if casts && attribute.name == "to" && attribute.i == i64::from(HALF) {
                attribute.i = i64::from(SINGLE);
            }
            attribute.g.iter_mut().chain(&mut attribute.graphs).for_each(widen_types);
        }
    }
}

fn widen_value(value: &mut ValueInfoProto) {
    if let Some(type_proto::Value::TensorType(tensor)) = value.r#type.as_mut().and_then(|it| it.value.as_mut())
        && tensor.elem_type == HALF
    {
        tensor.elem_type = SINGLE;
    }
}
