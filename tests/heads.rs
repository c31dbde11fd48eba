//! Inferences that begin before their windows are complete, as a user of `gaitd run` meets them.

use gaitd_tests::lines;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// The decisions on the simulated wearer, by one configuration: the same windows each time.
fn decisions(flags: &[&str]) -> Vec<Value> {
    let state = TempDir::new().unwrap();
    let run = ["run", "--json", "--rung", "0.40x-108", "--seconds", "12"];
    let assert = gaitd(state.path()).args(run).args(flags).assert().success();
    lines(&assert.get_output().stdout, "decision")
}

#[test]
fn a_head_changes_when_an_inference_is_done_and_not_what_it_answers() {
    let (begun, whole) = std::thread::scope(|scope| {
        let whole = scope.spawn(|| decisions(&["--head-ms", "0"]));
        (decisions(&[]), whole.join().unwrap())
    });
    assert!(whole.len() > 5 && begun.len() == whole.len());
    assert!(whole.iter().all(|decision| decision["head"].is_null()));
    // when samples come is known after the first window
    assert!(begun[0]["head"].is_null());
    let heads: Vec<&Value> = begun.iter().map(|decision| &decision["head"]).filter(|head| !head.is_null()).collect();
    assert!(!heads.is_empty(), "{begun:?}");
    for head in heads {
        assert!(head["lead_ms"].as_f64().unwrap() > 0.0 && head["infer_ms"].as_f64().unwrap() > 0.0, "{head}");
        assert_eq!((&head["insured"], &head["given_up"]), (&Value::Bool(false), &Value::Null));
    }
    for (begun, whole) in begun.iter().zip(&whole) {
        assert_eq!((&begun["samples"], &begun["activity"]), (&whole["samples"], &whole["activity"]));
        for (label, probability) in whole["instant"]["probabilities"].as_object().unwrap() {
            let other = begun["instant"]["probabilities"][label].as_f64().unwrap();
            assert!((other - probability.as_f64().unwrap()).abs() < 1e-5, "{label}: {begun} {whole}");
        }
    }
}

#[test]
fn as_fast_as_possible_nothing_begins_early() {
    let fast = decisions(&["--pace", "fast"]);
    assert!(!fast.is_empty() && fast.iter().all(|decision| decision["head"].is_null()));
}

#[cfg(feature = "tract")]
#[test]
fn an_engine_that_wants_whole_windows_gets_them() {
    let whole = decisions(&["--backend", "tract"]);
    assert!(!whole.is_empty() && whole.iter().all(|decision| decision["head"].is_null()));
}

#[test]
fn a_lead_out_of_range_is_refused_by_its_name() {
    let state = TempDir::new().unwrap();
    for lead in ["-1", "1001", "nan"] {
        let assert = gaitd(state.path()).args(["run", "--pace", "fast", "--head-ms", lead]).assert().code(78);
        let message = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(message.contains("head_ms is") && message.contains("0 to 1000"), "{message}");
    }
}
