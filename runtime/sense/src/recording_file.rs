//! gaitd's own form of a recording: samples on an even grid as CSV, and a JSON beside it that says what they are.
//!
//! `docs/recordings.md` describes it for people and for programs.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use gaitd_core::stream::{Channel, Sample, StreamCounts, StreamFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{TextFormat, TextWriter};

/// What a recording's JSON says of its form.
pub const FORM: &str = "gaitd-recording";
/// The version of the form.
pub const VERSION: u32 = 1;

/// A pause in the times of a recording, in seconds, between stretches of which nothing is known how far they are apart.
const PAUSE_S: f64 = 1.0;
/// Samples that follow one another are less than so many periods apart; more is a gap.
pub const LONGEST_STEP: f64 = 1.75;
/// And more than so many.
const SHORTEST_STEP: f64 = 0.25;

/// What the JSON beside a recording's samples says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingInfo {
    /// `gaitd-recording`.
    pub form: String,
    /// The version of the form: 1.
    pub version: u32,
    /// The recording's name.
    pub name: String,
    /// The file of the samples, beside this one.
    pub samples_file: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// The unit of the column `t`: `s`.
    pub time_unit: String,
    /// The channels, in the order of their columns.
    pub channels: Vec<Channel>,
    /// Whether there is a column `label`.
    pub labelled: bool,
    /// Whether there is a column `subject`.
    pub with_subjects: bool,
    /// Samples in all.
    pub samples: u64,
    /// Gaps: steps of `t` of more than 1.75 periods.
    pub gaps: u64,
    /// Samples of each label, by its name; those of none under the empty one.
    pub labels: BTreeMap<String, u64>,
    /// Samples of each subject, by its name; those of none under the empty one.
    pub subjects: BTreeMap<String, u64>,
    /// The files that it was made of, in their order.
    pub sources: Vec<SourceInfo>,
    /// The gaitd that made it.
    pub gaitd: String,
}

/// A file that a recording was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceInfo {
    /// Its name.
    pub file: String,
    /// The columns that each channel is the sum of, in the order of the channels.
    pub columns: Vec<Vec<String>>,
    /// The units that the file states, in the same order; nothing where it states none.
    pub units: Vec<Option<String>>,
    /// Samples per second by its time column, where it has one.
    pub rate_hz: Option<f64>,
    /// The time of its first sample by its own clock, in seconds.
    pub begins_at_s: Option<f64>,
    /// The time of its first sample in the recording.
    pub begins_s: f64,
    /// What it consisted of.
    pub counts: StreamCounts,
    /// What had to be decided about it.
    pub notes: Vec<String>,
}

/// A recording that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is one already.
    #[error("{} is there already; --force replaces it", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

/// Where a recording lies: the samples, and the JSON beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingPaths {
    /// The samples, `NAME.csv` or `NAME.csv.gz`.
    pub samples: PathBuf,
    /// `NAME.json`.
    pub info: PathBuf,
    /// `NAME`, without its folder.
    pub name: String,
}

impl RecordingPaths {
    /// The recording that `path` means: `NAME`, `NAME.csv`, `NAME.csv.gz` (packed) or `NAME.json`. Nothing where that leaves
    /// no name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let file = path.file_name()?.to_str()?;
        let gzip = file.ends_with(".csv.gz");
        let name = [".csv.gz", ".csv", ".json"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
        let beside = |end: &str| path.with_file_name(format!("{name}{end}"));
        (!name.is_empty()).then(|| Self {
            samples: beside(if gzip { ".csv.gz" } else { ".csv" }),
            info: beside(".json"),
            name: name.to_owned(),
        })
    }
}

/// Writes a recording: nobody sees half of it, and nothing is left of one that is not finished.
pub struct RecordingWriter {
    paths: RecordingPaths,
    half: PathBuf,
    out: Option<Packer>,
    text: TextWriter,
    grid: GridTimes,
    sample: Sample,
    samples: u64,
}

enum Packer {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl Packer {
    fn as_write(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file.as_mut(),
        }
    }

    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file.finish()?,
        };
        // a rename may reach the disk before what it renames
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl RecordingWriter {
    /// A recording at `paths` of samples in `format`, with a column of labels, of subjects, or both. With `force`, one
    /// that is there is replaced, once this one is whole.
    ///
    /// # Errors
    /// When there is one, or nothing can be written there.
    pub fn create(
        paths: RecordingPaths,
        format: &StreamFormat,
        (label, subject): (bool, bool),
        force: bool,
    ) -> Result<Self, WriteError> {
        let there = [&paths.samples, &paths.info].into_iter().find(|path| path.exists());
        if let Some(there) = there.filter(|_| !force) {
            return Err(WriteError::Exists(there.clone()));
        }
        // one name, so that what an interrupted writer left is taken over
        let half = paths.samples.with_extension("new");
        let at = |error| WriteError::Io { path: paths.samples.clone(), error };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&half).map_err(at)?;
        file.try_lock().map_err(|error| at(error.into()))?;
        file.set_len(0).map_err(at)?;
        let file = BufWriter::new(file);
        let gzip = paths.samples.extension().is_some_and(|extension| extension == "gz");
        let out = if gzip {
            Packer::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
        } else {
            Packer::Plain(file)
        };
        let mut writer = Self {
            out: Some(out),
            text: TextWriter::new(TextFormat::Csv, format.clone()).tagged(label, subject),
            grid: GridTimes::new(format.rate_hz),
            sample: Sample { time_s: None, values: vec![0.0; format.channels.len()] },
            samples: 0,
            half,
            paths,
        };
        let header = writer.text.header();
        writer.write(header.as_bytes())?;
        Ok(writer)
    }

    /// What follows does not go on from what was before. Where it is of another file, its clock is another one, too.
    pub fn interrupt(&mut self, another_clock: bool) {
        self.grid.interrupt(another_clock);
    }

    /// Adds the next sample of the grid, and says when it is in the recording. An empty tag says nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    ///
    /// # Panics
    /// When there is not one value per channel.
    pub fn push(&mut self, sample: &Sample, label: &str, subject: &str) -> Result<f64, WriteError> {
        let time_s = self.grid.place(sample.time_s);
        self.sample.time_s = Some(time_s);
        self.sample.values.copy_from_slice(&sample.values);
        let line = self.text.tagged_line(&self.sample, label, subject);
        let written = self.out.as_mut().map_or(Ok(()), |out| out.as_write().write_all(line.as_bytes()));
        written.map_err(|error| WriteError::Io { path: self.paths.samples.clone(), error })?;
        self.samples += 1;
        Ok(time_s)
    }

    /// Samples so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Gaps so far.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.grid.gaps
    }

    /// Puts both files into place, the JSON last: where it is, the recording is whole.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn finish(mut self, info: &RecordingInfo) -> Result<(), WriteError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |error| WriteError::Io { path, error }
        };
        if let Some(out) = self.out.take() {
            out.finish().map_err(at(&self.paths.samples))?;
        }
        let json = serde_json::to_vec_pretty(info).map_err(io::Error::from).map_err(at(&self.paths.info))?;
        match fs::remove_file(&self.paths.info) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&self.paths.info)(error)),
            _ => {}
        }
        fs::rename(&self.half, &self.paths.samples).map_err(at(&self.paths.samples))?;
        gaitd_core::state_file::replace(&self.paths.info, &json).map_err(at(&self.paths.info))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let written = self.out.as_mut().map_or(Ok(()), |out| out.as_write().write_all(bytes));
        written.map_err(|error| WriteError::Io { path: self.paths.samples.clone(), error })
    }
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        // what was put into place is not there any more
        let _ = fs::remove_file(&self.half);
    }
}

/// The times of a recording: they begin at 0 and rise, and a step of more than 1.75 periods is a gap, and nothing else.
struct GridTimes {
    period_s: f64,
    last_s: Option<f64>,
    /// What is added to the times of the source; nothing where its clock is not known yet.
    shift_s: Option<f64>,
    interrupted: bool,
    gaps: u64,
}

impl GridTimes {
    fn new(rate_hz: f64) -> Self {
        Self { period_s: rate_hz.recip(), last_s: None, shift_s: None, interrupted: false, gaps: 0 }
    }

    fn interrupt(&mut self, another_clock: bool) {
        self.interrupted = true;
        if another_clock {
            self.shift_s = None;
        }
    }

    fn place(&mut self, time_s: Option<f64>) -> f64 {
        let Some(last_s) = self.last_s else {
            (self.interrupted, self.shift_s) = (false, time_s.map(|time_s| -time_s));
            self.last_s = Some(0.0);
            return 0.0;
        };
        let step = time_s.zip(self.shift_s).map(|(time_s, shift_s)| (time_s + shift_s - last_s) / self.period_s);
        let interrupted = std::mem::take(&mut self.interrupted);
        self.gaps += u64::from(interrupted);
        let is_right = |step: &f64| {
            if interrupted { *step > LONGEST_STEP } else { (SHORTEST_STEP..LONGEST_STEP).contains(step) }
        };
        let now_s = match step.filter(is_right) {
            Some(step) => last_s + step * self.period_s,
            // a clock that was set, or none
            None => {
                let step_s = if interrupted { PAUSE_S.max(2.0 * self.period_s) } else { self.period_s };
                self.shift_s = time_s.map(|time_s| last_s + step_s - time_s);
                last_s + step_s
            }
        };
        self.last_s = Some(now_s);
        now_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise_and_show_every_gap() {
        let mut grid = GridTimes::new(50.0);
        let mut place = |time_s| (grid.place(time_s) * 1e6).round() / 1e6;
        assert_eq!([100.0, 100.02, 100.041].map(|time| place(Some(time))), [0.0, 0.02, 0.041]);
        // a counter that begins again is no gap
        assert_eq!([0.0, 0.02].map(|time| place(Some(time))), [0.061, 0.081]);
        grid.interrupt(false);
        assert!((grid.place(Some(3.0)) - 3.061).abs() < 1e-9);
        // the clock was set back, by a little
        grid.interrupt(false);
        assert!((grid.place(Some(2.99)) - 4.061).abs() < 1e-9);
        assert!((grid.place(Some(3.01)) - 4.081).abs() < 1e-9);
        // another file
        grid.interrupt(true);
        assert!((grid.place(Some(5e9)) - 5.081).abs() < 1e-9);
        assert!((grid.place(None) - 5.101).abs() < 1e-9);
        assert_eq!(grid.gaps, 3);
    }

    #[test]
    fn names() {
        let of = |path: &str| RecordingPaths::of(Path::new(path)).map(|paths| (paths.samples, paths.info, paths.name));
        let plain = Some(("a/ward.csv".into(), "a/ward.json".into(), "ward".into()));
        for path in ["a/ward", "a/ward.csv", "a/ward.json"] {
            assert_eq!(of(path), plain, "{path}");
        }
        assert_eq!(of("ward.1.csv.gz"), Some(("ward.1.csv.gz".into(), "ward.1.json".into(), "ward.1".into())));
        assert_eq!(of(".csv"), None);
    }
}
