//! `cargo xtask instructions`: how many instructions an inference takes on ARM cores, held against the committed table.
//!
//! Counted under qemu's user emulation, so no board is needed and no other load disturbs it. A count is not a time: it
//! shows that a change made an inference dearer on one core, not which of two cores or kernels is faster.

mod core;
mod counter;
mod table;
mod workload;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use self::core::{CORES, Core};
use self::counter::Counter;
use self::table::Table;
use self::workload::{Job, Workload};
use crate::arm::targets::Target;
use crate::arm::toolchain::Toolchain;
use crate::tree::Tree;

const TABLE: &str = "benches/instructions-aarch64.csv";
const TARGET: Target = Target::Aarch64Gnu;
const PROFILE: &str = "dist";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the counts into the table instead of holding them against it
    #[arg(long, conflicts_with_all = ["core", "configuration"])]
    update: bool,
    /// Only on this core; may be repeated [default: all in the table]
    #[arg(long, value_name = "NAME", value_parser = CORES.map(|core| core.name))]
    core: Vec<String>,
    /// Only this configuration; may be repeated
    #[arg(long, value_name = "ID")]
    configuration: Vec<String>,
    /// Count this gaitd for aarch64 Linux instead of building one
    #[arg(long, value_name = "FILE")]
    gaitd: Option<PathBuf>,
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// Builds what is shipped, counts, and compares.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    let toolchain = match Toolchain::find(tree, TARGET) {
        Err(error) if args.if_possible => {
            eprintln!("\n*** NO INSTRUCTIONS WERE COUNTED: {error:#}\n");
            return Ok(());
        }
        toolchain => toolchain?,
    };
    let program = match &args.gaitd {
        Some(program) => std::path::absolute(program)?,
        None => {
            toolchain.cargo(tree, "build").args(["--profile", PROFILE, "--locked", "-p", "gaitd"]).run()?;
            toolchain.gaitd(tree, PROFILE)
        }
    };
    ensure!(program.is_file(), "there is no {}", program.display());
    let folder = tree.target("instructions");
    let workload = Workload::write(tree, &folder)?;
    let jobs = jobs(args, &workload)?;
    let counter = Counter::build(tree, &toolchain, &folder, program)?;
    let counted = Table::new(counter.count(&jobs)?);
    print!("{}", counted.text());
    let path = tree.join(TABLE);
    if args.update {
        return counted.write(&path);
    }
    compare(&counted, &path, args.core.is_empty() && args.configuration.is_empty())
}

/// What is counted: everything on every core, or what was asked for.
fn jobs<'a>(args: &Args, workload: &'a Workload) -> Result<Vec<Job<'a>>> {
    let wanted = |asked: &[String], name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let cores: Vec<&'static Core> = CORES.iter().filter(|core| wanted(&args.core, core.name)).collect();
    let jobs: Vec<_> = cores
        .into_iter()
        .flat_map(|core| workload.jobs(core))
        .filter(|job| wanted(&args.configuration, job.configuration()))
        .collect();
    if jobs.is_empty() {
        bail!("the shipped ladder has no configuration {}", args.configuration.join(" or "));
    }
    Ok(jobs)
}

fn compare(counted: &Table, path: &Path, all: bool) -> Result<()> {
    let kept = Table::read(path)?;
    let findings = counted.findings(&kept, all);
    if findings.is_empty() {
        println!("{} counts agree with {TABLE} within {} %", counted.rows().len(), table::TOLERANCE_PERCENT);
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!(
        "{} of {} differ from {TABLE}; what is meant to be so is kept with `cargo xtask instructions --update`",
        findings.len(),
        counted.rows().len()
    )
}
