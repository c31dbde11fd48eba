//! `gaitd check --stream`: what gaitd would make of a stream.

use std::fmt::Write;

use serde_json::Value;
use tempfile::TempDir;

/// Looks at a stream; what is printed, and what is said where it does not fit.
fn check(text: &str, more: &[&str]) -> (String, String, i32) {
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("s.csv"), text).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("gaitd").unwrap();
    let output = command.current_dir(here.path()).args(["check", "--stream", "s.csv"]).args(more).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// Somebody who stands: acceleration in m/s2 and rotation in deg/s, times in ms.
fn standing(seconds: u32, rate_hz: u32) -> String {
    let mut text = String::from(
        "time_ms;Accel Y (m/s^2);Accel X (m/s^2);Accel Z (m/s^2);gx (deg/s);gy (deg/s);gz (deg/s);extra\n",
    );
    for row in 0..seconds * rate_hz {
        // half a second is missing after the first ten
        let time = 1000.0 * f64::from(row) / f64::from(rate_hz) + if row > 10 * rate_hz { 500.0 } else { 0.0 };
        let sway = 0.05 * (time / 700.0).sin();
        writeln!(text, "{time};{:.3};9.6;1.9;{sway:.3};0;0;7", 0.4 + sway).unwrap();
    }
    text
}

#[test]
fn a_stream_that_fits_is_told_whole() {
    let (text, _, code) = check(&standing(40, 100), &[]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "s.csv for uci-har-cnn: CSV, separated by semicolons",
        "acc_x [g] from `Accel X (m/s^2)`, in m/s^2, times 0.101972",
        "acc_y [g] from `Accel Y (m/s^2)`, in m/s^2, times 0.101972",
        "gyro_z [rad/s] from `gz (deg/s)`, in deg/s, times 0.017453",
        "not used: extra",
        "time: `time_ms`, in ms",
        "rate: 100.0 samples per second by the time, 50 expected",
        "read: 40.0 s, 4000 samples",
        "1 gap\n",
        "gravity: 0.999 g, mean (0.979, 0.041, 0.194), over",
        "window 0 to 127, to 2.5",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("remark"), "{text}");
    assert_eq!(text.matches("\nwindow ").count(), 6);
    let (text, _, _) = check(&standing(40, 100), &["--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["counts"]["gaps"], &report["problem"]), (&1.into(), &Value::Null));
    assert_eq!(report["channels"][0]["column"], "Accel X (m/s^2)");
    assert!((report["gravity"]["magnitude"].as_f64().unwrap() - 0.999).abs() < 0.001);
}

#[test]
fn two_minutes_are_read_unless_all_is_asked_for() {
    assert!(check(&standing(200, 50), &[]).0.contains("read: 120.0 s, 6000 samples"));
    assert!(check(&standing(200, 50), &["--all"]).0.contains("read: 200.0 s, 10000 samples"));
}

#[test]
fn what_may_be_wrong_is_remarked_with_its_flag() {
    let bare = |text: String| text.replace(" (m/s^2)", "").replace(" (deg/s)", "").replace("time_ms", "time");
    let (text, _, code) = check(&bare(standing(30, 50)), &[]);
    assert_eq!(code, 0);
    assert!(
        text.contains("no unit is stated, so g is taken, but the magnitude at rest says m/s2: --units acc=m/s2"),
        "{text}"
    );
    assert!(text.contains("the time states no unit, and looks like ms: --units t=ms"), "{text}");
    let (text, _, _) = check(&bare(standing(30, 50)), &["--units", "acc=m/s2,gyro=dps,t=ms"]);
    assert!(!text.contains("remark") && text.contains("gravity: 0.999 g"), "{text}");
    let (text, _, _) = check(&(String::from("# rate_hz=100\n") + &standing(30, 50)), &[]);
    assert!(text.contains("remark: 100 samples per second are declared, and the times say 50.0"), "{text}");
    let (text, _, _) = check("acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n1,0,0,0,0,0\n1,0,0,0,0,0\n", &[]);
    assert!(text.contains("remark: no times: taken for 50 samples per second"), "{text}");
    assert!(text.contains("remark: no window: one takes 2.56 s without a gap"), "{text}");
}

#[test]
fn a_stream_that_does_not_fit_is_shown_and_refused() {
    let three: String =
        standing(20, 50).lines().map(|line| line.split(';').take(4).collect::<Vec<_>>().join(";") + "\n").collect();
    let (text, said, code) = check(&three, &[]);
    assert_eq!(code, 65);
    assert!(text.contains("acc_x [m/s2] from `Accel X (m/s^2)`, in m/s^2"), "{text}");
    assert!(text.contains("gravity: 9.795 m/s2"), "{text}");
    assert!(said.contains("missing gyro_x, gyro_y, gyro_z") && said.contains("wisdm-watch-cnn does without"), "{said}");
    let (text, said, code) = check(&standing(60, 20), &[]);
    assert_eq!(code, 65);
    assert!(text.contains("rate: 20.0 samples per second by the time, 50 expected"), "{text}");
    assert!(said.contains("the stream has 20.00 samples per second by its timestamps"), "{said}");
    assert!(
        text.contains("remark: the shipped ladder wisdm-watch-cnn would do: --models models/wisdm-watch-cnn"),
        "{text}"
    );
    let model = gaitd_tests::repository().join("models/wisdm-watch-cnn");
    assert_eq!(check(&standing(60, 20), &["--models", model.to_str().unwrap()]).2, 0);
    assert_eq!(check("nothing\nto see\n", &[]).2, 65);
    assert_eq!(check(&three, &["--units", "acc"]).2, 78);
}

#[test]
fn a_sensor_that_is_mounted_otherwise_and_one_that_cannot_be_right_are_remarked() {
    let (plain, _, _) = check(&gaitd_tests::csv(20.0), &[]);
    assert!(!plain.contains("remark") && !plain.contains("implausible"), "{plain}");
    let header = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z";
    let upright = gaitd_tests::csv(20.0).replace(header, "t,acc_y,acc_x,acc_z,gyro_y,gyro_x,gyro_z");
    let (text, _, code) = check(&upright, &[]);
    assert_eq!(code, 0);
    assert!(text.contains("gravity lies along y, and in training most often along x"), "{text}");
    assert!(text.contains("--mount-matrix (`source.mount_matrix`) says how"), "{text}");
    // every sample the first one's, but for the time
    let lines: Vec<String> = gaitd_tests::csv(20.0).lines().map(str::to_owned).collect();
    let (_, held) = lines[1].split_once(',').unwrap();
    let frozen: Vec<String> =
        lines[1..].iter().map(|line| format!("{},{held}", line.split_once(',').unwrap().0)).collect();
    let (text, _, code) = check(&format!("{header}\n{}\n", frozen.join("\n")), &[]);
    assert_eq!(code, 0);
    assert!(text.contains("acc gives the same values to the last digit"), "{text}");
    assert!(text.contains("`gaitd run` decides no window meanwhile"), "{text}");
}
