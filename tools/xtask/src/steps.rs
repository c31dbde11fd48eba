//! Runs named steps one after the other and sums them up.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::cost::Cost;

/// Stands above the table.
const TITLE: &str = "\n=== summary\n";

/// How a step ended.
pub(crate) enum Outcome {
    /// All that it checks holds.
    Passed,
    /// So it does, and this was found.
    Found(String),
    /// It could not be run, for this reason.
    Skipped(String),
}

enum Ended {
    /// And what was found.
    Passed(String),
    Failed(String),
    Skipped(String),
}

struct Step {
    name: String,
    ended: Ended,
    cost: Cost,
}

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
    /// Checks within the steps that checked nothing, and why.
    unchecked: Vec<(String, String)>,
    notes: Vec<String>,
}

impl Report {
    /// Runs `step` and notes how it ended; a failure does not stop the steps after it, so that one run shows all
    /// that is wrong. A step is skipped where one that it `needs` did not pass.
    pub(crate) fn step(&mut self, name: &str, needs: &[&str], step: impl FnOnce() -> Result<Outcome>) {
        eprintln!("\n=== {name}");
        let (start, children) = (Instant::now(), Cost::of_children());
        let ended = match needs.iter().find(|need| !self.passed(need)) {
            Some(missing) => Ended::Skipped(format!("`{missing}` did not pass")),
            None => match step() {
                Ok(Outcome::Passed) => Ended::Passed(String::new()),
                Ok(Outcome::Found(finding)) => Ended::Passed(finding),
                Ok(Outcome::Skipped(reason)) => Ended::Skipped(reason),
                Err(error) => Ended::Failed(format!("{error:#}")),
            },
        };
        if let Ended::Failed(reason) | Ended::Skipped(reason) = &ended {
            eprintln!("{reason}");
        }
        self.steps.push(Step { name: name.to_owned(), ended, cost: Cost::since(start, children) });
    }

    /// The report of a command that could do nothing, for this reason.
    pub(crate) fn skipped(name: &str, reason: String) -> Self {
        let mut report = Self::default();
        report.step(name, &[], || Ok(Outcome::Skipped(reason)));
        report
    }

    /// Names a check within a step that checked nothing, and why. It counts as skipped, once.
    pub(crate) fn unchecked(&mut self, name: String, reason: String) {
        if !self.unchecked.iter().any(|(known, _)| *known == name) {
            self.unchecked.push((name, reason));
        }
    }

    /// Adds a line below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Prints the table; the exit code says whether no step failed.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("{}", self.summary());
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn passed(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.name == name && matches!(step.ended, Ended::Passed(_)))
    }

    fn is_good(&self) -> bool {
        self.count(|ended| matches!(ended, Ended::Failed(_))) == 0
    }

    fn count(&self, which: impl Fn(&Ended) -> bool) -> usize {
        self.steps.iter().filter(|step| which(&step.ended)).count()
    }

    /// The table of all steps with the time that each took and the processor time of its programs, the checks that checked
    /// nothing, the notes, and a closing line with the sums.
    fn summary(&self) -> String {
        let mut text = TITLE.to_owned();
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or_default();
        for Step { name, ended, cost } in &self.steps {
            let (word, reason) = match ended {
                Ended::Passed(finding) => ("passed", finding.as_str()),
                Ended::Failed(reason) => ("FAILED", reason.as_str()),
                Ended::Skipped(reason) => ("skipped", reason.as_str()),
            };
            let line = format!("{name:<width$} {word:<8} {cost}  {reason}");
            text += line.trim_end();
            text.push('\n');
        }
        if self.steps.len() > 1 {
            let sum: Cost = self.steps.iter().map(|step| step.cost).sum();
            text += &format!("{:<width$} {:<8} {sum}\n", "", "sum");
        }
        for (name, reason) in &self.unchecked {
            text += &format!("skipped: {name}: {reason}\n");
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        text += &format!(
            "{} passed, {} failed, {} skipped",
            self.count(|ended| matches!(ended, Ended::Passed(_))),
            self.count(|ended| matches!(ended, Ended::Failed(_))),
            self.count(|ended| matches!(ended, Ended::Skipped(_))) + self.unchecked.len()
        );
        text
    }
}

/// The table in the output of a command that printed one, without its title.
pub(crate) fn table(output: &str) -> Option<&str> {
    output.rsplit_once(TITLE).map(|(_, table)| table.trim_end())
}

/// What such a command printed before its table, or all where there is none.
pub(crate) fn before_table(output: &str) -> &str {
    output.rsplit_once(TITLE).map_or(output, |(before, _)| before).trim_end()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn passes() -> Result<Outcome> {
        Ok(Outcome::Passed)
    }

    #[test]
    fn a_failure_is_counted_and_the_rest_still_runs() {
        let mut report = Report::default();
        report.step("first", &[], || bail!("broken"));
        report.step("second", &[], passes);
        assert!(!report.is_good());
        let summary = report.summary();
        assert!(summary.ends_with("\n1 passed, 1 failed, 0 skipped"), "{summary}");
        assert!(summary.contains("broken"), "{summary}");
    }

    #[test]
    fn what_was_found_stands_in_its_line() {
        let mut report = Report::default();
        report.step("a longer name", &[], || Ok(Outcome::Found("200 windows".into())));
        report.step("needy", &["a longer name"], passes);
        let summary = report.summary();
        let lines: Vec<_> = summary.lines().collect();
        assert!(lines[2].starts_with("a longer name passed ") && lines[2].ends_with(" 200 windows"), "{summary}");
        assert!(lines[3].starts_with("needy         passed "), "{summary}");
    }

    #[test]
    fn a_step_is_skipped_where_one_that_it_needs_did_not_pass() {
        let mut report = Report::default();
        report.step("base", &[], || Ok(Outcome::Skipped("no tool".into())));
        report.step("needy", &["base"], || panic!("must not run"));
        report.step("free", &[], passes);
        assert!(report.is_good());
        report.note("a note".to_owned());
        let summary = report.summary();
        assert!(summary.ends_with("\nnote: a note\n1 passed, 0 failed, 2 skipped"), "{summary}");
        assert!(summary.contains("`base` did not pass"), "{summary}");
    }

    #[test]
    fn checks_that_checked_nothing_are_named_and_counted_as_skipped() {
        let mut report = Report::default();
        report.step("rust", &[], passes);
        for (name, reason) in [("metrics", "no promtool"), ("man", "no man"), ("metrics", "no promtool")] {
            report.unchecked(name.to_owned(), reason.to_owned());
        }
        assert!(report.is_good());
        let summary = report.summary();
        let expected = "\nskipped: metrics: no promtool\nskipped: man: no man\n1 passed, 0 failed, 2 skipped";
        assert!(summary.ends_with(expected), "{summary}");
    }

    #[test]
    fn the_table_is_found_below_all_that_the_steps_printed() {
        let mut report = Report::default();
        report.step("build", &[], passes);
        report.note("no data".to_owned());
        let summary = report.summary();
        let found = table(&format!("=== build{TITLE}a test's\n{summary}\n")).map(str::to_owned);
        let found = found.unwrap();
        assert!(found.starts_with("build passed ") && found.ends_with("note: no data\n1 passed, 0 failed, 0 skipped"));
        assert_eq!(table("xtask: broken"), None);
    }
}
