//! How the slowdown changes from one window to the next, learned while it runs: it mostly stays, drifts a little, and
//! sometimes jumps.
//!
//! The chance of a jump depends on how long the present level has lasted (a co-runner that comes and goes by the clock
//! is foreseen), and a jump mostly leads to where the slowdown has been before (the co-runner that left comes back).

use serde::{Deserialize, Serialize};

use super::grid::{self, BINS, Belief, Bins};

/// Ages (windows since the last jump) below this have a bin of their own; older ones share bins, eight to an octave.
const FINE_AGES: usize = 8;
const AGES_PER_OCTAVE: f32 = 8.0;
const AGE_BINS: usize = 96;

/// Windows after which a jump or an exposure counts half, in its age bin.
const AGE_MEMORY: f32 = 3000.0;

/// The belief in jumps before any was seen: so many in so many windows.
const PRIOR_JUMPS: (f32, f32) = (1.0, 200.0);

/// Jumps that an age needs before it stands for itself rather than for all ages.
const OWN_OPINION: f32 = 3.0;

/// Least and greatest chance of a jump.
const LEAST_HAZARD: f32 = 1e-4;
const GREATEST_HAZARD: f32 = 0.7;

/// Windows over which the levels are remembered.
const LEVEL_MEMORY: f32 = 3000.0;

/// Share of the jumps that lead anywhere, not where the slowdown has been.
const ANYWHERE: f32 = 0.15;

/// Share of a bin that drifts into each neighbour: least, first and greatest.
const DRIFT: (f32, f32, f32) = (1e-4, 2e-3, 0.3);

/// Windows after which an old drift has faded to a third.
const DRIFT_MEMORY: f32 = 200.0;

/// Windows that the levels count for after a restart at most, so that new ones soon have their say.
const MOST_RESUMED: f32 = LEVEL_MEMORY / 2.0;

/// Windows of a level at a slowdown of 1 that are believed in after a restart, beside what was seen.
const IDLE: f32 = 10.0;

/// What is kept of the dynamics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Habits {
    /// Jumps and windows per bin of ages; old ones have faded.
    jumps: Vec<f32>,
    windows: Vec<f32>,
    /// The sums of both.
    all: (f32, f32),
    /// Share of a bin that drifts into each neighbour.
    drift: f32,
    /// Where the slowdown has been, and for how many windows.
    levels: Vec<f32>,
    seen: f32,
}

impl Habits {
    /// Whether this can have been learned; what is wrong where it cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { jumps, windows, all, drift, levels, seen } = self;
        for (name, values, length) in
            [("jumps", jumps, AGE_BINS), ("windows", windows, AGE_BINS), ("levels", levels, BINS)]
        {
            if values.len() != length {
                return Err(format!("{name} has {} entries, and needs {length}", values.len()));
            }
        }
        // a little more than can be remembered, for roundings
        let (most, slack) = (1.01 * AGE_MEMORY, 1.001);
        let plausible =
            |(jumps, windows): (f32, f32)| (0.0..=most).contains(&windows) && (0.0..=slack * windows).contains(&jumps);
        let pairs = jumps.iter().copied().zip(windows.iter().copied());
        if let Some((jumps, windows)) = pairs.chain([*all]).find(|pair| !plausible(*pair)) {
            return Err(format!("there cannot have been {jumps} jumps in {windows} windows"));
        }
        if !(DRIFT.0..=DRIFT.2).contains(drift) {
            return Err(format!("the drift is {drift}, and must be from {} to {}", DRIFT.0, DRIFT.2));
        }
        let sum: f32 = levels.iter().sum();
        let shares = levels.iter().all(|share| (0.0..=slack).contains(share));
        let whole = if *seen == 0.0 { sum == 0.0 } else { (sum - 1.0).abs() < 0.01 };
        if !shares || !whole || !(0.0..=LEVEL_MEMORY).contains(seen) {
            return Err(format!("the levels are no shares of {seen} windows: they add up to {sum}"));
        }
        Ok(())
    }

    /// Forgets where the slowdown has been.
    pub(super) fn without_levels(&self) -> Self {
        Self { levels: vec![0.0; BINS], seen: 0.0, ..self.clone() }
    }
}

/// The learned dynamics.
#[derive(Clone, Debug)]
pub(super) struct Dynamics {
    /// Windows since the last jump; unknown after a restart until the next one.
    age: Option<u32>,
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
            age: Some(0),
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

    /// Goes on from what was kept.
    pub(super) fn resume(habits: &Habits, anywhere: Bins) -> Self {
        let mut dynamics = Self::new(anywhere);
        dynamics.age = None;
        dynamics.jumps.copy_from_slice(&habits.jumps);
        dynamics.windows.copy_from_slice(&habits.windows);
        dynamics.all = habits.all;
        dynamics.drift = habits.drift;
        dynamics.seen = habits.seen.min(MOST_RESUMED);
        if dynamics.seen > 0.0 {
            let scale = habits.levels.iter().sum::<f32>().recip();
            for (level, kept) in dynamics.levels.iter_mut().zip(&habits.levels) {
                *level = scale * kept;
            }
            dynamics.settle_landing();
        }
        dynamics
    }

    /// Writes what is to be kept; allocates only where `habits` has held nothing yet.
    pub(super) fn keep(&self, habits: &mut Habits) {
        let pairs = [
            (&mut habits.jumps, &self.jumps[..]),
            (&mut habits.windows, &self.windows),
            (&mut habits.levels, &self.levels),
        ];
        for (kept, values) in pairs {
            kept.clear();
            kept.extend_from_slice(values);
        }
        habits.all = self.all;
        habits.drift = self.drift;
        habits.seen = self.seen;
    }

    /// What to believe after a restart: the slowdown is where it has been, or at 1, of which `near_one` is the belief.
    pub(super) fn restarted(&self, near_one: &Belief) -> Belief {
        let idle = IDLE / (self.seen + IDLE);
        Belief(std::array::from_fn(|bin| (1.0 - idle) * self.levels[bin] + idle * near_one.0[bin]))
    }

    /// The chance that the next window sees a jump.
    pub(super) fn hazard(&self) -> f32 {
        self.hazard_at(self.age)
    }

    /// The same on average over all ages.
    pub(super) fn usual_hazard(&self) -> f32 {
        let (jumps, windows) = PRIOR_JUMPS;
        (self.all.0 + jumps) / (self.all.1 + windows)
    }

    /// The same if the last jump was `age` windows ago.
    pub(super) fn hazard_at(&self, age: Option<u32>) -> f32 {
        let usual = self.usual_hazard();
        let Some(age) = age else {
            return usual.clamp(LEAST_HAZARD, GREATEST_HAZARD);
        };
        let bin = age_bin(age);
        let borrowed = OWN_OPINION / usual;
        ((self.jumps[bin] + OWN_OPINION) / (self.windows[bin] + borrowed)).clamp(LEAST_HAZARD, GREATEST_HAZARD)
    }

    #[cfg(test)]
    pub(super) fn drift(&self) -> f32 {
        self.drift
    }

    #[cfg(test)]
    pub(super) fn landing(&self) -> &Bins {
        &self.landing
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

        if let Some(age) = self.age {
            let bin = age_bin(age);
            self.jumps[bin] += jumped;
            self.windows[bin] += 1.0;
            if self.windows[bin] > AGE_MEMORY {
                self.jumps[bin] *= 0.5;
                self.windows[bin] *= 0.5;
            }
        }
        self.all.0 += jumped;
        self.all.1 += 1.0;
        if self.all.1 > AGE_MEMORY {
            self.all.0 *= 0.5;
            self.all.1 *= 0.5;
        }
        self.age = if jumped > 0.5 { Some(1) } else { self.age.map(|age| age.saturating_add(1)) };

        self.drift += (drifted / 2.0 - self.drift) / DRIFT_MEMORY;
        self.drift = self.drift.clamp(DRIFT.0, DRIFT.2);

        self.seen = (self.seen + 1.0).min(LEVEL_MEMORY);
        let rate = 1.0 / self.seen;
        for (level, after) in self.levels.iter_mut().zip(&after.0) {
            *level += rate * (after - *level);
        }
        self.settle_landing();
        jumped
    }

    fn settle_landing(&mut self) {
        for (landing, (level, anywhere)) in self.landing.iter_mut().zip(self.levels.iter().zip(&self.anywhere)) {
            *landing = (1.0 - ANYWHERE) * level + ANYWHERE * anywhere;
        }
    }
}
