//! ONNX networks: whatever a file holds, it is refused in words or gives logits that are numbers, in little time and memory.
//!
//! An input is the network's file, of a window of three channels and eight samples and two labels.

#![no_main]

use std::collections::BTreeMap;
use std::panic;
use std::path::{Path, PathBuf};

use gaitd_core::ladder::{Backend, FilesError, Loaded, Manifest, ModelFiles, NetworkFiles};
use gaitd_tract::Tract;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sha2::{Digest, Sha256};

/// The model's files.
struct Files<'a>(BTreeMap<&'static str, &'a [u8]>);

impl ModelFiles for Files<'_> {
    fn origin(&self) -> String {
        "an input".to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        let missing = || FilesError { path: name.into(), reason: std::io::ErrorKind::NotFound.into() };
        Ok(self.0.get(name).ok_or_else(missing)?.to_vec())
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        Ok(self.0.keys().map(|name| (*name).to_owned()).collect())
    }
}

/// The manifest of a ladder of the one network `onnx`, with weights beside it.
fn manifest(onnx: &[u8], weights: &[u8]) -> Manifest {
    let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let channels: Vec<_> = ["x", "y", "z"].map(|axis| json!({"name": format!("acc_{axis}"), "unit": "g"})).into();
    let json = json!({
        "schema": 3, "name": "fuzzed", "training": {},
        "task": {
            "labels": ["walking", "sitting"], "channels": channels, "sample_rate_hz": 50, "window": 8, "hop": 4,
            "input": {"channels": channels, "conditioning": []},
        },
        "configurations": [{
            "id": "net", "file": "net.onnx", "sha256": digest(onnx),
            "weights": [{"file": "w", "sha256": digest(weights)}],
        }],
    });
    Manifest::parse(json.to_string().as_bytes(), Path::new("manifest.json")).expect("a manifest")
}

/// tract gives up by panicking on much of what is no network, and gaitd catches that; libFuzzer would not let it. A panic
/// of gaitd's own is one still: it ends the target.
fn only_own_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or("", |location| location.file());
        if place.contains("runtime/") || place.contains("fuzz_targets/") {
            usual(panic);
        }
    }));
}

fuzz_target!(init: only_own_panics(), |bytes: &[u8]| {
    let weights = [0; 64];
    let manifest = manifest(bytes, &weights);
    let files = Files([("net.onnx", bytes), ("w", &weights)].into());
    let network = match Tract.load(&NetworkFiles::new(&manifest, &files)) {
        Ok(Loaded::Network(network)) => network,
        Ok(Loaded::Left(reason)) => panic!("tract takes every ladder: {reason}"),
        Err(error) => return assert!((1..4096).contains(&error.to_string().len())),
    };
    let Ok(mut runner) = network.runner() else { return };
    let window: Vec<f32> = (0..24).map(|number| (number as f32).sin()).collect();
    let (mut first, mut again) = ([0.0; 2], [0.0; 2]);
    if runner.infer(0, &window, &mut first).is_ok() {
        assert!(first.iter().all(|logit| logit.is_finite()));
        // nothing is left of one window in the next
        let _ = runner.infer(0, &[0.0; 24], &mut again);
        if runner.infer(0, &window, &mut again).is_ok() {
            assert_eq!(first, again);
        }
    }
});
