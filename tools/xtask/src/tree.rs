//! Where things are in the working copy.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files;

/// The working copy and the folder of its build output, both absolute.
pub(crate) struct Tree {
    root: PathBuf,
    target: PathBuf,
    /// Where cargo has its home, if not where the caller's is.
    cargo_home: Option<PathBuf>,
}

impl Tree {
    /// The working copy that `cargo xtask` was called in, and the target directory that cargo uses for it.
    pub(crate) fn find() -> Result<Self> {
        // Two working copies may share a target directory and so this program: what cargo says now comes first.
        let package = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root =
            Path::new(&package).ancestors().nth(2).context("tools/xtask does not lie in a working copy")?.to_path_buf();
        // A relative CARGO_TARGET_DIR is relative to where the user stands, but the processes start at the root.
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => std::path::absolute(dir).context("CARGO_TARGET_DIR")?,
            None => root.join("target"),
        };
        Ok(Self { root, target, cargo_home: None })
    }

    /// A copy of the working copy at `root`, with a target directory and a cargo home of its own.
    pub(crate) fn elsewhere(root: PathBuf, target: PathBuf, cargo_home: PathBuf) -> Self {
        Self { root, target, cargo_home: Some(cargo_home) }
    }

    /// `path` in the working copy.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// `path` in the build output.
    pub(crate) fn target(&self, path: impl AsRef<Path>) -> PathBuf {
        self.target.join(path)
    }

    /// The cargo home that processes for this working copy are given, if it is not the caller's.
    pub(crate) fn own_cargo_home(&self) -> Option<&Path> {
        self.cargo_home.as_deref()
    }

    /// Where cargo keeps the sources of dependencies.
    pub(crate) fn cargo_home(&self) -> Result<PathBuf> {
        match (self.own_cargo_home(), env::var_os("CARGO_HOME")) {
            (Some(folder), _) => Ok(folder.to_path_buf()),
            (None, Some(folder)) => std::path::absolute(folder).context("CARGO_HOME"),
            (None, None) => Ok(env::home_dir().context("no home directory; set CARGO_HOME")?.join(".cargo")),
        }
    }

    /// The gaitd that was built with `profile` (`debug` or `release`).
    pub(crate) fn gaitd(&self, profile: &str) -> PathBuf {
        self.target(profile).join(format!("gaitd{}", env::consts::EXE_SUFFIX))
    }

    /// The folder `name` of what is kept for all working copies of this user.
    pub(crate) fn cache(&self, name: &str) -> Result<PathBuf> {
        let caches = match env::var_os("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => env::home_dir().context("no home directory; set XDG_CACHE_HOME to a folder")?.join(".cache"),
        };
        Ok(caches.join("gaitd").join(name))
    }

    /// The folders of the shipped ladders.
    pub(crate) fn ladders(&self) -> Result<Vec<PathBuf>> {
        files::entries(&self.join("models"), |path| path.join("manifest.json").exists())
    }

    /// The recorded data sets that some tests need, if this machine has them.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        let dir = env::var_os("GAITD_DATA").map_or_else(|| self.join("../shared/data"), PathBuf::from);
        dir.is_dir().then_some(dir)
    }
}
