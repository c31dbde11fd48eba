//! How commands end where standard error is closed, a disk is full, a stream is refused or nothing can be kept.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use gaitd_tests::{csv, lines, summary};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// gaitd as a command of the standard library, whose streams may be anything.
fn plain(state: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command.env("GAITD_LOG", "info").env_remove("STATE_DIRECTORY").env("XDG_STATE_HOME", state);
    command
}

/// A stream at 5 Hz, of which no model can make anything.
fn too_slow(directory: &TempDir) -> std::path::PathBuf {
    let path = directory.path().join("slow.csv");
    let all = csv(100.0);
    let rows: String = all.lines().skip(1).step_by(10).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{}\n{rows}", all.lines().next().unwrap())).unwrap();
    path
}

#[test]
fn a_closed_or_full_standard_error_changes_no_exit_code() {
    let directory = TempDir::new().unwrap();
    let slow = too_slow(&directory).display().to_string();
    let failing: [(&[&str], i32); 6] = [
        (&["run", "--source", &slow, "--pace", "fast"], 65),
        (&["run", "--source", "/no/such/file"], 66),
        (&["run", "--no-such-flag"], 64),
        (&["run", "--log-format", "json", "--budget-ms", "0"], 78),
        (&["check", "/no/such/file"], 66),
        (&["replay", &slow], 65),
    ];
    for (arguments, code) in failing {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        for stderr in [Stdio::from(closed), Stdio::from(full)] {
            let mut command = plain(directory.path());
            let status = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).status();
            assert_eq!(status.unwrap().code(), Some(code), "{arguments:?}");
        }
    }
}

#[test]
fn a_rehearsal_announces_itself_to_nobody() {
    let directory = TempDir::new().unwrap();
    let mut command = plain(directory.path());
    command.current_dir(directory.path());
    command.args(["rehearse", "--experiment", "static", "--budgets-ms", "50", "--seconds-per-phase", "0.2"]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert!(command.args(["--policies", "fixed"]).stdout(Stdio::null()).stderr(full).status().unwrap().success());
}

#[test]
fn a_refused_stream_leaves_nothing_on_the_output() {
    let directory = TempDir::new().unwrap();
    let slow = too_slow(&directory);
    let empty = directory.path().join("empty.csv");
    std::fs::write(&empty, "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n").unwrap();
    for stream in [&slow, &empty] {
        for format in ["text", "ndjson"] {
            let file = directory.path().join(format);
            let run = |output: &Path| {
                let mut command = gaitd(directory.path());
                command.args(["run", "--pace", "fast", "--format", format, "--source"]).arg(stream);
                command.arg("--output").arg(output).assert().code(65).stdout("");
            };
            run(Path::new("-"));
            run(&file);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
        }
    }
}

#[test]
fn a_run_that_ends_before_its_first_window_is_summed_up() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["run", "--pace", "fast", "--seconds", "1"]).assert().success();
    let stdout = &output.get_output().stdout;
    assert_eq!((lines(stdout, "gaitd").len(), &summary(stdout)["windows"]["decided"]), (1, &Value::from(0)));
}

/// Runs gaitd where no file may grow beyond some KiB, as on a full disk: what fits of a line is written.
fn run_on_a_full_disk(state: &Path, arguments: &[&str], stdout: Stdio) -> i32 {
    let program = assert_cmd::cargo::cargo_bin!("gaitd");
    // in blocks of 512 bytes, or of 1024, by the shell
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(program).args(arguments);
    command.env_remove("STATE_DIRECTORY").env("XDG_STATE_HOME", state).stderr(Stdio::null());
    command.stdout(stdout).status().unwrap().code().unwrap()
}

#[test]
fn a_full_disk_keeps_whole_lines_only() {
    let state = TempDir::new().unwrap();
    for format in ["ndjson", "text"] {
        let run = ["run", "--pace", "fast", "--seconds", "400", "--format", format, "--output"];
        let [appended, redirected] =
            ["appended", "redirected"].map(|name| state.path().join(format!("{name}.{format}")));
        std::fs::write(&appended, "{\"class\":\"what was there before\"}\n").unwrap();
        let file = appended.display().to_string();
        assert_eq!(run_on_a_full_disk(state.path(), &[&run[..], &[&file]].concat(), Stdio::null()), 74);
        let stdout = File::create(&redirected).unwrap().into();
        assert_eq!(run_on_a_full_disk(state.path(), &[&run[..], &["-"]].concat(), stdout), 74);
        for path in [appended, redirected] {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.len() > 4 << 10 && text.ends_with('\n'), "{} bytes of {}", text.len(), path.display());
            if format == "ndjson" {
                for line in text.lines() {
                    assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
                }
            } else {
                let decisions: Vec<_> = text.lines().filter(|line| line.contains("not timed")).collect();
                assert!(!decisions.is_empty() && decisions.iter().all(|line| line.ends_with("[simulated]")), "{text}");
            }
        }
    }
}

#[test]
fn a_state_folder_that_cannot_be_made_is_told_once_and_at_the_start() {
    let directory = TempDir::new().unwrap();
    let blocked = directory.path().join("file/state");
    std::fs::write(directory.path().join("file"), "").unwrap();
    let state = blocked.display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = gaitd(directory.path());
        let output = command.args(arguments).args(["--state", &state]).write_stdin(csv(30.0)).assert().success();
        String::from_utf8(output.get_output().stderr.clone()).unwrap()
    };
    // paced by what it reads, so that there is something to learn
    let told = run(&["run", "--source", "-"]);
    let of_it: Vec<&str> = told.lines().filter(|line| line.contains(&state)).collect();
    assert_eq!(of_it.len(), 1, "{told}");
    for part in ["WARN", "measures the ladder anew", "what is learned of it is forgotten", "--state"] {
        assert!(of_it[0].contains(part), "{told}");
    }
    assert!(told.lines().next().is_some_and(|line| line.contains(&state)), "{told}");
    assert!(!run(&["run", "--source", "-", "--pace", "fast"]).contains("learned"));
    // minutes of measuring are not begun
    let mut profile = gaitd(directory.path());
    let refused = profile.args(["profile", "--state", &state]).assert().failure();
    let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(message.contains(&state) && message.contains("--dry-run"), "{message}");
}

#[test]
fn nobody_waits_at_the_pace_fast_and_so_nothing_is_late() {
    let state = TempDir::new().unwrap();
    // no decision could be in time
    let run = ["run", "--pace", "fast", "--seconds", "20", "--budget-ms", "0.001", "--format"];
    let output = gaitd(state.path()).args(run).arg("ndjson").assert().success();
    let stdout = &output.get_output().stdout;
    let decisions = lines(stdout, "decision");
    assert!(!decisions.is_empty());
    for decision in decisions {
        assert_eq!((&decision["miss"], &decision["slack_ms"]), (&Value::Null, &Value::Null));
        assert!(decision["timings_ms"]["infer"].as_f64().unwrap() > 0.0);
    }
    let summary = summary(stdout);
    assert_eq!(summary["misses"], Value::Null);
    assert_eq!(summary["phases"].as_array().unwrap().len(), 6);

    let output = gaitd(state.path()).args(run).arg("text").assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("not timed") && !text.contains("MISS") && !text.contains("later than"), "{text}");

    // of a stream that somebody waits for they are timed
    let run = ["run", "--source", "-", "--budget-ms", "0.001"];
    let output = gaitd(state.path()).args(run).write_stdin(csv(10.0)).assert().success();
    let stdout = &output.get_output().stdout;
    assert!(lines(stdout, "decision").iter().all(|decision| decision["miss"] == true));
    assert_eq!(gaitd_tests::summary(stdout)["misses"]["rate"], 1.0);
}
