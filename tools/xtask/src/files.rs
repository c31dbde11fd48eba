//! Folders that the chores make.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// The matching entries of a folder, sorted; none where the folder is missing.
pub(crate) fn entries(dir: &Path, matches: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(vec![]);
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let paths: Vec<_> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        Ok(paths.into_iter().filter(|path| matches(path)).collect())
    };
    let mut found = read().with_context(|| format!("cannot read {}", dir.display()))?;
    found.sort();
    Ok(found)
}

/// Writes a file, in a folder that is made where it is missing.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let folder = path.parent().context("a path without a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, contents))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Copies a file into a folder that is made where it is missing.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a path without a folder")?;
    let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(from, to));
    copied.map(drop).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
