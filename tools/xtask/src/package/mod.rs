//! `cargo xtask package`: Debian packages, built and checked.
//!
//! `[package.metadata.deb]` in Cargo.toml says what they hold, configs/debian has what only a package needs.

mod architecture;
mod build;
mod check;
mod documents;
mod reproduce;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use self::architecture::Architecture;
use self::build::Builder;
use crate::cargo_tool::CargoTool;
use crate::process::Process;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

/// What makes the archives.
pub(crate) const CARGO_DEB: CargoTool = CargoTool {
    name: "cargo-deb",
    version: "3.8.0",
    root: "package/cargo-deb",
    chore: "cargo xtask package",
    takes: "a minute and a half on two cores",
};

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

/// What all packages are made with.
struct Workshop<'a> {
    cargo_deb: PathBuf,
    builder: Builder,
    args: &'a Args,
}

/// Makes and checks the packages for the chosen architectures, and says how that went.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let architectures = if args.arch.is_empty() { Architecture::value_variants() } else { &args.arch };
    let workshop = match Workshop::open(tree, args, architectures) {
        Ok(workshop) => workshop,
        Err(error) if args.if_possible => {
            eprintln!("\n*** NOTHING WAS PACKAGED: {error:#}\n");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error),
    };
    let (mut report, mut notes) = (Report::default(), Vec::new());
    for &architecture in architectures {
        report.step(architecture.name(), &[], || workshop.package(tree, architecture, &mut notes));
    }
    println!("{}", report.summary(&notes));
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl<'a> Workshop<'a> {
    fn open(tree: &Tree, args: &'a Args, architectures: &[Architecture]) -> Result<Self> {
        check::ensure_programs(tree)?;
        let cargo_deb = CARGO_DEB.get(tree, args.install)?;
        Ok(Self { cargo_deb, builder: Builder::for_all(tree, architectures)?, args })
    }

    fn package(&self, tree: &Tree, architecture: Architecture, notes: &mut Vec<String>) -> Result<Outcome> {
        let folder = tree.target("packages");
        let package = self.make(tree, architecture, &folder)?;
        let program = self.builder.program(tree, architecture);
        check::depends(tree, &program, &package)?;
        check::says_nothing_of_this_machine(tree, &program)?;
        check::lintian(tree, &package)?;
        let again = self.pack(tree, architecture, self.args.revision, &tree.target("package/again"))?;
        check::same(&package, &again)?;
        let later = self.pack(tree, architecture, self.args.revision + 1, &tree.target("package/later"))?;
        notes.extend(trial::live_through(tree, &package, &later)?);
        let size = fs::metadata(&package).with_context(|| format!("cannot read {}", package.display()))?.len();
        notes.push(format!("{}: {} kB", package.display(), size.div_ceil(1000)));
        if self.args.reproduce {
            reproduce::elsewhere(tree, |elsewhere| {
                let second = self.make(elsewhere, architecture, &elsewhere.target("packages"))?;
                check::same(&package, &second)
            })?;
            notes.push(format!("{architecture}: built twice in different places, the same bytes"));
        }
        Ok(Outcome::Passed)
    }

    /// Builds gaitd and its documents, and packs them into `folder`; the package's path.
    fn make(&self, tree: &Tree, architecture: Architecture, folder: &Path) -> Result<PathBuf> {
        self.builder.build(tree, architecture)?;
        self.pack(tree, architecture, self.args.revision, folder)
    }

    /// Packs what was built.
    fn pack(&self, tree: &Tree, architecture: Architecture, revision: u32, folder: &Path) -> Result<PathBuf> {
        let builder = &self.builder;
        let version = format!("{}-{revision}", builder.version(tree, architecture)?);
        documents::write(tree, builder, architecture, &version)?;
        Process::new(tree, &self.cargo_deb)
            .args(["--no-build", "--no-strip", "--locked", "--profile", build::PROFILE])
            .args(["--target", architecture.triple(), "--deb-version", &version, "--output"])
            // a file of that name would be taken for the output
            .arg(folder.join(""))
            .env("CARGO_TARGET_DIR", architecture.target_folder(tree))
            .env("SOURCE_DATE_EPOCH", builder.epoch())
            .run()?;
        let package = folder.join(format!("gaitd_{version}_{architecture}.deb"));
        ensure!(package.is_file(), "cargo-deb made no {}", package.display());
        Ok(package)
    }
}
