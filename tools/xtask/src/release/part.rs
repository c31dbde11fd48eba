//! The parts of a release.

use std::env;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::archive::{tar_gz, unpacked};
use super::{Release, container, sbom, started};
use crate::arm::ndk;
use crate::arm::targets::Target;
use crate::arm::toolchain::Toolchain;
use crate::book;
use crate::dist;
use crate::elf;
use crate::files;
use crate::package::{self, Architecture, documents};
use crate::process::Process;
use crate::tree::Tree;

/// One file of a release, or two; in the order in which they are made, what is quick first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// What is new, and the sources as they were committed
    Source,
    /// What the program is made of
    Sbom,
    /// The documents
    Book,
    /// Debian package for PCs
    #[value(name = "deb-amd64")]
    DebAmd64,
    /// Debian package for boards with a 64-bit system
    #[value(name = "deb-arm64")]
    DebArm64,
    /// Debian package for boards with a 32-bit system, ARMv7 and later
    #[value(name = "deb-armhf")]
    DebArmhf,
    /// Static program for PCs
    #[value(name = "static-x86_64")]
    StaticX86,
    /// Static program for 64-bit boards
    #[value(name = "static-aarch64")]
    StaticAarch64,
    /// Static program for 32-bit boards
    #[value(name = "static-armv7")]
    StaticArmv7,
    /// Static program for Raspberry Pi Zero and 1
    #[value(name = "static-armv6")]
    StaticArmv6,
    /// Program for Android, where Google's NDK is there
    Android,
    /// What a container for gateways is built from, of all static programs
    Container,
}

/// What an archive of a program holds beside it, its manual pages and its completions: as it lies here, so that links hold.
const BESIDE: [&str; 10] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "configs/service.json",
    "configs/systemd",
    "docs",
    "examples",
    "models/wisdm-watch-cnn",
];

impl Part {
    /// Its name on the command line and in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sbom => "sbom",
            Self::Book => "book",
            Self::DebAmd64 => "deb-amd64",
            Self::DebArm64 => "deb-arm64",
            Self::DebArmhf => "deb-armhf",
            Self::StaticX86 => "static-x86_64",
            Self::StaticAarch64 => "static-aarch64",
            Self::StaticArmv7 => "static-armv7",
            Self::StaticArmv6 => "static-armv6",
            Self::Android => "android",
            Self::Container => "container",
        }
    }

    /// Why it cannot be made on this machine, as far as that is known beforehand.
    pub(super) fn missing(self, tree: &Tree) -> Option<String> {
        match self {
            Self::Android if ndk::bin().is_none() => Some(
                "Android's programs are linked with Google's NDK, which no registry of packages has: install it, and name its \
                 folder by ANDROID_NDK_HOME. The static program for aarch64 runs on Android, too (docs/deploy.md)"
                    .to_owned(),
            ),
            Self::DebAmd64 if env::consts::ARCH != "x86_64" => Some("amd64 is built on amd64 only".to_owned()),
            Self::DebAmd64 | Self::DebArm64 | Self::DebArmhf => package::missing(tree).map(|error| format!("{error:#}")),
            _ => None,
        }
    }

    /// Why what builds it cannot be had, if it cannot: that is found out by trying.
    pub(super) fn no_toolchain(self, tree: &Tree) -> Option<String> {
        Toolchain::find(tree, self.target()?).err().map(|error| format!("{error:#}"))
    }

    /// What its program is cross-compiled for.
    fn target(self) -> Option<Target> {
        match self {
            Self::DebArm64 => Architecture::Arm64.arm(),
            Self::DebArmhf => Architecture::Armhf.arm(),
            Self::StaticX86 => Some(Target::X86Musl),
            Self::StaticAarch64 => Some(Target::Aarch64Musl),
            Self::StaticArmv7 => Some(Target::Armv7Musl),
            Self::StaticArmv6 => Some(Target::Armv6Musl),
            Self::Android => Some(Target::Android),
            Self::Source | Self::Sbom | Self::Book | Self::DebAmd64 | Self::Container => None,
        }
    }

    /// Makes it, in the release's folder, and tries it where that is asked for; what was made, for people. `notes` gets what
    /// could not be tried.
    pub(super) fn make(self, release: &Release, notes: &mut Vec<String>) -> Result<String> {
        match self {
            Self::Source => source(release),
            Self::Sbom => sbom::make(release),
            Self::Book => book(release),
            Self::DebAmd64 => deb(release, Architecture::Amd64, notes),
            Self::DebArm64 => deb(release, Architecture::Arm64, notes),
            Self::DebArmhf => deb(release, Architecture::Armhf, notes),
            Self::StaticX86 | Self::StaticAarch64 | Self::StaticArmv7 | Self::StaticArmv6 | Self::Android => {
                program(release, self.target().context("a program for no target")?)
            }
            Self::Container => container::make(release, notes),
        }
    }
}

/// The sources as they were committed, and what is new.
fn source(release: &Release) -> Result<String> {
    let changelog = release.tree.join("CHANGELOG.md");
    let text = std::fs::read_to_string(&changelog).with_context(|| format!("cannot read {}", changelog.display()))?;
    let news = latest(&text).with_context(|| format!("{} has no section", changelog.display()))?;
    files::write(&release.folder.join("notes.md"), news)?;
    let (name, path) = (release.name("source"), release.folder.join(release.name("source") + ".tar.gz"));
    Process::new(release.tree, "git")
        .args(["-c", "tar.tar.gz.command=gzip --best --no-name", "archive", "--format=tar.gz"])
        .arg(format!("--prefix={name}/"))
        .arg("--output")
        .arg(&path)
        .arg("HEAD")
        .run()?;
    if release.check {
        let folder = unpacked(release, &path)?;
        Process::cargo(release.tree)
            .args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"])
            .directory(&folder)
            .capture()?;
    }
    release.told(&path)
}

/// The newest section of a changelog, with its heading.
fn latest(changelog: &str) -> Option<String> {
    let start = changelog.find("\n## [")? + 1;
    let rest = &changelog[start..];
    let end = rest.find("\n## [").map_or(rest.len(), |end| end + 1);
    Some(rest[..end].trim_end().to_owned() + "\n")
}

fn book(release: &Release) -> Result<String> {
    // its links are held whenever it is made
    let book = book::build(release.tree, release.install)?;
    let name = release.name("book");
    let work = release.work(&name)?;
    Process::new(release.tree, "cp").arg("--recursive").arg(&book).arg(work.join(&name)).run()?;
    let path = tar_gz(release, &work, &name)?;
    if release.check {
        let page = unpacked(release, &path)?.join("index.html");
        ensure!(page.is_file(), "there is no {}", page.display());
    }
    release.told(&path)
}

fn deb(release: &Release, architecture: Architecture, notes: &mut Vec<String>) -> Result<String> {
    let tree = release.tree;
    let made = if release.check {
        package::make_checked(tree, architecture, release.install, notes)?
    } else {
        package::make(tree, architecture, release.install)?
    };
    let path = release.folder.join(made.file_name().context("a package without a name")?);
    files::copy(&made, &path)?;
    if release.check {
        let folder = release.work("deb")?;
        Process::new(tree, "dpkg-deb").arg("--extract").arg(&path).arg(&folder).run()?;
        let toolchain = architecture.arm().map(|target| Toolchain::find(tree, target)).transpose()?;
        started::ensure(release, toolchain.as_ref(), &folder.join("usr/bin/gaitd"))?;
    }
    release.told(&path)
}

/// An archive with the program for `target`.
fn program(release: &Release, target: Target) -> Result<String> {
    let tree = release.tree;
    let toolchain = Toolchain::find(tree, target)?;
    let gaitd = dist::build(tree, &toolchain, &[])?;
    elf::says_nothing_of_this_machine(tree, &gaitd)?;
    let name = release.name(target.triple());
    let work = release.work(&name)?;
    let folder = work.join(&name);
    files::copy(&gaitd, &folder.join("gaitd"))?;
    release.export(&BESIDE, &folder)?;
    if target.is_musl() {
        elf::ensure_static(tree, &gaitd)?;
        let run = |args: &[&str]| toolchain.emulator(tree, None)?.arg(&gaitd).args(args).capture();
        documents::of_program(tree, &release.epoch, &folder, run)?;
    }
    let path = tar_gz(release, &work, &name)?;
    if release.check && target.is_musl() {
        started::ensure(release, Some(&toolchain), &unpacked(release, &path)?.join("gaitd"))?;
    }
    release.told(&path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_latest_section_of_a_changelog_ends_where_the_one_before_begins() {
        let changelog = "# Changelog\n\nAll of it.\n\n## [0.2.0]\n\n- new\n\n## [0.1.0]\n\n- old\n";
        assert_eq!(latest(changelog).unwrap(), "## [0.2.0]\n\n- new\n");
        assert_eq!(latest("# Changelog\n\n## [0.1.0]\n- first\n").unwrap(), "## [0.1.0]\n- first\n");
        assert_eq!(latest("# Changelog\n"), None);
    }

    #[test]
    fn parts_are_chosen_by_the_names_that_the_table_shows() {
        for part in Part::value_variants() {
            let name = part.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(part.name()));
        }
    }

    #[test]
    fn what_lies_beside_a_program_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for file in BESIDE {
            assert!(root.join(file).exists(), "{file}");
        }
    }
}
