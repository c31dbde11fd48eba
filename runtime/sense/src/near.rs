//! What to say of a stream that lacks channels: what came near, and what mends it.

use super::column::Column;
use super::name::{Meaning, Name, Sensor};
use super::place::Place;
use super::wanted::Wanted;
use crate::SenseError;

/// So many names are listed.
const MOST_NAMES: usize = 24;
/// So many letters at most tell a mistyped name from another one.
const MOST_WRONG_LETTERS: usize = 2;

/// The shipped ladder that reads acceleration alone.
const WITHOUT_ROTATION: &str = "wisdm-watch-cnn";

/// Whether all that is missing is the gyroscope, of several sensors.
fn lacks_rotation_only(missing: &[usize], wanted: &Wanted) -> bool {
    let rotation = |index: &usize| wanted.axis_of(*index).is_some_and(|(sensor, _)| sensor == Sensor::Rotation);
    missing.len() < wanted.expected.channels.len() && missing.iter().all(rotation)
}

/// The error of a stream in which the channels `missing` are none of `found`.
pub(super) fn missing(
    missing: &[usize],
    found: &[String],
    near: String,
    wanted: &Wanted,
    place: Place<'_>,
) -> SenseError {
    let mut near = near;
    if lacks_rotation_only(missing, wanted) {
        near += &format!("the shipped ladder {WITHOUT_ROTATION} does without (--models); ");
    }
    let names: Vec<_> = missing.iter().map(|&index| wanted.expected.channels[index].name.as_str()).collect();
    let near = if wanted.in_part { near + "beside other files, all channels of one sensor are enough; " } else { near };
    SenseError::MissingChannels {
        place: place.to_string(),
        missing: names.join(", "),
        found: list(found.iter().map(String::as_str)),
        near,
    }
}

/// Names, cut off where they are long or many.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let mut listed: Vec<_> = names.take(MOST_NAMES).map(|name| format!("{name:.40}")).collect();
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join(", ")
}

/// Columns that are no channel, but might be.
#[derive(Default)]
pub(super) struct Clues {
    /// The acceleration but for gravity.
    pub(super) without_gravity: Vec<String>,
    /// There is gravity in columns of its own.
    pub(super) has_gravity: bool,
    /// Axes of which nothing says of which sensor.
    pub(super) unsaid: Vec<String>,
    /// A bare `g`, without an acceleration beside it.
    pub(super) letter_g: Vec<String>,
}

/// What came near to the channels `missing`: each sentence ends with a semicolon and a blank.
pub(super) fn hint(missing: &[usize], columns: &[Column], names: &[Name], wanted: &Wanted, clues: &Clues) -> String {
    let mut hint = String::new();
    let lacks = |sensor: Sensor| {
        let is = |index: &usize| wanted.axis_of(*index).is_some_and(|(of, _)| of == sensor);
        missing.iter().any(|index| is(index) || wanted.one_of(sensor) == Some(*index))
    };
    if lacks(Sensor::Acceleration) && !clues.without_gravity.is_empty() {
        let apart = if clues.has_gravity {
            "gravity stands apart: add the two"
        } else {
            "gravity is missing: add the file that has it, such as Gravity.csv, or record the total acceleration"
        };
        hint += &format!("{} without gravity is no acceleration ({apart}); ", listed(&clues.without_gravity));
    }
    if !clues.unsaid.is_empty() {
        hint += &format!("of which sensor {} is neither the unit nor the file's name says; ", listed(&clues.unsaid));
    }
    if lacks(Sensor::Rotation) && !clues.letter_g.is_empty() {
        hint += &format!("{} may be gravity or the gyroscope; ", listed(&clues.letter_g));
    }
    let mistyped: Vec<_> = missing.iter().filter_map(|&index| mistyped(index, columns, names, wanted)).collect();
    if !mistyped.is_empty() {
        hint += &format!("near: {}; ", mistyped.join(", "));
    }
    hint
}

/// A name that is nearly that of a channel and means nothing else.
fn mistyped(index: usize, columns: &[Column], names: &[Name], wanted: &Wanted) -> Option<String> {
    let name = &wanted.expected.channels[index].name;
    let unknown = columns.iter().zip(names).filter(|(_, name)| name.meaning == Meaning::Unknown);
    unknown
        .filter(|(column, _)| column.name.len() < 40)
        .map(|(column, _)| (strsim::damerau_levenshtein(&column.name.to_lowercase(), &name.to_lowercase()), column))
        .filter(|(wrong, _)| *wrong <= MOST_WRONG_LETTERS && wrong * 2 < name.chars().count())
        .min_by_key(|(wrong, _)| *wrong)
        .map(|(_, column)| format!("{} for {name}", column.text))
}

fn listed(names: &[String]) -> String {
    list(names.iter().map(String::as_str))
}
