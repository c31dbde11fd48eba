//! The engine: one decision for one window. It has no threads, no I/O and no state that anything else changes: load,
//! settings, what windows cost beside their inferences and the clock come in as arguments of [`Engine::decide`], and what
//! goes wrong is returned. [`Engine::begin`] does most of an inference before its window is complete.
//!
//! An [`Engine`] belongs to a device: it holds a ladder, the policy, and what that has learned of the processor. A
//! [`Wearer`] belongs to a stream: what is believed of the wearer's activity, gaps in the stream, and the buffers in
//! which its windows are inferred. One engine decides the windows of any number of wearers.

mod accuracy;
mod begin;
mod cascade;
mod decide;
mod decision;
mod device;
mod diary;
mod moment;
mod phase;
mod revision;
mod settings;
mod softmax;
mod wearer;

use std::time::Duration;

pub use cascade::{Escalation, Second};
pub use decide::{DecideError, Inputs};
pub use decision::{Beside, Considered, Decision, Head, Instant};
pub use device::SettingsError;
pub use diary::Diary;
pub use phase::Phase;
pub use revision::Revision;
pub use settings::{ControlConfig, LONGEST_BUDGET, LONGEST_LAG, Settings};
pub use softmax::{largest, softmax};
pub use wearer::Wearer;

use crate::control::{Candidate, Learned, LearnedError, Outlook, PolicyError, Resumed};
use crate::ladder::{Cascade, InferenceError, Ladder, Profile};
use accuracy::Accuracies;
use device::{Device, Planned};

/// Decides windows by one ladder on one device.
pub struct Engine {
    ladder: Ladder,
    accuracies: Accuracies,
    device: Device,
    /// One entry per plan that may be picked, for the window at hand.
    outlook: Vec<Outlook>,
    /// Inferences can begin when so many of a window's samples are missing; 0 where they cannot.
    missing: usize,
    /// What the latest second inference of a cascade failed for, until that is told.
    fault: Option<InferenceError>,
}

impl Engine {
    /// An engine that picks among the configurations of `ladder`, whose latencies on this device are `profile`'s, and
    /// that is first asked for what `settings` demand. Its inferences can begin without a window's last `missing` samples, where
    /// that is not 0 and all configurations of the ladder can.
    ///
    /// # Errors
    /// When a setting is out of range, or the policy cannot be made for this ladder.
    pub fn new(ladder: Ladder, profile: &Profile, settings: &Settings, missing: usize) -> Result<Self, PolicyError> {
        let manifest = ladder.manifest();
        let accuracies = Accuracies::new(manifest);
        let plans = manifest.plans();
        let ids = &plans[..manifest.configurations.len()];
        // a configuration without a profile would be a guess: expect the worst of it
        let latency = |id: &str| profile.expected(id).unwrap_or(settings.budget);
        let halves = |rung: usize| profile.halves(&ladder, rung, missing).filter(|_| missing > 0);
        let candidate = |(rung, (id, accuracy)): (usize, (&String, &f64))| Candidate {
            accuracy: *accuracy,
            latency: latency(id),
            halves: halves(rung),
            cascade: None,
        };
        let mut candidates: Vec<Candidate> = ids.iter().zip(accuracies.overall()).enumerate().map(candidate).collect();
        let begins = candidates.iter().all(|candidate| candidate.halves.is_some());
        let hop = Duration::from_secs_f64(manifest.task.hop as f64 / manifest.task.sample_rate_hz);
        let planned = |cascade: &Cascade| {
            let pair = manifest.pair(cascade)?;
            Some(Planned { pair, threshold: cascade.threshold, gain: cascade.gain, escalates: cascade.escalates })
        };
        let cascades: Vec<Planned> = manifest.cascades.iter().filter_map(planned).collect();
        for cascade in &cascades {
            let (small, large) = (&candidates[cascade.pair.small], &candidates[cascade.pair.large]);
            let accuracy = cascade.accuracy(small.accuracy, large.accuracy);
            candidates.push(Candidate::cascade(cascade.pair, small, large, accuracy));
        }
        let outlook = Vec::with_capacity(plans.len());
        let accuracy = (manifest.guess_accuracy(), manifest.knows_accuracy());
        let device = Device::new(plans, candidates, cascades, accuracy, hop, settings)?;
        Ok(Self { ladder, accuracies, device, outlook, missing: if begins { missing } else { 0 }, fault: None })
    }

    /// The ladder that this engine runs.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Without how many of a window's last samples its inferences can begin; 0 where they begin when it is complete.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// How long the next inference is expected to take at the least: that of the plan that the policy would pick
    /// however little time there is.
    #[must_use]
    pub fn quickest(&self) -> Duration {
        self.device.quickest()
    }

    /// Writes what the policy has learned of this device into `into`; see [`Policy::learned`].
    ///
    /// [`Policy::learned`]: crate::control::Policy::learned
    pub fn learned(&self, into: &mut Option<Learned>) {
        self.device.learned(into);
    }

    /// Goes on from what was learned in an earlier run; see [`Policy::resume`].
    ///
    /// [`Policy::resume`]: crate::control::Policy::resume
    ///
    /// # Errors
    /// When it is nothing that can have been learned; the policy is then as it was before.
    pub fn resume(&mut self, learned: &Learned) -> Result<Resumed, LearnedError> {
        self.device.resume(learned)
    }

    /// Goes on from what `before` has learned, as far as that helps: an engine of the same ladder and profile on the
    /// same device.
    ///
    /// # Errors
    /// When it is nothing that can have been learned; this engine then starts afresh.
    pub fn take_over(&mut self, before: &Self) -> Result<(), LearnedError> {
        self.device.take_over(&before.device)
    }
}
