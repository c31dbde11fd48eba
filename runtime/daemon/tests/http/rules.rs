//! Who may ask for what, and how it is answered.

use std::io::{Read, Write};

use serde_json::json;

use super::world::{Reloading, TOKEN, patient, world};
use gaitd_tests::http::Client;

#[test]
fn only_who_knows_the_token_changes_anything_over_the_network() {
    let world = world(patient());
    let change = json!({"budget_ms": 20});
    let refused = |client: &Client| {
        let answer = client.patch("/api/control", &change);
        assert_eq!(client.post("/api/reload").status, answer.status);
        answer
    };
    let answer = refused(&world.tcp);
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    for wrong in ["", "a", "a token of the tesT", "a token of the test2", "Bearer a token of the test"] {
        let answer = refused(&world.tcp.with_token(wrong));
        assert!(matches!(answer.status, 401 | 403), "{wrong}");
    }
    let basic = world.tcp.send("POST", "/api/reload", &[("Authorization", "Basic YTpi")], b"");
    assert_eq!(basic.status, 401);
    assert_eq!(world.tcp.get("/api/control").json()["budget_ms"], 50.0, "nothing was changed");

    assert_eq!(world.tcp.with_token(TOKEN).patch("/api/control", &change).json()["budget_ms"], 20.0);
    let lower = world.tcp.send("POST", "/api/reload", &[("authorization", &format!("bearer {TOKEN}"))], b"");
    assert_eq!(lower.status, 200);
    assert_eq!(world.unix.patch("/api/control", &json!({"budget_ms": 30})).json()["budget_ms"], 30.0);

    for none in [None, Some(String::new())] {
        *world.fake.token.lock().unwrap() = none;
        for client in [&world.tcp, &world.tcp.with_token(""), &world.tcp.with_token(TOKEN)] {
            let answer = refused(client);
            assert_eq!(answer.status, 403);
            assert!(answer.text().contains("http.token_file"), "{}", answer.text());
        }
    }
    assert_eq!(world.unix.post("/api/reload").status, 200);
    // nobody's text is read before it is known that they may send one
    let long = "x".repeat(1 << 20);
    assert_eq!(world.tcp.send("PATCH", "/api/control", &[], long.as_bytes()).status, 403);
}

#[test]
fn a_request_for_another_host_is_refused() {
    let world = world(patient());
    let get = |client: &Client, host: &str| client.send("GET", "/api/status", &[("Host", host)], b"").status;
    for host in ["localhost:4248", "127.0.0.1", "[::1]:4248", "gait.example", "GAIT.example:443"] {
        assert_eq!(get(&world.tcp, host), 200, "{host}");
    }
    for host in ["evil.example", "192.168.1.1", "localhost.evil.example", "a b", "evil@localhost", ""] {
        assert_eq!(get(&world.tcp, host), 403, "{host}");
        assert_eq!(get(&world.unix, host), 200, "no browser reaches the socket: {host}");
    }
    let answer = world.tcp.raw(b"GET /api/status HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
    // proxies check the health of what is behind them without one
    assert_eq!(world.tcp.raw(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap().status, 200);
    assert_eq!(world.tcp.raw(b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n").unwrap().status, 403);
    assert_eq!(world.tcp.raw(b"GET http://evil.example/healthz HTTP/1.0\r\n\r\n").unwrap().status, 403);
    assert_eq!(world.tcp.raw(b"POST /api/reload HTTP/1.0\r\n\r\n").unwrap().status, 401);
    let two = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(world.tcp.raw(two).unwrap().status, 400);
    let absolute = world.tcp.send("GET", "http://evil.example/api/status", &[], b"");
    assert_eq!(absolute.status, 403);
    assert_eq!(world.tcp.send("GET", "http://localhost/api/status", &[], b"").status, 200);
    // the dashboard as well, and what there is not
    assert_eq!(world.tcp.send("GET", "/", &[("Host", "evil.example")], b"").status, 403);
    assert_eq!(world.tcp.send("GET", "/nothing", &[("Host", "evil.example")], b"").status, 403);
    assert!(world.refused("host") >= 8);
}

#[test]
fn every_answer_keeps_browsers_from_doing_harm() {
    let world = world(patient());
    for path in ["/", "/api/status", "/nothing", "/metrics", "/icon.svg"] {
        let answer = world.tcp.send("GET", path, &[("Origin", "https://evil.example")], b"");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'self'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
        assert!(matches!(answer.header("cache-control"), Some("no-store" | "no-cache")), "{path}");
    }
    assert_eq!(world.tcp.send("OPTIONS", "/api/control", &[], b"").status, 405);
}

#[test]
fn methods_paths_and_heads() {
    let world = world(patient());
    let answer = world.tcp.post("/api/status");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
    let answer = world.tcp.post("/dashboard.css");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
    for path in ["/nothing", "/api", "/api/status/", "//api/status", "/../etc/passwd", "/%2e%2e/x", "/dashboard.html"] {
        let answer = world.tcp.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["error"].is_string());
    }
    assert_eq!(world.tcp.get("/api/status?x=1").status, 200);
    for path in ["/", "/healthz", "/metrics", "/api/status", "/api/events", "/dashboard.css"] {
        let answer = world.tcp.send("HEAD", path, &[], b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert_eq!(world.board.subscribers(), 0);
}

#[test]
fn the_parts_of_the_dashboard_are_there_and_need_not_be_sent_twice() {
    let world = world(patient());
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/dashboard.css", "text/css; charset=utf-8"),
        ("/dashboard.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = world.tcp.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)), "{path}");
        let tag = answer.header("etag").unwrap();
        let again = world.tcp.send("GET", path, &[("If-None-Match", tag)], b"");
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(world.tcp.send("GET", path, &[("If-None-Match", "\"older\"")], b"").status, 200);
    }
}

#[test]
fn a_change_is_json_of_a_reasonable_length() {
    let world = world(patient());
    let tcp = world.tcp.with_token(TOKEN);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let answer = tcp.send("PATCH", "/api/control", &[("Content-Type", content_type)], br#"{"budget_ms": 1}"#);
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let charset = [("Content-Type", "Application/JSON; charset=utf-8")];
    assert_eq!(tcp.send("PATCH", "/api/control", &charset, br#"{"budget_ms": 40}"#).status, 200);

    let padded = |length: usize| format!("{:length$}", r#"{"budget_ms": 41}"#);
    assert_eq!(tcp.send("PATCH", "/api/control", &[], padded(16 << 10).as_bytes()).status, 200);
    assert_eq!(tcp.send("PATCH", "/api/control", &[], padded((16 << 10) + 1).as_bytes()).status, 413);
    // a body whose length is not told beforehand
    let mut request = tcp.request("PATCH", "/api/control", &[("Transfer-Encoding", "chunked")], b"");
    let head =
        String::from_utf8(request.clone()).unwrap().replace("\r\n\r\n", "\r\nContent-Type: application/json\r\n\r\n");
    request = head.into_bytes();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    request.extend(chunk.repeat(5).as_bytes());
    request.extend(b"0\r\n\r\n");
    assert_eq!(tcp.raw(&request).unwrap().status, 413);
    assert_eq!(world.refused("too_large"), 2);
}

#[test]
fn one_connection_takes_many_requests() {
    let world = world(patient());
    let mut wire = world.tcp.connect();
    let keep = [("Connection", "keep-alive")];
    for _ in 0..3 {
        wire.write_all(&world.tcp.request("GET", "/healthz", &keep, b"")).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"{\"alive\":true}") {
            let mut byte = [0];
            wire.read_exact(&mut byte).unwrap();
            seen.extend(byte);
        }
    }
    // three at once
    let at_once = world.tcp.request("GET", "/healthz", &keep, b"").repeat(2);
    wire.write_all(&[at_once, world.tcp.request("GET", "/healthz", &[], b"")].concat()).unwrap();
    let all = String::from_utf8(wire.rest()).unwrap();
    assert_eq!(all.matches("{\"alive\":true}").count(), 3);
}

#[test]
fn others_are_served_while_a_reload_takes_its_time_and_after_one_has_failed() {
    let world = world(patient());
    let (begun, end) = world.fake.slow_reload();
    let reloading = std::thread::spawn({
        let unix = world.unix.clone();
        move || unix.post("/api/reload").status
    });
    begun.recv().unwrap();
    assert_eq!(world.tcp.get("/healthz").status, 200);
    end.send(()).unwrap();
    assert_eq!(reloading.join().unwrap(), 200);

    *world.fake.reloads.lock().unwrap() = Reloading::Panics;
    let answer = world.unix.post("/api/reload");
    assert_eq!(answer.status, 500);
    assert!(answer.json()["error"].is_string());
    assert_eq!(world.unix.post("/api/reload").status, 200);
}
