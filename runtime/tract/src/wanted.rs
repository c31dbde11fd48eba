//! What a manifest wants of a network: which inputs, in which shapes, and which output.

use std::collections::HashMap;

use gaitd_core::ladder::{Configuration, Layout, NetworkInput, Task};

/// What is wanted of one network.
pub(crate) struct Wanted<'a> {
    pub(crate) inputs: Vec<Input<'a>>,
    /// The output's name; the only output needs none.
    pub(crate) output: Option<&'a str>,
    /// What the files beside the network hold, by name.
    pub(crate) weights: &'a HashMap<String, Vec<u8>>,
}

/// One input.
pub(crate) struct Input<'a> {
    /// Its name; the only input needs none.
    pub(crate) name: Option<&'a str>,
    /// The places of its channels in a window.
    pub(crate) channels: Vec<usize>,
    pub(crate) shape: Vec<usize>,
    /// All channels of one time step stand together.
    pub(crate) time_first: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(task: &Task, configuration: &'a Configuration, weights: &'a HashMap<String, Vec<u8>>) -> Self {
        let time = configuration.time_steps(task.window);
        let input = |name: Option<&'a str>, channels: Vec<usize>, layout: &Layout| Input {
            name,
            shape: layout.shape(channels.len(), time),
            channels,
            time_first: layout.time_first(),
        };
        let inputs = if configuration.inputs.is_empty() {
            let all = NetworkInput::default();
            vec![input(None, all.places(&task.channels), &all.layout)]
        } else {
            let inputs = configuration.inputs.iter();
            inputs.map(|it| input(it.name.as_deref(), it.places(&task.channels), &it.layout)).collect()
        };
        Self { inputs, output: configuration.output.name.as_deref(), weights }
    }
}
