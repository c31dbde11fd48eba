//! A program of a release, started once.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Release;
use crate::arm::toolchain::Toolchain;
use crate::decision::Decision;
use crate::process::Process;

/// Seconds of the simulated wearer that it answers, and the fewest windows in them.
const SECONDS: &str = "10";
const WINDOWS: usize = 5;

/// The program says its version, agrees with the golden vectors of every shipped ladder, and recognises what the simulated
/// wearer does; under an emulator where `toolchain` says so.
pub(super) fn ensure(release: &Release, toolchain: Option<&Toolchain>, program: &Path) -> Result<()> {
    let tree = release.tree;
    let gaitd = || {
        anyhow::Ok(match toolchain {
            Some(toolchain) => toolchain.emulator(tree, None)?.arg(program),
            None => Process::new(tree, program),
        })
    };
    answers(release, &gaitd()?.arg("--version").capture()?, &gaitd()?.args(RUN).capture()?)
        .with_context(|| program.display().to_string())?;
    gaitd()?.arg("check").args(tree.ladders()?).run()
}

/// The arguments by which it is started.
pub(super) const RUN: [&str; 6] = ["run", "--seconds", SECONDS, "--pace", "fast", "--json"];

/// Holds what it printed of its version and when it was started.
pub(super) fn answers(release: &Release, version: &str, decisions: &str) -> Result<()> {
    ensure!(version == format!("gaitd {}", release.version), "`--version` printed {version:?}");
    let decisions = Decision::read_all(decisions)?;
    ensure!(decisions.len() >= WINDOWS, "it decided {} windows in {SECONDS} s", decisions.len());
    Ok(())
}
