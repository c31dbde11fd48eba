//! The program of a package.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::architecture::Architecture;
use crate::arm::toolchain::{self, Toolchain};
use crate::dist;
use crate::process::Process;
use crate::tree::Tree;

/// Builds for one architecture.
pub(super) struct Builder {
    pub(super) architecture: Architecture,
    /// For ARM.
    toolchain: Option<Toolchain>,
    /// The time that everything in the package bears, in seconds since 1970.
    pub(super) epoch: String,
}

impl Builder {
    pub(super) fn find(tree: &Tree, architecture: Architecture) -> Result<Self> {
        let toolchain = match architecture.arm() {
            Some(target) => Some(Toolchain::find(tree, target)?),
            None => None,
        };
        ensure!(toolchain.is_some() || env::consts::ARCH == "x86_64", "amd64 is built on amd64 only");
        Ok(Self { architecture, toolchain, epoch: epoch(tree)? })
    }

    /// The target directory.
    pub(super) fn target_folder(&self, tree: &Tree) -> PathBuf {
        if self.toolchain.is_some() { toolchain::build_folder(tree) } else { tree.target("") }
    }

    /// Where cargo puts the program.
    pub(super) fn folder(&self, tree: &Tree) -> PathBuf {
        self.target_folder(tree).join(self.architecture.triple()).join(dist::PROFILE)
    }

    /// The program.
    pub(super) fn program(&self, tree: &Tree) -> PathBuf {
        self.folder(tree).join("gaitd")
    }

    pub(super) fn build(&self, tree: &Tree) -> Result<()> {
        self.cargo(tree, "build")?.run()
    }

    /// Runs what was built, under emulation where that is needed; what it printed.
    pub(super) fn gaitd(&self, tree: &Tree, args: &[&str]) -> Result<String> {
        let process = self.cargo(tree, "run")?.args(["--quiet", "--"]).args(args);
        let shown = process.to_string();
        process.probe().with_context(|| format!("`{shown}` failed"))
    }

    fn cargo(&self, tree: &Tree, command: &str) -> Result<Process> {
        match &self.toolchain {
            Some(toolchain) => dist::cargo(tree, toolchain, command),
            None => dist::cargo_here(tree, self.architecture.triple(), command),
        }
    }
}

/// The last commit's time, or what `SOURCE_DATE_EPOCH` says.
fn epoch(tree: &Tree) -> Result<String> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let named = env::var_os(NAME).map(OsString::into_string).transpose();
    let named = named.map_err(|value| anyhow::anyhow!("{NAME} is {value:?}, not seconds since 1970"))?;
    let epoch = named
        .or_else(|| Process::new(tree, "git").args(["log", "-1", "--format=%ct"]).probe())
        .with_context(|| format!("git does not know the last commit's time; set {NAME}"))?;
    ensure!(epoch.parse::<u64>().is_ok(), "{NAME} is {epoch:?}, not seconds since 1970");
    Ok(epoch)
}
