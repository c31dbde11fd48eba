//! Mutants, and how the tests ended on them, as cargo-mutants writes them.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One change of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Place and change, as cargo-mutants shows it: `FILE:LINE:COLUMN: CHANGE`.
    pub(super) name: String,
    pub(super) file: String,
    /// The function with its type; empty outside of any.
    pub(super) function: String,
    /// From 1.
    pub(super) line: usize,
}

impl Mutant {
    fn parse(value: &Value) -> Result<Self> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            name: text("/name").context("a mutant without a name")?,
            file: text("/file").context("a mutant without a file")?,
            function: text("/function/function_name").unwrap_or_default(),
            line: value.pointer("/span/start/line").and_then(Value::as_u64).context("a mutant without a line")?
                as usize,
        })
    }

    /// All of `cargo mutants --list --json`.
    pub(super) fn parse_list(json: &str) -> Result<Vec<Self>> {
        let values: Vec<Value> = serde_json::from_str(json).context("the list of mutants")?;
        values.iter().map(Self::parse).collect()
    }

    /// What is changed, without the place.
    pub(super) fn mutation(&self) -> &str {
        self.name.splitn(4, ':').nth(3).unwrap_or_default().trim()
    }
}

/// How the tests ended on a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Caught,
    Missed,
    TimedOut,
    Unviable,
}

#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) mutant: Mutant,
    pub(super) ending: Ending,
}

impl Outcome {
    /// The outcomes in `outcomes.json`; none where that run did not come to its end.
    pub(super) fn parse_all(json: &str) -> Result<Option<Vec<Self>>> {
        let value: Value = serde_json::from_str(json).context("the outcomes")?;
        if value["end_time"].is_null() {
            return Ok(None);
        }
        let outcomes = value["outcomes"].as_array().context("no outcomes")?;
        // the baseline, which is not mutated, is among them
        let mutants = outcomes.iter().filter_map(|outcome| Some((outcome.pointer("/scenario/Mutant")?, outcome)));
        let parse = |(mutant, outcome): (&Value, &Value)| {
            let ending = match outcome["summary"].as_str() {
                Some("CaughtMutant") => Ending::Caught,
                Some("MissedMutant") => Ending::Missed,
                Some("Timeout") => Ending::TimedOut,
                Some("Unviable") => Ending::Unviable,
                other => bail!("a mutant ended with {other:?}"),
            };
            Ok(Self { mutant: Mutant::parse(mutant)?, ending })
        };
        mutants.map(parse).collect::<Result<_>>().map(Some)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn mutant(line: usize) -> Mutant {
        Mutant {
            name: format!("runtime/core/src/a.rs:{line}:9: replace > with >= in A::b"),
            file: "runtime/core/src/a.rs".to_owned(),
            function: "A::b".to_owned(),
            line,
        }
    }

    fn value(line: usize) -> Value {
        let Mutant { name, file, function, line } = mutant(line);
        json!({"name": name, "file": file, "function": {"function_name": function}, "span": {"start": {"line": line}}})
    }

    #[test]
    fn the_list_is_read() {
        let listed = Mutant::parse_list(&json!([value(3), value(5)]).to_string()).unwrap();
        assert_eq!(listed, [mutant(3), mutant(5)]);
        assert_eq!(listed[0].mutation(), "replace > with >= in A::b");
    }

    #[test]
    fn outcomes_count_once_the_run_has_ended() {
        let mut outcomes = json!({"end_time": null, "outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            {"scenario": {"Mutant": value(7)}, "summary": "Timeout"},
        ]});
        assert!(Outcome::parse_all(&outcomes.to_string()).unwrap().is_none());
        outcomes["end_time"] = json!("2026-01-01T00:00:00Z");
        let parsed = Outcome::parse_all(&outcomes.to_string()).unwrap().unwrap();
        assert_eq!((parsed.len(), &parsed[0].mutant, parsed[0].ending), (1, &mutant(7), Ending::TimedOut));
    }
}
