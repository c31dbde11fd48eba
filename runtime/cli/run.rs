//! `gaitd run`: the daemon.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use gaitd::control::PolicySpec;
use gaitd::daemon::{Config, Memory, Plan, SourceSpec, Stop, SystemProbe, cpu_name, run};
use gaitd::engine::{Engine, PublishReserve};
use gaitd::ladder::ProfileKey;
use gaitd::publish::{Context, Format};
use gaitd::sense::{Clock, MonotonicClock, Pace};

use super::control::ControlArguments;
use super::log::LogFormat;

/// Recognise activities in a stream, each window within its budget
#[derive(clap::Args, Default)]
#[command(after_help = "Flags have the last word over the configuration file.\n\nExamples:\n  \
    gaitd run                                  the shipped ladder on a simulated wearer, for a minute\n  \
    gaitd run --source walk.csv --pace fast    a recording, as fast as possible\n  \
    imu-reader | gaitd run --source - --budget-ms 20 --cpus 3")]
pub(super) struct Arguments {
    /// Configuration file (JSON) [default: the embedded default]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Model directory [default: the ladder inside gaitd]
    #[arg(short, long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Where samples come from: `wearer` (simulated), `-` (standard input) or a file of CSV or NDJSON
    #[arg(short, long, value_name = "SOURCE")]
    source: Option<String>,
    /// How the source is paced [default: realtime; live for standard input]
    #[arg(long, value_enum)]
    pace: Option<PaceFlag>,
    /// How long the simulated wearer moves, in seconds of its stream; 0 for ever [default: 60]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Seed of the simulated wearer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    control: ControlArguments,
    /// Always use this configuration, such as 1.00x-128 (implies --policy fixed)
    #[arg(long, value_name = "ID", conflicts_with = "policy")]
    configuration: Option<String>,
    /// Processors to use, such as 2,3; the engine gets the first for itself [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    cpus: Option<Vec<usize>>,
    /// How decisions are written [default: text on a terminal, NDJSON elsewhere]
    #[arg(short, long, value_enum)]
    format: Option<FormatFlag>,
    /// Append the decisions to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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
}

impl Arguments {
    /// The configuration file, where there is one, with the flags' say.
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        let Self { models, cpus, output, state, .. } = self;
        config.models = models.clone().or(config.models);
        config.state = state.clone().or(config.state);
        config.output.path = output.clone().or(config.output.path);
        if let Some(cpus) = cpus {
            config.cpus.clone_from(cpus);
        }
        self.control.apply(&mut config.control)?;
        if let Some(id) = &self.configuration {
            config.control.policy = PolicySpec::Fixed { configuration: Some(id.clone()) };
        }
        if let Some(format) = self.format {
            config.output.format = match format {
                FormatFlag::Auto => Format::Auto,
                FormatFlag::Text => Format::Text,
                FormatFlag::Ndjson => Format::Ndjson,
            };
        }
        self.set_source(&mut config.source)?;
        config.check()?;
        Ok(config)
    }

    fn set_source(&self, source: &mut SourceSpec) -> anyhow::Result<()> {
        match self.source.as_deref() {
            None => {}
            Some("wearer") => *source = SourceSpec::default(),
            Some("-" | "stdin") => *source = SourceSpec::Stdin { pace: Pace::Live },
            Some(path) => *source = SourceSpec::File { path: path.into(), pace: Pace::Realtime },
        }
        if let Some(pace) = self.pace {
            source.set_pace(match pace {
                PaceFlag::Realtime => Pace::Realtime,
                PaceFlag::Live => Pace::Live,
                PaceFlag::Fast => Pace::Fast,
            });
        }
        if self.seconds.is_some() || self.seed.is_some() {
            let SourceSpec::Wearer { seconds, seed, .. } = source else {
                anyhow::bail!(gaitd::daemon::ConfigError::OutOfRange(vec![
                    "--seconds and --seed are for the simulated wearer; the source is another".to_owned()
                ]));
            };
            *seed = self.seed.unwrap_or(*seed);
            if let Some(given) = self.seconds {
                *seconds = (given != 0.0).then_some(given);
            }
        }
        Ok(())
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.config()?;
    let stop = Stop::default();
    stop.on_signals().context("cannot watch for signals")?;
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());

    let mut ladder = super::model::load(&super::model::store(config.models.as_deref()))?;
    let manifest = ladder.manifest().clone();
    // opened before the ladder is measured, so that a wrong path is told at once
    let opened = config.source.open(&manifest.stream_format(), &clock)?;
    let (output, terminal) = open_output(&config)?;
    let profile = super::model::profile(&mut ladder, &config.state_directory(), &clock)?;
    let lossless = config.source.pace() == Pace::Fast;
    let memory = Memory::new(&ProfileKey::new(&ladder, &cpu_name()), &config.state_directory());
    let control = &config.control;
    let reserve = PublishReserve::default();
    let engine = Engine::new(ladder, &profile, control.settings(), reserve.clone())?;
    let context = Context::new(
        &manifest,
        opened.name,
        opened.truth.is_some(),
        control.policy.name().to_owned(),
        control.budget(),
    );
    let plan = Plan {
        source: opened.source,
        lossless,
        truth: opened.truth,
        intake: manifest.intake()?,
        engine,
        // inferences straight after each other teach nothing about a sensor's
        memory: (!lossless).then_some(memory),
        reserve,
        probe: Box::new(SystemProbe::new(&config.cpus)),
        context,
        text: match config.output.format {
            Format::Auto => terminal,
            Format::Text => true,
            Format::Ndjson => false,
        },
        output,
        cpus: config.cpus,
        clock,
    };
    let ending = run(plan, &stop)?;
    if let Some(error) = ending.source {
        return Err(error.into());
    }
    match ending.output {
        Some(error) => Err(error).context("decisions were lost because the output could not be written"),
        None => Ok(()),
    }
}

/// The output, unbuffered, and whether it is a terminal.
fn open_output(config: &Config) -> anyhow::Result<(Box<dyn Write + Send>, bool)> {
    let Some(path) = &config.output.path else {
        // standard output is line-buffered, and whole lines are written
        return Ok((Box::new(std::io::stdout()), std::io::stdout().is_terminal()));
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    Ok((Box::new(file.with_context(|| format!("cannot write to {}", path.display()))?), false))
}
