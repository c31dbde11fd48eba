//! What is asked of a policy, and the one way in which every predicting policy answers it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Available, Load, Reason};

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
    /// Always this plan, whatever the policy would pick; it goes on learning meanwhile.
    pub pinned: Option<usize>,
}

impl Demand {
    /// The highest accuracy within `budget`, `miss_target` of the decisions late at most.
    #[must_use]
    pub fn new(budget: Duration, miss_target: f64) -> Self {
        Self { budget, miss_target, objective: Objective::Accuracy, pinned: None }
    }
}

/// What the next window would get from one plan, and at what cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Expected accuracy on this window, a share from 0 to 1.
    pub accuracy: f64,
    /// Expected CPU time of the inference, its head included; of a cascade, as often as it needs both.
    pub cost: Duration,
    /// The way that is shorter, of a cascade.
    pub short: Option<Short>,
}

/// The shorter way of a cascade: its small configuration alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Short {
    /// The small configuration.
    pub rung: usize,
    /// Probability that it is all that is needed.
    pub share: f64,
}

impl Outlook {
    /// How probably `plan`, whose outlook this is, is late, where `misses` are for the longer ways.
    #[must_use]
    pub fn miss(&self, plan: usize, misses: &[f64]) -> f64 {
        let long = misses[plan];
        self.short.map_or(long, |short| short.share * misses[short.rung] + (1.0 - short.share) * long)
    }
}

/// What is known when the next window's configuration is picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation<'a> {
    /// What is demanded.
    pub demand: &'a Demand,
    /// Time on the device's clock since the latest inference that the policy observed, in any stream; the
    /// ladder's hop before the first. The slowdown is the processor's, so it is not the time of any one stream.
    pub elapsed: Duration,
    /// What of the budget is left for the inference: without the time that has passed already, and without what is still
    /// to come beside it, which nobody knows for certain. Before the window's last sample, it is left after that sample.
    pub available: Available,
    /// How long it takes until the window's last sample comes; nothing where it is there.
    pub lead: Option<Duration>,
    /// The latest reading of the load.
    pub signals: Load,
    /// One entry per plan that may be picked: cascades may not where there is no context, which they were measured with.
    pub outlook: &'a [Outlook],
    /// CPU time that the inference may take where the average CPU share is capped; [`Duration::MAX`] where it is not.
    pub cost_limit: Duration,
}

/// Accuracy that is not worth its CPU time where the accuracy floor cannot be reached.
const INDIFFERENCE: f64 = 0.005;

/// Probabilities of a miss, one per plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Misses<'a> {
    /// That the decision is late, whatever for.
    pub all: &'a [f64],
    /// That it is late for the configuration's inference, where it could have been on time: what the configuration can be
    /// blamed for.
    pub own: &'a [f64],
}

impl<'a> Misses<'a> {
    /// Nothing but an inference is ever late.
    #[must_use]
    pub fn of_inferences(misses: &'a [f64]) -> Self {
        Self { all: misses, own: misses }
    }
}

/// Whether a decision is late more probably than it is `allowed` to be, and about as probably whatever is picked.
pub(super) fn late_anyway(misses: &[f64], allowed: f64) -> bool {
    let (least, most) = misses.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), m| (least.min(*m), most.max(*m)));
    least > allowed && most <= relaxed(least, allowed)
}

/// A probability of a miss that is as good as `least`, the least that can be had.
fn relaxed(least: f64, allowed: f64) -> f64 {
    allowed.max(least + allowed / 4.0)
}

/// Picks among configurations whose probabilities of a miss are `misses`, where a decision may be late with the
/// probability `allowed`, and a late one is worth `late_worth` (an accuracy; it may be negative). Returns the rung and
/// why.
///
/// What cannot be had is given up in this order, the last first: being on time, then accuracy, then energy.
///
/// 1. On time: those with a miss probability of their own within `allowed`, or, where hardly any is, within a quarter of
///    it of the least that can be had; of a cascade, both inferences. What waiting and publishing make late is late with any configuration, and a small
///    one would buy nothing.
/// 2. Of these, for [`Objective::Energy`], those whose expected accuracy reaches the floor; where none does, those
///    within half a point of the best.
/// 3. Of these, those within the cost limit; where none is, the cheapest.
/// 4. Of these, the most accurate or the cheapest, as the objective says.
///
/// Of equals the one with the lower miss probability, then the cheaper one wins.
#[must_use]
pub fn pick(misses: &Misses, situation: &Situation, allowed: f64, late_worth: f64) -> (usize, Reason) {
    let demand = situation.demand;
    let Misses { all, own: misses } = *misses;
    if let Some(rung) = demand.pinned {
        return (rung, Reason::Pinned);
    }
    let outlook = situation.outlook;
    let misses = &misses[..outlook.len()];
    let rungs = || 0..outlook.len();
    let expected = |rung: usize| {
        let miss = outlook[rung].miss(rung, misses);
        outlook[rung].accuracy * (1.0 - miss) + late_worth * miss
    };

    let least = misses.iter().copied().fold(f64::INFINITY, f64::min);
    let relaxed = relaxed(least, allowed);
    // with what is expected of each, once
    let on_time = || rungs().filter(|rung| misses[*rung] <= relaxed).map(|rung| (rung, expected(rung)));
    let best = on_time().map(|(_, expected)| expected).fold(f64::NEG_INFINITY, f64::max);
    let floor = match demand.objective {
        Objective::Accuracy => f64::NEG_INFINITY,
        Objective::Energy { accuracy_floor } if best >= accuracy_floor => accuracy_floor,
        Objective::Energy { .. } => best - INDIFFERENCE,
    };
    let accurate = || on_time().filter(|(_, expected)| *expected >= floor);

    let cheapest = if situation.cost_limit == Duration::MAX {
        // no matter which: all are within the limit
        Duration::MAX
    } else {
        accurate().map(|(rung, _)| outlook[rung].cost).min().unwrap_or(Duration::MAX)
    };
    let limit = situation.cost_limit.max(cheapest);
    let affordable = accurate().filter(|(rung, _)| outlook[*rung].cost <= limit);

    let better = |(a, of_a): &(usize, f64), (b, of_b): &(usize, f64)| {
        let (cost, miss) = (|| outlook[*a].cost.cmp(&outlook[*b].cost), || misses[*a].total_cmp(&misses[*b]));
        let accuracy = of_b.total_cmp(of_a);
        match demand.objective {
            Objective::Accuracy => accuracy.then_with(miss).then_with(cost),
            Objective::Energy { .. } => cost().then(accuracy).then_with(miss),
        }
    };
    let (rung, its) = affordable.min_by(better).unwrap_or((0, expected(0)));
    let reason = if misses[rung] > allowed {
        Reason::LeastLate
    } else if all[rung] > allowed {
        Reason::LateElsewhere
    } else if cheapest > situation.cost_limit {
        Reason::OverCpuBudget
    } else if matches!(demand.objective, Objective::Energy { .. }) {
        Reason::CheapestAccurateEnough
    } else if best > its {
        Reason::WithinCpuBudget
    } else {
        Reason::MostAccurateInTime
    };
    (rung, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The accuracy of a configuration, its CPU time in milliseconds, and how probably it is late.
    type Rung = (f64, u64, f64);

    /// Numbers here are sums of few powers of two where equality matters.
    struct Question<'a> {
        rungs: &'a [Rung],
        objective: Objective,
        allowed: f64,
        late_worth: f64,
        cost_limit: Duration,
    }

    impl<'a> Question<'a> {
        /// What has the highest accuracy among `rungs`, where a late decision is worth nothing, may be late with
        /// a probability of a half, and no CPU time is too much?
        fn accuracy(rungs: &'a [Rung]) -> Self {
            let objective = Objective::Accuracy;
            Self { rungs, objective, allowed: 0.5, late_worth: 0.0, cost_limit: Duration::MAX }
        }

        /// The same for the least CPU time.
        fn energy(rungs: &'a [Rung], accuracy_floor: f64) -> Self {
            Self { objective: Objective::Energy { accuracy_floor }, ..Self::accuracy(rungs) }
        }

        fn answer(&self) -> (usize, Reason) {
            let misses: Vec<f64> = self.rungs.iter().map(|rung| rung.2).collect();
            self.answer_where(&misses)
        }

        /// The answer where decisions are late with these probabilities, for their inferences as the rungs say.
        fn answer_where(&self, all: &[f64]) -> (usize, Reason) {
            let demand = Demand { objective: self.objective, ..Demand::new(Duration::from_millis(50), self.allowed) };
            let outlook: Vec<Outlook> = self
                .rungs
                .iter()
                .map(|(accuracy, cost, _)| Outlook {
                    accuracy: *accuracy,
                    cost: Duration::from_millis(*cost),
                    short: None,
                })
                .collect();
            let misses: Vec<f64> = self.rungs.iter().map(|rung| rung.2).collect();
            let situation = Situation {
                demand: &demand,
                elapsed: Duration::ZERO,
                available: Available::all(demand.budget),
                lead: None,
                signals: Load::NONE,
                outlook: &outlook,
                cost_limit: self.cost_limit,
            };
            pick(&Misses { all, own: &misses }, &situation, self.allowed, self.late_worth)
        }

        fn late_worth(self, late_worth: f64) -> Self {
            Self { late_worth, ..self }
        }

        fn allowed(self, allowed: f64) -> Self {
            Self { allowed, ..self }
        }

        fn limit(self, ms: u64) -> Self {
            Self { cost_limit: Duration::from_millis(ms), ..self }
        }
    }

    #[test]
    fn objectives_are_named_as_in_configurations() {
        for objective in [Objective::Accuracy, Objective::Energy { accuracy_floor: 0.5 }] {
            assert_eq!(serde_json::to_value(objective).unwrap()["kind"], objective.name());
        }
    }

    #[test]
    fn a_demand_without_more_is_for_accuracy_and_pins_nothing() {
        let Demand { budget, miss_target, objective, pinned } = Demand::new(Duration::from_millis(70), 0.03);
        assert_eq!((budget, miss_target), (Duration::from_millis(70), 0.03));
        assert_eq!((objective, pinned), (Objective::Accuracy, None));
    }

    #[test]
    fn an_accuracy_counts_as_far_as_it_is_likely_to_be_in_time() {
        // 0.8 * 0.8 = 0.64
        assert_eq!(Question::accuracy(&[(0.62, 1, 0.0), (0.8, 1, 0.2)]).answer().0, 1);
        assert_eq!(Question::accuracy(&[(0.66, 1, 0.0), (0.8, 1, 0.2)]).answer().0, 0);
        // and on both sides: 0.7 * 0.9 = 0.63
        assert_eq!(Question::accuracy(&[(0.7, 1, 0.1), (0.8, 1, 0.2)]).answer().0, 1);
        assert_eq!(Question::accuracy(&[(0.72, 1, 0.1), (0.8, 1, 0.2)]).answer().0, 0);
    }

    #[test]
    fn a_late_decision_counts_as_what_it_is_worth() {
        let rungs = [(0.9, 1, 0.0), (1.0, 1, 0.2)];
        // 0.8 + 0.2 * 0.4 = 0.88, 0.8 + 0.2 * 0.6 = 0.92
        for (late_worth, rung) in [(-1.0, 0), (0.0, 0), (0.4, 0), (0.6, 1)] {
            assert_eq!(Question::accuracy(&rungs).late_worth(late_worth).answer().0, rung, "{late_worth}");
        }
        // 0.8 * 0.8 - 0.2 * 0.5 = 0.54
        let question = |accuracy| Question::accuracy(&[(0.8, 1, 0.2), (accuracy, 1, 0.0)]).late_worth(-0.5).answer().0;
        assert_eq!((question(0.53), question(0.55)), (0, 1));
    }

    #[test]
    fn the_allowed_probability_of_a_miss_is_in_time_and_what_is_above_is_not() {
        let question = |miss| Question::accuracy(&[(0.5, 1, 0.0), (1.0, 2, miss)]).allowed(0.125).answer();
        assert_eq!(question(0.125), (1, Reason::MostAccurateInTime));
        assert_eq!(question(0.126), (0, Reason::MostAccurateInTime));
    }

    #[test]
    fn where_none_is_in_time_a_quarter_of_what_is_allowed_above_the_least_is_as_good() {
        // an eighth is allowed, so 1 / 32 above the least is as good as that
        let question = |miss| Question::accuracy(&[(0.5, 1, 0.5), (1.0, 2, miss)]).allowed(0.125).answer();
        assert_eq!(question(0.53125), (1, Reason::LeastLate));
        assert_eq!(question(0.5313), (0, Reason::LeastLate));
        // the least is within what is allowed, yet what is a quarter above that is not
        let question = |miss| Question::accuracy(&[(0.5, 1, 0.109375), (1.0, 2, miss)]).allowed(0.125).answer();
        assert_eq!(question(0.140625), (1, Reason::LeastLate));
        assert_eq!(question(0.140626), (0, Reason::MostAccurateInTime));
    }

    #[test]
    fn what_makes_all_late_speaks_against_none() {
        let rungs = [(0.5, 1, 0.0), (1.0, 2, 0.0625), (1.0, 2, 0.25)];
        let question = |elsewhere: f64| {
            let question = Question::accuracy(&rungs).allowed(0.125);
            let all: Vec<f64> = rungs.iter().map(|rung| elsewhere + (1.0 - elsewhere) * rung.2).collect();
            question.answer_where(&all)
        };
        assert_eq!(question(0.0), (1, Reason::MostAccurateInTime));
        assert_eq!(question(0.0625), (1, Reason::MostAccurateInTime));
        for elsewhere in [0.125, 0.5, 1.0] {
            assert_eq!(question(elsewhere), (1, Reason::LateElsewhere));
        }
        // it is no excuse for inferences that are late
        let rungs = [(0.5, 1, 0.5), (1.0, 2, 0.75)];
        assert_eq!(Question::accuracy(&rungs).allowed(0.125).answer_where(&[0.75, 0.875]), (0, Reason::LeastLate));
    }

    #[test]
    fn a_decision_is_late_anyway_where_all_are_and_none_by_much_less() {
        assert!(late_anyway(&[1.0, 1.0, 1.0], 0.125) && late_anyway(&[0.5, 0.53125, 0.5], 0.125));
        assert!(!late_anyway(&[0.5, 0.5313], 0.125) && !late_anyway(&[0.125, 0.125], 0.125));
        assert!(!late_anyway(&[0.0, 1.0], 0.125) && !late_anyway(&[1.0], 1.0));
    }

    #[test]
    fn being_late_the_least_often_comes_before_accuracy_energy_and_the_cap() {
        let rungs = [(1.0, 9, 0.75), (0.5, 8, 0.25), (0.9, 1, 0.5)];
        for question in [Question::accuracy(&rungs), Question::energy(&rungs, 0.8), Question::accuracy(&rungs).limit(2)]
        {
            assert_eq!(question.allowed(0.125).late_worth(0.5).answer(), (1, Reason::LeastLate));
        }
    }

    #[test]
    fn energy_takes_the_cheapest_that_reaches_the_floor() {
        let rungs = [(0.875, 5, 0.0), (0.75, 2, 0.0), (0.625, 1, 0.0)];
        for (floor, rung) in [(0.875, 0), (0.76, 0), (0.75, 1), (0.63, 1), (0.625, 2), (0.0, 2)] {
            let answer = Question::energy(&rungs, floor).answer();
            assert_eq!(answer, (rung, Reason::CheapestAccurateEnough), "{floor}");
        }
        // likely misses are reckoned with: 0.875 * 0.75 = 0.65625
        let rungs = [(0.75, 5, 0.0), (0.875, 2, 0.25)];
        assert_eq!(Question::energy(&rungs, 0.65).answer().0, 1);
        assert_eq!(Question::energy(&rungs, 0.66).answer().0, 0);
        assert_eq!(Question::energy(&rungs, 0.66).late_worth(0.5).answer().0, 1);
    }

    #[test]
    fn where_the_floor_is_out_of_reach_half_a_point_below_the_best_is_as_good() {
        let question = |cheap| Question::energy(&[(0.9, 5, 0.0), (cheap, 2, 0.0), (0.5, 1, 0.0)], 0.95).answer();
        assert_eq!(question(0.896), (1, Reason::CheapestAccurateEnough));
        assert_eq!(question(0.894), (0, Reason::CheapestAccurateEnough));
        // the best of those that are late does not count
        let rungs = [(0.9, 5, 0.0), (0.896, 2, 0.0), (1.0, 1, 0.75)];
        assert_eq!(Question::energy(&rungs, 0.95).late_worth(1.0).answer().0, 1);
    }

    #[test]
    fn a_cap_leaves_the_most_accurate_that_it_can_pay_for() {
        let rungs = [(0.7, 2, 0.0), (0.8, 3, 0.0), (0.9, 4, 0.0)];
        for (limit, answer) in [
            (0, (0, Reason::OverCpuBudget)),
            (1, (0, Reason::OverCpuBudget)),
            (2, (0, Reason::WithinCpuBudget)),
            (3, (1, Reason::WithinCpuBudget)),
            (4, (2, Reason::MostAccurateInTime)),
        ] {
            assert_eq!(Question::accuracy(&rungs).limit(limit).answer(), answer, "{limit}");
        }
        // of the cheapest ones, the most accurate
        assert_eq!(Question::accuracy(&[(0.7, 2, 0.0), (0.8, 2, 0.0)]).limit(1).answer(), (1, Reason::OverCpuBudget));
    }

    #[test]
    fn a_cap_is_named_only_where_it_costs_accuracy_that_would_have_been_in_time() {
        // what cannot be paid for is worse, as good, or late
        for other in [(0.8, 2, 0.0), (0.9, 2, 0.0), (1.0, 2, 0.75)] {
            let answer = Question::accuracy(&[other, (0.9, 1, 0.0)]).late_worth(1.0).limit(1).answer();
            assert_eq!(answer, (1, Reason::MostAccurateInTime), "{other:?}");
        }
    }

    #[test]
    fn accuracy_is_given_up_after_energy() {
        let rungs = [(0.95, 4, 0.0), (0.9, 3, 0.0), (0.5, 1, 0.0)];
        assert_eq!(Question::energy(&rungs, 0.9).limit(3).answer(), (1, Reason::CheapestAccurateEnough));
        assert_eq!(Question::energy(&rungs, 0.9).limit(2).answer(), (1, Reason::OverCpuBudget));
        assert_eq!(Question::energy(&rungs, 0.99).limit(2).answer(), (0, Reason::OverCpuBudget));
    }

    #[test]
    fn of_equals_the_one_that_is_late_less_often_wins_and_then_the_cheaper_one() {
        let winner = |rungs: &[Rung]| Question::accuracy(rungs).late_worth(0.5).answer().0;
        // 1.0 * 0.5 + 0.5 * 0.5 = 0.75
        assert_eq!(winner(&[(1.0, 1, 0.5), (0.75, 5, 0.0)]), 1);
        assert_eq!(winner(&[(0.75, 5, 0.0), (0.75, 1, 0.0)]), 1);
        assert_eq!(winner(&[(0.75, 1, 0.0), (0.75, 1, 0.0)]), 0);
    }

    #[test]
    fn of_equally_cheap_ones_the_more_accurate_wins_and_then_the_one_that_is_late_less_often() {
        let winner = |rungs: &[Rung]| Question::energy(rungs, 0.25).late_worth(0.5).answer().0;
        assert_eq!(winner(&[(0.7, 2, 0.0), (0.8, 2, 0.25)]), 1);
        assert_eq!(winner(&[(1.0, 2, 0.5), (0.75, 2, 0.0)]), 1);
        assert_eq!(winner(&[(0.75, 2, 0.0), (0.75, 2, 0.0)]), 0);
    }

    #[test]
    fn a_pin_comes_before_everything() {
        let demand = Demand { pinned: Some(1), ..Demand::new(Duration::from_millis(50), 0.0) };
        let outlook = [1, 9].map(|ms| Outlook { accuracy: 0.5, cost: Duration::from_millis(ms), short: None });
        let situation = Situation {
            demand: &demand,
            elapsed: Duration::ZERO,
            available: Available::all(Duration::ZERO),
            lead: None,
            signals: Load::NONE,
            outlook: &outlook,
            cost_limit: Duration::ZERO,
        };
        assert_eq!(pick(&Misses::of_inferences(&[0.0, 1.0]), &situation, 0.0, 0.0), (1, Reason::Pinned));
    }
}
