//! What is learned of the device outlives the process, through the built binary.

use std::path::{Path, PathBuf};

use assert_cmd::assert::Assert;
use gaitd_core::control::Learned;
use gaitd_tests::{ModelCopy, csv, lines, summary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// A state directory with a profile in it, measured as briefly as can be.
fn profiled() -> TempDir {
    let state = TempDir::new().unwrap();
    profile(&state);
    state
}

fn profile(state: &TempDir) {
    gaitd(state.path()).args(["profile", "--hot", "3", "--paced", "3", "--pace-ms", "0"]).assert().success();
}

/// A run on a stream that sets the pace itself.
fn run(state: &TempDir, arguments: &[&str]) -> Assert {
    run_at("live", state, arguments)
}

fn run_at(pace: &str, state: &TempDir, arguments: &[&str]) -> Assert {
    gaitd(state.path())
        .args(["run", "--source", "-", "--pace", pace])
        .args(arguments)
        .write_stdin(csv(60.0))
        .assert()
        .success()
}

fn stderr(run: &Assert) -> String {
    String::from_utf8_lossy(&run.get_output().stderr).into_owned()
}

fn decided(run: &Assert) -> u64 {
    summary(&run.get_output().stdout)["windows"]["decided"].as_u64().unwrap()
}

/// The files in which something is kept that was learned.
fn files(state: &TempDir) -> Vec<PathBuf> {
    let directory = state.path().join("gaitd/learned");
    let entries = std::fs::read_dir(directory).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
    entries.unwrap_or_default()
}

/// The one file in which something is kept that was learned.
fn file(state: &TempDir) -> PathBuf {
    let mut files = files(state);
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn learned(path: &Path) -> Learned {
    Learned::from_json(&std::fs::read(path).unwrap()).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

#[test]
fn a_run_goes_on_from_what_the_one_before_learned() {
    let state = profiled();
    let first = run(&state, &[]);
    assert!(!stderr(&first).contains("going on from"), "{}", stderr(&first));
    let kept = learned(&file(&state));
    assert_eq!((kept.policy(), kept.windows()), ("bayes", decided(&first)));

    // as if the device had been four times slower than profiled for a long time: the 84th of 24 bins per octave from
    // an octave and a half below 1
    edit(&file(&state), |kept| {
        let levels = kept["dynamics"]["levels"].as_array_mut().unwrap();
        levels.fill(json!(0.0));
        levels[84] = json!(1.0);
        kept["dynamics"]["seen"] = json!(1000.0);
    });
    let second = run(&state, &[]);
    let taught = format!("going on from what {} windows taught", kept.windows());
    assert!(stderr(&second).contains(&taught), "{}", stderr(&second));
    let slowdown = |run: &Assert| lines(&run.get_output().stdout, "decision")[0]["slowdown"].as_f64().unwrap();
    assert!((slowdown(&first) - 1.0).abs() < 0.1, "{}", slowdown(&first));
    assert!((slowdown(&second) - 4.0).abs() < 0.3, "{}", slowdown(&second));
    assert_eq!(learned(&file(&state)).windows(), kept.windows() + decided(&second));
}

#[test]
fn the_ladder_shows_corrections_until_the_profile_is_measured_anew() {
    let state = profiled();
    run(&state, &[]);
    let path = file(&state);
    let ladder = || {
        let [table, json] = [&[][..], &["--json"]].map(|arguments| {
            let output = gaitd(state.path()).arg("ladder").args(arguments).assert().success();
            String::from_utf8(output.get_output().stdout.clone()).unwrap()
        });
        (table, serde_json::from_str::<Value>(&json).unwrap()["configurations"][0]["correction"].clone())
    };
    edit(&path, |kept| {
        let configuration = &mut kept["configurations"][0];
        configuration["log"] = json!(1.08f32.ln());
        configuration["variance"] = json!(0.001);
    });
    let (table, correction) = ladder();
    assert!(table.contains("correction") && table.contains("x1.08"), "{table}");
    assert!((correction.as_f64().unwrap() - 1.08).abs() < 1e-6, "{correction}");

    profile(&state);
    let (table, correction) = ladder();
    assert!(!table.contains("x1.08") && correction.is_null(), "{table}");
    let windows = learned(&path).windows();
    let next = run(&state, &[]);
    assert!(stderr(&next).contains("the profile is another one"), "{}", stderr(&next));
    assert_eq!(learned(&path).windows(), windows + decided(&next));
}

#[test]
fn a_damaged_file_is_named_ignored_and_replaced() {
    let state = profiled();
    run(&state, &[]);
    let path = file(&state);
    let whole = std::fs::read(&path).unwrap();
    let mut other = serde_json::from_slice::<Value>(&whole).unwrap();
    other["schema"] = json!(99);
    let mut nonsense = serde_json::from_slice::<Value>(&whole).unwrap();
    nonsense["trust"] = json!(-7);
    for (bytes, expected) in [
        (b"".to_vec(), "EOF"),
        (b"\0\xff not JSON".to_vec(), "expected value"),
        (whole[..whole.len() / 2].to_vec(), "at line"),
        (serde_json::to_vec(&other).unwrap(), "schema is 99"),
        (serde_json::to_vec(&nonsense).unwrap(), "trust is -7"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let output = gaitd(state.path()).arg("ladder").assert().success();
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
        let next = run(&state, &[]);
        let told = stderr(&next);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(told.contains(name) && told.contains(expected) && told.contains("is ignored"), "{expected}: {told}");
        assert_eq!(learned(&path).windows(), decided(&next));
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_once_and_the_run_goes_on() {
    let state = profiled();
    // holds for the superuser too
    std::fs::write(state.path().join("gaitd/learned"), "in the way").unwrap();
    let output = run(&state, &[]);
    assert_eq!(stderr(&output).matches("cannot be kept").count(), 1, "{}", stderr(&output));
    assert!(decided(&output) > 0);
}

#[test]
fn only_windows_at_a_sensors_pace_teach() {
    let state = profiled();
    run_at("fast", &state, &[]);
    gaitd(state.path()).args(["run", "--pace", "fast"]).assert().success();
    assert!(files(&state).is_empty());
    run(&state, &[]);
    let kept = std::fs::read(file(&state)).unwrap();
    // nor does a run that has nothing to learn, or whose policy learns nothing
    let fast = run_at("fast", &state, &[]);
    assert!(!stderr(&fast).contains("going on from"), "{}", stderr(&fast));
    run(&state, &["--policy", "alert"]);
    // a window takes 2.56 s
    gaitd(state.path()).args(["run", "--source", "-"]).write_stdin(csv(1.0)).assert().code(65);
    assert_eq!(std::fs::read(file(&state)).unwrap(), kept);
}

#[test]
fn another_ladder_has_a_memory_of_its_own() {
    let state = profiled();
    run(&state, &[]);
    let first = file(&state);
    let kept = std::fs::read(&first).unwrap();
    let model = ModelCopy::new();
    model.edit(|manifest| {
        manifest["cascades"] = serde_json::json!([]);
        let removed = manifest["configurations"].as_array_mut().unwrap().remove(0);
        std::fs::remove_file(model.path().join(removed["file"].as_str().unwrap())).unwrap();
    });
    let other = run(&state, &["--models", model.path().to_str().unwrap()]);
    assert!(!stderr(&other).contains("going on from"), "{}", stderr(&other));
    assert_eq!(std::fs::read(&first).unwrap(), kept);
    assert_eq!(files(&state).len(), 2);
    // and what a file is about counts, not only where it lies: its configurations are not this ladder's
    edit(&first, |kept| {
        for configuration in kept["configurations"].as_array_mut().unwrap() {
            configuration["id"] = json!("elsewhere");
        }
    });
    let next = run(&state, &[]);
    assert!(stderr(&next).contains("the profile is another one"), "{}", stderr(&next));
}
