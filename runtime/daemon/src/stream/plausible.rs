//! What is done about implausible sensors: which windows are held back, and what is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sync::lock;
use gaitd_api::FaultView;
use gaitd_core::plausibility::{Fault, Faults, Finding, Plausibility, Response, Responses, Sensor};

/// What the sensing thread has found, and what is to be done about it; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Faults about which is done [`Response::Hold`] and [`Response::Ignore`].
    hold: AtomicU64,
    ignore: AtomicU64,
    found: Mutex<Vec<Finding>>,
}

impl Findings {
    /// From now on does this about faults.
    pub(crate) fn respond(&self, responses: &Responses) {
        self.0.hold.store(responses.with(Response::Hold).bits(), Ordering::Relaxed);
        self.0.ignore.store(responses.with(Response::Ignore).bits(), Ordering::Relaxed);
    }

    /// Those of `faults` that decisions tell.
    pub(crate) fn told(&self, faults: Faults) -> Faults {
        faults.without(Faults::from_bits(self.0.ignore.load(Ordering::Relaxed)))
    }

    /// Whether windows with these faults are not decided.
    pub(crate) fn holds(&self, faults: Faults) -> bool {
        !faults.of(Faults::from_bits(self.0.hold.load(Ordering::Relaxed))).is_empty()
    }

    /// What kept windows from being decided, for people.
    pub(crate) fn held_for(&self, plausibility: &Plausibility) -> String {
        let holds = |finding: &&Finding| {
            let mut faults = Faults::NONE;
            faults.set(finding.sensor, finding.fault, true);
            self.holds(faults)
        };
        let held = plausibility.findings().iter().filter(holds);
        held.map(|finding| plausibility.sensors()[finding.sensor].explain(finding)).collect::<Vec<_>>().join("; ")
    }

    /// Everything that was found of `sensors`.
    pub(crate) fn views(&self, sensors: &[Sensor], responses: &Responses) -> Vec<FaultView> {
        lock(&self.0.found).iter().filter_map(|finding| FaultView::new(finding, sensors, responses)).collect()
    }
}

/// Passes on what is found, and logs what is new.
pub(crate) struct Watch {
    findings: Findings,
    revision: u64,
    told_mounting: bool,
}

impl Watch {
    pub(crate) fn new(findings: Findings) -> Self {
        Self { findings, revision: 0, told_mounting: false }
    }

    /// Takes over what `plausibility` has found since the last time.
    pub(crate) fn look(&mut self, plausibility: &Plausibility) {
        if plausibility.revision() == self.revision {
            return;
        }
        self.revision = plausibility.revision();
        let mut known = lock(&self.findings.0.found);
        for (place, finding) in plausibility.findings().iter().enumerate() {
            let before = known.get(place).map_or((false, 0), |before| (before.present, before.times));
            if (finding.present, finding.times) != before {
                self.tell(finding, &plausibility.sensors()[finding.sensor]);
            }
        }
        if let Some(mounting) = plausibility.mounting()
            && !std::mem::replace(&mut self.told_mounting, true)
        {
            log::warn!("{mounting}");
        }
        known.clear();
        known.extend_from_slice(plausibility.findings());
    }

    fn tell(&self, finding: &Finding, sensor: &Sensor) {
        let mut faults = Faults::NONE;
        faults.set(finding.sensor, finding.fault, true);
        // of a fault that comes and goes the first times are news; the rate is told where both are known
        if finding.fault == Fault::Rate {
            return;
        }
        if self.findings.told(faults).is_empty() || !finding.times.is_power_of_two() {
            return;
        }
        if !finding.present {
            log::info!("{} is plausible again ({}, {:.0} s)", sensor.name, finding.fault.name(), finding.seconds);
            return;
        }
        let held = if self.findings.holds(faults) { "; no window is decided while this lasts" } else { "" };
        let again = if finding.times > 1 { format!(" ({} times so far)", finding.times) } else { String::new() };
        log::warn!("implausible samples: {}{held}{again}", sensor.explain(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_and_told_is_as_configured_and_changes_with_the_configuration() {
        let findings = Findings::default();
        let [mut zero, mut noise] = [Faults::NONE; 2];
        zero.set(1, Fault::Zero, true);
        noise.set(0, Fault::Noise, true);
        findings.respond(&Responses::default());
        assert_eq!((findings.holds(zero), findings.holds(noise)), (true, false));
        assert_eq!((findings.told(zero), findings.told(noise)), (zero, noise));
        findings.respond(&Responses { zero: Response::Warn, noise: Response::Ignore, ..Responses::default() });
        assert_eq!((findings.holds(zero), findings.holds(noise)), (false, false));
        assert_eq!((findings.told(zero), findings.told(noise)), (zero, Faults::NONE));
    }
}
