//! How many multiply-accumulates this processor can do in a second, which no inference can pass.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::hint::black_box;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::time::Instant;

#[cfg(target_arch = "aarch64")]
use super::neon::Four;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Eight, avx512::Sixteen};

/// Sums that do not wait for each other: more than processors have at work at once, and fewer than registers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const SUMS: usize = 12;

/// Multiply-accumulates of a burst: about a tenth of a millisecond, which other work seldom interrupts.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const BURST: usize = 6_000_000;

/// Multiply-accumulates per second of single precision, in registers alone, in the fastest of `bursts` bursts of a tenth of a
/// millisecond; None where gaitd has no vectors for this processor.
#[must_use]
pub fn fma_peak(bursts: usize) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instructions
            return fastest(bursts, Sixteen::LANES, || unsafe { sixteen() });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instructions
            return fastest(bursts, Eight::LANES, || unsafe { eight() });
        }
        None
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: every aarch64 has NEON
    return fastest(bursts, Four::LANES, || unsafe { four() });
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = bursts;
        None
    }
}

/// The rate of the fastest of `bursts` calls of `burst`, which takes vectors of so many numbers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn fastest(bursts: usize, lanes: usize, burst: impl Fn()) -> Option<f64> {
    let done = (rounds(lanes) * SUMS * lanes) as f64;
    let rates = (0..bursts).map(|_| {
        let start = Instant::now();
        burst();
        done / start.elapsed().as_secs_f64()
    });
    rates.reduce(f64::max)
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const fn rounds(lanes: usize) -> usize {
    BURST / (SUMS * lanes)
}

/// A burst.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
unsafe fn burst<V: Vector>() {
    // they differ, or one would stand for all
    let values: [f32; SUMS + 2] = black_box(std::array::from_fn(|place| place as f32 / 16.0));
    // SAFETY: the caller vouches for the instructions, and the numbers are there
    unsafe {
        let [one, other] = [V::splat(&values[SUMS]), V::splat(&values[SUMS + 1])];
        let mut sums: [V; SUMS] = std::array::from_fn(|place| V::splat(&values[place]));
        for _ in 0..rounds(V::LANES) {
            for sum in &mut sums {
                *sum = sum.multiply_add(one, other);
            }
        }
        for sum in sums {
            black_box(sum.sum());
        }
    }
}

/// # Safety
/// The processor must have AVX-512 F and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
unsafe fn sixteen() {
    // SAFETY: here the processor has the instructions
    unsafe { burst::<Sixteen>() }
}

/// # Safety
/// The processor must have AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn eight() {
    // SAFETY: here the processor has the instructions
    unsafe { burst::<Eight>() }
}

/// # Safety
/// The processor must have NEON.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn four() {
    // SAFETY: here the processor has the instructions
    unsafe { burst::<Four>() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_peak_where_there_are_vectors() {
        assert_eq!(fma_peak(0), None);
        let vectors = super::super::available().len() > 1;
        if cfg!(not(target_arch = "arm")) {
            assert_eq!(fma_peak(1).is_some_and(|peak| peak > 0.0 && peak.is_finite()), vectors);
        }
    }
}
