//! Always the same configuration.

use std::time::Duration;

use super::{Candidate, Choice, Policy, Reason, Situation};

/// Picks one configuration whatever happens; its prediction is the profile's.
#[derive(Debug)]
pub struct Fixed {
    rung: usize,
    profiled: Duration,
}

impl Fixed {
    /// Always `rung` of `candidates`.
    #[must_use]
    pub fn new(candidates: &[Candidate], rung: usize) -> Self {
        Self { rung, profiled: candidates[rung].latency }
    }
}

impl Policy for Fixed {
    fn choose(&mut self, _: &Situation) -> Choice {
        Choice { rung: self.rung, reason: Reason::Fixed, predicted: self.profiled, miss_probability: None }
    }

    fn observe(&mut self, _: usize, _: Duration) {}

    fn slowdown(&self) -> Option<f64> {
        None
    }
}
