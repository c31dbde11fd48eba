//! Changing what is demanded while the engine runs, through one typed handle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::control::{Objective, PolicyError, PolicySpec};

/// Everything that can be changed while the engine runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// From the arrival of a window's last sample to its published decision; above 0, at most [`LONGEST_BUDGET`].
    pub budget: Duration,
    /// The allowed miss rate, a share from 0 to 1.
    pub miss_target: f64,
    /// What picks the configuration.
    pub policy: PolicySpec,
    /// What the user wants most.
    pub objective: Objective,
    /// The average share of one processor that inferences may take, above 0; no cap where none is given.
    pub cpu_share: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity rather than that for all.
    pub activity_aware: bool,
    /// Always this configuration, whatever the policy would pick.
    pub pinned: Option<String>,
}

/// The longest budget.
pub const LONGEST_BUDGET: Duration = Duration::from_secs(60);

impl Settings {
    /// The highest accuracy within `budget` by `policy`, with `miss_target` of the decisions late at most.
    #[must_use]
    pub fn new(budget: Duration, miss_target: f64, policy: PolicySpec) -> Self {
        Self {
            budget,
            miss_target,
            policy,
            objective: Objective::default(),
            cpu_share: None,
            activity_aware: true,
            pinned: None,
        }
    }

    /// Everything that is out of range whatever the ladder, in sentences that name settings as a configuration file
    /// does.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let share = |x: f64| (0.0..=1.0).contains(&x);
        if self.budget.is_zero() || self.budget > LONGEST_BUDGET {
            let (found, longest) = (self.budget.as_secs_f64() * 1e3, LONGEST_BUDGET.as_millis());
            problems.push(format!("budget_ms is {found}, and must be above 0 and at most {longest} milliseconds"));
        }
        if !share(self.miss_target) {
            problems.push(format!("miss_target is {}, and must be a share from 0 to 1", self.miss_target));
        }
        if let Objective::Energy { accuracy_floor } = self.objective
            && !share(accuracy_floor)
        {
            problems.push(format!("objective.accuracy_floor is {accuracy_floor}, and must be a share from 0 to 1"));
        }
        if let Some(cap) = self.cpu_share
            && !(cap > 0.0 && cap <= 1.0)
        {
            let found = cap * 100.0;
            problems.push(format!("cpu_budget_percent is {found}, and must be above 0 and at most 100"));
        }
        problems
    }

    /// Checks the settings for a ladder whose configurations are named `ids`.
    ///
    /// # Errors
    /// Names what is out of range, or what the ladder does not have.
    pub fn check(&self, ids: &[String]) -> Result<(), PolicyError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PolicyError::OutOfRange(problems.join("; ")));
        }
        if let Some(id) = &self.pinned
            && !ids.contains(id)
        {
            return Err(PolicyError::UnknownConfiguration { id: id.clone(), known: ids.to_vec() });
        }
        self.policy.check(ids, self.budget)
    }
}

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
