//! The load of the machine through `sysinfo`, read in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sysinfo::{CpuRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

use crate::control::{Load, LoadProbe};

/// From one load reading to the next; `sysinfo` needs at least 200 ms between two for a meaningful difference.
const INTERVAL: Duration = Duration::from_millis(500);

/// The processor, as the operating system names it.
#[must_use]
pub fn cpu_name() -> String {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing())).ok();
    let brand = system.as_ref().and_then(|system| system.cpus().first()).map(|cpu| cpu.brand().trim().to_owned());
    let brand = brand.filter(|brand| !brand.is_empty());
    format!("{} ({})", brand.as_deref().unwrap_or("unnamed processor"), std::env::consts::ARCH)
}

/// Reads the load of the processors that gaitd may use, its own share taken out.
pub struct SystemProbe {
    /// Nothing where the system does not tell.
    system: Option<System>,
    cpus: Vec<usize>,
    own: Option<Pid>,
}

impl SystemProbe {
    /// A probe of the processors `cpus`; of all of them if that is empty.
    #[must_use]
    pub fn new(cpus: &[usize]) -> Self {
        Self { system: System::new().ok(), cpus: cpus.to_vec(), own: sysinfo::get_current_pid().ok() }
    }
}

impl LoadProbe for SystemProbe {
    fn read(&mut self) -> Option<Load> {
        let system = self.system.as_mut()?;
        system.refresh_cpu_usage();
        let usage: Vec<f64> = system
            .cpus()
            .iter()
            .enumerate()
            .filter(|(index, _)| self.cpus.is_empty() || self.cpus.contains(index))
            .map(|(_, cpu)| f64::from(cpu.usage()) / 100.0)
            .collect();
        if usage.is_empty() {
            return None;
        }
        let own = self.own.map_or(0.0, |pid| {
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&[pid]),
                false,
                ProcessRefreshKind::nothing().with_cpu().without_tasks(),
            );
            system.process(pid).map_or(0.0, |process| f64::from(process.cpu_usage()) / 100.0)
        });
        let busy = (usage.iter().sum::<f64>() - own) / usage.len() as f64;
        busy.is_finite().then(|| Load { cpu: busy.clamp(0.0, 1.0) })
    }
}

/// The latest load reading, shared without locks.
#[derive(Clone, Debug)]
pub(super) struct LatestLoad(Arc<AtomicU64>);

impl Default for LatestLoad {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(f64::NAN.to_bits())))
    }
}

impl LatestLoad {
    pub(super) fn get(&self) -> Option<Load> {
        let cpu = f64::from_bits(self.0.load(Ordering::Relaxed));
        (!cpu.is_nan()).then_some(Load { cpu })
    }

    fn set(&self, load: Option<Load>) {
        self.0.store(load.map_or(f64::NAN, |load| load.cpu).to_bits(), Ordering::Relaxed);
    }

    /// Keeps reading `probe` until `ended` is disconnected.
    pub(super) fn follow(&self, mut probe: Box<dyn LoadProbe>, ended: &crossbeam_channel::Receiver<()>) {
        // the first reading only starts the interval that the second one closes
        let _ = probe.read();
        while ended.recv_timeout(INTERVAL) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            self.set(probe.read());
        }
    }
}
