//! `cargo xtask arm`: gaitd on every system that it is built for, as far as that can be proven under emulation.

mod musl;
mod rust;
mod standard;
pub(crate) mod targets;
pub(crate) mod toolchain;

use std::env;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use self::targets::{Proof, Target};
use self::toolchain::Toolchain;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these targets [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TARGET,...")]
    target: Vec<Target>,
    /// Get the toolchain, and build nothing with it
    #[arg(long)]
    toolchain_only: bool,
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// Proves gaitd on every chosen target and prints the table of what was done; the exit code says whether all held.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let targets = if args.target.is_empty() { Target::value_variants() } else { &args.target };
    let (mut report, mut notes) = (Report::default(), Vec::new());
    for &target in targets {
        match Toolchain::find(tree, target) {
            Ok(_) if args.toolchain_only => {}
            Ok(toolchain) => prove(tree, &toolchain, target, &mut report),
            Err(error) if args.if_possible => {
                eprintln!("\n*** NOTHING WAS CHECKED ON {target}: {error:#}\n");
                notes.push(format!("*** NOTHING WAS CHECKED ON {target}"));
            }
            Err(error) => report.step(target.triple(), &[], || Err(error)),
        }
    }
    println!("{}", report.summary(&notes));
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prove(tree: &Tree, toolchain: &Toolchain, target: Target, report: &mut Report) {
    report.step(target.triple(), &[], || {
        match target.proof() {
            Proof::Checked => toolchain.cargo(tree, "check").args(["--locked", "-p", "gaitd"]).run()?,
            Proof::Run => {
                toolchain.cargo(tree, "build").args(["--locked", "-p", "gaitd"]).run()?;
                let gaitd = toolchain.emulator(tree, None)?.arg(toolchain.gaitd(tree, "dev"));
                gaitd.args(["check", "models/uci-har-cnn"]).run()?;
            }
            Proof::Tested => test(tree, toolchain)?,
        }
        Ok(Outcome::Passed)
    });
}

fn test(tree: &Tree, toolchain: &Toolchain) -> Result<()> {
    toolchain
        .cargo(tree, "test")
        .args(["--locked", "-p", "gaitd", "--lib", "--test", "golden"])
        // Under emulation a few dozen random cases per property take as long as hundreds on the host, where they run.
        .env("PROPTEST_CASES", env::var("PROPTEST_CASES").unwrap_or_else(|_| "32".into()))
        .run()
}
