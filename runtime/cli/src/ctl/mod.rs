//! `gaitd ctl`: reads the state of a running daemon, watches it, or changes it, over its local control socket.

mod client;
mod text;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use gaitd_api::{Change, ErrorView};
use gaitd_core::control::Objective;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::control::{DEFAULT_FLOOR, ObjectiveFlag, PolicyFlag, Switch};
use super::exit::{self, ExitCode};
use super::log::escaped;
use client::{Answer, Followed, Request};

/// The variable that names the socket where no flag does.
const SOCKET_VARIABLE: &str = "GAITD_SOCKET";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a reload may take: a ladder that is new to this processor is measured first.
const RELOAD_PATIENCE: Duration = Duration::from_secs(120);

/// Show the state of a running gaitd, or change what it does, over its control socket
#[derive(clap::Args)]
#[command(after_help = "A change holds from the next window on, until the next reload or restart.\n\n\
    Exit codes: 69 no gaitd answers; 77 no permission; 75 try again later; 65 a value was refused; 78 a reload was \
    refused, and everything stays as it was; 76 the answer makes no sense.\n\nExamples:\n  \
    gaitd ctl status\n  \
    gaitd ctl watch               (lines of JSON in a pipe: gaitd ctl watch | jq 'select(.activity).activity')\n  \
    gaitd ctl budget 20\n  \
    gaitd ctl pin 0.10x-96        (gaitd ctl unpin leaves the choice to the policy again)\n  \
    gaitd ctl set --objective energy --accuracy-floor 0.94 --cpu-budget-percent none\n  \
    gaitd ctl --socket /run/gaitd/control.sock reload")]
pub(super) struct Arguments {
    /// Control socket of the daemon [default: $GAITD_SOCKET, else gaitd/control.sock below $XDG_RUNTIME_DIR, else
    /// /run/gaitd/control.sock]
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Print the daemon's answer (JSON) as it came; `watch`: lines of JSON on a terminal, too
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    question: Question,
}

#[derive(clap::Subcommand)]
enum Question {
    /// Show how it is: its source, windows, late and lost decisions, settings, memory, reloads
    Status,
    /// Read the configuration again and put it into force, all or nothing
    Reload,
    /// Always use one configuration, whatever the policy would pick
    Pin {
        /// The configuration, such as 0.10x-96; `gaitd ctl explain` lists them
        id: String,
    },
    /// Leave the choice to the policy again
    Unpin,
    /// Set the time from the arrival of a window's last sample to its published decision
    Budget {
        /// Milliseconds, above 0 and at most 60,000
        #[arg(value_name = "MS", value_parser = finite, allow_negative_numbers = true)]
        ms: f64,
    },
    /// Show why the latest configuration was picked, and what spoke for and against each
    Explain,
    /// Print each decision from now on as it is made: lines on a terminal, NDJSON elsewhere; SIGINT ends it
    Watch,
    Set(SetArguments),
}

/// Change how configurations are picked
#[derive(clap::Args)]
#[command(override_usage = "gaitd ctl set [OPTIONS]")]
#[group(required = true, multiple = true)]
struct SetArguments {
    /// From the arrival of a window's last sample to its published decision, milliseconds
    #[arg(short, long, value_name = "MS", value_parser = finite, allow_negative_numbers = true)]
    budget_ms: Option<f64>,
    /// Allowed share of late decisions, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = finite, allow_negative_numbers = true)]
    miss_target: Option<f64>,
    /// What picks the configuration
    #[arg(short, long, value_enum)]
    policy: Option<PolicyFlag>,
    /// What is wanted most
    #[arg(long, value_enum)]
    objective: Option<ObjectiveFlag>,
    /// Expected accuracy below which nothing is saved, 0 to 1 [default: 0.95] (implies --objective energy)
    #[arg(long, value_name = "SHARE", value_parser = finite, allow_negative_numbers = true)]
    accuracy_floor: Option<f64>,
    /// Cap on the average share of one processor that inferences take, percent; `none` ends it
    #[arg(long, value_name = "PERCENT", value_parser = cap, allow_negative_numbers = true)]
    cpu_budget_percent: Option<Cap>,
    /// Expect the same accuracy whatever the wearer is doing
    #[arg(long, conflicts_with = "activity_aware")]
    activity_blind: bool,
    /// Expect the accuracy for what the wearer is doing
    #[arg(long)]
    activity_aware: bool,
    /// Tell what all windows of a stream so far say together, or each by itself what its window says
    #[arg(long, value_enum, value_name = "SWITCH")]
    context: Option<Switch>,
    /// Tell of each window again so many windows later, by those, too; 0 for never
    #[arg(long, value_name = "WINDOWS")]
    lag: Option<usize>,
}

/// A cap, or none.
#[derive(Clone, Copy, Debug)]
struct Cap(Option<f64>);

/// A number that JSON can carry: there, NaN would turn into `null`, which means something else.
fn finite(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() { Ok(number) } else { Err("not a finite number".to_owned()) }
}

fn cap(text: &str) -> Result<Cap, String> {
    if text == "none" { Ok(Cap(None)) } else { finite(text).map(|percent| Cap(Some(percent))) }
}

/// Why the daemon did not do it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    /// The exit code.
    code: u8,
    message: String,
}

impl ExitCode for Failure {
    fn exit_code(&self) -> u8 {
        self.code
    }
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Question {
    fn request(&self) -> Result<Request, Failure> {
        Ok(match self {
            Self::Status => Request::get("/api/status"),
            Self::Watch => Request::get(watch::EVENTS),
            Self::Explain => Request::get("/api/explain"),
            Self::Reload => Request { method: "POST", path: "/api/reload", body: None, patience: RELOAD_PATIENCE },
            Self::Pin { id } => changing(&Change { pin: Some(Some(id.clone())), ..Change::default() })?,
            Self::Unpin => changing(&Change { pin: Some(None), ..Change::default() })?,
            Self::Budget { ms } => changing(&Change { budget_ms: Some(*ms), ..Change::default() })?,
            Self::Set(arguments) => changing(&arguments.change()?)?,
        })
    }

    /// The answer's body as text for people.
    fn text(&self, body: &[u8]) -> Result<String, Failure> {
        Ok(match self {
            Self::Status => text::status(&read(body)?),
            Self::Explain => text::explanation(&read(body)?),
            Self::Reload => text::reloaded(&read(body)?),
            Self::Watch => String::new(),
            Self::Pin { .. } | Self::Unpin | Self::Budget { .. } | Self::Set(_) => text::settings(&read(body)?),
        })
    }

    /// The exit code of a refusal with this HTTP status.
    fn code(&self, status: u16) -> u8 {
        match (status, self) {
            // too early
            (404, Self::Explain) => exit::TEMPORARY,
            (400 | 422, Self::Reload) => exit::CONFIG,
            (400 | 422, _) => exit::DATA,
            (401 | 403, _) => exit::NO_PERMISSION,
            (408 | 409 | 503, _) => exit::TEMPORARY,
            (500, _) => exit::SOFTWARE,
            _ => exit::PROTOCOL,
        }
    }
}

impl SetArguments {
    fn change(&self) -> Result<Change, Failure> {
        let energy = || Objective::Energy { accuracy_floor: self.accuracy_floor.unwrap_or(DEFAULT_FLOOR) };
        let objective = match (self.objective, self.accuracy_floor) {
            (Some(ObjectiveFlag::Accuracy), Some(_)) => {
                let problem = "--accuracy-floor is for --objective energy; the objective is accuracy";
                return Err(Failure::new(exit::USAGE, problem));
            }
            (Some(ObjectiveFlag::Accuracy), None) => Some(Objective::Accuracy),
            (Some(ObjectiveFlag::Energy), _) | (None, Some(_)) => Some(energy()),
            (None, None) => None,
        };
        Ok(Change {
            budget_ms: self.budget_ms,
            miss_target: self.miss_target,
            policy: self.policy.map(PolicyFlag::spec),
            objective,
            cpu_budget_percent: self.cpu_budget_percent.map(|Cap(percent)| percent),
            activity_aware: (self.activity_aware || self.activity_blind).then_some(self.activity_aware),
            context: self.context.map(Switch::is_on),
            lag: self.lag,
            pin: None,
        })
    }
}

fn changing(change: &Change) -> Result<Request, Failure> {
    let body = serde_json::to_vec(change).map_err(|error| Failure::new(exit::SOFTWARE, error.to_string()))?;
    Ok(Request { method: "PATCH", path: "/api/control", body: Some(body), patience: PATIENCE })
}

/// Reads an answer's body, with every text in it escaped: the daemon quotes file names, models and sensors, and none of
/// them may steer the terminal. As all are escaped here, none can be forgotten where it is printed.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let unreadable = |error: serde_json::Error| senseless(&error.to_string());
    let mut answer: Value = serde_json::from_slice(body).map_err(unreadable)?;
    escape_texts(&mut answer);
    serde_json::from_value(answer).map_err(unreadable)
}

fn escape_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = escaped(text),
        Value::Array(values) => values.iter_mut().for_each(escape_texts),
        Value::Object(members) => members.values_mut().for_each(escape_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The failure of an answer that a gaitd of this version does not give.
fn senseless(problem: &str) -> Failure {
    let sentence = format!(
        "the answer makes no sense ({problem}); the process that listens there is no gaitd, or one of another \
         version than this, {}",
        env!("CARGO_PKG_VERSION")
    );
    Failure::new(exit::PROTOCOL, sentence)
}

pub(super) fn execute(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { socket, json, question } = arguments;
    let named = || std::env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let socket = socket.or_else(named).map_or_else(client::default_socket, Ok)?;
    let Answer { status, body } = match &question {
        Question::Watch => match watch::watch(&socket, json)? {
            Followed::Enough => return Ok(()),
            Followed::Refused(answer) => answer,
        },
        _ => client::ask(&socket, question.request()?)?,
    };
    if json {
        super::print(&text::json(&body).map_err(|problem| senseless(&problem))?)?;
    }
    if status != 200 {
        let sentence = read::<ErrorView>(&body).map_err(|_| senseless(&format!("HTTP status {status}")))?.error;
        return Err(Failure::new(question.code(status), sentence).into());
    }
    if !json {
        super::print(&question.text(&body)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gaitd_api::{ListenerState, ListenerView, Readiness};

    use super::*;

    #[test]
    fn texts_are_escaped_wherever_they_stand() {
        let body = br#"{"ready": false, "reasons": ["one\u001b[2J", "two\nlines"], "later": {"field": 1}}"#;
        let ready: Readiness = read(body).unwrap();
        assert_eq!(ready.reasons, ["one\\u{1b}[2J", "two\\nlines"]);
    }

    #[test]
    fn a_state_of_a_newer_daemon_can_be_read() {
        let body = br#"{"address": "127.0.0.1:4248", "state": "draining", "detail": null}"#;
        assert_eq!(read::<ListenerView>(body).unwrap().state, ListenerState::Unknown);
    }
}
