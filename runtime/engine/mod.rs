//! The engine: choose, resample, infer, observe, for one stream. No threads and no I/O; time and load come in as
//! arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::control::{
    Candidate, Choice, Demand, Learned, LearnedError, Outlook, Policy, PolicyError, PolicySpec, Reason, Resumed,
    Signals, Situation, Terms,
};
use crate::ladder::{InferenceError, Ladder, Profile};
use crate::sense::Clock;
use crate::window::Window;

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Number of the window in its stream, from 0; dropped windows count.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// Stream time of the raw sample that completed the window, seconds, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// Index of the recognised activity among the labels.
    pub activity: usize,
    /// Probability of each label.
    pub probabilities: Vec<f32>,
    /// The configuration and why it was picked.
    pub choice: Choice,
    /// The policy's estimate of the slowdown when it picked.
    pub slowdown: Option<f64>,
    /// The signals that the policy saw.
    pub signals: Signals,
    /// From the arrival of the last sample to the published decision.
    pub budget: Duration,
    /// Clock time at which the window's last sample arrived.
    pub arrived: Duration,
    /// From there to a complete, conditioned window.
    pub condition: Duration,
    /// From there until the engine took it.
    pub wait: Duration,
    /// Picking the configuration and resampling.
    pub prepare: Duration,
    /// The inference.
    pub infer: Duration,
    /// Clock time at which the decision was there.
    pub decided: Duration,
}

impl Decision {
    /// A decision for `labels` activities, to be filled.
    #[must_use]
    pub fn empty(labels: usize) -> Self {
        Self {
            window: 0,
            samples: (0, 0),
            time_s: None,
            activity: 0,
            probabilities: vec![0.0; labels],
            choice: Choice { rung: 0, reason: Reason::Start, predicted: Duration::ZERO, miss_probability: None },
            slowdown: None,
            signals: Signals::NONE,
            budget: Duration::ZERO,
            arrived: Duration::ZERO,
            condition: Duration::ZERO,
            wait: Duration::ZERO,
            prepare: Duration::ZERO,
            infer: Duration::ZERO,
            decided: Duration::ZERO,
        }
    }
}

/// How long publishing is expected to take, told by whoever publishes and set aside by the engine.
#[derive(Clone, Debug, Default)]
pub struct PublishReserve(Arc<AtomicU64>);

impl PublishReserve {
    /// Learns that publishing one decision took `latency`. The reserve follows a rise at once and forgets it slowly.
    pub fn observe(&self, latency: Duration) {
        let latest = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let faded = self.0.load(Ordering::Relaxed);
        self.0.store(latest.max(faded - faded / 32), Ordering::Relaxed);
    }

    /// The time to set aside.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Runs one ladder under one policy for one stream.
pub struct Engine {
    ladder: Ladder,
    policy: Box<dyn Policy>,
    demand: Demand,
    outlook: Vec<Outlook>,
    reserve: PublishReserve,
    logits: Vec<f32>,
}

impl Engine {
    /// An engine that runs `ladder`, whose latencies on this device are `profile`'s, under the policy of `spec`.
    ///
    /// # Errors
    /// When the policy cannot be made for this ladder.
    pub fn new(
        ladder: Ladder,
        profile: &Profile,
        spec: &PolicySpec,
        demand: Demand,
        reserve: PublishReserve,
    ) -> Result<Self, PolicyError> {
        let (ids, candidates): (Vec<String>, Vec<Candidate>) = ladder
            .rungs()
            .iter()
            .map(|rung| {
                let configuration = rung.configuration();
                // a configuration without a profile would be a guess: expect the worst of it
                let latency = profile.expected(&configuration.id).unwrap_or(demand.budget);
                (configuration.id.clone(), Candidate { accuracy: configuration.accuracy.validation, latency })
            })
            .unzip();
        let terms = Terms { budget: demand.budget, guess_accuracy: ladder.manifest().guess_accuracy() };
        let policy = spec.make(&candidates, &ids, &terms)?;
        let outlook = candidates.iter().map(|c| Outlook { accuracy: c.accuracy, cost: c.latency }).collect();
        let logits = vec![0.0; ladder.manifest().task.labels.len()];
        Ok(Self { ladder, policy, demand, outlook, reserve, logits })
    }

    /// The ladder that this engine runs.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Writes what the policy has learned of this device into `into`; see [`Policy::learned`].
    pub fn learned(&self, into: &mut Option<Learned>) {
        self.policy.learned(into);
    }

    /// Goes on from what was learned in an earlier run; see [`Policy::resume`].
    ///
    /// # Errors
    /// When it is nothing that can have been learned; the policy is then as it was before.
    pub fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        self.policy.resume(learned)
    }

    /// Decides one window; fills `decision`.
    ///
    /// # Errors
    /// When the inference fails; the window then has no decision, and the policy learns nothing from it.
    pub fn decide(
        &mut self,
        window: &Window,
        signals: Signals,
        clock: &dyn Clock,
        decision: &mut Decision,
    ) -> Result<(), InferenceError> {
        let taken = clock.now();
        let spent = taken.saturating_sub(window.arrived) + self.reserve.get();
        let available = self.demand.budget.saturating_sub(spent);
        let slowdown = self.policy.slowdown();
        let choice = self.policy.choose(&Situation {
            demand: &self.demand,
            available,
            signals,
            outlook: &self.outlook,
            cost_limit: Duration::MAX,
        });
        let rung = &mut self.ladder.rungs_mut()[choice.rung];
        rung.resample(window.samples());
        let prepared = clock.now();
        rung.infer(&mut self.logits)?;
        let inferred = clock.now();
        let infer = inferred.saturating_sub(prepared);
        self.policy.observe(choice.rung, infer);

        decision.activity = softmax(&self.logits, &mut decision.probabilities);
        decision.window = window.index;
        decision.samples = (window.first_sample, window.last_sample);
        decision.time_s = window.time_s;
        decision.choice = choice;
        decision.slowdown = slowdown;
        decision.signals = signals;
        decision.budget = self.demand.budget;
        decision.arrived = window.arrived;
        decision.condition = window.completed.saturating_sub(window.arrived);
        decision.wait = taken.saturating_sub(window.completed);
        decision.prepare = prepared.saturating_sub(taken);
        decision.infer = infer;
        decision.decided = clock.now();
        Ok(())
    }
}

/// The index of the largest of `logits`; of equal ones the first.
#[must_use]
pub fn largest(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, label| if logits[label] > logits[best] { label } else { best })
}

/// Writes the softmax of `logits` into `probabilities` and returns the index of the largest.
fn softmax(logits: &[f32], probabilities: &mut [f32]) -> usize {
    let best = largest(logits);
    let highest = logits[best];
    let mut sum = 0.0;
    for (probability, logit) in probabilities.iter_mut().zip(logits) {
        *probability = (logit - highest).exp();
        sum += *probability;
    }
    for probability in probabilities {
        *probability /= sum;
    }
    best
}
