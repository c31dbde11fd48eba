//! The load of the machine through `sysinfo`, read in a thread of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sysinfo::{CpuRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

use crate::control::{SignalProbe, Signals};

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

impl SignalProbe for SystemProbe {
    fn read(&mut self) -> Signals {
        Signals { cpu: self.cpu(), ..Signals::NONE }
    }
}

impl SystemProbe {
    fn cpu(&mut self) -> Option<f64> {
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
        busy.is_finite().then(|| busy.clamp(0.0, 1.0))
    }
}

/// The latest reading, shared with the engine.
#[derive(Clone, Debug, Default)]
pub(super) struct LatestSignals(Arc<Mutex<Signals>>);

impl LatestSignals {
    pub(super) fn get(&self) -> Signals {
        // the engine never waits: a reading that is just being replaced is missing once
        self.0.try_lock().map_or(Signals::NONE, |signals| *signals)
    }

    fn set(&self, signals: Signals) {
        if let Ok(mut latest) = self.0.lock() {
            *latest = signals;
        }
    }

    /// Keeps reading `probe` until `ended` is disconnected.
    pub(super) fn follow(&self, mut probe: Box<dyn SignalProbe>, ended: &crossbeam_channel::Receiver<()>) {
        // the first reading only starts the interval that the second one closes
        let _ = probe.read();
        while ended.recv_timeout(INTERVAL) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            self.set(probe.read());
        }
    }
}
