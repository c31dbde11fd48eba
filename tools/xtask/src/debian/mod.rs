//! Debian packages: what apt-get and dpkg do for the chores, without asking anything.

mod install;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::files;
use crate::process::Process;
use crate::tree::Tree;

pub(crate) use install::install;
pub(crate) use world::World;

/// Fails where there is no apt-get: this system is neither Debian nor of its kin, and `wanted` must come otherwise.
pub(crate) fn ensure_apt(tree: &Tree, wanted: &str) -> Result<()> {
    let there = Process::new(tree, "apt-get").arg("--version").probe().is_some();
    ensure!(there, "there is no apt-get here; get {wanted} in your system's own way");
    Ok(())
}

/// The architecture that this system's packages are built for, such as `amd64`; `None` where there is no dpkg.
pub(crate) fn architecture(tree: &Tree) -> Option<String> {
    Process::new(tree, "dpkg").arg("--print-architecture").probe()
}

/// Whether this program runs as root, who alone may install packages.
pub(crate) fn is_root(tree: &Tree) -> bool {
    Process::new(tree, "id").arg("-u").probe().as_deref() == Some("0")
}

/// Fetches the system's package lists anew.
pub(crate) fn update(tree: &Tree) -> Result<()> {
    apt(tree).args(["update", "--quiet"]).run().context("the package lists could not be fetched")
}

/// Downloads packages of the system's own sources into `folder`, made anew, and gives the archives, to be unpacked;
/// says beforehand how large they are. Root is not needed.
pub(crate) fn download(tree: &Tree, packages: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
    fetch(|| apt(tree), packages, folder)
}

/// Takes the files of the archive (.deb) out and puts them below `folder`. Nothing of it runs.
pub(crate) fn unpack(tree: &Tree, archive: &Path, folder: &Path) -> Result<()> {
    let unpacked = Process::new(tree, "dpkg").arg("-x").arg(archive).arg(folder).probe();
    unpacked.map(drop).with_context(|| format!("cannot unpack {} to {}", archive.display(), folder.display()))
}

/// apt-get that asks nothing, does not wait for ever and prints what this program can read.
fn apt(tree: &Tree) -> Process {
    Process::new(tree, "apt-get").env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C").args([
        "-o",
        "Acquire::Retries=3",
        "-o",
        "Acquire::http::Timeout=30",
        "-o",
        "DPkg::Lock::Timeout=120",
    ])
}

/// What `download` does, with the given apt-get.
fn fetch(apt: impl Fn() -> Process, packages: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
    // an archive of an interrupted attempt would be taken for one of these
    files::remove(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let names = packages.join(", ");
    let uris = apt().args(["download", "--print-uris"]).args(packages).output()?;
    let size = download_size(&uris).with_context(|| format!("the mirror has not all of {names}: {}", uris.trim()))?;
    eprintln!("Getting {names}: {} MB to download", megabytes(size));
    apt().args(["download", "--quiet"]).args(packages).directory(folder).run()?;
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut archives = read().with_context(|| format!("cannot read {}", folder.display()))?;
    archives.sort();
    Ok(archives)
}

/// The sum of the sizes that `apt-get --print-uris` tells, a line per package: 'URI' FILE SIZE HASH.
fn download_size(uris: &str) -> Option<u64> {
    let lines = uris.lines().filter(|line| line.starts_with('\''));
    let sizes: Vec<u64> = lines.map(|line| line.split_whitespace().nth(2)?.parse().ok()).collect::<Option<_>>()?;
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_told_before_anything_is_downloaded() {
        let uris = "Reading package lists...\nNeed to get 100 MB of archives.\n\
                    'http://mirror/pool/p/prometheus_2.42.0_amd64.deb' prometheus_2.42.0_amd64.deb 19257088 SHA256:00\n\
                    'http://mirror/pool/c/chromium_156_amd64.deb' chromium_156_amd64.deb 81157036 SHA256:00\n";
        assert_eq!(download_size(uris).map(megabytes), Some(101));
        assert_eq!(download_size("E: Unable to locate package prometheus\n"), None);
    }
}
