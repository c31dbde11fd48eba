//! How the service stands in the system.

use anyhow::{Context, Result, ensure};

use super::super::lab::Lab;

pub(super) const HARDENED: &str = "systemd takes the units without a word; the process has no privilege, a filter of \
    system calls and a limit of memory; it had nothing to warn of";

pub(super) fn is_hardened(lab: &mut Lab) -> Result<String> {
    let units = lab.agent.sh("dpkg --listfiles gaitd | grep -E '/systemd/system/[^/]+\\.(service|socket)$'")?;
    let mut names = Vec::new();
    for path in units.lines() {
        // there is no program in the guest that shows manual pages
        let said = lab.agent.run(&format!("systemd-analyze verify --man=no {path}"))?;
        ensure!(said.code == 0 && said.said().is_empty(), "systemd-analyze verify {path}: {}", said.said());
        names.extend(path.rsplit('/').next());
    }
    let exposure = lab.agent.sh("systemd-analyze security gaitd.service --no-pager | tail -1")?;
    let pid = lab.service()?.pid;
    let process = lab.agent.sh(&format!("cat /proc/{pid}/status"))?;
    let field = |name: &str| -> Result<&str> {
        let mut values = process.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.next().map(str::trim).with_context(|| format!("/proc/{pid}/status has no {name}"))
    };
    let found = [field("Seccomp")?, field("NoNewPrivs")?, field("CapEff")?, field("CapBnd")?];
    ensure!(found == ["2", "1", "0000000000000000", "0000000000000000"], "{process}");
    let user = field("Uid")?.split_whitespace().next().unwrap_or_default().to_owned();
    ensure!(user != "0", "it runs as root");
    let group = "/sys/fs/cgroup/system.slice/gaitd.service";
    let limit = lab.agent.sh(&format!("cat {group}/memory.max {group}/memory.swap.max {group}/pids.max | xargs"))?;
    ensure!(limit == "268435456 0 64", "the limits of the control group are {limit}");
    let warnings = lab.agent.sh("journalctl --boot --unit=gaitd --priority=warning --output=cat --no-pager")?;
    // that there was no sensor is worth a warning
    let warnings: Vec<&str> = warnings.lines().filter(|line| !line.contains("/run/imu/samples")).collect();
    ensure!(warnings.is_empty(), "it warns: {}", warnings.join(" / "));
    Ok(format!(
        "{}\nuser {user}, no capabilities, seccomp filter, no new privileges; memory.max 256 MiB, no swap, 64 tasks\n{}",
        names.join(", "),
        exposure.trim_start_matches("→ ").trim()
    ))
}

pub(super) const ALLOWS: &str = "`gaitd ctl` works for a member of gaitd-operators, and ends with 77 for anybody else";

pub(super) fn allows_operators(lab: &mut Lab) -> Result<String> {
    let nobody = "setpriv --reuid=65534 --regid=65534";
    let member = lab.agent.run(&format!("{nobody} --groups=gaitd-operators gaitd ctl status"))?;
    let other = lab.agent.run(&format!("{nobody} --clear-groups gaitd ctl status"))?;
    ensure!(
        (member.code, other.code) == (0, 77),
        "{}: {}; {}: {}",
        member.code,
        member.said(),
        other.code,
        other.said()
    );
    let state = member.out.lines().find(|line| line.starts_with("state")).unwrap_or_default();
    Ok(format!("a member reads: {}; another: {}", state.split_whitespace().collect::<Vec<_>>().join(" "), other.said()))
}

pub(super) const RESTS: &str = "it keeps below 64 MiB, a quarter of its limit";

pub(super) fn memory_at_rest(lab: &mut Lab) -> Result<String> {
    let pid = lab.service()?.pid;
    let rollup = lab.agent.sh(&format!("cat /proc/{pid}/smaps_rollup"))?;
    let mib = |name: &str| -> Result<f64> {
        let mut values = rollup.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: Option<f64> = values.next().and_then(|value| value.split_whitespace().next()?.parse().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("smaps_rollup has no {name}: {rollup}"))
    };
    let group = "/sys/fs/cgroup/system.slice/gaitd.service";
    let current: f64 =
        lab.agent.sh(&format!("cat {group}/memory.peak 2>/dev/null || cat {group}/memory.current"))?.parse()?;
    let (resident, proportional, own) = (mib("Rss")?, mib("Pss")?, mib("Pss_Anon")?);
    ensure!(resident < 64.0, "{resident:.1} MiB are resident");
    let size = lab.agent.sh("stat --format=%s /usr/bin/gaitd")?.parse::<f64>()?;
    Ok(format!(
        "resident {resident:.1} MiB, proportional {proportional:.1} MiB, of which {own:.1} MiB are its own and not its \
         program's; at most {:.1} MiB were charged to it, measuring included; the program is {:.1} MB",
        current / f64::from(1 << 20),
        size / 1e6
    ))
}
