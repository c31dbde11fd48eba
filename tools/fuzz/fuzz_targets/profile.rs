//! A kept profile: each latency that it gives is one that a policy can reckon with.

#![no_main]

mod json;
mod shared;

use std::path::Path;
use std::time::Duration;

use gaitd_core::control::{Candidate, Demand, PolicySpec};
use gaitd_core::ladder::{Profile, ProfileKey};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| {
    let [model, cpu, backend] = ["0123456789abcdef", "A CPU", "fake"].map(str::to_owned);
    let key = ProfileKey { model, cpu, backend };
    let path = Path::new("profile.json");
    let profile = match Profile::parse(bytes, path, &key) {
        Ok(profile) => profile,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Profile::parse(&shared::written(&profile), path, &key).expect("what gaitd wrote itself");
    shared::assert_same(&profile, &again);

    let (ids, mut candidates): (Vec<_>, Vec<_>) = profile
        .configurations
        .iter()
        .take(8)
        .map(|profiled| {
            let latency = profile.expected(&profiled.id).expect("it has just been read");
            assert!(latency > Duration::ZERO);
            (profiled.id.clone(), Candidate { accuracy: 0.9, latency, halves: None, cascade: None })
        })
        .unzip();
    if candidates.is_empty() {
        return assert_eq!(profile.expected("1.00x-128"), None);
    }
    candidates[0].accuracy = 0.95;
    let budget = Duration::from_millis(50);
    for spec in [PolicySpec::Bayes {}, PolicySpec::ALERT, PolicySpec::Slackfit {}] {
        let mut policy = spec.make(&candidates, &ids, &shared::terms(budget)).expect("it needs nothing");
        shared::drive(policy.as_mut(), &candidates, &Demand::new(budget, 0.02), bytes.len() as u64, 20);
    }
});
