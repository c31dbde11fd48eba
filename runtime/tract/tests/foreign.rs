//! Networks as other people's exporters write them: operators, layouts, inputs, outputs and weights in other files, and
//! what is wrong with some of them.

use std::path::Path;

use gaitd_core::ladder::{Ladder, LoadError, ModelDirectory, sha256};
use gaitd_tract::Tract;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, tensor_proto, tensor_shape_proto as axes, type_proto,
};

const FLOAT: i32 = 1;
const DOUBLE: i32 = 11;
const INT64: i32 = 7;
const CHANNELS: usize = 3;
const WINDOW: usize = 4;

/// An axis of a length, or one that has only a name.
#[derive(Clone, Copy)]
enum Axis {
    Length(i64),
    Named(&'static str),
}

use Axis::{Length, Named};

fn value(name: &str, kind: i32, shape: &[Axis]) -> ValueInfoProto {
    let axis = |axis: &Axis| axes::Dimension {
        value: Some(match axis {
            Length(length) => axes::dimension::Value::DimValue(*length),
            Named(name) => axes::dimension::Value::DimParam((*name).to_owned()),
        }),
        ..axes::Dimension::default()
    };
    let shape = TensorShapeProto { dim: shape.iter().map(axis).collect() };
    let tensor = type_proto::Tensor { elem_type: kind, shape: Some(shape) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(r#type), ..ValueInfoProto::default() }
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let (dims, float_data) = (dims.to_vec(), values.to_vec());
    TensorProto { name: name.to_owned(), dims, data_type: FLOAT, float_data, ..TensorProto::default() }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    let (dims, int64_data) = (vec![values.len() as i64], values.to_vec());
    TensorProto { name: name.to_owned(), dims, data_type: INT64, int64_data, ..TensorProto::default() }
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, i64)]) -> NodeProto {
    let attribute = |(name, value): &(&str, i64)| AttributeProto {
        name: (*name).to_owned(),
        r#type: AttributeType::Int as i32,
        i: *value,
        ..AttributeProto::default()
    };
    NodeProto {
        op_type: operator.to_owned(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute: attributes.iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}

/// The sum of each channel, minus that of the next one: what the weights below do, whatever the layout.
fn expected(window: &[f32]) -> [f32; 2] {
    let sum = |channel: usize| window[channel * WINDOW..(channel + 1) * WINDOW].iter().sum::<f32>();
    [sum(0) - sum(1), sum(1) - sum(2)]
}

/// The weights of a flattened window, `[2, 12]`, channels or time steps first.
fn weights(time_first: bool) -> Vec<f32> {
    let weight = |label: usize, place: usize| {
        let channel = if time_first { place % CHANNELS } else { place / WINDOW };
        if channel == label {
            1.0
        } else if channel == label + 1 {
            -1.0
        } else {
            0.0
        }
    };
    (0..2).flat_map(|label| (0..CHANNELS * WINDOW).map(move |place| weight(label, place))).collect()
}

/// A network that flattens its input `x` and multiplies it with the weights `w`.
fn network(shape: &[Axis], time_first: bool) -> GraphProto {
    GraphProto {
        node: vec![node("Flatten", &["x"], "f", &[("axis", 1)]), node("Gemm", &["f", "w"], "y", &[("transB", 1)])],
        initializer: vec![floats("w", &[2, 12], &weights(time_first))],
        input: vec![value("x", FLOAT, shape)],
        output: vec![value("y", FLOAT, &[Named("N"), Length(2)])],
        ..GraphProto::default()
    }
}

fn plain() -> GraphProto {
    network(&[Length(1), Length(3), Length(4)], false)
}

fn file(graph: GraphProto) -> Vec<u8> {
    of_opset(graph, 17)
}

fn of_opset(graph: GraphProto, version: i64) -> Vec<u8> {
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version }];
    ModelProto { ir_version: 8, opset_import, graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
}

const WINDOWS: [[f32; 12]; 2] = [[0.5, -1.0, 2.0, 0.25, 1.0, 1.5, -0.5, 3.0, -2.0, 0.0, 1.0, 4.0], [1.0; 12]];

/// A model directory of the network `onnx`, of which `more` is said.
fn model(onnx: &[u8], more: &Value) -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("net.onnx"), onnx).unwrap();
    let channels: Vec<Value> = ["x", "y", "z"].map(|axis| json!({"name": format!("acc_{axis}"), "unit": "g"})).into();
    let mut configuration = json!({"id": "net", "file": "net.onnx", "sha256": sha256(onnx)});
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let manifest = json!({
        "schema": 3,
        "name": "foreign",
        "task": {
            "labels": ["walking", "sitting"], "channels": channels, "sample_rate_hz": 50.0, "window": WINDOW, "hop": 2,
            "input": {"channels": channels, "conditioning": []},
        },
        "training": {},
        "configurations": [configuration],
    });
    std::fs::write(directory.path().join("manifest.json"), manifest.to_string()).unwrap();
    let windows: Vec<Vec<&[f32]>> = WINDOWS.iter().map(|window| window.chunks(WINDOW).collect()).collect();
    let logits: Vec<_> = WINDOWS.iter().map(|window| expected(window)).collect();
    let golden = json!({"schema": 2, "reference": "by hand", "windows": windows, "logits": {"net": logits}});
    std::fs::write(directory.path().join("golden.json"), golden.to_string()).unwrap();
    directory
}

/// Makes `logits` the golden ones of the model in `directory`.
fn expect(directory: &Path, logits: &Value) {
    let path = directory.join("golden.json");
    let mut golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    golden["logits"]["net"] = logits.clone();
    std::fs::write(&path, golden.to_string()).unwrap();
}

fn load(directory: &Path) -> Result<Ladder, LoadError> {
    Ladder::load(&ModelDirectory::new(directory), &[&Tract])
}

/// The golden vectors hold, so the network was fed and read as it should be.
fn runs(onnx: &[u8], more: &Value) -> Ladder {
    load(model(onnx, more).path()).unwrap_or_else(|error| panic!("{more}: {error}"))
}

fn refused(onnx: &[u8], more: &Value, why: &str) {
    let error = load(model(onnx, more).path()).err().unwrap_or_else(|| panic!("{why}: it was loaded")).to_string();
    assert!(error.contains(why), "{why}: {error}");
}

#[test]
fn every_layout_is_fed_as_the_network_reads_it() {
    let n = Named("batch");
    let [c, t, both] = [3, 4, 12].map(Length);
    let layouts: [(&str, &[Axis], bool); 10] = [
        ("1,C,T", &[Length(1), c, t], false),
        ("1,C,T", &[n, c, t], false),
        ("1,C,T", &[n, Named("channels"), Named("time")], false),
        ("1,T,C", &[n, t, c], true),
        ("1,1,C,T", &[n, Length(1), c, t], false),
        ("1,1,T,C", &[Length(1), Length(1), t, c], true),
        ("1,C,T,1", &[n, c, t, Length(1)], false),
        ("1,T,1,C", &[n, t, Length(1), c], true),
        ("1,C*T", &[n, both], false),
        ("1,T*C", &[n, both], true),
    ];
    for (layout, shape, time_first) in layouts {
        let ladder = runs(&file(network(shape, time_first)), &json!({"inputs": [{"layout": layout}]}));
        let configuration = &ladder.configurations()[0];
        assert_eq!((configuration.macs, configuration.parameters), (24, 24), "{layout}");
    }
    let more = json!({"inputs": [{"layout": "1,T,C"}]});
    refused(&file(plain()), &more, "its input x has the shape [1, 3, 4], and the manifest's layout");
    let batch = file(network(&[Length(32), c, t], false));
    refused(&batch, &json!({}), "its input x has the shape [32, 3, 4]");
}

#[test]
fn channels_are_picked_and_ordered_for_each_input() {
    // one input for z and y, one for x: both flattened and put together as x, y, z
    let mut graph = plain();
    graph.input = vec![
        value("zy", FLOAT, &[Length(1), Length(2), Length(4)]),
        value("x", FLOAT, &[Named("N"), Length(4), Length(1)]),
    ];
    graph.node = vec![
        node("Flatten", &["zy"], "g", &[("axis", 1)]),
        node("Flatten", &["x"], "e", &[("axis", 1)]),
        node("Concat", &["e", "g"], "f", &[("axis", 1)]),
        node("Gemm", &["f", "w"], "y", &[("transB", 1)]),
    ];
    // of z and y in this order
    let mut weights = weights(false);
    for row in weights.chunks_mut(12) {
        let (y, z) = row[4..].split_at_mut(4);
        y.swap_with_slice(z);
    }
    graph.initializer = vec![floats("w", &[2, 12], &weights)];
    let inputs = json!({"inputs": [
        {"name": "x", "channels": ["acc_x"], "layout": "1,T,C"},
        {"name": "zy", "channels": ["acc_z", "acc_y"]},
    ]});
    runs(&file(graph.clone()), &inputs);
    refused(&file(graph.clone()), &json!({}), "it has 2 inputs (zy, x), and 1 are filled");
    let other = json!({"inputs": [{"name": "x", "channels": ["acc_x"], "layout": "1,T,C"}, {"name": "gyro", "channels": ["acc_y"]}]});
    refused(&file(graph.clone()), &other, "it has no input \"gyro\"; it has zy, x");
    // a state would have to be carried from window to window
    let mut stateful = plain();
    stateful.input.push(value("hidden", FLOAT, &[Length(1), Length(8)]));
    refused(&file(stateful), &json!({}), "keeps no state from one window to the next");
}

#[test]
fn an_output_is_named_where_there_are_several_and_probabilities_become_logits() {
    let mut graph = plain();
    graph.output.push(value("f", FLOAT, &[Length(1), Length(12)]));
    runs(&file(graph.clone()), &json!({"output": {"name": "y"}}));
    refused(&file(graph.clone()), &json!({}), "name one of its outputs: y, f");
    refused(&file(graph.clone()), &json!({"output": {"name": "z"}}), "it has no output \"z\"; it has y, f");
    refused(
        &file(graph),
        &json!({"output": {"name": "f"}}),
        "the manifest's 2 labels need a floating-point number each",
    );
    // e to the power of the logits stands for probabilities, their logarithm for logits again
    let mut graph = plain();
    graph.node[1].output[0] = "l".to_owned();
    graph.node.push(node("Exp", &["l"], "y", &[]));
    runs(&file(graph.clone()), &json!({"output": {"holds": "probabilities"}}));
    refused(&file(graph), &json!({}), "golden window 0: logits differ");
}

#[test]
fn a_network_of_half_precision_is_computed_in_single_precision() {
    const HALF: i32 = 10;
    // 1, 0 and -1 as 16 bits
    let bits = |weight: &f32| {
        if *weight == 0.0 {
            0
        } else if *weight > 0.0 {
            0x3c00
        } else {
            0xbc00_u16
        }
    };
    let mut graph = plain();
    graph.input = vec![value("x", HALF, &[Length(1), Length(3), Length(4)])];
    graph.output = vec![value("y", HALF, &[Length(1), Length(2)])];
    let mut integers = graph.clone();
    integers.initializer[0].data_type = HALF;
    let weights = std::mem::take(&mut integers.initializer[0].float_data);
    integers.initializer[0].int32_data = weights.iter().map(|weight| i32::from(bits(weight))).collect();
    runs(&file(integers.clone()), &json!({}));
    let mut raw = integers;
    raw.initializer[0].int32_data.clear();
    raw.initializer[0].raw_data = weights.iter().flat_map(|weight| bits(weight).to_le_bytes()).collect();
    raw.node.insert(0, node("Cast", &["x"], "h", &[("to", i64::from(HALF))]));
    raw.node[1].input[0] = "h".to_owned();
    runs(&file(raw), &json!({}));
}

/// A network of the recurrent `operator`, whose hidden state of one number after a window is `y[0]`, and half of it `y[1]`.
/// Each gate sees the first channel times 0.5 and the hidden state times 0.75.
fn recurrent(operator: &str, gates: i64) -> GraphProto {
    let mut graph = plain();
    let mut cell = node(operator, &["t", "i", "r"], "", &[("hidden_size", 1)]);
    cell.output.push("h".to_owned());
    graph.node = vec![
        along("Transpose", "x", "t", "perm", &[2, 0, 1]),
        cell,
        node("Flatten", &["h"], "f", &[("axis", 1)]),
        node("Gemm", &["f", "w"], "y", &[("transB", 1)]),
    ];
    graph.initializer = vec![
        floats("i", &[1, gates, 3], &[0.5, 0.0, 0.0].repeat(gates as usize)),
        floats("r", &[1, gates, 1], &vec![0.75; gates as usize]),
        floats("w", &[2, 1], &[1.0, 0.5]),
    ];
    graph
}

#[test]
fn a_recurrent_network_begins_anew_with_each_window() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    // (hidden state, cell state) after one more step, in which every gate sees the same
    type Step = fn(&dyn Fn(f64) -> f64, f64, (f64, f64)) -> (f64, f64);
    let rnn: Step = |_, x, (h, _)| ((0.5 * x + 0.75 * h).tanh(), 0.0);
    let lstm: Step = |sigmoid, x, (h, c)| {
        let gate = 0.5 * x + 0.75 * h;
        let c = sigmoid(gate) * c + sigmoid(gate) * gate.tanh();
        (sigmoid(gate) * c.tanh(), c)
    };
    let gru: Step = |sigmoid, x, (h, _)| {
        let gate = sigmoid(0.5 * x + 0.75 * h);
        ((1.0 - gate) * (0.5 * x + 0.75 * gate * h).tanh() + gate * h, 0.0)
    };
    // at each step each gate weighs three channels and the hidden state; the gates of a GRU are not put together, and what
    // two of them weigh alike is computed once
    for (operator, gates, step, weighed) in [("RNN", 1, rnn, 4), ("LSTM", 4, lstm, 16), ("GRU", 3, gru, 5)] {
        let directory = model(&file(recurrent(operator, gates)), &json!({}));
        let hidden = |window: &[f32; 12]| {
            window[..WINDOW].iter().fold((0.0, 0.0), |state, x| step(&sigmoid, f64::from(*x), state)).0
        };
        let logits: Vec<_> = WINDOWS.iter().map(|window| [hidden(window), 0.5 * hidden(window)]).collect();
        expect(directory.path(), &json!(logits));
        let ladder = load(directory.path()).unwrap_or_else(|error| panic!("{operator}: {error}"));
        assert_eq!(ladder.configurations()[0].macs, WINDOW as u64 * weighed + 2, "{operator}");
        let (mut runner, mut first, mut again) = (ladder.runner().unwrap(), [0.0; 2], [0.0; 2]);
        runner.infer(0, &WINDOWS[0], &mut first).unwrap();
        runner.infer(0, &WINDOWS[1], &mut again).unwrap();
        runner.infer(0, &WINDOWS[0], &mut again).unwrap();
        assert_eq!(first, again, "{operator}");
    }
}

/// An attribute: a whole number, a fraction, a text, or some of one of them.
fn attribute(name: &str, value: &Value) -> AttributeProto {
    let mut attribute = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Value::Number(number) if number.is_i64() => {
            (attribute.r#type, attribute.i) = (AttributeType::Int as i32, number.as_i64().unwrap());
        }
        Value::Number(number) => {
            (attribute.r#type, attribute.f) = (AttributeType::Float as i32, number.as_f64().unwrap() as f32);
        }
        Value::String(text) => {
            (attribute.r#type, attribute.s) = (AttributeType::String as i32, text.clone().into_bytes());
        }
        Value::Array(values) => {
            attribute.r#type = if values[0].is_string() { AttributeType::Strings } else { AttributeType::Ints } as i32;
            for value in values {
                attribute.ints.extend(value.as_i64());
                attribute.strings.extend(value.as_str().map(|text| text.as_bytes().to_vec()));
            }
        }
        _ => panic!("{value} is no attribute"),
    }
    attribute
}

/// A network whose last node is of `operator` with `attributes`, of which more than the window and the weights go in.
fn ends_with(operator: &str, domain: &str, attributes: &Value, inputs: &[&str]) -> GraphProto {
    let mut graph = plain();
    graph.node[1].output[0] = "l".to_owned();
    let mut last = NodeProto { name: "last".to_owned(), domain: domain.to_owned(), ..node(operator, inputs, "y", &[]) };
    last.attribute = attributes.as_object().unwrap().iter().map(|(name, value)| attribute(name, value)).collect();
    graph.node.push(last);
    graph
}

/// A node of one input, which `name` tells the `axes`.
fn along(operator: &str, input: &str, output: &str, name: &str, axes: &[i64]) -> NodeProto {
    let mut node = node(operator, &[input], output, &[]);
    node.attribute.push(attribute(name, &json!(axes)));
    node
}

#[test]
fn each_time_step_attends_to_all() {
    let [query, key, value_of]: [[f32; 6]; 3] =
        [[0.5, -0.25, 0.25, 1.0, -0.5, 0.75], [1.0, 0.5, -0.75, 0.25, 0.5, -1.0], [2.0, 0.0, 1.0, -1.0, -0.5, 1.5]];
    let mut graph = plain();
    graph.node = vec![
        along("Transpose", "x", "t", "perm", &[0, 2, 1]),
        node("MatMul", &["t", "wq"], "q", &[]),
        node("MatMul", &["t", "wk"], "k", &[]),
        node("MatMul", &["t", "wv"], "v", &[]),
        along("Transpose", "k", "kt", "perm", &[0, 2, 1]),
        node("MatMul", &["q", "kt"], "s", &[]),
        node("Softmax", &["s"], "a", &[("axis", -1)]),
        node("MatMul", &["a", "v"], "o", &[]),
        along("ReduceMean", "o", "y", "axes", &[1]),
    ];
    graph.node[8].attribute.extend(node("", &[], "", &[("keepdims", 0)]).attribute);
    graph.initializer =
        [("wq", query), ("wk", key), ("wv", value_of)].map(|(name, weights)| floats(name, &[3, 2], &weights)).into();
    let directory = model(&file(graph), &json!({}));
    let attend = |window: &[f32; 12]| {
        let project = |weights: &[f32; 6], step: usize| {
            [0, 1].map(|to| {
                (0..CHANNELS)
                    .map(|c| f64::from(window[c * WINDOW + step]) * f64::from(weights[2 * c + to]))
                    .sum::<f64>()
            })
        };
        let mut logits = [0.0; 2];
        for step in 0..WINDOW {
            let query = project(&query, step);
            let weight = |other: usize| {
                let key = project(&key, other);
                (query[0] * key[0] + query[1] * key[1]).exp()
            };
            let sum: f64 = (0..WINDOW).map(weight).sum();
            for other in 0..WINDOW {
                let value = project(&value_of, other);
                for (logit, value) in logits.iter_mut().zip(value) {
                    *logit += weight(other) / sum * value / WINDOW as f64;
                }
            }
        }
        logits
    };
    expect(directory.path(), &json!(WINDOWS.map(|window| attend(&window))));
    load(directory.path()).unwrap();
}

#[test]
fn what_tract_reads_over_is_refused() {
    let cases = [
        ("LSTM", json!({"direction": "reverse"}), "the direction reverse alone (node last); export both directions"),
        ("GRU", json!({"direction": "reverse"}), "the direction reverse alone"),
        ("RNN", json!({"clip": 3.0}), "clip (node last); export the network without it"),
        ("LSTM", json!({"input_forget": 1}), "input_forget"),
        ("LSTM", json!({"activations": ["Sigmoid", "Relu", "Tanh"]}), "other activations than the usual"),
        ("GRU", json!({"activations": ["Sigmoid", "Tanh", "Sigmoid", "Relu"]}), "other activations than the usual"),
        ("RNN", json!({"activations": ["Relu"]}), "another activation than Tanh"),
        (
            "BatchNormalization",
            json!({"training_mode": 1}),
            "training_mode 1 (node last); export the network in evaluation",
        ),
        ("Attention", json!({"left_window_size": 3}), "a window"),
        ("Attention", json!({"left_window_size": -1, "right_window_size": 0}), "a window"),
        ("Swish", json!({"alpha": 1.5}), "another alpha than 1"),
        ("Celu", json!({"alpha": 0.5}), "another alpha than 1"),
        ("SpaceToDepth", json!({"blocksize": 2, "mode": "CRD"}), "another mode than DCR"),
        ("QuantizeLinear", json!({"output_dtype": 3}), "output_dtype and no zero point"),
        ("LRN", json!({"size": 4}), "an even size"),
        ("MaxPool", json!({"kernel_shape": [3], "auto_pad": "SAME_UPPER", "pads": [0, 0]}), "both pads and auto_pad"),
        ("Conv", json!({"auto_pad": "VALID", "pads": [1, 1]}), "both pads and auto_pad"),
        (
            "GridSample",
            json!({"mode": "cubic", "padding_mode": "border"}),
            "both a cubic mode and the padding_mode border",
        ),
        (
            "Resize",
            json!({"mode": "cubic", "coordinate_transformation_mode": "half_pixel_symmetric"}),
            "both the mode cubic and half_pixel_symmetric",
        ),
    ];
    for (operator, attributes, why) in cases {
        let onnx = of_opset(ends_with(operator, "", &attributes, &["l", "w"]), 28);
        refused(&onnx, &json!({}), &format!("gaitd runs no {operator} with {why}"));
    }
    let past = ends_with("Attention", "", &json!({"is_causal": 1}), &["l", "w", "w", "", "p", "p"]);
    refused(&of_opset(past, 24), &json!({}), "no Attention with both is_causal and past keys");
    let onward =
        ends_with("MultiHeadAttention", "com.microsoft", &json!({"num_heads": 2, "unidirectional": 1}), &["l"]);
    refused(&file(onward), &json!({}), "no MultiHeadAttention with unidirectional 1");
    let labels = json!({"post_transform": "SOFTMAX", "classlabels_int64s": [0, 1]});
    let trees = ends_with("TreeEnsembleClassifier", "ai.onnx.ml", &labels, &["l"]);
    refused(&file(trees), &json!({}), "the post_transform SOFTMAX for two labels");
    let resize = ends_with("Resize", "", &json!({}), &["l", "w"]);
    refused(&of_opset(resize, 10), &json!({}), "no Resize with the operator's form before opset 11");
    let scan = ends_with("Scan", "", &json!({"num_scan_inputs": 1}), &["l", "w"]);
    refused(&of_opset(scan, 8), &json!({}), "no Scan with the operator's form before opset 9");
}

#[test]
fn attributes_that_gaitd_does_not_know_are_refused() {
    let unknown = |operator: &str, attributes: &Value, opset: i64, why: &str| {
        refused(&of_opset(ends_with(operator, "", attributes, &["l"]), opset), &json!({}), why);
    };
    unknown("Relu", &json!({"slope": 0.1}), 17, "no attribute slope of Relu in opset 17 (node last)");
    // an input since opset 11, and tract looks for it there
    unknown("Clip", &json!({"min": 0.0}), 11, "no attribute min of Clip in opset 11 (node last)");
    unknown("Squeeze", &json!({"axes": [0]}), 13, "no attribute axes of Squeeze in opset 13");
    // the same name means another operator elsewhere, and one is only for ONNX Runtime
    let other = ends_with("Attention", "com.microsoft", &json!({"num_heads": 2}), &["l", "w", "w"]);
    refused(&file(other), &json!({}), "cannot run the operator Attention of com.microsoft (node last)");
    unknown("GlobalLpPool", &json!({"p": 2}), 17, "cannot run the operator GlobalLpPool (node last)");
    let mut graph = plain();
    graph.node[1].output[0] = "l".to_owned();
    let mut clip = node("Clip", &["l"], "y", &[]);
    clip.attribute = vec![attribute("min", &json!(-100.0)), attribute("max", &json!(100.0))];
    graph.node.push(clip);
    load(model(&of_opset(graph, 10), &json!({})).path()).unwrap();
}

fn with_graphs(mut node: NodeProto, graphs: &[(&str, &GraphProto)]) -> NodeProto {
    let attribute = |(name, graph): &(&str, &GraphProto)| AttributeProto {
        name: (*name).to_owned(),
        r#type: AttributeType::Graph as i32,
        g: Some((*graph).clone()),
        ..AttributeProto::default()
    };
    node.attribute.extend(graphs.iter().map(attribute));
    node
}

#[test]
fn recurrent_operators_within_branches_begin_anew_with_each_window() {
    let mut graph = recurrent("RNN", 1);
    let cell = graph.node.remove(1);
    // of the same answer; the first condition is known beforehand, and then tract has the branch without the condition
    let branch = |last: NodeProto| GraphProto {
        node: vec![cell.clone(), last],
        output: vec![value("o", FLOAT, &[Length(1), Length(1), Length(1)])],
        ..GraphProto::default()
    };
    let branches = [branch(node("Identity", &["h"], "o", &[])), branch(node("Add", &["h", "zero"], "o", &[]))];
    let branches = [("then_branch", &branches[0]), ("else_branch", &branches[1])];
    graph.initializer.extend([floats("zero", &[1], &[0.0]), floats("seven", &[], &[7.0])]);
    let hidden =
        |window: &[f32; 12]| window[..WINDOW].iter().fold(0.0, |h: f64, x| (0.5 * f64::from(*x) + 0.75 * h).tanh());
    for condition in ["zero", "x"] {
        let mut graph = graph.clone();
        let nodes = [
            node("ReduceSum", &[condition], "s", &[("keepdims", 0)]),
            node("Greater", &["s", "seven"], "large", &[]),
            with_graphs(node("If", &["large"], "h", &[]), &branches),
        ];
        graph.node.splice(1..1, nodes);
        let directory = model(&file(graph), &json!({}));
        expect(directory.path(), &json!(WINDOWS.map(|window| [hidden(&window), 0.5 * hidden(&window)])));
        let ladder = load(directory.path()).unwrap();
        let (mut runner, mut first, mut again) = (ladder.runner().unwrap(), [0.0; 2], [0.0; 2]);
        for answer in [&mut first, &mut again] {
            runner.infer(0, &WINDOWS[0], answer).unwrap();
        }
        assert_eq!(first, again, "{condition}");
    }
}

#[test]
fn the_work_of_loops_is_counted_each_time_and_one_within_another_is_refused() {
    // each time step, the channels times 0.5 and summed up, and what was before
    let body = GraphProto {
        node: vec![
            node("MatMul", &["step", "half"], "p", &[]),
            node("Add", &["p", "before"], "after", &[]),
            node("Identity", &["after"], "o", &[]),
        ],
        initializer: vec![floats("half", &[3, 1], &[0.5; 3])],
        input: vec![value("before", FLOAT, &[Length(1), Length(1)]), value("step", FLOAT, &[Length(1), Length(3)])],
        output: vec![value("after", FLOAT, &[Length(1), Length(1)]), value("o", FLOAT, &[Length(1), Length(1)])],
        ..GraphProto::default()
    };
    let scan = |body: &GraphProto| {
        let mut graph = plain();
        let mut time_first = node("Transpose", &["x"], "t", &[]);
        time_first.attribute.push(attribute("perm", &json!([2, 0, 1])));
        let mut scan = with_graphs(node("Scan", &["zero", "t"], "end", &[("num_scan_inputs", 1)]), &[("body", body)]);
        scan.output.push("a".to_owned());
        let flat = node("Reshape", &["a", "flat"], "f", &[]);
        graph.node = vec![time_first, scan, flat, node("Gemm", &["f", "w"], "y", &[("transB", 1)])];
        let pick = floats("w", &[2, 4], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        graph.initializer = vec![floats("zero", &[1, 1], &[0.0]), integers("flat", &[1, 4]), pick];
        file(graph)
    };
    let directory = model(&scan(&body), &json!({}));
    let sum = |window: &[f32; 12], steps: usize| {
        (0..3).flat_map(|channel| &window[channel * WINDOW..channel * WINDOW + steps]).sum::<f32>() / 2.0
    };
    expect(directory.path(), &json!(WINDOWS.map(|window| [sum(&window, 1), sum(&window, WINDOW)])));
    assert_eq!(load(directory.path()).unwrap().configurations()[0].macs, 4 * 3 + 8);
    let mut inner = body;
    inner.node[2] = node("LSTM", &["p", "i", "r"], "o", &[]);
    refused(&scan(&inner), &json!({}), "gaitd runs no LSTM with a Scan around it (node o)");
}

#[test]
fn nodes_may_have_the_name_of_another_and_values_may_not() {
    let mut graph = plain();
    graph.node[1].output[0] = "l".to_owned();
    graph.initializer.push(floats("zero", &[1], &[0.0]));
    for (from, to) in [("l", "m"), ("m", "y")] {
        let mut gemm = node("Gemm", &[from, "identity", "zero"], to, &[("transB", 1)]);
        // tract makes nodes of it for both, and names them after it
        gemm.attribute.extend([attribute("alpha", &json!(0.5)), attribute("beta", &json!(2.0))]);
        gemm.name = "w".to_owned();
        graph.node.push(gemm);
    }
    graph.initializer.push(floats("identity", &[2, 2], &[2.0, 0.0, 0.0, 2.0]));
    runs(&file(graph.clone()), &json!({}));
    graph.node[3].output[0] = "l".to_owned();
    refused(&file(graph), &json!({}), "Gemm w makes the value \"l\" again");
    let mut graph = plain();
    graph.initializer.push(floats("w", &[1], &[0.0]));
    refused(&file(graph), &json!({}), "a constant makes the value \"w\" again");
}

#[test]
fn a_window_is_normalised_before_the_network_reads_it() {
    let directory = model(&file(plain()), &json!({}));
    let edit = |name: &str, change: &dyn Fn(&mut Value)| {
        let path = directory.path().join(name);
        let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(&path, value.to_string()).unwrap();
    };
    let hash = load(directory.path()).unwrap().model_hash().to_owned();
    edit("manifest.json", &|manifest| {
        manifest["task"]["normalisation"] = json!({"method": "centre", "over": "window"});
    });
    // each channel's sum less four times the mean of all: the differences stay
    let ladder = load(directory.path()).unwrap();
    assert_ne!(ladder.model_hash(), hash);
    edit("manifest.json", &|manifest| manifest["task"]["normalisation"]["over"] = json!("channel"));
    assert!(load(directory.path()).err().unwrap().to_string().contains("golden window 0"));
    edit("golden.json", &|golden| golden["logits"]["net"] = json!([[0.0, 0.0], [0.0, 0.0]]));
    load(directory.path()).unwrap();
    edit("manifest.json", &|manifest| manifest["schema"] = json!(2));
    assert!(load(directory.path()).err().unwrap().to_string().contains("task.normalisation belongs to schema 3"));
}

#[test]
fn numbers_of_other_kinds_go_in_and_come_out() {
    let mut graph = plain();
    graph.input = vec![value("x", DOUBLE, &[Length(1), Length(3), Length(4)])];
    graph.node.insert(0, node("Cast", &["x"], "s", &[("to", i64::from(FLOAT))]));
    graph.node[1].input[0] = "s".to_owned();
    graph.node[2].output[0] = "l".to_owned();
    graph.node.push(node("Cast", &["l"], "y", &[("to", i64::from(DOUBLE))]));
    graph.output = vec![value("y", DOUBLE, &[Length(1), Length(2)])];
    runs(&file(graph), &json!({}));
    let mut graph = plain();
    graph.input = vec![value("x", INT64, &[Length(1), Length(3), Length(4)])];
    refused(&file(graph), &json!({}), "its input x is of the data type 7");
}

#[test]
fn weights_in_another_file_are_read_where_the_manifest_vouches_for_it() {
    let beside: Vec<u8> = [0_f32; 5].iter().chain(&weights(false)).flat_map(|weight| weight.to_le_bytes()).collect();
    let stored = |location: &str, offset: &str, length: &str| {
        let mut graph = plain();
        let entry =
            |(key, value): (&str, &str)| StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
        graph.initializer[0].float_data.clear();
        graph.initializer[0].data_location = Some(tensor_proto::DataLocation::External as i32);
        graph.initializer[0].external_data =
            [("location", location), ("offset", offset), ("length", length)].map(entry).into();
        file(graph)
    };
    let vouched = json!({"weights": [{"file": "net.data", "sha256": sha256(&beside)}]});
    let with = |onnx: &[u8], more: &Value, beside: &[u8]| {
        let directory = model(onnx, more);
        std::fs::write(directory.path().join("net.data"), beside).unwrap();
        load(directory.path()).map(drop).map_err(|error| error.to_string())
    };
    let sound = stored("net.data", "20", "96");
    assert_eq!(with(&sound, &vouched, &beside), Ok(()));
    assert_eq!(with(&stored("./net.data", "20", "96"), &vouched, &beside), Ok(()));
    let why = |onnx: &[u8], more: &Value, beside: &[u8]| with(onnx, more, beside).unwrap_err();
    assert!(why(&sound, &json!({}), &beside).contains("which the manifest does not list among the network's weights"));
    assert!(why(&sound, &vouched, &beside[4..]).contains("SHA-256 is"));
    let short = json!({"weights": [{"file": "net.data", "sha256": sha256(&beside[4..])}]});
    assert!(why(&sound, &short, &beside[4..]).contains("it is cut short"));
    assert!(why(&stored("net.data", "20", "92"), &vouched, &beside).contains("needs 96 bytes, and there are 92"));
    assert!(why(&stored("net.data", "18446744073709551615", "96"), &vouched, &beside).contains("cut short"));
    for outside in ["../net.data", "/etc/passwd", "sub/net.data"] {
        assert!(why(&stored(outside, "0", "96"), &vouched, &beside).contains("does not list"), "{outside}");
    }
    let outside = json!({"weights": [{"file": "../net.data", "sha256": sha256(&beside)}]});
    assert!(why(&stored("../net.data", "20", "96"), &outside, &beside).contains("must be the plain name of a file"));
    refused(&sound, &vouched, "cannot read");
}

#[test]
fn what_cannot_be_run_is_refused_by_its_cause() {
    let last = |operator: &str, domain: &str| {
        let mut graph = plain();
        graph.node[1].output[0] = "l".to_owned();
        graph.node.push(NodeProto { domain: domain.to_owned(), ..node(operator, &["l"], "y", &[]) });
        file(graph)
    };
    refused(
        &last("Nonsense", ""),
        &json!({}),
        "cannot run the operator Nonsense (node y); export the network without it",
    );
    refused(&last("Relu", "com.example"), &json!({}), "cannot run the operator Relu of com.example (node y)");
    let mut graph = plain();
    graph.initializer[0].float_data[3] = f32::NAN;
    refused(&file(graph), &json!({}), "weights w: some are not numbers (NaN)");
    let mut graph = plain();
    graph.initializer[0].dims = vec![1 << 40, 12];
    refused(&file(graph), &json!({}), "weights w: the shape [1099511627776, 12] has more than");
    let mut graph = plain();
    graph.initializer[0].dims = vec![-2, 12];
    refused(&file(graph), &json!({}), "or a negative length");
    // a hundred bytes that ask for more memory than there is
    let mut graph = plain();
    graph.node.insert(0, node("ConstantOfShape", &["s"], "b", &[]));
    graph.node.insert(1, node("ReduceSum", &["b"], "r", &[("keepdims", 0)]));
    graph.node.push(node("Add", &["l", "r"], "y", &[]));
    graph.node[3].output[0] = "l".to_owned();
    graph.initializer.push(integers("s", &[1 << 20, 1 << 20]));
    refused(&file(graph), &json!({}), "it makes a value of the shape [1048576, 1048576]");
    refused(b"PK\x03\x04", &json!({}), "not an ONNX file");
    refused(b"", &json!({}), "there is no graph in it");
}

#[test]
fn a_damaged_file_is_refused_or_read_and_never_ends_the_program() {
    let sound = file(plain());
    for at in (0..sound.len()).step_by(2) {
        // what comes last, the version of the operators, can be missing
        let _ = load(model(&sound[..at], &json!({})).path());
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        let _ = load(model(&damaged, &json!({})).path());
    }
}
