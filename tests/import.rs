//! People's files through `gaitd import`, and what `gaitd run`, `gaitd replay` and `gaitd-train` make of them.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

use gaitd_tests::python;
use serde_json::Value;
use tempfile::TempDir;

/// Runs gaitd in `directory`.
pub fn gaitd(directory: &Path, arguments: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("gaitd").unwrap().current_dir(directory).args(arguments).output().unwrap()
}

/// What gaitd printed; it must succeed.
pub fn printed(directory: &Path, arguments: &[&str]) -> String {
    let output = gaitd(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What gaitd said; it must fail with the exit code `code`.
pub fn refused(directory: &Path, arguments: &[&str], code: i32) -> String {
    let output = gaitd(directory, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

/// A file of a made-up recording.
fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// What the JSON of the recording `name` says.
fn info(directory: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// The samples of the recording `name`: its columns, and each line's fields.
fn samples(directory: &Path, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(directory.join(format!("{name}.csv"))).unwrap();
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("# rate_hz="));
    (fields(lines.next().unwrap()), lines.map(fields).collect())
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

/// A walker who sits down: acceleration in g, rotation in rad/s.
fn walker(time: f64, moves: bool) -> [f64; 6] {
    let size = if moves { 1.0 } else { 0.02 };
    let step = (time * std::f64::consts::TAU * 1.9).sin();
    let half = (time * std::f64::consts::TAU * 0.95).sin();
    [0.98 + size * 0.3 * step, size * 0.12 * step, 0.12 + size * 0.15 * half, 0.5 * size * half, 0.4 * size * step, 0.0]
}

/// Three people, each of whom walks and sits for `rows` rows at `rate_hz`; `edit` has the last word on each row.
fn ward(header: &str, rate_hz: f64, rows: usize, edit: impl Fn(usize, String) -> String) -> String {
    let mut text = format!("{header}\n");
    let mut time = 0.0;
    for person in ["a", "b", "c"] {
        for (activity, moves) in [("walking", true), ("sitting", false)] {
            for row in 0..rows {
                let [x, y, z, ..] = walker(time, moves);
                text += &edit(row, format!("{time:.3},{x:.4},{y:.4},{z:.4},{person},{activity}\n"));
                time += 1.0 / rate_hz;
            }
        }
    }
    text
}

/// Runs `gaitd-train prepare recording` with usual flags on the recording `name`.
fn prepare(python: &Path, directory: &Path, name: &str) -> Output {
    Command::new(python)
        .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/trainer"))
        .current_dir(directory)
        .args(["-m", "gaitd_train", "prepare", "recording", name])
        .args(["--name", "ward", "--window", "128", "--hop", "64", "--out", "out.npz"])
        .output()
        .unwrap()
}

#[test]
fn a_column_is_its_name_without_its_unit_and_comments_are_read() {
    for header in [
        "time,acc_x [g],acc_y [g],acc_z [g],person,activity",
        "# rate_hz=50\ntime,acc_x (g),acc_y (g),acc_z (g),subject_id,label",
        "time;acc_x [g];acc_y [g];acc_z [g];person;activity",
    ] {
        let here = TempDir::new().unwrap();
        let semicolons = |_, row: String| if header.contains(';') { row.replace(',', ";") } else { row };
        write(here.path(), "in.csv", &ward(header, 50.0, 300, semicolons));
        let text = printed(here.path(), &["import", "in.csv", "-o", "ward", "--channels", "acc_x:g,acc_y:g,acc_z:g"]);
        assert!(
            text.contains("labels: sitting 18.0 s, walking 18.0 s\nsubjects: a 12.0 s, b 12.0 s, c 12.0 s"),
            "{text}"
        );
        let (columns, rows) = samples(here.path(), "ward");
        assert_eq!(columns, ["t [s]", "acc_x [g]", "acc_y [g]", "acc_z [g]", "label", "subject"], "{header}");
        assert_eq!(rows.len(), 1800);
        assert_eq!(rows[301][..2], ["6.020000", "0.982300"]);
        assert_eq!(rows[301][4..], ["sitting", "a"]);
        let info = info(here.path(), "ward");
        assert_eq!(
            (&info["form"], &info["version"], &info["rate_hz"]),
            (&"gaitd-recording".into(), &1.into(), &50.0.into())
        );
        assert_eq!((&info["samples"], &info["labels"]["sitting"]), (&1800.into(), &900.into()));
    }
}

#[test]
fn what_is_imported_is_prepared() {
    let Some(python) = python("what_is_imported_is_prepared", "torch") else { return };
    let here = TempDir::new().unwrap();
    let header = "time,acc_x [g],acc_y [g],acc_z [g],person,activity";
    // lines without an activity, and a value that was not measured in a run of each activity
    let holes = |row: usize, line: String| match row {
        281.. => line.replace("sitting", ""),
        140 => line.replacen(&line.split(',').nth(2).unwrap().to_owned(), "", 1),
        _ => line,
    };
    write(here.path(), "whole.csv", &ward(header, 50.0, 300, |_, row| row));
    write(here.path(), "holes.csv", &ward(header, 50.0, 300, holes));
    printed(here.path(), &["import", "whole.csv", "-o", "all"]);
    let text = printed(here.path(), &["import", "holes.csv", "-o", "some.csv.gz"]);
    assert!(text.contains("6 with missing or impossible values, 6 filled in"), "{text}");
    assert!(text.contains("labels: (none) 1.1 s"), "{text}");
    for (name, note) in [("all", "ward"), ("some", "57 samples without activity are passed over")] {
        let output = prepare(&python, here.path(), name);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // 300 and 281 samples have windows at 0, 64 and 128
        assert!(said.contains("sitting         6        3\nwalking         6        3"), "{said}");
        assert!(said.contains(note), "{said}");
    }
    let output = prepare(&python, here.path(), "all.csv.gz");
    assert!(output.status.success(), "a recording's name is the same with any of its ends");
    write(here.path(), "other.csv", "time,acc_x\n0,1\n");
    let output = prepare(&python, here.path(), "other.csv");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("`gaitd import FILE... -o RECORDING`"), "{said}");
}

#[test]
fn a_rate_that_contradicts_the_time_column_is_refused_with_both() {
    let here = TempDir::new().unwrap();
    let header = "time,acc_x [g],acc_y [g],acc_z [g],person,activity";
    write(here.path(), "in.csv", &ward(header, 100.0, 300, |_, row| row));
    let said = refused(here.path(), &["import", "in.csv", "--rate", "50", "-o", "ward"], 65);
    assert!(said.contains("the time column says 100.0 samples per second, --rate says 50"), "{said}");
    assert!(!here.path().join("ward.csv").exists() && !here.path().join("ward.json").exists());
    // another rate is made of it only where that is asked for
    printed(here.path(), &["import", "in.csv", "--resample", "50", "-o", "ward"]);
    let (_, rows) = samples(here.path(), "ward");
    assert_eq!((rows.len(), info(here.path(), "ward")["rate_hz"].as_f64()), (900, Some(50.0)));
    assert_eq!((rows[149][4].as_str(), rows[150][4].as_str()), ("walking", "sitting"));
    // a declaration in the file contradicts as well
    write(here.path(), "declared.csv", &(String::from("# rate_hz=50\n") + &ward(header, 100.0, 300, |_, row| row)));
    let said = refused(here.path(), &["import", "declared.csv", "-o", "it"], 65);
    assert!(said.contains("the time column says 100.0 samples per second, `# rate_hz` says 50"), "{said}");
    // the trainer does not believe a JSON that was changed by hand
    if let Some(python) = python("a_rate_that_contradicts_the_time_column_is_refused_with_both", "torch") {
        for file in ["ward.json", "ward.csv"] {
            let text = std::fs::read_to_string(here.path().join(file)).unwrap();
            write(
                here.path(),
                file,
                &text.replacen("rate_hz=50", "rate_hz=25", 1).replacen("\"rate_hz\": 50.0", "\"rate_hz\": 25", 1),
            );
        }
        let said = prepare(&python, here.path(), "ward").stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("the time column says 50.0 samples per second, rate_hz says 25"), "{said}");
    }
}

#[test]
fn a_recording_without_times_needs_its_rate() {
    let here = TempDir::new().unwrap();
    let header = "t,acc_x [g],acc_y [g],acc_z [g],person,activity";
    let without = |row: usize, line: String| {
        let line = line.split_once(',').unwrap().1.to_owned();
        // ten rows are lost
        if (150..160).contains(&row) { "oops\n".to_owned() } else { line }
    };
    write(here.path(), "in.csv", &ward(header, 50.0, 300, without).replacen("t,", "", 1));
    let said = refused(here.path(), &["import", "in.csv", "-o", "ward"], 65);
    assert!(said.contains("has no time column; --rate says at how many samples per second"), "{said}");
    let text = printed(here.path(), &["import", "in.csv", "-o", "ward", "--rate", "50"]);
    assert!(text.contains("60 lines not understood, 6 gaps"), "{text}");
    let (_, rows) = samples(here.path(), "ward");
    assert_eq!((rows[149][0].as_str(), rows[150][0].as_str()), ("2.980000", "3.200000"));
    assert_eq!(rows.last().unwrap()[0], "35.980000");
}

#[test]
fn a_recording_replays_as_the_file_that_it_was_made_of() {
    let here = TempDir::new().unwrap();
    let mut text = String::from("t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,label\n");
    for row in 0..3000_u32 {
        // a second is missing, and the clock begins late
        let time = 100.0 + f64::from(row + 50 * u32::from(row > 1100)) / 50.0;
        let (values, label) = (walker(time, row < 1500), if row < 1500 { "walking" } else { "sitting" });
        let values: String = values.iter().map(|value| format!(",{value:.4}")).collect();
        writeln!(text, "{time:.2}{values},{label}").unwrap();
    }
    write(here.path(), "in.csv", &text);
    let text = printed(here.path(), &["import", "in.csv", "-o", "again.csv.gz"]);
    assert!(text.contains("3000 samples at 50 Hz, 60.0 s, 1 gap\n"), "{text}");
    let replay = |file: &str| {
        let text = printed(here.path(), &["replay", file, "--rung", "1.00x-128", "--json"]);
        let report: Value = serde_json::from_str(&text).unwrap();
        (report["configurations"][0]["accuracy"].clone(), report["windows"].clone())
    };
    assert_eq!(replay("in.csv"), replay("again.csv.gz"));
    let decided = |file: &str| {
        let output = gaitd(
            here.path(),
            &["run", "--source", file, "--pace", "fast", "--rung", "1.00x-128", "--json", "--state", "state"],
        );
        let decisions = gaitd_tests::lines(&output.stdout, "decision").into_iter();
        let summary = gaitd_tests::summary(&output.stdout);
        assert_eq!(summary["samples"]["resampled"], 0, "{summary}");
        decisions.map(|line| (line["activity"].clone(), line["samples"].clone())).collect::<Vec<_>>()
    };
    assert!(!decided("in.csv").is_empty());
    assert_eq!(decided("in.csv"), decided("again.csv.gz"));
}

#[test]
fn other_layouts_are_imported_alike() {
    let here = TempDir::new().unwrap();
    let (mut rows, mut objects) = (String::from("sensor,time,x,y,z,activity,user\n"), String::new());
    for row in 0..200 {
        let time = f64::from(row) * 0.02;
        writeln!(rows, "acc,{time:.3},0.98,-0.1,0.12,up and down,7\ngyro,{:.3},0.5,0,-0.2,up and down,7", time + 0.004)
            .unwrap();
        let values = r#""acc": {"x": 0.98, "y": -0.1, "z": 0.12}, "gyro": [0.5, 0, -0.2]"#;
        writeln!(objects, r#"{{"t": {time:.3}, {values}, "activity": "up and down", "user": 7}}"#).unwrap();
    }
    write(here.path(), "rows.csv", &rows);
    write(here.path(), "objects.ndjson", &objects);
    for (file, count) in [("rows.csv", 199), ("objects.ndjson", 200)] {
        printed(here.path(), &["import", file, "-o", "out", "--force"]);
        let (columns, found) = samples(here.path(), "out");
        let wanted = "t [s],acc_x [g],acc_y [g],acc_z [g],gyro_x [rad/s],gyro_y [rad/s],gyro_z [rad/s],label,subject";
        assert_eq!(columns.join(","), wanted, "{file}");
        // before the gyroscope's first reading nothing is known of it
        assert_eq!(found.len(), count, "{file}");
        assert_eq!(
            found[9].join(","),
            "0.180000,0.980000,-0.100000,0.120000,0.500000,0.000000,-0.200000,up and down,7"
        );
    }
}

#[test]
fn activities_by_file_and_by_time() {
    let here = TempDir::new().unwrap();
    let file = |start: f64, rows: u32| {
        let mut text = String::from("timestamp_ms,acc_x [m/s2],acc_y [m/s2],acc_z [m/s2]\n");
        (0..rows).for_each(|row| writeln!(text, "{},9.8,0.1,{row}e-4", start + f64::from(row) * 20.0).unwrap());
        text
    };
    write(here.path(), "walk.csv", &file(1.7e12, 100));
    write(here.path(), "sit.csv", &file(0.0, 50));
    let labels = ["--label", "walk.csv=walking", "--label", "sitting", "--subject", "ann"];
    printed(here.path(), &[&["import", "walk.csv", "sit.csv", "-o", "ann"], &labels[..]].concat());
    let (columns, rows) = samples(here.path(), "ann");
    assert_eq!(columns[4..], ["label", "subject"]);
    assert_eq!([&rows[99][4..], &rows[100][4..]], [["walking", "ann"], ["sitting", "ann"]]);
    // the second file begins a second after the first: a gap
    assert_eq!([rows[99][0].as_str(), &rows[100][0]], ["1.980000", "2.980000"]);
    let said = info(here.path(), "ann");
    assert_eq!((&said["gaps"], &said["sources"][0]["begins_at_s"]), (&1.into(), &1.7e9.into()));

    let intervals =
        "start,end,label,file\n1700000000500,1700000001000,\"up, down\",walk.csv\n200,400,sitting,sit.csv\n";
    write(here.path(), "intervals.csv", intervals);
    let text = printed(here.path(), &["import", "walk.csv", "sit.csv", "-o", "by-time", "--labels", "intervals.csv"]);
    assert!(text.contains("labels: (none) 2.3 s, sitting 0.2 s, up, down 0.5 s"), "{text}");
    let (_, rows) = samples(here.path(), "by-time");
    let labelled = |rows: &[Vec<String>]| rows.iter().position(|row| row.len() > 5 || !row[4].is_empty());
    assert_eq!((labelled(&rows), labelled(&rows[100..])), (Some(25), Some(10)));
    // seconds, where the header says so
    write(here.path(), "seconds.csv", "start [s];end [s];label\n0.2;0.4;sitting\n");
    printed(here.path(), &["import", "sit.csv", "-o", "in-seconds", "--labels", "seconds.csv"]);
    assert_eq!(labelled(&samples(here.path(), "in-seconds").1), Some(10));

    for (number, end) in ["\r\n", "\r"].into_iter().enumerate() {
        write(here.path(), "ends.csv", &["start,end,label", "200,400,sitting", ""].join(end));
        let name = format!("ends{number}");
        printed(here.path(), &["import", "sit.csv", "-o", &name, "--labels", "ends.csv"]);
        assert_eq!(labelled(&samples(here.path(), &name).1), Some(10));
    }
    for (text, problem) in [
        ("start,end,label\n5000,6000,sitting\n", "no interval lies in sit.csv, whose times run from 0.000 to 0.980 s"),
        ("start,end\n5,6\n", "found start, end"),
        ("start,end,label\n6,5,sitting\n", "line 2: the end is not after the start"),
        ("start,end,label\n0,400,sitting\n100,500,walking\n", "line 3: overlaps the interval in line 2"),
        ("start,end,label\nsoon,5,sitting\n", "line 2: `soon` is not a time"),
        ("start [h],end,label\n0,5,sitting\n", "the unit of the start is h"),
    ] {
        write(here.path(), "wrong.csv", text);
        let said = refused(here.path(), &["import", "sit.csv", "-o", "none", "--labels", "wrong.csv"], 65);
        assert!(said.contains(problem) && said.contains("wrong.csv"), "{said}");
        assert!(!here.path().join("none.json").exists());
    }
    let said = refused(here.path(), &["import", "sit.csv", "-o", "x", "--label", "walk.csv=walking"], 78);
    assert!(said.contains("--label: `walk.csv=walking` is neither a value, nor FILE=value"), "{said}");
}

#[test]
fn what_is_there_is_replaced_by_force_alone_and_only_by_a_whole_recording() {
    let here = TempDir::new().unwrap();
    write(here.path(), "in.csv", &ward("time,acc_x [g],acc_y [g],acc_z [g],person,activity", 50.0, 100, |_, row| row));
    printed(here.path(), &["import", "in.csv", "-o", "ward"]);
    let said = refused(here.path(), &["import", "in.csv", "-o", "ward"], 78);
    assert!(said.contains("ward.csv is there already; --force replaces it"), "{said}");
    let said = refused(here.path(), &["import", "ward.csv", "-o", "ward", "--force"], 78);
    assert!(said.contains("ward.csv: is the recording's own file"), "{said}");
    // a stream that goes wrong later on leaves what was there
    let text = std::fs::read_to_string(here.path().join("in.csv")).unwrap();
    write(here.path(), "worse.csv", &(text + "time,acc_x,acc_y\n99,1,2\n"));
    let before = std::fs::read(here.path().join("ward.csv")).unwrap();
    let said = refused(here.path(), &["import", "worse.csv", "-o", "ward", "--force"], 65);
    assert!(said.contains("missing acc_z"), "{said}");
    assert_eq!(std::fs::read(here.path().join("ward.csv")).unwrap(), before);
    printed(here.path(), &["import", "in.csv", "-o", "ward.csv", "--force"]);
    let mut left: Vec<_> = std::fs::read_dir(here.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["in.csv", "ward.csv", "ward.json", "worse.csv"]);
}

#[test]
fn what_cannot_be_imported_says_why() {
    let here = TempDir::new().unwrap();
    let header = "time,acc_x,acc_y,acc_z,person,activity";
    write(here.path(), "in.csv", &ward(header, 50.0, 100, |_, row| row));
    let scaled = |by: f64| {
        let mut text = String::from("t,acc_x,acc_y,acc_z\n");
        (0..200).for_each(|row| writeln!(text, "{},{},0,0", f64::from(row) / 50.0, by).unwrap());
        text
    };
    write(here.path(), "si.csv", &scaled(9.81));
    write(here.path(), "counts.csv", &scaled(16384.0));
    write(here.path(), "words.csv", "there is nothing here\nto be read\n");
    write(here.path(), "empty.csv", "");
    let fast = ward(header, 100.0, 100, |_, row| row);
    write(here.path(), "fast.csv", &fast);
    for (arguments, problem, code) in [
        (
            &["in.csv", "--label-column", "what"][..],
            "has no column what (--label-column); its columns are time, acc_x",
            65,
        ),
        (&["si.csv", "--channels", "acc_x:g,acc_y:g,acc_z:g"], "likely m/s2; --units acc=m/s2 says so", 65),
        (&["counts.csv"], "no unit is stated for acc, and its magnitude at rest, 16384.00, is gravity's in none", 65),
        (
            &["in.csv", "fast.csv"],
            "fast.csv: the time column says 100.0 samples per second, what came before says 50",
            65,
        ),
        (&["in.csv", "--channels", "acc_x"], "`acc_x` is no channel with its unit", 78),
        (&["in.csv", "--channels", "gyro_x:rad/s"], "missing gyro_x", 65),
        (&["in.csv", "--resample", "500"], "is too slow: it has 50.0 samples per second, and 500 are asked for", 65),
        (&["words.csv"], "does not look like CSV or NDJSON samples", 65),
        (&["empty.csv"], "empty.csv is empty", 65),
        (&["missing.csv"], "cannot open missing.csv", 66),
        (&["."], "is no regular file", 65),
        (&["in.csv", "--rate", "x"], "expected samples per second", 64),
    ] {
        let said = refused(here.path(), &[&["import", "-o", "out"], arguments].concat(), code);
        assert!(said.contains(problem), "{arguments:?}: {said}");
        assert!(!here.path().join("out.json").exists() && !here.path().join("out.csv").exists());
    }
    // what is declared is not doubted, and what the values say is
    printed(
        here.path(),
        &["import", "si.csv", "-o", "a", "--channels", "acc_x:g,acc_y:g,acc_z:g", "--units", "acc=m/s2"],
    );
    assert_eq!(samples(here.path(), "a").1[0][1], "1.000342");
    let text = printed(here.path(), &["import", "si.csv", "-o", "b", "--units", "acc=g"]);
    assert!(text.contains("is stated to be in g, but its magnitude at rest is"), "{text}");
}

/// How a person stands with a telephone: acceleration without gravity, and gravity (m/s2), and rotation (rad/s).
fn telephone(time: f64) -> [[f64; 3]; 3] {
    let sway = (time * std::f64::consts::PI).sin();
    [[0.02 * sway, 0.03 * time.cos(), 0.01 * sway], [0.3, 9.7, 1.3], [0.01 * sway, 0.02 * sway, -0.01]]
}

fn joined(values: impl IntoIterator<Item = f64>, separator: &str) -> String {
    values.into_iter().map(|value| format!("{value:.6}")).collect::<Vec<_>>().join(separator)
}

/// A recording as an app writes it: how its rows are made of number, time, and acceleration without gravity, with
/// gravity, gravity alone and rotation.
struct App {
    file: &'static str,
    header: &'static str,
    rate_hz: f64,
    row: fn(f64, &[[f64; 3]; 4]) -> String,
    /// What is recorded: the channels' stem, the unit, the rate, and which of the four it is.
    found: &'static [(&'static str, &'static str, usize)],
    nominal_hz: f64,
}

fn reversed(values: [f64; 3]) -> String {
    joined(values.into_iter().rev(), ",")
}

fn sensor_logger(time: f64, values: [f64; 3]) -> String {
    format!("{},{time:.4},{}", 1_700_000_000_000_000_000 + (time * 1e9) as i64, reversed(values))
}

fn phyphox(time: f64, values: [f64; 3]) -> String {
    let exponents: Vec<_> = values.iter().map(|value| format!("{value:.9E}")).collect();
    format!("{time:.9E},{}", exponents.join(","))
}

const APPS: [App; 14] = [
    App {
        file: "Accelerometer.csv",
        header: "time,seconds_elapsed,z,y,x",
        rate_hz: 50.1,
        row: |time, values| sensor_logger(time, values[0]),
        found: &[("lin_acc", "m/s2", 0)],
        nominal_hz: 50.0,
    },
    App {
        file: "Gyroscope.csv",
        header: "time,seconds_elapsed,z,y,x",
        rate_hz: 50.1,
        row: |time, values| sensor_logger(time, values[3]),
        found: &[("gyro", "rad/s", 3)],
        nominal_hz: 50.0,
    },
    App {
        file: "Gravity.csv",
        header: "time,seconds_elapsed,z,y,x",
        rate_hz: 100.0,
        row: |time, values| sensor_logger(time, values[2]),
        found: &[("gravity", "m/s2", 2)],
        nominal_hz: 100.0,
    },
    App {
        file: "named.csv",
        header: "time,seconds_elapsed,ACCELEROMETER Z (m/s²),ACCELEROMETER Y (m/s²),ACCELEROMETER X (m/s²)",
        rate_hz: 99.8,
        row: |time, values| sensor_logger(time, values[1]),
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 100.0,
    },
    App {
        file: "named-rotation.csv",
        header: "time,seconds_elapsed,GYROSCOPE Z (rad/s),GYROSCOPE Y (rad/s),GYROSCOPE X (rad/s)",
        rate_hz: 99.8,
        row: |time, values| sensor_logger(time, values[3]),
        found: &[("gyro", "rad/s", 3)],
        nominal_hz: 100.0,
    },
    App {
        file: "androsensor.csv",
        header: "ACCELEROMETER X (m/s²);ACCELEROMETER Y (m/s²);ACCELEROMETER Z (m/s²);GRAVITY X (m/s²);GRAVITY Y (m/s²);\
                 GRAVITY Z (m/s²);LINEAR ACCELERATION X (m/s²);LINEAR ACCELERATION Y (m/s²);LINEAR ACCELERATION Z (m/s²);\
                 GYROSCOPE X (rad/s);GYROSCOPE Y (rad/s);GYROSCOPE Z (rad/s);Time since start in ms ;\
                 YYYY-MO-DD HH-MI-SS_SSS",
        rate_hz: 2.0,
        row: |time, values| {
            let all = [values[1], values[2], values[0], values[3]].concat();
            let (second, rest) = (24 + time as u32 % 30, (time % 1.0 * 1e3).round());
            format!("{};{:.0};2024-01-02 18:36:{second}:{rest:03}", joined(all, ";"), time * 1e3)
        },
        found: &[("acc", "m/s2", 1), ("gyro", "rad/s", 3)],
        nominal_hz: 2.0,
    },
    App {
        file: "parts.csv",
        header: "GRAVITY X (m/s²);GRAVITY Y (m/s²);GRAVITY Z (m/s²);LINEAR ACCELERATION X (m/s²);LINEAR ACCELERATION Y \
                 (m/s²);LINEAR ACCELERATION Z (m/s²);Time since start in ms ",
        rate_hz: 50.0,
        row: |time, values| format!("{};{:.0}", joined([values[2], values[0]].concat(), ";"), time * 1e3),
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 50.0,
    },
    App {
        file: "phyphox.csv",
        header: "\"Time (s)\",\"X (m/s^2)\",\"Y (m/s^2)\",\"Z (m/s^2)\"",
        rate_hz: 99.6,
        row: |time, values| phyphox(time, values[1]),
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 100.0,
    },
    App {
        file: "phyphox-named.csv",
        header: "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z (m/s^2)\",\"Absolute \
                 acceleration (m/s^2)\"",
        rate_hz: 100.7,
        row: |time, values| phyphox(time, values[1]) + ",9.79E0",
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 100.0,
    },
    App {
        file: "phyphox-linear.csv",
        header: "\"Time (s)\",\"Linear Acceleration x (m/s^2)\",\"Linear Acceleration y (m/s^2)\",\"Linear Acceleration z \
                 (m/s^2)\",\"Absolute acceleration (m/s^2)\"",
        rate_hz: 121.6,
        row: |time, values| phyphox(time, values[0]) + ",1E-2",
        found: &[("lin_acc", "m/s2", 0)],
        nominal_hz: 120.0,
    },
    App {
        file: "crlf.csv",
        header: "Time (s),Accel_X (m/s^2),Accel_Y (m/s^2),Accel_Z (m/s^2)\r",
        rate_hz: 101.1,
        row: |time, values| phyphox(time, values[1]) + "\r",
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 100.0,
    },
    App {
        file: "crlf-rotation.csv",
        header: "Time (s),Gyroscope x (deg/s),Gyroscope y (deg/s),Gyroscope z (deg/s)\r",
        rate_hz: 101.1,
        row: |time, values| phyphox(time, values[3]) + "\r",
        found: &[("gyro", "deg/s", 3)],
        nominal_hz: 100.0,
    },
    App {
        file: "logger.csv",
        header: "Timestamp,Milliseconds,X,Y,Z",
        rate_hz: 20.0,
        row: |time, values| {
            let (second, rest) = (10 + time as u32, (time % 1.0 * 1e3).round());
            format!("2024-07-30 13:28:{second},{rest},{}", joined(values[1], ","))
        },
        found: &[("acc", "m/s2", 1)],
        nominal_hz: 20.0,
    },
    App {
        file: "named-both.csv",
        header: "Time (s),ax (m/s^2),ay (m/s^2),az (m/s^2),wx (rad/s),wy (rad/s),wz (rad/s)",
        rate_hz: 100.0,
        row: |time, values| format!("{time:.3},{}", joined([values[1], values[3]].concat(), ",")),
        found: &[("acc", "m/s2", 1), ("gyro", "rad/s", 3)],
        nominal_hz: 100.0,
    },
];

#[test]
fn recordings_by_phone_apps_are_read_as_they_are() {
    let here = TempDir::new().unwrap();
    for app in &APPS {
        let mut text = format!("{}\n", app.header);
        for row in 0..(20.0 * app.rate_hz) as u32 {
            let time = 0.032 + f64::from(row) / app.rate_hz;
            let [linear, gravity, rotation] = telephone(time);
            let whole = [0, 1, 2].map(|axis| linear[axis] + gravity[axis]);
            text += &(app.row)(time, &[linear, whole, gravity, rotation]);
            text.push('\n');
        }
        write(here.path(), app.file, &text);
        printed(here.path(), &["import", app.file, "-o", "out", "--force"]);
        let said = info(here.path(), "out");
        assert_eq!(said["rate_hz"], app.nominal_hz, "{}", app.file);
        let (columns, rows) = samples(here.path(), "out");
        let mut wanted = vec!["t [s]".to_owned()];
        for (stem, unit, _) in app.found {
            wanted.extend(["x", "y", "z"].map(|axis| format!("{stem}_{axis} [{unit}]")));
        }
        assert_eq!(columns, wanted, "{}", app.file);
        assert!(rows.len() as f64 >= 19.7 * app.nominal_hz, "{}: {}", app.file, rows.len());
        for row in &rows[rows.len() / 4..rows.len() * 3 / 4] {
            let time = 0.032 + number(&row[0]);
            let [linear, gravity, rotation] = telephone(time);
            let whole = [0, 1, 2].map(|axis| linear[axis] + gravity[axis]);
            let all = [linear, whole, gravity, rotation];
            let expected = app.found.iter().flat_map(|(.., which)| all[*which]);
            for (found, expected) in row[1..].iter().zip(expected) {
                assert!((number(found) - expected).abs() < 2e-3, "{} at {time}: {found}, not {expected}", app.file);
            }
        }
        let notes = said["sources"][0]["notes"].to_string();
        assert_eq!(notes.contains("is without gravity"), app.found[0].0 == "lin_acc", "{}: {notes}", app.file);
    }
    let text = printed(here.path(), &["import", "parts.csv", "-o", "out", "--force"]);
    assert!(text.contains("acc_x [m/s2] from `LINEAR ACCELERATION X (m/s²)` + `GRAVITY X (m/s²)`"), "{text}");
    let text = printed(here.path(), &["import", "logger.csv", "-o", "out", "--force"]);
    assert!(text.contains("X, Y, Z are taken for the accelerometer, since gravity is in them"), "{text}");
}

#[test]
fn recordings_by_phone_apps_are_refused_by_what_they_lack() {
    let here = TempDir::new().unwrap();
    let write_app = |name: &str| {
        let app = APPS.iter().find(|app| app.file == name).unwrap();
        let mut text = format!("{}\n", app.header);
        for row in 0..(20.0 * app.rate_hz) as u32 {
            let time = f64::from(row) / app.rate_hz;
            let [linear, gravity, rotation] = telephone(time);
            let whole = [0, 1, 2].map(|axis| linear[axis] + gravity[axis]);
            text += &((app.row)(time, &[linear, whole, gravity, rotation]) + "\n");
        }
        write(here.path(), name, &text);
    };
    ["androsensor.csv", "phyphox.csv", "phyphox-linear.csv"].into_iter().for_each(write_app);
    let said = refused(here.path(), &["import", "androsensor.csv", "--resample", "50", "-o", "out"], 65);
    assert!(said.contains("is too slow: it has 2.0 samples per second, and 50 are asked for"), "{said}");
    let six = gaitd_tests::shipped_model();
    let six = ["--model", six.to_str().unwrap()];
    let said = refused(here.path(), &[&["import", "androsensor.csv", "-o", "out"], &six[..]].concat(), 65);
    assert!(said.contains("is too slow: it has 2.0 samples per second"), "{said}");
    for arguments in [&["import", "phyphox.csv", "-o", "out"][..], &["check", "--stream", "phyphox.csv"]] {
        let said = refused(here.path(), &[arguments, &["--models", six[1]]].concat(), 65);
        assert!(said.contains("missing gyro_x, gyro_y, gyro_z"), "{said}");
        assert!(said.contains("the shipped ladder wisdm-watch-cnn does without"), "{said}");
    }
    // which that ladder does indeed
    let three = gaitd_tests::repository().join("models/wisdm-watch-cnn");
    let text = printed(here.path(), &["import", "phyphox.csv", "-o", "out", "--model", three.to_str().unwrap()]);
    assert!(text.contains("at 20 Hz"), "{text}");
    let said =
        refused(here.path(), &["check", "--stream", "phyphox-linear.csv", "--models", three.to_str().unwrap()], 65);
    assert!(
        said.contains("without gravity is no acceleration (gravity is missing: add the file that has it"),
        "{said}"
    );
}
