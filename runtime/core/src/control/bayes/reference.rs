//! The same filter once more, in double precision, written down as the formulas stand: a matrix of transitions, a
//! density, and sums over it instead of distribution functions.

use super::grid::{BINS, WIDTH, log_slowdown};
use super::noise::Noise;

/// One value per bin.
pub(super) type Values = Vec<f64>;

/// The density of an observation (natural logarithm of a slowdown).
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixture {
    /// Standard deviation of the normal core.
    pub(super) sigma: f64,
    /// Share of the exponential tail, and its mean.
    pub(super) share: f64,
    pub(super) mean: f64,
    /// Share of anything on the grid.
    pub(super) anything: f64,
}

impl Mixture {
    pub(super) fn of(noise: &Noise) -> Self {
        let [sigma, share, mean, anything] = noise.parameters().map(f64::from);
        Self { sigma, share, mean, anything }
    }

    /// The density of `observed` where the logarithm of the slowdown is `log`.
    pub(super) fn density(&self, observed: f64, log: f64) -> f64 {
        let z = (observed - log) / self.sigma;
        let core = (-0.5 * z * z).exp() / (self.sigma * (2.0 * std::f64::consts::PI).sqrt());
        let above = observed - log;
        let tail = if above >= 0.0 { (-above / self.mean).exp() / self.mean } else { 0.0 };
        let first = f64::from(log_slowdown(0));
        let length = BINS as f64 * f64::from(WIDTH);
        let anything = if (first..first + length).contains(&observed) { length.recip() } else { 0.0 };
        (1.0 - self.share - self.anything) * core + self.share * tail + self.anything * anything
    }

    /// The probability of more than `limit` where `belief` is believed: the density, summed up from there on.
    pub(super) fn exceed(&self, belief: &[f64], limit: f64) -> f64 {
        let step = 0.004;
        belief
            .iter()
            .enumerate()
            .filter(|(_, p)| **p > 1e-9)
            .map(|(bin, p)| {
                let log = f64::from(log_slowdown(bin));
                let far = limit.max(log) + 20.0 * self.mean + 10.0;
                let steps = ((far - limit) / step) as usize;
                let sum: f64 = (0..steps).map(|i| self.density(limit + (i as f64 + 0.5) * step, log)).sum();
                p * step * sum
            })
            .sum()
    }
}

/// What `belief` becomes after one window in which a jump to `landing` has the chance `hazard`, and `drift` of a bin goes
/// to each neighbour.
pub(super) fn predict(belief: &[f64], hazard: f64, drift: f64, landing: &[f64]) -> Values {
    let transition = |from: usize, to: usize| {
        let stay = if from == to { 1.0 - 2.0 * drift } else { 0.0 };
        let down = if from.saturating_sub(1) == to { drift } else { 0.0 };
        let up = if (from + 1).min(BINS - 1) == to { drift } else { 0.0 };
        (1.0 - hazard) * (stay + down + up) + hazard * landing[to]
    };
    (0..BINS).map(|to| (0..BINS).map(|from| belief[from] * transition(from, to)).sum()).collect()
}

/// What `belief` becomes after an observation, and its density.
pub(super) fn learn(belief: &[f64], mixture: &Mixture, observed: f64) -> (Values, f64) {
    let joint: Values =
        belief.iter().enumerate().map(|(bin, p)| p * mixture.density(observed, f64::from(log_slowdown(bin)))).collect();
    let evidence: f64 = joint.iter().sum();
    (joint.iter().map(|p| p / evidence).collect(), evidence)
}
