//! What one window costs, beside the bare inference library on the same file.
//!
//! `cargo bench --bench window` prints criterion's figures, and then ratios that were measured in turns, which hold on
//! a noisy machine: one inference through gaitd's ladder against a bare loop over tract, and everything else that a
//! window costs against the inference of `1.00x-128`. Load of load are read at their own pace, apart from each other,
//! for that is what a reading costs in a daemon.

#![allow(clippy::print_stdout, reason = "its figures are for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::{Load, LoadProbe, Overhead, PolicySpec};
use gaitd_core::engine::{Decision, Engine, Inputs, Settings, Wearer};
use gaitd_core::ladder::{Effort, Ladder, Manifest, ModelFiles, ProfileKey, measure};
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::{Intake, Window};
use gaitd_daemon::publish::{LineWriter, RunHeader, Sink};
use gaitd_daemon::{LatestLoad, SystemProbe};
use gaitd_embedded::Embedded;
use gaitd_tract::Tract;
use tract_onnx::prelude::*;

/// Turns that a ratio is taken over.
const ROUNDS: usize = 200;
/// Inferences per turn.
const BURST: usize = 20;
/// Readings of the signals that a median is taken over.
const READINGS: usize = 40;
/// From one of them to the next; less, and the load would not be read each time.
const READING_INTERVAL: Duration = Duration::from_millis(250);

fn ladder() -> Ladder {
    Ladder::load(&Embedded, &[&Tract]).expect("the shipped ladder")
}

/// A bare loop over tract: the same file, shapes made concrete, one state kept, a new tensor for each window.
struct Bare {
    state: TypedSimpleState,
    shape: [usize; 3],
}

impl Bare {
    fn new(manifest: &Manifest, index: usize) -> Self {
        let configuration = &manifest.configurations[index];
        let bytes = Embedded.read(&configuration.file).expect("a network of the shipped ladder");
        let shape = [1, manifest.task.channels.len(), configuration.time_steps(manifest.task.window)];
        let model = tract_onnx::onnx()
            .model_for_read(&mut &*bytes)
            .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
            .and_then(InferenceModelExt::into_optimized)
            .and_then(|model| model.into_runnable())
            .and_then(|plan| plan.spawn());
        Self { state: model.expect("a network that tract runs"), shape }
    }

    fn infer(&mut self, window: &[f32]) -> f32 {
        let input = Tensor::from_shape(&self.shape, window).expect("a window of the right size");
        let output = self.state.run(tvec!(input.into())).expect("an inference");
        output[0].try_as_plain_ram().expect("plain").as_slice::<f32>().expect("floats")[0]
    }
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
    fn new() -> Self {
        let clock = MonotonicClock::start();
        let ladder = ladder();
        let mut runner = ladder.runner().expect("buffers");
        let manifest = ladder.manifest().clone();
        let task = &manifest.task;
        let key = ProfileKey::new(&ladder, "bench");
        let profile = measure(&ladder, runner.as_mut(), &key, Effort::QUICK, &clock, |_| ()).expect("a measurement");
        let budget = Duration::from_millis(50);
        let settings = Settings::new(budget, 0.02, PolicySpec::default());
        let wearer = Wearer::with_runner(&ladder, runner);
        let engine = Engine::new(ladder, &profile, &settings, 0);
        let header = RunHeader {
            manifest: manifest.clone(),
            stream: "bench".to_owned(),
            source: "bench".to_owned(),
            simulated: false,
            timed: true,
            policy: "alert".to_owned(),
            budget,
        };
        Self {
            intake: manifest.intake().expect("the shipped conditioning"),
            engine: engine.expect("the default policy"),
            wearer,
            settings,
            lines: LineWriter::new(header, false),
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

    /// One hop of samples: conditioned, windowed, decided and published. Returns the time of all but the inference.
    fn hop(&mut self) -> Duration {
        let start = Instant::now();
        for sample in &self.samples {
            let window = &mut self.window;
            self.intake.push(&Reading::Sample, sample, self.clock.now(), |ready| ready.fill(window));
        }
        self.window.completed = self.clock.now();
        let inputs =
            Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings: &self.settings };
        self.engine
            .decide(&mut self.wearer, &self.window, &inputs, &self.clock, &mut self.decision)
            .expect("a decision");
        let line = self.lines.decision(&self.decision, self.clock.now()).expect("a line");
        self.sink.write(line).expect("the null device takes everything");
        start.elapsed().saturating_sub(self.decision.infer)
    }
}

fn windows(criterion: &mut Criterion) {
    let ladder = ladder();
    let mut runner = ladder.runner().expect("buffers");
    let manifest = ladder.manifest().clone();
    let mut logits = vec![0.0; manifest.task.labels.len()];
    let mut group = criterion.benchmark_group("infer");
    for (index, configuration) in manifest.configurations.iter().enumerate() {
        let mut bare = Bare::new(&manifest, index);
        let input = vec![0.1; manifest.task.channels.len() * configuration.time_steps(manifest.task.window)];
        group.bench_function(BenchmarkId::new("bare tract", &configuration.id), |b| {
            b.iter(|| bare.infer(black_box(&input)));
        });
        let window = vec![0.1; manifest.task.channels.len() * manifest.task.window];
        group.bench_function(BenchmarkId::new("gaitd", &configuration.id), |b| {
            b.iter(|| runner.infer(index, black_box(&window), &mut logits));
        });
    }
    group.finish();

    let mut rest = Rest::new();
    criterion.bench_function("window/all but the inference", |b| {
        b.iter_custom(|windows| (0..windows).map(|_| rest.hop()).sum());
    });
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

/// Microseconds per call of `body`, over one burst.
fn burst(mut body: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..BURST {
        body();
    }
    start.elapsed().as_secs_f64() * 1e6 / BURST as f64
}

fn ratios() {
    let ladder = ladder();
    let mut runner = ladder.runner().expect("buffers");
    let manifest = ladder.manifest().clone();
    let mut logits = vec![0.0; manifest.task.labels.len()];
    println!("\nin turns, medians of {ROUNDS} rounds of {BURST}:");
    println!("{:<14} {:>10} {:>10} {:>7}", "configuration", "bare us", "gaitd us", "ratio");
    let mut full = 0.0;
    for (index, configuration) in manifest.configurations.iter().enumerate() {
        let mut bare = Bare::new(&manifest, index);
        let window = vec![0.1; manifest.task.channels.len() * manifest.task.window];
        let input = vec![0.1; manifest.task.channels.len() * configuration.time_steps(manifest.task.window)];
        let (mut bares, mut gaitds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bares.push(burst(|| {
                black_box(bare.infer(black_box(&input)));
            }));
            gaitds.push(burst(|| runner.infer(index, black_box(&window), &mut logits).expect("an inference")));
            ratios.push(gaitds[gaitds.len() - 1] / bares[bares.len() - 1]);
        }
        full = median(&mut gaitds);
        println!("{:<14} {:>10.2} {full:>10.2} {:>7.3}", configuration.id, median(&mut bares), median(&mut ratios));
    }
    let mut rest = Rest::new();
    let mut others: Vec<f64> = (0..ROUNDS * 5).map(|_| rest.hop().as_secs_f64() * 1e6).collect();
    let rest = median(&mut others);
    println!(
        "all but the inference: {rest:.2} us per window, {:.1} % of the last inference above",
        100.0 * rest / full
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    windows(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches with this flag, to see that they start
    if !std::env::args().any(|argument| argument == "--test") {
        readings();
        ratios();
    }
}
