//! `gaitd man`: the manual pages, for packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

/// Write the manual pages: gaitd(1) and one for each command
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder to write them to; made where it is missing
    #[arg(long, value_name = "DIR", alias = "output", short_alias = 'o')]
    output_dir: PathBuf,
    /// The day that they bear, such as that of the release [default: none]
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true, value_parser = day)]
    date: String,
}

fn day(text: &str) -> Result<String, String> {
    let like = |(byte, form): (u8, u8)| if form == b'-' { byte == b'-' } else { byte.is_ascii_digit() };
    let is_day = text.is_empty() || text.len() == 10 && text.bytes().zip(*b"0000-00-00").all(like);
    if is_day { Ok(text.to_owned()) } else { Err("expected a day such as 2026-11-30".to_owned()) }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.output_dir;
    // a page for each `help` subcommand would repeat its command's page
    let mut command = super::Arguments::command().disable_help_subcommand(true);
    command.build();
    fs::create_dir_all(folder)
        .and_then(|()| write(command, &arguments.date, folder))
        .with_context(|| format!("cannot write manual pages to {}", folder.display()))
}

/// Writes the page of `command`, and those of the commands below it.
fn write(command: clap::Command, date: &str, folder: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands() {
        write(below.clone(), date, folder)?;
    }
    let version = concat!("gaitd ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command).date(date).source(version).manual("gaitd");
    let mut text = Vec::new();
    page.render(&mut text)?;
    // examples, signals, exit codes: no section of this name is known elsewhere
    let text = String::from_utf8_lossy(&text).replace("\n.SH EXTRA\n", "\n.SH NOTES\n");
    fs::write(folder.join(page.get_filename()), text)
}
