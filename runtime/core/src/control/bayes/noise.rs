//! How the latency of one inference scatters around the slowdown of the moment, learned while it runs.
//!
//! An observation `y` (natural logarithm of observed / expected latency) under a log-slowdown `x` has the density
//!
//! ```text
//! f(y | x) = (1 - t - e) / s * phi((y - x) / s)       a normal core of standard deviation s
//!          + t / m * exp(-(y - x) / m)   if y >= x    an exponential tail of mean m (a Pareto tail of the latency)
//!          + e / length of the grid                   a little of anything: no observation is impossible
//! ```
//!
//! with `phi` the standard normal density and `e` = [`ANYTHING`]. `s`, `t` and `m` are learned by online
//! expectation-maximisation. Scatter belongs to an inference and not to the time between two of them: each observation
//! counts for one, however soon it comes.

use serde::{Deserialize, Serialize};

use super::grid::{self, BINS, Belief, Bins, WIDTH};
use super::normal::{self, Normal};

/// Share of observations that may be anything.
const ANYTHING: f32 = 0.001;

/// Density of anything: even over the grid.
const ANYTHING_DENSITY: f32 = 1.0 / (BINS as f32 * WIDTH);

/// Observations after which an old one has faded to a third.
const MEMORY: f32 = 1000.0;

/// A parameter before the first observation, and the observations that this is worth.
struct Prior {
    value: f32,
    weight: f32,
}

/// Standard deviation of the core.
const PRIOR_SIGMA: Prior = Prior { value: 0.08, weight: 8.0 };
/// Share of the tail.
const PRIOR_TAIL_SHARE: Prior = Prior { value: 0.005, weight: 100.0 };
/// Mean of the tail, natural logarithm.
const PRIOR_TAIL_MEAN: Prior = Prior { value: 0.6, weight: 3.0 };

/// Least standard deviation of the core: below this the grid is coarser than the noise.
const LEAST_SIGMA: f32 = WIDTH / 3.0;

/// Observations that count after a restart at most, so that new ones soon have their say.
const MOST_RESUMED: f32 = MEMORY / 2.0;

/// A sum of values, each multiplied by a weight, and the sum of the weights; written down as a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f32, f32)", into = "(f32, f32)")]
struct Weighted {
    weight: f32,
    sum: f32,
}

impl From<(f32, f32)> for Weighted {
    fn from((weight, sum): (f32, f32)) -> Self {
        Self { weight, sum }
    }
}

impl From<Weighted> for (f32, f32) {
    fn from(weighted: Weighted) -> Self {
        (weighted.weight, weighted.sum)
    }
}

impl Weighted {
    fn scaled(self, share: f32) -> Self {
        Self { weight: share * self.weight, sum: share * self.sum }
    }
}

/// What the observations said of the noise; old ones fade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    /// Squared deviations of the core.
    core: Weighted,
    /// How far the tail reached, natural logarithm.
    tail: Weighted,
    /// Number of observations.
    observed: f32,
}

impl Evidence {
    /// Whether this can have been observed; what is wrong where it cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { core, tail, observed } = self;
        // no deviation squared is greater than the grid is long
        let far = (BINS as f32 * WIDTH).powi(2);
        let plausible = [(*observed, MEMORY), (core.weight, MEMORY), (tail.weight, MEMORY)]
            .into_iter()
            .chain([(core.sum, MEMORY * far), (tail.sum, MEMORY * far)])
            // a little more, for roundings
            .all(|(value, most)| (0.0..=1.01 * most).contains(&value));
        if plausible {
            Ok(())
        } else {
            Err(format!(
                "the noise cannot be core {:?}, tail {:?}, observed {observed:?}",
                <(f32, f32)>::from(*core),
                <(f32, f32)>::from(*tail)
            ))
        }
    }

    /// The same opinion, from fewer observations if there are many.
    fn resumed(&self) -> Self {
        let share = (MOST_RESUMED / self.observed.max(MOST_RESUMED)).min(1.0);
        Self { core: self.core.scaled(share), tail: self.tail.scaled(share), observed: share * self.observed }
    }
}

/// The learned noise.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    evidence: Evidence,
    /// Mean of the tail (natural logarithm) that `fall` stands for.
    mean: f32,
    /// How far the tail has fallen, so many bins before the last one: `exp(-distance / mean)`.
    fall: Bins,
}

/// An observation that came from the tail with less than this probability teaches nothing about it.
const WORTH_A_LOOP: f32 = 0.001;

/// A belief of no more than this, which is what sums over it are rounded by, is not worth a loop.
const NOTHING: f32 = 1e-7;

/// A mean of the tail that differs by less than this share is not worth a new table.
const WORTH_A_TABLE: f32 = 0.01;

impl Noise {
    pub(super) fn new() -> Self {
        Self::with(Evidence::default())
    }

    fn with(evidence: Evidence) -> Self {
        let mut noise = Self { evidence, mean: 0.0, fall: [0.0; BINS] };
        noise.update_fall();
        noise
    }

    /// Goes on from what was kept.
    pub(super) fn resume(evidence: &Evidence) -> Self {
        Self::with(evidence.resumed())
    }

    /// What has been observed so far.
    pub(super) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Computes `fall` anew where the mean of the tail has moved far enough.
    fn update_fall(&mut self) {
        let mean = self.tail_mean();
        if (mean - self.mean).abs() <= WORTH_A_TABLE * self.mean {
            return;
        }
        self.mean = mean;
        let decay = (-WIDTH / mean).exp();
        let mut fall = 1.0;
        for place in self.fall.iter_mut().rev() {
            *place = fall;
            fall *= decay;
        }
    }

    /// How far the tail has fallen at the bin `last`, for each bin up to it from which it started.
    fn fallen(&self, last: usize) -> &[f32] {
        &self.fall[BINS - 1 - last..]
    }

    /// Standard deviation of the core.
    pub(super) fn sigma(&self) -> f32 {
        let Prior { value: sigma, weight } = PRIOR_SIGMA;
        let core = self.evidence.core;
        ((core.sum + weight * sigma * sigma) / (core.weight + weight)).sqrt().clamp(LEAST_SIGMA, 1.0)
    }

    /// Share of inferences in the tail.
    fn tail_share(&self) -> f32 {
        let Prior { value: share, weight } = PRIOR_TAIL_SHARE;
        ((self.evidence.tail.weight + weight * share) / (self.evidence.observed + weight)).clamp(1e-4, 0.5)
    }

    /// Mean of the tail, natural logarithm.
    fn tail_mean(&self) -> f32 {
        let Prior { value: mean, weight } = PRIOR_TAIL_MEAN;
        let tail = self.evidence.tail;
        ((tail.sum + weight * mean) / (tail.weight + weight)).clamp(0.1, 3.0)
    }

    /// Standard deviation of the core, share and mean of the tail, share of anything.
    #[cfg(test)]
    pub(super) fn parameters(&self) -> [f32; 4] {
        [self.sigma(), self.tail_share(), self.mean, ANYTHING]
    }

    /// Writes the likelihood of an observation at the place `observed` on the grid, for each bin.
    pub(super) fn likelihood(&self, observed: f32, likelihood: &mut Bins) {
        let (sigma, share) = (self.sigma(), self.tail_share());
        likelihood.fill(ANYTHING * ANYTHING_DENSITY);
        let reached = observed.clamp(0.0, (BINS - 1) as f32) as usize;
        let density = share / self.mean * ((reached as f32 - observed) * WIDTH / self.mean).exp();
        for (l, fallen) in likelihood.iter_mut().zip(self.fallen(reached)) {
            *l += density * fallen;
        }
        let scale = WIDTH / sigma;
        let height = (1.0 - share - ANYTHING) / sigma;
        let reach = normal::REACH / scale;
        let normal = Normal::tables();
        let near = grid::span(observed - reach, observed + reach);
        for (bin, l) in near.clone().zip(&mut likelihood[near]) {
            *l += height * normal.density((observed - bin as f32) * scale);
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
        let normal = Normal::tables();
        let near = grid::span(observed - reach, observed + reach);
        for (bin, p) in near.clone().zip(&before.0[near]) {
            let z = (observed - bin as f32) * scale;
            let w = p * height * normal.density(z);
            weight += w;
            squares += w * z * z;
        }
        let reached = observed.clamp(0.0, (BINS - 1) as f32) as usize;
        let fallen = self.fallen(reached);
        let density = share / self.mean;
        let tail = density * grid::dot(&before.0[..=reached], fallen);
        let scale = evidence.recip();
        if !scale.is_finite() {
            return 0.0;
        }
        // how far the tail reached is worth a loop only where there was one
        let mut excess = 0.0;
        if tail * scale > WORTH_A_LOOP {
            for (bin, (p, fallen)) in before.0.iter().zip(fallen).enumerate() {
                excess += density * p * fallen * (reached - bin) as f32;
            }
        }
        let keep = 1.0 - 1.0 / MEMORY;
        let evidence = &mut self.evidence;
        evidence.core.weight = keep * evidence.core.weight + weight * scale;
        evidence.core.sum = keep * evidence.core.sum + squares * scale * sigma * sigma;
        evidence.tail.weight = keep * evidence.tail.weight + tail * scale;
        evidence.tail.sum = keep * evidence.tail.sum + excess * scale * WIDTH;
        evidence.observed = keep * evidence.observed + 1.0;
        self.update_fall();
        (weight * scale).min(1.0)
    }

    /// How probably inferences under `belief` exceed limits.
    pub(super) fn exceedance<'a>(&'a self, belief: &'a Belief) -> Exceedance<'a> {
        Exceedance { sums: Sums::new(belief, self), sigma: self.sigma(), share: self.tail_share() }
    }
}

/// The probabilities that inferences exceed limits, to be asked for several times.
pub(super) struct Exceedance<'a> {
    sums: Sums<'a>,
    sigma: f32,
    share: f32,
}

impl Exceedance<'_> {
    /// For each of `limits` (places on the grid), the probability that an inference exceeds it.
    pub(super) fn exceed(&self, limits: &[f32], misses: &mut [f64]) {
        let Self { sums, sigma, share } = self;
        let Sums { belief, noise, .. } = *sums;
        let scale = WIDTH / sigma;
        let reach = normal::REACH / scale;
        let normal = Normal::tables();
        for (limit, miss) in limits.iter().zip(misses) {
            let near = grid::span(limit - reach, limit + reach);
            let first = (limit - near.start as f32) * scale;
            let mut core = sums.above(near.end);
            if sums.above(near.start) - core > NOTHING {
                core += normal.exceed_sum(&belief[near], first, scale);
            }
            // what lies above the limit is beyond it; of what lies below, the share of the tail that reaches there
            let beyond = if *limit < 0.0 {
                1.0
            } else {
                let last = (*limit as usize).min(BINS - 1);
                let fallen = ((last as f32 - limit) * WIDTH / noise.mean).exp();
                sums.above(last + 1) + sums.reaching(last) * fallen
            };
            let anything = ((BINS as f32 - limit) / BINS as f32).clamp(0.0, 1.0);
            let total = (1.0 - share - ANYTHING) * core + share * beyond + ANYTHING * anything;
            *miss = f64::from(total).clamp(0.0, 1.0);
        }
    }
}

/// Bins per block of [`Sums`].
const BLOCK: usize = 8;
const BLOCKS: usize = BINS / BLOCK;

/// Sums over a belief from any bin upwards, and what of the tails reaches any bin from below, block by block: every
/// configuration asks for both.
struct Sums<'a> {
    belief: &'a Bins,
    noise: &'a Noise,
    /// Of all blocks from this one on.
    above: [f32; BLOCKS + 1],
    /// At the last bin of the block before this one.
    reaching: [f32; BLOCKS + 1],
}

impl<'a> Sums<'a> {
    fn new(belief: &'a Belief, noise: &'a Noise) -> Self {
        let belief = &belief.0;
        let (mut above, mut reaching) = ([0.0; BLOCKS + 1], [0.0; BLOCKS + 1]);
        for block in (0..BLOCKS).rev() {
            above[block] = above[block + 1] + belief[BLOCK * block..BLOCK * (block + 1)].iter().sum::<f32>();
        }
        let (within, across) = (noise.fallen(BLOCK - 1), noise.fallen(BLOCK)[0]);
        for block in 0..BLOCKS {
            let inside: f32 = belief[BLOCK * block..BLOCK * (block + 1)].iter().zip(within).map(|(p, f)| p * f).sum();
            reaching[block + 1] = reaching[block] * across + inside;
        }
        Self { belief, noise, above, reaching }
    }

    /// The probability of `bin` and all bins above it.
    fn above(&self, bin: usize) -> f32 {
        let block = bin.div_ceil(BLOCK);
        self.above[block] + self.belief[bin..BLOCK * block].iter().sum::<f32>()
    }

    /// What of the tails that start at `bin` or below reaches it.
    fn reaching(&self, bin: usize) -> f32 {
        let (block, inside) = (bin / BLOCK, bin % BLOCK);
        let below = self.reaching[block] * self.noise.fallen(inside + 1)[0];
        let near = self.belief[BLOCK * block..=bin].iter().zip(self.noise.fallen(inside));
        below + near.map(|(p, fallen)| p * fallen).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Sums by blocks are the sums over all bins.
        #[test]
        fn sums_by_blocks_are_sums_over_bins(
            weights in prop::collection::vec(0.0..1.0f32, BINS),
            tail in (0.0..50.0f32, 0.0..50.0f32),
        ) {
            let all: f32 = weights.iter().sum::<f32>().max(1e-3);
            let belief = Belief(std::array::from_fn(|bin| weights[bin] / all));
            let noise = Noise::with(Evidence { tail: tail.into(), observed: 100.0, ..Evidence::default() });
            let sums = Sums::new(&belief, &noise);
            let decay = f64::from(WIDTH) / f64::from(noise.mean);
            for bin in 0..=BINS {
                let above: f64 = belief.0[bin..].iter().map(|p| f64::from(*p)).sum();
                prop_assert!((f64::from(sums.above(bin)) - above).abs() < 1e-5, "above {bin}");
            }
            for bin in 0..BINS {
                let fallen = |from: usize| f64::from(belief.0[from]) * (-decay * (bin - from) as f64).exp();
                let reaching: f64 = (0..=bin).map(fallen).sum();
                prop_assert!((f64::from(sums.reaching(bin)) - reaching).abs() < 1e-5, "reaching {bin}");
            }
        }
    }
}
