//! Networks of others, as PyTorch's two exporters and Keras write them, the whole way: `gaitd check`, `gaitd replay` and
//! `gaitd run` answer as ONNX Runtime does.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use gaitd_tests::{lines, python, repository};
use ndarray::{Array2, Array3, Axis};
use ndarray_npy::NpzReader;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::program::gaitd;

/// What gaitd says of the networks that it does not run.
const REFUSED: [(&str, &str); 1] =
    [("torchscript-cnn2d-qoperator-microsoft", "gaitd cannot run the operator QGemm of com.microsoft")];

/// How many windows of a network are golden vectors, and are sent to `gaitd run`.
const WINDOWS: usize = 8;

#[test]
fn exported_networks_answer_as_onnx_runtime_does() {
    let Some(python) = python("exported networks", "onnxscript") else { return };
    let zoo = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = repository().join("tools/zoo/networks.py");
    assert!(Command::new(python).arg(script).arg(zoo.path()).status().unwrap().success());
    let mut names: Vec<_> =
        std::fs::read_dir(zoo.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(REFUSED.iter().all(|(name, _)| names.iter().any(|it| it == name)), "{names:?}");
    let wrong: String = names.iter().filter_map(|name| wrong(name, &zoo.path().join(name))).collect();
    assert!(wrong.is_empty(), "of {} networks:\n{wrong}", names.len());
}

/// What is wrong with the answers of the network in `folder`.
fn wrong(name: &str, folder: &Path) -> Option<String> {
    let network = Network::read(folder);
    network.write_model(folder);
    let state = TempDir::new().unwrap();
    let check = gaitd(state.path()).arg("check").arg(folder).output().unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return (check.status.success() || !said.contains(why)).then(|| format!("{name} is not refused: {said}\n"));
    }
    if !check.status.success() {
        return Some(format!("{name} is refused: {said}\n"));
    }
    let mut wrong = String::new();
    let same = same_answers(folder, state.path());
    if same < network.same_answers {
        writeln!(wrong, "{name}: the same answer to {same} of the windows in a replay").unwrap();
    }
    if let Err(difference) = network.run(folder, state.path()) {
        writeln!(wrong, "{name}: {difference}").unwrap();
    }
    (!wrong.is_empty()).then_some(wrong)
}

/// The share of the reference's answers that a replay of its windows gives, too.
fn same_answers(folder: &Path, state: &Path) -> f64 {
    let mut replay = gaitd(state);
    replay.arg("replay").arg(folder.join("reference.npz")).arg("--json").arg("--models").arg(folder);
    let output = replay.assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    report["configurations"][0]["accuracy"].as_f64().unwrap()
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
        let mut npz = NpzReader::new(std::fs::File::open(folder.join("reference.npz")).unwrap()).unwrap();
        let answers: Array2<f32> = npz.by_name("answers").unwrap();
        let probabilities = about["output"] == "probabilities";
        let logits = answers.mapv(|answer| if probabilities { answer.max(f32::MIN_POSITIVE).ln() } else { answer });
        let tolerance = &about["tolerance"];
        // the logits of integers may be a step apart
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

    /// Writes the manifest and the golden vectors beside the network.
    fn write_model(&self, folder: &Path) {
        let digest = |file: &str| -> String {
            let bytes = std::fs::read(folder.join(file)).unwrap();
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut configuration = json!({"id": "net", "file": "model.onnx", "sha256": digest("model.onnx")});
        let beside = "model.onnx.data";
        if folder.join(beside).exists() {
            configuration["weights"] = json!([{"file": beside, "sha256": digest(beside)}]);
        }
        let input = |input: &Value| json!({"name": input["name"], "channels": input["channels"], "layout": self.about["layout"]});
        configuration["inputs"] = self.about["inputs"].as_array().unwrap().iter().map(input).collect();
        configuration["output"] = json!({"name": self.about["output_name"], "holds": self.about["output"]});
        let unit = |name: &str| if name.starts_with("acc") { "g" } else { "rad/s" };
        let channels: Value = self.channels().iter().map(|name| json!({"name": name, "unit": unit(name)})).collect();
        let (window, labels): (_, Vec<_>) = (&self.about["window"], self.labels().collect());
        let task = json!({
            "labels": labels, "channels": channels, "sample_rate_hz": self.about["rate_hz"],
            // each window begins where the last one ends
            "window": window, "hop": window, "input": {"channels": channels, "conditioning": []},
        });
        let manifest =
            json!({"schema": 3, "name": "zoo", "task": task, "training": {}, "configurations": [configuration]});
        std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
        let windows: Vec<Vec<Vec<f32>>> =
            self.windows.outer_iter().map(|window| window.outer_iter().map(|row| row.to_vec()).collect()).collect();
        let logits: Vec<Vec<f32>> = self.logits.outer_iter().map(|row| row.to_vec()).collect();
        let golden = json!({
            "schema": 2, "reference": "ONNX Runtime", "windows": windows[..WINDOWS],
            "logits": {"net": logits[..WINDOWS]}, "tolerances": {"net": self.tolerance},
        });
        std::fs::write(folder.join("golden.json"), golden.to_string()).unwrap();
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
        run.args(["run", "--source", "-", "--pace", "fast", "--format", "ndjson", "--models"]).arg(folder);
        let output = run.write_stdin(csv).assert().success();
        let decisions = lines(&output.get_output().stdout, "decision");
        if decisions.len() != WINDOWS {
            return Err(format!("{} decisions on {WINDOWS} windows", decisions.len()));
        }
        for (decision, logits) in decisions.iter().zip(self.logits.outer_iter()) {
            let largest = logits.iter().fold(1.0, |largest: f64, logit| largest.max(f64::from(logit.abs())));
            let expected = softmax(logits.as_slice().unwrap());
            let found: Vec<f64> =
                self.labels().map(|label| decision["probabilities"][label].as_f64().unwrap()).collect();
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
