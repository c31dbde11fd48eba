//! `gaitd co-runner`: the load that `gaitd rehearse` starts beside itself, and no command of a user's.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use gaitd_lab::rehearse::{CoRunnerLoad, LoadKind, carry};

use super::rehearse::LoadFlag;

/// The first argument by which it is asked for.
pub(super) const NAME: &str = "co-runner";

/// Load a processor until standard input ends (started by `gaitd rehearse`)
#[derive(clap::Parser)]
#[command(name = "gaitd co-runner")]
pub(super) struct Arguments {
    /// How the share is taken
    #[arg(long, value_enum)]
    kind: LoadFlag,
    /// Share of the processor, above 0 and at most 0.9
    #[arg(long, value_name = "SHARE", value_parser = share)]
    share: f64,
    /// The processor
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Seed of the bursts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share <= CoRunnerLoad::LARGEST => Ok(share),
        _ => Err(format!("a number above 0 and at most {} is needed", CoRunnerLoad::LARGEST)),
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    // Ctrl-C reaches this process together with the rehearsal, which ends it: an earlier end would pass for a failure.
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted).context("cannot watch for signals")?;
    let kind: LoadKind = arguments.kind.into();
    let load = CoRunnerLoad { kind, share: arguments.share, cpu: arguments.cpu, seed: arguments.seed };
    carry(&load, std::io::stdin().lock(), std::io::stdout().lock()).context("the co-runner failed")
}
