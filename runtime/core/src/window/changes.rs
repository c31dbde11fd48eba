//! Where in a stream its raw samples told of a change of the activity.

use crate::decode::ChangeDetector;

/// The latest sample with which a detector told of a change, by its number in the stream.
///
/// What is conditioned comes later than it was taken. A window is complete some raw samples after its last one, and what these
/// tell belongs to the next window.
pub(super) struct Changes {
    detector: ChangeDetector,
    /// Of the latest samples, as many as the conditioning holds back, whether each told of a change: a ring.
    held: Vec<bool>,
    place: usize,
    /// Number of the next sample that leaves the ring.
    next: u64,
    /// Samples that are still to come before one does.
    filling: usize,
    pub(super) latest: Option<u64>,
}

impl Changes {
    /// Looks by `detector`, for a conditioning that delays by so many samples.
    pub(super) fn new(detector: ChangeDetector, delay: usize) -> Self {
        Self { detector, held: vec![false; delay], place: 0, next: 0, filling: delay, latest: None }
    }

    pub(super) fn push(&mut self, raw: &[f64]) {
        let mut told = self.detector.push(raw);
        if let Some(held) = self.held.get_mut(self.place) {
            told = std::mem::replace(held, told);
            self.place = (self.place + 1) % self.held.len();
        }
        if self.filling > 0 {
            self.filling -= 1;
            return;
        }
        if told {
            self.latest = Some(self.next);
        }
        self.next += 1;
    }

    /// The stream goes on after a gap, with the sample `next`.
    pub(super) fn reset(&mut self, next: u64) {
        self.detector.reset();
        self.held.fill(false);
        (self.next, self.filling) = (next, self.held.len());
    }
}
