//! `cargo xtask COMMAND`: the chores of this repository, the same on every machine and in CI.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a chore that cannot tell how it went may fail")]

mod arm;
mod book;
mod cargo_tool;
mod ci;
mod compare;
mod cost;
mod debian;
mod decision;
mod dist;
mod elf;
mod epoch;
mod files;
mod fuzz;
mod instructions;
mod mutants;
mod package;
mod process;
mod programs;
mod python;
mod release;
mod size;
mod soak;
mod start;
mod steps;
mod test;
mod tree;
#[cfg(unix)]
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::process::Process;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

/// Chores of the gaitd repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check everything: format, lints, Python, configs, docs, and all tests
    Test(test::Args),
    /// Run all checks of a change, as CI does, with what each costs
    Ci,
    /// Build for every system that gaitd is cross-compiled for, and prove what can be proven under emulation
    Arm(arm::Args),
    /// Make the book of the documents, and see that its links lead somewhere
    Book(book::Args),
    /// Run the criterion benchmarks
    Bench {
        /// Passed on to `cargo bench`, for instance a benchmark's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Fuzz everything that gaitd reads from outside
    Fuzz(fuzz::Args),
    /// Put small faults into gaitd-core and see whether its tests catch them; shards that are done are kept
    Mutants(mutants::Args),
    /// Run the daemon on a day of samples while everything goes wrong that can
    Soak(soak::Args),
    /// Build the program that is shipped, and hold its size to the limits
    Size(size::Args),
    /// Measure the CPU time that the daemon takes until it is ready
    Start(start::Args),
    /// Build and check Debian packages for amd64, arm64 and armhf
    Package(package::Args),
    /// Make all that a page of a release holds: packages, static programs, a container's files, checksums
    Release(release::Args),
    /// Boot an arm64 Debian under emulation, install the package and see what the service lives through
    #[cfg(unix)]
    VmTest(vm::Args),
    /// Compare gaitd with ONNX Runtime and LiteRT on every rung of a ladder
    Compare(compare::Args),
    /// Count the instructions of an inference on ARM cores, under emulation, and compare with the committed table
    Instructions(instructions::Args),
    /// List the programs that some tests need beside Rust and Python, and install what is missing
    Programs(programs::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let tree = Tree::find()?;
    match command {
        Command::Test(args) => return Ok(test::run(&tree, &args).finish()),
        Command::Arm(args) => return Ok(arm::run(&tree, &args).finish()),
        Command::Ci => return ci::run(&tree),
        Command::Size(args) => return size::run(&tree, &args),
        Command::Start(args) => return start::run(&tree, &args),
        Command::Fuzz(args) => return Ok(fuzz::run(&tree, &args)?.finish()),
        Command::Mutants(args) => return Ok(mutants::run(&tree, &args)?.finish()),
        Command::Package(args) => return Ok(package::run(&tree, &args)?.finish()),
        Command::Release(args) => return Ok(release::run(&tree, &args)?.finish()),
        #[cfg(unix)]
        Command::VmTest(args) => return vm::run(&tree, &args),
        Command::Bench { args } => Process::cargo(&tree).arg("bench").args(["-p", "gaitd"]).args(args).run()?,
        Command::Soak(args) => soak::run(&tree, &args)?,
        Command::Compare(args) => compare::run(&tree, &args)?,
        Command::Instructions(args) => return Ok(single("instructions", || instructions::run(&tree, &args))),
        Command::Book(args) => return Ok(single("book", || book::run(&tree, &args))),
        Command::Programs(args) => return Ok(single("programs", || programs::run(&tree, &args))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that is one step.
fn single(name: &str, command: impl FnOnce() -> Result<Outcome>) -> ExitCode {
    let mut report = Report::default();
    report.step(name, &[], command);
    report.finish()
}
