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

    /// Number of samples that come out.
    #[must_use]
    pub fn resolution(&self) -> usize {
        self.resolution
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
        let Some(sources) = &self.sources else { return out.copy_from_slice(window) };
        for (out, window) in out.chunks_exact_mut(self.resolution).zip(window.chunks_exact(self.length)) {
            for (out, &source) in out.iter_mut().zip(sources) {
                *out = window[source];
            }
        }
    }
}
