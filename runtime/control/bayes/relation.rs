//! How one signal of load goes with the slowdown on this device, learned while it runs.

use super::grid::{BINS, Belief, Bins};

/// Steps into which a signal (0 to 1) is divided.
const STEPS: usize = 12;

/// Bins of the slowdown that share their counts.
const COARSE: usize = 4;
const CLASSES: usize = BINS / COARSE;

/// Readings after which an old one has faded to a third.
const MEMORY: f32 = 3000.0;

/// Readings at a slowdown that are needed before they say more than all readings together.
const OWN_OPINION: f32 = 1.0;

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

    /// Multiplies `likelihood` by that of reading `signal`.
    pub(super) fn weigh(&self, signal: f64, likelihood: &mut Bins) {
        let step = step(signal);
        let opinion = OWN_OPINION * self.unit;
        let usual = (self.steps[step] + opinion / STEPS as f32) / (self.all + opinion);
        for (class, bins) in likelihood.chunks_exact_mut(COARSE).enumerate() {
            let share = (self.counts[step][class] + opinion * usual) / (self.classes[class] + opinion);
            // relative to what is usual, so that a signal that says nothing changes nothing
            let ratio = share / usual;
            for l in bins {
                *l *= ratio;
            }
        }
    }

    /// Learns that `signal` was read where `belief` is believed.
    pub(super) fn learn(&mut self, signal: f64, belief: &Belief) {
        let step = step(signal);
        for (class, bins) in belief.0.chunks_exact(COARSE).enumerate() {
            let weight = self.unit * bins.iter().sum::<f32>();
            self.counts[step][class] += weight;
            self.classes[class] += weight;
        }
        self.steps[step] += self.unit;
        self.all += self.unit;
        self.unit *= 1.0 + 1.0 / MEMORY;
        if self.unit > 1e6 {
            let scale = self.unit.recip();
            self.counts.iter_mut().flatten().chain(&mut self.classes).chain(&mut self.steps).for_each(|n| *n *= scale);
            self.all *= scale;
            self.unit = 1.0;
        }
    }
}
