//! The command line: one file per command; each turns flags and a configuration file into one library call.
//!
//! A program needs no more than this:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     gaitd_cli::main()
//! }
//! ```

mod check;
mod co_runner;
mod completions;
mod control;
#[cfg(feature = "http")]
mod ctl;
mod exit;
#[cfg(target_os = "linux")]
mod iio;
mod import;
mod labelled;
mod ladder;
mod loading;
mod log;
mod man;
mod model;
#[cfg(feature = "npz")]
mod npz;
mod of_files;
mod old_names;
mod profile;
mod rehearse;
mod replay;
mod run;
mod schema;
mod simulate;
mod spelling;
mod table;
mod together;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Recognises human activity from motion sensors, each window within its latency budget.
///
/// Without a command, gaitd runs its embedded default: the shipped ladder on a simulated wearer for a minute.
#[derive(Parser)]
#[command(name = "gaitd", version, propagate_version = true, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Log more on standard error; -vv logs everything (GAITD_LOG overrides it)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    #[cfg(feature = "http")]
    Ctl(ctl::Arguments),
    Replay(replay::Arguments),
    Ladder(ladder::Arguments),
    Model(model::Arguments),
    Profile(profile::Arguments),
    Simulate(simulate::Arguments),
    Check(check::Arguments),
    Import(import::Arguments),
    #[cfg(target_os = "linux")]
    Iio(iio::Arguments),
    Rehearse(rehearse::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs the command in the process's arguments.
pub fn main() -> ExitCode {
    // no command of a user's: neither help nor completions nor suggestions know it
    if std::env::args_os().nth(1).is_some_and(|word| word == co_runner::NAME) {
        return match co_runner::Arguments::try_parse_from(std::env::args_os().skip(1)) {
            Ok(arguments) => {
                let last_word = log::LogFormat::default().start("warn");
                ended(co_runner::execute(&arguments), last_word)
            }
            Err(error) => misused(&error),
        };
    }
    let mut called = String::new();
    let arguments = of_one_program(Arguments::command()).try_get_matches().and_then(|matches| {
        called = path(&matches);
        Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut Arguments::command()))
    });
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let level = ["warn", "info", "debug"][usize::from(arguments.verbose.min(2))];
    // the inference library logs its own details at these levels
    let filter = format!("{level},tract_core=error,tract_hir=error,tract_linalg=error,tract_onnx=error");
    let format = match &arguments.command {
        Some(Command::Run(arguments)) => arguments.log_format,
        _ => log::LogFormat::default(),
    };
    let (last_word, details) = (format.start(&filter), arguments.verbose > 0);
    old_names::note(&called, std::env::args_os().skip(1));
    let outcome = match arguments.command {
        None => run::execute(run::Arguments::default(), details),
        Some(Command::Run(arguments)) => run::execute(arguments, details),
        #[cfg(feature = "http")]
        Some(Command::Ctl(arguments)) => ctl::execute(arguments),
        Some(Command::Replay(arguments)) => replay::execute(&arguments),
        Some(Command::Ladder(arguments)) => ladder::execute(&arguments),
        Some(Command::Model(arguments)) => model::execute(&arguments),
        Some(Command::Profile(arguments)) => profile::execute(&arguments),
        Some(Command::Simulate(arguments)) => simulate::execute(&arguments),
        Some(Command::Check(arguments)) => check::execute(&arguments),
        Some(Command::Import(arguments)) => import::execute(&arguments),
        #[cfg(target_os = "linux")]
        Some(Command::Iio(arguments)) => iio::execute(&arguments),
        Some(Command::Rehearse(arguments)) => rehearse::execute(&arguments),
        Some(Command::Schema(arguments)) => schema::execute(&arguments),
        Some(Command::Completions(arguments)) => completions::execute(&arguments),
        Some(Command::Man(arguments)) => man::execute(&arguments),
    };
    ended(outcome, last_word)
}

/// Tells what clap has to say: what is wrong with the arguments, or the help that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    // nothing can be done about a closed terminal
    let _ = error.print();
    if error.use_stderr() { exit::USAGE.into() } else { ExitCode::SUCCESS }
}

fn ended(outcome: anyhow::Result<()>, last_word: log::LastWord) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, last_word),
    }
}

/// `command`, which with those below it says the version as that of the program, and not as its own.
fn of_one_program(command: clap::Command) -> clap::Command {
    command.display_name("gaitd").mut_subcommands(of_one_program)
}

/// The command that was called, with those above it: `model new`.
fn path(matches: &clap::ArgMatches) -> String {
    let below = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    below.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

/// Prints `text` to standard output.
///
/// # Errors
/// When it cannot be written; a closed pipe is not an error but the reader's choice.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Prints `value` as one indented JSON document.
///
/// # Errors
/// When it cannot be written.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}
