//! From people's files to a recording in gaitd's own form.
//!
//! The files are read as `gaitd run` reads them ([`TextSource`](crate::TextSource)), and put onto the grid of the recording's
//! rate by [`Continuity`](gaitd_core::stream::Continuity); so what a network is trained on is what it meets later.

mod channels;
mod intervals;
mod reading;
mod summed;
mod tagging;
mod together;

use std::path::{Path, PathBuf};

use gaitd_core::exit::{self, ExitCode};
use gaitd_core::stream::{Channel, StreamFormat};

use crate::survey::{Known, Survey, nominal_hz};
use crate::{
    ChannelColumn, FORM, RecordingInfo, RecordingPaths, RecordingWriter, SenseError, VERSION, WriteError, rate,
    same_file,
};
pub use intervals::{Intervals, IntervalsError, Timeline};
use reading::{Out, Stated};
pub use summed::{FileSource, Files};
use tagging::Names;
use together::{Piece, Stretch};

/// A rate that differs from another one by more than this share contradicts it.
const CONTRADICTION: f64 = 0.05;

/// What is to be imported, and how.
#[derive(Clone, Debug)]
pub struct Import {
    /// The files, in the order of the recording; those in one list were recorded together, with some of the sensors each.
    /// Where each is in a list of its own, it is found out by their sensors which were.
    pub files: Vec<Vec<ImportFile>>,
    /// The activity in all files of which no other is stated.
    pub label: Option<String>,
    /// Who wore the sensor in all files of which nobody else is stated.
    pub subject: Option<String>,
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
    /// The activity in all of it, where that is stated of this file.
    pub label: Option<String>,
    /// Who wore the sensor, where that is stated of this file.
    pub subject: Option<String>,
}

impl From<&PathBuf> for ImportFile {
    fn from(path: &PathBuf) -> Self {
        Self { path: path.clone(), label: None, subject: None }
    }
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
    #[error("{files}: holds no samples")]
    Nothing {
        /// The file, or those that were put together.
        files: String,
    },
    /// Files that seem to have been recorded together in part.
    #[error(
        "there are files with other sensors, and not the same ones throughout: {one}; and {other}; write those that were \
         recorded together as one: acc.csv+gyro.csv"
    )]
    Unlike {
        /// Files that have some sensors between them.
        one: String,
        /// Files that have others.
        other: String,
    },
    /// A file that is put together with others, and of which nothing is read.
    #[error("{}: has nothing of what is recorded with the other files ({recorded}); leave it out", path.display())]
    NotNeeded {
        /// The file.
        path: PathBuf,
        /// The channels that are recorded.
        recorded: String,
    },
    /// Two things are stated of files that were recorded together.
    #[error("{files}: are put together, but the {what} is stated to be both {one:.80} and {other:.80}")]
    Two {
        /// The files.
        files: String,
        /// Of what.
        what: &'static str,
        /// What is stated of one of them.
        one: String,
        /// What is stated of another.
        other: String,
    },
    /// A file that has fewer samples than the one that it is put together with.
    #[error(
        "{}: has {found_hz:.1} samples per second, too few to be put together with {beside} at {wanted_hz}; --resample \
         {} makes a recording of what both have",
        path.display(),
        nominal_hz(*found_hz)
    )]
    Slower {
        /// The file.
        path: PathBuf,
        /// The rate of its samples.
        found_hz: f64,
        /// The file with the first sensor.
        beside: String,
        /// The rate of the recording.
        wanted_hz: f64,
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
    #[error("{files}: has no column {wanted} ({flag}); its columns are {found}")]
    NoColumn {
        /// The file, or those that were put together.
        files: String,
        /// The column.
        wanted: String,
        /// The flag that asks for it.
        flag: &'static str,
        /// The columns that there are.
        found: String,
    },
    /// Too many different names.
    #[error("{files}: more than 2000 different {what}; is that the right column?")]
    Names {
        /// The file, or those that were put together.
        files: String,
        /// Of what.
        what: &'static str,
    },
}

impl ExitCode for ImportError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Sense(error) => error.exit_code(),
            Self::Write(WriteError::Exists(_)) | Self::OverItself(_) | Self::Two { .. } => exit::CONFIG,
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
        for file in self.files.iter().flatten() {
            if !std::fs::metadata(&file.path).map_or(true, |metadata| metadata.is_file()) {
                return Err(ImportError::NotAFile(file.path.clone()));
            }
            if [&self.output.samples, &self.output.info].into_iter().any(|output| same_file(output, &file.path)) {
                return Err(ImportError::OverItself(file.path.clone()));
            }
        }
        let mut stretches: Vec<Stretch<'_>> = Vec::new();
        for files in together::group(&self.files, self.channels.as_deref(), &self.known)? {
            // one recording has the same channels throughout
            let first = stretches.first().map(|first| first.channels.recorded.clone());
            stretches.push(together::find(&files, self.channels.as_deref().or(first.as_deref()), &self.known)?);
        }
        stretches.iter().try_for_each(|stretch| self.check_columns(stretch))?;
        let rate_hz = self.rates(&mut stretches)?;
        let intervals = self.intervals.as_deref().map(Intervals::read).transpose()?;
        let stated = stretches.iter().map(|stretch| self.stated(stretch, intervals.as_ref()));
        let stated: Vec<Stated<'_>> = stated.collect::<Result<_, _>>()?;
        let channels = stretches.first().map(|first| first.channels.recorded.clone()).unwrap_or_default();
        let format = StreamFormat { channels, rate_hz };
        let column = |of: fn(&Stretch<'_>) -> bool| stretches.iter().any(of);
        let labelled = intervals.is_some()
            || stated.iter().any(|stated| stated.label.is_some())
            || column(|stretch| stretch.survey.layout.label.is_some());
        let with_subjects = stated.iter().any(|stated| stated.subject.is_some())
            || column(|stretch| stretch.survey.layout.subject.is_some());
        let tags = (labelled, with_subjects);
        let mut out = Out {
            writer: RecordingWriter::create(self.output.clone(), &format, tags, self.force)?,
            labels: Names::default(),
            subjects: Names::default(),
        };
        let mut sources = Vec::new();
        for (stretch, stated) in stretches.iter().zip(stated) {
            out.writer.interrupt(true);
            sources.extend(stretch.read_into(&mut out, rate_hz, stated)?);
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

    /// What is stated of files that are read as one stream.
    fn stated<'a>(
        &'a self,
        stretch: &'a Stretch<'_>,
        intervals: Option<&'a Intervals>,
    ) -> Result<Stated<'a>, ImportError> {
        let label = stretch.stated("activity", |file| file.label.as_deref(), self.label.as_deref())?;
        let subject = stretch.stated("subject", |file| file.subject.as_deref(), self.subject.as_deref())?;
        Ok(Stated { label, subject, intervals })
    }

    /// Refuses files without a column that is asked for.
    fn check_columns(&self, stretch: &Stretch<'_>) -> Result<(), ImportError> {
        let (tags, layout) = (&self.known.tags, &stretch.survey.layout);
        let asked =
            [(&tags.label, &layout.label, "--label-column"), (&tags.subject, &layout.subject, "--subject-column")];
        for (wanted, found, flag) in asked {
            if let (Some(wanted), None) = (wanted, found) {
                let columns = layout.channels.iter().flatten().map(|found| found.column.as_str());
                let columns = layout.time.iter().map(|time| time.column.as_str()).chain(columns);
                let others = [&layout.label, &layout.subject].into_iter().flatten().chain(&layout.unused);
                let columns: Vec<_> = columns.chain(others.map(String::as_str)).collect();
                let (files, found) = (stretch.names(), columns.join(", "));
                return Err(ImportError::NoColumn { files, wanted: wanted.clone(), flag, found });
            }
        }
        Ok(())
    }

    /// Finds out the rate of each file's samples; gives that of the recording.
    fn rates(&self, stretches: &mut [Stretch<'_>]) -> Result<f64, ImportError> {
        let mut rate_hz = self.resample_hz.or(self.rate_hz);
        for stretch in stretches {
            // the first sensor's samples become those of the recording
            let clock = stretch.clock();
            let others = (0..stretch.pieces.len()).filter(|place| *place != clock);
            for place in std::iter::once(clock).chain(others) {
                let piece = &stretch.pieces[place];
                let (path, survey) = (&piece.file.path, &piece.survey);
                let stated = self.rate_hz.map(|rate| (rate, "--rate"));
                let declared = survey.declared_hz.map(|rate| (rate, "`# rate_hz`"));
                // the first file's rate is that of all, where nothing else is asked for
                let before = rate_hz.filter(|_| self.resample_hz.is_none()).map(|rate| (rate, "what came before"));
                let says = match survey.rate_hz {
                    _ if place == clock => vec![stated, declared, before],
                    // a sensor beside the first one may have another rate
                    Some(_) => vec![declared],
                    None => vec![declared.or(stated)],
                };
                let own = own_rate(path, survey, &says.into_iter().flatten().collect::<Vec<_>>())?;
                let nominal = || declared.map_or_else(|| nominal_hz(own), |(rate, _)| rate);
                let wanted_hz = *rate_hz.get_or_insert_with(nominal);
                if !rate::fits(own, wanted_hz) {
                    return Err(if place != clock && own < wanted_hz {
                        let beside = stretch.pieces[clock].file.path.display().to_string();
                        ImportError::Slower { path: path.clone(), found_hz: own, beside, wanted_hz }
                    } else {
                        ImportError::Rate { path: path.clone(), found_hz: own, wanted_hz }
                    });
                }
                stretch.pieces[place].recorded_hz = own;
            }
        }
        Ok(rate_hz.unwrap_or_default())
    }
}

/// The rate of a file's samples: by its times, or else by what `says` it, the first before the others. None of them may
/// contradict it.
fn own_rate(path: &Path, survey: &Survey, says: &[(f64, &'static str)]) -> Result<f64, ImportError> {
    let path = || path.to_path_buf();
    let (own, found_by) = match (survey.rate_hz, says) {
        (Some(found_hz), _) => (found_hz, "the time column"),
        (None, [first, ..]) => *first,
        (None, []) => {
            let no_time = survey.layout.time.is_none();
            let why = if no_time { "has no time column" } else { "its times do not tell the rate" };
            return Err(ImportError::NoRate { path: path(), why });
        }
    };
    match says.iter().find(|(stated_hz, _)| contradicts(*stated_hz, own)) {
        None => Ok(own),
        Some(&(stated_hz, by)) => {
            Err(ImportError::Contradiction { path: path(), found_hz: own, found_by, stated_hz, by })
        }
    }
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
    /// What there is in the text at each of `paths`, which were recorded together: acceleration, rotation, or what comes
    /// near.
    ///
    /// # Errors
    /// When one cannot be read, or has nothing of that.
    pub fn look(paths: &[PathBuf], known: &Known) -> Result<Self, ImportError> {
        let files: Vec<_> = paths.iter().map(ImportFile::from).collect();
        Ok(Self::of(together::find(&files.iter().collect::<Vec<_>>(), None, known)?))
    }

    /// What a model that reads `format` has of the texts at `paths`, where acceleration is the sum of columns of theirs; nothing
    /// where they lack more than that.
    ///
    /// # Errors
    /// When their unit is not the one that is read, and nothing says so.
    pub fn summed(paths: &[PathBuf], format: &StreamFormat, known: &Known) -> Result<Option<Self>, SenseError> {
        let files: Vec<_> = paths.iter().map(ImportFile::from).collect();
        Ok(Stretch::of_parts(&files.iter().collect::<Vec<_>>(), format, known)?.map(Self::of))
    }

    fn of(stretch: Stretch<'_>) -> Self {
        let Stretch { channels, mut survey, pieces } = stretch;
        let absent = std::mem::take(&mut survey.absent);
        let columns = std::mem::take(&mut survey.layout.channels);
        for (recorded, parts) in channels.parts.iter().enumerate() {
            let mut found = parts.iter().filter_map(|&part| Some((part, columns.get(part)?.as_ref()?)));
            let named = |(part, column): (usize, &ChannelColumn)| {
                let has = |piece: &&Piece<'_>| piece.survey.layout.channels.get(part).is_some_and(Option::is_some);
                match pieces.iter().find(has).filter(|_| parts.len() > 1 && pieces.len() > 1) {
                    Some(piece) => format!("{}: {}", piece.name(), column.column),
                    None => column.column.clone(),
                }
            };
            let names: Vec<_> = found.clone().map(named).collect();
            let last = found.next_back().filter(|_| names.len() == parts.len());
            let column = last.map(|(_, last)| ChannelColumn { column: names.join(" + "), ..last.clone() });
            survey.layout.channels.push(column);
            if parts.iter().any(|part| absent.contains(part)) {
                survey.absent.push(recorded);
            }
        }
        let notes = pieces.into_iter().flat_map(|piece| piece.notes).collect();
        Self { channels: channels.recorded, survey, notes }
    }
}
