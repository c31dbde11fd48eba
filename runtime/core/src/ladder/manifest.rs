//! `manifest.json`: what a model directory says of itself, checked as a whole before anything is loaded.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cascade::{Cascade, MOST_CASCADES};
use super::configuration::Configuration;
use crate::condition::{Conditioner, OpSpec};
use crate::decode::{ChangeDetector, Context};
use crate::json::{Misplaced, parse_json};
use crate::plausibility::{Plausibility, Sensor, SensorStatistics};
use crate::stream::continuity::DEFAULT_BRIDGE_S;
use crate::stream::{Channel, Continuity, StreamFormat};
use crate::window::{Cutter, Intake, Normalisation, Windower};

/// The longest window, samples: ten minutes at 100 Hz. What is longer is a mistake, and may not even fit into memory.
pub(super) const LONGEST_WINDOW: usize = 60_000;

/// Sample rates in hertz. No sensor of motion is slower or faster; what is bridged and waited for stays within bounds.
const RATES: RangeInclusive<f64> = 0.1..=10_000.0;

/// The manifest of a model directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1 to 3.
    #[schemars(range(min = 1, max = Manifest::SCHEMA))]
    pub schema: u32,
    /// Name of the model.
    pub name: String,
    /// What the network recognises, and in which signals.
    pub task: Task,
    /// How it was trained; free-form facts, carried along for people.
    pub training: serde_json::Map<String, serde_json::Value>,
    /// The ladder's configurations, from the cheapest (in multiply-accumulates or in time) to the dearest, or from the least accurate to the
    /// most where their accuracies are not known.
    #[schemars(length(min = 1))]
    pub configurations: Vec<Configuration>,
    /// How windows of a stream are weighed together; mildly where it is not given. From schema 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Pairs of configurations that answer together, measured with context; from schema 3 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_CASCADES))]
    pub cascades: Vec<Cascade>,
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
    /// What each window goes through before the network reads it, if anything; from schema 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
}

impl Task {
    /// What distinguishes `other` from this task, by name.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self { labels, channels, sample_rate_hz, window, hop, input, normalisation } = self;
        let parts = [
            ("labels", *labels == other.labels),
            ("channels", *channels == other.channels),
            ("sample_rate_hz", *sample_rate_hz == other.sample_rate_hz),
            ("window", *window == other.window),
            ("hop", *hop == other.hop),
            ("normalisation", *normalisation == other.normalisation),
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
    /// The newest schema that this version reads. Schema 2 may hold [`InputSpec::statistics`]; schema 3 describes any
    /// network, of which less may be known.
    pub const SCHEMA: u32 = 3;

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
        let cutter = Cutter::new(conditioner, windower, task.input.channels.len(), task.channels.len());
        let change = self.context.and_then(|context| context.change);
        Ok(match change.and_then(|change| ChangeDetector::new(&change, &self.stream_format())) {
            Some(detector) => cutter.watching(detector),
            None => cutter,
        })
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

    /// What distinguishes `other`, by name; nothing where a stream can go on from one to the other.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let change = |manifest: &Self| manifest.context.and_then(|context| context.change);
        let mut differences = self.task.differences(&other.task);
        // the stream is watched by what looks for it, from its beginning
        differences.extend((change(self) != change(other)).then_some("context.change"));
        differences
    }

    /// How windows of a stream are weighed together.
    #[must_use]
    pub fn context(&self) -> Context {
        let hop = Duration::from_secs_f64(self.task.hop as f64 / self.task.sample_rate_hz);
        self.context.unwrap_or_else(|| Context::mild(hop))
    }

    /// Whether the accuracy of each configuration is known.
    #[must_use]
    pub fn knows_accuracy(&self) -> bool {
        self.configurations.iter().all(|configuration| configuration.accuracy.validation.is_some())
    }

    /// Whether the recall of each activity is known for each configuration.
    #[must_use]
    pub fn knows_recall(&self) -> bool {
        self.configurations.iter().all(|configuration| configuration.recall.is_some())
    }

    /// Accuracy of an answer that knows nothing: a guess among the labels.
    #[must_use]
    pub fn guess_accuracy(&self) -> f64 {
        1.0 / self.task.labels.len() as f64
    }

    /// All contradictions in it, a sentence each; nothing where it can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if !(1..=Self::SCHEMA).contains(&self.schema) {
            return vec![format!(
                "schema is {}, and this gaitd reads schemas 1 to {}; use the gaitd that fits it",
                self.schema,
                Self::SCHEMA
            )];
        }
        let mut problems = self.task.problems();
        if self.schema < 2 && !self.task.input.statistics.is_empty() {
            problems.push("task.input.statistics belong to schema 2, and schema is 1".to_owned());
        }
        if self.schema < 3 {
            let newer = self.task.input.conditioning.iter().find(|operation| operation.schema() > self.schema);
            let newer = newer.map(|operation| format!("the operation {}", operation.name()));
            let normalisation = self.task.normalisation.as_ref().map(|_| "task.normalisation".to_owned());
            let context = self.context.map(|_| "context".to_owned());
            let cascades = self.cascades.first().map(|_| "cascades".to_owned());
            for part in newer.into_iter().chain(normalisation).chain(context).chain(cascades) {
                problems.push(format!("{part} belongs to schema 3, and schema is {}", self.schema));
            }
        }
        problems.extend(self.context.and_then(|context| context.check().err()).map(|error| error.to_string()));
        let change = self.context.and_then(|context| context.change);
        problems.extend(change.and_then(|change| change.lacks(&self.task.input.channels)));
        if self.configurations.is_empty() {
            problems.push("configurations is empty; a ladder needs at least one".to_owned());
        }
        duplicates(self.configurations.iter().map(|c| &c.id), "configurations: id", &mut problems);
        duplicates(self.configurations.iter().map(|c| &c.file), "configurations: file", &mut problems);
        for configuration in &self.configurations {
            configuration.problems(self.schema, &self.task, &mut problems);
        }
        self.problems_of_cascades(&mut problems);
        type Known = fn(&Configuration) -> bool;
        let figures: [(&str, Known); 2] =
            [("accuracy.validation", |it| it.accuracy.validation.is_some()), ("recall", |it| it.recall.is_some())];
        for (name, known) in figures {
            let with = self.configurations.iter().filter(|it| known(it)).count();
            if with > 0 && with < self.configurations.len() {
                problems.push(format!("{name} is given for some configurations only; give it for all or for none"));
            }
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
        for problem in self.normalisation.iter().flat_map(Normalisation::problems) {
            problems.push(format!("task.normalisation: {problem}"));
        }
        self.input.statistics.iter().for_each(|it| it.problems(&self.input.channels, &mut problems));
        if let Err(error) = Conditioner::new(&self.input.channels, &self.input.conditioning, &self.channels) {
            problems.push(format!("task.input.conditioning: {error}"));
        }
        problems
    }
}

pub(super) fn duplicates<'a>(names: impl Iterator<Item = &'a String>, place: &str, problems: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            problems.push(format!("{place} {name:?} stands twice"));
        }
    }
}
