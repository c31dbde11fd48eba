//! Runs every policy and every reference on the same draws, and keeps score.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::bound::Bound;
use super::draws::{Draw, Draws};
use super::scenario::{Scenario, SlowdownSpec};
use crate::control::{Candidate, Demand, Outlook, Policy, PolicyError, PolicySpec, Signals, Situation, Terms};

/// A scenario's configurations, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedLadder {
    /// Their names.
    pub ids: Vec<String>,
    /// Accuracy and profiled latency.
    pub candidates: Vec<Candidate>,
    /// Multiply-accumulates of one inference.
    pub macs: Vec<u64>,
    /// What a missed window counts for.
    pub guess_accuracy: f64,
}

/// A policy to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// Its name in the report.
    pub name: String,
    /// What makes it.
    pub spec: PolicySpec,
    /// Whether it sees the load signals.
    pub sees_load: bool,
    /// The allowed miss rate if not the scenario's.
    pub miss_target: Option<f64>,
}

/// What a policy or a reference reached in a scenario, over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Name of the policy or reference.
    pub name: String,
    /// It knows more than a policy can.
    pub reference: bool,
    /// Share of the inferences that were late.
    pub miss_rate: f64,
    /// Mean accuracy; a late inference counts as a guess.
    pub effective_accuracy: f64,
    /// Its standard deviation over the seeds.
    pub effective_accuracy_deviation: f64,
    /// Effective accuracy that the oracle has more, percentage points.
    pub gap_to_oracle: f64,
    /// Effective accuracy that the causal bound has more, percentage points; `None` where there is no bound.
    pub gap_to_bound: Option<f64>,
    /// Mean multiply-accumulates of an inference, millions.
    pub mean_mmacs: f64,
    /// Changes of configuration per 1000 inferences.
    pub switches: f64,
    /// Late inferences from a rise of the level on, until it changes again, at most 10 inferences: their median.
    pub late_after_rise: Option<f64>,
    /// Inferences from a fall of the level on until the configuration is picked that the causal bound picks where it is
    /// sure of the level: their median.
    pub recovery_after_fall: Option<f64>,
    /// Time that one decision took here, nanoseconds; not deterministic.
    pub decision_ns: Option<f64>,
}

/// A scenario and what each policy and reference reached in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenarioReport {
    /// The scenario's name.
    pub name: String,
    /// What it stands for.
    pub about: String,
    /// Inferences per seed.
    pub inferences: usize,
    /// Number of seeds.
    pub seeds: usize,
    /// The allowed miss rate.
    pub miss_target: f64,
    /// The best configuration in hindsight, if only one may be used.
    pub best_fixed: String,
    /// Policies and references.
    pub policies: Vec<Score>,
}

/// Inferences after a rise that are looked at.
const AFTER_RISE: usize = 10;

/// Sums over inferences.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Effective accuracy per seed.
    accuracy: Vec<f64>,
    sum: f64,
    inferences: u64,
    misses: u64,
    macs: f64,
    switches: u64,
    last: Option<usize>,
    rises: Vec<f64>,
    falls: Vec<f64>,
    time: Duration,
    timed: bool,
}

/// The world that a seed has drawn.
struct World<'a> {
    ladder: &'a SimulatedLadder,
    draws: &'a Draws,
    /// What knows the best configuration for a level, where levels change at once.
    bound: Option<Bound<'a>>,
}

impl World<'_> {
    fn latency(&self, rung: usize, draw: &Draw) -> Duration {
        let seconds = self.ladder.candidates[rung].latency.as_secs_f64() * self.draws.errors[rung] * draw.slowdown;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The most accurate configuration that is on time.
    fn oracle(&self, draw: &Draw) -> Option<usize> {
        let accuracy = |rung: &usize| self.ladder.candidates[*rung].accuracy;
        (0..self.ladder.candidates.len())
            .filter(|rung| self.latency(*rung, draw) <= draw.budget)
            .max_by(|a, b| accuracy(a).total_cmp(&accuracy(b)))
    }
}

impl Tally {
    /// Plays one seed; `decide` names the configuration for an inference and is told its latency.
    fn play(&mut self, world: &World<'_>, player: &mut dyn Player) {
        let (before, inferences) = (self.sum, world.draws.draws.len());
        let mut rungs = Vec::with_capacity(inferences);
        let mut late = Vec::with_capacity(inferences);
        for draw in &world.draws.draws {
            let rung = player.choose(draw);
            let latency = world.latency(rung, draw);
            player.observe(rung, draw, latency);
            rungs.push(rung);
            late.push(latency > draw.budget);
        }
        for (rung, late) in rungs.iter().zip(&late) {
            self.count(world.ladder, *rung, *late);
        }
        self.accuracy.push((self.sum - before) / inferences as f64);
        self.last = None;
        if let Some(bound) = &world.bound {
            self.react(world, bound, &rungs, &late);
        }
    }

    fn count(&mut self, ladder: &SimulatedLadder, rung: usize, late: bool) {
        self.sum += if late { ladder.guess_accuracy } else { ladder.candidates[rung].accuracy };
        self.inferences += 1;
        self.misses += u64::from(late);
        self.macs += ladder.macs[rung] as f64;
        self.switches += u64::from(self.last.is_some_and(|last| last != rung));
        self.last = Some(rung);
    }

    /// How it went after each change of level.
    fn react(&mut self, world: &World<'_>, bound: &Bound<'_>, rungs: &[usize], late: &[bool]) {
        let draws = &world.draws.draws;
        let changes: Vec<usize> = (1..draws.len()).filter(|i| draws[*i].state != draws[*i - 1].state).collect();
        for (place, change) in changes.iter().enumerate() {
            let span = *change..changes.get(place + 1).copied().unwrap_or(draws.len());
            let (before, now) = (bound.level(draws[*change - 1].state), bound.level(draws[*change].state));
            if now > before {
                let late = late[span].iter().take(AFTER_RISE).filter(|late| **late).count();
                self.rises.push(late as f64);
            } else if now < before {
                let best = bound.settled(draws[*change].state, draws[*change].budget);
                let taken = rungs[span.clone()].iter().position(|rung| *rung == best).unwrap_or(span.len());
                self.falls.push(taken as f64 + 1.0);
            }
        }
    }

    fn score(mut self, name: &str, reference: bool, oracle: f64, bound: Option<f64>) -> Score {
        let inferences = self.inferences as f64;
        let effective_accuracy = self.sum / inferences;
        let deviation =
            self.accuracy.iter().map(|a| (a - effective_accuracy).powi(2)).sum::<f64>() / self.accuracy.len() as f64;
        Score {
            name: name.to_owned(),
            reference,
            miss_rate: self.misses as f64 / inferences,
            effective_accuracy,
            effective_accuracy_deviation: deviation.sqrt(),
            gap_to_oracle: 100.0 * (oracle - effective_accuracy),
            gap_to_bound: bound.map(|bound| 100.0 * (bound - effective_accuracy)),
            mean_mmacs: self.macs / inferences / 1e6,
            switches: 1000.0 * self.switches as f64 / inferences,
            late_after_rise: median(&mut self.rises),
            recovery_after_fall: median(&mut self.falls),
            decision_ns: self.timed.then(|| self.time.as_secs_f64() * 1e9 / inferences),
        }
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Whoever picks configurations in a simulation.
trait Player {
    fn choose(&mut self, draw: &Draw) -> usize;
    fn observe(&mut self, rung: usize, draw: &Draw, latency: Duration);
}

struct PolicyPlayer<'a> {
    policy: Box<dyn Policy>,
    demand: Demand,
    outlook: &'a [Outlook],
    sees_load: bool,
}

impl Player for PolicyPlayer<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        self.demand.budget = draw.budget;
        let situation = Situation {
            demand: &self.demand,
            available: draw.budget,
            signals: if self.sees_load { draw.signals } else { Signals::NONE },
            outlook: self.outlook,
            cost_limit: Duration::MAX,
        };
        self.policy.choose(&situation).rung
    }

    fn observe(&mut self, rung: usize, _: &Draw, latency: Duration) {
        self.policy.observe(rung, latency);
    }
}

struct OraclePlayer<'a>(&'a World<'a>);

impl Player for OraclePlayer<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        // where nothing is on time, it does not matter
        self.0.oracle(draw).unwrap_or(0)
    }

    fn observe(&mut self, _: usize, _: &Draw, _: Duration) {}
}

struct FixedPlayer(usize);

impl Player for FixedPlayer {
    fn choose(&mut self, _: &Draw) -> usize {
        self.0
    }

    fn observe(&mut self, _: usize, _: &Draw, _: Duration) {}
}

impl Player for Bound<'_> {
    fn choose(&mut self, draw: &Draw) -> usize {
        Bound::choose(self, draw.budget)
    }

    fn observe(&mut self, _: usize, draw: &Draw, _: Duration) {
        Bound::observe(self, draw.slowdown);
    }
}

/// Simulates `contenders` and the references on `scenario`, whose configurations are `ladder`'s.
///
/// # Errors
/// When a policy cannot be made for this ladder.
pub fn simulate(
    scenario: &Scenario,
    ladder: &SimulatedLadder,
    contenders: &[Contender],
) -> Result<ScenarioReport, PolicyError> {
    let rungs = ladder.candidates.len();
    let terms =
        Terms { budget: Duration::from_secs_f64(scenario.budgets[0].ms / 1e3), guess_accuracy: ladder.guess_accuracy };
    let outlook: Vec<Outlook> =
        ladder.candidates.iter().map(|c| Outlook { accuracy: c.accuracy, cost: c.latency }).collect();
    let process = match &scenario.slowdown {
        SlowdownSpec::Process(process) => Some(process),
        SlowdownSpec::Trace(_) => None,
    };
    let (mut oracle, mut bound) = (Tally::default(), Tally::default());
    let mut fixed = vec![Tally::default(); rungs];
    let mut tallies = vec![Tally { timed: true, ..Tally::default() }; contenders.len()];
    for seed in &scenario.seeds {
        let draws = Draws::new(scenario, rungs, *seed);
        let bound_player = process.map(|process| {
            let true_rungs = ladder
                .candidates
                .iter()
                .zip(&draws.errors)
                .map(|(candidate, error)| (candidate.latency.as_secs_f64() * error, candidate.accuracy))
                .collect();
            Bound::new(process, true_rungs, ladder.guess_accuracy)
        });
        let sudden = process.is_some_and(|process| process.ramp == 0);
        let world = World { ladder, bound: bound_player.clone().filter(|_| sudden), draws: &draws };
        for (contender, tally) in contenders.iter().zip(&mut tallies) {
            let miss_target = contender.miss_target.unwrap_or(scenario.miss_target);
            let mut player = PolicyPlayer {
                policy: contender.spec.make(&ladder.candidates, &ladder.ids, &terms)?,
                demand: Demand::new(terms.budget, miss_target),
                outlook: &outlook,
                sees_load: contender.sees_load,
            };
            let start = Instant::now();
            tally.play(&world, &mut player);
            tally.time += start.elapsed();
        }
        oracle.play(&world, &mut OraclePlayer(&world));
        for (rung, tally) in fixed.iter_mut().enumerate() {
            tally.play(&world, &mut FixedPlayer(rung));
        }
        if let Some(mut player) = bound_player {
            bound.play(&world, &mut player);
        }
    }
    let best_fixed = (0..rungs).max_by(|a, b| fixed[*a].sum.total_cmp(&fixed[*b].sum)).unwrap_or(0);
    let oracle_accuracy = oracle.sum / oracle.inferences as f64;
    let bound_accuracy = process.map(|_| bound.sum / bound.inferences as f64);
    let score = |tally: Tally, name: &str, reference| tally.score(name, reference, oracle_accuracy, bound_accuracy);
    let mut policies: Vec<Score> =
        contenders.iter().zip(tallies).map(|(contender, tally)| score(tally, &contender.name, false)).collect();
    policies.push(score(fixed.swap_remove(best_fixed), "best-fixed", true));
    if process.is_some() {
        policies.push(score(bound, "bound", true));
    }
    policies.push(score(oracle, "oracle", true));
    Ok(ScenarioReport {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        inferences: scenario.inferences,
        seeds: scenario.seeds.len(),
        miss_target: scenario.miss_target,
        best_fixed: ladder.ids[best_fixed].clone(),
        policies,
    })
}
