//! What the named columns of a CSV header, or the keys of a JSON object, are.
//!
//! A column is a channel of the expected format, the time, the label, or nothing that is wanted. The time column is
//! called `t`, `time` or `timestamp`, in seconds; a suffix `_s`, `_ms`, `_us` or `_ns`, or a unit in square brackets,
//! states another unit. The label, `label`, is the activity at the sample; only recordings have one.

use std::fmt;

use log::{info, warn};

use crate::SenseError;
use gaitd_core::stream::{StreamFormat, unit};

/// Name of the column that holds the activity.
pub(super) const LABEL: &str = "label";

/// Where something stands, for error messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) origin: &'a str,
    pub(super) line: u64,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, line {}", self.origin, self.line)
    }
}

/// A column as the stream names it.
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    pub(super) unit: Option<&'a str>,
}

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ColumnRole {
    /// Channel `index` of the expected format, after multiplication with `factor`.
    Channel { index: usize, factor: f64 },
    /// The time, after multiplication with `seconds`.
    Time { seconds: f64 },
    /// The label.
    Label,
    /// Not wanted.
    Ignored,
}

/// The roles of all columns of a stream that has every expected channel.
pub(super) struct Plan {
    pub(super) roles: Vec<ColumnRole>,
}

impl Plan {
    pub(super) fn new(columns: &[Column<'_>], expected: &StreamFormat, place: Place<'_>) -> Result<Self, SenseError> {
        let mut roles = Vec::with_capacity(columns.len());
        let (mut ignored, mut converted) = (Vec::new(), Vec::new());
        for column in columns {
            let role = role(column, expected, place)?;
            let taken = |earlier: &ColumnRole| match (earlier, &role) {
                (ColumnRole::Time { .. }, ColumnRole::Time { .. }) | (ColumnRole::Label, ColumnRole::Label) => true,
                (ColumnRole::Channel { index: one, .. }, ColumnRole::Channel { index: other, .. }) => one == other,
                _ => false,
            };
            if roles.iter().any(taken) {
                return Err(SenseError::Duplicate { place: place.to_string(), channel: column.name.to_owned() });
            }
            match role {
                ColumnRole::Ignored if !column.name.is_empty() => ignored.push(column.name),
                ColumnRole::Channel { index, factor } if factor != 1.0 => {
                    let (from, to) = (column.unit.unwrap_or_default(), &expected.channels[index].unit);
                    converted.push(format!("{} from {from} to {to}", column.name));
                }
                _ => {}
            }
            roles.push(role);
        }
        let has = |index| roles.iter().any(|role| matches!(role, ColumnRole::Channel { index: i, .. } if *i == index));
        let missing = |index: &usize| !has(*index);
        let missing: Vec<_> =
            (0..expected.channels.len()).filter(missing).map(|i| expected.channels[i].name.as_str()).collect();
        if !missing.is_empty() {
            return Err(SenseError::MissingChannels {
                place: place.to_string(),
                missing: missing.join(", "),
                found: columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", "),
            });
        }
        if !ignored.is_empty() {
            info!("{}: not used: {}", place.origin, ignored.join(", "));
        }
        if !converted.is_empty() {
            warn!("{}: converting {}", place.origin, converted.join(", "));
        }
        Ok(Self { roles })
    }
}

fn role(column: &Column<'_>, expected: &StreamFormat, place: Place<'_>) -> Result<ColumnRole, SenseError> {
    // a channel of the model goes first, should one ever be called `t`
    if let Some(index) = expected.channels.iter().position(|channel| channel.name == column.name) {
        let wanted = &expected.channels[index].unit;
        let found = column.unit.unwrap_or(wanted);
        let factor = unit::factor(found, wanted).ok_or_else(|| SenseError::Unit {
            place: place.to_string(),
            channel: column.name.to_owned(),
            found: found.to_owned(),
            expected: wanted.clone(),
        })?;
        return Ok(ColumnRole::Channel { index, factor });
    }
    if let Some(by_name) = time_unit(column.name) {
        let seconds = column.unit.map_or(Some(by_name), seconds_per).ok_or_else(|| SenseError::Unit {
            place: place.to_string(),
            channel: column.name.to_owned(),
            found: column.unit.unwrap_or_default().to_owned(),
            expected: "s, ms, us or ns".to_owned(),
        })?;
        return Ok(ColumnRole::Time { seconds });
    }
    Ok(if column.name == LABEL { ColumnRole::Label } else { ColumnRole::Ignored })
}

/// Seconds per unit of a time column with this name; nothing if it is not a time column.
pub(super) fn time_unit(name: &str) -> Option<f64> {
    const NAMES: [&str; 3] = ["timestamp", "time", "t"];
    let rest = NAMES.iter().find_map(|base| {
        let (head, rest) = name.split_at_checked(base.len())?;
        head.eq_ignore_ascii_case(base).then_some(rest)
    })?;
    if rest.is_empty() { Some(1.0) } else { seconds_per(rest.strip_prefix('_')?) }
}

fn seconds_per(unit: &str) -> Option<f64> {
    match unit {
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        "us" | "µs" => Some(1e-6),
        "ns" => Some(1e-9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_columns() {
        for (name, seconds) in [("t", 1.0), ("Time", 1.0), ("time_s", 1.0), ("timestamp_ms", 1e-3), ("t_ns", 1e-9)] {
            assert_eq!(time_unit(name), Some(seconds), "{name}");
        }
        for name in ["temperature", "times", "t_", "time_h", "ts", "", "τ"] {
            assert_eq!(time_unit(name), None, "{name}");
        }
    }
}
