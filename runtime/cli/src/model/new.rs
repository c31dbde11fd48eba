//! `gaitd model new`: from exported networks to a model directory.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_author::{
    Conditioning, Draft, Figures, GoldenWindows, Means, NetworkFile, Questions, Stated, StatedOfNetwork,
};
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::ladder::{Answers, BackendChoice, Effort, Ladder, LoadError, Manifest, ProfileKey, measure};
use gaitd_core::window::{Normalisation, Over};
use gaitd_daemon::{ConfigError, Paths, SourceSpec, cpu_name};
use gaitd_lab::replay::LabelledWindow;
use gaitd_sense::Pace;
use gaitd_supernet::Supernet;
use gaitd_tract::{Tract, Unoptimised};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::report::{Accuracies, NewReport};
use crate::exit::{self, ExitCode};
use crate::labelled::{Labelled, Split};
#[cfg(feature = "npz")]
use crate::npz::Archive;
use crate::of_files::{channels, of_files};
use crate::spelling::rate;

/// Make a model directory of exported networks (ONNX): looks into them, asks for what they do not say, verifies them
#[derive(clap::Args)]
#[command(
    after_help = "Each network becomes a configuration that is called like its file. What the files say need not be said: \
                  shapes, layout, a softmax at the end. What is missing is asked for by its flag, all at once.\n\
                  FILE=VALUE states something of one network, VALUE of all. docs/own-network.md goes from an exporter to the \
                  dashboard; docs/networks.md and docs/conditioning.md say what networks and samples can be like.\n\n\
                  Examples:\n  \
                  gaitd model new mine --onnx small.onnx --onnx large.onnx \\\n    \
                  --labels walking,sitting --rate 50 --data held-out.csv \\\n    \
                  --channels acc_x:m/s2,acc_y:m/s2,acc_z:m/s2\n  \
                  gaitd model new two --onnx two.onnx --labels walking,sitting \\\n    \
                  --rate 100 --normalise mean.csv --network-output logits \\\n    \
                  --channels acc_x:g,acc_y:g,acc_z:g,gyro_x:dps,gyro_y:dps,gyro_z:dps \\\n    \
                  --input acc=acc_x,acc_y,acc_z --input gyro=gyro_x,gyro_y,gyro_z"
)]
pub(super) struct Arguments {
    /// The directory to make
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// A network (ONNX), once for each configuration, from the least accurate to the most where nothing else tells
    #[arg(long, required = true, value_name = "FILE")]
    onnx: Vec<PathBuf>,
    /// Name of the model [default: that of the directory]
    #[arg(long)]
    name: Option<String>,
    /// The activities, in the order of the output
    #[arg(long, value_delimiter = ',', value_name = "LABEL,...")]
    labels: Vec<String>,
    /// The channels of the samples with their units, such as acc_x:m/s2,acc_y:m/s2,acc_z:m/s2, in the order of the input
    #[arg(long, value_name = "CHANNELS")]
    channels: Option<String>,
    /// Samples per second
    #[arg(long, value_name = "HZ", value_parser = rate)]
    rate: Option<f64>,
    /// Length of a window, samples [default: what the networks read]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// From one window to the next, samples [default: half a window]
    #[arg(long, value_name = "N")]
    hop: Option<usize>,
    /// Axes of the inputs, such as 1,T,C: 1 the batch, C channels, T time steps, C*T and T*C both in one [default: by shape]
    #[arg(long, value_name = "[FILE=]LAYOUT")]
    layout: Vec<String>,
    /// Time steps to which a window is resampled for a network that reads fewer
    #[arg(long, value_name = "[FILE=]N")]
    resolution: Vec<String>,
    /// The channels of one of several inputs, such as acc=acc_x,acc_y,acc_z
    #[arg(long, value_name = "NAME=CHANNELS")]
    input: Vec<String>,
    /// The output that answers, where there are several
    #[arg(long, value_name = "[FILE=]NAME", alias = "output")]
    network_output: Vec<String>,
    /// What the output holds: logits, probabilities or log-probabilities [default: by the end of the network]
    #[arg(long, value_name = "[FILE=]WHAT")]
    holds: Vec<String>,
    /// Mean and standard deviation of each channel over the training samples: a CSV, channel,mean,std
    #[arg(long, value_name = "CSV")]
    normalise: Option<PathBuf>,
    /// What each window goes through by its own values: standardise, centre or range, of each channel or, with :window, of all
    /// values together
    #[arg(long, value_name = "METHOD[:window]")]
    normalise_window: Option<String>,
    /// How the network's channels are made of the samples': JSON with `channels` and `conditioning` as in a manifest's task
    #[arg(long, value_name = "JSON")]
    conditioning: Option<PathBuf>,
    /// Labelled data of people who were held out of training, for accuracy, recall and temperature: a recording as `gaitd
    /// import` makes it (several files together), or a NumPy archive of windows `X` and labels `y` from 0
    #[arg(long, value_name = "DATA", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Which part of an archive of the trainer's
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Accuracy of each network on held-out data, 0 to 1, as you measured it
    #[arg(long, value_name = "FILE=SHARE", conflicts_with = "data")]
    accuracy: Vec<String>,
    /// What another program answered, which gaitd has to agree with: a NumPy archive of `windows` [windows, channels, time],
    /// conditioned, and of an array [windows, labels] for each configuration, called like it
    #[arg(long, value_name = "NPZ")]
    reference: Option<PathBuf>,
    /// Leave out the networks than which another is as accurate and as fast here
    #[arg(long)]
    front: bool,
    /// Replace a model that is there
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.front && arguments.data.is_empty() && arguments.accuracy.is_empty() {
        return Err(wrong("--front leaves out what is no more accurate, and needs --data or --accuracy".to_owned()));
    }
    gaitd_author::in_the_way(&arguments.directory, arguments.force)?;
    let networks = arguments.networks()?;
    if !arguments.json {
        networks.iter().try_for_each(|network| crate::print(&super::report::facts(network)))?;
    }
    let name = arguments.name.clone().unwrap_or_else(|| file_name(&arguments.directory));
    let mut manifest = gaitd_author::understand(&name, &networks, &arguments.stated()?)?;
    manifest.training.insert("made_by".to_owned(), json!(concat!("gaitd model new ", env!("CARGO_PKG_VERSION"))));
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let data = arguments.data(&manifest, &clock)?;
    let golden = arguments.golden(&manifest, data.as_ref())?;
    let mut draft = Draft::new(&arguments.directory, manifest, &networks, golden, &Unoptimised)?;
    if let Some(id) = draft.unexpected_probabilities().first() {
        let what =
            format!("{id} answers with numbers from 0 to 1 that add up to 1: probabilities, or logits after all");
        return Err(Questions { asked: vec![("--holds", what)], wrong: Vec::new() }.into());
    }
    // golden vectors are compared here
    let ladder = Ladder::load(&draft, &[&Supernet, &Tract]).map_err(|error| arguments.explained(error))?;
    let times = times(&ladder, clock.as_ref())?;
    let figures = data.as_ref().map(|data| figures(&ladder, data)).transpose()?;
    let mut report = NewReport::new(&ladder, &networks, &times, figures.as_deref());
    if let Some(figures) = &figures {
        draft.change(|manifest| arguments.measured(manifest, figures));
    }
    let kept = arguments.kept(draft.manifest(), &times);
    draft.change(|manifest| {
        manifest.configurations = kept.iter().map(|&place| manifest.configurations[place].clone()).collect();
    });
    draft.write(arguments.force)?;
    // what stands on the disk is what `gaitd run` will read
    let ladder = crate::loading::load(Some(&arguments.directory), BackendChoice::Auto)?;
    let accuracies = match (figures.as_deref(), ladder.manifest().knows_accuracy()) {
        (Some(figures), _) => Accuracies::Measured { windows: figures[0].windows },
        (None, true) => Accuracies::Stated,
        (None, false) => Accuracies::Unknown,
    };
    report.finish(&ladder, &kept, accuracies, &draft);
    if arguments.json { crate::print_json(&report) } else { crate::print(&report.text(&arguments.directory)) }
}

/// A file that was named and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}", path.display())]
pub(crate) struct Unreadable {
    path: PathBuf,
    reason: std::io::Error,
}

impl ExitCode for Unreadable {
    fn exit_code(&self) -> u8 {
        exit::NO_INPUT
    }
}

fn wrong(problem: String) -> anyhow::Error {
    ConfigError::OutOfRange(vec![problem]).into()
}

impl Arguments {
    /// The networks, with what is stated of each.
    fn networks(&self) -> anyhow::Result<Vec<NetworkFile>> {
        let paths: Vec<&Path> = self.onnx.iter().map(PathBuf::as_path).collect();
        let each = |stated: &[String], flag: &str| -> anyhow::Result<Vec<Option<String>>> {
            let (of_all, of_each) = of_files(stated, &paths, flag).map_err(wrong)?;
            Ok(of_each.into_iter().map(|one| one.or_else(|| of_all.clone())).collect())
        };
        let (layouts, outputs) = (each(&self.layout, "--layout")?, each(&self.network_output, "--network-output")?);
        let (resolutions, holds) = (each(&self.resolution, "--resolution")?, each(&self.holds, "--holds")?);
        let accuracies = each(&self.accuracy, "--accuracy")?;
        let mut names = HashSet::new();
        let mut networks: Vec<NetworkFile> = Vec::new();
        for (place, path) in paths.iter().enumerate() {
            let stated = StatedOfNetwork {
                layout: parsed(layouts[place].as_deref(), "--layout")?,
                resolution: parsed(resolutions[place].as_deref(), "--resolution")?,
                output: outputs[place].clone(),
                holds: holds[place].as_deref().map(of_answers).transpose()?,
                accuracy: parsed(accuracies[place].as_deref(), "--accuracy")?,
            };
            let network = network(path, stated)?;
            if !names.insert(network.id.clone()) {
                let id = network.id;
                return Err(wrong(format!("--onnx: two networks would be called {id}; give their files other names")));
            }
            // in one directory a name is one file
            let other = |(name, bytes): &(&String, &Vec<u8>)| {
                networks.iter().any(|earlier| earlier.weights.get(*name).is_some_and(|other| other != *bytes))
            };
            if let Some((name, _)) = network.weights.iter().find(other) {
                return Err(wrong(format!(
                    "--onnx: two networks have weights in {name}; export one with another name"
                )));
            }
            networks.push(network);
        }
        let known = self.accuracy.is_empty() || networks.iter().all(|network| network.stated.accuracy.is_some());
        if !known {
            return Err(wrong("--accuracy: give that of each network, or of none".to_owned()));
        }
        Ok(networks)
    }

    /// What is stated of all.
    fn stated(&self) -> anyhow::Result<Stated> {
        let inputs = self.input.iter().map(|text| {
            let (name, channels) = text.split_once('=').unwrap_or_default();
            let channels: Vec<String> = channels.split(',').map(|name| name.trim().to_owned()).collect();
            if name.is_empty() || channels.iter().any(String::is_empty) {
                return Err(wrong(format!("--input: `{text:.80}` is no NAME=CHANNELS, such as acc=acc_x,acc_y,acc_z")));
            }
            Ok((name.to_owned(), channels))
        });
        let means = self.normalise.as_ref().map(|path| {
            let text = read(path)?;
            Means::parse(&String::from_utf8_lossy(&text))
                .map_err(|problem| wrong(format!("{}: {problem}", path.display())))
        });
        Ok(Stated {
            labels: self.labels.clone(),
            channels: self.channels.as_deref().map(channels).transpose().map_err(wrong)?.unwrap_or_default(),
            rate_hz: self.rate,
            window: self.window,
            hop: self.hop,
            conditioning: self.conditioning.as_ref().map(|path| json_file::<Conditioning>(path)).transpose()?,
            means: means.transpose()?,
            normalisation: self.normalise_window.as_deref().map(normalisation).transpose()?,
            inputs: inputs.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Puts what held-out windows say of each configuration into `manifest`.
    fn measured(&self, manifest: &mut Manifest, figures: &[Figures]) {
        let validation = json!({"data": self.data_name(), "windows": figures[0].windows});
        manifest.training.insert("validation".to_owned(), validation);
        let all_recalled = figures.iter().all(|figures| figures.recall.is_some());
        for (configuration, figures) in manifest.configurations.iter_mut().zip(figures) {
            configuration.accuracy.validation = Some(figures.accuracy);
            configuration.recall = figures.recall.clone().filter(|_| all_recalled);
            configuration.temperature = figures.temperature;
        }
    }

    /// The places of the configurations that are kept, from the fastest to the slowest, or in the order given, which is the
    /// rank where no accuracies are known.
    fn kept(&self, manifest: &Manifest, times: &[Duration]) -> Vec<usize> {
        let accuracies = manifest.configurations.iter().map(|configuration| configuration.accuracy.validation);
        let Some(all) =
            accuracies.zip(times).map(|(accuracy, time)| Some((accuracy?, *time))).collect::<Option<Vec<_>>>()
        else {
            return (0..times.len()).collect();
        };
        if self.front {
            return gaitd_author::front(&all);
        }
        let mut places: Vec<usize> = (0..all.len()).collect();
        places.sort_by_key(|&place| all[place].1);
        places
    }

    /// What may be the cause where gaitd's own answers are not golden.
    fn explained(&self, error: LoadError) -> anyhow::Error {
        let differs = matches!(error, LoadError::Golden(_));
        let error = anyhow::Error::from(error);
        match &self.reference {
            Some(path) if differs => error.context(format!(
                "gaitd answers otherwise than {}: its windows must be in --channels, before --normalise-window, and its \
                 answers what the output holds; a network in 8 bits may round otherwise, and then goes without it",
                path.display()
            )),
            _ => error,
        }
    }

    /// The labelled windows, where there are some.
    fn data(&self, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Labelled>> {
        match self.data.as_slice() {
            [] => Ok(None),
            [path] if path.extension().is_some_and(|extension| extension == "npz") => {
                Labelled::archive(path, self.split, manifest).map(Some)
            }
            paths => {
                let Some(paths) = Paths::new(paths.to_vec()) else { return Ok(None) };
                let mut source = SourceSpec::file(paths);
                source.set_pace(Pace::Fast);
                Labelled::read(&source, manifest, clock).map(Some)
            }
        }
    }

    /// What is to become golden.
    fn golden(&self, manifest: &Manifest, data: Option<&Labelled>) -> anyhow::Result<GoldenWindows> {
        if let Some(path) = &self.reference {
            return reference(path, manifest);
        }
        let task = &manifest.task;
        let Some(data) = data else { return Ok(GoldenWindows::made_up(task.channels.len(), task.window)) };
        let windows = of_each_label(&data.windows, task.labels.len());
        Ok(GoldenWindows { origin: format!("windows of {}", self.data_name()), windows, answers: None })
    }

    /// The names of the files of labelled data; where they lay is nobody's business who gets the model.
    fn data_name(&self) -> String {
        self.data.iter().map(|path| file_name(path)).collect::<Vec<_>>().join(", ")
    }
}

/// The most golden windows that are taken from data.
const MOST_GOLDEN: usize = 8;

/// A window of each label, from the middle of those that there are.
fn of_each_label(windows: &[LabelledWindow], labels: usize) -> Vec<Vec<f32>> {
    let of = |label: usize| {
        let all: Vec<&LabelledWindow> = windows.iter().filter(|window| window.truth == Some(label)).collect();
        all.get(all.len() / 2).map(|window| window.samples.clone())
    };
    (0..labels).filter_map(of).take(MOST_GOLDEN).collect()
}

/// Reads and looks into the network at `path`, of which `stated` is stated.
fn network(path: &Path, stated: StatedOfNetwork) -> anyhow::Result<NetworkFile> {
    let onnx = read(path)?;
    let refused = |reason| LoadError::Network { path: path.to_path_buf(), reason };
    let facts = gaitd_tract::inspect(&onnx).map_err(refused)?;
    let plain = |name: &str| Path::new(name).file_name().is_some_and(|file| file == name);
    let mut weights = BTreeMap::new();
    for name in &facts.weights {
        if !plain(name) {
            return Err(wrong(format!(
                "{}: its weights are to stand in {name:?}, outside of a model directory; export it with its weights \
                 beside it or inside it",
                path.display()
            )));
        }
        let beside = path.with_file_name(name);
        weights.insert(name.clone(), read(&beside).context("weights of the network")?);
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let id: String = stem.chars().map(allowed).collect();
    // in the model directory all networks end in .onnx
    Ok(NetworkFile { file: format!("{id}.onnx"), id, onnx, facts, weights, stated })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    Ok(fs::read(path).map_err(|reason| Unreadable { path: path.to_path_buf(), reason })?)
}

fn json_file<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let parsed = gaitd_core::json::parse_json(&read(path)?);
    parsed.map_err(|error| wrong(format!("{}: {}: {}", path.display(), error.at, error.message)))
}

/// A value out of what `flag` says.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: Option<&str>, flag: &str) -> anyhow::Result<Option<T>> {
    text.map(|text| text.parse().map_err(|error| wrong(format!("{flag}: `{text:.40}`: {error}")))).transpose()
}

fn of_answers(text: &str) -> anyhow::Result<Answers> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value)
        .map_err(|_| wrong(format!("--holds: `{text:.40}` is none of logits, probabilities, log-probabilities")))
}

fn normalisation(text: &str) -> anyhow::Result<Normalisation> {
    let (method, over) = text.split_once(':').unwrap_or((text, "channel"));
    let named = serde_json::from_value::<Over>(json!(over))
        .and_then(|over| serde_json::from_value(json!({"method": method, "over": over})));
    named.map_err(|_| {
        wrong(format!(
            "--normalise-window: `{text:.40}` is none of standardise, centre, range, with or without :window"
        ))
    })
}

/// Windows and another program's answers out of a NumPy archive.
#[cfg(feature = "npz")]
fn reference(path: &Path, manifest: &Manifest) -> anyhow::Result<GoldenWindows> {
    let mut archive = Archive::open(path)?;
    let windows = archive.numbers::<ndarray::Ix3>("windows")?;
    let mut answers = BTreeMap::new();
    for configuration in &manifest.configurations {
        let id = &configuration.id;
        if archive.has(id) {
            let rows = archive.numbers::<ndarray::Ix2>(id)?;
            answers.insert(id.clone(), rows.outer_iter().map(|row| row.to_vec()).collect());
        }
    }
    let windows = windows.outer_iter().map(|window| window.iter().copied().collect()).collect();
    Ok(GoldenWindows { origin: file_name(path), windows, answers: Some(answers) })
}

#[cfg(not(feature = "npz"))]
fn reference(path: &Path, _: &Manifest) -> anyhow::Result<GoldenWindows> {
    Err(wrong(format!("{}: this gaitd was built without the feature `npz`", path.display())))
}

/// What each configuration takes here, straight after itself.
fn times(ladder: &Ladder, clock: &dyn Clock) -> anyhow::Result<Vec<Duration>> {
    let key = ProfileKey::new(ladder, &cpu_name());
    let profile = measure(ladder, ladder.runner()?.as_mut(), &key, Effort::QUICK, clock, |_| ())?;
    Ok(profile.configurations.iter().map(|one| Duration::from_secs_f64(one.hot.p50 / 1e6)).collect())
}

/// What `data` says of each configuration.
fn figures(ladder: &Ladder, data: &Labelled) -> anyhow::Result<Vec<Figures>> {
    let windows = data.windows.iter().filter_map(|window| Some((window.samples.as_slice(), window.truth?)));
    let windows: Vec<_> = windows.collect();
    let bar = crate::loading::progress((windows.len() * ladder.configurations().len()) as u64, "held-out data");
    let figures = gaitd_author::assess(ladder, &windows, || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(figures)
}
