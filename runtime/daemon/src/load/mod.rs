//! What the system reports of its load, read in a thread of its own, so that no inference ever waits for it.
//!
//! Every signal stands for itself: a file that is missing, unreadable or full of nonsense makes that one signal
//! missing, and is logged once, at debug level. So does one whose read does not return, for each signal is read in a
//! thread of its own; that is logged once, too, and holds up neither the others nor the end of the run. Where the kernel
//! permits, a rise in pressure brings the next reading forward.

mod cpu;
mod latest;
mod pressure;
mod reader;
mod sampling;
mod sysfs;
mod trigger;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::cpu::CpuLoad;
use self::pressure::Pressure;
use self::reader::Reader;
use self::sysfs::{Frequency, Temperature};
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::{Load, LoadProbe};

pub use self::cpu::cpu_name;
pub use self::latest::LatestLoad;
pub use self::sampling::Sampling;

/// More than any of the files holds; what follows is not read.
const LONGEST: u64 = 4096;

/// A reading that has not come by then is missing; the files of the kernel's take a thousandth of it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Reads what the operating system reports of the load: the load of the processors that gaitd may use, its own share
/// taken out (`sysinfo`); the kernel's pressure stall information (`/proc/pressure/cpu`); the clock of those processors
/// (cpufreq) and the hottest thermal zone (sysfs).
///
/// Load and pressure are shares since the reading before, so the first reading lacks them. A reading that follows the
/// one before in less than `sysinfo` needs for a meaningful difference (200 ms) renews the pressure only.
pub struct SystemProbe {
    clock: Arc<dyn Clock>,
    patience: Duration,
    pressure: Reader,
    cpu: Reader,
    frequency: Reader,
    temperature: Reader,
    /// The latest of all but the pressure, and when they had been read.
    others: Option<(Duration, Load)>,
}

impl SystemProbe {
    /// A probe of the processors `cpus`; if that is empty, of those that this process may run on.
    #[must_use]
    pub fn new(cpus: &[usize]) -> Self {
        Self::below(Path::new("/"), cpus, Arc::new(MonotonicClock::start()), PATIENCE)
    }

    /// The same, with `proc` and `sys` below `root`; the load always comes from the running system. Readings are missing
    /// that take longer than `patience`.
    fn below(root: &Path, cpus: &[usize], clock: Arc<dyn Clock>, patience: Duration) -> Self {
        let cpus = cpu::usable(cpus);
        let frequency = Frequency::below(root, &cpus);
        let temperature = Temperature::below(root);
        let mut cpu = CpuLoad::below(root, cpus);
        let (mut pressure, pressure_clock) = (Pressure::below(root), Arc::clone(&clock));
        Self {
            clock,
            patience,
            pressure: Reader::new("CPU pressure", "load-psi", move || pressure.share(pressure_clock.as_ref())),
            cpu: Reader::new("CPU load", "load-cpu", move || cpu.share()),
            frequency: Reader::new("CPU frequency", "load-freq", move || frequency.share()),
            temperature: Reader::new("temperature", "load-temp", move || temperature.hottest()),
            others: None,
        }
    }
}

impl LoadProbe for SystemProbe {
    fn read(&mut self) -> Load {
        let recent = self
            .others
            .filter(|(at, _)| self.clock.now().saturating_sub(*at) < sysinfo::MINIMUM_CPU_UPDATE_INTERVAL)
            .map(|(_, signals)| signals);
        self.pressure.ask();
        if recent.is_none() {
            [&mut self.cpu, &mut self.frequency, &mut self.temperature].into_iter().for_each(Reader::ask);
        }
        // all at a time, so that they take no longer than one
        let (patience, deadline) = (self.patience, Instant::now() + self.patience);
        let pressure = self.pressure.answer(deadline, patience);
        let others = recent.unwrap_or_else(|| {
            let answer = |reader: &mut Reader| reader.answer(deadline, patience);
            let (cpu, frequency) = (answer(&mut self.cpu), answer(&mut self.frequency));
            let signals = Load { cpu, pressure: None, frequency, temperature_c: answer(&mut self.temperature) };
            // afterwards, for `sysinfo` counts from somewhere within the reading
            self.others = Some((self.clock.now(), signals));
            signals
        });
        Load { pressure, ..others }
    }
}

/// Why a signal is missing.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{} holds nothing that makes sense", .0.display())]
    Nonsense(PathBuf),
    #[error("there is none below {}", .0.display())]
    Absent(PathBuf),
    #[error("the system does not report it")]
    Unreported,
    #[error("a file of it is still not read after {} ms; the others go on without it", .0.as_millis())]
    Unanswered(Duration),
    /// Nothing is wrong: the reading only starts an interval, which the next one closes.
    #[error("the first reading only starts an interval")]
    Starting,
}

/// Logs once that a reading is missing.
struct LogOnce {
    signal: &'static str,
    already: bool,
}

impl LogOnce {
    fn new(signal: &'static str) -> Self {
        Self { signal, already: false }
    }

    /// The value; the first reason why there is none goes to the log.
    fn once(&mut self, reading: Result<f64, Missing>) -> Option<f64> {
        if let Err(missing) = &reading
            && !self.already
            && !matches!(missing, Missing::Starting)
        {
            self.already = true;
            // a file that is not there is as it should be, a driver that does not answer is not
            let level = if matches!(missing, Missing::Unanswered(_)) { log::Level::Warn } else { log::Level::Debug };
            log::log!(level, "the signal \"{}\" is missing, now or for good: {missing}", self.signal);
        }
        reading.ok()
    }
}

/// The text of a small file of the kernel's.
fn text(path: &Path) -> Result<String, Missing> {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)) {
        Ok(_) => Ok(text),
        Err(error) => Err(Missing::Unreadable { path: path.to_owned(), error }),
    }
}

/// The whole number that a file holds.
fn number(path: &Path) -> Result<i64, Missing> {
    text(path)?.trim().parse().map_err(|_| Missing::Nonsense(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use gaitd_core::clock::ManualClock;

    /// No test waits for so long.
    const NEVER: Duration = Duration::from_secs(600);

    /// A made-up tree of the kernel's files.
    pub(super) struct Tree(tempfile::TempDir);

    impl Default for Tree {
        fn default() -> Self {
            Self(tempfile::TempDir::new().unwrap())
        }
    }

    impl Tree {
        pub(super) fn root(&self) -> &Path {
            self.0.path()
        }

        pub(super) fn put(&self, file: &str, content: impl AsRef<[u8]>) {
            let path = self.root().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }

        pub(super) fn remove(&self, file: &str) {
            std::fs::remove_file(self.root().join(file)).unwrap();
        }

        pub(super) fn cpufreq(&self, cpu: usize, current: impl AsRef<[u8]>, highest: impl AsRef<[u8]>) {
            self.put(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"), current);
            self.put(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq"), highest);
        }

        fn probe(&self, clock: &Arc<ManualClock>) -> SystemProbe {
            SystemProbe::below(self.root(), &[0], Arc::clone(clock) as Arc<dyn Clock>, NEVER)
        }
    }

    fn assert_in_range(signals: Load) {
        let unit = |share: Option<f64>| share.is_none_or(|share| (0.0..=1.0).contains(&share));
        assert!(unit(signals.cpu) && unit(signals.pressure) && unit(signals.frequency), "{signals:?}");
        assert!(signals.frequency != Some(0.0), "{signals:?}");
        assert!(signals.temperature_c.is_none_or(|c| (-40.0..=150.0).contains(&c)), "{signals:?}");
    }

    fn later(clock: &ManualClock, ms: u64) {
        clock.wait_until(clock.now() + Duration::from_millis(ms));
    }

    #[test]
    fn an_early_reading_renews_the_pressure_only() {
        let tree = Tree::default();
        tree.put("proc/pressure/cpu", "some total=0\n");
        tree.cpufreq(0, "5", "10");
        tree.put("sys/class/thermal/thermal_zone0/temp", "30000");
        let clock = Arc::new(ManualClock::default());
        let mut probe = tree.probe(&clock);
        let first = probe.read();
        assert_eq!(first, Load { frequency: Some(0.5), temperature_c: Some(30.0), ..Load::NONE });

        tree.put("proc/pressure/cpu", "some total=50000\n");
        tree.cpufreq(0, "9", "10");
        later(&clock, 100);
        assert_eq!(probe.read(), Load { pressure: Some(0.5), ..first });
        later(&clock, 100);
        let third = probe.read();
        assert_eq!((third.pressure, third.frequency), (Some(0.0), Some(0.9)));
        assert!(third.cpu.is_some());
    }

    #[test]
    fn a_signal_that_goes_away_leaves_the_others_alone() {
        let tree = Tree::default();
        tree.put("proc/pressure/cpu", "some total=0\n");
        tree.cpufreq(0, "5", "10");
        tree.put("sys/class/thermal/thermal_zone0/temp", "30000");
        let clock = Arc::new(ManualClock::default());
        let mut probe = tree.probe(&clock);
        let mut read = || {
            later(&clock, 500);
            let Load { cpu: _, pressure, frequency, temperature_c } = probe.read();
            (pressure, frequency, temperature_c)
        };
        read();
        assert_eq!(read(), (Some(0.0), Some(0.5), Some(30.0)));
        tree.remove("proc/pressure/cpu");
        assert_eq!(read(), (None, Some(0.5), Some(30.0)));
        tree.remove("sys/class/thermal/thermal_zone0/temp");
        assert_eq!(read(), (None, Some(0.5), None));
        tree.cpufreq(0, "", "");
        assert_eq!(read(), (None, None, None));
        // and comes back
        tree.cpufreq(0, "7", "10");
        assert_eq!(read(), (None, Some(0.7), None));
    }

    #[test]
    fn a_file_whose_read_does_not_return_leaves_the_other_signals_alone() {
        let tree = Tree::default();
        tree.put("proc/pressure/cpu", "some total=0\n");
        tree.cpufreq(0, "5", "10");
        tree.put("sys/class/thermal/thermal_zone0/type", "a driver that does not answer");
        let zone = tree.root().join("sys/class/thermal/thermal_zone0/temp");
        rustix::fs::mkfifoat(rustix::fs::CWD, &zone, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let clock = Arc::new(ManualClock::default());
        let mut probe = tree.probe(&clock);
        probe.patience = Duration::from_millis(50);
        let mut read = || {
            later(&clock, 500);
            let Load { cpu: _, pressure, frequency, temperature_c } = probe.read();
            (pressure, frequency, temperature_c)
        };
        read();
        // the others are there as soon as this machine finds the time
        let until = |read: &mut dyn FnMut() -> (Option<f64>, Option<f64>, Option<f64>), expected| {
            let end = Instant::now() + NEVER;
            std::iter::from_fn(|| (Instant::now() < end).then(&mut *read)).any(|found| found == expected)
        };
        assert!(until(&mut read, (Some(0.0), Some(0.5), None)));
        // the read returns, and then the driver answers at once
        std::fs::write(&zone, "30000").unwrap();
        std::fs::remove_file(&zone).unwrap();
        tree.put("sys/class/thermal/thermal_zone0/temp", "40000");
        assert!(until(&mut read, (Some(0.0), Some(0.5), Some(40.0))));
    }

    #[test]
    fn processors_that_come_or_go_start_the_load_afresh() {
        let tree = Tree::default();
        let clock = Arc::new(ManualClock::default());
        let mut probe = tree.probe(&clock);
        let mut load = |online: &str| {
            tree.put("sys/devices/system/cpu/online", online);
            later(&clock, 500);
            probe.read().cpu.is_some()
        };
        let loads = ["0-3", "0-3", "0,2-3", "0,2-3", "0-3", "0-3"].map(&mut load);
        assert_eq!(loads, [false, true, false, true, false, true]);
    }

    #[test]
    fn the_load_of_a_processor_that_is_not_there_is_missing() {
        let tree = Tree::default();
        let clock = Arc::new(ManualClock::default());
        let mut probe = SystemProbe::below(tree.root(), &[100_000], Arc::clone(&clock) as Arc<dyn Clock>, NEVER);
        for _ in 0..3 {
            assert_eq!(probe.read(), Load::NONE);
            later(&clock, 500);
        }
    }

    #[test]
    fn the_usable_processors_are_the_configured_ones_or_those_allowed() {
        assert_eq!(cpu::usable(&[3, 5]), [3, 5]);
        let allowed: Vec<usize> = core_affinity::get_core_ids().unwrap().iter().map(|cpu| cpu.id).collect();
        assert_eq!(cpu::usable(&[]), allowed);
        let pinned = allowed[allowed.len() - 1];
        let usable = std::thread::spawn(move || {
            assert!(core_affinity::set_for_current(core_affinity::CoreId { id: pinned }));
            cpu::usable(&[])
        });
        assert_eq!(usable.join().unwrap(), [pinned]);
    }

    #[test]
    fn what_is_missing_is_logged_once_and_a_start_not_at_all() {
        let mut log_once = LogOnce::new("load");
        assert_eq!(log_once.once(Err(Missing::Starting)), None);
        assert!(!log_once.already);
        assert_eq!(log_once.once(Ok(0.5)), Some(0.5));
        assert!(!log_once.already);
        assert_eq!(log_once.once(Err(Missing::Unreported)), None);
        assert!(log_once.already);
    }

    #[test]
    fn this_machine_gives_values_in_range() {
        let clock = Arc::new(ManualClock::default());
        let mut probe = SystemProbe::below(Path::new("/"), &[], Arc::clone(&clock) as Arc<dyn Clock>, NEVER);
        for _ in 0..3 {
            assert_in_range(probe.read());
            later(&clock, 500);
        }
        let mut probe = SystemProbe::new(&[]);
        assert_in_range(probe.read());
        assert_in_range(probe.read());
        assert!(!cpu_name().is_empty());
    }

    /// What a file may hold, from nothing to almost what it should.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let number = || prop_oneof![any::<i128>(), -200_000..200_000_i128, Just(i128::from(u64::MAX))];
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            number().prop_map(|number| format!("{number}\n").into_bytes()),
            number().prop_map(|number| format!("some avg10=0.00 total={number}\nfull total=0\n").into_bytes()),
            any::<f64>().prop_map(|number| format!("{number}").into_bytes()),
            (0..3_usize).prop_map(|kilobytes| vec![b'9'; 4096 * kilobytes + 1]),
        ]
    }

    #[test]
    fn no_content_of_any_file_gives_a_value_out_of_range() {
        let tree = Tree::default();
        proptest!(|(contents in prop::collection::vec(content(), 10))| {
            let clock = Arc::new(ManualClock::default());
            let mut probe = tree.probe(&clock);
            for contents in contents.chunks(5) {
                tree.put("proc/pressure/cpu", &contents[0]);
                tree.cpufreq(0, &contents[1], &contents[2]);
                tree.put("sys/class/thermal/thermal_zone0/temp", &contents[3]);
                tree.put("sys/devices/system/cpu/online", &contents[4]);
                assert_in_range(probe.read());
                later(&clock, 500);
            }
        });
    }
}
