//! `manifest.json`: what a model directory says of itself, checked as a whole before anything is loaded.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::{Conditioner, OpSpec};
use crate::json::{Misplaced, parse_json};
use crate::plausibility::{Plausibility, Sensor, SensorStatistics};
use crate::stream::continuity::DEFAULT_BRIDGE_S;
use crate::stream::{Channel, Continuity, StreamFormat};
use crate::window::{Cutter, Intake, Windower};

/// The newest schema that this version reads. Schema 2 may hold [`InputSpec::statistics`].
const SCHEMA: u32 = 2;

/// The longest window, samples: ten minutes at 100 Hz. What is longer is a mistake, and may not even fit into memory.
const LONGEST_WINDOW: usize = 60_000;

/// Sample rates in hertz. No sensor of motion is slower or faster; what is bridged and waited for stays within bounds.
const RATES: RangeInclusive<f64> = 0.1..=10_000.0;

/// Temperatures of a configuration's probabilities. Fitted ones lie near 1; what is far from it is no calibration, but
/// makes every answer look certain, or none.
const TEMPERATURES: RangeInclusive<f64> = 0.05..=20.0;

/// The manifest of a model directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1 or 2.
    #[schemars(range(min = 1, max = SCHEMA))]
    pub schema: u32,
    /// Name of the model.
    pub name: String,
    /// What the network recognises, and in which signals.
    pub task: Task,
    /// How it was trained; free-form facts, carried along for people.
    pub training: serde_json::Map<String, serde_json::Value>,
    /// The ladder's configurations, from the fewest multiply-accumulates to the most.
    #[schemars(length(min = 1))]
    pub configurations: Vec<Configuration>,
}

/// What a network recognises, and in which signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The activities, in the order of the network's outputs.
    #[schemars(length(min = 2), extend("uniqueItems" = true))]
    pub labels: Vec<String>,
    /// The conditioned channels, in the order of the network's input.
    #[schemars(length(min = 1))]
    pub channels: Vec<Channel>,
    /// Sample rate of stream and windows, hertz; 0.1 to 10,000.
    #[schemars(range(min = *RATES.start(), max = *RATES.end()))]
    pub sample_rate_hz: f64,
    /// Length of a window, samples; 1 to 60,000.
    #[schemars(range(min = 1, max = LONGEST_WINDOW))]
    pub window: usize,
    /// From one window to the next, samples; 1 to the window's length.
    #[schemars(range(min = 1, max = LONGEST_WINDOW))]
    pub hop: usize,
    /// The raw stream and how it is conditioned.
    pub input: InputSpec,
}

impl Task {
    /// What distinguishes `other` from this task, by name; nothing where a stream can go on from one to the other.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self { labels, channels, sample_rate_hz, window, hop, input } = self;
        let parts = [
            ("labels", *labels == other.labels),
            ("channels", *channels == other.channels),
            ("sample_rate_hz", *sample_rate_hz == other.sample_rate_hz),
            ("window", *window == other.window),
            ("hop", *hop == other.hop),
            ("input", input.channels == other.input.channels && input.conditioning == other.input.conditioning),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// The raw stream and how it becomes the network's channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The raw channels.
    #[schemars(length(min = 1))]
    pub channels: Vec<Channel>,
    /// The steps from them to [`Task::channels`].
    pub conditioning: Vec<OpSpec>,
    /// What the training samples of each sensor with three axes were like, against which a stream is held; from schema 2 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<SensorStatistics>,
}

/// One width-resolution configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Written as width and resolution: `1.00x-128`.
    pub id: String,
    /// Share of each layer's channels in use, 0 < width <= 1.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub width: f64,
    /// Time steps to which a window is resampled.
    #[schemars(range(min = 1, max = LONGEST_WINDOW))]
    pub resolution: usize,
    /// File name of the network, in the same directory.
    #[schemars(regex(pattern = r"^[^/\\]*\.onnx$"))]
    pub file: String,
    /// SHA-256 of that file, lower-case hexadecimal.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Multiply-accumulates of one inference.
    #[schemars(range(min = 1))]
    pub macs: u64,
    /// Weights in use.
    pub parameters: u64,
    /// Shares of windows recognised.
    pub accuracy: Accuracy,
    /// Recall of each activity on the validation subjects, in the order of the labels.
    #[schemars(length(min = 2), inner(range(min = 0, max = 1)))]
    pub recall: Vec<f64>,
    /// The same on the test subjects; for the report only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_test: Option<Vec<f64>>,
    /// What the logits are divided by before they become probabilities, 0.05 to 20; 1 where the manifest names none.
    /// Fitted on held-out training subjects, so that the probabilities are as high as the answers are often right
    /// (temperature scaling: Guo et al., ICML 2017). It changes no answer.
    #[serde(default = "uncalibrated")]
    #[schemars(range(min = *TEMPERATURES.start(), max = *TEMPERATURES.end()))]
    pub temperature: f64,
    /// How well the temperature calibrates; for the report only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// The temperature that changes nothing.
fn uncalibrated() -> f64 {
    1.0
}

/// Accuracy of one configuration, as shares from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// On held-out training subjects. This ranks and selects.
    #[schemars(range(min = 0, max = 1))]
    pub validation: f64,
    /// On the test subjects. Reported, and never used to select.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub test: Option<f64>,
}

/// How far one configuration's probabilities are from the shares of answers that are right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// On held-out training subjects.
    pub validation: CalibrationError,
    /// On the test subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<CalibrationError>,
}

/// Expected calibration errors, as shares from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationError {
    /// At a temperature of 1.
    #[schemars(range(min = 0, max = 1))]
    pub before: f64,
    /// At the configuration's temperature.
    #[schemars(range(min = 0, max = 1))]
    pub after: f64,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is not a manifest.
    #[error("{}: {at}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The place within it, as a path of keys.
        at: String,
        /// What was expected or found.
        message: String,
    },
    /// Everything that is wrong with a well-formed manifest.
    #[error("{0}: {1}", path.display(), problems.join(&format!("\n{}: ", path.display())))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One sentence per problem.
        problems: Vec<String>,
    },
}

impl Manifest {
    /// Reads and checks a manifest; `path` names it in errors.
    ///
    /// # Errors
    /// When the text is not JSON of this schema, has unknown or missing keys, or contradicts itself; all
    /// contradictions are named at once.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ManifestError> {
        let manifest: Self = parse_json(bytes).map_err(|Misplaced { at, message }| ManifestError::Syntax {
            path: path.to_path_buf(),
            at,
            message,
        })?;
        let problems = manifest.problems();
        if problems.is_empty() {
            Ok(manifest)
        } else {
            Err(ManifestError::Invalid { path: path.to_path_buf(), problems })
        }
    }

    /// The raw stream that this model reads.
    #[must_use]
    pub fn stream_format(&self) -> StreamFormat {
        StreamFormat { channels: self.task.input.channels.clone(), rate_hz: self.task.sample_rate_hz }
    }

    /// What conditions this model's raw stream and cuts its windows.
    ///
    /// # Errors
    /// When the conditioning or the window is impossible, which [`Manifest::parse`] has ruled out.
    pub fn cutter(&self) -> Result<Cutter, ManifestError> {
        let task = &self.task;
        let impossible =
            |problem: String| ManifestError::Invalid { path: PathBuf::from(&self.name), problems: vec![problem] };
        let conditioner = Conditioner::new(&task.input.channels, &task.input.conditioning, &task.channels)
            .map_err(|error| impossible(error.to_string()))?;
        let windower =
            Windower::new(task.channels.len(), task.window, task.hop).map_err(|error| impossible(error.to_string()))?;
        Ok(Cutter::new(conditioner, windower, task.input.channels.len(), task.channels.len()))
    }

    /// The whole way from this model's raw stream to its windows, missing samples bridged as by default.
    ///
    /// # Errors
    /// See [`Manifest::cutter`].
    pub fn intake(&self) -> Result<Intake, ManifestError> {
        let continuity = Continuity::new(&self.stream_format(), DEFAULT_BRIDGE_S).map_err(|error| {
            ManifestError::Invalid { path: PathBuf::from(&self.name), problems: vec![error.to_string()] }
        })?;
        Ok(Intake::new(continuity, self.cutter()?, self.plausibility()))
    }

    /// What watches this model's raw stream.
    #[must_use]
    pub fn plausibility(&self) -> Plausibility {
        Plausibility::new(&self.stream_format(), &self.task.input.statistics)
    }

    /// The sensors of the raw stream that can be watched.
    #[must_use]
    pub fn sensors(&self) -> Arc<[Sensor]> {
        Sensor::of(&self.task.input.channels, &self.task.input.statistics).into()
    }

    /// Accuracy of an answer that knows nothing: a guess among the labels.
    #[must_use]
    pub fn guess_accuracy(&self) -> f64 {
        1.0 / self.task.labels.len() as f64
    }

    fn problems(&self) -> Vec<String> {
        if !(1..=SCHEMA).contains(&self.schema) {
            return vec![format!(
                "schema is {}, and this gaitd reads schemas 1 to {SCHEMA}; use the gaitd that fits it",
                self.schema
            )];
        }
        let mut problems = self.task.problems();
        if self.schema < 2 && !self.task.input.statistics.is_empty() {
            problems.push("task.input.statistics belong to schema 2, and schema is 1".to_owned());
        }
        if self.configurations.is_empty() {
            problems.push("configurations is empty; a ladder needs at least one".to_owned());
        }
        duplicates(self.configurations.iter().map(|c| &c.id), "configurations: id", &mut problems);
        duplicates(self.configurations.iter().map(|c| &c.file), "configurations: file", &mut problems);
        for configuration in &self.configurations {
            configuration.problems(&self.task, &mut problems);
        }
        problems
    }
}

impl Task {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.labels.len() < 2 {
            problems.push("task.labels: at least two activities are needed".to_owned());
        }
        duplicates(self.labels.iter(), "task.labels:", &mut problems);
        for (channels, place) in [(&self.channels, "task.channels"), (&self.input.channels, "task.input.channels")] {
            if channels.is_empty() {
                problems.push(format!("{place} is empty"));
            }
            duplicates(channels.iter().map(|c| &c.name), &format!("{place}: name"), &mut problems);
        }
        if !RATES.contains(&self.sample_rate_hz) {
            let (rate, slowest, fastest) = (self.sample_rate_hz, RATES.start(), RATES.end());
            problems.push(format!("task.sample_rate_hz is {rate}, and must be from {slowest} to {fastest} hertz"));
        }
        if !(1..=LONGEST_WINDOW).contains(&self.window) {
            problems.push(format!("task.window is {}, and must be from 1 to {LONGEST_WINDOW} samples", self.window));
        }
        if self.hop == 0 || self.hop > self.window {
            problems
                .push(format!("task.hop is {}, and must be from 1 to the window's {} samples", self.hop, self.window));
        }
        self.input.statistics.iter().for_each(|it| it.problems(&self.input.channels, &mut problems));
        if let Err(error) = Conditioner::new(&self.input.channels, &self.input.conditioning, &self.channels) {
            problems.push(format!("task.input.conditioning: {error}"));
        }
        problems
    }
}

impl Configuration {
    fn problems(&self, task: &Task, problems: &mut Vec<String>) {
        let id = &self.id;
        let mut problem = |text: String| problems.push(format!("configuration {id}: {text}"));
        if !(self.width > 0.0 && self.width <= 1.0) {
            problem(format!("width is {}, and must be above 0 and at most 1", self.width));
        }
        if self.resolution == 0 || self.resolution > task.window {
            problem(format!("resolution is {}, and must be from 1 to the window's {}", self.resolution, task.window));
        }
        let expected = format!("{:.2}x-{}", self.width, self.resolution);
        if *id != expected {
            problem(format!("its id should be {expected}, after its width and resolution"));
        }
        // a name with a separator could reach outside the model directory
        if self.file.is_empty() || self.file.contains(['/', '\\']) || !self.file.ends_with(".onnx") {
            problem(format!(
                "file is {:?}, and must be the plain name of an .onnx file beside the manifest",
                self.file
            ));
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            problem("sha256 must be 64 lower-case hexadecimal digits".to_owned());
        }
        if self.macs == 0 {
            problem("macs is 0".to_owned());
        }
        let is_share = |x: f64| (0.0..=1.0).contains(&x);
        if !is_share(self.accuracy.validation) || !self.accuracy.test.is_none_or(is_share) {
            problem("accuracy must be shares from 0 to 1".to_owned());
        }
        for (recall, name) in [(Some(&self.recall), "recall"), (self.recall_test.as_ref(), "recall_test")] {
            if let Some(recall) = recall
                && (recall.len() != task.labels.len() || !recall.iter().copied().all(is_share))
            {
                problem(format!("{name} must hold one share from 0 to 1 for each of the {} labels", task.labels.len()));
            }
        }
        if !TEMPERATURES.contains(&self.temperature) {
            let (temperature, lowest, highest) = (self.temperature, TEMPERATURES.start(), TEMPERATURES.end());
            problem(format!("temperature is {temperature}, and must be from {lowest} to {highest}; 1 changes nothing"));
        }
        let mut errors = self.calibration.iter().flat_map(|c| std::iter::once(&c.validation).chain(&c.test));
        if !errors.all(|error| is_share(error.before) && is_share(error.after)) {
            problem("calibration must hold shares from 0 to 1".to_owned());
        }
    }
}

fn duplicates<'a>(names: impl Iterator<Item = &'a String>, place: &str, problems: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            problems.push(format!("{place} {name:?} stands twice"));
        }
    }
}
