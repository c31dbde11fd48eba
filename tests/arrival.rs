//! A live source without times, whose samples arrive at another rate than the ladder's.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gaitd_tests::{lines, summary};
use serde_json::json;
use tempfile::TempDir;

/// What `gaitd run` gives and tells for `seconds` of samples without times that arrive `hz` times a second.
fn run(hz: f64, seconds: f64) -> (Vec<u8>, String) {
    let directory = TempDir::new().unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command.args(["run", "--source", "-", "--rung", "1.00x-128", "--format", "ndjson"]);
    command.env("XDG_STATE_HOME", directory.path()).env_remove("XDG_RUNTIME_DIR").env("GAITD_LOG", "warn");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(gaitd_tests::CSV_HEADER.trim_start_matches("t,").as_bytes()).unwrap();
    let mut line = |number: u64| {
        let line = gaitd_tests::csv_line(number);
        input.write_all(line.split_once(',').unwrap().1.as_bytes()).unwrap();
    };
    // the first samples wait for the program to be ready, as a sensor's do
    line(0);
    let begin = Instant::now();
    for number in 1..(hz * seconds) as u64 {
        let due = begin + Duration::from_secs_f64(number as f64 / hz);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        line(number);
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_rate_that_is_far_off_is_told_soon_and_decisions_and_the_summary_bear_it() {
    let (output, told) = run(100.0, 12.0);
    assert_eq!(told.matches("samples arrive per second, but without timestamps").count(), 1, "{told}");
    assert!(told.contains("taken for 50.0 per second") && told.contains("(--rate 1"), "{told}");
    let mark = json!([{"sensor": "acc", "fault": "rate"}]);
    let decisions = lines(&output, "decision");
    let marked = decisions.iter().filter(|decision| decision["implausible"] == mark).count();
    // a window every 0.64 s; before the tenth second most were marked, where it used to be none
    assert!(marked >= 5 && marked < decisions.len(), "{marked} of {}", decisions.len());
    assert_eq!(decisions.last().unwrap()["implausible"], mark);
    let found = &summary(&output)["implausible"][0];
    assert_eq!(
        (&found["fault"], &found["response"], &found["present"]),
        (&json!("rate"), &json!("warn"), &json!(true))
    );
    assert!(found["explanation"].as_str().unwrap().contains("--rate"), "{found}");
}
