//! What a running daemon answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::daemon::{Setup, TOKEN, until, windows};
use gaitd_tests::http::Client;
use gaitd_tests::openapi::{check, check_answer};

fn ask(client: &Client, method: &str, path: &str, status: u16) -> Value {
    let answer = client.send(method, path, &[], b"");
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    check_answer(method, path, &answer);
    if path == "/metrics" { answer.text().into() } else { answer.json() }
}

#[test]
fn every_answer_of_a_live_daemon_is_as_described() {
    let setup = Setup::new();
    let mut daemon = setup.start();
    let (tcp, unix) = (daemon.tcp(), daemon.unix());
    for client in [&tcp, &unix] {
        assert_eq!(ask(client, "GET", "/healthz", 200)["alive"], true);
        let ready = ask(client, "GET", "/readyz", 503);
        assert!(ready["reasons"][0].as_str().unwrap().contains("no sample"), "{ready}");
        assert_eq!(ask(client, "GET", "/api/status", 200)["source"]["state"], "waiting");
        ask(client, "GET", "/api/explain", 404);
    }
    let latest = daemon.decide(3).pop().unwrap();
    for client in [&tcp, &unix] {
        // it is ready as long as samples flow, and so they have to
        until("readiness", || {
            daemon.decide(1);
            (client.get("/readyz").status == 200).then_some(())
        });
        ask(client, "GET", "/healthz", 200);
        let status = ask(client, "GET", "/api/status", 200);
        let decided = daemon.decisions().len();
        assert_eq!(status["pid"], daemon.pid());
        assert_eq!(status["windows"]["produced"], decided);
        assert_eq!(status["windows"]["decided"], decided);
        assert_eq!(status["windows"]["dropped"], 0);
        assert_eq!(status["source"]["samples"]["samples"], daemon.feed.as_ref().unwrap().sent());
        assert_eq!(status["listeners"][0]["address"], daemon.address().to_string());
        assert_eq!(status["listeners"][1]["address"], daemon.socket.to_str().unwrap());
        let config = ask(client, "GET", "/api/config", 200);
        assert_eq!(config["http"]["token_file"], setup.path("token").to_str().unwrap());
        assert!(!config.to_string().contains(TOKEN));
        let ladder = ask(client, "GET", "/api/ladder", 200);
        let control = ask(client, "GET", "/api/control", 200);
        assert_eq!(control, status["settings"]);
        assert_eq!(ladder["hash"], status["model"]["hash"]);
        assert!(ladder["configurations"][0]["paced_p50_us"].as_f64().unwrap() > 0.0);
        // the thread that shows decisions may be a little behind the output
        let explained = until("the latest decision to be explained", || {
            let explained = ask(client, "GET", "/api/explain", 200);
            (explained["window"] == decided - 1).then_some(explained)
        });
        let plans = ["configurations", "cascades"].into_iter().flat_map(|key| explained[key].as_array().unwrap());
        let picked: Vec<&Value> = plans.filter(|one| one["picked"] == true).collect();
        assert_eq!(picked.len(), 1);
        let name = picked[0]["id"].as_str().unwrap();
        let answered = explained["configuration"].as_str().unwrap();
        match explained["cascade"].as_object() {
            None => assert_eq!(name, answered),
            Some(cascade) => {
                let part = |key: &str| cascade[key].as_str().unwrap();
                assert!(name.starts_with(&format!("{}+{}@", part("small"), part("large"))), "{name}: {cascade:?}");
                assert!([part("small"), part("large")].contains(&answered), "{answered}: {cascade:?}");
            }
        }
        let metrics = ask(client, "GET", "/metrics", 200);
        let metrics = metrics.as_str().unwrap();
        for expected in [
            format!("gaitd_windows_decided_total {decided}"),
            format!("gaitd_samples_total {}", daemon.feed.as_ref().unwrap().sent()),
            "gaitd_budget_seconds 0.05".to_owned(),
            "gaitd_alive 1".to_owned(),
        ] {
            assert!(metrics.lines().any(|line| line == expected), "{expected}: {metrics}");
        }
        ask(client, "GET", "/api/openapi.json", 200);
    }
    let mut events = tcp.events(None);
    for (name, schema) in [("hello", "Hello"), ("decision", "Decision")] {
        let event = events.next().unwrap();
        assert_eq!(event.name, name);
        check(schema, &event.data);
    }
    let shown: Vec<Value> = daemon.decisions();
    // the line on the output and the event are the same decision; its latency is taken at different places
    let same =
        |decision: &Value| json!([decision["window"], decision["samples"], decision["instant"]["probabilities"]]);
    assert_eq!(windows(&shown)[0], 0);
    assert_eq!(same(&shown[2]), same(&latest));
    let second = events.find(|event| event.data["window"] == 2).unwrap();
    assert_eq!(same(&second.data), same(&latest));
}

#[test]
fn the_minutes_of_today_are_those_of_the_decisions() {
    let setup = Setup::with(|config| config["source"]["pace"] = json!("live"));
    let mut daemon = setup.start();
    let mut activities: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..4 {
        let decision = daemon.decide(1).pop().unwrap();
        *activities.entry(decision["activity"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let today = ask(&daemon.unix(), "GET", "/api/status", 200)["today"].clone();
    assert!(today["midnight"].as_str().unwrap().contains("T00:00:00"), "{today}");
    for one in today["activities"].as_array().unwrap() {
        let windows = activities.get(one["activity"].as_str().unwrap()).copied().unwrap_or_default();
        assert!((one["minutes"].as_f64().unwrap() - windows as f64 * 1.28 / 60.0).abs() < 1e-9, "{today}");
    }
    let told = daemon.ctl(&["status"]).done();
    let told = told.lines().find_map(|line| line.strip_prefix("today")).unwrap();
    assert!(
        activities.iter().all(|(activity, windows)| told.contains(&format!("{activity} {} s", windows * 128 / 100))),
        "{told}"
    );
}
