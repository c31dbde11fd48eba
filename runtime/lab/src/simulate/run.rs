//! Runs every policy and every reference on the same draws.

use std::time::Duration;

use serde::Serialize;

use super::bound::Bound;
use super::contender::Contender;
use super::draws::Draws;
use super::fit::fit;
use super::ladder::SimulatedLadder;
use super::player::{CascadeOraclePlayer, FixedPlayer, OraclePlayer, PolicyPlayer, World};
use super::scenario::{Scenario, SlowdownSpec};
use super::score::{Score, Tally};
use gaitd_core::control::{AlertConstants, Candidate, Demand, Halves, Overhead, PolicyError, PolicySpec, Terms};

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
    /// The allowed miss rate, a share.
    pub miss_target: f64,
    /// What its load signal is; `None` where there is none.
    pub load: Option<&'static str>,
    /// The best configuration in hindsight, if only one may be used.
    pub best_fixed: String,
    /// The constants that were fitted for ALERT, on other seeds; `None` where it did not take part with fitted ones.
    pub alert_fitted: Option<AlertConstants>,
    /// Policies and references.
    pub policies: Vec<Score>,
}

impl ScenarioReport {
    /// What the policy or reference `name` reached, if it took part.
    #[must_use]
    pub fn score(&self, name: &str) -> Option<&Score> {
        self.policies.iter().find(|score| score.name == name)
    }
}

/// Simulates `contenders` and the references on `scenario`, whose configurations are `ladder`'s; calls `progress` after
/// each seed. Everything but the decisions' times is the same each time.
///
/// # Errors
/// When a policy cannot be made for this ladder.
pub fn simulate(
    scenario: &Scenario,
    ladder: &SimulatedLadder,
    contenders: &[Contender],
    mut progress: impl FnMut(),
) -> Result<ScenarioReport, PolicyError> {
    let (contenders, alert_fitted) = &fitted(scenario, ladder, contenders)?;
    let lead = scenario.head.map(|head| Duration::from_secs_f64(head.lead_ms / 1e3));
    let ladder = &ladder.with_heads(scenario.head.as_ref()).with_cascades(&scenario.cascades)?;
    let rungs = ladder.rungs();
    let terms =
        Terms { budget: Duration::from_secs_f64(scenario.budgets[0].ms / 1e3), guess_accuracy: ladder.guess_accuracy };
    let outlook = ladder.outlook();
    let process = match &scenario.slowdown {
        SlowdownSpec::Process(process) => Some(process),
        SlowdownSpec::Trace(_) => None,
    };
    let load = scenario.load_signal();
    // a contender that does the same as another under another name need not be run again
    let twin = |place: usize| {
        let same = |other: &Contender| contenders[place].same_as(other, load.is_some());
        contenders[..place].iter().position(same)
    };
    let [mut oracle, mut bound, mut cascade_oracle] = std::array::from_fn(|_| Tally::default());
    let mut fixed = vec![Tally::default(); rungs];
    let mut tallies = vec![Tally::default(); contenders.len()];
    for seed in &scenario.seeds {
        let draws = Draws::new(scenario, rungs, *seed);
        let bound_player = process.map(|process| {
            let true_rungs = ladder
                .candidates
                .iter()
                .zip(&draws.errors)
                .map(|(candidate, error)| scaled(candidate, *error))
                .collect();
            Bound::new(process, true_rungs, lead, scenario.publish.as_ref(), ladder.guess_accuracy)
        });
        let sudden = process.is_some_and(|process| process.ramp == 0);
        let world = World { ladder, bound: bound_player.clone().filter(|_| sudden), draws: &draws, lead };
        for (place, (contender, tally)) in contenders.iter().zip(&mut tallies).enumerate() {
            if twin(place).is_some() {
                continue;
            }
            let miss_target = contender.miss_target.unwrap_or(scenario.miss_target);
            let mut player = PolicyPlayer {
                policy: contender.spec.make(&ladder.candidates, &ladder.ids, &terms)?,
                demand: Demand { objective: scenario.objective, ..Demand::new(terms.budget, miss_target) },
                outlook: &outlook,
                sees_load: contender.sees_load,
                lead,
                overhead: Overhead::NONE,
            };
            tally.play(&world, &mut player);
        }
        oracle.play(&world, &mut OraclePlayer(&world));
        if !ladder.cascades.is_empty() {
            cascade_oracle.play_knowing(&world, &CascadeOraclePlayer(&world));
        }
        for (rung, tally) in fixed.iter_mut().enumerate() {
            tally.play(&world, &mut FixedPlayer(rung));
        }
        if let Some(mut player) = bound_player {
            bound.play(&world, &mut player);
        }
        progress();
    }
    let best_fixed = (0..rungs).max_by(|a, b| fixed[*a].sum().total_cmp(&fixed[*b].sum())).unwrap_or(0);
    let oracle_accuracy = oracle.effective_accuracy();
    let bound_accuracy = process.map(|_| bound.effective_accuracy());
    let score = |tally: Tally, name: &str, reference| tally.score(name, reference, oracle_accuracy, bound_accuracy);
    let played = |place: usize| tallies[twin(place).unwrap_or(place)].clone();
    let mut policies: Vec<Score> =
        contenders.iter().enumerate().map(|(place, c)| score(played(place), &c.name, false)).collect();
    policies.push(score(fixed.swap_remove(best_fixed), "best-fixed", true));
    if process.is_some() {
        policies.push(score(bound, "bound", true));
    }
    if !ladder.cascades.is_empty() {
        policies.push(score(cascade_oracle, "cascade-oracle", true));
    }
    policies.push(score(oracle, "oracle", true));
    Ok(ScenarioReport {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        inferences: scenario.inferences,
        seeds: scenario.seeds.len(),
        miss_target: scenario.miss_target,
        load,
        best_fixed: ladder.ids[best_fixed].clone(),
        alert_fitted: *alert_fitted,
        policies,
    })
}

/// `contenders`, of whom those that are to be fitted have the constants that suit `scenario`; and these constants.
fn fitted(
    scenario: &Scenario,
    ladder: &SimulatedLadder,
    contenders: &[Contender],
) -> Result<(Vec<Contender>, Option<AlertConstants>), PolicyError> {
    let mut contenders = contenders.to_vec();
    let mut alert_fitted = None;
    for contender in contenders.iter_mut().filter(|contender| contender.fitted) {
        let constants = fit(scenario, ladder, contender.miss_target)?;
        contender.spec = PolicySpec::Alert { constants };
        alert_fitted = Some(constants);
    }
    Ok((contenders, alert_fitted))
}

/// `candidate` with latencies that are `error` times as long.
fn scaled(candidate: &Candidate, error: f64) -> Candidate {
    let Candidate { accuracy, latency, halves, cascade } = *candidate;
    let halves = halves.map(|Halves { head, tail }| Halves { head: head.mul_f64(error), tail: tail.mul_f64(error) });
    Candidate { accuracy, latency: latency.mul_f64(error), halves, cascade }
}
