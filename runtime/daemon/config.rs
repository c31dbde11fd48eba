//! The daemon's configuration file (JSON), its defaults and its checks. Every tunable is documented here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::control::{Objective, PolicySpec};
use crate::engine::{LONGEST_BUDGET, Settings};
use crate::ladder::{Misplaced, parse_json};
use crate::publish::Format;
use crate::sense::Pace;
use crate::sense::wearer::MAX_SECONDS;

/// A daemon configuration. Every field may be left out; the defaults are the embedded default: the shipped ladder on
/// the simulated wearer for a minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The model directory; the ladder inside the binary where none is given. A relative path starts at the
    /// configuration file.
    pub models: Option<PathBuf>,
    /// Where the samples come from.
    pub source: SourceSpec,
    /// How the configuration of each window is picked.
    pub control: Control,
    /// The processors that gaitd may use, by number; all where none are given. The engine gets the first for itself,
    /// everything else the last.
    pub cpus: Vec<usize>,
    /// Where the decisions go.
    pub output: Output,
    /// Where profiles, and what was learned of them, are kept; the user's or the service's state directory where none is
    /// given.
    pub state: Option<PathBuf>,
}

/// Where the samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceSpec {
    /// A made-up wearer, for a first look and for tests; everything it yields is labelled as simulated.
    Wearer {
        /// The same seed gives the same stream.
        #[serde(default)]
        seed: u64,
        /// How long it moves, in seconds of its stream, above 0 and at most 3.2e9; for ever where none is given.
        #[serde(default)]
        seconds: Option<f64>,
        /// `realtime` (the default) or `fast`.
        #[serde(default)]
        pace: Pace,
    },
    /// A file of samples: CSV with a header, or NDJSON.
    File {
        /// The file. A relative path starts at the configuration file.
        path: PathBuf,
        /// `realtime` (the default) or `fast`.
        #[serde(default)]
        pace: Pace,
    },
    /// Standard input, in the same forms.
    Stdin {
        /// `live` (the default: samples are taken as they come), `realtime` or `fast`.
        #[serde(default = "live")]
        pace: Pace,
    },
}

fn live() -> Pace {
    Pace::Live
}

impl Default for SourceSpec {
    fn default() -> Self {
        Self::Wearer { seed: 4, seconds: Some(60.0), pace: Pace::Realtime }
    }
}

impl SourceSpec {
    /// How the source is paced.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self {
            Self::Wearer { pace, .. } | Self::File { pace, .. } | Self::Stdin { pace } => *pace,
        }
    }

    /// Paces the source differently.
    pub fn set_pace(&mut self, new: Pace) {
        match self {
            Self::Wearer { pace, .. } | Self::File { pace, .. } | Self::Stdin { pace } => *pace = new,
        }
    }
}

/// How the configuration of each window is picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// From the arrival of a window's last sample to its published decision. Milliseconds, above 0 and at most
    /// 60,000; 50 by default.
    pub budget_ms: f64,
    /// The allowed share of decisions later than that: from 0 to 1; 0.02 by default.
    pub miss_target: f64,
    /// The policy and its tunables; `bayes` by default.
    pub policy: PolicySpec,
    /// What is wanted most; `accuracy` by default.
    pub objective: Objective,
    /// The average share of one processor that inferences may take, percent, above 0 and at most 100; no cap where
    /// none is given.
    pub cpu_budget_percent: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity rather than that for all; true by
    /// default.
    pub activity_aware: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            budget_ms: 50.0,
            miss_target: 0.02,
            policy: PolicySpec::default(),
            objective: Objective::default(),
            cpu_budget_percent: None,
            activity_aware: true,
        }
    }
}

impl Control {
    /// The budget.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_secs_f64(self.budget_ms / 1e3)
    }

    /// The settings with which the daemon starts; [`Config::check`] comes first.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            objective: self.objective,
            cpu_share: self.cpu_budget_percent.map(|percent| percent / 100.0),
            activity_aware: self.activity_aware,
            ..Settings::new(self.budget(), self.miss_target, self.policy.clone())
        }
    }

    fn problems(&self) -> Vec<String> {
        let longest = LONGEST_BUDGET.as_millis();
        if !(self.budget_ms > 0.0 && self.budget_ms <= longest as f64) {
            // there is no such duration, and so there are no settings
            let found = self.budget_ms;
            return vec![format!("budget_ms is {found}, and must be above 0 and at most {longest} milliseconds")];
        }
        self.settings().problems()
    }
}

/// Where the decisions go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// How they are written: `auto` (the default: readable lines on a terminal, NDJSON elsewhere), `text`, `ndjson`.
    pub format: Format,
    /// A file to which they are appended; standard output where none is given. A relative path starts at the
    /// configuration file.
    pub path: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a configuration.
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
    #[error("{}", .0.join("\n"))]
    OutOfRange(Vec<String>),
}

impl Config {
    /// Reads the configuration file at `path`. Its ranges are checked by [`Config::check`], after flags have had
    /// their say.
    ///
    /// # Errors
    /// When the file is unreadable, is not JSON, or has unknown keys.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        Self::parse(&bytes, path)
    }

    /// Reads a configuration from `bytes`, which are what stands in the file at `path`: relative paths start beside
    /// it, and errors name it.
    ///
    /// # Errors
    /// When they are not JSON, or have unknown keys.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = parse_json(bytes).map_err(|Misplaced { at, message }| ConfigError::Syntax {
            path: path.to_path_buf(),
            at,
            message,
        })?;
        config.start_paths_at(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    fn start_paths_at(&mut self, directory: &Path) {
        let source = match &mut self.source {
            SourceSpec::File { path, .. } => Some(path),
            SourceSpec::Wearer { .. } | SourceSpec::Stdin { .. } => None,
        };
        let paths = [self.models.as_mut(), self.output.path.as_mut(), self.state.as_mut(), source];
        for path in paths.into_iter().flatten() {
            // joining keeps an absolute path as it is
            *path = directory.join(&*path);
        }
    }

    /// Checks all ranges.
    ///
    /// # Errors
    /// Everything that is out of range, at once.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        problems.extend(self.control.problems().into_iter().map(|problem| format!("control.{problem}")));
        if let SourceSpec::Wearer { seconds: Some(seconds), .. } = self.source
            && !(seconds > 0.0 && seconds <= MAX_SECONDS)
        {
            problems.push(format!(
                "source.seconds is {seconds}, and must be above 0 and at most {MAX_SECONDS}; leave it out to run for ever"
            ));
        }
        let processors = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
        let known = core_affinity::get_core_ids().unwrap_or_default();
        for cpu in &self.cpus {
            if !known.is_empty() && !known.iter().any(|core| core.id == *cpu) {
                problems.push(format!("cpus: there is no processor {cpu} to use here ({processors} are available)"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::OutOfRange(problems)) }
    }

    /// The directory in which profiles are kept: the configured one, systemd's or the user's.
    #[must_use]
    pub fn state_directory(&self) -> PathBuf {
        if let Some(state) = &self.state {
            return state.clone();
        }
        let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // systemd may name several directories, separated by colons; the first is the service's own
        let service = from("STATE_DIRECTORY").and_then(|list| std::env::split_paths(&list).next());
        service
            .or_else(|| from("XDG_STATE_HOME").map(|home| home.join("gaitd")))
            .or_else(|| from("HOME").map(|home| home.join(".local/state/gaitd")))
            .unwrap_or_else(|| PathBuf::from("/var/lib/gaitd"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_default_says_what_the_embedded_default_is() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/default.json");
        assert_eq!(Config::read(&path).unwrap(), Config::default());
    }
}
