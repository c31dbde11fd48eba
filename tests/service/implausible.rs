//! A sensor that cannot be right, as the operator of a daemon sees it.

use std::fs::File;
use std::io::Write;

use gaitd_tests::{CSV_HEADER, csv_line};
use serde_json::json;

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
