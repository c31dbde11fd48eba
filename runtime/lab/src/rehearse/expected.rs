//! How an experiment is expected to go, as a scenario: what ALERT's constants are fitted to before it begins.
//!
//! It is what the settings and the quiet machine say: a co-runner that takes a share of the processor leaves the rest of it to
//! the inferences, and latencies scatter as they did on the quiet machine. What the experiment really meets is not looked at.

use super::load::{BURST_S, CoRunnerLoad};
use super::outcome::Measured;
use super::run::PACE;
use super::settings::{Experiment, PhasePlan, Settings};
use crate::simulate::{
    BudgetSpan, Dwell, GivenConfiguration, INFERENCES, LadderSpec, Level, Order, Process, SCHEMA, Scenario,
    SimulatedLadder, SlowdownSpec, fit,
};
use gaitd_core::control::{AlertConstants, Objective, PolicyError};

/// The experiment is played so often per seed.
const PLAYED: usize = 10;

/// Standard deviations of a normal distribution below its 90th percentile.
const TO_P90: f64 = 1.2816;

/// The constants of ALERT that suit `experiment` best, as it is expected to go.
///
/// # Errors
/// When ALERT cannot be made for these configurations.
pub(super) fn fitted(
    settings: &Settings,
    experiment: Experiment,
    configurations: &[Measured],
    labels: usize,
) -> Result<AlertConstants, PolicyError> {
    let given: Vec<GivenConfiguration> = configurations.iter().map(Measured::given).collect();
    let ladder = SimulatedLadder::given(labels, &given);
    let scenario = scenario(settings, experiment, configurations, LadderSpec::Given { labels, configurations: given });
    fit(&scenario, &ladder, None)
}

fn scenario(settings: &Settings, experiment: Experiment, configurations: &[Measured], ladder: LadderSpec) -> Scenario {
    let plans = settings.phases(experiment);
    let tick = tick(settings, configurations);
    let windows = ((settings.seconds_per_phase / tick).round() as usize).max(1);
    let budgets = plans.iter().map(|plan| BudgetSpan { ms: plan.budget.as_secs_f64() * 1e3, inferences: windows });
    let levels: Vec<Level> = plans.iter().flat_map(|plan| levels(settings, plan, windows, tick)).collect();
    Scenario {
        schema: SCHEMA,
        name: format!("expected-{}", experiment.name()),
        about: "A rehearsal as it is expected to go".to_owned(),
        ladder,
        budgets: budgets.collect(),
        miss_target: settings.miss_target,
        slowdown: SlowdownSpec::Process(Process {
            levels,
            order: Order::Cycle,
            dwell: exactly(windows),
            ramp: 0,
            noise: noise(configurations),
            tail: None,
            profile_error: 0.0,
        }),
        load: None,
        objective: Objective::default(),
        cascades: Vec::new(),
        head: None,
        wait: None,
        publish: None,
        inferences: (PLAYED * plans.len() * windows).min(INFERENCES),
        seeds: Vec::new(),
    }
}

/// About how long it takes from one window of a policy to its next, seconds: every policy has its turn meanwhile.
fn tick(settings: &Settings, configurations: &[Measured]) -> f64 {
    let sum: f64 = configurations.iter().map(|c| c.latency.as_secs_f64()).sum();
    let turns = settings.policies.len() as f64 * sum / configurations.len().max(1) as f64;
    turns.max(PACE.as_secs_f64())
}

/// The slowdowns of a phase of so many `windows`, one every `tick` seconds.
fn levels(settings: &Settings, plan: &PhasePlan, windows: usize, tick: f64) -> Vec<Level> {
    let level = |share: f64, dwell| Level { slowdown: 1.0 / (1.0 - share), load: share, dwell: Some(dwell) };
    let load = CoRunnerLoad { kind: settings.load_kind, share: plan.load, cpu: None, seed: 0 };
    let Some((share, rest)) = load.bursts().filter(|_| plan.load > 0.0) else {
        return vec![level(plan.load, exactly(windows))];
    };
    let inferences = |seconds: f64| ((seconds / tick).round() as usize).max(1);
    let dwell =
        |times: f64| Dwell::Uniform { shortest: inferences(BURST_S.0 * times), longest: inferences(BURST_S.1 * times) };
    let pair = (BURST_S.0 + BURST_S.1) / 2.0 * (1.0 + rest);
    let pairs = (settings.seconds_per_phase / pair).round().max(1.0) as usize;
    (0..pairs).flat_map(|_| [level(share, dwell(1.0)), level(0.0, dwell(rest))]).collect()
}

fn exactly(windows: usize) -> Dwell {
    Dwell::Uniform { shortest: windows, longest: windows }
}

/// How much the logarithms of latencies scattered on the quiet machine; the median over the configurations.
fn noise(configurations: &[Measured]) -> f64 {
    let ratio = |c: &Measured| c.p90.as_secs_f64() / c.latency.as_secs_f64().max(1e-9);
    let mut noises: Vec<f64> = configurations.iter().map(|c| (ratio(c).ln() / TO_P90).clamp(0.0, 2.0)).collect();
    noises.sort_unstable_by(f64::total_cmp);
    noises.get(noises.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::load::LoadKind;
    use super::super::settings::{Rehearsed, Repeats};
    use super::*;
    use crate::simulate::Draws;
    use gaitd_core::control::PolicySpec;

    fn settings(load_kind: LoadKind) -> Settings {
        Settings {
            experiments: vec![Experiment::Varying],
            repeats: Repeats::Times(1),
            budgets_ms: vec![70.0, 20.0],
            budget_ms: 60.0,
            band_ms: 20.0,
            seconds_per_phase: 20.0,
            loads: vec![0.0, 60.0],
            load_kind,
            policies: vec![Rehearsed::Policy(PolicySpec::Bayes {}), Rehearsed::AlertFitted],
            miss_target: 0.02,
            cpu: None,
            program: PathBuf::new(),
        }
    }

    /// Two that take 100 ms in a turn of two policies, and scatter by a tenth up to their 90th percentiles.
    fn measured() -> Vec<Measured> {
        [(0.9, 20.0), (0.95, 80.0)]
            .map(|(accuracy, ms)| Measured {
                id: ms.to_string(),
                accuracy,
                macs: 1,
                latency: Duration::from_secs_f64(ms / 1e3),
                p90: Duration::from_secs_f64(1.1 * ms / 1e3),
            })
            .into()
    }

    /// The budget (milliseconds) and the level of slowdown of each inference.
    fn course(load_kind: LoadKind, experiment: Experiment) -> Vec<(u128, f64)> {
        let settings = settings(load_kind);
        let ladder = LadderSpec::Given { labels: 6, configurations: measured().iter().map(Measured::given).collect() };
        let scenario = scenario(&settings, experiment, &measured(), ladder);
        let SlowdownSpec::Process(process) = &scenario.slowdown else { panic!("a process") };
        assert!((process.noise - 1.1_f64.ln() / TO_P90).abs() < 1e-3, "{}", process.noise);
        let draws = Draws::new(&Scenario { seeds: vec![0], ..scenario.clone() }, 2, 0).draws;
        draws.iter().map(|draw| (draw.budget.as_millis(), process.levels[draw.state].slowdown)).collect()
    }

    #[test]
    fn a_co_runner_leaves_the_rest_of_the_processor_for_as_many_windows_as_a_phase_has() {
        let course = course(LoadKind::Cpu, Experiment::Varying);
        // 20 s at 0.1 s per turn, ten times over
        assert_eq!(course.len(), PLAYED * 2 * 200);
        for (place, met) in course.iter().enumerate() {
            assert_eq!(*met, (60, if place % 400 < 200 { 1.0 } else { 2.5 }), "{place}");
        }
    }

    #[test]
    fn budgets_follow_each_other_on_the_quiet_machine() {
        for (place, met) in course(LoadKind::Bursts, Experiment::Static).iter().enumerate() {
            assert_eq!(*met, (if place % 400 < 200 { 70 } else { 20 }, 1.0), "{place}");
        }
    }

    #[test]
    fn bursts_and_rests_follow_each_other_within_a_phase() {
        let course = course(LoadKind::Bursts, Experiment::Varying);
        // 60 % are bursts at 80 % and rests of a third of their length
        let busy = course.iter().filter(|(_, slowdown)| (slowdown - 5.0).abs() < 1e-9).count();
        assert!(course.iter().all(|(_, slowdown)| *slowdown < 1.001 || *slowdown > 4.999));
        let share = busy as f64 / course.len() as f64;
        assert!((0.3..0.45).contains(&share), "of half the phases three quarters: {share}");
        let mut bursts: Vec<usize> = course.split(|met| met.1 < 2.0).map(<[_]>::len).filter(|l| *l > 0).collect();
        bursts.sort_unstable();
        assert!(bursts[0] >= 2 && bursts[bursts.len() - 1] <= 20 && bursts.len() > 50, "{bursts:?}");
    }

    #[test]
    fn a_calm_machine_gets_constants_that_leave_no_margin() {
        // 61 ms of 70: by the published constants the large one is too dangerous
        let mut configurations = measured();
        configurations[1].latency = Duration::from_millis(61);
        configurations[1].p90 = Duration::from_millis(62);
        let settings = Settings { budgets_ms: vec![70.0], ..settings(LoadKind::Cpu) };
        let constants = fitted(&settings, Experiment::Static, &configurations, 6).unwrap();
        assert!(constants.process_noise < 0.01, "{constants}");
    }
}
