//! Networks made up, on every set of kernels, against tract; and what is left to it.

use std::collections::BTreeMap;

use gaitd_core::ladder::{
    Backend, FilesError, InferenceError, Loaded, Manifest, ModelFiles, Network, NetworkFiles, sha256,
};
use gaitd_onnx::{Attribute, Constant, FLOAT, Graph, INT64, Model, Node, Value};
use gaitd_supernet::{Supernet, WithKernels};
use gaitd_tract::Tract;
use proptest::prelude::*;
use prost::Message;

/// Files in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl ModelFiles for Files {
    fn origin(&self) -> String {
        "made up".to_owned()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        name.into()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        Ok(self.0[name].clone())
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        Ok(self.0.keys().cloned().collect())
    }
}

/// A ladder of `networks`, by width and resolution, for windows of `axes` channels and `window` samples.
fn load(
    networks: &[(f64, usize, Vec<u8>)],
    axes: usize,
    window: usize,
    classes: usize,
    backend: &dyn Backend,
) -> Result<std::sync::Arc<dyn Network>, String> {
    let channels: Vec<_> = (0..axes).map(|axis| serde_json::json!({"name": format!("c{axis}"), "unit": "g"})).collect();
    let labels: Vec<String> = (0..classes).map(|class| format!("l{class}")).collect();
    let configurations: Vec<_> = networks
        .iter()
        .map(|(width, resolution, onnx)| {
            let id = format!("{width:.2}x-{resolution}");
            serde_json::json!({
                "id": id, "width": width, "resolution": resolution, "file": format!("{id}.onnx"), "sha256": sha256(onnx),
            })
        })
        .collect();
    let manifest = serde_json::json!({
        "schema": 3, "name": "made-up", "training": {}, "configurations": configurations,
        "task": {
            "labels": labels, "channels": channels, "sample_rate_hz": 50.0, "window": window, "hop": 1,
            "input": {"channels": channels, "conditioning": []},
        },
    });
    let manifest = Manifest::parse(manifest.to_string().as_bytes(), "manifest.json".as_ref()).unwrap();
    let file = |(configuration, (_, _, onnx)): (&gaitd_core::ladder::Configuration, &(f64, usize, Vec<u8>))| {
        (configuration.file.clone(), onnx.clone())
    };
    let files = Files(manifest.configurations.iter().zip(networks).map(file).collect());
    match backend.load(&NetworkFiles::new(&manifest, &files)).map_err(|error| error.to_string())? {
        Loaded::Network(network) => Ok(network),
        Loaded::Left(reason) => Err(reason),
    }
}

fn answers(network: &dyn Network, rung: usize, window: &[f32], classes: usize) -> Result<Vec<f32>, InferenceError> {
    let mut logits = vec![f32::NAN; classes];
    network.runner()?.infer(rung, window, &mut logits)?;
    Ok(logits)
}

fn floats(name: &str, shape: &[usize], values: Vec<f32>) -> Constant {
    let shape = shape.iter().map(|&length| length as i64).collect();
    Constant { name: name.to_owned(), shape, kind: FLOAT, floats: values, ..Constant::default() }
}

fn integers(name: &str, values: &[i64]) -> Constant {
    let shape = vec![values.len() as i64];
    Constant { name: name.to_owned(), shape, kind: INT64, integers: values.to_vec(), ..Constant::default() }
}

/// ONNX's numbers of types of attributes.
const INTEGER: i32 = 2;
const INTEGERS: i32 = 7;

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> Node {
    let attribute = |(name, values): &(&str, &[i64])| Attribute {
        name: (*name).to_owned(),
        integer: values[0],
        integers: values.to_vec(),
        ..Attribute::default()
    };
    Node {
        operator: operator.to_owned(),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        outputs: vec![output.to_owned()],
        attributes: attributes.iter().map(attribute).collect(),
        ..Node::default()
    }
}

/// A network that grows layer by layer, in either form of the trainer's.
#[derive(Clone)]
struct Net {
    flat: bool,
    graph: Graph,
    /// The latest value and its channels, time steps and axes.
    last: String,
    shape: [usize; 3],
}

/// A layer: what it makes of how many channels.
#[derive(Clone, Debug)]
struct Layer {
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    /// How it goes on from it.
    after: After,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Nothing,
    Relu,
    /// Another convolution, and the first added to it.
    Residual,
    /// Rectified, and added to itself before that.
    Twice,
    /// Another convolution, both rectified, and added up.
    Side,
}

impl Net {
    fn new(flat: bool, axes: usize, time: usize) -> Self {
        let shape = if flat { [axes, 1, time].to_vec() } else { [1, 1, axes, time].to_vec() };
        let shape: Vec<i64> = shape.into_iter().map(|length| length as i64).collect();
        let graph = Graph {
            nodes: vec![node("Reshape", &["window", "shape"], "v0", &[])],
            constants: vec![integers("shape", &shape)],
            inputs: vec![Value { name: "window".to_owned() }],
            outputs: Vec::new(),
        };
        Self { flat, graph, last: "v0".to_owned(), shape: [1, time, axes] }
    }

    fn push(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) -> String {
        let output = format!("v{}", self.graph.nodes.len());
        self.graph.nodes.push(node(operator, inputs, &output, attributes));
        output
    }

    /// A convolution of `from`, whose weights `weight(output, input, tap)` gives; its result.
    fn conv(&mut self, from: &str, layer: &Layer, weight: &dyn Fn(usize, usize, usize) -> f32, bias: f32) -> String {
        let [time, axes] = layer.kernel;
        let (inputs, taps) = (self.shape[0], time * axes);
        let weights = (0..layer.outputs * inputs * taps)
            .map(|place| weight(place / (inputs * taps), place / taps % inputs, place % taps))
            .collect();
        let number = self.graph.nodes.len();
        let (weight, shift) = (format!("w{number}"), format!("b{number}"));
        let lengths = if self.flat { vec![time] } else { vec![axes, time] };
        let shape = [&[layer.outputs, inputs], lengths.as_slice()].concat();
        self.graph.constants.push(floats(&weight, &shape, weights));
        let biases = (0..layer.outputs).map(|output| bias * (output as f32).cos()).collect();
        self.graph.constants.push(floats(&shift, &[layer.outputs], biases));
        let pair = |[time, axes]: [usize; 2]| -> Vec<i64> {
            if self.flat { vec![time as i64] } else { vec![axes as i64, time as i64] }
        };
        let (kernel, strides, pads) = (pair(layer.kernel), pair(layer.stride), pair(layer.padding).repeat(2));
        self.push(
            "Conv",
            &[from, &weight, &shift],
            &[("kernel_shape", &kernel), ("strides", &strides), ("pads", &pads)],
        )
    }

    fn layer(&mut self, layer: &Layer, weight: &dyn Fn(usize, usize, usize) -> f32, bias: f32) {
        let from = self.last.clone();
        let first = self.conv(&from, layer, weight, bias);
        let length = |place: usize| {
            (self.shape[place + 1] + 2 * layer.padding[place] - layer.kernel[place]) / layer.stride[place] + 1
        };
        let shape = [layer.outputs, length(0), length(1)];
        self.last = match layer.after {
            After::Nothing => first,
            After::Relu => self.push("Relu", &[&first], &[]),
            After::Residual => {
                let other = self.conv(&from, layer, &|o, i, t| weight(o, i, t) * 0.5 - 0.01, -bias);
                let sum = self.push("Add", &[&first, &other], &[]);
                self.push("Relu", &[&sum], &[])
            }
            After::Twice => {
                let rectified = self.push("Relu", &[&first], &[]);
                self.push("Add", &[&rectified, &first], &[])
            }
            After::Side => {
                let first = self.push("Relu", &[&first], &[]);
                let other = self.conv(&from, layer, &|o, i, t| 0.01 - weight(o, i, t), bias);
                let other = self.push("Relu", &[&other], &[]);
                self.push("Add", &[&first, &other], &[])
            }
        };
        self.shape = shape;
    }

    /// Pools by twos where there are so many steps, beside the single ones, and ends in a linear layer.
    fn finish(mut self, classes: usize, weight: &dyn Fn(usize) -> f32) -> Vec<u8> {
        let [channels, time, axes] = self.shape;
        let (mut last, mut windows) = (self.last.clone(), time);
        if time > 2 {
            let (kernel, strides): (&[i64], &[i64]) = if self.flat { (&[2], &[2]) } else { (&[1, 2], &[1, 2]) };
            for (name, value) in [("start", 1), ("end", time as i64), ("axis", if self.flat { 2 } else { 3 })] {
                self.graph.constants.push(integers(name, &[value]));
            }
            let cut = self.push("Slice", &[&last, "start", "end", "axis"], &[]);
            let pooled = self.push("MaxPool", &[&cut], &[("kernel_shape", kernel), ("strides", strides)]);
            let axis: i64 = if self.flat { 2 } else { 3 };
            last = self.push("Concat", &[&last, &pooled], &[("axis", &[axis])]);
            windows += (time - 1) / 2;
        }
        let row = channels * axes * windows;
        self.graph.constants.push(integers("row", &[1, row as i64]));
        let row_of = self.push("Reshape", &[&last, "row"], &[]);
        self.graph.constants.push(floats("cw", &[classes, row], (0..classes * row).map(weight).collect()));
        self.graph.constants.push(floats("cb", &[classes], (0..classes).map(|class| class as f32 * 0.1).collect()));
        let logits = self.push("Gemm", &[&row_of, "cw", "cb"], &[("transB", &[1])]);
        self.graph.outputs.push(Value { name: logits });
        typed(&Model { graph: Some(self.graph) }.encode_to_vec())
    }
}

/// Adds what tract's complete reader wants to know, and this crate's does not look at: versions and types.
fn typed(onnx: &[u8]) -> Vec<u8> {
    use tract_onnx::pb::{
        ModelProto, OperatorSetIdProto, TensorShapeProto, TypeProto, tensor_shape_proto::Dimension, type_proto,
    };
    let mut model = ModelProto::decode(onnx).unwrap();
    model.ir_version = 8;
    model.opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    let graph = model.graph.as_mut().unwrap();
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            let single = matches!(&*attribute.name, "axis" | "transB" | "group");
            attribute.r#type = if single { INTEGER } else { INTEGERS };
            if single {
                attribute.ints.clear();
            } else {
                attribute.i = 0;
            }
        }
    }
    let tensor =
        type_proto::Tensor { elem_type: FLOAT, shape: Some(TensorShapeProto { dim: vec![Dimension::default(); 3] }) };
    for value in graph.input.iter_mut() {
        value.r#type =
            Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor.clone())), ..Default::default() });
    }
    model.encode_to_vec()
}

/// Some number for a place, which is the same each time.
pub(crate) fn number(seed: u64, place: u64) -> f32 {
    let mixed = (seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 40) as f32 / (1 << 24) as f32 - 0.5) * 2.0
}

/// A ladder: windows, layers, classes, and for each rung its width and resolution.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    flat: bool,
    pub(crate) axes: usize,
    pub(crate) window: usize,
    pub(crate) classes: usize,
    layers: Vec<Layer>,
    pub(crate) rungs: Vec<(usize, usize)>,
    seed: u64,
    /// Whether each rung's weights are multiples of the widest one's.
    shared: bool,
}

impl Made {
    fn networks(&self) -> Vec<(f64, usize, Vec<u8>)> {
        let network = |(place, &(percent, less)): (usize, &(usize, usize))| {
            let resolution = self.window - less;
            let mut net = Net::new(self.flat, self.axes, resolution);
            for (depth, layer) in self.layers.iter().enumerate() {
                let outputs = (layer.outputs * percent).div_ceil(100);
                let weight = |output: usize, input: usize, tap: usize| {
                    let place_of = ((depth * 1000 + output) * 1000 + input) * 1000 + tap;
                    let base = number(self.seed, place_of as u64);
                    let scale = match (self.shared, output % 5) {
                        // a dead channel, and a negative scale
                        (true, 3) => 0.0,
                        (true, 4) => -1.5 - place as f32,
                        (true, other) => 0.3 + other as f32 * 0.4 + place as f32 * 0.1,
                        (false, _) => 1.0 + number(self.seed + place as u64, place_of as u64) * 0.1,
                    };
                    // the widest one has its base itself
                    base * if place == 0 { 1.0 } else { scale } / (1.0 + input as f32).sqrt()
                };
                net.layer(&Layer { outputs, ..layer.clone() }, &weight, 0.1 + place as f32 * 0.05);
            }
            let classifier = |index: usize| number(self.seed + 7, index as u64) * 0.1;
            (percent as f64 / 100.0, resolution, net.finish(self.classes, &classifier))
        };
        self.rungs.iter().enumerate().map(network).collect()
    }

    pub(crate) fn load(&self, backend: &dyn Backend) -> Result<std::sync::Arc<dyn Network>, String> {
        load(&self.networks(), self.axes, self.window, self.classes, backend)
    }
}

fn layer(outputs: usize, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2], after: After) -> Layer {
    Layer { outputs, kernel, stride, padding, after }
}

fn layers(flat: bool) -> impl Strategy<Value = Vec<Layer>> {
    let after = prop_oneof![
        1 => Just(After::Nothing),
        3 => Just(After::Relu),
        2 => Just(After::Residual),
        1 => Just(After::Twice),
        1 => Just(After::Side),
    ];
    let one = (1..70_usize, 1..7_usize, 1..4_usize, 1..4_usize, 1..3_usize, 0..3_usize, 0..2_usize, after).prop_map(
        move |(outputs, time, axes, step, hop, before, beside, after)| {
            let (axes, hop, beside) = if flat { (1, 1, 0) } else { (axes, hop, beside) };
            // tract makes nothing of strides beyond the kernel
            let (step, hop) = (step.min(time), hop.min(axes));
            layer(outputs, [time, axes], [step, hop], [before.min(time - 1), beside.min(axes - 1)], after)
        },
    );
    proptest::collection::vec(one, 1..4)
}

pub(crate) fn made() -> impl Strategy<Value = Made> {
    any::<bool>().prop_flat_map(|flat| {
        let rungs = proptest::collection::vec((20..=100_usize, 0..8_usize), 0..3);
        (Just(flat), 1..10_usize, 30..70_usize, 2..20_usize, layers(flat), rungs, any::<u64>(), any::<bool>()).prop_map(
            |(flat, axes, window, classes, layers, rungs, seed, shared)| {
                let mut rungs: Vec<_> = [(100, 0)].into_iter().chain(rungs).collect();
                rungs.dedup_by_key(|rung| *rung);
                rungs.sort_unstable_by(|one, other| other.cmp(one));
                rungs.dedup();
                Made { flat, axes, window, classes, layers, rungs, seed, shared }
            },
        )
    })
}

/// Whether something is left of the window in every rung.
pub(crate) fn fits(made: &Made) -> bool {
    made.rungs.iter().all(|(_, less)| {
        let mut lengths = [made.window - less, made.axes];
        made.layers.iter().all(|layer| {
            (0..2).all(|place| {
                let padded = lengths[place] + 2 * layer.padding[place];
                let fits = padded >= layer.kernel[place];
                lengths[place] = if fits { (padded - layer.kernel[place]) / layer.stride[place] + 1 } else { 0 };
                fits
            })
        })
    })
}

/// Fewer than usual, for each is optimised by tract.
pub(crate) fn cases() -> u32 {
    ProptestConfig::default().cases.min(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]
    #[test]
    fn random_ladders_answer_as_on_tract(made in made().prop_filter("nothing is left", fits)) {
        let tract = made.load(&Tract).unwrap();
        let window: Vec<f32> = (0..made.axes * made.window).map(|place| number(99, place as u64)).collect();
        for kernels in WithKernels::all() {
            let network = made.load(&kernels).unwrap();
            for rung in 0..made.rungs.len() {
                let ours = answers(network.as_ref(), rung, &window, made.classes).unwrap();
                let theirs = answers(tract.as_ref(), rung, &window, made.classes).unwrap();
                let largest = theirs.iter().fold(1.0_f32, |most, logit| most.max(logit.abs()));
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    prop_assert!((ours - theirs).abs() <= 1e-4 * largest, "{} {rung}: {ours} {theirs}", kernels.name());
                }
            }
        }
    }
}

/// A ladder of two rungs.
fn usual(shared: bool) -> Made {
    let layers =
        vec![layer(40, [6, 1], [3, 1], [1, 0], After::Relu), layer(56, [3, 1], [2, 1], [1, 0], After::Residual)];
    Made { flat: false, axes: 3, window: 60, classes: 5, layers, rungs: vec![(100, 0), (50, 6)], seed: 3, shared }
}

#[test]
fn weights_are_shared_where_they_are_multiples_and_only_there() {
    let memory = |kernels: &WithKernels, shared| {
        let mut made = usual(shared);
        made.layers[1].after = After::Relu;
        made.load(kernels).unwrap().memory().shared
    };
    // the narrower one's convolutions
    let own = (20 * 6 + 28 * 20 * 3) * 4;
    for kernels in WithKernels::all() {
        let (shared, apart) = (memory(&kernels, true), memory(&kernels, false));
        assert!((shared + own..shared + 2 * own).contains(&apart), "{} {shared} {apart}", kernels.name());
    }
}

#[test]
fn other_networks_are_left_and_the_reason_is_named() {
    let with = |change: &dyn Fn(&mut Graph)| {
        let mut net = Net::new(false, 3, 20);
        net.layer(&layer(8, [3, 1], [1, 1], [1, 0], After::Relu), &|o, i, t| number(1, (o + i + t) as u64), 0.1);
        let onnx = net.finish(4, &|index| number(2, index as u64));
        let mut model = Model::decode(&*onnx).unwrap();
        change(model.graph.as_mut().unwrap());
        load(&[(1.0, 20, typed(&model.encode_to_vec()))], 3, 20, 4, &Supernet).err()
    };
    let conv = |graph: &mut Graph| graph.nodes.iter_mut().position(|node| node.operator == "Conv").unwrap();
    assert_eq!(with(&|_| ()), None);
    let reason = |change: &dyn Fn(&mut Graph)| with(change).unwrap();
    let sigmoid = reason(&|graph| graph.nodes[2].operator = "Sigmoid".to_owned());
    assert_eq!(sigmoid, "1.00x-20.onnx: Sigmoid v2: supernet has no such operator with so many inputs");
    let two = |values: &[i64]| values.to_vec();
    for (name, values) in
        [("pads", two(&[0, 1, 0, 0])), ("dilations", two(&[1, 2])), ("strides", two(&[1, 0])), ("group", two(&[2]))]
    {
        let refused = reason(&|graph| {
            let place = conv(graph);
            let attributes = &mut graph.nodes[place].attributes;
            attributes.retain(|attribute| attribute.name != name);
            attributes.push(Attribute {
                name: name.to_owned(),
                integer: values[0],
                integers: values.clone(),
                ..Attribute::default()
            });
        });
        assert!(refused.contains("Conv v1: "), "{name}: {refused}");
    }
    let unknown = reason(&|graph| {
        graph.nodes[1].attributes.push(Attribute { name: "magic".to_owned(), ..Attribute::default() });
    });
    assert!(unknown.contains("gaitd does not know the attribute magic"), "{unknown}");
    let nan =
        reason(&|graph| graph.constants.iter_mut().filter(|it| it.name == "w1").for_each(|it| it.floats[0] = f32::NAN));
    assert!(nan.contains("some of w1 are no finite numbers"), "{nan}");
    let again = reason(&|graph| {
        let second = graph.nodes[2].clone();
        graph.nodes.insert(3, second);
    });
    assert!(again.contains("makes the value v2 again"), "{again}");
    let early = reason(&|graph| graph.outputs[0].name = "v2".to_owned());
    assert!(early.contains("does not end in a linear layer with 4 answers"), "{early}");
    assert!(
        load(&[(1.0, 20, b"PK\x03\x04".to_vec())], 3, 20, 4, &Supernet).err().unwrap().contains("not an ONNX file")
    );
}

#[test]
fn a_damaged_file_is_left_or_read_and_never_panics() {
    let made = usual(true);
    let sound = made.networks().remove(0).2;
    let whole = |onnx: &[u8]| load(&[(1.0, 60, onnx.to_vec())], 3, 60, 5, &Supernet);
    assert!(whole(&sound).is_ok());
    for at in (0..sound.len()).step_by(sound.len() / 300) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        for onnx in [&damaged[..], &sound[..at]] {
            if let Ok(network) = whole(onnx) {
                let _ = answers(network.as_ref(), 0, &[0.5; 180], 5);
            }
        }
    }
    // where shapes and attributes stand, all of it
    let tail = sound.len() - 600;
    for at in tail..sound.len() {
        for bit in 0..8 {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(network) = whole(&damaged) {
                let _ = answers(network.as_ref(), 0, &[0.5; 180], 5);
            }
        }
    }
}
