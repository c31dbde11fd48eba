//! A scenario's latencies, budgets and load in place of this machine's.

use std::sync::Arc;
use std::time::Duration;

use gaitd_core::control::Load;
use gaitd_core::ladder::{Ladder, Profile, Runner};
use gaitd_core::virtual_time::{VirtualClock, slow_down};

use crate::simulate::{BudgetSpan, Draws, LadderSpec, Scenario};

/// A scenario that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioLoadError {
    /// It refers to a profile rather than giving latencies itself.
    #[error("ladder: a replay needs the latencies to stand in the scenario (kind given)")]
    NoLatencies,
    /// It gives no latency for one of the ladder's configurations.
    #[error("ladder: no configuration {id}, which the model has")]
    NoConfiguration {
        /// The configuration.
        id: String,
    },
}

/// One seed of a scenario, played window by window on a clock of its own.
pub struct ScenarioLoad {
    scenario: Scenario,
    draws: Draws,
    /// One for each configuration.
    latencies: Vec<Duration>,
    clock: Arc<VirtualClock>,
    profile: Profile,
}

impl ScenarioLoad {
    /// The first seed of `scenario`, which must give a latency for each configuration of `ladder`.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(scenario: Scenario, ladder: &Ladder) -> Result<Self, ScenarioLoadError> {
        let LadderSpec::Given { configurations: given, .. } = &scenario.ladder else {
            return Err(ScenarioLoadError::NoLatencies);
        };
        let latencies = ladder.configurations().iter().map(|configuration| {
            given
                .iter()
                .find(|given| given.id == configuration.id)
                .map(|given| Duration::from_secs_f64(given.latency_ms / 1e3))
                .ok_or_else(|| ScenarioLoadError::NoConfiguration { id: configuration.id.clone() })
        });
        let latencies: Vec<Duration> = latencies.collect::<Result<_, _>>()?;
        let profile = Profile::known(ladder, &scenario.name, &latencies);
        let draws = Draws::new(&scenario, latencies.len(), scenario.seeds[0]);
        Ok(Self { scenario, draws, latencies, clock: Arc::new(VirtualClock::new()), profile })
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.scenario.name
    }

    /// The budgets, one span after the other.
    #[must_use]
    pub fn budgets(&self) -> &[BudgetSpan] {
        &self.scenario.budgets
    }

    /// The allowed miss rate, a share.
    #[must_use]
    pub fn miss_target(&self) -> f64 {
        self.scenario.miss_target
    }

    /// The latencies as a profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The clock on which inferences take the scenario's latencies.
    pub(super) fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }

    /// Lets the inferences of `runner` take the scenario's latencies.
    pub(super) fn slow_down(&self, runner: Box<dyn Runner>) -> Box<dyn Runner> {
        slow_down(runner, self.latencies.clone(), &self.clock)
    }

    /// Lets the next inference be the one of the window number `index`; returns its budget and load.
    pub(super) fn begin(&self, index: usize) -> (Duration, Load) {
        let draw = &self.draws.draws[index % self.draws.draws.len()];
        self.clock.set_slowdown(draw.slowdown);
        (draw.budget, draw.signals)
    }
}
