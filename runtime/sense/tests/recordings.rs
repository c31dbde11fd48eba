//! Conditioning of the recordings and windows that gaitd is trained on; skipped, with a message, where they are missing.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use gaitd_core::condition::{Conditioner, OpSpec};
use gaitd_core::stream::Channel;
use gaitd_core::window::{Window, Windower};
use gaitd_tests::{data, python, repository};
use ndarray::{Array1, Array2, Array3, ArrayView2, s};
use ndarray_npy::{NpzReader, ReadableElement, read_npy};
use serde_json::Value;

fn array<T: ReadableElement, D: ndarray::Dimension>(npz: &mut NpzReader<File>, name: &str) -> ndarray::Array<T, D> {
    npz.by_name(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The raw recordings one by one: experiment, first row in the archive, samples.
fn recordings(path: &Path) -> Vec<(i32, usize, Array2<f32>)> {
    let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
    let (raw, experiments): (Array2<f32>, Array1<i8>) = (array(&mut npz, "acc_gyro"), array(&mut npz, "exp"));
    let mut found: Vec<(i32, usize, Array2<f32>)> = Vec::new();
    let mut start = 0;
    for chunk in experiments.as_slice().unwrap().chunk_by(|one, other| one == other) {
        let samples = raw.slice(s![start..start + chunk.len(), ..]).to_owned();
        found.push((i32::from(chunk[0]), start, samples));
        start += chunk.len();
    }
    found
}

/// The conditioning of UCI-HAR, the first of the cases that gaitd-core is tested with.
fn uci_har() -> Conditioner {
    let fixture = repository().join("runtime/core/tests/fixtures/conditioning.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
    let case = &cases[0];
    assert_eq!(case["name"], "uci-har");
    let channels = |side: &str| -> Vec<Channel> {
        let names = case[side].as_array().unwrap().iter();
        names.map(|name| Channel { name: name.as_str().unwrap().to_owned(), unit: "g".to_owned() }).collect()
    };
    let ops: Vec<OpSpec> = serde_json::from_value(case["ops"].clone()).unwrap();
    Conditioner::new(&channels("input"), &ops, &channels("output")).unwrap()
}

fn stream(conditioner: &mut Conditioner, samples: ArrayView2<'_, f32>, mut each: impl FnMut(&[f32])) {
    let mut out = [0.0; 9];
    for row in samples.rows() {
        let raw: Vec<_> = row.iter().map(|&value| f64::from(value)).collect();
        if conditioner.push(&raw, &mut out) {
            each(&out);
        }
    }
}

/// All 10,299 windows of UCI-HAR, those at the very beginning of a recording included.
#[test]
fn windows_of_the_raw_recordings_are_those_of_uci_har() {
    let (Some(raw), Some(windows)) =
        (data("UCI-HAR windows", "hapt_raw_stream.npz"), data("UCI-HAR windows", "uci_har.npz"))
    else {
        return;
    };
    let mut npz = NpzReader::new(File::open(windows).unwrap()).unwrap();
    // by experiment and first sample; the same stretch may be listed twice
    let mut expected: BTreeMap<(i32, u64), Vec<Array2<f32>>> = BTreeMap::new();
    for split in ["train", "test"] {
        let x: Array3<f32> = array(&mut npz, &format!("X_{split}"));
        let sources: Array2<i32> = array(&mut npz, &format!("src_{split}"));
        for (window, source) in x.outer_iter().zip(sources.rows()) {
            expected.entry((source[0], source[1] as u64)).or_default().push(window.to_owned());
        }
    }
    assert_eq!(expected.values().map(Vec::len).sum::<usize>(), 7352 + 2947);
    let mut conditioner = uci_har();
    let mut window = Window::new(9, 128);
    let mut worst = 0f32;
    for (experiment, _, samples) in recordings(&raw) {
        // windows of UCI-HAR begin at any sample
        let mut windower = Windower::new(9, 128, 1).unwrap();
        conditioner.reset();
        stream(&mut conditioner, samples.view(), |sample| {
            if windower.push(sample) {
                windower.fill(&mut window, 0);
                for expected in expected.remove(&(experiment, window.first_sample)).into_iter().flatten() {
                    let errors =
                        window.samples().iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
                    let error = errors.fold(0f32, f32::max);
                    assert!(error < 1e-5, "experiment {experiment}, sample {}: {error}", window.first_sample);
                    worst = worst.max(error);
                }
            }
        });
    }
    assert!(expected.is_empty(), "windows that the recordings do not have: {:?}", expected.keys());
    println!("largest error of any value in 10299 windows: {worst:e}");
}

#[test]
fn whole_recordings_equal_scipy() {
    let (Some(raw), Some(python)) =
        (data("whole recordings", "hapt_raw_stream.npz"), python("whole recordings", "scipy"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("conditioned.npy");
    let script = repository().join("runtime/core/tests/fixtures/make_conditioning.py");
    let run = Command::new(python).arg(script).arg("recordings").args([&raw, &made]).status().unwrap();
    assert!(run.success());
    let expected: Array2<f32> = read_npy(made).unwrap();
    let mut conditioner = uci_har();
    let (mut worst, mut compared) = (0f32, 0);
    for (experiment, start, samples) in recordings(&raw) {
        conditioner.reset();
        let mut at = start;
        stream(&mut conditioner, samples.view(), |sample| {
            for (found, expected) in sample.iter().zip(expected.row(at)) {
                let error = (found - expected).abs();
                assert!(error < 1e-5, "experiment {experiment}, sample {}: {error}", at - start);
                worst = worst.max(error);
            }
            at += 1;
            compared += 1;
        });
    }
    // all but the sample that the median still waits for at the end of each of the 61 recordings
    assert_eq!(compared, expected.nrows() - 61);
    println!("largest error of any value in {compared} samples: {worst:e}");
}
