//! One configuration of a ladder, as the manifest lists it.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::manifest::{LONGEST_WINDOW, Task};
use crate::stream::Channel;

/// Temperatures of a configuration's probabilities. Fitted ones lie near 1; what is far from it is no calibration, but
/// makes every answer look certain, or none.
const TEMPERATURES: RangeInclusive<f64> = 0.05..=20.0;

/// The longest name of a configuration, characters.
const LONGEST_ID: usize = 64;

/// One network of a ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Its name: width and resolution where it has both (`1.00x-128`); from schema 3 on any letters, digits, `.`, `_` and
    /// `-`.
    #[schemars(length(min = 1, max = LONGEST_ID))]
    pub id: String,
    /// Share of each layer's channels in use, 0 < width <= 1, where that is what makes the configuration; before schema 3
    /// it always is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub width: Option<f64>,
    /// Time steps to which a window is resampled; none where the network reads the window as it is, from schema 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = LONGEST_WINDOW))]
    pub resolution: Option<usize>,
    /// File name of the network, in the same directory.
    #[schemars(regex(pattern = r"^[^/\\]*\.onnx$"))]
    pub file: String,
    /// SHA-256 of that file, lower-case hexadecimal.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The files beside it that hold weights of the network (ONNX's external data); from schema 3 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<WeightFile>,
    /// What goes into the network: where none is given, all channels, `1,C,T`, into the only input; from schema 3 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<NetworkInput>,
    /// What comes out of it; where it is not given, logits, out of the only output; from schema 3 on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output: NetworkOutput,
    /// Multiply-accumulates of one inference. From schema 3 on gaitd counts them where the manifest does not (or says 0).
    #[serde(default)]
    pub macs: u64,
    /// Weights in use; see `macs`.
    #[serde(default)]
    pub parameters: u64,
    /// Shares of windows recognised.
    #[serde(default)]
    pub accuracy: Accuracy,
    /// Recall of each activity on the validation subjects, in the order of the labels; where it is not known, which it
    /// can be from schema 3 on, no configuration of the ladder has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2), inner(range(min = 0, max = 1)))]
    pub recall: Option<Vec<f64>>,
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

/// Whether a value is what it is where nothing is said.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A file that holds weights of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightFile {
    /// Its name, in the same directory, as the network names it.
    #[schemars(regex(pattern = r"^[^/\\]+$"))]
    pub file: String,
    /// SHA-256 of it, lower-case hexadecimal.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// One input of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkInput {
    /// Its name in the network; the only input needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Those of `task.channels` that it reads, in its order; all of them in theirs where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Its axes: `1,C,T` where it is not given.
    pub layout: Layout,
}

impl NetworkInput {
    /// The places of its channels among those of the task; those that the task does not have are left out.
    #[must_use]
    pub fn places(&self, channels: &[Channel]) -> Vec<usize> {
        if self.channels.is_empty() {
            return (0..channels.len()).collect();
        }
        self.channels.iter().filter_map(|name| channels.iter().position(|channel| channel.name == *name)).collect()
    }
}

/// The output of a network that holds its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOutput {
    /// Its name in the network; the only output needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it holds for each label.
    pub holds: Answers,
}

/// What a network answers with, a number for each label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// Any numbers; their softmax are probabilities.
    #[default]
    Logits,
    /// Probabilities; their logarithms are taken for logits, the softmax of which they are.
    Probabilities,
    /// Logarithms of probabilities, which serve as logits.
    LogProbabilities,
}

/// What stands for the logarithm of a probability below this, which may be 0.
const SMALLEST_PROBABILITY: f32 = 1e-12;

impl Answers {
    /// Makes logits of what the network answered.
    pub fn to_logits(self, answers: &mut [f32]) {
        if self == Self::Probabilities {
            // what is no number stays none
            answers
                .iter_mut()
                .for_each(|it| *it = if *it < SMALLEST_PROBABILITY { SMALLEST_PROBABILITY } else { *it }.ln());
        }
    }
}

/// The temperature that changes nothing.
fn uncalibrated() -> f64 {
    1.0
}

/// Accuracy of one configuration, as shares from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// On held-out training subjects. This ranks and selects. Where it is not known, which it can be from schema 3 on, no
    /// configuration of the ladder has it, and a later one counts as better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub validation: Option<f64>,
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

impl Configuration {
    /// Time steps that the network reads of a window of so many.
    #[must_use]
    pub fn time_steps(&self, window: usize) -> usize {
        self.resolution.unwrap_or(window)
    }

    /// The digests of all its files, and what else decides what is executed.
    pub(super) fn identity(&self) -> String {
        let mut identity = self.sha256.clone();
        self.weights.iter().for_each(|it| identity.push_str(&it.sha256));
        if !self.inputs.is_empty() || !is_default(&self.output) {
            identity.push_str(&format!("{:?}{:?}", self.inputs, self.output));
        }
        identity
    }

    pub(super) fn problems(&self, schema: u32, task: &Task, problems: &mut Vec<String>) {
        let id = &self.id;
        let mut problem = |text: String| problems.push(format!("configuration {id}: {text}"));
        self.name_problems(schema, task, &mut problem);
        if schema < 3 {
            let extras = [
                ("weights", !self.weights.is_empty()),
                ("inputs", !self.inputs.is_empty()),
                ("output", !is_default(&self.output)),
            ];
            extras.iter().filter(|(_, used)| *used).for_each(|(name, _)| {
                problem(format!("{name} belongs to schema 3, and schema is {schema}"));
            });
            let lacks = [
                ("macs", self.macs == 0),
                ("accuracy.validation", self.accuracy.validation.is_none()),
                ("recall", self.recall.is_none()),
            ];
            lacks.iter().filter(|(_, lacking)| *lacking).for_each(|(name, _)| {
                problem(format!("{name} is missing or 0, which schema {schema} does not allow"));
            });
        }
        self.file_problems(&mut problem);
        self.network_problems(task, &mut problem);
        self.figure_problems(task, &mut problem);
    }

    fn name_problems(&self, schema: u32, task: &Task, problem: &mut impl FnMut(String)) {
        let Self { id, width, resolution, .. } = self;
        if let Some(width) = width
            && !(*width > 0.0 && *width <= 1.0)
        {
            problem(format!("width is {width}, and must be above 0 and at most 1"));
        }
        if let Some(resolution) = resolution
            && !(1..=task.window).contains(resolution)
        {
            problem(format!("resolution is {resolution}, and must be from 1 to the window's {}", task.window));
        }
        match (width, resolution) {
            (Some(width), Some(resolution)) => {
                let expected = format!("{width:.2}x-{resolution}");
                if *id != expected {
                    problem(format!("its id should be {expected}, after its width and resolution"));
                }
            }
            _ if schema < 3 => problem(format!("width and resolution are needed in schema {schema}")),
            _ => {
                let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
                if !plain || !(1..=LONGEST_ID).contains(&id.len()) {
                    problem(format!("its id must be 1 to {LONGEST_ID} letters, digits, `.`, `_` and `-`"));
                }
            }
        }
    }

    fn file_problems(&self, problem: &mut impl FnMut(String)) {
        // a name with a separator could reach outside the model directory
        let plain = |name: &str| !name.is_empty() && !name.contains(['/', '\\']) && !matches!(name, "." | "..");
        if !plain(&self.file) || !self.file.ends_with(".onnx") {
            problem(format!(
                "file is {:?}, and must be the plain name of an .onnx file beside the manifest",
                self.file
            ));
        }
        for weights in &self.weights {
            if !plain(&weights.file) {
                problem(format!("weights: {:?} must be the plain name of a file beside the manifest", weights.file));
            }
        }
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest(&self.sha256) || !self.weights.iter().all(|weights| is_digest(&weights.sha256)) {
            problem("sha256 must be 64 lower-case hexadecimal digits".to_owned());
        }
    }

    fn network_problems(&self, task: &Task, problem: &mut impl FnMut(String)) {
        if self.inputs.len() > 1 && self.inputs.iter().any(|input| input.name.is_none()) {
            problem("inputs: each of several needs its name".to_owned());
        }
        let mut names = HashSet::new();
        for input in &self.inputs {
            if !input.name.iter().all(|name| names.insert(name)) {
                problem(format!("inputs: {:?} stands twice", input.name.as_deref().unwrap_or_default()));
            }
            for name in &input.channels {
                if !task.channels.iter().any(|channel| channel.name == *name) {
                    problem(format!("inputs: there is no channel {name:?} among task.channels"));
                }
            }
        }
    }

    fn figure_problems(&self, task: &Task, problem: &mut impl FnMut(String)) {
        let is_share = |x: f64| (0.0..=1.0).contains(&x);
        if !self.accuracy.validation.iter().chain(&self.accuracy.test).copied().all(is_share) {
            problem("accuracy must be shares from 0 to 1".to_owned());
        }
        for (recall, name) in [(&self.recall, "recall"), (&self.recall_test, "recall_test")] {
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
