//! The archive, made by cargo-deb of what was built.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::build::Builder;
use super::documents;
use crate::cargo_tool::CargoTool;
use crate::dist;
use crate::epoch;
use crate::process::Process;
use crate::tree::Tree;

/// What makes the archives.
pub(crate) const CARGO_DEB: CargoTool = CargoTool {
    name: "cargo-deb",
    version: "3.8.0",
    version_args: &["--version"],
    features: &[],
    quick: false,
    root: "package/cargo-deb",
    chore: Some("cargo xtask package"),
    takes: "a minute and a half on two cores",
};

/// Packs what `builder` has built, as that revision of its version, into `folder`; the package's path.
pub(super) fn pack(tree: &Tree, cargo_deb: &Path, builder: &Builder, revision: u32, folder: &Path) -> Result<PathBuf> {
    let printed = builder.gaitd(tree, &["--version"])?;
    let version = printed.strip_prefix("gaitd ").with_context(|| format!("`gaitd --version` printed {printed:?}"))?;
    let version = format!("{version}-{revision}");
    documents::write(tree, builder, &version)?;
    Process::new(tree, cargo_deb)
        .args(["--no-build", "--no-strip", "--locked", "--profile", dist::PROFILE])
        .args(["--target", builder.architecture.triple(), "--deb-version", &version, "--output"])
        // a folder, also where it is missing
        .arg(folder.join(""))
        .env("CARGO_TARGET_DIR", builder.target_folder(tree))
        .env(epoch::NAME, &builder.epoch)
        .run()?;
    let package = folder.join(format!("gaitd_{version}_{}.deb", builder.architecture));
    ensure!(package.is_file(), "cargo-deb made no {}", package.display());
    Ok(package)
}
