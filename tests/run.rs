//! `gaitd run` as a user meets it: streams, flags, signals, outputs that fail, and bad input.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use gaitd_tests::{ModelCopy, csv, fresh, lines, shipped_model, summary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// Runs gaitd on `stream`, which comes from standard input as fast as possible.
fn run_on(stream: impl Into<Vec<u8>>) -> assert_cmd::assert::Assert {
    let state = TempDir::new().unwrap();
    gaitd(state.path()).args(["run", "--source", "-", "--pace", "fast"]).write_stdin(stream).assert()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

/// Windows in `samples` samples: conditioning holds one back.
fn windows_in(samples: u64) -> u64 {
    (samples - 1).checked_sub(128).map_or(0, |rest| rest / 64 + 1)
}

#[test]
fn the_embedded_default_recognises_its_simulated_wearer() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["run", "--pace", "fast"]).assert().success();
    let stdout = &output.get_output().stdout;
    let greeting = &lines(stdout, "gaitd")[0];
    assert!(greeting["source"].as_str().unwrap().contains("simulated"));
    let decisions = lines(stdout, "decision");
    assert_eq!(decisions.len() as u64, windows_in(3000));
    for decision in &decisions {
        assert_eq!(decision["simulated"], true);
        let sum: f64 =
            decision["instant"]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{decision}");
        let number = |name: &str| decision[name].as_f64().unwrap();
        assert!(number("predicted_ms") > 0.0 && decision["reason"].is_string());
        for share in ["cpu", "pressure", "frequency"] {
            let share = &decision["signals"].as_object().unwrap()[share];
            assert!(share.is_null() || (0.0..=1.0).contains(&share.as_f64().unwrap()), "{decision}");
        }
    }
    let summary = summary(stdout);
    assert_eq!(summary["windows"]["produced"], summary["windows"]["published"]);
    assert!(summary["steady"]["windows"].as_u64().unwrap() > 0);
}

#[test]
fn the_same_recording_gives_the_same_decisions_from_file_and_standard_input_as_csv_and_ndjson() {
    let directory = TempDir::new().unwrap();
    let text = csv(20.0);
    let ndjson: String = text
        .lines()
        .skip(1)
        .map(|line| {
            let names = ["t", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"];
            let values = line.split(',').map(|value| value.parse::<f64>().unwrap());
            let object: serde_json::Map<_, _> =
                names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.into())).collect();
            serde_json::to_string(&object).unwrap() + "\n"
        })
        .collect();
    let answers = |output: &[u8]| -> Vec<(Value, Value, Value)> {
        let answer = |d: &Value| (d["samples"].clone(), d["time_s"].clone(), d["activity"].clone());
        lines(output, "decision").iter().map(answer).collect()
    };
    // one configuration, as the controller's choice depends on how busy the machine is
    let run = |source: &Path, stream: &str| {
        let mut run = gaitd(directory.path());
        run.args(["run", "--pace", "fast", "--rung", "0.10x-96", "--source"]).arg(source);
        answers(&run.write_stdin(stream).assert().success().get_output().stdout)
    };
    let expected = run(Path::new("-"), &text);
    assert_eq!(expected.len() as u64, windows_in(1000));
    assert_eq!(run(Path::new("-"), &ndjson), expected);
    for (text, extension) in [(text, "csv"), (ndjson, "jsonl")] {
        let file = fresh(&directory, extension);
        std::fs::write(&file, text).unwrap();
        assert_eq!(run(&file, ""), expected);
    }
}

#[test]
fn a_watch_with_an_accelerometer_only_is_read_at_its_own_rate_and_in_whatever_unit() {
    let state = TempDir::new().unwrap();
    let models = shipped_model().with_file_name("wisdm-watch-cnn");
    let answers = |unit: &str, g: f64| -> Vec<(Value, Value)> {
        let mut text = format!("t,acc_x [{unit}],acc_y [{unit}],acc_z [{unit}]\n");
        for sample in 0..700 {
            // an arm that swings 0.9 times a second, for half of the time
            let t = f64::from(sample) / 20.0;
            let swing = if sample < 350 { (t * 0.9 * std::f64::consts::TAU).sin() } else { 0.0 };
            // a still one trembles
            let tremor = 0.003 * (t * 2.3 * std::f64::consts::TAU).sin();
            let [x, y, z] = [0.9 + 0.4 * swing, 0.3 * swing + tremor, 0.4 + tremor].map(|value| g * value);
            writeln!(text, "{t},{x},{y},{z}").unwrap();
        }
        let mut run = gaitd(state.path());
        run.args(["run", "--source", "-", "--pace", "fast", "--rung", "1.00x-200", "--models"]).arg(&models);
        let output = run.write_stdin(text).assert().success();
        lines(&output.get_output().stdout, "decision")
            .iter()
            .map(|decision| {
                assert_eq!(decision["instant"]["probabilities"].as_object().unwrap().len(), 18);
                (decision["samples"].clone(), decision["activity"].clone())
            })
            .collect()
    };
    let found = answers("m/s2", 9.80665);
    let windows: Vec<Value> = (0..6u64).map(|at| json!([100 * at, 100 * at + 199])).collect();
    assert_eq!(found.iter().map(|(samples, _)| samples.clone()).collect::<Vec<_>>(), windows);
    assert_ne!(found[0].1, found[5].1, "a still arm is doing something else: {found:?}");
    assert_eq!(answers("g", 1.0), found);

    for command in [&["run"][..], &["replay", "wearer"]] {
        let wearer = gaitd(state.path()).args(command).arg("--models").arg(&models).assert().code(78).stdout("");
        let message = stderr(&wearer);
        for part in [
            "at the waist",
            "this ladder does not know the activities upstairs, downstairs, lying, and",
            "--source FILE",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn the_simulated_wearer_is_brought_to_the_rate_of_a_ladder_that_knows_what_it_does() {
    let state = TempDir::new().unwrap();
    let model = ModelCopy::new();
    let models = model.path().to_str().unwrap();
    // nobody was trained at that rate; what is counted and compared must be right all the same
    model.edit(|manifest| manifest["task"]["sample_rate_hz"] = json!(40));
    let run = ["run", "--pace", "fast", "--seconds", "60", "--seed", "3", "--rung", "0.10x-96", "--models", models];
    let output = gaitd(state.path()).args(run).assert().success();
    let summary = summary(&output.get_output().stdout);
    // of 3000 samples at 50 Hz, 2400 at 40 Hz, of which one or two are held back: 36 windows of 128, each 64 later
    assert_eq!(summary["samples"]["samples"], 3000, "{summary}");
    assert_eq!(summary["windows"]["decided"], 36, "{summary}");
    let steady = &summary["steady"]["windows"];

    let replay = ["replay", "wearer", "--seconds", "60", "--seed", "3", "--json", "--models", models];
    let output = gaitd(state.path()).args(replay).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["windows"].as_u64().unwrap() + report["unlabelled"].as_u64().unwrap(), 36);
    assert_eq!(&report["windows"], steady, "{report}");
    // bouts are as long as ever: two thirds and more of them are steady
    assert!(steady.as_u64().unwrap() > 20, "{summary}");

    // too slow for a ladder of 100 Hz
    model.edit(|manifest| manifest["task"]["sample_rate_hz"] = json!(100));
    let refused = gaitd(state.path()).args(run).assert().code(78);
    let message = stderr(&refused);
    assert!(message.contains("50.00 samples per second") && message.contains("expects 100.00"), "{message}");
}

#[test]
fn samples_without_times_come_at_the_rate_that_is_stated() {
    // 100 a second, without a word about it: each sample of the 50 Hz stream twice
    let all = csv(30.0);
    let without_time = |line: &str| line.split_once(',').unwrap().1.to_owned();
    let mut text: Vec<String> = all.lines().take(1).map(without_time).collect();
    text.extend(all.lines().skip(1).flat_map(|line| [without_time(line), without_time(line)]));
    let text = text.join("\n") + "\n";
    let state = TempDir::new().unwrap();
    let file = state.path().join("samples.csv");
    std::fs::write(&file, &text).unwrap();
    let config = state.path().join("config.json");
    let source = json!({"kind": "file", "path": "samples.csv", "pace": "fast", "rate_hz": 100.0});
    std::fs::write(&config, json!({"source": source}).to_string()).unwrap();
    let windows = |arguments: &[&str]| {
        let output = gaitd(state.path()).arg("run").args(arguments).assert().success();
        let decisions = lines(&output.get_output().stdout, "decision");
        (decisions.len(), decisions[0]["time_s"].as_f64())
    };
    let [file, config] = [&file, &config].map(|path| path.to_str().unwrap());
    // taken for 50 a second there are twice as many seconds
    assert_eq!(windows(&["--source", file, "--pace", "fast"]).0 as u64, windows_in(3000));
    for arguments in [&["--source", file, "--pace", "fast", "--rate", "100"][..], &[config]] {
        let (count, first_s) = windows(arguments);
        assert!((21..=22).contains(&count), "{arguments:?}: {count} windows of 30 s");
        assert!(first_s.is_some_and(|first_s| (first_s - 2.56).abs() < 0.05), "{arguments:?}: {first_s:?}");
    }
    let refused =
        gaitd(state.path()).args(["run", "--source", file, "--pace", "fast", "--rate", "20"]).assert().code(65);
    let message = stderr(&refused);
    assert!(message.contains("20.00 samples per second by its stated rate (--rate, `source.rate_hz`)"), "{message}");
    let wrong = gaitd(state.path()).args(["run", "--source", file, "--rate", "0"]).assert().code(64);
    assert!(stderr(&wrong).contains("expected samples per second, from 0.1 to 100000"), "{}", stderr(&wrong));
}

#[test]
fn a_stream_that_ends_in_the_middle_of_a_window_loses_nothing_before() {
    let output = run_on(csv(20.0 + 0.64)).success();
    assert_eq!(lines(&output.get_output().stdout, "decision").len() as u64, windows_in(1032));
    let cut = csv(20.0);
    let output = run_on(&cut.as_bytes()[..cut.len() - 20]).success();
    assert_eq!(lines(&output.get_output().stdout, "decision").len() as u64, windows_in(998));
}

#[test]
fn every_window_is_accounted_for_when_samples_are_bad() {
    let bad = ["1.00,nan,0,0,0,0,0", "1.02,inf,0,0,0,0,0", "two,words,here", "1.06,a,b,c,d,e,f", "\u{0}\u{1}\u{2}"];
    let mut text: Vec<String> = csv(30.0).lines().map(str::to_owned).collect();
    for (place, line) in bad.into_iter().enumerate() {
        text[200 + 100 * place] = line.to_owned();
    }
    text.insert(800, "1".repeat(1_000_000));
    let output = run_on(text.join("\n") + "\n").success();
    let stdout = &output.get_output().stdout;
    let summary = summary(stdout);
    let windows = &summary["windows"];
    let count = |name: &str| windows[name].as_u64().unwrap();
    assert_eq!(count("produced"), count("decided") + count("dropped") + count("failed"));
    assert_eq!(count("decided"), count("published") + count("lost"));
    assert!(summary["samples"]["malformed"].as_u64().unwrap() >= 3, "{summary}");
    assert!(summary["samples"]["bridged"].as_u64().unwrap() >= 3, "{summary}");
    for decision in lines(stdout, "decision") {
        assert!(
            decision["instant"]["probabilities"].as_object().unwrap().values().all(|p| p.as_f64().is_some()),
            "{decision}"
        );
    }
}

#[test]
fn a_gap_starts_the_window_afresh() {
    let text = csv(20.0);
    let mut rows: Vec<&str> = text.lines().collect();
    // two seconds are missing
    rows.drain(301..401);
    let output = run_on(rows.join("\n") + "\n").success();
    let summary = summary(&output.get_output().stdout);
    assert_eq!(summary["samples"]["gaps"], 1);
    assert_eq!(summary["windows"]["produced"].as_u64().unwrap(), windows_in(300) + windows_in(600));
}

#[test]
fn what_is_no_stream_is_an_error_that_says_so() {
    let junk: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let missing = csv(5.0).replace("gyro_z", "gyro_q");
    let unit = csv(5.0).replacen("acc_x", "acc_x [furlong]", 1);
    let rate: String =
        csv(5.0).lines().enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, l)| l.to_owned() + "\n").collect();
    for (stream, expected) in [
        (junk, "does not look like"),
        (b"".to_vec(), "is empty"),
        (missing.into_bytes(), "gyro_z"),
        (unit.into_bytes(), "furlong"),
        (rate.into_bytes(), "25"),
    ] {
        let output = run_on(stream).code(65);
        assert!(stderr(&output).contains(expected), "{expected:?} should be named in: {}", stderr(&output));
    }
}

#[test]
fn a_run_whose_samples_came_to_nothing_says_why() {
    let header = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n";
    let disturbed = |disturb: &dyn Fn(u32, &str) -> String| -> String {
        let text = csv(20.0);
        let lines = text.lines().skip(1).zip(0_u32..).map(|(line, place)| disturb(place, line) + "\n");
        header.to_owned() + &lines.collect::<String>()
    };
    // a pause of two seconds after each 1.2 s, and a clock that is set back after each 2 s
    let pauses = |place: u32, line: &str| {
        let (_, values) = line.split_once(',').unwrap();
        format!("{:.2},{values}", f64::from(place) / 50.0 + f64::from(2 * (place / 60)))
    };
    let set_back = |place: u32, line: &str| {
        let (_, values) = line.split_once(',').unwrap();
        format!("{:.2},{values}", f64::from(place % 100) / 50.0)
    };
    for (text, why) in [
        (header.to_owned(), "there are no samples"),
        (csv(0.32), "320 ms of samples, but a window takes 2.56 s, and conditioning 20 ms more"),
        (
            disturbed(&|place, _| format!("{:.2},nan,0,0,0,0,0", f64::from(place) / 50.0)),
            "none of its samples could be used (1000 not finite or beyond 1e6)",
        ),
        (disturbed(&pauses), "no stretch without a gap is longer than 1.20 s, but a window takes 2.56 s"),
        (disturbed(&pauses), "(16 gaps)"),
        (disturbed(&set_back), "9 times the clock was set back"),
    ] {
        let output = run_on(text).code(65);
        let told = stderr(&output);
        assert!(told.contains("standard input: there is no answer") && told.contains(why), "{why}: {told}");
        assert_eq!(output.get_output().stdout, b"");
    }
    // what was interrupted has not come to its end, and a wearer moves for as long as it is told
    let state = TempDir::new().unwrap();
    gaitd(state.path()).args(["run", "--seconds", "1", "--pace", "fast"]).assert().success();
}

#[test]
fn a_rate_that_falls_is_refused_by_what_it_is_from_then_on() {
    let slower = (0..1000).map(|number| format!("{:.2},1,0,0,0,0,0\n", 20.0 + f64::from(number) / 25.0));
    let output = run_on(csv(20.0) + &slower.collect::<String>()).code(65);
    let told = stderr(&output);
    assert!(told.contains("the stream has 25.") && told.contains("the model expects 50.00"), "{told}");
    let summary = summary(&output.get_output().stdout);
    assert!(summary["windows"]["decided"].as_u64().unwrap() >= windows_in(1000), "{summary}");
    assert!(summary["samples"]["bridged"].as_u64().unwrap() <= 2, "{summary}");
    assert!((summary["rate_hz"].as_f64().unwrap() - 25.0).abs() < 5.0, "{summary}");
}

#[test]
fn timestamps_that_a_float32_has_rounded_are_told_of_once_and_samples_placed_by_their_rate() {
    let text = csv(600.0);
    let rounded: String = text
        .lines()
        .map(|line| {
            let (time, values) = line.split_once(',').unwrap();
            time.parse()
                .map_or_else(|_| format!("{line}\n"), |time: f64| format!("{},{values}\n", (1.7e9 + time) as f32))
        })
        .collect();
    let output = run_on(rounded).success();
    let told = stderr(&output);
    assert_eq!(told.matches("have the same timestamp").count(), 1, "{told}");
    let summary = summary(&output.get_output().stdout);
    // the first step comes after a part of the 128 s, which costs two fresh starts
    assert!(summary["windows"]["decided"].as_u64().unwrap() >= windows_in(30_000) - 10, "{summary}");
    assert!(summary["samples"]["gaps"].as_u64().unwrap() <= 2, "{summary}");
}

#[test]
fn wrong_flags_and_configurations_are_refused_with_the_range() {
    let state = TempDir::new().unwrap();
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = gaitd(state.path()).arg("run").args(arguments).assert().code(code);
        assert!(stderr(&output).contains(expected), "{expected:?} should be named in: {}", stderr(&output));
        assert!(output.get_output().stdout.is_empty());
        assert!(stderr(&output).matches("(os error").count() <= 1, "told twice: {}", stderr(&output));
    };
    refused(&["--budget-ms", "0"], 78, "budget_ms is 0");
    refused(&["--budget-ms", "-5"], 78, "budget_ms is -5");
    refused(&["--budget-ms", "nan"], 78, "budget_ms is NaN");
    refused(&["--budget-ms", "soon"], 64, "soon");
    refused(&["--miss-target", "2"], 78, "miss_target is 2");
    refused(&["--seconds", "-1"], 78, "seconds is -1");
    refused(&["--seconds", "1e300"], 78, "at most 3200000000");
    refused(&["--rung", "0.33x-77"], 78, "0.33x-77");
    refused(&["--cpus", "4096"], 78, "4096");
    refused(&["--policy", "psychic"], 64, "psychic");
    refused(&["--source", "no/such/file.csv"], 66, "no/such/file.csv");
    refused(&["--models", "no/such/model"], 66, "no/such/model");
    refused(&["no/such/config.json"], 66, "no/such/config.json");
    refused(&["--output", "no/such/directory/file"], 74, "no/such/directory/file");
    for (config, expected) in [
        (r#"{"control": {"budget_ms": 10, "bogus": 1}}"#, "bogus"),
        (r#"{"control": {"budget_ms": "ten"}}"#, "control.budget_ms"),
        (r#"{"control": {"budget_ms": 0}}"#, "budget_ms is 0"),
        (r#"{"control": {"policy": {"kind": "fixed", "configuration": "9x"}}}"#, "9x"),
        (r#"{"control": {"policy": {"kind": "step", "band_ms": 900}}}"#, "band_ms is 900"),
        (r#"{"control": {"policy": {"kind": "step", "average": 99999999999999}}}"#, "average is 99999999999999"),
        (r#"{"source": {"kind": "wearer", "seconds": 1e300}}"#, "at most 3200000000"),
        (r#"{"source": {"kind": "file"}}"#, "path"),
        (r#"{"source": {"kind": "telepathy"}}"#, "telepathy"),
        ("[]", "found an array, but expected an object"),
        ("{", "EOF"),
        ("{} {}", "trailing"),
    ] {
        let file = fresh(&state, "json");
        std::fs::write(&file, config).unwrap();
        refused(&[file.to_str().unwrap()], 78, expected);
        gaitd(state.path()).arg("check").arg(&file).assert().code(78);
    }
}

#[test]
fn flags_have_the_last_word_over_the_configuration_whose_paths_start_at_the_file() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("walk.csv"), csv(10.0)).unwrap();
    let config = r#"{"source": {"kind": "file", "path": "walk.csv", "pace": "fast"},
                     "control": {"budget_ms": 40, "policy": {"kind": "fixed", "configuration": "0.10x-96"}}}"#;
    let file = directory.path().join("gaitd.json");
    std::fs::write(&file, config).unwrap();
    let output = gaitd(directory.path()).arg("run").arg(&file).assert().success();
    let decisions = lines(&output.get_output().stdout, "decision");
    assert!(!decisions.is_empty());
    assert!(decisions.iter().all(|d| d["configuration"] == "0.10x-96" && d["budget_ms"] == 40.0));
    let output = gaitd(directory.path())
        .arg("run")
        .arg(&file)
        .args(["--budget-ms", "30", "--rung", "1.00x-128"])
        .assert()
        .success();
    let decisions = lines(&output.get_output().stdout, "decision");
    assert!(decisions.iter().all(|d| d["configuration"] == "1.00x-128" && d["budget_ms"] == 30.0));
}

#[test]
fn a_hopeless_budget_gets_the_fastest_configuration_and_honest_misses() {
    let state = TempDir::new().unwrap();
    let mut run = gaitd(state.path());
    let output =
        run.args(["run", "--source", "-", "--budget-ms", "0.000001"]).write_stdin(csv(20.0)).assert().success();
    let decisions = lines(&output.get_output().stdout, "decision");
    assert!(decisions.iter().all(|d| d["miss"] == true && d["reason"] == "least-late"), "{}", decisions[0]);
    let summary = summary(&output.get_output().stdout);
    assert_eq!(summary["misses"]["count"], decisions.len());
    assert_eq!(summary["misses"]["rate"], 1.0);
}

#[test]
fn a_burst_on_a_live_stream_is_answered_where_there_is_time() {
    let state = TempDir::new().unwrap();
    // what a sensor has gathered in 20 s comes at once
    let output = gaitd(state.path())
        .args(["run", "--source", "-", "--budget-ms", "5000"])
        .write_stdin(csv(20.0))
        .assert()
        .success();
    let stdout = &output.get_output().stdout;
    let decided: Vec<u64> = lines(stdout, "decision").iter().map(|d| d["window"].as_u64().unwrap()).collect();
    assert_eq!(decided, (0..14).collect::<Vec<_>>());
    let windows = &summary(stdout)["windows"];
    assert_eq!((&windows["produced"], &windows["dropped"], &windows["lost"]), (&json!(14), &json!(0), &json!(0)));
}

#[test]
fn a_live_stream_is_never_held_back_and_its_newest_window_wins() {
    for budget in ["50", "1"] {
        let state = TempDir::new().unwrap();
        // far more than can be decided while it is read
        let output = gaitd(state.path())
            .args(["run", "--source", "-", "--pace", "live", "--rung", "1.00x-128", "--budget-ms", budget])
            .write_stdin(csv(1000.0))
            .assert()
            .success();
        let stdout = &output.get_output().stdout;
        let summary = summary(stdout);
        let count = |name: &str| summary["windows"][name].as_u64().unwrap();
        assert_eq!(count("produced"), windows_in(50_000));
        assert!(count("dropped") > 0, "{summary}");
        assert_eq!(count("produced"), count("decided") + count("dropped") + count("failed"));
        assert_eq!(count("decided"), count("published") + count("lost"));
        let decided: Vec<u64> = lines(stdout, "decision").iter().map(|d| d["window"].as_u64().unwrap()).collect();
        assert!(decided.is_sorted_by(|a, b| a < b));
        assert_eq!(decided.last(), Some(&(count("produced") - 1)));
    }
}

/// A live gaitd on a pipe that the test holds.
fn live(state: &TempDir) -> Child {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
        .args(["run", "--source", "-", "--pace", "fast"])
        .env("XDG_STATE_HOME", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(csv(8.98).as_bytes()).unwrap();
    child
}

/// What [`live`] sends: the last sample completes a window, so that nothing is on its way once all are published.
const LIVE_SAMPLES: u64 = 128 + 5 * 64 + 1;

#[test]
fn a_signal_drains_and_ends_with_a_summary_though_the_source_still_waits() {
    for signal in ["-INT", "-TERM"] {
        let state = TempDir::new().unwrap();
        let mut child = live(&state);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut output = String::new();
        // all windows of what was sent, and the standard input stays open
        for _ in 0..=windows_in(LIVE_SAMPLES) {
            stdout.read_line(&mut output).unwrap();
        }
        let killed = std::process::Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
        assert!(killed.success());
        stdout.read_to_string(&mut output).unwrap();
        assert!(child.wait().unwrap().success());
        let summary = summary(output.as_bytes());
        assert_eq!(summary["windows"]["published"].as_u64().unwrap(), windows_in(LIVE_SAMPLES));
        assert_eq!(summary["samples"]["samples"], LIVE_SAMPLES);
    }
}

#[test]
fn a_closed_pipe_ends_the_run_quietly() {
    let state = TempDir::new().unwrap();
    let mut child = live(&state);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let mut stdin = child.stdin.take().unwrap();
    // until gaitd closes its end; then the pipe breaks
    let rows: String = csv(100.0).lines().skip(450).map(|line| line.to_owned() + "\n").collect();
    let _ = stdin.write_all(rows.as_bytes());
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let mut stderr = String::new();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_the_run_goes_on() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path())
        .args(["run", "--pace", "fast", "--seconds", "30", "--output", "/dev/full"])
        .assert()
        .code(74);
    let stderr = stderr(&output);
    assert!(stderr.contains("No space left") && stderr.contains("decisions lost"), "{stderr}");
}

#[test]
fn decisions_are_appended_to_a_file_whole() {
    let state = TempDir::new().unwrap();
    let file = fresh(&state, "jsonl");
    for _ in 0..2 {
        let output = gaitd(state.path())
            .args(["run", "--pace", "fast", "--seconds", "10", "--output"])
            .arg(&file)
            .assert()
            .success();
        assert!(output.get_output().stdout.is_empty());
    }
    let written = std::fs::read(&file).unwrap();
    assert_eq!(lines(&written, "summary").len(), 2);
    assert_eq!(lines(&written, "decision").len() as u64, 2 * windows_in(500));
}

#[test]
fn readable_lines_are_labelled_as_simulated() {
    let state = TempDir::new().unwrap();
    let output =
        gaitd(state.path()).args(["run", "--pace", "fast", "--seconds", "10", "--format", "text"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let decisions: Vec<&str> = text.lines().filter(|line| line.contains("x-") && line.contains("not timed")).collect();
    assert_eq!(decisions.len() as u64, windows_in(500), "{text}");
    assert!(decisions.iter().all(|line| line.contains("simulated")), "{text}");
}

#[test]
fn what_is_demanded_is_checked_and_told() {
    let state = TempDir::new().unwrap();
    for (flags, expected) in [
        (&["--accuracy-floor", "1.5"][..], "control.objective.accuracy_floor is 1.5"),
        (&["--objective", "accuracy", "--accuracy-floor", "0.9"], "--accuracy-floor is for --objective energy"),
        (&["--cpu-budget-percent", "0"], "control.cpu_budget_percent is 0"),
        (&["--cpu-budget-percent", "101"], "control.cpu_budget_percent is 101"),
    ] {
        let assert = gaitd(state.path()).arg("run").args(flags).assert().code(78);
        assert!(stderr(&assert).contains(expected), "{}", stderr(&assert));
    }
    let config = fresh(&state, "json");
    std::fs::write(&config, r#"{"control": {"objective": {"kind": "energy", "floor": 0.9}}}"#).unwrap();
    let assert = gaitd(state.path()).arg("run").arg(&config).assert().code(78);
    assert!(stderr(&assert).contains("control.objective"), "{}", stderr(&assert));
}

#[test]
fn energy_is_saved_and_every_decision_says_why() {
    let state = TempDir::new().unwrap();
    let run = |flags: &[&str]| {
        let output =
            gaitd(state.path()).args(["run", "--pace", "fast", "--seconds", "30"]).args(flags).assert().success();
        lines(&output.get_output().stdout, "decision")
    };
    let cheap = run(&["--accuracy-floor", "0.5"]);
    assert!(!cheap.is_empty());
    for decision in &cheap {
        // which one is the cheapest, this machine's clock has to say
        assert_eq!(decision["reason"], "cheapest-accurate-enough");
        assert!((0.5..=1.0).contains(&decision["expected_accuracy"].as_f64().unwrap()));
        if cfg!(target_os = "linux") {
            assert!(decision["timings_ms"]["cpu"].as_f64().unwrap() > 0.0);
        }
    }
    // a processor in a thousand cannot pay for the best configuration throughout
    let capped = run(&["--cpu-budget-percent", "0.001"]);
    assert!(
        capped.iter().any(|d| d["reason"] == "over-cpu-budget" || d["reason"] == "within-cpu-budget"),
        "{capped:?}"
    );
}
