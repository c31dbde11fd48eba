//! `cargo xtask package`: Debian packages, built and checked.
//!
//! `[package.metadata.deb]` in Cargo.toml says what they hold, configs/debian has what only a package needs.

mod architecture;
mod build;
mod check;
pub(crate) mod documents;
mod pack;
mod reproduce;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;

pub(crate) use self::architecture::Architecture;
use self::build::Builder;
pub(crate) use self::pack::CARGO_DEB;
use crate::elf;
use crate::files;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For these architectures, as Debian names them [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ARCH,...")]
    arch: Vec<Architecture>,
    /// Tells packages of the same gaitd apart: the number behind its version
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    revision: u32,
    /// Build everything a second time, elsewhere and from nothing, and compare: minutes for each architecture
    #[arg(long)]
    reproduce: bool,
    /// Install cargo-deb below the target directory where it is missing
    #[arg(long)]
    install: bool,
    /// Where cargo-deb, lintian or a toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// Makes and checks the packages for the chosen architectures.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Report> {
    let programs = check::ensure_programs(tree).and_then(|()| CARGO_DEB.get(tree, args.install));
    let cargo_deb = match programs {
        Ok(cargo_deb) => cargo_deb,
        Err(error) if args.if_possible => {
            return Ok(Report::skipped("packages", format!("*** NOTHING WAS PACKAGED: {error:#}")));
        }
        Err(error) => return Err(error),
    };
    let architectures = if args.arch.is_empty() { Architecture::value_variants() } else { &args.arch };
    let (mut report, mut notes) = (Report::default(), Vec::new());
    for &architecture in architectures {
        report.step(architecture.name(), &[], || match Builder::find(tree, architecture) {
            Ok(builder) => {
                let package = package(tree, &cargo_deb, &builder, args.revision, args.reproduce, &mut notes)?;
                let path = tree.target("packages").join(package.file_name().context("a package without a name")?);
                files::copy(&package, &path)?;
                notes.push(path.display().to_string());
                Ok(Outcome::Passed)
            }
            Err(error) if args.if_possible => Ok(Outcome::Skipped(format!("{error:#}"))),
            Err(error) => Err(error),
        });
    }
    notes.into_iter().for_each(|note| report.note(note));
    Ok(report)
}

/// Why packages cannot be made and checked here, if they cannot.
pub(crate) fn missing(tree: &Tree) -> Option<anyhow::Error> {
    check::ensure_programs(tree).err()
}

/// Makes the first revision of the package for `architecture`, unchecked, and gives where it is; `install` allows to
/// get cargo-deb below the target directory where it is missing.
pub(crate) fn make(tree: &Tree, architecture: Architecture, install: bool) -> Result<PathBuf> {
    let cargo_deb = CARGO_DEB.get(tree, install)?;
    let builder = Builder::find(tree, architecture)?;
    builder.build(tree)?;
    pack::pack(tree, &cargo_deb, &builder, 1, &tree.target("package/new"))
}

/// Makes the first revision of the package for `architecture` and holds it against all that must be true of it; gives where
/// it is. `notes` gets what could not be tried.
pub(crate) fn make_checked(
    tree: &Tree,
    architecture: Architecture,
    install: bool,
    notes: &mut Vec<String>,
) -> Result<PathBuf> {
    let cargo_deb = CARGO_DEB.get(tree, install)?;
    package(tree, &cargo_deb, &Builder::find(tree, architecture)?, 1, false, notes)
}

fn package(
    tree: &Tree,
    cargo_deb: &Path,
    builder: &Builder,
    revision: u32,
    reproduce: bool,
    notes: &mut Vec<String>,
) -> Result<PathBuf> {
    let pack = |tree: &Tree, revision, folder| pack::pack(tree, cargo_deb, builder, revision, &tree.target(folder));
    builder.build(tree)?;
    let package = pack(tree, revision, "package/new")?;
    check::depends(tree, &builder.program(tree), &package)?;
    elf::says_nothing_of_this_machine(tree, &builder.program(tree))?;
    check::lintian(tree, &package)?;
    check::same(&package, &pack(tree, revision, "package/again")?)?;
    let later = pack(tree, revision + 1, "package/later")?;
    notes.extend(trial::live_through(tree, &package, &later)?);
    if reproduce {
        let copy = reproduce::copy(tree)?;
        builder.build(&copy)?;
        check::same(&package, &pack(&copy, revision, "package/new")?)?;
        notes.push(format!("{}: built twice, in different places: the same bytes", builder.architecture));
    }
    Ok(package)
}
