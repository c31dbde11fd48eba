//! Labelled data to replay: a recording, prepared windows, or a simulated wearer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_core::clock::Clock;
use gaitd_core::ladder::Manifest;
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::{Cutter, Window};
use gaitd_daemon::{Opened, SourceSpec};
use gaitd_lab::replay::LabelledWindow;
use gaitd_sense::{NO_DEADLINE, Pace, Recording, Spelling, TextSource};

use super::super::exit::{self, ExitCode};

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
    #[error("{}: {message}", path.display())]
    Unusable { path: PathBuf, message: String },
}

impl ExitCode for DataError {
    fn exit_code(&self) -> u8 {
        exit::DATA
    }
}

/// Windows in the order of their stream.
pub(super) struct Labelled {
    pub(super) windows: Vec<LabelledWindow>,
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

    pub(super) fn read(
        path: &Path,
        split: Split,
        spelling: Spelling,
        manifest: &Manifest,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let data = if path.extension().is_some_and(|extension| extension == "npz") {
            Self::archive(path, split, manifest)?
        } else {
            Self::recording(path, spelling, manifest, clock)?
        };
        data.comparable(path)
    }

    /// Lets a simulated wearer move, who knows what he does.
    pub(super) fn simulated(wearer: &SourceSpec, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let Opened { mut source, truth } = wearer.open(&manifest.stream_format(), clock)?;
        let mut truth = truth.context("only a simulated wearer knows what he does")?;
        let mut cut = Cut::new(manifest)?;
        let mut sample = Sample { time_s: None, values: vec![0.0; manifest.task.input.channels.len()] };
        while source.read(&mut sample, NO_DEADLINE)? == Reading::Sample {
            cut.push(&sample.values, |first, last| Some(truth.steady(first, last)?.name()));
        }
        Self { windows: cut.windows }.comparable(Path::new(&wearer.name()))
    }

    /// Itself, if there is something to compare.
    fn comparable(self, path: &Path) -> anyhow::Result<Self> {
        if self.compared() == 0 {
            return Err(unusable(path, "holds no window that lies wholly inside one known activity").into());
        }
        Ok(self)
    }

    /// Reads a recording and conditions and cuts it as the daemon does.
    fn recording(path: &Path, spelling: Spelling, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let mut source =
            TextSource::open(path, &manifest.stream_format(), None, Pace::Fast, Arc::clone(clock))?.spelled(spelling);
        let recording = Recording::read(&mut source, gaitd_core::stream::continuity::DEFAULT_BRIDGE_S)?;
        if recording.labels.is_none() {
            return Err(unusable(path, "has no labels; a recording to replay needs a `label` column").into());
        }
        for name in recording.label_names.iter().filter(|name| !name.is_empty()) {
            if !manifest.task.labels.contains(name) {
                log::warn!(
                    "{}: the model does not know the activity {name:?}; its windows are not compared",
                    path.display()
                );
            }
        }
        let mut cut = Cut::new(manifest)?;
        let mut resets = recording.resets.iter().peekable();
        for number in 0..recording.len() {
            if let Some(next) = resets.next_if(|next| **next == number as u64) {
                cut.cutter.reset(*next);
            }
            cut.push(recording.sample(number), |first, last| {
                let mut inside = first as usize..=last as usize;
                let label = recording.label(*inside.start());
                label.filter(|_| inside.all(|sample| recording.label(sample) == label))
            });
        }
        Ok(Self { windows: cut.windows })
    }

    /// Reads conditioned windows `X_*` `[windows, channels, time]` and labels `y_*` from 1 in the model's order.
    #[cfg(feature = "npz")]
    fn archive(path: &Path, split: Split, manifest: &Manifest) -> anyhow::Result<Self> {
        use ndarray::{Array1, Array3};

        let (x, y) = match split {
            Split::Train => ("X_train", "y_train"),
            Split::Test => ("X_test", "y_test"),
        };
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut archive = ndarray_npy::NpzReader::new(std::io::BufReader::new(file))
            .map_err(|error| unusable(path, &error.to_string()))?;
        let wrong = |name: &str, error: ndarray_npy::ReadNpzError| {
            unusable(path, &format!("{name}: {error}; `gaitd-train prepare` makes such archives"))
        };
        let windows: Array3<f32> = archive.by_name(x).map_err(|error| wrong(x, error))?;
        // labels come in whatever integer type NumPy chose
        let labels: Array1<i64> = archive
            .by_name::<ndarray::OwnedRepr<i64>, _>(y)
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i32>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<u8>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i8>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i16>, _>(y).map(|a| a.mapv(i64::from)))
            .map_err(|error| wrong(y, error))?;
        let task = &manifest.task;
        if windows.shape()[1..] != [task.channels.len(), task.window]
            || windows.len_of(ndarray::Axis(0)) != labels.len()
        {
            return Err(unusable(
                path,
                &format!(
                    "{x} is {:?} and {y} {}, and the model reads [windows, {}, {}]",
                    windows.shape(),
                    labels.len(),
                    task.channels.len(),
                    task.window
                ),
            )
            .into());
        }
        let label = |label: &i64| {
            usize::try_from(label - 1).ok().filter(|label| *label < task.labels.len()).ok_or_else(|| {
                unusable(path, &format!("{y} holds {label}, and the model's labels are 1 to {}", task.labels.len()))
            })
        };
        let windows = windows.outer_iter().zip(&labels).enumerate().map(|(index, (samples, truth))| {
            let first = (index * task.hop) as u64;
            Ok(LabelledWindow {
                samples: samples.iter().copied().collect(),
                span: (first, first + task.window as u64 - 1),
                truth: Some(label(truth)?),
            })
        });
        Ok(Self { windows: windows.collect::<anyhow::Result<_>>()? })
    }

    #[cfg(not(feature = "npz"))]
    fn archive(path: &Path, _: Split, _: &Manifest) -> anyhow::Result<Self> {
        Err(unusable(path, "this gaitd was built without the feature `npz`").into())
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
        self.windows.push(LabelledWindow { samples: self.window.samples().to_vec(), span, truth });
    }
}

fn unusable(path: &Path, message: &str) -> DataError {
    DataError::Unusable { path: path.to_path_buf(), message: message.to_owned() }
}
