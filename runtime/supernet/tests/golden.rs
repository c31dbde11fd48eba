//! The shipped ladders agree with the trainer's logits on every set of kernels, share what they are to share, and count as
//! tract counts.

use gaitd_core::ladder::{Ladder, ModelDirectory};
use gaitd_supernet::WithKernels;
use gaitd_tests::repository;
use gaitd_tract::Tract;
use serde_json::Value;

/// The most by which a logit may be off.
const LARGEST: f64 = 3e-5;

pub(crate) const SHIPPED: [&str; 3] = ["uci-har-cnn", "uci-har-resnet", "wisdm-watch-cnn"];

pub(crate) fn model(name: &str) -> ModelDirectory {
    ModelDirectory::new(repository().join("models").join(name))
}

/// Whether this may be an emulated processor, on which the larger networks take minutes.
pub(crate) const EMULATED: bool = cfg!(not(target_arch = "x86_64"));

/// Its golden windows (two where they would take long), and for each configuration the logits of each.
pub(crate) fn golden(name: &str) -> (Vec<Vec<f32>>, Value) {
    let text = std::fs::read(repository().join("models").join(name).join("golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&text).unwrap();
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let windows = golden["windows"].as_array().unwrap().iter().map(|window| {
        window.as_array().unwrap().iter().flat_map(|channel| channel.as_array().unwrap().iter().map(number)).collect()
    });
    (windows.take(if EMULATED { 2 } else { usize::MAX }).collect(), golden["logits"].clone())
}

#[test]
fn every_configuration_of_every_shipped_ladder_agrees_with_the_trainer() {
    for kernels in WithKernels::all() {
        for name in SHIPPED {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            let (windows, logits) = golden(name);
            let mut runner = ladder.runner().unwrap();
            let mut largest = 0.0_f64;
            for (window, samples) in windows.iter().enumerate() {
                for (rung, configuration) in ladder.configurations().iter().enumerate() {
                    let expected = logits[&configuration.id][window].as_array().unwrap();
                    let mut found = vec![f32::NAN; expected.len()];
                    runner.infer(rung, samples, &mut found).unwrap();
                    for (found, expected) in found.iter().zip(expected) {
                        largest = largest.max((f64::from(*found) - expected.as_f64().unwrap()).abs());
                    }
                }
            }
            println!("{} {name}: logits are off by {largest:.1e} at most", ladder.network().identity());
            assert!(largest <= LARGEST, "{} {name}: {largest:.1e}", ladder.backend());
        }
    }
}

#[test]
fn shipped_ladders_need_one_set_of_weights() {
    // the widest network and its classifier, once more for each count of pooled steps
    for (name, megabytes) in [("uci-har-cnn", 1.9), ("uci-har-resnet", 4.6), ("wisdm-watch-cnn", 3.2)] {
        for kernels in WithKernels::all() {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            let memory = ladder.network().memory();
            println!("{} {name}: {memory:?}", ladder.backend());
            assert!(memory.total() as f64 <= megabytes * 1e6, "{} {name}: {memory:?}", ladder.backend());
        }
    }
}

#[test]
fn what_is_counted_is_what_tract_counts() {
    for name in SHIPPED {
        let tract = Ladder::load(&model(name), &[&Tract]).unwrap();
        for kernels in WithKernels::all() {
            let ladder = Ladder::load(&model(name), &[&kernels]).unwrap();
            for (rung, configuration) in ladder.configurations().iter().enumerate() {
                let counted = |ladder: &Ladder| ladder.network().macs(rung);
                assert_eq!(counted(&ladder), counted(&tract), "{name} {}", configuration.id);
                let first = &ladder.network().kernels(rung)[0];
                assert!(first.starts_with(&format!("supernet_{}_", ladder.backend())), "{first}");
            }
        }
    }
}
