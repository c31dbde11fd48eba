//! Changes while the daemon runs, by `gaitd ctl` and over TCP.

use serde_json::{Value, json};

use super::daemon::{Daemon, Setup, TOKEN};

/// What the next window gets.
fn next(daemon: &mut Daemon) -> Value {
    daemon.decide(1).pop().unwrap()
}

#[test]
fn the_next_decision_shows_what_was_changed_with_ctl() {
    let mut daemon = Setup::new().start();
    assert_eq!(next(&mut daemon)["budget_ms"], 50.0);

    assert!(daemon.ctl(&["pin", "0.10x-96"]).done().contains("0.10x-96"));
    let decision = next(&mut daemon);
    assert_eq!((&decision["configuration"], &decision["reason"]), (&json!("0.10x-96"), &json!("pinned")));
    daemon.ctl(&["pin", "1.00x-128"]).done();
    assert_eq!(next(&mut daemon)["configuration"], "1.00x-128");
    daemon.ctl(&["unpin"]).done();
    assert_ne!(next(&mut daemon)["reason"], "pinned");

    assert!(daemon.ctl(&["budget", "20.5"]).done().contains("20.5 ms"));
    assert_eq!(next(&mut daemon)["budget_ms"], 20.5);
    // nothing is in time
    daemon.ctl(&["budget", "0.000001"]).done();
    let decision = next(&mut daemon);
    assert_eq!((&decision["miss"], &decision["reason"]), (&Value::Null, &json!("least-late")));

    let changed = daemon.ctl(&["set", "--budget-ms", "1000", "--policy", "fixed", "--miss-target", "0.5"]).done();
    assert!(changed.contains("1000 ms") && changed.contains("fixed"), "{changed}");
    assert_eq!(next(&mut daemon)["reason"], "fixed");

    daemon.ctl(&["set", "--policy", "bayes", "--accuracy-floor", "0.5"]).done();
    assert_eq!(next(&mut daemon)["reason"], "cheapest-accurate-enough");
    let changed = daemon.ctl(&["--json", "set", "--cpu-budget-percent", "20", "--activity-blind"]).done();
    let changed: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(changed, daemon.unix().get("/api/control").json());
    assert_eq!((&changed["cpu_budget_percent"], &changed["activity_aware"]), (&json!(20.0), &json!(false)));
    assert_eq!(changed["objective"], json!({"kind": "energy", "accuracy_floor": 0.5}));
    let changed = daemon.ctl(&["set", "--json", "--cpu-budget-percent", "none", "--activity-aware"]).done();
    let changed: Value = serde_json::from_str(&changed).unwrap();
    assert_eq!((&changed["cpu_budget_percent"], &changed["activity_aware"]), (&Value::Null, &json!(true)));

    let told = |decision: &Value| (decision["activity"].clone(), decision["belief"].clone());
    let alone =
        |decision: &Value| (decision["instant"]["activity"].clone(), decision["instant"]["probabilities"].clone());
    let decision = next(&mut daemon);
    assert_ne!(told(&decision).1, alone(&decision).1, "the belief is of more than this window");
    assert!(daemon.ctl(&["set", "--context", "off"]).done().contains("off: each window by itself"));
    let decision = next(&mut daemon);
    assert_eq!(told(&decision), alone(&decision));
    assert_eq!(daemon.unix().get("/api/control").json()["context"], false);

    let told = daemon.ctl(&["set", "--context", "on", "--lag", "1"]).done();
    assert!(told.contains("on, each window told of again 1 window later"), "{told}");
    let decisions = daemon.decide(3);
    let revised = |lines: &[String]| {
        let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let revised: Vec<Value> = lines.into_iter().filter(|line| line["class"] == "revised").collect();
        (revised.len() == 2).then_some(revised)
    };
    let revised = daemon.written.wait("two windows to be told of again", revised);
    // the first one that is decided with the lag is the first that can be
    assert_eq!((&revised[0]["window"], &revised[1]["window"]), (&decisions[0]["window"], &decisions[1]["window"]));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut daemon = Setup::new().start();
    let before = daemon.unix().get("/api/control").json();
    for (arguments, code, expected) in [
        (&["pin", "0.33x-77"][..], 65, "0.33x-77"),
        (&["budget", "0"], 65, "budget_ms is 0"),
        (&["budget", "-5"], 65, "budget_ms is -5"),
        (&["budget", "1e300"], 65, "at most 60000"),
        (&["budget", "nan"], 64, "finite"),
        (&["budget", "soon"], 64, "soon"),
        (&["set", "--miss-target", "2"], 65, "miss_target is 2"),
        (&["set", "--cpu-budget-percent", "nan"], 64, "finite"),
        (&["set", "--budget-ms", "5", "--cpu-budget-percent", "0"], 65, "cpu_budget_percent is 0"),
        (&["set", "--objective", "accuracy", "--accuracy-floor", "0.9"], 64, "--accuracy-floor"),
        (&["set"], 64, "required"),
        (&["dance"], 64, "dance"),
    ] {
        let told = daemon.ctl(arguments).refused(code);
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    let refused = daemon.ctl(&["--json", "budget", "0"]);
    assert_eq!(refused.code, 65);
    let answer: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert!(refused.stderr.contains(answer["error"].as_str().unwrap()), "{refused:?}");
    assert_eq!(daemon.unix().get("/api/control").json(), before);
    assert_eq!(next(&mut daemon)["budget_ms"], 50.0);
}

#[test]
fn over_tcp_only_the_token_changes_anything() {
    let mut daemon = Setup::new().start();
    let tcp = daemon.tcp();
    let change = json!({"budget_ms": 20.0, "pin": "0.10x-96"});
    assert_eq!(tcp.patch("/api/control", &change).status, 401);
    assert_eq!(tcp.post("/api/reload").status, 401);
    for wrong in ["0123456789abcdef", "0123456789abcdef-of-the-tesT", "0123456789abcdef-of-the-test2"] {
        assert_eq!(tcp.with_token(wrong).patch("/api/control", &change).status, 403);
        assert_eq!(tcp.with_token(wrong).post("/api/reload").status, 403);
    }
    assert_eq!(next(&mut daemon)["budget_ms"], 50.0);
    assert_eq!(daemon.status()["reloads"]["done"], 0);
    let answer = tcp.with_token(TOKEN).patch("/api/control", &change);
    assert_eq!((answer.status, &answer.json()["pin"]), (200, &json!("0.10x-96")));
    let decision = next(&mut daemon);
    assert_eq!((&decision["budget_ms"], &decision["configuration"]), (&json!(20.0), &json!("0.10x-96")));
}

#[test]
fn without_a_token_nobody_changes_anything_over_tcp() {
    let setup = Setup::with(|config| {
        config["http"].as_object_mut().unwrap().remove("token_file");
    });
    let daemon = setup.start();
    let answer = daemon.tcp().with_token(TOKEN).patch("/api/control", &json!({"budget_ms": 20.0}));
    assert_eq!(answer.status, 403);
    assert!(answer.json()["error"].as_str().unwrap().contains("http.token_file"));
    daemon.ctl(&["budget", "20"]).done();
}
