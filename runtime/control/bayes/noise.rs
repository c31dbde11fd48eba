//! How the latency of one inference scatters around the slowdown of the moment, learned while it runs.
//!
//! The logarithm of observed / expected latency is drawn from a mixture: a normal core, an exponential tail towards
//! longer latencies (a Pareto tail of the latency itself), and a little of anything, so that no observation is
//! impossible. Width of the core, share and slope of the tail are learned by online expectation-maximisation.

use super::grid::{self, BINS, Belief, Bins, WIDTH};
use super::normal;

/// Share of observations that may be anything.
const ANYTHING: f32 = 0.001;

/// Density of anything: even over the grid.
const ANYTHING_DENSITY: f32 = 1.0 / (BINS as f32 * WIDTH);

/// Observations after which an old one has faded to a third.
const MEMORY: f32 = 1000.0;

/// What is believed before the first observation, in observations' worth of evidence.
mod prior {
    /// Standard deviation of the core and its weight.
    pub(super) const CORE: (f32, f32) = (0.08, 8.0);
    /// Share of the tail and the weight of that.
    pub(super) const TAIL_SHARE: (f32, f32) = (0.01, 100.0);
    /// Mean of the tail (natural logarithm) and the weight of that.
    pub(super) const TAIL_MEAN: (f32, f32) = (0.6, 3.0);
}

/// Least standard deviation of the core: below this the grid is coarser than the noise.
const LEAST_SIGMA: f32 = WIDTH / 3.0;

/// The learned noise.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    /// Decayed weight of the core and its sum of squares.
    core: (f32, f32),
    /// Decayed weight of the tail and its sum.
    tail: (f32, f32),
    /// Decayed number of observations.
    observed: f32,
    /// `exp(-slope * WIDTH)`: how the tail falls from bin to bin.
    decay: f32,
}

impl Noise {
    pub(super) fn new() -> Self {
        let mut noise = Self { core: (0.0, 0.0), tail: (0.0, 0.0), observed: 0.0, decay: 0.0 };
        noise.settle();
        noise
    }

    fn settle(&mut self) {
        self.decay = (-WIDTH / self.tail_mean()).exp();
    }

    /// Standard deviation of the core.
    pub(super) fn sigma(&self) -> f32 {
        let (sigma, weight) = prior::CORE;
        ((self.core.1 + weight * sigma * sigma) / (self.core.0 + weight)).sqrt().clamp(LEAST_SIGMA, 1.0)
    }

    /// Share of inferences in the tail.
    fn tail_share(&self) -> f32 {
        let (share, weight) = prior::TAIL_SHARE;
        ((self.tail.0 + weight * share) / (self.observed + weight)).clamp(1e-4, 0.5)
    }

    /// Mean of the tail, natural logarithm.
    fn tail_mean(&self) -> f32 {
        let (mean, weight) = prior::TAIL_MEAN;
        ((self.tail.1 + weight * mean) / (self.tail.0 + weight)).clamp(0.1, 3.0)
    }

    /// Writes the likelihood of an observation at the place `observed` on the grid, for each bin.
    pub(super) fn likelihood(&self, observed: f32, likelihood: &mut Bins) {
        let (sigma, share) = (self.sigma(), self.tail_share());
        likelihood.fill(ANYTHING * ANYTHING_DENSITY);
        let mut density = share / self.tail_mean();
        let reached = observed.clamp(0.0, (BINS - 1) as f32);
        density *= ((reached.floor() - observed) * WIDTH / self.tail_mean()).exp();
        for l in likelihood[..=reached as usize].iter_mut().rev() {
            *l += density;
            density *= self.decay;
        }
        let scale = WIDTH / sigma;
        let height = (1.0 - share - ANYTHING) / sigma;
        let reach = normal::REACH / scale;
        for bin in grid::span(observed - reach, observed + reach) {
            likelihood[bin] += height * normal::density((observed - bin as f32) * scale);
        }
    }

    /// Learns from an observation at the place `observed`, where `before` was believed and `evidence` is the
    /// observation's probability under that. Returns the probability that it came from the core.
    pub(super) fn learn(&mut self, observed: f32, before: &Belief, evidence: f32) -> f32 {
        let (sigma, share) = (self.sigma(), self.tail_share());
        let scale = WIDTH / sigma;
        let height = (1.0 - share - ANYTHING) / sigma;
        let reach = normal::REACH / scale;
        let (mut weight, mut squares) = (0.0, 0.0);
        for bin in grid::span(observed - reach, observed + reach) {
            let z = (observed - bin as f32) * scale;
            let w = before.0[bin] * height * normal::density(z);
            weight += w;
            squares += w * z * z;
        }
        let (mut tail, mut excess) = (0.0, 0.0);
        let reached = observed.clamp(0.0, (BINS - 1) as f32);
        let mut density = share / self.tail_mean();
        for bin in (0..=reached as usize).rev() {
            let w = before.0[bin] * density;
            tail += w;
            excess += w * (reached - bin as f32);
            density *= self.decay;
        }
        let scale = evidence.recip();
        if !scale.is_finite() {
            return 0.0;
        }
        let keep = 1.0 - 1.0 / MEMORY;
        self.core.0 = keep * self.core.0 + weight * scale;
        self.core.1 = keep * self.core.1 + squares * scale * sigma * sigma;
        self.tail.0 = keep * self.tail.0 + tail * scale;
        self.tail.1 = keep * self.tail.1 + excess * scale * WIDTH;
        self.observed = keep * self.observed + 1.0;
        self.settle();
        (weight * scale).min(1.0)
    }

    /// For each of `limits` (places on the grid), the probability that an inference under `belief` exceeds it.
    pub(super) fn exceed(&self, belief: &Belief, limits: &[f32], tails: &mut Tails, misses: &mut [f64]) {
        let (sigma, share) = (self.sigma(), self.tail_share());
        let (mut sum, mut tail) = (0.0, 0.0);
        for (bin, p) in belief.0.iter().enumerate() {
            // what lies below, and what of it reaches up to here
            tails.below[bin] = sum;
            sum += p;
            tail = tail * self.decay + p;
            tails.reaching[bin] = tail;
        }
        let scale = WIDTH / sigma;
        let reach = normal::REACH / scale;
        for (limit, miss) in limits.iter().zip(misses) {
            let near = grid::span(limit - reach, limit + reach);
            let mut core = sum - tails.below.get(near.end).copied().unwrap_or(sum);
            for bin in near {
                core += belief.0[bin] * normal::exceed((limit - bin as f32) * scale);
            }
            // of what lies below the limit, the tail's share of it that reaches beyond; what lies above is beyond
            let place = limit.floor();
            let beyond = if place < 0.0 {
                sum
            } else {
                let last = (place as usize).min(BINS - 1);
                let above = sum - tails.below[last] - belief.0[last];
                above + tails.reaching[last] * ((last as f32 - limit) * WIDTH / self.tail_mean()).exp()
            };
            let anything = ((BINS as f32 - limit) / BINS as f32).clamp(0.0, 1.0);
            let total = (1.0 - share - ANYTHING) * core + share * beyond + ANYTHING * anything;
            *miss = f64::from(total / sum).clamp(0.0, 1.0);
        }
    }
}

/// Scratch space of [`Noise::exceed`].
#[derive(Clone, Debug)]
pub(super) struct Tails {
    below: Bins,
    reaching: Bins,
}

impl Tails {
    pub(super) fn new() -> Self {
        Self { below: [0.0; BINS], reaching: [0.0; BINS] }
    }
}
