//! The daemon, as its operators see it.

use gaitd_api::{Activities, Aliveness, Change, Explanation, LadderView, Readiness, Reloaded, SettingsView, Status};

/// Why something that was asked for was not done; everything then is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was asked for is out of range, or unknown to the ladder, or cannot be loaded.
    #[error("{0}")]
    Invalid(String),
    /// Something else is under way; a later attempt may succeed.
    #[error("{0}")]
    Busy(String),
}

/// The daemon, as its operators see it. Every method may be called from any thread; only [`Operator::reload`]
/// takes its time.
pub trait Operator: Send + Sync {
    /// How things are now.
    fn status(&self) -> Status;

    /// What the wearer did.
    fn activities(&self) -> Activities;

    /// Whether the daemon does its work.
    fn alive(&self) -> Aliveness;

    /// Whether the daemon has all that it needs for its work.
    fn ready(&self) -> Readiness;

    /// The configuration in force, without secrets.
    fn config(&self) -> serde_json::Value;

    /// The ladder in force.
    fn ladder(&self) -> LadderView;

    /// What is demanded now.
    fn settings(&self) -> SettingsView;

    /// Changes what is demanded: all of it, from the next window on, or nothing. Returns what is demanded then.
    ///
    /// # Errors
    /// When a value is out of range, or a reload is under way.
    fn change(&self, change: &Change) -> Result<SettingsView, Refusal>;

    /// Reads the configuration again and puts it into force; returns when that is done.
    ///
    /// # Errors
    /// When it cannot be used, or another reload is under way; everything then stays as it was.
    fn reload(&self) -> Result<Reloaded, Refusal>;

    /// Why the latest configuration was picked; `None` before the first decision.
    fn explain(&self) -> Option<Explanation>;

    /// What a caller over the network must show to change anything; `None` where no caller may.
    fn token(&self) -> Option<String>;

    /// Names by which the daemon may be addressed beside those of this host.
    fn hosts(&self) -> Vec<String>;
}
