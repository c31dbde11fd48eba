//! What picks configurations in a simulation (policies and references), and the world in which it plays.

use std::time::Duration;

use super::bound::Bound;
use super::cascade::SimulatedCascade;
use super::draws::{Draw, Draws};
use super::ladder::SimulatedLadder;
use gaitd_core::control::{Demand, INTERVAL, Load, Outlook, Overhead, Policy, Situation, follows};

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
    /// How long `plan` takes at `draw`, from the window's last sample on.
    pub(super) fn latency(&self, plan: usize, draw: &Draw) -> Duration {
        self.taken(plan, draw, self.lead)
    }

    /// The same with what is done before that sample.
    pub(super) fn whole(&self, plan: usize, draw: &Draw) -> Duration {
        self.taken(plan, draw, None)
    }

    fn taken(&self, plan: usize, draw: &Draw, lead: Option<Duration>) -> Duration {
        let taken =
            |rung: usize, lead| self.ladder.candidates[rung].after_last(self.draws.errors[rung] * draw.slowdown, lead);
        match self.ladder.cascade(plan) {
            Some(SimulatedCascade { pair, .. }) => taken(pair.small, lead) + taken(pair.large, None),
            None => taken(plan, lead),
        }
    }

    /// Multiply-accumulates of `plan`, of a cascade with its second inference where it was followed.
    pub(super) fn macs(&self, plan: usize, followed: bool) -> u64 {
        let first = self.ladder.cascade(plan).filter(|_| !followed).map_or(plan, |cascade| cascade.pair.small);
        self.ladder.macs[first]
    }

    /// What the configuration `rung` is worth at `draw`: its accuracy, or a guess where it is late.
    fn worth(&self, rung: usize, draw: &Draw) -> f64 {
        let late = draw.is_late(self.latency(rung, draw));
        if late { self.ladder.guess_accuracy } else { self.ladder.candidates[rung].accuracy }
    }
}

/// A policy or reference that picks configurations in a simulation.
pub(super) trait Player {
    /// Picks a plan.
    fn choose(&mut self, draw: &Draw) -> usize;

    /// Whether the large configuration of `cascade`, which the window asks for, is begun after the small one has taken
    /// `latency` since the last sample, and `whole` with its head.
    fn follows(&mut self, _cascade: &SimulatedCascade, _draw: &Draw, _latency: Duration, _whole: Duration) -> bool {
        false
    }

    /// Learns how long it took, head and tail together: of a cascade that was not followed, its small configuration.
    fn observe(&mut self, plan: usize, draw: &Draw, latency: Duration);

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
        self.policy.choose(&situation).plan
    }

    fn follows(&mut self, cascade: &SimulatedCascade, draw: &Draw, latency: Duration, whole: Duration) -> bool {
        let available = self.overhead.available(draw.left().saturating_sub(latency));
        follows(self.policy.as_ref(), cascade.pair, whole, &available, self.demand.miss_target)
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
        let rungs = (0..self.0.ladder.rungs()).rev();
        rungs.max_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap_or(0)
    }

    fn observe(&mut self, _: usize, _: &Draw, _: Duration) {}
}

/// Knows each latency beforehand, and whether the small configurations of the cascades are right: it asks a large one where the
/// small one is wrong and there is time, and nowhere else.
pub(super) struct CascadeOraclePlayer<'a>(pub(super) &'a World<'a>);

impl CascadeOraclePlayer<'_> {
    /// What it does at `draw`: the plan, whether it is followed to its end, and the probability of a right answer.
    pub(super) fn play(&self, draw: &Draw) -> (usize, bool, f64) {
        let world = self.0;
        let on_time = |plan: usize| !draw.is_late(world.latency(plan, draw));
        let rungs = world.ladder.rungs();
        let options = world.ladder.cascades.iter().enumerate().map(|(place, cascade)| {
            let (plan, right) = (rungs + place, cascade.is_small_right(draw));
            match on_time(cascade.pair.small) {
                true if right => (plan, false, 1.0),
                true if on_time(plan) => (plan, true, cascade.worth_knowing(false)),
                true => (plan, false, 0.0),
                false => (plan, false, world.ladder.guess_accuracy),
            }
        });
        let macs = |(plan, followed, _): &(usize, bool, f64)| world.macs(*plan, *followed);
        let better = |a: &(usize, bool, f64), b: &(usize, bool, f64)| a.2.total_cmp(&b.2).then(macs(b).cmp(&macs(a)));
        options.max_by(better).unwrap_or((0, false, 0.0))
    }
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
