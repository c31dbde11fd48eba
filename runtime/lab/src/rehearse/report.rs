//! The figures of a rehearsal, per policy and phase.

use std::time::Duration;

use serde::Serialize;

use super::load::LoadKind;
use super::outcome::{Course, Inference, Outcome};
use super::settings::Experiment;
use gaitd_core::control::AlertConstants;
use gaitd_core::ladder::nearest_rank;

/// So many windows in a row must be on time before a policy has settled.
const SETTLED: usize = 5;

/// A rehearsal in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The gaitd that rehearsed.
    pub gaitd: String,
    /// The model's name.
    pub model: String,
    /// The processor, as the operating system names it.
    pub machine: String,
    /// Number of the processor on which the engine and the co-runners met.
    pub cpu: Option<usize>,
    /// How often each inference was repeated.
    pub repeats: u32,
    /// How the co-runner took its share.
    pub load_kind: LoadKind,
    /// Length of a phase, seconds.
    pub seconds_per_phase: f64,
    /// Width of the stepping policy's band, milliseconds.
    pub band_ms: f64,
    /// Allowed share of late windows.
    pub miss_target: f64,
    /// Accuracy that a late window counts for: a guess.
    pub guess_accuracy: f64,
    /// The configurations, as measured on the quiet machine.
    pub configurations: Vec<MeasuredReport>,
    /// The experiments.
    pub experiments: Vec<CourseReport>,
    /// What spoils the figures, in sentences.
    pub warnings: Vec<String>,
}

/// A configuration as measured on the quiet machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredReport {
    /// Its name.
    pub id: String,
    /// Median latency of a repeated inference, milliseconds.
    pub latency_ms: f64,
    /// Accuracy on held-out training subjects, a share.
    pub accuracy: f64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
}

/// One experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CourseReport {
    /// Which one.
    pub experiment: Experiment,
    /// It was not ended early.
    pub complete: bool,
    /// Inferences of all policies.
    pub inferences: usize,
    /// The constants that were fitted for ALERT before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_fitted: Option<AlertConstants>,
    /// Its phases.
    pub phases: Vec<PhaseReport>,
    /// What each policy made of it.
    pub policies: Vec<PolicyReport>,
}

/// What a phase was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// The budget, milliseconds.
    pub budget_ms: f64,
    /// Share of the processor that the co-runner was to take.
    pub load: f64,
    /// Median slowdown of all inferences; 1 is the quiet machine.
    pub slowdown: Option<f64>,
    /// Its 95th percentile: how bad it was at times.
    pub slowdown_p95: Option<f64>,
    /// The most accurate configuration that meets the budget at the median slowdown; none if none does.
    pub best: Option<String>,
}

/// What a policy made of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyReport {
    /// The policy.
    pub policy: String,
    /// All phases together.
    pub total: Share,
    /// Each phase.
    pub phases: Vec<Share>,
}

/// The figures of some of a policy's inferences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Inferences.
    pub inferences: usize,
    /// Those that took longer than the budget.
    pub late: usize,
    /// Their share; none without inferences.
    pub late_share: Option<f64>,
    /// Mean latency, milliseconds.
    pub mean_ms: Option<f64>,
    /// 95th percentile of the latency, milliseconds.
    pub p95_ms: Option<f64>,
    /// Mean accuracy, a share: the configuration's where it was on time, a guess where it was late.
    pub accuracy: Option<f64>,
    /// Changes of the configuration.
    pub switches: usize,
    /// The configurations, the most used first.
    pub used: Vec<Used>,
    /// In a phase that is harder than the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_rise: Option<AfterRise>,
    /// In a phase that is easier than the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_fall: Option<AfterFall>,
}

/// How often a configuration was used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    /// The configuration.
    pub configuration: String,
    /// Its inferences.
    pub inferences: usize,
}

/// What became of a policy when the load rose or the budget fell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AfterRise {
    /// Late windows before the first five in a row that were on time.
    pub late: usize,
}

/// What became of a policy when the load fell or the budget rose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AfterFall {
    /// Windows before the first one on the phase's best configuration; none if it was never reached.
    pub until_best: Option<usize>,
}

/// The slowdown that the share `quantile` of the inferences in the phase `phase` of `course` did not exceed.
pub(super) fn slowdown_quantile(outcome: &Outcome, course: &Course, phase: usize, quantile: f64) -> Option<f64> {
    let inferences = course.inferences.iter().filter(|inference| inference.phase == phase);
    let mut slowdowns: Vec<f64> = inferences.map(|inference| outcome.slowdown(inference)).collect();
    slowdowns.sort_unstable_by(f64::total_cmp);
    nearest_rank(&slowdowns, quantile)
}

impl Outcome {
    /// The figures of everything that was measured.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            gaitd: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.model.clone(),
            machine: self.machine.clone(),
            cpu: self.cpu,
            repeats: self.repeats,
            load_kind: self.settings.load_kind,
            seconds_per_phase: self.settings.seconds_per_phase,
            band_ms: self.settings.band_ms,
            miss_target: self.settings.miss_target,
            guess_accuracy: self.guess_accuracy(),
            configurations: self
                .configurations
                .iter()
                .map(|c| MeasuredReport {
                    id: c.id.clone(),
                    latency_ms: milliseconds(c.latency),
                    accuracy: c.accuracy,
                    macs: c.macs,
                })
                .collect(),
            experiments: self.courses.iter().map(|course| self.course_report(course)).collect(),
            warnings: self.warnings.clone(),
        }
    }

    fn guess_accuracy(&self) -> f64 {
        1.0 / self.labels as f64
    }

    fn course_report(&self, course: &Course) -> CourseReport {
        let best: Vec<Option<usize>> = (0..course.phases.len()).map(|phase| self.best(course, phase)).collect();
        let phases = course.phases.iter().enumerate().map(|(index, phase)| PhaseReport {
            name: phase.name.clone(),
            budget_ms: milliseconds(phase.budget),
            load: phase.load,
            slowdown: slowdown_quantile(self, course, index, 0.5),
            slowdown_p95: slowdown_quantile(self, course, index, 0.95),
            best: best[index].map(|rung| self.configurations[rung].id.clone()),
        });
        let policies = self.policies.iter().enumerate().map(|(policy, name)| {
            let own = |phase: Option<usize>| -> Vec<&Inference> {
                let fits = |i: &&Inference| i.policy == policy && phase.is_none_or(|phase| phase == i.phase);
                course.inferences.iter().filter(fits).collect()
            };
            let phases = (0..course.phases.len()).map(|phase| {
                let inferences = own(Some(phase));
                let mut share = self.share(course, &inferences);
                match change(course, phase) {
                    Some(Change::Harder) => share.after_rise = Some(self.after_rise(course, &inferences)),
                    Some(Change::Easier) => {
                        let until_best = inferences.iter().position(|inference| Some(inference.rung) == best[phase]);
                        share.after_fall = Some(AfterFall { until_best });
                    }
                    None => {}
                }
                share
            });
            PolicyReport { policy: name.clone(), phases: phases.collect(), total: self.share(course, &own(None)) }
        });
        CourseReport {
            experiment: course.experiment,
            complete: course.complete,
            inferences: course.inferences.len(),
            alert_fitted: course.alert_fitted,
            phases: phases.collect(),
            policies: policies.collect(),
        }
    }

    /// The most accurate configuration that meets the phase's budget at its median slowdown.
    fn best(&self, course: &Course, phase: usize) -> Option<usize> {
        let slowdown = slowdown_quantile(self, course, phase, 0.5)?;
        let budget = course.phases[phase].budget.as_secs_f64();
        (0..self.configurations.len())
            .filter(|&rung| self.configurations[rung].latency.as_secs_f64() * slowdown <= budget)
            .max_by(|&a, &b| {
                let (a, b) = (&self.configurations[a], &self.configurations[b]);
                a.accuracy.total_cmp(&b.accuracy).then(b.latency.cmp(&a.latency))
            })
    }

    fn share(&self, course: &Course, inferences: &[&Inference]) -> Share {
        let count = inferences.len();
        let late = inferences.iter().filter(|inference| is_late(course, inference)).count();
        let mut latencies: Vec<f64> = inferences.iter().map(|i| milliseconds(i.latency)).collect();
        latencies.sort_unstable_by(f64::total_cmp);
        let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
        let mut used: Vec<Used> = self
            .configurations
            .iter()
            .enumerate()
            .map(|(rung, configuration)| Used {
                configuration: configuration.id.clone(),
                inferences: inferences.iter().filter(|inference| inference.rung == rung).count(),
            })
            .filter(|used| used.inferences > 0)
            .collect();
        used.sort_by_key(|used| std::cmp::Reverse(used.inferences));
        Share {
            inferences: count,
            late,
            late_share: mean(late as f64),
            mean_ms: mean(latencies.iter().sum()),
            p95_ms: nearest_rank(&latencies, 0.95),
            accuracy: self.accuracy(course, inferences.iter().copied()),
            switches: inferences.windows(2).filter(|pair| pair[0].rung != pair[1].rung).count(),
            used,
            after_rise: None,
            after_fall: None,
        }
    }

    /// Mean accuracy of `inferences`: the configuration's where it was on time, a guess where it was late.
    pub(super) fn accuracy<'a>(&self, course: &Course, inferences: impl Iterator<Item = &'a Inference>) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0);
        for inference in inferences {
            let late = is_late(course, inference);
            sum += if late { self.guess_accuracy() } else { self.configurations[inference.rung].accuracy };
            count += 1;
        }
        (count > 0).then(|| sum / f64::from(count))
    }

    fn after_rise(&self, course: &Course, inferences: &[&Inference]) -> AfterRise {
        let late: Vec<bool> = inferences.iter().map(|inference| is_late(course, inference)).collect();
        let settled = late.windows(SETTLED).position(|row| row.iter().all(|late| !late)).unwrap_or(late.len());
        AfterRise { late: late[..settled].iter().filter(|late| **late).count() }
    }
}

/// Whether `inference` took longer than its phase's budget.
pub(super) fn is_late(course: &Course, inference: &Inference) -> bool {
    inference.latency > course.phases[inference.phase].budget
}

enum Change {
    Harder,
    Easier,
}

/// How the phase `phase` differs from the one before.
fn change(course: &Course, phase: usize) -> Option<Change> {
    let now = &course.phases[phase];
    let before = &course.phases[phase.checked_sub(1)?];
    if now.load > before.load || now.budget < before.budget {
        Some(Change::Harder)
    } else if now.load < before.load || now.budget > before.budget {
        Some(Change::Easier)
    } else {
        None
    }
}

fn milliseconds(duration: Duration) -> f64 {
    // whole nanoseconds, so that no digit is made up
    duration.as_nanos() as f64 / 1e6
}
