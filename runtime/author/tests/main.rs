//! What is understood of networks, and what is asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use gaitd_author::{NetworkFile, Questions, Stated, StatedOfNetwork, understand};
use gaitd_core::ladder::{Answers, Layout, NetworkFacts, NetworkInput, OutputFacts, Precision, ValueFacts};
use gaitd_core::stream::Channel;
use proptest::prelude::*;

fn value(name: &str, shape: &[Option<usize>]) -> ValueFacts {
    ValueFacts { name: name.to_owned(), data_type: "float32".to_owned(), shape: Some(shape.to_vec()) }
}

/// A network of inputs of these shapes, with an output for each of two labels.
fn network(id: &str, inputs: &[(&str, &[Option<usize>])]) -> NetworkFile {
    let facts = NetworkFacts {
        inputs: inputs.iter().map(|(name, shape)| value(name, shape)).collect(),
        outputs: vec![OutputFacts { value: value("y", &[None, Some(2)]), holds: None }],
        operators: BTreeMap::new(),
        weights: Vec::new(),
        precision: Precision::Single,
    };
    let (id, file) = (id.to_owned(), format!("{id}.onnx"));
    NetworkFile { id, file, onnx: vec![1], facts, weights: BTreeMap::new(), stated: StatedOfNetwork::default() }
}

fn stated(channels: usize) -> Stated {
    let channel = |number| Channel { name: format!("c{number}"), unit: "g".to_owned() };
    Stated {
        labels: ["walking", "sitting"].map(str::to_owned).to_vec(),
        channels: (0..channels).map(channel).collect(),
        rate_hz: Some(50.0),
        ..Stated::default()
    }
}

fn asked(questions: &Questions) -> Vec<&'static str> {
    questions.asked.iter().map(|(flag, _)| *flag).collect()
}

proptest! {
    /// Of any usual layout, with any axes left open, either the right one is found or it is asked for; never a wrong one.
    #[test]
    fn a_layout_is_found_or_asked_for(
        place in 0..Layout::usual().count(),
        channels in 1_usize..12,
        time in prop_oneof![1_usize..12, 1_usize..300],
        open in any::<u8>(),
        window_stated in any::<bool>(),
    ) {
        let layout = Layout::usual().nth(place).unwrap();
        let axes = layout.shape(channels, time).into_iter().enumerate();
        let shape: Vec<_> = axes.map(|(axis, length)| (open >> axis & 1 == 0).then_some(length)).collect();
        let mut stated = stated(channels);
        stated.window = window_stated.then_some(time);
        match understand("m", &[network("n", &[("x", &shape)])], &stated) {
            Ok(manifest) => {
                let found = manifest.configurations[0].inputs.first().cloned().unwrap_or_default().layout;
                prop_assert_eq!(found.shape(channels, time), layout.shape(channels, time));
                prop_assert!(channels == 1 || time == 1 || found.time_first() == layout.time_first());
                prop_assert_eq!(manifest.task.window, time);
            }
            Err(questions) => {
                prop_assert!(questions.wrong.is_empty(), "{}", questions);
                let known = ["--layout", "--window", "--resolution"];
                prop_assert!(asked(&questions).iter().all(|flag| known.contains(flag)), "{}", questions);
            }
        }
    }
}

#[test]
fn usual_exports_need_no_word_on_their_layout() {
    let usual: [(&[Option<usize>], &str); 7] = [
        (&[Some(1), Some(6), Some(128)], "1,C,T"),
        (&[None, Some(128), Some(6)], "1,T,C"),
        (&[None, Some(6), None], "1,C,T"),
        (&[None, None, Some(6)], "1,T,C"),
        (&[Some(1), Some(1), Some(6), Some(128)], "1,1,C,T"),
        (&[None, Some(1), Some(128), Some(6)], "1,1,T,C"),
        (&[Some(1), Some(6), Some(1), Some(128)], "1,C,1,T"),
    ];
    for (shape, layout) in usual {
        let stated = Stated { window: Some(128), ..stated(6) };
        let manifest = understand("m", &[network("n", &[("x", shape)])], &stated).unwrap();
        let found = manifest.configurations[0].inputs.first().cloned().unwrap_or_default();
        assert_eq!(found.layout.to_string(), layout, "{shape:?}");
        assert_eq!((manifest.task.window, manifest.task.hop), (128, 64));
    }
    let flat = network("n", &[("x", &[None, Some(768)])]);
    let questions = understand("m", std::slice::from_ref(&flat), &stated(6)).unwrap_err();
    assert_eq!(asked(&questions), ["--layout"]);
    assert!(questions.to_string().contains("1,C*T or 1,T*C"), "{questions}");
}

#[test]
fn several_inputs_are_filled_by_name_and_a_state_is_not() {
    let shape = [Some(1), Some(3), Some(64)];
    let mut two = network("two", &[("acc", &shape), ("gyro", &shape)]);
    let mut stated = stated(6);
    let questions = understand("m", std::slice::from_ref(&two), &stated).unwrap_err();
    assert_eq!(asked(&questions), ["--input"]);
    assert!(questions.to_string().contains("keeps no state"), "{questions}");
    let channels = |names: [&str; 3]| names.map(str::to_owned).to_vec();
    stated.inputs =
        vec![("gyro".to_owned(), channels(["c3", "c4", "c5"])), ("acc".to_owned(), channels(["c0", "c1", "c2"]))];
    let manifest = understand("m", std::slice::from_ref(&two), &stated).unwrap();
    let expected = |name: &str, names| NetworkInput {
        name: Some(name.to_owned()),
        channels: channels(names),
        layout: Layout::default(),
    };
    let inputs = &manifest.configurations[0].inputs;
    assert_eq!(inputs, &[expected("acc", ["c0", "c1", "c2"]), expected("gyro", ["c3", "c4", "c5"])]);
    two.facts.inputs.push(value("hidden", &[Some(1), Some(1), Some(32)]));
    let questions = understand("m", &[two], &stated).unwrap_err();
    assert!(questions.to_string().contains("hidden"), "{questions}");
    stated.inputs.push(("magnet".to_owned(), channels(["c0", "c1", "c2"])));
    let questions = understand("m", &[network("n", &[("x", &[None, Some(6), Some(9)])])], &stated).unwrap_err();
    assert!(questions.wrong.iter().any(|it| it.contains("\"magnet\"")), "{questions}");
}

#[test]
fn of_several_outputs_one_is_named_and_what_its_end_tells_is_taken() {
    let mut net = network("n", &[("x", &[None, Some(6), Some(9)])]);
    net.facts.outputs.push(OutputFacts { value: value("p", &[None, Some(2)]), holds: Some(Answers::Probabilities) });
    let questions = understand("m", std::slice::from_ref(&net), &stated(6)).unwrap_err();
    assert_eq!(asked(&questions), ["--network-output"]);
    net.stated.output = Some("p".to_owned());
    let manifest = understand("m", std::slice::from_ref(&net), &stated(6)).unwrap();
    let output = &manifest.configurations[0].output;
    assert_eq!((output.name.as_deref(), output.holds), (Some("p"), Answers::Probabilities));
    net.stated.holds = Some(Answers::Logits);
    let manifest = understand("m", std::slice::from_ref(&net), &stated(6)).unwrap();
    assert_eq!(manifest.configurations[0].output.holds, Answers::Logits, "what is stated wins");
    net.stated.output = Some("q".to_owned());
    let questions = understand("m", &[net], &stated(6)).unwrap_err();
    assert!(questions.wrong[0].contains("no output \"q\""), "{questions}");
}

#[test]
fn a_shorter_network_is_not_resampled_unasked() {
    let long = network("long", &[("x", &[None, Some(6), Some(128)])]);
    let mut short = network("short", &[("x", &[None, Some(6), Some(64)])]);
    let questions = understand("m", &[long.clone(), short.clone()], &stated(6)).unwrap_err();
    assert_eq!(asked(&questions), ["--resolution"]);
    short.stated.resolution = Some(64);
    let manifest = understand("m", &[long.clone(), short.clone()], &stated(6)).unwrap();
    let resolutions: Vec<_> = manifest.configurations.iter().map(|it| it.resolution).collect();
    assert_eq!(resolutions, [None, Some(64)]);
    short.stated.resolution = Some(96);
    let questions = understand("m", &[long, short], &stated(6)).unwrap_err();
    assert!(questions.wrong[0].contains("reads 64 time steps"), "{questions}");
}
