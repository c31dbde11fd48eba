//! Names that flags had before: they go on working, with a note.

use std::ffi::OsString;

/// Command, flag as it was, flag as it is.
const RENAMED: &[(&str, &str, &str)] = &[
    ("man", "--output", "--output-dir"),
    ("man", "-o", "--output-dir"),
    ("model new", "--output", "--network-output"),
    ("rehearse", "--out", "--output-dir"),
    ("rehearse", "-o", "--output-dir"),
    ("replay", "--configuration", "--rung"),
    ("replay", "--decisions", "--output"),
    ("run", "--configuration", "--rung"),
];

/// Logs which of `arguments`, those of the command `called`, has another name now.
pub(super) fn note(called: &str, arguments: impl Iterator<Item = OsString>) {
    for argument in arguments.take_while(|argument| argument != "--") {
        let Some(argument) = argument.to_str() else { continue };
        let flag = match argument.split_once('=') {
            Some((flag, _)) => flag,
            // a short flag may have its value right behind it
            None if !argument.starts_with("--") => argument.get(..2).unwrap_or(argument),
            None => argument,
        };
        if let Some((_, old, new)) = RENAMED.iter().find(|(command, old, _)| *command == called && *old == flag) {
            log::warn!("{old} is called {new} now");
        }
    }
}
