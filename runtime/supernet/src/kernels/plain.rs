//! Kernels in safe Rust, which any processor runs and the others are held against.

use super::{Classifier, Form, Kernel, Set};
use crate::plan::{ClassifierPlan, ConvStep, Part, Share, Tile};

/// Channels of a vector.
pub(crate) const LANES: usize = 8;

type Vector = [f32; LANES];

pub(crate) static SET: Set = Set {
    name: "plain",
    panel: LANES,
    round: LANES,
    lanes: LANES,
    forms: &[Form {
        vectors: 1,
        lanes: LANES,
        taps: None,
        kernels: &[(1, Kernel::Plain), (2, Kernel::Plain), (3, Kernel::Plain), (4, Kernel::Plain)],
    }],
    classify: Classifier::Plain,
};

/// Computes `tile` of `step`, whose sums of first taps stand at `sums`.
pub(crate) fn tile(step: &ConvStep, tile: &Tile, sums: usize, weights: &[f32], arena: &mut [f32]) {
    match tile.positions() {
        1 => sized::<1>(step, tile, sums, weights, arena),
        2 => sized::<2>(step, tile, sums, weights, arena),
        3 => sized::<3>(step, tile, sums, weights, arena),
        _ => sized::<4>(step, tile, sums, weights, arena),
    }
}

fn sized<const POSITIONS: usize>(step: &ConvStep, tile: &Tile, sums: usize, weights: &[f32], arena: &mut [f32]) {
    let (from, to) = (step.from(tile), step.to(tile));
    let weights = &weights[step.weights_of(tile)..];
    let begun = |position: usize| sums + to[position] as usize + tile.output();
    let mut sums = match tile.part() {
        Part::Last => std::array::from_fn(|position| vector(arena, begun(position))),
        Part::Whole | Part::First => [[0.0_f32; LANES]; POSITIONS],
    };
    for tap in step.taps(tile) {
        let weights = weights[tap.weight()..][..step.channels() * LANES].as_chunks::<LANES>().0;
        let inputs: [&[f32]; POSITIONS] =
            std::array::from_fn(|position| &arena[from[position] as usize + tap.input()..][..step.channels()]);
        for (channel, weights) in weights.iter().enumerate() {
            for (sums, inputs) in sums.iter_mut().zip(inputs) {
                let input = inputs[channel];
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += input * weight;
                }
            }
        }
    }
    if tile.part() == Part::First {
        for (position, sums) in sums.iter().enumerate() {
            arena[begun(position)..][..LANES].copy_from_slice(sums);
        }
        return;
    }
    let (scale, bias) = (vector(step.scale(), tile.output()), vector(step.bias(), tile.output()));
    for (position, sums) in sums.iter().enumerate() {
        let at = to[position] as usize + tile.output();
        let added = step.added().map(|added| vector(arena, added + at));
        let results: Vector = std::array::from_fn(|lane| {
            let result = sums[lane] * scale[lane] + bias[lane] + added.map_or(0.0, |added| added[lane]);
            // what is not a number stays none
            if step.relu() && result < 0.0 { 0.0 } else { result }
        });
        arena[step.destination() + at..][..LANES].copy_from_slice(&results);
    }
}

/// The vector of `values` at the place `at`.
fn vector(values: &[f32], at: usize) -> Vector {
    std::array::from_fn(|lane| values[at + lane])
}

/// Computes a share of the classifier from the features in `arena`, and with the last window `logits`.
pub(crate) fn classify(
    classifier: &ClassifierPlan,
    share: Share,
    weights: &[f32],
    arena: &mut [f32],
    logits: &mut [f32],
) {
    let (classes, mut class) = (classifier.bias().len(), 0);
    while class < classes {
        let count = if class + 6 <= classes { 6 } else { 1 };
        let place = classifier.sums() + class * LANES;
        let mut sums = [[0.0; LANES]; 6];
        if let Share::Last(_) = share {
            sums.as_flattened_mut()[..count * LANES].copy_from_slice(&arena[place..][..count * LANES]);
        }
        match count {
            6 => add_classes::<6>(classifier, share, weights, arena, class, &mut sums),
            _ => add_classes::<1>(classifier, share, weights, arena, class, &mut sums),
        }
        if let Share::First(_) = share {
            arena[place..][..count * LANES].copy_from_slice(&sums.as_flattened()[..count * LANES]);
        } else {
            for (place, sums) in (class..).zip(&sums[..count]) {
                logits[place] = classifier.bias()[place] + sums.iter().sum::<f32>();
            }
        }
        class += count;
    }
}

/// Adds the products of a share to the sums of the first `COUNT` classes from `class` on.
fn add_classes<const COUNT: usize>(
    classifier: &ClassifierPlan,
    share: Share,
    weights: &[f32],
    arena: &[f32],
    class: usize,
    all: &mut [Vector; 6],
) {
    // many sums of few numbers each are more exact than one of all
    let mut sums: [Vector; COUNT] = std::array::from_fn(|count| all[count]);
    for (pooled, group) in classifier.groups(share) {
        for block in 0..classifier.blocks() {
            let mut largest = vector(arena, pooled.first + block * LANES);
            for step in 1..pooled.steps {
                let next = vector(arena, pooled.first + step * classifier.step() + block * LANES);
                // what is not a number stays none
                largest = std::array::from_fn(|lane| {
                    if largest[lane] >= next[lane] || largest[lane].is_nan() { largest[lane] } else { next[lane] }
                });
            }
            let weights = &weights[group + (block * classifier.bias().len() + class) * LANES..][..COUNT * LANES];
            for (sums, weights) in sums.iter_mut().zip(weights.as_chunks::<LANES>().0) {
                for ((sum, value), weight) in sums.iter_mut().zip(largest).zip(weights) {
                    *sum += value * weight;
                }
            }
        }
    }
    all[..COUNT].copy_from_slice(&sums);
}
