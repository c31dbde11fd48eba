//! `cargo xtask vm-test`: a whole arm64 Debian with systemd boots under emulation, installs the package, and the service
//! lives through everything that can befall it on a board.
//!
//! The host plays the sensor, one end of a serial line; gaitd's decisions come back by another; commands go through
//! QEMU's guest agent. Nothing in the guest knows that it is tested but two units: the reader of the sensor, which is the
//! one that `docs/service.md` describes, and a client that passes the events on.

mod account;
mod agent;
mod events;
mod image;
mod lab;
mod machine;
mod parity;
mod payload;
mod scenario;
mod sensor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use self::account::Account;
use self::agent::Agent;
use self::events::Events;
use self::image::Image;
use self::lab::Lab;
use self::machine::{Board, Machine};
use self::parity::Parity;
use self::sensor::Sensor;
use crate::package::{self, Architecture};
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The arm64 package to test [default: build it]
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
    /// The processor, as `qemu-system-aarch64 -cpu help` names it: that of a Raspberry Pi 4
    #[arg(long, value_name = "NAME", default_value = "cortex-a72")]
    cpu: String,
    /// The board's memory in MiB: that of a Raspberry Pi Zero 2 W
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u32,
    /// Install cargo-deb below the target directory where it is missing
    #[arg(long)]
    install: bool,
    /// Where the machine or the package cannot be made, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// What is at hand before anything boots.
struct Prepared {
    image: Image,
    payload: PathBuf,
    parity: Parity,
}

/// Prepares everything and takes all steps; fails where one does.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let logs = tree.target("vm");
    let start = Instant::now();
    let prepared = match prepare(tree, args, &logs) {
        Ok(prepared) => prepared,
        Err(error) if args.if_possible => {
            eprintln!("\n*** NO MACHINE WAS BOOTED, THE SERVICE WAS NOT TESTED ON ARM: {error:#}\n");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error),
    };
    let mut account = Account::open(&logs.join("account.txt"))?;
    account.say(&format!("ready to boot after {:.0} s", start.elapsed().as_secs_f64()))?;
    let good = test(prepared, args, &logs, &mut account);
    // what was seen until something broke down is worth its summary
    let passed = account.close()?;
    good?;
    println!("console, commands and journal: {}", logs.display());
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prepare(tree: &Tree, args: &Args, logs: &Path) -> Result<Prepared> {
    fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let image = Image::provide(tree)?;
    let package = match &args.package {
        Some(package) => std::path::absolute(package)?,
        None => package::make(tree, Architecture::Arm64, args.install)?,
    };
    Ok(Prepared {
        image,
        payload: payload::make(tree, &package, logs)?,
        parity: Parity::record(tree, &logs.join("parity"))?,
    })
}

fn test(prepared: Prepared, args: &Args, logs: &Path, account: &mut Account) -> Result<()> {
    let Prepared { image, payload, parity } = prepared;
    let board = Board { cpu: args.cpu.clone(), memory: args.memory };
    let mut machine = Machine::boot(&image, &board, &payload, &logs.join("console.log"))?;
    let sensor = Sensor::start(machine.port(machine::SENSOR)?, Arc::clone(&parity.samples))?;
    let events = Events::listen(machine.port(machine::EVENTS)?)?;
    account.say(&format!("an emulated {} with {} MiB boots", board.cpu, board.memory))?;
    let agent = Agent::greet(machine.port(machine::AGENT)?, &logs.join("commands.log"))?;
    let mut lab = Lab { machine, agent, sensor, events, parity };
    scenario::play(&mut lab, account)?;
    // the agent notes each of its calls, which stand in its own log
    let journal = lab.agent.sh("journalctl --boot --no-pager --output=short-monotonic | grep -v ' qemu-ga\\['")?;
    fs::write(logs.join("journal.log"), journal).context("the guest's journal")?;
    lab.agent.run("systemctl poweroff --no-block")?;
    lab.machine.off(agent::PATIENCE)
}
