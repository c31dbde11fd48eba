//! Measuring a ladder on this device, hot and paced.
//!
//! An inference every second on a sleepy processor can be several times slower than the same inference in a loop,
//! because of frequency scaling and cold caches; the daemon believes the paced figure. Rungs take turns, so that a
//! change of the machine's speed during the run meets all of them alike.

use std::time::Duration;

use super::backend::{InferenceError, Runner};
use super::load::Ladder;
use super::profile::{Percentiles, Profile, ProfileKey, Profiled, ProfiledHalves, Regime};
use crate::clock::Clock;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Inferences per configuration straight after each other.
    pub hot_windows: usize,
    /// Inferences per configuration, one every `pace`.
    pub paced_windows: usize,
    /// From one paced inference to the next.
    pub pace: Duration,
    /// Heads are measured, too, for windows of which so many samples are missing; none where it is 0.
    pub missing: usize,
}

impl Effort {
    /// What the daemon affords at start-up where no profile is kept.
    pub const QUICK: Self = Self { hot_windows: 20, paced_windows: 3, pace: Duration::from_millis(5), missing: 0 };

    /// How often [`measure`] tells of its progress at the most, for `configurations`.
    #[must_use]
    pub fn steps(&self, configurations: usize) -> usize {
        let halves = if self.missing == 0 { 0 } else { self.paced_windows };
        (self.hot_windows + self.paced_windows + halves) * configurations
    }

    /// About how long it takes to measure `configurations`, the hot part aside.
    #[must_use]
    pub fn paced_time(&self, configurations: usize) -> Duration {
        let turns = if self.missing == 0 { 1 } else { 3 };
        self.pace * u32::try_from(self.paced_windows * configurations * turns).unwrap_or(u32::MAX)
    }
}

/// Inferences before the hot figures count.
const WARM_UP: usize = 5;

/// Consecutive inferences of one configuration in the hot regime before the next one takes its turn.
const HOT_BURST: usize = 10;

/// Above this ratio of the 90th percentile to the median, the hot figures are called noisy.
const NOISY: f64 = 1.5;

/// Above this ratio of the paced to the hot median, frequency scaling or cold caches are named.
const SLEEPY: f64 = 1.3;

/// Above this ratio between the halves of the hot run, the machine's speed is said to have changed.
const DRIFTING: f64 = 1.15;

/// Measures every configuration of `ladder` through `runner` on zeros (the work does not depend on the values).
/// `progress` hears of each finished inference.
///
/// # Errors
/// When an inference fails.
pub fn measure(
    ladder: &Ladder,
    runner: &mut dyn Runner,
    key: &ProfileKey,
    effort: Effort,
    clock: &dyn Clock,
    mut progress: impl FnMut(Regime),
) -> Result<Profile, InferenceError> {
    let task = &ladder.manifest().task;
    let (window, mut logits) = (vec![0.0; task.channels.len() * task.window], vec![0.0; task.labels.len()]);
    let mut time_one = |runner: &mut dyn Runner, rung: usize| -> Result<Duration, InferenceError> {
        let start = clock.now();
        runner.infer(rung, &window, &mut logits)?;
        Ok(clock.now().saturating_sub(start))
    };
    let rungs = ladder.configurations().len();
    let mut hot: Vec<Vec<Duration>> = vec![Vec::with_capacity(effort.hot_windows); rungs];
    let mut paced: Vec<Vec<Duration>> = vec![Vec::with_capacity(effort.paced_windows); rungs];

    for start in (0..effort.hot_windows).step_by(HOT_BURST) {
        for (rung, latencies) in hot.iter_mut().enumerate() {
            for _ in 0..WARM_UP {
                time_one(runner, rung)?;
            }
            for _ in start..effort.hot_windows.min(start + HOT_BURST) {
                latencies.push(time_one(runner, rung)?);
                progress(Regime::Hot);
            }
        }
    }
    let mut pacing = Pacing { clock, next: clock.now(), pace: effort.pace };
    for _ in 0..effort.paced_windows {
        for (rung, latencies) in paced.iter_mut().enumerate() {
            pacing.wait();
            latencies.push(time_one(runner, rung)?);
            progress(Regime::Paced);
        }
    }
    let mut halves: Vec<[Vec<Duration>; 2]> = vec![Default::default(); rungs];
    for _ in 0..effort.paced_windows {
        for (rung, [heads, tails]) in halves.iter_mut().enumerate() {
            if ladder.network().head_macs(rung, effort.missing).is_none() {
                continue;
            }
            pacing.wait();
            let start = clock.now();
            if !runner.head(rung, &window, effort.missing, &mut || true)? {
                continue;
            }
            heads.push(clock.now().saturating_sub(start));
            pacing.wait();
            let start = clock.now();
            runner.tail(&window, &mut logits)?;
            tails.push(clock.now().saturating_sub(start));
            progress(Regime::Paced);
        }
    }

    let mut profile = Profile::new(key, effort.hot_windows, effort.paced_windows, effort.pace);
    let drift = drift(&hot);
    let measured = hot.iter_mut().zip(&mut paced).zip(&mut halves);
    for (configuration, ((hot, paced), [heads, tails])) in ladder.configurations().iter().zip(measured) {
        let halves = Percentiles::of(heads).zip(Percentiles::of(tails));
        let halves = halves.map(|(head, tail)| ProfiledHalves { missing: effort.missing, head, tail });
        if let (Some(hot), Some(paced)) = (Percentiles::of(hot), Percentiles::of(paced)) {
            profile.configurations.push(Profiled { id: configuration.id.clone(), hot, paced, halves });
        }
    }
    profile.warnings = warnings(&profile.configurations, drift);
    Ok(profile)
}

/// Waits from one inference to the next.
struct Pacing<'a> {
    clock: &'a dyn Clock,
    next: Duration,
    pace: Duration,
}

impl Pacing<'_> {
    fn wait(&mut self) {
        self.next += self.pace;
        self.clock.wait_until(self.next);
    }
}

/// The median ratio, over the configurations, of the slower half of the hot run to the faster one.
fn drift(hot: &[Vec<Duration>]) -> Option<f64> {
    let mut ratios: Vec<f64> = hot
        .iter()
        .filter_map(|latencies| {
            let (first, second) = latencies.split_at(latencies.len() / 2);
            let (first, second) = (Percentiles::of(&mut first.to_vec())?, Percentiles::of(&mut second.to_vec())?);
            let ratio = second.p50 / first.p50;
            Some(ratio.max(1.0 / ratio))
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

fn warnings(configurations: &[Profiled], drift: Option<f64>) -> Vec<String> {
    let mut warnings = Vec::new();
    let noisy = configurations.iter().filter(|p| p.hot.p90 / p.hot.p50 > NOISY).count();
    if noisy > 0 {
        warnings.push(format!(
            "noise: {noisy} of {} configurations have a hot 90th percentile above {NOISY} times their median; something else uses the processor",
            configurations.len()
        ));
    }
    let mut sleepy: Vec<f64> = configurations.iter().map(|p| p.paced.p50 / p.hot.p50).collect();
    sleepy.sort_unstable_by(f64::total_cmp);
    if let Some(ratio) = sleepy.get(sleepy.len() / 2).filter(|ratio| **ratio > SLEEPY) {
        warnings.push(format!(
            "frequency scaling or cold caches: paced inferences take {ratio:.1} times as long as hot ones; the daemon uses the paced figures"
        ));
    }
    if let Some(ratio) = drift.filter(|ratio| *ratio > DRIFTING) {
        warnings.push(format!(
            "the machine's speed changed by a factor of {ratio:.2} during the run: frequency scaling, heat or another load; measure again when it is calm"
        ));
    }
    warnings
}
