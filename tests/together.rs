//! Files that were recorded together, one for each sensor, through `gaitd import` and `gaitd check --stream`.

use std::f64::consts::TAU;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::import::{gaitd, printed, refused};

/// Imports `files` over what was imported before: what is printed, and what the JSON says.
fn import(directory: &Path, files: &[&str], more: &[&str]) -> (String, Value) {
    let text = printed(directory, &[&["import", "-o", "out", "--force"], files, more].concat());
    (text, serde_json::from_slice(&std::fs::read(directory.join("out.json")).unwrap()).unwrap())
}

/// The columns of what was imported, and its rows.
fn samples(directory: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(directory.join("out.csv")).unwrap();
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines().skip(1);
    (fields(lines.next().unwrap()), lines.map(fields).collect())
}

/// A sensor of a telephone that sways; its x, y and z at a time.
type Sensor = fn(f64) -> [f64; 3];

/// Acceleration without gravity, in m/s2.
fn linear(time: f64) -> [f64; 3] {
    [0.8 * (time * TAU * 0.7).sin(), 0.5 * (time * TAU * 0.9).cos(), 0.3 * (time * 2.0).sin()]
}

/// Gravity, in m/s2.
fn gravity(time: f64) -> [f64; 3] {
    let (sin, cos) = (0.1 * (time * 0.5).sin()).sin_cos();
    [9.80665 * sin, 9.80665 * cos, 0.0]
}

fn acceleration(time: f64) -> [f64; 3] {
    [0, 1, 2].map(|axis| linear(time)[axis] + gravity(time)[axis])
}

/// Rotation, in rad/s.
fn rotation(time: f64) -> [f64; 3] {
    [0.6 * (time * TAU * 0.8).sin(), 0.4 * (time * 3.0).cos(), -0.02]
}

fn in_degrees(time: f64) -> [f64; 3] {
    rotation(time).map(f64::to_degrees)
}

/// A file of a sensor as an app writes it: its rows by time and values.
struct File {
    name: &'static str,
    header: &'static str,
    row: fn(f64, [f64; 3]) -> String,
    rate_hz: f64,
    sensor: Sensor,
}

/// In the order z, y, x, behind a stamp and the time since the start.
fn sensor_logger(time: f64, [x, y, z]: [f64; 3]) -> String {
    format!("{},{time:.4},{z:.6},{y:.6},{x:.6}\n", 1_700_000_000_000_000_000 + (time * 1e9) as i64)
}

fn phyphox(time: f64, [x, y, z]: [f64; 3]) -> String {
    format!("{time:.9E},{x:.9E},{y:.9E},{z:.9E}\r\n")
}

const LINEAR: File = File {
    name: "Accelerometer.csv",
    header: "time,seconds_elapsed,z,y,x\n",
    row: sensor_logger,
    rate_hz: 50.1,
    sensor: linear,
};
const GRAVITY: File = File { name: "Gravity.csv", rate_hz: 100.0, sensor: gravity, ..LINEAR };
const ROTATION: File = File { name: "Gyroscope.csv", sensor: rotation, ..LINEAR };
const NAMED: File = File {
    name: "named.csv",
    header: "time,seconds_elapsed,ACCELEROMETER Z (m/s²),ACCELEROMETER Y (m/s²),ACCELEROMETER X (m/s²)\n",
    rate_hz: 99.8,
    sensor: acceleration,
    ..LINEAR
};
const NAMED_ROTATION: File = File {
    name: "named-rotation.csv",
    header: "time,seconds_elapsed,GYROSCOPE Z (rad/s),GYROSCOPE Y (rad/s),GYROSCOPE X (rad/s)\n",
    sensor: rotation,
    ..NAMED
};
const PHYPHOX: File = File {
    name: "Accel.csv",
    header: "Time (s),Accel_X (m/s^2),Accel_Y (m/s^2),Accel_Z (m/s^2)\r\n",
    row: phyphox,
    rate_hz: 101.1,
    sensor: acceleration,
};
const PHYPHOX_ROTATION: File = File {
    name: "Gyro.csv",
    header: "Time (s),Gyroscope x (deg/s),Gyroscope y (deg/s),Gyroscope z (deg/s)\r\n",
    sensor: in_degrees,
    ..PHYPHOX
};

impl File {
    /// Writes it as `name`, of the times from `from` to `to`, in seconds.
    fn write_as(&self, directory: &Path, name: &str, (from, to): (f64, f64)) {
        let rows = ((to - from) * self.rate_hz) as u32;
        let times = (0..rows).map(|row| from + f64::from(row) / self.rate_hz);
        let rows: String = times.map(|time| (self.row)(time, (self.sensor)(time))).collect();
        std::fs::write(directory.join(name), self.header.to_owned() + &rows).unwrap();
    }

    fn write(&self, directory: &Path, span: (f64, f64)) {
        self.write_as(directory, self.name, span);
    }
}

/// Holds what was imported against what the sensors were at the time.
fn check(directory: &Path, info: &Value, sensors: &[Sensor]) {
    let begins = info["sources"][0]["begins_at_s"].as_f64().unwrap();
    let (_, rows) = samples(directory);
    for row in &rows[5..rows.len() - 5] {
        let numbers: Vec<f64> = row[..=3 * sensors.len()].iter().map(|field| field.parse().unwrap()).collect();
        let expected = sensors.iter().flat_map(|sensor| sensor(begins + numbers[0]));
        for (axis, (found, expected)) in numbers[1..].iter().zip(expected).enumerate() {
            let most = if info["channels"][axis]["unit"] == "deg/s" { 0.01_f64.to_degrees() } else { 0.01 };
            assert!((found - expected).abs() < most, "axis {axis} at {}: {found}, not {expected}", begins + numbers[0]);
        }
    }
}

#[test]
fn files_of_phone_apps_are_put_together() {
    type Case = (&'static [File], &'static [&'static str], &'static [Sensor], f64);
    let cases: [Case; 5] = [
        (&[PHYPHOX, PHYPHOX_ROTATION], &["acc:m/s2", "gyro:deg/s"], &[acceleration, in_degrees], 100.0),
        // whichever is named first
        (&[NAMED_ROTATION, NAMED], &["acc:m/s2", "gyro:rad/s"], &[acceleration, rotation], 100.0),
        (&[LINEAR, ROTATION], &["lin_acc:m/s2", "gyro:rad/s"], &[linear, rotation], 50.0),
        (&[LINEAR, GRAVITY], &["acc:m/s2"], &[acceleration], 50.0),
        (&[LINEAR, ROTATION, GRAVITY], &["acc:m/s2", "gyro:rad/s"], &[acceleration, rotation], 50.0),
    ];
    for (files, channels, sensors, rate_hz) in cases {
        let here = TempDir::new().unwrap();
        for (number, file) in files.iter().enumerate() {
            file.write(here.path(), (0.048 - 0.012 * number as f64, 20.0));
        }
        let names: Vec<_> = files.iter().map(|file| file.name).collect();
        let (text, info) = import(here.path(), &names, &[]);
        let mut wanted = vec!["t [s]".to_owned()];
        for (stem, unit) in channels.iter().map(|channel| channel.split_once(':').unwrap()) {
            wanted.extend(["x", "y", "z"].map(|axis| format!("{stem}_{axis} [{unit}]")));
        }
        let (columns, rows) = samples(here.path());
        assert_eq!(columns, wanted, "{names:?}");
        assert!(rows.len() as f64 > 19.7 * rate_hz, "{names:?}: {}", rows.len());
        assert_eq!((&info["rate_hz"], &info["gaps"]), (&rate_hz.into(), &0.into()), "{names:?}");
        check(here.path(), &info, sensors);
        let sources = info["sources"].as_array().unwrap();
        for ((source, file), name) in sources.iter().zip(files).zip(&names) {
            assert_eq!(source["file"], *name);
            let counted = source["counts"]["samples"].as_f64().unwrap();
            assert!((counted - 19.96 * file.rate_hz).abs() < 3.0, "{name}: {counted}");
            assert!((source["rate_hz"].as_f64().unwrap() / file.rate_hz - 1.0).abs() < 0.01);
            let others: Vec<_> = names.iter().filter(|other| *other != name).copied().collect();
            let note = format!("put together with {} on one clock", others.join(", "));
            assert_eq!(source["notes"][0], note);
            assert!(text.contains(&note), "{text}");
        }
        assert_eq!(sources.len(), files.len());
    }
}

#[test]
fn each_file_tells_its_columns_units_counts_and_notes() {
    let here = TempDir::new().unwrap();
    LINEAR.write(here.path(), (0.0, 20.0));
    GRAVITY.write(here.path(), (0.0, 20.0));
    let text = File { sensor: in_degrees, ..NAMED_ROTATION };
    text.write(here.path(), (0.0, 12.0));
    let path = here.path().join("named-rotation.csv");
    let rows = std::fs::read_to_string(&path).unwrap().replace("(rad/s)", "(deg/s)");
    std::fs::write(&path, rows.replacen("1700000001", "what,", 1)).unwrap();
    let (text, info) = import(here.path(), &["Accelerometer.csv", "Gravity.csv", "named-rotation.csv"], &[]);
    let [linear, gravity, rotation] = [0, 1, 2].map(|number| &info["sources"][number]);
    let columns = |source: &Value| source["columns"].to_string();
    assert_eq!(columns(linear), r#"[["x"],["y"],["z"],[],[],[]]"#);
    assert_eq!(columns(gravity), r#"[["x"],["y"],["z"],[],[],[]]"#);
    assert!(columns(rotation).starts_with(r#"[[],[],[],["GYROSCOPE X (deg/s)"]"#), "{rotation}");
    assert_eq!((&rotation["units"][0], &rotation["units"][3]), (&Value::Null, &"deg/s".into()));
    let malformed = [linear, gravity, rotation].map(|source| source["counts"]["malformed"].as_u64().unwrap());
    assert_eq!(malformed, [0, 0, 1]);
    assert!(gravity["notes"].to_string().contains("no unit is stated; its magnitude of 9.8"), "{gravity}");
    assert!(gravity["notes"].to_string().contains("is the sum of acceleration without gravity, and gravity"));
    assert!(!linear["notes"].to_string().contains("unit"), "{linear}");
    assert!(linear["notes"].to_string().contains("its last 8.0 s are left out, since another file"), "{linear}");
    assert!(text.contains("out: 599 samples at 50 Hz, 12.0 s, 0 gaps"), "{text}");
    assert!(text.contains("  gyro_x [deg/s] from `GYROSCOPE X (deg/s)`, in deg/s"), "{text}");
    assert_eq!(text.matches("  acc_x [m/s2] from `x`").count(), 2, "{text}");
}

#[test]
fn recordings_of_several_files_follow_one_another() {
    let here = TempDir::new().unwrap();
    for (number, end) in [(1, 10.0), (2, 8.0)] {
        NAMED.write_as(here.path(), &format!("acc{number}.csv"), (0.0, end));
        NAMED_ROTATION.write_as(here.path(), &format!("gyro{number}.csv"), (0.012, end));
    }
    std::fs::write(here.path().join("who.csv"), "start [s],end [s],label,file\n1,2,up,acc1.csv\n3,5,down,gyro2.csv\n")
        .unwrap();
    let given = ["acc1.csv", "gyro1.csv", "acc2.csv", "gyro2.csv"];
    let stated = ["acc1.csv+gyro1.csv", "acc2.csv+gyro2.csv"];
    for files in [&given[..], &stated] {
        let labels = ["--label", "standing", "--label", "gyro2.csv=sitting", "--subject", "ann"];
        let (text, info) = import(here.path(), files, &labels);
        assert_eq!((&info["gaps"], info["sources"].as_array().unwrap().len()), (&1.into(), 4));
        assert!(text.contains("labels: sitting 8.0 s, standing 10.0 s\nsubjects: ann 17.9 s"), "{text}");
        let (text, _) = import(here.path(), files, &["--labels", "who.csv"]);
        assert!(text.contains("down 2.0 s, up 1.0 s"), "{text}");
    }
    // the other order leaves a choice
    let said = refused(here.path(), &["import", "acc1.csv", "acc2.csv", "gyro1.csv", "gyro2.csv", "-o", "x"], 65);
    assert!(said.contains("write those that were recorded together as one: acc.csv+gyro.csv"), "{said}");
    // of the same sensors, files follow one another
    let (_, info) = import(here.path(), &["acc1.csv", "acc2.csv"], &[]);
    assert_eq!(info["channels"].as_array().unwrap().len(), 3);
    let said = refused(
        here.path(),
        &["import", "acc1.csv+gyro1.csv", "-o", "x", "--label", "acc1.csv=a", "--label", "gyro1.csv=b"],
        78,
    );
    assert!(said.contains("acc1.csv, gyro1.csv: are put together, but the activity is stated to be both a and b"));
}

#[test]
fn activity_and_wearer_stand_in_any_of_the_files() {
    let here = TempDir::new().unwrap();
    NAMED.write(here.path(), (0.0, 20.0));
    let tagged = File {
        header: "time_ms,gyro_x [rad/s],gyro_y [rad/s],gyro_z [rad/s],activity,person\n",
        row: |time, [x, y, z]| {
            let activity = ["walking", "", "sitting"][(time / 7.0) as usize];
            format!("{},{x:.5},{y:.5},{z:.5},{activity},ann\n", time * 1e3)
        },
        ..NAMED_ROTATION
    };
    tagged.write(here.path(), (0.012, 20.0));
    let (text, _) = import(here.path(), &["named.csv", "named-rotation.csv"], &[]);
    // between the two nothing is said of the activity
    assert!(text.contains("labels: (none) 7.0 s, sitting 6.0 s, walking 7.0 s\nsubjects: ann 20.0 s"), "{text}");
    // and what is stated goes before it
    let (text, _) = import(here.path(), &["named.csv", "named-rotation.csv"], &["--label", "up", "--subject", "bob"]);
    assert!(text.contains("labels: up 20.0 s\nsubjects: bob 20.0 s"), "{text}");
}

#[test]
fn other_forms_are_put_together_as_well() {
    let here = TempDir::new().unwrap();
    let json = File {
        name: "acc.ndjson",
        header: "",
        row: |time, [x, y, z]| {
            format!("{{\"t\": {time:.4}, \"acc\": {{\"x\": {x:.5}, \"y\": {y:.5}, \"z\": {z:.5}}}}}\n")
        },
        rate_hz: 100.0,
        sensor: acceleration,
    };
    json.write(here.path(), (0.0, 20.0));
    let bare = File {
        name: "a.csv",
        header: "t [s],x,y,z\n",
        row: |time, [x, y, z]| format!("{time:.4},{x:.5},{y:.5},{z:.5}\n"),
        ..json
    };
    bare.write(here.path(), (0.0, 20.0));
    PHYPHOX_ROTATION.write(here.path(), (0.012, 20.0));
    let six = gaitd_tests::shipped_model();
    for file in ["acc.ndjson", "a.csv"] {
        let (text, info) = import(here.path(), &["Gyro.csv", file], &["--channels", CHANNELS]);
        assert_eq!(text.contains("x, y, z are taken for the accelerometer, since gravity is in them"), file == "a.csv");
        check(here.path(), &info, &[acceleration, rotation]);
        let units = ["--units", "acc=m/s2"];
        let (_, info) =
            import(here.path(), &[file, "Gyro.csv"], &[&["--model", six.to_str().unwrap()], &units[..]].concat());
        assert_eq!((&info["channels"][2]["unit"], &info["rate_hz"]), (&"g".into(), &50.0.into()));
        check(here.path(), &info, &[|time| acceleration(time).map(|value| value / 9.80665), rotation]);
    }
}

const CHANNELS: &str = "acc_x:m/s2,acc_y:m/s2,acc_z:m/s2,gyro_x:rad/s,gyro_y:rad/s,gyro_z:rad/s";

#[test]
fn rates_of_files_that_are_put_together() {
    let here = TempDir::new().unwrap();
    NAMED.write(here.path(), (0.0, 20.0));
    File { rate_hz: 50.0, ..NAMED_ROTATION }.write(here.path(), (0.012, 20.0));
    let files = ["named.csv", "named-rotation.csv"];
    let said = refused(here.path(), &[&["import", "-o", "x"], &files[..]].concat(), 65);
    assert!(said.contains("named-rotation.csv: has 50.0 samples per second, too few"), "{said}");
    assert!(said.contains("--resample 50 makes a recording of what both have"), "{said}");
    let (_, info) = import(here.path(), &files, &["--resample", "50"]);
    assert_eq!(info["rate_hz"], 50.0);
    check(here.path(), &info, &[acceleration, rotation]);
    let said = refused(here.path(), &[&["import", "-o", "x", "--rate", "50"], &files[..]].concat(), 65);
    assert!(said.contains("named.csv: the time column says 99.8 samples per second, --rate says 50"), "{said}");
    // without times: from the start, at the rate that is stated
    for (name, sensor, stem) in [("a.csv", acceleration as Sensor, "acc"), ("g.csv", rotation, "gyro")] {
        let row = |row: u32| sensor(f64::from(row) / 100.0).map(|value| format!("{value:.6}")).join(",") + "\n";
        let rows: String = (0..2000).map(row).collect();
        let header = ["x", "y", "z"].map(|axis| format!("{stem}_{axis}")).join(",") + "\n";
        std::fs::write(here.path().join(name), header + &rows).unwrap();
    }
    let said = refused(here.path(), &["import", "-o", "x", "a.csv", "g.csv"], 65);
    assert!(said.contains("a.csv: has no time column; --rate says"), "{said}");
    for more in [&["--rate", "100"][..], &["--rate", "100", "--resample", "50"]] {
        let (_, info) = import(here.path(), &["a.csv", "g.csv"], more);
        let (_, rows) = samples(here.path());
        assert_eq!((rows.len() as f64 / info["rate_hz"].as_f64().unwrap()).round(), 20.0);
        for row in &rows {
            let time: f64 = row[0].parse().unwrap();
            assert!((row[2].parse::<f64>().unwrap() - acceleration(time)[1]).abs() < 0.02, "{row:?}");
            assert!((row[4].parse::<f64>().unwrap() - rotation(time)[0]).abs() < 0.02, "{row:?}");
        }
    }
}

#[test]
fn what_cannot_be_put_together_says_why() {
    let here = TempDir::new().unwrap();
    NAMED.write(here.path(), (0.0, 20.0));
    NAMED_ROTATION.write(here.path(), (0.0, 20.0));
    NAMED.write_as(here.path(), "again.csv", (0.0, 20.0));
    LINEAR.write(here.path(), (0.0, 20.0));
    NAMED_ROTATION.write_as(here.path(), "later.csv", (100.0, 120.0));
    let since_1970 = "timestamp_ms,gyro_x [rad/s],gyro_y [rad/s],gyro_z [rad/s]\n";
    let epoch =
        File { header: since_1970, row: |t, [x, y, z]| format!("{:.0},{x},{y},{z}\n", 1.7e12 + t * 1e3), ..NAMED };
    File { sensor: rotation, ..epoch }.write_as(here.path(), "epoch.csv", (0.0, 20.0));
    PHYPHOX.write(here.path(), (0.0, 20.0));
    // a clock beside the times since the start ties them
    let (_, info) = import(here.path(), &["named.csv", "epoch.csv"], &[]);
    check(here.path(), &info, &[acceleration, rotation]);
    ["out.csv", "out.json"].iter().for_each(|name| std::fs::remove_file(here.path().join(name)).unwrap());
    let model = gaitd_tests::repository().join("models/wisdm-watch-cnn");
    for (arguments, problem) in [
        (&["Accel.csv", "epoch.csv"][..], "which are clocks that have nothing in common"),
        (&["named.csv", "later.csv"], "there is no reading at whose time all sensors are known"),
        (
            &["named.csv+again.csv"],
            "both named.csv and again.csv have acc_x, acc_y, acc_z; leave it out in one of them",
        ),
        (
            &["named.csv+Accelerometer.csv+named-rotation.csv"],
            "Accelerometer.csv: has nothing of what is recorded with the other files",
        ),
        (&["named.csv+missing.csv"], "cannot open missing.csv"),
        (
            &["named.csv", "named-rotation.csv", "--model", model.to_str().unwrap()],
            "named-rotation.csv, line 1: missing acc_x, acc_y, acc_z",
        ),
        (
            &["named.csv", "named-rotation.csv", "--label-column", "what"],
            "named.csv, named-rotation.csv: has no column what",
        ),
    ] {
        let code = if problem.starts_with("cannot open") { 66 } else { 65 };
        let said = refused(here.path(), &[&["import", "-o", "out"], arguments].concat(), code);
        assert!(said.contains(problem), "{arguments:?}: {said}");
        let left = std::fs::read_dir(here.path()).unwrap();
        assert!(left.flatten().all(|entry| !entry.file_name().to_str().unwrap().starts_with("out")), "{arguments:?}");
    }
}

#[test]
fn several_files_are_checked_as_one_stream() {
    let here = TempDir::new().unwrap();
    PHYPHOX.write(here.path(), (0.0, 30.0));
    PHYPHOX_ROTATION.write(here.path(), (0.012, 30.0));
    LINEAR.write(here.path(), (0.0, 30.0));
    GRAVITY.write(here.path(), (0.0, 30.0));
    for files in [&["Accel.csv", "Gyro.csv"][..], &["Gyro.csv", "Accel.csv"], &["Accel.csv+Gyro.csv"]] {
        let text = printed(here.path(), &[&["check", "--stream"], files].concat());
        for line in [
            "acc_x [g] from `Accel_X (m/s^2)`, in m/s^2, times 0.101972",
            "gyro_z [rad/s] from `Gyroscope z (deg/s)`, in deg/s, times 0.017453",
            "time: `Time (s)`, in s",
            "rate: 101.1 samples per second by the time, 50 expected",
            "read: 30.0 s",
            "window 0 to 127",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.contains("Accel.csv") && text.contains("Gyro.csv"), "{text}");
    }
    // a unit that nothing states, and that is another one, is refused, as it would be imported
    let parts = ["check", "--stream", "Accelerometer.csv", "Gravity.csv", "Gyro.csv"];
    let output = gaitd(here.path(), &parts);
    let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(65), "{text}{said}");
    assert!(text.contains("remark: acc: is the sum of acceleration without gravity, and gravity"), "{text}");
    assert!(said.contains("likely m/s2; --units acc=m/s2 says so"), "{said}");
    let output = gaitd(here.path(), &[&parts[..], &["--units", "acc=m/s2"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let said = refused(here.path(), &["check", "--stream", "Accel.csv", "Accel.csv", "Gyro.csv"], 65);
    assert!(said.contains("both Accel.csv and Accel.csv have acc_x, acc_y, acc_z"), "{said}");
}
