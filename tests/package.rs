//! What the Debian package is made of, without making it (`cargo xtask package` makes it, and tries it out), and what
//! `cargo install` reads.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What Cargo.toml says, as cargo reads it.
fn package() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--locked", "--format-version", "1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().find(|package| package["name"] == "gaitd").unwrap().clone()
}

/// `[package.metadata.deb]`.
fn metadata() -> Value {
    package()["metadata"]["deb"].clone()
}

/// Each source with the path that it gets, and its mode. A path that ends with `/` is a folder.
fn assets() -> Vec<(String, String, String)> {
    let metadata = metadata();
    let assets = metadata["assets"].as_array().unwrap().iter();
    assets
        .map(|asset| {
            let part = |index: usize| asset[index].as_str().unwrap().to_owned();
            (part(0), part(1), part(2))
        })
        .collect()
}

/// The files of the working copy that `source` means: one, or those with an ending.
fn files(source: &str) -> Vec<PathBuf> {
    let path = root().join(source);
    let Some(ending) = path.file_name().unwrap().to_str().unwrap().strip_prefix('*') else {
        return vec![path];
    };
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn everything_that_the_package_holds_is_there() {
    for (source, target, mode) in assets() {
        assert_eq!(mode, if target == "usr/bin/" { "755" } else { "644" }, "{source}");
        // what cargo builds, and what the command generates
        if source.starts_with("target/release/") {
            continue;
        }
        let files = files(&source);
        assert!(!files.is_empty() && files.iter().all(|path| path.is_file()), "{source}: {files:?}");
    }
}

#[test]
fn no_part_of_the_ladder_and_no_unit_or_rule_is_left_out() {
    let packed: Vec<_> = assets().iter().flat_map(|(source, ..)| files_or_none(source)).collect();
    for folder in ["models/uci-har-cnn", "configs/systemd", "configs/udev"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert!(packed.contains(&path), "{}", path.display());
        }
    }
}

fn files_or_none(source: &str) -> Vec<PathBuf> {
    if source.starts_with("target/release/") { vec![] } else { files(source) }
}

#[test]
fn the_units_find_what_they_name() {
    let places: Vec<_> = assets()
        .into_iter()
        .flat_map(|(source, target, _)| {
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            let names: Vec<_> = match target.ends_with('/') {
                true if source.starts_with("target/release/") => vec![name(Path::new(&source))],
                true => files(&source).iter().map(|path| name(path)).collect(),
                false => vec![String::new()],
            };
            names.into_iter().map(move |name| format!("/{target}{name}"))
        })
        .collect();
    let unit = std::fs::read_to_string(root().join("configs/systemd/gaitd.service")).unwrap();
    for path in ["/usr/bin/gaitd", "/etc/gaitd/config.json", "/usr/share/doc/gaitd/docs/service.md"] {
        assert!(unit.contains(path), "{path}");
        assert!(places.iter().any(|place| place == path), "{path}: {places:?}");
    }
}

#[test]
fn a_shell_reads_the_maintainer_scripts() {
    let folder = root().join(metadata()["maintainer-scripts"].as_str().unwrap());
    let scripts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    for script in &scripts {
        assert_eq!(std::fs::metadata(script).unwrap().permissions().mode() & 0o777, 0o755, "{}", script.display());
        let output = Command::new("sh").arg("-n").arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    match Command::new("shellcheck").args(&scripts).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => gaitd_tests::skipped("a_shell_reads_the_maintainer_scripts, by shellcheck", error),
    }
}

#[test]
fn the_licence_is_that_of_the_project() {
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let read = |name: &str| joined(&std::fs::read_to_string(root().join(name)).unwrap());
    let licence = read("LICENSE-MIT");
    let (_, terms) = licence.split_once("Permission is").unwrap();
    assert!(read("configs/debian/copyright").contains(terms), "{terms}");
}

/// `cargo install` reads a manifest in which there are no dependencies of tests, and refuses features that name one.
#[test]
fn no_feature_names_a_dependency_of_tests() {
    let package = package();
    let shipped: Vec<_> =
        package["dependencies"].as_array().unwrap().iter().filter(|one| one["kind"].is_null()).collect();
    for (feature, parts) in package["features"].as_object().unwrap() {
        for part in parts.as_array().unwrap() {
            let part = part.as_str().unwrap().trim_start_matches("dep:");
            let Some((name, _)) = part.split_once('/') else { continue };
            let name = name.trim_end_matches('?');
            assert!(shipped.iter().any(|one| one["name"] == name), "{feature} names {name}");
        }
    }
}
