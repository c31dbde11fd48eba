//! `gaitd model new`: from exported networks to a ladder that runs.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use gaitd_core::ladder::{Answers, Ladder, ModelDirectory};
use gaitd_tests::{csv, data, fresh, lines, shipped_model};
use gaitd_tract::Tract;
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::NpzWriter;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, ValueInfoProto, type_proto,
};

use crate::program::gaitd;

const LABELS: &str = "walking,upstairs,downstairs,sitting,standing,lying";
/// What the shipped networks read, as if nothing conditioned it.
const CHANNELS: &str = "body_acc_x:g,body_acc_y:g,body_acc_z:g,body_gyro_x:rad/s,body_gyro_y:rad/s,body_gyro_z:rad/s,\
                        total_acc_x:g,total_acc_y:g,total_acc_z:g";
const STATED: [&str; 6] = ["--labels", LABELS, "--channels", CHANNELS, "--rate", "50"];

/// A place for networks and models.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The shipped configuration `id`, changed, as `name.onnx`.
    fn network(&self, name: &str, id: &str, change: impl FnOnce(&mut GraphProto)) -> PathBuf {
        let bytes = std::fs::read(shipped_model().join(format!("{id}.onnx"))).unwrap();
        let mut file = ModelProto::decode(bytes.as_slice()).unwrap();
        change(file.graph.as_mut().unwrap());
        let path = self.path(&format!("{name}.onnx"));
        std::fs::write(&path, file.encode_to_vec()).unwrap();
        path
    }

    /// `gaitd model new model` on `networks`.
    fn new_model(&self, networks: &[&Path]) -> Command {
        let mut command = gaitd(self.0.path());
        command.args(["model", "new"]).arg(self.path("model"));
        networks.iter().for_each(|network| {
            command.arg("--onnx").arg(network);
        });
        command
    }

    /// A file of the model.
    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("model").join(file)).unwrap()).unwrap()
    }
}

fn said(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

/// What a refused command says, with its exit code.
fn refusal(command: &mut Command, code: i32) -> String {
    said(&command.assert().code(code).get_output().stderr)
}

fn node(operator: &str, inputs: &[&str], output: &str, axis: i64) -> NodeProto {
    let axis = AttributeProto {
        name: "axis".to_owned(),
        r#type: AttributeType::Int as i32,
        i: axis,
        ..AttributeProto::default()
    };
    NodeProto {
        op_type: operator.to_owned(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute: vec![axis],
        ..NodeProto::default()
    }
}

/// Gives `value` a name and an axis another length, or none.
fn reshape(value: &mut ValueInfoProto, name: &str, axis: usize, length: Option<i64>) {
    value.name = name.to_owned();
    let Some(type_proto::Value::TensorType(tensor)) = &mut value.r#type.as_mut().unwrap().value else { panic!() };
    let value = length.map_or_else(|| dimension::Value::DimParam("open".to_owned()), dimension::Value::DimValue);
    tensor.shape.as_mut().unwrap().dim[axis] = Dimension { value: Some(value), ..Dimension::default() };
}

/// Lets the answer go through `operator`.
fn ending(operator: &'static str) -> impl FnOnce(&mut GraphProto) {
    move |graph| {
        let logits = graph.output[0].name.clone();
        graph.node.push(node(operator, &[&logits], "answer", -1));
        graph.output[0].name = "answer".to_owned();
    }
}

/// Lets the window come in two inputs.
fn two_inputs(graph: &mut GraphProto) {
    let whole = graph.input[0].clone();
    let (mut body, mut total) = (whole.clone(), whole.clone());
    reshape(&mut body, "body", 1, Some(6));
    reshape(&mut total, "total", 1, Some(3));
    graph.node.insert(0, node("Concat", &["body", "total"], &whole.name, 1));
    graph.input = vec![body, total];
}

fn as_it_is(_: &mut GraphProto) {}

#[test]
fn what_the_files_do_not_say_is_asked_for_at_once_and_nothing_is_made() {
    let bench = Bench::new();
    let networks = [bench.network("a", "0.10x-96", as_it_is), bench.network("b", "1.00x-128", as_it_is)];
    let output = bench.new_model(&networks.each_ref().map(PathBuf::as_path)).assert().code(64);
    let (text, error) = (said(&output.get_output().stdout), said(&output.get_output().stderr));
    assert!(text.contains("a.onnx: window: float32 [1, 9, 96] -> logits: float32 [1, 6]"), "{text}");
    assert!(text.contains("Conv 3"), "{text}");
    for asked in ["--labels: 6 names", "--channels", "--rate"] {
        assert!(error.contains(&format!("still needed: {asked}")), "{asked}: {error}");
    }
    let error = refusal(bench.new_model(&networks.each_ref().map(PathBuf::as_path)).args(STATED), 64);
    assert!(error.contains("--resolution: a.onnx reads 96 time steps, and a window has 128"), "{error}");
    assert!(!bench.path("model").exists());
}

#[test]
fn two_networks_become_a_ladder_that_checks_shows_and_runs() {
    let bench = Bench::new();
    let small = bench.network("small", "0.10x-96", ending("Softmax"));
    let large = bench.network("large", "1.00x-128", two_inputs);
    let mut new = bench.new_model(&[&small, &large]);
    new.args(STATED).args(["--resolution", "small.onnx=96"]);
    new.args(["--input", "body=body_acc_x,body_acc_y,body_acc_z,body_gyro_x,body_gyro_y,body_gyro_z"]);
    new.args(["--input", "total=total_acc_x,total_acc_y,total_acc_z"]);
    let text = said(&new.assert().success().get_output().stdout);
    for part in
        ["probabilities", "1,C,T + 1,C,T", "6 golden vectors", "without its optimiser", "not known", "gaitd run"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let model = bench.path("model");
    gaitd(bench.0.path()).args(["model", "check"]).arg(&model).assert().success();
    let shown = gaitd(bench.0.path()).args(["model", "show"]).arg(&model).arg("--json").assert().success();
    let shown: Value = serde_json::from_slice(&shown.get_output().stdout).unwrap();
    assert_eq!(shown["task"]["labels"], json!(LABELS.split(',').collect::<Vec<_>>()));
    assert!(shown["configurations"][1]["macs"].as_u64().unwrap() > 10_000_000, "{shown}");

    // the same answers as the shipped networks give, however they come in and go out
    let window: Vec<f32> = (0..9 * 128).map(|n| (n as f32 * 0.37).sin()).collect();
    let logits = |model: &Path, id: &str| {
        let ladder = Ladder::load(&ModelDirectory::new(model), &[&Tract]).unwrap();
        let rung = ladder.configurations().iter().position(|it| it.id == id).unwrap();
        let mut logits = vec![0.0; 6];
        ladder.runner().unwrap().infer(rung, &window, &mut logits).unwrap();
        logits
    };
    let off = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off(&logits(&model, "large"), &logits(&shipped_model(), "1.00x-128")) < 1e-4);
    let probabilities = |logits: Vec<f32>| {
        let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
        logits.iter().map(|logit| logit.exp() / sum).collect::<Vec<_>>()
    };
    let expected = probabilities(logits(&shipped_model(), "0.10x-96"));
    assert!(off(&probabilities(logits(&model, "small")), &expected) < 1e-5);

    // without known accuracies the later one is better, and nothing is promised
    let stream = bench.path("stream.csv");
    let header = CHANNELS.split(',').map(|pair| pair.split_once(':').unwrap().0).collect::<Vec<_>>().join(",");
    let samples = csv(6.0);
    let wide = samples.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{},{}\n", cells[..7].join(","), cells[1..4].join(","))
    });
    std::fs::write(&stream, format!("t,{header}\n{}", wide.collect::<String>())).unwrap();
    let run =
        gaitd(bench.0.path()).args(["run", "--source"]).arg(&stream).arg("--models").arg(&model).assert().success();
    let decisions = lines(&run.get_output().stdout, "decision");
    assert!(!decisions.is_empty());
    for decision in decisions {
        assert_eq!(decision["configuration"], "large");
        assert_eq!(decision["expected_accuracy"], Value::Null);
    }
    let mut energy = gaitd(bench.0.path());
    energy.args(["run", "--objective", "energy", "--source"]).arg(&stream).arg("--models").arg(&model);
    let refused = refusal(&mut energy, 78);
    assert!(refused.contains("accurac"), "{refused}");
}

#[test]
fn probabilities_that_no_softmax_tells_are_asked_about() {
    let bench = Bench::new();
    let sneaky = bench.network("sneaky", "1.00x-128", |graph| {
        // a softmax that only its numbers tell
        ending("Softmax")(graph);
        graph.node.push(node("Abs", &["answer"], "positive", 0));
        graph.node.last_mut().unwrap().attribute.clear();
        graph.output[0].name = "positive".to_owned();
    });
    let error = refusal(bench.new_model(&[&sneaky]).args(STATED), 64);
    assert!(error.contains("--holds") && error.contains("sneaky"), "{error}");
    bench.new_model(&[&sneaky]).args(STATED).args(["--holds", "probabilities"]).assert().success();
    assert_eq!(bench.json("manifest.json")["configurations"][0]["output"]["holds"], json!(Answers::Probabilities));
}

#[test]
fn an_independent_answer_becomes_golden_or_refuses_the_network() {
    let bench = Bench::new();
    let network = bench.network("net", "1.00x-128", as_it_is);
    let golden: Value = serde_json::from_slice(&std::fs::read(shipped_model().join("golden.json")).unwrap()).unwrap();
    let windows: Vec<Vec<Vec<f32>>> = serde_json::from_value(golden["windows"].clone()).unwrap();
    let logits: Vec<Vec<f32>> = serde_json::from_value(golden["logits"]["1.00x-128"].clone()).unwrap();
    let write = |off: f64| {
        let path = fresh(&bench.0, "npz");
        let mut archive = NpzWriter::new(std::fs::File::create(&path).unwrap());
        let all: Vec<f32> = windows.iter().flatten().flatten().copied().collect();
        archive.add_array("windows", &Array3::from_shape_vec((windows.len(), 9, 128), all).unwrap()).unwrap();
        // NumPy's own numbers have 64 bits
        let all: Vec<f64> = logits.iter().flatten().map(|logit| f64::from(*logit) + off).collect();
        archive.add_array("net", &Array2::from_shape_vec((logits.len(), 6), all).unwrap()).unwrap();
        archive.finish().unwrap();
        path
    };
    let error = refusal(bench.new_model(&[&network]).args(STATED).arg("--reference").arg(write(0.01)), 65);
    assert!(error.contains("golden window 0") && error.contains("net"), "{error}");
    assert!(!bench.path("model").exists());
    let right = write(0.0);
    bench.new_model(&[&network]).args(STATED).arg("--reference").arg(&right).assert().success();
    let made = bench.json("golden.json");
    let name = right.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(made["reference"], format!("windows and answers of {name}"));
    assert_eq!(bench.json("manifest.json")["training"]["golden_vectors"], made["reference"]);
    let kept: Vec<Vec<Vec<f32>>> = serde_json::from_value(made["windows"].clone()).unwrap();
    assert!(kept == windows, "other windows");
}

#[test]
fn stated_accuracies_rank_and_the_front_drops_what_is_slower_and_no_better() {
    let bench = Bench::new();
    let fast = bench.network("fast", "0.10x-96", as_it_is);
    let slow = bench.network("slow", "1.00x-128", as_it_is);
    let new = |accuracies: [&str; 2]| {
        let mut new = bench.new_model(&[&slow, &fast]);
        new.args(STATED).args(["--resolution", "fast.onnx=96", "--force"]);
        accuracies.iter().for_each(|it| {
            new.args(["--accuracy", it]);
        });
        new
    };
    let ids = || {
        let configurations = bench.json("manifest.json")["configurations"].clone();
        let ids = configurations.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    new(["slow.onnx=0.9", "fast.onnx=0.8"]).arg("--front").assert().success();
    assert_eq!(ids(), ["fast", "slow"]);
    let output = new(["slow.onnx=0.8", "fast.onnx=0.8"]).args(["--front", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["left_out"][0]["id"], "slow");
    assert_eq!(ids(), ["fast"]);
    assert!(!bench.path("model/slow.onnx").exists(), "nothing vouches for it");
    let error = refusal(new(["slow.onnx=0.8", "slow.onnx=0.9"]).arg("--front"), 78);
    assert!(error.contains("--accuracy"), "{error}");
    let error = refusal(bench.new_model(&[&slow]).args(STATED).args(["--front", "--force"]), 78);
    assert!(error.contains("--front"), "{error}");
}

/// Windows of the test people of UCI HAR: what PyTorch counted when the ladder was made is what is counted here.
#[test]
fn held_out_data_give_the_accuracy_and_recall_that_pytorch_found() {
    let Some(archive) = data("held_out_data_give_the_accuracy_and_recall_that_pytorch_found", "uci_har.npz") else {
        return;
    };
    let bench = Bench::new();
    let id = "0.10x-96";
    let network = bench.network(id, id, as_it_is);
    let mut new = bench.new_model(&[&network]);
    new.args(STATED).args(["--window", "128", "--resolution", "96", "--split", "test", "--data"]).arg(archive);
    new.assert().success();
    let shipped: Value =
        serde_json::from_slice(&std::fs::read(shipped_model().join("manifest.json")).unwrap()).unwrap();
    let (made, shipped) = (&bench.json("manifest.json")["configurations"][0], &shipped["configurations"][0]);
    assert_eq!(made["accuracy"]["validation"], shipped["accuracy"]["test"]);
    assert_eq!(made["recall"], shipped["recall_test"]);
    assert!((0.5..2.0).contains(&made["temperature"].as_f64().unwrap()), "{made}");
    // labels from 0, beside those of the trainer from 1
    let x = Array3::<f32>::from_shape_fn((4, 9, 128), |(n, channel, step)| ((n + channel * step) as f32 * 0.1).sin());
    let path = fresh(&bench.0, "npz");
    let mut writer = NpzWriter::new(std::fs::File::create(&path).unwrap());
    writer.add_array("X", &x).unwrap();
    writer.add_array("y", &Array1::from(vec![0_i64, 1, 2, 5])).unwrap();
    writer.finish().unwrap();
    let mut replay = gaitd(bench.0.path());
    replay.arg("replay").arg(&path).arg("--models").arg(bench.path("model")).arg("--json");
    let replay: Value = serde_json::from_slice(&replay.assert().success().get_output().stdout).unwrap();
    assert_eq!(replay["windows"], 4);
}

#[test]
fn a_directory_that_is_there_is_replaced_only_when_asked_and_only_if_it_holds_a_model() {
    let bench = Bench::new();
    let network = bench.network("net", "1.00x-128", as_it_is);
    let new = || {
        let mut new = bench.new_model(&[&network]);
        new.args(STATED);
        new
    };
    std::fs::create_dir(bench.path("model")).unwrap();
    new().assert().success();
    let error = refusal(&mut new(), 78);
    assert!(error.contains("--force"), "{error}");
    std::fs::write(bench.path("model/stranger.onnx"), "").unwrap();
    new().arg("--force").assert().success();
    assert!(!bench.path("model/stranger.onnx").exists());
    std::fs::remove_file(bench.path("model/manifest.json")).unwrap();
    let error = refusal(new().arg("--force"), 78);
    assert!(error.contains("holds no model"), "{error}");
    let left: Vec<_> = std::fs::read_dir(bench.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".model")), "{left:?}");
}

#[test]
fn means_and_windows_are_normalised_as_stated() {
    let bench = Bench::new();
    let network = bench.network("net", "1.00x-128", as_it_is);
    let means = bench.path("mean.csv");
    let rows = CHANNELS.split(',').map(|pair| format!("{},0.5,2\n", pair.split_once(':').unwrap().0));
    std::fs::write(&means, format!("channel,mean,std\n{}", rows.collect::<String>())).unwrap();
    let mut new = bench.new_model(&[&network]);
    new.args(STATED).arg("--normalise").arg(&means).args(["--normalise-window", "centre:window"]).assert().success();
    let task = bench.json("manifest.json")["task"].clone();
    let operation = &task["input"]["conditioning"][0];
    assert_eq!(
        (&operation["op"], &operation["mean"][8], &operation["std"][0]),
        (&json!("standardise"), &json!(0.5), &json!(2.0))
    );
    assert_eq!(task["channels"][0]["unit"], "1");
    assert_eq!(task["normalisation"], json!({"method": "centre", "over": "window"}));
    std::fs::write(&means, "channel,mean,std\nacc,0,1\n").unwrap();
    let error = refusal(bench.new_model(&[&network]).args(STATED).arg("--force").arg("--normalise").arg(&means), 65);
    assert!(error.contains("--normalise") && error.contains("1 rows"), "{error}");
    let error =
        refusal(bench.new_model(&[&network]).args(STATED).args(["--force", "--normalise-window", "square"]), 78);
    assert!(error.contains("--normalise-window"), "{error}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let bench = Bench::new();
    let network = bench.network("net", "1.00x-128", as_it_is);
    let missing = bench.path("missing.onnx");
    let error = refusal(bench.new_model(&[&missing]).args(STATED), 66);
    assert!(error.contains("missing.onnx"), "{error}");
    let broken = bench.path("broken.onnx");
    std::fs::write(&broken, "not a network").unwrap();
    let error = refusal(bench.new_model(&[&broken]).args(STATED), 65);
    assert!(error.contains("broken.onnx") && error.contains("not an ONNX file"), "{error}");
    let batch = bench.network("batch", "1.00x-128", |graph| {
        let name = graph.input[0].name.clone();
        reshape(&mut graph.input[0], &name, 0, Some(8));
    });
    let error = refusal(bench.new_model(&[&batch]).args(STATED), 65);
    assert!(error.contains("a batch must be 1"), "{error}");
    let strange = bench.network("strange", "1.00x-128", |graph| graph.node[0].op_type = "Teleport".to_owned());
    let error = refusal(bench.new_model(&[&strange]).args(STATED), 65);
    assert!(error.contains("Teleport"), "{error}");
    let picks = bench.network("picks", "1.00x-128", |graph| {
        ending("ArgMax")(graph);
        let Some(type_proto::Value::TensorType(tensor)) = &mut graph.output[0].r#type.as_mut().unwrap().value else {
            panic!()
        };
        tensor.elem_type = 7;
    });
    let error = refusal(bench.new_model(&[&picks]).args(STATED), 65);
    assert!(error.contains("int64") && error.contains("picks the largest"), "{error}");
    let five = "walking,upstairs,downstairs,sitting,standing";
    let mut new = bench.new_model(&[&network]);
    let error = refusal(new.args(["--labels", five, "--channels", CHANNELS, "--rate", "50"]), 65);
    assert!(error.contains("5 labels"), "{error}");
    let error = refusal(bench.new_model(&[&network]).args(STATED).args(["--layout", "1,T,C"]), 65);
    assert!(error.contains("cannot hold 9 channels as 1,T,C"), "{error}");
    let error = refusal(bench.new_model(&[&network]).args(STATED).args(["--input", "window=acc_x"]), 65);
    assert!(error.contains("holds 1 channels"), "{error}");
    let error = refusal(bench.new_model(&[&network, &network]).args(STATED), 78);
    assert!(error.contains("two networks would be called net"), "{error}");
    let clashing = ["one", "two"].map(|folder| {
        std::fs::create_dir(bench.path(folder)).unwrap();
        let network = bench.network(&format!("{folder}/{folder}"), "1.00x-128", |graph| {
            let entry = StringStringEntryProto { key: "location".to_owned(), value: "weights".to_owned() };
            graph.initializer[0].external_data = vec![entry];
            graph.initializer[0].data_location = Some(1);
        });
        std::fs::write(network.with_file_name("weights"), folder).unwrap();
        network
    });
    let error = refusal(bench.new_model(&clashing.each_ref().map(PathBuf::as_path)).args(STATED), 78);
    assert!(error.contains("two networks have weights in weights"), "{error}");
    assert!(!bench.path("model").exists());
}
