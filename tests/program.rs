//! The program under test.

use std::path::Path;

use assert_cmd::Command;

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
