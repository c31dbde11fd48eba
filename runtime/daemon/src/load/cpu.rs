//! The load of the processors, through `sysinfo`.

use std::path::{Path, PathBuf};

use sysinfo::{CpuRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

use super::{Missing, text};

/// The processor, as the operating system names it.
#[must_use]
pub fn cpu_name() -> String {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing())).ok();
    let brand = system.as_ref().and_then(|system| system.cpus().first()).map(|cpu| cpu.brand().trim().to_owned());
    let brand = brand.filter(|brand| !brand.is_empty());
    format!("{} ({})", brand.as_deref().unwrap_or("unnamed processor"), std::env::consts::ARCH)
}

/// The processors that gaitd may use: those that are `configured`, else those that the calling thread may run on.
pub(super) fn usable(configured: &[usize]) -> Vec<usize> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    match core_affinity::get_core_ids() {
        Some(allowed) if !allowed.is_empty() => allowed.iter().map(|cpu| cpu.id).collect(),
        _ => (0..std::thread::available_parallelism().map_or(1, usize::from)).collect(),
    }
}

/// Measures how busy some processors are, gaitd's own share taken out.
pub(super) struct CpuLoad {
    /// Nothing where the system does not report it.
    system: Option<System>,
    cpus: Vec<usize>,
    own: Option<Pid>,
    /// Which processors are online.
    online_path: PathBuf,
    online: Option<String>,
    started: bool,
}

impl CpuLoad {
    /// The load of `cpus`; which processors are online stands below `root`.
    pub(super) fn below(root: &Path, cpus: Vec<usize>) -> Self {
        Self {
            system: System::new().ok(),
            cpus,
            own: sysinfo::get_current_pid().ok(),
            online_path: root.join("sys/devices/system/cpu/online"),
            online: None,
            started: false,
        }
    }

    /// Busy share since the last call, which must be [`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`] ago; 0 to 1.
    pub(super) fn share(&mut self) -> Result<f64, Missing> {
        let system = self.system.as_mut().ok_or(Missing::Unreported)?;
        // sysinfo compares processors by their place in the list, which shifts when one comes or goes
        let online = text(&self.online_path).ok();
        let comparable = self.started && online == self.online;
        if comparable {
            system.refresh_cpu_usage();
        } else {
            system.refresh_cpu_list(CpuRefreshKind::nothing().with_usage());
            (self.started, self.online) = (true, online);
        }
        let own = self.own.map_or(0.0, |pid| {
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&[pid]),
                false,
                ProcessRefreshKind::nothing().with_cpu().without_tasks(),
            );
            system.process(pid).map_or(0.0, |process| f64::from(process.cpu_usage()) / 100.0)
        });
        if !comparable {
            return Err(Missing::Starting);
        }
        let (mut busy, mut counted) = (-own, 0_usize);
        for (place, cpu) in system.cpus().iter().enumerate() {
            // offline processors are not in the list, so a place in it is not yet a number
            let number = cpu.name().strip_prefix("cpu").and_then(|number| number.parse().ok()).unwrap_or(place);
            if self.cpus.contains(&number) {
                busy += f64::from(cpu.usage()) / 100.0;
                counted += 1;
            }
        }
        let share = busy / counted as f64;
        if share.is_finite() { Ok(share.clamp(0.0, 1.0)) } else { Err(Missing::Unreported) }
    }
}
