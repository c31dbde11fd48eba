//! The way from a reading to complete windows: continuity, conditioning, windowing.

use std::time::Duration;

use super::{Window, Windower};
use crate::condition::Conditioner;
use crate::stream::{Continuity, Reading, Sample, Step, StreamCounts};

/// Turns the readings of one stream into conditioned windows.
pub struct Intake {
    continuity: Continuity,
    cutter: Cutter,
}

/// Conditions continuous samples and cuts windows from them.
pub struct Cutter {
    conditioner: Conditioner,
    windower: Windower,
    raw_channels: usize,
    conditioned: Vec<f32>,
    windows: u64,
}

/// A complete window that waits to be copied out.
pub struct Ready<'a> {
    windower: &'a Windower,
    index: u64,
    time_s: Option<f64>,
    arrived: Duration,
}

impl Intake {
    /// An intake behind `continuity`.
    #[must_use]
    pub fn new(continuity: Continuity, cutter: Cutter) -> Self {
        Self { continuity, cutter }
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

    /// Takes the next reading of the stream (its sample in `sample`), which arrived at clock time `arrived`; calls
    /// `ready` for every window that it completes.
    pub fn push(&mut self, reading: &Reading, sample: &Sample, arrived: Duration, mut ready: impl FnMut(Ready<'_>)) {
        let Self { continuity, cutter } = self;
        continuity.push(reading, sample, |step| match step {
            Step::Reset { next } => cutter.reset(next),
            Step::Sample { sample, .. } => {
                if let Some(window) = cutter.push(&sample.values, sample.time_s, arrived) {
                    ready(window);
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
        Self { conditioner, windower, raw_channels, conditioned: vec![0.0; channels], windows: 0 }
    }

    /// Starts conditioning and windowing afresh; the next sample pushed has the number `next`.
    pub fn reset(&mut self, next: u64) {
        self.conditioner.reset();
        // the conditioning holds back its delay of samples, so that what comes out first is still the next one
        self.windower.reset(next);
    }

    /// Takes the next raw sample; a window if it completes one.
    pub fn push(&mut self, raw: &[f64], time_s: Option<f64>, arrived: Duration) -> Option<Ready<'_>> {
        if !self.conditioner.push(raw, &mut self.conditioned) || !self.windower.push(&self.conditioned) {
            return None;
        }
        let index = self.windows;
        self.windows += 1;
        Some(Ready { windower: &self.windower, index, time_s, arrived })
    }
}

impl Ready<'_> {
    /// Copies the window out.
    pub fn fill(&self, window: &mut Window) {
        self.windower.fill(window);
        window.index = self.index;
        window.time_s = self.time_s;
        window.arrived = self.arrived;
    }
}
