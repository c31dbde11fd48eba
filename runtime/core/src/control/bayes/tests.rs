//! The filter against a reference, what it learns against what was drawn, and how it behaves.

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::reference::{self, Mixture};
use super::*;
use crate::control::{Available, Demand, Outlook, Overhead, Reason};

/// The paper's Raspberry Pi latencies.
const PAPER: [(f64, f64); 4] = [(0.9258, 6.53), (0.965, 18.89), (0.982, 42.39), (0.9855, 59.16)];
const BUDGET: Duration = Duration::from_millis(70);
const MISS_TARGET: f64 = 0.02;
const GUESS: f64 = 1.0 / 6.0;

fn candidates() -> Vec<Candidate> {
    let candidate = |(accuracy, ms): (f64, f64)| Candidate {
        accuracy,
        latency: Duration::from_secs_f64(ms / 1e3),
        halves: None,
        cascade: None,
    };
    PAPER.into_iter().map(candidate).collect()
}

fn policy() -> Bayes {
    let ids: Vec<String> = (0..PAPER.len()).map(|rung| format!("rung {rung}")).collect();
    Bayes::new(&candidates(), &ids, &Terms { budget: BUDGET, guess_accuracy: GUESS })
}

fn choose_within(bayes: &mut Bayes, available: Duration, signals: Load, pinned: Option<usize>) -> Choice {
    choose_after(bayes, INTERVAL, available, signals, pinned)
}

fn choose_after(
    bayes: &mut Bayes,
    elapsed: Duration,
    available: Duration,
    signals: Load,
    pinned: Option<usize>,
) -> Choice {
    choose_left(bayes, elapsed, Available::all(available), signals, pinned)
}

fn choose_left(
    bayes: &mut Bayes,
    elapsed: Duration,
    available: Available,
    signals: Load,
    pinned: Option<usize>,
) -> Choice {
    let outlook: Vec<Outlook> =
        bayes.candidates.iter().map(|c| Outlook { accuracy: c.accuracy, cost: c.latency, short: None }).collect();
    bayes.choose(&Situation {
        demand: &Demand { pinned, ..Demand::new(BUDGET, MISS_TARGET) },
        elapsed,
        available,
        lead: None,
        signals,
        outlook: &outlook,
        cost_limit: Duration::MAX,
    })
}

/// One window whose inference takes `slowdown` times its profiled latency.
fn go_on(bayes: &mut Bayes, slowdown: f64, signals: Load, pinned: Option<usize>) -> Choice {
    go_on_after(bayes, INTERVAL, slowdown, signals, pinned)
}

/// The same, `elapsed` after the window before.
fn go_on_after(bayes: &mut Bayes, elapsed: Duration, slowdown: f64, signals: Load, pinned: Option<usize>) -> Choice {
    let choice = choose_after(bayes, elapsed, BUDGET, signals, pinned);
    bayes.observe(choice.plan, bayes.candidates[choice.plan].latency.mul_f64(slowdown));
    choice
}

/// What latencies are made of.
struct World {
    rng: Xoshiro256PlusPlus,
    sigma: f64,
    tail: (f64, f64),
}

impl World {
    fn new(sigma: f64, tail: (f64, f64)) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(5), sigma, tail }
    }

    fn scatter(&mut self) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.rng);
        let (share, mean) = self.tail;
        let beyond: f64 = if self.rng.random::<f64>() < share { Exp1.sample(&mut self.rng) } else { 0.0 };
        (self.sigma * normal + mean * beyond).exp()
    }
}

fn sum(belief: &Belief) -> f64 {
    belief.0.iter().map(|p| f64::from(*p)).sum()
}

fn doubles(bins: &[f32]) -> reference::Values {
    bins.iter().map(|value| f64::from(*value)).collect()
}

fn assert_close(belief: &Belief, expected: &[f64], tolerance: f64) {
    for (bin, (found, expected)) in belief.0.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() < tolerance, "bin {bin}: {found}, not {expected}");
    }
}

#[test]
fn one_window_is_what_the_reference_makes_of_it() {
    // parameters away from those that it starts with, and a belief with two humps
    let mut bayes = policy();
    let mut world = World::new(0.05, (0.04, 0.4));
    for window in 0..700 {
        let slowdown = if window / 90 % 2 == 0 { 1.1 } else { 1.9 };
        go_on(&mut bayes, slowdown * world.scatter(), Load::NONE, None);
    }
    let mixture = Mixture::of(&bayes.model.noise);
    for (log, observed) in [(0.095, 0.13), (0.64, 0.13), (0.3, 0.61), (-0.9, 1.7), (6.0, 6.2)] {
        let before: Bins = std::array::from_fn(|bin| {
            let z = |center: f32| (grid::log_slowdown(bin) - center) / 0.06;
            (-0.5 * z(log).powi(2)).exp() + 0.3 * (-0.5 * z(0.64).powi(2)).exp() + 1e-4
        });
        let scale = before.iter().sum::<f32>().recip();
        bayes.beliefs.blind = Belief(before.map(|p| scale * p));
        bayes.predict(INTERVAL, &Load::NONE);
        let (hazard, drift) = (f64::from(bayes.scratch.transition.hazard), f64::from(bayes.model.dynamics.drift()));
        let landing = doubles(bayes.model.dynamics.landing());
        let predicted = reference::predict(&doubles(&bayes.beliefs.blind.0), hazard, drift, &landing);
        assert_close(&bayes.scratch.next.blind, &predicted, 1e-6);

        let limits: Vec<f32> = [-2.0f32, -0.5, 0.1, 0.3, 0.62, 0.9, 2.0, 5.0, 7.0].map(grid::place).to_vec();
        let mut misses = vec![0.0; limits.len()];
        bayes.model.noise.exceedance(&bayes.scratch.next.blind).exceed(&limits, &mut misses);
        for (limit, found) in limits.iter().zip(misses) {
            let limit = f64::from(grid::log_slowdown(0)) + f64::from(*limit) * f64::from(grid::WIDTH);
            let expected = mixture.exceed(&predicted, limit);
            assert!((found - expected).abs() < 1e-4, "P(more than {limit}) is {found}, not {expected}");
        }

        let mut likelihood = [0.0; BINS];
        bayes.model.noise.likelihood(grid::place(observed), &mut likelihood);
        let mut after = bayes.scratch.next.blind.clone();
        let evidence = f64::from(after.learn_from(&bayes.scratch.next.blind, &likelihood));
        let (expected, density) = reference::learn(&predicted, &mixture, f64::from(observed));
        assert!((evidence / density - 1.0).abs() < 1e-3, "{evidence}, {density}");
        // the core ends at 4 standard deviations, where it has fallen to 3e-4 of its height
        assert_close(&after, &expected, 1e-3);
    }
}

#[test]
fn noise_is_learned() {
    let mut bayes = policy();
    let mut world = World::new(0.06, (0.04, 0.5));
    let mut slowdowns: Vec<f64> = (0..8000)
        .map(|_| {
            // one configuration only: a slowdown and corrections of all profiles are the same thing
            go_on(&mut bayes, 1.3 * world.scatter(), Load::NONE, Some(1));
            bayes.slowdown().unwrap().mean
        })
        .skip(7800)
        .collect();
    slowdowns.sort_unstable_by(f64::total_cmp);
    assert!((slowdowns[100] / 1.3 - 1.0).abs() < 0.03, "{}", slowdowns[100]);
    let [sigma, share, mean, _] = bayes.model.noise.parameters();
    assert!((sigma - 0.06).abs() < 0.006, "sigma {sigma}");
    assert!((share - 0.04).abs() < 0.015, "share {share}");
    assert!((mean - 0.5).abs() < 0.15, "mean {mean}");
}

#[test]
fn the_rate_of_jumps_is_learned() {
    for rate in [0.005, 0.02, 0.06] {
        let mut bayes = policy();
        // no tail: when it happens, a late inference may as well be the first of a higher level, and counts in part
        let mut world = World::new(0.05, (0.0, 0.0));
        let (mut high, mut jumps) = (false, 0);
        let windows = 12_000;
        for _ in 0..windows {
            if world.rng.random::<f64>() < rate {
                high = !high;
                jumps += 1;
            }
            go_on(&mut bayes, if high { 2.0 } else { 1.0 } * world.scatter(), Load::NONE, None);
        }
        // a jump that leads to where the slowdown is already is none that anybody sees
        let place = |slowdown: f32| grid::place(slowdown.ln()).round() as usize;
        let here: f32 = bayes.model.dynamics.landing()[place(1.0) - 8..place(1.0) + 8].iter().sum();
        let there: f32 = bayes.model.dynamics.landing()[place(2.0) - 8..place(2.0) + 8].iter().sum();
        let elsewhere = 1.0 - f64::from(here + there) / 2.0;
        let found = f64::from(bayes.model.dynamics.usual_hazard()) * elsewhere;
        let truth = f64::from(jumps) / f64::from(windows);
        assert!((found / truth - 1.0).abs() < 0.25, "{found}, {truth}");
    }
}

#[test]
fn what_comes_by_the_clock_is_foreseen() {
    let mut bayes = policy();
    let mut world = World::new(0.05, (0.005, 0.5));
    for window in 0..8000 {
        let slowdown = if window / 40 % 2 == 0 { 1.0 } else { 2.0 };
        go_on(&mut bayes, slowdown * world.scatter(), Load::NONE, None);
    }
    let hazard = |age: f32| bayes.model.dynamics.hazard_at(Some(age));
    let (amid, due) = (hazard(20.0), hazard(40.0));
    assert!(due > 0.1 && due > 10.0 * amid, "{amid} amid the level, {due} at its end");
}

#[test]
fn a_wrong_profile_is_corrected() {
    let mut bayes = policy();
    let mut world = World::new(0.05, (0.005, 0.5));
    let errors = [1.25, 0.85, 1.0, 1.0];
    for _ in 0..6000 {
        let rung = world.rng.random_range(0..4);
        go_on(&mut bayes, errors[rung] * world.scatter(), Load::NONE, Some(rung));
    }
    // only how they differ from each other can be seen
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        let found = bayes.model.corrections.log(a) - bayes.model.corrections.log(b);
        let truth = (errors[a] / errors[b]).ln() as f32;
        assert!((found - truth).abs() < 0.04, "{a}, {b}: {found}, {truth}");
    }
}

/// A policy that has seen both levels of a load that comes and goes, and now stands at the lower one.
fn experienced() -> Bayes {
    let mut bayes = policy();
    let mut world = World::new(0.05, (0.005, 0.5));
    for window in 0..900 {
        let slowdown = if window / 90 % 2 == 0 { 1.0 } else { 2.0 };
        go_on(&mut bayes, slowdown * world.scatter(), Load::NONE, None);
    }
    for _ in 0..20 {
        go_on(&mut bayes, world.scatter(), Load::NONE, None);
    }
    bayes
}

#[test]
fn two_steps_of_half_the_time_are_one_of_the_whole() {
    let bayes = experienced();
    let dynamics = &bayes.model.dynamics;
    for whole in [0.01, 0.5, 1.0, 3.0, 40.0, 1000.0] {
        let predict = |belief: &Belief, steps: f32| {
            let mut predicted = belief.clone();
            dynamics.predict(belief, &dynamics.over(steps), &mut predicted);
            predicted
        };
        let once = predict(&bayes.beliefs.blind, whole);
        let twice = predict(&predict(&bayes.beliefs.blind, whole / 2.0), whole / 2.0);
        // at most 2 % of the belief are elsewhere, and by a bin or two: what has jumped drifts only if that was early
        let elsewhere: f32 = once.0.iter().zip(&twice.0).map(|(a, b)| (a - b).abs() / 2.0).sum();
        assert!(elsewhere < 0.02, "{elsewhere} over {whole} steps");
        let ((mean, spread), (same_mean, same_spread)) = (once.moments(), twice.moments());
        assert!((mean - same_mean).abs() < 2e-3 && (spread - same_spread).abs() < 2e-3, "over {whole} steps");
    }
    // chances of other things than jumps too
    for chance in [1e-4, 0.002, 0.01, 0.7] {
        for steps in [1e-3, 0.4, 2.0, 50.0] {
            let half = dynamics::within(chance, steps / 2.0);
            assert!((dynamics::within(chance, steps) - (half + (1.0 - half) * half)).abs() < 1e-6, "{chance}, {steps}");
        }
        assert_eq!(dynamics::within(chance, 1.0), chance);
        assert!((dynamics::within(chance, 1.000_001) / chance - 1.0).abs() < 1e-4, "as good as one step");
    }
}

#[test]
fn the_longer_the_pause_the_wider_the_belief() {
    let mut bayes = experienced();
    let mut before = bayes.beliefs.blind.moments().1;
    // up to an hour: by then the slowdown is anywhere that it has been
    for seconds in [1, 10, 60, 600, 3600] {
        bayes.predict(Duration::from_secs(seconds), &Load::NONE);
        let (_, spread) = bayes.scratch.next.blind.moments();
        assert!(spread > before, "{before}, and {spread} after {seconds} s");
        before = spread;
        assert!((sum(&bayes.scratch.next.blind) - 1.0).abs() < 1e-3);
    }
    let place = |slowdown: f32| grid::place(slowdown.ln()).round() as usize;
    let at = |slowdown| bayes.scratch.next.blind.0[place(slowdown) - 4..place(slowdown) + 4].iter().sum::<f32>();
    assert!(at(1.0) > 0.2 && at(2.0) > 0.2, "{} and {}", at(1.0), at(2.0));
}

#[test]
fn how_often_jumps_come_is_a_rate_whatever_the_interval() {
    // a level lasts 100 s on average
    let rate = 0.01;
    for interval in [0.32, 0.64, 1.28, 2.56] {
        let mut bayes = policy();
        let mut world = World::new(0.05, (0.0, 0.0));
        let mut high = false;
        for _ in 0..(12_000.0 * 1.28 / interval) as usize {
            high ^= world.rng.random::<f64>() < rate * interval;
            let slowdown = if high { 2.0 } else { 1.0 } * world.scatter();
            go_on_after(&mut bayes, Duration::from_secs_f64(interval), slowdown, Load::NONE, None);
        }
        // half of the jumps that are believed in lead to where the slowdown is already
        let found = f64::from(bayes.model.dynamics.usual_hazard()) / INTERVAL.as_secs_f64() / 2.0;
        assert!((0.6..1.5).contains(&(found / rate)), "{found} a second at an interval of {interval} s");
        let noise = bayes.model.noise.parameters()[0];
        assert!((noise - 0.05).abs() < 0.006, "{noise} at an interval of {interval} s");
    }
}

#[test]
fn a_pause_teaches_nothing_of_how_often_jumps_come() {
    let mut bayes = experienced();
    let hazard = bayes.model.dynamics.usual_hazard();
    for _ in 0..50 {
        go_on_after(&mut bayes, Duration::from_secs(3600), 2.0, Load::NONE, None);
    }
    assert_eq!(bayes.model.dynamics.usual_hazard(), hazard);
}

/// The mean trust in signals towards the end of each half of a run in which they are honest or unrelated.
fn trust(honest: [bool; 2]) -> [f32; 2] {
    let mut bayes = policy();
    let mut world = World::new(0.05, (0.005, 0.5));
    let (mut high, mut unrelated) = (false, false);
    honest.map(|honest| {
        let mut mean = 0.0;
        for window in 0..4000 {
            high ^= world.rng.random::<f64>() < 0.02;
            unrelated ^= world.rng.random::<f64>() < 0.02;
            let share = if (honest && high) || (!honest && unrelated) { 0.8 } else { 0.2 };
            go_on(&mut bayes, if high { 2.0 } else { 1.0 } * world.scatter(), Load::cpu(share), None);
            mean += if window < 3000 { 0.0 } else { bayes.model.trust / 1000.0 };
        }
        mean
    })
}

#[test]
fn signals_are_trusted_as_far_as_they_have_told_the_truth() {
    let [half, whole] = trust([true, true]);
    assert!(half > 0.5 && whole > 0.5, "{half}, {whole}");
    let [honest, lying] = trust([true, false]);
    assert!(honest > 0.5 && lying < 0.25, "{honest}, {lying}");
    let [lying, honest] = trust([false, true]);
    assert!(lying < 0.25 && honest > 0.5, "{lying}, {honest}");
}

#[test]
fn a_suspended_machine_is_forgotten_within_three_windows() {
    let mut bayes = policy();
    let mut world = World::new(0.03, (0.005, 0.5));
    let mut best = 0;
    for _ in 0..500 {
        best = go_on(&mut bayes, world.scatter(), Load::NONE, None).plan;
    }
    assert_eq!(best, 3);
    go_on(&mut bayes, 1000.0, Load::NONE, None);
    for _ in 0..3 {
        go_on(&mut bayes, world.scatter(), Load::NONE, None);
    }
    assert_eq!(choose_within(&mut bayes, BUDGET, Load::NONE, None).plan, best);
}

/// A history that a test may start from: slowdown and signals of each window.
fn history() -> impl Strategy<Value = Vec<(f64, Option<f64>)>> {
    prop::collection::vec((0.2..8.0f64, prop::option::of(0.0..=1.0f64)), 0..60)
}

proptest! {
    /// A few parts of the time that is left stand for all overheads that were observed.
    #[test]
    fn a_miss_is_as_probable_as_on_the_average_over_all_overheads(
        overheads in prop::collection::vec((-5.0..-0.5f64).prop_map(|exponent| 10f64.powf(exponent)), 1..40),
        slowdown in 0.7..3.0f64,
    ) {
        let mut bayes = policy();
        for _ in 0..50 {
            go_on(&mut bayes, slowdown, Load::NONE, Some(1));
        }
        let mut overhead = Overhead::NONE;
        // often enough for the first to have faded
        for seconds in overheads.iter().cycle().take(overheads.len() * (2000 / overheads.len() + 1)) {
            overhead.observe(Duration::from_secs_f64(*seconds));
        }
        let misses = |available: Available| {
            let mut bayes = bayes.clone();
            choose_left(&mut bayes, INTERVAL, available, Load::NONE, None);
            bayes.scratch.lateness.all.clone()
        };
        let found = misses(overhead.available(BUDGET));
        // each lies in a part of a sixteenth of the time, and in a bucket: where all were as far to one side, and to the other
        let average = |side: f64| {
            let (mut sums, mut total) = (vec![0.0; PAPER.len()], 0.0);
            for (age, seconds) in overheads.iter().rev().enumerate() {
                let weight = (1.0 - 1.0 / 128.0f64).powi(age as i32);
                let moved = (seconds + side * (BUDGET.as_secs_f64() / 16.0 + seconds / 8.0)).max(0.0);
                let left = Available::all(BUDGET.saturating_sub(Duration::from_secs_f64(moved)));
                sums.iter_mut().zip(misses(left)).for_each(|(sum, miss)| *sum += weight * miss);
                total += weight;
            }
            sums.into_iter().map(|sum| sum / total).collect::<Vec<_>>()
        };
        let (least, most) = (average(-1.0), average(1.0));
        for rung in 0..PAPER.len() {
            let (found, least, most) = (found[rung], least[rung], most[rung]);
            prop_assert!((least - 1e-3..=most + 1e-3).contains(&found), "rung {rung}: {found}, {least} to {most}");
        }
    }
}

proptest! {
    /// Of a fixed state: more time never makes a miss more likely, nor what is expected of the pick worse.
    #[test]
    fn more_time_is_never_worse(history in history(), budgets in prop::collection::vec(0.1..300.0f64, 2..20)) {
        let mut bayes = policy();
        for (slowdown, cpu) in history {
            go_on(&mut bayes, slowdown, Load { cpu, ..Load::NONE }, None);
        }
        let mut budgets = budgets;
        budgets.sort_unstable_by(f64::total_cmp);
        let late_worth = GUESS - bayes.caution - bayes.restraint;
        let mut before = f64::NEG_INFINITY;
        let mut misses = [1.0; PAPER.len()];
        for budget in budgets {
            let available = Duration::from_secs_f64(budget / 1e3);
            for (rung, miss) in misses.iter_mut().enumerate() {
                let choice = choose_within(&mut bayes.clone(), available, Load::NONE, Some(rung));
                prop_assert_eq!((choice.plan, choice.reason), (rung, Reason::Pinned));
                let less = choice.forecast.miss_probability.unwrap();
                prop_assert!(less <= *miss + 1e-5, "rung {rung}: {miss}, and {less} with more time");
                *miss = less;
            }
            let choice = choose_within(&mut bayes.clone(), available, Load::NONE, None);
            if choice.reason == Reason::MostAccurateInTime {
                let miss = choice.forecast.miss_probability.unwrap();
                let worth = PAPER[choice.plan].0 * (1.0 - miss) + late_worth * miss;
                prop_assert!(worth >= before - 1e-4, "{before}, and {worth} with more time");
                before = worth;
            }
        }
    }

    /// Whatever happens, a belief stays one.
    #[test]
    fn a_belief_always_adds_up_to_one(
        history in prop::collection::vec(
            (
                prop_oneof![Just(0u64), any::<u64>(), 0..1_000_000_000u64],
                prop::array::uniform3(prop::option::of(prop_oneof![0.0..=1.0f64, any::<f64>()])),
                0..PAPER.len(),
            ),
            0..200,
        )
    ) {
        let mut bayes = policy();
        for (nanoseconds, [cpu, pressure, frequency], rung) in history {
            let signals = Load { cpu, pressure, frequency, ..Load::NONE };
            choose_within(&mut bayes, BUDGET, signals, Some(rung));
            bayes.observe(rung, Duration::from_nanos(nanoseconds));
            for belief in [&bayes.beliefs.blind, &bayes.beliefs.sighted, &bayes.scratch.next.blind, &bayes.scratch.next.sighted, &bayes.scratch.mixed] {
                prop_assert!((sum(belief) - 1.0).abs() < 1e-3, "{}", sum(belief));
                prop_assert!(belief.0.iter().all(|p| *p >= 0.0));
            }
            prop_assert!((0.0..=1.0).contains(&bayes.model.trust));
            bayes.model.noise.evidence().check().unwrap();
        }
        let mut learned = None;
        bayes.learned(&mut learned);
        prop_assert_eq!(learned.unwrap().check(), Ok(()));
    }
}
