//! Samples as text: CSV or NDJSON, from a file, standard input or any other reader.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use serde::{Deserialize, Serialize};

use super::assembly::Next;
use super::decoder::{Decoded, TextDecoder};
use super::joined::Part;
use super::lines::{LONGEST_LINE, Line, LineReader};
use super::merge::Labelled;
use super::name::Sensor;
use super::place::Place;
use super::rate::{self, RateCheck};
use super::rising;
use super::time::TimeUnit;
use crate::{HeaderMemory, Pace, Pacer, SenseError, Source, Spelling, TagColumns, TextLayout, open_file};
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};

/// So many lines without a sample, at the start, are enough to give up on a stream.
const HOPELESS_LINES: u64 = 100;

/// How samples are written as text.
///
/// Both may be packed with gzip, in UTF-8 or in UTF-16, and their lines may end with LF, CR LF or CR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextFormat {
    /// Separated values after a header line with the channels' names, each optionally followed by its unit in brackets or
    /// parentheses: `t,acc_x [m/s2],...`.
    ///
    /// - Commas, semicolons or tabs separate; beside the latter two, and in quotes, numbers may have decimal commas.
    /// - An empty field stands for a value that was not measured; empty fields beyond the header say nothing.
    /// - Lines that begin with `#`, `%` or `//` are comments; `# rate_hz=50` declares the sample rate, and a header may
    ///   stand behind a `#`. Lines of words before the header are passed over.
    /// - A header that comes again holds from there on.
    Csv,
    /// One JSON object per line, its keys the channels' names; `null` stands for a value that was not measured. An
    /// object `{"class": "stream", "rate_hz": 50, "units": {"acc_x": "m/s2"}}` describes the stream.
    ///
    /// Channels may lie in an object or array by their sensor's name: `{"acc": {"x": 1.0, ...}, "gyro": [0.1, ...]}`.
    Ndjson,
}

/// A stream of samples as text.
///
/// Nothing is read before the first [`Source::read`]. Columns (keys) may stand in any order; unknown ones are logged once
/// and left out. A line over 64 KiB is never held in memory.
///
/// **Names** are those of the expected channels, in any case, or others in use: `acc_x` is also `ax`, `Accel X` and
/// `accelerationX`; `gyro_x` is also `wx`, `Gyroscope x` and `rotationRateX` (and `gx` beside `ax`). `x`, `y` and `z` alone
/// are channels only where their unit, the name of the file, or the row itself says of which sensor. Acceleration
/// without gravity is never taken for acceleration. The optional columns are the time, the activity (`label`)
/// and the wearer (`subject`).
///
/// **Units** are the expected ones unless the stream, or the [`Spelling`], states others: g, mg, m/s2 and rad/s, mrad/s,
/// deg/s, mdps in any usual spelling are converted into one another.
///
/// **Times** are numbers in a unit that stands in the header or behind the name (`time_ms`, `Time (s)`), or else is seen
/// in their steps and told once; or dates (ISO 8601 and near it), also with date and time, or seconds and milliseconds, in
/// two columns. Of several times the one since the start of the recording (`seconds_elapsed`) is read, then a stamp
/// (`time`), then a date.
///
/// **Rows of one sensor each**, which name it (`sensor,time,x,y,z`) or leave the columns of the others empty, are put
/// together: a sample for each row of the first channel's sensor, with the others' values interpolated between their
/// readings before and after. Where the one after is late by half a period of its sensor, the one before is held.
pub struct TextSource<R> {
    lines: LineReader<R>,
    origin: String,
    text: TextDecoder,
    rate: RateCheck,
    any_rate: bool,
    /// The rate that the stream declares; where that is another than the expected one, it gives rows without a time one.
    declared_hz: Option<f64>,
    /// The rate that the caller states in its place.
    stated_hz: Option<f64>,
    /// Timestamps that tell nothing were told of.
    told_coarse: bool,
    /// Rows so far, the malformed ones included.
    rows: u64,
    /// A row has had a time.
    timed: bool,
    /// Something says at what rate rows without times come.
    rate_known: bool,
    /// It was told by what samples are placed, where that may not be what is meant.
    told_placing: bool,
    /// Samples do not arrive as they are taken: nothing but their rate says when they were.
    recorded: bool,
    pacer: Pacer,
    decoded: bool,
    ended: bool,
    rejected: u64,
    first_rejected: Option<String>,
    /// Lines that could not be read before it was known how: how many, and the first.
    unread: (u64, Option<String>),
}

impl TextSource<BufReader<Arc<File>>> {
    /// The stream in the file at `path`; `format` is found out from its first line where it is not given.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(
        path: &Path,
        expected: &StreamFormat,
        format: Option<TextFormat>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SenseError> {
        let file = open_file(path).map_err(|error| SenseError::Open { path: path.to_path_buf(), error })?;
        Ok(Self::from_file(Arc::new(file), path.display().to_string(), expected, format, pace, clock))
    }

    /// The stream on standard input, of which nothing else may read.
    ///
    /// # Errors
    /// When the process has none.
    pub fn stdin(
        expected: &StreamFormat,
        format: Option<TextFormat>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SenseError> {
        let origin = "standard input";
        let file = io::stdin().as_fd().try_clone_to_owned();
        let file = file.map_err(|error| SenseError::Open { path: origin.into(), error })?;
        Ok(Self::from_file(Arc::new(file.into()), origin.to_owned(), expected, format, pace, clock))
    }

    /// The stream in `file`, which messages call `origin`: a file, a pipe or a device. No read waits beyond its
    /// deadline.
    #[must_use]
    pub fn from_file(
        file: Arc<File>,
        origin: String,
        expected: &StreamFormat,
        format: Option<TextFormat>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut source = Self::new(BufReader::new(Arc::clone(&file)), origin, expected, format, pace, clock);
        source.recorded |= file.metadata().is_ok_and(|file| file.is_file());
        source.lines.poll(file);
        source
    }
}

impl<R: BufRead> TextSource<R> {
    /// The stream in `reader`, which messages call `origin`. A deadline ends no read that the reader itself waits in:
    /// it is for bytes in memory.
    pub fn new(
        reader: R,
        origin: String,
        expected: &StreamFormat,
        format: Option<TextFormat>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            lines: LineReader::new(reader),
            origin,
            text: TextDecoder::new(expected, format),
            rate: RateCheck::new(expected.rate_hz),
            any_rate: false,
            declared_hz: None,
            stated_hz: None,
            told_coarse: false,
            rows: 0,
            timed: false,
            rate_known: false,
            told_placing: false,
            recorded: pace != Pace::Live,
            pacer: Pacer::new(clock, pace, expected.rate_hz),
            decoded: false,
            ended: false,
            rejected: 0,
            first_rejected: None,
            unread: (0, None),
        }
    }

    /// The same stream with names and units that the caller knows.
    #[must_use]
    pub fn spelled(mut self, spelling: Spelling) -> Self {
        self.stated_hz = spelling.rate_hz;
        self.rate_known = spelling.rate_hz.is_some();
        self.declared_hz = spelling.rate_hz.or(self.declared_hz);
        self.text.spelled(spelling);
        self
    }

    /// The same stream with the header of `memory`, unless it has one of its own, which `memory` then keeps.
    #[must_use]
    pub fn remembering(mut self, memory: &HeaderMemory) -> Self {
        self.text.remembering(memory);
        self
    }

    /// The same stream with columns for the activity and the wearer that the caller names.
    #[must_use]
    pub fn tagged(mut self, columns: TagColumns) -> Self {
        self.text.wanted().tags = columns;
        self
    }

    /// The same stream, of which axes are the accelerometer's where neither their unit nor the file's name says of which
    /// sensor they are.
    pub(crate) fn with_bare_acceleration(mut self) -> Self {
        self.text.wanted().bare = Some(Sensor::Acceleration);
        self
    }

    /// The same stream for a look at it: at any rate, without a word about conversions.
    pub(crate) fn surveyed(mut self) -> Self {
        self.any_rate = true;
        self.text.wanted().quiet = true;
        self
    }

    /// The same stream after a look at it: what was seen there need not be looked for, and told, again.
    pub(crate) fn after(mut self, layout: &TextLayout) -> Self {
        let seen = layout.time.as_ref().filter(|time| time.seen).and_then(|time| time.unit.as_deref());
        if let Some(unit) = seen.and_then(TimeUnit::named) {
            self.text.set_time_unit(unit);
        }
        self.text.wanted().quiet = true;
        self
    }

    /// The stream's format: the one that is expected of it.
    #[must_use]
    pub fn expected(&self) -> &StreamFormat {
        self.text.expected()
    }

    /// The same stream as one of several that are put together: it may have some of the sensors, and is paced with the
    /// others. Rows without times come at the declared rate, else at the expected one.
    #[must_use]
    pub(crate) fn in_part(mut self) -> Self {
        self.text.in_part();
        self.pacer.let_go();
        self.declared_hz = self.declared_hz.or(Some(self.expected().rate_hz));
        self
    }

    /// What the columns are read as, once there was a header or an object.
    #[must_use]
    pub fn layout(&self) -> Option<TextLayout> {
        self.text.layout()
    }

    /// The rate that the stream declares.
    #[must_use]
    pub fn declared_hz(&self) -> Option<f64> {
        self.declared_hz
    }

    fn place(&self) -> String {
        Place { origin: &self.origin, line: self.lines.number() }.to_string()
    }

    /// Nothing where rows before the line still wait.
    fn reject(&mut self, problem: &str) -> Result<Option<Reading>, SenseError> {
        let message = format!("{}: {problem}", self.place());
        self.note_rejected(problem)?;
        Ok(self.text.defer(message).map(Reading::Malformed))
    }

    /// Gives up on a stream of which nothing at its start could be used.
    fn note_rejected(&mut self, problem: &str) -> Result<(), SenseError> {
        self.rejected += 1;
        if !self.decoded && self.first_rejected.is_none() {
            self.first_rejected = Some(format!("line {}: {problem}", self.lines.number()));
        }
        if self.decoded || self.rejected < HOPELESS_LINES { Ok(()) } else { Err(self.not_samples()) }
    }

    /// Tells of lines that were no header, now that there is one.
    fn tell_unread(&mut self) {
        let (count, first) = std::mem::take(&mut self.unread);
        let more =
            if count > 1 { format!("; {} more before the first that could be read", count - 1) } else { String::new() };
        warn!("{}{more}", first.unwrap_or_default());
    }

    fn not_samples(&mut self) -> SenseError {
        // a header that lacks channels says more than the lines around it
        if let Some(error) = self.text.incomplete_header() {
            return error;
        }
        let names: Vec<_> = self.expected().channels.iter().map(|channel| channel.name.as_str()).collect();
        let (origin, expected) = (self.origin.clone(), names.join(", "));
        match self.lines.number() {
            0 => SenseError::Empty { origin, expected },
            lines => SenseError::NotSamples { origin, lines, first: self.first_rejected.take(), expected },
        }
    }

    fn rate_error(&self, found_hz: f64, by: &'static str) -> SenseError {
        SenseError::Rate { place: self.place(), found_hz, expected_hz: self.expected().rate_hz, by }
    }

    fn end(&mut self) -> Result<Reading, SenseError> {
        if !self.text.has_begun() || !self.decoded && self.rejected > 0 {
            return Err(self.not_samples());
        }
        if !self.any_rate {
            self.rate.finish().map_err(|found| self.rate_error(found, "timestamps"))?;
        }
        if !self.told_placing && self.rows > 0 {
            self.tell_placing();
        }
        Ok(Reading::End)
    }

    /// Tells where samples are placed by another rate than people may think, once the first rows have shown that.
    fn tell_placing(&mut self) {
        self.told_placing = true;
        let quiet = self.text.wanted().quiet;
        let (origin, rate_hz) = (&self.origin, self.expected().rate_hz);
        if let (true, false, Some(stated_hz)) = (self.timed, quiet, self.stated_hz) {
            warn!(
                "{origin}: its samples have times, and go by those; the stated rate of {stated_hz} per second (--rate, \
                 `source.rate_hz`) is not used"
            );
        }
        self.text.end_search();
        let likely = self.layout().and_then(|layout| layout.likely_time);
        let by_default = self.recorded && !self.rate_known;
        if !self.timed && !quiet && (by_default || likely.is_some()) {
            let rate_hz = self.declared_hz.unwrap_or(rate_hz);
            let hint = likely.map_or(String::new(), |likely| {
                format!(
                    "; {likely}, and may be the time: name it `time_s`, `time_ms`, `time_us` or `time_ns`, in the stream or by \
                     --columns (`source.columns`)"
                )
            });
            let state = if by_default { "; state the true rate (--rate, `source.rate_hz`)" } else { "" };
            warn!(
                "{origin}: no column is known to be the time, so its samples are taken for {rate_hz} per second{state}{hint}"
            );
        }
    }

    fn hand_on(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        self.timed |= sample.time_s.is_some();
        if !self.told_placing && (self.timed || self.rows >= rising::ROWS as u64) {
            self.tell_placing();
        }
        let differs = self.declared_hz.is_some_and(|declared_hz| declared_hz != self.expected().rate_hz);
        if !self.timed && (differs || self.text.is_in_part()) {
            sample.time_s = self.declared_hz.map(|rate_hz| self.rows as f64 / rate_hz);
        }
        self.rows += 1;
        if !self.any_rate {
            self.rate.observe(sample.time_s).map_err(|found| self.rate_error(found, "timestamps"))?;
            if self.rate.is_coarse() && !std::mem::replace(&mut self.told_coarse, true) {
                warn!(
                    "{}: samples of 5 s have the same timestamp, which tells nothing of them: they are placed evenly, at {} per \
                     second; write the time with more digits, or as seconds since the start (a float32 holds seconds since 1970 to \
                     128 of them only)",
                    self.place(),
                    self.expected().rate_hz
                );
            }
        }
        Ok(self.pacer.pace(sample, deadline))
    }
}

impl<R: BufRead + Send> Source for TextSource<R> {
    fn untimed_hz(&self) -> Option<f64> {
        self.declared_hz.filter(|_| !self.timed)
    }

    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        if let Some(reading) = self.pacer.resume(sample, deadline) {
            return Ok(reading);
        }
        if let Some(stated_hz) = self.stated_hz.filter(|it| !self.any_rate && !rate::fits(*it, self.expected().rate_hz))
        {
            return Err(self.rate_error(stated_hz, "stated rate (--rate, `source.rate_hz`)"));
        }
        sample.values.resize(self.expected().channels.len(), f64::NAN);
        loop {
            match self.text.pop(sample) {
                Some(Next::Sample(_)) => return self.hand_on(sample, deadline),
                Some(Next::Problem(problem)) => {
                    self.rows += 1;
                    return Ok(Reading::Malformed(problem));
                }
                None => {}
            }
            let after = self.lines.number();
            let clock = self.pacer.clock();
            let decoded = match self.lines.next(|| deadline.saturating_sub(clock.now())) {
                Ok(Line::Whole(line)) => {
                    self.text.decode(line, Place { origin: &self.origin, line: after + 1 }, sample)?
                }
                Ok(Line::TooLong) => Decoded::Malformed(format!("longer than {LONGEST_LINE} bytes")),
                Ok(Line::Pending) => return Ok(Reading::Pending),
                Ok(Line::End) if std::mem::replace(&mut self.ended, true) => return self.end(),
                Ok(Line::End) => {
                    if let Some(error) = self.lines.take_cut() {
                        warn!("{}: gzip ends before its end ({error}): what came before is read", self.origin);
                    }
                    self.text.finish(Place { origin: &self.origin, line: after })?;
                    continue;
                }
                Err(error) => return Err(SenseError::Read { place: self.place(), error }),
            };
            if self.unread.0 > 0 && self.text.has_begun() {
                self.tell_unread();
            }
            match decoded {
                Decoded::Sample => {
                    self.decoded = true;
                    return self.hand_on(sample, deadline);
                }
                Decoded::Rate(found)
                    if self.stated_hz.is_none() && !self.any_rate && !rate::fits(found, self.expected().rate_hz) =>
                {
                    return Err(self.rate_error(found, "declaration"));
                }
                // told when it is known what the lines are, or with the error that they are none
                Decoded::Malformed(problem) if !self.text.has_begun() => {
                    self.note_rejected(&problem)?;
                    self.unread.0 += 1;
                    if self.unread.1.is_none() {
                        self.unread.1 = Some(format!("{}: {problem}", self.place()));
                    }
                }
                Decoded::Words(problem) => self.note_rejected(&problem)?,
                Decoded::Malformed(problem) => {
                    if let Some(malformed) = self.reject(&problem)? {
                        self.rows += 1;
                        return Ok(malformed);
                    }
                }
                Decoded::Other(problem) => self.note_rejected(problem)?,
                Decoded::Taken => self.decoded = true,
                Decoded::Rate(found) => {
                    self.rate_known = true;
                    self.declared_hz = self.stated_hz.or(Some(found));
                }
                Decoded::Nothing => {}
            }
            // lines without end that are no samples must not keep the caller, either
            if !self.text.has_samples() && self.pacer.clock().now() >= deadline {
                return Ok(Reading::Pending);
            }
        }
    }

    fn label(&self) -> Option<&str> {
        self.text.tags().label()
    }

    fn subject(&self) -> Option<&str> {
        self.text.tags().subject()
    }
}

impl<R: BufRead + Send> Part for TextSource<R> {
    fn read(&mut self, into: &mut Labelled, deadline: Duration) -> Result<Reading, SenseError> {
        let reading = Source::read(self, &mut into.sample, deadline)?;
        if reading == Reading::Sample {
            into.sensors = self.text.sensors();
            into.tags.set(self.text.tags());
        }
        Ok(reading)
    }

    fn tie_s(&self) -> Option<f64> {
        self.text.tie_s()
    }

    fn waits_for(&self) -> Option<&File> {
        self.lines.waits_for()
    }

    fn name(&self) -> &str {
        &self.origin
    }
}
