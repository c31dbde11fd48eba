//! `gaitd simulate`: every policy on the same draws of scenarios.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use gaitd_core::ladder::{BackendChoice, Manifest, Profile, ProfileKey};
use gaitd_daemon::{Config, cpu_name};
use gaitd_lab::figure::{self, Bars, FigureError, Series};
use gaitd_lab::simulate::{
    Contender, LadderSpec, Scenario, ScenarioReport, Score, SimulatedLadder, missed_goals, simulate,
};
use serde::Serialize;

use super::exit::{self, ExitCode};
use super::table::{percent, table};

/// Compare the policies on scenarios: changing load, made up or recorded, without waiting
#[derive(clap::Args)]
#[command(
    after_help = "All policies meet the same draws, beside references that know more than a policy can: oracle (each \
    latency beforehand), bound (the true model of the slowdowns, but no load signal) and best-fixed (the best single \
    configuration in hindsight).\n\nalert stands as it was published, without an allowed miss rate, since that is its \
    stronger form; alert-fitted is the same with the constants that suit the scenario best, found on other seeds; \
    bayes-no-load is bayes without the load signal.\n\n--check exits with 1 when bayes misses one of its \
    goals, and names it.\n\nExamples:\n  gaitd simulate configs/scenarios/*.json --check\n  \
    gaitd simulate configs/scenarios/steps.json --policies alert,bayes --seeds 1"
)]
pub(super) struct Arguments {
    /// Scenarios (JSON)
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Policies to compare [default: all]
    #[arg(short, long, value_enum, value_name = "LIST", value_delimiter = ',')]
    policies: Vec<ContenderFlag>,
    /// Inferences per seed [default: as the scenario says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    inferences: Option<u32>,
    /// Use the seeds from 0 to N - 1 [default: as the scenario says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: Option<u32>,
    /// Draw each policy's gap to the oracle (.svg or .png); fixed, step and slackfit only where --policies names them
    #[arg(long, value_name = "FILE", value_parser = figure_name)]
    figure: Option<PathBuf>,
    /// Fail where bayes misses one of its goals
    #[arg(long, conflicts_with = "policies")]
    check: bool,
    /// Where profiles are kept, for scenarios on a profiled ladder [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ContenderFlag {
    /// Always the most accurate configuration
    Fixed,
    /// The stepping policy of the paper
    Step,
    /// SlackFit: the most accurate that is in time by the profile
    Slackfit,
    /// ALERT, as published
    Alert,
    /// ALERT, its constants fitted to the scenario on other seeds
    AlertFitted,
    /// gaitd's own, without the load signal
    BayesNoLoad,
    /// gaitd's own
    Bayes,
}

impl ContenderFlag {
    fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Step => "step",
            Self::Slackfit => Contender::SLACKFIT,
            Self::Alert => Contender::ALERT,
            Self::AlertFitted => Contender::ALERT_FITTED,
            Self::BayesNoLoad => Contender::BAYES_NO_LOAD,
            Self::Bayes => Contender::BAYES,
        }
    }
}

fn figure_name(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let known = extension.is_some_and(|extension| extension == "svg" || extension == "png");
    if known { Ok(path) } else { Err("a figure's name must end in .svg or .png".to_owned()) }
}

/// A scenario whose ladder cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("{}: no profile of {model} on {cpu} is kept in {}; measure one with `{command}`", path.display(), state.display())]
pub(super) struct NoProfile {
    path: PathBuf,
    model: String,
    cpu: String,
    state: PathBuf,
    command: String,
}

impl ExitCode for NoProfile {
    fn exit_code(&self) -> u8 {
        exit::NO_INPUT
    }
}

/// Goals that were missed.
#[derive(Debug, thiserror::Error)]
#[error("goals missed:\n{}", .0.join("\n"))]
pub(super) struct GoalsMissed(Vec<String>);

impl ExitCode for GoalsMissed {
    fn exit_code(&self) -> u8 {
        exit::FAILED
    }
}

#[derive(Serialize)]
struct Report {
    scenarios: Vec<ScenarioReport>,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(path) = arguments.figure.as_ref().filter(|_| !figure::AVAILABLE) {
        bail!(FigureError::NotBuilt(path.clone()));
    }
    let state = Config { state: arguments.state.clone(), ..Config::default() }.state_directory();
    let mut ladders = Ladders { state, known: HashMap::new() };
    let prepared =
        arguments.scenarios.iter().map(|path| prepare(path, arguments, &mut ladders)).collect::<Result<Vec<_>, _>>()?;
    let contenders = contenders(&arguments.policies);

    let seeds = prepared.iter().map(|(scenario, _)| scenario.seeds.len()).sum::<usize>();
    let bar = super::loading::progress(seeds as u64, "simulating");
    let mut scenarios = Vec::new();
    let mut missed = Vec::new();
    for (scenario, ladder) in &prepared {
        bar.set_message(scenario.name.clone());
        let report = simulate(scenario, ladder, &contenders, || bar.inc(1)).context(scenario.name.clone())?;
        if arguments.check {
            missed.extend(missed_goals(scenario, &report).into_iter().map(|goal| format!("{}: {goal}", report.name)));
        }
        scenarios.push(report);
    }
    bar.finish_and_clear();

    let report = Report { scenarios };
    if arguments.json {
        super::print_json(&report)?;
    } else {
        super::print(&text(&report.scenarios))?;
    }
    if let Some(path) = &arguments.figure {
        bars(&report.scenarios, &arguments.policies).save(path)?;
    }
    if missed.is_empty() { Ok(()) } else { Err(GoalsMissed(missed).into()) }
}

fn contenders(flags: &[ContenderFlag]) -> Vec<Contender> {
    let mut contenders = Contender::all();
    contenders.retain(|contender| flags.is_empty() || flags.iter().any(|flag| flag.name() == contender.name));
    contenders
}

fn prepare(path: &Path, arguments: &Arguments, ladders: &mut Ladders) -> anyhow::Result<(Scenario, SimulatedLadder)> {
    let mut scenario = Scenario::read(path)?;
    if let Some(inferences) = arguments.inferences {
        scenario.inferences = inferences as usize;
    }
    if let Some(seeds) = arguments.seeds {
        scenario.seeds = (0..u64::from(seeds)).collect();
    }
    let ladder = ladders.resolve(&scenario.ladder, path)?;
    Ok((scenario, ladder))
}

/// Resolves ladders; each model is loaded once.
struct Ladders {
    state: PathBuf,
    known: HashMap<Option<PathBuf>, (Arc<Manifest>, Profile)>,
}

impl Ladders {
    fn resolve(&mut self, spec: &LadderSpec, path: &Path) -> anyhow::Result<SimulatedLadder> {
        match spec {
            LadderSpec::Given { labels, configurations } => Ok(SimulatedLadder::given(*labels, configurations)),
            LadderSpec::Model { models, scale } => {
                if !self.known.contains_key(models) {
                    let model = self.load(models.as_deref(), path)?;
                    self.known.insert(models.clone(), model);
                }
                let (manifest, profile) = &self.known[models];
                Ok(SimulatedLadder::of_model(manifest, profile, *scale)?)
            }
        }
    }

    fn load(&self, models: Option<&Path>, path: &Path) -> anyhow::Result<(Arc<Manifest>, Profile)> {
        let ladder = super::loading::load(models, BackendChoice::Auto).context(path.display().to_string())?;
        let key = ProfileKey::new(&ladder, &cpu_name());
        let profile = Profile::find(&key, &self.state)?.ok_or_else(|| NoProfile {
            path: path.to_path_buf(),
            model: ladder.manifest().name.clone(),
            cpu: key.cpu.clone(),
            state: self.state.clone(),
            command: models
                .map_or("gaitd profile".to_owned(), |models| format!("gaitd profile --models {}", models.display())),
        })?;
        Ok((ladder.manifest().clone(), profile))
    }
}

fn text(reports: &[ScenarioReport]) -> String {
    let mut text: String = reports.iter().map(|report| scenario_table(report) + "\n").collect();
    text += "[...]: references, which know more than a policy can\n\
             effective accuracy: a late inference counts as a guess; gaps in percentage points of it\n\
             late after rise: of the first 10 inferences after the load has risen (median)\n\
             back after fall: inferences until the best configuration is picked again (median)\n\
             switches after outlier: changes of configuration around a window that waiting or publishing made late (mean)\n\
             given up after outlier: of the 10 windows after it, those expected to be late whatever is picked\n\
             ns per decision: on this machine, and never twice the same\n";
    if reports.len() > 1 {
        let beside = |score: &Score| format!("{} / {:.3}", percent(score.miss_rate), score.gap_to_oracle);
        text += "\nmiss % / gap to the oracle, points\n";
        text += &summary(reports, |score| score.name != "oracle", |score| score.map_or_else(dash, beside));
        text += "\ngap to the bound, points\n";
        text +=
            &summary(reports, |score| !score.reference, |score| number(score.and_then(|score| score.gap_to_bound), 3));
    }
    text
}

fn scenario_table(report: &ScenarioReport) -> String {
    let mut header = vec![
        "policy",
        "miss %",
        "effective accuracy %",
        "gap to oracle",
        "gap to bound",
        "MMACs",
        "switches per 1000",
        "late after rise",
        "back after fall",
        "ns per decision",
    ];
    // few scenarios have any
    let outliers = report.policies.iter().any(|score| score.switches_after_outlier.is_some());
    if outliers {
        header.extend(["switches after outlier", "given up after outlier %"]);
    }
    let rows = report.policies.iter().map(|score| {
        let mut row = vec![
            label(score),
            percent(score.miss_rate),
            percent(score.effective_accuracy),
            format!("{:.3}", score.gap_to_oracle),
            number(score.gap_to_bound, 3),
            format!("{:.2}", score.mean_mmacs),
            format!("{:.1}", score.switches),
            number(score.late_after_rise, 0),
            number(score.recovery_after_fall, 0),
            number(score.decision_ns, 0),
        ];
        if outliers {
            row.push(number(score.switches_after_outlier, 2));
            row.push(score.hopeless_after_outlier.map_or_else(dash, percent));
        }
        row
    });
    let load = report.load.map_or_else(|| "no load signal".to_owned(), |load| format!("load signal: {load}"));
    let fitted = report.alert_fitted.map_or_else(String::new, |constants| format!("alert-fitted: {constants}\n"));
    format!(
        "{}: {}\n{} inferences x {} seeds; at most {} % late; {load}; best fixed configuration: {}\n{fitted}{}",
        report.name,
        report.about,
        report.inferences,
        report.seeds,
        100.0 * report.miss_target,
        report.best_fixed,
        table(&header, rows)
    )
}

/// One row per scenario; one column per policy or reference that is `shown`, each with the `cell` of its score.
fn summary(
    reports: &[ScenarioReport],
    shown: impl Fn(&Score) -> bool,
    cell: impl Fn(Option<&Score>) -> String,
) -> String {
    let shown: Vec<&Score> = policies(reports).filter(|score| shown(score)).collect();
    let header: Vec<String> = std::iter::once("scenario".to_owned()).chain(shown.iter().map(|s| label(s))).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = reports.iter().map(|report| {
        let cells = shown.iter().map(|score| cell(report.score(&score.name)));
        std::iter::once(report.name.clone()).chain(cells).collect()
    });
    table(&header, rows)
}

/// A score's name; a reference's stands in brackets.
fn label(score: &Score) -> String {
    if score.reference { format!("[{}]", score.name) } else { score.name.clone() }
}

/// The contenders; the same in every scenario but for the bound, which traces do not have.
fn policies(reports: &[ScenarioReport]) -> impl Iterator<Item = &Score> {
    reports.iter().max_by_key(|report| report.policies.len()).into_iter().flat_map(|report| &report.policies)
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(dash, |value| format!("{value:.decimals$}"))
}

/// What stands where there is nothing to say.
fn dash() -> String {
    "-".to_owned()
}

/// Policies that lose so much more than all others that beside them nothing could be distinguished.
const FAR_BEHIND: [ContenderFlag; 3] = [ContenderFlag::Fixed, ContenderFlag::Step, ContenderFlag::Slackfit];

/// Each policy's gap to the oracle; those far behind only where `asked` names them.
fn bars(reports: &[ScenarioReport], asked: &[ContenderFlag]) -> Bars {
    let gaps = |score: &Score| -> Vec<Option<f64>> {
        reports.iter().map(|report| report.score(&score.name).map(|score| score.gap_to_oracle)).collect()
    };
    let behind = |score: &Score| {
        FAR_BEHIND.iter().any(|flag| flag.name() == score.name && !asked.contains(flag)).then(|| {
            let gaps = || gaps(score).into_iter().flatten();
            let (least, most) = (gaps().fold(f64::INFINITY, f64::min), gaps().fold(0.0, f64::max));
            format!("{} ({least:.1} to {most:.1})", score.name)
        })
    };
    let left_out: Vec<String> = policies(reports).filter_map(behind).collect();
    let mut caveat = "simulated; a late inference counts as a guess".to_owned();
    if !left_out.is_empty() {
        caveat += &format!("; not drawn: {}", left_out.join(", "));
    }
    let drawn = policies(reports).filter(|score| score.name != "oracle" && behind(score).is_none());
    Bars {
        title: "Accuracy lost against an oracle that knows each latency beforehand".to_owned(),
        caveat: Some(caveat),
        y_label: "gap to the oracle, percentage points".to_owned(),
        groups: reports.iter().map(|report| report.name.clone()).collect(),
        series: drawn
            .map(|score| Series {
                name: if score.reference { format!("{} (reference)", score.name) } else { score.name.clone() },
                values: gaps(score),
            })
            .collect(),
    }
}
