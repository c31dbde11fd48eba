//! Whether two machines decide the same.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::Process;
use crate::tree::Tree;

/// How many windows are compared.
const WINDOWS: usize = 200;
/// How far a probability may be from the other machine's.
const TOLERANCE: f64 = 1e-4;
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
    let (here, there) = (decisions(here)?, decisions(there)?);
    ensure!(here.len() >= WINDOWS, "only {} windows were decided", here.len());
    ensure!(here.len() == there.len(), "{} windows were decided here, {} there", here.len(), there.len());
    let (mut worst, mut configurations) = (0f64, Vec::new());
    for (here, there) in here.iter().zip(&there) {
        for field in ["window", "samples", "activity", "configuration", "miss"] {
            ensure!(
                here[field] == there[field],
                "window {}: {field} is {} here, {} there",
                here["window"],
                here[field],
                there[field]
            );
        }
        let difference = farthest(&here["probabilities"], &there["probabilities"])
            .with_context(|| format!("window {}: the probabilities cannot be compared", here["window"]))?;
        if difference > TOLERANCE {
            bail!("window {}: the probabilities differ by {difference:.1e}, above {TOLERANCE:.0e}", here["window"]);
        }
        worst = worst.max(difference);
        if !configurations.contains(&here["configuration"]) {
            configurations.push(here["configuration"].clone());
        }
    }
    Ok(format!(
        "{} windows decided as here by {} configurations, probabilities to {worst:.0e}",
        here.len(),
        configurations.len()
    ))
}

fn decisions(text: &str) -> Result<Vec<Value>> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).context("a line is not JSON"));
    let lines = lines.collect::<Result<Vec<_>>>()?;
    Ok(lines.into_iter().filter(|line| line["class"] == "decision").collect())
}

/// The largest difference between the numbers of two objects with the same names.
fn farthest(here: &Value, there: &Value) -> Option<f64> {
    let (here, there) = (here.as_object()?, there.as_object()?);
    if here.len() != there.len() {
        return None;
    }
    here.iter().map(|(name, value)| Some((value.as_f64()? - there.get(name)?.as_f64()?).abs())).try_fold(
        0.0,
        // not `max`, which would pass over what is no number
        |worst, difference| difference.map(|difference| if difference <= worst { worst } else { difference }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(change: impl Fn(usize, &mut Value)) -> String {
        let line = |window: usize| {
            let mut line = serde_json::json!({
                "class": "decision", "window": window, "samples": [64 * window, 64 * window + 127],
                "activity": "walking", "configuration": if window < 50 { "0.10x-96" } else { "1.00x-128" },
                "miss": false, "probabilities": {"walking": 0.75, "lying": 0.25}, "timings_ms": {"infer": window},
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
            line["probabilities"]["walking"] = 0.75001.into();
        });
        let agreement = compare(&stream(|_, _| {}), &slower).unwrap();
        assert_eq!(agreement, "200 windows decided as here by 2 configurations, probabilities to 1e-5");
    }

    #[test]
    fn one_other_decision_is_found_and_named() {
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 4] = [
            (|line| line["activity"] = "lying".into(), "window 123: activity is \"walking\" here, \"lying\" there"),
            (|line| line["configuration"] = "0.10x-96".into(), "window 123: configuration"),
            (|line| line["probabilities"]["lying"] = 0.2502.into(), "window 123: the probabilities differ by 2.0e-4"),
            (|line| line["probabilities"]["lying"] = Value::Null, "window 123: the probabilities cannot"),
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
