//! `gaitd model`: makes model directories, checks them and shows what is in them.

#[cfg(feature = "tract")]
mod new;
#[cfg(feature = "tract")]
mod report;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
#[cfg(feature = "tract")]
pub(super) use new::Unreadable;

/// Make a model directory of exported networks, check one, or show what is in it
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "tract")]
    New(Box<new::Arguments>),
    Check(CheckArguments),
    Show(show::Arguments),
}

/// Check model directories whole: manifest, every file's SHA-256, golden vectors
#[derive(clap::Args)]
struct CheckArguments {
    /// Model directories
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        #[cfg(feature = "tract")]
        Command::New(arguments) => new::execute(arguments),
        Command::Check(arguments) => super::check::models(&arguments.directories, arguments.json),
        Command::Show(arguments) => show::execute(arguments),
    }
}
