//! The second disk: the package, two newer ones made of it, and the files of `tools/vm`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::image::root::disk;
use crate::process::Process;
use crate::tree::Tree;

/// Where the guest finds it.
pub(super) const MOUNT: &str = "/mnt";

/// What makes the newer versions newer.
pub(super) const SUFFIXES: [&str; 2] = ["+vm1", "+vm2"];

/// The allowance that the second newer version ships in its default configuration, in milliseconds.
pub(super) const NEW_BUDGET_MS: u32 = 70;

/// Makes the disk in `folder`.
pub(super) fn make(tree: &Tree, package: &Path, folder: &Path) -> Result<PathBuf> {
    let files = folder.join("payload");
    clean(&files)?;
    fs::create_dir_all(&files).with_context(|| format!("cannot make {}", files.display()))?;
    copy(package, &files.join("gaitd.deb"))?;
    for name in ["eat-memory.sh", "gaitd-events.service", "imu.service", "listing.sh"] {
        copy(&tree.join("tools/vm").join(name), &files.join(name))?;
    }
    for (number, suffix) in SUFFIXES.into_iter().enumerate() {
        newer(tree, package, &folder.join("newer"), suffix, number == 1, &files.join(format!("newer{number}.deb")))?;
    }
    let image = folder.join("payload.img");
    clean(&image)?;
    let megabytes = 20 + 4 * fs::metadata(package)?.len().div_ceil(1 << 20);
    disk(tree, &files, &format!("{megabytes}M"), &image)?;
    Ok(image)
}

/// A newer version of `package`: with another binary, and, if it is to be, with another default configuration.
fn newer(tree: &Tree, package: &Path, work: &Path, suffix: &str, changed: bool, to: &Path) -> Result<()> {
    clean(work)?;
    Process::new(tree, "dpkg-deb").arg("--raw-extract").arg(package).arg(work).run()?;
    edit(&work.join("DEBIAN/control"), |text| raised(text, suffix))?;
    // what stands behind the program does not matter to it, and makes it another file
    let binary = work.join("usr/bin/gaitd");
    let mut bytes = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    bytes.extend_from_slice(suffix.as_bytes());
    fs::write(&binary, bytes).with_context(|| format!("cannot write {}", binary.display()))?;
    if changed {
        edit(&work.join("etc/gaitd/config.json"), |text| Some(text.replace("50", &NEW_BUDGET_MS.to_string())))?;
    }
    let sums = "find . -path ./DEBIAN -prune -o -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' md5sum \
                > DEBIAN/md5sums";
    Process::new(tree, "sh").args(["-euc", sums]).directory(work).run()?;
    // quickly rather than small
    Process::new(tree, "dpkg-deb").args(["--root-owner-group", "-Zgzip", "-z1", "--build"]).arg(work).arg(to).run()
}

/// The control file with `suffix` behind the version.
fn raised(control: &str, suffix: &str) -> Option<String> {
    let version = control.lines().find(|line| line.starts_with("Version: "))?;
    Some(control.replacen(version, &format!("{version}{suffix}"), 1))
}

fn edit(path: &Path, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = change(&text).filter(|new| *new != text);
    let new = new.with_context(|| format!("{} is not what was expected: {text}", path.display()))?;
    fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn clean(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    } else if path.exists() {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    ensure!(!path.exists(), "{} is still there", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_the_same_with_a_suffix() {
        let control = "Package: gaitd\nVersion: 0.1.0-1\nDescription: Version: of a kind\n";
        let expected = "Package: gaitd\nVersion: 0.1.0-1+vm1\nDescription: Version: of a kind\n";
        assert_eq!(raised(control, "+vm1").unwrap(), expected);
        assert_eq!(raised("Package: gaitd\n", "+vm1"), None);
    }
}
