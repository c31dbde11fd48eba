//! The standard normal distribution from tables: a policy asks for it thousands of times per window.

use std::sync::LazyLock;

/// Beyond this many standard deviations the density is taken for 0.
pub(super) const REACH: f32 = 4.0;

/// Table entries per standard deviation; with linear interpolation the error stays below 3e-6.
const PER_SIGMA: f32 = 128.0;

const ENTRIES: usize = (2.0 * REACH * PER_SIGMA) as usize + 2;

/// Each entry, and by how much the next one is greater.
type Table = [(f32, f32); ENTRIES];

struct Tables {
    density: Table,
    exceed: Table,
}

static TABLES: LazyLock<Box<Tables>> = LazyLock::new(|| {
    let z = |entry: usize| f64::from(entry as f32 / PER_SIGMA - REACH);
    let table = |of: &dyn Fn(f64) -> f64| -> Table {
        let value = |entry: usize| of(z(entry)) as f32;
        std::array::from_fn(|i| (value(i), if i + 1 < ENTRIES { value(i + 1) - value(i) } else { 0.0 }))
    };
    Box::new(Tables {
        density: table(&|z| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()),
        exceed: table(&|z| 0.5 * libm::erfc(z / std::f64::consts::SQRT_2)),
    })
});

/// 2 to the power of 23: a number of which this is added keeps no fraction, and stands in the lowest bits.
const WHOLE: f32 = 8_388_608.0;

fn look_up(table: &Table, z: f32) -> f32 {
    let place = (z.clamp(-REACH, REACH) + REACH) * PER_SIGMA;
    // the entry below, without a conversion to an integer, which would take most of the time here; which of two entries
    // it is in between makes no difference
    let whole = (place - 0.5).max(0.0) + WHOLE;
    let entry = (whole.to_bits() & 0xffff) as usize;
    let (low, rise) = table[entry.min(ENTRIES - 1)];
    low + rise * (place - (whole - WHOLE))
}

/// The normal distribution, to be asked for many values.
#[derive(Clone, Copy)]
pub(super) struct Normal(&'static Tables);

impl Normal {
    /// The tables, which are made when they are first needed.
    pub(super) fn tables() -> Self {
        Self(&TABLES)
    }

    /// The density at `z`.
    pub(super) fn density(self, z: f32) -> f32 {
        look_up(&self.0.density, z)
    }

    /// The probability of more than `z`.
    pub(super) fn exceed(self, z: f32) -> f32 {
        look_up(&self.0.exceed, z)
    }

    /// The sum of `weights`, each multiplied by the probability of more than its `z`: the first one's is `first`, and each
    /// further one's is less by `step`.
    pub(super) fn exceed_sum(self, weights: &[f32], first: f32, step: f32) -> f32 {
        let z = |place: usize| first - step * place as f32;
        // side by side, for one addition would wait for the other
        let mut lanes = [0.0f32; 4];
        let chunks = weights.chunks_exact(lanes.len());
        let rest = weights.len() - chunks.remainder().len();
        let remainder = chunks.remainder().iter().enumerate().map(|(i, weight)| weight * self.exceed(z(rest + i)));
        let remainder: f32 = remainder.sum();
        for (chunk, weights) in chunks.enumerate() {
            let shares: [f32; 4] = std::array::from_fn(|lane| self.exceed(z(4 * chunk + lane)));
            for (sum, (weight, share)) in lanes.iter_mut().zip(weights.iter().zip(shares)) {
                *sum += weight * share;
            }
        }
        lanes.iter().sum::<f32>() + remainder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_the_normal_distribution() {
        let normal = Normal::tables();
        for step in -4500..=4500 {
            let z = f64::from(step) / 1000.0;
            let expected = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
            // what lies beyond the reach is 3.2e-5
            let tolerance = if z.abs() < f64::from(REACH) { 3e-6 } else { 4e-5 };
            assert!((f64::from(normal.exceed(z as f32)) - expected).abs() < tolerance, "P(more than {z})");
            if z.abs() < f64::from(REACH) {
                let expected = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
                assert!((f64::from(normal.density(z as f32)) - expected).abs() < 3e-6 + 1e-6, "density at {z}");
            }
        }
        for far in [f32::INFINITY, f32::MAX] {
            assert!(normal.exceed(far) < 4e-5 && normal.exceed(-far) > 1.0 - 4e-5);
        }
    }
}
