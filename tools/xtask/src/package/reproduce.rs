//! The same package once more, in another place.

use std::fs;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::tree::Tree;

/// Calls `make` with a copy of the working copy whose folder, target directory and cargo home all have other names. The
/// sources of dependencies are the same, by another path; nothing that was built before is there.
pub(super) fn elsewhere(tree: &Tree, make: impl FnOnce(&Tree) -> Result<()>) -> Result<()> {
    let folder = tree.target("package/elsewhere");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let home = folder.join("cargo");
    let copy = Tree::elsewhere(folder.join("copy"), folder.join("output"), home.clone());
    fs::create_dir_all(copy.join("")).with_context(|| format!("cannot make {}", copy.join("").display()))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(tree.cargo_home()?, &home).with_context(|| format!("cannot make {}", home.display()))?;
    // what is tracked, as it is now
    let script = r#"git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory "$0""#;
    Process::new(tree, "bash").args(["-o", "pipefail", "-c", script]).arg(copy.join("")).run()?;
    make(&copy)
}
