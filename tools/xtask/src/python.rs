//! Python environments made from hash-locked requirements.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::files;
use crate::process::Process;
use crate::tree::Tree;

/// The oldest Python that the trainer and the comparison run on.
const OLDEST: (u32, u32) = (3, 11);

/// A virtual environment below the target directory.
pub(crate) struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// The environment called `name`, whether it exists or not.
    pub(crate) fn at(tree: &Tree, name: &str) -> Self {
        Self { dir: tree.target(name) }
    }

    /// Its Python interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that came with one of its packages.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let dir = if cfg!(windows) { "Scripts" } else { "bin" };
        self.dir.join(dir).join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// Makes the environment from the requirements at `lock`, unless it holds just these already. `size` says to the
    /// user beforehand what will be downloaded.
    pub(crate) fn ensure(&self, tree: &Tree, lock: &Path, size: &str) -> Result<()> {
        let wanted = fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
        let stamp = self.dir.join("installed-requirements.txt");
        if holds(&stamp, &wanted) && self.python().exists() {
            return Ok(());
        }
        let python = find(tree)?;
        eprintln!("Making the Python environment {}: {size}", self.dir.display());
        // An environment that was interrupted or made from other requirements is not repaired but replaced.
        files::remove(&self.dir)?;
        Process::new(tree, &python).args(["-m", "venv"]).arg(&self.dir).run().with_context(|| {
            format!("{python} cannot make virtual environments; on Debian and its kin install `python3-venv`")
        })?;
        self.pip(tree).args(["install", "--quiet", "--require-hashes", "-r"]).arg(lock).run()?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// Installs the package in the folder `package` so that its source is used in place. Its requirements, setuptools
    /// among them, come from the lock, never from here.
    pub(crate) fn install_editable(&self, tree: &Tree, package: &Path) -> Result<()> {
        let project = package.join("pyproject.toml");
        let text = fs::read_to_string(&project).with_context(|| format!("cannot read {}", project.display()))?;
        let wanted = format!("{}\n{text}", package.display());
        let stamp = self.dir.join("installed-package.txt");
        if holds(&stamp, &wanted) {
            return Ok(());
        }
        self.pip(tree)
            .args(["install", "--quiet", "--no-deps", "--no-build-isolation", "--editable"])
            .arg(package)
            .run()?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn pip(&self, tree: &Tree) -> Process {
        Process::new(tree, self.python()).args(["-m", "pip", "--disable-pip-version-check"])
    }
}

fn holds(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found == wanted)
}

/// A Python that is new enough: the one that `GAITD_PYTHON` names, or else the first of the usual names.
fn find(tree: &Tree) -> Result<String> {
    let (major, minor) = OLDEST;
    if let Ok(chosen) = env::var("GAITD_PYTHON") {
        return match version(tree, &chosen) {
            Some(found) if found >= OLDEST => Ok(chosen),
            Some((a, b)) => bail!("GAITD_PYTHON={chosen} is Python {a}.{b}; {major}.{minor} or later is needed"),
            None => bail!("GAITD_PYTHON={chosen} does not run; name a Python {major}.{minor} or later, or unset it"),
        };
    }
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
    names
        .into_iter()
        // Whether a name can be started decides, not whether it is there: version managers install names that fail.
        .find(|name| version(tree, name).is_some_and(|found| found >= OLDEST))
        .map(str::to_owned)
        .with_context(|| {
            format!(
                "no Python {major}.{minor} or later under {}; install one, or let GAITD_PYTHON name it",
                names.join(", ")
            )
        })
}

fn version(tree: &Tree, python: &str) -> Option<(u32, u32)> {
    let printed =
        Process::new(tree, python).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).probe()?;
    let (major, minor) = printed.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
