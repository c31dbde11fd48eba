//! Golden vectors: what is accepted has the shapes that the manifest says.

#![no_main]

mod json;
mod shared;

use std::path::Path;

use gaitd_core::ladder::{Golden, Manifest};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::Value;

/// Two channels, windows of three samples, two labels, two configurations.
const MANIFEST: &[u8] = include_bytes!("../seeds/manifest/small.json");

thread_local! {
    static MODEL: Manifest = Manifest::parse(MANIFEST, Path::new("manifest.json")).expect("the seed is a manifest");
}

/// The lengths of nested arrays, where all arrays of one depth are equally long.
fn shape(value: &Value) -> Option<Vec<usize>> {
    let Value::Array(items) = value else { return value.is_number().then(Vec::new) };
    let inner = shape(items.first()?)?;
    items.iter().all(|item| shape(item).as_ref() == Some(&inner)).then(|| [vec![items.len()], inner].concat())
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| MODEL.with(|manifest| {
    if let Err(error) = Golden::parse(bytes, Path::new("golden.json"), manifest) {
        return assert!(!error.to_string().is_empty());
    }
    let json: Value = serde_json::from_slice(bytes).expect("it was read as JSON before");
    let task = &manifest.task;
    let windows = shape(&json["windows"]).expect("windows of one shape");
    assert_eq!(windows[1..], [task.channels.len(), task.window]);
    for configuration in &manifest.configurations {
        let logits = shape(&json["logits"][&configuration.id]).expect("logits of one shape");
        assert_eq!(logits, [windows[0], task.labels.len()]);
    }
}));
