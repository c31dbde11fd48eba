//! The shipped ladders agree with the logits that the trainer computed, on whatever machine this runs, and are as small
//! and as complete as they should be.

use std::path::{Path, PathBuf};

use gaitd_core::ladder::{GOLDEN_TOLERANCE, Ladder, ModelDirectory, ModelFiles};
use gaitd_embedded::Embedded;
use gaitd_tests::repository;
use gaitd_tract::Tract;
use serde_json::Value;

const MOST_RUNGS: usize = 12;
const MOST_BYTES: u64 = 8_000_000;

fn models() -> PathBuf {
    repository().join("models")
}

/// The folders of all shipped ladders.
fn shipped() -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir(models()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 2, "{folders:?}");
    folders
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_configuration_of_every_shipped_ladder_agrees_with_the_trainer() {
    let embedded = models().join("uci-har-cnn");
    agrees(&Embedded, &embedded, usize::MAX);
    for folder in shipped().into_iter().filter(|folder| *folder != embedded) {
        // fewer, because under emulation the larger networks take minutes
        agrees(&ModelDirectory::new(&folder), &folder, 2);
    }
}

/// Compares a ladder with at most `most` of the golden vectors in its folder.
fn agrees(store: &dyn ModelFiles, folder: &Path, most: usize) {
    let ladder = Ladder::load(store, &[&Tract]).unwrap();
    let golden = json(&folder.join("golden.json"));
    let floats =
        |value: &Value| -> Vec<f32> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect() };
    let mut compared = 0;
    let mut runner = ladder.runner().unwrap();
    for (rung, configuration) in ladder.configurations().iter().enumerate() {
        let id = &configuration.id;
        for (window, expected) in
            golden["windows"].as_array().unwrap().iter().zip(golden["logits"][id].as_array().unwrap()).take(most)
        {
            let window: Vec<f32> = window.as_array().unwrap().iter().flat_map(floats).collect();
            let expected = floats(expected);
            let mut logits = vec![0.0; expected.len()];
            // twice: the reused state and buffers must not leak from one window into the next
            for _ in 0..2 {
                runner.infer(rung, &window, &mut logits).unwrap();
                for (logit, expected) in logits.iter().zip(&expected) {
                    assert!(
                        (logit - expected).abs() <= GOLDEN_TOLERANCE,
                        "{} {id}: {logits:?} {expected:?}",
                        folder.display()
                    );
                }
            }
            compared += 1;
        }
    }
    assert!(compared >= 8, "{}: {compared} vectors compared", folder.display());
}

#[test]
fn every_shipped_ladder_is_small_calibrated_and_described() {
    for folder in shipped() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let files = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let bytes: u64 = files().map(|file| file.metadata().unwrap().len()).sum();
        assert!(bytes <= MOST_BYTES, "{name}: {bytes} bytes");
        let manifest = json(&folder.join("manifest.json"));
        assert_eq!(manifest["name"], name);
        let rungs = manifest["configurations"].as_array().unwrap();
        assert!((2..=MOST_RUNGS).contains(&rungs.len()), "{name}: {} rungs", rungs.len());
        let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
        for rung in rungs {
            let id = rung["id"].as_str().unwrap();
            assert!(rung["temperature"].is_f64() && rung["calibration"]["validation"].is_object(), "{name} {id}");
            // the card's table quotes what the manifest says
            let shown = format!("{:.2}", 100.0 * rung["accuracy"]["test"].as_f64().unwrap());
            let row = card.lines().find(|line| line.starts_with(&format!("| {id} |"))).unwrap_or_default();
            assert!(row.contains(&shown), "{name} {id}: the card does not say {shown}: {row}");
        }
        let listed: Vec<_> = files().map(|file| file.file_name().into_string().unwrap()).collect();
        assert_eq!(listed.len(), rungs.len() + 3, "{name}: {listed:?}");
    }
}
