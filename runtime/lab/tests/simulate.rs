//! Simulation against references worked out here.

use std::path::Path;

use gaitd_core::control::{AlertConstants, Available, Demand, INTERVAL, Load, Outlook, PolicySpec, Situation, Terms};
use gaitd_lab::simulate::{
    Contender, Draws, LadderSpec, Scenario, ScenarioReport, SimulatedLadder, SlowdownSpec, simulate,
};
use gaitd_tests::fresh;
use gaitd_tests::scenarios::{folder, shipped, small};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A shipped scenario, cut short.
fn short(path: &Path, inferences: usize) -> Scenario {
    Scenario { inferences, seeds: vec![0, 1], ..Scenario::read(path).unwrap() }
}

fn given(scenario: &Scenario) -> SimulatedLadder {
    match &scenario.ladder {
        LadderSpec::Given { labels, configurations } => SimulatedLadder::given(*labels, configurations),
        LadderSpec::Model { .. } => panic!("shipped scenarios need no profile"),
    }
}

fn run(scenario: &Scenario) -> ScenarioReport {
    simulate(scenario, &given(scenario), &Contender::all(), || ()).unwrap()
}

fn scenario(value: &Value) -> Scenario {
    let scenario: Scenario = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(scenario.problems(), Vec::<String>::new());
    scenario
}

/// [`small`] with other load settings, and its draws.
fn draws_with_load(load: Value) -> (Scenario, Draws) {
    let mut value = small();
    value["load"] = load;
    let scenario = scenario(&value);
    let draws = Draws::new(&scenario, 2, 3);
    (scenario, draws)
}

/// The loads that honest signals show, by level.
const LOADS: [f64; 2] = [0.1, 0.5];

fn cpu(draws: &Draws) -> Vec<Option<f64>> {
    draws.draws.iter().map(|draw| draw.signals.cpu).collect()
}

#[test]
fn each_kind_of_load_signal_shows_what_it_says() {
    let (_, honest) = draws_with_load(json!({"kind": "honest"}));
    let states: Vec<usize> = honest.draws.iter().map(|draw| draw.state).collect();
    assert!(states.contains(&0) && states.contains(&1));
    assert!(honest.draws.iter().all(|draw| draw.signals.cpu == Some(LOADS[draw.state])));

    let (_, late) = draws_with_load(json!({"kind": "honest", "lag": 3}));
    for (now, draw) in late.draws.iter().enumerate() {
        assert_eq!(draw.signals.cpu, Some(LOADS[states[now.saturating_sub(3)]]));
    }

    let (_, stuck) = draws_with_load(json!({"kind": "stuck"}));
    assert!(cpu(&stuck).iter().all(|read| *read == Some(0.1)));

    let agreement = |draws: &Draws, range: std::ops::Range<usize>| {
        let honest = |now: &usize| draws.draws[*now].signals.cpu == Some(LOADS[states[*now]]);
        range.clone().filter(honest).count() as f64 / range.len() as f64
    };
    let (_, unrelated) = draws_with_load(json!({"kind": "unrelated"}));
    assert!(cpu(&unrelated).contains(&Some(0.1)) && cpu(&unrelated).contains(&Some(0.5)));
    assert!(agreement(&unrelated, 0..500) < 0.8);
    let (_, turning) = draws_with_load(json!({"kind": "turns-unrelated"}));
    assert_eq!(agreement(&turning, 0..250), 1.0);
    assert!(agreement(&turning, 250..500) < 0.8);
    assert_eq!(cpu(&turning)[250..], cpu(&unrelated)[250..]);

    let (_, noisy) = draws_with_load(json!({"kind": "honest", "noise": 0.2, "missing": 0.25}));
    let missing = cpu(&noisy).iter().filter(|read| read.is_none()).count();
    assert!((85..=165).contains(&missing), "{missing} of 500");
    assert!(cpu(&noisy).iter().flatten().all(|read| (0.0..=1.0).contains(read)));

    // a signal changes nothing but what is seen
    let slowdowns = |draws: &Draws| draws.draws.iter().map(|draw| (draw.state, draw.slowdown)).collect::<Vec<_>>();
    for other in [&late, &stuck, &unrelated, &turning, &noisy] {
        assert_eq!(slowdowns(&honest), slowdowns(other));
    }
}

#[test]
fn budgets_levels_and_ramps_come_as_written() {
    let mut value = small();
    value["slowdown"]["noise"] = json!(0);
    value["slowdown"]["tail"] = Value::Null;
    value["slowdown"]["ramp"] = json!(2);
    value["slowdown"]["order"] = json!("cycle");
    let draws = Draws::new(&scenario(&value), 2, 0).draws;
    for (place, draw) in draws.iter().enumerate() {
        assert_eq!(draw.budget.as_millis(), if place % 10 < 7 { 30 } else { 12 });
    }
    // 1, 2 ^ (1/3), 2 ^ (2/3), 2 and back, evenly on a logarithmic scale; the level held for 3 to 9 in between
    let octaves: Vec<f64> = draws.iter().map(|draw| 3.0 * draw.slowdown.log2()).collect();
    assert!(octaves.iter().all(|octave| (octave - octave.round()).abs() < 1e-9), "{octaves:?}");
    assert!(octaves.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 1.0 + 1e-9), "{octaves:?}");
    let held = octaves.split(|octave| *octave < 2.5).map(<[f64]>::len).filter(|length| *length > 0);
    let held: Vec<usize> = held.collect();
    assert!(held.len() > 10 && held[..held.len() - 1].iter().all(|length| (3..=9).contains(length)), "{held:?}");
}

#[test]
fn waits_and_publishing_are_drawn_as_written_and_change_nothing_else() {
    let mut value = small();
    let without = Draws::new(&scenario(&value), 2, 5);
    value["wait"] = json!({"median_ms": 0.5, "tail": {"share": 0.1, "scale": 100, "shape": 2}});
    value["publish"] = json!({"median_ms": 2, "noise": 0.1});
    let with = Draws::new(&scenario(&value), 2, 5);
    let rest =
        |draws: &Draws| draws.draws.iter().map(|d| (d.budget, d.state, d.slowdown, d.signals)).collect::<Vec<_>>();
    assert_eq!(rest(&without), rest(&with));
    assert!(without.draws.iter().all(|draw| draw.wait.is_zero() && draw.publish.is_zero()));
    let mut long = 0;
    for draw in &with.draws {
        let (wait, publish) = (draw.wait.as_secs_f64() * 1e3, draw.publish.as_secs_f64() * 1e3);
        assert!((wait - 0.5).abs() < 1e-6 || wait >= 50.0, "{wait}");
        assert!((publish / 2.0).ln().abs() < 0.5, "{publish}");
        long += usize::from(wait >= 50.0);
    }
    assert!((25..=80).contains(&long), "{long} of 500");
}

#[test]
fn where_publishing_takes_all_of_the_budget_all_is_late_and_the_rung_stays() {
    let mut value = small();
    value["budgets"] = json!([{"ms": 30, "inferences": 1}]);
    value["slowdown"] = json!({
        "kind": "process", "levels": [{"slowdown": 1, "load": 0}], "dwell": {"kind": "geometric", "mean": 9},
        "noise": 0.05
    });
    value["load"] = Value::Null;
    for delay in ["wait", "publish"] {
        let mut late = value.clone();
        late[delay] = json!({"median_ms": 31});
        let report = run(&scenario(&late));
        for score in &report.policies {
            assert_eq!(score.miss_rate, 1.0, "{delay}: {}", score.name);
        }
        let bayes = report.score("bayes").unwrap();
        assert_eq!((bayes.switches, bayes.mean_mmacs), (0.0, 4.0), "{delay}");
    }
    // and what leaves time for the small one alone gives it to that
    for delay in ["wait", "publish"] {
        let mut late = value.clone();
        late[delay] = json!({"median_ms": 20});
        let report = run(&scenario(&late));
        let (bayes, bound) = (report.score("bayes").unwrap(), report.score("bound").unwrap());
        assert!(bayes.miss_rate < 0.05 && bayes.mean_mmacs < 1.2, "{delay}: {bayes:?}");
        assert_eq!((bound.miss_rate, bound.mean_mmacs), (0.0, 1.0), "{delay}");
    }
}

#[test]
fn a_trace_goes_round_from_a_place_of_each_seeds_own() {
    let mut value = small();
    value["load"] = Value::Null;
    value["slowdown"] = json!({
        "kind": "trace", "what": "made up", "states": ["a", "b"], "state": [0, 0, 1, 1, 1],
        "slowdown": [1.0, 1.1, 2.0, 2.1, 2.2], "cpu": [0.1, null, 0.5, 0.6, 0.7]
    });
    let scenario = scenario(&value);
    let starts: std::collections::BTreeSet<usize> = (0..40)
        .map(|seed| {
            let draws = Draws::new(&scenario, 2, seed).draws;
            let slowdowns = [1.0, 1.1, 2.0, 2.1, 2.2];
            let start = slowdowns.iter().position(|slowdown| *slowdown == draws[0].slowdown).unwrap();
            for (place, draw) in draws.iter().enumerate() {
                let index = (start + place) % 5;
                assert_eq!((draw.slowdown, draw.state), (slowdowns[index], usize::from(index >= 2)));
                assert_eq!(draw.signals.cpu, [Some(0.1), None, Some(0.5), Some(0.6), Some(0.7)][index]);
            }
            start
        })
        .collect();
    assert_eq!(starts.len(), 5);
    let report = run(&scenario);
    assert_eq!((report.load, report.score("bound")), (Some("recorded"), None));
    assert!(report.policies.iter().all(|score| score.gap_to_bound.is_none()));
}

/// The report without the times, which are never twice the same.
fn timeless(mut report: ScenarioReport) -> Value {
    report.policies.iter_mut().for_each(|score| score.decision_ns = None);
    serde_json::to_value(report).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_seed_another_one() {
    let scenario = short(&folder().join("steps.json"), 2000);
    let draws = Draws::new(&scenario, 4, 9).draws;
    assert_eq!(draws, Draws::new(&scenario, 4, 9).draws);
    assert_ne!(draws, Draws::new(&scenario, 4, 10).draws);
    let report = timeless(run(&scenario));
    assert_eq!(report, timeless(run(&scenario)));
    assert_ne!(report, timeless(run(&Scenario { seeds: vec![2, 3], ..scenario })));
}

#[test]
fn oracle_and_best_fixed_are_those_of_brute_force() {
    for name in ["wrong-profile", "bursty", "paper-static", "uci-har-steps", "outliers"] {
        let scenario = short(&folder().join(name).with_extension("json"), 3000);
        let ladder = given(&scenario);
        let rungs = ladder.candidates.len();
        let mut oracle = 0.0;
        let mut fixed = vec![0.0; rungs];
        for seed in &scenario.seeds {
            let draws = Draws::new(&scenario, rungs, *seed);
            for draw in &draws.draws {
                let worth = |rung: usize| {
                    let candidate = &ladder.candidates[rung];
                    let latency = candidate.latency.as_secs_f64() * draws.errors[rung] * draw.slowdown;
                    let beside = draw.wait.as_secs_f64() + draw.publish.as_secs_f64();
                    let late = latency + beside > draw.budget.as_secs_f64();
                    if late { ladder.guess_accuracy } else { candidate.accuracy }
                };
                oracle += (0..rungs).map(worth).fold(0.0, f64::max);
                (0..rungs).for_each(|rung| fixed[rung] += worth(rung));
            }
        }
        let report = run(&scenario);
        let inferences = (scenario.inferences * scenario.seeds.len()) as f64;
        let reached = |name: &str| report.score(name).unwrap().effective_accuracy;
        assert!((reached("oracle") - oracle / inferences).abs() < 1e-9, "{name}");
        let best = fixed.iter().copied().fold(0.0, f64::max);
        assert!((reached("best-fixed") - best / inferences).abs() < 1e-9, "{name}");
        let rung = fixed.iter().position(|sum| *sum == best).unwrap();
        assert_eq!(report.best_fixed, ladder.ids[rung], "{name}");
    }
}

#[test]
fn slackfit_takes_the_most_accurate_that_fits_by_the_profile() {
    for name in ["paper-static", "wrong-profile", "uci-har-steps"] {
        let scenario = short(&folder().join(name).with_extension("json"), 6000);
        let ladder = given(&scenario);
        let (mut worth, mut late) = (0.0, 0);
        for seed in &scenario.seeds {
            let draws = Draws::new(&scenario, ladder.candidates.len(), *seed);
            for draw in &draws.draws {
                let fitting = ladder.candidates.iter().enumerate().filter(|(_, it)| it.latency <= draw.budget);
                let (rung, picked) = fitting.max_by(|a, b| a.1.accuracy.total_cmp(&b.1.accuracy)).unwrap();
                let latency = picked.latency.as_secs_f64() * draws.errors[rung] * draw.slowdown;
                let is_late = latency > draw.budget.as_secs_f64();
                worth += if is_late { ladder.guess_accuracy } else { picked.accuracy };
                late += usize::from(is_late);
            }
        }
        let report = run(&scenario);
        let (score, inferences) = (report.score("slackfit").unwrap(), (scenario.inferences * 2) as f64);
        assert!((score.effective_accuracy - worth / inferences).abs() < 1e-9, "{name}");
        assert!((score.miss_rate - late as f64 / inferences).abs() < 1e-9 && late > 0, "{name}");
    }
}

#[test]
fn alert_gets_constants_that_suit_the_scenario_and_the_report_tells_them() {
    for (name, gain) in [("calm", 0.5), ("steps", 0.1)] {
        let scenario = short(&folder().join(name).with_extension("json"), 5000);
        let report = run(&scenario);
        let constants = report.alert_fitted.unwrap();
        assert_ne!(constants, AlertConstants::PUBLISHED, "{name}");
        let gap = |report: &ScenarioReport, name: &str| report.score(name).unwrap().gap_to_oracle;
        let (fitted, published) = (gap(&report, "alert-fitted"), gap(&report, "alert"));
        assert!(fitted < published - gain, "{name}: {fitted} {published}");
        // the score is that of these constants and nothing else
        let alert = Contender::all().into_iter().find(|contender| contender.name == "alert").unwrap();
        let given_them = Contender { spec: PolicySpec::Alert { constants }, ..alert };
        let again = simulate(&scenario, &given(&scenario), &[given_them], || ()).unwrap();
        assert_eq!((gap(&again, "alert"), again.alert_fitted), (fitted, None), "{name}");
    }
}

#[test]
fn figures_agree_with_each_other_on_every_shipped_scenario() {
    for path in shipped() {
        let scenario = short(&path, 2000);
        let report = run(&scenario);
        let name = &report.name;
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), name, "a scenario is called as its file");
        let oracle = report.score("oracle").unwrap();
        // a cascade's knows more than latencies
        for score in report.policies.iter().filter(|score| score.name != "cascade-oracle") {
            assert!(score.effective_accuracy <= oracle.effective_accuracy + 1e-12, "{name}: {}", score.name);
            let gap = 100.0 * (oracle.effective_accuracy - score.effective_accuracy);
            assert!((score.gap_to_oracle - gap).abs() < 1e-9, "{name}: {}", score.name);
            assert!((0.0..=1.0).contains(&score.miss_rate) && score.miss_rate >= oracle.miss_rate, "{name}");
            assert_eq!(score.decision_ns.is_some(), !score.reference, "{name}: {}", score.name);
        }
        // by so few inferences luck may lift something above the bound, but not far
        if let Some(bound) = report.score("bound") {
            for other in ["alert", "alert-fitted", "slackfit", "step", "bayes-no-load", "best-fixed"] {
                let gap = report.score(other).unwrap().gap_to_bound.unwrap();
                assert!(gap > -0.3, "{name}: {other} is {gap} points ahead of the bound");
            }
            assert!(matches!(scenario.slowdown, SlowdownSpec::Process(_)) && bound.reference);
        }
        // without a signal they are one and the same
        if report.load.is_none() {
            let (blind, sighted) = (report.score("bayes-no-load").unwrap(), report.score("bayes").unwrap());
            assert_eq!(blind.effective_accuracy, sighted.effective_accuracy, "{name}");
        }
    }
}

#[test]
fn a_head_is_free_as_far_as_the_lead_goes_and_as_slow_as_everything() {
    let mut value = small();
    value["head"] = json!({"lead_ms": 15, "share": 0.75});
    let scenario = scenario(&value);
    let ladder = given(&scenario);
    let (mut fixed, mut oracle, mut inferences) = ([0.0, 0.0], 0.0, 0.0);
    for seed in &scenario.seeds {
        let Draws { draws, errors, .. } = Draws::new(&scenario, 2, *seed);
        for draw in draws {
            let worth = [0, 1].map(|rung: usize| {
                let ms = ladder.candidates[rung].latency.as_secs_f64() * 1e3 * errors[rung] * draw.slowdown;
                // a quarter is left for the last sample, and what of the whole 15 ms have no room for
                let late = (0.25 * ms).max(ms - 15.0) > draw.budget.as_secs_f64() * 1e3;
                if late { ladder.guess_accuracy } else { ladder.candidates[rung].accuracy }
            });
            fixed.iter_mut().zip(worth).for_each(|(fixed, worth)| *fixed += worth);
            oracle += worth[0].max(worth[1]);
            inferences += 1.0;
        }
    }
    let report = run(&scenario);
    let reached = |name: &str| report.score(name).unwrap().effective_accuracy * inferences;
    assert!((reached("oracle") - oracle).abs() < 1e-6, "{} {oracle}", reached("oracle"));
    assert!((reached("best-fixed") - fixed[0].max(fixed[1])).abs() < 1e-6);
    let without = run(&Scenario { head: None, ..scenario.clone() });
    for name in ["bayes", "alert", "bound", "oracle"] {
        let gain = report.score(name).unwrap().effective_accuracy - without.score(name).unwrap().effective_accuracy;
        assert!(gain > 0.0, "{name}: {gain}");
    }
    // whoever reckons with it comes near to the one who knows the model
    assert!(report.score("bayes").unwrap().gap_to_bound.unwrap() < 2.0);
}

#[test]
fn a_cascade_is_as_accurate_as_was_asked_for_with_little_of_the_work() {
    let with = short(&folder().join("cascade.json"), 4000);
    let without = Scenario { cascades: Vec::new(), ..with.clone() };
    let [with, without] = [&with, &without].map(run);
    let of = |report: &ScenarioReport, name: &str| report.score(name).unwrap().clone();
    for name in ["alert", "bayes"] {
        let [cascade, single] = [&with, &without].map(|report| of(report, name));
        // floor 95 %: of the configurations the second one reaches that, with 2.6 MMACs
        assert!(single.mean_mmacs > 2.5 && cascade.mean_mmacs < 0.6, "{cascade:?} {single:?}");
        assert!(cascade.effective_accuracy > 0.949, "{cascade:?}");
        assert!(cascade.miss_rate <= with.miss_target, "{cascade:?}");
    }
    // who knows whether the small one is right asks wherever it is not
    let (oracle, bayes) = (of(&with, "cascade-oracle"), of(&with, "bayes"));
    assert!(oracle.effective_accuracy > bayes.effective_accuracy + 0.02 && oracle.mean_mmacs < 0.6, "{oracle:?}");
    assert!(without.score("cascade-oracle").is_none());
}

#[test]
fn a_cascade_of_what_the_ladder_lacks_is_refused_by_name() {
    let mut scenario = short(&folder().join("cascade.json"), 10);
    scenario.cascades[0].large = "2.00x-128".to_owned();
    let error = simulate(&scenario, &given(&scenario), &Contender::all(), || ()).unwrap_err();
    assert!(error.to_string().contains("no configuration 2.00x-128"), "{error}");
}

#[test]
fn a_decision_allocates_nothing() {
    let scenario = short(&folder().join("uci-har-steps.json"), 2000);
    let ladder = given(&scenario);
    let draws = Draws::new(&scenario, ladder.candidates.len(), 0);
    let outlook: Vec<Outlook> =
        ladder.candidates.iter().map(|c| Outlook { accuracy: c.accuracy, cost: c.latency, short: None }).collect();
    let budget = draws.draws[0].budget;
    let demand = Demand::new(budget, scenario.miss_target);
    let terms = Terms { budget, guess_accuracy: ladder.guess_accuracy };
    for contender in Contender::all() {
        let mut policy = contender.spec.make(&ladder.candidates, &ladder.ids, &terms).unwrap();
        let counted = allocation_counter::measure(|| {
            for draw in &draws.draws {
                let signals = if contender.sees_load { draw.signals } else { Load::NONE };
                let cost_limit = std::time::Duration::MAX;
                let situation = Situation {
                    demand: &demand,
                    elapsed: INTERVAL,
                    available: Available::all(budget),
                    lead: None,
                    signals,
                    outlook: &outlook,
                    cost_limit,
                };
                let rung = policy.choose(&situation).plan;
                policy.observe(rung, ladder.candidates[rung].latency.mul_f64(draw.slowdown));
            }
        });
        assert_eq!(counted.count_total, 0, "{}", contender.name);
    }
}

#[test]
fn every_range_is_checked_and_named() {
    let trace = json!({"kind": "trace", "what": "", "states": ["a"], "state": [0, 0], "slowdown": [1.0, 2.0]});
    let spoils: Vec<(&str, Value, &str)> = vec![
        ("/schema", json!(2), "schema is 2"),
        ("/name", json!("a b"), "name must"),
        ("/name", json!(""), "name must"),
        ("/ladder/labels", json!(1), "ladder.labels"),
        ("/ladder/configurations", json!([]), "ladder.configurations is empty"),
        ("/ladder/configurations/1/latency_ms", json!(0), "ladder.configurations[1].latency_ms is 0"),
        ("/ladder/configurations/1/latency_ms", json!(60_001), "from 0.001 to 60000"),
        ("/ladder/configurations/0/accuracy", json!(1.1), "ladder.configurations[0].accuracy"),
        ("/ladder/configurations/1/id", json!("fast"), "\"fast\" stands twice"),
        ("/ladder", json!({"kind": "model", "scale": 0}), "ladder.scale"),
        ("/budgets", json!([]), "budgets is empty"),
        ("/budgets/1/ms", json!(-3), "budgets[1].ms is -3"),
        ("/budgets/0/inferences", json!(0), "budgets[0].inferences"),
        ("/miss_target", json!(-0.1), "miss_target"),
        ("/slowdown/levels", json!([]), "slowdown.levels is empty"),
        ("/slowdown/levels/1/slowdown", json!(0), "slowdown.levels[1].slowdown"),
        ("/slowdown/levels/0/load", json!(2), "slowdown.levels[0].load"),
        ("/slowdown/levels/1/dwell/shortest", json!(0), "slowdown.levels[1].dwell"),
        ("/slowdown/levels/1/dwell/longest", json!(2), "slowdown.levels[1].dwell"),
        ("/slowdown/dwell/mean", json!(0.5), "slowdown.dwell.mean"),
        ("/slowdown/ramp", json!(1_000_001), "slowdown.ramp"),
        ("/slowdown/noise", json!(-0.1), "slowdown.noise"),
        ("/slowdown/profile_error", json!(3), "slowdown.profile_error"),
        ("/slowdown/tail/share", json!(1.5), "slowdown.tail.share"),
        ("/slowdown/tail/scale", json!(0.5), "slowdown.tail.scale"),
        ("/slowdown/tail/shape", json!(0), "slowdown.tail.shape"),
        ("/load/noise", json!(-1), "load.noise"),
        ("/load/missing", json!(1.01), "load.missing"),
        ("/objective", json!({"kind": "energy", "accuracy_floor": 1.5}), "objective.accuracy_floor"),
        ("/cascades/0/asked_if_right", json!(1.5), "cascades[0].asked_if_right"),
        ("/cascades/0/asked_if_wrong", json!(-0.5), "cascades[0].asked_if_wrong"),
        ("/cascades/0/spoilt", json!(1.01), "cascades[0].spoilt"),
        ("/cascades/0/saved", json!(2), "cascades[0].saved"),
        ("/wait/median_ms", json!(0), "wait.median_ms is 0, and must be from 0.001 to 60000"),
        ("/wait/noise", json!(2.1), "wait.noise is 2.1"),
        ("/wait/tail/share", json!(-0.1), "wait.tail.share must be a share"),
        ("/publish/median_ms", json!(60_001), "publish.median_ms is 60001"),
        ("/publish/tail/scale", json!(1001), "publish.tail.scale is 1001"),
        ("/publish/tail/shape", json!(0.05), "publish.tail.shape is 0.05"),
        ("/slowdown", trace.clone(), "a trace brings its own"),
        ("/inferences", json!(0), "inferences must"),
        ("/inferences", json!(10_000_001), "inferences must"),
        ("/seeds", json!([]), "seeds is empty"),
    ];
    let mut base = small();
    base["slowdown"]["ramp"] = json!(0);
    base["slowdown"]["profile_error"] = json!(0);
    base["load"] = json!({"kind": "honest", "noise": 0, "missing": 0});
    base["objective"] = json!({"kind": "accuracy"});
    let shares = [("asked_if_right", 0.1), ("asked_if_wrong", 0.5), ("spoilt", 0.1), ("saved", 0.5)];
    base["cascades"] = json!([{"small": "fast", "large": "slow"}]);
    shares.iter().for_each(|(name, share)| base["cascades"][0][*name] = json!(share));
    for delay in ["wait", "publish"] {
        base[delay] = json!({"median_ms": 1, "noise": 0, "tail": {"share": 0.01, "scale": 2, "shape": 2}});
    }
    assert_named(&base, spoils);

    base["slowdown"] = trace;
    base.as_object_mut().unwrap().remove("load");
    base["slowdown"]["cpu"] = json!([0.5, null]);
    let spoils = vec![
        ("/slowdown/slowdown", json!([]), "slowdown.slowdown is empty"),
        ("/slowdown/slowdown/1", json!(0), "slowdown.slowdown must be above 0"),
        ("/slowdown/state", json!([0]), "slowdown.state must be as long"),
        ("/slowdown/state/1", json!(1), "indices into slowdown.states"),
        ("/slowdown/cpu", json!([0.5]), "slowdown.cpu must be empty or as long"),
        ("/slowdown/cpu/0", json!(1.5), "slowdown.cpu must hold shares"),
    ];
    assert_named(&base, spoils);
}

/// Each spoilt value (place, value) must be refused in the given words, and with the file's name.
fn assert_named(base: &Value, spoils: Vec<(&str, Value, &str)>) {
    let folder = TempDir::new().unwrap();
    let path = fresh(&folder, "json");
    std::fs::write(&path, base.to_string()).unwrap();
    Scenario::read(&path).unwrap();
    for (place, value, words) in spoils {
        let mut spoilt = base.clone();
        *spoilt.pointer_mut(place).unwrap() = value;
        std::fs::write(&path, spoilt.to_string()).unwrap();
        let message = Scenario::read(&path).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains(path.to_str().unwrap()), "{place}: {message}");
    }
}

/// A number from a range that a scenario allows, its ends included.
fn number(least: f64, usual: f64, most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![Just(least), Just(usual), Just(most), least..most]
}

fn dwell() -> impl Strategy<Value = Value> {
    prop_oneof![
        number(1.0, 20.0, 1e6).prop_map(|mean| json!({"kind": "geometric", "mean": mean})),
        (1usize..30, 0usize..1_000_000).prop_map(|(shortest, more)| {
            json!({"kind": "uniform", "shortest": shortest, "longest": (shortest + more).min(1_000_000)})
        }),
    ]
}

fn any_scenario() -> impl Strategy<Value = Value> {
    let ms = || number(0.001, 40.0, 60_000.0);
    let share = || number(0.0, 0.3, 1.0);
    let scatter = || number(0.0, 0.05, 2.0);
    let configurations = prop::collection::vec((ms(), share()), 1..5);
    let levels = prop::collection::vec((number(0.001, 1.0, 1000.0), share(), prop::option::of(dwell())), 1..4);
    let kinds = prop::sample::select(vec!["honest", "unrelated", "turns-unrelated", "stuck"]);
    let load = prop::option::of((kinds, scatter(), 0usize..80, share()));
    let tail = |scale: f64| {
        let tail = (share(), number(1.0, scale, 1000.0), number(0.1, 2.0, 100.0));
        prop::option::of(tail.prop_map(|(share, scale, shape)| json!({"share": share, "scale": scale, "shape": shape})))
    };
    let delay = || {
        let delay = (ms(), scatter(), tail(300.0));
        prop::option::of(delay.prop_map(|(ms, noise, tail)| json!({"median_ms": ms, "noise": noise, "tail": tail})))
    };
    let load = (load, delay(), delay());
    let rest = (tail(1.5), load, prop::sample::select(vec!["random", "cycle"]), 0usize..40, scatter());
    ((configurations, ms(), share()), (levels, dwell(), scatter()), rest, any::<u64>()).prop_map(
        |((configurations, budget, target), (levels, dwell, noise), (tail, (load, wait, publish), order, ramp, error), seed)| {
            let configuration = |(index, (latency, accuracy)): (usize, &(f64, f64))| {
                json!({"id": index.to_string(), "latency_ms": latency, "accuracy": accuracy, "macs": index})
            };
            let level = |(slowdown, load, dwell): &(f64, f64, Option<Value>)| {
                json!({"slowdown": slowdown, "load": load, "dwell": dwell})
            };
            json!({
                "schema": 1, "name": "any", "about": "", "miss_target": target,
                "ladder": {
                    "kind": "given", "labels": 2,
                    "configurations": configurations.iter().enumerate().map(configuration).collect::<Vec<_>>()
                },
                "budgets": [{"ms": budget, "inferences": 3}, {"ms": 70, "inferences": 5}],
                "slowdown": {
                    "kind": "process", "levels": levels.iter().map(level).collect::<Vec<_>>(), "dwell": dwell,
                    "order": order, "ramp": ramp, "noise": noise, "profile_error": error,
                    "tail": tail
                },
                "wait": wait, "publish": publish,
                "load": load.map(|(kind, noise, lag, missing)| {
                    json!({"kind": kind, "noise": noise, "lag": lag, "missing": missing})
                }),
                "inferences": 60, "seeds": [seed]
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_valid_scenario_panics_and_all_figures_are_numbers(value in any_scenario()) {
        let report = run(&scenario(&value));
        for score in &report.policies {
            let figures = [score.miss_rate, score.effective_accuracy, score.gap_to_oracle, score.switches];
            prop_assert!(figures.iter().all(|figure| figure.is_finite()), "{score:?}");
            prop_assert!(score.gap_to_oracle > -1e-9, "{score:?}");
        }
    }
}
