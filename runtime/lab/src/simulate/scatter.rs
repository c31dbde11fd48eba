//! How a single inference scatters around its level: log-normal noise, and a Pareto factor on some.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, StandardNormal};

use super::scenario::Process;

/// A standard normal variable.
pub(super) fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(rng)
}

impl Process {
    /// The factor by which one inference takes longer than its level says.
    pub(super) fn scatter(&self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        let core = (self.noise * normal(rng)).exp();
        match &self.tail {
            Some(tail) if rng.random::<f64>() < tail.share => {
                // 1 - u lies in (0, 1]
                core * tail.scale * (1.0 - rng.random::<f64>()).powf(-1.0 / tail.shape)
            }
            _ => core,
        }
    }

    /// Density of the logarithm of one inference's scatter.
    pub(super) fn density(&self, log: f64) -> f64 {
        // without any noise a density does not exist; a narrow one takes its place
        let sigma = self.noise.max(1e-4);
        let core = (-0.5 * (log / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt());
        let Some(tail) = &self.tail else { return core };
        let tailed = tail.shape * tilted_upper(tail.shape, sigma, log - tail.scale.ln());
        (1.0 - tail.share) * core + tail.share * tailed
    }

    /// Probability that the logarithm of one inference's scatter exceeds `log`.
    pub(super) fn exceed(&self, log: f64) -> f64 {
        let sigma = self.noise.max(1e-4);
        let core = upper(log / sigma);
        let Some(tail) = &self.tail else { return core };
        let x = log - tail.scale.ln();
        let tailed = upper(x / sigma) + tilted_upper(tail.shape, sigma, x);
        (1.0 - tail.share) * core + tail.share * tailed.min(1.0)
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

    use super::super::scenario::{Dwell, Level, Order, Tail};
    use super::*;

    fn process(noise: f64, tail: Option<(f64, f64, f64)>) -> Process {
        Process {
            levels: vec![Level { slowdown: 1.0, load: 0.0, dwell: None }],
            order: Order::Random,
            dwell: Dwell::Geometric { mean: 10.0 },
            ramp: 0,
            noise,
            tail: tail.map(|(share, scale, shape)| Tail { share, scale, shape }),
            profile_error: 0.0,
        }
    }

    fn processes() -> [Process; 6] {
        [
            process(0.05, None),
            process(0.05, Some((0.005, 1.5, 2.0))),
            process(0.08, Some((0.02, 1.5, 2.0))),
            process(0.05, Some((0.5, 1.2, 1.2))),
            process(0.4, Some((1.0, 1.0, 0.7))),
            process(2.0, Some((0.3, 3.0, 40.0))),
        ]
    }

    #[test]
    fn the_density_integrates_to_the_exceedance() {
        for process in processes() {
            let sigma = process.noise;
            let mut low = -8.0 * sigma;
            assert!((process.exceed(low) - 1.0).abs() < 1e-9, "{process:?}");
            // Simpson's rule, over one piece after the other
            let (piece, halves) = (sigma, 400);
            for _ in 0..60 {
                let step = piece / f64::from(halves);
                let weight = |i: i32| if i == 0 || i == halves { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                let sum: f64 = (0..=halves).map(|i| weight(i) * process.density(low + step * f64::from(i))).sum();
                let expected = process.exceed(low) - process.exceed(low + piece);
                assert!((sum * step / 3.0 - expected).abs() < 1e-9, "{process:?} from {low}");
                low += piece;
            }
        }
    }

    #[test]
    fn drawn_factors_exceed_as_often_as_stated() {
        const DRAWS: usize = 100_000;
        for (seed, process) in processes().iter().enumerate() {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed as u64);
            let logs: Vec<f64> = (0..DRAWS).map(|_| process.scatter(&mut rng).ln()).collect();
            for log in [-0.1, 0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0] {
                let share = logs.iter().filter(|l| **l > log).count() as f64 / DRAWS as f64;
                let expected = process.exceed(log);
                let deviation = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
                assert!(
                    (share - expected).abs() <= 4.5 * deviation + 1e-5,
                    "{process:?}: {share}, {expected} at {log}"
                );
            }
        }
    }

    #[test]
    fn far_values_keep_to_their_ranges() {
        let steep = process(2.0, Some((1.0, 1000.0, 100.0)));
        let narrow = process(0.0, Some((0.5, 1.0, 0.1)));
        for process in processes().iter().chain([&steep, &narrow]) {
            let mut before = 1.0;
            for log in (-40i32..=40).map(|i| f64::from(i) * f64::from(i.abs())) {
                let (density, exceed) = (process.density(log), process.exceed(log));
                assert!(density >= 0.0 && density.is_finite(), "{process:?}: {density} at {log}");
                assert!((0.0..=before + 1e-12).contains(&exceed), "{process:?}: {exceed} after {before} at {log}");
                before = exceed;
            }
            for log in [f64::NEG_INFINITY, f64::INFINITY] {
                assert_eq!(process.density(log), 0.0, "{process:?}");
            }
        }
    }
}
