//! What a package holds beside gaitd and files of the working copy: manual pages, completions, its changelog.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::build::Builder;
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
    let pages = folder.join("man");
    let day = date(tree, builder, "+%Y-%m-%d")?;
    builder.gaitd(tree, &["man", "--date", &day, "--output-dir", path(&pages)?])?;
    for shell in SHELLS {
        let script = builder.gaitd(tree, &["completions", shell])?;
        put(&folder.join(format!("gaitd.{shell}")), &(script + "\n"))?;
    }
    let changelog = folder.join("changelog.Debian");
    put(&changelog, &changes(tree, version, &date(tree, builder, "--rfc-email")?)?)?;
    let mut files = pages_in(&pages)?;
    files.push(changelog);
    // without the time and name of the file
    Process::new(tree, "gzip").args(["--best", "--no-name"]).args(files).capture().map(drop)
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

/// The time that everything in the package bears.
fn date(tree: &Tree, builder: &Builder, form: &str) -> Result<String> {
    let seconds = format!("--date=@{}", builder.epoch);
    Process::new(tree, "date").env("LC_ALL", "C").args(["--utc", &seconds, form]).capture()
}

fn pages_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    read().with_context(|| format!("cannot read {}", folder.display()))
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
