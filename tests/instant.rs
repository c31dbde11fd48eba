//! An output that wants each window's own answer, beside one that wants the stream's.

use gaitd_tests::{fresh, lines};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// The decisions of one run on its standard output, and those of a file of which the configuration says `context`.
fn run(context: bool, control: &Value) -> (Vec<u8>, Vec<u8>) {
    let state = TempDir::new().unwrap();
    let (config, file) = (fresh(&state, "json"), fresh(&state, "ndjson"));
    let outputs = json!([{"format": "ndjson"}, {"format": "ndjson", "path": file, "context": context}]);
    let source = json!({"kind": "wearer", "seed": 4, "seconds": 120, "pace": "fast"});
    let told = json!({"source": source, "outputs": outputs, "control": control});
    std::fs::write(&config, told.to_string()).unwrap();
    let mut command = gaitd(state.path());
    let output = command.arg("run").arg(config).assert().success().get_output().stdout.clone();
    (output, std::fs::read(file).unwrap())
}

#[test]
fn an_output_without_context_has_each_windows_own_answer() {
    let pinned = json!({"policy": {"kind": "fixed", "configuration": "0.10x-96"}, "lag": 2});
    let (stream, alone) = run(false, &pinned);
    let (with, without) = (lines(&stream, "decision"), lines(&alone, "decision"));
    assert!(with.len() > 80);
    assert_eq!(with.len(), without.len());
    let mut other = 0;
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(without["activity"], with["instant"]["activity"]);
        assert_eq!(without["belief"], with["instant"]["probabilities"]);
        for field in ["window", "samples", "instant", "configuration", "mmacs"] {
            assert_eq!(with[field], without[field], "{field}");
        }
        other += usize::from(with["activity"] != without["activity"]);
    }
    assert!(other > 0, "else nothing is told apart");
    let count = |output: &[u8]| ["revised", "episode"].map(|class| lines(output, class).len());
    assert!(count(&stream).iter().all(|count| *count > 2), "{:?}", count(&stream));
    assert_eq!(count(&alone), [0, 0]);
    assert_eq!(lines(&alone, "summary").len(), lines(&stream, "summary").len());
}

#[test]
fn outputs_have_context_unless_they_say_otherwise() {
    let (stream, file) = run(true, &json!({"policy": {"kind": "fixed", "configuration": "0.10x-96"}}));
    let beliefs = |output: &[u8]| lines(output, "decision").iter().map(|it| it["belief"].clone()).collect::<Vec<_>>();
    assert_eq!(beliefs(&stream), beliefs(&file));
}
