//! What the simulated wearer does when, and the truth about it.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use super::Bout;
use super::model::{Activity, Model};

/// Seconds between two gaits, or a gait and standing: usual times, as no data set labels them.
const GAIT_TRANSITION_S: [f64; 2] = [1.0, 3.0];

/// A stretch of the stream in which one activity goes on or one turns into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from: Activity,
    pub(super) to: Activity,
    /// First sample.
    pub(super) first: u64,
    /// One behind the last sample.
    pub(super) end: u64,
    /// Whether this is one activity throughout.
    pub(super) steady: bool,
}

/// A uniform number in `[0, 1)` from the upper 53 bits, the same on every machine and in every version of `rand`.
pub(super) fn uniform(rng: &mut impl Rng) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE
}

/// One of `choices`, which must not be empty, each as likely as the others.
pub(super) fn choose<'a, T>(rng: &mut impl Rng, choices: &'a [T]) -> &'a T {
    &choices[((uniform(rng) * choices.len() as f64) as usize).min(choices.len() - 1)]
}

fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * uniform(rng)
}

/// What people plausibly do next: nobody lies down while walking.
fn neighbours(activity: Activity) -> &'static [Activity] {
    use Activity::{Downstairs, Lying, Sitting, Standing, Upstairs, Walking};
    match activity {
        Walking => &[Upstairs, Downstairs, Standing],
        Upstairs => &[Walking, Downstairs, Standing],
        Downstairs => &[Walking, Upstairs, Standing],
        Sitting => &[Standing, Lying],
        Standing => &[Walking, Upstairs, Downstairs, Sitting, Lying],
        Lying => &[Sitting, Standing],
    }
}

/// The segments of a run, one after the other: endless, and the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    model: Arc<Model>,
    rng: Xoshiro256PlusPlus,
    /// What to do instead of a random schedule, over and over; empty for a random one.
    plan: Arc<[Bout]>,
    planned: usize,
    last: Option<Segment>,
}

impl Schedule {
    pub(super) fn new(model: Arc<Model>, seed: u64, plan: Arc<[Bout]>) -> Self {
        Self { model, rng: Xoshiro256PlusPlus::seed_from_u64(seed), plan, planned: 0, last: None }
    }

    fn bout(&mut self, after: Option<Activity>) -> Activity {
        match (self.plan.get(self.planned), after) {
            (Some(bout), _) => bout.activity,
            (None, Some(activity)) => *choose(&mut self.rng, neighbours(activity)),
            (None, None) => *choose(&mut self.rng, &Activity::ALL),
        }
    }

    fn dwell_s(&mut self, activity: Activity) -> f64 {
        if let Some(bout) = self.plan.get(self.planned) {
            self.planned = (self.planned + 1) % self.plan.len();
            return bout.seconds;
        }
        // the model was checked to name every activity
        self.model.dwell_s.get(&activity).map_or(1.0, |dwell| between(&mut self.rng, *dwell))
    }

    fn transition_s(&mut self, from: Activity, to: Activity) -> f64 {
        let fitted = self.model.transitions.iter().find(|t| (t.from, t.to) == (from, to));
        between(&mut self.rng, fitted.map_or(GAIT_TRANSITION_S, |t| t.seconds))
    }

    pub(super) fn next_segment(&mut self) -> Segment {
        let (from, to, first, steady) = match self.last {
            None => {
                let activity = self.bout(None);
                (activity, activity, 0, true)
            }
            Some(Segment { steady: true, to, end, .. }) => (to, self.bout(Some(to)), end, false),
            Some(Segment { to, end, .. }) => (to, to, end, true),
        };
        let seconds = if steady { self.dwell_s(to) } else { self.transition_s(from, to) };
        let samples = ((seconds * self.model.sample_rate_hz).round() as u64).max(1);
        let segment = Segment { from, to, first, end: first.saturating_add(samples), steady };
        self.last = Some(segment);
        segment
    }
}

/// What the simulated wearer really did: follows the same schedule as the source, in constant memory.
#[derive(Clone, Debug)]
pub struct Truth {
    schedule: Schedule,
    /// Samples of the run, where it ends.
    samples: Option<u64>,
    /// Samples of the schedule for each of those that are asked about.
    ratio: f64,
    segment: Segment,
}

impl Truth {
    pub(super) fn new(mut schedule: Schedule, samples: Option<u64>, ratio: f64) -> Self {
        let segment = schedule.next_segment();
        Self { schedule, samples, ratio, segment }
    }

    /// The activity of the sample `sample` (counted from 0); `None` during a transition and behind the end.
    ///
    /// Ask in the order of time: the answer about a sample before the segment of the latest question is `None`.
    pub fn activity(&mut self, sample: u64) -> Option<Activity> {
        self.steady(sample, sample)
    }

    /// The activity of a steady window: one that lies wholly, from sample `first` to sample `last`, inside one bout
    /// of one activity. `None` for any other.
    ///
    /// Ask in the order of `first`: the answer about a window before the segment of the latest question is `None`.
    pub fn steady(&mut self, first: u64, last: u64) -> Option<Activity> {
        // exact where the rates are the same
        let (first, last) = ((first as f64 * self.ratio) as u64, (last as f64 * self.ratio).ceil() as u64);
        if self.samples.is_some_and(|samples| last >= samples) {
            return None;
        }
        while self.segment.end <= first {
            self.segment = self.schedule.next_segment();
        }
        let Segment { to, first: start, end, steady, .. } = self.segment;
        (steady && start <= first && last < end).then_some(to)
    }
}
