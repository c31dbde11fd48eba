//! Several outputs at once, each on its own.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::daemon::{Daemon, Setup, Told, assert_consecutive, decisions, fifo, objects, until};

/// The lines of a file.
fn lines(setup: &Setup, file: &str) -> Vec<String> {
    std::fs::read_to_string(setup.path(file)).unwrap().lines().map(str::to_owned).collect()
}

/// The output with this name in a status.
fn output<'a>(status: &'a Value, name: &str) -> &'a Value {
    let outputs = status["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["name"].as_str().unwrap().ends_with(name)).unwrap()
}

#[test]
fn every_output_gets_every_decision_and_one_that_fails_keeps_none_from_the_others() {
    let setup = Setup::with(|config| {
        config["outputs"] = json!([
            {"format": "ndjson"},
            {"format": "ndjson", "path": "a.ndjson"},
            {"format": "text", "path": "b.txt"},
            {"format": "ndjson", "path": "/dev/full"},
        ]);
    });
    let mut daemon = setup.start();
    let decided = daemon.decide(5);
    let status = daemon.status_until("all outputs", |status| {
        let done = |output: &Value| output["published"].as_u64().unwrap() + output["lost"].as_u64().unwrap() == 5;
        status["outputs"].as_array().unwrap().iter().all(done)
    });
    for name in ["standard output", "a.ndjson", "b.txt"] {
        let output = output(&status, name);
        assert_eq!(
            (&output["state"], &output["published"], &output["lost"]),
            (&json!("writing"), &json!(5), &json!(0))
        );
    }
    let full = output(&status, "/dev/full");
    assert_eq!((&full["state"], &full["published"], &full["lost"]), (&json!("failing"), &json!(0), &json!(5)));
    assert!(full["detail"].as_str().unwrap().contains("No space left"), "{full}");
    assert_eq!((&status["windows"]["published"], &status["windows"]["lost"]), (&json!(5), &json!(0)));
    let metrics = daemon.unix().get("/metrics").text().to_owned();
    assert!(metrics.contains("gaitd_output_lost_total{output=\"/dev/full\"} 5"), "{metrics}");
    let told = daemon.ctl(&["status"]).done();
    assert!(told.contains("a.ndjson (writing): 5 published, 0 lost"), "{told}");

    daemon.signal("TERM");
    // the last error of an output that was losing decisions
    assert_eq!(daemon.end().code(), Some(74));
    let written = lines(&setup, "a.ndjson");
    assert_eq!(decisions(&written).len(), decided.len());
    let summaries: Vec<Value> = objects(&written).into_iter().filter(|line| line["class"] == "summary").collect();
    assert_eq!(summaries.len(), 1);
    assert_eq!(lines(&setup, "b.txt").iter().filter(|line| line.contains("not timed  ")).count(), 5);
}

#[test]
fn a_reload_adds_and_removes_outputs_between_two_windows() {
    let mut setup = Setup::new();
    let mut daemon = setup.start();
    daemon.decide(2);
    setup.edit(|config| {
        config["outputs"] = json!([{"format": "ndjson"}, {"format": "ndjson", "path": "more.ndjson"}]);
    });
    daemon.ctl(&["reload"]).done();
    daemon.decide(3);
    setup.edit(|config| config["outputs"] = json!([{"format": "ndjson", "path": "more.ndjson"}]));
    daemon.ctl(&["reload"]).done();
    daemon.feed.as_mut().unwrap().windows(2);
    let status = daemon.status_until("the last windows", |status| status["windows"]["published"] == 7);
    assert_eq!(output(&status, "more.ndjson")["published"], 5);
    assert_eq!(status["outputs"].as_array().unwrap().len(), 1);
    assert_eq!(decisions(&daemon.stop()).len(), 5);
    let more = decisions(&lines(&setup, "more.ndjson"));
    assert_eq!(more.len(), 5);
    assert_consecutive(&more);
}

#[test]
fn the_run_goes_on_until_the_last_reader_has_gone() {
    let setup = Setup::with(|config| {
        config["outputs"] = json!([{"format": "ndjson", "path": "one"}, {"format": "ndjson", "path": "two"}]);
    });
    let readers = ["one", "two"].map(|name| {
        fifo(&setup.path(name));
        let path = setup.path(name);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(std::fs::File::open(path).unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            reader
        })
    });
    let mut daemon = setup.start();
    let [one, two] = readers.map(|reader| reader.join().unwrap());
    drop(one);
    daemon.feed.as_mut().unwrap().windows(3);
    let status = daemon.status_until("the closed output", |status| output(status, "one")["lost"] == 3);
    assert_eq!(output(&status, "one")["state"], "closed");
    assert!(daemon.is_running());
    drop(two);
    daemon.feed.as_mut().unwrap().windows(1);
    assert!(daemon.end().success());
}

#[test]
fn the_single_output_of_older_configurations_is_read_with_a_note() {
    let mut setup = Setup::with(|config| {
        config.as_object_mut().unwrap().remove("outputs");
        config["output"] = json!({"format": "ndjson", "path": "decisions"});
    });
    let daemon = setup.start();
    daemon.told.line("`output` is read as `outputs`");
    let config = daemon.unix().get("/api/config").json();
    assert!(config.get("output").is_none(), "{config}");
    assert!(config["outputs"][0]["path"].as_str().unwrap().ends_with("decisions"), "{config}");
    daemon.stop();
    assert_eq!(objects(&lines(&setup, "decisions")).last().unwrap()["class"], "summary");

    setup.edit(|config| config["outputs"] = json!([]));
    let told = Told::of(setup.command().output().unwrap()).refused(78);
    assert!(told.contains("output: both") && told.contains("put it into the list"), "{told}");
}

#[test]
fn an_output_whose_reader_reads_nothing_holds_nothing_else_up() {
    let setup = Setup::with(|config| {
        config["source"]["pace"] = json!("live");
        config["control"] = json!({"budget_ms": 5000});
        config["outputs"] = json!([{"format": "ndjson"}, {"format": "ndjson", "path": "stalled"}]);
    });
    fifo(&setup.path("stalled"));
    // a reader that never reads
    let mut reader = std::fs::File::options().read(true).write(true).open(setup.path("stalled")).unwrap();
    let mut daemon = setup.start();
    // more than the pipe and the queue before it hold
    let mut decided = 0;
    let status = loop {
        decided += daemon.decide(10).len();
        let status = daemon.status();
        if output(&status, "stalled")["lost"].as_u64().unwrap() > 0 {
            break status;
        }
        assert!(decided < 10_000, "a pipe holds less than {decided} decisions");
    };
    assert_eq!((&status["windows"]["produced"], &status["alive"]["alive"]), (&json!(decided), &json!(true)));
    let status = daemon.status_until("all of them", |status| status["windows"]["published"] == decided);
    assert_eq!((&status["windows"]["dropped"], &status["windows"]["lost"]), (&json!(0), &json!(0)));
    // once somebody reads, the run ends as always
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    daemon.stop();
    drop(reading);
}

/// One window more; the status once it is decided.
fn decided(daemon: &mut Daemon) -> Value {
    let before = daemon.status()["windows"]["decided"].as_u64().unwrap();
    daemon.feed.as_mut().unwrap().windows(1);
    daemon.status_until("a decision", |status| status["windows"]["decided"] == before + 1)
}

#[test]
fn an_output_that_stalls_once_foredooms_no_later_window() {
    // a budget that every configuration keeps, and the stall does not
    const BUDGET: Duration = Duration::from_secs(1);
    let setup = Setup::with(|config| {
        config["source"]["pace"] = json!("live");
        config["control"] = json!({"budget_ms": 1e3 * BUDGET.as_secs_f64(), "activity_aware": false});
        config["outputs"] = json!([{"format": "ndjson", "path": "stalling"}]);
    });
    let path = setup.path("stalling");
    fifo(&path);
    // who opens a pipe waits for the other end
    let opening = std::thread::spawn(move || std::fs::File::open(path).unwrap());
    let mut daemon = setup.start();
    let reader = opening.join().unwrap();
    let waiting = |status: &Value| {
        let count = |name: &str| status["windows"][name].as_u64().unwrap();
        count("decided") - count("published")
    };
    // nobody reads until some decisions wait behind the full pipe, and until they are late
    loop {
        while waiting(&decided(&mut daemon)) < 4 {}
        let full = Instant::now();
        let status = daemon.status_until("the budget to have passed", |_| full.elapsed() > BUDGET);
        // a busy machine may only have been slow
        if waiting(&status) >= 4 {
            break;
        }
    }
    let before = daemon.unix().get("/api/explain").json();
    let reading = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    let status = daemon.status_until("all to be published", |status| waiting(status) == 0);
    assert!(status["misses"]["count"].as_u64().unwrap() >= 4, "{status}");
    let told = daemon.ctl(&["explain"]).done();
    assert!(told.contains("; late, most of it by publishing"), "{told}");

    for _ in 0..3 {
        decided(&mut daemon);
        let status = daemon.status_until("all to be published", |status| waiting(status) == 0);
        let last = status["windows"]["decided"].as_u64().unwrap() - 1;
        let explained = until("the latest decision to be explained", || {
            Some(daemon.unix().get("/api/explain").json()).filter(|explained| explained["window"] == last)
        });
        assert_eq!(explained["configuration"], before["configuration"], "{explained}");
        assert_ne!(explained["reason"], "least-late", "{explained}");
        assert!(explained["publish_ms"].as_f64().unwrap() < 1e3, "{explained}");
        assert!((0.01..0.2).contains(&explained["late_elsewhere"].as_f64().unwrap()), "{explained}");
        for candidate in explained["configurations"].as_array().unwrap() {
            assert!(candidate["miss_probability"].as_f64().unwrap() < 0.5, "{candidate} of {explained}");
        }
    }
    let told = daemon.ctl(&["explain"]).done();
    assert!(told.contains("were left for the inference (none, with a probability of "), "{told}");
    daemon.stop();
    assert_consecutive(&decisions(&reading.join().unwrap().lines().map(str::to_owned).collect::<Vec<_>>()));
}
