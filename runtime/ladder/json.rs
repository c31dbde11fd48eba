//! Reading JSON so that an error names its place.

use serde::de::DeserializeOwned;

/// What is wrong with a text, and where.
pub(crate) struct Misplaced {
    /// The place within it, as a path of keys.
    pub(crate) at: String,
    /// What was expected or found.
    pub(crate) message: String,
}

/// Reads `bytes` as one JSON document and nothing behind it.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misplaced> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Misplaced { at: error.path().to_string(), message: error.inner().to_string() })?;
    deserializer.end().map_err(|error| Misplaced { at: "the end".to_owned(), message: error.to_string() })?;
    Ok(value)
}
