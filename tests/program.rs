//! The program under test.

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// The gaitd binary with a state directory of its own, so that no test sees another's profile or the user's.
pub fn gaitd(state: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gaitd"));
    command
        .env("GAITD_LOG", "info")
        .env_remove("STATE_DIRECTORY")
        .env_remove("XDG_RUNTIME_DIR")
        .env("XDG_STATE_HOME", state);
    command
}

/// The commands that the help of `gaitd ARGS` lists.
pub fn commands(args: &[&str]) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let output = gaitd(folder.path()).args(args).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let Some((_, rest)) = help.split_once("Commands:\n") else { return vec![] };
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    // what continues a description stands further in
    let lines = lines.filter(|line| !line.starts_with("   "));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}
