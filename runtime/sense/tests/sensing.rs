//! Streams of text as users have them, good and bad.

use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::{Clock, ManualClock, MonotonicClock};
use gaitd_core::stream::{Channel, Reading, Sample, StreamCounts, StreamFormat};
use gaitd_sense::wearer::{WearerConfig, WearerSource};
use gaitd_sense::{NO_DEADLINE, Pace, Recording, SenseError, Source, TextFormat, TextSource};
use proptest::prelude::*;

/// Two channels at 50 Hz: `acc` in g, `gyro` in rad/s.
fn format() -> StreamFormat {
    let channel = |name: &str, unit: &str| Channel { name: name.into(), unit: unit.into() };
    StreamFormat { channels: vec![channel("acc", "g"), channel("gyro", "rad/s")], rate_hz: 50.0 }
}

fn source<R: Read + Send>(text: R) -> TextSource<BufReader<R>> {
    let clock = Arc::new(MonotonicClock::start());
    TextSource::new(BufReader::new(text), "walk.csv".into(), &format(), None, Pace::Fast, clock)
}

/// All readings, each with its sample where there is one.
fn read_all(text: impl AsRef<[u8]>) -> Result<Vec<Result<Sample, String>>, SenseError> {
    let mut source = source(text.as_ref());
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut all = Vec::new();
    loop {
        match source.read(&mut sample, NO_DEADLINE)? {
            Reading::Sample => all.push(Ok(sample.clone())),
            Reading::Malformed(problem) => all.push(Err(problem)),
            Reading::Interrupted | Reading::Pending | Reading::End => return Ok(all),
        }
    }
}

fn samples(text: impl AsRef<[u8]>) -> Vec<(Option<f64>, Vec<f64>)> {
    let tuple = |reading: Result<Sample, String>| reading.map(|sample| (sample.time_s, sample.values)).unwrap();
    read_all(text).unwrap().into_iter().map(tuple).collect()
}

fn refusal(text: impl AsRef<[u8]>) -> String {
    read_all(text).unwrap_err().to_string()
}

/// The messages of the readings that were not understood, and how many were.
fn problems(text: impl AsRef<[u8]>) -> (usize, Vec<String>) {
    let (good, bad): (Vec<_>, Vec<_>) = read_all(text).unwrap().into_iter().partition(Result::is_ok);
    (good.len(), bad.into_iter().map(Result::unwrap_err).collect())
}

#[test]
fn csv_in_any_order_with_more_columns_than_needed() {
    let text = "gyro, note ,acc,t\n0.5,hello,1.0,0.00\n0.6,\"a, b\",1.1,0.02\r\n\n# a comment\n0.7,,1.2,0.04";
    let expected = [(0.0, [1.0, 0.5]), (0.02, [1.1, 0.6]), (0.04, [1.2, 0.7])];
    assert_eq!(samples(text), expected.map(|(time, values)| (Some(time), values.to_vec())));
}

#[test]
fn byte_order_mark_quotes_and_blanks() {
    let text = "\u{feff}\n\"acc\" , \"gyro [rad/s]\"\n \"1.0\" , 2e0 \n";
    assert_eq!(samples(text), [(None, vec![1.0, 2.0])]);
}

#[test]
fn times_in_any_unit() {
    for (column, value) in [("t", "1.5"), ("time_ms", "1500"), ("timestamp_us", "1.5e6"), ("TIME [ns]", "1500000000")] {
        let found = samples(format!("acc,gyro,{column}\n1,2,{value}\n"))[0].0.unwrap();
        assert!((found - 1.5).abs() < 1e-12, "{column}");
    }
    assert!(refusal("t [h],acc,gyro\n").contains("`t` is in h, but s, ms, us or ns is expected"));
    // a time that is not known is no time
    assert_eq!(samples("t,acc,gyro\n,1,2\nnan,1,2\n"), [(None, vec![1.0, 2.0]), (None, vec![1.0, 2.0])]);
}

#[test]
fn units_are_converted_or_refused() {
    let found = samples("acc [m/s2],gyro [deg/s]\n9.80665,180\n");
    assert!((found[0].1[0] - 1.0).abs() < 1e-15 && (found[0].1[1] - std::f64::consts::PI).abs() < 1e-15);
    let json =
        "{\"class\":\"stream\",\"rate_hz\":50,\"units\":{\"acc\":\"m/s2\"},\"id\":7}\n{\"acc\":-19.6133,\"gyro\":1}";
    assert_eq!(samples(json), [(None, vec![-2.0, 1.0])]);
    insta::assert_snapshot!(refusal("acc [furlong],gyro\n"), @"walk.csv, line 1: `acc` is in furlong, but g is expected and there is no conversion (known are g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps); write the stream in g, or correct its unit, in the stream or by --units (`source.units`)");
    insta::assert_snapshot!(refusal("{\"class\":\"stream\",\"units\":{\"gyro\":\"g\"}}\n"), @"walk.csv, line 1: `gyro` is in g, but rad/s is expected and there is no conversion (known are g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps); write the stream in rad/s, or correct its unit, in the stream or by --units (`source.units`)");
}

#[test]
fn ndjson() {
    let text = r#"
        {"class": "stream", "rate_hz": 50.0}
        {"t": 0.00, "gyro": 0.5, "acc": 1, "who": {"name": ["x"]}}
        {"class": "sample", "t_ms": 20, "acc": null, "gyro": -1e-3}
    "#;
    let found = samples(text);
    assert_eq!(found[0], (Some(0.0), vec![1.0, 0.5]));
    assert_eq!(found[1].0, Some(0.02));
    assert!(found[1].1[0].is_nan() && found[1].1[1] == -1e-3);
}

#[test]
fn the_unit_of_the_time_may_be_declared() {
    let stream = |units: &str, time: &str| {
        format!("{{\"class\":\"stream\",\"units\":{{{units}}}}}\n{{\"{time}\":1500,\"acc\":1,\"gyro\":2}}\n")
    };
    let time = |units: &str, time: &str| samples(stream(units, time))[0].0;
    assert_eq!(time(r#""t":"ms""#, "t"), Some(1.5));
    // what is declared goes before what the name says, and holds for no other name
    assert_eq!(time(r#""t_ms":"s""#, "t_ms"), Some(1500.0));
    assert_eq!(time(r#""time":"ms""#, "t"), Some(1500.0));
    insta::assert_snapshot!(refusal(stream(r#""t":"h""#, "t")), @"walk.csv, line 1: `t` is in h, but s, ms, us or ns is expected and there is no conversion; write the stream in s, ms, us or ns, or correct its unit, in the stream or by --units (`source.units`)");
}

#[test]
fn values_that_are_not_there_are_not_finite() {
    let found = samples("acc,gyro\n,NaN\ninf,-Infinity\n1e999,0\n");
    assert!(found[0].1.iter().all(|value| value.is_nan()));
    assert_eq!(found[1].1, [f64::INFINITY, f64::NEG_INFINITY]);
    assert_eq!(found[2].1[0], f64::INFINITY);
}

#[test]
fn missing_and_doubled_channels_are_refused() {
    insta::assert_snapshot!(refusal("# made by hand\nt,acc,gyr0,temp\n0,1,2,3\n"), @"walk.csv, line 2: missing gyro; found t, acc, gyr0, temp; near: gyr0 for gyro; name the missing channel in the stream, or by --columns (`source.columns`), or use a model that does without");
    insta::assert_snapshot!(refusal("{\"t\":0,\"x\":1}\n"), @"walk.csv, line 1: missing acc, gyro; found t, x; of which sensor x is neither the unit nor the file's name says; name the missing channels in the stream, or by --columns (`source.columns`), or use a model that does without");
    insta::assert_snapshot!(refusal("acc,gyro,acc\n"), @"walk.csv, line 1: `acc` is there twice, or two columns of that kind are; leave one of them out");
    insta::assert_snapshot!(refusal("t,time,acc,gyro\n"), @"walk.csv, line 1: `time` is there twice, or two columns of that kind are; leave one of them out");
    // a header that knows none of the channels is still a header
    assert!(
        refusal("Time,Accel X (g),Gyro-X\n").contains("line 1: missing acc, gyro; found Time, Accel X (g), Gyro-X")
    );
}

#[test]
fn bad_lines_are_malformed_and_the_stream_goes_on() {
    let mut text = b"acc,gyro\n1,2\n1,two\n1\n1,2,3\n\xff\xfe\x00\n".to_vec();
    text.extend(std::iter::repeat_n(b'7', 1_000_000));
    text.extend(b"\nacc,gyro\n3,4\n1");
    let (good, bad) = problems(text);
    assert_eq!(good, 2);
    insta::assert_snapshot!(bad.join("\n"), @r"
    walk.csv, line 3: field 2 is not a number: two
    walk.csv, line 4: 1 fields, but the header has 2
    walk.csv, line 5: 3 fields, but the header has 2
    walk.csv, line 6: not text (invalid UTF-8)
    walk.csv, line 7: longer than 65536 bytes
    walk.csv, line 10: 1 fields, but the header has 2
    ");
    let (good, bad) = problems(
        "{\"acc\":1,\"gyro\":2}\n{\"acc\":1}\n{\"acc\":\"one\",\"gyro\":2}\n[1,2]\n{\"acc\":1,\"gyro\":2\n{\"acc\":1,\"gyro\":2} x\n\
         {\"class\":\"note\"}\n{\"acc\":NaN,\"gyro\":1}\n{\"acc\":1,\"gyro\":2,\"label\":1.5}\n{\"acc\":3,\"gyro\":4}\n",
    );
    assert_eq!(good, 2);
    insta::assert_snapshot!(bad.join("\n"), @r#"
    walk.csv, line 2: no `gyro`
    walk.csv, line 3: `acc` is not a number: "one"
    walk.csv, line 4: invalid type: sequence, expected an object with one number per channel at column 0
    walk.csv, line 5: EOF while parsing an object at column 17
    walk.csv, line 6: trailing characters at column 20
    walk.csv, line 7: its "class" is neither "sample" nor "stream"
    walk.csv, line 8: expected value at column 8
    walk.csv, line 9: `label` is neither text nor a whole number: 1.5
    "#);
    // a message is not as long as what it is about
    let (_, bad) = problems(format!("{{\"acc\":1,\"gyro\":2}}\n{{\"acc\":\"{}\",\"gyro\":2}}\n", "x".repeat(60_000)));
    assert!(bad[0].starts_with("walk.csv, line 2: `acc` is not a number: \"xxx") && bad[0].len() < 300, "{}", bad[0]);
}

#[test]
fn what_comes_before_the_header_does_not_matter() {
    // standard input may be tapped in the middle of a line
    let (good, bad) = problems("0.5,\"gyro\":1}\n{\"acc\":1,\"gyro\":2}\n");
    assert_eq!((good, bad.len()), (1, 0));
    let (good, bad) = problems(b"\x00\x80garbage\nacc,gyro\n1,2\n");
    assert_eq!((good, bad.len()), (1, 0));
}

#[test]
fn what_is_no_stream_is_refused() {
    insta::assert_snapshot!(refusal(""), @"walk.csv is empty; expected a CSV header, or one JSON object per line, with the channels acc, gyro");
    insta::assert_snapshot!(refusal("0.1,0.2\n0.3,0.4\n"), @"walk.csv does not look like CSV or NDJSON samples: none of its first 2 lines could be used (line 1: 2 fields with numbers, but no header; state the names of the columns (--columns, `source.columns`): `0.1,0.2`); expected a CSV header, or one JSON object per line, with the channels acc, gyro");
    let junk: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let refused = refusal(junk);
    assert!(refused.contains("walk.csv does not look like CSV or NDJSON samples"), "{refused}");
    let text = "acc,gyro\n".to_owned() + &"x,y\n".repeat(150) + "1,2\n";
    let refused = refusal(text);
    assert!(refused.contains("none of its first 101 lines") && refused.contains("line 2: field 1"), "{refused}");
    // once a stream has shown that it is one, bad lines do not end it
    assert_eq!(problems("acc,gyro\n1,2\n".to_owned() + &"x,y\n".repeat(150)).0, 1);
    // a header alone is a stream without samples
    assert_eq!(samples("acc,gyro\n"), []);
}

#[test]
fn another_rate_is_refused() {
    insta::assert_snapshot!(refusal("# rate_hz=20\nacc,gyro\n1,2\n"), @"walk.csv, line 1: the stream has 20.00 samples per second by its declaration, but the model expects 50.00, to which 0.8 to 20 times as many can be brought; sample at such a rate, or use a model for this one");
    insta::assert_snapshot!(refusal("# rate_hz: fast\nacc,gyro\n"), @"walk.csv, line 1: rate_hz must be a number of hertz, not fast");
    insta::assert_snapshot!(refusal("{\"class\":\"stream\",\"rate_hz\":\"50\"}\n"), @r#"walk.csv, line 1: invalid type: string "50", expected f64 at column 32"#);
    let timed = |rate: f64| {
        let lines = (0..500).map(|i| format!("{},1,2\n", 1.7e9 + f64::from(i) / rate));
        "t,acc,gyro\n".to_owned() + &lines.collect::<String>()
    };
    insta::assert_snapshot!(refusal(timed(20.0)), @"walk.csv, line 42: the stream has 20.00 samples per second by its timestamps, but the model expects 50.00, to which 0.8 to 20 times as many can be brought; sample at such a rate, or use a model for this one");
    assert_eq!(samples("# rate_hz = 50.5\n".to_owned() + &timed(49.0)).len(), 500);
}

#[test]
fn a_declared_rate_gives_rows_without_a_time_their_times() {
    let times = |text: &str| {
        let good = read_all(text).unwrap().into_iter().flatten();
        good.map(|sample| sample.time_s).collect::<Vec<_>>()
    };
    assert_eq!(times("# rate_hz=100\nacc,gyro\n1,2\n1,2\nx,2\n1,2\n"), [Some(0.0), Some(0.01), Some(0.03)]);
    let header = "{\"class\":\"stream\",\"rate_hz\":200}\n";
    assert_eq!(times(&format!("{header}{0}{0}", "{\"acc\":1,\"gyro\":2}\n")), [Some(0.0), Some(0.005)]);
    assert_eq!(times("# rate_hz=50\nacc,gyro\n1,2\n"), [None]);
    assert_eq!(times("# rate_hz=100\nt,acc,gyro\n7,1,2\n"), [Some(7.0)]);
}

#[test]
fn a_format_that_is_given_is_not_guessed() {
    let clock = Arc::new(MonotonicClock::start());
    let text = &b"{\"acc\":1,\"gyro\":2}\n"[..];
    let mut source = TextSource::new(text, "pipe".into(), &format(), Some(TextFormat::Csv), Pace::Live, clock);
    let mut sample = Sample { time_s: None, values: vec![] };
    assert!(matches!(source.read(&mut sample, NO_DEADLINE), Err(SenseError::NotSamples { .. })));
}

#[test]
fn a_line_that_is_no_header_is_shown_with_what_may_keep_it_from_being_one() {
    for (text, expected) in [
        ("0.1 0.2\n", "`0.1 0.2`"),
        ("acc gyro time\n0.1 0.2 0.3\n", "`acc gyro time` (fields apart by blanks?"),
        ("0.1 | 0.2 | 0.3\n", "`0.1 | 0.2 | 0.3` (fields apart by bars?"),
        ("ax:0.1,ay:0.2\n", "`ax:0.1,ay:0.2` (names beside the values?"),
        ("0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,1.1\n", "`0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,...`"),
        ("PK\x03\x04 and more\n", "walk.csv: is a zip archive: unpack it, and name the files in it"),
    ] {
        let refused = refusal(text);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn files_are_named_in_errors() {
    let clock = Arc::new(MonotonicClock::start());
    let open = |path: &Path| TextSource::open(path, &format(), None, Pace::Fast, clock.clone());
    let error = open(Path::new("no/such.csv")).err().unwrap().to_string();
    assert!(error.starts_with("cannot open no/such.csv: "), "{error}");
    // a folder can be opened, but not read
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path())
        .and_then(|mut source| source.read(&mut Sample { time_s: None, values: vec![] }, NO_DEADLINE));
    assert!(error.unwrap_err().to_string().contains(&folder.path().display().to_string()));
}

#[test]
fn labelled_recordings() {
    let text = "label,t,acc,gyro\nwalking,0.00,1,0\nwalking,0.02,2,0\n5,0.06,4,0\n,9.0,5,0\nwalking,9.02,x,0\n";
    let read = |text: &str| Recording::read(&mut source(text.as_bytes()), &format(), 0.1).unwrap();
    let recording = read(text);
    assert_eq!(recording.len(), 5);
    assert_eq!(recording.label_names, ["walking", "5", ""]);
    let labels: Vec<_> = (0..5).map(|number| recording.label(number)).collect();
    assert_eq!(labels, [Some("walking"), Some("walking"), Some("5"), Some("5"), None]);
    assert_eq!((recording.sample(2)[0], recording.sample(4)[0]), (3.0, 5.0));
    assert_eq!(recording.resets, [4]);
    let counts = StreamCounts { samples: 4, bridged: 1, malformed: 1, gaps: 1, resets: 1, ..Default::default() };
    assert_eq!(recording.counts, counts);
    let json =
        "{\"acc\":1,\"gyro\":2,\"label\":3}\n{\"acc\":1,\"gyro\":2,\"label\":\"lying\"}\n{\"acc\":1,\"gyro\":2}\n";
    let recording = read(json);
    assert_eq!((0..3).map(|i| recording.label(i)).collect::<Vec<_>>(), [Some("3"), Some("lying"), None]);
    assert!(read("acc,gyro\n1,2\n").labels.is_none());
    // of a key that is there twice the last value counts
    let twice = "{\"acc\":1,\"acc\":3,\"gyro\":2,\"label\":\"walking\",\"label\":\"lying\"}\n";
    let recording = read(twice);
    assert_eq!((recording.label(0), recording.sample(0)[0]), (Some("lying"), 3.0));
}

/// Everything that `source` yields, and the clock time at which it does, when each call waits for one of `patience` in
/// turn.
fn yielded(source: &mut dyn Source, clock: &ManualClock, patience: &[u64]) -> Vec<(Duration, Reading, Sample)> {
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut all = Vec::new();
    for patience in patience.iter().cycle() {
        let deadline = if *patience == u64::MAX { NO_DEADLINE } else { clock.now() + Duration::from_millis(*patience) };
        match source.read(&mut sample, deadline) {
            Ok(Reading::Pending) => assert!(clock.now() >= deadline, "an early end of the wait"),
            Ok(Reading::End) => break,
            Ok(reading) => {
                if reading != Reading::Sample {
                    // it leaves no meaning in the sample
                    sample = Sample { time_s: None, values: vec![] };
                }
                all.push((clock.now(), reading, sample.clone()));
            }
            Err(error) => {
                all.push((clock.now(), Reading::Malformed(error.to_string()), Sample { time_s: None, values: vec![] }));
                break;
            }
        }
    }
    all
}

proptest! {
    /// However often a source is left and asked again, it yields the same, at the same times.
    #[test]
    fn deadlines_change_nothing_of_what_is_read(
        lines in prop::collection::vec(
            prop_oneof![
                6 => (0..200_u32).prop_map(|step| format!("{},1.5,-2\n", f64::from(step) / 50.0)),
                1 => Just("# a comment\n".to_owned()),
                1 => Just("1,2\n".to_owned()),
                1 => Just(",,\n".to_owned()),
                1 => (0..200_u32).prop_map(|step| format!("{},1.5,\n", f64::from(step) / 50.0)),
                1 => (0..200_u32).prop_map(|step| format!("{},,-2\n", f64::from(step) / 50.0)),
                1 => Just("gyro,acc,t_ms\n".to_owned()),
                1 => Just("\n".to_owned()),
            ],
            0..40,
        ),
        // each call makes some progress only if time goes on
        patience in prop::collection::vec(prop_oneof![1..3000_u64, Just(u64::MAX)], 1..12),
        hurried in any::<bool>(),
        capacity in 1_usize..64,
    ) {
        let text = "t,acc,gyro\n".to_owned() + &lines.concat();
        let read = |patience: &[u64]| {
            let clock = Arc::new(ManualClock::default());
            let reader = BufReader::with_capacity(capacity, text.as_bytes());
            let mut source = TextSource::new(reader, "a.csv".into(), &format(), None, Pace::Realtime, clock.clone());
            yielded(&mut source, &clock, patience)
        };
        let mut patience = patience;
        if hurried {
            patience.push(0);
        }
        // in words, for a value that is not a number is not equal to itself
        prop_assert_eq!(format!("{:?}", read(&patience)), format!("{:?}", read(&[u64::MAX])));
    }

    #[test]
    fn deadlines_change_nothing_of_what_a_simulated_wearer_does(
        seed in any::<u64>(),
        patience in prop::collection::vec(prop_oneof![0..30_u64, Just(u64::MAX)], 1..12),
    ) {
        let format = StreamFormat { channels: vec![Channel { name: "acc_x".into(), unit: "g".into() }], rate_hz: 50.0 };
        let read = |patience: &[u64]| {
            let clock = Arc::new(ManualClock::default());
            let config = WearerConfig { seed, seconds: Some(2.0), ..WearerConfig::default() };
            let mut source = WearerSource::new(&config, &format, clock.clone()).unwrap();
            yielded(&mut source, &clock, patience)
        };
        let mut patience = patience;
        patience.push(1);
        // in words, for a value that is not a number is not equal to itself
        prop_assert_eq!(format!("{:?}", read(&patience)), format!("{:?}", read(&[u64::MAX])));
    }

    /// No bytes make the reader panic or hold on to much memory.
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), json in any::<bool>()) {
        let start: &[u8] = if json { b"{\"acc\":1,\"gyro\":2}\n" } else { b"t,acc,gyro,label\n0,1,2,x\n" };
        let _ = read_all(bytes.as_slice());
        let _ = read_all([start, &bytes].concat());
    }
}
