//! Another configuration while it runs.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::super::lab::Lab;

const CONFIG: &str = "/etc/gaitd/config.json";
/// Where the changed configuration has the decisions written.
const DECISIONS: &str = "/var/log/gaitd/decisions.ndjson";
/// What the changed configuration allows.
pub(super) const BUDGET_MS: f64 = 40.0;

pub(super) const GOOD: &str = "the same process takes over another budget and an output, and loses no window";

pub(super) fn good(lab: &mut Lab) -> Result<String> {
    let (service, before) = (lab.service()?, lab.status()?);
    let config = json!({
        "source": { "kind": "file", "path": "/run/imu/samples", "pace": "live", "on_failure": "retry" },
        "control": { "budget_ms": BUDGET_MS, "miss_target": 0.02 },
        "http": { "listen": "127.0.0.1:4248" },
        "outputs": [{ "format": "ndjson", "path": DECISIONS }],
    });
    lab.agent.sh(&format!("cat > {CONFIG} <<'END'\n{config}\nEND\ngaitd check {CONFIG}"))?;
    lab.agent.sh("systemctl kill --signal=SIGHUP --kill-whom=main gaitd")?;
    let count = |status: &serde_json::Value, part: &str, name: &str| status[part][name].as_u64();
    let done = count(&before, "reloads", "done");
    let after = lab.until("a reload", |status| count(status, "reloads", "done") > done)?;
    ensure!(after["settings"]["budget_ms"] == json!(BUDGET_MS), "the settings are {}", after["settings"]);
    let lost = |status: &serde_json::Value| (count(status, "windows", "dropped"), count(status, "windows", "failed"));
    ensure!(lost(&after) == lost(&before), "windows were lost: {}, then {}", before["windows"], after["windows"]);
    lab.events.next(lab.sensor.time())?;
    let line = lab.agent.until("decisions in the file", &format!("grep -m1 '\"class\":\"decision\"' {DECISIONS}"))?;
    let line: serde_json::Value = serde_json::from_str(&line).with_context(|| format!("{DECISIONS} holds {line}"))?;
    ensure!(line["budget_ms"] == json!(BUDGET_MS), "{line}");
    let now = lab.service()?;
    ensure!(now == service, "it was {service:?} and is {now:?}");
    let mode = lab.agent.sh(&format!("stat --format=%a {DECISIONS}"))?;
    Ok(format!(
        "process {} goes on with {BUDGET_MS} ms; {DECISIONS} (mode {mode}) grows; no window was lost",
        service.pid
    ))
}

pub(super) const BROKEN: &str = "the same process stays as it was, is ready, and says what is wrong; `systemctl reload` \
    fails";

pub(super) fn broken(lab: &mut Lab) -> Result<String> {
    let (service, before) = (lab.service()?, lab.status()?);
    lab.agent.sh(&format!("cp {CONFIG} /tmp/config.json && sed -i 's/\"miss_target\"/\"mis_target\"/' {CONFIG}"))?;
    lab.agent.sh("systemctl kill --signal=SIGHUP --kill-whom=main gaitd")?;
    let refused = before["reloads"]["refused"].as_u64();
    let after = lab.until("a refusal", |status| status["reloads"]["refused"].as_u64() > refused)?;
    ensure!(after["settings"] == before["settings"], "{} became {}", before["settings"], after["settings"]);
    let reload = lab.agent.run("systemctl reload gaitd")?;
    ensure!(reload.code != 0, "`systemctl reload` succeeds");
    let ready = lab.get("/readyz")?;
    ensure!(ready.code == 200, "/readyz {} {}", ready.code, ready.body);
    lab.events.next(lab.sensor.time())?;
    let now = lab.service()?;
    ensure!(now == service, "it was {service:?} and is {now:?}");
    lab.agent.sh(&format!("cat /tmp/config.json > {CONFIG} && rm /tmp/config.json && gaitd check {CONFIG}"))?;
    lab.agent.sh("systemctl reload gaitd")?;
    Ok(format!("process {} goes on; the status tells: {}", service.pid, after["reloads"]["last"]["message"]))
}
