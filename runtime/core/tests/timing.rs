//! Samples at whatever times, put onto an even grid: what comes out is the motion at the grid's times.

use std::f64::consts::TAU;

use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamCounts, StreamFormat};
use proptest::prelude::*;

/// A motion, in g, with what a walk has up to 6 Hz.
fn motion(time: f64) -> f64 {
    1.0 + 0.3 * (TAU * 1.9 * time).sin() + 0.15 * (TAU * 3.8 * time + 0.4).sin() + 0.05 * (TAU * 5.7 * time + 1.0).sin()
}

/// What comes out of a stream at 50 Hz, as times and values, of samples `(stamp, value)`.
fn grid(samples: impl IntoIterator<Item = (f64, f64)>) -> (Vec<(f64, f64)>, StreamCounts) {
    let format = StreamFormat { channels: vec![Channel { name: "acc_x".into(), unit: "g".into() }], rate_hz: 50.0 };
    let mut continuity = Continuity::new(&format, 0.1).unwrap();
    let mut found = Vec::new();
    let mut push = |reading: Reading, time_s: f64, value: f64| {
        let sample = Sample { time_s: Some(time_s), values: vec![value] };
        continuity.push(&reading, &sample, |step| {
            if let Step::Sample { sample, .. } = step {
                found.push((sample.time_s.unwrap(), sample.values[0]));
            }
        });
    };
    samples.into_iter().for_each(|(stamp, value)| push(Reading::Sample, stamp, value));
    push(Reading::End, 0.0, 0.0);
    (found, continuity.counts())
}

/// The root mean square of what `found` has more than the motion, after the first three seconds, at the best of all delays of
/// up to a quarter of a second: which sample of a packet its stamp belongs to is not known.
fn error(found: &[(f64, f64)]) -> f64 {
    let late = &found[150..];
    let at = |delay: f64| {
        let squares = late.iter().map(|(time, value)| (value - motion(time - delay)).powi(2));
        (squares.sum::<f64>() / late.len() as f64).sqrt()
    };
    (-250..=250).map(|delay| at(f64::from(delay) * 1e-3)).fold(f64::INFINITY, f64::min)
}

/// Holds a stream of `seconds` against the motion: no gap, as many samples as the time has, evenly spaced.
fn check(name: &str, seconds: f64, samples: impl IntoIterator<Item = (f64, f64)>, most: f64) -> StreamCounts {
    let (found, counts) = grid(samples);
    assert_eq!((counts.gaps, counts.resets, counts.out_of_order), (0, 0, 0), "{name}: {counts:?}");
    // where a rate falls, a first sample or two seem to be missing
    assert!(counts.bridged <= 2, "{name}: {counts:?}");
    let expected = seconds * 50.0;
    assert!((found.len() as f64 - expected).abs() <= 0.02 * expected, "{name}: {} of {expected}", found.len());
    assert!(found.windows(2).all(|pair| (pair[1].0 - pair[0].0 - 0.02).abs() < 2e-3), "{name}: the grid is even");
    let error = error(&found);
    assert!(error < most, "{name}: {error}");
    counts
}

/// Times in 20 s, `rate` a second before `change` and `then` a second after it.
fn times(rate: f64, change: f64, then: f64) -> Vec<f64> {
    let first = (0..).map(|number| f64::from(number) / rate).take_while(|&time| time < change.min(20.0));
    let second = (0..).map(|number| change + f64::from(number) / then).take_while(|&time| time < 20.0);
    first.chain(second).collect()
}

/// Pseudo-random, between -1 and 1, nearly normal, with a deviation of a third.
fn noise(number: usize) -> f64 {
    let draw = |salt: u64| {
        let mixed = (number as u64 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    };
    (draw(1 << 20) + draw(2 << 20) + draw(3 << 20)) / 3.0
}

#[test]
fn honest_stamps_pass_to_the_bit() {
    let epoch = 1.7e9;
    type Named = (&'static str, fn(f64) -> f64);
    let honest: [Named; 5] = [
        ("exact", |time| time),
        ("in milliseconds", |time| ((time + 1.7e9 + 0.0003) * 1e3).round() / 1e3 - 1.7e9),
        ("a little fast", |time| time * 0.9991),
        ("a little slow", |time| time * 1.0009),
        ("with a little noise", |time| time + 3e-4 * (time * 977.0).sin()),
    ];
    for (name, stamp) in honest {
        let samples: Vec<_> = times(50.0, 20.0, 50.0).iter().map(|&time| (epoch + stamp(time), motion(time))).collect();
        let (found, counts) = grid(samples.iter().copied());
        assert_eq!(found, samples, "{name}");
        assert_eq!(counts, StreamCounts { samples: 1000, ..StreamCounts::default() }, "{name}");
    }
}

#[test]
fn any_rate_is_brought_to_the_ladder_s() {
    for (rate, change, then) in [
        (100.0, 20.0, 100.0),
        (42.0, 20.0, 42.0),
        (52.0, 20.0, 52.0),
        (200.0, 20.0, 200.0),
        (1000.0, 20.0, 1000.0),
        (50.0, 3.0, 100.0),
        (50.0, 3.0, 200.0),
        (50.0, 7.0, 42.0),
        (100.0, 5.0, 50.0),
    ] {
        let name = format!("{rate} Hz, {then} Hz after {change} s");
        let samples = times(rate, change, then).into_iter().map(|time| (time, motion(time)));
        let counts = check(&name, 20.0, samples, 0.015);
        assert!(counts.resampled > 500 && counts.moved == 0, "{name}: {counts:?}");
    }
}

#[test]
fn what_would_fold_back_is_gone() {
    for tone in [35.0, 49.5, 61.0, 88.0] {
        let disturbed = |time: f64| motion(time) + 0.5 * (TAU * tone * time).sin();
        check(
            &format!("{tone} Hz"),
            20.0,
            times(200.0, 20.0, 200.0).into_iter().map(|time| (time, disturbed(time))),
            0.015,
        );
    }
}

#[test]
fn uneven_stamps_of_values_taken_then_are_believed() {
    let even = times(50.0, 20.0, 50.0);
    let alternating = even.iter().enumerate().map(|(number, time)| time + if number % 2 == 1 { 0.011 } else { 0.0 });
    let counts = check("31 and 9 ms", 20.0, alternating.map(|time| (time, motion(time))), 0.03);
    assert!(counts.moved < 200, "{counts:?}");
    let scattered = even.iter().enumerate().map(|(number, time)| time + 0.009 * noise(number));
    let counts = check("scattered", 20.0, scattered.map(|time| (time, motion(time))), 0.03);
    assert!(counts.moved < 200, "{counts:?}");
}

#[test]
fn noisy_stamps_of_values_taken_evenly_are_not() {
    let even = times(50.0, 20.0, 50.0);
    let noisy = |name: &str, stamp: &dyn Fn(usize, f64) -> f64, most: f64| {
        let samples = even.iter().enumerate().map(|(number, &time)| (10.0 + stamp(number, time), motion(time)));
        let counts = check(name, 20.0, samples, most);
        assert!(counts.moved > 700, "{name}: {counts:?}");
    };
    noisy("late by up to 11 ms", &|number, time| time + if number % 2 == 1 { 0.011 } else { 0.0 }, 0.02);
    noisy("scattered", &|number, time| time + 0.009 * noise(number), 0.02);
    noisy("bursts of 10", &|number, time| time - 0.019 * (number % 10) as f64 + 0.2, 0.04);
    for size in [2, 4, 10, 50] {
        let shared = |number: usize, _: f64| (number / size * size) as f64 * 0.02;
        noisy(&format!("packets of {size}"), &shared, 0.03);
    }
}

#[test]
fn a_stream_may_begin_to_come_in_packets() {
    let even = times(50.0, 20.0, 50.0);
    let samples = even.iter().enumerate().map(|(number, &time)| {
        let stamp = if number < 150 { time } else { (number / 10 * 10) as f64 * 0.02 };
        (stamp, motion(time))
    });
    let counts = check("packets after 3 s", 20.0, samples, 0.03);
    assert!(counts.moved > 700, "{counts:?}");
}

#[test]
fn packets_at_another_rate_cost_one_fresh_start() {
    let samples = times(100.0, 20.0, 100.0);
    let samples = samples.iter().enumerate().map(|(number, &time)| ((number / 10 * 10) as f64 * 0.01, motion(time)));
    let (found, counts) = grid(samples);
    assert_eq!((counts.resets, counts.gaps), (1, 0), "{counts:?}");
    assert!(error(&found) < 0.03, "{}", error(&found));
}

#[test]
fn the_grid_comes_back_to_honest_samples() {
    let stamp =
        |number: usize| number as f64 * 0.02 + if (200..240).contains(&number) { 0.006 * noise(number) } else { 0.0 };
    let samples: Vec<_> = (0..2000).map(|number| (stamp(number), motion(stamp(number)))).collect();
    let (found, counts) = grid(samples.iter().copied());
    assert_eq!(found.len(), samples.len());
    assert_eq!(found[1500..], samples[1500..], "to the bit again");
    assert!((200..700).contains(&counts.resampled), "{counts:?}");
    let most = found.iter().map(|(time, value)| (value - motion(*time)).abs()).fold(0.0, f64::max);
    assert!(most < 0.05, "nothing is heard of it: {most}");
}

proptest! {
    /// Whatever the steps between samples: the grid is even, numbered without a hole between fresh starts, and finite.
    #[test]
    fn the_grid_is_even_whatever_the_steps(
        steps in prop::collection::vec(prop_oneof![3 => 0.0..0.06f64, 1 => Just(0.0), 1 => Just(0.02)], 2..600),
    ) {
        let mut time = 0.0;
        let samples: Vec<_> = steps.iter().map(|step| { time += step; (time, motion(time)) }).collect();
        let (found, _) = grid(samples);
        let wild = found.iter().position(|(time, value)| !time.is_finite() || !(-3.0..5.0).contains(value));
        prop_assert_eq!(wild.map(|index| found[index]), None);
    }
}

#[test]
fn the_delay_is_that_of_the_low_pass_while_samples_are_resampled() {
    let format = StreamFormat { channels: vec![Channel { name: "acc_x".into(), unit: "g".into() }], rate_hz: 50.0 };
    let mut continuity = Continuity::new(&format, 0.1).unwrap();
    let mut delay_after = |numbers: std::ops::Range<usize>, jitter: f64| {
        for number in numbers {
            let time = number as f64 * 0.02 + jitter * noise(number);
            let sample = Sample { time_s: Some(time), values: vec![motion(time)] };
            continuity.push(&Reading::Sample, &sample, |_| ());
        }
        continuity.delay_s()
    };
    assert_eq!(delay_after(0..400, 0.0), 0.0);
    assert!((delay_after(400..600, 0.006) - 0.06).abs() < 1e-12);
    assert_eq!(delay_after(600..1600, 0.0), 0.0);
}

#[test]
fn a_sensor_at_rest_may_read_the_same_again_within_a_packet() {
    // packets of ten with one stamp, from a sensor that is still after the first second
    let value = |number: u32| if number < 50 { motion(f64::from(number) * 0.02) } else { 1.0 };
    let (_, counts) = grid((0..1000).map(|number| (f64::from(number / 10) * 0.2, value(number))));
    assert_eq!((counts.samples, counts.out_of_order, counts.bridged, counts.gaps), (1000, 0, 0, 0), "{counts:?}");
}
