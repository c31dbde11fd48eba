//! Which activity and which wearer a sample of the grid belongs to.

use std::collections::{BTreeMap, VecDeque};

/// More different names than this are no activities, and no people.
const MOST_NAMES: usize = 2000;
/// Samples of the grid come at most so many readings after those that they lie between.
const LATEST: usize = 256;

/// Names by number, with the samples of each.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    samples: Vec<u64>,
    last: usize,
}

impl Names {
    /// The number of `name`; nothing where there are too many.
    pub(super) fn number(&mut self, name: &str) -> Option<usize> {
        if self.names.get(self.last).is_none_or(|last| last != name) {
            self.last = match self.names.iter().position(|known| known == name) {
                Some(number) => number,
                None if self.names.len() == MOST_NAMES => return None,
                None => {
                    self.names.push(name.to_owned());
                    self.samples.push(0);
                    self.names.len() - 1
                }
            };
        }
        Some(self.last)
    }

    /// The name with this number, which gains a sample.
    pub(super) fn count(&mut self, number: usize) -> &str {
        self.samples[number] += 1;
        &self.names[number]
    }

    /// Samples of each name that has any.
    pub(super) fn samples(&self) -> BTreeMap<String, u64> {
        self.names.iter().cloned().zip(self.samples.iter().copied()).filter(|(_, samples)| *samples > 0).collect()
    }
}

/// The tags of readings that the samples to come may lie between: of a label and a subject, each by its number.
#[derive(Debug, Default)]
pub(super) struct Tagging {
    readings: VecDeque<(f64, usize, usize)>,
    afresh: bool,
}

impl Tagging {
    /// A reading was taken at `time_s`.
    pub(super) fn observe(&mut self, time_s: f64, label: usize, subject: usize) {
        if self.readings.len() == LATEST {
            self.readings.pop_front();
        }
        self.readings.push_back((time_s, label, subject));
    }

    /// The next sample does not go on from the one before: it is a reading itself.
    pub(super) fn reset(&mut self) {
        self.afresh = true;
    }

    /// The tags of a sample at `time_s`: those of the reading at that time, or else before it.
    pub(super) fn at(&mut self, time_s: f64) -> (usize, usize) {
        if std::mem::take(&mut self.afresh)
            && let Some(place) = self.readings.iter().rposition(|reading| reading.0 == time_s)
        {
            self.readings.drain(..place);
        }
        // times of the grid are sums of periods
        while self.readings.get(1).is_some_and(|next| next.0 <= time_s + 1e-6) {
            self.readings.pop_front();
        }
        self.readings.front().map_or((0, 0), |(_, label, subject)| (*label, *subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_tags_of_the_reading_before_them() {
        let mut tagging = Tagging::default();
        for (time, label) in [(0.0, 1), (0.01, 1), (0.02, 2), (0.03, 2), (0.04, 3)] {
            tagging.observe(time, label, 7);
        }
        assert_eq!([0.0, 0.015, 0.02, 0.039].map(|time| tagging.at(time).0), [1, 1, 2, 2]);
        assert_eq!(tagging.at(0.5), (3, 7));
        // the clock was set back
        tagging.observe(0.01, 4, 7);
        tagging.reset();
        assert_eq!(tagging.at(0.01).0, 4);
    }
}
