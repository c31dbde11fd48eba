//! How long a level holds.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::scenario::Dwell;

impl Dwell {
    /// A length, in inferences.
    pub(super) fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> usize {
        match *self {
            Self::Geometric { mean } if mean <= 1.0 => 1,
            Self::Geometric { mean } => {
                let u: f64 = rng.random();
                1 + ((-u).ln_1p() / (-1.0 / mean).ln_1p()) as usize
            }
            Self::Uniform { shortest, longest } => rng.random_range(shortest..=longest),
        }
    }

    /// Chance that an inference is the level's last, when it is its `age`th.
    pub(super) fn hazard(&self, age: usize) -> f64 {
        match *self {
            // age 0 stands before the first inference of all
            _ if age == 0 => 0.0,
            Self::Geometric { mean } => 1.0 / mean,
            Self::Uniform { shortest, .. } if age < shortest => 0.0,
            Self::Uniform { longest, .. } => 1.0 / (longest.saturating_sub(age) + 1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const DRAWS: usize = 100_000;

    fn lengths(dwell: Dwell) -> Vec<usize> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        (0..DRAWS).map(|_| dwell.draw(&mut rng)).collect()
    }

    /// Mean, and how far a mean of so many draws may be off.
    fn mean(lengths: &[usize]) -> (f64, f64) {
        // summed as floats: where usize has 32 bits, the sum does not fit
        let mean = lengths.iter().map(|length| *length as f64).sum::<f64>() / DRAWS as f64;
        let variance = lengths.iter().map(|length| (*length as f64 - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        (mean, 4.5 * (variance / DRAWS as f64).sqrt())
    }

    #[test]
    fn lengths_have_the_stated_distribution() {
        for stated in [1.5, 20.0, 400.0, 1e6] {
            let (mean, error) = mean(&lengths(Dwell::Geometric { mean: stated }));
            assert!((mean - stated).abs() <= error, "{mean} for {stated}");
        }
        assert!(lengths(Dwell::Geometric { mean: 1.0 }).iter().all(|length| *length == 1));

        let lengths = lengths(Dwell::Uniform { shortest: 3, longest: 9 });
        let bounds = (lengths.iter().min(), lengths.iter().max());
        assert_eq!(bounds, (Some(&3), Some(&9)));
        let (mean, error) = mean(&lengths);
        assert!((mean - 6.0).abs() <= error, "{mean}");
    }

    #[test]
    fn hazards_are_those_of_the_drawn_lengths() {
        let dwells = [
            Dwell::Geometric { mean: 1.0 },
            Dwell::Geometric { mean: 8.0 },
            Dwell::Uniform { shortest: 1, longest: 1 },
            Dwell::Uniform { shortest: 5, longest: 20 },
        ];
        for dwell in dwells {
            assert_eq!(dwell.hazard(0), 0.0);
            let lengths = lengths(dwell);
            for age in 1..=25 {
                let reached = lengths.iter().filter(|length| **length >= age).count() as f64;
                if reached > 0.0 {
                    let ended = lengths.iter().filter(|length| **length == age).count() as f64;
                    let hazard = dwell.hazard(age);
                    let deviation = (hazard * (1.0 - hazard) / reached).sqrt();
                    let share = ended / reached;
                    assert!((share - hazard).abs() <= 4.5 * deviation, "{dwell:?} at {age}: {share}, {hazard}");
                }
            }
        }
    }
}
