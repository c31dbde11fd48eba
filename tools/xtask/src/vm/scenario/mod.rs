//! What happens to the service, in order: it comes, is asked, works, is disturbed, is replaced and goes.

mod arrival;
mod departure;
mod disturbance;
mod recognition;
mod reload;
mod service;

use anyhow::Result;

use super::account::Account;
use super::lab::Lab;

/// Takes all steps. Where a board that boots or a service that runs is missing, the others are left out.
pub(super) fn play(lab: &mut Lab, account: &mut Account) -> Result<()> {
    if !account.step("boots", arrival::BOOTS, || arrival::boots(lab))? {
        return Ok(());
    }
    let before = departure::listing(lab)?;
    if !account.step("dpkg installs", arrival::INSTALLS, || arrival::installs(lab))? {
        return Ok(());
    }
    account.step("waits for a sensor", arrival::WAITS, || arrival::waits_for_a_sensor(lab))?;
    if !account.step("is ready", arrival::READY, || arrival::is_ready(lab))? {
        return Ok(());
    }
    account.step("is hardened", service::HARDENED, || service::is_hardened(lab))?;
    account.step("operators", service::ALLOWS, || service::allows_operators(lab))?;
    account.step("memory at rest", service::RESTS, || service::memory_at_rest(lab))?;
    for (number, name) in [(0, "same decisions, smallest"), (1, "same decisions, largest")] {
        account.step(name, recognition::SAME, || recognition::same_decisions(lab, number))?;
    }
    account.step("SIGKILL", disturbance::KILLED, || disturbance::killed(lab))?;
    account.step("hung engine", disturbance::HUNG, || disturbance::hung(lab))?;
    account.step("SIGHUP, good config", reload::GOOD, || reload::good(lab))?;
    account.step("SIGHUP, broken config", reload::BROKEN, || reload::broken(lab))?;
    account.step("memory pressure", disturbance::PRESSED, || disturbance::pressed(lab))?;
    account.step("memory limit", disturbance::LIMITED, || disturbance::limited(lab))?;
    account.step("upgrade", departure::UPGRADED, || departure::upgraded(lab))?;
    account.step("upgrade, new default", departure::MERGED, || departure::upgraded_with_another_default(lab))?;
    account.step("purge", departure::PURGED, || departure::purged(lab, &before))?;
    Ok(())
}
