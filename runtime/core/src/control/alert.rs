//! ALERT (Wan et al., "ALERT: Accurate Learning for Energy and Timeliness", USENIX ATC 2020): a Kalman filter on the
//! slowdown, shared by all configurations.
//!
//! The latency of configuration j is `xi * T_j`, `xi` Gaussian. The configuration with the highest expected accuracy
//! wins, among those whose probability of a miss is allowed. What is to come beside the inference is one amount of time, which
//! is taken from the budget, as ALERT takes its own: what nine of ten windows do not exceed.

use std::fmt::{Display, Formatter};
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::late_anyway;
use super::{Available, Candidate, Choice, Estimate, Forecast, Misses, Policy, Situation, Terms, pick};

/// The constants of ALERT that matter after the first few inferences; they are about one inference after the other,
/// however much time lies between. Those that it publishes where none are given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertConstants {
    /// Weight of the old process noise beside what a surprise shows, 0 to 1 (ALERT's alpha): with 1, the noise stays at its
    /// least.
    #[schemars(range(min = 0, max = 1))]
    pub noise_memory: f64,
    /// Least process noise, a variance of slowdowns, 0.000001 to 100 (ALERT's Q0).
    #[schemars(range(min = *VARIANCE.start(), max = *VARIANCE.end()))]
    pub process_noise: f64,
    /// Measurement noise, in the same unit and range (ALERT's R).
    #[schemars(range(min = *VARIANCE.start(), max = *VARIANCE.end()))]
    pub measurement_noise: f64,
}

/// Variances of slowdowns that are no nonsense.
const VARIANCE: RangeInclusive<f64> = 1e-6..=100.0;

impl AlertConstants {
    /// The constants that ALERT publishes.
    pub const PUBLISHED: Self = Self { noise_memory: 0.3, process_noise: 0.1, measurement_noise: 0.001 };

    /// What is out of its range, in a sentence; nothing where all are within.
    pub(super) fn problem(&self) -> Option<String> {
        let Self { noise_memory, process_noise, measurement_noise } = *self;
        let ranges = [
            ("noise_memory", noise_memory, 0.0..=1.0),
            ("process_noise", process_noise, VARIANCE),
            ("measurement_noise", measurement_noise, VARIANCE),
        ];
        let (name, value, range) = ranges.into_iter().find(|(_, value, range)| !range.contains(value))?;
        let (least, most) = (range.start(), range.end());
        Some(format!("policy.constants.{name} is {value}, and must be from {least} to {most}"))
    }
}

impl Default for AlertConstants {
    fn default() -> Self {
        Self::PUBLISHED
    }
}

impl Display for AlertConstants {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { noise_memory, process_noise, measurement_noise } = self;
        write!(f, "noise memory {noise_memory}, process noise {process_noise}, measurement noise {measurement_noise}")
    }
}

/// What ALERT publishes for the start.
mod start {
    /// First Kalman gain.
    pub(super) const GAIN: f64 = 0.5;
    /// First mean of the slowdown.
    pub(super) const MEAN: f64 = 1.0;
    /// First variance of the slowdown.
    pub(super) const VARIANCE: f64 = 0.1;
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
    constants: AlertConstants,
    mean: f64,
    variance: f64,
    gain: f64,
    noise: f64,
    /// Until the window's last sample, when a configuration was picked last.
    lead: Option<Duration>,
}

impl Alert {
    /// ALERT over `candidates`, with `constants` that are within their ranges.
    #[must_use]
    pub fn new(candidates: &[Candidate], terms: &Terms, constants: AlertConstants) -> Self {
        Self {
            candidates: candidates.to_vec(),
            misses: vec![0.0; candidates.len()],
            own: vec![0.0; candidates.len()],
            guess_accuracy: terms.guess_accuracy,
            constants,
            mean: start::MEAN,
            variance: start::VARIANCE,
            gain: start::GAIN,
            noise: constants.process_noise,
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
        Choice { plan: rung, reason, forecast: self.forecast(rung) }
    }

    fn observe(&mut self, rung: usize, inference: Duration) {
        let AlertConstants { noise_memory, process_noise, measurement_noise } = self.constants;
        let surprise = self.candidates[rung].slowdown(inference) - self.mean;
        let shown = (self.gain * surprise).powi(2);
        self.noise = process_noise.max(noise_memory * self.noise + (1.0 - noise_memory) * shown);
        self.variance = (1.0 - self.gain) * self.variance + self.noise;
        self.gain = self.variance / (self.variance + measurement_noise);
        self.mean += self.gain * surprise;
    }

    fn forecast(&self, rung: usize) -> Forecast {
        let predicted = self.candidates[rung].after_last(self.mean, self.lead);
        Forecast { predicted, miss_probability: Some(self.misses[rung]) }
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].slowed(self.mean)
    }

    fn in_time(&self, rung: usize, available: &Available, miss_target: f64) -> bool {
        let limit = self.candidates[rung].largest_slowdown(available.with_probability(LEFT_WITH).as_secs_f64(), None);
        1.0 - normal_cdf((limit - self.mean) / self.variance.sqrt()) <= miss_target
    }

    fn slowdown(&self) -> Option<Estimate> {
        Some(Estimate { mean: self.mean, spread: self.variance.sqrt() })
    }
}

/// The standard normal distribution function.
fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(10);

    fn alert(constants: AlertConstants) -> Alert {
        let candidates = [Candidate { accuracy: 0.9, latency: LATENCY, halves: None, cascade: None }];
        Alert::new(&candidates, &Terms { budget: LATENCY * 2, guess_accuracy: 0.25 }, constants)
    }

    /// What it believes of the slowdown after `windows` that all took `slowdown` times as long as profiled.
    fn after(alert: &mut Alert, slowdown: f64, windows: usize) -> Estimate {
        (0..windows).for_each(|_| alert.observe(0, LATENCY.mul_f64(slowdown)));
        Estimate { mean: alert.mean, spread: alert.variance.sqrt() }
    }

    #[test]
    fn a_constant_that_is_left_out_is_the_published_one() {
        let read = |text: &str| serde_json::from_str::<AlertConstants>(text).unwrap();
        assert_eq!(read("{}"), AlertConstants::PUBLISHED);
        let smooth = read(r#"{"measurement_noise": 0.5}"#);
        assert_eq!(smooth, AlertConstants { measurement_noise: 0.5, ..AlertConstants::PUBLISHED });
        assert!(serde_json::from_str::<AlertConstants>(r#"{"alpha": 0.5}"#).is_err());
    }

    #[test]
    fn each_constant_does_what_it_is_called_after() {
        let published = AlertConstants::PUBLISHED;
        // the least process noise is what is left of the spread when all is calm
        let calm = |process_noise| after(&mut alert(AlertConstants { process_noise, ..published }), 1.0, 500).spread;
        assert!((calm(0.1) - 0.1_f64.sqrt()).abs() < 0.01 && (calm(0.01) - 0.1).abs() < 0.01);
        // the more of what is measured is noise, the less of a surprise is believed
        let moved = |measurement_noise| {
            let mut alert = alert(AlertConstants { measurement_noise, ..published });
            after(&mut alert, 1.0, 500);
            after(&mut alert, 2.0, 1).mean - 1.0
        };
        assert!(moved(0.001) > 0.98 && (0.1..0.6).contains(&moved(1.0)) && moved(100.0) < 0.1);
        // a surprise is remembered, in the spread, for as long as the memory says
        let wary = |noise_memory| {
            let mut alert = alert(AlertConstants { noise_memory, process_noise: 0.001, ..published });
            after(&mut alert, 1.0, 500);
            after(&mut alert, 2.0, 8).spread
        };
        assert!(wary(0.9) > 2.0 * wary(0.3), "{} {}", wary(0.9), wary(0.3));
        // with a memory of 1 there is no surprise, and the filter is Kalman's own with constant noise
        assert!((wary(1.0) - calm(0.001)).abs() < 1e-3, "{} {}", wary(1.0), calm(0.001));
    }
}
