//! What the program is made of, in the form of CycloneDX.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Release;
use crate::cargo_tool::CargoTool;
use crate::epoch;
use crate::files;
use crate::process::Process;

/// What lists it.
pub(crate) const CARGO_CYCLONEDX: CargoTool = CargoTool {
    name: "cargo-cyclonedx",
    version: "0.5.9",
    version_args: &["cyclonedx", "--version"],
    features: &[],
    quick: true,
    root: "cargo-cyclonedx",
    chore: Some("cargo xtask release"),
    takes: "a minute or two",
};

/// Crates that every gaitd has in it.
const EXPECTED: [&str; 3] = ["serde_json", "tract-core", "gaitd-core"];

/// Lists all crates of the program, whatever it is built for, with versions, licences and checksums.
pub(super) fn make(release: &Release) -> Result<String> {
    let tree = release.tree;
    let tool = CARGO_CYCLONEDX.get(tree, release.install)?;
    // it writes one beside each crate's manifest, where nothing may change
    let copy = release.work("sbom")?;
    release.export(&[], &copy)?;
    Process::new(tree, tool)
        .args(["cyclonedx", "--format", "json", "--spec-version", "1.5", "--target", "all", "--describe", "binaries"])
        .directory(&copy)
        .env(epoch::NAME, &release.epoch)
        .run()?;
    let written = files::entries(&copy, |path| path.to_string_lossy().ends_with(".cdx.json"))?;
    let found = written.first().context("cargo-cyclonedx wrote nothing")?;
    let path = release.folder.join(release.name("sbom.cdx.json"));
    files::copy(found, &path)?;
    if release.check {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let list: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let names: Vec<_> = list["components"].as_array().into_iter().flatten().map(|part| &part["name"]).collect();
        for name in EXPECTED {
            ensure!(names.iter().any(|found| *found == name), "{} does not list {name}", path.display());
        }
    }
    release.told(&path)
}
