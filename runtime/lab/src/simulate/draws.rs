//! What happens in a scenario, drawn once per seed and shown to every policy.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::scatter::normal;
use super::scenario::{Delay, Dwell, LoadKind, LoadSpec, Order, Process, Scenario, SlowdownSpec, Trace};
use gaitd_core::control::Load;

/// One inference of a scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The budget.
    pub budget: Duration,
    /// Index of the level or recorded state.
    pub state: usize,
    /// Observed latency / true latency on an idle device.
    pub slowdown: f64,
    /// What the load signals show.
    pub signals: Load,
    /// How long the window has waited when its configuration is picked.
    pub wait: Duration,
    /// How long its decision takes to be published.
    pub publish: Duration,
    /// The window, from the easiest to the hardest to recognise, and how sure an answer about it is, from the least to the
    /// most: each evenly from 0 to 1.
    pub(super) ease: f64,
    pub(super) doubt: f64,
}

impl Draw {
    /// Whether a decision is late whose inference takes `inference`.
    pub(super) fn is_late(&self, inference: Duration) -> bool {
        inference.saturating_add(self.wait).saturating_add(self.publish) > self.budget
    }

    /// What is left of the budget when the configuration is picked.
    pub(super) fn left(&self) -> Duration {
        self.budget.saturating_sub(self.wait)
    }

    /// Whether waiting or publishing makes the decision late, whatever the inference takes.
    pub(super) fn is_outlier(&self) -> bool {
        self.is_late(Duration::ZERO)
    }
}

/// All inferences of one seed.
#[derive(Clone, Debug)]
pub struct Draws {
    /// In time order.
    pub draws: Vec<Draw>,
    /// True / profiled latency on an idle device, per configuration.
    pub errors: Vec<f64>,
    /// Whether windows wait, or publishing takes any time.
    pub(super) has_delays: bool,
}

/// Where a semi-Markov process stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    level: usize,
    /// Slowdown and honest load, between two levels while one changes into the other.
    slowdown: f64,
    load: f64,
}

impl Draws {
    /// The inferences of `scenario` for `seed` and `rungs` configurations.
    #[must_use]
    pub fn new(scenario: &Scenario, rungs: usize, seed: u64) -> Self {
        // streams of their own, so that one more draw here does not change all others there
        let stream = |number: u64| Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(0x9E37_79B9) ^ (number << 56));
        let length = scenario.inferences;
        let (states, signals, errors) = match &scenario.slowdown {
            SlowdownSpec::Process(process) => {
                let places = process.places(length, &mut stream(1));
                let signals = match &scenario.load {
                    None => vec![Load::NONE; length],
                    Some(load) => {
                        let unrelated = process.places(length, &mut stream(2));
                        load.signals(&places, &unrelated, &mut stream(3))
                    }
                };
                let (mut noise, scatter) = (stream(4), process.scatter());
                let states = places.iter().map(|p| (p.level, p.slowdown * scatter.draw(&mut noise))).collect();
                let mut errors = stream(5);
                let errors = (0..rungs).map(|_| (process.profile_error * normal(&mut errors)).exp()).collect();
                (states, signals, errors)
            }
            SlowdownSpec::Trace(trace) => {
                let start = stream(1).random_range(0..trace.slowdown.len());
                let (states, signals) = trace.from(start, length);
                (states, signals, vec![1.0; rungs])
            }
        };
        let budgets = scenario
            .budgets
            .iter()
            .flat_map(|span| std::iter::repeat_n(Duration::from_secs_f64(span.ms / 1e3), span.inferences));
        let delays = |delay: Option<Delay>, mut rng: Xoshiro256PlusPlus| {
            std::iter::repeat_with(move || {
                let seconds = delay.map_or(0.0, |delay| delay.draw(&mut rng));
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            })
        };
        let delays = delays(scenario.wait, stream(6)).zip(delays(scenario.publish, stream(7)));
        let mut windows = stream(8);
        let draws = budgets
            .cycle()
            .zip(states.into_iter().zip(signals))
            .zip(delays)
            .map(|((budget, ((state, slowdown), signals)), (wait, publish))| Draw {
                budget,
                state,
                slowdown,
                signals,
                wait,
                publish,
                ease: windows.random(),
                doubt: windows.random(),
            })
            .collect();
        Self { draws, errors, has_delays: scenario.wait.is_some() || scenario.publish.is_some() }
    }
}

impl Process {
    /// The dwell of `level`.
    pub(super) fn dwell(&self, level: usize) -> Dwell {
        self.levels[level].dwell.unwrap_or(self.dwell)
    }

    /// The slowdown after `step` (1 to `ramp`) of the inferences that a change from one level to another takes.
    pub(super) fn between(&self, from: usize, to: usize, step: usize) -> f64 {
        let share = step as f64 / (self.ramp + 1) as f64;
        self.levels[from].slowdown.powf(1.0 - share) * self.levels[to].slowdown.powf(share)
    }

    fn places(&self, length: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<Place> {
        let mut places = Vec::with_capacity(length);
        let mut level = 0;
        loop {
            let held = Place { level, slowdown: self.levels[level].slowdown, load: self.levels[level].load };
            for _ in 0..self.dwell(level).draw(rng) {
                places.push(held);
                if places.len() == length {
                    return places;
                }
            }
            let next = self.next(level, rng);
            for step in 1..=self.ramp {
                let share = step as f64 / (self.ramp + 1) as f64;
                let load = self.levels[level].load * (1.0 - share) + self.levels[next].load * share;
                places.push(Place { level: next, slowdown: self.between(level, next, step), load });
                if places.len() == length {
                    return places;
                }
            }
            level = next;
        }
    }

    fn next(&self, level: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
        let levels = self.levels.len();
        match self.order {
            _ if levels == 1 => 0,
            Order::Cycle => (level + 1) % levels,
            Order::Random => (level + rng.random_range(1..levels)) % levels,
        }
    }
}

impl LoadSpec {
    fn signals(&self, honest: &[Place], unrelated: &[Place], rng: &mut Xoshiro256PlusPlus) -> Vec<Load> {
        (0..honest.len())
            .map(|now| {
                let then = now.saturating_sub(self.lag);
                let load = match self.kind {
                    LoadKind::Honest => honest[then].load,
                    LoadKind::Unrelated => unrelated[then].load,
                    LoadKind::TurnsUnrelated if now < honest.len() / 2 => honest[then].load,
                    LoadKind::TurnsUnrelated => unrelated[then].load,
                    LoadKind::Stuck => honest[0].load,
                };
                let read = (load + self.noise * normal(rng)).clamp(0.0, 1.0);
                if rng.random::<f64>() < self.missing { Load::NONE } else { Load::cpu(read) }
            })
            .collect()
    }
}

impl Trace {
    fn from(&self, start: usize, length: usize) -> (Vec<(usize, f64)>, Vec<Load>) {
        let indices = (0..self.slowdown.len()).cycle().skip(start).take(length);
        let signal = |signal: &[Option<f64>], index: usize| signal.get(index).copied().flatten();
        indices
            .map(|index| {
                let signals =
                    Load { cpu: signal(&self.cpu, index), pressure: signal(&self.pressure, index), ..Load::NONE };
                ((self.state[index], self.slowdown[index]), signals)
            })
            .unzip()
    }
}
