//! The causal bound: a Bayes filter that is given the true model of a scenario, though not its draws. It sees no load
//! signal. No policy that only sees latencies can be expected to do better.

use std::time::Duration;

use super::scenario::{Dwell, Order, Process};

/// Hypotheses less likely than this are given up.
const UNLIKELY: f64 = 1e-9;

/// At a level, for so many inferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// On the way from another level, after so many steps.
    Changing { from: usize, step: usize },
    /// Held for so many inferences, as far as that matters.
    Held { age: usize },
}

#[derive(Clone, Copy, Debug)]
struct Hypothesis {
    level: usize,
    phase: Phase,
    probability: f64,
}

/// The filter.
#[derive(Clone, Debug)]
pub(super) struct Bound<'a> {
    process: &'a Process,
    /// True latency on an idle device and accuracy, per configuration.
    rungs: Vec<(f64, f64)>,
    guess_accuracy: f64,
    hypotheses: Vec<Hypothesis>,
}

impl<'a> Bound<'a> {
    /// A filter that knows `process`, and of each configuration the true latency (seconds) and the accuracy.
    pub(super) fn new(process: &'a Process, rungs: Vec<(f64, f64)>, guess_accuracy: f64) -> Self {
        // before the first inference of the first level
        let start = Hypothesis { level: 0, phase: Phase::Held { age: 0 }, probability: 1.0 };
        Self { process, rungs, guess_accuracy, hypotheses: vec![start] }
    }

    /// The slowdown of the level `level`.
    pub(super) fn level(&self, level: usize) -> f64 {
        self.process.levels[level].slowdown
    }

    /// Foretells the next inference and picks the configuration with the highest expected accuracy.
    pub(super) fn choose(&mut self, budget: Duration) -> usize {
        self.predict();
        // hypotheses of a held level share its slowdown, and so the work
        let mut slowdowns: Vec<(f64, f64)> = self.process.levels.iter().map(|level| (level.slowdown, 0.0)).collect();
        for hypothesis in &self.hypotheses {
            match hypothesis.phase {
                Phase::Held { .. } => slowdowns[hypothesis.level].1 += hypothesis.probability,
                Phase::Changing { .. } => slowdowns.push((self.slowdown(hypothesis), hypothesis.probability)),
            }
        }
        slowdowns.retain(|(_, probability)| *probability > 0.0);
        let expected = |&(latency, accuracy): &(f64, f64)| {
            let limit = (budget.as_secs_f64() / latency).ln();
            let miss: f64 = slowdowns.iter().map(|(s, p)| p * self.process.exceed(limit - s.ln())).sum();
            accuracy * (1.0 - miss) + self.guess_accuracy * miss
        };
        let expected: Vec<f64> = self.rungs.iter().map(expected).collect();
        (0..expected.len()).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap_or(0)
    }

    /// The configuration for an inference of which it is only known that the one before was at `level`.
    pub(super) fn settled(&self, level: usize, budget: Duration) -> usize {
        let known = Hypothesis { level, phase: Phase::Held { age: 1 }, probability: 1.0 };
        Self { hypotheses: vec![known], rungs: self.rungs.clone(), ..*self }.choose(budget)
    }

    /// Learns that the configuration `rung` took `slowdown` times its true latency on an idle device.
    pub(super) fn observe(&mut self, slowdown: f64) {
        let log = slowdown.ln();
        let mut sum = 0.0;
        for index in 0..self.hypotheses.len() {
            let level = self.slowdown(&self.hypotheses[index]).ln();
            // nothing is impossible by more than rounding allows
            self.hypotheses[index].probability *= self.process.density(log - level).max(1e-300);
            sum += self.hypotheses[index].probability;
        }
        self.hypotheses.iter_mut().for_each(|hypothesis| hypothesis.probability /= sum);
        self.hypotheses.retain(|hypothesis| hypothesis.probability > UNLIKELY);
    }

    fn slowdown(&self, hypothesis: &Hypothesis) -> f64 {
        match hypothesis.phase {
            Phase::Changing { from, step } => self.process.between(from, hypothesis.level, step),
            Phase::Held { .. } => self.process.levels[hypothesis.level].slowdown,
        }
    }

    fn predict(&mut self) {
        let mut next: Vec<Hypothesis> = Vec::with_capacity(self.hypotheses.len() + self.process.levels.len());
        // several ways lead to the start of a change or of a level; whatever goes on has come one way only
        let mut starts: Vec<Hypothesis> = Vec::new();
        let mut start = |level: usize, phase: Phase, probability: f64| {
            if probability <= 0.0 {
                return;
            }
            match starts.iter_mut().find(|known| known.level == level && known.phase == phase) {
                Some(known) => known.probability += probability,
                None => starts.push(Hypothesis { level, phase, probability }),
            }
        };
        for Hypothesis { level, phase, probability } in self.hypotheses.iter().copied() {
            match phase {
                Phase::Changing { from, step } if step < self.process.ramp => {
                    next.push(Hypothesis { level, phase: Phase::Changing { from, step: step + 1 }, probability });
                }
                Phase::Changing { .. } => start(level, Phase::Held { age: 1 }, probability),
                Phase::Held { age } => {
                    let dwell = self.process.dwell(level);
                    let leave = dwell.hazard(age);
                    let stay = probability * (1.0 - leave);
                    match dwell {
                        // its age does not matter
                        Dwell::Geometric { .. } => start(level, Phase::Held { age: 1 }, stay),
                        Dwell::Uniform { .. } if stay > 0.0 => {
                            next.push(Hypothesis { level, phase: Phase::Held { age: age + 1 }, probability: stay });
                        }
                        Dwell::Uniform { .. } => {}
                    }
                    let nexts = self.process.nexts(level);
                    let each = probability * leave / nexts.len() as f64;
                    for next in nexts {
                        let phase = if self.process.ramp > 0 {
                            Phase::Changing { from: level, step: 1 }
                        } else {
                            Phase::Held { age: 1 }
                        };
                        start(next, phase, each);
                    }
                }
            }
        }
        next.append(&mut starts);
        self.hypotheses = next;
    }
}

impl Process {
    /// The levels that may follow `level`.
    fn nexts(&self, level: usize) -> Vec<usize> {
        let levels = self.levels.len();
        match self.order {
            _ if levels == 1 => vec![0],
            Order::Cycle => vec![(level + 1) % levels],
            Order::Random => (0..levels).filter(|next| *next != level).collect(),
        }
    }

    /// Density of the logarithm of one inference's scatter.
    fn density(&self, log: f64) -> f64 {
        // without any noise a density does not exist; a narrow one takes its place
        let sigma = self.noise.max(1e-4);
        let core = (-0.5 * (log / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt());
        let Some(tail) = &self.tail else { return core };
        let tailed = tail.shape * tilted_upper(tail.shape, sigma, log - tail.scale.ln());
        (1.0 - tail.share) * core + tail.share * tailed
    }

    /// Probability that the logarithm of one inference's scatter exceeds `log`.
    fn exceed(&self, log: f64) -> f64 {
        let sigma = self.noise.max(1e-4);
        let core = upper(log / sigma);
        let Some(tail) = &self.tail else { return core };
        let x = log - tail.scale.ln();
        let tailed = upper(x / sigma) + tilted_upper(tail.shape, sigma, x);
        (1.0 - tail.share) * core + tail.share * tailed.min(1.0)
    }
}

impl Dwell {
    /// Chance that an inference is the level's last, when it is its `age`th.
    fn hazard(&self, age: usize) -> f64 {
        match *self {
            // age 0 stands before the first inference of all
            _ if age == 0 => 0.0,
            Self::Geometric { mean } => 1.0 / mean,
            Self::Uniform { shortest, .. } if age < shortest => 0.0,
            Self::Uniform { longest, .. } => 1.0 / (longest.saturating_sub(age) + 1) as f64,
        }
    }
}

/// For the sum of an exponential variable (`rate`) and a normal one (mean 0, `sigma`), the logarithm of a Pareto factor
/// with its noise: the density at `x` / `rate`, and what the exponential part adds to the probability of exceeding `x`.
fn tilted_upper(rate: f64, sigma: f64, x: f64) -> f64 {
    let exponent = rate * (0.5 * rate * sigma * sigma - x);
    let z = rate * sigma - x / sigma;
    if z < 25.0 {
        exponent.exp() * upper(z)
    } else {
        // the factors leave the range of numbers, though their product does not
        (-0.5 * (x / sigma).powi(2)).exp() / (z * (2.0 * std::f64::consts::PI).sqrt())
    }
}

/// Probability that a standard normal variable exceeds `z`.
fn upper(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}
