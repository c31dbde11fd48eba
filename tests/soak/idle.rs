//! What the daemon costs between its windows: a measurement, not a test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, processor_times};
use crate::stream::Stream;
use crate::{mib, number};

/// Between scrapes of the metrics, as Prometheus makes them.
const SCRAPE: Duration = Duration::from_secs(15);

#[test]
#[ignore = "a measurement: cargo xtask soak --idle"]
fn idle() {
    let length = Duration::from_secs_f64(number("GAITD_SOAK_IDLE_S", 60.0));
    let mut stream = None;
    let mut daemon = Daemon::start("live", |path| {
        let new = Stream::new(path);
        new.make();
        stream = Some(new);
    });
    let mut stream = stream.unwrap();
    daemon.until("the pipe is read", |_| stream.open());
    // a sample every 20 ms, as a sensor sends them
    let mut feed = |daemon: &Daemon, length: Duration| {
        let (start, mut sent) = (Instant::now(), 0);
        let mut scraped = start;
        while start.elapsed() < length {
            stream.good(1);
            stream.flush();
            sent += 1;
            if scraped.elapsed() >= SCRAPE {
                assert_eq!(daemon.http.get("/metrics").status, 200);
                scraped = Instant::now();
            }
            std::thread::sleep((start + Duration::from_millis(20) * sent).saturating_duration_since(Instant::now()));
        }
    };
    feed(&daemon, Duration::from_secs(10));
    let inferences = |daemon: &Daemon| -> (u64, f64) {
        let text = std::fs::read_to_string(daemon.path("decisions-0.ndjson")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let times: Vec<f64> = lines.filter_map(|line| line["timings_ms"]["cpu"].as_f64()).collect();
        (times.len() as u64, times.iter().sum())
    };
    let (before, (windows_before, inferred_before)) = (processor_times(daemon.pid()), inferences(&daemon));
    let start = Instant::now();
    feed(&daemon, length);
    let elapsed = start.elapsed();
    let (after, (windows, inferred)) = (processor_times(daemon.pid()), inferences(&daemon));
    let inferred = Duration::from_secs_f64((inferred - inferred_before) / 1e3);
    let spent: BTreeMap<&String, Duration> = after
        .iter()
        .map(|(name, time)| (name, time.saturating_sub(before.get(name).copied().unwrap_or_default())))
        .collect();
    let all: Duration = spent.values().sum();
    let percent = |time: Duration| 100.0 * time.as_secs_f64() / elapsed.as_secs_f64();
    eprintln!(
        "{:.0} s of a live stream at 50 Hz, everything on, nobody subscribed, a scrape every {} s:",
        elapsed.as_secs_f64(),
        SCRAPE.as_secs()
    );
    for (name, time) in &spent {
        eprintln!("  {name:<16} {:>8.3} % of a core", percent(*time));
    }
    eprintln!("  {:<16} {:>8.3} %", "all", percent(all));
    eprintln!("  {:<16} {:>8.3} % ({} windows)", "inferences", percent(inferred), windows - windows_before);
    eprintln!("  {:<16} {:>8.3} %", "between them", percent(all.saturating_sub(inferred)));
    eprintln!("  resident: {:.1} MiB", mib(daemon.footprint().resident));
}
