//! Options mean the same thing in every command, and the names that they had before go on working.

use std::io::Write;
use std::process::Stdio;

use gaitd_tests::{csv, lines, summary};
use serde_json::json;
use tempfile::TempDir;

use crate::program::gaitd;

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_command_tells_its_version_and_is_listed() {
    let state = TempDir::new().unwrap();
    let version = concat!("gaitd ", env!("CARGO_PKG_VERSION"), "\n");
    let help = gaitd(state.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // what continues a description stands further in
    let listed = listed.filter(|line| !line.starts_with("   "));
    let commands: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"man") && commands.contains(&"run"), "{help}");
    for command in commands.iter().filter(|command| **command != "help") {
        for flag in ["--version", "-V"] {
            let told = gaitd(state.path()).args([command, flag]).output().unwrap();
            let text = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.status.success() && text == version, "{command} {flag}: {text}");
        }
    }
    for below in [["ctl", "status"], ["model", "show"]] {
        gaitd(state.path()).args(below).arg("--version").assert().success().stdout(version);
    }
}

#[test]
fn old_names_of_options_work_and_are_told_of() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(file("walk.csv"), csv(10.0)).unwrap();
    let (decisions, pages, rehearsal) = (file("decisions"), file("pages"), file("rehearsal"));
    let run = |rung: &str| -> Vec<String> {
        let flags = ["run", "--pace", "fast", "--source", "wearer", "--seconds", "5", rung];
        flags.map(str::to_owned).to_vec()
    };
    let replay = |output: &[&str]| -> Vec<String> {
        [&["replay", "wearer", "--seconds", "20"][..], output].concat().into_iter().map(str::to_owned).collect()
    };
    let man = |flag: &str| ["man", "--date", "2026-11-25", flag, &pages].map(str::to_owned).to_vec();
    let rehearse = |flag: &str| -> Vec<String> {
        let flags = ["rehearse", "--experiment", "static", "--budgets-ms", "50", "--seconds-per-phase", "0.2"];
        [&flags[..], &["--policies", "fixed", flag, &rehearsal]].concat().into_iter().map(str::to_owned).collect()
    };
    for (before, after, old) in [
        (run("--configuration=0.10x-96"), run("--rung=0.10x-96"), "--configuration is called --rung now"),
        (
            replay(&["--configuration", "0.10x-96"]),
            replay(&["--rung", "0.10x-96"]),
            "--configuration is called --rung now",
        ),
        (replay(&["--decisions", &decisions]), replay(&["-o", &decisions]), "--decisions is called --output now"),
        (man("--output"), man("--output-dir"), "--output is called --output-dir now"),
        (man("-o"), man("--output-dir"), "-o is called --output-dir now"),
        (rehearse("--out"), rehearse("--output-dir"), "--out is called --output-dir now"),
    ] {
        let output = gaitd(directory.path()).args(&before).output().unwrap();
        assert!(output.status.success() && stderr(&output).contains(old), "{before:?}: {}", stderr(&output));
        let output = gaitd(directory.path()).args(&after).output().unwrap();
        assert!(output.status.success() && !stderr(&output).contains("is called"), "{after:?}: {}", stderr(&output));
        let help = gaitd(directory.path()).args([before[0].as_str(), "--help"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let gone = old.split(' ').next().unwrap();
        assert!(!help.contains(&format!("{gone} <")), "{gone} is shown in {help}");
    }
}

#[test]
fn seconds_end_any_source() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("walk.csv");
    std::fs::write(&path, csv(60.0)).unwrap();
    let samples = |arguments: &[&str]| {
        let output = gaitd(directory.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        summary(&output.stdout)["samples"]["samples"].as_u64().unwrap()
    };
    let source = path.display().to_string();
    assert_eq!(samples(&["run", "--pace", "fast", "--source", &source, "--seconds", "10"]), 500);
    assert_eq!(samples(&["run", "--pace", "fast", "--source", &source, "--seconds", "0"]), 3000);
    assert_eq!(samples(&["run", "--pace", "fast", "--source", "wearer", "--seconds", "10"]), 500);
    let config = directory.path().join("config.json");
    let limited = json!({"source": {"kind": "file", "path": "walk.csv", "pace": "fast", "seconds": 8}});
    std::fs::write(&config, limited.to_string()).unwrap();
    let config = config.display().to_string();
    assert_eq!(samples(&["run", &config]), 400);
    assert_eq!(samples(&["run", &config, "--seconds", "12"]), 600);
    for wrong in ["-1", "nan", "4e9"] {
        let refused = gaitd(directory.path()).args(["run", "--source", &source, "--seconds", wrong]).output().unwrap();
        assert!(refused.status.code() == Some(78) && stderr(&refused).contains("source.seconds is"), "{wrong}");
    }

    // a stream that does not end
    let mut live = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
        .args(["run", "--source", "-", "--seconds", "10", "--format", "ndjson"])
        .env("XDG_STATE_HOME", directory.path())
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = live.stdin.take().unwrap();
    // the daemon may be gone before it has read all
    let _ = stdin.write_all(csv(20.0).as_bytes());
    let output = live.wait_with_output().unwrap();
    drop(stdin);
    assert!(output.status.success());
    assert_eq!(summary(&output.stdout)["samples"]["samples"], 500);

    // labelled windows of the first ten seconds alone
    let labelled = directory.path().join("labelled.csv");
    let text: String = csv(60.0).lines().map(|line| format!("{line},walking\n")).collect();
    std::fs::write(&labelled, text.replacen(",walking", ",label", 1)).unwrap();
    let compared = |more: &[&str]| {
        let mut replay = gaitd(directory.path());
        let output = replay.arg("replay").arg(&labelled).args(["--json", "--rung", "0.10x-96"]).args(more).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["windows"].as_u64().unwrap()
    };
    assert!(compared(&["--seconds", "10"]) < compared(&[]) / 3);
    let mut refused = gaitd(directory.path());
    let refused = refused.arg("replay").arg(&labelled).args(["--seconds", "-1"]).output().unwrap();
    assert!(refused.status.code() == Some(78) && stderr(&refused).contains("source.seconds is -1"));
}

#[test]
fn the_output_is_the_file_that_is_written() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("decisions.ndjson");
    let mut run = gaitd(directory.path());
    run.args(["run", "--pace", "fast", "--seconds", "10", "-o"]).arg(&file).assert().success().stdout("");
    let decided = lines(&std::fs::read(&file).unwrap(), "decision").len();
    assert!(decided > 0);
    let mut run = gaitd(directory.path());
    let output = run.args(["run", "--pace", "fast", "--seconds", "10", "--json"]).output().unwrap();
    assert_eq!(lines(&output.stdout, "decision").len(), decided);
    let mut replay = gaitd(directory.path());
    replay.args(["replay", "wearer", "--seconds", "30", "-o"]).arg(&file).assert().success();
    assert!(lines(&std::fs::read(&file).unwrap(), "decision").len() > decided);
}

/// Who names a recording where a configuration goes is told where recordings go.
#[test]
fn a_recording_in_place_of_a_configuration_is_told_where_it_goes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("walk.csv");
    std::fs::write(&path, csv(10.0)).unwrap();
    for command in ["run", "check"] {
        let output = gaitd(directory.path()).arg(command).arg(&path).output().unwrap();
        let told = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(78), "{told}");
        assert!(told.contains("--source FILE") && told.contains("--stream FILE"), "{told}");
    }
}

/// A recording is the dearest thing that a user has: decisions go neither into it nor over it.
#[test]
fn decisions_never_go_where_samples_come_from() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let samples = csv(20.0);
    let recording = write("walk.csv", &samples);
    let other_name = directory.path().join("same.csv");
    std::fs::hard_link(&recording, &other_name).unwrap();
    let config =
        write("config.json", r#"{"source": {"kind": "file", "path": "walk.csv"}, "outputs": [{"path": "same.csv"}]}"#);
    let notes = write("notes.txt", "dear notes");
    let file = |path: &std::path::Path| path.display().to_string();
    for (arguments, told) in [
        (
            ["run", "--source", &file(&recording), "-o", &file(&other_name)].map(str::to_owned).to_vec(),
            "what samples are read from",
        ),
        (vec!["run".to_owned(), file(&config)], "what samples are read from"),
        (vec!["check".to_owned(), file(&config)], "what samples are read from"),
        (["replay", &file(&recording), "-o", &file(&recording)].map(str::to_owned).to_vec(), "is what is replayed"),
        (["replay", &file(&recording), "-o", &file(&notes)].map(str::to_owned).to_vec(), "holds no decisions"),
    ] {
        let output = gaitd(directory.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(std::fs::read_to_string(&recording).unwrap(), samples);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "dear notes");

    // decisions of before are replaced
    let decisions = directory.path().join("decisions.ndjson");
    let replay = || {
        let output = gaitd(directory.path())
            .args(["replay", "wearer", "--seconds", "20", "-o"])
            .arg(&decisions)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read_to_string(&decisions).unwrap().lines().count()
    };
    assert_eq!(replay(), replay());
}

/// What is no file is refused when it is opened, by its name, whatever asks for it.
#[test]
fn a_folder_is_no_source() {
    let directory = TempDir::new().unwrap();
    let folder = directory.path().display().to_string();
    for arguments in [vec!["run", "--source", &folder, "--pace", "fast"], vec!["replay", &folder]] {
        let output = gaitd(directory.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(66), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!("cannot open {folder}")), "{}", stderr(&output));
    }
}
