//! The times of one activity, on the output of a run and in its status, against the decisions that they are made of.

use std::path::Path;

use gaitd_tests::{CSV_HEADER, csv_line, fresh, lines};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;

const HOP_S: f64 = 1.28;

/// What a run of `config` writes, as NDJSON.
fn run(state: &TempDir, config: &Value) -> Vec<u8> {
    let file = fresh(state, "json");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = gaitd(state.path());
    let output = command.arg("run").arg(file).args(["--rung", "0.10x-96", "--format", "ndjson"]).assert().success();
    output.get_output().stdout.clone()
}

fn wearer(seed: u64) -> Value {
    json!({"source": {"kind": "wearer", "seed": seed, "seconds": 300, "pace": "fast"}})
}

/// An episode: its activity, number of windows, first and last decision.
type Told = (String, u64, usize, usize);

/// The episodes of decisions without a gap: runs of so many windows or more of one activity, joined where nothing else lasts as
/// long between them, up to where the activity is answered last.
fn expected(decisions: &[Value], shortest: usize) -> Vec<Told> {
    let activities: Vec<&str> = decisions.iter().map(|it| it["activity"].as_str().unwrap()).collect();
    let mut long: Vec<(&str, usize)> = Vec::new();
    let mut first = 0;
    for run in activities.chunk_by(|one, other| one == other) {
        if run.len() >= shortest && long.last().is_none_or(|(activity, _)| *activity != run[0]) {
            long.push((run[0], first));
        }
        first += run.len();
    }
    let ends = long.iter().skip(1).map(|(_, first)| *first).chain([activities.len()]);
    let episode = |((activity, first), end): (&(&str, usize), usize)| {
        let last = (*first..end).rfind(|place| activities[*place] == *activity).unwrap();
        let windows = (*first..=last).filter(|place| activities[*place] == *activity).count() as u64;
        ((*activity).to_owned(), windows, *first, last)
    };
    long.iter().zip(ends).map(episode).collect()
}

/// Holds the episodes of an output that has no gaps against its decisions; how many there are.
fn check(output: &[u8], shortest: usize) -> usize {
    let (decisions, episodes) = (lines(output, "decision"), lines(output, "episode"));
    let expected = expected(&decisions, shortest);
    assert_eq!(episodes.len(), expected.len(), "{episodes:#?}");
    for (episode, (activity, windows, first, last)) in episodes.iter().zip(expected) {
        assert_eq!((&episode["activity"], &episode["windows"]), (&json!(activity), &json!(windows)));
        assert_eq!((&episode["stream"], &episode["simulated"]), (&decisions[0]["stream"], &decisions[0]["simulated"]));
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{episode}"));
        let near = |found: &Value, expected: f64| assert!((number(found) - expected).abs() < 1e-3, "{episode}");
        near(&episode["start_s"], number(&decisions[first]["time_s"]) - HOP_S);
        near(&episode["end_s"], number(&decisions[last]["time_s"]));
        near(&episode["seconds"], (last - first + 1) as f64 * HOP_S);
        assert_eq!(episode["samples"][1], decisions[last]["samples"][1]);
        assert_eq!(episode["samples"][0], decisions[first]["samples"][1].as_u64().unwrap() - 63);
        let said = decisions[first..=last].iter().filter(|it| it["activity"] == activity.as_str());
        let beliefs: Vec<f64> = said.map(|it| number(&it["belief"][&activity])).collect();
        near(&episode["confidence"], beliefs.iter().sum::<f64>() / beliefs.len() as f64);
    }
    episodes.len()
}

#[test]
fn episodes_are_what_decisions_answered_for_long() {
    let state = TempDir::new().unwrap();
    let mut counts = Vec::new();
    for (config, shortest) in [
        (json!({}), 3),
        (json!({"episodes": {"shortest_s": 0}}), 1),
        (json!({"episodes": {"shortest_s": 10}}), 8),
        (json!({"control": {"context": false}}), 3),
    ] {
        let mut told = 0;
        for seed in 0..3 {
            let mut config = config.clone();
            config["source"] = wearer(seed)["source"].clone();
            let output = run(&state, &config);
            told += check(&output, shortest);
            // the last one comes with the end of the stream, before the summary
            let text = String::from_utf8(output).unwrap();
            let classes: Vec<&str> = text.lines().rev().take(2).map(|line| line.split('"').nth(3).unwrap()).collect();
            assert_eq!(classes, ["summary", "episode"]);
        }
        counts.push(told);
    }
    assert!(counts[1] > counts[0] && counts[0] > counts[2] && counts[2] > 10, "{counts:?}");
}

#[test]
fn a_gap_ends_an_episode_and_times_of_day_are_told_where_they_are_known() {
    let state = TempDir::new().unwrap();
    let file = fresh(&state, "csv");
    // 2026-11-29 at noon, UTC
    let noon = 1_795_953_600.0;
    let at = |number: u64, gap: f64| {
        let line = csv_line(number);
        let (_, values) = line.split_once(',').unwrap();
        format!("{:.2},{values}", noon + number as f64 / 50.0 + gap)
    };
    let rows = (0..1000).map(|number| at(number, 0.0)).chain((1000..2000).map(|number| at(number, 30.0)));
    std::fs::write(&file, CSV_HEADER.to_owned() + &rows.collect::<String>()).unwrap();
    let config = json!({"source": {"kind": "file", "path": file, "pace": "fast"}});
    let output = run(&state, &config);
    let (decisions, episodes) = (lines(&output, "decision"), lines(&output, "episode"));
    let activity = &decisions[5]["activity"];
    assert!(decisions.iter().all(|it| it["activity"] == *activity), "the made-up signal does not change");
    assert_eq!(episodes.len(), 2, "{episodes:#?}");
    let second = decisions.iter().position(|it| it["time_s"].as_f64().unwrap() > noon + 40.0).unwrap();
    for (episode, (first, last)) in episodes.iter().zip([(0, second - 1), (second, decisions.len() - 1)]) {
        assert_eq!((&episode["windows"], &episode["end"]), (&json!(last - first + 1), &decisions[last]["time"]));
        assert_eq!(&episode["end_s"], &decisions[last]["time_s"]);
        let start_s = episode["start_s"].as_f64().unwrap();
        assert!((start_s - (decisions[first]["time_s"].as_f64().unwrap() - HOP_S)).abs() < 1e-3, "{episode}");
        assert!(episode["start"].as_str().unwrap().starts_with("2026-11-"), "{episode}");
    }
}

#[test]
fn people_see_decisions_alone_and_what_is_no_length_is_refused() {
    let state = TempDir::new().unwrap();
    let run = ["run", "--source", "wearer", "--pace", "fast", "--seconds", "60", "--format", "text"];
    let output = gaitd(state.path()).args(run).assert().success();
    assert!(!String::from_utf8_lossy(&output.get_output().stdout).contains("episode"));
    for wrong in [json!(-1), json!(86_401)] {
        let file = fresh(&state, "json");
        std::fs::write(&file, json!({"episodes": {"shortest_s": wrong}}).to_string()).unwrap();
        let output = gaitd(state.path()).arg("run").arg(file).assert().code(78);
        let told = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(told.contains("episodes.shortest_s is"), "{told}");
    }
}

#[test]
fn the_decisions_that_a_replay_keeps_have_their_episodes() {
    let state = TempDir::new().unwrap();
    let file = fresh(&state, "ndjson");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/uci-har-steps.json");
    let mut command = gaitd(state.path());
    command.args(["replay", "wearer", "--seconds", "120", "--seed", "3", "--scenario"]).arg(scenario);
    command.arg("--output").arg(&file).assert().success();
    let output = std::fs::read(&file).unwrap();
    let told =
        |episode: &Value| (episode["activity"].as_str().unwrap().to_owned(), episode["windows"].as_u64().unwrap());
    let episodes: Vec<_> = lines(&output, "episode").iter().map(told).collect();
    let expected = expected(&lines(&output, "decision"), 3);
    assert!(episodes.len() > 2);
    assert!(
        episodes
            .iter()
            .eq(&expected.into_iter().map(|(activity, windows, ..)| (activity, windows)).collect::<Vec<_>>())
    );
}
