//! The end of a command that fails: its error on standard error, and its exit code.

use std::error::Error;
use std::process;

use gaitd_core::control::PolicyError;
pub(super) use gaitd_core::exit::*;
use gaitd_core::ladder::{LoadError, ProfileError};
use gaitd_daemon::{ConfigError, OpenError, StartError};
use gaitd_lab::figure::FigureError;
use gaitd_lab::rehearse::RehearsalError;
use gaitd_lab::simulate::{ModelError, ScenarioError};
use gaitd_sense::SenseError;
use gaitd_sense::import::ImportError;

use super::log::LastWord;

/// Writes `error` and its causes to standard error, in the form of the log, and returns its exit code.
pub(super) fn report(error: &anyhow::Error, last_word: LastWord) -> process::ExitCode {
    last_word.write(&format!("{error:#}"));
    code(error).into()
}

/// The code of the outermost cause that has one.
fn code(error: &anyhow::Error) -> u8 {
    let known: &[fn(&Cause) -> Option<u8>] = &[
        #[cfg(feature = "http")]
        of::<super::ctl::Failure>,
        #[cfg(target_os = "linux")]
        of::<super::iio::NotAPipe>,
        #[cfg(target_os = "linux")]
        of::<gaitd_sense::iio::IioError>,
        of::<super::check::NoFit>,
        #[cfg(feature = "tract")]
        of::<gaitd_author::Questions>,
        #[cfg(feature = "tract")]
        of::<gaitd_author::DraftError>,
        #[cfg(feature = "tract")]
        of::<super::model::Unreadable>,
        of::<super::replay::ArgumentError>,
        of::<super::labelled::DataError>,
        of::<super::simulate::GoalsMissed>,
        of::<super::simulate::NoProfile>,
        of::<ConfigError>,
        of::<FigureError>,
        of::<ImportError>,
        of::<LoadError>,
        of::<OpenError>,
        of::<PolicyError>,
        of::<ProfileError>,
        of::<RehearsalError>,
        of::<ScenarioError>,
        of::<SenseError>,
        of::<StartError>,
        of::<ModelError>,
        of::<std::io::Error>,
    ];
    error.chain().find_map(|cause| known.iter().find_map(|of| of(cause))).unwrap_or(SOFTWARE)
}

type Cause = dyn Error + 'static;

/// The code of `cause`, where it is an `E`.
fn of<E: Error + ExitCode + 'static>(cause: &Cause) -> Option<u8> {
    cause.downcast_ref::<E>().map(E::exit_code)
}
