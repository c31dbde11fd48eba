//! Whether one convolution's weights are another's, up to a factor for each output channel.
//!
//! A rung's convolution is the widest one's first outputs and inputs, whose weights were multiplied by what batch-norm had
//! for it and rounded; a convolution of which that is so needs no weights of its own, but factors.

use crate::graph::{Conv, Pair};

/// The most by which a weight may differ from a multiple of another, relative to itself: two roundings to float32, and as
/// much again.
const DEVIATION: f64 = 4.0 / (1 << 24) as f64;

/// For each output of `conv` its factor to the weights that `base(output, input, tap)` gives; `None` where one of them has
/// none.
pub(crate) fn factors(conv: &Conv, base: impl Fn(usize, usize, Pair) -> f32) -> Option<Vec<f32>> {
    (0..conv.outputs()).map(|output| factor(conv, output, &base)).collect()
}

fn factor(conv: &Conv, output: usize, base: impl Fn(usize, usize, Pair) -> f32) -> Option<f32> {
    let pairs = || {
        (0..conv.inputs)
            .flat_map(|input| conv.taps().map(move |tap| (input, tap)))
            .map(|(input, tap)| (f64::from(conv.weight(output, input, tap)), f64::from(base(output, input, tap))))
    };
    let (product, square) =
        pairs().fold((0.0, 0.0), |(product, square), (own, base)| (product + own * base, square + base * base));
    // a dead channel is a multiple of every other
    let factor = if square == 0.0 { 0.0 } else { product / square };
    let near = |(own, base): (f64, f64)| (own - factor * base).abs() <= DEVIATION * own.abs();
    // the factor is rounded too
    (pairs().all(near) && (factor as f32).is_finite()).then_some(factor as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: Pair = Pair { time: 3, axes: 1 };

    fn conv(weights: Vec<f32>, inputs: usize) -> Conv {
        let outputs = weights.len() / (inputs * 3);
        let (one, none) = (Pair { time: 1, axes: 1 }, Pair { time: 0, axes: 0 });
        Conv { source: 0, inputs, kernel: KERNEL, stride: one, padding: none, weights, bias: vec![0.0; outputs] }
    }

    fn wide() -> Conv {
        conv((0..4 * 2 * 3).map(|i| (i as f32 * 0.7).sin()).collect(), 2)
    }

    /// The first two outputs and the first input of `wide`, each output times its factor.
    fn narrow(factors: [f32; 2]) -> Conv {
        let base = wide();
        let weights = (0..2).flat_map(|output| {
            let base = &base;
            base.taps().map(move |tap| factors[output] * base.weight(output, 0, tap)).collect::<Vec<_>>()
        });
        conv(weights.collect(), 1)
    }

    fn found(conv: &Conv, base: &Conv) -> Option<Vec<f32>> {
        factors(conv, |output, input, tap| base.weight(output, input, tap))
    }

    #[test]
    fn multiples_share_and_their_factors_are_found() {
        for wanted in [[1.0, 1.0], [0.37, 12.5], [-2.25, 1e-20], [0.0, 3.0]] {
            let found = found(&narrow(wanted), &wide()).unwrap();
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() <= 2e-7 * wanted.abs(), "{found} {wanted}");
            }
        }
    }

    #[test]
    fn one_weight_that_is_off_keeps_them_apart() {
        let mut other = narrow([0.37, 12.5]);
        other.weights[4] *= 1.0 + 1e-6;
        assert_eq!(found(&other, &wide()), None);
    }

    #[test]
    fn dead_channels_share_with_dead_ones_alone() {
        let mut base = wide();
        base.weights[..6].fill(0.0);
        assert_eq!(found(&narrow([1.0, 1.0]), &base), None);
        let mut dead = narrow([1.0, 1.0]);
        dead.weights[..3].fill(0.0);
        assert_eq!(found(&dead, &base).unwrap()[0], 0.0);
    }
}
