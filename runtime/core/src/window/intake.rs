//! The way from a reading to complete windows: continuity, conditioning, windowing.

use std::time::Duration;

use super::changes::Changes;
use super::{Shortfall, Window, Windower};
use crate::condition::{BLOCK, Conditioner};
use crate::decode::ChangeDetector;
use crate::plausibility::{Faults, Plausibility};
use crate::stream::continuity::is_measured;
use crate::stream::{Continuity, Reading, Sample, Step, StreamCounts};

/// Turns the readings of one stream into conditioned windows.
pub struct Intake {
    plausibility: Plausibility,
    continuity: Continuity,
    cutter: Cutter,
}

/// Conditions continuous samples and cuts windows from them.
pub struct Cutter {
    conditioner: Conditioner,
    windower: Windower,
    raw_channels: usize,
    /// Raw samples that wait for others to be conditioned with, one after the other.
    waiting: Vec<f64>,
    conditioned: Vec<f32>,
    /// A window is shown when so many of its samples are still to come, too, where it is not 0.
    missing: usize,
    windows: u64,
    /// Samples since the last fresh start, and the most between two.
    stretch: u64,
    longest: u64,
    changes: Option<Changes>,
}

/// A window that waits to be copied out: a complete one, or one of which samples are still to come.
pub struct Ready<'a> {
    windower: &'a Windower,
    missing: usize,
    index: u64,
    time_s: Option<f64>,
    arrived: Duration,
    faults: Faults,
    changed_at: Option<u64>,
}

impl Intake {
    /// An intake behind `continuity`, whose raw samples `plausibility` watches.
    #[must_use]
    pub fn new(continuity: Continuity, cutter: Cutter, plausibility: Plausibility) -> Self {
        Self { plausibility, continuity, cutter }
    }

    /// What is wrong with the raw samples.
    #[must_use]
    pub fn plausibility(&self) -> &Plausibility {
        &self.plausibility
    }

    /// Samples without timestamps arrive at this rate, in hertz, where they are taken for another one.
    pub fn set_arriving(&mut self, found_hz: Option<f64>) {
        self.plausibility.set_arriving(found_hz);
    }

    /// Shows each window when so many of its samples are still to come, too; not before it is complete where it is 0. Windows
    /// that begin with fewer samples of their own are shown when they are complete, only.
    pub fn show_missing(&mut self, missing: usize) {
        self.cutter.missing = missing;
    }

    /// Channels of a raw sample.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.cutter.raw_channels
    }

    /// What became of the samples so far.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        self.continuity.counts()
    }

    /// Samples per second of the grid.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        self.continuity.period_s().recip()
    }

    /// By how much the grid is behind the newest sample at present, in seconds.
    #[must_use]
    pub fn delay_s(&self) -> f64 {
        self.continuity.delay_s()
    }

    /// Why no window came of the stream so far; nothing where one did.
    #[must_use]
    pub fn shortfall(&self) -> Option<Shortfall> {
        let Cutter { conditioner, windower, windows, stretch, longest, .. } = &self.cutter;
        (*windows == 0).then(|| Shortfall {
            counts: self.counts(),
            longest_s: *(longest.max(stretch)) as f64 * self.continuity.period_s(),
            window_s: windower.length() as f64 * self.continuity.period_s(),
            conditioning_s: conditioner.delay() as f64 * self.continuity.period_s(),
        })
    }

    /// Takes the next reading of the stream (its sample in `sample`), which arrived at clock time `arrived`; calls
    /// `ready` for every window that it completes, and that [`Intake::show_missing`] shows before.
    pub fn push(&mut self, reading: &Reading, sample: &Sample, arrived: Duration, mut ready: impl FnMut(Ready<'_>)) {
        let Self { plausibility, continuity, cutter } = self;
        match reading {
            Reading::Sample if is_measured(sample) => plausibility.push(sample),
            Reading::Interrupted => plausibility.interrupt(),
            _ => {}
        }
        let faults = plausibility.faults();
        continuity.push(reading, sample, |step| match step {
            Step::Reset { next } => cutter.reset(next),
            Step::Sample { sample, .. } => {
                if let Some(window) = cutter.push(&sample.values, sample.time_s, arrived) {
                    ready(Ready { faults, ..window });
                }
            }
        });
    }
}

impl Cutter {
    /// A cutter that conditions samples of `raw_channels` by `conditioner` to `channels`, and cuts `windower`'s
    /// windows from them.
    #[must_use]
    pub fn new(conditioner: Conditioner, windower: Windower, raw_channels: usize, channels: usize) -> Self {
        let waiting = Vec::with_capacity(BLOCK * raw_channels);
        let conditioned = vec![0.0; BLOCK * channels];
        Self {
            conditioner,
            windower,
            raw_channels,
            waiting,
            conditioned,
            missing: 0,
            windows: 0,
            stretch: 0,
            longest: 0,
            changes: None,
        }
    }

    /// Lets `detector` look at the raw samples; windows say when it told of a change.
    #[must_use]
    pub fn watching(self, detector: ChangeDetector) -> Self {
        let changes = Some(Changes::new(detector, self.conditioner.delay()));
        Self { changes, ..self }
    }

    /// Starts conditioning and windowing afresh; the next sample pushed has the number `next`.
    pub fn reset(&mut self, next: u64) {
        self.waiting.clear();
        self.conditioner.reset();
        self.longest = self.longest.max(std::mem::take(&mut self.stretch));
        // the conditioning holds back its delay of samples, so that what comes out first is still the next one
        self.windower.reset(next);
        if let Some(changes) = &mut self.changes {
            changes.reset(next);
        }
    }

    /// Takes the next raw sample; a window if it completes one, or is the last before those that may be missing.
    pub fn push(&mut self, raw: &[f64], time_s: Option<f64>, arrived: Duration) -> Option<Ready<'_>> {
        self.stretch += 1;
        if let Some(changes) = &mut self.changes {
            changes.push(raw);
        }
        self.waiting.extend_from_slice(raw);
        let waiting = self.waiting.len() / self.raw_channels;
        // raw samples from here to the end of the window
        let left = self.windower.remaining() + self.conditioner.held_back() - waiting;
        let shown = left == 0 || left == self.missing;
        // a sample that windows are shown with waits for itself alone
        let next_is_shown = left == 1 || left == self.missing + 1;
        if !shown && !next_is_shown && waiting < BLOCK {
            return None;
        }
        let given = self.conditioner.push_block(&self.waiting, &mut self.conditioned);
        self.waiting.clear();
        let channels = self.conditioned.len() / BLOCK;
        let complete = self.windower.push(&self.conditioned[..given * channels]);
        if !shown {
            return None;
        }
        let missing = if complete { 0 } else { self.missing };
        let index = self.windows;
        self.windows += u64::from(complete);
        let changed_at = self.changes.as_ref().and_then(|changes| changes.latest);
        Some(Ready { windower: &self.windower, missing, index, time_s, arrived, faults: Faults::NONE, changed_at })
    }
}

impl Ready<'_> {
    /// Samples that are still to come.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The number of its first sample in the stream.
    #[must_use]
    pub fn first_sample(&self) -> u64 {
        self.windower.first_sample(self.missing)
    }

    /// What was wrong with the stream's sensors when the latest of its samples came.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Copies the window out.
    pub fn fill(&self, window: &mut Window) {
        self.windower.fill(window, self.missing);
        window.index = self.index;
        (window.time_s, window.wall) = (self.time_s, None);
        window.arrived = self.arrived;
        (window.faults, window.changed_at) = (self.faults, self.changed_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Channel, StreamFormat};

    /// One sample per 1/64 s, of which the second channel is not used; a median of 3 delays by a sample. Windows of 3
    /// samples, a new one every 2.
    fn intake() -> Intake {
        let channel = |name: &str| Channel { name: name.to_owned(), unit: "g".to_owned() };
        let format = StreamFormat { channels: vec![channel("a"), channel("b")], rate_hz: 64.0 };
        let ops: Vec<_> = serde_json::from_str(r#"[{"op": "median", "from": ["a"], "length": 3}]"#).unwrap();
        let conditioner = Conditioner::new(&format.channels, &ops, &format.channels[..1]).unwrap();
        let cutter = Cutter::new(conditioner, Windower::new(1, 3, 2).unwrap(), 2, 1);
        Intake::new(Continuity::new(&format, 0.1).unwrap(), cutter, Plausibility::new(&format, &[]))
    }

    /// A window's number, those of its samples, its values, and where the sample that completed it stood in time.
    type Found = (u64, [u64; 2], Vec<f32>, Option<f64>, Duration);

    /// The windows that are complete at the place `place` of a stream that rises by 1 each sample.
    fn push(intake: &mut Intake, place: u32) -> Vec<Found> {
        let sample = Sample { time_s: Some(f64::from(place) / 64.0), values: vec![f64::from(10 + place), -1.0] };
        let mut found = Vec::new();
        let mut window = Window::new(1, 3);
        intake.push(&Reading::Sample, &sample, Duration::from_millis(place.into()), |ready| {
            ready.fill(&mut window);
            let samples = [window.first_sample, window.last_sample];
            found.push((window.index, samples, window.samples().to_vec(), window.time_s, window.arrived));
        });
        found
    }

    fn window(index: u64, first: u64, values: [f32; 3], place: u32) -> Found {
        let (time_s, arrived) = (f64::from(place) / 64.0, Duration::from_millis(place.into()));
        (index, [first, first + 2], values.to_vec(), Some(time_s), arrived)
    }

    #[test]
    fn a_window_waits_for_the_conditioning_of_its_last_sample() {
        let mut intake = intake();
        assert_eq!(intake.channels(), 2);
        let found: Vec<_> = (0..8).map(|place| push(&mut intake, place)).collect();
        let (first, second) = (window(0, 0, [10.0, 11.0, 12.0], 3), window(1, 2, [12.0, 13.0, 14.0], 5));
        let third = window(2, 4, [14.0, 15.0, 16.0], 7);
        assert_eq!(found, [vec![], vec![], vec![], vec![first], vec![], vec![second], vec![], vec![third]]);
        assert_eq!(intake.counts(), StreamCounts { samples: 8, ..StreamCounts::default() });
    }

    #[test]
    fn a_window_is_shown_before_its_last_samples_with_its_own_place_in_the_stream() {
        let mut intake = intake();
        intake.show_missing(1);
        let mut found = Vec::new();
        let mut window = Window::new(1, 3);
        for place in 0..8_u32 {
            let sample = Sample { time_s: None, values: vec![f64::from(10 + place), -1.0] };
            intake.push(&Reading::Sample, &sample, Duration::ZERO, |ready| {
                ready.fill(&mut window);
                assert_eq!(window.missing, ready.missing());
                let known = window.samples()[..3 - window.missing].to_vec();
                found.push((place, window.index, [window.first_sample, window.last_sample], known));
            });
        }
        // what comes with sample 2 is the window that is complete with sample 3
        let expected = [
            (2, 0, [0, 2], vec![10.0, 11.0]),
            (3, 0, [0, 2], vec![10.0, 11.0, 12.0]),
            (4, 1, [2, 4], vec![12.0, 13.0]),
            (5, 1, [2, 4], vec![12.0, 13.0, 14.0]),
            (6, 2, [4, 6], vec![14.0, 15.0]),
            (7, 2, [4, 6], vec![14.0, 15.0, 16.0]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn bridged_samples_may_complete_windows() {
        let mut intake = intake();
        assert!([0, 1].iter().all(|&place| push(&mut intake, place).is_empty()));
        // samples 2 to 5 are interpolated; they have times of their own, and arrive with what comes after them
        let arrived = Duration::from_millis(6);
        let first = (0, [0, 2], vec![10.0, 11.0, 12.0], Some(3.0 / 64.0), arrived);
        let second = (1, [2, 4], vec![12.0, 13.0, 14.0], Some(5.0 / 64.0), arrived);
        assert_eq!(push(&mut intake, 6), [first, second]);
        assert_eq!(intake.counts(), StreamCounts { samples: 3, bridged: 4, ..StreamCounts::default() });
    }

    #[test]
    fn after_a_gap_no_window_has_anything_from_before_it() {
        let mut intake = intake();
        let before: Vec<_> = (0..5).flat_map(|place| push(&mut intake, place)).collect();
        assert_eq!(before, [window(0, 0, [10.0, 11.0, 12.0], 3)]);
        // five samples have come, so that the next one has the number 5
        let after: Vec<_> = (100..106).flat_map(|place| push(&mut intake, place)).collect();
        let expected = [window(1, 5, [110.0, 111.0, 112.0], 103), window(2, 7, [112.0, 113.0, 114.0], 105)];
        assert_eq!(after, expected);
        let counts = StreamCounts { samples: 11, gaps: 1, resets: 1, ..StreamCounts::default() };
        assert_eq!(intake.counts(), counts);
    }
}
