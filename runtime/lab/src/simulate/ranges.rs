//! The ranges of a scenario's values: what is out of them, in sentences that name the place.

use std::ops::RangeInclusive;

use gaitd_core::control::Objective;

use super::scenario::{CascadeSpec, Delay, Dwell, LadderSpec, Process, SCHEMA, Scenario, SlowdownSpec, Tail, Trace};

/// Budgets and latencies, milliseconds.
pub(super) const MILLISECONDS: RangeInclusive<f64> = 0.001..=60_000.0;
/// Standard deviations.
pub(super) const SCATTER: RangeInclusive<f64> = 0.0..=2.0;

impl Scenario {
    /// Everything that is out of range, in sentences.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if self.schema != SCHEMA {
            return vec![format!("schema is {}, and this gaitd reads schema {SCHEMA}", self.schema)];
        }
        let mut problems = Problems::default();
        let fit = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        problems.unless(
            !self.name.is_empty() && self.name.chars().all(fit),
            "name must be made of letters, digits, - and _",
        );
        self.ladder.check(&mut problems);
        problems.unless(!self.budgets.is_empty(), "budgets is empty; at least one is needed");
        for (index, budget) in self.budgets.iter().enumerate() {
            let place = format!("budgets[{index}]");
            problems.range(&format!("{place}.ms"), budget.ms, MILLISECONDS);
            problems.unless(budget.inferences > 0, &format!("{place}.inferences must be 1 or more"));
        }
        problems.unless(share(self.miss_target), "miss_target must be a share from 0 to 1");
        match &self.slowdown {
            SlowdownSpec::Process(process) => process.check(&mut problems),
            SlowdownSpec::Trace(trace) => trace.check(&mut problems),
        }
        if let Some(load) = &self.load {
            problems.range("load.noise", load.noise, SCATTER);
            problems.unless(share(load.missing), "load.missing must be a share from 0 to 1");
            problems
                .unless(matches!(self.slowdown, SlowdownSpec::Process(_)), "load: a trace brings its own load signal");
        }
        if let Objective::Energy { accuracy_floor } = self.objective {
            problems.unless(share(accuracy_floor), "objective.accuracy_floor must be a share from 0 to 1");
        }
        for (index, cascade) in self.cascades.iter().enumerate() {
            let CascadeSpec { asked_if_right, asked_if_wrong, spoilt, saved, .. } = cascade;
            let shares = [
                ("asked_if_right", asked_if_right),
                ("asked_if_wrong", asked_if_wrong),
                ("spoilt", spoilt),
                ("saved", saved),
            ];
            for (name, value) in shares {
                problems.unless(share(*value), &format!("cascades[{index}].{name} must be a share from 0 to 1"));
            }
        }
        if let Some(head) = &self.head {
            problems.range("head.lead_ms", head.lead_ms, MILLISECONDS);
            problems.unless(share(head.share), "head.share must be a share from 0 to 1");
        }
        for (delay, place) in [(&self.wait, "wait"), (&self.publish, "publish")] {
            if let Some(delay) = delay {
                delay.check(place, &mut problems);
            }
        }
        problems.unless((1..=10_000_000).contains(&self.inferences), "inferences must be from 1 to 10,000,000");
        problems.unless(!self.seeds.is_empty(), "seeds is empty; at least one is needed");
        problems.0
    }
}

impl LadderSpec {
    fn check(&self, problems: &mut Problems) {
        match self {
            Self::Given { labels, configurations } => {
                problems.unless(*labels >= 2, "ladder.labels must be 2 or more");
                problems.unless(!configurations.is_empty(), "ladder.configurations is empty; at least one is needed");
                for (index, c) in configurations.iter().enumerate() {
                    let place = format!("ladder.configurations[{index}]");
                    problems.range(&format!("{place}.latency_ms"), c.latency_ms, MILLISECONDS);
                    problems.unless(share(c.accuracy), &format!("{place}.accuracy must be a share from 0 to 1"));
                    let twice = configurations[..index].iter().any(|other| other.id == c.id);
                    problems.unless(!twice, &format!("{place}.id {:?} stands twice", c.id));
                }
            }
            Self::Model { scale, .. } => problems.range("ladder.scale", *scale, 0.001..=1e6),
        }
    }
}

impl Process {
    fn check(&self, problems: &mut Problems) {
        problems.unless(!self.levels.is_empty(), "slowdown.levels is empty; at least one is needed");
        self.dwell.check("slowdown.dwell", problems);
        for (index, level) in self.levels.iter().enumerate() {
            let place = format!("slowdown.levels[{index}]");
            problems.range(&format!("{place}.slowdown"), level.slowdown, 0.001..=1000.0);
            problems.unless(share(level.load), &format!("{place}.load must be a share from 0 to 1"));
            if let Some(dwell) = &level.dwell {
                dwell.check(&format!("{place}.dwell"), problems);
            }
        }
        problems.unless(self.ramp <= 1_000_000, "slowdown.ramp must be at most 1,000,000 inferences");
        problems.range("slowdown.noise", self.noise, SCATTER);
        problems.range("slowdown.profile_error", self.profile_error, SCATTER);
        if let Some(tail) = &self.tail {
            tail.check("slowdown.tail", problems);
        }
    }
}

impl Tail {
    fn check(&self, place: &str, problems: &mut Problems) {
        problems.unless(share(self.share), &format!("{place}.share must be a share from 0 to 1"));
        problems.range(&format!("{place}.scale"), self.scale, 1.0..=1000.0);
        problems.range(&format!("{place}.shape"), self.shape, 0.1..=100.0);
    }
}

impl Delay {
    fn check(&self, place: &str, problems: &mut Problems) {
        problems.range(&format!("{place}.median_ms"), self.median_ms, MILLISECONDS);
        problems.range(&format!("{place}.noise"), self.noise, SCATTER);
        if let Some(tail) = &self.tail {
            tail.check(&format!("{place}.tail"), problems);
        }
    }
}

impl Dwell {
    fn check(&self, place: &str, problems: &mut Problems) {
        match self {
            Self::Geometric { mean } => problems.range(&format!("{place}.mean"), *mean, 1.0..=1e6),
            Self::Uniform { shortest, longest } => {
                let fit = *shortest >= 1 && shortest <= longest && *longest <= 1_000_000;
                problems.unless(fit, &format!("{place}: 1 <= shortest <= longest <= 1,000,000 must hold"));
            }
        }
    }
}

impl Trace {
    fn check(&self, problems: &mut Problems) {
        let length = self.slowdown.len();
        problems.unless(length > 0, "slowdown.slowdown is empty; at least one inference is needed");
        problems.unless(self.slowdown.iter().copied().all(positive), "slowdown.slowdown must be above 0 throughout");
        problems.unless(self.state.len() == length, "slowdown.state must be as long as slowdown.slowdown");
        problems.unless(
            self.state.iter().all(|state| *state < self.states.len()),
            "slowdown.state must hold indices into slowdown.states",
        );
        for (signal, name) in [(&self.cpu, "cpu"), (&self.pressure, "pressure")] {
            problems.unless(
                signal.is_empty() || signal.len() == length,
                &format!("slowdown.{name} must be empty or as long as slowdown.slowdown"),
            );
            problems.unless(
                signal.iter().flatten().copied().all(share),
                &format!("slowdown.{name} must hold shares from 0 to 1"),
            );
        }
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, holds: bool, problem: &str) {
        if !holds {
            self.0.push(problem.to_owned());
        }
    }

    fn range(&mut self, place: &str, value: f64, range: RangeInclusive<f64>) {
        let (least, greatest) = (range.start(), range.end());
        self.unless(range.contains(&value), &format!("{place} is {value}, and must be from {least} to {greatest}"));
    }
}

fn positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

fn share(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}
