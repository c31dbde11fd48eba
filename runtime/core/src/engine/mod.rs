//! The engine: one decision for one window. It has no threads, no I/O and no state that anything else changes: load,
//! settings, what windows cost beside their inferences and the clock come in as arguments of [`Engine::decide`], and what
//! goes wrong is returned. [`Engine::begin`] does most of an inference before its window is complete.
//!
//! An [`Engine`] belongs to a device: it holds a ladder, the policy, and what that has learned of the processor. A
//! [`Wearer`] belongs to a stream: what is believed of the wearer's activity, gaps in the stream, and the buffers in
//! which its windows are inferred. One engine decides the windows of any number of wearers.

mod accuracy;
mod begin;
mod decide;
mod decision;
mod device;
mod phase;
mod settings;
mod softmax;
mod wearer;

use std::time::Duration;

pub use decide::{DecideError, Inputs};
pub use decision::{Beside, Considered, Decision, Head};
pub use device::SettingsError;
pub use phase::Phase;
pub use settings::{ControlConfig, LONGEST_BUDGET, Settings};
pub use softmax::{largest, softmax};
pub use wearer::Wearer;

use crate::control::{Candidate, Learned, LearnedError, Outlook, PolicyError, Resumed};
use crate::ladder::{Ladder, Profile};
use accuracy::Accuracies;
use device::Device;

/// Decides windows by one ladder on one device.
pub struct Engine {
    ladder: Ladder,
    accuracies: Accuracies,
    device: Device,
    /// One entry per configuration, for the window at hand.
    outlook: Vec<Outlook>,
    /// Inferences can begin when so many of a window's samples are missing; 0 where they cannot.
    missing: usize,
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
        let ids: Vec<String> = manifest.configurations.iter().map(|c| c.id.clone()).collect();
        // a configuration without a profile would be a guess: expect the worst of it
        let latency = |id: &str| profile.expected(id).unwrap_or(settings.budget);
        let halves = |rung: usize| profile.halves(&ladder, rung, missing).filter(|_| missing > 0);
        let candidate = |(rung, (id, accuracy)): (usize, (&String, &f64))| Candidate {
            accuracy: *accuracy,
            latency: latency(id),
            halves: halves(rung),
        };
        let candidates: Vec<Candidate> = ids.iter().zip(accuracies.overall()).enumerate().map(candidate).collect();
        let begins = candidates.iter().all(|candidate| candidate.halves.is_some());
        let hop = Duration::from_secs_f64(manifest.task.hop as f64 / manifest.task.sample_rate_hz);
        let outlook = vec![Outlook { accuracy: 0.0, cost: Duration::ZERO }; ids.len()];
        let accuracy = (manifest.guess_accuracy(), manifest.knows_accuracy());
        let device = Device::new(ids, candidates, accuracy, hop, settings)?;
        Ok(Self { ladder, accuracies, device, outlook, missing: if begins { missing } else { 0 } })
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

    /// How long the next inference is expected to take at the least: that of the configuration that the policy would pick
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
