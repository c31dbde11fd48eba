//! How one signal of load goes with the slowdown on this device, learned while it runs.
//!
//! With `n[i][c]` the time in which the signal was read in its step `i` while the slowdown was in the class `c`, and
//! sums over a dot, the likelihood of reading the step `i` is, up to a factor that is the same for all classes,
//!
//! ```text
//! l[c] = (n[i][c] + o u) / ((n[.][c] + o) u),    u = (n[i][.] + o / steps) / (n[.][.] + o),    o = OWN_OPINION
//! ```
//!
//! A reading counts for the time since the inference before, in steps of [`INTERVAL`](crate::control::INTERVAL) and
//! at most one: what is read in quick succession says the same thing again.

use serde::{Deserialize, Serialize};

use super::grid::{self, BINS, Belief};

/// Steps into which a signal (0 to 1) is divided.
const STEPS: usize = 12;

/// Bins of the slowdown that share their counts.
const COARSE: usize = 4;
const CLASSES: usize = BINS / COARSE;

/// One value per class.
pub(super) type Classes = [f32; CLASSES];

/// The probability of each class.
pub(super) fn classes(belief: &Belief) -> Classes {
    std::array::from_fn(|class| belief.0[COARSE * class..COARSE * (class + 1)].iter().sum())
}

/// The likelihood of what was read where it would have been read anywhere.
pub(super) const EVEN: Classes = [1.0; CLASSES];

/// Multiplies `belief` by the likelihood of its classes, where it does not rule that out.
pub(super) fn weigh_in(belief: &mut Belief, likelihood: &Classes) {
    let evidence = grid::dot(&classes(belief), likelihood);
    if evidence > f32::MIN_POSITIVE && evidence.is_finite() {
        let scale = evidence.recip();
        for (bins, l) in belief.0.chunks_exact_mut(COARSE).zip(likelihood) {
            let factor = l * scale;
            bins.iter_mut().for_each(|p| *p *= factor);
        }
    }
}

/// Readings after which an old one has faded to a third.
const MEMORY: f32 = 3000.0;

/// Readings at a slowdown that are needed before they say more than all readings together.
const OWN_OPINION: f32 = 1.0;

/// Readings that count after a restart at most, so that new ones soon have their say.
const MOST_RESUMED: f32 = MEMORY / 2.0;

/// What is kept of one relation: how often each step of the signal was read (in readings; old ones have faded) at each
/// class of slowdowns, step by step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Readings(pub(super) Vec<f32>);

impl Readings {
    /// Whether these can have been read; what is wrong where they cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = &self.0;
        if counts.len() != STEPS * CLASSES {
            return Err(format!("a signal has {} counts, and needs {}", counts.len(), STEPS * CLASSES));
        }
        // a little more than can be remembered, for roundings
        let plausible = |count: f32| (0.0..=1.01 * MEMORY).contains(&count);
        if let Some(count) = counts.iter().copied().find(|count| !plausible(*count)) {
            return Err(format!("a signal was read {count} times at one slowdown, and cannot have been"));
        }
        let all: f32 = counts.iter().sum();
        if plausible(all) { Ok(()) } else { Err(format!("a signal was read {all} times, and cannot have been")) }
    }
}

/// The learned relation of one signal.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// How often each step of the signal was read, per class of slowdowns.
    counts: Box<[[f32; CLASSES]; STEPS]>,
    /// The sums over the steps.
    classes: [f32; CLASSES],
    /// The sums over the classes.
    steps: [f32; STEPS],
    all: f32,
    /// What one new reading counts for; grows instead of all the counts fading.
    unit: f32,
}

fn step(signal: f64) -> usize {
    ((signal * STEPS as f64) as usize).min(STEPS - 1)
}

impl Relation {
    pub(super) fn new() -> Self {
        Self {
            counts: Box::new([[0.0; CLASSES]; STEPS]),
            classes: [0.0; CLASSES],
            steps: [0.0; STEPS],
            all: 0.0,
            unit: 1.0,
        }
    }

    /// Goes on from what was kept.
    pub(super) fn resume(readings: &Readings) -> Self {
        let mut relation = Self::new();
        let all: f32 = readings.0.iter().sum();
        let share = MOST_RESUMED / all.max(MOST_RESUMED);
        for (step, counts) in readings.0.chunks_exact(CLASSES).enumerate().take(STEPS) {
            for (class, count) in counts.iter().enumerate() {
                let count = share * count;
                relation.counts[step][class] = count;
                relation.classes[class] += count;
                relation.steps[step] += count;
                relation.all += count;
            }
        }
        relation
    }

    /// Writes what is to be kept; allocates only where `readings` has held nothing yet.
    pub(super) fn keep(&self, readings: &mut Readings) {
        readings.0.clear();
        readings.0.extend(self.counts.iter().flatten().map(|count| count / self.unit));
    }

    /// Multiplies `likelihood` (one value per class) by that of reading `signal`.
    pub(super) fn weigh(&self, signal: f64, likelihood: &mut Classes) {
        let step = step(signal);
        let opinion = OWN_OPINION * self.unit;
        let usual = (self.steps[step] + opinion / STEPS as f32) / (self.all + opinion);
        let counts = self.counts[step].iter().zip(&self.classes);
        for (l, (count, all)) in likelihood.iter_mut().zip(counts) {
            // relative to what is usual, so that a signal that says nothing changes nothing
            *l *= (count + opinion * usual) / ((all + opinion) * usual);
        }
    }

    /// Learns that `signal` was read where `belief` (one probability per class) is believed; the reading counts for
    /// `weight`, at most 1.
    pub(super) fn learn(&mut self, signal: f64, belief: &Classes, weight: f32) {
        let step = step(signal);
        let unit = weight * self.unit;
        let counts = self.counts[step].iter_mut().zip(&mut self.classes);
        for ((count, all), p) in counts.zip(belief) {
            let weight = unit * p;
            *count += weight;
            *all += weight;
        }
        self.steps[step] += unit;
        self.all += unit;
        self.unit *= 1.0 + weight / MEMORY;
        if self.unit > 1e6 {
            let scale = self.unit.recip();
            self.counts.iter_mut().flatten().chain(&mut self.classes).chain(&mut self.steps).for_each(|n| *n *= scale);
            self.all *= scale;
            self.unit = 1.0;
        }
    }
}
