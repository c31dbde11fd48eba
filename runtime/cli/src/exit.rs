//! Exit codes by sysexits, so that a script or a service manager can tell whose fault it was.

use std::process::ExitCode;

use gaitd_core::control::PolicyError;
use gaitd_core::ladder::{LoadError, ProfileError};
use gaitd_daemon::{ConfigError, OpenError, StartError};
use gaitd_lab::figure::FigureError;
use gaitd_lab::rehearse::RehearsalError;
use gaitd_lab::simulate::{ScenarioError, UnprofiledError};
use gaitd_sense::SenseError;

use super::log::LastWord;

/// Everything worked, but what was checked does not hold.
const FAILED: u8 = 1;
/// The command line is wrong (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// A model, a recording, a stream or a scenario is wrong (`EX_DATAERR`).
pub(super) const DATA: u8 = 65;
/// A file is missing or unreadable (`EX_NOINPUT`).
pub(super) const NO_INPUT: u8 = 66;
/// Something that should never happen (`EX_SOFTWARE`).
pub(super) const SOFTWARE: u8 = 70;
/// The system refused something, such as another process (`EX_OSERR`).
const OS: u8 = 71;
/// Reading or writing failed (`EX_IOERR`).
pub(super) const IO: u8 = 74;
/// A configuration is wrong (`EX_CONFIG`).
pub(super) const CONFIG: u8 = 78;
/// No daemon answers (`EX_UNAVAILABLE`).
#[cfg(feature = "http")]
pub(super) const UNAVAILABLE: u8 = 69;
/// A later attempt may succeed (`EX_TEMPFAIL`).
#[cfg(any(feature = "http", target_os = "linux"))]
pub(super) const TEMPORARY: u8 = 75;
/// Whoever answers is no gaitd, or one of another version (`EX_PROTOCOL`).
#[cfg(feature = "http")]
pub(super) const PROTOCOL: u8 = 76;
/// The user may not do this (`EX_NOPERM`).
#[cfg(any(feature = "http", target_os = "linux"))]
pub(super) const NO_PERMISSION: u8 = 77;

/// Tells `error` on standard error, in the form of the log, and returns its exit code.
pub(super) fn report(error: &anyhow::Error, last_word: LastWord) -> ExitCode {
    last_word.tell(&told(error));
    code(error).into()
}

/// `error` and its causes in one line. Many an error names its cause, which is not told again.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// What is inside of `error`, which hides it from the chain of causes.
pub(super) fn inside(error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(error) => error.into(),
        StartError::Load(error) => error.into(),
        StartError::Manifest(error) => LoadError::Manifest(error).into(),
        StartError::Open(error) => error.into(),
        StartError::Policy(error) => error.into(),
        error => error.into(),
    }
}

fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        #[cfg(feature = "http")]
        if let Some(failure) = cause.downcast_ref::<super::ctl::Failure>() {
            return failure.code;
        }
        #[cfg(target_os = "linux")]
        if let Some(code) = super::iio::code(cause) {
            return code;
        }
        if let Some(error) = cause.downcast_ref::<ConfigError>() {
            return if matches!(error, ConfigError::Read { .. }) { NO_INPUT } else { CONFIG };
        }
        match cause.downcast_ref::<RehearsalError>() {
            // a transparent wrapper hides its inside from the chain
            Some(RehearsalError::Settings(_) | RehearsalError::Policy(_)) => return CONFIG,
            Some(RehearsalError::CoRunner(_)) => return OS,
            _ => {}
        }
        if let Some(error) = cause.downcast_ref::<FigureError>() {
            return if matches!(error, FigureError::Write { .. }) { IO } else { SOFTWARE };
        }
        if let Some(error) = cause.downcast_ref::<LoadError>() {
            return if matches!(error, LoadError::Files(_)) { NO_INPUT } else { DATA };
        }
        if let Some(OpenError::Wearer(_)) = cause.downcast_ref::<OpenError>() {
            return CONFIG;
        }
        // a transparent wrapper hides its inside from the chain
        let opening = cause.downcast_ref::<OpenError>().and_then(|error| match error {
            OpenError::Sense(error) => Some(error),
            OpenError::Wearer(_) => None,
        });
        if let Some(error) = opening.or_else(|| cause.downcast_ref::<SenseError>()) {
            return match error {
                SenseError::Open { .. } => NO_INPUT,
                SenseError::Read { .. } => IO,
                _ => DATA,
            };
        }
        if let Some(error) = cause.downcast_ref::<ScenarioError>() {
            return if matches!(error, ScenarioError::Read { .. }) { NO_INPUT } else { DATA };
        }
        if cause.is::<super::simulate::NoProfile>() || cause.is::<UnprofiledError>() {
            return NO_INPUT;
        }
        if cause.is::<super::simulate::GoalsMissed>() {
            return FAILED;
        }
        if let Some(StartError::Output { .. }) = cause.downcast_ref::<StartError>() {
            return IO;
        }
        if let Some(StartError::Thread(_)) = cause.downcast_ref::<StartError>() {
            return OS;
        }
        if cause.is::<PolicyError>() {
            return CONFIG;
        }
        if cause.is::<ProfileError>() || cause.is::<std::io::Error>() {
            return IO;
        }
        if cause.is::<super::replay::DataError>() {
            return DATA;
        }
        if cause.is::<super::replay::ArgumentError>() {
            return CONFIG;
        }
    }
    SOFTWARE
}
