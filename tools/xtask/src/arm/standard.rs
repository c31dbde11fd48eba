//! The standard library for targets that have no package of it, built from its source.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::rust::Rust;
use super::targets::{Proof, Target};
use crate::files::remove;
use crate::process::Process;
use crate::tree::Tree;

/// A package whose only purpose is that the standard library is built for it.
const PACKAGE: &str = "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n";

/// Builds the target's standard library once and puts it where the compiler looks for it. So everything after is built as
/// with `rustup target add`, without unstable options that a build would have to be given everywhere.
pub(super) fn build(tree: &Tree, cache: &Path, rust: &Rust, target: Target) -> Result<()> {
    let work = cache.join("standard");
    remove(&work)?;
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    write(&work.join("Cargo.toml"), PACKAGE)?;
    write(&work.join("lib.rs"), "#![no_std]\n")?;
    let checked = target.proof() == Proof::Checked;
    eprintln!("Making the standard library for {target}: a minute or two");
    let source = rust.source();
    // Bitcode for link-time optimisation, as in the published libraries; and as there, no path of this machine.
    let flags = format!("-Cembed-bitcode=yes\x1f--remap-path-prefix={}=/rustc", source.display());
    // what the standard library depends on comes with its source
    let vendored = format!("source.vendored.directory={:?}", source.join("library/vendor"));
    Process::cargo(tree)
        .arg(if checked { "check" } else { "build" })
        .args(["--quiet", "--release", "-Zbuild-std=std,test,proc_macro", "--target", target.triple()])
        .args(["--config", "source.crates-io.replace-with=\"vendored\"", "--config", &vendored])
        .directory(&work)
        .env("RUSTC", rust.program("rustc"))
        // -Zbuild-std is for nightly compilers, and for those who say that they know
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", work.join("target"))
        .run()?;
    let libraries = rust.libraries(target);
    let part = libraries.with_extension("part");
    remove(&part)?;
    fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let built = work.join("target").join(target.triple()).join("release/deps");
    collect(&built, if checked { "rmeta" } else { "rlib" }, &part)?;
    remove(&libraries)?;
    fs::rename(&part, &libraries).with_context(|| format!("cannot make {}", libraries.display()))?;
    remove(&work)
}

/// Copies the libraries of one kind to `folder`.
fn collect(built: &Path, kind: &str, folder: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        for entry in fs::read_dir(built)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.extension().is_some_and(|extension| extension == kind) && !name.starts_with("libnothing-") {
                fs::copy(&path, folder.join(&*name))?;
            }
        }
        Ok(())
    };
    copy().with_context(|| format!("cannot copy from {} to {}", built.display(), folder.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
