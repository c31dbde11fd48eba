//! Motion sensors of Linux IIO: `gaitd iio` on a made-up sysfs, with a pipe as the device. What a real kernel makes of
//! the same files shows only on a board, or on a virtual machine that has the drivers.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Barrier};

use gaitd_tests::{lines, summary};
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use crate::program::gaitd;

const MPU6050_SCALE: f64 = 0.000598;

/// A root with made-up devices.
struct Board {
    root: TempDir,
}

impl Board {
    fn new() -> Self {
        let board = Self { root: TempDir::new().unwrap() };
        fs::create_dir_all(board.path("sys/bus/iio/devices")).unwrap();
        fs::create_dir_all(board.path("dev")).unwrap();
        board
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn device(&self, number: u32, path: &str) -> PathBuf {
        self.path(&format!("sys/bus/iio/devices/iio:device{number}")).join(path)
    }

    fn put(&self, path: &Path, value: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{value}\n")).unwrap();
    }

    fn set(&self, number: u32, path: &str, value: &str) {
        self.put(&self.device(number, path), value);
    }

    fn get(&self, number: u32, path: &str) -> String {
        fs::read_to_string(self.device(number, path)).unwrap().trim().to_owned()
    }

    /// A device of the driver inv_mpu6050, as a kernel 6.6 shows it, without its temperature and calibration.
    fn mpu6050(number: u32) -> Self {
        let board = Self::new();
        board.add_mpu6050(number);
        board
    }

    fn add_mpu6050(&self, number: u32) {
        self.set(number, "name", "mpu6050");
        self.set(number, "sampling_frequency", "50");
        self.set(number, "sampling_frequency_available", "10 20 50 100 200 500");
        self.set(number, "in_accel_scale", "0.000598");
        self.set(number, "in_accel_scale_available", "0.000598 0.001196 0.002392 0.004785");
        self.set(number, "in_anglvel_scale", "0.001064724");
        self.set(number, "in_anglvel_scale_available", "0.000133090 0.000266181 0.000532362 0.001064724");
        self.set(number, "in_accel_mount_matrix", "1, 0, 0; 0, 1, 0; 0, 0, 1");
        self.set(number, "in_anglvel_mount_matrix", "1, 0, 0; 0, 1, 0; 0, 0, 1");
        // as it is shown, with a zero
        self.set(number, "current_timestamp_clock", "realtime\n\0");
        self.set(number, "trigger/current_trigger", &format!("mpu6050-dev{number}"));
        for (index, name) in
            ["accel_x", "accel_y", "accel_z", "temp", "anglvel_x", "anglvel_y", "anglvel_z"].iter().enumerate()
        {
            self.set(number, &format!("in_{name}_raw"), &(100 * (index + 1)).to_string());
            self.element(number, &format!("in_{name}"), index, "be:s16/16>>0");
        }
        self.element(number, "in_timestamp", 7, "le:s64/64>>0");
        self.set(number, "scan_elements/in_temp_en", "1");
        self.buffer(number);
    }

    fn element(&self, number: u32, name: &str, index: usize, kind: &str) {
        self.set(number, &format!("scan_elements/{name}_en"), "0");
        self.set(number, &format!("scan_elements/{name}_index"), &index.to_string());
        self.set(number, &format!("scan_elements/{name}_type"), kind);
    }

    fn buffer(&self, number: u32) {
        self.set(number, "buffer/enable", "0");
        self.set(number, "buffer/length", "2");
        mkfifoat(CWD, self.path(&format!("dev/iio:device{number}")), Mode::RUSR | Mode::WUSR).unwrap();
    }

    fn gaitd(&self) -> assert_cmd::Command {
        let mut command = gaitd(self.root.path());
        command.arg("iio").arg("--root").arg(self.root.path());
        command
    }

    /// gaitd on this board, running, with its standard output to read.
    fn start(&self, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
            .args(["iio", "--root"])
            .arg(self.root.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        (child, output)
    }

    /// The device's end of the pipe; waits until gaitd has opened it.
    fn sensor(&self, number: u32) -> File {
        fs::OpenOptions::new().write(true).open(self.path(&format!("dev/iio:device{number}"))).unwrap()
    }

    /// Every file of a device, with its value: what ends the line does not belong to it.
    fn state(&self, number: u32) -> Vec<(PathBuf, String)> {
        fn value(path: &Path) -> String {
            fs::read_to_string(path).unwrap().trim_matches(['\n', '\0']).to_owned()
        }
        fn walk(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, all) } else { all.push((path.clone(), value(&path))) }
            }
        }
        let mut all = Vec::new();
        walk(&self.device(number, ""), &mut all);
        all.sort();
        all
    }
}

fn terminate(child: &Child) {
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

/// A scan of an MPU-6050 with accelerometer, gyroscope and timestamp on: 12 bytes, 4 of padding, 8.
fn scan(raw: [i16; 6], time_ns: i64) -> Vec<u8> {
    let mut bytes: Vec<u8> = raw.iter().flat_map(|value| value.to_be_bytes()).collect();
    bytes.extend([0xee; 4]);
    bytes.extend(time_ns.to_le_bytes());
    bytes
}

/// `seconds` of scans at `rate_hz`: gravity on x, and a swing.
fn walk(seconds: f64, rate_hz: f64) -> Vec<u8> {
    let samples = (seconds * rate_hz) as u32;
    (0..samples)
        .flat_map(|number| {
            let time = f64::from(number) / rate_hz;
            let swing = (time * std::f64::consts::TAU * 1.8).sin();
            let x = (9.80665 * (1.0 + 0.2 * swing) / MPU6050_SCALE).round() as i16;
            scan([x, 1600, -3200, (400.0 * swing) as i16, 0, 100], 5_000_000_000 + (time * 1e9).round() as i64)
        })
        .collect()
}

fn rows(text: &str) -> Vec<Vec<f64>> {
    let samples = text.lines().skip_while(|line| !line.starts_with('t')).skip(1);
    samples.map(|line| line.split(',').map(|field| field.parse().unwrap()).collect()).collect()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-6
}

#[test]
fn scans_become_samples_and_every_setting_is_put_back() {
    let board = Board::mpu6050(3);
    board.set(3, "sampling_frequency", "200");
    board.set(3, "scan_elements/in_temp_en", "1");
    board.set(3, "in_anglvel_mount_matrix", "0, 1, 0; -1, 0, 0; 0, 0, 1");
    let before = board.state(3);
    let (mut child, mut output) = board.start(&["--seconds", "0.06"]);
    let mut sensor = board.sensor(3);
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert_eq!(first, "# rate_hz=50\n");
    // the first line is written when all is set
    for (file, value) in [
        ("sampling_frequency", "50"),
        ("current_timestamp_clock", "monotonic"),
        ("scan_elements/in_accel_y_en", "1"),
        ("scan_elements/in_anglvel_z_en", "1"),
        ("scan_elements/in_timestamp_en", "1"),
        ("scan_elements/in_temp_en", "0"),
        ("trigger/current_trigger", "mpu6050-dev3"),
        ("buffer/length", "100"),
        ("buffer/enable", "1"),
    ] {
        assert_eq!(board.get(3, file), value, "{file}");
    }
    let all = [
        scan([16393, 0, -16393, 1000, 2000, -3000], 1_234_567_890),
        scan([i16::MAX, i16::MIN, 1, 0, 0, 0], 1_254_567_890),
        scan([0; 6], 1_274_567_890),
    ]
    .concat();
    // in pieces that end anywhere
    for piece in all.chunks(7) {
        sensor.write_all(piece).unwrap();
    }
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(
        text.starts_with("t [s],acc_x [m/s2],acc_y [m/s2],acc_z [m/s2],gyro_x [rad/s],gyro_y [rad/s],gyro_z [rad/s]\n")
    );
    let rows = rows(&text);
    assert_eq!(rows.len(), 3);
    let gyro = 0.001064724;
    let expected = [1.234568, 9.803014, 0.0, -9.803014, 2000.0 * gyro, -1000.0 * gyro, -3000.0 * gyro];
    assert!(rows[0].iter().zip(expected).all(|(&found, expected)| close(found, expected)), "{:?}", rows[0]);
    assert!(close(rows[1][1], 32767.0 * MPU6050_SCALE) && close(rows[1][2], -32768.0 * MPU6050_SCALE));
    assert_eq!(board.state(3), before);
}

#[test]
fn gaitd_run_takes_the_stream() {
    for format in ["csv", "ndjson"] {
        let board = Board::mpu6050(0);
        let (mut child, mut output) = board.start(&["--seconds", "8", "--format", format]);
        let mut sensor = board.sensor(0);
        let writer = std::thread::spawn(move || sensor.write_all(&walk(8.0, 50.0)).unwrap());
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        writer.join().unwrap();
        assert!(child.wait().unwrap().success());
        let run = gaitd(board.root.path())
            .args(["run", "--source", "-", "--pace", "fast", "--format", "ndjson", "--state"])
            .arg(board.root.path())
            .write_stdin(text)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(told.contains("acc_x from m/s2 to g"), "{told}");
        let summary = summary(&run.stdout);
        assert_eq!(summary["samples"]["samples"], 400);
        assert_eq!(summary["samples"]["gaps"], 0);
        assert_eq!(lines(&run.stdout, "decision").len(), 5);
    }
}

#[test]
fn a_sensor_without_the_rate_is_resampled() {
    let board = Board::mpu6050(0);
    // as the lsm6dsx driver has it
    board.set(0, "sampling_frequency_available", "12.500 26.000 52.000 104.000");
    board.set(0, "sampling_frequency", "12.500");
    let (mut child, mut output) = board.start(&["--seconds", "6"]);
    let mut sensor = board.sensor(0);
    let writer = std::thread::spawn(move || sensor.write_all(&walk(7.0, 52.0)));
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    // gaitd may have had enough before all was written
    let _ = writer.join().unwrap();
    let rows = rows(&text);
    assert_eq!(rows.len(), 300);
    assert!(rows.windows(2).all(|pair| close(pair[1][0] - pair[0][0], 0.02)), "50 Hz sharp");
    for row in &rows {
        let swing = ((row[0] - 5.0) * std::f64::consts::TAU * 1.8).sin();
        let (found, expected) = (row[1] / 9.80665, 1.0 + 0.2 * swing);
        // the sensor's own rate is learned in some seconds
        let within = if row[0] < 7.0 { 0.02 } else { 0.008 };
        assert!((found - expected).abs() < within, "{found} for {expected} at {}", row[0]);
    }
    assert_eq!(board.get(0, "sampling_frequency"), "12.500");
}

#[test]
fn a_range_is_set_where_it_is_asked_for() {
    let board = Board::mpu6050(0);
    let (mut child, mut output) = board.start(&["--seconds", "0.02", "--accel-range", "5", "--gyro-range", "250"]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    assert_eq!(board.get(0, "in_accel_scale"), "0.002392000");
    assert_eq!(board.get(0, "in_anglvel_scale"), "0.000133090");
    sensor.write_all(&scan([1000; 6], 0)).unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(close(rows(&text)[0][1], 2.392), "{text}");
    assert_eq!(board.get(0, "in_accel_scale"), "0.000598");
    let refused = board.gaitd().args(["--accel-range", "20"]).assert().code(64);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.contains("offers at most 156.8, but a range of 196.1 m/s2 is asked for"), "{told}");
}

/// A sensor without a trigger of its own.
fn without_trigger() -> Board {
    let board = Board::mpu6050(0);
    board.set(0, "name", "bmi160");
    board.set(0, "trigger/current_trigger", "");
    board
}

#[test]
fn a_timer_of_the_kernel_s_triggers_a_sensor_that_cannot() {
    let board = without_trigger();
    let timers = board.path("sys/kernel/config/iio/triggers/hrtimer");
    fs::create_dir_all(&timers).unwrap();
    // what the kernel makes when the folder is made
    let trigger = board.path("sys/bus/iio/devices/trigger0");
    board.put(&trigger.join("name"), "gaitd-0");
    board.put(&trigger.join("sampling_frequency"), "100.000");
    let before = board.state(0);
    let (child, mut output) = board.start(&["--seconds", "0.02", "-v"]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    assert!(timers.join("gaitd-0").is_dir());
    assert_eq!(fs::read_to_string(trigger.join("sampling_frequency")).unwrap().trim(), "50");
    assert_eq!(board.get(0, "trigger/current_trigger"), "gaitd-0");
    assert_eq!(board.get(0, "sampling_frequency"), "100", "twice as often as it is looked at");
    sensor.write_all(&scan([0; 6], 0)).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("by the kernel's timer gaitd-0"));
    assert_eq!(board.state(0), before);
    assert!(!timers.join("gaitd-0").exists());
}

#[test]
fn the_sensor_s_own_trigger_goes_before_a_timer() {
    let board = without_trigger();
    board.put(&board.path("sys/bus/iio/devices/trigger4/name"), "bmi160-dev0");
    let (mut child, mut output) = board.start(&["--seconds", "0.02"]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    assert_eq!(board.get(0, "trigger/current_trigger"), "bmi160-dev0");
    sensor.write_all(&scan([0; 6], 0)).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(board.get(0, "trigger/current_trigger"), "");
}

#[test]
fn without_any_trigger_values_are_polled() {
    let board = without_trigger();
    let before = board.state(0);
    let polled = board.gaitd().args(["--seconds", "0.1"]).assert().success();
    let told = String::from_utf8_lossy(&polled.get_output().stderr).into_owned();
    assert!(told.contains("no trigger for its buffer") && told.contains("modprobe iio-trig-hrtimer"), "{told}");
    let rows = rows(std::str::from_utf8(&polled.get_output().stdout).unwrap());
    assert_eq!(rows.len(), 5);
    let expected = [100.0, 200.0, 300.0].map(|raw| raw * MPU6050_SCALE);
    assert!(rows.iter().all(|row| row[1..4].iter().zip(expected).all(|(&found, expected)| close(found, expected))));
    assert!(close(rows[0][4], 500.0 * 0.001064724));
    assert_eq!(board.state(0), before);
}

#[test]
fn a_driver_without_a_buffer_is_polled_and_one_with_is_where_it_is_asked_for() {
    let board = Board::mpu6050(0);
    board.gaitd().args(["--poll", "--seconds", "0.04"]).assert().success();
    fs::remove_dir_all(board.device(0, "buffer")).unwrap();
    fs::remove_dir_all(board.device(0, "scan_elements")).unwrap();
    let polled = board.gaitd().args(["-v", "--seconds", "0.04"]).assert().success();
    let told = String::from_utf8_lossy(&polled.get_output().stderr).into_owned();
    assert!(told.contains("by polling (its driver has no buffer), sampled at 100 Hz"), "{told}");
}

#[test]
fn a_pipe_s_readers_come_and_go() {
    let board = Board::mpu6050(0);
    let pipe = board.path("samples");
    let (mut child, _output) = board.start(&["--pipe", pipe.to_str().unwrap(), "-v"]);
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut wait_for = |text: &str| {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(told.read_line(&mut line).unwrap(), 0, "waited for {text}");
        }
    };
    wait_for("waiting for a reader");
    assert_eq!(
        fs::metadata(&pipe).map(|file| std::os::unix::fs::PermissionsExt::mode(&file.permissions())).unwrap() & 0o777,
        0o640
    );
    for _ in 0..2 {
        assert_eq!(board.get(0, "buffer/enable"), "0", "nobody listens: the sensor is off");
        let mut reader = BufReader::new(File::open(&pipe).unwrap());
        let mut sensor = board.sensor(0);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "# rate_hz=50\n", "a stream from its begin");
        assert_eq!(board.get(0, "buffer/enable"), "1");
        drop(reader);
        sensor.write_all(&walk(0.1, 50.0)).unwrap();
        wait_for("its reader has gone");
        wait_for("waiting for a reader");
    }
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_file_gets_the_samples_behind_those_that_it_has() {
    let board = Board::mpu6050(0);
    let file = board.path("walk.csv");
    for _ in 0..2 {
        let write = ["--poll", "--seconds", "0.1", "--output", file.to_str().unwrap()];
        board.gaitd().args(write).assert().success().stdout("");
    }
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!((text.matches("# rate_hz=50\n").count(), text.lines().count()), (2, 2 * (2 + 5)), "{text}");
    // a pipe that is there stays one
    let pipe = board.path("samples");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (mut child, _output) = board.start(&["--poll", "--output", pipe.to_str().unwrap()]);
    let mut line = String::new();
    BufReader::new(File::open(&pipe).unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "# rate_hz=50\n");
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_request_to_stop_is_heard_while_the_sensor_is_silent_and_the_reader_slow() {
    let board = Board::mpu6050(0);
    let before = board.state(0);
    let (mut child, mut output) = board.start(&[]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    // more than the pipe to this test holds, of which it reads nothing: gaitd takes what it can
    let scans = walk(60.0, 50.0);
    let writer = std::thread::spawn(move || {
        let _ = sensor.write_all(&scans);
        sensor
    });
    terminate(&child);
    assert!(child.wait().unwrap().success());
    drop(writer.join().unwrap());
    assert_eq!(board.state(0), before);
}

#[test]
fn a_buffer_that_was_left_on_is_taken_over() {
    let board = Board::mpu6050(0);
    board.set(0, "buffer/enable", "1");
    let (mut child, mut output) = board.start(&["--seconds", "0.02"]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    sensor.write_all(&scan([0; 6], 0)).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(board.get(0, "buffer/enable"), "0");
}

/// gaitd's exit code and what it tells on this board.
fn failure(board: &Board, arguments: &[&str]) -> (i32, String) {
    let output = board.gaitd().args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), told.replace(board.root.path().to_str().unwrap(), ""))
}

#[test]
fn which_device_is_asked_where_it_is_not_clear() {
    let board = Board::new();
    let (code, told) = failure(&board, &[]);
    assert!(code == 66 && told.contains("no device with an accelerometer in /sys/bus/iio/devices"), "{code}: {told}");
    assert_eq!(failure(&board, &["--list"]).0, 66);
    // a board's light sensor is none
    board.set(0, "name", "tsl2561");
    board.set(0, "in_illuminance_input", "3");
    assert_eq!(failure(&board, &[]).0, 66);
    board.add_mpu6050(1);
    let (code, told) = failure(&board, &["iio:device0"]);
    assert!(code == 66 && told.contains("no device iio:device0 with an accelerometer; there is iio:device1 (mpu6050)"));
    board.add_mpu6050(10);
    board.set(10, "name", "icm20608");
    let (code, told) = failure(&board, &[]);
    assert!(code == 64 && told.contains("iio:device1 (mpu6050), iio:device10 (icm20608); say which"), "{code}: {told}");
    for wanted in ["iio:device10", "10", "icm20608", "/dev/iio:device10"] {
        board.gaitd().args([wanted, "--poll", "--seconds", "0.02"]).assert().success();
    }
    let list = board.gaitd().arg("--list").assert().success();
    let text = String::from_utf8(list.get_output().stdout.clone()).unwrap();
    insta::assert_snapshot!(text, @r"
    device            name                    senses              rates Hz         buffer
    iio:device1    mpu6050  accelerometer, gyroscope  10 20 50 100 200 500   mpu6050-dev1
    iio:device10  icm20608  accelerometer, gyroscope  10 20 50 100 200 500  mpu6050-dev10
    ");
}

impl Board {
    /// A device of one sensor, without a buffer: every axis reads `raw`.
    fn add_part(&self, number: u32, name: &str, raw: i16) {
        let prefix = if name.contains("acc") { "accel" } else { "anglvel" };
        self.set(number, "name", name);
        self.set(number, "sampling_frequency", "52");
        self.set(number, &format!("in_{prefix}_scale"), if prefix == "accel" { "0.000598205" } else { "0.000152716" });
        for axis in ["x", "y", "z"] {
            self.set(number, &format!("in_{prefix}_{axis}_raw"), &raw.to_string());
        }
    }

    /// The same with a buffer that its driver fills, and timestamps by any clock.
    fn add_buffered_part(&self, number: u32, name: &str) {
        self.add_part(number, name, 0);
        let prefix = if name.contains("acc") { "accel" } else { "anglvel" };
        self.set(number, "current_timestamp_clock", "realtime");
        for (index, axis) in ["x", "y", "z"].iter().enumerate() {
            self.element(number, &format!("in_{prefix}_{axis}"), index, "le:s16/16>>0");
        }
        self.element(number, "in_timestamp", 3, "le:s64/64>>0");
        self.buffer(number);
    }
}

/// A scan of one sensor: 6 bytes, 2 of padding, 8.
fn part_scan(raw: [i16; 3], time_ns: i64) -> Vec<u8> {
    let mut bytes: Vec<u8> = raw.iter().flat_map(|value| value.to_le_bytes()).collect();
    bytes.extend([0xee; 2]);
    bytes.extend(time_ns.to_le_bytes());
    bytes
}

#[test]
fn two_devices_of_one_chip_are_put_together() {
    let board = Board::new();
    board.add_part(0, "lsm6dsr_gyro", 10);
    board.add_part(1, "lsm6dsr_accel", 100);
    // of other chips
    board.add_part(2, "bmg160_gyro", 7);
    board.add_part(3, "kxcjk1013_accel", 7);
    let before = [0, 1].map(|number| board.state(number));
    for named in [&[][..], &["iio:device0", "1"], &["lsm6dsr_accel", "lsm6dsr_gyro"], &["lsm6dsr"]] {
        let both = board.gaitd().args(named).args(["--seconds", "0.1", "-v"]).assert().success();
        let told = String::from_utf8_lossy(&both.get_output().stderr).into_owned();
        assert!(
            told.contains("iio:device1 (lsm6dsr_accel) and iio:device0 (lsm6dsr_gyro): 50 Hz"),
            "{named:?}: {told}"
        );
        let text = String::from_utf8_lossy(&both.get_output().stdout).into_owned();
        assert!(text.contains("acc_z [m/s2],gyro_x [rad/s]"), "{text}");
        assert_eq!(rows(&text).len(), 5);
        for row in rows(&text) {
            assert!(close(row[1], 100.0 * 0.000598205) && close(row[6], 10.0 * 0.000152716), "{row:?}");
        }
    }
    assert_eq!([0, 1].map(|number| board.state(number)), before);
    // the accelerometer alone, for those who name it
    let alone = board.gaitd().args(["lsm6dsr_accel", "--seconds", "0.02"]).assert().success();
    let text = String::from_utf8_lossy(&alone.get_output().stdout).into_owned();
    assert!(text.contains("t [s],acc_x [m/s2],acc_y [m/s2],acc_z [m/s2]\n"), "{text}");
    assert!(String::from_utf8_lossy(&alone.get_output().stderr).contains("has no gyroscope"));
    for (named, code, problem) in [
        (
            &["0", "2"][..],
            64,
            "lsm6dsr_gyro) and iio:device2 (bmg160_gyro) are not put together: that takes an accelerometer",
        ),
        (&["1", "1"], 64, "are not put together"),
        (&["1", "9"], 66, "no device 9"),
        (&["lsm6dsr_gyro"], 66, "no device lsm6dsr_gyro with an accelerometer"),
    ] {
        let (found, told) = failure(&board, named);
        assert!(found == code && told.contains(problem), "{named:?}: {found}: {told}");
    }
    // a second chip of the kind
    board.add_part(4, "lsm6dsr_gyro", 10);
    let (code, told) = failure(&board, &[]);
    assert!(code == 64 && told.contains("say which, such as `gaitd iio iio:device1 iio:device0`"), "{code}: {told}");
}

#[test]
fn the_only_accelerometer_and_the_only_gyroscope_belong_together_whatever_they_are_called() {
    let board = Board::new();
    board.add_part(0, "bmc150_accel", 100);
    board.add_part(1, "bmg160", 10);
    let both = board.gaitd().args(["--seconds", "0.06"]).assert().success();
    assert!(rows(&String::from_utf8_lossy(&both.get_output().stdout)).iter().all(|row| row.len() == 7));
}

#[test]
fn buffers_of_two_devices_are_put_together_by_their_timestamps() {
    let board = Board::new();
    board.add_buffered_part(0, "lsm6dsr_accel");
    board.add_buffered_part(1, "lsm6dsr_gyro");
    let before = [0, 1].map(|number| board.state(number));
    let (mut child, mut output) = board.start(&["--seconds", "8"]);
    // the run, which is over as soon as all is written, goes on only once it was looked at
    let looked_at = Arc::new(Barrier::new(2));
    let mut sensors = [(0_u32, 0.0), (1, 0.007)].map(|(number, shift)| (board.sensor(number), shift));
    let goes_on = Arc::clone(&looked_at);
    let writer = std::thread::spawn(move || {
        // an axis that rises by 100 counts a second, another that swings; neither sensor is ahead, for it is not waited for
        for i in 0..(9.0 * 52.0) as u32 {
            if i == 104 {
                goes_on.wait();
            }
            for (sensor, shift) in &mut sensors {
                let time = f64::from(i) / 52.0 + *shift;
                let swing = 8000.0 * (time * std::f64::consts::TAU).sin();
                let raw = [(1000.0 * time) as i16, swing.round() as i16, 500];
                if sensor.write_all(&part_scan(raw, 5_000_000_000 + (time * 1e9).round() as i64)).is_err() {
                    return;
                }
            }
        }
    });
    let mut text = String::new();
    // by the first sample, after two lines of header, both are set
    for _ in 0..3 {
        output.read_line(&mut text).unwrap();
    }
    for number in [0, 1] {
        assert_eq!(board.get(number, "current_timestamp_clock"), "monotonic");
        assert_eq!(board.get(number, "buffer/enable"), "1");
    }
    looked_at.wait();
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    writer.join().unwrap();
    let rows = rows(&text);
    assert_eq!(rows.len(), 400);
    assert!(rows.windows(2).all(|pair| close(pair[1][0] - pair[0][0], 0.02)), "50 Hz sharp");
    for row in rows.iter().filter(|row| row[0] > 8.0) {
        let swing = ((row[0] - 5.0) * std::f64::consts::TAU).sin();
        let found = [row[2] / 0.000598205 / 8000.0, row[5] / 0.000152716 / 8000.0];
        assert!(found.iter().all(|found| (found - swing).abs() < 0.01), "{found:?} for {swing}");
    }
    assert_eq!([0, 1].map(|number| board.state(number)), before);
}

#[test]
fn a_device_without_a_buffer_is_polled_beside_one_with() {
    let board = Board::new();
    board.add_buffered_part(0, "lsm6dsr_accel");
    board.add_part(1, "lsm6dsr_gyro", 10);
    let (mut child, mut output) = board.start(&["--seconds", "0.2", "-v"]);
    let mut sensor = board.sensor(0);
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let enough = std::sync::Arc::clone(&stop);
    // as a driver would: by the clock by which the other is polled
    let writer = std::thread::spawn(move || {
        while !enough.load(std::sync::atomic::Ordering::Relaxed) {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let time_ns = now.tv_sec * 1_000_000_000 + now.tv_nsec;
            if sensor.write_all(&part_scan([100; 3], time_ns)).is_err() {
                return;
            }
            // its pace
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    output.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    let rows = rows(&text);
    assert_eq!(rows.len(), 10);
    for row in rows {
        assert!((row[1] / 0.000598205 - 100.0).abs() < 0.1 && (row[6] / 0.000152716 - 10.0).abs() < 0.1, "{row:?}");
    }
}

#[test]
fn a_sensor_that_does_not_answer_holds_nothing_up_for_ever() {
    // of a setting: opening a pipe waits for its other end
    let hung = |board: &Board, file: &str| {
        let path = board.device(0, file);
        fs::remove_file(&path).unwrap();
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    };
    for file in ["in_accel_scale", "in_accel_x_raw"] {
        let board = Board::new();
        board.add_part(0, "lsm6dsr_accel", 100);
        hung(&board, file);
        let (code, told) = failure(&board, &["--seconds", "0.1"]);
        assert!(
            code == 74 && told.contains(file) && told.contains("does not answer on its bus"),
            "{file}: {code}: {told}"
        );
    }
}

#[test]
fn bad_trees_are_told_and_left_as_they_were() {
    for (file, value, code, problem) in [
        ("scan_elements/in_accel_x_type", "be:s16", 65, "in_accel_x_type holds \"be:s16\": expected a form such as"),
        ("scan_elements/in_accel_x_type", "be:s16/24>>0", 65, "24 bits of storage"),
        ("scan_elements/in_accel_x_index", "first", 65, "in_accel_x_index holds \"first\": a whole number"),
        ("scan_elements/in_accel_x_index", "1", 65, "two elements have the index 1"),
        ("in_accel_scale", "one", 65, "in_accel_scale holds \"one\": a number was expected"),
        ("in_accel_scale", "0.000000", 65, "in_accel_scale holds \"0.000000\": a scale of 0 makes every reading 0"),
        ("in_anglvel_scale", "-0", 65, "a scale of 0 makes every reading 0"),
        ("in_anglvel_scale", "nan", 65, "in_anglvel_scale holds \"nan\": a number was expected"),
        ("in_accel_mount_matrix", "1, 0; 0, 1", 65, "three rows of three numbers"),
        ("in_accel_mount_matrix", "0,0,0;0,0,0;0,0,0", 65, "no mount matrix; --mount-matrix goes before it"),
        ("sampling_frequency_available", "10 20", 64, "offers at most 20 samples per second, but 50 Hz is asked for"),
        ("sampling_frequency_available", "", 65, "sampling_frequency_available holds \"\": expected numbers"),
    ] {
        let board = Board::mpu6050(0);
        board.set(0, file, value);
        let before = board.state(0);
        let (found, told) = failure(&board, &[]);
        assert!(found == code && told.contains(problem), "{file} {value:?}: {found}: {told}");
        assert_eq!(board.state(0), before, "{file} {value:?}");
    }
    let board = Board::mpu6050(0);
    fs::remove_file(board.device(0, "scan_elements/in_accel_y_type")).unwrap();
    let before = board.state(0);
    let (code, told) = failure(&board, &[]);
    assert!(
        code == 66 && told.contains("cannot open /sys/bus/iio/devices/iio:device0/scan_elements/in_accel_y_type"),
        "{told}"
    );
    assert_eq!(board.state(0), before);
}

#[test]
fn a_sensor_that_goes_away_is_told() {
    let board = Board::mpu6050(0);
    let before = board.state(0);
    let (child, mut output) = board.start(&[]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    sensor.write_all(&scan([0; 6], 0)).unwrap();
    drop(sensor);
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(74) && told.contains("iio:device0 (mpu6050) is gone"), "{told}");
    assert_eq!(board.state(0), before);
}

#[test]
fn a_trigger_that_gives_nothing_is_done_without_and_one_that_stops_is_told() {
    let board = Board::mpu6050(0);
    let before = board.state(0);
    let (child, mut output) = board.start(&["--seconds", "0.1"]);
    let _silent = board.sensor(0);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    assert!(told.contains("no sample for 2 s by the trigger mpu6050-dev0") && told.contains("polling now"), "{told}");
    assert_eq!(text.matches("rate_hz").count(), 1, "one stream: {text}");
    assert!(rows(&text).len() == 5 && rows(&text).iter().all(|row| close(row[1], 100.0 * MPU6050_SCALE)), "{text}");
    assert_eq!(board.state(0), before);

    let (child, mut output) = board.start(&[]);
    let mut sensor = board.sensor(0);
    output.read_line(&mut String::new()).unwrap();
    sensor.write_all(&scan([0; 6], 0)).unwrap();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        ended.status.code() == Some(74) && told.contains("no sample for 2 s by the trigger mpu6050-dev0"),
        "{told}"
    );
    assert_eq!(board.state(0), before);
}

#[test]
fn where_the_pipe_should_be_is_a_file() {
    let board = Board::mpu6050(0);
    let file = board.path("walk.csv");
    fs::write(&file, "precious").unwrap();
    let (code, told) = failure(&board, &["--pipe", file.to_str().unwrap()]);
    assert!(
        code == 64 && told.contains("/walk.csv is no pipe; remove it, or write to a file with --output /walk.csv"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let (code, told) = failure(&board, &["--pipe", board.path("absent/samples").to_str().unwrap()]);
    assert!(code == 74 && told.contains("cannot make the pipe /absent/samples"), "{code}: {told}");
}
