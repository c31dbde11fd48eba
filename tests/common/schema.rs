//! JSON Schemas as checks, by a validator that shares no code with what has made them.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;

/// Where a document lies for the validator, which fetches nothing.
const PLACE: &str = "https://gaitd.example/document.json";

/// A schema, ready to check values.
pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// The schema at the JSON pointer `pointer` in `document`.
    pub fn new(document: Value, pointer: &str) -> Self {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource(PLACE, document).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile(&format!("{PLACE}#{pointer}"), &mut schemas);
        Self { index: index.unwrap_or_else(|error| panic!("{pointer}: {error}")), schemas }
    }

    /// What is wrong with `value`, if anything.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.index).map_err(|error| format!("{error:#}\n{value:#}"))
    }
}
