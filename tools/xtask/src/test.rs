//! `cargo xtask test`: every check that a change has to pass.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use crate::book;
use crate::cargo_tool::CargoTool;
use crate::dist;
use crate::files::{self, remove};
use crate::process::Process;
use crate::programs;
use crate::python::Venv;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

/// What holds licences, bans and sources.
pub(crate) const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
    version_args: &["--version"],
    features: &[],
    quick: true,
    root: "cargo-deny",
    chore: None,
    takes: "a few minutes",
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these steps, and those that they need
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP,...")]
    only: Vec<Step>,
}

/// The steps, in the order in which they run: what fails cheaply comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// `cargo fmt --check`
    Format,
    /// clippy on all targets, warnings are errors
    Lint,
    /// Licences, bans and sources of what gaitd depends on, where cargo-deny is there
    Deny,
    /// The trainer's Python environment, from its hash-locked requirements
    Python,
    /// Format and lints of all Python code
    Ruff,
    /// gaitd and all test programs
    Build,
    /// Every shipped config and ladder through `gaitd check`
    Configs,
    /// The crates' documentation, warnings are errors
    Docs,
    /// The book of the documents, links that lead nowhere are errors
    Book,
    /// The tests of the trainer, and of the comparison's statistics
    Pytest,
    /// A tiny ladder trained on synthetic data, checked and replayed by gaitd
    Demo,
    /// The Rust tests
    Rust,
    /// The dashboard in a browser
    Browser,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lint => "lint",
            Self::Deny => "deny",
            Self::Python => "python",
            Self::Ruff => "ruff",
            Self::Build => "build",
            Self::Configs => "configs",
            Self::Docs => "docs",
            Self::Book => "book",
            Self::Pytest => "pytest",
            Self::Demo => "demo",
            Self::Rust => "rust",
            Self::Browser => "browser",
        }
    }

    /// The earlier steps without whose success this one cannot run.
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Format | Self::Lint | Self::Deny | Self::Python | Self::Build | Self::Docs | Self::Book => &[],
            Self::Ruff => &[Self::Python],
            Self::Configs | Self::Rust | Self::Browser => &[Self::Build],
            Self::Pytest | Self::Demo => &[Self::Python, Self::Build],
        }
    }

    fn run(self, tree: &Tree) -> Result<Outcome> {
        match self {
            Self::Format => {
                Process::cargo(tree).args(["fmt", "--all", "--check"]).run()?;
                // a workspace of its own
                Process::cargo(tree).args(["fmt", "--check", "--manifest-path", "tools/fuzz/Cargo.toml"]).run()?;
            }
            Self::Lint => {
                let clippy = || Process::cargo(tree).args(["clippy", "--workspace", "--all-targets", "--locked"]);
                clippy().args(["--", "-D", "warnings"]).run()?;
                // what is optional can be left out
                clippy().args(["--no-default-features", "--", "-D", "warnings"]).run()?;
                clippy().args(dist::LEAN).args(["--", "-D", "warnings"]).run()?;
            }
            Self::Deny => return deny(tree),
            Self::Python => python(tree)?,
            Self::Ruff => ruff(tree)?,
            Self::Build => build(tree)?,
            Self::Configs => return configs(tree),
            Self::Docs => Process::cargo(tree)
                .args(["doc", "--workspace", "--locked", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", "-D warnings")
                .run()?,
            Self::Book => drop(book::build(tree, true)?),
            Self::Pytest => {
                pytest(tree, &trainer_venv(tree), &trainer(tree)).run()?;
                let compare = tree.join("tools/compare");
                pytest(tree, &trainer_venv(tree), &compare).args(["-p", "no:cacheprovider"]).run()?;
            }
            Self::Demo => demo(tree)?,
            Self::Rust => rust(tree)?,
            Self::Browser => return browser(tree),
        }
        Ok(Outcome::Passed)
    }
}

/// Runs the chosen steps.
pub(crate) fn run(tree: &Tree, args: &Args) -> Report {
    let mut report = Report::default();
    let skipped = skipped_file(tree);
    // a missing one says that nothing was skipped
    let _ = fs::remove_file(&skipped);
    for step in chosen(&args.only) {
        let needs: Vec<_> = step.needs().iter().map(|need| need.name()).collect();
        report.step(step.name(), &needs, || step.run(tree));
    }
    for line in fs::read_to_string(&skipped).unwrap_or_default().lines() {
        let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason is told"));
        report.unchecked(name.to_owned(), reason.to_owned());
    }
    if tree.data().is_none() {
        report.note(
            "no recorded data (neither GAITD_DATA nor ../shared/data): tests that need it say so and check nothing"
                .to_owned(),
        );
    }
    programs::missing_notes(tree).into_iter().for_each(|note| report.note(note));
    report
}

/// Where tests write a line for each check that checks nothing for want of data or programs: its name, a tab, the reason.
fn skipped_file(tree: &Tree) -> PathBuf {
    tree.target("skipped-checks")
}

/// The variable that names it to them.
const SKIPPED: &str = "GAITD_SKIPPED";

/// pytest on all tests of `folder`; those that are skipped say so in the file for that.
fn pytest(tree: &Tree, venv: &Venv, folder: &Path) -> Process {
    Process::new(tree, venv.python())
        .args(["-m", "pytest", "-p", "gaitd_skipped"])
        .directory(folder)
        .env("PYTHONPATH", tree.join("tools/skipped"))
        .env(SKIPPED, skipped_file(tree))
        .env("GAITD_BINARY", tree.gaitd("debug"))
}

/// All steps, or those of `only` with all that they need, in running order.
fn chosen(only: &[Step]) -> Vec<Step> {
    fn wants(step: Step, wanted: Step) -> bool {
        step == wanted || step.needs().iter().any(|&need| wants(need, wanted))
    }
    let all = Step::value_variants().iter().copied();
    all.filter(|&step| only.is_empty() || only.iter().any(|&chosen| wants(chosen, step))).collect()
}

/// Builds gaitd and all tests for this machine.
pub(crate) fn build(tree: &Tree) -> Result<()> {
    // Tests and programs together: built apart, their dependencies would differ in features and be built twice.
    Process::cargo(tree).args(["build", "--workspace", "--locked", "--bins", "--tests"]).run()
}

/// What `deny.toml` says, but for known flaws, of which no list comes with the working copy.
fn deny(tree: &Tree) -> Result<Outcome> {
    let Ok(program) = CARGO_DENY.get(tree, false) else {
        return Ok(Outcome::Skipped(format!("no cargo-deny: {}", CARGO_DENY.remedy())));
    };
    Process::new(tree, program).args(["--locked", "check", "licenses", "bans", "sources"]).run()?;
    Ok(Outcome::Passed)
}

fn trainer(tree: &Tree) -> PathBuf {
    tree.join("tools/trainer")
}

fn trainer_venv(tree: &Tree) -> Venv {
    Venv::at(tree, "venv")
}

fn trainer_python(tree: &Tree) -> Process {
    Process::new(tree, trainer_venv(tree).python())
}

fn demo_ladder(tree: &Tree) -> PathBuf {
    tree.target("demo-ladder")
}

fn python(tree: &Tree) -> Result<()> {
    let size = if cfg!(target_os = "linux") {
        "PyTorch comes with its CUDA libraries here, about 3 GB to download and 5 GB on disk; \
         5 minutes at 100 Mbit/s, and 2 to unpack"
    } else {
        "PyTorch and its companions are some 300 MB to download"
    };
    let venv = trainer_venv(tree);
    venv.ensure(tree, &trainer(tree).join("requirements.txt"), size)?;
    venv.install_editable(tree, &trainer(tree))
}

fn ruff(tree: &Tree) -> Result<()> {
    trainer_python(tree).args(["-m", "ruff", "check", "."]).run()?;
    trainer_python(tree).args(["-m", "ruff", "format", "--check", "."]).run()
}

fn configs(tree: &Tree) -> Result<Outcome> {
    let is_json = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    let mut configs = files::entries(&tree.join("configs"), is_json)?;
    configs.extend(files::entries(&tree.join("configs/container"), is_json)?);
    let ladders = tree.ladders()?;
    if configs.is_empty() && ladders.is_empty() {
        return Ok(Outcome::Skipped("nothing in configs/ and models/".into()));
    }
    gaitd(tree).arg("check").args(configs.iter().chain(&ladders)).run()?;
    Ok(Outcome::Passed)
}

/// The gaitd that the step `build` made.
fn gaitd(tree: &Tree) -> Process {
    Process::new(tree, tree.gaitd("debug"))
}

fn demo(tree: &Tree) -> Result<()> {
    let (ladder, work) = (demo_ladder(tree), tree.target("demo-work"));
    // What an earlier run left must not stand in for what can no longer be made.
    for folder in [&ladder, &work] {
        remove(folder)?;
    }
    let trainer = trainer_venv(tree).program("gaitd-train");
    Process::new(tree, trainer).arg("demo-ladder").arg("--out").arg(&ladder).arg("--work").arg(&work).run()?;
    gaitd(tree).arg("check").arg(&ladder).run()?;
    gaitd(tree).arg("replay").arg(work.join("windows.npz")).arg("--models").arg(&ladder).run()
}

fn rust(tree: &Tree) -> Result<()> {
    let mut tests = Process::cargo(tree).args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    // the daemons of tests have sockets of their own
    tests = tests.env(SKIPPED, skipped_file(tree)).without_env("XDG_RUNTIME_DIR");
    // Without the environment, the demo ladder or a program, the tests that need them say so.
    let python = trainer_venv(tree).python();
    if python.exists() {
        tests = tests.env("GAITD_PYTHON", python);
    }
    if demo_ladder(tree).exists() {
        tests = tests.env("GAITD_DEMO_LADDER", demo_ladder(tree));
    }
    for (name, program) in programs::environment(tree) {
        tests = tests.env(name, program);
    }
    tests.run()
}

fn browser(tree: &Tree) -> Result<Outcome> {
    let environment = programs::environment(tree);
    if !environment.iter().any(|(name, _)| *name == programs::CHROMIUM) {
        return Ok(Outcome::Skipped("no chromium; `cargo xtask programs` says how to get it".into()));
    }
    let venv = Venv::at(tree, "browser-venv");
    let folder = tree.join("tools/browser");
    venv.ensure(tree, &folder.join("requirements.txt"), "Playwright is about 50 MB to download, without a browser")?;
    let mut tests = pytest(tree, &venv, &folder).args(["-p", "no:cacheprovider"]);
    for (name, program) in environment {
        tests = tests.env(name, program);
    }
    tests.run()?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_comes_after_those_that_it_needs() {
        let all = chosen(&[]);
        assert_eq!(all, Step::value_variants());
        for (index, step) in all.iter().enumerate() {
            for need in step.needs() {
                assert!(all[..index].contains(need), "{step:?} before {need:?}");
            }
        }
    }

    #[test]
    fn a_choice_brings_what_it_needs_and_nothing_else() {
        assert_eq!(chosen(&[Step::Format]), [Step::Format]);
        assert_eq!(chosen(&[Step::Rust, Step::Demo]), [Step::Python, Step::Build, Step::Demo, Step::Rust]);
    }

    #[test]
    fn steps_are_chosen_by_the_names_that_the_summary_shows() {
        for step in Step::value_variants() {
            let name = step.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(step.name()));
        }
    }
}
