//! Separated samples: a header line with the channels' names, then one line per sample.
//!
//! Commas, semicolons or tabs stand between the fields, as the header shows. A name may be followed by its unit in square
//! brackets or parentheses. A field in double quotes may hold separators. Where no comma separates, a number may have a
//! decimal comma.

use super::column::{Column, ColumnRole, Plan};
use super::fields::{Fields, SEPARATORS};
use super::layout::TextLayout;
use super::merge::Sensors;
use super::name::{Meaning, Name, split_unit};
use super::number;
use super::place::Place;
use super::row::Row;
use super::tags::Tags;
use super::time::{Stamp, TimeUnit};
use super::wanted::Wanted;
use crate::SenseError;
use gaitd_core::stream::Sample;

/// A line of more fields is no header.
const MOST_COLUMNS: usize = 1000;

/// How the fields of a line are to be read.
pub(super) struct CsvDecoder {
    fields: Fields,
    plan: Plan,
    by_row: bool,
    /// The sensors of which there are all channels.
    sensors: Sensors,
    /// So many fields a line has at least: what is behind the last name may be left out.
    fewest: usize,
    header: String,
    layout: TextLayout,
}

/// What a line is before there is a header.
pub(super) enum Beginning {
    /// A header with every channel.
    Header(Box<CsvDecoder>),
    /// A header that lacks channels, or another line of words: so many fields, and the error if it was the header.
    Words { fields: usize, known: usize, error: SenseError },
    /// So many fields with numbers among them.
    Numbers { fields: usize },
    /// Anything else.
    Other,
}

impl CsvDecoder {
    /// Looks at a line for which there is no header yet.
    pub(super) fn begin(line: &str, wanted: &Wanted, place: Place<'_>) -> Result<Beginning, SenseError> {
        let Some(header) = Header::read(line, wanted) else {
            let fields = most_fields(line);
            return Ok(if fields.1 { Beginning::Numbers { fields: fields.0 } } else { Beginning::Other });
        };
        let plan = Plan::new(&header.columns(wanted, place)?, wanted, place)?;
        if wanted.is_enough(&plan.missing) {
            return Ok(Beginning::Header(Box::new(Self::new(header, plan, wanted, place))));
        }
        let known = plan.roles.iter().filter(|role| **role != ColumnRole::Ignored).count();
        Ok(Beginning::Words { fields: header.names.len(), known, error: plan.incomplete(wanted, place) })
    }

    /// For lines without a header, by the names that the caller states, if `line` can be one.
    pub(super) fn by_columns(line: &str, wanted: &Wanted, place: Place<'_>) -> Result<Option<Box<Self>>, SenseError> {
        let stated = &wanted.spelling.columns;
        let separator = SEPARATORS.into_iter().find(|&separator| {
            let count = Fields::new(separator).split(line).len();
            count == stated.len() || count == stated.len() + 1 || separator == b',' && stated.len() == 1
        });
        let Some(separator) = separator.filter(|_| !stated.is_empty()) else { return Ok(None) };
        let header = Header { separator, names: stated.clone(), text: String::new() };
        let plan = Plan::new(&columns(&header.names), wanted, place)?;
        if !wanted.is_enough(&plan.missing) {
            return Err(plan.incomplete(wanted, place));
        }
        Ok(Some(Box::new(Self::new(header, plan, wanted, place))))
    }

    fn new(header: Header, plan: Plan, wanted: &Wanted, place: Place<'_>) -> Self {
        plan.tell(place.origin);
        let named = header.names.iter().rposition(|name| !name.is_empty());
        let separator = match header.separator {
            b'\t' => "tabs",
            b';' => "semicolons",
            _ => "commas",
        };
        let layout = TextLayout { form: format!("CSV, separated by {separator}"), ..plan.layout.clone() };
        Self {
            fields: Fields::new(header.separator),
            by_row: plan.is_by_row(),
            sensors: wanted.whole(|channel| !plan.missing.contains(&channel)),
            plan,
            fewest: named.map_or(0, |last| last + 1),
            header: header.text,
            layout,
        }
    }

    /// The header as the stream has it; empty where it has none.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// What the columns are.
    pub(super) fn layout(&self) -> &TextLayout {
        &self.layout
    }

    /// What the stream calls a column.
    pub(super) fn name(&self, column: usize) -> Option<&str> {
        self.plan.found.get(column).map(String::as_str)
    }

    /// Whether rows are of one sensor each, which they name.
    pub(super) fn is_by_row(&self) -> bool {
        self.by_row
    }

    /// The sensors of which the header has all channels.
    pub(super) fn sensors(&self) -> Sensors {
        self.sensors
    }

    /// What the axes of each channel are multiplied by.
    pub(super) fn axis_factors(&self) -> &[f64] {
        &self.plan.axis_factors
    }

    /// Whether `line`, which is no sample, is a header: the same as before (nothing), or another one.
    pub(super) fn again(&self, line: &str, wanted: &Wanted, place: Place<'_>) -> Result<Again, SenseError> {
        if line.trim() == self.header {
            return Ok(Again::Same);
        }
        let Some(header) = Header::read(line, wanted) else { return Ok(Again::No) };
        // one word of a line that went wrong may be a name by chance
        let known = header.known(wanted);
        if known < self.plan.roles.len().min(2) || known * 2 < header.names.len() {
            return Ok(Again::No);
        }
        if !wanted.spelling.columns.is_empty() {
            // the names were stated for want of a header, or in place of the one before
            if self.header.is_empty() {
                return Ok(Again::Same);
            }
            let problem = "the header is another one than before, for which `columns` state the names (--columns, \
                           `source.columns`); leave them out, or split the stream here"
                .to_owned();
            return Err(SenseError::Header { place: place.to_string(), problem });
        }
        let plan = Plan::new(&columns(&header.names), wanted, place)?;
        if !plan.has_channels() {
            return Ok(Again::No);
        }
        if !wanted.is_enough(&plan.missing) {
            return Err(plan.incomplete(wanted, place));
        }
        Ok(Again::Other(Box::new(Self::new(header, plan, wanted, place))))
    }

    /// Reads the line of one sample, or says what is wrong with it.
    pub(super) fn decode(
        &mut self,
        line: &str,
        row: &mut Row,
        sample: &mut Sample,
        tags: &mut Tags,
    ) -> Result<(), String> {
        let separator = self.fields.separator();
        let fields = self.fields.split(line);
        let (count, columns) = (fields.len(), self.plan.roles.len());
        // what is behind the header, or lacks behind its last name, says nothing where it is empty
        if count > columns && fields.iter().skip(columns).any(|field| !field.is_empty()) || count < self.fewest {
            let halves = separator == b',' && count + 1 >= 2 * columns && columns > 3;
            let hint =
                if halves { " (decimal commas between commas? write semicolons between the fields)" } else { "" };
            return Err(format!("{count} fields, but the header has {columns}{hint}"));
        }
        for (number, (field, role)) in fields.iter().zip(&self.plan.roles).enumerate() {
            let parse = || parse(field).ok_or_else(|| format!("field {} is not a number: {field:.40}", number + 1));
            let time = || Stamp::parse(field).ok_or_else(|| format!("field {} is not a time: {field:.40}", number + 1));
            match *role {
                ColumnRole::Channel { index, factor } => sample.values[index] = parse()? * factor,
                ColumnRole::Axis(axis) => row.axes[axis] = parse()?,
                ColumnRole::SensorName => row.is_of(field),
                ColumnRole::Time(unit) => (row.stamp, row.unit) = (time()?, unit),
                // a logger may have no date yet
                ColumnRole::Date => row.date = Stamp::parse(field).unwrap_or_default(),
                ColumnRole::Rest(unit) => row.rest = Some((time()?, unit)),
                ColumnRole::Tie(unit) => row.tie = Stamp::parse(field).map(|stamp| (stamp, unit)),
                ColumnRole::Label => tags.label.push_str(field),
                ColumnRole::Subject => tags.subject.push_str(field),
                ColumnRole::Ignored => {
                    if let Some(unused) = &mut row.unused {
                        unused.observe(number, Stamp::parse(field).and_then(|stamp| stamp.seconds(TimeUnit::Seconds)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a line that is no sample is, where there is a header.
pub(super) enum Again {
    /// No header either.
    No,
    /// The one that there is.
    Same,
    /// Another one.
    Other(Box<CsvDecoder>),
}

/// A line of names.
struct Header {
    separator: u8,
    names: Vec<String>,
    text: String,
}

impl Header {
    /// The header that `line` looks like, by the separator that makes the most names of channels out of it.
    fn read(line: &str, wanted: &Wanted) -> Option<Self> {
        let read = |separator| {
            let names: Vec<_> = Fields::new(separator).split(line).iter().map(str::to_owned).collect();
            Self { separator, names, text: line.trim().to_owned() }
        };
        let headers = SEPARATORS.map(read).into_iter().filter(|header| header.looks_like_one(wanted));
        headers.rev().max_by_key(|header| (header.known(wanted), header.names.len()))
    }

    /// How many of the names are known.
    fn known(&self, wanted: &Wanted) -> usize {
        let known = |name: &&String| {
            let name = split_unit(name).0;
            wanted.channel_called(name, false).is_some() || Name::new(name).meaning != Meaning::Unknown
        };
        self.names.iter().filter(known).count()
    }

    /// Names begin with a letter, and none is a number: neither samples nor half a JSON object look like that.
    fn looks_like_one(&self, wanted: &Wanted) -> bool {
        let plain = |letter: char| letter != '{' && letter != '}' && letter != '"' && !letter.is_control();
        let is_name = |name: &String| {
            name.is_empty()
                || name.starts_with(char::is_alphabetic) && name.chars().all(plain)
                || wanted.channel_called(split_unit(name).0, true).is_some()
        };
        let is_number = |name: &String| number::parse(name).is_some();
        self.names.len() <= MOST_COLUMNS
            && self.names.iter().any(|name| !name.is_empty())
            && self.names.iter().all(is_name)
            && !self.names.iter().any(is_number)
    }

    /// The columns, under the names that the caller states for them.
    fn columns(&self, wanted: &Wanted, place: Place<'_>) -> Result<Vec<Column>, SenseError> {
        let stated = &wanted.spelling.columns;
        let mut columns = columns(&self.names);
        if stated.is_empty() {
            return Ok(columns);
        }
        let named = columns.iter().rposition(|column| !column.text.is_empty()).map_or(0, |last| last + 1);
        if ![named, columns.len()].contains(&stated.len()) {
            if self.known(wanted) < 2 {
                // words before the header
                return Ok(columns);
            }
            let problem = format!(
                "`columns` (--columns, `source.columns`) state {} names, but the header has {}",
                stated.len(),
                columns.len()
            );
            return Err(SenseError::Header { place: place.to_string(), problem });
        }
        for (column, stated) in columns.iter_mut().zip(stated) {
            let (name, unit) = split_unit(if stated == "-" { "" } else { stated });
            column.name = name.to_owned();
            column.unit = unit.map(str::to_owned).or_else(|| column.unit.take());
        }
        Ok(columns)
    }
}

/// Columns that are called so.
fn columns(names: &[String]) -> Vec<Column> {
    let column = |text: &String| {
        let (name, unit) = split_unit(if text == "-" { "" } else { text });
        Column { text: text.clone(), name: name.to_owned(), unit: unit.map(str::to_owned) }
    };
    names.iter().map(column).collect()
}

/// The fields of a line by the separator that makes most of them, and whether there are numbers among them.
fn most_fields(line: &str) -> (usize, bool) {
    let split = SEPARATORS.map(|separator| {
        let mut fields = Fields::new(separator);
        let row = fields.split(line);
        (row.len(), row.iter().filter(|field| number::parse(field).is_some()).count())
    });
    // decimal commas make more fields than there are: the first separator that is there at all is it
    let best = split.iter().find(|(fields, numbers)| *fields > 1 && *numbers > 0).or(split.last());
    best.map_or((0, false), |(fields, numbers)| (*fields, *numbers > 0))
}

/// An empty field stands for a value that was not measured.
fn parse(field: &str) -> Option<f64> {
    if field.is_empty() { Some(f64::NAN) } else { number::parse(field) }
}
