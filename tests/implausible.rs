//! Samples that cannot be right, through the built program: what is told, marked and held back.

use std::f64::consts::TAU;

use gaitd_tests::{lines, summary};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// Values of the six channels at a time in seconds: a made-up walker, in g and rad/s.
fn walk(t: f64) -> [f64; 6] {
    let swing = |hz: f64, phase: f64| (TAU * hz * t + phase).sin();
    [
        0.98 + 0.25 * swing(1.9, 0.0) + 0.1 * swing(3.8, 0.4),
        -0.15 + 0.12 * swing(1.9, 1.1),
        0.12 + 0.15 * swing(0.95, 0.3),
        0.5 * swing(0.95, 0.0),
        0.4 * swing(1.9, 1.6),
        0.3 * swing(1.9, 0.7),
    ]
}

/// A stream of `seconds` at 50 Hz, whose values are what `change` makes of the walker's.
fn stream(seconds: u32, change: impl Fn(f64, [f64; 6]) -> [f64; 6]) -> String {
    let line = |number: u32| {
        let t = f64::from(number) / 50.0;
        let values: Vec<String> = change(t, walk(t)).iter().map(|value| format!("{value:.5}")).collect();
        format!("{t:.2},{}\n", values.join(","))
    };
    "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n".to_owned() + &(0..seconds * 50).map(line).collect::<String>()
}

fn acceleration(values: [f64; 6], change: impl Fn(f64) -> f64) -> [f64; 6] {
    let [x, y, z, turns @ ..] = values;
    let [x, y, z] = [x, y, z].map(change);
    [x, y, z, turns[0], turns[1], turns[2]]
}

/// What `gaitd run` gives for `samples`, and tells; `configuration` beside the source.
fn run(samples: &str, configuration: Value) -> (Vec<Value>, Value, String) {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("samples.csv"), samples).unwrap();
    let mut config = json!({"source": {"kind": "file", "path": "samples.csv", "pace": "fast"}});
    config.as_object_mut().unwrap().extend(configuration.as_object().unwrap().clone());
    let path = directory.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let output = gaitd(directory.path()).arg("run").arg(path).args(["--format", "ndjson"]).assert().success();
    let output = output.get_output();
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    (lines(&output.stdout, "decision"), summary(&output.stdout), told)
}

#[test]
fn a_plausible_walk_is_not_doubted() {
    let (decisions, summary, told) = run(&stream(20, |_, values| values), json!({}));
    assert_eq!((decisions.len(), &summary["implausible"]), (14, &json!([])));
    assert!(decisions.iter().all(|decision| decision["implausible"] == json!([])), "{decisions:?}");
    assert!(!told.contains("implausible"), "{told}");
}

#[test]
fn another_unit_is_told_before_the_first_decision_with_the_flag_that_mends_it() {
    let (decisions, summary, told) =
        run(&stream(20, |_, values| acceleration(values, |value| 9.80665 * value)), json!({}));
    assert_eq!(decisions.len(), 14, "it is a warning");
    let mark = json!([{"sensor": "acc", "fault": "unit"}]);
    assert!(decisions.iter().all(|decision| decision["implausible"] == mark), "{decisions:?}");
    assert_eq!(told.matches("acc measures").count(), 1, "{told}");
    assert!(told.contains("its values look like m/s2; say so with --units acc=m/s2"), "{told}");
    let found = &summary["implausible"][0];
    assert_eq!(
        (&found["sensor"], &found["fault"], &found["response"]),
        (&json!("acc"), &json!("unit"), &json!("warn"))
    );
    assert!(found["seconds"].as_f64().unwrap() > 17.0, "{found}");
}

#[test]
fn the_flag_that_is_named_mends_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("samples.csv");
    std::fs::write(&path, stream(6, |_, values| acceleration(values, |value| 9.80665 * value))).unwrap();
    let mut command = gaitd(directory.path());
    command.arg("run").arg("--source").arg(path).args(["--pace", "fast", "--format", "text", "--units", "acc=m/s2"]);
    let output = command.assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("walking") && !text.contains("[acc"), "{text}");
}

#[test]
fn a_stream_of_which_no_window_is_decided_is_no_answer() {
    let counts = stream(6, |_, values| values.map(|value| (value * 16_384.0).round()));
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("samples.csv");
    std::fs::write(&path, counts).unwrap();
    for format in ["text", "ndjson"] {
        let mut command = gaitd(directory.path());
        let output = command.arg("run").arg("--source").arg(&path).args(["--pace", "fast", "--format", format]);
        let output = output.assert().code(65).get_output().clone();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        assert!(told.contains("no window is decided while this lasts"), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.contains("there is no answer, since all of its 3 windows were held back: acc measures"), "{told}");
        assert!(last.contains("which no sensor does: raw counts of a converter"), "{told}");
    }
}

#[test]
fn a_sensor_that_hangs_is_held_back_until_it_measures_again() {
    // from 10 to 20 s
    let hanging = |t: f64, values| if (10.0..20.0).contains(&t) { walk(10.0) } else { values };
    let (decisions, summary, told) = run(&stream(40, hanging), json!({}));
    let counts = &summary["windows"];
    let [produced, decided, held] = ["produced", "decided", "held"].map(|key| counts[key].as_u64().unwrap());
    assert_eq!((produced, decided + held), (30, 30));
    // windows end every 1.28 s; it is seen after 2 to 3 s, and over 2 to 3 s after its end
    assert!((7..=9).contains(&held), "{counts}");
    let times: Vec<f64> = decisions.iter().map(|decision| decision["time_s"].as_f64().unwrap()).collect();
    assert!(times.iter().all(|time| !(13.1..20.0).contains(time)), "{times:?}");
    assert!(told.contains("acc is plausible again (frozen"), "{told}");
}

#[test]
fn what_is_done_about_a_fault_is_configured() {
    let zero = stream(6, |_, values| values.map(|_| 0.0));
    let (_, summary, _) = run(&stream(20, |t, values| if t < 10.0 { [0.0; 6] } else { values }), json!({}));
    assert!((5..=8).contains(&summary["windows"]["held"].as_u64().unwrap()), "{summary}");
    let (decisions, _, _) = run(&zero, json!({"plausibility": {"zero": "warn"}}));
    let both = json!([{"sensor": "acc", "fault": "zero"}, {"sensor": "gyro", "fault": "zero"}]);
    assert_eq!(decisions.len(), 3);
    assert!(decisions.iter().all(|decision| decision["implausible"] == both), "{decisions:?}");
    let (decisions, summary, told) = run(&zero, json!({"plausibility": {"zero": "ignore"}}));
    assert_eq!(decisions.len(), 3);
    assert!(decisions.iter().all(|decision| decision["implausible"] == json!([])), "{decisions:?}");
    assert!(!told.contains("implausible"), "{told}");
    assert_eq!(summary["implausible"][0]["response"], "ignore", "it is counted all the same");
}

#[test]
fn a_stuck_axis_missing_gravity_and_noise_are_told() {
    let noise = |t: f64, deviation: f64| -> [f64; 6] {
        let mut random = StdRng::seed_from_u64((t * 50.0).round() as u64);
        let noise = Normal::new(0.0, deviation).unwrap();
        std::array::from_fn(|_| noise.sample(&mut random))
    };
    let added = |values: [f64; 6], more: [f64; 6]| std::array::from_fn(|channel| values[channel] + more[channel]);
    let stuck = stream(10, |_, [x, _, rest @ ..]| [x, 0.25, rest[0], rest[1], rest[2], rest[3]]);
    let linear = stream(10, |_, values| added(values, [-0.98, 0.15, -0.12, 0.0, 0.0, 0.0]));
    let loud = stream(20, |t, _| added([0.98, 0.1, 0.2, 0.0, 0.0, 0.0], noise(t, 0.3)));
    for (samples, sensor, fault, words) in [
        (stuck, "acc", "stuck", "acc's y axis stays the same"),
        (linear, "acc", "gravity", "acc has no gravity"),
        (loud, "acc", "noise", "acc has a noise of"),
    ] {
        let (decisions, _, told) = run(&samples, json!({}));
        let last = &decisions.last().unwrap()["implausible"];
        let marks = last.as_array().unwrap();
        assert!(marks.contains(&json!({"sensor": sensor, "fault": fault})), "{fault}: {last} {told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_sensor_that_is_mounted_otherwise_is_remarked_once() {
    let upright = stream(20, |_, [x, y, z, turns @ ..]| [-y, x, z, turns[0], turns[1], turns[2]]);
    let (decisions, _, told) = run(&upright, json!({}));
    assert_eq!((decisions.len(), told.matches("gravity lies along").count()), (14, 1), "{told}");
    assert!(told.contains("gravity lies along y, and in training most often along x"), "{told}");
    assert!(told.contains("--mount-matrix (`source.mount_matrix`) says how, such as y,-x,z"), "{told}");
    // turned as the flag says, and of too short a stream, there is nothing to remark
    for (text, source) in [
        (&upright, json!({"kind": "file", "path": "samples.csv", "pace": "fast", "mount_matrix": "y,-x,z"})),
        (&stream(8, |_, values| values), json!({"kind": "file", "path": "samples.csv", "pace": "fast"})),
    ] {
        assert!(!run(text, json!({"source": source})).2.contains("gravity lies"));
    }
}
