//! Another place to build the same package in.

use std::fs;

use anyhow::{Context, Result};

use crate::files::remove;
use crate::process::Process;
use crate::tree::Tree;

/// A copy of the working copy whose folder, target directory and cargo home all have other names. The sources of
/// dependencies are the same, by another path; nothing is built yet.
pub(super) fn copy(tree: &Tree) -> Result<Tree> {
    let folder = tree.target("package/elsewhere");
    remove(&folder)?;
    let home = folder.join("cargo");
    let copy = Tree::elsewhere(folder.join("copy"), folder.join("output"), home.clone());
    fs::create_dir_all(copy.join("")).with_context(|| format!("cannot make {}", copy.join("").display()))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(tree.cargo_home()?, &home).with_context(|| format!("cannot make {}", home.display()))?;
    // what is tracked, as it is now
    let script = r#"git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory "$0""#;
    Process::new(tree, "bash").args(["-o", "pipefail", "-c", script]).arg(copy.join("")).run()?;
    Ok(copy)
}
