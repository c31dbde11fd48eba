//! Cold caches: what an inference finds that comes once a second, while others compute.

use std::hint::black_box;
use std::sync::LazyLock;

/// Bytes of a line of any cache.
const LINE: usize = 64;

/// More than the caches of the processors hold that are compared on. None is zero: pages of zeros are one page.
static OTHERS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1; 48 << 20]);

/// Reads a byte of every line of 48 MB.
pub(crate) fn cool() {
    black_box(OTHERS.iter().step_by(LINE).fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
}
