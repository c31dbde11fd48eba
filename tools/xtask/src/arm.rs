//! `cargo xtask arm`: the unit tests and the golden vectors on aarch64, under qemu-user.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{Process, cargo};
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER";
const SETUP: &str = "../shared/arm/setup.sh";

/// Where cargo learns of the cross compiler and of qemu.
enum Toolchain {
    /// The caller's environment names them.
    Caller,
    /// This shell script exports them.
    Script(PathBuf),
}

/// Builds and tests for aarch64, with a toolchain made on first use.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    match toolchain(tree) {
        Ok(toolchain) => test(tree, &toolchain),
        Err(error) if args.if_possible => {
            eprintln!("\n*** NOTHING WAS CHECKED ON ARM: {error:#}\n");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn test(tree: &Tree, toolchain: &Toolchain) -> Result<()> {
    let process = match toolchain {
        Toolchain::Caller => Process::cargo(tree),
        Toolchain::Script(script) => {
            Process::new(tree, "bash").args(["-c", r#"set -eu; . "$0"; exec "$@""#]).arg(script).arg(cargo())
        }
    };
    process
        .args(["test", "--locked", "--target", TARGET, "-p", "gaitd", "--lib", "--test", "golden"])
        // Another compiler than the host's: in one directory, each would rebuild what the other has built.
        .env("CARGO_TARGET_DIR", tree.target("arm"))
        // Under emulation a few dozen random cases per property take as long as hundreds on the host, where they run.
        .env("PROPTEST_CASES", env::var("PROPTEST_CASES").unwrap_or_else(|_| "32".into()))
        .run()
}

fn toolchain(tree: &Tree) -> Result<Toolchain> {
    if env::var_os(LINKER).is_some() {
        return Ok(Toolchain::Caller);
    }
    let folder = match env::var_os("XB") {
        Some(folder) => PathBuf::from(folder),
        None => {
            env::home_dir().context("no home directory; let XB name the toolchain's folder")?.join(".cache/gaitd-arm")
        }
    };
    let script = folder.join("env.sh");
    let setup = tree.join(SETUP);
    if setup.exists() {
        eprintln!("The cross toolchain in {}: a second to check, a minute and 1 GB to make", folder.display());
        Process::new(tree, "bash").arg(setup).arg("toolchain").env("XB", &folder).run().context(
            "the cross toolchain could not be made; that takes root, apt-get on Debian 12 (amd64) and its mirror",
        )?;
    } else if !script.exists() {
        bail!(
            "there is no cross toolchain. Point {LINKER} at an aarch64 gcc and \
             CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER at qemu-aarch64, with {TARGET} added to the Rust \
             toolchain; or, with Docker, run `CROSS_CONFIG=cross.toml cross test --target {TARGET} --lib --test golden`"
        );
    }
    Ok(Toolchain::Script(script))
}
