//! Starts, ends, those that come to the same place, the service manager, and a lack of files.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::daemon::{Daemon, Setup, TOKEN, objects, until};
use gaitd_tests::http::Client;
use gaitd_tests::openapi::check;

/// How a listener is, by its address.
fn listener(client: &Client, address: &str) -> String {
    let status = client.get("/api/status").json();
    let listeners = status["listeners"].as_array().unwrap();
    let found = listeners.iter().find(|listener| listener["address"] == address);
    found.unwrap_or_else(|| panic!("{address}: {listeners:?}"))["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_daemon_takes_over_when_the_first_ends() {
    let setup = Setup::new();
    let first = setup.start();
    let (port, socket) = (first.address().to_string(), first.socket.clone());
    // each can be asked by the way that the other one has not taken
    let by_port = Setup::with(|config| config["socket"] = json!(&socket));
    let by_socket = Setup::with(|config| config["http"]["listen"] = json!(&port));
    let (mut by_port, mut by_socket) = (by_port.start(), by_socket.start());
    let asked_by_port = by_port.tcp();
    assert_eq!(listener(&asked_by_port, socket.to_str().unwrap()), "retrying");
    assert_eq!(listener(&by_socket.unix(), &port), "retrying");
    assert!(by_socket.ctl(&["status"]).done().contains("retrying: "));
    // who answers there is still the first one
    assert_eq!(first.status()["pid"], first.pid());
    assert_eq!(first.tcp().get("/api/status").json()["pid"], first.pid());
    first.stop();
    until("the socket", || (listener(&asked_by_port, socket.to_str().unwrap()) == "listening").then_some(()));
    until("the port", || (listener(&by_socket.unix(), &port) == "listening").then_some(()));
    assert_eq!(Client::unix(&socket).get("/api/status").json()["pid"], by_port.pid());
    assert_eq!(Client::tcp(port.parse().unwrap()).get("/api/status").json()["pid"], by_socket.pid());
    by_port.decide(1);
    by_socket.decide(1);
}

#[test]
fn the_socket_of_a_daemon_that_was_killed_is_taken_over() {
    let setup = Setup::new();
    let mut killed = setup.start();
    killed.signal("KILL");
    killed.end();
    assert!(killed.socket.exists());
    let daemon = setup.start();
    assert_eq!(daemon.status()["pid"], daemon.pid());
    let socket = daemon.socket.clone();
    daemon.stop();
    assert!(!socket.exists());
}

#[test]
fn subscribers_see_it_all_and_do_not_hold_up_the_end() {
    let mut setup = Setup::new();
    let mut daemon = setup.start();
    let mut subscribed = [daemon.tcp().events(None), daemon.unix().events(None)];
    for events in &mut subscribed {
        let hello = events.next().unwrap();
        assert_eq!(hello.name, "hello");
        check("Hello", &hello.data);
    }
    daemon.status_until("subscribers", |status| status["subscribers"] == 2);
    let decision = daemon.decide(1).pop().unwrap();
    daemon.ctl(&["budget", "20"]).done();
    setup.edit(|config| config["control"] = json!({"budget_ms": 30.0}));
    daemon.ctl(&["reload"]).done();
    for events in &mut subscribed {
        // decisions come by a way of their own, and may be a little behind
        let mut seen = BTreeMap::new();
        let seen = until("all events", || {
            let event = events.next().unwrap();
            seen.entry(event.name).or_insert(event.data);
            ["decision", "settings", "reload"].iter().all(|name| seen.contains_key(*name)).then(|| seen.clone())
        });
        for (name, schema) in [("decision", "Decision"), ("settings", "SettingsEvent"), ("reload", "Reload")] {
            check(schema, &seen[name]);
        }
        assert_eq!(seen["decision"]["instant"]["probabilities"], decision["instant"]["probabilities"]);
        assert_eq!(seen["settings"]["budget_ms"], 20.0);
        assert_eq!(seen["reload"]["ok"], true);
    }
    let address = daemon.address();
    let lines = objects(&daemon.stop());
    assert_eq!(lines.last().unwrap()["class"], "summary");
    for events in &mut subscribed {
        let rest: Vec<String> = events.map(|event| event.name).collect();
        assert_eq!(rest.last().map(String::as_str), Some("bye"), "{rest:?}");
    }
    // at once, although connections of the one before linger
    setup.edit(|config| config["http"]["listen"] = json!(address.to_string()));
    let again = setup.start();
    assert_eq!(again.address(), address);
    assert_eq!(again.tcp().events(None).next().unwrap().data["budget_ms"], 30.0);
    again.stop();
}

#[test]
fn a_stop_in_the_middle_of_a_reload_is_a_stop() {
    let setup = Setup::new();
    for _ in 0..3 {
        let mut daemon = setup.start();
        daemon.decide(2);
        let client = daemon.tcp().with_token(TOKEN);
        // nobody waits for the answer
        let asked = client.request("POST", "/api/reload", &[], b"");
        let mut wire = client.connect();
        wire.write_all(&asked).unwrap();
        daemon.signal("HUP");
        let lines = objects(&daemon.stop());
        assert_eq!(lines.last().unwrap()["windows"]["published"], 2);
    }
}

/// The service manager's end.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message that is not about how it goes.
    fn next(&self) -> String {
        loop {
            let mut buffer = [0; 8192];
            let length = self.0.recv(&mut buffer).expect("a message");
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            if !text.starts_with("STATUS=") {
                return text;
            }
        }
    }

    /// The next one that is no sign of life.
    fn next_change(&self) -> String {
        loop {
            let text = self.next();
            if text != "WATCHDOG=1\n" {
                return text;
            }
        }
    }
}

#[test]
fn the_service_manager_hears_of_the_start_of_reloads_of_life_and_of_the_end() {
    let setup = Setup::new();
    let path = setup.path("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    manager.0.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    let mut command = setup.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let daemon = setup.start_by(command);
    assert_eq!(manager.next(), "READY=1\n");
    // life goes on though no sample comes
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1\n");
    }
    daemon.signal("HUP");
    let reloading = manager.next_change();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.next_change(), "READY=1\n");
    // a refused one is over as well
    std::fs::write(setup.path("config.json"), "{").unwrap();
    daemon.ctl(&["reload"]).refused(78);
    assert!(manager.next_change().starts_with("RELOADING=1\n"));
    assert_eq!(manager.next_change(), "READY=1\n");
    daemon.stop();
    assert_eq!(manager.next_change(), "STOPPING=1\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_may_open_few_files_survives_many_connections() {
    if std::process::Command::new("prlimit").arg("--version").output().is_err() {
        gaitd_tests::skipped("a_daemon_that_may_open_few_files_survives_many_connections", "there is no prlimit here");
        return;
    }
    let setup = Setup::new();
    let mut command = std::process::Command::new("prlimit");
    command.arg("--nofile=48").arg(setup.command().get_program()).args(setup.command().get_args());
    let mut daemon: Daemon = setup.start_by(command);
    daemon.decide(1);
    let tcp = daemon.tcp();
    for _ in 0..2 {
        let held: Vec<_> = (0..200).filter_map(|_| tcp.try_connect().ok()).collect();
        daemon.told.line("cannot accept a connection");
        // decisions do not care
        daemon.decide(2);
        assert!(daemon.is_running());
        drop(held);
        let tcp = tcp.with_token(TOKEN);
        let reload = tcp.request("POST", "/api/reload", &[], b"");
        // one that waits behind those that were dropped may still be turned away without a word
        until("an answer", || tcp.raw(&reload).is_some_and(|answer| answer.status == 200).then_some(()));
    }
    daemon.ctl(&["status"]).done();
    daemon.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_does_not_answer_takes_neither_the_load_nor_the_end_of_the_run_along() {
    let private = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("mount -t tmpfs none /sys && {script}")]);
        command
    };
    if !private("true").output().is_ok_and(|output| output.status.success()) {
        gaitd_tests::skipped(
            "a_driver_that_does_not_answer_takes_neither_the_load_nor_the_end_of_the_run_along",
            "a /sys of its own takes unshare(1) and the privilege to mount",
        );
        return;
    }
    let state = tempfile::TempDir::new().unwrap();
    let mut command = private(
        "mkdir -p /sys/class/thermal/thermal_zone0 && mkfifo /sys/class/thermal/thermal_zone0/temp && exec \"$0\" run \
         --seconds 5 --format ndjson",
    );
    let output =
        command.arg(assert_cmd::cargo::cargo_bin!("gaitd")).env("XDG_STATE_HOME", state.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(told.matches("\"temperature\" is missing").count(), 1, "{told}");
    let last = gaitd_tests::lines(&output.stdout, "decision").pop().unwrap();
    assert!(last["signals"]["cpu"].is_number() && last["signals"]["temperature_c"].is_null(), "{last}");
    assert_eq!(gaitd_tests::lines(&output.stdout, "summary").len(), 1);
}
