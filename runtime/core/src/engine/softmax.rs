//! From a network's logits to the recognised activity and the probability of each.

/// The index of the largest of `logits`; of equal ones the first.
#[must_use]
pub fn largest(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, label| if logits[label] > logits[best] { label } else { best })
}

/// Writes the softmax of `logits / temperature` into `probabilities` (one place per logit) and returns the index of the
/// largest logit, which no temperature changes. The logits are finite and the temperature is above 0.
pub fn softmax(logits: &[f32], temperature: f64, probabilities: &mut [f32]) -> usize {
    let temperature = temperature as f32;
    let best = largest(logits);
    let highest = logits[best];
    let mut sum = 0.0;
    for (probability, logit) in probabilities.iter_mut().zip(logits) {
        // at most 0, whatever the temperature, so that nothing overflows and the sum is at least 1
        *probability = ((logit - highest) / temperature).exp();
        sum += *probability;
    }
    for probability in probabilities {
        *probability /= sum;
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Activity and probabilities.
    fn answer(logits: &[f32], temperature: f64) -> (usize, Vec<f32>) {
        let mut probabilities = vec![f32::NAN; logits.len()];
        let activity = softmax(logits, temperature, &mut probabilities);
        (activity, probabilities)
    }

    #[test]
    fn of_equally_large_logits_the_first_is_the_answer() {
        for (logits, label) in [
            (&[1.0, 0.0, 1.0][..], 0),
            (&[-2.0, -1.0, -1.0], 1),
            (&[0.0, 1.0, 2.0], 2),
            (&[0.0, 2.0, 1.0], 1),
            (&[3.0], 0),
        ] {
            assert_eq!(largest(logits), label, "{logits:?}");
        }
    }

    #[test]
    fn a_temperature_softens_or_sharpens_as_worked_by_hand() {
        // odds of 1 : 3 : 9, their square roots and their squares
        let logits = [0.0, 3.0f32.ln(), 9.0f32.ln()];
        let root = 3.0f32.sqrt();
        for (temperature, odds) in [(1.0, [1.0, 3.0, 9.0]), (2.0, [1.0, root, 3.0]), (0.5, [1.0, 9.0, 81.0])] {
            let (activity, probabilities) = answer(&logits, temperature);
            assert_eq!(activity, 2);
            let sum: f32 = odds.iter().sum();
            for (probability, odds) in probabilities.iter().zip(odds) {
                assert!((probability - odds / sum).abs() < 1e-6, "{temperature}: {probabilities:?}");
            }
        }
    }

    #[test]
    fn the_largest_and_smallest_logits_give_probabilities_at_every_temperature() {
        for temperature in [0.05, 1.0, 20.0] {
            let (activity, probabilities) = answer(&[f32::MIN, f32::MAX, f32::MIN], temperature);
            assert_eq!((activity, probabilities), (1, vec![0.0, 1.0, 0.0]));
            let (activity, probabilities) = answer(&[f32::MIN; 4], temperature);
            assert_eq!((activity, probabilities), (0, vec![0.25; 4]));
        }
    }

    fn finite() -> impl Strategy<Value = f32> {
        prop_oneof![9 => -60.0..60.0f32, 1 => prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO]
    }

    proptest! {
        #[test]
        fn probabilities_are_those_of_double_precision(
            logits in prop::collection::vec(finite(), 2..12), temperature in 0.05..=20.0f64
        ) {
            let (_, probabilities) = answer(&logits, temperature);
            // 1 / (sum of the odds against it), which shares no step with what is tested
            for (probability, logit) in probabilities.iter().zip(&logits) {
                let against = |other: &f32| ((f64::from(*other) - f64::from(*logit)) / temperature).exp();
                let expected = 1.0 / logits.iter().map(against).sum::<f64>();
                prop_assert!((f64::from(*probability) - expected).abs() < 1e-6, "{probabilities:?}, {expected}");
            }
            prop_assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }

        #[test]
        fn no_temperature_changes_the_activity_or_the_order(
            logits in prop::collection::vec(finite(), 2..12), temperature in 0.05..=20.0f64
        ) {
            let (activity, probabilities) = answer(&logits, temperature);
            prop_assert_eq!(activity, largest(&logits));
            let mut order: Vec<usize> = (0..logits.len()).collect();
            order.sort_by(|one, other| logits[*one].total_cmp(&logits[*other]));
            prop_assert!(order.is_sorted_by_key(|label| probabilities[*label]), "{logits:?}: {probabilities:?}");
        }

        #[test]
        fn a_temperature_of_1_changes_no_bit(logits in prop::collection::vec(finite(), 2..12)) {
            let (activity, probabilities) = answer(&logits, 1.0);
            // as it was before there were temperatures
            let odds: Vec<f32> = logits.iter().map(|logit| (logit - logits[activity]).exp()).collect();
            let sum = odds.iter().fold(0.0, |sum, odds| sum + odds);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let before: Vec<f32> = odds.iter().map(|odds| odds / sum).collect();
            prop_assert_eq!(bits(&probabilities), bits(&before));
        }
    }
}
