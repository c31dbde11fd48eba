//! `gaitd model show`: what a model recognises, in what, and by which networks.

use std::path::PathBuf;

use gaitd_core::ladder::{Configuration, Manifest, NetworkInput, Task};
use gaitd_core::stream::Channel;
use serde::Serialize;

use crate::ladder;
use crate::loading::ModelArguments;

/// Show what a model recognises, in which channels, and its configurations
#[derive(clap::Args)]
#[command(after_help = "Example: gaitd model show models/uci-har-cnn")]
pub(super) struct Arguments {
    /// Model directory [default: the ladder inside gaitd]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Where profiles are kept [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    task: &'a Task,
    training: &'a serde_json::Map<String, serde_json::Value>,
    #[serde(flatten)]
    ladder: ladder::Report,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let model = ModelArguments { models: arguments.directory.clone(), ..ModelArguments::default() };
    let loaded = model.load()?;
    let manifest = loaded.manifest();
    let ladder = ladder::Report::new(&loaded, arguments.state.clone());
    if arguments.json {
        let (task, training) = (&manifest.task, &manifest.training);
        return crate::print_json(&Shown { task, training, ladder });
    }
    crate::print(&(text(manifest) + &ladder.text(&model.origin())))
}

fn text(manifest: &Manifest) -> String {
    let task = &manifest.task;
    let seconds = |samples: usize| samples as f64 / task.sample_rate_hz;
    let mut lines = vec![
        ("labels", task.labels.join(", ")),
        ("stream", format!("{} at {} Hz", channels(&task.input.channels), task.sample_rate_hz)),
        (
            "windows",
            format!(
                "{} samples ({:.2} s), every {} ({:.2} s)",
                task.window,
                seconds(task.window),
                task.hop,
                seconds(task.hop)
            ),
        ),
    ];
    if !task.input.conditioning.is_empty() {
        let operations: Vec<&str> = task.input.conditioning.iter().map(|operation| operation.name()).collect();
        lines.push(("conditioning", operations.join(", ")));
        lines.push(("network reads", channels(&task.channels)));
    }
    if let Some(normalisation) = &task.normalisation {
        lines.push(("normalisation", format!("of each window: {normalisation}")));
    }
    for configuration in manifest.configurations.iter().filter(|it| !it.inputs.is_empty()) {
        lines.push(("inputs", format!("{}: {}", configuration.id, inputs(configuration))));
    }
    lines.into_iter().map(|(name, text)| format!("{name:14} {text}\n")).collect()
}

fn channels(channels: &[Channel]) -> String {
    channels.iter().map(|channel| format!("{} [{}]", channel.name, channel.unit)).collect::<Vec<_>>().join(", ")
}

/// The inputs of `configuration`, by name, channels and layout.
fn inputs(configuration: &Configuration) -> String {
    let one = |input: &NetworkInput| {
        let name = input.name.as_deref().map_or(String::new(), |name| format!("{name} "));
        let channels =
            if input.channels.is_empty() { String::new() } else { format!(" of {}", input.channels.join(" ")) };
        format!("{name}{}{channels}", input.layout)
    };
    configuration.inputs.iter().map(one).collect::<Vec<_>>().join("; ")
}
