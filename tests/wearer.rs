//! The simulated wearer through the whole daemon: the shipped ladder must recognise what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaitd_core::clock::MonotonicClock;
use gaitd_core::stream::StreamFormat;
use gaitd_sense::wearer::{Model, WearerConfig, WearerSource};
use gaitd_tests::{lines, shipped_model, summary};
use tempfile::TempDir;

use crate::program::gaitd;

/// The seeds pick every persona at least once.
const SEEDS: std::ops::Range<u64> = 0..16;

/// A run of five minutes at the full configuration, as NDJSON.
fn run(seed: u64) -> Vec<u8> {
    let state = TempDir::new().unwrap();
    let seed = seed.to_string();
    let output = gaitd(state.path())
        .args(["run", "--source", "wearer", "--pace", "fast", "--seconds", "300", "--rung", "1.00x-128"])
        .args(["--seed", &seed, "--budget-ms", "1000", "--format", "ndjson"])
        .assert()
        .success();
    output.get_output().stdout.clone()
}

/// Which of the fitted persons the wearer of `seed` is.
fn persona(seed: u64) -> usize {
    let manifest = std::fs::read_to_string(shipped_model().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let channels = serde_json::from_value(manifest["task"]["input"]["channels"].clone()).unwrap();
    let format = StreamFormat { channels, rate_hz: manifest["task"]["sample_rate_hz"].as_f64().unwrap() };
    let config = WearerConfig { seed, ..WearerConfig::default() };
    WearerSource::new(&config, &format, Arc::new(MonotonicClock::start())).unwrap().persona()
}

#[test]
fn the_shipped_ladder_recognises_the_steady_windows_of_every_persona() {
    let mut personas: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for seed in SEEDS {
        let steady = &summary(&run(seed))["steady"];
        let count = |name: &str| steady[name].as_u64().unwrap();
        assert!(count("windows") > 120, "seed {seed}: {steady}");
        let (windows, right) = personas.entry(persona(seed)).or_default();
        *windows += count("windows");
        *right += count("right");
    }
    assert!(personas.keys().copied().eq(0..Model::embedded().unwrap().personas()), "{personas:?}");
    for (persona, (windows, right)) in &personas {
        eprintln!("persona {persona}: {right} of {windows} steady windows recognised");
        assert!(right * 100 >= windows * 90, "persona {persona}: {right} of {windows}");
    }
    let (windows, right) = personas.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    eprintln!("all: {right} of {windows} steady windows recognised");
}

#[test]
fn the_same_seed_gives_the_same_decisions() {
    let answers = |output: &[u8]| -> Vec<_> {
        let answer = |d: &serde_json::Value| {
            (d["samples"].clone(), d["activity"].clone(), d["instant"]["probabilities"].clone())
        };
        lines(output, "decision").iter().map(answer).collect()
    };
    let first = answers(&run(1));
    assert!(first.len() > 200);
    assert_eq!(first, answers(&run(1)));
    assert_ne!(first, answers(&run(2)));
}
