//! Clients that mean no good, or are broken.

use std::io::Write;
use std::time::Duration;

use gaitd_daemon::http::Limits;
use proptest::prelude::*;

use super::world::{TOKEN, patient, until, world};
use gaitd_tests::http::{Answer, Client};

fn sound(client: &Client) {
    assert_eq!(client.get("/healthz").status, 200);
}

#[test]
fn what_is_not_http_is_answered_with_a_refusal() {
    let world = world(patient());
    for text in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}",
        "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let answer = world.tcp.raw(text.as_bytes()).unwrap_or_else(|| panic!("no answer to {text:?}"));
        assert_eq!(answer.status, 400, "{text:?}");
    }
    sound(&world.tcp);
    until("all are counted", || world.refused("malformed") == 8);
}

#[test]
fn a_header_has_its_limits() {
    let world = world(patient());
    let long = "x".repeat(17 << 10);
    assert_eq!(world.tcp.send("GET", "/healthz", &[("X-Long", &long)], b"").status, 431);
    let path = format!("/{long}");
    assert!(matches!(world.tcp.send("GET", &path, &[], b"").status, 414 | 431));
    let many: Vec<(String, &str)> = (0..70).map(|header| (format!("X-{header}"), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(world.tcp.send("GET", "/healthz", &many, b"").status, 431);
    assert_eq!(world.tcp.send("GET", "/healthz", &many[..50], b"").status, 200);
    until("all are counted", || world.refused("too_large") == 3);
}

#[test]
fn who_is_too_slow_is_told_and_who_says_nothing_is_let_go() {
    let short = Duration::from_millis(20);
    let world = world(Limits { header: short, body: short, ..patient() });
    let mut wire = world.tcp.connect();
    wire.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    assert_eq!(Answer::parse(&wire.rest()).unwrap().status, 408);

    let mut wire = world.tcp.connect();
    assert!(wire.rest().is_empty(), "nothing was asked, and nothing is answered");

    let mut wire = world.unix.connect();
    let head = world.unix.request("PATCH", "/api/control", &[("Content-Length", "20")], b"{\"budget_ms\"");
    wire.write_all(&head).unwrap();
    assert_eq!(Answer::parse(&wire.rest()).unwrap().status, 408);

    let mut wire = world.unix.connect();
    let head = world.unix.request("PATCH", "/api/control", &[("Content-Length", "20")], b"{\"budget_ms\"");
    wire.write_all(&head).unwrap();
    wire.finish();
    // a client that has hung up in the middle may get an answer, but changes nothing
    wire.rest();
    assert_eq!(world.tcp.get("/api/control").json()["budget_ms"], 50.0);
    assert_eq!(world.refused("too_slow"), 2);
}

#[test]
fn thousands_of_connections_are_served_or_turned_away() {
    let world = world(Limits { tcp_connections: 10, ..patient() });
    let held: Vec<_> = (0..10)
        .map(|_| {
            let mut wire = world.tcp.connect();
            wire.write_all(b"GET /healthz HT").unwrap();
            wire
        })
        .collect();
    let turned_away = || world.tcp.raw(b"").is_some_and(|answer| answer.status == 503);
    until("the room is full", turned_away);
    let before = world.refused("connections");
    for _ in 0..2000 {
        let answer = world.tcp.raw(&world.tcp.request("GET", "/healthz", &[], b""));
        assert!(answer.is_none_or(|answer| answer.status == 503));
    }
    assert!(world.refused("connections") >= before + 2000);
    // nobody on the network locks out who is on this host
    sound(&world.unix);
    drop(held);
    until("there is room again", || {
        world.tcp.raw(&world.tcp.request("GET", "/healthz", &[], b"")).is_some_and(|answer| answer.status == 200)
    });
    for _ in 0..2000 {
        drop(world.tcp.connect());
    }
    until("the server has seen them all", || {
        world.tcp.raw(&world.tcp.request("GET", "/healthz", &[], b"")).is_some_and(|answer| answer.status == 200)
    });
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET ",
        "PATCH ",
        "POST ",
        "HEAD ",
        "/api/control",
        "/api/reload",
        "/healthz",
        "/",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "Host: localhost\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Type: application/json\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\n",
        "Connection: close\r\n",
        "\r\n",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "{\"budget_ms\":",
        "1e999}",
    ];
    let authorization = format!("Authorization: Bearer {TOKEN}\r\n").into_bytes();
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => Just(authorization),
        2 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

#[test]
fn no_bytes_at_all_harm_the_server() {
    let world = world(Limits { header: Duration::from_millis(50), body: Duration::from_millis(50), ..patient() });
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(pieces in prop::collection::vec(piece(), 0..20), local in any::<bool>())| {
        let client = if local { &world.unix } else { &world.tcp };
        let mut wire = client.connect();
        // the server may have enough of it before the end
        let _ = wire.write_all(&pieces.concat());
        wire.finish();
        let answered = wire.rest();
        prop_assert!(answered.is_empty() || answered.starts_with(b"HTTP/1."));
        sound(client);
    });
    world.server.stop();
}
