//! What the columns of a CSV header, or the keys of a JSON object, are read as.
//!
//! A column is a channel of the expected format, the time, the label, or nothing that is wanted. Of several columns for
//! one channel the one with the channel's own name is read, then the one whose name differs in capitals only, then another
//! name for it ([`super::name`]). Of several times the one since the start of the recording is read, then a stamp, then a
//! date.
//!
//! `x`, `y` and `z` alone are channels where their unit says of which sensor, or the file's name, or a column `sensor` in each
//! row. Acceleration without gravity is never taken for acceleration.

use log::info;

use super::layout::{ChannelColumn, TextLayout, TimeColumn};
use super::name::{self, Meaning, Name, Said, Sensor, TimeKind, is_total, sensor_of_file};
use super::near;
use super::place::Place;
use super::time::TimeUnit;
use super::wanted::{Wanted, time_unit};
use crate::SenseError;
use gaitd_core::stream::unit::{Quantity, quantity};

/// A column as the stream names it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// As it stands in the stream, for messages.
    pub(super) text: String,
    /// Without its unit.
    pub(super) name: String,
    /// As the stream states it.
    pub(super) unit: Option<String>,
}

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ColumnRole {
    /// Channel `index` of the expected format, after multiplication with `factor`.
    Channel { index: usize, factor: f64 },
    /// An axis of the sensor that the row is of, after multiplication with the factor of its channel.
    Axis(usize),
    /// The sensor that the row is of.
    SensorName,
    /// The time, in a unit that is stated or to be seen.
    Time(Option<TimeUnit>),
    /// The date to a time of the day.
    Date,
    /// The rest of a second, in this unit.
    Rest(TimeUnit),
    /// A time beside that since the start of the recording: what ties it to the clocks of other streams.
    Tie(Option<TimeUnit>),
    /// The label.
    Label,
    /// The wearer.
    Subject,
    /// Not wanted.
    Ignored,
}

/// The roles of all columns of a stream.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) roles: Vec<ColumnRole>,
    /// What the axes of each channel are multiplied by, where rows are of one sensor each.
    pub(super) axis_factors: Vec<f64>,
    /// Channels that no column is.
    pub(super) missing: Vec<usize>,
    /// The columns as the stream names them.
    pub(super) found: Vec<String>,
    near: String,
    notes: Vec<String>,
    conversions: Vec<String>,
    pub(super) layout: TextLayout,
}

/// A way to see a column, and how near it is to the channel's own name (0).
#[derive(Clone, Copy)]
struct Candidate {
    index: usize,
    distance: u8,
}

impl Plan {
    /// Says what `columns` are.
    pub(super) fn new(columns: &[Column], wanted: &Wanted, place: Place<'_>) -> Result<Self, SenseError> {
        let names: Vec<Name> = columns.iter().map(|column| Name::new(&column.name)).collect();
        let context = Context::new(columns, &names, wanted, place.origin);
        let mut roles = vec![ColumnRole::Ignored; columns.len()];
        let mut plan = Self {
            roles: Vec::new(),
            axis_factors: vec![1.0; wanted.expected.channels.len()],
            missing: Vec::new(),
            found: columns.iter().map(|column| column.text.clone()).collect(),
            near: String::new(),
            notes: Vec::new(),
            conversions: Vec::new(),
            layout: TextLayout { channels: vec![None; wanted.expected.channels.len()], ..TextLayout::default() },
        };
        let mut chosen: Vec<Option<(usize, u8)>> = vec![None; wanted.expected.channels.len()];
        for (at, (column, name)) in columns.iter().zip(&names).enumerate() {
            let Some(candidate) = context.channel(column, name, wanted) else { continue };
            match chosen[candidate.index] {
                Some((_, distance)) if distance == candidate.distance => {
                    return Err(duplicate(column, place));
                }
                Some((_, distance)) if distance < candidate.distance => {}
                _ => chosen[candidate.index] = Some((at, candidate.distance)),
            }
        }
        for (index, at) in chosen.iter().enumerate().filter_map(|(index, chosen)| Some((index, chosen.as_ref()?.0))) {
            roles[at] =
                ColumnRole::Channel { index, factor: plan.factor(index, &columns[at], &names[at], wanted, place)? };
        }
        let taken = |at: usize| chosen.iter().flatten().any(|(other, _)| *other == at);
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !taken(*at)) {
            let role = match name.meaning {
                _ if is_tag(&columns[at], name, Meaning::Label, wanted.tags.label.as_deref()) => ColumnRole::Label,
                _ if is_tag(&columns[at], name, Meaning::Subject, wanted.tags.subject.as_deref()) => {
                    ColumnRole::Subject
                }
                _ if context.sensor_name == Some(at) => ColumnRole::SensorName,
                Meaning::BareAxis(axis) if context.sensor_name.is_some() => ColumnRole::Axis(axis),
                _ => continue,
            };
            if role != ColumnRole::Ignored && roles.contains(&role) {
                return Err(duplicate(&columns[at], place));
            }
            roles[at] = role;
        }
        plan.times(columns, &names, &mut roles, taken, wanted, place)?;
        plan.of_rows(columns, &names, &roles, wanted, place)?;
        let by_row = roles.contains(&ColumnRole::SensorName);
        plan.missing = (0..chosen.len())
            .filter(|index| chosen[*index].is_none() && !(by_row && has_axis(*index, &roles, wanted)))
            .collect();
        if !plan.missing.is_empty() {
            plan.near = near::hint(&plan.missing, columns, &names, wanted, &context.clues(columns, &names));
        }
        let unused = columns
            .iter()
            .zip(&roles)
            .filter(|(column, role)| **role == ColumnRole::Ignored && !column.name.is_empty());
        if plan.layout.time.is_none() {
            let time = unused.clone().find(|(column, _)| name::looks_like_time(&column.name));
            plan.layout.likely_time =
                time.map(|(column, _)| format!("`{:.40}` looks like it by its name", column.text));
        }
        let unused: Vec<_> = unused.map(|(column, _)| format!("{:.40}", column.text)).collect();
        if !unused.is_empty() {
            plan.notes.push(format!("not used: {}", unused.join(", ")));
        }
        plan.layout.unused = unused;
        let called = |role| Some(columns[roles.iter().position(|other| *other == role)?].text.clone());
        (plan.layout.label, plan.layout.subject) = (called(ColumnRole::Label), called(ColumnRole::Subject));
        if wanted.quiet {
            plan.conversions.clear();
        }
        plan.roles = roles;
        Ok(plan)
    }

    /// Whether any column is a channel, or rows name their sensor.
    pub(super) fn has_channels(&self) -> bool {
        let is = |role: &ColumnRole| matches!(role, ColumnRole::Channel { .. } | ColumnRole::SensorName);
        self.roles.iter().any(is)
    }

    /// Whether rows are of one sensor each, which they name.
    pub(super) fn is_by_row(&self) -> bool {
        self.roles.contains(&ColumnRole::SensorName)
    }

    /// The error of a stream that lacks channels.
    pub(super) fn incomplete(&self, wanted: &Wanted, place: Place<'_>) -> SenseError {
        let found: Vec<_> = self.found.iter().filter(|text| !text.is_empty()).cloned().collect();
        near::missing(&self.missing, &found, self.near.clone(), wanted, place)
    }

    /// Tells what is converted, and what is not used.
    pub(super) fn tell(&self, origin: &str) {
        self.notes.iter().for_each(|note| info!("{origin}: {note}"));
        if !self.conversions.is_empty() {
            info!("{origin}: converting {}", self.conversions.join(", "));
        }
    }

    /// What the values of a column are multiplied by: in the unit that the caller states, else in that of the header, of
    /// the name, or the expected one.
    fn factor(
        &mut self,
        index: usize,
        column: &Column,
        name: &Name,
        wanted: &Wanted,
        place: Place<'_>,
    ) -> Result<f64, SenseError> {
        let own = name.unit.as_deref().filter(|_| wanted.channel_called(&column.name, false).is_none());
        let stated = wanted.unit_of(index).or(column.unit.as_deref()).or(own);
        let factor = stated.map_or(Ok(1.0), |found| wanted.factor(index, &column.name, found, place))?;
        self.layout.channels[index] =
            Some(ChannelColumn { column: column.text.clone(), unit: stated.map(str::to_owned), factor });
        let Some(found) = stated else { return Ok(1.0) };
        if factor != 1.0 {
            let to = &wanted.expected.channels[index].unit;
            self.conversions.push(format!("{:.40} from {found} to {to}", column.name));
        }
        Ok(factor)
    }

    /// Picks the time.
    fn times(
        &mut self,
        columns: &[Column],
        names: &[Name],
        roles: &mut [ColumnRole],
        taken: impl Fn(usize) -> bool,
        wanted: &Wanted,
        place: Place<'_>,
    ) -> Result<(), SenseError> {
        let mut times = Vec::new();
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !taken(*at)) {
            let Meaning::Time(kind, by_name) = name.meaning else { continue };
            times.push((kind, at, by_name));
        }
        // in the order of the columns among those of one kind
        times.sort_by_key(|(kind, ..)| *kind);
        let Some(&(kind, at, by_name)) = times.first() else { return Ok(()) };
        if let Some((_, other, _)) = times.get(1).filter(|(other, ..)| *other == kind) {
            return Err(duplicate(&columns[*other.max(&at)], place));
        }
        let column = &columns[at];
        let stated = column.unit.as_deref().map(|unit| time_unit(&column.name, unit, place)).transpose()?;
        let unit = wanted.time_unit(place)?.or(stated).or(by_name);
        roles[at] = ColumnRole::Time(unit);
        let symbol = unit.map(|unit| unit.symbol().to_owned());
        self.layout.time = Some(TimeColumn { column: column.text.clone(), unit: symbol, seen: false });
        let mut unused = Vec::new();
        for (other, at, unit) in &times[1..] {
            roles[*at] = match (kind, other) {
                (TimeKind::Stamp, TimeKind::Date) => ColumnRole::Date,
                (TimeKind::Elapsed, TimeKind::Stamp | TimeKind::Date)
                    if wanted.in_part && !roles.iter().any(|role| matches!(role, ColumnRole::Tie(_))) =>
                {
                    let column = &columns[*at];
                    let stated = column.unit.as_deref().map(|unit| time_unit(&column.name, unit, place)).transpose()?;
                    ColumnRole::Tie(stated.or(*unit))
                }
                (TimeKind::Stamp | TimeKind::Date, TimeKind::Part) => {
                    ColumnRole::Rest(unit.unwrap_or(TimeUnit::Millis))
                }
                _ => {
                    unused.push(format!("`{:.40}`", columns[*at].text));
                    ColumnRole::Ignored
                }
            };
        }
        if !unused.is_empty() {
            self.notes.push(format!("the time is read from `{:.40}`, not from {}", column.text, unused.join(", ")));
        }
        Ok(())
    }

    /// The factors of rows that are of one sensor each.
    fn of_rows(
        &mut self,
        columns: &[Column],
        names: &[Name],
        roles: &[ColumnRole],
        wanted: &Wanted,
        place: Place<'_>,
    ) -> Result<(), SenseError> {
        for (at, role) in roles.iter().enumerate() {
            let ColumnRole::Axis(axis) = *role else { continue };
            let stated = columns[at].unit.as_deref().or(names[at].unit.as_deref());
            for index in 0..self.axis_factors.len() {
                if wanted.axis_of(index).is_none_or(|(_, of)| of != axis) {
                    continue;
                }
                // a unit of one of the sensors says nothing of the others
                let same = |found: &&str| quantity(found) == quantity(&wanted.expected.channels[index].unit);
                let found = wanted.unit_of(index).or(stated.filter(same));
                let of_axis = |found| wanted.factor(index, &wanted.expected.channels[index].name, found, place);
                let factor = found.map_or(Ok(1.0), of_axis)?;
                self.axis_factors[index] = factor;
                let column = columns[at].text.clone();
                self.layout.channels[index] = Some(ChannelColumn { column, unit: found.map(str::to_owned), factor });
            }
        }
        Ok(())
    }
}

fn has_axis(index: usize, roles: &[ColumnRole], wanted: &Wanted) -> bool {
    wanted.axis_of(index).is_some_and(|(_, axis)| roles.contains(&ColumnRole::Axis(axis)))
}

/// Whether a column holds the activity or the wearer: it has the name that the caller states, or a usual one.
fn is_tag(column: &Column, name: &Name, usual: Meaning, stated: Option<&str>) -> bool {
    stated.map_or(name.meaning == usual, |stated| [&column.text, &column.name].iter().any(|own| *own == stated))
}

fn duplicate(column: &Column, place: Place<'_>) -> SenseError {
    SenseError::Duplicate { place: place.to_string(), channel: column.name.clone() }
}

/// What the columns say about one another.
struct Context {
    /// The column that names each row's sensor.
    sensor_name: Option<usize>,
    /// The sensor that the file's name says.
    file: Option<Sensor>,
    /// There is a `gF`: an `a` beside it is without gravity.
    has_g_force: bool,
    /// There is the accelerometer: a `g` beside it is the gyroscope.
    has_acceleration: bool,
    /// The sensor of axes of which nothing says of which.
    bare: Option<Sensor>,
}

impl Context {
    fn new(columns: &[Column], names: &[Name], wanted: &Wanted, origin: &str) -> Self {
        let said =
            |wanted: Said| names.iter().any(|name| matches!(name.meaning, Meaning::Axis(_, _, said) if said == wanted));
        let has_bare_axes = names.iter().any(|name| matches!(name.meaning, Meaning::BareAxis(_)));
        let called = |wanted: &str| columns.iter().position(|column| column.name.eq_ignore_ascii_case(wanted));
        let sensor_name = names.iter().position(|name| name.meaning == Meaning::SensorName).or_else(|| {
            // of other columns of these names nothing is known
            if has_bare_axes { called("name").or_else(|| called("type")) } else { None }
        });
        let mut file = sensor_of_file(origin);
        // Sensor Logger calls by this name what it has taken gravity from
        if file == Some(Sensor::Acceleration) && called("seconds_elapsed").is_some() && !is_total(origin) {
            file = Some(Sensor::LinearAcceleration);
        }
        Self {
            sensor_name: sensor_name.filter(|_| has_bare_axes),
            file,
            bare: wanted.bare,
            has_g_force: said(Said::GForce),
            has_acceleration: names.iter().any(|name| matches!(name.meaning, Meaning::Axis(Sensor::Acceleration, ..))),
        }
    }

    /// Columns that are no channel, but might be.
    fn clues(&self, columns: &[Column], names: &[Name]) -> near::Clues {
        let mut clues = near::Clues::default();
        for (column, name) in columns.iter().zip(names) {
            match (self.axis(column, name), name.meaning) {
                (Some((Sensor::LinearAcceleration, ..)), _) => clues.without_gravity.push(column.text.clone()),
                (Some((Sensor::Gravity, ..)), _) => clues.has_gravity = true,
                (None, Meaning::BareAxis(_)) if self.sensor_name.is_none() => clues.unsaid.push(column.text.clone()),
                (None, Meaning::Axis(..)) => clues.letter_g.push(column.text.clone()),
                _ => {}
            }
        }
        clues
    }

    /// The sensor and axis that a column is, and how far its name is from one that says so.
    fn axis(&self, column: &Column, name: &Name) -> Option<(Sensor, usize, u8)> {
        match name.meaning {
            Meaning::Axis(Sensor::Acceleration, axis, Said::Letter) if self.has_g_force => {
                Some((Sensor::LinearAcceleration, axis, 2))
            }
            // alone it may be gravity as well
            Meaning::Axis(_, _, Said::LetterG) if !self.has_acceleration => None,
            Meaning::Axis(sensor, axis, _) => Some((sensor, axis, 2)),
            Meaning::BareAxis(axis) if self.sensor_name.is_none() => {
                let unit = column.unit.as_deref().or(name.unit.as_deref());
                let measured = unit.and_then(quantity);
                let by_unit = measured.map(|measured| match measured {
                    Quantity::Acceleration => Sensor::Acceleration,
                    Quantity::AngularRate => Sensor::Rotation,
                });
                let fits = |sensor: &Sensor| match measured {
                    None => true,
                    Some(Quantity::AngularRate) => *sensor == Sensor::Rotation,
                    Some(Quantity::Acceleration) => !matches!(sensor, Sensor::Rotation | Sensor::Magnetic),
                };
                // m/s2 in Gravity.csv is gravity
                Some((self.file.filter(fits).or(by_unit).or(self.bare)?, axis, 3))
            }
            _ => None,
        }
    }

    /// The channel that a column may be.
    fn channel(&self, column: &Column, name: &Name, wanted: &Wanted) -> Option<Candidate> {
        if let Some(index) = wanted.channel_called(&column.name, true) {
            return Some(Candidate { index, distance: 0 });
        }
        if let Some(index) = wanted.channel_called(&column.name, false) {
            return Some(Candidate { index, distance: 1 });
        }
        if let Meaning::Whole(sensor) = name.meaning {
            return wanted.one_of(sensor).map(|index| Candidate { index, distance: 2 });
        }
        let (sensor, axis, distance) = self.axis(column, name)?;
        wanted.axis(sensor, axis).map(|index| Candidate { index, distance })
    }
}
