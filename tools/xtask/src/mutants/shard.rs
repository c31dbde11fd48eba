//! Where mutants are made and tested, a shard at a time, and where the results are kept.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::mutant::{Mutant, Outcome};
use super::subject::Subject;
use super::{CARGO_MUTANTS, equivalent, slashes};
use crate::files::remove;
use crate::process::Process;
use crate::tree::Tree;

/// How many mutants are in a shard, about: what an interruption costs at most.
const SHARD: usize = 20;
/// What results depend on, beside the version of cargo-mutants.
const SOURCES: [&str; 3] = ["Cargo.lock", "Cargo.toml", "runtime/core"];
/// A mutant for which the tests take longer than this many times what they take without, has been caught.
const TIMEOUT_FACTOR: &str = "5";

/// The shards of a subject.
pub(super) struct Shards {
    subject: Subject,
    count: usize,
}

impl Shards {
    /// Of a subject with so many mutants.
    pub(super) fn of(subject: &Subject, mutants: usize) -> Self {
        Self { subject: subject.clone(), count: mutants.div_ceil(SHARD) }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// A copy of the working copy in which mutants are put into the sources.
pub(super) struct WorkingCopy<'a> {
    tree: &'a Tree,
    cargo_mutants: PathBuf,
    copy: PathBuf,
    /// Of all that results depend on.
    fingerprint: String,
}

impl<'a> WorkingCopy<'a> {
    /// Brings the copy up to date. It stays at one place, so that only what has changed is built again.
    pub(super) fn prepare(tree: &'a Tree, cargo_mutants: PathBuf) -> Result<Self> {
        let copy = tree.target("mutants/copy");
        let listed = Process::new(tree, "git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = listed.capture().context("cannot list the files of the working copy")?;
        let files: BTreeSet<&Path> = listed.split('\0').filter(|path| !path.is_empty()).map(Path::new).collect();
        let mut hasher = DefaultHasher::new();
        CARGO_MUTANTS.version.hash(&mut hasher);
        for path in &files {
            // a file that is tracked may be gone
            let Some(bytes) = read(&tree.join(path))? else { continue };
            let name = slashes(path);
            if SOURCES.iter().any(|source| path.starts_with(source)) && name != equivalent::FILE {
                (&name, &bytes).hash(&mut hasher);
            }
            write_if_other(&copy.join(path), &bytes)?;
        }
        remove_others(&copy, &copy, &|path| files.contains(path) && tree.join(path).exists())?;
        Ok(Self { tree, cargo_mutants, copy, fingerprint: format!("{:016x}", hasher.finish()) })
    }

    /// The mutants of `subject`.
    pub(super) fn list(&self, subject: &Subject) -> Result<Vec<Mutant>> {
        Mutant::parse_list(&self.cargo_mutants(subject).args(["--list", "--json"]).capture()?)
    }

    /// Runs the shard number `part`, unless its results are kept and still hold.
    pub(super) fn run(&self, shards: &Shards, part: usize) -> Result<()> {
        if self.kept(shards, part)?.is_some() {
            return Ok(());
        }
        let folder = self.folder(shards, part);
        remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        eprintln!("shard {part} of {} of {}", shards.count, shards.subject.name());
        let process = self
            .cargo_mutants(&shards.subject)
            .args(["--in-place", "--cap-lints", "true", "--timeout-multiplier", TIMEOUT_FACTOR])
            .args(["--shard", &format!("{part}/{}", shards.count), "--output"])
            .arg(&folder);
        match process.code()? {
            // 2 where mutants are missed, 3 where the tests ran into the time limit
            Some(0 | 2 | 3) => {}
            Some(4) => bail!("the tests of gaitd-core fail without any mutant"),
            other => bail!("cargo-mutants ended with {other:?}"),
        }
        let path = stamp(&folder);
        fs::write(&path, &self.fingerprint).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The results of the shard number `part`, if it was run to its end on these very sources.
    pub(super) fn kept(&self, shards: &Shards, part: usize) -> Result<Option<Vec<Outcome>>> {
        let folder = self.folder(shards, part);
        let stamp = read(&stamp(&folder))?;
        if stamp.is_none_or(|stamp| stamp != self.fingerprint.as_bytes()) {
            return Ok(None);
        }
        let path = folder.join("mutants.out/outcomes.json");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let outcomes = Outcome::parse_all(&text).with_context(|| path.display().to_string())?;
        ensure!(outcomes.is_some(), "{} is not complete", path.display());
        Ok(outcomes)
    }

    /// cargo-mutants on `subject`, with the tests of gaitd-core alone and without recorded data.
    fn cargo_mutants(&self, subject: &Subject) -> Process {
        Process::new(self.tree, &self.cargo_mutants)
            .args(["mutants", "--package", "gaitd-core", "--file", &subject.glob(), "--dir"])
            .arg(&self.copy)
            .env("CARGO_TARGET_DIR", self.tree.target("mutants/build"))
            .env("GAITD_DATA", "/nonexistent")
            // what one mutant is caught by must not be tried on the next, or results depend on the order of the shards
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
            .env("INSTA_UPDATE", "no")
    }

    fn folder(&self, shards: &Shards, part: usize) -> PathBuf {
        let results = self.tree.target("mutants/results").join(shards.subject.name());
        results.join(format!("{part}-of-{}", shards.count))
    }
}

/// Says on which sources the results in `folder` were found.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("sources")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Leaves the time of a file alone that is as it should be, since cargo goes by it.
fn write_if_other(path: &Path, bytes: &[u8]) -> Result<()> {
    if read(path)?.is_some_and(|found| found == bytes) {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, bytes)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the files below `folder` whose path from `root` does not `belong`.
fn remove_others(root: &Path, folder: &Path, belong: &dyn Fn(&Path) -> bool) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            remove_others(root, &path, belong)?;
        } else if !path.strip_prefix(root).is_ok_and(belong) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_follows_the_original_and_nothing_is_written_twice() {
        let root = std::env::temp_dir().join(format!("gaitd-xtask-mutants-{}", std::process::id()));
        let (kept, gone) = (root.join("a/kept"), root.join("b/gone"));
        write_if_other(&kept, b"1").unwrap();
        write_if_other(&gone, b"2").unwrap();
        let time = || fs::metadata(&kept).unwrap().modified().unwrap();
        let before = time();
        write_if_other(&kept, b"1").unwrap();
        assert_eq!(time(), before);
        remove_others(&root, &root, &|path| path == Path::new("a/kept")).unwrap();
        assert!(kept.exists() && !gone.exists());
        fs::remove_dir_all(&root).unwrap();
    }
}
