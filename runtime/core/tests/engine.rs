//! The engine on a clock of its own: what is demanded can change between two windows, and is kept to.

use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::control::{Load, Objective, Overhead, PolicySpec, Reason, Resumed};
use gaitd_core::engine::{DecideError, Decision, Engine, Inputs, Settings, SettingsError, Wearer};
use gaitd_core::ladder::{Ladder, Profile};
use gaitd_core::testing::{FakeBackend, FakeModel, next_window};
use gaitd_core::virtual_time::VirtualClock;
use gaitd_core::window::Window;

fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1e3)
}

const RUNGS: usize = 8;

/// A stream of windows of one wearer.
struct Stream {
    wearer: Wearer,
    window: Window,
    index: u64,
    /// What the wearer does.
    activity: usize,
}

impl Stream {
    fn new(ladder: &Ladder) -> Self {
        let task = &ladder.manifest().task;
        let window = Window::new(task.channels.len(), task.window);
        Self { wearer: Wearer::new(ladder).unwrap(), window, index: 0, activity: 1 }
    }
}

/// A ladder whose rungs take 5, 10, 15 ... ms, and one wearer.
struct World {
    engine: Engine,
    settings: Settings,
    clock: Arc<VirtualClock>,
    stream: Stream,
    seconds_per_hop: f64,
    decision: Decision,
}

fn world(settings: Settings) -> World {
    profiled(settings, &latencies())
}

/// What the rungs take.
fn latencies() -> Vec<Duration> {
    (1..=RUNGS).map(|rung| ms(5.0 * rung as f64)).collect()
}

/// The same with the profile `profile`, which may be wrong, and may lack the last rungs.
fn profiled(settings: Settings, profile: &[Duration]) -> World {
    let latencies = latencies();
    let clock = Arc::new(VirtualClock::new());
    let ladder = Ladder::load(&FakeModel::new(RUNGS), &[&FakeBackend::new(&latencies, &clock)]).unwrap();
    let manifest = ladder.manifest().clone();
    let profile = Profile::known(&ladder, "test", profile);
    let stream = Stream::new(&ladder);
    World {
        engine: Engine::new(ladder, &profile, &settings, 0).unwrap(),
        settings,
        clock,
        stream,
        seconds_per_hop: manifest.task.hop as f64 / manifest.task.sample_rate_hz,
        decision: Decision::empty(&manifest),
    }
}

impl World {
    /// Decides the next window; the inference takes `slowdown` times its profiled latency.
    fn decide(&mut self, slowdown: f64) -> &Decision {
        self.try_decide(slowdown).unwrap();
        &self.decision
    }

    fn try_decide(&mut self, slowdown: f64) -> Result<(), DecideError> {
        let Self { engine, settings, clock, stream, decision, .. } = self;
        clock.set_slowdown(slowdown);
        let Stream { wearer, window, index, activity } = stream;
        next_window(window, &engine.ladder().manifest().task.clone(), *index, *activity, clock.as_ref());
        *index += 1;
        let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings };
        engine.decide(wearer, window, &inputs, clock.as_ref(), decision)
    }

    /// The rung after `windows` windows on an idle device.
    fn settled(&mut self, windows: usize) -> usize {
        self.settled_at(1.0, windows)
    }

    /// The same on a device that is slower by `slowdown`.
    fn settled_at(&mut self, slowdown: f64, windows: usize) -> usize {
        (0..windows).map(|_| self.decide(slowdown).choice.plan).last().unwrap()
    }
}

/// The inferences from which `world` has learned, where its policy learns.
fn learned_windows(world: &World) -> Option<u64> {
    let mut learned = None;
    world.engine.learned(&mut learned);
    learned.map(|learned| learned.windows())
}

/// The settings under which always the configuration `id` infers.
fn fixed(id: &str) -> Settings {
    Settings { policy: PolicySpec::Fixed { configuration: Some(id.to_owned()) }, ..settings(100.0) }
}

fn settings(budget_ms: f64) -> Settings {
    Settings { activity_aware: false, ..Settings::new(ms(budget_ms), 0.02, PolicySpec::default()) }
}

#[test]
fn a_new_budget_a_pin_and_a_new_policy_hold_from_the_next_window_on() {
    let mut world = world(settings(100.0));
    let high = world.settled(50);
    assert!(high >= 7, "100 ms are plenty for all rungs, and rung {high} is taken");
    world.settings.budget = ms(12.0);
    let decision = world.decide(1.0);
    assert_eq!(decision.budget, ms(12.0));
    assert!(decision.rung <= 1, "{:?}", decision.choice);

    world.settings.pinned = Some("1.00x-128".to_owned());
    let decision = world.decide(1.0);
    assert_eq!((decision.rung, decision.choice.reason), (7, Reason::Pinned));
    world.settings.pinned = None;
    assert!(world.decide(1.0).choice.plan <= 1);

    world.settings.policy = PolicySpec::Fixed { configuration: Some("0.63x-128".to_owned()) };
    let decision = world.decide(1.0);
    assert_eq!((decision.rung, decision.choice.reason), (4, Reason::Fixed));
}

#[test]
fn a_policy_that_comes_back_goes_on_from_what_it_had_learned() {
    let mut before = world(settings(100.0));
    before.settled_at(3.0, 60);
    let mut kept = None;
    before.engine.learned(&mut kept);

    // in a later run, though another policy comes first
    let mut world = world(Settings { policy: PolicySpec::ALERT, ..settings(100.0) });
    assert_eq!(world.engine.resume(&kept.unwrap()).unwrap(), Resumed::Nothing);
    world.decide(3.0);
    assert_eq!(learned_windows(&world), None);
    for known in [60, 70] {
        world.settings.policy = PolicySpec::Bayes {};
        let slowdown = world.decide(3.0).slowdown.unwrap().mean;
        assert!((slowdown - 3.0).abs() < 0.7, "{slowdown}");
        world.settled_at(3.0, 9);
        assert_eq!(learned_windows(&world), Some(known + 10));
        world.settings.policy = PolicySpec::ALERT;
        world.decide(3.0);
    }
}

#[test]
fn settings_out_of_range_leave_the_window_without_a_decision_and_change_nothing() {
    let mut world = world(settings(100.0));
    let before = world.decide(1.0).choice.plan;
    for wrong in [
        Settings { budget: Duration::ZERO, ..settings(100.0) },
        Settings { pinned: Some("2.00x-128".to_owned()), ..settings(100.0) },
        Settings { policy: PolicySpec::Step { band_ms: Some(101.0), average: 3 }, ..settings(100.0) },
    ] {
        world.settings = wrong;
        let error = world.try_decide(1.0).unwrap_err();
        assert!(matches!(error, DecideError::Settings(SettingsError::Policy(_))), "{error}");
    }
    world.settings = settings(100.0);
    let decision = world.decide(1.0);
    assert_eq!((decision.rung, decision.budget), (before, ms(100.0)));
}

#[test]
fn energy_takes_the_cheapest_rung_that_is_accurate_enough() {
    let mut world = world(settings(100.0));
    world.settings.objective = Objective::Energy { accuracy_floor: 0.83 };
    // misses included, 0.50x-128 (84 %) is the first to be expected to reach 83 %
    let rung = world.settled(20);
    assert_eq!((rung, world.decision.choice.reason), (3, Reason::CheapestAccurateEnough));
    assert!(world.decision.expected_accuracy().unwrap() >= 0.83);
    world.settings.objective = Objective::Energy { accuracy_floor: 0.5 };
    assert_eq!(world.settled(2), 0);
}

#[test]
fn a_cap_on_the_cpu_share_is_kept_on_average() {
    for percent in [0.5, 1.0, 2.0] {
        let mut world = world(Settings { cpu_share: Some(percent / 100.0), ..settings(100.0) });
        let windows = 500;
        let mut spent = 0.0;
        for _ in 0..windows {
            // what others take of the processor is not gaitd's share
            spent += world.decide(1.4).cpu.unwrap().as_secs_f64();
        }
        let share = 100.0 * spent / (f64::from(windows) * world.seconds_per_hop);
        assert!(share <= percent * 1.02, "{share} of {percent} %");
        assert!(share >= percent * 0.7, "{share} of {percent} %: what may be used is used");
    }
}

#[test]
fn where_all_configurations_are_equally_good_the_cheapest_is_taken() {
    let mut world = world(Settings { activity_aware: true, ..settings(100.0) });
    // resting, which all of them recognise
    world.stream.activity = 0;
    let rung = world.settled(30);
    let recall = |rung: usize| world.decision.manifest.configurations[rung].recall.as_ref().unwrap()[0];
    // what is left of the doubt about the activity may cost a rung, so the accuracy is compared and not the rung
    assert!(
        recall(RUNGS - 1) - recall(rung) < 0.01 && world.decision.expected_accuracy().unwrap() > 0.97,
        "rung {rung}"
    );
    // a gap: nothing is known of what the wearer does now
    world.stream.index += 100;
    let decision = world.decide(1.0);
    let even = decision.configuration().recall.iter().flatten().sum::<f64>() / 3.0;
    assert!((decision.expected_accuracy().unwrap() - even).abs() < 0.01);
}

/// Decides one window of each of `streams` in turn.
fn interleaved(world: &mut World, streams: &mut [Stream], slowdown: f64) -> Vec<Decision> {
    let decide = |stream: &mut Stream| {
        std::mem::swap(&mut world.stream, stream);
        let decision = world.decide(slowdown).clone();
        std::mem::swap(&mut world.stream, stream);
        decision
    };
    streams.iter_mut().map(decide).collect()
}

#[test]
fn two_wearers_share_a_device_and_nothing_else() {
    let mut world = world(Settings { activity_aware: true, ..settings(100.0) });
    let mut streams = [Stream::new(world.engine.ladder()), Stream::new(world.engine.ladder())];
    streams[0].activity = 0;
    streams[1].activity = 2;
    let mut latest = Vec::new();
    for _ in 0..40 {
        latest = interleaved(&mut world, &mut streams, 2.0);
    }
    // each is recognised, and what is expected for the one who rests is not what is expected for the one who runs
    assert_eq!([latest[0].activity, latest[1].activity], [0, 2]);
    let expected = |decision: &Decision, rung: usize| decision.considered[rung].outlook.accuracy;
    assert!(expected(&latest[0], 0) > 0.95 && expected(&latest[1], 0) < 0.8, "{latest:?}");
    // the device has learned from both of them
    let mut learned = None;
    world.engine.learned(&mut learned);
    assert_eq!(learned.unwrap().windows(), 80);

    // a gap of two minutes in one stream: hardly anything is known of that wearer, and all of the other one and of the device
    streams[0].index += 100;
    let [first, second] = <[Decision; 2]>::try_from(interleaved(&mut world, &mut streams, 2.0)).unwrap();
    let even = first.manifest.configurations[0].recall.iter().flatten().sum::<f64>() / 3.0;
    assert!((expected(&first, 0) - even).abs() < 2e-3, "{first:?}");
    assert!(expected(&second, 0) < 0.8, "{second:?}");
    for slowdown in [first.slowdown, second.slowdown] {
        let mean = slowdown.unwrap().mean;
        assert!((mean - 2.0).abs() < 0.2, "{mean}");
    }
}

#[test]
fn what_one_wearer_shows_of_the_device_holds_for_the_other() {
    let mut world = world(settings(40.0));
    let mut streams = [Stream::new(world.engine.ladder()), Stream::new(world.engine.ladder())];
    for _ in 0..30 {
        interleaved(&mut world, &mut streams[..1], 1.0);
    }
    let idle = interleaved(&mut world, &mut streams[..1], 1.0)[0].choice.plan;
    for _ in 0..10 {
        interleaved(&mut world, &mut streams[..1], 3.0);
    }
    // the second wearer's first window after some time already reckons with what the first one's have shown
    streams[1].index = streams[0].index;
    let decision = interleaved(&mut world, &mut streams[1..], 3.0).remove(0);
    let mean = decision.slowdown.unwrap().mean;
    assert!((mean - 3.0).abs() < 0.4 && decision.rung < idle, "{mean}, {:?}", decision.choice);
    assert!(decision.infer <= decision.available);
}

#[test]
fn a_pause_of_the_device_makes_the_policy_careful() {
    let miss = |pause: u64| {
        let mut world = world(settings(60.0));
        for window in 0..300 {
            world.decide(if window / 30 % 2 == 0 { 1.0 } else { 3.0 });
        }
        world.settled(20);
        world.stream.index += pause;
        let decision = world.decide(1.0);
        decision.considered[RUNGS - 1].forecast.miss_probability.unwrap()
    };
    let [none, minute, hour] = [0, 47, 2813].map(miss);
    assert!(none < minute && minute < hour && hour > 0.2, "{none}, {minute}, {hour}");
}

/// A clock on which each look takes a millisecond, and that may not know the CPU time.
struct Watch {
    clock: Arc<VirtualClock>,
    cpu: bool,
}

impl Clock for Watch {
    fn now(&self) -> Duration {
        self.clock.wait_until(self.clock.now() + ms(1.0));
        self.clock.now()
    }

    fn wait_until(&self, until: Duration) {
        self.clock.wait_until(until);
    }

    fn thread_time(&self) -> Option<Duration> {
        self.clock.thread_time().filter(|_| self.cpu)
    }
}

impl World {
    /// Decides a window that arrived at 2.56 s, was complete 3 ms later and is taken 11 ms after it arrived, by a
    /// watch; the inference takes three times its CPU time.
    fn decide_by_watch(&mut self, reserve: Duration, cpu: bool) -> &Decision {
        let Self { engine, settings, clock, stream: Stream { wearer, window, .. }, decision, .. } = self;
        next_window(window, &engine.ladder().manifest().task.clone(), 0, 1, clock.as_ref());
        window.time_s = Some(7.5);
        (window.arrived, window.completed) = (ms(2560.0), ms(2563.0));
        clock.wait_until(ms(2570.0));
        clock.set_slowdown(3.0);
        let watch = Watch { clock: clock.clone(), cpu };
        engine
            .decide(
                wearer,
                window,
                &Inputs { load: Load::cpu(0.25), reserve, overhead: &Overhead::NONE, settings },
                &watch,
                decision,
            )
            .unwrap();
        decision
    }
}

#[test]
fn a_decision_says_when_each_part_of_it_was_done() {
    let mut world = world(fixed("0.25x-128"));
    let decision = world.decide_by_watch(ms(2.0), true);
    assert_eq!((decision.window, decision.samples, decision.time_s), (0, (0, 127), Some(7.5)));
    assert_eq!((decision.arrived, decision.condition, decision.wait), (ms(2560.0), ms(3.0), ms(8.0)));
    // 10 ms of CPU time take 30, and to look at the clock takes 1
    assert_eq!((decision.prepare, decision.infer, decision.cpu), (ms(1.0), ms(31.0), Some(ms(10.0))));
    assert_eq!(decision.decided, ms(2604.0));
    // 11 ms had passed, and 2 are set aside
    assert_eq!((decision.budget, decision.available), (ms(100.0), ms(87.0)));
}

#[test]
fn a_decision_says_what_was_recognised_what_was_picked_and_from_what() {
    let mut world = world(fixed("0.25x-128"));
    let decision = world.decide_by_watch(Duration::ZERO, true);
    assert_eq!((decision.activity, decision.label()), (1, "walking"));
    // a logit of 6 against two of 0
    let others = 1.0 / (6.0f32.exp() + 2.0);
    let probabilities = decision.instant.probabilities.iter().zip([others, 1.0 - 2.0 * others, others]);
    probabilities.for_each(|(found, expected)| assert!((found - expected).abs() < 1e-6, "{decision:?}"));
    assert_eq!((decision.rung, decision.choice.reason), (1, Reason::Fixed));
    assert_eq!((decision.signals, decision.slowdown), (Load::cpu(0.25), None));
    assert_eq!(decision.considered.len(), RUNGS);
    for (rung, (considered, latency)) in decision.considered.iter().zip(latencies()).enumerate() {
        assert_eq!((considered.outlook.cost, considered.forecast.predicted), (latency, latency));
        let accuracy = 0.7 + 0.28 * (rung + 1) as f64 / RUNGS as f64;
        assert!((considered.outlook.accuracy - accuracy).abs() < 1e-12, "{considered:?}");
    }
    assert_eq!(decision.choice.forecast, decision.considered[1].forecast);
    assert!((decision.expected_accuracy().unwrap() - 0.77).abs() < 1e-12);
}

#[test]
fn a_reserve_beyond_the_budget_leaves_nothing() {
    assert_eq!(world(fixed("0.25x-128")).decide_by_watch(ms(95.0), true).available, Duration::ZERO);
}

#[test]
fn the_cpu_time_expected_of_a_configuration_goes_a_32nd_of_the_way_to_each_that_is_measured() {
    let costs = |decision: &Decision| -> Vec<f64> {
        decision.considered.iter().map(|considered| considered.outlook.cost.as_secs_f64() * 1e3).collect()
    };
    let check = |costs: Vec<f64>, expected: f64| {
        assert!((costs[RUNGS - 1] - expected).abs() < 1e-5, "{costs:?}, {expected}");
        assert_eq!(costs[..RUNGS - 1], [10.0; RUNGS - 1], "no other configuration has inferred");
    };
    // profiled as 10 ms, measured as 40
    let mut world = profiled(fixed("1.00x-128"), &[ms(10.0); RUNGS]);
    check(costs(world.decide(3.0)), 10.0);
    check(costs(world.decide(3.0)), 10.0 + 30.0 / 32.0);
    check(costs(world.decide(3.0)), 10.9375 + 29.0625 / 32.0);
    // where the clock measures no CPU time, the inference's 3 * 40 + 1 ms count
    let mut world = profiled(fixed("1.00x-128"), &[ms(10.0); RUNGS]);
    assert_eq!(world.decide_by_watch(Duration::ZERO, false).cpu, None);
    check(costs(world.decide(1.0)), 10.0 + 111.0 / 32.0);
}

#[test]
fn a_configuration_that_is_not_profiled_is_expected_to_take_the_budget() {
    let mut world = profiled(fixed("0.25x-128"), &latencies()[..RUNGS - 1]);
    let predicted: Vec<Duration> = world.decide(1.0).considered.iter().map(|c| c.forecast.predicted).collect();
    let mut expected = latencies();
    expected[RUNGS - 1] = ms(100.0);
    assert_eq!(predicted, expected);
}

#[test]
fn a_cap_pays_for_an_inference_from_what_is_saved_of_each_hop() {
    let mut world = world(Settings { cpu_share: Some(0.01), ..settings(100.0) });
    // a hop pays in 12.8 ms, the one before the first window too: 12.8, 15.6, 13.4, 16.2, 14 and 16.8 are there
    for rung in [1, 2, 1, 2, 1, 2] {
        let choice = world.decide(1.0).choice;
        assert_eq!((choice.plan, choice.reason), (rung, Reason::WithinCpuBudget));
    }
}

#[test]
fn what_is_saved_under_a_cap_outlives_other_settings_and_ends_with_the_cap() {
    let mut world = world(Settings { cpu_share: Some(0.01), ..settings(100.0) });
    world.decide(1.0);
    // a minute at most is saved, of 600 ms
    world.stream.index += 100;
    assert_eq!(world.decide(1.0).choice.plan, 7);
    world.settings.budget = ms(90.0);
    let decision = world.decide(1.0);
    assert_eq!((decision.rung, decision.budget), (7, ms(90.0)));
    // 1.28 s * 0.02 = 25.6 ms
    world.settings.cpu_share = Some(0.02);
    assert_eq!(world.decide(1.0).choice.plan, 4);
    world.settings.cpu_share = None;
    let choice = world.decide(1.0).choice;
    assert_eq!((choice.plan, choice.reason), (7, Reason::MostAccurateInTime));
}

#[test]
fn an_engine_goes_on_from_what_another_one_before_it_has_learned() {
    let mut first = world(settings(100.0));
    first.settled_at(3.0, 60);
    // by way of one whose policy learns nothing of the kind
    let mut second = world(Settings { policy: PolicySpec::ALERT, ..settings(100.0) });
    second.engine.take_over(&first.engine).unwrap();
    assert_eq!(learned_windows(&second), None);
    for before in [&first, &second] {
        let mut after = world(settings(100.0));
        after.engine.take_over(&before.engine).unwrap();
        assert_eq!(learned_windows(&after), Some(60));
        let slowdown = after.decide(3.0).slowdown.unwrap().mean;
        assert!((slowdown - 3.0).abs() < 0.7, "{slowdown}");
    }
    // where nothing was learned, there is nothing to go on from
    let mut after = world(settings(100.0));
    after.engine.take_over(&world(fixed("0.25x-128")).engine).unwrap();
    assert_eq!(learned_windows(&after), Some(0));
}

#[test]
fn what_was_learned_in_an_earlier_run_is_gone_on_from_and_handed_on() {
    let mut before = world(settings(100.0));
    before.settled_at(3.0, 60);
    let mut kept = None;
    before.engine.learned(&mut kept);
    let mut later = world(settings(100.0));
    assert_eq!(later.engine.resume(&kept.unwrap()).unwrap(), Resumed::Whole);
    assert_eq!(learned_windows(&later), Some(60));
    let slowdown = later.decide(3.0).slowdown.unwrap().mean;
    assert!((slowdown - 3.0).abs() < 0.7, "{slowdown}");
}

#[test]
fn a_change_of_the_budget_forgets_nothing() {
    let [mut changed, mut same] = [(); 2].map(|()| world(settings(100.0)));
    for world in [&mut changed, &mut same] {
        world.settled_at(2.0, 30);
    }
    changed.settings.budget = ms(99.0);
    assert_eq!(changed.decide(2.0).slowdown, same.decide(2.0).slowdown);
    assert_eq!(learned_windows(&changed), Some(31));
}

#[test]
fn an_inference_that_fails_leaves_no_decision_and_teaches_nothing() {
    let [mut failing, mut pausing] = [(); 2].map(|()| world(settings(100.0)));
    for world in [&mut failing, &mut pausing] {
        world.settled_at(2.0, 30);
    }
    // no network recognises a ninth activity
    failing.stream.activity = 9;
    let before = failing.decision.clone();
    let error = failing.try_decide(2.0).unwrap_err();
    assert!(matches!(error, DecideError::Inference(_)), "{error}");
    assert_eq!(learned_windows(&failing), Some(30));
    assert_eq!((failing.decision.window, failing.decision.decided), (before.window, before.decided));
    failing.stream.activity = 1;
    // to the policy it is as if there had been no window
    pausing.stream.index += 1;
    let [failed, paused] = [failing, pausing].map(|mut world| world.decide(2.0).clone());
    assert_eq!((failed.considered, failed.slowdown), (paused.considered, paused.slowdown));
}
