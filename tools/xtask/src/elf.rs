//! What can be read off a program.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::process::Process;
use crate::tree::Tree;

/// It needs no library and no loader.
pub(crate) fn ensure_static(tree: &Tree, program: &Path) -> Result<()> {
    let headers = Process::new(tree, "readelf").args(["--wide", "--program-headers"]).arg(program).probe();
    let headers = headers.context("readelf (Debian package binutils) cannot read the program")?;
    ensure!(!headers.contains("INTERP"), "{} needs a dynamic linker, and must not", program.display());
    Ok(())
}

/// No path of this machine stands in the program: another machine makes the same one.
pub(crate) fn says_nothing_of_this_machine(tree: &Tree, program: &Path) -> Result<()> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let home = env::home_dir().context("no home directory")?;
    for place in [tree.join(""), tree.target(""), tree.cargo_home()?, home] {
        // a home at the root is no path of this machine's own
        let place = place.to_string_lossy().trim_end_matches('/').to_owned() + "/";
        if place == "/" {
            continue;
        }
        if let Some(start) = bytes.windows(place.len()).position(|window| window == place.as_bytes()) {
            let rest = &bytes[start..bytes.len().min(start + 120)];
            bail!("{} names a folder of this machine: {:?}", program.display(), String::from_utf8_lossy(rest));
        }
    }
    Ok(())
}
