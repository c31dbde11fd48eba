//! The grid of log-slowdowns, and a belief over it.

/// Number of bins.
pub(super) const BINS: usize = 256;

/// Bins per doubling of the slowdown: a bin is 2.9 % wide.
const PER_OCTAVE: f32 = 24.0;

/// The first bin, as the base-2 logarithm of its slowdown: 0.35. The last one is 559.
const FIRST_OCTAVE: f32 = -1.5;

/// Width of a bin, natural logarithm.
pub(super) const WIDTH: f32 = std::f32::consts::LN_2 / PER_OCTAVE;

/// Natural logarithm of the first bin's slowdown.
const FIRST: f32 = FIRST_OCTAVE * std::f32::consts::LN_2;

/// One value per bin.
pub(super) type Bins = [f32; BINS];

/// Natural logarithm of the slowdown in the middle of `bin`.
pub(super) fn log_slowdown(bin: usize) -> f32 {
    FIRST + WIDTH * bin as f32
}

/// Where the natural logarithm of a slowdown lies on the grid, in bins; it may lie outside.
pub(super) fn place(log_slowdown: f32) -> f32 {
    (log_slowdown - FIRST) / WIDTH
}

/// The bins from `low` to `high` (places, both included), as far as the grid reaches.
pub(super) fn span(low: f32, high: f32) -> std::ops::Range<usize> {
    let end = (high.floor() + 1.0).clamp(0.0, BINS as f32) as usize;
    let start = (low.ceil().max(0.0) as usize).min(end);
    start..end
}

/// The numbers of the bins, and their squares.
const PLACES: Bins = numbered(1);
const SQUARES: Bins = numbered(2);

const fn numbered(power: u32) -> Bins {
    let mut bins = [0.0; BINS];
    let mut bin = 0;
    while bin < BINS {
        bins[bin] = bin.pow(power) as f32;
        bin += 1;
    }
    bins
}

/// Sums are kept in so many parts that a processor can add side by side.
const LANES: usize = 16;

/// The sum of the products of `a` and `b`, which are equally long.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// A probability for each bin; they add up to 1.
#[derive(Clone, Debug)]
pub(super) struct Belief(pub(super) Bins);

impl Belief {
    /// Becomes `before` multiplied by `likelihood`, and returns the probability of what was observed. A belief that
    /// rules out what was observed stays as it is.
    pub(super) fn learn_from(&mut self, before: &Self, likelihood: &Bins) -> f32 {
        let evidence = dot(&before.0, likelihood);
        if evidence > f32::MIN_POSITIVE && evidence.is_finite() {
            let scale = evidence.recip();
            for (after, (p, l)) in self.0.iter_mut().zip(before.0.iter().zip(likelihood)) {
                *after = p * (l * scale);
            }
        } else {
            self.0 = before.0;
        }
        evidence
    }

    /// Mean of the natural logarithm of the slowdown.
    pub(super) fn mean(&self) -> f32 {
        FIRST + WIDTH * dot(&self.0, &PLACES)
    }

    /// Mean and standard deviation of the natural logarithm of the slowdown.
    pub(super) fn moments(&self) -> (f32, f32) {
        let (first, second) = (dot(&self.0, &PLACES), dot(&self.0, &SQUARES));
        (FIRST + WIDTH * first, WIDTH * (second - first * first).max(0.0).sqrt())
    }
}
