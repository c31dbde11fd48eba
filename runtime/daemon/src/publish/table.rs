//! Decisions in columns, for people.

use std::io::{self, Write};

use gaitd_api::{CascadeView, DecisionLine, SecondView};

/// The widest that a column of names becomes; a longer name moves what stands after it.
const WIDEST: usize = 24;

/// The columns of one ladder's decisions.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    activity: usize,
    configuration: usize,
}

impl Table {
    /// Columns for these activities and configurations.
    #[must_use]
    pub fn new<'a>(
        activities: impl IntoIterator<Item = &'a str>,
        configurations: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        fn width(names: &mut dyn Iterator<Item = &str>, heading: &str) -> usize {
            names.map(|name| name.chars().count()).max().unwrap_or(0).clamp(heading.len(), WIDEST)
        }
        Self {
            activity: width(&mut activities.into_iter(), "activity"),
            configuration: width(&mut configurations.into_iter(), "configuration"),
        }
    }

    /// Writes what the columns are.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn heading(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { activity, configuration } = *self;
        writeln!(
            out,
            "{:>8}  {:>12}  {:<activity$}  {:>6}  {:<configuration$}  {:>10}  {:>10}  why",
            "time", "stream", "activity", "prob.", "configuration", "latency", "slack"
        )
    }

    /// Writes the row of `decision`; allocates nothing.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn row(&self, decision: &DecisionLine<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Self { activity, configuration } = *self;
        match decision.time.map(|time| time.of_day()) {
            Some((hour, minute, second)) => write!(out, "{hour:02}:{minute:02}:{second:02}")?,
            None => write!(out, "{:>8}", "-")?,
        }
        match decision.time_s {
            Some(time_s) if time_s.abs() < 1e6 => write!(out, "  {time_s:>10.2} s")?,
            // clocks that count from 1970 have ten digits
            Some(time_s) if time_s.abs() < 1e9 || (0.0..1e10).contains(&time_s) => write!(out, "  {time_s:>10.0} s")?,
            Some(time_s) => write!(out, "  {time_s:>10.2e} s")?,
            // samples are counted where the stream has no timestamps
            None => write!(out, "  #{:>11}", decision.samples.1)?,
        }
        let probability = decision.belief.iter().find(|(label, _)| *label == decision.activity);
        write!(
            out,
            "  {:<activity$}  {:>5.1}%  {:<configuration$}  ",
            decision.activity,
            probability.map_or(0.0, |(_, probability)| probability) * 100.0,
            decision.configuration,
        )?;
        match decision.slack_ms {
            Some(slack_ms) => write!(out, "{:>7.2} ms  {slack_ms:>+7.2} ms", decision.latency_ms)?,
            None => write!(out, "{:>10}  {:>10}", "not timed", "-")?,
        }
        write!(out, "  {}", decision.reason.describe())?;
        if let Some(CascadeView { small, large, second, .. }) = &decision.cascade {
            match second {
                SecondView::NotNeeded => write!(out, ", {large} not needed")?,
                SecondView::NoTime => write!(out, ", no time for {large}")?,
                SecondView::Failed => write!(out, ", {large} failed")?,
                SecondView::Answered => write!(out, ", after {small}")?,
            }
        }
        if decision.miss == Some(true) {
            out.write_all(b"  MISS")?;
        }
        for (sensor, fault) in decision.implausible.iter() {
            write!(out, "  [{sensor}: {fault}]")?;
        }
        out.write_all(if decision.simulated { b"  [simulated]\n" } else { b"\n" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The row of a decision, of which `change` says what is unlike most.
    fn row(change: &Value) -> String {
        let mut decision = json!({
            "class": "decision", "stream": "left", "window": 3, "samples": [192, 319], "time_s": 6.4, "simulated": false,
            "activity": "sitting", "belief": {"walking": 0.25, "sitting": 0.75}, "configuration": "1.00x-128",
            "instant": {"activity": "walking", "probabilities": {"walking": 0.75, "sitting": 0.25}}, "mmacs": 0.12,
            "reason": "fixed", "predicted_ms": 1.5, "miss_probability": null, "expected_accuracy": null,
            "slowdown": null, "signals": {"cpu": null, "pressure": null, "frequency": null, "temperature_c": null},
            "timings_ms": {"condition": 0.1, "wait": 0.2, "prepare": 0.3, "infer": 1.0, "cpu": null},
            "latency_ms": 1.7, "budget_ms": 50.0, "slack_ms": 48.3, "miss": false,
        });
        for (key, value) in change.as_object().unwrap() {
            decision[key] = value.clone();
        }
        let mut row = Vec::new();
        let decision: DecisionLine = serde_json::from_value(decision).unwrap();
        table().row(&decision, &mut row).unwrap();
        String::from_utf8(row).unwrap()
    }

    fn table() -> Table {
        Table::new(["walking", "sitting"], ["0.10x-96", "1.00x-128"])
    }

    #[test]
    fn a_row_has_the_time_of_day_where_it_is_known_beside_that_of_the_stream() {
        let mut heading = Vec::new();
        table().heading(&mut heading).unwrap();
        assert_eq!(
            String::from_utf8(heading).unwrap() + &row(&json!({"time": "2026-11-30T08:05:02.560+01:00"})),
            "    time        stream  activity   prob.  configuration     latency       slack  why\n\
             08:05:02        6.40 s  sitting    75.0%  1.00x-128         1.70 ms   +48.30 ms  fixed\n"
        );
        let late = row(&json!({"time_s": null, "miss": true, "latency_ms": 51, "slack_ms": -1, "simulated": true,
            "implausible": [{"sensor": "acc", "fault": "unit"}]}));
        assert!(late.starts_with("       -  #        319  sitting "), "{late}");
        assert!(late.ends_with("-1.00 ms  fixed  MISS  [acc: unit]  [simulated]\n"), "{late}");
    }

    #[test]
    fn the_columns_stand_whatever_the_clock_of_the_stream_is() {
        let column = row(&json!({})).find("sitting");
        for time_s in [0.0, -3.5, 86_400.0, 999_999.0, 1e6, 1_764_400_002.56, -1e9, 1.7e12, -1.7e12, 1e300] {
            let row = row(&json!({"time_s": time_s}));
            assert_eq!(row.find("sitting"), column, "{row}");
        }
    }

    #[test]
    fn a_column_is_as_wide_as_its_longest_name() {
        let table = Table::new(["lying down from standing"], ["the-only-configuration", "b"]);
        assert_eq!((table.activity, table.configuration), (24, 22));
        let table = Table::new(["x".repeat(100).as_str()], []);
        assert_eq!((table.activity, table.configuration), (24, 13));
    }
}
