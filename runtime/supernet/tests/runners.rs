//! Runners: nothing is left of one window or configuration in the next, nothing is allocated, and what is no number is an
//! error.

use std::thread;

use gaitd_core::ladder::{InferenceError, Ladder};
use gaitd_supernet::WithKernels;

use crate::golden::{EMULATED, SHIPPED, golden, model};

#[test]
fn rungs_in_any_order_answer_as_they_do_alone() {
    for kernels in WithKernels::all() {
        for name in SHIPPED {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            let (windows, _) = golden(name);
            let classes = ladder.manifest().task.labels.len();
            let rungs = ladder.configurations().len();
            let alone = |rung: usize, window: &[f32]| {
                let mut logits = vec![0.0; classes];
                ladder.runner().unwrap().infer(rung, window, &mut logits).unwrap();
                logits
            };
            let expected: Vec<Vec<Vec<f32>>> =
                (0..rungs).map(|rung| windows.iter().map(|window| alone(rung, window)).collect()).collect();
            let mut runner = ladder.runner().unwrap();
            let (mut state, mut logits) = (1_u64, vec![0.0; classes]);
            for _ in 0..if EMULATED { 30 } else { 200 } {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (rung, window) = ((state >> 33) as usize % rungs, (state >> 53) as usize % windows.len());
                runner.infer(rung, &windows[window], &mut logits).unwrap();
                assert_eq!(logits, expected[rung][window], "{} {name} {rung}", ladder.backend());
            }
        }
    }
}

#[test]
fn any_number_of_runners_share_the_weights() {
    for kernels in WithKernels::all() {
        let ladder = Ladder::load(&model("uci-har-cnn"), &[&kernels]).unwrap();
        let (windows, _) = golden("uci-har-cnn");
        let answers = || {
            let (mut runner, mut all) = (ladder.runner().unwrap(), Vec::new());
            for rung in 0..ladder.configurations().len() {
                for window in &windows {
                    let mut logits = vec![0.0; ladder.manifest().task.labels.len()];
                    runner.infer(rung, window, &mut logits).unwrap();
                    all.push(logits);
                }
            }
            all
        };
        let expected = answers();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(answers)).collect();
            threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), expected));
        });
    }
}

#[test]
fn an_inference_allocates_nothing() {
    for kernels in WithKernels::all() {
        for name in SHIPPED {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            let (windows, _) = golden(name);
            let mut logits = vec![0.0; ladder.manifest().task.labels.len()];
            let mut runner = ladder.runner().unwrap();
            let allocated = allocation_counter::measure(|| {
                for rung in 0..ladder.configurations().len() {
                    runner.infer(rung, &windows[0], &mut logits).unwrap();
                }
            });
            assert_eq!(allocated.count_total, 0, "{} {name}", ladder.backend());
        }
    }
}

#[test]
fn what_is_no_number_is_an_error_and_nothing_is_left_of_it() {
    for kernels in WithKernels::all() {
        for name in SHIPPED {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            let (windows, _) = golden(name);
            let mut runner = ladder.runner().unwrap();
            let samples = ladder.manifest().task.window;
            let classes = ladder.manifest().task.labels.len();
            for rung in 0..ladder.configurations().len() {
                let mut expected = vec![0.0; classes];
                runner.infer(rung, &windows[1], &mut expected).unwrap();
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut window = windows[1].clone();
                    // a whole channel: a single sample need not be one that a configuration reads
                    window[..samples].fill(bad);
                    let mut logits = vec![0.0; classes];
                    let outcome = runner.infer(rung, &window, &mut logits);
                    assert!(
                        matches!(outcome, Err(InferenceError::NotFinite)),
                        "{} {name} {rung}: {bad}",
                        ladder.backend()
                    );
                    runner.infer(rung, &windows[1], &mut logits).unwrap();
                    assert_eq!(logits, expected, "{} {name} {rung} after {bad}", ladder.backend());
                }
            }
        }
    }
}
