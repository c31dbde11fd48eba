//! `gaitd rehearse` as a user meets it: its files, its figures' agreement, bad flags, and no co-runner left behind.

use std::path::Path;

use gaitd_lab::simulate::{LadderSpec, Scenario, SlowdownSpec};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::gaitd;

/// A rehearsal in `directory` with phases that are over at once.
fn rehearse(directory: &TempDir, flags: &[&str]) -> assert_cmd::Command {
    let mut command = gaitd(directory.path());
    command.arg("rehearse").args(["--seconds-per-phase", "0.3", "--output-dir"]).arg(directory.path().join("out"));
    command.args(flags);
    command
}

fn report(directory: &TempDir) -> Value {
    serde_json::from_slice(&std::fs::read(directory.path().join("out/report.json")).unwrap()).unwrap()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// All that a share says must agree with itself.
fn check_share(share: &Value) {
    let inferences = count(&share["inferences"]);
    let used: u64 = share["used"].as_array().unwrap().iter().map(|used| count(&used["inferences"])).sum();
    assert_eq!(used, inferences, "{share}");
    if inferences == 0 {
        assert!(share["late_share"].is_null() && share["mean_ms"].is_null(), "{share}");
        return;
    }
    let number = |name: &str| share[name].as_f64().unwrap();
    assert!((number("late_share") * inferences as f64 - number("late")).abs() < 1e-6, "{share}");
    assert!((0.0..=1.0).contains(&number("accuracy")) && number("mean_ms") > 0.0 && number("p95_ms") > 0.0);
    assert!(count(&share["switches"]) < inferences);
}

fn check_experiment(experiment: &Value, policies: &[&str], phases: &[&str]) {
    assert_eq!(experiment["complete"], true);
    let names: Vec<_> = experiment["phases"].as_array().unwrap().iter().map(|phase| &phase["name"]).collect();
    assert_eq!(names, phases);
    let found: Vec<_> = experiment["policies"].as_array().unwrap().iter().map(|policy| &policy["policy"]).collect();
    assert_eq!(found, policies);
    let mut sum = 0;
    for policy in experiment["policies"].as_array().unwrap() {
        let shares = policy["phases"].as_array().unwrap();
        assert_eq!(shares.len(), phases.len());
        shares.iter().for_each(check_share);
        check_share(&policy["total"]);
        for what in ["inferences", "late"] {
            let of_phases: u64 = shares.iter().map(|share| count(&share[what])).sum();
            assert_eq!(of_phases, count(&policy["total"][what]), "{what}");
        }
        sum += count(&policy["total"]["inferences"]);
    }
    assert_eq!(sum, count(&experiment["inferences"]));
    assert!(sum > 0);
}

#[test]
fn both_experiments_are_reported_and_the_trace_is_a_scenario() {
    let directory = TempDir::new().unwrap();
    let flags = [
        "--policies",
        "fixed,slackfit,step,alert,alert-fitted",
        "--loads",
        "0,30,0",
        "--budgets-ms",
        "70,10",
        "--json",
    ];
    let output = rehearse(&directory, &flags).assert().success();
    let report = report(&directory);
    assert_eq!(serde_json::from_slice::<Value>(&output.get_output().stdout).unwrap(), report);
    assert_eq!(report["repeats"], 1);
    assert_eq!(report["load_kind"], "cpu");
    assert!(!report["machine"].as_str().unwrap().is_empty());
    let experiments = report["experiments"].as_array().unwrap();
    let policies = ["fixed", "slackfit", "step", "alert", "alert-fitted"];
    check_experiment(&experiments[0], &policies, &["budget 70 ms", "budget 10 ms"]);
    check_experiment(&experiments[1], &policies, &["load 0 %", "load 30 %", "load 0 %"]);
    let of = |experiment: usize, phase: usize, what: &str| {
        experiments[experiment]["policies"][0]["phases"][phase].get(what).is_some()
    };
    assert!(of(0, 1, "after_rise") && of(1, 1, "after_rise") && of(1, 2, "after_fall"));
    for experiment in experiments {
        for constant in ["noise_memory", "process_noise", "measurement_noise"] {
            assert!(experiment["alert_fitted"][constant].is_number(), "{}", experiment["alert_fitted"]);
        }
    }
    assert!(!of(0, 0, "after_rise") && !of(1, 2, "after_rise") && !of(1, 1, "after_fall"));

    let out = directory.path().join("out");
    let scenario = Scenario::read(&out.join("trace.json")).unwrap();
    let SlowdownSpec::Trace(trace) = &scenario.slowdown else { panic!("not a trace") };
    assert_eq!(trace.slowdown.len() as u64, count(&experiments[1]["inferences"]));
    assert_eq!(trace.states, ["load 0 %", "load 30 %"]);
    let LadderSpec::Given { labels: 6, configurations } = &scenario.ladder else { panic!("not given") };
    assert_eq!(configurations.len(), report["configurations"].as_array().unwrap().len());

    if gaitd_lab::figure::AVAILABLE {
        for name in ["static", "varying"] {
            let svg = std::fs::read_to_string(out.join(name).with_extension("svg")).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(policies.iter().all(|policy| svg.contains(&format!("{policy}: "))), "{name}");
            assert!(!svg.contains("repeated"));
            assert!(std::fs::read(out.join(name).with_extension("png")).unwrap().starts_with(b"\x89PNG"));
        }
    }
}

#[test]
fn repeats_are_told_in_table_figure_report_and_trace() {
    let directory = TempDir::new().unwrap();
    let flags = ["--experiment", "varying", "--loads", "20", "--load-kind", "memory", "--slowdown", "3"];
    let output = rehearse(&directory, &[&flags[..], &["--policies", "alert"]].concat()).assert().success();
    let table = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(table.contains("each inference repeated 3 times") && table.contains("memory"), "{table}");
    assert!(!table.contains("alert-fitted"), "{table}");
    assert_eq!(report(&directory)["repeats"], 3);
    let trace = std::fs::read_to_string(directory.path().join("out/trace.json")).unwrap();
    assert!(trace.contains("--slowdown 3") && trace.contains("repeated 3 times"));
    if gaitd_lab::figure::AVAILABLE {
        let svg = std::fs::read_to_string(directory.path().join("out/varying.svg")).unwrap();
        assert!(svg.contains("each inference repeated 3 times"));
    }
    assert!(!directory.path().join("out/static.svg").exists());
}

#[test]
fn nonsense_is_refused_before_anything_runs() {
    let usage: &[(&[&str], &str)] = &[
        (&["--slowdown", "fast"], "or auto"),
        (&["--slowdown", "-1"], "or auto"),
        (&["--policies", "best"], "possible values"),
        (&["--loads", "0,much"], "invalid"),
        (&["--load-kind", "disk"], "possible values"),
        (&["--cpu", "first"], "--cpu"),
    ];
    let range: &[(&[&str], &str)] = &[
        (&["--slowdown", "0"], "--slowdown is 0"),
        (&["--slowdown", "100000000"], "would take"),
        (&["--budgets-ms", "70,0"], "--budgets-ms: 0 must be above 0"),
        (&["--budget-ms", "-1"], "--budget-ms: -1"),
        (&["--band-ms", "71"], "--band-ms is 71"),
        (&["--loads", "0,95"], "--loads: 95 must be from 0 to 90"),
        (&["--loads", "nan"], "--loads: NaN"),
        (&["--seconds-per-phase", "0"], "--seconds-per-phase is 0"),
        (&["--seconds-per-phase", "600"], "may take 3600 at most"),
        (&["--policies", "step,step"], "step stands twice"),
        (&["--cpu", "99999"], "no processor 99999"),
    ];
    for (cases, code) in [(usage, 64), (range, 78)] {
        for (flags, message) in cases {
            let directory = TempDir::new().unwrap();
            let mut command = gaitd(directory.path());
            command.arg("rehearse").args(*flags).arg("--output-dir").arg(directory.path().join("out"));
            let output = command.assert().code(code);
            let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
            assert!(stderr.contains(message), "{flags:?}: {stderr}");
            assert!(!directory.path().join("out/report.json").exists());
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named_before_anything_runs() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("out"), "a file").unwrap();
    let output = rehearse(&directory, &[]).assert().code(74);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(stderr.contains("cannot make the folder"), "{stderr}");
}

/// The living co-runner whose environment names `state`, which only the test's own processes have.
#[cfg(target_os = "linux")]
fn co_runner_of(state: &Path) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;
    // a process may end while it is looked at
    let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
    let found = processes.find(|entry| {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let has = |name: &str, wanted: &[u8]| read(name).windows(wanted.len()).any(|part| part == wanted);
        has("cmdline", b"co-runner") && has("environ", state.as_os_str().as_bytes())
    });
    found.map(|entry| entry.file_name().into_string().unwrap())
}

/// Waits until `holds`; fails after a minute, which no busy machine should need.
#[cfg(target_os = "linux")]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 60, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_co_runner_is_left_behind() {
    for kind in ["cpu", "bursts"] {
        let directory = TempDir::new().unwrap();
        let flags = ["--experiment", "varying", "--loads", "30,60", "--policies", "step", "--load-kind", kind];
        rehearse(&directory, &flags).assert().success();
        assert!(co_runner_of(directory.path()).is_none(), "{kind}");
    }
}

/// A rehearsal that would go on for ten minutes, once its co-runner is at work; a process group of its own, as a shell
/// would make it.
#[cfg(target_os = "linux")]
fn long_rehearsal(directory: &TempDir) -> std::process::Child {
    use std::os::unix::process::CommandExt;
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gaitd"))
        .args(["rehearse", "--experiment", "varying", "--loads", "50", "--seconds-per-phase", "600", "--json"])
        .args(["--policies", "alert", "--output-dir"])
        .arg(directory.path().join("out"))
        .env("XDG_STATE_HOME", directory.path())
        .process_group(0)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("no co-runner was started", || co_runner_of(directory.path()).is_some());
    child
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_rehearsal_takes_its_co_runner_with_it() {
    let directory = TempDir::new().unwrap();
    let mut child = long_rehearsal(&directory);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the co-runner outlives its rehearsal", || co_runner_of(directory.path()).is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_rehearsal_reports_what_it_has_and_leaves_no_co_runner() {
    let directory = TempDir::new().unwrap();
    let child = long_rehearsal(&directory);
    // as a terminal does, to the whole group
    let sent = std::process::Command::new("kill").args(["-INT", "--", &format!("-{}", child.id())]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(co_runner_of(directory.path()).is_none());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["experiments"][0]["complete"], false);
    assert!(directory.path().join("out/report.json").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_lost_co_runner_ends_the_rehearsal_and_is_told() {
    let directory = TempDir::new().unwrap();
    let child = long_rehearsal(&directory);
    let lost = co_runner_of(directory.path()).unwrap();
    assert!(std::process::Command::new("kill").arg("-KILL").arg(lost).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(71));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the co-runner ended by itself"), "{stderr}");
}

#[test]
fn the_shipped_recordings_are_scenarios() {
    for name in ["recorded-cpu", "recorded-bursts"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/scenarios/{name}.json"));
        assert_eq!(Scenario::read(&path).unwrap().name, name);
    }
}
