//! Changing what is demanded while the engine runs, through one typed handle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::settings::Settings;
use crate::control::{Objective, PolicyError, PolicySpec};

struct Shared {
    ids: Vec<String>,
    settings: Mutex<Settings>,
    /// Raised with every change, so that the engine need not lock to see that there was none.
    version: AtomicU64,
}

/// Reads and changes the settings of an engine, from any thread; a change holds from the next window on.
#[derive(Clone)]
pub struct ControlHandle(Arc<Shared>);

impl ControlHandle {
    /// A handle to `settings` for a ladder whose configurations are named `ids`.
    ///
    /// # Errors
    /// See [`Settings::check`].
    pub(super) fn new(ids: Vec<String>, settings: Settings) -> Result<Self, PolicyError> {
        settings.check(&ids)?;
        Ok(Self(Arc::new(Shared { ids, settings: Mutex::new(settings), version: AtomicU64::new(0) })))
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        // settings are replaced whole, so a panic elsewhere leaves none half-changed
        self.0.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// The names of the ladder's configurations.
    #[must_use]
    pub fn configurations(&self) -> &[String] {
        &self.0.ids
    }

    /// Changes the settings by `change`: all of what it changes, or nothing.
    ///
    /// # Errors
    /// When the result is out of range; everything then stays as it was. See [`Settings::check`].
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<(), PolicyError> {
        let mut settings = self.lock();
        let mut changed = settings.clone();
        change(&mut changed);
        changed.check(&self.0.ids)?;
        *settings = changed;
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Sets the budget.
    ///
    /// # Errors
    /// When it is out of range.
    pub fn set_budget(&self, budget: Duration) -> Result<(), PolicyError> {
        self.change(|settings| settings.budget = budget)
    }

    /// Sets the policy, which starts afresh.
    ///
    /// # Errors
    /// When it cannot be made for this ladder.
    pub fn set_policy(&self, policy: PolicySpec) -> Result<(), PolicyError> {
        self.change(|settings| settings.policy = policy)
    }

    /// Sets the objective.
    ///
    /// # Errors
    /// When its floor is out of range.
    pub fn set_objective(&self, objective: Objective) -> Result<(), PolicyError> {
        self.change(|settings| settings.objective = objective)
    }

    /// Pins the configuration `id`, or none.
    ///
    /// # Errors
    /// When the ladder has no such configuration.
    pub fn pin(&self, id: Option<&str>) -> Result<(), PolicyError> {
        self.change(|settings| settings.pinned = id.map(str::to_owned))
    }

    /// The version of the settings; it changes with every change.
    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// The settings, unless somebody is just changing them: the engine does not wait.
    pub(super) fn try_settings(&self) -> Option<MutexGuard<'_, Settings>> {
        match self.0.settings.try_lock() {
            Ok(settings) => Some(settings),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}
