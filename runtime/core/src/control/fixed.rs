//! Always the same configuration.

use std::time::Duration;

use super::{Candidate, Choice, Estimate, Forecast, Policy, Reason, Situation};

/// Picks one configuration whatever happens; its prediction is the profile's.
#[derive(Debug)]
pub struct Fixed {
    rung: usize,
    candidates: Vec<Candidate>,
    /// Until the window's last sample, when it was asked last.
    lead: Option<Duration>,
}

impl Fixed {
    /// Always `rung` of `candidates`.
    #[must_use]
    pub fn new(candidates: &[Candidate], rung: usize) -> Self {
        Self { rung, candidates: candidates.to_vec(), lead: None }
    }
}

impl Policy for Fixed {
    fn choose(&mut self, situation: &Situation) -> Choice {
        self.lead = situation.lead;
        let (rung, reason) = match situation.demand.pinned {
            Some(pinned) => (pinned, Reason::Pinned),
            None => (self.rung, Reason::Fixed),
        };
        Choice { plan: rung, reason, forecast: self.forecast(rung) }
    }

    fn only(&self) -> Option<usize> {
        Some(self.rung)
    }

    fn observe(&mut self, _: usize, _: Duration) {}

    fn forecast(&self, rung: usize) -> Forecast {
        self.candidates[rung].profiled(self.lead)
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].latency
    }

    fn slowdown(&self) -> Option<Estimate> {
        None
    }
}
