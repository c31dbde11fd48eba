//! Subcommands of cargo that some chores need, in one version each, kept below the target directory.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::files::remove;
use crate::process::Process;
use crate::tree::Tree;

/// A program from crates.io.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CargoTool {
    pub(crate) name: &'static str,
    /// The version that is installed and recommended.
    pub(crate) version: &'static str,
    /// The arguments with which it prints its version.
    pub(crate) version_args: &'static [&'static str],
    /// Its features, where those by default are more than is needed.
    pub(crate) features: &'static [&'static str],
    /// Whether it is compiled as quickly as can be, rather than to be fast.
    pub(crate) quick: bool,
    /// Where it is kept, below the target directory.
    pub(crate) root: &'static str,
    /// The chore that installs it, if one does.
    pub(crate) chore: Option<&'static str>,
    /// How long that takes.
    pub(crate) takes: &'static str,
}

impl CargoTool {
    /// The program, where the user or an earlier call has installed that version; with `install`, it is installed now.
    pub(crate) fn get(&self, tree: &Tree, install: bool) -> Result<PathBuf> {
        let own = self.own(tree);
        for path in [PathBuf::from(self.name), own.clone()] {
            let printed = Process::new(tree, &path).args(self.version_args).probe();
            if printed.is_some_and(|printed| {
                printed.split_whitespace().any(|word| word.trim_start_matches('v') == self.version)
            }) {
                return Ok(path);
            }
        }
        if !install {
            bail!("{} {} is missing: {}", self.name, self.version, self.remedy());
        }
        eprintln!("Installing {} {} to {}: {}", self.name, self.version, tree.target(self.root).display(), self.takes);
        let mut install = Process::cargo(tree)
            .args(["install", self.name, "--locked", "--version", self.version, "--root"])
            .arg(tree.target(self.root))
            // not among what is built of gaitd
            .env("CARGO_TARGET_DIR", tree.target(self.root).join("build"));
        if !self.features.is_empty() {
            install = install.args(["--no-default-features", "--features", &self.features.join(",")]);
        }
        if self.quick {
            install = install.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_INCREMENTAL", "0");
        }
        install.run().with_context(|| format!("{} cannot be installed", self.name))?;
        remove(&tree.target(self.root).join("build"))?;
        Ok(own)
    }

    /// Where it lies if it is not the user's.
    pub(crate) fn own(&self, tree: &Tree) -> PathBuf {
        tree.target(self.root).join("bin").join(self.name)
    }

    /// How to get it.
    pub(crate) fn remedy(&self) -> String {
        let Self { name, version, chore, takes, .. } = self;
        let by_hand = format!("`cargo install {name} --locked --version {version}`");
        match chore {
            Some(chore) => {
                format!("{by_hand}, or let `{chore} --install` put it below the target directory ({takes})")
            }
            None => format!("{by_hand} ({takes})"),
        }
    }
}
