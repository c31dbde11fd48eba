//! The program of a package.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::architecture::Architecture;
use crate::arm::toolchain::{self, Toolchain};
use crate::dist;
use crate::epoch;
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
        Ok(Self { architecture, toolchain, epoch: epoch::find(tree)? })
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
        self.cargo(tree, "run")?.args(["--quiet", "--"]).args(args).capture()
    }

    fn cargo(&self, tree: &Tree, command: &str) -> Result<Process> {
        match &self.toolchain {
            Some(toolchain) => dist::cargo(tree, toolchain, command),
            None => dist::cargo_here(tree, self.architecture.triple(), command),
        }
    }
}
