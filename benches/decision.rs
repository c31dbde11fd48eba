//! What a decision costs: one choice and one observation of each policy, on the configurations of the shipped ladder.
//!
//! `cargo bench --bench decision` prints criterion's figures, and then each policy's cost as a multiple of ALERT's,
//! measured in turns, which holds on a noisy machine. Slowdowns, noise and signals of load are drawn beforehand.

#![allow(clippy::print_stdout, reason = "its figures are for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use gaitd_core::control::{
    Available, Candidate, Demand, INTERVAL, Load, Outlook, Policy, PolicySpec, Situation, Step, Terms,
};
use gaitd_core::ladder::Ladder;
use gaitd_embedded::Embedded;
use gaitd_supernet::Supernet;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Windows that are drawn; they are played over and over.
const WINDOWS: usize = 20_000;
/// Decisions per turn.
const BURST: usize = 2000;
/// Turns that a ratio is taken over.
const ROUNDS: usize = 100;

/// Levels of slowdown, each with the load that the signals show.
const LEVELS: [(f64, f64); 3] = [(1.0, 0.1), (1.46, 0.5), (2.44, 0.9)];
/// Chance of another level, per window.
const JUMP: f64 = 0.01;
/// Standard deviation of the logarithm of a latency.
const NOISE: f64 = 0.05;
/// Share of latencies in the tail, which take up to four times as long.
const TAIL: f64 = 0.005;

/// A processor that takes so long for a network of nothing, and does so many multiply-accumulates per second.
const OVERHEAD_S: f64 = 30e-6;
const MACS_PER_SECOND: f64 = 2e9;

/// What happens in one window.
struct Draw {
    slowdown: f64,
    signals: Load,
}

fn draws() -> Vec<Draw> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let mut level = 0;
    (0..WINDOWS)
        .map(|_| {
            if rng.random::<f64>() < JUMP {
                level = (level + rng.random_range(1..LEVELS.len())) % LEVELS.len();
            }
            let (slowdown, load) = LEVELS[level];
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let core = (NOISE * normal()).exp();
            let mut share = |of: f64| Some((of + 0.05 * normal()).clamp(0.0, 1.0));
            let (cpu, pressure, frequency) = (share(load), share(load / 2.0), share(1.0 - load / 4.0));
            let tail = if rng.random::<f64>() < TAIL { rng.random_range(1.0..4.0) } else { 1.0 };
            Draw { slowdown: slowdown * core * tail, signals: Load { cpu, pressure, frequency, ..Load::NONE } }
        })
        .collect()
}

/// A policy amid its windows.
struct Subject {
    name: &'static str,
    policy: Box<dyn Policy>,
    sees_signals: bool,
    next: usize,
}

/// What all policies have in common.
struct Stage {
    candidates: Vec<Candidate>,
    outlook: Vec<Outlook>,
    demand: Demand,
    draws: Vec<Draw>,
}

impl Stage {
    fn new() -> Self {
        let ladder = Ladder::load(&Embedded, &[&Supernet]).expect("the shipped ladder");
        let candidates: Vec<Candidate> = ladder
            .configurations()
            .iter()
            .map(|configuration| {
                let seconds = OVERHEAD_S + configuration.macs as f64 / MACS_PER_SECOND;
                Candidate {
                    accuracy: configuration.accuracy.validation.expect("shipped ladders know it"),
                    latency: Duration::from_secs_f64(seconds),
                    halves: None,
                    cascade: None,
                }
            })
            .collect();
        // the slowest configuration is in time at the first level only
        let slowest = candidates.iter().map(|candidate| candidate.latency).max().unwrap_or_default();
        Self {
            outlook: candidates
                .iter()
                .map(|c| Outlook { accuracy: c.accuracy, cost: c.latency, short: None })
                .collect(),
            demand: Demand::new(slowest.mul_f64(1.3), 0.02),
            candidates,
            draws: draws(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        let terms = Terms { budget: self.demand.budget, guess_accuracy: 1.0 / 6.0 };
        let ids: Vec<String> = (0..self.candidates.len()).map(|rung| rung.to_string()).collect();
        [
            ("fixed", PolicySpec::Fixed { configuration: None }, true),
            ("step", PolicySpec::Step { band_ms: None, average: Step::default_average() }, true),
            ("slackfit", PolicySpec::Slackfit {}, true),
            ("alert", PolicySpec::ALERT, true),
            ("bayes", PolicySpec::Bayes {}, false),
            ("bayes with three signals", PolicySpec::Bayes {}, true),
        ]
        .into_iter()
        .map(|(name, spec, sees_signals)| Subject {
            name,
            policy: spec.make(&self.candidates, &ids, &terms).expect("a policy"),
            sees_signals,
            next: 0,
        })
        .collect()
    }

    /// One decision: a choice and its observation.
    fn decide(&self, subject: &mut Subject) {
        let draw = &self.draws[subject.next];
        subject.next = (subject.next + 1) % self.draws.len();
        let choice = subject.policy.choose(&Situation {
            demand: &self.demand,
            elapsed: INTERVAL,
            available: Available::all(self.demand.budget),
            lead: None,
            signals: if subject.sees_signals { draw.signals } else { Load::NONE },
            outlook: &self.outlook,
            cost_limit: Duration::MAX,
        });
        subject.policy.observe(choice.plan, self.candidates[choice.plan].latency.mul_f64(draw.slowdown));
        black_box(choice);
    }
}

fn decisions(criterion: &mut Criterion, stage: &Stage) {
    let mut group = criterion.benchmark_group("decision");
    for mut subject in stage.subjects() {
        group.bench_function(subject.name, |b| b.iter(|| stage.decide(&mut subject)));
    }
    group.finish();
}

fn ratios(stage: &Stage) {
    let mut subjects = stage.subjects();
    let mut times = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (0..BURST).for_each(|_| stage.decide(subject));
            times.push(start.elapsed().as_secs_f64() * 1e9 / BURST as f64);
        }
    }
    let alert = subjects.iter().position(|subject| subject.name == "alert").unwrap_or(0);
    println!("\n{} configurations, in turns, medians of {ROUNDS} rounds of {BURST}:", stage.candidates.len());
    println!("{:<26} {:>8} {:>9}", "policy", "ns", "x alert");
    for (subject, own) in subjects.iter().zip(&times) {
        let mut ratios: Vec<f64> = own.iter().zip(&times[alert]).map(|(own, alert)| own / alert).collect();
        println!("{:<26} {:>8.0} {:>9.2}", subject.name, median(&mut own.clone()), median(&mut ratios));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let stage = Stage::new();
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion, &stage);
    criterion.final_summary();
    // `cargo test` runs benches with this flag, to see that they start
    if !std::env::args().any(|argument| argument == "--test") {
        ratios(&stage);
    }
}
