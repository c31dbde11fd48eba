//! Fixed-lag smoothing: what the wearer did a few windows ago, from the answers since then, too.

use super::Decoder;

/// The beliefs of a [`Decoder`] some windows back, corrected by what came after: the backward pass of the forward-backward algorithm
/// (Rabiner, 1989) over the latest windows, which is exact for this model.
///
/// An answer that may wait a few windows is better than one that may not, above all around a change. Nothing is allocated after
/// [`FixedLag::new`]; a window costs `lag` steps of a few operations for each activity.
///
/// ```
/// use std::time::Duration;
///
/// use gaitd_core::decode::{Context, Decoder, FixedLag, Trust};
///
/// let hop = Duration::from_millis(1280);
/// let (mut decoder, mut lag) = (Decoder::new(2, Context::mild(hop)), FixedLag::new(2, 2));
/// let mut believed = Vec::new();
/// for first in [0.9, 0.9, 0.4, 0.1, 0.1] {
///     let trust = Trust { doubt: 0.1, evidence: decoder.evidence(hop) };
///     decoder.pass(hop, false);
///     decoder.learn(&[first, 1.0 - first], trust);
///     lag.push(&decoder);
///     believed.extend(lag.smoothed(2).map(|shares| shares[0] > 0.5));
/// }
/// assert_eq!(believed, [true, true, false], "the third window belongs to what came after it");
/// ```
#[derive(Clone, Debug)]
pub struct FixedLag {
    labels: usize,
    /// Windows that the rings hold, those that they hold so far, and the place of the next one.
    windows: usize,
    known: usize,
    place: usize,
    /// By place: the belief after the window, what it said, and the chance of having done the same since the window before.
    filtered: Vec<f64>,
    said: Vec<f64>,
    stayed: Vec<f64>,
    smoothed: Vec<f64>,
}

impl FixedLag {
    /// For beliefs in `labels` activities, of windows up to `lag` back.
    #[must_use]
    pub fn new(labels: usize, lag: usize) -> Self {
        let windows = lag + 1;
        Self {
            labels,
            windows,
            known: 0,
            place: 0,
            filtered: vec![0.0; windows * labels],
            said: vec![0.0; windows * labels],
            stayed: vec![0.0; windows],
            smoothed: vec![0.0; labels],
        }
    }

    /// Takes over what `decoder` has just learned of a window.
    ///
    /// # Panics
    /// When it is one of another number of activities.
    pub fn push(&mut self, decoder: &Decoder) {
        let at = self.place * self.labels..(self.place + 1) * self.labels;
        self.filtered[at.clone()].copy_from_slice(decoder.shares());
        self.said[at].copy_from_slice(decoder.said());
        self.stayed[self.place] = decoder.stayed();
        self.place = (self.place + 1) % self.windows;
        self.known = (self.known + 1).min(self.windows);
    }

    /// The probability of each activity in the window `back` windows before the latest, up to the lag, by all answers until the
    /// latest; nothing where there was no such window.
    pub fn smoothed(&mut self, back: usize) -> Option<&[f64]> {
        if back >= self.known {
            return None;
        }
        let Self { labels, windows, place, filtered, said, stayed, smoothed, .. } = self;
        let at = |back: usize| (*place + *windows - 1 - back) % *windows;
        let of = |back: usize| at(back) * *labels..(at(back) + 1) * *labels;
        // the backward variable, up to a factor: what later answers say of each activity
        smoothed.fill(1.0 / *labels as f64);
        for later in 0..back {
            weigh(smoothed, &said[of(later)]);
            let stay = stayed[at(later)];
            let even = (1.0 - stay) / *labels as f64;
            smoothed.iter_mut().for_each(|share| *share = stay * *share + even);
        }
        weigh(smoothed, &filtered[of(back)]);
        Some(smoothed)
    }
}

/// Multiplies `shares` by `factors`, and makes a distribution of them.
fn weigh(shares: &mut [f64], factors: &[f64]) {
    shares.iter_mut().zip(factors).for_each(|(share, factor)| *share *= factor);
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
}
