//! The stepping policy of the paper (Qin, Zhang et al., IEEE TKDE 2024): keep the average inference time inside
//! `[budget - band, budget]`, one rung at a time.
//!
//! It is the baseline of its kind: it knows neither the profile's latencies beyond their order nor the load, and it is
//! late for several windows after each rise in load.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Candidate, Choice, Estimate, Forecast, Policy, Reason, Situation, most_accurate, rungs};

/// Steps one rung down when the average inference was above the budget, one up when it was below the band.
#[derive(Debug)]
pub struct Step {
    /// Rung indices from the fastest to the slowest.
    order: Vec<usize>,
    candidates: Vec<Candidate>,
    /// Place in `order`.
    place: usize,
    band: Duration,
    /// The slowdowns of the latest inferences, all of the rung at `place`; emptied at each step.
    recent: VecDeque<f64>,
    average: usize,
    /// Until the window's last sample, when a configuration was picked last.
    lead: Option<Duration>,
}

impl Step {
    /// Inferences that are averaged where a configuration does not say.
    #[must_use]
    pub fn default_average() -> usize {
        3
    }

    /// Starts at the most accurate of `candidates`; averages over `average` inferences.
    #[must_use]
    pub fn new(candidates: &[Candidate], band: Duration, average: usize) -> Self {
        let mut order: Vec<usize> = (0..rungs(candidates).len()).collect();
        order.sort_by_key(|&rung| candidates[rung].latency);
        let start = most_accurate(candidates);
        Self {
            place: order.iter().position(|&rung| rung == start).unwrap_or(0),
            order,
            candidates: candidates.to_vec(),
            band,
            recent: VecDeque::with_capacity(average),
            average,
            lead: None,
        }
    }

    fn current(&self) -> usize {
        self.order[self.place]
    }

    /// The average slowdown of `rung`, where it is the current one and there was an inference of it.
    fn mean_slowdown(&self, rung: usize) -> Option<f64> {
        self.slowdown().filter(|_| rung == self.current()).map(|slowdown| slowdown.mean)
    }

    fn move_to(&mut self, place: usize) {
        self.place = place;
        self.recent.clear();
    }
}

impl Policy for Step {
    fn choose(&mut self, situation: &Situation) -> Choice {
        self.lead = situation.lead;
        if let Some(rung) = situation.demand.pinned {
            return Choice { plan: rung, reason: Reason::Pinned, forecast: self.candidates[rung].profiled(self.lead) };
        }
        let budget = situation.demand.budget;
        let mut reason = if self.recent.is_empty() { Reason::Start } else { Reason::InsideBand };
        // a step is judged by a full average, so that one slow inference moves nothing
        if let Some(slowdown) = self.mean_slowdown(self.current()).filter(|_| self.recent.len() == self.average) {
            let mean = self.candidates[self.current()].after_last(slowdown, self.lead);
            if mean > budget && self.place > 0 {
                self.move_to(self.place - 1);
                reason = Reason::SteppedDown;
            } else if mean < budget.saturating_sub(self.band) && self.place + 1 < self.order.len() {
                self.move_to(self.place + 1);
                reason = Reason::SteppedUp;
            }
        }
        let rung = self.current();
        Choice { plan: rung, reason, forecast: self.forecast(rung) }
    }

    fn only(&self) -> Option<usize> {
        Some(self.current())
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        if rung != self.current() {
            return;
        }
        if self.recent.len() == self.average {
            self.recent.pop_front();
        }
        self.recent.push_back(self.candidates[rung].slowdown(inference));
    }

    fn forecast(&self, rung: usize) -> Forecast {
        let slowdown = self.mean_slowdown(rung).unwrap_or(1.0);
        Forecast { predicted: self.candidates[rung].after_last(slowdown, self.lead), miss_probability: None }
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].slowed(self.mean_slowdown(rung).unwrap_or(1.0))
    }

    fn slowdown(&self) -> Option<Estimate> {
        let count = self.recent.len() as f64;
        let average = |of: &dyn Fn(f64) -> f64| self.recent.iter().copied().map(of).sum::<f64>() / count;
        (!self.recent.is_empty()).then(|| {
            let mean = average(&|slowdown| slowdown);
            Estimate { mean, spread: average(&|slowdown| (slowdown - mean).powi(2)).sqrt() }
        })
    }
}
