//! The causal bound: a Bayes filter that is given the true model of a scenario, though not its draws. It sees no load
//! signal. No policy that only sees latencies can be expected to do better.

use std::time::Duration;

use super::scenario::{Delay, Dwell, Order, Process};
use gaitd_core::control::Candidate;

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
    /// With their true latencies on an idle device.
    rungs: Vec<Candidate>,
    /// How long before the windows' last samples inferences begin, where they do.
    lead: Option<Duration>,
    /// How long publishing takes (seconds), each with its probability.
    publish: Vec<(f64, f64)>,
    guess_accuracy: f64,
    hypotheses: Vec<Hypothesis>,
}

impl<'a> Bound<'a> {
    /// A filter that knows `process`, the configurations with their true latencies, how long before the windows' last samples
    /// their inferences begin, if they do, and how long publishing takes.
    pub(super) fn new(
        process: &'a Process,
        rungs: Vec<Candidate>,
        lead: Option<Duration>,
        publish: Option<&Delay>,
        guess_accuracy: f64,
    ) -> Self {
        let publish = publish.map_or_else(|| vec![(0.0, 1.0)], Delay::amounts);
        // before the first inference of the first level
        let start = Hypothesis { level: 0, phase: Phase::Held { age: 0 }, probability: 1.0 };
        Self { process, rungs, lead, publish, guess_accuracy, hypotheses: vec![start] }
    }

    /// The slowdown of the level `level`.
    pub(super) fn level(&self, level: usize) -> f64 {
        self.process.levels[level].slowdown
    }

    /// Foretells the next inference and picks the configuration with the highest expected accuracy.
    /// `left` of the budget is left.
    pub(super) fn choose(&mut self, left: Duration) -> usize {
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
        let scatter = self.process.scatter();
        let expected = |rung: &Candidate| {
            let miss = |&(publish, share): &(f64, f64)| {
                let limit = rung.largest_slowdown((left.as_secs_f64() - publish).max(0.0), self.lead).ln();
                share * slowdowns.iter().map(|(s, p)| p * scatter.exceed(limit - s.ln())).sum::<f64>()
            };
            let miss: f64 = self.publish.iter().map(miss).sum();
            rung.accuracy * (1.0 - miss) + self.guess_accuracy * miss
        };
        let expected: Vec<f64> = self.rungs.iter().map(expected).collect();
        (0..expected.len()).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap_or(0)
    }

    /// The configuration for an inference of which it is only known that the one before was at `level`.
    pub(super) fn settled(&self, level: usize, budget: Duration) -> usize {
        let known = Hypothesis { level, phase: Phase::Held { age: 1 }, probability: 1.0 };
        Self { hypotheses: vec![known], rungs: self.rungs.clone(), publish: self.publish.clone(), ..*self }
            .choose(budget)
    }

    /// Learns that the configuration `rung` took `slowdown` times its true latency on an idle device.
    pub(super) fn observe(&mut self, slowdown: f64) {
        let (log, scatter) = (slowdown.ln(), self.process.scatter());
        let mut sum = 0.0;
        for index in 0..self.hypotheses.len() {
            let level = self.slowdown(&self.hypotheses[index]).ln();
            // nothing is impossible by more than rounding allows
            self.hypotheses[index].probability *= scatter.density(log - level).max(1e-300);
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
}

#[cfg(test)]
mod tests {
    use super::super::draws::Draws;
    use super::super::scenario::{Scenario, SlowdownSpec};
    use super::*;

    const GUESS: f64 = 1.0 / 6.0;
    const RUNGS: [(f64, f64); 3] = [(0.0065, 0.9258), (0.0189, 0.965), (0.0424, 0.982)];
    const SLOWDOWNS: [f64; 2] = [1.0, 1.75];
    const NOISE: f64 = 0.2;

    /// A forward filter over (level, age) by the textbook: a dense matrix, made from the probabilities of the lengths.
    struct Dense {
        /// Probability of a state before the next inference, `[level][age - 1]`.
        states: Vec<Vec<f64>>,
        /// Probability that a level that has held for age inferences ends with this one, `[level][age - 1]`.
        leaves: [Vec<f64>; 2],
    }

    impl Dense {
        /// `lengths`: probability that a level holds for age inferences, `[level][age - 1]`.
        fn new(lengths: [Vec<f64>; 2]) -> Self {
            let mut states: Vec<Vec<f64>> = lengths.iter().map(|lengths| vec![0.0; lengths.len()]).collect();
            states[0][0] = 1.0;
            let leaves = lengths.map(|lengths| {
                let survived = |age: usize| lengths[age..].iter().sum::<f64>();
                (0..lengths.len()).map(|age| lengths[age] / survived(age).max(f64::MIN_POSITIVE)).collect()
            });
            Self { states, leaves }
        }

        fn choose(&self, budget: f64) -> usize {
            let expected = |(latency, accuracy): (f64, f64)| {
                let on_time: f64 = (0..2)
                    .map(|level| {
                        let z = (budget / (latency * SLOWDOWNS[level])).ln() / NOISE;
                        self.states[level].iter().sum::<f64>() * 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
                    })
                    .sum();
                accuracy * on_time + GUESS * (1.0 - on_time)
            };
            let expected = RUNGS.map(expected);
            (0..3).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap()
        }

        fn observe(&mut self, slowdown: f64) {
            let likelihood = SLOWDOWNS.map(|level| (-0.5 * ((slowdown / level).ln() / NOISE).powi(2)).exp());
            let mut next: Vec<Vec<f64>> = self.states.iter().map(|ages| vec![0.0; ages.len()]).collect();
            for level in 0..2 {
                for age in 0..self.states[level].len() {
                    let posterior = self.states[level][age] * likelihood[level];
                    let leave = self.leaves[level][age];
                    next[1 - level][0] += posterior * leave;
                    if age + 1 < self.states[level].len() {
                        next[level][age + 1] += posterior * (1.0 - leave);
                    }
                }
            }
            let sum: f64 = next.iter().flatten().sum();
            next.iter_mut().flatten().for_each(|p| *p /= sum);
            self.states = next;
        }
    }

    /// Follows the bound and the dense filter through the same draws, and returns how often each rung was picked.
    fn follow(dwells: [serde_json::Value; 2], mut dense: Dense) -> [usize; 3] {
        let level = |i: usize| serde_json::json!({"slowdown": SLOWDOWNS[i], "load": 0, "dwell": dwells[i]});
        let scenario: Scenario = serde_json::from_value(serde_json::json!({
            "schema": 1, "name": "two", "about": "", "ladder": {"kind": "model"},
            "budgets": [{"ms": 70, "inferences": 50}, {"ms": 45, "inferences": 50}],
            "slowdown": {"kind": "process", "levels": [level(0), level(1)], "dwell": dwells[0], "noise": NOISE},
            "inferences": 4000, "seeds": [0]
        }))
        .unwrap();
        let SlowdownSpec::Process(process) = &scenario.slowdown else { panic!("a process") };
        let rung = |(latency, accuracy)| Candidate {
            accuracy,
            latency: Duration::from_secs_f64(latency),
            halves: None,
            cascade: None,
        };
        let mut bound = Bound::new(process, RUNGS.map(rung).to_vec(), None, None, GUESS);
        let mut picked = [0; 3];
        for (place, draw) in Draws::new(&scenario, 3, 5).draws.iter().enumerate() {
            let expected = dense.choose(draw.budget.as_secs_f64());
            assert_eq!(bound.choose(draw.budget), expected, "inference {place}");
            picked[expected] += 1;
            bound.observe(draw.slowdown);
            dense.observe(draw.slowdown);
        }
        picked
    }

    #[test]
    fn the_bound_is_the_forward_filter_of_a_geometric_process() {
        let geometric = |mean: f64| -> Vec<f64> { (0..1000).map(|age| (1.0 - 1.0 / mean).powi(age) / mean).collect() };
        let dwells = [12.0, 5.0].map(|mean| serde_json::json!({"kind": "geometric", "mean": mean}));
        let picked = follow(dwells, Dense::new([geometric(12.0), geometric(5.0)]));
        assert!(picked.iter().filter(|times| **times > 100).count() >= 2, "too easy: {picked:?}");
    }

    #[test]
    fn the_bound_is_the_forward_filter_of_a_process_with_a_clock() {
        let uniform = |shortest: usize, longest: usize| -> Vec<f64> {
            let length = 1.0 / (longest - shortest + 1) as f64;
            (1..=longest).map(|age| if age < shortest { 0.0 } else { length }).collect()
        };
        let dwells =
            [(8, 10), (3, 6)].map(|(a, b)| serde_json::json!({"kind": "uniform", "shortest": a, "longest": b}));
        let picked = follow(dwells, Dense::new([uniform(8, 10), uniform(3, 6)]));
        assert!(picked.iter().filter(|times| **times > 100).count() >= 2, "too easy: {picked:?}");
    }
}
