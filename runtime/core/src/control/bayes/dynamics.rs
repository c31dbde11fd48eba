//! How the slowdown changes with time, learned while it runs: it mostly stays, drifts a little, and sometimes jumps.
//!
//! Time counts in steps of [`INTERVAL`](crate::control::INTERVAL). Over `k` steps, with the chance `h` of a jump in one
//! step and the share `d` of a bin that drifts into each neighbour in one step, a belief `p` becomes
//!
//! ```text
//! p'[b] = (1 - h(k)) * ((1 - 2 d k) p[b] + d k (p[b-1] + p[b+1])) + h(k) * landing[b],    h(k) = 1 - (1 - h)^k
//! ```
//!
//! where `d k` above [`MAX_DRIFT`] is applied in several rounds. `landing = (1 - a) levels + a anywhere` with `a` =
//! [`ANYWHERE`]: a jump mostly leads to where the slowdown has been before (the co-runner that left comes back).
//!
//! `h` depends on how long the present level has lasted (a co-runner that comes and goes by the clock is foreseen):
//! `h = (jumps[age] + o) / (exposure[age] + o / usual)`, where `o` = [`OWN_OPINION`] and `usual` is the same over all
//! ages. `jumps` adds up the probability of a jump after each observation, `exposure` and `levels` the time that
//! observations speak for.

use serde::{Deserialize, Serialize};

use super::grid::{self, BINS, Belief, Bins};

/// Ages (steps since the last jump) below this have a bin of their own; older ones share bins, eight to an octave.
const FINE_AGES: usize = 8;
const AGES_PER_OCTAVE: f32 = 8.0;
const AGE_BINS: usize = 96;

/// An age, in steps, beyond which all are alike.
const OLDEST: f32 = 1e6;

/// Steps after which a jump or an exposure counts half, in its age bin.
const AGE_MEMORY: f32 = 3000.0;

/// The belief in jumps before any was seen: so many in so many steps.
const PRIOR_JUMPS: Jumps = Jumps { seen: 1.0, exposure: 200.0 };

/// Jumps that an age needs before it stands for itself rather than for all ages.
const OWN_OPINION: f32 = 3.0;

/// Least and greatest chance of a jump in one step.
const LEAST_HAZARD: f32 = 1e-4;
const GREATEST_HAZARD: f32 = 0.7;

/// Steps over which the levels are remembered.
const LEVEL_MEMORY: f32 = 3000.0;

/// Share of the jumps that lead anywhere, not where the slowdown has been.
const ANYWHERE: f32 = 0.15;

/// Share of a bin that drifts into each neighbour in one step: least, first and greatest.
const MIN_DRIFT: f32 = 1e-4;
const FIRST_DRIFT: f32 = 2e-3;
const MAX_DRIFT: f32 = 0.3;

/// Rounds in which a long time's drift is applied at most. Drift beyond that is left to the jumps, which have become
/// likely by then.
const MOST_ROUNDS: f32 = 32.0;

/// Steps after which an old drift has faded to a third.
const DRIFT_MEMORY: f32 = 200.0;

/// Over more steps than this between two inferences the slowdown may have jumped and come back: neither the rate of
/// jumps nor the drift is learned from that, and how long the level has lasted is unknown.
const LONGEST_STRETCH: f32 = 8.0;

/// Steps that the levels count for after a restart at most, so that new ones soon have their say.
const MOST_RESUMED: f32 = LEVEL_MEMORY / 2.0;

/// Steps of a level at a slowdown of 1 that are believed in after a restart, beside what was seen.
const IDLE: f32 = 10.0;

/// The chance that something happens within `steps` whose chance is `chance` in one step. Of one step it is `chance`
/// itself, to the bit.
pub(super) fn within(chance: f32, steps: f32) -> f32 {
    if steps == 1.0 { chance } else { -(steps * (-chance).ln_1p()).exp_m1() }
}

/// Jumps, and the steps in which they were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f32, f32)", into = "(f32, f32)")]
struct Jumps {
    seen: f32,
    exposure: f32,
}

impl From<(f32, f32)> for Jumps {
    fn from((seen, exposure): (f32, f32)) -> Self {
        Self { seen, exposure }
    }
}

impl From<Jumps> for (f32, f32) {
    fn from(jumps: Jumps) -> Self {
        (jumps.seen, jumps.exposure)
    }
}

/// What is kept of the dynamics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Habits {
    /// Jumps and steps per bin of ages; old ones have faded.
    jumps: Vec<f32>,
    windows: Vec<f32>,
    /// The sums of both.
    all: Jumps,
    /// Share of a bin that drifts into each neighbour in one step.
    drift: f32,
    /// Where the slowdown has been, and for how many steps.
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
        let plausible = |jumps: &Jumps| {
            (0.0..=most).contains(&jumps.exposure) && (0.0..=slack * jumps.exposure).contains(&jumps.seen)
        };
        let by_age = jumps.iter().zip(windows).map(|(seen, exposure)| Jumps { seen: *seen, exposure: *exposure });
        if let Some(Jumps { seen, exposure }) = by_age.chain([*all]).find(|jumps| !plausible(jumps)) {
            return Err(format!("there cannot have been {seen} jumps in {exposure} windows"));
        }
        if !(MIN_DRIFT..=MAX_DRIFT).contains(drift) {
            return Err(format!("the drift is {drift}, and must be from {MIN_DRIFT} to {MAX_DRIFT}"));
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

/// What becomes of a belief from one inference to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transition {
    /// The time between the two, in steps.
    pub(super) steps: f32,
    /// Chance of a jump.
    pub(super) hazard: f32,
    /// Share of a bin that drifts into each neighbour in each of `rounds` rounds.
    drift: f32,
    rounds: u32,
}

impl Transition {
    /// The steps that an observation after this speaks for: it was not there to see more than one.
    pub(super) fn observed_steps(&self) -> f32 {
        self.steps.min(1.0)
    }
}

/// The learned dynamics.
#[derive(Clone, Debug)]
pub(super) struct Dynamics {
    /// Steps since the last jump; unknown after a restart or a long pause until the next jump.
    age: Option<f32>,
    /// Jumps and steps per age bin.
    jumps: [f32; AGE_BINS],
    exposure: [f32; AGE_BINS],
    /// The sums of both.
    all: Jumps,
    /// Share of a bin that drifts into each neighbour in one step.
    drift: f32,
    /// Where the slowdown has been.
    levels: Bins,
    /// Steps that `levels` is made of.
    seen: f32,
    /// Where a jump leads.
    landing: Bins,
    anywhere: Bins,
}

/// The bin of `age`, in whole steps: windows never come at exactly the same interval, and two that are as old as each
/// other shall not fall into two bins.
fn age_bin(age: f32) -> usize {
    let whole = (age + 0.5) as usize;
    if whole < FINE_AGES {
        return whole;
    }
    let octaves = (whole as f32 / FINE_AGES as f32).log2();
    (FINE_AGES + (octaves * AGES_PER_OCTAVE) as usize).min(AGE_BINS - 1)
}

impl Dynamics {
    pub(super) fn new(anywhere: Bins) -> Self {
        Self {
            age: Some(0.0),
            jumps: [0.0; AGE_BINS],
            exposure: [0.0; AGE_BINS],
            all: Jumps::default(),
            drift: FIRST_DRIFT,
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
        dynamics.exposure.copy_from_slice(&habits.windows);
        dynamics.all = habits.all;
        dynamics.drift = habits.drift;
        dynamics.seen = habits.seen.min(MOST_RESUMED);
        if dynamics.seen > 0.0 {
            let scale = habits.levels.iter().sum::<f32>().recip();
            for (level, kept) in dynamics.levels.iter_mut().zip(&habits.levels) {
                *level = scale * kept;
            }
            dynamics.update_landing();
        }
        dynamics
    }

    /// Writes what is to be kept; allocates only where `habits` has held nothing yet.
    pub(super) fn keep(&self, habits: &mut Habits) {
        let pairs = [
            (&mut habits.jumps, &self.jumps[..]),
            (&mut habits.windows, &self.exposure),
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

    /// What becomes of a belief over the next `steps`.
    pub(super) fn over(&self, steps: f32) -> Transition {
        let drift = self.drift * steps;
        let rounds = (drift / MAX_DRIFT).ceil().clamp(1.0, MOST_ROUNDS);
        Transition {
            steps,
            hazard: within(self.hazard_at(self.age), steps),
            drift: (drift / rounds).min(MAX_DRIFT),
            rounds: rounds as u32,
        }
    }

    /// The chance of a jump in one step, on average over all ages.
    pub(super) fn usual_hazard(&self) -> f32 {
        (self.all.seen + PRIOR_JUMPS.seen) / (self.all.exposure + PRIOR_JUMPS.exposure)
    }

    /// The same if the last jump was `age` steps ago.
    pub(super) fn hazard_at(&self, age: Option<f32>) -> f32 {
        let usual = self.usual_hazard();
        let Some(age) = age else {
            return usual.clamp(LEAST_HAZARD, GREATEST_HAZARD);
        };
        let bin = age_bin(age);
        let borrowed = OWN_OPINION / usual;
        ((self.jumps[bin] + OWN_OPINION) / (self.exposure[bin] + borrowed)).clamp(LEAST_HAZARD, GREATEST_HAZARD)
    }

    #[cfg(test)]
    pub(super) fn drift(&self) -> f32 {
        self.drift
    }

    #[cfg(test)]
    pub(super) fn landing(&self) -> &Bins {
        &self.landing
    }

    /// Writes what `belief` becomes by `transition` to `predicted`.
    pub(super) fn predict(&self, belief: &Belief, transition: &Transition, predicted: &mut Belief) {
        if transition.rounds > 1 {
            return self.predict_in_rounds(belief, transition, predicted);
        }
        let before = &belief.0;
        let hazard = transition.hazard;
        let stay = (1.0 - hazard) * (1.0 - 2.0 * transition.drift);
        let drift = (1.0 - hazard) * transition.drift;
        for bin in 1..BINS - 1 {
            predicted.0[bin] =
                stay * before[bin] + drift * (before[bin - 1] + before[bin + 1]) + hazard * self.landing[bin];
        }
        // what would leave the grid stays at its edge
        predicted.0[0] = (stay + drift) * before[0] + drift * before[1] + hazard * self.landing[0];
        let last = BINS - 1;
        predicted.0[last] = (stay + drift) * before[last] + drift * before[last - 1] + hazard * self.landing[last];
    }

    /// The same after a time in which more drifts than one round can bring.
    #[cold]
    fn predict_in_rounds(&self, belief: &Belief, transition: &Transition, predicted: &mut Belief) {
        predicted.0 = belief.0;
        for _ in 0..transition.rounds {
            diffuse(&mut predicted.0, transition.drift);
        }
        for (p, landing) in predicted.0.iter_mut().zip(&self.landing) {
            *p += transition.hazard * (landing - *p);
        }
    }

    /// Learns from an inference: `before` was believed, by `transition`; then something of that `likelihood` was
    /// observed, whose probability was `evidence`, and `after` is believed now. Returns the probability that there was
    /// a jump.
    pub(super) fn learn(
        &mut self,
        before: &Belief,
        transition: &Transition,
        likelihood: &Bins,
        evidence: f32,
        after: &Belief,
    ) -> f32 {
        if !evidence.recip().is_finite() {
            return 0.0;
        }
        let (steps, hazard) = (transition.steps, transition.hazard);
        let jumped = (hazard * grid::dot(&self.landing, likelihood) / evidence).clamp(0.0, 1.0);
        if steps <= LONGEST_STRETCH {
            self.learn_jump(jumped, steps);
            let inside = &likelihood[1..BINS - 1];
            let neighbours = grid::dot(&before.0[..BINS - 2], inside) + grid::dot(&before.0[2..], inside);
            let drift = transition.drift * transition.rounds as f32;
            let drifted = ((1.0 - hazard) * drift * neighbours / evidence).clamp(0.0, 1.0);
            self.drift += (drifted / 2.0 - steps * self.drift) / DRIFT_MEMORY;
            self.drift = self.drift.clamp(MIN_DRIFT, MAX_DRIFT);
        } else {
            self.age = None;
        }
        self.learn_level(after, transition.observed_steps());
        jumped
    }

    /// Learns that there was a jump within `steps` with the probability `jumped`.
    fn learn_jump(&mut self, jumped: f32, steps: f32) {
        if let Some(age) = self.age {
            let bin = age_bin(age);
            self.exposure[bin] += steps;
            // in shorter steps there may be more than one jump in a step of exposure, which count as one
            self.jumps[bin] = (self.jumps[bin] + jumped).min(self.exposure[bin]);
            if self.exposure[bin] > AGE_MEMORY {
                self.jumps[bin] *= 0.5;
                self.exposure[bin] *= 0.5;
            }
        }
        self.all.exposure += steps;
        self.all.seen = (self.all.seen + jumped).min(self.all.exposure);
        if self.all.exposure > AGE_MEMORY {
            self.all.seen *= 0.5;
            self.all.exposure *= 0.5;
        }
        self.age = if jumped > 0.5 { Some(steps) } else { self.age.map(|age| (age + steps).min(OLDEST)) };
    }

    /// Learns that the slowdown was where `belief` says, for `steps`.
    fn learn_level(&mut self, belief: &Belief, steps: f32) {
        self.seen = (self.seen + steps).min(LEVEL_MEMORY);
        // no time at all has passed, not even before
        if self.seen == 0.0 {
            return;
        }
        let rate = steps / self.seen;
        for (level, now) in self.levels.iter_mut().zip(&belief.0) {
            *level += rate * (now - *level);
        }
        self.update_landing();
    }

    fn update_landing(&mut self) {
        for (landing, (level, anywhere)) in self.landing.iter_mut().zip(self.levels.iter().zip(&self.anywhere)) {
            *landing = (1.0 - ANYWHERE) * level + ANYWHERE * anywhere;
        }
    }
}

/// Lets the share `drift` of each bin drift into each of its neighbours; what would leave the grid stays at its edge.
fn diffuse(bins: &mut Bins, drift: f32) {
    let mut below = bins[0];
    for bin in 0..BINS {
        let (here, above) = (bins[bin], bins[(bin + 1).min(BINS - 1)]);
        bins[bin] = (1.0 - 2.0 * drift) * here + drift * (below + above);
        below = here;
    }
}
