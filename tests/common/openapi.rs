//! The OpenAPI document as a check of answers.

use serde_json::Value;

use crate::http::Answer;
use crate::schema::Schema;

/// The document as it is served.
pub fn document() -> Value {
    serde_json::from_str(gaitd_daemon::http::document()).unwrap()
}

/// The document with every object closed: a later version may add fields, but none that this one does not describe.
fn closed_document() -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                members.values_mut().for_each(close);
                if members.get("properties").is_some_and(Value::is_object)
                    && members.get("type") == Some(&"object".into())
                {
                    members.entry("additionalProperties").or_insert(Value::Bool(false));
                }
            }
            Value::Array(values) => values.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut document = document();
    close(&mut document);
    document
}

/// Checks `value` against the schema at `pointer` in the document.
fn check_at(pointer: &str, value: &Value) {
    if let Err(problem) = Schema::new(closed_document(), pointer).check(value) {
        panic!("{pointer}: {problem}");
    }
}

/// Checks `value` against the schema of that name.
pub fn check(schema: &str, value: &Value) {
    check_at(&format!("/components/schemas/{schema}"), value);
}

/// Checks that the document knows this answer.
pub fn check_answer(method: &str, path: &str, answer: &Answer) {
    let document = document();
    let escaped = path.replace('/', "~1");
    let mut pointer = format!("/paths/{escaped}/{}/responses/{}", method.to_lowercase(), answer.status);
    let mut described = document.pointer(&pointer).unwrap_or_else(|| panic!("not in the document: {pointer}"));
    if let Some(reference) = described["$ref"].as_str() {
        pointer = reference.strip_prefix('#').unwrap().to_owned();
        described = document.pointer(&pointer).unwrap();
    }
    let content_type = answer.header("content-type").unwrap().split(';').next().unwrap();
    assert!(described["content"][content_type].is_object(), "{pointer} has no {content_type}");
    if content_type == "application/json" {
        check_at(&format!("{pointer}/content/{}/schema", content_type.replace('/', "~1")), &answer.json());
    }
}
