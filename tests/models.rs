//! Models, good and bad, through `gaitd check`, `gaitd ladder` and the library.

use gaitd_core::ladder::sha256;
use gaitd_tests::{ModelCopy, shipped_model};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

/// What `gaitd check` says of a spoilt model; it must refuse it with the exit code `code`.
fn refusal(model: &ModelCopy, code: i32) -> String {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).arg("check").arg(model.path()).assert().code(code);
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_shipped_model_is_valid() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).arg("check").arg(shipped_model()).arg("--json").assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["checked"][0]["valid"], true);
}

#[test]
fn a_damaged_network_is_refused_by_name() {
    let whole = std::fs::read(shipped_model().join("1.00x-128.onnx")).unwrap();
    let truncated = whole[..whole.len() / 2].to_vec();
    let mut flipped = whole;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for bytes in [truncated, flipped] {
        let model = ModelCopy::new();
        std::fs::write(model.path().join("1.00x-128.onnx"), bytes).unwrap();
        let message = refusal(&model, 65);
        assert!(message.contains("1.00x-128.onnx") && message.contains("SHA-256"), "{message}");
    }
}

/// Writes `bytes` in place of the network of `configuration`, with a hash that fits.
fn replace(model: &ModelCopy, configuration: usize, bytes: &[u8]) {
    model.edit(|manifest| {
        let configuration = &mut manifest["configurations"][configuration];
        let file = configuration["file"].as_str().unwrap();
        std::fs::write(model.path().join(file), bytes).unwrap();
        configuration["sha256"] = sha256(bytes).into();
    });
}

#[test]
fn what_is_no_network_is_refused_even_with_a_fitting_hash() {
    let truncated = std::fs::read(shipped_model().join("0.10x-96.onnx")).unwrap();
    for bytes in [b"".as_slice(), b"not a network", &truncated[..truncated.len() / 3]] {
        let model = ModelCopy::new();
        replace(&model, 0, bytes);
        let message = refusal(&model, 65);
        assert!(message.contains("0.10x-96.onnx"), "{message}");
    }
}

#[test]
fn another_network_does_not_pass_the_golden_vectors() {
    // weights altered, hash made to fit: only the golden vectors can tell
    let mut bytes = std::fs::read(shipped_model().join("0.10x-96.onnx")).unwrap();
    let altered = bytes.len() - 4 * 20;
    bytes[altered..altered + 64].fill(0x3f);
    let model = ModelCopy::new();
    replace(&model, 0, &bytes);
    let message = refusal(&model, 65);
    assert!(message.contains("0.10x-96"), "{message}");
}

#[test]
fn an_unlisted_network_is_refused_by_name() {
    let model = ModelCopy::new();
    std::fs::copy(model.path().join("1.00x-128.onnx"), model.path().join("0.33x-100.onnx")).unwrap();
    let message = refusal(&model, 65);
    assert!(message.contains("0.33x-100.onnx") && message.contains("does not list"), "{message}");
}

#[test]
fn missing_files_are_named() {
    for file in ["manifest.json", "golden.json", "1.00x-128.onnx"] {
        let model = ModelCopy::new();
        std::fs::remove_file(model.path().join(file)).unwrap();
        let message = refusal(&model, 66);
        assert!(message.contains(file), "{message}");
    }
}

/// Errors of calibration as the trainer notes them, those of the test subjects at the temperature being `after`.
fn calibration(before: f64, after: f64) -> Value {
    json!({"validation": {"before": before, "after": 0.012}, "test": {"before": 0.031, "after": after}})
}

/// The manifest in schema 2, without what that does not have.
fn second_schema(manifest: &mut Value) -> &mut Value {
    manifest["schema"] = 2.into();
    for key in ["context", "cascades"] {
        manifest.as_object_mut().unwrap().remove(key);
    }
    manifest
}

#[test]
fn what_is_wrong_with_a_manifest_is_named() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &[&str]); 38] = [
        (|m| drop(m["task"].as_object_mut().unwrap().remove("labels")), &["task", "labels"]),
        (|m| m["task"]["colour"] = "red".into(), &["task", "colour"]),
        (|m| m["configurations"][0]["bogus"] = 1.into(), &["configurations[0]", "bogus"]),
        (|m| m["schema"] = 4.into(), &["schema is 4", "schemas 1 to 3"]),
        (|m| m["schema"] = 1.into(), &["statistics belong to schema 2"]),
        (
            |m| m["task"]["input"]["statistics"][0]["channels"][0] = "acc_w".into(),
            &["task.input.statistics: acc_w is no raw channel"],
        ),
        (
            |m| m["task"]["input"]["statistics"][0]["at_rest"]["noise"] = (-1).into(),
            &["statistics of acc_x, acc_y, acc_z: a figure is below 0"],
        ),
        (|m| m["configurations"][0]["width"] = 0.0.into(), &["width is 0"]),
        (|m| m["configurations"][0]["width"] = (-1.0).into(), &["width is -1"]),
        (|m| m["configurations"][0]["resolution"] = 129.into(), &["resolution is 129", "128"]),
        (|m| m["configurations"][1] = m["configurations"][0].clone(), &["0.10x-96", "twice"]),
        (|m| m["configurations"] = json!([]), &["configurations is empty"]),
        (|m| m["configurations"][0]["file"] = "../other.onnx".into(), &["../other.onnx", "plain name"]),
        (|m| m["configurations"][0]["sha256"] = "abc".into(), &["sha256"]),
        (|m| m["task"]["hop"] = 0.into(), &["task.hop is 0"]),
        (|m| m["task"]["sample_rate_hz"] = (-50).into(), &["sample_rate_hz is -50"]),
        // bridging a tenth of a second of it would never end
        (|m| m["task"]["sample_rate_hz"] = 1e300.into(), &["sample_rate_hz is 1", "from 0.1 to 10000 hertz"]),
        (|m| m["task"]["sample_rate_hz"] = 1e-320.into(), &["sample_rate_hz is", "from 0.1 to 10000 hertz"]),
        // no machine has memory for it
        (|m| m["task"]["window"] = u64::MAX.into(), &["task.window is 18446744073709551615", "from 1 to 60000"]),
        (|m| m["task"]["input"]["conditioning"][0]["from"][0] = "acc_q".into(), &["conditioning", "acc_q"]),
        (|m| m["configurations"][0]["temperature"] = 0.into(), &["0.10x-96", "temperature is 0", "from 0.05 to 20"]),
        (|m| m["configurations"][0]["temperature"] = (-1.27).into(), &["temperature is -1.27"]),
        (|m| m["configurations"][9]["temperature"] = 20.1.into(), &["1.00x-128", "temperature is 20.1"]),
        (|m| m["configurations"][0]["temperature"] = 1e300.into(), &["temperature is 1"]),
        (|m| m["configurations"][0]["temperature"] = "warm".into(), &["configurations[0].temperature", "warm"]),
        (|m| m["configurations"][0]["temperature"] = Value::Null, &["configurations[0].temperature", "null"]),
        (
            |m| m["configurations"][0]["calibration"] = calibration(1.5, 0.01),
            &["0.10x-96", "calibration", "from 0 to 1"],
        ),
        (
            |m| m["configurations"][0]["calibration"] = calibration(0.03, -0.1),
            &["0.10x-96", "calibration", "from 0 to 1"],
        ),
        (|m| m["configurations"][0]["calibration"] = json!({"colour": 1}), &["calibration", "colour"]),
        // what only schema 3 can say, or leave out
        (|m| m["schema"] = 2.into(), &["context belongs to schema 3", "cascades belongs to schema 3"]),
        (
            |m| second_schema(m)["configurations"][0]["inputs"] = json!([{"layout": "1,T,C"}]),
            &["0.10x-96: inputs belongs to schema 3"],
        ),
        (
            |m| drop(second_schema(m)["configurations"][0].as_object_mut().unwrap().remove("recall")),
            &["0.10x-96: recall is missing"],
        ),
        (
            |m| drop(second_schema(m)["configurations"][0].as_object_mut().unwrap().remove("width")),
            &["width and resolution are needed"],
        ),
        (
            |m| {
                m["schema"] = 3.into();
                m["configurations"][0]["accuracy"] = json!({});
            },
            &["accuracy.validation is given for some configurations only"],
        ),
        (
            |m| {
                m["schema"] = 3.into();
                m["configurations"][0]["inputs"] = json!([{"layout": "1,C"}]);
            },
            &["configurations[0].inputs[0].layout", "is no layout"],
        ),
        (
            |m| {
                m["schema"] = 3.into();
                m["configurations"][0]["inputs"] = json!([{"channels": ["acc"]}, {}]);
            },
            &["there is no channel \"acc\"", "each of several needs its name"],
        ),
        (
            |m| {
                m["schema"] = 3.into();
                m["configurations"][0].as_object_mut().unwrap().remove("width");
                m["configurations"][0]["id"] = "the smallest".into();
            },
            &["its id must be 1 to 64 letters, digits"],
        ),
        (
            |m| {
                m["schema"] = 3.into();
                m["configurations"][0]["weights"] = json!([{"file": "../w", "sha256": "0"}]);
            },
            &["\"../w\" must be the plain name", "sha256 must be 64"],
        ),
    ];
    for (edit, expected) in cases {
        let model = ModelCopy::new();
        model.edit(edit);
        let message = refusal(&model, 65);
        for part in expected {
            assert!(message.contains(part), "{part:?} should be named in: {message}");
        }
    }
}

#[test]
fn a_ladder_that_knows_no_accuracy_makes_none_up() {
    let (state, model) = (TempDir::new().unwrap(), ModelCopy::new());
    let shipped: Value =
        serde_json::from_slice(&std::fs::read(shipped_model().join("manifest.json")).unwrap()).unwrap();
    model.edit(|manifest| {
        manifest["schema"] = 3.into();
        for configuration in manifest["configurations"].as_array_mut().unwrap() {
            for figure in ["accuracy", "recall", "macs", "parameters"] {
                configuration.as_object_mut().unwrap().remove(figure);
            }
        }
    });
    let models = ["--models", model.path().to_str().unwrap()];
    let output = |arguments: &[&str]| {
        let output = gaitd(state.path()).args(arguments).args(models).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let decided = output(&["run", "--pace", "fast", "--seconds", "20", "--budget-ms", "500"]);
    let decisions: Vec<Value> = decided.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<&Value> = decisions.iter().filter(|line| line["class"] == "decision").collect();
    assert!(decisions.len() > 10);
    for decision in decisions {
        // the last one is taken for the best, and there is time for it
        assert_eq!((&decision["expected_accuracy"], &decision["configuration"]), (&Value::Null, &json!("1.00x-128")));
    }
    // counted in the graph, where the trainer counts what is multiplied with padding as well
    let ladder: Value = serde_json::from_str(&output(&["ladder", "--json"])).unwrap();
    for (shown, trained) in
        ladder["configurations"].as_array().unwrap().iter().zip(shipped["configurations"].as_array().unwrap())
    {
        assert_eq!(shown["accuracy"], json!({}), "{}", shown["id"]);
        let share = shown["macs"].as_f64().unwrap() / trained["macs"].as_f64().unwrap();
        assert!((0.9..=1.0).contains(&share), "{}: {share}", shown["id"]);
    }
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let output = gaitd(state.path()).args(arguments).args(models).assert().code(code);
        let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(message.contains(why), "{why}: {message}");
    };
    refused(&["run", "--objective", "energy", "--seconds", "1"], 78, "this ladder does not know it");
    refused(&["rehearse"], 66, "does not know those of its configurations");
}

#[test]
fn all_problems_of_a_manifest_are_told_at_once() {
    let model = ModelCopy::new();
    model.edit(|manifest| {
        manifest["task"]["hop"] = 0.into();
        manifest["configurations"][0]["width"] = 2.0.into();
    });
    let message = refusal(&model, 65);
    assert!(message.contains("task.hop") && message.contains("width is 2"), "{message}");
}

#[test]
fn the_ladder_is_shown_with_what_the_manifest_says() {
    let state = TempDir::new().unwrap();
    let output = gaitd(state.path()).args(["ladder", "--json"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(shipped_model().join("manifest.json")).unwrap()).unwrap();
    let shown: Vec<_> = report["configurations"].as_array().unwrap().iter().map(|c| (&c["id"], &c["macs"])).collect();
    let listed: Vec<_> =
        manifest["configurations"].as_array().unwrap().iter().map(|c| (&c["id"], &c["macs"])).collect();
    assert_eq!(shown, listed);
    assert_eq!(report["profiled"], false);
    for configuration in report["configurations"].as_array().unwrap() {
        // at least the weights, and not absurdly more
        let number = |name: &str| configuration[name].as_u64().unwrap();
        let weights = number("parameters") * 4;
        let memory = (number("shared_kb") + number("own_kb")) * 1024;
        assert!((weights..20 * weights).contains(&memory), "{configuration}");
        let kernels = configuration["kernels"].as_array().unwrap();
        assert!(!kernels.is_empty() && kernels.iter().all(|kernel| kernel.as_str().unwrap().starts_with("supernet_")));
    }
}

#[test]
fn temperatures_are_shown_and_are_1_where_there_are_none() {
    let state = TempDir::new().unwrap();
    let model = ModelCopy::new();
    // the ends of what is allowed, and nothing
    model.set_temperatures(|rung| [None, Some(0.05), Some(20.0)][rung % 3]);
    model.edit(|manifest| manifest["configurations"][3]["calibration"] = calibration(0.031, 0.012));
    let shown = |arguments: &[&str]| {
        let output = gaitd(state.path()).arg("ladder").arg("--models").arg(model.path()).args(arguments).assert();
        String::from_utf8(output.success().get_output().stdout.clone()).unwrap()
    };
    let report: Value = serde_json::from_str(&shown(&["--json"])).unwrap();
    let temperatures: Vec<f64> =
        report["configurations"].as_array().unwrap().iter().map(|c| c["temperature"].as_f64().unwrap()).collect();
    assert_eq!(temperatures[..4], [1.0, 0.05, 20.0, 1.0]);
    let text = shown(&[]);
    assert!(text.contains("\nsoftmax temperatures: 0.05 to 20.00\n"), "{text}");
    model.set_temperatures(|_| Some(1.0));
    assert!(!shown(&[]).contains("temperatures"));
}

#[test]
fn a_profile_is_kept_where_the_ladder_and_the_daemon_find_it() {
    let state = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let output = gaitd(state.path()).args(arguments).assert().success();
        (serde_json::from_slice::<Value>(&output.get_output().stdout).unwrap(), output.get_output().stderr.clone())
    };
    let (profile, _) = run(&["profile", "--hot", "20", "--paced", "2", "--pace-ms", "1", "--json"]);
    for configuration in profile["configurations"].as_array().unwrap() {
        for regime in ["hot", "paced"] {
            let percentile = |name: &str| configuration[regime][name].as_f64().unwrap();
            assert!(percentile("p50") > 0.0 && percentile("p50") <= percentile("p90"));
            assert!(percentile("p90") <= percentile("p99"));
        }
    }
    let (ladder, _) = run(&["ladder", "--json"]);
    assert_eq!(ladder["profiled"], true);
    assert_eq!(ladder["configurations"][0]["latency_us"]["hot"], profile["configurations"][0]["hot"]);
    // another model's ladder finds nothing
    let output = gaitd(state.path()).args(["run", "--pace", "fast", "--seconds", "5"]).assert().success();
    assert!(!String::from_utf8_lossy(&output.get_output().stderr).contains("no profile"));
    let elsewhere = TempDir::new().unwrap();
    let output = gaitd(elsewhere.path()).args(["run", "--pace", "fast", "--seconds", "5"]).assert().success();
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("no profile"));
}

#[test]
fn a_damaged_profile_is_told_and_replaced_by_a_measurement() {
    let state = TempDir::new().unwrap();
    gaitd(state.path()).args(["profile", "--hot", "10", "--paced", "1", "--pace-ms", "0"]).assert().success();
    let profiles = state.path().join("gaitd/profiles");
    let file = std::fs::read_dir(profiles).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, b"{\"schema\": 1").unwrap();
    let output = gaitd(state.path()).args(["run", "--pace", "fast", "--seconds", "5"]).assert().success();
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(stderr.contains(&file.display().to_string()) && stderr.contains("gaitd profile"), "{stderr}");
}

#[cfg(feature = "tract")]
#[test]
fn a_backend_can_be_forced_and_has_profiles_of_its_own() {
    let state = TempDir::new().unwrap();
    let json = |arguments: &[&str]| {
        let output = gaitd(state.path()).args(arguments).arg("--json").assert().success();
        serde_json::from_slice::<Value>(&output.get_output().stdout).unwrap()
    };
    let profile = json(&["profile", "--hot", "10", "--paced", "1", "--pace-ms", "0", "--backend", "supernet"]);
    assert!(profile["backend"].as_str().unwrap().starts_with("supernet-"), "{}", profile["backend"]);
    let shown = |backend: &str| {
        let ladder = json(&["ladder", "--backend", backend]);
        (ladder["backend"].clone(), ladder["profiled"].clone())
    };
    assert_eq!(shown("auto"), ("supernet".into(), true.into()));
    assert_eq!(shown("tract"), ("tract".into(), false.into()));
    // kernels of another kind take another time
    let plain = |command: &mut assert_cmd::Command| {
        let output = command.env("GAITD_SUPERNET_ISA", "plain").args(["ladder", "--json"]).assert().success();
        serde_json::from_slice::<Value>(&output.get_output().stdout).unwrap()
    };
    let ladder = plain(&mut gaitd(state.path()));
    assert_eq!((&ladder["backend"], &ladder["profiled"]), (&"supernet".into(), &false.into()));
    assert_eq!(ladder["configurations"][0]["kernels"][0], "supernet_plain_8x4");
    let output = gaitd(state.path()).env("GAITD_SUPERNET_ISA", "mmx").arg("ladder").assert().code(78);
    let message = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(message.contains("GAITD_SUPERNET_ISA is mmx, and this processor has ") && message.contains("plain"));
}

#[cfg(feature = "tract")]
#[test]
fn a_configuration_names_its_backend_and_a_flag_goes_before_it() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("config.json");
    std::fs::write(&config, r#"{"backend": "tract", "source": {"kind": "wearer", "seconds": 5, "pace": "fast"}}"#)
        .unwrap();
    let output = gaitd(directory.path()).arg("check").arg(&config).assert().success();
    let message = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(message.contains("backend tract (tract-"), "{message}");
    let run = |more: &[&str]| {
        gaitd(directory.path()).arg("run").arg(&config).args(more).assert().success();
        let profiles = std::fs::read_dir(directory.path().join("gaitd/profiles")).unwrap();
        let names = profiles.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let first = run(&[]);
    assert!(first.len() == 1 && first[0].contains("-tract-"), "{first:?}");
    let both = run(&["--backend", "supernet"]);
    assert!(both.len() == 2 && both.iter().any(|name| name.contains("-supernet-")), "{both:?}");
    std::fs::write(&config, r#"{"backend": "onnxruntime"}"#).unwrap();
    let output = gaitd(directory.path()).arg("check").arg(&config).assert().code(78);
    let message = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(message.contains("backend") && message.contains("supernet"), "{message}");
}
