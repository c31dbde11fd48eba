//! `cargo xtask book`: the documents as a book, whose links all lead somewhere.

mod links;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo_tool::CargoTool;
use crate::files::remove;
use crate::process::Process;
use crate::steps::Outcome;
use crate::tree::Tree;

/// What makes the pages.
pub(crate) const MDBOOK: CargoTool = CargoTool {
    name: "mdbook",
    version: "0.5.4",
    version_args: &["--version"],
    features: &["search"],
    quick: true,
    root: "mdbook",
    chore: Some("cargo xtask book"),
    takes: "a minute or two",
};

/// What stands in the book, or is linked from it, in the repository. A page lies in the book where it lies here, so a link
/// holds in both.
const PARTS: [&str; 8] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs", "examples", "configs"];

/// The order of the pages, with links from docs.
const SUMMARY: &str = "docs/SUMMARY.md";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install mdBook below the target directory where it is missing
    #[arg(long)]
    install: bool,
}

/// Makes the book in the target directory.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Outcome> {
    build(tree, args.install).map(|book| Outcome::Found(book.join("index.html").display().to_string()))
}

/// Makes the book and holds all of its links; gives the folder it lies in.
pub(crate) fn build(tree: &Tree, install: bool) -> Result<PathBuf> {
    let mdbook = MDBOOK.get(tree, install)?;
    let (work, book) = (tree.target("book/source"), tree.target("book/html"));
    remove(&work)?;
    remove(&book)?;
    let pages = work.join("pages");
    for part in PARTS {
        copy(&tree.join(part), &pages.join(part))?;
    }
    fs::rename(pages.join("docs/book.toml"), work.join("book.toml")).context("docs/book.toml")?;
    let summary = fs::read_to_string(tree.join(SUMMARY)).with_context(|| SUMMARY.to_owned())?;
    let missing = unlisted(&summary, &tree.join("docs"))?;
    ensure!(missing.is_empty(), "{SUMMARY} does not list {}", missing.join(", "));
    fs::remove_file(pages.join(SUMMARY)).with_context(|| SUMMARY.to_owned())?;
    let path = pages.join("SUMMARY.md");
    fs::write(&path, from_root(&summary)).with_context(|| format!("cannot write {}", path.display()))?;
    Process::new(tree, mdbook).arg("build").arg("--dest-dir").arg(&book).arg(&work).run()?;
    let broken = links::broken(&book)?;
    if !broken.is_empty() {
        bail!("links of the book lead nowhere:\n{}", broken.join("\n"));
    }
    Ok(book)
}

/// The summary with its links from the root of the repository.
fn from_root(summary: &str) -> String {
    summary.replace("](", "](docs/").replace("](docs/../", "](").replace("](docs/)", "]()")
}

/// The pages in a folder that the summary does not list.
fn unlisted(summary: &str, folder: &Path) -> Result<Vec<String>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>();
    let names = read().with_context(|| format!("cannot read {}", folder.display()))?;
    let names = names.iter().map(|name| name.to_string_lossy());
    let pages = names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md");
    let mut missing: Vec<_> =
        pages.filter(|name| !summary.contains(&format!("]({name})"))).map(|name| name.into_owned()).collect();
    missing.sort();
    Ok(missing)
}

/// A page with its links as mdBook follows them: it makes an index of a README, and knows it by that name alone.
fn page(text: &str) -> String {
    text.replace("README.md)", "index.md)").replace("README.md#", "index.md#")
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fn copied(from: &Path, to: &Path) -> std::io::Result<()> {
        if from.extension().is_some_and(|extension| extension == "md") {
            return fs::write(to, page(&fs::read_to_string(from)?));
        }
        if !from.is_dir() {
            return fs::copy(from, to).map(drop);
        }
        fs::create_dir_all(to)?;
        fs::read_dir(from)?.try_for_each(|entry| {
            let entry = entry?;
            copied(&entry.path(), &to.join(entry.file_name()))
        })
    }
    let folder = to.parent().context("no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    copied(from, to).with_context(|| format!("cannot copy {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_summary_are_moved_to_the_root() {
        let summary = "# Summary\n[gaitd](../README.md)\n- [Streams](streams.md)\n- [Later]()\n";
        let moved = "# Summary\n[gaitd](README.md)\n- [Streams](docs/streams.md)\n- [Later]()\n";
        assert_eq!(from_root(summary), moved);
    }

    #[test]
    fn a_readme_is_an_index() {
        let text = "`README.md` [here](a/README.md) and [there](README.md#b)";
        assert_eq!(page(text), "`README.md` [here](a/index.md) and [there](index.md#b)");
    }

    #[test]
    fn a_page_that_nobody_lists_is_found() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let missing = unlisted("- [Streams](streams.md)", &docs).unwrap();
        assert!(missing.contains(&"timing.md".to_owned()) && !missing.contains(&"streams.md".to_owned()));
    }
}
