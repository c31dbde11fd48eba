//! The description of the interface in the form of OpenAPI 3.1: paths and refusals are described here, what requests and
//! answers hold is derived from the types that are read and written.

use std::sync::LazyLock;

use gaitd_api::schema::{answers, requests};
use gaitd_api::{
    Activities, Aliveness, Bye, Change, DecisionLine, EpisodeLine, ErrorView, Explanation, Hello, LadderView, Lost,
    Readiness, ReloadEvent, Reloaded, RevisedLine, SampleBatch, SettingsEvent, SettingsView, Status, Summary,
};
use gaitd_schemas::Subject;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::Config;

/// Where the schemas lie in the document.
const SCHEMAS: &str = "/components/schemas";

/// Where the types of the request `Change` lie: they have other optional fields than in answers.
const CHANGE_TYPES: &str = "/components/schemas/Change/$defs";

/// The document, as it is served at `/api/openapi.json`: that of `docs/schema`, which [`derive_document`] makes.
#[must_use]
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| Subject::OpenApi.text());
    &DOCUMENT
}

/// The document, derived from the types; a test holds the file against it.
#[must_use]
pub fn derive_document() -> Value {
    let mut types = answers(SCHEMAS);
    let paths = paths(&mut types);
    let responses = responses(&mut types);
    // what is in no answer of its own, but in events and lines
    let _ = (types.subschema_for::<Hello>(), types.subschema_for::<DecisionLine>(), types.subschema_for::<Summary>());
    let _ = (types.subschema_for::<EpisodeLine>(), types.subschema_for::<RevisedLine>());
    let _ = (types.subschema_for::<SampleBatch>(), types.subschema_for::<SettingsEvent>());
    let _ = (types.subschema_for::<ReloadEvent>(), types.subschema_for::<Lost>(), types.subschema_for::<Bye>());
    let mut schemas = types.take_definitions(true);
    schemas.insert("Change".to_owned(), change());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "gaitd",
            "version": "2",
            "description": "The state of a running gaitd and what can be changed in it: the same over TCP (on this host \
                            only, unless configured otherwise) and over the local control socket.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:4248"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The first line of http.token_file; not needed over the control socket",
                },
            },
            "responses": responses,
            "schemas": schemas,
        },
    })
}

/// The schema of a change, its types inside.
fn change() -> Value {
    let mut types = requests(CHANGE_TYPES);
    let mut schema = types.root_schema_for::<Change>();
    schema.remove("$schema");
    schema.remove("title");
    schema.insert("$defs".to_owned(), types.take_definitions(true).into());
    schema.into()
}

fn paths(types: &mut SchemaGenerator) -> Value {
    let everywhere = ["400", "403", "408", "503"];
    let health = ["400", "403", "408"];
    let operating = ["400", "401", "403", "408", "409", "422", "500", "503"];
    let token = json!([{"token": []}, {}]);

    let mut page = operation("The dashboard", ok("A page", of_type("text/html")), &everywhere);
    page["description"] = "Its parts lie beside it (/dashboard.css and so on).".into();

    let mut alive = operation("Whether the daemon does its work", ok("It does", json_of::<Aliveness>(types)), &health);
    alive["responses"]["503"] = unless::<Aliveness>(types, "It does not, or there are too many connections");
    let mut ready =
        operation("Whether the daemon has all that it needs", ok("It has", json_of::<Readiness>(types)), &health);
    ready["responses"]["503"] = unless::<Readiness>(types, "It has not, or there are too many connections");

    let settings = ok("The settings as they are now", json_of::<SettingsView>(types));
    let mut patch = operation("Change what is demanded", settings.clone(), &operating);
    for (status, refusal) in [("413", "TooLarge"), ("415", "NotJson")] {
        patch["responses"][status] = reference(refusal);
    }
    patch["description"] =
        "All or nothing, from the next window on. Over TCP it needs the token; over the control socket \
                            it does not."
            .into();
    patch["requestBody"] =
        json!({"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}});
    patch["security"] = token.clone();

    let reloaded = ok("What has changed", json_of::<Reloaded>(types));
    let mut reload = operation("Read the configuration again", reloaded, &operating);
    reload["description"] = "Answers when it is done. Where it is refused, everything stays as it was.".into();
    reload["security"] = token;

    let explanation = ok("All that spoke for and against each", json_of::<Explanation>(types));
    let mut explain = operation("Why the latest configuration was picked", explanation, &everywhere);
    explain["responses"]["404"] = reference("NotFound");

    let mut events = operation("Events", ok("Server-sent events", of_type("text/event-stream")), &everywhere);
    events["description"] =
        "First hello, then the decisions and episodes of the last minutes, then a status; from there on what happens. The \
         events hello, decision, revised, episode, samples, status (every 2 s), settings, reload, lost and bye have data in the form of the \
         schemas Hello, Decision, Revised, Episode, Samples, Status, SettingsEvent, Reload, Lost and Bye. A comment comes after every \
         15 s of silence."
            .into();
    events["parameters"] = json!([{
        "name": "Last-Event-ID",
        "in": "header",
        "description": "Id of the last event that was seen (RUN-N); decisions of the same run up to there are left out",
        "schema": {"type": "string"},
    }]);

    let document = json!({"application/json": {"schema": {"type": "object"}}});
    json!({
        "/": {"get": page},
        "/healthz": {"get": alive},
        "/readyz": {"get": ready},
        "/metrics": {"get": operation(
            "Metrics for Prometheus",
            ok("Prometheus' text format, version 0.0.4", of_type("text/plain")),
            &everywhere,
        )},
        "/api/status": {"get": operation(
            "How the daemon is", ok("Its status", json_of::<Status>(types)), &everywhere)},
        "/api/activities": {"get": operation(
            "What the wearer did",
            ok("Windows and seconds per activity, and the times of each", json_of::<Activities>(types)),
            &everywhere,
        )},
        "/api/config": {"get": operation(
            "The configuration in force",
            ok("The configuration; a token stands in a file of its own", json_of::<Config>(types)),
            &everywhere,
        )},
        "/api/ladder": {"get": operation(
            "The ladder in force", ok("The ladder and its profile", json_of::<LadderView>(types)), &everywhere)},
        "/api/control": {"get": operation("What is demanded", settings, &everywhere), "patch": patch},
        "/api/reload": {"post": reload},
        "/api/explain": {"get": explain},
        "/api/events": {"get": events},
        "/api/openapi.json": {"get": operation("This document", ok("OpenAPI 3.1", document), &everywhere)},
    })
}

/// An operation that answers with `answer`, or is refused with one of `refusals`.
fn operation(summary: &str, answer: Value, refusals: &[&str]) -> Value {
    let mut responses = json!({"200": answer});
    for status in refusals {
        responses[*status] = reference(match *status {
            "400" => "Malformed",
            "401" => "Unauthorised",
            "403" => "Forbidden",
            "408" => "TooSlow",
            "409" => "Conflict",
            "422" => "Invalid",
            "500" => "Internal",
            _ => "Busy",
        });
    }
    json!({"summary": summary, "responses": responses})
}

fn ok(description: &str, content: Value) -> Value {
    json!({"description": description, "content": content})
}

fn of_type(content_type: &str) -> Value {
    json!({content_type: {"schema": {"type": "string"}}})
}

fn json_of<T: JsonSchema>(types: &mut SchemaGenerator) -> Value {
    json!({"application/json": {"schema": types.subschema_for::<T>()}})
}

/// The answer 503 of a path that says by it that something does not hold.
fn unless<T: JsonSchema>(types: &mut SchemaGenerator, description: &str) -> Value {
    let either = json!({"anyOf": [types.subschema_for::<T>(), types.subschema_for::<ErrorView>()]});
    ok(description, json!({"application/json": {"schema": either}}))
}

fn reference(refusal: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{refusal}")})
}

/// The refusals, which all have the same form.
fn responses(types: &mut SchemaGenerator) -> Value {
    let mut responses = json!({});
    for (name, description) in [
        ("Malformed", "Not understood"),
        ("Unauthorised", "The token is missing"),
        ("Forbidden", "The token is wrong, or there is none, or the request is meant for another host"),
        ("NotFound", "There is nothing"),
        ("TooSlow", "The request did not come in time"),
        ("Conflict", "A reload is under way"),
        ("TooLarge", "The body is too large"),
        ("NotJson", "The body is not JSON"),
        ("Invalid", "Out of range, unknown, or cannot be loaded"),
        ("Internal", "gaitd itself has failed; its log says more"),
        ("Busy", "Too many connections or subscribers"),
    ] {
        responses[name] = ok(description, json_of::<ErrorView>(types));
    }
    responses["Unauthorised"]["headers"] = json!({"WWW-Authenticate": {"schema": {"type": "string"}}});
    responses["Busy"]["headers"] = json!({"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}});
    responses
}
