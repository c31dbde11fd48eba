//! A package's life in an empty root folder: installed, upgraded, removed, purged.
//!
//! The maintainer scripts run here, with dpkg saying that the system lies in that folder, and nothing of the package itself
//! does; so this serves for every architecture. There is no systemd in it, as in a container. `cargo xtask vm-test` has one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::files;
use crate::process::Process;
use crate::tree::Tree;

const CONFIG: &str = "etc/gaitd/config.json";
const ENABLED: &str = "etc/systemd/system/multi-user.target.wants/gaitd.service";

/// What an operator wrote.
const CHANGED: &str = "{}\n";

/// What a gaitd that ran, and an operator who followed docs/service.md, leave.
const LEAVINGS: [&str; 5] = [
    "var/lib/private/gaitd/profile.json",
    "var/lib/gaitd/profile.json",
    "var/log/private/gaitd/decisions.ndjson",
    "run/gaitd/control.sock",
    "etc/systemd/system/gaitd.service.d/back-off.conf",
];

struct Root<'a> {
    tree: &'a Tree,
    path: PathBuf,
}

/// Takes a package through its life, with an upgrade to `later`. A note where that cannot be tried.
pub(super) fn live_through(tree: &Tree, package: &Path, later: &Path) -> Result<Option<String>> {
    for program in ["dpkg", "systemd-sysusers", "deb-systemd-helper"] {
        if Process::new(tree, "sh").args(["-c", &format!("command -v {program}")]).probe().is_none() {
            return Ok(Some(format!("{} was not installed for trial: there is no {program}", package.display())));
        }
    }
    if Process::new(tree, "id").arg("-u").probe().as_deref() != Some("0") {
        return Ok(Some(format!("{} was not installed for trial: that takes root", package.display())));
    }
    let root = Root::empty(tree)?;
    root.dpkg("--install", package.as_os_str())?;
    ensure!(root.has(ENABLED), "the package was installed, and gaitd.service is not enabled");
    ensure!(!root.has("etc/systemd/system/sockets.target.wants/gaitd.socket"), "gaitd.socket was enabled unasked");
    let groups = root.read("etc/group")?;
    ensure!(groups.contains("gaitd-operators:"), "the package was installed, and there is no group: {groups:?}");

    root.write(CONFIG, CHANGED)?;
    for path in LEAVINGS {
        root.write(path, "")?;
    }
    root.dpkg("--install", later.as_os_str())?;
    ensure!(root.read(CONFIG)? == CHANGED, "the upgrade did not keep the changed configuration");
    ensure!(root.has(ENABLED), "the upgrade disabled gaitd.service");

    root.dpkg("--remove", "gaitd".as_ref())?;
    ensure!(!root.has("usr/bin/gaitd"), "the package was removed, and the program is still there");
    ensure!(root.read(CONFIG)? == CHANGED, "the removal did not keep the configuration");
    ensure!(root.has(LEAVINGS[0]), "the removal did not keep what gaitd has measured");

    root.dpkg("--purge", "gaitd".as_ref())?;
    let left = root.named_gaitd(&root.path)?;
    ensure!(left.is_empty(), "the package was purged, and this is left: {left:?}");
    Ok(None)
}

impl<'a> Root<'a> {
    /// A system in which no package is installed.
    fn empty(tree: &'a Tree) -> Result<Self> {
        let root = Self { tree, path: tree.target("package/trial") };
        files::remove(&root.path)?;
        for file in ["var/lib/dpkg/status", "var/lib/dpkg/available", "var/lib/dpkg/info/format", "etc/passwd"] {
            root.write(file, if file.ends_with("format") { "1\n" } else { "" })?;
        }
        for folder in ["var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
            let folder = root.path.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(root)
    }

    fn dpkg(&self, action: &str, package: &std::ffi::OsStr) -> Result<()> {
        Process::new(self.tree, "dpkg")
            .arg(format!("--root={}", self.path.display()))
            // scripts run here; nothing that the package depends on is in the root; it may be for another processor
            .args(["--force-script-chrootless", "--force-depends", "--force-architecture", action])
            .arg(package)
            .env("LC_ALL", "C")
            .run()
    }

    fn has(&self, path: &str) -> bool {
        self.path.join(path).is_symlink() || self.path.join(path).exists()
    }

    fn read(&self, path: &str) -> Result<String> {
        let path = self.path.join(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        files::write(&self.path.join(path), text)
    }

    /// Everything below `folder` that is named after gaitd.
    fn named_gaitd(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if entry.file_name().to_string_lossy().contains("gaitd") {
                found.push(entry.path());
            } else if entry.file_type().with_context(|| format!("cannot read {}", entry.path().display()))?.is_dir() {
                found.extend(self.named_gaitd(&entry.path())?);
            }
        }
        Ok(found)
    }
}
