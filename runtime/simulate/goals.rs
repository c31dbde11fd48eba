//! What gaitd's own policy has to reach in a scenario. All of it is relative to references on the same draws, so that it
//! can be checked on any scenario; how long a decision takes depends on the machine, and is not judged here.

use super::contender::Contender;
use super::run::ScenarioReport;
use super::scenario::{LoadKind, Scenario};
use super::score::Score;

/// Share of ALERT's gap to the causal bound that may be left.
const LEFT_OF_ALERTS_GAP: f64 = 0.5;
/// Miss rate beyond ALERT's that is allowed, a share.
const MISSES_BEYOND_ALERT: f64 = 0.003;
/// What a signal that lies may cost: gap to the oracle with it / without it.
const COST_OF_A_LIE: f64 = 1.1;
/// Late inferences after a rise, median.
const LATE_AFTER_RISE: f64 = 1.0;
/// Inferences after a fall until the best configuration is picked, median.
const RECOVERY_AFTER_FALL: f64 = 3.0;
/// What rounding may do to a gap, percentage points.
const ROUNDING: f64 = 1e-9;

/// Each goal that `report` misses in `scenario`, in a sentence with its figures; empty where all are reached.
///
/// Without load signals, `bayes` leaves at most half of ALERT's gap to the causal bound, misses at most 0.3 points more
/// than ALERT, and keeps the miss target wherever the bound keeps it. A signal that lies costs at most 10 % of the gap to
/// the oracle. In the scenarios `steps` and `bursty` an honest signal beats the bound, which sees none; in `steps` the
/// first late inference after a rise is the last one, and the best configuration is back within 3 inferences after a
/// fall (medians). A goal whose policies or references did not take part is not judged.
#[must_use]
pub fn missed_goals(scenario: &Scenario, report: &ScenarioReport) -> Vec<String> {
    let mut missed = Vec::new();
    let mut unless = |reached: bool, goal: String| {
        if !reached {
            missed.push(goal);
        }
    };
    let score = |name: &str| report.score(name);
    let (blind, sighted) = (score(Contender::BAYES_NO_LOAD), score(Contender::BAYES));
    if let (Some(blind), Some(alert)) = (blind, score(Contender::ALERT)) {
        if let (Some(gap), Some(alerts)) = (blind.gap_to_bound, alert.gap_to_bound) {
            unless(
                gap <= LEFT_OF_ALERTS_GAP * alerts + ROUNDING,
                format!("gap to the bound: {gap:.3} points, more than half of ALERT's {alerts:.3}"),
            );
        }
        unless(
            blind.miss_rate <= alert.miss_rate + MISSES_BEYOND_ALERT,
            format!(
                "miss rate: {:.3} %, more than ALERT's {:.3} % and 0.3 points",
                100.0 * blind.miss_rate,
                100.0 * alert.miss_rate
            ),
        );
    }
    if let (Some(blind), Some(bound)) = (blind, score("bound")) {
        let target = scenario.miss_target;
        unless(
            blind.miss_rate <= target || bound.miss_rate > target,
            format!(
                "miss rate: {:.3} %, beyond the target of {:.3} %, which the bound keeps with {:.3} %",
                100.0 * blind.miss_rate,
                100.0 * target,
                100.0 * bound.miss_rate
            ),
        );
    }
    let kind = scenario.load.map(|load| load.kind);
    if let (Some(blind), Some(sighted)) = (blind, sighted) {
        let (without, with) = (blind.gap_to_oracle, sighted.gap_to_oracle);
        unless(
            !kind.is_some_and(lies) || with <= COST_OF_A_LIE * without + ROUNDING,
            format!("a lying signal: gap to the oracle {with:.3} points, more than 10 % beyond {without:.3} without it"),
        );
    }
    if matches!(scenario.name.as_str(), "steps" | "bursty")
        && kind == Some(LoadKind::Honest)
        && let Some(gap) = sighted.and_then(|sighted| sighted.gap_to_bound)
    {
        unless(gap < 0.0, format!("an honest signal: {gap:.3} points behind the bound, which sees none"));
    }
    if scenario.name == "steps" {
        for score in [blind, sighted].into_iter().flatten() {
            reaction(score, &mut unless);
        }
    }
    missed
}

fn lies(kind: LoadKind) -> bool {
    matches!(kind, LoadKind::Unrelated | LoadKind::TurnsUnrelated | LoadKind::Stuck)
}

fn reaction(score: &Score, unless: &mut impl FnMut(bool, String)) {
    if let Some(late) = score.late_after_rise {
        unless(
            late <= LATE_AFTER_RISE,
            format!("after a rise: {} has {late} late inferences (median), more than {LATE_AFTER_RISE}", score.name),
        );
    }
    if let Some(taken) = score.recovery_after_fall {
        unless(
            taken <= RECOVERY_AFTER_FALL,
            format!(
                "after a fall: {} takes {taken} inferences (median) to the best configuration, more than \
                 {RECOVERY_AFTER_FALL}",
                score.name
            ),
        );
    }
}
