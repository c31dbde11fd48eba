//! The wall clock is set while gaitd runs: the time of day moves, and nothing else does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::ladder::Library;
use gaitd_daemon::{Activated, Config, Plan, Requests, Stop, run};
use serde_json::{Value, json};

const NOON: Duration = Duration::from_secs(1_764_417_600);
const HOUR: u64 = 3600;

/// A clock that is twenty times as fast as time, so that a realtime stream takes a second or two. Its wall clock steps by `step_s`
/// back and forth each time that it is read.
struct Stepping {
    inner: MonotonicClock,
    step_s: u64,
    readings: AtomicU64,
}

const FASTER: u32 = 20;

impl Clock for Stepping {
    fn now(&self) -> Duration {
        self.inner.now() * FASTER
    }

    fn wait_until(&self, until: Duration) {
        self.inner.wait_until(until / FASTER);
    }

    fn wall(&self) -> Option<Duration> {
        let step = self.readings.fetch_add(1, Ordering::Relaxed) % 2;
        Some(NOON + self.now() + Duration::from_secs(step * self.step_s))
    }
}

/// The decisions of 20 s of the simulated wearer, and the summary's count of late ones.
fn decisions(directory: &Path, step_s: u64) -> Vec<Value> {
    let output = directory.join(format!("decisions-{step_s}"));
    let config: Config = serde_json::from_value(json!({
        "source": {"kind": "wearer", "seed": 4, "seconds": 20, "pace": "realtime"},
        "outputs": [{"format": "ndjson", "path": output}],
        "control": {"policy": {"kind": "fixed", "configuration": "0.10x-96"}, "budget_ms": 60_000},
        "state": directory.join("state"),
    }))
    .unwrap();
    let library = Arc::new(Library::new(Arc::new(gaitd_embedded::Embedded), vec![Box::new(gaitd_tract::Tract)]));
    let clock = Arc::new(Stepping { inner: MonotonicClock::start(), step_s, readings: AtomicU64::new(0) });
    let plan = Plan::new(config, library, None, Activated::default(), clock, Stop::default()).unwrap();
    run(plan, &Requests::none()).unwrap();
    let written = std::fs::read_to_string(output).unwrap();
    let lines = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["class"] == "decision").collect()
}

#[test]
fn a_step_of_the_wall_clock_moves_the_time_of_day_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let [steady, stepped] = [0, 5 * HOUR].map(|step_s| decisions(directory.path(), step_s));
    assert_eq!((steady.len(), stepped.len()), (14, 14));
    for (steady, stepped) in steady.iter().zip(&stepped) {
        for field in ["window", "samples", "time_s", "activity", "belief", "instant", "configuration", "miss"] {
            assert_eq!(steady[field], stepped[field], "{field}");
        }
        for decision in [steady, stepped] {
            assert_eq!(decision["miss"], false, "a minute is enough for any machine: {decision}");
            for phase in ["condition", "wait", "prepare", "infer"] {
                let ms = decision["timings_ms"][phase].as_f64().unwrap();
                assert!((0.0..60_000.0).contains(&ms), "{phase} {decision}");
            }
        }
    }
    let since_noon = |decision: &Value| {
        let time: gaitd_api::LocalTime = serde_json::from_value(decision["time"].clone()).unwrap();
        time.since_1970().checked_sub(NOON).unwrap().as_secs()
    };
    // there and back, with each window
    let times: Vec<u64> = stepped.iter().map(since_noon).collect();
    let forth = times.iter().filter(|time| **time > HOUR).count();
    assert!(forth == 7 && times.windows(2).all(|pair| (pair[0] > HOUR) != (pair[1] > HOUR)), "{times:?}");
    let times: Vec<u64> = steady.iter().map(since_noon).collect();
    assert!(times.is_sorted() && times.iter().all(|time| *time < HOUR), "{times:?}");
}
