//! Scenarios: what is accepted can be simulated, and every score is a number.

#![no_main]

mod json;
mod shared;

use std::path::Path;

use gaitd_core::control::Candidate;
use gaitd_lab::simulate::{
    Contender, GivenConfiguration, LadderSpec, Scenario, SimulatedLadder, SlowdownSpec, simulate,
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// A simulation takes as long as it is told to; for a target these are enough.
const INFERENCES: usize = 60;
const SEEDS: usize = 2;
const CONFIGURATIONS: usize = 6;
const LEVELS: usize = 8;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| {
    let mut scenario = match Scenario::parse(bytes, Path::new("scenario.json")) {
        Ok(scenario) => scenario,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Scenario::parse(&shared::written(&scenario), Path::new("")).expect("what gaitd wrote itself");
    shared::assert_same(&scenario, &again);

    scenario.inferences = scenario.inferences.min(INFERENCES);
    scenario.seeds.truncate(SEEDS);
    if let SlowdownSpec::Process(process) = &mut scenario.slowdown {
        process.levels.truncate(LEVELS);
    }
    let ladder = match &scenario.ladder {
        LadderSpec::Given { labels, configurations } => {
            SimulatedLadder::given(*labels, &configurations[..configurations.len().min(CONFIGURATIONS)])
        }
        LadderSpec::Model { .. } => {
            let given = |((id, candidate), macs): ((String, Candidate), u64)| GivenConfiguration {
                id,
                latency_ms: candidate.latency.as_secs_f64() * 1e3,
                accuracy: candidate.accuracy,
                macs,
            };
            let (ids, candidates) = shared::candidates();
            let macs = [1_000_000, u64::MAX, 0];
            SimulatedLadder::given(5, &ids.into_iter().zip(candidates).zip(macs).map(given).collect::<Vec<_>>())
        }
    };
    let known = |id: &String| ladder.ids.contains(id);
    scenario.cascades.retain(|cascade| known(&cascade.small) && known(&cascade.large));
    let report = simulate(&scenario, &ladder, &Contender::all(), || ()).expect("no contender names a configuration");
    assert!(report.score("bayes").is_some() && report.score("oracle").is_some());
    let share = |x: f64| (-1e-9..=1.0 + 1e-9).contains(&x);
    let oracle = report.score("oracle").map_or(0.0, |oracle| oracle.effective_accuracy);
    for score in &report.policies {
        assert!(share(score.miss_rate) && share(score.effective_accuracy), "{score:?}");
        // whether a cascade's small configuration is right is drawn, and the oracle does not know it
        let knows = scenario.cascades.is_empty();
        assert!(!knows || score.effective_accuracy <= oracle + 1e-9, "better than one who knows everything: {score:?}");
        let others = [score.effective_accuracy_deviation, score.gap_to_oracle, score.mean_mmacs, score.switches];
        let optional = [score.gap_to_bound, score.late_after_rise, score.recovery_after_fall];
        assert!(others.into_iter().chain(optional.into_iter().flatten()).all(f64::is_finite), "{score:?}");
    }
    assert!(ladder.ids.contains(&report.best_fixed));
});
