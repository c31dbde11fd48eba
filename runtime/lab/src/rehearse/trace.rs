//! A rehearsal as a scenario, so that policies can be compared again on the load that was really met.

use super::outcome::{Course, Measured, Outcome};
use super::settings::Experiment;
use crate::simulate::{BudgetSpan, GivenConfiguration, LadderSpec, SCHEMA, Scenario, SlowdownSpec, Trace};
use gaitd_core::control::Objective;

/// Inferences per seed when the scenario is simulated.
const INFERENCES: usize = 40_000;

impl Measured {
    /// It in a scenario.
    pub(super) fn given(&self) -> GivenConfiguration {
        GivenConfiguration {
            id: self.id.clone(),
            latency_ms: rounded(self.latency.as_secs_f64() * 1e3),
            accuracy: self.accuracy,
            macs: self.macs,
        }
    }
}

impl Outcome {
    /// What the varying experiment met, as a scenario; nothing if it was not rehearsed or ended before the first
    /// inference.
    #[must_use]
    pub fn scenario(&self) -> Option<Scenario> {
        let varying = |course: &&Course| course.experiment == Experiment::Varying && !course.inferences.is_empty();
        let course = self.courses.iter().find(varying)?;
        let settings = &self.settings;
        let configurations = self.configurations.iter().map(Measured::given);
        let loads: Vec<String> = settings.loads.iter().map(f64::to_string).collect();
        let about = format!(
            "Co-runners ({}) at {} % of the processor, {} s each, as gaitd rehearse met them",
            settings.load_kind.name(),
            loads.join(", "),
            settings.seconds_per_phase
        );
        let what = format!(
            "gaitd {} rehearse --load-kind {} --slowdown {} on {}; {} in turns",
            env!("CARGO_PKG_VERSION"),
            settings.load_kind.name(),
            self.repeats,
            self.caveat(),
            self.policies.join(", ")
        );
        Some(Scenario {
            schema: SCHEMA,
            name: format!("recorded-{}", settings.load_kind.name()),
            about,
            ladder: LadderSpec::Given { labels: self.labels, configurations: configurations.collect() },
            budgets: vec![BudgetSpan { ms: settings.budget_ms, inferences: 1 }],
            miss_target: settings.miss_target,
            slowdown: SlowdownSpec::Trace(self.trace(course, what)),
            load: None,
            objective: Objective::default(),
            cascades: Vec::new(),
            head: None,
            wait: None,
            publish: None,
            inferences: INFERENCES,
            seeds: (0..5).collect(),
        })
    }

    fn trace(&self, course: &Course, what: String) -> Trace {
        // phases of the same load are the same state
        let mut states: Vec<String> = Vec::new();
        let of_phase: Vec<usize> = course
            .phases
            .iter()
            .map(|phase| {
                states.iter().position(|state| *state == phase.name).unwrap_or_else(|| {
                    states.push(phase.name.clone());
                    states.len() - 1
                })
            })
            .collect();
        let inferences = &course.inferences;
        let signal = |read: fn(&gaitd_core::control::Load) -> Option<f64>| -> Vec<Option<f64>> {
            let values: Vec<_> = inferences.iter().map(|i| read(&i.signals).map(rounded)).collect();
            if values.iter().all(Option::is_none) { Vec::new() } else { values }
        };
        Trace {
            what,
            states,
            state: inferences.iter().map(|inference| of_phase[inference.phase]).collect(),
            slowdown: inferences.iter().map(|inference| rounded(self.slowdown(inference))).collect(),
            cpu: signal(|signals| signals.cpu),
            pressure: signal(|signals| signals.pressure),
        }
    }
}

/// `value` to four significant digits: a recording is not worth more.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_kept() {
        assert_eq!(rounded(1.234_56), 1.235);
        assert_eq!(rounded(0.000_123_456), 0.000_123_5);
        assert_eq!(rounded(123_456.0), 123_500.0);
        assert_eq!(rounded(0.0), 0.0);
    }
}
