//! gaitd's reader against tract's own, which knows all of ONNX, and against files that it must refuse.

use super::*;
use gaitd_core::ladder::{Ladder, ModelFiles};
use gaitd_embedded::Embedded;
use gaitd_onnx::{Attribute, FLOAT, Graph, INT64, Model, Value};
use prost::Message;
use tract_onnx::prelude::InferenceModelExt;

/// What `model` makes of some input of the shape `shape`.
fn answer(model: TypedModel, shape: &[usize]) -> Vec<f32> {
    let length = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.37).sin()).collect();
    let input = Tensor::from_shape(shape, &values).unwrap();
    let output = model.into_runnable().unwrap().run(tvec!(input.into())).unwrap();
    output[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
}

/// Both readers make the same of `onnx`, to the bit and in as many steps.
fn assert_agrees(onnx: &[u8], shape: &[usize], what: &str) {
    let ours = read_one(onnx, shape).unwrap().into_optimized().unwrap();
    let mut theirs = tract_onnx::onnx().model_for_read(&mut &*onnx).unwrap();
    theirs.set_input_fact(0, f32::fact(shape).into()).unwrap();
    let theirs = theirs.into_optimized().unwrap();
    assert_eq!(ours.nodes.len(), theirs.nodes.len(), "{what}: {ours}\n{theirs}");
    assert_eq!(answer(ours, shape), answer(theirs, shape), "{what}");
}

#[test]
fn the_shipped_networks_are_what_tract_reads() {
    let manifest = Ladder::manifest_of(&Embedded).unwrap();
    for configuration in &manifest.configurations {
        let onnx = Embedded.read(&configuration.file).unwrap();
        assert_agrees(&onnx, &[1, manifest.task.channels.len(), configuration.resolution.unwrap()], &configuration.id);
    }
}

fn value(name: &str) -> Value {
    Value { name: name.to_owned() }
}

fn floats(name: &str, shape: &[i64]) -> Constant {
    let length = shape.iter().product::<i64>();
    let floats = (0..length).map(|i| (i as f32 * 0.73).cos()).collect();
    Constant { name: name.to_owned(), shape: shape.to_vec(), kind: FLOAT, floats, ..Constant::default() }
}

fn integers(name: &str, integers: &[i64]) -> Constant {
    let raw = integers.iter().flat_map(|integer| integer.to_le_bytes()).collect();
    let shape = vec![integers.len() as i64];
    Constant { name: name.to_owned(), shape, kind: INT64, raw, ..Constant::default() }
}

fn attribute(name: &str, integers: &[i64]) -> Attribute {
    let integer = integers.first().copied().unwrap_or_default();
    Attribute { name: name.to_owned(), integer, integers: integers.to_vec(), ..Attribute::default() }
}

/// A node from `inputs`, a list with spaces, to `output`.
fn node(operator: &str, inputs: &str, output: &str, attributes: &[(&str, &[i64])]) -> Node {
    Node {
        operator: operator.to_owned(),
        inputs: inputs.split(' ').map(str::to_owned).collect(),
        outputs: vec![output.to_owned()],
        attributes: attributes.iter().map(|(name, values)| attribute(name, values)).collect(),
        ..Node::default()
    }
}

/// A file with `nodes`, the last of which has the output.
fn file(constants: Vec<Constant>, nodes: Vec<Node>) -> Vec<u8> {
    let outputs = nodes.last().map(|node| value(&node.outputs[0])).into_iter().collect();
    Model { graph: Some(Graph { nodes, constants, inputs: vec![value("x")], outputs }) }.encode_to_vec()
}

/// tract's reader needs the type of the input, and ours does not look at it.
fn typed(mut onnx: Vec<u8>, shape: &[usize]) -> Vec<u8> {
    use tract_onnx::pb::{
        ModelProto, OperatorSetIdProto, TensorShapeProto, TypeProto, tensor_shape_proto as dims, type_proto as types,
    };
    let mut file = ModelProto::decode(&*onnx).unwrap();
    file.opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    let graph = file.graph.as_mut().unwrap();
    let dim = |&length| dims::Dimension {
        value: Some(dims::dimension::Value::DimValue(length as i64)),
        ..dims::Dimension::default()
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = types::Tensor { elem_type: FLOAT, shape: Some(shape) };
    graph.input[0].r#type = Some(TypeProto { value: Some(types::Value::TensorType(tensor)), ..TypeProto::default() });
    let integer = tract_onnx::pb::attribute_proto::AttributeType::Int as i32;
    let list = tract_onnx::pb::attribute_proto::AttributeType::Ints as i32;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        let one = matches!(&*attribute.name, "group" | "axis" | "ceil_mode" | "storage_order" | "transA" | "transB");
        attribute.r#type = if one { integer } else { list };
        if one { attribute.ints.clear() } else { attribute.i = 0 }
    }
    onnx.clear();
    file.encode(&mut onnx).unwrap();
    onnx
}

/// What it shows, the input's shape, constants and nodes.
type Case<'a> = (&'a str, &'a [usize], Vec<Constant>, Vec<Node>);

#[test]
fn every_operator_is_what_tract_reads() {
    let conv = |attributes: &[(&str, &[i64])]| node("Conv", "x w b", "y", attributes);
    let pool = |attributes: &[(&str, &[i64])]| node("MaxPool", "x", "y", attributes);
    let cases: Vec<Case<'_>> = vec![
        ("a convolution", &[1, 2, 9], vec![floats("w", &[4, 2, 3]), floats("b", &[4])], vec![conv(&[])]),
        ("no bias", &[1, 2, 9], vec![floats("w", &[4, 2, 3])], vec![node("Conv", "x w", "y", &[])]),
        ("one output", &[1, 2, 9], vec![floats("w", &[1, 2, 3]), floats("b", &[1])], vec![conv(&[])]),
        (
            "groups, strides, dilations and uneven padding",
            &[1, 4, 7, 12],
            vec![floats("w", &[6, 2, 2, 3]), floats("b", &[6])],
            vec![conv(&[
                ("group", &[2]),
                ("kernel_shape", &[2, 3]),
                ("strides", &[1, 3]),
                ("dilations", &[2, 1]),
                ("pads", &[0, 1, 1, 2]),
            ])],
        ),
        ("a pool", &[1, 3, 10], vec![], vec![pool(&[("kernel_shape", &[3])])]),
        (
            "a pool that rounds up, with padding",
            &[1, 3, 5, 10],
            vec![],
            vec![pool(&[
                ("kernel_shape", &[2, 3]),
                ("strides", &[2, 2]),
                ("pads", &[0, 1, 0, 1]),
                ("ceil_mode", &[1]),
                ("storage_order", &[0]),
            ])],
        ),
        (
            "a residual block",
            &[1, 2, 8],
            vec![floats("w", &[2, 2, 3]), floats("b", &[2])],
            vec![
                node("Conv", "x w b", "c", &[("pads", &[1, 1])]),
                node("Relu", "c", "r", &[]),
                node("Add", "r x", "y", &[]),
            ],
        ),
        (
            "a sum of different ranks",
            &[1, 2, 4],
            vec![floats("c", &[4])],
            vec![node("Relu", "x", "r", &[]), node("Add", "r c", "y", &[])],
        ),
        (
            "slices from the end, put together",
            &[1, 3, 8],
            vec![integers("s", &[-5]), integers("e", &[1000]), integers("a", &[-1])],
            vec![node("Slice", "x s e a", "p", &[]), node("Concat", "x p", "y", &[("axis", &[-1])])],
        ),
        (
            "a classifier behind a reshape that keeps and infers",
            &[1, 3, 4],
            vec![integers("s", &[0, -1]), floats("w", &[5, 12]), floats("b", &[5])],
            vec![node("Reshape", "x s", "f", &[]), node("Gemm", "f w b", "y", &[("transB", &[1])])],
        ),
        (
            "a product",
            &[1, 3, 4],
            vec![integers("s", &[1, 12]), floats("w", &[12, 5])],
            vec![node("Reshape", "x s", "f", &[]), node("Gemm", "f w", "y", &[])],
        ),
    ];
    for (what, shape, constants, nodes) in cases {
        assert_agrees(&typed(file(constants, nodes), shape), shape, what);
    }
}

#[test]
fn what_gaitd_does_not_know_is_refused_by_name() {
    let weight = || vec![floats("w", &[4, 2, 3]), floats("b", &[4])];
    let conv = |attributes: &[(&str, &[i64])]| vec![node("Conv", "x w b", "y", attributes)];
    let mut short = floats("w", &[4, 2, 3]);
    short.floats.pop();
    let mut double = floats("w", &[4, 2, 3]);
    double.kind = 11;
    let mut elsewhere = conv(&[]);
    elsewhere[0].domain = "com.example".to_owned();
    let mut twice = conv(&[]);
    twice[0].outputs.push("z".to_owned());
    let pool = |attributes: &[(&str, &[i64])]| vec![node("MaxPool", "x", "y", attributes)];
    let slice = vec![node("Slice", "x s e a", "y", &[])];
    let bounds = |start, end, axis| vec![integers("s", &[start]), integers("e", &[end]), integers("a", &[axis])];
    let cases = [
        (
            "LSTM y: gaitd built without the feature `onnx` has no LSTM of 3 inputs; it has Add, Concat",
            file(weight(), vec![node("LSTM", "x w b", "y", &[])]),
        ),
        ("does not know the attribute fancy", file(weight(), conv(&[("fancy", &[1])]))),
        ("no auto_pad but what goes without saying", file(weight(), conv(&[("auto_pad", &[])]))),
        ("kernel_shape is not that of its kernel", file(weight(), conv(&[("kernel_shape", &[5])]))),
        ("strides has a negative length", file(weight(), conv(&[("strides", &[-1])]))),
        ("or a length of 0", file(weight(), conv(&[("strides", &[0])]))),
        ("or a length of 0", file(weight(), conv(&[("pads", &[1])]))),
        ("nothing before it is named w", file(vec![floats("b", &[4])], conv(&[]))),
        ("constant w: its shape is [4, 2, 3], and it has 23 values", file(vec![short, floats("b", &[4])], conv(&[]))),
        ("constant w: it is of data type 11", file(vec![double, floats("b", &[4])], conv(&[]))),
        ("operators of the domain ai.onnx, with one result", file(weight(), elsewhere)),
        ("operators of the domain ai.onnx, with one result", file(weight(), twice)),
        ("it has no kernel_shape", file(vec![], pool(&[]))),
        ("nothing is left of axis 2", file(bounds(9, 3, 2), slice.clone())),
        ("there is no axis -4", file(bounds(0, 3, -4), slice.clone())),
        ("is not a constant", file(vec![], vec![node("Reshape", "x x", "y", &[])])),
        ("one input and one output", file(vec![], vec![])),
        ("there is no graph", Vec::new()),
        ("not an ONNX file", b"PK\x03\x04".to_vec()),
    ];
    for (complaint, onnx) in cases {
        let error = format!("{:#}", read_one(&onnx, &[1, 2, 9]).unwrap_err());
        assert!(error.contains(complaint), "{complaint}: {error}");
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_and_never_panics() {
    let sound = file(
        vec![floats("w", &[4, 2, 3]), floats("b", &[4]), integers("s", &[1, -1])],
        vec![node("Conv", "x w b", "c", &[("strides", &[2]), ("pads", &[1, 1])]), node("Reshape", "c s", "y", &[])],
    );
    read_one(&sound, &[1, 2, 9]).unwrap();
    for at in 0..sound.len() {
        let _ = read_one(&sound[..at], &[1, 2, 9]);
        for bit in 0..8 {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            let _ = read_one(&damaged, &[1, 2, 9]);
        }
    }
}
