//! Runs named steps one after the other and sums them up.

use std::time::{Duration, Instant};

use anyhow::Result;

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

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<(String, Ended, Duration)>,
}

impl Report {
    /// Runs `step` and notes how it ended; a failure does not stop the steps after it, so that one run shows all
    /// that is wrong. A step is skipped where one that it `needs` did not pass.
    pub(crate) fn step(&mut self, name: &str, needs: &[&str], step: impl FnOnce() -> Result<Outcome>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let ended = match needs.iter().find(|need| !self.passed(need)) {
            Some(missing) => Ended::Skipped(format!("`{missing}` did not pass")),
            None => match step() {
                Ok(Outcome::Passed) => Ended::Passed(String::new()),
                Ok(Outcome::Found(what)) => Ended::Passed(what),
                Ok(Outcome::Skipped(why)) => Ended::Skipped(why),
                Err(error) => Ended::Failed(format!("{error:#}")),
            },
        };
        if let Ended::Failed(why) | Ended::Skipped(why) = &ended {
            eprintln!("{why}");
        }
        self.steps.push((name.to_owned(), ended, start.elapsed()));
    }

    fn passed(&self, name: &str) -> bool {
        self.steps.iter().any(|(step, ended, _)| step == name && matches!(ended, Ended::Passed(_)))
    }

    /// Whether no step failed.
    pub(crate) fn is_good(&self) -> bool {
        self.count(|ended| matches!(ended, Ended::Failed(_))) == 0
    }

    fn count(&self, which: impl Fn(&Ended) -> bool) -> usize {
        self.steps.iter().filter(|(_, ended, _)| which(ended)).count()
    }

    /// The table of all steps, the `notes`, and a closing line with the sums.
    pub(crate) fn summary(&self, notes: &[String]) -> String {
        let mut text = String::from("\n=== summary\n");
        let width = self.steps.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
        for (name, ended, time) in &self.steps {
            let (word, why) = match ended {
                Ended::Passed(found) => ("passed", found.as_str()),
                Ended::Failed(why) => ("FAILED", why.as_str()),
                Ended::Skipped(why) => ("skipped", why.as_str()),
            };
            let line = format!("{name:<width$} {word:<8} {:>7.1} s  {why}", time.as_secs_f64());
            text += line.trim_end();
            text.push('\n');
        }
        for note in notes {
            text += &format!("note: {note}\n");
        }
        text += &format!(
            "{} passed, {} failed, {} skipped",
            self.count(|ended| matches!(ended, Ended::Passed(_))),
            self.count(|ended| matches!(ended, Ended::Failed(_))),
            self.count(|ended| matches!(ended, Ended::Skipped(_)))
        );
        text
    }
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
        let summary = report.summary(&[]);
        assert!(summary.ends_with("\n1 passed, 1 failed, 0 skipped"), "{summary}");
        assert!(summary.contains("broken"), "{summary}");
    }

    #[test]
    fn what_was_found_stands_in_its_line() {
        let mut report = Report::default();
        report.step("a longer name", &[], || Ok(Outcome::Found("200 windows".into())));
        report.step("needy", &["a longer name"], passes);
        let summary = report.summary(&[]);
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
        let summary = report.summary(&["a note".into()]);
        assert!(summary.ends_with("\nnote: a note\n1 passed, 0 failed, 2 skipped"), "{summary}");
        assert!(summary.contains("`base` did not pass"), "{summary}");
    }
}
