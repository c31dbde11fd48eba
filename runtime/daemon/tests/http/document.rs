//! The OpenAPI document and the server say the same.

use std::sync::atomic::Ordering;

use gaitd_daemon::http::paths;
use serde_json::json;

use super::world::{Reloading, TOKEN, World, decision, header, patient, published, world};
use gaitd_tests::http::{Answer, Client};
use gaitd_tests::openapi::{check, check_answer, document};

fn ask(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let answer = client.send(method, path, &[], body.as_bytes());
    check_answer(method, path, &answer);
    answer
}

#[test]
fn every_answer_is_as_described() {
    let World { fake, tcp, unix, server: _server, .. } = &world(patient());
    for client in [&tcp.with_token(TOKEN), unix] {
        for path in paths() {
            // the stream of events has no end to wait for
            if !matches!(path, "/api/events" | "/api/reload") {
                assert_eq!(ask(client, "GET", path, "").status, 200, "{path}");
            }
        }
        let changed = ask(
            client,
            "PATCH",
            "/api/control",
            r#"{"budget_ms": 20, "policy": {"kind": "step", "average": 3}, "objective": {"kind": "energy", "accuracy_floor": 0.9},
                "pin": "1.00x-128", "cpu_budget_percent": 12.5, "activity_aware": true, "miss_target": 0.1}"#,
        );
        assert_eq!((changed.status, &changed.json()["pin"]), (200, &json!("1.00x-128")));
        assert_eq!(client.get("/api/control").json(), changed.json());
        assert_eq!(ask(client, "POST", "/api/reload", "").json()["changed"], json!(["control.budget_ms"]));
    }

    fake.decided.store(false, Ordering::Relaxed);
    fake.sound.store(false, Ordering::Relaxed);
    for (path, status) in [("/api/explain", 404), ("/healthz", 503), ("/readyz", 503)] {
        assert_eq!(ask(tcp, "GET", path, "").status, status);
    }
    let tcp = &tcp.with_token(TOKEN);
    for (body, status) in [
        ("{", 400),
        ("{}", 400),
        (r#"{"bugdet_ms": 1}"#, 400),
        (r#"{"budget_ms": -1}"#, 422),
        (r#"{"pin": "none such"}"#, 422),
    ] {
        assert_eq!(ask(tcp, "PATCH", "/api/control", body).status, status, "{body}");
    }
    for (reloading, status) in [(Reloading::Refused, 422), (Reloading::Busy, 409)] {
        *fake.reloads.lock().unwrap() = reloading;
        assert_eq!(ask(tcp, "POST", "/api/reload", "").status, status);
    }
    let nobody = &Client { token: None, ..tcp.clone() };
    let other = &tcp.with_token("another");
    for (method, path, body) in [("PATCH", "/api/control", r#"{"budget_ms": 1}"#), ("POST", "/api/reload", "")] {
        assert_eq!(ask(nobody, method, path, body).status, 401);
        assert_eq!(ask(other, method, path, body).status, 403);
    }
}

#[test]
fn every_event_is_as_described() {
    let world = world(patient());
    let posted = decision(1);
    world.board.decision(&header(), &posted, published(&posted));
    let mut events = world.tcp.events(None);
    for (name, schema) in [("hello", "Hello"), ("decision", "Decision"), ("status", "Status")] {
        let event = events.next().unwrap();
        assert_eq!(event.name, name);
        check(schema, &event.data);
    }
    world.server.stop();
    let bye = events.next().unwrap();
    assert_eq!(bye.name, "bye");
    check("Bye", &bye.data);
    // a schema that takes anything would have been no check
    let mut wrong = serde_json::to_value(gaitd_api::Readiness { ready: true, reasons: vec![] }).unwrap();
    check("Readiness", &wrong);
    wrong["more"] = json!(1);
    assert!(std::panic::catch_unwind(|| check("Readiness", &wrong)).is_err());
}

#[test]
fn the_document_and_the_server_know_the_same_routes() {
    let world = world(patient());
    let document = document();
    let described = document["paths"].as_object().unwrap();
    let mut served = paths();
    served.sort_unstable();
    let mut known: Vec<_> = described.keys().map(String::as_str).collect();
    known.sort_unstable();
    assert_eq!(served, known);
    for (path, methods) in described {
        let answer = world.tcp.send("BREW", path, &[], b"");
        assert_eq!(answer.status, 405, "{path}");
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
        allowed.retain(|method| *method != "HEAD");
        let mut methods: Vec<_> = methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        allowed.sort_unstable();
        methods.sort_unstable();
        assert_eq!(allowed, methods, "{path}");
        assert!(answer.json()["error"].as_str().unwrap().contains("BREW"));
    }
    assert_eq!(world.tcp.get("/api/openapi.json").json(), document);
}
