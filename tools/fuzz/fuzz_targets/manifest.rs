//! The model manifest: what is accepted contradicts itself nowhere, and conditions every stream to finite values.

#![no_main]

mod json;
mod shared;

use std::time::Duration;

use std::path::Path;

use gaitd_core::ladder::Manifest;
use gaitd_core::stream::continuity::LARGEST_VALUE;
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::{Resampler, Window};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use shared::Random;

/// Samples that are pushed through an accepted manifest's conditioning.
const SAMPLES: usize = 300;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| {
    let manifest = match Manifest::parse(bytes, Path::new("manifest.json")) {
        Ok(manifest) => manifest,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again =
        Manifest::parse(&shared::written(&manifest), Path::new("manifest.json")).expect("what gaitd wrote itself");
    shared::assert_same(&manifest, &again);

    let task = &manifest.task;
    assert!(manifest.guess_accuracy() > 0.0 && manifest.guess_accuracy() <= 0.5);
    for configuration in &manifest.configurations {
        let resolution = configuration.time_steps(task.window);
        assert!((1..=task.window).contains(&resolution));
        assert!(configuration.recall.as_ref().is_none_or(|recall| recall.len() == task.labels.len()));
        assert!((0.05..=20.0).contains(&configuration.temperature), "a softmax at it is no distribution");
        assert!(!configuration.file.contains('/'), "it would lie outside the model directory");
        let resampler = Resampler::new(task.window, resolution).expect("a resolution");
        let mut out = vec![f32::NAN; resolution];
        resampler.apply(&vec![1.0; task.window], &mut out);
        assert!(out.iter().all(|value| *value == 1.0));
    }

    let mut intake = manifest.intake().expect("a manifest that was accepted");
    assert_eq!(intake.channels(), task.input.channels.len());
    let mut window = Window::new(task.channels.len(), task.window);
    let mut sample = Sample { time_s: None, values: vec![0.0; intake.channels()] };
    let mut random = Random(bytes.len() as u64);
    let (mut windows, mut last) = (0, None);
    for number in 0..SAMPLES {
        for value in &mut sample.values {
            *value = match random.below(4) {
                0 => LARGEST_VALUE,
                1 => -LARGEST_VALUE,
                _ => (random.below(2001) as f64 - 1000.0) / 500.0,
            };
        }
        intake.push(&Reading::Sample, &sample, Duration::from_millis(number as u64), |ready| {
            ready.fill(&mut window);
            assert!(window.samples().iter().all(|value| value.is_finite()), "window {windows}");
            assert_eq!(window.index, windows);
            assert!(last.is_none_or(|last| window.last_sample == last + task.hop as u64));
            last = Some(window.last_sample);
            windows += 1;
        });
    }
    assert_eq!(intake.counts().samples, SAMPLES as u64);
});
