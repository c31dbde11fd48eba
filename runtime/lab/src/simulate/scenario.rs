//! `configs/scenarios/*.json`: what a simulation runs on. Every field is documented here.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use gaitd_core::control::Objective;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::json::{Misplaced, parse_json};

use super::ranges::{MILLISECONDS, SCATTER};

/// The schema that this version reads.
pub const SCHEMA: u32 = 1;

/// One scenario: a ladder, budgets, slowdowns and load signals over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = SCHEMA))]
    pub schema: u32,
    /// Its name in tables; letters, digits, `-` and `_`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// What it stands for, in a sentence.
    pub about: String,
    /// The configurations.
    pub ladder: LadderSpec,
    /// The budgets, one after the other and then from the start again; at least one.
    #[schemars(length(min = 1))]
    pub budgets: Vec<BudgetSpan>,
    /// The allowed miss rate, a share from 0 to 1.
    #[serde(default = "default_miss_target")]
    #[schemars(range(min = 0, max = 1))]
    pub miss_target: f64,
    /// How much slower than profiled the inferences are.
    pub slowdown: SlowdownSpec,
    /// The load signal; no signal if left out. A trace brings its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadSpec>,
    /// What is wanted most; the highest accuracy if left out.
    #[serde(default, skip_serializing_if = "is_accuracy")]
    pub objective: Objective,
    /// Pairs of configurations that may answer together; none if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascades: Vec<CascadeSpec>,
    /// Inferences begin before their windows are complete; not if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadSpec>,
    /// How long a window has waited when its configuration is picked; not at all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Delay>,
    /// How long it takes to publish a decision; no time if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Delay>,
    /// Inferences per seed, 1 to 10,000,000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub inferences: usize,
    /// Every seed gives other draws; the same seed gives the same ones.
    #[schemars(length(min = 1))]
    pub seeds: Vec<u64>,
}

fn default_miss_target() -> f64 {
    0.02
}

fn is_accuracy(objective: &Objective) -> bool {
    *objective == Objective::default()
}

/// A cascade, and how its configurations err together: measured on people held out, of whom the small one is right about as
/// many windows as its accuracy says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CascadeSpec {
    /// Name of the configuration that every window gets.
    pub small: String,
    /// Name of the one that is asked where the belief is unsure.
    pub large: String,
    /// Share of the windows about which the small one is right for which the large one is asked, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub asked_if_right: f64,
    /// The same of the windows about which the small one is wrong.
    #[schemars(range(min = 0, max = 1))]
    pub asked_if_wrong: f64,
    /// Share of the windows that the small one had right and the large one, asked, has wrong, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub spoilt: f64,
    /// Share of the windows that the small one had wrong and the large one, asked, has right, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub saved: f64,
}

/// Inferences that begin before their windows are complete. What they do before is slowed as all of them is: it is free only
/// where the processor is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadSpec {
    /// How long before a window's last sample its configuration is picked and its inference begins, milliseconds, 0.001 to 60,000.
    #[schemars(range(min = *MILLISECONDS.start(), max = *MILLISECONDS.end()))]
    pub lead_ms: f64,
    /// Share of an inference that needs none of the samples that are still to come then, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
}

/// Where a scenario's configurations come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LadderSpec {
    /// They stand in the scenario.
    Given {
        /// Activities that the network recognises; a missed window counts as a guess among them. 2 or more.
        #[schemars(range(min = 2))]
        labels: usize,
        /// The configurations, at least one.
        #[schemars(length(min = 1))]
        configurations: Vec<GivenConfiguration>,
    },
    /// Accuracies and multiply-accumulates from a model's manifest, latencies from its profile on this device (kept by
    /// `gaitd profile`).
    Model {
        /// The model directory; the ladder inside the binary if left out. A relative path starts at the scenario file.
        #[serde(default)]
        models: Option<PathBuf>,
        /// The profiled latencies times this, 0.001 to 1,000,000: a slower device.
        #[serde(default = "one")]
        #[schemars(range(min = 0.001, max = 1e6))]
        scale: f64,
    },
}

fn one() -> f64 {
    1.0
}

/// One configuration of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenConfiguration {
    /// Its name.
    pub id: String,
    /// Profiled latency on an idle device, milliseconds, 0.001 to 60,000.
    #[schemars(range(min = *MILLISECONDS.start(), max = *MILLISECONDS.end()))]
    pub latency_ms: f64,
    /// Accuracy, a share from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub accuracy: f64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
}

/// A budget and how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpan {
    /// The budget, milliseconds, 0.001 to 60,000.
    #[schemars(range(min = *MILLISECONDS.start(), max = *MILLISECONDS.end()))]
    pub ms: f64,
    /// It holds for so many inferences, 1 or more.
    #[schemars(range(min = 1))]
    pub inferences: usize,
}

/// How much slower than profiled the inferences are: observed latency / profiled latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SlowdownSpec {
    /// A semi-Markov process: a level for a while, then another; noise and a heavy tail on top.
    Process(Process),
    /// What was recorded, over and over, each seed from another place in it.
    Trace(Trace),
}

/// A semi-Markov process of slowdowns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The levels, at least one.
    #[schemars(length(min = 1))]
    pub levels: Vec<Level>,
    /// Which level follows which.
    #[serde(default)]
    pub order: Order,
    /// How long a level holds.
    pub dwell: Dwell,
    /// A change of level takes so many inferences, evenly on a logarithmic scale; 0 changes at once, 1,000,000 at most.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub ramp: usize,
    /// Standard deviation of the logarithm of each inference's latency, 0 to 2: 0.05 is about 5 %.
    #[serde(default)]
    #[schemars(range(min = *SCATTER.start(), max = *SCATTER.end()))]
    pub noise: f64,
    /// Inferences that take far longer; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
    /// Standard deviation of the logarithm of true / profiled latency over the configurations, 0 to 2: how wrong
    /// the profile is. Each seed draws its own errors.
    #[serde(default)]
    #[schemars(range(min = *SCATTER.start(), max = *SCATTER.end()))]
    pub profile_error: f64,
}

/// A level of slowdown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Observed latency / profiled latency, 0.001 to 1000.
    #[schemars(range(min = 0.001, max = 1000))]
    pub slowdown: f64,
    /// The load that an honest signal shows at this level, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub load: f64,
    /// How long this level holds, if not as long as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<Dwell>,
}

/// Which level follows which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Any of the others, each as likely.
    #[default]
    Random,
    /// The next one in the list, and after the last the first.
    Cycle,
}

/// How many inferences a level holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Dwell {
    /// Each inference may be the level's last, whatever was before.
    Geometric {
        /// Mean length, 1 to 1,000,000.
        #[schemars(range(min = 1, max = 1e6))]
        mean: f64,
    },
    /// From `shortest` to `longest`, each length as likely.
    Uniform {
        /// Least length, 1 or more.
        #[schemars(range(min = 1, max = 1_000_000))]
        shortest: usize,
        /// Greatest length, `shortest` to 1,000,000.
        #[schemars(range(min = 1, max = 1_000_000))]
        longest: usize,
    },
}

/// A heavy tail: some inferences or delays take a Pareto-distributed factor longer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    /// Share of such ones, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// Least factor, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub scale: f64,
    /// Exponent of the Pareto distribution, 0.1 to 100: the smaller, the heavier.
    #[schemars(range(min = 0.1, max = 100))]
    pub shape: f64,
}

/// What a window costs beside its inference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Median of those outside of the tail, milliseconds, 0.001 to 60,000.
    #[schemars(range(min = *MILLISECONDS.start(), max = *MILLISECONDS.end()))]
    pub median_ms: f64,
    /// Standard deviation of the logarithm of each, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = *SCATTER.start(), max = *SCATTER.end()))]
    pub noise: f64,
    /// Those that take far longer; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// A load signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// What it shows.
    #[serde(default)]
    pub kind: LoadKind,
    /// Standard deviation of its error, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = *SCATTER.start(), max = *SCATTER.end()))]
    pub noise: f64,
    /// It shows what was so many inferences ago.
    #[serde(default)]
    pub lag: usize,
    /// Share of readings that are missing, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub missing: f64,
}

/// What a load signal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadKind {
    /// The level's load.
    #[default]
    Honest,
    /// The loads of a process of the same kind that has nothing to do with the slowdowns.
    Unrelated,
    /// The level's load for the first half, an unrelated one from then on.
    TurnsUnrelated,
    /// Always the first level's load.
    Stuck,
}

impl LoadKind {
    /// The name under which it stands in scenarios and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Unrelated => "unrelated",
            Self::TurnsUnrelated => "turns-unrelated",
            Self::Stuck => "stuck",
        }
    }
}

/// Recorded slowdowns and signals, one entry per inference in each list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Where and how it was recorded.
    pub what: String,
    /// Names of the states that the recorder put the machine into.
    pub states: Vec<String>,
    /// Index of the state at each inference.
    pub state: Vec<usize>,
    /// Observed latency / profiled latency, above 0.
    #[schemars(length(min = 1), inner(range(min = 0)))]
    pub slowdown: Vec<f64>,
    /// Busy share of the processors at each inference, as in `Load::cpu`, 0 to 1; empty if not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu: Vec<Option<f64>>,
    /// Pressure at each inference, as in `Load::pressure`, 0 to 1; empty if not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pressure: Vec<Option<f64>>,
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{}: {at}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The place within it, as a path of keys.
        at: String,
        /// What was expected or found.
        message: String,
    },
    /// Everything that is out of range.
    #[error("{}: {}", path.display(), problems.join(&format!("\n{}: ", path.display())))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One sentence per problem.
        problems: Vec<String>,
    },
}

impl ExitCode for ScenarioError {
    fn exit_code(&self) -> u8 {
        if matches!(self, Self::Read { .. }) { exit::NO_INPUT } else { exit::DATA }
    }
}

impl Scenario {
    /// Reads and checks the scenario at `path`.
    ///
    /// # Errors
    /// When the file is unreadable, is not JSON of this schema, has unknown keys, or values out of range; all of
    /// these are named at once.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let bytes = std::fs::read(path).map_err(|error| ScenarioError::Read { path: path.to_path_buf(), error })?;
        Self::parse(&bytes, path)
    }

    /// Reads and checks a scenario from `bytes`, which are what stands in the file at `path`: a relative path starts
    /// beside it, and errors name it.
    ///
    /// # Errors
    /// When they are not JSON of this schema, have unknown keys, or values out of range; all of these are named at
    /// once.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ScenarioError> {
        let mut scenario: Self = parse_json(bytes).map_err(|Misplaced { at, message }| ScenarioError::Syntax {
            path: path.to_path_buf(),
            at,
            message,
        })?;
        if let LadderSpec::Model { models: Some(models), .. } = &mut scenario.ladder {
            *models = path.parent().unwrap_or(Path::new("")).join(&*models);
        }
        let problems = scenario.problems();
        if problems.is_empty() {
            Ok(scenario)
        } else {
            Err(ScenarioError::Invalid { path: path.to_path_buf(), problems })
        }
    }

    /// What the load signal is: the name of its kind, or `recorded` in a trace; `None` where there is none.
    #[must_use]
    pub fn load_signal(&self) -> Option<&'static str> {
        match &self.slowdown {
            SlowdownSpec::Process(_) => self.load.map(|load| load.kind.name()),
            SlowdownSpec::Trace(trace) => {
                let given = |signal: &[Option<f64>]| signal.iter().any(Option::is_some);
                (given(&trace.cpu) || given(&trace.pressure)).then_some("recorded")
            }
        }
    }
}
