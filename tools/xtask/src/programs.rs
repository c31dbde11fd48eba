//! `cargo xtask programs`: the programs that some checks need and that come neither with Rust nor with Python.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo_tool::CargoTool;
use crate::fuzz::CARGO_FUZZ;
use crate::package::CARGO_DEB;
use crate::process::Process;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Get what is missing: as root on Debian and its kin with apt-get, without starting any service
    #[arg(long)]
    install: bool,
    /// Where something cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// A program that some checks need.
pub(crate) struct Program {
    name: &'static str,
    /// The names it has on one system or another.
    names: &'static [&'static str],
    /// What is skipped without it.
    serves: &'static str,
    /// Tests find the program by this variable, and a user may name another one with it.
    variable: Option<&'static str>,
    source: Source,
}

/// Where a program comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Installed with this Debian package.
    Package(&'static str),
    /// Taken out of this Debian package, which would bring a running daemon if it was installed.
    Unpacked(&'static str),
    /// Made by cargo, by hand or by the chore that needs it: no test does.
    Cargo(&'static CargoTool),
}

/// The variable by which the tests find a browser.
pub(crate) const CHROMIUM: &str = "GAITD_CHROMIUM";

/// All of them.
pub(crate) const PROGRAMS: [Program; 7] = [
    Program {
        name: "chromium",
        names: &["chromium", "chromium-browser", "google-chrome"],
        serves: "tests of the dashboard in a browser",
        variable: Some(CHROMIUM),
        source: Source::Package("chromium"),
    },
    Program {
        name: "promtool",
        names: &["promtool"],
        serves: "tests of the metrics with Prometheus's own reader",
        variable: Some("GAITD_PROMTOOL"),
        source: Source::Unpacked("prometheus"),
    },
    Program {
        name: "systemd-analyze",
        names: &["systemd-analyze"],
        serves: "tests of the systemd units",
        variable: None,
        source: Source::Package("systemd"),
    },
    Program {
        name: "man",
        names: &["man"],
        serves: "tests of the manual pages",
        variable: None,
        source: Source::Package("man-db"),
    },
    Program {
        name: "lintian",
        names: &["lintian"],
        serves: "checks of the packages (`cargo xtask package`)",
        variable: None,
        source: Source::Package("lintian"),
    },
    Program {
        name: "cargo-deb",
        names: &["cargo-deb"],
        serves: "`cargo xtask package`, and no test",
        variable: None,
        source: Source::Cargo(&CARGO_DEB),
    },
    Program {
        name: "cargo-fuzz",
        names: &["cargo-fuzz"],
        serves: "`cargo xtask fuzz`, and no test",
        variable: None,
        source: Source::Cargo(&CARGO_FUZZ),
    },
];

impl Program {
    /// The program on this machine: the one that its variable names, one below the target directory, or one on
    /// the path.
    fn find(&self, tree: &Tree) -> Option<PathBuf> {
        if let Some(named) = self.variable.and_then(env::var_os) {
            // somebody who names one does not want another
            return runs(tree, Path::new(&named)).then(|| named.into());
        }
        let own = match self.source {
            Source::Unpacked(_) => Some(unpacked(tree).join("usr/bin").join(self.name)),
            Source::Cargo(tool) => Some(tool.own(tree)),
            Source::Package(_) => None,
        };
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = env::split_paths(&path).collect();
        let named = self.names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        own.into_iter().chain(named).find(|path| path.is_file() && runs(tree, path))
    }

    /// How to get it.
    fn remedy(&self) -> String {
        match self.source {
            Source::Package(package) => format!("Debian: apt-get install --no-install-recommends {package}"),
            Source::Unpacked(package) => {
                format!("Debian: apt-get download {package}, and `dpkg -x` it (the package starts a daemon)")
            }
            Source::Cargo(tool) => tool.remedy(),
        }
    }

    fn is_for_tests(&self) -> bool {
        !matches!(self.source, Source::Cargo(_))
    }
}

/// The environment by which the tests find the programs that are here.
pub(crate) fn environment(tree: &Tree) -> Vec<(&'static str, PathBuf)> {
    let found = PROGRAMS.iter().filter_map(|program| Some((program.variable?, program.find(tree)?)));
    found.collect()
}

/// What the tests will skip for want of a program, a line each.
pub(crate) fn missing_notes(tree: &Tree) -> Vec<String> {
    let missing = PROGRAMS.iter().filter(|program| program.is_for_tests() && program.find(tree).is_none());
    missing
        .map(|program| {
            format!(
                "no {}: {} say so and check nothing (`cargo xtask programs` tells how to get it)",
                program.name, program.serves
            )
        })
        .collect()
}

/// Lists the programs; gets those that are missing if asked to.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    if args.install {
        let outcome = install(tree);
        if let Err(error) = &outcome
            && args.if_possible
        {
            eprintln!("\n*** NOT EVERYTHING COULD BE INSTALLED: {error:#}");
            for note in missing_notes(tree) {
                eprintln!("*** {note}");
            }
            eprintln!();
        } else {
            outcome?;
        }
    }
    for program in &PROGRAMS {
        match program.find(tree) {
            Some(path) => println!("{:<16} {}", program.name, path.display()),
            None => println!("{:<16} MISSING: {}\n{:17}{}", program.name, program.serves, "", program.remedy()),
        }
        if let Some((name, value)) = program.variable.and_then(|name| Some((name, env::var_os(name)?)))
            && program.find(tree).is_none()
        {
            println!("{:17}{name}={} does not run; correct or unset it", "", value.to_string_lossy());
        }
    }
    Ok(())
}

/// Gets every program for the tests that is missing; goes on after a failure, which is told at the end.
fn install(tree: &Tree) -> Result<()> {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|program| program.is_for_tests() && program.find(tree).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|program| program.name).collect();
    ensure!(
        Process::new(tree, "apt-get").arg("--version").probe().is_some(),
        "there is no apt-get here; get {} in your system's own way (`cargo xtask programs` lists them)",
        names.join(", ")
    );
    let root = Process::new(tree, "id").arg("-u").probe().as_deref() == Some("0");
    if root {
        apt(tree).args(["update", "--quiet"]).run().context("the package lists could not be fetched")?;
    }
    let mut packages = Vec::new();
    let mut problems = Vec::new();
    for program in &missing {
        match program.source {
            Source::Package(package) => packages.push(package),
            Source::Unpacked(package) => problems.extend(unpack(tree, package).err()),
            Source::Cargo(_) => {}
        }
    }
    if !packages.is_empty() {
        if root {
            problems.extend(install_packages(tree, &packages).err());
        } else {
            problems
                .push(anyhow::anyhow!("only root may install {}: run this command with sudo", packages.join(" and ")));
        }
    }
    // a mirror that lacks a package is no failure of apt-get's in every case
    for program in missing {
        if program.find(tree).is_none() && problems.is_empty() {
            problems.push(anyhow::anyhow!("{} was installed, but does not run", program.name));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let text: Vec<_> = problems.iter().map(|problem| format!("{problem:#}")).collect();
    bail!("{}", text.join("; "))
}

/// apt-get that asks nothing, does not wait for ever and prints what this program can read.
fn apt(tree: &Tree) -> Process {
    Process::new(tree, "apt-get").env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C").args([
        "-o",
        "Acquire::Retries=2",
        "-o",
        "Acquire::http::Timeout=30",
        "-o",
        "DPkg::Lock::Timeout=120",
    ])
}

fn install_packages(tree: &Tree, packages: &[&str]) -> Result<()> {
    let _no_service = NoService::declare()?;
    let command = || apt(tree).args(["install", "--no-install-recommends"]).args(packages);
    // lists what would be downloaded, and installs nothing
    let uris = command().arg("--print-uris").output()?;
    let size = download_size(&uris).with_context(|| format!("the mirror has not all of it: {}", uris.trim()))?;
    eprintln!("Installing {}: {} MB to download, several times that on disk", packages.join(" and "), megabytes(size));
    command().args(["--assume-yes", "--quiet"]).run()
}

/// Where packages are unpacked that are not to be installed.
fn unpacked(tree: &Tree) -> PathBuf {
    tree.target("programs")
}

/// Downloads `package` and takes its files out. Nothing of it runs, and root is not needed.
fn unpack(tree: &Tree, package: &str) -> Result<()> {
    let folder = unpacked(tree);
    let download = folder.join("download");
    // an archive of an interrupted attempt would be taken for this one's
    if download.exists() {
        fs::remove_dir_all(&download).with_context(|| format!("cannot remove {}", download.display()))?;
    }
    fs::create_dir_all(&download).with_context(|| format!("cannot make {}", download.display()))?;
    let uri = apt(tree).args(["download", "--print-uris", package]).output()?;
    let size = download_size(&uri).with_context(|| format!("the mirror has no package {package}: {}", uri.trim()))?;
    eprintln!("Unpacking {package} to {}: {} MB to download", folder.display(), megabytes(size));
    apt(tree).args(["download", "--quiet", package]).directory(&download).run()?;
    let mut archives = fs::read_dir(&download)?.map(|entry| Ok(entry?.path()));
    let archive: PathBuf = archives.next().context("apt-get downloaded nothing").and_then(|path: Result<_>| path)?;
    Process::new(tree, "dpkg").arg("-x").arg(&archive).arg(&folder).run()?;
    fs::remove_dir_all(&download).with_context(|| format!("cannot remove {}", download.display()))
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

fn runs(tree: &Tree, program: &Path) -> bool {
    Process::new(tree, program).arg("--version").probe().is_some()
}

/// Keeps packages from starting services while it lives, by Debian's own means: a policy-rc.d that forbids it.
struct NoService(Option<PathBuf>);

impl NoService {
    fn declare() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        // one that is there already is somebody's decision
        if policy.exists() {
            return Ok(Self(None));
        }
        let declare = || -> std::io::Result<()> {
            fs::write(
                policy,
                "#!/bin/sh\n# made by `cargo xtask programs`, for the time of one installation\nexit 101\n",
            )?;
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

    #[test]
    fn each_program_says_what_it_serves_and_how_to_get_it() {
        for program in &PROGRAMS {
            assert!(program.names.contains(&program.name));
            assert!(!program.serves.is_empty() && !program.remedy().is_empty());
        }
    }
}
