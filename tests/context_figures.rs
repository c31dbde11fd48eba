//! What context and cascades make of the raw recordings of the data set's test people, through the whole daemon: the figures of
//! docs/context.md.

use std::collections::BTreeMap;
use std::path::Path;

use gaitd_tests::{lines, repository, shipped_model};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::gaitd;
use crate::recordings::{Recording, test_recordings, watch_recordings};

/// A decision on one window: the truth where the window lies inside one activity, the answer by itself, and with context.
struct Window {
    truth: Option<usize>,
    answers: [usize; 2],
    mmacs: f64,
}

/// The decisions of `plan` of the ladder `model` on a recording.
fn decide(state: &TempDir, model: &Path, plan: &str, recording: &Recording, names: &[&str]) -> Vec<Window> {
    let file = state.path().join("recording.csv");
    std::fs::write(&file, &recording.csv).unwrap();
    let mut command = gaitd(state.path());
    command.args(["run", "--pace", "fast", "--rung", plan, "--models"]).arg(model).arg("--source").arg(&file);
    let output = command.assert();
    let label = |value: &Value| names.iter().position(|name| value == name).unwrap();
    lines(&output.success().get_output().stdout, "decision")
        .into_iter()
        .map(|decision| {
            let sample = |end: usize| decision["samples"][end].as_u64().unwrap() as usize;
            let inside = recording.labels.get(sample(0)..=sample(1)).unwrap_or_default();
            let steady = inside.first().filter(|first| inside.iter().all(|label| label == *first));
            let truth = steady.and_then(|label| usize::try_from(label - 1).ok()).filter(|label| *label < names.len());
            let answers = [label(&decision["instant"]["activity"]), label(&decision["activity"])];
            Window { truth, answers, mmacs: decision["mmacs"].as_f64().unwrap() }
        })
        .collect()
}

/// Runs of steady windows of one activity: where they begin and end, and whether it is another one than before.
fn bouts(windows: &[Window]) -> Vec<(std::ops::Range<usize>, bool)> {
    let mut bouts: Vec<(std::ops::Range<usize>, bool)> = Vec::new();
    let mut before = None;
    for (place, window) in windows.iter().enumerate() {
        let Some(truth) = window.truth else { continue };
        match bouts.last_mut() {
            Some((bout, _)) if bout.end == place && before == Some(truth) => bout.end += 1,
            _ => bouts.push((place..place + 1, before.is_some_and(|before| before != truth))),
        }
        before = Some(truth);
    }
    bouts
}

/// Of one way to answer (0: each window by itself; 1: with context), what the recordings say.
#[derive(Default)]
struct Tally {
    confusion: BTreeMap<(usize, usize), f64>,
    /// Right and all steady windows, of each person and of each recording.
    people: BTreeMap<i64, [f64; 2]>,
    recordings: Vec<[f64; 2]>,
    changes: f64,
    delays: Vec<usize>,
}

impl Tally {
    fn count(&mut self, user: i64, windows: &[Window], way: usize) {
        let mut both = [0.0; 2];
        for window in windows {
            if let Some(truth) = window.truth {
                *self.confusion.entry((truth, window.answers[way])).or_default() += 1.0;
                both[0] += f64::from(u8::from(truth == window.answers[way]));
                both[1] += 1.0;
            }
        }
        self.recordings.push(both);
        let person = self.people.entry(user).or_default();
        person.iter_mut().zip(both).for_each(|(sum, more)| *sum += more);
        self.changes += windows.windows(2).filter(|pair| pair[0].answers[way] != pair[1].answers[way]).count() as f64;
        for (bout, _) in bouts(windows).into_iter().filter(|(_, changed)| *changed) {
            let late = windows[bout.clone()].iter().position(|window| window.truth == Some(window.answers[way]));
            self.delays.push(late.unwrap_or(bout.len()));
        }
    }

    fn share(&self, right: impl Fn(usize, usize) -> bool, of: impl Fn(usize, usize) -> bool) -> f64 {
        let sum = |keep: &dyn Fn(usize, usize) -> bool| -> f64 {
            self.confusion.iter().filter(|((truth, answer), _)| keep(*truth, *answer)).map(|(_, count)| count).sum()
        };
        100.0 * sum(&|truth, answer| of(truth, answer) && right(truth, answer)) / sum(&of)
    }

    fn accuracy(&self) -> f64 {
        self.share(|truth, answer| truth == answer, |_, _| true)
    }

    fn recall(&self, label: usize) -> f64 {
        self.share(|truth, answer| truth == answer, |truth, _| truth == label)
    }

    fn macro_f1(&self, labels: usize) -> f64 {
        let f1 = |label: usize| {
            let either = |truth: usize, answer: usize| truth == label || answer == label;
            let both = self.share(|truth, answer| truth == answer, either) / 100.0;
            // of the Jaccard index
            200.0 * both / (1.0 + both)
        };
        (0..labels).map(f1).sum::<f64>() / labels as f64
    }

    fn delay(&mut self, share: f64) -> usize {
        self.delays.sort_unstable();
        self.delays[((self.delays.len() as f64 * share).ceil() as usize).max(1) - 1]
    }
}

#[test]
#[ignore = "a measurement, of minutes: the figures of docs/context.md"]
fn figures_of_context_and_cascades_on_the_test_people() {
    let Some(recordings) = test_recordings() else { return };
    let figures = figures(&shipped_model(), &recordings);
    if let Some(path) = std::env::var_os("GAITD_FIGURES") {
        std::fs::write(path, json!(figures).to_string()).unwrap();
    }
}

#[test]
#[ignore = "a measurement, of minutes: the figures of docs/context.md"]
fn figures_of_context_on_the_test_people_of_the_watch() {
    let model = repository().join("models/wisdm-watch-cnn");
    let Some(recordings) = watch_recordings(&model) else { return };
    figures(&model, &recordings);
}

/// Prints what each plan of the ladder `model` reaches on `recordings`, and gives what is drawn of it.
fn figures(model: &Path, recordings: &[Recording]) -> Vec<Value> {
    let manifest: Value = serde_json::from_slice(&std::fs::read(model.join("manifest.json")).unwrap()).unwrap();
    let task = &manifest["task"];
    let hop_s = task["hop"].as_f64().unwrap() / task["sample_rate_hz"].as_f64().unwrap();
    let names: Vec<&str> = task["labels"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let [sitting, standing] = ["sitting", "standing"].map(|name| names.iter().position(|it| *it == name).unwrap());
    let configurations = manifest["configurations"].as_array().unwrap().iter();
    let mut plans: Vec<String> = configurations.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    for cascade in manifest["cascades"].as_array().into_iter().flatten() {
        let part = |key: &str| cascade[key].as_str().unwrap();
        plans.push(format!("{}+{}@{}", part("small"), part("large"), cascade["threshold"]));
    }
    let state = TempDir::new().unwrap();
    let mut figures = Vec::new();
    println!(
        "| plan | MMACs | alone % | with context % | macro-F1 % | sitting % | standing % | changes per hour | late, median | 90 % | worst person | worst recording |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for plan in &plans {
        let (mut ways, mut hours, mut true_changes) = ([Tally::default(), Tally::default()], 0.0, 0);
        let (mut mmacs, mut decided) = (0.0, 0.0);
        for recording in recordings {
            let windows = decide(&state, model, plan, recording, &names);
            ways.iter_mut().enumerate().for_each(|(way, tally)| tally.count(recording.user, &windows, way));
            hours += windows.len() as f64 * hop_s / 3600.0;
            true_changes += bouts(&windows).iter().filter(|(_, changed)| *changed).count();
            mmacs += windows.iter().map(|window| window.mmacs).sum::<f64>();
            decided += windows.len() as f64;
        }
        let [alone, context] = &mut ways;
        let points = |[right, all]: [f64; 2], [before, _]: [f64; 2]| 100.0 * (right - before) / all;
        let pairs = context.people.iter().map(|(user, now)| points(*now, alone.people[user]));
        let person = pairs.fold(f64::INFINITY, f64::min);
        let pairs = context.recordings.iter().zip(&alone.recordings);
        let recording = pairs.map(|(now, before)| now[0] - before[0]).fold(f64::INFINITY, f64::min);
        let mean = mmacs / decided;
        println!(
            "| {plan} | {mean:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} → {:.0} ({:.0}) | {} → {} | {} → {} | {person:+.2} | {recording:+.0} |",
            alone.accuracy(),
            context.accuracy(),
            context.macro_f1(names.len()),
            context.recall(sitting),
            context.recall(standing),
            alone.changes / hours,
            context.changes / hours,
            true_changes as f64 / hours,
            alone.delay(0.5),
            context.delay(0.5),
            alone.delay(0.9),
            context.delay(0.9),
        );
        figures.push(json!({"plan": plan, "mmacs": mean, "alone": alone.accuracy(), "context": context.accuracy()}));
    }
    figures
}
