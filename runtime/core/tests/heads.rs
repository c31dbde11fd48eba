//! Inferences that begin before their windows are complete: most is done by then, and whatever comes between, each window is
//! answered.

use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::control::{Load, Overhead, PolicySpec, Reason};
use gaitd_core::engine::{DecideError, Decision, Engine, Inputs, Settings, Wearer};
use gaitd_core::ladder::{Effort, Ladder, Profile, ProfileKey, measure};
use gaitd_core::testing::{FakeBackend, FakeModel, next_window};
use gaitd_core::virtual_time::VirtualClock;
use gaitd_core::window::Window;

fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1e3)
}

const RUNGS: usize = 8;

/// Samples that are missing where inferences begin: 80 ms of them.
const MISSING: usize = 4;

/// A ladder whose rungs take 8, 16, ... 64 ms, of which an eighth is the tail, and one wearer.
struct World {
    engine: Engine,
    settings: Settings,
    clock: Arc<VirtualClock>,
    wearer: Wearer,
    window: Window,
    decision: Decision,
}

fn world(settings: Settings) -> World {
    let latencies: Vec<Duration> = (1..=RUNGS).map(|rung| ms(8.0 * rung as f64)).collect();
    let clock = Arc::new(VirtualClock::new());
    let ladder = Ladder::load(&FakeModel::new(RUNGS), &[&FakeBackend::new(&latencies, &clock)]).unwrap();
    let task = ladder.manifest().task.clone();
    let profile = Profile::known(&ladder, "test", &latencies);
    let decision = Decision::empty(ladder.manifest());
    let wearer = Wearer::new(&ladder).unwrap().insured_by(ladder.runner().unwrap());
    let window = Window::new(task.channels.len(), task.window);
    let engine = Engine::new(ladder, &profile, &settings, MISSING).unwrap();
    World { engine, settings, clock, wearer, window, decision }
}

fn settings(budget_ms: f64) -> Settings {
    Settings { activity_aware: false, ..Settings::new(ms(budget_ms), 0.02, PolicySpec::default()) }
}

impl World {
    /// Begins with the window `index`, 80 ms before its last sample; the head takes `slowdown` times as long as profiled.
    fn begin(&mut self, index: u64, slowdown: f64) -> Result<bool, DecideError> {
        let Self { engine, settings, clock, wearer, window, .. } = self;
        clock.set_slowdown(slowdown);
        let task = &engine.ladder().manifest().task;
        let last = index * task.hop as u64 + task.window as u64 - 1;
        let expected = Duration::from_secs_f64((last + 1) as f64 / task.sample_rate_hz);
        clock.wait_until(expected - ms(80.0));
        (window.index, window.first_sample, window.last_sample) = (index, last + 1 - task.window as u64, last);
        (window.missing, window.completed) = (MISSING, expected);
        window.samples_mut().fill(1.0);
        let inputs = Inputs { load: Load::cpu(0.25), reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        engine.begin(wearer, window, &inputs, clock.as_ref(), &|| clock.now() >= expected)
    }

    /// Decides the window `index`, which is complete.
    fn decide(&mut self, index: u64) -> &Decision {
        let Self { engine, settings, clock, wearer, window, decision } = self;
        let task = engine.ladder().manifest().task.clone();
        next_window(window, &task, index, 1, clock.as_ref());
        window.missing = 0;
        window.arrived = Duration::from_secs_f64((window.last_sample + 1) as f64 / task.sample_rate_hz);
        window.completed = window.arrived;
        let inputs = Inputs { load: Load::cpu(0.5), reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        engine.decide(wearer, window, &inputs, clock.as_ref(), decision).unwrap();
        decision
    }

    fn both(&mut self, index: u64, slowdown: f64) -> &Decision {
        assert!(self.begin(index, slowdown).unwrap());
        self.decide(index)
    }

    /// How late the decision was there, milliseconds from the last sample.
    fn latency_ms(&self) -> f64 {
        self.decision.decided.saturating_sub(self.decision.arrived).as_secs_f64() * 1e3
    }
}

#[test]
fn only_the_tail_is_left_when_the_last_sample_comes() {
    let mut world = world(settings(20.0));
    for index in 0..20 {
        world.both(index, 1.0);
    }
    let decision = world.both(20, 1.0).clone();
    // a whole inference of 64 ms would be far too late
    assert_eq!(
        (decision.configuration().id.as_str(), decision.choice.reason),
        ("1.00x-128", Reason::MostAccurateInTime)
    );
    assert_eq!(decision.choice.forecast.predicted.as_millis(), 8);
    let head = decision.head.unwrap();
    assert_eq!((head.lead, head.infer, head.late), (ms(80.0), ms(56.0), Duration::ZERO));
    assert_eq!((decision.infer, decision.cpu, head.expected_tail), (ms(8.0), Some(ms(64.0)), ms(8.0)));
    assert_eq!((head.insured, head.given_up), (false, None));
    assert_eq!((head.signals, decision.signals), (Load::cpu(0.25), Load::cpu(0.5)));
    assert_eq!((decision.label(), world.latency_ms()), ("walking", 8.0));
}

#[test]
fn a_slower_processor_gets_what_is_in_time_with_its_head() {
    // at three times the latency the head of 1.00x takes 168 ms, of which 88 after the last sample, and its tail 24
    let mut world = world(settings(40.0));
    for index in 0..60 {
        world.both(index, 3.0);
    }
    let decision = world.both(60, 3.0).clone();
    assert!(world.latency_ms() <= 40.0 && decision.rung >= 2, "{decision:?}");
    let slowdown = decision.slowdown.unwrap().mean;
    assert!((slowdown - 3.0).abs() < 0.15, "both parts together show the slowdown: {slowdown}");
}

#[test]
fn where_the_picked_head_is_late_the_smallest_answers() {
    let mut world = world(settings(40.0));
    let mut answered = 0;
    for index in 0..400 {
        // a processor that is three times as slow for every fifth window, and now and then twenty times
        let slowdown = if index % 50 == 49 {
            20.0
        } else if index % 5 == 0 {
            3.0
        } else {
            1.0
        };
        let decision = world.both(index, slowdown).clone();
        let head = decision.head.unwrap();
        if let Some(given_up) = head.given_up {
            answered += 1;
            assert!(head.insured && given_up != decision.rung);
            assert_eq!((decision.choice.reason, decision.rung), (Reason::HeadLate, 0));
            assert_eq!(head.infer, ms(7.0).mul_f64(slowdown));
            // the tail of 1 ms, and what was begun of the other head before it was given up
            assert!(decision.infer == ms(1.0).mul_f64(slowdown) && decision.cpu.unwrap() > ms(8.0));
        }
    }
    assert!(answered > 3, "{answered}");
}

#[test]
fn a_pinned_configuration_has_no_insurance() {
    let mut world = world(Settings { pinned: Some("1.00x-128".to_owned()), ..settings(40.0) });
    for index in 0..20 {
        let decision = world.both(index, if index % 2 == 0 { 10.0 } else { 1.0 });
        assert_eq!((decision.configuration().id.as_str(), decision.head.unwrap().insured), ("1.00x-128", false));
    }
    // 560 ms of head, of which 80 came before the last sample
    let head = world.both(20, 10.0).head.unwrap();
    assert_eq!(head.late, ms(480.0));
}

#[test]
fn what_was_begun_for_a_window_that_never_came_is_forgotten_and_paid_for() {
    let capped = Settings { cpu_share: Some(0.02), ..settings(100.0) };
    let [mut wasted, mut saved] = [world(capped.clone()), world(capped)];
    let mut rungs = [0, 0];
    for index in 0..100 {
        // the head of a window that a gap ends; the window that comes is another one
        assert!(wasted.begin(3 * index, 1.0).unwrap());
        for (world, rungs) in [&mut wasted, &mut saved].into_iter().zip(&mut rungs) {
            let decision = world.decide(3 * index + 2);
            assert_eq!((decision.head, decision.label()), (None, "walking"));
            *rungs += decision.rung;
        }
    }
    assert!(rungs[0] < rungs[1], "{rungs:?}");
}

#[test]
fn a_budget_holds_at_once_and_what_else_is_demanded_from_the_next_pick_on() {
    let mut world = world(settings(40.0));
    world.both(0, 1.0);
    assert!(world.begin(1, 1.0).unwrap());
    world.settings = Settings { pinned: Some("0.25x-128".to_owned()), ..settings(15.0) };
    let decision = world.decide(1).clone();
    assert_eq!((decision.budget, decision.configuration().id.as_str()), (ms(15.0), "1.00x-128"));
    assert_eq!(world.both(2, 1.0).configuration().id, "0.25x-128");
}

#[test]
fn another_policy_between_head_and_tail_learns_from_the_next_window_on() {
    let mut world = world(settings(40.0));
    for index in 0..10 {
        world.both(index, 1.0);
    }
    for (index, policy) in
        [(10, PolicySpec::ALERT), (11, PolicySpec::Step { band_ms: None, average: 3 }), (12, PolicySpec::Bayes {})]
    {
        assert!(world.begin(index, 1.0).unwrap());
        world.settings.policy = policy;
        assert!(world.decide(index).head.is_some());
    }
    let mut learned = None;
    world.engine.learned(&mut learned);
    // ten, and the one that was begun when `bayes` was away is no one's
    assert_eq!(learned.unwrap().windows(), 10);
    assert_eq!(world.both(13, 1.0).label(), "walking");
}

#[test]
fn nothing_begins_for_a_window_that_was_decided_or_without_heads() {
    let mut world = world(settings(40.0));
    world.decide(5);
    assert!(!world.begin(5, 1.0).unwrap() && !world.begin(4, 1.0).unwrap());
    assert!(world.decide(6).head.is_none());
    world.wearer = Wearer::new(world.engine.ladder()).unwrap();
    assert!(!world.begin(7, 1.0).unwrap());
    assert_eq!(world.engine.missing(), MISSING);
    let ladder = world.engine.ladder().clone();
    let profile = Profile::known(&ladder, "test", &[ms(1.0); RUNGS]);
    // all of a window may not be missing
    for missing in [0, 128, 1000] {
        assert_eq!(Engine::new(ladder.clone(), &profile, &world.settings, missing).unwrap().missing(), 0);
    }
}

#[test]
fn a_profile_has_both_parts_and_reckons_with_other_numbers_of_samples() {
    let world = world(settings(40.0));
    let ladder = world.engine.ladder();
    let effort = Effort { missing: MISSING, ..Effort::QUICK };
    let (key, mut steps) = (ProfileKey::new(ladder, "test"), 0);
    let clock = world.clock.as_ref();
    let profile = measure(ladder, ladder.runner().unwrap().as_mut(), &key, effort, clock, |_| steps += 1).unwrap();
    assert_eq!(steps, effort.steps(RUNGS));
    for (rung, profiled) in profile.configurations.iter().enumerate() {
        let measured = profiled.halves.as_ref().unwrap();
        assert_eq!((measured.missing, measured.tail.p50), (MISSING, 1e3 * (rung + 1) as f64));
        for missing in [MISSING, 2] {
            let halves = profile.halves(ladder, rung, missing).unwrap();
            assert!((halves.tail.as_secs_f64() - 1e-3 * (rung + 1) as f64).abs() < 1e-9, "{missing}");
            assert!((halves.head.as_secs_f64() - 7e-3 * (rung + 1) as f64).abs() < 1e-9, "{missing}");
        }
    }
    let without = measure(ladder, ladder.runner().unwrap().as_mut(), &key, Effort::QUICK, clock, |_| ()).unwrap();
    assert!(without.configurations.iter().all(|profiled| profiled.halves.is_none()));
    assert_eq!(without.halves(ladder, 0, MISSING).unwrap().tail, ms(1.0));
}
