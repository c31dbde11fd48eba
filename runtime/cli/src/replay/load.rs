//! A scenario's latencies, budgets and load signals in place of this machine's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gaitd_core::clock::Clock;
use gaitd_core::control::Signals;
use gaitd_core::engine::ControlConfig;
use gaitd_core::engine::ControlHandle;
use gaitd_core::ladder::{Ladder, Profile, Runner};
use gaitd_core::virtual_time::{VirtualClock, slow_down};
use gaitd_daemon::ConfigError;
use gaitd_lab::simulate::{Draws, LadderSpec, Scenario};

/// One seed of a scenario, played window by window.
pub(super) struct SimulatedLoad {
    scenario: Scenario,
    draws: Draws,
    /// One for each configuration.
    latencies: Vec<Duration>,
    clock: Arc<VirtualClock>,
    profile: Profile,
}

impl SimulatedLoad {
    /// Reads the scenario at `path` and makes a profile of its latencies, of which it must give one for each configuration of `ladder`.
    pub(super) fn new(path: &Path, ladder: &Ladder) -> anyhow::Result<Self> {
        let scenario = Scenario::read(path)?;
        let LadderSpec::Given { configurations: given, .. } = &scenario.ladder else {
            bail!(ConfigError::OutOfRange(vec![format!(
                "{}: ladder: a replay needs the latencies to stand in the scenario (kind given)",
                path.display()
            )]));
        };
        let latencies = ladder.manifest().configurations.iter().map(|configuration| {
            given
                .iter()
                .find(|given| given.id == configuration.id)
                .map(|given| Duration::from_secs_f64(given.latency_ms / 1e3))
                .with_context(|| format!("{}: ladder: no configuration {}", path.display(), configuration.id))
        });
        let latencies: Vec<Duration> = latencies
            .collect::<anyhow::Result<_>>()
            .map_err(|error| ConfigError::OutOfRange(vec![format!("{error:#}, which the model has")]))?;
        let profile = Profile::known(ladder, &scenario.name, &latencies);
        let clock = Arc::new(VirtualClock::new());
        let draws = Draws::new(&scenario, latencies.len(), scenario.seeds[0]);
        Ok(Self { scenario, draws, latencies, clock, profile })
    }

    /// Lets the inferences of `runner` take the scenario's latencies.
    pub(super) fn slow_down(&self, runner: Box<dyn Runner>) -> Box<dyn Runner> {
        slow_down(runner, self.latencies.clone(), &self.clock)
    }

    pub(super) fn name(&self) -> &str {
        &self.scenario.name
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    /// Gives the scenario its say over `control`.
    pub(super) fn apply(&self, control: &mut ControlConfig) {
        control.budget_ms = self.scenario.budgets[0].ms;
        control.miss_target = self.scenario.miss_target;
    }

    /// Brings the load of the window number `index`, and its budget to `handle`; returns the signals.
    pub(super) fn next(&self, index: usize, handle: Option<&ControlHandle>) -> anyhow::Result<Signals> {
        let draw = &self.draws.draws[index % self.draws.draws.len()];
        self.clock.set_slowdown(draw.slowdown);
        if let Some(handle) = handle.filter(|handle| handle.settings().budget != draw.budget) {
            handle.set_budget(draw.budget)?;
        }
        Ok(draw.signals)
    }
}
