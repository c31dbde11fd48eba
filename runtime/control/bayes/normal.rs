//! The standard normal distribution from tables: a policy asks for it thousands of times per window.

use std::sync::LazyLock;

/// Beyond this many standard deviations the density is taken for 0.
pub(super) const REACH: f32 = 4.0;

/// Table entries per standard deviation; with linear interpolation the error stays below 3e-6.
const PER_SIGMA: f32 = 128.0;

const ENTRIES: usize = (2.0 * REACH * PER_SIGMA) as usize + 2;

struct Tables {
    density: [f32; ENTRIES],
    exceed: [f32; ENTRIES],
}

static TABLES: LazyLock<Box<Tables>> = LazyLock::new(|| {
    let z = |entry: usize| f64::from(entry as f32 / PER_SIGMA - REACH);
    Box::new(Tables {
        density: std::array::from_fn(|i| ((-0.5 * z(i) * z(i)).exp() / (2.0 * std::f64::consts::PI).sqrt()) as f32),
        exceed: std::array::from_fn(|i| (0.5 * libm::erfc(z(i) / std::f64::consts::SQRT_2)) as f32),
    })
});

fn look_up(table: &[f32; ENTRIES], z: f32) -> f32 {
    let place = (z.clamp(-REACH, REACH) + REACH) * PER_SIGMA;
    let entry = place as usize;
    let (low, high) = (table[entry], table[(entry + 1).min(ENTRIES - 1)]);
    low + (high - low) * (place - entry as f32)
}

/// The density at `z`.
pub(super) fn density(z: f32) -> f32 {
    look_up(&TABLES.density, z)
}

/// The probability of more than `z`.
pub(super) fn exceed(z: f32) -> f32 {
    look_up(&TABLES.exceed, z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_the_normal_distribution() {
        for step in -4500..=4500 {
            let z = f64::from(step) / 1000.0;
            let expected = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
            // what lies beyond the reach is 3.2e-5
            let tolerance = if z.abs() < f64::from(REACH) { 3e-6 } else { 4e-5 };
            assert!((f64::from(exceed(z as f32)) - expected).abs() < tolerance, "P(more than {z})");
            if z.abs() < f64::from(REACH) {
                let expected = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
                assert!((f64::from(density(z as f32)) - expected).abs() < 3e-6 + 1e-6, "density at {z}");
            }
        }
        for far in [f32::INFINITY, f32::MAX] {
            assert!(exceed(far) < 4e-5 && exceed(-far) > 1.0 - 4e-5);
        }
    }
}
