//! ONNX networks: whatever a file holds, it is refused in words or gives logits that are numbers, in little time and memory.
//!
//! An input is the network's file, of a window of three channels and eight samples and two labels.

#![no_main]

mod one_network;

use std::panic;

use gaitd_core::ladder::{Backend, Loaded};
use gaitd_tract::Tract;
use libfuzzer_sys::fuzz_target;

/// tract gives up by panicking on much of what is no network, and gaitd catches that; libFuzzer would not let it. A panic
/// of gaitd's own is one still: it ends the target.
fn only_own_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or("", |location| location.file());
        if place.contains("runtime/") || place.contains("fuzz_targets/") {
            usual(panic);
        }
    }));
}

fuzz_target!(init: only_own_panics(), |bytes: &[u8]| {
    one_network::OneNetwork::new(bytes, Some(&[0; 64])).run(|files| match Tract.load(files) {
        Ok(Loaded::Network(network)) => Some(network),
        Ok(Loaded::Left(reason)) => panic!("tract takes every ladder: {reason}"),
        Err(error) => {
            assert!((1..4096).contains(&error.to_string().len()));
            None
        }
    });
});
