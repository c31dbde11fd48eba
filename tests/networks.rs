//! Networks of others that are damaged or made to do harm, through the built binary: each is refused by its name and its
//! cause, within little memory and time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gaitd_core::ladder::sha256;
use gaitd_tests::data;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// How much address space a check may take, bytes, and how long.
const MOST_MEMORY: &str = "--as=2500000000";
const LONGEST: Duration = Duration::from_secs(60);

/// Data types of ONNX.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of Protocol Buffers that holds bytes: a text or another message.
fn bytes(tag: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [varint(tag << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn value(name: &str, kind: u64, shape: &[u64]) -> Vec<u8> {
    let axes: Vec<u8> = shape.iter().flat_map(|length| bytes(1, number(1, *length))).collect();
    [bytes(1, name), bytes(2, bytes(1, [number(1, kind), bytes(2, axes)].concat()))].concat()
}

fn constant(name: &str, kind: u64, shape: &[u64], raw: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|length| number(1, *length)).collect();
    [shape, number(2, kind), bytes(8, name), bytes(9, raw)].concat()
}

fn floats(name: &str, shape: &[u64], value: f32) -> Vec<u8> {
    let count = shape.iter().product::<u64>() as usize;
    constant(name, FLOAT, shape, &value.to_le_bytes().repeat(count))
}

fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    constant(name, INT64, &[values.len() as u64], &raw)
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input)).collect();
    [inputs, bytes(2, output), bytes(4, operator)].concat()
}

/// A network from `x` to `y`.
struct Network {
    nodes: Vec<Vec<u8>>,
    constants: Vec<Vec<u8>>,
    input: u64,
    output: (u64, u64),
    opset: u64,
}

impl Default for Network {
    /// Flattens a window and multiplies it by weights.
    fn default() -> Self {
        Self {
            nodes: vec![node("Flatten", &["x"], "f"), node("MatMul", &["f", "w"], "y")],
            constants: vec![floats("w", &[12, 2], 0.5)],
            input: FLOAT,
            output: (FLOAT, 2),
            opset: 17,
        }
    }
}

impl Network {
    /// The usual one, and `more` between it and its output; the nodes take `l` and end in `y`.
    fn and(more: Vec<Vec<u8>>, constants: Vec<Vec<u8>>) -> Self {
        let mut network = Self::default();
        network.nodes[1] = node("MatMul", &["f", "w"], "l");
        network.nodes.extend(more);
        network.constants.extend(constants);
        network
    }

    /// What `more` makes, of constants alone, is added to the logits.
    fn plus(more: Vec<Vec<u8>>, constants: Vec<Vec<u8>>) -> Self {
        let sum = [node("ReduceMax", &["b"], "m"), node("Reshape", &["m", "none"], "n"), node("Add", &["l", "n"], "y")];
        let constants = constants.into_iter().chain([integers("none", &[1])]).collect();
        Self::and(more.into_iter().chain(sum).collect(), constants)
    }

    fn file(&self) -> Vec<u8> {
        let fields = |tag: u64, values: &[Vec<u8>]| values.iter().flat_map(|it| bytes(tag, it)).collect::<Vec<u8>>();
        let input = bytes(11, value("x", self.input, &[1, 3, 4]));
        let output = bytes(12, value("y", self.output.0, &[1, self.output.1]));
        let graph = [fields(1, &self.nodes), fields(5, &self.constants), input, output].concat();
        [number(1, 8), bytes(7, graph), bytes(8, number(2, self.opset))].concat()
    }
}

/// A model directory of the network `onnx`, of which `more` is said.
fn model(onnx: &[u8], more: &Value) -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("net.onnx"), onnx).unwrap();
    let mut configuration = json!({"id": "net", "file": "net.onnx", "sha256": sha256(onnx)});
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let channels =
        json!([{"name": "acc_x", "unit": "g"}, {"name": "acc_y", "unit": "g"}, {"name": "acc_z", "unit": "g"}]);
    let manifest = json!({
        "schema": 3, "name": "foreign", "training": {},
        "task": {
            "labels": ["walking", "sitting"], "channels": channels, "sample_rate_hz": 50, "window": 4, "hop": 2,
            "input": {"channels": channels, "conditioning": []},
        },
        "configurations": [configuration],
    });
    std::fs::write(directory.path().join("manifest.json"), manifest.to_string()).unwrap();
    let (windows, logits) = ([[[1.0; 4]; 3]], [[6.0; 2]]);
    let golden = json!({"schema": 2, "reference": "by hand", "windows": windows, "logits": {"net": logits}});
    std::fs::write(directory.path().join("golden.json"), golden.to_string()).unwrap();
    directory
}

/// What `gaitd check` says of the model in `directory`, and its exit code, within little memory and time.
fn check(directory: &Path) -> (String, Option<i32>) {
    let state = TempDir::new().unwrap();
    let program = assert_cmd::cargo::cargo_bin!("gaitd");
    let mut command = match Command::new("prlimit").arg("--version").output() {
        Ok(_) => {
            let mut command = Command::new("prlimit");
            command.arg(MOST_MEMORY).arg(program);
            command
        }
        Err(_) => Command::new(program),
    };
    let start = Instant::now();
    let output = command.env("XDG_STATE_HOME", state.path()).arg("check").arg(directory).output().unwrap();
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    (String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr), output.status.code())
}

fn refused(directory: &Path, why: &str) {
    let (message, code) = check(directory);
    assert_eq!(code, Some(65), "{why}: {message}");
    assert!(message.contains("net.onnx") && message.contains(why), "{why}: {message}");
    assert!(message.len() < 4000, "{} characters", message.len());
}

fn refused_file(onnx: &[u8], why: &str) {
    refused(model(onnx, &json!({})).path(), why);
}

fn refused_network(network: &Network, why: &str) {
    refused_file(&network.file(), why);
}

#[test]
fn the_usual_network_is_read_and_runs() {
    let model = model(&Network::default().file(), &json!({}));
    assert_eq!(check(model.path()).1, Some(0), "{}", check(model.path()).0);
}

#[test]
fn a_wrong_hash_a_cut_file_and_an_empty_one_are_refused() {
    let sound = Network::default().file();
    let altered = model(&sound, &json!({}));
    std::fs::write(altered.path().join("net.onnx"), &sound[..sound.len() - 1]).unwrap();
    refused(altered.path(), "SHA-256 is");
    // with a hash that fits
    refused_file(&sound[..sound.len() / 2], "not an ONNX file");
    // the last message, of which opset the operators are
    refused_file(&sound[..sound.len() - 4], "does not say of which opset its operators are");
    refused_file(b"", "there is no graph in it");
    refused_file(b"not a network", "not an ONNX file");
}

#[test]
fn weights_outside_the_directory_are_refused() {
    let outside = TempDir::new().unwrap();
    std::fs::write(outside.path().join("w"), [0; 96]).unwrap();
    let place = outside.path().join("w");
    for location in [place.to_str().unwrap(), "../w", "sub/../../w"] {
        let entry = bytes(13, [bytes(1, "location"), bytes(2, location)].concat());
        let weights = [number(1, 12), number(1, 2), number(2, FLOAT), bytes(8, "w"), entry, number(14, 1)].concat();
        refused_network(
            &Network { constants: vec![weights], ..Network::default() },
            "which the manifest does not list",
        );
        let listed = json!({"weights": [{"file": location, "sha256": "0".repeat(64)}]});
        let model = model(&Network::default().file(), &listed);
        let (message, code) = check(model.path());
        assert!(code == Some(65) && message.contains("must be the plain name of a file"), "{message}");
    }
}

#[test]
fn protocol_buffers_that_take_much_more_than_their_bytes_are_refused() {
    // graphs within attributes of nodes of graphs, so deep that no stack would hold it; written from the inside, backwards
    let mut deep: Vec<u8> = Vec::new();
    for tag in [6, 5, 1].into_iter().cycle().take(300_000) {
        let head = [varint(tag << 3 | 2), varint(deep.len() as u64)].concat();
        deep.extend(head.iter().rev());
    }
    deep.reverse();
    refused_file(&bytes(7, deep), "not an ONNX file");
    // a length of which there is nothing
    for length in [1 << 20, 1 << 40, u64::MAX >> 1] {
        refused_file(&[varint(7 << 3 | 2), varint(length)].concat(), "not an ONNX file");
    }
    // two bytes each, and some hundred when decoded
    let attributes = bytes(5, "").repeat(4_000_000);
    refused_file(&bytes(7, bytes(1, attributes)), "takes more than 1024 MiB to decode");
    refused_file(&bytes(7, bytes(1, "").repeat(1_000_000)), "it has more than 3000 nodes");
}

#[test]
fn very_many_small_nodes_are_refused_and_many_are_read_in_time() {
    let names: Vec<String> = (0..3000).map(|number| format!("v{number}")).collect();
    let many = |count: usize| {
        let inputs: Vec<&str> = names[..count].iter().map(String::as_str).collect();
        let mut nodes: Vec<_> = inputs.iter().map(|name| node("Tanh", &["l"], name)).collect();
        nodes.push(node("Sum", &inputs, "y"));
        Network::and(nodes, vec![])
    };
    refused_network(&many(3000), "it has more than 3000 nodes");
    // it is read, and answers something else
    refused_after_reading(&many(1000));
}

fn refused_after_reading(network: &Network) {
    let (message, code) = check(model(&network.file(), &json!({})).path());
    assert!(code == Some(65) && message.contains("golden window 0"), "{message}");
}

#[test]
fn absurd_shapes_are_refused_however_they_are_made() {
    let shape = |values: &[i64]| integers("s", values);
    let full = |inputs: &[&str]| node("ConstantOfShape", inputs, "b");
    refused_network(
        &Network { constants: vec![constant("w", FLOAT, &[1 << 40, 2], b"")], ..Network::default() },
        "weights w: the shape [1099511627776, 2] has more than",
    );
    refused_network(
        &Network::plus(vec![full(&["s"])], vec![shape(&[1 << 20, 1 << 20])]),
        "the shape [1048576, 1048576]",
    );
    // by another node, and by several operators
    let joined = bytes(5, [bytes(1, "axis"), number(3, 0), number(20, 2)].concat());
    let thrice = [node("Concat", &["s", "s", "s"], "t"), joined].concat();
    let huge = "the shape [8192, 8192, 8192]";
    refused_network(&Network::plus(vec![thrice.clone(), full(&["t"])], vec![shape(&[8192])]), huge);
    let expand = node("Expand", &["one", "t"], "b");
    refused_network(&Network::plus(vec![thrice, expand], vec![shape(&[8192]), floats("one", &[1, 1, 1], 1.0)]), huge);
    let outer = vec![node("Add", &["p", "q"], "b")];
    let sides = vec![floats("p", &[1 << 17, 1], 1.0), floats("q", &[1, 1 << 17], 1.0)];
    refused_network(&Network::plus(outer, sides), "the shape [131072, 131072]");
    let scalar = |name: &str, value: i64| constant(name, INT64, &[], &value.to_le_bytes());
    let range = vec![node("Mul", &["e", "e"], "end"), node("Range", &["o", "end", "i"], "r"), cast("r", "b", FLOAT)];
    let range = Network::plus(range, vec![scalar("e", 1 << 20), scalar("o", 0), scalar("i", 1)]);
    refused_network(&range, "the shape [1099511627776]");
    // as long as a window is loud
    let loud = vec![
        node("ReduceMax", &["x"], "a"),
        node("Reshape", &["a", "e"], "z"),
        cast("z", "end", INT64),
        node("Range", &["o", "end", "i"], "r"),
        cast("r", "b", FLOAT),
    ];
    let loud = Network::plus(loud, vec![constant("e", INT64, &[0], b""), scalar("o", 0), scalar("i", 1)]);
    refused_network(&loud, "depends on what a window holds");
}

/// A node that makes numbers of the data type `kind` of others.
fn cast(from: &str, to: &str, kind: u64) -> Vec<u8> {
    [node("Cast", &[from], to), bytes(5, [bytes(1, "to"), number(3, kind), number(20, 2)].concat())].concat()
}

#[test]
fn what_would_take_too_long_is_refused() {
    let square = vec![node("ConstantOfShape", &["s"], "a"), node("MatMul", &["a", "a"], "b")];
    let square = Network::plus(square, vec![integers("s", &[4096, 4096])]);
    refused_network(&square, "a window takes 687");
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let network = Network { constants: vec![floats("w", &[12, 2], f32::NAN)], ..Network::default() };
    refused_network(&network, "weights w: some are not numbers (NaN)");
}

#[test]
fn what_does_not_fit_the_manifest_is_refused() {
    let three = Network { constants: vec![floats("w", &[12, 3], 0.5)], output: (FLOAT, 3), ..Network::default() };
    refused_network(&three, "the manifest's 2 labels need a floating-point number each");
    let network = Network { input: INT64, ..Network::default() };
    refused_network(&network, "its input x is of the data type 7");
    let mut network = Network::and(vec![cast("l", "y", INT64)], vec![]);
    network.output = (INT64, 2);
    refused_network(&network, "the manifest's 2 labels need a floating-point number each");
}

#[test]
fn graphs_that_are_none_are_refused() {
    let named = |node: Vec<u8>| [node, bytes(3, "twice")].concat();
    let twice = Network::and(vec![named(node("Relu", &["l"], "a")), named(node("Identity", &["a"], "y"))], vec![]);
    // a name for people, which several nodes may have
    let (message, code) = check(model(&twice.file(), &json!({})).path());
    assert_eq!(code, Some(0), "{message}");
    let again =
        Network::and(vec![node("Neg", &["l"], "a"), node("Relu", &["l"], "a"), node("Neg", &["a"], "y")], vec![]);
    refused_network(&again, "Relu a makes the value \"a\" again");
    let cycle =
        Network::and(vec![node("Add", &["l", "b"], "a"), node("Neg", &["a"], "b"), node("Neg", &["a"], "y")], vec![]);
    refused_network(&cycle, "Loop detected");
    let nowhere = Network::and(vec![node("Add", &["l", "nowhere"], "y")], vec![]);
    refused_network(&nowhere, "nowhere");
    for opset in [5, 29, 1 << 40] {
        let network = Network { opset, ..Network::default() };
        refused_network(&network, &format!("its operators are of opset {opset}, and gaitd knows 6 to 28"));
    }
}

#[test]
fn a_run_is_not_begun_with_a_network_that_is_refused() {
    let (state, model) =
        (TempDir::new().unwrap(), model(&Network { opset: 99, ..Network::default() }.file(), &json!({})));
    let run = gaitd(state.path()).args(["run", "--source", "-", "--models"]).arg(model.path()).assert().code(65);
    let message = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(message.contains("net.onnx") && message.contains("opset 99"), "{message}");
}

/// The model directory that a folder beside the data sets makes, where it and Python with ONNX Runtime are there.
fn field(test: &str, folder: &str) -> Option<(TempDir, PathBuf)> {
    let make = data(test, &format!("../field/{folder}/make.py"))?;
    let (directory, python) = (TempDir::new().unwrap(), std::env::var_os("GAITD_PYTHON").unwrap_or("python3".into()));
    match Command::new(python).arg(make).current_dir(directory.path()).output() {
        Ok(output) if output.status.success() => {
            let model = directory.path().join("m");
            Some((directory, model))
        }
        _ => {
            gaitd_tests::skipped(test, "its network needs Python with onnx and onnxruntime; set GAITD_PYTHON");
            None
        }
    }
}

/// A network of people's, which is read and agrees with ONNX Runtime.
fn reads(test: &str, folder: &str) {
    if let Some((_kept, model)) = field(test, folder) {
        let (message, code) = check(&model);
        assert_eq!(code, Some(0), "{folder}: {message}");
    }
}

#[test]
fn network_with_constants_as_nodes() {
    reads("network_with_constants_as_nodes", "network-with-constants-as-nodes");
}

#[test]
fn network_with_flatten() {
    reads("network_with_flatten", "network-with-flatten");
}

#[test]
fn network_with_large_logits() {
    reads("network_with_large_logits", "network-with-large-logits");
}

#[test]
fn network_with_mean_over_time() {
    reads("network_with_mean_over_time", "network-with-mean-over-time");
}

#[test]
fn network_with_relu6() {
    reads("network_with_relu6", "network-with-relu6");
}

#[test]
fn network_with_weights_beside_it() {
    // the manifest is of a schema without weights in other files, and so nothing vouches for them
    let Some((_kept, model)) = field("network_with_weights_beside_it", "network-with-weights-beside-it") else {
        return;
    };
    let (message, code) = check(&model);
    assert!(code == Some(65) && message.contains("does not list among the network's weights"), "{message}");
    // once it does, they are read
    let path = model.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let beside = std::fs::read(model.join("net.onnx.data")).unwrap();
    manifest["schema"] = 3.into();
    manifest["configurations"][0]["weights"] = json!([{"file": "net.onnx.data", "sha256": sha256(&beside)}]);
    std::fs::write(path, manifest.to_string()).unwrap();
    let (message, code) = check(&model);
    assert_eq!(code, Some(0), "{message}");
}

#[test]
fn an_engine_that_is_wanted_and_leaves_a_ladder_says_why() {
    let model = model(&Network::default().file(), &json!({}));
    let (message, _) = check(model.path());
    assert!(message.contains("backend tract (tract-"), "{message}");
    assert!(
        message.contains("; supernet leaves it, because of net.onnx: Flatten f: supernet has no such"),
        "{message}"
    );
    let state = TempDir::new().unwrap();
    let ladder = |backend: &str| {
        gaitd(state.path()).args(["ladder", "--backend", backend, "--models"]).arg(model.path()).assert()
    };
    let output = ladder("supernet").code(65);
    let message = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(message.contains("supernet leaves it, because of net.onnx: Flatten f"), "{message}");
    for backend in ["auto", "tract"] {
        let output = ladder(backend).success();
        let shown = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        assert!(shown.contains("\nbackend tract: "), "{shown}");
        assert_eq!(shown.contains("\nsupernet leaves it, because of net.onnx: "), backend == "auto", "{shown}");
    }
}
