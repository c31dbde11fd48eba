//! Normalisation of a window by its own values.

use std::fmt;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What values can become: the range of float32.
const TARGETS: RangeInclusive<f64> = f32::MIN as f64..=f32::MAX as f64;

/// How each window is normalised before it is resampled and goes to the network, by nothing but the values in it.
///
/// In the formulas x is a value of the window and y what becomes of it; mean, std, min and max are those of the channel
/// or of the whole window (`over`), computed in float64. The network reads the results as float32. A channel or window
/// whose values are all the same gives 0 or, for a `range`, `low`; never what is no number, not even with an
/// `epsilon` of 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "lowercase", deny_unknown_fields)]
pub enum Normalisation {
    /// y = (x - mean) / (std + epsilon), where std = sqrt(mean of (x - mean)^2), that of the population.
    Standardise {
        /// What mean and standard deviation are of.
        #[serde(default)]
        over: Over,
        /// Added to the standard deviation; 1e-8 where absent.
        #[serde(default = "epsilon")]
        #[schemars(range(min = 0))]
        epsilon: f64,
    },
    /// y = x - mean.
    Centre {
        /// What the mean is of.
        #[serde(default)]
        over: Over,
    },
    /// y = low + (high - low) * (x - min) / (max - min + epsilon).
    Range {
        /// What minimum and maximum are of.
        #[serde(default)]
        over: Over,
        /// Added to the distance from minimum to maximum; 1e-8 where absent.
        #[serde(default = "epsilon")]
        #[schemars(range(min = 0))]
        epsilon: f64,
        /// What the minimum becomes; 0 where absent.
        #[serde(default)]
        low: f64,
        /// What the maximum becomes, but for `epsilon`; above `low`, 1 where absent.
        #[serde(default = "one")]
        high: f64,
    },
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, over) = match self {
            Self::Standardise { over, .. } => ("standardise", over),
            Self::Centre { over } => ("centre", over),
            Self::Range { over, .. } => ("range", over),
        };
        let over = match over {
            Over::Channel => "channel",
            Over::Window => "window",
        };
        write!(f, "{method}, over the {over}")
    }
}

/// Which values are normalised together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Those of each channel by itself.
    #[default]
    Channel,
    /// Those of all channels.
    Window,
}

fn epsilon() -> f64 {
    1e-8
}

fn one() -> f64 {
    1.0
}

impl Normalisation {
    /// Everything that is wrong with it, one sentence each; nothing where it can be applied.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Self::Standardise { epsilon, .. } | Self::Range { epsilon, .. } = *self
            && !(epsilon.is_finite() && epsilon >= 0.0)
        {
            problems.push(format!("epsilon is {epsilon}, and must be a finite number of at least 0"));
        }
        if let Self::Range { low, high, .. } = *self {
            let targets = [("low", low), ("high", high)];
            let wrong = targets.into_iter().filter(|(_, target)| !TARGETS.contains(target));
            problems
                .extend(wrong.map(|(key, target)| format!("{key} is {target}, and must be in the range of float32")));
            if low >= high {
                problems.push(format!("low is {low}, and must be below high, which is {high}"));
            }
        }
        problems
    }

    /// Normalises `window`, row-major `[channels, time]` and all finite, to `out` of the same shape.
    ///
    /// # Panics
    /// When the sizes do not fit.
    pub fn apply(&self, window: &[f32], channels: usize, out: &mut [f32]) {
        assert!(
            window.len() == out.len() && window.len().is_multiple_of(channels),
            "{} values of {channels} channels are to become {}",
            window.len(),
            out.len()
        );
        let together = match self.over() {
            Over::Channel => window.len() / channels.max(1),
            Over::Window => window.len(),
        };
        // an empty window has no chunks of 0 values
        let together = together.max(1);
        for (window, out) in window.chunks_exact(together).zip(out.chunks_exact_mut(together)) {
            self.normalise(window, out);
        }
    }

    fn over(&self) -> Over {
        let (Self::Standardise { over, .. } | Self::Centre { over } | Self::Range { over, .. }) = *self;
        over
    }

    /// Normalises values together.
    fn normalise(&self, values: &[f32], out: &mut [f32]) {
        // y = low + (high - low) * (x - shift) / divisor
        let (shift, divisor, low, high) = match *self {
            Self::Standardise { epsilon, .. } => {
                let mean = mean_of(values, |x| x);
                let variance = mean_of(values, |x| (x - mean) * (x - mean));
                (mean, variance.sqrt() + epsilon, 0.0, 1.0)
            }
            Self::Centre { .. } => (mean_of(values, |x| x), 1.0, 0.0, 1.0),
            Self::Range { epsilon, low, high, .. } => {
                let least = values.iter().copied().fold(f32::INFINITY, f32::min);
                let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                (f64::from(least), f64::from(most) - f64::from(least) + epsilon, low, high)
            }
        };
        // it is 0 where all values are the same, and then so is every x - shift
        let divisor = if divisor > 0.0 { divisor } else { 1.0 };
        for (out, &x) in out.iter_mut().zip(values) {
            let y = low + (high - low) * ((f64::from(x) - shift) / divisor);
            // a float64 beyond the range of float32 would become infinite
            *out = y.clamp(*TARGETS.start(), *TARGETS.end()) as f32;
        }
    }
}

/// Mean of `formula` over the values. That of up to 2^29 times the same value is exactly that value: a float64 has 29
/// binary digits more than a float32.
fn mean_of(values: &[f32], formula: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&x| formula(f64::from(x))).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Normalisation {
        serde_json::from_str(text).unwrap()
    }

    fn applied(normalisation: Normalisation, channels: usize, window: &[f32]) -> Vec<f32> {
        assert_eq!(normalisation.problems(), [""; 0]);
        let mut out = vec![f32::NAN; window.len()];
        normalisation.apply(window, channels, &mut out);
        out
    }

    #[test]
    fn equals_numpy() {
        #[derive(Deserialize)]
        struct Case {
            name: String,
            normalisation: Normalisation,
            window: Vec<Vec<f32>>,
            expected: Vec<Vec<f64>>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/normalisation.json")).unwrap();
        assert_eq!(cases.len(), 28);
        for Case { name, normalisation, window, expected } in cases {
            let found = applied(normalisation, window.len(), &window.concat());
            for (place, (found, expected)) in found.into_iter().zip(expected.concat()).enumerate() {
                // half of float32's last digit, and what float64 loses in the mean of 30,000
                let error = (f64::from(found) - expected).abs();
                assert!(
                    error <= 6e-8 * expected.abs() + 1e-10,
                    "{name}, {normalisation:?}: {found} at {place}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn defaults_are_what_is_most_common() {
        assert_eq!(
            parsed(r#"{"method": "standardise"}"#),
            Normalisation::Standardise { over: Over::Channel, epsilon: 1e-8 }
        );
        assert_eq!(parsed(r#"{"method": "centre"}"#), Normalisation::Centre { over: Over::Channel });
        let range = Normalisation::Range { over: Over::Window, epsilon: 1e-8, low: 0.0, high: 1.0 };
        assert_eq!(parsed(r#"{"method": "range", "over": "window"}"#), range);
    }

    #[test]
    fn unknown_keys_and_methods_are_refused() {
        for (text, says) in [
            (r#"{"over": "channel"}"#, "missing field `method`"),
            (r#"{"method": "whiten"}"#, "unknown variant `whiten`"),
            (r#"{"method": "standardise", "over": "time"}"#, "unknown variant `time`"),
            (r#"{"method": "standardise", "low": 0}"#, "unknown field `low`"),
            (r#"{"method": "centre", "epsilon": 1}"#, "unknown field `epsilon`"),
            (r#"{"method": "range", "minimum": 0}"#, "unknown field `minimum`"),
        ] {
            let error = serde_json::from_str::<Normalisation>(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn wrong_numbers_are_problems() {
        let range = |epsilon, low, high| Normalisation::Range { over: Over::Channel, epsilon, low, high };
        let standardise = |epsilon| Normalisation::Standardise { over: Over::Channel, epsilon };
        for (normalisation, expected) in [
            (standardise(-1e-9), "epsilon is -0.000000001, and must be a finite number of at least 0"),
            (standardise(f64::NAN), "epsilon is NaN, and must be a finite number of at least 0"),
            (range(f64::INFINITY, 0.0, 1.0), "epsilon is inf, and must be a finite number of at least 0"),
            (range(0.0, 1.0, 1.0), "low is 1, and must be below high, which is 1"),
            (range(0.0, 1.0, -1.0), "low is 1, and must be below high, which is -1"),
            (range(0.0, f64::NAN, 1.0), "low is NaN, and must be in the range of float32"),
            (range(0.0, 0.0, f64::INFINITY), "high is inf, and must be in the range of float32"),
        ] {
            assert_eq!(normalisation.problems(), [expected]);
        }
        assert_eq!(range(-1.0, 3.0, 2.0).problems().len(), 2, "all are named at once");
        assert!(range(0.0, -f64::from(f32::MAX), f64::from(f32::MAX)).problems().is_empty());
    }

    #[test]
    #[should_panic = "6 values of 4 channels are to become 6"]
    fn only_whole_channels_are_normalised() {
        parsed(r#"{"method": "centre"}"#).apply(&[0.0; 6], 4, &mut [0.0; 6]);
    }

    #[test]
    #[should_panic = "6 values of 2 channels are to become 4"]
    fn sizes_must_fit() {
        parsed(r#"{"method": "centre"}"#).apply(&[0.0; 6], 2, &mut [0.0; 4]);
    }

    #[test]
    fn an_empty_window_stays_empty() {
        assert!(applied(parsed(r#"{"method": "range"}"#), 3, &[]).is_empty());
    }

    #[test]
    fn the_largest_values_stay_finite() {
        let out = applied(parsed(r#"{"method": "centre"}"#), 1, &[f32::MAX, f32::MIN, f32::MIN, f32::MIN]);
        assert_eq!(out, [f32::MAX, f32::MIN / 2.0, f32::MIN / 2.0, f32::MIN / 2.0], "1.5 times the largest is cut off");
    }

    /// Multiples of 1/1024: serde_json reads longer numbers only to their last digit but one.
    fn short(range: std::ops::Range<i32>) -> impl Strategy<Value = f64> {
        range.prop_map(|value| f64::from(value) / 1024.0)
    }

    fn normalisations() -> impl Strategy<Value = Normalisation> {
        let over = prop::sample::select(vec![Over::Channel, Over::Window]);
        let epsilon = prop_oneof![Just(0.0), Just(1e-8), short(0..10_000)];
        (over, epsilon, short(-100_000..100_000), short(1..100_000), 0..3).prop_map(
            |(over, epsilon, low, width, method)| match method {
                0 => Normalisation::Standardise { over, epsilon },
                1 => Normalisation::Centre { over },
                _ => Normalisation::Range { over, epsilon, low, high: low + width },
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(normalisation in normalisations()) {
            prop_assert_eq!(parsed(&serde_json::to_string(&normalisation).unwrap()), normalisation);
        }

        /// Exactly, for every value and length, however small the epsilon.
        #[test]
        fn a_constant_window_gives_0_or_low(
            normalisation in normalisations(),
            value in prop_oneof![any::<f32>().prop_filter("finite", |value| value.is_finite()), -20.0..20f32],
            channels in 1..4usize,
            length in 1..300usize,
        ) {
            let expected = if let Normalisation::Range { low, .. } = normalisation { low as f32 } else { 0.0 };
            let out = applied(normalisation, channels, &vec![value; channels * length]);
            prop_assert!(out.iter().all(|&y| y == expected), "{:?}", out);
        }

        #[test]
        fn every_finite_window_stays_finite(
            normalisation in normalisations(),
            values in prop::collection::vec(any::<f32>().prop_filter("finite", |value| value.is_finite()), 1..50),
        ) {
            let out = applied(normalisation, 1, &values);
            prop_assert!(out.iter().all(|value| value.is_finite()), "{:?}", out);
        }

        /// Means are 0, standard deviations 1, and ranges go from one target to the other.
        #[test]
        fn normalised_windows_have_what_they_are_normalised_to(
            values in prop::collection::vec(-100.0..100f32, 3..100),
            over in prop::sample::select(vec![Over::Channel, Over::Window]),
        ) {
            prop_assume!(values.iter().any(|value| (value - values[0]).abs() > 0.1));
            let mean_of = |out: &[f32]| out.iter().map(|&y| f64::from(y)).sum::<f64>() / out.len() as f64;
            let standard = applied(Normalisation::Standardise { over, epsilon: 0.0 }, 1, &values);
            let squares: Vec<_> = standard.iter().map(|y| y * y).collect();
            prop_assert!(mean_of(&standard).abs() < 1e-5 && (mean_of(&squares) - 1.0).abs() < 1e-5);
            let centred = applied(Normalisation::Centre { over }, 1, &values);
            prop_assert!(mean_of(&centred).abs() < 1e-4);
            let ranged = applied(Normalisation::Range { over, epsilon: 0.0, low: -1.0, high: 1.0 }, 1, &values);
            prop_assert_eq!(ranged.iter().copied().fold(f32::INFINITY, f32::min), -1.0);
            prop_assert_eq!(ranged.iter().copied().fold(f32::NEG_INFINITY, f32::max), 1.0);
        }

        /// A channel by itself is as if there were no other, and all together are as one channel.
        #[test]
        fn channels_are_apart_or_together(
            normalisation in normalisations(),
            channels in prop::collection::vec(prop::array::uniform5(-50.0..50f32), 1..5),
        ) {
            let window = channels.concat();
            let found = applied(normalisation, channels.len(), &window);
            let expected = match normalisation.over() {
                Over::Channel => channels.iter().flat_map(|channel| applied(normalisation, 1, channel)).collect(),
                Over::Window => applied(normalisation, 1, &window),
            };
            prop_assert_eq!(found, expected);
        }

        /// An offset of the sensor, and its scale, do not come through.
        #[test]
        fn offset_and_scale_make_no_difference(
            values in prop::collection::vec(-64..64i16, 2..50),
            range in any::<bool>(),
        ) {
            let over = Over::Channel;
            let normalisation = if range {
                Normalisation::Range { over, epsilon: 0.0, low: 0.0, high: 1.0 }
            } else {
                Normalisation::Standardise { over, epsilon: 0.0 }
            };
            let plain: Vec<_> = values.iter().map(|&value| f32::from(value)).collect();
            let moved: Vec<_> = plain.iter().map(|value| 4.0 * value + 1000.0).collect();
            for (a, b) in applied(normalisation, 1, &plain).into_iter().zip(applied(normalisation, 1, &moved)) {
                prop_assert!((a - b).abs() <= 1e-6, "{} and {}", a, b);
            }
        }
    }
}
