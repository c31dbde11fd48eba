//! JSON Schemas, derived from the types that are read and written.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Where the schema named `name` has its identity. Nothing is fetched from there.
fn identity(name: &str) -> String {
    format!("https://gaitd.invalid/schema/{name}.json")
}

/// Gives a struct with `#[serde(tag = "class")]` that field in its schema too.
pub(crate) fn class(name: &'static str) -> impl Transform {
    move |schema: &mut Schema| {
        schema.ensure_object();
        let member = |schema: &mut Schema, key: &str, empty: Value| {
            let entry = schema.ensure_object().entry(key).or_insert(empty);
            std::mem::take(entry)
        };
        let mut properties = member(schema, "properties", json!({}));
        properties["class"] = json!({"const": name, "description": "What this is"});
        schema.insert("properties".to_owned(), properties);
        let mut required = member(schema, "required", json!([]));
        if let Some(required) = required.as_array_mut() {
            required.insert(0, json!("class"));
        }
        schema.insert("required".to_owned(), required);
    }
}

/// Links between items of Rust, which mean nothing in a schema, become plain names.
fn unlink(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("[`", "`").replace("`]", "`").replace('\n', " ");
    }
}

/// What derives schemas of answers, lines and events, which lie together below `definitions`, such as
/// `/components/schemas`.
#[must_use]
pub fn answers(definitions: &'static str) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(unlink));
    settings.with(|settings| settings.definitions_path = definitions.into()).into_generator()
}

/// What derives schemas of requests, which lie together below `definitions`.
#[must_use]
pub fn requests(definitions: &'static str) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(RecursiveTransform(unlink));
    settings.with(|settings| settings.definitions_path = definitions.into()).into_generator()
}

/// The schema of a file that is read, for editors: `name` is how `gaitd schema` calls it, `title` is for people.
#[must_use]
pub fn of_file<T: JsonSchema>(name: &str, title: &str) -> Schema {
    titled(requests("/$defs").into_root_schema_for::<T>(), name, title)
}

/// The schema of what is written, such as a line: `name` is how `gaitd schema` calls it, `title` is for people.
#[must_use]
pub fn of_answer<T: JsonSchema>(name: &str, title: &str) -> Schema {
    titled(answers("/$defs").into_root_schema_for::<T>(), name, title)
}

fn titled(mut schema: Schema, name: &str, title: &str) -> Schema {
    schema.insert("$id".to_owned(), identity(name).into());
    schema.insert("title".to_owned(), title.into());
    schema
}
