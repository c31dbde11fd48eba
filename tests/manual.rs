//! The manual pages and the completions, which the package holds: of every command, and without a fault that the programs
//! which read them would find.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::program::{commands, gaitd};

/// The folder of all pages.
fn pages() -> TempDir {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("made/for/them");
    gaitd(folder.path()).args(["man", "--date", "2026-11-25", "--output-dir"]).arg(&pages).assert().success();
    folder
}

fn names(pages: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(pages).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What the program says; nothing where it is not here, and then standard error says what is not checked.
fn ask(test: &str, command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            gaitd_tests::skipped(&format!("{test}, by {}", command.get_program().to_string_lossy()), error);
            None
        }
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = pages();
    let mut expected = BTreeSet::from(["gaitd.1".to_owned()]);
    for command in commands(&[]) {
        expected.extend(commands(&[&command]).iter().map(|below| format!("gaitd-{command}-{below}.1")));
        expected.insert(format!("gaitd-{command}.1"));
    }
    assert!(expected.contains("gaitd-run.1") && expected.contains("gaitd-man.1"), "{expected:?}");
    assert_eq!(names(&folder.path().join("made/for/them")), expected);
}

#[test]
fn man_has_nothing_to_say_about_the_pages() {
    let folder = pages();
    let pages = folder.path().join("made/for/them");
    for name in names(&pages) {
        let mut man = Command::new("man");
        // what it says is for one who reads English, and the page for whichever width
        man.args(["--warnings", "--local-file", "-Tutf8", "-Z"]).arg(pages.join(&name)).env("LC_ALL", "C.UTF-8");
        let Some(output) = ask("man_has_nothing_to_say_about_the_pages", &mut man) else { return };
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{name}: {told}");
        assert!(!output.stdout.is_empty(), "{name}");
    }
}

#[test]
fn a_page_tells_what_help_tells() {
    let folder = pages();
    let page = std::fs::read_to_string(folder.path().join("made/for/them/gaitd-run.1")).unwrap();
    let title = concat!(".TH gaitd-run 1 2026-11-25 \"gaitd ", env!("CARGO_PKG_VERSION"), "\" gaitd");
    assert!(page.contains(title), "{page}");
    assert!(!page.contains(".SH EXTRA"), "{page}");
    for part in
        [".SH NOTES\n", r"\-\-budget\-ms", "Allowed share of late decisions", "SIGHUP reloads the configuration"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn pages_go_nowhere_without_a_folder() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = gaitd(folder.path()).args(["man", "--output-dir"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&file.display().to_string()), "{told}");
}

/// The script for a shell, in a file.
fn script(shell: &str) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let output = gaitd(folder.path()).args(["completions", shell]).output().unwrap();
    assert!(output.status.success());
    let path = folder.path().join("script");
    std::fs::write(&path, output.stdout).unwrap();
    (folder, path)
}

#[test]
fn shells_understand_their_completions() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let (_folder, script) = script(shell);
        if shell == "bash" {
            // what `gaitd rehearse` starts beside itself is no command of a user's
            assert!(!std::fs::read_to_string(&script).unwrap().contains("co-runner"));
        }
        let mut command = Command::new(shell);
        let Some(output) = ask("shells_understand_their_completions", command.arg(check).arg(&script)) else {
            continue;
        };
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{shell}: {told}");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let (_folder, script) = script("bash");
    let complete = |words: &str| {
        let line = format!(
            "source \"$0\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _gaitd gaitd \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let output = ask("bash_completes_commands_and_options", Command::new("bash").args(["-c", &line]).arg(&script))?;
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let Some(reply) = complete("gaitd lad") else { return };
    assert_eq!(reply, "ladder");
    assert_eq!(complete("gaitd run --budg").unwrap(), "--budget-ms");
    assert_eq!(complete("gaitd run --policy al").unwrap(), "alert");
}
