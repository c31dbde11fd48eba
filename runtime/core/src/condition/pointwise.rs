//! Operations whose output at one time is made of the input at that time alone.

/// What becomes of a value. No formula falls for some inputs and rises for others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pointwise {
    /// (x - mean) / std.
    Standardise { mean: f64, std: f64 },
    /// x * factor + offset.
    Scale { factor: f64, offset: f64 },
    /// min(max(x, low), high), where low <= high.
    Clip { low: f64, high: f64 },
}

impl Pointwise {
    pub(super) fn of(self, x: f64) -> f64 {
        match self {
            Self::Standardise { mean, std } => (x - mean) / std,
            Self::Scale { factor, offset } => x * factor + offset,
            Self::Clip { low, high } => x.clamp(low, high),
        }
    }

    /// The largest magnitude of what becomes of values within ±`peak`: that of one of the two ends.
    pub(super) fn peak(self, peak: f64) -> f64 {
        self.of(-peak).abs().max(self.of(peak).abs())
    }
}
