//! What a package holds beside gaitd and files of the working copy: manual pages, completions, its changelog.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::build::Builder;
use crate::epoch;
use crate::files;
use crate::process::Process;
use crate::tree::Tree;

/// The shells for which there are completions.
const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// Writes all of them where Cargo.toml looks for them: the folder `package` beside the program.
pub(super) fn write(tree: &Tree, builder: &Builder, version: &str) -> Result<()> {
    let folder = builder.folder(tree).join("package");
    // the page of a command that there is no more
    files::remove(&folder)?;
    let mut files = of_program(tree, &builder.epoch, &folder, |args| builder.gaitd(tree, args))?;
    let changelog = folder.join("changelog.Debian");
    files::write(&changelog, changes(tree, version, &epoch::date(tree, &builder.epoch, "--rfc-email")?)?)?;
    files.push(changelog);
    // without the time and name of the file
    Process::new(tree, "gzip").args(["--best", "--no-name"]).args(files).capture().map(drop)
}

/// Lets `gaitd`, which is given arguments and gives what it printed, write its manual pages into the folder `man` below
/// `folder`, and its completions beside that; the pages.
pub(crate) fn of_program(
    tree: &Tree,
    epoch: &str,
    folder: &Path,
    gaitd: impl Fn(&[&str]) -> Result<String>,
) -> Result<Vec<PathBuf>> {
    let pages = folder.join("man");
    let day = epoch::date(tree, epoch, "+%Y-%m-%d")?;
    gaitd(&["man", "--date", &day, "--output-dir", path(&pages)?])?;
    for shell in SHELLS {
        files::write(&folder.join(format!("gaitd.{shell}")), gaitd(&["completions", shell])? + "\n")?;
    }
    files::entries(&pages, |_| true)
}

/// The changelog in Debian's form; what is new in gaitd stands in gaitd's own.
fn changes(tree: &Tree, version: &str, date: &str) -> Result<String> {
    let manifest = tree.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let maintainer = text.lines().find_map(|line| line.strip_prefix("maintainer = \"")?.strip_suffix('"'));
    let maintainer = maintainer.with_context(|| format!("{} names no maintainer", manifest.display()))?;
    Ok(format!(
        "gaitd ({version}) unstable; urgency=medium\n\n  * changelog.gz tells what is new in gaitd.\n\n \
         -- {maintainer}  {date}\n"
    ))
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
