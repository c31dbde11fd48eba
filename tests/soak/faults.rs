//! Everything that goes wrong. After each fault the stream goes on, and the account has to come out.

use std::io::Write;

use serde_json::{Value, json};

use crate::Soak;
use crate::stream::Bad;
use gaitd_tests::http::{Client, Wire};

/// One kind of fault: its name, and what does it.
pub type Fault = (&'static str, fn(&mut Soak));

/// Every kind.
pub const ALL: [Fault; 21] = [
    ("the writer goes away and comes back", writer_gone),
    ("the pipe is removed and made again", pipe_made_again),
    ("the pipe is replaced while nobody writes", pipe_replaced),
    ("lines that are no samples", bad_lines),
    ("too many bad lines in a row", many_bad_lines),
    ("the sensor's clock is set forward", clock_forward),
    ("the sensor's clock is set back", clock_back),
    ("the sensor's clock trembles", clock_trembles),
    ("subscribers that are stuck", stuck_subscribers),
    ("subscribers that are slow", slow_subscribers),
    ("clients that come and go", clients),
    ("a flood of connections", flood),
    ("requests that make no sense", nonsense),
    ("another budget by reload", other_budget),
    ("another ladder by reload", other_ladder),
    ("reloads by signal", signalled_reload),
    ("configurations that are broken", broken_configurations),
    ("the output is moved", output_moved),
    ("the disk is full", disk_full),
    ("the state directory cannot be used", no_state),
    ("settings are changed", settings),
];

fn reopen(soak: &mut Soak) {
    soak.daemon.until("the pipe is read", |_| soak.stream.open());
}

fn close_and_be_noticed(soak: &mut Soak) {
    let failures = |status: &Value| status["source"]["failures"].as_u64().unwrap();
    let before = failures(&soak.daemon.status());
    soak.stream.close();
    soak.daemon.until("the end of the stream is noticed", |daemon| failures(&daemon.status()) > before);
    let ready = soak.daemon.socket.get("/readyz");
    assert!(matches!(ready.status, 200 | 503), "{}", ready.text());
}

fn writer_gone(soak: &mut Soak) {
    close_and_be_noticed(soak);
    reopen(soak);
}

fn pipe_made_again(soak: &mut Soak) {
    close_and_be_noticed(soak);
    soak.stream.remove();
    let text = |status: &Value| status["source"]["detail"].as_str().unwrap_or_default().to_owned();
    soak.daemon.until("the pipe is missed", |daemon| text(&daemon.status()).contains("cannot open"));
    soak.stream.make();
    reopen(soak);
}

fn pipe_replaced(soak: &mut Soak) {
    close_and_be_noticed(soak);
    soak.daemon.until("the pipe is opened", |daemon| daemon.status()["source"]["state"] != "retrying");
    soak.stream.remove();
    soak.stream.make();
    reopen(soak);
}

fn bad_lines(soak: &mut Soak) {
    let lines = [
        Bad::Malformed(b"two,words"),
        Bad::NonFinite("nan"),
        Bad::Malformed(b"\xff\xfe\x00 not text"),
        Bad::NonFinite("-inf"),
        Bad::NonFinite("1e9"),
        Bad::Malformed(b"{\"t\": 1}"),
        Bad::TooLong,
    ];
    for round in 0..40 {
        let count = 1 + soak.random(4) as usize;
        let some: Vec<Bad> = (0..count).map(|place| lines[(round + place) % lines.len()]).collect();
        soak.stream.bad(&some);
        soak.stream.good(1 + soak.random.below(150));
    }
}

fn many_bad_lines(soak: &mut Soak) {
    let count = 6 + soak.random(300) as usize;
    soak.stream.bad(&vec![Bad::Malformed(b"sensor restarting"); count]);
}

fn clock_forward(soak: &mut Soak) {
    for ticks in [3, 6, 500, 50 * 3600 * 24] {
        soak.stream.set_clock(ticks);
        soak.stream.good(200);
    }
}

fn clock_back(soak: &mut Soak) {
    // an hour, and no more than what passes before it is believed
    for ticks in [50 * 3600, 40, 4] {
        soak.stream.set_clock(-ticks);
        soak.stream.good(300);
    }
}

fn clock_trembles(soak: &mut Soak) {
    for _ in 0..100 {
        // two samples with one stamp are no clock that was set back; one alone after a gap may be astray
        let ticks = [-6, -5, -4, -3, -2, 0, 1, 2, 3, 4, 5, 6][soak.random(12) as usize];
        soak.stream.set_clock(ticks);
        soak.stream.good(2 + soak.random.below(20));
    }
}

fn subscribe(client: &Client) -> Wire {
    let mut wire = client.connect();
    wire.write_all(&client.request("GET", "/api/events", &[], b"")).unwrap();
    wire
}

fn stuck_subscribers(soak: &mut Soak) {
    let wires: Vec<Wire> = (0..8).map(|_| subscribe(&soak.daemon.http)).collect();
    soak.daemon.until("all are let in", |daemon| daemon.status()["subscribers"].as_u64().unwrap() >= 8);
    soak.stream.good(5000);
    soak.settle();
    drop(wires);
}

fn slow_subscribers(soak: &mut Soak) {
    let mut events: Vec<_> = (0..3).map(|_| soak.daemon.socket.events(None)).collect();
    // fewer than there are, or they would be waited for: of a stream that overtakes its windows nobody knows how many
    let some = if soak.lossless { 8 } else { 0 };
    for _ in 0..5 {
        soak.stream.good(1000);
        soak.stream.flush();
        for events in &mut events {
            let mut last = 0;
            for event in events.by_ref().take(some) {
                let Some(number) = event.id.as_ref().and_then(|id| id.rsplit_once('-')?.1.parse::<u64>().ok()) else {
                    continue;
                };
                assert!(number > last, "events in order");
                last = number;
            }
        }
    }
}

fn clients(soak: &mut Soak) {
    let paths = ["/", "/healthz", "/readyz", "/metrics", "/api/status", "/api/config", "/api/ladder", "/api/control"];
    for (place, path) in paths.into_iter().cycle().take(200).enumerate() {
        let client = if place % 2 == 0 { &soak.daemon.http } else { &soak.daemon.socket };
        if place % 5 == 0 {
            // asks, and does not wait for the answer
            let _ = client.connect().write_all(&client.request("GET", path, &[], b""));
            continue;
        }
        let answer = client.get(path);
        assert!(answer.status == 200 || path == "/readyz", "{path}: {}", answer.status);
        soak.stream.good(20);
    }
}

fn flood(soak: &mut Soak) {
    for _ in 0..3 {
        let tcp: Vec<_> = (0..200).filter_map(|_| soak.daemon.http.try_connect().ok()).collect();
        let unix: Vec<_> = (0..20).filter_map(|_| soak.daemon.socket.try_connect().ok()).collect();
        soak.stream.good(500);
        soak.stream.flush();
        assert_eq!(soak.daemon.socket.get("/healthz").status, 200);
        drop((tcp, unix));
    }
}

fn nonsense(soak: &mut Soak) {
    let http = soak.daemon.http.clone();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(40_000));
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "b".repeat(40_000));
    for bytes in [b"\x16\x03\x01\x02\x00\x01\xfc".as_slice(), b"GET\r\n\r\n", long.as_bytes(), header.as_bytes()] {
        if let Some(answer) = http.raw(bytes) {
            assert!((400..500).contains(&answer.status));
        }
        soak.stream.good(50);
    }
    for (method, path, status) in
        [("GET", "/nowhere", 404), ("DELETE", "/api/status", 405), ("POST", "/api/reload", 403)]
    {
        assert_eq!(http.send(method, path, &[], b"").status, status, "{method} {path}");
    }
    let foreign = http.send("GET", "/api/status", &[("Host", "evil.example")], b"");
    assert_eq!(foreign.status, 403);
    for (body, status) in
        [("{", 400), (r#"{"budget_ms": 0}"#, 422), (r#"{"pin": "9x"}"#, 422), (r#"{"bogus": 1}"#, 422)]
    {
        let answer = soak.daemon.socket.send("PATCH", "/api/control", &[], body.as_bytes());
        assert!(answer.status == status || answer.status == 400, "{body}: {}", answer.text());
    }
    let large = vec![b' '; 1 << 20];
    let answer = soak.daemon.socket.raw(&soak.daemon.socket.request("PATCH", "/api/control", &[], &large));
    assert!(answer.is_none_or(|answer| answer.status == 413));
}

/// Reloads what [`crate::daemon::Daemon::config`] says, which must be taken.
fn reload(soak: &mut Soak) -> Value {
    soak.daemon.configure();
    let answer = soak.daemon.reload();
    assert_eq!(answer.status, 200, "{}", answer.text());
    soak.reloads += 1;
    answer.json()
}

fn other_budget(soak: &mut Soak) {
    for budget in [5.0, 250.0, 50.0] {
        soak.daemon.config["control"] = json!({"budget_ms": budget, "policy": {"kind": "alert"}});
        reload(soak);
        assert_eq!(soak.daemon.status()["settings"]["budget_ms"], budget);
        soak.stream.good(300);
    }
    soak.daemon.config["control"] = json!({});
    reload(soak);
}

fn other_ladder(soak: &mut Soak) {
    let (small, all) = (soak.small.path().to_path_buf(), soak.daemon.config["models"].clone());
    soak.daemon.config["models"] = json!(small);
    let before = soak.daemon.status()["model"]["configurations"].as_u64().unwrap();
    // while windows are under way
    soak.stream.good(2000);
    soak.stream.flush();
    let reloaded = reload(soak);
    assert!(reloaded["changed"].as_array().unwrap().contains(&json!("models")), "{reloaded}");
    assert!(soak.daemon.status()["model"]["configurations"].as_u64().unwrap() < before);
    soak.stream.good(2000);
    soak.stream.flush();
    soak.daemon.config["models"] = all;
    reload(soak);
    assert_eq!(soak.daemon.status()["model"]["configurations"].as_u64().unwrap(), before);
}

fn signalled_reload(soak: &mut Soak) {
    for _ in 0..2 {
        let done = |status: &Value| status["reloads"]["done"].as_u64().unwrap();
        let before = done(&soak.daemon.status());
        soak.daemon.signal("-HUP");
        soak.stream.good(300);
        soak.stream.flush();
        soak.daemon.until("the reload is done", |daemon| done(&daemon.status()) > before);
        soak.reloads += 1;
    }
}

fn broken_configurations(soak: &mut Soak) {
    let good = soak.daemon.config.clone();
    let settings = soak.daemon.status()["settings"].clone();
    let mut texts = vec!["{".to_owned(), String::new(), "[1]".to_owned()];
    for (field, value) in [
        ("models", json!("no/such/model")),
        ("control", json!({"budget_ms": -1})),
        ("outputs", json!([{"path": "no/such/directory/decisions"}])),
        ("bogus", json!(1)),
        ("http", json!({"listen": "127.0.0.1:0", "token_file": "no-such-token"})),
    ] {
        let mut config = good.clone();
        config[field] = value;
        texts.push(config.to_string());
    }
    for text in texts {
        std::fs::write(soak.daemon.path("gaitd.json"), &text).unwrap();
        let answer = soak.daemon.reload();
        assert_eq!(answer.status, 422, "{text}: {}", answer.text());
        soak.refused += 1;
        soak.stream.good(100);
    }
    soak.daemon.configure();
    assert_eq!(soak.daemon.status()["settings"], settings, "a refused configuration changes nothing");
}

fn output_moved(soak: &mut Soak) {
    soak.settle();
    let before = soak.daemon.path(soak.daemon.config["outputs"][0]["path"].as_str().unwrap());
    soak.outputs += 1;
    let now = format!("decisions-{}.ndjson", soak.outputs);
    soak.daemon.config["outputs"][0]["path"] = json!(now);
    reload(soak);
    // all that was published before stands there, line by line
    let text = std::fs::read_to_string(&before).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    soak.found += lines.iter().filter(|line| line["class"] == "decision").count() as u64;
    std::fs::remove_file(before).unwrap();
    soak.stream.good(300);
}

fn disk_full(soak: &mut Soak) {
    soak.settle();
    let before = soak.daemon.status();
    let windows = soak.stream.windows;
    let good =
        std::mem::replace(&mut soak.daemon.config["outputs"], json!([{"format": "ndjson", "path": "/dev/full"}]));
    reload(soak);
    soak.stream.good(1500);
    soak.settle();
    let full = soak.daemon.status();
    assert_eq!(full["outputs"][0]["state"], "failing", "{full}");
    let lost = |status: &Value| status["windows"]["lost"].as_u64().unwrap();
    let decided = |status: &Value| status["windows"]["decided"].as_u64().unwrap();
    let (more_lost, more_decided) = (lost(&full) - lost(&before), decided(&full) - decided(&before));
    assert_eq!(more_lost, more_decided, "all are lost");
    assert!(soak.stream.windows > windows);
    soak.daemon.config["outputs"] = good;
    reload(soak);
    soak.stream.good(300);
    soak.settle();
    assert_eq!(soak.daemon.status()["outputs"][0]["state"], "writing");
    if soak.lossless {
        assert_eq!(lost(&soak.daemon.status()), lost(&full), "nothing else is lost");
    }
}

fn no_state(soak: &mut Soak) {
    // a file in its place: to be root is no help then
    let (state, away) = (soak.daemon.path("state"), soak.daemon.path("state-away"));
    std::fs::rename(&state, &away).unwrap();
    std::fs::write(&state, "").unwrap();
    reload(soak);
    soak.stream.good(300);
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&away, &state).unwrap();
    reload(soak);
}

fn settings(soak: &mut Soak) {
    let ladder = soak.daemon.socket.get("/api/ladder").json();
    let pick = soak.random(ladder["configurations"].as_array().unwrap().len() as u64) as usize;
    let pin = ladder["configurations"][pick]["id"].clone();
    let changes = [json!({"pin": pin}), json!({"budget_ms": 0.001}), json!({"cpu_budget_percent": 0.5, "pin": null})];
    for change in changes {
        let answer = soak.daemon.socket.patch("/api/control", &change);
        assert_eq!(answer.status, 200, "{}", answer.text());
        soak.stream.good(300);
    }
    soak.daemon.socket.patch("/api/control", &json!({"pin": pin}));
    soak.settle();
    soak.stream.good(300);
    soak.settle();
    soak.daemon.until("the pin is seen", |daemon| daemon.socket.get("/api/explain").json()["configuration"] == pin);
    let reloaded = reload(soak);
    assert!(reloaded["ended"].as_array().unwrap().contains(&json!("pin")), "{reloaded}");
}
