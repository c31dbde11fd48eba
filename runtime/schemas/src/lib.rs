//! The forms of what gaitd reads and writes, as JSON Schema and OpenAPI.
//!
//! They are the files of `docs/schema`, which a test of the program derives from the types that are read and written, and
//! holds against them. Deriving them in the program would take ten times the room.

#![forbid(unsafe_code)]

use gaitd_packed::{packed, unpack};

/// What is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A configuration of `gaitd run`.
    Config,
    /// The manifest of a model directory.
    Manifest,
    /// A scenario of `gaitd simulate`.
    Scenario,
    /// The JSON beside a recording of `gaitd import`.
    Recording,
    /// A decision, as NDJSON and events carry it.
    Decision,
    /// The HTTP interface, as OpenAPI 3.1.
    OpenApi,
}

impl Subject {
    /// Its form, as indented JSON with a line feed at its end.
    #[must_use]
    pub fn text(self) -> String {
        let packed: &[u8] = match self {
            Self::Config => packed!("config"),
            Self::Manifest => packed!("manifest"),
            Self::Scenario => packed!("scenario"),
            Self::Recording => packed!("recording"),
            Self::Decision => packed!("decision"),
            Self::OpenApi => packed!("openapi"),
        };
        String::from_utf8(unpack(packed)).unwrap_or_default()
    }
}
