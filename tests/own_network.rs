//! docs/own-network.md: what stands there is run as it stands there, from the exporter to the decisions.

use std::path::Path;
use std::process::Command as Program;

use gaitd_tests::{lines, python, repository};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// The fenced blocks of `page` in `language`.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Runs a command line of the page in `folder`, and gives what it printed, and said on standard error.
fn run(folder: &Path, line: &str, code: i32) -> (String, String) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("gaitd"), "{line}");
    let output = gaitd(folder).current_dir(folder).args(words).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.get_output().stdout), text(&output.get_output().stderr))
}

#[test]
fn the_page_leads_from_an_export_to_decisions() {
    let Some(python) = python("the_page_leads_from_an_export_to_decisions", "torch, onnx") else { return };
    let page = std::fs::read_to_string(repository().join("docs/own-network.md")).unwrap();
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("train.py");
    std::fs::write(&script, blocks(&page, "python")[0]).unwrap();
    let output = Program::new(python).arg(&script).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let commands: Vec<&str> = blocks(&page, "sh").into_iter().flat_map(str::lines).collect();
    let [ask, new, check, show, replay, fast, live] = commands[..] else { panic!("{commands:?}") };
    let (text, error) = run(folder.path(), ask, 64);
    // what a reader is shown is what is printed
    let shown: Vec<&str> = blocks(&page, "text")[0].lines().map(str::trim).collect();
    for line in shown {
        assert!(text.contains(line) || error.contains(line), "{line:?} is not in\n{text}{error}");
    }
    run(folder.path(), new, 0);
    run(folder.path(), check, 0);
    assert!(run(folder.path(), show, 0).0.contains("walking, running, still"));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("mine/manifest.json")).unwrap()).unwrap();
    let replayed = run(folder.path(), &format!("{replay} --json"), 0).0;
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    for (made, replayed) in
        manifest["configurations"].as_array().unwrap().iter().zip(replayed["configurations"].as_array().unwrap())
    {
        assert_eq!(made["accuracy"]["validation"], replayed["accuracy"]);
    }
    let (text, _) = run(folder.path(), fast, 0);
    assert!(lines(text.as_bytes(), "decision").len() > 100);
    // the dashboard has tests of its own; here only that it is asked for as it can be
    assert_eq!(live, fast.replace("--pace fast", "--http"));
}
