//! `examples/`: each does what it says.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::MonotonicClock;
use gaitd_core::ladder::Manifest;
use gaitd_core::stream::{Reading, Sample};
use gaitd_sense::Source;
use gaitd_sense::wearer::{WearerConfig, WearerSource};
use gaitd_tests::{lines, python, repository, shipped_model, skipped};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;
use crate::service::daemon::{Setup, until};

/// How long the shipped recording is, seconds.
const SECONDS: f64 = 40.0;

fn example(name: &str) -> PathBuf {
    repository().join("examples").join(name)
}

fn printed(command: &mut assert_cmd::Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// What the simulated wearer of seed 4 does, as a recording of somebody with a label.
fn walk() -> String {
    let path = shipped_model().join("manifest.json");
    let format = Manifest::parse(&std::fs::read(&path).unwrap(), &path).unwrap().stream_format();
    let config =
        WearerConfig { seed: 4, seconds: Some(SECONDS), pace: gaitd_sense::Pace::Fast, ..WearerConfig::default() };
    let mut wearer = WearerSource::new(&config, &format, Arc::new(MonotonicClock::start())).unwrap();
    let mut truth = wearer.truth();
    let mut sample = Sample { time_s: None, values: vec![0.0; format.channels.len()] };
    let header: Vec<_> = format.channels.iter().map(|channel| format!("{} [{}]", channel.name, channel.unit)).collect();
    let mut text = format!("# made by gaitd's simulated wearer: nobody walked\nt,{},activity\n", header.join(","));
    for row in 0_u32.. {
        match wearer.read(&mut sample, Duration::MAX).unwrap() {
            Reading::Sample => {}
            _ => break,
        }
        write!(text, "{:.2}", f64::from(row) / format.rate_hz).unwrap();
        for value in &sample.values {
            write!(text, ",{value:.4}").unwrap();
        }
        // between two activities it is neither
        writeln!(text, ",{}", truth.activity(row.into()).map_or("", |activity| activity.name())).unwrap();
    }
    text
}

#[test]
fn the_recording_is_what_the_simulated_wearer_does() {
    let (path, walk) = (example("walk.csv"), walk());
    if std::env::var_os("GAITD_UPDATE").is_some() {
        std::fs::write(&path, walk).unwrap();
        return;
    }
    assert!(std::fs::read_to_string(path).unwrap() == walk, "GAITD_UPDATE=1 writes examples/walk.csv anew");
}

#[test]
fn all_configurations_are_valid() {
    let folder = TempDir::new().unwrap();
    let entries = std::fs::read_dir(repository().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let configurations: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| path.file_name().unwrap() != "grafana.json")
        .collect();
    assert!(configurations.len() >= 4, "{configurations:?}");
    gaitd(folder.path()).arg("check").args(configurations).assert().success();
}

#[test]
fn the_recording_runs_by_its_configuration() {
    let folder = TempDir::new().unwrap();
    let configuration = example("recording.json");
    let output = printed(gaitd(folder.path()).arg("run").arg(configuration).args(["--format", "ndjson"]));
    let decisions = lines(output.as_bytes(), "decision");
    assert_eq!(decisions.len(), 30);
    assert_eq!(decisions[0]["activity"], "walking");
}

/// What `gaitd check --stream` makes of a stream: its report, in which every window has been answered.
fn looked_at(stream: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let report = printed(gaitd(folder.path()).args(["check", "--stream"]).arg(stream));
    assert!(report.contains("rate: 50.0 samples per second by the time"), "{report}");
    assert!(report.contains("in deg/s, times 0.017453") && report.contains("window 0 to 127"), "{report}");
    report
}

#[test]
fn the_sensor_in_python_writes_what_gaitd_reads() {
    let Some(python) = python("the_sensor_in_python_writes_what_gaitd_reads", "argparse") else { return };
    let folder = TempDir::new().unwrap();
    let output = Command::new(python).arg(example("sensor.py")).args(["--pretend", "10"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stream = folder.path().join("samples.csv");
    std::fs::write(&stream, output.stdout).unwrap();
    looked_at(&stream);
}

#[test]
fn the_sketch_for_a_microcontroller_writes_what_gaitd_reads() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("Wire.h"), "").unwrap();
    let sketch = std::fs::read_to_string(example("esp32/esp32.ino")).unwrap();
    let board = std::fs::read_to_string(repository().join("tests/fixtures/arduino.hpp")).unwrap();
    let main = "int main() { setup(); while (millis() < 12000) loop(); }";
    std::fs::write(path("sketch.cpp"), format!("{board}\n{sketch}\n{main}\n")).unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++11", "-Wall", "-Werror", "-I"]).arg(folder.path());
    let compiled = compiler.arg(path("sketch.cpp")).arg("-o").arg(path("sketch")).output();
    let Ok(compiled) = compiled else {
        skipped("the_sketch_for_a_microcontroller_writes_what_gaitd_reads", "there is no c++");
        return;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(path("sketch")).output().unwrap();
    std::fs::write(path("serial.csv"), output.stdout).unwrap();
    let report = looked_at(&path("serial.csv"));
    assert!(report.contains("`t_ms`, in ms"), "{report}");
}

/// The metrics that the dashboard for Grafana asks for are metrics of gaitd's.
#[test]
fn the_dashboard_for_grafana_asks_for_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_slice(&std::fs::read(example("grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    let mut names: BTreeSet<&str> = queries
        .iter()
        .flat_map(|query| query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with("gaitd_"))
        .collect();
    if !Path::new("/proc/pressure/cpu").exists() {
        names.remove("gaitd_cpu_pressure_ratio");
    }
    // at any other pace decisions are not timed
    let setup = Setup::with(|config| config["source"]["pace"] = "live".into());
    let mut daemon = setup.start();
    // some come with the first decision, those of the load with the first one after a reading of it
    until(&format!("all of {names:?}"), || {
        daemon.decide(1);
        let metrics = daemon.unix().get("/metrics");
        let has = |name: &&str| [" ", "{"].iter().any(|end| metrics.text().contains(&format!("\n{name}{end}")));
        names.iter().all(has).then_some(())
    });
}
