//! What tests of several crates share.

#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::new_without_default,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "only tests use it, and they fail by panicking"
)]

pub mod http;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod scenarios;
#[cfg(feature = "openapi")]
pub mod schema;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The shipped ladder.
pub fn shipped_model() -> PathBuf {
    repository().join("models/uci-har-cnn")
}

/// Says that the check `name` checks nothing, and why: on standard error, and in the file that `GAITD_SKIPPED` names, from
/// which `cargo xtask test` counts it as skipped.
pub fn skipped(name: &str, reason: impl std::fmt::Display) {
    let reason = reason.to_string().replace(['\n', '\t'], " ");
    eprintln!("SKIPPED {name}: {reason}");
    if let Some(file) = std::env::var_os("GAITD_SKIPPED") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        // in one piece: other tests write there, too
        file.write_all(format!("{name}\t{reason}\n").as_bytes()).unwrap();
    }
}

/// The folder of the data sets, or nothing, and then the reason is told.
pub fn data(test: &str, file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GAITD_DATA").map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    let path = folder.join(file);
    if path.exists() {
        return Some(path);
    }
    skipped(test, format_args!("{} is not there; set GAITD_DATA to the folder of the data sets", path.display()));
    None
}

/// A Python that can import `package`, or nothing, and then the reason is told.
pub fn python(test: &str, package: &str) -> Option<PathBuf> {
    let python = std::env::var_os("GAITD_PYTHON").unwrap_or_else(|| "target/venv/bin/python".into());
    let python = repository().join(python);
    let import = Command::new(&python).arg("-c").arg(format!("import {package}")).output();
    if import.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skipped(test, format_args!("{} is no Python with {package}; set GAITD_PYTHON to one that is", python.display()));
    None
}

/// A copy of the shipped model that a test may spoil.
pub struct ModelCopy(TempDir);

impl ModelCopy {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        for entry in std::fs::read_dir(shipped_model()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
        }
        Self(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Changes the manifest.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path().join("manifest.json");
        let mut manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        std::fs::write(path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    }

    /// Gives each rung its temperature, or none.
    pub fn set_temperatures(&self, of_rung: impl Fn(usize) -> Option<f64>) {
        self.edit(|manifest| {
            for (rung, configuration) in manifest["configurations"].as_array_mut().unwrap().iter_mut().enumerate() {
                let configuration = configuration.as_object_mut().unwrap();
                configuration.remove("temperature");
                configuration.extend(of_rung(rung).map(|temperature| ("temperature".to_owned(), temperature.into())));
            }
        });
    }
}

/// A raw stream as CSV: `seconds` of a made-up signal at 50 Hz in the shipped model's channels.
pub fn csv(seconds: f64) -> String {
    let samples = 0..(seconds * 50.0) as u64;
    CSV_HEADER.to_owned() + &samples.map(csv_line).collect::<String>()
}

/// The header of [`csv`], with the end of its line.
pub const CSV_HEADER: &str = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n";

/// The line of sample `number` of [`csv`], with its end.
pub fn csv_line(number: u64) -> String {
    let t = number as f64 / 50.0;
    let [swing, sway] = [1.8, 0.9].map(|hz| (t * std::f64::consts::TAU * hz).sin());
    let acc = [1.0 + 0.2 * swing, 0.1 + 0.05 * sway, -0.2 + 0.05 * swing * sway];
    let gyro = [0.5 * swing, 0.1 * sway, 0.1 + 0.1 * swing * sway];
    let values: Vec<String> = acc.into_iter().chain(gyro).map(|value| format!("{value:.4}")).collect();
    format!("{t:.2},{}\n", values.join(","))
}

/// The lines of NDJSON output that have the class `class`.
pub fn lines(output: &[u8], class: &str) -> Vec<Value> {
    std::str::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["class"] == class)
        .collect()
}

/// The one summary line of NDJSON output.
pub fn summary(output: &[u8]) -> Value {
    let mut summaries = lines(output, "summary");
    assert_eq!(summaries.len(), 1, "one summary");
    summaries.remove(0)
}

/// A fresh file name in `directory`.
pub fn fresh(directory: &TempDir, extension: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    directory.path().join(format!("{}.{extension}", NEXT.fetch_add(1, Ordering::Relaxed)))
}
