//! Sensors in files of their own, and sensors that are mounted otherwise than the model's, as users have them.

use std::fmt::Write as _;

use gaitd_tests::{lines, summary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

const SAMPLES: u32 = 400;

/// A made-up walker at a time: g and rad/s.
fn walk(time_s: f64) -> [f64; 6] {
    let swing = |rate: f64, phase: f64| (rate * 1.9 * std::f64::consts::TAU * time_s + phase).sin();
    let acc = [
        0.98 + 0.25 * swing(1.0, 0.0) + 0.1 * swing(2.0, 0.4),
        0.12 * swing(1.0, 1.1) - 0.15,
        0.12 + 0.15 * swing(0.5, 0.3),
    ];
    [acc[0], acc[1], acc[2], 0.5 * swing(0.5, 0.0), 0.4 * swing(1.0, 1.6), 0.3 * swing(1.0, 0.7)]
}

/// The walk as CSV: what `columns` makes of the values at each time, a row every 20 ms from `start_s` on.
fn csv(header: &str, start_s: f64, columns: impl Fn([f64; 6]) -> Vec<f64>) -> String {
    let mut text = format!("{header}\n");
    for i in 0..SAMPLES {
        let time = start_s + f64::from(i) * 0.02;
        let values: String = columns(walk(time)).iter().map(|value| format!(",{value:.6}")).collect();
        writeln!(text, "{time:.3}{values}").unwrap();
    }
    text
}

fn whole() -> String {
    csv("t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z", 0.0, |values| values.to_vec())
}

fn acc() -> String {
    csv("t,x,y,z", 0.0, |values| values[..3].to_vec())
}

fn gyro(start_s: f64) -> String {
    csv("t,gyro_x,gyro_y,gyro_z", start_s, |values| values[3..].to_vec())
}

/// A folder with these files.
fn folder(files: &[(&str, String)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

/// What gaitd writes to standard output, beside these files, where it succeeds.
fn run(folder: &TempDir, arguments: &[&str], input: &str) -> Vec<u8> {
    let mut command = gaitd(folder.path());
    command.current_dir(folder.path()).arg("run").args(arguments).args(["--pace", "fast", "--rung", "1.00x-128"]);
    command.write_stdin(input.to_owned()).assert().success().get_output().stdout.clone()
}

/// The activities with their probabilities.
fn answers(output: &[u8]) -> Vec<(Value, Value)> {
    let answers: Vec<_> = lines(output, "decision")
        .into_iter()
        .map(|line| (line["activity"].clone(), line["instant"]["probabilities"].clone()))
        .collect();
    assert!(answers.len() >= 4, "{} windows", answers.len());
    answers
}

fn refused(folder: &TempDir, arguments: &[&str], code: i32, problem: &str) {
    let output = gaitd(folder.path()).current_dir(folder.path()).args(arguments).assert().code(code);
    let told = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(told.contains(problem), "{arguments:?}: {told}");
}

#[test]
fn a_file_for_each_sensor_is_answered_as_one_with_both() {
    let folder = folder(&[
        ("whole.csv", whole()),
        ("Accelerometer.csv", acc()),
        ("gyro.csv", gyro(0.0)),
        ("later.csv", gyro(0.012)),
        ("config.json", json!({"source": {"kind": "file", "path": ["Accelerometer.csv", "gyro.csv"]}}).to_string()),
    ]);
    let expected = answers(&run(&folder, &["--source", "whole.csv"], ""));
    for (arguments, input) in [
        (&["--source", "Accelerometer.csv", "--source", "gyro.csv"][..], String::new()),
        (&["--source", "gyro.csv", "--source", "Accelerometer.csv"], String::new()),
        (&["--source", "-", "--source", "Accelerometer.csv"], gyro(0.0)),
        (&["config.json"], String::new()),
    ] {
        let output = run(&folder, arguments, &input);
        assert_eq!(answers(&output), expected, "{arguments:?}");
        let counts = &summary(&output)["samples"];
        assert_eq!((&counts["samples"], &counts["gaps"]), (&json!(SAMPLES), &json!(0)), "{arguments:?}");
        let name = lines(&output, "gaitd")[0]["source"].as_str().unwrap().to_owned();
        assert!(name.contains("Accelerometer.csv") && name.contains(", "), "{name}");
    }
    // clocks that start 12 ms apart
    let output = run(&folder, &["--source", "Accelerometer.csv", "--source", "later.csv"], "");
    assert_eq!(summary(&output)["samples"]["samples"], SAMPLES - 1);
    let likely = |answers: Vec<(Value, Value)>| answers.into_iter().map(|(activity, _)| activity).collect::<Vec<_>>();
    assert_eq!(likely(answers(&output)), likely(expected));
}

#[test]
fn a_recording_in_several_files_is_replayed() {
    let labelled = |text: String| text.lines().map(|line| format!("{line},walking\n")).collect::<String>();
    let folder = folder(&[
        ("a.csv", acc().replacen("t,x,y,z", "t,ax,ay,az", 1)),
        ("g.csv", labelled(gyro(0.0)).replacen("walking", "label", 1)),
    ]);
    let replayed = |files: &[&str]| {
        let mut command = gaitd(folder.path());
        command.current_dir(folder.path()).args(["replay", "--json", "--rung", "1.00x-128"]).args(files);
        serde_json::from_slice::<Value>(&command.assert().success().get_output().stdout).unwrap()
    };
    let report = replayed(&["a.csv", "g.csv"]);
    assert!(report["windows"].as_u64().unwrap() >= 3, "{report}");
    assert_eq!(report["data"], "a.csv, g.csv");
    for (arguments, code, problem) in [
        (&["replay", "wearer", "a.csv"][..], 78, "wearer is not put together with other data"),
        (&["replay", "a.csv", "windows.npz"], 78, "windows.npz is not put together with other data"),
        (
            &["replay", "wearer", "--mount-matrix", "y,-x,z"],
            78,
            "--mount-matrix are for samples as text; the data is wearer",
        ),
        (&["replay", "a.csv", "none.csv"], 66, "none.csv"),
        (&["replay", "a.csv"], 65, "gyro_x"),
    ] {
        refused(&folder, arguments, code, problem);
    }
}

#[test]
fn files_that_are_no_parts_of_one_stream_are_refused() {
    let eight: Vec<String> = (0..9).map(|i| format!("{i}.csv")).collect();
    let folder = folder(&[("acc.csv", acc()), ("gyro.csv", gyro(1.7e9)), ("whole.csv", whole())]);
    let nine: Vec<&str> = ["run"].into_iter().chain(eight.iter().flat_map(|name| ["--source", name])).collect();
    for (arguments, code, problem) in [
        (
            &["run", "--source", "acc.csv", "--source", "gyro.csv", "--pace", "fast"][..],
            65,
            "clocks that have nothing in common",
        ),
        (&["run", "--source", "acc.csv", "--source", "whole.csv", "--pace", "fast"], 65, "both"),
        (&["run", "--source", "acc.csv", "--source", "acc.csv"], 78, "source.path: acc.csv is there twice"),
        (&["run", "--source", "acc.csv", "--source", "wearer"], 78, "the simulated wearer has all sensors"),
        (&["run", "--source", "acc.csv", "--source", "none.csv"], 66, "none.csv"),
        (&nine, 78, "source.path has 9 files, and at most 8 are put together"),
    ] {
        refused(&folder, arguments, code, problem);
    }
    for (path, problem) in [("[]", "at least one path"), ("7", "a path or a list of paths")] {
        std::fs::write(folder.path().join("c.json"), format!(r#"{{"source": {{"kind": "file", "path": {path}}}}}"#))
            .unwrap();
        refused(&folder, &["run", "c.json"], 78, problem);
    }
}

#[test]
fn a_telephone_s_axes_are_turned_into_the_model_s() {
    // upright in a trouser pocket: its y axis points up
    let turned = |[x, y, z, p, q, r]: [f64; 6]| vec![-y, x, z, -q, p, r];
    let header = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z";
    let telephone = csv(header, 0.0, turned);
    let mut rows = String::from("sensor,t,x,y,z\n");
    for line in telephone.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        for (sensor, axes) in [("acc", &fields[1..4]), ("gyro", &fields[4..])] {
            writeln!(rows, "{sensor},{},{}", fields[0], axes.join(",")).unwrap();
        }
    }
    let config =
        |matrix: &str| json!({"source": {"kind": "file", "path": "telephone.csv", "mount_matrix": matrix}}).to_string();
    let folder = folder(&[
        ("whole.csv", whole()),
        ("telephone.csv", telephone.clone()),
        ("rows.csv", rows),
        ("axes.json", config("y,-x,z")),
        ("matrix.json", config("0,1,0; -1,0,0; 0,0,1")),
        ("acc.csv", csv("t,ax,ay,az", 0.0, |values| turned(values)[..3].to_vec())),
        ("gyro.csv", csv("t,wx,wy,wz", 0.0, |values| turned(values)[3..].to_vec())),
    ]);
    let expected = answers(&run(&folder, &["--source", "whole.csv"], ""));
    assert_ne!(answers(&run(&folder, &["--source", "telephone.csv"], "")), expected);
    let matrix = ["--mount-matrix", "0,1,0; -1,0,0; 0,0,1"];
    for (arguments, input) in [
        (&["--source", "telephone.csv", "--mount-matrix", "y,-x,z"][..], ""),
        (&["--source", "-", matrix[0], matrix[1]], &*telephone),
        (&["--source", "rows.csv", matrix[0], matrix[1]], ""),
        (&["--source", "acc.csv", "--source", "gyro.csv", "--mount-matrix", "Y, -X, +Z"], ""),
        (&["axes.json"], ""),
        (&["matrix.json"], ""),
        // a flag goes before the file
        (&["--source", "whole.csv", "axes.json", "--mount-matrix", "x,y,z"], ""),
    ] {
        assert_eq!(answers(&run(&folder, arguments, input)), expected, "{arguments:?}");
    }
}

#[test]
fn a_mount_that_is_none_or_has_nothing_to_turn_is_refused() {
    let folder = folder(&[("whole.csv", whole())]);
    for (arguments, code, problem) in [
        (
            &["run", "--mount-matrix", "y,-x,z"][..],
            78,
            "--mount-matrix is for files and standard input; the source is the simulated",
        ),
        (&["run", "--source", "whole.csv", "--mount-matrix", "y,x"], 64, "or three axes, such as y,-x,z"),
        (&["run", "--source", "whole.csv", "--mount-matrix", "x,x,z"], 64, "has one twice"),
    ] {
        refused(&folder, arguments, code, problem);
    }
    for (source, problem) in [
        (r#"{"kind": "wearer", "mount_matrix": "y,-x,z"}"#, "unknown field `mount_matrix`"),
        (
            r#"{"kind": "stdin", "mount_matrix": "1,0,0; 0,1,0"}"#,
            "source: \"1,0,0; 0,1,0\" is no mount: expected three rows of three numbers",
        ),
        (r#"{"kind": "file", "path": "whole.csv", "mount_matrix": [1, 0, 0]}"#, "source: invalid type"),
    ] {
        std::fs::write(folder.path().join("c.json"), format!(r#"{{"source": {source}}}"#)).unwrap();
        refused(&folder, &["run", "c.json"], 78, problem);
    }
}

/// Files as Sensor Logger names them, for a walk of ten seconds in m/s2 and rad/s, without units.
fn logger() -> TempDir {
    let part = |columns: fn([f64; 6]) -> [f64; 3]| {
        csv("seconds_elapsed,z,y,x", 0.0, |values| columns(values).into_iter().rev().map(|it| it * 9.80665).collect())
    };
    let gyro = csv("seconds_elapsed,z,y,x", 0.0, |values| values[3..].iter().rev().copied().collect());
    folder(&[
        ("whole.csv", whole()),
        // gravity as such a filter gives it, and the rest
        ("Accelerometer.csv", part(|[x, y, z, ..]| [x - 0.98, y + 0.15, z - 0.12])),
        ("Gravity.csv", part(|_| [0.98, -0.15, 0.12])),
        ("Gyroscope.csv", gyro),
    ])
}

#[test]
fn acceleration_and_gravity_of_two_files_are_added_up() {
    let folder = logger();
    let likely = |output: &[u8]| answers(output).into_iter().map(|(activity, _)| activity).collect::<Vec<_>>();
    let expected = likely(&run(&folder, &["--source", "whole.csv"], ""));
    let files = ["Accelerometer.csv", "Gravity.csv", "Gyroscope.csv"];
    for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0]] {
        let mut arguments: Vec<&str> = order.iter().flat_map(|&file| ["--source", files[file]]).collect();
        arguments.extend(["--units", "acc=m/s2"]);
        let output = run(&folder, &arguments, "");
        assert_eq!(likely(&output), expected, "{order:?}");
        assert_eq!(summary(&output)["implausible"], json!([]), "{order:?}");
    }
    // all of them in one file
    let one =
        csv("t,lin_acc_x,lin_acc_y,lin_acc_z,gravity_x,gravity_y,gravity_z,gyro_x,gyro_y,gyro_z", 0.0, |values| {
            let [x, y, z, turns @ ..] = values;
            [&[x - 0.98, y + 0.15, z - 0.12, 0.98, -0.15, 0.12][..], &turns].concat()
        });
    std::fs::write(folder.path().join("one.csv"), one).unwrap();
    assert_eq!(likely(&run(&folder, &["--source", "one.csv"], "")), expected);
    // nothing is converted that nobody stated, and without gravity there is no acceleration
    let with = |files: &[&'static str]| {
        let sources = files.iter().flat_map(|file| ["--source", file]);
        ["run"].into_iter().chain(sources).chain(["--pace", "fast"]).collect::<Vec<_>>()
    };
    refused(&folder, &with(&files), 65, "likely m/s2; --units acc=m/s2 says so");
    refused(
        &folder,
        &with(&["Accelerometer.csv", "Gyroscope.csv"]),
        65,
        "add the file that has it, such as Gravity.csv",
    );
    refused(&folder, &with(&["Gravity.csv", "Gyroscope.csv"]), 65, "missing acc_x, acc_y, acc_z");
}

#[test]
fn a_check_shows_what_acceleration_is_added_up_from() {
    let folder = logger();
    let check = |more: &[&str], code: i32| {
        let mut command = gaitd(folder.path());
        command.current_dir(folder.path()).args([
            "check",
            "--stream",
            "Accelerometer.csv",
            "Gravity.csv",
            "Gyroscope.csv",
        ]);
        let output = command.args(more).assert().code(code).get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = check(&["--units", "acc=m/s2"], 0);
    for (axis, column) in [("acc_x", "x"), ("acc_y", "y"), ("acc_z", "z")] {
        let line =
            format!("{axis} [g] from `Accelerometer.csv: {column} + Gravity.csv: {column}`, in m/s2, times 0.101972");
        assert!(text.contains(&line), "{line}: {text}");
    }
    assert!(text.contains("gyro_z [rad/s] from `z`, no unit stated"), "{text}");
    assert!(text.contains("acc: is the sum of acceleration without gravity, and gravity"), "{text}");
    assert!(text.contains("\nwindow 0 to 127"), "{text}");
    // what keeps it from being read does not make the mapping another one
    let text = check(&[], 65);
    assert!(text.contains("acc_y [m/s2] from `Accelerometer.csv: y + Gravity.csv: y`"), "{text}");
    assert!(!text.contains("gravity is missing"), "{text}");
}
