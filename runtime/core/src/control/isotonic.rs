//! Values that cannot fall, from measurements that by chance do.

/// Makes `values` non-decreasing by pooling neighbours that are not (isotonic regression with equal weights, by the
/// pool-adjacent-violators algorithm of Ayer et al., 1955). Accuracies are measured on some hundreds of windows: where
/// a costlier configuration seems worse, that is mostly chance, and not worth a switch.
pub fn isotonic(values: &mut [f64]) {
    // blocks of equal values, as (sum, length), from left to right
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(values.len());
    for value in values.iter() {
        let mut block = (*value, 1);
        while let Some(before) = blocks.pop_if(|before| before.0 / before.1 as f64 >= block.0 / block.1 as f64) {
            block = (before.0 + block.0, before.1 + block.1);
        }
        blocks.push(block);
    }
    let pooled = blocks.iter().flat_map(|(sum, length)| std::iter::repeat_n(sum / *length as f64, *length));
    for (value, pooled) in values.iter_mut().zip(pooled) {
        *value = pooled;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pooling_follows_an_example_worked_by_hand() {
        let mut values = [1.0, 3.0, 2.0, 4.0, 3.0, 2.0, 5.0];
        isotonic(&mut values);
        assert_eq!(values, [1.0, 2.5, 2.5, 3.0, 3.0, 3.0, 5.0]);
    }

    proptest! {
        /// The defining property of a least-squares fit: no other non-decreasing sequence is nearer, of which it is
        /// enough to try steps at every place.
        #[test]
        fn pooling_is_the_nearest_non_decreasing_sequence(values in prop::collection::vec(0.0..1.0f64, 1..12)) {
            let mut pooled = values.clone();
            isotonic(&mut pooled);
            prop_assert!(pooled.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
            let residual = |from: usize| -> f64 {
                values[from..].iter().zip(&pooled[from..]).map(|(value, pooled)| value - pooled).sum()
            };
            prop_assert!(residual(0).abs() < 1e-9);
            for from in 0..values.len() {
                prop_assert!(residual(from) < 1e-9, "raising the end from {from} on would be nearer");
            }
            let cross: f64 = values.iter().zip(&pooled).map(|(value, pooled)| (value - pooled) * pooled).sum();
            prop_assert!(cross.abs() < 1e-9);
        }
    }
}
