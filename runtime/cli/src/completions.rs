//! `gaitd completions`: what a shell needs to complete gaitd's command line.

use clap::CommandFactory;
use clap_complete::Shell;

/// Print a script with which a shell completes gaitd's commands and options
#[derive(clap::Args)]
#[command(after_help = "Example: gaitd completions bash > ~/.local/share/bash-completion/completions/gaitd")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "gaitd", &mut script);
    super::print(&String::from_utf8(script)?)
}
