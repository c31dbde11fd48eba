//! What a caller knows of a text that the text itself does not say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The names, units and rate of a text that states none, or wrong ones: they go before what the text says.
///
/// ```
/// use gaitd_sense::Spelling;
///
/// let spelling = Spelling {
///     columns: Spelling::columns_from("t,-,acc_x,acc_y,acc_z"),
///     units: Spelling::units_from("t=ms,acc=mg")?,
///     rate_hz: None,
/// };
/// assert_eq!((spelling.columns[1].as_str(), spelling.units["acc"].as_str()), ("-", "mg"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spelling {
    /// Names of the columns in the order in which they stand in the text, each spelled as in a header (a unit in
    /// brackets may follow); `-` or nothing for one that is not wanted. For a CSV without a header, or in place of the
    /// names in the one that it has; for NDJSON, names of the elements of an array.
    pub columns: Vec<String>,
    /// Units by channel (`acc_x`), by sensor (`acc`: all its channels) or of the time (`t`): `{"acc": "mg", "t": "ms"}`.
    pub units: BTreeMap<String, String>,
    /// At how many samples per second those without times come, in hertz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<f64>,
}

impl Spelling {
    /// Columns out of a text such as `t,acc_x,-,acc_y`: a flag's.
    #[must_use]
    pub fn columns_from(text: &str) -> Vec<String> {
        if text.is_empty() { Vec::new() } else { text.split(',').map(|name| name.trim().to_owned()).collect() }
    }

    /// Units out of a text such as `acc=mg,gyro=dps`: a flag's.
    ///
    /// # Errors
    /// Names what is no pair.
    pub fn units_from(text: &str) -> Result<BTreeMap<String, String>, String> {
        let pair = |pair: &str| {
            let (name, unit) = pair.split_once('=').unwrap_or_default();
            let (name, unit) = (name.trim(), unit.trim());
            if name.is_empty() || unit.is_empty() {
                return Err(format!("`{pair:.40}` is no unit of a channel; write acc=mg, or gyro_x=dps,t=ms"));
            }
            Ok((name.to_owned(), unit.to_owned()))
        };
        text.split(',').filter(|text| !text.trim().is_empty()).map(pair).collect()
    }
}

/// The header that a stream had last, shared by the sources that read it one after the other: a device that says its
/// header once, when it is switched on, is understood after the connection was lost, too.
#[derive(Clone, Debug, Default)]
pub struct HeaderMemory(Arc<Mutex<Option<String>>>);

impl HeaderMemory {
    pub(super) fn recall(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn remember(&self, header: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(header.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        assert_eq!(Spelling::columns_from("t, acc_x ,,-"), ["t", "acc_x", "", "-"]);
        assert!(Spelling::columns_from("").is_empty());
        let units = Spelling::units_from("acc = mg,t=ms,").unwrap();
        assert_eq!(units.into_iter().collect::<Vec<_>>(), [("acc".into(), "mg".into()), ("t".into(), "ms".into())]);
        for wrong in ["acc", "acc=", "=g"] {
            assert!(Spelling::units_from(wrong).unwrap_err().starts_with(&format!("`{wrong}` is no unit")), "{wrong}");
        }
        let json = r#"{"columns":["t"],"units":{"acc":"g"}}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Spelling>(json).unwrap()).unwrap(), json);
        assert!(serde_json::from_str::<Spelling>(r#"{"column":[]}"#).is_err());
    }
}
