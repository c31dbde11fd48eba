//! Samples as loggers and telephones spell them: every spelling gives the same samples.

use std::io::{BufReader, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use gaitd_core::clock::ManualClock;
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat};
use gaitd_sense::{HeaderMemory, NO_DEADLINE, Pace, SenseError, Source, Spelling, TextSource};
use proptest::prelude::*;

const GRAVITY: f64 = 9.80665;

fn channels(names: &[&str]) -> Vec<Channel> {
    let unit = |name: &str| if name.starts_with("gyro") { "rad/s" } else { "g" };
    names.iter().map(|name| Channel { name: (*name).into(), unit: unit(name).into() }).collect()
}

fn six_axes() -> StreamFormat {
    let channels = channels(&["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]);
    StreamFormat { channels, rate_hz: 50.0 }
}

fn three_axes() -> StreamFormat {
    StreamFormat { channels: channels(&["acc_x", "acc_y", "acc_z"]), rate_hz: 50.0 }
}

/// What a text gave.
#[derive(Debug, Default)]
struct Found {
    times: Vec<Option<f64>>,
    values: Vec<Vec<f64>>,
    problems: Vec<String>,
}

/// Reads all of `text` in buffers of 7 bytes.
fn read_as(
    text: &[u8],
    origin: &str,
    expected: &StreamFormat,
    change: impl FnOnce(TextSource<BufReader<&[u8]>>) -> TextSource<BufReader<&[u8]>>,
) -> Result<Found, SenseError> {
    let clock = Arc::new(ManualClock::default());
    let reader = BufReader::with_capacity(7, text);
    let mut source = change(TextSource::new(reader, origin.into(), expected, None, Pace::Fast, clock));
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut found = Found::default();
    loop {
        match source.read(&mut sample, NO_DEADLINE)? {
            Reading::Sample => {
                found.times.push(sample.time_s);
                found.values.push(sample.values.clone());
            }
            Reading::Malformed(problem) => found.problems.push(problem),
            Reading::Interrupted | Reading::Pending => unreachable!("a text in memory"),
            Reading::End => return Ok(found),
        }
    }
}

fn read(text: impl AsRef<[u8]>) -> Result<Found, SenseError> {
    read_as(text.as_ref(), "walk.csv", &six_axes(), |source| source)
}

fn spelled(text: impl AsRef<[u8]>, columns: &str, units: &str) -> Result<Found, SenseError> {
    let columns = Spelling::columns_from(columns);
    let spelling = Spelling { columns, units: Spelling::units_from(units).unwrap(), rate_hz: None };
    read_as(text.as_ref(), "walk.csv", &six_axes(), |source| source.spelled(spelling))
}

fn refusal(found: Result<Found, SenseError>) -> String {
    found.unwrap_err().to_string()
}

/// Sample `i` of the walk that every text here tells of: in g and rad/s.
fn walk(i: usize) -> [f64; 6] {
    let k = i as f64;
    [0.98, -0.1 + 0.01 * k, 0.12, 0.01 * k, 0.0, -0.02]
}

const SAMPLES: usize = 5;

/// The lines of the walk as `line` writes a sample.
fn lines(line: impl Fn(usize, [f64; 6]) -> String) -> String {
    (0..SAMPLES).map(|i| line(i, walk(i))).collect()
}

/// The walk with a time in seconds, fields apart by `separator`.
fn plain(separator: &str) -> String {
    lines(|i, values| {
        let values: String = values.iter().map(|value| format!("{separator}{value:.4}")).collect();
        format!("{:.2}{values}\n", i as f64 * 0.02)
    })
}

const HEADER: &str = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n";

/// Checks that `found` is the walk, from `start`.
fn assert_walk(what: &str, found: Result<Found, SenseError>, start: f64) {
    let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.problems, [""; 0], "{what}");
    assert_eq!(found.values.len(), SAMPLES, "{what}");
    for (i, (time, values)) in found.times.iter().zip(&found.values).enumerate() {
        let time = time.unwrap_or_else(|| panic!("{what}: no time"));
        assert!((time - start - i as f64 * 0.02).abs() < 1e-6, "{what}: sample {i} at {time}");
        for (value, expected) in values.iter().zip(walk(i)) {
            assert!((value - expected).abs() < 1e-6, "{what}: sample {i} is {values:?}");
        }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn encodings_and_ends_of_lines() {
    let text = HEADER.to_owned() + &plain(",");
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(order).collect()
    };
    for (what, bytes) in [
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("UTF-16 of a Windows program", utf16(u16::to_le_bytes)),
        ("UTF-16, the other way round", utf16(u16::to_be_bytes)),
        ("gzip", gzip(&text)),
        ("gzip of a text with a byte order mark", gzip(&format!("\u{feff}{text}"))),
        ("gzip in pieces", [gzip(&text[..100]), gzip(&text[100..])].concat()),
        ("CR", text.replace('\n', "\r").into_bytes()),
        ("CR LF", text.replace('\n', "\r\n").into_bytes()),
        ("CR CR LF", text.replace('\n', "\r\r\n").into_bytes()),
        ("no end", text.trim_end().as_bytes().to_vec()),
    ] {
        assert_walk(what, read(bytes), 0.0);
    }
    let broken = read(&gzip(&text)[..60]);
    assert!(broken.is_ok() || refusal(broken).contains("does not look like"), "a gzip that ends early is no error");
    let damaged: Vec<u8> = gzip(&text).iter().enumerate().map(|(i, byte)| if i > 20 { !byte } else { *byte }).collect();
    assert!(refusal(read(damaged)).starts_with("cannot read on after walk.csv"));
}

#[test]
fn separators_quotes_and_decimal_commas() {
    let semicolons = (HEADER.to_owned() + &plain(",")).replace(',', ";");
    let quoted =
        |text: &str| text.lines().map(|line| format!("\"{}\"\n", line.replace(';', "\",\""))).collect::<String>();
    for (what, text) in [
        ("semicolons", semicolons.clone()),
        ("semicolons and decimal commas", semicolons.replace('.', ",")),
        ("tabs", semicolons.replace(';', "\t")),
        ("tabs and decimal commas", semicolons.replace(';', "\t").replace('.', ",")),
        ("blanks around", semicolons.replace(';', " , ")),
        ("quotes", quoted(&semicolons)),
        ("quotes and decimal commas", quoted(&semicolons.replace('.', ","))),
        ("a comma at the end", (HEADER.to_owned() + &plain(",")).replace('\n', ",\n")),
        ("a comma at the end of samples", HEADER.to_owned() + &plain(",").replace('\n', ",\n")),
        ("three semicolons at the end", semicolons.replace('\n', ";;;\n")),
        ("a tab at the end", semicolons.replace(';', "\t").replace('\n', "\t\n")),
        ("a name less at the end", HEADER.replace('\n', ",,\n") + &plain(",")),
        ("an exponent", HEADER.to_owned() + &plain(",").replace(',', "E0,")),
    ] {
        assert_walk(what, read(text), 0.0);
    }
    // what stands beyond the header says something
    let found = read(HEADER.to_owned() + "0,1,2,3,4,5,6,7\n0.02,1,2,3,4,5,6,\n").unwrap();
    assert_eq!(
        (found.problems, found.values.len()),
        (vec!["walk.csv, line 2: 8 fields, but the header has 7".into()], 1)
    );
    let found = refusal(read(HEADER.to_owned() + "0,00,0,98,-0,10,0,12,0,01,0,00,-0,02\n"));
    assert!(found.contains("14 fields, but the header has 7 (decimal commas between commas?"), "{found}");
}

#[test]
fn comments_and_preambles() {
    let rows = plain(",");
    for (what, text) in [
        ("words", format!("Recorded by my logger\nDevice,Pixel 7\nSubject: 12\n\n{HEADER}{rows}")),
        ("a spreadsheet's", format!("sep=,\n{HEADER}{rows}")),
        ("comments", format!("# a comment\n% of Matlab\n// of C\n{HEADER}# rate_hz=50\n{rows}# end")),
        ("a header behind a hash", format!("# by numpy.savetxt\n# {HEADER}{rows}")),
        ("names that are near", format!("accelerometer,gyroscope\n{HEADER}{rows}")),
    ] {
        assert_walk(what, read(text), 0.0);
    }
    // of several lines of words, the one over the numbers was the header
    let found = refusal(read("Device,Pixel 7\ntime,acc_x,acc_y,acc_z\n0,1,2,3\n"));
    assert!(found.starts_with("walk.csv, line 2: missing gyro_x, gyro_y, gyro_z; found time, acc_x"), "{found}");
}

#[test]
fn headers_that_come_again() {
    let rows: Vec<String> = plain(",").lines().map(|line| line.to_owned() + "\n").collect();
    let again = |header: &str, later: &str| format!("{HEADER}{}{header}{later}", rows[..2].concat());
    assert_walk("the same", read(again(HEADER, &rows[2..].concat())), 0.0);
    assert_walk("the same, twice", read(again(&HEADER.repeat(2), &rows[2..].concat())), 0.0);
    let turned = lines(
        |i, [a, b, c, d, e, f]| {
            if i < 2 { String::new() } else { format!("{d},{e},{f},{a},{b},{c},{:.2}\n", i as f64 * 0.02) }
        },
    );
    assert_walk("another order", read(again("gyro_x,gyro_y,gyro_z,acc_x,acc_y,acc_z,t\n", &turned)), 0.0);
    let other_units = lines(|i, [a, b, c, d, e, f]| {
        let degrees = [d, e, f].map(f64::to_degrees);
        let [d, e, f] = degrees;
        if i < 2 { String::new() } else { format!("{};{d};{e};{f};{};{};{}\n", i * 20, a * 1e3, b * 1e3, c * 1e3) }
    });
    let header = "Time (ms);wx (dps);wy (dps);wz (dps);ax (mg);ay (mg);az (mg)\n";
    assert_walk("other units, names and separators", read(again(header, &other_units)), 0.0);
    let found = refusal(read(again("t,acc_x,acc_y,acc_z\n", "")));
    assert!(found.starts_with("walk.csv, line 4: missing gyro_x, gyro_y, gyro_z; found t, acc_x"), "{found}");
    // a line that went wrong is no header
    let found = read(again("acc_x,?\nlost connection\n0,acc_x,x,1,2,3,4\n", &rows[2..].concat())).unwrap();
    assert_eq!((found.values.len(), found.problems.len()), (SAMPLES, 3));
    // a header that stands once holds for the stream's next source
    let memory = HeaderMemory::default();
    let remembering = |text: &str| read_as(text.as_bytes(), "pipe", &six_axes(), |source| source.remembering(&memory));
    let header = "t_ms,ax (mg),ay (mg),az (mg),gx,gy,gz\n";
    let other = lines(|i, [a, b, c, d, e, f]| format!("{},{},{},{},{d},{e},{f}\n", i * 20, a * 1e3, b * 1e3, c * 1e3));
    let found = refusal(remembering(&other));
    assert!(found.contains("line 1: 7 fields with numbers, but no header") && found.contains("--columns"), "{found}");
    assert_walk("with it", remembering(&(header.to_owned() + &other)), 0.0);
    assert_walk("without it", remembering(&other), 0.0);
    assert_walk("with another", remembering(&(HEADER.to_owned() + &plain(","))), 0.0);
    assert_walk("without that", remembering(&plain(",")), 0.0);
}

#[test]
fn columns_that_the_caller_names() {
    let columns = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z";
    assert_walk("no header", spelled(plain(","), columns, ""), 0.0);
    assert_walk("no header, decimal commas", spelled(plain(";").replace('.', ","), columns, ""), 0.0);
    assert_walk("no header, a comma at the end", spelled(plain(",").replace('\n', ",\n"), columns, ""), 0.0);
    let more = lines(|i, [a, b, c, d, e, f]| format!("7,{d},{e},{f},x,{a},{b},{c},{}\n", i * 20));
    let columns = "-,gyro_x,gyro_y,gyro_z,,acc_x,acc_y,acc_z,time_ms";
    assert_walk("some that are not wanted", spelled(&more, columns, ""), 0.0);
    assert_walk("others than the header has", spelled(format!("id,a,b,c,note,d,e,f,when\n{more}"), columns, ""), 0.0);
    let scaled = lines(|i, [a, b, c, d, e, f]| {
        let [d, e, f] = [d, e, f].map(|rate| rate.to_degrees() * 1e3);
        format!("{},{},{},{},{d},{e},{f}\n", i * 20, a * GRAVITY, b * GRAVITY, c * GRAVITY)
    });
    let units = "t=ms,acc=m/s2,gyro=mdps";
    assert_walk("units by sensor", spelled(format!("{HEADER}{scaled}"), "", units), 0.0);
    let units = "t=ms,acc_x=m/s2,ay=m/s2,accelZ=m/s2,gyroscope=mdps";
    assert_walk("units by channel", spelled(format!("{HEADER}{scaled}"), "", units), 0.0);
    // what the caller states goes before what the stream does
    let header = HEADER.replace("acc_x", "acc_x (mg)").replace("t,", "t_us,");
    assert_walk("other units than the header's", spelled(format!("{header}{scaled}"), "", units), 0.0);
    let arrays = lines(|i, [a, b, c, d, e, f]| format!("[{},{a},{b},{c},{d},{e},{f}]\n", i * 20));
    let columns = "time_ms,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z";
    assert_walk("arrays", spelled(arrays, columns, ""), 0.0);
    let arrays = lines(|i, [a, b, c, d, e, f]| format!("{{\"ts\":{},\"values\":[{a},{b},{c},{d},{e},{f}]}}\n", i * 20));
    assert_walk("values in an array", spelled(arrays, "ax,ay,az,wx,wy,wz", "ts=ms"), 0.0);
    let found = refusal(spelled(format!("{HEADER}{}", plain(",")), "t,acc_x", ""));
    assert!(found.contains("state 2 names, but the header has 7"), "{found}");
    let found = refusal(spelled(plain(","), "", "tilt=deg"));
    assert!(found.contains("a unit is stated for `tilt`") && found.contains("those are acc_x, acc_y"), "{found}");
    let found = refusal(spelled(plain(","), "", "acc=furlong"));
    assert!(found.contains("no header"), "{found}");
    let found = refusal(spelled(HEADER, "", "acc=furlong"));
    assert!(found.contains("`acc_x` is in furlong, but g is expected") && found.contains("known are g, mg"), "{found}");
}

#[test]
fn names_and_units_in_a_header() {
    let acceleration =
        [("", 1.0), (" (g)", 1.0), (" [G]", 1.0), (" (mg)", 1e3), (" (m/s^2)", GRAVITY), (" (m/s²)", GRAVITY)];
    let rotation = [
        ("", 1.0),
        (" (rad/s)", 1.0),
        (" [deg/s]", 180.0 / std::f64::consts::PI),
        (" (°/s)", 180.0 / std::f64::consts::PI),
    ];
    let names = [
        ("acc_", "gyro_"),
        ("ACC_", "GYRO_"),
        ("a", "w"),
        ("a", "g"),
        ("Accel ", "Gyro "),
        ("acceleration", "rotationRate"),
        ("Acceleration ", "Gyroscope "),
        ("ACCELEROMETER ", "GYROSCOPE "),
        ("accelerometerAcceleration", "gyroRotation"),
        ("gF", "w"),
    ];
    for (number, (acc, gyro)) in names.into_iter().enumerate() {
        for (place, (acc_unit, acc_scale)) in acceleration.into_iter().enumerate() {
            let (gyro_unit, gyro_scale) = rotation[(number + place) % rotation.len()];
            let upper = acc.chars().next_back().is_some_and(char::is_lowercase) && acc.len() > 1;
            let axis = |axis: &str| if upper { axis.to_uppercase() } else { axis.to_owned() };
            let header: String = ["x", "y", "z"].map(|at| format!(",\"{acc}{}{acc_unit}\"", axis(at))).concat()
                + &["x", "y", "z"].map(|at| format!(",\"{gyro}{}{gyro_unit}\"", axis(at))).concat();
            let rows = lines(|i, [a, b, c, d, e, f]| {
                let [a, b, c] = [a, b, c].map(|value| value * acc_scale);
                let [d, e, f] = [d, e, f].map(|value| value * gyro_scale);
                format!("{:.2},{a},{b},{c},{d},{e},{f}\n", i as f64 * 0.02)
            });
            assert_walk(&header, read(format!("Time (s){header}\n{rows}")), 0.0);
        }
    }
    // the channel's own name goes before another one for it
    let rows = lines(|i, [a, b, c, d, e, f]| format!("{:.2},9,{a},{b},{c},{d},{e},{f}\n", i as f64 * 0.02));
    assert_walk("own names first", read(HEADER.replace("t,", "t,ACCEL X,") + &rows), 0.0);
    let found = refusal(read("ax,accel x,ay,az,wx,wy,wz\n"));
    assert!(found.contains("`accel x` is there twice"), "{found}");
    // nothing is guessed of what is not known
    let found = refusal(read("acc_x (LSB),acc_y,acc_z,wx,wy,wz\n"));
    assert!(found.contains("`acc_x` is in LSB, but g is expected"), "{found}");
}

#[test]
fn times_as_people_write_them() {
    let since_1970 = 1_700_000_000;
    let of = |header: &str, time: &dyn Fn(usize) -> String| {
        let rows = lines(|i, [a, b, c, d, e, f]| format!("{},{a},{b},{c},{d},{e},{f}\n", time(i)));
        read(HEADER.replace("t,", &format!("{header},")) + &rows)
    };
    let start = since_1970 as f64;
    for (header, start, time) in [
        (
            "time",
            start,
            &(|i: usize| format!("{}", since_1970 * 1_000_000_000 + i as i64 * 20_000_000)) as &dyn Fn(usize) -> String,
        ),
        ("time", start, &|i| format!("{}", since_1970 * 1_000_000 + i as i64 * 20_000)),
        ("timestamp", start, &|i| format!("{}", since_1970 * 1_000 + i as i64 * 20)),
        ("timestamp", start, &|i| format!("{:.2}", start + i as f64 * 0.02)),
        ("epoch_ns", start, &|i| format!("{}", since_1970 * 1_000_000_000 + i as i64 * 20_000_000)),
        ("ts", 84_212.345, &|i| format!("{}", 84_212_345_000_000_i64 + i as i64 * 20_000_000)),
        ("t", 0.0, &|i| format!("{}", i * 20)),
        ("t", 0.0, &|i| format!("{}.0", i * 20_000)),
        ("millis", 7.0, &|i| format!("{}", 7000 + i * 20)),
        ("Time since start in ms ", 0.0, &|i| format!("{}", i * 20)),
        ("seconds_elapsed", 0.0, &|i| format!("{:.4}", i as f64 * 0.02)),
        ("time", 1_740_830_400.0, &|i| format!("2025-03-01T12:00:00.{:03}Z", i * 20)),
        ("time", 1_740_830_400.0, &|i| format!("2025-03-01 13:00:00.{:03}+01:00", i * 20)),
        ("datetime", 1_740_830_400.0, &|i| format!("\"2025-03-01 12:00:00,{:03}\"", i * 20)),
        ("loggingTime(txt)", 1_740_830_400.0, &|i| format!("2025-03-01 12:00:00.{:03} +0000", i * 20)),
        ("YYYY-MO-DD HH-MI-SS_SSS", 1_740_830_400.0, &|i| format!("2025-03-01 12:00:00:{:03}", i * 20)),
        ("Date,Time", 1_740_830_400.0, &|i| format!("2025/03/01,12:00:00.{:03}", i * 20)),
        ("Timestamp,Milliseconds", 1_740_830_400.0, &|i| format!("2025-03-01 12:00:00,{}", i * 20)),
        ("time", 43_200.0, &|i| format!("12:00:00.{:03}", i * 20)),
        // of two times the one since the start
        ("time,seconds_elapsed", 0.5, &|i| format!("{},{}", since_1970 * 1_000_000_000, 0.5 + i as f64 * 0.02)),
        ("date,timestamp", 0.0, &|i| format!("2025-03-01,{}", i * 20)),
    ] {
        assert_walk(&format!("{header}: {}", time(1)), of(header, time), start);
    }
    let found = of("time", &|_| "soon".into());
    assert!(refusal(found).contains("line 2: field 1 is not a time: soon"));
    // in NDJSON alike
    for (start, time) in [
        (
            1_740_830_400.0,
            &(|i: usize| format!("\"2025-03-01 13:00:00.{:03}+01:00\"", i * 20)) as &dyn Fn(usize) -> String,
        ),
        (start, &|i| format!("{}", since_1970 * 1_000_000_000 + i as i64 * 20_000_000)),
        (start, &|i| format!("\"{}\"", since_1970 * 1_000 + i as i64 * 20)),
        (0.0, &|i| format!("{}", i * 20_000)),
    ] {
        let text = lines(|i, [a, b, c, d, e, f]| {
            let time = time(i);
            format!("{{\"timestamp\":{time},\"acc\":{{\"x\":{a},\"y\":{b},\"z\":{c}}},\"gyro\":[{d},{e},{f}]}}\n")
        });
        assert_walk(&time(1), read(text), start);
    }
}

#[test]
fn nested_objects_and_arrays() {
    for (what, text) in [
        (
            "objects",
            lines(|i, [a, b, c, d, e, f]| {
                format!(
                    "{{\"t\":{},\"acc\":{{\"x\":{a},\"y\":{b},\"z\":{c}}},\"gyro\":{{\"z\":{f},\"y\":{e},\"x\":{d}}}}}\n",
                    i as f64 * 0.02
                )
            }),
        ),
        (
            "long names",
            lines(|i, [a, b, c, d, e, f]| {
                format!(
                    "{{\"accelerometer\":{{\"x\":{a},\"y\":{b},\"z\":{c}}},\"gyroscope\":{{\"x\":{d},\"y\":{e},\"z\":{f}}},\"time_ms\":{}}}\n",
                    i * 20
                )
            }),
        ),
        (
            "arrays",
            lines(|i, [a, b, c, d, e, f]| {
                format!("{{\"acc\":[{a},{b},{c}],\"gyro\":[{d},{e},{f}],\"seconds\":{},\"id\":{i}}}\n", i as f64 * 0.02)
            }),
        ),
        (
            "within data",
            lines(|i, [a, b, c, d, e, f]| {
                format!(
                    "{{\"time_ms\":{},\"data\":{{\"accX\":{a},\"accY\":{b},\"accZ\":{c},\"gyroX\":{d},\"gyroY\":{e},\"gyroZ\":{f}}}}}\n",
                    i * 20
                )
            }),
        ),
        (
            "numbers as text",
            lines(|i, [a, b, c, d, e, f]| {
                format!(
                    "{{\"t_ms\":\"{}\",\"ax\":\"{a}\",\"ay\":\"{b}\",\"az\":\"{c}\",\"wx\":{d},\"wy\":{e},\"wz\":{f}}}\n",
                    i * 20
                )
            }),
        ),
        (
            "units by sensor",
            "{\"class\":\"stream\",\"units\":{\"acc\":\"mg\",\"gyro\":\"rad/s\"}}\n".to_owned()
                + &lines(|i, [a, b, c, d, e, f]| {
                    let [a, b, c] = [a, b, c].map(|value| value * 1e3);
                    format!("{{\"t_ms\":{},\"acc\":[{a},{b},{c}],\"gyro\":[{d},{e},{f}]}}\n", i * 20)
                }),
        ),
    ] {
        assert_walk(what, read(text), 0.0);
    }
    let found = refusal(read("{\"time\":1,\"values\":[1,2,3]}\n"));
    assert!(found.contains("of which sensor values#0, values#1, values#2 is neither the unit nor"), "{found}");
    let found = refusal(read("{\"t\":0,\"acc\":{\"x\":1,\"y\":2}}\n"));
    assert!(found.contains("missing acc_z, gyro_x, gyro_y, gyro_z; found t, acc.x, acc.y"), "{found}");
}

/// A row whose time waits for its unit is still before the line that comes after it.
#[test]
fn a_bad_line_has_its_turn() {
    let clock = Arc::new(ManualClock::default());
    let text = format!("{HEADER}7,1,2,3,4,5,6\nlost\n27,1,2,3,4,5,6\n47,1,2,3,4,5,6\n");
    let mut source = TextSource::new(text.as_bytes(), "walk.csv".into(), &six_axes(), None, Pace::Fast, clock);
    let mut sample = Sample { time_s: None, values: vec![] };
    let mut read = || (source.read(&mut sample, NO_DEADLINE).unwrap(), sample.time_s);
    assert_eq!(read(), (Reading::Sample, Some(0.007)));
    assert!(matches!(read().0, Reading::Malformed(problem) if problem.contains("line 3: 1 fields")));
    assert_eq!(read(), (Reading::Sample, Some(0.027)));
    assert_eq!(read(), (Reading::Sample, Some(0.047)));
    assert_eq!(read().0, Reading::End);
}

/// Checks rows of one sensor each: the gyroscope is 6 ms after the accelerometer. What is before its first reading is left
/// out.
fn assert_put_together(what: &str, found: Result<Found, SenseError>) {
    let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.problems, [""; 0], "{what}");
    assert_eq!(found.times.len(), SAMPLES - 1, "{what}");
    for (i, (time, values)) in (1..).zip(found.times.iter().zip(&found.values)) {
        assert!((time.unwrap() - i as f64 * 0.02).abs() < 1e-9, "{what}: {time:?}");
        assert!(
            values[..3].iter().zip(&walk(i)[..3]).all(|(value, expected)| (value - expected).abs() < 1e-9),
            "{what}"
        );
        // on the way from one reading to the next: the one before was 14 ms ago
        let expected = walk(i - 1)[3] + 0.7 * (walk(i)[3] - walk(i - 1)[3]);
        assert!((values[3] - expected).abs() < 1e-9, "{what}: {values:?}, not {expected}");
        assert_eq!(values[4..], [0.0, -0.02], "{what}");
    }
}

#[test]
fn rows_of_one_sensor_each() {
    let times = |i: usize| (i as f64 * 0.02, i as f64 * 0.02 + 0.006);
    for (what, text) in [
        (
            "empty columns",
            HEADER.to_owned()
                + &lines(|i, [a, b, c, d, e, f]| {
                    let (acc, gyro) = times(i);
                    format!("{acc:.3},{a},{b},{c},,,\n{gyro:.3},,,,{d},{e},{f}\n")
                }),
        ),
        (
            "a sensor's name",
            "sensor,time,x,y,z\n".to_owned()
                + &lines(|i, [a, b, c, d, e, f]| {
                    let (acc, gyro) = times(i);
                    format!("acc,{acc:.3},{a},{b},{c}\nmag,{acc:.3},7,8,9\ngyro,{gyro:.3},{d},{e},{f}\n")
                }),
        ),
        (
            "a sensor's long name",
            "Timestamp (ms);Sensor;X;Y;Z\n".to_owned()
                + &lines(|i, [a, b, c, d, e, f]| {
                    format!("{};ACCELEROMETER;{a};{b};{c}\n{};GYROSCOPE;{d};{e};{f}\n", i * 20, i * 20 + 6)
                        .replace('.', ",")
                }),
        ),
        (
            "objects",
            lines(|i, [a, b, c, d, e, f]| {
                let (acc, gyro) = times(i);
                format!("{{\"t\":{acc:.3},\"acc\":[{a},{b},{c}]}}\n{{\"t\":{gyro:.3},\"gyro\":[{d},{e},{f}]}}\n")
            }),
        ),
        (
            "objects with a sensor's name",
            lines(|i, [a, b, c, d, e, f]| {
                let (acc, gyro) = (i * 20_000_000, i * 20_000_000 + 6_000_000);
                format!(
                    "{{\"name\":\"accelerometer\",\"time\":{acc},\"values\":{{\"x\":{a},\"y\":{b},\"z\":{c}}}}}\n\
                 {{\"name\":\"light\",\"time\":{acc},\"values\":{{\"lux\":1}}}}\n\
                 {{\"name\":\"gyroscope\",\"time\":{gyro},\"values\":{{\"x\":{d},\"y\":{e},\"z\":{f}}}}}\n"
                )
            }),
        ),
        (
            "objects with arrays",
            lines(|i, [a, b, c, d, e, f]| {
                let (acc, gyro) = times(i);
                format!(
                    "{{\"sensor\":\"acc\",\"t\":{acc:.3},\"values\":[{a},{b},{c}]}}\n{{\"sensor\":\"gyro\",\"t\":{gyro:.3},\"values\":[{d},{e},{f}]}}\n"
                )
            }),
        ),
    ] {
        assert_put_together(what, read(text));
    }
    let scaled = "sensor,t,x,y,z\n".to_owned()
        + &lines(|i, [a, b, c, d, e, f]| {
            let (acc, gyro) = times(i);
            let [d, e, f] = [d, e, f].map(f64::to_degrees);
            format!("acc,{acc:.3},{},{},{}\ngyro,{gyro:.3},{d},{e},{f}\n", a * 1e3, b * 1e3, c * 1e3)
        });
    let found = spelled(scaled, "", "acc=mg,gyro=dps").unwrap();
    assert!((found.values[0][0] - 0.98).abs() < 1e-9 && (found.values[0][5] + 0.02).abs() < 1e-9, "{found:?}");
    // a sensor that never comes is named
    let rows = |count: usize| (0..count).map(|i| format!("acc,{},1,2,3\n", i as f64 * 0.02)).collect::<String>();
    for count in [10, 200] {
        let found = refusal(read(format!("sensor,t,x,y,z\n{}", rows(count))));
        assert!(found.contains("missing gyro_x, gyro_y, gyro_z; found acc_x, acc_y, acc_z, the sensor acc"), "{found}");
    }
    // one reading that a sensor did not answer is a hole, not a stream of another kind
    let found = read(HEADER.to_owned() + "0,1,2,3,4,5,6\n0.02,1,2,3,,,\n0.04,1,2,3,4,5,6\n").unwrap();
    assert!(found.values.len() == 3 && found.values[1][3].is_nan() && found.problems.is_empty(), "{found:?}");
    // and a first row of both does not hide that the others are of one each
    let text = HEADER.to_owned()
        + "0,1,1,1,4,4,4\n0.02,1,1,1,,,\n0.03,,,,4,4,4\n0.04,1,1,1,,,\n0.05,,,,4,4,4\n0.06,1,1,1,,,\n0.07,,,,4,4,4\n";
    let found = read(text).unwrap();
    assert_eq!(found.values.iter().filter(|values| values[3] == 4.0).count(), 3, "{found:?}");
}

#[test]
fn telephones() {
    let first = |found: Result<Found, SenseError>| {
        let found = found.unwrap();
        (found.times[0].unwrap(), found.values[0].iter().map(|value| (value * 1e3).round() / 1e3).collect::<Vec<_>>())
    };
    let acc = |origin: &str, text: &str| read_as(text.as_bytes(), origin, &three_axes(), |source| source);
    let both = |text: &str| read(text);
    // Sensor Logger
    let header = "time,seconds_elapsed,z,y,x\n";
    let row = "1700000000000000000,0.0320,9.80665,1.40,-0.16\n";
    let total = acc("TotalAcceleration.csv", &(header.to_owned() + row));
    // the file's name says the sensor, and nothing the unit
    assert_eq!(first(total), (0.032, vec![-0.16, 1.4, 9.807]));
    for origin in ["Accelerometer.csv", "Gravity.csv", "Gyroscope.csv", "walk.csv"] {
        let found = refusal(acc(origin, &(header.to_owned() + row)));
        assert!(found.contains("line 1: missing acc_x, acc_y, acc_z; found time, seconds_elapsed, z, y, x"), "{found}");
        let expected = match origin {
            "Accelerometer.csv" => "z, y, x without gravity is no acceleration (gravity is missing: add the file",
            "walk.csv" => "of which sensor z, y, x is neither the unit nor the file's name says",
            _ => "--columns",
        };
        assert!(found.contains(expected), "{origin}: {found}");
    }
    let named = "time,seconds_elapsed,ACCELEROMETER Z (m/s²),ACCELEROMETER Y (m/s²),ACCELEROMETER X (m/s²)";
    let text = format!(
        "{named},GYROSCOPE Z (rad/s),GYROSCOPE Y (rad/s),GYROSCOPE X (rad/s)\n1700000000000000000,0.0739,9.80665,0,-9.80665,3,2,1\n"
    );
    assert_eq!(first(both(&text)), (0.0739, vec![-1.0, 0.0, 1.0, 1.0, 2.0, 3.0]));
    // AndroSensor
    let of = |name: &str, unit: &str| ["X", "Y", "Z"].map(|axis| format!("{name} {axis} ({unit});")).concat();
    let header = of("ACCELEROMETER", "m/s²")
        + &of("GRAVITY", "m/s²")
        + &of("LINEAR ACCELERATION", "m/s²")
        + &of("GYROSCOPE", "rad/s")
        + "Time since start in ms ;YYYY-MO-DD HH-MI-SS_SSS\n";
    let row = "9.80665;0;0;1;1;1;2;2;2;0.1;0.2;0.3;12;2024-01-02 18:36:24:895\n";
    assert_eq!(first(both(&(header + row))), (0.012, vec![1.0, 0.0, 0.0, 0.1, 0.2, 0.3]));
    // phyphox
    let text = "\"Time (s)\",\"X (m/s^2)\",\"Y (m/s^2)\",\"Z (m/s^2)\"\n5.999583336E-4,-3.757E0,9.80665E0,5.801E0\n";
    assert_eq!(first(acc("export.csv", text)), (5.999_583_336e-4, vec![-0.383, 1.0, 0.592]));
    let text = "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z (m/s^2)\",\"Absolute acceleration (m/s^2)\"\n\
                1.761E-3,-2.211E0,9.80665E0,7.922E0,1.055E1\n";
    assert_eq!(first(acc("export.csv", text)), (1.761e-3, vec![-0.225, 1.0, 0.808]));
    let text = "Time (s),Accel_X (m/s^2),Accel_Y (m/s^2),Accel_Z (m/s^2)\r\n6.017E-2,9.80665E0,9.80665E0,1.556E0\r\n";
    assert_eq!(first(acc("export.csv", text)), (6.017e-2, vec![1.0, 1.0, 0.159]));
    let found = refusal(both(text));
    assert!(found.contains("missing gyro_x, gyro_y, gyro_z; found Time (s), Accel_X (m/s^2)"), "{found}");
    let text = "\"Time (s)\",\"Linear Acceleration x (m/s^2)\",\"Linear Acceleration y (m/s^2)\",\"Linear Acceleration z (m/s^2)\"\n";
    let found = refusal(acc("export.csv", text));
    assert!(found.contains("Linear Acceleration z (m/s^2) without gravity is no acceleration"), "{found}");
    // a date, and milliseconds apart
    let text = "Timestamp,Milliseconds,X,Y,Z\n2024-07-30 13:28:54,1,-0.035,0.031,9.870\n";
    assert!(refusal(acc("log.csv", text)).contains("of which sensor X, Y, Z is neither"));
    assert_eq!(first(acc("accelerometer.csv", text)), (1_722_346_134.001, vec![-0.035, 0.031, 9.87]));
    // Physics Toolbox: aX beside gFx is without gravity
    let text = "time,gFx,gFy,gFz,ax,ay,az,wx,wy,wz\n0.02,0,1,0,5,5,5,0.1,0.2,0.3\n";
    assert_eq!(first(both(text)), (0.02, vec![0.0, 1.0, 0.0, 0.1, 0.2, 0.3]));
    // gx alone may be gravity
    let found = refusal(both("t,linear_acc_x,linear_acc_y,linear_acc_z,gx,gy,gz\n"));
    assert!(found.contains("gx, gy, gz may be gravity or the gyroscope"), "{found}");
}

proptest! {
    /// Lines of any kind in any order are survived: no message is as long as its line, no line is two samples, and no time
    /// is none.
    #[test]
    fn any_mixture_of_lines_is_survived(
        lines in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    HEADER.trim_end(),
                    "Time (ms);ax (mg);ay (mg);az (mg);wx (dps);wy (dps);wz (dps)",
                    "sensor,time,x,y,z",
                    "time,seconds_elapsed,z,y,x",
                    "Date,Time,Milliseconds,ax,ay,az,wx,wy,wz",
                    "{\"class\":\"stream\",\"units\":{\"acc\":\"mg\",\"t\":\"ms\"}}",
                    "{\"t\":1,\"acc\":{\"x\":1,\"y\":2,\"z\":3},\"gyro\":[1,2,3]}",
                    "{\"t\":2,\"gyro\":[1,null,3]}",
                    "{\"name\":\"acc\",\"time\":3,\"values\":[1,2,3]}",
                    "{\"name\":\"gyro\",\"time\":\"2025-03-01\",\"values\":{\"x\":1,\"y\":2,\"z\":3}}",
                    "acc,1700000000000000000,1,2,3",
                    "gyro,12:00:00.5,1,2,3",
                    "2025-03-01,12:00:00,7,1,2,3,4,5,6",
                    "9223372036854775807,1,2,3,,,",
                    "-1e308,,,,4,5,6",
                    "\"0,5\";1;2;3;4;5;6;;",
                    "",
                ])
                .prop_map(str::to_owned),
                (0..100_u32).prop_map(|step| format!("{},1,2,3,4,5,6", step * 20)),
                (0..100_u32).prop_map(|step| format!("{},1,2,3,,,", step * 20)),
                (0..100_u32).prop_map(|step| format!("{},,,,4,5,6", step * 20)),
                "[ -~°²]{0,30}",
            ],
            0..40,
        ),
        columns in any::<bool>(),
    ) {
        let text = lines.join("\n");
        let columns = if columns { "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z" } else { "" };
        if let Ok(found) = spelled(&text, columns, "") {
            prop_assert!(found.values.len() + found.problems.len() <= lines.len());
            prop_assert!(found.times.iter().flatten().all(|time| time.is_finite()));
            prop_assert!(found.problems.iter().all(|problem| problem.len() < 2000));
        }
    }
}
