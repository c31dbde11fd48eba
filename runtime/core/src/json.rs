//! Reading JSON so that an error names its place.

use serde::de::DeserializeOwned;

/// What is wrong with a text, and where.
pub struct Misplaced {
    /// The place within it, as a path of keys.
    pub at: String,
    /// What was expected or found.
    pub message: String,
}

/// Reads `bytes` as one JSON object and nothing behind it.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misplaced> {
    // some editors begin a file with a byte order mark
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // serde takes an array for a struct's fields in their order, and an empty one for all defaults
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Misplaced { at: ".".to_owned(), message: "found an array, but expected an object".to_owned() });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Misplaced { at: error.path().to_string(), message: error.inner().to_string() })?;
    deserializer.end().map_err(|error| Misplaced { at: "the end".to_owned(), message: error.to_string() })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let read = |text: &str| parse_json::<BTreeMap<String, u8>>(text.as_bytes()).map_err(|error| error.message);
        assert_eq!(read("\u{feff}{\"a\": 1}"), read("{\"a\": 1}"));
        assert!(read("\u{feff}[]").is_err_and(|message| message.starts_with("found an array")));
    }
}
