//! `cargo xtask ci`: all checks of a change. What cannot be had on this machine is skipped, and the tables say so.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cost::Cost;
use crate::process::Process;
use crate::steps;
use crate::tree::Tree;

/// One command, as it can be run by hand after `cargo xtask`, and what its table and its file are called.
struct Command {
    name: &'static str,
    args: &'static [&'static str],
}

/// What the others need.
const FIRST: Command = Command { name: "programs", args: &["programs", "--install", "--if-possible"] };

/// Commands that run one after the other, beside those of the other lane: what links, trains or emulates on one processor
/// leaves the second one to the other lane. Together the two take about as much processor time. On ARM the program that is
/// shipped runs (golden vectors, 200 windows, the instructions of three configurations on a core of either kind), of 64 bits;
/// the crates' own tests there, 32 bits and all other counts are left to a release, as are the other parts of one. So is the
/// fuzzing of networks, with which tract would be built once more.
const LANES: [&[Command]; 2] = [
    &[
        Command { name: "test", args: &["test"] },
        Command {
            name: "fuzz",
            args: &["fuzz", "--without", "network", "--seconds", "5", "--install", "--if-possible"],
        },
    ],
    &[
        Command {
            name: "instructions",
            args: &[
                "instructions",
                "--if-possible",
                "--core",
                "cortex-a53",
                "--core",
                "cortex-a72",
                "--configuration",
                "0.10x-96",
                "--configuration",
                "0.45x-124",
                "--configuration",
                "1.00x-128",
                "--configuration",
                "0.10x-96+0.45x-124@0.9999",
            ],
        },
        // of the program that was just counted
        Command {
            name: "aarch64",
            args: &[
                "arm",
                "--if-possible",
                "--target",
                "aarch64-unknown-linux-gnu",
                "--only",
                "golden,replay",
                "--profile",
                "dist",
                "--lean",
            ],
        },
        Command { name: "release", args: &["release", "--check", "--install", "--if-possible", "--only", "deb-amd64"] },
    ],
];

/// How many lines before the table of a command that failed are shown once more at the end.
const LAST_LINES: usize = 60;

/// How one command ended.
struct Ended {
    name: &'static str,
    good: bool,
    log: String,
}

/// Runs all of them, whether others passed or not. The output of each is shown when it has ended, and the tables of all
/// once more at the end, with the time that all took and the processor time of all programs.
pub(crate) fn run(tree: &Tree) -> Result<ExitCode> {
    let (start, children, free) = (Instant::now(), Cost::of_children(), free_disk(tree));
    let folder = tree.target("ci");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // the commands build this program anew, in place
    let xtask = folder.join("xtask");
    fs::copy(env::current_exe()?, &xtask).with_context(|| format!("cannot write {}", xtask.display()))?;
    let one = |command: &Command| ended(tree, &xtask, command);
    let mut all = vec![shown(one(&FIRST))];
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for lane in LANES {
            let (sender, one) = (sender.clone(), &one);
            scope.spawn(move || lane.iter().try_for_each(|command| sender.send(one(command))));
        }
        drop(sender);
        all.extend(receiver.into_iter().map(shown));
    });
    println!("\n##### all of it");
    for command in &all {
        println!("\n=== {}\n{}", command.name, steps::table(&command.log).unwrap_or("FAILED without a table"));
    }
    // who sees the end of the output alone is to see why, too
    for command in all.iter().filter(|command| !command.good) {
        println!("\n=== the last words of {}\n{}", command.name, last_words(&command.log));
    }
    let failed: Vec<_> = all.iter().filter(|command| !command.good).map(|command| command.name).collect();
    println!("\nall {}", Cost::since(start, children));
    println!("free on the disk: {} at the start, {} at the end", told(free), told(free_disk(tree)));
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs one command by the program `xtask`.
fn ended(tree: &Tree, xtask: &Path, command: &Command) -> Ended {
    let name = command.name;
    match run_one(tree, xtask, command) {
        Ok((good, log)) => Ended { name, good, log },
        Err(error) => Ended { name, good: false, log: format!("{error:#}") },
    }
}

/// Whether the command succeeded, and what it printed, which lies in a file as well.
fn run_one(tree: &Tree, xtask: &Path, command: &Command) -> Result<(bool, String)> {
    let path = tree.target("ci").join(format!("{}.log", command.name));
    eprintln!("##### cargo xtask {} > {}", command.args.join(" "), path.display());
    // nothing is built twice here, so what would speed up a second build only takes time and gigabytes
    let good = Process::new(tree, xtask).args(command.args).env("CARGO_INCREMENTAL", "0").log(&path)?;
    let log = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((good, String::from_utf8_lossy(&log).into_owned()))
}

fn shown(ended: Ended) -> Ended {
    println!("\n##### {}\n{}", ended.name, ended.log);
    ended
}

/// What a command said before its table: the lines that may say why a step failed.
fn last_words(log: &str) -> String {
    let before = steps::before_table(log);
    let lines: Vec<_> = before.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// How much is free on the disk that everything is built on, GiB; `None` where `df` cannot say.
fn free_disk(tree: &Tree) -> Option<f64> {
    let table = Process::new(tree, "df").args(["-Pk"]).arg(tree.target("")).probe()?;
    let kib: f64 = table.lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / f64::from(1 << 20))
}

fn told(free: Option<f64>) -> String {
    free.map_or("unknown".to_owned(), |gib| format!("{gib:.1} GiB"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;

    #[test]
    fn the_last_words_are_those_before_the_table() {
        let said: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let words = last_words(&format!("{said}\n=== summary\nbuild FAILED\n0 passed"));
        assert!(words.starts_with("line 40\n") && words.ends_with("line 99"), "{words}");
        assert_eq!(last_words("xtask: broken"), "xtask: broken");
    }

    #[test]
    fn all_commands_are_known() {
        for command in LANES.into_iter().flatten().chain([&FIRST]) {
            assert!(Cli::try_parse_from(["xtask"].iter().chain(command.args)).is_ok(), "{}", command.name);
        }
    }
}
