//! After start-up, the way from a raw sample to a published line allocates nothing of gaitd's own.

use std::time::Duration;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::{Load, Overhead, PolicySpec};
use gaitd_core::decode::{Change, Context, Episode, Movement, Place};
use gaitd_core::engine::{Decision, Diary, Engine, Inputs, Settings, Wearer};
use gaitd_core::ladder::{Backend, Effort, Ladder, Manifest, ProfileKey, measure};
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::Window;
use gaitd_daemon::publish::{LineWriter, RunHeader, Sink};
use gaitd_embedded::Embedded;
use gaitd_supernet::Supernet;
use gaitd_tract::Tract;

/// Samples that are missing where inferences begin.
const MISSING: usize = 4;

fn allocations(body: impl FnOnce()) -> u64 {
    allocation_counter::measure(body).count_total
}

#[test]
fn a_window_allocates_nothing_beside_the_inference_library() {
    allocates_nothing(&Tract);
}

#[test]
fn a_window_allocates_nothing_on_gaitds_own_engine() {
    let library = allocates_nothing(&Supernet);
    assert!(library.iter().all(|allocations| *allocations == 0), "{library:?}");
}

/// What `backend` itself allocates for an inference of each configuration, beside which there must be nothing.
fn allocates_nothing(backend: &dyn Backend) -> Vec<u64> {
    let clock = MonotonicClock::start();
    let ladder = Ladder::load(&Embedded, &[backend]).unwrap();
    let manifest = ladder.manifest().clone();
    let task = &manifest.task;
    let mut logits = vec![0.0; task.labels.len()];
    // what the inference library allocates for one inference of each configuration, after the first, which makes more
    let mut runner = ladder.runner().unwrap();
    let zeros = vec![0.0; task.channels.len() * task.window];
    let library: Vec<u64> = (0..manifest.configurations.len())
        .map(|rung| {
            runner.infer(rung, &zeros, &mut logits).unwrap();
            allocations(|| runner.infer(rung, &zeros, &mut logits).unwrap())
        })
        .collect();

    let change = Change { quantity: Movement::Gravity, over_s: 0.5, above: 0.4, stay: 0.5 };
    let context = Context { change: Some(change), ..manifest.context() };
    // looking for changes takes nothing either, nor do episodes
    let watched = Manifest { schema: 3, context: Some(context), ..(*manifest).clone() };
    let (begin, end) = (Place::default(), Place { sample: 250, time_s: Some(5.0), wall: Some(Duration::MAX / 4) });
    let episode = Episode { activity: 1, begin, end, lasts: Duration::from_secs(5), windows: 4, confidence: 0.75 };
    let key = ProfileKey::new(&ladder, "test");
    let profile = measure(&ladder, runner.as_mut(), &key, Effort::QUICK, &clock, |_| ()).unwrap();
    for policy in [
        PolicySpec::Fixed { configuration: Some("1.00x-128".to_owned()) },
        PolicySpec::Slackfit {},
        PolicySpec::ALERT,
        PolicySpec::Step { band_ms: None, average: 3 },
        PolicySpec::Bayes {},
    ] {
        for (text, missing) in [(false, 0), (true, 0), (false, MISSING)] {
            let budget = Duration::from_secs(10);
            let settings = Settings { lag: 2, ..Settings::new(budget, 0.02, policy.clone()) };
            let mut engine = Engine::new(ladder.clone(), &profile, &settings, missing).unwrap();
            // the first head makes its tables
            let [runner, insurance] = [(), ()].map(|()| {
                let mut runner = ladder.runner().unwrap();
                runner.head(0, &zeros, MISSING, &mut || true).unwrap();
                runner
            });
            let mut wearer = Wearer::with_runner(&ladder, runner).insured_by(insurance);
            let mut intake = watched.intake().unwrap();
            let mut diary = Diary::new(task, None);
            intake.show_missing(engine.missing());
            let header = RunHeader {
                manifest: manifest.clone(),
                stream: "test".to_owned(),
                source: "test".to_owned(),
                simulated: true,
                timed: true,
                policy: policy.name().to_owned(),
                budget,
            };
            let mut lines = LineWriter::new(header, text, true);
            let mut sink = Sink::new(std::fs::File::create("/dev/null").unwrap());
            let mut window = Window::new(task.channels.len(), task.window);
            let mut decision = Decision::empty(&manifest);
            let mut sample = Sample { time_s: Some(0.0), values: vec![0.0; task.input.channels.len()] };
            let mut learned = None;
            let mut overhead = Overhead::NONE;
            // how many windows there were, and what the library allocated for them
            let mut one_hop = |start: u32| {
                let (mut windows, mut expected) = (0, 0);
                for i in start..start + 64 {
                    sample.time_s = Some(f64::from(i) / 50.0);
                    sample.values.fill(f64::from(i % 7) / 7.0);
                    intake.push(&Reading::Sample, &sample, clock.now(), |ready| {
                        ready.fill(&mut window);
                        (window.completed, window.wall) = (clock.now(), clock.wall());
                        let signals = Load {
                            cpu: Some(f64::from(i % 5) / 5.0),
                            pressure: Some(0.1),
                            frequency: Some(0.9),
                            temperature_c: Some(50.0),
                        };
                        let inputs =
                            Inputs { load: signals, reserve: Duration::ZERO, overhead: &overhead, settings: &settings };
                        if window.missing > 0 {
                            // a lead that the head has no room in, so that the insurance is used
                            engine.begin(&mut wearer, &window, &inputs, &clock, &|| i % 3 == 0).unwrap();
                            return;
                        }
                        engine.decide(&mut wearer, &window, &inputs, &clock, &mut decision).unwrap();
                        // the daemon takes a copy every now and then
                        engine.learned(&mut learned);
                        decision.episode = diary.push(&decision).or(Some(episode));
                        sink.write(lines.decision(&decision, clock.now()).unwrap()).unwrap();
                        overhead.observe(clock.now().saturating_sub(decision.decided));
                        windows += 1;
                        expected += library[decision.rung];
                    });
                }
                (windows, expected)
            };
            let mut start = 0;
            let mut warm_up = 0;
            while warm_up < 5 {
                warm_up += one_hop(start).0;
                start += 64;
            }
            let (mut windows, mut expected) = (0, 0);
            let counted = allocations(|| {
                for _ in 0..20 {
                    let (decided, allocated) = one_hop(start);
                    (windows, expected) = (windows + decided, expected + allocated);
                    start += 64;
                }
            });
            assert_eq!(windows, 20);
            assert_eq!(counted, expected, "{} text={text} missing={missing}", policy.name());
            assert_eq!(decision.head.is_some(), engine.missing() > 0);
        }
    }
    library
}
