//! `gaitd run`: the daemon.

use std::io::{IsTerminal, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::PolicySpec;
use gaitd_daemon::publish::Format;
use gaitd_daemon::{
    Activated, Config, ConfigError, Hangup, Http, Output, Paths, Plan, Requests, SourceSpec, Stop, run,
};
use gaitd_sense::{Mount, Pace};

use super::control::ControlArguments;
use super::loading::BackendFlag;
use super::log::LogFormat;
use super::spelling::SpellingArguments;

/// Recognise activities in a stream, each window within its budget
#[derive(clap::Args, Default)]
#[command(after_help = "Flags override the configuration file.\n\nSIGINT and SIGTERM end the run. SIGHUP \
    reloads the configuration and opens the outputs anew; where the run belongs to a terminal, it ends the run.\n\nExamples:\n  \
    gaitd run                                  the shipped ladder on a simulated wearer, for a minute\n  \
    gaitd run --source walk.csv --pace fast    a recording, as fast as possible\n  \
    gaitd run --source acc.csv --source gyro.csv --mount-matrix y,-x,z\n  \
    imu-reader | gaitd run --source - --budget-ms 20 --cpus 3")]
pub(super) struct Arguments {
    /// Configuration file (JSON) [default: the embedded default]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Model directory [default: the ladder inside gaitd]
    #[arg(short, long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// What executes it [default: auto]
    #[arg(long, value_enum, value_name = "BACKEND")]
    backend: Option<BackendFlag>,
    /// Where samples come from: `wearer` (simulated), `-` (standard input) or a file of CSV or NDJSON; several files, each
    /// with some of the sensors, are put together on one clock
    #[arg(short, long, value_name = "SOURCE")]
    source: Vec<String>,
    #[command(flatten)]
    spelling: SpellingArguments,
    /// How the sensors are mounted: what is to become x, y and z, such as y,-x,z, or a matrix row by row, such as
    /// "0,1,0; -1,0,0; 0,0,1"
    #[arg(long, value_name = "MATRIX", allow_hyphen_values = true)]
    mount_matrix: Option<Mount>,
    /// How the source is paced [default: realtime; live for standard input]
    #[arg(long, value_enum)]
    pace: Option<PaceFlag>,
    /// End after so many seconds of samples; 0 for never [default: 60 of the simulated wearer's, never of others]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Seed of the simulated wearer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    control: ControlArguments,
    /// Begin each inference so long before its window's last sample, milliseconds; 0 for not before the window is complete
    /// [default: 80]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    head_ms: Option<f64>,
    /// Always use this configuration of the ladder, such as 1.00x-128 (implies --policy fixed)
    #[arg(long, value_name = "ID", alias = "configuration", conflicts_with = "policy")]
    rung: Option<String>,
    /// Processors to use, such as 2,3; the engine gets the first for itself [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    cpus: Option<Vec<usize>>,
    /// How decisions are written [default: text on a terminal, NDJSON elsewhere]
    #[arg(short, long, value_enum)]
    format: Option<FormatFlag>,
    /// Write decisions as JSON, one object per line: --format ndjson
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Append the decisions to this file instead of standard output (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Serve metrics, status and the dashboard on this address, or port of the loopback [default: 127.0.0.1:4248]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, value_parser = address)]
    http: Option<Option<SocketAddr>>,
    /// Local socket for `gaitd ctl` [default: control.sock in the service's runtime directory, or in gaitd below
    /// $XDG_RUNTIME_DIR; none at the pace fast]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where profiles and what was learned are kept [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How log records are written to standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum PaceFlag {
    /// By the timestamps, else by the sample rate
    Realtime,
    /// As the samples come
    Live,
    /// As fast as possible
    Fast,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatFlag {
    /// Readable on a terminal, NDJSON elsewhere
    Auto,
    /// Readable lines
    Text,
    /// One JSON object per line
    Ndjson,
    /// Not at all: the HTTP interface is enough
    None,
}

impl Arguments {
    /// The configuration file, or the defaults, overridden by the flags.
    fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        let Self { models, cpus, output, state, socket, .. } = self;
        config.socket = socket.clone().or(config.socket);
        if let Some(listen) = self.http {
            let http = config.http.get_or_insert_with(Http::default);
            http.listen = listen.unwrap_or(http.listen);
        }
        config.models = models.clone().or(config.models);
        config.backend = self.backend.map_or(config.backend, Into::into);
        config.state = state.clone().or(config.state);
        if output.is_some() || self.format.is_some() || self.json {
            config.outputs = vec![self.only_output(&config)];
        }
        if let Some(cpus) = cpus {
            config.cpus.clone_from(cpus);
        }
        self.control.apply(&mut config.control)?;
        config.head_ms = self.head_ms.unwrap_or(config.head_ms);
        if let Some(id) = &self.rung {
            config.control.policy = PolicySpec::Fixed { configuration: Some(id.clone()) };
        }
        self.set_source(&mut config.source)?;
        config.check()?;
        Ok(config)
    }

    /// The one output that flags ask for: the first that `config` has, but for what they say.
    fn only_output(&self, config: &Config) -> Output {
        let mut only = config.outputs.first().cloned().unwrap_or_default();
        if let Some(path) = self.output.as_deref() {
            // as for the source, and as elsewhere
            only.path = (path != Path::new("-")).then(|| path.to_path_buf());
        }
        if let Some(format) = self.format.or(self.json.then_some(FormatFlag::Ndjson)) {
            only.format = match format {
                FormatFlag::Auto => Format::Auto,
                FormatFlag::Text => Format::Text,
                FormatFlag::Ndjson => Format::Ndjson,
                FormatFlag::None => Format::None,
            };
        }
        only
    }

    fn set_source(&self, source: &mut SourceSpec) -> Result<(), ConfigError> {
        match self.source.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => {}
            ["wearer"] => *source = SourceSpec::default(),
            ["-" | "stdin"] => *source = SourceSpec::stdin(),
            files => *source = several(files)?,
        }
        if self.spelling.is_given() && !source.spell(self.spelling.spelling()?) {
            return Err(ConfigError::OutOfRange(vec![
                "--columns, --units and --rate are for samples as text; the source is the simulated wearer".to_owned(),
            ]));
        }
        if self.mount_matrix.is_some_and(|mount| !source.set_mount(mount)) {
            return Err(ConfigError::OutOfRange(vec![
                "--mount-matrix is for files and standard input; the source is the simulated wearer".to_owned(),
            ]));
        }
        if let Some(pace) = self.pace {
            source.set_pace(match pace {
                PaceFlag::Realtime => Pace::Realtime,
                PaceFlag::Live => Pace::Live,
                PaceFlag::Fast => Pace::Fast,
            });
        }
        if let Some(given) = self.seconds {
            source.set_seconds((given != 0.0).then_some(given));
        }
        if let Some(given) = self.seed {
            let SourceSpec::Wearer { seed, .. } = source else {
                return Err(ConfigError::OutOfRange(vec![
                    "--seed is for the simulated wearer; the source is another".to_owned(),
                ]));
            };
            *seed = given;
        }
        Ok(())
    }
}

/// The files, each of which is to have some of the sensors.
fn several(files: &[&str]) -> Result<SourceSpec, ConfigError> {
    if files.contains(&"wearer") {
        let problem = "--source wearer: the simulated wearer has all sensors, and is not put together with files";
        return Err(ConfigError::OutOfRange(vec![problem.to_owned()]));
    }
    // beside others it is a file like them
    let path = |file: &&str| PathBuf::from(if matches!(*file, "-" | "stdin") { "/dev/stdin" } else { file });
    Ok(Paths::new(files.iter().map(path).collect()).map_or_else(SourceSpec::default, SourceSpec::file))
}

/// A token that whoever sees this terminal gets in a link, where the dashboard is for this machine alone and has no token of
/// its own.
fn link_token(config: &Config) -> Option<String> {
    let local = config.http.as_ref().is_some_and(|http| http.listen.ip().is_loopback());
    let served = cfg!(feature = "http") && std::io::stderr().is_terminal();
    if local && served && config.token().is_ok_and(|token| token.is_none()) { random_token().ok() } else { None }
}

/// 128 random bits in hexadecimal digits.
fn random_token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An address with its port, or one of the two, as people write them.
fn address(text: &str) -> Result<SocketAddr, String> {
    let usual = Http::default().listen;
    let named = match text.strip_prefix("localhost") {
        Some(rest) => format!("{}{rest}", usual.ip()),
        None => text.to_owned(),
    };
    let ip = || named.parse().ok().map(|ip| SocketAddr::new(ip, usual.port()));
    let port = || named.trim_start_matches(':').parse().ok().map(|port| SocketAddr::new(usual.ip(), port));
    named.parse().ok().or_else(ip).or_else(port).ok_or_else(|| {
        format!("expected an address and a port such as {usual} or 0.0.0.0:80, or a port; a configuration goes before --http")
    })
}

/// Runs the daemon; its summary for people is `detailed` where they ask for it.
pub(super) fn execute(arguments: Arguments, detailed: bool) -> anyhow::Result<()> {
    // before any other thread starts, for it changes the environment
    let activated = Activated::take();
    let mut config = arguments.config()?;
    config.link_token = link_token(&config);
    config.detailed = detailed;
    if matches!(config.source, SourceSpec::Stdin { .. }) && std::io::stdin().is_terminal() {
        super::log::tell("reading samples from this terminal; Ctrl-D ends");
    }
    let stop = Stop::default();
    // a hang-up of a terminal ends the run; elsewhere it is the usual request to reload
    let terminal = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let hangup = if terminal { Hangup::Stop } else { Hangup::Reload };
    let requests = Requests::watch(&stop, hangup).context("cannot watch for signals")?;
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let link_token = config.link_token.clone();
    let token = link_token.clone();
    let reconfigure = Box::new(move || Ok(Config { link_token: token.clone(), detailed, ..arguments.config()? }));
    let plan = Plan::new(config, super::loading::library(), Some(reconfigure), activated, clock, stop)?;
    let plan = plan.on_listening(move |address| {
        if let Some(token) = link_token.as_ref().filter(|_| address.ip().is_loopback()) {
            super::log::tell(&format!("dashboard, until this run ends: http://{address}/#token={token}"));
        }
    });
    let ending = run(plan, &requests)?;
    if let Some(error) = ending.source {
        return Err(error.into());
    }
    match ending.output {
        Some(error) => Err(error).context("decisions were lost because the output could not be written"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_lack_what_is_usual() {
        for (text, expected) in [
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("5010", "127.0.0.1:5010"),
            (":5010", "127.0.0.1:5010"),
            ("localhost:5010", "127.0.0.1:5010"),
            ("192.168.1.7", "192.168.1.7:4248"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(address(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for wrong in ["config.json", "99999", "localhost:x", ""] {
            assert!(address(wrong).unwrap_err().contains("127.0.0.1:4248"), "{wrong}");
        }
    }
}
