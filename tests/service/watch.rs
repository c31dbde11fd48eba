//! `gaitd ctl watch`: the decisions of a running daemon.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::daemon::{Daemon, Setup, Told, ctl, until, windows};

/// A watcher of `daemon`, and what it writes.
fn watch(daemon: &Daemon) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command.args(["ctl", "watch", "--socket"]).arg(&daemon.socket).env_remove("GAITD_LOG");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    // it has been greeted, and sees what comes from here on
    let hello = next(&mut lines);
    assert_eq!((hello["class"].as_str(), hello["protocol"].as_u64()), (Some("gaitd"), Some(2)));
    until("the watcher to listen", || (daemon.status()["subscribers"] == 1).then_some(()));
    (child, lines)
}

fn next(lines: &mut impl BufRead) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn a_watcher_sees_each_decision_from_then_on_as_the_output_has_it() {
    let mut daemon = Setup::new().start();
    daemon.decide(2);
    let (child, mut lines) = watch(&daemon);
    let decided = daemon.decide(3);
    let seen: Vec<Value> = (0..3).map(|_| next(&mut lines)).collect();
    assert_eq!(windows(&seen), windows(&decided[decided.len() - 3..]));
    for (seen, decided) in seen.iter().zip(&decided[decided.len() - 3..]) {
        for field in ["class", "window", "samples", "time", "time_s", "activity", "belief", "instant", "configuration"]
        {
            assert_eq!(seen[field], decided[field], "{field}");
        }
    }
    // the daemon's end is named
    let status = daemon.ctl(&["status"]);
    let today = status.stdout.lines().find_map(|line| line.strip_prefix("today")).unwrap();
    assert_eq!((status.code, today.trim()), (0, "not known: decisions have no time of day"));
    daemon.stop();
    let output = child.wait_with_output();
    let told = Told::of(output.unwrap());
    assert_eq!(told.code, 69, "{}", told.stderr);
    assert!(told.stderr.contains("gaitd has ended"), "{}", told.stderr);
}

#[test]
fn a_watcher_ends_well_when_it_is_interrupted_or_nobody_reads_it_any_more() {
    let mut daemon = Setup::new().start();
    for signal in ["INT", "TERM"] {
        let (child, _lines) = watch(&daemon);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        let told = Told::of(child.wait_with_output().unwrap());
        assert_eq!((told.code, told.stderr.contains("rror")), (0, false), "{}", told.stderr);
        until("the end of the watcher", || (daemon.status()["subscribers"] == 0).then_some(()));
    }
    let (mut child, lines) = watch(&daemon);
    drop(lines);
    let code = until("the end of a watcher that nobody reads", || {
        daemon.decide(1);
        child.try_wait().unwrap()
    });
    assert!(code.success(), "{code}");
}

#[test]
fn on_a_terminal_each_decision_is_a_line_unless_json_is_asked_for() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED on_a_terminal_each_decision_is_a_line_unless_json_is_asked_for: there is no `script`");
        return;
    }
    let gaitd = assert_cmd::cargo::cargo_bin!("gaitd").display().to_string();
    for json in [false, true] {
        let mut daemon = Setup::new().start();
        let flag = if json { " --json" } else { "" };
        let command = format!("{gaitd} ctl watch{flag} --socket {}", daemon.socket.display());
        // `script` gives what it runs a terminal
        let mut watcher = Command::new("script");
        watcher.args(["-qec", &command, "/dev/null"]).env_remove("GAITD_LOG").stdin(Stdio::null());
        let watcher = watcher.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the watcher to listen", || (daemon.status()["subscribers"] == 1).then_some(()));
        daemon.decide(2);
        // everything that was decided is sent before the farewell
        daemon.stop();
        let told = Told::of(watcher.wait_with_output().unwrap());
        let lines: Vec<&str> = told.stdout.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if json {
            let classes = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let classes: Vec<String> = classes.map(|line| line["class"].as_str().unwrap().to_owned()).collect();
            assert_eq!(classes, ["gaitd", "decision", "decision"], "{lines:#?}");
        } else {
            let heading = lines.iter().position(|line| line.contains("activity") && line.ends_with("why")).unwrap();
            let rows = lines[heading + 1..].iter().filter(|line| line.contains("not timed"));
            assert_eq!(rows.count(), 2, "{lines:#?}");
        }
    }
}

#[test]
fn who_cannot_be_watched_is_named() {
    let told = ctl(std::path::Path::new("/nowhere/control.sock"), &["watch"]).refused(69);
    assert!(told.contains("/nowhere/control.sock"), "{told}");
}
