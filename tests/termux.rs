//! The recipe for telephones: what `termux-sensor` prints, through `configs/termux/samples.jq`, into gaitd.

use std::path::Path;

use gaitd_tests::{lines, summary};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// What the program makes of `printed`; nothing where there is no jq, and then standard error says so.
fn samples(test: &str, printed: &str) -> Option<Vec<u8>> {
    if std::process::Command::new("jq").arg("--version").output().is_err() {
        gaitd_tests::skipped(test, "there is no jq here (Debian: apt-get install jq)");
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/termux/samples.jq");
    let mut jq = assert_cmd::Command::new("jq");
    let output = jq.args(["-nc", "--unbuffered", "-f"]).arg(program).write_stdin(printed).output().unwrap();
    Some(output.stdout)
}

/// An object as Termux's API prints it: indented by two, a sensor's own name as key. The time stands for jq's clock.
fn printed(time_s: f64, accelerometer: &str, gyroscope: &str, acc: [f64; 3], gyro: [f64; 3]) -> String {
    let values = |values: [f64; 3]| values.map(|value| format!("      {value}")).join(",\n");
    format!(
        "{{\n  \"t\": {time_s},\n  \"{accelerometer}\": {{\n    \"values\": [\n{}\n    ]\n  }},\n  \"{gyroscope}\": {{\n    \
         \"values\": [\n{}\n    ]\n  }}\n}}\n",
        values(acc),
        values(gyro)
    )
}

/// `seconds` of a telephone's sensors, renewed 15 times a second and printed every 12 ms or so.
fn telephone(seconds: f64, accelerometer: &str, gyroscope: &str) -> String {
    // before a sensor has told anything, its key is missing
    let mut text = format!(
        "{{}}\n{{\n  \"{accelerometer}\": {{\n    \"values\": [\n      9,\n      0,\n      0\n    ]\n  }}\n}}\n"
    );
    for number in 0..(seconds / 0.012) as u32 {
        let time = f64::from(number) * 0.012 + f64::from(number % 3) * 1e-3;
        let swing = ((time * 15.0).floor() / 15.0 * std::f64::consts::TAU * 1.8).sin();
        let acc = [9.80665 * (1.0 + 0.2 * swing), 1.0, -2.0];
        text += &printed(1.7e9 + time, accelerometer, gyroscope, acc, [0.5 * swing, 0.0, 0.1]);
    }
    text
}

#[test]
fn a_telephone_s_sensors_become_a_stream_that_gaitd_reads() {
    for (accelerometer, gyroscope) in [
        ("LSM6DSO Accelerometer", "LSM6DSO Gyroscope"),
        ("K2HH Acceleration Sensor", "MPU6500 Gyroscope sensor"),
        ("ACCELEROMETER", "GYROSCOPE"),
        ("Icm4x6xx Accelerometer Non-wakeup", "Icm4x6xx Gyroscope Non-wakeup"),
    ] {
        let printed = telephone(8.0, accelerometer, gyroscope);
        // what the script says at the end is no object
        let printed = printed + "Caught interrupt.. Finishing...\n";
        let Some(samples) = samples("a_telephone_s_sensors_become_a_stream_that_gaitd_reads", &printed) else { return };
        let text = String::from_utf8(samples.clone()).unwrap();
        let times: Vec<f64> = text
            .lines()
            .skip(1)
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["t"].as_f64().unwrap())
            .collect();
        assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 0.02).abs() < 1e-5), "50 a second");
        let state = TempDir::new().unwrap();
        let run = gaitd(state.path())
            .args(["run", "--source", "-", "--pace", "fast"])
            .write_stdin(samples)
            .assert()
            .success();
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(told.contains("acc_x from m/s2 to g"), "{told}");
        let summary = summary(&run.get_output().stdout);
        assert!(summary["samples"]["samples"].as_u64().unwrap() > 390, "{summary}");
        assert_eq!(summary["samples"]["gaps"], 0);
        assert_eq!(lines(&run.get_output().stdout, "decision").len(), 5);
    }
}

#[test]
fn other_sensors_are_left_alone_and_gaps_stay_gaps() {
    let [one, other] = [([9.0, 0.0, 0.0], [0.1, 0.0, 0.0]), ([8.0, 0.0, 0.0], [0.2, 0.0, 0.0])];
    let mut text = String::new();
    for (time, (acc, gyro)) in [(1.0, one), (1.01, one), (1.06, other), (3.0, one), (3.3, one), (3.35, other)] {
        let object = printed(time, "BMI160 Accelerometer", "BMI160 Gyroscope", acc, gyro);
        let more = "\n  \"Linear Acceleration\": {\n    \"values\": [1, 2, 3]\n  },\n  \"Gyroscope Uncalibrated\": {\n    \
                    \"values\": [4, 5, 6, 7, 8, 9]\n  },";
        text += &object.replacen(',', &format!(",{more}"), 1);
    }
    let Some(samples) = samples("other_sensors_are_left_alone_and_gaps_stay_gaps", &text) else { return };
    let text = String::from_utf8(samples).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["class"], "stream");
    let round = |value: &Value| (value.as_f64().unwrap() * 1e6).round() / 1e6;
    let found: Vec<_> =
        rows[1..].iter().map(|row| (round(&row["t"]), round(&row["acc_x"]), round(&row["gyro_x"]))).collect();
    let third = |part: f64| ((9.0 - part / 3.0) * 1e6).round() / 1e6;
    assert_eq!(found[..3], [(1.02, third(1.0), 0.133333), (1.04, third(2.0), 0.166667), (1.06, 8.0, 0.2)]);
    // a telephone that lies still says the same for long, and is read nevertheless
    assert_eq!(found[3], (3.02, 9.0, 0.1));
    assert_eq!(found.len(), 3 + 17);
}
