//! Keeping score of answers against the truth.

use std::time::Duration;

use gaitd_core::ladder::Percentiles;

/// Answers against the truth, and how long each took.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// `[truth, answer]`, windows.
    confusion: Vec<Vec<u64>>,
    latencies: Vec<Duration>,
}

impl Score {
    /// No window yet, of a task with so many labels.
    #[must_use]
    pub fn new(labels: usize) -> Self {
        Self { confusion: vec![vec![0; labels]; labels], latencies: Vec::new() }
    }

    /// Counts a window of the activity `truth` that was answered by `answer` after `latency`.
    pub(super) fn count(&mut self, truth: usize, answer: usize, latency: Duration) {
        self.confusion[truth][answer] += 1;
        self.latencies.push(latency);
    }

    /// Windows counted.
    #[must_use]
    pub fn windows(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// The share of the windows that were recognised, where there are any.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = (0..self.confusion.len()).map(|label| self.confusion[label][label]).sum();
        self.share(right as f64)
    }

    /// `part` of the windows, where there are any.
    pub(super) fn share(&self, part: f64) -> Option<f64> {
        (self.windows() > 0).then(|| part / self.windows() as f64)
    }

    /// Percentiles of the latencies, where there are any.
    #[must_use]
    pub fn latency(&self) -> Option<Percentiles> {
        Percentiles::of(&mut self.latencies.clone())
    }

    /// Windows by what they were (rows) and what they were taken for.
    #[must_use]
    pub fn confusion(&self) -> &[Vec<u64>] {
        &self.confusion
    }
}
