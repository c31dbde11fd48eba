//! The daemon's configuration file (JSON), its defaults and its checks. Every tunable is documented here.

pub(crate) mod episodes;
pub(crate) mod paths;
pub(crate) mod reload;
pub(crate) mod source;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::publish::Format;
pub use episodes::EpisodesConfig;
use gaitd_core::engine::ControlConfig;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::json::{Misplaced, parse_json};
use gaitd_core::ladder::{BackendChoice, Task};
use gaitd_core::plausibility::Responses;
use gaitd_sense::wearer::MAX_SECONDS;
use gaitd_sense::{MOST_PARTS, Mount, Pace, Spelling, same_file};
pub use paths::Paths;

/// A daemon configuration. Every field may be left out; the defaults are the embedded default: the shipped ladder on
/// the simulated wearer for a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where an editor finds the schema of this file (see `gaitd schema config`); gaitd does not read it.
    #[serde(rename = "$schema", skip_serializing)]
    pub schema: Option<String>,
    /// Name of the stream, which every line and event bears: 1 to 64 letters, digits, `.`, `_` and `-`; `default` by
    /// default.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub stream: String,
    /// The model directory; the ladder inside the binary where none is given. A relative path starts at the
    /// configuration file.
    pub models: Option<PathBuf>,
    /// What executes the model: `auto` (the default: `supernet` where it knows all networks, and `tract` otherwise),
    /// `supernet` or `tract`.
    pub backend: BackendChoice,
    /// Where the samples come from.
    pub source: SourceSpec,
    /// What is done about a sensor whose samples cannot be what the network was trained on.
    pub plausibility: Responses,
    /// How the configuration of each window is picked.
    pub control: ControlConfig,
    /// How long before a window's last sample its inference begins, where the model's can and samples come singly.
    /// Milliseconds, 0 (when the window is complete) to 1000; 80 by default.
    #[schemars(range(min = *HEADS_MS.start(), max = *HEADS_MS.end()))]
    pub head_ms: f64,
    /// What is told of the times of one activity.
    pub episodes: EpisodesConfig,
    /// The processors that gaitd may use, by number; all where none are given. The engine gets the first for itself,
    /// everything else the last.
    pub cpus: Vec<usize>,
    /// Where the decisions go, each output on its own; one with the format `auto` on standard output where none are
    /// given.
    pub outputs: Vec<Output>,
    /// One output, as gaitd 0.1 had it; read as `outputs` with this one. Always `None` in what [`Config::read`] gives.
    #[serde(skip_serializing)]
    pub output: Option<Output>,
    /// Where profiles, and what was learned of them, are kept; the user's or the service's state directory where none is
    /// given.
    pub state: Option<PathBuf>,
    /// The HTTP interface; none where it is left out.
    pub http: Option<Http>,
    /// The local control socket, which `gaitd ctl` talks to. A relative path starts at the configuration file; where
    /// none is given, `control.sock` in the service's runtime directory, if it has one; else, unless the pace is `fast`, in
    /// the folder `gaitd` of the user's, `$XDG_RUNTIME_DIR`, if there is one.
    pub socket: Option<PathBuf>,
    /// A token for this run alone, which counts where no file holds one.
    #[serde(skip)]
    pub link_token: Option<String>,
    /// The summary for people has phases and percentiles, too.
    #[serde(skip)]
    pub detailed: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schema: None,
            stream: "default".to_owned(),
            models: None,
            backend: BackendChoice::default(),
            source: SourceSpec::default(),
            plausibility: Responses::default(),
            control: ControlConfig::default(),
            head_ms: 80.0,
            episodes: EpisodesConfig::default(),
            cpus: Vec::new(),
            outputs: vec![Output::default()],
            output: None,
            state: None,
            http: None,
            socket: None,
            link_token: None,
            detailed: false,
        }
    }
}

/// The HTTP interface: metrics, status, dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on; 127.0.0.1:4248 by default, which only this machine reaches.
    pub listen: SocketAddr,
    /// A file whose first line a caller must show to change anything; `token` among the service's credentials where
    /// none is given. Without either, no caller may. A relative path starts at the configuration file.
    pub token_file: Option<PathBuf>,
    /// Names by which the daemon may be addressed beside `localhost` and its address: that of a reverse proxy, say.
    pub hosts: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        // on a telephone's keypad, 4248 spells "gait"
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 4248)), token_file: None, hosts: Vec::new() }
    }
}

/// Where the samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub enum SourceSpec {
    /// A made-up wearer, for a first look and for tests; everything it yields is labelled as simulated.
    Wearer {
        /// The same seed gives the same stream.
        #[serde(default)]
        seed: u64,
        /// How long it moves, in seconds of its stream, above 0 and at most 3.2e9; for ever where none is given.
        #[serde(default)]
        #[schemars(range(max = MAX_SECONDS), extend("exclusiveMinimum" = 0))]
        seconds: Option<f64>,
        /// `realtime` (the default) or `fast`.
        #[serde(default)]
        pace: Pace,
    },
    /// A file of samples: CSV with a header, or NDJSON.
    File {
        /// The file, or a list of up to eight, each with some of the sensors, which are put together on one clock. A
        /// relative path starts at the configuration file.
        path: Paths,
        /// `realtime` (the default) or `fast`.
        #[serde(default)]
        pace: Pace,
        /// What to do when the file is missing, fails or, if it is a pipe or a device, ends: `retry` (the default where
        /// the pace is `live`) or `exit`.
        #[serde(default)]
        on_failure: Option<OnFailure>,
        /// Names of the columns in the order in which they stand in the text, `-` for one that is not wanted: for a text
        /// without a header, or in place of the header's names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        columns: Vec<String>,
        /// Units by channel, by sensor or of the time, such as `{"acc": "mg", "t": "ms"}`: they go before the text's own.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        units: BTreeMap<String, String>,
        /// At how many samples per second those without times come, 0.1 to 100,000 hertz; what the text declares, or the
        /// model expects, where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = *RATES.start(), max = *RATES.end()))]
        rate_hz: Option<f64>,
        /// How the sensors are mounted, where their axes are not the model's: row by row (`0,1,0; -1,0,0; 0,0,1`), or the
        /// axes of which x, y and z are to be made (`y,-x,z`). Every sensor of three axes is turned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mount_matrix: Option<Mount>,
        /// The run ends after so many seconds of samples, above 0 and at most 3.2e9; it goes on for as long as there are
        /// samples where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(max = MAX_SECONDS), extend("exclusiveMinimum" = 0))]
        seconds: Option<f64>,
    },
    /// Standard input, in the same forms.
    Stdin {
        /// `live` (the default: samples are taken as they come), `realtime` or `fast`.
        #[serde(default = "live")]
        pace: Pace,
        /// Names of the columns in the order in which they stand in the text, `-` for one that is not wanted: for a text
        /// without a header, or in place of the header's names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        columns: Vec<String>,
        /// Units by channel, by sensor or of the time, such as `{"acc": "mg", "t": "ms"}`: they go before the text's own.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        units: BTreeMap<String, String>,
        /// At how many samples per second those without times come, 0.1 to 100,000 hertz; what the text declares, or the
        /// model expects, where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = *RATES.start(), max = *RATES.end()))]
        rate_hz: Option<f64>,
        /// How the sensors are mounted, where their axes are not the model's: row by row (`0,1,0; -1,0,0; 0,0,1`), or the
        /// axes of which x, y and z are to be made (`y,-x,z`). Every sensor of three axes is turned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mount_matrix: Option<Mount>,
        /// The run ends after so many seconds of samples, above 0 and at most 3.2e9; it goes on for as long as there are
        /// samples where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(max = MAX_SECONDS), extend("exclusiveMinimum" = 0))]
        seconds: Option<f64>,
    },
}

/// What to do about a source that is missing or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Try again, less and less often; the status says so.
    Retry,
    /// End the run.
    Exit,
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
    /// A file of samples, or several, paced by their times.
    #[must_use]
    pub fn file(path: impl Into<Paths>) -> Self {
        let (columns, units) = Default::default();
        Self::File {
            path: path.into(),
            pace: Pace::Realtime,
            on_failure: None,
            columns,
            units,
            rate_hz: None,
            mount_matrix: None,
            seconds: None,
        }
    }

    /// Standard input, taken as it comes.
    #[must_use]
    pub fn stdin() -> Self {
        let (columns, units) = Default::default();
        Self::Stdin { pace: Pace::Live, columns, units, rate_hz: None, mount_matrix: None, seconds: None }
    }

    /// What is known of the text of samples beside itself; nothing where the source is none.
    #[must_use]
    pub fn spelling(&self) -> Option<Spelling> {
        match self {
            Self::File { columns, units, rate_hz, .. } | Self::Stdin { columns, units, rate_hz, .. } => {
                Some(Spelling { columns: columns.clone(), units: units.clone(), rate_hz: *rate_hz })
            }
            Self::Wearer { .. } => None,
        }
    }

    /// Puts names of columns, units and a rate in the place of those that the source has, unless there are none; false where the
    /// source is no text.
    pub fn spell(&mut self, spelling: Spelling) -> bool {
        let (Self::File { columns, units, rate_hz, .. } | Self::Stdin { columns, units, rate_hz, .. }) = self else {
            return false;
        };
        if !spelling.columns.is_empty() {
            *columns = spelling.columns;
        }
        units.extend(spelling.units);
        *rate_hz = spelling.rate_hz.or(*rate_hz);
        true
    }

    /// How the sensors are mounted, where that is said.
    #[must_use]
    pub fn mount(&self) -> Option<Mount> {
        match self {
            Self::File { mount_matrix, .. } | Self::Stdin { mount_matrix, .. } => *mount_matrix,
            Self::Wearer { .. } => None,
        }
    }

    /// Says how the sensors are mounted; false where the source has none.
    pub fn set_mount(&mut self, mount: Mount) -> bool {
        let (Self::File { mount_matrix, .. } | Self::Stdin { mount_matrix, .. }) = self else { return false };
        *mount_matrix = Some(mount);
        true
    }

    /// After how many seconds of samples the run ends, where it is to end.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Self::Wearer { seconds, .. } | Self::File { seconds, .. } | Self::Stdin { seconds, .. } => *seconds,
        }
    }

    /// Says after how many seconds of samples the run ends, if it is to end.
    pub fn set_seconds(&mut self, new: Option<f64>) {
        match self {
            Self::Wearer { seconds, .. } | Self::File { seconds, .. } | Self::Stdin { seconds, .. } => *seconds = new,
        }
    }

    /// How the source is paced.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self {
            Self::Wearer { pace, .. } | Self::File { pace, .. } | Self::Stdin { pace, .. } => *pace,
        }
    }

    /// Whether somebody waits for the decisions: not where samples are read as fast as the engine takes them.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.pace() != Pace::Fast
    }

    /// What to do about a source that is missing or fails.
    #[must_use]
    pub fn on_failure(&self) -> OnFailure {
        match self {
            Self::File { on_failure: Some(on_failure), .. } => *on_failure,
            Self::File { pace: Pace::Live, .. } => OnFailure::Retry,
            Self::File { .. } | Self::Wearer { .. } | Self::Stdin { .. } => OnFailure::Exit,
        }
    }

    /// Paces the source differently.
    pub fn set_pace(&mut self, new: Pace) {
        match self {
            Self::Wearer { pace, .. } | Self::File { pace, .. } | Self::Stdin { pace, .. } => *pace = new,
        }
    }
}

/// Where decisions go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// How they are written: `auto` (the default: readable lines on a terminal, NDJSON elsewhere), `text`, `ndjson`,
    /// or `none` where the HTTP interface is enough.
    pub format: Format,
    /// A file to which they are appended; standard output where none is given. A relative path starts at the
    /// configuration file.
    pub path: Option<PathBuf>,
    /// Whether it has what all windows of the stream say together; otherwise `activity` and `belief` are what each window
    /// says alone, and there are neither episodes nor revised windows.
    pub context: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self { format: Format::default(), path: None, context: true }
    }
}

impl Output {
    /// Its name, for people: the file, or `standard output`.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{}: {}{message}", path.display(), if at == "." { String::new() } else { format!("{at}: ") })]
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

impl ExitCode for ConfigError {
    fn exit_code(&self) -> u8 {
        if matches!(self, Self::Read { .. }) { exit::NO_INPUT } else { exit::CONFIG }
    }
}

impl Config {
    /// Reads the configuration file at `path`. Its ranges are checked by [`Config::check`], after flags have had
    /// their say.
    ///
    /// # Errors
    /// When the file is unreadable, is not JSON, or has unknown keys.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|error| ConfigError::Read { path: path.to_path_buf(), error })?;
        Self::parse(&bytes, path)
    }

    /// Reads a configuration from `bytes`, which are what stands in the file at `path`: relative paths start beside
    /// it, and errors name it.
    ///
    /// # Errors
    /// When they are not JSON, or have unknown keys, or both `output` and `outputs`.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ConfigError> {
        let wrong = |Misplaced { at, message }| ConfigError::Syntax { path: path.to_path_buf(), at, message };
        let mut config: Self = parse_json(bytes).map_err(|misplaced| {
            // who names a recording where a configuration goes is told where recordings go
            let message = "this is no JSON, so no configuration; samples are given with `gaitd run --source FILE`, and looked at \
                           with `gaitd check --stream FILE`";
            let object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\xef".contains(byte));
            wrong(if object { misplaced } else { Misplaced { message: message.to_owned(), ..misplaced } })
        })?;
        if let Some(output) = config.output.take() {
            let keys: Keys = parse_json(bytes).map_err(wrong)?;
            if keys.outputs.is_some() {
                let message =
                    "both `output` and `outputs` are given; put it into the list `outputs`, and leave `output` out";
                return Err(wrong(Misplaced { at: "output".to_owned(), message: message.to_owned() }));
            }
            log::info!("{}: `output` is read as `outputs` with this one; write \"outputs\": [...]", path.display());
            config.outputs = vec![output];
        }
        config.start_paths_at(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    fn start_paths_at(&mut self, directory: &Path) {
        let sources = match &mut self.source {
            SourceSpec::File { path, .. } => Some(path.all_mut()),
            SourceSpec::Wearer { .. } | SourceSpec::Stdin { .. } => None,
        };
        let token = self.http.as_mut().and_then(|http| http.token_file.as_mut());
        let paths = [self.models.as_mut(), self.state.as_mut(), self.socket.as_mut(), token];
        let outputs = self.outputs.iter_mut().map(|output| output.path.as_mut());
        for path in paths.into_iter().chain(outputs).flatten().chain(sources.into_iter().flatten()) {
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
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !(1..=LONGEST_NAME).contains(&self.stream.len()) || !self.stream.bytes().all(named) {
            problems.push(format!(
                "stream is {:?}, and must be 1 to {LONGEST_NAME} letters, digits, `.`, `_` and `-`",
                self.stream
            ));
        }
        problems.extend(self.control.problems().into_iter().map(|problem| format!("control.{problem}")));
        if !HEADS_MS.contains(&self.head_ms) {
            let longest = HEADS_MS.end();
            problems.push(format!("head_ms is {}, and must be from 0 to {longest} milliseconds", self.head_ms));
        }
        problems.extend(self.episodes.problem());
        if let Some(seconds) = self.source.seconds()
            && !(seconds > 0.0 && seconds <= MAX_SECONDS)
        {
            problems.push(format!(
                "source.seconds is {seconds}, and must be above 0 and at most {MAX_SECONDS}; leave it out to run for ever"
            ));
        }
        if let SourceSpec::File { path, .. } = &self.source {
            problems.extend(path_problems(path.all()));
            let outputs = self.written_outputs().filter_map(|output| output.path.as_ref());
            problems.extend(outputs.filter(|output| path.all().iter().any(|source| same_file(source, output))).map(
                |output| format!("outputs: {} is what samples are read from; name another file", output.display()),
            ));
        }
        if let Some(rate_hz) = self.source.spelling().and_then(|it| it.rate_hz).filter(|it| !RATES.contains(it)) {
            let (slowest, fastest) = (RATES.start(), RATES.end());
            problems.push(format!("source.rate_hz is {rate_hz}, and must be from {slowest} to {fastest} hertz"));
        }
        problems.extend(self.output_problems());
        let processors = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
        let known = core_affinity::get_core_ids().unwrap_or_default();
        for cpu in &self.cpus {
            if !known.is_empty() && !known.iter().any(|core| core.id == *cpu) {
                problems.push(format!("cpus: there is no processor {cpu} to use here ({processors} are available)"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::OutOfRange(problems)) }
    }

    /// Without how many of a window's samples its inference begins, for a ladder of `task`: 0 where it waits for all of them.
    #[must_use]
    pub fn missing(&self, task: &Task) -> usize {
        if !self.source.is_timed() {
            return 0;
        }
        let samples = (self.head_ms / 1e3 * task.sample_rate_hz).round() as usize;
        // no window begins while the one before it is still to be complete
        samples.min(task.hop / 2).min(task.window / 2)
    }

    fn output_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.output.is_some() {
            problems.push("output: put it into the list `outputs`".to_owned());
        }
        let outputs: Vec<&Output> = self.written_outputs().collect();
        for (place, output) in outputs.iter().enumerate() {
            if outputs[..place].iter().any(|earlier| earlier.path == output.path) {
                problems.push(format!("outputs: {} is there twice; leave one of them out", output.name()));
            }
        }
        problems
    }

    /// The outputs to which something is written: those whose format is not `none`.
    pub(crate) fn written_outputs(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter().filter(|output| output.format != Format::None)
    }

    /// The local control socket that somebody has asked for: the configuration, or the service manager.
    #[must_use]
    pub fn control_socket(&self) -> Option<PathBuf> {
        let service = || first_directory("RUNTIME_DIRECTORY").map(|directory| directory.join("control.sock"));
        self.socket.clone().or_else(service)
    }

    /// The same, or else that of the user, unless samples are read as fast as possible: such a run is over before somebody
    /// asks.
    #[must_use]
    pub fn control_or_user_socket(&self) -> Option<PathBuf> {
        self.control_socket().or_else(|| user_socket().filter(|_| self.source.is_timed()))
    }

    /// The token that a caller must show to change anything over the network, if there is one.
    ///
    /// # Errors
    /// When the file that should hold it cannot be read, or holds none.
    pub fn token(&self) -> Result<Option<String>, ConfigError> {
        let token = self.http.as_ref().map_or(Ok(None), Http::token)?;
        Ok(token.or_else(|| self.link_token.clone()))
    }

    /// The directory in which profiles are kept: the configured one, systemd's or the user's.
    #[must_use]
    pub fn state_directory(&self) -> PathBuf {
        if let Some(state) = &self.state {
            return state.clone();
        }
        first_directory("STATE_DIRECTORY")
            .or_else(|| environment("XDG_STATE_HOME").map(|home| home.join("gaitd")))
            .or_else(|| environment("HOME").map(|home| home.join(".local/state/gaitd")))
            .unwrap_or_else(|| PathBuf::from("/var/lib/gaitd"))
    }
}

/// Where a daemon that a user runs has its control socket, where the user has a folder for such things.
#[must_use]
pub fn user_socket() -> Option<PathBuf> {
    let folder = environment("XDG_RUNTIME_DIR").filter(|folder| folder.is_absolute() && folder.is_dir())?;
    Some(folder.join("gaitd/control.sock"))
}

/// What keeps several files from being read together.
fn path_problems(paths: &[PathBuf]) -> Vec<String> {
    let mut problems = Vec::new();
    if paths.len() > MOST_PARTS {
        problems.push(format!("source.path has {} files, and at most {MOST_PARTS} are put together", paths.len()));
    }
    for (place, path) in paths.iter().enumerate() {
        if paths[..place].contains(path) {
            problems.push(format!("source.path: {} is there twice; leave one of them out", path.display()));
        }
    }
    problems
}

impl Http {
    fn token(&self) -> Result<Option<String>, ConfigError> {
        let credential = || environment("CREDENTIALS_DIRECTORY").map(|directory| directory.join("token"));
        let path = match &self.token_file {
            Some(path) => path.clone(),
            // a service without such a credential, or with an empty one, has none, and that is all right
            None => match credential().filter(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0)) {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let unusable = |problem: String| {
            let path = path.display();
            ConfigError::OutOfRange(vec![format!(
                "http.token_file: {path} {problem}; make one with `head -c 24 /dev/urandom | base64 > {path}`"
            )])
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(format!("holds no token of {SHORTEST_TOKEN} or more letters, digits and signs")));
        }
        Ok(Some(token.to_owned()))
    }
}

/// Rates that a stream may be stated to have, in hertz.
pub const RATES: RangeInclusive<f64> = 0.1..=100_000.0;

/// How long before a window's last sample its inference can begin, milliseconds.
pub(crate) const HEADS_MS: RangeInclusive<f64> = 0.0..=1000.0;

/// The longest name of a stream, characters.
const LONGEST_NAME: usize = 64;

/// Fewer characters could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Whether a configuration has a list of outputs, which its default would hide.
#[derive(Deserialize)]
struct Keys {
    outputs: Option<serde::de::IgnoredAny>,
}

/// What the environment says of a path.
fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The service's own directory: systemd may name several, separated by colons, and the first is the service's own.
fn first_directory(name: &str) -> Option<PathBuf> {
    environment(name).and_then(|list| std::env::split_paths(&list).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_default_says_what_the_embedded_default_is() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/default.json");
        assert_eq!(Config::read(&path).unwrap(), Config::default());
    }

    fn parsed(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text.as_bytes(), Path::new("/etc/gaitd/config.json"))
    }

    #[test]
    fn one_output_of_before_is_a_list_of_one() {
        let before = parsed(r#"{"output": {"format": "ndjson", "path": "decisions"}}"#).unwrap();
        let now = parsed(r#"{"outputs": [{"format": "ndjson", "path": "decisions"}]}"#).unwrap();
        assert_eq!(before, now);
        assert_eq!(now.outputs[0].path.as_deref(), Some(Path::new("/etc/gaitd/decisions")));
        let written = serde_json::to_string(&before).unwrap();
        assert_eq!(parsed(&written).unwrap(), before);
        assert_eq!(parsed("{}").unwrap().outputs, [Output::default()]);
        assert_eq!(parsed(r#"{"outputs": []}"#).unwrap().outputs, []);
    }

    #[test]
    fn outputs_that_cannot_be_are_refused_with_what_to_do() {
        let both = parsed(r#"{"output": {}, "outputs": []}"#).unwrap_err().to_string();
        assert!(both.contains("output: both") && both.contains("put it into the list"), "{both}");
        for (outputs, problem) in [
            (r#"[{}, {"format": "text"}]"#, Some("standard output is there twice")),
            (r#"[{"path": "a"}, {"format": "text", "path": "a"}]"#, Some("/etc/gaitd/a is there twice")),
            (r#"[{}, {"format": "none"}, {"path": "a"}, {"path": "b"}]"#, None),
        ] {
            let checked = parsed(&format!(r#"{{"outputs": {outputs}}}"#)).unwrap().check();
            match problem {
                Some(problem) => assert!(checked.unwrap_err().to_string().contains(problem)),
                None => checked.unwrap(),
            }
        }
    }
}
