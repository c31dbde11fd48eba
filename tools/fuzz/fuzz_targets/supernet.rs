//! ONNX networks for gaitd's own engine: whatever a file holds, it is left in words or gives logits that are numbers.
//!
//! An input is as that of the target `network`. The kernels are those of safe Rust, which panic where a plan is wrong.

#![no_main]

mod one_network;

use gaitd_core::ladder::{Backend, Loaded};
use gaitd_supernet::WithKernels;
use libfuzzer_sys::fuzz_target;

/// The most multiply-accumulates of a network that is run, for more take longer, and say nothing more.
const MOST_WORK: u64 = 10_000_000;

fuzz_target!(|bytes: &[u8]| {
    let kernels =
        WithKernels::all().into_iter().find(|kernels| kernels.name() == "plain").expect("any processor has them");
    one_network::OneNetwork::new(bytes, None).run(|files| match kernels.load(files) {
        Ok(Loaded::Network(network)) => network.macs(0).is_some_and(|macs| macs <= MOST_WORK).then_some(network),
        Ok(Loaded::Left(reason)) => {
            assert!((1..4096).contains(&reason.len()));
            assert!(!reason.contains("mistake of gaitd's"), "{reason}");
            None
        }
        Err(error) => panic!("every file is there, and as the manifest says: {error}"),
    });
});
