//! Resampling of a window along time.

use super::{WindowError, positive};

/// Resamples windows to one resolution by taking the nearest sample: output i is input
/// floor((i + 0.5) * length / resolution), computed in whole numbers.
///
/// This is the mode `nearest-exact` of PyTorch's `interpolate`, except where (i + 0.5) * length / resolution is a
/// whole number and PyTorch's float32 falls just short of it.
#[derive(Clone, Debug)]
pub struct Resampler {
    length: usize,
    /// Which input each output is; nothing where the window is only copied.
    sources: Option<Vec<usize>>,
    resolution: usize,
}

impl Resampler {
    /// From windows of `length` samples to `resolution` samples.
    ///
    /// # Errors
    /// When one of them is 0.
    pub fn new(length: usize, resolution: usize) -> Result<Self, WindowError> {
        positive(&[("window", length), ("resolution", resolution)])?;
        let source = |output| ((2 * output as u128 + 1) * length as u128 / (2 * resolution as u128)) as usize;
        let sources = (length != resolution).then(|| (0..resolution).map(source).collect());
        Ok(Self { length, sources, resolution })
    }

    /// Samples of a window.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Resamples `window`, row-major `[channels, length]`, to `out`, row-major `[channels, resolution]`.
    ///
    /// # Panics
    /// When the sizes do not fit.
    pub fn apply(&self, window: &[f32], out: &mut [f32]) {
        let channels = window.len() / self.length;
        assert!(
            window.len() == channels * self.length && out.len() == channels * self.resolution,
            "{} values are to become {}, but windows of {} samples become {}",
            window.len(),
            out.len(),
            self.length,
            self.resolution
        );
        for (out, channel) in out.chunks_exact_mut(self.resolution).zip(window.chunks_exact(self.length)) {
            self.pick(channel, 0, out);
        }
    }

    /// Fills `out` with samples of one channel, from the output `first` on.
    ///
    /// # Panics
    /// When there are fewer outputs, or the channel ends before what they are.
    pub fn pick(&self, channel: &[f32], first: usize, out: &mut [f32]) {
        let outputs = first..first + out.len();
        let Some(sources) = &self.sources else { return out.copy_from_slice(&channel[outputs]) };
        for (out, &source) in out.iter_mut().zip(&sources[outputs]) {
            *out = channel[source];
        }
    }

    /// How many outputs, the first ones, are among the first `samples` of a window.
    #[must_use]
    pub fn outputs_of(&self, samples: usize) -> usize {
        let Some(sources) = &self.sources else { return samples.min(self.length) };
        sources.partition_point(|&source| source < samples)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn picked(length: usize, resolution: usize) -> Vec<usize> {
        let ramp: Vec<_> = (0..length).map(|time| time as f32).collect();
        let mut out = vec![f32::NAN; resolution];
        Resampler::new(length, resolution).unwrap().apply(&ramp, &mut out);
        out.iter().map(|&time| time as usize).collect()
    }

    #[test]
    fn zero_is_refused() {
        assert_eq!(Resampler::new(128, 0).unwrap_err().to_string(), "resolution is 0, but must be at least 1");
        assert!(Resampler::new(0, 128).is_err());
    }

    #[test]
    #[should_panic = "6 values are to become 4, but windows of 3 samples become 1"]
    fn sizes_must_fit() {
        Resampler::new(3, 1).unwrap().apply(&[0.0; 6], &mut [0.0; 4]);
    }

    #[test]
    #[should_panic = "7 values are to become 2, but windows of 3 samples become 1"]
    fn only_whole_channels_are_resampled() {
        Resampler::new(3, 1).unwrap().apply(&[0.0; 7], &mut [0.0; 2]);
    }

    #[test]
    fn all_channels_are_resampled() {
        let mut out = [0.0; 4];
        // of three samples the first half lies in the first, the second in the last
        Resampler::new(3, 2).unwrap().apply(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut out);
        assert_eq!(out, [1.0, 3.0, 4.0, 6.0]);
    }

    /// Differences are allowed only where the exact place is a whole number and float32 fell short of it.
    #[test]
    fn picks_what_pytorch_picks() {
        #[derive(Deserialize)]
        struct Case {
            length: usize,
            resolution: usize,
            picked: Vec<usize>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/resampling.json")).unwrap();
        let mut different = Vec::new();
        for case in cases {
            let found = picked(case.length, case.resolution);
            assert_eq!(found.len(), case.picked.len());
            for (output, (found, expected)) in found.into_iter().zip(case.picked).enumerate() {
                let whole = (2 * output + 1) * case.length % (2 * case.resolution) == 0;
                if found != expected {
                    assert!(whole && found == expected + 1, "output {output} at {}", case.resolution);
                    different.push((case.length, case.resolution));
                }
            }
        }
        // among the resolutions that networks are trained at (UCI-HAR: every fourth), only one of WISDM's is touched
        different.retain(|&(length, resolution)| length != 128 || resolution % 4 == 0);
        different.dedup();
        assert_eq!(different, [(200, 185)]);
    }

    proptest! {
        #[test]
        fn picks_the_nearest_of_every_channel(channels in 1..5usize, length in 1..70usize, resolution in 1..150usize) {
            let window: Vec<_> = (0..channels * length).map(|value| value as f32).collect();
            let mut out = vec![f32::NAN; channels * resolution];
            Resampler::new(length, resolution).unwrap().apply(&window, &mut out);
            for channel in 0..channels {
                for output in 0..resolution {
                    // counting instead of dividing: how many whole inputs end before the middle of the output
                    let middle = (2 * output + 1) * length;
                    let source = (1..length).filter(|input| 2 * input * resolution <= middle).count();
                    prop_assert_eq!(out[channel * resolution + output], window[channel * length + source]);
                }
            }
        }

        #[test]
        fn in_parts_it_picks_what_it_picks_at_once(
            length in 1..70usize, resolution in 1..150usize, samples in 0..80usize,
        ) {
            let resampler = Resampler::new(length, resolution).unwrap();
            let picked = picked(length, resolution);
            let known = resampler.outputs_of(samples);
            prop_assert_eq!(known, picked.iter().filter(|&&source| source < samples).count());
            let ramp: Vec<_> = (0..length).map(|time| time as f32).collect();
            let mut out = vec![f32::NAN; resolution];
            // what is not there yet is not read
            resampler.pick(&ramp[..samples.min(length)], 0, &mut out[..known]);
            resampler.pick(&ramp, known, &mut out[known..]);
            prop_assert_eq!(out, picked.into_iter().map(|source| source as f32).collect::<Vec<_>>());
        }

        #[test]
        fn full_resolution_is_a_copy(length in 1..200usize) {
            prop_assert_eq!(picked(length, length), (0..length).collect::<Vec<_>>());
        }
    }
}
