//! The engine on a clock of its own: what is demanded can change between two windows, and is kept to.

use std::sync::Arc;
use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::control::{Objective, PolicySpec, Reason, Resumed, Signals};
use gaitd_core::engine::{ControlHandle, Decision, Engine, PublishReserve, Settings};
use gaitd_core::ladder::{Ladder, Profile};
use gaitd_core::virtual_time::{VirtualClock, slow_down};
use gaitd_core::window::Window;
use gaitd_embedded::Embedded;
use gaitd_tract::Tract;

fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1e3)
}

/// The shipped ladder, whose rungs take 5, 10, 15 ... ms.
struct World {
    engine: Engine,
    handle: ControlHandle,
    clock: Arc<VirtualClock>,
    window: Window,
    hop: u64,
    seconds_per_hop: f64,
    decision: Decision,
}

fn world(settings: Settings) -> World {
    let ladder = Ladder::load(&Embedded, &[&Tract]).unwrap();
    let manifest = ladder.manifest().clone();
    let task = &manifest.task;
    let latencies: Vec<Duration> = (1..=ladder.configurations().len()).map(|rung| ms(5.0 * rung as f64)).collect();
    let profile = Profile::known(&ladder, "test", &latencies);
    let clock = Arc::new(VirtualClock::new());
    let runner = slow_down(ladder.runner().unwrap(), latencies, &clock);
    let engine = Engine::new(ladder, runner, &profile, settings, PublishReserve::default()).unwrap();
    World {
        handle: engine.handle(),
        engine,
        clock,
        window: Window::new(task.channels.len(), task.window),
        hop: task.hop as u64,
        seconds_per_hop: task.hop as f64 / task.sample_rate_hz,
        decision: Decision::empty(&manifest),
    }
}

impl World {
    /// Decides the next window; the inference takes `slowdown` times its profiled latency.
    fn decide(&mut self, slowdown: f64) -> &Decision {
        self.clock.set_slowdown(slowdown);
        self.window.index += 1;
        self.window.first_sample += self.hop;
        self.window.last_sample = self.window.first_sample + 127;
        self.window.arrived = self.clock.now();
        self.window.completed = self.window.arrived;
        self.engine.decide(&self.window, Signals::NONE, self.clock.as_ref(), &mut self.decision).unwrap();
        &self.decision
    }

    /// The rung after `windows` windows on an idle device.
    fn settled(&mut self, windows: usize) -> usize {
        self.settled_at(1.0, windows)
    }

    /// The same on a device that is slower by `slowdown`.
    fn settled_at(&mut self, slowdown: f64, windows: usize) -> usize {
        (0..windows).map(|_| self.decide(slowdown).choice.rung).last().unwrap()
    }
}

fn settings(budget_ms: f64) -> Settings {
    Settings { activity_aware: false, ..Settings::new(ms(budget_ms), 0.02, PolicySpec::default()) }
}

#[test]
fn a_new_budget_a_pin_and_a_new_policy_hold_from_the_next_window_on() {
    let mut world = world(settings(100.0));
    let high = world.settled(50);
    assert!(high >= 7, "100 ms are plenty for all rungs, and rung {high} is taken");
    world.handle.set_budget(ms(12.0)).unwrap();
    let decision = world.decide(1.0);
    assert_eq!(decision.budget, ms(12.0));
    assert!(decision.choice.rung <= 1, "{:?}", decision.choice);

    world.handle.pin(Some("0.65x-128")).unwrap();
    let decision = world.decide(1.0);
    assert_eq!((decision.choice.rung, decision.choice.reason), (7, Reason::Pinned));
    world.handle.pin(None).unwrap();
    assert!(world.decide(1.0).choice.rung <= 1);

    world.handle.set_policy(PolicySpec::Fixed { configuration: Some("0.40x-108".to_owned()) }).unwrap();
    let decision = world.decide(1.0);
    assert_eq!((decision.choice.rung, decision.choice.reason), (4, Reason::Fixed));
    assert_eq!(world.handle.settings().policy.name(), "fixed");
}

#[test]
fn a_policy_that_comes_back_goes_on_from_what_it_had_learned() {
    let windows = |world: &World| {
        let mut learned = None;
        world.engine.learned(&mut learned);
        learned.map(|learned| learned.windows())
    };
    let mut before = world(settings(100.0));
    before.settled_at(3.0, 60);
    let mut kept = None;
    before.engine.learned(&mut kept);

    // in a later run, though another policy comes first
    let mut world = world(Settings { policy: PolicySpec::Alert {}, ..settings(100.0) });
    assert_eq!(world.engine.resume(&kept.unwrap()).unwrap(), Resumed::Nothing);
    world.decide(3.0);
    assert_eq!(windows(&world), None);
    for known in [60, 70] {
        world.handle.set_policy(PolicySpec::Bayes {}).unwrap();
        let slowdown = world.decide(3.0).slowdown.unwrap().mean;
        assert!((slowdown - 3.0).abs() < 0.7, "{slowdown}");
        world.settled_at(3.0, 9);
        assert_eq!(windows(&world), Some(known + 10));
        world.handle.set_policy(PolicySpec::Alert {}).unwrap();
        world.decide(3.0);
    }
}

#[test]
fn settings_out_of_range_are_refused_and_change_nothing() {
    let world = world(settings(50.0));
    let before = world.handle.settings();
    let text = |result: Result<(), gaitd_core::control::PolicyError>| result.unwrap_err().to_string();
    assert!(text(world.handle.set_budget(Duration::ZERO)).contains("budget_ms is 0"));
    assert!(text(world.handle.set_budget(Duration::from_secs(61))).contains("at most 60000"));
    assert!(text(world.handle.pin(Some("2.00x-128"))).contains("no configuration 2.00x-128; it has 0.10x-96"));
    let energy = |accuracy_floor| Objective::Energy { accuracy_floor };
    assert!(text(world.handle.set_objective(energy(f64::NAN))).contains("accuracy_floor is NaN"));
    assert!(text(world.handle.change(|s| s.cpu_share = Some(0.0))).contains("cpu_budget_percent is 0"));
    assert!(text(world.handle.change(|s| s.miss_target = 1.5)).contains("miss_target is 1.5"));
    let band = PolicySpec::Step { band_ms: Some(51.0), average: 3 };
    assert!(text(world.handle.set_policy(band)).contains("band_ms is 51"));
    assert_eq!(world.handle.settings(), before);
}

#[test]
fn energy_takes_the_cheapest_rung_that_is_accurate_enough() {
    let mut world = world(settings(100.0));
    world.handle.set_objective(Objective::Energy { accuracy_floor: 0.946 }).unwrap();
    // misses included, 0.40x-108 is the first to be expected to reach 94.6 %
    let rung = world.settled(20);
    assert_eq!((rung, world.decision.choice.reason), (4, Reason::CheapestAccurateEnough));
    assert!(world.decision.expected_accuracy() >= 0.946);
    world.handle.set_objective(Objective::Energy { accuracy_floor: 0.5 }).unwrap();
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
    // all zeros are an activity of their own to the network, whichever: what matters is that it persists
    let rungs: Vec<usize> = (0..30).map(|_| world.decide(1.0).choice.rung).collect();
    let activity = world.decision.activity;
    let manifest = Ladder::load(&Embedded, &[&Tract]).unwrap().manifest().clone();
    let mut recall: Vec<f64> = manifest.configurations.iter().map(|c| c.recall[activity]).collect();
    gaitd_core::control::isotonic(&mut recall);
    // what is left of the doubt about the activity may cost a rung, so the accuracy is compared and not the rung
    let last = *rungs.last().unwrap();
    let best = recall.iter().copied().fold(0.0, f64::max);
    assert!(best - recall[last] < 0.01, "{recall:?}, rung {last}");
    // a gap: nothing is known of what the wearer does now
    world.window.first_sample += 10_000;
    let decision = world.decide(1.0);
    let even = manifest.configurations[decision.choice.rung].recall.iter().sum::<f64>() / 6.0;
    assert!((decision.expected_accuracy() - even).abs() < 0.01);
}

#[test]
fn changes_from_another_thread_while_windows_are_decided_are_all_seen_whole() {
    let mut world = world(settings(40.0));
    let handle = world.handle.clone();
    let changer = std::thread::spawn(move || {
        for round in 0..200 {
            let (budget, pinned) = if round % 2 == 0 { (20.0, "0.10x-96") } else { (40.0, "0.15x-96") };
            handle
                .change(|settings| {
                    settings.budget = ms(budget);
                    settings.pinned = Some(pinned.to_owned());
                })
                .unwrap();
        }
    });
    while !changer.is_finished() {
        let decision = world.decide(1.0);
        if decision.choice.reason == Reason::Pinned {
            assert_eq!(decision.choice.rung, usize::from(decision.budget == ms(40.0)), "half a change was seen");
        }
    }
    changer.join().unwrap();
    // the engine never waits, so the last change may hold one window late
    world.decide(1.0);
    assert_eq!(world.decide(1.0).choice.rung, 1);
}
