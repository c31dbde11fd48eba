//! Comma-separated samples: a header line with the channels' names, then one line per sample.
//!
//! Columns may stand in any order. A name may be followed by its unit in square brackets, as in `acc_x [m/s2]`. A
//! field may be wrapped in double quotes, and then contain commas. Lines that begin with `#` are comments.

use log::info;

use super::column::{Column, ColumnRole, Place, Plan, time_unit};
use crate::SenseError;
use gaitd_core::stream::{Sample, StreamFormat};

/// How the fields of a line are to be read.
pub(super) struct CsvDecoder {
    columns: Vec<ColumnRole>,
}

impl CsvDecoder {
    /// Reads the header line; nothing if `line` does not look like one.
    pub(super) fn from_header(
        line: &str,
        expected: &StreamFormat,
        place: Place<'_>,
    ) -> Result<Option<Self>, SenseError> {
        let columns: Vec<Column<'_>> = fields(line).map(column).collect();
        let known = |column: &Column<'_>| expected.channels.iter().any(|channel| channel.name == column.name);
        if !columns.iter().any(known) && !columns.iter().all(looks_like_a_name) {
            return Ok(None);
        }
        Plan::new(&columns, expected, place).map(|plan| Some(Self { columns: plan.roles }))
    }

    /// Reads the line of one sample, or says what is wrong with it.
    pub(super) fn decode(&self, line: &str, sample: &mut Sample, label: &mut String) -> Result<(), String> {
        let count = fields(line).count();
        if count != self.columns.len() {
            return Err(format!("{count} fields, but the header has {}", self.columns.len()));
        }
        for (number, (field, role)) in fields(line).zip(&self.columns).enumerate() {
            let parse = || parse(field).ok_or_else(|| format!("field {} is not a number: {field:.40}", number + 1));
            match *role {
                ColumnRole::Channel { index, factor } => sample.values[index] = parse()? * factor,
                ColumnRole::Time { seconds } => {
                    sample.time_s = Some(parse()? * seconds).filter(|time| time.is_finite());
                }
                ColumnRole::Label => {
                    label.clear();
                    label.push_str(field);
                }
                ColumnRole::Ignored => {}
            }
        }
        Ok(())
    }
}

/// The sample rate that a comment such as `# rate_hz=50` declares; an error is the text that is not a rate.
pub(super) fn declared_rate(comment: &str) -> Option<Result<f64, String>> {
    let declaration = comment.trim_start_matches('#').trim_start().strip_prefix("rate_hz")?.trim_start();
    let value = declaration.strip_prefix(['=', ':'])?.trim();
    info!("the stream declares a rate of {value} Hz");
    Some(value.parse().map_err(|_| value.to_owned()))
}

/// An empty field stands for a value that was not measured.
fn parse(field: &str) -> Option<f64> {
    if field.is_empty() { Some(f64::NAN) } else { field.parse().ok() }
}

/// The fields of a line, without the blanks and the double quotes around them.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
    .map(|field| {
        let field = field.trim();
        field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or(field, str::trim)
    })
}

/// A header field apart: `acc_x [g]` is the channel acc_x in g.
fn column(field: &str) -> Column<'_> {
    match field.strip_suffix(']').and_then(|field| field.rsplit_once('[')) {
        Some((name, unit)) => Column { name: name.trim(), unit: Some(unit.trim()) },
        None => Column { name: field, unit: None },
    }
}

/// Names begin with a letter and hold no punctuation: neither numbers nor half a JSON object look like that.
fn looks_like_a_name(column: &Column<'_>) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ' ' | '/' | '(' | ')');
    column.name.starts_with(char::is_alphabetic) && column.name.chars().all(plain) || time_unit(column.name).is_some()
}
