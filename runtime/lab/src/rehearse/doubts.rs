//! What spoils a rehearsal's figures, shown beside them.

use super::load::LoadKind;
use super::outcome::{Measured, Outcome};
use super::report::slowdown_quantile;

/// Above this ratio of the 90th percentile to the median, the machine is said not to be quiet.
const NOISY: f64 = 1.3;

/// Every reason to doubt `outcome`, in sentences.
pub(super) fn of(outcome: &Outcome) -> Vec<String> {
    let mut doubts = Vec::new();
    if outcome.cpu.is_none() {
        doubts.push("the engine cannot be pinned to a processor; loads meet it only by chance".to_owned());
    }
    let noisy = |measured: &Measured| measured.p90.as_secs_f64() > NOISY * measured.latency.as_secs_f64();
    if outcome.configurations.iter().any(noisy) {
        doubts.push(format!(
            "the machine was not quiet while the configurations were measured (a 90th percentile above {NOISY} times \
             the median); what follows is relative to that"
        ));
    }
    doubts.extend(weak_loads(outcome));
    doubts.extend(easy_budgets(outcome));
    doubts
}

/// Phases whose co-runner slowed the inferences far less than it should have.
fn weak_loads(outcome: &Outcome) -> Vec<String> {
    if outcome.settings.load_kind != LoadKind::Cpu {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for course in &outcome.courses {
        for (index, phase) in course.phases.iter().enumerate().filter(|(_, phase)| phase.load > 0.0) {
            let expected = 1.0 / (1.0 - phase.load);
            let Some(median) = slowdown_quantile(outcome, course, index, 0.5) else { continue };
            if median - 1.0 < 0.5 * (expected - 1.0) {
                warnings.push(format!(
                    "{}: inferences became slower by a factor of {median:.2} where {expected:.2} was to be expected; \
                     short inferences slip between the co-runner's turns",
                    phase.name
                ));
            }
        }
    }
    warnings
}

/// Budgets that no configuration comes near.
fn easy_budgets(outcome: &Outcome) -> Option<String> {
    let slowest = outcome.configurations.iter().map(|c| c.latency).max()?;
    let tightest = outcome.courses.iter().flat_map(|course| &course.phases).map(|phase| phase.budget).min()?;
    (slowest * 4 < tightest).then(|| {
        format!(
            "the slowest configuration takes {:.2} ms here, so every policy can meet these budgets; `--slowdown auto` \
             stands for a slower device",
            slowest.as_secs_f64() * 1e3
        )
    })
}
