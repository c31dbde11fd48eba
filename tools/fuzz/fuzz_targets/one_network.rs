//! A ladder of one network, whose file an input is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gaitd_core::ladder::{FilesError, Manifest, ModelFiles, Network, NetworkFiles, Runner, sha256};
use serde_json::json;

/// The network's file, and one of weights beside it where there is one.
pub struct OneNetwork<'a>(BTreeMap<&'static str, &'a [u8]>);

impl<'a> OneNetwork<'a> {
    /// Of the network `onnx`.
    pub fn new(onnx: &'a [u8], weights: Option<&'a [u8]>) -> Self {
        Self([("net.onnx", onnx)].into_iter().chain(weights.map(|weights| ("w", weights))).collect())
    }

    /// A window of three channels and eight samples, and two labels.
    pub fn manifest(&self) -> Manifest {
        let channels: Vec<_> = ["x", "y", "z"].map(|axis| json!({"name": format!("acc_{axis}"), "unit": "g"})).into();
        let weights = self.0.get("w").map(|bytes| json!({"file": "w", "sha256": sha256(bytes)}));
        let json = json!({
            "schema": 3, "name": "fuzzed", "training": {},
            "task": {
                "labels": ["walking", "sitting"], "channels": channels, "sample_rate_hz": 50, "window": 8, "hop": 4,
                "input": {"channels": channels, "conditioning": []},
            },
            "configurations": [{
                "id": "net", "file": "net.onnx", "sha256": sha256(self.0["net.onnx"]),
                "weights": weights.into_iter().collect::<Vec<_>>(),
            }],
        });
        Manifest::parse(json.to_string().as_bytes(), Path::new("manifest.json")).expect("a manifest")
    }

    /// Holds the network to its promises: whatever is refused is so in words, and nothing is left of one window in the next.
    pub fn run(&self, load: impl FnOnce(&NetworkFiles<'_>) -> Option<Arc<dyn Network>>) {
        let manifest = self.manifest();
        let Some(network) = load(&NetworkFiles::new(&manifest, self)) else { return };
        let Ok(mut runner) = network.runner() else { return };
        let window: Vec<f32> = (0..24).map(|number| (number as f32).sin()).collect();
        let infer = |runner: &mut dyn Runner, window: &[f32]| {
            let mut logits = [0.0; 2];
            runner.infer(0, window, &mut logits).is_ok().then_some(logits)
        };
        if let Some(first) = infer(runner.as_mut(), &window) {
            assert!(first.iter().all(|logit| logit.is_finite()));
            infer(runner.as_mut(), &[0.0; 24]);
            if let Some(again) = infer(runner.as_mut(), &window) {
                assert_eq!(first, again);
            }
        }
    }
}

impl ModelFiles for OneNetwork<'_> {
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
