//! SlackFit (SuperServe, Khare et al., NSDI 2025): the most accurate configuration whose profiled latency fits the slack.
//!
//! SlackFit serves batches of requests from a queue: it sorts pairs of configuration and batch size into buckets by their
//! profiled latency, and goes by the slack of the most urgent request. A stream's windows come one at a time, each with a
//! budget of its own, so that here every pair is a configuration and every configuration its own bucket.
//!
//! It is the baseline without a model of the load: an inference is expected to take what it takes on an idle device.

use std::time::Duration;

use super::{Candidate, Choice, Estimate, Forecast, Policy, Reason, Situation, better, rungs};

/// What comes beside an inference is reckoned with by its median: as the profile's latencies, it is the usual case.
const LEFT_WITH: f32 = 0.5;

/// Picks the most accurate configuration that is in time by the profile, or the fastest where none is.
#[derive(Debug)]
pub struct SlackFit {
    candidates: Vec<Candidate>,
    /// Rung indices from the most to the least accurate, of equally accurate ones the faster first.
    order: Vec<usize>,
    /// Until the window's last sample, when a configuration was picked last.
    lead: Option<Duration>,
}

impl SlackFit {
    /// SlackFit over `candidates`.
    #[must_use]
    pub fn new(candidates: &[Candidate]) -> Self {
        let mut order: Vec<usize> = (0..rungs(candidates).len()).collect();
        order.sort_by(|&a, &b| better(&candidates[b], &candidates[a]));
        Self { candidates: candidates.to_vec(), order, lead: None }
    }
}

impl Policy for SlackFit {
    fn choose(&mut self, situation: &Situation) -> Choice {
        self.lead = situation.lead;
        let slack = situation.available.with_probability(LEFT_WITH);
        let latency = |rung: usize| self.candidates[rung].after_last(1.0, self.lead);
        let (rung, reason) = if let Some(pinned) = situation.demand.pinned {
            (pinned, Reason::Pinned)
        } else if let Some(&fitting) = self.order.iter().find(|rung| latency(**rung) <= slack) {
            (fitting, Reason::MostAccurateInTime)
        } else {
            let fastest =
                self.order.iter().copied().min_by_key(|rung| (latency(*rung), self.candidates[*rung].latency));
            (fastest.unwrap_or(0), Reason::LeastLate)
        };
        Choice { plan: rung, reason, forecast: self.forecast(rung) }
    }

    fn observe(&mut self, _: usize, _: Duration) {}

    fn forecast(&self, rung: usize) -> Forecast {
        self.candidates[rung].profiled(self.lead)
    }

    fn latency(&self, rung: usize) -> Duration {
        self.candidates[rung].latency
    }

    fn slowdown(&self) -> Option<Estimate> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Demand, Halves, INTERVAL, Load, Objective, Outlook, Overhead};
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn whole(accuracy: f64, latency: u64) -> Candidate {
        Candidate { accuracy, latency: ms(latency), halves: None, cascade: None }
    }

    /// A ladder in no order, on which one configuration is slower than a more accurate one.
    fn ladder() -> Vec<Candidate> {
        vec![whole(0.95, 20), whole(0.98, 60), whole(0.90, 10), whole(0.97, 70)]
    }

    /// What is picked where all of `demand`'s budget but what `overhead` takes is left, `lead` before the last sample.
    fn pick(policy: &mut SlackFit, demand: &Demand, overhead: &Overhead, lead: Option<Duration>) -> Choice {
        let cost =
            |candidate: &Candidate| Outlook { accuracy: candidate.accuracy, cost: candidate.latency, short: None };
        let outlook: Vec<Outlook> = policy.candidates.iter().map(cost).collect();
        policy.choose(&Situation {
            demand,
            elapsed: INTERVAL,
            available: overhead.available(demand.budget),
            lead,
            signals: Load::NONE,
            outlook: &outlook,
            cost_limit: Duration::ZERO,
        })
    }

    fn within(policy: &mut SlackFit, budget: u64) -> (usize, Reason) {
        let choice = pick(policy, &Demand::new(ms(budget), 0.02), &Overhead::NONE, None);
        assert_eq!((choice.forecast, policy.slowdown()), (policy.candidates[choice.plan].profiled(None), None));
        (choice.plan, choice.reason)
    }

    #[test]
    fn the_most_accurate_whose_profile_fits_the_slack_is_picked_and_else_the_fastest() {
        let mut policy = SlackFit::new(&ladder());
        for (budget, rung) in [(1000, 1), (70, 1), (60, 1), (59, 0), (20, 0), (19, 2), (10, 2)] {
            assert_eq!(within(&mut policy, budget), (rung, Reason::MostAccurateInTime), "{budget} ms");
        }
        for budget in [9, 1, 0] {
            assert_eq!(within(&mut policy, budget), (2, Reason::LeastLate), "{budget} ms");
        }
    }

    #[test]
    fn of_equally_accurate_ones_the_faster_is_picked_and_of_equally_fast_ones_the_more_accurate() {
        let mut policy = SlackFit::new(&[whole(0.9, 30), whole(0.9, 20), whole(0.8, 20)]);
        assert_eq!(within(&mut policy, 40).0, 1);
        assert_eq!(within(&mut policy, 10).0, 1);
    }

    #[test]
    fn no_slow_inference_is_learned_from() {
        let mut policy = SlackFit::new(&ladder());
        for _ in 0..100 {
            assert_eq!(within(&mut policy, 60), (1, Reason::MostAccurateInTime));
            policy.observe(1, ms(600));
        }
        assert_eq!(policy.latency(1), ms(60));
    }

    #[test]
    fn what_windows_usually_cost_beside_their_inferences_is_taken_from_the_slack() {
        let mut policy = SlackFit::new(&ladder());
        let demand = Demand::new(ms(65), 0.02);
        let mut picked = |costs: &dyn Fn(usize) -> u64| {
            let mut overhead = Overhead::NONE;
            (0..1000).for_each(|window| overhead.observe(ms(costs(window))));
            pick(&mut policy, &demand, &overhead, None).plan
        };
        assert_eq!(picked(&|_| 1), 1);
        assert_eq!(picked(&|_| 20), 0);
        // four in ten are not the usual case, six are
        assert_eq!(picked(&|window| if window % 10 < 4 { 20 } else { 1 }), 1);
        assert_eq!(picked(&|window| if window % 10 < 6 { 20 } else { 1 }), 0);
    }

    #[test]
    fn a_head_counts_only_as_far_as_the_lead_has_no_room_for_it() {
        let halves = |head, tail| Some(Halves { head: ms(head), tail: ms(tail) });
        let small = Candidate { halves: halves(5, 5), ..whole(0.90, 10) };
        let large = Candidate { halves: halves(50, 10), ..whole(0.98, 60) };
        let mut policy = SlackFit::new(&[small, large]);
        let mut after =
            |budget, lead| pick(&mut policy, &Demand::new(ms(budget), 0.02), &Overhead::NONE, Some(ms(lead))).plan;
        assert_eq!((after(10, 50), after(9, 50)), (1, 0));
        assert_eq!((after(10, 49), after(11, 49)), (0, 1));
        // a tail that is late anyway: the shortest
        assert_eq!(after(4, 50), 0);
    }

    #[test]
    fn a_pin_is_kept_and_objectives_and_caps_change_nothing() {
        let mut policy = SlackFit::new(&ladder());
        let demand = Demand { pinned: Some(3), ..Demand::new(ms(1), 0.02) };
        let choice = pick(&mut policy, &demand, &Overhead::NONE, None);
        assert_eq!((choice.plan, choice.reason), (3, Reason::Pinned));
        let energy = Demand { objective: Objective::Energy { accuracy_floor: 0.5 }, ..Demand::new(ms(65), 0.02) };
        assert_eq!(pick(&mut policy, &energy, &Overhead::NONE, None).plan, 1);
    }
}
