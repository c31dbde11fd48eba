//! `cargo xtask mutants`: small faults put into gaitd-core one at a time, each of which its own tests should catch.
//!
//! A check before a release and not of every change: a fault takes some seconds, and there are hundreds. They are worked
//! through in shards whose results are kept, so that a run that is interrupted goes on where it was.

mod equivalent;
mod mutant;
mod shard;
mod subject;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use self::equivalent::Equivalents;
use self::mutant::{Ending, Mutant, Outcome};
use self::shard::{Shards, WorkingCopy};
use self::subject::{Module, Subject};
use crate::cargo_tool::CargoTool;
use crate::steps::{self, Report};
use crate::tree::Tree;

/// What makes the mutants and runs the tests on them.
pub(crate) const CARGO_MUTANTS: CargoTool = CargoTool {
    name: "cargo-mutants",
    version: "27.1.0",
    version_args: &["mutants", "--version"],
    features: &[],
    quick: false,
    root: "mutants/cargo-mutants",
    chore: Some("cargo xtask mutants"),
    takes: "two minutes",
};

/// The share of mutants that must be caught, in percent, of those that are not equivalent to the original.
const GOAL_PERCENT: f64 = 95.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these modules [default: all]
    #[arg(value_enum, value_name = "MODULE")]
    modules: Vec<Module>,
    /// Only this file, by its path below runtime/core/src
    #[arg(long, value_name = "FILE", conflicts_with = "modules")]
    file: Option<String>,
    /// Only every Nth shard, from the Kth on: for N machines, each with another K from 0
    #[arg(long, value_name = "K/N", default_value = "0/1", value_parser = share)]
    shard: (usize, usize),
    /// Install cargo-mutants below the target directory where it is missing
    #[arg(long)]
    install: bool,
}

fn share(text: &str) -> Result<(usize, usize)> {
    let (number, all) = text.split_once('/').context("two numbers, as in 0/4")?;
    let (number, all) = (number.parse()?, all.parse()?);
    ensure!(number < all, "the first number counts from 0 and must be below the second");
    Ok((number, all))
}

/// Runs what is left to run, and reports for each module how many mutants are caught.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Report> {
    let cargo_mutants = CARGO_MUTANTS.get(tree, args.install)?;
    let equivalents = Equivalents::read(tree)?;
    let working_copy = WorkingCopy::prepare(tree, cargo_mutants)?;
    let subjects = match (&args.file, &args.modules[..]) {
        (Some(file), _) => vec![Subject::File(file.clone())],
        (None, []) => Module::value_variants().iter().copied().map(Subject::Module).collect(),
        (None, chosen) => chosen.iter().copied().map(Subject::Module).collect(),
    };
    let mut report = Report::default();
    let mut before = 0;
    for subject in &subjects {
        report.step(&subject.name(), &[], || {
            let mutants = working_copy.list(subject)?;
            ensure!(!mutants.is_empty(), "there is nothing to mutate in {}", subject.glob());
            let equivalents = equivalents.of(subject, &mutants)?;
            let shards = Shards::of(subject, mutants.len());
            let (number, all) = args.shard;
            for part in (0..shards.count()).filter(|part| (before + part) % all == number) {
                working_copy.run(&shards, part)?;
            }
            before += shards.count();
            judge(tree, &working_copy, &shards, &equivalents)
        });
    }
    Ok(report)
}

/// Sums up the shards that are done.
fn judge(
    tree: &Tree,
    working_copy: &WorkingCopy<'_>,
    shards: &Shards,
    equivalents: &[Mutant],
) -> Result<steps::Outcome> {
    let results: Vec<Vec<Outcome>> = (0..shards.count())
        .map(|part| working_copy.kept(shards, part))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let done = results.len();
    let tally = Tally::of(results.into_iter().flatten(), equivalents)?;
    let left = tally.missed.iter().map(|mutant| format!("\n  {}", mutant.name)).collect::<String>();
    if !left.is_empty() {
        eprintln!("missed, and not shown to be equivalent in {}:{left}", tree.join(equivalent::FILE).display());
    }
    if done < shards.count() {
        return Ok(steps::Outcome::Skipped(format!("{done} of {} shards are done: {tally}", shards.count())));
    }
    if tally.percent() < GOAL_PERCENT {
        bail!("{tally}; the goal is {GOAL_PERCENT} %");
    }
    Ok(steps::Outcome::Found(tally.to_string()))
}

/// How many mutants there were of each kind.
#[derive(Debug, Default)]
struct Tally {
    caught: usize,
    /// Of those, the ones that made the tests take too long.
    slow: usize,
    equivalent: usize,
    missed: Vec<Mutant>,
}

impl Tally {
    /// Counts outcomes. What is called equivalent and was caught is an error: its reason is wrong.
    fn of(outcomes: impl Iterator<Item = Outcome>, equivalents: &[Mutant]) -> Result<Self> {
        let mut tally = Self::default();
        for Outcome { mutant, ending } in outcomes {
            let equivalent = equivalents.contains(&mutant);
            match ending {
                Ending::Caught | Ending::TimedOut => {
                    ensure!(!equivalent, "{} stands in {} and is caught: take it out", mutant.name, equivalent::FILE);
                    tally.caught += 1;
                    tally.slow += usize::from(ending == Ending::TimedOut);
                }
                Ending::Missed if equivalent => tally.equivalent += 1,
                Ending::Missed => tally.missed.push(mutant),
                // it does not compile, so there is nothing to catch
                Ending::Unviable => {}
            }
        }
        Ok(tally)
    }

    fn percent(&self) -> f64 {
        100.0 * self.caught as f64 / (self.caught + self.missed.len()).max(1) as f64
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { caught, slow, equivalent, missed } = self;
        let all = caught + missed.len();
        write!(
            f,
            "{:.1} % caught, {caught} of {all} ({slow} by the time limit), {equivalent} equivalent",
            self.percent()
        )
    }
}

/// A path below the root of the repository, as it stands in mutants' names.
fn slashes(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_from_zero() {
        assert_eq!(share("0/1").unwrap(), (0, 1));
        assert_eq!(share("3/4").unwrap(), (3, 4));
        for nonsense in ["4/4", "1", "a/b", "0/0", "-1/3"] {
            assert!(share(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn what_takes_too_long_is_caught_and_what_does_not_compile_is_not_counted() {
        let outcome = |line, ending| Outcome { mutant: mutant::tests::mutant(line), ending };
        let outcomes = || {
            vec![
                outcome(1, Ending::Caught),
                outcome(2, Ending::TimedOut),
                outcome(3, Ending::Missed),
                outcome(4, Ending::Missed),
                outcome(5, Ending::Unviable),
            ]
        };
        let tally = Tally::of(outcomes().into_iter(), &[mutant::tests::mutant(4)]).unwrap();
        assert_eq!(tally.to_string(), "66.7 % caught, 2 of 3 (1 by the time limit), 1 equivalent");
        let error = Tally::of(outcomes().into_iter(), &[mutant::tests::mutant(1)]).unwrap_err();
        assert!(error.to_string().contains("is caught: take it out"), "{error}");
    }
}
