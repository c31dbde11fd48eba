//! Decisions said again some windows later, by what came after, too.

use std::time::Duration;

use super::softmax::largest;
use crate::decode::{Decoder, FixedLag};
use crate::window::Window;

/// What a window is believed to be once so many others have followed it ([`Settings::lag`]).
///
/// [`Settings::lag`]: super::Settings::lag
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// Number of the window in its stream, from 0.
    pub window: u64,
    /// Its first and last sample, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// Stream time of the raw sample that completed it, seconds, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// The same sample's time since the beginning of 1970, UTC, where it is known.
    pub wall: Option<Duration>,
    /// Index among the labels of the most probable activity of `belief`.
    pub activity: usize,
    /// Probability of each label from all windows of the stream so far, those after it among them.
    pub belief: Vec<f32>,
}

impl Revision {
    /// Takes over all of `other`; allocates only where that has more activities.
    pub(super) fn copy_from(&mut self, other: &Self) {
        let mut belief = std::mem::take(&mut self.belief);
        belief.clone_from(&other.belief);
        let Self { window, samples, time_s, wall, activity, belief: _ } = *other;
        *self = Self { window, samples, time_s, wall, activity, belief };
    }
}

/// Makes revisions of the windows of one stream.
pub(super) struct Revisor {
    lag: usize,
    smoother: FixedLag,
    /// The latest windows, `lag` and one, as a ring without beliefs, and the place of the next.
    windows: Vec<Revision>,
    place: usize,
}

impl Revisor {
    /// For `labels` activities; revises windows that so many have followed.
    pub(super) fn new(labels: usize, lag: usize) -> Self {
        Self { lag, smoother: FixedLag::new(labels, lag), windows: vec![Revision::default(); lag + 1], place: 0 }
    }

    pub(super) fn lag(&self) -> usize {
        self.lag
    }

    /// Takes over what `decoder` has just learned of `window`; fills `revision` with that of the one `lag` windows before, or with
    /// nothing where there was none. Allocates for the first revision alone.
    pub(super) fn push(&mut self, decoder: &Decoder, window: &Window, revision: &mut Option<Revision>) {
        self.smoother.push(decoder);
        let Window { index, first_sample, last_sample, time_s, wall, .. } = *window;
        let latest = &mut self.windows[self.place];
        (latest.window, latest.samples, latest.time_s, latest.wall) =
            (index, (first_sample, last_sample), time_s, wall);
        self.place = (self.place + 1) % self.windows.len();
        let Some(shares) = self.smoother.smoothed(self.lag) else {
            *revision = None;
            return;
        };
        let revision = revision.get_or_insert_default();
        let belief = std::mem::take(&mut revision.belief);
        // the oldest is where the next one goes; it has no belief to copy
        *revision = Revision { belief, ..self.windows[self.place].clone() };
        revision.belief.clear();
        revision.belief.extend(shares.iter().map(|share| *share as f32));
        revision.activity = largest(&revision.belief);
    }
}
