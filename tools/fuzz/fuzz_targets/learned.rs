//! What a policy has learned: whatever is accepted can be gone on from without a choice that is no choice, and what is
//! learned from there on can be kept and read again.

#![no_main]

mod shared;

use std::sync::OnceLock;
use std::time::Duration;

use gaitd_core::control::{Candidate, Demand, Learned, PolicySpec, Resumed};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use shared::Random;

const BUDGET: Duration = Duration::from_millis(50);

/// What a policy has learned on [`shared::candidates`].
fn base() -> &'static Value {
    static BASE: OnceLock<Value> = OnceLock::new();
    BASE.get_or_init(|| {
        let (ids, candidates) = shared::candidates();
        let mut policy = PolicySpec::Bayes {}.make(&candidates, &ids, &shared::terms(BUDGET)).expect("a policy");
        shared::drive(policy.as_mut(), &candidates, &Demand::new(BUDGET, 0.02), 1, 500);
        let mut learned = None;
        policy.learned(&mut learned);
        serde_json::to_value(learned).expect("what was learned")
    })
}

/// The places of all numbers in `value`.
fn numbers<'a>(value: &'a mut Value, into: &mut Vec<&'a mut Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| numbers(item, into)),
        Value::Object(fields) => fields.values_mut().for_each(|field| numbers(field, into)),
        Value::Number(_) => into.push(value),
        _ => {}
    }
}

/// [`base`] with other numbers: each seven bytes of `edits` are a place, how many places behind it get the same, and a
/// float. Text alone would hardly ever turn one number among thousands into another that is plausible.
fn edited(edits: &[u8]) -> Vec<u8> {
    let mut tree = base().clone();
    let mut places = Vec::new();
    numbers(&mut tree, &mut places);
    for edit in edits.chunks_exact(7) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % places.len();
        let number = f32::from_le_bytes([edit[3], edit[4], edit[5], edit[6]]);
        let number = if places[place].is_u64() { json!(number.to_bits()) } else { json!(number) };
        let end = (place + 1 + usize::from(edit[2])).min(places.len());
        for place in &mut places[place..end] {
            if !number.is_null() && place.is_u64() == number.is_u64() {
                **place = number.clone();
            }
        }
    }
    shared::written(&tree)
}

fuzz_target!(|bytes: &[u8]| {
    let text = if bytes.first() == Some(&b'{') { bytes.to_vec() } else { edited(bytes) };
    let learned = match Learned::from_json(&text) {
        Ok(learned) => learned,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Learned::from_json(&shared::written(&learned)).expect("what gaitd wrote itself");
    assert_eq!(learned, again);

    let (ids, candidates) = shared::candidates();
    let other: Vec<_> = candidates.iter().map(|it| Candidate { latency: it.latency * 3 / 2, ..it.clone() }).collect();
    for candidates in [&candidates, &other] {
        let mut policy = PolicySpec::Bayes {}.make(candidates, &ids, &shared::terms(BUDGET)).expect("a policy");
        let resumed = policy.resume(&learned).expect("it was accepted");
        let fits = learned.fits(&ids, candidates);
        assert_eq!(resumed == Resumed::Whole, learned.policy() == "bayes" && fits);
        shared::drive(policy.as_mut(), candidates, &Demand::new(BUDGET, 0.02), Random(text.len() as u64).next(), 12);
        let mut kept = None;
        policy.learned(&mut kept);
        let kept = kept.expect("it learns");
        for (id, candidate) in ids.iter().zip(candidates) {
            assert!(kept.correction(id, candidate.latency).is_none_or(|it| (0.4..=2.1).contains(&it)));
        }
        let again = Learned::from_json(&shared::written(&kept)).expect("what was learned can be gone on from");
        assert_eq!(kept, again);
    }
});
