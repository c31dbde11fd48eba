//! Inferences in two halves: head and tail give what the whole gives, to the bit, whatever stood where samples were missing
//! and whatever was begun before.

use std::thread;

use gaitd_core::ladder::{Backend, InferenceError, Ladder, Network, Runner};
use gaitd_supernet::WithKernels;
use proptest::prelude::*;

use crate::golden::{EMULATED, SHIPPED, golden, model};
use crate::ladders::{Made, cases, fits, made, number};

/// `window` of so many channels with `bad` in the last `missing` samples of each.
fn without(window: &[f32], channels: usize, missing: usize, bad: f32) -> Vec<f32> {
    let mut window = window.to_vec();
    let samples = window.len() / channels;
    window.chunks_exact_mut(samples).for_each(|channel| channel[samples - missing..].fill(bad));
    window
}

/// The logits of both halves, or nothing where there is no head; before it `bad` stands where samples are missing.
fn halves(
    runner: &mut dyn Runner,
    (rung, missing): (usize, usize),
    (window, channels): (&[f32], usize),
    bad: f32,
    classes: usize,
) -> Option<Vec<f32>> {
    let begun = without(window, channels, missing, bad);
    let mut logits = vec![f32::NAN; classes];
    runner.head(rung, &begun, missing, &mut || true).unwrap().then(|| {
        runner.tail(window, &mut logits).unwrap();
        logits
    })
}

fn whole(runner: &mut dyn Runner, rung: usize, window: &[f32], classes: usize) -> Vec<f32> {
    let mut logits = vec![f32::NAN; classes];
    runner.infer(rung, window, &mut logits).unwrap();
    logits
}

struct Shipped {
    name: &'static str,
    ladder: Ladder,
    windows: Vec<Vec<f32>>,
    channels: usize,
    samples: usize,
    classes: usize,
}

impl Shipped {
    fn all(kernels: &WithKernels) -> Vec<Self> {
        let load = |name: &'static str| {
            let ladder = Ladder::load(&model(name), &[kernels]).unwrap();
            let task = &ladder.manifest().task;
            let (channels, samples, classes) = (task.channels.len(), task.window, task.labels.len());
            Self { name, windows: golden(name).0, channels, samples, classes, ladder }
        };
        SHIPPED.map(load).into()
    }

    fn network(&self) -> &dyn Network {
        self.ladder.network()
    }

    fn rungs(&self) -> usize {
        self.ladder.configurations().len()
    }
}

#[test]
fn both_halves_give_what_the_whole_gives() {
    for (place, kernels) in WithKernels::all().iter().enumerate() {
        for it in Shipped::all(kernels) {
            let mut runner = it.ladder.runner().unwrap();
            for rung in 0..it.rungs() {
                let expected: Vec<_> =
                    it.windows[..2].iter().map(|window| whole(&mut *runner, rung, window, it.classes)).collect();
                let every = if EMULATED {
                    31
                } else if place > 0 {
                    9
                } else {
                    1
                };
                for missing in (1..it.samples).step_by(every) {
                    let has = it.network().head_macs(rung, missing).is_some();
                    for (choice, bad) in [f32::NAN, 1e9].into_iter().enumerate() {
                        let window = &it.windows[choice];
                        let found = halves(&mut *runner, (rung, missing), (window, it.channels), bad, it.classes);
                        let what = || format!("{} {} {rung}: {missing} missing", it.ladder.backend(), it.name);
                        assert_eq!(found.is_some(), has, "{}", what());
                        assert!(found.is_none_or(|found| found == expected[choice]), "{}", what());
                        assert!(has || missing > it.samples / 2, "{}: no head", what());
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]
    #[test]
    fn both_halves_of_random_ladders_give_what_the_whole_gives(
        made in made().prop_filter("nothing is left", fits),
        order in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 6),
    ) {
        let Made { axes, window: samples, classes, .. } = made;
        let window: Vec<f32> = (0..axes * samples).map(|place| number(99, place as u64)).collect();
        for kernels in WithKernels::all() {
            let network = made.load(&kernels).unwrap();
            let mut runner = network.runner().unwrap();
            for (rung, missing) in &order {
                let (rung, missing) = (rung.index(made.rungs.len()), 1 + missing.index(samples - 1));
                let expected = whole(&mut *network.runner().unwrap(), rung, &window, classes);
                let found = halves(&mut *runner, (rung, missing), (&window, axes), f32::NAN, classes);
                prop_assert_eq!(found.is_some(), network.head_macs(rung, missing).is_some());
                if let Some(found) = found {
                    prop_assert_eq!(found, expected, "{} {}: {} missing", kernels.name(), rung, missing);
                }
            }
        }
    }
}

/// A number that follows from the one before, below `end`.
fn next(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % end
}

#[test]
fn a_head_that_is_given_up_or_left_harms_nothing() {
    for kernels in &WithKernels::all() {
        for it in Shipped::all(kernels) {
            let mut alone = it.ladder.runner().unwrap();
            let mut runner = it.ladder.runner().unwrap();
            let (mut state, mut logits, mut given_up) = (5, vec![0.0; it.classes], 0);
            let rungs = if EMULATED { 2 } else { it.rungs() };
            let asked = |runner: &mut dyn Runner, rung, missing| {
                let mut asked = 0;
                let mut go_on = || {
                    asked += 1;
                    true
                };
                runner.head(rung, &it.windows[1], missing, &mut go_on).unwrap();
                asked
            };
            for _ in 0..if EMULATED { 6 } else { 40 } {
                let missing = [1, 4, 17, it.samples / 2][next(&mut state, 4)];
                let rung = next(&mut state, rungs);
                // a head of another window that stops somewhere, or is done and left
                let stop = next(&mut state, asked(&mut *alone, rung, missing) + 1);
                let mut left = stop;
                let mut go_on = || {
                    left = left.wrapping_sub(1);
                    left != usize::MAX
                };
                let other = without(&it.windows[1], it.channels, missing, f32::NAN);
                let done = runner.head(rung, &other, missing, &mut go_on).unwrap();
                if !done {
                    given_up += 1;
                    let outcome = runner.tail(&it.windows[1], &mut logits);
                    assert!(matches!(outcome, Err(InferenceError::NoHead)), "{}", it.name);
                }
                let (rung, missing) = (next(&mut state, rungs), 1 + next(&mut state, it.samples / 2));
                let expected = whole(&mut *alone, rung, &it.windows[0], it.classes);
                if next(&mut state, 2) == 0 {
                    assert_eq!(whole(&mut *runner, rung, &it.windows[0], it.classes), expected, "{}", it.name);
                    // it is forgotten
                    let outcome = runner.tail(&it.windows[0], &mut logits);
                    assert!(matches!(outcome, Err(InferenceError::NoHead)), "{}", it.name);
                } else {
                    let window = (it.windows[0].as_slice(), it.channels);
                    let found = halves(&mut *runner, (rung, missing), window, 1e9, it.classes);
                    assert_eq!(found, Some(expected), "{} {} {rung} {missing}", it.ladder.backend(), it.name);
                }
            }
            assert!(given_up > 0, "{}", it.name);
        }
    }
}

#[test]
fn a_tail_needs_a_head() {
    for kernels in &WithKernels::all() {
        let it = &Shipped::all(kernels)[0];
        let (window, mut logits) = (&it.windows[0], vec![0.0; it.classes]);
        let mut runner = it.ladder.runner().unwrap();
        let none = |runner: &mut dyn Runner| {
            let outcome = runner.tail(window, &mut vec![0.0; it.classes]);
            assert!(matches!(outcome, Err(InferenceError::NoHead)), "{}", it.ladder.backend());
        };
        none(&mut *runner);
        for missing in [0, it.samples, it.samples + 1, usize::MAX] {
            assert!(runner.head(0, window, 4, &mut || true).unwrap());
            assert!(!runner.head(0, window, missing, &mut || true).unwrap());
            none(&mut *runner);
            assert_eq!(it.network().head_macs(0, missing), None);
        }
        // one head is good for one tail
        assert!(runner.head(0, window, 4, &mut || true).unwrap());
        runner.tail(window, &mut logits).unwrap();
        none(&mut *runner);
        // what is no number in the tail's samples is an error, and forgotten too
        assert!(runner.head(0, window, 40, &mut || true).unwrap());
        let outcome = runner.tail(&without(window, it.channels, 40, f32::NAN), &mut logits);
        assert!(matches!(outcome, Err(InferenceError::NotFinite)), "{outcome:?}");
        none(&mut *runner);
    }
}

#[test]
fn neither_half_allocates() {
    for kernels in &WithKernels::all() {
        for it in Shipped::all(kernels) {
            let mut runner = it.ladder.runner().unwrap();
            let mut logits = vec![0.0; it.classes];
            let window = &it.windows[0];
            for missing in [4, 30] {
                let mut all = |rungs: std::ops::Range<usize>| {
                    for rung in rungs {
                        assert!(runner.head(rung, window, missing, &mut || true).unwrap());
                        runner.tail(window, &mut logits).unwrap();
                        runner.infer(rung, window, &mut logits).unwrap();
                    }
                };
                all(0..1);
                let allocated = allocation_counter::measure(|| all(0..it.rungs()));
                assert_eq!(allocated.count_total, 0, "{} {}", it.ladder.backend(), it.name);
            }
        }
    }
}

#[test]
fn runners_begin_with_different_counts_at_once() {
    for kernels in &WithKernels::all() {
        for it in &Shipped::all(kernels)[..2] {
            let rungs = if EMULATED { 1 } else { it.rungs() };
            let mut runner = it.ladder.runner().unwrap();
            let expected: Vec<_> =
                (0..rungs).map(|rung| whole(&mut *runner, rung, &it.windows[0], it.classes)).collect();
            thread::scope(|scope| {
                for first in 1..5 {
                    let (expected, it) = (&expected, &it);
                    scope.spawn(move || {
                        let mut runner = it.ladder.runner().unwrap();
                        for missing in [first, 10 * first, first + 1, first] {
                            for (rung, expected) in expected.iter().enumerate() {
                                let window = (it.windows[0].as_slice(), it.channels);
                                let found = halves(&mut *runner, (rung, missing), window, f32::NAN, it.classes);
                                assert_eq!(found.as_ref(), Some(expected), "{} {missing}", it.name);
                            }
                        }
                    });
                }
            });
        }
    }
}

#[test]
fn the_head_takes_what_needs_no_missing_sample_and_asks_often() {
    for kernels in &WithKernels::all() {
        for it in Shipped::all(kernels) {
            let network = it.network();
            let before = network.memory();
            for rung in 0..it.rungs() {
                let all = network.macs(rung).unwrap();
                let head = |missing| network.head_macs(rung, missing).unwrap_or_default();
                // most of it at few samples, and never more than at fewer
                assert!(head(1) <= all && head(4) > all * 5 / 6, "{} {rung}: {} of {all}", it.name, head(4));
                let counts = [1, 2, 4, 8, 16, 32, 64].map(head);
                assert!(counts.is_sorted_by(|more, less| more >= less), "{} {rung}: {counts:?}", it.name);
            }
            let after = network.memory();
            assert!(before.shared < after.shared && before.own <= after.own, "{}: {before:?} {after:?}", it.name);
            let widest = it.rungs() - 1;
            let mut asked = 0;
            let mut runner = it.ladder.runner().unwrap();
            let mut go_on = || {
                asked += 1;
                true
            };
            assert!(runner.head(widest, &it.windows[0], 4, &mut go_on).unwrap());
            let head = network.head_macs(widest, 4).unwrap();
            // padding is counted, and not computed
            assert!((head / 1_000_000..head / 50_000).contains(&asked), "{}: {asked} times in {head}", it.name);
        }
    }
}
