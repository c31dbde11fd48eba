//! Which cores this program may run on, as Linux tells.

use std::fs;
use std::ops::RangeInclusive;

/// `CPU part` of Cortex-A53 and A55.
const NARROW: [&str; 2] = ["0xd03", "0xd05"];

/// Whether all cores that this program may run on are such as multiply while they load only where loads are narrow.
pub(super) fn load_narrowly() -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    all_narrow(&read("/proc/cpuinfo"), &read("/proc/self/status"))
}

/// The same of what stands in `/proc/cpuinfo` and `/proc/self/status`: it is so where at least one core is known, and none
/// is of another kind.
fn all_narrow(information: &str, status: &str) -> bool {
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(ranges);
    let may_run = |number: &usize| allowed.as_ref().is_none_or(|ranges| ranges.iter().any(|it| it.contains(number)));
    let (mut number, mut found) = (None, false);
    for line in information.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match (name.trim(), value.trim()) {
            ("processor", value) => number = value.parse().ok(),
            ("CPU part", part) if number.as_ref().is_none_or(may_run) => {
                if !NARROW.contains(&part) {
                    return false;
                }
                found = true;
            }
            _ => {}
        }
    }
    found
}

/// The ranges in a text like `0-3,6`.
fn ranges(list: &str) -> Vec<RangeInclusive<usize>> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux says of cores of these parts.
    fn information(parts: &[&str]) -> String {
        let core = |(number, part)| {
            format!("processor\t: {number}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {part}\n\n")
        };
        parts.iter().enumerate().map(core).collect()
    }

    #[test]
    fn cores_that_load_narrowly_are_known() {
        for (parts, allowed, expected) in [
            (&["0xd03", "0xd03", "0xd03", "0xd03"][..], "0-3", true),
            (&["0xd05"], "0", true),
            (&["0xd03", "0xd05"], "0-1", true),
            (&["0xd08", "0xd08"], "0-1", false),
            // big and little: it depends on where the program may run
            (&["0xd03", "0xd03", "0xd08", "0xd08"], "0-3", false),
            (&["0xd03", "0xd03", "0xd08", "0xd08"], "0-1", true),
            (&["0xd03", "0xd08", "0xd03", "0xd08"], "0,2", true),
            (&["0xd03", "0xd08", "0xd03", "0xd08"], "0,2-3", false),
            (&["0xd03", "0xd08"], "1", false),
            // of those that are allowed none is known
            (&["0xd03"], "1-3", false),
            (&[], "0-3", false),
        ] {
            let status = format!("Name:\tgaitd\nCpus_allowed:\tf\nCpus_allowed_list:\t{allowed}\nMems_allowed:\t1\n");
            assert_eq!(all_narrow(&information(parts), &status), expected, "{parts:?} {allowed}");
        }
    }

    #[test]
    fn without_a_list_all_cores_count() {
        assert!(all_narrow(&information(&["0xd03", "0xd05"]), ""));
        assert!(!all_narrow(&information(&["0xd03", "0xd0b"]), ""));
        assert!(!all_narrow("", ""));
    }
}
