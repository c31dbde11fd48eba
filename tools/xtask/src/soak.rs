//! `cargo xtask soak`: hours of a stream in which everything goes wrong, and what the daemon costs between its windows.

use anyhow::Result;

use crate::process::Process;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Hours of samples, which come as fast as they are read: a day takes some minutes
    #[arg(long, default_value_t = 24.0, value_name = "H")]
    hours: f64,
    /// What decides the order of faults
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u32,
    /// Print each fault
    #[arg(long)]
    verbose: bool,
    /// Measure instead what the daemon costs between its windows at a sensor's pace, for so many seconds
    #[arg(long, value_name = "S", num_args = 0..=1, default_missing_value = "60", conflicts_with_all = ["hours", "seed"])]
    idle: Option<u32>,
}

/// Runs the test `soak` in release.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<()> {
    let mut process = Process::cargo(tree).args(["test", "--release", "-p", "gaitd", "--test", "soak", "--"]);
    process = process.args(["--nocapture", "--exact"]);
    if let Some(seconds) = args.idle {
        return process.args(["--ignored", "idle::idle"]).env("GAITD_SOAK_IDLE_S", seconds.to_string()).run();
    }
    if args.verbose {
        process = process.env("GAITD_SOAK_VERBOSE", "1");
    }
    process
        .arg("hours_of_faults_leave_every_window_accounted_for_and_nothing_grown")
        .env("GAITD_SOAK_HOURS", args.hours.to_string())
        .env("GAITD_SOAK_SEED", args.seed.to_string())
        .run()
}
