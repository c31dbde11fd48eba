//! Metrics: what they say, and that Prometheus can read it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::{World, decision, manifest, patient, published, world};

fn scrape(world: &World) -> String {
    let answer = world.tcp.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.text().to_owned()
}

fn observe(world: &World, windows: u64) {
    for window in 0..windows {
        let decision = decision(window);
        world.metrics.decided(&decision);
        world.metrics.published(&decision, published(&decision));
    }
}

/// Series by their name and labels, read by a reader of our own that knows the format and nothing of gaitd.
fn read(text: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let (mut helped, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let (mut series, mut family) = (BTreeMap::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name), "help comes first: {line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            assert!(ended.insert(std::mem::replace(&mut family, name.to_owned())), "a family stays together: {line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        let bare = name.split('{').next().unwrap();
        assert!(bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        let kind = types[&family].as_str();
        match kind {
            "counter" => assert!(bare == family && bare.ends_with("_total") && value >= 0.0, "{line}"),
            "gauge" => assert!(bare == family && !bare.ends_with("_total"), "{line}"),
            "histogram" => {
                let part = bare.strip_prefix(&family).unwrap();
                assert!(["_bucket", "_sum", "_count"].contains(&part), "{line}");
            }
            other => panic!("{other}"),
        }
        if let Some(labels) = name.strip_prefix(bare).and_then(|labels| labels.strip_prefix('{')) {
            check_labels(labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}")));
        }
        assert!(series.insert(name.to_owned(), value).is_none(), "twice: {line}");
    }
    check_histograms(&series);
    series
}

/// `name="value"` and commas, quotes and line breaks within values escaped.
fn check_labels(labels: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{labels}"));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{labels}");
        let mut escaped = false;
        let end = value
            .find(|c| {
                let quote = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                quote
            })
            .unwrap_or_else(|| panic!("{labels}"));
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Buckets add up, the last one is the count.
fn check_histograms(series: &BTreeMap<String, f64>) {
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (name, value) in series {
        if let Some((start, end)) = name.split_once("le=\"") {
            let end = end.split('"').next().unwrap();
            let start = start.replace("_bucket{", "_count{").trim_end_matches(',').to_owned() + "}";
            let end = if end == "+Inf" { f64::INFINITY } else { end.parse().unwrap() };
            buckets.entry(start).or_default().push((end, *value));
        }
    }
    for (name, mut buckets) in buckets {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.len() >= 14 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name}: {buckets:?}");
        let last = buckets.last().unwrap();
        assert_eq!((last.0, Some(&last.1)), (f64::INFINITY, series.get(&name)), "{name}");
    }
}

#[test]
fn metrics_say_what_the_status_says() {
    let world = world(patient());
    observe(&world, 9);
    let series = read(&scrape(&world));
    let configuration = &manifest().configurations[0].id;
    for (name, value) in [
        ("gaitd_windows_produced_total", 13.0),
        ("gaitd_windows_decided_total", 8.0),
        ("gaitd_windows_dropped_total{cause=\"overtaken\"}", 1.0),
        ("gaitd_windows_dropped_total{cause=\"held\"}", 3.0),
        ("gaitd_windows_dropped_total{cause=\"failed\"}", 1.0),
        ("gaitd_sensor_implausible{fault=\"frozen\",sensor=\"acc\"}", 1.0),
        ("gaitd_sensor_implausible_seconds_total{fault=\"frozen\",sensor=\"acc\"}", 7.5),
        ("gaitd_decisions_published_total", 7.0),
        ("gaitd_decisions_lost_total", 1.0),
        (r#"gaitd_output_published_total{output="standard output"}"#, 4.0),
        (r#"gaitd_output_lost_total{output="standard output"}"#, 1.0),
        (r#"gaitd_activity_windows_total{activity="upstairs"}"#, 10.0),
        (r#"gaitd_activity_seconds_total{activity="sitting"}"#, 12.8 * 3.0),
        (r#"gaitd_activity_now{activity="sitting"}"#, 1.0),
        (r#"gaitd_activity_now{activity="walking"}"#, 0.0),
        ("gaitd_activity_unchanged_seconds", 2.5),
        ("gaitd_misses_total", 1.0),
        (r#"gaitd_cascades_total{fate="not_needed"}"#, 3.0),
        (r#"gaitd_cascades_total{fate="answered"}"#, 2.0),
        (r#"gaitd_cascades_total{fate="no_time"}"#, 1.0),
        (r#"gaitd_cascades_total{fate="failed"}"#, 4.0),
        ("gaitd_switches_total", 4.0),
        ("gaitd_samples_total", 640.0),
        ("gaitd_sensor_faults_total{cause=\"gap\"}", 2.0),
        ("gaitd_sensor_faults_total{cause=\"clock_set_back\"}", 1.0),
        ("gaitd_source_failures_total", 2.0),
        ("gaitd_source_rate_hertz", 49.5),
        ("gaitd_source_delay_seconds", 0.06),
        ("gaitd_reloads_total{outcome=\"done\"}", 1.0),
        ("gaitd_events_lost_total", 0.0),
        ("gaitd_http_refused_total{cause=\"host\"}", 0.0),
        ("gaitd_slowdown_mean", 1.5),
        ("gaitd_slowdown_spread", 0.25),
        ("gaitd_cpu_load_ratio", 0.25),
        ("gaitd_budget_seconds", 0.05),
        ("gaitd_resident_memory_bytes", 41_943_040.0),
        ("gaitd_ladder_memory_bytes", 8_388_608.0),
        ("gaitd_ready", 1.0),
        ("gaitd_alive", 1.0),
        ("gaitd_subscribers", 0.0),
        (r#"gaitd_info{hash="ab",model="a \"model\" \\ of\nours",version="0.0.0"}"#, 1.0),
        (r#"gaitd_ladder_info{backend="tract",hash="ab",model="a \"model\" \\ of\nours"}"#, 1.0),
        (&format!("gaitd_phase_seconds_count{{configuration=\"{configuration}\",phase=\"infer\"}}"), 3.0),
        (&format!("gaitd_phase_seconds_count{{configuration=\"{configuration}\",phase=\"total\"}}"), 3.0),
        // 10.1 ms from the last sample on, of 50 ms
        (&format!("gaitd_phase_seconds_bucket{{configuration=\"{configuration}\",phase=\"total\",le=\"0.01\"}}"), 0.0),
        (&format!("gaitd_phase_seconds_bucket{{configuration=\"{configuration}\",phase=\"total\",le=\"0.05\"}}"), 3.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name} in {series:#?}");
    }
    assert!(!series.keys().any(|name| name.starts_with("gaitd_cpu_pressure")), "what is unknown is left out");
    let of_activities = series.keys().filter(|name| name.contains("activity=\"")).count();
    assert_eq!(of_activities, 3 * manifest().task.labels.len(), "no more than there are labels");
    world.fake.decided.store(false, Ordering::Relaxed);
    let text = scrape(&world);
    assert!(!text.contains("gaitd_activity_now") && !text.contains("gaitd_activity_unchanged"), "{text}");
}

#[test]
fn another_budget_places_the_buckets_anew_and_another_ladder_ends_what_it_lacks() {
    let world = world(patient());
    observe(&world, 3);
    world.metrics.rebase(Duration::from_millis(50));
    assert!(scrape(&world).contains("phase=\"total\""), "the same budget changes nothing");
    world.metrics.rebase(Duration::from_millis(8));
    assert!(!scrape(&world).contains("phase=\"total\""));
    observe(&world, 3);
    let text = scrape(&world);
    assert!(text.contains("le=\"0.008\"") && !text.contains("le=\"0.05\""), "{text}");

    let mut smaller = (*manifest()).clone();
    let gone = smaller.configurations.remove(2).id;
    let mut decision = decision(0);
    decision.manifest = Arc::new(smaller);
    assert!(text.contains(&gone));
    world.metrics.decided(&decision);
    let text = scrape(&world);
    read(&text);
    assert!(!text.contains(&gone));
    assert!(text.contains(&format!("configuration=\"{}\"", manifest().configurations[0].id)));
}

#[test]
fn prometheus_finds_nothing_to_complain_about() {
    let world = world(patient());
    observe(&world, 5);
    let text = scrape(&world);
    let promtool = std::env::var_os("GAITD_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let spawned = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if std::env::var_os("GAITD_PROMTOOL").is_none() => {
            let reason = format!("promtool: {error}; GAITD_PROMTOOL names one");
            gaitd_tests::skipped("prometheus_finds_nothing_to_complain_about", reason);
            return;
        }
        Err(error) => panic!("{}: {error}", promtool.display()),
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
