//! Always the same configuration.

use std::time::Duration;

use super::{Candidate, Choice, Policy, Reason, Situation};

/// Picks one configuration whatever happens; its prediction is the profile's.
#[derive(Debug)]
pub struct Fixed {
    rung: usize,
    candidates: Vec<Candidate>,
}

impl Fixed {
    /// Always `rung` of `candidates`.
    #[must_use]
    pub fn new(candidates: &[Candidate], rung: usize) -> Self {
        Self { rung, candidates: candidates.to_vec() }
    }
}

impl Policy for Fixed {
    fn choose(&mut self, situation: &Situation) -> Choice {
        let (rung, reason) = match situation.demand.pinned {
            Some(pinned) => (pinned, Reason::Pinned),
            None => (self.rung, Reason::Fixed),
        };
        Choice { rung, reason, predicted: self.candidates[rung].latency, miss_probability: None }
    }

    fn observe(&mut self, _: usize, _: Duration) {}

    fn slowdown(&self) -> Option<f64> {
        None
    }
}
