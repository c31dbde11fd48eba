//! Keeping score of a policy or a reference.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::bound::Bound;
use super::draws::Draw;
use super::player::{CascadeOraclePlayer, Player, World};

/// What a policy or a reference reached in a scenario, over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Name of the policy or reference.
    pub name: String,
    /// It knows more than a policy can.
    pub reference: bool,
    /// Share of the inferences that were late.
    pub miss_rate: f64,
    /// Mean accuracy, a share; a late inference counts as a guess.
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
    /// After a window that waiting or publishing alone made late, without a change of level or budget: changes of
    /// configuration from the window before it to the tenth after it, mean.
    pub switches_after_outlier: Option<f64>,
    /// Of the 10 windows after such a one to which half of the budget is left: the share of those for which every
    /// configuration was expected to be late for certain.
    pub hopeless_after_outlier: Option<f64>,
    /// Time that one decision took here (picking and learning), nanoseconds; not deterministic. `None` for references.
    pub decision_ns: Option<f64>,
}

/// Inferences after a rise that are looked at.
const AFTER_RISE: usize = 10;

/// Windows after an outlier that are looked at, and before it that must have been at the same level.
const AFTER_OUTLIER: usize = 10;

/// Decisions are timed in batches of this many, since reading the clock takes a good part of a decision's time.
const BATCH: usize = 1024;

/// Sums over inferences.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
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
    outliers: u64,
    switches_after_outliers: u64,
    after_outliers: u64,
    hopeless: u64,
    time: Duration,
}

impl Tally {
    /// Plays one seed.
    pub(super) fn play(&mut self, world: &World<'_>, player: &mut impl Player) {
        let (before, inferences) = (self.sum, world.draws.draws.len());
        let configurations = world.ladder.candidates.len();
        let mut rungs = Vec::with_capacity(inferences);
        let mut late = Vec::with_capacity(inferences);
        let mut hopeless = Vec::with_capacity(inferences);
        let [mut latencies, mut wholes] = [const { Vec::new() }; 2];
        let mut followed = Vec::new();
        for batch in world.draws.draws.chunks(BATCH) {
            // worked out beforehand, so that hardly anything is timed but the player
            latencies.clear();
            latencies.extend(batch.iter().flat_map(|draw| (0..configurations).map(|rung| world.latency(rung, draw))));
            wholes.clear();
            wholes.extend(batch.iter().flat_map(|draw| (0..configurations).map(|rung| world.whole(rung, draw))));
            let latencies = latencies.chunks_exact(configurations);
            let played = rungs.len();
            let start = Instant::now();
            for ((draw, wholes), latencies) in
                batch.iter().zip(wholes.chunks_exact(configurations)).zip(latencies.clone())
            {
                let plan = player.choose(draw);
                if world.draws.has_delays {
                    hopeless.push(player.hopeless());
                }
                let ran = match world.ladder.cascade(plan) {
                    Some(cascade) => {
                        let small = cascade.pair.small;
                        let follows =
                            cascade.is_asked(draw) && player.follows(cascade, draw, latencies[small], wholes[small]);
                        followed.push(follows);
                        if follows { plan } else { small }
                    }
                    None => plan,
                };
                player.observe(ran, draw, wholes[ran]);
                rungs.push(plan);
            }
            self.time += start.elapsed();
            let outcomes = rungs[played..].iter().zip(batch.iter().zip(latencies));
            let mut followed = followed.drain(..);
            for (plan, (draw, latencies)) in outcomes {
                let (ran, follows, worth) = match world.ladder.cascade(*plan) {
                    Some(cascade) => {
                        let follows = followed.next().unwrap_or_default();
                        let ran = if follows { *plan } else { cascade.pair.small };
                        (ran, follows, cascade.worth(cascade.is_asked(draw), follows))
                    }
                    None => (*plan, false, world.ladder.candidates[*plan].accuracy),
                };
                let is_late = draw.is_late(latencies[ran]);
                late.push(is_late);
                self.count(world, *plan, follows, if is_late { world.ladder.guess_accuracy } else { worth }, is_late);
            }
        }
        self.accuracy.push((self.sum - before) / inferences as f64);
        self.last = None;
        if let Some(bound) = &world.bound {
            self.react(world, bound, &rungs, &late);
        }
        if world.draws.has_delays {
            self.react_to_outliers(&world.draws.draws, &rungs, &hopeless);
        }
    }

    /// Sum of the effective accuracies.
    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Mean effective accuracy.
    pub(super) fn effective_accuracy(&self) -> f64 {
        self.sum / self.inferences as f64
    }

    fn count(&mut self, world: &World<'_>, plan: usize, followed: bool, worth: f64, late: bool) {
        self.sum += worth;
        self.inferences += 1;
        self.misses += u64::from(late);
        self.macs += world.macs(plan, followed) as f64;
        self.switches += u64::from(self.last.is_some_and(|last| last != plan));
        self.last = Some(plan);
    }

    /// Plays one seed of what knows more of each window than a player is told.
    pub(super) fn play_knowing(&mut self, world: &World<'_>, player: &CascadeOraclePlayer<'_>) {
        let before = self.sum;
        for draw in &world.draws.draws {
            let (plan, followed, worth) = player.play(draw);
            let first = world.ladder.cascade(plan).map_or(plan, |cascade| cascade.pair.small);
            let late = draw.is_late(world.latency(if followed { plan } else { first }, draw));
            self.count(world, plan, followed, worth, late);
        }
        self.accuracy.push((self.sum - before) / world.draws.draws.len() as f64);
        self.last = None;
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

    /// How it went after each window that was late for other reasons than its inference.
    fn react_to_outliers(&mut self, draws: &[Draw], rungs: &[usize], hopeless: &[bool]) {
        for outlier in AFTER_OUTLIER..draws.len().saturating_sub(AFTER_OUTLIER) {
            let span = outlier - AFTER_OUTLIER..=outlier + AFTER_OUTLIER;
            let same = |draw: &Draw| (draw.state, draw.budget) == (draws[outlier].state, draws[outlier].budget);
            if !draws[outlier].is_outlier() || !draws[span].iter().all(same) {
                continue;
            }
            self.outliers += 1;
            let switches = rungs[outlier - 1..=outlier + AFTER_OUTLIER].windows(2).filter(|pair| pair[0] != pair[1]);
            self.switches_after_outliers += switches.count() as u64;
            for after in outlier + 1..=outlier + AFTER_OUTLIER {
                if 2 * draws[after].left() >= draws[after].budget {
                    self.after_outliers += 1;
                    self.hopeless += u64::from(hopeless[after]);
                }
            }
        }
    }

    /// The score, beside the effective accuracies of the oracle and of the bound.
    pub(super) fn score(mut self, name: &str, reference: bool, oracle: f64, bound: Option<f64>) -> Score {
        let inferences = self.inferences as f64;
        let effective_accuracy = self.effective_accuracy();
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
            switches_after_outlier: share(self.switches_after_outliers, self.outliers),
            hopeless_after_outlier: share(self.hopeless, self.after_outliers).filter(|_| !reference),
            decision_ns: (!reference).then(|| self.time.as_secs_f64() * 1e9 / inferences),
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
