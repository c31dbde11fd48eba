//! Control messages: what passes the checks of a ladder can be put into force there and then.

#![no_main]

mod json;
mod shared;

use std::time::Duration;

use gaitd_api::{Change, SettingsView};
use gaitd_core::control::{Demand, PolicySpec};
use gaitd_core::engine::{LONGEST_BUDGET, Settings};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| {
    let change = match Change::parse(bytes) {
        Ok(change) => change,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Change::parse(&shared::written(&change)).expect("what gaitd wrote itself");
    shared::assert_same(&change, &again);

    let before = Settings {
        cpu_share: Some(0.5),
        pinned: Some("0.40x-108".to_owned()),
        ..Settings::new(Duration::from_millis(50), 0.02, PolicySpec::Bayes {})
    };
    let settings = match change.applied(&before) {
        Ok(settings) => settings,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (ids, candidates) = shared::plans();
    if let Err(error) = settings.check(&ids, true) {
        return assert!(!error.to_string().is_empty());
    }
    assert!(!settings.budget.is_zero() && settings.budget <= LONGEST_BUDGET);
    // what is left out stays
    assert!(change.budget_ms.is_some() || settings.budget == before.budget);
    assert!(change.policy.is_some() || settings.policy == before.policy);
    assert!(change.pin.is_some() || settings.pinned == before.pinned);
    assert!(change.cpu_budget_percent.is_some() || settings.cpu_share == before.cpu_share);

    // what is shown can be sent back, and changes nothing then
    let shown = SettingsView::from(&settings);
    let back = Change::parse(&shared::written(&shown)).expect("the settings as they are shown");
    let back = back.applied(&settings).expect("they are in force");
    assert!(back.check(&ids, true).is_ok(), "{back:?}");
    shared::assert_same(&shown, &SettingsView::from(&back));

    let mut policy = settings.policy.make(&candidates, &ids, &shared::terms(settings.budget)).expect("it was checked");
    let demand = Demand {
        objective: settings.objective,
        pinned: settings.pinned.and_then(|pinned| ids.iter().position(|id| *id == pinned)),
        ..Demand::new(settings.budget, settings.miss_target)
    };
    shared::drive(policy.as_mut(), &candidates, &demand, bytes.len() as u64, 20);
});
