//! The pages: what stands there as a command (a block of `sh`) is run as it stands there, from a folder with what is in the
//! repository and with somebody's recordings.

use std::path::{Path, PathBuf};
use std::process::Command;

use gaitd_tests::{repository, skipped};
use tempfile::TempDir;

/// Has a test of its own, since each of its commands needs the one before it.
const WITH_ITS_OWN_TEST: &str = "own-network.md";

/// README, what is beside it, and what is in docs.
fn pages() -> Vec<PathBuf> {
    let folders = [repository().to_path_buf(), repository().join("docs"), repository().join("examples")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.filter(|path| path.file_name().unwrap() != WITH_ITS_OWN_TEST).collect()
}

/// The commands that a page says to type.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// The shipped recording as two files of one sensor each.
fn two_files() -> [(&'static str, String); 2] {
    let whole = std::fs::read_to_string(repository().join("examples/walk.csv")).unwrap();
    let rows = || whole.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').collect::<Vec<_>>());
    let columns =
        |first: usize| rows().map(move |row| [&row[..1], &row[first..first + 3], &row[7..]].concat().join(",") + "\n");
    [("acc.csv", columns(1).collect()), ("gyro.csv", columns(4).collect())]
}

/// A folder in which the commands can be typed.
fn desk() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["configs", "examples", "models"] {
        std::os::unix::fs::symlink(repository().join(name), folder.path().join(name)).unwrap();
    }
    for ((name, text), of_a_telephone) in two_files().iter().zip(["Accelerometer.csv", "Gyroscope.csv"]) {
        std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::write(folder.path().join(of_a_telephone), text).unwrap();
    }
    folder
}

#[test]
fn commands_run_as_they_stand_there() {
    let (desk, state) = (desk(), TempDir::new().unwrap());
    let program = Path::new(assert_cmd::cargo::cargo_bin!("gaitd")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut ran = 0;
    for page in pages() {
        for command in commands(&page) {
            if command.contains("jq") && Command::new("jq").arg("--version").output().is_err() {
                skipped("commands_run_as_they_stand_there", format_args!("there is no jq for: {command}"));
                continue;
            }
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &command])
                .current_dir(&desk)
                .env("PATH", &path)
                .env("XDG_STATE_HOME", state.path())
                .env_remove("STATE_DIRECTORY")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {command}\n{told}", page.display());
            assert!(!output.stdout.is_empty(), "{}: {command} prints nothing", page.display());
            ran += 1;
        }
    }
    assert!(ran >= 9, "only {ran} commands were run");
}
