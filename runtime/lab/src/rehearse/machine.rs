//! What a rehearsal asks of the machine.

use std::path::Path;

/// The processor on which the engine and its co-runners meet, if none is named: the first usable one.
pub(super) fn first_cpu() -> Option<usize> {
    core_affinity::get_core_ids()?.into_iter().map(|core| core.id).min()
}

/// A usable processor other than `cpu`, for what must not disturb it; nothing if there is none.
pub(super) fn other_cpu(cpu: Option<usize>) -> Option<usize> {
    core_affinity::get_core_ids()?.into_iter().map(|core| core.id).filter(|id| Some(*id) != cpu).max()
}

/// Where Linux describes the first processor's caches.
const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";

/// Size of the largest cache in bytes, from 8 MiB (also where the system does not say) to 256 MiB.
pub(super) fn last_level_cache() -> usize {
    let sizes = (0..8).filter_map(|index| {
        let text = std::fs::read_to_string(Path::new(CACHES).join(format!("index{index}/size"))).ok()?;
        cache_size(text.trim())
    });
    sizes.max().unwrap_or(0).clamp(8 << 20, 256 << 20)
}

/// `32768K` or `32M` in bytes.
fn cache_size(text: &str) -> Option<usize> {
    let (number, unit) = match text.strip_suffix('K') {
        Some(number) => (number, 1 << 10),
        None => (text.strip_suffix('M')?, 1 << 20),
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_sizes_are_read_as_linux_writes_them() {
        assert_eq!(cache_size("32768K"), Some(32 << 20));
        assert_eq!(cache_size("1M"), Some(1 << 20));
        assert_eq!(cache_size("many"), None);
    }
}
