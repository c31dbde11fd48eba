//! From what files say of themselves, and what is stated of them, to a manifest.

use std::collections::BTreeMap;
use std::fmt;

use gaitd_core::condition::OpSpec;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{
    Accuracy, Answers, Configuration, Fit, InputSpec, Layout, Manifest, NetworkFacts, NetworkInput, NetworkOutput,
    Task, ValueFacts, WeightFile, sha256,
};
use gaitd_core::stream::Channel;
use gaitd_core::window::Normalisation;
use serde::Deserialize;

use crate::means::Means;

/// A network that is to become a configuration.
#[derive(Clone, Debug)]
pub struct NetworkFile {
    /// The configuration's name.
    pub id: String,
    /// The name of its file.
    pub file: String,
    /// What is in that file.
    pub onnx: Vec<u8>,
    /// What that says of itself.
    pub facts: NetworkFacts,
    /// What is in the files beside it that hold weights, by name.
    pub weights: BTreeMap<String, Vec<u8>>,
    /// What is stated of it.
    pub stated: StatedOfNetwork,
}

/// What is stated of one network, because its file does not say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatedOfNetwork {
    /// The axes of its inputs.
    pub layout: Option<Layout>,
    /// Time steps to which a window is resampled for it.
    pub resolution: Option<usize>,
    /// The output that answers.
    pub output: Option<String>,
    /// What that holds.
    pub holds: Option<Answers>,
    /// Its accuracy on held-out data, 0 to 1, as somebody else measured it.
    pub accuracy: Option<f64>,
}

/// What is stated of all networks; what is missing and needed becomes one of the [`Questions`].
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// The activities, in the order of the outputs.
    pub labels: Vec<String>,
    /// The raw channels, which are the network's where nothing conditions them.
    pub channels: Vec<Channel>,
    /// Samples per second.
    pub rate_hz: Option<f64>,
    /// Length of a window, samples.
    pub window: Option<usize>,
    /// From one window to the next, samples; half a window where it is not stated.
    pub hop: Option<usize>,
    /// What makes the network's channels of the raw ones.
    pub conditioning: Option<Conditioning>,
    /// Means and standard deviations of the network's channels.
    pub means: Option<Means>,
    /// What each window goes through.
    pub normalisation: Option<Normalisation>,
    /// Names of inputs, and the channels that each of them reads.
    pub inputs: Vec<(String, Vec<String>)>,
}

/// What makes a network's channels of the raw ones.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditioning {
    /// The network's channels, in its order.
    pub channels: Vec<Channel>,
    /// The steps to them.
    pub conditioning: Vec<OpSpec>,
}

/// What has to be stated before there is a manifest, and what contradicts it.
#[derive(Clone, Debug, Default, PartialEq, thiserror::Error)]
pub struct Questions {
    /// What nobody can know from the files: the flag that states it, and what it is to state.
    pub asked: Vec<(&'static str, String)>,
    /// What cannot be as it is.
    pub wrong: Vec<String>,
}

impl fmt::Display for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = self.wrong.iter().cloned();
        let asked = self.asked.iter().map(|(flag, what)| format!("still needed: {flag}: {what}"));
        f.write_str(&wrong.chain(asked).collect::<Vec<_>>().join("\n"))
    }
}

impl ExitCode for Questions {
    fn exit_code(&self) -> u8 {
        if self.wrong.is_empty() { exit::USAGE } else { exit::DATA }
    }
}

impl Questions {
    fn ask(&mut self, flag: &'static str, what: String) {
        self.asked.push((flag, what));
    }

    fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.wrong.is_empty()
    }
}

/// How one input is used.
#[derive(Clone, Debug, PartialEq)]
struct Use {
    input: NetworkInput,
    /// Time steps that it holds, where the file says so.
    time: Option<usize>,
}

/// The manifest of `networks`, called `name`, in their order; accuracies are those that are stated.
///
/// # Errors
/// All that has to be stated and is not, and all that contradicts the files, at once.
pub fn understand(name: &str, networks: &[NetworkFile], stated: &Stated) -> Result<Manifest, Questions> {
    let mut questions = Questions::default();
    if networks.is_empty() {
        questions.ask("--onnx", "a network, once for each configuration".to_owned());
    }
    let (channels, conditioning) = conditioned(stated, &mut questions);
    ask_for_task(networks, stated, &mut questions);
    for (name, _) in &stated.inputs {
        if !networks.iter().any(|network| network.facts.inputs.iter().any(|input| input.name == *name)) {
            questions.wrong.push(format!("--input: no network has an input {name:?}"));
        }
    }
    let mut uses = Vec::new();
    for network in networks {
        let inputs = if channels.is_empty() { None } else { inputs(network, stated, &channels, &mut questions) };
        uses.push((inputs, output(network, &mut questions)));
    }
    let longest = uses.iter().filter_map(|(inputs, _)| inputs.as_ref()?.iter().filter_map(|it| it.time).max()).max();
    let window = stated.window.or(longest);
    if window.is_none() && !channels.is_empty() && uses.iter().all(|(inputs, _)| inputs.is_some()) && !uses.is_empty() {
        questions.ask("--window", "length of a window, samples; the files leave it open".to_owned());
    }
    let mut configurations = Vec::new();
    for (network, (inputs, output)) in networks.iter().zip(uses) {
        let (Some(inputs), Some(output), Some(window)) = (inputs, output, window) else { continue };
        let resolution = resolution(network, &inputs, window, &mut questions);
        let inputs: Vec<NetworkInput> = inputs.into_iter().map(|it| it.input).collect();
        // what is so by default need not be said
        let usual = inputs.len() == 1 && inputs[0] == NetworkInput::default();
        let inputs = if usual { Vec::new() } else { inputs };
        configurations.push(configuration(network, inputs, output, resolution));
    }
    let (Some(window), Some(sample_rate_hz)) = (window, stated.rate_hz) else { return Err(questions) };
    if !questions.is_empty() {
        return Err(questions);
    }
    let input = InputSpec { channels: stated.channels.clone(), conditioning, statistics: Vec::new() };
    let manifest = Manifest {
        schema: Manifest::SCHEMA,
        name: name.to_owned(),
        task: Task {
            labels: stated.labels.clone(),
            channels,
            sample_rate_hz,
            window,
            hop: stated.hop.unwrap_or((window / 2).max(1)),
            input,
            normalisation: stated.normalisation,
        },
        training: serde_json::Map::new(),
        configurations,
        context: None,
        cascades: Vec::new(),
    };
    questions.wrong = manifest.problems();
    if questions.is_empty() { Ok(manifest) } else { Err(questions) }
}

/// The network's channels, and the steps to them; no channels where they are not known.
fn conditioned(stated: &Stated, questions: &mut Questions) -> (Vec<Channel>, Vec<OpSpec>) {
    let mut channels = stated.channels.clone();
    let mut operations = Vec::new();
    if let Some(conditioning) = &stated.conditioning {
        channels.clone_from(&conditioning.channels);
        operations.clone_from(&conditioning.conditioning);
    }
    if let Some(means) = &stated.means
        && !channels.is_empty()
    {
        match means.operation(&channels) {
            Ok(operation) => operations.push(operation),
            Err(problem) => questions.wrong.push(format!("--normalise: {problem}")),
        }
        channels.iter_mut().for_each(|channel| channel.unit = "1".to_owned());
    }
    (channels, operations)
}

fn ask_for_task(networks: &[NetworkFile], stated: &Stated, questions: &mut Questions) {
    if stated.labels.is_empty() {
        let outputs = networks.iter().flat_map(|network| &network.facts.outputs);
        let lengths: Vec<usize> = outputs.filter_map(|it| it.value.shape.as_ref()?.last().copied()?).collect();
        let count = match lengths.first() {
            Some(first) if lengths.iter().all(|length| length == first) => format!("{first} names of activities"),
            _ => "names of the activities".to_owned(),
        };
        questions.ask("--labels", format!("{count}, in the order of the output, such as walking,sitting"));
    }
    if stated.channels.is_empty() {
        let inputs = networks.iter().flat_map(|network| &network.facts.inputs);
        let inputs: Vec<String> = inputs.map(ToString::to_string).collect();
        let of = if inputs.is_empty() { String::new() } else { format!(" ({})", inputs.join("; ")) };
        questions.ask(
            "--channels",
            format!("the channels of the input in its order, with their units, such as acc_x:g,acc_y:g,acc_z:g{of}"),
        );
    }
    if stated.rate_hz.is_none() {
        questions.ask("--rate", "samples per second for which the networks were trained".to_owned());
    }
}

/// How each input of `network` is used; nothing where that is not known.
fn inputs(network: &NetworkFile, stated: &Stated, channels: &[Channel], questions: &mut Questions) -> Option<Vec<Use>> {
    let (file, facts) = (&network.file, &network.facts.inputs);
    let mut uses = Vec::new();
    let unnamed: Vec<&ValueFacts> =
        facts.iter().filter(|input| !stated.inputs.iter().any(|(name, _)| *name == input.name)).collect();
    if facts.is_empty() {
        questions.wrong.push(format!("{file}: it has no input"));
        return None;
    }
    if facts.len() > 1 && !unnamed.is_empty() {
        let names: Vec<String> = unnamed.iter().map(ToString::to_string).collect();
        questions.ask(
            "--input",
            format!(
                "the channels that each input of {file} reads, such as --input {}={} (not stated yet: {}). gaitd keeps no \
                 state from one window to the next: an input that is to hold one cannot be filled",
                unnamed[0].name,
                channels.iter().take(3).map(|channel| channel.name.as_str()).collect::<Vec<_>>().join(","),
                names.join("; ")
            ),
        );
        return None;
    }
    for value in facts {
        if !matches!(value.data_type.as_str(), "float32" | "float64" | "float16") {
            questions.wrong.push(format!(
                "{file}: its input {value} is to hold no floating-point numbers; export it with a float input"
            ));
            return None;
        }
        let named = stated.inputs.iter().find(|(name, _)| *name == value.name);
        let own = named.map(|(_, channels)| channels.clone()).unwrap_or_default();
        let count = if own.is_empty() { channels.len() } else { own.len() };
        let (layout, time) = layout(network, value, count, stated.window, questions)?;
        let name = (facts.len() > 1).then(|| value.name.clone());
        uses.push(Use { input: NetworkInput { name, channels: own, layout }, time });
    }
    Some(uses)
}

/// The layout of the input `value` of `network`, which reads so many channels, and its time steps where they are fixed.
fn layout(
    network: &NetworkFile,
    value: &ValueFacts,
    channels: usize,
    window: Option<usize>,
    questions: &mut Questions,
) -> Option<(Layout, Option<usize>)> {
    let file = &network.file;
    let fit = |layout: &Layout| value.shape.as_ref().map_or(Some(Fit::default()), |shape| layout.fit(shape, channels));
    if let Some(layout) = &network.stated.layout {
        let fit = fit(layout);
        if fit.is_none() {
            questions.wrong.push(format!("{file}: its input {value} cannot hold {channels} channels as {layout}"));
        }
        return fit.map(|fit| (layout.clone(), fit.time));
    }
    let mut found: Vec<(Layout, Fit)> =
        Layout::usual().filter_map(|layout| fit(&layout).map(|fit| (layout, fit))).collect();
    let expected = network.stated.resolution.or(window);
    // an axis that says how many channels it holds is theirs rather than one that leaves it open
    if expected != Some(channels) && found.iter().any(|(_, fit)| fit.channels) {
        found.retain(|(_, fit)| fit.channels);
    }
    let is_expected = |fit: &Fit| fit.time.is_none() || fit.time == expected;
    if expected.is_some() && found.iter().any(|(_, fit)| is_expected(fit)) {
        found.retain(|(_, fit)| is_expected(fit));
    }
    // with one channel, layouts of one shape say the same
    let order = |layout: &Layout| channels > 1 && layout.time_first();
    let mut different: Vec<(Layout, Option<usize>)> = Vec::new();
    for (layout, fit) in found {
        let same = |(other, _): &(Layout, Option<usize>)| {
            order(other) == order(&layout) && other.shape(channels, 2) == layout.shape(channels, 2)
        };
        if !different.iter().any(same) {
            different.push((layout, fit.time));
        }
    }
    match different.as_slice() {
        [] => {
            let batch = value.shape.iter().flatten().next().copied().flatten().is_some_and(|length| length > 1);
            let batch = if batch { "; a batch must be 1 or left open" } else { "" };
            questions.wrong.push(format!(
                "{file}: its input {value} holds {channels} channels in no usual layout{batch}; check --channels, or say it \
                 by --layout"
            ));
            None
        }
        [one] => Some(one.clone()),
        several => {
            let names: Vec<String> = several.iter().map(|(layout, _)| layout.to_string()).collect();
            questions.ask("--layout", format!("of {file}, whose input {value} can be {}", names.join(" or ")));
            None
        }
    }
}

/// The output of `network` that answers; nothing where that is not known.
fn output(network: &NetworkFile, questions: &mut Questions) -> Option<NetworkOutput> {
    let (file, outputs, stated) = (&network.file, &network.facts.outputs, &network.stated);
    let names = || outputs.iter().map(|it| it.value.to_string()).collect::<Vec<_>>().join("; ");
    let found = match (&stated.output, outputs.as_slice()) {
        (Some(name), outputs) => {
            let found = outputs.iter().find(|it| it.value.name == *name);
            if found.is_none() {
                questions.wrong.push(format!("{file}: it has no output {name:?}; it has {}", names()));
            }
            found
        }
        (None, [only]) => Some(only),
        (None, _) => {
            questions.ask(
                "--network-output",
                format!("the one of {file} that answers with a number for each label: {}", names()),
            );
            None
        }
    }?;
    if !matches!(found.value.data_type.as_str(), "float32" | "float64" | "float16") {
        questions.wrong.push(format!(
            "{file}: its output {} holds no number for each label; export the network up to its logits or probabilities, \
             without what picks the largest",
            found.value
        ));
        return None;
    }
    let holds = stated.holds.or(found.holds).unwrap_or_default();
    Some(NetworkOutput { name: (outputs.len() > 1).then(|| found.value.name.clone()), holds })
}

/// To how many time steps a window is resampled for `network`, where it is.
fn resolution(network: &NetworkFile, inputs: &[Use], window: usize, questions: &mut Questions) -> Option<usize> {
    let (file, stated) = (&network.file, network.stated.resolution);
    let wanted = stated.unwrap_or(window);
    let other = inputs.iter().filter_map(|it| it.time).find(|time| *time != wanted);
    match (other, stated) {
        (None, _) => return stated.filter(|stated| *stated != window),
        (Some(time), Some(stated)) => {
            questions.wrong.push(format!("{file}: it reads {time} time steps, and --resolution says {stated}"));
        }
        (Some(time), None) => questions.ask(
            "--resolution",
            format!(
                "{file} reads {time} time steps, and a window has {window}: {file}={time} if it was trained on whole windows \
                 resampled to so many; else --window"
            ),
        ),
    }
    None
}

fn configuration(
    network: &NetworkFile,
    inputs: Vec<NetworkInput>,
    output: NetworkOutput,
    resolution: Option<usize>,
) -> Configuration {
    let weights = network.weights.iter();
    let weights = weights.map(|(file, bytes)| WeightFile { file: file.clone(), sha256: sha256(bytes) }).collect();
    Configuration {
        id: network.id.clone(),
        width: None,
        resolution,
        file: network.file.clone(),
        sha256: sha256(&network.onnx),
        weights,
        inputs,
        output,
        macs: 0,
        parameters: 0,
        accuracy: Accuracy { validation: network.stated.accuracy, test: None },
        recall: None,
        recall_test: None,
        temperature: 1.0,
        calibration: None,
    }
}
