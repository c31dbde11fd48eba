//! A Rust compiler out of Debian packages, for machines where `rustup target add` is not to be had.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::targets::{Proof, Target};
use crate::debian::{self, World};
use crate::files::remove;
use crate::tree::Tree;

/// The suite that has a Rust as new as `rust-version` in Cargo.toml.
const SUITE: &str = "trixie";
/// Debian's folder of this machine's libraries; the packages are for no other.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The compiler, unpacked in a folder of its own with all libraries that it needs, the C library too.
pub(super) struct Rust {
    folder: PathBuf,
}

impl Rust {
    /// The compiler in `cache`, whether it is there or not.
    pub(super) fn at(cache: &Path) -> Self {
        Self { folder: cache.join("rust") }
    }

    /// Whether it is there, with all that proves the target.
    pub(super) fn serves(&self, target: Target) -> bool {
        has_standard(&self.libraries(target), target.proof())
    }

    /// Makes the compiler where it is missing; what it needs beside is downloaded to `cache`.
    pub(super) fn make(&self, tree: &Tree, cache: &Path) -> Result<()> {
        if self.folder.exists() {
            return Ok(());
        }
        let part = cache.join("rust.part");
        self.unpack(tree, cache, &part)?;
        fs::rename(&part, &self.folder).with_context(|| format!("cannot make {}", self.folder.display()))
    }

    /// `rustc`, or another program of the compiler.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Where the target's standard library lies, if it has one.
    pub(super) fn libraries(&self, target: Target) -> PathBuf {
        self.folder.join("usr/lib/rustlib").join(target.triple()).join("lib")
    }

    /// The standard library's source.
    pub(super) fn source(&self) -> PathBuf {
        self.folder.join("usr/lib/rustlib/src/rust")
    }

    fn unpack(&self, tree: &Tree, cache: &Path, part: &Path) -> Result<()> {
        remove(part)?;
        eprintln!("Making a Rust cross compiler in {}: a minute, and 700 MB on disk", self.folder.display());
        // The standard library for arm64 is a package too, which saves building it.
        let world = World::open(tree, &cache.join(SUITE), SUITE, &["amd64", Target::Aarch64Gnu.processor().debian()])?;
        // with the compiler's own libraries come those that they need
        let mut packages = world.closure("libstd-rust-web-dev")?;
        packages.extend(["rustc-web", "rust-web-src", "libstd-rust-web-dev:arm64"].map(str::to_owned));
        let download = cache.join("download");
        let source = part.join("source");
        for archive in world.download(&packages, &download)? {
            let is_source = archive.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-web-src"));
            debian::unpack(tree, &archive, if is_source { &source } else { part })?;
        }
        remove(&download)?;
        // of the whole source only the standard library is needed, at the place where cargo looks for it
        let sources = part.join("usr/lib/rustlib/src/rust");
        fs::create_dir_all(&sources).with_context(|| format!("cannot make {}", sources.display()))?;
        let unpacked = only_entry(&source.join("usr/src"))?.join("library");
        fs::rename(&unpacked, sources.join("library"))
            .with_context(|| format!("cannot move {}", unpacked.display()))?;
        remove(&source)?;
        self.wrap(part, "rustc")?;
        self.wrap(part, "rustdoc")
    }

    /// Makes `program` startable on an older Debian than its own: with its own loader and libraries, which its
    /// children (linkers, build scripts) do not inherit.
    fn wrap(&self, part: &Path, program: &str) -> Result<()> {
        let libraries = self.folder.join(LIBRARIES);
        let text = format!(
            "#!/bin/sh\nexec '{0}/ld-linux-x86-64.so.2' --library-path '{0}' '{1}/usr/bin/{program}' \"$@\"\n",
            libraries.display(),
            self.folder.display()
        );
        let bin = part.join("bin");
        let path = bin.join(program);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&bin)?;
            fs::write(&path, text)?;
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Whether a standard library lies in `folder` that suffices to prove a target in this way: metadata to check it,
/// machine code to build it.
pub(super) fn has_standard(folder: &Path, proof: Proof) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-")
            && (name.ends_with(".rlib") || (proof == Proof::Checked && name.ends_with(".rmeta")))
    })
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut entries = read().with_context(|| format!("cannot read {}", folder.display()))?;
    // beside the folder of the version may stand a link to it
    entries.retain(|entry| !entry.is_symlink());
    ensure!(entries.len() == 1, "{} holds {} entries, where one was expected", folder.display(), entries.len());
    Ok(entries.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_enough_to_check_and_not_to_build() {
        let folder = std::env::temp_dir().join(format!("gaitd-xtask-standard-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let found = |proof| has_standard(&folder, proof);
        assert!(!found(Proof::Checked));
        fs::write(folder.join("libstd-0123.rmeta"), "").unwrap();
        assert!(found(Proof::Checked) && !found(Proof::Run));
        fs::write(folder.join("libstd-0123.rlib"), "").unwrap();
        assert!(found(Proof::Tested));
        fs::remove_dir_all(&folder).unwrap();
    }
}
