//! Clock and temperature, where sysfs has them.

use std::path::{Path, PathBuf};

use super::{Missing, number};

/// Degrees Celsius that a thermal zone can have; beyond, its sensor is off or broken.
const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = -40.0..=150.0;

/// Reads the clock of some processors, from cpufreq.
pub(super) struct Frequency {
    /// Below which each processor has its files.
    root: PathBuf,
    /// Current and highest frequency of each.
    paths: Vec<(PathBuf, PathBuf)>,
}

impl Frequency {
    pub(super) fn below(root: &Path, cpus: &[usize]) -> Self {
        let root = root.join("sys/devices/system/cpu");
        let of = |cpu: &usize| {
            let cpufreq = root.join(format!("cpu{cpu}/cpufreq"));
            (cpufreq.join("scaling_cur_freq"), cpufreq.join("cpuinfo_max_freq"))
        };
        Self { paths: cpus.iter().map(of).collect(), root }
    }

    /// The clock as a share of the highest one, above 0 and at most 1: the mean over the processors that report it.
    pub(super) fn share(&self) -> Result<f64, Missing> {
        let (mut sum, mut counted) = (0.0, 0_usize);
        let mut missing = Missing::Absent(self.root.clone());
        for (current, highest) in &self.paths {
            match positive(current).and_then(|current| Ok(current / positive(highest)?)) {
                // boost clocks may be above the highest one
                Ok(share) => (sum, counted) = (sum + share.min(1.0), counted + 1),
                Err(reason) => missing = reason,
            }
        }
        if counted > 0 { Ok(sum / counted as f64) } else { Err(missing) }
    }
}

/// The number above 0 that a file holds.
fn positive(path: &Path) -> Result<f64, Missing> {
    match number(path)? {
        number @ 1.. => Ok(number as f64),
        _ => Err(Missing::Nonsense(path.to_owned())),
    }
}

/// Reads the thermal zones.
pub(super) struct Temperature {
    zones: PathBuf,
}

impl Temperature {
    pub(super) fn below(root: &Path) -> Self {
        Self { zones: root.join("sys/class/thermal") }
    }

    /// The temperature of the hottest zone, degrees Celsius.
    pub(super) fn hottest(&self) -> Result<f64, Missing> {
        let unreadable = |error| Missing::Unreadable { path: self.zones.clone(), error };
        let mut hottest = Err(Missing::Absent(self.zones.clone()));
        // listed anew each time: zones come and go with their drivers
        for zone in std::fs::read_dir(&self.zones).map_err(unreadable)? {
            let zone = zone.map_err(unreadable)?;
            if !zone.file_name().as_encoded_bytes().starts_with(b"thermal_zone") {
                continue;
            }
            match celsius(&zone.path().join("temp")) {
                Ok(other) => hottest = Ok(hottest.map_or(other, |hottest| other.max(hottest))),
                Err(reason) if hottest.is_err() => hottest = Err(reason),
                Err(_) => {}
            }
        }
        hottest
    }
}

/// The temperature that a file holds, in thousandths of a degree.
fn celsius(path: &Path) -> Result<f64, Missing> {
    let celsius = number(path)? as f64 / 1e3;
    if PLAUSIBLE_C.contains(&celsius) { Ok(celsius) } else { Err(Missing::Nonsense(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Tree;
    use super::*;

    const NONSENSE: [&str; 9] =
        ["", "\n", "fast", "1.5", "0x10", "-", "99999999999999999999", "1 2", "\u{0}\u{0}\u{0}\u{0}"];

    fn frequency(tree: &Tree, cpus: &[usize]) -> Option<f64> {
        Frequency::below(tree.root(), cpus).share().ok()
    }

    #[test]
    fn the_clock_is_the_mean_share_of_the_usable_processors() {
        let tree = Tree::default();
        tree.cpufreq(0, "600000\n", "1200000\n");
        tree.cpufreq(1, "1200000\n", "1200000\n");
        tree.cpufreq(2, "100\n", "1200000\n");
        assert_eq!(frequency(&tree, &[0, 1]), Some(0.75));
        assert_eq!(frequency(&tree, &[1]), Some(1.0));
    }

    #[test]
    fn a_boost_above_the_highest_clock_counts_as_the_highest() {
        let tree = Tree::default();
        tree.cpufreq(0, "9000000", "1200000");
        tree.cpufreq(1, "600000", "1200000");
        assert_eq!(frequency(&tree, &[0, 1]), Some(0.75));
    }

    #[test]
    fn a_processor_that_tells_nothing_is_left_out() {
        let tree = Tree::default();
        assert_eq!(frequency(&tree, &[0, 1]), None);
        tree.cpufreq(0, "600000", "1200000");
        for nonsense in NONSENSE.into_iter().chain(["0", "-600000"]) {
            tree.cpufreq(1, nonsense, "1200000");
            assert_eq!(frequency(&tree, &[0, 1, 7]), Some(0.5), "{nonsense:?}");
            assert_eq!(frequency(&tree, &[1]), None, "{nonsense:?}");
            tree.cpufreq(1, "1200000", nonsense);
            assert_eq!(frequency(&tree, &[0, 1, 7]), Some(0.5), "{nonsense:?}");
            assert_eq!(frequency(&tree, &[1]), None, "{nonsense:?}");
        }
    }

    fn hottest(tree: &Tree) -> Option<f64> {
        Temperature::below(tree.root()).hottest().ok()
    }

    #[test]
    fn the_hottest_zone_is_told() {
        let tree = Tree::default();
        assert_eq!(hottest(&tree), None);
        tree.put("sys/class/thermal/cooling_device0/temp", "90000");
        assert_eq!(hottest(&tree), None);
        tree.put("sys/class/thermal/thermal_zone0/temp", "-5500\n");
        assert_eq!(hottest(&tree), Some(-5.5));
        tree.put("sys/class/thermal/thermal_zone12/temp", "61250\n");
        assert_eq!(hottest(&tree), Some(61.25));
        tree.put("sys/class/thermal/thermal_zone3/temp", "40000\n");
        assert_eq!(hottest(&tree), Some(61.25));
    }

    #[test]
    fn nonsense_is_no_temperature() {
        let tree = Tree::default();
        tree.put("sys/class/thermal/thermal_zone1/temp", "20000");
        tree.put("sys/class/thermal/thermal_zone2/type", "a zone without a temperature");
        for nonsense in NONSENSE.into_iter().chain(["-40001", "150001", "-273150"]) {
            tree.put("sys/class/thermal/thermal_zone0/temp", nonsense);
            assert_eq!(hottest(&tree), Some(20.0), "{nonsense:?}");
        }
        tree.remove("sys/class/thermal/thermal_zone1/temp");
        assert_eq!(hottest(&tree), None);
    }
}
