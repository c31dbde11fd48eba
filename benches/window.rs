//! What one window costs: its inference by each configuration, and everything beside that.
//!
//! `cargo bench --bench window` prints criterion's figures, and then medians of everything beside the inference, in turns
//! without a head and with one, and as a share of the inference of `1.00x-128`. Other engines are `cargo xtask compare`'s. The
//! signals of load are read at their own pace, apart from each other, for that is what a reading costs in a daemon.

#![allow(clippy::print_stdout, reason = "its figures are for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::{Load, LoadProbe, Overhead, PolicySpec};
use gaitd_core::engine::{Decision, Engine, Inputs, Settings, Wearer};
use gaitd_core::ladder::{Effort, Ladder, ProfileKey, measure};
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::{Intake, Window};
use gaitd_daemon::publish::{LineWriter, RunHeader, Sink};
use gaitd_daemon::{LatestLoad, SystemProbe};
use gaitd_embedded::Embedded;
use gaitd_supernet::Supernet;

/// Windows that medians are taken over.
const ROUNDS: usize = 1000;
/// Samples that are missing where a head is done.
const MISSING: usize = 4;
/// Readings of the signals that a median is taken over.
const READINGS: usize = 40;
/// From one of them to the next; less, and the load would not be read each time.
const READING_INTERVAL: Duration = Duration::from_millis(250);

fn ladder() -> Ladder {
    Ladder::load(&Embedded, &[&Supernet]).expect("the shipped ladder")
}

/// Everything that a window costs beside its inference.
struct Rest {
    intake: Intake,
    engine: Engine,
    wearer: Wearer,
    settings: Settings,
    lines: LineWriter,
    sink: Sink,
    window: Window,
    decision: Decision,
    /// One hop of samples, played over and over.
    samples: Vec<Sample>,
    clock: MonotonicClock,
}

impl Rest {
    /// Of windows that begin when so many samples are missing; when they are complete where that is 0.
    fn new(missing: usize) -> Self {
        let clock = MonotonicClock::start();
        let ladder = ladder();
        let mut runner = ladder.runner().expect("buffers");
        let manifest = ladder.manifest().clone();
        let task = &manifest.task;
        let key = ProfileKey::new(&ladder, "bench");
        let effort = Effort { missing, ..Effort::QUICK };
        let profile = measure(&ladder, runner.as_mut(), &key, effort, &clock, |_| ()).expect("a measurement");
        let budget = Duration::from_millis(50);
        let settings = Settings::new(budget, 0.02, PolicySpec::default());
        let wearer = Wearer::with_runner(&ladder, runner).insured_by(ladder.runner().expect("buffers"));
        let engine = Engine::new(ladder, &profile, &settings, missing).expect("the default policy");
        let header = RunHeader {
            manifest: manifest.clone(),
            stream: "bench".to_owned(),
            source: "bench".to_owned(),
            simulated: false,
            timed: true,
            policy: settings.policy.name().to_owned(),
            budget,
        };
        let mut intake = manifest.intake().expect("the shipped conditioning");
        intake.show_missing(engine.missing());
        Self {
            intake,
            engine,
            wearer,
            settings,
            lines: LineWriter::new(header, false, true),
            sink: Sink::new(std::fs::File::create("/dev/null").expect("the null device")),
            window: Window::new(task.channels.len(), task.window),
            decision: Decision::empty(&manifest),
            samples: (0..task.hop)
                .map(|time| {
                    let wave = |axis: usize| (0.1 * time as f64 * (axis + 1) as f64).sin();
                    Sample { time_s: None, values: (0..task.input.channels.len()).map(wave).collect() }
                })
                .collect(),
            clock,
        }
    }

    /// One hop of samples: conditioned, windowed, decided and published. Returns the time of all but the inference: of the
    /// samples, and of the decision.
    fn hop(&mut self) -> [Duration; 2] {
        let Self { intake, engine, wearer, settings, window, decision, clock, .. } = self;
        let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        let (start, mut decided) = (Instant::now(), Duration::ZERO);
        for sample in &self.samples {
            intake.push(&Reading::Sample, sample, clock.now(), |ready| {
                ready.fill(window);
                let (now, start) = (clock.now(), Instant::now());
                if window.missing > 0 {
                    // all its samples still come in time
                    window.completed = now + Duration::from_millis(80);
                    engine.begin(wearer, window, &inputs, clock, &|| false).expect("a head");
                } else {
                    window.completed = now;
                    engine.decide(wearer, window, &inputs, clock, decision).expect("a decision");
                    let line = self.lines.decision(decision, clock.now()).expect("a line");
                    self.sink.write(line).expect("the null device takes everything");
                }
                decided += start.elapsed();
            });
        }
        let inferred = decision.infer + decision.head.map_or(Duration::ZERO, |head| head.infer);
        [start.elapsed().saturating_sub(decided), decided.saturating_sub(inferred)]
    }
}

fn windows(criterion: &mut Criterion) {
    let ladder = ladder();
    let mut runner = ladder.runner().expect("buffers");
    let manifest = ladder.manifest().clone();
    let mut logits = vec![0.0; manifest.task.labels.len()];
    let mut group = criterion.benchmark_group("infer");
    for (index, configuration) in manifest.configurations.iter().enumerate() {
        let window = vec![0.1; manifest.task.channels.len() * manifest.task.window];
        group.bench_function(BenchmarkId::from_parameter(&configuration.id), |b| {
            b.iter(|| runner.infer(index, black_box(&window), &mut logits));
        });
    }
    group.finish();

    for (name, missing) in [("without a head", 0), ("with a head", MISSING)] {
        let mut rest = Rest::new(missing);
        criterion.bench_function(&format!("window/all but the inference, {name}"), |b| {
            b.iter_custom(|windows| (0..windows).flat_map(|_| rest.hop()).sum());
        });
    }
    let mut probe = SystemProbe::new(&[]);
    criterion.bench_function("signals/a reading brought forward", |b| b.iter(|| probe.read()));
    let mut latest = LatestLoad::default();
    latest.set(Load::cpu(0.5), Duration::ZERO);
    criterion.bench_function("signals/the latest reading", |b| b.iter(|| latest.get(black_box(Duration::ZERO))));
}

/// What whole readings of the signals cost, each after a pause.
fn readings() {
    let mut probe = SystemProbe::new(&[]);
    let mut times: Vec<f64> = (0..READINGS)
        .map(|_| {
            std::thread::sleep(READING_INTERVAL);
            let start = Instant::now();
            black_box(probe.read());
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let median = median(&mut times);
    println!(
        "\none reading of the signals: {median:.0} us, at most {:.0} us; the last one: {:?}",
        times[times.len() - 1],
        probe.read()
    );
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What windows cost beside their inferences, without a head and with one, in turns.
fn rest() {
    let ladder = ladder();
    let mut runner = ladder.runner().expect("buffers");
    let manifest = ladder.manifest();
    let mut logits = vec![0.0; manifest.task.labels.len()];
    let samples = vec![0.1; manifest.task.channels.len() * manifest.task.window];
    let full = manifest.configurations.len() - 1;
    let mut rests = [0, MISSING].map(Rest::new);
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    let mut inferences = Vec::new();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    for _ in 0..ROUNDS {
        for (rest, times) in rests.iter_mut().zip(&mut times) {
            times.iter_mut().zip(rest.hop()).for_each(|(times, time)| times.push(micros(time)));
        }
        let start = Instant::now();
        runner.infer(full, black_box(&samples), &mut logits).expect("an inference");
        inferences.push(micros(start.elapsed()));
    }
    let inference = median(&mut inferences);
    let id = &manifest.configurations[full].id;
    println!("\nbeside an inference, microseconds, medians of {ROUNDS} windows in turns; {id} takes {inference:.1}:");
    println!("{:<16} {:>8} {:>9} {:>9} {:>8}", "", "samples", "decision", "together", "share");
    for (name, [samples, decision]) in ["without a head", "with a head"].into_iter().zip(&mut times) {
        let (samples, decision) = (median(samples), median(decision));
        let together = samples + decision;
        println!("{name:<16} {samples:>8.2} {decision:>9.2} {together:>9.2} {:>6.1} %", 100.0 * together / inference);
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    windows(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches with this flag, to see that they start
    if !std::env::args().any(|argument| argument == "--test") {
        readings();
        rest();
    }
}
