//! What a run shows to people: the time of day of each decision, and its summary.

use std::time::{Duration, SystemTime};

use gaitd_tests::{CSV_HEADER, csv, csv_line, lines, summary};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// Central Europe's rules, whatever zones this machine knows.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// `seconds` of a stream that counts from 1970, from 2025-11-29 07:06:40 UTC on.
fn since_1970(seconds: f64) -> String {
    let line = |number: u64| {
        let line = csv_line(number);
        let (t, rest) = line.split_once(',').unwrap();
        format!("{:.2},{rest}", 1_764_400_000.0 + t.parse::<f64>().unwrap())
    };
    CSV_HEADER.to_owned() + &(0..(seconds * 50.0) as u64).map(line).collect::<String>()
}

/// Standard output of a run on `stream` by one configuration; the log's level is `level`, or what the arguments say.
fn run_with_log(level: Option<&str>, stream: &str, arguments: &[&str]) -> String {
    let state = TempDir::new().unwrap();
    let mut run = gaitd(state.path());
    run.args(["run", "--source", "-", "--rung", "0.10x-96"]).args(arguments);
    run.env("TZ", ZONE).env_remove("GAITD_LOG").envs(level.map(|level| ("GAITD_LOG", level)));
    let run = run.write_stdin(stream).assert().success();
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

fn run(stream: &str, arguments: &[&str]) -> String {
    run_with_log(None, stream, arguments)
}

fn decisions(output: &str) -> Vec<Value> {
    let decisions = lines(output.as_bytes(), "decision");
    assert!(!decisions.is_empty());
    decisions
}

/// The time in a field `time`, after 1970.
fn instant(time: &Value) -> Duration {
    serde_json::from_value::<gaitd_api::LocalTime>(time.clone()).unwrap().since_1970()
}

#[test]
fn a_stream_that_counts_from_1970_tells_its_own_time() {
    for pace in ["fast", "live"] {
        let decisions = decisions(&run(&since_1970(6.0), &["--pace", pace]));
        assert_eq!(decisions[0]["time"], "2025-11-29T08:06:42.560+01:00", "{pace}");
        for decision in decisions {
            let off = instant(&decision["time"]).as_secs_f64() - decision["time_s"].as_f64().unwrap();
            assert!(off.abs() < 0.000_6, "{decision}");
        }
    }
}

#[test]
fn a_dated_stream_has_the_dates_that_it_states() {
    let dated = |line: &str| {
        let (t, rest) = line.split_once(',').unwrap();
        format!("2025-07-01T23:59:{:05.2}+02:00,{rest}\n", 50.0 + t.parse::<f64>().unwrap())
    };
    let text = CSV_HEADER.to_owned() + &csv(6.0).lines().skip(1).map(dated).collect::<String>();
    assert_eq!(decisions(&run(&text, &["--pace", "fast"]))[0]["time"], "2025-07-01T23:59:52.560+02:00");
}

#[test]
fn other_streams_have_the_time_of_their_arrival_and_none_where_nobody_waits_for_it() {
    for decision in decisions(&run(&csv(6.0), &["--pace", "fast"])) {
        assert_eq!(decision["time"], Value::Null);
    }
    for pace in ["live", "realtime"] {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let before = now();
        let output = run(&csv(4.0), &["--pace", pace]);
        let decisions = decisions(&output);
        let mut times: Vec<_> = decisions.iter().map(|decision| instant(&decision["time"])).collect();
        times.insert(0, instant(&lines(output.as_bytes(), "gaitd")[0]["time"]));
        times.push(instant(&summary(output.as_bytes())["time"]));
        assert!(times.is_sorted() && before <= times[0] + Duration::from_millis(1), "{times:?}");
        assert!(*times.last().unwrap() <= now() + Duration::from_millis(1), "{times:?}");
        if pace == "realtime" {
            // however busy the machine is: the last sample arrives when it is due, or later
            for (window, due_s) in [(1, 2.5), (2, 3.8)] {
                assert!(times[window] >= before + Duration::from_secs_f64(due_s), "{times:?} after {before:?}");
            }
        }
        assert_eq!(decisions[0]["time_s"], 2.56);
    }
}

#[test]
fn the_table_stands_whatever_the_clock_of_the_stream_is() {
    for (stream, time, clock) in [(since_1970(6.0), "08:06:42", "1764400003 s"), (csv(6.0), "       -", "      2.56 s")]
    {
        let output = run(&stream, &["--pace", "fast", "--format", "text"]);
        let heading = output.lines().find(|line| line.ends_with("why")).unwrap();
        let rows: Vec<&str> = output.lines().filter(|line| line.contains("  0.10x-96  ")).collect();
        assert_eq!(rows.len(), 3, "{output}");
        assert!(rows[0].starts_with(&format!("{time}  {clock}  ")), "{output}");
        for row in rows {
            assert_eq!(row.find("0.10x-96"), heading.find("configuration"), "{output}");
            assert_eq!(row.find("fixed"), heading.find("why"), "{output}");
        }
    }
}

#[test]
fn the_summary_is_three_lines_and_has_the_rest_where_it_is_asked_for() {
    let brief = run(&csv(6.0), &["--pace", "fast", "--format", "text"]);
    let (_, brief) = brief.rsplit_once("\n\n").unwrap();
    let words: Vec<&str> = brief.lines().map(|line| line.split([':', ' ']).next().unwrap()).collect();
    assert_eq!(words, ["3", "activities", "configurations"], "{brief}");
    assert!(brief.starts_with("3 windows in ") && brief.contains("configurations: 0.10x-96 3 windows\n"), "{brief}");
    assert!(brief.contains(" 3.8 s") || brief.contains(" 2.6 s"), "the time of the activities: {brief}");
    for (level, verbose, is_detailed) in [(None, true, true), (Some("off"), true, true), (Some("debug"), false, false)]
    {
        let verbosity: &[&str] = if verbose { &["-v"] } else { &[] };
        let output = run_with_log(level, &csv(6.0), &[&["--pace", "fast", "--format", "text"], verbosity].concat());
        let (_, summary) = output.rsplit_once("\n\n").unwrap();
        for part in ["p50", "300 samples, 50.00 a second", "publish", "total"] {
            assert_eq!(summary.contains(part), is_detailed, "{part} in {summary} with {level:?}");
        }
    }
}

#[test]
fn what_went_wrong_has_a_line_of_its_own_in_the_summary() {
    let text = csv(20.0);
    let broken: String = text
        .lines()
        .enumerate()
        .filter(|(number, _)| !(400..500).contains(number))
        .map(|(number, line)| if number == 200 { "oops\n".to_owned() } else { format!("{line}\n") })
        .collect();
    let output = run(&broken, &["--pace", "fast", "--format", "text"]);
    let (_, summary) = output.rsplit_once("\n\n").unwrap();
    assert_eq!(summary.lines().count(), 5, "{summary}");
    assert!(summary.contains("  1 line of the stream could not be understood\n"), "{summary}");
    assert!(summary.contains("  1 gap in the stream could not be bridged\n"), "{summary}");
}
