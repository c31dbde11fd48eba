//! `gaitd rehearse`: the paper's two experiments on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use gaitd_core::control::PolicySpec;
use gaitd_core::engine::ControlConfig;
use gaitd_core::ladder::{Ladder, Profile, ProfileKey};
use gaitd_daemon::{Config, ConfigError, Hangup, Requests, Stop, cpu_name};
use gaitd_lab::figure;
use gaitd_lab::rehearse::{
    CourseReport, Experiment, LoadKind, Outcome, PolicyReport, Problem, Rehearsal, RehearsalError, Rehearsed, Repeats,
    Report, Settings, SettingsError, Share, compact_json,
};

use super::control::PolicyFlag;
use super::loading::ModelArguments;
use super::log::tell;
use super::table::{percent, table};

/// Rehearse the policies on this machine: with ever smaller budgets, and beside a load that changes
#[derive(clap::Args)]
#[command(
    after_help = "All policies take turns in one run, each on its own latencies, so that all meet the same load. \
    static: one budget after the other. varying: one budget, and a co-runner that takes a share of the engine's own \
    processor. alert-fitted is ALERT with the constants that suit each experiment best as it is expected to go, found by \
    a simulation before it begins.\n\nA development machine is much faster than a wearable: --slowdown repeats each inference, and every \
    table and figure says how often.\n\nWritten to the output folder: report.json, one figure per experiment (SVG and \
    PNG), and trace.json, the varying experiment as a scenario that can be simulated.\n\nExamples:\n  \
    gaitd rehearse --slowdown auto                         about three minutes\n  \
    gaitd rehearse --experiment varying --load-kind bursts --slowdown auto --output-dir bursts"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// What to rehearse
    #[arg(short, long, value_enum, default_value = "both")]
    experiment: ExperimentFlag,
    /// Repeat each inference so often; `auto`: until the most accurate configuration takes about 59 ms, as in the paper
    #[arg(long, value_name = "N|auto", default_value = "1", value_parser = repeats, allow_negative_numbers = true)]
    slowdown: Repeats,
    /// Budgets of the static experiment, milliseconds
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "70,45,20,10",
        allow_negative_numbers = true
    )]
    budgets_ms: Vec<f64>,
    /// Budget of the varying experiment, milliseconds
    #[arg(short, long, value_name = "MS", default_value_t = 70.0, allow_negative_numbers = true)]
    budget_ms: f64,
    /// The stepping policy keeps the average latency between the budget and the budget less this, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20.0, allow_negative_numbers = true)]
    band_ms: f64,
    /// Length of each phase, seconds
    #[arg(long, value_name = "S", default_value_t = 20.0, allow_negative_numbers = true)]
    seconds_per_phase: f64,
    /// Shares of the processor that the co-runner takes, percent, one phase each
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0,30,60,0",
        allow_negative_numbers = true
    )]
    loads: Vec<f64>,
    /// How the co-runner takes them
    #[arg(long, value_enum, default_value = "cpu")]
    load_kind: LoadFlag,
    /// Processor of the engine and the co-runner [default: the first usable one]
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Policies to compare [default: all]
    #[arg(short, long, value_enum, value_name = "LIST", value_delimiter = ',')]
    policies: Vec<RehearsedFlag>,
    /// Folder for report, figures and trace; files of an earlier rehearsal are replaced
    #[arg(long, value_name = "DIR", default_value = "rehearsal", alias = "out", short_alias = 'o')]
    output_dir: PathBuf,
    /// Where profiles are kept, to tell whether the machine is as fast as it was [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum RehearsedFlag {
    /// Always the most accurate configuration
    Fixed,
    /// The stepping policy of the paper
    Step,
    /// SlackFit: the most accurate that is in time by the profile
    Slackfit,
    /// ALERT
    Alert,
    /// ALERT, its constants fitted to each experiment as it is expected to go
    AlertFitted,
    /// gaitd's own: a Bayes filter on the slowdown
    Bayes,
}

impl RehearsedFlag {
    /// The policy, where the stepping one has a band of `band_ms`.
    fn policy(self, band_ms: f64) -> Rehearsed {
        let policy = match self {
            Self::Fixed => PolicyFlag::Fixed,
            Self::Step => PolicyFlag::Step,
            Self::Slackfit => PolicyFlag::Slackfit,
            Self::Alert => PolicyFlag::Alert,
            Self::AlertFitted => return Rehearsed::AlertFitted,
            Self::Bayes => PolicyFlag::Bayes,
        };
        Rehearsed::Policy(match policy.spec() {
            PolicySpec::Step { average, .. } => PolicySpec::Step { band_ms: Some(band_ms), average },
            spec => spec,
        })
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ExperimentFlag {
    /// Budgets, one after the other
    Static,
    /// A load that changes
    Varying,
    /// One after the other
    Both,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LoadFlag {
    /// Computes, a part of every 20 ms
    Cpu,
    /// Streams through memory, a part of every 20 ms
    Memory,
    /// Computes in bursts of 0.2 to 2 s, and rests in between
    Bursts,
}

impl From<LoadFlag> for LoadKind {
    fn from(flag: LoadFlag) -> Self {
        match flag {
            LoadFlag::Cpu => Self::Cpu,
            LoadFlag::Memory => Self::Memory,
            LoadFlag::Bursts => Self::Bursts,
        }
    }
}

fn repeats(text: &str) -> Result<Repeats, String> {
    if text == "auto" {
        return Ok(Repeats::Auto);
    }
    text.parse().map(Repeats::Times).map_err(|_| "a whole number of 1 or more is needed, or auto".to_owned())
}

impl Arguments {
    fn settings(&self) -> anyhow::Result<Settings> {
        let flags = if self.policies.is_empty() { RehearsedFlag::value_variants() } else { &self.policies };
        let policies = flags.iter().map(|flag| flag.policy(self.band_ms));
        let settings = Settings {
            experiments: match self.experiment {
                ExperimentFlag::Static => vec![Experiment::Static],
                ExperimentFlag::Varying => vec![Experiment::Varying],
                ExperimentFlag::Both => vec![Experiment::Static, Experiment::Varying],
            },
            repeats: self.slowdown,
            budgets_ms: self.budgets_ms.clone(),
            budget_ms: self.budget_ms,
            band_ms: self.band_ms,
            seconds_per_phase: self.seconds_per_phase,
            loads: self.loads.clone(),
            load_kind: self.load_kind.into(),
            policies: policies.collect(),
            miss_target: ControlConfig::default().miss_target,
            cpu: self.cpu,
            program: std::env::current_exe().context("cannot find the gaitd program, to start it as a co-runner")?,
        };
        settings.check().map_err(|error| by_flag(&error))?;
        Ok(settings)
    }
}

/// The same problems, each of the flag from which the field comes.
fn by_flag(error: &SettingsError) -> ConfigError {
    let named = |problem: &Problem| match problem.field {
        None => problem.to_string(),
        Some("repeats") => problem.named("--slowdown"),
        Some(field) => problem.named(&format!("--{}", field.replace('_', "-"))),
    };
    ConfigError::OutOfRange(error.problems.iter().map(named).collect())
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings()?;
    let stop = Stop::default();
    // watched for as long as it lives
    let _requests = Requests::watch(&stop, Hangup::Stop).context("cannot watch for signals")?;
    // made before minutes are spent on what could then not be kept
    let out = arguments.output_dir.as_path();
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let ladder = arguments.model.load()?;
    let kept = kept_profile(&ladder, arguments.state.clone());

    let rehearsal = Rehearsal::prepare(ladder, settings).map_err(|error| match error {
        RehearsalError::Settings(error) => by_flag(&error).into(),
        error => anyhow::Error::from(error),
    })?;
    tell(&announcement(&rehearsal, &stop));
    if !figure::AVAILABLE {
        tell("this gaitd was built without figures: there will be the report and the trace only");
    }
    let bar = super::loading::progress(milliseconds(rehearsal.time()), "rehearsing");
    let outcome = rehearsal.run(&stop, |passed| bar.set_position(milliseconds(passed)));
    bar.finish_and_clear();
    let Some(mut outcome) = outcome? else {
        tell("ended before anything was rehearsed; nothing is written");
        return Ok(());
    };
    outcome.warnings.extend(kept.and_then(|profile| other_speed(&outcome, &profile)));

    let report = outcome.report();
    let written = write(&outcome, &report, out);
    if arguments.json {
        super::print_json(&report)?;
    } else {
        super::print(&text(&outcome, &report))?;
    }
    let files = written?;
    if !arguments.json {
        super::print(&format!("written to {}: {}\n", out.display(), files.join(", ")))?;
    }
    Ok(())
}

fn announcement(rehearsal: &Rehearsal, stop: &Stop) -> String {
    let seconds = rehearsal.time().as_secs_f64().ceil();
    let time = if seconds < 120.0 { format!("{seconds} s") } else { format!("{:.1} min", seconds / 60.0) };
    let place = rehearsal.cpu().map_or_else(String::new, |cpu| format!(" on processor {cpu}"));
    let repeats = match rehearsal.repeats() {
        1 => String::new(),
        repeats => format!(", each inference repeated {repeats} times"),
    };
    let early = if stop.asked() { "" } else { "; Ctrl-C ends early and reports what there is" };
    format!("rehearsing{place}{repeats}: this takes about {time}{early}")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn kept_profile(ladder: &Ladder, state: Option<PathBuf>) -> Option<Profile> {
    let state = Config { state, ..Config::default() }.state_directory();
    Profile::find(&ProfileKey::new(ladder, &cpu_name()), &state).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    })
}

/// Whether the machine was much slower than when its profile was kept: then it was not quiet.
fn other_speed(outcome: &Outcome, profile: &Profile) -> Option<String> {
    const MUCH: f64 = 1.5;
    let mut ratios: Vec<f64> = outcome
        .configurations
        .iter()
        .filter_map(|measured| {
            let once = measured.latency.as_secs_f64() / f64::from(outcome.repeats);
            // repeated inferences run hot; a single one is as slow as a paced one at most
            Some(once / profile.expected(&measured.id)?.as_secs_f64())
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = ratios.get(ratios.len() / 2).copied().filter(|ratio| *ratio > MUCH)?;
    Some(format!(
        "inferences took {ratio:.1} times as long as in this machine's kept profile before any load began; the machine \
         was not quiet, or has become slower"
    ))
}

/// Writes report, figures and trace into `out`, and returns the files' names.
fn write(outcome: &Outcome, report: &Report, out: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut keep = |name: &str, bytes: Vec<u8>| {
        let path = out.join(name);
        files.push(name.to_owned());
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    keep("report.json", serde_json::to_vec_pretty(report)?)?;
    if let Some(scenario) = outcome.scenario() {
        keep("trace.json", compact_json(&scenario)?)?;
    }
    if figure::AVAILABLE {
        for (experiment, timeline) in outcome.figures() {
            for extension in ["svg", "png"] {
                let name = format!("{}.{extension}", experiment.name());
                timeline.save(&out.join(&name))?;
                files.push(name);
            }
        }
    }
    Ok(files)
}

fn text(outcome: &Outcome, report: &Report) -> String {
    let mut text = format!("{}\n{}\n", report.model, outcome.caveat());
    for course in &report.experiments {
        text += &format!("\n{}\n", heading(report, course));
        if course.inferences == 0 {
            text += "ended before the first window\n";
            continue;
        }
        text += &phases(course);
        text += &course.alert_fitted.map_or_else(String::new, |constants| format!("alert-fitted: {constants}\n"));
        text.push('\n');
        text += &policies(course);
    }
    text += "\nslowdown: latency / the same configuration's on the quiet machine; best: the most accurate that meets the budget at p50\n\
             late at first: windows late after a harder phase began, until five in a row were on time\n\
             until best: windows after an easier phase began, until the best configuration was in use again\n\
             accuracy: on held-out subjects; a late window counts as a guess\n";
    for warning in &report.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

fn heading(report: &Report, course: &CourseReport) -> String {
    let what = match course.experiment {
        Experiment::Static => "static budgets".to_owned(),
        Experiment::Varying => format!("varying load (kind: {})", report.load_kind.name()),
    };
    let early = if course.complete { "" } else { ", ended early" };
    format!("{what}, {} s per phase{early}", report.seconds_per_phase)
}

fn phases(course: &CourseReport) -> String {
    let header = ["phase", "budget ms", "co-runner %", "slowdown p50", "p95", "best at p50"];
    let rows = course.phases.iter().map(|phase| {
        vec![
            phase.name.clone(),
            phase.budget_ms.to_string(),
            format!("{:.0}", 100.0 * phase.load),
            number(phase.slowdown, 2),
            number(phase.slowdown_p95, 2),
            phase.best.clone().unwrap_or_else(|| "none".to_owned()),
        ]
    });
    table(&header, rows)
}

fn policies(course: &CourseReport) -> String {
    let header = [
        "policy and phase",
        "windows",
        "late %",
        "mean ms",
        "p95 ms",
        "accuracy %",
        "switches",
        "late at first",
        "until best",
        "most used",
    ];
    let rows = course.policies.iter().flat_map(|policy| rows(course, policy));
    table(&header, rows)
}

fn rows(course: &CourseReport, policy: &PolicyReport) -> Vec<Vec<String>> {
    let phases = course.phases.iter().zip(&policy.phases);
    let phases = phases.map(|(phase, share)| row(format!("- {}", phase.name), share));
    std::iter::once(row(policy.policy.clone(), &policy.total)).chain(phases).collect()
}

fn row(name: String, share: &Share) -> Vec<String> {
    let used = share.used.iter().take(2).map(|used| {
        let part = 100.0 * used.inferences as f64 / share.inferences.max(1) as f64;
        format!("{} {part:.0} %", used.configuration)
    });
    vec![
        name,
        share.inferences.to_string(),
        number(share.late_share.map(|late| 100.0 * late), 1),
        number(share.mean_ms, 2),
        number(share.p95_ms, 2),
        share.accuracy.map_or_else(|| "-".to_owned(), percent),
        share.switches.to_string(),
        share.after_rise.as_ref().map_or_else(String::new, |rise| rise.late.to_string()),
        share
            .after_fall
            .as_ref()
            .map_or_else(String::new, |fall| fall.until_best.map_or_else(|| "never".to_owned(), |n| n.to_string())),
        used.collect::<Vec<_>>().join(", "),
    ]
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}
