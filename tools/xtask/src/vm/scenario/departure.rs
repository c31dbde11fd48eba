//! Newer versions, and the end.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::super::lab::{Lab, Service};
use super::super::payload::{MOUNT, NEW_BUDGET_MS, SUFFIXES};
use super::reload::BUDGET_MS;

const CONFIG: &str = "/etc/gaitd/config.json";

pub(super) const UPGRADED: &str = "a newer package with the same default configuration: `dpkg -i` asks nothing and keeps \
    the changed configuration; the service runs the new program";

pub(super) fn upgraded(lab: &mut Lab) -> Result<String> {
    upgrade(lab, 0, "")
}

pub(super) const MERGED: &str = "a newer package with another default configuration: `dpkg --force-confold -i` keeps the \
    changed configuration and lays the new default beside it; the service runs the new program";

pub(super) fn upgraded_with_another_default(lab: &mut Lab) -> Result<String> {
    let seen = upgrade(lab, 1, "--force-confdef --force-confold")?;
    let new = format!("{CONFIG}.dpkg-dist");
    lab.agent.sh(&format!("grep -q {NEW_BUDGET_MS} {new} && gaitd check {new}"))?;
    Ok(format!("{seen}; {new} has the new default"))
}

fn upgrade(lab: &mut Lab, number: usize, options: &str) -> Result<String> {
    let old = lab.service()?;
    let (config, program) = (lab.agent.sh(&format!("sha256sum {CONFIG}"))?, running(lab, &old)?);
    lab.agent.sh(&format!("dpkg {options} -i {MOUNT}/newer{number}.deb < /dev/null"))?;
    let (new, decision) = lab.recovered(old.pid)?;
    ensure!(lab.agent.sh(&format!("sha256sum {CONFIG}"))? == config, "{CONFIG} is another");
    let version = lab.agent.sh("dpkg-query --show --showformat='${Version}' gaitd")?;
    ensure!(version.ends_with(SUFFIXES[number]), "version {version} is installed");
    let now = running(lab, &new)?;
    let installed = lab.agent.sh("sha256sum < /usr/bin/gaitd")?;
    ensure!(
        now == installed && now != program,
        "the running program is {now}, before {program}, installed {installed}"
    );
    let budget = lab.status()?["settings"]["budget_ms"].as_f64();
    ensure!(budget == Some(BUDGET_MS), "the budget in force is {budget:?} ms");
    Ok(format!(
        "{version}; process {} runs the new program with the {BUDGET_MS} ms that were configured, and decides: {}",
        new.pid, decision.activity
    ))
}

/// A hash of the program that the service runs.
fn running(lab: &mut Lab, service: &Service) -> Result<String> {
    lab.agent.sh(&format!("sha256sum < /proc/{}/exe", service.pid))
}

pub(super) const PURGED: &str = "after `dpkg --purge` everything is as before the installation: files, what stands in /etc, \
    users, units; only the group stays, lest its number and what belongs to it go to another";

/// What a purge leaves on purpose, by the beginning of its line in the listing.
const KEPT: &str = "gaitd-operators:";

pub(super) fn purged(lab: &mut Lab, before: &BTreeSet<String>) -> Result<String> {
    lab.agent.sh("systemctl stop imu gaitd-events")?;
    let installed = listing(lab)?;
    lab.agent.sh("dpkg --purge gaitd")?;
    let known = lab.agent.run(
        "systemctl list-units --all --no-legend --plain 'gaitd.*' 'gaitd-iio*'; grep -lx gaitd /proc/[0-9]*/comm; \
         dpkg-query --show --showformat='${db:Status-Abbrev}' gaitd 2>/dev/null",
    )?;
    ensure!(known.said().is_empty(), "still known: {}", known.said());
    let after = listing(lab)?;
    let (kept, left): (Vec<&str>, Vec<&str>) =
        after.difference(before).map(String::as_str).partition(|line| line.starts_with(KEPT));
    let gone: Vec<&str> = before.difference(&after).map(String::as_str).collect();
    ensure!(left.is_empty() && gone.is_empty(), "left: {left:?}; gone: {gone:?}");
    Ok(format!(
        "of the {} lines that a listing of the system had gained, {kept:?} is left; of the {} before, none is gone",
        installed.difference(before).count(),
        before.len()
    ))
}

/// Everything that a package could leave behind.
pub(super) fn listing(lab: &mut Lab) -> Result<BTreeSet<String>> {
    let text = lab.agent.sh(&format!("sh {MOUNT}/listing.sh"))?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}
