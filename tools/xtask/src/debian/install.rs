//! Packages installed into the system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::tree::Tree;

/// Installs packages, without what they only recommend and without starting any service. The system's package lists
/// are taken as they are. Only root may.
pub(crate) fn install(tree: &Tree, packages: &[&str]) -> Result<()> {
    let names = packages.join(" and ");
    ensure!(super::is_root(tree), "only root may install {names}: run this command with sudo");
    let _no_service = NoService::declare()?;
    let command = || super::apt(tree).args(["install", "--no-install-recommends"]).args(packages);
    // lists what would be downloaded, and installs nothing
    let uris = command().arg("--print-uris").output()?;
    let size = super::download_size(&uris).with_context(|| format!("the mirror has not all of it: {}", uris.trim()))?;
    eprintln!("Installing {names}: {} MB to download, several times that on disk", super::megabytes(size));
    command().args(["--assume-yes", "--quiet"]).run()
}

/// Keeps packages from starting services while it lives, by Debian's own means: a policy-rc.d that forbids it.
struct NoService(Option<PathBuf>);

impl NoService {
    fn declare() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        // a policy that is there already is the administrator's
        if policy.exists() {
            return Ok(Self(None));
        }
        let declare = || -> std::io::Result<()> {
            fs::write(policy, "#!/bin/sh\n# made by `cargo xtask`, for the time of one installation\nexit 101\n")?;
            #[cfg(unix)]
            fs::set_permissions(policy, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            Ok(())
        };
        let guard = Self(Some(policy.to_path_buf()));
        declare().with_context(|| format!("cannot write {}", policy.display()))?;
        Ok(guard)
    }
}

impl Drop for NoService {
    fn drop(&mut self) {
        if let Some(policy) = &self.0
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("cannot remove {}: {error}; remove it, or no package can start its service", policy.display());
        }
    }
}
