//! From lines of text to samples.

use log::info;

use super::assembly::{Accepted, Arrival, Assembly, Next};
use super::csv::{Again, Beginning, CsvDecoder};
use super::layout::TextLayout;
use super::merge::Sensors;
use super::ndjson::{NdjsonDecoder, Object};
use super::near;
use super::place::Place;
use super::rising::Rising;
use super::row::Row;
use super::tags::Tags;
use super::time::TimeUnit;
use super::wanted::Wanted;
use crate::{HeaderMemory, SenseError, Spelling, TextFormat};
use gaitd_core::stream::{Sample, StreamFormat};
use gaitd_core::words::counted;

/// So many letters of a line are shown.
const SHOWN: usize = 40;

const OTHER_SENSOR: &str = "of a sensor that none of the channels is of";

/// What a line was.
pub(super) enum Decoded {
    Sample,
    /// A row that is no sample by itself; there may be some now that wait in the assembly.
    Taken,
    Rate(f64),
    Nothing,
    /// Nothing that is wanted, and why: the stream is none if that is all.
    Other(&'static str),
    /// Words before the header, and what they are not.
    Words(String),
    Malformed(String),
}

enum Decoder {
    Csv(Box<CsvDecoder>),
    Ndjson(Box<NdjsonDecoder>),
}

/// A line of words that may have been the header.
struct Candidate {
    fields: usize,
    known: usize,
    error: SenseError,
}

/// Everything about the text apart from where it comes from.
pub(super) struct TextDecoder {
    wanted: Wanted,
    format: Option<TextFormat>,
    memory: HeaderMemory,
    decoder: Option<Decoder>,
    candidate: Option<Candidate>,
    row: Row,
    tags: Tags,
    sensors: Sensors,
    /// The first row's time by another clock than that of its time.
    tie_s: Option<f64>,
    assembly: Assembly,
    /// A column that may be the time, once that was looked for.
    likely_time: Option<String>,
}

impl TextDecoder {
    /// Of a text of which nothing has been seen.
    pub(super) fn new(expected: &StreamFormat, format: Option<TextFormat>) -> Self {
        Self {
            wanted: Wanted::new(expected),
            format,
            memory: HeaderMemory::default(),
            decoder: None,
            candidate: None,
            row: Row::watching(),
            tags: Tags::default(),
            sensors: 0,
            tie_s: None,
            assembly: Assembly::new(expected.rate_hz),
            likely_time: None,
        }
    }

    /// Takes what the caller knows of the text.
    pub(super) fn spelled(&mut self, spelling: Spelling) {
        self.wanted.spelling = spelling;
    }

    /// From here on all channels of one sensor are enough.
    pub(super) fn in_part(&mut self) {
        self.wanted.in_part = true;
    }

    /// Whether all channels of one sensor are enough.
    pub(super) fn is_in_part(&self) -> bool {
        self.wanted.in_part
    }

    /// The sensors of which the sample that was given last has values.
    pub(super) fn sensors(&self) -> Sensors {
        self.sensors
    }

    /// Uses, and keeps, the header in `memory`.
    pub(super) fn remembering(&mut self, memory: &HeaderMemory) {
        self.memory = memory.clone();
    }

    /// What is expected of the stream.
    pub(super) fn expected(&self) -> &StreamFormat {
        &self.wanted.expected
    }

    /// The activity and the wearer of the sample that was given last.
    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// What the columns are, once that is known.
    pub(super) fn layout(&self) -> Option<TextLayout> {
        let mut layout = match self.decoder.as_ref()? {
            Decoder::Csv(csv) => csv.layout().clone(),
            Decoder::Ndjson(json) => json.layout().clone(),
        };
        if let Some(time) = layout.time.as_mut().filter(|time| time.unit.is_none()) {
            time.unit = self.assembly.unit().map(|unit| unit.symbol().to_owned());
            time.seen = time.unit.is_some();
        }
        // what it holds says more than what it is called
        let named = |(at, step)| {
            let name = match self.decoder.as_ref()? {
                Decoder::Csv(csv) => csv.name(at),
                Decoder::Ndjson(json) => json.name(at),
            };
            Some(format!("`{:.40}` rises evenly, by about {} a row", name?, rounded(step)))
        };
        let rising = self.row.unused.as_ref().and_then(Rising::found).filter(|_| layout.time.is_none());
        layout.likely_time = self.likely_time.clone().or_else(|| rising.and_then(named)).or(layout.likely_time);
        Some(layout)
    }

    /// Looks no further for a column that may be the time.
    pub(super) fn end_search(&mut self) {
        self.likely_time = self.layout().and_then(|layout| layout.likely_time);
        self.row.unused = None;
    }

    /// What a time without a unit is in.
    pub(super) fn set_time_unit(&mut self, unit: TimeUnit) {
        self.assembly.set_unit(unit);
    }

    /// What is looked for.
    pub(super) fn wanted(&mut self) -> &mut Wanted {
        &mut self.wanted
    }

    /// The time of the first row by a clock that is not that of the recording, where it has one.
    pub(super) fn tie_s(&self) -> Option<f64> {
        self.tie_s
    }

    /// Whether it is known how lines are to be read.
    pub(super) fn has_begun(&self) -> bool {
        self.decoder.is_some()
    }

    /// What was wrong with a line that knew some of the channels, where no header had all.
    pub(super) fn incomplete_header(&mut self) -> Option<SenseError> {
        self.candidate.take().filter(|candidate| candidate.known > 0).map(|candidate| candidate.error)
    }

    /// Keeps what is wrong with a line for its turn, where rows before it wait; else gives it back.
    pub(super) fn defer(&mut self, problem: String) -> Option<String> {
        self.assembly.defer(problem)
    }

    /// What comes next of that which is ready: a sample is put in place of `sample`.
    pub(super) fn pop(&mut self, sample: &mut Sample) -> Option<Next> {
        let next = self.assembly.pop(sample, &mut self.tags);
        if let Some(Next::Sample(sensors)) = &next {
            self.sensors = *sensors;
        }
        next
    }

    /// Whether a sample is ready.
    pub(super) fn has_samples(&self) -> bool {
        !self.assembly.is_empty()
    }

    /// Reads a line. `sample` is filled where it is one; afterwards it may have another buffer.
    pub(super) fn decode(&mut self, line: &[u8], place: Place<'_>, sample: &mut Sample) -> Result<Decoded, SenseError> {
        if place.line == 1 && line.starts_with(b"PK\x03\x04") {
            let problem = "is a zip archive: unpack it, and name the files in it".to_owned();
            return Err(SenseError::Header { place: place.origin.to_owned(), problem });
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return Ok(Decoded::Malformed("not text (invalid UTF-8)".to_owned()));
        };
        // some programs begin a file with a byte order mark
        let line = line.strip_prefix('\u{feff}').filter(|_| place.line == 1).unwrap_or(line);
        let text = line.trim();
        if text.is_empty() {
            return Ok(Decoded::Nothing);
        }
        if self.format != Some(TextFormat::Ndjson) && ["#", "%", "//"].iter().any(|mark| text.starts_with(mark)) {
            return self.comment(text, place);
        }
        if self.decoder.is_none() {
            self.wanted.check(place)?;
            if let Some(decoded) = self.begin(line, place)? {
                return Ok(decoded);
            }
        }
        sample.time_s = None;
        self.tags.clear();
        self.row.clear();
        match &mut self.decoder {
            Some(Decoder::Csv(_)) => self.csv(line, place, sample),
            Some(Decoder::Ndjson(_)) => self.json(text, place, sample),
            None => Ok(Decoded::Nothing),
        }
    }

    /// A comment may declare the rate, or be the header.
    fn comment(&mut self, comment: &str, place: Place<'_>) -> Result<Decoded, SenseError> {
        let text = comment.trim_start_matches(['#', '%', '/']).trim();
        if let Some(declared) = declared_rate(text) {
            return declared.map(Decoded::Rate).map_err(|text| SenseError::Header {
                place: place.to_string(),
                problem: format!("rate_hz must be a number of hertz, not {text:.40}"),
            });
        }
        // the one of before, or words that are no header, hold nothing up
        if self.decoder.is_none()
            && let Ok(Beginning::Header(csv)) = CsvDecoder::begin(text, &self.wanted, place)
        {
            self.take_header(csv);
        }
        Ok(Decoded::Nothing)
    }

    /// Looks at a line for which there is no decoder yet; nothing once there is one that is to read it.
    fn begin(&mut self, line: &str, place: Place<'_>) -> Result<Option<Decoded>, SenseError> {
        let start = line.trim_start();
        let is_array = start.starts_with('[') && !self.wanted.spelling.columns.is_empty();
        let json = self.format.map_or(start.starts_with('{') || is_array, |format| format == TextFormat::Ndjson);
        if json {
            self.decoder = Some(Decoder::Ndjson(Box::default()));
            return Ok(None);
        }
        Ok(Some(match CsvDecoder::begin(line, &self.wanted, place)? {
            Beginning::Header(csv) => {
                self.take_header(csv);
                Decoded::Nothing
            }
            Beginning::Words { fields, known, error } => {
                if self.candidate.as_ref().is_none_or(|before| before.known <= known) {
                    self.candidate = Some(Candidate { fields, known, error });
                }
                Decoded::Words(format!("words, but no header with the channels: {}", shown(line)))
            }
            Beginning::Numbers { fields } => return self.without_header(line, fields, place),
            Beginning::Other => Decoded::Malformed(format!("neither a CSV header nor a JSON object: {}", shown(line))),
        }))
    }

    /// A line of numbers before any header: by the columns that are stated, or the header of before.
    fn without_header(&mut self, line: &str, fields: usize, place: Place<'_>) -> Result<Option<Decoded>, SenseError> {
        let mut csv = CsvDecoder::by_columns(line, &self.wanted, place)?;
        if csv.is_none() && self.wanted.spelling.columns.is_empty() {
            // numbers under a line of as many words: that was the header
            if let Some(candidate) = self.candidate.take_if(|candidate| fields > 1 && candidate.fields == fields) {
                return Err(candidate.error);
            }
            if let Some(header) = self.memory.recall()
                && let Beginning::Header(before) = CsvDecoder::begin(&header, &self.wanted, place)?
            {
                info!("{}: no header; the one of before holds: {header:.200}", place.origin);
                csv = Some(before);
            }
        }
        Ok(match csv {
            Some(csv) => {
                self.decoder = Some(Decoder::Csv(csv));
                None
            }
            None => Some(Decoded::Malformed(format!(
                "{} with numbers, but no header; state the names of the columns (--columns, `source.columns`): {}",
                counted(fields as u64, "field", "fields"),
                shown(line)
            ))),
        })
    }

    fn take_header(&mut self, csv: Box<CsvDecoder>) {
        self.memory.remember(csv.header());
        self.candidate = None;
        self.decoder = Some(Decoder::Csv(csv));
    }

    fn csv(&mut self, line: &str, place: Place<'_>, sample: &mut Sample) -> Result<Decoded, SenseError> {
        let Some(Decoder::Csv(csv)) = &mut self.decoder else { return Ok(Decoded::Nothing) };
        if let Err(problem) = csv.decode(line, &mut self.row, sample, &mut self.tags) {
            return Ok(match csv.again(line, &self.wanted, place)? {
                Again::No => Decoded::Malformed(problem),
                Again::Same => Decoded::Nothing,
                Again::Other(other) => {
                    self.assembly.restart(place.origin);
                    self.take_header(other);
                    Decoded::Nothing
                }
            });
        }
        let by_row = csv.is_by_row();
        if by_row && !self.row.spread(&self.wanted, csv.axis_factors(), &mut sample.values) {
            return Ok(Decoded::Other(OTHER_SENSOR));
        }
        let sensors = csv.sensors();
        let mut present = self.present(by_row, sample);
        if self.wanted.in_part && !by_row {
            // values of the others are left from before; and a row without any says that of all that it should have
            present &= sensors;
            present = if present == 0 { sensors } else { present };
        }
        self.arrive(present, None, by_row, place, sample)
    }

    fn json(&mut self, line: &str, place: Place<'_>, sample: &mut Sample) -> Result<Decoded, SenseError> {
        let Some(Decoder::Ndjson(json)) = &mut self.decoder else { return Ok(Decoded::Nothing) };
        match json.decode(line, &self.wanted, place, &mut self.row, sample, &mut self.tags)? {
            Ok(Object::Sample { present, lacking }) => self.arrive(present, lacking, false, place, sample),
            Ok(Object::OneSensor) => {
                if !self.row.spread(&self.wanted, json.axis_factors(), &mut sample.values) {
                    return Ok(Decoded::Other(OTHER_SENSOR));
                }
                let present = self.present(true, sample);
                self.arrive(present, None, true, place, sample)
            }
            Ok(Object::Unrelated) => Ok(Decoded::Other(OTHER_SENSOR)),
            Ok(Object::Header(header)) => {
                self.assembly.restart(place.origin);
                Ok(header.rate_hz.map_or(Decoded::Nothing, Decoded::Rate))
            }
            Err(problem) => Ok(Decoded::Malformed(problem)),
        }
    }

    /// The sensors that a row has values of.
    fn present(&self, by_row: bool, sample: &Sample) -> Sensors {
        if by_row {
            let number = self.row.sensor.flatten().and_then(|sensor| self.wanted.number_of(sensor));
            return number.map_or(0, |number| 1 << number);
        }
        if sample.values.iter().any(|value| value.is_nan()) {
            self.wanted.partly(|channel| !sample.values[channel].is_nan())
        } else {
            self.wanted.all()
        }
    }

    /// Hands a row to the assembly.
    fn arrive(
        &mut self,
        present: Sensors,
        lacking: Option<usize>,
        by_row: bool,
        place: Place<'_>,
        sample: &mut Sample,
    ) -> Result<Decoded, SenseError> {
        let (stamp, unit) = (self.row.time(), self.row.unit);
        self.tie_s = self.tie_s.or_else(|| self.row.tie_s());
        let row = Arrival { present, lacking: lacking.is_some(), by_row, stamp, unit };
        match self.assembly.accept(&row, sample, &mut self.tags, &self.wanted, place.origin) {
            Accepted::Sample => {
                self.sensors = present;
                Ok(Decoded::Sample)
            }
            Accepted::Taken => self.check_sensors(place).map(|()| Decoded::Taken),
            Accepted::Lacking => {
                let name = lacking.map(|index| self.wanted.expected.channels[index].name.as_str());
                Ok(Decoded::Malformed(format!("no `{}`", name.unwrap_or_default())))
            }
        }
    }

    /// Refuses a stream in which a sensor has not come for as long as the others waited for it.
    fn check_sensors(&self, place: Place<'_>) -> Result<(), SenseError> {
        let missing = self.assembly.missing();
        if missing == 0 {
            return Ok(());
        }
        let of = |(number, channels)| if missing >> number & 1 == 1 { channels } else { &[][..] };
        let sensors = self.wanted.sensors().iter().map(Vec::as_slice).enumerate();
        let channels: Vec<usize> = sensors.flat_map(of).copied().collect();
        let others = (0..self.wanted.expected.channels.len()).filter(|index| !channels.contains(index));
        let mut found: Vec<_> = others.map(|index| self.wanted.expected.channels[index].name.clone()).collect();
        found.extend(self.row.met().map(|name| format!("the sensor {name}")));
        Err(near::missing(
            &channels,
            &found,
            "rows are of one sensor each, and none is of these; ".into(),
            &self.wanted,
            place,
        ))
    }

    /// There are no further lines: all samples are ready.
    pub(super) fn finish(&mut self, place: Place<'_>) -> Result<(), SenseError> {
        self.assembly.finish(place.origin);
        self.check_sensors(place)
    }
}

/// The start of a line, and what may keep it from being read.
fn shown(line: &str) -> String {
    let text = line.trim();
    let start: String = text.chars().take(SHOWN).collect();
    let dots = if start.len() < text.len() { "..." } else { "" };
    let apart = |by: fn(char) -> bool| text.split(by).filter(|field| !field.is_empty()).count();
    let hint = if text.contains([',', ';', '\t']) {
        // as plotters of serial ports have them
        let pair = |field: &str| field.split_once(':').is_some_and(|(_, value)| value.trim().parse::<f64>().is_ok());
        let pairs = text.split([',', ';', '\t']).all(pair);
        if pairs { " (names beside the values? write them once, as a header, or lines of JSON)" } else { "" }
    } else if apart(|letter| letter == '|') > 2 {
        " (fields apart by bars? gaitd reads commas, semicolons and tabs)"
    } else if apart(char::is_whitespace) > 2 {
        " (fields apart by blanks? gaitd reads commas, semicolons and tabs)"
    } else {
        ""
    };
    format!("`{start}{dots}`{hint}")
}

/// A number with two digits that matter, for people.
fn rounded(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}

/// The sample rate that a comment such as `rate_hz=50` declares; an error is the text that is not a rate.
fn declared_rate(comment: &str) -> Option<Result<f64, String>> {
    let value = comment.strip_prefix("rate_hz")?.trim_start().strip_prefix(['=', ':'])?.trim();
    info!("the stream declares a rate of {value} Hz");
    Some(value.parse().map_err(|_| value.to_owned()))
}
