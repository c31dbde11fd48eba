//! What is found in made-up samples of sensors that are right, and that are not.

use std::f64::consts::TAU;

use gaitd_core::plausibility::{AtRest, Fault, Plausibility, SensorStatistics};
use gaitd_core::stream::{Channel, Sample, StreamFormat};
use proptest::prelude::*;

const NOISE: f64 = 0.003;

fn statistics() -> Vec<SensorStatistics> {
    let of = |name: &str, magnitude: f64, vigorous: f64| SensorStatistics {
        channels: ["x", "y", "z"].map(|axis| format!("{name}_{axis}")),
        mean: [0.0; 3],
        spread: [0.4; 3],
        at_rest: AtRest { magnitude, noise: NOISE },
        vigorous,
    };
    vec![of("acc", 1.0, 1.3), of("gyro", 0.01, 2.0)]
}

fn format(rate_hz: f64) -> StreamFormat {
    let channel =
        |sensor: &str, unit: &str, axis: &str| Channel { name: format!("{sensor}_{axis}"), unit: unit.into() };
    let sensor = |name: &'static str, unit: &'static str| ["x", "y", "z"].map(|axis| channel(name, unit, axis));
    StreamFormat { channels: [sensor("acc", "g"), sensor("gyro", "rad/s")].concat(), rate_hz }
}

/// Uniform noise of the deviation 1, the same for the same numbers.
fn noise(sample: u32, channel: u32) -> f64 {
    let mut bits = (u64::from(sample) << 8 | u64::from(channel)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 12_f64.sqrt()
}

/// A walker (`swing` 1) or somebody who stands still (0), with a sensor's noise.
fn person(sample: u32, rate_hz: f64, swing: f64) -> [f64; 6] {
    let t = f64::from(sample) / rate_hz;
    let wave = |hz: f64, phase: f64| swing * (TAU * hz * t + phase).sin();
    let body = [
        0.96 + 0.3 * wave(1.9, 0.0),
        -0.15 + 0.12 * wave(1.9, 1.1),
        0.2 + 0.15 * wave(0.95, 0.3),
        0.8 * wave(0.95, 0.0),
        0.6 * wave(1.9, 1.6),
        0.4 * wave(1.9, 0.7),
    ];
    std::array::from_fn(|channel| body[channel] + NOISE * noise(sample, channel as u32))
}

fn watched(rate_hz: f64) -> Plausibility {
    Plausibility::new(&format(rate_hz), &statistics())
}

/// Everything that is found in so many seconds at 50 Hz.
fn found(seconds: u32, values: impl Fn(u32) -> [f64; 6]) -> Vec<(usize, Fault)> {
    let mut plausibility = watched(50.0);
    for sample in 0..seconds * 50 {
        let time_s = Some(f64::from(sample) / 50.0);
        plausibility.push(&Sample { time_s, values: values(sample).to_vec() });
    }
    plausibility.findings().iter().map(|finding| (finding.sensor, finding.fault)).collect()
}

#[test]
fn nothing_is_wrong_with_somebody_who_walks_or_stands() {
    assert_eq!(found(120, |sample| person(sample, 50.0, 1.0)), []);
    assert_eq!(found(120, |sample| person(sample, 50.0, 0.0)), []);
    // a louder sensor, and a quieter one, than in training
    for factor in [0.1, 5.0] {
        let other = |sample| {
            let clean = [0.96, -0.15, 0.2, 0.0, 0.0, 0.0];
            std::array::from_fn(|channel| clean[channel] + factor * NOISE * noise(sample, channel as u32))
        };
        assert_eq!(found(60, other), [], "{factor}");
    }
}

#[test]
fn each_fault_is_found_by_its_name() {
    let walk = |sample| person(sample, 50.0, 1.0);
    let still = |sample| person(sample, 50.0, 0.0);
    let acc = |values: [f64; 6], factor: f64| {
        std::array::from_fn(|channel| values[channel] * if channel < 3 { factor } else { 1.0 })
    };
    let gyro = |values: [f64; 6], factor: f64| {
        std::array::from_fn(|channel| values[channel] * if channel < 3 { 1.0 } else { factor })
    };
    assert_eq!(found(10, |sample| acc(walk(sample), 9.80665)), [(0, Fault::Unit)]);
    assert_eq!(found(10, |sample| acc(walk(sample), 1000.0)), [(0, Fault::Unit)]);
    assert_eq!(found(10, |sample| acc(walk(sample), 1.0 / 9.80665)), [(0, Fault::Unit)]);
    assert_eq!(found(10, |sample| gyro(walk(sample), 57.3)), [(1, Fault::Unit)]);
    assert_eq!(found(10, |sample| acc(walk(sample), 60.0)), [(0, Fault::Counts)]);
    assert_eq!(found(10, |sample| gyro(walk(sample), 1e4)), [(1, Fault::Counts)]);
    assert_eq!(found(10, |sample| acc(walk(sample), 0.0)), [(0, Fault::Zero)]);
    let cut_off = |sample| walk(sample).map(|value| value.clamp(-1.15, 1.15));
    assert_eq!(found(10, |sample| acc(walk(sample), 1.5)), [], "flat peaks of a fine sensor are none");
    assert_eq!(found(10, cut_off), [(0, Fault::Saturated)]);
    let quiet = |sample| {
        let of = |channel| 0.5 + NOISE / 40.0 * noise(sample, channel);
        [of(0), of(1), of(2), still(sample)[3], still(sample)[4], still(sample)[5]]
    };
    assert_eq!(found(10, quiet), [(0, Fault::Noise)]);
    let stuck = |sample| {
        let mut values = walk(sample);
        values[4] = 0.1;
        values
    };
    assert_eq!(found(10, stuck), [(1, Fault::Stuck)]);
}

#[test]
fn a_coarse_sensor_that_lies_still_is_not_said_to_hang() {
    // steps of 16 mg
    let coarse = |value: f64| (value / 0.016).round() * 0.016;
    let on_a_table = |sample| {
        let values = person(sample, 50.0, if sample < 500 { 1.0 } else { 0.0 });
        std::array::from_fn(|channel| if channel < 3 { coarse(values[channel] + 0.004) } else { values[channel] })
    };
    assert_eq!(found(60, on_a_table), []);
    // a fine one that moved before is
    let hangs = |sample: u32| person(sample.min(500), 50.0, 1.0);
    assert_eq!(found(20, hangs), [(0, Fault::Frozen), (1, Fault::Frozen)]);
}

#[test]
fn seconds_are_those_of_the_stream_at_whatever_rate() {
    for rate_hz in [20.0, 50.0, 400.0] {
        let mut plausibility = watched(50.0);
        let mut first = None;
        for sample in 0..(10.0 * rate_hz) as u32 {
            let mut values = person(sample, rate_hz, 1.0).to_vec();
            values[..3].iter_mut().for_each(|value| *value *= 9.80665);
            let time_s = f64::from(sample) / rate_hz;
            plausibility.push(&Sample { time_s: Some(time_s), values });
            if plausibility.faults().contains(0, Fault::Unit) {
                first.get_or_insert(time_s);
            }
        }
        let first = first.unwrap();
        assert!((1.9..2.2).contains(&first), "{rate_hz}: {first}");
        let seconds = plausibility.findings()[0].seconds;
        // the last one may lack its end
        assert!((7.9..9.1).contains(&seconds), "{rate_hz}: {seconds}");
    }
}

#[test]
fn what_is_over_is_over_after_a_while_and_comes_back_as_another_time() {
    let mut plausibility = watched(50.0);
    let mut push = |from_s: u32, to_s: u32, hangs: bool| {
        for sample in from_s * 50..to_s * 50 {
            let shown = if hangs { from_s * 50 } else { sample };
            let values = person(shown, 50.0, 1.0).to_vec();
            plausibility.push(&Sample { time_s: Some(f64::from(sample) / 50.0), values });
        }
        let finding = plausibility.findings().first().copied();
        (plausibility.faults().contains(0, Fault::Frozen), finding.map(|finding| finding.times))
    };
    assert_eq!(push(0, 10, false), (false, None));
    assert_eq!(push(10, 20, true), (true, Some(1)));
    assert_eq!(push(20, 30, false), (false, Some(1)));
    assert_eq!(push(30, 40, true), (true, Some(2)));
}

#[test]
fn without_statistics_only_what_no_sensor_measures_is_found() {
    let mut plausibility = Plausibility::new(&format(50.0), &[]);
    let mut found_by = |factor: f64| {
        for sample in 0..500 {
            let values = person(sample, 50.0, 1.0).map(|value| value * factor).to_vec();
            plausibility.push(&Sample { time_s: None, values });
        }
        plausibility.findings().iter().map(|finding| (finding.sensor, finding.fault)).collect::<Vec<_>>()
    };
    assert_eq!(found_by(9.80665), []);
    assert_eq!(found_by(16_384.0), [(0, Fault::Counts), (1, Fault::Counts)]);
}

#[test]
fn a_stream_without_a_sensor_of_three_axes_is_not_watched() {
    let channels = vec![Channel { name: "pressure".into(), unit: "hPa".into() }];
    let mut plausibility = Plausibility::new(&StreamFormat { channels, rate_hz: 50.0 }, &[]);
    assert_eq!(plausibility.sensors(), []);
    (0..500).for_each(|_| plausibility.push(&Sample { time_s: None, values: vec![0.0] }));
    assert!(plausibility.faults().is_empty());
}

proptest! {
    #[test]
    fn whatever_comes_faults_and_findings_agree(
        samples in prop::collection::vec(
            (prop_oneof![Just(0.0), Just(1.0), -1e6..1e6_f64], -2.0..2.0_f64, prop::option::of(-1e9..1e9_f64), any::<bool>()),
            1..600,
        ),
    ) {
        let mut plausibility = watched(50.0);
        for (one, other, time_s, interrupted) in samples {
            if interrupted && one == 1.0 {
                plausibility.interrupt();
            }
            plausibility.push(&Sample { time_s, values: vec![one, other, 1.0, other, one, 0.0] });
        }
        let mut present: Vec<_> = plausibility.findings().iter().filter(|finding| finding.present).collect();
        present.sort_by_key(|finding| (finding.sensor, finding.fault));
        let faults: Vec<_> = plausibility.faults().iter().collect();
        prop_assert_eq!(present.iter().map(|finding| (finding.sensor, finding.fault)).collect::<Vec<_>>(), faults);
        for finding in plausibility.findings() {
            prop_assert!(finding.times >= 1 && finding.seconds > 0.0 && finding.value.is_finite());
            prop_assert!(!plausibility.sensors()[finding.sensor].explain(finding).is_empty());
        }
    }
}
