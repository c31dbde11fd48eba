//! What ends a process, holds it up, or takes its memory.

use anyhow::{Result, ensure};

use super::super::lab::Lab;
use super::super::payload::MOUNT;

pub(super) const KILLED: &str = "systemd starts another process, which is ready and decides";

pub(super) fn killed(lab: &mut Lab) -> Result<String> {
    let old = lab.service()?;
    lab.agent.sh(&format!("kill -KILL {}", old.pid))?;
    let (new, decision) = lab.recovered(old.pid)?;
    ensure!(new.restarts == old.restarts + 1, "it was restarted {} times", new.restarts - old.restarts);
    Ok(format!(
        "process {} gave way to {}; {:.1} s (emulated) from its start to READY=1; it decides: {}",
        old.pid,
        new.pid,
        new.start.as_secs_f64(),
        decision.activity
    ))
}

pub(super) const HUNG: &str = "with the engine's thread alone held (strace delays its system calls, for ever), gaitd \
    stops feeding the watchdog; after 30 s systemd ends it and starts another, which is ready and decides";

pub(super) fn hung(lab: &mut Lab) -> Result<String> {
    let old = lab.service()?;
    let thread = lab.agent.sh(&format!("grep -lx gaitd-engine /proc/{}/task/*/comm | cut -d/ -f5", old.pid))?;
    ensure!(!thread.is_empty() && !thread.contains('\n'), "the threads named gaitd-engine are {thread:?}");
    // a unit of its own, so that it goes on when the command has ended
    lab.agent.sh(&format!(
        "systemd-run --quiet --unit=hold --property=KillSignal=SIGKILL \
         strace --quiet=all --output=/dev/null --inject=all:delay_enter=1000s --attach={thread}"
    ))?;
    lab.agent.until(
        "a thread that is held",
        &format!("grep -q '^TracerPid:[^0-9]*[1-9]' /proc/{}/task/{thread}/status", old.pid),
    )?;
    let others = lab.agent.sh(&format!("grep -l '^TracerPid:[^0-9]*0' /proc/{}/task/*/status | wc -l", old.pid))?;
    let unwell = lab.agent.until(
        "/healthz that is not 200",
        "curl --silent --max-time 60 --write-out '\\n%{http_code}' http://127.0.0.1:4248/healthz | grep -B1 -x 503",
    )?;
    lab.agent
        .until("the watchdog's end of it", "test \"$(systemctl show gaitd --property=Result --value)\" = watchdog")?;
    // strace keeps hold of a thread even while it dies, and with it the process
    lab.agent.sh("systemctl stop hold")?;
    let (new, decision) = lab.recovered(old.pid)?;
    let said = lab.agent.sh("journalctl --boot --output=cat --no-pager --grep='Watchdog timeout' _PID=1 | tail -1")?;
    ensure!(new.restarts == old.restarts + 1, "it was restarted {} times", new.restarts - old.restarts);
    Ok(format!(
        "thread {thread} of process {} was held, {others} went on; meanwhile /healthz: {}\nsystemd: {said}\nprocess {} is \
         ready and decides: {}",
        old.pid,
        unwell.lines().next().unwrap_or_default(),
        new.pid,
        decision.activity
    ))
}

/// What is left to everybody else, in MiB: less than the pages of the programs that run.
const REST: u32 = 32;

/// The memory is eaten while this file exists.
const EATING: &str = "/run/eating";

/// So many decisions have to come meanwhile.
const DECISIONS: u64 = 20;

pub(super) const PRESSED: &str = "while another program takes all memory but 32 MiB, gives it back and takes it again, so \
    that tasks have to wait for memory, the same process goes on answering and deciding";

pub(super) fn pressed(lab: &mut Lab) -> Result<String> {
    let (service, before) = (lab.service()?, lab.status()?);
    let stalled = "sed -n 's/^some.*total=//p' /proc/pressure/memory";
    let start: u64 = lab.agent.sh(stalled)?.parse()?;
    lab.agent
        .sh(&format!("touch {EATING} && systemd-run --quiet --unit=eater sh {MOUNT}/eat-memory.sh {REST} {EATING}"))?;
    let count = |status: &serde_json::Value, name: &str| status["windows"][name].as_u64().unwrap_or(0);
    let (mut answers, mut pressure) = (0, 0f64);
    let after = lab.until("decisions under pressure", |status| {
        answers += 1;
        pressure = pressure.max(status["signals"]["pressure"].as_f64().unwrap_or_default());
        count(status, "decided") >= count(&before, "decided") + DECISIONS
    })?;
    let stalls = lab.agent.sh(stalled)?.parse::<u64>()?.saturating_sub(start);
    lab.agent.sh(&format!("systemctl is-active eater && rm {EATING}"))?;
    let now = lab.service()?;
    ensure!(now == service, "it was {service:?} and is {now:?}");
    ensure!(stalls > 0, "no task had to wait for memory");
    let more = |name: &str| count(&after, name) - count(&before, name);
    Ok(format!(
        "tasks waited {:.1} s for memory; process {} gave {answers} answers and {} decisions meanwhile ({} windows \
         overtaken, {} failed); it saw pressure on the processors up to {:.0} %; {:.1} MiB of it were resident",
        stalls as f64 / 1e6,
        service.pid,
        more("decided"),
        more("dropped"),
        more("failed"),
        100.0 * pressure,
        after["memory"]["resident_bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20),
    ))
}

pub(super) const LIMITED: &str = "with a limit that is too low (MemoryMax=16M in a drop-in) the kernel ends it and systemd \
    tries again; with the limit of the unit it is ready again";

pub(super) fn limited(lab: &mut Lab) -> Result<String> {
    let old = lab.service()?;
    let folder = "/run/systemd/system/gaitd.service.d";
    lab.agent.sh(&format!(
        "mkdir -p {folder} && printf '[Service]\\nMemoryMax=16M\\n' > {folder}/limit.conf && systemctl daemon-reload && \
         systemctl restart --no-block gaitd"
    ))?;
    lab.agent.until(
        "the kernel's end of it",
        "test $(systemctl show gaitd --property=NRestarts --value) -ge 2 && \
         test \"$(systemctl show gaitd --property=Result --value)\" = oom-kill || \
         { systemctl show gaitd --property=Result,NRestarts,SubState | xargs; false; }",
    )?;
    let said = lab.agent.sh("journalctl --boot --unit=gaitd --output=cat --no-pager --grep=oom-kill | tail -1")?;
    lab.agent.sh(&format!("rm -r {folder} && systemctl daemon-reload && systemctl restart gaitd"))?;
    let (new, decision) = lab.recovered(old.pid)?;
    Ok(format!("{said}\nthen, with 256 MiB, process {} is ready and decides: {}", new.pid, decision.activity))
}
