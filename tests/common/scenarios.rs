//! Scenarios of `gaitd simulate`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::repository;

/// The folder of the shipped scenarios.
pub fn folder() -> PathBuf {
    repository().join("configs/scenarios")
}

/// Every shipped scenario, sorted by name.
pub fn shipped() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 12, "{paths:?}");
    paths
}

/// The scenario that the small tests change.
pub fn small() -> Value {
    json!({
        "schema": 1, "name": "small", "about": "for tests",
        "ladder": {"kind": "given", "labels": 4, "configurations": [
            {"id": "fast", "latency_ms": 5, "accuracy": 0.8, "macs": 1_000_000},
            {"id": "slow", "latency_ms": 20, "accuracy": 0.9, "macs": 4_000_000}
        ]},
        "budgets": [{"ms": 30, "inferences": 7}, {"ms": 12, "inferences": 3}],
        "miss_target": 0.02,
        "slowdown": {
            "kind": "process",
            "levels": [{"slowdown": 1, "load": 0.1}, {"slowdown": 2, "load": 0.5, "dwell": {"kind": "uniform", "shortest": 3, "longest": 9}}],
            "dwell": {"kind": "geometric", "mean": 12}, "noise": 0.1,
            "tail": {"share": 0.01, "scale": 1.5, "shape": 2}
        },
        "load": {"kind": "honest"},
        "inferences": 500, "seeds": [3, 4]
    })
}
