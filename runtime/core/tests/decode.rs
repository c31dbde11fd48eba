//! What is said of the windows of a stream once others have followed, against all sequences of activities, each with its probability.

use std::time::Duration;

use gaitd_core::decode::{Change, Context, Decoder, FixedLag, Movement, Trust, Viterbi};
use proptest::prelude::*;

/// One window: what it says, how far it is trusted, the time since the window before, and whether there was a movement in that.
#[derive(Clone, Debug)]
struct Heard {
    said: Vec<f32>,
    trust: Trust,
    since: Duration,
    changed: bool,
}

const BOUT_S: f64 = 5.0;
const STAY: f64 = 0.25;

fn decoder(labels: usize) -> Decoder {
    let change = Change { quantity: Movement::Rotation, over_s: 0.5, above: 0.4, stay: STAY };
    Decoder::new(labels, Context { bout_s: BOUT_S, evidence: 0.5, hop_s: 1.28, doubt: 0.1, change: Some(change) })
}

/// Lets a decoder hear a window.
fn hear(decoder: &mut Decoder, window: &Heard) {
    decoder.pass(window.since, window.changed);
    decoder.learn(&window.said, window.trust);
}

/// The probability of each sequence of `labels` activities together with what `windows` say.
fn sequences(labels: usize, windows: &[Heard]) -> Vec<(Vec<usize>, f64)> {
    let mut sequences = vec![(Vec::new(), 1.0)];
    for window in windows {
        let by_time = (-window.since.as_secs_f64() / BOUT_S).exp();
        let stay = if window.changed && STAY < by_time { STAY } else { by_time };
        let longer = |(path, probability): &(Vec<usize>, f64)| {
            let extend = |activity: usize| {
                let reached = match path.last() {
                    Some(before) => (1.0 - stay) / labels as f64 + if *before == activity { stay } else { 0.0 },
                    None => 1.0 / labels as f64,
                };
                let Trust { doubt, evidence } = window.trust;
                let said = (1.0 - doubt) * f64::from(window.said[activity]) + doubt / labels as f64;
                let path = path.iter().copied().chain([activity]).collect();
                (path, probability * reached * said.powf(evidence))
            };
            (0..labels).map(extend).collect::<Vec<_>>()
        };
        sequences = sequences.iter().flat_map(longer).collect();
    }
    sequences
}

/// The probability of each activity at the window `place`, from those of all sequences.
fn marginal(sequences: &[(Vec<usize>, f64)], place: usize, labels: usize) -> Vec<f64> {
    let total: f64 = sequences.iter().map(|(_, probability)| probability).sum();
    let of = |activity| sequences.iter().filter(|(path, _)| path[place] == activity).map(|it| it.1).sum::<f64>();
    (0..labels).map(|activity| of(activity) / total).collect()
}

fn near(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9)
}

fn windows(labels: usize) -> impl Strategy<Value = Vec<Heard>> {
    let odds = prop::collection::vec(0..10u32, labels);
    let times = prop_oneof![8 => 1..20_000u64, 1 => Just(0u64), 1 => Just(172_800_000u64)];
    let window = (odds, 0.01..0.9f64, 0.05..=1.0f64, times, any::<bool>());
    let window = window.prop_map(|(odds, doubt, evidence, ms, changed)| {
        let sum = odds.iter().sum::<u32>().max(1) as f32;
        let said = odds.iter().map(|it| *it as f32 / sum).collect();
        Heard { said, trust: Trust { doubt, evidence }, since: Duration::from_millis(ms), changed }
    });
    prop::collection::vec(window, 1..6)
}

fn cases() -> impl Strategy<Value = (usize, Vec<Heard>)> {
    (2..4usize).prop_flat_map(|labels| (Just(labels), windows(labels)))
}

proptest! {
    #[test]
    fn no_sequence_is_more_probable_than_viterbis((labels, windows) in cases()) {
        let (mut decoder, mut viterbi) = (decoder(labels), Viterbi::new(labels));
        for window in &windows {
            hear(&mut decoder, window);
            viterbi.push(&decoder);
        }
        let path = viterbi.finish();
        let sequences = sequences(labels, &windows);
        let most = sequences.iter().map(|(_, probability)| *probability).fold(0.0, f64::max);
        let found = sequences.iter().find(|(sequence, _)| *sequence == path).unwrap().1;
        prop_assert!(found > most * (1.0 - 1e-9), "{path:?} has {found}, and another {most}");
    }

    #[test]
    fn with_a_fixed_lag_later_answers_count_as_they_do_over_all_sequences((labels, windows) in cases(), lag in 0..4usize) {
        let (mut decoder, mut smoother) = (decoder(labels), FixedLag::new(labels, lag));
        for (place, window) in windows.iter().enumerate() {
            hear(&mut decoder, window);
            smoother.push(&decoder);
            let sequences = sequences(labels, &windows[..=place]);
            for back in 0..=lag.min(place) {
                let expected = marginal(&sequences, place - back, labels);
                prop_assert!(near(smoother.smoothed(back).unwrap(), &expected), "{back} back: {expected:?}");
            }
            prop_assert!(smoother.smoothed(lag + 1).is_none() && smoother.smoothed(place + 1).is_none());
        }
    }
}

/// The answer that is sure of `activity`.
fn sure(activity: usize) -> Vec<f32> {
    (0..3).map(|label| if label == activity { 0.8 } else { 0.1 }).collect()
}

#[test]
fn a_recording_of_two_bouts_with_odd_windows_has_two_bouts() {
    let said = [0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1];
    let (mut decoder, mut viterbi) = (decoder(3), Viterbi::new(3));
    for activity in said {
        let trust = Trust { doubt: 0.1, evidence: 0.5 };
        hear(&mut decoder, &Heard { said: sure(activity), trust, since: Duration::from_millis(1280), changed: false });
        viterbi.push(&decoder);
    }
    assert_eq!(viterbi.finish(), [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(Viterbi::new(3).finish(), [0; 0]);
}

#[test]
fn a_recording_of_days_is_followed_to_its_end() {
    let (mut decoder, mut viterbi) = (decoder(3), Viterbi::new(3));
    let activity = |window: usize| window / 1000 % 3;
    for window in 0..50_000 {
        let trust = Trust { doubt: 0.1, evidence: 1.0 };
        let said = sure(activity(window));
        hear(&mut decoder, &Heard { said, trust, since: Duration::from_millis(1280), changed: false });
        viterbi.push(&decoder);
    }
    assert!(viterbi.finish().into_iter().enumerate().all(|(window, found)| found == activity(window)));
}
