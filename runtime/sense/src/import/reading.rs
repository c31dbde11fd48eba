//! Reads what is one stream, a file or several that were recorded together, into the recording.

use std::sync::Arc;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::stream::continuity::DEFAULT_BRIDGE_S;
use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamCounts, StreamFormat};

use super::ImportError;
use super::intervals::Intervals;
use super::summed::Summed;
use super::tagging::{Names, Tagging};
use super::together::{Piece, Stretch};
use crate::survey::nominal_hz;
use crate::{JoinedSource, NO_DEADLINE, Pace, RecordingWriter, SenseError, Source, SourceInfo};

/// Files that were recorded together may begin and end so many seconds apart without a word.
const APART_S: f64 = 1.0;

/// Clocks of files that are put together are further apart than this, in seconds, only where one was tied to the other.
const TIED_S: f64 = 900.0;

/// Where samples go.
pub(super) struct Out {
    pub(super) writer: RecordingWriter,
    pub(super) labels: Names,
    pub(super) subjects: Names,
}

/// What is stated of a stretch.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    pub(super) label: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) intervals: Option<&'a Intervals>,
}

/// What was read.
struct Read {
    /// The first time and the last one.
    span: Option<(f64, f64)>,
    counts: StreamCounts,
}

impl Stretch<'_> {
    /// Reads all of it, at the recording's rate.
    pub(super) fn read_into(
        &self,
        out: &mut Out,
        rate_hz: f64,
        stated: Stated<'_>,
    ) -> Result<Vec<SourceInfo>, ImportError> {
        let unit = self.survey.layout.time.as_ref().and_then(|time| time.unit.as_deref());
        let timeline = stated.intervals.map(|it| it.of(&self.paths(), unit)).transpose()?;
        let format = StreamFormat { channels: self.channels.recorded.clone(), rate_hz };
        let mut source = self.open(rate_hz, Pace::Fast, &(Arc::new(MonotonicClock::start()) as Arc<dyn Clock>))?;
        let mut continuity = Continuity::new(&format, DEFAULT_BRIDGE_S).map_err(SenseError::from)?;
        let mut recorded = Sample { time_s: None, values: vec![0.0; format.channels.len()] };
        let (mut tagging, mut rows, mut span, mut touched) = (Tagging::default(), 0_u64, None, false);
        let (mut begins_s, mut failed) = (None, None);
        // several that are put together have times
        let has_times = self.survey.layout.time.is_some() || self.pieces.len() > 1;
        let recorded_hz = self.pieces[self.clock()].recorded_hz;
        loop {
            let reading = source.read(&mut recorded, NO_DEADLINE)?;
            if reading == Reading::Sample {
                recorded.time_s = if has_times { recorded.time_s } else { Some(rows as f64 / recorded_hz) };
                let label = match (&timeline, stated.label) {
                    (Some(timeline), _) => recorded.time_s.map_or("", |time_s| timeline.at(time_s)),
                    (None, Some(label)) => label,
                    (None, None) => source.label().unwrap_or_default(),
                };
                touched |= !label.is_empty();
                let subject = stated.subject.or_else(|| source.subject()).unwrap_or_default();
                let many = |what| ImportError::Names { files: self.names(), what };
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
        let Some(begins_s) = begins_s else { return Err(ImportError::Nothing { files: self.names() }) };
        if let (Some(intervals), false) = (stated.intervals, touched) {
            return Err(intervals.nowhere(&self.names(), span).into());
        }
        let reads = match &self.pieces[..] {
            [_] => vec![Read { span, counts: continuity.counts() }],
            pieces => pieces.iter().map(|piece| piece.read_alone(&self.channels.read)).collect::<Result<_, _>>()?,
        };
        let left_out = |number| left_out(&reads, number);
        let info = |(number, piece): (usize, &Piece<'_>)| {
            let read = &reads[number];
            // samples from before another file begins are not in the recording
            let first = read.span.zip(span).map(|((own, _), (first, _))| if tied(own, first) { own } else { first });
            self.info(piece, read.counts, (first, begins_s), left_out(number))
        };
        Ok(self.pieces.iter().enumerate().map(info).collect())
    }

    /// Opens it, to be read at this rate.
    pub(super) fn open(&self, rate_hz: f64, pace: Pace, clock: &Arc<dyn Clock>) -> Result<Box<dyn Source>, SenseError> {
        let format = &StreamFormat { channels: self.channels.read.clone(), rate_hz };
        let mut texts = Vec::new();
        for piece in &self.pieces {
            // rows without times come at the file's own rate, beside others
            let own = self.pieces.len() > 1 && piece.survey.layout.time.is_none();
            let rate_hz = if own { piece.recorded_hz } else { format.rate_hz };
            let format = StreamFormat { rate_hz, ..format.clone() };
            let text = piece.known.open(&piece.file.path, &format, pace, Arc::clone(clock))?;
            texts.push(text.after(&piece.survey.layout));
        }
        let source: Box<dyn Source> = match texts.len() {
            1 => Box::new(texts.remove(0)),
            _ => Box::new(JoinedSource::new(texts, format, pace, Arc::clone(clock))),
        };
        let summed = self.channels.are_summed();
        Ok(if summed { Box::new(Summed::new(source, self.channels.clone())) } else { source })
    }

    fn info(
        &self,
        piece: &Piece<'_>,
        counts: StreamCounts,
        (begins_at_s, begins_s): (Option<f64>, f64),
        left_out: Option<String>,
    ) -> SourceInfo {
        let column = |part: &usize| piece.survey.layout.channels.get(*part)?.clone();
        let columns = |parts: &Vec<usize>| parts.iter().filter_map(column).map(|column| column.column).collect();
        let unit = |parts: &Vec<usize>| parts.iter().filter_map(column).next_back()?.unit;
        SourceInfo {
            file: piece.file.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            columns: self.channels.parts.iter().map(columns).collect(),
            units: self.channels.parts.iter().map(unit).collect(),
            rate_hz: piece.survey.rate_hz,
            begins_at_s: begins_at_s.filter(|_| piece.survey.layout.time.is_some()),
            begins_s,
            counts,
            notes: piece.notes.iter().cloned().chain(left_out).collect(),
        }
    }
}

impl Piece<'_> {
    /// What the file is without the others, of which `read` are all channels that are read.
    fn read_alone(&self, read: &[Channel]) -> Result<Read, ImportError> {
        let columns = self.survey.layout.channels.iter().zip(read);
        let channels = columns.filter(|(column, _)| column.is_some()).map(|(_, channel)| channel.clone()).collect();
        let format = StreamFormat { channels, rate_hz: nominal_hz(self.recorded_hz) };
        let clock = Arc::new(MonotonicClock::start());
        let mut source = self.known.open(&self.file.path, &format, Pace::Fast, clock)?.after(&self.survey.layout);
        let mut continuity = Continuity::new(&format, DEFAULT_BRIDGE_S).map_err(SenseError::from)?;
        let mut sample = Sample { time_s: None, values: vec![0.0; format.channels.len()] };
        let (mut span, mut rows) = (None, 0_u64);
        loop {
            let reading = source.read(&mut sample, NO_DEADLINE)?;
            if reading == Reading::Sample {
                let time_s = sample.time_s.unwrap_or(rows as f64 / self.recorded_hz);
                span = Some(span.map_or((time_s, time_s), |(first, _)| (first, time_s)));
            }
            rows += u64::from(matches!(reading, Reading::Sample | Reading::Malformed(_)));
            continuity.push(&reading, &sample, |_| ());
            if reading == Reading::End {
                return Ok(Read { span, counts: continuity.counts() });
            }
        }
    }
}

/// Whether times are by clocks so far apart that one was tied to the other.
fn tied(one_s: f64, other_s: f64) -> bool {
    (one_s - other_s).abs() > TIED_S
}

/// What of a file lies before another begins, or behind the end of another.
fn left_out(reads: &[Read], number: usize) -> Option<String> {
    let (first, last) = reads[number].span?;
    let spans = || reads.iter().filter_map(|read| read.span);
    let before = spans().map(|span| span.0).fold(first, f64::max) - first;
    let behind = last - spans().map(|span| span.1).fold(last, f64::min);
    let first_s = spans().map(|span| span.0).fold(first, f64::min);
    if tied(first_s, first + before) {
        return None;
    }
    let apart = |seconds: f64| seconds >= APART_S;
    let what = match (apart(before), apart(behind)) {
        (true, true) => format!("its first {before:.1} s and its last {behind:.1} s are"),
        (true, false) => format!("its first {before:.1} s are"),
        (false, true) => format!("its last {behind:.1} s are"),
        (false, false) => return None,
    };
    Some(format!("{what} left out, since another file has nothing there"))
}
