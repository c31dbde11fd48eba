//! Decisions as gaitd writes them, and whether those of two machines agree.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How far a probability may be from the other machine's: what golden vectors allow.
const TOLERANCE: f64 = 1e-4;

/// What a decision says, apart from how long it took.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// The window's number.
    pub(crate) window: u64,
    /// Numbers of the window's first and last sample.
    pub(crate) samples: [u64; 2],
    /// The stream's time at the window's end, in seconds, where its samples have timestamps.
    pub(crate) time_s: Option<f64>,
    pub(crate) configuration: String,
    pub(crate) activity: String,
    /// It came later than its budget.
    pub(crate) miss: bool,
    /// What the window says by itself.
    pub(crate) probabilities: BTreeMap<String, f64>,
}

impl Decision {
    /// Reads a decision; nothing where `data` is something else.
    pub(crate) fn read(data: &Value) -> Result<Option<Self>> {
        if data["class"] != "decision" {
            return Ok(None);
        }
        let read = || {
            let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
            Some(Self {
                window: data["window"].as_u64()?,
                samples: [data["samples"][0].as_u64()?, data["samples"][1].as_u64()?],
                time_s: data["time_s"].as_f64(),
                configuration: data["configuration"].as_str()?.to_owned(),
                activity: data["activity"].as_str()?.to_owned(),
                // one that nobody waited for is none
                miss: data["miss"].as_bool().unwrap_or(false),
                probabilities: data["instant"]["probabilities"]
                    .as_object()?
                    .iter()
                    .map(number)
                    .collect::<Option<_>>()?,
            })
        };
        read().map(Some).with_context(|| format!("this decision lacks something: {data}"))
    }

    /// Reads the decisions among lines of NDJSON.
    pub(crate) fn read_all(text: &str) -> Result<Vec<Self>> {
        let decisions = text.lines().map(|line| {
            let data = serde_json::from_str(line).with_context(|| format!("this is no JSON: {line}"))?;
            Self::read(&data)
        });
        decisions.filter_map(Result::transpose).collect()
    }

    /// The largest difference between the probabilities of this machine's decision and of another's, which must have
    /// the same configuration and activity, and probabilities to 1e-4.
    pub(crate) fn difference(&self, there: &Self) -> Result<f64> {
        let fields = [
            ("configuration", &self.configuration, &there.configuration),
            ("activity", &self.activity, &there.activity),
        ];
        for (name, here, there) in fields {
            ensure!(here == there, "{name} is {here:?} here, {there:?} there");
        }
        let mut worst = 0f64;
        for (name, here) in &self.probabilities {
            let there = there.probabilities.get(name).with_context(|| format!("there is no probability of {name}"))?;
            worst = worst.max((here - there).abs());
        }
        ensure!(self.probabilities.len() == there.probabilities.len(), "there are probabilities of other activities");
        ensure!(worst <= TOLERANCE, "the probabilities differ by {worst:.1e}, above {TOLERANCE:.0e}");
        Ok(worst)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(change: impl Fn(&mut Value)) -> Value {
        let mut line = json!({
            "class": "decision", "window": 1, "samples": [64, 191], "time_s": 3.84, "activity": "walking",
            "configuration": "0.10x-96", "miss": false, "instant": {"probabilities": {"walking": 0.75, "lying": 0.25}},
        });
        change(&mut line);
        line
    }

    fn decision(change: impl Fn(&mut Value)) -> Decision {
        Decision::read(&line(change)).unwrap().unwrap()
    }

    #[test]
    fn decisions_are_picked_out_of_a_stream() {
        let text = format!("{}\n{}\n{}\n", json!({"class": "gaitd"}), line(|_| {}), json!({"class": "summary"}));
        let decisions = Decision::read_all(&text).unwrap();
        assert_eq!(decisions, [decision(|_| {})]);
        assert_eq!((decisions[0].samples, decisions[0].time_s), ([64, 191], Some(3.84)));
        for field in ["window", "samples", "configuration", "activity", "instant"] {
            assert!(Decision::read(&line(|line| line[field] = Value::Null)).is_err(), "{field}");
        }
        assert!(Decision::read(&line(|line| line["instant"]["probabilities"]["lying"] = Value::Null)).is_err());
        assert!(Decision::read_all("nonsense").is_err());
    }

    #[test]
    fn what_differs_is_named() {
        let here = decision(|_| {});
        let close = decision(|line| line["instant"]["probabilities"]["walking"] = 0.750_05.into());
        assert!((here.difference(&close).unwrap() - 5e-5).abs() < 1e-9);
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 5] = [
            (|line| line["activity"] = "lying".into(), "activity is \"walking\" here, \"lying\" there"),
            (|line| line["configuration"] = "1.00x-128".into(), "configuration is"),
            (|line| line["instant"]["probabilities"]["lying"] = 0.2502.into(), "differ by 2.0e-4"),
            (|line| line["instant"]["probabilities"] = json!({"walking": 0.75}), "no probability of lying"),
            (|line| line["instant"]["probabilities"]["sitting"] = 0.0.into(), "other activities"),
        ];
        for (change, expected) in changes {
            let error = here.difference(&decision(change)).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected} should be in: {error}");
        }
    }
}
