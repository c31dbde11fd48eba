//! What the Bayes policy has learned, in the form in which it outlives the process.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SIGNALS;
use super::correction::Corrections;
use super::dynamics::Habits;
use super::noise::Evidence;
use super::relation::Readings;
use crate::control::Candidate;

/// Version of the form, and of the grids that it is about: raise it when one of them changes.
const SCHEMA: u32 = 1;

/// What was kept cannot be gone on from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LearnedError(pub(super) String);

/// What a policy has learned of this device: how wrong the profile is, how latencies scatter, when the slowdown jumps
/// and whereto, and how the load goes with it.
///
/// What is believed of the present is not part of it. Corrections belong to configurations by their names, and all that
/// was measured against a profile ends with it: each configuration's profiled latency is kept too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    schema: u32,
    /// The policy that learned.
    policy: String,
    /// Windows that it learned from.
    pub(super) windows: u64,
    pub(super) configurations: Vec<Correction>,
    pub(super) noise: Evidence,
    pub(super) dynamics: Habits,
    /// Of CPU load, pressure and frequency.
    pub(super) relations: [Readings; SIGNALS],
    /// How likely it is that the load is worth listening to, 0 to 1.
    pub(super) trust: f32,
}

/// How wrong the profile is about one configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Correction {
    pub(super) id: String,
    /// The latency that the correction is about, nanoseconds.
    pub(super) profiled_ns: u64,
    /// What the evidence adds up to: natural logarithm of true / profiled latency.
    pub(super) log: f32,
    pub(super) variance: f32,
}

/// A latency in the form in which it is kept.
fn nanoseconds(latency: Duration) -> u64 {
    u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)
}

impl Correction {
    /// Writes what is to be kept of one configuration; allocates only where this has held nothing yet.
    pub(super) fn set(&mut self, id: &String, candidate: &Candidate, (log, variance): (f32, f32)) {
        self.id.clone_from(id);
        self.profiled_ns = nanoseconds(candidate.latency);
        (self.log, self.variance) = (log, variance);
    }
}

impl Learned {
    /// Nothing, learned by the policy named `policy`.
    pub(super) fn blank(policy: &str) -> Self {
        Self {
            schema: SCHEMA,
            policy: policy.to_owned(),
            windows: 0,
            configurations: Vec::new(),
            noise: Evidence::default(),
            dynamics: Habits::default(),
            relations: Default::default(),
            trust: 0.0,
        }
    }

    /// Reads what [`serde_json`] wrote of this type.
    ///
    /// # Errors
    /// When it is damaged, from another version, or nothing that can have been learned.
    pub fn from_json(bytes: &[u8]) -> Result<Self, LearnedError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let damaged = |error: serde_json::Error| LearnedError(error.to_string());
        // first, since another version may have other fields
        let Version { schema } = serde_json::from_slice(bytes).map_err(damaged)?;
        if schema != SCHEMA {
            return Err(LearnedError(format!("schema is {schema}, and this gaitd reads schema {SCHEMA}")));
        }
        let learned: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        learned.check()?;
        Ok(learned)
    }

    /// Checks that all of it can have been learned.
    pub(super) fn check(&self) -> Result<(), LearnedError> {
        let check = || {
            for Correction { id, log, variance, .. } in &self.configurations {
                if !Corrections::plausible(*log, *variance) {
                    return Err(format!("{id} cannot be corrected by exp({log}) with a variance of {variance}"));
                }
            }
            self.noise.check()?;
            self.dynamics.check()?;
            self.relations.iter().try_for_each(Readings::check)?;
            if !(0.0..=1.0).contains(&self.trust) {
                return Err(format!("trust is {}, and must be a share from 0 to 1", self.trust));
            }
            Ok(())
        };
        check().map_err(LearnedError)
    }

    /// The policy that learned, as configurations name it.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Windows that it learned from, all runs together.
    #[must_use]
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// True / profiled latency of the configuration `id`, whose profiled latency is `profiled`, as the evidence stands;
    /// the policy lets 3 % of it pass. `None` where nothing is known of that, or the profile was another.
    #[must_use]
    pub fn correction(&self, id: &str, profiled: Duration) -> Option<f64> {
        let kept = self.kept(id)?;
        (kept.profiled_ns == nanoseconds(profiled) && Corrections::known(kept.variance))
            .then(|| f64::from(kept.log).exp())
    }

    pub(super) fn kept(&self, id: &str) -> Option<&Correction> {
        self.configurations.iter().find(|kept| kept.id == id)
    }

    /// Whether it was learned with the profile that `candidates`, named `ids`, come from: all configurations that both
    /// know have the same profiled latency, and there is one at least.
    #[must_use]
    pub fn fits(&self, ids: &[String], candidates: &[Candidate]) -> bool {
        let mut shared = ids
            .iter()
            .zip(candidates)
            .filter_map(|(id, candidate)| Some((self.kept(id)?.profiled_ns, nanoseconds(candidate.latency))))
            .peekable();
        shared.peek().is_some() && shared.all(|(then, now)| then == now)
    }
}
