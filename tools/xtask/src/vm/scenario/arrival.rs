//! From the switch to the first decision.

use anyhow::{Result, ensure};

use super::super::lab::Lab;
use super::super::payload::MOUNT;

pub(super) const BOOTS: &str = "systemd is process 1 and says `running`";

pub(super) fn boots(lab: &mut Lab) -> Result<String> {
    let state = lab.agent.run("systemctl is-system-running --wait")?;
    if state.code != 0 {
        let failed = lab.agent.run("systemctl --failed --no-legend --plain")?;
        anyhow::bail!("{}: {}", state.said(), failed.said());
    }
    lab.agent.sh(&format!("mount -o ro /dev/vdb {MOUNT}"))?;
    lab.agent.sh(&format!("cp {MOUNT}/*.service /etc/systemd/system/ && systemctl daemon-reload"))?;
    let about = ". /etc/os-release; echo \"$PRETTY_NAME, $(uname -m), Linux $(uname -r), \
                 systemd $(systemctl --version | cut -d' ' -f2 | head -1), process 1 is $(cat /proc/1/comm)\"; \
                 systemd-analyze | head -1";
    Ok(format!("{}\n{}", state.said(), lab.agent.sh(about)?))
}

pub(super) const INSTALLS: &str = "`dpkg -i` succeeds; the service is enabled, started, and says that it is ready";

pub(super) fn installs(lab: &mut Lab) -> Result<String> {
    lab.agent.sh(&format!("dpkg -i {MOUNT}/gaitd.deb"))?;
    let version =
        lab.agent.sh("dpkg-query --show --showformat='${Package} ${Version} ${Architecture} ${Status}' gaitd")?;
    ensure!(version.ends_with("install ok installed"), "dpkg says {version}");
    let enabled = lab.agent.sh("systemctl is-enabled gaitd")?;
    lab.agent.until("the service is up", "systemctl is-active gaitd")?;
    let service = lab.service()?;
    ensure!(service.restarts == 0, "it was restarted {} times", service.restarts);
    let status = lab.agent.sh("systemctl show gaitd --property=StatusText --value")?;
    Ok(format!(
        "{version}; {enabled}, active as process {}; {:.1} s (emulated) from its start to READY=1, in which the ladder was \
         measured for the first time\nStatus: {status}",
        service.pid,
        service.start.as_secs_f64()
    ))
}

pub(super) const WAITS: &str = "without a sensor, /healthz answers 200 and /readyz 503 and why";

pub(super) fn waits_for_a_sensor(lab: &mut Lab) -> Result<String> {
    let (health, ready) = (lab.get("/healthz")?, lab.get("/readyz")?);
    ensure!((health.code, ready.code) == (200, 503), "{} {}, {} {}", health.code, health.body, ready.code, ready.body);
    Ok(format!("/healthz 200 {}\n/readyz 503 {}", health.body, ready.body))
}

pub(super) const READY: &str =
    "with the sensor's reader (docs/service.md) started, /readyz answers 200 and decisions come";

pub(super) fn is_ready(lab: &mut Lab) -> Result<String> {
    lab.agent.sh("systemctl start imu gaitd-events")?;
    let (service, decision) = lab.recovered(0)?;
    let ready = lab.get("/readyz")?;
    ensure!(ready.code == 200, "/readyz {} {}", ready.code, ready.body);
    Ok(format!(
        "/readyz 200 {}; process {} decides live: {} by {}",
        ready.body, service.pid, decision.activity, decision.configuration
    ))
}
