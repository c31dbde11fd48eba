//! What is asked of a policy, and the one way in which every predicting policy answers it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Load, Reason};

/// What the user wants most, as it stands in a configuration file under `control.objective`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Objective {
    /// The highest expected accuracy.
    #[default]
    Accuracy,
    /// The least expected CPU time.
    Energy {
        /// Expected accuracy, less what a likely miss costs by the policy's reckoning, below which nothing is saved; a
        /// share from 0 to 1.
        #[schemars(range(min = 0, max = 1))]
        accuracy_floor: f64,
    },
}

impl Objective {
    /// The name under which the objective stands in configurations, flags and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Energy { .. } => "energy",
        }
    }
}

/// What is demanded of the next window; it may change between two windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// From the arrival of a window's last sample to its published decision.
    pub budget: Duration,
    /// The allowed miss rate, a share from 0 to 1.
    pub miss_target: f64,
    /// What the user wants most.
    pub objective: Objective,
    /// Always this configuration, whatever the policy would pick; it goes on learning meanwhile.
    pub pinned: Option<usize>,
}

impl Demand {
    /// The highest accuracy within `budget`, `miss_target` of the decisions late at most.
    #[must_use]
    pub fn new(budget: Duration, miss_target: f64) -> Self {
        Self { budget, miss_target, objective: Objective::Accuracy, pinned: None }
    }
}

/// What the next window would get from one configuration, and at what cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Expected accuracy on this window, a share from 0 to 1.
    pub accuracy: f64,
    /// Expected CPU time of the inference.
    pub cost: Duration,
}

/// What is known when the next window's configuration is picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation<'a> {
    /// What is demanded.
    pub demand: &'a Demand,
    /// Time on the device's clock since the latest inference that the policy observed, in any stream; the
    /// ladder's hop before the first. The slowdown is the processor's, so it is not the time of any one stream.
    pub elapsed: Duration,
    /// What of the budget is left for the inference: without the time that has passed already and the time that
    /// publishing is expected to take.
    pub available: Duration,
    /// The latest signals.
    pub signals: Load,
    /// One entry per configuration.
    pub outlook: &'a [Outlook],
    /// CPU time that the inference may take where the average CPU share is capped; [`Duration::MAX`] where it is not.
    pub cost_limit: Duration,
}

/// Accuracy that is not worth its CPU time where the accuracy floor cannot be reached.
const INDIFFERENCE: f64 = 0.005;

/// Picks among configurations whose probabilities of a miss are `misses`, where a decision may be late with the
/// probability `allowed`, and a late one is worth `late_worth` (an accuracy; it may be negative). Returns the rung and
/// why.
///
/// What cannot be had is given up in this order, the last first: being on time, then accuracy, then energy.
///
/// 1. On time: those with a miss probability within `allowed`, or, where hardly any is, within a quarter of it of the
///    least that can be had.
/// 2. Of these, for [`Objective::Energy`], those whose expected accuracy reaches the floor; where none does, those
///    within half a point of the best.
/// 3. Of these, those within the cost limit; where none is, the cheapest.
/// 4. Of these, the most accurate or the cheapest, as the objective says.
///
/// Of equals the one with the lower miss probability, then the cheaper one wins.
#[must_use]
pub fn pick(misses: &[f64], situation: &Situation, allowed: f64, late_worth: f64) -> (usize, Reason) {
    let demand = situation.demand;
    if let Some(rung) = demand.pinned {
        return (rung, Reason::Pinned);
    }
    let outlook = situation.outlook;
    let rungs = || 0..misses.len();
    let expected = |rung: usize| outlook[rung].accuracy * (1.0 - misses[rung]) + late_worth * misses[rung];

    let least = misses.iter().copied().fold(f64::INFINITY, f64::min);
    let relaxed = allowed.max(least + allowed / 4.0);
    let on_time = |rung: &usize| misses[*rung] <= relaxed;

    let floor = match demand.objective {
        Objective::Accuracy => f64::NEG_INFINITY,
        Objective::Energy { accuracy_floor } => {
            let best = rungs().filter(on_time).map(expected).fold(f64::NEG_INFINITY, f64::max);
            if best >= accuracy_floor { accuracy_floor } else { best - INDIFFERENCE }
        }
    };
    let accurate = |rung: &usize| on_time(rung) && expected(*rung) >= floor;

    let cheapest = rungs().filter(accurate).map(|rung| outlook[rung].cost).min().unwrap_or(Duration::MAX);
    let limit = situation.cost_limit.max(cheapest);
    let affordable = |rung: &usize| accurate(rung) && outlook[*rung].cost <= limit;

    let better = |a: usize, b: usize| {
        let (cost, miss) = (outlook[a].cost.cmp(&outlook[b].cost), misses[a].total_cmp(&misses[b]));
        let accuracy = expected(b).total_cmp(&expected(a));
        match demand.objective {
            Objective::Accuracy => accuracy.then(miss).then(cost),
            Objective::Energy { .. } => cost.then(accuracy).then(miss),
        }
    };
    let rung = rungs().filter(affordable).min_by(|a, b| better(*a, *b)).unwrap_or(0);
    let reason = if misses[rung] > allowed {
        Reason::LeastLate
    } else if outlook[rung].cost >= cheapest && cheapest > situation.cost_limit {
        Reason::OverCpuBudget
    } else if matches!(demand.objective, Objective::Energy { .. }) {
        Reason::CheapestAccurateEnough
    } else if rungs().any(|other| accurate(&other) && !affordable(&other) && expected(other) > expected(rung)) {
        Reason::WithinCpuBudget
    } else {
        Reason::MostAccurateInTime
    };
    (rung, reason)
}
