//! The one rule for everything that is missing from a stream, too late or no measurement.

use gaitd_core::stream::continuity::LARGEST_VALUE;
use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamCounts, StreamFormat};
use proptest::prelude::*;

/// Two channels at 50 Hz.
fn format() -> StreamFormat {
    let channel = |name: &str, unit: &str| Channel { name: name.into(), unit: unit.into() };
    StreamFormat { channels: vec![channel("acc", "g"), channel("gyro", "rad/s")], rate_hz: 50.0 }
}

/// What a [`Continuity`] makes of one channel's readings: `(time, value)`, or nothing for a malformed one. A sample
/// is written as its value, a bridged one with `~`, a reset as `|` and the number that follows.
fn continuity(readings: &[Option<(Option<f64>, f64)>]) -> (String, StreamCounts) {
    let mut continuity = Continuity::new(&one_channel(50.0), 0.1).unwrap();
    let mut found: Vec<_> = readings.iter().flat_map(|&reading| push(&mut continuity, reading)).collect();
    found.extend(end(&mut continuity));
    (found.join(" "), continuity.counts())
}

fn one_channel(rate_hz: f64) -> StreamFormat {
    StreamFormat { channels: format().channels[..1].to_vec(), rate_hz }
}

/// The steps that follow from one such reading.
fn push(continuity: &mut Continuity, reading: Option<(Option<f64>, f64)>) -> Vec<String> {
    let (time_s, value) = reading.unwrap_or_default();
    let kind = if reading.is_some() { Reading::Sample } else { malformed() };
    steps(continuity, &kind, &Sample { time_s, values: vec![value] })
}

/// What is left at the end of the stream.
fn end(continuity: &mut Continuity) -> Vec<String> {
    steps(continuity, &Reading::End, &Sample { time_s: None, values: vec![0.0] })
}

fn malformed() -> Reading {
    Reading::Malformed("line 3: not a number".to_owned())
}

fn steps(continuity: &mut Continuity, reading: &Reading, sample: &Sample) -> Vec<String> {
    let mut found = Vec::new();
    continuity.push(reading, sample, |step| {
        found.push(match step {
            Step::Reset { next } => format!("|{next}"),
            Step::Sample { sample, bridged, .. } => {
                format!("{}{}", if bridged { "~" } else { "" }, (sample.values[0] * 100.0).round() / 100.0)
            }
        });
    });
    found
}

fn timed(times: &[f64]) -> Vec<Option<(Option<f64>, f64)>> {
    times.iter().map(|&time| Some((Some(time), time))).collect()
}

#[test]
fn without_timestamps_bad_readings_are_the_missing_ones() {
    let good = |value| Some((None, value));
    let nan = good(f64::NAN);
    let (steps, counts) = continuity(&[None, nan, good(1.0), None, nan, good(4.0), good(5.0)]);
    assert_eq!(steps, "1 ~2 ~3 4 5");
    assert_eq!(counts, StreamCounts { samples: 3, bridged: 2, malformed: 2, non_finite: 2, ..Default::default() });
    let readings: Vec<_> = [good(1.0)].into_iter().chain([None; 5]).chain([good(7.0)]).collect();
    assert_eq!(continuity(&readings).0, "1 ~2 ~3 ~4 ~5 ~6 7");
    let readings: Vec<_> = [good(1.0)].into_iter().chain([None; 6]).chain([good(7.0)]).collect();
    let (steps, counts) = continuity(&readings);
    assert_eq!(steps, "1 |1 7");
    assert_eq!((counts.gaps, counts.resets, counts.bridged), (1, 1, 0));
}

#[test]
fn timestamps_decide_what_is_missing() {
    // of jitter between half a period and one and a half nothing is missing, and the grid is even
    let (steps, counts) = continuity(&timed(&[0.0, 0.029, 0.04, 0.069, 0.08]));
    assert_eq!((steps.as_str(), counts.bridged, counts.resampled), ("0 0.02 0.04 0.06 0.08", 0, 4));
    assert_eq!(continuity(&timed(&[1.0, 1.06, 1.08])).0, "1 ~1.02 ~1.04 1.06 1.08");
    assert_eq!(continuity(&timed(&[1.0, 1.12])).0, "1 ~1.02 ~1.04 ~1.06 ~1.08 ~1.1 1.12");
    assert_eq!(continuity(&timed(&[1.0, 1.14])).0, "1 |1 1.14");
    assert_eq!(continuity(&[Some((Some(1.0), 1.0)), Some((Some(1e300), 2.0))]).0, "1 |1 2");
    // a malformed line at a time when no sample was due is not missing
    let extra = [Some((Some(0.0), 0.0)), None, Some((Some(0.02), 0.02)), None, Some((Some(0.06), 0.06))];
    assert_eq!(continuity(&extra).0, "0 0.02 ~0.04 0.06");
}

#[test]
fn bridged_samples_have_times() {
    let mut continuity = Continuity::new(&format(), 0.1).unwrap();
    let mut times = Vec::new();
    for time in [1.0, 1.06] {
        let sample = Sample { time_s: Some(time), values: vec![0.0; 2] };
        continuity.push(&Reading::Sample, &sample, |step| {
            if let Step::Sample { sample, number, .. } = step {
                times.push((number, (sample.time_s.unwrap() * 1e6).round() / 1e6));
            }
        });
    }
    assert_eq!(times, [(0, 1.0), (1, 1.02), (2, 1.04), (3, 1.06)]);
}

#[test]
fn late_samples_are_dropped() {
    let (steps, counts) = continuity(&timed(&[0.0, 0.02, 0.02, 0.01, 0.04]));
    assert_eq!(steps, "0 0.02 0.04");
    assert_eq!((counts.out_of_order, counts.resets), (2, 0));
}

#[test]
fn a_clock_that_was_set_back_is_followed_once_more_is_late_than_can_be_bridged() {
    for back in [0.5, 0.8, 60.0] {
        let mut times: Vec<_> = (0..60).map(|i| 100.0 + f64::from(i) * 0.02).collect();
        times.extend((0..60).map(|i| 101.2 - back + f64::from(i) * 0.02));
        let (steps, counts) = continuity(&timed(&times));
        let first = ((101.2 - back + 0.1) * 100.0).round() / 100.0;
        assert!(steps.contains(&format!("101.18 |60 {first}")), "{steps}");
        assert_eq!((counts.out_of_order, counts.gaps, counts.resets, counts.samples), (5, 0, 1, 115));
    }
}

#[test]
fn a_clock_that_was_set_forward_is_a_gap() {
    let times = (0..120).map(|i| f64::from(i) * 0.02 + if i < 60 { 0.0 } else { 3600.0 });
    let (steps, counts) = continuity(&timed(&times.collect::<Vec<_>>()));
    assert!(steps.contains("1.18 |60 3601.2 3601.22"), "{steps}");
    assert_eq!((counts.gaps, counts.resets, counts.samples, counts.astray), (1, 1, 120, 0));
}

#[test]
fn one_wild_stamp_costs_one_sample() {
    for (wild, fault) in [(1e9, "astray"), (1.0, "astray"), (-3.0, "late"), (f64::INFINITY, "late"), (f64::NAN, "late")]
    {
        let mut readings = timed(&(0..60).map(|i| f64::from(i) * 0.02).collect::<Vec<_>>());
        readings[30] = Some((Some(0.6 + wild), 7.0));
        let (steps, counts) = continuity(&readings);
        assert!(steps.contains("0.56 0.58 ~0.6 0.62"), "{wild}: {steps}");
        assert_eq!((counts.samples, counts.bridged, counts.gaps, counts.resets), (59, 1, 0, 0), "{wild}");
        let found = if fault == "late" { counts.out_of_order } else { counts.astray };
        assert_eq!((found, counts.out_of_order + counts.astray), (1, 1), "{wild}");
    }
}

#[test]
fn a_clock_that_is_set_back_by_the_length_of_a_counter_did_not_begin_again() {
    let readings =
        (0..120).map(|i| Some((Some(100.0 + f64::from(i) * 0.02 - if i < 60 { 0.0 } else { 4.294967296 }), 1.0)));
    let (_, counts) = continuity(&readings.collect::<Vec<_>>());
    assert_eq!((counts.resets, counts.out_of_order), (1, 5));
}

#[test]
fn a_counter_of_32_bits_that_begins_again_goes_on() {
    for wrap_s in [4294967.296, 4294.967296, 4.294967296] {
        let readings = (0..120).map(|i| Some((Some((wrap_s - 1.0 + f64::from(i) * 0.02) % wrap_s), 1.0)));
        let (_, counts) = continuity(&readings.collect::<Vec<_>>());
        assert_eq!(counts, StreamCounts { samples: 120, ..Default::default() }, "{wrap_s}");
    }
}

#[test]
fn absurd_values_are_missing() {
    let good = |value| Some((None, value));
    let (steps, counts) = continuity(&[good(1.0), good(1e300), good(-1.1e6), good(4.0), good(LARGEST_VALUE)]);
    assert_eq!(steps, "1 ~2 ~3 4 1000000");
    assert_eq!(counts.non_finite, 2);
}

#[test]
fn the_bridge_must_be_a_sensible_time() {
    for bridge_s in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = Continuity::new(&format(), bridge_s).unwrap_err().to_string();
        assert!(error.ends_with("must be between 0 and 1 (seconds)"), "{error}");
    }
}

#[test]
fn late_samples_between_good_ones_never_set_the_clock_back() {
    let mut times = Vec::new();
    for second in 10..40 {
        times.extend((0..50).map(|sample| f64::from(second) + f64::from(sample) * 0.02));
        times.extend([9.0; 5]);
    }
    let (_, counts) = continuity(&timed(&times));
    assert_eq!(counts, StreamCounts { samples: 30 * 50, out_of_order: 30 * 5, ..Default::default() });
}

/// At 64 Hz times and periods are exact in binary: a period is 1/64 s, one and three quarters are 7/256 s.
#[test]
fn an_interval_of_just_one_and_three_quarters_of_a_period_is_jitter() {
    let period = 1.0 / 64.0;
    for (interval, missing) in [(1.75, 0), (1.75 + 1e-9, 1), (2.0, 1), (2.49, 1), (2.5, 2), (3.0, 2)] {
        let mut continuity = Continuity::new(&one_channel(64.0), 0.1).unwrap();
        for time in [0.0, interval * period] {
            push(&mut continuity, Some((Some(time), 1.0)));
        }
        let expected = StreamCounts { samples: 2, bridged: missing, ..Default::default() };
        assert_eq!(continuity.counts(), expected, "{interval} periods");
    }
}

#[test]
fn late_samples_are_dropped_until_more_are_late_than_can_be_bridged() {
    let mut continuity = Continuity::new(&one_channel(64.0), 0.1).unwrap();
    push(&mut continuity, Some((Some(9.0), 0.0)));
    for late in 0..6 {
        assert!(push(&mut continuity, Some((Some(f64::from(late) / 64.0), 1.0))).is_empty(), "late sample {late}");
    }
    let dropped = StreamCounts { samples: 1, out_of_order: 6, ..Default::default() };
    assert_eq!(continuity.counts(), dropped);
    assert_eq!(push(&mut continuity, Some((Some(1.0), 2.0))), ["|1", "2"]);
    assert_eq!(continuity.counts(), StreamCounts { samples: 2, resets: 1, ..dropped });
    assert_eq!(push(&mut continuity, Some((Some(1.0 + 1.0 / 64.0), 3.0))), ["3"]);
}

#[test]
fn as_much_is_bridged_as_is_asked_for() {
    for (bridge_s, bridged) in [(0.0, 0), (0.06, 3), (0.1, 5), (1.0, 50)] {
        for missing in [bridged, bridged + 1] {
            let mut continuity = Continuity::new(&one_channel(50.0), bridge_s).unwrap();
            push(&mut continuity, Some((None, 1.0)));
            (0..missing).for_each(|_| drop(push(&mut continuity, None)));
            push(&mut continuity, Some((None, 1.0)));
            let counts = continuity.counts();
            let gap = u64::from(missing > bridged);
            assert_eq!((counts.bridged, counts.gaps), (if gap == 1 { 0 } else { bridged }, gap), "{bridge_s} s");
        }
    }
}

#[test]
fn an_interruption_is_a_gap_however_short_it_was() {
    let mut continuity = Continuity::new(&one_channel(50.0), 0.1).unwrap();
    let blank = Sample { time_s: None, values: vec![0.0] };
    let interrupt = |continuity: &mut Continuity| steps(continuity, &Reading::Interrupted, &blank);
    assert!(interrupt(&mut continuity).is_empty(), "before the first sample there is nothing to interrupt");
    assert_eq!(continuity.counts(), StreamCounts::default());
    for (time, value) in [(5.0, 1.0), (5.02, 2.0)] {
        push(&mut continuity, Some((Some(time), value)));
    }
    assert_eq!(interrupt(&mut continuity), ["|2"]);
    assert!(interrupt(&mut continuity).is_empty(), "it is interrupted already");
    // an earlier time is no sample out of order, and what is malformed on the way is not bridged
    assert!(push(&mut continuity, None).is_empty());
    assert_eq!(push(&mut continuity, Some((Some(1.0), 3.0))), ["3"]);
    assert_eq!(push(&mut continuity, Some((Some(1.02), 4.0))), ["4"]);
    let expected = StreamCounts { samples: 4, malformed: 1, gaps: 1, resets: 1, ..Default::default() };
    assert_eq!(continuity.counts(), expected);
}

#[test]
fn an_interruption_forgets_what_was_missing_and_late_before_it() {
    let mut continuity = Continuity::new(&one_channel(64.0), 0.1).unwrap();
    let blank = Sample { time_s: None, values: vec![0.0] };
    push(&mut continuity, Some((Some(9.0), 1.0)));
    for late in 0..6 {
        push(&mut continuity, Some((Some(f64::from(late) / 64.0), 1.0)));
    }
    push(&mut continuity, None);
    steps(&mut continuity, &Reading::Interrupted, &blank);
    assert_eq!(push(&mut continuity, Some((None, 2.0))), ["2"]);
    assert_eq!(push(&mut continuity, Some((None, 3.0))), ["3"]);
    assert_eq!(push(&mut continuity, Some((Some(5.0), 4.0))), ["4"]);
    assert!(push(&mut continuity, Some((Some(4.0), 5.0))).is_empty(), "one late sample is dropped again");
}

#[test]
fn waiting_and_the_end_change_nothing() {
    let mut continuity = Continuity::new(&one_channel(50.0), 0.1).unwrap();
    push(&mut continuity, Some((None, 1.0)));
    let before = continuity.counts();
    for reading in [Reading::Pending, Reading::End] {
        assert!(steps(&mut continuity, &reading, &Sample { time_s: None, values: vec![7.0] }).is_empty());
    }
    assert_eq!(continuity.counts(), before);
    assert_eq!(push(&mut continuity, Some((None, 2.0))), ["2"]);
}

proptest! {
    /// Of a ramp with holes, those of up to 0.1 s are filled as if nothing had been missing.
    #[test]
    fn a_ramp_with_holes_is_mended(
        holes in prop::collection::vec((1..8u64, 0..12u64), 1..20),
        timestamps in any::<bool>(),
    ) {
        let longest = 6;
        let mut continuity = Continuity::new(&one_channel(64.0), 0.1).unwrap();
        let (mut found, mut expected, mut place, mut number) = (Vec::new(), Vec::new(), 0u64, 0u64);
        for (good, missing) in holes {
            let (good, end) = (place..place + good, place + good + missing);
            expected.extend(good.clone().map(|place| (place, false)));
            for place in good.start..end {
                let value = place as f64;
                let sample = Sample { time_s: timestamps.then_some(value / 64.0), values: vec![value] };
                let is_good = good.contains(&place);
                if timestamps && !is_good {
                    continue;
                }
                continuity.push(&if is_good { Reading::Sample } else { malformed() }, &sample, |step| {
                    if let Step::Sample { number: found_number, sample, bridged } = step {
                        assert_eq!(found_number, number);
                        number += 1;
                        assert_eq!(sample.time_s.map(|time_s| (time_s * 64.0).round()), timestamps.then(|| sample.values[0].round()));
                        found.push((sample.values[0].round() as u64, bridged));
                    }
                });
            }
            if missing <= longest {
                expected.extend((good.end..end).map(|place| (place, true)));
            }
            place = end;
        }
        continuity.push(&Reading::End, &Sample { time_s: None, values: vec![0.0] }, |step| {
            if let Step::Sample { sample, bridged, .. } = step {
                found.push((sample.values[0].round() as u64, bridged));
            }
        });
        // what is missing at the end waits for the next good sample
        let last = found.last().map(|&(place, _)| place);
        expected.retain(|&(place, _)| Some(place) <= last);
        prop_assert_eq!(found, expected);
    }

    /// Whatever comes in: what goes out is finite and numbered without a hole, nothing long is bridged, and every
    /// reading is counted exactly once.
    #[test]
    fn nothing_bad_comes_out(
        readings in prop::collection::vec(
            prop_oneof![
                6 => (0.0..0.05f64).prop_map(|step| Some((step, 1.0))),
                1 => Just(None),
                1 => Just(Some((0.02, f64::NAN))),
                1 => Just(Some((0.02, f64::MAX))),
                1 => (-3.0..3.0f64).prop_map(|step| Some((step, 2.0))),
                1 => Just(Some((f64::INFINITY, 2.0))),
                1 => Just(Some((f64::NAN, 2.0))),
            ],
            0..400,
        ),
        timestamps in any::<bool>(),
    ) {
        let mut continuity = Continuity::new(&format(), 0.1).unwrap();
        let (mut time, mut next, mut bridged_in_a_row) = (0.0, 0, 0);
        for reading in &readings {
            let (step, value) = reading.unwrap_or_default();
            time += if step.is_finite() { step } else { 0.0 };
            let time_s = timestamps.then_some(if step.is_finite() { time } else { step });
            let kind = if reading.is_some() { Reading::Sample } else { Reading::Malformed(String::new()) };
            let sample = Sample { time_s, values: vec![value; 2] };
            continuity.push(&kind, &sample, |step| match step {
                Step::Reset { next: announced } => assert_eq!(announced, next),
                Step::Sample { number, sample, bridged } => {
                    assert_eq!(number, next);
                    next += 1;
                    bridged_in_a_row = if bridged { bridged_in_a_row + 1 } else { 0 };
                    assert!(bridged_in_a_row <= 5);
                    assert!(sample.values.iter().all(|value| value.is_finite()));
                }
            });
        }
        continuity.push(&Reading::End, &Sample { time_s: None, values: vec![0.0; 2] }, |step| {
            if let Step::Sample { number, sample, .. } = step {
                assert!(sample.values.iter().all(|value| value.is_finite()));
                next = number + 1;
            }
        });
        let counts = continuity.counts();
        prop_assert!(next <= counts.samples + counts.bridged + counts.resampled);
        let dropped = counts.malformed + counts.non_finite + counts.out_of_order + counts.astray;
        prop_assert_eq!(counts.samples + dropped, readings.len() as u64);
    }
}
