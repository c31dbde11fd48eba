//! Metrics for Prometheus: its text format, version 0.0.4.
//!
//! What [`Status`] knows is counted there and nowhere else: each scrape turns a snapshot of it into counters and
//! gauges. Only distributions are kept here, and what the HTTP interface refuses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, TextEncoder};

use gaitd_api::{Activities, FaultView, OutputView, Status};
use gaitd_core::engine::Decision;
use gaitd_core::engine::Phase;
use gaitd_core::ladder::Manifest;

/// Upper ends of the buckets, as shares of the budget: dense where it is decided whether an answer is late, sparse
/// below, where the short phases are, and above.
const BUCKETS: [f64; 14] = [0.0005, 0.002, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.25, 2.5];

/// Why the HTTP interface did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many connections at once.
    Connections,
    /// Too many subscribers at once.
    Subscribers,
    /// It was not HTTP.
    Malformed,
    /// A request did not come to its end in time.
    TooSlow,
    /// The other side did not take the answer in time.
    Stalled,
    /// A header or body was too large.
    TooLarge,
    /// The request was meant for another host.
    Host,
    /// The token was missing.
    TokenMissing,
    /// The token was wrong.
    TokenWrong,
    /// There is no token, without which no caller may change anything over the network.
    NoToken,
    /// There is no such path, or nothing there yet.
    NotFound,
    /// The path has no such method.
    Method,
    /// The body was not JSON of the right form.
    NotJson,
    /// What was asked for is out of range or cannot be used.
    Invalid,
    /// Something else was under way.
    Busy,
    /// gaitd itself failed.
    Internal,
}

impl Refused {
    /// Every cause.
    pub const ALL: [Self; 16] = [
        Self::Connections,
        Self::Subscribers,
        Self::Malformed,
        Self::TooSlow,
        Self::Stalled,
        Self::TooLarge,
        Self::Host,
        Self::TokenMissing,
        Self::TokenWrong,
        Self::NoToken,
        Self::NotFound,
        Self::Method,
        Self::NotJson,
        Self::Invalid,
        Self::Busy,
        Self::Internal,
    ];

    /// Its name as a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Subscribers => "subscribers",
            Self::Malformed => "malformed",
            Self::TooSlow => "too_slow",
            Self::Stalled => "stalled",
            Self::TooLarge => "too_large",
            Self::Host => "host",
            Self::TokenMissing => "token_missing",
            Self::TokenWrong => "token_wrong",
            Self::NoToken => "no_token",
            Self::NotFound => "not_found",
            Self::Method => "method",
            Self::NotJson => "not_json",
            Self::Invalid => "invalid",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }
}

/// The metrics of one run.
pub struct Metrics {
    phases: Mutex<Phases>,
    refused: [AtomicU64; Refused::ALL.len()],
}

/// Distributions per phase and configuration, and the handles of the present ladder's.
struct Phases {
    buckets: Vec<f64>,
    all: HistogramVec,
    manifest: Option<Arc<Manifest>>,
    /// One entry per configuration and phase, so that observing looks nothing up.
    rungs: Vec<[Histogram; Phase::ALL.len()]>,
}

impl Metrics {
    /// Metrics whose buckets are placed around `budget`.
    #[must_use]
    pub fn new(budget: Duration) -> Self {
        Self { phases: Mutex::new(Phases::new(buckets(budget))), refused: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Observes the phases that lie before the decision.
    pub fn decided(&self, decision: &Decision) {
        let mut phases = self.phases();
        if let Some(rung) = phases.rung(decision) {
            if let Some(head) = decision.head {
                rung[Phase::Head as usize].observe(head.infer.as_secs_f64());
            }
            rung[Phase::Condition as usize].observe(decision.condition.as_secs_f64());
            rung[Phase::Wait as usize].observe(decision.wait.as_secs_f64());
            rung[Phase::Prepare as usize].observe(decision.prepare.as_secs_f64());
            rung[Phase::Infer as usize].observe(decision.infer.as_secs_f64());
        }
    }

    /// Observes publishing and the whole way of a decision that was published at clock time `now`.
    pub fn published(&self, decision: &Decision, now: Duration) {
        let mut phases = self.phases();
        if let Some(rung) = phases.rung(decision) {
            rung[Phase::Publish as usize].observe(now.saturating_sub(decision.decided).as_secs_f64());
            rung[Phase::Total as usize].observe(now.saturating_sub(decision.arrived).as_secs_f64());
        }
    }

    /// Places the buckets around another budget. All distributions start afresh then, as after a restart.
    pub fn rebase(&self, budget: Duration) {
        let buckets = buckets(budget);
        let mut phases = self.phases();
        if phases.buckets != buckets {
            *phases = Phases::new(buckets);
        }
    }

    /// Counts a refusal; returns how many there were of this kind.
    pub fn refused(&self, cause: Refused) -> u64 {
        self.refused[cause as usize].fetch_add(1, Ordering::Relaxed) + 1
    }

    /// All metrics. `events_lost` is what subscribers were too slow for.
    #[must_use]
    pub fn render(&self, status: &Status, activities: &Activities, events_lost: u64) -> String {
        let mut families = self.phases().all.collect();
        // a family without a series would be a heading without text
        families.retain(|family| !family.get_metric().is_empty());
        let mut scrape = Scrape(families);
        scrape.status(status);
        scrape.activities(activities);
        scrape.counter(
            "gaitd_events_lost_total",
            "Events that subscribers were too slow for",
            &[],
            &[(&[], events_lost)],
        );
        let refused = Refused::ALL.map(|cause| ([cause.name()], self.refused[cause as usize].load(Ordering::Relaxed)));
        let refused: Vec<(&[&str], u64)> = refused.iter().map(|(cause, count)| (&cause[..], *count)).collect();
        scrape.counter("gaitd_http_refused_total", "Requests and connections refused", &["cause"], &refused);
        scrape.0.sort_by(|a, b| a.name().cmp(b.name()));
        TextEncoder::new().encode_to_string(&scrape.0).unwrap_or_else(|error| {
            log::error!("metrics: {error}");
            String::new()
        })
    }

    fn phases(&self) -> MutexGuard<'_, Phases> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends of the buckets for `budget`, seconds, without the noise of binary fractions in their last digits.
fn buckets(budget: Duration) -> Vec<f64> {
    let budget = budget.as_secs_f64().max(1e-6);
    BUCKETS.iter().map(|share| format!("{:.6e}", share * budget).parse().unwrap_or(share * budget)).collect()
}

impl Phases {
    #[expect(clippy::expect_used, reason = "the names are constants, and the buckets ascend")]
    fn new(buckets: Vec<f64>) -> Self {
        let options = HistogramOpts::new(
            "gaitd_phase_seconds",
            "Time that each phase from a window's last sample to its published decision took, and the head before that sample",
        );
        let all = HistogramVec::new(options.buckets(buckets.clone()), &["phase", "configuration"]);
        Self { buckets, all: all.expect("constant names"), manifest: None, rungs: Vec::new() }
    }

    /// The handles of the configuration that answered.
    fn rung(&mut self, decision: &Decision) -> Option<&[Histogram; Phase::ALL.len()]> {
        if !self.manifest.as_ref().is_some_and(|manifest| Arc::ptr_eq(manifest, &decision.manifest)) {
            self.change_ladder(&decision.manifest);
        }
        self.rungs.get(decision.rung)
    }

    /// Has the handles of another ladder; configurations that it lacks end.
    fn change_ladder(&mut self, manifest: &Arc<Manifest>) {
        let stays = |id: &str| manifest.configurations.iter().any(|configuration| configuration.id == id);
        let before = self.manifest.replace(Arc::clone(manifest));
        for configuration in before.iter().flat_map(|before| &before.configurations) {
            if !stays(&configuration.id) {
                for phase in Phase::ALL {
                    // an error says that there is no such series
                    let _ = self.all.remove_label_values(&[phase.name(), &configuration.id]);
                }
            }
        }
        let rung = |id: &str| Phase::ALL.map(|phase| self.all.with_label_values(&[phase.name(), id]));
        self.rungs = manifest.configurations.iter().map(|configuration| rung(&configuration.id)).collect();
    }
}

/// The families of one scrape.
struct Scrape(Vec<MetricFamily>);

impl Scrape {
    fn status(&mut self, status: &Status) {
        let Status { windows, source, misses, reloads, memory, signals, .. } = status;
        let samples = &source.samples;
        self.count("gaitd_windows_produced_total", "Complete windows in the stream", windows.produced);
        self.count("gaitd_windows_decided_total", "Windows answered", windows.decided);
        self.counter(
            "gaitd_windows_dropped_total",
            "Windows that were not answered",
            &["cause"],
            &[(&["overtaken"], windows.dropped), (&["held"], windows.held), (&["failed"], windows.failed)],
        );
        self.count(
            "gaitd_decisions_published_total",
            "Decisions written to the first output; where there is none, those made",
            windows.published,
        );
        self.count(
            "gaitd_decisions_lost_total",
            "Decisions that the first output did not take; where there is none, those overtaken",
            windows.lost,
        );
        self.outputs(&status.outputs);
        if let Some(misses) = misses {
            self.count("gaitd_misses_total", "Published decisions that were later than their budget", misses.count);
        }
        let heads = status.heads;
        self.counter(
            "gaitd_heads_total",
            "Inferences that began before their windows were complete, and what came of them",
            &["fate"],
            &[(&["begun"], heads.begun), (&["answered"], heads.answered), (&["late"], heads.late)],
        );
        let cascades = status.cascades;
        self.counter(
            "gaitd_cascades_total",
            "Windows answered by cascades, and what became of the second inference",
            &["fate"],
            &[
                (&["not_needed"], cascades.not_needed),
                (&["answered"], cascades.answered),
                (&["no_time"], cascades.no_time),
                (&["failed"], cascades.failed),
            ],
        );
        self.count(
            "gaitd_switches_total",
            "Changes from one plan, a configuration or a cascade, to another",
            status.switches,
        );
        self.count("gaitd_samples_total", "Good samples", samples.samples);
        self.count(
            "gaitd_samples_moved_total",
            "Good samples that were not taken when their timestamps say, but evenly",
            samples.moved,
        );
        self.count(
            "gaitd_samples_resampled_total",
            "Samples that were computed from those around them, since none was taken at their time",
            samples.resampled,
        );
        self.counter(
            "gaitd_sensor_faults_total",
            "Faults in the stream of samples",
            &["cause"],
            &[
                (&["bridged"], samples.bridged),
                (&["malformed"], samples.malformed),
                (&["non_finite"], samples.non_finite),
                (&["out_of_order"], samples.out_of_order),
                (&["astray"], samples.astray),
                (&["gap"], samples.gaps),
                // every gap is a reset as well; the others are the clocks that were set back
                (&["clock_set_back"], samples.resets.saturating_sub(samples.gaps)),
            ],
        );
        self.implausible(&source.implausible);
        self.count("gaitd_source_failures_total", "Times that the source could not be read", source.failures);
        self.counter(
            "gaitd_reloads_total",
            "Reloads of the configuration",
            &["outcome"],
            &[(&["done"], reloads.done), (&["refused"], reloads.refused)],
        );

        self.gauge("gaitd_source_rate_hertz", "Samples per second of late", source.rate_hz);
        self.gauge(
            "gaitd_source_delay_seconds",
            "By how much answers are behind the samples because these are put onto the ladder's grid",
            Some(source.delay_s),
        );
        let slowdown = status.slowdown;
        self.gauge(
            "gaitd_slowdown_mean",
            "Observed latency over profiled latency, as the policy believes",
            slowdown.map(|slowdown| slowdown.mean),
        );
        self.gauge(
            "gaitd_slowdown_spread",
            "Standard deviation of the slowdown, as the policy believes",
            slowdown.map(|slowdown| slowdown.spread),
        );
        self.gauge("gaitd_cpu_load_ratio", "Busy share of the processors, without gaitd's own", signals.cpu);
        self.gauge("gaitd_cpu_pressure_ratio", "Share of the time in which a task waited", signals.pressure);
        self.gauge("gaitd_cpu_frequency_ratio", "Clock over the highest clock", signals.frequency);
        self.gauge("gaitd_temperature_celsius", "The hottest thermal zone", signals.temperature_c);
        self.gauge(
            "gaitd_budget_seconds",
            "From a window's last sample to its published decision",
            Some(status.settings.control.budget_ms / 1e3),
        );
        let resident = memory.resident_bytes.map(|bytes| bytes as f64);
        self.gauge("gaitd_resident_memory_bytes", "Resident memory of the process", resident);
        let ladder = Some(memory.ladder_bytes as f64);
        self.gauge("gaitd_ladder_memory_bytes", "Weights and intermediate values of the ladder", ladder);
        let flag = |flag: bool| Some(f64::from(u8::from(flag)));
        self.gauge("gaitd_ready", "1 when the ladder is loaded and samples flow", flag(status.ready.ready));
        self.gauge("gaitd_alive", "1 when windows become decisions", flag(status.alive.alive));
        self.gauge("gaitd_subscribers", "Who listens to events", Some(status.subscribers as f64));
        self.gauge_with(
            "gaitd_info",
            "What runs",
            &["version", "model", "hash"],
            &[&status.version, &status.model.name, &status.model.hash],
            1.0,
        );
        self.gauge_with(
            "gaitd_ladder_info",
            "The ladder, and what executes it",
            &["model", "backend", "hash"],
            &[&status.model.name, &status.model.backend, &status.model.hash],
            1.0,
        );
    }

    /// One series per activity that the ladder knows.
    fn activities(&mut self, activities: &Activities) {
        let labels = &["activity"];
        let windows: Vec<_> = activities.total.iter().map(|one| ([one.activity.as_str()], one.windows)).collect();
        let windows: Vec<(&[&str], u64)> = windows.iter().map(|(activity, count)| (&activity[..], *count)).collect();
        self.counter("gaitd_activity_windows_total", "Decisions per recognised activity", labels, &windows);
        let name = Opts::new("gaitd_activity_seconds_total", "Time per recognised activity: a hop for each decision");
        self.add(CounterVec::new(name, labels), |family| {
            for one in &activities.total {
                family.with_label_values(&[&one.activity]).inc_by(one.seconds);
            }
        });
        let Some(now) = &activities.now else { return };
        let name = Opts::new("gaitd_activity_now", "1 for the activity of the latest decision, 0 for the others");
        self.add(GaugeVec::new(name, labels), |family| {
            for one in &activities.total {
                let present = f64::from(u8::from(one.activity == now.activity));
                family.with_label_values(&[&one.activity]).set(present);
            }
        });
        self.gauge(
            "gaitd_activity_unchanged_seconds",
            "Time since the recognised activity has changed",
            Some(now.unchanged_s),
        );
    }

    /// One series per fault that a sensor has or had; no family where there is none.
    fn implausible(&mut self, faults: &[FaultView]) {
        if faults.is_empty() {
            return;
        }
        let labels = &["sensor", "fault"];
        let name = Opts::new("gaitd_sensor_implausible", "1 while the samples of a sensor cannot be right");
        self.add(GaugeVec::new(name, labels), |family| {
            for fault in faults {
                let present = f64::from(u8::from(fault.present));
                family.with_label_values(&[&fault.sensor, fault.fault.name()]).set(present);
            }
        });
        let help = "Seconds of the stream in which the samples of a sensor could not be right";
        let name = Opts::new("gaitd_sensor_implausible_seconds_total", help);
        self.add(CounterVec::new(name, labels), |family| {
            for fault in faults {
                family.with_label_values(&[&fault.sensor, fault.fault.name()]).inc_by(fault.seconds);
            }
        });
    }

    /// One series per output; no family where there is none.
    fn outputs(&mut self, outputs: &[OutputView]) {
        if outputs.is_empty() {
            return;
        }
        let count = |of: fn(&OutputView) -> u64| outputs.iter().map(move |output| ([output.name.as_str()], of(output)));
        for (name, help, counts) in [
            ("gaitd_output_published_total", "Decisions written to an output", count(|output| output.published)),
            ("gaitd_output_lost_total", "Decisions that an output did not take", count(|output| output.lost)),
        ] {
            let counts: Vec<_> = counts.collect();
            let series: Vec<(&[&str], u64)> = counts.iter().map(|(output, count)| (&output[..], *count)).collect();
            self.counter(name, help, &["output"], &series);
        }
    }

    fn count(&mut self, name: &str, help: &str, count: u64) {
        self.counter(name, help, &[], &[(&[], count)]);
    }

    /// A counter with one series per entry of `series`: the labels' values, and the count.
    fn counter(&mut self, name: &str, help: &str, labels: &[&str], series: &[(&[&str], u64)]) {
        self.add(IntCounterVec::new(Opts::new(name, help), labels), |family| {
            for (values, count) in series {
                family.with_label_values(values).inc_by(*count);
            }
        });
    }

    /// A gauge; left out where its value is unknown.
    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.gauge_with(name, help, &[], &[], value);
        }
    }

    fn gauge_with(&mut self, name: &str, help: &str, labels: &[&str], values: &[&str], value: f64) {
        self.add(GaugeVec::new(Opts::new(name, help), labels), |family| family.with_label_values(values).set(value));
    }

    fn add<C: Collector>(&mut self, family: prometheus::Result<C>, fill: impl FnOnce(&C)) {
        match family {
            Ok(family) => {
                fill(&family);
                self.0.extend(family.collect());
            }
            // the names are constants, so this is for a developer who changes them
            Err(error) => log::error!("metrics: {error}"),
        }
    }
}
