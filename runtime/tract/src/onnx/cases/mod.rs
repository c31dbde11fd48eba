//! The ONNX project's backend tests, through the reading and the optimising of every network: each passes or ends as a
//! committed table says.

mod case;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use gaitd_tests::{python, repository};
use tempfile::TempDir;

use case::Outcome;

/// Where the table is.
const TABLE: &str = "runtime/tract/src/onnx/cases/table.txt";

#[test]
fn the_backend_tests_of_onnx_end_as_the_table_says() {
    let Some(python) = python("ONNX's backend tests", "onnx") else { return };
    let folder = TempDir::new().unwrap();
    let script = repository().join("tools/zoo/node_cases.py");
    assert!(Command::new(python).arg(script).arg(folder.path()).status().unwrap().success());
    let found = table(&run(folder.path()));
    let path = repository().join(TABLE);
    if std::env::var_os("GAITD_UPDATE").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap();
    let [found, expected] = [&found, &expected].map(|text| text.lines().collect::<BTreeSet<_>>());
    let list = |lines: &BTreeSet<&str>, others| lines.difference(others).map(|line| format!("  {line}\n")).collect();
    let (more, less): (String, String) = (list(&found, &expected), list(&expected, &found));
    assert!(
        found == expected,
        "{TABLE} says\n{less}and this is what was found:\n{more}If it is meant to be so, GAITD_UPDATE=1 in the \
         environment of this test writes the table anew."
    );
}

/// The outcome of each test in `folder`, by KIND/NAME.
fn run(folder: &Path) -> BTreeMap<String, Outcome> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let tests = names(folder).into_iter().flat_map(|kind| {
        let of_kind = names(&folder.join(&kind)).into_iter();
        of_kind.map(move |name| format!("{kind}/{name}"))
    });
    let (left, outcomes) = (Mutex::new(tests), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |count| count.get().min(8)) {
            scope.spawn(|| {
                loop {
                    // a statement of its own, which gives the lock back
                    let next = left.lock().unwrap().next();
                    let Some(name) = next else { break };
                    let outcome = case::outcome(&folder.join(&name));
                    outcomes.lock().unwrap().insert(name, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// How many tests pass, and how each of the others ends.
fn table(outcomes: &BTreeMap<String, Outcome>) -> String {
    let count = |wanted: &Outcome| outcomes.values().filter(|outcome| *outcome == wanted).count();
    let mut text = format!(
        "{} pass as they are, {} with constants in place of inputs\n",
        count(&Outcome::Passes),
        count(&Outcome::PassesWithConstants)
    );
    for (name, outcome) in outcomes {
        if let Outcome::Fails(how) = outcome {
            writeln!(text, "{name} {how}").unwrap();
        }
    }
    text
}
