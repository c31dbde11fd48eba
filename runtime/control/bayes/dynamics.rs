//! How the slowdown changes from one window to the next, learned while it runs: it mostly stays, drifts a little, and
//! sometimes jumps.
//!
//! The chance of a jump depends on how long the present level has lasted (a co-runner that comes and goes by the clock
//! is foreseen), and a jump mostly leads to where the slowdown has been before (the co-runner that left comes back).

use super::grid::{self, BINS, Belief, Bins};

/// Ages (windows since the last jump) below this have a bin of their own; older ones share bins, eight to an octave.
const FINE_AGES: usize = 8;
const AGES_PER_OCTAVE: f32 = 8.0;
const AGE_BINS: usize = 96;

/// Windows after which a jump or an exposure counts half, in its age bin.
const AGE_MEMORY: f32 = 3000.0;

/// The belief in jumps before any was seen: so many in so many windows.
const PRIOR_JUMPS: (f32, f32) = (2.0, 150.0);

/// Jumps that an age needs before it stands for itself rather than for all ages.
const OWN_OPINION: f32 = 3.0;

/// Windows over which the levels are remembered.
const LEVEL_MEMORY: f32 = 3000.0;

/// Share of the jumps that lead anywhere, not where the slowdown has been.
const ANYWHERE: f32 = 0.15;

/// Share of a bin that drifts into each neighbour: least, first and greatest.
const DRIFT: (f32, f32, f32) = (1e-4, 2e-3, 0.3);

/// Windows after which an old drift has faded to a third.
const DRIFT_MEMORY: f32 = 200.0;

/// The learned dynamics.
#[derive(Clone, Debug)]
pub(super) struct Dynamics {
    /// Windows since the last jump.
    age: u32,
    /// Jumps and windows per age bin.
    jumps: [f32; AGE_BINS],
    windows: [f32; AGE_BINS],
    /// The sums of both.
    all: (f32, f32),
    /// Share of a bin that drifts into each neighbour.
    drift: f32,
    /// Where the slowdown has been.
    levels: Bins,
    /// Windows that `levels` is made of.
    seen: f32,
    /// Where a jump leads.
    landing: Bins,
    anywhere: Bins,
}

fn age_bin(age: u32) -> usize {
    let age = age as usize;
    if age < FINE_AGES {
        return age;
    }
    let octaves = (age as f32 / FINE_AGES as f32).log2();
    (FINE_AGES + (octaves * AGES_PER_OCTAVE) as usize).min(AGE_BINS - 1)
}

impl Dynamics {
    pub(super) fn new(anywhere: Bins) -> Self {
        Self {
            age: 0,
            jumps: [0.0; AGE_BINS],
            windows: [0.0; AGE_BINS],
            all: (0.0, 0.0),
            drift: DRIFT.1,
            levels: [0.0; BINS],
            seen: 0.0,
            landing: anywhere,
            anywhere,
        }
    }

    /// The chance that the next window sees a jump.
    pub(super) fn hazard(&self) -> f32 {
        let (jumps, windows) = PRIOR_JUMPS;
        let usual = (self.all.0 + jumps) / (self.all.1 + windows);
        let bin = age_bin(self.age);
        let borrowed = OWN_OPINION / usual;
        ((self.jumps[bin] + OWN_OPINION) / (self.windows[bin] + borrowed)).clamp(1e-4, 0.7)
    }

    /// What `belief` becomes after one window.
    pub(super) fn predict(&self, belief: &Belief, hazard: f32, predicted: &mut Belief) {
        let before = &belief.0;
        let stay = (1.0 - hazard) * (1.0 - 2.0 * self.drift);
        let drift = (1.0 - hazard) * self.drift;
        for bin in 1..BINS - 1 {
            predicted.0[bin] =
                stay * before[bin] + drift * (before[bin - 1] + before[bin + 1]) + hazard * self.landing[bin];
        }
        // what would leave the grid stays at its edge
        predicted.0[0] = (stay + drift) * before[0] + drift * before[1] + hazard * self.landing[0];
        let last = BINS - 1;
        predicted.0[last] = (stay + drift) * before[last] + drift * before[last - 1] + hazard * self.landing[last];
    }

    /// Learns from a window: `before` was believed, then something of that `likelihood` was observed, whose
    /// probability was `evidence`, and `after` is believed now. Returns the probability that there was a jump.
    pub(super) fn learn(
        &mut self,
        before: &Belief,
        hazard: f32,
        likelihood: &Bins,
        evidence: f32,
        after: &Belief,
    ) -> f32 {
        if !evidence.recip().is_finite() {
            return 0.0;
        }
        let jumped = (hazard * grid::dot(&self.landing, likelihood) / evidence).clamp(0.0, 1.0);
        let inside = &likelihood[1..BINS - 1];
        let neighbours = grid::dot(&before.0[..BINS - 2], inside) + grid::dot(&before.0[2..], inside);
        let drifted = ((1.0 - hazard) * self.drift * neighbours / evidence).clamp(0.0, 1.0);

        let bin = age_bin(self.age);
        self.jumps[bin] += jumped;
        self.windows[bin] += 1.0;
        if self.windows[bin] > AGE_MEMORY {
            self.jumps[bin] *= 0.5;
            self.windows[bin] *= 0.5;
        }
        self.all.0 += jumped;
        self.all.1 += 1.0;
        if self.all.1 > AGE_MEMORY {
            self.all.0 *= 0.5;
            self.all.1 *= 0.5;
        }
        self.age = if jumped > 0.5 { 1 } else { self.age.saturating_add(1) };

        self.drift += (drifted / 2.0 - self.drift) / DRIFT_MEMORY;
        self.drift = self.drift.clamp(DRIFT.0, DRIFT.2);

        self.seen = (self.seen + 1.0).min(LEVEL_MEMORY);
        let rate = 1.0 / self.seen;
        for bin in 0..BINS {
            self.levels[bin] += rate * (after.0[bin] - self.levels[bin]);
            self.landing[bin] = (1.0 - ANYWHERE) * self.levels[bin] + ANYWHERE * self.anywhere[bin];
        }
        jumped
    }
}
