//! Labelled data to replay: a recording, prepared windows, or a simulated wearer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::ladder::Manifest;
use gaitd_core::stream::Sample;
use gaitd_core::stream::continuity::DEFAULT_BRIDGE_S;
use gaitd_core::window::{Cutter, Window};
use gaitd_daemon::{Opened, SourceSpec};
use gaitd_lab::replay::LabelledWindow;
use gaitd_sense::Recording;

use super::exit::{self, ExitCode};
#[cfg(feature = "npz")]
use super::npz::Archive;

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Split {
    /// X_train and y_train
    Train,
    /// X_test and y_test
    Test,
}

/// Data that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// Which, and why.
    #[error("{name}: {message}")]
    Unusable { name: String, message: String },
}

impl ExitCode for DataError {
    fn exit_code(&self) -> u8 {
        exit::DATA
    }
}

/// Windows in the order of their stream.
pub(super) struct Labelled {
    pub(super) windows: Vec<LabelledWindow>,
    /// They follow one another in time, as those that were cut already need not.
    pub(super) is_stream: bool,
}

impl Labelled {
    /// Number of windows that can be compared with a label.
    pub(super) fn compared(&self) -> usize {
        self.windows.iter().filter(|window| window.truth.is_some()).count()
    }

    /// Keeps the first windows only, so many of which can be compared.
    pub(super) fn truncate(&mut self, limit: usize) {
        let mut left = limit;
        self.windows.retain(|window| {
            let keep = left > 0;
            left -= usize::from(keep && window.truth.is_some());
            keep
        });
    }

    /// Reads labelled samples, and conditions and cuts them as the daemon does.
    pub(super) fn read(source: &SourceSpec, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let name = source.name();
        source.suits(&manifest.task.labels)?;
        Self::recording(source.open(&manifest.stream_format(), clock)?, &name, manifest)?.comparable(&name)
    }

    /// Itself, if there is something to compare.
    fn comparable(self, name: &str) -> anyhow::Result<Self> {
        if self.compared() == 0 {
            return Err(unusable(name, "holds no window that lies wholly inside one known activity").into());
        }
        Ok(self)
    }

    /// Of a simulated wearer it is known what he does; a recording has to say it.
    fn recording(opened: Opened, name: &str, manifest: &Manifest) -> anyhow::Result<Self> {
        let Opened { mut source, mut truth } = opened;
        let recording = Recording::read(source.as_mut(), &manifest.stream_format(), DEFAULT_BRIDGE_S)?;
        if recording.labels.is_none() && truth.is_none() {
            return Err(unusable(name, "has no labels; a recording to replay needs a `label` column").into());
        }
        for label in recording.label_names.iter().filter(|label| !label.is_empty()) {
            if !manifest.task.labels.contains(label) {
                log::warn!("{name}: the model does not know the activity {label:?}; its windows are not compared");
            }
        }
        let (mut cut, mut plausibility) = (Cut::new(manifest)?, manifest.plausibility());
        let mut sample = Sample { time_s: None, values: vec![0.0; manifest.task.input.channels.len()] };
        let mut resets = recording.resets.iter().peekable();
        for number in 0..recording.len() {
            if let Some(next) = resets.next_if(|next| **next == number as u64) {
                cut.cutter.reset(*next);
                plausibility.interrupt();
            }
            sample.values.copy_from_slice(recording.sample(number));
            plausibility.push(&sample);
            cut.push(recording.sample(number), |first, last| {
                if let Some(truth) = &mut truth {
                    return Some(truth.steady(first, last)?.name());
                }
                let mut inside = first as usize..=last as usize;
                let label = recording.label(*inside.start());
                label.filter(|_| inside.all(|sample| recording.label(sample) == label))
            });
        }
        for finding in plausibility.findings() {
            let explanation = plausibility.sensors()[finding.sensor].explain(finding);
            log::warn!("{name}: implausible samples for {:.0} s: {explanation}", finding.seconds);
        }
        Ok(Self { windows: cut.windows, is_stream: true })
    }

    /// Reads conditioned windows, `[windows, channels, time]`, and their labels in the model's order: `X` and `y` from 0, or
    /// `X_*` and `y_*` from 1, as the trainer prepares them.
    #[cfg(feature = "npz")]
    pub(super) fn archive(path: &Path, split: Split, manifest: &Manifest) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let unusable = |message: String| unusable(&name, &message);
        let mut archive = Archive::open(path)?;
        let (x, y, first) = match split {
            _ if archive.has("X") && archive.has("y") => ("X", "y", 0),
            Split::Train => ("X_train", "y_train", 1),
            Split::Test => ("X_test", "y_test", 1),
        };
        let (windows, labels) = (archive.numbers::<ndarray::Ix3>(x)?, archive.integers(y)?);
        let task = &manifest.task;
        if windows.shape()[1..] != [task.channels.len(), task.window]
            || windows.len_of(ndarray::Axis(0)) != labels.len()
        {
            return Err(unusable(format!(
                "{x} is {:?} and {y} {}, and the model reads [windows, {}, {}]",
                windows.shape(),
                labels.len(),
                task.channels.len(),
                task.window
            ))
            .into());
        }
        let label = |label: &i64| {
            let index = usize::try_from(label - first).ok().filter(|index| *index < task.labels.len());
            index.ok_or_else(|| {
                let last = task.labels.len() as i64 + first - 1;
                unusable(format!("{y} holds {label}, and the model's labels are {first} to {last}"))
            })
        };
        let windows = windows.outer_iter().zip(&labels).enumerate().map(|(index, (samples, truth))| {
            let first = (index * task.hop) as u64;
            Ok(LabelledWindow {
                samples: samples.iter().copied().collect(),
                span: (first, first + task.window as u64 - 1),
                truth: Some(label(truth)?),
                changed_at: None,
            })
        });
        Self { windows: windows.collect::<anyhow::Result<_>>()?, is_stream: false }.comparable(&name)
    }

    #[cfg(not(feature = "npz"))]
    pub(super) fn archive(path: &Path, _: Split, _: &Manifest) -> anyhow::Result<Self> {
        Err(unusable(&path.display().to_string(), "this gaitd was built without the feature `npz`").into())
    }
}

/// Cuts a stream of samples into conditioned windows, as the daemon does.
struct Cut<'a> {
    manifest: &'a Manifest,
    cutter: Cutter,
    window: Window,
    windows: Vec<LabelledWindow>,
}

impl<'a> Cut<'a> {
    fn new(manifest: &'a Manifest) -> anyhow::Result<Self> {
        let window = Window::new(manifest.task.channels.len(), manifest.task.window);
        Ok(Self { manifest, cutter: manifest.cutter()?, window, windows: Vec::new() })
    }

    /// Takes the next sample; `label` says in which activity a window lies, from its first to its last sample.
    fn push<'l>(&mut self, sample: &[f64], label: impl FnOnce(u64, u64) -> Option<&'l str>) {
        let Some(ready) = self.cutter.push(sample, None, Duration::ZERO) else { return };
        ready.fill(&mut self.window);
        let span = (self.window.first_sample, self.window.last_sample);
        let label = label(span.0, span.1);
        let truth = self.manifest.task.labels.iter().position(|known| Some(known.as_str()) == label);
        let (samples, changed_at) = (self.window.samples().to_vec(), self.window.changed_at);
        self.windows.push(LabelledWindow { samples, span, truth, changed_at });
    }
}

pub(super) fn unusable(name: &str, message: &str) -> DataError {
    DataError::Unusable { name: name.to_owned(), message: message.to_owned() }
}
