//! Decisions of two machines on the same samples, window by window.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How far two probabilities may differ: what golden vectors allow.
const TOLERANCE: f64 = 1e-4;

/// What a decision says, apart from when it was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    /// Numbers of the window's first and last sample.
    pub(super) samples: [u64; 2],
    /// The stream's time at the window's end, in seconds, where its samples have timestamps.
    pub(super) time_s: Option<f64>,
    pub(super) configuration: String,
    pub(super) activity: String,
    pub(super) probabilities: BTreeMap<String, f64>,
}

impl Decision {
    /// Reads a decision as gaitd writes it.
    pub(super) fn read(data: &Value) -> Result<Self> {
        let text = |name: &str| data[name].as_str().map(ToOwned::to_owned).with_context(|| format!("it has no {name}"));
        let sample = |end: usize| data["samples"][end].as_u64().context("it has no numbers of samples");
        let probabilities = data["probabilities"].as_object().context("it has no probabilities")?;
        let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
        Ok(Self {
            samples: [sample(0)?, sample(1)?],
            time_s: data["time_s"].as_f64(),
            configuration: text("configuration")?,
            activity: text("activity")?,
            probabilities: probabilities
                .iter()
                .map(number)
                .collect::<Option<_>>()
                .context("a probability is no number")?,
        })
    }

    /// Reads the decisions among lines of NDJSON.
    pub(super) fn read_all(text: &str) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for line in text.lines() {
            let data: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            if data["class"] == "decision" {
                all.push(Self::read(&data).with_context(|| format!("this is no decision: {line}"))?);
            }
        }
        Ok(all)
    }
}

/// Holds each of `found` against its counterpart in `expected`: the same window, configuration and activity, and
/// probabilities that differ by no more than 1e-4. Gives the largest difference.
///
/// Samples are counted from the first of each stream.
pub(super) fn compare(expected: &[Decision], found: &[Decision]) -> Result<f64> {
    ensure!(expected.len() == found.len(), "{} windows instead of {}", found.len(), expected.len());
    let start = |all: &[Decision]| all.first().map_or(0, |decision| decision.samples[0]);
    let (here, there) = (start(expected), start(found));
    let mut largest = 0.0f64;
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        let place = |samples: [u64; 2], start: u64| samples.map(|sample| sample.wrapping_sub(start));
        ensure!(
            place(expected.samples, here) == place(found.samples, there)
                && expected.configuration == found.configuration
                && expected.activity == found.activity
                && expected.probabilities.keys().eq(found.probabilities.keys()),
            "window {number} is {found:?} instead of {expected:?}"
        );
        for (name, probability) in &expected.probabilities {
            let difference = (probability - found.probabilities[name]).abs();
            ensure!(difference <= TOLERANCE, "window {number}, {name}: {found:?} instead of {expected:?}");
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(first: u64, activity: &str, lying: f64) -> Decision {
        let probabilities = BTreeMap::from([("lying".to_owned(), lying), ("sitting".to_owned(), 1.0 - lying)]);
        let (configuration, activity) = ("0.10x-96".to_owned(), activity.to_owned());
        Decision { samples: [first, first + 127], time_s: None, configuration, activity, probabilities }
    }

    #[test]
    fn decisions_of_the_same_windows_agree_wherever_their_stream_began() {
        let here = [decision(0, "lying", 0.9), decision(64, "lying", 0.8)];
        let there = [decision(1000, "lying", 0.9), decision(1064, "lying", 0.800_05)];
        let difference = compare(&here, &there).unwrap();
        assert!((difference - 5e-5).abs() < 1e-9, "{difference}");
    }

    #[test]
    fn whatever_differs_is_named() {
        let here = [decision(0, "lying", 0.9), decision(64, "lying", 0.8)];
        for (there, named) in [
            (vec![decision(0, "lying", 0.9)], "1 windows"),
            (vec![decision(0, "lying", 0.9), decision(128, "lying", 0.8)], "128"),
            (vec![decision(0, "lying", 0.9), decision(64, "sitting", 0.8)], "sitting"),
            (vec![decision(0, "lying", 0.9), decision(64, "lying", 0.8002)], "0.8002"),
        ] {
            let error = compare(&here, &there).unwrap_err().to_string();
            assert!(error.contains(named), "{named} in {error}");
        }
    }

    #[test]
    fn decisions_are_read_as_gaitd_writes_them() {
        let text = "{\"class\":\"gaitd\"}\n{\"class\":\"decision\",\"window\":0,\"samples\":[0,127],\"time_s\":2.56,\
                    \"activity\":\"lying\",\"probabilities\":{\"lying\":0.9,\"sitting\":0.1},\
                    \"configuration\":\"0.10x-96\"}\n{\"class\":\"summary\"}\n";
        let mut expected = decision(0, "lying", 0.9);
        expected.time_s = Some(2.56);
        expected.probabilities.insert("sitting".into(), 0.1);
        assert_eq!(Decision::read_all(text).unwrap(), [expected]);
    }
}
