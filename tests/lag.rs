//! Windows told of again, by what came after them, against the whole computation from what each window said.

use gaitd_tests::{lines, shipped_model};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

const HOP_S: f64 = 1.28;
const LAG: usize = 3;

/// What a run of two minutes of the simulated wearer writes, at the most accurate configuration, as NDJSON.
fn run(flags: &[&str]) -> Vec<u8> {
    let state = TempDir::new().unwrap();
    let mut command = gaitd(state.path());
    command.args(["run", "--source", "wearer", "--pace", "fast", "--seconds", "120", "--seed", "4"]);
    command.args(["--rung", &most_accurate(), "--format", "ndjson"]).args(flags);
    command.assert().success().get_output().stdout.clone()
}

fn manifest() -> Value {
    let manifest = std::fs::read(shipped_model().join("manifest.json")).unwrap();
    serde_json::from_slice(&manifest).unwrap()
}

/// The configuration that errs least on people held out, of whose answers no more than the context's `doubt` is not believed.
fn most_accurate() -> String {
    let manifest = manifest();
    let validation = |it: &&Value| it["accuracy"]["validation"].as_f64().unwrap();
    let configurations = manifest["configurations"].as_array().unwrap();
    let best = configurations.iter().max_by(|one, other| validation(one).total_cmp(&validation(other))).unwrap();
    best["id"].as_str().unwrap().to_owned()
}

fn probabilities(of: &Value) -> Vec<f64> {
    of.as_object().unwrap().values().map(|it| it.as_f64().unwrap()).collect()
}

/// The belief in each activity at the window `at`, from what all windows up to `until` said: forward and backward over all of them.
fn by_hand(said: &[Vec<f64>], at: usize, until: usize) -> Vec<f64> {
    let labels = said[0].len() as f64;
    let context = &manifest()["context"];
    let of_context = |key: &str| context[key].as_f64().unwrap();
    assert_eq!((of_context("evidence"), of_context("hop_s")), (1.0, HOP_S), "each answer has its whole weight");
    assert!(context["change"].is_null());
    let (stay, doubt) = ((-HOP_S / of_context("bout_s")).exp(), of_context("doubt"));
    let spread = |shares: &[f64]| -> Vec<f64> {
        let sum: f64 = shares.iter().sum();
        shares.iter().map(|share| stay * share / sum + (1.0 - stay) / labels).collect()
    };
    let weigh = |shares: Vec<f64>, said: &[f64]| -> Vec<f64> {
        shares.iter().zip(said).map(|(share, said)| share * ((1.0 - doubt) * said + doubt / labels)).collect()
    };
    let even = vec![1.0 / labels; said[0].len()];
    let forward = said[..=at].iter().fold(even.clone(), |shares, said| weigh(spread(&shares), said));
    let backward = said[at + 1..=until].iter().rev().fold(even, |shares, said| spread(&weigh(shares, said)));
    let both: Vec<f64> = forward.iter().zip(backward).map(|(one, other)| one * other).collect();
    let sum: f64 = both.iter().sum();
    both.iter().map(|share| share / sum).collect()
}

#[test]
fn each_window_is_told_of_again_by_those_that_followed() {
    let output = run(&["--lag", &LAG.to_string()]);
    let (decisions, revised) = (lines(&output, "decision"), lines(&output, "revised"));
    assert!(decisions.len() > 80);
    assert_eq!(revised.len(), decisions.len() - LAG, "the last ones have no others behind them");
    let said: Vec<Vec<f64>> = decisions.iter().map(|it| probabilities(&it["instant"]["probabilities"])).collect();
    let mut changed = 0;
    for (window, (revised, decision)) in revised.iter().zip(&decisions).enumerate() {
        for field in ["window", "samples", "time", "time_s", "stream", "simulated"] {
            assert_eq!(revised[field], decision[field], "{field}");
        }
        for (found, until) in [(&decision["belief"], window), (&revised["belief"], window + LAG)] {
            for (found, expected) in probabilities(found).iter().zip(by_hand(&said, window, until)) {
                assert!((found - expected).abs() < 1e-4, "window {window}: {found} and {expected}");
            }
        }
        let belief = revised["belief"].as_object().unwrap();
        let most = belief.iter().max_by(|one, other| one.1.as_f64().unwrap().total_cmp(&other.1.as_f64().unwrap()));
        assert_eq!(revised["activity"].as_str(), Some(most.unwrap().0.as_str()));
        changed += usize::from(revised["activity"] != decision["activity"]);
    }
    assert!(changed > 0, "what follows a change says when it was");
    // with the decision that brings it, so that a reader need not look ahead
    let text = String::from_utf8(output).unwrap();
    let classes: Vec<&str> = text.lines().skip(1).map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(classes[..6], ["decision", "decision", "decision", "decision", "revised", "decision"]);
    // what decisions say is the same as without
    let activities = |of: &[Value]| of.iter().map(|it| it["belief"].clone()).collect::<Vec<_>>();
    let without = run(&[]);
    assert_eq!(activities(&lines(&without, "decision")), activities(&decisions));
    assert!(lines(&without, "revised").is_empty());
}

#[test]
fn without_context_nothing_is_revised_and_no_lag_is_endless() {
    assert!(lines(&run(&["--lag", "2", "--context", "off"]), "revised").is_empty());
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["run", "--lag", "101"]).assert().code(78);
    let told = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(told.contains("control.lag is 101"), "{told}");
}
