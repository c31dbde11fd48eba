//! A whole labelled recording in memory.

use crate::{NO_DEADLINE, SenseError, Source};
use gaitd_core::stream::{Continuity, Reading, Sample, Step, StreamCounts, StreamFormat};

/// A recording after [`Continuity`]: its samples, where it was interrupted, and what the wearer did.
#[derive(Clone, Debug)]
pub struct Recording {
    /// All samples, row-major `[samples, channels]` in the order and units of the expected format.
    pub values: Vec<f64>,
    /// Numbers of the samples before which conditioning and windowing start afresh, in rising order.
    pub resets: Vec<u64>,
    /// The label of each sample as a place in [`Recording::label_names`], where the recording has labels; a sample that is
    /// not the recording's own has the label of the one that was read when it followed, up to three periods later.
    pub labels: Option<Vec<usize>>,
    /// The labels as they are written in the recording, in order of appearance. A sample without a label has the
    /// empty name.
    pub label_names: Vec<String>,
    /// What the recording consisted of.
    pub counts: StreamCounts,
    channels: usize,
}

impl Recording {
    /// Reads all of `source`, which gives samples in `format`, through a [`Continuity`] that bridges `bridge_s` seconds.
    ///
    /// # Errors
    /// When the source fails, or `bridge_s` is not between 0 and 1.
    pub fn read(source: &mut dyn Source, format: &StreamFormat, bridge_s: f64) -> Result<Self, SenseError> {
        let channels = format.channels.len();
        let mut continuity = Continuity::new(format, bridge_s)?;
        let (mut values, mut resets, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let (mut label_names, mut label): (Vec<String>, usize) = (Vec::new(), 0);
        let mut sample = Sample { time_s: None, values: vec![0.0; channels] };
        loop {
            let reading = source.read(&mut sample, NO_DEADLINE)?;
            if reading == Reading::Sample {
                let name = source.label().unwrap_or_default();
                label = label_names.iter().position(|known| known == name).unwrap_or_else(|| {
                    label_names.push(name.to_owned());
                    label_names.len() - 1
                });
            }
            continuity.push(&reading, &sample, |step| match step {
                Step::Reset { next } => resets.push(next),
                Step::Sample { sample, .. } => {
                    values.extend_from_slice(&sample.values);
                    labels.push(label);
                }
            });
            if reading == Reading::End {
                break;
            }
        }
        let labels = label_names.iter().any(|name| !name.is_empty()).then_some(labels);
        Ok(Self { values, resets, labels, label_names, counts: continuity.counts(), channels })
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.channels.max(1)
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of sample `number`, one per channel.
    ///
    /// # Panics
    /// When there is no such sample.
    #[must_use]
    pub fn sample(&self, number: usize) -> &[f64] {
        &self.values[number * self.channels..][..self.channels]
    }

    /// The label of sample `number`; nothing if it has none.
    #[must_use]
    pub fn label(&self, number: usize) -> Option<&str> {
        let label = *self.labels.as_ref()?.get(number)?;
        Some(self.label_names[label].as_str()).filter(|name| !name.is_empty())
    }
}
