//! What is counted: each configuration by itself, and whole windows through the engine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::core::Core;
use crate::tree::Tree;

/// Inferences are counted as the difference between a run with so many windows and one with more.
const FEWER: u64 = 2;

/// So many multiply-accumulates lie between the two runs, which makes what differs by chance between them small.
const MACS: u64 = 150_000_000;

/// Bounds on the windows between the two runs of an inference.
const MORE: std::ops::RangeInclusive<u64> = 10..=200;

/// Windows between the two runs of the engine, which loads all configurations, so that more differs by chance.
const MORE_OF_ENGINE: u64 = 1000;

/// What one count is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Resampling and inference, without any decision.
    Inference,
    /// A whole window through the engine: `bayes` chooses among all configurations, with a load signal, and learns.
    Window,
    /// The same through a cascade whose large configuration is always asked, pinned.
    Cascade,
}

impl Work {
    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Window => "window",
            Self::Cascade => "cascade",
        }
    }

    /// No run has more windows.
    fn most_windows(self) -> u64 {
        FEWER
            + match self {
                Self::Inference => *MORE.end(),
                Self::Window | Self::Cascade => MORE_OF_ENGINE,
            }
    }

    /// The recording for it; one that is too long would be read for nothing.
    fn recording(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Inference => "inference.csv",
            Self::Window | Self::Cascade => "window.csv",
        })
    }
}

/// One count to make.
pub(super) struct Job<'a> {
    pub(super) core: &'static Core,
    pub(super) work: Work,
    configuration: &'a Configuration,
    workload: &'a Workload,
}

/// One configuration of the shipped ladder, or a cascade of two.
struct Configuration {
    id: String,
    /// The configuration that answers.
    answers: String,
    macs: u64,
    /// A model directory with nothing but this, so that none of the others has to be loaded.
    alone: PathBuf,
}

/// The files that gaitd is run on.
pub(super) struct Workload {
    configurations: Vec<Configuration>,
    cascade: Configuration,
    ladder: PathBuf,
    /// Where the recordings are.
    folder: PathBuf,
    scenario: PathBuf,
    /// The cheapest configuration, which `scenario` makes the only one in time.
    cheapest: usize,
}

impl Workload {
    /// Writes them into `folder`, from the shipped ladder.
    pub(super) fn write(tree: &Tree, folder: &Path) -> Result<Self> {
        let ladder = tree.join("models/uci-har-cnn");
        let read = |name: &str| -> Result<Value> {
            let path = ladder.join(name);
            let text = fs::read(&path).with_context(|| path.display().to_string())?;
            serde_json::from_slice(&text).with_context(|| path.display().to_string())
        };
        let manifest = read("manifest.json")?;
        let listed = manifest["configurations"].as_array().context("manifest.json: no configurations")?;
        let mut configurations = Vec::new();
        for entry in listed {
            let text = |name: &str| entry[name].as_str().with_context(|| format!("manifest.json: no {name}"));
            let (id, file) = (text("id")?.to_owned(), text("file")?);
            let alone = folder.join("ladders").join(&id);
            let mut only = manifest.clone();
            only["configurations"] = json!([entry]);
            only["cascades"] = json!([]);
            put(&alone.join("manifest.json"), &only.to_string())?;
            for name in [file, "golden.json"] {
                fs::copy(ladder.join(name), alone.join(name)).with_context(|| format!("cannot copy {name}"))?;
            }
            let macs = entry["macs"].as_u64().context("manifest.json: no macs")?;
            configurations.push(Configuration { answers: id.clone(), id, macs, alone });
        }
        let cheapest = (0..configurations.len()).min_by_key(|&index| configurations[index].macs);
        let cheapest = cheapest.context("manifest.json: no configurations")?;
        let workload = Self {
            cascade: cascade(&manifest, &configurations[cheapest], &configurations, folder)?,
            cheapest,
            configurations,
            ladder,
            folder: folder.to_path_buf(),
            scenario: folder.join("scenario.json"),
        };
        for work in [Work::Inference, Work::Window] {
            put(&work.recording(folder), &recording(&manifest["task"], work.most_windows())?)?;
        }
        put(&workload.scenario, &workload.scenario().to_string())?;
        Ok(workload)
    }

    /// All counts to make on `core`.
    pub(super) fn jobs<'a>(&'a self, core: &'static Core) -> impl Iterator<Item = Job<'a>> {
        let inferences = self.configurations.iter().map(|configuration| (Work::Inference, configuration));
        let all =
            inferences.chain([(Work::Window, &self.configurations[self.cheapest]), (Work::Cascade, &self.cascade)]);
        all.map(move |(work, configuration)| Job { core, work, configuration, workload: self })
    }

    /// A load under which only the cheapest configuration is ever in time, so that a change of the policy cannot change
    /// which inference is counted.
    fn scenario(&self) -> Value {
        let given = self.configurations.iter().enumerate().map(|(index, configuration)| {
            let latency_ms = if index == self.cheapest { 1 } else { 1000 };
            json!({"id": configuration.id, "latency_ms": latency_ms, "accuracy": 0.9, "macs": configuration.macs})
        });
        json!({
            "schema": 1,
            "name": "one-in-time",
            "about": "Only the cheapest configuration is in time",
            "ladder": {"kind": "given", "labels": 2, "configurations": given.collect::<Vec<_>>()},
            "budgets": [{"ms": 50, "inferences": 1}],
            "miss_target": 0.02,
            "slowdown": {
                "kind": "process",
                "levels": [{"slowdown": 1, "load": 0.3}],
                "dwell": {"kind": "geometric", "mean": 100},
                "noise": 0.05,
            },
            "load": {"kind": "honest", "noise": 0.05},
            "inferences": Work::Window.most_windows(),
            "seeds": [0],
        })
    }
}

impl Job<'_> {
    /// Its configuration's name.
    pub(super) fn configuration(&self) -> &str {
        &self.configuration.id
    }

    /// The name of the one that answers.
    pub(super) fn answers(&self) -> &str {
        &self.configuration.answers
    }

    /// Multiply-accumulates of its inference, or of both.
    pub(super) fn macs(&self) -> u64 {
        self.configuration.macs
    }

    /// Windows of the shorter and of the longer run.
    pub(super) fn windows(&self) -> (u64, u64) {
        let more = match self.work {
            Work::Inference => MACS.div_ceil(self.macs()).clamp(*MORE.start(), *MORE.end()),
            Work::Window | Work::Cascade => MORE_OF_ENGINE,
        };
        (FEWER, FEWER + more)
    }

    /// The model directory that is run.
    pub(super) fn models(&self) -> &Path {
        match self.work {
            Work::Inference | Work::Cascade => &self.configuration.alone,
            Work::Window => &self.workload.ladder,
        }
    }

    /// gaitd's arguments for a run of `windows` windows.
    pub(super) fn arguments(&self, windows: u64) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut arguments = vec!["replay".to_owned(), path(&self.work.recording(&self.workload.folder))];
        arguments.extend(["--models".to_owned(), path(self.models())]);
        arguments.extend(["--limit".to_owned(), windows.to_string()]);
        match self.work {
            // with context it would go through the engine
            Work::Inference => arguments.extend(["--context", "off"].map(str::to_owned)),
            Work::Window => arguments.extend(["--scenario".to_owned(), path(&self.workload.scenario)]),
            Work::Cascade => arguments.extend(["--rung".to_owned(), self.configuration.id.clone()]),
        }
        arguments
    }
}

/// The cascade of `manifest` with the `small` configuration and the largest one, with a threshold that no belief reaches.
fn cascade(manifest: &Value, small: &Configuration, all: &[Configuration], folder: &Path) -> Result<Configuration> {
    let listed = manifest["cascades"].as_array().map_or(&[][..], Vec::as_slice);
    let of_small = listed.iter().filter(|cascade| cascade["small"] == small.id.as_str());
    let with_large =
        of_small.filter_map(|cascade| Some((cascade, all.iter().find(|one| cascade["large"] == one.id.as_str())?)));
    let found = with_large.max_by_key(|(_, large)| large.macs);
    let (cascade, large) = found.context("manifest.json: no cascade with the cheapest configuration")?;
    let (mut cascade, threshold) = (cascade.clone(), 0.9999);
    cascade["threshold"] = threshold.into();
    let id = format!("{}+{}@{threshold}", small.id, large.id);
    let alone = folder.join("ladders").join(&id);
    let mut only = manifest.clone();
    let is_one = |entry: &Value| [small, large].iter().any(|one| entry["id"] == one.id.as_str());
    if let Some(configurations) = only["configurations"].as_array_mut() {
        configurations.retain(is_one);
    }
    only["cascades"] = json!([cascade]);
    put(&alone.join("manifest.json"), &only.to_string())?;
    for one in [small, large] {
        for file in fs::read_dir(&one.alone).with_context(|| one.alone.display().to_string())? {
            let file = file?;
            if file.file_name() != "manifest.json" {
                fs::copy(file.path(), alone.join(file.file_name()))
                    .with_context(|| file.path().display().to_string())?;
            }
        }
    }
    Ok(Configuration { answers: large.id.clone(), macs: small.macs + large.macs, id, alone })
}

/// A recording of `windows` windows of one activity. No value is that of the sample before, which a sensor that works never
/// gives on all axes; else the work does not depend on the values.
fn recording(task: &Value, windows: u64) -> Result<String> {
    let number = |name: &str| task[name].as_u64().with_context(|| format!("manifest.json: no {name}"));
    let channels = task["input"]["channels"].as_array().context("manifest.json: no input channels")?;
    let names: Vec<_> = channels.iter().filter_map(|channel| channel["name"].as_str()).collect();
    let label = task["labels"][0].as_str().context("manifest.json: no labels")?;
    let mut text = format!("# rate_hz={}\n{},label\n", task["sample_rate_hz"], names.join(","));
    let line = |sample: u64| {
        let values = (1..=names.len() as u64).map(|channel| format!("0.{:02},", (sample * (30 + channel)) % 97));
        values.collect::<String>() + label + "\n"
    };
    // a few samples more, since conditioning delays
    let samples = number("window")? + number("hop")? * windows;
    text.extend((0..samples).map(line));
    Ok(text)
}

fn put(path: &Path, text: &str) -> Result<()> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, text)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_holds_all_windows_of_channels_and_one_label() {
        let task = json!({
            "labels": ["still", "not"], "sample_rate_hz": 50, "window": 8, "hop": 4,
            "input": {"channels": [{"name": "x"}, {"name": "y"}]},
        });
        let text = recording(&task, 3).unwrap();
        assert!(text.starts_with("# rate_hz=50\nx,y,label\n0.00,0.00,still\n0.31,0.32,still\n"), "{text}");
        // the last of three windows ends with sample 8 + 2 * 4
        assert!(text.lines().count() - 2 >= 16, "{text}");
        assert!(recording(&json!({"labels": []}), 3).is_err());
    }
}
