//! The stepping policy of the paper (Qin, Zhang et al., IEEE TKDE 2024): keep the average inference time inside
//! `[budget - band, budget]`, one rung at a time.
//!
//! It is the baseline of its kind: it knows neither the profile's latencies beyond their order nor the load, and it is
//! late for several windows after each rise in load.

use std::time::Duration;

use super::{Candidate, Choice, Policy, Reason, Situation, most_accurate};

/// Steps one rung down when the average inference was above the budget, one up when it was below the band.
#[derive(Debug)]
pub struct Step {
    /// Rung indices from the fastest to the slowest.
    order: Vec<usize>,
    profiled: Vec<Duration>,
    /// Place in `order`.
    place: usize,
    band: Duration,
    /// The latest inferences of the rung at `place`; emptied at each step.
    recent: std::collections::VecDeque<Duration>,
    average: usize,
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
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by_key(|&rung| candidates[rung].latency);
        let start = most_accurate(candidates);
        Self {
            place: order.iter().position(|&rung| rung == start).unwrap_or(0),
            order,
            profiled: candidates.iter().map(|candidate| candidate.latency).collect(),
            band,
            recent: std::collections::VecDeque::with_capacity(average + 1),
            average,
        }
    }

    fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.recent.len()).ok().filter(|count| *count > 0)?;
        Some(self.recent.iter().sum::<Duration>() / count)
    }

    fn move_to(&mut self, place: usize) {
        self.place = place;
        self.recent.clear();
    }
}

impl Policy for Step {
    fn choose(&mut self, situation: &Situation) -> Choice {
        let mut reason = if self.recent.is_empty() { Reason::Start } else { Reason::InsideBand };
        let mut predicted = self.mean();
        // a step is judged by a full average, so that one slow inference moves nothing
        if let Some(mean) = predicted.filter(|_| self.recent.len() == self.average) {
            if mean > situation.budget && self.place > 0 {
                self.move_to(self.place - 1);
                (reason, predicted) = (Reason::SteppedDown, None);
            } else if mean < situation.budget.saturating_sub(self.band) && self.place + 1 < self.order.len() {
                self.move_to(self.place + 1);
                (reason, predicted) = (Reason::SteppedUp, None);
            }
        }
        let rung = self.order[self.place];
        Choice { rung, reason, predicted: predicted.unwrap_or(self.profiled[rung]), miss_probability: None }
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        if rung != self.order[self.place] {
            return;
        }
        if self.recent.len() == self.average {
            self.recent.pop_front();
        }
        self.recent.push_back(inference);
    }

    fn slowdown(&self) -> Option<f64> {
        Some(self.mean()?.as_secs_f64() / self.profiled[self.order[self.place]].as_secs_f64())
    }
}
