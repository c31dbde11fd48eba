//! What somebody at a terminal sees: the link to the dashboard, and the first lines.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use gaitd_tests::http::Client;

use super::daemon::{Feed, Lines, Setup, until};

/// A terminal: the end of a program that writes to it, and the lines that somebody sees.
fn terminal() -> (Stdio, Lines) {
    let shown = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&shown).unwrap();
    unlockpt(&shown).unwrap();
    let name = ptsname(&shown, Vec::new()).unwrap();
    let written = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (written.into(), Lines::of(File::from(shown)))
}

/// A daemon at a terminal; it is killed when it is dropped.
struct AtTerminal {
    child: Child,
    shown: Lines,
    told: Lines,
    /// Its files stay for as long as it runs.
    _setup: Setup,
}

impl AtTerminal {
    /// Starts it with samples from here; its standard error is a terminal of its own.
    fn start(setup: Setup) -> Self {
        Self::start_with(setup, Stdio::piped())
    }

    /// Starts it with samples from `stdin`.
    fn start_with(setup: Setup, stdin: Stdio) -> Self {
        let ((stdout, shown), (stderr, told)) = (terminal(), terminal());
        let mut command = setup.command();
        command.env("GAITD_LOG", "info").stdin(stdin).stdout(stdout).stderr(stderr);
        Self { child: command.spawn().unwrap(), shown, told, _setup: setup }
    }

    fn ends_with(&mut self, code: i32) {
        let status = until("the end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(code), "{:#?}", self.told.all());
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Readable lines of a live stream, and nothing on disk that gives a token.
fn live(listen: &str) -> Setup {
    Setup::with(|config| {
        config["source"] = json!({"kind": "stdin"});
        config["outputs"] = json!([{"format": "auto"}]);
        // a budget that a busy machine keeps
        config["control"] = json!({"policy": {"kind": "fixed"}, "budget_ms": 5000});
        config["http"] = json!({"listen": listen});
    })
}

fn link(lines: &[String]) -> Option<(String, String)> {
    let (_, link) = lines.iter().find_map(|line| line.split_once("dashboard, until this run ends: http://"))?;
    link.split_once("/#token=").map(|(address, token)| (address.to_owned(), token.to_owned()))
}

#[test]
fn whoever_starts_it_without_a_sensor_is_told_that_it_reads_what_is_typed() {
    let (stdin, _typed) = terminal();
    let daemon = AtTerminal::start_with(live("127.0.0.1:0"), stdin);
    daemon.told.line("reading samples from this terminal; Ctrl-D ends");
    let piped = AtTerminal::start(live("127.0.0.1:0"));
    piped.told.wait("the link", link);
    assert!(!piped.told.all().iter().any(|line| line.contains("Ctrl-D")));
}

#[test]
fn the_link_is_shown_once_the_port_is_listened_on_and_not_before() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let daemon = AtTerminal::start(live(&address.to_string()));
    daemon.told.line(&format!("cannot listen on {address}"));
    // with the control socket all first attempts are over
    daemon.told.line("control socket");
    assert_eq!(link(&daemon.told.all()), None);
    drop(taken);
    let (shown, token) = daemon.told.wait("the link", link);
    assert_eq!((shown, token.len()), (address.to_string(), 32));
    let client = Client::tcp(address);
    let patch = |client: &Client| client.patch("/api/control", &json!({"budget_ms": 33})).status;
    assert_eq!((patch(&client), patch(&client.with_token(&token))), (401, 200));
}

#[test]
fn the_link_has_the_port_that_the_system_has_picked() {
    let daemon = AtTerminal::start(live("127.0.0.1:0"));
    let (address, token) = daemon.told.wait("the link", link);
    let client = Client::tcp(address.parse().unwrap()).with_token(&token);
    assert_eq!(client.patch("/api/control", &json!({"budget_ms": 33})).status, 200);
}

#[test]
fn the_first_lines_are_shown_with_the_first_sample_and_the_link_before_them() {
    let mut daemon = AtTerminal::start(live("127.0.0.1:0"));
    let mut feed = Feed::new(daemon.child.stdin.take().unwrap());
    daemon.told.wait("the link", link);
    assert_eq!(daemon.shown.all(), [""; 0]);
    // a hundred and more are missing for a decision
    assert!(feed.samples(1));
    let heading = daemon.shown.line("  why");
    let lines = daemon.shown.all();
    assert!(lines[0].starts_with("gaitd ") && lines[0].contains(" on standard input; "), "{lines:?}");
    assert_eq!(lines, [lines[0].as_str(), "", &heading]);
    // and not again with a decision
    // conditioning holds one sample back
    assert!(feed.samples(128 + 64));
    drop(feed);
    daemon.ends_with(0);
    let lines = daemon.shown.whole();
    assert_eq!(lines.iter().filter(|line| line.starts_with("gaitd ")).count(), 1, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with("  fixed")).count(), 2, "{lines:#?}");
}

#[test]
fn a_start_that_is_refused_shows_nothing_but_the_refusal() {
    let header_only = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n";
    let wrong = "t,acc_x\n0.00,1\n0.02,1\n";
    for (pace, stream, code) in [("live", "", 65), ("live", header_only, 65), ("live", wrong, 65), ("fast", "slow", 65)]
    {
        let mut setup = live("127.0.0.1:0");
        setup.edit(|config| config["source"]["pace"] = Value::from(pace));
        let mut daemon = AtTerminal::start(setup);
        let mut feed = Feed::new(daemon.child.stdin.take().unwrap());
        // a twentieth of the rate that is expected, which shows after a while
        let slow: String = (0..20).map(|second| format!("{second},1,0,0,0,0,0\n")).collect();
        feed.text(&if stream == "slow" { header_only.to_owned() + &slow } else { stream.to_owned() });
        drop(feed);
        daemon.ends_with(code);
        assert_eq!(daemon.shown.whole(), [""; 0], "{stream:?}");
    }
}
