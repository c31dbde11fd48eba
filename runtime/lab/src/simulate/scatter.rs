//! How single inferences scatter around their level, and delays around their median: log-normal noise, and a Pareto factor
//! on some.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, StandardNormal};

use super::scenario::{Delay, Process, Tail};

/// A standard normal variable.
pub(super) fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(rng)
}

/// A factor that scatters around 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scatter {
    noise: f64,
    tail: Option<Tail>,
}

impl Process {
    /// By how much longer one inference takes than its level says.
    pub(super) fn scatter(&self) -> Scatter {
        Scatter { noise: self.noise, tail: self.tail }
    }
}

/// So many equally probable amounts stand for the delays outside of a tail, and for those inside.
const AMOUNTS: u32 = 20;

impl Delay {
    fn scatter(&self) -> Scatter {
        Scatter { noise: self.noise, tail: self.tail }
    }

    /// One delay, seconds.
    pub(super) fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        self.median_ms / 1e3 * self.scatter().draw(rng)
    }

    /// The distribution as a few amounts (seconds), each with its probability.
    pub(super) fn amounts(&self) -> Vec<(f64, f64)> {
        let share = self.tail.map_or(0.0, |tail| tail.share);
        let core = Scatter { noise: self.noise, tail: None };
        let tail = Scatter { noise: self.noise, tail: self.tail.map(|tail| Tail { share: 1.0, ..tail }) };
        let median = self.median_ms / 1e3;
        [(core, 1.0 - share), (tail, share)]
            .into_iter()
            .filter(|(_, share)| *share > 0.0)
            .flat_map(|(scatter, share)| {
                let each = f64::from(AMOUNTS).recip();
                let middle = move |place: u32| (f64::from(place) + 0.5) * each;
                (0..AMOUNTS).map(move |place| (median * scatter.exceeded_with(middle(place)).exp(), share * each))
            })
            .collect()
    }
}

impl Scatter {
    /// One factor.
    pub(super) fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        let core = (self.noise * normal(rng)).exp();
        match &self.tail {
            Some(tail) if rng.random::<f64>() < tail.share => {
                // 1 - u lies in (0, 1]
                core * tail.scale * (1.0 - rng.random::<f64>()).powf(-1.0 / tail.shape)
            }
            _ => core,
        }
    }

    /// Density of its logarithm.
    pub(super) fn density(&self, log: f64) -> f64 {
        // without any noise a density does not exist; a narrow one takes its place
        let sigma = self.noise.max(1e-4);
        let core = (-0.5 * (log / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt());
        let Some(tail) = &self.tail else { return core };
        let tailed = tail.shape * tilted_upper(tail.shape, sigma, log - tail.scale.ln());
        (1.0 - tail.share) * core + tail.share * tailed
    }

    /// Probability that its logarithm exceeds `log`.
    pub(super) fn exceed(&self, log: f64) -> f64 {
        let sigma = self.noise.max(1e-4);
        let core = upper(log / sigma);
        let Some(tail) = &self.tail else { return core };
        let x = log - tail.scale.ln();
        let tailed = upper(x / sigma) + tilted_upper(tail.shape, sigma, x);
        (1.0 - tail.share) * core + tail.share * tailed.min(1.0)
    }

    /// What its logarithm exceeds with the probability `share`.
    fn exceeded_with(&self, share: f64) -> f64 {
        let (mut low, mut high) = (-100.0, 100.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.exceed(middle) > share {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}

/// For the sum of an exponential variable (`rate`) and a normal one (mean 0, `sigma`), the logarithm of a Pareto factor
/// with its noise: the density at `x` / `rate`, and what the exponential part adds to the probability of exceeding `x`.
fn tilted_upper(rate: f64, sigma: f64, x: f64) -> f64 {
    let exponent = rate * (0.5 * rate * sigma * sigma - x);
    let z = rate * sigma - x / sigma;
    if z < 25.0 {
        exponent.exp() * upper(z)
    } else {
        // the factors leave the range of numbers, though their product does not: the asymptotic series of Mills' ratio
        let series = 1.0 - z.powi(-2) + 3.0 * z.powi(-4);
        (-0.5 * (x / sigma).powi(2)).exp() * series / (z * (2.0 * std::f64::consts::PI).sqrt())
    }
}

/// Probability that a standard normal variable exceeds `z`.
fn upper(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn scatter(noise: f64, tail: Option<(f64, f64, f64)>) -> Scatter {
        Scatter { noise, tail: tail.map(|(share, scale, shape)| Tail { share, scale, shape }) }
    }

    fn scatters() -> [Scatter; 6] {
        [
            scatter(0.05, None),
            scatter(0.05, Some((0.005, 1.5, 2.0))),
            scatter(0.08, Some((0.02, 1.5, 2.0))),
            scatter(0.05, Some((0.5, 1.2, 1.2))),
            scatter(0.4, Some((1.0, 1.0, 0.7))),
            scatter(2.0, Some((0.3, 3.0, 40.0))),
        ]
    }

    #[test]
    fn the_density_integrates_to_the_exceedance() {
        for scatter in scatters() {
            let sigma = scatter.noise;
            let mut low = -8.0 * sigma;
            assert!((scatter.exceed(low) - 1.0).abs() < 1e-9, "{scatter:?}");
            // Simpson's rule, over one piece after the other
            let (piece, halves) = (sigma, 400);
            for _ in 0..60 {
                let step = piece / f64::from(halves);
                let weight = |i: i32| if i == 0 || i == halves { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                let sum: f64 = (0..=halves).map(|i| weight(i) * scatter.density(low + step * f64::from(i))).sum();
                let expected = scatter.exceed(low) - scatter.exceed(low + piece);
                assert!((sum * step / 3.0 - expected).abs() < 1e-9, "{scatter:?} from {low}");
                low += piece;
            }
        }
    }

    #[test]
    fn drawn_factors_exceed_as_often_as_stated() {
        const DRAWS: usize = 100_000;
        for (seed, scatter) in scatters().iter().enumerate() {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed as u64);
            let logs: Vec<f64> = (0..DRAWS).map(|_| scatter.draw(&mut rng).ln()).collect();
            for log in [-0.1, 0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0] {
                let share = logs.iter().filter(|l| **l > log).count() as f64 / DRAWS as f64;
                let expected = scatter.exceed(log);
                let deviation = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
                assert!(
                    (share - expected).abs() <= 4.5 * deviation + 1e-5,
                    "{scatter:?}: {share}, {expected} at {log}"
                );
            }
        }
    }

    #[test]
    fn far_values_keep_to_their_ranges() {
        let steep = scatter(2.0, Some((1.0, 1000.0, 100.0)));
        let narrow = scatter(0.0, Some((0.5, 1.0, 0.1)));
        for scatter in scatters().iter().chain([&steep, &narrow]) {
            let mut before = 1.0;
            for log in (-40i32..=40).map(|i| f64::from(i) * f64::from(i.abs())) {
                let (density, exceed) = (scatter.density(log), scatter.exceed(log));
                assert!(density >= 0.0 && density.is_finite(), "{scatter:?}: {density} at {log}");
                assert!((0.0..=before + 1e-12).contains(&exceed), "{scatter:?}: {exceed} after {before} at {log}");
                before = exceed;
            }
            for log in [f64::NEG_INFINITY, f64::INFINITY] {
                assert_eq!(scatter.density(log), 0.0, "{scatter:?}");
            }
        }
    }

    #[test]
    fn a_few_amounts_stand_for_all_delays() {
        for tail in [None, Some(Tail { share: 0.01, scale: 300.0, shape: 2.0 })] {
            let delay = Delay { median_ms: 0.2, noise: 0.4, tail };
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
            let drawn: Vec<f64> = (0..100_000).map(|_| delay.draw(&mut rng)).collect();
            let amounts = delay.amounts();
            assert!((amounts.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
            for seconds in [1e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 1e-3, 0.05, 0.08, 0.1, 0.2, 1.0] {
                let beyond = drawn.iter().filter(|drawn| **drawn > seconds).count() as f64 / drawn.len() as f64;
                let stated: f64 = amounts.iter().filter(|(amount, _)| *amount > seconds).map(|(_, share)| share).sum();
                // half of an amount's probability, and what may be drawn
                let share = if seconds < 0.01 { 1.0 } else { 0.01 };
                let allowed = share / 40.0 + 4.5 * (beyond * (1.0 - beyond) / 1e5).sqrt();
                assert!((beyond - stated).abs() <= allowed + 1e-9, "{delay:?}: {beyond}, {stated} beyond {seconds} s");
            }
        }
    }
}
