//! Streams with some of the sensors each, put together on one clock.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat};
use gaitd_sense::{JoinedSource, NO_DEADLINE, Pace, SenseError, Source, TextSource};
use proptest::prelude::*;

fn format(sensors: &[&str]) -> StreamFormat {
    let unit = |sensor: &str| if sensor == "gyro" { "rad/s" } else { "g" };
    let channel = |sensor: &str, axis| Channel { name: format!("{sensor}_{axis}"), unit: unit(sensor).into() };
    let channels = sensors.iter().flat_map(|sensor| ["x", "y", "z"].map(|axis| channel(sensor, axis))).collect();
    StreamFormat { channels, rate_hz: 50.0 }
}

fn two() -> StreamFormat {
    format(&["acc", "gyro"])
}

/// What texts of these names give together.
fn joined(files: &[(&str, &str)], format: &StreamFormat) -> JoinedSource {
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let text = |(name, text): &(&str, &str)| {
        // lines are cut anywhere
        let reader = BufReader::with_capacity(7, io::Cursor::new((*text).to_owned()));
        TextSource::new(reader, (*name).into(), format, None, Pace::Fast, Arc::clone(&clock))
    };
    JoinedSource::new(files.iter().map(text).collect(), format, Pace::Fast, Arc::clone(&clock))
}

#[derive(Debug, Default, PartialEq)]
struct Found {
    times: Vec<f64>,
    values: Vec<Vec<f64>>,
    labels: Vec<String>,
    problems: Vec<String>,
}

fn read(files: &[(&str, &str)]) -> Result<Found, SenseError> {
    read_all(&mut joined(files, &two()))
}

fn read_all(source: &mut dyn Source) -> Result<Found, SenseError> {
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut found = Found::default();
    loop {
        match source.read(&mut sample, NO_DEADLINE)? {
            Reading::Sample => {
                found.times.push(sample.time_s.unwrap());
                found.values.push(sample.values.clone());
                found.labels.push(source.label().unwrap_or_default().to_owned());
            }
            Reading::Malformed(problem) => found.problems.push(problem),
            Reading::Interrupted | Reading::Pending => unreachable!("a text in memory"),
            Reading::End => return Ok(found),
        }
    }
}

fn refusal(files: &[(&str, &str)]) -> String {
    read(files).unwrap_err().to_string()
}

/// A sensor's three axes at a time: slow enough that a straight line between two readings is near.
fn signal(sensor: usize, time_s: f64) -> [f64; 3] {
    [0, 1, 2].map(|axis| (time_s * (1.0 + axis as f64 * 0.3) + sensor as f64).sin() + sensor as f64)
}

/// `seconds` of a sensor at `rate_hz`, stamped and taken from `start_s` on, below `header`.
fn text(header: &str, sensor: usize, start_s: f64, rate_hz: f64, seconds: f64) -> String {
    let lines = (0..(seconds * rate_hz).round() as u32).map(|number| {
        let time = start_s + f64::from(number) / rate_hz;
        let [x, y, z] = signal(sensor, time);
        format!("{time:.6},{x:.9},{y:.9},{z:.9}\n")
    });
    format!("{header}\n") + &lines.collect::<String>()
}

fn assert_signals(found: &Found, within: f64) {
    for (time, values) in found.times.iter().zip(&found.values) {
        for (sensor, axes) in values.chunks(3).enumerate() {
            let expected = signal(sensor, *time);
            let off = axes.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max);
            assert!(off <= within, "sensor {sensor} at {time}: {axes:?} for {expected:?}");
        }
    }
}

#[test]
fn clocks_that_start_12_ms_apart_are_placed_by_their_stamps() {
    for start in [0.0, 1_700_000_000.0, 52_000.5] {
        let acc = text("t,acc_x,acc_y,acc_z", 0, start, 50.0, 4.0);
        let gyro = text("t,gyro_x,gyro_y,gyro_z", 1, start + 0.012, 50.0, 4.0);
        for files in [[("a.csv", &*acc), ("g.csv", &*gyro)], [("g.csv", &*gyro), ("a.csv", &*acc)]] {
            let found = read(&files).unwrap();
            // the first lies before any reading of the gyroscope
            assert_eq!(found.times.len(), 199);
            assert!(found.times.iter().zip(1..).all(|(time, i)| (time - start - f64::from(i) * 0.02).abs() < 1e-5));
            assert_signals(&found, 2e-4);
        }
    }
}

#[test]
fn each_file_has_spellings_of_its_own_and_its_name_may_say_the_sensor() {
    let mut acc = String::from("seconds;X (m/s^2);Y (m/s^2);Z (m/s^2)\n");
    let mut gyro = String::from("# of another logger\ntime_ms\tx\ty\tz\tactivity\n");
    for i in 0..100 {
        let time = f64::from(i) * 0.02;
        let ([x, y, z], [p, q, r]) = (signal(0, time).map(|value| value * 9.80665), signal(1, time));
        acc += &format!("{time};{x};{y};{z}\n").replace('.', ",");
        gyro += &format!("{}\t{p}\t{q}\t{r}\twalking\n", i * 20);
    }
    let acc = acc.replace("seconds", "time");
    let found = read(&[("walk/TotalAcceleration.csv", &acc), ("walk/Gyroscope.txt", &gyro)]).unwrap();
    assert_eq!((found.times.len(), found.problems.len()), (100, 0));
    assert_signals(&found, 1e-9);
    assert!(found.labels.iter().all(|label| label == "walking"), "a label beside the other sensor holds, too");
}

#[test]
fn three_files_at_rates_of_their_own() {
    let files = [
        ("a.csv", text("t,acc_x,acc_y,acc_z", 0, 0.0, 50.0, 5.0)),
        ("g.csv", text("t,gyro_x,gyro_y,gyro_z", 1, -0.003, 104.0, 5.2)),
        ("m.csv", text("t,mag_x,mag_y,mag_z", 2, -0.017, 62.5, 5.2)),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let found = read_all(&mut joined(&files, &format(&["acc", "gyro", "mag"]))).unwrap();
    assert_eq!(found.times.len(), 250);
    assert_signals(&found, 2e-4);
}

#[test]
fn one_of_the_files_may_have_rows_of_one_sensor_each() {
    let mut rows = String::from("sensor,t,x,y,z\n");
    for i in 0..200 {
        let time = f64::from(i) * 0.02;
        for (name, sensor, time) in [("mag", 2, time), ("acc", 0, time + 0.004)] {
            let [x, y, z] = signal(sensor, time);
            rows += &format!("{name},{time:.3},{x},{y},{z}\n");
        }
    }
    let gyro = text("{}", 1, 0.0, 50.0, 4.0);
    let json = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{{\"t\":{},\"gyro\":[{},{},{}]}}\n", fields[0], fields[1], fields[2], fields[3])
    };
    let gyro: String = gyro.lines().skip(1).map(json).collect();
    let format = format(&["acc", "gyro", "mag"]);
    let found = read_all(&mut joined(&[("rows.csv", &rows), ("gyro.ndjson", &gyro)], &format)).unwrap();
    assert!((199..=200).contains(&found.times.len()), "{}", found.times.len());
    assert_signals(&found, 2e-4);
}

#[test]
fn the_end_of_one_is_the_end_after_what_can_be_made() {
    let acc = text("t,acc_x,acc_y,acc_z", 0, 0.0, 50.0, 4.0);
    let gyro = text("t,gyro_x,gyro_y,gyro_z", 1, 0.005, 50.0, 2.0);
    for files in [[("a.csv", &*acc), ("g.csv", &*gyro)], [("g.csv", &*gyro), ("a.csv", &*acc)]] {
        let found = read(&files).unwrap();
        assert!(found.times.last().is_some_and(|last| (1.96..=2.0).contains(last)), "{:?}", found.times.last());
        assert_signals(&found, 2e-4);
    }
    // the accelerometer's is the shorter one: its last reading is interpolated, too
    let acc = text("t,acc_x,acc_y,acc_z", 0, 0.01, 50.0, 2.0);
    let gyro = text("t,gyro_x,gyro_y,gyro_z", 1, 0.0, 50.0, 4.0);
    let found = read(&[("a.csv", &acc), ("g.csv", &gyro)]).unwrap();
    assert_eq!(found.times.len(), 100);
    assert_signals(&found, 2e-4);
}

#[test]
fn clocks_that_are_set_back_together_are_followed() {
    let twice = |header: &str, sensor: usize| {
        let again = text("", sensor, 0.0, 50.0, 3.0);
        text(header, sensor, 3600.0, 50.0, 3.0) + again.trim_start()
    };
    let files = [("a.csv", twice("t,acc_x,acc_y,acc_z", 0)), ("g.csv", twice("t,gyro_x,gyro_y,gyro_z", 1))];
    let found = read(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).unwrap();
    assert_eq!(found.times.len(), 300);
    assert_signals(&found, 1e-9);
    let steady = text("t,gyro_x,gyro_y,gyro_z", 1, 3600.0, 50.0, 30.0);
    let told = refusal(&[("a.csv", &files[0].1), ("g.csv", &steady)]);
    assert!(told.contains("the clock of a.csv was set back to 0.00 s, and that of g.csv goes on at 3605"), "{told}");
}

#[test]
fn what_cannot_be_put_together_is_refused_by_its_cause() {
    let acc = |start| text("t,acc_x,acc_y,acc_z", 0, start, 50.0, 3.0);
    let gyro = |start| text("t,gyro_x,gyro_y,gyro_z", 1, start, 50.0, 3.0);
    for (one, other, problem) in [
        (
            acc(1_700_000_000.0),
            gyro(0.0),
            "cannot put a.csv, g.csv together: g.csv begins at 0.00 s (since the start of the recording), a.csv at \
             1700000000.00 s (since 1970), which are clocks that have nothing in common",
        ),
        // a time zone is wrong
        (acc(1_700_000_000.0), gyro(1_700_003_600.0), "clocks that have nothing in common"),
        (
            acc(0.0),
            gyro(100.0),
            "no reading at whose time all sensors are known; there are readings of a.csv from 0.00 to",
        ),
        (acc(0.0), "t,gyro_x,gyro_y,gyro_z\n".to_owned(), "of g.csv none; record them at the same time"),
        (acc(0.0), acc(0.0), "both a.csv and g.csv have acc_x, acc_y, acc_z; leave it out in one of them"),
        (acc(0.0), "t,mag_x,mag_y,mag_z\n".to_owned(), "beside other files, all channels of one sensor are enough"),
        (
            acc(0.0),
            "t,x,y,z\n0,1,2,3\n".to_owned(),
            "of which sensor x, y, z is neither the unit nor the file's name says",
        ),
        (acc(0.0), text("t,gyro_x,gyro_y,gyro_z", 1, 0.0, 20.0, 9.0), "the stream has 20.00 samples per second"),
        (acc(0.0), String::new(), "g.csv is empty"),
    ] {
        let told = refusal(&[("a.csv", &one), ("g.csv", &other)]);
        assert!(told.contains(problem), "{told}");
    }
    let both = format(&["acc", "gyro", "mag"]);
    let told = read_all(&mut joined(&[("a.csv", &acc(0.0)), ("g.csv", &gyro(0.0))], &both)).unwrap_err().to_string();
    assert!(told.contains("none of them has mag_x, mag_y, mag_z; add the file"), "{told}");
}

#[test]
fn a_clock_beside_the_time_since_the_start_ties_it_to_another_one() {
    let start = 1_700_000_000.0;
    let acc = text("time,acc_x,acc_y,acc_z", 0, start, 50.0, 3.0);
    // Sensor Logger's: nanoseconds since 1970, and seconds since the start of the recording
    let rows = |separate: fn(f64, f64, [f64; 3]) -> String| -> String {
        let row = |i| {
            separate(
                start + 0.5 + f64::from(i) * 0.02,
                f64::from(i) * 0.02,
                signal(1, start + 0.5 + f64::from(i) * 0.02),
            )
        };
        (0..100).map(row).collect()
    };
    let gyro = "time,seconds_elapsed,z,y,x\n".to_owned()
        + &rows(|time, elapsed, [x, y, z]| format!("{:.0}000,{elapsed:.2},{z},{y},{x}\n", time * 1e6));
    let json = rows(|time, elapsed, [x, y, z]| {
        format!("{{\"time\":{time:.3},\"seconds_elapsed\":{elapsed:.2},\"gyro\":[{x},{y},{z}]}}\n")
    });
    for (name, gyro) in [("Gyroscope.csv", &gyro), ("gyro.ndjson", &json)] {
        let found = read(&[("acc.csv", &acc), (name, gyro)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((99..=100).contains(&found.times.len()) && found.times[0] >= start + 0.49, "{:?}", found.times);
        assert_signals(&found, 2e-4);
    }
}

#[test]
fn without_times_rows_come_at_the_rate_that_is_declared() {
    let rows =
        |text: &str| text.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect::<String>();
    let acc = rows(&text("t,acc_x,acc_y,acc_z", 0, 0.0, 50.0, 3.0));
    let gyro = "# rate_hz=100\n".to_owned() + &rows(&text("t,gyro_x,gyro_y,gyro_z", 1, 0.0, 100.0, 3.0));
    let found = read(&[("a.csv", &acc), ("g.csv", &gyro)]).unwrap();
    assert_eq!(found.times.len(), 150);
    assert_signals(&found, 1e-9);
}

#[test]
fn what_is_malformed_is_told_and_the_rest_is_read() {
    let acc = text("t,acc_x,acc_y,acc_z", 0, 0.0, 50.0, 2.0).replacen("0.200000,", "0.200000,oops", 1);
    let gyro = text("t,gyro_x,gyro_y,gyro_z", 1, 0.0, 50.0, 2.0).replacen("1.000000,", "1.000000,,", 1);
    let found = read(&[("a.csv", &acc), ("g.csv", &gyro)]).unwrap();
    assert_eq!(found.times.len(), 99);
    assert!(found.problems.len() == 2 && found.problems.iter().any(|problem| problem.starts_with("a.csv, line 12")));
}

/// A pipe to a source, and its other end.
fn pipe_source(name: &str, clock: &Arc<dyn Clock>) -> (TextSource<BufReader<Arc<File>>>, io::PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    let file = Arc::new(File::from(OwnedFd::from(reader)));
    (TextSource::from_file(file, name.into(), &two(), None, Pace::Fast, Arc::clone(clock)), writer)
}

#[test]
fn a_live_pipe_that_is_silent_keeps_no_other_from_being_read() {
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let (acc, mut to_acc) = pipe_source("acc", &clock);
    let (gyro, mut to_gyro) = pipe_source("gyro", &clock);
    let mut source = JoinedSource::new(vec![acc, gyro], &two(), Pace::Live, Arc::clone(&clock));
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut next = |ms| {
        let reading = source.read(&mut sample, clock.now() + Duration::from_millis(ms)).unwrap();
        let rounded = (sample.values.get(3).copied().unwrap_or_default() * 1e6).round() / 1e6;
        (reading == Reading::Sample).then(|| (sample.time_s.unwrap(), rounded)).ok_or(reading)
    };
    to_acc.write_all(b"t,acc_x,acc_y,acc_z\n0.00,1,1,1\n0.02,1,1,1\n0.0").unwrap();
    assert_eq!(next(1), Err(Reading::Pending), "nothing of the gyroscope has come");
    to_gyro.write_all(b"t,gyro_x,gyro_y,gyro_z\n-0.01,1,0,0\n0.01,3,0,0\n").unwrap();
    // what is complete comes at once, long before the deadline
    assert_eq!(next(60_000), Ok((0.0, 2.0)));
    assert_eq!(next(1), Err(Reading::Pending), "the reading after 0.02 has not come");
    to_gyro.write_all(b"0.03,5,0,0\n").unwrap();
    assert_eq!(next(60_000), Ok((0.02, 4.0)));
    // a reading of the other sensor that none waits for is kept for its turn, however many there are
    to_gyro.write_all(b"0.05,7,0,0\n0.07,9,0,0\n0.09,11,0,0\n").unwrap();
    assert_eq!(next(1), Err(Reading::Pending));
    to_acc.write_all(b"4,1,1,1\n0.06,1,1,1\n").unwrap();
    assert_eq!((next(60_000), next(60_000)), (Ok((0.04, 6.0)), Ok((0.06, 8.0))));
    // the gyroscope falls silent: its last value is held once its next is late by half a period
    to_acc.write_all(b"0.08,1,1,1\n0.10,1,1,1\n").unwrap();
    assert_eq!(next(60_000), Ok((0.08, 10.0)));
    assert_eq!(next(1), Err(Reading::Pending));
    to_acc.write_all(b"0.12,1,1,1\n0.14,1,1,1\n").unwrap();
    assert_eq!((next(60_000), next(60_000)), (Ok((0.1, 11.0)), Ok((0.12, 11.0))));
    // what is behind the last reading of one that has ended is not made
    drop(to_gyro);
    assert_eq!(next(60_000), Err(Reading::End));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn however_pipes_are_filled_and_deadlines_fall_the_samples_are_those_of_files(
        pieces in prop::collection::vec((any::<bool>(), 1_usize..400, any::<bool>()), 1..40),
        rate in prop::sample::select(vec![50.0, 62.5, 100.0]),
    ) {
        let texts = [
            text("t,acc_x,acc_y,acc_z", 0, 0.0, 50.0, 1.0),
            text("t,gyro_x,gyro_y,gyro_z", 1, -0.007, rate, 1.2),
        ];
        let expected = read(&[("acc", &texts[0]), ("gyro", &texts[1])]).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let (acc, to_acc) = pipe_source("acc", &clock);
        let (gyro, to_gyro) = pipe_source("gyro", &clock);
        let mut source = JoinedSource::new(vec![acc, gyro], &two(), Pace::Fast, Arc::clone(&clock));
        let mut writers = [Some(to_acc), Some(to_gyro)];
        let mut rest = texts.each_ref().map(|text| text.as_bytes());
        let mut sample = Sample { time_s: None, values: vec![] };
        let mut found = Found::default();
        for &(which, length, patient) in pieces.iter().chain(&[(false, usize::MAX, true), (true, usize::MAX, true)]) {
            let which = usize::from(which);
            let (now, later) = rest[which].split_at(length.min(rest[which].len()));
            rest[which] = later;
            if let Some(writer) = &mut writers[which] {
                writer.write_all(now).unwrap();
            }
            if later.is_empty() {
                writers[which] = None;
            }
            loop {
                // once both have ended, however long it takes on whatever machine
                let deadline = match (&writers, patient) {
                    ([None, None], _) => NO_DEADLINE,
                    (_, true) => clock.now() + Duration::from_micros(200),
                    (_, false) => clock.now(),
                };
                match source.read(&mut sample, deadline).unwrap() {
                    Reading::Sample => {
                        found.times.push(sample.time_s.unwrap());
                        found.values.push(sample.values.clone());
                        found.labels.push(String::new());
                    }
                    Reading::Pending | Reading::End => break,
                    other => panic!("{other:?}"),
                }
            }
        }
        prop_assert_eq!(found, expected);
    }
}
