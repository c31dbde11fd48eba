//! Policies against cases computed by hand, and properties that hold whatever happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use gaitd::control::{Candidate, Choice, Ledger, Phase, Policy, PolicySpec, Reason, Situation, Step, Terms};
use proptest::prelude::*;

fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1e3)
}

fn ladder(rungs: &[(f64, f64)]) -> Vec<Candidate> {
    rungs.iter().map(|(accuracy, latency)| Candidate { accuracy: *accuracy, latency: ms(*latency) }).collect()
}

fn ids(candidates: &[Candidate]) -> Vec<String> {
    (0..candidates.len()).map(|rung| format!("rung {rung}")).collect()
}

fn policy(spec: &PolicySpec, candidates: &[Candidate], budget: f64, miss_target: f64) -> Box<dyn Policy> {
    let terms = Terms { budget: ms(budget), miss_target, guess_accuracy: 1.0 / 6.0 };
    spec.make(candidates, &ids(candidates), &terms).unwrap()
}

fn at(budget: f64) -> Situation {
    Situation { budget: ms(budget), available: ms(budget), load: None }
}

/// Chooses and observes once, each inference taking `slowdown` times its profiled latency.
fn go_on(policy: &mut dyn Policy, candidates: &[Candidate], budget: f64, slowdown: f64) -> Choice {
    let choice = policy.choose(&at(budget));
    policy.observe(choice.rung, candidates[choice.rung].latency.mul_f64(slowdown));
    choice
}

/// The paper's Raspberry Pi latencies.
fn paper() -> Vec<Candidate> {
    ladder(&[(0.9258, 6.53), (0.965, 18.89), (0.982, 42.39), (0.9855, 59.16)])
}

#[test]
fn fixed_is_fixed() {
    let candidates = paper();
    let mut most_accurate = policy(&PolicySpec::Fixed { configuration: None }, &candidates, 1.0, 0.02);
    let mut second = policy(&PolicySpec::Fixed { configuration: Some("rung 1".to_owned()) }, &candidates, 70.0, 0.02);
    for slowdown in [1.0, 5.0, 0.1] {
        assert_eq!(go_on(most_accurate.as_mut(), &candidates, 1.0, slowdown).rung, 3);
        let choice = go_on(second.as_mut(), &candidates, 70.0, slowdown);
        assert_eq!((choice.rung, choice.reason, choice.predicted), (1, Reason::Fixed, ms(18.89)));
    }
}

#[test]
fn alert_follows_its_published_formulas() {
    let candidates = ladder(&[(0.90, 10.0), (0.95, 20.0)]);
    // P(xi * 20 > 30) = 1 - Phi(0.5 / sqrt(0.1)) = 0.05692; expected 0.95 * 0.94308 + 0.05692 / 6 = 0.9054 > 0.90
    let mut alert = policy(&PolicySpec::Alert {}, &candidates, 30.0, 1.0);
    let choice = alert.choose(&at(30.0));
    assert_eq!((choice.rung, choice.reason), (1, Reason::MostAccurateInTime));
    assert!((choice.miss_probability.unwrap() - 0.05692).abs() < 1e-5, "{choice:?}");
    // the same situation where 5 % of misses are allowed
    assert_eq!(policy(&PolicySpec::Alert {}, &candidates, 30.0, 0.05).choose(&at(30.0)).rung, 0);
    // y = 1; Q = 0.3 * 0.1 + 0.7 * 0.25 = 0.205; s2 = 0.05 + 0.205 = 0.255; K = 0.255 / 0.256; mu = 1 + K
    alert.observe(0, ms(20.0));
    assert!((alert.slowdown().unwrap() - (1.0 + 0.255 / 0.256)).abs() < 1e-9);
    let choice = alert.choose(&at(30.0));
    assert_eq!(choice.rung, 0);
    assert!((choice.predicted.as_secs_f64() - 0.01 * (1.0 + 0.255 / 0.256)).abs() < 1e-9);
    // z = (3 - 1.99609) / sqrt(0.255) = 1.98803, and 1 - Phi(1.98803) = 0.0234
    assert!((choice.miss_probability.unwrap() - 0.0234).abs() < 1e-4, "{choice:?}");
}

#[test]
fn alert_takes_the_fastest_when_nothing_is_in_time() {
    let candidates = paper();
    let choice = policy(&PolicySpec::Alert {}, &candidates, 5.0, 0.02).choose(&at(5.0));
    assert_eq!((choice.rung, choice.reason), (0, Reason::NoneInTime));
}

#[test]
fn alert_settles_as_the_simulation_in_the_literature_does() {
    let candidates = paper();
    let mut alert = policy(&PolicySpec::Alert {}, &candidates, 70.0, 1.0);
    for _ in 0..200 {
        go_on(alert.as_mut(), &candidates, 70.0, 1.46);
    }
    assert!((alert.slowdown().unwrap() - 1.46).abs() < 1e-3);
    // with K = 0.99 and sigma = 0.32, 42.39 * 1.46 = 61.9 of 70 ms is missed with P = 1 - Phi(0.60)
    let choice = alert.choose(&at(70.0));
    let miss = |latency: f64| {
        let z = (70.0 / latency - 1.46) / 0.1f64.mul_add(1.0, 0.000_99).sqrt();
        0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
    };
    let expected: Vec<f64> = candidates
        .iter()
        .map(|c| {
            let miss = miss(c.latency.as_secs_f64() * 1e3);
            c.accuracy * (1.0 - miss) + miss / 6.0
        })
        .collect();
    let best = (0..4).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap();
    assert_eq!(choice.rung, best, "{expected:?}");
}

#[test]
fn step_keeps_the_average_inside_the_band_one_rung_at_a_time() {
    let candidates = paper();
    let spec = PolicySpec::Step { band_ms: Some(20.0), average: 3 };
    let mut step = policy(&spec, &candidates, 70.0, 0.02);
    let mut run = |slowdown: f64, windows: usize| -> Vec<(usize, Reason)> {
        (0..windows)
            .map(|_| {
                let choice = go_on(step.as_mut(), &candidates, 70.0, slowdown);
                (choice.rung, choice.reason)
            })
            .collect()
    };
    // 59.16 ms lies inside [50, 70]
    assert_eq!(run(1.0, 4).last(), Some(&(3, Reason::InsideBand)));
    // 59.16 * 2.44 = 144 ms: down after a full average, and once more, 42.39 * 2.44 = 103 ms; 18.89 * 2.44 = 46 is
    // below the band, so it comes back: the policy hunts
    let rises = run(2.44, 12);
    let downs: Vec<usize> = rises.iter().filter(|(_, reason)| *reason == Reason::SteppedDown).map(|r| r.0).collect();
    assert_eq!(downs[..2], [2, 1]);
    assert!(rises.iter().any(|(_, reason)| *reason == Reason::SteppedUp));
    for pair in rises.windows(2) {
        assert!(pair[0].0.abs_diff(pair[1].0) <= 1, "one rung at a time: {rises:?}");
    }
}

#[test]
fn tunables_out_of_range_are_refused_with_the_range() {
    let ids = ["a".to_owned()];
    for (spec, expected) in [
        (PolicySpec::Fixed { configuration: Some("b".to_owned()) }, "no configuration b; it has a"),
        (PolicySpec::Step { band_ms: Some(0.0), average: 3 }, "band_ms is 0"),
        (PolicySpec::Step { band_ms: Some(f64::NAN), average: 3 }, "band_ms is NaN"),
        (PolicySpec::Step { band_ms: Some(71.0), average: 3 }, "band_ms is 71"),
        (PolicySpec::Step { band_ms: None, average: 0 }, "average is 0"),
    ] {
        let error = spec.check(&ids, ms(70.0)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(PolicySpec::Step { band_ms: None, average: Step::default_average() }.check(&ids, ms(70.0)).is_ok());
}

#[test]
fn the_ledger_counts_every_latency_once() {
    let mut ledger = Ledger::new(2);
    for us in 1..=1000 {
        ledger.record_inference(usize::from(us > 500), Duration::from_micros(us));
    }
    ledger.record(Phase::Total, Duration::MAX);
    ledger.record(Phase::Total, Duration::ZERO);
    assert_eq!((ledger.inferences(0), ledger.inferences(1)), (500, 500));
    assert_eq!((ledger.count(Phase::Infer), ledger.count(Phase::Total), ledger.count(Phase::Wait)), (1000, 2, 0));
    let close = |found: Duration, expected: f64| (found.as_secs_f64() * 1e6 / expected - 1.0).abs() < 0.02;
    assert!(close(ledger.quantile(Phase::Infer, 0.5), 500.0));
    assert!(close(ledger.inference_quantile(1, 0.9), 950.0));
    assert_eq!(ledger.quantile(Phase::Wait, 0.99), Duration::ZERO);
}

/// Any latency that a broken clock or a suspended machine can produce.
fn any_latency() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0u64..1_000_000_000).prop_map(Duration::from_nanos),
        (0u64..u64::MAX).prop_map(Duration::from_millis)
    ]
}

/// Ladders whose configurations are all better than a guess.
fn any_ladder() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(
        (0.2..=1.0f64, 1u64..100_000_000)
            .prop_map(|(accuracy, ns)| Candidate { accuracy, latency: Duration::from_nanos(ns) }),
        1..12,
    )
}

proptest! {
    /// No history of latencies makes a policy panic, leave the ladder or predict nonsense.
    #[test]
    fn policies_survive_any_history(
        candidates in any_ladder(),
        history in prop::collection::vec((any_latency(), any_latency()), 0..60),
        miss_target in 0.0..=1.0f64,
    ) {
        for spec in [
            PolicySpec::Fixed { configuration: None },
            PolicySpec::Step { band_ms: None, average: 2 },
            PolicySpec::Alert {},
        ] {
            let mut policy = policy(&spec, &candidates, 50.0, miss_target);
            for (available, inference) in &history {
                let choice = policy.choose(&Situation { budget: ms(50.0), available: *available, load: None });
                prop_assert!(choice.rung < candidates.len());
                if let Some(miss) = choice.miss_probability {
                    prop_assert!((0.0..=1.0).contains(&miss), "{miss}");
                }
                policy.observe(choice.rung, *inference);
            }
        }
    }

    /// ALERT never picks a configuration whose predicted miss probability is above the target while another's is not,
    /// and more time never makes its pick less accurate.
    #[test]
    fn alert_keeps_to_the_miss_target_and_is_monotone_in_the_budget(
        candidates in any_ladder(),
        slowdowns in prop::collection::vec(0.2..5.0f64, 0..20),
        miss_target in 0.001..0.5f64,
        budgets in prop::collection::vec(0.001..200.0f64, 2..20),
    ) {
        let mut alert = policy(&PolicySpec::Alert {}, &candidates, 50.0, miss_target);
        for slowdown in slowdowns {
            go_on(alert.as_mut(), &candidates, 50.0, slowdown);
        }
        let mut budgets = budgets;
        budgets.sort_unstable_by(f64::total_cmp);
        let mut before: Option<f64> = None;
        for budget in budgets {
            let choice = alert.choose(&at(budget));
            let miss = choice.miss_probability.unwrap();
            if choice.reason == Reason::MostAccurateInTime {
                prop_assert!(miss <= miss_target);
                let accuracy = candidates[choice.rung].accuracy * (1.0 - miss) + miss / 6.0;
                prop_assert!(before.is_none_or(|before| accuracy >= before - 1e-12));
                before = Some(accuracy);
            } else {
                let fastest = candidates.iter().map(|c| c.latency).min().unwrap();
                prop_assert_eq!(candidates[choice.rung].latency, fastest);
                prop_assert!(miss > miss_target, "nothing slower can be in time when the fastest is not");
            }
        }
    }
}
