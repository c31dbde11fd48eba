//! What is done with gaitd on a target.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::parity;
use super::targets::{Proof, Target};
use super::toolchain::Toolchain;
use crate::dist;
use crate::elf;
use crate::process::Process;
use crate::steps::Outcome;
use crate::test;
use crate::tree::Tree;

/// The integration tests that run under emulation beside the libraries' own: of what computes, on other registers and
/// words than this machine's. Those that start gaitd or themselves as a program are left to this machine.
const TESTS: [&str; 4] = ["core", "sense", "supernet", "tract"];
/// Of the daemon's, those with this in their name.
const DAEMON_TESTS: &str = "steady::";

/// Tests of the libraries that are left to this machine: one that starts its own program, which only the emulator could
/// run, and ONNX's two thousand backend tests, which Python writes.
const NOT_EMULATED: [&str; 2] = ["log::tests::a_panic_is_a_record_like_any_other", "onnx::cases::"];

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// Compile gaitd, without a program
    Check,
    /// Run the crates' tests, the golden vectors of every rung among them
    Tests,
    /// Let the program check the shipped ladders against their golden vectors
    Golden,
    /// Replay 200 windows, and compare every decision with this machine's
    Replay,
    /// Build the program, which nothing here runs
    Link,
}

impl Action {
    /// Its name on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Tests => "tests",
            Self::Golden => "golden",
            Self::Replay => "replay",
            Self::Link => "link",
        }
    }

    /// Those by which a target is proven.
    pub(crate) fn of(target: Target) -> &'static [Self] {
        match target.proof() {
            Proof::Checked => &[Self::Check],
            Proof::Linked => &[Self::Link],
            Proof::Run => &[Self::Golden, Self::Replay],
            Proof::Tested => &[Self::Tests, Self::Golden, Self::Replay],
        }
    }

    /// Does it; `profile` is that of the program, `lean` leaves tract out of one of profile `dist`.
    pub(crate) fn run(self, tree: &Tree, toolchain: &Toolchain, profile: &str, lean: bool) -> Result<Outcome> {
        let program = || program(tree, toolchain, profile, lean);
        match self {
            Self::Check => check(tree, toolchain),
            Self::Tests => tests(tree, toolchain),
            Self::Golden => golden(tree, toolchain, &program()?, profile),
            Self::Replay => replay(tree, toolchain, program),
            Self::Link => program().map(|_| Outcome::Passed),
        }
    }
}

/// Builds gaitd; where it is.
fn program(tree: &Tree, toolchain: &Toolchain, profile: &str, lean: bool) -> Result<PathBuf> {
    if profile == dist::PROFILE {
        let features: &[&str] = if lean { &dist::LEAN } else { &[] };
        return dist::build(tree, toolchain, features);
    }
    ensure!(!lean, "programs of profile {} can be lean, not those of {profile}", dist::PROFILE);
    // with a test, since the libraries have other features without any, and would be built once more
    let build = cargo(tree, toolchain, "build")?.args(["--profile", profile]);
    build.args(["--bin", "gaitd", "--test", TESTS[0]]).run()?;
    Ok(toolchain.gaitd(tree, profile))
}

fn check(tree: &Tree, toolchain: &Toolchain) -> Result<Outcome> {
    toolchain.cargo(tree, "check")?.args(["--locked", "-p", "gaitd"]).run()?;
    Ok(Outcome::Passed)
}

fn tests(tree: &Tree, toolchain: &Toolchain) -> Result<Outcome> {
    // Under emulation a few dozen random cases per property take as long as hundreds on the host, where they run.
    let cases = env::var("PROPTEST_CASES").unwrap_or_else(|_| "32".into());
    let cargo_test = || anyhow::Ok(cargo(tree, toolchain, "test")?.env("PROPTEST_CASES", &cases));
    let tests = TESTS.iter().flat_map(|test| ["--test", test]);
    let skipped = NOT_EMULATED.iter().flat_map(|test| ["--skip", test]);
    cargo_test()?.arg("--lib").args(tests).arg("--").args(skipped).run()?;
    cargo_test()?.args(["--test", "daemon", DAEMON_TESTS]).run()?;
    Ok(Outcome::Passed)
}

/// The same packages in each command, so that dependencies have the same features and are built once.
fn cargo(tree: &Tree, toolchain: &Toolchain, command: &str) -> Result<Process> {
    // what fails under emulation is looked into on the host, with its lines
    let cargo = toolchain.cargo(tree, command)?.env("CARGO_PROFILE_DEV_DEBUG", "false");
    Ok(cargo.args(["--locked", "-p", "gaitd", "-p", "gaitd-*"]))
}

/// The same windows through the controller here and there, in the virtual time of a scenario: so no decision depends
/// on how fast either machine is.
fn replay(tree: &Tree, toolchain: &Toolchain, program: impl FnOnce() -> Result<PathBuf>) -> Result<Outcome> {
    test::build(tree)?;
    let program = program()?;
    let windows = parity::Windows::choose(tree);
    let folder = tree.target("arm/replay");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let decisions = |gaitd: Process, name: &str| -> Result<String> {
        let file = folder.join(name);
        windows.replay(gaitd).arg("--output").arg(&file).run()?;
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let here = decisions(Process::new(tree, tree.gaitd("debug")), "here.ndjson")?;
    let emulated = toolchain.emulator(tree, None)?.arg(program);
    let there = decisions(emulated, &format!("{}.ndjson", toolchain.target()))?;
    let agreement = parity::compare(&here, &there)?;
    Ok(Outcome::Found(format!("{agreement}, {}", windows.name())))
}

fn golden(tree: &Tree, toolchain: &Toolchain, program: &Path, profile: &str) -> Result<Outcome> {
    let form = if toolchain.target().is_musl() {
        elf::ensure_static(tree, program)?;
        "one static file"
    } else {
        "a program"
    };
    toolchain.emulator(tree, None)?.arg(program).arg("check").args(tree.ladders()?).run()?;
    let size = fs::metadata(program).with_context(|| format!("cannot read {}", program.display()))?.len();
    Ok(Outcome::Found(format!("{form}, profile {profile}, {:.1} MB", size as f64 / 1e6)))
}
