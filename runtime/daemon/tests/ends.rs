//! The end of a run: asked to stop while its source gives nothing, it ends at once, and leaves no thread behind.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Write, pipe};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gaitd_core::clock::MonotonicClock;
use gaitd_core::ladder::Library;
use gaitd_daemon::{Activated, Config, Ending, Hangup, OnFailure, Paths, Plan, Requests, SourceSpec, Stop, run};
use gaitd_sense::Pace;
use serde_json::json;

/// Shorter than the longest pause of a recording that is waited for, 5 s.
const AT_ONCE: Duration = Duration::from_secs(4);

/// The daemon's threads in this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("gaitd-")).collect()
}

/// A run on `source`, until it has counted a sample or is waiting in the read of its source.
fn start(directory: &Path, source: SourceSpec, stop: &Stop) -> JoinHandle<Ending> {
    let output = directory.join("decisions");
    let outputs = json!([{"format": "ndjson", "path": output}]);
    let config = json!({"outputs": outputs, "state": directory.join("state"), "source": source});
    let config: Config = serde_json::from_value(config).unwrap();
    let library = Arc::new(Library::new(Arc::new(gaitd_embedded::Embedded), vec![Box::new(gaitd_tract::Tract)]));
    let clock = Arc::new(MonotonicClock::start());
    let stop = stop.clone();
    std::thread::spawn(move || {
        let requests = Requests::watch(&stop, Hangup::Stop).unwrap();
        let plan = Plan::new(config, library, None, Activated::default(), clock, stop).unwrap();
        run(plan, &requests).unwrap()
    })
}

/// Waits for the thread that reads samples, which is the last to be started.
fn wait_for_sensing() {
    let begun = Instant::now();
    while !threads().iter().any(|name| name == "gaitd-sense") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run does not begin");
        std::thread::yield_now();
    }
}

#[test]
fn a_run_that_waits_for_samples_ends_at_once_and_leaves_no_thread() {
    let directory = tempfile::tempdir().unwrap();
    let files = |path: Paths, pace, on_failure| SourceSpec::File {
        path,
        pace,
        on_failure: Some(on_failure),
        columns: vec![],
        rate_hz: None,
        units: BTreeMap::new(),
        mount_matrix: None,
        seconds: None,
    };
    let file = |path: PathBuf, pace, on_failure| files(path.into(), pace, on_failure);
    // a pipe whose writer says nothing, read by its path and as a file that was opened before
    let (silent, _writer) = pipe().unwrap();
    let silent = PathBuf::from(format!("/proc/self/fd/{}", silent.as_raw_fd()));
    let recording = directory.path().join("recording.csv");
    let mut text = File::create(&recording).unwrap();
    writeln!(text, "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n0,0,0,1,0,0,0\n4.9,0,0,1,0,0,0").unwrap();
    let sources = [
        file(silent.clone(), Pace::Live, OnFailure::Retry),
        files(Paths::new(vec![recording.clone(), silent.clone()]).unwrap(), Pace::Live, OnFailure::Retry),
        file(silent, Pace::Fast, OnFailure::Exit),
        file(directory.path().join("missing"), Pace::Live, OnFailure::Retry),
        file(recording, Pace::Realtime, OnFailure::Exit),
        SourceSpec::Wearer { seed: 1, seconds: None, pace: Pace::Realtime },
    ];
    for source in sources {
        let stop = Stop::default();
        let running = start(directory.path(), source.clone(), &stop);
        wait_for_sensing();
        let asked = Instant::now();
        stop.ask();
        let ending = running.join().unwrap();
        assert!(asked.elapsed() < AT_ONCE, "{source:?}: {:?}", asked.elapsed());
        assert!(ending.source.is_none() && ending.output.is_none(), "{source:?}: {ending:?}");
        assert_eq!(threads(), Vec::<String>::new(), "{source:?}");
    }
}
