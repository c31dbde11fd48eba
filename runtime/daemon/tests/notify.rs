//! What a service manager hears. The tests start themselves as the daemon that it has started.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::time::Duration;

use gaitd_daemon::{Heartbeat, Notifier};

/// Set in the child process that plays the daemon.
const ROLE: &str = "GAITD_TEST_NOTIFY";

/// Runs the test `name` of this file once more in a child process: the environment decides, and no test may change
/// its own.
fn daemon(name: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("notify::{name}")]).env(ROLE, "1");
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn is_daemon() -> bool {
    std::env::var_os(ROLE).is_some()
}

#[test]
fn the_service_manager_hears_what_the_daemon_tells() {
    if is_daemon() {
        let notifier = Notifier::default();
        notifier.ready();
        notifier.reloading();
        notifier.status("the sensor says:\nREADY=1\nSTOPPING=1\u{1b}[2J");
        notifier.status(&"ä".repeat(5000));
        notifier.watchdog();
        notifier.stopping();
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    daemon("the_service_manager_hears_what_the_daemon_tells", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    // a child that has ended has sent all that it will ever send
    manager.set_nonblocking(true).unwrap();
    let heard: Vec<String> = std::iter::from_fn(|| {
        let mut buffer = [0; 8192];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    })
    .collect();
    assert_eq!(heard.len(), 6, "{heard:?}");
    assert_eq!(heard[0], "READY=1\n");
    let reloading: Vec<&str> = heard[1].lines().collect();
    assert_eq!(reloading[0], "RELOADING=1");
    let now: u64 = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(now > 0);
    assert_eq!(heard[2], "STATUS=the sensor says: READY=1 STOPPING=1 [2J\n");
    assert_eq!(heard[3], format!("STATUS={}\n", "ä".repeat(512)));
    assert_eq!(&heard[4..], ["WATCHDOG=1\n", "STOPPING=1\n"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_of_the_abstract_kind_is_found() {
    use std::os::linux::net::SocketAddrExt as _;

    if is_daemon() {
        return Notifier::default().ready();
    }
    let name = format!("gaitd-test-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    daemon("a_socket_of_the_abstract_kind_is_found", &[("NOTIFY_SOCKET", &format!("@{name}"))]);
    manager.set_nonblocking(true).unwrap();
    let mut heard = [0; 64];
    let length = manager.recv(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"READY=1\n");
}

#[test]
fn a_service_manager_that_takes_nothing_does_not_hold_up_the_run() {
    if is_daemon() {
        let notifier = Notifier::default();
        // more than any socket's buffer holds
        (0..10_000).for_each(|_| notifier.status(&"x".repeat(1000)));
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let name = "a_service_manager_that_takes_nothing_does_not_hold_up_the_run";
    daemon(name, &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
}

#[test]
fn a_service_manager_that_is_gone_does_no_harm() {
    if is_daemon() {
        env_logger::builder().filter_level(log::LevelFilter::Warn).target(env_logger::Target::Stdout).init();
        let notifier = Notifier::default();
        for _ in 0..3 {
            notifier.watchdog();
        }
        return;
    }
    let name = "a_service_manager_that_is_gone_does_no_harm";
    let told = |environment: &[(&str, &str)]| String::from_utf8(daemon(name, environment).stdout).unwrap();
    let complaints = |told: &str| told.matches("cannot be notified").count();
    // once, and not at every attempt
    assert_eq!(complaints(&told(&[("NOTIFY_SOCKET", "/nowhere/to/be/found")])), 1);
    assert_eq!(complaints(&told(&[])), 0);
}

#[test]
fn the_watchdog_is_fed_twice_as_often_as_it_bites() {
    if is_daemon() {
        println!("interval: {:?}", Notifier::watchdog_interval());
        return;
    }
    let name = "the_watchdog_is_fed_twice_as_often_as_it_bites";
    for (environment, expected) in [
        (&[("WATCHDOG_USEC", "30000000")][..], "interval: Some(15s)"),
        (&[("WATCHDOG_USEC", "0")], "interval: None"),
        (&[("WATCHDOG_USEC", "soon")], "interval: None"),
        // meant for another process
        (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")], "interval: None"),
        (&[], "interval: None"),
    ] {
        let told = String::from_utf8(daemon(name, environment).stdout).unwrap();
        assert!(told.contains(expected), "{environment:?}: {told}");
    }
}

#[test]
fn a_heart_is_alive_while_its_last_beat_is_no_older_than_the_limit() {
    let seconds = Duration::from_secs;
    let heart = Heartbeat::new(seconds(10));
    let watched = heart.clone();
    assert_eq!(watched.age(seconds(12)), seconds(2));
    assert!(watched.is_alive(seconds(12), seconds(2)));
    assert!(!watched.is_alive(seconds(12) + Duration::from_nanos(1), seconds(2)));
    heart.beat(seconds(20));
    assert!(watched.is_alive(seconds(21), seconds(2)));
    // read before the beat, used after it
    assert_eq!(watched.age(seconds(19)), Duration::ZERO);
}
