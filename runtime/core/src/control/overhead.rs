//! What a window costs outside of its inference, and what of the budget that leaves.
//!
//! When a configuration is picked, what has passed (conditioning, waiting) is known. What is still to come beside the
//! inference (picking, softmax, publishing) is not: it is learned as a distribution, for a single late one must neither be
//! forgotten nor be taken for the rule.
//!
//! [`Overhead`] is a histogram whose buckets are a quarter of an octave wide (log-linear, as in Tene's HdrHistogram), with
//! exponential forgetting: each observation counts for 1, the one before for 1 - 1 / [`MEMORY`] of it, and so on. So an
//! outlier raises the probability of one by 1 / [`MEMORY`], and a rate of them is estimated as that rate.
//!
//! A policy is given what that leaves of the time ([`Available`]): the probability that nothing is left, and otherwise a
//! few amounts of time with their probabilities (the distribution cut into shares of what there is, each with its mean).
//! The probability of a miss is the sum over them:
//!
//! ```text
//! P(late) = P(nothing is left) + sum over parts of share * P(inference > left)
//! ```

use std::time::Duration;

/// Observations after which an old one has faded to a third.
const MEMORY: f32 = 128.0;

/// Windows without overhead that are taken for observed at first.
const PRIOR: f32 = 8.0;

/// Buckets in an octave: a power of two, so that a bucket is known by the leading bits of a number of nanoseconds.
const PER_OCTAVE: usize = 4;
const PER_OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();

/// What is shorter than two to the power of this, nanoseconds (8 us), counts for nothing.
const LEAST_BITS: u32 = 13;
/// What is longer than two to the power of this, nanoseconds (69 s), is longer than every budget.
const MOST_BITS: u32 = 36;

const BUCKETS: usize = 1 + PER_OCTAVE * (MOST_BITS - LEAST_BITS) as usize;

/// Weights grow in place of all others fading; above this, all are scaled down.
const LARGEST_WEIGHT: f32 = 1e6;

/// A bucket with a smaller share is forgotten.
const FORGOTTEN: f32 = 1e-5;

/// The time that is left is told in so many parts at most: about as fine as single inferences scatter.
const PARTS: usize = 16;

/// How long windows take outside of their inferences, after a configuration is picked; what is long ago fades.
#[derive(Clone, Debug, PartialEq)]
pub struct Overhead {
    weights: [f32; BUCKETS],
    total: f32,
    /// What the latest observation weighs.
    weight: f32,
}

/// The time that is left for an inference: the probability that there is none, and of each of a few amounts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Available {
    parts: [Part; PARTS],
    length: usize,
    nothing: f32,
}

/// So much time is left with this probability.
type Part = (Duration, f32);

/// The bucket of a number of nanoseconds.
fn bucket(nanoseconds: u64) -> usize {
    let bits = nanoseconds.checked_ilog2().unwrap_or(0);
    if bits < LEAST_BITS {
        return 0;
    }
    let within = (nanoseconds >> (bits - PER_OCTAVE_BITS)) as usize % PER_OCTAVE;
    (1 + PER_OCTAVE * (bits - LEAST_BITS) as usize + within).min(BUCKETS - 1)
}

/// The middle of each bucket, nanoseconds.
static MIDDLES: [u64; BUCKETS] = {
    let mut middles = [0; BUCKETS];
    let mut bucket = 1;
    while bucket < BUCKETS {
        let (octave, within) = ((bucket - 1) / PER_OCTAVE, (bucket - 1) % PER_OCTAVE);
        let quarter = 1 << (LEAST_BITS - PER_OCTAVE_BITS + octave as u32);
        middles[bucket] = (PER_OCTAVE + within) as u64 * quarter + quarter / 2;
        bucket += 1;
    }
    middles
};

impl Default for Overhead {
    fn default() -> Self {
        Self::NONE
    }
}

impl Overhead {
    /// Nothing observed yet: no window takes any time outside of its inference.
    pub const NONE: Self = {
        let mut weights = [0.0; BUCKETS];
        weights[0] = PRIOR;
        Self { weights, total: PRIOR, weight: 1.0 }
    };

    /// Learns that a window has taken `overhead` outside of its inference since its configuration was picked.
    pub fn observe(&mut self, overhead: Duration) {
        self.weight *= const { 1.0 / (1.0 - 1.0 / MEMORY) };
        if self.weight > LARGEST_WEIGHT {
            self.scale_down();
        }
        self.weights[bucket(u64::try_from(overhead.as_nanos()).unwrap_or(u64::MAX))] += self.weight;
        self.total += self.weight;
    }

    fn scale_down(&mut self) {
        let (scale, least) = (self.weight.recip(), FORGOTTEN * self.total);
        for weight in &mut self.weights {
            *weight = if *weight < least { 0.0 } else { *weight * scale };
        }
        self.total = self.weights.iter().sum();
        self.weight = 1.0;
    }

    /// The overhead that a window does not exceed with the probability `share`, to within an eighth.
    #[must_use]
    pub fn quantile(&self, share: f32) -> Duration {
        let mut below = share * self.total;
        let reached = self.weights.iter().position(|weight| {
            below -= weight;
            below <= 0.0
        });
        Duration::from_nanos(MIDDLES[reached.unwrap_or(BUCKETS - 1)])
    }

    /// What is left of `time`.
    #[must_use]
    pub fn available(&self, time: Duration) -> Available {
        // most of the time all is in one bucket, or there is nothing to take from
        if self.weights[0] >= self.total || time.is_zero() {
            return Available::all(time);
        }
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let scale = PARTS as f32 / nanoseconds as f32;
        let (mut shares, mut sums) = ([0.0f32; PARTS], [0.0f32; PARTS]);
        let within = MIDDLES.partition_point(|middle| *middle < nanoseconds);
        for (weight, middle) in self.weights[..within].iter().zip(&MIDDLES) {
            if *weight > 0.0 {
                let middle = *middle as f32;
                let part = ((middle * scale) as usize).min(PARTS - 1);
                shares[part] += weight;
                sums[part] += weight * middle;
            }
        }
        let nothing: f32 = self.weights[within..].iter().sum();
        let mut available = Available { parts: [Part::default(); PARTS], length: 0, nothing: nothing / self.total };
        for (share, sum) in shares.into_iter().zip(sums) {
            if share > 0.0 {
                let left = Duration::from_nanos(nanoseconds - (sum / share) as u64);
                available.parts[available.length] = (left, share / self.total);
                available.length += 1;
            }
        }
        available
    }
}

impl Available {
    /// All of `time` is left.
    #[must_use]
    pub fn all(time: Duration) -> Self {
        let mut parts = [Part::default(); PARTS];
        parts[0] = (time, 1.0);
        Self { parts, length: 1, nothing: 0.0 }
    }

    /// The amounts of time, the longest first.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts[..self.length]
    }

    /// Probability that nothing is left, however short the inference: what comes after it is late by itself.
    #[must_use]
    pub fn nothing(&self) -> f64 {
        f64::from(self.nothing)
    }

    /// The time that is left with the probability `share`.
    #[must_use]
    pub fn with_probability(&self, share: f32) -> Duration {
        let mut reached = 0.0;
        let part = self.parts().iter().find(|(_, part)| {
            reached += part;
            reached >= share
        });
        part.map_or(Duration::ZERO, |(left, _)| *left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// All that was observed, each with its weight; the prior is a first one.
    #[derive(Default)]
    struct BruteForce(Vec<(f64, f64)>);

    impl BruteForce {
        fn of(observed: &[f64]) -> Self {
            let mut all = Self(vec![(0.0, f64::from(PRIOR))]);
            for seconds in observed {
                all.0.iter_mut().for_each(|(_, weight)| *weight *= 1.0 - 1.0 / f64::from(MEMORY));
                all.0.push((middle(*seconds), 1.0));
            }
            let total: f64 = all.0.iter().map(|(_, weight)| weight).sum();
            all.0.iter_mut().for_each(|(_, weight)| *weight /= total);
            all
        }

        fn mean(&self, of: impl Fn(f64) -> f64) -> f64 {
            self.0.iter().map(|(seconds, weight)| weight * of(*seconds)).sum()
        }
    }

    /// The middle of the quarter of an octave (of nanoseconds) in which `seconds` lie.
    fn middle(seconds: f64) -> f64 {
        let nanoseconds = Duration::from_secs_f64(seconds).as_nanos() as f64;
        let octave = nanoseconds.log2().floor();
        if octave < f64::from(LEAST_BITS) {
            return 0.0;
        }
        let quarter = ((nanoseconds / octave.exp2() - 1.0) * 4.0).floor();
        octave.exp2() * (1.0 + (quarter + 0.5) / 4.0) / 1e9
    }

    fn overhead(observed: &[f64]) -> Overhead {
        let mut overhead = Overhead::NONE;
        observed.iter().for_each(|seconds| overhead.observe(Duration::from_secs_f64(*seconds)));
        overhead
    }

    /// From a microsecond to a minute.
    fn seconds() -> impl Strategy<Value = f64> {
        (-6.0..1.7f64).prop_map(|exponent| 10f64.powf(exponent))
    }

    proptest! {
        #[test]
        fn what_is_left_is_that_of_all_observations_with_their_weights(
            observed in prop::collection::vec(seconds(), 0..400),
            time in seconds(),
        ) {
            let (all, overhead) = (BruteForce::of(&observed), overhead(&observed));
            let available = overhead.available(Duration::from_secs_f64(time));
            // to the nanosecond, for a middle may be just as long as the time
            let (sooner, later) = (all.mean(|d| f64::from(d > time + 2e-9)), all.mean(|d| f64::from(d > time - 2e-9)));
            prop_assert!((sooner - 1e-4..=later + 1e-4).contains(&available.nothing()), "{available:?}");
            let shares: f64 = available.parts().iter().map(|(_, share)| f64::from(*share)).sum();
            prop_assert!((shares + available.nothing() - 1.0).abs() < 1e-4, "{available:?}");
            let left: f64 = available.parts().iter().map(|(left, share)| f64::from(*share) * left.as_secs_f64()).sum();
            let expected = all.mean(|d| (time - d).max(0.0));
            prop_assert!((left - expected).abs() < 1e-4 * time + 1e-8, "{left}, {expected}");
            prop_assert!(available.parts().is_sorted_by(|a, b| a.0 > b.0), "{available:?}");
            // no part is wider than a sixteenth of the time
            for level in [0.2, 0.5, 0.9] {
                let at_least = |margin: f64| all.mean(|d| f64::from(time - d >= level * time + margin));
                let (least, most) = (at_least(time / 16.0), at_least(-time / 16.0));
                let found: f64 = available.parts().iter().filter(|(left, _)| left.as_secs_f64() >= level * time)
                    .map(|(_, share)| f64::from(*share)).sum();
                prop_assert!((least - 1e-4..=most + 1e-4).contains(&found), "{found}, {least} to {most}");
            }
        }

        #[test]
        fn a_quantile_is_that_of_all_observations(
            observed in prop::collection::vec(seconds(), 0..400),
            share in 0.01..0.99f64,
        ) {
            let (all, overhead) = (BruteForce::of(&observed), overhead(&observed));
            let quantile = overhead.quantile(share as f32).as_secs_f64();
            let (below, up_to) = (all.mean(|d| f64::from(d < quantile - 2e-9)), all.mean(|d| f64::from(d < quantile + 2e-9)));
            prop_assert!(below - 1e-4 <= share && share <= up_to + 1e-4, "{quantile}: {below}, {share}, {up_to}");
        }
    }

    #[test]
    fn an_outlier_counts_for_one_observation_and_is_forgotten() {
        let mut overhead = Overhead::NONE;
        (0..1000).for_each(|_| overhead.observe(Duration::from_micros(60)));
        assert_eq!(overhead.available(MS(50)).nothing(), 0.0);
        overhead.observe(Duration::from_secs(2));
        let one = overhead.available(MS(50));
        assert!((one.nothing() - 1.0 / f64::from(MEMORY)).abs() < 1e-4, "{one:?}");
        assert!(one.with_probability(0.9) > MS(49), "{one:?}");
        assert!(overhead.quantile(0.9) < Duration::from_micros(70));
        (0..1000).for_each(|_| overhead.observe(Duration::from_micros(60)));
        assert!(overhead.available(MS(50)).nothing() < 1e-5);
        // even the very first
        let first = self::overhead(&[2.0]).available(MS(50));
        assert!((first.nothing() - 1.0 / f64::from(1.0 + PRIOR)).abs() < 2e-3, "{first:?}");
    }

    #[test]
    fn outliers_are_as_probable_as_they_are_frequent_however_long_it_goes_on() {
        let mut overhead = Overhead::NONE;
        let (mut sum, mut count) = (0.0, 0.0);
        for window in 0..100_000 {
            overhead.observe(if window % 20 == 7 { MS(80) } else { Duration::from_micros(300) });
            if window > 1000 {
                let nothing = overhead.available(MS(70)).nothing();
                assert!((nothing - 0.05).abs() < 0.006, "{nothing} after {window}");
                (sum, count) = (sum + nothing, count + 1.0);
            }
        }
        assert!((sum / count - 0.05).abs() < 2e-4, "{}", sum / count);
    }

    #[test]
    fn a_new_usual_is_soon_taken_for_it() {
        let mut overhead = Overhead::NONE;
        (0..500).for_each(|_| overhead.observe(MS(1)));
        (0..89).for_each(|_| overhead.observe(MS(20)));
        assert!((MS(17)..MS(23)).contains(&overhead.quantile(0.51)), "{:?}", overhead.quantile(0.51));
    }

    #[test]
    fn of_no_time_nothing_is_left_and_without_overhead_all_is() {
        assert_eq!(Overhead::NONE.available(MS(70)), Available::all(MS(70)));
        assert_eq!(overhead(&[1e-6; 300]).available(MS(70)), Available::all(MS(70)));
        assert_eq!(overhead(&[0.02; 30]).available(Duration::ZERO), Available::all(Duration::ZERO));
        assert_eq!(Available::all(MS(3)).with_probability(0.9), MS(3));
        let always_late = overhead(&[0.2; 4000]).available(MS(70));
        assert_eq!((always_late.nothing(), always_late.with_probability(0.5)), (1.0, Duration::ZERO));
        for far in [Duration::from_secs(3600), Duration::MAX] {
            let mut overhead = Overhead::NONE;
            overhead.observe(far);
            assert!(overhead.available(MS(60_000)).nothing() > 0.1);
        }
    }
}
