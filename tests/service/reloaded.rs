//! Reloads: what they bring, what they refuse, and that no window is lost on the way.

use std::collections::BTreeMap;

use gaitd_core::control::Learned;
use serde_json::{Value, json};

use super::daemon::{Daemon, Setup, TOKEN, Told, assert_consecutive, decisions, fifo, objects, smaller_ladder, until};
use gaitd_tests::ModelCopy;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What `gaitd ctl` tells in JSON.
fn object(told: Told) -> Value {
    serde_json::from_str(&told.done()).unwrap()
}

#[test]
fn a_new_budget_comes_by_signal_by_ctl_and_over_tcp() {
    let mut setup = Setup::new();
    let mut daemon = setup.start();
    assert_eq!(daemon.decide(1)[0]["budget_ms"], 50.0);

    setup.edit(|config| config["control"] = json!({"budget_ms": 40.0}));
    daemon.signal("HUP");
    let status = daemon.status_until("the reload", |status| status["reloads"]["done"] == 1);
    assert!(text(&status["reloads"]["last"]["message"]).contains("control.budget_ms"), "{status}");
    assert_eq!(daemon.decide(1)[0]["budget_ms"], 40.0);

    setup.edit(|config| config["control"]["budget_ms"] = json!(30.0));
    assert_eq!(daemon.ctl(&["reload"]).done(), "reloaded: control.budget_ms\n");
    assert_eq!(daemon.decide(1)[0]["budget_ms"], 30.0);

    setup.edit(|config| config["control"]["budget_ms"] = json!(20.0));
    let answer = daemon.tcp().with_token(TOKEN).post("/api/reload");
    assert_eq!(answer.json(), json!({"changed": ["control.budget_ms"], "not_reloaded": [], "ended": []}));
    assert_eq!(daemon.decide(1)[0]["budget_ms"], 20.0);
    assert_eq!(daemon.status()["reloads"]["done"], 3);
    assert!(daemon.ctl(&["reload"]).done().contains("the same as before"));
    assert_consecutive(&daemon.decisions());
    daemon.stop();
}

#[test]
fn another_ladder_takes_over_between_two_windows() {
    let mut setup = Setup::new();
    let (model, smaller) = smaller_ladder();
    let mut daemon = setup.start();
    let whole = daemon.unix().get("/api/ladder").json();
    daemon.decide(2);

    // samples flow while ladders come and go
    let mut feed = daemon.feed.take().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let feeding = std::thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            assert!(feed.windows(1));
        }
        feed
    });
    for round in 0..4 {
        let before = daemon.decisions().len();
        // both ladders have to be at work
        daemon.decisions_until(before + 5);
        setup.edit(|config| {
            config["models"] = if round % 2 == 0 { json!(model.path()) } else { Value::Null };
        });
        assert_eq!(object(daemon.ctl(&["reload", "--json"]))["changed"], json!(["models"]));
        let ladder = daemon.unix().get("/api/ladder").json();
        let offered: Vec<String> =
            ladder["configurations"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
        assert_eq!(offered == smaller, round % 2 == 0, "{offered:?}");
        assert_eq!(ladder["hash"] == whole["hash"], round % 2 == 1);
    }
    let before = daemon.decisions().len();
    daemon.decisions_until(before + 5);
    stop.send(()).unwrap();
    let feed = feeding.join().unwrap();
    let status = daemon.status();
    assert_eq!(status["reloads"]["done"], 4);
    drop(feed);
    assert!(daemon.end().success());
    let lines = objects(&daemon.written.whole());

    // each greeting stands before the first decision of its ladder, whose configurations are its own
    let mut ladders: Vec<(Vec<String>, usize)> = Vec::new();
    for line in &lines {
        match line["class"].as_str().unwrap() {
            "gaitd" => ladders.push((line["configurations"].as_array().unwrap().iter().map(text).collect(), 0)),
            "decision" => {
                let (offered, decided) = ladders.last_mut().unwrap();
                assert!(offered.contains(&text(&line["configuration"])), "{offered:?}: {line}");
                *decided += 1;
            }
            // a reload ends none
            "episode" => {}
            class => assert_eq!(class, "summary"),
        }
    }
    assert_eq!(ladders.len(), 5);
    for (place, (offered, decided)) in ladders.iter().enumerate() {
        assert_eq!(*offered == smaller, place % 2 == 1);
        assert!(*decided > 0);
    }
    let decisions: Vec<Value> = lines.iter().filter(|line| line["class"] == "decision").cloned().collect();
    assert_consecutive(&decisions);
    let summary = lines.last().unwrap();
    assert_eq!(summary["windows"]["produced"], decisions.len());
    assert_eq!(summary["windows"]["decided"], decisions.len());
    assert_eq!(summary["windows"]["published"], decisions.len());
    let of_configurations: u64 =
        summary["configurations"].as_array().unwrap().iter().map(|one| one["windows"].as_u64().unwrap()).sum();
    assert_eq!(of_configurations, decisions.len() as u64);
}

#[test]
fn other_temperatures_of_the_same_networks_come_into_force() {
    let model = ModelCopy::new();
    model.set_temperatures(|_| Some(1.0));
    let setup = Setup::with(|config| config["models"] = json!(model.path()));
    let mut daemon = setup.start();
    let surest = |daemon: &mut Daemon| {
        let decision = daemon.decide(1).pop().unwrap();
        decision["instant"]["probabilities"][text(&decision["instant"]["activity"])].as_f64().unwrap()
    };
    let hash = daemon.unix().get("/api/ladder").json()["hash"].clone();
    let before = surest(&mut daemon);
    assert!(daemon.ctl(&["reload"]).done().contains("the same as before"));
    model.set_temperatures(|_| Some(20.0));
    assert_eq!(daemon.ctl(&["reload"]).done(), "reloaded: models\n");
    let ladder = daemon.unix().get("/api/ladder").json();
    assert_eq!((&ladder["hash"], &ladder["configurations"][0]["temperature"]), (&hash, &json!(20.0)));
    let after = surest(&mut daemon);
    assert!(after < before - 0.05, "{before} before, {after} after");
    daemon.stop();
}

#[test]
fn decisions_that_wait_for_a_slow_reader_stay_with_their_own_ladder() {
    let mut setup = Setup::with(|config| config["outputs"][0]["path"] = json!("decisions"));
    let path = setup.path("decisions");
    fifo(&path);
    // who opens a pipe waits for the other end
    let opening = std::thread::spawn(move || std::fs::File::open(path).unwrap());
    let mut daemon = setup.start();
    let reader = opening.join().unwrap();
    // nobody reads until some decisions wait behind the full pipe
    let mut decided = 0;
    loop {
        daemon.feed.as_mut().unwrap().windows(1);
        decided += 1;
        let status = daemon.status_until("a decision", |status| status["windows"]["decided"] == decided);
        if status["windows"]["published"].as_u64().unwrap() + 10 < decided {
            break;
        }
    }
    let (model, smaller) = smaller_ladder();
    setup.edit(|config| config["models"] = json!(model.path()));
    daemon.ctl(&["reload"]).done();
    daemon.feed.as_mut().unwrap().windows(5);
    daemon.status_until("more", |status| status["windows"]["decided"] == decided + 5);
    let reading = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    daemon.stop();
    let written = reading.join().unwrap();
    let lines = objects(&written.lines().map(str::to_owned).collect::<Vec<_>>());
    let greetings: Vec<usize> = (0..lines.len()).filter(|place| lines[*place]["class"] == "gaitd").collect();
    assert_eq!((greetings.len(), greetings[0]), (2, 0));
    let decisions =
        |lines: &[Value]| -> Vec<Value> { lines.iter().filter(|line| line["class"] == "decision").cloned().collect() };
    assert_eq!(decisions(&lines[..greetings[1]]).len() as u64, decided);
    for decision in &decisions(&lines[greetings[1]..]) {
        assert!(smaller.contains(&text(&decision["configuration"])), "{decision}");
    }
    let decisions = decisions(&lines);
    assert_eq!(decisions.len() as u64, decided + 5);
    assert_consecutive(&decisions);
}

#[test]
fn what_was_learned_of_each_ladder_outlives_reloads() {
    // only at a sensor's pace is anything learned
    let mut setup = Setup::with(|config| config["source"]["pace"] = json!("live"));
    let mut daemon = setup.start();
    let one_by_one = |daemon: &mut Daemon, windows: usize| {
        for _ in 0..windows {
            daemon.decide(1);
        }
    };
    one_by_one(&mut daemon, 4);
    setup.edit(|config| config["control"] = json!({"budget_ms": 40.0}));
    daemon.ctl(&["reload"]).done();
    one_by_one(&mut daemon, 3);
    let (model, _) = smaller_ladder();
    setup.edit(|config| config["models"] = json!(model.path()));
    daemon.ctl(&["reload"]).done();
    one_by_one(&mut daemon, 5);
    setup.edit(|config| config["models"] = Value::Null);
    daemon.ctl(&["reload"]).done();
    daemon.told.line("going on from what 7 windows taught");
    one_by_one(&mut daemon, 2);
    daemon.stop();
    let mut learned: Vec<u64> = std::fs::read_dir(setup.path("state/learned"))
        .unwrap()
        .map(|file| Learned::from_json(&std::fs::read(file.unwrap().path()).unwrap()).unwrap().windows())
        .collect();
    learned.sort_unstable();
    assert_eq!(learned, [5, 9]);
}

/// Refused by `ctl` and over TCP, for a reason that names `expected`; the daemon goes on as before.
fn refused(daemon: &mut Daemon, expected: &str, before: &Value) {
    let told = daemon.ctl(&["reload"]).refused(78);
    assert!(told.contains(expected), "{expected:?} should be named in {told}");
    let answer = daemon.tcp().with_token(TOKEN).post("/api/reload");
    assert_eq!(answer.status, 422);
    assert!(text(&answer.json()["error"]).contains(expected), "{}", answer.text());
    let status = daemon.status();
    assert_eq!(status["reloads"]["last"]["ok"], false);
    assert!(text(&status["reloads"]["last"]["message"]).contains(expected), "{status}");
    for path in ["/api/config", "/api/ladder", "/api/control"] {
        assert_eq!(daemon.unix().get(path).json(), before[path], "{expected}");
    }
    assert_eq!(daemon.decide(1)[0]["budget_ms"], 50.0);
}

#[test]
fn what_cannot_be_used_is_refused_and_everything_stays_as_it_was() {
    let mut setup = Setup::new();
    let mut daemon = setup.start();
    daemon.decide(1);
    let good = setup.config.clone();
    let before: BTreeMap<&str, Value> =
        ["/api/config", "/api/ladder", "/api/control"].map(|path| (path, daemon.unix().get(path).json())).into();
    let before = json!(before);

    let broken = ModelCopy::new();
    std::fs::write(broken.path().join("1.00x-128.onnx"), "no network").unwrap();
    let other = ModelCopy::new();
    other.edit(|manifest| manifest["task"]["labels"][0] = json!("hovering"));
    let empty = setup.path("empty");
    std::fs::write(&empty, "\n").unwrap();
    let changes: [(&str, Value, &str); 9] = [
        ("/control", json!({"budget_ms": 0}), "budget_ms is 0"),
        ("/control", json!({"bugdet_ms": 1}), "bugdet_ms"),
        ("/control", json!({"budget_ms": 20, "policy": {"kind": "fixed", "configuration": "9x"}}), "9x"),
        ("/models", json!("nowhere"), "nowhere"),
        ("/models", json!(broken.path()), "1.00x-128"),
        ("/models", json!(other.path()), "labels"),
        ("/http/token_file", json!("missing"), "missing"),
        ("/http/token_file", json!(empty), "empty"),
        ("/outputs", json!([{"format": "ndjson", "path": "no/such/place"}]), "no/such/place"),
    ];
    let count = changes.len();
    for (place, value, expected) in changes {
        setup.edit(|config| {
            config.clone_from(&good);
            let (parent, key) = place.rsplit_once('/').unwrap();
            // something harmless beside it, which must not come into force either
            config["control"] = json!({"budget_ms": 45.0});
            config.pointer_mut(parent).unwrap()[key] = value;
        });
        refused(&mut daemon, expected, &before);
    }
    std::fs::write(setup.path("config.json"), r#"{"control": {"#).unwrap();
    refused(&mut daemon, "EOF", &before);
    std::fs::remove_file(setup.path("config.json")).unwrap();
    refused(&mut daemon, "config.json", &before);

    let status = daemon.status();
    assert_eq!(status["reloads"]["refused"], 2 * (count + 2));
    daemon.signal("HUP");
    daemon.status_until("the refusal", |status| status["reloads"]["refused"] == 2 * (count + 2) + 1);
    setup.edit(|config| config["control"] = json!({"budget_ms": 45.0}));
    setup.edit(|config| config["models"] = Value::Null);
    setup.edit(|config| *config = good);
    assert!(daemon.ctl(&["reload"]).done().contains("the same as before"));
    assert_consecutive(&daemon.decisions());
    daemon.stop();
}

#[test]
fn what_needs_a_restart_is_named_and_what_was_set_meanwhile_ends() {
    let mut setup = Setup::new();
    let mut daemon = setup.start();
    daemon.ctl(&["pin", "0.10x-96"]).done();
    daemon.ctl(&["budget", "33"]).done();
    assert_eq!(daemon.decide(1)[0]["configuration"], "0.10x-96");
    setup.edit(|config| {
        config["source"] = json!({"kind": "wearer"});
        config["socket"] = json!("other.sock");
        config["http"]["listen"] = json!("127.0.0.1:1");
        config["cpus"] = json!([0]);
        config["state"] = json!("elsewhere");
        config["http"]["hosts"] = json!(["gait.example"]);
    });
    let named = |host: &str| daemon.tcp().send("GET", "/healthz", &[("Host", host)], b"").status;
    assert_eq!(named("gait.example"), 403);
    let answer = object(daemon.ctl(&["reload", "--json"]));
    assert_eq!(answer["changed"], json!(["http.hosts"]));
    let mut kept: Vec<String> = answer["not_reloaded"].as_array().unwrap().iter().map(text).collect();
    kept.sort();
    assert_eq!(kept, ["cpus", "http.listen", "socket", "source", "state"]);
    assert_eq!(answer["ended"], json!(["budget_ms", "pin"]));
    assert_eq!(named("gait.example"), 200);
    let decision = daemon.decide(1).pop().unwrap();
    assert_eq!(decision["budget_ms"], 50.0);
    assert_ne!(decision["reason"], "pinned");
    let told = daemon.ctl(&["reload"]).done();
    assert!(told.contains("needs a restart") && told.contains("http.listen"), "{told}");
    // and the token is another one from here on
    std::fs::write(setup.path("token"), "another-token-of-the-test\n").unwrap();
    daemon.ctl(&["reload"]).done();
    let change = json!({"budget_ms": 20.0});
    assert_eq!(daemon.tcp().with_token(TOKEN).patch("/api/control", &change).status, 403);
    assert_eq!(daemon.tcp().with_token("another-token-of-the-test").patch("/api/control", &change).status, 200);
    daemon.stop();
}

/// The lines in a file.
fn read(path: &std::path::Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_log_that_was_rotated_is_begun_anew_and_loses_nothing() {
    let setup = Setup::with(|config| config["outputs"][0]["path"] = json!("decisions.ndjson"));
    let mut daemon = setup.start();
    let (path, old) = (setup.path("decisions.ndjson"), setup.path("decisions.ndjson.1"));
    let written = |path: &std::path::Path, count: usize| {
        until("decisions in the file", || Some(decisions(&read(path))).filter(|found| found.len() >= count))
    };
    daemon.feed.as_mut().unwrap().windows(3);
    written(&path, 3);
    std::fs::rename(&path, &old).unwrap();
    // the old file is still the one
    daemon.feed.as_mut().unwrap().windows(2);
    written(&old, 5);
    daemon.signal("HUP");
    daemon.status_until("the reload", |status| status["reloads"]["done"] == 1);
    daemon.feed.as_mut().unwrap().windows(4);
    written(&path, 4);
    daemon.stop();
    let new = objects(&read(&path));
    assert_eq!(new[0]["class"], "gaitd");
    assert_eq!(new.last().unwrap()["class"], "summary");
    let all = [decisions(&read(&old)), decisions(&read(&path))].concat();
    assert_eq!(all.len(), 9);
    assert_consecutive(&all);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_replaced_by_a_reload() {
    let mut setup = Setup::with(|config| config["outputs"][0]["path"] = json!("/dev/full"));
    let mut daemon = setup.start();
    daemon.feed.as_mut().unwrap().windows(3);
    let status = daemon.status_until("losses", |status| status["windows"]["lost"] == 3);
    assert_eq!(status["outputs"][0]["state"], "failing");
    assert!(text(&status["outputs"][0]["detail"]).contains("No space left"), "{status}");
    let told = daemon.ctl(&["status"]).done();
    assert!(told.contains("failing: ") && told.contains("3 lost"), "{told}");
    setup.edit(|config| config["outputs"][0]["path"] = json!("decisions.ndjson"));
    assert_eq!(object(daemon.ctl(&["reload", "--json"]))["changed"], json!(["outputs"]));
    daemon.status_until("the other output", |status| status["outputs"][0]["state"] == "writing");
    daemon.feed.as_mut().unwrap().windows(3);
    daemon.status_until("decisions", |status| status["windows"]["published"] == 3);
    daemon.stop();
    assert_eq!(decisions(&read(&setup.path("decisions.ndjson"))).len(), 3);
}

#[test]
fn of_reloads_at_once_each_is_done_or_told_to_wait() {
    let setup = Setup::new();
    let mut daemon = setup.start();
    daemon.decide(1);
    let client = daemon.tcp().with_token(TOKEN);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| client.post("/api/reload").status)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let done = answers.iter().filter(|status| **status == 200).count();
    assert!(done > 0 && answers.iter().all(|status| matches!(status, 200 | 409)), "{answers:?}");
    let status = daemon.status();
    assert_eq!((&status["reloads"]["done"], &status["reloads"]["refused"]), (&json!(done), &json!(0)));
    // a signal is never turned away, whatever is under way
    daemon.signal("HUP");
    daemon.status_until("the reload by signal", |status| status["reloads"]["done"] == done + 1);
    daemon.decide(2);
    assert_consecutive(&daemon.decisions());
    daemon.stop();
}
