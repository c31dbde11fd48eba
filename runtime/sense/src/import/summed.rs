//! Files whose acceleration stands in two parts, acceleration without gravity, and gravity: a source of their sum.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use log::info;

use super::channels::Channels;
use super::together::{self, Stretch};
use super::{ImportError, ImportFile};
use crate::survey::Known;
use crate::{Pace, SenseError, Source, Spelling};

/// A source that gives what is recorded of what it reads.
pub(super) struct Summed {
    source: Box<dyn Source>,
    channels: Channels,
    read: Sample,
}

impl Summed {
    pub(super) fn new(source: Box<dyn Source>, channels: Channels) -> Self {
        Self { source, channels, read: Sample { time_s: None, values: Vec::new() } }
    }
}

impl Source for Summed {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        self.read.values.resize(self.channels.read.len(), f64::NAN);
        let reading = self.source.read(&mut self.read, deadline)?;
        if reading == Reading::Sample {
            sample.time_s = self.read.time_s;
            sample.values.resize(self.channels.recorded.len(), f64::NAN);
            self.channels.add_up(&self.read.values, &mut sample.values);
        }
        Ok(reading)
    }

    fn inner(&self) -> Option<&dyn Source> {
        Some(&*self.source)
    }
}

/// Regular files as a source: where they lack acceleration, and have it without gravity beside gravity, the two are added up.
///
/// They are looked at for that only when they have turned out to lack it, which is before their first sample.
pub struct FileSource {
    source: Box<dyn Source>,
    files: Option<Files>,
}

/// What is known of files that may have to be read in another way.
pub struct Files {
    /// Where they are.
    pub paths: Vec<PathBuf>,
    /// Names, units and rate, as far as the caller knows them.
    pub spelling: Spelling,
    /// What a model reads.
    pub format: StreamFormat,
    /// How samples are paced.
    pub pace: Pace,
    /// By what clock.
    pub clock: Arc<dyn Clock>,
}

impl FileSource {
    /// `source`, which reads the files as they are.
    #[must_use]
    pub fn new(source: Box<dyn Source>, files: Files) -> Self {
        Self { source, files: Some(files) }
    }
}

impl Source for FileSource {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        let outcome = self.source.read(sample, deadline);
        match (&outcome, &self.files) {
            (Err(SenseError::MissingChannels { .. }), Some(files)) => {
                let summed = files.summed()?;
                self.files = None;
                let Some(summed) = summed else { return outcome };
                self.source = summed;
                self.source.read(sample, deadline)
            }
            (Ok(Reading::Sample), Some(_)) => {
                self.files = None;
                outcome
            }
            _ => outcome,
        }
    }

    fn inner(&self) -> Option<&dyn Source> {
        Some(&*self.source)
    }
}

impl Files {
    /// The sum of their parts; nothing where they have none.
    fn summed(&self) -> Result<Option<Box<dyn Source>>, SenseError> {
        let files: Vec<_> = self.paths.iter().map(ImportFile::from).collect();
        let files: Vec<_> = files.iter().collect();
        let known = Known::new(self.spelling.clone(), Default::default());
        let Some(mut stretch) = Stretch::of_parts(&files, &self.format, &known)? else { return Ok(None) };
        for piece in &mut stretch.pieces {
            piece.recorded_hz = piece.survey.declared_hz.unwrap_or(self.format.rate_hz);
            piece.notes.iter().for_each(|note| info!("{}: {note}", piece.file.path.display()));
        }
        stretch.open(self.format.rate_hz, self.pace, &self.clock).map(Some)
    }
}

impl<'a> Stretch<'a> {
    /// What a model that reads `format` has of files that were recorded together, where some of it is a sum; nothing where they
    /// lack more than that.
    ///
    /// # Errors
    /// When their unit is not the one that is read, and nothing says so.
    pub(super) fn of_parts(
        files: &[&'a ImportFile],
        format: &StreamFormat,
        known: &Known,
    ) -> Result<Option<Self>, SenseError> {
        match together::find(files, Some(&format.channels), known) {
            Ok(stretch) => Ok(Some(stretch).filter(|stretch| stretch.channels.are_summed())),
            Err(error @ ImportError::LikelyUnit { .. }) => {
                Err(SenseError::Header { place: stated(files), problem: error.to_string() })
            }
            Err(_) => Ok(None),
        }
    }
}

fn stated(files: &[&ImportFile]) -> String {
    crate::survey::names(files.iter().map(|file| file.path.as_path()))
}
