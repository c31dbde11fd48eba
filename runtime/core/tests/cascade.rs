//! Cascades: a small configuration for every window, and a large one where the belief is unsure and there is time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::control::{Load, Objective, Overhead, PolicySpec, Reason};
use gaitd_core::decode::Context;
use gaitd_core::engine::{DecideError, Decision, Engine, Escalation, Inputs, Second, Settings, Wearer};
use gaitd_core::ladder::{Cascade, InferenceError, Ladder, Profile};
use gaitd_core::testing::{FakeBackend, FakeModel, next_window};
use gaitd_core::virtual_time::VirtualClock;
use gaitd_core::window::Window;
use proptest::prelude::*;

fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1e3)
}

/// Of what the smallest configuration says, which errs 11.5 times as often as the largest, more than half is not believed:
/// after one window of it nobody is 75 % sure, after one of the largest they are.
const CONTEXT: Context = Context { bout_s: 25.0, evidence: 1.0, hop_s: 1.28, doubt: 0.05, change: None };

const SMALL: &str = "0.25x-128";
const LARGE: &str = "1.00x-128";
const CASCADE: &str = "0.25x-128+1.00x-128@0.75";

/// Samples that are missing where inferences begin: 80 ms of them.
const MISSING: usize = 4;

/// Four rungs that take 10, 20, 30 and 40 ms, and a cascade of the first and the last.
struct World {
    engine: Engine,
    settings: Settings,
    clock: Arc<VirtualClock>,
    wearer: Wearer,
    window: Window,
    decision: Decision,
    index: u64,
    /// Inferences of the last rung fail.
    fails: Arc<AtomicBool>,
}

fn settings(budget_ms: f64) -> Settings {
    Settings { activity_aware: false, ..Settings::new(ms(budget_ms), 0.02, PolicySpec::default()) }
}

fn pinned(budget_ms: f64) -> Settings {
    Settings { pinned: Some(CASCADE.to_owned()), ..settings(budget_ms) }
}

fn world(settings: Settings, missing: usize) -> World {
    let latencies = [10.0, 20.0, 30.0, 40.0].map(ms);
    let clock = Arc::new(VirtualClock::new());
    let cascade = Cascade { small: SMALL.into(), large: LARGE.into(), threshold: 0.75, gain: 0.9, escalates: 0.25 };
    let model = FakeModel::new(4).with_context(CONTEXT).with_cascades(vec![cascade]);
    let fails = Arc::new(AtomicBool::new(false));
    let backend = FakeBackend::new(&latencies, &clock).with_fault(3, &fails);
    let ladder = Ladder::load(&model, &[&backend]).unwrap();
    let task = ladder.manifest().task.clone();
    let profile = Profile::known(&ladder, "test", &latencies);
    let decision = Decision::empty(ladder.manifest());
    let wearer = Wearer::new(&ladder).unwrap().insured_by(ladder.runner().unwrap());
    let window = Window::new(task.channels.len(), task.window);
    let engine = Engine::new(ladder, &profile, &settings, missing).unwrap();
    World { engine, settings, clock, wearer, window, decision, index: 0, fails }
}

impl World {
    /// Begins with the next window, of a wearer who does `activity`, 80 ms before its last sample.
    fn begin(&mut self, activity: usize) -> bool {
        let Self { engine, settings, clock, wearer, window, index, .. } = self;
        let task = &engine.ladder().manifest().task;
        let last = *index * task.hop as u64 + task.window as u64 - 1;
        let expected = Duration::from_secs_f64((last + 1) as f64 / task.sample_rate_hz);
        clock.wait_until(expected - ms(80.0));
        (window.index, window.first_sample, window.last_sample) = (*index, last + 1 - task.window as u64, last);
        (window.missing, window.completed) = (MISSING, expected);
        window.samples_mut().fill(activity as f32);
        let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        engine.begin(wearer, window, &inputs, clock.as_ref(), &|| clock.now() >= expected).unwrap()
    }

    /// Decides the next window, of a wearer who does `activity`.
    fn decide(&mut self, activity: usize) -> &Decision {
        self.try_decide(activity).unwrap();
        &self.decision
    }

    fn try_decide(&mut self, activity: usize) -> Result<(), DecideError> {
        let Self { engine, settings, clock, wearer, window, decision, index, .. } = self;
        let task = engine.ladder().manifest().task.clone();
        next_window(window, &task, *index, activity, clock.as_ref());
        window.missing = 0;
        window.arrived = Duration::from_secs_f64((window.last_sample + 1) as f64 / task.sample_rate_hz);
        window.completed = window.arrived;
        *index += 1;
        let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        engine.decide(wearer, window, &inputs, clock.as_ref(), decision)
    }
}

fn second_of(decision: &Decision) -> Second {
    decision.escalation.unwrap().second
}

#[test]
fn the_large_one_answers_where_the_belief_is_unsure_and_not_where_it_is_sure() {
    let mut world = world(pinned(100.0), 0);
    let decision = world.decide(1).clone();
    let Escalation { small, large, sure, threshold, second } = decision.escalation.unwrap();
    assert_eq!((small, large, threshold, second), (0, 3, 0.75, Second::Answered(ms(40.0))));
    assert!(sure > 0.5 && sure < 0.75, "{sure}");
    assert_eq!((decision.rung, decision.choice.reason), (3, Reason::Pinned));
    assert_eq!((decision.infer, decision.cpu, decision.macs()), (ms(50.0), Some(ms(50.0)), 1000 + 4000));
    // its evidence counts in place of the small one's, not beside it
    let said = 6.0_f32.exp() / (6.0_f32.exp() + 2.0);
    assert!((decision.belief[1] - (0.95 * said + 0.05 / 3.0)).abs() < 1e-5, "{:?}", decision.belief);

    let decision = world.decide(1).clone();
    assert_eq!((second_of(&decision), decision.rung), (Second::NotNeeded, 0));
    assert_eq!((decision.infer, decision.macs()), (ms(10.0), 1000));
    assert!(decision.escalation.unwrap().sure >= 0.75 && decision.belief[1] >= 0.75, "{decision:?}");
    // another activity raises doubts again
    let asked = (0..4).filter(|_| second_of(world.decide(2)) == Second::Answered(ms(40.0))).count();
    assert!((1..=2).contains(&asked), "{asked}");
}

#[test]
fn where_the_large_one_fails_the_small_one_s_answer_stands() {
    let mut world = world(pinned(100.0), 0);
    world.fails.store(true, Ordering::Relaxed);
    let decision = world.decide(1).clone();
    assert_eq!((second_of(&decision), decision.rung, decision.instant.activity), (Second::Failed, 0, 1));
    assert_eq!((decision.infer, decision.macs()), (ms(10.0), 1000 + 4000));
    assert!(
        matches!(world.engine.take_fault(), Some(InferenceError::NotFinite)) && world.engine.take_fault().is_none()
    );
    world.fails.store(false, Ordering::Relaxed);
    let decision = world.decide(2).clone();
    assert_eq!((second_of(&decision), decision.rung), (Second::Answered(ms(40.0)), 3));
    assert!(world.engine.take_fault().is_none());
    // where nothing else has answered, there is no decision
    world.settings.pinned = Some(LARGE.to_owned());
    world.fails.store(true, Ordering::Relaxed);
    assert!(world.try_decide(1).is_err());
}

#[test]
fn what_would_be_late_is_not_begun() {
    // 10 ms are in time, 40 more are not
    let mut world = world(pinned(45.0), 0);
    for _ in 0..3 {
        let decision = world.decide(1).clone();
        assert_eq!((decision.rung, decision.infer), (0, ms(10.0)));
        assert!(decision.decided - decision.arrived <= decision.budget);
    }
    // and where the first has taken far longer than expected, the second will
    let mut world = self::world(pinned(100.0), 0);
    world.clock.set_slowdown(3.0);
    let decision = world.decide(1).clone();
    assert_eq!((second_of(&decision), decision.infer), (Second::NoTime, ms(30.0)));
}

#[test]
fn only_the_small_one_begins_before_the_last_sample() {
    let mut world = world(pinned(100.0), MISSING);
    assert!(world.begin(1));
    let decision = world.decide(1).clone();
    let head = decision.head.unwrap();
    // an eighth of the small one is its tail; the large one is inferred as a whole
    assert_eq!((head.infer, second_of(&decision)), (ms(8.75), Second::Answered(ms(40.0))));
    assert_eq!((decision.infer, decision.decided - decision.arrived), (ms(41.25), ms(41.25)));
    assert_eq!(decision.beside(decision.decided).arrived, Duration::ZERO, "nothing came beside it");
    assert!(world.begin(1));
    let decision = world.decide(1).clone();
    assert_eq!((second_of(&decision), decision.infer), (Second::NotNeeded, ms(1.25)));
}

#[test]
fn a_policy_picks_it_only_where_both_are_in_time() {
    let plan = |budget_ms| {
        let floor = Objective::Energy { accuracy_floor: 0.94 };
        let mut world = world(Settings { objective: floor, ..settings(budget_ms) }, 0);
        for _ in 0..100 {
            world.decide(1);
        }
        let decision = world.decide(1).clone();
        assert_eq!(decision.considered.len(), 5);
        let [large, cascade] = [3, 4].map(|plan: usize| decision.considered[plan]);
        assert!(cascade.outlook.accuracy < large.outlook.accuracy && cascade.outlook.cost < large.outlook.cost);
        assert!(cascade.forecast.predicted > large.forecast.predicted);
        decision.choice.plan
    };
    // the cheapest that is accurate enough is the cascade, where 50 ms are in time; otherwise a single configuration
    assert_eq!(plan(100.0), 4);
    assert_eq!(plan(47.0), 3);
}

#[test]
fn what_a_cascade_costs_is_learned_from_what_it_asks() {
    let mut world = world(pinned(100.0), 0);
    let cost = |decision: &Decision| decision.considered[4].outlook.cost;
    assert_eq!(cost(world.decide(1)), ms(20.0));
    // a wearer who does the same all day
    for _ in 0..600 {
        world.decide(1);
    }
    assert!(cost(world.decide(1)) < ms(10.2), "{:?}", cost(&world.decision));
    // and one who never does
    for index in 0..600 {
        world.decide(index % 3);
    }
    assert!(cost(world.decide(1)) > ms(30.0), "{:?}", cost(&world.decision));
}

#[test]
fn without_context_there_are_no_cascades() {
    let mut world = world(Settings { context: false, ..settings(100.0) }, 0);
    let decision = world.decide(1).clone();
    assert_eq!((decision.considered.len(), decision.escalation), (4, None));
    // and none is pinned; what was demanded before holds
    let refused = Settings { context: false, ..pinned(100.0) };
    let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings: &refused };
    let World { engine, clock, wearer, window, decision, .. } = &mut world;
    let error = engine.decide(wearer, window, &inputs, clock.as_ref(), decision).unwrap_err().to_string();
    assert!(error.contains("0.25x-128+1.00x-128@0.75 is a cascade, and without context there is none"), "{error}");
    assert_eq!(world.decide(1).escalation, None);
    // with context again they are there, and a policy may be one of them
    world.settings = Settings {
        policy: PolicySpec::Fixed { configuration: Some(CASCADE.to_owned()) },
        context: true,
        ..world.settings
    };
    assert_eq!(world.decide(2).choice.plan, 4);
}

proptest! {
    /// A cascade whose second inference does not begin is as late as its small configuration alone.
    #[test]
    fn a_cascade_never_misses_where_its_small_rung_was_on_time_and_the_check_said_no(
        budget_ms in 5.0..120.0f64,
        windows in prop::collection::vec((0..3usize, 0.5..6.0f64), 1..40),
        missing in prop::sample::select(vec![0, MISSING]),
    ) {
        let mut world = world(pinned(budget_ms), missing);
        for (activity, slowdown) in windows {
            world.clock.set_slowdown(slowdown);
            if missing > 0 {
                world.begin(activity);
            }
            let decision = world.decide(activity).clone();
            let latency = decision.decided - decision.arrived;
            let alone = ms(10.0 * slowdown);
            match decision.escalation {
                Some(escalation) if matches!(escalation.second, Second::Answered(_)) => {
                    // what was to be expected of it was in time
                    prop_assert!(latency > decision.infer / 2);
                }
                _ => prop_assert!(latency <= alone + ms(1e-3), "{latency:?} {decision:?}"),
            }
            prop_assert!((decision.belief.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
