//! Real recordings through the whole daemon, and prepared windows through `gaitd replay`. They need the data sets and
//! say so where these are missing.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use gaitd_core::clock::MonotonicClock;
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat};
use gaitd_sense::wearer::{WearerConfig, WearerSource};
use gaitd_sense::{NO_DEADLINE, Pace, Source};
use gaitd_tests::{csv, data, fresh, lines, shipped_model};
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::NpzReader;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

fn manifest() -> Value {
    serde_json::from_slice(&std::fs::read(shipped_model().join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn every_rung_is_as_accurate_on_the_test_windows_as_its_manifest_says() {
    let Some(har) = data("rung accuracy", "uci_har.npz") else { return };
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).arg("replay").arg(har).args(["--split", "test", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let manifest = manifest();
    let listed = manifest["configurations"].as_array().unwrap();
    let replayed = report["configurations"].as_array().unwrap();
    assert_eq!(replayed.len(), listed.len());
    for (replayed, listed) in replayed.iter().zip(listed) {
        assert_eq!(replayed["id"], listed["id"]);
        assert_eq!(replayed["windows"], 2947);
        let (found, expected) = (replayed["accuracy"].as_f64().unwrap(), listed["accuracy"]["test"].as_f64().unwrap());
        assert!((found - expected).abs() <= 0.0005, "{}: {found} and {expected}", listed["id"]);
        for percentile in ["p50", "p90", "p99"] {
            assert!(replayed["latency_us"][percentile].as_f64().unwrap() > 0.0);
        }
    }
}

/// One labelled raw recording: who wore the sensor, and the activity at each sample, counted from 1.
pub struct Recording {
    pub user: i64,
    pub csv: String,
    pub labels: Vec<i64>,
}

/// The raw recordings of the official test subjects.
pub fn test_recordings() -> Option<Vec<Recording>> {
    let (raw, har) = (data("raw recordings", "hapt_raw_stream.npz")?, data("raw recordings", "uci_har.npz")?);
    let mut har = NpzReader::new(std::fs::File::open(har).unwrap()).unwrap();
    let subjects: Array1<i64> = integers(&mut har, "subject_test");
    let mut raw = NpzReader::new(std::fs::File::open(raw).unwrap()).unwrap();
    let signal: Array2<f32> = raw.by_name("acc_gyro").unwrap();
    let [experiments, users, labels] = ["exp", "user", "label"].map(|name| integers(&mut raw, name));
    let mut recordings: std::collections::BTreeMap<i64, Recording> = std::collections::BTreeMap::new();
    for (row, sample) in signal.outer_iter().enumerate() {
        if !subjects.iter().any(|subject| *subject == users[row]) {
            continue;
        }
        let recording = recordings.entry(experiments[row]).or_insert_with(|| Recording {
            user: users[row],
            csv: "acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n".to_owned(),
            labels: Vec::new(),
        });
        let values: Vec<String> = sample.iter().map(f32::to_string).collect();
        writeln!(recording.csv, "{}", values.join(",")).unwrap();
        recording.labels.push(labels[row]);
    }
    Some(recordings.into_values().collect())
}

/// A stretch at the watch's usual rate of 20 Hz has steps of 45 to 55 ms, and lasts a second at least.
const WATCH_STEP_NS: std::ops::RangeInclusive<i64> = 45_000_000..=55_000_000;
const WATCH_SHORTEST: usize = 20;

/// The people of the watch's data set on whom the ladder `model` was tested, each as one recording: their activities in the
/// order of time, without what lay between them, as `gaitd-train context` reads them.
pub fn watch_recordings(model: &Path) -> Option<Vec<Recording>> {
    let watch = data("the watch's recordings", "wisdm2019_watch_accel.npz")?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(model.join("manifest.json")).unwrap()).unwrap();
    let mut watch = NpzReader::new(std::fs::File::open(watch).unwrap()).unwrap();
    let signal: Array2<f32> = watch.by_name("xyz").unwrap();
    let [users, letters, times] = ["user", "activity", "timestamp"].map(|name| integers(&mut watch, name));
    // the letter N is none
    let label = |letter: i64| if letter < 13 { letter + 1 } else { letter };
    let recording = |user: &Value| {
        let user = user.as_i64().unwrap();
        let mut stretches: Vec<Vec<usize>> = Vec::new();
        for row in (0..users.len()).filter(|row| users[*row] == user) {
            let joined = stretches.last().and_then(|stretch| stretch.last()).is_some_and(|last| {
                *last + 1 == row
                    && letters[*last] == letters[row]
                    && WATCH_STEP_NS.contains(&(times[row] - times[*last]))
            });
            match stretches.last_mut() {
                Some(stretch) if joined => stretch.push(row),
                _ => stretches.push(vec![row]),
            }
        }
        stretches.retain(|stretch| stretch.len() >= WATCH_SHORTEST);
        stretches.sort_by_key(|stretch| times[stretch[0]]);
        let mut recording = Recording { user, csv: "acc_x,acc_y,acc_z\n".to_owned(), labels: Vec::new() };
        for row in stretches.into_iter().flatten() {
            let values: Vec<String> = signal.row(row).iter().map(f32::to_string).collect();
            writeln!(recording.csv, "{}", values.join(",")).unwrap();
            recording.labels.push(label(letters[row]));
        }
        recording
    };
    Some(manifest["training"]["test"]["subjects"].as_array().unwrap().iter().map(recording).collect())
}

/// How many of the decisions on windows with one label are right, by the window alone and with all before it, and how many
/// there are.
fn recognised(output: &[u8], labels: &[i64], names: &[&str]) -> [u32; 3] {
    let [mut alone, mut believed, mut windows] = [0; 3];
    for decision in lines(output, "decision") {
        let sample = |end: usize| decision["samples"][end].as_u64().unwrap() as usize;
        // a stream that was resampled may end a sample later
        let Some(inside) = labels.get(sample(0)..=sample(1)) else { continue };
        let Some(name) = usize::try_from(inside[0] - 1).ok().and_then(|label| names.get(label)) else { continue };
        if inside.iter().all(|label| *label == inside[0]) {
            windows += 1;
            alone += u32::from(decision["instant"]["activity"] == *name);
            believed += u32::from(decision["activity"] == *name);
        }
    }
    [alone, believed, windows]
}

/// An array of integers of whatever width NumPy chose.
fn integers(archive: &mut NpzReader<std::fs::File>, name: &str) -> Array1<i64> {
    if let Ok(array) = archive.by_name::<ndarray::OwnedRepr<i64>, ndarray::Ix1>(name) {
        return array;
    }
    if let Ok(array) = archive.by_name::<ndarray::OwnedRepr<i32>, ndarray::Ix1>(name) {
        return array.mapv(i64::from);
    }
    if let Ok(array) = archive.by_name::<ndarray::OwnedRepr<i16>, ndarray::Ix1>(name) {
        return array.mapv(i64::from);
    }
    if let Ok(array) = archive.by_name::<ndarray::OwnedRepr<i8>, ndarray::Ix1>(name) {
        return array.mapv(i64::from);
    }
    archive.by_name::<ndarray::OwnedRepr<u8>, ndarray::Ix1>(name).unwrap().mapv(i64::from)
}

#[test]
fn raw_recordings_through_the_whole_daemon_are_recognised_as_well_as_prepared_windows() {
    let Some(recordings) = test_recordings() else { return };
    assert_eq!(recordings.len(), 19, "two recordings of each of the nine test subjects, and a third of one");
    let manifest = manifest();
    let names: Vec<&str> = manifest["task"]["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let state = TempDir::new().unwrap();
    let files: Vec<_> = recordings
        .iter()
        .map(|recording| {
            let file = fresh(&state, "csv");
            std::fs::write(&file, &recording.csv).unwrap();
            file
        })
        .collect();
    let listed = manifest["configurations"].as_array().unwrap();
    for configuration in [listed.last().unwrap(), &listed[0]] {
        let id = configuration["id"].as_str().unwrap();
        let mut counts = [0; 3];
        for (recording, file) in recordings.iter().zip(&files) {
            let output = gaitd(state.path())
                .args(["run", "--pace", "fast", "--rung", id, "--source"])
                .arg(file)
                .assert()
                .success();
            let more = recognised(&output.get_output().stdout, &recording.labels, &names);
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
        let [alone, believed, windows] = counts;
        let [found, believed] = [alone, believed].map(|right| f64::from(right) / f64::from(windows));
        let expected = configuration["accuracy"]["test"].as_f64().unwrap();
        eprintln!(
            "{id}: {:.2} % of {windows} live windows, {:.2} % with context; {:.2} % of the prepared ones",
            found * 100.0,
            believed * 100.0,
            expected * 100.0
        );
        assert!(believed > found, "{id}: {believed} with context, {found} without");
        assert!(windows > 2000, "{windows} windows");
        assert!((found - expected).abs() <= 0.01, "{id}: {found} live, {expected} on prepared windows");
    }
}

#[test]
fn a_labelled_recording_is_replayed_like_its_prepared_windows() {
    let state = TempDir::new().unwrap();
    let file = fresh(&state, "csv");
    // a made-up stream: what matters is which windows count
    let text: String = csv(20.0)
        .lines()
        .enumerate()
        .map(|(row, line)| match row {
            0 => format!("{line},label\n"),
            1..=500 => format!("{line},walking\n"),
            501..=520 => format!("{line},\n"),
            _ => format!("{line},juggling\n"),
        })
        .collect();
    std::fs::write(&file, text).unwrap();
    let output = gaitd(state.path()).arg("replay").arg(&file).arg("--json").assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    // 1000 samples less one held back make 14 windows; those that end within the first 500 samples are walking
    assert_eq!(report["windows"], 6);
    assert_eq!(report["unlabelled"], 8);
    for configuration in report["configurations"].as_array().unwrap() {
        let walking: u64 = configuration["confusion"][0].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!((walking, configuration["windows"].as_u64().unwrap()), (6, 6));
    }
    let output = gaitd(state.path()).arg("replay").arg(&file).args(["--policy", "step", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let used: u64 = report["configurations"].as_array().unwrap().iter().map(|c| c["windows"].as_u64().unwrap()).sum();
    assert_eq!(used, 6);
    assert_eq!(report["controller"]["policy"], "step");
}

#[test]
fn what_cannot_be_replayed_is_refused_with_what_to_do() {
    let state = TempDir::new().unwrap();
    let archive = |arrays: &[(&str, &Array3<f32>)], labels: Option<Array1<i64>>| {
        let file = fresh(&state, "npz");
        let mut writer = ndarray_npy::NpzWriter::new(std::fs::File::create(&file).unwrap());
        for (name, array) in arrays {
            writer.add_array(*name, *array).unwrap();
        }
        if let Some(labels) = labels {
            writer.add_array("y_test", &labels).unwrap();
        }
        writer.finish().unwrap();
        file
    };
    let windows = Array3::<f32>::zeros((2, 9, 128));
    let unlabelled = fresh(&state, "csv");
    std::fs::write(&unlabelled, csv(10.0)).unwrap();
    let junk = fresh(&state, "npz");
    std::fs::write(&junk, b"PK but not really").unwrap();
    for (file, code, expected) in [
        (archive(&[("X_test", &windows)], None), 65, "y_test"),
        (archive(&[("X", &windows)], Some(Array1::from(vec![1, 2]))), 65, "X_test"),
        (archive(&[("X_test", &windows)], Some(Array1::from(vec![1, 7]))), 65, "holds 7"),
        (archive(&[("X_test", &windows)], Some(Array1::from(vec![0, 1]))), 65, "holds 0"),
        (archive(&[("X_test", &windows)], Some(Array1::from(vec![1]))), 65, "y_test 1"),
        (archive(&[("X_test", &Array3::zeros((2, 6, 128)))], Some(Array1::from(vec![1, 2]))), 65, "[2, 6, 128]"),
        (unlabelled, 65, "label"),
        (junk, 65, "npz"),
        (state.path().join("none.npz"), 74, "none.npz"),
        (state.path().join("none.csv"), 66, "none.csv"),
    ] {
        let output = gaitd(state.path()).arg("replay").arg(&file).assert().code(code);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(expected), "{expected:?} should be named in: {stderr}");
    }
}

/// Five minutes of the simulated wearer, a line of CSV per sample.
fn simulated_recording() -> String {
    let task = &manifest()["task"];
    let channels: Vec<Channel> = serde_json::from_value(task["input"]["channels"].clone()).unwrap();
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let mut csv = names.join(",") + "\n";
    let format = StreamFormat { channels: channels.clone(), rate_hz: task["sample_rate_hz"].as_f64().unwrap() };
    let config = WearerConfig { seconds: Some(300.0), pace: Pace::Fast, ..WearerConfig::default() };
    let mut wearer = WearerSource::new(&config, &format, Arc::new(MonotonicClock::start())).unwrap();
    let mut sample = Sample { time_s: None, values: vec![0.0; channels.len()] };
    while matches!(wearer.read(&mut sample, NO_DEADLINE).unwrap(), Reading::Sample) {
        let values: Vec<String> = sample.values.iter().map(f64::to_string).collect();
        writeln!(csv, "{}", values.join(",")).unwrap();
    }
    csv
}

#[test]
#[ignore = "writes what `cargo xtask vm-test` compares another machine with"]
fn a_stream_and_what_is_decided_on_it() {
    let folder = std::env::var_os("GAITD_PARITY").expect("GAITD_PARITY names the folder to write to");
    let folder = Path::new(&folder);
    let (csv, about) = match test_recordings() {
        Some(recordings) => {
            (recordings.into_iter().next().unwrap().csv, "the first raw recording of a test subject of HAPT")
        }
        None => (simulated_recording(), "the simulated wearer, for the recordings of HAPT are not here"),
    };
    let (header, rows) = csv.split_once('\n').unwrap();
    let object = |row: &str| {
        let fields: Vec<String> = header.split(',').zip(row.split(',')).map(|(n, v)| format!("\"{n}\":{v}")).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    let samples = folder.join("samples.ndjson");
    std::fs::write(&samples, rows.lines().map(object).collect::<String>()).unwrap();
    std::fs::write(folder.join("about.txt"), about).unwrap();
    let manifest = manifest();
    let listed = manifest["configurations"].as_array().unwrap();
    for (name, configuration) in [("smallest", &listed[0]), ("largest", listed.last().unwrap())] {
        let id = configuration["id"].as_str().unwrap();
        let state = TempDir::new().unwrap();
        let mut run = gaitd(state.path());
        run.args(["run", "--pace", "fast", "--format", "ndjson", "--rung", id, "--source"]).arg(&samples);
        let output = run.assert().success();
        let stdout = &output.get_output().stdout;
        let windows = (rows.lines().count() - 1 - 128) / 64 + 1;
        assert_eq!(lines(stdout, "decision").len(), windows, "the last sample waits for its median");
        std::fs::write(folder.join(format!("{name}.ndjson")), stdout).unwrap();
    }
}

/// The raw recordings one after the other as one labelled stream, a minute without samples between two.
fn labelled_stream(recordings: &[Recording], names: &[&str]) -> String {
    let mut text = "t,label,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n".to_owned();
    let mut start = 0.0;
    for recording in recordings {
        for (row, (values, label)) in recording.csv.lines().skip(1).zip(&recording.labels).enumerate() {
            let name = usize::try_from(label - 1).ok().and_then(|label| names.get(label)).unwrap_or(&"");
            writeln!(text, "{:.2},{name},{values}", start + row as f64 / 50.0).unwrap();
        }
        start += recording.labels.len() as f64 / 50.0 + 60.0;
    }
    text
}

/// What activity-aware accuracy saves and gains: real answers, latencies and load of a scenario.
#[test]
fn raw_recordings_under_load_gain_by_what_the_wearer_is_doing() {
    let Some(recordings) = test_recordings() else { return };
    let manifest = manifest();
    let names: Vec<&str> = manifest["task"]["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let state = TempDir::new().unwrap();
    let file = fresh(&state, "csv");
    std::fs::write(&file, labelled_stream(&recordings, &names)).unwrap();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/uci-har-steps.json");
    eprintln!("budget  objective  activity  accuracy %  late as guess %  late  MMACs  CPU ms");
    let run = |budget: &str, objective: &str, blind: bool| {
        let mut command = gaitd(state.path());
        command.arg("replay").arg(&file).arg("--scenario").arg(&scenario);
        command.args(["--budget-ms", budget, "--objective", objective, "--json"]);
        if blind {
            command.arg("--activity-blind");
        }
        let output = command.assert().success();
        let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        let controller = &report["controller"];
        let number = |name: &str| controller[name].as_f64().unwrap();
        let (effective, macs) = (100.0 * number("effective_accuracy"), number("mean_macs") / 1e6);
        eprintln!(
            "{budget:>6}  {objective:<9}  {:<8}  {:>10.2}  {effective:>15.2}  {:>4}  {macs:>5.2}  {:>6.2}",
            if blind { "blind" } else { "aware" },
            100.0 * number("accuracy"),
            number("misses"),
            number("mean_cpu_us") / 1e3,
        );
        assert!(number("misses") / number("decided") <= 0.02, "{controller}");
        (effective, macs)
    };
    for budget in ["70", "25"] {
        let (blind, blind_macs) = run(budget, "accuracy", true);
        let (aware, _) = run(budget, "accuracy", false);
        assert!(aware > blind - 0.3, "{aware} against {blind}");
        run(budget, "energy", true);
        let (saving, saving_macs) = run(budget, "energy", false);
        assert!(saving > blind - 0.5, "{saving} against {blind}");
        assert!(saving_macs < 0.8 * blind_macs, "{saving_macs} against {blind_macs}");
    }
}

/// What `termux-sensor -d 20` would have printed of a recording: Android renews the values 15 times a second, and
/// each object holds the latest ones. The time that jq would take from its clock stands in the object.
fn as_termux_prints(recording: &Recording) -> String {
    const RENEWED_MS: f64 = 1000.0 / 15.0;
    let samples: Vec<Vec<f64>> = recording
        .csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|value| value.parse().unwrap()).collect())
        .collect();
    let mut text = String::new();
    for printed in 0..samples.len() {
        let time_s = printed as f64 / 50.0;
        let renewed = (time_s * 1e3 / RENEWED_MS).floor() * RENEWED_MS / 20.0;
        let values = &samples[renewed as usize];
        let list = |values: &[f64], factor: f64| {
            values.iter().map(|value| format!("      {:.6}", value * factor)).collect::<Vec<_>>().join(",\n")
        };
        writeln!(
            text,
            "{{\n  \"t\": {time_s},\n  \"LSM6DSO Accelerometer\": {{\n    \"values\": [\n{}\n    ]\n  }},\n  \"LSM6DSO \
             Gyroscope\": {{\n    \"values\": [\n{}\n    ]\n  }}\n}}",
            list(&values[..3], 9.80665),
            list(&values[3..], 1.0)
        )
        .unwrap();
    }
    text
}

/// What is left of the accuracy on a telephone whose sensors come through Termux.
#[test]
fn recordings_at_the_pace_of_termux_are_still_recognised() {
    let test = "recordings_at_the_pace_of_termux_are_still_recognised";
    if std::process::Command::new("jq").arg("--version").output().is_err() {
        gaitd_tests::skipped(test, "there is no jq here (Debian: apt-get install jq)");
        return;
    }
    let Some(recordings) = test_recordings() else { return };
    let manifest = manifest();
    let names: Vec<&str> = manifest["task"]["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let state = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/termux/samples.jq");
    let (mut right, mut windows) = (0, 0);
    for recording in &recordings {
        let samples = assert_cmd::Command::new("jq")
            .args(["-nc", "--unbuffered", "-f"])
            .arg(&program)
            .write_stdin(as_termux_prints(recording))
            .assert()
            .success();
        let output = gaitd(state.path())
            .args(["run", "--source", "-", "--pace", "fast", "--rung", "1.00x-128"])
            .write_stdin(samples.get_output().stdout.clone())
            .assert()
            .success();
        let [more_right, _, more] = recognised(&output.get_output().stdout, &recording.labels, &names);
        (right, windows) = (right + more_right, windows + more);
    }
    let share = f64::from(right) / f64::from(windows);
    eprintln!("1.00x-128: {:.2} % of {windows} windows at 15 readings a second", 100.0 * share);
    assert!(windows > 2000, "{windows} windows");
    assert!(share > 0.95, "{share}");
}
