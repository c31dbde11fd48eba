//! `cargo xtask ci`: all checks of a change. What cannot be had on this machine is skipped, and the table says so.

use clap::Parser;

use crate::steps::Report;
use crate::tree::Tree;
use crate::{Cli, Command, arm, fuzz, instructions, programs, test};

/// The commands, as they can be run by hand.
const COMMANDS: [&[&str]; 5] = [
    &["programs", "--install", "--if-possible"],
    &["test"],
    &["arm", "--if-possible", "--target", "aarch64-unknown-linux-gnu,armv7-unknown-linux-gnueabihf"],
    &["fuzz", "--seconds", "5", "--install", "--if-possible"],
    &["instructions", "--if-possible"],
];

/// Runs all of them, whether the ones before passed or not.
pub(crate) fn run(tree: &Tree) -> Report {
    let mut report = Report::default();
    for command in COMMANDS {
        eprintln!("\n##### cargo xtask {}", command.join(" "));
        let name = command[0];
        match parse(command) {
            Command::Test(args) => report.add(name, test::run(tree, &args)),
            Command::Arm(args) => report.add(name, arm::run(tree, &args)),
            Command::Fuzz(args) => match fuzz::run(tree, &args) {
                Ok(part) => report.add(name, part),
                Err(error) => report.step(name, &[], || Err(error)),
            },
            Command::Programs(args) => report.step(name, &[], || programs::run(tree, &args)),
            Command::Instructions(args) => report.step(name, &[], || instructions::run(tree, &args)),
            _ => unreachable!("{name} is none of CI's commands"),
        }
    }
    report
}

fn parse(command: &[&str]) -> Command {
    Cli::parse_from(["xtask"].iter().chain(command)).command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_commands_are_known() {
        for command in COMMANDS {
            assert!(Cli::try_parse_from(["xtask"].iter().chain(command)).is_ok(), "{command:?}");
        }
    }
}
