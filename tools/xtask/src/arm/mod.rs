//! `cargo xtask arm`: gaitd on every system that it is built for, as far as that can be proven under emulation.

pub(crate) mod ndk;
mod parity;
mod proof;
mod rust;
mod standard;
pub(crate) mod targets;
pub(crate) mod toolchain;
mod zig;

use clap::ValueEnum;

use self::proof::Action;
use self::targets::Target;
use self::toolchain::Toolchain;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these targets [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TARGET,...")]
    target: Vec<Target>,
    /// Do only this [default: all that a target is proven by]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ACTION,...")]
    only: Vec<Action>,
    /// Profile of the programs; `dist` is what is shipped and takes several times as long to build
    #[arg(long, default_value = "dev")]
    profile: String,
    /// Lean programs of profile `dist`, without tract, as `cargo xtask instructions` counts
    #[arg(long)]
    lean: bool,
    /// Get the toolchains, and build nothing with them
    #[arg(long, conflicts_with = "only")]
    toolchain: bool,
    /// Where a toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// Proves gaitd on every chosen target.
pub(crate) fn run(tree: &Tree, args: &Args) -> Report {
    let targets = if args.target.is_empty() { Target::value_variants() } else { &args.target };
    let mut report = Report::default();
    for &target in targets {
        prove(tree, args, target, &mut report);
    }
    report
}

fn prove(tree: &Tree, args: &Args, target: Target, report: &mut Report) {
    let name = |action: &str| format!("{target:<width$} {action}", width = Target::WIDTH);
    let actions = Action::of(target).iter().copied();
    let actions: Vec<_> = actions.filter(|action| args.only.is_empty() || args.only.contains(action)).collect();
    if actions.is_empty() {
        return;
    }
    let mut found = None;
    report.step(&name("toolchain"), &[], || match Toolchain::find(tree, target) {
        Ok(toolchain) => {
            found = Some(toolchain);
            Ok(Outcome::Passed)
        }
        Err(error) if args.if_possible => Ok(Outcome::Skipped(format!("*** NOTHING WAS CHECKED HERE: {error:#}"))),
        Err(error) => Err(error),
    });
    let Some(toolchain) = found.filter(|_| !args.toolchain) else { return };
    for action in actions {
        report.step(&name(action.name()), &[], || action.run(tree, &toolchain, &args.profile, args.lean));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_target_is_proven_by_something_that_can_be_asked_for() {
        for &target in Target::value_variants() {
            assert!(!Action::of(target).is_empty());
        }
        for action in Action::value_variants() {
            let name = action.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(action.name()));
        }
    }

    #[test]
    fn cross_builds_for_the_same_targets() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cross.toml");
        let text = fs::read_to_string(path).unwrap();
        let named: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("[target.")?.strip_suffix(']')).collect();
        let ours: Vec<_> = Target::value_variants().iter().map(|target| target.triple()).collect();
        assert_eq!(named, ours);
    }
}
