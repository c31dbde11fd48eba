//! Networks of others, as PyTorch's two exporters and Keras write them, and one for each operator, the whole way: `gaitd
//! model new` verifies their answers, `gaitd replay` and `gaitd run` answer as ONNX Runtime does.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use gaitd_tests::{lines, python, repository};
use ndarray::{Array2, Array3, Axis};
use ndarray_npy::NpzReader;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// Operators that tract lacks; some are for training.
const LACKING: [&str; 18] = [
    "AffineGrid",
    "BitCast",
    "CausalConvWithState",
    "CenterCropPad",
    "Col2Im",
    "CumProd",
    "DeformConv",
    "Det",
    "LinearAttention",
    "LpPool",
    "MaxUnpool",
    "NegativeLogLikelihoodLoss",
    "OptionalGetElement",
    "ReverseSequence",
    "RoiAlign",
    "SoftmaxCrossEntropyLoss",
    "SwiGLU",
    "TensorScatter",
];

/// How many windows are sent to `gaitd run`.
const WINDOWS: usize = 8;

/// In the folder of a case, what is asked of it, and the model that gaitd makes.
const REFERENCE: &str = "reference.npz";
const MODEL: &str = "made";

#[test]
fn exported_networks_answer_as_onnx_runtime_does() {
    let quantised = "gaitd cannot run the operator QGemm of com.microsoft";
    assert_answers("networks.py", "onnxscript", 49, &[("torchscript-cnn2d-qoperator-microsoft", quantised)]);
}

#[test]
fn every_operator_answers_as_onnx_says_or_is_refused() {
    let refused = LACKING.map(|operator| (operator, "gaitd cannot run the operator"));
    let others = [
        // tract leaves the factor out
        ("Celu", "another alpha than 1"),
        ("Compress", "can not be typed"),
        ("Expand", "running pass declutter"),
    ];
    assert_answers("operators.py", "onnx", 143, &[&refused[..], &others].concat());
}

/// Makes `count` networks with a script of `tools/zoo`, which needs `package`, and holds what gaitd makes of each against
/// its reference, or, if it is among those that are `refused`, against what is said of it.
fn assert_answers(script: &str, package: &str, count: usize, refused: &[(&str, &str)]) {
    let Some(python) = python(script, package) else { return };
    let zoo = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = repository().join("tools/zoo").join(script);
    assert!(Command::new(python).arg(script).arg(zoo.path()).status().unwrap().success());
    let folders: Vec<_> = std::fs::read_dir(zoo.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), count, "{folders:?}");
    let mut expected: HashMap<_, _> = refused.iter().copied().collect();
    let mut wrong = String::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if let Err(error) = hold(folder, expected.remove(name)) {
            writeln!(wrong, "{name}: {error}").unwrap();
        }
    }
    assert!(wrong.is_empty() && expected.is_empty(), "{wrong}not there: {expected:?}");
}

/// Holds the answers of the network in `folder` against its reference, or its refusal against the reason for that.
fn hold(folder: &Path, refused: Option<&str>) -> Result<(), String> {
    let (network, state) = (Network::read(folder), TempDir::new().unwrap());
    match (network.model(folder, state.path()), refused) {
        (Ok(()), None) => network.replay(folder, state.path()).and_then(|()| network.run(folder, state.path())),
        (Err(said), Some(why)) if said.contains(why) => Ok(()),
        (Ok(()), Some(_)) => Err("it is not refused".to_owned()),
        (Err(said), _) => Err(said),
    }
}

/// What `command` writes to standard output, or all that it says where it fails.
fn output(command: &mut assert_cmd::Command) -> Result<Vec<u8>, String> {
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// What the zoo says of a network, and its reference.
struct Network {
    about: Value,
    /// `[window, channel, time]`
    windows: Array3<f32>,
    /// `[window, label]`
    logits: Array2<f32>,
    /// Of the largest logit of a window.
    tolerance: f64,
    /// The least share of windows.
    same_answers: f64,
}

impl Network {
    fn read(folder: &Path) -> Self {
        let about: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let mut npz = NpzReader::new(std::fs::File::open(folder.join(REFERENCE)).unwrap()).unwrap();
        let answers: Array2<f32> = npz.by_name("model").unwrap();
        let probabilities = about["output"] == "probabilities";
        let logits = answers.mapv(|answer| if probabilities { answer.max(f32::MIN_POSITIVE).ln() } else { answer });
        let tolerance = &about["tolerance"];
        let (tolerance, same_answers) =
            (tolerance["of_largest"].as_f64().unwrap_or(0.1), tolerance["same_answer"].as_f64().unwrap_or(1.0));
        Self { windows: npz.by_name("X_test").unwrap(), about, logits, tolerance, same_answers }
    }

    fn labels(&self) -> impl Iterator<Item = &str> {
        self.about["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap())
    }

    /// All channels, in the order of the windows.
    fn channels(&self) -> Vec<&str> {
        let inputs = self.about["inputs"].as_array().unwrap();
        let names = inputs.iter().flat_map(|input| input["channels"].as_array().unwrap());
        names.map(|name| name.as_str().unwrap()).collect()
    }

    /// Makes a model of the network, with the reference's answers.
    fn model(&self, folder: &Path, state: &Path) -> Result<(), String> {
        let text = |key: &str| self.about[key].to_string();
        let unit = |name: &str| if name.starts_with("acc") { "g" } else { "rad/s" };
        let channels: Vec<_> = self.channels().iter().map(|name| format!("{name}:{}", unit(name))).collect();
        let mut new = gaitd(state);
        new.args(["model", "new"]).arg(folder.join(MODEL)).arg("--onnx").arg(folder.join("model.onnx"));
        new.args(["--labels", &self.labels().collect::<Vec<_>>().join(","), "--channels", &channels.join(",")]);
        // each window begins where the last one ends
        new.args(["--rate", &text("rate_hz"), "--window", &text("window"), "--hop", &text("window")]);
        new.args(["--layout", self.about["layout"].as_str().unwrap()]);
        let inputs = self.about["inputs"].as_array().unwrap();
        for input in inputs.iter().filter(|_| inputs.len() > 1) {
            let names: Vec<_> = input["channels"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
            new.arg("--input").arg(format!("{}={}", input["name"].as_str().unwrap(), names.join(",")));
        }
        new.args(self.about["output_name"].as_str().iter().flat_map(|name| ["--network-output", name]));
        // the logits of integers may be steps apart; of them the answers count, in the replay
        if self.same_answers == 1.0 {
            new.arg("--reference").arg(folder.join(REFERENCE));
        }
        output(&mut new).map(drop)
    }

    /// Replays the windows, whose labels are the reference's answers.
    fn replay(&self, folder: &Path, state: &Path) -> Result<(), String> {
        let mut replay = gaitd(state);
        replay.arg("replay").arg(folder.join(REFERENCE)).arg("--json").arg("--models").arg(folder.join(MODEL));
        let report: Value = serde_json::from_slice(&output(&mut replay)?).unwrap();
        let same = report["configurations"][0]["accuracy"].as_f64().unwrap();
        if same < self.same_answers {
            Err(format!("the same answer to {same} of the windows replayed"))
        } else {
            Ok(())
        }
    }

    /// Sends the first windows to `gaitd run` as a stream, and tells of the first answer that is not the reference's.
    fn run(&self, folder: &Path, state: &Path) -> Result<(), String> {
        let mut csv = format!("# rate_hz={}\n{}\n", self.about["rate_hz"], self.channels().join(","));
        for window in self.windows.outer_iter().take(WINDOWS) {
            for sample in window.axis_iter(Axis(1)) {
                let values: Vec<String> = sample.iter().map(f32::to_string).collect();
                writeln!(csv, "{}", values.join(",")).unwrap();
            }
        }
        let mut run = gaitd(state);
        run.args(["run", "--source", "-", "--pace", "fast", "--format", "ndjson", "--rung", "model"]);
        let decisions = lines(&output(run.arg("--models").arg(folder.join(MODEL)).write_stdin(csv))?, "decision");
        if decisions.len() != WINDOWS {
            return Err(format!("{} decisions on {WINDOWS} windows", decisions.len()));
        }
        for (decision, logits) in decisions.iter().zip(self.logits.outer_iter()) {
            let largest = logits.iter().fold(1.0, |largest: f64, logit| largest.max(f64::from(logit.abs())));
            let expected = softmax(logits.as_slice().unwrap());
            let found: Vec<f64> =
                self.labels().map(|label| decision["instant"]["probabilities"][label].as_f64().unwrap()).collect();
            // a probability moves by no more than half of what logits do
            let close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= self.tolerance * largest / 2.0;
            if !found.iter().zip(&expected).all(close) {
                return Err(format!("the probabilities live are {found:?}, not {expected:?}"));
            }
        }
        Ok(())
    }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
