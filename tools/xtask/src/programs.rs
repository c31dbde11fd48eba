//! `cargo xtask programs`: the programs that some checks need and that come neither with Rust nor with Python.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::book::MDBOOK;
use crate::cargo_tool::CargoTool;
use crate::debian;
use crate::fuzz::CARGO_FUZZ;
use crate::package::CARGO_DEB;
use crate::process::{Process, on_path};
use crate::release::CARGO_CYCLONEDX;
use crate::steps::Outcome;
use crate::test::CARGO_DENY;
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
pub(crate) const PROGRAMS: [Program; 11] = [
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
        name: "mdbook",
        names: &["mdbook"],
        serves: "the book, which `cargo xtask test` makes and gets it for",
        variable: None,
        source: Source::Cargo(&MDBOOK),
    },
    Program {
        name: "cargo-deny",
        names: &["cargo-deny"],
        serves: "the step `deny` of `cargo xtask test`",
        variable: None,
        source: Source::Cargo(&CARGO_DENY),
    },
    Program {
        name: "cargo-cyclonedx",
        names: &["cargo-cyclonedx"],
        serves: "`cargo xtask release`, and no test",
        variable: None,
        source: Source::Cargo(&CARGO_CYCLONEDX),
    },
    Program {
        name: "jq",
        names: &["jq"],
        serves: "tests of the recipe for Termux",
        variable: None,
        source: Source::Package("jq"),
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
            // the named program is used or none
            return runs(tree, Path::new(&named)).then(|| named.into());
        }
        let own = match self.source {
            Source::Unpacked(_) => Some(unpacked(tree).join("usr/bin").join(self.name)),
            Source::Cargo(tool) => Some(tool.own(tree)),
            Source::Package(_) => None,
        };
        own.into_iter().chain(on_path(self.names)).find(|path| path.is_file() && runs(tree, path))
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
                "no {}: {} say so and check nothing (`cargo xtask programs` says how to get it)",
                program.name, program.serves
            )
        })
        .collect()
}

/// Lists the programs; gets those that are missing if asked to.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Outcome> {
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
    Ok(Outcome::Passed)
}

/// Gets every program for the tests that is missing; goes on after a failure and returns it at the end.
fn install(tree: &Tree) -> Result<()> {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|program| program.is_for_tests() && program.find(tree).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|program| program.name).collect();
    debian::ensure_apt(tree, &format!("{} (`cargo xtask programs` lists them)", names.join(", ")))?;
    if debian::is_root(tree) {
        debian::update(tree)?;
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
        problems.extend(debian::install(tree, &packages).err());
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

/// Where packages are unpacked that are not to be installed.
fn unpacked(tree: &Tree) -> PathBuf {
    tree.target("programs")
}

/// Downloads `package` and takes its files out. Nothing of it runs, and root is not needed.
fn unpack(tree: &Tree, package: &str) -> Result<()> {
    let folder = unpacked(tree);
    let download = folder.join("download");
    for archive in debian::download(tree, &[package.to_owned()], &download)? {
        debian::unpack(tree, &archive, &folder)?;
    }
    fs::remove_dir_all(&download).with_context(|| format!("cannot remove {}", download.display()))
}

fn runs(tree: &Tree, program: &Path) -> bool {
    Process::new(tree, program).arg("--version").probe().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_says_what_it_serves_and_how_to_get_it() {
        for program in &PROGRAMS {
            assert!(program.names.contains(&program.name));
            assert!(!program.serves.is_empty() && !program.remedy().is_empty());
        }
    }
}
