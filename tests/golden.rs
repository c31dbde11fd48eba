//! The shipped ladder agrees with the logits that the trainer computed, on whatever machine this runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gaitd::ladder::{GOLDEN_TOLERANCE, Ladder, ModelStore};
use serde_json::Value;

#[test]
fn every_configuration_agrees_with_the_trainer() {
    let mut ladder = Ladder::load(&ModelStore::Embedded).unwrap();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/uci-har-cnn/golden.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(directory).unwrap()).unwrap();
    let floats =
        |value: &Value| -> Vec<f32> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect() };
    let mut compared = 0;
    for rung in ladder.rungs_mut() {
        let id = rung.configuration().id.clone();
        for (window, expected) in
            golden["windows"].as_array().unwrap().iter().zip(golden["logits"][&id].as_array().unwrap())
        {
            let window: Vec<f32> = window.as_array().unwrap().iter().flat_map(floats).collect();
            let expected = floats(expected);
            let mut logits = vec![0.0; expected.len()];
            // twice: the reused state and buffers must not leak from one window into the next
            for _ in 0..2 {
                rung.resample(&window);
                rung.infer(&mut logits).unwrap();
                for (logit, expected) in logits.iter().zip(&expected) {
                    assert!((logit - expected).abs() <= GOLDEN_TOLERANCE, "{id}: {logits:?} {expected:?}");
                }
            }
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared} vectors compared");
}
