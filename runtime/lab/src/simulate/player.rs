//! What picks configurations in a simulation (policies and references), and the world in which it plays.

use std::time::Duration;

use super::bound::Bound;
use super::draws::{Draw, Draws};
use super::ladder::SimulatedLadder;
use gaitd_core::control::{Demand, INTERVAL, Load, Outlook, Overhead, Policy, Situation};

/// The world that a seed has drawn.
pub(super) struct World<'a> {
    pub(super) ladder: &'a SimulatedLadder,
    pub(super) draws: &'a Draws,
    /// How long before the windows' last samples inferences begin, where they do.
    pub(super) lead: Option<Duration>,
    /// What knows the best configuration for a level, where levels change at once.
    pub(super) bound: Option<Bound<'a>>,
}

impl World<'_> {
    /// How long the configuration `rung` takes at `draw`, from the window's last sample on.
    pub(super) fn latency(&self, rung: usize, draw: &Draw) -> Duration {
        self.ladder.candidates[rung].after_last(self.draws.errors[rung] * draw.slowdown, self.lead)
    }

    /// The same with what is done before that sample.
    pub(super) fn whole(&self, rung: usize, draw: &Draw) -> Duration {
        self.ladder.candidates[rung].after_last(self.draws.errors[rung] * draw.slowdown, None)
    }

    /// What the configuration `rung` is worth at `draw`: its accuracy, or a guess where it is late.
    fn worth(&self, rung: usize, draw: &Draw) -> f64 {
        let late = draw.is_late(self.latency(rung, draw));
        if late { self.ladder.guess_accuracy } else { self.ladder.candidates[rung].accuracy }
    }
}

/// A policy or reference that picks configurations in a simulation.
pub(super) trait Player {
    /// Picks one.
    fn choose(&mut self, draw: &Draw) -> usize;

    /// Learns how long it took, head and tail together.
    fn observe(&mut self, rung: usize, draw: &Draw, latency: Duration);

    /// Whether each configuration was expected to be late for certain when the last one was picked; false where nothing is
    /// expected.
    fn hopeless(&self) -> bool {
        false
    }
}

/// A miss that is as probable is certain.
const CERTAIN: f64 = 0.99;

pub(super) struct PolicyPlayer<'a> {
    pub(super) policy: Box<dyn Policy>,
    pub(super) demand: Demand,
    pub(super) outlook: &'a [Outlook],
    pub(super) sees_load: bool,
    pub(super) lead: Option<Duration>,
    /// What it is told of publishing, as the daemon tells it.
    pub(super) overhead: Overhead,
}

impl Player for PolicyPlayer<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        self.demand.budget = draw.budget;
        let situation = Situation {
            demand: &self.demand,
            // a scenario says nothing of the time between two inferences: it is as long as a shipped ladder's hop
            elapsed: INTERVAL,
            available: self.overhead.available(draw.left()),
            lead: self.lead,
            signals: if self.sees_load { draw.signals } else { Load::NONE },
            outlook: self.outlook,
            cost_limit: Duration::MAX,
        };
        self.policy.choose(&situation).rung
    }

    fn observe(&mut self, rung: usize, draw: &Draw, latency: Duration) {
        self.policy.observe(rung, latency);
        self.overhead.observe(draw.publish);
    }

    fn hopeless(&self) -> bool {
        let miss = |rung| self.policy.forecast(rung).miss_probability;
        (0..self.outlook.len()).all(|rung| miss(rung).is_some_and(|miss| miss >= CERTAIN))
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
        Bound::choose(self, draw.left())
    }

    fn observe(&mut self, _: usize, draw: &Draw, _: Duration) {
        Bound::observe(self, draw.slowdown);
    }
}
