//! From people's files to a recording in gaitd's own form.
//!
//! The files are read as `gaitd run` reads them ([`TextSource`](crate::TextSource)), and put onto the grid of the recording's
//! rate by [`Continuity`]; so what a network is trained on is what it meets later.

mod channels;
mod intervals;
mod tagging;

use std::path::{Path, PathBuf};

use gaitd_core::exit::{self, ExitCode};
use gaitd_core::stream::continuity::DEFAULT_BRIDGE_S;
use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamFormat};

use crate::survey::{Known, Survey, nominal_hz};
use crate::time::TimeUnit;
use crate::{
    FORM, NO_DEADLINE, RecordingInfo, RecordingPaths, RecordingWriter, SenseError, Source, SourceInfo, VERSION,
    WriteError, rate,
};
use channels::Found;
pub use intervals::IntervalsError;
use intervals::{Intervals, Timeline};
use tagging::{Names, Tagging};

/// A rate that differs from another one by more than this share contradicts it.
const CONTRADICTION: f64 = 0.05;

/// What is to be imported, and how.
#[derive(Clone, Debug)]
pub struct Import {
    /// The files, in the order of the recording.
    pub files: Vec<ImportFile>,
    /// What is known of all of them.
    pub known: Known,
    /// The channels that are wanted, with their units; nothing for those that there are.
    pub channels: Option<Vec<Channel>>,
    /// The rate at which the files were recorded, where the caller states it, in hertz.
    pub rate_hz: Option<f64>,
    /// The rate of the recording, where it is to be another one, in hertz.
    pub resample_hz: Option<f64>,
    /// A file of activities by time.
    pub intervals: Option<PathBuf>,
    /// Where the recording goes.
    pub output: RecordingPaths,
    /// Replace one that is there.
    pub force: bool,
}

/// A file to be imported.
#[derive(Clone, Debug)]
pub struct ImportFile {
    /// The file.
    pub path: PathBuf,
    /// The activity in all of it.
    pub label: Option<String>,
    /// Who wore the sensor.
    pub subject: Option<String>,
}

/// What cannot be imported. Every message says what was wrong, where, and what mends it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error(transparent)]
    Sense(#[from] SenseError),
    /// The recording cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file of activities by time cannot be used.
    #[error(transparent)]
    Intervals(#[from] IntervalsError),
    /// There is nothing to read twice.
    #[error("{}: is no regular file; a recording is looked at before it is read: write it to a file first", .0.display())]
    NotAFile(PathBuf),
    /// The recording would take the place of what it is made of.
    #[error("{}: is the recording's own file; give the recording another name (-o)", .0.display())]
    OverItself(PathBuf),
    /// Nothing came of a file.
    #[error("{}: holds no samples", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// The time column contradicts a stated rate.
    #[error(
        "{}: {found_by} says {found_hz:.1} samples per second, {by} says {stated_hz}; leave that out, or correct the time \
         (--units t=...){}",
        path.display(),
        if rate::fits(*found_hz, *stated_hz) {
            format!("; --resample {stated_hz} makes a recording of that rate")
        } else {
            String::new()
        }
    )]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The rate of its samples.
        found_hz: f64,
        /// By what.
        found_by: &'static str,
        /// The rate that is stated.
        stated_hz: f64,
        /// By what.
        by: &'static str,
    },
    /// Nothing says the rate.
    #[error("{}: {why}; --rate says at how many samples per second it was recorded", path.display())]
    NoRate {
        /// The file.
        path: PathBuf,
        /// Why it is not known.
        why: &'static str,
    },
    /// Samples that are too slow, or too fast, for the recording's rate.
    #[error(
        "{}: is too {}: it has {found_hz:.1} samples per second, and {wanted_hz} are asked for; 0.8 to 20 times as many can be \
         brought to that",
        path.display(),
        if found_hz < wanted_hz { "slow" } else { "fast" }
    )]
    Rate {
        /// The file.
        path: PathBuf,
        /// The rate of its samples.
        found_hz: f64,
        /// The rate of the recording.
        wanted_hz: f64,
    },
    /// No unit is stated, and what is asked for is not what the values say.
    #[error(
        "{}: no unit is stated for {sensor}, and {expected} is asked for, but the magnitude at rest is {magnitude:.2}: likely \
         {likely}; --units {sensor}={likely} says so (--units {sensor}={expected}, if it is in {expected} nonetheless)",
        path.display()
    )]
    LikelyUnit {
        /// The file.
        path: PathBuf,
        /// The sensor.
        sensor: &'static str,
        /// Its magnitude at rest.
        magnitude: f64,
        /// The unit that is asked for.
        expected: String,
        /// The unit that the magnitude says.
        likely: &'static str,
    },
    /// No unit is stated, and the values do not tell.
    #[error(
        "{}: no unit is stated for {sensor}, and {}; --units {sensor}=g (or m/s2, mg) says it",
        path.display(),
        magnitude.map_or("the file is too short to see gravity".to_owned(), |it| format!("its magnitude at rest, {it:.2}, is gravity's in none"))
    )]
    NoUnit {
        /// The file.
        path: PathBuf,
        /// The sensor.
        sensor: &'static str,
        /// Its magnitude at rest, where that is known.
        magnitude: Option<f64>,
    },
    /// A column that is asked for is not there.
    #[error("{}: has no column {wanted} ({flag}); its columns are {found}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        wanted: String,
        /// The flag that asks for it.
        flag: &'static str,
        /// The columns that there are.
        found: String,
    },
    /// Too many different names.
    #[error("{}: more than 2000 different {what}; is that the right column?", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
    },
}

impl ExitCode for ImportError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Sense(error) => error.exit_code(),
            Self::Write(WriteError::Exists(_)) | Self::OverItself(_) => exit::CONFIG,
            Self::Write(WriteError::Io { .. }) => exit::IO,
            _ => exit::DATA,
        }
    }
}

impl Import {
    /// Reads all files and writes the recording; gives what is said of it.
    ///
    /// # Errors
    /// When a file cannot be read, says something else than is stated of it, or comes to nothing; or the recording cannot
    /// be written. Then nothing is left of it.
    pub fn run(&self) -> Result<RecordingInfo, ImportError> {
        let mut found: Vec<Found> = Vec::new();
        for file in &self.files {
            if !std::fs::metadata(&file.path).map_or(true, |metadata| metadata.is_file()) {
                return Err(ImportError::NotAFile(file.path.clone()));
            }
            if [&self.output.samples, &self.output.info].into_iter().any(|output| same(output, &file.path)) {
                return Err(ImportError::OverItself(file.path.clone()));
            }
            // one recording has the same channels throughout
            let wanted = self.channels.as_deref().or_else(|| Some(found.first()?.channels.recorded.as_slice()));
            found.push(channels::find(&file.path, wanted, &self.known)?);
        }
        for (file, found) in self.files.iter().zip(&found) {
            self.check_columns(&file.path, found)?;
        }
        let (rate_hz, recorded) = self.rates(&found)?;
        let intervals = self.intervals.as_deref().map(Intervals::read).transpose()?;
        let channels = found.first().map(|found| found.channels.recorded.clone()).unwrap_or_default();
        let format = StreamFormat { channels, rate_hz };
        let with = |stated: fn(&ImportFile) -> bool, column: fn(&Found) -> bool| {
            self.files.iter().any(stated) || found.iter().any(column)
        };
        let labelled =
            intervals.is_some() || with(|file| file.label.is_some(), |found| found.survey.layout.label.is_some());
        let with_subjects = with(|file| file.subject.is_some(), |found| found.survey.layout.subject.is_some());
        let tags = (labelled, with_subjects);
        let mut out = Out {
            writer: RecordingWriter::create(self.output.clone(), &format, tags, self.force)?,
            labels: Names::default(),
            subjects: Names::default(),
        };
        let mut sources = Vec::new();
        for ((file, found), recorded_hz) in self.files.iter().zip(&found).zip(recorded) {
            out.writer.interrupt(true);
            let read = File { file, found, recorded_hz, rate_hz, intervals: intervals.as_ref() };
            sources.push(read.read_into(&mut out)?);
        }
        let info = RecordingInfo {
            form: FORM.to_owned(),
            version: VERSION,
            name: self.output.name.clone(),
            samples_file: self.output.samples.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            rate_hz,
            time_unit: "s".to_owned(),
            channels: format.channels,
            labelled,
            with_subjects,
            samples: out.writer.samples(),
            gaps: out.writer.gaps(),
            labels: if labelled { out.labels.samples() } else { Default::default() },
            subjects: if with_subjects { out.subjects.samples() } else { Default::default() },
            sources,
            gaitd: env!("CARGO_PKG_VERSION").to_owned(),
        };
        out.writer.finish(&info)?;
        Ok(info)
    }

    /// Refuses a file without a column that is asked for.
    fn check_columns(&self, path: &Path, found: &Found) -> Result<(), ImportError> {
        let (tags, layout) = (&self.known.tags, &found.survey.layout);
        let asked =
            [(&tags.label, &layout.label, "--label-column"), (&tags.subject, &layout.subject, "--subject-column")];
        for (wanted, found, flag) in asked {
            if let (Some(wanted), None) = (wanted, found) {
                let columns = layout.channels.iter().flatten().map(|found| found.column.as_str());
                let columns = layout.time.iter().map(|time| time.column.as_str()).chain(columns);
                let others = [&layout.label, &layout.subject].into_iter().flatten().chain(&layout.unused);
                let columns: Vec<_> = columns.chain(others.map(String::as_str)).collect();
                let (path, found) = (path.to_path_buf(), columns.join(", "));
                return Err(ImportError::NoColumn { path, wanted: wanted.clone(), flag, found });
            }
        }
        Ok(())
    }

    /// The rate of the recording, and that of each file's samples.
    fn rates(&self, found: &[Found]) -> Result<(f64, Vec<f64>), ImportError> {
        let mut rate_hz = self.resample_hz.or(self.rate_hz);
        let mut recorded = Vec::new();
        for (file, found) in self.files.iter().zip(found) {
            let (path, survey) = (file.path.clone(), &found.survey);
            let stated = self.rate_hz.map(|rate| (rate, "--rate"));
            let declared = survey.declared_hz.map(|rate| (rate, "`# rate_hz`"));
            // the first file's rate is that of all, where nothing else is asked for
            let before = rate_hz.filter(|_| self.resample_hz.is_none()).map(|rate| (rate, "what came before"));
            let says = [stated, declared, before];
            let own = match survey.rate_hz {
                Some(found_hz) => {
                    if let Some((stated_hz, by)) = says.into_iter().flatten().find(|(it, _)| contradicts(*it, found_hz))
                    {
                        let found_by = "the time column";
                        return Err(ImportError::Contradiction { path, found_hz, found_by, stated_hz, by });
                    }
                    found_hz
                }
                None => match says.into_iter().flatten().collect::<Vec<_>>()[..] {
                    [] => {
                        let why = if survey.layout.time.is_none() {
                            "has no time column"
                        } else {
                            "its times do not tell the rate"
                        };
                        return Err(ImportError::NoRate { path, why });
                    }
                    [(own, found_by), ref others @ ..] => {
                        if let Some(&(stated_hz, by)) = others.iter().find(|(other, _)| contradicts(*other, own)) {
                            return Err(ImportError::Contradiction { path, found_hz: own, found_by, stated_hz, by });
                        }
                        own
                    }
                },
            };
            let wanted_hz = *rate_hz.get_or_insert_with(|| declared.map_or_else(|| nominal_hz(own), |(rate, _)| rate));
            if !rate::fits(own, wanted_hz) {
                return Err(ImportError::Rate { path, found_hz: own, wanted_hz });
            }
            recorded.push(own);
        }
        Ok((rate_hz.unwrap_or_default(), recorded))
    }
}

/// Whether two paths are one file, which is there.
fn same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    whole(one).is_some_and(|one| Some(one) == whole(other))
}

fn contradicts(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() > CONTRADICTION
}

/// What there is in a text, whatever is wanted of it.
#[derive(Clone, Debug)]
pub struct There {
    /// The channels, in the units of the text.
    pub channels: Vec<Channel>,
    /// What was seen of them.
    pub survey: Survey,
    /// What had to be decided.
    pub notes: Vec<String>,
}

impl There {
    /// What there is in the text at `path`: acceleration, rotation, or what comes near.
    ///
    /// # Errors
    /// When it cannot be read, or has nothing of that.
    pub fn look(path: &Path, known: &Known) -> Result<Self, ImportError> {
        let Found { channels, survey, notes, .. } = channels::find(path, None, known)?;
        Ok(Self { channels: channels.recorded, survey, notes })
    }
}

/// Where samples go.
struct Out {
    writer: RecordingWriter,
    labels: Names,
    subjects: Names,
}

/// A file that is read.
struct File<'a> {
    file: &'a ImportFile,
    found: &'a Found,
    /// The rate of its samples.
    recorded_hz: f64,
    /// The rate of the recording.
    rate_hz: f64,
    intervals: Option<&'a Intervals>,
}

impl File<'_> {
    fn read_into(&self, out: &mut Out) -> Result<SourceInfo, ImportError> {
        let Found { channels, survey, known, notes } = self.found;
        let path = &self.file.path;
        let timeline = self.timeline()?;
        let read = StreamFormat { channels: channels.read.clone(), rate_hz: self.rate_hz };
        let mut source = known.open(path, &read)?.after(&survey.layout);
        let format = StreamFormat { channels: channels.recorded.clone(), rate_hz: self.rate_hz };
        let mut continuity = Continuity::new(&format, DEFAULT_BRIDGE_S).map_err(SenseError::from)?;
        let mut sample = Sample { time_s: None, values: vec![0.0; read.channels.len()] };
        let mut recorded = Sample { time_s: None, values: vec![0.0; format.channels.len()] };
        let (mut tagging, mut rows, mut span, mut touched) = (Tagging::default(), 0_u64, None, false);
        let (mut begins_s, mut failed) = (None, None);
        let has_times = survey.layout.time.is_some();
        loop {
            let reading = source.read(&mut sample, NO_DEADLINE)?;
            if reading == Reading::Sample {
                channels.add_up(&sample.values, &mut recorded.values);
                recorded.time_s = if has_times { sample.time_s } else { Some(rows as f64 / self.recorded_hz) };
                let label = match (&timeline, &self.file.label) {
                    (Some(timeline), _) => recorded.time_s.map_or("", |time_s| timeline.at(time_s)),
                    (None, Some(label)) => label,
                    (None, None) => source.label().unwrap_or_default(),
                };
                touched |= !label.is_empty();
                let subject = self.file.subject.as_deref().or_else(|| source.subject()).unwrap_or_default();
                let many = |what| ImportError::Names { path: path.clone(), what };
                let label = out.labels.number(label).ok_or_else(|| many("activities"))?;
                let subject = out.subjects.number(subject).ok_or_else(|| many("subjects"))?;
                if let Some(time_s) = recorded.time_s {
                    tagging.observe(time_s, label, subject);
                    span = Some(span.map_or((time_s, time_s), |(first, _)| (first, time_s)));
                }
            }
            rows += u64::from(matches!(reading, Reading::Sample | Reading::Malformed(_)));
            continuity.push(&reading, &recorded, |step| match step {
                Step::Reset { .. } => {
                    out.writer.interrupt(false);
                    tagging.reset();
                }
                Step::Sample { sample, .. } => {
                    let (label, subject) = tagging.at(sample.time_s.unwrap_or(f64::INFINITY));
                    let (label, subject) = (out.labels.count(label), out.subjects.count(subject));
                    match out.writer.push(sample, label, subject) {
                        Ok(time_s) => drop(begins_s.get_or_insert(time_s)),
                        Err(error) => failed = Some(error),
                    }
                }
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
            if reading == Reading::End {
                break;
            }
        }
        let Some(begins_s) = begins_s else { return Err(ImportError::Nothing { path: path.clone() }) };
        if let (Some(intervals), false) = (self.intervals, touched) {
            return Err(intervals.nowhere(path, span).into());
        }
        let column = |part: &usize| survey.layout.channels.get(*part)?.clone();
        let columns = |parts: &Vec<usize>| parts.iter().filter_map(column).map(|column| column.column).collect();
        Ok(SourceInfo {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            columns: channels.parts.iter().map(columns).collect(),
            units: channels.parts.iter().map(|parts| parts.last().and_then(column)?.unit).collect(),
            rate_hz: survey.rate_hz,
            begins_at_s: span.filter(|_| has_times).map(|(first, _)| first),
            begins_s,
            counts: continuity.counts(),
            notes: notes.clone(),
        })
    }

    /// The activities by time, where they stand in a file of their own.
    fn timeline(&self) -> Result<Option<Timeline>, IntervalsError> {
        let unit = self.found.survey.layout.time.as_ref().and_then(|time| TimeUnit::named(time.unit.as_deref()?));
        self.intervals.map(|it| it.of(&self.file.path, unit.unwrap_or(TimeUnit::Seconds))).transpose()
    }
}
