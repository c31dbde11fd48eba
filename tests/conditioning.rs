//! Conditioning as a manifest lists it, through the program.

use std::path::Path;

use gaitd_tests::{CSV_HEADER, ModelCopy, csv, lines, shipped_model};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// The answers of the smallest configuration.
fn probabilities(state: &Path, model: &Path, samples: &Path) -> Vec<Value> {
    let mut command = gaitd(state);
    command.args(["run", "--rung", "0.10x-96", "--pace", "fast", "--format", "ndjson"]);
    let output = command.arg("--models").arg(model).arg("--source").arg(samples).unwrap();
    lines(&output.stdout, "decision")
        .into_iter()
        .map(|mut decision| decision["instant"]["probabilities"].take())
        .collect()
}

/// A ladder whose sensor is in other units and whose conditioning takes a long way round comes to the same answers.
#[test]
fn operations_that_undo_each_other_leave_the_answers_alone() {
    let state = TempDir::new().unwrap();
    let samples = state.path().join("samples.csv");
    let units = |name: &str| format!("{name} [{}]", if name.starts_with("acc") { "g" } else { "rad/s" });
    let header: Vec<_> =
        CSV_HEADER.trim().split(',').map(|name| if name == "t" { "t".into() } else { units(name) }).collect();
    std::fs::write(&samples, csv(12.0).replace(CSV_HEADER.trim(), &header.join(","))).unwrap();

    let model = ModelCopy::new();
    let [acc, gyro] = ["acc", "gyro"].map(|stem| ["x", "y", "z"].map(|axis| format!("{stem}_{axis}")));
    let all = [&acc[..], &gyro[..]].concat();
    model.edit(|manifest| {
        manifest["schema"] = 3.into();
        let input = &mut manifest["task"]["input"];
        input.as_object_mut().unwrap().remove("statistics");
        for (channel, unit) in (0..6).zip(["mg", "mg", "mg", "deg/s", "deg/s", "deg/s"]) {
            input["channels"][channel]["unit"] = json!(unit);
        }
        let first = json!([
            {"op": "convert", "from": acc, "unit": "g"},
            {"op": "convert", "from": gyro, "unit": "rad/s"},
            {"op": "standardise", "from": acc, "mean": [1, 0.5, -0.25], "std": [2, 2, 2]},
            {"op": "standardise", "from": ["acc_y", "acc_z"], "mean": [-0.25, 0.125], "std": [1, 1]},
            {"op": "scale", "from": acc, "factor": 2, "unit": "g"},
            {"op": "scale", "from": ["acc_x"], "factor": 1, "offset": 1},
            {"op": "clip", "from": all, "low": -50, "high": 50},
            {"op": "magnitude", "from": acc, "to": "magnitude"},
            {"op": "difference", "from": ["magnitude"]},
        ]);
        let operations = input["conditioning"].as_array_mut().unwrap();
        operations.splice(0..0, first.as_array().unwrap().iter().cloned());
    });

    let expected = probabilities(state.path(), &shipped_model(), &samples);
    let found = probabilities(state.path(), model.path(), &samples);
    assert_eq!(found.len(), expected.len());
    assert!(found.len() > 5, "{} decisions", found.len());
    for (found, expected) in found.iter().zip(&expected) {
        for (label, expected) in expected.as_object().unwrap() {
            let difference = found[label].as_f64().unwrap() - expected.as_f64().unwrap();
            assert!(difference.abs() < 1e-4, "{label}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_wrong_operation_is_refused_by_place_and_key() {
    let state = TempDir::new().unwrap();
    let model = ModelCopy::new();
    model.edit(|manifest| {
        manifest["schema"] = 3.into();
        let operations = manifest["task"]["input"]["conditioning"].as_array_mut().unwrap();
        operations.insert(1, json!({"op": "standardise", "from": ["acc_x"], "mean": [0], "std": [0]}));
    });
    let output = gaitd(state.path()).arg("check").arg(model.path()).assert().code(65);
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let says =
        "task.input.conditioning: conditioning[1] (standardise): `std[0]` is 0, but must be a finite number above 0";
    assert!(text.contains(says), "{text}");
}
