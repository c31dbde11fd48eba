//! `cargo xtask release`: everything that a page of a release holds, from a clean working copy.

mod archive;
mod container;
mod part;
mod sbom;
mod started;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use self::part::Part;
pub(crate) use self::sbom::CARGO_CYCLONEDX;
use crate::epoch;
use crate::files;
use crate::process::Process;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

/// What every other file of the release is listed in.
const SUMS: &str = "SHA256SUMS";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts, beside those that were made before [default: all, in an empty folder]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,...")]
    only: Vec<Part>,
    /// Install or start each part once, as far as that goes on this machine
    #[arg(long)]
    check: bool,
    /// Install what makes packages, book and list of materials below the target directory where it is missing
    #[arg(long)]
    install: bool,
    /// Where a part cannot be had, or the working copy is not clean, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// What is released, and where that is put.
struct Release<'a> {
    tree: &'a Tree,
    version: String,
    /// The time that everything bears, in seconds since 1970.
    epoch: String,
    folder: PathBuf,
    install: bool,
    check: bool,
}

/// Makes the chosen parts.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Report> {
    let release = match Release::begin(tree, args) {
        Err(error) if args.if_possible => {
            return Ok(Report::skipped("release", format!("*** NOTHING WAS MADE: {error:#}")));
        }
        release => release?,
    };
    let (mut report, mut notes) = (Report::default(), Vec::new());
    for part in Part::value_variants().iter().filter(|part| args.only.is_empty() || args.only.contains(part)) {
        let no_toolchain = || if args.if_possible { part.no_toolchain(tree) } else { None };
        report.step(part.name(), &[], || match part.missing(tree).or_else(no_toolchain) {
            Some(reason) if args.if_possible || args.only.is_empty() => Ok(Outcome::Skipped(reason)),
            Some(reason) => bail!(reason),
            None => part.make(&release, &mut notes).map(Outcome::Found),
        });
    }
    report.step("checksums", &[], || release.sum().map(Outcome::Found));
    notes.into_iter().for_each(|note| report.note(note));
    Ok(report)
}

impl<'a> Release<'a> {
    fn begin(tree: &'a Tree, args: &Args) -> Result<Self> {
        let git =
            |args: &[&str]| Process::new(tree, "git").args(args).probe().context("this is no clone that git reads");
        let changed = git(&["status", "--porcelain"])?;
        ensure!(
            changed.is_empty(),
            "the working copy is not as it was committed, so nobody could make the same again:\n{changed}"
        );
        let id = Process::cargo(tree).args(["pkgid", "--offline", "-p", "gaitd"]).capture()?;
        let version = id.rsplit(['#', '@']).next().unwrap_or_default().to_owned();
        let folder = tree.target("releases").join(format!("gaitd-{version}"));
        if args.only.is_empty() {
            files::remove(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let epoch = epoch::find(tree)?;
        Ok(Self { tree, version, epoch, folder, install: args.install, check: args.check })
    }

    /// `gaitd-VERSION-WHAT`: what an archive is called, and the folder in it.
    fn name(&self, what: &str) -> String {
        format!("gaitd-{}-{what}", self.version)
    }

    /// An empty folder to put a part together in.
    fn work(&self, name: &str) -> Result<PathBuf> {
        let folder = self.tree.target("releases/work").join(name);
        files::remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Puts `paths`, as they were committed, into `folder`; all where none is named.
    fn export(&self, paths: &[&str], folder: &Path) -> Result<()> {
        let script = "git archive HEAD \"${@:2}\" | tar --extract --directory=\"$1\"";
        let bash = Process::new(self.tree, "bash").args(["-o", "pipefail", "-c", script, "export"]);
        bash.arg(folder).args(paths).run()
    }

    /// Lists the checksum of every file, and reads them once more by that list.
    fn sum(&self) -> Result<String> {
        let sums = self.folder.join(SUMS);
        let files = files::entries(&self.folder, |path| path.is_file() && *path != sums)?;
        let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
        ensure!(!names.is_empty(), "there is no file in {}", self.folder.display());
        let sha256sum = || Process::new(self.tree, "sha256sum").directory(&self.folder);
        files::write(&sums, sha256sum().args(&names).capture()? + "\n")?;
        sha256sum().args(["--check", "--strict", "--quiet", SUMS]).run()?;
        Ok(format!("{} files in {}", names.len() + 1, self.folder.display()))
    }

    /// What a file is called and how large it is, for people.
    fn told(&self, path: &Path) -> Result<String> {
        let size = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(format!("{name}, {:.1} MB{}", size as f64 / 1e6, if self.check { ", checked" } else { "" }))
    }
}
