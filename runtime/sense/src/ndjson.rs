//! Samples as JSON objects, one per line: the keys are the channels' names.
//!
//! `{"t": 0.02, "acc_x": 0.98, ...}`; `null` stands for a value that was not measured. Channels may lie in an object or an
//! array by their sensor's name: `{"acc": {"x": 0.98, ...}}`, `{"gyro": [0.1, 0, 0]}`. An object may be of one sensor:
//! `{"sensor": "acc", "values": [0.98, ...]}`. An object with `"class": "stream"` describes the stream and should come
//! first: `{"class": "stream", "rate_hz": 50, "units": {"acc_x": "m/s2"}}`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use log::{info, warn};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::column::{Column, ColumnRole, Plan};
use super::layout::TextLayout;
use super::merge::Sensors;
use super::name::{Meaning, Name, split_unit};
use super::number;
use super::place::Place;
use super::row::Row;
use super::tags::Tags;
use super::time::{Stamp, TimeUnit};
use super::wanted::{Wanted, time_unit, unit_of};
use crate::SenseError;
use gaitd_core::stream::Sample;

/// The most keys whose meaning is kept; others say nothing.
const MOST_KEYS: usize = 256;
/// The longest key, with those that it lies in.
const LONGEST_KEY: usize = 200;
/// Objects and arrays within an object that are looked into.
const DEEPEST: usize = 2;

/// What the stream says about itself.
#[derive(Default, Deserialize)]
pub(super) struct StreamHeader {
    pub(super) rate_hz: Option<f64>,
    #[serde(default)]
    units: BTreeMap<String, String>,
    #[serde(rename = "class")]
    _class: IgnoredAny,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

/// What a line was.
pub(super) enum Object {
    /// The sample was filled but for the channels of sensors that the object does not have; of `lacking`, if of any, it
    /// has no key.
    Sample { present: Sensors, lacking: Option<usize> },
    /// It names its sensor, and has its axes.
    OneSensor,
    /// It names something, and has no channel.
    Unrelated,
    /// The stream describes itself.
    Header(StreamHeader),
}

/// How the keys of an object are to be read.
#[derive(Default)]
pub(super) struct NdjsonDecoder {
    keys: Vec<Key>,
    axis_factors: Vec<f64>,
    units: BTreeMap<String, String>,
    object: Reading,
    started: bool,
    layout: TextLayout,
}

/// A key, with those that it lies in: `acc.x`, `acc#0`.
struct Key {
    path: String,
    role: ColumnRole,
    class: bool,
    /// It may name the sensor that the object is of.
    names: bool,
}

/// What is kept of the object that is being read.
#[derive(Default)]
struct Reading {
    /// The present key, with those that it lies in.
    path: String,
    /// Where the present key probably stands in `keys`: behind the one before.
    next: usize,
    /// The keys that the object has, by their place in `keys`.
    had: Vec<usize>,
    new: Vec<String>,
    /// The channels that the object has.
    seen: Vec<bool>,
    names_sensor: bool,
    /// It has a key that may name the sensor.
    has_name: bool,
    class: Class,
    problem: String,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Class {
    #[default]
    Sample,
    Stream,
    Other,
}

/// A value that is neither an object nor an array.
enum Leaf<'a> {
    Null,
    Bool,
    Whole(i64),
    Real(f64),
    Text(&'a str),
}

impl NdjsonDecoder {
    /// What the keys are, as far as they have come.
    pub(super) fn layout(&self) -> &TextLayout {
        &self.layout
    }

    /// What the stream calls a key.
    pub(super) fn name(&self, key: usize) -> Option<&str> {
        self.keys.get(key).map(|key| key.path.as_str())
    }

    /// What the axes of each channel are multiplied by.
    pub(super) fn axis_factors(&self) -> &[f64] {
        &self.axis_factors
    }

    /// Reads one line. The outer error ends the stream, the inner one says what is wrong with this line only.
    pub(super) fn decode(
        &mut self,
        line: &str,
        wanted: &Wanted,
        place: Place<'_>,
        row: &mut Row,
        sample: &mut Sample,
        tags: &mut Tags,
    ) -> Result<Result<Object, String>, SenseError> {
        if let Err(error) = self.parse(line, wanted, row, sample, tags) {
            return Ok(Err(explain(&error)));
        }
        match self.object.class {
            Class::Sample => {}
            Class::Stream => return self.header(line, wanted, place).map(|header| Ok(Object::Header(header))),
            Class::Other => return Ok(Err("its \"class\" is neither \"sample\" nor \"stream\"".to_owned())),
        }
        if !self.object.new.is_empty() {
            self.learn(wanted, place)?;
            // once more, now that it is known what the keys are
            row.clear();
            tags.clear();
            if let Err(error) = self.parse(line, wanted, row, sample, tags) {
                return Ok(Err(explain(&error)));
            }
        }
        if !self.object.problem.is_empty() {
            return Ok(Err(self.object.problem.clone()));
        }
        if self.object.names_sensor {
            return Ok(Ok(Object::OneSensor));
        }
        let seen = &self.object.seen;
        let lacking = seen.iter().position(|seen| !seen);
        let whole = wanted.whole(|channel| seen[channel]);
        if self.object.has_name && !seen.contains(&true) {
            return Ok(Ok(Object::Unrelated));
        }
        if lacking.is_some() && whole != wanted.partly(|channel| seen[channel]) || whole == 0 {
            let lacking = lacking.unwrap_or_default();
            return Ok(Err(format!("no `{}`", wanted.expected.channels[lacking].name)));
        }
        let present = wanted.partly(|channel| seen[channel] && !sample.values[channel].is_nan());
        // what was not measured of a sensor is a reading of it, too, where no other object can be
        let present = if present == 0 && wanted.in_part { whole } else { present };
        Ok(Ok(Object::Sample { present, lacking }))
    }

    fn parse(
        &mut self,
        line: &str,
        wanted: &Wanted,
        row: &mut Row,
        sample: &mut Sample,
        tags: &mut Tags,
    ) -> serde_json::Result<()> {
        let object = &mut self.object;
        (object.next, object.names_sensor, object.has_name, object.class) = (0, false, false, Class::Sample);
        object.path.clear();
        object.had.clear();
        object.new.clear();
        object.problem.clear();
        object.seen.clear();
        object.seen.resize(wanted.expected.channels.len(), false);
        sample.values.fill(f64::NAN);
        let mut json = serde_json::Deserializer::from_str(line);
        let mut sink = Sink { keys: &self.keys, object, row, sample, tags };
        let whole = Within { sink: &mut sink, depth: 0 };
        // an array has no names of its own
        if wanted.spelling.columns.is_empty() {
            json.deserialize_map(whole)?
        } else {
            json.deserialize_any(whole)?
        }
        json.end()
    }

    fn header(&mut self, line: &str, wanted: &Wanted, place: Place<'_>) -> Result<StreamHeader, SenseError> {
        let header: StreamHeader = serde_json::from_str(line)
            .map_err(|error| SenseError::Header { place: place.to_string(), problem: explain(&error) })?;
        if !header.unknown.is_empty() {
            let keys: Vec<_> = header.unknown.keys().map(String::as_str).collect();
            info!("{place}: not used: {}", keys.join(", "));
        }
        // what is wrong is told here, where it stands; units of other keys are not used
        for (name, unit) in &header.units {
            let channel = (0..wanted.expected.channels.len()).find(|channel| wanted.is_called(*channel, name));
            match channel {
                Some(channel) => drop(wanted.factor(channel, name, unit, place)?),
                None if matches!(Name::new(name).meaning, Meaning::Time(..)) => drop(time_unit(name, unit, place)?),
                None => {}
            }
        }
        self.units.clone_from(&header.units);
        self.keys.clear();
        Ok(header)
    }

    /// Finds out what the keys of the present object are.
    fn learn(&mut self, wanted: &Wanted, place: Place<'_>) -> Result<(), SenseError> {
        let room = MOST_KEYS.saturating_sub(self.keys.len());
        for path in self.object.new.drain(..).take(room) {
            self.object.had.push(self.keys.len());
            let names = ["name", "type"].contains(&path.as_str()) || Name::new(&path).meaning == Meaning::SensorName;
            self.object.has_name |= names;
            self.keys.push(Key { class: path == "class", names, path, role: ColumnRole::Ignored });
        }
        let mut had: Vec<usize> = self.object.had.iter().copied().filter(|place| !self.keys[*place].class).collect();
        had.sort_unstable();
        had.dedup();
        let columns: Vec<_> = had.iter().map(|&key| self.column(&self.keys[key].path, wanted)).collect();
        let plan = match Plan::new(&columns, wanted, place) {
            // a stream that has shown what it is goes on without keys that came later and are in doubt
            Err(error) if self.started => {
                warn!("not used from here on: {error}");
                return Ok(());
            }
            plan => plan?,
        };
        let by_row = plan.is_by_row();
        if !self.started {
            let some = |channel: usize| !plan.missing.contains(&channel);
            let whole = wanted.whole(some);
            if self.object.has_name && !plan.has_channels() {
                return Ok(());
            }
            // objects of one sensor each lack the others
            if !plan.missing.is_empty() && !by_row && (whole == 0 || whole != wanted.partly(some)) {
                return Err(plan.incomplete(wanted, place));
            }
            self.started = true;
        }
        plan.tell(place.origin);
        self.layout.add(TextLayout { form: "NDJSON".to_owned(), ..plan.layout.clone() });
        if by_row {
            self.axis_factors.clone_from(&plan.axis_factors);
        }
        for (key, role) in had.into_iter().zip(&plan.roles) {
            // an object may lack what shows the meaning of a key that it shares with others
            if *role != ColumnRole::Ignored {
                self.keys[key].role = *role;
            }
        }
        Ok(())
    }

    fn column(&self, path: &str, wanted: &Wanted) -> Column {
        let stated = path.rsplit_once('#').and_then(|(array, number)| {
            let names_nothing = array.is_empty() || Name::new(array).meaning == Meaning::Unknown;
            wanted.spelling.columns.get(number.parse::<usize>().ok()?).filter(|_| names_nothing)
        });
        if let Some(stated) = stated {
            let (name, unit) = split_unit(if stated == "-" { "" } else { stated });
            return Column { text: path.to_owned(), name: name.to_owned(), unit: unit.map(str::to_owned) };
        }
        let units = || self.units.iter().map(|(name, unit)| (name.as_str(), unit.as_str()));
        let channel = (0..wanted.expected.channels.len()).find(|channel| wanted.is_called(*channel, path));
        let exact = units().find(|(name, _)| *name == path).map(|(_, unit)| unit);
        let unit = exact.or_else(|| channel.and_then(|channel| unit_of(wanted, channel, units())));
        Column { text: path.to_owned(), name: path.to_owned(), unit: unit.map(str::to_owned) }
    }
}

/// What is wrong with a line, without the parser's own count of lines: it sees only this one. The parser quotes all of a
/// text that stands where none should, which may be as long as a line.
fn explain(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let mut text = error.to_string().replace("at line 1 column", "at column");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Where an object is read to: straight into a sample, without building it in memory first.
struct Sink<'a> {
    keys: &'a [Key],
    object: &'a mut Reading,
    row: &'a mut Row,
    sample: &'a mut Sample,
    tags: &'a mut Tags,
}

impl Sink<'_> {
    /// Takes the value of the present key.
    fn take(&mut self, leaf: &Leaf<'_>) {
        let object = &mut *self.object;
        let is_present = |key: &Key| key.path == object.path;
        let place = if self.keys.get(object.next).is_some_and(is_present) {
            object.next
        } else {
            match self.keys.iter().position(is_present) {
                Some(place) => place,
                None => {
                    let room = object.path.len() <= LONGEST_KEY && self.keys.len() + object.new.len() < MOST_KEYS;
                    if room && !object.new.contains(&object.path) {
                        object.new.push(object.path.clone());
                    }
                    if object.path == "class" {
                        self.classify(leaf);
                    }
                    return;
                }
            }
        };
        object.next = place + 1;
        object.had.push(place);
        if self.keys[place].class {
            return self.classify(leaf);
        }
        object.has_name |= self.keys[place].names;
        self.fill(place, leaf);
    }

    fn classify(&mut self, leaf: &Leaf<'_>) {
        self.object.class = match leaf {
            Leaf::Text("sample") => Class::Sample,
            Leaf::Text("stream") => Class::Stream,
            _ => Class::Other,
        };
    }

    /// Takes the value of the key at `place`.
    fn fill(&mut self, place: usize, leaf: &Leaf<'_>) {
        let role = self.keys[place].role;
        match role {
            ColumnRole::Channel { index, factor } => {
                // of a key that is there twice the last value counts
                self.object.seen[index] = true;
                self.sample.values[index] = self.number(leaf) * factor;
            }
            ColumnRole::Axis(axis) => self.row.axes[axis] = self.number(leaf),
            ColumnRole::SensorName => {
                self.object.names_sensor = true;
                match leaf {
                    Leaf::Text(name) => self.row.is_of(name),
                    _ => self.wrong("is no name of a sensor", leaf),
                }
            }
            ColumnRole::Time(unit) => (self.row.stamp, self.row.unit) = (self.stamp(leaf), unit),
            ColumnRole::Date => self.row.date = self.stamp(leaf),
            ColumnRole::Rest(unit) => self.row.rest = Some((self.stamp(leaf), unit)),
            ColumnRole::Tie(unit) => self.row.tie = Some((self.stamp(leaf), unit)),
            ColumnRole::Label | ColumnRole::Subject => {
                let tag = if role == ColumnRole::Label { &mut self.tags.label } else { &mut self.tags.subject };
                tag.clear();
                match leaf {
                    Leaf::Text(text) => tag.push_str(text.trim()),
                    // writing to memory cannot fail
                    Leaf::Whole(number) => drop(write!(tag, "{number}")),
                    Leaf::Null => {}
                    _ => self.wrong("is neither text nor a whole number", leaf),
                }
            }
            ColumnRole::Ignored => {
                if let Some(unused) = &mut self.row.unused {
                    let stamp = match leaf {
                        Leaf::Whole(number) => Some(Stamp::Whole(*number)),
                        Leaf::Real(number) => Some(Stamp::from(*number)),
                        Leaf::Text(text) => Stamp::parse(text.trim()),
                        Leaf::Null | Leaf::Bool => None,
                    };
                    unused.observe(place, stamp.and_then(|stamp| stamp.seconds(TimeUnit::Seconds)));
                }
            }
        }
    }

    fn number(&mut self, leaf: &Leaf<'_>) -> f64 {
        match leaf {
            Leaf::Null => f64::NAN,
            Leaf::Whole(number) => *number as f64,
            Leaf::Real(number) => *number,
            Leaf::Text(text) if number::parse(text.trim()).is_some() => number::parse(text.trim()).unwrap_or(f64::NAN),
            Leaf::Text(_) | Leaf::Bool => {
                self.wrong("is not a number", leaf);
                f64::NAN
            }
        }
    }

    fn stamp(&mut self, leaf: &Leaf<'_>) -> Stamp {
        let stamp = match leaf {
            Leaf::Null => Some(Stamp::Missing),
            Leaf::Whole(whole) => Some(Stamp::Whole(*whole)),
            Leaf::Real(real) => Some(Stamp::from(*real)),
            Leaf::Text(text) => Stamp::parse(text.trim()),
            Leaf::Bool => None,
        };
        stamp.unwrap_or_else(|| {
            self.wrong("is not a time", leaf);
            Stamp::Missing
        })
    }

    /// Notes the first thing that is wrong with the object.
    fn wrong(&mut self, what: &str, leaf: &Leaf<'_>) {
        let Reading { path, problem, .. } = &mut *self.object;
        if problem.is_empty() {
            // writing to memory cannot fail
            let _ = match leaf {
                Leaf::Text(text) => write!(problem, "`{path:.40}` {what}: \"{text:.40}\""),
                Leaf::Real(number) => write!(problem, "`{path:.40}` {what}: {number}"),
                Leaf::Whole(number) => write!(problem, "`{path:.40}` {what}: {number}"),
                Leaf::Bool => write!(problem, "`{path:.40}` {what}: true or false"),
                Leaf::Null => write!(problem, "`{path:.40}` {what}: null"),
            };
        }
    }
}

/// A value so deep in the object of a line.
struct Within<'a, 'b> {
    sink: &'a mut Sink<'b>,
    depth: usize,
}

impl Within<'_, '_> {
    fn take<E>(self, leaf: &Leaf<'_>) -> Result<(), E> {
        self.sink.take(leaf);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.depth > DEEPEST {
            json.deserialize_ignored_any(IgnoredAny).map(drop)
        } else {
            json.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Within<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with one number per channel")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let outer = self.sink.object.path.len();
        while map.next_key_seed(KeyReader { path: &mut self.sink.object.path, outer })?.is_some() {
            map.next_value_seed(Within { sink: &mut *self.sink, depth: self.depth + 1 })?;
            self.sink.object.path.truncate(outer);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let outer = self.sink.object.path.len();
        for number in 0.. {
            // writing to memory cannot fail
            let _ = write!(self.sink.object.path, "#{number}");
            let element = elements.next_element_seed(Within { sink: &mut *self.sink, depth: self.depth + 1 })?;
            self.sink.object.path.truncate(outer);
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(&Leaf::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.take(&Leaf::Bool)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(&Leaf::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(&i64::try_from(value).map_or(Leaf::Real(value as f64), Leaf::Whole))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(&Leaf::Real(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.take(&Leaf::Text(value))
    }
}

/// Appends a key to those that it lies in.
struct KeyReader<'a> {
    path: &'a mut String,
    outer: usize,
}

impl<'de> DeserializeSeed<'de> for KeyReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyReader<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        if self.outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        Ok(())
    }
}
