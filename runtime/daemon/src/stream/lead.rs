//! How long before a window's last sample an inference can begin: learned from when samples arrive.
//!
//! A sensor that gives its samples in packets gives those by which an inference could begin together with the last one, or long
//! before it. A head would then be done for nothing most of the time, so where that is so, none is begun.

use std::time::Duration;

/// Windows that are remembered.
const WINDOWS: usize = 8;

/// One of so many windows may come in one packet with what is before it.
const TOGETHER: usize = 8;

/// What the windows of late have shown of the time from the sample by which an inference can begin to the last one.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    /// Samples from the one to the other, and how long they take by the stream's rate.
    missing: usize,
    nominal: Duration,
    /// The first sample of the window that was shown last, and when that was.
    shown: Option<(u64, Duration)>,
    recent: [Duration; WINDOWS],
    seen: usize,
}

impl Lead {
    /// Nothing is known yet of windows of which `missing` samples are missing, which take `nominal`.
    pub(crate) fn of(missing: usize, nominal: Duration) -> Self {
        Self { missing, nominal, ..Self::default() }
    }

    /// Samples that are missing of a window by which an inference can begin.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// The window that begins with `first_sample` has come so far at the clock time `arrived`; returns when its last sample is
    /// expected, where it is worth while to begin.
    pub(crate) fn shown(&mut self, first_sample: u64, arrived: Duration) -> Option<Duration> {
        self.shown = Some((first_sample, arrived));
        let mut recent = self.recent;
        let recent = &mut recent[..self.seen.min(WINDOWS)];
        recent.sort_unstable();
        let together = recent.partition_point(|lead| *lead < self.nominal / 2);
        let median = recent.get(recent.len() / 2)?;
        (together * TOGETHER <= recent.len()).then(|| arrived + *median)
    }

    /// The last sample of the window that begins with `first_sample` has come at the clock time `arrived`.
    pub(crate) fn completed(&mut self, first_sample: u64, arrived: Duration) {
        let Some((shown, since)) = self.shown.take() else { return };
        if shown == first_sample {
            self.recent[self.seen % WINDOWS] = arrived.saturating_sub(since);
            self.seen += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn lead() -> Lead {
        Lead::of(4, MS(80))
    }

    /// For each window whether one is begun with it, and how long before its last sample, where the samples by which it could
    /// be come so many milliseconds before the last one.
    fn begun(lead: &mut Lead, leads: &[u64]) -> Vec<Option<u64>> {
        let window = |(index, ms): (usize, &u64)| {
            let (first, at) = (index as u64 * 64, MS(1280 * index as u64));
            let expected = lead.shown(first, at).map(|expected| (expected - at).as_millis() as u64);
            lead.completed(first, at + MS(*ms));
            expected
        };
        leads.iter().enumerate().map(window).collect()
    }

    #[test]
    fn what_was_seen_once_is_expected_again() {
        assert_eq!(begun(&mut lead(), &[82, 79, 81, 80]), [None, Some(82), Some(82), Some(81)]);
    }

    #[test]
    fn samples_that_come_in_packets_begin_nothing_but_for_a_rare_one() {
        assert!(begun(&mut lead(), &[0; 20]).iter().all(Option::is_none));
        // packets of ten: four windows of ten begin in the packet before
        let packets: Vec<u64> = (0..40).map(|window| if window % 10 < 4 { 200 } else { 0 }).collect();
        assert!(begun(&mut lead(), &packets).iter().skip(5).all(Option::is_none));
        let mut rare = vec![80; 20];
        rare[8] = 1;
        assert!(begun(&mut lead(), &rare)[1..].iter().all(Option::is_some));
        rare[10] = 1;
        let begun = begun(&mut lead(), &rare);
        // until one of the two is forgotten
        assert!(begun[10].is_some() && begun[11..17].iter().all(Option::is_none) && begun[17].is_some(), "{begun:?}");
    }

    #[test]
    fn a_window_that_never_came_teaches_nothing() {
        let mut lead = lead();
        assert_eq!(lead.shown(0, MS(0)), None);
        // a gap: another window is complete
        lead.completed(640, MS(5000));
        assert_eq!(lead.shown(704, MS(6000)), None);
        lead.completed(704, MS(6080));
        assert_eq!(lead.shown(768, MS(7000)), Some(MS(7080)));
    }
}
