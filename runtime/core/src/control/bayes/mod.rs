//! A Bayes filter over a grid of log-slowdowns; gaitd's own policy, and its default.
//!
//! The slowdown is believed to mostly stay, to drift a little and to jump now and then; a latency scatters around it
//! with a normal core and a heavy tail. All parameters of both are learned while it runs, by online
//! expectation-maximisation: how often jumps come (by the age of the level), where they lead, how latencies scatter.
//!
//! Signals of load are a second observation, which comes before the inference. How each goes with the slowdown is
//! learned from the latencies. Two beliefs are kept, one with and one without the signals, and weighed by how well each
//! has foretold the latencies, so that a signal that lies loses its say.
//!
//! Sources: the Bayes filter and expectation-maximisation are textbook methods (Cappé, "Online EM algorithm for hidden
//! Markov models", 2011); weighing experts that may change is Herbster and Warmuth, "Tracking the best expert", 1998.

mod correction;
mod dynamics;
mod grid;
mod learned;
mod noise;
mod normal;
#[cfg(test)]
mod reference;
mod relation;
#[cfg(test)]
mod tests;

use std::time::Duration;

use correction::Corrections;
use dynamics::Dynamics;
use grid::{BINS, Belief, Bins};
use noise::Noise;
use relation::Relation;

pub use learned::{Learned, LearnedError};

use super::{Candidate, Choice, Estimate, Forecast, Policy, Resumed, Signals, Situation, Terms, pick};

/// Chance per window that the signals become worth listening to, and that they cease to be.
const TRUST_GAINED: f32 = 0.002;
const TRUST_LOST: f32 = 0.01;

/// Trust before anything is known. After a restart it is halfway there: the signals may come from elsewhere.
const FIRST_TRUST: f32 = 0.1;

/// The signals that are listened to.
const SIGNALS: usize = 3;

/// A late decision is worse than a guess by so many times what the ladder's best configuration has over its worst, and
/// by this accuracy at most: somebody has waited for it. Where little can be gained, little caution is enough.
const CAUTION: f64 = 12.0;
const LARGEST_CAUTION: f64 = 0.6;

/// How fast restraint grows with misses beyond the target, and how far.
const RESTRAINT_GAIN: f64 = 0.2;
const LARGEST_RESTRAINT: f64 = 5.0;

/// The target holds on average; a single decision may be late with a probability of so many times the target.
const SINGLE_DECISION: f64 = 5.0;

/// The name under which what it learned is kept.
const NAME: &str = "bayes";

/// The Bayes policy.
#[derive(Clone, Debug)]
pub struct Bayes {
    candidates: Vec<Candidate>,
    ids: Vec<String>,
    /// Windows that it learned from, before restarts too.
    windows: u64,
    guess_accuracy: f64,
    /// By how much accuracy a late decision is worse than a guess, whatever the miss target.
    caution: f64,
    /// By how much more, so that the average keeps to the miss target.
    restraint: f64,
    corrections: Corrections,
    /// The configuration of the last inference.
    last: Option<usize>,
    noise: Noise,
    dynamics: Dynamics,
    relations: [Relation; SIGNALS],
    /// What is believed of the last window from latencies alone, and with the signals.
    blind: Belief,
    sighted: Belief,
    /// What is believed of the next window before its inference, in the same order.
    blind_next: Belief,
    sighted_next: Belief,
    /// How likely it is that the signals are worth listening to, 0 to 1.
    trust: f32,
    /// The signals that the last choice saw, and the chance of a jump that it reckoned with.
    signals: [Option<f64>; SIGNALS],
    hazard: f32,
    /// The belief that choices are made from: `blind_next` and `sighted_next`, weighed.
    mixed: Belief,
    likelihood: Bins,
    /// The logarithm of the slowdown that the last choice expected.
    expected: f32,
    limits: Vec<f32>,
    misses: Vec<f64>,
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
    let accuracies = || candidates.iter().map(|candidate| candidate.accuracy);
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
            ids: ids.to_vec(),
            windows: 0,
            guess_accuracy: terms.guess_accuracy,
            caution: caution(candidates),
            restraint: 0.0,
            corrections: Corrections::new(candidates.len()),
            last: None,
            noise,
            dynamics: Dynamics::new(anywhere()),
            relations: std::array::from_fn(|_| Relation::new()),
            blind: near_one.clone(),
            sighted: near_one.clone(),
            blind_next: near_one.clone(),
            sighted_next: near_one.clone(),
            trust: FIRST_TRUST,
            signals: [None; SIGNALS],
            hazard: 0.0,
            mixed: near_one,
            likelihood: [0.0; BINS],
            expected: 0.0,
            limits: vec![0.0; candidates.len()],
            misses: vec![0.0; candidates.len()],
        }
    }

    /// Foretells the next window.
    fn predict(&mut self, signals: &Signals) {
        // what is no share is no reading
        let share = |signal: Option<f64>| signal.filter(|share| (0.0..=1.0).contains(share));
        self.signals = [signals.cpu, signals.pressure, signals.frequency].map(share);
        self.hazard = self.dynamics.hazard();
        self.dynamics.predict(&self.blind, self.hazard, &mut self.blind_next);
        self.dynamics.predict(&self.sighted, self.hazard, &mut self.sighted_next);
        if self.signals.iter().any(Option::is_some) {
            let mut likelihood = relation::EVEN;
            for (relation, signal) in self.relations.iter().zip(self.signals) {
                if let Some(signal) = signal {
                    relation.weigh(signal, &mut likelihood);
                }
            }
            relation::weigh_in(&mut self.sighted_next, &likelihood);
        }
        let trust = self.trust;
        for (mixed, (blind, sighted)) in self.mixed.0.iter_mut().zip(self.blind_next.0.iter().zip(&self.sighted_next.0))
        {
            *mixed = blind + trust * (sighted - blind);
        }
    }
}

impl Policy for Bayes {
    fn choose(&mut self, situation: &Situation) -> Choice {
        self.predict(&situation.signals);
        let available = situation.available.as_secs_f32().max(1e-9);
        for (rung, (limit, candidate)) in self.limits.iter_mut().zip(&self.candidates).enumerate() {
            let ratio = available / candidate.latency.as_secs_f32().max(1e-9);
            *limit = grid::place(ratio.ln() - self.corrections.log(rung));
        }
        self.noise.exceed(&self.mixed, &self.limits, &mut self.misses);
        let target = situation.demand.miss_target;
        let late_worth = self.guess_accuracy - self.caution - self.restraint;
        let (rung, reason) = pick(&self.misses, situation, SINGLE_DECISION * target, late_worth);
        // neither what cannot be helped nor what the user has pinned teaches restraint
        if situation.demand.pinned.is_none() {
            let least = self.misses.iter().copied().fold(1.0, f64::min);
            let excess = self.misses[rung] - target.max(least);
            self.restraint = (self.restraint + RESTRAINT_GAIN * excess).clamp(0.0, LARGEST_RESTRAINT);
        }
        self.expected = self.mixed.mean();
        Choice { rung, reason, forecast: self.forecast(rung) }
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        self.windows = self.windows.saturating_add(1);
        let slowdown = self.candidates[rung].slowdown(inference).max(1e-3);
        let slowdown = slowdown.ln() as f32 - self.corrections.log(rung);
        let observed = grid::place(slowdown).clamp(-1.0, BINS as f32);
        let switched = self.last.replace(rung).filter(|last| *last != rung);
        let before = switched.map(|last| (last, self.blind.moments()));
        self.noise.likelihood(observed, &mut self.likelihood);
        let foretold = self.blind.learn_from(&self.blind_next, &self.likelihood);
        let foretold_sighted = self.sighted.learn_from(&self.sighted_next, &self.likelihood);

        let (with, without) = (self.trust * foretold_sighted, (1.0 - self.trust) * foretold);
        let trust = if with + without > 0.0 { with / (with + without) } else { self.trust };
        self.trust = trust * (1.0 - TRUST_LOST) + (1.0 - trust) * TRUST_GAINED;

        let usual = self.noise.learn(observed, &self.blind_next, foretold);
        let jumped = self.dynamics.learn(&self.blind_next, self.hazard, &self.likelihood, foretold, &self.blind);
        if let Some((last, (mean, spread))) = before {
            let scatter = spread * spread + self.noise.sigma().powi(2);
            self.corrections.learn(last, rung, slowdown - mean, scatter, (1.0 - jumped) * usual);
        }
        if self.signals.iter().any(Option::is_some) {
            let classes = relation::classes(&self.blind);
            for (relation, signal) in self.relations.iter_mut().zip(self.signals) {
                if let Some(signal) = signal {
                    relation.learn(signal, &classes);
                }
            }
        }
    }

    fn forecast(&self, rung: usize) -> Forecast {
        let slowdown = self.expected + self.corrections.log(rung);
        Forecast {
            predicted: self.candidates[rung].slowed(f64::from(slowdown.exp())),
            miss_probability: Some(self.misses[rung]),
        }
    }

    fn slowdown(&self) -> Option<Estimate> {
        let (log_mean, log_spread) = self.blind.moments();
        let mean = f64::from(log_mean.exp());
        // to first order
        Some(Estimate { mean, spread: mean * f64::from(log_spread) })
    }

    fn learned(&self, into: &mut Option<Learned>) {
        let learned = into.get_or_insert_with(|| Learned::blank(NAME));
        learned.windows = self.windows;
        learned.configurations.resize_with(self.ids.len(), Default::default);
        for (rung, kept) in learned.configurations.iter_mut().enumerate() {
            kept.set(&self.ids[rung], &self.candidates[rung], self.corrections.kept(rung));
        }
        learned.noise.clone_from(self.noise.evidence());
        self.dynamics.keep(&mut learned.dynamics);
        for (relation, readings) in self.relations.iter().zip(&mut learned.relations) {
            relation.keep(readings);
        }
        learned.trust = self.trust;
    }

    fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        if learned.policy() != NAME {
            return Ok(Resumed::Nothing);
        }
        learned.check()?;
        let whole = learned.fits(&self.ids, &self.candidates);
        self.windows = learned.windows();
        self.noise = Noise::resume(&learned.noise);
        // slowdowns and corrections are relative to a profile: of those under another one nothing is known any more
        if whole {
            self.dynamics = Dynamics::resume(&learned.dynamics, anywhere());
            for (rung, id) in self.ids.iter().enumerate() {
                if let Some(kept) = learned.kept(id) {
                    self.corrections.resume(rung, kept.log, kept.variance);
                }
            }
            for (relation, readings) in self.relations.iter_mut().zip(&learned.relations) {
                *relation = Relation::resume(readings);
            }
            self.trust = FIRST_TRUST + 0.5 * (learned.trust - FIRST_TRUST);
        } else {
            self.dynamics = Dynamics::resume(&learned.dynamics.without_levels(), anywhere());
        }
        let belief = self.dynamics.restarted(&near_one(&self.noise));
        for before in [&mut self.blind, &mut self.sighted, &mut self.blind_next, &mut self.sighted_next] {
            before.0 = belief.0;
        }
        self.mixed = belief;
        self.last = None;
        Ok(if whole { Resumed::Whole } else { Resumed::WithoutProfile })
    }
}
