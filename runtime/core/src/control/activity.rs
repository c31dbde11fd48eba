//! What the wearer is doing now, and how accurate each configuration is for that.
//!
//! Activities persist, so the recent decisions say what the next window will probably hold, and some activities are
//! easy: where the wearer lies still, the smallest configuration is as good as the largest. Conditioning accuracy on
//! recent answers is SneakPeek's idea; the filter is a hidden Markov model's forward pass.

use std::time::Duration;

use super::INTERVAL;

/// Chance that the wearer does something else after one [`INTERVAL`]. In the recordings that the shipped ladder was
/// trained on, a bout lasts about 20 of them.
const CHANGE: f64 = 0.05;

/// Share of a network's answers that is not believed: networks are surer than they are right.
const DOUBT: f64 = 0.1;

/// A belief over the wearer's activities.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityBelief {
    shares: Vec<f64>,
}

impl ActivityBelief {
    /// Nothing is known of which of `labels` activities it is.
    #[must_use]
    pub fn new(labels: usize) -> Self {
        Self { shares: vec![1.0 / labels as f64; labels] }
    }

    /// Learns from the answer for a window: the probability of each activity.
    pub fn learn(&mut self, probabilities: &[f32]) {
        let labels = self.shares.len() as f64;
        let mut sum = 0.0;
        for (share, probability) in self.shares.iter_mut().zip(probabilities) {
            *share *= (1.0 - DOUBT) * f64::from(*probability).clamp(0.0, 1.0) + DOUBT / labels;
            sum += *share;
        }
        let known = sum > 0.0 && sum.is_finite();
        for share in &mut self.shares {
            *share = if known { *share / sum } else { 1.0 / labels };
        }
    }

    /// Becomes what to expect of the next window, which ends `elapsed` of stream time after the latest one.
    pub fn pass(&mut self, elapsed: Duration) {
        let labels = self.shares.len() as f64;
        let intervals = elapsed.as_secs_f64() / INTERVAL.as_secs_f64();
        let change = if intervals == 1.0 { CHANGE } else { 1.0 - (1.0 - CHANGE).powf(intervals) };
        for share in &mut self.shares {
            *share = (1.0 - change) * *share + change / labels;
        }
    }

    /// Nothing is known any more: the stream had a gap.
    pub fn forget(&mut self) {
        let even = 1.0 / self.shares.len() as f64;
        self.shares.fill(even);
    }

    /// Probability of each activity.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The accuracy expected of a configuration whose recall of each activity is `recall`.
    #[must_use]
    pub fn expect(&self, recall: &[f64]) -> f64 {
        self.shares.iter().zip(recall).map(|(share, recall)| share * recall).sum()
    }
}

/// Makes `values` non-decreasing by pooling neighbours that are not (isotonic regression with equal weights, by the
/// pool-adjacent-violators algorithm of Ayer et al., 1955). Accuracies are measured on some hundreds of windows: where
/// a costlier configuration seems worse, that is mostly chance, and not worth a switch.
pub fn isotonic(values: &mut [f64]) {
    // blocks of equal values, as (sum, length), from left to right
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(values.len());
    for value in values.iter() {
        let mut block = (*value, 1);
        while let Some(before) = blocks.pop_if(|before| before.0 / before.1 as f64 >= block.0 / block.1 as f64) {
            block = (before.0 + block.0, before.1 + block.1);
        }
        blocks.push(block);
    }
    let pooled = blocks.iter().flat_map(|(sum, length)| std::iter::repeat_n(sum / *length as f64, *length));
    for (value, pooled) in values.iter_mut().zip(pooled) {
        *value = pooled;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_make_an_activity_likely_and_time_makes_it_less_so() {
        let mut belief = ActivityBelief::new(3);
        assert_eq!(belief.expect(&[0.6, 0.9, 0.9]), 0.8);
        let window = |belief: &mut ActivityBelief, answer: [f32; 3]| {
            belief.learn(&answer);
            belief.pass(INTERVAL);
        };
        for _ in 0..5 {
            window(&mut belief, [1.0, 0.0, 0.0]);
        }
        assert!(belief.shares()[0] > 0.95, "{belief:?}");
        // one odd answer raises a doubt, three settle it
        window(&mut belief, [0.0, 1.0, 0.0]);
        assert!(belief.shares()[0] > 0.2 && belief.shares()[1] > 0.2, "{belief:?}");
        window(&mut belief, [0.0, 1.0, 0.0]);
        window(&mut belief, [0.0, 1.0, 0.0]);
        assert!(belief.shares()[1] > 0.9, "{belief:?}");
        belief.forget();
        assert_eq!(belief, ActivityBelief::new(3));
    }

    #[test]
    fn half_the_time_twice_is_all_of_it_and_no_time_is_nothing() {
        let mut belief = ActivityBelief::new(3);
        belief.learn(&[0.9, 0.1, 0.0]);
        let (mut twice, before) = (belief.clone(), belief.clone());
        belief.pass(Duration::ZERO);
        assert_eq!(belief, before);
        belief.pass(INTERVAL);
        twice.pass(INTERVAL / 2);
        twice.pass(INTERVAL / 2);
        let pairs = belief.shares().iter().zip(twice.shares());
        pairs.for_each(|(once, twice)| assert!((once - twice).abs() < 1e-12, "{once}, {twice}"));
    }

    #[test]
    fn pooling_follows_an_example_worked_by_hand() {
        let mut values = [1.0, 3.0, 2.0, 4.0, 3.0, 2.0, 5.0];
        isotonic(&mut values);
        assert_eq!(values, [1.0, 2.5, 2.5, 3.0, 3.0, 3.0, 5.0]);
    }

    proptest! {
        #[test]
        fn a_belief_stays_a_distribution_whatever_the_answers(
            answers in prop::collection::vec(prop::collection::vec(prop::num::f32::ANY, 4), 0..50)
        ) {
            let mut belief = ActivityBelief::new(4);
            for answer in answers {
                belief.learn(&answer);
                belief.pass(INTERVAL);
                prop_assert!((belief.shares().iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(belief.shares().iter().all(|share| (0.0..=1.0).contains(share)));
            }
        }

        /// The defining property of a least-squares fit: no other non-decreasing sequence is nearer, of which it is
        /// enough to try steps at every place.
        #[test]
        fn pooling_is_the_nearest_non_decreasing_sequence(values in prop::collection::vec(0.0..1.0f64, 1..12)) {
            let mut pooled = values.clone();
            isotonic(&mut pooled);
            prop_assert!(pooled.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
            let residual = |from: usize| -> f64 {
                values[from..].iter().zip(&pooled[from..]).map(|(value, pooled)| value - pooled).sum()
            };
            prop_assert!(residual(0).abs() < 1e-9);
            for from in 0..values.len() {
                prop_assert!(residual(from) < 1e-9, "raising the end from {from} on would be nearer");
            }
            let cross: f64 = values.iter().zip(&pooled).map(|(value, pooled)| (value - pooled) * pooled).sum();
            prop_assert!(cross.abs() < 1e-9);
        }
    }
}
