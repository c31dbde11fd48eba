//! gaitd as it is shipped, with nothing in it of the machine that built it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::architecture::Architecture;
use crate::arm::toolchain::Toolchain;
use crate::process::Process;
use crate::tree::Tree;

/// The profile of what is shipped.
pub(super) const PROFILE: &str = "dist";

/// Builds for all architectures.
pub(super) struct Builder {
    /// For ARM, if that was asked for.
    toolchain: Option<Toolchain>,
    epoch: String,
}

impl Builder {
    /// With a toolchain for the given architectures.
    pub(super) fn for_all(tree: &Tree, architectures: &[Architecture]) -> Result<Self> {
        let targets: Vec<_> = architectures.iter().filter_map(|architecture| architecture.arm()).collect();
        ensure!(
            targets.len() == architectures.len() || env::consts::ARCH == "x86_64",
            "the package for amd64 is built on amd64; leave it out with --arch arm64,armhf"
        );
        let toolchain = if targets.is_empty() { None } else { Some(Toolchain::find(tree, &targets)?) };
        Ok(Self { toolchain, epoch: epoch(tree)? })
    }

    /// The time that everything in the packages bears, in seconds since 1970.
    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The program that was built.
    pub(super) fn program(&self, tree: &Tree, architecture: Architecture) -> PathBuf {
        self.folder(tree, architecture).join("gaitd")
    }

    /// Where cargo puts what it builds.
    pub(super) fn folder(&self, tree: &Tree, architecture: Architecture) -> PathBuf {
        architecture.target_folder(tree).join(architecture.triple()).join(PROFILE)
    }

    pub(super) fn build(&self, tree: &Tree, architecture: Architecture) -> Result<()> {
        self.cargo(tree, architecture, "build")?.run()
    }

    /// The version of what was built.
    pub(super) fn version(&self, tree: &Tree, architecture: Architecture) -> Result<String> {
        let told = self.gaitd(tree, architecture, &["--version"])?;
        let version = told.strip_prefix("gaitd ").with_context(|| format!("`gaitd --version` printed {told:?}"))?;
        Ok(version.to_owned())
    }

    /// Runs what was built, under emulation where that is needed; what it printed.
    pub(super) fn gaitd(&self, tree: &Tree, architecture: Architecture, args: &[&str]) -> Result<String> {
        let process = self.cargo(tree, architecture, "run")?.args(["--quiet", "--"]).args(args);
        let shown = process.to_string();
        process.probe().with_context(|| format!("`{shown}` failed"))
    }

    fn cargo(&self, tree: &Tree, architecture: Architecture, command: &str) -> Result<Process> {
        let (process, sysroot) = match architecture.arm().zip(self.toolchain.as_ref()) {
            Some((target, toolchain)) => (toolchain.cargo(tree, command, target), toolchain.sysroot(tree)?),
            None => {
                let sysroot = Process::new(tree, "rustc").args(["--print", "sysroot"]).probe();
                let process = Process::cargo(tree).args([command, "--target", architecture.triple()]);
                (process, sysroot.context("rustc does not tell where its libraries are")?.into())
            }
        };
        let places = [
            // where rustc believes that the standard library was compiled, if its source is not here
            (sysroot.join("lib/rustlib/src/rust"), "/rustc"),
            (tree.cargo_home()?, "/cargo"),
            (tree.target(""), "/target"),
        ];
        let flags = places.map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()));
        Ok(process
            .args(["--locked", "--profile", PROFILE, "-p", "gaitd"])
            // the form that allows for spaces, and that nobody's RUSTFLAGS override
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")))
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
