//! After start-up, nothing from decoding to resampling allocates.

use std::io::{BufReader, Cursor};
use std::sync::Arc;

use gaitd_core::clock::MonotonicClock;
use gaitd_core::condition::Conditioner;
use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamFormat};
use gaitd_core::window::{Resampler, Window, Windower};
use gaitd_sense::{JoinedSource, Mounted, NO_DEADLINE, Pace, Source, TextSource};

const LINES: usize = 2000;

/// Reads `text` to its end and hands every step on; allocations are counted from the middle on.
fn allocations(text: String) -> u64 {
    let format = format();
    allocations_of(&mut source(text, &format), format)
}

const NAMES: [&str; 5] = ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y"];

fn format() -> StreamFormat {
    let channels = NAMES.iter().map(|name| Channel { name: (*name).into(), unit: "g".into() }).collect();
    StreamFormat { channels, rate_hz: 50.0 }
}

fn source(text: String, format: &StreamFormat) -> TextSource<BufReader<Cursor<String>>> {
    let clock = Arc::new(MonotonicClock::start());
    TextSource::new(BufReader::new(Cursor::new(text)), "memory".into(), format, None, Pace::Fast, clock)
}

/// The same of a source.
fn allocations_of(source: &mut dyn Source, format: StreamFormat) -> u64 {
    let (names, channels) = (NAMES, format.channels.clone());
    let mut continuity = Continuity::new(&format, 0.1).unwrap();
    let ops = serde_json::json!([
        {"op": "median", "from": names, "length": 5},
        {"op": "sos", "from": names, "sections": [[0.2, 0.2, 0, 1, -0.6, 0]], "start": "steady"},
        {"op": "copy", "from": ["acc_x"], "to": ["other"]},
        {"op": "median", "from": ["acc_y"], "length": 3},
        {"op": "subtract", "from": ["acc_z"], "minus": ["other"]}
    ]);
    let ops: Vec<_> = serde_json::from_value(ops).unwrap();
    let mut conditioner = Conditioner::new(&channels, &ops, &channels).unwrap();
    let mut windower = Windower::new(5, 128, 64).unwrap();
    let mut window = Window::new(5, 128);
    let resampler = Resampler::new(128, 96).unwrap();
    let mut resampled = vec![0.0; 5 * 96];
    let mut sample = Sample { time_s: None, values: vec![0.0; 5] };
    let mut conditioned = [0.0; 5];
    let mut windows = 0;
    let mut step = || {
        let reading = source.read(&mut sample, NO_DEADLINE).unwrap();
        continuity.push(&reading, &sample, |step| match step {
            Step::Reset { next } => {
                conditioner.reset();
                windower.reset(next);
            }
            Step::Sample { sample, .. } => {
                if conditioner.push(&sample.values, &mut conditioned) && windower.push(&conditioned) {
                    windower.fill(&mut window, 0);
                    resampler.apply(window.samples(), &mut resampled);
                    windows += 1;
                }
            }
        });
        reading == Reading::End
    };
    (0..LINES / 2).for_each(|_| assert!(!step()));
    let counted = allocation_counter::measure(|| while !step() {});
    assert_eq!(continuity.counts().resets, 2);
    assert!(windows > 20, "{windows} windows");
    counted.count_total
}

/// Time of line `number`: one gap to bridge and one that is too long, before and after the middle.
fn time(number: usize) -> f64 {
    let missing = [(100, 2), (200, 50), (1200, 2), (1300, 50)].iter().filter(|(at, _)| number >= *at);
    (number + missing.map(|(_, samples)| samples).sum::<usize>()) as f64 * 0.02
}

#[test]
fn csv_to_windows_without_an_allocation() {
    let lines = (0..LINES).map(|i| {
        let value = (i as f64 * 0.1).sin();
        format!("{:.3},{value},{},\"0.5\",0.001,1e-3,note {i},walking\n", time(i), -value)
    });
    let text = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,note,label\n".to_owned() + &lines.collect::<String>();
    assert_eq!(allocations(text), 0);
}

#[test]
fn ndjson_to_windows_without_an_allocation() {
    let lines = (0..LINES).map(|i| {
        let (time, value) = (time(i), (i as f64 * 0.1).sin());
        let rest = r#""acc_y":1,"acc_z":-2e-1,"gyro_x":0.25,"gyro_y":0,"note":"x","label":"walking""#;
        format!("{{\"t\":{time:.3},\"acc_x\":{value},{rest}}}\n")
    });
    assert_eq!(allocations(lines.collect()), 0);
}

#[test]
fn two_files_that_are_put_together_and_turned_to_windows_without_an_allocation() {
    let lines = |header: &str, columns: usize, shift: f64| {
        let line =
            |i| format!("{:.3}{},walking\n", time(i) + shift, format!(",{}", (i as f64 * 0.1).sin()).repeat(columns));
        format!("t,{header},label\n") + &(0..LINES).map(line).collect::<String>()
    };
    let format = format();
    let files = [lines("acc_x,acc_y,acc_z", 3, 0.0), lines("gyro_x,gyro_y", 2, 0.007)];
    let clock = Arc::new(MonotonicClock::start());
    let joined = JoinedSource::new(files.map(|text| source(text, &format)).into(), &format, Pace::Fast, clock);
    let mut mounted = Mounted::new(Box::new(joined), "y,-x,z".parse().unwrap(), &format).unwrap();
    assert_eq!(allocations_of(&mut mounted, format), 0);
}
