//! Which channels a text has, and in which units: found out by reading it for one set of channels after the other.

use std::path::Path;

use gaitd_core::stream::{Channel, unit};

use super::ImportError;
use crate::SenseError;
use crate::name::{Meaning, Name, Sensor};
use crate::survey::{Known, Survey, empty};

/// The units that recordings are written in, each before other spellings of it.
const UNITS: [&str; 7] = ["g", "m/s2", "mg", "rad/s", "deg/s", "mrad/s", "mdps"];

/// The channels of a recording, and what they are read from.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    /// As they are recorded.
    pub(super) recorded: Vec<Channel>,
    /// As they are read.
    pub(super) read: Vec<Channel>,
    /// The channels read that each one recorded is the sum of.
    pub(super) parts: Vec<Vec<usize>>,
}

/// What was found in a text.
pub(super) struct Found {
    pub(super) channels: Channels,
    pub(super) survey: Survey,
    /// What the caller knows of the text, with what was found out.
    pub(super) known: Known,
    /// What had to be decided.
    pub(super) notes: Vec<Note>,
}

/// What had to be decided of a channel: of which one recorded, by its place, and what.
pub(super) type Note = (usize, String);

const ACCELERATION: Triad = Triad { stem: "acc", sensor: Sensor::Acceleration, unit: "m/s2" };
const ROTATION: Triad = Triad { stem: "gyro", sensor: Sensor::Rotation, unit: "rad/s" };
const LINEAR: Triad = Triad { stem: "lin_acc", sensor: Sensor::LinearAcceleration, unit: "m/s2" };
const GRAVITY: Triad = Triad { stem: "gravity", sensor: Sensor::Gravity, unit: "m/s2" };

/// The three axes of a sensor.
struct Triad {
    stem: &'static str,
    sensor: Sensor,
    unit: &'static str,
}

impl Triad {
    fn channels(&self, unit: &str) -> Vec<Channel> {
        let channel = |axis| Channel { name: format!("{}_{axis}", self.stem), unit: unit.to_owned() };
        ["x", "y", "z"].map(channel).to_vec()
    }
}

impl Channels {
    /// Channels that are read as they are recorded.
    fn plain(recorded: Vec<Channel>) -> Self {
        let parts = (0..recorded.len()).map(|index| vec![index]).collect();
        Self { read: recorded.clone(), recorded, parts }
    }

    /// The same channels, whose acceleration is put together from acceleration without gravity, and gravity; nothing
    /// where there is no whole acceleration among them.
    fn put_together(recorded: &[Channel]) -> Option<Self> {
        let mut channels = Self { recorded: recorded.to_vec(), read: Vec::new(), parts: Vec::new() };
        let mut axes = 0;
        for channel in recorded {
            let at = channels.read.len();
            match Name::new(&channel.name).meaning {
                Meaning::Axis(Sensor::Acceleration, axis, _) => {
                    axes += 1;
                    for triad in [LINEAR, GRAVITY] {
                        channels.read.push(triad.channels(&channel.unit).swap_remove(axis));
                    }
                    channels.parts.push(vec![at, at + 1]);
                }
                _ => {
                    channels.read.push(channel.clone());
                    channels.parts.push(vec![at]);
                }
            }
        }
        (axes == 3).then_some(channels)
    }

    /// What is looked for, the fullest first, where nobody says what is wanted.
    fn usual() -> Vec<Self> {
        let of = |triads: &[Triad]| triads.iter().flat_map(|triad| triad.channels(triad.unit)).collect::<Vec<_>>();
        let (both, acceleration) = (of(&[ACCELERATION, ROTATION]), of(&[ACCELERATION]));
        let together = [&both, &acceleration].map(|channels| Self::put_together(channels));
        let rest = [of(&[LINEAR, ROTATION]), of(&[LINEAR]), of(&[ROTATION]), of(&[GRAVITY])];
        let plain = [both, acceleration].map(Self::plain);
        let first = plain.into_iter().zip(together).flat_map(|(plain, together)| [Some(plain), together]);
        first.flatten().chain(rest.into_iter().map(Self::plain)).collect()
    }

    /// What is looked for, that which is preferred first: `wanted`, or else what there usually is.
    pub(super) fn candidates(wanted: Option<&[Channel]>) -> Vec<Self> {
        let Some(wanted) = wanted else { return Self::usual() };
        [Some(Self::plain(wanted.to_vec())), Self::put_together(wanted)].into_iter().flatten().collect()
    }

    /// The acceleration among `channels`.
    pub(super) fn acceleration(channels: &[Channel]) -> Self {
        let of = channels.iter().filter(|channel| is_acceleration(channel));
        Self::plain(of.cloned().collect())
    }

    /// Whether any of them is a sum.
    pub(super) fn are_summed(&self) -> bool {
        self.parts.iter().any(|parts| parts.len() > 1)
    }

    /// Puts a sample as it is read into one as it is recorded.
    pub(super) fn add_up(&self, read: &[f64], recorded: &mut [f64]) {
        for (value, parts) in recorded.iter_mut().zip(&self.parts) {
            *value = parts.iter().map(|&part| read[part]).sum();
        }
    }
}

/// Finds out what of `wanted`, or else of what there usually is, stands in the text at `path`.
pub(super) fn find(path: &Path, wanted: Option<&[Channel]>, known: &Known) -> Result<Found, ImportError> {
    let candidates = Channels::candidates(wanted);
    // of acceleration alone: its error says best what came near
    let alone = candidates.iter().position(|channels| channels.read.len() == 3).unwrap_or_default();
    let mut refused = None;
    for (place, channels) in candidates.iter().enumerate() {
        match look(path, channels, known) {
            Ok(survey) => return settle(path, channels.clone(), survey, known.clone(), wanted.is_some()),
            Err(error @ SenseError::MissingChannels { .. }) => {
                if refused.is_none() || place == alone {
                    refused = Some(error);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    bare_axes(path, &candidates[alone], known, wanted.is_some())?
        .map_or_else(|| Err(refused.map_or(ImportError::Nothing { files: path.display().to_string() }, Into::into)), Ok)
}

/// A look at the text as one of these channels, all of which have values.
fn look(path: &Path, channels: &Channels, known: &Known) -> Result<Survey, SenseError> {
    let survey = Survey::of(path, &channels.read, known)?;
    if survey.absent.is_empty() {
        return Ok(survey);
    }
    Err(empty(path, &channels.read, &survey))
}

/// Axes of which nothing says of which sensor are the accelerometer's where gravity is in them.
pub(super) fn bare_axes(
    path: &Path,
    channels: &Channels,
    known: &Known,
    wanted: bool,
) -> Result<Option<Found>, ImportError> {
    if channels.read.len() != 3 || !channels.read.iter().all(is_acceleration) {
        return Ok(None);
    }
    let known = Known { bare_acceleration: true, ..known.clone() };
    let Ok(survey) = look(path, channels, &known) else { return Ok(None) };
    let stated = survey.layout.channels.iter().flatten().any(|found| found.unit.is_some());
    let Some(at_rest) = survey.at_rest.filter(|at_rest| stated || at_rest.likely_unit().is_some()) else {
        return Ok(None);
    };
    let names: Vec<_> = survey.layout.channels.iter().flatten().map(|found| found.column.clone()).collect();
    let note = format!(
        "{} are taken for the accelerometer, since gravity is in them ({:.2} at rest); --columns says otherwise",
        names.join(", "),
        at_rest.magnitude
    );
    let mut found = settle(path, channels.clone(), survey, known, wanted)?;
    found.notes.insert(0, (0, note));
    Ok(Some(found))
}

fn is_acceleration(channel: &Channel) -> bool {
    matches!(Name::new(&channel.name).meaning, Meaning::Axis(Sensor::Acceleration, ..))
}

/// Settles the units: those that the text states, where nobody wants others.
pub(super) fn settle(
    path: &Path,
    mut channels: Channels,
    survey: Survey,
    known: Known,
    wanted: bool,
) -> Result<Found, ImportError> {
    let mut notes: Vec<Note> = Vec::new();
    let mut told: Vec<Sensor> = Vec::new();
    for (index, parts) in channels.parts.iter().enumerate() {
        let Meaning::Axis(sensor, ..) = Name::new(&channels.recorded[index].name).meaning else { continue };
        // gravity tells the unit of what it is added to
        let column = parts.last().and_then(|&part| survey.layout.channels.get(part)?.as_ref());
        let stated = column.and_then(|column| column.unit.as_deref());
        let gravity = matches!(sensor, Sensor::Acceleration | Sensor::Gravity);
        let at_rest = survey.at_rest.filter(|_| gravity);
        let likely = at_rest.and_then(|at_rest| at_rest.likely_unit());
        let expected = channels.recorded[index].unit.clone();
        let triad = [ACCELERATION, ROTATION, LINEAR, GRAVITY].into_iter().find(|triad| triad.sensor == sensor);
        let Some(triad) = triad else { continue };
        let mut tell = |note: String| {
            if !told.contains(&sensor) {
                told.push(sensor);
                notes.push((index, note));
            }
        };
        let magnitude = at_rest.map_or(0.0, |at_rest| at_rest.magnitude);
        let unit = match (stated, wanted) {
            (Some(_), true) => expected.clone(),
            (Some(stated), false) => plain(stated).unwrap_or(&expected).to_owned(),
            (None, true) => {
                let other = likely.filter(|likely| unit::factor(likely, &expected).is_some_and(|factor| factor != 1.0));
                if let Some(likely) = other {
                    return Err(ImportError::LikelyUnit {
                        path: path.to_path_buf(),
                        sensor: triad.stem,
                        magnitude,
                        expected,
                        likely,
                    });
                }
                expected.clone()
            }
            (None, false) if gravity => {
                let Some(likely) = likely else {
                    let magnitude = at_rest.map(|at_rest| at_rest.magnitude);
                    return Err(ImportError::NoUnit { path: path.to_path_buf(), sensor: triad.stem, magnitude });
                };
                tell(format!(
                    "{}: no unit is stated; its magnitude of {magnitude:.2} at rest says {likely} (--units {}=... says otherwise)",
                    triad.stem, triad.stem
                ));
                likely.to_owned()
            }
            (None, false) => {
                tell(format!(
                    "{}: no unit is stated; taken for {} (--units {}=... says otherwise)",
                    triad.stem, triad.unit, triad.stem
                ));
                triad.unit.to_owned()
            }
        };
        if let (Some(stated), Some(at_rest)) = (stated, at_rest) {
            let unit = survey_unit(&channels, parts);
            if at_rest.likely_unit().is_none_or(|likely| unit::factor(likely, unit) != Some(1.0)) {
                tell(format!(
                    "{}: is stated to be in {stated}, but its magnitude at rest is {:.3} {unit}, and gravity's is not",
                    triad.stem, at_rest.magnitude
                ));
            }
        }
        if sensor == Sensor::LinearAcceleration {
            let stem = triad.stem;
            let note = format!(
                "{stem}: is without gravity, and stays apart from acceleration: no ladder of acc_x, acc_y, acc_z reads it"
            );
            if notes.iter().all(|(_, known)| *known != note) {
                notes.push((index, note));
            }
        }
        if parts.len() > 1 {
            let note = format!("{}: is the sum of acceleration without gravity, and gravity", triad.stem);
            if notes.iter().all(|(_, known)| *known != note) {
                notes.push((index, note));
            }
        }
        channels.recorded[index].unit = unit;
    }
    for (recorded, parts) in channels.recorded.iter().zip(&channels.parts) {
        parts.iter().for_each(|&part| channels.read[part].unit.clone_from(&recorded.unit));
    }
    Ok(Found { channels, survey, known, notes })
}

/// The unit in which the survey has read these channels.
fn survey_unit<'a>(channels: &'a Channels, parts: &[usize]) -> &'a str {
    parts.last().map_or("", |&part| &channels.read[part].unit)
}

/// The spelling of a unit that recordings have.
fn plain(found: &str) -> Option<&'static str> {
    UNITS.into_iter().find(|unit| unit::factor(found, unit) == Some(1.0))
}
