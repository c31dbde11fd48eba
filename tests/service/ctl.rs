//! `gaitd ctl` before what is no daemon, or one that behaves badly.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::daemon::{Setup, Told, ctl};

/// Answers one connection with these bytes, whatever is asked.
fn answering(answer: impl Into<Vec<u8>>) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = answer.into();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request: Vec<u8> = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut some = [0; 1024];
            match stream.read(&mut some) {
                Ok(read) if read > 0 => request.extend(&some[..read]),
                _ => return,
            }
        }
        // whoever has read enough may be gone
        let _ = stream.write_all(&answer);
    });
    (directory, path)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn where_no_daemon_answers_it_says_so_and_what_to_do() {
    let directory = TempDir::new().unwrap();
    let stale = directory.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for socket in [directory.path().join("missing.sock"), stale, file] {
        for question in [&["status"][..], &["reload"], &["pin", "1.00x-128"], &["explain", "--json"]] {
            let told = ctl(&socket, question).refused(69);
            assert!(told.contains(socket.to_str().unwrap()) && told.contains("--socket"), "{told}");
        }
    }
    let named = |variable: Option<&str>| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
        command.args(["ctl", "status"]).env_remove("GAITD_SOCKET").env_remove("XDG_RUNTIME_DIR");
        if let Some(path) = variable {
            command.env("GAITD_SOCKET", path);
        }
        Told::of(command.output().unwrap())
    };
    assert!(named(Some("/nowhere/by.name")).refused(69).contains("/nowhere/by.name"));
    if !std::path::Path::new("/run/gaitd/control.sock").exists() {
        assert!(named(None).refused(69).contains("/run/gaitd/control.sock"));
    }
}

/// A daemon that reads a live stream and names no socket, where the user's folder is `runtime`.
fn by_default(runtime: &Path) -> (Setup, super::daemon::Daemon) {
    let setup = Setup::with(|config| {
        config["source"]["pace"] = json!("live");
        // no window is overtaken, however busy the machine
        config["control"] = json!({"budget_ms": 60_000});
        config["http"] = json!(null);
        config["socket"] = json!(null);
    });
    let mut command = setup.command();
    command.env("XDG_RUNTIME_DIR", runtime);
    let daemon = setup.start_by(command);
    (setup, daemon)
}

/// `gaitd ctl` without a word about the socket, where the user's folder is `runtime`.
fn without_a_socket(runtime: &Path, question: &[&str]) -> Told {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command.arg("ctl").args(question).env_remove("GAITD_SOCKET").env("XDG_RUNTIME_DIR", runtime);
    Told::of(command.output().unwrap())
}

#[test]
fn a_daemon_and_ctl_of_one_user_find_each_other() {
    let runtime = TempDir::new().unwrap();
    let (_setup, daemon) = by_default(runtime.path());
    let process = format!("process {},", daemon.pid());
    assert!(without_a_socket(runtime.path(), &["status"]).done().contains(&process));
    assert!(without_a_socket(runtime.path(), &["pin", "0.10x-96"]).done().contains("0.10x-96"));

    // a second one runs, and leaves the first its socket
    let (_second_setup, mut second) = by_default(runtime.path());
    second.told.wait("the second has found the first", |lines| {
        lines.iter().find(|line| line.contains("another process listens there")).map(|_| ())
    });
    assert_eq!(second.decide(2).len(), 2);
    assert!(without_a_socket(runtime.path(), &["status"]).done().contains(&process));
    second.stop();
    assert!(without_a_socket(runtime.path(), &["status"]).done().contains(&process));

    // an end takes the socket along, and ctl says where it has looked
    daemon.stop();
    let own = runtime.path().join("gaitd/control.sock");
    assert!(!own.exists());
    if !Path::new("/run/gaitd/control.sock").exists() {
        let told = without_a_socket(runtime.path(), &["status"]).refused(69);
        assert!(told.contains(own.to_str().unwrap()) && told.contains("/run/gaitd/control.sock"), "{told}");
    }
}

#[test]
fn a_folder_that_takes_no_socket_is_a_warning() {
    let runtime = TempDir::new().unwrap();
    std::fs::write(runtime.path().join("gaitd"), "").unwrap();
    let (_setup, mut daemon) = by_default(runtime.path());
    assert_eq!(daemon.decide(2).len(), 2);
    let warned = daemon.told.wait("the warning", |lines| {
        lines.iter().find(|line| line.contains("gaitd/control.sock") && line.contains("WARN")).cloned()
    });
    assert!(warned.contains("cannot") || warned.contains("exists") || warned.contains("directory"), "{warned}");
    daemon.stop();
}

#[test]
fn who_may_not_use_the_socket_is_told_of_the_group() {
    let daemon = Setup::new().start();
    let binary = Command::new(assert_cmd::cargo::cargo_bin!("gaitd")).get_program().to_owned();
    let mut command = Command::new(&binary);
    command.args(["ctl", "status", "--socket"]).arg(&daemon.socket);
    if std::process::Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        // nobody
        command.uid(65534).gid(65534);
        let folder = daemon.socket.parent().unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    } else {
        std::fs::set_permissions(&daemon.socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    match command.output() {
        Ok(output) => {
            let told = Told::of(output).refused(77);
            assert!(told.contains("gaitd-operators") && told.contains(daemon.socket.to_str().unwrap()), "{told}");
        }
        Err(error) => gaitd_tests::skipped("who_may_not_use_the_socket_is_told_of_the_group", error),
    }
}

#[test]
fn every_refusal_has_its_exit_code() {
    let body = r#"{"error":"because of the test"}"#;
    for (status, question, code) in [
        ("409 Conflict", &["reload"][..], 75),
        ("409 Conflict", &["budget", "5"], 75),
        ("503 Service Unavailable", &["status"], 75),
        ("422 Unprocessable Content", &["reload"], 78),
        ("422 Unprocessable Content", &["budget", "5"], 65),
        ("400 Bad Request", &["pin", "x"], 65),
        ("401 Unauthorized", &["unpin"], 77),
        ("403 Forbidden", &["reload"], 77),
        ("404 Not Found", &["explain"], 75),
        ("404 Not Found", &["status"], 76),
        ("500 Internal Server Error", &["reload"], 70),
        ("418 I'm a teapot", &["status"], 76),
    ] {
        let (_directory, path) = answering(http(status, body));
        let told = ctl(&path, question).refused(code);
        assert!(told.contains("because of the test"), "{status}: {told}");
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_no_answer() {
    let huge = format!("[{}1]", "1,".repeat(4 << 20));
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        http("200 OK", "{}"),
        http("200 OK", "null"),
        http("200 OK", "\u{1b}[2J"),
        http("200 OK", r#"{"class":"status","version":"9"}"#),
        http("503 Service Unavailable", "<h1>Sorry</h1>"),
        http("200 OK", &huge),
    ] {
        for flags in [&[][..], &["--json"]] {
            let (_directory, path) = answering(answer.clone());
            let told = ctl(&path, &[&["status"][..], flags].concat());
            let valid =
                flags.is_empty() || !(answer.contains("{}") || answer.contains("null") || answer.contains("class"));
            assert_eq!(told.code, if valid { 76 } else { 0 }, "{told:?}");
            assert!(!told.stdout.contains('\u{1b}') && !told.stderr.contains('\u{1b}'), "{told:?}");
            if valid {
                assert!(told.stderr.contains("makes no sense"), "{told:?}");
            }
        }
    }
    // one that breaks off is as good as none
    for answer in [String::new(), "HTTP/1.1 200 OK\r\n".to_owned(), http("200 OK", "{}").replace("{}", "{")] {
        let (_directory, path) = answering(answer);
        ctl(&path, &["status"]).refused(69);
    }
}

#[test]
fn who_never_answers_is_not_waited_for_without_end() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    // the system takes the connection, and nobody else does
    let _listener = UnixListener::bind(&path).unwrap();
    let told = ctl(&path, &["status"]).refused(75);
    assert!(told.contains("no answer within 10 s"), "{told}");
}

#[test]
fn nothing_that_the_daemon_says_steers_the_terminal() {
    const FORGED: &str = "\u{1b}[2J\u{9b}31m\ngaitd      all is well\r\u{202e}";
    let deceives = |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
    let setup = Setup::with(|config| {
        config["source"] =
            json!({"kind": "file", "path": format!("samples{FORGED}"), "pace": "live", "on_failure": "retry"});
    });
    let daemon = setup.start();
    daemon.status_until("the retry", |status| status["source"]["state"] == "retrying");
    let lines = daemon.ctl(&["status"]).done();
    assert!(!lines.contains(deceives), "{lines:?}");
    assert_eq!(lines.lines().filter(|line| line.starts_with("gaitd ")).count(), 1, "{lines}");
    let answer = daemon.ctl(&["--json", "status"]).done();
    assert!(!answer.contains(deceives), "{answer:?}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["source"]["name"].as_str().unwrap().ends_with(FORGED));
    // nor what it refuses
    let (_directory, path) = answering(http("409 Conflict", &json!({"error": FORGED}).to_string()));
    let told = ctl(&path, &["reload"]).refused(75);
    assert!(!told.contains(deceives), "{told:?}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn the_status_says_what_an_operator_asks_first() {
    let mut daemon = Setup::new().start();
    let told = daemon.ctl(&["explain"]).refused(75);
    assert!(told.contains("no window has been decided yet"), "{told}");
    let decisions = daemon.decide(5);
    let told = daemon.ctl(&["status"]).done();
    let line = |name: &str| {
        let found = told.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.unwrap_or_else(|| panic!("{name}: {told}")).to_owned()
    };
    assert!(line("gaitd").contains(&format!("process {}", daemon.pid())));
    assert!(line("state").contains("alive"));
    assert!(line("source").contains("standard input"));
    assert!(line("windows").contains("5 of 5 decided"));
    assert!(line("budget").contains("50 ms"));
    assert!(line("pin").contains("none"));
    assert!(line("ladder").contains("10 configurations"));
    assert!(line("output").contains("writing"));
    assert!(line("reloads").contains("0 done"));
    assert!(told.contains(&daemon.address().to_string()) && told.contains(daemon.socket.to_str().unwrap()));

    // the thread that shows decisions may be a little behind the output
    let told = super::daemon::until("the latest decision", || {
        Some(daemon.ctl(&["explain"]).done()).filter(|told| told.contains("window 4:"))
    });
    let picked: Vec<&str> = told.lines().filter(|line| line.trim_start().starts_with('*')).collect();
    let configuration = decisions[4]["configuration"].as_str().unwrap();
    assert!(picked.len() == 1 && picked[0].contains(configuration), "{told}");
    let asked = usize::from(!decisions[4]["cascade"].is_null());
    assert_eq!(told.lines().count(), 3 + asked + 1 + 10 + 7, "{told}");
}
