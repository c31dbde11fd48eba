//! Samples as text: CSV or NDJSON, from a file, standard input or any other reader.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::column::Place;
use super::csv::{self, CsvDecoder};
use super::lines::{LONGEST_LINE, Line, LineReader};
use super::ndjson::{NdjsonDecoder, Object};
use super::rate::{self, RateCheck};
use crate::{Pace, Pacer, SenseError, Source};
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};

/// So many lines without a sample, at the start, are enough to give up on a stream.
const HOPELESS_LINES: u64 = 100;

/// How samples are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextFormat {
    /// Comma-separated values after a header line with the channels' names, each optionally followed by its unit in
    /// square brackets: `t,acc_x [m/s2],...`. An empty field stands for a value that was not measured. Lines that
    /// begin with `#` are comments; `# rate_hz=50` declares the sample rate.
    Csv,
    /// One JSON object per line, its keys the channels' names; `null` stands for a value that was not measured. An
    /// object `{"class": "stream", "rate_hz": 50, "units": {"acc_x": "m/s2"}}` describes the stream.
    Ndjson,
}

/// A stream of samples as text.
///
/// Nothing is read before the first [`Source::read`]. Columns (keys) may stand in any order, unknown ones are logged
/// once and left out, and the optional ones are the time (`t`, `time` or `timestamp` in seconds, or with a suffix
/// `_s`, `_ms`, `_us`, `_ns`) and the activity (`label`). Units are the expected ones unless the stream states others;
/// g and m/s2, and rad/s and deg/s, are converted into one another. A line over 64 KiB is never held in memory.
pub struct TextSource<R> {
    lines: LineReader<R>,
    origin: String,
    text: TextDecoder,
    rate: RateCheck,
    pacer: Pacer,
    decoded: bool,
    rejected: u64,
    first_rejected: Option<String>,
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
        let file = File::open(path).map_err(|error| SenseError::Open { path: path.to_path_buf(), error })?;
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
            text: TextDecoder { expected: expected.clone(), format, decoder: None, label: String::new() },
            rate: RateCheck::new(expected.rate_hz),
            pacer: Pacer::new(clock, pace, expected.rate_hz),
            decoded: false,
            rejected: 0,
            first_rejected: None,
        }
    }

    /// The stream's format: the one that is expected of it.
    #[must_use]
    pub fn expected(&self) -> &StreamFormat {
        &self.text.expected
    }

    /// The activity that the recording states for the sample read last; nothing if the recording has no labels or
    /// states none for this sample.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        Some(self.text.label.as_str()).filter(|label| !label.is_empty())
    }

    fn place(&self) -> String {
        Place { origin: &self.origin, line: self.lines.number() }.to_string()
    }

    fn reject(&mut self, problem: &str) -> Result<Reading, SenseError> {
        let message = format!("{}: {problem}", self.place());
        self.rejected += 1;
        if !self.decoded && self.first_rejected.is_none() {
            self.first_rejected = Some(format!("line {}: {problem}", self.lines.number()));
        }
        if !self.decoded && self.rejected >= HOPELESS_LINES {
            return Err(self.not_samples());
        }
        Ok(Reading::Malformed(message))
    }

    fn not_samples(&mut self) -> SenseError {
        let names: Vec<_> = self.text.expected.channels.iter().map(|channel| channel.name.as_str()).collect();
        let (origin, expected) = (self.origin.clone(), names.join(", "));
        match self.lines.number() {
            0 => SenseError::Empty { origin, expected },
            lines => SenseError::NotSamples { origin, lines, first: self.first_rejected.take(), expected },
        }
    }

    fn rate_error(&self, found_hz: f64, by: &'static str) -> SenseError {
        SenseError::Rate { place: self.place(), found_hz, expected_hz: self.text.expected.rate_hz, by }
    }

    fn end(&mut self) -> Result<Reading, SenseError> {
        if self.text.decoder.is_none() || !self.decoded && self.rejected > 0 {
            return Err(self.not_samples());
        }
        self.rate.finish().map_err(|found| self.rate_error(found, "timestamps"))?;
        Ok(Reading::End)
    }
}

impl<R: BufRead + Send> Source for TextSource<R> {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        if let Some(reading) = self.pacer.resume(sample, deadline) {
            return Ok(reading);
        }
        sample.values.resize(self.text.expected.channels.len(), f64::NAN);
        loop {
            let after = self.lines.number();
            let clock = self.pacer.clock();
            let decoded = match self.lines.next(|| deadline.saturating_sub(clock.now())) {
                Ok(Line::Whole(line)) => {
                    self.text.decode(line, Place { origin: &self.origin, line: after + 1 }, sample)?
                }
                Ok(Line::TooLong) => Decoded::Malformed(format!("longer than {LONGEST_LINE} bytes")),
                Ok(Line::Pending) => return Ok(Reading::Pending),
                Ok(Line::End) => return self.end(),
                Err(error) => return Err(SenseError::Read { place: self.place(), error }),
            };
            match decoded {
                Decoded::Sample => {
                    self.decoded = true;
                    self.rate.observe(sample.time_s).map_err(|found| self.rate_error(found, "timestamps"))?;
                    return Ok(self.pacer.pace(sample, deadline));
                }
                Decoded::Rate(found) if !rate::fits(found, self.text.expected.rate_hz) => {
                    return Err(self.rate_error(found, "declaration"));
                }
                // lines without end that are no samples must not keep the caller, either
                Decoded::Rate(_) | Decoded::Nothing if self.pacer.clock().now() >= deadline => {
                    return Ok(Reading::Pending);
                }
                Decoded::Rate(_) | Decoded::Nothing => {}
                Decoded::Malformed(problem) => return self.reject(&problem),
            }
        }
    }
}

/// What a line was.
enum Decoded {
    Sample,
    Rate(f64),
    Nothing,
    Malformed(String),
}

enum Decoder {
    Csv(CsvDecoder),
    Ndjson(NdjsonDecoder),
}

/// Everything about the text apart from where it comes from.
struct TextDecoder {
    expected: StreamFormat,
    format: Option<TextFormat>,
    decoder: Option<Decoder>,
    label: String,
}

impl TextDecoder {
    fn decode(&mut self, line: &[u8], place: Place<'_>, sample: &mut Sample) -> Result<Decoded, SenseError> {
        let Ok(line) = std::str::from_utf8(line) else {
            return Ok(Decoded::Malformed("not text (invalid UTF-8)".to_owned()));
        };
        // some programs begin a file with a byte order mark
        let line = line.strip_prefix('\u{feff}').filter(|_| place.line == 1).unwrap_or(line).trim();
        if line.is_empty() {
            return Ok(Decoded::Nothing);
        }
        if line.starts_with('#') && self.format != Some(TextFormat::Ndjson) {
            return match csv::declared_rate(line) {
                None => Ok(Decoded::Nothing),
                Some(Ok(rate_hz)) => Ok(Decoded::Rate(rate_hz)),
                Some(Err(text)) => Err(SenseError::Header {
                    place: place.to_string(),
                    problem: format!("rate_hz must be a number of hertz, not {text:.40}"),
                }),
            };
        }
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => {
                let json = self.format.map_or(line.starts_with('{'), |format| format == TextFormat::Ndjson);
                if json {
                    none.insert(Decoder::Ndjson(NdjsonDecoder::new(&self.expected)))
                } else {
                    let header = CsvDecoder::from_header(line, &self.expected, place)?;
                    let found = header.is_some();
                    *none = header.map(Decoder::Csv);
                    return Ok(if found {
                        Decoded::Nothing
                    } else {
                        Decoded::Malformed("neither a CSV header nor a JSON object".to_owned())
                    });
                }
            }
        };
        sample.time_s = None;
        self.label.clear();
        Ok(match decoder {
            Decoder::Csv(csv) => match csv.decode(line, sample, &mut self.label) {
                Ok(()) => Decoded::Sample,
                Err(problem) => Decoded::Malformed(problem),
            },
            Decoder::Ndjson(json) => match json.decode(line, &self.expected, place, sample, &mut self.label)? {
                Ok(Object::Sample) => Decoded::Sample,
                Ok(Object::Header(header)) => header.rate_hz.map_or(Decoded::Nothing, Decoded::Rate),
                Err(problem) => Decoded::Malformed(problem),
            },
        })
    }
}
