//! `gaitd schema`: what is shipped is valid by the printed schemas, and what is wrong is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gaitd_api::DecisionLine;
use gaitd_api::schema::{of_answer, of_file};
use gaitd_core::ladder::{Golden, Manifest};
use gaitd_daemon::Config;
use gaitd_daemon::http::derive_document;
use gaitd_lab::simulate::Scenario;
use gaitd_sense::RecordingInfo;
use gaitd_tests::schema::Schema;
use serde_json::{Value, json};

fn printed(subject: &str) -> Vec<u8> {
    let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("gaitd")).args(["schema", subject]).unwrap();
    output.stdout
}

fn print(subject: &str) -> Value {
    serde_json::from_slice(&printed(subject)).unwrap()
}

/// A schema as the program prints it.
struct Printed(Schema);

impl Printed {
    fn new(subject: &str) -> Self {
        let printed = print(subject);
        assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(printed["$id"].as_str().unwrap().contains(subject));
        assert!(printed["title"].as_str().unwrap().contains("gaitd"));
        Self(Schema::new(printed, ""))
    }

    fn accepts(&self, value: &Value) -> Result<(), String> {
        self.0.check(value)
    }

    /// `value` with each of `wrongs` in it, one at a time, which are values by JSON pointer; a pointer to what is not
    /// there adds a field.
    fn refuses(&self, value: &Value, wrongs: &[(&str, Value)]) {
        self.accepts(value).unwrap();
        for (pointer, wrong) in wrongs {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let mut changed = value.clone();
            match changed.pointer_mut(parent).unwrap() {
                Value::Array(values) => values[field.parse::<usize>().unwrap()] = wrong.clone(),
                parent => parent[field] = wrong.clone(),
            }
            assert!(self.accepts(&changed).is_err(), "{pointer} may be {wrong}");
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The JSON files in a folder of the repository; one at least.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    assert!(!found.is_empty());
    found
}

/// What `gaitd schema` prints, by subject, derived from the types that are read and written.
fn derived() -> [(&'static str, String); 6] {
    fn text(form: &impl serde::Serialize) -> String {
        serde_json::to_string_pretty(form).unwrap() + "\n"
    }
    [
        ("config", text(&of_file::<Config>("config", "Configuration of gaitd"))),
        ("manifest", text(&of_file::<Manifest>("manifest", "Manifest of a model of gaitd"))),
        ("scenario", text(&of_file::<Scenario>("scenario", "Scenario of gaitd simulate"))),
        ("recording", text(&of_file::<RecordingInfo>("recording", "Recording of gaitd"))),
        ("decision", text(&of_answer::<DecisionLine>("decision", "Decision of gaitd"))),
        ("openapi", text(&derive_document())),
    ]
}

/// The committed files, which the program prints, are what its types say: `GAITD_UPDATE=1` writes them anew.
#[test]
fn the_schemas_in_docs_are_those_of_the_types() {
    for (subject, derived) in derived() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{subject}.json"));
        if std::env::var_os("GAITD_UPDATE").is_some() {
            std::fs::write(&path, derived).unwrap();
            continue;
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == derived, "{} is not what the types say; GAITD_UPDATE=1 writes it anew", path.display());
        assert!(printed(subject) == derived.as_bytes(), "gaitd schema {subject} prints something else");
    }
}

#[test]
fn shipped_configurations_are_valid_and_wrong_ones_are_not() {
    let schema = Printed::new("config");
    for path in files("configs") {
        schema.accepts(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    schema.accepts(&json!({})).unwrap();
    let source = json!({"kind": "file", "path": ["acc.csv", "gyro.csv"], "mount_matrix": "y,-x,z"});
    schema.accepts(&json!({"source": source})).unwrap();
    let config = json!({
        "$schema": "gaitd.schema.json",
        "stream": "left-wrist",
        "source": {"kind": "file", "path": "samples", "pace": "live", "on_failure": "retry"},
        "control": {
            "budget_ms": 20,
            "policy": {"kind": "step", "average": 3},
            "objective": {"kind": "energy", "accuracy_floor": 0.9},
            "cpu_budget_percent": null,
        },
        "http": {"listen": "127.0.0.1:4248"},
    });
    schema.refuses(
        &config,
        &[
            ("/bugdet", json!(1)),
            ("/stream", json!("")),
            ("/stream", json!("left wrist")),
            ("/stream", json!("x".repeat(65))),
            ("/source/kind", json!("radio")),
            ("/source/seed", json!(1)),
            ("/source/path", json!([])),
            ("/source/path", json!(vec!["a"; 9])),
            ("/source/mount_matrix", json!([0, 1, 0])),
            ("/control/budget_ms", json!(0)),
            ("/control/budget_ms", json!(60_001)),
            ("/control/budget_ms", json!("20")),
            ("/control/miss_target", json!(1.5)),
            ("/control/cpu_budget_percent", json!(101)),
            ("/control/policy/average", json!(0)),
            ("/control/policy/average", json!(1001)),
            ("/control/policy/band_ms", json!(0)),
            ("/control/policy", json!({"kind": "bayes", "average": 3})),
            ("/control/policy", json!({"kind": "slackfit", "average": 3})),
            ("/control/policy", json!({"kind": "alert", "constants": {"noise_memory": 1.1}})),
            ("/control/policy", json!({"kind": "alert", "constants": {"process_noise": 0}})),
            ("/control/policy", json!({"kind": "alert", "constants": {"alpha": 0.3}})),
            ("/control/objective/accuracy_floor", json!(-0.1)),
            ("/http/port", json!(80)),
        ],
    );
}

#[test]
fn shipped_manifests_are_valid_and_wrong_ones_are_not() {
    let schema = Printed::new("manifest");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut manifest = None;
    for model in std::fs::read_dir(models).unwrap() {
        let path = model.unwrap().path().join("manifest.json");
        let found = manifest.insert(read(&path));
        schema.accepts(found).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    schema.refuses(
        &manifest.unwrap(),
        &[
            ("/more", json!(1)),
            ("/schema", json!(4)),
            ("/configurations", json!([])),
            ("/task/labels", json!(["sitting", "sitting"])),
            ("/task/sample_rate_hz", json!(0.05)),
            ("/task/window", json!(0)),
            ("/task/input/conditioning", json!([{"op": "guess", "from": ["acc_x"]}])),
            ("/configurations/0/width", json!(1.5)),
            ("/configurations/0/sha256", json!("AB")),
            ("/configurations/0/file", json!("../elsewhere.onnx")),
            ("/configurations/0/temperature", json!(0)),
            ("/configurations/0/accuracy/validation", json!(93.0)),
            ("/configurations/0/inputs", json!([{"layout": "sideways"}])),
            ("/configurations/0/output", json!({"holds": "guesses"})),
            ("/task/normalisation", json!({"method": "guess"})),
            (
                "/context",
                json!({"bout_s": 20, "evidence": 0.5, "hop_s": 1.28, "doubt": 0.1, "change": {"quantity": "heat"}}),
            ),
        ],
    );
}

/// A page of the documentation.
fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The paths of all keys of `node` in the schema `whole`, but for those of the definitions `apart`, which are described
/// elsewhere.
fn keys(whole: &Value, node: &Value, apart: &[&str], at: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = node["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        if !apart.contains(&name) {
            keys(whole, &whole["$defs"][name], apart, at, found);
        }
    }
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        keys(whole, property, apart, &path, found);
        found.insert(path);
    }
    let several = ["anyOf", "oneOf"].iter().filter_map(|kind| node[*kind].as_array()).flatten();
    several.chain(node.get("items")).for_each(|part| keys(whole, part, apart, at, found));
}

/// The documented keys: a row of a table has one, in the object that the heading above it names in backticks, if any.
fn documented(page: &str) -> BTreeSet<String> {
    let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    let (mut within, mut found) = (None, BTreeSet::new());
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = quoted(heading);
            within = (!name.is_empty() || heading == "The file").then_some(name);
        } else if let (Some(within), true) = (&within, line.starts_with("| `")) {
            let key = quoted(line);
            found.insert(if within.is_empty() { key } else { format!("{within}.{key}") });
        }
    }
    found
}

#[test]
fn the_page_of_the_manifest_has_each_key_of_its_schema_and_no_other() {
    let schema = print("manifest");
    let mut expected = BTreeSet::new();
    keys(&schema, &schema, &["Operation", "Normalisation"], "", &mut expected);
    assert!(expected.contains("task.input.statistics.at_rest.noise") && expected.len() > 50, "{expected:?}");
    assert_eq!(documented(&page("manifest.md")), expected);

    let conditioning = page("conditioning.md");
    for part in ["Operation", "Normalisation"] {
        let mut of_part = BTreeSet::new();
        keys(&schema, &schema["$defs"][part], &[], "", &mut of_part);
        assert!(of_part.len() > 3, "{part}: {of_part:?}");
        for key in of_part {
            assert!(conditioning.contains(&format!("`{key}`")), "{part}: {key}");
        }
    }
}

/// The examples of the page, in its order: a manifest and its golden vectors.
#[test]
fn the_documented_manifest_is_accepted_with_its_golden_vectors() {
    let page = page("manifest.md");
    let examples: Vec<_> = page.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [manifest, golden] = examples[..] else { panic!("{examples:?}") };
    Printed::new("manifest").accepts(&serde_json::from_str(manifest).unwrap()).unwrap();
    let manifest = Manifest::parse(manifest.as_bytes(), Path::new("manifest.json")).unwrap();
    manifest.cutter().unwrap();
    Golden::parse(golden.as_bytes(), Path::new("golden.json"), &manifest).unwrap();
}

#[test]
fn shipped_scenarios_are_valid_and_wrong_ones_are_not() {
    let schema = Printed::new("scenario");
    for path in files("configs/scenarios") {
        schema.accepts(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/uci-har-steps.json");
    schema.refuses(
        &read(&steps),
        &[
            ("/more", json!(1)),
            ("/schema", json!(0)),
            ("/name", json!("a name")),
            ("/budgets", json!([])),
            ("/inferences", json!(0)),
            ("/seeds", json!([])),
            ("/ladder/labels", json!(1)),
            ("/ladder/configurations/0/latency_ms", json!(0)),
            ("/slowdown/kind", json!("guess")),
            ("/slowdown/levels/0/load", json!(2)),
            ("/slowdown/more", json!(1)),
            ("/slowdown/dwell/mean", json!(0)),
            ("/slowdown/tail/share", json!(-1)),
            ("/load/noise", json!(3)),
        ],
    );
    schema.refuses(
        &read(&steps.with_file_name("outliers.json")),
        &[
            ("/wait/median_ms", json!(0)),
            ("/wait/tail/share", json!(2)),
            ("/publish/noise", json!(-1)),
            ("/publish/more", json!(1)),
        ],
    );
}

#[test]
fn a_written_decision_is_valid_and_a_wrong_one_is_not() {
    let schema = Printed::new("decision");
    let mut gaitd = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    let state = tempfile::TempDir::new().unwrap();
    let output = gaitd
        .args(["run", "--pace", "fast", "--seconds", "6", "--format", "ndjson", "--state"])
        .arg(state.path())
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["class"], &lines[0]["protocol"]), (&json!("gaitd"), &json!(2)));
    for line in &lines {
        assert_eq!(line["stream"], "default", "{line}");
    }
    let decision = lines.iter().find(|line| line["class"] == "decision").unwrap();
    schema.refuses(
        decision,
        &[
            ("/class", json!("guess")),
            ("/window", json!(-1)),
            ("/samples", json!([1])),
            ("/stream", json!(null)),
            ("/instant/probabilities/sitting", json!(2)),
            ("/reason", json!("because")),
            ("/timings_ms/infer", json!(-1)),
        ],
    );
}

#[test]
fn the_description_of_the_interface_is_printed_as_it_is_served() {
    assert_eq!(print("openapi")["openapi"], "3.1.0");
}

#[test]
fn what_import_writes_is_valid_and_wrong_ones_are_not() {
    let schema = Printed::new("recording");
    let here = tempfile::TempDir::new().unwrap();
    std::fs::write(here.path().join("in.csv"), gaitd_tests::csv(4.0)).unwrap();
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    let label = ["--label", "walking"];
    command.current_dir(here.path()).args(["import", "in.csv", "-o", "out"]).args(label).assert().success();
    schema.refuses(
        &read(&here.path().join("out.json")),
        &[
            ("/more", json!(1)),
            ("/version", json!("1")),
            ("/rate_hz", json!("50")),
            ("/channels/0/unit", json!(1)),
            ("/labels/walking", json!(-1)),
            ("/sources/0/counts/samples", json!(null)),
            ("/sources/0/columns/0", json!("acc_x")),
        ],
    );
}
