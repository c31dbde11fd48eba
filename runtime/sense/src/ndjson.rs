//! Samples as JSON objects, one per line: the keys are the channels' names.
//!
//! `{"t": 0.02, "acc_x": 0.98, ...}`; `null` stands for a value that was not measured. An object with
//! `"class": "stream"` describes the stream and should come first:
//! `{"class": "stream", "rate_hz": 50, "units": {"acc_x": "m/s2"}}`.

use std::collections::BTreeMap;
use std::fmt;

use log::info;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};

use super::column::{Column, ColumnRole, LABEL, Place, Plan, time_unit};
use crate::SenseError;
use gaitd_core::stream::{Sample, StreamFormat};

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
    /// The sample was filled.
    Sample,
    /// The stream describes itself.
    Header(StreamHeader),
}

/// How the keys of an object are to be read.
pub(super) struct NdjsonDecoder {
    keys: Keys,
    units: BTreeMap<String, String>,
    /// Which channels the present object has had so far.
    seen: Vec<bool>,
    started: bool,
}

impl NdjsonDecoder {
    pub(super) fn new(expected: &StreamFormat) -> Self {
        Self {
            keys: Keys {
                channels: expected.channels.iter().map(|channel| (channel.name.clone(), 1.0)).collect(),
                time: None,
            },
            units: BTreeMap::new(),
            seen: vec![false; expected.channels.len()],
            started: false,
        }
    }

    /// Reads one line. The outer error ends the stream, the inner one says what is wrong with this line only.
    pub(super) fn decode(
        &mut self,
        line: &str,
        expected: &StreamFormat,
        place: Place<'_>,
        sample: &mut Sample,
        label: &mut String,
    ) -> Result<Result<Object, String>, SenseError> {
        let class = match self.parse(line, sample, label) {
            Ok(class) => class,
            Err(error) => return Ok(Err(explain(&error))),
        };
        match class {
            Class::Sample => {}
            Class::Stream => return self.header(line, expected, place).map(|header| Ok(Object::Header(header))),
            Class::Other => return Ok(Err("its \"class\" is neither \"sample\" nor \"stream\"".to_owned())),
        }
        if !self.started {
            self.start(line, expected, place)?;
        }
        if let Some(missing) = self.seen.iter().position(|seen| !seen) {
            return Ok(Err(format!("no `{}`", self.keys.channels[missing].0)));
        }
        Ok(Ok(Object::Sample))
    }

    fn parse(&mut self, line: &str, sample: &mut Sample, label: &mut String) -> serde_json::Result<Class> {
        self.seen.fill(false);
        let mut json = serde_json::Deserializer::from_str(line);
        let reader = ObjectReader { keys: &self.keys, seen: &mut self.seen, sample, label };
        let class = reader.deserialize(&mut json)?;
        json.end().map(|()| class)
    }

    fn header(&mut self, line: &str, expected: &StreamFormat, place: Place<'_>) -> Result<StreamHeader, SenseError> {
        let header: StreamHeader = serde_json::from_str(line)
            .map_err(|error| SenseError::Header { place: place.to_string(), problem: explain(&error) })?;
        if !header.unknown.is_empty() {
            let keys: Vec<_> = header.unknown.keys().map(String::as_str).collect();
            info!("{place}: not used: {}", keys.join(", "));
        }
        self.units.clone_from(&header.units);
        let channels = expected.channels.iter().map(|channel| channel.name.as_str());
        // the time's unit may be stated too; other keys that have one are not used
        let is_channel = |name: &str| expected.channels.iter().any(|channel| channel.name == name);
        let times =
            header.units.keys().map(String::as_str).filter(|name| !is_channel(name) && time_unit(name).is_some());
        let names: Vec<_> = channels.chain(times).collect();
        let columns: Vec<_> = names.iter().map(|name| self.column(name)).collect();
        let plan = Plan::new(&columns, expected, place)?;
        self.keys.set_factors(&plan, &names);
        Ok(header)
    }

    /// Looks at all keys of the first sample, so that missing channels are an error and unused ones are named.
    fn start(&mut self, line: &str, expected: &StreamFormat, place: Place<'_>) -> Result<(), SenseError> {
        let keys: BTreeMap<String, IgnoredAny> = serde_json::from_str(line)
            .map_err(|error| SenseError::Header { place: place.to_string(), problem: explain(&error) })?;
        // the units were settled, and their conversion reported, with the header
        let columns: Vec<_> =
            keys.keys().filter(|key| *key != "class").map(|name| Column { name, unit: None }).collect();
        Plan::new(&columns, expected, place)?;
        self.started = true;
        Ok(())
    }

    fn column<'a>(&'a self, name: &'a str) -> Column<'a> {
        Column { name, unit: self.units.get(name).map(String::as_str) }
    }
}

/// Which keys are looked for, and what their values are multiplied by.
struct Keys {
    /// The expected channels; without factors until the stream has described itself.
    channels: Vec<(String, f64)>,
    /// The time, where the stream has stated its unit.
    time: Option<(String, f64)>,
}

impl Keys {
    /// Takes over the factors of `plan`, whose columns are called `names`.
    fn set_factors(&mut self, plan: &Plan, names: &[&str]) {
        self.time = None;
        for (role, name) in plan.roles.iter().zip(names) {
            match *role {
                ColumnRole::Channel { index, factor } => self.channels[index].1 = factor,
                ColumnRole::Time { seconds } => self.time = Some(((*name).to_owned(), seconds)),
                ColumnRole::Label | ColumnRole::Ignored => {}
            }
        }
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

enum Class {
    Sample,
    Stream,
    Other,
}

enum Key {
    Channel(usize),
    Time(f64),
    Label,
    Class,
    Other,
}

/// Reads an object straight into a sample, without building it in memory first.
struct ObjectReader<'a> {
    keys: &'a Keys,
    seen: &'a mut [bool],
    sample: &'a mut Sample,
    label: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for ObjectReader<'_> {
    type Value = Class;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Class, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectReader<'_> {
    type Value = Class;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with one number per channel")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Class, A::Error> {
        let mut class = Class::Sample;
        while let Some(key) = map.next_key_seed(KeyReader(self.keys))? {
            match key {
                Key::Channel(index) => {
                    let value = map.next_value::<Option<f64>>()?.unwrap_or(f64::NAN);
                    self.sample.values[index] = value * self.keys.channels[index].1;
                    self.seen[index] = true;
                }
                Key::Time(seconds) => self.sample.time_s = map.next_value::<Option<f64>>()?.map(|t| t * seconds),
                Key::Label => {
                    // of a key that is there twice the last value counts, as for the others
                    self.label.clear();
                    map.next_value_seed(LabelReader(self.label))?;
                }
                Key::Class => class = map.next_value_seed(ClassReader)?,
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(class)
    }
}

struct KeyReader<'a>(&'a Keys);

impl<'de> DeserializeSeed<'de> for KeyReader<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Key, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyReader<'_> {
    type Value = Key;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        Ok(match self.0.channels.iter().position(|(name, _)| name == key) {
            Some(index) => Key::Channel(index),
            None if key == "class" => Key::Class,
            None if key == LABEL => Key::Label,
            None => match &self.0.time {
                Some((name, seconds)) if name == key => Key::Time(*seconds),
                _ => time_unit(key).map_or(Key::Other, Key::Time),
            },
        })
    }
}

/// A label may be text or a whole number.
struct LabelReader<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for LabelReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for LabelReader<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a label: text or a whole number")
    }

    fn visit_str<E: Error>(self, label: &str) -> Result<(), E> {
        self.0.push_str(label.trim());
        Ok(())
    }

    fn visit_u64<E: Error>(self, label: u64) -> Result<(), E> {
        fmt::Write::write_fmt(self.0, format_args!("{label}")).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, label: i64) -> Result<(), E> {
        fmt::Write::write_fmt(self.0, format_args!("{label}")).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, label: f64) -> Result<(), E> {
        Err(E::invalid_type(Unexpected::Float(label), &self))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

struct ClassReader;

impl<'de> DeserializeSeed<'de> for ClassReader {
    type Value = Class;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Class, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for ClassReader {
    type Value = Class;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a class: \"sample\" or \"stream\"")
    }

    fn visit_str<E: Error>(self, class: &str) -> Result<Class, E> {
        Ok(match class {
            "sample" => Class::Sample,
            "stream" => Class::Stream,
            _ => Class::Other,
        })
    }
}
