//! Whether what is wrong with a sensor is seen, and nothing else: on the recordings at hand, as they are and with each kind
//! of fault put into them. They need the data sets and say so where these are missing.

use std::path::Path;

use gaitd_core::ladder::Manifest;
use gaitd_core::plausibility::{Fault, Plausibility};
use gaitd_core::stream::Sample;
use gaitd_tests::data;
use ndarray::{Array1, Array2, s};
use ndarray_npy::NpzReader;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};

fn manifest(name: &str) -> Manifest {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name).join("manifest.json");
    Manifest::parse(&std::fs::read(&path).unwrap(), &path).unwrap()
}

/// Recordings `[samples, channels]`, cut where any of `keys` changes.
fn recordings(values: &Array2<f32>, keys: &[Array1<i64>], least: usize) -> Vec<Array2<f64>> {
    let same = |row: usize| keys.iter().all(|key| key[row] == key[row - 1]);
    let mut cuts: Vec<usize> = (1..values.nrows()).filter(|row| !same(*row)).collect();
    cuts.insert(0, 0);
    cuts.push(values.nrows());
    let long = cuts.windows(2).filter(|cut| cut[1] - cut[0] >= least);
    long.map(|cut| values.slice(s![cut[0]..cut[1], ..]).mapv(f64::from)).collect()
}

fn integers(reader: &mut NpzReader<std::fs::File>, name: &str) -> Array1<i64> {
    let narrow = reader.by_name::<ndarray::OwnedRepr<i8>, ndarray::Ix1>(name).map(|all| all.mapv(i64::from));
    let wide = |_| reader.by_name::<ndarray::OwnedRepr<i16>, ndarray::Ix1>(name).map(|all| all.mapv(i64::from));
    narrow.or_else(wide).unwrap()
}

fn telephones() -> Option<Vec<Array2<f64>>> {
    let path = data("plausible telephones", "hapt_raw_stream.npz")?;
    let mut raw = NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let keys = [integers(&mut raw, "exp")];
    Some(recordings(&raw.by_name("acc_gyro").unwrap(), &keys, 500))
}

fn watches() -> Option<Vec<Array2<f64>>> {
    let path = data("plausible watches", "wisdm2019_watch_accel.npz")?;
    let mut raw = NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let keys = [integers(&mut raw, "user"), integers(&mut raw, "activity")];
    Some(recordings(&raw.by_name("xyz").unwrap(), &keys, 500))
}

/// What is found in a recording, and the time at which each fault was first there.
fn findings(manifest: &Manifest, recording: &Array2<f64>) -> Vec<(usize, Fault, f64)> {
    let mut plausibility = Plausibility::new(&manifest.stream_format(), &manifest.task.input.statistics);
    let mut found: Vec<(usize, Fault, f64)> = Vec::new();
    for (number, values) in recording.outer_iter().enumerate() {
        let time_s = number as f64 / manifest.task.sample_rate_hz;
        plausibility.push(&Sample { time_s: Some(time_s), values: values.to_vec() });
        for (sensor, fault) in plausibility.faults().iter() {
            if found.iter().all(|(known, of, _)| (*known, *of) != (sensor, fault)) {
                found.push((sensor, fault, time_s));
            }
        }
    }
    found
}

/// A way to break a recording `[samples, channels]` from a row on.
type Break = Box<dyn Fn(&mut Array2<f64>, usize)>;

/// Multiplies the channels of one sensor.
fn times(sensor: usize, factor: f64) -> Break {
    Box::new(move |all, from| {
        all.slice_mut(s![from.., 3 * sensor..3 * sensor + 3]).mapv_inplace(|value| value * factor)
    })
}

/// Puts another value in place of each of a sensor's, or of one of its axes.
fn instead(axes: std::ops::Range<usize>, value: impl Fn(f64, f64) -> f64 + 'static) -> Break {
    Box::new(move |all, from| {
        for axis in axes.clone() {
            let held = all[[from, axis]];
            all.slice_mut(s![from.., axis]).mapv_inplace(|now| value(held, now));
        }
    })
}

/// Takes away what stays over two seconds.
fn without_gravity(rate_hz: usize) -> Break {
    Box::new(move |all, from| {
        let original = all.clone();
        for row in from..all.nrows() {
            let around = row.saturating_sub(rate_hz)..(row + rate_hz).min(all.nrows());
            for axis in 0..3 {
                all[[row, axis]] -= original.slice(s![around.clone(), axis]).mean().unwrap();
            }
        }
    })
}

fn noise(sensor: usize, deviation: f64) -> Break {
    Box::new(move |all, from| {
        let (mut random, noise) = (StdRng::seed_from_u64(1), Normal::new(0.0, deviation).unwrap());
        let mut part = all.slice_mut(s![from.., 3 * sensor..3 * sensor + 3]);
        part.mapv_inplace(|value| value + noise.sample(&mut random));
    })
}

/// A sensor on a table, with so much noise.
fn at_rest(deviation: f64) -> Break {
    Box::new(move |all, from| {
        all.slice_mut(s![from.., 0..3]).fill(0.58);
        let (mut random, noise) = (StdRng::seed_from_u64(1), Normal::new(0.0, deviation).unwrap());
        all.slice_mut(s![from.., 0..3]).mapv_inplace(|value| value + noise.sample(&mut random));
    })
}

/// That each recording, which is broken from a share of it on, shows `fault` of `sensor` within so many seconds, and
/// nothing else but what is also `allowed`.
fn assert_found(name: &str, recordings: &[Array2<f64>], broken: &Break, from: f64, expected: Expected) {
    let manifest = manifest(name);
    let Expected { sensor, fault, within_s, allowed } = expected;
    for (number, recording) in recordings.iter().enumerate() {
        let from = (recording.nrows() as f64 * from) as usize;
        let mut recording = recording.clone();
        broken(&mut recording, from);
        let from_s = from as f64 / manifest.task.sample_rate_hz;
        let found = findings(&manifest, &recording);
        let first = found.iter().find(|found| (found.0, found.1) == (sensor, fault));
        let after_s = first.map(|found| found.2 - from_s);
        assert!(after_s.is_some_and(|after_s| (0.0..=within_s).contains(&after_s)), "{fault:?} {number}: {found:?}");
        let mut others = found.iter().filter(|found| (found.0, found.1) != (sensor, fault));
        assert!(others.all(|other| Some(other.1) == allowed), "{fault:?} {number}: {found:?}");
    }
}

struct Expected {
    sensor: usize,
    fault: Fault,
    within_s: f64,
    allowed: Option<Fault>,
}

#[test]
fn nothing_is_wrong_with_the_recordings_but_a_watch_s_range() {
    if let Some(recordings) = telephones() {
        let manifest = manifest("uci-har-cnn");
        let found: Vec<_> = recordings.iter().map(|recording| findings(&manifest, recording)).collect();
        // one was shaken at the end, up to the ends of both ranges, 2 g and 10 rad/s
        assert!(found.iter().flatten().all(|(_, fault, _)| *fault == Fault::Saturated), "{found:?}");
        assert_eq!(found.iter().filter(|found| !found.is_empty()).count(), 1, "{found:?}");
    }
    let Some(recordings) = watches() else { return };
    let manifest = manifest("wisdm-watch-cnn");
    let found: Vec<_> = recordings.iter().map(|recording| findings(&manifest, recording)).collect();
    // its range of 2 g is passed in vigorous activities
    assert!(found.iter().flatten().all(|(_, fault, _)| *fault == Fault::Saturated), "{found:?}");
    let saturated = found.iter().filter(|found| !found.is_empty()).count();
    assert!((1..recordings.len() / 5).contains(&saturated), "{saturated} of {}", recordings.len());
}

#[test]
fn each_fault_is_found_in_every_recording_into_which_it_is_put() {
    let Some(recordings) = telephones() else { return };
    let some: Vec<_> = recordings.into_iter().step_by(4).collect();
    let check = |broken: Break, sensor, fault, within_s| {
        // of slow turns, counts look like another unit
        let allowed = (sensor == 1 && fault == Fault::Counts).then_some(Fault::Unit);
        let from = if fault == Fault::Saturated { 0.0 } else { 1.0 / 3.0 };
        assert_found("uci-har-cnn", &some, &broken, from, Expected { sensor, fault, within_s, allowed });
    };
    check(times(0, 9.80665), 0, Fault::Unit, 3.0);
    check(times(0, 1000.0), 0, Fault::Unit, 3.0);
    check(times(0, 1.0 / 9.80665), 0, Fault::Unit, 3.0);
    check(times(0, 16_384.0), 0, Fault::Counts, 3.0);
    check(times(1, 16.4 * 57.3), 1, Fault::Counts, 60.0);
    check(times(1, 57.3), 1, Fault::Unit, 60.0);
    check(without_gravity(50), 0, Fault::Gravity, 5.0);
    for sensor in 0..2 {
        let axes = 3 * sensor..3 * sensor + 3;
        check(instead(axes.clone(), |_, _| 0.0), sensor, Fault::Zero, 4.0);
        check(instead(axes.clone(), |held, _| held), sensor, Fault::Frozen, 4.0);
        check(instead(axes.start + 1..axes.start + 2, |held, _| held), sensor, Fault::Stuck, 60.0);
    }
    let cut_off: Break = Box::new(|all, _| all.mapv_inplace(|value| value.clamp(-1.2, 1.2)));
    check(cut_off, 0, Fault::Saturated, 200.0);
    check(noise(0, 0.3), 0, Fault::Noise, 120.0);
    check(noise(1, 1.0), 1, Fault::Noise, 120.0);
    check(at_rest(1e-5), 0, Fault::Noise, 10.0);
}
