//! What gaitd tells on standard error: in which form, how much of it, and that nobody outside can forge a line.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use gaitd_tests::{csv, fresh};
use predicates::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// A field that tries to look like a record of its own, in each form, and to clear the terminal.
const FORGERY: &str = "1\u{85}[ERROR] lost\u{1b}[2K\u{2028}<3>lost\u{202e}";

/// A stream of which one line says [`FORGERY`] instead of a number.
fn forging_stream() -> String {
    let mut lines: Vec<String> = csv(5.0).lines().map(str::to_owned).collect();
    lines[100] = format!("{FORGERY},0,0,0,0,0,0");
    lines.join("\n") + "\n"
}

/// What gaitd tells with `flags` about a stream with a forged line.
fn told(flags: &[&str]) -> String {
    let state = TempDir::new().unwrap();
    let mut run = gaitd(state.path());
    run.env("GAITD_LOG", "warn").env_remove("JOURNAL_STREAM").args(["run", "--source", "-", "--pace", "fast"]);
    let output = run.args(flags).write_stdin(forging_stream()).assert().success();
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

fn one_line(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap();
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
    assert!(!line.contains(ends), "{line:?}");
    line
}

#[test]
fn text_is_for_people_and_the_default() {
    for flags in [&[][..], &["--log-format", "text"], &["--log-format", "auto"]] {
        let text = told(flags);
        let line = one_line(&text);
        let time = predicate::str::is_match(r"^\[20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ WARN \] standard input, line 101: ");
        assert!(time.unwrap().eval(line), "{line}");
        assert!(line.contains(r"1\u{85}[ERROR] lost\u{1b}[2K\u{2028}<3>lost\u{202e}"), "{line}");
    }
}

#[test]
fn json_is_one_object_per_record_and_loses_nothing() {
    let text = told(&["--log-format", "json"]);
    let record: Value = serde_json::from_str(one_line(&text)).unwrap();
    assert_eq!(record["class"], "log");
    assert_eq!(record["level"], "warn");
    assert_eq!(record["thread"], "gaitd-sense");
    let time = predicate::str::is_match(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$").unwrap();
    assert!(time.eval(record["time"].as_str().unwrap()), "{record}");
    assert!(record["message"].as_str().unwrap().contains(FORGERY), "{record}");
    assert_eq!(record.as_object().unwrap().len(), 5, "{record}");
}

#[test]
fn the_journal_gets_a_priority_and_no_time() {
    let text = told(&["--log-format", "journal"]);
    let line = one_line(&text);
    assert!(line.starts_with("<4>standard input, line 101: "), "{line}");
}

#[test]
fn each_level_has_its_syslog_priority() {
    let state = TempDir::new().unwrap();
    let mut run = gaitd(state.path());
    run.env("GAITD_LOG", "debug").args(["run", "--source", "-", "--pace", "fast", "--log-format", "journal"]);
    let output = run.write_stdin(csv(5.0)).assert().success();
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.lines().any(|line| line.starts_with("<6>")), "{text}");
    assert!(text.lines().all(|line| ["<3>", "<4>", "<6>", "<7>"].iter().any(|it| line.starts_with(it))), "{text}");
}

#[test]
fn the_journal_is_recognised_by_the_file_that_standard_error_is() {
    let directory = TempDir::new().unwrap();
    let told = |name: &Path, journal: &dyn Fn(&std::fs::Metadata) -> String| {
        let file = std::fs::File::create(name).unwrap();
        let journal = journal(&file.metadata().unwrap());
        let status = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
            .args(["run", "--source", "/nowhere/to/be/found"])
            .env("JOURNAL_STREAM", journal)
            .stdout(Stdio::null())
            .stderr(file)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(66));
        std::fs::read_to_string(name).unwrap()
    };
    let (journal, other) = (fresh(&directory, "log"), fresh(&directory, "log"));
    let text = told(&journal, &|file| format!("{}:{}", file.dev(), file.ino()));
    assert!(text.starts_with("<3>cannot open /nowhere/to/be/found"), "{text}");
    // the service's standard error was redirected, and the variable inherited
    let text = told(&other, &|file| format!("{}:{}", file.dev(), file.ino() + 1));
    assert!(text.starts_with("gaitd: cannot open /nowhere/to/be/found"), "{text}");
}

/// What gaitd tells at its end about a configuration with two mistakes, whose path tries to look like more lines.
fn last_word(format: &str) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("mistaken.json");
    std::fs::write(&path, r#"{"control": {"miss_target": 2, "cpu_budget_percent": 200}}"#).unwrap();
    let mut run = gaitd(directory.path());
    let output = run.env("GAITD_LOG", "off").args(["run", "--log-format", format]).arg(&path).assert().code(78);
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

#[test]
fn the_error_that_ends_gaitd_is_told_in_the_form_of_the_log_whatever_its_level() {
    let text = last_word("text");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("gaitd: control."), "{text}");
    assert!(lines[1].starts_with("       control."), "{text}");

    let text = last_word("journal");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("<3>control."), "{text}");
    assert!(lines[1].starts_with("<3>       control."), "{text}");

    let text = last_word("json");
    let record: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(
        (&record["class"], &record["level"], &record["thread"]),
        (&"log".into(), &"error".into(), &"main".into())
    );
    assert_eq!(record["message"].as_str().unwrap().lines().count(), 2, "{record}");
}

#[test]
fn a_file_name_cannot_forge_a_line_either() {
    let state = TempDir::new().unwrap();
    let mut run = gaitd(state.path());
    let output = run.args(["run", "--source", "x\n[2026-01-01T00:00:00Z ERROR] all is lost\r"]).assert().code(66);
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains("\n       [2026-01-01T00:00:00Z ERROR] all is lost\\r"), "{text}");
}

#[test]
fn a_message_is_cut_before_the_journal_would_cut_it() {
    let state = TempDir::new().unwrap();
    let long = "x".repeat(60_000);
    for format in ["text", "json", "journal"] {
        let mut run = gaitd(state.path());
        let output = run.args(["run", "--log-format", format, "--source"]).arg(&long).assert().code(66);
        let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(text.contains(" more bytes)") && text.len() < 8192 + 200, "{}", text.len());
    }
}
