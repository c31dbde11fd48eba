//! What `gaitd replay` says of a simulated wearer, and the decisions that it keeps.

use std::path::Path;

use gaitd_tests::{ModelCopy, fresh, lines};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

fn scenario() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/uci-har-steps.json")
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_decisions_of_a_replay_are_kept_and_come_out_the_same_again() {
    let state = TempDir::new().unwrap();
    let replay = || {
        let file = fresh(&state, "ndjson");
        let mut command = gaitd(state.path());
        command.args(["replay", "wearer", "--seconds", "90", "--seed", "3", "--json", "--scenario"]).arg(scenario());
        let output = command.arg("--output").arg(&file).assert().success();
        let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        (report, std::fs::read_to_string(&file).unwrap())
    };
    let (report, text) = replay();
    let (greeting, decisions) = (&objects(&text)[0], lines(text.as_bytes(), "decision"));
    assert_eq!((&greeting["class"], &greeting["simulated"]), (&"gaitd".into(), &true.into()));
    assert_eq!(greeting["policy"], report["controller"]["policy"]);
    assert_eq!(report["controller"]["decided"], decisions.len());
    // 4500 samples make 69 windows; the median keeps one sample back
    assert_eq!(decisions.len(), 69);
    for (number, decision) in decisions.iter().enumerate() {
        assert_eq!((&decision["class"], &decision["window"]), (&"decision".into(), &number.into()));
        for (activity, shares) in [
            (&decision["activity"], &decision["belief"]),
            (&decision["instant"]["activity"], &decision["instant"]["probabilities"]),
        ] {
            let shares = shares.as_object().unwrap().iter();
            let highest = shares.max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap()));
            assert_eq!(*activity, *highest.unwrap().0);
        }
    }
    let misses = decisions.iter().filter(|decision| decision["miss"] == true).count();
    assert_eq!(report["controller"]["misses"], misses);
    // virtual time: not even a timing differs
    assert_eq!(replay().1, text);
}

#[test]
fn each_decision_has_the_temperature_of_its_own_configuration() {
    let state = TempDir::new().unwrap();
    let model = ModelCopy::new();
    let replay = |temperature: &dyn Fn(usize) -> Option<f64>| {
        model.set_temperatures(temperature);
        let file = fresh(&state, "ndjson");
        let mut command = gaitd(state.path());
        // blind to the activity and without cascades, so that the same configurations answer whatever the probabilities
        let blind = ["--activity-blind", "--context", "off"];
        command.args(["replay", "wearer", "--seconds", "180"]).args(blind).arg("--models").arg(model.path());
        command.arg("--scenario").arg(scenario()).arg("--output").arg(&file).assert().success();
        std::fs::read_to_string(&file).unwrap()
    };
    let plain = replay(&|_| Some(1.0));
    assert_eq!(replay(&|_| None), plain, "no temperature is a temperature of 1");

    let of_rung = |rung: usize| [2.0, 1.0, 4.0][rung % 3];
    let softened = replay(&|rung| Some(of_rung(rung)));
    let manifest: Value = serde_json::from_slice(&std::fs::read(model.path().join("manifest.json")).unwrap()).unwrap();
    let ids: Vec<&Value> = manifest["configurations"].as_array().unwrap().iter().map(|c| &c["id"]).collect();
    let [plain, softened] = [plain, softened].map(|text| lines(text.as_bytes(), "decision"));
    assert_eq!(plain.len(), softened.len());
    let mut temperatures = Vec::new();
    for (plain, softened) in plain.iter().zip(&softened) {
        let same = |decision: &Value| {
            ["/window", "/configuration", "/instant/activity"].map(|at| decision.pointer(at).cloned())
        };
        assert_eq!(same(plain), same(softened));
        let temperature = of_rung(ids.iter().position(|id| **id == plain["configuration"]).unwrap());
        temperatures.push(temperature);
        let log_odds = |decision: &Value, label: &str| {
            let probability = |label: &str| decision["instant"]["probabilities"][label].as_f64().unwrap();
            // below, single precision has few digits left
            let against = Some(probability(label)).filter(|probability| *probability > 1e-36);
            against.map(|against| (probability(decision["instant"]["activity"].as_str().unwrap()) / against).ln())
        };
        for label in plain["instant"]["probabilities"].as_object().unwrap().keys() {
            let Some((plain, softened)) = log_odds(plain, label).zip(log_odds(softened, label)) else { continue };
            let difference = (plain - temperature * softened).abs();
            assert!(difference < 1e-4, "{label}: log-odds {plain} become {softened} at {temperature}");
        }
        assert_eq!(
            plain["instant"]["probabilities"] == softened["instant"]["probabilities"],
            temperature == 1.0,
            "{plain} {softened}"
        );
    }
    // else nothing of it was tried
    temperatures.sort_by(f64::total_cmp);
    temperatures.dedup();
    assert!(temperatures.len() >= 2, "only the temperatures {temperatures:?}");
}

#[test]
fn a_simulated_wearer_is_replayed_through_every_configuration() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["replay", "wearer", "--seconds", "60", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["simulated"], true);
    // 45 windows, some of which lie in two activities
    let (compared, unlabelled) = (report["windows"].as_u64().unwrap(), report["unlabelled"].as_u64().unwrap());
    assert_eq!(compared + unlabelled, 45);
    for configuration in report["configurations"].as_array().unwrap() {
        assert_eq!(configuration["windows"], compared);
        assert!(configuration["accuracy"].as_f64().unwrap() > 0.8, "{configuration}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let state = TempDir::new().unwrap();
    let missing = state.path().join("none/decisions.ndjson").display().to_string();
    for (arguments, code, expected) in [
        (vec!["replay", "walk.csv", "--seed", "1"], 78, "simulated wearer"),
        (vec!["replay", "wearer", "--seconds", "0"], 78, "seconds is 0"),
        (vec!["replay", "wearer", "--seconds", "1"], 65, "no window"),
        (vec!["replay", "wearer", "--policy", "fixed", "--output", &missing], 74, "none/decisions.ndjson"),
        (vec!["replay", "wearer", "--rung", "1.00x-128", "--output", "d"], 64, "--rung"),
    ] {
        let output = gaitd(state.path()).args(arguments).assert().code(code);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(expected), "{expected:?} should be named in: {stderr}");
    }
}

#[test]
fn of_a_stream_the_best_sequence_stands_beside_what_windows_and_the_stream_say() {
    let state = TempDir::new().unwrap();
    let replay = |flags: &[&str]| {
        let mut command = gaitd(state.path());
        command.args(["replay", "wearer", "--seconds", "240", "--seed", "2"]).args(flags);
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    let report = |flags: &[&str]| serde_json::from_str::<Value>(&replay(&[flags, &["--json"]].concat())).unwrap();
    let row = &report(&["--rung", "0.10x-96"])["configurations"][0];
    let shares = ["accuracy", "context_accuracy", "sequence_accuracy"].map(|share| row[share].as_f64().unwrap());
    assert!(shares.iter().all(|share| (0.5..=1.0).contains(share)), "{shares:?}");
    // what knows the whole recording is the better for it
    assert!(shares[2] >= shares[1], "{shares:?}");
    let alone = &report(&["--rung", "0.10x-96", "--context", "off"])["configurations"][0];
    assert_eq!((&alone["accuracy"], &alone["sequence_accuracy"]), (&row["accuracy"], &Value::Null));
    let text = replay(&["--rung", "0.10x-96"]);
    assert!(text.contains("with context %") && text.contains("best sequence %"), "{text}");
    let controlled = replay(&["--policy", "fixed"]);
    assert!(
        controlled.contains(" by windows alone, ") && controlled.contains(" by the best sequence)"),
        "{controlled}"
    );
}
