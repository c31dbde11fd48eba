//! A Bayes filter over a grid of log-slowdowns; gaitd's own policy, and its default.
//!
//! With the log-slowdown `x` (natural logarithm of observed / profiled latency; a bin `b` of the grid), the belief
//! `p(x)` of what it was at the inference before, and the log-slowdown `y` that the next inference shows, corrected by
//! `c` for what is known to be wrong in the profile of its configuration:
//!
//! ```text
//! predict   q(x) = sum over x' of p(x') T(x' -> x)                          T: see `dynamics`
//! weigh     r(x) = q(x) l(load | x) / sum over x of q(x) l(load | x)        l: see `relation`
//! choose    m(x) = (1 - w) q(x) + w r(x)                                    w: trust in the load
//!           P(late) = sum over x of m(x) P(y > log(available / profiled) - c | x)    f(y | x): see `noise`, and
//!                                                                                  `lateness` for what is available
//! observe   p(x) = q(x) f(y | x) / Q,   Q = sum over x of q(x) f(y | x)     (the blind belief)
//!           s(x) = r(x) f(y | x) / R,   R = sum over x of r(x) f(y | x)     (the sighted belief)
//!           w <- w R / (w R + (1 - w) Q), which then returns a little towards its stationary value
//! ```
//!
//! Two beliefs are kept, one without and one with the load, and weighed by how well each has predicted the latencies, so
//! that a load reading that lies loses its say. All parameters (of `T`, `l`, `f`, and `c`) are learned while it runs, by
//! online expectation-maximisation.
//!
//! Time is the time since the device's inference before ([`Situation::elapsed`]), in steps of [`INTERVAL`], at which the
//! constants were tuned: chances are chances per step, and what is remembered fades with the time that inferences have
//! observed. So it is the same whether one wearer's windows come every 1.28 s or two wearers' windows every 0.64 s, and
//! after a pause the belief is as wide as the pause was long. Only what belongs to a single inference counts inferences:
//! the noise, the corrections, and restraint.
//!
//! Sources: the Bayes filter and expectation-maximisation are textbook methods (Cappé, "Online EM algorithm for hidden
//! Markov models", 2011); weighing experts that may change is Herbster and Warmuth, "Tracking the best expert", 1998.

mod correction;
mod dynamics;
mod grid;
mod lateness;
mod learned;
mod noise;
mod normal;
mod profiled;
#[cfg(test)]
mod reference;
mod relation;
#[cfg(test)]
mod tests;

use std::time::Duration;

use correction::Corrections;
use dynamics::{Dynamics, Transition, within};
use grid::{BINS, Belief, Bins};
use lateness::Lateness;
use noise::Noise;
use profiled::{Left, Profiled};
use relation::Relation;

pub use learned::{Learned, LearnedError};

use super::{
    Available, Candidate, Choice, Estimate, Forecast, INTERVAL, Load, Policy, Resumed, Situation, Terms, pick, rungs,
};

/// Chance per step that the load becomes worth listening to, and that it ceases to be.
const TRUST_GAINED: f32 = 0.002;
const TRUST_LOST: f32 = 0.01;

/// Trust before anything is known. After a restart it is halfway there: the load may be read elsewhere.
const FIRST_TRUST: f32 = 0.1;

/// The readings of load that are listened to: CPU load, pressure and frequency.
const SIGNALS: usize = 3;

/// A late decision is worse than a guess by so many times what the ladder's best configuration has over its worst, and
/// by this accuracy at most: it was waited for. Where little can be gained, little caution is enough.
const CAUTION: f64 = 12.0;
const LARGEST_CAUTION: f64 = 0.6;

/// How fast restraint grows with misses beyond the target, and how far.
const RESTRAINT_GAIN: f64 = 0.2;
const LARGEST_RESTRAINT: f64 = 5.0;

/// The target holds on average; a single decision may be late with a probability of so many times the target.
const SINGLE_DECISION: f64 = 5.0;

/// The name under which what it learned is kept.
const NAME: &str = "bayes";

/// What is learned of the device, and outlives the process.
#[derive(Clone, Debug)]
struct Model {
    /// Inferences that it was learned from, before restarts too.
    windows: u64,
    corrections: Corrections,
    noise: Noise,
    dynamics: Dynamics,
    relations: [Relation; SIGNALS],
    /// How likely it is that the load is worth listening to, 0 to 1.
    trust: f32,
}

impl Model {
    /// Natural logarithm of true / profiled latency of `plan`, one of `profiled`; of a cascade, to first order.
    fn correction(&self, profiled: &[Profiled], plan: usize) -> f32 {
        let Some((pair, share)) = profiled[plan].cascade else { return self.corrections.log(plan) };
        share * self.corrections.log(pair.small) + (1.0 - share) * self.corrections.log(pair.large)
    }
}

/// Where the slowdown may be: from latencies alone, and with the load.
#[derive(Clone, Debug)]
struct Beliefs {
    blind: Belief,
    sighted: Belief,
}

impl Beliefs {
    /// Both of them `belief`.
    fn both(belief: &Belief) -> Self {
        Self { blind: belief.clone(), sighted: belief.clone() }
    }
}

/// What the last choice was made from, and places to work in; allocated once.
#[derive(Clone, Debug)]
struct Scratch {
    /// From the inference before to this one.
    transition: Transition,
    load: [Option<f64>; SIGNALS],
    /// The beliefs before the inference.
    next: Beliefs,
    /// Both of them, weighed by trust: what choices are made from.
    mixed: Belief,
    /// The slowdown that was expected.
    expected: f64,
    lead: Option<Duration>,
    lateness: Lateness,
    /// Logarithm of true / profiled latency of each plan.
    corrections: Vec<f32>,
    likelihood: Bins,
}

/// The Bayes policy.
#[derive(Clone, Debug)]
pub struct Bayes {
    candidates: Vec<Candidate>,
    profiled: Vec<Profiled>,
    ids: Vec<String>,
    guess_accuracy: f64,
    /// By how much accuracy a late decision is worse than a guess, whatever the miss target.
    caution: f64,
    /// By how much more, so that the average keeps to the miss target.
    restraint: f64,
    /// The configuration of the last inference.
    last: Option<usize>,
    model: Model,
    /// After the last inference.
    beliefs: Beliefs,
    scratch: Scratch,
}

/// Where the slowdown may be before anything is known: around 1, more likely above than below.
fn anywhere() -> Bins {
    let mut bins: Bins = std::array::from_fn(|bin| {
        let octaves = grid::log_slowdown(bin) / std::f32::consts::LN_2;
        // halves with each octave below 0.8, and with each second one above 4
        if octaves < -0.3 { (4.0 * (octaves + 0.3)).exp2() } else { (-0.5 * (octaves - 2.0).max(0.0)).exp2() }
    });
    let sum: f32 = bins.iter().sum();
    bins.iter_mut().for_each(|p| *p /= sum);
    bins
}

/// The slowdown is believed to be as an idle device's, give or take `noise`.
fn near_one(noise: &Noise) -> Belief {
    let mut belief = Belief([0.0; BINS]);
    noise.likelihood(grid::place(0.0), &mut belief.0);
    let sum: f32 = belief.0.iter().sum();
    belief.0.iter_mut().for_each(|p| *p /= sum);
    belief
}

/// See [`CAUTION`].
fn caution(candidates: &[Candidate]) -> f64 {
    let accuracies = || rungs(candidates).iter().map(|candidate| candidate.accuracy);
    let stakes = accuracies().fold(0.0, f64::max) - accuracies().fold(1.0, f64::min);
    (CAUTION * stakes).clamp(0.0, LARGEST_CAUTION)
}

impl Bayes {
    /// A filter over `candidates`, whose names are `ids`, that knows nothing yet.
    #[must_use]
    pub fn new(candidates: &[Candidate], ids: &[String], terms: &Terms) -> Self {
        let noise = Noise::new();
        let near_one = near_one(&noise);
        Self {
            candidates: candidates.to_vec(),
            profiled: Profiled::all(candidates),
            ids: ids.to_vec(),
            guess_accuracy: terms.guess_accuracy,
            caution: caution(candidates),
            restraint: 0.0,
            last: None,
            model: Model {
                windows: 0,
                corrections: Corrections::new(rungs(candidates).len()),
                noise,
                dynamics: Dynamics::new(anywhere()),
                relations: std::array::from_fn(|_| Relation::new()),
                trust: FIRST_TRUST,
            },
            beliefs: Beliefs::both(&near_one),
            scratch: Scratch {
                transition: Transition::default(),
                load: [None; SIGNALS],
                next: Beliefs::both(&near_one),
                mixed: near_one,
                expected: 1.0,
                lead: None,
                lateness: Lateness::new(candidates.len()),
                corrections: vec![0.0; candidates.len()],
                likelihood: [0.0; BINS],
            },
        }
    }

    /// Predicts the slowdown of the next inference, `elapsed` after the one before.
    fn predict(&mut self, elapsed: Duration, signals: &Load) {
        let Self { model, beliefs, scratch, .. } = self;
        // what is no share is no reading
        let share = |signal: Option<f64>| signal.filter(|share| (0.0..=1.0).contains(share));
        scratch.load = [signals.cpu, signals.pressure, signals.frequency].map(share);
        scratch.transition = model.dynamics.over(elapsed.as_secs_f32() / INTERVAL.as_secs_f32());
        let next = &mut scratch.next;
        model.dynamics.predict(&beliefs.blind, &scratch.transition, &mut next.blind);
        model.dynamics.predict(&beliefs.sighted, &scratch.transition, &mut next.sighted);
        if scratch.load.iter().any(Option::is_some) {
            let mut likelihood = relation::EVEN;
            for (relation, load) in model.relations.iter().zip(scratch.load) {
                if let Some(load) = load {
                    relation.weigh(load, &mut likelihood);
                }
            }
            relation::weigh_in(&mut next.sighted, &likelihood);
        }
        let trust = model.trust;
        let pairs = next.blind.0.iter().zip(&next.sighted.0);
        for (mixed, (blind, sighted)) in scratch.mixed.0.iter_mut().zip(pairs) {
            *mixed = blind + trust * (sighted - blind);
        }
    }

    /// The slowdown that the next inference of `plan` is expected to show.
    fn expected_slowdown(&self, plan: usize) -> f64 {
        let correction = self.model.correction(&self.profiled, plan);
        // most profiles are right as far as anybody can tell
        self.scratch.expected * if correction == 0.0 { 1.0 } else { f64::from(correction).exp() }
    }

    /// Learns how likely it is that the load is worth listening to: the latency had the probability `blind` without
    /// it, and `sighted` with it.
    fn learn_trust(&mut self, blind: f32, sighted: f32) {
        let before = self.model.trust;
        let (with, without) = (before * sighted, (1.0 - before) * blind);
        let trust = if with + without > 0.0 { with / (with + without) } else { before };
        // two states that change into each other
        let change = TRUST_GAINED + TRUST_LOST;
        let share = within(change, self.scratch.transition.steps) / change;
        let (gained, lost) = (share * TRUST_GAINED, share * TRUST_LOST);
        self.model.trust = trust * (1.0 - lost) + (1.0 - trust) * gained;
    }

    /// Learns how each reading of load goes with the slowdown.
    fn learn_relations(&mut self) {
        let Self { model, beliefs, scratch, .. } = self;
        if scratch.load.iter().all(Option::is_none) {
            return;
        }
        let classes = relation::classes(&beliefs.blind);
        let weight = scratch.transition.observed_steps();
        for (relation, load) in model.relations.iter_mut().zip(scratch.load) {
            if let Some(load) = load {
                relation.learn(load, &classes, weight);
            }
        }
    }
}

impl Policy for Bayes {
    fn choose(&mut self, situation: &Situation) -> Choice {
        self.predict(situation.elapsed, &situation.signals);
        let target = situation.demand.miss_target;
        let allowed = SINGLE_DECISION * target;
        let Self { profiled, model, scratch, .. } = self;
        let corrections = &mut scratch.corrections;
        corrections.iter_mut().enumerate().for_each(|(plan, log)| *log = model.correction(profiled, plan));
        let limit =
            |plan: usize, left: Left| grid::place(profiled[plan].log_largest_slowdown(left) - corrections[plan]);
        scratch.lateness.foretell(&model.noise.exceedance(&scratch.mixed), limit, situation, allowed);
        let late_worth = self.guess_accuracy - self.caution - self.restraint;
        let misses = self.scratch.lateness.misses();
        let (rung, reason) = pick(&misses, situation, allowed, late_worth);
        // neither what cannot be helped nor what the user has pinned teaches restraint
        if situation.demand.pinned.is_none() {
            let least = misses.own.iter().copied().fold(1.0, f64::min);
            let excess = situation.outlook[rung].miss(rung, misses.own) - target.max(least);
            self.restraint = (self.restraint + RESTRAINT_GAIN * excess).clamp(0.0, LARGEST_RESTRAINT);
        }
        (self.scratch.expected, self.scratch.lead) = (f64::from(self.scratch.mixed.mean()).exp(), situation.lead);
        Choice { plan: rung, reason, forecast: self.forecast(rung) }
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        let Self { model, beliefs, scratch, .. } = self;
        model.windows = model.windows.saturating_add(1);
        let slowdown = self.candidates[rung].slowdown(inference).max(1e-3);
        let slowdown = slowdown.ln() as f32 - model.correction(&self.profiled, rung);
        let observed = grid::place(slowdown).clamp(-1.0, BINS as f32);
        // of two inferences together nobody knows which one the profile is wrong about
        let single = Some(rung).filter(|rung| self.candidates[*rung].cascade.is_none());
        let switched =
            std::mem::replace(&mut self.last, single).filter(|last| single.is_some_and(|rung| rung != *last));
        let before = switched.map(|last| (last, beliefs.blind.moments()));
        let (next, likelihood) = (&scratch.next, &mut scratch.likelihood);
        model.noise.likelihood(observed, likelihood);
        let evidence = beliefs.blind.learn_from(&next.blind, likelihood);
        let sighted_evidence = beliefs.sighted.learn_from(&next.sighted, likelihood);

        let usual = model.noise.learn(observed, &next.blind, evidence);
        let jumped = model.dynamics.learn(&next.blind, &scratch.transition, likelihood, evidence, &beliefs.blind);
        if let Some((last, (mean, spread))) = before {
            let scatter = spread * spread + model.noise.sigma().powi(2);
            model.corrections.learn(last, rung, slowdown - mean, scatter, (1.0 - jumped) * usual);
        }
        self.learn_trust(evidence, sighted_evidence);
        self.learn_relations();
    }

    fn forecast(&self, rung: usize) -> Forecast {
        Forecast {
            predicted: self.candidates[rung].after_last(self.expected_slowdown(rung), self.scratch.lead),
            miss_probability: Some(self.scratch.lateness.all[rung]),
        }
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].slowed(self.expected_slowdown(rung))
    }

    fn in_time(&self, rung: usize, available: &Available, miss_target: f64) -> bool {
        let Self { profiled, model, scratch, .. } = self;
        let exceedance = model.noise.exceedance(&scratch.mixed);
        let correction = model.correction(profiled, rung);
        let late: f64 = available
            .parts()
            .iter()
            .map(|(left, share)| {
                let limit = profiled[rung].log_largest_slowdown(Left::new(*left, None)) - correction;
                let mut miss = [0.0];
                exceedance.exceed(&[grid::place(limit)], &mut miss);
                f64::from(*share) * miss[0]
            })
            .sum();
        available.nothing() + late <= SINGLE_DECISION * miss_target
    }

    fn slowdown(&self) -> Option<Estimate> {
        let (log_mean, log_spread) = self.beliefs.blind.moments();
        let mean = f64::from(log_mean.exp());
        // to first order
        Some(Estimate { mean, spread: mean * f64::from(log_spread) })
    }

    fn learned(&self, into: &mut Option<Learned>) {
        let learned = into.get_or_insert_with(|| Learned::blank(NAME));
        let model = &self.model;
        learned.windows = model.windows;
        learned.configurations.resize_with(rungs(&self.candidates).len(), Default::default);
        for (rung, kept) in learned.configurations.iter_mut().enumerate() {
            kept.set(&self.ids[rung], &self.candidates[rung], model.corrections.kept(rung));
        }
        learned.noise.clone_from(model.noise.evidence());
        model.dynamics.keep(&mut learned.dynamics);
        for (relation, readings) in model.relations.iter().zip(&mut learned.relations) {
            relation.keep(readings);
        }
        learned.trust = model.trust;
    }

    fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        if learned.policy() != NAME {
            return Ok(Resumed::Nothing);
        }
        learned.check()?;
        let whole = learned.fits(&self.ids, rungs(&self.candidates));
        let model = &mut self.model;
        model.windows = learned.windows();
        model.noise = Noise::resume(&learned.noise);
        // slowdowns and corrections are relative to a profile: of those under another one nothing is known any more
        if whole {
            model.dynamics = Dynamics::resume(&learned.dynamics, anywhere());
            for (rung, id) in self.ids[..rungs(&self.candidates).len()].iter().enumerate() {
                if let Some(kept) = learned.kept(id) {
                    model.corrections.resume(rung, kept.log, kept.variance);
                }
            }
            for (relation, readings) in model.relations.iter_mut().zip(&learned.relations) {
                *relation = Relation::resume(readings);
            }
            model.trust = FIRST_TRUST + 0.5 * (learned.trust - FIRST_TRUST);
        } else {
            model.dynamics = Dynamics::resume(&learned.dynamics.without_levels(), anywhere());
        }
        let belief = model.dynamics.restarted(&near_one(&model.noise));
        self.beliefs = Beliefs::both(&belief);
        self.scratch.next = Beliefs::both(&belief);
        self.scratch.mixed = belief;
        self.last = None;
        Ok(if whole { Resumed::Whole } else { Resumed::WithoutProfile })
    }
}
