//! Cutting windows out of a stream.

use std::time::Duration;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{WindowError, positive};
use crate::plausibility::Faults;

/// A window, in a buffer that is used again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Conditioned values, row-major `[channels, time]`, oldest first.
    samples: Vec<f32>,
    /// Values of each channel.
    length: usize,
    /// Number of the window in the stream, counted from 0.
    pub index: u64,
    /// Number of the window's first sample in the stream, counted from 0.
    pub first_sample: u64,
    /// Number of its last sample.
    pub last_sample: u64,
    /// The stream's own time of the raw sample that completed the window, in seconds, where it has timestamps; the
    /// conditioning's delay after [`Window::last_sample`].
    pub time_s: Option<f64>,
    /// The same sample's time since the beginning of 1970, UTC, where it is known.
    pub wall: Option<Duration>,
    /// When the raw sample that completed the window arrived, by gaitd's clock. The budget runs from here.
    pub arrived: Duration,
    /// When it was complete and conditioned, by the same clock; when it is expected to be, where samples are missing.
    pub completed: Duration,
    /// So many of its last samples are still to come; what stands in their places means nothing.
    pub missing: usize,
    /// What was wrong with the stream's sensors then.
    pub faults: Faults,
    /// Number of the latest sample, up to the window's last one, with which the raw samples told of a change of the activity;
    /// none where none did, or nobody looks for it.
    pub changed_at: Option<u64>,
}

impl Window {
    /// An empty buffer for windows of `length` samples.
    #[must_use]
    pub fn new(channels: usize, length: usize) -> Self {
        Self {
            samples: vec![0.0; channels * length],
            length,
            index: 0,
            first_sample: 0,
            last_sample: 0,
            time_s: None,
            wall: None,
            arrived: Duration::ZERO,
            completed: Duration::ZERO,
            missing: 0,
            faults: Faults::NONE,
            changed_at: None,
        }
    }

    /// The values, row-major `[channels, time]`.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The same, to be filled.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// The values as an array `[channels, time]`.
    #[must_use]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape(self.shape(), &self.samples).expect("the buffer has this shape")
    }

    /// The same, to be filled.
    pub fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        ArrayViewMut2::from_shape(self.shape(), &mut self.samples).expect("the buffer has this shape")
    }

    /// Number of channels, and of the values of each.
    fn shape(&self) -> (usize, usize) {
        (self.samples.len() / self.length.max(1), self.length)
    }
}

/// Keeps the latest samples of a stream and says when a window is complete.
///
/// The first window is complete `length` samples after the start or a reset, each further one `hop` samples later.
/// Samples keep their number in the stream over resets.
#[derive(Debug)]
pub struct Windower {
    channels: usize,
    length: usize,
    hop: usize,
    /// The latest `length` samples, `[channels, length]`, as one ring per channel.
    ring: Vec<f32>,
    /// Place of the oldest sample in each ring.
    oldest: usize,
    /// Samples that are still to come until a window is complete.
    remaining: usize,
    /// Number of the next sample.
    next: u64,
}

impl Windower {
    /// For windows of `length` samples, a new one every `hop` samples.
    ///
    /// # Errors
    /// When one of the three is 0.
    pub fn new(channels: usize, length: usize, hop: usize) -> Result<Self, WindowError> {
        positive(&[("number of channels", channels), ("window", length), ("hop", hop)])?;
        let ring = vec![0.0; channels * length];
        Ok(Self { channels, length, hop, ring, oldest: 0, remaining: length, next: 0 })
    }

    /// Samples of a window.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Takes the next samples, one after the other with one value per channel, no more of them than
    /// [`Windower::remaining`]. True if the last one completes a window.
    ///
    /// # Panics
    /// When `samples` is no whole number of samples, or of more than remain.
    pub fn push(&mut self, samples: &[f32]) -> bool {
        let count = samples.len() / self.channels;
        assert_eq!(samples.len(), count * self.channels, "one value per channel");
        assert!(count <= self.remaining, "{count} samples go beyond the window, of which {} remain", self.remaining);
        // of the newest ones only as many as the ring holds, which may begin again among them
        let kept = &samples[count.saturating_sub(self.length) * self.channels..];
        let first = (self.oldest + count - kept.len() / self.channels) % self.length;
        let (before, after) = kept.split_at(kept.len().min((self.length - first) * self.channels));
        for (channel, ring) in self.ring.chunks_exact_mut(self.length).enumerate() {
            for (from, samples) in [(first, before), (0, after)] {
                for (place, sample) in ring[from..].iter_mut().zip(samples.chunks_exact(self.channels)) {
                    *place = sample[channel];
                }
            }
        }
        self.oldest = (self.oldest + count) % self.length;
        self.next += count as u64;
        self.remaining -= count;
        if self.remaining > 0 {
            return false;
        }
        self.remaining = self.hop;
        true
    }

    /// Forgets all samples. `next` is the number of the sample that comes next: at a gap some samples may have been
    /// passed on to the conditioning that never came out of it.
    pub fn reset(&mut self, next: u64) {
        self.oldest = 0;
        self.remaining = self.length;
        self.next = next;
    }

    /// Samples that are still to come until the next window is complete.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Fills the window's values and sample numbers, once [`Windower::push`] has said that it is complete; or, with `missing`
    /// above 0, those of the next one, when so many samples are still to come. The times are left to the caller, who knows
    /// them.
    ///
    /// # Panics
    /// When the window was made for other channels or another length, or all of it is missing.
    pub fn fill(&self, window: &mut Window, missing: usize) {
        assert_eq!(window.length, self.length, "a window of the same length");
        assert_eq!(window.samples.len(), self.ring.len(), "a window of the same channels");
        assert!(missing < self.length, "{missing} of {} samples are missing", self.length);
        let channels = window.samples.chunks_exact_mut(self.length).zip(self.ring.chunks_exact(self.length));
        for (channel, ring) in channels {
            let (newer, older) = ring.split_at(self.oldest);
            // the oldest ones are not of it, where some are missing
            let from_older = older.get(missing..).unwrap_or_default();
            let from_newer = &newer[missing.saturating_sub(older.len())..];
            channel[..from_older.len()].copy_from_slice(from_older);
            channel[from_older.len()..][..from_newer.len()].copy_from_slice(from_newer);
        }
        window.missing = missing;
        window.first_sample = self.first_sample(missing);
        window.last_sample = (self.next + missing as u64).saturating_sub(1);
    }

    /// The first sample of the window that is complete, or of which so many samples are still to come.
    #[must_use]
    pub fn first_sample(&self, missing: usize) -> u64 {
        (self.next + missing as u64).saturating_sub(self.length as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zero_is_refused() {
        for (channels, length, hop) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            let error = Windower::new(channels, length, hop).unwrap_err();
            assert!(error.to_string().ends_with("is 0, but must be at least 1"), "{error}");
        }
    }

    #[test]
    fn a_window_holds_one_channel_after_the_other() {
        let mut window = Window::new(3, 2);
        assert_eq!(window.samples(), [0.0; 6]);
        window.samples_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(window.samples(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let channels = [0, 1, 2].map(|channel| window.view().row(channel).to_vec());
        assert_eq!(channels, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        window.view_mut()[[2, 0]] = 7.0;
        assert_eq!(window.samples(), [1.0, 2.0, 3.0, 4.0, 7.0, 6.0]);
        assert_eq!(Window::new(2, 0).view().dim(), (0, 0));
    }

    #[test]
    fn the_first_window_takes_its_length_and_each_further_one_a_hop() {
        let mut windower = Windower::new(1, 3, 2).unwrap();
        let complete: Vec<_> = (0..8).map(|_| windower.push(&[0.0])).collect();
        assert_eq!(complete, [false, false, true, false, true, false, true, false]);
        windower.reset(20);
        let complete: Vec<_> = (0..5).map(|_| windower.push(&[0.0])).collect();
        assert_eq!(complete, [false, false, true, false, true]);
    }

    #[test]
    fn filling_a_window_leaves_its_index_and_times_alone() {
        let mut windower = Windower::new(2, 2, 1).unwrap();
        windower.reset(7);
        let mut window = Window::new(2, 2);
        (window.index, window.time_s) = (5, Some(1.5));
        (window.arrived, window.completed) = (Duration::from_secs(2), Duration::from_secs(3));
        assert!(!windower.push(&[1.0, 2.0]) && windower.push(&[3.0, 4.0]));
        windower.fill(&mut window, 0);
        assert_eq!((window.first_sample, window.last_sample), (7, 8));
        assert_eq!(window.samples(), [1.0, 3.0, 2.0, 4.0]);
        assert_eq!((window.index, window.time_s), (5, Some(1.5)));
        assert_eq!((window.arrived, window.completed), (Duration::from_secs(2), Duration::from_secs(3)));
    }

    #[test]
    #[should_panic = "a window of the same length"]
    fn a_window_of_another_length_is_not_filled() {
        // as many values
        Windower::new(2, 3, 1).unwrap().fill(&mut Window::new(3, 2), 0);
    }

    #[test]
    #[should_panic = "one value per channel"]
    fn a_sample_of_other_channels_is_not_taken() {
        Windower::new(2, 3, 1).unwrap().push(&[1.0]);
    }

    proptest! {
        /// Windows equal slices of the whole stream, whatever the length, the hop and the resets, and know where
        /// they come from.
        #[test]
        fn windows_are_slices_of_the_stream(
            channels in 1..4usize,
            length in 1..12usize,
            hop in 1..20usize,
            stretches in prop::collection::vec((0..60usize, 0..3u64), 1..5),
            together in 1..30usize,
        ) {
            let value = |number: u64, channel: usize| (number * 10) as f32 + channel as f32;
            let mut windower = Windower::new(channels, length, hop).unwrap();
            let mut window = Window::new(channels, length);
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            let mut start = 0u64;
            for (samples, lost) in stretches {
                let (mut number, end) = (start, start + samples as u64);
                while number < end {
                    let next = end.min(number + together.min(windower.remaining()) as u64);
                    let samples = (number..next).flat_map(|number| (0..channels).map(move |it| value(number, it)));
                    number = next;
                    if windower.push(&samples.collect::<Vec<_>>()) {
                        windower.fill(&mut window, 0);
                        found.push((window.first_sample, window.last_sample, window.samples.clone()));
                    }
                }
                expected.extend((0..).map(|k| k * hop).take_while(|at| at + length <= samples).map(|at| {
                    let first = start + at as u64;
                    let times = || first..first + length as u64;
                    let slice: Vec<f32> = (0..channels).flat_map(|c| times().map(move |t| value(t, c))).collect();
                    (first, first + length as u64 - 1, slice)
                }));
                start += samples as u64 + lost;
                windower.reset(start);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
