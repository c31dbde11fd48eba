//! The first so many seconds of a stream.

use std::time::Duration;

use gaitd_core::stream::{Reading, Sample, StreamFormat};

use crate::{SenseError, Source};

/// The longest time between two samples that passes for one, seconds; a longer one is a clock that was set.
const LONGEST_STEP_S: f64 = 60.0;

/// What times since 1970 are rounded to and more, seconds.
const RESOLUTION_S: f64 = 1e-6;

/// A source that ends after so many seconds of samples.
pub struct Limited {
    source: Box<dyn Source>,
    /// Of samples that may still come, seconds.
    left_s: f64,
    /// From one sample to the next where the samples do not say it.
    period_s: f64,
    /// The time of the latest sample.
    latest_s: Option<f64>,
}

impl Limited {
    /// The first `seconds` of `source`, which gives samples in `format`: by their times, and by the rate where they have none.
    #[must_use]
    pub fn new(source: Box<dyn Source>, seconds: f64, format: &StreamFormat) -> Self {
        Self { source, left_s: seconds - RESOLUTION_S, period_s: format.rate_hz.recip(), latest_s: None }
    }
}

impl Source for Limited {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        if self.left_s <= 0.0 {
            return Ok(Reading::End);
        }
        let reading = self.source.read(sample, deadline)?;
        if reading == Reading::Sample {
            let step = sample.time_s.zip(self.latest_s).map(|(now, before)| now - before);
            let untimed_s = self.source.untimed_hz().map_or(self.period_s, f64::recip);
            let passed = match step {
                Some(step) => Some(step).filter(|step| (0.0..=LONGEST_STEP_S).contains(step)).unwrap_or(untimed_s),
                // the first one begins the time of those that have any
                None if sample.time_s.is_some() => 0.0,
                None => untimed_s,
            };
            self.latest_s = sample.time_s.or(self.latest_s);
            self.left_s -= passed;
            if sample.time_s.is_some() && self.left_s <= 0.0 {
                return Ok(Reading::End);
            }
        }
        Ok(reading)
    }

    fn inner(&self) -> Option<&dyn Source> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NO_DEADLINE;

    /// A sample for each time, or for each that has none.
    struct Times<I>(I);

    impl<I: Iterator<Item = Option<f64>> + Send> Source for Times<I> {
        fn read(&mut self, sample: &mut Sample, _deadline: Duration) -> Result<Reading, SenseError> {
            let Some(time_s) = self.0.next() else { return Ok(Reading::End) };
            sample.time_s = time_s;
            Ok(Reading::Sample)
        }
    }

    /// How many samples the first `seconds` have.
    fn samples(times: impl Iterator<Item = Option<f64>> + Send + 'static, seconds: f64) -> usize {
        let format = StreamFormat { channels: Vec::new(), rate_hz: 50.0 };
        let mut limited = Limited::new(Box::new(Times(times)), seconds, &format);
        let mut sample = Sample { time_s: None, values: Vec::new() };
        std::iter::from_fn(|| (limited.read(&mut sample, NO_DEADLINE).unwrap() == Reading::Sample).then_some(()))
            .count()
    }

    #[test]
    fn seconds_are_those_of_the_samples() {
        let every = |hz: f64| (0..1000).map(move |number| Some(1.7e9 + f64::from(number) / hz));
        assert_eq!(samples(every(50.0), 3.0), 150);
        assert_eq!(samples(every(100.0), 3.0), 300);
        assert_eq!(samples(every(50.0), 1e9), 1000);
        assert_eq!(samples((0..1000).map(|_| None), 3.0), 150);
        // a gap is a part of the time; a clock that is set, forth or back, is not
        let stepped = |step: f64| (0..1000).map(move |n| Some(f64::from(n) / 50.0 + if n < 50 { 0.0 } else { step }));
        assert_eq!(samples(stepped(1.0), 3.0), 100);
        assert_eq!(samples(stepped(1e6), 3.0), 150);
        assert_eq!(samples(stepped(-0.5), 3.0), 150);
    }
}
