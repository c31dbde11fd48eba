//! What several targets need.

// every target is a program of its own and uses a part of this
#![allow(dead_code)]

use std::time::Duration;

use gaitd_core::control::{Candidate, Demand, Halves, Load, Outlook, Overhead, Pair, Policy, Short, Situation, Terms};
use serde::Serialize;
use serde_json::Value;

/// What stands in the file that gaitd would write of `value`.
pub fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("whatever was read can be written")
}

/// Fails where `again`, which was read from what was written of `before`, is another one. Numbers may differ in their
/// last digits: without its feature `float_roundtrip`, serde_json reads a double to within one unit in the last place.
pub fn assert_same(before: &impl Serialize, again: &impl Serialize) {
    let tree = |value: serde_json::Result<Value>| value.expect("whatever was read can be written");
    let (before, again) = (tree(serde_json::to_value(before)), tree(serde_json::to_value(again)));
    assert!(same(&before, &again), "{before} became {again}");
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let close = |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(f64::MIN_POSITIVE);
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| close(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((key, a), (other, b))| key == other && same(a, b))
        }
        _ => a == b,
    }
}

/// A ladder of three configurations.
pub fn candidates() -> (Vec<String>, Vec<Candidate>) {
    let rungs = [("0.10x-96", 0.94, 2), ("0.40x-108", 0.965, 7), ("1.00x-128", 0.98, 21)];
    let candidate = |(_, accuracy, ms)| {
        let latency = Duration::from_millis(ms);
        let halves = Some(Halves { head: latency / 8 * 7, tail: latency / 8 });
        Candidate { accuracy, latency, halves, cascade: None }
    };
    (rungs.iter().map(|(id, ..)| (*id).to_owned()).collect(), rungs.map(candidate).to_vec())
}

/// The same, and a cascade of the first and the last.
pub fn plans() -> (Vec<String>, Vec<Candidate>) {
    let (mut ids, mut candidates) = self::candidates();
    let pair = Pair { small: 0, large: candidates.len() - 1 };
    ids.push(format!("{}+{}@0.7", ids[pair.small], ids[pair.large]));
    candidates.push(Candidate::cascade(pair, &candidates[pair.small], &candidates[pair.large], 0.97));
    (ids, candidates)
}

/// The terms for [`candidates`] or [`plans`] within `budget`.
pub fn terms(budget: Duration) -> Terms {
    Terms { budget, guess_accuracy: 1.0 / 6.0 }
}

/// Lets `policy` decide `windows` windows, whose latencies and signals follow from `seed`, and fails where it picks
/// what there is not or foretells what is no number.
pub fn drive(policy: &mut dyn Policy, candidates: &[Candidate], demand: &Demand, seed: u64, windows: usize) {
    let short = |pair: Pair| Short { rung: pair.small, share: 0.75 };
    let outlook = |it: &Candidate| Outlook { accuracy: it.accuracy, cost: it.latency, short: it.cascade.map(short) };
    let outlook: Vec<_> = candidates.iter().map(outlook).collect();
    let mut random = Random(seed);
    let mut overhead = Overhead::NONE;
    for _ in 0..windows {
        let share = |random: &mut Random| (random.below(4) > 0).then(|| random.below(1001) as f64 / 1000.0);
        let signals = Load {
            cpu: share(&mut random),
            pressure: share(&mut random),
            frequency: share(&mut random),
            temperature_c: None,
        };
        let choice = policy.choose(&Situation {
            demand,
            elapsed: Duration::from_millis(random.below(100_000)),
            available: overhead.available(demand.budget),
            lead: (random.below(2) == 0).then(|| Duration::from_millis(random.below(200))),
            signals,
            outlook: &outlook,
            cost_limit: Duration::MAX,
        });
        assert!(choice.plan < candidates.len(), "{choice:?}");
        for rung in 0..candidates.len() {
            // not NaN either
            let sane = |p: f64| (-1e-6..=1.0 + 1e-5).contains(&p);
            assert!(policy.forecast(rung).miss_probability.is_none_or(sane), "{rung} beside {choice:?}");
        }
        // from a thousandth to some thousand times what was profiled, and now and then nothing at all or an hour
        let latency = match random.below(16) {
            0 => Duration::ZERO,
            1 => Duration::from_secs(3600),
            _ => candidates[choice.plan].latency.mul_f64((random.below(8000) as f64 / 1000.0 - 1.0).exp()),
        };
        policy.observe(choice.plan, latency);
        overhead.observe(Duration::from_nanos(1 << random.below(50)));
        let sane = |x: f64| x.is_finite() && x >= 0.0;
        assert!(policy.slowdown().is_none_or(|slowdown| sane(slowdown.mean) && sane(slowdown.spread)));
    }
}

/// Numbers without a pattern (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
