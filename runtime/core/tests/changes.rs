//! Movements in raw samples that may change the activity, from samples to windows, against the trainer that fits them.

use std::path::Path;
use std::time::Duration;

use gaitd_core::ladder::Manifest;
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::Window;
use serde_json::{Value, json};

/// The shipped task, whose conditioning is a sample behind, with a detector.
fn manifest(change: &Value) -> Result<Manifest, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/uci-har-cnn/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    manifest["schema"] = 3.into();
    manifest["context"] = json!({"bout_s": 20.0, "evidence": 0.5, "hop_s": 1.28, "doubt": 0.1, "change": change});
    Manifest::parse(manifest.to_string().as_bytes(), Path::new("it")).map_err(|error| error.to_string())
}

/// Sample `n` of a wearer who lies down another way every 2.6 s, and turns for one second in five.
fn sample(n: u64) -> [f64; 6] {
    std::array::from_fn(|channel| {
        let k = channel as u64;
        let noise = ((n * (7 + 3 * k) + n * n) % 97) as f64 / 97.0 - 0.5;
        match channel {
            0..3 => f64::from(u8::from((n / 130) % 3 == k)) + noise * 0.25,
            _ => noise * if (n / 50) % 5 == 1 { 2.0 } else { 0.25 },
        }
    })
}

/// For each window whether there was a change since the one before: `x` where there was.
fn told(quantity: &str, over_s: f64, above: f64) -> String {
    let manifest = manifest(&json!({"quantity": quantity, "over_s": over_s, "above": above, "stay": 0.5})).unwrap();
    let mut intake = manifest.intake().unwrap();
    let task = &manifest.task;
    let mut window = Window::new(task.channels.len(), task.window);
    let (mut told, mut before) = (String::new(), None);
    for n in 0..=1600 {
        let sample = Sample { time_s: None, values: sample(n).to_vec() };
        intake.push(&Reading::Sample, &sample, Duration::ZERO, |ready| {
            ready.fill(&mut window);
            assert!(window.changed_at.is_none_or(|at| at <= window.last_sample), "{window:?}");
            told.push(if window.changed_at > before { 'x' } else { '.' });
            before = Some(window.last_sample);
        });
    }
    told
}

/// What `gaitd_train.context.changes` makes of these samples. In the second case a sample more or less at the windows' ends makes
/// another one of it, and in the third half a sample is rounded.
#[test]
fn windows_tell_of_the_changes_that_the_trainer_sees() {
    for (quantity, over_s, above, expected) in [
        ("rotation", 0.5, 0.6, "x..xx..xx..xx..xx..xx..x"),
        ("gravity", 1.0, 1.35, ".x.x.xxxxxxxxxxxxxxxxxx."),
        ("gravity", 0.49, 0.2, ".x.x.x.x.x.x.x.x.x.x.xxx"),
    ] {
        assert_eq!(told(quantity, over_s, above), expected, "{quantity} over {over_s} s above {above}");
    }
}

#[test]
fn a_gap_is_no_movement_and_hides_none_before_it() {
    let manifest = manifest(&json!({"quantity": "gravity", "over_s": 0.5, "above": 0.5, "stay": 0.5})).unwrap();
    let mut intake = manifest.intake().unwrap();
    let task = &manifest.task;
    let mut window = Window::new(task.channels.len(), task.window);
    let mut seen = Vec::new();
    let mut push = |values: [f64; 3], samples: usize, seen: &mut Vec<(u64, Option<u64>)>| {
        let sample = Sample { time_s: None, values: [values, [0.0; 3]].concat() };
        for _ in 0..samples {
            intake.push(&Reading::Sample, &sample, Duration::ZERO, |ready| {
                ready.fill(&mut window);
                seen.push((window.last_sample, window.changed_at));
            });
        }
        intake.push(&Reading::Interrupted, &sample, Duration::ZERO, |_| ());
    };
    push([0.0, 0.0, 1.0], 200, &mut seen);
    push([1.0, 0.0, 0.0], 200, &mut seen);
    assert_eq!(seen, [(127, None), (191, None), (327, None), (391, None)]);
    // the turn ends a stretch that is too short for a window, and is still told with the next one
    push([0.0, 0.0, 1.0], 70, &mut seen);
    let sample = |values: [f64; 3]| Sample { time_s: None, values: [values, [0.0; 3]].concat() };
    assert_eq!(seen.len(), 4);
    for n in 0..400 {
        let lying = sample(if n < 60 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] });
        if n == 110 {
            intake.push(&Reading::Interrupted, &lying, Duration::ZERO, |_| ());
        }
        intake.push(&Reading::Sample, &lying, Duration::ZERO, |ready| {
            ready.fill(&mut window);
            seen.push((window.last_sample, window.changed_at));
        });
    }
    let (last, changed) = seen[4];
    assert!(changed.is_some_and(|at| (530..580).contains(&at)) && last > 580, "{seen:?}");
    assert!(seen[5..].iter().all(|(_, at)| *at == changed), "{seen:?}");
}

#[test]
fn a_detector_that_cannot_be_is_refused_by_its_key() {
    let refused = |change: Value| manifest(&change).unwrap_err();
    let change = |key: &str, value: Value| {
        let mut change = json!({"quantity": "rotation", "over_s": 0.5, "above": 0.4, "stay": 0.5});
        change[key] = value;
        change
    };
    assert_eq!(
        refused(change("over_s", json!(61))),
        "it: context.change.over_s is 61, and must be above 0 and at most 60 seconds"
    );
    for wrong in [change("quantity", json!("heat")), change("speed", json!(1)), json!({"quantity": "rotation"})] {
        assert!(refused(wrong.clone()).starts_with("it: context.change"), "{wrong}");
    }
    let mut manifest = manifest(&change("stay", json!(0.0))).unwrap();
    manifest.task.input.channels.truncate(5);
    let problems = manifest.problems().join("\n");
    assert!(problems.contains("task.input.channels have no three axes of angular rate"), "{problems}");
}
