//! Sources that are missing, come late, end and come back.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::daemon::{Daemon, Setup, Told, decisions, fifo, until, writer};

fn on_fifo() -> Setup {
    Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": "samples", "pace": "fast", "on_failure": "retry"});
    })
}

#[test]
fn a_path_at_which_there_is_nothing_is_looked_at_every_five_seconds() {
    let setup = on_fifo();
    let daemon = setup.start();
    let is_longest = |source: &Value| source["detail"].as_str().is_some_and(|detail| detail.ends_with("in 5.00 s"));
    let status = daemon.status_until("the longest pause", |status| is_longest(&status["source"]));
    let failures = status["source"]["failures"].as_u64().unwrap();
    let later = |status: &Value| status["source"]["failures"].as_u64() == Some(failures + 1);
    let status = daemon.status_until("the next try", later);
    assert!(is_longest(&status["source"]), "{status}");
    daemon.stop();
}

#[test]
fn a_pipe_that_comes_late_is_waited_for_and_its_writers_come_and_go() {
    let setup = on_fifo();
    let daemon = setup.start();
    let status = daemon.status_until("the retry", |status| status["source"]["state"] == "retrying");
    let detail = status["source"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("samples") && detail.contains("No such file") && detail.contains("trying again"),
        "{detail}"
    );
    assert_eq!(daemon.tcp().get("/readyz").status, 503);
    assert_eq!(daemon.tcp().get("/healthz").status, 200);
    let told = daemon.ctl(&["status"]).done();
    assert!(told.contains("NOT READY") && told.contains("retrying: "), "{told}");

    fifo(&setup.path("samples"));
    let mut first = writer(&setup.path("samples"));
    first.windows(3);
    // half a window, which nothing completes
    first.samples(32);
    daemon.decisions_until(3);
    let failures = daemon.status()["source"]["failures"].as_u64().unwrap();
    let sent = first.sent();
    drop(first);
    daemon.status_until("the end of the writer", |status| status["source"]["failures"].as_u64() > Some(failures));
    daemon.told.line("its writer has closed it");

    let mut second = writer(&setup.path("samples"));
    second.windows(4);
    let all = daemon.decisions_until(7);
    daemon.told.line("samples again");
    for (place, decision) in all.iter().enumerate() {
        let samples = [0, 1].map(|end| decision["samples"][end].as_u64().unwrap());
        assert_eq!(samples[1] - samples[0], 127);
        // all of the first writer, or all of the second
        assert_eq!(samples[1] < sent, place < 3, "{decision}");
        assert_eq!(samples[0] >= sent, place >= 3, "{decision}");
    }
    let status = daemon.status();
    assert_eq!(status["source"]["samples"]["samples"], sent + second.sent());
    let lines = daemon.stop();
    assert_eq!(decisions(&lines).len(), 7);
    let summary: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((&summary["class"], &summary["windows"]["produced"]), (&json!("summary"), &json!(7)));
}

#[test]
fn a_pipe_that_is_made_anew_is_found() {
    let setup = on_fifo();
    fifo(&setup.path("samples"));
    let daemon = setup.start();
    daemon.status_until("waiting", |status| status["source"]["state"] == "waiting");
    for round in 1..=2 {
        // nobody will ever write to the one that the daemon waits for
        fifo(&setup.path("new"));
        std::fs::rename(setup.path("new"), setup.path("samples")).unwrap();
        let path = setup.path("samples");
        let feeding = std::thread::spawn(move || writer(&path).windows(2));
        daemon.decisions_until(2 * round);
        assert!(feeding.join().unwrap());
    }
    daemon.stop();
}

#[test]
fn a_stream_of_another_kind_is_told_and_tried_again() {
    let setup = on_fifo();
    fifo(&setup.path("samples"));
    let daemon = setup.start();
    let mut wrong = std::fs::File::options().write(true).open(setup.path("samples")).unwrap();
    std::io::Write::write_all(&mut wrong, b"t,a,b\n0,1,2\n0.02,1,2\n").unwrap();
    drop(wrong);
    daemon.told.line("acc_x");
    let status = daemon.status_until("the failure", |status| status["source"]["failures"].as_u64() >= Some(1));
    assert_eq!(status["alive"]["alive"], true);
    writer(&setup.path("samples")).windows(2);
    daemon.decisions_until(2);
    daemon.stop();
}

#[test]
fn a_run_that_shall_end_with_its_source_does() {
    let mut setup = Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": "samples", "pace": "live", "on_failure": "exit"});
    });
    let told = Told::of(setup.command().output().unwrap()).refused(66);
    assert!(told.contains("samples") && told.contains("No such file"), "{told}");

    fifo(&setup.path("samples"));
    setup.edit(|config| config["source"]["pace"] = json!("fast"));
    // whoever opens a pipe waits for the other end
    let feeding = std::thread::spawn({
        let path = setup.path("samples");
        move || writer(&path).windows(3)
    });
    let mut daemon = setup.start();
    assert!(feeding.join().unwrap());
    assert!(daemon.end().success());
    assert_eq!(decisions(&daemon.written.whole()).len(), 3);
}

#[test]
fn a_daemon_that_waits_for_its_source_can_be_stopped() {
    // for the path to exist, and for somebody to write
    for (exists, on_failure) in [(false, "retry"), (true, "retry"), (true, "exit")] {
        let mut setup = on_fifo();
        setup.edit(|config| config["source"]["on_failure"] = json!(on_failure));
        if exists {
            fifo(&setup.path("samples"));
        }
        let daemon = setup.start();
        let wanted = if exists { "waiting" } else { "retrying" };
        daemon.status_until(wanted, |status| status["source"]["state"] == wanted);
        daemon.stop();
    }
}

/// Stops `daemon` before anything else can end it, and returns its summary.
fn stopped_at_once(daemon: Daemon) -> Value {
    let asked = Instant::now();
    let lines = daemon.stop();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    let summary: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(summary["class"], "summary");
    summary
}

#[test]
fn a_daemon_whose_source_says_nothing_stops_at_once_with_a_summary() {
    // standard input stays open
    let daemon = Setup::new().start();
    daemon.status_until("waiting", |status| status["source"]["state"] == "waiting");
    assert_eq!(stopped_at_once(daemon)["samples"]["samples"], 0);

    for on_failure in ["exit", "retry"] {
        let mut setup = on_fifo();
        setup.edit(|config| config["source"]["on_failure"] = json!(on_failure));
        fifo(&setup.path("samples"));
        let daemon = setup.start();
        let mut silent = writer(&setup.path("samples"));
        silent.samples(10);
        daemon.status_until("samples", |status| status["source"]["samples"]["samples"] == 10);
        assert_eq!(stopped_at_once(daemon)["samples"]["samples"], 10);
    }
}

#[test]
fn a_daemon_in_a_pause_of_its_recording_stops_at_once_with_a_summary() {
    let setup = Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": "recording.csv", "pace": "realtime"});
    });
    let text = "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n0,0,0,1,0,0,0\n4.99,0,0,1,0,0,0\n";
    std::fs::write(setup.path("recording.csv"), text).unwrap();
    let daemon = setup.start();
    daemon.status_until("the first sample", |status| status["source"]["samples"]["samples"] == 1);
    assert_eq!(stopped_at_once(daemon)["samples"]["samples"], 1);
}

#[test]
fn samples_that_stop_make_the_daemon_unready() {
    let mut daemon = Setup::new().start();
    daemon.decide(1);
    let reasons = until("silence", || {
        let answer = daemon.tcp().get("/readyz");
        (answer.status == 503).then(|| answer.json()["reasons"].to_string())
    });
    assert!(reasons.contains("samples have stopped"), "{reasons}");
    assert_eq!(daemon.status()["source"]["state"], "silent");
    daemon.feed = None;
    assert!(daemon.end().success());
}

#[test]
fn a_pipe_for_each_sensor_is_waited_for_and_all_are_opened_again_when_one_ends() {
    let setup = Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": ["acc", "gyro"], "pace": "fast", "on_failure": "retry", "mount_matrix": "x,y,z"});
    });
    let daemon = setup.start();
    daemon.status_until("the retry", |status| status["source"]["state"] == "retrying");
    fifo(&setup.path("acc"));
    fifo(&setup.path("gyro"));
    let write = |sensor: &str, rows: u32| {
        let mut pipe = std::fs::File::options().write(true).open(setup.path(sensor)).unwrap();
        let mut text = format!("t,{sensor}_x,{sensor}_y,{sensor}_z\n");
        (0..rows).for_each(|row| text += &format!("{:.2},1.{row:03},0,0\n", f64::from(row) * 0.02));
        pipe.write_all(text.as_bytes()).unwrap();
        pipe
    };
    for round in 1..=2 {
        // the gyroscope's says nothing yet
        let acc = write("acc", 193);
        let gyro = write("gyro", 193);
        // three windows each, the median keeps one sample back
        daemon.decisions_until(2 * round);
        let failures = daemon.status()["source"]["failures"].as_u64().unwrap();
        drop(acc);
        daemon.status_until("the end", |status| status["source"]["failures"].as_u64() > Some(failures));
        drop(gyro);
    }
    daemon.told.line("acc");
    let status = daemon.status();
    let name = status["source"]["name"].as_str().unwrap();
    assert!(name.ends_with("gyro") && name.contains("acc, "), "{name}");
    assert_eq!(status["source"]["samples"]["samples"], 2 * 193);
    daemon.stop();
}

#[test]
fn the_rate_and_the_delay_of_the_grid_are_told() {
    let mut daemon = Setup::new().start();
    daemon.decide(4);
    let status = daemon.status_until("the rate", |status| status["source"]["rate_hz"].is_number());
    let source = &status["source"];
    assert!((source["rate_hz"].as_f64().unwrap() - 50.0).abs() < 0.01, "{source}");
    assert_eq!(source["delay_s"], 0.0);
    // twice as fast from here on
    let feed = daemon.feed.as_mut().unwrap();
    let begin = feed.sent() as f64 / 50.0;
    let faster = (0..1500).map(|number| format!("{:.2},1,0,0,0,0,0\n", begin + f64::from(number) / 100.0));
    assert!(feed.text(&faster.collect::<String>()));
    let status =
        daemon.status_until("the other rate", |status| status["source"]["samples"]["resampled"].as_u64() > Some(700));
    let source = &status["source"];
    assert!((source["rate_hz"].as_f64().unwrap() - 100.0).abs() < 0.1, "{source}");
    assert!((source["delay_s"].as_f64().unwrap() - 0.06).abs() < 1e-9, "{source}");
    let metrics = daemon.unix().get("/metrics").text().to_owned();
    assert!(metrics.contains("\ngaitd_source_delay_seconds 0.06\n"), "{metrics}");
    let told = daemon.ctl(&["status"]).done();
    assert!(told.contains("(100.00 a second)") && told.contains("on the grid 60 ms later"), "{told}");
    daemon.stop();
}

#[test]
fn a_sensor_that_becomes_too_slow_is_told_and_counted() {
    let setup = on_fifo();
    fifo(&setup.path("samples"));
    let daemon = setup.start();
    let mut sensor = writer(&setup.path("samples"));
    sensor.windows(3);
    let begin = sensor.sent() as f64 / 50.0;
    // until nobody reads any more
    for number in 0..100_000 {
        if !sensor.text(&format!("{:.2},1,0,0,0,0,0\n", begin + f64::from(number) / 25.0)) {
            break;
        }
    }
    daemon.told.line("samples per second by its timestamps, but the model expects 50.00");
    let status = daemon.status_until("the failure", |status| status["source"]["failures"].as_u64() >= Some(1));
    assert_eq!(status["alive"]["alive"], true);
    daemon.stop();
}
