//! `cargo xtask ci`: all checks of a change. What cannot be had on this machine is skipped, and the tables say so.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cost::Cost;
use crate::process::Process;
use crate::steps;
use crate::tree::Tree;

/// One command, as it can be run by hand after `cargo xtask`.
type Command = &'static [&'static str];

/// What the others need.
const FIRST: Command = &["programs", "--install", "--if-possible"];

/// Commands that run one after the other, beside those of the other lane: what links, trains or emulates on one processor
/// leaves the second one to the other lane. Those of one lane build into the same folder and would wait for each other.
const LANES: [&[Command]; 2] = [
    &[&["test"], &["fuzz", "--seconds", "5", "--install", "--if-possible"]],
    &[
        &["instructions", "--if-possible"],
        &["arm", "--if-possible", "--target", "aarch64-unknown-linux-gnu,armv7-unknown-linux-gnueabihf"],
    ],
];

/// How one command ended.
struct Ended {
    name: &'static str,
    good: bool,
    log: String,
}

/// Runs all of them, whether others passed or not. The output of each is shown when it has ended, and the tables of all
/// once more at the end, with the time that all took and the processor time of all programs.
pub(crate) fn run(tree: &Tree) -> Result<ExitCode> {
    let (start, children) = (Instant::now(), Cost::of_children());
    let logs = tree.target("ci");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let mut ended = vec![shown(one(tree, FIRST)?)];
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for lane in LANES {
            let sender = sender.clone();
            scope.spawn(move || lane.iter().try_for_each(|command| sender.send(one(tree, command))));
        }
        drop(sender);
        receiver.into_iter().try_for_each(|command| -> Result<()> {
            ended.push(shown(command?));
            Ok(())
        })
    })?;
    println!("\n##### all of it");
    for command in &ended {
        println!("\n=== {}\n{}", command.name, steps::table(&command.log).unwrap_or("FAILED without a table"));
    }
    let failed: Vec<_> = ended.iter().filter(|command| !command.good).map(|command| command.name).collect();
    println!("\nall {}", Cost::since(start, children));
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs one command with its output in a file.
fn one(tree: &Tree, command: Command) -> Result<Ended> {
    let (name, path) = (command[0], log(tree, command));
    eprintln!("##### cargo xtask {} > {}", command.join(" "), path.display());
    let good = Process::new(tree, env::current_exe()?).args(command).log(&path)?;
    let log = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Ended { name, good, log: String::from_utf8_lossy(&log).into_owned() })
}

fn log(tree: &Tree, command: Command) -> PathBuf {
    tree.target("ci").join(format!("{}.log", command[0]))
}

fn shown(ended: Ended) -> Ended {
    println!("\n##### {}\n{}", ended.name, ended.log);
    ended
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;

    #[test]
    fn all_commands_are_known() {
        for command in LANES.into_iter().flatten().chain([&FIRST]) {
            assert!(Cli::try_parse_from(["xtask"].iter().chain(*command)).is_ok(), "{command:?}");
        }
    }
}
