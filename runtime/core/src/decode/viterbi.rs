//! The most probable sequence of activities of a whole recording.

use super::Decoder;

/// Finds the most probable sequence of activities, one for each window, by the algorithm of Viterbi ("Error bounds for
/// convolutional codes", 1967), under the model of [`Decoder`].
///
/// It needs the whole recording, and answers as a whole: its activity at a window need not be the most probable one there by itself.
/// A change leads to any activity alike, so that the best way to one comes either from itself or from the best of all: time and
/// memory grow with windows times activities, not with the square of these. Of equally probable ways the one that stays is taken,
/// and the first activity.
///
/// ```
/// use std::time::Duration;
///
/// use gaitd_core::decode::{Context, Decoder, Trust, Viterbi};
///
/// let hop = Duration::from_millis(1280);
/// let (mut decoder, mut viterbi) = (Decoder::new(2, Context::mild(hop)), Viterbi::new(2));
/// for first in [0.9, 0.9, 0.3, 0.9, 0.2, 0.1, 0.1] {
///     let trust = Trust { doubt: 0.1, evidence: decoder.evidence(hop) };
///     decoder.pass(hop, false);
///     decoder.learn(&[first, 1.0 - first], trust);
///     viterbi.push(&decoder);
/// }
/// assert_eq!(viterbi.finish(), [0, 0, 0, 0, 1, 1, 1]);
/// ```
#[derive(Clone, Debug)]
pub struct Viterbi {
    /// Logarithm of the probability of the best way to each activity, up to what they have in common.
    scores: Vec<f64>,
    /// For each window, the most probable activity before it.
    before: Vec<usize>,
    /// For each window and activity, whether it is reached better from itself than from that.
    stays: Vec<bool>,
}

impl Viterbi {
    /// For a recording of `labels` activities, of which nothing is known before the first window.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new(labels: usize) -> Self {
        assert!(labels > 0, "a sequence is one of activities");
        Self { scores: vec![0.0; labels], before: Vec::new(), stays: Vec::new() }
    }

    /// Takes over what `decoder` has just learned of a window.
    ///
    /// # Panics
    /// When it is one of another number of activities.
    pub fn push(&mut self, decoder: &Decoder) {
        let (said, stay) = (decoder.said(), decoder.stayed());
        assert_eq!(said.len(), self.scores.len(), "activities of the decoder");
        let best = best(&self.scores);
        self.before.push(best);
        let jump = (1.0 - stay) / said.len() as f64;
        let (jumped, stay) = (self.scores[best] + jump.ln(), (stay + jump).ln());
        for (score, said) in self.scores.iter_mut().zip(said) {
            let stayed = *score + stay;
            self.stays.push(stayed >= jumped);
            *score = stayed.max(jumped) + said.ln();
        }
        // however long the recording, they stay comparable
        let highest = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.scores.iter_mut().for_each(|score| *score -= highest);
    }

    /// The sequence, an activity for each window.
    #[must_use]
    pub fn finish(self) -> Vec<usize> {
        let labels = self.scores.len();
        let mut activity = best(&self.scores);
        let mut path = vec![0; self.before.len()];
        for (place, before) in self.before.iter().enumerate().rev() {
            path[place] = activity;
            if !self.stays[place * labels + activity] {
                activity = *before;
            }
        }
        path
    }
}

/// The place of the highest score, the first of several.
fn best(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, place| if scores[place] > scores[best] { place } else { best })
}
