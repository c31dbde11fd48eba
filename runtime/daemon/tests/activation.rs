//! The sockets that a service manager hands over. The tests start themselves as the process that is handed them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use gaitd_daemon::Activated;

/// Set in the child process that is handed the sockets.
const ROLE: &str = "GAITD_TEST_ACTIVATION";

fn this_test(name: &str) -> [String; 3] {
    ["--exact".to_owned(), "--nocapture".to_owned(), format!("activation::{name}")]
}

fn described(activated: &Activated) -> String {
    format!("taken: {} TCP, {} Unix.", activated.tcp.len(), activated.unix.len())
}

#[test]
fn sockets_are_sorted_by_kind_and_all_else_is_left_alone() {
    if std::env::var_os(ROLE).is_some() {
        println!("{} then {}", described(&Activated::take()), described(&Activated::take()));
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    // standard input is the one descriptor that a child can be given in safe code
    let taken = |file: OwnedFd, count: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(this_test("sockets_are_sorted_by_kind_and_all_else_is_left_alone"))
            .env(ROLE, "1")
            .env("LISTEN_FDS", count)
            .env("LISTEN_FDS_FIRST_FD", "0")
            .env_remove("LISTEN_PID")
            .stdin(Stdio::from(file))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(directory.path().join("listener")).unwrap();
    let listener = tcp();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let nothing = "taken: 0 TCP, 0 Unix. then taken: 0 TCP, 0 Unix.";
    for (file, expected) in [
        (OwnedFd::from(tcp()), "taken: 1 TCP, 0 Unix. then taken: 0 TCP, 0 Unix."),
        (TcpListener::bind("[::1]:0").unwrap_or_else(|_| tcp()).into(), "taken: 1 TCP, 0 Unix. then"),
        (unix.into(), "taken: 0 TCP, 1 Unix. then taken: 0 TCP, 0 Unix."),
        (connection.into(), nothing),
        (UnixStream::pair().unwrap().0.into(), nothing),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), nothing),
        (UnixDatagram::unbound().unwrap().into(), nothing),
        (tempfile::tempfile().unwrap().into(), nothing),
    ] {
        let told = taken(file, "1");
        assert!(told.contains(expected), "{expected} in {told}");
    }
    for absurd in ["4000000000", "65", "-1", "many", ""] {
        assert!(taken(tcp().into(), absurd).contains(nothing), "{absurd}");
    }
}

#[test]
fn sockets_that_were_opened_beforehand_are_served() {
    if std::env::var_os(ROLE).is_some() {
        let activated = Activated::take();
        let (mut connection, _) = activated.unix[0].accept().unwrap();
        write!(connection, "{}", described(&activated)).unwrap();
        return;
    }
    const PROGRAM: &str = "systemd-socket-activate";
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Command::new(PROGRAM)
        .arg("--listen")
        .arg(&path)
        .arg("--listen")
        .arg(address.to_string())
        .args(["--setenv", &format!("{ROLE}=1")])
        .arg(std::env::current_exe().unwrap())
        .args(this_test("sockets_that_were_opened_beforehand_are_served"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut manager = match started {
        Ok(manager) => manager,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let reason = format!("there is no {PROGRAM} here");
            gaitd_tests::skipped("sockets_that_were_opened_beforehand_are_served", reason);
            return;
        }
        Err(error) => panic!("{PROGRAM}: {error}"),
    };
    // it says so when it listens, for each socket
    let mut told = io::BufRead::lines(io::BufReader::new(manager.stderr.take().unwrap()));
    for _ in 0..2 {
        let line = told.next().unwrap().unwrap();
        assert!(line.starts_with("Listening on"), "{line}");
    }
    let mut answer = String::new();
    UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "taken: 1 TCP, 1 Unix.");
    assert!(manager.wait().unwrap().success());
}
