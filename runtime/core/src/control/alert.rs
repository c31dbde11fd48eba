//! ALERT (Wan et al., "ALERT: Accurate Learning for Energy and Timeliness", USENIX ATC 2020): a Kalman filter on the
//! slowdown, shared by all configurations.
//!
//! The latency of configuration j is `xi * T_j`, `xi` Gaussian. The configuration with the highest expected accuracy
//! wins, among those whose probability of a miss is allowed. What is to come beside the inference is one amount of time, which
//! is taken from the budget, as ALERT takes its own: what nine of ten windows do not exceed.

use std::time::Duration;

use super::demand::late_anyway;
use super::{Candidate, Choice, Estimate, Forecast, Misses, Policy, Situation, Terms, pick};

/// The constants that ALERT publishes; they are about one inference after the other, however much time lies between.
mod constants {
    /// Weight of the old process noise.
    pub(super) const ALPHA: f64 = 0.3;
    /// Least process noise.
    pub(super) const Q0: f64 = 0.1;
    /// Measurement noise.
    pub(super) const R: f64 = 0.001;
    /// First Kalman gain.
    pub(super) const K0: f64 = 0.5;
    /// First mean of the slowdown.
    pub(super) const MU0: f64 = 1.0;
    /// First variance of the slowdown.
    pub(super) const VARIANCE0: f64 = 0.1;
}

/// The time that is reckoned with is left with this probability.
const LEFT_WITH: f32 = 0.9;

/// The ALERT policy.
#[derive(Debug)]
pub struct Alert {
    candidates: Vec<Candidate>,
    misses: Vec<f64>,
    /// Of which each configuration's own.
    own: Vec<f64>,
    guess_accuracy: f64,
    mean: f64,
    variance: f64,
    gain: f64,
    noise: f64,
    /// Until the window's last sample, when a configuration was picked last.
    lead: Option<Duration>,
}

impl Alert {
    /// ALERT over `candidates`.
    #[must_use]
    pub fn new(candidates: &[Candidate], terms: &Terms) -> Self {
        Self {
            candidates: candidates.to_vec(),
            misses: vec![0.0; candidates.len()],
            own: vec![0.0; candidates.len()],
            guess_accuracy: terms.guess_accuracy,
            mean: constants::MU0,
            variance: constants::VARIANCE0,
            gain: constants::K0,
            noise: constants::Q0,
            lead: None,
        }
    }

    /// Probability that `candidate` takes longer than `available`.
    fn miss_probability(&self, candidate: &Candidate, available: Duration) -> f64 {
        let limit = candidate.largest_slowdown(available.as_secs_f64(), self.lead);
        1.0 - normal_cdf((limit - self.mean) / self.variance.sqrt())
    }
}

impl Policy for Alert {
    fn choose(&mut self, situation: &Situation) -> Choice {
        let demand = situation.demand;
        self.lead = situation.lead;
        let available = situation.available.with_probability(LEFT_WITH);
        for rung in 0..self.candidates.len() {
            self.misses[rung] = self.miss_probability(&self.candidates[rung], available);
        }
        let late_anyway = late_anyway(&self.misses, demand.miss_target);
        for rung in 0..self.candidates.len() {
            self.own[rung] = if late_anyway {
                self.miss_probability(&self.candidates[rung], demand.budget)
            } else {
                self.misses[rung]
            };
        }
        let misses = Misses { all: &self.misses, own: &self.own };
        let (rung, reason) = pick(&misses, situation, demand.miss_target, self.guess_accuracy);
        Choice { rung, reason, forecast: self.forecast(rung) }
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        use constants::{ALPHA, Q0, R};
        let surprise = self.candidates[rung].slowdown(inference) - self.mean;
        self.noise = Q0.max(ALPHA * self.noise + (1.0 - ALPHA) * (self.gain * surprise).powi(2));
        self.variance = (1.0 - self.gain) * self.variance + self.noise;
        self.gain = self.variance / (self.variance + R);
        self.mean += self.gain * surprise;
    }

    fn forecast(&self, rung: usize) -> Forecast {
        let predicted = self.candidates[rung].after_last(self.mean, self.lead);
        Forecast { predicted, miss_probability: Some(self.misses[rung]) }
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].slowed(self.mean)
    }

    fn slowdown(&self) -> Option<Estimate> {
        Some(Estimate { mean: self.mean, spread: self.variance.sqrt() })
    }
}

/// The standard normal distribution function.
fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}
