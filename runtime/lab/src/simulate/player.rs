//! What picks configurations in a simulation (policies and references), and the world in which it plays.

use std::time::Duration;

use super::bound::Bound;
use super::draws::{Draw, Draws};
use super::ladder::SimulatedLadder;
use gaitd_core::control::{Demand, INTERVAL, Load, Outlook, Policy, Situation};

/// The world that a seed has drawn.
pub(super) struct World<'a> {
    pub(super) ladder: &'a SimulatedLadder,
    pub(super) draws: &'a Draws,
    /// What knows the best configuration for a level, where levels change at once.
    pub(super) bound: Option<Bound<'a>>,
}

impl World<'_> {
    /// How long the configuration `rung` takes at `draw`.
    pub(super) fn latency(&self, rung: usize, draw: &Draw) -> Duration {
        let seconds = self.ladder.candidates[rung].latency.as_secs_f64() * self.draws.errors[rung] * draw.slowdown;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// What the configuration `rung` is worth at `draw`: its accuracy, or a guess where it is late.
    fn worth(&self, rung: usize, draw: &Draw) -> f64 {
        let on_time = self.latency(rung, draw) <= draw.budget;
        if on_time { self.ladder.candidates[rung].accuracy } else { self.ladder.guess_accuracy }
    }
}

/// A policy or reference that picks configurations in a simulation.
pub(super) trait Player {
    /// Picks one.
    fn choose(&mut self, draw: &Draw) -> usize;

    /// Learns how long it took.
    fn observe(&mut self, rung: usize, draw: &Draw, latency: Duration);
}

pub(super) struct PolicyPlayer<'a> {
    pub(super) policy: Box<dyn Policy>,
    pub(super) demand: Demand,
    pub(super) outlook: &'a [Outlook],
    pub(super) sees_load: bool,
}

impl Player for PolicyPlayer<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        self.demand.budget = draw.budget;
        let situation = Situation {
            demand: &self.demand,
            // a scenario says nothing of the time between two inferences: it is as long as a shipped ladder's hop
            elapsed: INTERVAL,
            available: draw.budget,
            signals: if self.sees_load { draw.signals } else { Load::NONE },
            outlook: self.outlook,
            cost_limit: Duration::MAX,
        };
        self.policy.choose(&situation).rung
    }

    fn observe(&mut self, rung: usize, _: &Draw, latency: Duration) {
        self.policy.observe(rung, latency);
    }
}

/// Knows each latency beforehand.
pub(super) struct OraclePlayer<'a>(pub(super) &'a World<'a>);

impl Player for OraclePlayer<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        let worth = |rung: &usize| self.0.worth(*rung, draw);
        // of equals the first, such as where nothing is on time
        let rungs = (0..self.0.ladder.candidates.len()).rev();
        rungs.max_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap_or(0)
    }

    fn observe(&mut self, _: usize, _: &Draw, _: Duration) {}
}

/// Always the same configuration.
pub(super) struct FixedPlayer(pub(super) usize);

impl Player for FixedPlayer {
    fn choose(&mut self, _: &Draw) -> usize {
        self.0
    }

    fn observe(&mut self, _: usize, _: &Draw, _: Duration) {}
}

impl Player for Bound<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        Bound::choose(self, draw.budget)
    }

    fn observe(&mut self, _: usize, draw: &Draw, _: Duration) {
        Bound::observe(self, draw.slowdown);
    }
}
