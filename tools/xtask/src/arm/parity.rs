//! Whether two machines decide the same.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::decision::Decision;
use crate::process::Process;
use crate::tree::Tree;

/// How many windows are compared.
const WINDOWS: usize = 200;
/// Virtual latencies, and a load that makes the controller use several configurations.
const SCENARIO: &str = "configs/scenarios/uci-har-steps.json";

/// What is replayed.
pub(super) enum Windows {
    /// Recorded ones: this archive's test split.
    Recorded(PathBuf),
    /// Those of the simulated wearer, for machines without the data.
    Simulated,
}

impl Windows {
    /// Recorded ones where there are any.
    pub(super) fn choose(tree: &Tree) -> Self {
        let archive = tree.data().map(|folder| folder.join("uci_har.npz"));
        archive.filter(|path| path.exists()).map_or(Self::Simulated, Self::Recorded)
    }

    /// For people.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Recorded(_) => "test split of uci_har.npz",
            Self::Simulated => "simulated wearer, as uci_har.npz is not here",
        }
    }

    /// Lets `gaitd` replay them.
    pub(super) fn replay(&self, gaitd: Process) -> Process {
        let gaitd = gaitd.arg("replay");
        let data = match self {
            Self::Recorded(archive) => gaitd.arg(archive).args(["--split", "test"]),
            Self::Simulated => gaitd.args(["wearer", "--seconds", "300"]),
        };
        data.args(["--limit", &WINDOWS.to_string(), "--scenario", SCENARIO])
    }
}

/// Compares the decisions of two machines about the same windows; each text is NDJSON as gaitd writes it. Gives what
/// was compared, for people.
pub(super) fn compare(here: &str, there: &str) -> Result<String> {
    let (here, there) = (Decision::read_all(here)?, Decision::read_all(there)?);
    ensure!(here.len() >= WINDOWS, "only {} windows were decided", here.len());
    ensure!(here.len() == there.len(), "{} windows were decided here, {} there", here.len(), there.len());
    let (mut worst, mut configurations) = (0f64, BTreeSet::new());
    for (here, there) in here.iter().zip(&there) {
        let same = (here.window, here.samples, here.miss) == (there.window, there.samples, there.miss);
        ensure!(same, "window {}: {here:?} here, {there:?} there", here.window);
        let difference = here.difference(there).with_context(|| format!("window {}", here.window))?;
        worst = worst.max(difference);
        configurations.insert(&here.configuration);
    }
    Ok(format!(
        "{} windows decided as here by {} configurations, probabilities to {worst:.0e}",
        here.len(),
        configurations.len()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn stream(change: impl Fn(usize, &mut Value)) -> String {
        let line = |window: usize| {
            let mut line = serde_json::json!({
                "class": "decision", "window": window, "samples": [64 * window, 64 * window + 127],
                "activity": "walking", "configuration": if window < 50 { "0.10x-96" } else { "1.00x-128" },
                "miss": false, "instant": {"probabilities": {"walking": 0.75, "lying": 0.25}}, "timings_ms": {"infer": window},
            });
            change(window, &mut line);
            format!("{line}\n")
        };
        "{\"class\": \"gaitd\"}\n".to_owned() + &(0..WINDOWS).map(line).collect::<String>()
    }

    #[test]
    fn equal_decisions_agree_whatever_they_took() {
        let slower = stream(|_, line| {
            line["timings_ms"]["infer"] = 7.into();
            line["instant"]["probabilities"]["walking"] = 0.75001.into();
        });
        let agreement = compare(&stream(|_, _| {}), &slower).unwrap();
        assert_eq!(agreement, "200 windows decided as here by 2 configurations, probabilities to 1e-5");
    }

    #[test]
    fn one_other_decision_is_found_and_named() {
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 4] = [
            (|line| line["miss"] = true.into(), "window 123: Decision"),
            (|line| line["activity"] = "lying".into(), "window 123: activity is \"walking\" here, \"lying\" there"),
            (|line| line["configuration"] = "0.10x-96".into(), "window 123: configuration"),
            (
                |line| line["instant"]["probabilities"]["lying"] = 0.2502.into(),
                "window 123: the probabilities differ by 2.0e-4",
            ),
        ];
        for (change, expected) in changes {
            let other = stream(|window, line| {
                if window == 123 {
                    change(line)
                }
            });
            let error = format!("{:#}", compare(&stream(|_, _| {}), &other).unwrap_err());
            assert!(error.contains(expected), "{expected} should be in: {error}");
        }
    }

    #[test]
    fn too_few_decisions_are_no_agreement() {
        let whole = stream(|_, _| {});
        let short = &whole[..whole.len() / 2];
        let short = &short[..short.rfind('\n').unwrap()];
        assert!(compare(short, short).is_err());
        assert!(compare(&whole, short).is_err());
    }
}
