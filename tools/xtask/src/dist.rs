//! gaitd as it is shipped, with nothing in it of the machine that builds it.

use std::path::PathBuf;

use anyhow::Result;

use crate::arm::toolchain::{Toolchain, caller_rustc};
use crate::process::Process;
use crate::tree::Tree;

/// The profile of what is shipped.
pub(crate) const PROFILE: &str = "dist";

/// The arguments for cargo by which the program is lean: without tract, so that it runs what `gaitd-train` writes.
pub(crate) const LEAN: [&str; 3] = ["--no-default-features", "--features", "figures,http,npz"];

/// `cargo COMMAND` for the shipped gaitd on a toolchain's target.
pub(crate) fn cargo(tree: &Tree, toolchain: &Toolchain, command: &str) -> Result<Process> {
    let rustc = Process::new(tree, toolchain.rustc());
    shipped(tree, toolchain.cargo(tree, command)?, toolchain.target().triple(), rustc)
}

/// Builds the shipped gaitd for a toolchain's target, with further arguments for cargo; where it is.
pub(crate) fn build(tree: &Tree, toolchain: &Toolchain, args: &[&str]) -> Result<PathBuf> {
    cargo(tree, toolchain, "build")?.args(args).run()?;
    Ok(toolchain.gaitd(tree, PROFILE))
}

/// `cargo COMMAND` for the shipped gaitd on the target `triple`, with the caller's compiler.
pub(crate) fn cargo_here(tree: &Tree, triple: &str, command: &str) -> Result<Process> {
    let rustc = Process::new(tree, caller_rustc());
    shipped(tree, Process::cargo(tree).args([command, "--target", triple]), triple, rustc)
}

fn shipped(tree: &Tree, cargo: Process, triple: &str, rustc: Process) -> Result<Process> {
    let sysroot = rustc.args(["--print", "sysroot"]).capture()?;
    // Files from which code comes are named in panics, and so in the program.
    let places = [
        (PathBuf::from(sysroot).join("lib/rustlib/src/rust"), "/rustc"),
        (tree.cargo_home()?, "/cargo"),
        (tree.target(""), "/target"),
    ];
    let flags = places.map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()));
    Ok(cargo
        .args(["--locked", "--profile", PROFILE, "-p", "gaitd", "--bin", "gaitd"])
        // beside those of .cargo/config.toml, which these variables would displace
        .args(["--config", &format!("target.{triple}.rustflags={flags:?}")])
        .without_env("RUSTFLAGS")
        .without_env("CARGO_ENCODED_RUSTFLAGS"))
}
