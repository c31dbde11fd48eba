//! What belongs to the processor, and is the same for all wearers: the policy and what it has learned, what is demanded, the
//! cap on the CPU share, and what inferences cost.

use std::time::Duration;

use super::settings::Settings;
use crate::control::{
    Allowance, Available, Candidate, Choice, Demand, Estimate, Forecast, Halves, Learned, LearnedError, Load, Outlook,
    Pair, Policy, PolicyError, Resumed, Situation, Terms, follows, seconds,
};

/// Inferences after which a configuration's measured CPU time has faded to a third.
const COST_MEMORY: f64 = 32.0;

/// Windows after which whether a cascade needed its large configuration has faded to a third.
const ESCALATION_MEMORY: f64 = 128.0;

/// A cascade of the ladder.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    pub(super) pair: Pair,
    /// The large configuration is asked where no activity is believed in with this probability.
    pub(super) threshold: f64,
    /// What of the way from the accuracy of the small one to that of the large one it gains, a share.
    pub(super) gain: f64,
    /// Share of windows for which the large one is asked; learned.
    pub(super) escalates: f64,
}

impl Planned {
    /// Its accuracy, by that of its configurations.
    pub(super) fn accuracy(&self, small: f64, large: f64) -> f64 {
        small + self.gain * (large - small)
    }
}

/// The processor's side of the engine.
pub(super) struct Device {
    /// Names of the plans, and what the policy knows of them: the configurations, then the cascades.
    plans: Vec<String>,
    candidates: Vec<Candidate>,
    cascades: Vec<Planned>,
    guess_accuracy: f64,
    /// Whether the candidates' accuracies are more than their order.
    knows_accuracy: bool,
    settings: Settings,
    demand: Demand,
    policy: Box<dyn Policy>,
    /// What an earlier policy has learned, for the next one that can use it.
    learned: Option<Learned>,
    allowance: Option<Allowance>,
    /// CPU time of an inference, seconds, per configuration.
    costs: Vec<f64>,
    /// The usual time between two inferences of one stream, which stands for the time before the first.
    hop: Duration,
    /// Clock time of the latest window that was taken, and of the latest whose inference was observed.
    taken: Option<Duration>,
    observed: Option<Duration>,
    /// The policy has picked a configuration, whose inference is still to be observed.
    chosen: bool,
}

/// The moment at which a configuration is picked.
#[derive(Clone, Copy)]
pub(super) struct Pick {
    /// By the clock.
    pub(super) now: Duration,
    /// What is left for the inference, from the window's last sample on.
    pub(super) available: Available,
    /// Until that sample, where it is still to come.
    pub(super) lead: Option<Duration>,
    pub(super) load: Load,
}

/// What an inference took.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) latency: Duration,
    pub(super) cpu: Duration,
    /// It was done in two parts.
    pub(super) halved: bool,
}

impl Device {
    /// A device of which nothing is known but `candidates`, whose names are `plans`, `cascades` the last of them; a stream's windows come every `hop`. A
    /// guess is right so often, and the candidates' accuracies are known or only their order.
    pub(super) fn new(
        plans: Vec<String>,
        candidates: Vec<Candidate>,
        cascades: Vec<Planned>,
        (guess_accuracy, knows_accuracy): (f64, bool),
        hop: Duration,
        settings: &Settings,
    ) -> Result<Self, PolicyError> {
        settings.check(&plans, knows_accuracy)?;
        let terms = Terms { budget: settings.budget, guess_accuracy };
        let mut device = Self {
            policy: settings.policy.make(&candidates, &plans, &terms)?,
            costs: candidates[..plans.len() - cascades.len()]
                .iter()
                .map(|candidate| candidate.latency.as_secs_f64())
                .collect(),
            plans,
            candidates,
            cascades,
            guess_accuracy,
            knows_accuracy,
            settings: settings.clone(),
            demand: Demand::new(settings.budget, settings.miss_target),
            learned: None,
            allowance: None,
            hop,
            taken: None,
            observed: None,
            chosen: false,
        };
        device.update_demand();
        Ok(device)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn demand(&self) -> &Demand {
        &self.demand
    }

    pub(super) fn slowdown(&self) -> Option<Estimate> {
        self.policy.slowdown()
    }

    pub(super) fn forecast(&self, plan: usize) -> Forecast {
        self.policy.forecast(plan)
    }

    /// What `plan` is a cascade of, if it is one.
    pub(super) fn cascade(&self, plan: usize) -> Option<&Planned> {
        plan.checked_sub(self.costs.len()).map(|place| &self.cascades[place])
    }

    /// The cascades that may be picked.
    pub(super) fn cascades(&self) -> &[Planned] {
        if self.settings.context { &self.cascades } else { &[] }
    }

    /// The configuration that `plan` begins with.
    pub(super) fn first(&self, plan: usize) -> usize {
        self.cascade(plan).map_or(plan, |cascade| cascade.pair.small)
    }

    /// Whether the large configuration of `pair` is begun after the small one has taken `latency` with its head, where
    /// `available` is left.
    pub(super) fn follows(&self, pair: Pair, latency: Duration, available: &Available) -> bool {
        follows(self.policy.as_ref(), pair, latency, available, self.demand.miss_target)
    }

    /// The latency of the quickest plan that the policy may pick.
    pub(super) fn quickest(&self) -> Duration {
        let latency = |rung| self.policy.latency(rung);
        match self.demand.pinned.or_else(|| self.policy.only()) {
            Some(rung) => latency(rung),
            // no cascade is quicker than its small configuration
            None => (0..self.costs.len()).map(latency).min().unwrap_or_default(),
        }
    }

    /// Expected CPU time of `plan`.
    pub(super) fn cost(&self, plan: usize) -> Duration {
        seconds(match self.cascade(plan) {
            Some(Planned { pair, escalates, .. }) => self.costs[pair.small] + escalates * self.costs[pair.large],
            None => self.costs[plan],
        })
    }

    pub(super) fn learned(&self, into: &mut Option<Learned>) {
        self.policy.learned(into);
    }

    pub(super) fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        let resumed = self.policy.resume(learned)?;
        self.learned = Some(learned.clone());
        Ok(resumed)
    }

    /// Goes on from what `before` has learned.
    pub(super) fn take_over(&mut self, before: &Self) -> Result<(), LearnedError> {
        self.learned.clone_from(&before.learned);
        before.policy.learned(&mut self.learned);
        self.go_on()
    }

    /// Takes over `settings` where they are others than before. Those that are out of range, or name what the ladder
    /// does not have, change nothing.
    pub(super) fn apply_settings(&mut self, settings: &Settings) -> Result<(), SettingsError> {
        if *settings == self.settings {
            return Ok(());
        }
        settings.check(&self.plans, self.knows_accuracy)?;
        let other = if settings.policy == self.settings.policy {
            None
        } else {
            let terms = Terms { budget: settings.budget, guess_accuracy: self.guess_accuracy };
            Some(settings.policy.make(&self.candidates, &self.plans, &terms)?)
        };
        self.settings.clone_from(settings);
        self.update_demand();
        if let Some(policy) = other {
            self.policy.learned(&mut self.learned);
            (self.policy, self.chosen) = (policy, false);
            self.go_on()?;
        }
        Ok(())
    }

    /// Lets the policy go on from what is known to have been learned; what cannot have been is forgotten.
    fn go_on(&mut self) -> Result<(), LearnedError> {
        let Some(learned) = &self.learned else { return Ok(()) };
        let resumed = self.policy.resume(learned);
        if resumed.is_err() {
            self.learned = None;
        }
        resumed.map(drop)
    }

    /// Derives what is demanded from the settings.
    fn update_demand(&mut self) {
        let settings = &self.settings;
        let pinned = settings.pinned.as_ref();
        self.demand = Demand {
            budget: settings.budget,
            miss_target: settings.miss_target,
            objective: settings.objective,
            pinned: pinned.and_then(|id| self.plans.iter().position(|known| known == id)),
        };
        self.allowance = settings.cpu_share.map(|share| {
            // what was saved or overdrawn stays, unless the cap itself has changed
            self.allowance.filter(|allowance| allowance.share() == share).unwrap_or_else(|| Allowance::new(share))
        });
    }

    /// Picks a plan for a window that is taken at this moment.
    pub(super) fn choose(&mut self, pick: &Pick, outlook: &[Outlook]) -> Choice {
        let since = |then: Option<Duration>| then.map_or(self.hop, |then| pick.now.saturating_sub(then));
        let (passed, elapsed) = (since(self.taken), since(self.observed));
        (self.taken, self.chosen) = (Some(pick.now), true);
        if let Some(allowance) = &mut self.allowance {
            allowance.pay_in(passed);
        }
        self.policy.choose(&Situation {
            demand: &self.demand,
            elapsed,
            available: pick.available,
            lead: pick.lead,
            signals: pick.load,
            outlook,
            cost_limit: self.allowance.map_or(Duration::MAX, |allowance| allowance.limit()),
        })
    }

    /// How long each part of an inference of `rung` is expected to take, where it has two, at the slowdown by which was picked.
    pub(super) fn expected_halves(&self, rung: usize) -> Option<Halves> {
        let Candidate { latency, halves, .. } = self.candidates[rung];
        let slowdown = self.policy.latency(rung).as_secs_f64() / latency.as_secs_f64().max(1e-9);
        let slowed = |part: Duration| seconds(part.as_secs_f64() * slowdown);
        halves.map(|Halves { head, tail }| Halves { head: slowed(head), tail: slowed(tail) })
    }

    /// The tail of an inference of `rung`, as a share of its head.
    pub(super) fn tail_share(&self, rung: usize) -> f64 {
        let share = |halves: Halves| halves.tail.as_secs_f64() / halves.head.as_secs_f64().max(1e-9);
        self.candidates[rung].halves.map_or(0.0, share)
    }

    /// The configuration whose head is done first where that of `rung` may be late: the quickest; none where the user, or the
    /// policy whatever the time, wants this one.
    pub(super) fn insurance(&self, rung: usize) -> Option<usize> {
        if self.demand.pinned.or_else(|| self.policy.only()).is_some() {
            return None;
        }
        let quickest = (0..self.costs.len())
            .filter(|other| self.candidates[*other].halves.is_some())
            .min_by_key(|other| self.candidates[*other].latency);
        quickest.filter(|quickest| *quickest != rung)
    }

    /// Pays for `cpu`, the CPU time of heads.
    pub(super) fn draw(&mut self, cpu: Duration) {
        if let Some(allowance) = &mut self.allowance {
            allowance.draw(cpu);
        }
    }

    /// Learns whether a window has asked for the large configuration of the cascade `plan`.
    pub(super) fn observe_escalation(&mut self, plan: usize, asked: bool) {
        if let Some(place) = plan.checked_sub(self.costs.len()) {
            let escalates = &mut self.cascades[place].escalates;
            *escalates += (f64::from(u8::from(asked)) - *escalates) / ESCALATION_MEMORY;
        }
    }

    /// Learns what the second inference of a cascade cost.
    pub(super) fn observe_cost(&mut self, rung: usize, cpu: Duration) {
        self.costs[rung] += (cpu.as_secs_f64() - self.costs[rung]) / COST_MEMORY;
    }

    /// Learns what `plan` took, for the window that was taken last: `cpu` is that of its first inference. Of an inference in two parts, what it took
    /// is held against what both were expected to take, and its head is paid for already.
    pub(super) fn observe(&mut self, plan: usize, taken: Taken) {
        let Candidate { latency, halves, .. } = self.candidates[plan];
        let as_whole = |halves: Halves| latency.as_secs_f64() / (halves.head + halves.tail).as_secs_f64().max(1e-9);
        let scale = halves.filter(|_| taken.halved).map_or(1.0, as_whole);
        if std::mem::take(&mut self.chosen) {
            self.observed = self.taken;
            let observed = taken.latency.as_secs_f64() * scale;
            self.policy.observe(plan, seconds(observed));
        }
        self.observe_cost(self.first(plan), taken.cpu);
    }
}

/// Settings that cannot be applied, or not as they should.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They are out of range, or name what the ladder does not have; all stays as it was.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// They are applied, but their policy cannot go on from what was learned before.
    #[error("what was learned before cannot be gone on from: {0}")]
    Learned(#[from] LearnedError),
}
