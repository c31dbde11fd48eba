//! What the profile says of a plan, as logarithms, for the policy asks with each window how often each plan's latency goes into
//! the time that is left, for several amounts of time.

use std::time::Duration;

use crate::control::{Candidate, Pair};

/// The profile of one plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profiled {
    /// Natural logarithm of its latency in seconds.
    latency: f64,
    /// The same of head and tail together, and of the tail, where it has both.
    halves: Option<[f64; 2]>,
    /// Of a cascade: its rungs, and the share of its latency that is the small one's.
    pub(super) cascade: Option<(Pair, f32)>,
}

/// An amount of time that is left for an inference, from the window's last sample on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Its natural logarithm, and that of the time with the lead, where the inference begins before that sample.
    log: f64,
    log_with_lead: Option<f64>,
}

impl Left {
    pub(super) fn new(left: Duration, lead: Option<Duration>) -> Self {
        let log = |time: Duration| time.as_secs_f64().max(1e-9).ln();
        Self { log: log(left), log_with_lead: lead.map(|lead| log(left + lead)) }
    }
}

impl Profiled {
    /// The profile of each of `candidates`.
    pub(super) fn all(candidates: &[Candidate]) -> Vec<Self> {
        let seconds = |latency: Duration| latency.as_secs_f64().max(1e-9);
        let one = |candidate: &Candidate| Self {
            latency: seconds(candidate.latency).ln(),
            halves: candidate.halves.map(|halves| [halves.head + halves.tail, halves.tail].map(|it| seconds(it).ln())),
            cascade: candidate.cascade.map(|pair| {
                let share = seconds(candidates[pair.small].latency) / seconds(candidate.latency);
                (pair, share as f32)
            }),
        };
        candidates.iter().map(one).collect()
    }

    /// Natural logarithm of the largest slowdown at which the inference takes no more than what is `left`; see
    /// [`Candidate::largest_slowdown`].
    pub(super) fn log_largest_slowdown(&self, left: Left) -> f32 {
        let log = match self.halves.zip(left.log_with_lead) {
            Some(([whole, tail], with_lead)) => (with_lead - whole).min(left.log - tail),
            None => left.log - self.latency,
        };
        log as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::Halves;

    proptest! {
        /// Differences of logarithms are the logarithm of what a candidate says itself.
        #[test]
        fn logarithms_say_what_the_candidate_does(
            head in 0.01..100.0_f64,
            tail in 0.01..100.0_f64,
            large in 0.01..100.0_f64,
            lead in prop::option::of(0.0..200.0_f64),
            left in 0.0..500.0_f64,
        ) {
            let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
            let halves = Some(Halves { head: ms(head), tail: ms(tail) });
            let small = Candidate { accuracy: 0.5, latency: ms(head + tail), halves, cascade: None };
            let large = Candidate { accuracy: 1.0, latency: ms(large), halves: None, cascade: None };
            let both = Candidate::cascade(Pair { small: 0, large: 1 }, &small, &large, 0.75);
            let (left, lead) = (ms(left), lead.map(ms));
            let candidates = [small, large, both];
            for (profiled, candidate) in Profiled::all(&candidates).iter().zip(&candidates) {
                let expected = candidate.largest_slowdown(left.as_secs_f64().max(1e-9), lead).ln() as f32;
                let found = profiled.log_largest_slowdown(Left::new(left, lead));
                prop_assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
    }
}
