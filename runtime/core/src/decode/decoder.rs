//! The filter itself.

use std::time::Duration;

use super::Context;

/// The least probability that an answer leaves to an activity, so that one window never rules out anything for good.
const LEAST: f64 = 1e-6;

/// How far an answer is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trust {
    /// Share of it that is not believed, 0 to 1: see [`Context::doubts`].
    pub doubt: f64,
    /// The exponent of what is left: see [`Decoder::evidence`].
    pub evidence: f64,
}

/// What one wearer is believed to do. Nothing is allocated once it is made.
///
/// ```
/// use std::time::Duration;
///
/// use gaitd_core::decode::{Context, Decoder, Trust};
///
/// let hop = Duration::from_millis(1280);
/// let mut decoder = Decoder::new(2, Context::mild(hop));
/// for sitting in [0.9, 0.8, 0.4, 0.9] {
///     let trust = Trust { doubt: 0.1, evidence: decoder.evidence(hop) };
///     decoder.pass(hop, false);
///     decoder.learn(&[sitting, 1.0 - sitting], trust);
/// }
/// assert!(decoder.shares()[0] > 0.9); // one odd window changes nothing
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    context: Context,
    shares: Vec<f64>,
    stretch: Stretch,
    /// What the latest answer says of each activity: by what it has multiplied the shares.
    said: Vec<f64>,
    /// The chance of having done the same since the answer before.
    stayed: f64,
}

/// The time since the latest answer, which may pass in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    elapsed: Duration,
    changed: bool,
    /// The chance of doing the same that the shares have in them.
    stay: f64,
}

impl Stretch {
    const NONE: Self = Self { elapsed: Duration::ZERO, changed: false, stay: 1.0 };
}

impl Decoder {
    /// Nothing is known of which of `labels` activities it is.
    #[must_use]
    pub fn new(labels: usize, context: Context) -> Self {
        Self {
            context,
            shares: vec![1.0 / labels as f64; labels],
            stretch: Stretch::NONE,
            said: vec![1.0; labels],
            stayed: 0.0,
        }
    }

    /// The weight of a window that ends `elapsed` of stream time after the one before.
    #[must_use]
    pub fn evidence(&self, elapsed: Duration) -> f64 {
        self.context.evidence * (elapsed.as_secs_f64() / self.context.hop_s).min(1.0)
    }

    /// Becomes what to expect when `elapsed` more of the stream's time has passed, in which the raw samples told of a change
    /// (`changed`) or not. A change counts once between two answers, in however many parts the time passes.
    pub fn pass(&mut self, elapsed: Duration, changed: bool) {
        let stretch = &mut self.stretch;
        stretch.elapsed = stretch.elapsed.saturating_add(elapsed);
        stretch.changed |= changed;
        let stay = self.context.stay(stretch.elapsed, stretch.changed).min(stretch.stay);
        let rest = if stretch.stay > 0.0 { stay / stretch.stay } else { 0.0 };
        stretch.stay = stay;
        let even = (1.0 - rest) / self.shares.len() as f64;
        for share in &mut self.shares {
            *share = rest * *share + even;
        }
    }

    /// Learns what a window says by itself: the probability of each activity. What is no number, and what is missing, says
    /// nothing.
    pub fn learn(&mut self, probabilities: &[f32], trust: Trust) {
        let labels = self.shares.len() as f64;
        let mut sum = 0.0;
        for (label, share) in self.shares.iter_mut().enumerate() {
            let said = probabilities.get(label).map_or(0.0, |probability| f64::from(*probability));
            let said = if said.is_finite() { said.clamp(0.0, 1.0) } else { 1.0 / labels };
            let believed = ((1.0 - trust.doubt) * said + trust.doubt / labels).max(LEAST);
            self.said[label] = if trust.evidence == 1.0 { believed } else { believed.powf(trust.evidence) };
            *share *= self.said[label];
            sum += *share;
        }
        (self.stayed, self.stretch) = (self.stretch.stay, Stretch::NONE);
        let known = sum > 0.0 && sum.is_finite();
        for share in &mut self.shares {
            *share = if known { *share / sum } else { 1.0 / labels };
        }
    }

    /// Believes what `other` does, another decoder of the same activities; allocates nothing.
    pub fn copy_from(&mut self, other: &Self) {
        self.shares.copy_from_slice(&other.shares);
        self.said.copy_from_slice(&other.said);
        (self.stretch, self.stayed) = (other.stretch, other.stayed);
    }

    /// Probability of the most probable activity.
    #[must_use]
    pub fn sure(&self) -> f64 {
        self.shares.iter().copied().fold(0.0, f64::max)
    }

    /// Probability of each activity.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// What the latest answer says of each activity, a likelihood; 1 before there was one.
    pub(super) fn said(&self) -> &[f64] {
        &self.said
    }

    /// The chance that the wearer has done the same since the answer before the latest one.
    pub(super) fn stayed(&self) -> f64 {
        self.stayed
    }

    /// The accuracy expected of a configuration whose recall of each activity is `recall`.
    #[must_use]
    pub fn expect(&self, recall: &[f64]) -> f64 {
        self.shares.iter().zip(recall).map(|(share, recall)| share * recall).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Change, Movement};
    use super::*;

    const HOP: Duration = Duration::from_millis(1280);
    const CONTEXT: Context = Context { bout_s: 20.0, evidence: 0.5, hop_s: 1.28, doubt: 0.1, change: None };

    fn decoder(labels: usize) -> Decoder {
        Decoder::new(labels, CONTEXT)
    }

    fn trust(doubt: f64, evidence: f64) -> Trust {
        Trust { doubt, evidence }
    }

    #[test]
    fn answers_make_an_activity_likely_and_time_makes_it_less_so() {
        let mut decoder = Decoder::new(3, Context::mild(HOP));
        assert!((decoder.expect(&[0.6, 0.9, 0.9]) - 0.8).abs() < 1e-12);
        let window = |decoder: &mut Decoder, answer: [f32; 3]| {
            decoder.pass(HOP, false);
            decoder.learn(&answer, trust(0.1, decoder.evidence(HOP)));
        };
        for _ in 0..5 {
            window(&mut decoder, [1.0, 0.0, 0.0]);
        }
        assert!(decoder.shares()[0] > 0.95, "{decoder:?}");
        // one odd answer raises a doubt, three settle it
        window(&mut decoder, [0.0, 1.0, 0.0]);
        assert!(decoder.shares()[0] > 0.2 && decoder.shares()[1] > 0.2, "{decoder:?}");
        window(&mut decoder, [0.0, 1.0, 0.0]);
        window(&mut decoder, [0.0, 1.0, 0.0]);
        assert!(decoder.shares()[1] > 0.9, "{decoder:?}");
        // days later nothing is known
        decoder.pass(Duration::from_secs(200_000), false);
        decoder.shares().iter().for_each(|share| assert!((share - 1.0 / 3.0).abs() < 1e-12, "{decoder:?}"));
    }

    #[test]
    fn half_the_time_twice_is_all_of_it_and_no_time_is_nothing() {
        let mut decoder = decoder(3);
        decoder.learn(&[0.9, 0.1, 0.0], trust(0.1, 1.0));
        let (mut twice, before) = (decoder.clone(), decoder.clone());
        decoder.pass(Duration::ZERO, false);
        assert_eq!(decoder, before);
        decoder.pass(HOP, false);
        twice.pass(HOP / 2, false);
        twice.pass(HOP / 2, false);
        let pairs = decoder.shares().iter().zip(twice.shares());
        pairs.for_each(|(once, twice)| assert!((once - twice).abs() < 1e-12, "{once}, {twice}"));
    }

    #[test]
    fn windows_that_overlap_more_bring_less_and_none_brings_more_than_a_whole_one() {
        let decoder = decoder(2);
        let evidence = [1280, 640, 320, 5000].map(|ms| decoder.evidence(Duration::from_millis(ms)));
        assert_eq!(evidence, [0.5, 0.25, 0.125, 0.5]);
    }

    #[test]
    fn a_change_widens_the_belief_once_between_two_answers() {
        let change = Change { quantity: Movement::Rotation, over_s: 0.5, above: 0.4, stay: 0.5 };
        let mut decoder = Decoder::new(2, Context { change: Some(change), ..CONTEXT });
        decoder.learn(&[0.99, 0.01], trust(0.1, 1.0));
        let mut before = decoder.shares()[0];
        for _ in 0..2 {
            decoder.pass(HOP / 2, false);
            decoder.pass(HOP / 2, true);
            assert!((decoder.shares()[0] - (0.5 * before + 0.25)).abs() < 1e-12, "{decoder:?}");
            let once = decoder.clone();
            decoder.pass(Duration::ZERO, true);
            assert_eq!(decoder, once);
            // the next stretch may have one of its own
            decoder.learn(&[0.5, 0.5], trust(0.1, 1.0));
            before = decoder.shares()[0];
        }
    }

    /// The probability of each last activity, by adding up all sequences of activities.
    fn by_force(windows: &[(Vec<f32>, Duration)], labels: usize, trust: Trust) -> Vec<f64> {
        let mut shares = vec![0.0; labels];
        for number in 0..labels.pow(windows.len() as u32) {
            let sequence: Vec<usize> =
                (0..windows.len()).map(|place| number / labels.pow(place as u32) % labels).collect();
            let mut probability = 1.0 / labels as f64;
            for (place, (answer, elapsed)) in windows.iter().enumerate() {
                if place > 0 {
                    let stay = (-elapsed.as_secs_f64() / CONTEXT.bout_s).exp();
                    let same = sequence[place] == sequence[place - 1];
                    probability *= (1.0 - stay) / labels as f64 + if same { stay } else { 0.0 };
                }
                let said = (1.0 - trust.doubt) * f64::from(answer[sequence[place]]) + trust.doubt / labels as f64;
                probability *= said.powf(trust.evidence);
            }
            shares[sequence[windows.len() - 1]] += probability;
        }
        let sum: f64 = shares.iter().sum();
        shares.iter().map(|share| share / sum).collect()
    }

    fn answer(weights: &[u32]) -> Vec<f32> {
        let sum: u32 = weights.iter().sum::<u32>().max(1);
        weights.iter().map(|weight| *weight as f32 / sum as f32).collect()
    }

    proptest! {
        /// The filter is what all sequences of activities together say.
        #[test]
        fn the_filter_adds_up_all_sequences(
            windows in prop::collection::vec((prop::array::uniform3(0..10u32), 1..60_000u64), 1..6),
            doubt in 0.05..0.9f64,
            evidence in 0.1..=1.0f64,
        ) {
            let windows: Vec<_> =
                windows.iter().map(|(weights, ms)| (answer(weights), Duration::from_millis(*ms))).collect();
            let mut decoder = decoder(3);
            for (place, (answer, elapsed)) in windows.iter().enumerate() {
                if place > 0 {
                    decoder.pass(*elapsed, false);
                }
                decoder.learn(answer, trust(doubt, evidence));
            }
            for (found, expected) in decoder.shares().iter().zip(by_force(&windows, 3, trust(doubt, evidence))) {
                prop_assert!((found - expected).abs() < 1e-9, "{decoder:?} {expected}");
            }
        }

        #[test]
        fn the_parts_of_a_time_make_the_whole(
            parts in prop::collection::vec((0..100_000u64, any::<bool>()), 1..6), weights in prop::array::uniform3(0..10u32),
        ) {
            let change = Change { quantity: Movement::Gravity, over_s: 0.5, above: 0.4, stay: 0.25 };
            let mut in_parts = Decoder::new(3, Context { change: Some(change), ..CONTEXT });
            in_parts.learn(&answer(&weights), trust(0.1, 1.0));
            let mut at_once = in_parts.clone();
            parts.iter().for_each(|(ms, changed)| in_parts.pass(Duration::from_millis(*ms), *changed));
            let all = parts.iter().map(|(ms, _)| ms).sum();
            at_once.pass(Duration::from_millis(all), parts.iter().any(|(_, changed)| *changed));
            for (one, other) in in_parts.shares().iter().zip(at_once.shares()) {
                prop_assert!((one - other).abs() < 1e-12, "{in_parts:?} {at_once:?}");
            }
        }

        #[test]
        fn a_belief_stays_a_distribution_whatever_the_answers(
            answers in prop::collection::vec((prop::collection::vec(prop::num::f32::ANY, 0..6), any::<u64>()), 0..50),
            doubt in 0.0..1.0f64,
        ) {
            let mut decoder = decoder(4);
            for (answer, ms) in answers {
                let elapsed = Duration::from_millis(ms);
                decoder.pass(elapsed, false);
                decoder.learn(&answer, trust(doubt, decoder.evidence(elapsed)));
                prop_assert!((decoder.shares().iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(decoder.shares().iter().all(|share| (0.0..=1.0).contains(share)));
            }
        }

        /// What labels are called, and in which order they stand, makes no difference.
        #[test]
        fn no_activity_is_favoured(weights in prop::collection::vec(prop::array::uniform3(0..10u32), 1..20), turn in 0..3usize) {
            let (mut decoder, mut turned) = (decoder(3), decoder(3));
            for weights in weights {
                let answer = answer(&weights);
                let other: Vec<f32> = (0..3).map(|label| answer[(label + turn) % 3]).collect();
                for (decoder, answer) in [(&mut decoder, answer), (&mut turned, other)] {
                    decoder.pass(HOP, false);
                    decoder.learn(&answer, trust(0.1, 0.5));
                }
            }
            for label in 0..3 {
                prop_assert!((turned.shares()[label] - decoder.shares()[(label + turn) % 3]).abs() < 1e-9);
            }
        }
    }
}
