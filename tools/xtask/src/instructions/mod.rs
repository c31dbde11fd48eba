//! `cargo xtask instructions`: how many instructions an inference takes on ARM cores, held against the committed table.
//!
//! Counted under qemu's user emulation, so no board is needed and no other load disturbs it. A count is not a time: it
//! shows that a change made an inference dearer on one core, not which of two cores or kernels is faster.

mod core;
mod counter;
mod table;
mod workload;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use self::core::CORES;
use self::counter::Counter;
use self::table::Table;
use self::workload::{Job, Workload};
use crate::arm::targets::Target;
use crate::arm::toolchain::{Toolchain, is_emulated};
use crate::dist;
use crate::steps::Outcome;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the counts into the table instead of holding them against it
    #[arg(long, conflicts_with_all = ["core", "configuration"])]
    update: bool,
    /// What to count; there is a table for each of the two that are tested: aarch64 and armv7, with glibc
    #[arg(long, value_enum, default_value_t = Target::Aarch64Gnu, value_name = "TARGET")]
    target: Target,
    /// Only on this core; may be repeated [default: all of the target]
    #[arg(long, value_name = "NAME", value_parser = CORES.map(|core| core.name))]
    core: Vec<String>,
    /// Only this configuration; may be repeated
    #[arg(long, value_name = "ID")]
    configuration: Vec<String>,
    /// Count this gaitd, of the target, instead of building one
    #[arg(long, value_name = "FILE")]
    gaitd: Option<PathBuf>,
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// Builds what is shipped, counts, and compares.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Outcome> {
    let folder = tree.target("instructions");
    let workload = Workload::write(tree, &folder)?;
    let jobs = jobs(args, &workload)?;
    let toolchain = match Toolchain::find(tree, args.target) {
        // where there is the emulator, what else is missing is a fault
        Err(error) if args.if_possible && !is_emulated(args.target) => {
            return Ok(Outcome::Skipped(format!("*** NO INSTRUCTIONS WERE COUNTED: {error:#}")));
        }
        toolchain => toolchain?,
    };
    let program = match &args.gaitd {
        Some(program) => std::path::absolute(program)?,
        None => dist::build(tree, &toolchain, &dist::LEAN)?,
    };
    ensure!(program.is_file(), "there is no {}", program.display());
    let counter = Counter::build(tree, &toolchain, &folder, program)?;
    let counted = Table::new(counter.count(&jobs)?);
    print!("{}", counted.text());
    let name = table::name(args.target);
    if args.update {
        counted.write(&tree.join(name))?;
        return Ok(Outcome::Passed);
    }
    compare(tree, &counted, name, args.core.is_empty() && args.configuration.is_empty())
}

/// What is counted: everything on every core of the target, or what was asked for.
fn jobs<'a>(args: &Args, workload: &'a Workload) -> Result<Vec<Job<'a>>> {
    let wanted = |asked: &[String], name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let cores = CORES.iter().filter(|core| core.target == args.target && wanted(&args.core, core.name));
    let all = cores.flat_map(|core| workload.jobs(core));
    let jobs: Vec<_> = all.filter(|job| wanted(&args.configuration, job.configuration())).collect();
    if jobs.is_empty() {
        bail!(
            "there is nothing like that to count for {}: its cores are {}, and the configurations are those of \
             models/uci-har-cnn",
            args.target,
            CORES.iter().filter(|core| core.target == args.target).map(|core| core.name).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(jobs)
}

fn compare(tree: &Tree, counted: &Table, name: &str, all: bool) -> Result<Outcome> {
    let kept = Table::read(&tree.join(name))?;
    let findings = counted.findings(&kept, all);
    if findings.is_empty() {
        let count = counted.rows().len();
        return Ok(Outcome::Found(format!("{count} counts agree with {name} within {} %", table::TOLERANCE_PERCENT)));
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!(
        "differences from {name}: {}; what is meant to be so is kept with `cargo xtask instructions --update`, with the \
         same --target",
        findings.len()
    )
}
