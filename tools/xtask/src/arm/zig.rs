//! Zig as linker of static programs: it brings musl, the code around `main` and what unwinds, for every processor.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use super::targets::Target;
use crate::process::Process;
use crate::python::Venv;
use crate::tree::Tree;

/// Cargo with Zig behind it.
pub(super) struct Zig {
    venv: Venv,
}

impl Zig {
    /// Zig as PyPI has it, made in the target directory where it is missing.
    pub(super) fn get(tree: &Tree) -> Result<Self> {
        let venv = Venv::at(tree, "zig-venv");
        let lock = tree.join("tools/zig/requirements.txt");
        venv.ensure(tree, &lock, "Zig is about 100 MB to download, and 450 MB on disk")?;
        Ok(Self { venv })
    }

    /// `cargo COMMAND` for `target`.
    pub(super) fn cargo(&self, tree: &Tree, command: &str, target: Target) -> Result<Process> {
        let program = self.venv.program("cargo-zigbuild");
        // it looks for Zig on the path
        let own = program.parent().map(Path::to_path_buf);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&path))).context("PATH")?;
        let command = if command == "build" { "zigbuild" } else { command };
        Ok(Process::new(tree, program)
            .arg(command)
            // Rust's own copy of musl, of which not every standard library brings one, gives way to Zig's
            .args(["--config", &format!("target.{}.rustflags=[\"-Clink-self-contained=no\"]", target.triple())])
            .env("PATH", path))
    }
}
