//! `gaitd simulate` on the shipped scenarios, and the scenarios that it refuses.

#[cfg(feature = "figures")]
use std::path::Path;
use std::path::PathBuf;

use gaitd_tests::scenarios::{folder, shipped, small};
use gaitd_tests::{fresh, shipped_model};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// The result of `gaitd simulate --json` on `scenarios`.
fn simulated(scenarios: &[PathBuf], flags: &[&str]) -> Value {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).arg("simulate").args(scenarios).args(flags).arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// Without a signal, `bayes` does not come as near to the oracle there as ALERT with constants that were fitted to the scenario.
const FITTED_IS_NEARER: [&str; 3] = ["steps", "calm", "outliers"];

#[test]
fn bayes_reaches_its_goals_but_those_that_are_known_to_be_missed() {
    let scenarios = ["steps", "bursty", "calm", "outliers"].map(|name| folder().join(name).with_extension("json"));
    let state = TempDir::new().unwrap();
    let mut command = gaitd(state.path());
    let output = command.arg("simulate").args(&scenarios).args(["--check", "--json"]).assert().code(1);
    let told = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let missed: Vec<&str> = told.lines().filter(|line| line.starts_with("  ")).map(str::trim).collect();
    assert_eq!(missed.len(), FITTED_IS_NEARER.len(), "{told}");
    for (goal, name) in missed.iter().zip(FITTED_IS_NEARER) {
        assert!(
            goal.starts_with(&format!("{name}: gap to the oracle: ")) && goal.ends_with(" of alert-fitted"),
            "{goal}"
        );
    }
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    for scenario in report["scenarios"].as_array().unwrap() {
        assert_eq!((&scenario["inferences"], &scenario["seeds"]), (&json!(40_000), &json!(5)));
    }
}

#[test]
fn a_goal_that_is_missed_fails_the_check_and_is_named() {
    let folder = TempDir::new().unwrap();
    let mut value: Value = serde_json::from_slice(&std::fs::read(self::folder().join("steps.json")).unwrap()).unwrap();
    // it cannot beat the bound by a signal that never comes
    value["load"]["missing"] = json!(1);
    let path = fresh(&folder, "json");
    std::fs::write(&path, value.to_string()).unwrap();
    let mut command = gaitd(folder.path());
    command.arg("simulate").arg(&path).args(["--check", "--inferences", "4000", "--seeds", "1"]);
    let assert = command.assert().code(1);
    let message = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(message.contains("steps: an honest signal: 0."), "{message}");
}

#[test]
fn json_names_what_scripts_look_for_in_every_scenario() {
    let report = simulated(&shipped(), &["--inferences", "300", "--seeds", "1"]);
    let scenarios = report["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), shipped().len());
    for scenario in scenarios {
        for constant in ["noise_memory", "process_noise", "measurement_noise"] {
            assert!(scenario["alert_fitted"][constant].is_number(), "{}: {constant}", scenario["name"]);
        }
        let policies = scenario["policies"].as_array().unwrap();
        for name in
            ["fixed", "step", "slackfit", "alert", "alert-fitted", "bayes-no-load", "bayes", "best-fixed", "oracle"]
        {
            let policy = policies.iter().find(|policy| policy["name"] == name).unwrap();
            for figure in ["miss_rate", "effective_accuracy", "gap_to_oracle", "switches", "mean_mmacs"] {
                assert!(policy[figure].is_number(), "{}: {name}: {figure}", scenario["name"]);
            }
            let traced = scenario["load"] == "recorded";
            assert_eq!(policy["gap_to_bound"].is_null(), traced, "{}: {name}", scenario["name"]);
        }
    }
}

#[test]
fn the_tables_show_policies_and_references_apart() {
    let state = TempDir::new().unwrap();
    let mut command = gaitd(state.path());
    command.arg("simulate").arg(folder().join("calm.json")).arg(folder().join("recorded-cpu.json"));
    command.args(["--policies", "alert,bayes", "--inferences", "300", "--seeds", "2"]);
    let assert = command.assert().success();
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(text.contains("300 inferences x 2 seeds") && text.contains("load signal: honest"), "{text}");
    let names =
        |text: &str| text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    let names: Vec<String> = names(&text);
    for name in ["alert", "bayes", "[best-fixed]", "[bound]", "[oracle]"] {
        assert!(names.contains(&name.to_owned()), "{name}: {text}");
    }
    assert!(!names.contains(&"step".to_owned()) && !names.contains(&"bayes-no-load".to_owned()), "{text}");
    let summary = text.split("gap to the bound, points\n").nth(1).unwrap();
    let words: Vec<Vec<&str>> = summary.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["scenario", "alert", "bayes"]);
    assert_eq!((words[1][0], &words[2][..]), ("calm", &["recorded-cpu", "-", "-"][..]));
}

#[test]
fn the_constants_that_were_fitted_stand_above_the_table_where_they_took_part() {
    let state = TempDir::new().unwrap();
    let run = |policies: &str| {
        let mut command = gaitd(state.path());
        command.arg("simulate").arg(folder().join("calm.json")).args(["--inferences", "2000", "--seeds", "1"]);
        let assert = command.args(["--policies", policies]).assert().success();
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    };
    let text = run("slackfit,alert,alert-fitted");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let gap = |name: &str| -> f64 { rows.iter().find(|row| row.first() == Some(&name)).unwrap()[3].parse().unwrap() };
    // what each is told of the load: nothing, a rule of thumb, and the scenario's own
    assert!(gap("slackfit") > gap("alert") && gap("alert") > gap("alert-fitted"), "{text}");
    let told = text.lines().find(|line| line.starts_with("alert-fitted: noise memory ")).unwrap();
    assert!(told.contains("process noise 0.") && told.contains("measurement noise 0."), "{told}");
    assert!(!run("slackfit,alert").contains("alert-fitted"));
}

#[cfg(feature = "figures")]
#[test]
fn the_figure_shows_each_policy_and_says_what_it_leaves_out() {
    let state = TempDir::new().unwrap();
    let figure = state.path().join("gaps.svg");
    let draw = |figure: &Path, flags: &[&str]| {
        let mut command = gaitd(state.path());
        command.arg("simulate").arg(folder().join("calm.json")).arg("--figure").arg(figure);
        command.args(["--inferences", "300", "--seeds", "1"]).args(flags).assert()
    };
    draw(&figure, &[]).success();
    let svg = std::fs::read_to_string(&figure).unwrap();
    for words in ["calm", "alert", "bayes-no-load", "bound (reference)", "not drawn: fixed ("] {
        assert!(svg.contains(words), "{words}");
    }
    draw(&figure, &["--policies", "fixed"]).success();
    let svg = std::fs::read_to_string(&figure).unwrap();
    assert!(svg.contains("fixed") && !svg.contains("not drawn"));
    draw(&state.path().join("gaps.gif"), &[]).code(64);
    draw(&state.path().join("none/gaps.svg"), &[]).code(74);
}

#[test]
fn every_shipped_scenario_passes_the_check() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).arg("check").args(shipped()).arg("--json").assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    for checked in report["checked"].as_array().unwrap() {
        assert_eq!((&checked["kind"], &checked["valid"]), (&json!("scenario"), &json!(true)));
    }
}

/// What `gaitd COMMAND` says of the scenario `text`; it must refuse it with `code`.
fn refusal(command: &str, text: &str, code: i32) -> String {
    let folder = TempDir::new().unwrap();
    let path = fresh(&folder, "json");
    std::fs::write(&path, text).unwrap();
    let output = gaitd(folder.path()).arg(command).arg(&path).assert().code(code);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

#[test]
fn a_bad_scenario_is_refused_with_the_place() {
    let mut unknown = small();
    unknown["slowdown"]["levels"][1]["laod"] = json!(0.5);
    let text = unknown.to_string();
    for command in ["simulate", "check"] {
        let message = refusal(command, &text, 65);
        assert!(message.contains("slowdown") && message.contains("laod"), "{message}");
    }
    assert!(refusal("simulate", "{\"schema\": 1,", 65).contains("EOF"));
    assert!(refusal("simulate", &(small().to_string() + "}"), 65).contains("trailing"));
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["simulate", "none/here.json"]).assert().code(66);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains("none/here.json"), "{message}");
    gaitd(state.path()).arg("simulate").assert().code(64);
    let both = ["--check", "--policies", "bayes"];
    gaitd(state.path()).arg("simulate").arg(folder().join("calm.json")).args(both).assert().code(64);
}

#[test]
fn a_profiled_ladder_needs_its_profile() {
    let folder = TempDir::new().unwrap();
    let mut value = small();
    value["ladder"] = json!({"kind": "model", "models": shipped_model(), "scale": 50});
    value["inferences"] = json!(200);
    let path = fresh(&folder, "json");
    std::fs::write(&path, value.to_string()).unwrap();
    gaitd(folder.path()).arg("check").arg(&path).assert().success();

    let state = folder.path().join("state");
    let run = || {
        let mut command = gaitd(folder.path());
        command.arg("simulate").arg(&path).arg("--json").arg("--state").arg(&state);
        command
    };
    let output = run().assert().code(66);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains("gaitd profile --models") && message.contains("uci-har-cnn"), "{message}");

    let mut profile = gaitd(folder.path());
    profile.arg("profile").arg("--models").arg(shipped_model()).arg("--state").arg(&state);
    profile.args(["--hot", "1", "--paced", "1", "--pace-ms", "0"]).assert().success();
    let output = run().assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let fixed = &report["scenarios"][0]["policies"][0];
    // the most accurate rung by validation, as the manifest says
    assert_eq!((&fixed["name"], &fixed["mean_mmacs"]), (&json!("fixed"), &json!(9.478512)));
}
