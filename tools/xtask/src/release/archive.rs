//! Archives that are the same to the last byte whoever packs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Release;
use crate::process::Process;

/// Packs the folder `name` in `parent` into the release's `NAME.tar.gz`; that archive's path.
pub(super) fn tar_gz(release: &Release, parent: &Path, name: &str) -> Result<PathBuf> {
    let path = release.folder.join(format!("{name}.tar.gz"));
    let script = "tar --create --format=gnu --sort=name --mtime=\"@$1\" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
                  --directory=\"$2\" \"$3\" | gzip --best --no-name > \"$4\"";
    Process::new(release.tree, "bash")
        .args(["-o", "pipefail", "-c", script, "pack", &release.epoch])
        .arg(parent)
        .arg(name)
        .arg(&path)
        .run()?;
    Ok(path)
}

/// Unpacks an archive of the release elsewhere; the folder in it.
pub(super) fn unpacked(release: &Release, archive: &Path) -> Result<PathBuf> {
    let name = archive.file_name().context("an archive without a name")?.to_string_lossy();
    let name = name.trim_end_matches(".tar.gz");
    let folder = release.work("unpacked")?;
    Process::new(release.tree, "tar")
        .arg("--extract")
        .arg("--directory")
        .arg(&folder)
        .arg("--file")
        .arg(archive)
        .run()?;
    let inner = folder.join(name);
    ensure!(inner.is_dir(), "{} holds no folder {name}", archive.display());
    Ok(inner)
}
