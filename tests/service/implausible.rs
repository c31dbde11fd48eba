//! A sensor that cannot be right, as the operator of a daemon sees it.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use gaitd_tests::{CSV_HEADER, csv_line};
use serde_json::{Value, json};

use super::daemon::{Setup, fifo};

/// Writes the samples from one to another; those of a sensor that hangs are all the first one's but for the time.
fn write(to: &mut File, samples: std::ops::Range<u64>, hangs: bool) {
    let first = csv_line(samples.start);
    let (_, held) = first.split_once(',').unwrap();
    for number in samples {
        let line = csv_line(number);
        let (time, values) = line.split_once(',').unwrap();
        write!(to, "{time},{}", if hangs { held } else { values }).unwrap();
    }
}

#[test]
fn a_daemon_whose_sensor_hangs_is_not_ready_and_says_why_until_it_measures_again() {
    let mut setup = Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": "samples", "pace": "live", "on_failure": "retry"});
    });
    fifo(&setup.path("samples"));
    let daemon = setup.start();
    let mut samples = File::options().write(true).open(setup.path("samples")).unwrap();
    samples.write_all(CSV_HEADER.as_bytes()).unwrap();
    write(&mut samples, 0..500, true);
    let held = daemon.status_until("the fault", |status| status["windows"]["held"].as_u64() > Some(3));
    let found = &held["source"]["implausible"][0];
    assert_eq!((&found["sensor"], &found["fault"], &found["present"]), (&json!("acc"), &json!("frozen"), &json!(true)));
    // a stream that has ended here would be one more reason
    let ready = daemon.tcp().get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("acc gives the same values to the last digit"), "{}", ready.text());
    let metrics = daemon.tcp().get("/metrics");
    let metrics = metrics.text();
    assert!(metrics.contains("gaitd_sensor_implausible{fault=\"frozen\",sensor=\"acc\"} 1"), "{metrics}");
    let told = daemon.ctl(&["status"]).done();
    assert!(told.contains("NOT READY") && told.contains("implausible"), "{told}");

    // what is done about it can be changed while it runs
    setup.edit(|config| config["plausibility"] = json!({"frozen": "warn"}));
    assert_eq!(daemon.ctl(&["reload"]).done().lines().next(), Some("reloaded: plausibility.frozen"));
    write(&mut samples, 500..628, true);
    let decided = daemon.decisions_until(1);
    assert!(decided[0]["implausible"].as_array().unwrap().contains(&json!({"sensor": "acc", "fault": "frozen"})));

    write(&mut samples, 628..1200, false);
    daemon.status_until("its end", |status| {
        let faults = status["source"]["implausible"].as_array().unwrap();
        faults.iter().all(|fault| fault["present"] == false)
    });
    daemon.told.line("acc is plausible again");
    daemon.stop();
}

#[test]
fn a_rate_of_arrival_that_is_far_off_is_told_and_decisions_and_the_summary_bear_it() {
    let setup = Setup::with(|config| {
        config["source"] = json!({"kind": "file", "path": "samples", "pace": "live", "on_failure": "retry"});
    });
    fifo(&setup.path("samples"));
    let daemon = setup.start();
    let mut samples = File::options().write(true).open(setup.path("samples")).unwrap();
    samples.write_all(CSV_HEADER.trim_start_matches("t,").as_bytes()).unwrap();
    let begin = Instant::now();
    // twice as many a second as they are taken for, without times, until nobody reads them any longer
    let sensor = std::thread::spawn(move || {
        (0..).find(|&number| {
            let due = begin + Duration::from_millis(10 * number);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let line = csv_line(number);
            samples.write_all(line.split_once(',').unwrap().1.as_bytes()).is_err()
        })
    });
    let status = daemon.status_until("the fault", |status| status["source"]["implausible"] != json!([]));
    let found = &status["source"]["implausible"][0];
    assert_eq!(
        (&found["sensor"], &found["fault"], &found["response"]),
        (&json!("acc"), &json!("rate"), &json!("warn"))
    );
    assert!(found["explanation"].as_str().unwrap().contains("state its true rate (--rate "), "{found}");
    daemon.told.line("samples arrive per second, but without timestamps they are taken for 50.0 per second");
    let decided = daemon.decisions_until(daemon.decisions().len() + 3);
    assert_eq!(decided.last().unwrap()["implausible"], json!([{"sensor": "acc", "fault": "rate"}]));
    let lines = daemon.stop();
    let summary: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(summary["implausible"][0]["fault"], "rate", "{summary}");
    sensor.join().unwrap();
}
