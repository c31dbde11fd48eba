//! A world of packages beside the system's own, for any suite and architecture.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::Process;
use crate::tree::Tree;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Lists of a suite's packages, kept in a folder of their own: a foreign suite or architecture never enters the
/// system's apt and dpkg. Its packages can be downloaded and unpacked, not installed. Root is not needed.
pub(crate) struct World<'a> {
    tree: &'a Tree,
    config: PathBuf,
}

impl<'a> World<'a> {
    /// The packages of a suite (`trixie`) for `architectures` (`amd64`, `arm64`, ...), with lists fetched from the
    /// mirror that the system's own apt uses into `folder`.
    pub(crate) fn open(tree: &'a Tree, folder: &Path, suite: &str, architectures: &[&str]) -> Result<Self> {
        let native = super::architecture(tree).context("there is no dpkg here")?;
        let mirror = mirror(tree)?;
        for part in ["state/lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        let source = format!("deb [arch={} signed-by={KEYRING}] {mirror} {suite} main\n", architectures.join(","));
        let world = Self { tree, config: folder.join("apt.conf") };
        // nothing is installed in this world
        write(&folder.join("state/status"), "")?;
        write(&folder.join("sources.list"), &source)?;
        write(&world.config, &config(folder, &native, architectures))?;
        eprintln!("Fetching the package lists of Debian {suite} ({})", architectures.join(", "));
        world
            .apt()
            .args(["update", "--quiet"])
            .run()
            .with_context(|| format!("the package lists of Debian {suite} could not be fetched from {mirror}"))?;
        Ok(world)
    }

    /// Names of all packages that would come with `package` into a bare system: itself and what it depends on.
    pub(crate) fn closure(&self, package: &str) -> Result<Vec<String>> {
        let plan = self.apt().args(["install", "--simulate", "--no-install-recommends", package]).output()?;
        let names = installed(&plan);
        if names.is_empty() {
            bail!("the mirror has not all that {package} needs: {}", plan.trim());
        }
        Ok(names)
    }

    /// As `debian::download`, of this world's packages: `NAME` or `NAME:ARCHITECTURE`.
    pub(crate) fn download(&self, packages: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
        super::fetch(|| self.apt(), packages, folder)
    }

    /// The file that names this world's suite and mirror, in the form of a sources.list.
    pub(crate) fn sources(&self) -> PathBuf {
        self.config.with_file_name("sources.list")
    }

    fn apt(&self) -> Process {
        super::apt(self.tree).env("APT_CONFIG", &self.config)
    }
}

/// The Debian mirror in the system's sources.
fn mirror(tree: &Tree) -> Result<String> {
    let format = "$(LABEL) $(REPO_URI)";
    let listed = || Process::new(tree, "apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]);
    let found = |text: &str| {
        text.lines().find_map(|line| line.strip_prefix("Debian ").map(|uri| uri.trim_end_matches('/').to_owned()))
    };
    if let Some(mirror) = listed().probe().as_deref().and_then(found) {
        return Ok(mirror);
    }
    // labels are known only after the lists were fetched once
    if super::is_root(tree) {
        super::update(tree)?;
    }
    listed()
        .probe()
        .as_deref()
        .and_then(found)
        .context("apt-get knows no Debian mirror; run `apt-get update` as root, on Debian itself")
}

/// What keeps apt within `folder`. The caller's other settings, such as a proxy, stay.
fn config(folder: &Path, native: &str, architectures: &[&str]) -> String {
    let folder = folder.display();
    let foreign = architectures.iter().filter(|&&architecture| architecture != native);
    let known: Vec<_> =
        std::iter::once(&native).chain(foreign).map(|architecture| format!("\"{architecture}\"; ")).collect();
    format!(
        "Dir::State \"{folder}/state\";\n\
         Dir::State::status \"{folder}/state/status\";\n\
         Dir::Cache \"{folder}/cache\";\n\
         Dir::Etc::sourcelist \"{folder}/sources.list\";\n\
         Dir::Etc::sourceparts \"-\";\n\
         APT::Architecture \"{native}\";\n\
         APT::Architectures {{ {}}};\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n",
        known.concat()
    )
}

/// The packages in a plan of `apt-get install --simulate`: its lines `Inst NAME (VERSION ...)`.
fn installed(plan: &str) -> Vec<String> {
    let lines = plan.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_packages_that_it_would_install() {
        let plan = "Reading package lists...\nInst libc6 (2.41-12 Debian:13.8/stable [amd64])\n\
                    Inst libz3-4 (4.13.3-1 Debian:13.8/stable [amd64]) []\nConf libc6 (2.41-12 [amd64])\n";
        assert_eq!(installed(plan), ["libc6", "libz3-4"]);
        assert!(installed("E: Unable to locate package\n").is_empty());
    }

    #[test]
    fn a_world_knows_the_machines_architecture_once_and_the_foreign_ones() {
        let config = config(Path::new("/w"), "amd64", &["amd64", "arm64"]);
        assert!(config.contains("APT::Architectures { \"amd64\"; \"arm64\"; };"), "{config}");
        assert!(config.contains("Dir::State::status \"/w/state/status\";"), "{config}");
    }
}
